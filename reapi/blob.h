/* blob.h — what moves between a client of the Remote Execution API and what stores and executes: blobs, and the result
 * of an action. Shapes only. */
#ifndef WB_REAPI_BLOB_H
#define WB_REAPI_BLOB_H

#include "base/digest.h"

#include <stdbool.h>

/* Something to upload: bytes in memory, or a file on disk. */
struct wb_blob {
	struct wb_digest digest;
	const void *data; /* NULL: read `path` */
	const char *path;
};

/* Something to fetch: into memory (`path` NULL), or to a file. */
struct wb_fetch {
	struct wb_digest digest;
	const char *path; /* absolute. Written beside, verified, then renamed over it: fresh inode and mtime; mode 0644,
			   * or 0755 with exec */
	bool exec;
	const char *content; /* digest.size verified bytes that came with the result: nothing is fetched, they are
			      * written to `path` or become `data`. Else NULL */
	const char *data;    /* out, when `path` is NULL: digest.size bytes and a NUL, in the arena given */
};

struct wb_result_file {
	const char *path; /* relative to the action's working directory */
	struct wb_digest digest;
	bool exec;
	const char *data; /* the content, when the result carried it; else NULL */
};

/* An ActionResult, decoded and checked: every path is relative and without "..", every digest well-formed, no output is
 * a symlink or directory. Memory in the arena given. */
struct wb_action_result {
	int exit_code;
	struct wb_result_file *file;
	size_t nfile;
	const char *out_text, *err_text;
	size_t out_len, err_len;
	const char *worker; /* who ran it, "" when unknown */
};

#endif
