#include "scanner/facts.h"

#include "base/clock.h"
#include "base/fileio.h"
#include "base/map.h"
#include "base/str.h"
#include "scanner/factlog.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A shard that holds more entries is emptied: a bound on memory, not a policy. 64 shards: four million files. */
#define SHARD_MAX   65536
#define FLUSH_BYTES (1 << 20) /* pending records are written when they reach this size */
#define WAIT_SIZE   (4 << 20) /* a racy file of this size is worth waiting for: hashing it twice costs more */

enum { SHARDS = 64 };

struct entry {
	struct wb_stat_id id;
	struct wb_digest digest;
};

/* A file that some thread is hashing just now: others that want the same wait for it. On the hasher's stack. */
struct flight {
	struct flight *next;
	const char *path;
};

struct shard {
	pthread_mutex_t lock;
	pthread_cond_t landed;
	struct wb_map map; /* path -> struct entry */
	struct wb_arena entries;
	struct flight *flight;
};

struct wb_facts {
	struct shard shard[SHARDS];
	pthread_mutex_t attribute_lock;
	struct wb_map attribute; /* digest (hash and size) -> bits of 1 << enum wb_attribute */
	pthread_mutex_t log_lock;
	struct wb_factlog *log; /* NULL: not persisted */
};

bool wb_stat_id_eq(const struct wb_stat_id *a, const struct wb_stat_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns && a->mode == b->mode;
}

int64_t wb_timespec_ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

struct wb_stat_id wb_stat_id_of(const struct stat *st)
{
	return (struct wb_stat_id){.dev = st->st_dev,
				   .ino = st->st_ino,
				   .size = st->st_size,
				   .mtime_ns = wb_timespec_ns(&st->st_mtim),
				   .ctime_ns = wb_timespec_ns(&st->st_ctim),
				   .mode = st->st_mode};
}

bool wb_stat_id_get(struct wb_stat_id *out, const char *path, bool follow)
{
	struct stat st;
	*out = (struct wb_stat_id){0};
	if ((follow ? stat(path, &st) : lstat(path, &st)) != 0)
		return false;
	*out = wb_stat_id_of(&st);
	return true;
}

enum wb_file_kind wb_stat_id_kind(const struct wb_stat_id *id)
{
	if (id->mode == 0)
		return WB_FILE_MISSING;
	if (S_ISREG(id->mode))
		return WB_FILE_REGULAR;
	if (S_ISDIR(id->mode))
		return WB_FILE_DIRECTORY;
	return S_ISLNK(id->mode) ? WB_FILE_SYMLINK : WB_FILE_OTHER;
}

/* May a write that comes later leave this identity unchanged? The kernel stamps every write into ctime, but with a
 * clock that stands still between two ticks. mtime is looked at only for clocks that were set back. */
static bool is_racy(const struct wb_stat_id *id, int64_t now_ns)
{
	return id->ctime_ns > now_ns - WB_FACTS_RACY_NS ||
	       (id->mtime_ns > now_ns - WB_FACTS_RACY_NS && id->mtime_ns <= now_ns);
}

static struct shard *shard_of(struct wb_facts *f, const char *path)
{
	uint32_t h = 2166136261u; /* FNV-1a: only spreads, the map hashes again */
	for (const char *p = path; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	return &f->shard[(h ^ (h >> 16)) % SHARDS];
}

/* With the shard's lock held. */
static void remember(struct shard *s, const char *path, const struct wb_stat_id *id, const struct wb_digest *d)
{
	if (s->map.n >= SHARD_MAX) {
		wb_map_release(&s->map);
		wb_arena_release(&s->entries);
		wb_arena_init(&s->entries);
	}
	union wb_map_value *v = wb_map_puts(&s->map, path, NULL);
	if (v->p == NULL)
		v->p = wb_arena_alloc(&s->entries, sizeof(struct entry));
	*(struct entry *)v->p = (struct entry){*id, *d};
}

static void set_attribute(struct wb_facts *f, const struct wb_digest *d, uint64_t bits)
{
	pthread_mutex_lock(&f->attribute_lock);
	wb_map_put(&f->attribute, d, sizeof *d, NULL)->u |= bits;
	pthread_mutex_unlock(&f->attribute_lock);
}

/* --- persistence --- */

static void on_record(void *arg, const struct wb_factlog_record *r)
{
	struct wb_facts *f = arg;
	if (r->path == NULL) {
		set_attribute(f, &r->digest, r->attributes);
		return;
	}
	struct shard *s = shard_of(f, r->path);
	pthread_mutex_lock(&s->lock);
	remember(s, r->path, &r->id, &r->digest);
	pthread_mutex_unlock(&s->lock);
}

/* Give every live record to `log`. */
static void dump(void *arg, struct wb_factlog *log)
{
	struct wb_facts *f = arg;
	const struct wb_map_slot *slot;
	for (int i = 0; i < SHARDS; i++) {
		struct shard *s = &f->shard[i];
		pthread_mutex_lock(&s->lock);
		for (size_t j = 0; (slot = wb_map_next(&s->map, &j)) != NULL;) {
			const struct entry *e = slot->value.p;
			wb_factlog_add(log, &(struct wb_factlog_record){slot->key, e->id, e->digest, 0});
		}
		pthread_mutex_unlock(&s->lock);
	}
	pthread_mutex_lock(&f->attribute_lock);
	for (size_t j = 0; (slot = wb_map_next(&f->attribute, &j)) != NULL;) {
		struct wb_factlog_record r = {.attributes = slot->value.u};
		memcpy(&r.digest, slot->key, sizeof r.digest);
		wb_factlog_add(log, &r);
	}
	pthread_mutex_unlock(&f->attribute_lock);
}

static void persist(struct wb_facts *f, const struct wb_factlog_record *r)
{
	if (f->log == NULL)
		return;
	pthread_mutex_lock(&f->log_lock);
	wb_factlog_add(f->log, r);
	if (wb_factlog_pending(f->log) > FLUSH_BYTES)
		wb_ignore(wb_factlog_flush(f->log, NULL)); /* a cache: what is not written is computed again */
	pthread_mutex_unlock(&f->log_lock);
}

wb_status wb_facts_new(struct wb_facts **out, const char *db, struct wb_err *err)
{
	struct wb_facts *f = wb_xcalloc(1, sizeof *f);
	for (int i = 0; i < SHARDS; i++) {
		struct shard *s = &f->shard[i];
		pthread_mutex_init(&s->lock, NULL);
		pthread_cond_init(&s->landed, NULL);
		wb_map_init(&s->map);
		wb_arena_init(&s->entries);
	}
	pthread_mutex_init(&f->attribute_lock, NULL);
	pthread_mutex_init(&f->log_lock, NULL);
	wb_map_init(&f->attribute);
	if (db != NULL) {
		wb_status s = wb_factlog_open(&f->log, db, on_record, dump, f, err);
		if (!wb_is_ok(s)) {
			wb_facts_free(f);
			return s;
		}
	}
	*out = f;
	return wb_ok();
}

void wb_facts_free(struct wb_facts *f)
{
	if (f == NULL)
		return;
	wb_factlog_close(f->log);
	for (int i = 0; i < SHARDS; i++) {
		struct shard *s = &f->shard[i];
		wb_map_release(&s->map);
		wb_arena_release(&s->entries);
		pthread_cond_destroy(&s->landed);
		pthread_mutex_destroy(&s->lock);
	}
	wb_map_release(&f->attribute);
	pthread_mutex_destroy(&f->attribute_lock);
	pthread_mutex_destroy(&f->log_lock);
	free(f);
}

wb_status wb_facts_flush(struct wb_facts *f, struct wb_err *err)
{
	if (f->log == NULL)
		return wb_ok();
	pthread_mutex_lock(&f->log_lock);
	wb_status s = wb_factlog_flush(f->log, err);
	pthread_mutex_unlock(&f->log_lock);
	return s;
}

/* --- questions --- */

wb_status wb_facts_look(struct wb_fact *out, struct wb_facts *f, struct wb_arena *a, const char *path,
			struct wb_err *err)
{
	(void)f; /* nothing here is dearer than the lstat that would check a cached answer */
	*out = (struct wb_fact){0};
	wb_stat_id_get(&out->id, path, false);
	out->kind = wb_stat_id_kind(&out->id);
	out->exec = (out->id.mode & S_IXUSR) != 0;
	if (out->kind != WB_FILE_SYMLINK)
		return wb_ok();
	char text[4097];
	ssize_t n = readlink(path, text, sizeof text);
	if (n < 0)
		return errno == EINVAL || errno == ENOENT
			   ? wb_fail(err, WB_ESTALE, "%s: changed while it was read", path)
			   : wb_fail_errno(err, errno, "%s", path);
	if ((size_t)n == sizeof text)
		return wb_fail(err, WB_ELIMIT, "%s: the link's text is too long", path);
	out->link = wb_arena_strndup(a, text, (size_t)n);
	return wb_ok();
}

/* Hash the file and make sure that it is, before and after, the one that `id` says. */
static wb_status hash_file(struct wb_digest *out, const char *path, const struct wb_stat_id *id, struct wb_err *err)
{
	struct stat st;
	struct wb_stat_id now;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? wb_fail(err, WB_ESTALE, "%s: vanished while it was read", path)
				       : wb_fail_errno(err, errno, "%s", path);
	wb_status s = wb_ok();
	for (int pass = 0; pass < 2 && wb_is_ok(s); pass++) {
		if (fstat(fd, &st) != 0) {
			s = wb_fail_errno(err, errno, "%s", path);
			break;
		}
		now = wb_stat_id_of(&st);
		if (!wb_stat_id_eq(&now, id))
			s = wb_fail(err, WB_ESTALE, "%s: changed while it was read", path);
		else if (pass == 0)
			s = wb_digest_fd(out, fd, path, err);
	}
	close(fd);
	if (wb_is_ok(s) && out->size != id->size)
		s = wb_fail(err, WB_ESTALE, "%s: changed while it was read", path);
	return s;
}

static bool known(struct wb_digest *out, const struct shard *s, const char *path, const struct wb_stat_id *id)
{
	const union wb_map_value *v = wb_map_gets(&s->map, path);
	const struct entry *e = v == NULL ? NULL : v->p;
	if (e == NULL || !wb_stat_id_eq(&e->id, id))
		return false;
	*out = e->digest;
	return true;
}

/* With the shard's lock held: is somebody hashing `path`? */
static bool in_flight(const struct shard *s, const char *path)
{
	for (const struct flight *x = s->flight; x != NULL; x = x->next)
		if (strcmp(x->path, path) == 0)
			return true;
	return false;
}

wb_status wb_facts_digest(struct wb_fact *out, struct wb_facts *f, struct wb_arena *a, const char *path,
			  struct wb_err *err)
{
	(void)a;
	*out = (struct wb_fact){0};
	wb_stat_id_get(&out->id, path, true);
	out->kind = wb_stat_id_kind(&out->id);
	out->exec = (out->id.mode & S_IXUSR) != 0;
	if (out->kind != WB_FILE_REGULAR)
		return wb_ok();
	struct shard *s = shard_of(f, path);
	pthread_mutex_lock(&s->lock);
	bool have = known(&out->digest, s, path, &out->id);
	/* Wait for another thread's answer once; a racy file's is not remembered, then hash it here. */
	if (!have && in_flight(s, path)) {
		while (in_flight(s, path))
			pthread_cond_wait(&s->landed, &s->lock);
		have = known(&out->digest, s, path, &out->id);
	}
	if (have) {
		pthread_mutex_unlock(&s->lock);
		return wb_ok();
	}
	struct flight mine = {s->flight, path};
	s->flight = &mine;
	pthread_mutex_unlock(&s->lock);

	int64_t begun = wb_clock_wall_ns();
	if (out->id.size >= WAIT_SIZE && is_racy(&out->id, begun) && out->id.ctime_ns <= begun) {
		nanosleep(&(struct timespec){.tv_nsec = WB_FACTS_RACY_NS}, NULL);
		begun = wb_clock_wall_ns();
	}
	wb_status status = hash_file(&out->digest, path, &out->id, err);
	bool keep = wb_is_ok(status) && !is_racy(&out->id, begun);

	pthread_mutex_lock(&s->lock);
	if (keep)
		remember(s, path, &out->id, &out->digest);
	struct flight **link = &s->flight;
	while (*link != &mine)
		link = &(*link)->next;
	*link = mine.next;
	pthread_cond_broadcast(&s->landed);
	pthread_mutex_unlock(&s->lock);
	if (keep)
		persist(f, &(struct wb_factlog_record){path, out->id, out->digest, 0});
	return status;
}

void wb_facts_learn(struct wb_facts *f, const char *path, const struct wb_digest *d)
{
	struct wb_stat_id id;
	if (!wb_stat_id_get(&id, path, true) || !S_ISREG(id.mode) || id.size != d->size ||
	    is_racy(&id, wb_clock_wall_ns()))
		return; /* a racy one is hashed when it is asked for: a write in the same tick must not go unseen */
	struct shard *s = shard_of(f, path);
	pthread_mutex_lock(&s->lock);
	remember(s, path, &id, d);
	pthread_mutex_unlock(&s->lock);
	persist(f, &(struct wb_factlog_record){path, id, *d, 0});
}

/* --- attributes --- */

void wb_facts_set_attribute(struct wb_facts *f, const struct wb_digest *d, enum wb_attribute attr)
{
	uint64_t bit = UINT64_C(1) << attr;
	pthread_mutex_lock(&f->attribute_lock);
	uint64_t *bits = &wb_map_put(&f->attribute, d, sizeof *d, NULL)->u, before = *bits;
	*bits |= bit;
	pthread_mutex_unlock(&f->attribute_lock);
	if ((before & bit) != 0)
		return;
	/* A fact about a file can be had again, an attribute cannot: it must not die with a killed daemon. */
	persist(f, &(struct wb_factlog_record){.digest = *d, .attributes = bit});
	wb_ignore(wb_facts_flush(f, NULL));
}

bool wb_facts_has_attribute(struct wb_facts *f, const struct wb_digest *d, enum wb_attribute attr)
{
	pthread_mutex_lock(&f->attribute_lock);
	const union wb_map_value *v = wb_map_get(&f->attribute, d, sizeof *d);
	bool has = v != NULL && ((v->u >> attr) & 1) != 0;
	pthread_mutex_unlock(&f->attribute_lock);
	return has;
}
