#include "service/memo.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/map.h"
#include "service/plan.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 50000
#define BYTES_MAX   (128u << 20)

/* A check that entries share, and when it was last found to hold (monotonic, before the look): who asked before that
 * needs no look of its own. Of two hundred requests that wait for this machine's few cores, one looks. */
struct shared_check {
	struct wb_check check;
	_Atomic int64_t held_ns;
};

/* What entries share. Lives until the last entry that uses it is gone. */
struct pool {
	struct wb_map check; /* everything in a check -> struct shared_check */
	struct wb_map text;  /* text -> itself */
	struct wb_arena arena;
	unsigned refs; /* the memo's own and those of entries */
};

struct entry {
	struct wb_memo_answer answer; /* first: callers hold a pointer to it */
	struct wb_arena arena;
	struct pool *pool;
	const struct wb_toolchain *tc;
	_Atomic(struct shared_check *) *check; /* replaced one by one where a file was written anew */
	size_t ncheck;
	unsigned refs; /* the table's own and those of callers */
};

struct wb_memo {
	struct wb_facts *facts;
	pthread_mutex_t lock;
	struct wb_map entries; /* key: request digest */
	struct pool *pool;
	size_t bytes; /* of the entries themselves */
};

static struct pool *pool_new(void)
{
	struct pool *p = wb_xcalloc(1, sizeof *p);

	wb_map_init(&p->check);
	wb_map_init(&p->text);
	wb_arena_init(&p->arena);
	p->refs = 1;
	return p;
}

static void pool_unref(struct pool *p)
{
	if (--p->refs > 0)
		return;
	wb_map_release(&p->check);
	wb_map_release(&p->text);
	wb_arena_release(&p->arena);
	free(p);
}

static const char *share_text(struct pool *p, const char *text)
{
	bool fresh;

	if (!text)
		return NULL;
	union wb_map_value *v = wb_map_puts(&p->text, text, &fresh);
	if (fresh)
		v->p = wb_arena_strdup(&p->arena, text);
	return v->p;
}

static struct shared_check *share_check(struct pool *p, struct wb_buf *key, const struct wb_check *c)
{
	char flags = (char)(c->follow + 2 * c->has_digest + 4 * c->kind_only);
	bool fresh;

	wb_buf_reset(key);
	wb_buf_addc(key, flags);
	wb_buf_add(key, &c->id.dev, sizeof c->id.dev);
	wb_buf_add(key, &c->id.ino, sizeof c->id.ino);
	wb_buf_add(key, &c->id.size, sizeof c->id.size);
	wb_buf_add(key, &c->id.mtime_ns, sizeof c->id.mtime_ns);
	wb_buf_add(key, &c->id.ctime_ns, sizeof c->id.ctime_ns);
	wb_buf_add(key, &c->id.mode, sizeof c->id.mode);
	if (c->has_digest)
		wb_buf_add(key, c->digest.hash, sizeof c->digest.hash);
	wb_buf_adds(key, c->path);
	union wb_map_value *v = wb_map_put(&p->check, key->p, key->n, &fresh);
	if (fresh) {
		struct shared_check *shared = wb_arena_alloc(&p->arena, sizeof *shared);

		shared->check = *c;
		shared->check.path = share_text(p, c->path);
		v->p = shared;
	}
	return v->p;
}

struct wb_memo *wb_memo_new(struct wb_facts *facts)
{
	struct wb_memo *m = wb_xcalloc(1, sizeof *m);

	m->facts = facts;
	pthread_mutex_init(&m->lock, NULL);
	wb_map_init(&m->entries);
	m->pool = pool_new();
	return m;
}

/* Under the lock. */
static void entry_unref(struct entry *e, unsigned n)
{
	e->refs -= n;
	if (e->refs > 0)
		return;
	pool_unref(e->pool);
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
	pool_unref(m->pool);
	m->pool = pool_new();
	m->bytes = 0;
}

void wb_memo_free(struct wb_memo *m)
{
	if (!m)
		return;
	drop_all(m);
	pool_unref(m->pool);
	wb_map_release(&m->entries);
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

/* Is this too young for its times to tell whether it changes again? */
static bool is_racy(const struct wb_stat_id *id, int64_t now)
{
	return wb_stat_id_kind(id) != WB_FILE_DIRECTORY &&
	       (id->mtime_ns > now - WB_FACTS_RACY_NS || id->ctime_ns > now - WB_FACTS_RACY_NS);
}

/* Under the lock. */
static bool is_full(const struct wb_memo *m, const struct pool *p)
{
	return m->bytes + p->arena.used + p->check.keys.used + p->text.keys.used > BYTES_MAX;
}

/* A file was written anew with the content that it had: from now on its times are those to look for. */
static void renew(struct wb_memo *m, struct entry *e, size_t i, const struct wb_stat_id *now)
{
	struct wb_check check = atomic_load(&e->check[i])->check;
	struct wb_buf key = WB_BUF_INIT;

	if (is_racy(now, wb_clock_wall_ns()))
		return;
	check.id = *now;
	pthread_mutex_lock(&m->lock);
	if (!is_full(m, e->pool))
		atomic_store(&e->check[i], share_check(e->pool, &key, &check));
	pthread_mutex_unlock(&m->lock);
	wb_buf_release(&key);
}

static bool holds(struct wb_memo *m, struct entry *e, int64_t since_ns)
{
	if (!wb_toolchain_holds(e->tc))
		return false;
	for (size_t i = 0; i < e->ncheck; i++) {
		struct shared_check *shared = atomic_load(&e->check[i]);
		const struct wb_check *check = &shared->check;
		struct wb_stat_id now;

		if (atomic_load_explicit(&shared->held_ns, memory_order_relaxed) > since_ns)
			continue;
		int64_t before = wb_clock_ns();
		if (!wb_check_holds(check, m->facts, &now))
			return false;
		atomic_store_explicit(&shared->held_ns, before, memory_order_relaxed);
		if (check->has_digest && !wb_stat_id_eq(&now, &check->id))
			renew(m, e, i, &now);
	}
	return true;
}

const struct wb_memo_answer *wb_memo_find(struct wb_memo *m, const struct wb_digest *key, int64_t since_ns)
{
	struct entry *e = NULL;

	pthread_mutex_lock(&m->lock);
	union wb_map_value *v = wb_map_get(&m->entries, key->hash, sizeof key->hash);
	if (v) {
		e = v->p;
		e->refs++;
	}
	pthread_mutex_unlock(&m->lock);
	if (!e || holds(m, e, since_ns))
		return e ? &e->answer : NULL;
	unsigned refs = 1;
	pthread_mutex_lock(&m->lock);
	v = wb_map_get(&m->entries, key->hash, sizeof key->hash);
	if (v && v->p == e) {
		wb_map_del(&m->entries, key->hash, sizeof key->hash);
		m->bytes -= e->arena.used;
		refs++; /* the table's */
	}
	entry_unref(e, refs);
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

void wb_memo_release(struct wb_memo *m, const struct wb_memo_answer *answer)
{
	if (!answer)
		return;
	pthread_mutex_lock(&m->lock);
	entry_unref((struct entry *)(uintptr_t)answer, 1);
	pthread_mutex_unlock(&m->lock);
}

static const struct wb_mapback_pair *share_pairs(struct entry *e, const struct wb_mapback_pair *pair, size_t n)
{
	struct wb_mapback_pair *out = wb_arena_array(&e->arena, n, sizeof *out);

	for (size_t i = 0; i < n; i++)
		out[i] = (struct wb_mapback_pair){share_text(e->pool, pair[i].from), share_text(e->pool, pair[i].to)};
	return out;
}

/* Under the lock: the pool grows. */
static void copy_delivery(struct entry *e, const struct wb_delivery *d)
{
	struct wb_delivery *out = &e->answer.delivery;
	struct wb_rewrite_output *o = wb_arena_array(&e->arena, d->noutput, sizeof *o);

	*out = *d;
	for (size_t i = 0; i < d->noutput; i++) {
		o[i] = d->output[i];
		o[i].action_path = wb_arena_strdup(&e->arena, d->output[i].action_path);
		o[i].real_path = wb_arena_strdup(&e->arena, d->output[i].real_path);
	}
	out->output = o;
	out->object = wb_arena_strdup(&e->arena, d->object);
	out->mapback.path = share_pairs(e, d->mapback.path, d->mapback.npath);
	out->mapback.prefix = share_pairs(e, d->mapback.prefix, d->mapback.nprefix);
	out->mapback.target = (struct wb_mapback_pair){share_text(e->pool, d->mapback.target.from),
						       share_text(e->pool, d->mapback.target.to)};
}

void wb_memo_keep(struct wb_memo *m, const struct wb_digest *key, const struct wb_toolchain *tc,
		  const struct wb_digest *action, const struct wb_delivery *delivery, const struct wb_check *check,
		  size_t ncheck, const struct wb_check *compiler)
{
	int64_t now = wb_clock_wall_ns();
	struct wb_buf scratch = WB_BUF_INIT;
	bool fresh;

	for (size_t i = 0; i < ncheck; i++)
		if (is_racy(&check[i].id, now))
			return;
	if (is_racy(&compiler->id, now))
		return;
	struct entry *e = wb_xcalloc(1, sizeof *e);
	wb_arena_init(&e->arena);
	e->refs = 1;
	e->tc = tc;
	e->answer.action = *action;
	e->check = wb_arena_array(&e->arena, ncheck + 1, sizeof *e->check);
	e->ncheck = ncheck + 1;

	pthread_mutex_lock(&m->lock);
	if (m->entries.n >= ENTRIES_MAX || is_full(m, m->pool))
		drop_all(m);
	e->pool = m->pool;
	e->pool->refs++;
	copy_delivery(e, delivery);
	for (size_t i = 0; i < ncheck; i++)
		atomic_init(&e->check[i], share_check(e->pool, &scratch, &check[i]));
	atomic_init(&e->check[ncheck], share_check(e->pool, &scratch, compiler));
	union wb_map_value *v = wb_map_put(&m->entries, key->hash, sizeof key->hash, &fresh);
	if (!fresh) {
		const struct entry *old = v->p;

		m->bytes -= old->arena.used;
		entry_unref(v->p, 1);
	}
	v->p = e;
	m->bytes += e->arena.used;
	pthread_mutex_unlock(&m->lock);
	wb_buf_release(&scratch);
}
