#define _GNU_SOURCE
#include "wire/frame.h"

#include "wire/message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	HEADER = 12,
	FIRST_CHUNK = 1 << 20, /* a header may lie: memory grows with what arrives */
};

static void put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* `e` is EAGAIN: did a socket timeout end the call, or does the descriptor not block? */
static bool is_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

static wb_status send_all(int fd, const uint8_t *p, size_t n, struct wb_err *err)
{
	while (n > 0) {
		ssize_t put = send(fd, p, n, MSG_NOSIGNAL);
		if (put >= 0) {
			p += put;
			n -= (size_t)put;
		} else if (errno == EAGAIN && is_nonblocking(fd)) {
			struct pollfd wait = {fd, POLLOUT, 0};
			if (poll(&wait, 1, -1) < 0 && errno != EINTR)
				return wb_fail_errno(err, errno, "cannot wait for the peer");
		} else if (errno == EAGAIN) {
			return wb_fail(err, WB_EBUSY, "the peer does not read what is sent to it");
		} else if (errno != EINTR) {
			/* Whatever the error is called, the connection is lost. */
			wb_ignore(wb_fail_errno(err, errno, "the connection broke while sending"));
			return (wb_status){WB_EIO};
		}
	}
	return wb_ok();
}

wb_status wb_frame_send(int fd, enum wb_frame_type type, const ProtobufCMessage *msg, struct wb_err *err)
{
	size_t n = msg == NULL ? 0 : protobuf_c_message_get_packed_size(msg);
	if (n > WB_FRAME_MAX)
		return wb_fail(err, WB_ELIMIT, "a message of %zu bytes is too large (the limit is %u)", n,
			       WB_FRAME_MAX);
	uint8_t small[512];
	uint8_t *p = HEADER + n <= sizeof small ? small : wb_xrealloc(NULL, HEADER + n);
	put_u32(p, WB_FRAME_MAGIC);
	put_u32(p + 4, (uint32_t)type);
	put_u32(p + 8, (uint32_t)n);
	if (msg != NULL)
		protobuf_c_message_pack(msg, p + HEADER);
	wb_status s = send_all(fd, p, HEADER + n, err);
	if (p != small)
		free(p);
	return s;
}

/* Read exactly `n` bytes. `*started` is set by the first one. */
static wb_status receive_all(int fd, uint8_t *p, size_t n, int timeout_ms, bool *started, struct wb_err *err)
{
	while (n > 0) {
		if (timeout_ms >= 0) {
			struct pollfd wait = {fd, POLLIN, 0};
			int ready = poll(&wait, 1, timeout_ms);
			if (ready < 0 && errno == EINTR)
				continue; /* the wait starts anew: signals are rare */
			if (ready < 0)
				return wb_fail_errno(err, errno, "cannot wait for the peer");
			if (ready == 0)
				return wb_fail(err, WB_EBUSY, "the peer sent nothing for %d.%03d s", timeout_ms / 1000,
					       timeout_ms % 1000);
		}
		ssize_t got = recv(fd, p, n, 0);
		if (got > 0) {
			p += got;
			n -= (size_t)got;
			*started = true;
		} else if (got == 0) {
			return wb_fail(err, WB_EIO, "the peer closed the connection%s",
				       *started ? " in the middle of a message" : "");
		} else if (errno == EAGAIN && timeout_ms < 0) {
			struct pollfd wait = {fd, POLLIN, 0};
			if (poll(&wait, 1, -1) < 0 && errno != EINTR)
				return wb_fail_errno(err, errno, "cannot wait for the peer");
		} else if (errno != EINTR && errno != EAGAIN) {
			wb_ignore(wb_fail_errno(err, errno, "the connection broke while receiving"));
			return (wb_status){WB_EIO};
		}
	}
	return wb_ok();
}

wb_status wb_frame_receive(struct wb_frame *out, struct wb_arena *a, int fd, uint32_t max, int timeout_ms,
			   struct wb_err *err)
{
	uint8_t header[HEADER];
	bool started = false;
	*out = (struct wb_frame){0, 0, NULL};
	WB_TRY(receive_all(fd, header, sizeof header, timeout_ms, &started, err));
	if (get_u32(header) != WB_FRAME_MAGIC)
		return wb_fail(err, WB_EPROTO, "the peer does not speak Waybill's protocol");
	uint32_t type = get_u32(header + 4), len = get_u32(header + 8);
	if (len > max)
		return wb_fail(err, WB_ELIMIT, "a message of %u bytes is too large (the limit is %u)", len, max);
	size_t cap = len < FIRST_CHUNK ? len : FIRST_CHUNK, used = 0;
	uint8_t *p = wb_arena_alloc(a, cap);
	for (;;) {
		WB_TRY(receive_all(fd, p + used, cap - used, timeout_ms, &started, err));
		used = cap;
		if (used == len)
			break;
		cap = len / 2 < cap ? len : cap * 2;
		uint8_t *bigger = wb_arena_alloc(a, cap);
		memcpy(bigger, p, used);
		p = bigger;
	}
	*out = (struct wb_frame){type, len, p};
	return wb_ok();
}

void *wb_frame_decode(const ProtobufCMessageDescriptor *desc, struct wb_arena *a, const uint8_t *data, size_t n)
{
	ProtobufCMessage *m;
	return wb_is_ok(wb_message_decode(&m, a, desc, data, n, wb_message_memory(n), NULL)) ? m : NULL;
}
