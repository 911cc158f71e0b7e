#include "base/arena.h"
#include "base/path.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

static struct wb_arena arena;

static int setup(void **state)
{
	(void)state;
	wb_arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	wb_arena_release(&arena);
	return 0;
}

static void test_fold_and_normal(void **state)
{
	(void)state;
	/* fold keeps "x/..": x may be a symlink. normal does not. */
	static const struct {
		const char *path, *fold, *normal;
	} table[] = {
	    {"", ".", "."},
	    {".", ".", "."},
	    {"./", ".", "."},
	    {"./.", ".", "."},
	    {"a", "a", "a"},
	    {"./a", "a", "a"},
	    {"a/.", "a", "a"},
	    {"a//b", "a/b", "a/b"},
	    {"a/./b/", "a/b", "a/b"},
	    {"/", "/", "/"},
	    {"//", "/", "/"},
	    {"/.", "/", "/"},
	    {"//a///b//", "/a/b", "/a/b"},
	    {"a/..", "a/..", "."},
	    {"a/../b", "a/../b", "b"},
	    {"..", "..", ".."},
	    {"../a", "../a", "../a"},
	    {"../a/..", "../a/..", ".."},
	    {"../../a/../..", "../../a/../..", "../../.."},
	    {"a/../..", "a/../..", ".."},
	    {"a/b/../../c", "a/b/../../c", "c"},
	    {"/..", "/..", "/"},
	    {"/../a", "/../a", "/a"},
	    {"/a/..", "/a/..", "/"},
	    {"/a/../..", "/a/../..", "/"},
	    {"/a/b/../c/./d", "/a/b/../c/d", "/a/c/d"},
	    {"...", "...", "..."},
	    {".a/..b", ".a/..b", ".a/..b"},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		assert_string_equal(wb_path_fold(&arena, table[i].path), table[i].fold);
		assert_string_equal(wb_path_normal(&arena, table[i].path), table[i].normal);
	}
}

static void test_join(void **state)
{
	(void)state;
	static const struct {
		const char *dir, *path, *want;
	} table[] = {
	    {"/d", "a", "/d/a"}, {"/d/", "./a", "/d/a"}, {"/d", "/a", "/a"},         {"/d", "../a", "/d/../a"},
	    {"/", "a", "/a"},    {"/d", ".", "/d"},      {"/d", "", "/d"},           {"d", "a//b/", "d/a/b"},
	    {"", "a", "a"},      {".", "a", "a"},        {"/d//e/.", "f", "/d/e/f"}, {"..", "a", "../a"},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		assert_string_equal(wb_path_join(&arena, table[i].dir, table[i].path), table[i].want);
}

static void test_relative(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to, *want, *common;
	} table[] = {
	    {"/a", "/a", ".", "/a"},         {"/", "/", ".", "/"},
	    {"/", "/x/y", "x/y", "/"},       {"/x/y", "/", "../..", "/"},
	    {"/a/b", "/a/c", "../c", "/a"},  {"/a/b", "/a/bc", "../bc", "/a"},
	    {"/a/bc", "/a/b", "../b", "/a"}, {"/a", "/a/b/c", "b/c", "/a"},
	    {"/a/b/c", "/a", "../..", "/a"}, {"/a/b", "/x/y/z", "../../x/y/z", "/"},
	    {"/ab", "/a", "../a", "/"},      {"/a", "/b", "../b", "/"},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		assert_string_equal(wb_path_relative(&arena, table[i].from, table[i].to), table[i].want);
		assert_string_equal(wb_path_common(&arena, table[i].from, table[i].to), table[i].common);
		assert_string_equal(wb_path_common(&arena, table[i].to, table[i].from), table[i].common);
		/* From there along the answer is where it should be. */
		const char *back = wb_path_normal(&arena, wb_path_join(&arena, table[i].from, table[i].want));
		assert_string_equal(back, table[i].to);
	}
}

static void test_below(void **state)
{
	(void)state;
	static const struct {
		const char *path, *dir, *after;
	} table[] = {
	    {"/a/b", "/a", "b"},  {"/a", "/a", ""},        {"/ab", "/a", NULL},
	    {"/a", "/a/b", NULL}, {"/a/b", "/", "a/b"},    {"/", "/", ""},
	    {"/b/a", "/a", NULL}, {"/a/b/c", "/a/b", "c"}, {"a/b", "/", NULL},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const char *after = wb_path_after(table[i].path, table[i].dir);
		assert_int_equal(wb_path_below(table[i].path, table[i].dir), table[i].after != NULL);
		if (table[i].after == NULL)
			assert_null(after);
		else
			assert_string_equal(after, table[i].after);
	}
}

static void test_parts(void **state)
{
	(void)state;
	static const struct {
		const char *path, *dirname, *basename, *suffix;
		bool dotdot;
	} table[] = {
	    {"/a/b.c", "/a", "b.c", ".c", false}, {"b.tar.gz", ".", "b.tar.gz", ".gz", false},
	    {"/b", "/", "b", "", false},          {"/", "/", "", "", false},
	    {"a.d/b", "a.d", "b", "", false},     {"a//b", "a", "b", "", false},
	    {"..", ".", "..", "", true},          {"a/../b.h", "a/..", "b.h", ".h", true},
	    {"a..b/c", "a..b", "c", "", false},   {".c", ".", ".c", ".c", false},
	    {"a/..", "a", "..", "", true},        {"", ".", "", "", false},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		assert_string_equal(wb_path_dirname(&arena, table[i].path), table[i].dirname);
		assert_string_equal(wb_path_basename(table[i].path), table[i].basename);
		assert_string_equal(wb_path_suffix(table[i].path), table[i].suffix);
		assert_int_equal(wb_path_has_dotdot(table[i].path), table[i].dotdot);
	}
}

/* Why fold leaves ".." alone: behind a symlink, x/.. is not the directory that holds x. */
static void test_symlink(void **state)
{
	(void)state;
	char top[] = "/tmp/waybill-path-XXXXXX";
	assert_non_null(mkdtemp(top));
	const char *real = wb_path_real(&arena, top);
	const char *deep = wb_arena_printf(&arena, "%s/deep", real);
	const char *link = wb_arena_printf(&arena, "%s/link", real);
	assert_int_equal(symlink("/usr/bin", link), 0);
	const char *through = wb_path_join(&arena, link, "..");
	assert_string_equal(wb_path_real(&arena, through), "/usr");
	assert_string_equal(wb_path_normal(&arena, through), real);
	assert_null(wb_path_real(&arena, deep));
	unlink(link);
	rmdir(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fold_and_normal), cmocka_unit_test(test_join),  cmocka_unit_test(test_relative),
	    cmocka_unit_test(test_below),           cmocka_unit_test(test_parts), cmocka_unit_test(test_symlink),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
