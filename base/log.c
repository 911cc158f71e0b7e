#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ROTATE_SIZE = 8 << 20, LINE_MAX_BYTES = 8192 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;           /* under `lock` */
static atomic_int threshold = -1; /* -1: not open; read before the lock, so that dropped lines cost nothing */

wb_status wb_log_open(const char *path, enum wb_log_level level, struct wb_err *err)
{
	struct stat st;
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > ROTATE_SIZE) {
		char aside[PATH_MAX];
		int n = snprintf(aside, sizeof aside, "%s.1", path);
		if (n < 0 || (size_t)n >= sizeof aside || rename(path, aside) < 0)
			return wb_fail_errno(err, n < PATH_MAX ? errno : ENAMETOOLONG, "cannot move the log %s aside",
					     path);
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return wb_fail_errno(err, errno, "cannot open the log %s", path);
	pthread_mutex_lock(&lock);
	int old = log_fd;
	log_fd = fd;
	pthread_mutex_unlock(&lock);
	atomic_store(&threshold, (int)level);
	if (old >= 0)
		close(old);
	return wb_ok();
}

static size_t put_time(char *out, size_t room)
{
	int64_t now = wb_clock_wall_ns();
	time_t seconds = (time_t)(now / 1000000000);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	size_t n = strftime(out, room, "%Y-%m-%dT%H:%M:%S", &tm);
	int m = snprintf(out + n, room - n, ".%03dZ", (int)(now / 1000000 % 1000));
	return n + (m < 0 ? 0 : (size_t)m);
}

void wb_log(enum wb_log_level level, const char *fmt, ...)
{
	static const char *const name[] = {"error", "warn", "info", "debug"};
	if ((int)level > atomic_load_explicit(&threshold, memory_order_relaxed))
		return;
	int saved = errno;
	char line[LINE_MAX_BYTES];
	size_t room = sizeof line - sizeof "...\n";
	size_t n = put_time(line, room);
	int m = snprintf(line + n, room - n, " %d %s: ", (int)getpid(), name[level]);
	n += m < 0 ? 0 : (size_t)m;
	size_t start = n;
	va_list ap;
	va_start(ap, fmt);
	m = vsnprintf(line + n, room - n, fmt, ap);
	va_end(ap);
	if (m > 0 && (size_t)m >= room - n) {
		n = room - 1;
		memcpy(line + n, "...", 3);
		n += 3;
	} else if (m > 0) {
		n += (size_t)m;
	}
	/* One line each, and nothing that steers a terminal: the text may quote a file name. */
	while (n > start && line[n - 1] == '\n')
		n--;
	for (size_t i = start; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = line[i] == '\n' || line[i] == '\t' ? ' ' : '?';
	line[n++] = '\n';
	pthread_mutex_lock(&lock);
	if (log_fd >= 0 && write(log_fd, line, n) < 0) {
		/* A full disk must not stop the work; there is nowhere to tell. */
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
}
