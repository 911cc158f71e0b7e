/* One unix socket, two protocols: the daemon takes frames and gRPC side by side, and ends when it should. */
#define _GNU_SOURCE
#include "base/config.h"
#include "proto/waybill.pb-c.h"
#include "proto/wire.pb-c.h"
#include "rpc/call.h"
#include "service/daemon.h"
#include "service/service.h"
#include "tests/unit/tempdir.h"
#include "wire/frame.h"
#include "wire/socket.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

struct fixture {
	struct tempdir t;
	struct wb_config config;
	struct wb_service service;
	struct wb_daemon *daemon;
	struct wb_rpc *rpc;
	pthread_t thread;
	const char *socket;
};

static void *serve(void *arg)
{
	struct fixture *f = arg;

	wb_daemon_serve(f->daemon);
	return NULL;
}

static void start(struct fixture *f, const char *const *setting)
{
	const char *env[] = {NULL, NULL};
	struct wb_err err = WB_ERR_INIT;
	int fd;

	memset(f, 0, sizeof *f);
	tempdir_init(&f->t);
	env[0] = wb_arena_printf(&f->t.a, "HOME=%s", f->t.path);
	assert_ok(wb_config_load(&f->config, &f->t.a, env, &err), &err);
	for (; setting[0]; setting += 2)
		assert_ok(wb_config_set(&f->config, &f->t.a, setting[0], setting[1], "test", &err), &err);
	f->socket = tempdir_path(&f->t, "socket");
	assert_ok(wb_service_init(&f->service, &f->config, &err), &err);
	assert_ok(wb_socket_listen(&fd, f->socket, &err), &err);
	assert_ok(wb_daemon_new(&f->daemon, &f->service, fd, &err), &err);
	assert_ok(wb_rpc_new(&f->rpc, &err), &err);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

/* The daemon has ended by itself or was told to. */
static void finish(struct fixture *f)
{
	pthread_join(f->thread, NULL);
	wb_daemon_free(f->daemon);
	wb_service_release(&f->service);
	tempdir_release(&f->t);
}

/* One verb over `fd`; its output in `a`. */
static const char *verb(struct wb_arena *a, int fd, const char *name)
{
	Waybill__Wire__VerbRequest m = WAYBILL__WIRE__VERB_REQUEST__INIT;
	struct wb_err err = WB_ERR_INIT;
	struct wb_frame f;

	m.verb = (char *)(uintptr_t)name;
	m.cwd = (ProtobufCBinaryData){.len = 1, .data = (uint8_t *)(uintptr_t)"/"};
	assert_ok(wb_frame_send(fd, WB_FRAME_VERB_REQUEST, &m.base, &err), &err);
	do
		assert_ok(wb_frame_receive(&f, a, fd, WB_FRAME_MAX, 30000, &err), &err);
	while (f.type == WB_FRAME_ALIVE);
	assert_int_equal(f.type, WB_FRAME_VERB_OUTPUT);
	const Waybill__Wire__VerbOutput *o = wb_frame_decode(&waybill__wire__verb_output__descriptor, a, f.data, f.len);
	assert_non_null(o);
	return wb_arena_strndup(a, (const char *)o->stdout.data, o->stdout.len);
}

static int dial(const struct fixture *f)
{
	struct wb_err err = WB_ERR_INIT;
	int fd;

	assert_ok(wb_socket_connect(&fd, f->socket, &err), &err);
	return fd;
}

static struct wb_channel *channel(const struct fixture *f, const char *target)
{
	struct wb_channel_config c = {.tool = "test"};
	struct wb_err err = WB_ERR_INIT;
	struct wb_channel *out;
	struct wb_arena a;

	wb_arena_init(&a);
	assert_ok(wb_endpoint_parse(&c.endpoint, &a, target, &err), &err);
	assert_ok(wb_channel_new(&out, f->rpc, &c, &err), &err);
	wb_arena_release(&a);
	return out;
}

static void expect_stats(struct wb_channel *c)
{
	Waybill__V1__StatsRequest m = WAYBILL__V1__STATS_REQUEST__INIT;
	struct wb_call_options o = {.timeout_ns = 30 * 1000000000LL};
	struct wb_err err = WB_ERR_INIT;
	struct wb_rpc_status st;
	ProtobufCMessage *reply;
	struct wb_arena a;

	wb_arena_init(&a);
	assert_ok(wb_call_unary(&reply, &a, c, "/waybill.v1.Scanner/Stats", &m.base,
				&waybill__v1__stats_reply__descriptor, &o, &st, &err),
		  &err);
	assert_true(((Waybill__V1__StatsReply *)reply)->n_counters > 5);
	wb_arena_release(&a);
}

static void test_both(void **state)
{
	static const char *const setting[] = {"listen", "127.0.0.1:0", "sandbox", "none", NULL};
	struct fixture f;
	struct wb_arena a;
	char byte;

	(void)state;
	start(&f, setting);
	wb_arena_init(&a);
	struct wb_channel *c = channel(&f, wb_arena_printf(&a, "unix:%s", f.socket));
	int fd = dial(&f);

	expect_stats(c);
	const char *status = verb(&a, fd, "status");
	/* (The call may count for a moment after its reply has arrived.) */
	const char *line = strstr(status, " calls, listening on 127.0.0.1:");
	assert_non_null(line);
	assert_non_null(strstr(status, "\ngrpc  "));
	expect_stats(c);

	const char *port = strrchr(wb_arena_strndup(&a, line, strcspn(line, "\n")), ':');
	struct wb_channel *tcp = channel(&f, wb_arena_printf(&a, "grpc://127.0.0.1%s", port));
	expect_stats(tcp);

	/* Begins like neither: let go at once. */
	int odd = dial(&f);
	assert_int_equal(send(odd, "PRx", 3, MSG_NOSIGNAL), 3);
	assert_int_equal(send(odd, "123456789", 9, MSG_NOSIGNAL), 9);
	assert_int_equal(recv(odd, &byte, 1, 0), 0);
	close(odd);
	/* The first bytes come one by one; what answers is HTTP/2: a SETTINGS frame (type 4). */
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	uint8_t head[9];
	odd = dial(&f);
	for (size_t i = 0; i < sizeof preface - 1; i++)
		assert_int_equal(send(odd, &preface[i], 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(odd, head, sizeof head, MSG_WAITALL), sizeof head);
	assert_int_equal(head[3], 4);
	close(odd);

	verb(&a, fd, "stop");
	close(fd);
	wb_channel_free(tcp);
	wb_channel_free(c);
	finish(&f);
	wb_rpc_free(f.rpc);
	wb_arena_release(&a);
}

/* Calls over gRPC keep the daemon from ending as idle, connections without calls do not. */
static void test_idle(void **state)
{
	static const char *const setting[] = {"idle_timeout", "1", "sandbox", "none", NULL};
	struct timespec ts = {.tv_nsec = 300000000};
	struct fixture f;
	struct wb_arena a;

	(void)state;
	start(&f, setting);
	wb_arena_init(&a);
	struct wb_channel *c = channel(&f, wb_arena_printf(&a, "unix:%s", f.socket));
	for (int i = 0; i < 8; i++) { /* over twice the time: it would be gone */
		expect_stats(c);
		nanosleep(&ts, NULL);
	}
	finish(&f); /* nobody told it to stop, and the connection is still there */
	wb_channel_free(c);
	wb_rpc_free(f.rpc);
	wb_arena_release(&a);
}

/* Another program has the port: compiles must go on, and gRPC on the unix socket. What is no loopback address is the
 * user's mistake. */
static void test_listen(void **state)
{
	static const char *const first[] = {"listen", "127.0.0.1:0", "sandbox", "none", NULL};
	static const char *const wrong[] = {"listen", "0.0.0.0:0", "sandbox", "none", NULL};
	const char *taken[] = {"listen", NULL, "sandbox", "none", NULL};
	struct wb_err err = WB_ERR_INIT;
	struct fixture f, g;
	struct wb_daemon *d;
	struct wb_arena a;

	(void)state;
	wb_arena_init(&a);
	start(&f, first);
	int fd = dial(&f);
	const char *status = verb(&a, fd, "status"), *at = strstr(status, "listening on ");
	assert_non_null(at);
	at += strlen("listening on ");
	taken[1] = wb_arena_strndup(&a, at, strcspn(at, "\n"));
	start(&g, taken);
	int other = dial(&g);
	assert_non_null(strstr(verb(&a, other, "status"), "grpc         0 calls, on the unix socket only"));
	struct wb_channel *c = channel(&g, wb_arena_printf(&a, "unix:%s", g.socket));
	expect_stats(c);
	wb_channel_free(c);
	assert_ok(wb_config_set(&g.service.config, &g.t.a, wrong[0], wrong[1], "test", &err), &err);
	assert_code(wb_daemon_new(&d, &g.service, -1, &err), WB_EINVAL);
	assert_says(&err, "WAYBILL_LISTEN");
	verb(&a, fd, "stop");
	wb_daemon_stop(g.daemon);
	close(fd);
	close(other);
	finish(&f);
	finish(&g);
	wb_rpc_free(f.rpc);
	wb_rpc_free(g.rpc);
	wb_arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_listen),
	};
	sigset_t set;

	/* As main() of the daemon does. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
