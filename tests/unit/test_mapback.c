/* What the compiler wrote about the action, as the original command would have written it. */
#include "pchfix/mapback.h"
#include "tests/unit/unit.h"

#include <string.h>

#define P   "/proc/self/cwd/"
#define B   "\033[1m"
#define OFF "\033[0m"

static const struct wb_mapback_pair path[] = {
    {"../inc/with space.h", "/w/proj/inc/with space.h"},
    {"../inc/x.h", "/w/proj/inc/x.h"},
    {"../rel/y.h", "../rel/y.h"}, /* was relative before */
    {"../src/a$b#c.cpp", "/w/proj/src/a$b#c.cpp"},
    {"../src/a.cpp", "/w/proj/src/a.cpp"},
    {"../src/a:b.cpp", "/w/proj/src/a:b.cpp"},
    {"gen/config.h", "gen/config.h"},
    {"gen/g.h", "/w/proj/build/gen/g.h"},
    {"waybill-0123456789abcdef.hxx", "/w/proj/build/d/cmake_pch.hxx"},
};
static const struct wb_mapback_pair prefix[] = {{"d/", "/w/proj/build/d/"}, {"../", "/w/proj/"}};
static const struct wb_mapback map = {.path = path,
				      .npath = sizeof path / sizeof *path,
				      .target = {"d/x.o", "/w/proj/build/d/x.o"},
				      .prefix = prefix,
				      .nprefix = 2};

struct row {
	const char *in, *out; /* NULL: the same */
};

static void depfiles(void **state)
{
	(void)state;
	static const struct row row[] = {
	    {"", NULL},
	    {"a.o: ../src/a.cpp\n", "a.o: /w/proj/src/a.cpp\n"},
	    /* what was relative stays, what nobody knows goes by its directory, the system stays */
	    {"a.o: ../rel/y.h gen/config.h ../other/z.h /usr/include/stdio.h plain.h\n",
	     "a.o: ../rel/y.h gen/config.h /w/proj/other/z.h /usr/include/stdio.h plain.h\n"},
	    {"a.o: " P "../src/a.cpp " P "gen/config.h " P "plain.h " P P "x.h\n",
	     "a.o: /w/proj/src/a.cpp gen/config.h plain.h x.h\n"},
	    {"a.o: ./gen/config.h ./../inc/x.h\n", "a.o: gen/config.h /w/proj/inc/x.h\n"},
	    {"a.o: waybill-0123456789abcdef.hxx " P "d/cmake_pch.hxx.cxx\n",
	     "a.o: /w/proj/build/d/cmake_pch.hxx /w/proj/build/d/cmake_pch.hxx.cxx\n"},
	    /* continuation lines, of both kinds, as they are */
	    {"a.o: \\\n ../src/a.cpp \\\r\n  ../inc/x.h\\\n\n",
	     "a.o: \\\n /w/proj/src/a.cpp \\\r\n  /w/proj/inc/x.h\\\n\n"},
	    /* names with blanks, '$' and '#' */
	    {"a.o: ../inc/with\\ space.h ../src/a$$b\\#c.cpp plain\\ name$$.h\n",
	     "a.o: /w/proj/inc/with\\ space.h /w/proj/src/a$$b\\#c.cpp plain\\ name$$.h\n"},
	    /* targets belong to the build system */
	    {"../src/a.cpp " P "gen/g.h: ../src/a.cpp\n", "../src/a.cpp gen/g.h: /w/proj/src/a.cpp\n"},
	    {"d/x.o d/y.o: ../src/a.cpp\n", "/w/proj/build/d/x.o d/y.o: /w/proj/src/a.cpp\n"},
	    {"a.o : d/x.o\n", "a.o : /w/proj/build/d/x.o\n"},
	    /* the phony rules of -MP */
	    {"a.o: ../src/a.cpp ../inc/x.h\n\n../inc/x.h:\n\n" P "gen/g.h:\n",
	     "a.o: /w/proj/src/a.cpp /w/proj/inc/x.h\n\n/w/proj/inc/x.h:\n\n/w/proj/build/gen/g.h:\n"},
	    /* no newline at the end; nonsense */
	    {"a.o: ../src/a.cpp", "a.o: /w/proj/src/a.cpp"},
	    {":", NULL},
	    {"\\", NULL},
	    {"a.o: \\", NULL},
	    {"a.o: x\\\\ y\n", NULL},
	    {": : ../src/a.cpp:\n", ": : /w/proj/src/a.cpp:\n"},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct wb_buf out = WB_BUF_INIT;
		wb_buf_adds(&out, "");
		wb_mapback_depfile(&out, &map, row[i].in, strlen(row[i].in));
		const char *want = row[i].out == NULL ? row[i].in : row[i].out;
		if (out.n != strlen(want) || (out.n > 0 && memcmp(out.p, want, out.n) != 0))
			fail_msg("row %zu: got '%s', expected '%s'", i, out.n == 0 ? "" : out.p, want);
		wb_buf_release(&out);
	}
}

static void check_diagnostics(const struct row *row, size_t n, bool strip)
{
	for (size_t i = 0; i < n; i++) {
		struct wb_buf out = WB_BUF_INIT;
		wb_mapback_diagnostics(&out, &map, row[i].in, strlen(row[i].in), strip);
		const char *want = row[i].out == NULL ? row[i].in : row[i].out;
		if (out.n != strlen(want) || (out.n > 0 && memcmp(out.p, want, out.n) != 0))
			fail_msg("row %zu: got '%s', expected '%s'", i, out.n == 0 ? "" : out.p, want);
		wb_buf_release(&out);
	}
}

static void diagnostics(void **state)
{
	(void)state;
	static const struct row plain[] = {
	    {"", NULL},
	    {"1 warning generated.\n", NULL},
	    {"../src/a.cpp:2:5: warning: unused\n    2 | #include \"../inc/x.h\"\n      |     ^\n",
	     "/w/proj/src/a.cpp:2:5: warning: unused\n    2 | #include \"../inc/x.h\"\n      |     ^\n"},
	    {P "../src/a.cpp:2:5: note: here\n" P "plain.h:1:1: error: x\n",
	     "/w/proj/src/a.cpp:2:5: note: here\nplain.h:1:1: error: x\n"},
	    {"../rel/y.h:1:2: warning: w\n", NULL},
	    {"../src/a:b.cpp:1:2: warning: w\n", "/w/proj/src/a:b.cpp:1:2: warning: w\n"},
	    {"../inc/with space.h:1:2: warning: w\n", "/w/proj/inc/with space.h:1:2: warning: w\n"},
	    {"In file included from ../src/a.cpp:1:\nIn file included from "
	     "./../inc/x.h:3:\n./waybill-0123456789abcdef.hxx:8:10: e\n",
	     "In file included from /w/proj/src/a.cpp:1:\nIn file included from "
	     "/w/proj/inc/x.h:3:\n/w/proj/build/d/cmake_pch.hxx:8:10: e\n"},
	    {"In file included from ../inc/x.h:1,\n                 from ../src/a.cpp:2:\n../inc/x.h: In function 'int "
	     "f()':\n",
	     "In file included from /w/proj/inc/x.h:1,\n                 from /w/proj/src/a.cpp:2:\n/w/proj/inc/x.h: "
	     "In function 'int f()':\n"},
	    {"../src/a.cpp:1:1: error: no match for '(lambda at ../inc/x.h:3:9)' at noon\n",
	     "/w/proj/src/a.cpp:1:1: error: no match for '(lambda at /w/proj/inc/x.h:3:9)' at noon\n"},
	    {"/usr/include/x.h:1:1: error: file '" P "../inc/x.h' has been modified, " P "gen/config.h too\n",
	     "/usr/include/x.h:1:1: error: file '/w/proj/inc/x.h' has been modified, gen/config.h too\n"},
	    {"  char *s = \" at ../inc/x.h:3\";\n", NULL},
	    {"../src/a.cpp", NULL},
	};
	static const struct row color[] = {
	    {B "../src/a.cpp:2:5: " OFF B "warning" OFF ": x\n",
	     B "/w/proj/src/a.cpp:2:5: " OFF B "warning" OFF ": x\n"},
	    {"\033[01m\033[K../src/a.cpp:2:5:\033[m\033[K note\n",
	     "\033[01m\033[K/w/proj/src/a.cpp:2:5:\033[m\033[K note\n"},
	    {"In file included from \033[01m\033[K../inc/x.h:1\033[m\033[K,\n",
	     "In file included from \033[01m\033[K/w/proj/inc/x.h:1\033[m\033[K,\n"},
	    {B P "../src/a.cpp" OFF ": x\n", B "/w/proj/src/a.cpp" OFF ": x\n"},
	};
	static const struct row stripped[] = {
	    {B "../src/a.cpp:2:5: " OFF "\033[0;1;35mwarning: " OFF B "x" OFF "\n    2 | "
	       "\033[0;34mint" OFF " x;\n",
	     "/w/proj/src/a.cpp:2:5: warning: x\n    2 | int x;\n"},
	    {"In file included from \033[01m\033[K../inc/x.h:1\033[m\033[K,\n",
	     "In file included from /w/proj/inc/x.h:1,\n"},
	    {"\033[", NULL},
	    {"\033[12", NULL},
	    {"x\033", NULL},
	};
	check_diagnostics(plain, sizeof plain / sizeof *plain, false);
	check_diagnostics(plain, sizeof plain / sizeof *plain, true);
	check_diagnostics(color, sizeof color / sizeof *color, false);
	check_diagnostics(stripped, sizeof stripped / sizeof *stripped, true);
}

static void an_empty_map(void **state)
{
	(void)state;
	static const struct wb_mapback none;
	struct wb_buf out = WB_BUF_INIT;
	wb_mapback_depfile(&out, &none, "a.o: ../x.h " P "y.h\n", strlen("a.o: ../x.h " P "y.h\n"));
	assert_string_equal(out.p, "a.o: ../x.h y.h\n");
	wb_buf_reset(&out);
	wb_mapback_diagnostics(&out, &none, P "y.h:1:1: x\n", strlen(P "y.h:1:1: x\n"), false);
	assert_string_equal(out.p, "y.h:1:1: x\n");
	wb_buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(depfiles),
	    cmocka_unit_test(diagnostics),
	    cmocka_unit_test(an_empty_map),
	};
	return cmocka_run_group_tests_name("mapback", tests, NULL, NULL);
}
