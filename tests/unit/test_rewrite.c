/* The rewritten command, argument by argument; rewriting it again changes nothing. */
#include "base/arena.h"
#include "base/path.h"
#include "pchfix/mapback.h"
#include "pchfix/rewrite.h"
#include "tests/unit/unit.h"

#include <string.h>

#define P         "/proc/self/cwd"
#define CLANG_MAP " -ffile-prefix-map=" P "/="
#define CLANG_END " -ffile-compilation-dir=. -working-directory=" P
#define DIAG      " -fcolor-diagnostics -fmessage-length=0"
#define CLANG     CLANG_MAP CLANG_END DIAG
#define CREATE                                                                                                         \
	CLANG_MAP CLANG_END                                                                                            \
	    " -Xclang -fno-pch-timestamp -Xclang -fmodules-embed-all-files -fno-color-diagnostics -fmessage-length=0"
#define GCC_MAP " -fdebug-prefix-map=" P "=. -ffile-prefix-map=" P "/="
#define GCC_END " -fno-canonical-system-headers -fdiagnostics-color=always"
#define GCC     GCC_MAP GCC_END

static const char *const root[] = {"/w/proj"};
static const char *const system_dirs[] = {"/usr"};
static const struct wb_root_alias alias[] = {{"/link/p", "/w/proj"}};

struct lab {
	struct wb_arena a;
	struct wb_command cmd;
	struct wb_roots roots;
	struct wb_toolchain tc;
	struct wb_rewrite_in in;
	struct wb_rewrite out;
	enum wb_reason reason;
	struct wb_err err;
};

static void lab_init(struct lab *l, const char *cwd)
{
	*l = (struct lab){.err = WB_ERR_INIT};
	wb_arena_init(&l->a);
	l->roots = (struct wb_roots){.base = "/w/proj",
				     .root = root,
				     .nroot = 1,
				     .cwd = cwd,
				     .action_cwd = "/w/proj/build",
				     .system = system_dirs,
				     .nsystem = 1,
				     .alias = alias,
				     .nalias = 1};
	l->in = (struct wb_rewrite_in){.cmd = &l->cmd, .tc = &l->tc, .roots = &l->roots};
}

static void lab_argv(struct lab *l, const char *const *argv)
{
	enum wb_driver driver = wb_driver_guess(argv[0]);
	l->tc = (struct wb_toolchain){.compiler = driver == WB_DRIVER_GCC ? WB_COMPILER_GCC : WB_COMPILER_CLANG,
				      .executable = wb_arena_printf(&l->a, "/usr/bin/%s", wb_path_basename(argv[0]))};
	assert_ok(wb_command_parse(&l->cmd, &l->a, argv, l->roots.cwd, driver, &l->err), &l->err);
	if (l->cmd.reason != WB_REASON_NONE)
		fail_msg("%s: %s", wb_reason_name(l->cmd.reason), l->cmd.reason_arg);
}

static void lab_parse(struct lab *l, const char *words)
{
	struct wb_argv argv = {0};
	char *save = NULL, *copy = wb_arena_strdup(&l->a, words);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		wb_argv_push(&argv, &l->a, w);
	lab_argv(l, argv.v);
}

static wb_status rewrite(struct lab *l)
{
	l->reason = WB_REASON_NONE;
	return wb_rewrite(&l->out, &l->a, &l->in, &l->reason, &l->err);
}

static const char *joined(struct lab *l)
{
	const char *text = l->out.argv[0];
	for (size_t i = 1; i < l->out.argc; i++)
		text = wb_arena_printf(&l->a, "%s %s", text, l->out.argv[i]);
	assert_null(l->out.argv[l->out.argc]);
	return text;
}

/* Rewrite what was rewritten: the same words come out. */
static void assert_idempotent(struct lab *l, const char *text)
{
	const char *const *argv = l->out.argv;
	bool shareable = l->out.shareable;
	if (strcmp(argv[0], "/usr/bin/env") == 0)
		argv += 2;
	l->roots.cwd = l->roots.action_cwd;
	l->in.graph = NULL;
	l->in.ngenerated = 0;
	lab_argv(l, argv);
	assert_ok(rewrite(l), &l->err);
	assert_string_equal(joined(l), text);
	assert_int_equal(l->out.shareable, shareable);
}

struct row {
	const char *cwd, *in, *out;
	enum wb_paths_mode paths;
	bool unshareable;
};

static void commands(void **state)
{
	(void)state;
#define B "/w/proj/build"
	static const struct row row[] = {
	    /* every way to write a path */
	    {B,
	     "clang++ -I/w/proj/inc -I /w/proj/build -isystem /w/proj/sys -iquote/w/proj/q -idirafter /usr/include "
	     "-fsanitize-ignorelist=/w/proj/i.txt -Xclang -include -Xclang /w/proj/f.h -L/w/proj/lib -o "
	     "/w/proj/build/d/a.o "
	     "-MD -MF /w/proj/build/d/a.d -MT d/a.o -c /w/proj/src/a.cpp",
	     "/usr/bin/clang++ -I../inc -I . -isystem ../sys -iquote../q -idirafter /usr/include "
	     "-fsanitize-ignorelist=../i.txt -Xclang -include -Xclang ../f.h -L../lib -o d/a.o -MD -MF d/a.d -MT d/a.o "
	     "-c "
	     "../src/a.cpp" CLANG,
	     WB_PATHS_RELATIVE, false},
	    {B, "clang -I/link/p/inc -c /link/p/src/a.c", "/usr/bin/clang -I../inc -c ../src/a.c" CLANG,
	     WB_PATHS_RELATIVE, false},
	    {B, "clang -I/w/proj/lnk/../inc -c ../src/a.c", "/usr/bin/clang -I../lnk/../inc -c ../src/a.c" CLANG,
	     WB_PATHS_RELATIVE, false},
	    {B, "clang -c -o a.o -- /w/proj/src/a.c", "/usr/bin/clang -c -o a.o" CLANG " -- ../src/a.c",
	     WB_PATHS_RELATIVE, false},
	    {B, "clang -c /w/proj/build/-a.c", "/usr/bin/clang -c ./-a.c" CLANG, WB_PATHS_RELATIVE, false},
	    {B, "g++ -I/w/proj/inc -MD -c /w/proj/src/a.cpp -o a.o",
	     "/usr/bin/env PWD=" P " /usr/bin/g++ -I../inc -MD -c ../src/a.cpp -o a.o" GCC, WB_PATHS_RELATIVE, false},
	    /* what the recipe says itself */
	    {B, "clang -fcolor-diagnostics -fmessage-length=0 -fdiagnostics-color=always -c a.c -fno-color-diagnostics",
	     "/usr/bin/clang -c a.c" CLANG, WB_PATHS_RELATIVE, false},
	    {B, "clang -fmessage-length=80 -c a.c",
	     "/usr/bin/clang -fmessage-length=80 -c a.c" CLANG_MAP CLANG_END " -fcolor-diagnostics", WB_PATHS_RELATIVE,
	     false},
	    {B, "clang -working-directory=/w/proj/build -c a.c", "/usr/bin/clang -c a.c" CLANG, WB_PATHS_RELATIVE,
	     false},
	    {B, "gcc -fdiagnostics-color=auto -fmessage-length=0 -c a.c",
	     "/usr/bin/env PWD=" P " /usr/bin/gcc -fmessage-length=0 -c a.c" GCC, WB_PATHS_RELATIVE, false},
	    {B, "clang -fdebug-compilation-dir=/w/proj -c a.c",
	     "/usr/bin/clang -fdebug-compilation-dir=.. -c a.c" CLANG_MAP " -working-directory=" P DIAG,
	     WB_PATHS_RELATIVE, false},
	    /* values of -D, and options nobody knows, are not touched, but they tie the action to the checkout */
	    {B, "clang -DDIR=\"/w/proj/data\" -c a.c", "/usr/bin/clang -DDIR=\"/w/proj/data\" -c a.c" CLANG,
	     WB_PATHS_RELATIVE, true},
	    {B, "clang -DDIR=x/w/proj -I../x/w/proj -c a.c", "/usr/bin/clang -DDIR=x/w/proj -I../x/w/proj -c a.c" CLANG,
	     WB_PATHS_RELATIVE, false},
	    {B, "clang -DA=1,DIR=/w/proj/x -c a.c", "/usr/bin/clang -DA=1,DIR=/w/proj/x -c a.c" CLANG,
	     WB_PATHS_RELATIVE, true},
	    {B, "clang -DDIR=/w/project -c a.c", "/usr/bin/clang -DDIR=/w/project -c a.c" CLANG, WB_PATHS_RELATIVE,
	     false},
	    /* creation of a PCH, CMake's way */
	    {B,
	     "clang++ -Winvalid-pch -Xclang -emit-pch -fpch-instantiate-templates -Xclang -include -Xclang "
	     "/w/proj/build/d/cmake_pch.hxx -x c++-header -MD -MT d/p.pch -MF d/p.d -o d/cmake_pch.hxx.pch -c "
	     "/w/proj/build/d/cmake_pch.hxx.cxx",
	     "/usr/bin/clang++ -Winvalid-pch -Xclang -emit-pch -fpch-instantiate-templates -Xclang -include -Xclang "
	     "d/cmake_pch.hxx -x c++-header -MD -MT d/p.pch -MF d/p.d -o d/cmake_pch.hxx.pch -c "
	     "d/cmake_pch.hxx.cxx" CREATE,
	     WB_PATHS_RELATIVE, false},
	    {B,
	     "clang++ -Xclang -include-pch -Xclang /w/proj/build/d/cmake_pch.hxx.pch -Xclang -include -Xclang "
	     "/w/proj/build/d/cmake_pch.hxx -c /w/proj/src/a.cpp",
	     "/usr/bin/clang++ -Xclang -include-pch -Xclang d/cmake_pch.hxx.pch -Xclang -include -Xclang "
	     "d/cmake_pch.hxx -c "
	     "../src/a.cpp" CLANG,
	     WB_PATHS_RELATIVE, false},
	    {B,
	     "g++ -x c++-header -include /w/proj/build/d/cmake_pch.hxx -o d/cmake_pch.hxx.gch -c /w/proj/build/d/x.cxx",
	     "/usr/bin/env PWD=" P
	     " /usr/bin/g++ -x c++-header -include d/cmake_pch.hxx -o d/cmake_pch.hxx.gch -c d/x.cxx" GCC_MAP
	     " -fno-canonical-system-headers -fdiagnostics-color=never",
	     WB_PATHS_RELATIVE, false},
	    /* the project's own prefix maps keep their effect */
	    {B, "clang -ffile-prefix-map=/w/proj=X -I../rel -I/w/proj/inc -c /w/proj/src/a.c",
	     "/usr/bin/clang -I../rel -I" P "/../inc -c " P "/../src/a.c -ffile-prefix-map=" P
	     "/=X/build/ -ffile-prefix-map=" P "/../=X/ -ffile-compilation-dir=X/build -working-directory=" P DIAG,
	     WB_PATHS_RELATIVE, false},
	    {B, "clang -ffile-prefix-map=/w/proj/build/= -c /w/proj/src/a.c",
	     "/usr/bin/clang -c " P "/../src/a.c -ffile-prefix-map=" P "/= -ffile-prefix-map=" P
	     "/../=../" CLANG_END DIAG,
	     WB_PATHS_RELATIVE, false},
	    {B, "clang -fmacro-prefix-map=/w/proj/src=S -c /w/proj/src/a.c",
	     "/usr/bin/clang -c " P "/../src/a.c" CLANG_MAP " -fmacro-prefix-map=" P "/../src=S" CLANG_END DIAG,
	     WB_PATHS_RELATIVE, false},
	    {B, "clang -fdebug-prefix-map=/w=S -c /link/p/src/a.c",
	     "/usr/bin/clang -c " P "/../src/a.c -fmacro-prefix-map=" P "/= -fdebug-prefix-map=" P
	     "/=S/proj/build/ -fdebug-prefix-map=" P
	     "/../=S/proj/ -ffile-compilation-dir=S/proj/build -working-directory=" P DIAG,
	     WB_PATHS_RELATIVE, false},
	    {B, "gcc -fmacro-prefix-map=/w/proj/src=S -c /w/proj/src/a.c",
	     "/usr/bin/env PWD=" P " /usr/bin/gcc -c " P "/../src/a.c -fdebug-prefix-map=" P "=. -fdebug-prefix-map=" P
	     "/= -fmacro-prefix-map=" P "/= -fmacro-prefix-map=" P "/../src=S" GCC_END,
	     WB_PATHS_RELATIVE, false},
	    {B, "clang -ffile-prefix-map=/elsewhere=E -ffile-prefix-map=../src=R -c /w/proj/src/a.c",
	     "/usr/bin/clang -ffile-prefix-map=/elsewhere=E -ffile-prefix-map=../src=R -c ../src/a.c" CLANG,
	     WB_PATHS_RELATIVE, false},
	    /* paths = absolute: what was absolute can be told from what was relative */
	    {B, "clang -I/w/proj/inc -Igen -c /w/proj/src/a.c -o a.o",
	     "/usr/bin/clang -I" P "/../inc -Igen -c " P "/../src/a.c -o a.o -ffile-prefix-map=" P
	     "/=/link/p/build/ -ffile-prefix-map=" P
	     "/../=/link/p/ -ffile-compilation-dir=/link/p/build -working-directory=" P DIAG,
	     WB_PATHS_ABSOLUTE, true},
	    {B, "gcc -I/w/proj/build -c a.c",
	     "/usr/bin/env PWD=" P " /usr/bin/gcc -I" P " -c a.c -fdebug-prefix-map=" P
	     "=/link/p/build -ffile-prefix-map=" P "/=/link/p/build/ -ffile-prefix-map=" P "/../=/link/p/" GCC_END,
	     WB_PATHS_ABSOLUTE, true},
	    /* another directory than the action's */
	    {B "/sub", "clang -I. -I../gen -I/w/proj/inc -MD -MT a.o -MF a.d -o a.o -c ../../src/a.c",
	     "/usr/bin/clang -Isub -Igen -I../inc -MD -MT a.o -MF sub/a.d -o sub/a.o -c ../src/a.c" CLANG,
	     WB_PATHS_RELATIVE, false},
	    {B "/sub", "clang -MD -c a.c", "/usr/bin/clang -MD -c sub/a.c -o sub/a.o" CLANG, WB_PATHS_RELATIVE, false},
	    {B "/sub", "gcc -I../../../../usr/include -c a.c",
	     "/usr/bin/env PWD=" P " /usr/bin/gcc -I/usr/include -c sub/a.c -o sub/a.o" GCC, WB_PATHS_RELATIVE, false},
	    {B "/sub", "clang -fstack-usage -gsplit-dwarf -g -c a.c -o d/a.o",
	     "/usr/bin/clang -fstack-usage -gsplit-dwarf -g -c sub/a.c -o sub/d/a.o" CLANG, WB_PATHS_RELATIVE, false},
	    {B "/sub", "clang -save-temps=obj -c a.c -o d/a.o",
	     "/usr/bin/clang -save-temps=obj -c sub/a.c -o sub/d/a.o" CLANG, WB_PATHS_RELATIVE, false},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct lab l;
		lab_init(&l, row[i].cwd);
		l.in.paths = row[i].paths;
		lab_parse(&l, row[i].in);
		if (!wb_is_ok(rewrite(&l)))
			fail_msg("row %zu: %s", i, l.err.text);
		const char *got = joined(&l);
		if (strcmp(got, row[i].out) != 0)
			fail_msg("row %zu:\ngot      %s\nexpected %s", i, got, row[i].out);
		if (l.out.shareable == row[i].unshareable)
			fail_msg("row %zu: shareable %d, by %s", i, l.out.shareable, l.out.unshareable_arg);
		assert_true(l.out.shareable == (l.out.unshareable_arg == NULL));
		assert_idempotent(&l, got);
		wb_arena_release(&l.a);
	}
}

static void refusals(void **state)
{
	(void)state;
	static const struct {
		const char *cwd, *in;
		enum wb_reason reason;
		const char *says;
	} row[] = {
	    {B, "clang -c a.c -o /elsewhere/a.o", WB_REASON_OUTPUT_OUTSIDE_ROOT, "/elsewhere/a.o"},
	    {B, "clang -MD -MF /tmp/x.d -c a.c -o a.o", WB_REASON_OUTPUT_OUTSIDE_ROOT, "/tmp/x.d"},
	    {B "/sub", "clang -save-temps -c a.c -o a.o", WB_REASON_CANNOT_REBASE, "a.i"},
	    {B "/sub", "gcc -save-temps=cwd -c a.c -o a.o", WB_REASON_CANNOT_REBASE, "a.i"},
	    {B "/sub", "clang --no-such-option=x/y -c a.c -o a.o", WB_REASON_CANNOT_REBASE, "--no-such-option=x/y"},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct lab l;
		lab_init(&l, row[i].cwd);
		lab_parse(&l, row[i].in);
		assert_code(rewrite(&l), WB_EUNSCANNABLE);
		assert_int_equal(l.reason, row[i].reason);
		assert_says(&l.err, row[i].says);
		wb_arena_release(&l.a);
	}
}

static void outputs(void **state)
{
	(void)state;
	struct lab l;
	lab_init(&l, B "/sub");
	lab_parse(&l, "clang -MD -MF /w/proj/build/d/a.d -c a.c -o ../d/../a.o");
	assert_ok(rewrite(&l), &l.err);
	assert_int_equal(l.out.noutput, 2);
	assert_string_equal(l.out.output[0].action_path, "a.o");
	assert_string_equal(l.out.output[0].real_path, B "/a.o");
	assert_int_equal(l.out.output[0].kind, WB_OUT_OBJECT);
	assert_string_equal(l.out.output[1].action_path, "d/a.d");
	assert_string_equal(l.out.output[1].real_path, B "/d/a.d");
	/* the default target is the object as it was spelled */
	assert_string_equal(l.out.mapback.target.from, "d/../a.o");
	assert_string_equal(l.out.mapback.target.to, "../d/../a.o");
	wb_arena_release(&l.a);
}

/* --- with files: twins, overlays, the way back --- */

enum { SOURCE, HEADER, ABS, QUOTED, REL };

static struct wb_graph_file files[] = {
    [SOURCE] = {.path = "/w/proj/build/d/unity.cxx", .flags = WB_GRAPH_ENTERED},
    [HEADER] = {.path = "/w/proj/build/d/cmake_pch.hxx", .flags = WB_GRAPH_ENTERED | WB_GRAPH_IN_PREFIX},
    [ABS] = {.path = "/w/proj/src/a.h", .flags = WB_GRAPH_ENTERED},
    [QUOTED] = {.path = "/w/proj/inc/../other/q.h", .flags = WB_GRAPH_ENTERED},
    [REL] = {.path = "gen/r.h", .flags = WB_GRAPH_ENTERED},
};
static const struct wb_overlay_file generated[] = {
    {"/w/proj/build/d/cmake_pch.hxx", "#include \"/w/proj/src/a.h\"\n#include \"../other/q.h\"\n", 0},
    {"/w/proj/build/d/unity.cxx", "#include \"/w/proj/src/a.h\"\n", 0},
};

static void with_files(struct lab *l, struct wb_graph *g, struct wb_edge *edge, uint32_t nedge)
{
	*g = (struct wb_graph){.file = files, .nfile = 5, .edge = edge, .nedge = nedge};
	struct wb_overlay_file *copy = wb_arena_memdup(&l->a, generated, sizeof generated);
	for (size_t i = 0; i < 2; i++)
		copy[i].n = strlen(copy[i].data);
	l->in.graph = g;
	l->in.generated = copy;
	l->in.ngenerated = 2;
}

#define CREATION                                                                                                       \
	"clang++ -Xclang -emit-pch -Xclang -include -Xclang /w/proj/build/d/cmake_pch.hxx -x c++-header -o "           \
	"d/cmake_pch.hxx.pch -c d/empty.cxx"
#define USE                                                                                                            \
	"clang++ -I/w/proj/inc -Igen -Xclang -include-pch -Xclang /w/proj/build/d/cmake_pch.hxx.pch -Xclang -include " \
	"-Xclang /w/proj/build/d/cmake_pch.hxx -c /w/proj/build/d/unity.cxx -o a.o"

static const struct wb_overlay_file *overlay_named(const struct lab *l, const char *path)
{
	for (size_t i = 0; i < l->out.noverlay; i++)
		if (strcmp(l->out.overlay[i].path, path) == 0)
			return &l->out.overlay[i];
	return NULL;
}

static void the_twin_is_made_and_used(void **state)
{
	(void)state;
	struct wb_edge create[] = {
	    {.from = UINT32_MAX, .to = HEADER, .line = 1, .kind = WB_EDGE_FORCED, .in_prefix = true, .name = "x"},
	    {.from = HEADER, .to = ABS, .line = 1, .in_prefix = true, .name = "/w/proj/src/a.h"},
	    {.from = HEADER, .to = QUOTED, .line = 2, .in_prefix = true, .name = "../other/q.h"},
	};
	struct lab l;
	struct wb_graph g;
	lab_init(&l, B);
	with_files(&l, &g, create, 3);
	l.in.ngenerated = 1;
	lab_parse(&l, CREATION);
	assert_ok(rewrite(&l), &l.err);
	const char *twin = l.out.pch_header_action;
	assert_true(wb_starts_with(twin, "waybill-") && strchr(twin, '/') == NULL);
	const struct wb_overlay_file *f = overlay_named(&l, wb_path_join(&l.a, B, twin));
	assert_non_null(f);
	assert_string_equal(f->data, "#include \"" P "/../src/a.h\"\n#include \"" P "/../inc/../other/q.h\"\n");
	assert_true(strstr(joined(&l), wb_arena_printf(&l.a, "-Xclang -include -Xclang %s ", twin)) != NULL);
	assert_null(strstr(joined(&l), "/w/proj"));
	assert_true(l.out.shareable);

	/* the use names the same twin, which needs not exist; the unity source is replaced in its place */
	struct lab u;
	struct wb_edge use[] = {create[0],
				create[1],
				create[2],
				{.from = SOURCE, .to = ABS, .line = 1, .name = "/w/proj/src/a.h"},
				{.from = ABS, .to = REL, .line = 9, .kind = WB_EDGE_ANGLE, .name = "r.h"}};
	lab_init(&u, B);
	with_files(&u, &g, use, 5);
	lab_parse(&u, USE);
	assert_ok(rewrite(&u), &u.err);
	assert_string_equal(u.out.pch_header_action, twin);
	assert_int_equal(u.out.noverlay, 1);
	assert_string_equal(u.out.overlay[0].path, "/w/proj/build/d/unity.cxx");
	assert_string_equal(u.out.overlay[0].data, "#include \"" P "/../src/a.h\"\n");
	assert_null(strstr(joined(&u), "/w/proj"));

	/* and its depfile reads as if nothing had happened */
	struct wb_buf d = WB_BUF_INIT;
	const char *text = wb_arena_printf(&u.a,
					   "a.o: " P "/%s " P "/d/cmake_pch.hxx.cxx d/unity.cxx " P "/../src/a.h "
					   "../inc/../other/q.h " P "/../other/q.h gen/r.h /usr/include/stdio.h\n",
					   twin);
	wb_mapback_depfile(&d, &u.out.mapback, text, strlen(text));
	assert_string_equal(
	    d.p, "a.o: /w/proj/build/d/cmake_pch.hxx /w/proj/build/d/cmake_pch.hxx.cxx "
		 "/w/proj/build/d/unity.cxx /w/proj/src/a.h /w/proj/inc/../other/q.h /w/proj/other/q.h gen/r.h "
		 "/usr/include/stdio.h\n");
	wb_buf_release(&d);
	wb_arena_release(&u.a);
	wb_arena_release(&l.a);
}

static void absolute_names_that_cannot_be_replaced(void **state)
{
	(void)state;
	struct wb_edge edge[] = {
	    {.from = UINT32_MAX, .to = HEADER, .line = 1, .kind = WB_EDGE_FORCED, .in_prefix = true, .name = "x"},
	    {.from = SOURCE, .to = ABS, .line = 1, .name = "/w/proj/src/a.h"},
	};
	static const struct {
		const char *words;
		struct wb_edge second;
		enum wb_reason reason;
	} row[] = {
	    {"clang -c d/unity.cxx", {.from = SOURCE, .to = ABS, .line = 1, .name = "/w/proj/src/a.h"}, WB_REASON_NONE},
	    /* out of a macro */
	    {"clang -c d/unity.cxx",
	     {.from = SOURCE, .to = ABS, .line = 7, .name = "/w/proj/src/a.h"},
	     WB_REASON_GENERATED_ABSOLUTE},
	    /* a condition */
	    {"clang -c d/unity.cxx",
	     {.from = SOURCE, .to = ABS, .line = 1, .kind = WB_EDGE_HAS_INCLUDE, .name = "/w/proj/src/a.h"},
	     WB_REASON_GENERATED_ABSOLUTE},
	    /* in a file whose bytes are not known */
	    {"clang -c d/unity.cxx",
	     {.from = REL, .to = ABS, .line = 1, .name = "/w/proj/src/a.h"},
	     WB_REASON_GENERATED_ABSOLUTE},
	    /* in a header of a PCH that is being made */
	    {CREATION,
	     {.from = SOURCE, .to = ABS, .line = 1, .in_prefix = true, .name = "/w/proj/src/a.h"},
	     WB_REASON_GENERATED_ABSOLUTE},
	    /* the system's names are good everywhere */
	    {"clang -c d/unity.cxx",
	     {.from = REL, .to = ABS, .line = 1, .name = "/usr/include/stdio.h"},
	     WB_REASON_NONE},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct lab l;
		struct wb_graph g;
		lab_init(&l, B);
		edge[1] = row[i].second;
		with_files(&l, &g, edge, 2);
		lab_parse(&l, row[i].words);
		wb_status s = rewrite(&l);
		if (wb_is_ok(s) != (row[i].reason == WB_REASON_NONE) || l.reason != row[i].reason)
			fail_msg("row %zu: %s %s", i, wb_reason_name(l.reason), l.err.text);
		wb_arena_release(&l.a);
	}
}

/* A forced include that was found along the search path must be looked for there again. */
static void forced_includes(void **state)
{
	(void)state;
	struct wb_edge edge[] = {{.from = UINT32_MAX, .to = REL, .line = 1, .kind = WB_EDGE_FORCED, .name = "r.h"}};
	struct lab l;
	struct wb_graph g;
	lab_init(&l, B "/sub");
	with_files(&l, &g, edge, 1);
	l.in.ngenerated = 0;
	lab_parse(&l, "clang -Igen -include r.h -c a.c -o a.o");
	assert_ok(rewrite(&l), &l.err);
	assert_string_equal(joined(&l), "/usr/bin/clang -Isub/gen -include r.h -c sub/a.c -o sub/a.o" CLANG);
	edge[0].name = "gen/r.h";
	lab_parse(&l, "clang -Igen -include gen/r.h -c a.c -o a.o");
	assert_ok(rewrite(&l), &l.err);
	assert_string_equal(joined(&l), "/usr/bin/clang -Isub/gen -include sub/gen/r.h -c sub/a.c -o sub/a.o" CLANG);
	wb_arena_release(&l.a);
}

static void steps_tell_every_change(void **state)
{
	(void)state;
	struct lab l;
	lab_init(&l, B);
	lab_parse(&l, "clang -fcolor-diagnostics -O2 -I/w/proj/inc -c a.c");
	assert_ok(rewrite(&l), &l.err);
	const struct wb_rewrite_step *s = l.out.step;
	assert_string_equal(s[0].before, "-fcolor-diagnostics");
	assert_null(s[0].after);
	assert_non_null(s[0].why);
	assert_string_equal(s[1].before, "-O2");
	assert_null(s[1].why);
	assert_string_equal(s[2].before, "-I/w/proj/inc");
	assert_string_equal(s[2].after, "-I../inc");
	assert_non_null(s[2].why);
	const struct wb_rewrite_step *last = &s[l.out.nstep - 1];
	assert_null(last->before);
	assert_string_equal(last->after, "-fmessage-length=0");
	wb_arena_release(&l.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands),
	    cmocka_unit_test(refusals),
	    cmocka_unit_test(outputs),
	    cmocka_unit_test(the_twin_is_made_and_used),
	    cmocka_unit_test(absolute_names_that_cannot_be_replaced),
	    cmocka_unit_test(forced_includes),
	    cmocka_unit_test(steps_tell_every_change),
	};
	return cmocka_run_group_tests_name("rewrite", tests, NULL, NULL);
}
