/* The client half of rpc/: calls to a real gRPC server (rpc_peer.h), and to one that is not there. */
#define _GNU_SOURCE
#include "base/clock.h"
#include "base/str.h"
#include "rpc/call.h"
#include "rpc/retry.h"
#include "rpc_status.pb-c.h"
#include "tests/unit/rpc_details.h"
#include "tests/unit/rpc_peer.h"
#include "tests/unit/unit.h"
#include "wire/message.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND 1000000000LL

/* Calls. */

struct fixture {
	struct wb_arena a;
	struct rpc_peer *peer;
	struct wb_rpc *rpc;
	struct wb_channel *channel;
	char *name; /* of the peer */
};

static struct wb_channel *connect_to(struct fixture *f, const char *text)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_channel_config config = {.tool = "waybill-test/1"};
	struct wb_channel *c;
	assert_ok(wb_endpoint_parse(&config.endpoint, &f->a, text, &err), &err);
	assert_ok(wb_channel_new(&c, f->rpc, &config, &err), &err);
	return c;
}

static int setup(void **state)
{
	struct fixture *f = wb_xcalloc(1, sizeof *f);
	struct wb_err err = WB_ERR_INIT;
	wb_arena_init(&f->a);
	f->peer = rpc_peer_new(0, NULL);
	assert_non_null(f->peer);
	assert_ok(wb_rpc_new(&f->rpc, &err), &err);
	f->name = wb_arena_printf(&f->a, "grpc://127.0.0.1:%d", rpc_peer_port(f->peer));
	f->channel = connect_to(f, f->name);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	wb_channel_free(f->channel);
	wb_rpc_free(f->rpc);
	rpc_peer_free(f->peer);
	wb_arena_release(&f->a);
	free(f);
	return 0;
}

struct answer {
	const Google__Rpc__Status *reply;
	struct wb_rpc_status st;
	struct wb_err err;
};

static wb_status ask(struct answer *out, struct wb_arena *a, struct wb_channel *c, const char *method, int code,
		     const char *text, const struct wb_call_options *o)
{
	Google__Rpc__Status m = GOOGLE__RPC__STATUS__INIT;
	m.code = code;
	m.message = wb_arena_strdup(a, text);
	ProtobufCMessage *reply = NULL;
	*out = (struct answer){.err = WB_ERR_INIT};
	wb_status s =
	    wb_call_unary(&reply, a, c, method, &m.base, &google__rpc__status__descriptor, o, &out->st, &out->err);
	out->reply = (const Google__Rpc__Status *)reply;
	return s;
}

static const struct wb_call_options in_time = {.timeout_ns = 60 * SECOND};

static void test_unary(void **state)
{
	struct fixture *f = *state;
	struct answer r;
	assert_ok(ask(&r, &f->a, f->channel, "/test/Echo", 7, "seven", &in_time), &r.err);
	assert_int_equal(r.reply->code, 7);
	assert_string_equal(r.reply->message, "seven");
	assert_int_equal(r.st.code, WB_RPC_OK);

	size_t n = 3 << 20; /* comes in many pieces */
	char *large = wb_arena_alloc(&f->a, n + 1);
	memset(large, 'x', n);
	assert_ok(ask(&r, &f->a, f->channel, "/test/Echo", 1, large, &in_time), &r.err);
	assert_string_equal(r.reply->message, large);

	struct wb_call_options o = in_time;
	o.header = "test-bin";
	o.header_value = "\0\xff\n";
	o.header_len = 3;
	assert_ok(ask(&r, &f->a, f->channel, "/test/Headers", 0, "", &o), &r.err);
	assert_true(wb_starts_with(r.reply->message, "|waybill-test/1 "));
	assert_true(wb_ends_with(r.reply->message, "|00ff0a"));
	o.header = "Not A Header";
	assert_code(ask(&r, &f->a, f->channel, "/test/Echo", 0, "", &o), WB_EINVAL);
}

static void test_unary_fails(void **state)
{
	struct fixture *f = *state;
	struct answer r;
	assert_code(ask(&r, &f->a, f->channel, "/test/NoSuch", 0, "", &in_time), WB_EREFUSED);
	assert_int_equal(r.st.code, WB_RPC_UNIMPLEMENTED);
	assert_says(&r.err, "/test/NoSuch");
	assert_says(&r.err, f->name);

	/* The peer sends back what it got as details. */
	size_t n;
	char *data = rpc_details(&n, &f->a, "MISSING");
	ProtobufCMessage *m, *reply;
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_message_decode(&m, &f->a, &google__rpc__status__descriptor, data, n, wb_message_memory(n), &err),
		  &err);
	assert_code(wb_call_unary(&reply, &f->a, f->channel, "/test/Fail", m, &google__rpc__status__descriptor,
				  &in_time, &r.st, &err),
		    WB_EREFUSED);
	assert_null(reply);
	assert_int_equal(r.st.code, WB_RPC_FAILED_PRECONDITION);
	assert_string_equal(r.st.message, "no?[31m such blob");
	assert_true(r.st.missing);
	assert_int_equal(r.st.retry_delay_ns, 3 * SECOND / 2);

	assert_code(ask(&r, &f->a, f->channel, "/test/Garbage", 0, "", &in_time), WB_EPROTO);
	assert_code(ask(&r, &f->a, f->channel, "/test/Nothing", 0, "", &in_time), WB_EPROTO);
	assert_code(ask(&r, &f->a, f->channel, "/test/Large", 0, "", &in_time), WB_EUNAVAILABLE);
	assert_int_equal(r.st.code, WB_RPC_RESOURCE_EXHAUSTED); /* 5 MiB, 4 are allowed */
	assert_null(r.reply);

	struct wb_call_options o = {.timeout_ns = SECOND / 20};
	assert_code(ask(&r, &f->a, f->channel, "/test/Slow", 0, "", &o), WB_EUNAVAILABLE);
	assert_int_equal(r.st.code, WB_RPC_DEADLINE_EXCEEDED);
	assert_says(&r.err, "0.05 s");
	o.timeout_ns = 0;
	assert_code(ask(&r, &f->a, f->channel, "/test/Echo", 0, "", &o), WB_EINVAL);

	/* After all this the connection is as good as new. */
	assert_ok(ask(&r, &f->a, f->channel, "/test/Echo", 7, "", &in_time), &r.err);
}

static void *cancel_when_running(void *arg)
{
	struct {
		struct rpc_peer *peer;
		atomic_bool cancel;
	} *c = arg;
	while (rpc_peer_slow_running(c->peer) == 0)
		sched_yield();
	atomic_store(&c->cancel, true);
	return NULL;
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	struct answer r;
	struct {
		struct rpc_peer *peer;
		atomic_bool cancel;
	} c = {.peer = f->peer};
	struct wb_call_options o = {.timeout_ns = 600 * SECOND, .cancel = &c.cancel};
	pthread_t t;
	assert_int_equal(pthread_create(&t, NULL, cancel_when_running, &c), 0);
	assert_code(ask(&r, &f->a, f->channel, "/test/Slow", 0, "", &o), WB_ECANCELED);
	assert_int_equal(r.st.code, WB_RPC_CANCELLED);
	pthread_join(t, NULL);
	/* Raised before: the call is not made. */
	assert_code(ask(&r, &f->a, f->channel, "/test/Echo", 0, "", &o), WB_ECANCELED);
	assert_int_equal(r.st.code, WB_RPC_CANCELLED);
	struct wb_err err = WB_ERR_INIT;
	struct wb_call *call;
	assert_code(wb_call_open(&call, f->channel, "/test/Up", &o, &err), WB_ECANCELED);
	assert_null(call);
}

enum { THREADS = 64, CALLS = 25 };

static void *ask_often(void *arg)
{
	struct fixture *f = arg;
	static const atomic_bool never = false;
	struct wb_call_options o = {.timeout_ns = 100 * SECOND, .cancel = &never};
	intptr_t good = 0;
	struct wb_arena a;
	wb_arena_init(&a);
	for (int i = 0; i < CALLS; i++) {
		struct answer r;
		if (wb_is_ok(ask(&r, &a, f->channel, "/test/Echo", i, "many", &o)) && r.reply->code == i)
			good++;
	}
	wb_arena_release(&a);
	return (void *)good;
}

static void test_many(void **state)
{
	struct fixture *f = *state;
	pthread_t t[THREADS];
	intptr_t good = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, ask_often, f), 0);
	for (int i = 0; i < THREADS; i++) {
		void *n;
		pthread_join(t[i], &n);
		good += (intptr_t)n;
	}
	assert_int_equal(good, THREADS * CALLS);
}

/* Streams. */

static struct wb_call *open_call(struct fixture *f, const char *method)
{
	struct wb_call *call;
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_call_open(&call, f->channel, method, &in_time, &err), &err);
	return call;
}

static wb_status send_code(struct wb_call *call, int code, struct wb_err *err)
{
	Google__Rpc__Status m = GOOGLE__RPC__STATUS__INIT;
	m.code = code;
	return wb_call_send(call, &m.base, err);
}

static int receive_code(struct fixture *f, struct wb_call *call)
{
	ProtobufCMessage *m;
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_call_receive(&m, &f->a, call, &google__rpc__status__descriptor, &err), &err);
	return ((Google__Rpc__Status *)m)->code;
}

static void test_streams(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_rpc_status st;
	ProtobufCMessage *m;
	struct wb_call *call = open_call(f, "/test/Up");
	for (int i = 0; i < 20; i++)
		assert_ok(send_code(call, i, &err), &err);
	assert_ok(wb_call_send_end(call, &err), &err);
	assert_int_equal(receive_code(f, call), 20);
	assert_ok(wb_call_finish(call, &st, &err), &err);
	wb_call_free(call);

	call = open_call(f, "/test/Down");
	assert_ok(send_code(call, 30, &err), &err);
	assert_ok(wb_call_send_end(call, &err), &err);
	for (int i = 0; i < 30; i++)
		assert_int_equal(receive_code(f, call), i);
	for (int i = 0; i < 2; i++)
		assert_code(wb_call_receive(&m, &f->a, call, &google__rpc__status__descriptor, &err), WB_ENOENT);
	for (int i = 0; i < 2; i++)
		assert_ok(wb_call_finish(call, &st, &err), &err);
	assert_int_equal(st.code, WB_RPC_OK);
	wb_call_free(call);

	call = open_call(f, "/test/Down"); /* not received: lost */
	assert_ok(send_code(call, 30, &err), &err);
	assert_ok(wb_call_finish(call, &st, &err), &err);
	wb_call_free(call);
}

static void test_stream_ends_early(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_rpc_status st;
	ProtobufCMessage *m;
	struct wb_call *call = open_call(f, "/test/Early");
	wb_status s = wb_ok();
	for (int i = 0; wb_is_ok(s); i++)
		s = send_code(call, i, &err);
	assert_code(s, WB_EUNAVAILABLE);
	assert_code(wb_call_receive(&m, &f->a, call, &google__rpc__status__descriptor, &err), WB_ENOENT);
	assert_code(wb_call_finish(call, &st, &err), WB_EREFUSED);
	assert_int_equal(st.code, WB_RPC_ALREADY_EXISTS);
	assert_says(&err, "it is there");
	wb_call_free(call);

	call = open_call(f, "/test/Pour"); /* freed in mid-stream */
	assert_ok(send_code(call, 0, &err), &err);
	assert_int_equal(receive_code(f, call), 1);
	wb_call_free(call);
	wb_call_free(open_call(f, "/test/Slow"));

	atomic_bool cancel = false;
	struct wb_call_options o = {.timeout_ns = 600 * SECOND, .cancel = &cancel};
	assert_ok(wb_call_open(&call, f->channel, "/test/Pour", &o, &err), &err);
	assert_ok(send_code(call, 0, &err), &err);
	assert_int_equal(receive_code(f, call), 1);
	atomic_store(&cancel, true);
	assert_code(wb_call_finish(call, &st, &err), WB_ECANCELED);
	wb_call_free(call);
}

/* Servers that are not there. */

static pid_t spawn_peer(int *port, int wanted)
{
	int fd[2];
	char number[16], text[32] = "";
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	snprintf(number, sizeof number, "%d", wanted);
	char *argv[] = {(char *)(uintptr_t)"peer", (char *)(uintptr_t)"--serve", number, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd[1], 1);
	pid_t pid;
	assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(fd[1]);
	assert_true(read(fd[0], text, sizeof text - 1) > 0);
	close(fd[0]);
	*port = atoi(text);
	return pid;
}

static void kill_peer(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_killed(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	struct answer r;
	int port, same;
	pid_t pid = spawn_peer(&port, 0);
	struct wb_channel *c = connect_to(f, wb_arena_printf(&f->a, "grpc://127.0.0.1:%d", port));
	struct wb_call *call;
	assert_ok(wb_call_open(&call, c, "/test/Pour", &in_time, &err), &err);
	assert_ok(send_code(call, 0, &err), &err);
	assert_int_equal(receive_code(f, call), 1);
	kill_peer(pid);
	assert_code(wb_call_finish(call, &r.st, &err), WB_EUNAVAILABLE);
	assert_int_equal(r.st.code, WB_RPC_UNAVAILABLE);
	wb_call_free(call);

	/* Nobody listens: told at once, not at the deadline. */
	int64_t before = wb_clock_ns();
	struct wb_call_options o = {.timeout_ns = 600 * SECOND};
	assert_code(ask(&r, &f->a, c, "/test/Echo", 0, "", &o), WB_EUNAVAILABLE);
	assert_int_equal(r.st.code, WB_RPC_UNAVAILABLE);
	assert_says(&r.err, wb_channel_name(c));
	assert_true(wb_clock_ns() - before < 60 * SECOND);

	/* Back again: the same channel finds it, with retries. */
	pid = spawn_peer(&same, port);
	assert_int_equal(same, port);
	struct wb_retry retry;
	wb_retry_init(&retry, 1000, 60 * SECOND);
	int64_t wait = 0;
	wb_status s;
	do
		s = ask(&r, &f->a, c, "/test/Echo", 5, "", &in_time);
	while (!wb_is_ok(s) && wb_retry_next(&wait, &retry, &r.st) && wb_retry_sleep(wait, NULL));
	assert_ok(s, &r.err);
	wb_channel_free(c);
	kill_peer(pid);
}

static int serve(int port)
{
	struct rpc_peer *p = rpc_peer_new(port, NULL);
	if (p == NULL)
		return 1;
	printf("%d\n", rpc_peer_port(p));
	fflush(stdout);
	for (;;)
		pause(); /* until it is killed */
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--serve") == 0)
		return serve(atoi(argv[2]));
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_unary, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unary_fails, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_streams, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stream_ends_early, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
