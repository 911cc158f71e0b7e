#define _GNU_SOURCE
#include "base/arena.h"
#include "base/clock.h"
#include "base/process.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t second = 1000000000;

struct result {
	wb_status status;
	int wait_status;
	struct wb_buf out, err_out;
	struct wb_err err;
	int64_t took;
};

static void run(struct result *r, const char *script, struct wb_process p)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	*r = (struct result){.out = WB_BUF_INIT, .err_out = WB_BUF_INIT};
	if (p.argv == NULL)
		p.argv = argv;
	p.out = &r->out;
	p.err_out = &r->err_out;
	wb_buf_adds(&r->out, "");
	wb_buf_adds(&r->err_out, "");
	int64_t start = wb_clock_ns();
	r->status = wb_process_run(&r->wait_status, &p, &r->err);
	r->took = wb_clock_ns() - start;
	/* It is always reaped. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void done(struct result *r)
{
	wb_buf_release(&r->out);
	wb_buf_release(&r->err_out);
}

static void test_exit(void **state)
{
	(void)state;
	static const struct {
		const char *script;
		int exit, signal;
		const char *out, *err_out;
	} table[] = {
	    {"exit 0", 0, 0, "", ""},
	    {"exit 3", 3, 0, "", ""},
	    {"echo hello; echo bad >&2; exit 1", 1, 0, "hello\n", "bad\n"},
	    {"kill -TERM $$", 0, SIGTERM, "", ""},
	    {"kill -KILL $$", 0, SIGKILL, "", ""},
	    {"exec >&- 2>&-; sleep 0.05; exit 4", 4, 0, "", ""},
	    {"cat", 0, 0, "", ""},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct result r;
		run(&r, table[i].script, (struct wb_process){0});
		assert_ok(r.status, &r.err);
		if (table[i].signal != 0) {
			assert_true(WIFSIGNALED(r.wait_status));
			assert_int_equal(WTERMSIG(r.wait_status), table[i].signal);
		} else {
			assert_true(WIFEXITED(r.wait_status));
			assert_int_equal(WEXITSTATUS(r.wait_status), table[i].exit);
		}
		assert_string_equal(r.out.p, table[i].out);
		assert_string_equal(r.err_out.p, table[i].err_out);
		done(&r);
	}
}

static void test_surroundings(void **state)
{
	(void)state;
	struct result r;
	const char *env[] = {"A=x y", "PATH=/usr/bin:/bin", NULL};
	/* Own environment and directory; input; nothing inherited but 0, 1, 2; its own group; no signal ignored or
	 * blocked. */
	int leak = open("/dev/null", O_RDONLY); // NOLINT: without O_CLOEXEC, that is the point
	assert_true(leak >= 0);
	sigset_t block, before;
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &block, &before);
	signal(SIGPIPE, SIG_IGN);
	run(&r,
	    "echo \"$A\"; pwd; cat; ls /proc/self/fd | wc -l; [ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && echo leader; "
	    /* Signals 1 to 28: glibc's posix_spawn ignores 32 and 33, which are its own. */
	    "sed -n 's/^Sig\\(Blk\\|Ign\\).*\\(.......\\)$/\\1 \\2/p' /proc/self/status",
	    (struct wb_process){.env = env, .cwd = "/usr", .input = "in\0put\n", .input_len = 7});
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);
	close(leak);
	assert_ok(r.status, &r.err);
	static const char want[] = "x y\n/usr\nin\0put\n4\nleader\nBlk 0000000\nIgn 0000000\n";
	assert_int_equal(r.out.n, sizeof want - 1);
	assert_memory_equal(r.out.p, want, sizeof want - 1);
	done(&r);
	/* Input that nobody reads harms nobody. */
	static char big[300000];
	run(&r, "exit 5", (struct wb_process){.input = big, .input_len = sizeof big});
	assert_ok(r.status, &r.err);
	assert_int_equal(WEXITSTATUS(r.wait_status), 5);
	done(&r);
	run(&r, "wc -c", (struct wb_process){.input = big, .input_len = sizeof big});
	assert_string_equal(r.out.p, "300000\n");
	done(&r);
}

static void test_path_lookup(void **state)
{
	(void)state;
	char dir[] = "/tmp/waybill-process-XXXXXX";
	assert_non_null(mkdtemp(dir));
	struct wb_arena a;
	wb_arena_init(&a);
	const char *bin = wb_arena_printf(&a, "%s/bin", dir), *tool = wb_arena_printf(&a, "%s/bin/wbtool", dir);
	assert_int_equal(mkdir(bin, 0755), 0);
	assert_int_equal(symlink("/bin/echo", tool), 0);
	const char *argv[] = {"wbtool", "hi", NULL}, *slashed[] = {"bin/wbtool", "hi", NULL};
	const struct {
		const char *path, *cwd, *const *argv;
		bool found;
	} table[] = {
	    {bin, NULL, argv, true},
	    {"/nonexistent:/usr", NULL, argv, false},
	    {"/usr/bin:bin", dir, argv, true},
	    {"/usr/bin:", bin, argv, true},
	    {"", "/", argv, false},
	    {"/nowhere", dir, slashed, true},
	    {"/nowhere", "/", slashed, false},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const char *env[] = {wb_arena_printf(&a, "PATH=%s", table[i].path), NULL};
		struct result r;
		run(&r, NULL, (struct wb_process){.argv = table[i].argv, .env = env, .cwd = table[i].cwd});
		if (table[i].found) {
			assert_ok(r.status, &r.err);
			assert_string_equal(r.out.p, "hi\n");
		} else {
			assert_code(r.status, WB_ENOENT);
			assert_says(&r.err, "wbtool");
		}
		done(&r);
	}
	unlink(tool);
	rmdir(bin);
	rmdir(dir);
	wb_arena_release(&a);
	struct result r;
	run(&r, "true", (struct wb_process){.cwd = "/nonexistent"});
	assert_code(r.status, WB_ENOENT);
	assert_says(&r.err, "/nonexistent");
	done(&r);
	const char *directory[] = {"/tmp", NULL};
	run(&r, NULL, (struct wb_process){.argv = directory});
	assert_code(r.status, WB_EIO);
	assert_says(&r.err, "/tmp");
	done(&r);
}

/* Both pipes full at the same time: reading one to its end before the other would hang. */
static void test_big_output(void **state)
{
	(void)state;
	struct result r;
	run(&r, "head -c 5000000 /dev/zero >&2 & head -c 7000000 /dev/zero; wait; echo end >&2",
	    (struct wb_process){0});
	assert_ok(r.status, &r.err);
	assert_int_equal(r.out.n, 7000000);
	assert_int_equal(r.err_out.n, 5000004);
	done(&r);
}

static void test_shared_buffer(void **state)
{
	(void)state;
	struct wb_buf both = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	int wait_status;
	const char *argv[] = {"sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done", NULL};
	wb_buf_adds(&both, "kept ");
	assert_ok(
	    wb_process_run(&wait_status, &(struct wb_process){.argv = argv, .out = &both, .err_out = &both}, &err),
	    &err);
	assert_string_equal(both.p, "kept o1\ne1\no2\ne2\no3\ne3\n");
	wb_buf_release(&both);
	/* And none at all. */
	assert_ok(wb_process_run(&wait_status, &(struct wb_process){.argv = argv}, &err), &err);
	assert_int_equal(wait_status, 0);
}

static void test_limit(void **state)
{
	(void)state;
	struct result r;
	run(&r, "yes", (struct wb_process){.output_limit = 100000});
	assert_code(r.status, WB_ELIMIT);
	assert_says(&r.err, "100000 bytes");
	assert_int_equal(r.out.n, 100000);
	assert_true(r.took < 10 * second);
	done(&r);
	run(&r, "yes >&2", (struct wb_process){.output_limit = 1});
	assert_code(r.status, WB_ELIMIT);
	assert_int_equal(r.err_out.n, 1);
	done(&r);
	/* Exactly at the limit is fine. */
	run(&r, "head -c 100000 /dev/zero", (struct wb_process){.output_limit = 100000});
	assert_ok(r.status, &r.err);
	assert_int_equal(r.out.n, 100000);
	done(&r);
}

static void test_timeout(void **state)
{
	(void)state;
	struct result r;
	/* The grandchildren go with it, even when the child ignores the gentle signals. */
	run(&r, "trap '' TERM INT HUP; echo started; sleep 100 & sleep 100; echo no",
	    (struct wb_process){.timeout_ns = second / 5});
	assert_code(r.status, WB_ELIMIT);
	assert_says(&r.err, "0.2 s");
	assert_string_equal(r.out.p, "started\n");
	assert_true(r.took >= second / 5 && r.took < 5 * second);
	assert_true(WIFSIGNALED(r.wait_status) && WTERMSIG(r.wait_status) == SIGKILL);
	done(&r);
	run(&r, "exit 0", (struct wb_process){.timeout_ns = INT64_MAX});
	assert_ok(r.status, &r.err);
	done(&r);
}

static void *cancel_soon(void *arg)
{
	usleep(150000);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

static void test_cancel(void **state)
{
	(void)state;
	atomic_bool cancel = false;
	pthread_t thread;
	struct result r;
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
	run(&r, "sleep 100 & sleep 100", (struct wb_process){.cancel = &cancel});
	pthread_join(thread, NULL);
	assert_code(r.status, WB_ECANCELED);
	assert_true(r.took >= second / 10 && r.took < 5 * second);
	done(&r);
	/* Before it began. */
	run(&r, "exit 0", (struct wb_process){.cancel = &cancel});
	assert_code(r.status, WB_ECANCELED);
	done(&r);
}

/* What the child leaves behind holds its pipes open: the call ends with the child all the same, and takes the group
 * along. */
static void test_left_behind(void **state)
{
	(void)state;
	struct result r;
	run(&r, "sleep 100 & echo $!; exit 0", (struct wb_process){0});
	assert_ok(r.status, &r.err);
	assert_true(r.took < 5 * second);
	pid_t left = (pid_t)atoi(r.out.p);
	assert_true(left > 1);
	/* Killed; the zombie belongs to init, which may take its time. */
	bool gone = false;
	for (int i = 0; i < 200 && !gone; i++) {
		char path[64], text[256] = "";
		snprintf(path, sizeof path, "/proc/%d/stat", (int)left);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		gone = fd < 0 || read(fd, text, sizeof text - 1) <= 0 || strstr(text, ") Z") != NULL;
		if (fd >= 0)
			close(fd);
		usleep(10000);
	}
	assert_true(gone);
	done(&r);
}

static void *many(void *arg)
{
	size_t *bad = arg;
	for (int i = 0; i < 25; i++) {
		struct wb_buf out = WB_BUF_INIT;
		struct wb_err err = WB_ERR_INIT;
		int wait_status;
		const char *argv[] = {"/bin/sh", "-c", "echo out; exit 7", NULL};
		wb_status s = wb_process_run(&wait_status, &(struct wb_process){.argv = argv, .out = &out}, &err);
		if (!wb_is_ok(s) || WEXITSTATUS(wait_status) != 7 || out.n != 4)
			++*bad;
		wb_buf_release(&out);
	}
	return NULL;
}

static void test_threads(void **state)
{
	(void)state;
	pthread_t thread[4];
	size_t bad[4] = {0};
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, many, &bad[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(bad[i], 0);
	}
}

/* A daemon may run with 0, 1 and 2 closed. */
static void test_closed_stdio(void **state)
{
	(void)state;
	int saved[3];
	for (int i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
		close(i);
	}
	struct wb_buf out = WB_BUF_INIT, err_out = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	int wait_status;
	const char *argv[] = {"/bin/sh", "-c", "cat; echo e >&2", NULL};
	wb_status s = wb_process_run(
	    &wait_status,
	    &(struct wb_process){.argv = argv, .out = &out, .err_out = &err_out, .input = "i", .input_len = 1}, &err);
	for (int i = 0; i < 3; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
	assert_ok(s, &err);
	assert_string_equal(out.p, "i");
	assert_string_equal(err_out.p, "e\n");
	wb_buf_release(&out);
	wb_buf_release(&err_out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exit),       cmocka_unit_test(test_surroundings),  cmocka_unit_test(test_path_lookup),
	    cmocka_unit_test(test_big_output), cmocka_unit_test(test_shared_buffer), cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_timeout),    cmocka_unit_test(test_cancel),        cmocka_unit_test(test_left_behind),
	    cmocka_unit_test(test_threads),    cmocka_unit_test(test_closed_stdio),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
