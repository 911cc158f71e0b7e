#define _GNU_SOURCE
#include "unit.h"

#include "base/arena.h"
#include "proto/wire.pb-c.h"
#include "wire/frame.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void make_pair(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
}

static void round_trip(void **state)
{
	(void)state;
	int fd[2];
	struct wb_arena a;
	struct wb_err err = WB_ERR_INIT;
	struct wb_frame f;
	make_pair(fd);
	wb_arena_init(&a);
	Waybill__Wire__LocalDone m = WAYBILL__WIRE__LOCAL_DONE__INIT;
	uint8_t text[] = "a\0b";
	m.wait_status = -3;
	m.stderr = (ProtobufCBinaryData){sizeof text, text};
	assert_ok(wb_frame_send(fd[0], WB_FRAME_LOCAL_DONE, &m.base, &err), &err);
	assert_ok(wb_frame_send(fd[0], WB_FRAME_ALIVE, NULL, &err), &err);
	assert_ok(wb_frame_receive(&f, &a, fd[1], WB_FRAME_MAX, -1, &err), &err);
	assert_int_equal(f.type, WB_FRAME_LOCAL_DONE);
	const Waybill__Wire__LocalDone *got =
	    wb_frame_decode(&waybill__wire__local_done__descriptor, &a, f.data, f.len);
	assert_non_null(got);
	assert_int_equal(got->wait_status, -3);
	assert_int_equal(got->stderr.len, sizeof text);
	assert_memory_equal(got->stderr.data, text, sizeof text);
	assert_ok(wb_frame_receive(&f, &a, fd[1], 0, 1000, &err), &err);
	assert_int_equal(f.type, WB_FRAME_ALIVE);
	assert_int_equal(f.len, 0);
	/* The header as documented. */
	uint8_t header[12];
	assert_ok(wb_frame_send(fd[0], WB_FRAME_VERB_OUTPUT, NULL, &err), &err);
	assert_int_equal(recv(fd[1], header, sizeof header, MSG_WAITALL), sizeof header);
	assert_memory_equal(header, "WBL1\6\0\0\0\0\0\0\0", sizeof header);
	wb_arena_release(&a);
	close(fd[0]);
	close(fd[1]);
}

struct sender {
	int fd;
	size_t n;
};

static void *send_big(void *p)
{
	const struct sender *s = p;
	Waybill__Wire__VerbOutput m = WAYBILL__WIRE__VERB_OUTPUT__INIT;
	m.stdout = (ProtobufCBinaryData){s->n, malloc(s->n)};
	for (size_t i = 0; i < s->n; i++)
		m.stdout.data[i] = (uint8_t)(i * 7 + i / 4096);
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_frame_send(s->fd, WB_FRAME_VERB_OUTPUT, &m.base, &err), &err);
	free(m.stdout.data);
	return NULL;
}

/* More than a socket's buffer, over descriptors that do not block too. */
static void big_frames(void **state)
{
	(void)state;
	for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
		int fd[2];
		struct wb_arena a;
		struct wb_err err = WB_ERR_INIT;
		struct wb_frame f;
		pthread_t t;
		make_pair(fd);
		wb_arena_init(&a);
		for (int i = 0; i < 2 && nonblocking; i++)
			fcntl(fd[i], F_SETFL, O_NONBLOCK);
		struct sender s = {fd[0], 9 << 20};
		assert_int_equal(pthread_create(&t, NULL, send_big, &s), 0);
		assert_ok(wb_frame_receive(&f, &a, fd[1], WB_FRAME_MAX, nonblocking ? -1 : 5000, &err), &err);
		pthread_join(t, NULL);
		const Waybill__Wire__VerbOutput *got =
		    wb_frame_decode(&waybill__wire__verb_output__descriptor, &a, f.data, f.len);
		assert_non_null(got);
		assert_int_equal(got->stdout.len, s.n);
		for (size_t i = 0; i < s.n; i += 997)
			assert_int_equal(got->stdout.data[i], (uint8_t)(i * 7 + i / 4096));
		wb_arena_release(&a);
		close(fd[0]);
		close(fd[1]);
	}
}

static void hostile_frames(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t n;
		enum wb_code code;
		const char *says;
	} table[] = {
	    {"", 0, WB_EIO, "closed the connection"},
	    {"W", 1, WB_EIO, "in the middle"},
	    {"WBL1\1\0\0\0\4\0\0", 11, WB_EIO, "in the middle"},
	    {"WBL1\1\0\0\0\4\0\0\0abc", 15, WB_EIO, "in the middle"},
	    {"WBL2\1\0\0\0\0\0\0\0", 12, WB_EPROTO, "protocol"},
	    {"GET / HTTP/1.1\r\n\r\n", 18, WB_EPROTO, "protocol"},
	    {"WBL1\1\0\0\0\21\0\0\0", 12, WB_ELIMIT, "17 bytes"},
	    {"WBL1\1\0\0\0\377\377\377\377", 12, WB_ELIMIT, "too large"},
	    {"WBL1\377\377\377\377\0\0\0\0", 12, WB_OK, NULL}, /* the type is the caller's to judge */
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		int fd[2];
		struct wb_arena a;
		struct wb_err err = WB_ERR_INIT;
		struct wb_frame f;
		make_pair(fd);
		wb_arena_init(&a);
		assert_int_equal(write(fd[0], table[i].bytes, table[i].n), table[i].n);
		close(fd[0]);
		assert_code(wb_frame_receive(&f, &a, fd[1], 16, i % 2 == 0 ? -1 : 1000, &err), table[i].code);
		if (table[i].says != NULL)
			assert_says(&err, table[i].says);
		wb_arena_release(&a);
		close(fd[1]);
	}
}

/* A header that promises much and brings nothing costs little. */
static void lying_length(void **state)
{
	(void)state;
	int fd[2];
	struct wb_arena a;
	struct wb_frame f;
	make_pair(fd);
	wb_arena_init(&a);
	assert_int_equal(write(fd[0], "WBL1\1\0\0\0\0\0\0\20", 12), 12); /* 256 MiB */
	close(fd[0]);
	assert_code(wb_frame_receive(&f, &a, fd[1], WB_FRAME_MAX, -1, NULL), WB_EIO);
	assert_true(a.used <= 2 << 20);
	wb_arena_release(&a);
	close(fd[1]);
}

static void timeouts(void **state)
{
	(void)state;
	int fd[2];
	struct wb_arena a;
	struct wb_err err = WB_ERR_INIT;
	struct wb_frame f;
	make_pair(fd);
	wb_arena_init(&a);
	assert_code(wb_frame_receive(&f, &a, fd[1], 16, 20, &err), WB_EBUSY);
	assert_says(&err, "0.020 s");
	assert_int_equal(write(fd[0], "WBL1\1", 5), 5);
	assert_code(wb_frame_receive(&f, &a, fd[1], 16, 20, &err), WB_EBUSY);
	/* Nobody reads. */
	struct timeval patience = {0, 20000};
	assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
	Waybill__Wire__VerbOutput m = WAYBILL__WIRE__VERB_OUTPUT__INIT;
	m.stdout = (ProtobufCBinaryData){4 << 20, calloc(4 << 20, 1)};
	assert_code(wb_frame_send(fd[0], WB_FRAME_VERB_OUTPUT, &m.base, &err), WB_EBUSY);
	/* Nobody is there: an error, no SIGPIPE. */
	close(fd[1]);
	assert_code(wb_frame_send(fd[0], WB_FRAME_VERB_OUTPUT, &m.base, &err), WB_EIO);
	free(m.stdout.data);
	wb_arena_release(&a);
	close(fd[0]);
}

static void too_large_to_send(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	Waybill__Wire__VerbOutput m = WAYBILL__WIRE__VERB_OUTPUT__INIT;
	uint8_t byte = 0;
	m.stdout = (ProtobufCBinaryData){(size_t)WB_FRAME_MAX + 1, &byte}; /* the size is looked at first */
	assert_code(wb_frame_send(-1, WB_FRAME_VERB_OUTPUT, &m.base, &err), WB_ELIMIT);
	assert_says(&err, "too large");
}

static void decode_limits(void **state)
{
	(void)state;
	struct wb_arena a;
	wb_arena_init(&a);
	/* Empty: all defaults. */
	const Waybill__Wire__CompileReply *r =
	    wb_frame_decode(&waybill__wire__compile_reply__descriptor, &a, (const uint8_t *)"", 0);
	assert_non_null(r);
	assert_int_equal(r->decision, WAYBILL__WIRE__COMPILE_REPLY__DECISION__DONE);
	static const char *const bad[] = {
	    "\377\377\377", "\12\377\377\377\377\17", "\12\5abc", "\10", "\13\14", /* a group */
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_null(wb_frame_decode(&waybill__wire__compile_reply__descriptor, &a, (const uint8_t *)bad[i],
					    strlen(bad[i])));
	wb_arena_release(&a);
	/* Many empty settings: two bytes each on the wire, much more in memory. */
	enum { N = 4 << 20 };
	uint8_t *p = malloc(N);
	for (size_t i = 0; i < N; i += 2) {
		p[i] = 5 << 3 | 2;
		p[i + 1] = 0;
	}
	wb_arena_init(&a);
	assert_null(wb_frame_decode(&waybill__wire__compile_request__descriptor, &a, p, N));
	assert_true(a.used <= (size_t)N * 32 + (1 << 20));
	wb_arena_release(&a);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_trip),    cmocka_unit_test(big_frames), cmocka_unit_test(hostile_frames),
	    cmocka_unit_test(lying_length),  cmocka_unit_test(timeouts),   cmocka_unit_test(too_large_to_send),
	    cmocka_unit_test(decode_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
