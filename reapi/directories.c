#include "reapi/directories.h"

#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>

struct entry {
	struct wb_digest digest;
	const void *data;
};

struct wb_directories {
	pthread_mutex_t lock;
	struct wb_map map; /* key -> struct entry in `arena` */
	struct wb_arena arena;
};

struct wb_directories *wb_directories_new(void)
{
	struct wb_directories *d = wb_xcalloc(1, sizeof *d);
	pthread_mutex_init(&d->lock, NULL);
	wb_map_init(&d->map);
	wb_arena_init(&d->arena);
	return d;
}

void wb_directories_free(struct wb_directories *d)
{
	if (d == NULL)
		return;
	wb_map_release(&d->map);
	wb_arena_release(&d->arena);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

bool wb_directories_find(struct wb_digest *digest, char **data, struct wb_arena *a, struct wb_directories *d,
			 const void *key, size_t n)
{
	pthread_mutex_lock(&d->lock);
	const union wb_map_value *v = wb_map_get(&d->map, key, n);
	if (v != NULL) {
		const struct entry *e = v->p;
		*digest = e->digest;
		*data = wb_arena_memdup(a, e->data, (size_t)e->digest.size);
	}
	pthread_mutex_unlock(&d->lock);
	return v != NULL;
}

void wb_directories_keep(struct wb_directories *d, const void *key, size_t n, const struct wb_digest *digest,
			 const void *data)
{
	bool fresh;
	pthread_mutex_lock(&d->lock);
	if (d->arena.used + d->map.keys.used > WB_DIRECTORIES_MAX) {
		wb_map_release(&d->map);
		wb_map_init(&d->map);
		wb_arena_release(&d->arena);
		wb_arena_init(&d->arena);
	}
	union wb_map_value *v = wb_map_put(&d->map, key, n, &fresh);
	if (fresh) {
		struct entry *e = wb_arena_alloc(&d->arena, sizeof *e);
		*e = (struct entry){*digest, wb_arena_memdup(&d->arena, data, (size_t)digest->size)};
		v->p = e;
	}
	pthread_mutex_unlock(&d->lock);
}
