/* The client alone, as a process, with fake_daemon.c for its daemon. WB_TEST_CLIENT is a build of the client that waits
 * 1.5 s for a sign of life and 4 s for a daemon's start; WB_TEST_DAEMON is the fake. */
#define _GNU_SOURCE
#include "unit.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fileio.h"
#include "base/str.h"

#include "buildid.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	struct wb_arena a;
	struct wb_err err;
	char top[64];
	struct wb_argv env;
	struct wb_buf out, err_out; /* of the last run */
	int status;
};

static const char *at(struct fixture *f, const char *name)
{
	return wb_arena_printf(&f->a, "%s/%s", f->top, name);
}

static void write_text(struct fixture *f, const char *name, const char *text)
{
	assert_ok(wb_file_write(at(f, name), text, strlen(text), 0600, &f->err), &f->err);
}

/* "" when there is no such file. */
static const char *read_text(struct fixture *f, const char *name)
{
	char *data;
	size_t n;
	return wb_is_ok(wb_file_read(&data, &n, &f->a, at(f, name), 1 << 20, NULL)) ? data : "";
}

static unsigned lines(struct fixture *f, const char *name)
{
	unsigned n = 0;
	for (const char *p = read_text(f, name); *p != '\0'; p++)
		n += *p == '\n';
	return n;
}

static void behave(struct fixture *f, const char *behaviour)
{
	write_text(f, "run/behaviour", behaviour);
}

static void set_env(struct fixture *f, const char *variable)
{
	wb_argv_push(&f->env, &f->a, variable);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	if (f == NULL)
		return -1;
	wb_arena_init(&f->a);
	strcpy(f->top, "/tmp/waybill-test-launcher-XXXXXX");
	if (mkdtemp(f->top) == NULL || mkdir(at(f, "run"), 0700) < 0 || mkdir(at(f, "work"), 0700) < 0)
		return -1;
	wb_argv_push(&f->env, &f->a, "PATH=/usr/bin:/bin");
	wb_argv_pushf(&f->env, &f->a, "HOME=%s", f->top);
	wb_argv_pushf(&f->env, &f->a, "XDG_RUNTIME_DIR=%s/run", f->top);
	/* The leak check cannot wait for its own child where SIGCHLD is ignored (see start). */
	wb_argv_push(&f->env, &f->a, "ASAN_OPTIONS=detect_leaks=0");
	wb_argv_push(&f->env, &f->a, "WAYBILL_DAEMON=" WB_TEST_DAEMON);
	*state = f;
	return 0;
}

static void kill_daemon(struct fixture *f)
{
	for (const char *p = read_text(f, "run/pid"); *p != '\0';) {
		char *end;
		pid_t pid = (pid_t)strtol(p, &end, 10);
		/* The number may be somebody else's by now. */
		char exe[512];
		ssize_t n = readlink(wb_arena_printf(&f->a, "/proc/%d/exe", (int)pid), exe, sizeof exe - 1);
		exe[n < 0 ? 0 : n] = '\0';
		if (strstr(exe, "fake_daemon") != NULL)
			kill(pid, SIGKILL);
		p = *end == '\n' ? end + 1 : end;
	}
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	kill_daemon(f);
	wb_ignore(wb_dir_remove(f->top, NULL));
	wb_buf_release(&f->out);
	wb_buf_release(&f->err_out);
	wb_arena_release(&f->a);
	free(f);
	return 0;
}

struct running {
	pid_t pid;
	int out, err;
};

static struct running start(struct fixture *f, const char *const *argv)
{
	int out[2], err[2];
	assert_int_equal(pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		/* What a build tool may leave behind: a jobserver's pipe, odd signals. */
		signal(SIGUSR1, SIG_IGN);
		signal(SIGCHLD, SIG_IGN);
		umask(027);
		if (dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0 || dup2(open("/dev/zero", O_RDONLY), 55) < 0 ||
		    chdir(at(f, "work")) < 0)
			_exit(120);
		execve(WB_TEST_CLIENT, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)f->env.v);
		_exit(121);
	}
	close(out[1]);
	close(err[1]);
	return (struct running){pid, out[0], err[0]};
}

static bool take(int fd, struct wb_buf *b)
{
	wb_buf_reserve(b, 65536);
	ssize_t n = read(fd, b->p + b->n, 65536);
	if (n <= 0)
		return false;
	b->n += (size_t)n;
	b->p[b->n] = '\0';
	return true;
}

/* To the end of both pipes: nothing that the client leaves behind may hold them. */
static void finish(struct fixture *f, struct running r)
{
	wb_buf_reset(&f->out);
	wb_buf_reset(&f->err_out);
	wb_buf_reserve(&f->out, 1);
	wb_buf_reserve(&f->err_out, 1);
	f->out.p[0] = f->err_out.p[0] = '\0';
	struct pollfd p[2] = {{r.out, POLLIN, 0}, {r.err, POLLIN, 0}};
	while (p[0].fd >= 0 || p[1].fd >= 0) {
		assert_true(poll(p, 2, 30000) > 0);
		if (p[0].revents != 0 && !take(r.out, &f->out))
			p[0].fd = -1;
		if (p[1].revents != 0 && !take(r.err, &f->err_out))
			p[1].fd = -1;
	}
	close(r.out);
	close(r.err);
	assert_int_equal(waitpid(r.pid, &f->status, 0), r.pid);
}

#define run(f, ...)          finish(f, start(f, (const char *const[]){"waybill", __VA_ARGS__, NULL}))
#define run_shell(f, script) run(f, "/bin/sh", "-c", script)

static void expect(const struct fixture *f, int code, const char *out, const char *err)
{
	if (!WIFEXITED(f->status) || WEXITSTATUS(f->status) != code || strcmp(f->out.p, out) != 0 ||
	    strcmp(f->err_out.p, err) != 0)
		fail_msg("status 0x%x (expected exit %d)\nstdout '%s'\nexpected '%s'\nstderr '%s'\nexpected '%s'",
			 (unsigned)f->status, code, f->out.p, out, f->err_out.p, err);
}

static bool says(const struct wb_buf *b, const char *part)
{
	return strstr(b->p, part) != NULL;
}

static void request_is_complete(void **state)
{
	struct fixture *f = *state;
	behave(f, "echo");
	set_env(f, "CPATH=/x:/y");
	set_env(f, "UNRELATED=1");
	set_env(f, "WAYBILL_PATHS=absolute");
	run(f, "gcc", "-DX=\"a b\"", "", "-c", "\xff.c");
	assert_true(says(&f->out, "argv gcc\nargv -DX=\"a b\"\nargv \nargv -c\nargv \xff.c\n"));
	assert_true(says(&f->out, "env CPATH=/x:/y\n"));
	assert_true(says(&f->out, "env PATH=/usr/bin:/bin\n"));
	assert_false(says(&f->out, "UNRELATED"));
	assert_false(says(&f->out, "env WAYBILL"));
	assert_true(says(&f->out, "setting paths=absolute\n"));
	assert_true(says(&f->out, "setting cache_size=20G\n"));
	assert_true(says(&f->out, wb_arena_printf(&f->a, "cwd %s/work\nterminal 0\numask 027\n", f->top)));
}

static void daemon_is_detached(void **state)
{
	struct fixture *f = *state;
	behave(f, "done 0");
	set_env(f, "WAYBILL_JOBS=3");
	set_env(f, "MAKEFLAGS=--jobserver-auth=3,4");
	set_env(f, "TMPDIR=/tmp/x");
	run(f, "gcc");
	const char *s = read_text(f, "run/state");
	assert_non_null(strstr(s, "session 1\n"));
	assert_non_null(strstr(s, "cwd /\n"));
	assert_non_null(strstr(s, "umask 077\n"));
	assert_non_null(strstr(s, "sigusr1 open default\n"));
	assert_non_null(strstr(s, "fd 0 /dev/null\n"));
	assert_non_null(strstr(s, "fd 1 /dev/null\n"));
	assert_non_null(strstr(s, "fd 2 /dev/null\n"));
	assert_null(strstr(s, "fd 3"));
	assert_null(strstr(s, "fd 55"));
	assert_non_null(strstr(s, "arg --setting\narg jobs=3\n"));
	assert_non_null(strstr(s, "arg cache_size=20G\n"));
	assert_null(strstr(s, "arg paths="));
	assert_null(strstr(s, "MAKEFLAGS"));
	assert_non_null(strstr(s, "env TMPDIR=/tmp/x\n"));
	assert_non_null(strstr(s, "env XDG_RUNTIME_DIR="));
}

static void done(void **state)
{
	struct fixture *f = *state;
	static const int codes[] = {0, 1, 4, 139, 255};
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		behave(f, wb_arena_printf(&f->a, "done %d\n", codes[i]));
		run(f, "gcc");
		assert_true(WIFEXITED(f->status));
		assert_int_equal(WEXITSTATUS(f->status), codes[i]);
		assert_string_equal(f->out.p, "from the daemon\n");
		assert_int_equal(f->err_out.n, 6);
		assert_memory_equal(f->err_out.p, "a\0b: !", 6);
	}
	assert_int_equal(lines(f, "run/starts"), 1);
	behave(f, "large");
	run(f, "gcc");
	assert_int_equal(f->out.n, 5 << 20);
}

static void run_local(void **state)
{
	struct fixture *f = *state;
	behave(f, "local");
	run_shell(f, "echo out; echo err >&2; exit 3");
	expect(f, 3, "out\n", "err\n");
	assert_string_equal(read_text(f, "run/requests"), "compile\ndone 768 ''\n");
	run_shell(f, "exit 0");
	expect(f, 0, "", "");
	behave(f, "local-ack-7");
	run_shell(f, "exit 0");
	expect(f, 7, "", "");
	run_shell(f, "exit 3");
	expect(f, 3, "", "");
	behave(f, "local-other");
	run(f, "gcc");
	expect(f, 5, "/usr\n", "other\n");
	behave(f, "local-other-capture");
	run(f, "gcc");
	expect(f, 5, "/usr\n", "mapped: other\n");
	/* A server that the compiler leaves behind does not keep us. */
	behave(f, "local-capture");
	int64_t begin = wb_clock_ns();
	run_shell(f, "sleep 20 >/dev/null & echo text >&2");
	expect(f, 0, "", "mapped: text\n");
	assert_true(wb_clock_ns() - begin < 10000000000);
	behave(f, "local");
	run(f, "no-such-compiler", "-c");
	expect(f, 127, "", "waybill: cannot run 'no-such-compiler': No such file or directory\n");
	write_text(f, "work/plain", "");
	run(f, "./plain");
	expect(f, 126, "", "waybill: cannot run './plain': Permission denied\n");
}

static void dies_as_the_compiler(void **state)
{
	struct fixture *f = *state;
	static const int signals[] = {SIGKILL, SIGSEGV, SIGTERM, SIGINT, SIGPIPE};
	behave(f, "local");
	for (int i = 0; i < 5; i++) {
		run_shell(f, wb_arena_printf(&f->a, "kill -%d $$", signals[i]));
		assert_true(WIFSIGNALED(f->status));
		assert_int_equal(WTERMSIG(f->status), signals[i]);
		assert_false(WCOREDUMP(f->status));
	}
	assert_string_equal(f->err_out.p, "");
}

/* Whoever kills the launcher has killed the compiler, as without it. */
static void takes_the_compiler_along(void **state)
{
	struct fixture *f = *state;
	behave(f, "local");
	const char *const argv[] = {"waybill", "/bin/sh", "-c",
				    "trap 'echo ended > ended; exit' TERM; echo up > up; while :; do sleep 0.05; done",
				    NULL};
	struct running r = start(f, argv);
	for (int i = 0; i < 200 && access(at(f, "work/up"), F_OK) < 0; i++)
		usleep(20000);
	assert_int_equal(kill(r.pid, SIGKILL), 0);
	finish(f, r);
	assert_string_equal(read_text(f, "work/ended"), "ended\n");
}

static void falls_back(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *behaviour;
		unsigned requests; /* at most two attempts */
	} table[] = {{"dies", 2},       {"closes", 2},     {"garbage", 2}, {"half", 2},
		     {"unparsable", 2}, {"wrong-type", 2}, {"huge", 1}};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		wb_ignore(wb_dir_remove(at(f, "run/requests"), NULL));
		behave(f, table[i].behaviour);
		run_shell(f, "echo alone; echo text >&2; exit 4");
		expect(f, 4, "alone\n", "text\n");
		assert_int_equal(lines(f, "run/requests"), table[i].requests);
	}
	assert_non_null(strstr(read_text(f, "run/waybill/waybilld.log"), "/bin/sh runs without the daemon: "));
}

static void retries_with_a_new_daemon(void **state)
{
	struct fixture *f = *state;
	behave(f, "dies-once");
	run(f, "/bin/false");
	assert_int_equal(WEXITSTATUS(f->status), 4);
	assert_string_equal(f->out.p, "from the daemon\n");
	assert_int_equal(lines(f, "run/starts"), 2);
}

static void hang(void **state)
{
	struct fixture *f = *state;
	behave(f, "hangs");
	int64_t begin = wb_clock_ns();
	run_shell(f, "echo alone");
	expect(f, 0, "alone\n", "");
	assert_true(wb_clock_ns() - begin > 1400000000);
	/* The next one does not wait for it. */
	begin = wb_clock_ns();
	run_shell(f, "echo alone");
	expect(f, 0, "alone\n", "");
	assert_true(wb_clock_ns() - begin < 1400000000);
	assert_int_equal(lines(f, "run/requests"), 1);
	/* Gone: a new one is used, and the mark is wiped. */
	kill_daemon(f);
	usleep(50000);
	behave(f, "done 4");
	run_shell(f, "echo alone");
	assert_int_equal(WEXITSTATUS(f->status), 4);
	assert_int_not_equal(access(at(f, "run/waybill/" WB_BUILD_ID ".hung"), F_OK), 0);
}

/* Long, but with signs of life. */
static void slow(void **state)
{
	struct fixture *f = *state;
	behave(f, "slow");
	run(f, "/bin/false");
	assert_int_equal(WEXITSTATUS(f->status), 0);
	assert_string_equal(f->out.p, "from the daemon\n");
}

static void daemon_cannot_start(void **state)
{
	struct fixture *f = *state;
	behave(f, "exits");
	int64_t begin = wb_clock_ns();
	run_shell(f, "echo alone");
	expect(f, 0, "alone\n", "");
	assert_true(wb_clock_ns() - begin < 1500000000);
	assert_non_null(strstr(read_text(f, "run/waybill/waybilld.log"), "ended at its start with exit code 9"));
	/* Not tried again at once by a compile, but by a verb. */
	behave(f, "done 4");
	run_shell(f, "echo alone");
	expect(f, 0, "alone\n", "");
	run(f, "stats");
	assert_int_equal(WEXITSTATUS(f->status), 6);
	run_shell(f, "echo alone");
	assert_int_equal(WEXITSTATUS(f->status), 4);
}

static void daemon_never_listens(void **state)
{
	struct fixture *f = *state;
	behave(f, "never-listens");
	int64_t begin = wb_clock_ns();
	run_shell(f, "echo alone");
	expect(f, 0, "alone\n", "");
	assert_true(wb_clock_ns() - begin < 10000000000);
	run_shell(f, "echo alone");
	expect(f, 0, "alone\n", "");
	assert_int_equal(lines(f, "run/starts"), 1);
}

static void no_daemon_program(void **state)
{
	struct fixture *f = *state;
	f->env.v[f->env.n - 1] = "WAYBILL_DAEMON=/nonexistent/waybilld";
	run_shell(f, "echo alone");
	expect(f, 0, "alone\n", "");
	run(f, "stats");
	expect(f, 1, "", "waybill: stats: WAYBILL_DAEMON names /nonexistent/waybilld, which is no program\n");
	run(f, "status");
	expect(f, 1, "no daemon runs\n", "");
	run(f, "stop");
	expect(f, 0, "not running\n", "");
	/* A directory that cannot be trusted. */
	assert_int_equal(chmod(at(f, "run/waybill"), 0777), 0);
	run_shell(f, "echo alone");
	expect(f, 0, "alone\n", "");
}

static void local_run_survives_the_daemon(void **state)
{
	struct fixture *f = *state;
	behave(f, "local-dies");
	run_shell(f, "echo once >> ran; exit 5");
	expect(f, 5, "", "");
	behave(f, "local-other-capture-dies");
	run(f, "gcc");
	expect(f, 5, "/usr\n", "other\n");
	assert_int_equal(lines(f, "work/ran"), 1);
}

static void depfile_is_mapped_back(void **state)
{
	struct fixture *f = *state;
	static const char before[] =
	    "a.o: /proc/self/cwd/../src/a.c \\\n /proc/self/cwd/x.h /usr/include/proc/self/cwd/y.h\n";
	static const char after[] = "a.o: ../src/a.c \\\n x.h /usr/include/proc/self/cwd/y.h\n";
	write_text(f, "work/cc",
		   "#!/bin/sh\nprintf 'a.o: /proc/self/cwd/../src/a.c \\\\\\n /proc/self/cwd/x.h "
		   "/usr/include/proc/self/cwd/y.h\\n' > \"$DEPFILE\"\nexit ${CODE:-0}\n");
	assert_int_equal(chmod(at(f, "work/cc"), 0755), 0);
	set_env(f, "DEPFILE=a.d");
	behave(f, "dies");
	run(f, "./cc", "-MD", "-MT", "a.o", "-MF", "a.d", "-o", "a.o", "-c", "a.c");
	expect(f, 0, "", "");
	assert_string_equal(read_text(f, "work/a.d"), after);
	wb_ignore(wb_dir_remove(at(f, "work/a.d"), NULL));
	run(f, "./cc", "-MMD", "-o", "a.o", "-c", "a.c");
	assert_string_equal(read_text(f, "work/a.d"), after);
	run(f, "./cc", "-MD", "-Iother", "-c", "dir/a.c");
	assert_string_equal(read_text(f, "work/a.d"), after);
	run(f, "./cc", "-Wp,-MMD,a.d", "-c", "z.c");
	assert_string_equal(read_text(f, "work/a.d"), after);
	run(f, "./cc", "-c", "a.c");
	assert_string_equal(read_text(f, "work/a.d"), before);
	run(f, "./cc", "-MFa.d", "-M", "a.c");
	assert_string_equal(read_text(f, "work/a.d"), after);
	/* The daemon went while it ran. */
	behave(f, "local-dies");
	run(f, "./cc", "-MD", "-o", "a.o", "-c", "a.c");
	assert_string_equal(read_text(f, "work/a.d"), after);
	/* A failed compile is left alone. */
	set_env(f, "CODE=1");
	run(f, "./cc", "-MD", "-o", "a.o", "-c", "a.c");
	expect(f, 1, "", "");
	assert_string_equal(read_text(f, "work/a.d"), before);
}

static void configuration_errors(void **state)
{
	struct fixture *f = *state;
	behave(f, "config-error");
	run(f, "gcc");
	expect(f, 2, "", "waybill: cache_dir differs\n");
	assert_int_equal(mkdir(at(f, ".config"), 0700) | mkdir(at(f, ".config/waybill"), 0700), 0);
	write_text(f, ".config/waybill/waybill.conf", "# ok\njobs = many\n");
	run(f, "/bin/true");
	assert_int_equal(WEXITSTATUS(f->status), 2);
	assert_true(wb_starts_with(
	    f->err_out.p, wb_arena_printf(&f->a, "waybill: %s/.config/waybill/waybill.conf:2: jobs must be", f->top)));
	run(f, "stats");
	assert_int_equal(WEXITSTATUS(f->status), 2);
	run(f, "stop"); /* works whatever the settings are */
	assert_int_equal(WEXITSTATUS(f->status), 0);
	set_env(f, "WAYBILL_DISABLE=1");
	run_shell(f, "echo alone");
	expect(f, 0, "alone\n", "");
}

static void disabled(void **state)
{
	struct fixture *f = *state;
	behave(f, "done 4");
	set_env(f, "WAYBILL_NO_SUCH_SETTING=1"); /* nothing is read */
	set_env(f, "WAYBILL_DISABLE=yes");
	run_shell(f, "echo alone; exit 9");
	expect(f, 9, "alone\n", "");
	run(f, "no-such-compiler");
	expect(f, 127, "", "waybill: cannot run 'no-such-compiler': No such file or directory\n");
	assert_int_equal(lines(f, "run/starts"), 0);
	f->env.v[f->env.n - 2] = "X=1";
	f->env.v[f->env.n - 1] = "WAYBILL_DISABLE=0";
	run(f, "gcc");
	assert_int_equal(WEXITSTATUS(f->status), 4);
}

static void verbs(void **state)
{
	struct fixture *f = *state;
	behave(f, "done 4");
	run(f, "stats", "--json", "--reset");
	expect(f, 6, "verb stats [--json] [--reset]\n", "to stderr\n");
	run(f, "fix", "--format=json", "--", "gcc", "--json", "-c", "a.c");
	expect(f, 6, "verb fix [--format=json] [--] [gcc] [--json] [-c] [a.c]\n", "to stderr\n");
	run(f, "prune", "10G");
	expect(f, 6, "verb prune [10G]\n", "to stderr\n");
	/* `-o FILE` is the client's affair, wherever it stands; what is not text for people is in the file. */
	run(f, "trace", "--last-build");
	expect(f, 0, "verb trace [--last-build]\n", "to stderr\n");
	run(f, "trace", "-o", "trace.json", "--last-build");
	expect(f, 0, "", "to stderr\n");
	assert_string_equal(read_text(f, "work/trace.json"), "verb trace [--last-build]\n");
	run(f, "trace", "-otrace.json");
	expect(f, 0, "", "to stderr\n");
	assert_string_equal(read_text(f, "work/trace.json"), "verb trace\n");
	run(f, "trace", "-o", "no/such/dir/trace.json");
	assert_int_equal(WEXITSTATUS(f->status), 1);
	assert_true(says(&f->err_out, "no/such/dir"));
	assert_int_equal(lines(f, "run/starts"), 1);
	run(f, "stop");
	expect(f, 0, "verb stop\n", "to stderr\n");
	run(f, "stop");
	expect(f, 0, "not running\n", "");
	behave(f, "dies");
	run(f, "doctor");
	expect(f, 1, "", "waybill: doctor: the peer closed the connection\n");
	/* Wrong use is told without a daemon. */
	static const char *const wrong[][3] = {
	    {"stats", "--jsn", NULL}, {"stats", "x", NULL},           {"scan", NULL, NULL},
	    {"scan", "--", NULL},     {"fix", "gcc", NULL},           {"explain", NULL, NULL},
	    {"prune", "1", "2"},      {"scan", "--format=xml", "--"}, {"clear", "--", "x"},
	    {"-x", NULL, NULL},       {"help", "nothing", NULL},      {"--settings=x", NULL, NULL},
	    {"trace", "-o", NULL},    {"trace", "x", NULL},           {"stats", "-o", "x"},
	    {"scan", "-p", NULL},     {"scan", "-pd", "--"},          {"scan", "-j", "2"},
	    {"scan", "-j", NULL},     {"why", "x.h", NULL},           {"why", "--", "cc"},
	};
	unsigned before = lines(f, "run/starts");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		run(f, wrong[i][0], wrong[i][1], wrong[i][2]);
		assert_int_equal(WEXITSTATUS(f->status), 2);
		assert_string_equal(f->out.p, "");
		assert_true(wb_starts_with(f->err_out.p, "waybill: "));
	}
	finish(f, start(f, (const char *const[]){"waybill", NULL}));
	assert_int_equal(WEXITSTATUS(f->status), 2);
	assert_true(says(&f->err_out, "usage: waybill COMPILER"));
	static const char *const fine[][2] = {
	    {"--help", NULL},
	    {"-h", NULL},
	    {"help", NULL},
	    {"help", "scan"},
	    {"scan", "--help"},
	    {"version", NULL},
	    {"--version", NULL},
	    {"--settings=man", NULL},
	    {"--settings=markdown", NULL},
	};
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
		run(f, fine[i][0], fine[i][1]);
		assert_int_equal(f->status, 0);
		assert_true(f->out.n > 10);
	}
	assert_int_equal(lines(f, "run/starts"), before);
	/* A program that is named like a verb. */
	behave(f, "local");
	write_text(f, "work/stats", "#!/bin/sh\necho mine\n");
	assert_int_equal(chmod(at(f, "work/stats"), 0755), 0);
	run(f, "./stats");
	expect(f, 0, "mine\n", "");
}

/* Many at once and no daemon: one is started, and all are served. */
static void many_at_once(void **state)
{
	enum { N = 200 };
	struct fixture *f = *state;
	static struct running r[N];
	behave(f, "done 4");
	for (int i = 0; i < N; i++)
		r[i] = start(f, (const char *const[]){"waybill", "/bin/echo", "alone", NULL});
	for (int i = 0; i < N; i++) {
		finish(f, r[i]);
		assert_int_equal(WEXITSTATUS(f->status), 4);
	}
	assert_int_equal(lines(f, "run/starts"), 1);
	assert_int_equal(lines(f, "run/requests"), N);
	/* Spawned once, not once and thrown away: the start is a client's secret. */
	unsigned spawned = 0;
	for (const char *p = read_text(f, "run/state"); (p = strstr(p, "session ")) != NULL; p++)
		spawned++;
	assert_int_equal(spawned, 1);
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    with_fixture(request_is_complete),
	    with_fixture(daemon_is_detached),
	    with_fixture(done),
	    with_fixture(run_local),
	    with_fixture(dies_as_the_compiler),
	    with_fixture(takes_the_compiler_along),
	    with_fixture(falls_back),
	    with_fixture(retries_with_a_new_daemon),
	    with_fixture(hang),
	    with_fixture(slow),
	    with_fixture(daemon_cannot_start),
	    with_fixture(daemon_never_listens),
	    with_fixture(no_daemon_program),
	    with_fixture(local_run_survives_the_daemon),
	    with_fixture(depfile_is_mapped_back),
	    with_fixture(configuration_errors),
	    with_fixture(disabled),
	    with_fixture(verbs),
	    with_fixture(many_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
