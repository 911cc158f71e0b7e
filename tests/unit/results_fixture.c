#define _GNU_SOURCE
#include "tests/unit/results_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void graphs_equal(const struct wb_graph *x, const struct wb_graph *y, const char *what)
{
	if (x->nfile != y->nfile || x->nedge != y->nedge || x->nmiss != y->nmiss || x->failed != y->failed ||
	    x->modules != y->modules)
		fail_msg("%s: %u and %u files, %u and %u edges, %zu and %zu misses", what, x->nfile, y->nfile, x->nedge,
			 y->nedge, x->nmiss, y->nmiss);
	for (uint32_t i = 0; i < x->nfile; i++) {
		const struct wb_graph_file *a = &x->file[i], *b = &y->file[i];
		if (strcmp(a->path, b->path) != 0 || a->flags != b->flags || a->first_edge != b->first_edge ||
		    !wb_stat_id_eq(&a->id, &b->id))
			fail_msg("%s: file %u: %s and %s, flags %u and %u, first edge %u and %u, inode %llu and %llu",
				 what, i, a->path, b->path, a->flags, b->flags, a->first_edge, b->first_edge,
				 (unsigned long long)a->id.ino, (unsigned long long)b->id.ino);
	}
	for (uint32_t i = 0; i < x->nedge; i++) {
		const struct wb_edge *a = &x->edge[i], *b = &y->edge[i];
		if (a->from != b->from || a->to != b->to || a->line != b->line || a->kind != b->kind ||
		    a->skipped != b->skipped || a->in_prefix != b->in_prefix || strcmp(a->name, b->name) != 0)
			fail_msg("%s: edge %u: %u -> %u, line %u, kind %d, %s; and %u -> %u, line %u, kind %d, %s",
				 what, i, a->from, a->to, a->line, a->kind, a->name, b->from, b->to, b->line, b->kind,
				 b->name);
	}
	for (size_t i = 0; i < x->nmiss; i++)
		if (strcmp(x->miss[i], y->miss[i]) != 0)
			fail_msg("%s: miss %zu: %s and %s", what, i, x->miss[i], y->miss[i]);
}

void warm_as_fresh(struct oracle *o, struct wb_graph *g, const char *line, const char *what, bool peer)
{
	struct wb_graph warm, fresh;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason = WB_REASON_NONE, other = WB_REASON_NONE;
	struct wb_scanner *kept = o->scanner;
	wb_status s = oracle_scan(o, &warm, line, &reason, &err);
	assert_ok(wb_scanner_new(&o->scanner, getenv("WAYBILL_TEST_SHIM"), &err), &err);
	wb_status t = oracle_scan(o, &fresh, line, &other, &err);
	if (s.code != t.code || (!wb_is_ok(s) && reason != other))
		fail_msg("%s: %s (%s), a fresh scanner %s (%s): %s", what, wb_code_name(s.code), wb_reason_name(reason),
			 wb_code_name(t.code), wb_reason_name(other), err.text);
	if (wb_is_ok(s)) {
		graphs_equal(&warm, &fresh, what);
		if (peer)
			oracle_same_files(o, &warm, line);
	}
	wb_scanner_free(o->scanner);
	o->scanner = kept;
	if (g)
		*g = warm;
}

uint64_t scans_made(struct oracle *o)
{
	struct wb_results_count c;
	wb_results_count(wb_scanner_results(o->scanner), &c);
	return c.scanned;
}

void let_settle(void)
{
	usleep(WB_FACTS_RACY_NS / 1000 + 5000);
}
