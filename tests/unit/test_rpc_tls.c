/* Credentials of the client: TLS against a real gRPC server with certificates made here, tokens, and files that change
 * under a running channel. */
#define _GNU_SOURCE
#include "base/clock.h"
#include "base/str.h"
#include "rpc/call.h"
#include "rpc/retry.h"
#include "rpc_status.pb-c.h"
#include "tests/unit/rpc_certificates.h"
#include "tests/unit/rpc_peer.h"
#include "tests/unit/tempdir.h"

#define SECOND 1000000000LL

/* Read by LeakSanitizer, where it is linked: c-ares 1.18 forgets ten bytes each time it looks up "localhost". */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libcares.so\n";
}

struct fixture {
	struct tempdir t;
	struct wb_rpc *rpc;
	struct rpc_certificate ca, other_ca, server, client;
};

static int setup(void **state)
{
	struct fixture *f = wb_xcalloc(1, sizeof *f);
	struct wb_err err = WB_ERR_INIT;
	tempdir_init(&f->t);
	rpc_certificate_init(&f->ca, "Test authority", NULL, NULL, 30);
	rpc_certificate_init(&f->other_ca, "Another authority", NULL, NULL, 30);
	rpc_certificate_init(&f->server, "server", "IP:127.0.0.1,DNS:localhost", &f->ca, 30);
	rpc_certificate_init(&f->client, "client", NULL, &f->ca, 30);
	tempdir_file(&f->t, "ca.pem", f->ca.cert);
	tempdir_file(&f->t, "other.pem", f->other_ca.cert);
	tempdir_file(&f->t, "client.pem", f->client.cert);
	tempdir_file(&f->t, "client.key", f->client.key);
	tempdir_file(&f->t, "token", " \n abc.DEF \n");
	assert_ok(wb_rpc_new(&f->rpc, &err), &err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	wb_rpc_free(f->rpc);
	rpc_certificate_release(&f->ca);
	rpc_certificate_release(&f->other_ca);
	rpc_certificate_release(&f->server);
	rpc_certificate_release(&f->client);
	tempdir_release(&f->t);
	free(f);
	return 0;
}

/* Names in the temporary directory, or NULL. */
struct files {
	const char *ca, *cert, *key, *token;
};

static const char *at(struct fixture *f, const char *name)
{
	return name == NULL ? NULL : tempdir_path(&f->t, name);
}

static wb_status connect_to(struct wb_channel **c, struct fixture *f, const char *text, const struct files *files,
			    struct wb_err *err)
{
	struct wb_channel_config config = {
	    .tool = "test",
	    .files = {at(f, files->ca), at(f, files->cert), at(f, files->key), at(f, files->token)},
	};
	*c = NULL;
	WB_TRY(wb_endpoint_parse(&config.endpoint, &f->t.a, text, err));
	return wb_channel_new(c, f->rpc, &config, err);
}

struct answer {
	const char *message;
	struct wb_rpc_status st;
	struct wb_err err;
};

static wb_status ask(struct answer *out, struct fixture *f, struct wb_channel *c)
{
	Google__Rpc__Status m = GOOGLE__RPC__STATUS__INIT;
	struct wb_call_options o = {.timeout_ns = 60 * SECOND};
	ProtobufCMessage *reply = NULL;
	*out = (struct answer){.err = WB_ERR_INIT};
	wb_status s = wb_call_unary(&reply, &f->t.a, c, "/test/Headers", &m.base, &google__rpc__status__descriptor, &o,
				    &out->st, &out->err);
	out->message = reply == NULL ? "" : ((const Google__Rpc__Status *)reply)->message;
	return s;
}

/* One call to a server of its own. NULL `says`: it must succeed. */
static void try_once(struct fixture *f, const struct rpc_peer_tls *tls, const char *scheme, const char *host,
		     const struct files *files, const char *says)
{
	struct wb_err err = WB_ERR_INIT;
	struct rpc_peer *p = rpc_peer_new(0, tls);
	assert_non_null(p);
	struct wb_channel *c;
	struct answer r;
	const char *text = wb_arena_printf(&f->t.a, "%s://%s:%d", scheme, host, rpc_peer_port(p));
	assert_ok(connect_to(&c, f, text, files, &err), &err);
	wb_status s = ask(&r, f, c);
	if (says == NULL) {
		assert_ok(s, &r.err);
	} else {
		assert_code(s, WB_EUNAVAILABLE);
		assert_int_equal(r.st.code, WB_RPC_UNAVAILABLE);
		assert_says(&r.err, text);
		assert_says(&r.err, says);
	}
	wb_channel_free(c);
	rpc_peer_free(p);
}

static void test_tls(void **state)
{
	struct fixture *f = *state;
	struct rpc_certificate expired, elsewhere;
	rpc_certificate_init(&expired, "server", "IP:127.0.0.1", &f->ca, -1);
	rpc_certificate_init(&elsewhere, "server", "DNS:elsewhere.example", &f->ca, 30);
	struct rpc_peer_tls tls = {f->server.cert, f->server.key, NULL}, old = {expired.cert, expired.key, NULL},
			    wrong = {elsewhere.cert, elsewhere.key, NULL};
	const struct files good = {.ca = "ca.pem"}, other = {.ca = "other.pem"}, none = {0};
	try_once(f, &tls, "grpcs", "127.0.0.1", &good, NULL);
	try_once(f, &tls, "grpcs", "localhost", &good, NULL);
	try_once(f, &tls, "grpcs", "127.0.0.1", &other, "set remote_ca");
	try_once(f, &tls, "grpcs", "127.0.0.1", &none, "set remote_ca"); /* the system does not know it */
	try_once(f, &old, "grpcs", "127.0.0.1", &good, "expired");
	try_once(f, &wrong, "grpcs", "127.0.0.1", &good, "another name");
	try_once(f, NULL, "grpcs", "127.0.0.1", &good, "does not speak TLS");
	try_once(f, &tls, "grpc", "127.0.0.1", &none, "grpcs://");
	rpc_certificate_release(&expired);
	rpc_certificate_release(&elsewhere);
}

static void test_mutual_tls(void **state)
{
	struct fixture *f = *state;
	struct rpc_certificate stranger, expired;
	rpc_certificate_init(&stranger, "client", NULL, &f->other_ca, 30);
	rpc_certificate_init(&expired, "client", NULL, &f->ca, -1);
	tempdir_file(&f->t, "stranger.pem", stranger.cert);
	tempdir_file(&f->t, "stranger.key", stranger.key);
	tempdir_file(&f->t, "expired.pem", expired.cert);
	tempdir_file(&f->t, "expired.key", expired.key);
	struct rpc_peer_tls tls = {f->server.cert, f->server.key, f->ca.cert};
	const struct files good = {"ca.pem", "client.pem", "client.key", NULL}, without = {.ca = "ca.pem"},
			   unknown = {"ca.pem", "stranger.pem", "stranger.key", NULL},
			   old = {"ca.pem", "expired.pem", "expired.key", NULL};
	try_once(f, &tls, "grpcs", "127.0.0.1", &good, NULL);
	try_once(f, &tls, "grpcs", "127.0.0.1", &without, "set remote_cert and remote_key");
	try_once(f, &tls, "grpcs", "127.0.0.1", &unknown, "remote_cert");
	try_once(f, &tls, "grpcs", "127.0.0.1", &old, "(remote_cert) has expired");
	rpc_certificate_release(&stranger);
	rpc_certificate_release(&expired);
}

static void test_files_refused(void **state)
{
	struct fixture *f = *state;
	tempdir_file(&f->t, "empty", " \n");
	tempdir_file(&f->t, "text", "this is no PEM\n");
	tempdir_file(&f->t, "two-lines", "abc\ndef\n");
	tempdir_file(&f->t, "escape", "abc\033[0m");
	tempdir_file(&f->t, "other.key", f->other_ca.key);
	static const struct {
		const char *endpoint;
		struct files files;
		enum wb_code code;
		const char *says, *file;
	} row[] = {
	    {"grpcs://h", {.ca = "nope"}, WB_ENOENT, "remote_ca", "nope"},
	    {"grpcs://h", {.ca = "empty"}, WB_EINVAL, "is empty", "empty"},
	    {"grpcs://h", {.ca = "text"}, WB_EINVAL, "no certificate in PEM", "text"},
	    {"grpcs://h", {.cert = "client.pem"}, WB_EINVAL, "come together: remote_key is not set", ""},
	    {"grpcs://h", {.key = "client.key"}, WB_EINVAL, "come together: remote_cert is not set", ""},
	    {"grpcs://h", {.cert = "text", .key = "client.key"}, WB_EINVAL, "(remote_cert) holds no", "text"},
	    {"grpcs://h", {.cert = "client.pem", .key = "text"}, WB_EINVAL, "(remote_key) holds no", "text"},
	    {"grpcs://h", {.cert = "client.pem", .key = "other.key"}, WB_EINVAL, "does not belong", "other.key"},
	    {"grpcs://h", {.token = "nope"}, WB_ENOENT, "remote_token_file", "nope"},
	    {"grpcs://h", {.token = "empty"}, WB_EINVAL, "is empty", "empty"},
	    {"grpcs://h", {.token = "two-lines"}, WB_EINVAL, "at byte 4", "two-lines"},
	    {"grpcs://h", {.token = "escape"}, WB_EINVAL, "control character", "escape"},
	    {"grpc://h", {.token = "token"}, WB_EREFUSED, "not encrypted", "token"},
	    {"grpc://128.0.0.1", {.token = "token"}, WB_EREFUSED, "not encrypted", "token"},
	    {"grpc://127.0.0.1.example.com", {.token = "token"}, WB_EREFUSED, "not encrypted", "token"},
	    {"grpc://localhost.example.com", {.token = "token"}, WB_EREFUSED, "not encrypted", "token"},
	    {"grpc://[::2]", {.token = "token"}, WB_EREFUSED, "not encrypted", "token"},
	    {"grpc://127.1.2.3", {.token = "token"}, WB_OK, NULL, NULL},
	    {"grpc://localhost", {.token = "token"}, WB_OK, NULL, NULL},
	    {"grpc://[::1]:99", {.token = "token"}, WB_OK, NULL, NULL},
	    {"unix:/run/x", {.token = "token"}, WB_OK, NULL, NULL},
	    {"grpcs://h", {.token = "token"}, WB_OK, NULL, NULL},
	};
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_channel *c;
		assert_code(connect_to(&c, f, row[i].endpoint, &row[i].files, &err), row[i].code);
		if (row[i].code != WB_OK) {
			assert_null(c);
			assert_says(&err, row[i].says);
			assert_says(&err, row[i].file);
		}
		wb_channel_free(c);
	}
}

/* Ask until the reply starts with `want`, 60 s at most: the files are looked at once a second. */
static bool becomes(struct fixture *f, struct wb_channel *c, const char *want)
{
	for (int64_t end = wb_clock_ns() + 60 * SECOND; wb_clock_ns() < end; wb_retry_sleep(SECOND / 20, NULL)) {
		struct answer r;
		if (wb_is_ok(ask(&r, f, c)) && wb_starts_with(r.message, want))
			return true;
	}
	return false;
}

static void test_token_renewed(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	struct rpc_peer *p = rpc_peer_new(0, NULL);
	struct wb_channel *c;
	const struct files files = {.token = "token"};
	const char *text = wb_arena_printf(&f->t.a, "grpc://127.0.0.1:%d", rpc_peer_port(p));
	assert_ok(connect_to(&c, f, text, &files, &err), &err);
	assert_true(becomes(f, c, "Bearer abc.DEF|"));
	tempdir_file(&f->t, "token", "new-token\n");
	assert_true(becomes(f, c, "Bearer new-token|"));
	/* What cannot be used does not take the place of what can. */
	tempdir_file(&f->t, "token", "broken\001");
	int64_t end = wb_clock_ns() + 3 * SECOND / 2;
	for (; wb_clock_ns() < end; wb_retry_sleep(SECOND / 10, NULL)) {
		struct answer r;
		assert_ok(ask(&r, f, c), &r.err);
		assert_true(wb_starts_with(r.message, "Bearer new-token|"));
	}
	wb_channel_free(c);
	rpc_peer_free(p);
}

static void test_certificates_renewed(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	struct rpc_peer_tls tls = {f->server.cert, f->server.key, f->ca.cert};
	struct rpc_peer *p = rpc_peer_new(0, &tls);
	struct wb_channel *c;
	struct answer r;
	tempdir_file(&f->t, "changing.pem", f->other_ca.cert);
	const struct files files = {"changing.pem", "client.pem", "client.key", NULL};
	const char *text = wb_arena_printf(&f->t.a, "grpcs://127.0.0.1:%d", rpc_peer_port(p));
	assert_ok(connect_to(&c, f, text, &files, &err), &err);
	assert_code(ask(&r, f, c), WB_EUNAVAILABLE);
	tempdir_file(&f->t, "changing.pem", f->ca.cert);
	assert_true(becomes(f, c, "|"));

	/* A call that began with the old ones ends with them. */
	struct wb_call_options o = {.timeout_ns = 60 * SECOND};
	Google__Rpc__Status m = GOOGLE__RPC__STATUS__INIT;
	struct wb_call *call;
	assert_ok(wb_call_open(&call, c, "/test/Up", &o, &err), &err);
	assert_ok(wb_call_send(call, &m.base, &err), &err);
	tempdir_file(&f->t, "changing.pem", f->other_ca.cert);
	wb_status s = wb_ok();
	for (int64_t end = wb_clock_ns() + 60 * SECOND; wb_is_ok(s) && wb_clock_ns() < end;
	     wb_retry_sleep(SECOND / 20, NULL))
		s = ask(&r, f, c);
	assert_code(s, WB_EUNAVAILABLE);
	ProtobufCMessage *reply;
	assert_ok(wb_call_send(call, &m.base, &err), &err);
	assert_ok(wb_call_send_end(call, &err), &err);
	assert_ok(wb_call_receive(&reply, &f->t.a, call, &google__rpc__status__descriptor, &err), &err);
	assert_int_equal(((Google__Rpc__Status *)reply)->code, 2);
	assert_ok(wb_call_finish(call, &r.st, &err), &err);
	wb_call_free(call);
	wb_channel_free(c);
	rpc_peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_tls, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_mutual_tls, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_files_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_token_renewed, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_certificates_renewed, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
