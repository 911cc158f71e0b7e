/* directories.h — Directories that were serialised before, found by what lies in them. The jobs of a build share nearly
 * all of their input trees: a Directory of an unchanged subtree is serialised and hashed once, not once a job. Bounded
 * (WB_DIRECTORIES_MAX bytes, then it starts anew). Thread-safe. */
#ifndef WB_REAPI_DIRECTORIES_H
#define WB_REAPI_DIRECTORIES_H

#include "base/arena.h"
#include "base/digest.h"

#include <stdbool.h>
#include <stddef.h>

#define WB_DIRECTORIES_MAX ((size_t)64 << 20)

struct wb_directories;

struct wb_directories *wb_directories_new(void);
void wb_directories_free(struct wb_directories *d);

/* `key` is the whole content in an order of its own (compared byte by byte, not by a hash alone). True: `*digest`, and
 * the serialised message copied into `a`. */
bool wb_directories_find(struct wb_digest *digest, char **data, struct wb_arena *a, struct wb_directories *d,
			 const void *key, size_t n);
void wb_directories_keep(struct wb_directories *d, const void *key, size_t n, const struct wb_digest *digest,
			 const void *data);

#endif
