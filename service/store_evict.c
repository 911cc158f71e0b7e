/* Sizes, use times and eviction.
 *
 * The time of last use of a blob is in memory, and on disk its atime, set explicitly (so it also works with noatime)
 * now and then: setting it moves the ctime, which the store then notes as its own doing. Totals are kept per shard,
 * exact from the moment when the shard has been counted; DIR/usage carries them over a clean restart. */
#define _GNU_SOURCE
#include "service/store_impl.h"

#include "base/clock.h"
#include "base/fileio.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_SECONDS = 60,        /* how often the maintenance thread looks around by itself */
	SAVE_TIMES_SECONDS = 600, /* how often it writes use times */
	GRACE_SECONDS = 60,       /* what was used so recently is not evicted unasked: a job may be about to need it */
	DISK_FULL_SECONDS = 10,   /* at most so often a full disk makes room */
	LOW_WATER_PERCENT = 90,   /* unasked eviction goes down to this part of the limit (or of what is there) */
};

#define USAGE_HEADER "waybill store usage 1\n"

/* One file of the store, for eviction. */
struct candidate {
	uint8_t hash[32];
	bool exec;
	int64_t size, used;
};

struct candidates {
	struct candidate *v;
	size_t n, cap;
};

/* "<64 hex>" or "<64 hex>.x" */
static bool parse_name(struct wb_digest *d, bool *exec, const char *name)
{
	char hex[WB_DIGEST_HEX];
	size_t n = strlen(name);
	*exec = n == 66 && strcmp(name + 64, ".x") == 0;
	if (n != 64 && !*exec)
		return false;
	memcpy(hex, name, 64);
	hex[64] = '\0';
	return wb_digest_parse(d, hex, 0);
}

/* Read one shard's directory, lock held; counts it, and collects what is in it when `out` is given. */
static void scan_shard(struct wb_store *s, unsigned i, struct candidates *out)
{
	struct shard *sh = &s->shard[i];
	char path[STORE_PATH];
	snprintf(path, sizeof path, "%s/cas/%02x", s->dir, i);
	int64_t bytes = 0, count = 0;
	DIR *dir = opendir(path);
	const struct dirent *e;
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		struct wb_digest d;
		struct stat st;
		bool exec;
		if (!parse_name(&d, &exec, e->d_name) || d.hash[0] != i ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		bytes += st.st_size;
		count++;
		if (out == NULL)
			continue;
		const struct blob *b = wb_store_blob(sh, d.hash, false);
		if (b != NULL && b->pins > 0)
			continue;
		if (out->n == out->cap) {
			out->cap = out->cap == 0 ? 1024 : out->cap * 2;
			out->v = wb_xrealloc(out->v, out->cap * sizeof *out->v);
		}
		struct candidate *c = &out->v[out->n++];
		memcpy(c->hash, d.hash, sizeof c->hash);
		c->exec = exec;
		c->size = st.st_size;
		c->used = b != NULL && b->used > st.st_atim.tv_sec ? b->used : st.st_atim.tv_sec;
	}
	if (dir != NULL)
		closedir(dir);
	sh->bytes = bytes;
	sh->count = count;
	sh->counted = true;
}

static void totals(struct wb_store *s, int64_t *bytes, int64_t *count)
{
	*bytes = *count = 0;
	for (unsigned i = 0; i < STORE_SHARDS; i++) {
		struct shard *sh = &s->shard[i];
		pthread_mutex_lock(&sh->lock);
		if (!sh->counted)
			scan_shard(s, i, NULL);
		*bytes += sh->bytes;
		*count += sh->count;
		pthread_mutex_unlock(&sh->lock);
	}
}

int64_t wb_store_bytes(struct wb_store *s)
{
	int64_t bytes, count;
	totals(s, &bytes, &count);
	return bytes;
}

int64_t wb_store_count(struct wb_store *s)
{
	int64_t bytes, count;
	totals(s, &bytes, &count);
	return count;
}

static int by_use(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;
	return (a->used > b->used) - (a->used < b->used);
}

/* Remove one blob unless somebody pinned it, or used it after the list was made. */
static int64_t evict_one(struct wb_store *s, const struct candidate *c, wb_status *status, struct wb_err *err)
{
	char path[STORE_PATH];
	struct wb_digest d = {.size = c->size};
	memcpy(d.hash, c->hash, sizeof d.hash);
	wb_store_blob_path(path, s, &d, c->exec);
	struct shard *sh = &s->shard[c->hash[0]];
	int64_t freed = 0;
	pthread_mutex_lock(&sh->lock);
	struct blob *b = wb_store_blob(sh, c->hash, false);
	if (b == NULL || (b->pins == 0 && b->used <= c->used)) {
		int e = wb_store_remove(sh, b, c->exec, path);
		if (e == 0)
			freed = c->size;
		else if (wb_is_ok(*status))
			*status = wb_fail_errno(err, e, "cannot remove %s", path);
	}
	pthread_mutex_unlock(&sh->lock);
	return freed;
}

/* Evict down to `limit`; nothing that was used at `newest` or later. */
static wb_status evict(struct wb_store *s, int64_t limit, int64_t newest, int64_t *freed, struct wb_err *err)
{
	wb_status status = wb_ok();
	struct candidates list = {0};
	int64_t total = 0;
	*freed = 0;
	pthread_mutex_lock(&s->prune_lock);
	for (unsigned i = 0; i < STORE_SHARDS; i++) {
		struct shard *sh = &s->shard[i];
		pthread_mutex_lock(&sh->lock);
		scan_shard(s, i, &list);
		total += sh->bytes;
		pthread_mutex_unlock(&sh->lock);
	}
	if (list.n > 0)
		qsort(list.v, list.n, sizeof *list.v, by_use);
	for (size_t i = 0; i < list.n && total - *freed > limit && list.v[i].used < newest; i++)
		*freed += evict_one(s, &list.v[i], &status, err);
	free(list.v);
	pthread_mutex_unlock(&s->prune_lock);
	pthread_mutex_lock(&s->hook_lock);
	if (*freed > 0 && s->on_evict != NULL)
		s->on_evict(s->on_evict_arg);
	pthread_mutex_unlock(&s->hook_lock);
	return status;
}

void wb_store_on_evict(struct wb_store *s, void (*fn)(void *), void *arg)
{
	pthread_mutex_lock(&s->hook_lock);
	s->on_evict = fn;
	s->on_evict_arg = arg;
	pthread_mutex_unlock(&s->hook_lock);
}

wb_status wb_store_prune(struct wb_store *s, int64_t limit, int64_t *freed, struct wb_err *err)
{
	int64_t ignored;
	if (freed == NULL)
		freed = &ignored;
	*freed = 0;
	if (limit < 0 && s->limit <= 0)
		return wb_ok(); /* "the configured limit", and there is none */
	if (limit < 0)
		limit = s->limit;
	return evict(s, limit, INT64_MAX, freed, err);
}

wb_status wb_store_clear(struct wb_store *s, struct wb_err *err)
{
	int64_t freed;
	return evict(s, -1, INT64_MAX, &freed, err);
}

void wb_store_save_times(struct wb_store *s)
{
	for (unsigned i = 0; i < STORE_SHARDS; i++) {
		struct shard *sh = &s->shard[i];
		size_t j = 0;
		pthread_mutex_lock(&sh->lock);
		for (const struct wb_map_slot *slot; (slot = wb_map_next(&sh->blob, &j)) != NULL;) {
			struct blob *b = slot->value.p;
			if (!b->used_dirty)
				continue;
			b->used_dirty = false;
			for (int exec = 0; exec < 2; exec++) {
				char path[STORE_PATH];
				struct wb_digest d;
				struct blob_id id;
				memcpy(d.hash, slot->key, sizeof d.hash);
				wb_store_blob_path(path, s, &d, exec);
				if (!wb_store_stat(&id, path))
					continue;
				bool known = b->v[exec].verified && wb_blob_id_eq(&id, &b->v[exec].id);
				struct timespec t[2] = {{.tv_sec = (time_t)b->used}, {.tv_nsec = UTIME_OMIT}};
				if (utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW) == 0 && known)
					b->v[exec].verified = wb_store_stat(&b->v[exec].id, path);
			}
		}
		pthread_mutex_unlock(&sh->lock);
	}
}

static void usage_path(char out[STORE_PATH], const struct wb_store *s)
{
	snprintf(out, STORE_PATH, "%s/usage", s->dir);
}

static bool parse_usage(int64_t bytes[STORE_SHARDS], int64_t count[STORE_SHARDS], const char *p)
{
	for (unsigned i = 0; i < STORE_SHARDS; i++) {
		char *middle, *end;
		bytes[i] = strtoll(p, &middle, 10);
		count[i] = strtoll(middle, &end, 10);
		if (middle == p || end == middle || *end != '\n' || bytes[i] < 0 || count[i] < 0)
			return false;
		p = end + 1;
	}
	return *p == '\0';
}

/* Totals of a clean end. The file is removed: if this process ends otherwise, the next one counts. */
void wb_store_load_usage(struct wb_store *s)
{
	char path[STORE_PATH];
	struct wb_arena a;
	int64_t bytes[STORE_SHARDS], count[STORE_SHARDS];
	char *text;
	size_t n;
	usage_path(path, s);
	wb_arena_init(&a);
	wb_status status = wb_file_read(&text, &n, &a, path, 1 << 20, NULL);
	bool removed = unlink(path) == 0;
	size_t header = strlen(USAGE_HEADER);
	if (wb_is_ok(status) && removed && n > header && memcmp(text, USAGE_HEADER, header) == 0 &&
	    parse_usage(bytes, count, text + header)) {
		for (unsigned i = 0; i < STORE_SHARDS; i++) {
			s->shard[i].bytes = bytes[i];
			s->shard[i].count = count[i];
			s->shard[i].counted = true;
		}
	}
	wb_arena_release(&a);
}

void wb_store_save_usage(struct wb_store *s)
{
	char path[STORE_PATH], text[sizeof USAGE_HEADER + STORE_SHARDS * 44];
	size_t n = (size_t)snprintf(text, sizeof text, "%s", USAGE_HEADER);
	for (unsigned i = 0; i < STORE_SHARDS; i++) {
		if (!s->shard[i].counted)
			return;
		n += (size_t)snprintf(text + n, sizeof text - n, "%" PRId64 " %" PRId64 "\n", s->shard[i].bytes,
				      s->shard[i].count);
	}
	usage_path(path, s);
	wb_ignore(wb_file_write(path, text, n, 0600, NULL)); /* without it the next start counts */
}

/* Totals without counting: what is known. */
static int64_t known_bytes(struct wb_store *s)
{
	int64_t n = 0;
	for (unsigned i = 0; i < STORE_SHARDS; i++) {
		pthread_mutex_lock(&s->shard[i].lock);
		n += s->shard[i].bytes;
		pthread_mutex_unlock(&s->shard[i].lock);
	}
	return n;
}

void wb_store_poke(struct wb_store *s, int64_t added)
{
	/* Summing 256 shards for every put would be dear: the thread does it, each time that a part of the limit was
	 * added. */
	int64_t step = s->limit / 128, sum = atomic_fetch_add(&s->added, added) + added;
	if (!atomic_load(&s->disk_full) && (s->limit <= 0 || sum < step))
		return;
	atomic_store(&s->added, 0);
	pthread_mutex_lock(&s->lock);
	s->work = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

static void make_room(struct wb_store *s, bool disk_full)
{
	int64_t limit = s->limit, now = wb_clock_wall_ns() / 1000000000, freed = 0;
	int64_t bytes = known_bytes(s);
	if (limit > 0 && bytes > limit)
		limit = limit / 100 * LOW_WATER_PERCENT;
	else if (disk_full)
		limit = bytes / 100 * LOW_WATER_PERCENT;
	else
		return;
	struct wb_err err = WB_ERR_INIT;
	wb_status status = evict(s, limit, now - GRACE_SECONDS, &freed, &err);
	if (!wb_is_ok(status))
		wb_log(WB_LOG_WARN, "eviction: %s", err.text);
	wb_log(WB_LOG_INFO, "evicted %" PRId64 " bytes of %" PRId64 "%s", freed, bytes,
	       disk_full ? " (disk full)" : "");
}

static void *maintain(void *arg)
{
	struct wb_store *s = arg;
	int64_t times_saved = wb_clock_ns(), room_made = 0;
	for (unsigned i = 0; i < STORE_SHARDS; i++) {
		pthread_mutex_lock(&s->lock);
		bool stop = s->stop;
		pthread_mutex_unlock(&s->lock);
		if (stop)
			return NULL;
		struct shard *sh = &s->shard[i];
		pthread_mutex_lock(&sh->lock);
		if (!sh->counted)
			scan_shard(s, i, NULL);
		pthread_mutex_unlock(&sh->lock);
	}
	for (;;) {
		struct timespec until;
		pthread_mutex_lock(&s->lock);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += TICK_SECONDS;
		int e = 0;
		while (!s->stop && !s->work && e != ETIMEDOUT)
			e = pthread_cond_timedwait(&s->wake, &s->lock, &until);
		bool stop = s->stop;
		s->work = false;
		pthread_mutex_unlock(&s->lock);
		if (stop)
			return NULL;
		int64_t now = wb_clock_ns();
		bool full = false;
		if (room_made == 0 || now - room_made > DISK_FULL_SECONDS * 1000000000LL) {
			full = atomic_exchange(&s->disk_full, false);
			if (full)
				room_made = now;
		}
		make_room(s, full);
		if (now - times_saved > SAVE_TIMES_SECONDS * 1000000000LL) {
			wb_store_save_times(s);
			times_saved = now;
		}
	}
}

wb_status wb_store_start_maintenance(struct wb_store *s, struct wb_err *err)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int e = pthread_create(&s->thread, NULL, maintain, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return e == 0 ? wb_ok() : wb_fail_errno(err, e, "cannot start a thread");
}

void wb_store_stop_maintenance(struct wb_store *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
}
