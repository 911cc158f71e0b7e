/* Open addressing with linear probing; a removal shifts the followers back, so there are no tombstones. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { CAP_MIN = 16, COMPACT_MIN = 64 * 1024 };

void wb_map_init(struct wb_map *m)
{
	*m = (struct wb_map){0};
	wb_arena_init(&m->keys);
}

void wb_map_release(struct wb_map *m)
{
	free(m->slot);
	wb_arena_release(&m->keys);
	wb_map_init(m);
}

static uint32_t hash_of(const void *key, size_t len)
{
	uint64_t h = XXH3_64bits(key, len);
	return (uint32_t)(h ^ (h >> 32));
}

/* The slot that holds `key`, or the free one where it belongs. There is always a free one. */
static struct wb_map_slot *slot_of(const struct wb_map *m, const void *key, size_t len, uint32_t hash)
{
	size_t mask = m->cap - 1;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct wb_map_slot *s = &m->slot[i];
		if (s->key == NULL || (s->hash == hash && s->len == len && (len == 0 || memcmp(s->key, key, len) == 0)))
			return s;
	}
}

static void rehash(struct wb_map *m, size_t cap)
{
	struct wb_map_slot *old = m->slot;
	size_t old_cap = m->cap;
	m->slot = wb_xcalloc(cap, sizeof *m->slot);
	m->cap = cap;
	for (size_t i = 0; i < old_cap; i++) {
		if (old[i].key == NULL)
			continue;
		size_t j = old[i].hash & (cap - 1);
		while (m->slot[j].key != NULL)
			j = (j + 1) & (cap - 1);
		m->slot[j] = old[i];
	}
	free(old);
}

/* Give back the room of removed keys, once they are more than half of it. */
static void compact_keys(struct wb_map *m)
{
	struct wb_arena fresh;
	wb_arena_init(&fresh);
	for (size_t i = 0; i < m->cap; i++)
		if (m->slot[i].key != NULL)
			m->slot[i].key = wb_arena_strndup(&fresh, m->slot[i].key, m->slot[i].len);
	wb_arena_release(&m->keys);
	m->keys = fresh;
	m->dead = 0;
}

union wb_map_value *wb_map_get(const struct wb_map *m, const void *key, size_t len)
{
	if (m->n == 0)
		return NULL;
	struct wb_map_slot *s = slot_of(m, key, len, hash_of(key, len));
	return s->key == NULL ? NULL : &s->value;
}

union wb_map_value *wb_map_put(struct wb_map *m, const void *key, size_t len, bool *fresh)
{
	if (len > UINT32_MAX)
		abort(); /* no caller takes 4 GiB from outside */
	uint32_t hash = hash_of(key, len);
	if (m->cap == 0)
		rehash(m, CAP_MIN);
	struct wb_map_slot *s = slot_of(m, key, len, hash);
	if (fresh != NULL)
		*fresh = s->key == NULL;
	if (s->key != NULL)
		return &s->value;
	if (m->n + 1 > m->cap / 4 * 3) {
		rehash(m, m->cap * 2);
		s = slot_of(m, key, len, hash);
	}
	s->key = wb_arena_strndup(&m->keys, key, len);
	s->len = (uint32_t)len;
	s->hash = hash;
	s->value.u = 0;
	m->n++;
	if (m->dead > COMPACT_MIN && m->dead > m->keys.used / 2)
		compact_keys(m); /* after the copy: `key` may point at a removed key */
	return &s->value;
}

bool wb_map_del(struct wb_map *m, const void *key, size_t len)
{
	if (m->n == 0)
		return false;
	struct wb_map_slot *s = slot_of(m, key, len, hash_of(key, len));
	if (s->key == NULL)
		return false;
	m->dead += s->len + (size_t)1;
	m->n--;
	size_t mask = m->cap - 1, hole = (size_t)(s - m->slot);
	for (size_t i = (hole + 1) & mask; m->slot[i].key != NULL; i = (i + 1) & mask) {
		size_t home = m->slot[i].hash & mask;
		/* It may move back into the hole unless its home lies cyclically in (hole, i]. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slot[hole] = m->slot[i];
			hole = i;
		}
	}
	m->slot[hole] = (struct wb_map_slot){0};
	return true;
}

struct wb_map_slot *wb_map_next(const struct wb_map *m, size_t *i)
{
	while (*i < m->cap) {
		struct wb_map_slot *s = &m->slot[(*i)++];
		if (s->key != NULL)
			return s;
	}
	return NULL;
}
