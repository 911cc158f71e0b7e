/* client.h — a client of one Remote Execution API cluster (bazelbuild/remote-apis v2): up to three endpoints, one
 * channel each, shared by all jobs. Knows digests, blobs and actions; nothing of compilers. Thread-safe: one client,
 * hundreds of jobs, each blocking its own thread.
 *
 * Failures, the same for every call:
 *   WB_EUNAVAILABLE  the server is down, slow, busy or full, after jittered retries within a bounded time; or known to
 * be down (then at once): the caller does it elsewhere WB_EREFUSED      the server says no and will say so again:
 * credentials, instance name, platform, limits WB_EPROTO        the server broke the protocol: a wrong digest, a path
 * outside, a stream that lies about its length WB_ENOENT        an action result or blob is not there WB_ECANCELED the
 * job's flag The text names endpoint, method and what to do where that is known.
 *
 * A server that is down is noticed once, not by every job: after WB_REAPI_DOWN_AFTER calls in a row that ended
 * UNAVAILABLE or ran out of time, or a failed connect, further calls fail at once, while one thread of the client asks
 * GetCapabilities again with growing pauses (1 s to 30 s). */
#ifndef WB_REAPI_CLIENT_H
#define WB_REAPI_CLIENT_H

#include "base/arena.h"
#include "reapi/blob.h"
#include "reapi/messages.h"
#include "rpc/channel.h"

#include <stdatomic.h>

#define WB_REAPI_DOWN_AFTER 3

struct wb_re_property {
	const char *name, *value;
};

struct wb_reapi_config {
	/* text "" of cas and cache: the same as exec. In cache-only use exec may be "" and then cas and cache are
	 * needed. */
	struct wb_endpoint exec, cas, cache;
	struct wb_credential_files files;
	const char *instance;   /* may be "" */
	int64_t rpc_timeout_ns; /* one look-up, batch or capability question, retries included; large transfers get this
				 * much again for every 16 MiB */
	int64_t execute_timeout_ns; /* one Execute, queue included */
	bool compress;              /* zstd where the server offers it */
	const char *version;        /* of the tool, for request metadata */
};

struct wb_reapi;

/* Connects to nobody yet: the first call does, and asks GetCapabilities first. */
wb_status wb_reapi_new(struct wb_reapi **out, struct wb_rpc *rpc, const struct wb_reapi_config *config,
		       struct wb_err *err);
void wb_reapi_free(struct wb_reapi *c); /* no call may be under way */

/* What one job adds to its calls. */
struct wb_reapi_job {
	const struct wb_digest *action; /* for request metadata; may be NULL */
	const atomic_bool *cancel;      /* may be NULL */
	int64_t sent, received;         /* out, added to: payload bytes on the wire (after compression) */
};

/* ActionCache.GetActionResult with small outputs and texts inline (asked for; servers may ignore it). Texts that came
 * as digests are fetched. WB_ENOENT: a miss. */
wb_status wb_reapi_lookup(struct wb_action_result *out, struct wb_arena *a, struct wb_reapi *c,
			  struct wb_reapi_job *job, const struct wb_digest *action, const char *const *inline_file,
			  size_t ninline, struct wb_err *err);
/* ActionCache.UpdateActionResult. WB_EREFUSED: the server does not let this client write. */
wb_status wb_reapi_update(struct wb_reapi *c, struct wb_reapi_job *job, const struct wb_digest *action,
			  const struct wb_action_result *result, struct wb_err *err);

/* Make sure that the server has every blob: a digest is asked for once and uploaded once, however many jobs need it at
 * the same time (the others wait for it), and remembered as there until wb_reapi_forget. A file is read once; WB_ESTALE
 * when what is read has another digest than was said (then nothing wrong was committed: the server checks too). */
wb_status wb_reapi_upload(struct wb_reapi *c, struct wb_reapi_job *job, const struct wb_blob *blob, size_t n,
			  struct wb_err *err);
/* What was remembered about these digests is no longer believed: the next upload asks again. */
void wb_reapi_forget(struct wb_reapi *c, const struct wb_blob *blob, size_t n);

struct wb_reapi_execution {
	bool skip_cache_lookup;
	int64_t timeout_ns;           /* 0: the configured one */
	atomic_int *stage;            /* out while it runs, may be NULL: ExecutionStage.Value */
	int64_t queued_ns, worker_ns; /* out: as the worker's metadata says; 0: unknown */
	bool cached;                  /* out: the server answered from its cache */
};
/* Execution.Execute; a broken stream goes on with WaitExecution. WB_ENOENT: the server misses a blob (NOT_FOUND,
 * FAILED_PRECONDITION with or without MISSING, or INTERNAL: servers differ): forget, upload and execute once more. A
 * cancelled job sends CancelOperation. Texts that came as digests are fetched. */
wb_status wb_reapi_execute(struct wb_action_result *out, struct wb_arena *a, struct wb_reapi *c,
			   struct wb_reapi_job *job, const struct wb_digest *action, struct wb_reapi_execution *x,
			   struct wb_err *err);

/* Fetch all: small ones in batches, large ones as streams; verified, and no file is renamed into place before every one
 * of them is there and right. WB_ENOENT: one is gone from the server. */
wb_status wb_reapi_fetch(struct wb_reapi *c, struct wb_arena *a, struct wb_reapi_job *job, struct wb_fetch *f, size_t n,
			 struct wb_err *err);

/* What GetCapabilities said, asked now if it is not known. Borrowed fields are copied into `a`. */
struct wb_reapi_capabilities {
	int low_major, low_minor, high_major, high_minor;
	bool sha256, exec, update;
	bool zstd_stream, zstd_batch;
	int64_t max_batch_bytes; /* 0: not said */
	int64_t max_blob_bytes;  /* 0: not said */
};
wb_status wb_reapi_capabilities(struct wb_reapi_capabilities *out, struct wb_reapi *c, struct wb_err *err);

/* Is the server known to be down? Then `text` (size `n`) says since when and why. */
bool wb_reapi_is_down(struct wb_reapi *c, char *text, size_t n);

/* "grpc://host:port" or all three, for messages and keys. Borrowed. */
const char *wb_reapi_name(const struct wb_reapi *c);

#endif
