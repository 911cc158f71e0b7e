/* What a scan tells that no -M of a compiler does: edges, skips, misses, the prefix of a precompiled header, what it
 * refuses, files that change between two requests, and many threads. */
#define _GNU_SOURCE
#include "tests/unit/scan_fixture.h"

#include <string.h>

static const struct wb_edge *edge_to(const struct wb_graph *g, const char *suffix, unsigned nth)
{
	for (uint32_t i = 0; i < g->nedge; i++)
		if (wb_ends_with(g->file[g->edge[i].to].path, suffix) && nth-- == 0)
			return &g->edge[i];
	fail_msg("no such edge to %s", suffix);
	return NULL;
}

static void test_edges(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(
	    o, "m.cc",
	    "// one\n#include \"a.h\"\n#include <b.h>\n#include \"a.h\"\n#if __has_include(\"c.h\")\n#endif\n");
	oracle_put_fresh(o, "a.h", "#pragma once\n\n#include <b.h>\n");
	oracle_put_fresh(o, "i/b.h", "#ifndef B\n#define B\n#endif\n");
	oracle_put_fresh(o, "c.h", "");
	oracle_put_fresh(o, "f.h", "#define F\n");
	oracle_scan_ok(o, &g, "clang++-22 -Inone -Ii -include f.h -c m.cc");
	assert_false(g.failed);
	assert_int_equal(g.nfile, 5);
	assert_string_equal(g.file[0].path, "m.cc");
	const struct wb_edge *e = edge_to(&g, "f.h", 0);
	assert_int_equal(e->kind, WB_EDGE_FORCED);
	assert_int_equal(e->from, UINT32_MAX);
	assert_int_equal(e->line, 2);
	e = edge_to(&g, "a.h", 0);
	assert_int_equal(e->kind, WB_EDGE_QUOTE);
	assert_int_equal(e->from, 0);
	assert_int_equal(e->line, 2);
	assert_false(e->skipped);
	assert_string_equal(e->name, "a.h");
	e = edge_to(&g, "a.h", 1);
	assert_int_equal(e->line, 4);
	assert_true(e->skipped);
	e = edge_to(&g, "b.h", 0);
	assert_int_equal(e->kind, WB_EDGE_ANGLE);
	assert_string_equal(g.file[e->from].path, "a.h");
	assert_int_equal(e->line, 3);
	assert_string_equal(g.file[e->to].path, "i/b.h");
	assert_true(edge_to(&g, "b.h", 1)->skipped);
	e = edge_to(&g, "c.h", 0);
	assert_int_equal(e->kind, WB_EDGE_HAS_INCLUDE);
	assert_int_equal(e->line, 5);
	assert_int_equal(g.file[oracle_file(&g, "c.h")].flags & WB_GRAPH_ENTERED, 0);
	uint32_t a = g.file[oracle_file(&g, "a.h")].flags, b = g.file[oracle_file(&g, "i/b.h")].flags;
	assert_int_equal(a & (WB_GRAPH_ENTERED | WB_GRAPH_GUARDED | WB_GRAPH_ONCE),
			 WB_GRAPH_ENTERED | WB_GRAPH_GUARDED | WB_GRAPH_ONCE);
	assert_int_equal(b & (WB_GRAPH_ENTERED | WB_GRAPH_GUARDED | WB_GRAPH_ONCE),
			 WB_GRAPH_ENTERED | WB_GRAPH_GUARDED);
	for (uint32_t i = 1; i < g.nfile; i++)
		assert_int_equal(g.edge[g.file[i].first_edge].to, i);
	assert_true(oracle_missed(&g, "none")); /* the directory stands for what was looked for in it */
	for (uint32_t i = 0; i < g.nfile; i++) {
		struct wb_stat_id id;
		assert_true(wb_stat_id_get(&id, wb_arena_printf(&o->a, "%s/%s", o->dir, g.file[i].path), true));
		assert_true(wb_stat_id_eq(&id, &g.file[i].id));
	}
}

static void test_misses(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "s/m.cc", "#include \"x.h\"\n#if __has_include(<y.h>)\n#endif\n");
	oracle_put_fresh(o, "a/z.h", "");
	oracle_put_fresh(o, "b/x.h", "");
	oracle_scan_ok(o, &g, "clang++-22 -Ia -Ib -c s/m.cc");
	static const char *const want[] = {"s/x.h", "a/x.h", "a/y.h", "b/y.h", "/usr/include/y.h"};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		if (!oracle_missed(&g, want[i]))
			fail_msg("no miss %s", want[i]);
	for (size_t i = 0; i < g.nmiss; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(g.miss[i], g.miss[k]);
	/* A precompiled header that appears beside a forced include would be used. */
	oracle_put_fresh(o, "p.h", "");
	oracle_scan_ok(o, &g, "clang++-22 -include p.h -Ib -c s/m.cc");
	assert_true(oracle_missed(&g, "p.h.pch"));
	assert_true(oracle_missed(&g, "p.h.gch"));
}

static void test_symlinks(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "real/deep/r.h", "#pragma once\n#include \"../up.h\"\n");
	oracle_put_fresh(o, "real/up.h", "#pragma once\n// up\n");
	oracle_put_fresh(o, "m.cc", "#include \"l.h\"\n#include \"real/deep/r.h\"\n#include \"lnk/../up.h\"\n");
	oracle_put_fresh(o, "up.h", "#error wrong\n");
	oracle_link(o, "real/deep", "lnk");
	oracle_link(o, "real/deep/r.h", "l.h");
	/* l.h is r.h by another name: read once, its "../up.h" sought from where the name is. */
	oracle_put_fresh(o, "real/deep/r.h", "#pragma once\n");
	oracle_scan_ok(o, &g, "clang++-22 -c m.cc");
	assert_false(g.failed);
	assert_true(edge_to(&g, "real/deep/r.h", 0)->skipped);
	assert_int_equal(g.file[oracle_file(&g, "lnk/../up.h")].flags & WB_GRAPH_ENTERED, WB_GRAPH_ENTERED);
	static const char *const compilers[] = {"clang++-22", "clang++-19", "clang++-16", "clang++-14", "g++"};
	for (size_t c = 0; c < sizeof compilers / sizeof *compilers; c++)
		if (oracle_has(compilers[c]))
			oracle_agree(o, wb_arena_printf(&o->a, "%s -c m.cc", compilers[c]));
}

static void test_prefix(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "pch.h", "#include \"in.h\"\n#include \"fwd.h\"\n");
	oracle_put_fresh(o, "in.h", "#pragma once\n#include \"deep.h\"\n");
	oracle_put_fresh(o, "deep.h", "#pragma once\n// deep\n");
	oracle_put_fresh(o, "fwd.h", "#include \"deep.h\"\n");
	oracle_put_fresh(o, "out.h", "#pragma once\n// out\n");
	oracle_put_fresh(o, "m.cc", "#include \"in.h\"\n#include \"fwd.h\"\n#include \"out.h\"\n");
	/* CMake's words for clang; no .pch is on the disk. */
	oracle_scan_ok(o, &g,
		       "clang++-22 -Xclang -include-pch -Xclang pch.h.pch -Xclang -include -Xclang pch.h -c m.cc");
	assert_false(g.failed);
	static const char *const prefix[] = {"pch.h", "in.h", "deep.h", "fwd.h"};
	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++)
		assert_int_equal(g.file[oracle_file(&g, prefix[i])].flags & WB_GRAPH_IN_PREFIX, WB_GRAPH_IN_PREFIX);
	assert_int_equal(g.file[oracle_file(&g, "out.h")].flags & WB_GRAPH_IN_PREFIX, 0);
	assert_int_equal(g.file[0].flags & WB_GRAPH_IN_PREFIX, 0);
	unsigned named = 0;
	for (uint32_t i = 0; i < g.nedge; i++) {
		const struct wb_edge *e = &g.edge[i];
		bool from_tu = e->from == 0 || (e->from == oracle_file(&g, "fwd.h") && !e->in_prefix);
		assert_int_equal(e->in_prefix, !from_tu);
		named += from_tu;
	}
	assert_int_equal(named, 4); /* three by the source, one by the header without a guard that it read again */
	/* gcc: the forced header is the prefix once its .gch is there. */
	oracle_put_fresh(o, "pch.h.gch", "gpch");
	oracle_scan_ok(o, &g, "g++ -include pch.h -c m.cc");
	assert_int_equal(g.file[oracle_file(&g, "in.h")].flags & WB_GRAPH_IN_PREFIX, WB_GRAPH_IN_PREFIX);
	assert_true(edge_to(&g, "in.h", 1)->skipped);
	assert_false(edge_to(&g, "in.h", 1)->in_prefix);
	/* A creation is a plain compile of its source. */
	oracle_scan_ok(
	    o, &g, "clang++-22 -Xclang -emit-pch -Xclang -include -Xclang pch.h -x c++-header -o pch.h.pch -c m.cc");
	assert_false(g.failed);
	for (uint32_t i = 0; i < g.nedge; i++)
		assert_false(g.edge[i].in_prefix);
}

static void test_text_flags(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "m.cc",
			 "#include \"date.h\"\n#include \"macro.h\"\n#include \"none.h\"\n#include \"bin.h\"\nconst "
			 "char *a = STAMP;\n");
	oracle_put_fresh(o, "date.h", "const char *d = __DATE__;\n");
	oracle_put_fresh(o, "macro.h", "#define STAMP __TIMESTAMP__\n");
	oracle_put_fresh(o, "none.h",
			 "// __DATE__\n#if 0\nconst char *n = __TIME__;\n#endif\n#define UNUSED __TIMESTAMP__\n");
	oracle_put_fresh(o, "bin.h", "asm(\".incbin \\\"x\\\"\");\n");
	oracle_scan_ok(o, &g, "clang++-22 -c m.cc");
	assert_int_equal(g.file[oracle_file(&g, "date.h")].flags & WB_GRAPH_TIME, WB_GRAPH_TIME);
	assert_int_equal(g.file[oracle_file(&g, "macro.h")].flags & (WB_GRAPH_TIME | WB_GRAPH_TIMESTAMP),
			 WB_GRAPH_TIME | WB_GRAPH_TIMESTAMP);
	assert_int_equal(g.file[oracle_file(&g, "none.h")].flags & WB_GRAPH_TIME, 0);
	assert_int_equal(g.file[oracle_file(&g, "bin.h")].flags & WB_GRAPH_INCBIN, WB_GRAPH_INCBIN);
	assert_int_equal(g.file[0].flags & WB_GRAPH_INCBIN, 0);
	oracle_put_fresh(o, "m.S", "#include \"inc.h\"\n");
	oracle_put_fresh(o, "inc.h", "  .include \"x.s\"\n");
	oracle_scan_ok(o, &g, "clang-22 -c m.S");
	assert_int_equal(g.file[oracle_file(&g, "inc.h")].flags & WB_GRAPH_INCBIN, WB_GRAPH_INCBIN);
}

static void test_modules(void **state)
{
	scan_sees_modules(*state);
}

static void test_doubts(void **state)
{
	struct oracle *o = *state;
	static const struct scan_refusal row[] = {
	    {"clang++-22 -c m.cc", "#pragma GCC dependency \"x.h\"\n", "", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if __has_builtin(\n#endif\n", "", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if __has_feature(1 2)\n#endif\n", "", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -ffile-prefix-map=a=b -c m.cc", "#ifndef A\n#define A\n#include __FILE__\n#endif\n", "",
	     WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -fms-extensions -c m.cc", "", "", WB_REASON_SCAN_DOUBT},
	    {"g++ -finput-charset=latin1 -c m.cc", "", "", WB_REASON_SCAN_DOUBT},
	    {"g++ -c m.cc", "#pragma GCC target(\"avx2\")\n", "", WB_REASON_SCAN_DOUBT},
	    {"g++ -c m.cc", "#include \"t1.h\"\n#include \"t2.h\"\n", "", WB_REASON_SCAN_DOUBT},
	    {"g++ -c m.cc", "#ifdef A\n#elifdef B\n#endif\n", "", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -x objective-c -c m.cc", "", "", WB_REASON_LANGUAGE},
	};
	scan_refuses(o, row, sizeof row / sizeof *row);
	scan_refuses_hard_links(o);
	/* gcc takes a .gch of the first header by itself. */
	struct wb_graph g;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	oracle_put_fresh(o, "m.cc", "#include \"x.h\"\n");
	oracle_put_fresh(o, "x.h.gch", "");
	assert_code(oracle_scan(o, &g, "g++ -c m.cc", &reason, &err), WB_EUNSCANNABLE);
	assert_int_equal(reason, WB_REASON_SCAN_DOUBT);
}

static void test_errors(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "m.cc", "#include \"nope.h\"\n#include \"after.h\"\n");
	oracle_put_fresh(o, "after.h", "");
	oracle_scan_ok(o, &g, "clang++-22 -c m.cc");
	assert_true(g.failed);
	assert_non_null(strstr(g.diagnostics, "nope.h"));
	assert_true(oracle_missed(&g, "nope.h"));
	oracle_scan_ok(o, &g, "clang++-22 -c not-there.cc");
	assert_true(g.failed);
	oracle_put_fresh(o, "m.cc", "#if\n#endif\n");
	oracle_scan_ok(o, &g, "clang++-22 -c m.cc");
	assert_true(g.failed);
}

static void test_changes(void **state)
{
	scan_sees_changes(*state);
}

static void test_overlay(void **state)
{
	scan_sees_overlay(*state);
}

static void test_threads(void **state)
{
	scan_from_threads(*state, 6);
}

static void test_no_shim(void **state)
{
	struct oracle *o = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_scanner *s;
	struct wb_command cmd;
	const struct wb_toolchain *tc;
	enum wb_reason reason = WB_REASON_NONE;
	struct wb_graph g;
	assert_ok(wb_scanner_new(&s, "/nowhere/shim.so", &err), &err);
	oracle_put_fresh(o, "m.cc", "");
	oracle_command(o, &cmd, "clang++-22 -c m.cc");
	assert_ok(wb_toolchain_get(&tc, o->toolchains, &cmd, "/usr/bin", &reason, &err), &err);
	struct wb_scan_request req = {.cmd = &cmd, .tc = tc};
	assert_ok(wb_scan(&g, &o->a, s, &req, &reason, &err), &err); /* the other engine needs none */
	assert_string_equal(g.engine, "directives");
	/* What that one is not sure of: */
	oracle_put_fresh(o, "m.cc", "#if __COUNTER__\n#endif\n");
	assert_code(wb_scan(&g, &o->a, s, &req, &reason, &err), WB_EUNSCANNABLE);
	assert_int_equal(reason, WB_REASON_ENGINE);
	assert_says(&err, "/nowhere/shim.so");
	for (int d = 0; d < WB_DOUBT_COUNT; d++)
		assert_int_equal(wb_scanner_fallback(s, (enum wb_doubt)d), d == WB_DOUBT_COUNTER);
	wb_scanner_free(s);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, oracle_setup, oracle_teardown)
#define BOTH(f) CASE(f), cmocka_unit_test_setup_teardown(f, oracle_setup_clang, oracle_teardown)
	const struct CMUnitTest tests[] = {
	    BOTH(test_edges),      BOTH(test_misses),  BOTH(test_symlinks), BOTH(test_prefix),
	    BOTH(test_text_flags), BOTH(test_modules), BOTH(test_doubts),   BOTH(test_errors),
	    BOTH(test_changes),    BOTH(test_overlay), BOTH(test_threads),  CASE(test_no_shim),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
