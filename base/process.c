#define _GNU_SOURCE
#include "base/process.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t default_output_limit = (size_t)256 << 20;
enum { CANCEL_MS = 20, NO_PIDFD_MS = 5, READ_SIZE = 64 * 1024 };

/* A captured stream: our end of its pipe, -1 after its end. */
struct stream {
	int fd;
	struct wb_buf *buf;
	size_t taken, limit;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Move a descriptor off 0..2, which the child's own are put on (a daemon may run with them closed). -1 and errno. */
static int above_stdio(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	int up = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), e = errno;
	close(fd);
	errno = e;
	return up;
}

/* A pipe whose read end does not block; the child's end does. */
static wb_status make_pipe(int *read_end, int *write_end, struct wb_err *err)
{
	int fd[2];
	if (pipe2(fd, O_CLOEXEC) < 0)
		return wb_fail_errno(err, errno, "cannot make a pipe");
	*read_end = above_stdio(fd[0]);
	int e = errno;
	*write_end = above_stdio(fd[1]);
	e = *write_end < 0 ? errno : e;
	if (*read_end < 0 || *write_end < 0 || fcntl(*read_end, F_SETFL, O_NONBLOCK) < 0)
		return wb_fail_errno(err, e, "cannot set up a pipe");
	return wb_ok();
}

/* stdin: a file, so that a child which does not read it cannot block or signal the daemon. */
static wb_status open_input(int *fd, const struct wb_process *p, struct wb_err *err)
{
	if (p->input == NULL) {
		*fd = above_stdio(open("/dev/null", O_RDONLY | O_CLOEXEC));
		return *fd < 0 ? wb_fail_errno(err, errno, "cannot open /dev/null") : wb_ok();
	}
	*fd = above_stdio(memfd_create("stdin", MFD_CLOEXEC));
	if (*fd < 0)
		return wb_fail_errno(err, errno, "cannot make a memory file");
	WB_TRY(wb_fd_write(*fd, p->input, p->input_len, "a memory file", err));
	if (lseek(*fd, 0, SEEK_SET) < 0)
		return wb_fail_errno(err, errno, "cannot rewind a memory file");
	return wb_ok();
}

/* Where execvp would find the program, with the child's PATH and working directory. posix_spawnp takes the daemon's. */
static const char *find_program(struct wb_arena *a, const struct wb_process *p, const char *const *env)
{
	const char *name = p->argv[0];
	if (strchr(name, '/') != NULL)
		return name;
	const char *path = wb_env_get(env, "PATH");
	if (path == NULL)
		path = "/bin:/usr/bin";
	for (;;) {
		size_t n = strcspn(path, ":");
		const char *dir = n == 0 ? "." : wb_arena_strndup(a, path, n);
		const char *program =
		    wb_arena_printf(a, "%s/%s", dir, name); /* a slash even for ".": no second look-up */
		const char *here =
		    program[0] != '/' && p->cwd != NULL ? wb_arena_printf(a, "%s/%s", p->cwd, program) : program;
		struct stat st;
		if (access(here, X_OK) == 0 && stat(here, &st) == 0 && S_ISREG(st.st_mode))
			return program;
		if (path[n] == '\0')
			return NULL;
		path += n + 1;
	}
}

/* fd[0..2]: what becomes the child's 0..2. 0 or errno. */
static int spawn(pid_t *pid, const char *program, const struct wb_process *p, const char *const *env, const int fd[3])
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
	for (int i = 0; i < 3 && e == 0; i++)
		e = posix_spawn_file_actions_adddup2(&actions, fd[i], i);
	if (e == 0)
		e = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	if (e == 0 && p->cwd != NULL)
		e = posix_spawn_file_actions_addchdir_np(&actions, p->cwd);
	if (e == 0)
		e = posix_spawnattr_setpgroup(&attr, 0);
	if (e == 0)
		e = posix_spawnattr_setsigmask(&attr, &none);
	if (e == 0)
		e = posix_spawnattr_setsigdefault(&attr, &all);
	if (e == 0)
		e = posix_spawnattr_setflags(&attr,
					     POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (e == 0) /* posix_spawn's type lacks the const; it writes to neither (POSIX, exec: rationale) */
		e = posix_spawn(pid, program, &actions, &attr, (char *const *)(uintptr_t)p->argv,
				(char *const *)(uintptr_t)env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return e;
}

static wb_status spawn_failed(int e, const struct wb_process *p, const char *program, struct wb_err *err)
{
	struct stat st;
	if (p->cwd != NULL && (stat(p->cwd, &st) < 0 || !S_ISDIR(st.st_mode)))
		return wb_fail_errno(err, e, "cannot run %s in %s", p->argv[0], p->cwd);
	return wb_fail_errno(err, e, "cannot run %s", program);
}

/* Take what is there. False when the limit is exceeded. */
static bool drain(struct stream *s)
{
	while (s->fd >= 0) {
		size_t room = s->limit - s->taken;
		char beyond;
		if (room > 0)
			wb_buf_reserve(s->buf, room < READ_SIZE ? room : READ_SIZE);
		ssize_t n = room > 0 ? read(s->fd, s->buf->p + s->buf->n, room < READ_SIZE ? room : READ_SIZE)
				     : read(s->fd, &beyond, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			close_fd(&s->fd);
		} else if (room == 0) {
			return false;
		} else {
			s->taken += (size_t)n;
			s->buf->n += (size_t)n;
			s->buf->p[s->buf->n] = '\0';
		}
	}
	return true;
}

/* Has the child ended? It is left to be waited for: until then its process group cannot be somebody else's. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = {0};
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

static int poll_timeout(const struct wb_process *p, int64_t deadline, bool has_pidfd)
{
	int ms = has_pidfd ? -1 : NO_PIDFD_MS;
	if (p->cancel != NULL && (ms < 0 || ms > CANCEL_MS))
		ms = CANCEL_MS;
	if (p->timeout_ns > 0) {
		int64_t left = (deadline - wb_clock_ns() + 999999) / 1000000;
		if (left < 0)
			left = 0;
		if (ms < 0 || left < ms)
			ms = left > INT_MAX ? INT_MAX : (int)left;
	}
	return ms;
}

/* Read both streams until the child has ended. */
static wb_status follow(pid_t pid, struct stream stream[2], const struct wb_process *p, struct wb_err *err)
{
	int64_t deadline;
	if (__builtin_add_overflow(wb_clock_ns(), p->timeout_ns, &deadline))
		deadline = INT64_MAX;
	wb_status status = wb_ok();
	/* No pidfd on old kernels (before 5.3) and under some sandboxes: then look every few milliseconds. */
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	for (bool ended = false; !ended;) {
		struct pollfd wait[3] = {{stream[0].fd, POLLIN, 0}, {stream[1].fd, POLLIN, 0}, {pidfd, POLLIN, 0}};
		if (poll(wait, 3, poll_timeout(p, deadline, pidfd >= 0)) < 0 && errno != EINTR && errno != EAGAIN) {
			status = wb_fail_errno(err, errno, "cannot wait for %s", p->argv[0]);
			break;
		}
		/* First "ended", then the last drain: what it wrote before its end is in the pipe by then. */
		ended = pidfd < 0 || (wait[2].revents & POLLIN) != 0 ? has_ended(pid) : false;
		for (int i = 0; i < 2; i++) {
			if ((ended || wait[i].revents != 0) && !drain(&stream[i])) {
				status = wb_fail(err, WB_ELIMIT, "%s wrote more than %zu bytes", p->argv[0],
						 stream[i].limit);
				goto out;
			}
		}
		if (ended)
			break;
		if (p->cancel != NULL && atomic_load(p->cancel)) {
			status = wb_fail(err, WB_ECANCELED, "%s was canceled", p->argv[0]);
			break;
		}
		if (p->timeout_ns > 0 && wb_clock_ns() >= deadline) {
			status = wb_fail(err, WB_ELIMIT, "%s ran for more than %.1f s", p->argv[0],
					 (double)p->timeout_ns / 1e9);
			break;
		}
	}
out:
	close_fd(&pidfd);
	return status;
}

wb_status wb_process_run(int *wait_status, const struct wb_process *p, struct wb_err *err)
{
	*wait_status = 0;
	if (p->cancel != NULL && atomic_load(p->cancel))
		return wb_fail(err, WB_ECANCELED, "%s was canceled", p->argv[0]);
	struct wb_arena a;
	wb_arena_init(&a);
	const char *const *env = p->env != NULL ? p->env : (const char *const *)(uintptr_t)environ;
	size_t limit = p->output_limit == 0 ? default_output_limit : p->output_limit;
	struct stream stream[2] = {{-1, p->out, 0, limit}, {-1, p->err_out, 0, limit}};
	int child[3] = {-1, -1, -1};
	wb_status status = open_input(&child[0], p, err);
	for (int i = 0; i < 2 && wb_is_ok(status); i++) {
		if (i == 1 && p->err_out == p->out && p->out != NULL) {
			child[2] = child[1]; /* one pipe: the order of what it writes is kept */
		} else if (stream[i].buf != NULL) {
			status = make_pipe(&stream[i].fd, &child[i + 1], err);
		} else {
			child[i + 1] = above_stdio(open("/dev/null", O_WRONLY | O_CLOEXEC));
			if (child[i + 1] < 0)
				status = wb_fail_errno(err, errno, "cannot open /dev/null");
		}
	}
	if (!wb_is_ok(status))
		goto out;
	const char *program = find_program(&a, p, env);
	if (program == NULL) {
		status = wb_fail(err, WB_ENOENT, "cannot run %s: it is not in PATH", p->argv[0]);
		goto out;
	}
	pid_t pid;
	int e = spawn(&pid, program, p, env, child);
	if (e != 0) {
		status = spawn_failed(e, p, program, err);
		goto out;
	}
	if (child[2] == child[1])
		child[2] = -1;
	for (int i = 0; i < 3; i++)
		close_fd(&child[i]);
	status = follow(pid, stream, p, err);
	/* Before the child is waited for: as long as it is a zombie, the number of its group is taken. */
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL); /* it may have moved to another group itself */
	while (waitpid(pid, wait_status, 0) < 0 && errno == EINTR) {
	}
out:
	if (child[2] == child[1])
		child[2] = -1;
	for (int i = 0; i < 3; i++)
		close_fd(&child[i]);
	close_fd(&stream[0].fd);
	close_fd(&stream[1].fd);
	wb_arena_release(&a);
	return status;
}
