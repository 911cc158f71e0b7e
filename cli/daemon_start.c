#define _GNU_SOURCE
#include "cli/daemon_start.h"

#include "base/arena.h"
#include "base/config.h"
#include "base/path.h"
#include "base/str.h"

#include "buildid.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char program[] = "waybilld";

static bool runnable(const char *path)
{
	struct stat st;
	return access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static const char *find_in_path(struct wb_arena *a, const char *path)
{
	for (const char *p = path; p != NULL && *p != '\0';) {
		size_t n = strcspn(p, ":");
		if (*p == '/') {
			const char *file = wb_path_join(a, wb_arena_strndup(a, p, n), program);
			if (runnable(file))
				return file;
		}
		p += n;
		p += *p == ':';
	}
	return NULL;
}

wb_status wb_daemon_find(const char **path, struct wb_arena *a, const char *const *env, struct wb_err *err)
{
	char buf[PATH_MAX];
	const char *named = wb_env_get(env, "WAYBILL_DAEMON");
	if (named != NULL && named[0] != '\0') {
		if (named[0] != '/' && getcwd(buf, sizeof buf) == NULL)
			return wb_fail_errno(err, errno, "cannot tell the current directory");
		*path = named[0] == '/' ? named : wb_path_join(a, buf, named);
		if (!runnable(*path))
			return wb_fail(err, WB_ENOENT, "WAYBILL_DAEMON names %s, which is no program", *path);
		return wb_ok();
	}
	ssize_t n = readlink("/proc/self/exe", buf, sizeof buf);
	if (n > 0 && (size_t)n < sizeof buf) {
		const char *dir = wb_path_dirname(a, wb_arena_strndup(a, buf, (size_t)n));
		const char *candidate[] = {wb_arena_printf(a, "%s/%s", dir, program),
					   wb_arena_printf(a, "%s/../sbin/%s", dir, program),
					   wb_arena_printf(a, "%s/../libexec/%s", dir, program)};
		for (size_t i = 0; i < sizeof candidate / sizeof *candidate; i++) {
			if (runnable(candidate[i])) {
				*path = candidate[i];
				return wb_ok();
			}
		}
	}
	*path = find_in_path(a, wb_env_get(env, "PATH"));
	if (*path == NULL)
		return wb_fail(err, WB_ENOENT,
			       "there is no %s beside this program or in PATH; set WAYBILL_DAEMON to where it is",
			       program);
	return wb_ok();
}

static bool passes(const char *variable)
{
	static const char *const names[] = {
	    "PATH",         "HOME",          "USER",         "LOGNAME",     "TMPDIR",          "TZ",
	    "LANG",         "LC_ALL",        "LC_CTYPE",     "LC_MESSAGES", "LD_LIBRARY_PATH", "ASAN_OPTIONS",
	    "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", NULL};
	if (wb_starts_with(variable, "XDG_"))
		return true;
	size_t n = strcspn(variable, "=");
	for (size_t i = 0; names[i] != NULL; i++)
		if (strlen(names[i]) == n && memcmp(names[i], variable, n) == 0)
			return true;
	return false;
}

static int spawn_detached(pid_t *pid, const char *path, const char *const *argv, const char *const *env)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	int e = posix_spawn_file_actions_init(&actions);
	if (e != 0)
		return e;
	e = posix_spawnattr_init(&attr);
	if (e != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return e;
	}
	for (int fd = 0; fd < 3 && e == 0; fd++)
		e = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	if (e == 0)
		e = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	if (e == 0)
		e = posix_spawn_file_actions_addchdir_np(&actions, "/");
	if (e == 0)
		e = posix_spawnattr_setsigmask(&attr, &none);
	if (e == 0)
		e = posix_spawnattr_setsigdefault(&attr, &all);
	if (e == 0)
		e = posix_spawnattr_setflags(&attr,
					     POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (e == 0) {
		mode_t mask = umask(077);
		e = posix_spawn(pid, path, &actions, &attr, (char *const *)(uintptr_t)argv,
				(char *const *)(uintptr_t)env);
		umask(mask);
	}
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return e;
}

wb_status wb_daemon_spawn(pid_t *pid, struct wb_arena *a, const char *const *env, const struct wb_config *config,
			  struct wb_err *err)
{
	const char *path;
	WB_TRY(wb_daemon_find(&path, a, env, err));
	struct wb_argv argv = {NULL, 0, 0}, kept = {NULL, 0, 0};
	wb_argv_push(&argv, a, path);
	wb_argv_push(&argv, a, "--expect-build");
	wb_argv_push(&argv, a, WB_BUILD_ID);
	for (size_t i = 0; i < WB_SET_COUNT; i++) {
		if (wb_setting_table[i].scope != WB_SCOPE_DAEMON)
			continue;
		wb_argv_push(&argv, a, "--setting");
		wb_argv_pushf(&argv, a, "%s=%s", wb_setting_table[i].key, config->value[i]);
	}
	for (; env != NULL && *env != NULL; env++)
		if (passes(*env))
			wb_argv_push(&kept, a, *env);
	/* Its own settings are all in the arguments and those of a request come with it: no file is to be read twice.
	 */
	wb_argv_push(&kept, a, "WAYBILL_CONFIG=/dev/null");
	/* Its exit code is wanted while it starts: see wb_local_run. */
	signal(SIGCHLD, SIG_DFL);
	int e = spawn_detached(pid, path, argv.v, kept.v);
	return e == 0 ? wb_ok() : wb_fail_errno(err, e, "cannot start the daemon %s", path);
}
