/* sandbox.h — run one command where only its input root exists. With bubblewrap: the root (hard links to the store)
 * mounted read-only at /w, output directories writable on top, inputs inside them bound read-only again; /usr and the
 * other platform directories read-only; private /tmp, /proc, /dev; no network; nothing else of the host. Without
 * namespaces: a bare directory on copies. docs/sandbox.md has the measurements. Thread-safe. */
#ifndef WB_SERVICE_SANDBOX_H
#define WB_SERVICE_SANDBOX_H

#include "base/err.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdbool.h>

enum wb_sandbox_kind { WB_SANDBOX_BWRAP, WB_SANDBOX_NONE };

struct wb_sandbox;

/* `choice` is the `sandbox` setting: auto, bwrap, none. "auto" tries bubblewrap once, here. */
wb_status wb_sandbox_new(struct wb_sandbox **out, const char *choice, struct wb_err *err);
void wb_sandbox_free(struct wb_sandbox *s);
enum wb_sandbox_kind wb_sandbox_kind(const struct wb_sandbox *s);
/* Why bubblewrap is not used ("" when it is). Borrowed. */
const char *wb_sandbox_why_not(const struct wb_sandbox *s);

struct wb_sandbox_run {
	const char *const *argv; /* NULL-terminated */
	const char *const *env;  /* the whole environment of the command */
	const char *root;        /* host directory that holds the laid-out input root */
	const char *out; /* host directory that receives the output directories' content (bwrap only; else NULL) */
	const char *working_directory; /* relative to root */
	const char *const
	    *out_dir; /* directories (relative to root) that are writable, sorted; each exists under `out` */
	size_t nout_dir;
	const char *const *inner; /* inputs (relative to root) that lie in an out_dir: bound read-only again */
	size_t ninner;
	const char *const *platform; /* absolute host directories (and symlinks) to show read-only */
	size_t nplatform;
	const atomic_bool *cancel;
	struct wb_buf *stdout_buf, *stderr_buf;
};

/* `*exit_code`: the command's; 128 + signal when it was killed. Fails only when the sandbox itself failed. */
wb_status wb_sandbox_run(int *exit_code, struct wb_sandbox *s, const struct wb_sandbox_run *run, struct wb_err *err);

#endif
