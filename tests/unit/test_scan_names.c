/* Names of files, as `scan` prints them. */
#include "scanner/graph.h"
#include "service/scan_names.h"
#include "tempdir.h"

static void names_of_files(void **state)
{
	struct wb_scan_names n;
	struct wb_arena a;
	struct tempdir t;

	(void)state;
	wb_arena_init(&a);
	wb_scan_names_init(&n);
	tempdir_init(&t);
	const char *top = t.path;
	const char *p = wb_arena_printf(&a, "%s/p", top);
	static const char *const dir[] = {"p", "p/a", "p/a/b", "q"};
	for (size_t i = 0; i < sizeof dir / sizeof *dir; i++)
		assert_int_equal(mkdir(wb_arena_printf(&a, "%s/%s", top, dir[i]), 0700), 0);
	assert_int_equal(symlink("../q", wb_arena_printf(&a, "%s/link", p)), 0);
	const struct {
		const char *path, *want; /* below top; "" in front: absolute */
	} row[] = {
	    {"m.c", "/p/m.c"},
	    {"./a/x.h", "/p/a/x.h"},
	    {"a//b/./x.h", "/p/a/b/x.h"},
	    {"a/b/../x.h", "/p/a/x.h"},
	    {"../q/x.h", "/p/../q/x.h"}, /* what leads out of the directory stays */
	    {"a/../../q/x.h", "/p/../q/x.h"},
	    {"link/../q/x.h", "/p/link/../q/x.h"}, /* p/q is not there */
	    {"link/x.h", "/p/link/x.h"},
	    {"a/x.h", "/p/a/x.h"},
	    {"a/x.h", "/p/a/x.h"},
	};
	for (int round = 0; round < 2; round++) /* the second time from memory */
		for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
			struct wb_scan_name name = wb_scan_names_of(&n, p, row[i].path);
			const char *got = wb_arena_printf(&a, "%.*s%.*s", (int)name.directory->name.n,
							  name.directory->name.p, (int)name.base.n, name.base.p);
			assert_string_equal(got, wb_arena_printf(&a, "%s%s", top, row[i].want));
		}
	/* The same relative names below another directory. */
	const char *q = wb_arena_printf(&a, "%s/q", top);
	struct wb_scan_name name = wb_scan_names_of(&n, q, "./a/x.h");
	assert_string_equal(name.directory->name.p, wb_arena_printf(&a, "%s/q/a/", top));
	/* Two spellings of one name are listed once, also when the second comes late. */
	struct wb_graph_file f[] = {{.path = "a/x.h"}, {.path = "a/y.h"},        {.path = "a/b/../x.h"},
				    {.path = "m.c"},   {.path = "./a/b/../y.h"}, {.path = "a/b/x.h"}};
	struct wb_graph g = {.file = f, .nfile = 6};
	struct wb_scan_name *list;
	assert_int_equal(wb_scan_names_list(&list, &a, &n, p, &g), 4);
	assert_string_equal(list[2].base.p, "m.c");
	assert_string_equal(list[3].directory->name.p, wb_arena_printf(&a, "%s/a/b/", p));
	wb_scan_names_release(&n);
	tempdir_release(&t);
	wb_arena_release(&a);
}

/* GNU make's rules: each name comes back as one word. */
static void names_for_make(void **state)
{
	static const struct {
		const char *name, *want;
	} row[] = {
	    {"plain.h", "plain.h"},
	    {"a b", "a\\ b"},
	    {"a#b", "a\\#b"},
	    {"a$b", "a$$b"},
	    {"a\\b", "a\\b"},
	    {"a\\ b", "a\\\\\\ b"},
	    {"a\\\\ b", "a\\\\\\\\\\ b"},
	    {" ", "\\ "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct wb_buf b = WB_BUF_INIT;

		wb_scan_names_quote(&b, wb_str_of(row[i].name));
		assert_string_equal(b.p, row[i].want);
		wb_buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_of_files),
	    cmocka_unit_test(names_for_make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
