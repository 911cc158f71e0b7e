/* reapi_peer.h — a small Remote Execution API server of our own to test the client with, which can be told to
 * misbehave: capabilities, content-addressable storage, ByteStream and Execution. It keeps its blobs in memory and
 * counts what it is asked. One per process: it lives from reapi_peer_start to reapi_peer_stop, and its blobs, counts
 * and lie outlive it. Every call takes the lock that its handlers take; starting, stopping and asking for the port is
 * for the test's own thread. */
#ifndef WB_TESTS_REAPI_PEER_H
#define WB_TESTS_REAPI_PEER_H

#include "base/digest.h"

#include <stdbool.h>
#include <stdint.h>

enum reapi_lie {
	HONEST,
	BATCH_LEAVES_OUT,
	BATCH_TWICE,
	BATCH_STRANGER,
	BATCH_OTHER_BYTES,
	BATCH_SHORT,
	BATCH_BOMB,
	BATCH_BUSY_ONCE, /* RESOURCE_EXHAUSTED for the first blob, the first time */
	BUSY_TWICE,      /* UNAVAILABLE, the first two calls */
	REFUSES,         /* PERMISSION_DENIED */
	READ_TRUNCATED,
	READ_ENDLESS,
	READ_OTHER_BYTES,
	READ_BREAKS_ONCE,
	WRITE_SHORT,
	WRITE_EARLY,
	WRITE_BREAKS_ONCE,
	EXECUTE_BREAKS,
	EXECUTE_LOST,
	EXECUTE_LOST_TWICE,
	EXECUTE_ENDS,
	EXECUTE_STATUS,
	EXECUTE_BUSY_ONCE,
	EXECUTE_NO_RESULT,
	EXECUTE_OUTSIDE,
	EXECUTE_HANGS, /* queued, and nothing more */
	NO_SHA256,
	OLD_API,
	NO_EXECUTION,
};

struct reapi_peer_counts {
	unsigned capabilities, found, updated, read, written, executed, waited; /* calls, or blobs */
	int64_t largest_batch;
	bool compressed;
};

/* On 127.0.0.1; `port` 0: any. */
void reapi_peer_start(int port);
void reapi_peer_stop(void); /* ends the calls that run */
bool reapi_peer_runs(void);
int reapi_peer_port(void);

/* All counts 0, no limit for batches, and this way of answering. */
void reapi_peer_reset(enum reapi_lie lie, bool zstd);
enum reapi_lie reapi_peer_lie(enum reapi_lie lie); /* from now on; returns what it was */
void reapi_peer_limit_batches(int64_t max_batch);
void reapi_peer_end_with(int code, const char *message); /* EXECUTE_STATUS; `message` is borrowed */
struct reapi_peer_counts reapi_peer_counts(void);

/* Its blobs. */
void reapi_peer_store(const struct wb_digest *d, const char *data); /* copied */
bool reapi_peer_has(const struct wb_digest *d);
void reapi_peer_forget(void); /* all of them */

#endif
