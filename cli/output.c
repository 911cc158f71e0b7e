#include "cli/output.h"

#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

int wb_output(int fd, const void *data, size_t n)
{
	const char *p = data;
	while (n > 0) {
		ssize_t put = write(fd, p, n);
		if (put >= 0) {
			p += put;
			n -= (size_t)put;
		} else if (errno == EAGAIN) {
			/* The build tool made the pipe non-blocking: wait for room. */
			struct pollfd wait = {fd, POLLOUT, 0};
			if (poll(&wait, 1, -1) < 0 && errno != EINTR)
				return errno;
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

void wb_complain(const char *fmt, ...)
{
	char text[2048] = "waybill: ";
	size_t n = strlen(text), room = sizeof text - n - 1;
	va_list ap;
	va_start(ap, fmt);
	int m = vsnprintf(text + n, room, fmt, ap);
	va_end(ap);
	n += m < 0 ? 0 : (size_t)m < room ? (size_t)m : room - 1;
	text[n++] = '\n';
	wb_output(STDERR_FILENO, text, n);
}
