#include "service/include_chain.h"

#include "base/arena.h"
#include "base/map.h"
#include "scanner/graph.h"

#include <stdlib.h>

#define NONE UINT32_MAX

/* The nodes are the files and, behind them, the command line. A file that was opened by several names is the node of
 * its first one. */
struct search {
	const struct wb_graph *g;
	uint32_t nnode;
	uint32_t *node;         /* of a file */
	uint32_t *first, *next; /* edges that start at a node, in order: first[node], next[edge]; NONE ends */
	uint32_t *by;           /* the edge that leads to a node on its shortest chain */
	uint32_t *distance;     /* NONE: not reached */
};

static uint32_t node_of(const struct search *s, uint32_t file)
{
	return file == UINT32_MAX ? s->nnode - 1 : s->node[file];
}

static void join_names(struct search *s, struct wb_arena *a)
{
	struct wb_map first;

	s->node = wb_arena_array(a, s->nnode, sizeof *s->node);
	wb_map_init(&first);
	for (uint32_t i = 0; i < s->g->nfile; i++) {
		const uint64_t id[2] = {s->g->file[i].id.dev, s->g->file[i].id.ino};
		bool fresh = true;
		union wb_map_value *v = id[1] == 0 ? NULL : wb_map_put(&first, id, sizeof id, &fresh);

		if (v && fresh)
			v->u = i;
		s->node[i] = v ? (uint32_t)v->u : i;
	}
	wb_map_release(&first);
}

/* Does the file at its end get preprocessed because of it? */
static bool enters(const struct wb_edge *e)
{
	return e->kind != WB_EDGE_HAS_INCLUDE && e->kind != WB_EDGE_EMBED;
}

static void index_edges(struct search *s, struct wb_arena *a)
{
	s->first = wb_arena_array(a, s->nnode, sizeof *s->first);
	s->next = wb_arena_array(a, s->g->nedge + (size_t)1, sizeof *s->next);
	for (uint32_t i = 0; i < s->nnode; i++)
		s->first[i] = NONE;
	for (uint32_t i = s->g->nedge; i-- > 0;) {
		uint32_t from = node_of(s, s->g->edge[i].from);

		s->next[i] = s->first[from];
		s->first[from] = i;
	}
}

static void search(struct search *s, struct wb_arena *a)
{
	uint32_t *queue = wb_arena_array(a, s->nnode, sizeof *queue), head = 0, tail = 0;

	s->by = wb_arena_array(a, s->nnode, sizeof *s->by);
	s->distance = wb_arena_array(a, s->nnode, sizeof *s->distance);
	for (uint32_t i = 0; i < s->nnode; i++)
		s->by[i] = s->distance[i] = NONE;
	s->distance[0] = s->distance[s->nnode - 1] = 0;
	queue[tail++] = 0;
	queue[tail++] = s->nnode - 1;
	while (head < tail) {
		uint32_t node = queue[head++];

		for (uint32_t i = s->first[node]; i != NONE; i = s->next[i]) {
			const struct wb_edge *e = &s->g->edge[i];

			uint32_t to = node_of(s, e->to);

			if (!enters(e))
				continue;
			if (s->distance[to] == NONE) {
				s->distance[to] = s->distance[node] + 1;
				s->by[to] = i;
				queue[tail++] = to;
			} else if (s->distance[to] == s->distance[node] + 1 && s->g->edge[s->by[to]].skipped &&
				   !e->skipped) {
				s->by[to] = i; /* as short, and it was really taken */
			}
		}
	}
}

struct found {
	struct wb_include_chain chain;
	uint32_t skipped;
};

static int compare(const void *x, const void *y)
{
	const struct found *a = x, *b = y;

	if (a->chain.n != b->chain.n)
		return a->chain.n < b->chain.n ? -1 : 1;
	if (a->skipped != b->skipped)
		return a->skipped < b->skipped ? -1 : 1;
	uint32_t p = a->chain.edge[a->chain.n - 1], q = b->chain.edge[b->chain.n - 1];
	return p < q ? -1 : p > q;
}

/* The chain that ends with edge `last`; false: it starts nowhere, or passes `target` on its way. */
static bool follow(struct found *out, struct wb_arena *a, const struct search *s, uint32_t last, uint32_t target)
{
	uint32_t node = node_of(s, s->g->edge[last].from);

	if (s->distance[node] == NONE)
		return false;
	size_t n = s->distance[node] + (size_t)1;
	uint32_t *edge = wb_arena_array(a, n, sizeof *edge);
	*out = (struct found){.chain = {edge, n}, .skipped = s->g->edge[last].skipped};
	edge[n - 1] = last;
	for (size_t i = n - 1; i > 0; i--) {
		if (node == target)
			return false;
		edge[i - 1] = s->by[node];
		out->skipped += s->g->edge[s->by[node]].skipped;
		node = node_of(s, s->g->edge[s->by[node]].from);
	}
	return node != target;
}

size_t wb_include_chains(struct wb_include_chain **out, struct wb_arena *a, const struct wb_graph *g, uint32_t target)
{
	struct search s = {.g = g, .nnode = g->nfile + 1};
	struct found *found = NULL;
	size_t n = 0, cap = 0;

	*out = NULL;
	if (target >= g->nfile)
		return 0;
	join_names(&s, a);
	target = s.node[target];
	if (target == 0)
		return 0;
	index_edges(&s, a);
	search(&s, a);
	for (uint32_t i = 0; i < g->nedge; i++) {
		struct found f;

		if (node_of(&s, g->edge[i].to) != target || !follow(&f, a, &s, i, target))
			continue;
		wb_arena_grow(a, &found, n, &cap, sizeof f);
		found[n++] = f;
	}
	if (n == 0)
		return 0;
	qsort(found, n, sizeof *found, compare);
	*out = wb_arena_array(a, n, sizeof **out);
	for (size_t i = 0; i < n; i++)
		(*out)[i] = found[i].chain;
	return n;
}
