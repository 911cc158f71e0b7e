/* One call, from the moment gRPC announces it to its status. */
#define _GNU_SOURCE
#include "base/clock.h"
#include "rpc/server_impl.h"
#include "wire/message.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEND_MAX    (64u << 20)
#define BUILTIN_MAX (64u << 10)  /* bytes of a request to health or reflection */
#define HELD_MAX    (256u << 20) /* bytes of requests that wait, all clients together */

static struct wb_server_call *ref(struct wb_server_call *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void wb_server_call_unref(struct wb_server_call *c)
{
	struct wb_rpc_server *s = c->server;

	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	pthread_mutex_lock(&s->lock);
	if (c->prev)
		c->prev->next = c->next;
	else
		s->calls = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->held -= c->held;
	pthread_mutex_unlock(&s->lock);
	if (c->request)
		grpc_byte_buffer_destroy(c->request);
	if (c->reply)
		grpc_byte_buffer_destroy(c->reply);
	grpc_slice_unref(c->status_text);
	grpc_call_unref(c->call);
	/* The server may be destroyed as soon as it counts no call. */
	pthread_mutex_lock(&s->lock);
	s->open--;
	if (c->admitted)
		s->admitted--;
	if (c->admitted && c->method) {
		atomic_store(&s->active_ns, wb_clock_ns());
		atomic_fetch_sub(&s->busy, 1);
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->changed);
	free(c);
}

/* Hand operations to gRPC; the tag's function gets a reference of its own. False: they were not taken. */
static bool start(struct wb_server_call *c, const grpc_op *ops, size_t n, struct wb_rpc_tag *tag)
{
	ref(c);
	atomic_store_explicit(&tag->handed, true, memory_order_release);
	if (grpc_call_start_batch(c->call, ops, n, tag, NULL) == GRPC_CALL_OK)
		return true;
	wb_server_call_unref(c);
	return false;
}

static size_t add_metadata(grpc_op *op, struct wb_server_call *c)
{
	if (c->metadata_sent)
		return 0;
	c->metadata_sent = true;
	op->op = GRPC_OP_SEND_INITIAL_METADATA;
	return 1;
}

static size_t add_status(grpc_op *op, struct wb_server_call *c, int code, const char *text)
{
	grpc_slice_unref(c->status_text);
	c->status_text = grpc_slice_from_copied_string(text);
	op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	op->data.send_status_from_server.status = (grpc_status_code)code;
	op->data.send_status_from_server.status_details = text[0] ? &c->status_text : NULL;
	return 1;
}

/* The end of a call. Nobody waits for it. */
static void finish(struct wb_server_call *c, int code, const char *text)
{
	grpc_op op[2] = {{0}};
	size_t n = add_metadata(&op[0], c);

	n += add_status(&op[n], c, code, text);
	if (!start(c, op, n, &c->finished))
		grpc_call_cancel(c->call, NULL);
}

static void on_finished(struct wb_rpc_tag *tag, bool ok)
{
	(void)ok; /* a client that left does not read its status */
	wb_server_call_unref(tag->owner);
}

static void on_closed(struct wb_rpc_tag *tag, bool ok)
{
	struct wb_server_call *c = tag->owner;

	if (!ok || c->was_cancelled) {
		atomic_store(&c->cancel, true);
		wb_server_call_wake(c);
	}
	wb_server_call_unref(c);
}

void wb_server_call_wake(struct wb_server_call *c)
{
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static bool start_receive(struct wb_server_call *c)
{
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

	op.data.recv_message.recv_message = &c->request;
	return start(c, &op, 1, &c->received);
}

/* A reply as gRPC wants it. */
static grpc_byte_buffer *buffer_of(const ProtobufCMessage *m, size_t n)
{
	grpc_slice slice = grpc_slice_malloc(n);

	protobuf_c_message_pack(m, GRPC_SLICE_START_PTR(slice));
	grpc_byte_buffer *b = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return b;
}

/* The request's bytes in one piece; give the slice back. False: gRPC could not. */
static bool take_request(grpc_slice *out, struct wb_server_call *c)
{
	grpc_byte_buffer_reader reader;
	bool ok = grpc_byte_buffer_reader_init(&reader, c->request) != 0;

	if (ok) {
		*out = grpc_byte_buffer_reader_readall(&reader);
		grpc_byte_buffer_reader_destroy(&reader);
	}
	grpc_byte_buffer_destroy(c->request);
	c->request = NULL;
	return ok;
}

/* Health and reflection: answer one message, here and now. */
static void answer_builtin(struct wb_server_call *c)
{
	struct wb_rpc_status st = {.code = WB_RPC_OK, .retry_delay_ns = -1};
	grpc_op op[3] = {{0}};
	ProtobufCMessage *reply = NULL;
	struct wb_arena a;
	grpc_slice slice;

	if (grpc_byte_buffer_length(c->request) > BUILTIN_MAX || !take_request(&slice, c)) {
		finish(c, WB_RPC_INVALID_ARGUMENT, "the request is too large for this method");
		return;
	}
	c->messages++;
	wb_arena_init(&a);
	c->then = c->builtin->answer(&reply, &st, &a, c->server, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
	grpc_slice_unref(slice);
	if (reply) {
		size_t n = add_metadata(&op[0], c);

		c->reply = buffer_of(reply, protobuf_c_message_get_packed_size(reply));
		op[n].op = GRPC_OP_SEND_MESSAGE;
		op[n++].data.send_message.send_message = c->reply;
		if (c->then == WB_BUILTIN_LAST)
			n += add_status(&op[n], c, WB_RPC_OK, "");
		if (!start(c, op, n, &c->sent))
			grpc_call_cancel(c->call, NULL);
	} else {
		finish(c, st.code, st.message);
	}
	wb_arena_release(&a);
}

static void on_received(struct wb_rpc_tag *tag, bool ok)
{
	struct wb_server_call *c = tag->owner;
	struct wb_rpc_server *s = c->server;

	if (c->pooled) { /* a handler waits for it; it holds the call, so `pooled` does not change */
		pthread_mutex_lock(&c->lock);
		c->receiving = false;
		c->op_ok = ok;
		pthread_cond_broadcast(&c->changed);
		pthread_mutex_unlock(&c->lock);
	} else if (!ok || atomic_load(&c->cancel)) {
		; /* gone, or gRPC refused the message and said so */
	} else if (!c->request && c->messages > 0) {
		finish(c, WB_RPC_OK, "");
	} else if (!c->request) {
		finish(c, WB_RPC_INVALID_ARGUMENT, "the call ended without a request");
	} else if (c->builtin) {
		answer_builtin(c);
	} else {
		size_t n = grpc_byte_buffer_length(c->request);

		pthread_mutex_lock(&s->lock);
		bool room = s->held + n <= HELD_MAX;
		if (room) {
			c->held = n;
			s->held += n;
			wb_server_queue_push(s, ref(c));
		}
		pthread_mutex_unlock(&s->lock);
		if (!room)
			finish(c, WB_RPC_RESOURCE_EXHAUSTED, "too many large requests are waiting; try again later");
	}
	wb_server_call_unref(c);
}

static void on_sent(struct wb_rpc_tag *tag, bool ok)
{
	struct wb_server_call *c = tag->owner;

	if (c->builtin) {
		grpc_byte_buffer_destroy(c->reply);
		c->reply = NULL;
		if (ok && c->then == WB_BUILTIN_MORE)
			start_receive(c); /* not taken: the call is over */
	} else {
		pthread_mutex_lock(&c->lock);
		c->sending = false;
		c->op_ok = ok;
		pthread_cond_broadcast(&c->changed);
		pthread_mutex_unlock(&c->lock);
	}
	wb_server_call_unref(c);
}

static bool named(grpc_slice method, const char *name)
{
	size_t n = strlen(name);

	return GRPC_SLICE_LENGTH(method) == n && memcmp(GRPC_SLICE_START_PTR(method), name, n) == 0;
}

static void look_up(struct wb_server_call *c, grpc_slice method)
{
	struct wb_rpc_server *s = c->server;

	for (size_t i = 0; i < s->nmethod; i++)
		if (named(method, s->method[i].name)) {
			c->method = &s->method[i];
			return;
		}
	for (const struct wb_builtin *b = wb_builtin_health; b->name; b++)
		if (named(method, b->name))
			c->builtin = b;
	for (const struct wb_builtin *b = wb_builtin_reflection; s->reflection && b->name; b++)
		if (named(method, b->name))
			c->builtin = b;
}

static void set_tag(struct wb_rpc_tag *tag, struct wb_server_call *c, void (*done)(struct wb_rpc_tag *, bool))
{
	tag->done = done;
	tag->owner = c;
}

static struct wb_server_call *make(struct wb_rpc_server *s, grpc_call *call)
{
	struct wb_server_call *c = wb_xcalloc(1, sizeof *c);
	pthread_condattr_t attr;

	c->server = s;
	c->call = call;
	c->status_text = grpc_empty_slice();
	atomic_init(&c->refs, 1);
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	set_tag(&c->closed, c, on_closed);
	set_tag(&c->received, c, on_received);
	set_tag(&c->sent, c, on_sent);
	set_tag(&c->finished, c, on_finished);
	return c;
}

void wb_server_call_begin(struct wb_rpc_server *s, grpc_call *call, grpc_slice method)
{
	struct wb_server_call *c = make(s, call);
	grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};

	look_up(c, method);
	pthread_mutex_lock(&s->lock);
	c->next = s->calls;
	if (s->calls)
		s->calls->prev = c;
	s->calls = c;
	s->open++;
	bool stopping = s->stopping, known = c->method || c->builtin;
	c->admitted = known && !stopping && s->admitted < s->calls_max;
	if (c->admitted) {
		s->admitted++;
		if (c->method) {
			atomic_fetch_add(&s->busy, 1);
			atomic_store(&s->active_ns, wb_clock_ns());
		}
	}
	pthread_mutex_unlock(&s->lock);
	op.data.recv_close_on_server.cancelled = &c->was_cancelled;
	if (!start(c, &op, 1, &c->closed))
		atomic_store(&c->cancel, true);
	if (stopping) {
		finish(c, WB_RPC_UNAVAILABLE, "the server is stopping");
	} else if (!known) {
		finish(c, WB_RPC_UNIMPLEMENTED, "unknown service or method");
	} else if (!c->admitted) {
		finish(c, WB_RPC_RESOURCE_EXHAUSTED, "too many calls at once; try again later");
	} else if (c->method && c->method->stream_requests) {
		pthread_mutex_lock(&s->lock);
		wb_server_queue_push(s, ref(c));
		pthread_mutex_unlock(&s->lock);
	} else if (!start_receive(c)) {
		grpc_call_cancel(c->call, NULL);
	}
	wb_server_call_unref(c);
}

/* Decode the message in c->request into `a`. */
static wb_status decode(ProtobufCMessage **out, struct wb_arena *a, struct wb_server_call *c, struct wb_err *err)
{
	const ProtobufCMessageDescriptor *type = c->method->request;
	grpc_slice slice;

	if (!take_request(&slice, c))
		return wb_fail(err, WB_EPROTO, "%s: compressed in a way that is not understood", type->name);
	size_t n = GRPC_SLICE_LENGTH(slice);
	wb_status st = wb_message_decode(out, a, type, GRPC_SLICE_START_PTR(slice), n, wb_message_memory(n), NULL);
	grpc_slice_unref(slice);
	if (!wb_is_ok(st))
		return wb_fail(err, st.code, "the request is not a %s: %zu bytes that do not parse", type->name, n);
	return st;
}

void wb_server_call_run(struct wb_server_call *c)
{
	struct wb_rpc_status st = {.code = WB_RPC_OK, .retry_delay_ns = -1};
	struct wb_rpc_server *s = c->server;
	struct wb_err err = WB_ERR_INIT;
	ProtobufCMessage *request = NULL;
	struct wb_arena a;

	wb_arena_init(&a);
	pthread_mutex_lock(&s->lock);
	bool stopping = s->stopping;
	s->held -= c->held;
	c->held = 0;
	pthread_mutex_unlock(&s->lock);
	if (stopping)
		wb_rpc_status_set(&st, WB_RPC_UNAVAILABLE, "the server is stopping");
	else if (atomic_load(&c->cancel))
		wb_rpc_status_set(&st, WB_RPC_CANCELLED, "cancelled while it waited");
	else if (!c->method->stream_requests && !wb_is_ok(decode(&request, &a, c, &err)))
		wb_rpc_status_set(&st, WB_RPC_INVALID_ARGUMENT, "%s", err.text);
	else
		c->method->run(&st, &a, c, request, c->method->arg);
	st.message[sizeof st.message - 1] = '\0';
	finish(c, st.code, st.code == WB_RPC_OK ? "" : st.message);
	wb_arena_release(&a);
}

/* Wait until a poller clears `*flag`. A client that stalls, and a server that stops, end the call instead: then gRPC
 * gives the operation back soon. */
static bool await(struct wb_server_call *c, const bool *flag, const char *stalled)
{
	int64_t until = wb_clock_ns() + c->server->stall_ns;
	struct timespec ts = {.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000)};
	bool told = false;

	pthread_mutex_lock(&c->lock);
	while (*flag) {
		bool cancelled = atomic_load(&c->cancel);

		if (!told && (cancelled || wb_clock_ns() >= until)) {
			told = true;
			pthread_mutex_unlock(&c->lock);
			grpc_call_cancel_with_status(
			    c->call, cancelled ? GRPC_STATUS_UNAVAILABLE : GRPC_STATUS_RESOURCE_EXHAUSTED,
			    cancelled ? "the server is stopping" : stalled, NULL);
			pthread_mutex_lock(&c->lock);
		} else if (told) {
			pthread_cond_wait(&c->changed, &c->lock);
		} else {
			pthread_cond_timedwait(&c->changed, &c->lock, &ts);
		}
	}
	bool ok = c->op_ok && !told; /* what we ended ourselves did not come to its own end */
	pthread_mutex_unlock(&c->lock);
	return ok;
}

const atomic_bool *wb_server_call_cancel(const struct wb_server_call *c)
{
	return &c->cancel;
}

wb_status wb_server_call_send(struct wb_server_call *c, const ProtobufCMessage *m, struct wb_err *err)
{
	grpc_op op[2] = {{0}};
	size_t size = protobuf_c_message_get_packed_size(m), n;

	if (size > SEND_MAX)
		return wb_fail(err, WB_ELIMIT, "%s: a reply of %zu bytes is over the limit of %u", c->method->name,
			       size, SEND_MAX);
	if (atomic_load(&c->cancel))
		return wb_fail(err, WB_ECANCELED, "%s: the client is gone", c->method->name);
	c->reply = buffer_of(m, size);
	n = add_metadata(&op[0], c);
	op[n].op = GRPC_OP_SEND_MESSAGE;
	op[n++].data.send_message.send_message = c->reply;
	c->sending = true;
	bool ok = start(c, op, n, &c->sent) && await(c, &c->sending, "the client does not read its replies");
	c->sending = false;
	grpc_byte_buffer_destroy(c->reply);
	c->reply = NULL;
	if (!ok) {
		atomic_store(&c->cancel, true);
		return wb_fail(err, WB_ECANCELED, "%s: the client is gone", c->method->name);
	}
	return wb_ok();
}

/* No message came: has the client said all it had to say, or did it break off? gRPC tells of the break later, but a
 * stream that was broken off takes no headers any more, and one that is merely complete does. */
static bool came_to_its_end(struct wb_server_call *c)
{
	grpc_op op[1] = {{0}};

	if (atomic_load(&c->cancel))
		return false;
	if (c->metadata_sent)
		return true; /* the next reply finds out */
	c->sending = true;
	bool ok = start(c, op, add_metadata(&op[0], c), &c->sent) && await(c, &c->sending, "the client is gone");
	c->sending = false;
	return ok;
}

wb_status wb_server_call_receive(ProtobufCMessage **out, struct wb_arena *a, struct wb_server_call *c,
				 struct wb_err *err)
{
	*out = NULL;
	if (atomic_load(&c->cancel))
		return wb_fail(err, WB_ECANCELED, "%s: the client is gone", c->method->name);
	c->receiving = true;
	bool ok = start_receive(c) && await(c, &c->receiving, "the client sends no more requests");
	c->receiving = false;
	if (!ok || (!c->request && !came_to_its_end(c))) {
		atomic_store(&c->cancel, true);
		return wb_fail(err, WB_ECANCELED, "%s: the client is gone", c->method->name);
	}
	if (!c->request)
		return wb_fail(err, WB_ENOENT, "%s: no more requests", c->method->name);
	return decode(out, a, c, err);
}
