#define _GNU_SOURCE /* strcasestr */
#include "reapi/client_impl.h"

#include "base/clock.h"
#include "reapi/result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	RECEIVE_MAX =
	    5 << 20, /* what is asked for fits in 4 MiB; results with small files inline may be a little more */
	PAUSE_MIN_S = 1,
	PAUSE_MAX_S = 30,
};
#define SECOND ((int64_t)1000000000)

void wb_reapi_uuid(char out[37])
{
	uint8_t b[16] = {0};
	for (size_t n = 0; n < sizeof b;) {
		ssize_t got = getrandom(b + n, sizeof b - n, 0);
		if (got < 0 && errno != EINTR)
			break; /* only a kernel without the call: names need not be secret */
		n += got > 0 ? (size_t)got : 0;
	}
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4: random (RFC 9562) */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
		 b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* ---- lifetime */

static bool given(const struct wb_endpoint *e)
{
	return e->text != NULL && e->text[0] != '\0';
}

/* The channel of an endpoint; roles with the same text share one. */
static wb_status connect_role(struct wb_reapi *c, enum wb_reapi_role role, struct wb_rpc *rpc,
			      const struct wb_endpoint *e, const struct wb_reapi_config *config, const char *tool,
			      struct wb_err *err)
{
	for (size_t i = 0; i < c->nown; i++) {
		if (strcmp(wb_channel_name(c->own[i]), e->text) == 0) {
			c->channel[role] = c->own[i];
			return wb_ok();
		}
	}
	struct wb_channel_config channel = {
	    .endpoint = *e, .files = config->files, .receive_max = RECEIVE_MAX, .tool = tool};
	WB_TRY(wb_channel_new(&c->own[c->nown], rpc, &channel, err));
	c->channel[role] = c->own[c->nown++];
	return wb_ok();
}

static char *join_names(const struct wb_reapi *c)
{
	size_t room = 1;
	for (size_t i = 0; i < c->nown; i++)
		room += strlen(wb_channel_name(c->own[i])) + 2;
	char *name = wb_xcalloc(room, 1);
	for (size_t i = 0, n = 0; i < c->nown; i++)
		n += (size_t)snprintf(name + n, room - n, "%s%s", i > 0 ? ", " : "", wb_channel_name(c->own[i]));
	return name;
}

wb_status wb_reapi_new(struct wb_reapi **out, struct wb_rpc *rpc, const struct wb_reapi_config *config,
		       struct wb_err *err)
{
	const struct wb_endpoint *e[WB_REAPI_ROLES] = {&config->exec, &config->cas, &config->cache};
	if (!given(e[WB_REAPI_EXEC]) && (!given(e[WB_REAPI_CAS]) || !given(e[WB_REAPI_CACHE])))
		return wb_fail(
		    err, WB_EINVAL,
		    "no server that executes is named: then both the server of blobs and the server of results "
		    "must be");
	struct wb_reapi *c = wb_xcalloc(1, sizeof *c);
	c->instance = wb_xstrdup(config->instance == NULL ? "" : config->instance);
	c->version = wb_xstrdup(config->version == NULL ? "" : config->version);
	c->rpc_timeout_ns = config->rpc_timeout_ns > 0 ? config->rpc_timeout_ns : 30 * SECOND;
	c->execute_timeout_ns = config->execute_timeout_ns > 0 ? config->execute_timeout_ns : 600 * SECOND;
	c->compress = config->compress;
	wb_reapi_uuid(c->invocation);
	char tool[128];
	snprintf(tool, sizeof tool, "waybill/%s", c->version);
	wb_status s = wb_ok();
	for (int role = 0; role < WB_REAPI_ROLES && wb_is_ok(s); role++) {
		const struct wb_endpoint *at = given(e[role]) ? e[role] : e[WB_REAPI_EXEC];
		if (given(at))
			s = connect_role(c, (enum wb_reapi_role)role, rpc, at, config, tool, err);
	}
	c->name = join_names(c);
	wb_breaker_init(&c->breaker, c->name, wb_reapi_probe, c, WB_REAPI_DOWN_AFTER, PAUSE_MIN_S * SECOND,
			PAUSE_MAX_S * SECOND);
	pthread_mutex_init(&c->known.lock, NULL);
	wb_cond_init(&c->known.answered);
	wb_presence_init(&c->presence, WB_PRESENCE_MAX, WB_PRESENCE_NS);
	wb_room_init(&c->sending, WB_REAPI_ROOM);
	wb_room_init(&c->receiving, WB_REAPI_ROOM);
	if (!wb_is_ok(s)) {
		wb_reapi_free(c);
		return s;
	}
	*out = c;
	return wb_ok();
}

void wb_reapi_free(struct wb_reapi *c)
{
	if (c == NULL)
		return;
	wb_breaker_release(&c->breaker);
	for (size_t i = 0; i < c->nown; i++)
		wb_channel_free(c->own[i]);
	pthread_cond_destroy(&c->known.answered);
	pthread_mutex_destroy(&c->known.lock);
	wb_presence_release(&c->presence);
	wb_room_release(&c->sending);
	wb_room_release(&c->receiving);
	free(c->name);
	free(c->instance);
	free(c->version);
	free(c);
}

bool wb_reapi_is_down(struct wb_reapi *c, char *text, size_t n)
{
	return wb_breaker_is_down(&c->breaker, text, n);
}

const char *wb_reapi_name(const struct wb_reapi *c)
{
	return c->name;
}

/* ---- calls */

int64_t wb_reapi_budget(const struct wb_reapi *c, int64_t size)
{
	return c->rpc_timeout_ns * (1 + size / (16 << 20));
}

/* RequestMetadata, serialised. */
static void make_header(struct wb_reapi_try *t, struct wb_arena *a, const struct wb_reapi *c,
			const struct wb_reapi_job *job)
{
	WB_RE(ToolDetails) tool;
	WB_RE(RequestMetadata) m;
	char action[WB_DIGEST_HEX], name[] = "waybill";
	WB_RE_INIT(tool_details, &tool);
	WB_RE_INIT(request_metadata, &m);
	tool.tool_name = name;
	tool.tool_version = c->version;
	m.tool_details = &tool;
	m.tool_invocation_id = wb_arena_strdup(a, c->invocation);
	m.correlated_invocations_id = m.tool_invocation_id;
	if (job != NULL && job->action != NULL) {
		wb_digest_hex(action, job->action);
		m.action_id = action;
	}
	wb_message_pack(&t->header, &t->header_len, a, &m.base);
}

wb_status wb_reapi_try_init(struct wb_reapi_try *t, struct wb_arena *a, struct wb_reapi *c,
			    const struct wb_reapi_job *job, enum wb_reapi_role role, const char *method,
			    int64_t budget_ns, struct wb_err *err)
{
	*t = (struct wb_reapi_try){
	    .c = c, .channel = c->channel[role], .method = method, .cancel = job == NULL ? NULL : job->cancel};
	if (t->channel == NULL)
		return wb_fail(err, WB_EREFUSED, "%s: no server that executes is configured", c->name);
	wb_retry_init(&t->retry, WB_REAPI_TRIES, budget_ns);
	make_header(t, a, c, job);
	return wb_ok();
}

wb_status wb_reapi_try_begin(struct wb_call_options *o, struct wb_reapi_try *t, struct wb_err *err)
{
	char down[512];
	if (!t->quiet && wb_breaker_is_down(&t->c->breaker, down, sizeof down))
		return wb_fail(err, WB_EUNAVAILABLE, "%s", down);
	if (wb_canceled(t->cancel))
		return wb_fail(err, WB_ECANCELED, "%s: canceled before %s", wb_channel_name(t->channel), t->method);
	enum { LEAST_NS = 1000000 };
	int64_t left = t->retry.deadline_ns - wb_clock_ns();
	*o = (struct wb_call_options){
	    .timeout_ns = left > LEAST_NS ? left : LEAST_NS,
	    .cancel = t->cancel,
	    .header = "requestmetadata-bin",
	    .header_value = t->header,
	    .header_len = t->header_len,
	};
	t->st = (struct wb_rpc_status){.retry_delay_ns = -1};
	return wb_ok();
}

/* gRPC's words for a connection that could not be made; it has no code for it. */
static bool nobody_there(const struct wb_rpc_status *st)
{
	return st->code == WB_RPC_UNAVAILABLE && (strcasestr(st->message, "failed to connect") != NULL ||
						  strcasestr(st->message, "dns resolution failed") != NULL ||
						  strcasestr(st->message, "empty address list") != NULL);
}

/* Every text names the endpoint. */
static wb_status name_endpoint(const struct wb_reapi_try *t, wb_status s, struct wb_err *err)
{
	const char *at = wb_channel_name(t->channel);
	if (err == NULL || strstr(err->text, at) != NULL)
		return s;
	return wb_fail_prefix(err, s, "%s", at);
}

bool wb_reapi_try_again(struct wb_reapi_try *t, wb_status *s, struct wb_err *err)
{
	struct wb_breaker *b = &t->c->breaker;
	if (wb_is_ok(*s)) {
		wb_breaker_answered(b);
		return false;
	}
	if (s->code == WB_ECANCELED && wb_canceled(t->cancel))
		return false;
	if (t->st.code == WB_RPC_OK &&
	    s->code == WB_EUNAVAILABLE) /* it had to be broken off: gRPC itself did not end it */
		t->st.code = WB_RPC_DEADLINE_EXCEEDED;
	if (t->st.code == WB_RPC_OK) { /* the call was fine, but not what came or what we have */
		wb_breaker_answered(b);
		if (s->code == WB_EPROTO)
			*s = name_endpoint(t, *s, err);
		return false;
	}
	if (t->st.code == WB_RPC_CANCELLED) { /* not by us: a server or proxy that shuts down */
		t->st.code = WB_RPC_UNAVAILABLE;
		*s = (wb_status){WB_EUNAVAILABLE};
	}
	if (t->st.code == WB_RPC_RESOURCE_EXHAUSTED && strstr(t->st.message, "message larger than max") != NULL)
		*s = (wb_status){WB_EPROTO}; /* our own limit, or theirs: it would be as large the next time */
	bool silent = t->st.code == WB_RPC_UNAVAILABLE || t->st.code == WB_RPC_DEADLINE_EXCEEDED;
	bool unconnected = nobody_there(&t->st), twice = unconnected && t->unconnected;
	t->unconnected = unconnected;
	if (!silent && !t->quiet)
		wb_breaker_answered(b);
	int64_t wait;
	bool later = s->code == WB_EUNAVAILABLE || (s->code != WB_EPROTO && t->st.retry_delay_ns >= 0);
	if (later && !twice && !t->quiet && wb_retry_next(&wait, &t->retry, &t->st) &&
	    !wb_breaker_is_down(b, NULL, 0)) {
		if (wb_retry_sleep(wait, t->cancel))
			return true;
		*s = wb_fail(err, WB_ECANCELED, "%s: canceled before %s was tried again", wb_channel_name(t->channel),
			     t->method);
		return false;
	}
	if (silent && !t->quiet && (unconnected || !t->execution))
		wb_breaker_failed(b, unconnected, t->st.message);
	*s = name_endpoint(t, *s, err);
	return false;
}

wb_status wb_reapi_unary(ProtobufCMessage **reply, struct wb_arena *a, struct wb_reapi *c, struct wb_reapi_job *job,
			 enum wb_reapi_role role, const char *method, const ProtobufCMessage *request,
			 const ProtobufCMessageDescriptor *type, struct wb_rpc_status *st, struct wb_err *err)
{
	struct wb_reapi_try t;
	struct wb_call_options o;
	wb_status s;
	WB_TRY(wb_reapi_try_init(&t, a, c, job, role, method, c->rpc_timeout_ns, err));
	do {
		WB_TRY(wb_reapi_try_begin(&o, &t, err));
		s = wb_call_unary(reply, a, t.channel, method, request, type, &o, &t.st, err);
	} while (wb_reapi_try_again(&t, &s, err));
	if (st != NULL)
		*st = t.st;
	return s;
}

void wb_reapi_status(struct wb_rpc_status *st, struct wb_arena *a, const Google__Rpc__Status *m)
{
	*st = (struct wb_rpc_status){.retry_delay_ns = -1};
	if (m == NULL)
		return;
	char *data;
	size_t n;
	wb_message_pack(&data, &n, a, &m->base);
	wb_rpc_status_details(st, a, data, n, true);
	/* Whatever became of the details, a failure stays one. */
	st->code = m->code;
}

/* ---- the action cache */

wb_status wb_reapi_lookup(struct wb_action_result *out, struct wb_arena *a, struct wb_reapi *c,
			  struct wb_reapi_job *job, const struct wb_digest *action, const char *const *inline_file,
			  size_t ninline, struct wb_err *err)
{
	struct wb_reapi_capabilities caps;
	WB_TRY(wb_reapi_need(&caps, c, job->cancel, err));
	WB_RE(GetActionResultRequest) m;
	WB_RE_INIT(get_action_result_request, &m);
	m.instance_name = c->instance;
	m.action_digest = wb_re_digest_new(a, action);
	m.inline_stdout = m.inline_stderr = 1;
	m.n_inline_output_files = ninline;
	m.inline_output_files = wb_arena_array(a, ninline, sizeof *m.inline_output_files);
	for (size_t i = 0; i < ninline; i++)
		m.inline_output_files[i] = wb_arena_strdup(a, inline_file[i]);
	ProtobufCMessage *reply;
	WB_TRY(wb_reapi_unary(&reply, a, c, job, WB_REAPI_CACHE, WB_RE_METHOD("ActionCache/GetActionResult"), &m.base,
			      WB_RE_TYPE(action_result), NULL, err));
	struct wb_result_texts texts;
	wb_status s = wb_result_take(out, &texts, a, (const wb_re_action_result *)reply, err);
	if (!wb_is_ok(s))
		return wb_fail_prefix(err, s, "%s", wb_channel_name(c->channel[WB_REAPI_CACHE]));
	for (size_t i = 0; i < out->nfile; i++)
		job->received += out->file[i].data == NULL ? 0 : out->file[i].digest.size;
	return wb_reapi_fetch_texts(out, a, c, job, &texts, err);
}

/* A text that is too long for the message goes to the CAS. */
static wb_status store_text(const struct wb_digest **out, struct wb_digest *d, struct wb_reapi *c,
			    struct wb_reapi_job *job, const char *text, size_t len, struct wb_err *err)
{
	enum { INLINE_MAX = 64 << 10 };
	*out = NULL;
	if (len <= INLINE_MAX)
		return wb_ok();
	wb_digest_of(d, text, len);
	struct wb_blob blob = {.digest = *d, .data = text};
	*out = d;
	return wb_reapi_upload(c, job, &blob, 1, err);
}

wb_status wb_reapi_update(struct wb_reapi *c, struct wb_reapi_job *job, const struct wb_digest *action,
			  const struct wb_action_result *result, struct wb_err *err)
{
	struct wb_reapi_capabilities caps;
	WB_TRY(wb_reapi_need(&caps, c, job->cancel, err));
	if (!caps.update)
		return wb_fail(err, WB_EREFUSED, "%s: this client may not write results there",
			       wb_channel_name(c->channel[WB_REAPI_CACHE]));
	struct wb_digest out_digest, err_digest;
	const struct wb_digest *out_text, *err_text;
	WB_TRY(store_text(&out_text, &out_digest, c, job, result->out_text, result->out_len, err));
	WB_TRY(store_text(&err_text, &err_digest, c, job, result->err_text, result->err_len, err));
	struct wb_arena a;
	wb_arena_init(&a);
	WB_RE(UpdateActionResultRequest) m;
	WB_RE_INIT(update_action_result_request, &m);
	m.instance_name = c->instance;
	m.action_digest = wb_re_digest_new(&a, action);
	m.action_result = wb_result_message(&a, result, out_text, err_text);
	ProtobufCMessage *reply;
	wb_status s = wb_reapi_unary(&reply, &a, c, job, WB_REAPI_CACHE, WB_RE_METHOD("ActionCache/UpdateActionResult"),
				     &m.base, WB_RE_TYPE(action_result), NULL, err);
	wb_arena_release(&a);
	return s;
}
