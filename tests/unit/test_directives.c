/* The engine `directives`: what it must refuse, limits, the flags and edges that the engine `clang` finds, names, files
 * that change, and many threads. Its table of corner cases is test_directives_table.c. */
#define _GNU_SOURCE
#include "tests/unit/scan_fixture.h"

static void test_refusals(void **state)
{
	static const struct scan_refusal row[] = {
	    {"clang++-22 -c m.cc", "int a = __COUNTER__;\n#if __COUNTER__ == 1\n#endif\n", "__COUNTER__",
	     WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define P _Pragma(\"push_macro(\\\"A\\\")\")\nP\n", "_Pragma",
	     WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define NOW __DATE__\n", "__DATE__", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if 1 +\n#endif\n", "not understood", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if\n#endif\n", "not understood", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if 1 / 0\n#endif\n", "division by zero", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if 1 << 64\n#endif\n", "shift", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if 1.0\n#endif\n", "integer", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if 1_x\n#endif\n", "integer", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if \"x\"\n#endif\n", "not understood", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if F(1)\n#endif\n", "function-like", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define F(x) x\n#if F(1\n#endif\n", "without an end", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define F(x) x\n#if F(1, 2)\n#endif\n", "arguments", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define F(x) x ## +\n#if F(1)\n#endif\n", "no token", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#else\n", "without its #if", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#nonsense\n", "unknown directive", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define 3\n", "#define", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#ifdef and\n#endif\n", "proper name", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define F(x) #y\n", "#define", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#include \"m.cc\"\n", "too deep", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if __has_builtin(\n#endif\n", "question", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "/\\\n* x */\n", "split", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "a\rb\n", "carriage return", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#pragma GCC dependency \"x.h\"\n", "dependency", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -ffile-prefix-map=a=b -c m.cc", "#ifndef A\n#define A\n#include __FILE__\n#endif\n",
	     "prefix map", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -fms-extensions -c m.cc", "", "changes how text is read", WB_REASON_SCAN_DOUBT},
	    {"g++ -c m.cc", "#pragma GCC target(\"avx2\")\n", "predefined macros", WB_REASON_SCAN_DOUBT},
	    {"g++ -c m.cc", "#include \"t1.h\"\n#include \"t2.h\"\n", "equal content", WB_REASON_SCAN_DOUBT},
	    {"g++ -c m.cc", "#ifdef A\n#elifdef B\n#endif\n", "#elifdef", WB_REASON_SCAN_DOUBT},
	    {"gcc -x c -std=gnu2x -c m.cc", "#if true\n#endif\n", "true and false", WB_REASON_SCAN_DOUBT},
	};
	scan_refuses(*state, row, sizeof row / sizeof *row);
}

/* A small text that expands without end is refused at once. */
static void test_limits(void **state)
{
	struct oracle *o = *state;
	struct wb_buf text = WB_BUF_INIT;
	struct wb_graph g;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	wb_buf_adds(&text, "#define A0 1 +\n");
	for (int i = 1; i < 60; i++)
		wb_buf_addf(&text, "#define A%d A%d A%d\n", i, i - 1, i - 1);
	wb_buf_adds(&text, "#define F(x) x x x x x x\n#if A59 1\n#endif\n");
	oracle_put_fresh(o, "m.cc", text.p);
	assert_code(oracle_scan(o, &g, "clang++-22 -c m.cc", &reason, &err), WB_EUNSCANNABLE);
	wb_buf_reset(&text);
	wb_buf_adds(&text, "#define F(x) x x x x x x\n#if ");
	for (int i = 0; i < 100; i++)
		wb_buf_adds(&text, "F(");
	wb_buf_adds(&text, "1 +");
	for (int i = 0; i < 100; i++)
		wb_buf_adds(&text, ")");
	wb_buf_adds(&text, "\n#endif\n");
	oracle_put_fresh(o, "m.cc", text.p);
	assert_code(oracle_scan(o, &g, "clang++-22 -c m.cc", &reason, &err), WB_EUNSCANNABLE);
	wb_buf_reset(&text);
	wb_buf_adds(&text, "#if ");
	for (int i = 0; i < 100000; i++)
		wb_buf_adds(&text, "(");
	wb_buf_adds(&text, "\n#endif\n");
	oracle_put_fresh(o, "m.cc", text.p);
	assert_code(oracle_scan(o, &g, "clang++-22 -c m.cc", &reason, &err), WB_EUNSCANNABLE);
	wb_buf_release(&text);
}

static void test_flags(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "m.cc", "#include \"date.h\"\n#include \"none.h\"\n#include \"bin.h\"\n");
	oracle_put_fresh(o, "date.h", "const char *d = __DATE__, *t = __TIMESTAMP__;\n");
	oracle_put_fresh(o, "none.h",
			 "// __DATE__\n#if 0\nconst char *n = __TIME__;\n#endif\nconst char *s = \"__TIME__\";\n");
	oracle_put_fresh(o, "bin.h", "asm(\".incbin \\\"x\\\"\");\n");
	static const char line[] = "clang++-22 -std=c++20 -c m.cc";
	oracle_scan_ok(o, &g, line);
	oracle_same_as_clang(o, &g, line, false);
	assert_int_equal(g.file[oracle_file(&g, "date.h")].flags & (WB_GRAPH_TIME | WB_GRAPH_TIMESTAMP),
			 WB_GRAPH_TIME | WB_GRAPH_TIMESTAMP);
	assert_int_equal(g.file[oracle_file(&g, "none.h")].flags & WB_GRAPH_TIME, 0);
	assert_int_equal(g.file[oracle_file(&g, "bin.h")].flags & WB_GRAPH_INCBIN, WB_GRAPH_INCBIN);
	scan_sees_modules(o);
}

/* Edges, skips, misses and the prefix of a precompiled header are those of the clang engine, one by one. */
static void test_edges(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "pch.h", "#include \"in.h\"\n#include \"fwd.h\"\n");
	oracle_put_fresh(o, "in.h", "#pragma once\n#include \"deep.h\"\n");
	oracle_put_fresh(o, "deep.h", "#ifndef DEEP\n#define DEEP\n// deep\n#endif\n");
	oracle_put_fresh(o, "fwd.h", "#include \"deep.h\"\n");
	oracle_put_fresh(o, "i/out.h",
			 "#pragma once\n#if __has_include(<no/thing.h>) || __has_include(\"in.h\")\n#endif\n");
	oracle_put_fresh(
	    o, "m.cc",
	    "// one\n#include \"in.h\"\n#include \"fwd.h\"\n\n#include <out.h>\n#include <out.h>\n#import \"in.h\"\n");
	static const char *const line[] = {
	    "clang++-22 -Inone -Ii -include fwd.h -c m.cc",
	    "clang++-22 -Ii -Xclang -include-pch -Xclang pch.h.pch -Xclang -include -Xclang pch.h -c m.cc",
	    "g++ -Inone -Ii -iquote q -include pch.h -c m.cc",
	};
	for (size_t i = 0; i < 3; i++) {
		oracle_scan_ok(o, &g, line[i]);
		oracle_same_as_clang(o, &g, line[i], true);
	}
}

static void test_changes(void **state)
{
	scan_sees_changes(*state);
}

static void test_names(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "real/deep/r.h", "#pragma once\n#include \"up.h\"\n");
	oracle_put_fresh(o, "real/deep/up.h", "#define DEEP\n");
	oracle_put_fresh(o, "up.h", "");
	oracle_put_fresh(o, "m.cc", "#include \"l.h\"\n#include \"real/deep/r.h\"\n#include \"lnk/up.h\"\n");
	oracle_link(o, "real/deep", "lnk");
	oracle_link(o, "real/deep/r.h", "l.h");
	static const char *const compilers[] = {"clang++-22", "g++"};
	for (size_t i = 0; i < 2; i++) {
		const char *line = wb_arena_printf(&o->a, "%s -c m.cc", compilers[i]);
		oracle_scan_ok(o, &g, line);
		oracle_same_files(o, &g, line);
		oracle_same_as_clang(o, &g, line, false);
	}
	scan_refuses_hard_links(o);
}

static void test_overlay(void **state)
{
	scan_sees_overlay(*state);
}

static void test_threads(void **state)
{
	scan_from_threads(*state, 20);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, oracle_setup_directives, oracle_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(test_refusals), CASE(test_limits), CASE(test_flags),   CASE(test_edges),
	    CASE(test_changes),  CASE(test_names),  CASE(test_overlay), CASE(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
