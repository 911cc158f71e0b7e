/* Execution: an Execute stream, carried on by WaitExecution when it breaks, until an Operation is done. */
#define _GNU_SOURCE /* strcasestr */
#include "reapi/client_impl.h"

#include "base/clock.h"
#include "base/str.h"
#include "reapi/result.h"

#include <stdlib.h>
#include <string.h>

enum {
	FRUITLESS_MAX = 6, /* tries in a row that brought no message */
	AGAIN_MAX = 3,     /* times that a server that was busy is asked to execute once more */
};
#define CANCEL_NS ((int64_t)2 * 1000000000)

typedef Google__Longrunning__Operation operation;

static const char execute_method[] = WB_RE_METHOD("Execution/Execute");
static const char wait_method[] = WB_RE_METHOD("Execution/WaitExecution");

struct running {
	struct wb_reapi *c;
	struct wb_reapi_job *job;
	const struct wb_digest *action;
	struct wb_reapi_execution *x;
	struct wb_arena *a;
	char *name;                        /* of the operation; heap, NULL: not known */
	bool heard;                        /* this try brought a message */
	WB_RE(ExecuteResponse) * response; /* in `a` */
	bool failed;                       /* the operation ended with an error: */
	struct wb_rpc_status error;
};

static bool any_is(const Google__Protobuf__Any *any, const char *type)
{
	return any != NULL && wb_ends_with(any->type_url, type);
}

/* ---- what a server says when a blob is missing */

static bool says(const struct wb_rpc_status *st, const char *words)
{
	return strcasestr(st->message, words) != NULL;
}

/* Servers differ: NOT_FOUND, FAILED_PRECONDITION with or without details, INTERNAL, INVALID_ARGUMENT with details. */
static bool blob_missing(const struct wb_rpc_status *st)
{
	if (st->missing || st->code == WB_RPC_NOT_FOUND)
		return true;
	if (st->code == WB_RPC_FAILED_PRECONDITION) /* also said of workers and platforms that do not exist */
		return !says(st, "no worker") && !says(st, "platform");
	return st->code == WB_RPC_INTERNAL && (says(st, "missing") || says(st, "not completely available") ||
					       says(st, "not found") || says(st, "not available"));
}

/* A failed execution in the terms of client.h. */
static wb_status fail_execution(const struct running *r, const struct wb_rpc_status *st, struct wb_err *err)
{
	wb_status s = wb_rpc_status_fail(err, st, "Execution/Execute");
	s = wb_fail_prefix(err, s, "%s", wb_channel_name(r->c->channel[WB_REAPI_EXEC]));
	if (blob_missing(st))
		return (wb_status){WB_ENOENT};
	switch (st->code) {
	case WB_RPC_CANCELLED:
		return (wb_status){wb_canceled(r->job->cancel) ? WB_ECANCELED : WB_EUNAVAILABLE};
	case WB_RPC_UNAVAILABLE:
	case WB_RPC_DEADLINE_EXCEEDED:
	case WB_RPC_RESOURCE_EXHAUSTED:
	case WB_RPC_ABORTED:
		return (wb_status){WB_EUNAVAILABLE};
	default:
		return (wb_status){WB_EREFUSED};
	}
}

/* ---- one stream */

static void take_stage(struct running *r, struct wb_arena *a, const Google__Protobuf__Any *metadata)
{
	ProtobufCMessage *m;
	if (r->x->stage == NULL || !any_is(metadata, ".ExecuteOperationMetadata"))
		return;
	if (wb_is_ok(wb_message_decode(&m, a, WB_RE_TYPE(execute_operation_metadata), metadata->value.data,
				       metadata->value.len, wb_message_memory(metadata->value.len), NULL)))
		atomic_store(r->x->stage, (int)((const WB_RE(ExecuteOperationMetadata) *)m)->stage);
}

static wb_status take_operation(bool *done, struct running *r, struct wb_arena *a, const operation *op,
				struct wb_err *err)
{
	r->heard = true;
	if (op->name[0] != '\0' && (r->name == NULL || strcmp(r->name, op->name) != 0)) {
		free(r->name);
		r->name = wb_xstrdup(op->name);
	}
	take_stage(r, a, op->metadata);
	*done = op->done;
	if (!op->done)
		return wb_ok();
	if (op->result_case == GOOGLE__LONGRUNNING__OPERATION__RESULT_ERROR) {
		wb_reapi_status(&r->error, a, op->error);
		r->failed = r->error.code != WB_RPC_OK;
		if (r->failed)
			return wb_ok();
	}
	if (op->result_case != GOOGLE__LONGRUNNING__OPERATION__RESULT_RESPONSE ||
	    !any_is(op->response, ".ExecuteResponse"))
		return wb_fail(err, WB_EPROTO, "Execution/Execute: an operation that is done has no ExecuteResponse");
	ProtobufCMessage *m;
	WB_TRY(wb_message_decode(&m, r->a, WB_RE_TYPE(execute_response), op->response->value.data,
				 op->response->value.len, wb_message_memory(op->response->value.len), err));
	r->response = (WB_RE(ExecuteResponse) *)m;
	wb_reapi_status(&r->error, a, r->response->status);
	r->failed = r->error.code != WB_RPC_OK;
	return wb_ok();
}

static wb_status open_stream(struct wb_call **call, struct running *r, struct wb_arena *a, struct wb_channel *channel,
			     const struct wb_call_options *o, struct wb_err *err)
{
	bool wait = r->name != NULL;
	WB_RE(ExecuteRequest) execute;
	WB_RE(WaitExecutionRequest) again;
	WB_RE_INIT(execute_request, &execute);
	WB_RE_INIT(wait_execution_request, &again);
	execute.instance_name = r->c->instance;
	execute.skip_cache_lookup = r->x->skip_cache_lookup;
	execute.action_digest = wb_re_digest_new(a, r->action);
	again.name = r->name;
	WB_TRY(wb_call_open(call, channel, wait ? wait_method : execute_method, o, err));
	wb_status s = wb_call_send(*call, wait ? &again.base : &execute.base, err);
	if (wb_is_ok(s))
		s = wb_call_send_end(*call, err);
	if (s.code == WB_EUNAVAILABLE) /* ended already: the status says why */
		s = wb_ok();
	if (!wb_is_ok(s))
		wb_call_free(*call);
	return s;
}

/* Receive until an operation is done or the stream ends. Not done: `*st` says how it ended. */
static wb_status follow(bool *done, struct running *r, struct wb_channel *channel, const struct wb_call_options *o,
			struct wb_rpc_status *st, struct wb_err *err)
{
	struct wb_arena a;
	struct wb_call *call;
	wb_arena_init(&a);
	*done = false;
	r->heard = false;
	wb_status s = open_stream(&call, r, &a, channel, o, err);
	wb_arena_release(&a);
	WB_TRY(s);
	while (wb_is_ok(s) && !*done) {
		ProtobufCMessage *m;
		s = wb_call_receive(&m, &a, call, &google__longrunning__operation__descriptor, err);
		if (wb_is_ok(s))
			s = take_operation(done, r, &a, (const operation *)m, err);
		wb_arena_release(&a);
	}
	if (s.code == WB_ENOENT && !*done)
		s = wb_call_finish(call, st, err);
	wb_call_free(call);
	return s;
}

/* Nobody will read the result: the worker may do something better. Best effort. */
static void cancel_operation(struct running *r)
{
	static const char method[] = "/google.longrunning.Operations/CancelOperation";
	struct wb_arena a;
	struct wb_reapi_try t;
	struct wb_call_options o;
	ProtobufCMessage *reply;
	Google__Longrunning__CancelOperationRequest m;
	struct wb_reapi_job job = {.action = r->action};
	if (r->name == NULL)
		return;
	google__longrunning__cancel_operation_request__init(&m);
	m.name = r->name;
	wb_arena_init(&a);
	if (wb_is_ok(wb_reapi_try_init(&t, &a, r->c, &job, WB_REAPI_EXEC, method, CANCEL_NS, NULL)) &&
	    wb_is_ok(wb_reapi_try_begin(&o, &t, NULL)))
		wb_ignore(wb_call_unary(&reply, &a, t.channel, method, &m.base, &google__protobuf__empty__descriptor,
					&o, &t.st, NULL)); /* it runs to its end then */
	wb_arena_release(&a);
}

/* ---- all tries */

/* Did the stream break, rather than end with an answer? */
static bool broken(const struct wb_rpc_status *st)
{
	switch (st->code) {
	case WB_RPC_OK: /* ended, but nothing is done */
	case WB_RPC_UNAVAILABLE:
	case WB_RPC_ABORTED:
	case WB_RPC_CANCELLED:
	case WB_RPC_RESOURCE_EXHAUSTED:
		return true;
	case WB_RPC_INTERNAL:
	case WB_RPC_UNKNOWN:
		return says(st, "RST_STREAM") || says(st, "stream removed") || says(st, "GOAWAY");
	default:
		return false;
	}
}

/* Until something is done or failed for good. */
static wb_status run(struct running *r, struct wb_err *err)
{
	struct wb_reapi *c = r->c;
	int64_t budget = r->x->timeout_ns > 0 ? r->x->timeout_ns : c->execute_timeout_ns;
	int64_t deadline = wb_clock_ns() + budget;
	unsigned lost = 0, busy = 0;
	struct wb_reapi_try t;
	WB_TRY(wb_reapi_try_init(&t, r->a, c, r->job, WB_REAPI_EXEC, execute_method, budget, err));
	t.execution = true;
	t.retry.max_tries = FRUITLESS_MAX;
	for (;;) {
		struct wb_call_options o;
		bool done;
		WB_TRY(wb_reapi_try_begin(&o, &t, err));
		bool wait = r->name != NULL;
		t.method = wait ? wait_method : execute_method;
		wb_status s = follow(&done, r, t.channel, &o, &t.st, err);
		if (r->heard)
			t.retry.tries = 1;
		if (wb_is_ok(s) && done) {
			wb_breaker_answered(&c->breaker);
			if (!r->failed)
				return wb_ok();
			s = fail_execution(r, &r->error, err);
			/* Busy or full may pass; out of time will not. */
			int64_t pause;
			if (s.code != WB_EUNAVAILABLE || r->error.code == WB_RPC_DEADLINE_EXCEEDED ||
			    busy++ >= AGAIN_MAX || !wb_retry_next(&pause, &t.retry, &r->error))
				return s;
			free(r->name);
			r->name = NULL;
			if (!wb_retry_sleep(pause, r->job->cancel))
				return wb_fail(err, WB_ECANCELED, "canceled before it was executed again");
			continue;
		}
		if (s.code == WB_ECANCELED && wb_canceled(r->job->cancel))
			return s;
		if (wb_is_ok(s)) { /* ended without a result */
			t.st.code = WB_RPC_UNAVAILABLE;
			s = wb_fail(err, WB_EUNAVAILABLE, "%s: the stream ended before the operation was done",
				    t.method);
		} else if (t.st.code != WB_RPC_OK && wait &&
			   (t.st.code == WB_RPC_NOT_FOUND || t.st.code == WB_RPC_UNIMPLEMENTED)) {
			/* The server forgot the operation (or never remembers any): execute once more. */
			free(r->name);
			r->name = NULL;
			if (lost++ == 0)
				continue;
			return wb_fail_prefix(err, (wb_status){WB_EUNAVAILABLE}, "the operation was lost twice");
		} else if (t.st.code != WB_RPC_OK && !broken(&t.st)) {
			wb_breaker_answered(&c->breaker);
			return fail_execution(r, &t.st, err);
		} else if (t.st.code != WB_RPC_OK) {
			if (t.st.code != WB_RPC_RESOURCE_EXHAUSTED)
				t.st.code = WB_RPC_UNAVAILABLE;
			s = (wb_status){WB_EUNAVAILABLE};
		}
		if (wb_clock_ns() >= deadline || !wb_reapi_try_again(&t, &s, err))
			return s;
	}
}

static int64_t between(const Google__Protobuf__Timestamp *from, const Google__Protobuf__Timestamp *to)
{
	const int64_t sane = (int64_t)1 << 33; /* seconds: the year 2242 */
	if (from == NULL || to == NULL || from->seconds < 0 || to->seconds < from->seconds || to->seconds > sane)
		return 0;
	int64_t ns = (to->seconds - from->seconds) * 1000000000 + to->nanos - from->nanos;
	return ns > 0 ? ns : 0;
}

wb_status wb_reapi_execute(struct wb_action_result *out, struct wb_arena *a, struct wb_reapi *c,
			   struct wb_reapi_job *job, const struct wb_digest *action, struct wb_reapi_execution *x,
			   struct wb_err *err)
{
	struct wb_reapi_capabilities caps;
	struct running r = {.c = c, .job = job, .action = action, .x = x, .a = a};
	x->queued_ns = x->worker_ns = 0;
	x->cached = false;
	WB_TRY(wb_reapi_need(&caps, c, job->cancel, err));
	if (!caps.exec)
		return wb_fail(err, WB_EREFUSED,
			       "%s: the server does not execute (its capabilities say so): use mode = cache", c->name);
	wb_status s = run(&r, err);
	/* Canceled, or given up while it may still run. */
	if (s.code == WB_ECANCELED || (s.code == WB_EUNAVAILABLE && !r.failed))
		cancel_operation(&r);
	free(r.name);
	WB_TRY(s);
	const wb_re_action_result *m = r.response->result;
	if (m == NULL)
		return wb_fail(err, WB_EPROTO, "%s: Execution/Execute: a response without a result", c->name);
	x->cached = r.response->cached_result != 0;
	if (m->execution_metadata != NULL) {
		x->queued_ns =
		    between(m->execution_metadata->queued_timestamp, m->execution_metadata->worker_start_timestamp);
		x->worker_ns = between(m->execution_metadata->worker_start_timestamp,
				       m->execution_metadata->worker_completed_timestamp);
	}
	struct wb_result_texts texts;
	s = wb_result_take(out, &texts, a, m, err);
	if (!wb_is_ok(s))
		return wb_fail_prefix(err, s, "%s", c->name);
	s = wb_reapi_fetch_texts(out, a, c, job, &texts, err);
	/* A lost text is not a lost input: uploading everything again would not bring it back. */
	return s.code == WB_ENOENT ? (wb_status){WB_EUNAVAILABLE} : s;
}
