/* reapi_peer_state.h — the inside of reapi_peer.h, for its own files: what the server has, and its handlers. Everything
 * but `server` is touched by the handlers, many at a time: under the lock. */
#ifndef WB_TESTS_REAPI_PEER_STATE_H
#define WB_TESTS_REAPI_PEER_STATE_H

#include "reapi/messages.h"
#include "rpc/server.h"
#include "tests/unit/reapi_peer.h"

#include <pthread.h>

#define RE(name)   Build__Bazel__Remote__Execution__V2__##name
#define INIT(n, m) build__bazel__remote__execution__v2__##n##__init(m)
#define ZSTD       BUILD__BAZEL__REMOTE__EXECUTION__V2__COMPRESSOR__VALUE__ZSTD

enum { STORED_MAX = 64 };

struct reapi_peer_stored {
	struct wb_digest digest;
	char *data;
};

struct reapi_peer {
	struct wb_rpc_server *server; /* of the test's thread */
	pthread_mutex_t lock;
	struct reapi_peer_stored stored[STORED_MAX];
	size_t n;
	enum reapi_lie lie;
	bool zstd;
	int64_t max_batch;
	int code; /* EXECUTE_STATUS */
	const char *message;
	struct reapi_peer_counts seen;
};

extern struct reapi_peer reapi_peer;

/* Both with the lock held. NULL: it is not there. */
void reapi_peer_keep(const struct wb_digest *d, const char *data);
const char *reapi_peer_stored(const struct wb_digest *d);

void reapi_peer_reply(struct wb_rpc_status *st, struct wb_server_call *call, const ProtobufCMessage *m);

typedef void reapi_peer_method(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			       const ProtobufCMessage *request, void *arg);
/* reapi_peer_blobs.c */
reapi_peer_method reapi_peer_find_missing, reapi_peer_batch_update, reapi_peer_batch_read, reapi_peer_read_blob,
    reapi_peer_write_blob;
/* reapi_peer_execution.c */
reapi_peer_method reapi_peer_execute, reapi_peer_wait_execution;

#endif
