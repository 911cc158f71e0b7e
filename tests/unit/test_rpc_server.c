/* The gRPC server, asked by gRPC's own client: the C core's channels and calls, driven here by hand. */
#define _GNU_SOURCE
#include "rpc/server_impl.h" /* how many calls wait */

#include "proto/descriptors.h"
#include "proto/health.pb-c.h"
#include "proto/reflection.pb-c.h"
#include "proto/waybill.pb-c.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 30 /* seconds until a test is lost */

/* ---- a client */

struct call {
	grpc_call *call;
	grpc_completion_queue *cq;
	grpc_metadata_array initial, trailing;
	grpc_status_code code;
	grpc_slice details;
	grpc_byte_buffer *received;
	unsigned seen; /* bits of tags that came; `good`: with success */
	unsigned good;
};

enum { TAG_SEND, TAG_RECEIVE, TAG_METADATA, TAG_STATUS };

static void start_batch(struct call *c, const grpc_op *op, size_t n, int tag)
{
	assert_int_equal(grpc_call_start_batch(c->call, op, n, (void *)(uintptr_t)(tag + 1), NULL), GRPC_CALL_OK);
}

static void open_call(struct call *c, grpc_channel *channel, const char *method, int milliseconds)
{
	grpc_op op[2] = {{.op = GRPC_OP_RECV_INITIAL_METADATA}, {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};

	grpc_slice name = grpc_slice_from_copied_string(method);

	memset(c, 0, sizeof *c);
	c->cq = grpc_completion_queue_create_for_next(NULL);
	grpc_metadata_array_init(&c->initial);
	grpc_metadata_array_init(&c->trailing);
	c->details = grpc_empty_slice();
	c->call = grpc_channel_create_call(
	    channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->cq, name, NULL,
	    gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			 gpr_time_from_millis(milliseconds ? milliseconds : PATIENCE * 1000, GPR_TIMESPAN)),
	    NULL);
	grpc_slice_unref(name);
	op[0].data.recv_initial_metadata.recv_initial_metadata = &c->initial;
	op[1].data.recv_status_on_client.trailing_metadata = &c->trailing;
	op[1].data.recv_status_on_client.status = &c->code;
	op[1].data.recv_status_on_client.status_details = &c->details;
	start_batch(c, &op[0], 1, TAG_METADATA);
	start_batch(c, &op[1], 1, TAG_STATUS);
}

static bool await_tag(struct call *c, int tag)
{
	while (!(c->seen & 1u << tag)) {
		grpc_event e = grpc_completion_queue_next(
		    c->cq,
		    gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(PATIENCE + 5, GPR_TIMESPAN)),
		    NULL);

		assert_int_equal(e.type, GRPC_OP_COMPLETE);
		c->seen |= 1u << ((uintptr_t)e.tag - 1);
		if (e.success)
			c->good |= 1u << ((uintptr_t)e.tag - 1);
	}
	bool ok = c->good & 1u << tag;
	if (tag != TAG_STATUS) {
		c->seen &= ~(1u << tag);
		c->good &= ~(1u << tag);
	}
	return ok;
}

/* Send bytes (NULL: none), with the metadata when `first`, and the half-close when `last`. */
static void start_send(struct call *c, const void *data, size_t n, bool first, bool last)
{
	grpc_op op[3] = {{0}};
	size_t k = 0;
	grpc_byte_buffer *b = NULL;

	if (first)
		op[k++].op = GRPC_OP_SEND_INITIAL_METADATA;
	if (data) {
		grpc_slice slice = grpc_slice_from_copied_buffer(data, n);

		b = grpc_raw_byte_buffer_create(&slice, 1);
		grpc_slice_unref(slice);
		op[k].op = GRPC_OP_SEND_MESSAGE;
		op[k++].data.send_message.send_message = b;
	}
	if (last)
		op[k++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	start_batch(c, op, k, TAG_SEND);
	if (b)
		grpc_byte_buffer_destroy(b); /* gRPC holds its own reference to the bytes */
}

static void send_message(struct call *c, const ProtobufCMessage *m, bool first, bool last)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *data = malloc(n + 1);

	assert_non_null(data);
	protobuf_c_message_pack(m, data);
	start_send(c, data, n, first, last);
	free(data);
}

static void start_receive(struct call *c)
{
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

	op.data.recv_message.recv_message = &c->received;
	start_batch(c, &op, 1, TAG_RECEIVE);
}

/* The next message, decoded; NULL: there is none. Free it with protobuf_c_message_free_unpacked. */
static void *finish_receive(struct call *c, const ProtobufCMessageDescriptor *type)
{
	await_tag(c, TAG_RECEIVE);
	if (!c->received)
		return NULL;
	grpc_byte_buffer_reader reader;
	assert_true(grpc_byte_buffer_reader_init(&reader, c->received));
	grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	grpc_byte_buffer_destroy(c->received);
	c->received = NULL;
	void *m = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(slice), GRPC_SLICE_START_PTR(slice));
	grpc_slice_unref(slice);
	assert_non_null(m);
	return m;
}

static void *receive(struct call *c, const ProtobufCMessageDescriptor *type)
{
	start_receive(c);
	return finish_receive(c, type);
}

static void close_call(struct call *c)
{
	grpc_call_cancel(c->call, NULL);
	await_tag(c, TAG_STATUS);
	grpc_call_unref(c->call);
	grpc_completion_queue_shutdown(c->cq);
	while (grpc_completion_queue_next(c->cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type != GRPC_QUEUE_SHUTDOWN)
		;
	grpc_completion_queue_destroy(c->cq);
	grpc_metadata_array_destroy(&c->initial);
	grpc_metadata_array_destroy(&c->trailing);
	grpc_slice_unref(c->details);
	if (c->received)
		grpc_byte_buffer_destroy(c->received);
}

/* Wait for the end; the status. */
static int status(struct call *c, char text[512])
{
	await_tag(c, TAG_STATUS);
	size_t n = GRPC_SLICE_LENGTH(c->details) < 511 ? GRPC_SLICE_LENGTH(c->details) : 511;
	memcpy(text, GRPC_SLICE_START_PTR(c->details), n);
	text[n] = '\0';
	return (int)c->code;
}

static Waybill__V1__ScanRequest *request(const char *word)
{
	static ProtobufCBinaryData argv;
	static Waybill__V1__ScanRequest r;

	waybill__v1__scan_request__init(&r);
	argv = (ProtobufCBinaryData){.len = strlen(word), .data = (uint8_t *)(uintptr_t)word};
	r.n_argv = 1;
	r.argv = &argv;
	return &r;
}

/* A call whose request is sent and whose reply is asked for. */
static void ask(struct call *c, grpc_channel *channel, const char *method, const ProtobufCMessage *m)
{
	open_call(c, channel, method, 0);
	send_message(c, m, true, true);
	start_receive(c);
}

/* ---- a server with methods that do what the test says */

struct world {
	struct wb_rpc_server *server;
	grpc_channel *channel;
	sem_t entered, go, gone;
	atomic_uint sent, runs, inside, inside_max;
	char order[256];
};

static void sem_wait_long(sem_t *s)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += PATIENCE;
	assert_int_equal(sem_timedwait(s, &ts), 0);
}

static void pause_ms(long ms)
{
	struct timespec ts = {.tv_nsec = ms * 1000000};

	nanosleep(&ts, NULL);
}

static void wait_cancel(struct wb_server_call *call)
{
	for (int i = 0; i < PATIENCE * 1000 && !atomic_load(wb_server_call_cancel(call)); i++)
		pause_ms(1);
}

static void run_echo(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		     const ProtobufCMessage *m, void *arg)
{
	const Waybill__V1__ScanRequest *r = (const Waybill__V1__ScanRequest *)m;
	Waybill__V1__ScanReply reply = WAYBILL__V1__SCAN_REPLY__INIT;

	(void)arg;
	if (r->n_argv == 0) {
		wb_rpc_status_set(st, WB_RPC_INVALID_ARGUMENT, "no\nargv");
		return;
	}
	reply.local_reason = wb_arena_strndup(a, (const char *)r->argv[0].data, r->argv[0].len);
	wb_ignore(wb_server_call_send(call, &reply.base, NULL)); /* a client that is gone hears no status either */
}

/* One at a time as the test opens the gate; notes the order by the first letter of the request. */
static void run_gate(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		     const ProtobufCMessage *m, void *arg)
{
	struct world *w = arg;
	const Waybill__V1__ScanRequest *r = (const Waybill__V1__ScanRequest *)m;
	unsigned inside = atomic_fetch_add(&w->inside, 1) + 1, i = atomic_fetch_add(&w->runs, 1);

	if (inside > atomic_load(&w->inside_max))
		atomic_store(&w->inside_max, inside);
	w->order[i % sizeof w->order] = (char)r->argv[0].data[0];
	sem_post(&w->entered);
	while (sem_trywait(&w->go) != 0 && !atomic_load(wb_server_call_cancel(call)))
		pause_ms(1);
	atomic_fetch_sub(&w->inside, 1);
	run_echo(st, a, call, m, arg);
}

static void run_flood(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		      const ProtobufCMessage *m, void *arg)
{
	struct world *w = arg;
	struct wb_err err = WB_ERR_INIT;
	Waybill__V1__ScanReply reply = WAYBILL__V1__SCAN_REPLY__INIT;

	reply.local_reason = wb_arena_alloc(a, (1 << 20) + 1);
	memset(reply.local_reason, 'x', 1 << 20);
	unsigned n =
	    (unsigned)atoi(wb_arena_strndup(a, (const char *)((const Waybill__V1__ScanRequest *)m)->argv[0].data,
					    ((const Waybill__V1__ScanRequest *)m)->argv[0].len));
	for (unsigned i = 0; i < n; i++) {
		wb_status s = wb_server_call_send(call, &reply.base, &err);

		if (s.code == WB_ECANCELED) {
			wb_rpc_status_set(st, WB_RPC_CANCELLED, "%s", err.text);
			sem_post(&w->gone);
			return;
		}
		atomic_fetch_add(&w->sent, 1);
	}
}

static void run_wait(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		     const ProtobufCMessage *m, void *arg)
{
	struct world *w = arg;

	(void)a;
	(void)m;
	sem_post(&w->entered);
	wait_cancel(call);
	if (atomic_load(wb_server_call_cancel(call)))
		sem_post(&w->gone);
	wb_rpc_status_set(st, WB_RPC_CANCELLED, "cancelled");
}

/* How many requests, and how it ended. */
static void run_count(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		      const ProtobufCMessage *m, void *arg)
{
	struct world *w = arg;
	Waybill__V1__ScanReply reply = WAYBILL__V1__SCAN_REPLY__INIT;
	struct wb_err err = WB_ERR_INIT;
	ProtobufCMessage *next;
	unsigned n = 0;
	wb_status s;

	assert_null(m);
	sem_post(&w->entered);
	for (; wb_is_ok(s = wb_server_call_receive(&next, a, call, &err)); n++)
		;
	if (s.code != WB_ENOENT) {
		wb_rpc_status_set(st, s.code == WB_EPROTO ? WB_RPC_INVALID_ARGUMENT : WB_RPC_CANCELLED, "%s", err.text);
		sem_post(&w->gone);
		return;
	}
	reply.local_reason = wb_arena_printf(a, "%u", n);
	wb_ignore(wb_server_call_send(call, &reply.base, NULL));
}

static grpc_channel *connect_pair(struct wb_rpc_server *s, int *peer)
{
	struct wb_err err = WB_ERR_INIT;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	assert_ok(wb_rpc_server_add(s, fd[0], &err), &err);
	assert_int_equal(fcntl(fd[1], F_SETFL, O_NONBLOCK), 0);
	grpc_channel_credentials *creds = grpc_insecure_credentials_create();
	grpc_arg arg = {
	    .type = GRPC_ARG_INTEGER, .key = (char *)"grpc.max_receive_message_length", .value.integer = -1};
	grpc_channel_args args = {.num_args = 1, .args = &arg};
	grpc_channel *c = grpc_channel_create_from_fd("server", fd[1], creds, &args);
	grpc_channel_credentials_release(creds);
	if (peer)
		*peer = fd[1];
	return c;
}

static grpc_channel *connect_tcp(int port, const char *host, grpc_compression_algorithm compression)
{
	char target[64];
	grpc_arg arg = {.type = GRPC_ARG_INTEGER,
			.key = (char *)GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM,
			.value.integer = (int)compression};
	grpc_channel_args args = {.num_args = 1, .args = &arg};

	snprintf(target, sizeof target, "%s:%d", host, port);
	grpc_channel_credentials *creds = grpc_insecure_credentials_create();
	grpc_channel *c = grpc_channel_create(target, creds, &args);
	grpc_channel_credentials_release(creds);
	return c;
}

static struct world *world_new(struct wb_rpc_server_config config)
{
	struct world *w = calloc(1, sizeof *w);
	struct wb_err err = WB_ERR_INIT;

	assert_non_null(w);
	sem_init(&w->entered, 0, 0);
	sem_init(&w->go, 0, 0);
	sem_init(&w->gone, 0, 0);
	const ProtobufCMessageDescriptor *type = &waybill__v1__scan_request__descriptor;
	const struct wb_rpc_method method[] = {
	    {"/waybill.v1.Scanner/Scan", type, run_echo, w, false},
	    {"/t.T/Gate", type, run_gate, w, false},
	    {"/t.T/Flood", type, run_flood, w, false},
	    {"/t.T/Wait", type, run_wait, w, false},
	    {"/t.T/Count", type, run_count, w, true},
	};
	config.method = method;
	config.nmethod = sizeof method / sizeof method[0];
	config.descriptors = wb_proto_descriptors;
	config.descriptors_len = wb_proto_descriptors_len;
	assert_ok(wb_rpc_server_new(&w->server, &config, &err), &err);
	w->channel = connect_pair(w->server, NULL);
	return w;
}

static void world_free(struct world *w)
{
	grpc_channel_destroy(w->channel);
	wb_rpc_server_free(w->server);
	sem_destroy(&w->entered);
	sem_destroy(&w->go);
	sem_destroy(&w->gone);
	free(w);
}

/* Until so many calls wait their turn. */
static void await_waiting(struct world *w, unsigned n)
{
	unsigned waiting = 0;

	for (int i = 0; i < PATIENCE * 1000 && waiting != n; i++) {
		pthread_mutex_lock(&w->server->lock);
		waiting = w->server->waiting;
		pthread_mutex_unlock(&w->server->lock);
		pause_ms(1);
	}
	assert_int_equal(waiting, n);
}

static void await_idle(struct world *w)
{
	for (int i = 0; i < PATIENCE * 1000 && wb_rpc_server_busy(w->server) > 0; i++)
		pause_ms(1);
	assert_int_equal(wb_rpc_server_busy(w->server), 0);
}

static void expect_echo(grpc_channel *channel, const char *word)
{
	struct call c;
	char text[512];

	ask(&c, channel, "/waybill.v1.Scanner/Scan", &request(word)->base);
	Waybill__V1__ScanReply *r = finish_receive(&c, &waybill__v1__scan_reply__descriptor);
	int code = status(&c, text);
	if (code != WB_RPC_OK)
		fail_msg("%d %s", code, text);
	assert_non_null(r);
	assert_string_equal(r->local_reason, word);
	protobuf_c_message_free_unpacked(&r->base, NULL);
	close_call(&c);
}

/* ---- tests */

static void test_unary(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){0});
	Waybill__V1__ScanRequest none = WAYBILL__V1__SCAN_REQUEST__INIT;
	struct call c;
	char text[512];

	(void)state;
	int64_t before = wb_rpc_server_active_ns(w->server);
	expect_echo(w->channel, "one");
	expect_echo(w->channel, "two");
	await_idle(w);
	assert_true(wb_rpc_server_active_ns(w->server) > before);
	ask(&c, w->channel, "/waybill.v1.Scanner/Scan", &none.base);
	assert_null(finish_receive(&c, &waybill__v1__scan_reply__descriptor));
	assert_int_equal(status(&c, text), WB_RPC_INVALID_ARGUMENT);
	assert_string_equal(text, "no argv"); /* the handler's words, the newline replaced */
	close_call(&c);
	world_free(w);
}

static void test_refused_requests(void **state)
{
	static const struct {
		const char *what, *method, *data;
		size_t n;
		int code;
		const char *says;
	} row[] = {
	    {"unknown method", "/waybill.v1.Scanner/Nothing", "", 0, WB_RPC_UNIMPLEMENTED, "unknown"},
	    {"a method's name cut off", "/waybill.v1.Scanner/Sca", "", 0, WB_RPC_UNIMPLEMENTED, "unknown"},
	    {"malformed", "/waybill.v1.Scanner/Scan", "\x0a\xff\xff\xff\xff\x0f", 6, WB_RPC_INVALID_ARGUMENT,
	     "waybill.v1.ScanRequest"},
	    {"no message", "/waybill.v1.Scanner/Scan", NULL, 0, WB_RPC_INVALID_ARGUMENT, "without a request"},
	    {"malformed health", "/grpc.health.v1.Health/Check", "\x0a\xff", 2, WB_RPC_INVALID_ARGUMENT, "HealthCheck"},
	    {"malformed in a stream", "/t.T/Count", "\x0a\xff", 2, WB_RPC_INVALID_ARGUMENT, "waybill.v1.ScanRequest"},
	};
	struct world *w = world_new((struct wb_rpc_server_config){.receive_max = 1 << 20});
	char text[512], *big = calloc(1, 2 << 20);
	struct call c;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		open_call(&c, w->channel, row[i].method, 0);
		start_send(&c, row[i].data, row[i].n, true, true);
		int code = status(&c, text);
		if (code != row[i].code || !strstr(text, row[i].says))
			fail_msg("%s: %d %s", row[i].what, code, text);
		close_call(&c);
	}
	/* A tag that says "2 MiB of bytes follow", and they do. */
	assert_non_null(big);
	memcpy(big, "\x0a\xfb\xff\x7f", 4);
	open_call(&c, w->channel, "/waybill.v1.Scanner/Scan", 0);
	start_send(&c, big, 2 << 20, true, true);
	assert_int_equal(status(&c, text), WB_RPC_RESOURCE_EXHAUSTED);
	close_call(&c);
	free(big);
	expect_echo(w->channel, "still here");
	await_idle(w);
	world_free(w);
}

/* What unpacks to much more than it is on the wire is not unpacked. */
static void test_compressed(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.listen = "127.0.0.1:0"});
	grpc_channel *gzip = connect_tcp(wb_rpc_server_port(w->server), "127.0.0.1", GRPC_COMPRESS_GZIP);
	char text[512], *word = calloc(1, 1 << 20);
	struct call c;

	(void)state;
	assert_non_null(word);
	memset(word, 'a', (1 << 20) - 1);
	ask(&c, gzip, "/waybill.v1.Scanner/Scan", &request(word)->base);
	assert_null(finish_receive(&c, &waybill__v1__scan_reply__descriptor));
	assert_int_equal(status(&c, text), WB_RPC_UNIMPLEMENTED);
	close_call(&c);
	free(word);
	grpc_channel_destroy(gzip);
	world_free(w);
}

static void test_stream_and_flow_control(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){0});
	unsigned got = 0, before, now = 0;
	char text[512];
	struct call c;

	(void)state;
	ask(&c, w->channel, "/t.T/Flood", &request("100")->base);
	Waybill__V1__ScanReply *r = finish_receive(&c, &waybill__v1__scan_reply__descriptor);
	/* Nobody reads now: the handler must come to rest long before it is through. */
	do {
		before = now;
		pause_ms(100);
		now = atomic_load(&w->sent);
	} while (now != before);
	assert_true(now < 50);
	for (; r; r = receive(&c, &waybill__v1__scan_reply__descriptor)) {
		assert_int_equal(strlen(r->local_reason), 1 << 20);
		protobuf_c_message_free_unpacked(&r->base, NULL);
		got++;
	}
	assert_int_equal(got, 100);
	assert_int_equal(status(&c, text), WB_RPC_OK);
	close_call(&c);
	world_free(w);
}

static void test_stream_requests(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){0});
	char text[512];
	struct call c;

	(void)state;
	open_call(&c, w->channel, "/t.T/Count", 0);
	for (int i = 0; i < 7; i++) {
		send_message(&c, &request("x")->base, i == 0, i == 6);
		assert_true(await_tag(&c, TAG_SEND));
	}
	Waybill__V1__ScanReply *r = receive(&c, &waybill__v1__scan_reply__descriptor);
	assert_int_equal(status(&c, text), WB_RPC_OK);
	assert_string_equal(r->local_reason, "7");
	protobuf_c_message_free_unpacked(&r->base, NULL);
	close_call(&c);
	/* A client that breaks off in the middle is not one that came to its end. */
	open_call(&c, w->channel, "/t.T/Count", 0);
	send_message(&c, &request("x")->base, true, false);
	assert_true(await_tag(&c, TAG_SEND));
	sem_wait_long(&w->entered);
	sem_wait_long(&w->entered);
	close_call(&c);
	sem_wait_long(&w->gone);
	await_idle(w);
	world_free(w);
}

static void test_deadline(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 1});
	struct call c, waits;
	char text[512];

	(void)state;
	open_call(&c, w->channel, "/t.T/Wait", 300);
	send_message(&c, &request("x")->base, true, true);
	sem_wait_long(&w->entered);
	/* One that is still in the queue when its time is over never runs. */
	open_call(&waits, w->channel, "/t.T/Gate", 1);
	send_message(&waits, &request("x")->base, true, true);
	assert_int_equal(status(&c, text), WB_RPC_DEADLINE_EXCEEDED);
	assert_int_equal(status(&waits, text), WB_RPC_DEADLINE_EXCEEDED);
	sem_wait_long(&w->gone);
	close_call(&c);
	close_call(&waits);
	await_idle(w);
	assert_int_equal(atomic_load(&w->runs), 0);
	world_free(w);
}

static void test_client_vanishes(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){0});
	struct call c;
	int fd;

	(void)state;
	/* The call is cancelled while a handler computes, ... */
	ask(&c, w->channel, "/t.T/Wait", &request("x")->base);
	sem_wait_long(&w->entered);
	close_call(&c);
	sem_wait_long(&w->gone);
	/* ... while one sends and the client does not read, ... */
	ask(&c, w->channel, "/t.T/Flood", &request("1000")->base);
	protobuf_c_message_free_unpacked(finish_receive(&c, &waybill__v1__scan_reply__descriptor), NULL);
	close_call(&c);
	sem_wait_long(&w->gone);
	/* ... and the connection breaks. */
	grpc_channel *other = connect_pair(w->server, &fd);
	ask(&c, other, "/t.T/Flood", &request("1000")->base);
	protobuf_c_message_free_unpacked(finish_receive(&c, &waybill__v1__scan_reply__descriptor), NULL);
	assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
	sem_wait_long(&w->gone);
	close_call(&c);
	grpc_channel_destroy(other);
	await_idle(w);
	world_free(w);
}

static void test_client_stalls(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.stall_ns = 200000000});
	struct call c, silent;
	char text[512];

	(void)state;
	ask(&c, w->channel, "/t.T/Flood", &request("1000")->base); /* and never read */
	open_call(&silent, w->channel, "/t.T/Count", 0);
	start_send(&silent, NULL, 0, true, false); /* and never say more */
	sem_wait_long(&w->gone);
	sem_wait_long(&w->gone);
	assert_int_equal(status(&silent, text), WB_RPC_RESOURCE_EXHAUSTED);
	close_call(&silent);
	close_call(&c);
	await_idle(w);
	world_free(w);
}

static void test_too_many(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 1, .calls_max = 2});
	struct call c[2], refused;
	char text[512];

	(void)state;
	ask(&c[0], w->channel, "/t.T/Gate", &request("a")->base);
	sem_wait_long(&w->entered);
	ask(&c[1], w->channel, "/t.T/Gate", &request("b")->base);
	await_waiting(w, 1);
	ask(&refused, w->channel, "/waybill.v1.Scanner/Scan", &request("c")->base);
	assert_int_equal(status(&refused, text), WB_RPC_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(text, "too many calls"));
	assert_int_equal(wb_rpc_server_busy(w->server), 2);
	close_call(&refused);
	sem_post(&w->go);
	sem_post(&w->go);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(status(&c[i], text), WB_RPC_OK);
		close_call(&c[i]);
	}
	await_idle(w);
	expect_echo(w->channel, "room again");
	world_free(w);
}

static void test_fairness(void **state)
{
	enum { MANY = 50 };
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 1});
	grpc_channel *other = connect_pair(w->server, NULL);
	struct call c[MANY], one;
	char text[512];

	(void)state;
	for (int i = 0; i < MANY; i++)
		ask(&c[i], w->channel, "/t.T/Gate", &request("A")->base);
	await_waiting(w, MANY - 1);
	ask(&one, other, "/t.T/Gate", &request("B")->base);
	await_waiting(w, MANY);
	for (int i = 0; i <= MANY; i++)
		sem_post(&w->go);
	assert_int_equal(status(&one, text), WB_RPC_OK);
	close_call(&one);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(status(&c[i], text), WB_RPC_OK);
		close_call(&c[i]);
	}
	await_idle(w); /* orders what the handlers wrote, too */
	char *b = memchr(w->order, 'B', sizeof w->order);
	assert_non_null(b);
	assert_true(b - w->order <= 2);
	grpc_channel_destroy(other);
	world_free(w);
}

/* Long calls of one connection never have all the threads. */
static void test_one_thread_left(void **state)
{
	enum { MANY = 10 };
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 3});
	grpc_channel *other = connect_pair(w->server, NULL);
	struct call c[MANY];
	char text[512];

	(void)state;
	for (int i = 0; i < MANY; i++)
		ask(&c[i], w->channel, "/t.T/Gate", &request("A")->base);
	await_waiting(w, MANY - 2);
	expect_echo(other, "not stuck");
	for (int i = 0; i < MANY; i++)
		sem_post(&w->go);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(status(&c[i], text), WB_RPC_OK);
		close_call(&c[i]);
	}
	assert_int_equal(atomic_load(&w->inside_max), 2);
	grpc_channel_destroy(other);
	world_free(w);
}

static void test_burst(void **state)
{
	enum { MANY = 1000 };
	struct world *w = world_new((struct wb_rpc_server_config){0});
	struct call *c = calloc(MANY, sizeof *c);
	char text[512], word[16];

	(void)state;
	assert_non_null(c);
	for (int i = 0; i < MANY; i++) {
		snprintf(word, sizeof word, "%d", i);
		ask(&c[i], w->channel, "/waybill.v1.Scanner/Scan", &request(word)->base);
	}
	for (int i = 0; i < MANY; i++) {
		Waybill__V1__ScanReply *r = finish_receive(&c[i], &waybill__v1__scan_reply__descriptor);

		assert_int_equal(status(&c[i], text), WB_RPC_OK);
		assert_int_equal(atoi(r->local_reason), i);
		protobuf_c_message_free_unpacked(&r->base, NULL);
		close_call(&c[i]);
	}
	free(c);
	await_idle(w);
	world_free(w);
}

static void test_stop(void **state)
{
	enum { MANY = 12 };
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 4});
	struct call c[MANY], flood, half, watch;
	Grpc__Health__V1__HealthCheckRequest whole = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	grpc_channel *other = connect_pair(w->server, NULL), *third = connect_pair(w->server, NULL);
	struct wb_err err = WB_ERR_INIT;
	char text[512];
	int fd[2];

	(void)state;
	/* One that sends to a client that does not read, some that compute, some that wait, one whose request has not
	 * come yet, and a watcher. */
	ask(&flood, other, "/t.T/Flood", &request("1000")->base);
	protobuf_c_message_free_unpacked(finish_receive(&flood, &waybill__v1__scan_reply__descriptor), NULL);
	for (int i = 0; i < MANY; i++)
		ask(&c[i], w->channel, "/t.T/Wait", &request("x")->base);
	await_waiting(w, MANY - 3);
	open_call(&half, third, "/t.T/Gate", 0);
	start_send(&half, NULL, 0, true, false);
	ask(&watch, third, "/grpc.health.v1.Health/Watch", &whole.base);
	protobuf_c_message_free_unpacked(finish_receive(&watch, &grpc__health__v1__health_check_response__descriptor),
					 NULL);
	wb_rpc_server_stop(w->server, PATIENCE * 1000000000LL);
	assert_int_equal(wb_rpc_server_busy(w->server), 0);
	for (int i = 0; i < MANY; i++) {
		int code = status(&c[i], text);

		assert_true(code == WB_RPC_CANCELLED || code == WB_RPC_UNAVAILABLE);
		close_call(&c[i]);
	}
	assert_int_equal(status(&half, text), WB_RPC_UNAVAILABLE);
	assert_int_equal(status(&watch, text), WB_RPC_UNAVAILABLE);
	close_call(&half);
	close_call(&watch);
	close_call(&flood);
	/* A connection that comes now is closed. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	assert_code(wb_rpc_server_add(w->server, fd[0], &err), WB_EUNAVAILABLE);
	assert_int_equal(read(fd[1], text, 1), 0);
	close(fd[1]);
	grpc_channel_destroy(other);
	grpc_channel_destroy(third);
	world_free(w);
}

static void test_not_http2(void **state)
{
	static const char junk[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff and so on";
	struct world *w = world_new((struct wb_rpc_server_config){0});
	struct wb_err err = WB_ERR_INIT;
	char buffer[4096];
	ssize_t n;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	assert_int_equal(write(fd[1], junk, sizeof junk), sizeof junk);
	assert_ok(wb_rpc_server_add(w->server, fd[0], &err), &err);
	while ((n = read(fd[1], buffer, sizeof buffer)) > 0)
		; /* what the server says before it hangs up */
	close(fd[1]);
	expect_echo(w->channel, "still here");
	world_free(w);
}

static void test_listen(void **state)
{
	static const struct {
		const char *address;
		enum wb_code code;
	} row[] = {
	    {"0.0.0.0:0", WB_EINVAL},
	    {"[::]:0", WB_EINVAL},
	    {"192.168.1.1:80", WB_EINVAL},
	    {"example.org:80", WB_EINVAL},
	    {"127.0.0.1", WB_EINVAL},
	    {"127.0.0.1:", WB_EINVAL},
	    {":80", WB_EINVAL},
	    {"127.0.0.1:70000", WB_EINVAL},
	    {"127.0.0.1:-1", WB_EINVAL},
	    {"::1:80", WB_EINVAL},
	    {"[::ffff:1.2.3.4]:80", WB_EINVAL},
	    {"unix:/tmp/x", WB_EINVAL},
	    {"127.1:80", WB_EINVAL},
	    {"localhost.evil.org:1", WB_EINVAL},
	    {"*:1", WB_EINVAL},
	};
	struct wb_err err = WB_ERR_INIT;
	struct wb_rpc_server *s;
	char taken[64];

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct wb_rpc_server_config config = {.listen = row[i].address};
		wb_status st = wb_rpc_server_new(&s, &config, &err);

		if (st.code != row[i].code || !strstr(err.text, row[i].address))
			fail_msg("%s: %s (%s)", row[i].address, wb_code_name(st.code), err.text);
	}
	struct world *w = world_new((struct wb_rpc_server_config){.listen = "127.0.0.1:0"});
	int port = wb_rpc_server_port(w->server);
	assert_true(port > 0);
	grpc_channel *c = connect_tcp(port, "127.0.0.1", GRPC_COMPRESS_NONE);
	expect_echo(c, "over TCP");
	grpc_channel_destroy(c);
	snprintf(taken, sizeof taken, "127.0.0.1:%d", port);
	assert_code(wb_rpc_server_new(&s, &(struct wb_rpc_server_config){.listen = taken}, &err), WB_EBUSY);
	assert_says(&err, taken);
	world_free(w);
	w = world_new((struct wb_rpc_server_config){.listen = "localhost:0"});
	c = connect_tcp(wb_rpc_server_port(w->server), "127.0.0.1", GRPC_COMPRESS_NONE);
	expect_echo(c, "localhost");
	grpc_channel_destroy(c);
	world_free(w);
}

static void test_health(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 1});
	Grpc__Health__V1__HealthCheckRequest m = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	static const struct {
		const char *service;
		int check;  /* status of Check */
		int health; /* of Watch's first message */
	} row[] = {
	    {"", WB_RPC_OK, 1},
	    {"waybill.v1.Scanner", WB_RPC_OK, 1},
	    {"grpc.health.v1.Health", WB_RPC_OK, 1},
	    {"grpc.reflection.v1.ServerReflection", WB_RPC_OK, 1},
	    {"waybill.v1.Scan", WB_RPC_NOT_FOUND, 3},
	    {"build.bazel.remote.execution.v2.Execution", WB_RPC_NOT_FOUND, 3},
	};
	struct call c, watch[6];
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		m.service = (char *)(uintptr_t)row[i].service;
		ask(&c, w->channel, "/grpc.health.v1.Health/Check", &m.base);
		Grpc__Health__V1__HealthCheckResponse *r =
		    finish_receive(&c, &grpc__health__v1__health_check_response__descriptor);
		assert_int_equal(status(&c, text), row[i].check);
		assert_true((r != NULL) == (row[i].check == WB_RPC_OK));
		if (r) {
			assert_int_equal(r->status, 1);
			protobuf_c_message_free_unpacked(&r->base, NULL);
		}
		close_call(&c);
		ask(&watch[i], w->channel, "/grpc.health.v1.Health/Watch", &m.base);
		r = finish_receive(&watch[i], &grpc__health__v1__health_check_response__descriptor);
		assert_int_equal(r->status, row[i].health);
		protobuf_c_message_free_unpacked(&r->base, NULL);
	}
	/* Watchers hold no thread, and do not keep the daemon awake. */
	assert_int_equal(wb_rpc_server_busy(w->server), 0);
	expect_echo(w->channel, "not stuck");
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
		close_call(&watch[i]);
	world_free(w);
}

typedef Grpc__Reflection__V1__ServerReflectionRequest Reflect;

static void expect_reflection(struct call *c, bool first, bool last)
{
	Reflect m = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
	Grpc__Reflection__V1__ServerReflectionResponse *r;
	const ProtobufCMessageDescriptor *type = &grpc__reflection__v1__server_reflection_response__descriptor;
	unsigned found = 0;

	m.message_request_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
	m.list_services = (char *)"";
	send_message(c, &m.base, first, false);
	r = receive(c, type);
	assert_true(await_tag(c, TAG_SEND));
	for (size_t i = 0; i < r->list_services_response->n_service; i++) {
		const char *name = r->list_services_response->service[i]->name;

		found += strcmp(name, "waybill.v1.Scanner") == 0 || strcmp(name, "grpc.health.v1.Health") == 0 ||
			 strcmp(name, "grpc.reflection.v1alpha.ServerReflection") == 0;
		assert_null(strstr(name, "build.bazel")); /* described, not served */
	}
	assert_int_equal(found, 3);
	protobuf_c_message_free_unpacked(&r->base, NULL);

	static const struct {
		const char *symbol, *file;
	} row[] = {
	    {"waybill.v1.Scanner", "waybill.proto"},
	    {"waybill.v1.Scanner.ScanDatabase", "waybill.proto"},
	    {"waybill.v1.Input.Kind", "waybill.proto"},
	    {"waybill.v1.Input.SYMLINK", "waybill.proto"},
	    {"build.bazel.remote.execution.v2.Digest", "remote_execution.proto"},
	    {"grpc.health.v1.HealthCheckResponse.ServingStatus", "health.proto"},
	    {"google.protobuf.Duration", "google/protobuf/duration.proto"},
	    {"waybill.v1.Nothing", NULL},
	    {"", NULL},
	};
	m.message_request_case =
	    GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		m.file_containing_symbol = (char *)(uintptr_t)row[i].symbol;
		send_message(c, &m.base, false, last && i + 1 == sizeof row / sizeof row[0]);
		r = receive(c, type);
		assert_true(await_tag(c, TAG_SEND));
		assert_string_equal(r->original_request->file_containing_symbol, row[i].symbol);
		if (row[i].file) {
			const ProtobufCBinaryData *file = r->file_descriptor_response->file_descriptor_proto;
			size_t n = strlen(row[i].file);

			/* A FileDescriptorProto begins with its name: field 1, length, text. */
			assert_true(file->len > n + 2 && file->data[0] == 0x0a && file->data[1] == n);
			assert_memory_equal(file->data + 2, row[i].file, n);
			if (i == 0) /* with what it imports */
				assert_true(r->file_descriptor_response->n_file_descriptor_proto > 2);
		} else {
			assert_int_equal(r->error_response->error_code, WB_RPC_NOT_FOUND);
		}
		protobuf_c_message_free_unpacked(&r->base, NULL);
	}
}

static void test_reflection(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 1});
	struct call a, b;
	char text[512];

	(void)state;
	open_call(&a, w->channel, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", 0);
	expect_reflection(&a, true, false);
	/* The first stays open; it holds no thread. */
	open_call(&b, w->channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", 0);
	expect_reflection(&b, true, true);
	assert_null(receive(&b, &grpc__reflection__v1__server_reflection_response__descriptor));
	assert_int_equal(status(&b, text), WB_RPC_OK);
	expect_echo(w->channel, "not stuck");
	expect_reflection(&a, false, true);
	assert_int_equal(status(&a, text), WB_RPC_OK);
	close_call(&a);
	close_call(&b);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unary),
	    cmocka_unit_test(test_refused_requests),
	    cmocka_unit_test(test_compressed),
	    cmocka_unit_test(test_stream_and_flow_control),
	    cmocka_unit_test(test_stream_requests),
	    cmocka_unit_test(test_deadline),
	    cmocka_unit_test(test_client_vanishes),
	    cmocka_unit_test(test_client_stalls),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_fairness),
	    cmocka_unit_test(test_one_thread_left),
	    cmocka_unit_test(test_burst),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_not_http2),
	    cmocka_unit_test(test_listen),
	    cmocka_unit_test(test_health),
	    cmocka_unit_test(test_reflection),
	};

	grpc_init();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	grpc_shutdown();
	return failed;
}
