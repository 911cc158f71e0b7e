/* waybilld: opens the service, takes the lock of its build, listens, serves. Started by the client; `waybilld(8)`. */
#include "base/arena.h"
#include "base/config.h"
#include "base/log.h"
#include "service/daemon.h"
#include "service/scan_process.h"
#include "service/service.h"
#include "wire/socket.h"

#include "buildid.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Hundreds of threads that each wait most of the time: with glibc's eight arenas a core, what one of them frees is kept
 * from the others, and the daemon of a 1,000-job build grows to twice its size. */
#define MALLOC_ARENAS 4
#define MALLOC_MMAP   (128 << 10)
#define NICE          5 /* compilers must not get in the way of somebody who types */

static const char help[] =
    "usage: waybilld [--setting KEY=VALUE]...\n"
    "       waybilld [--setting KEY=VALUE]... scan ...\n"
    "       waybilld --help | --version\n"
    "\n"
    "The Waybill daemon. The client `waybill` starts it when none answers; by hand it serves in the foreground until\n"
    "idle, stopped (`waybill stop`) or killed. One runs per user and build; a second one ends at once.\n"
    "`waybilld scan --help`: list the files that compile commands read, without a daemon.\n"
    "Settings: waybill.conf(5).\n";

static enum wb_log_level log_level(const struct wb_config *c)
{
	static const char *const name[] = {"error", "warn", "info", "debug"};

	for (int i = 0; i < 4; i++)
		if (wb_config_is(c, WB_SET_LOG_LEVEL, name[i]))
			return (enum wb_log_level)i;
	return WB_LOG_INFO;
}

/* The lock is held for the life of the process; the descriptor is deliberately never closed. */
static wb_status take_lock(const char *path, struct wb_err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return wb_fail_errno(err, errno, "cannot open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return wb_ok();
	int e = errno;
	close(fd);
	if (e == EWOULDBLOCK)
		return wb_fail(err, WB_EBUSY, "another daemon of this build is running");
	return wb_fail_errno(err, e, "cannot lock %s", path);
}

static void block_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Every connection, sandbox and blob in flight takes descriptors; the soft limit is often 1024. */
static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static wb_status serve(const struct wb_config *config, struct wb_arena *a, const char *const *env, struct wb_err *err)
{
	struct wb_socket_paths paths;
	struct wb_service service;
	struct wb_daemon *daemon;
	int fd;

	mallopt(M_ARENA_MAX, MALLOC_ARENAS);
	mallopt(M_MMAP_THRESHOLD, MALLOC_MMAP); /* and so that it stays there */
	WB_TRY(wb_socket_paths(&paths, a, env, err));
	WB_TRY(take_lock(paths.lock, err));
	wb_ignore(
	    wb_log_open(paths.log, log_level(config), NULL)); /* a log that cannot be opened must not stop a build */
	raise_file_limit();
	if (setpriority(PRIO_PROCESS, 0, NICE) != 0)
		wb_log(WB_LOG_DEBUG, "not niced: %s", strerror(errno));
	umask(022); /* outputs get their mode from the launcher's umask; what is private is made so by name */
	WB_TRY(wb_service_init(&service, config, err));
	wb_status st = wb_socket_listen(&fd, paths.socket, err);
	if (!wb_is_ok(st)) {
		wb_service_release(&service);
		return st;
	}
	st = wb_daemon_new(&daemon, &service, fd, err);
	if (wb_is_ok(st)) {
		wb_log(WB_LOG_INFO, "waybilld %s (%s), cache %s, %u jobs", WB_VERSION, WB_BUILD_ID, service.cache_dir,
		       service.jobs);
		wb_daemon_serve(daemon);
		/* First the socket, so that a new client starts a new daemon rather than knock at this one. */
		unlink(paths.socket);
		wb_daemon_free(daemon);
	}
	wb_service_release(&service);
	return st;
}

int main(int argc, char **argv, char **envp)
{
	struct wb_err err = WB_ERR_INIT;
	const char *const *env = (const char *const *)envp;
	struct wb_config config;
	struct wb_arena a;

	wb_arena_init(&a);
	wb_status st = wb_config_load(&config, &a, env, &err);
	for (int i = 1; i < argc && wb_is_ok(st);) {
		const char *arg = argv[i], *operand = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(arg, "--help") == 0) {
			fputs(help, stdout);
			return 0;
		}
		if (strcmp(arg, "--version") == 0) {
			printf("waybilld %s (%s)\n", WB_VERSION, WB_BUILD_ID);
			return 0;
		}
		if (strcmp(arg, "scan") == 0) {
			int code = wb_scan_process(&config, (const char *const *)(uintptr_t)(argv + i + 1), env);

			wb_arena_release(&a);
			return code;
		}
		i += 2;
		if (strcmp(arg, "--expect-build") == 0 && operand) {
			/* A client that started the wrong daemon would wait for a socket that never comes. */
			if (strcmp(operand, WB_BUILD_ID) == 0)
				continue;
			fprintf(stderr, "waybilld: this is build %s, the client wants %s\n", WB_BUILD_ID, operand);
			return 1;
		}
		const char *eq = strcmp(arg, "--setting") == 0 && operand ? strchr(operand, '=') : NULL;
		if (!eq) {
			fprintf(stderr, "waybilld: unknown argument '%s'\n%s", arg, help);
			return 2;
		}
		char *key = wb_arena_strndup(&a, operand, (size_t)(eq - operand));
		st = wb_config_set(&config, &a, key, eq + 1, "--setting", &err);
	}
	if (!wb_is_ok(st)) {
		fprintf(stderr, "waybilld: %s\n", err.text);
		return 2;
	}
	block_signals();
	st = serve(&config, &a, env, &err);
	if (!wb_is_ok(st) && st.code != WB_EBUSY) {
		fprintf(stderr, "waybilld: %s\n", err.text);
		wb_log(WB_LOG_ERROR, "%s", err.text);
	}
	wb_arena_release(&a);
	return wb_is_ok(st) || st.code == WB_EBUSY ? 0 : 1;
}
