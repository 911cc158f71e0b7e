/* From inputs and a rewritten command to REAPI messages. The oracle for the bytes is protobuf's own compiler (`protoc
 * --decode`, then `--encode --deterministic_output`); where it is not installed that part is skipped. */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/fileio.h"
#include "reapi/directories.h"
#include "reapi/messages.h"
#include "reapi/tree.h"
#include "service/action.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOT "/home/dev/project"

struct fixture {
	struct wb_arena a;
	struct wb_err err;
	struct wb_input input[16];
	struct wb_inputs inputs;
	struct wb_rewrite rewrite;
	struct wb_roots roots;
	struct wb_toolchain tc;
	struct wb_action_in in;
	struct wb_overlay_file overlay[2];
	struct wb_rewrite_output output[6];
	struct wb_system_file system[2];
};

static const char *const argv[] = {
    "/usr/bin/clang++-22", "-c", "../src/a b.cpp", "-DX=\xc3\xa9", "-o", "obj/a.o", NULL};
static const char *const env[] = {"LANG=C", "CPATH=", "A_B=1", "A=2", "X", NULL};
static const char *const more_env[] = {"A=3", "PWD=/proc/self/cwd", NULL};

static void add(struct fixture *f, const char *path, enum wb_file_kind kind, const char *text)
{
	struct wb_input *x = &f->input[f->inputs.ninput++];
	*x = (struct wb_input){.path = path, .kind = (uint8_t)kind};
	if (kind == WB_FILE_REGULAR)
		wb_digest_of(&x->digest, text, strlen(text));
	else
		x->link = text;
}

static void add_output(struct fixture *f, const char *path)
{
	f->output[f->rewrite.noutput++] = (struct wb_rewrite_output){.action_path = path, .real_path = "/elsewhere"};
}

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	wb_arena_init(&f->a);
	f->inputs.input = f->input;
	f->inputs.system = f->system;
	f->rewrite.argv = argv;
	f->rewrite.env = more_env;
	f->rewrite.output = f->output;
	f->rewrite.overlay = f->overlay;
	f->roots.base = ROOT;
	f->roots.action_cwd = ROOT "/build";
	f->in = (struct wb_action_in){
	    .rewrite = &f->rewrite, .inputs = &f->inputs, .roots = &f->roots, .tc = &f->tc, .env = env};
	add(f, ROOT "/build/cmake_pch.hxx", WB_FILE_REGULAR, "#include \"" ROOT "/src/x.h\"\n");
	add(f, ROOT "/include", WB_FILE_DIRECTORY, NULL);
	add(f, ROOT "/src", WB_FILE_DIRECTORY, NULL);
	add(f, ROOT "/src-2/z.h", WB_FILE_REGULAR, "z");
	add(f, ROOT "/src/B.h", WB_FILE_REGULAR, "z");
	add(f, ROOT "/src/a b.cpp", WB_FILE_REGULAR, "int x;\n");
	add(f, ROOT "/src/empty.h", WB_FILE_REGULAR, "");
	add(f, ROOT "/src/l.h", WB_FILE_SYMLINK, "B.h");
	add(f, ROOT "/src/tool", WB_FILE_REGULAR, "tool");
	f->input[8].exec = true;
	f->overlay[0] = (struct wb_overlay_file){ROOT "/build/waybill-1.hxx", "#include \"../src/x.h\"\n", 22};
	f->overlay[1] = (struct wb_overlay_file){ROOT "/build/cmake_pch.hxx", "shadow", 6};
	f->rewrite.noverlay = 2;
	add_output(f, "obj/a.o");
	add_output(f, "./obj//a.o.d");
	add_output(f, "a.gcno");
	add_output(f, "obj/a.o");
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;
	wb_arena_release(&f->a);
	free(f);
	return 0;
}

static const struct wb_blob *blob_of(const struct wb_action *x, const struct wb_digest *d)
{
	const struct wb_blob *found = NULL;
	for (size_t i = 0; i < x->nblob; i++)
		if (wb_digest_eq(&x->blob[i].digest, d)) {
			assert_null(found); /* each once */
			found = &x->blob[i];
		}
	assert_non_null(found);
	return found;
}

/* The tree as text: one line a node, "path kind content". */
static void dump(struct fixture *f, struct wb_buf *out, const struct wb_action *x, const char *path,
		 const struct wb_digest *d)
{
	const struct wb_blob *b = blob_of(x, d);
	wb_re_directory *m;
	struct wb_digest sub;
	assert_ok(wb_directory_decode(&m, &f->a, b->data, (size_t)d->size, &f->err), &f->err);
	for (size_t i = 0; i < m->n_files; i++) {
		assert_ok(wb_re_digest_get(&sub, m->files[i]->digest, "file", &f->err), &f->err);
		const struct wb_blob *file = blob_of(x, &sub);
		wb_buf_addf(out, "%s/%s %s %.*s\n", path, m->files[i]->name,
			    m->files[i]->is_executable ? "exec" : "file",
			    (int)strcspn(file->data ? file->data : file->path, "\n"),
			    file->data ? (const char *)file->data : file->path);
	}
	for (size_t i = 0; i < m->n_symlinks; i++)
		wb_buf_addf(out, "%s/%s -> %s\n", path, m->symlinks[i]->name, m->symlinks[i]->target);
	for (size_t i = 0; i < m->n_directories; i++) {
		wb_buf_addf(out, "%s/%s/\n", path, m->directories[i]->name);
		assert_ok(wb_re_digest_get(&sub, m->directories[i]->digest, "dir", &f->err), &f->err);
		dump(f, out, x, wb_arena_printf(&f->a, "%s/%s", path, m->directories[i]->name), &sub);
	}
}

static void test_tree(void **state)
{
	struct fixture *f = *state;
	struct wb_action x;
	struct wb_buf text = WB_BUF_INIT;
	assert_ok(wb_action_build(&x, &f->a, &f->in, &f->err), &f->err);
	dump(f, &text, &x, "", &x.root);
	assert_string_equal(text.p, "/r/\n"
				    "/r/build/\n"
				    "/r/build/cmake_pch.hxx file shadow\n"
				    "/r/build/waybill-1.hxx file #include \"../src/x.h\"\n"
				    "/r/build/obj/\n"
				    "/r/include/\n"
				    "/r/src/\n"
				    "/r/src/B.h file " ROOT "/src-2/z.h\n"
				    "/r/src/a b.cpp file " ROOT "/src/a b.cpp\n"
				    "/r/src/empty.h file " ROOT "/src/empty.h\n"
				    "/r/src/tool exec " ROOT "/src/tool\n"
				    "/r/src/l.h -> B.h\n"
				    "/r/src-2/\n"
				    "/r/src-2/z.h file " ROOT "/src-2/z.h\n");
	wb_buf_release(&text);
}

static void test_messages(void **state)
{
	struct fixture *f = *state;
	struct wb_action x;
	struct wb_digest d;
	wb_re_action *action;
	wb_re_command *c;
	assert_ok(wb_action_build(&x, &f->a, &f->in, &f->err), &f->err);
	const struct wb_blob *b = blob_of(&x, &x.digest);
	assert_ok(wb_action_decode(&action, &f->a, b->data, (size_t)b->digest.size, &f->err), &f->err);
	assert_ok(wb_re_digest_get(&d, action->command_digest, "command", &f->err), &f->err);
	assert_true(wb_digest_eq(&d, &x.command));
	assert_ok(wb_re_digest_get(&d, action->input_root_digest, "root", &f->err), &f->err);
	assert_true(wb_digest_eq(&d, &x.root));
	assert_int_equal(action->salt.len, 32);
	memcpy(d.hash, action->salt.data, 32);
	char hex[WB_DIGEST_HEX];
	wb_digest_hex(hex, &d);
	assert_string_equal(hex, x.salt_hex);

	b = blob_of(&x, &x.command);
	assert_ok(wb_command_decode(&c, &f->a, b->data, (size_t)b->digest.size, &f->err), &f->err);
	assert_int_equal(c->n_arguments, 6);
	assert_string_equal(c->arguments[3], "-DX=\xc3\xa9");
	assert_string_equal(c->working_directory, "r/build");
	assert_string_equal(x.working_directory, "r/build");
	static const char *const names[] = {"A", "A_B", "CPATH", "LANG", "PWD"};
	static const char *const values[] = {"3", "1", "", "C", "/proc/self/cwd"};
	assert_int_equal(c->n_environment_variables, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_string_equal(c->environment_variables[i]->name, names[i]);
		assert_string_equal(c->environment_variables[i]->value, values[i]);
	}
	static const char *const paths[] = {"a.gcno", "obj/a.o", "obj/a.o.d"};
	assert_int_equal(c->n_output_paths, 3);
	assert_int_equal(c->n_output_files, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(c->output_paths[i], paths[i]);
		assert_string_equal(c->output_files[i], paths[i]);
	}
	assert_string_equal(x.output[0], "obj/a.o");
	assert_string_equal(x.output[1], "obj/a.o.d");
	assert_string_equal(x.output[2], "a.gcno");
}

/* The same whatever the order of inputs, environment and outputs, and in any checkout. */
static void test_canonical(void **state)
{
	struct fixture *f = *state;
	struct wb_action x, y;
	static const char *const other_env[] = {"A=9", "A_B=1", "LANG=C", "CPATH=", NULL};
	assert_ok(wb_action_build(&x, &f->a, &f->in, &f->err), &f->err);
	for (size_t i = 0; i < f->inputs.ninput / 2; i++) {
		struct wb_input t = f->input[i];
		f->input[i] = f->input[f->inputs.ninput - 1 - i];
		f->input[f->inputs.ninput - 1 - i] = t;
	}
	struct wb_rewrite_output t = f->output[0];
	f->output[0] = f->output[2];
	f->output[2] = t;
	f->in.env = other_env;
	for (size_t i = 0; i < f->inputs.ninput; i++)
		f->input[i].path = wb_arena_printf(&f->a, "/x%s", f->input[i].path + strlen(ROOT));
	for (size_t i = 0; i < 2; i++)
		f->overlay[i].path = wb_arena_printf(&f->a, "/x%s", f->overlay[i].path + strlen(ROOT));
	f->roots.base = "/x";
	f->roots.action_cwd = "/x/build";
	assert_ok(wb_action_build(&y, &f->a, &f->in, &f->err), &f->err);
	assert_true(wb_digest_eq(&x.root, &y.root));
	assert_true(wb_digest_eq(&x.command, &y.command));
	assert_true(wb_digest_eq(&x.digest, &y.digest));
	f->input[0].exec = !f->input[0].exec;
	assert_ok(wb_action_build(&y, &f->a, &f->in, &f->err), &f->err);
	assert_false(wb_digest_eq(&x.digest, &y.digest));
}

static void test_salt(void **state)
{
	struct fixture *f = *state;
	struct wb_digest identity = {0}, s[4];
	wb_digest_of(&f->system[0].digest, "1", 1);
	wb_digest_of(&f->system[1].digest, "2", 1);
	f->system[0].path = "/usr/include/a.h";
	f->system[1].path = "/usr/include/b.h";
	wb_action_salt(&s[0], f->system, 2, &identity);
	f->system[1].digest.hash[0] ^= 1;
	wb_action_salt(&s[1], f->system, 2, &identity);
	f->system[1].digest.hash[0] ^= 1;
	f->system[1].path = "/usr/include/c.h";
	wb_action_salt(&s[2], f->system, 2, &identity);
	f->system[1].path = "/usr/include/b.h";
	identity.hash[31] = 1;
	wb_action_salt(&s[3], f->system, 2, &identity);
	for (int i = 0; i < 4; i++)
		for (int k = i + 1; k < 4; k++)
			assert_false(wb_digest_eq(&s[i], &s[k]));
	struct wb_action x, y;
	assert_ok(wb_action_build(&x, &f->a, &f->in, &f->err), &f->err);
	f->inputs.nsystem = 2;
	assert_ok(wb_action_build(&y, &f->a, &f->in, &f->err), &f->err);
	assert_false(wb_digest_eq(&x.digest, &y.digest));
	assert_true(wb_digest_eq(&x.command, &y.command));
	assert_true(wb_digest_eq(&x.root, &y.root));
}

static void test_output_paths(void **state)
{
	struct fixture *f = *state;
	struct wb_action x;
	static const struct {
		const char *spelled, *want; /* want NULL: cannot be said */
	} row[] = {
	    {"a.o", "a.o"},
	    {"./x/./a.o", "x/a.o"},
	    {"../build/a.o", "a.o"},
	    {"../src/../build/sub/a.o", "sub/a.o"},
	    {"../a.o", NULL},
	    {"../src/a.o", NULL},
	    {"../../r/build/a.o", NULL}, /* outside of the project there is no "r" */
	    {"../../../a.o", NULL},
	    {"/tmp/a.o", NULL},
	    {ROOT "/build/a.o", NULL},
	    {"none/../a.o", NULL}, /* the compiler would fail: no such directory */
	    {"../build", NULL},
	    {".", NULL},
	    {"", NULL},
	    {"link/a.o", NULL},
	    {"link/../a.o", NULL},
	    {"a..o", "a..o"},
	    {"...", "..."},
	};
	add(f, ROOT "/build/link", WB_FILE_SYMLINK, "obj");
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		f->rewrite.noutput = 0;
		add_output(f, row[i].spelled);
		wb_status s = wb_action_build(&x, &f->a, &f->in, &f->err);
		if (row[i].want == NULL) {
			if (s.code != WB_EUNSCANNABLE)
				fail_msg("%s: %s", row[i].spelled, wb_is_ok(s) ? x.output[0] : f->err.text);
			continue;
		}
		if (!wb_is_ok(s))
			fail_msg("%s: %s", row[i].spelled, f->err.text);
		assert_string_equal(x.output[0], row[i].want);
	}
}

static void test_contradictions(void **state)
{
	struct fixture *f = *state;
	struct wb_action x;
	add(f, ROOT "/src/B.h/x.h", WB_FILE_REGULAR, "x");
	assert_code(wb_action_build(&x, &f->a, &f->in, &f->err), WB_EUNSCANNABLE);
	assert_says(&f->err, "not a directory");
	f->inputs.ninput--;
	add(f, "/elsewhere/x.h", WB_FILE_REGULAR, "x");
	assert_code(wb_action_build(&x, &f->a, &f->in, &f->err), WB_EUNSCANNABLE);
	f->inputs.ninput--;
	add(f, ROOT "/src/fifo", WB_FILE_OTHER, NULL);
	assert_code(wb_action_build(&x, &f->a, &f->in, &f->err), WB_EUNSCANNABLE);
	f->inputs.ninput--;
	/* The root itself is a fine working directory. */
	f->roots.action_cwd = ROOT;
	assert_ok(wb_action_build(&x, &f->a, &f->in, &f->err), &f->err);
	assert_string_equal(x.working_directory, "r");
}

/* Bytes -> protoc's text -> protoc's bytes: they are ours. */
static void assert_canonical(struct fixture *f, const char *dir, const char *type, const struct wb_blob *b)
{
	char *in = wb_arena_printf(&f->a, "%s/in", dir), *back;
	size_t n;
	assert_ok(wb_file_write(in, b->data, (size_t)b->digest.size, 0600, &f->err), &f->err);
	char *command =
	    wb_arena_printf(&f->a,
			    "cd %s && P='protoc -I %s/proto %s/proto/remote_execution.proto' && "
			    "$P --decode=build.bazel.remote.execution.v2.%s < in > text && "
			    "$P --deterministic_output --encode=build.bazel.remote.execution.v2.%s < text > back && "
			    "! grep -q '^ *[0-9][0-9]*:' text",
			    dir, WAYBILL_SOURCE_ROOT, WAYBILL_SOURCE_ROOT, type, type);
	assert_int_equal(system(command), 0);
	assert_ok(wb_file_read(&back, &n, &f->a, wb_arena_printf(&f->a, "%s/back", dir), 1 << 20, &f->err), &f->err);
	assert_int_equal(n, b->digest.size);
	assert_memory_equal(back, b->data, n);
}

static void test_protoc_agrees(void **state)
{
	struct fixture *f = *state;
	struct wb_action x;
	char dir[] = "/tmp/waybill-test-XXXXXX";
	if (system("protoc --version > /dev/null 2>&1") != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	assert_ok(wb_action_build(&x, &f->a, &f->in, &f->err), &f->err);
	assert_canonical(f, dir, "Action", blob_of(&x, &x.digest));
	assert_canonical(f, dir, "Command", blob_of(&x, &x.command));
	/* The root, and the directory of sources: files, an executable, a symlink. */
	wb_re_directory *m;
	struct wb_digest d = x.root;
	static const char *const way[] = {"r", "src"};
	for (size_t i = 0; i < 3; i++) {
		const struct wb_blob *b = blob_of(&x, &d);
		assert_canonical(f, dir, "Directory", b);
		if (i == 2)
			break;
		assert_ok(wb_directory_decode(&m, &f->a, b->data, (size_t)d.size, &f->err), &f->err);
		for (size_t k = 0; k < m->n_directories; k++)
			if (strcmp(m->directories[k]->name, way[i]) == 0)
				assert_ok(wb_re_digest_get(&d, m->directories[k]->digest, "dir", &f->err), &f->err);
	}
	assert_ok(wb_dir_remove(dir, &f->err), &f->err);
}

/* Many files: the tree builder must not be quadratic. */
static void test_big_tree(void **state)
{
	struct fixture *f = *state;
	struct wb_tree t;
	struct wb_tree_blob *blob;
	struct wb_digest d, root;
	size_t n;
	wb_digest_of(&d, "x", 1);
	wb_tree_init(&t, &f->a);
	for (int i = 0; i < 50000; i++)
		assert_ok(wb_tree_add_file(&t, wb_arena_printf(&f->a, "r/a/d%d/e/f%d", i % 300, i), &d, false, &f->err),
			  &f->err);
	for (int i = 0; i < 20000; i++)
		assert_ok(wb_tree_add_file(&t, wb_arena_printf(&f->a, "r/flat/f%d", i), &d, false, &f->err), &f->err);
	assert_ok(wb_tree_finish(&root, &blob, &n, &t, NULL, &f->err), &f->err);
	assert_int_equal(n, 300 * 2 + 4);

	/* The same with a memory, empty and full: the same bytes. */
	struct wb_directories *known = wb_directories_new();
	for (int i = 0; i < 2; i++) {
		struct wb_tree_blob *again;
		struct wb_digest same;
		size_t m;
		assert_ok(wb_tree_finish(&same, &again, &m, &t, known, &f->err), &f->err);
		assert_true(wb_digest_eq(&root, &same));
		assert_int_equal(m, n);
		for (size_t k = 0; k < n; k++) {
			assert_true(wb_digest_eq(&blob[k].digest, &again[k].digest));
			assert_memory_equal(blob[k].data, again[k].data, (size_t)blob[k].digest.size);
		}
	}
	/* One more file in one directory: found out, although all the others are known. */
	struct wb_digest other;
	assert_ok(wb_tree_add_file(&t, "r/a/d7/e/one-more", &d, true, &f->err), &f->err);
	assert_ok(wb_tree_finish(&other, &blob, &n, &t, known, &f->err), &f->err);
	assert_false(wb_digest_eq(&root, &other));
	wb_directories_free(known);
	assert_int_equal(wb_tree_kind(&t, "r/a/d7/e"), WB_TREE_DIRECTORY);
	assert_int_equal(wb_tree_kind(&t, "r/a/d7/e/f7"), WB_TREE_FILE);
	assert_int_equal(wb_tree_kind(&t, "r/a/d7/f7"), WB_TREE_NONE);
	static const char *const bad[] = {"/a", "a//b", "a/../b", "./a", "a/", ".."};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_code(wb_tree_add_file(&t, bad[i], &d, false, &f->err), WB_EINVAL);
	wb_tree_release(&t);
}

/* Decoding is bounded: by what it takes, not by what is sent. */
static void test_decode_limit(void **state)
{
	struct fixture *f = *state;
	enum { N = 100000 };
	char *data = wb_arena_alloc(&f->a, 2 * N);
	ProtobufCMessage *m;
	for (int i = 0; i < N; i++)
		data[2 * i] = 0x0a; /* Directory.files, empty */
	const ProtobufCMessageDescriptor *type = &build__bazel__remote__execution__v2__directory__descriptor;
	assert_code(wb_message_decode(&m, &f->a, type, data, 2 * N, 1 << 20, &f->err), WB_EPROTO);
	assert_true(f->a.used < 4 << 20);
	assert_code(wb_message_decode(&m, &f->a, type, data, 2 * N, 64 << 20, &f->err), WB_OK);
	assert_code(wb_message_decode(&m, &f->a, type, "\x0a\x05\x08", 3, 1 << 20, &f->err), WB_EPROTO);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(test_tree),          TEST(test_messages),     TEST(test_canonical),
	    TEST(test_salt),          TEST(test_output_paths), TEST(test_contradictions),
	    TEST(test_protoc_agrees), TEST(test_big_tree),     TEST(test_decode_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
