/* The client half of rpc/: endpoints, how calls end, retries, and calls to a real gRPC server (rpc_peer.h). */
#define _GNU_SOURCE
#include "base/clock.h"
#include "base/str.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "rpc/call.h"
#include "rpc/retry.h"
#include "rpc_status.pb-c.h"
#include "tests/unit/rpc_peer.h"
#include "tests/unit/tempdir.h"
#include "wire/message.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#define SECOND 1000000000LL

/* Endpoints. */

static void test_endpoint(void **state)
{
	static const struct {
		const char *text, *target;
		bool tls;
	} good[] = {
	    {"grpc://build.example.com:8980", "dns:///build.example.com:8980", false},
	    {"grpc://build", "dns:///build:80", false},
	    {"grpcs://build", "dns:///build:443", true},
	    {"grpcs://build:1/", "dns:///build:1", true},
	    {"grpc://10.0.0.1:65535", "dns:///10.0.0.1:65535", false},
	    {"grpc://[::1]:8980", "dns:///%5B::1%5D:8980", false},
	    {"grpcs://[2001:db8::1]", "dns:///%5B2001:db8::1%5D:443", true},
	    {"unix:/run/cas.sock", "unix:/run/cas.sock", false},
	    {"unix:///run/cas.sock", "unix:/run/cas.sock", false},
	    {"unix:/run/100%/a?b#c", "unix:/run/100%25/a%3Fb%23c", false},
	};
	static const struct {
		const char *text, *says;
	} bad[] = {
	    {"", "grpc://HOST:PORT"},
	    {"build:8980", "grpc://HOST:PORT"},
	    {"https://build:8980", "grpc://HOST:PORT"},
	    {"GRPC://build", "grpc://HOST:PORT"},
	    {"grpc://", "no host name"},
	    {"grpc://:80", "no host name"},
	    {"grpc://build:0", "1 to 65535"},
	    {"grpc://build:65536", "1 to 65535"},
	    {"grpc://build:", "1 to 65535"},
	    {"grpc://build:99999999999999999999", "1 to 65535"},
	    {"grpc://build:80x", "'x'"},
	    {"grpc://build:80/instance", "'/instance'"},
	    {"grpc://build?x=1", "nothing may follow"},
	    {"grpc://user@build", "no host name"},
	    {"grpc://bu ild", "white space"},
	    {"grpc://build\n", "white space"},
	    {"grpc://a..b", "no host name"},
	    {"grpc://::1:80", "brackets"},
	    {"grpc://[::1", "']'"},
	    {"grpc://[::g]:80", "no host name"},
	    {"grpc://[1.2.3.4]:80", "no host name"},
	    {"unix:cas.sock", "slash"},
	    {"unix:/", "no socket"},
	};
	(void)state;
	struct wb_arena a;
	struct wb_endpoint e;
	wb_arena_init(&a);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct wb_err err = WB_ERR_INIT;
		assert_ok(wb_endpoint_parse(&e, &a, good[i].text, &err), &err);
		assert_string_equal(e.text, good[i].text);
		assert_string_equal(e.target, good[i].target);
		assert_int_equal(e.tls, good[i].tls);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct wb_err err = WB_ERR_INIT;
		assert_code(wb_endpoint_parse(&e, &a, bad[i].text, &err), WB_EINVAL);
		assert_says(&err, bad[i].says);
	}
	char path[200] = "unix:/";
	memset(path + 6, 'x', 107); /* with the slash one more than fits with its NUL */
	struct wb_err err = WB_ERR_INIT;
	assert_code(wb_endpoint_parse(&e, &a, path, &err), WB_EINVAL);
	path[6 + 106] = '\0';
	assert_ok(wb_endpoint_parse(&e, &a, path, &err), &err);
	wb_arena_release(&a);
}

/* Retries. */

static struct wb_rpc_status status_of(int code, int64_t delay_ns)
{
	return (struct wb_rpc_status){.code = code, .retry_delay_ns = delay_ns};
}

static void test_retry(void **state)
{
	(void)state;
	struct wb_retry r;
	int64_t wait;
	for (uint64_t seed = 0; seed < 200; seed++) {
		wb_retry_init(&r, 10, 3600 * SECOND);
		r.seed = seed;
		struct wb_rpc_status st = status_of(WB_RPC_UNAVAILABLE, -1);
		int64_t full = SECOND / 10;
		for (int i = 1; i < 10; i++, full = full * 2 > 5 * SECOND ? 5 * SECOND : full * 2) {
			assert_true(wb_retry_next(&wait, &r, &st));
			assert_true(wait >= full / 2 && wait <= full);
		}
		assert_false(wb_retry_next(&wait, &r, &st)); /* ten tries were made */
	}
	static const int again[] = {WB_RPC_UNAVAILABLE, WB_RPC_RESOURCE_EXHAUSTED, WB_RPC_ABORTED};
	for (int code = 0; code <= WB_RPC_UNAUTHENTICATED; code++) {
		bool may = false;
		for (size_t i = 0; i < sizeof again / sizeof again[0]; i++)
			may |= again[i] == code;
		wb_retry_init(&r, 5, 60 * SECOND);
		struct wb_rpc_status st = status_of(code, -1);
		assert_int_equal(wb_retry_next(&wait, &r, &st), may);
		st.retry_delay_ns = 7 * SECOND;
		assert_int_equal(wb_retry_next(&wait, &r, &st), code != WB_RPC_OK);
		if (code != WB_RPC_OK)
			assert_int_equal(wait, 7 * SECOND); /* longer than the backoff: the server's word */
	}
	struct wb_rpc_status st = status_of(WB_RPC_UNAVAILABLE, 0);
	wb_retry_init(&r, 5, 60 * SECOND);
	assert_true(wb_retry_next(&wait, &r, &st));
	assert_true(wait >= SECOND / 20); /* shorter than the backoff: the backoff */
	st.retry_delay_ns = 61 * SECOND;
	assert_false(wb_retry_next(&wait, &r, &st)); /* it would end after the deadline */
	wb_retry_init(&r, 5, 0);
	st.retry_delay_ns = -1;
	assert_false(wb_retry_next(&wait, &r, &st));
	wb_retry_init(&r, 5, INT64_MAX);
	assert_true(wb_retry_next(&wait, &r, &st));
	atomic_bool cancel = false;
	assert_true(wb_retry_sleep(1000, &cancel));
	atomic_store(&cancel, true);
	assert_false(wb_retry_sleep(3600 * SECOND, &cancel));
}

/* How a call ended. */

static Google__Protobuf__Any any_of(struct wb_arena *a, const char *type, const ProtobufCMessage *m)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	char *data;
	wb_message_pack(&data, &any.value.len, a, m);
	any.value.data = (uint8_t *)data;
	any.type_url = wb_arena_printf(a, "type.googleapis.com/%s", type);
	return any;
}

/* Serialised google.rpc.Status with RetryInfo (1.5 s) and a PreconditionFailure of type `type`. */
static char *details_of(size_t *n, struct wb_arena *a, const char *type)
{
	Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
	delay.seconds = 1;
	delay.nanos = 500000000;
	Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
	retry.retry_delay = &delay;
	Google__Rpc__PreconditionFailure__Violation v = GOOGLE__RPC__PRECONDITION_FAILURE__VIOLATION__INIT,
						    *vs[] = {&v};
	v.type = wb_arena_strdup(a, type);
	Google__Rpc__PreconditionFailure failure = GOOGLE__RPC__PRECONDITION_FAILURE__INIT;
	failure.violations = vs;
	failure.n_violations = 1;
	Google__Protobuf__Any any[] = {any_of(a, "google.rpc.DebugInfo", &delay.base),
				       any_of(a, "google.rpc.RetryInfo", &retry.base),
				       any_of(a, "google.rpc.PreconditionFailure", &failure.base)};
	Google__Protobuf__Any *anys[] = {&any[0], &any[1], &any[2]};
	Google__Rpc__Status s = GOOGLE__RPC__STATUS__INIT;
	s.code = WB_RPC_FAILED_PRECONDITION;
	s.message = wb_arena_strdup(a, "one\ttwo\033");
	s.details = anys;
	s.n_details = 3;
	char *data;
	wb_message_pack(&data, n, a, &s.base);
	return data;
}

static void test_details(void **state)
{
	(void)state;
	struct wb_arena a;
	size_t n;
	wb_arena_init(&a);
	char *data = details_of(&n, &a, "MISSING");
	struct wb_rpc_status st = {.code = WB_RPC_UNKNOWN, .message = "kept", .retry_delay_ns = -1};
	wb_rpc_status_details(&st, &a, data, n, false);
	assert_int_equal(st.code, WB_RPC_UNKNOWN);
	assert_string_equal(st.message, "kept");
	assert_int_equal(st.retry_delay_ns, 3 * SECOND / 2);
	assert_true(st.missing);
	wb_rpc_status_details(&st, &a, data, n, true);
	assert_int_equal(st.code, WB_RPC_FAILED_PRECONDITION);
	assert_string_equal(st.message, "one two?");

	struct wb_rpc_status before = {.code = WB_RPC_UNKNOWN, .message = "kept", .retry_delay_ns = -1};
	st = before;
	for (size_t cut = 1; cut < n;
	     cut++) /* each prefix: parsed or not, never a crash, and malformed changes nothing */
		wb_rpc_status_details(&st, &a, data, cut, false);
	st = before;
	wb_rpc_status_details(&st, &a, "\xff\xff\xff", 3, true);
	assert_memory_equal(&st, &before, sizeof st);

	data = details_of(&n, &a, "OTHER");
	wb_rpc_status_details(&st, &a, data, n, false);
	assert_false(st.missing);
	wb_arena_release(&a);
}

static void test_status_fail(void **state)
{
	static const struct {
		int code;
		enum wb_code want;
	} row[] = {
	    {WB_RPC_OK, WB_OK},
	    {WB_RPC_NOT_FOUND, WB_ENOENT},
	    {WB_RPC_CANCELLED, WB_ECANCELED},
	    {WB_RPC_UNAVAILABLE, WB_EUNAVAILABLE},
	    {WB_RPC_DEADLINE_EXCEEDED, WB_EUNAVAILABLE},
	    {WB_RPC_RESOURCE_EXHAUSTED, WB_EUNAVAILABLE},
	    {WB_RPC_ABORTED, WB_EUNAVAILABLE},
	    {WB_RPC_UNAUTHENTICATED, WB_EREFUSED},
	    {WB_RPC_UNIMPLEMENTED, WB_EREFUSED},
	    {WB_RPC_INTERNAL, WB_EPROTO},
	    {WB_RPC_DATA_LOSS, WB_EPROTO},
	    {99, WB_EPROTO},
	};
	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_rpc_status st = {.code = row[i].code, .message = "the words"};
		assert_code(wb_rpc_status_fail(&err, &st, "/a.B/C"), row[i].want);
		if (row[i].want != WB_OK) {
			assert_says(&err, "/a.B/C");
			assert_says(&err, "the words");
			assert_says(&err, wb_rpc_code_name(row[i].code));
		}
	}
}

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
	char *data = details_of(&n, &f->a, "MISSING");
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
	    cmocka_unit_test(test_endpoint),
	    cmocka_unit_test(test_retry),
	    cmocka_unit_test(test_details),
	    cmocka_unit_test(test_status_fail),
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
