#include "service/memo.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/map.h"
#include "service/plan.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 50000
#define BYTES_MAX   (256u << 20)

/* Paths are shared by all entries: a header is checked by every TU that reads it. */
struct entry {
	struct wb_arena arena;
	const struct wb_toolchain *tc;
	struct wb_digest action;
	struct wb_delivery delivery;
	struct wb_check *check;
	size_t ncheck;
	unsigned refs; /* the table's own and those of running look-ups */
};

struct wb_memo {
	pthread_mutex_t lock;
	struct wb_map entries; /* key: request digest */
	struct wb_map paths;   /* interned path texts; the value points to the key */
	size_t bytes;
};

struct wb_memo *wb_memo_new(void)
{
	struct wb_memo *m = wb_xcalloc(1, sizeof *m);

	pthread_mutex_init(&m->lock, NULL);
	wb_map_init(&m->entries);
	wb_map_init(&m->paths);
	return m;
}

static void entry_unref(struct entry *e, unsigned n)
{
	e->refs -= n;
	if (e->refs > 0)
		return;
	wb_arena_release(&e->arena);
	free(e);
}

static void drop_all(struct wb_memo *m)
{
	struct wb_map_slot *slot;

	for (size_t i = 0; (slot = wb_map_next(&m->entries, &i)) != NULL;)
		entry_unref(slot->value.p, 1);
	wb_map_release(&m->entries);
	wb_map_init(&m->entries);
	m->bytes = 0;
}

void wb_memo_free(struct wb_memo *m)
{
	if (!m)
		return;
	drop_all(m);
	wb_map_release(&m->entries);
	wb_map_release(&m->paths);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void wb_memo_clear(struct wb_memo *m)
{
	pthread_mutex_lock(&m->lock);
	drop_all(m);
	pthread_mutex_unlock(&m->lock);
}

void wb_memo_key(struct wb_digest *out, const struct wb_request *req)
{
	struct wb_hasher h;

	wb_hasher_init(&h);
	for (size_t i = 0; req->argv[i]; i++)
		wb_hasher_adds(&h, req->argv[i]);
	wb_hasher_adds(&h, NULL);
	wb_hasher_adds(&h, req->cwd);
	for (size_t i = 0; req->env[i]; i++)
		wb_hasher_adds(&h, req->env[i]);
	wb_hasher_adds(&h, NULL);
	for (int i = 0; i < WB_SET_COUNT; i++)
		if (wb_setting_table[i].scope == WB_SCOPE_REQUEST)
			wb_hasher_adds(&h, req->config->value[i]);
	uint32_t rest[2] = {req->stderr_is_terminal, req->umask};
	wb_hasher_add(&h, rest, sizeof rest);
	wb_hasher_finish(&h, out);
}

bool wb_memo_find(struct wb_digest *action, struct wb_delivery *delivery, struct wb_arena *a, struct wb_memo *m,
		  const struct wb_digest *key)
{
	struct entry *e = NULL;
	bool holds = false;

	pthread_mutex_lock(&m->lock);
	union wb_map_value *v = wb_map_get(&m->entries, key->hash, sizeof key->hash);
	if (v) {
		e = v->p;
		e->refs++;
	}
	pthread_mutex_unlock(&m->lock);
	if (!e)
		return false;
	if (wb_toolchain_holds(e->tc) && wb_checks_hold(e->check, e->ncheck, NULL)) {
		holds = true;
		*action = e->action;
		wb_delivery_copy(delivery, a, &e->delivery);
	}
	unsigned refs = 1;
	pthread_mutex_lock(&m->lock);
	v = holds ? NULL : wb_map_get(&m->entries, key->hash, sizeof key->hash);
	if (v && v->p == e) {
		wb_map_del(&m->entries, key->hash, sizeof key->hash);
		refs++; /* the table's */
	}
	entry_unref(e, refs);
	pthread_mutex_unlock(&m->lock);
	return holds;
}

static const char *intern(struct wb_memo *m, const char *path)
{
	bool fresh;
	union wb_map_value *v = wb_map_puts(&m->paths, path, &fresh);

	if (fresh) {
		/* The map copied the key; it stays where it is for the map's life. */
		size_t n = strlen(path);
		char *copy = wb_arena_strndup(&m->paths.keys, path, n);

		v->p = copy;
	}
	return v->p;
}

void wb_memo_keep(struct wb_memo *m, const struct wb_digest *key, const struct wb_toolchain *tc,
		  const struct wb_digest *action, const struct wb_delivery *delivery, const struct wb_check *check,
		  size_t ncheck)
{
	int64_t now = wb_clock_wall_ns();
	bool fresh;

	for (size_t i = 0; i < ncheck; i++) {
		const struct wb_stat_id *id = &check[i].id;

		if (wb_stat_id_kind(id) == WB_FILE_DIRECTORY)
			continue;
		if (id->mtime_ns > now - WB_FACTS_RACY_NS || id->ctime_ns > now - WB_FACTS_RACY_NS)
			return;
	}
	struct entry *e = wb_xcalloc(1, sizeof *e);
	wb_arena_init(&e->arena);
	e->refs = 1;
	e->tc = tc;
	e->action = *action;
	wb_delivery_copy(&e->delivery, &e->arena, delivery);
	e->check = wb_arena_array(&e->arena, ncheck, sizeof *e->check);
	e->ncheck = ncheck;
	memcpy(e->check, check, ncheck * sizeof *check);

	pthread_mutex_lock(&m->lock);
	if (m->entries.n >= ENTRIES_MAX || m->bytes > BYTES_MAX)
		drop_all(m);
	for (size_t i = 0; i < ncheck; i++)
		e->check[i].path = intern(m, check[i].path);
	union wb_map_value *v = wb_map_put(&m->entries, key->hash, sizeof key->hash, &fresh);
	if (!fresh)
		entry_unref(v->p, 1);
	v->p = e;
	m->bytes += e->arena.used;
	pthread_mutex_unlock(&m->lock);
}
