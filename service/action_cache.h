/* action_cache.h — action digest to serialised ActionResult, one small file each (DIR/ac/ab/<64 hex>, with a checksum).
 * A result whose blobs are gone is a miss. Thread-safe. */
#ifndef WB_SERVICE_ACTION_CACHE_H
#define WB_SERVICE_ACTION_CACHE_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"

struct wb_store;
struct wb_action_cache;

/* `dir` is the store's (or another one on its filesystem). `store` is borrowed. */
wb_status wb_action_cache_new(struct wb_action_cache **out, const char *dir, struct wb_store *store,
			      struct wb_err *err);
void wb_action_cache_free(struct wb_action_cache *c);
/* WB_ENOENT: a miss (also when damaged: then it is removed, or when a blob it names is not in the store). */
wb_status wb_action_cache_get(char **data, size_t *n, struct wb_arena *a, struct wb_action_cache *c,
			      const struct wb_digest *action, struct wb_err *err);
wb_status wb_action_cache_put(struct wb_action_cache *c, const struct wb_digest *action, const void *data, size_t n,
			      struct wb_err *err);
wb_status wb_action_cache_clear(struct wb_action_cache *c, struct wb_err *err);
/* Remove the entries that are misses because their blobs are gone (after an eviction; reads every entry). Counts as a
 * use of what the others name. */
wb_status wb_action_cache_sweep(struct wb_action_cache *c, struct wb_err *err);

#endif
