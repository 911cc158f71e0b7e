/* condition.c — whether conditions hold. An answer is kept with the macros that were looked at on the way: while these
 * are what they were, the next unit needs no evaluation. */
#include "scanner/directives/unit.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LATER = 3 };
#define UNSTEADY (UINT32_MAX - 1)
#define NONE     UINT32_MAX

void wb_unit_check_verdicts(struct wb_unit *u)
{
	uint64_t now = wb_programs_ended();
	if (now == u->ended && u->nverdict <= u->pool_limit)
		return;
	u->ended = now;
	u->nverdict = 0;
	u->verdict_era++;
	wb_subtree_drop(u, false);
}

static bool still_holds(const struct wb_unit *u, const struct wb_verdict *v)
{
	if (v->rules != u->rules)
		return false;
	for (uint32_t i = 0; i < v->nread; i++)
		if (wb_macro_get(&u->macros, v->read[i].name) != v->read[i].def)
			return false;
	return true;
}

static const struct wb_verdict *verdict(const struct wb_unit *u, uint32_t at)
{
	return (const struct wb_verdict *)(const void *)(u->verdict + at);
}

uint32_t wb_unit_pool(struct wb_unit *u, size_t size)
{
	size_t at = u->nverdict;
	while (u->verdict_cap - at < size) {
		u->verdict_cap = u->verdict_cap ? 2 * u->verdict_cap : 1 << 16;
		u->verdict = wb_xrealloc(u->verdict, u->verdict_cap);
	}
	u->nverdict += size;
	return (uint32_t)at;
}

void wb_unit_tell_read(struct wb_unit *u, uint32_t name, const struct wb_define *def)
{
	if (u->stretch.site)
		wb_stretch_read(&u->stretch, name, def);
	else if (u->search.since)
		wb_subtree_read(u, name, def);
}

static void tell_reads(struct wb_unit *u, const struct wb_read *read, size_t n)
{
	if (u->stretch.site || u->search.since)
		for (size_t i = 0; i < n; i++)
			wb_unit_tell_read(u, read[i].name, read[i].def);
}

void wb_unit_tell_reads(struct wb_unit *u)
{
	struct wb_macros *m = &u->macros;
	m->reading = false;
	if (m->more)
		wb_subtree_drop(u, true);
	tell_reads(u, m->read, m->nread);
}

/* The present evaluation, in front of the verdicts from `next` on; where it is. */
static uint32_t keep(struct wb_unit *u, bool holds, uint32_t next)
{
	const struct wb_macros *m = &u->macros;
	size_t size = sizeof(struct wb_verdict) + m->nread * sizeof *m->read;
	uint32_t at = wb_unit_pool(u, size);
	unsigned later = next == NONE ? 0 : 1 + verdict(u, next)->later;
	if (later > MAX_LATER) {
		later = 0;
		next = NONE;
	}
	struct wb_verdict *v = (struct wb_verdict *)(void *)(u->verdict + at);
	*v = (struct wb_verdict){
	    .rules = u->rules, .next = next, .nread = (uint16_t)m->nread, .later = (uint8_t)later, .holds = holds};
	memcpy(v->read, m->read, m->nread * sizeof *m->read);
	return at;
}

bool wb_unit_condition(struct wb_unit *u, const struct wb_directive *d)
{
	const struct wb_frame *f = &u->frame[u->nframe - 1];
	struct wb_site *site = &f->site[d->a];
	struct wb_macros *m = &u->macros;
	bool holds = false, known = site->key == u->verdict_era;
	uint32_t first = known ? site->value : NONE;
	for (uint32_t i = first; i < UNSTEADY; i = verdict(u, i)->next)
		if (still_holds(u, verdict(u, i))) {
			tell_reads(u, verdict(u, i)->read, verdict(u, i)->nread);
			return verdict(u, i)->holds;
		}
	wb_macros_watch(m, first != UNSTEADY || u->search.since);
	u->provisional = false;
	const struct wb_site_tokens *t = &f->program->operand[d->a];
	bool understood = wb_expression_evaluate(&holds, m, &u->setup->rules, f->program->tok + t->first, t->n);
	bool good = understood && !u->provisional;
	if (good && first != UNSTEADY)
		*site = (struct wb_site){u->verdict_era, m->unsteady ? UNSTEADY : keep(u, holds, first)};
	if (!good)
		u->stretch.site = NULL;
	else if (u->stretch.site && (m->unsteady || first == UNSTEADY))
		wb_stretch_never(u);
	wb_unit_tell_reads(u);
	return understood && holds;
}
