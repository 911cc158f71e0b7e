#define _GNU_SOURCE
#include "tests/unit/rpc_world.h"

#include "proto/descriptors.h"
#include "rpc/server_impl.h" /* how many calls wait */
#include "tests/unit/rpc_raw.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

Waybill__V1__ScanRequest *world_request(const char *word)
{
	static ProtobufCBinaryData argv;
	static Waybill__V1__ScanRequest r;

	waybill__v1__scan_request__init(&r);
	argv = (ProtobufCBinaryData){.len = strlen(word), .data = (uint8_t *)(uintptr_t)word};
	r.n_argv = 1;
	r.argv = &argv;
	return &r;
}

void world_sem_wait(sem_t *s)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += RPC_PATIENCE;
	assert_int_equal(sem_timedwait(s, &ts), 0);
}

void world_pause_ms(long ms)
{
	struct timespec ts = {.tv_nsec = ms * 1000000};

	nanosleep(&ts, NULL);
}

static void wait_cancel(struct wb_server_call *call)
{
	for (int i = 0; i < RPC_PATIENCE * 1000 && !atomic_load(wb_server_call_cancel(call)); i++)
		world_pause_ms(1);
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
		world_pause_ms(1);
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

grpc_channel *world_connect(struct wb_rpc_server *s, int *peer)
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

grpc_channel *world_connect_tcp(int port, const char *host, grpc_compression_algorithm compression)
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

struct world *world_new(struct wb_rpc_server_config config)
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
	w->channel = world_connect(w->server, NULL);
	return w;
}

void world_free(struct world *w)
{
	grpc_channel_destroy(w->channel);
	wb_rpc_server_free(w->server);
	sem_destroy(&w->entered);
	sem_destroy(&w->go);
	sem_destroy(&w->gone);
	free(w);
}

void world_await_waiting(struct world *w, unsigned n)
{
	unsigned waiting = 0;

	for (int i = 0; i < RPC_PATIENCE * 1000 && waiting != n; i++) {
		pthread_mutex_lock(&w->server->lock);
		waiting = w->server->waiting;
		pthread_mutex_unlock(&w->server->lock);
		world_pause_ms(1);
	}
	assert_int_equal(waiting, n);
}

void world_await_idle(struct world *w)
{
	for (int i = 0; i < RPC_PATIENCE * 1000 && wb_rpc_server_busy(w->server) > 0; i++)
		world_pause_ms(1);
	assert_int_equal(wb_rpc_server_busy(w->server), 0);
}

void world_expect_echo(grpc_channel *channel, const char *word)
{
	struct raw_call c;
	char text[512];

	raw_ask(&c, channel, "/waybill.v1.Scanner/Scan", &world_request(word)->base);
	Waybill__V1__ScanReply *r = raw_finish_receive(&c, &waybill__v1__scan_reply__descriptor);
	int code = raw_status(&c, text);
	if (code != WB_RPC_OK)
		fail_msg("%d %s", code, text);
	assert_non_null(r);
	assert_string_equal(r->local_reason, word);
	protobuf_c_message_free_unpacked(&r->base, NULL);
	raw_close(&c);
}
