#define _GNU_SOURCE
#include "rpc/channel.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "rpc/client.h"
#include "rpc/core.h"
#include "rpc/credentials.h"

#include <errno.h>
#include <grpc/grpc_security.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POLLERS = 2 };

static const int64_t recheck_ns = 1000000000; /* credential files */

struct wb_rpc {
	grpc_completion_queue *queue;
	pthread_t poller[POLLERS];
	int npoller;
};

struct wb_rpc_link {
	atomic_uint refs;
	grpc_channel *channel;
};

struct wb_channel {
	struct wb_rpc *rpc;
	struct wb_arena a; /* texts that do not change */
	struct wb_endpoint endpoint;
	const char *tool;
	size_t receive_max;
	int64_t keepalive_ns;
	bool has_files, has_cert, has_token;

	pthread_mutex_t lock; /* guards the rest, but `credentials` while `refreshing` belongs to who set it */
	bool refreshing;
	int64_t checked_ns;
	struct wb_credentials credentials;
	time_t cert_expires;
	struct wb_rpc_link *link;
	grpc_slice bearer; /* with has_token */
};

/* Operations. */

void wb_rpc_op_init(struct wb_rpc_op *op)
{
	pthread_condattr_t attr;
	*op = (struct wb_rpc_op){.done = true};
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&op->lock, NULL);
	pthread_cond_init(&op->changed, &attr);
	pthread_condattr_destroy(&attr);
}

void wb_rpc_op_release(struct wb_rpc_op *op)
{
	pthread_cond_destroy(&op->changed);
	pthread_mutex_destroy(&op->lock);
}

void wb_rpc_op_arm(struct wb_rpc_op *op)
{
	pthread_mutex_lock(&op->lock);
	op->done = op->ok = false;
	pthread_mutex_unlock(&op->lock);
	atomic_store_explicit(&op->handed, true, memory_order_release);
}

bool wb_rpc_op_wait(struct wb_rpc_op *op, int64_t until_ns)
{
	struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000), .tv_nsec = (long)(until_ns % 1000000000)};
	int e = 0;
	pthread_mutex_lock(&op->lock);
	while (!op->done && e == 0)
		e = pthread_cond_timedwait(&op->changed, &op->lock, &until);
	bool done = op->done;
	pthread_mutex_unlock(&op->lock);
	return done;
}

static void *poll_queue(void *arg)
{
	grpc_completion_queue *queue = arg;
	pthread_setname_np(pthread_self(), "rpc-poll");
	for (;;) {
		grpc_event e = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
		if (e.type == GRPC_QUEUE_SHUTDOWN)
			return NULL;
		if (e.type != GRPC_OP_COMPLETE)
			continue;
		struct wb_rpc_op *op = e.tag;
		(void)atomic_load_explicit(&op->handed, memory_order_acquire);
		/* Signalled under the lock: the waiter may free the operation as soon as it is let go. */
		pthread_mutex_lock(&op->lock);
		op->done = true;
		op->ok = e.success != 0;
		pthread_cond_signal(&op->changed);
		pthread_mutex_unlock(&op->lock);
	}
}

/* gRPC itself. */

wb_status wb_rpc_new(struct wb_rpc **out, struct wb_err *err)
{
	*out = NULL;
	wb_rpc_core_begin();
	struct wb_rpc *r = wb_xcalloc(1, sizeof *r);
	r->queue = grpc_completion_queue_create_for_next(NULL);
	for (; r->npoller < POLLERS; r->npoller++) {
		int e = pthread_create(&r->poller[r->npoller], NULL, poll_queue, r->queue);
		if (e != 0) {
			wb_rpc_free(r);
			return wb_fail_errno(err, e, "cannot start a thread for gRPC");
		}
	}
	*out = r;
	return wb_ok();
}

void wb_rpc_free(struct wb_rpc *r)
{
	if (r == NULL)
		return;
	grpc_completion_queue_shutdown(r->queue);
	for (int i = 0; i < r->npoller; i++)
		pthread_join(r->poller[i], NULL);
	/* Without a poller nobody has seen the end of the queue; gRPC insists that somebody does. */
	while (r->npoller == 0 && grpc_completion_queue_next(r->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
				      GRPC_QUEUE_SHUTDOWN)
		;
	grpc_completion_queue_destroy(r->queue);
	free(r);
	grpc_shutdown_blocking();
}

/* Channels. */

#define MEMORY_MAX ((size_t)512 << 20) /* of one connection, in gRPC */

static grpc_arg int_arg(const char *key, int64_t value)
{
	return (grpc_arg){.type = GRPC_ARG_INTEGER,
			  .key = (char *)(uintptr_t)key,
			  .value.integer = value > INT32_MAX ? INT32_MAX : (int)value};
}

static grpc_arg text_arg(const char *key, const char *value)
{
	return (grpc_arg){
	    .type = GRPC_ARG_STRING, .key = (char *)(uintptr_t)key, .value.string = (char *)(uintptr_t)value};
}

static grpc_channel_credentials *make_credentials(const struct wb_channel *c)
{
	if (!c->endpoint.tls)
		return grpc_insecure_credentials_create();
	const struct wb_credential_file *f = c->credentials.file;
	grpc_ssl_pem_key_cert_pair pair = {.private_key = f[WB_CREDENTIAL_KEY].text,
					   .cert_chain = f[WB_CREDENTIAL_CERT].text};
	/* Without a CA (no `remote_ca`, no system collection) gRPC looks for roots of its own. */
	return grpc_ssl_credentials_create(f[WB_CREDENTIAL_CA].text, pair.cert_chain == NULL ? NULL : &pair, NULL,
					   NULL);
}

static struct wb_rpc_link *link_new(const struct wb_channel *c)
{
	grpc_resource_quota *quota = grpc_resource_quota_create("waybill client");
	grpc_arg arg[] = {
	    /* gRPC takes a message in as a whole before it looks at the size limit: without this, a server that lies
	     * could have all memory. */
	    {.type = GRPC_ARG_POINTER,
	     .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
	     .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()}},
	    text_arg(GRPC_ARG_PRIMARY_USER_AGENT_STRING, c->tool),
	    int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int64_t)c->receive_max),
	    /* Details of a failure may list many blobs; the default of 8 KiB would turn them into another failure. */
	    int_arg(GRPC_ARG_MAX_METADATA_SIZE, 64 << 10),
	    /* What is inflated is not held against the size limit: take no compressed messages. Bit 0 is "identity". */
	    int_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1),
	    int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, c->keepalive_ns / 1000000),
	    int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000),
	    int_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0),
	    /* Servers with gRPC's default policy, buildbox-casd among them, hang up at the third ping on a connection
	     * where nothing else moves ("Too many pings"): a long action must not cost the connection. The deadline
	     * stays. */
	    int_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 2),
	    /* "min" is how long one attempt to connect may take. */
	    int_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000),
	    int_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200),
	    int_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000),
	    int_arg(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 5000),
	    int_arg(GRPC_ARG_DNS_ARES_QUERY_TIMEOUT_MS, 5000),
	    int_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
	    int_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
	    /* The caller decides about tries; gRPC would keep a copy of each message for its own. */
	    int_arg(GRPC_ARG_ENABLE_RETRIES, 0),
	    /* A connection of its own: not the one of another channel with other credentials. */
	    int_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
	};
	grpc_resource_quota_resize(quota, MEMORY_MAX);
	grpc_channel_args args = {.num_args = sizeof arg / sizeof arg[0], .args = arg};
	grpc_channel_credentials *credentials = make_credentials(c);
	struct wb_rpc_link *l = wb_xcalloc(1, sizeof *l);
	atomic_init(&l->refs, 1);
	l->channel = grpc_channel_create(c->endpoint.target, credentials, &args);
	grpc_channel_credentials_release(credentials);
	grpc_resource_quota_unref(quota);
	return l;
}

static void link_drop(struct wb_rpc_link *l)
{
	if (l == NULL || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	grpc_channel_destroy(l->channel);
	free(l);
}

static grpc_slice make_bearer(const struct wb_credentials *c)
{
	static const char scheme[] = "Bearer ";
	const char *token = c->file[WB_CREDENTIAL_TOKEN].text;
	size_t prefix = sizeof scheme - 1, n = strlen(token);
	grpc_slice s = grpc_slice_malloc(prefix + n);
	memcpy(GRPC_SLICE_START_PTR(s), scheme, prefix);
	memcpy(GRPC_SLICE_START_PTR(s) + prefix, token, n);
	return s;
}

wb_status wb_channel_new(struct wb_channel **out, struct wb_rpc *r, const struct wb_channel_config *config,
			 struct wb_err *err)
{
	*out = NULL;
	struct wb_credentials credentials;
	WB_TRY(wb_credentials_init(&credentials, &config->endpoint, &config->files, err));
	struct wb_channel *c = wb_xcalloc(1, sizeof *c);
	wb_arena_init(&c->a);
	c->rpc = r;
	c->endpoint = (struct wb_endpoint){
	    .text = wb_arena_strdup(&c->a, config->endpoint.text),
	    .target = wb_arena_strdup(&c->a, config->endpoint.target),
	    .tls = config->endpoint.tls,
	};
	c->tool = wb_arena_strdup(&c->a, config->tool == NULL ? "waybill" : config->tool);
	c->receive_max = config->receive_max == 0 ? (size_t)4 << 20 : config->receive_max;
	c->keepalive_ns = config->keepalive_ns <= 0 ? 20000000000 : config->keepalive_ns;
	c->credentials = credentials;
	c->cert_expires = credentials.cert_expires;
	c->has_cert = credentials.file[WB_CREDENTIAL_CERT].path != NULL;
	c->has_token = credentials.file[WB_CREDENTIAL_TOKEN].path != NULL;
	for (int k = 0; k < WB_CREDENTIAL_COUNT; k++)
		c->has_files |= credentials.file[k].path != NULL;
	c->checked_ns = wb_clock_ns();
	if (c->has_token)
		c->bearer = make_bearer(&credentials);
	pthread_mutex_init(&c->lock, NULL);
	c->link = link_new(c);
	*out = c;
	return wb_ok();
}

void wb_channel_free(struct wb_channel *c)
{
	if (c == NULL)
		return;
	link_drop(c->link);
	if (c->has_token)
		grpc_slice_unref(c->bearer);
	wb_credentials_release(&c->credentials);
	pthread_mutex_destroy(&c->lock);
	wb_arena_release(&c->a);
	free(c);
}

const char *wb_channel_name(const struct wb_channel *c)
{
	return c->endpoint.text;
}

/* Called by one thread at a time (`refreshing`), without the lock: a slow disk holds up one call, not all. */
static void refresh(struct wb_channel *c)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_rpc_link *link = NULL, *old_link = NULL;
	grpc_slice bearer, old_bearer;
	bool tls, token;
	wb_status s = wb_credentials_refresh(&tls, &token, &c->credentials, &err);
	if (!wb_is_ok(s)) {
		/* A renewal that is half done: the old ones serve on, a second later it is looked at again. */
		wb_log(WB_LOG_WARN, "%s: the changed credentials are not used yet: %s", c->endpoint.text, err.text);
	}
	if (tls)
		link = link_new(c);
	if (token)
		bearer = make_bearer(&c->credentials);
	pthread_mutex_lock(&c->lock);
	if (tls) {
		old_link = c->link;
		c->link = link;
		c->cert_expires = c->credentials.cert_expires;
	}
	if (token) {
		old_bearer = c->bearer;
		c->bearer = bearer;
	}
	c->refreshing = false;
	pthread_mutex_unlock(&c->lock);
	link_drop(old_link);
	if (token)
		grpc_slice_unref(old_bearer);
}

void wb_channel_take(struct wb_rpc_grant *out, struct wb_channel *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->has_files && !c->refreshing) {
		int64_t now = wb_clock_ns();
		if (now - c->checked_ns >= recheck_ns) {
			c->checked_ns = now;
			c->refreshing = true;
			pthread_mutex_unlock(&c->lock);
			refresh(c);
			pthread_mutex_lock(&c->lock);
		}
	}
	*out = (struct wb_rpc_grant){.link = c->link, .channel = c->link->channel, .queue = c->rpc->queue};
	atomic_fetch_add_explicit(&c->link->refs, 1, memory_order_relaxed);
	if (c->has_token) {
		out->has_bearer = true;
		out->bearer = grpc_slice_ref(c->bearer);
	}
	pthread_mutex_unlock(&c->lock);
}

void wb_channel_give_back(struct wb_rpc_grant *grant)
{
	if (grant->has_bearer)
		grpc_slice_unref(grant->bearer);
	link_drop(grant->link);
	*grant = (struct wb_rpc_grant){0};
}

/* Advice. */

static bool says(const struct wb_rpc_status *st, const char *part)
{
	return strcasestr(st->message, part) != NULL;
}

static const char *advice_tls(const struct wb_rpc_status *st, const struct wb_channel *c, time_t cert_expires)
{
	if (cert_expires != 0 && time(NULL) > cert_expires)
		return "this client's certificate (remote_cert) has expired: renew it";
	if (says(st, "WRONG_VERSION_NUMBER") || says(st, "wrong version number"))
		return "the server does not speak TLS here: use grpc:// or another port";
	if (says(st, "certificate verify failed") || says(st, "CERTIFICATE_VERIFY_FAILED"))
		return "the server's certificate is not trusted or has expired: set remote_ca to the file of its "
		       "authority, or "
		       "renew it";
	if (says(st, "not match") || says(st, "hostname") || says(st, "peer name") || says(st, "Peer name"))
		return "the server's certificate is for another name: name the server in remote as its certificate "
		       "does";
	if (says(st, "handshake") || says(st, "certificate") || says(st, "ssl") || says(st, "tls"))
		return c->has_cert
			   ? "TLS failed: look at remote_ca, remote_cert and remote_key"
			   : "TLS failed: look at remote_ca; if the server wants a client certificate, set remote_cert "
			     "and remote_key";
	/* TLS 1.3: the server finds the client's certificate wanting when the client thinks that all is done. nginx
	 * answers HTTP 400 then. */
	if (says(st, "socket closed") || says(st, "connection reset") || says(st, "broken pipe") ||
	    says(st, "goaway") || says(st, "status: 400"))
		return c->has_cert ? "the server may not accept this client's certificate (remote_cert)"
				   : "the server may want a client certificate: set remote_cert and remote_key";
	return NULL;
}

static const char *advice(const struct wb_rpc_status *st, struct wb_channel *c)
{
	pthread_mutex_lock(&c->lock);
	time_t cert_expires = c->cert_expires;
	pthread_mutex_unlock(&c->lock);
	switch (st->code) {
	case WB_RPC_UNAUTHENTICATED:
		return c->has_token
			   ? "the token of remote_token_file is not accepted: has it expired?"
			   : "set remote_token_file, or remote_cert and remote_key, to what the server asks for";
	case WB_RPC_PERMISSION_DENIED:
		return "the server knows this client, but does not allow it: see remote_token_file and remote_cert";
	case WB_RPC_UNAVAILABLE:
	case WB_RPC_UNKNOWN:
	case WB_RPC_INTERNAL:
		if (c->endpoint.tls)
			return advice_tls(st, c, cert_expires);
		/* A server that waits for TLS hangs up on the first plain bytes, or waits for more. */
		if (says(st, "failed to connect") &&
		    (says(st, "socket closed") || says(st, "connection reset") || says(st, "settings")))
			return "does the server speak TLS? Then use grpcs://";
		return NULL;
	default:
		return NULL;
	}
}

void wb_channel_explain(struct wb_rpc_status *st, struct wb_channel *c)
{
	const char *text = advice(st, c);
	if (text == NULL)
		return;
	size_t room = sizeof st->message - strlen(text) - sizeof " ()";
	size_t n = strlen(st->message);
	if (n > room) {
		n = room;
		while (n > 0 && ((unsigned char)st->message[n] & 0xc0) == 0x80)
			n--;
	}
	snprintf(st->message + n, sizeof st->message - n, n == 0 ? "%s" : " (%s)", text);
}
