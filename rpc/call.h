/* call.h — calls on a channel, for callers that wait: each blocks its thread on a condition, not on a poll of its own.
 * Every call has a deadline and can be cancelled from another thread through a flag (looked at ten times a second).
 * Thread-safe as far as the channel goes; one call belongs to one thread. */
#ifndef WB_RPC_CALL_H
#define WB_RPC_CALL_H

#include "base/arena.h"
#include "rpc/channel.h"
#include "rpc/status.h"

#include <google/protobuf-c/protobuf-c.h>
#include <stdatomic.h>

struct wb_call_options {
	int64_t timeout_ns;        /* > 0, from now; bounds the whole call, connecting included */
	const atomic_bool *cancel; /* may be NULL */
	/* Header added to the call, e.g. "requestmetadata-bin" (a name that ends in -bin carries raw bytes). NULL:
	 * none. */
	const char *header;
	const void *header_value;
	size_t header_len;
};

/* One request, one reply. `method` is "/package.Service/Method". The reply is decoded into `a` (limit:
 * wb_message_memory). Not OK: `*st` and `err` say why (wb_rpc_status_fail); WB_ECANCELED when the flag was the reason;
 * WB_EPROTO when the reply does not parse. */
wb_status wb_call_unary(ProtobufCMessage **reply, struct wb_arena *a, struct wb_channel *c, const char *method,
			const ProtobufCMessage *request, const ProtobufCMessageDescriptor *reply_type,
			const struct wb_call_options *o, struct wb_rpc_status *st, struct wb_err *err);

/* Streams. A call is opened, messages are sent and received, and it is finished; freeing one that is not finished
 * cancels it. */
struct wb_call;
wb_status wb_call_open(struct wb_call **out, struct wb_channel *c, const char *method, const struct wb_call_options *o,
		       struct wb_err *err);
/* WB_EUNAVAILABLE: the server ended the call, wb_call_finish says how (it may be OK: a server that has the blob already
 * stops reading). */
wb_status wb_call_send(struct wb_call *call, const ProtobufCMessage *m, struct wb_err *err);
/* No more will be sent. */
wb_status wb_call_send_end(struct wb_call *call, struct wb_err *err);
/* The next message. WB_ENOENT: there is none, the call has ended (wb_call_finish says how). */
wb_status wb_call_receive(ProtobufCMessage **out, struct wb_arena *a, struct wb_call *call,
			  const ProtobufCMessageDescriptor *type, struct wb_err *err);
/* Wait for the end (what was not received is lost). */
wb_status wb_call_finish(struct wb_call *call, struct wb_rpc_status *st, struct wb_err *err);
void wb_call_free(struct wb_call *call);

#endif
