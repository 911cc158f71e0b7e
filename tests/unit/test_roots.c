/* What is the project, what is the system, and how a path reads from the action's directory. */
#define _GNU_SOURCE
#include "scanner/roots.h"
#include "scanner/toolchain.h"
#include "tests/unit/tempdir.h"

/* --- respelling: pure text --- */

static const char *const one_root[] = {"/w/proj"};
static const char *const two_roots[] = {"/a/src", "/b/build"};
static const char *const system_dirs[] = {"/usr", "/w/proj/toolchain"};
static const struct wb_root_alias alias[] = {
    {"/link/p", "/w/proj"}, {"/link/p/deep", "/w/proj/x/y"}, {"/q/../z", "/w/proj"}};

static void respelled(void **state)
{
	(void)state;
	static const struct {
		const char *cwd, *action_cwd, *path, *want;
	} row[] = {
	    /* absolute, below the root */
	    {"/w/proj/build", "/w/proj/build", "/w/proj/src/a.c", "../src/a.c"},
	    {"/w/proj/build", "/w/proj/build", "/w/proj/build", "."},
	    {"/w/proj/build", "/w/proj/build", "/w/proj/build/gen/x.h", "gen/x.h"},
	    {"/w/proj/build", "/w/proj/build", "/w/proj", ".."},
	    {"/w/proj/build", "/w/proj/build", "/w//proj/./src/", "../src"},
	    {"/w/proj/b/c/d", "/w/proj/b/c/d", "/w/proj/b/x", "../../x"},
	    /* ".." stays: what is before it may be a symlink */
	    {"/w/proj/build", "/w/proj/build", "/w/proj/lnk/../inc", "../lnk/../inc"},
	    {"/w/proj/build", "/w/proj/build", "/w/proj/build/../src", "../src"},
	    {"/w/proj/build", "/w/proj/build", "/w/proj/build/x/../../src", "x/../../src"},
	    /* elsewhere */
	    {"/w/proj/build", "/w/proj/build", "/usr/include", "/usr/include"},
	    {"/w/proj/build", "/w/proj/build", "/w/project/x", "/w/project/x"},
	    {"/w/proj/build", "/w/proj/build", "/w/../w/proj/x", "/w/../w/proj/x"},
	    {"/w/proj/build", "/w/proj/build", "/w/proj/toolchain/include", "/w/proj/toolchain/include"},
	    {"/w/proj/build", "/w/proj/build", "", ""},
	    /* through a symlink: the longest spelling wins */
	    {"/w/proj/build", "/w/proj/build", "/link/p/src/a.c", "../src/a.c"},
	    {"/w/proj/build", "/w/proj/build", "/link/p/deep/a.c", "../x/y/a.c"},
	    {"/w/proj/build", "/w/proj/build", "/link/p/src/../inc", "../src/../inc"},
	    {"/w/proj/build", "/w/proj/build", "/q/../z/src", "../src"},
	    {"/w/proj/build", "/w/proj/build", "/link/other", "/link/other"},
	    /* relative, same directory: as it is */
	    {"/w/proj/build", "/w/proj/build", "gen/x.h", "gen/x.h"},
	    {"/w/proj/build", "/w/proj/build", "./x//y", "./x//y"},
	    {"/w/proj/build", "/w/proj/build", "../../../outside", "../../../outside"},
	    {"/w/proj/build", "/w/proj/build", "../../proj/src", "../src"},
	    {"/w/proj/build", "/w/proj/build", "../../../usr/include", "/usr/include"},
	    {"/w/proj/build", "/w/proj/build", "../toolchain/lib/../include", "/w/proj/toolchain/lib/../include"},
	    /* relative, another directory */
	    {"/w/proj/build/sub", "/w/proj/build", "x.o", "sub/x.o"},
	    {"/w/proj/build/sub", "/w/proj/build", "../gen/x.h", "gen/x.h"},
	    {"/w/proj/build/sub", "/w/proj/build", "../../src/x.c", "../src/x.c"},
	    {"/w/proj/build/sub", "/w/proj/build", ".", "sub"},
	    {"/w/proj/build/sub", "/w/proj/build", "..", "."},
	    {"/w/proj/build/sub", "/w/proj/build", "lnk/../x", "sub/lnk/../x"},
	    {"/w/proj/build/sub", "/w/proj/build", "../lnk/../x", "lnk/../x"},
	    /* never an option or a response file */
	    {"/w/proj/build", "/w/proj/build", "/w/proj/build/-x.c", "./-x.c"},
	    {"/w/proj/build", "/w/proj/build", "/w/proj/build/@x.c", "./@x.c"},
	};
	struct wb_arena a;
	wb_arena_init(&a);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct wb_roots r = {.base = "/w/proj",
				     .root = one_root,
				     .nroot = 1,
				     .cwd = row[i].cwd,
				     .action_cwd = row[i].action_cwd,
				     .system = system_dirs,
				     .nsystem = 2,
				     .alias = alias,
				     .nalias = 3};
		const char *got = wb_roots_respell(&r, &a, row[i].path);
		if (strcmp(got, row[i].want) != 0)
			fail_msg("row %zu: %s: got %s, expected %s", i, row[i].path, got, row[i].want);
		if (strcmp(got, row[i].path) == 0)
			assert_ptr_equal(got, row[i].path);
		r.cwd = r.action_cwd; /* what comes out goes in again as it is */
		assert_string_equal(wb_roots_respell(&r, &a, got), got);
	}
	struct wb_roots two = {.base = "/", .root = two_roots, .nroot = 2, .cwd = "/b/build", .action_cwd = "/b/build"};
	assert_string_equal(wb_roots_respell(&two, &a, "/a/src/x.c"), "../../a/src/x.c");
	assert_string_equal(wb_roots_respell(&two, &a, "/b/build/y"), "y");
	assert_string_equal(wb_roots_respell(&two, &a, "/b/other"), "/b/other");
	wb_arena_release(&a);
}

/* --- finding them: real directories --- */

struct find {
	const char *cwd;
	const char *words; /* command, blank-separated; "@" is the test's directory */
	const char *root, *home;
	const char *want; /* "ROOT... | action_cwd", or "!part of the message" */
};

static wb_status find(struct wb_roots *r, struct tempdir *t, const struct find *f, struct wb_err *err)
{
	static const char *const own[] = {"/usr/lib/llvm-22"};
	static const struct wb_toolchain tc = {.own_dir = own, .nown_dir = 1};
	struct wb_argv argv = {0};
	char *save = NULL, *words = tempdir_text(t, f->words);
	for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		wb_argv_push(&argv, &t->a, w);
	struct wb_command *cmd = wb_arena_alloc(&t->a, sizeof *cmd);
	assert_ok(wb_command_parse(cmd, &t->a, argv.v, tempdir_text(t, f->cwd), WB_DRIVER_CLANG, err), err);
	struct wb_roots_config cfg = {.root = tempdir_text(t, f->root == NULL ? "" : f->root),
				      .system_dirs = tempdir_text(t, "/usr:/opt:@/sys"),
				      .home = tempdir_text(t, f->home == NULL ? "@/home" : f->home)};
	enum wb_reason reason = WB_REASON_NONE;
	wb_status s = wb_roots_find(r, &t->a, cmd, &tc, &cfg, &reason, err);
	assert_int_equal(reason, wb_is_ok(s) ? WB_REASON_NONE : WB_REASON_NO_ROOT);
	return s;
}

static void make_trees(struct tempdir *t)
{
	tempdir_dir(t, "home/plain");
	tempdir_file(t, "home/plain/a.c", "");
	tempdir_file(t, "home/bare.c", "");
	tempdir_dir(t, "sys/include");
	tempdir_file(t, "sys/include/s.h", "");
	/* a git checkout with its build directory, and one in a submodule */
	tempdir_dir(t, "g/.git");
	tempdir_file(t, "g/src/a.c", "");
	tempdir_file(t, "g/mod/.git", "gitdir: ../.git/modules/mod");
	tempdir_file(t, "g/mod/m.c", "");
	tempdir_dir(t, "g/build/sub/deep");
	tempdir_file(t, "g/build/CMakeCache.txt",
		     tempdir_text(t, "# comment\nX:STRING=y\nCMAKE_HOME_DIRECTORY:INTERNAL=@/g\n"));
	tempdir_dir(t, "g/inc");
	/* source and build apart, without git; the build knows its home */
	tempdir_file(t, "n/src/lib/a.c", "");
	tempdir_dir(t, "n/out");
	tempdir_file(t, "n/out/CMakeCache.txt", tempdir_text(t, "\nCMAKE_HOME_DIRECTORY:INTERNAL=@/n/src\n"));
	tempdir_dir(t, "n/include");
	tempdir_dir(t, "n-other/include");
	tempdir_link(t, "lnk", "n");
}

static void found(void **state)
{
	(void)state;
	static const struct find row[] = {
	    /* git */
	    {"@/g/build", "clang -c @/g/src/a.c", NULL, NULL, "@/g | @/g/build"},
	    {"@/g/build/sub/deep", "clang -c @/g/src/a.c", NULL, NULL, "@/g | @/g/build"},
	    {"@/g/build", "clang -c @/g/mod/m.c", NULL, NULL, "@/g | @/g/build"},
	    {"@/g/src", "clang -c a.c", NULL, NULL, "@/g | @/g/src"},
	    /* git, and a directory outside of it: their common one, unless that is forbidden */
	    {"@/g/build", "clang -I@/n/include -c @/g/src/a.c", NULL, "@", "@/g @/n/include | @/g/build"},
	    {"@/g/build", "clang -I@/n/include -c @/g/src/a.c", NULL, NULL, "@/g @/n/include | @/g/build"},
	    {"@/g/build", "clang -I/usr/include -I@/none -isystem @/sys/include -c @/g/src/a.c", NULL, NULL,
	     "@/g | @/g/build"},
	    /* no git: the deepest directory that holds everything */
	    {"@/n/out", "clang -c @/n/src/lib/a.c", NULL, NULL, "@/n | @/n/out"},
	    {"@/n/out", "clang -I../include -c @/n/src/lib/a.c", NULL, NULL, "@/n | @/n/out"},
	    {"@/n/src", "clang -c lib/a.c", NULL, NULL, "@/n/src | @/n/src"},
	    {"@/home/plain", "clang -c a.c", NULL, NULL, "@/home/plain | @/home/plain"},
	    /* disjoint: "@" holds a system directory */
	    {"@/n/out", "clang -c @/g/src/a.c", NULL, NULL, "@/g/src @/n | @/n/out"},
	    {"@/n/out", "clang -I@/n-other/include -c @/n/src/lib/a.c", NULL, NULL, "@/n @/n-other/include | @/n/out"},
	    /* given */
	    {"@/g/build", "clang -c @/g/src/a.c", "@/g", NULL, "@/g | @/g/build"},
	    {"@/g/build/sub", "clang -c @/g/build/sub/x.c", "@/g/build/sub", NULL, "@/g/build/sub | @/g/build/sub"},
	    {"@/n/out", "clang -I@/g/inc -c @/lnk/src/lib/a.c", "@/lnk", NULL, "@/n | @/n/out"},
	    {"@/g/build", "clang -c @/g/src/a.c", "@/g/build", NULL, "!does not hold the source"},
	    {"@/g/build", "clang -c @/g/src/a.c", "@/n", NULL, "!does not hold the working directory"},
	    {"@/g/build", "clang -c @/g/src/a.c", "@", NULL, "!holds"},
	    {"@/g/build", "clang -c @/g/src/a.c", "/", NULL, "!it is /"},
	    {"@/g/build", "clang -c @/g/src/a.c", "@/none", NULL, "!no directory"},
	    /* forbidden */
	    {"@/home", "clang -c bare.c", NULL, NULL, "!$HOME"},
	    {"@/sys/include", "clang -c @/g/src/a.c", NULL, NULL, "!system directory"},
	    /* a source of the platform needs no root */
	    {"@/g/build", "clang -c @/sys/include/s.h -x c", NULL, NULL, "@/g | @/g/build"},
	};
	struct tempdir t;
	tempdir_init(&t);
	make_trees(&t);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct wb_roots r;
		struct wb_err err = WB_ERR_INIT;
		wb_status s = find(&r, &t, &row[i], &err);
		if (row[i].want[0] == '!') {
			if (wb_is_ok(s))
				fail_msg("row %zu: found a root", i);
			assert_says(&err, row[i].want + 1);
			continue;
		}
		if (!wb_is_ok(s))
			fail_msg("row %zu: %s", i, err.text);
		const char *got = "";
		for (size_t k = 0; k < r.nroot; k++)
			got = wb_arena_printf(&t.a, "%s%s ", got, r.root[k]);
		got = wb_arena_printf(&t.a, "%s| %s", got, r.action_cwd);
		const char *want = tempdir_text(&t, row[i].want);
		if (strcmp(got, want) != 0)
			fail_msg("row %zu: got '%s', expected '%s'", i, got, want);
		for (size_t k = 0; k < r.nroot; k++)
			assert_true(wb_path_below(r.root[k], r.base));
		assert_true(wb_roots_holds(&r, r.action_cwd));
		assert_true(wb_roots_is_system(&r, "/usr/lib/llvm-22/lib"));
		assert_false(wb_roots_holds(&r, "/usr/include"));
	}
	tempdir_release(&t);
}

static void symlinked_spellings(void **state)
{
	(void)state;
	static const struct find f = {"@/n/out", "clang -I@/lnk/include -I@/lnk/../n/include -c @/lnk/src/lib/a.c",
				      NULL, NULL, ""};
	struct tempdir t;
	struct wb_roots r;
	struct wb_err err = WB_ERR_INIT;
	tempdir_init(&t);
	make_trees(&t);
	assert_ok(find(&r, &t, &f, &err), &err);
	assert_string_equal(wb_roots_respell(&r, &t.a, tempdir_text(&t, "@/lnk/src/lib/a.c")), "../src/lib/a.c");
	assert_string_equal(wb_roots_respell(&r, &t.a, tempdir_text(&t, "@/lnk/include/x.h")), "../include/x.h");
	/* leaving the root and coming back is no way that the input root has */
	assert_string_equal(wb_roots_respell(&r, &t.a, tempdir_text(&t, "@/lnk/../n/include")), "../include");
	assert_string_equal(wb_roots_respell(&r, &t.a, "../../n/include"), "../include");
	tempdir_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(respelled),
	    cmocka_unit_test(found),
	    cmocka_unit_test(symlinked_spellings),
	};
	return cmocka_run_group_tests_name("roots", tests, NULL, NULL);
}
