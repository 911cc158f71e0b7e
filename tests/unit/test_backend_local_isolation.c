/* What an action of the embedded executor cannot do: change its inputs or the store, see the host, pass off files of
 * the host as outputs. Every case runs in bubblewrap (when this machine permits it) and in a bare directory. */
#define _GNU_SOURCE
#include "tests/unit/local_backend.h"

#include <stdlib.h>
#include <string.h>

/* An action that does its worst to its inputs: in the sandbox it cannot; where it could, its result is refused. The
 * store stays sound in every case. */
static void attacks(struct local *f)
{
	static const char *const script[] = {
	    "chmod 666 ../src/a.h; echo bad >> ../src/a.h",
	    "echo bad > obj/in.pch",
	    "chmod 666 obj/in.pch; echo bad >> obj/in.pch",
	    "mv ../src/a.h ../src/b.h",
	    "rm -f ../src/a.h && echo bad > ../src/a.h",
	    "rm -f obj/in.pch && echo bad > obj/in.pch",
	    "ln ../src/a.h obj/a.o && chmod 666 obj/a.o && echo bad >> obj/a.o",
	    "ln obj/in.pch obj/a.o && chmod 666 obj/a.o && echo bad >> obj/a.o",
	    "mount -o remount,rw,bind /w; echo bad >> ../src/a.h",
	    "mount -o remount,rw,bind / ; unshare -Ur mount -o remount,bind,rw /w; unshare -Ur sh -c 'umount "
	    "obj/in.pch'; "
	    "unshare -Urm sh -c 'mount -o remount,bind,rw /w && echo bad >> ../src/a.h'",
	    "echo bad > /proc/1/root/w/r/src/a.h",
	    "setsid sh -c 'for i in $(seq 3000); do echo bad >> obj/a.o; done' & sleep 0.1",
	    "touch -d 2001-01-01 ../src/a.h; chmod 777 ../src; echo bad > ../src/new.h",
	};
	const struct local_input in[] = {{.path = "r/src/a.h", .data = "good a\n"},
					 {.path = "r/build/obj/in.pch", .data = "good pch\n"}};
	const char *out[] = {"obj/a.o", NULL};
	for (size_t i = 0; i < sizeof script / sizeof *script; i++) {
		struct wb_action_result r;
		char *text = wb_arena_printf(&f->a, "(%s) 2>/dev/null; cat ../src/a.h obj/in.pch; true", script[i]);
		struct wb_digest action = local_sh(f, text, out, in, 2);
		wb_status s = local_execute(f, &r, &action);
		if (wb_is_ok(s) && wb_sandbox_kind(f->sandbox) == WB_SANDBOX_BWRAP &&
		    strcmp(r.out_text, "good a\ngood pch\n") != 0)
			fail_msg("inputs changed by: %s: %s", script[i], r.out_text);
		if (!wb_is_ok(s)) {
			assert_int_equal(wb_sandbox_kind(f->sandbox), WB_SANDBOX_NONE);
			assert_int_equal(s.code, WB_EUNSUPPORTED);
			assert_code(local_look_up(f, &r, &action), WB_ENOENT);
		}
		assert_true(local_store_is_sound(f));
	}
}

static void test_attacks(void **state)
{
	(void)state;
	local_each_sandbox(attacks);
}

/* Sources compiled in their own directory: more inputs beside the outputs than can be mounted. */
static void crowded(struct local *f)
{
	struct local_input in[120];
	struct wb_action_result r;
	const char *out[] = {"a.o", "h7", NULL};
	for (int i = 0; i < 120; i++)
		in[i] = (struct local_input){.path = wb_arena_printf(&f->a, "r/build/h%d", i),
					     .data = wb_arena_printf(&f->a, "%d\n", i)};
	struct wb_digest action = local_sh(f, "cat h* | wc -l > a.o", out, in, 120);
	assert_ok(local_execute(f, &r, &action), &f->err);
	assert_string_equal(local_output(f, &r, "a.o"), "120\n");
	assert_int_equal(r.nfile, 1);
	action = local_sh(f, "chmod 666 h99; echo bad > h99; cat h99 > a.o", out, in, 120);
	wb_status s = local_execute(f, &r, &action);
	assert_int_equal(s.code, WB_EUNSUPPORTED);
	assert_says(&f->err, "changed its own input");
	assert_code(local_look_up(f, &r, &action), WB_ENOENT);
	assert_true(local_store_is_sound(f));
}

static void test_crowded(void **state)
{
	(void)state;
	local_each_sandbox(crowded);
}

/* The host is not to be seen: only in bubblewrap. */
static void test_hidden(void **state)
{
	struct local f;
	struct wb_action_result r;
	(void)state;
	if (local_sandbox[0] == NULL)
		skip();
	local_begin(&f, local_sandbox[0]);
	setenv("WAYBILL_TEST_SECRET", "1", 1);
	char *script = wb_arena_printf(
	    &f.a,
	    "ls %s /home /root /work /etc/passwd 2>/dev/null; ls /; env | grep -v '^PWD=' ; ls /dev; "
	    "cat /proc/net/dev | grep -v lo: | tail -n +3; pwd; test -w /usr && echo rw; id -u > /dev/null; "
	    "echo x > /dev/null && echo null; touch /tmp/x && echo tmp; readlink /proc/self/cwd",
	    f.dir);
	struct wb_digest action = local_sh(&f, script, NULL, NULL, 0);
	assert_ok(local_execute(&f, &r, &action), &f.err);
	static const char *const forbidden[] = {"home", "root\n", "work", "passwd", "SECRET", "eth", "rw", "waybill"};
	for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
		if (strstr(r.out_text, forbidden[i]) != NULL)
			fail_msg("%s shows in:\n%s", forbidden[i], r.out_text);
	assert_non_null(strstr(r.out_text, "\nw\n"));
	assert_non_null(strstr(r.out_text, "null\ntmp\n/w/r/build\n"));
	local_end(&f);
}

/* An action cannot pass off a file of the host as its output. */
static void stolen(struct local *f)
{
	const char *out[] = {"obj/x", "obj/d/y", "obj/fifo", NULL};
	struct wb_action_result r;
	struct wb_digest action = local_sh(
	    f, "ln -s /etc/passwd obj/x; ln -s /etc obj/d; ln -s /etc/hostname obj/y; mkfifo obj/fifo", out, NULL, 0);
	assert_ok(local_execute(f, &r, &action), &f->err);
	assert_int_equal(r.nfile, 0);
}

static void test_stolen(void **state)
{
	(void)state;
	local_each_sandbox(stolen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_attacks),
	    cmocka_unit_test(test_crowded),
	    cmocka_unit_test(test_hidden),
	    cmocka_unit_test(test_stolen),
	};
	return cmocka_run_group_tests(tests, local_set_up, local_tear_down);
}
