#include "scanner/directives/subtree.h"

#include "scanner/directives/unit.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_MEMORIES = 6, MAX_EDGES = 100, MAX_LARGE = 2 };
#define NONE  UINT32_MAX
#define NEVER (UINT32_MAX - 1) /* not possible */

/* In the pool of verdicts, and as short-lived. Behind it: the items; what they depended on: the macros that were
 * defined, the files that had been met, the macros that were not defined, the files that had not been met. */
struct memory {
	const struct wb_program *program;
	uint32_t rules, place;
	uint32_t next;  /* another memory of the same file; NONE */
	uint32_t depth; /* of frames, with its own */
	bool guards, once;
	bool goes_on; /* an #include_next is among the directives: where it starts matters */
	uint32_t nitem, nwas, ndefined, nundefined, nunmet;
	/* by which look at the disk, search list and start of #include_next the items are good */
	uint32_t disk, list, start;
};

static struct memory *memory_at(const struct wb_unit *u, uint32_t at)
{
	return (struct memory *)(void *)(u->verdict + at);
}

static struct wb_item *items_of(struct memory *m)
{
	return (struct wb_item *)(void *)(m + 1);
}

static struct wb_read *defined_of(struct memory *m)
{
	return (struct wb_read *)(void *)(items_of(m) + m->nitem);
}

static struct wb_entity_was *was_of(struct memory *m)
{
	return (struct wb_entity_was *)(void *)(defined_of(m) + m->ndefined);
}

static uint32_t *undefined_of(struct memory *m)
{
	return (uint32_t *)(void *)(was_of(m) + m->nwas);
}

static uint32_t *unmet_of(struct memory *m)
{
	return undefined_of(m) + m->nundefined;
}

void wb_subtrees_release(struct wb_subtrees *t)
{
	free(t->open);
	free(t->seen);
	free(t->noted);
	free(t->item);
}

/* The file's own memory of what it did (search.h). */
static struct wb_site *site_of(const struct wb_unit *u, uint32_t entity)
{
	const struct wb_entity *e = &u->search.entity[entity];
	return &e->site[2 * (size_t)e->program->nsite + 1];
}

/* How often in a row it turned out to be too large; behind that. */
static uint32_t *large_of(const struct wb_unit *u, struct wb_site *site)
{
	if (site[1].key != u->verdict_era)
		site[1] = (struct wb_site){u->verdict_era, 0};
	return &site[1].value;
}

void wb_subtree_drop(struct wb_unit *u, bool never)
{
	struct wb_subtrees *t = &u->subtree;
	for (size_t i = 0; never && i < t->nopen; i++)
		*site_of(u, u->frame[t->open[i].frame - 1].entity) = (struct wb_site){u->verdict_era, NEVER};
	t->nopen = t->nnoted = t->nitem = 0;
	u->search.nwas = 0;
	u->search.since = 0;
}

/* Notes */

static uint32_t *seen(struct wb_subtrees *t, uint32_t name)
{
	if (name >= t->nseen) {
		uint32_t n = name + name / 2 + 1024;
		t->seen = wb_xrealloc(t->seen, n * sizeof *t->seen);
		memset(t->seen + t->nseen, 0, (n - t->nseen) * sizeof *t->seen);
		t->nseen = n;
	}
	return &t->seen[name];
}

void wb_subtree_read(struct wb_unit *u, uint32_t name, const struct wb_define *def)
{
	struct wb_subtrees *t = &u->subtree;
	uint32_t *mark = seen(t, name);
	if (*mark >= u->search.since)
		return;
	t->noted = wb_xgrow(t->noted, t->nnoted, &t->noted_cap, sizeof *t->noted);
	t->noted[t->nnoted++] = (struct wb_noted){def, name, *mark};
	*mark = t->clock;
}

void wb_subtree_changed(struct wb_unit *u, uint32_t name)
{
	*seen(&u->subtree, name) = u->subtree.clock;
}

static struct wb_item *add(struct wb_subtrees *t, struct wb_item item)
{
	t->item = wb_xgrow(t->item, t->nitem, &t->item_cap, sizeof *t->item);
	t->item[t->nitem] = item;
	return &t->item[t->nitem++];
}

void wb_subtree_write(struct wb_unit *u, uint32_t name)
{
	wb_subtree_changed(u, name);
	add(&u->subtree, (struct wb_item){.op = WB_ITEM_WRITE, .name = name, .def = wb_macro_get(&u->macros, name)});
}

void wb_subtree_stretch(struct wb_unit *u, uint32_t memory)
{
	add(&u->subtree, (struct wb_item){.op = WB_ITEM_STRETCH, .memory = memory});
}

void wb_subtree_header(struct wb_unit *u, struct wb_item item, const struct wb_found *found)
{
	item.file.found = (uint32_t)(found - u->search.found);
	item.file.place = found->place;
	item.entity = found->place == WB_NOWHERE ? 0 : u->search.place[found->place].entity;
	item.memory = NONE;
	add(&u->subtree, item);
}

/* Recordings */

/* Large subtrees are rarely met again in the same state, and what they depend on is long. */
static void drop_large(struct wb_unit *u)
{
	struct wb_subtrees *t = &u->subtree;
	size_t n = 0;
	while (n < t->nopen && u->nedge - t->open[n].edge > MAX_EDGES)
		++*large_of(u, site_of(u, u->frame[t->open[n++].frame - 1].entity));
	if (n == 0)
		return;
	if (n == t->nopen) {
		wb_subtree_drop(u, false);
		return;
	}
	memmove(t->open, t->open + n, (t->nopen - n) * sizeof *t->open);
	t->nopen -= n;
}

void wb_subtree_begin(struct wb_unit *u)
{
	struct wb_subtrees *t = &u->subtree;
	struct wb_search *s = &u->search;
	const struct wb_frame *f = wb_unit_top(u);
	if (u->nframe < 2 || u->in_prefix)
		return;
	struct wb_site *site = site_of(u, f->entity);
	const struct wb_entity *e = &s->entity[f->entity];
	if ((site->key == u->verdict_era && site->value == NEVER) || u->req->noverlay || e->opened != f->place ||
	    e->first != f->place) {
		wb_subtree_drop(u, true);
		return;
	}
	if (site->key != u->verdict_era) {
		*site = (struct wb_site){u->verdict_era, NONE};
		if (t->nopen == 0)
			return; /* that it is met again must first be seen */
	}
	if (*large_of(u, site) >= MAX_LARGE) {
		wb_subtree_drop(u, false);
		return;
	}
	drop_large(u);
	if (++t->clock == 0) { /* once in four thousand million: old marks would look new */
		if (t->nseen)
			memset(t->seen, 0, t->nseen * sizeof *t->seen);
		for (uint32_t i = 0; i < s->nentity; i++)
			s->entity[i].touched = 0;
		wb_subtree_drop(u, false);
		t->clock = 1;
	}
	t->open = wb_xgrow(t->open, t->nopen, &t->open_cap, sizeof *t->open);
	t->open[t->nopen++] = (struct wb_recording){.since = t->clock,
						    .frame = u->nframe,
						    .deepest = u->nframe,
						    .edge = u->nedge,
						    .noted = t->nnoted,
						    .was = s->nwas,
						    .item = t->nitem};
	s->since = s->clock = t->clock;
	wb_search_touch(s, &s->entity[f->entity]);
	if (f->program->guard)
		wb_subtree_read(u, f->program->guard, wb_macro_get(&u->macros, f->program->guard));
}

static void fill(struct memory *m, const struct wb_recording *r, struct wb_subtrees *t, struct wb_search *s)
{
	struct wb_read *defined = defined_of(m);
	struct wb_entity_was *was = was_of(m);
	uint32_t *undefined = undefined_of(m), *unmet = unmet_of(m);
	if (m->nitem)
		memcpy(items_of(m), t->item + r->item, m->nitem * sizeof *t->item);
	for (size_t i = r->noted; i < t->nnoted; i++)
		if (t->noted[i].def)
			*defined++ = (struct wb_read){t->noted[i].def, t->noted[i].name};
		else
			*undefined++ = t->noted[i].name;
	for (size_t i = r->was; i < s->nwas; i++)
		if (s->was[i].met)
			*was++ = s->was[i];
		else
			*unmet++ = s->was[i].entity;
}

/* What the recording depended on are the notes of what nobody had to do with since it began. The others end with it:
 * they do not concern the recordings around it either. */
static void drop_inner_notes(const struct wb_recording *r, struct wb_subtrees *t, struct wb_search *s)
{
	size_t n = r->noted;
	for (size_t i = r->noted; i < t->nnoted; i++)
		if (t->noted[i].before < r->since)
			t->noted[n++] = t->noted[i];
	t->nnoted = n;
	n = r->was;
	for (size_t i = r->was; i < s->nwas; i++)
		if (s->was[i].before < r->since)
			s->was[n++] = s->was[i];
	s->nwas = n;
}

/* Of the memories from `at` on, those that have been of no use for long are not asked again. */
static void forget_oldest(struct wb_unit *u, uint32_t at)
{
	for (unsigned n = 2; at != NONE; at = memory_at(u, at)->next, n++)
		if (n == MAX_MEMORIES)
			memory_at(u, at)->next = NONE;
}

void wb_subtree_end(struct wb_unit *u)
{
	struct wb_subtrees *t = &u->subtree;
	struct wb_search *s = &u->search;
	drop_large(u);
	if (t->nopen == 0 || t->open[t->nopen - 1].frame != u->nframe)
		return;
	struct wb_recording r = t->open[t->nopen - 1];
	const struct wb_frame *f = wb_unit_top(u);
	struct wb_site *site = site_of(u, f->entity);
	drop_inner_notes(&r, t, s);
	struct memory m = {.program = f->program,
			   .rules = u->rules,
			   .place = f->place,
			   .next = site->value,
			   .depth = r.deepest - r.frame + 1,
			   .guards = f->guards,
			   .once = f->once,
			   .nitem = (uint32_t)(t->nitem - r.item),
			   .disk = s->disk,
			   .list = s->in_use,
			   .start = f->next};
	for (size_t i = r.item; i < t->nitem; i++)
		m.goes_on = m.goes_on || t->item[i].next ||
			    (t->item[i].op == WB_ITEM_ENTER && memory_at(u, t->item[i].memory)->goes_on);
	for (size_t i = r.noted; i < t->nnoted; i++)
		m.ndefined += t->noted[i].def != NULL;
	m.nundefined = (uint32_t)(t->nnoted - r.noted) - m.ndefined;
	for (size_t i = r.was; i < s->nwas; i++)
		m.nwas += s->was[i].met;
	m.nunmet = (uint32_t)(s->nwas - r.was) - m.nwas;
	forget_oldest(u, m.next);
	size_t size = sizeof m + m.nitem * sizeof(struct wb_item) + m.ndefined * sizeof(struct wb_read) +
		      m.nwas * sizeof(struct wb_entity_was) + (m.nundefined + m.nunmet) * sizeof(uint32_t);
	uint32_t at = wb_unit_pool(u, (size + 7) / 8 * 8);
	*memory_at(u, at) = m;
	fill(memory_at(u, at), &r, t, s);
	*site = (struct wb_site){u->verdict_era, at};
	t->nopen--;
	t->nitem = r.item;
	if (t->nopen == 0) {
		t->nnoted = s->nwas = 0;
		s->since = 0;
		return;
	}
	struct wb_recording *outer = &t->open[t->nopen - 1];
	outer->deepest = r.deepest > outer->deepest ? r.deepest : outer->deepest;
	s->since = outer->since;
	t->item[t->nitem - 1].memory = at;
}

/* Repeating */

static bool still_holds(const struct wb_unit *u, struct memory *m)
{
	const struct wb_search *s = &u->search;
	if (m->rules != u->rules)
		return false;
	const uint32_t *unmet = unmet_of(m), *undefined = undefined_of(m);
	for (uint32_t i = 0; i < m->nunmet; i++)
		if (wb_search_met(s, s->entity[unmet[i]].scan))
			return false;
	const struct wb_entity_was *was = was_of(m);
	for (uint32_t i = 0; i < m->nwas; i++) {
		const struct wb_entity *e = &s->entity[was[i].entity];
		if (!wb_search_met(s, e->scan) || e->guard != was[i].guard || e->first != was[i].first ||
		    e->once != was[i].once || e->imported != was[i].imported || e->included != was[i].included ||
		    e->twice != was[i].twice || (e->included && e->opened != was[i].opened))
			return false;
	}
	for (uint32_t i = 0; i < m->nundefined; i++)
		if (wb_macro_get(&u->macros, undefined[i]))
			return false;
	const struct wb_read *defined = defined_of(m);
	for (uint32_t i = 0; i < m->ndefined; i++)
		if (wb_macro_get(&u->macros, defined[i].name) != defined[i].def)
			return false;
	return true;
}

/* Are the files of the memory where they would be found now, and are they what they were? What was found out holds for
 * one look at the disk and one search list; that of a file within may have been found out for another one since. */
static bool still_found(struct wb_unit *u, struct memory *m, uint32_t next)
{
	struct wb_search *s = &u->search;
	/* The program may be another one: of a unit of another language in between. */
	bool known =
	    m->disk == s->disk && m->list == s->in_use && s->entity[s->place[m->place].entity].program == m->program;
	if (known && m->goes_on && m->start != next)
		return false;
	if (!known && (wb_search_program(s, m->place) != m->program || u->ended != wb_programs_ended()))
		return false;
	if (!known)
		m->disk = 0; /* until all of it is known */
	uint32_t dir = wb_search_parent(s, m->place);
	for (struct wb_item *i = items_of(m), *end = i + m->nitem; i < end; i++) {
		if (i->op < WB_ITEM_SKIP)
			continue;
		if (i->next && next != WB_NOWHERE && *wb_ident_text(u->idents, i->name).p == '/')
			return false; /* a doubt: origin() in include.c */
		if (!known)
			i->file.found = wb_search_resolve(s, wb_unit_origin(u, dir, next, i->angled, i->next), i->name);
		const struct wb_found *f = &s->found[i->file.found];
		if (f->place != i->file.place || (f->place != WB_NOWHERE && s->place[f->place].entity != i->entity))
			return false;
		if (i->op == WB_ITEM_ENTER && !still_found(u, memory_at(u, i->memory), wb_unit_next(u, next, f)))
			return false;
	}
	m->disk = s->disk;
	m->list = s->in_use;
	m->start = next;
	return true;
}

/* A recording around what is repeated depends on the same. */
static void note_all(struct wb_unit *u, struct memory *m)
{
	struct wb_search *s = &u->search;
	struct wb_recording *r = &u->subtree.open[u->subtree.nopen - 1];
	if (u->nframe + m->depth > r->deepest)
		r->deepest = u->nframe + m->depth;
	const uint32_t *unmet = unmet_of(m), *undefined = undefined_of(m);
	const struct wb_entity_was *was = was_of(m);
	const struct wb_read *defined = defined_of(m);
	for (uint32_t i = 0; i < m->nunmet; i++)
		wb_search_touch(s, &s->entity[unmet[i]]);
	for (uint32_t i = 0; i < m->nwas; i++)
		wb_search_touch(s, &s->entity[was[i].entity]);
	for (uint32_t i = 0; i < m->nundefined; i++)
		wb_subtree_read(u, undefined[i], NULL);
	for (uint32_t i = 0; i < m->ndefined; i++)
		wb_subtree_read(u, defined[i].name, defined[i].def);
}

static void define(struct wb_unit *u, uint32_t name, const struct wb_define *def)
{
	if (def)
		wb_macro_define(&u->macros, name, def);
	else
		wb_macro_undef(&u->macros, name);
	if (u->search.since)
		wb_subtree_changed(u, name);
}

/* A stretch that is gone through on the way. */
static void repeat_stretch(struct wb_unit *u, uint32_t memory)
{
	size_t n;
	for (const struct wb_read *c = wb_stretch_changes(u, memory, &n), *end = c + n; c < end; c++)
		define(u, c->name, c->def);
}

/* The items of the file of row `node`. */
static void repeat(struct wb_unit *u, uint32_t at, uint32_t node)
{
	const struct memory *m = memory_at(u, at);
	struct wb_search *s = &u->search;
	for (const struct wb_item *i = items_of(memory_at(u, at)), *end = i + m->nitem; i < end && !u->stop; i++) {
		if (i->op == WB_ITEM_STRETCH) {
			repeat_stretch(u, i->memory);
			continue;
		}
		if (i->op == WB_ITEM_WRITE) {
			define(u, i->name, i->def);
			continue;
		}
		struct wb_found *f = wb_search_meet(s, i->file.found);
		if (f->place == WB_NOWHERE)
			continue;
		uint32_t to = f->node;
		if (to == WB_NOWHERE)
			f->node = to = wb_unit_node(u, f->place);
		struct wb_edge *e = wb_unit_edge(u, node, i->line, to, (enum wb_edge_kind)i->kind, f->text);
		e->skipped = i->op == WB_ITEM_SKIP;
		if (i->op != WB_ITEM_ENTER)
			continue;
		const struct memory *inner = memory_at(u, i->memory);
		wb_unit_take_in(u, f->place);
		wb_unit_mark_entered(u, to, inner->program);
		repeat(u, i->memory, to);
		wb_unit_took_in(u, i->entity, inner->guards ? inner->program->guard : 0, inner->once);
	}
}

bool wb_subtree_repeat(struct wb_unit *u, uint32_t node, uint32_t place, uint32_t next)
{
	uint32_t entity = u->search.place[place].entity;
	struct wb_site *site = site_of(u, entity);
	if (site->key != u->verdict_era || site->value == NEVER || *large_of(u, site) >= MAX_LARGE || u->in_prefix ||
	    u->req->noverlay || u->nframe == 0)
		return false;
	for (uint32_t at = site->value, before = NONE; at != NONE; before = at, at = memory_at(u, at)->next) {
		struct memory *m = memory_at(u, at);
		if (m->place != place || u->nframe + m->depth > WB_MAX_INCLUDE_DEPTH || !still_holds(u, m))
			continue;
		if (!still_found(u, m, next)) {
			if (u->ended != wb_programs_ended())
				return false;
			continue;
		}
		if (before != NONE) { /* what was of use last is asked first */
			memory_at(u, before)->next = m->next;
			m->next = site->value;
			site->value = at;
		}
		if (u->search.since) {
			note_all(u, m);
			u->subtree.item[u->subtree.nitem - 1].memory = at;
		}
		repeat(u, at, node);
		wb_unit_took_in(u, entity, m->guards ? m->program->guard : 0, m->once);
		*large_of(u, site) = 0;
		return true;
	}
	return false;
}
