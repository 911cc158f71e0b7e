/* server_impl.h — the inside of the server, shared by its own files only.
 *
 * One completion queue and two threads that poll it. What the queue hands back is a `struct wb_rpc_tag`, whose function
 * runs on a polling thread and must not block. A call goes: accepted (server.c), its request received (server_call.c),
 * waiting its turn (server_queue.c), run by a thread of the pool, finished. Health and reflection are answered on the
 * polling threads, one message at a time, because a client that keeps such a call open must not hold a thread.
 *
 * Locks: `wb_rpc_server.lock` before `wb_server_call.lock`; gRPC is called under the former only to cancel. */
#ifndef WB_RPC_SERVER_IMPL_H
#define WB_RPC_SERVER_IMPL_H

#include "rpc/server.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdbool.h>

#define WB_RPC_ARMED   16 /* calls gRPC may hand over before the next one is asked for */
#define WB_RPC_POLLERS 2
#define WB_RPC_BUCKETS 256

/* What the queue hands back. `handed` orders this thread's writes before the poller's reads: gRPC does that too, but in
 * a library that ThreadSanitizer does not see. */
struct wb_rpc_tag {
	void (*done)(struct wb_rpc_tag *tag, bool ok);
	void *owner;
	atomic_bool handed;
};

/* Services of the server itself. */
enum wb_builtin_next {
	WB_BUILTIN_MORE, /* send the reply, then read the next request */
	WB_BUILTIN_LAST, /* send the reply and end the call */
	WB_BUILTIN_PARK, /* send the reply and keep the call open until the client ends it */
};

struct wb_builtin {
	const char *name;
	/* `*reply` in `a`; NULL: the call ends with `st`. */
	enum wb_builtin_next (*answer)(ProtobufCMessage **reply, struct wb_rpc_status *st, struct wb_arena *a,
				       const struct wb_rpc_server *s, const void *data, size_t n);
};
extern const struct wb_builtin wb_builtin_health[], wb_builtin_reflection[]; /* end with a NULL name */

struct wb_reflection;
/* The index over a FileDescriptorSet that is our own (its depth is not checked beyond a fixed limit). WB_ECORRUPT. */
wb_status wb_reflection_new(struct wb_reflection **out, const void *set, size_t n, struct wb_err *err);
void wb_reflection_free(struct wb_reflection *r);

/* Calls of one connection. */
struct wb_rpc_peer {
	struct wb_rpc_peer *bucket_next, *ring_next;
	struct wb_server_call *first, *last; /* waiting */
	unsigned running;
	bool in_ring;
	char name[];
};

struct wb_server_call {
	struct wb_rpc_server *server;
	grpc_call *call;
	const struct wb_rpc_method *method; /* one of these two, */
	const struct wb_builtin *builtin;   /* or neither: it is being refused */
	atomic_uint refs;                   /* operations under way, and whoever works on it */
	atomic_bool cancel;
	struct wb_server_call *next, *prev; /* of the server, under its lock */
	bool admitted, pooled;              /* counted; waits or runs. Under the server's lock */
	struct wb_rpc_peer *peer;
	struct wb_server_call *queue_next;
	struct wb_rpc_tag closed, received, sent, finished;
	int was_cancelled; /* written by gRPC */
	grpc_byte_buffer *request, *reply;
	size_t held; /* bytes of `request` counted in the server's `held` */
	unsigned messages;
	enum wb_builtin_next then;
	bool metadata_sent;
	grpc_slice status_text;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool receiving, sending, op_ok; /* a thread of the pool waits for this */
};

struct wb_rpc_accept {
	struct wb_rpc_tag tag;
	struct wb_rpc_server *server;
	grpc_call *call;
	grpc_call_details details;
	grpc_metadata_array metadata;
};

struct wb_rpc_server {
	grpc_server *grpc;
	grpc_completion_queue *cq;
	grpc_server_credentials *credentials;
	struct wb_rpc_method *method;
	size_t nmethod;
	struct wb_reflection *reflection; /* NULL: not offered */
	unsigned calls_max;
	int64_t stall_ns;
	int port;
	struct wb_rpc_accept accept[WB_RPC_ARMED];
	pthread_t poller[WB_RPC_POLLERS], *worker;
	unsigned npoller, nworker, peer_max; /* peer_max: threads that one connection may have */
	atomic_uint busy;
	atomic_llong active_ns;
	struct wb_rpc_tag shutdown;

	pthread_mutex_t adding; /* no connection is added while the server is shut down */
	pthread_mutex_t lock;
	pthread_cond_t work, changed; /* a call waits; a call ended */
	bool stopping, ending, shut_down;
	struct wb_server_call *calls;
	unsigned open, admitted, waiting, running;
	size_t held; /* bytes of requests that wait */
	struct wb_rpc_peer *bucket[WB_RPC_BUCKETS], *ring_first, *ring_last;
};

/* server_call.c */
/* A new call; takes `call` over. On a polling thread. */
void wb_server_call_begin(struct wb_rpc_server *s, grpc_call *call, grpc_slice method);
/* Decode, run the handler, send the status. On a thread of the pool. */
void wb_server_call_run(struct wb_server_call *c);
/* Wake the handler after `cancel` was set. */
void wb_server_call_wake(struct wb_server_call *c);
void wb_server_call_unref(struct wb_server_call *c);

/* server_queue.c: all under the server's lock but the thread's function. */
void wb_server_queue_push(struct wb_rpc_server *s, struct wb_server_call *c);
void *wb_server_queue_work(void *server);

/* server_listen.c: bind `listen`; `*port` is the real one. */
wb_status wb_server_listen(int *port, struct wb_rpc_server *s, const char *listen, struct wb_err *err);

/* Does the server have this service ("waybill.v1.Scanner", `n` bytes)? */
bool wb_server_has_service(const struct wb_rpc_server *s, const char *name, size_t n);
/* The service of "/package.Service/Method": a slice of `method`. */
const char *wb_method_service(size_t *n, const char *method);

#endif
