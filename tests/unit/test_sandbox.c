/* The sandbox by itself: mounts, exit codes, failures. What actions can and cannot do in it: test_backend_local.c. */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/fileio.h"
#include "service/sandbox.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	struct wb_arena a;
	struct wb_err err;
	struct wb_sandbox *s;
	struct wb_buf out, err_text;
	int code;
};

static void begin(struct fixture *f, const char *choice)
{
	*f = (struct fixture){.dir = "/tmp/waybill-test-XXXXXX"};
	assert_non_null(mkdtemp(f->dir));
	wb_arena_init(&f->a);
	assert_ok(wb_sandbox_new(&f->s, choice, &f->err), &f->err);
	static const char *const dir[] = {"root/r/src", "root/r/build/obj", "out/r/build/obj"};
	for (size_t i = 0; i < 3; i++)
		assert_ok(wb_dir_make(wb_arena_printf(&f->a, "%s/%s", f->dir, dir[i]), 0755, &f->err), &f->err);
	assert_ok(wb_file_write(wb_arena_printf(&f->a, "%s/root/r/build/obj/in", f->dir), "in\n", 3, 0444, &f->err),
		  &f->err);
}

static void end(struct fixture *f)
{
	wb_sandbox_free(f->s);
	wb_buf_release(&f->out);
	wb_buf_release(&f->err_text);
	assert_ok(wb_dir_remove(f->dir, &f->err), &f->err);
	wb_arena_release(&f->a);
}

static bool have_bwrap(void)
{
	struct wb_sandbox *s;
	bool have = wb_is_ok(wb_sandbox_new(&s, "auto", NULL));
	assert_true(have);
	have = wb_sandbox_kind(s) == WB_SANDBOX_BWRAP;
	assert_true(have == (wb_sandbox_why_not(s)[0] == '\0'));
	wb_sandbox_free(s);
	return have;
}

static wb_status run(struct fixture *f, const char *script, const char *const *platform, size_t nplatform)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL}, *env[] = {"A=b=c", "LD_PRELOAD=/no/such.so", "E=", NULL};
	const char *out_dir[] = {"r/build/obj"}, *inner[] = {"r/build/obj/in"};
	struct wb_sandbox_run r = {.argv = argv,
				   .env = env,
				   .root = wb_arena_printf(&f->a, "%s/root", f->dir),
				   .out = wb_arena_printf(&f->a, "%s/out", f->dir),
				   .working_directory = "r/build",
				   .out_dir = out_dir,
				   .nout_dir = 1,
				   .inner = inner,
				   .ninner = 1,
				   .platform = platform,
				   .nplatform = nplatform,
				   .stdout_buf = &f->out,
				   .stderr_buf = &f->err_text};
	wb_buf_reset(&f->out);
	wb_buf_reset(&f->err_text);
	return wb_sandbox_run(&f->code, f->s, &r, &f->err);
}

static void test_bwrap(void **state)
{
	struct fixture f;
	struct stat st;
	(void)state;
	if (!have_bwrap())
		skip();
	begin(&f, "bwrap");
	assert_ok(
	    run(&f, "cat obj/in; echo new > obj/new; echo no > obj/in; echo no > no; echo $A,$E; exit 7", NULL, 0),
	    &f.err);
	assert_int_equal(f.code, 7);
	assert_string_equal(f.out.p, "in\nb=c,\n");
	assert_non_null(strstr(f.err_text.p, "obj/in: Read-only file system"));
	assert_non_null(strstr(f.err_text.p, "no: Read-only file system"));
	assert_null(strstr(f.err_text.p, "bwrap")); /* nor did the action's LD_PRELOAD reach it */
	assert_int_equal(stat(wb_arena_printf(&f.a, "%s/out/r/build/obj/new", f.dir), &st), 0);
	assert_int_equal(st.st_size, 4);

	assert_ok(run(&f, "sh -c 'kill -9 $$'", NULL, 0), &f.err);
	assert_int_equal(f.code, 128 + 9);

	/* Platform directories: a link is a link, what is below another is there already, what is not there is left
	 * out. */
	char *own = wb_arena_printf(&f.a, "%s/sdk", f.dir), *link = wb_arena_printf(&f.a, "%s/link", f.dir);
	assert_ok(wb_dir_make(own, 0755, &f.err), &f.err);
	assert_int_equal(symlink(own, link), 0);
	const char *platform[] = {"/usr/lib", link, "/no/such/dir", own, "/", "relative"};
	char *script = wb_arena_printf(&f.a, "readlink %s && touch %s/x || test -d %s && echo there", link, own, own);
	assert_ok(run(&f, script, platform, 6), &f.err);
	assert_string_equal(f.out.p, wb_arena_printf(&f.a, "%s\nthere\n", own));
	end(&f);
}

/* When the sandbox itself fails it says so; that is not the action's exit code. */
static void test_setup_fails(void **state)
{
	struct fixture f;
	(void)state;
	if (!have_bwrap())
		skip();
	begin(&f, "auto");
	assert_ok(wb_dir_remove(wb_arena_printf(&f.a, "%s/out/r/build/obj", f.dir), &f.err), &f.err);
	assert_code(run(&f, "true", NULL, 0), WB_EIO);
	assert_says(&f.err, "bwrap: ");
	end(&f);
}

static void test_none(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, "none");
	assert_int_equal(wb_sandbox_kind(f.s), WB_SANDBOX_NONE);
	assert_int_not_equal(wb_sandbox_why_not(f.s)[0], '\0');
	assert_ok(run(&f, "pwd; cat obj/in; exit 9", NULL, 0), &f.err);
	assert_int_equal(f.code, 9);
	assert_string_equal(f.out.p, wb_arena_printf(&f.a, "%s/root/r/build\nin\n", f.dir));
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bwrap),
	    cmocka_unit_test(test_setup_fails),
	    cmocka_unit_test(test_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
