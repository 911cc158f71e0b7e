/* map.h — hash table from byte strings to a 64-bit value or pointer. Keys are copied into the map's own storage.
 * Not thread-safe. */
#ifndef WB_BASE_MAP_H
#define WB_BASE_MAP_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

union wb_map_value {
	void *p;
	uint64_t u;
};

struct wb_map_slot {
	const char *key; /* NULL: free; a NUL follows the `len` bytes. Stays where it is until the map is released,
			  * or until a put that follows a del */
	uint32_t len;
	uint32_t hash;
	union wb_map_value value;
};

struct wb_map {
	struct wb_map_slot *slot;
	size_t cap, n;
	size_t dead; /* bytes of removed keys that still lie in `keys` */
	struct wb_arena keys;
};

void wb_map_init(struct wb_map *m);
void wb_map_release(struct wb_map *m); /* values are the caller's */
/* The value of `key`, or NULL. Valid until the next put. */
union wb_map_value *wb_map_get(const struct wb_map *m, const void *key, size_t len);
/* The value of `key`, made (zeroed) when new; `*fresh` (may be NULL) says which. Valid until the next put. */
union wb_map_value *wb_map_put(struct wb_map *m, const void *key, size_t len, bool *fresh);
/* Remove `key`; false when it was not there. */
bool wb_map_del(struct wb_map *m, const void *key, size_t len);
/* Iterate: start with *i = 0; NULL at the end. No put or del meanwhile. */
struct wb_map_slot *wb_map_next(const struct wb_map *m, size_t *i);

static inline union wb_map_value *wb_map_gets(const struct wb_map *m, const char *key)
{
	return wb_map_get(m, key, __builtin_strlen(key));
}
static inline union wb_map_value *wb_map_puts(struct wb_map *m, const char *key, bool *fresh)
{
	return wb_map_put(m, key, __builtin_strlen(key), fresh);
}

#endif
