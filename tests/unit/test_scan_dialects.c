/* The engine `clang` where languages and compilers read one text in different ways, against the compilers' own -M, and
 * which files gcc opens for the __has_include of a condition, against the kernel. */
#define _GNU_SOURCE
#include "tests/unit/scan_oracle.h"

#include "base/path.h"
#include "base/process.h"

#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static const char *const compilers[] = {"clang++-22", "clang++-19", "clang++-16", "clang++-14", "g++"};
enum { CLANG_22 = 1, CLANG_19 = 2, CLANG_16 = 4, CLANG_14 = 8, GCC = 16, ALL = 31 };

#define RAW   "const char *a = R\"(\n#include \"y.h\"\n)\";\n"
#define UNRAW "#define R\nconst char *a = R\"(\"\n#include \"y.h\"\n\")\";\n"

static const struct {
	unsigned on;
	const char *flags, *text; /* a C source with -x c */
} row[] = {
    /* digit separators, and what is none */
    {ALL, "-std=c++14", "#if 1'000 == 1000\n#include \"y.h\"\n#else\n#include \"n.h\"\n#endif\n"},
    {ALL, "-std=gnu++17", "#define N 1'0\n#if N == 10\n#include \"y.h\"\n#else\n#include \"n.h\"\n#endif\n"},
    {CLANG_14 | GCC, "-x c -std=c2x", "#if 0x1'f == 31\n#include \"y.h\"\n#endif\n"},
    {CLANG_22 | GCC, "-std=c++11", "#define F(x)\nF(1'/*') F(2'*/')\n#include \"y.h\"\n"},
    {ALL, "-std=c++17",
     "char c = u8'a'; /*\n#include \"n.h\"\n*/\nint f(int x) { switch (x) { case'a': /*\n#include \"n.h\"\n*/; } "
     "return 0; }\n#include \"y.h\"\n"},
    /* prefixes of literals */
    {ALL, "-std=c++11", "#if u'a' == 97 && U'b' == 98\n#include \"y.h\"\n#endif\n"},
    {CLANG_22 | GCC, "-x c -std=gnu11", "#if u'a' == 97\n#include \"y.h\"\n#endif\n"},
    {CLANG_22 | GCC, "-x c -std=gnu99", "#define u\n#if u'a' == 97\n#include \"y.h\"\n#endif\n"},
    {GCC, "-x c -std=gnu99", "#if u'a' == 97\n#include \"y.h\"\n#endif\n"},
    /* raw strings */
    {ALL, "-std=c++98", UNRAW},
    {ALL, "-std=gnu++98", RAW},
    {ALL, "-std=gnu++11", RAW},
    {ALL, "-x c -std=gnu99", RAW},
    {ALL, "-x c -std=gnu99", UNRAW},
    {ALL, "-x c -std=gnu17", RAW},
    {CLANG_22 | GCC, "-x c -std=c17", UNRAW},
    {CLANG_22 | CLANG_14 | GCC, "-x c -std=gnu89", RAW},
    {CLANG_22 | CLANG_19, "-std=c++11 -fno-raw-string-literals", RAW},
    {CLANG_22 | CLANG_19, "-std=c++98 -fraw-string-literals", RAW},
    {CLANG_22 | CLANG_19, "-x c -std=gnu17 -fno-raw-string-literals", UNRAW},
    /* comments, digraphs and trigraphs */
    {CLANG_22 | GCC, "-x c -std=c89", "int a = 8 //* x\n#include \"n.h\"\n*/ 2;\n#include \"y.h\"\n"},
    {CLANG_22 | GCC, "-x c -std=gnu89", "int a = 8 //* x\n;\n#include \"y.h\"\n"},
    {CLANG_22 | GCC, "-x c -std=c89", "%:include \"n.h\"\n"},
    {CLANG_22 | GCC, "-x c -std=iso9899:199409", "%:include \"y.h\"\n"},
    {ALL, "-x c -std=c2x", "?\?=include \"y.h\"\n"},
    {CLANG_22 | GCC, "-x c -std=c17", "int a = 1 ?\?' 2; /*'\n#include \"n.h\"\n*/\n#include \"y.h\"\n"},
};

static void test_dialects(void **state)
{
	struct oracle *o = *state;
	o->quick = true;
	oracle_put_fresh(o, "y.h", "");
	oracle_put_fresh(o, "n.h", "");
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		oracle_put_fresh(o, "m.cc", row[i].text);
		for (size_t c = 0; c < sizeof compilers / sizeof *compilers; c++)
			if ((row[i].on & 1u << c) && oracle_has(compilers[c]))
				oracle_agree(o, wb_arena_printf(&o->a, "%s -w %s -c m.cc", compilers[c], row[i].flags));
	}
}

static void test_error_directive(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "m.c", "#error // see graph.h\n");
	oracle_scan_ok(o, &g, "clang-22 -c m.c");
	assert_false(g.failed);
	oracle_scan_ok(o, &g, "clang-22 -std=c89 -c m.c"); /* lexed in full */
	assert_false(g.failed);
}

/* gcc opens y.h and n.h, or passes over them. `unsure`: the engine may refuse. */
static const struct {
	bool unsure;
	const char *condition;
} lookup[] = {
    {false, "0 && __has_include(\"y.h\")"},
    {false, "1 && __has_include(\"y.h\")"},
    {false, "1 || __has_include(<y.h>)"},
    {false, "0 || __has_include(<y.h>)"},
    {false, "defined(__has_include) && __has_include(\"y.h\")"},
    {false, "defined NO && __has_include(\"y.h\")"},
    {false, "!defined(NO) && __has_include_next(\"y.h\")"},
    {false, "NO && __has_include(\"y.h\")"},
    {false, "(0 || T) && __has_include(\"y.h\")"},
    {false, "0 && (1 || __has_include(\"y.h\"))"},
    {false, "__cplusplus > 300000L && __has_include(\"y.h\")"},
    {false, "__GNUC__ * 100 + __GNUC_MINOR__ >= 405 && __has_include(\"y.h\")"},
    {false, "1 ? __has_include(\"y.h\") : __has_include(\"n.h\")"},
    {false, "T == 2 ? __has_include(\"y.h\") : __has_include(\"n.h\")"},
    {false, "__has_include(\"y.h\") && __has_include(\"n.h\")"},
    {false, "__has_include(\"y.h\") || __has_include(\"n.h\")"},
    {false, "__has_include(\"none.h\") && __has_include(\"n.h\")"},
    {false, "0 && __has_include(\"y.h\") || __has_include(\"n.h\")"},
    {false, "1 || 0 && __has_include(\"y.h\")"},
    {false, "0 == __has_include(\"y.h\")"},
    {false, "0 && HAS(\"y.h\")"},
    {false, "1 && HAS(\"y.h\")"},
    {false, "SUM - 2 && __has_include(\"y.h\")"},
    {false, "SUM * 0 && __has_include(\"y.h\")"},
    {false, "0 or not 1 and __has_include(\"y.h\")"},
    {false, "1 \\\n || __has_include(\"y.h\")"},
    {false, "ID(0 && __has_include(\"y.h\"))"},
    {false, "0 && ID(__has_include(\"y.h\"))"},
    {false, "__has_attribute(unused) || __has_include(\"y.h\")"},
    {true, "NEVER"},
    {false, "HAS(\"y.h\") && HAS(\"n.h\")"},
    {false, "HAS(\"none.h\") || HAS(\"n.h\")"},
    {false, "HAS(\"none.h\") && HAS(\"n.h\")"},
    {false, "YES && YES && __has_include(\"n.h\")"},
    {false, "YES || YES && __has_include(\"n.h\")"},
    {false, "NAME(\"none.h\") && NAME(\"y.h\")"},
    {false, "ID(1) && __has_include(\"y.h\")"},
    {false, "ID(__has_include(\"y.h\")) && ID(__has_include(\"n.h\"))"},
    {false, "DEFINED && __has_include(\"y.h\")"},
    {true, "SELF || __has_include(\"y.h\")"},
    {true, "'a' == 98 && __has_include(\"y.h\")"},
    {true, "-1 < 0u && __has_include(\"y.h\")"},
    {true, "/* x\n */ 0 && __has_include(\"y.h\")"},
};

static const char *const looked_at[] = {"y.h", "n.h"};
enum { FILES = 2 };

/* Which of them does the compiler open? */
static void ask_kernel(struct oracle *o, bool opened[FILES])
{
	static const char *const argv[] = {"g++", "-std=c++20", "-E", "m.cc", "-o", "/dev/null", NULL};
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf complaint = WB_BUF_INIT;
	struct wb_process p = {.argv = argv, .cwd = o->dir, .err_out = &complaint};
	int status, watch[FILES], fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	_Alignas(struct inotify_event) char events[4096];
	assert_true(fd >= 0);
	for (size_t i = 0; i < FILES; i++) {
		opened[i] = false;
		watch[i] = inotify_add_watch(fd, wb_path_join(&o->a, o->dir, looked_at[i]), IN_OPEN);
		assert_true(watch[i] >= 0);
	}
	assert_ok(wb_process_run(&status, &p, &err), &err);
	if (status != 0)
		fail_msg("%s", complaint.p ? complaint.p : "");
	wb_buf_release(&complaint);
	ssize_t n = read(fd, events, sizeof events);
	for (char *at = events; n > 0 && at < events + n;) {
		const struct inotify_event *e = (const struct inotify_event *)(const void *)at;
		for (size_t i = 0; i < FILES; i++)
			opened[i] = opened[i] || e->wd == watch[i];
		at += sizeof *e + e->len;
	}
	close(fd);
}

static void test_lookups(void **state)
{
	struct oracle *o = *state;
	if (!oracle_has("g++"))
		skip();
	for (size_t f = 0; f < FILES; f++)
		oracle_put_fresh(o, looked_at[f], "");
	for (size_t i = 0; i < sizeof lookup / sizeof *lookup; i++) {
		struct wb_graph g;
		bool opened[FILES];
		struct wb_err err = WB_ERR_INIT;
		enum wb_reason reason = WB_REASON_NONE;
		oracle_put_fresh(
		    o, "m.cc",
		    wb_arena_printf(
			&o->a,
			"#define T 1\n#define HAS(x) __has_include(x)\n#define ID(x) x\n"
			"#define SUM 1 + 1\n#define YES __has_include(\"y.h\")\n"
			"#define NAME __has_include\n#define SELF SELF\n"
			"#define DEFINED defined NO || defined(T)\n#define NEVER 0 && __has_include(\"y.h\")\n"
			"#if 0\n#elif %s\n#endif\n",
			lookup[i].condition));
		wb_status s = oracle_scan(o, &g, "g++ -std=c++20 -c m.cc", &reason, &err);
		if (lookup[i].unsure && s.code == WB_EUNSCANNABLE) {
			assert_says(&err, "__has_include");
			continue;
		}
		assert_ok(s, &err);
		assert_false(g.failed);
		ask_kernel(o, opened);
		for (size_t f = 0; f < FILES; f++)
			if (opened[f] != (oracle_file(&g, looked_at[f]) != UINT32_MAX))
				fail_msg("%s: %s", lookup[i].condition, looked_at[f]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_dialects, oracle_setup_clang, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_error_directive, oracle_setup_clang, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_lookups, oracle_setup_clang, oracle_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
