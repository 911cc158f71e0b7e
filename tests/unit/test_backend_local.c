/* The embedded executor on real commands, sh and where it is installed clang-22: what runs, and the results. Every case
 * runs in bubblewrap (when this machine permits it) and in a bare directory. */
#define _GNU_SOURCE
#include "tests/unit/local_backend.h"

#include "base/clock.h"
#include "reapi/messages.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void runs(struct local *f)
{
	const struct local_input in[] = {{.path = "r/src/a.txt", .data = "hello\n"},
					 {.path = "r/src/empty", .data = ""},
					 {.path = "r/src/tool", .data = "#!/bin/sh\necho tool $V\n", .exec = true},
					 {.path = "r/src/link", .link = "a.txt"},
					 {.path = "r/build/gen/in.h", .data = "gen\n"},
					 {.path = "r/build/obj/in.pch", .data = "pch\n"},
					 {.path = "r/void"}};
	const char *out[] = {"obj/a.o", "obj/none.o", "here.d", "obj/in.pch", NULL};
	const char *env[] = {"V=x y", "W=", NULL};
	const char *argv[] = {
	    "/bin/sh", "-c",
	    "cat ../src/link gen/in.h obj/in.pch ../src/empty > obj/a.o; ../src/tool > here.d; cd ../void && "
	    "ls; echo out; echo err >&2; chmod +x ../build/here.d",
	    NULL};
	struct wb_digest action = local_action(
	    f,
	    &(struct local_spec){.argv = argv, .env = env, .output = out, .input = in, .ninput = 7, .wd = "r/build"});
	struct wb_action_result r, hit;
	assert_code(local_look_up(f, &hit, &action), WB_ENOENT);
	assert_ok(local_execute(f, &r, &action), &f->err);
	assert_string_equal(r.err_text, "err\n");
	assert_string_equal(r.out_text, "out\n");
	assert_int_equal(r.exit_code, 0);
	assert_int_equal(r.nfile, 2);
	assert_string_equal(local_output(f, &r, "obj/a.o"), "hello\ngen\npch\n");
	assert_string_equal(local_output(f, &r, "here.d"), "tool x y\n");
	assert_true(r.file[0].exec);
	assert_string_equal(r.file[0].path, "here.d");
	assert_ok(local_look_up(f, &hit, &action), &f->err);
	assert_int_equal(hit.nfile, 2);
	assert_string_equal(hit.err_text, "err\n");
	assert_true(wb_digest_eq(&hit.file[1].digest, &r.file[1].digest));

	/* A restart knows it still; fetching gives a fresh, writable file. */
	local_close(f);
	local_open(f);
	assert_ok(local_look_up(f, &hit, &action), &f->err);
	char *to = wb_arena_printf(&f->a, "%s/fetched", f->dir);
	struct stat st;
	struct wb_backend_call call = {0};
	struct wb_fetch fetch = {.digest = hit.file[1].digest, .path = to};
	assert_ok(f->b->fetch(f->b, &f->a, &call, &fetch, 1, &f->err), &f->err);
	assert_int_equal(call.received, 14);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(st.st_nlink, 1);
	assert_true(wb_clock_wall_ns() / 1000000000 - st.st_mtim.tv_sec < 5);
}

static void test_runs(void **state)
{
	(void)state;
	local_each_sandbox(runs);
}

/* A failure and a do_not_cache are not remembered; a signal is 128 + its number. */
static void failures(struct local *f)
{
	struct wb_action_result r;
	const char *out[] = {"x", NULL};
	struct wb_digest action = local_sh(f, "echo part > x; echo no >&2; exit 3", out, NULL, 0);
	assert_ok(local_execute(f, &r, &action), &f->err);
	assert_int_equal(r.exit_code, 3);
	assert_string_equal(r.err_text, "no\n");
	assert_code(local_look_up(f, &r, &action), WB_ENOENT);

	action = local_sh(f, "sh -c 'kill -SEGV $$'", out, NULL, 0);
	assert_ok(local_execute(f, &r, &action), &f->err);
	assert_int_equal(r.exit_code, 128 + 11);

	const char *argv[] = {"/bin/true", NULL};
	action = local_action(f, &(struct local_spec){.argv = argv, .wd = "r", .do_not_cache = true});
	assert_ok(local_execute(f, &r, &action), &f->err);
	assert_int_equal(r.exit_code, 0);
	assert_code(local_look_up(f, &r, &action), WB_ENOENT);

	const char *none[] = {"/no/such/compiler", NULL};
	action = local_action(f, &(struct local_spec){.argv = none, .wd = "r"});
	assert_false(wb_is_ok(local_execute(f, &r, &action)));
}

static void test_failures(void **state)
{
	(void)state;
	local_each_sandbox(failures);
}

/* Long output goes through the store. */
static void long_text(struct local *f)
{
	struct wb_action_result r;
	struct wb_digest action = local_sh(
	    f, "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789 >&2; i=$((i+1)); done",
	    NULL, NULL, 0);
	assert_ok(local_execute(f, &r, &action), &f->err);
	assert_int_equal(r.err_len, 3000 * 41);
	assert_ok(local_look_up(f, &r, &action), &f->err);
	assert_int_equal(r.err_len, 3000 * 41);
	assert_memory_equal(r.err_text + 2999 * 41, "0123456789012345678901234567890123456789\n", 41);
}

static void test_long_text(void **state)
{
	(void)state;
	local_each_sandbox(long_text);
}

/* Output directories in output directories, in and beside inputs, and new ones. */
static void nested(struct local *f)
{
	const struct local_input in[] = {
	    {.path = "r/build/a/in", .data = "1"},     {.path = "r/build/a/b/in", .data = "2"},
	    {.path = "r/build/a/b/c/in", .data = "3"}, {.path = "r/build/a/s", .link = "b/in"},
	    {.path = "r/build/in", .data = "4"},       {.path = "r/build/e"}};
	const char *out[] = {"x", "a/b/x", "a/b/c/x", "n/m/x", "n/x", "a/b/c/new/x", "e/x", NULL};
	struct wb_digest action = local_sh(
	    f, "for d in . a/b a/b/c n/m n a/b/c/new e; do cat in a/in a/b/in a/b/c/in a/s > $d/x || exit 1; done", out,
	    in, 6);
	struct wb_action_result r;
	assert_ok(local_execute(f, &r, &action), &f->err);
	assert_string_equal(r.err_text, "");
	assert_int_equal(r.exit_code, 0);
	assert_int_equal(r.nfile, 7);
	for (size_t i = 0; out[i] != NULL; i++)
		assert_string_equal(local_output(f, &r, out[i]), "41232");
}

static void test_nested(void **state)
{
	(void)state;
	local_each_sandbox(nested);
}

struct canceler {
	struct wb_slots *slots;
	atomic_bool cancel;
};

static void *cancel_soon(void *arg)
{
	struct canceler *c = arg;
	usleep(200000);
	atomic_store(&c->cancel, true);
	wb_slots_wake(c->slots);
	return NULL;
}

static void cancels(struct local *f)
{
	struct wb_action_result r;
	struct wb_digest action = local_sh(f, "sleep 100 & sleep 100", NULL, NULL, 0);
	struct canceler c = {.slots = f->slots};
	pthread_t t;
	int64_t start = wb_clock_ns();
	assert_int_equal(pthread_create(&t, NULL, cancel_soon, &c), 0);
	struct wb_backend_call x = {.action = action, .cancel = &c.cancel};
	assert_code(f->b->execute(f->b, &r, &f->a, &x, &f->err), WB_ECANCELED);
	pthread_join(t, NULL);
	assert_true(wb_clock_ns() - start < 5000000000LL);
	assert_int_equal(wb_slots_used(f->slots), 0);
	assert_code(local_look_up(f, &r, &action), WB_ENOENT);
}

static void test_cancels(void **state)
{
	(void)state;
	local_each_sandbox(cancels);
}

/* Messages that no client of ours would send. */
static void malformed(struct local *f)
{
	struct wb_action_result r;
	struct wb_digest d;
	static const char *const bad_output[] = {"../x", "/x", "a//b", "./a", "a/..", ""};
	for (size_t i = 0; i < sizeof bad_output / sizeof *bad_output; i++) {
		const char *out[] = {bad_output[i], NULL};
		d = local_sh(f, "true", out, NULL, 0);
		assert_code(local_execute(f, &r, &d), WB_EPROTO);
	}
	local_upload(f, &d, "\x0a\xff", 2);
	assert_code(local_execute(f, &r, &d), WB_EPROTO);
	wb_digest_of(&d, "not there", 9);
	assert_code(local_execute(f, &r, &d), WB_ENOENT);
	/* A working directory and an output directory behind a link out of the root. */
	const struct local_input in[] = {{.path = "r/out", .link = "/tmp"}};
	const char *argv[] = {"/bin/true", NULL}, *out[] = {"out/x", NULL};
	d = local_action(f, &(struct local_spec){.argv = argv, .input = in, .ninput = 1, .output = out, .wd = "r"});
	assert_code(local_execute(f, &r, &d), WB_EUNSUPPORTED);
	/* A bad name in a Directory. */
	wb_re_directory m;
	wb_re_file_node node, *nodes[] = {&node};
	char *data;
	size_t n;
	build__bazel__remote__execution__v2__directory__init(&m);
	build__bazel__remote__execution__v2__file_node__init(&node);
	node.name = wb_arena_strdup(&f->a, "../evil");
	local_upload(f, &d, "x", 1);
	node.digest = wb_re_digest_new(&f->a, &d);
	m.n_files = 1;
	m.files = nodes;
	wb_message_pack(&data, &n, &f->a, &m.base);
	local_upload(f, &d, data, n);
	struct wb_digest root = d;
	wb_re_command c;
	build__bazel__remote__execution__v2__command__init(&c);
	c.n_arguments = 1;
	c.arguments = local_strings(&f->a, argv);
	wb_message_pack(&data, &n, &f->a, &c.base);
	local_upload(f, &d, data, n);
	wb_re_action a;
	build__bazel__remote__execution__v2__action__init(&a);
	a.command_digest = wb_re_digest_new(&f->a, &d);
	a.input_root_digest = wb_re_digest_new(&f->a, &root);
	wb_message_pack(&data, &n, &f->a, &a.base);
	local_upload(f, &d, data, n);
	assert_code(local_execute(f, &r, &d), WB_EPROTO);
}

static void test_malformed(void **state)
{
	(void)state;
	local_each_sandbox(malformed);
}

/* A real compile: same object from both kinds of sandbox. */
static void test_compiles(void **state)
{
	const struct local_input in[] = {
	    {.path = "r/src/a.cpp",
	     .data = "#include \"h.h\"\n#include <vector>\nint f() { return (int)std::vector<int>(N).size(); }\n"},
	    {.path = "r/src/h.h", .data = "#define N 3\n"}};
	const char *argv[] = {"/usr/bin/clang++-22",
			      "-O1",
			      "-g",
			      "-ffile-compilation-dir=.",
			      "-c",
			      "../src/a.cpp",
			      "-MD",
			      "-MF",
			      "obj/a.o.d",
			      "-o",
			      "obj/a.o",
			      NULL};
	const char *out[] = {"obj/a.o", "obj/a.o.d", NULL};
	struct wb_digest object[2];
	(void)state;
	if (access(argv[0], X_OK) != 0 || local_sandbox[0] == NULL)
		skip();
	for (int i = 0; i < 2; i++) {
		struct local f;
		struct wb_action_result r;
		local_begin(&f, local_sandbox[i]);
		struct wb_digest action = local_action(
		    &f, &(struct local_spec){.argv = argv, .output = out, .input = in, .ninput = 2, .wd = "r/build"});
		assert_ok(local_execute(&f, &r, &action), &f.err);
		assert_string_equal(r.err_text, "");
		assert_int_equal(r.nfile, 2);
		object[i] = r.file[0].digest;
		assert_non_null(strstr(local_output(&f, &r, "obj/a.o.d"), "../src/h.h"));
		local_end(&f);
	}
	assert_true(wb_digest_eq(&object[0], &object[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_runs),     cmocka_unit_test(test_failures), cmocka_unit_test(test_long_text),
	    cmocka_unit_test(test_nested),   cmocka_unit_test(test_cancels),  cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_compiles),
	};
	return cmocka_run_group_tests(tests, local_set_up, local_tear_down);
}
