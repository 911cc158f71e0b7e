#include "scanner/directives/compare.h"

#include "base/map.h"

struct side {
	const struct wb_graph *g;
	const char *name;
};

static size_t only(struct wb_buf *out, const char *what, const struct side *s, const char *path)
{
	wb_buf_addf(out, "only %s %s %s\n", s->name, what, path);
	return 1;
}

static const struct {
	uint32_t flag;
	const char *name;
} flags[] = {{WB_GRAPH_ENTERED, "entered"}, {WB_GRAPH_IN_PREFIX, "in_prefix"}, {WB_GRAPH_GUARDED, "guarded"},
	     {WB_GRAPH_TIME, "time"},       {WB_GRAPH_INCBIN, "incbin"},       {WB_GRAPH_EMBED, "embed"},
	     {WB_GRAPH_ONCE, "once"},       {WB_GRAPH_TIMESTAMP, "timestamp"}};

static size_t compare_files(struct wb_buf *out, const struct side *x, const struct side *y, bool all)
{
	struct wb_map map;
	size_t n = 0, at = 0;
	wb_map_init(&map);
	for (uint32_t i = 0; i < x->g->nfile; i++)
		wb_map_puts(&map, x->g->file[i].path, NULL)->u = i + 1;
	for (uint32_t i = 0; i < y->g->nfile; i++) {
		const struct wb_graph_file *f = &y->g->file[i];
		union wb_map_value *v = wb_map_gets(&map, f->path);
		if (!v) {
			n += only(out, "reads", y, f->path);
			continue;
		}
		const struct wb_graph_file *g = &x->g->file[v->u - 1];
		v->u = 0;
		for (size_t k = 0; k < sizeof flags / sizeof *flags; k++)
			if (((f->flags ^ g->flags) & flags[k].flag) && (all || flags[k].flag != WB_GRAPH_GUARDED)) {
				wb_buf_addf(out, "only %s says %s of %s\n",
					    g->flags & flags[k].flag ? x->name : y->name, flags[k].name, f->path);
				n++;
			}
		if (!wb_stat_id_eq(&f->id, &g->id)) {
			wb_buf_addf(out, "another identity of %s\n", f->path);
			n++;
		}
	}
	for (struct wb_map_slot *slot; (slot = wb_map_next(&map, &at)) != NULL;)
		if (slot->value.u)
			n += only(out, "reads", x, slot->key);
	wb_map_release(&map);
	return n;
}

static size_t compare_misses(struct wb_buf *out, const struct side *x, const struct side *y)
{
	struct wb_map map;
	size_t n = 0, at = 0;
	wb_map_init(&map);
	for (size_t i = 0; i < x->g->nmiss; i++)
		wb_map_puts(&map, x->g->miss[i], NULL)->u = 1;
	for (size_t i = 0; i < y->g->nmiss; i++) {
		union wb_map_value *v = wb_map_gets(&map, y->g->miss[i]);
		if (v)
			v->u = 0;
		else
			n += only(out, "misses", y, y->g->miss[i]);
	}
	for (struct wb_map_slot *slot; (slot = wb_map_next(&map, &at)) != NULL;)
		if (slot->value.u)
			n += only(out, "misses", x, slot->key);
	wb_map_release(&map);
	return n;
}

static void print_edge(struct wb_buf *out, const struct side *s, uint32_t i)
{
	const struct wb_edge *e = &s->g->edge[i];
	wb_buf_addf(out, "%s: edge %u: %s:%u to %s as %s kind %d%s%s\n", s->name, i,
		    e->from == UINT32_MAX ? "" : s->g->file[e->from].path, e->line, s->g->file[e->to].path, e->name,
		    e->kind, e->skipped ? " skipped" : "", e->in_prefix ? " in_prefix" : "");
}

/* The first edge that is another one. */
static size_t compare_edges(struct wb_buf *out, const struct side *x, const struct side *y)
{
	for (uint32_t i = 0; i < x->g->nedge || i < y->g->nedge; i++) {
		struct wb_buf a = WB_BUF_INIT, b = WB_BUF_INIT;
		struct side nameless_x = {x->g, "both"}, nameless_y = {y->g, "both"};
		if (i < x->g->nedge)
			print_edge(&a, &nameless_x, i);
		if (i < y->g->nedge)
			print_edge(&b, &nameless_y, i);
		bool same = a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
		wb_buf_release(&a);
		wb_buf_release(&b);
		if (same)
			continue;
		if (i < x->g->nedge)
			print_edge(out, x, i);
		if (i < y->g->nedge)
			print_edge(out, y, i);
		return 1;
	}
	return 0;
}

size_t wb_graph_compare(struct wb_buf *out, const struct wb_graph *x, const char *x_name, const struct wb_graph *y,
			const char *y_name, bool all)
{
	struct side a = {x, x_name}, b = {y, y_name};
	size_t n = 0;
	if (x->failed != y->failed) {
		const struct side *s = x->failed ? &a : &b;
		wb_buf_addf(out, "only %s fails: %s\n", s->name, s->g->diagnostics);
		return 1;
	}
	if (x->failed)
		return 0;
	if (x->modules != y->modules) {
		wb_buf_addf(out, "only %s sees modules\n", x->modules ? x_name : y_name);
		n++;
	}
	n += compare_files(out, &a, &b, all) + compare_misses(out, &a, &b);
	return all ? n + compare_edges(out, &a, &b) : n;
}
