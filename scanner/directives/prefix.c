/* prefix.c — the state behind the forced includes, kept for the units that begin in the same way: those of a project
 * that share a precompiled header, say. What a unit changes of it is undone when the next one starts; it is good for
 * one look at the disk. */
#include "scanner/directives/unit.h"

#include <stdlib.h>
#include <string.h>

void wb_prefix_drop(struct wb_prefix *p)
{
	wb_setup_unref(p->setup);
	free(p->node);
	free(p->pushed);
	*p = (struct wb_prefix){.setup = NULL};
}

static void *copy(void *to, size_t *cap, const void *from, size_t n, size_t size)
{
	if (n > *cap) {
		*cap = n + n / 2;
		to = wb_xrealloc(to, *cap * size);
	}
	if (n)
		memcpy(to, from, n * size);
	return to;
}

void wb_unit_keep(struct wb_unit *u)
{
	struct wb_prefix *p = &u->prefix;
	wb_macros_keep(&u->macros);
	if (u->macros.kept == WB_NO_GENERATION)
		return;
	wb_search_keep(&u->search);
	wb_setup_unref(p->setup);
	p->setup = wb_setup_ref(u->setup);
	p->disk = u->search.disk;
	p->era = u->search.era;
	p->replaced = u->search.replaced;
	p->cwd = u->search.cwd;
	p->nnode = u->nnode;
	p->nedge = u->nedge;
	p->npushed = u->npushed;
	p->steps = u->steps;
	p->file_macro = u->file_macro;
	p->time_macro = u->time_macro;
	p->modules = u->modules;
	p->node = copy(p->node, &p->node_cap, u->node, u->nnode, sizeof *u->node);
	p->pushed = copy(p->pushed, &p->pushed_cap, u->pushed, u->npushed, sizeof *u->pushed);
}

bool wb_unit_resume(struct wb_unit *u)
{
	const struct wb_prefix *p = &u->prefix;
	const struct wb_search *s = &u->search;
	/* No unit without a prefix may have been scanned in between either: it uses the same tables. */
	if (!p->setup || p->setup != u->setup || p->disk != s->disk || p->era != s->era || p->replaced != s->replaced ||
	    p->cwd != s->cwd || u->macros.kept == WB_NO_GENERATION || s->kept == WB_NOWHERE)
		return false;
	wb_macros_back(&u->macros);
	wb_search_back(&u->search);
	u->nnode = p->nnode;
	u->nedge = p->nedge;
	u->npushed = p->npushed;
	u->steps = p->steps;
	u->file_macro = p->file_macro;
	u->time_macro = p->time_macro;
	u->modules = p->modules;
	memcpy(u->node, p->node, p->nnode * sizeof *u->node);
	if (p->npushed)
		memcpy(u->pushed, p->pushed, p->npushed * sizeof *u->pushed);
	return true;
}
