#define _GNU_SOURCE /* rwlock kinds */
#include "scanner/results.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/path.h"
#include "scanner/directives/ident.h"
#include "scanner/packed.h"
#include "scanner/request_key.h"
#include "scanner/versions.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MOMENTS = 16, SETTLE_TRIES = 4 };
#define NONE UINT32_MAX

struct search_dir {
	uint32_t name;
	const struct wb_stand *stand;
};

struct result {
	struct wb_digest key;
	struct result *newer, *older; /* in order of use */
	unsigned refs;                /* under the lock: the table's and those of requests */
	size_t bytes;
	uint64_t generation; /* of the tables that its numbers are of */
	uint64_t time;       /* versions that changed later are not those it was made with */
	struct wb_scan_engine *engine;
	struct wb_packed *packed;
	size_t ndir;
	struct search_dir dir[];
};

/* A scan that others wait for. */
struct flight {
	int64_t began_ns;
	unsigned refs;
	bool landed;
	wb_status status; /* and reason and text, when it is a refusal */
	enum wb_reason reason;
	struct wb_err err;
};

struct moment {
	uint64_t moment;
	int64_t since_ns;
};

struct wb_results {
	struct wb_results_source source;
	size_t limit;
	struct wb_idents *texts;
	/* Held for reading while numbers are in use, for writing when everything is forgotten. */
	pthread_rwlock_t tables;
	struct wb_versions *versions;
	_Atomic uint64_t generation;
	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t landed;
	struct wb_map map;     /* key -> struct result */
	struct wb_map flights; /* key -> struct flight */
	struct wb_map readers; /* digest -> number */
	struct result *newest, *oldest;
	size_t bytes;
	struct moment moment[MOMENTS];
	unsigned next_moment;
	struct wb_results_count count;
	_Atomic uint64_t calls;
};

struct wb_results *wb_results_new(const struct wb_results_source *source, size_t limit)
{
	struct wb_results *r = wb_xcalloc(1, sizeof *r);
	pthread_rwlockattr_t attr;
	r->source = *source;
	r->limit = limit;
	r->texts = wb_idents_new();
	r->versions = wb_versions_new(r->texts);
	atomic_init(&r->generation, 1);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&r->tables, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->landed, NULL);
	wb_map_init(&r->map);
	wb_map_init(&r->flights);
	wb_map_init(&r->readers);
	return r;
}

/* --- the table; everything here under the lock --- */

static void unref(struct result *e)
{
	if (--e->refs > 0)
		return;
	free(e->packed);
	free(e);
}

static void unlink_result(struct wb_results *r, struct result *e)
{
	*(e->newer ? &e->newer->older : &r->newest) = e->older;
	*(e->older ? &e->older->newer : &r->oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void link_newest(struct wb_results *r, struct result *e)
{
	e->older = r->newest;
	*(r->newest ? &r->newest->newer : &r->oldest) = e;
	r->newest = e;
}

static void drop(struct wb_results *r, struct result *e)
{
	wb_map_del(&r->map, e->key.hash, sizeof e->key.hash);
	unlink_result(r, e);
	r->bytes -= e->bytes;
	unref(e);
}

static struct result *find(struct wb_results *r, const struct wb_digest *key)
{
	union wb_map_value *v = wb_map_get(&r->map, key->hash, sizeof key->hash);
	struct result *e = v ? v->p : NULL;
	if (!e)
		return NULL;
	unlink_result(r, e);
	link_newest(r, e);
	e->refs++;
	return e;
}

static void insert(struct wb_results *r, struct result *e)
{
	union wb_map_value *v = wb_map_get(&r->map, e->key.hash, sizeof e->key.hash);
	if (v)
		drop(r, v->p);
	e->bytes = sizeof *e + e->ndir * sizeof *e->dir + sizeof *e->packed + e->packed->n;
	wb_map_put(&r->map, e->key.hash, sizeof e->key.hash, NULL)->p = e;
	link_newest(r, e);
	r->bytes += e->bytes;
	while (r->bytes > r->limit) {
		drop(r, r->oldest);
		r->count.evicted++;
	}
}

void wb_results_free(struct wb_results *r)
{
	if (!r)
		return;
	while (r->oldest)
		drop(r, r->oldest);
	wb_map_release(&r->map);
	wb_map_release(&r->flights);
	wb_map_release(&r->readers);
	wb_versions_free(r->versions);
	wb_idents_free(r->texts);
	pthread_cond_destroy(&r->landed);
	pthread_mutex_destroy(&r->lock);
	pthread_rwlock_destroy(&r->tables);
	free(r);
}

void wb_results_count(struct wb_results *r, struct wb_results_count *out)
{
	pthread_rwlock_rdlock(&r->tables);
	size_t common = wb_versions_bytes(r->versions);
	pthread_rwlock_unlock(&r->tables);
	pthread_mutex_lock(&r->lock);
	*out = r->count;
	out->results = r->map.n;
	out->bytes = r->bytes;
	out->common_bytes = common;
	out->calls = atomic_load(&r->calls);
	pthread_mutex_unlock(&r->lock);
}

/* Since when looks of others will do: since the request came, or since the first one of its moment came. */
static int64_t since(struct wb_results *r, uint64_t moment)
{
	int64_t now = wb_clock_ns();
	bool known = false;
	if (moment == 0)
		return now;
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < MOMENTS && !known; i++) {
		known = r->moment[i].moment == moment;
		if (known)
			now = r->moment[i].since_ns;
	}
	if (!known)
		r->moment[r->next_moment++ % MOMENTS] = (struct moment){moment, now};
	pthread_mutex_unlock(&r->lock);
	return now;
}

/* --- an answer from a result --- */

static void reader_init(struct wb_reader *out, struct wb_results *r, struct wb_scan_engine *engine,
			const struct wb_scan_request *req)
{
	struct wb_digest d;
	bool fresh;
	wb_request_reader(&d, req, engine->name);
	*out = (struct wb_reader){.engine = engine, .req = req, .twins = req->tc->compiler == WB_COMPILER_GCC};
	pthread_mutex_lock(&r->lock);
	size_t n = r->readers.n;
	union wb_map_value *v = wb_map_put(&r->readers, d.hash, sizeof d.hash, &fresh);
	if (fresh)
		v->u = n;
	out->number = (uint32_t)v->u;
	pthread_mutex_unlock(&r->lock);
}

/* A reader is only needed where a file has changed. */
struct lazy_reader {
	struct wb_reader reader;
	bool made;
};

static const struct wb_version *version_of(struct wb_results *r, struct lazy_reader *lazy, const struct result *e,
					   const struct wb_scan_request *req, uint32_t file,
					   const struct wb_stand *stand)
{
	const struct wb_version *v = wb_version_known(r->versions, file);
	if (v && v->stand == stand)
		return v;
	if (!lazy->made)
		reader_init(&lazy->reader, r, e->engine, req);
	lazy->made = true;
	return wb_version_of(r->versions, file, stand, &lazy->reader);
}

/* Does every file hold? Fills `out`. */
static bool files_hold(struct wb_packed_file *out, struct wb_results *r, struct wb_look *look, const struct result *e,
		       const struct wb_scan_request *req, const uint32_t *file, const bool *raw)
{
	struct lazy_reader lazy = {.made = false};
	for (uint32_t i = 0; i < e->packed->nfile; i++) {
		uint32_t name, place = wb_versions_file_place(r->versions, file[i], &name);
		const struct wb_stand *stand = wb_look_at(look, name);
		const struct wb_version *v = version_of(r, &lazy, e, req, file[i], stand);
		if (!v || v->changed > e->time || (raw[i] && v->moved > e->time))
			return false;
		const struct wb_version_place *p = wb_versions_place_of(r->versions, place);
		out[i] = (struct wb_packed_file){p->text, p->n, &stand->id, v->lines};
	}
	return true;
}

static bool holds(struct wb_graph *out, struct wb_arena *a, struct wb_results *r, struct wb_look *look,
		  const struct result *e, const struct wb_scan_request *req)
{
	const struct wb_packed *p = e->packed;
	for (size_t i = 0; i < e->ndir; i++)
		if (wb_look_at(look, e->dir[i].name) != e->dir[i].stand)
			return false;
	uint32_t *number = wb_arena_array(a, (p->nfile > p->nmiss ? p->nfile : p->nmiss) + (size_t)1, sizeof *number);
	bool *raw = wb_arena_alloc(a, p->nfile);
	struct wb_packed_file *file = wb_arena_array(a, p->nfile, sizeof *file);
	wb_packed_files(p, number, raw);
	if (!files_hold(file, r, look, e, req, number, raw))
		return false;
	const char **miss = wb_arena_array(a, p->nmiss + (size_t)1, sizeof *miss);
	wb_packed_misses(p, number);
	for (uint32_t i = 0; i < p->nmiss; i++) {
		const struct wb_version_place *place = wb_versions_place_of(r->versions, number[i]);
		if (wb_look_at(look, place->name)->id.mode != 0)
			return false;
		miss[i] = place->text;
	}
	wb_graph_unpack(out, a, p, r->texts, file, miss);
	return true;
}

/* Answer by the result that is kept, if it holds. */
static bool answer(struct wb_graph *out, struct wb_arena *a, struct wb_results *r, const struct wb_digest *key,
		   const struct wb_scan_request *req, int64_t since_ns)
{
	struct wb_look look;
	pthread_mutex_lock(&r->lock);
	struct result *e = find(r, key);
	pthread_mutex_unlock(&r->lock);
	if (!e)
		return false;
	pthread_rwlock_rdlock(&r->tables);
	bool good = e->generation == atomic_load(&r->generation);
	if (good) {
		wb_look_begin(&look, wb_versions_standing(r->versions), since_ns);
		good = holds(out, a, r, &look, e, req);
		atomic_fetch_add_explicit(&r->calls, look.calls, memory_order_relaxed);
	}
	pthread_rwlock_unlock(&r->tables);
	pthread_mutex_lock(&r->lock);
	union wb_map_value *v = wb_map_get(&r->map, key->hash, sizeof key->hash);
	if (good) {
		r->count.answered++;
	} else if (v && v->p == e) {
		r->count.stale++;
		drop(r, e);
	}
	unref(e);
	pthread_mutex_unlock(&r->lock);
	return good;
}

/* --- keeping --- */

/* What must be known before the scan begins. */
struct before {
	uint64_t generation;
	int64_t wall_ns;
	struct search_dir *dir;
	size_t ndir;
};

/* The directories that are searched, as they are before the scan. */
static void look_before(struct before *b, struct wb_arena *a, struct wb_results *r, const struct wb_scan_request *req,
			int64_t since_ns)
{
	struct wb_look look;
	const char **path;
	b->wall_ns = wb_clock_wall_ns();
	b->ndir = wb_request_dirs(&path, a, req);
	b->dir = wb_arena_array(a, b->ndir + 1, sizeof *b->dir);
	pthread_rwlock_rdlock(&r->tables);
	b->generation = atomic_load(&r->generation);
	wb_look_begin(&look, wb_versions_standing(r->versions), since_ns);
	for (size_t i = 0; i < b->ndir; i++) {
		uint32_t place = wb_versions_place(r->versions, path[i], req->cmd->cwd);
		if (place == NONE) {
			b->generation = 0; /* is never the present one */
			break;
		}
		b->dir[i].name = wb_versions_place_of(r->versions, place)->name;
		b->dir[i].stand = wb_look_at(&look, b->dir[i].name);
	}
	pthread_rwlock_unlock(&r->tables);
}

/* The version that the scan saw. */
static const struct wb_version *seen_version(struct wb_results *r, uint32_t file, const struct wb_stat_id *id,
					     const struct wb_reader *reader)
{
	uint32_t name;
	const struct wb_version *v = wb_version_known(r->versions, file);
	if (v && wb_stat_id_eq(&v->stand->id, id))
		return v;
	wb_versions_file_place(r->versions, file, &name);
	const struct wb_stand *stand = wb_standing_learn(wb_versions_standing(r->versions), name, id);
	if (!wb_stat_id_eq(&stand->id, id)) { /* what is known is older, or the file has changed again */
		struct wb_look look;
		wb_look_begin(&look, wb_versions_standing(r->versions), wb_clock_ns());
		stand = wb_look_at(&look, name);
	}
	v = wb_version_of(r->versions, file, stand, reader);
	return v && wb_stat_id_eq(&v->stand->id, id) ? v : NULL;
}

/* One time at which all versions were those that the scan saw. */
static bool settle(uint64_t *time, const struct wb_line_table **lines, struct wb_results *r, const struct wb_graph *g,
		   const uint32_t *file, const struct wb_reader *reader)
{
	for (int attempt = 0; attempt < SETTLE_TRIES; attempt++) {
		bool settled = true;
		*time = wb_versions_time(r->versions);
		for (uint32_t i = 0; i < g->nfile; i++) {
			const struct wb_version *v = seen_version(r, file[i], &g->file[i].id, reader);
			if (!v)
				return false;
			lines[i] = v->lines;
			settled = settled && v->changed <= *time && v->moved <= *time;
		}
		if (settled)
			return true;
	}
	return false;
}

static struct result *new_result(struct wb_results *r, struct wb_arena *a, const struct wb_scan_request *req,
				 const struct before *b, const struct wb_graph *g)
{
	static const struct wb_stat_id in_memory;
	struct wb_reader reader;
	struct wb_scan_engine *engine = NULL;
	for (size_t i = 0; i < r->source.nengine && g->engine; i++)
		if (strcmp(r->source.engine[i]->name, g->engine) == 0)
			engine = r->source.engine[i];
	/* A directory that stands in the way of a header is rare, and nothing here watches that it stays one. */
	if (!engine || g->failed || g->nblocked || g->nmiss > UINT32_MAX / 2)
		return NULL;
	for (uint32_t i = 0; i < g->nfile; i++)
		if (wb_stat_id_eq(&g->file[i].id, &in_memory) || wb_stand_is_racy(&g->file[i].id, b->wall_ns))
			return NULL;
	reader_init(&reader, r, engine, req);
	uint32_t *file = wb_arena_array(a, g->nfile + (size_t)1, sizeof *file);
	uint32_t *miss = wb_arena_array(a, g->nmiss + 1, sizeof *miss);
	const struct wb_line_table **lines = wb_arena_array(a, g->nfile + (size_t)1, sizeof *lines);
	if (!wb_versions_number(file, miss, r->versions, g, &reader))
		return NULL;
	uint64_t time;
	if (!settle(&time, lines, r, g, file, &reader))
		return NULL;
	struct wb_packed *packed = wb_graph_pack(g, r->texts, file, lines, miss);
	if (!packed)
		return NULL;
	struct result *e = wb_xcalloc(1, sizeof *e + b->ndir * sizeof *e->dir);
	e->generation = b->generation;
	e->time = time;
	e->engine = engine;
	e->packed = packed;
	e->ndir = b->ndir;
	memcpy(e->dir, b->dir, b->ndir * sizeof *e->dir);
	e->refs = 1;
	return e;
}

/* Forget everything: the tables hold too many names. Texts stay. */
static void reset(struct wb_results *r)
{
	pthread_rwlock_wrlock(&r->tables);
	if (wb_versions_full(r->versions)) {
		pthread_mutex_lock(&r->lock);
		while (r->oldest)
			drop(r, r->oldest);
		r->count.resets++;
		pthread_mutex_unlock(&r->lock);
		wb_versions_free(r->versions);
		r->versions = wb_versions_new(r->texts);
		atomic_fetch_add(&r->generation, 1);
	}
	pthread_rwlock_unlock(&r->tables);
}

static void keep(struct wb_results *r, struct wb_arena *a, const struct wb_digest *key,
		 const struct wb_scan_request *req, const struct before *b, const struct wb_graph *g)
{
	pthread_rwlock_rdlock(&r->tables);
	bool present = b->generation == atomic_load(&r->generation);
	struct result *e = present ? new_result(r, a, req, b, g) : NULL;
	bool full = wb_versions_full(r->versions);
	if (e) {
		e->key = *key;
		pthread_mutex_lock(&r->lock);
		insert(r, e);
		pthread_mutex_unlock(&r->lock);
	}
	pthread_rwlock_unlock(&r->tables);
	if (full)
		reset(r);
}

/* --- requests --- */

static void leave(struct flight *f)
{
	if (--f->refs == 0)
		free(f);
}

enum turn { MINE, AGAIN, REFUSED };

/* Wait for an identical request that is being scanned, or become the one that scans. */
static enum turn wait_turn(struct flight **mine, struct wb_results *r, const struct wb_digest *key, int64_t since_ns,
			   wb_status *status, enum wb_reason *reason, struct wb_err *err)
{
	bool fresh;
	enum turn turn = MINE;
	pthread_mutex_lock(&r->lock);
	union wb_map_value *v = wb_map_put(&r->flights, key->hash, sizeof key->hash, &fresh);
	struct flight *f = fresh ? wb_xcalloc(1, sizeof *f) : v->p;
	f->refs++;
	if (fresh) {
		v->p = f;
		f->began_ns = wb_clock_ns();
		*mine = f;
	} else {
		r->count.waited++;
		while (!f->landed)
			pthread_cond_wait(&r->landed, &r->lock);
		turn = AGAIN;
		if (!wb_is_ok(f->status) && f->began_ns >= since_ns) {
			turn = REFUSED;
			*status = f->status;
			*reason = f->reason;
			if (err)
				*err = f->err;
		}
		leave(f);
	}
	pthread_mutex_unlock(&r->lock);
	return turn;
}

static void land(struct wb_results *r, struct flight *f, const struct wb_digest *key, wb_status status,
		 enum wb_reason reason, const struct wb_err *err)
{
	pthread_mutex_lock(&r->lock);
	f->landed = true;
	f->status = status;
	f->reason = reason;
	if (!wb_is_ok(status))
		f->err = *err;
	wb_map_del(&r->flights, key->hash, sizeof key->hash);
	leave(f);
	pthread_cond_broadcast(&r->landed);
	pthread_mutex_unlock(&r->lock);
}

static wb_status scan(struct wb_graph *out, struct wb_arena *a, struct wb_results *r, const struct wb_scan_request *req,
		      enum wb_reason *reason, struct wb_err *err)
{
	pthread_mutex_lock(&r->lock);
	r->count.scanned++;
	pthread_mutex_unlock(&r->lock);
	return r->source.scan(r->source.ctx, out, a, req, reason, err);
}

wb_status wb_results_scan(struct wb_graph *out, struct wb_arena *a, struct wb_results *r,
			  const struct wb_scan_request *req, enum wb_reason *reason, struct wb_err *err)
{
	struct wb_digest key;
	struct before before;
	struct flight *mine = NULL;
	struct wb_err text = WB_ERR_INIT;
	wb_status status = wb_ok();
	if (req->noverlay || req->once)
		return scan(out, a, r, req, reason, err);
	int64_t since_ns = since(r, req->moment);
	wb_request_key(&key, req);
	for (int waited = 0; !mine; waited++) {
		if (answer(out, a, r, &key, req, since_ns)) {
			*reason = WB_REASON_NONE;
			return wb_ok();
		}
		if (waited == 2) /* it cannot be kept: no use in waiting in line */
			return scan(out, a, r, req, reason, err);
		if (wait_turn(&mine, r, &key, since_ns, &status, reason, err) == REFUSED)
			return status;
	}
	look_before(&before, a, r, req, since_ns);
	status = scan(out, a, r, req, reason, &text);
	if (wb_is_ok(status))
		keep(r, a, &key, req, &before, out);
	else if (err)
		*err = text;
	land(r, mine, &key, status, *reason, &text);
	return status;
}
