#define _GNU_SOURCE
#include "cli/daemon_client.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/fileio.h"
#include "cli/daemon_start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef WB_START_MS /* tests have less patience */
#define WB_START_MS 10000
#endif
enum {
	FAILED_S = 10,    /* for so long after a failed start no compile tries again */
	HUNG_S = 60,      /* for so long after it did not answer no compile waits for it */
	POLL_MAX_MS = 32, /* between looks at a daemon that is starting */
	DEATH_MS = 300,   /* a daemon that dies takes so long at most, its memory is large */
	RESPAWN_MS = 100, /* after one that found the lock taken (by a daemon that is ending) */
};

static void sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* Was the file written within the last `seconds`? A clock that was set back counts as "no". */
static bool is_recent(const struct stat *st, int seconds)
{
	int64_t age = wb_clock_wall_ns() / 1000000000 - st->st_mtim.tv_sec;
	return age >= 0 && age < seconds;
}

/* BUILDID.hung: the number of a daemon that did not answer; its mtime says when. Every HUNG_S one process tries again.
 */
static void mark_hung(const struct wb_daemon *d)
{
	char text[16];
	int n = snprintf(text, sizeof text, "%d\n", wb_socket_peer_pid(d->fd));
	/* Without the mark the next ones wait as long as this one did. */
	wb_ignore(wb_file_write(d->paths.hung, text, (size_t)n, 0600, NULL));
}

/* The marked daemon's number (0: nobody knows), -1 when none is marked or the mark is old. */
static pid_t marked_hung(struct wb_daemon *d)
{
	char text[16] = "";
	struct stat st;
	pid_t pid = -1;
	int fd = open(d->paths.hung, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	d->was_hung = true;
	if (fstat(fd, &st) == 0 && read(fd, text, sizeof text - 1) > 0 && is_recent(&st, HUNG_S))
		pid = (pid_t)strtol(text, NULL, 10);
	else
		futimens(fd, NULL); /* we try it, the others still do not */
	close(fd);
	return pid;
}

static wb_status connect_to(struct wb_daemon *d, struct wb_err *err)
{
	wb_status s = wb_socket_connect(&d->fd, d->paths.socket, err);
	if (s.code == WB_EBUSY)
		mark_hung(d);
	return s;
}

/* BUILDID.start: locked by the one that starts the daemon; not empty when that failed, its mtime says when. */
static void set_failed(int lock, bool failed)
{
	struct stat st;
	if (failed && pwrite(lock, "failed\n", 7, 0) < 0) {
		/* The next ones will try too, that is all. */
	} else if (!failed && fstat(lock, &st) == 0 && st.st_size > 0 && ftruncate(lock, 0) < 0) {
		/* The mark is old in a moment. */
	}
}

static bool has_failed(int lock)
{
	struct stat st;
	return fstat(lock, &st) == 0 && st.st_size > 0 && is_recent(&st, FAILED_S);
}

/* Has the daemon that we started ended? One that finds the lock taken ends with 0, and is started again: the one that
 * holds the lock may just be ending. */
static wb_status check_child(struct wb_daemon *d, struct wb_err *err)
{
	int status;
	if (d->child == 0 || waitpid(d->child, &status, WNOHANG) != d->child)
		return wb_ok();
	d->child = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return wb_ok();
	return wb_fail(err, WB_EIO, "the daemon ended at its start with %s %d; its log is %s",
		       WIFEXITED(status) ? "exit code" : "signal",
		       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), d->paths.log);
}

static wb_status start(struct wb_daemon *d, struct wb_arena *a, const char *const *env, const struct wb_config *config,
		       enum wb_daemon_open_mode mode, struct wb_err *err)
{
	int lock = open(d->paths.start, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0)
		return wb_fail_errno(err, errno, "cannot open %s", d->paths.start);
	int64_t begin = wb_clock_ns(), respawn = begin;
	bool holder = false;
	wb_status s;
	for (int delay = 1;; delay = delay * 2 < POLL_MAX_MS ? delay * 2 : POLL_MAX_MS) {
		if (!holder && flock(lock, LOCK_EX | LOCK_NB) == 0) {
			holder = true;
			begin = respawn = wb_clock_ns();
			delay = 1;
		}
		/* After the lock was taken: the one that held it before may have started a daemon. */
		s = connect_to(d, err);
		if (s.code != WB_ENOENT)
			break;
		if (holder && d->child == 0 && wb_clock_ns() >= respawn) {
			if (mode == WB_DAEMON_COMPILE && has_failed(lock)) {
				s = wb_fail(err, WB_EIO, "the daemon could not be started a moment ago; its log is %s",
					    d->paths.log);
				goto out;
			}
			s = wb_daemon_spawn(&d->child, a, env, config, err);
			if (!wb_is_ok(s))
				break;
			d->started = true;
			respawn = wb_clock_ns() + RESPAWN_MS * INT64_C(1000000);
		}
		if (wb_clock_ns() - begin > WB_START_MS * INT64_C(1000000)) {
			s = wb_fail(err, WB_EBUSY, "the daemon did not start to listen within %d s; its log is %s",
				    WB_START_MS / 1000, d->paths.log);
			break;
		}
		sleep_ms(delay);
		s = check_child(d, err);
		if (!wb_is_ok(s))
			break;
	}
	if (holder)
		set_failed(lock, !wb_is_ok(s));
out:
	close(lock);
	return s;
}

wb_status wb_daemon_open(struct wb_daemon *d, struct wb_arena *a, const char *const *env,
			 const struct wb_config *config, enum wb_daemon_open_mode mode, struct wb_err *err)
{
	*d = (struct wb_daemon){.fd = -1, .started = d->started}; /* an earlier child may have ended since: forget it */
	WB_TRY(wb_socket_paths(&d->paths, a, env, err));
	pid_t hung = mode == WB_DAEMON_COMPILE ? marked_hung(d) : -1;
	wb_status s = hung == 0 ? (wb_status){WB_EBUSY} : connect_to(d, err);
	if (hung == 0 || (hung > 0 && wb_is_ok(s) && wb_socket_peer_pid(d->fd) == hung)) {
		wb_daemon_close(d);
		return wb_fail(err, WB_EBUSY, "the daemon did not answer a moment ago; its log is %s", d->paths.log);
	}
	return s.code == WB_ENOENT && mode != WB_DAEMON_RUNNING ? start(d, a, env, config, mode, err) : s;
}

void wb_daemon_close(struct wb_daemon *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

void wb_daemon_drop(struct wb_daemon *d)
{
	pid_t pid = wb_socket_peer_pid(d->fd);
	wb_daemon_close(d);
	/* A process that dies closes one descriptor after the other: the listening socket may still be there. */
	int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (pidfd < 0) {
		if (errno != ESRCH)
			sleep_ms(DEATH_MS / 10);
		return;
	}
	struct pollfd wait = {pidfd, POLLIN, 0};
	poll(&wait, 1, DEATH_MS);
	close(pidfd);
}

wb_status wb_daemon_receive(void **message, struct wb_arena *a, struct wb_daemon *d, enum wb_frame_type type,
			    const ProtobufCMessageDescriptor *desc, struct wb_err *err)
{
	struct wb_frame frame;
	do {
		wb_status s = wb_frame_receive(&frame, a, d->fd, WB_FRAME_MAX, WB_FRAME_SILENCE_MS, err);
		if (s.code == WB_EBUSY)
			mark_hung(d);
		WB_TRY(s);
		if (d->was_hung) {
			unlink(d->paths.hung);
			d->was_hung = false;
		}
	} while (frame.type == WB_FRAME_ALIVE);
	if (frame.type != (uint32_t)type)
		return wb_fail(err, WB_EPROTO, "the daemon sent a message of type %u in place of %u", frame.type,
			       (unsigned)type);
	*message = wb_frame_decode(desc, a, frame.data, frame.len);
	if (*message == NULL)
		return wb_fail(err, WB_EPROTO, "the daemon sent a message that does not parse");
	return wb_ok();
}
