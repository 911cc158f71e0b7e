/* backend.h — what executes actions: the interface between `action` and the local store and sandbox, or a cluster. It
 * speaks REAPI's terms only: digests, blobs, ActionResult. A backend knows nothing of compilers, checkouts or depfiles.
 * Thread-safe: one backend, many jobs. */
#ifndef WB_SERVICE_BACKEND_H
#define WB_SERVICE_BACKEND_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Something to upload: bytes in memory, or a file on disk. */
struct wb_blob {
	struct wb_digest digest;
	const void *data; /* NULL: read `path` */
	const char *path;
};

struct wb_result_file {
	const char *path; /* relative to the action's working directory */
	struct wb_digest digest;
	bool exec;
};

/* An ActionResult, decoded. Memory in the arena given. */
struct wb_action_result {
	int exit_code;
	struct wb_result_file *file;
	size_t nfile;
	const char *out_text, *err_text;
	size_t out_len, err_len;
};

struct wb_execution {
	struct wb_digest action;
	const char *const *platform_dirs; /* local backend: what stands for the worker's image; others ignore it */
	size_t nplatform_dirs;
	const atomic_bool *cancel; /* may be NULL */
	int64_t queued_ns, ran_ns; /* out: time waiting for a slot, time executing */
};

struct wb_backend {
	const char *name; /* "local" */
	/* GetActionResult. WB_ENOENT: a miss. */
	wb_status (*lookup)(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
			    const struct wb_digest *action, struct wb_err *err);
	/* FindMissingBlobs + upload of what is missing. `*sent` counts bytes that travelled. WB_ESTALE: a file's
	 * content is not what its digest says: scan again. */
	wb_status (*upload)(struct wb_backend *b, const struct wb_blob *blob, size_t n, int64_t *sent,
			    struct wb_err *err);
	/* Execute (no cache look-up). A result with exit code 0 is cached by the backend. WB_ENOENT: a blob is missing.
	 */
	wb_status (*execute)(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
			     struct wb_execution *x, struct wb_err *err);
	/* Fetch one output to `path` (written beside, verified, renamed: fresh mtime). */
	wb_status (*fetch)(struct wb_backend *b, const struct wb_digest *d, const char *path, bool exec,
			   int64_t *received, struct wb_err *err);
	/* Fetch a small output (a depfile) into memory. */
	wb_status (*fetch_bytes)(struct wb_backend *b, char **data, struct wb_arena *a, const struct wb_digest *d,
				 int64_t *received, struct wb_err *err);
	void (*free)(struct wb_backend *b);
};

struct wb_store;
struct wb_action_cache;
struct wb_sandbox;
struct wb_slots;

/* The embedded backend: a single-node executor over store, action cache and sandbox (all borrowed). `slots` bounds how
 * many actions run at once. */
wb_status wb_backend_local_new(struct wb_backend **out, struct wb_store *store, struct wb_action_cache *cache,
			       struct wb_sandbox *sandbox, struct wb_slots *slots, struct wb_err *err);

#endif
