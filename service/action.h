/* action.h — from the rewritten command and its inputs to REAPI messages: Command, the Directory tree, Action;
 * serialised canonically (each once) and hashed. Pure: no I/O.
 *
 * The tree has one directory around everything (WB_ACTION_PREFIX), so that working_directory is never empty. */
#ifndef WB_SERVICE_ACTION_H
#define WB_SERVICE_ACTION_H

#include "base/digest.h"
#include "base/err.h"
#include "pchfix/rewrite.h"
#include "reapi/blob.h"
#include "scanner/inputs.h"

#define WB_ACTION_PREFIX "r"

struct wb_directories;

struct wb_action_in {
	const struct wb_rewrite *rewrite;
	const struct wb_inputs *inputs;
	const struct wb_roots *roots;
	const struct wb_toolchain *tc;
	const char *const *env;             /* of the action, sorted */
	struct wb_directories *directories; /* remembers serialised Directories between jobs; may be NULL */
	const char *platform;               /* the setting: "NAME=VALUE,..." */
};

struct wb_action {
	struct wb_digest digest; /* the action digest */
	struct wb_digest command, root;
	char salt_hex[WB_DIGEST_HEX];
	struct wb_blob
	    *blob; /* everything an executor needs: Action, Command, Directories, files (by path), overlay files */
	size_t nblob;
	const char *working_directory;
	const char *const
	    *output; /* [i]: rewrite->output[i] as an output path and in results, relative to working_directory */
};

/* WB_EINVAL: a malformed `platform`. WB_EUNSCANNABLE: the action cannot be said in REAPI's terms (an output outside of
 * the working directory, or behind a symlink; inputs that contradict each other); the text says what. It must run
 * locally. */
wb_status wb_action_build(struct wb_action *out, struct wb_arena *a, const struct wb_action_in *in, struct wb_err *err);

/* Only the digest of a system state: SHA-256 over sorted (path, digest) and the compiler's identity. */
void wb_action_salt(struct wb_digest *out, const struct wb_system_file *f, size_t n, const struct wb_digest *identity);

#endif
