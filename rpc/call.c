#define _GNU_SOURCE
#include "rpc/call.h"

#include "base/clock.h"
#include "rpc/client.h"
#include "rpc/text.h"
#include "wire/message.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METADATA_MAX = 2, WHAT_MAX = 256 };

static const int64_t look_ns = 90000000; /* how long a waiter goes without a look at its flag */
/* gRPC ends every call at its deadline. Should it not, this much later it is told to. */
static const int64_t grace_ns = 2000000000;

struct wb_call {
	struct wb_channel *channel;
	struct wb_rpc_grant grant;
	grpc_call *call;
	const atomic_bool *cancel;
	int64_t timeout_ns, deadline_ns;
	char what[WHAT_MAX]; /* "/package.Service/Method at grpc://host:port", for messages */

	/* Sent; must stay until the call ends. */
	grpc_metadata metadata[METADATA_MAX];
	size_t nmetadata;

	/* Received; gRPC's until `end` is done. */
	struct wb_rpc_op end;
	grpc_metadata_array initial, trailing;
	grpc_status_code code;
	grpc_slice details;

	struct wb_rpc_op step; /* a message sent or received */
	bool sent_end, canceled;
};

/* Making a call. */

static bool asked_to_cancel(const struct wb_call *c)
{
	return c->cancel != NULL && atomic_load(c->cancel);
}

static wb_status start(struct wb_call *c, struct wb_channel *channel, const char *method,
		       const struct wb_call_options *o, struct wb_err *err)
{
	int64_t now = wb_clock_ns();
	*c = (struct wb_call){.channel = channel, .cancel = o->cancel, .timeout_ns = o->timeout_ns};
	snprintf(c->what, sizeof c->what, "%s at %s", method, wb_channel_name(channel));
	if (o->timeout_ns <= 0)
		return wb_fail(err, WB_EINVAL, "%s: a call needs a time limit", c->what);
	if (asked_to_cancel(c))
		return wb_fail(err, WB_ECANCELED, "%s: canceled before it began", c->what);
	c->deadline_ns = o->timeout_ns > INT64_MAX / 2 - now ? INT64_MAX / 2 : now + o->timeout_ns;
	wb_channel_take(&c->grant, channel);
	grpc_slice name = grpc_slice_from_copied_string(method);
	gpr_timespec deadline =
	    gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(c->deadline_ns - now, GPR_TIMESPAN));
	c->call = grpc_channel_create_call(c->grant.channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->grant.queue, name, NULL,
					   deadline, NULL);
	grpc_slice_unref(name);
	if (c->grant.has_bearer)
		c->metadata[c->nmetadata++] = (grpc_metadata){.key = grpc_slice_from_static_string("authorization"),
							      .value = grpc_slice_ref(c->grant.bearer)};
	if (o->header != NULL)
		c->metadata[c->nmetadata++] =
		    (grpc_metadata){.key = grpc_slice_from_copied_string(o->header),
				    .value = grpc_slice_from_copied_buffer(o->header_value, o->header_len)};
	grpc_metadata_array_init(&c->initial);
	grpc_metadata_array_init(&c->trailing);
	c->code = GRPC_STATUS_UNKNOWN;
	c->details = grpc_empty_slice();
	wb_rpc_op_init(&c->end);
	wb_rpc_op_init(&c->step);
	return wb_ok();
}

/* Every operation is done. */
static void release(struct wb_call *c)
{
	if (c->call == NULL)
		return;
	grpc_call_unref(c->call);
	for (size_t i = 0; i < c->nmetadata; i++) {
		grpc_slice_unref(c->metadata[i].key);
		grpc_slice_unref(c->metadata[i].value);
	}
	grpc_metadata_array_destroy(&c->initial);
	grpc_metadata_array_destroy(&c->trailing);
	grpc_slice_unref(c->details);
	wb_rpc_op_release(&c->end);
	wb_rpc_op_release(&c->step);
	wb_channel_give_back(&c->grant);
}

static wb_status batch(struct wb_call *c, struct wb_rpc_op *op, const grpc_op *ops, size_t n, struct wb_err *err)
{
	wb_rpc_op_arm(op);
	grpc_call_error e = grpc_call_start_batch(c->call, ops, n, op, NULL);
	if (e == GRPC_CALL_OK)
		return wb_ok();
	pthread_mutex_lock(&op->lock);
	op->done = true; /* it never began */
	pthread_mutex_unlock(&op->lock);
	return wb_fail(err, WB_EINVAL, "%s: gRPC does not take the call: %s", c->what, grpc_call_error_to_string(e));
}

/* Wait for an operation; when the flag is raised, or the deadline is long over, the call is cancelled, which ends every
 * operation of it. */
static void await(struct wb_call *c, struct wb_rpc_op *op)
{
	for (;;) {
		int64_t now = wb_clock_ns(), until = c->deadline_ns + grace_ns;
		if (!c->canceled && (asked_to_cancel(c) || now >= until)) {
			c->canceled = true;
			grpc_call_cancel(c->call, NULL);
		}
		if (c->canceled || (c->cancel != NULL && until > now + look_ns))
			until = now + look_ns;
		if (wb_rpc_op_wait(op, until))
			return;
	}
}

/* The operations. */

static grpc_op op_send_headers(struct wb_call *c)
{
	return (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA,
			 .data.send_initial_metadata = {.count = c->nmetadata, .metadata = c->metadata}};
}

static grpc_op op_receive_headers(struct wb_call *c)
{
	return (grpc_op){.op = GRPC_OP_RECV_INITIAL_METADATA,
			 .data.recv_initial_metadata.recv_initial_metadata = &c->initial};
}

static grpc_op op_receive_status(struct wb_call *c)
{
	return (grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
			 .data.recv_status_on_client = {
			     .trailing_metadata = &c->trailing, .status = &c->code, .status_details = &c->details}};
}

static grpc_op op_send(grpc_byte_buffer *message)
{
	return (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message};
}

static grpc_op op_receive(grpc_byte_buffer **message)
{
	return (grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = message};
}

static grpc_op op_send_end(void)
{
	return (grpc_op){.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
}

/* Messages. */

/* Serialised straight into the memory that gRPC sends from. */
static grpc_byte_buffer *pack(const ProtobufCMessage *m)
{
	grpc_slice s = grpc_slice_malloc(protobuf_c_message_get_packed_size(m));
	protobuf_c_message_pack(m, GRPC_SLICE_START_PTR(s));
	grpc_byte_buffer *b = grpc_raw_byte_buffer_create(&s, 1);
	grpc_slice_unref(s);
	return b;
}

static wb_status unpack(ProtobufCMessage **out, struct wb_arena *a, const struct wb_call *c, grpc_byte_buffer *b,
			const ProtobufCMessageDescriptor *type, struct wb_err *err)
{
	grpc_byte_buffer_reader reader;
	if (!grpc_byte_buffer_reader_init(&reader, b))
		return wb_fail(err, WB_EPROTO, "%s: the reply cannot be decompressed", c->what);
	/* A message that came in one piece is read where it is. */
	grpc_slice whole = grpc_empty_slice();
	if (b->data.raw.slice_buffer.count > 1 || !grpc_byte_buffer_reader_next(&reader, &whole))
		whole = grpc_byte_buffer_reader_readall(&reader);
	size_t n = GRPC_SLICE_LENGTH(whole);
	wb_status s = wb_message_decode(out, a, type, GRPC_SLICE_START_PTR(whole), n, wb_message_memory(n), err);
	grpc_slice_unref(whole);
	grpc_byte_buffer_reader_destroy(&reader);
	return wb_is_ok(s) ? s : wb_fail_prefix(err, s, "the reply to %s", c->what);
}

/* How it ended. */

static void read_details(struct wb_rpc_status *st, const grpc_metadata_array *trailing)
{
	struct wb_arena scratch;
	wb_arena_init(&scratch);
	for (size_t i = 0; i < trailing->count; i++) {
		const grpc_metadata *m = &trailing->metadata[i];
		if (grpc_slice_str_cmp(m->key, "grpc-status-details-bin") == 0)
			wb_rpc_status_details(st, &scratch, GRPC_SLICE_START_PTR(m->value), GRPC_SLICE_LENGTH(m->value),
					      false);
	}
	wb_arena_release(&scratch);
}

static void status_init(struct wb_rpc_status *st, int code, const char *message)
{
	*st = (struct wb_rpc_status){.code = code, .retry_delay_ns = -1};
	wb_rpc_text(st->message, sizeof st->message, message, strlen(message));
}

/* `end` is done. */
static wb_status ended(struct wb_rpc_status *st, const struct wb_call *c, struct wb_err *err)
{
	status_init(st, (int)c->code, "");
	wb_rpc_text(st->message, sizeof st->message, GRPC_SLICE_START_PTR(c->details), GRPC_SLICE_LENGTH(c->details));
	read_details(st, &c->trailing);
	if (st->code == WB_RPC_OK)
		return wb_ok();
	if (c->canceled && asked_to_cancel(c)) {
		status_init(st, WB_RPC_CANCELLED, "canceled");
		return wb_fail(err, WB_ECANCELED, "%s: canceled", c->what);
	}
	if (wb_clock_ns() >= c->deadline_ns && (st->code == WB_RPC_DEADLINE_EXCEEDED || st->code == WB_RPC_CANCELLED)) {
		st->code = WB_RPC_DEADLINE_EXCEEDED;
		snprintf(st->message, sizeof st->message, "no answer within %.3g s", (double)c->timeout_ns / 1e9);
	}
	wb_channel_explain(st, c->channel);
	return wb_rpc_status_fail(err, st, c->what);
}

/* The code of a call that failed on this side, for those who look at `st` alone. */
static wb_status failed_here(struct wb_rpc_status *st, wb_status s, const struct wb_err *err)
{
	if (!wb_is_ok(s))
		status_init(st,
			    s.code == WB_ECANCELED ? WB_RPC_CANCELLED
			    : s.code == WB_EPROTO  ? WB_RPC_INTERNAL
						   : WB_RPC_INVALID_ARGUMENT,
			    err == NULL ? "" : err->text);
	return s;
}

wb_status wb_call_unary(ProtobufCMessage **reply, struct wb_arena *a, struct wb_channel *c, const char *method,
			const ProtobufCMessage *request, const ProtobufCMessageDescriptor *reply_type,
			const struct wb_call_options *o, struct wb_rpc_status *st, struct wb_err *err)
{
	struct wb_call call;
	*reply = NULL;
	status_init(st, WB_RPC_OK, "");
	wb_status s = start(&call, c, method, o, err);
	if (!wb_is_ok(s))
		return failed_here(st, s, err);
	grpc_byte_buffer *out = pack(request), *in = NULL;
	const grpc_op ops[] = {
	    op_send_headers(&call),    op_send(out),    op_send_end(),
	    op_receive_headers(&call), op_receive(&in), op_receive_status(&call),
	};
	s = batch(&call, &call.end, ops, sizeof ops / sizeof ops[0], err);
	if (!wb_is_ok(s)) {
		s = failed_here(st, s, err);
		goto out;
	}
	await(&call, &call.end);
	s = ended(st, &call, err);
	if (!wb_is_ok(s))
		goto out;
	s = in != NULL ? unpack(reply, a, &call, in, reply_type, err)
		       : wb_fail(err, WB_EPROTO, "%s: the server says OK, but sent no reply", call.what);
	s = failed_here(st, s, err);
out:
	grpc_byte_buffer_destroy(out);
	grpc_byte_buffer_destroy(in);
	release(&call);
	return s;
}

/* Streams. */

wb_status wb_call_open(struct wb_call **out, struct wb_channel *c, const char *method, const struct wb_call_options *o,
		       struct wb_err *err)
{
	struct wb_call *call = wb_xcalloc(1, sizeof *call);
	*out = NULL;
	wb_status s = start(call, c, method, o, err);
	if (wb_is_ok(s)) {
		const grpc_op ops[] = {op_send_headers(call), op_receive_headers(call), op_receive_status(call)};
		s = batch(call, &call->end, ops, sizeof ops / sizeof ops[0], err);
	}
	if (!wb_is_ok(s)) {
		release(call);
		free(call);
		return s;
	}
	*out = call;
	return s;
}

static wb_status stopped(const struct wb_call *c, struct wb_err *err)
{
	if (c->canceled && asked_to_cancel(c))
		return wb_fail(err, WB_ECANCELED, "%s: canceled", c->what);
	return wb_fail(err, WB_EUNAVAILABLE, "%s: the server ended the call", c->what);
}

wb_status wb_call_send(struct wb_call *call, const ProtobufCMessage *m, struct wb_err *err)
{
	grpc_byte_buffer *b = pack(m);
	const grpc_op op = op_send(b);
	wb_status s = batch(call, &call->step, &op, 1, err);
	if (wb_is_ok(s)) {
		await(call, &call->step);
		if (!call->step.ok)
			s = stopped(call, err);
	}
	grpc_byte_buffer_destroy(b);
	return s;
}

wb_status wb_call_send_end(struct wb_call *call, struct wb_err *err)
{
	if (call->sent_end)
		return wb_ok();
	call->sent_end = true;
	const grpc_op op = op_send_end();
	WB_TRY(batch(call, &call->step, &op, 1, err));
	await(call, &call->step);
	return call->step.ok ? wb_ok() : stopped(call, err);
}

/* NULL: the call has ended. */
static wb_status receive(grpc_byte_buffer **b, struct wb_call *call, struct wb_err *err)
{
	*b = NULL;
	const grpc_op op = op_receive(b);
	WB_TRY(batch(call, &call->step, &op, 1, err));
	await(call, &call->step);
	return wb_ok();
}

wb_status wb_call_receive(ProtobufCMessage **out, struct wb_arena *a, struct wb_call *call,
			  const ProtobufCMessageDescriptor *type, struct wb_err *err)
{
	grpc_byte_buffer *b;
	*out = NULL;
	WB_TRY(receive(&b, call, err));
	if (b == NULL) {
		if (call->canceled)
			return stopped(call, err);
		return wb_fail(err, WB_ENOENT, "%s: no further message", call->what);
	}
	wb_status s = unpack(out, a, call, b, type, err);
	grpc_byte_buffer_destroy(b);
	return s;
}

wb_status wb_call_finish(struct wb_call *call, struct wb_rpc_status *st, struct wb_err *err)
{
	grpc_byte_buffer *b;
	/* A server that still reads must learn that nothing comes; one that has ended the call does not mind. */
	wb_ignore(wb_call_send_end(call, NULL));
	/* gRPC shows the status once the messages before it were taken. */
	while (wb_is_ok(receive(&b, call, NULL)) && b != NULL)
		grpc_byte_buffer_destroy(b);
	await(call, &call->end);
	return ended(st, call, err);
}

void wb_call_free(struct wb_call *call)
{
	if (call == NULL)
		return;
	if (!wb_rpc_op_wait(&call->end, 0)) {
		call->canceled = true;
		grpc_call_cancel(call->call, NULL);
		await(call, &call->end);
	}
	release(call);
	free(call);
}
