/* client.h — what channel.c and call.c share; nobody else includes it.
 *
 * Every batch of operations that is handed to gRPC has a `struct wb_rpc_op` as its tag. The thread that waits and the
 * thread that polls meet at the operation's mutex alone: what gRPC wrote before it completed the batch is the waiter's
 * once it has seen `done` under that mutex. */
#ifndef WB_RPC_CLIENT_H
#define WB_RPC_CLIENT_H

#include "rpc/call.h"
#include "rpc/channel.h"

#include <grpc/grpc.h>
#include <pthread.h>

struct wb_rpc_op {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* on the monotonic clock */
	bool done, ok;          /* ok: as gRPC reports it */
	atomic_bool handed; /* release by who hands it to gRPC, acquire by the poller: makes the lock itself visible */
};

void wb_rpc_op_init(struct wb_rpc_op *op);
void wb_rpc_op_release(struct wb_rpc_op *op);
/* Before it goes to gRPC (again). */
void wb_rpc_op_arm(struct wb_rpc_op *op);
/* Wait until it is done or `until_ns` (wb_clock_ns) is reached: false. */
bool wb_rpc_op_wait(struct wb_rpc_op *op, int64_t until_ns);

/* A gRPC channel with the TLS material it was made with. A call holds a reference: when the material changes, new calls
 * get a new one and this one goes with its last call. */
struct wb_rpc_link;

/* What a call needs from its channel, taken when it starts: reads credential files again that have changed. `*bearer`:
 * the value of the authorization header, `has_bearer` false: none. The caller gives back both. */
struct wb_rpc_grant {
	struct wb_rpc_link *link;
	grpc_channel *channel;
	grpc_completion_queue *queue;
	grpc_slice bearer;
	bool has_bearer;
};
void wb_channel_take(struct wb_rpc_grant *out, struct wb_channel *c);
void wb_channel_give_back(struct wb_rpc_grant *grant);

/* Add to the message of a failed call what to do about it, where gRPC's own words do not tell. */
void wb_channel_explain(struct wb_rpc_status *st, struct wb_channel *c);

#endif
