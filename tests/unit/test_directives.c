/* The engine `directives`: what it must refuse, limits, the flags and edges that the engine `clang` finds, names, files
 * that change, and many threads. Its table of corner cases is test_directives_table.c. */
#define _GNU_SOURCE
#include "tests/unit/scan_fixture.h"

#include <string.h>

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
	    {"clang++-22 -c m.cc", "/* x *\\\n\\\n/\n", "split", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "u8\\\n\"x\"\n", "split", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#warning x /*\n*/\n", "#warning", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if 0\n#include <a/*b>\n#endif\n", "other tokens", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#include \"a\\b.h\"\n", "different ways", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define H < x.h>\n#include H\n", "in <>", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define H\n#include H\n", "no header name", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if __has_include(defined X)\n#endif\n", "no header name", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if __has_include(\"x.h\" 1)\n#endif\n", "__has_include", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#pragma push_macro(\" A\")\n", "#pragma", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#pragma push_macro(\"A\"\n", "#pragma", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if 0\n#else\n#else\n#endif\n", "without its #if", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if 0\n#else\n#elif 1\n#endif\n", "without its #if", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#endif\n", "without its #if", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define \\u00e4 1\n", "#define", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if \\u00e4\n#endif\n", "not understood", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#ifdef A\xc3\x97\n#endif\n", "proper name",
	     WB_REASON_SCAN_DOUBT}, /* a sign, no letter */
	    {"clang++-22 -c m.cc", "#if '\xc3\xa4'\n#endif\n", "ASCII", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if u8'a'\n#endif\n", "prefix", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if (2, 3)\n#endif\n", "without its )", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if -9223372036854775807 - 1 == 1 << -1\n#endif\n", "shift", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if 18446744073709551616\n#endif\n", "64 bits", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define D defined\n#if D\n#endif\n", "without a name", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define F(...) __VA_OPT__(__VA_OPT__())\n#if F(1)\n#endif\n", "__VA_OPT__",
	     WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc",
	     "#define S(...) #__VA_ARGS__\n#define T(...) S(__VA_ARGS__)\n#define F(x) x x.h\n#include T(a F())\n",
	     "white space", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#define S(x) #x\n#include S(\\)\n", "makes no string", WB_REASON_SCAN_DOUBT},
	    {"clang-22 -x c -std=c23 -c m.cc", "#embed \"x.h\" other(1)\n", "not known", WB_REASON_SCAN_DOUBT},
	    {"clang-22 -x c -std=c23 -c m.cc", "#embed \"x.h\" limit(-1)\n", "#embed", WB_REASON_SCAN_DOUBT},
	    {"clang-22 -x c -std=c23 -c m.cc", "#embed \"x.h\" limit(1) limit(1)\n", "twice", WB_REASON_SCAN_DOUBT},
	    {"clang-22 -x c -std=c23 -c m.cc", "#embed \"x.h\" limit(defined X)\n", "not understood",
	     WB_REASON_SCAN_DOUBT},
	    {"clang-22 -x c -std=c23 -c m.cc", "#embed \"x.h\" prefix\n", "not understood", WB_REASON_SCAN_DOUBT},
	    {"clang-22 -x c -std=c23 -c m.cc", "#if __has_embed(\"t1.h\" limit(99))\n#endif\n", "beyond",
	     WB_REASON_SCAN_DOUBT},
	    {"clang-22 -x c --embed-dir=. -std=c23 -c m.cc", "#embed \"x.h\"\n", "#embed", WB_REASON_SCAN_DOUBT},
	    {"clang-14 -x c -c m.cc", "#embed \"x.h\"\n", "#embed", WB_REASON_SCAN_DOUBT},
	    {"gcc -x c -c m.cc", "#embed \"x.h\"\n", "#embed", WB_REASON_SCAN_DOUBT},
	    {"gcc -x c -c m.cc", "#if __has_include(\"t1.h\")\n#endif\n#import \"x.h\"\n", "#import",
	     WB_REASON_SCAN_DOUBT},
	    {"gcc -x c -std=c89 -c m.cc", "#define A 1 //**/ 2\n", "strict C89", WB_REASON_SCAN_DOUBT},
	    {"clang-22 -x c -std=c89 -c m.cc", "#define A 1 // x\n", "strict C89", WB_REASON_SCAN_DOUBT},
	    {"clang-22 -x c -std=c89 -c m.cc", "// it's\n", "strict C89", WB_REASON_SCAN_DOUBT},
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

static void refused(struct oracle *o, struct wb_buf *text, const char *says)
{
	struct wb_graph g;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	oracle_put_fresh(o, "m.cc", text->p);
	assert_code(oracle_scan(o, &g, "clang++-22 -c m.cc", &reason, &err), WB_EUNSCANNABLE);
	if (!strstr(err.text, says))
		fail_msg("%s instead of: %s", err.text, says);
	wb_buf_reset(text);
}

static void repeat(struct wb_buf *text, const char *what, int n)
{
	for (int i = 0; i < n; i++)
		wb_buf_adds(text, what);
}

/* Small texts that expand or nest without end are refused, long before they use up time or memory (how long it takes:
 * benchmarks/hostile). */
static void test_limits(void **state)
{
	struct wb_buf text = WB_BUF_INIT;
	wb_buf_adds(&text, "#define A0 1 +\n");
	for (int i = 1; i < 45; i++)
		wb_buf_addf(&text, "#define A%d A%d A%d\n", i, i - 1, i - 1);
	wb_buf_adds(&text, "#if A44 1\n#endif\n");
	assert_true(text.n < 1024);
	refused(*state, &text, "beyond all measure");
	wb_buf_adds(&text, "#define F(x) x x x x x x\n#if ");
	repeat(&text, "F(", 100);
	wb_buf_adds(&text, "1 +");
	repeat(&text, ")", 100);
	wb_buf_adds(&text, "\n#endif\n");
	assert_true(text.n < 1024);
	refused(*state, &text, "beyond all measure");
	wb_buf_adds(&text, "#define S(x) #x\n#define D(x) S(x x x x x x x x)\n#if __has_include(");
	repeat(&text, "D(", 90);
	wb_buf_adds(&text, "\\\"");
	repeat(&text, ")", 90);
	wb_buf_adds(&text, ")\n#endif\n");
	refused(*state, &text, "");
	wb_buf_adds(&text, "#define G(x) x\n#if ");
	repeat(&text, "G(", 20000);
	wb_buf_adds(&text, "1");
	repeat(&text, ")", 20000);
	wb_buf_adds(&text, "\n#endif\n");
	refused(*state, &text, "beyond all measure");
	wb_buf_adds(&text, "#if ");
	repeat(&text, "(", 100000);
	wb_buf_adds(&text, "\n#endif\n");
	refused(*state, &text, "too deep");
	wb_buf_adds(&text, "#if ");
	repeat(&text, "! ", 100000);
	wb_buf_adds(&text, "1\n#endif\n");
	refused(*state, &text, "too deep");
	wb_buf_adds(&text, "#if ");
	repeat(&text, "1 ? 1 : ", 100000);
	wb_buf_adds(&text, "1\n#endif\n");
	refused(*state, &text, "too deep");
	repeat(&text, "#if 1\n", 5000);
	repeat(&text, "#endif\n", 5000);
	refused(*state, &text, "too deep");
	wb_buf_adds(&text, "#if __has_builtin(");
	repeat(&text, "a", 5000);
	wb_buf_adds(&text, ")\n#endif\n");
	refused(*state, &text, "too long");
	wb_buf_adds(&text, "#include \"m.cc\"\n");
	refused(*state, &text, "too deep");
	wb_buf_adds(&text, "#if __INCLUDE_LEVEL__ < 60\n#include \"m.cc\"\n#include \"m.cc\"\n#endif\n");
	refused(*state, &text, "more directives");
	wb_buf_release(&text);
}

/* Much of one thing is no reason to refuse. */
static void test_large(void **state)
{
	struct oracle *o = *state;
	struct wb_buf text = WB_BUF_INIT;
	struct wb_graph g;
	wb_buf_adds(&text, "#define A ");
	repeat(&text, "x ", 1000000);
	wb_buf_adds(&text, "\n#if 1");
	repeat(&text, " + 1", 2000000);
	wb_buf_adds(&text, " == 2000001\n#include \"good.h\"\n#endif\n");
	for (int i = 0; i < 20000; i++)
		wb_buf_addf(&text, "#define B%d B%d\n", i, i + 1);
	repeat(&text, "#if 1\n", 3000);
	repeat(&text, "#endif\n", 3000);
	oracle_put_fresh(o, "good.h", "");
	oracle_put_fresh(o, "m.cc", text.p);
	oracle_scan_ok(o, &g, "clang++-22 -c m.cc");
	assert_int_not_equal(oracle_file(&g, "good.h"), UINT32_MAX);
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
	    CASE(test_refusals), CASE(test_limits), CASE(test_large),   CASE(test_flags),   CASE(test_edges),
	    CASE(test_changes),  CASE(test_names),  CASE(test_overlay), CASE(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
