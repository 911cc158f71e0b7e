/* input_root.h — an action's input root on disk, laid out from the Directory tree in the store, and what of it a
 * sandbox must mount how. One belongs to one action and one thread; memory in the arena given.
 *
 * With hard links (shared with the store, so the root must only be seen read-only): ROOT holds all inputs, OUT what is
 * writable. An output directory is OUT/<dir>, mounted over the input root; the inputs that lie in it are mounted
 * read-only on top of that, whole directories at once where no output directory lies in them. Where that would be more
 * than WB_INPUT_ROOT_MOUNTS files (sources compiled in their own directory; a mount costs 0.2 ms and more the more
 * there are), private copies lie in OUT. With copies only: ROOT holds all, everything is writable, nothing is shared
 * with the store.
 *
 * A ROOT that only ever was seen read-only is kept and made into the next action's by what differs: two compiles of one
 * target share nearly all inputs, and making and removing 40 directories costs 10 ms and more on ext4 (which looks for
 * an inode that was not freed lately). */
#ifndef WB_SERVICE_INPUT_ROOT_H
#define WB_SERVICE_INPUT_ROOT_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"

#include "base/map.h"

#include <stdbool.h>

struct wb_store;
struct wb_pins;
struct input_root_laid;
struct input_root_copy;

enum {
	WB_INPUT_ROOT_MOUNTS = 24,     /* files mounted one by one */
	WB_INPUT_ROOT_NODES = 1000000, /* of one tree, repeated directories counted each time */
	WB_INPUT_ROOT_DEPTH = 200
};

/* The roots that are kept between actions, for one store. Thread-safe. Given up when the store evicts. */
struct wb_input_roots;
struct wb_input_roots *wb_input_roots_new(struct wb_store *store);
void wb_input_roots_free(struct wb_input_roots *k);

struct wb_input_root {
	const char *root; /* ROOT */
	const char *out;  /* OUT; with copies: ROOT */
	bool copies;
	/* What a sandbox mounts over ROOT, sorted, relative: writable directories, and inputs read-only on top. */
	const char **out_dir, **inner;
	size_t nout_dir, ninner, cap_out_dir, cap_inner;
	/* internal */
	struct wb_arena *a;
	struct wb_input_roots *kept;
	struct wb_pins *pins;
	struct wb_map linked; /* hash and exec bit of the blobs that are linked in this root */
	struct input_root_laid *laid;
	bool good;               /* ROOT is what `laid` says, and may be kept */
	const char *const *want; /* output directories, sorted */
	size_t nwant, nodes, nmount_files;
	struct input_root_copy *copy;
	size_t ncopy, cap_copy;
	const char **symlink;
	size_t nsymlink, cap_symlink;
};

/* Lay the tree `digest` out in the store's directory for work in progress. `output_dir` (sorted, relative to the input
 * root, no
 * "." or "..") are made, and are writable. Every blob is pinned before it is used.
 * WB_ENOENT, WB_ECORRUPT: a blob is not in the store. WB_EPROTO: a malformed tree. WB_EUNSUPPORTED: an output directory
 * that leads through a symlink. Whatever happens, end with wb_input_root_release. */
wb_status wb_input_root_init(struct wb_input_root *r, struct wb_arena *a, struct wb_input_roots *kept,
			     struct wb_pins *pins, const struct wb_digest *digest, const char *const *output_dir,
			     size_t noutput_dir, bool copies, struct wb_err *err);
/* Removes OUT; ROOT is kept for the next action or removed. */
void wb_input_root_release(struct wb_input_root *r);
/* False when the action changed an input that was its own copy; `*which` names it. Borrowed. */
bool wb_input_root_intact(const struct wb_input_root *r, const char **which);
/* Is `path` (relative to the input root) an input, or where only inputs are? Then what OUT holds there is a mount point
 * or the action's own copy, not an output. */
bool wb_input_root_is_input(const struct wb_input_root *r, const char *path);

#endif
