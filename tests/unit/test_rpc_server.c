/* The gRPC server, asked by gRPC's own client: calls, streams, clients that go away, stopping, listening. */
#define _GNU_SOURCE
#include "proto/health.pb-c.h"
#include "tests/unit/rpc_raw.h"
#include "tests/unit/rpc_world.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_unary(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){0});
	Waybill__V1__ScanRequest none = WAYBILL__V1__SCAN_REQUEST__INIT;
	struct raw_call c;
	char text[512];

	(void)state;
	int64_t before = wb_rpc_server_active_ns(w->server);
	world_expect_echo(w->channel, "one");
	world_expect_echo(w->channel, "two");
	world_await_idle(w);
	assert_true(wb_rpc_server_active_ns(w->server) > before);
	raw_ask(&c, w->channel, "/waybill.v1.Scanner/Scan", &none.base);
	assert_null(raw_finish_receive(&c, &waybill__v1__scan_reply__descriptor));
	assert_int_equal(raw_status(&c, text), WB_RPC_INVALID_ARGUMENT);
	assert_string_equal(text, "no argv"); /* the handler's words, the newline replaced */
	raw_close(&c);
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
	struct raw_call c;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		raw_open(&c, w->channel, row[i].method, 0);
		raw_start_send(&c, row[i].data, row[i].n, true, true);
		int code = raw_status(&c, text);
		if (code != row[i].code || !strstr(text, row[i].says))
			fail_msg("%s: %d %s", row[i].what, code, text);
		raw_close(&c);
	}
	/* A tag that says "2 MiB of bytes follow", and they do. */
	assert_non_null(big);
	memcpy(big, "\x0a\xfb\xff\x7f", 4);
	raw_open(&c, w->channel, "/waybill.v1.Scanner/Scan", 0);
	raw_start_send(&c, big, 2 << 20, true, true);
	assert_int_equal(raw_status(&c, text), WB_RPC_RESOURCE_EXHAUSTED);
	raw_close(&c);
	free(big);
	world_expect_echo(w->channel, "still here");
	world_await_idle(w);
	world_free(w);
}

/* What unpacks to much more than it is on the wire is not unpacked. */
static void test_compressed(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.listen = "127.0.0.1:0"});
	grpc_channel *gzip = world_connect_tcp(wb_rpc_server_port(w->server), "127.0.0.1", GRPC_COMPRESS_GZIP);
	char text[512], *word = calloc(1, 1 << 20);
	struct raw_call c;

	(void)state;
	assert_non_null(word);
	memset(word, 'a', (1 << 20) - 1);
	raw_ask(&c, gzip, "/waybill.v1.Scanner/Scan", &world_request(word)->base);
	assert_null(raw_finish_receive(&c, &waybill__v1__scan_reply__descriptor));
	assert_int_equal(raw_status(&c, text), WB_RPC_UNIMPLEMENTED);
	raw_close(&c);
	free(word);
	grpc_channel_destroy(gzip);
	world_free(w);
}

static void test_stream_and_flow_control(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){0});
	unsigned got = 0, before, now = 0;
	char text[512];
	struct raw_call c;

	(void)state;
	raw_ask(&c, w->channel, "/t.T/Flood", &world_request("100")->base);
	Waybill__V1__ScanReply *r = raw_finish_receive(&c, &waybill__v1__scan_reply__descriptor);
	/* Nobody reads now: the handler must come to rest long before it is through. */
	do {
		before = now;
		world_pause_ms(100);
		now = atomic_load(&w->sent);
	} while (now != before);
	assert_true(now < 50);
	for (; r; r = raw_receive(&c, &waybill__v1__scan_reply__descriptor)) {
		assert_int_equal(strlen(r->local_reason), 1 << 20);
		protobuf_c_message_free_unpacked(&r->base, NULL);
		got++;
	}
	assert_int_equal(got, 100);
	assert_int_equal(raw_status(&c, text), WB_RPC_OK);
	raw_close(&c);
	world_free(w);
}

static void test_stream_requests(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){0});
	char text[512];
	struct raw_call c;

	(void)state;
	raw_open(&c, w->channel, "/t.T/Count", 0);
	for (int i = 0; i < 7; i++) {
		raw_send(&c, &world_request("x")->base, i == 0, i == 6);
		assert_true(raw_await(&c, RAW_SEND));
	}
	Waybill__V1__ScanReply *r = raw_receive(&c, &waybill__v1__scan_reply__descriptor);
	assert_int_equal(raw_status(&c, text), WB_RPC_OK);
	assert_string_equal(r->local_reason, "7");
	protobuf_c_message_free_unpacked(&r->base, NULL);
	raw_close(&c);
	/* A client that breaks off in the middle is not one that came to its end. */
	raw_open(&c, w->channel, "/t.T/Count", 0);
	raw_send(&c, &world_request("x")->base, true, false);
	assert_true(raw_await(&c, RAW_SEND));
	world_sem_wait(&w->entered);
	world_sem_wait(&w->entered);
	raw_close(&c);
	world_sem_wait(&w->gone);
	world_await_idle(w);
	world_free(w);
}

static void test_deadline(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 1});
	struct raw_call c, waits;
	char text[512];

	(void)state;
	raw_open(&c, w->channel, "/t.T/Wait", 300);
	raw_send(&c, &world_request("x")->base, true, true);
	world_sem_wait(&w->entered);
	/* One that is still in the queue when its time is over never runs. */
	raw_open(&waits, w->channel, "/t.T/Gate", 1);
	raw_send(&waits, &world_request("x")->base, true, true);
	assert_int_equal(raw_status(&c, text), WB_RPC_DEADLINE_EXCEEDED);
	assert_int_equal(raw_status(&waits, text), WB_RPC_DEADLINE_EXCEEDED);
	world_sem_wait(&w->gone);
	raw_close(&c);
	raw_close(&waits);
	world_await_idle(w);
	assert_int_equal(atomic_load(&w->runs), 0);
	world_free(w);
}

static void test_client_vanishes(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){0});
	struct raw_call c;
	int fd;

	(void)state;
	/* The call is cancelled while a handler computes, ... */
	raw_ask(&c, w->channel, "/t.T/Wait", &world_request("x")->base);
	world_sem_wait(&w->entered);
	raw_close(&c);
	world_sem_wait(&w->gone);
	/* ... while one sends and the client does not read, ... */
	raw_ask(&c, w->channel, "/t.T/Flood", &world_request("1000")->base);
	protobuf_c_message_free_unpacked(raw_finish_receive(&c, &waybill__v1__scan_reply__descriptor), NULL);
	raw_close(&c);
	world_sem_wait(&w->gone);
	/* ... and the connection breaks. */
	grpc_channel *other = world_connect(w->server, &fd);
	raw_ask(&c, other, "/t.T/Flood", &world_request("1000")->base);
	protobuf_c_message_free_unpacked(raw_finish_receive(&c, &waybill__v1__scan_reply__descriptor), NULL);
	assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
	world_sem_wait(&w->gone);
	raw_close(&c);
	grpc_channel_destroy(other);
	world_await_idle(w);
	world_free(w);
}

static void test_client_stalls(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.stall_ns = 200000000});
	struct raw_call c, silent;
	char text[512];

	(void)state;
	raw_ask(&c, w->channel, "/t.T/Flood", &world_request("1000")->base); /* and never read */
	raw_open(&silent, w->channel, "/t.T/Count", 0);
	raw_start_send(&silent, NULL, 0, true, false); /* and never say more */
	world_sem_wait(&w->gone);
	world_sem_wait(&w->gone);
	assert_int_equal(raw_status(&silent, text), WB_RPC_RESOURCE_EXHAUSTED);
	raw_close(&silent);
	raw_close(&c);
	world_await_idle(w);
	world_free(w);
}

static void test_stop(void **state)
{
	enum { MANY = 12 };
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 4});
	struct raw_call c[MANY], flood, half, watch;
	Grpc__Health__V1__HealthCheckRequest whole = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	grpc_channel *other = world_connect(w->server, NULL), *third = world_connect(w->server, NULL);
	struct wb_err err = WB_ERR_INIT;
	char text[512];
	int fd[2];

	(void)state;
	/* One that sends to a client that does not read, some that compute, some that wait, one whose request has not
	 * come yet, and a watcher. */
	raw_ask(&flood, other, "/t.T/Flood", &world_request("1000")->base);
	protobuf_c_message_free_unpacked(raw_finish_receive(&flood, &waybill__v1__scan_reply__descriptor), NULL);
	for (int i = 0; i < MANY; i++)
		raw_ask(&c[i], w->channel, "/t.T/Wait", &world_request("x")->base);
	world_await_waiting(w, MANY - 3);
	raw_open(&half, third, "/t.T/Gate", 0);
	raw_start_send(&half, NULL, 0, true, false);
	raw_ask(&watch, third, "/grpc.health.v1.Health/Watch", &whole.base);
	protobuf_c_message_free_unpacked(
	    raw_finish_receive(&watch, &grpc__health__v1__health_check_response__descriptor), NULL);
	wb_rpc_server_stop(w->server, RPC_PATIENCE * 1000000000LL);
	assert_int_equal(wb_rpc_server_busy(w->server), 0);
	for (int i = 0; i < MANY; i++) {
		int code = raw_status(&c[i], text);

		assert_true(code == WB_RPC_CANCELLED || code == WB_RPC_UNAVAILABLE);
		raw_close(&c[i]);
	}
	assert_int_equal(raw_status(&half, text), WB_RPC_UNAVAILABLE);
	assert_int_equal(raw_status(&watch, text), WB_RPC_UNAVAILABLE);
	raw_close(&half);
	raw_close(&watch);
	raw_close(&flood);
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
	world_expect_echo(w->channel, "still here");
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
	grpc_channel *c = world_connect_tcp(port, "127.0.0.1", GRPC_COMPRESS_NONE);
	world_expect_echo(c, "over TCP");
	grpc_channel_destroy(c);
	snprintf(taken, sizeof taken, "127.0.0.1:%d", port);
	assert_code(wb_rpc_server_new(&s, &(struct wb_rpc_server_config){.listen = taken}, &err), WB_EBUSY);
	assert_says(&err, taken);
	world_free(w);
	w = world_new((struct wb_rpc_server_config){.listen = "localhost:0"});
	c = world_connect_tcp(wb_rpc_server_port(w->server), "127.0.0.1", GRPC_COMPRESS_NONE);
	world_expect_echo(c, "localhost");
	grpc_channel_destroy(c);
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
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_not_http2),
	    cmocka_unit_test(test_listen),
	};

	grpc_init();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	grpc_shutdown();
	return failed;
}
