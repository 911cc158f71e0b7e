/* tree.h — a REAPI Directory tree in the making: add files, directories and symlinks by path, then serialise every
 * Directory canonically and hash it. Paths are relative to the input root, without "." or ".." components; parents are
 * made. Not thread-safe; memory in the arena, except for what wb_tree_release gives back. */
#ifndef WB_REAPI_TREE_H
#define WB_REAPI_TREE_H

#include "base/digest.h"
#include "base/err.h"
#include "base/map.h"

#include <stdbool.h>

enum wb_tree_kind { WB_TREE_NONE, WB_TREE_DIRECTORY, WB_TREE_FILE, WB_TREE_SYMLINK };

struct wb_directories;
struct wb_tree_node;

struct wb_tree {
	struct wb_arena *a;
	struct wb_map node; /* path -> struct wb_tree_node * */
	struct wb_tree_node *root;
};

/* A serialised Directory. */
struct wb_tree_blob {
	struct wb_digest digest;
	const char *data;
};

void wb_tree_init(struct wb_tree *t, struct wb_arena *a);
void wb_tree_release(struct wb_tree *t);

/* A file or symlink replaces what has that path, except a directory; a directory that is there already is fine.
 * WB_EINVAL: a bad path, or one that goes through a file or symlink, or a directory's. `path` "" is the root. */
wb_status wb_tree_add_directory(struct wb_tree *t, const char *path, struct wb_err *err);
wb_status wb_tree_add_file(struct wb_tree *t, const char *path, const struct wb_digest *d, bool exec,
			   struct wb_err *err);
wb_status wb_tree_add_symlink(struct wb_tree *t, const char *path, const char *target, struct wb_err *err);
enum wb_tree_kind wb_tree_kind(const struct wb_tree *t, const char *path);

/* Serialise: the root's digest, and every distinct Directory once. `known` (may be NULL) remembers them for other
 * trees.
 */
wb_status wb_tree_finish(struct wb_digest *root, struct wb_tree_blob **blob, size_t *n, struct wb_tree *t,
			 struct wb_directories *known, struct wb_err *err);

#endif
