/* Twins: which include lines change, and into what. */
#include "base/arena.h"
#include "pchfix/twin.h"
#include "tests/unit/unit.h"

#include <string.h>

static const char *const root[] = {"/w/proj"};
static const char *const system_dirs[] = {"/usr"};
static const struct wb_roots roots = {.base = "/w/proj",
				      .root = root,
				      .nroot = 1,
				      .cwd = "/w/proj/build",
				      .action_cwd = "/w/proj/build",
				      .system = system_dirs,
				      .nsystem = 1};

/* What the scan found for quoted includes, by line. */
static struct wb_graph_file files[] = {{.path = "/w/proj/build/d/cmake_pch.hxx"},
				       {.path = "/w/proj/src/core/../other/x.h"},
				       {.path = "/usr/include/stdio.h"},
				       {.path = "gen/config.h"}};
static struct wb_edge edges[] = {{.from = 0, .to = 1, .line = 2, .kind = WB_EDGE_QUOTE, .name = "../other/x.h"},
				 {.from = 0, .to = 2, .line = 3, .kind = WB_EDGE_QUOTE, .name = "stdio.h"},
				 {.from = 0, .to = 3, .line = 4, .kind = WB_EDGE_QUOTE, .name = "config.h"},
				 {.from = 1, .to = 3, .line = 5, .kind = WB_EDGE_QUOTE, .name = "config.h"}};
static const struct wb_graph graph = {.file = files, .nfile = 4, .edge = edges, .nedge = 4};

#define P "/proc/self/cwd/"

static void texts(void **state)
{
	(void)state;
	static const struct {
		enum wb_twin_place place;
		const char *in, *out; /* NULL: no twin */
	} row[] = {
	    {WB_TWIN_IN_PLACE, "#include \"/w/proj/src/a.cpp\"\n", "#include \"" P "../src/a.cpp\"\n"},
	    {WB_TWIN_IN_PLACE, "\t# include\t</w/proj/build/a.h> // why\r\nint x;",
	     "\t# include\t\"" P "a.h\" // why\r\nint x;"},
	    {WB_TWIN_IN_PLACE, "#include_next \"/w/proj/a.h\"\n#import \"/w/proj/b.h\"",
	     "#include_next \"" P "../a.h\"\n#import \"" P "../b.h\""},
	    {WB_TWIN_IN_PLACE, "#include \"/w/proj/lnk/../a.h\"", "#include \"" P "../lnk/../a.h\""},
	    /* nothing to do */
	    {WB_TWIN_IN_PLACE, "", NULL},
	    {WB_TWIN_IN_PLACE, "#include <vector>\n#include \"x.h\"\n", NULL},
	    {WB_TWIN_IN_PLACE, "#include \"/usr/include/stdio.h\"\n", NULL},
	    {WB_TWIN_IN_PLACE, "#include \"/w/project/x.h\"\n", NULL},
	    {WB_TWIN_IN_PLACE, "#define F \"/w/proj/x.h\"\n#include F\n", NULL},
	    {WB_TWIN_IN_PLACE, "#include \"/w/proj/x.h\n", NULL},
	    {WB_TWIN_IN_PLACE, "#include \"\"\n#include <>\n#include\n#\n#includes \"/w/proj/x.h\"", NULL},
	    {WB_TWIN_IN_CWD, "#include \"x.h\"\n#include \"../other/x.h\"\n", NULL}, /* no absolute one: no twin */
	    /* in another directory quoted names become what the scan resolved */
	    {WB_TWIN_IN_CWD,
	     "#pragma clang system_header\n#include \"../other/x.h\"\n#include \"stdio.h\"\n#include \"config.h\"\n"
	     "#include \"unknown.h\"\n#include <config.h>\n#include \"/w/proj/inc/abs.h\"\n",
	     "#pragma clang system_header\n#include \"" P
	     "../src/core/../other/x.h\"\n#include <stdio.h>\n#include \"" P
	     "gen/config.h\"\n#include \"unknown.h\"\n#include <config.h>\n#include \"" P "../inc/abs.h\"\n"},
	    {WB_TWIN_IN_PLACE, "#include \"/w/proj/a.h\"\n#include \"../other/x.h\"\n",
	     "#include \"" P "../a.h\"\n#include \"../other/x.h\"\n"},
	};
	struct wb_arena a;
	wb_arena_init(&a);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		size_t n = 0;
		char *got = wb_twin_text(&a, &n, row[i].in, strlen(row[i].in), &roots, &graph, 0, row[i].place);
		if ((got == NULL) != (row[i].out == NULL) || (got != NULL && strcmp(got, row[i].out) != 0))
			fail_msg("row %zu: got '%s'", i, got == NULL ? "(none)" : got);
		if (got == NULL)
			continue;
		assert_int_equal(n, strlen(got));
		/* a twin needs no twin */
		assert_null(wb_twin_text(&a, &n, got, n, &roots, &graph, 0, row[i].place));
	}
	wb_arena_release(&a);
}

static void covered(void **state)
{
	(void)state;
	static const char text[] = "#include A\n#include \"/w/x.h\"\n#if __has_include(\"/w/x.h\")\n";
	assert_true(wb_twin_covers(text, sizeof text - 1, 2, "/w/x.h"));
	assert_false(wb_twin_covers(text, sizeof text - 1, 2, "/w/x"));
	assert_false(wb_twin_covers(text, sizeof text - 1, 1, "/w/x.h"));
	assert_false(wb_twin_covers(text, sizeof text - 1, 3, "/w/x.h"));
	assert_false(wb_twin_covers(text, sizeof text - 1, 4, "/w/x.h"));
	assert_false(wb_twin_covers(text, sizeof text - 1, 0, "/w/x.h"));
}

static void names(void **state)
{
	(void)state;
	struct wb_arena a;
	wb_arena_init(&a);
	const char *one = wb_twin_name(&a, "CMakeFiles/a.dir/cmake_pch.hxx");
	const char *two = wb_twin_name(&a, "CMakeFiles/b.dir/cmake_pch.hxx");
	assert_int_equal(strlen(one), strlen("waybill-0123456789abcdef.hxx"));
	assert_true(strncmp(one, "waybill-", 8) == 0 && strcmp(one + 24, ".hxx") == 0);
	assert_string_not_equal(one, two);
	assert_string_equal(wb_twin_name(&a, "CMakeFiles/a.dir/cmake_pch.hxx"), one);
	assert_string_equal(wb_twin_name(&a, "d/cmake_pch.h") + 24, ".h");
	wb_arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts),
	    cmocka_unit_test(covered),
	    cmocka_unit_test(names),
	};
	return cmocka_run_group_tests_name("twin", tests, NULL, NULL);
}
