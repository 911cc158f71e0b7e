/* backend.h — what executes actions: the interface between `action` and the local store and sandbox, or a cluster. It
 * speaks REAPI's terms only: digests, blobs, ActionResult. A backend knows nothing of compilers, checkouts or depfiles.
 * Thread-safe: one backend, many jobs; each call blocks its thread.
 *
 * Failures that mean the same for every backend:
 *   WB_ENOENT        a result or blob is not there
 *   WB_EUNAVAILABLE, WB_EREFUSED, WB_EPROTO
 *                    a cluster is down or busy, says no, or broke the protocol: another backend may do it
 *   WB_ECANCELED     the job's flag */
#ifndef WB_SERVICE_BACKEND_H
#define WB_SERVICE_BACKEND_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"
#include "reapi/blob.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One job's dealings with a backend: what it says, and what it learns. */
struct wb_backend_call {
	struct wb_digest action;
	const char *const *platform_dirs; /* local backend: what stands for the worker's image; others ignore it */
	size_t nplatform_dirs;
	const char *const *inline_file; /* outputs that a look-up had better carry along (small ones) */
	size_t ninline_file;
	bool skip_cache;           /* execute: a result that the cache holds is not wanted */
	bool again;                /* upload: a blob turned out to be missing, nothing is believed to be there */
	int64_t timeout_ns;        /* of execute; 0: as configured */
	const atomic_bool *cancel; /* may be NULL */
	/* out */
	atomic_int stage;       /* of execute: REAPI's ExecutionStage (2 queued, 3 executing), 0: not yet known */
	int64_t sent, received; /* bytes taken in or sent; put in place or received. Added to */
	int64_t remote_sent, remote_received; /* of these, on the wire */
	int64_t queued_ns, ran_ns;            /* of execute: waiting for a slot or worker, executing */
	bool remote;                          /* the last result came from the cluster */
	const char *worker;                   /* who executed it, "" when unknown */
	enum wb_code trouble; /* the cluster failed and the backend went on without it (mode = cache); else WB_OK */
};

struct wb_backend {
	const char *name; /* "local", "remote", "cache" */
	bool worker;      /* executes on another machine, whose compiler and system files must be proven first */
	/* GetActionResult. WB_ENOENT: a miss. */
	wb_status (*lookup)(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
			    struct wb_backend_call *call, struct wb_err *err);
	/* FindMissingBlobs + upload of what is missing. WB_ESTALE: a file's content is not what its digest says: scan
	 * again. */
	wb_status (*upload)(struct wb_backend *b, struct wb_backend_call *call, const struct wb_blob *blob, size_t n,
			    struct wb_err *err);
	/* Execute. A result with exit code 0 is cached by the backend. WB_ENOENT: a blob is missing. */
	wb_status (*execute)(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
			     struct wb_backend_call *call, struct wb_err *err);
	/* Fetch outputs, all or none (reapi/blob.h). WB_ENOENT, WB_ECORRUPT: one is gone. */
	wb_status (*fetch)(struct wb_backend *b, struct wb_arena *a, struct wb_backend_call *call, struct wb_fetch *f,
			   size_t n, struct wb_err *err);
	void (*free)(struct wb_backend *b);
};

struct wb_store;
struct wb_action_cache;
struct wb_sandbox;
struct wb_slots;
struct wb_reapi;

/* The embedded backend: a single-node executor over store, action cache and sandbox (all borrowed). `slots` bounds how
 * many actions run at once. */
wb_status wb_backend_local_new(struct wb_backend **out, struct wb_store *store, struct wb_action_cache *cache,
			       struct wb_sandbox *sandbox, struct wb_slots *slots, struct wb_err *err);

/* A cluster. The client is borrowed. */
struct wb_backend *wb_backend_reapi_new(struct wb_reapi *client);

/* Executes on this machine, shares results through a cluster's cache: looks here, then there; what was executed here is
 * given to the cluster. Trouble with the cluster is noted in the call and otherwise passed over. All borrowed. */
struct wb_backend *wb_backend_cache_new(struct wb_backend *local, struct wb_store *store, struct wb_reapi *client);

#endif
