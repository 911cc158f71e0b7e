#define _GNU_SOURCE
/* record.c — what a pass met, and whether it may be trusted, as the graph that a scan hands out. */
#include "base/path.h"
#include "scanner/directives/unit.h"

#include <stdlib.h>
#include <string.h>

uint32_t wb_unit_node(struct wb_unit *u, uint32_t place)
{
	uint32_t plain_index = u->search.place[place].plain;
	struct wb_place *plain = &u->search.place[plain_index];
	if (wb_search_met(&u->search, plain->node_scan))
		return plain->node;
	u->node = wb_xgrow(u->node, u->nnode, &u->node_cap, sizeof *u->node);
	uint32_t i = (uint32_t)u->nnode++;
	plain->node_scan = u->search.scan;
	plain->node = i;
	/* A file gets its row when the first edge is about to reach it; only the source has none. */
	u->node[i] =
	    (struct wb_node){.place = place, .plain = plain_index, .first_edge = i ? (uint32_t)u->nedge : UINT32_MAX};
	return plain->node;
}

struct wb_edge *wb_unit_edge(struct wb_unit *u, uint32_t from, uint32_t line, uint32_t to, enum wb_edge_kind kind,
			     const char *name)
{
	u->edge = wb_xgrow(u->edge, u->nedge, &u->edge_cap, sizeof *u->edge);
	struct wb_edge *e = &u->edge[u->nedge++];
	*e = (struct wb_edge){
	    .from = from, .to = to, .line = line, .name = name, .kind = (uint8_t)kind, .in_prefix = u->in_prefix};
	return e;
}

static const char *node_path(const struct wb_unit *u, size_t i)
{
	return wb_search_text(&u->search, u->node[i].plain).p;
}

static wb_status refuse(struct wb_unit *u, enum wb_reason *reason, struct wb_err *err, enum wb_doubt what,
			const char *where)
{
	u->doubt = what;
	return wb_scan_doubt(reason, err, wb_doubt_text(what), where);
}

/* What gcc reads otherwise than this engine. */
static wb_status check_notes(struct wb_unit *u, enum wb_reason *reason, struct wb_err *err)
{
	bool gcc = u->req->tc->compiler == WB_COMPILER_GCC;
	for (size_t i = 0; i < u->nnode; i++) {
		uint32_t f = u->node[i].program_flags;
		if (!(f & (WB_PROGRAM_DEPENDENCY | WB_PROGRAM_TARGET | WB_PROGRAM_ELIFDEF)))
			continue;
		const char *path = node_path(u, i);
		if (wb_toolchain_owns(u->req->tc, path))
			continue;
		if (f & WB_PROGRAM_DEPENDENCY)
			return refuse(u, reason, err, WB_DOUBT_PRAGMA_DEPENDENCY, path);
		if (gcc && (f & WB_PROGRAM_TARGET))
			return refuse(u, reason, err, WB_DOUBT_PRAGMA_TARGET, path);
		if (gcc && (f & WB_PROGRAM_ELIFDEF))
			return refuse(u, reason, err, WB_DOUBT_ELIFDEF, path);
	}
	return wb_ok();
}

static int by_content(const void *x, const void *y)
{
	const struct wb_entity *const *a = x, *const *b = y;
	return ((*a)->program->content > (*b)->program->content) - ((*a)->program->content < (*b)->program->content);
}

/* gcc takes two files of equal content for one when #pragma once is in them; what #import names is compared with every
 * file that it knows, even with itself when __has_include met it by another way. */
static wb_status check_twins(struct wb_unit *u, enum wb_reason *reason, struct wb_err *err)
{
	const struct wb_entity **once = wb_arena_array(u->arena, u->nnode + 1, sizeof *once);
	size_t n = 0;
	bool imports = false, only_met = false;
	for (size_t i = 0; i < u->nnode; i++) {
		imports = imports || u->search.entity[u->search.place[u->node[i].place].entity].imported;
		only_met = only_met || !(u->node[i].flags & WB_GRAPH_ENTERED);
	}
	if (imports && only_met)
		return refuse(u, reason, err, WB_DOUBT_IMPORT_TWINS, u->req->cmd->source);
	for (size_t i = 0; i < u->nnode; i++) {
		const struct wb_place *p = &u->search.place[u->node[i].place];
		const struct wb_entity *e = &u->search.entity[p->entity];
		if (!(u->node[i].flags & WB_GRAPH_ENTERED) || !(e->once || e->imported || imports) || !e->program)
			continue;
		once[n++] = e;
	}
	qsort(once, n, sizeof *once, by_content);
	for (size_t i = 1; i < n; i++)
		if (once[i] != once[i - 1] && once[i]->program->content == once[i - 1]->program->content)
			return refuse(u, reason, err, WB_DOUBT_ONCE_TWINS,
				      wb_search_text(&u->search, once[i]->first).p);
	return wb_ok();
}

/* Two names of one file that no symlink explains: compilers take hard links for the same file, and an input root does
 * not reproduce them. */
static wb_status check_links(struct wb_unit *u, enum wb_reason *reason, struct wb_err *err)
{
	for (size_t i = 0; i < u->nnode; i++) {
		const struct wb_place *p = &u->search.place[u->node[i].place];
		const struct wb_entity *e = &u->search.entity[p->entity];
		if (!wb_search_is_file(&u->search, p) || !e->twice || u->node[i].place == e->first)
			continue;
		const char *x = wb_path_real(u->arena, wb_path_join(u->arena, u->req->cmd->cwd, node_path(u, i)));
		const char *y = wb_path_real(
		    u->arena, wb_path_join(u->arena, u->req->cmd->cwd, wb_search_text(&u->search, e->first).p));
		if (!x || !y || strcmp(x, y) != 0)
			return refuse(u, reason, err, WB_DOUBT_HARD_LINK, node_path(u, i));
	}
	return wb_ok();
}

/* gcc's own first include must be the one that its macros were taken from. */
static wb_status check_predef(struct wb_unit *u, enum wb_reason *reason, struct wb_err *err)
{
	for (size_t i = 0; i < u->nedge; i++) {
		const struct wb_edge *l = &u->edge[i];
		if (l->from != UINT32_MAX || l->line != UINT32_MAX)
			continue;
		const char *path = node_path(u, l->to);
		size_t n = (size_t)(wb_path_basename(path) - path);
		bool found = false;
		for (size_t d = 0; d < u->req->tc->ndir; d++) {
			const char *dir = u->req->tc->dir[d].path;
			found = found || (strlen(dir) + 1 == n && strncmp(dir, path, n - 1) == 0);
		}
		if (!found)
			return refuse(u, reason, err, WB_DOUBT_FIRST_INCLUDE, path);
	}
	return wb_ok();
}

wb_status wb_unit_check(struct wb_unit *u, enum wb_reason *reason, struct wb_err *err)
{
	if (u->doubt)
		return refuse(u, reason, err, u->doubt, u->doubt_where);
	if (u->file_macro && wb_command_maps_prefixes(u->req->cmd))
		return refuse(u, reason, err, WB_DOUBT_FILE_PREFIX_MAP, "");
	if (u->time_macro)
		return refuse(u, reason, err, WB_DOUBT_TIME_IN_MACRO, "");
	WB_TRY(check_notes(u, reason, err));
	if (u->req->tc->compiler == WB_COMPILER_GCC) {
		WB_TRY(check_twins(u, reason, err));
		WB_TRY(check_predef(u, reason, err));
	}
	return check_links(u, reason, err);
}

static uint32_t flags_of(const struct wb_unit *u, const struct wb_node *n)
{
	uint32_t flags = n->flags;
	if (!(flags & WB_GRAPH_ENTERED))
		return flags;
	const struct wb_entity *e = &u->search.entity[u->search.place[n->place].entity];
	if (e->once || e->imported)
		flags |= WB_GRAPH_ONCE | WB_GRAPH_GUARDED;
	if (e->guard)
		flags |= WB_GRAPH_GUARDED;
	return flags;
}

void wb_unit_graph(struct wb_graph *out, struct wb_unit *u)
{
	struct wb_arena *a = u->arena;
	*out = (struct wb_graph){.nfile = (uint32_t)u->nnode,
				 .nedge = (uint32_t)u->nedge,
				 .failed = u->failed,
				 .modules = u->modules,
				 .diagnostics = u->diagnostics};
	out->file = wb_arena_array(a, u->nnode + 1, sizeof *out->file);
	out->edge = wb_arena_memdup(a, u->edge, u->nedge * sizeof *out->edge);
	const char **miss = wb_arena_array(a, u->search.nmiss + 1, sizeof *miss);
	for (size_t i = 0; i < u->nnode; i++) {
		const struct wb_node *n = &u->node[i];
		const struct wb_place *p = &u->search.place[n->place];
		out->file[i] = (struct wb_graph_file){.path = wb_search_text(&u->search, n->plain).p,
						      .flags = flags_of(u, n),
						      .first_edge = n->first_edge};
		if (wb_search_is_file(&u->search, p) && p->id.dev != UINT64_MAX)
			out->file[i].id = p->id;
	}
	/* Misses from the front, blocked places from the back. */
	size_t nmiss = 0, nblocked = 0;
	for (size_t i = 0; i < u->search.nmiss; i++) {
		uint32_t probed = u->search.miss[i];
		const char *path = wb_search_text(&u->search, probed & ~WB_BLOCKED).p;
		if (probed & WB_BLOCKED)
			miss[u->search.nmiss - ++nblocked] = path;
		else
			miss[nmiss++] = path;
	}
	out->nmiss = nmiss;
	out->blocked = miss + nmiss;
	out->nblocked = nblocked;
	out->miss = miss;
}
