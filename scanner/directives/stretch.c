/* stretch.c — directives between two includes, remembered as a whole: which macros a unit looked at on the way, with
 * what result, and what it left changed. While the macros are what they were, the next unit takes the changes over and
 * goes on behind the stretch; it looks at no condition. Most of what headers do between includes depends on a few
 * macros that never change, and a file that defines macros only to undefine them again leaves nothing to do.
 *
 * A stretch begins at the start of a file or behind an #include, and ends in front of the next directive that does more
 * than define, undefine and choose. A condition that depends on anything but macros ends it without a memory. */
#include "scanner/directives/unit.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_READS = 4096, MAX_LATER = 3 };
#define NONE  UINT32_MAX
#define NEVER (UINT32_MAX - 1) /* not worth it, or not possible */

/* In the pool of verdicts, and as short-lived. Reads first, then changes. */
struct memory {
	uint32_t rules, next;
	uint32_t behind; /* the directive to go on with */
	uint32_t nread;
	uint32_t nchange;
	uint32_t later; /* how many memories follow */
	struct wb_read macro[];
};

static const struct memory *memory_at(const struct wb_unit *u, uint32_t at)
{
	return (const struct memory *)(const void *)(u->verdict + at);
}

static bool still_holds(const struct wb_unit *u, const struct memory *m)
{
	if (m->rules != u->rules)
		return false;
	for (uint32_t i = 0; i < m->nread; i++)
		if (wb_macro_get(&u->macros, m->macro[i].name) != m->macro[i].def)
			return false;
	return true;
}

const struct wb_read *wb_stretch_changes(const struct wb_unit *u, uint32_t memory, size_t *n)
{
	const struct memory *m = memory_at(u, memory);
	*n = m->nchange;
	return m->macro + m->nread;
}

static void apply(struct wb_unit *u, const struct memory *m)
{
	for (const struct wb_read *c = m->macro + m->nread, *end = c + m->nchange; c < end; c++) {
		if (c->def)
			wb_macro_define(&u->macros, c->name, c->def);
		else
			wb_macro_undef(&u->macros, c->name);
	}
}

/* A stretch that was gone through belongs to the file that is being recorded. */
static void tell_subtree(struct wb_unit *u, uint32_t at)
{
	const struct memory *m = memory_at(u, at);
	for (uint32_t i = 0; i < m->nread; i++)
		wb_subtree_read(u, m->macro[i].name, m->macro[i].def);
	for (uint32_t i = 0; i < m->nchange; i++)
		wb_subtree_changed(u, m->macro[m->nread + i].name);
	if (m->nchange)
		wb_subtree_stretch(u, at);
}

/* The same for one that cannot be kept, as far as it was recorded. */
static void tell_subtree_singly(struct wb_unit *u)
{
	const struct wb_stretch *s = &u->stretch;
	for (size_t i = 0; i < s->nread; i++)
		wb_subtree_read(u, s->read[i].name, s->read[i].def);
	for (size_t i = 0; i < s->nchange; i++)
		wb_subtree_write(u, s->change[i]);
}

/* What the recording knows of a macro; both numbers are 0 at first. */
static struct wb_stretch_mark *mark_of(struct wb_stretch *s, uint32_t name)
{
	if (name >= s->nmark) {
		uint32_t n = name + name / 2 + 1024;
		s->mark = wb_xrealloc(s->mark, n * sizeof *s->mark);
		memset(s->mark + s->nmark, 0, (n - s->nmark) * sizeof *s->mark);
		s->nmark = n;
	}
	return &s->mark[name];
}

void wb_stretch_read(struct wb_stretch *s, uint32_t name, const struct wb_define *def)
{
	struct wb_stretch_mark *m = mark_of(s, name);
	if (m->read == s->number || m->changed == s->number)
		return;
	m->read = s->number;
	m->def = def;
	s->read = wb_xgrow(s->read, s->nread, &s->read_cap, sizeof *s->read);
	s->read[s->nread++] = (struct wb_read){def, name};
}

void wb_stretch_change(struct wb_stretch *s, uint32_t name)
{
	struct wb_stretch_mark *m = mark_of(s, name);
	if (m->changed == s->number)
		return;
	m->changed = s->number;
	s->change = wb_xgrow(s->change, s->nchange, &s->change_cap, sizeof *s->change);
	s->change[s->nchange++] = name;
}

void wb_stretch_release(struct wb_stretch *s)
{
	free(s->mark);
	free(s->read);
	free(s->change);
}

uint32_t wb_stretch_begin(struct wb_unit *u, struct wb_site *site, uint32_t pc)
{
	struct wb_stretch *s = &u->stretch;
	uint32_t first = site->key == u->verdict_era ? site->value : NONE;
	if (first == NEVER)
		return pc;
	for (uint32_t i = first; i != NONE; i = memory_at(u, i)->next) {
		const struct memory *m = memory_at(u, i);
		if (!still_holds(u, m))
			continue;
		apply(u, m);
		if (u->search.since)
			tell_subtree(u, i);
		return m->behind;
	}
	if (++s->number == 0) { /* once in four thousand million: old marks would look new */
		if (s->nmark)
			memset(s->mark, 0, s->nmark * sizeof *s->mark);
		s->number = 1;
	}
	s->site = site;
	s->nread = s->nchange = 0;
	return pc;
}

void wb_stretch_never(struct wb_unit *u)
{
	if (u->search.since)
		tell_subtree_singly(u);
	*u->stretch.site = (struct wb_site){u->verdict_era, NEVER};
	u->stretch.site = NULL;
}

void wb_stretch_end(struct wb_unit *u, uint32_t pc)
{
	struct wb_stretch *s = &u->stretch;
	struct wb_site *site = s->site;
	uint32_t next = site->key == u->verdict_era ? site->value : NONE;
	if (s->nread + s->nchange == 0 || s->nread > MAX_READS) {
		wb_stretch_never(u);
		return;
	}
	s->site = NULL;
	uint32_t later = next == NONE ? 0 : 1 + memory_at(u, next)->later;
	if (later > MAX_LATER) {
		later = 0;
		next = NONE;
	}
	size_t size = sizeof(struct memory) + (s->nread + s->nchange) * sizeof *s->read;
	uint32_t at = wb_unit_pool(u, size);
	struct memory *m = (struct memory *)(void *)(u->verdict + at);
	*m =
	    (struct memory){.rules = u->rules, .next = next, .behind = pc, .nread = (uint32_t)s->nread, .later = later};
	if (s->nread)
		memcpy(m->macro, s->read, s->nread * sizeof *s->read);
	for (size_t i = 0; i < s->nchange; i++) {
		uint32_t name = s->change[i];
		const struct wb_define *def = wb_macro_get(&u->macros, name);
		const struct wb_stretch_mark *mark = mark_of(s, name);
		/* It is what it was read to be before: nothing to do. */
		if (mark->read == s->number && mark->def == def)
			continue;
		m->macro[m->nread + m->nchange++] = (struct wb_read){def, name};
	}
	*site = (struct wb_site){u->verdict_era, at};
	if (u->search.since)
		tell_subtree(u, at);
}
