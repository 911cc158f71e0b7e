#define _GNU_SOURCE
#include "cli/local.h"

#include "base/str.h"
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 16, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

_Noreturn void wb_local_exec(const char *const *argv)
{
	/* execvp's type lacks the const; it writes to neither (POSIX, exec: rationale) */
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	int e = errno;
	wb_complain("cannot run '%s': %s", argv[0], strerrordesc_np(e));
	_exit(e == ENOENT || e == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

static _Noreturn void be_child(const struct wb_local_command *c, int err_fd, pid_t parent)
{
	/* As without Waybill, whoever kills the process it started has killed the compiler. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(128 + SIGTERM);
	if (err_fd >= 0 && dup2(err_fd, STDERR_FILENO) < 0)
		_exit(EXIT_CANNOT_RUN);
	if (c->cwd != NULL && chdir(c->cwd) < 0) {
		wb_complain("cannot run '%s' in %s: %s", c->argv[0], c->cwd, strerrordesc_np(errno));
		_exit(EXIT_CANNOT_RUN);
	}
	wb_local_exec(c->argv);
}

/* Take what is there; false at the end of the pipe. */
static bool drain(int fd, struct wb_buf *out)
{
	for (;;) {
		wb_buf_reserve(out, READ_SIZE);
		ssize_t n = read(fd, out->p + out->n, READ_SIZE);
		if (n > 0) {
			out->n += (size_t)n;
			out->p[out->n] = '\0';
		} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
			return false;
		} else if (errno == EAGAIN) {
			return true;
		}
	}
}

/* Read until the pipe or the child ends: a server that the compiler left behind may hold the pipe open for ever. */
static void follow(int fd, pid_t pid, struct wb_buf *out)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* -1 on old kernels: then the end of the pipe must do */
	for (bool open = true, ended = false; open && !ended;) {
		struct pollfd wait[2] = {{fd, POLLIN, 0}, {pidfd, POLLIN, 0}};
		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			break;
		ended = (wait[1].revents & POLLIN) != 0;
		open = drain(fd, out);
	}
	if (pidfd >= 0)
		close(pidfd);
}

wb_status wb_local_run(int *wait_status, const struct wb_local_command *c, struct wb_err *err)
{
	int pipe_fd[2] = {-1, -1};
	*wait_status = 0;
	if (c->err_out != NULL && pipe2(pipe_fd, O_CLOEXEC) < 0)
		return wb_fail_errno(err, errno, "cannot make a pipe");
	/* Where the parent ignores SIGCHLD, so do we: then the child's exit code would be lost. */
	signal(SIGCHLD, SIG_DFL);
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		be_child(c, pipe_fd[1], parent);
	wb_status s = wb_ok();
	if (pid < 0)
		s = wb_fail_errno(err, errno, "cannot start a process for %s", c->argv[0]);
	if (c->err_out != NULL) {
		close(pipe_fd[1]);
		fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK);
		if (pid > 0)
			follow(pipe_fd[0], pid, c->err_out);
	}
	while (pid > 0 && waitpid(pid, wait_status, 0) < 0) {
		if (errno != EINTR) {
			s = wb_fail_errno(err, errno, "cannot wait for %s", c->argv[0]);
			break;
		}
	}
	if (c->err_out != NULL)
		close(pipe_fd[0]);
	return s;
}

_Noreturn void wb_local_exit(int wait_status)
{
	if (WIFSIGNALED(wait_status)) {
		int sig = WTERMSIG(wait_status);
		struct rlimit none = {0, 0};
		sigset_t set;
		setrlimit(RLIMIT_CORE, &none);
		prctl(PR_SET_DUMPABLE, 0); /* a core_pattern with a pipe does not look at the limit */
		signal(sig, SIG_DFL);
		sigemptyset(&set);
		sigaddset(&set, sig);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		raise(sig);
		_exit(128 + sig);
	}
	_exit(WEXITSTATUS(wait_status));
}
