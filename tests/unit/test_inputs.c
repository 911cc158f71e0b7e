/* What a compile needs, from a command and a graph made by hand, on real directories. */
#define _GNU_SOURCE
#include "base/fileio.h"
#include "scanner/inputs.h"
#include "scanner/toolchain.h"
#include "tests/unit/tempdir.h"

#include <sys/stat.h>
#include <time.h>

struct fixture {
	struct tempdir t;
	struct wb_facts *facts;
	struct wb_command cmd;
	struct wb_roots roots;
	struct wb_graph graph;
	struct wb_inputs in;
	enum wb_reason reason;
	struct wb_err err;
};

static void setup(struct fixture *f)
{
	*f = (struct fixture){.err = WB_ERR_INIT};
	tempdir_init(&f->t);
	assert_ok(wb_facts_new(&f->facts, NULL, &f->err), &f->err);
	f->graph.file = wb_arena_array(&f->t.a, 64, sizeof *f->graph.file);
	f->graph.edge = wb_arena_array(&f->t.a, 64, sizeof *f->graph.edge);
	tempdir_dir(&f->t, "p/.git");
	tempdir_dir(&f->t, "p/build/obj");
	tempdir_file(&f->t, "p/src/a.c", "int a;\n");
}

static void teardown(struct fixture *f)
{
	wb_facts_free(f->facts);
	tempdir_release(&f->t);
}

static const char *text(struct fixture *f, const char *s)
{
	return tempdir_text(&f->t, s);
}

static uint32_t add_file(struct fixture *f, const char *path, uint32_t flags)
{
	struct wb_graph_file *g = &f->graph.file[f->graph.nfile];
	*g = (struct wb_graph_file){.path = text(f, path), .flags = flags};
	wb_stat_id_get(&g->id, wb_path_join(&f->t.a, text(f, "@/p/build"), g->path), true);
	return f->graph.nfile++;
}

static uint32_t add_edge(struct fixture *f, uint32_t from, const char *path, enum wb_edge_kind kind, bool in_prefix)
{
	uint32_t to = add_file(f, path, WB_GRAPH_ENTERED | (in_prefix ? WB_GRAPH_IN_PREFIX : 0));
	f->graph.edge[f->graph.nedge++] = (struct wb_edge){
	    .from = from, .to = to, .line = 1, .kind = (uint8_t)kind, .in_prefix = in_prefix, .name = "x"};
	return to;
}

static void parse(struct fixture *f, const char *words)
{
	static const struct wb_toolchain tc;
	struct wb_argv argv = {0};
	char *save = NULL, *copy = tempdir_text(&f->t, words);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		wb_argv_push(&argv, &f->t.a, w);
	assert_ok(wb_command_parse(&f->cmd, &f->t.a, argv.v, text(f, "@/p/build"), WB_DRIVER_CLANG, &f->err), &f->err);
	assert_int_equal(f->cmd.reason, WB_REASON_NONE);
	struct wb_roots_config cfg = {.root = text(f, "@/p"), .system_dirs = text(f, "/usr:@/sys"), .home = NULL};
	assert_ok(wb_roots_find(&f->roots, &f->t.a, &f->cmd, &tc, &cfg, &f->reason, &f->err), &f->err);
}

static wb_status collect(struct fixture *f)
{
	static const struct wb_toolchain tc;
	return wb_inputs_collect(&f->in, &f->t.a, f->facts, &f->cmd, &tc, &f->roots, &f->graph, &f->reason, &f->err);
}

/* Every input, one a line: "why path[ -> link]". */
static void assert_inputs(struct fixture *f, const char *want)
{
	assert_ok(collect(f), &f->err);
	char *got = wb_arena_strdup(&f->t.a, "");
	for (size_t i = 0; i < f->in.ninput; i++) {
		const struct wb_input *in = &f->in.input[i];
		const char *name = wb_path_after(in->path, f->t.path);
		got = wb_arena_printf(&f->t.a, "%s%s %s%s%s\n", got, wb_why_name(in->why), name,
				      in->link == NULL ? "" : " -> ", in->link == NULL ? "" : in->link);
		assert_true((in->kind == WB_FILE_SYMLINK) == (in->link != NULL));
	}
	assert_string_equal(got, want);
	const char *which = "";
	if (!wb_checks_hold(f->in.check, f->in.ncheck, f->facts, &which))
		fail_msg("%s does not hold", which);
}

static void assert_refused(struct fixture *f, enum wb_reason reason, const char *what)
{
	assert_code(collect(f), WB_EUNSCANNABLE);
	assert_int_equal(f->reason, reason);
	assert_says(&f->err, what);
}

/* Does changing `path` through `change` break the checks? */
static bool noticed(struct fixture *f)
{
	return !wb_checks_hold(f->in.check, f->in.ncheck, f->facts, NULL);
}

static void a_plain_compile(void **state)
{
	(void)state;
	struct fixture f;
	setup(&f);
	tempdir_file(&f.t, "p/inc/x.h", "int x;\n");
	tempdir_file(&f.t, "p/inc/only-looked-at.h", "");
	tempdir_file(&f.t, "p/inc/data.bin", "1234");
	tempdir_file(&f.t, "p/ignore.txt", "");
	tempdir_file(&f.t, "sys/s.h", "");
	tempdir_dir(&f.t, "p/empty");
	parse(&f, "clang -I@/p/inc -I@/p/empty -I@/p/none -I/usr/include -fsanitize-ignorelist=../ignore.txt -MD -o "
		  "obj/a.o -c "
		  "@/p/src/a.c");
	add_file(&f, "@/p/src/a.c", WB_GRAPH_ENTERED);
	add_edge(&f, 0, "@/p/inc/x.h", WB_EDGE_QUOTE, false);
	add_edge(&f, 0, "@/p/inc/only-looked-at.h", WB_EDGE_HAS_INCLUDE, false);
	add_edge(&f, 0, "@/p/inc/data.bin", WB_EDGE_EMBED, false);
	add_edge(&f, 0, "@/sys/s.h", WB_EDGE_ANGLE, false);
	add_file(&f, "@/p/in-memory.h", 0);
	const char *miss[] = {text(&f, "@/p/empty/x.h")};
	f.graph.miss = miss;
	f.graph.nmiss = 1;
	assert_inputs(&f, "working_dir p/build\n"
			  "working_dir p/build/obj\n"
			  "search_dir p/empty\n"
			  "option p/ignore.txt\n"
			  "search_dir p/inc\n"
			  "embed p/inc/data.bin\n"
			  "has_include p/inc/only-looked-at.h\n"
			  "include p/inc/x.h\n"
			  "source p/src/a.c\n");
	assert_int_equal(f.in.nsystem, 1);
	assert_string_equal(f.in.system[0].path, text(&f, "@/sys/s.h"));
	assert_int_equal(f.in.bytes, 7 + 4 + 7);

	/* the memo's checks: a header that would be found first, a search directory that appears, an edit */
	assert_false(noticed(&f));
	tempdir_file(&f.t, "p/empty/y.h", "");
	assert_false(noticed(&f)); /* a directory is not its content */
	tempdir_file(&f.t, "p/empty/x.h", "");
	assert_true(noticed(&f));
	unlink(tempdir_path(&f.t, "p/empty/x.h"));
	assert_false(noticed(&f));
	tempdir_dir(&f.t, "p/none");
	assert_true(noticed(&f));
	rmdir(tempdir_path(&f.t, "p/none"));
	assert_false(noticed(&f));
	/* where the action runs: a CMakeCache.txt that comes or goes, here or further up; not what is in it */
	tempdir_file(&f.t, "p/build/CMakeCache.txt", "x");
	assert_true(noticed(&f));
	unlink(tempdir_path(&f.t, "p/build/CMakeCache.txt"));
	tempdir_file(&f.t, "p/CMakeCache.txt", "x");
	assert_true(noticed(&f));
	unlink(tempdir_path(&f.t, "p/CMakeCache.txt"));
	assert_false(noticed(&f));
	/* the same content in a new file, the directory made anew around it, another content of the same size, other
	 * rights */
	char *x = tempdir_path(&f.t, "p/inc/x.h"), *old = tempdir_path(&f.t, "p/inc/x.old");
	struct stat st;
	assert_int_equal(stat(x, &st), 0);
	size_t n;
	char *was;
	assert_ok(wb_file_read(&was, &n, &f.t.a, x, 100, &f.err), &f.err);
	assert_int_equal(rename(x, old), 0);
	assert_true(noticed(&f));
	tempdir_file(&f.t, "p/inc/x.h", was);
	assert_false(noticed(&f));
	char *changed = wb_arena_strdup(&f.t.a, was);
	changed[4] = 'y';
	tempdir_file(&f.t, "p/inc/x.h", changed);
	assert_true(noticed(&f));
	tempdir_file(&f.t, "p/inc/x.h", was);
	assert_false(noticed(&f));
	assert_int_equal(chmod(x, 0755), 0);
	assert_true(noticed(&f));
	assert_int_equal(rename(old, x), 0);
	assert_false(noticed(&f));
	tempdir_file(&f.t, "sys/s.h", "");
	assert_true(noticed(&f));
	/* and the scan's own identity of the file */
	assert_code(collect(&f), WB_ESTALE);
	teardown(&f);
}

static void links_and_crossed_directories(void **state)
{
	(void)state;
	struct fixture f;
	setup(&f);
	tempdir_file(&f.t, "p/real/deep/x.h", "");
	tempdir_file(&f.t, "p/real/y.h", "");
	tempdir_file(&f.t, "p/real/z.h", "");
	tempdir_dir(&f.t, "p/hollow/in");
	tempdir_file(&f.t, "sys/s.h", "");
	tempdir_link(&f.t, "p/lnk", text(&f, "@/p/real/deep")); /* absolute, below the root */
	tempdir_link(&f.t, "p/rel", "lnk/../../real");
	tempdir_link(&f.t, "p/file.h", "real/z.h");
	tempdir_link(&f.t, "p/sysdir", text(&f, "@/sys"));
	tempdir_link(&f.t, "p/sysup", "../sys");
	tempdir_link(&f.t, "outer", "p"); /* outside: how the command spells the root */
	parse(&f, "clang -I@/p/lnk -I@/p/hollow/in/../../real -I@/outer/rel -c ../src/a.c -o a.o");
	add_file(&f, "../src/a.c", WB_GRAPH_ENTERED);
	add_edge(&f, 0, "@/p/lnk/x.h", WB_EDGE_QUOTE, false);
	add_edge(&f, 0, "@/p/hollow/in/../../real/y.h", WB_EDGE_QUOTE, false);
	add_edge(&f, 0, "@/outer/rel/y.h", WB_EDGE_QUOTE, false);
	add_edge(&f, 0, "../file.h", WB_EDGE_QUOTE, false);
	add_edge(&f, 0, "../sysdir/s.h", WB_EDGE_QUOTE, false);
	add_edge(&f, 0, "../sysup/s.h", WB_EDGE_QUOTE, false);
	assert_inputs(&f, wb_arena_printf(&f.t.a,
					  "working_dir p/build\n"
					  "symlink p/file.h -> real/z.h\n"
					  "crossed_dir p/hollow\n"
					  "crossed_dir p/hollow/in\n"
					  "symlink p/lnk -> real/deep\n"
					  "crossed_dir p/real\n"
					  "crossed_dir p/real/deep\n"
					  "include p/real/deep/x.h\n"
					  "include p/real/y.h\n"
					  "include p/real/z.h\n"
					  "symlink p/rel -> real\n"
					  "source p/src/a.c\n"
					  "symlink p/sysdir -> %s/sys\n"
					  "symlink p/sysup -> %s/sys\n",
					  f.t.path, f.t.path));
	assert_int_equal(f.in.nsystem, 1);

	/* a link that leads to another directory, also when all files there are the same */
	tempdir_dir(&f.t, "p/copy");
	tempdir_file(&f.t, "p/copy/y.h", "");
	assert_false(noticed(&f));
	unlink(tempdir_path(&f.t, "p/rel"));
	tempdir_link(&f.t, "p/rel", "copy");
	assert_true(noticed(&f));
	teardown(&f);
}

static void what_lies_outside(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		enum wb_reason reason;
	} row[] = {
	    {"@/elsewhere/o.h", WB_REASON_OUTSIDE_ROOT},
	    {"../../elsewhere/o.h", WB_REASON_OUTSIDE_ROOT},
	    {"../escape/o.h", WB_REASON_SYMLINK_ESCAPE},
	    {"@/p/escape/o.h", WB_REASON_SYMLINK_ESCAPE},
	    {"@/tosys/s.h", WB_REASON_OUTSIDE_ROOT},
	    {"../../sys/s.h", WB_REASON_NONE},
	    {"@/sys/../sys/s.h", WB_REASON_NONE},
	    {"@/tofile.h", WB_REASON_OUTSIDE_ROOT},
	    {"../fifo", WB_REASON_INPUT_KIND},
	    {"../src", WB_REASON_INPUT_KIND},
	    {"../src/../../p/src/b.h", WB_REASON_OUTSIDE_ROOT},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct fixture f;
		setup(&f);
		tempdir_file(&f.t, "elsewhere/o.h", "");
		tempdir_file(&f.t, "sys/s.h", "");
		tempdir_file(&f.t, "p/src/b.h", "");
		tempdir_link(&f.t, "p/escape", "../elsewhere");
		tempdir_link(&f.t, "tosys", "sys");
		tempdir_link(&f.t, "tofile.h", "p/src/b.h");
		assert_int_equal(mkfifo(tempdir_path(&f.t, "p/fifo"), 0600), 0);
		parse(&f, "clang -I@/elsewhere -I../../elsewhere -c ../src/a.c -o a.o");
		add_file(&f, "../src/a.c", WB_GRAPH_ENTERED);
		add_edge(&f, 0, row[i].path, WB_EDGE_QUOTE, false);
		wb_status s = collect(&f);
		if (wb_is_ok(s) != (row[i].reason == WB_REASON_NONE) || f.reason != row[i].reason)
			fail_msg("%s: %s %s", row[i].path, wb_reason_name(f.reason), f.err.text);
		teardown(&f);
	}
}

static void options_that_read_trees_or_directories(void **state)
{
	(void)state;
	static const struct {
		const char *words;
		enum wb_reason reason;
		const char *what;
	} row[] = {
	    {"clang --sysroot=@/p/sysroot -c ../src/a.c", WB_REASON_UNSUPPORTED_OPTION, "any file"},
	    {"clang -B @/elsewhere -c ../src/a.c", WB_REASON_UNSUPPORTED_OPTION, "any file"},
	    {"clang --sysroot=/ -c ../src/a.c", WB_REASON_NONE, ""},
	    {"clang -B/usr/lib -B@/none -c ../src/a.c", WB_REASON_NONE, ""},
	    {"clang -fsanitize-ignorelist=none.txt -c ../src/a.c", WB_REASON_INPUT_MISSING, "none.txt"},
	    {"clang -fsanitize-ignorelist=@/p/src -c ../src/a.c", WB_REASON_UNSUPPORTED_OPTION, "directory"},
	    {"clang -fsanitize-ignorelist=@/elsewhere/o.h -c ../src/a.c", WB_REASON_OUTSIDE_ROOT, "o.h"},
	    {"clang --config=@/p/src/a.c -c ../src/a.c", WB_REASON_UNSUPPORTED_OPTION, "not looked at"},
	    {"clang -c ../src/a.c -o none/a.o", WB_REASON_INPUT_MISSING, "no directory"},
	    {"clang -c ../src/a.c -o @/elsewhere/a.o", WB_REASON_OUTPUT_OUTSIDE_ROOT, "a.o"},
	    {"clang -c ../src/a.c -o ../escape/a.o", WB_REASON_SYMLINK_ESCAPE, "escape"},
	    {"clang -c ../src/a.c -include-pch none.pch", WB_REASON_PCH_MISSING, "none.pch"},
	    {"clang -c ../src/a.c -include-pch @/p/foreign.pch", WB_REASON_PCH_FOREIGN, "foreign.pch"},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct fixture f;
		setup(&f);
		tempdir_dir(&f.t, "p/sysroot");
		tempdir_file(&f.t, "elsewhere/o.h", "");
		tempdir_file(&f.t, "p/foreign.pch", "CPCH");
		tempdir_link(&f.t, "p/escape", "../elsewhere");
		parse(&f, row[i].words);
		add_file(&f, "../src/a.c", WB_GRAPH_ENTERED);
		if (row[i].reason == WB_REASON_NONE)
			assert_ok(collect(&f), &f.err);
		else
			assert_refused(&f, row[i].reason, row[i].what);
		teardown(&f);
	}
}

/* A use of a recipe PCH carries the PCH and what the source names itself. */
static void a_use_of_a_pch(void **state)
{
	(void)state;
	struct fixture f;
	setup(&f);
	tempdir_file(&f.t, "p/build/d/cmake_pch.hxx.pch", "CPCH...");
	tempdir_file(&f.t, "p/build/d/cmake_pch.hxx", "");
	tempdir_file(&f.t, "p/inc/only-in-pch.h", "");
	tempdir_file(&f.t, "p/inc/both.h", "");
	tempdir_file(&f.t, "p/inc/forward.h", "");
	tempdir_file(&f.t, "p/inc/extra.h", "");
	tempdir_file(&f.t, "sys/in-pch.h", "");
	parse(&f, "clang -I../inc -Xclang -include-pch -Xclang @/p/build/d/cmake_pch.hxx.pch -Xclang -include -Xclang "
		  "@/p/build/d/cmake_pch.hxx -include ../inc/extra.h -c ../src/a.c -o obj/a.o");
	assert_int_equal(f.cmd.pch_role, WB_PCH_USE);
	add_file(&f, "../src/a.c", WB_GRAPH_ENTERED);
	uint32_t header = add_edge(&f, UINT32_MAX, "@/p/build/d/cmake_pch.hxx", WB_EDGE_FORCED, true);
	add_edge(&f, header, "../inc/only-in-pch.h", WB_EDGE_QUOTE, true);
	uint32_t both = add_edge(&f, header, "../inc/both.h", WB_EDGE_QUOTE, true);
	uint32_t forward = add_edge(&f, header, "../inc/forward.h", WB_EDGE_QUOTE, true);
	add_edge(&f, header, "@/sys/in-pch.h", WB_EDGE_ANGLE, true);
	add_edge(&f, UINT32_MAX, "../inc/extra.h", WB_EDGE_FORCED, false);
	/* the source names forward.h, which has no guard and names both.h, which has one */
	f.graph.edge[f.graph.nedge++] = (struct wb_edge){.from = 0, .to = forward, .kind = WB_EDGE_QUOTE, .name = "x"};
	f.graph.edge[f.graph.nedge++] =
	    (struct wb_edge){.from = forward, .to = both, .kind = WB_EDGE_QUOTE, .skipped = true, .name = "x"};
	assert_refused(&f, WB_REASON_PCH_FOREIGN, "cmake_pch.hxx.pch");

	struct wb_fact pch;
	assert_ok(wb_facts_digest(&pch, f.facts, &f.t.a, text(&f, "@/p/build/d/cmake_pch.hxx.pch"), &f.err), &f.err);
	wb_facts_set_attribute(f.facts, &pch.digest, WB_ATTR_RECIPE_PCH);
	assert_inputs(&f, "working_dir p/build\n"
			  "pch p/build/d/cmake_pch.hxx.pch\n"
			  "working_dir p/build/obj\n"
			  "search_dir p/inc\n"
			  "include p/inc/both.h\n"
			  "forced p/inc/extra.h\n"
			  "include p/inc/forward.h\n"
			  "source p/src/a.c\n");
	assert_int_equal(f.in.nsystem, 0); /* they are in the digest of the PCH */

	/* what only the PCH read does not travel, but a change of it is noticed (a rewrite with the same content is
	 * none) */
	tempdir_file(&f.t, "p/inc/only-in-pch.h", "");
	assert_false(noticed(&f));
	tempdir_file(&f.t, "p/inc/only-in-pch.h", "changed");
	assert_true(noticed(&f));
	assert_code(collect(&f), WB_ESTALE);
	teardown(&f);
}

static void a_loop_leads_nowhere(void **state)
{
	(void)state;
	struct fixture f;
	setup(&f);
	tempdir_link(&f.t, "p/loop", "loop2/x");
	tempdir_link(&f.t, "p/loop2", "loop");
	parse(&f, "clang -I../loop -c ../src/a.c -o a.o");
	add_file(&f, "../src/a.c", WB_GRAPH_ENTERED);
	assert_inputs(&f, "working_dir p/build\nsource p/src/a.c\n");
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plain_compile),   cmocka_unit_test(links_and_crossed_directories),
	    cmocka_unit_test(what_lies_outside), cmocka_unit_test(options_that_read_trees_or_directories),
	    cmocka_unit_test(a_use_of_a_pch),    cmocka_unit_test(a_loop_leads_nowhere),
	};
	return cmocka_run_group_tests_name("inputs", tests, NULL, NULL);
}
