/* server.h — a gRPC server for protobuf-c messages: methods are registered, then connections come from a listening
 * address or as accepted descriptors. Handlers run on threads of the server's own pool, never on the ones that poll.
 *
 * Anything that is not registered is answered UNIMPLEMENTED; a message over `receive_max` RESOURCE_EXHAUSTED; one that
 * does not parse INVALID_ARGUMENT; a call whose deadline passes or whose client goes away has its cancel flag set. More
 * calls than `calls_max` at once: RESOURCE_EXHAUSTED at once, so that a flood cannot use up memory; those above
 * `threads` wait their turn, first come, first served, each client's connection in turn, and no connection has all the
 * threads. Compressed requests: UNIMPLEMENTED. */
#ifndef WB_RPC_SERVER_H
#define WB_RPC_SERVER_H

#include "base/arena.h"
#include "base/err.h"
#include "rpc/status.h"

#include <google/protobuf-c/protobuf-c.h>
#include <stdatomic.h>
#include <stdint.h>

struct wb_rpc_server;
struct wb_server_call;

/* One method. */
struct wb_rpc_method {
	const char *name; /* "/waybill.v1.Scanner/Scan" */
	const ProtobufCMessageDescriptor *request;
	/* Returns the status to end the call with (code and message). `request` and everything made for the reply live
	 * in `a`. A unary method sends exactly one message with wb_server_call_send and returns OK, or returns another
	 * code. A method with `stream_requests` gets NULL and receives by itself. */
	void (*run)(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		    const ProtobufCMessage *request, void *arg);
	void *arg;
	bool stream_requests;
};

struct wb_rpc_server_config {
	const struct wb_rpc_method *method; /* copied; names and descriptors are borrowed */
	size_t nmethod;
	/* Serialised FileDescriptorSet of the services, for the reflection service; NULL: none. Borrowed. The health
	 * service is always there. */
	const void *descriptors;
	size_t descriptors_len;
	size_t receive_max; /* bytes of one request; 0: 64 MiB */
	unsigned threads;   /* handlers at once; 0: 8 */
	unsigned calls_max; /* 0: 4096 */
	int64_t stall_ns;   /* how long a handler waits for its client to read or send a message; 0: 60 s */
	const char
	    *listen; /* "127.0.0.1:PORT", "[::1]:PORT", "localhost:PORT" (port 0: any) or NULL. Nothing but loopback */
};

/* WB_EINVAL: `listen` is not a loopback address. WB_EBUSY: the port is taken. */
wb_status wb_rpc_server_new(struct wb_rpc_server **out, const struct wb_rpc_server_config *config, struct wb_err *err);
/* No new calls; those that run are cancelled and waited for (at most `grace_ns`); then connections are cut. Once. */
void wb_rpc_server_stop(struct wb_rpc_server *s, int64_t grace_ns);
void wb_rpc_server_free(
    struct wb_rpc_server *s); /* stops it first if need be; waits for handlers however long they take */
int wb_rpc_server_port(const struct wb_rpc_server *s); /* of `listen`; 0: none */
/* Calls of the registered methods that run or wait (not health and reflection). */
unsigned wb_rpc_server_busy(const struct wb_rpc_server *s);
/* When one last began or ended (wb_clock_ns); when the server was made, before any. */
int64_t wb_rpc_server_active_ns(const struct wb_rpc_server *s);

/* Serve gRPC on a connected socket (its first bytes are still unread). Takes `fd` over, whatever happens.
 * WB_EUNAVAILABLE: the server stops. */
wb_status wb_rpc_server_add(struct wb_rpc_server *s, int fd, struct wb_err *err);

/* For handlers. */
/* Becomes true when the client went away, the deadline passed or the server stops. Borrowed, lives as long as the call.
 */
const atomic_bool *wb_server_call_cancel(const struct wb_server_call *c);
/* Blocks until gRPC took the message over (flow control). WB_ECANCELED: the client is gone, or did not read for
 * `stall_ns` (then the call is cancelled). WB_ELIMIT: larger than 64 MiB. */
wb_status wb_server_call_send(struct wb_server_call *c, const ProtobufCMessage *m, struct wb_err *err);
/* With stream_requests: the next one. WB_ENOENT: no more. WB_ECANCELED: as for sending. WB_EPROTO: it does not parse.
 * The handler holds a thread while it waits. */
wb_status wb_server_call_receive(ProtobufCMessage **out, struct wb_arena *a, struct wb_server_call *c,
				 struct wb_err *err);

/* Shorthand for handlers: set code and message. */
void wb_rpc_status_set(struct wb_rpc_status *st, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
