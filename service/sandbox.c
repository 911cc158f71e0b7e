#define _GNU_SOURCE
#include "service/sandbox.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "base/path.h"
#include "base/process.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOUNT "/w" /* where the input root appears; with one fixed name, nothing of the host shows in any output */

struct wb_sandbox {
	enum wb_sandbox_kind kind;
	char *bwrap; /* absolute */
	char *why_not;
};

/* What every action sees besides the platform directories that its caller names: where a dynamic program's loader and
 * libraries are (/lib64 is part of the ABI), and Debian's links to alternatives (/usr/bin/cc). */
static const char *const base_platform[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives"};

static const char *const bwrap_env[] = {NULL}; /* bubblewrap itself must not see the action's LD_* */

static void push3(struct wb_argv *v, struct wb_arena *a, const char *x, const char *y, const char *z)
{
	wb_argv_push(v, a, x);
	wb_argv_push(v, a, y);
	wb_argv_push(v, a, z);
}

static bool below_any(const char *path, const char *const *dir, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (wb_path_below(path, dir[i]))
			return true;
	return false;
}

/* Show `path` of the host, if it is there and not shown already: a link as a link, a directory or file read-only.
 * `shown` collects what is mounted. */
static void show(struct wb_argv *v, struct wb_arena *a, struct wb_argv *shown, const char *path)
{
	struct stat st;
	if (path[0] != '/' || path[1] == '\0' || below_any(path, shown->v, shown->n) || lstat(path, &st) < 0)
		return;
	if (S_ISLNK(st.st_mode)) {
		char *target = wb_arena_alloc(a, PATH_MAX);
		ssize_t n = readlink(path, target, PATH_MAX - 1);
		if (n > 0)
			push3(v, a, "--symlink", target, path);
	} else {
		push3(v, a, "--ro-bind", path, path);
	}
	wb_argv_push(shown, a, path);
}

/* The part of the command line that is the same for every action.
 * --as-pid-1: when the command ends the kernel ends everything else in its namespace before bubblewrap learns of it;
 * with bubblewrap's own pid 1 a process left behind could still write to an output that is being hashed. (The price: a
 * signal that the command sends to itself without a handler is ignored. abort() and faults end it all the same.)
 * --cap-drop: with CAP_SYS_ADMIN in its own user namespace an action run by root could mount its input root writable
 * again. /dev has what a compiler may open and no more: bubblewrap's own --dev costs 1.3 ms. */
static void fixed_arguments(struct wb_argv *v, struct wb_arena *a, const struct wb_sandbox *s,
			    const char *const *platform, size_t n)
{
	static const char *const option[] = {
	    "--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--clearenv"};
	static const char *const device[] = {"/dev/null", "/dev/zero", "/dev/urandom"};
	static const char *const link[][2] = {{"/proc/self/fd", "/dev/fd"},
					      {"/proc/self/fd/0", "/dev/stdin"},
					      {"/proc/self/fd/1", "/dev/stdout"},
					      {"/proc/self/fd/2", "/dev/stderr"}};
	struct wb_argv shown = {0};
	wb_argv_push(v, a, s->bwrap);
	for (size_t i = 0; i < sizeof option / sizeof *option; i++)
		wb_argv_push(v, a, option[i]);
	/* First: a platform directory may lie below it. */
	wb_argv_push(v, a, "--tmpfs");
	wb_argv_push(v, a, "/tmp");
	for (size_t i = 0; i < sizeof base_platform / sizeof *base_platform; i++)
		show(v, a, &shown, base_platform[i]);
	for (size_t i = 0; i < n; i++)
		show(v, a, &shown, platform[i]);
	wb_argv_push(v, a, "--proc");
	wb_argv_push(v, a, "/proc");
	for (size_t i = 0; i < sizeof device / sizeof *device; i++)
		push3(v, a, "--dev-bind", device[i], device[i]);
	for (size_t i = 0; i < sizeof link / sizeof *link; i++)
		push3(v, a, "--symlink", link[i][0], link[i][1]);
}

/* Parents before what lies in them: a mount hides what was mounted below it earlier. */
static void mounts(struct wb_argv *v, struct wb_arena *a, const struct wb_sandbox_run *r)
{
	push3(v, a, "--ro-bind", r->root, MOUNT);
	for (size_t i = 0, j = 0; i < r->nout_dir || j < r->ninner;) {
		bool out = j == r->ninner || (i < r->nout_dir && strcmp(r->out_dir[i], r->inner[j]) <= 0);
		const char *path = out ? r->out_dir[i++] : r->inner[j++];
		push3(v, a, out ? "--bind" : "--ro-bind", wb_arena_printf(a, "%s/%s", out ? r->out : r->root, path),
		      wb_arena_printf(a, MOUNT "/%s", path));
	}
}

static void environment(struct wb_argv *v, struct wb_arena *a, const char *const *env)
{
	for (; *env != NULL; env++) {
		const char *eq = strchr(*env, '=');
		if (eq != NULL && eq != *env)
			push3(v, a, "--setenv", wb_arena_strndup(a, *env, (size_t)(eq - *env)), eq + 1);
	}
}

static int exit_code_of(int wait_status)
{
	return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

/* bubblewrap says so, and ends with 1, when it could not set up the sandbox or start the command. */
static bool is_bwrap_failure(int code, const struct wb_buf *err_text, size_t from)
{
	return code == 1 && err_text->n > from && wb_starts_with(err_text->p + from, "bwrap: ");
}

static wb_status run_bwrap(int *exit_code, struct wb_sandbox *s, struct wb_arena *a, const struct wb_sandbox_run *r,
			   struct wb_err *err)
{
	struct wb_argv v = {0};
	int wait_status;
	fixed_arguments(&v, a, s, r->platform, r->nplatform);
	mounts(&v, a, r);
	environment(&v, a, r->env);
	wb_argv_push(&v, a, "--chdir");
	wb_argv_push(&v, a, wb_arena_printf(a, MOUNT "/%s", r->working_directory));
	wb_argv_push(&v, a, "--");
	for (const char *const *p = r->argv; *p != NULL; p++)
		wb_argv_push(&v, a, *p);
	struct wb_process process = {
	    .argv = v.v, .env = bwrap_env, .out = r->stdout_buf, .err_out = r->stderr_buf, .cancel = r->cancel};
	size_t from = r->stderr_buf->n;
	WB_TRY(wb_process_run(&wait_status, &process, err));
	*exit_code = exit_code_of(wait_status);
	if (WIFSIGNALED(wait_status))
		return wb_fail(err, WB_EIO, "bubblewrap was killed by signal %d", WTERMSIG(wait_status));
	if (is_bwrap_failure(*exit_code, r->stderr_buf, from))
		return wb_fail(err, WB_EIO, "%.*s", (int)strcspn(r->stderr_buf->p + from, "\n"),
			       r->stderr_buf->p + from);
	return wb_ok();
}

static wb_status run_bare(int *exit_code, struct wb_arena *a, const struct wb_sandbox_run *r, struct wb_err *err)
{
	int wait_status;
	struct wb_process process = {.argv = r->argv,
				     .env = r->env,
				     .cwd = wb_arena_printf(a, "%s/%s", r->root, r->working_directory),
				     .out = r->stdout_buf,
				     .err_out = r->stderr_buf,
				     .cancel = r->cancel};
	WB_TRY(wb_process_run(&wait_status, &process, err));
	*exit_code = exit_code_of(wait_status);
	return wb_ok();
}

wb_status wb_sandbox_run(int *exit_code, struct wb_sandbox *s, const struct wb_sandbox_run *run, struct wb_err *err)
{
	struct wb_arena a;
	wb_arena_init(&a);
	wb_status status =
	    s->kind == WB_SANDBOX_BWRAP ? run_bwrap(exit_code, s, &a, run, err) : run_bare(exit_code, &a, run, err);
	wb_arena_release(&a);
	return status;
}

/* Find bubblewrap, and see whether it can do here what actions will ask for. NULL: it can; else why not, in the arena.
 */
static const char *try_bwrap(struct wb_sandbox *s, struct wb_arena *a)
{
	static const char *const place[] = {"/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"};
	const char *path = NULL;
	for (size_t i = 0; i < sizeof place / sizeof *place && path == NULL; i++)
		if (access(place[i], X_OK) == 0)
			path = place[i];
	if (path == NULL)
		return "bubblewrap (bwrap) is not installed";
	s->bwrap = wb_xstrdup(path);

	struct wb_argv v = {0};
	struct wb_buf out = WB_BUF_INIT, err_text = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	int wait_status = 0;
	fixed_arguments(&v, a, s, NULL, 0);
	wb_argv_push(&v, a, "--");
	wb_argv_push(&v, a, "/usr/bin/true");
	struct wb_process process = {
	    .argv = v.v, .env = bwrap_env, .out = &out, .err_out = &err_text, .timeout_ns = 10000000000LL};
	wb_status status = wb_process_run(&wait_status, &process, &err);
	const char *why = NULL;
	if (!wb_is_ok(status))
		why = wb_arena_strdup(a, err.text);
	else if (exit_code_of(wait_status) != 0)
		why = err_text.n > 0 ? wb_arena_strndup(a, err_text.p, strcspn(err_text.p, "\n"))
				     : wb_arena_printf(a, "bwrap ended with %d", exit_code_of(wait_status));
	wb_buf_release(&out);
	wb_buf_release(&err_text);
	return why;
}

wb_status wb_sandbox_new(struct wb_sandbox **out, const char *choice, struct wb_err *err)
{
	struct wb_sandbox *s = wb_xcalloc(1, sizeof *s);
	struct wb_arena a;
	wb_status status = wb_ok();
	const char *why_not = "the setting `sandbox` is none";
	wb_arena_init(&a);
	s->kind = WB_SANDBOX_NONE;
	if (strcmp(choice, "none") != 0) {
		why_not = try_bwrap(s, &a);
		if (why_not == NULL)
			s->kind = WB_SANDBOX_BWRAP;
		else if (strcmp(choice, "bwrap") == 0)
			status = wb_fail(err, WB_EUNSUPPORTED, "the sandbox cannot be used: %s", why_not);
	}
	s->why_not = wb_xstrdup(why_not == NULL ? "" : why_not);
	wb_arena_release(&a);
	if (!wb_is_ok(status)) {
		wb_sandbox_free(s);
		return status;
	}
	*out = s;
	return wb_ok();
}

void wb_sandbox_free(struct wb_sandbox *s)
{
	if (s == NULL)
		return;
	free(s->bwrap);
	free(s->why_not);
	free(s);
}

enum wb_sandbox_kind wb_sandbox_kind(const struct wb_sandbox *s)
{
	return s->kind;
}

const char *wb_sandbox_why_not(const struct wb_sandbox *s)
{
	return s->why_not;
}
