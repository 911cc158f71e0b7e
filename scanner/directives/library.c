#include "scanner/directives/library.h"

#include "scanner/directives/packed_program.h"
#include "scanner/directives/table.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC "WBPROGS1"
enum { BATCH = 256 << 10, WINDOW = 64 << 10, SMALL = 8 << 10, LOCK_TRIES = 1000, LOCK_PAUSE_NS = 1000 * 1000 };
#define PENDING UINT64_MAX       /* not written yet */
#define GONE    (UINT64_MAX - 1) /* not what it should be */

/* Of the file. Numbers are this machine's: `order` tells it from others. */
struct header {
	char magic[8];
	uint64_t order;
	uint64_t build[2]; /* hash of the name of the build */
	uint64_t chance[3];
	uint64_t sum; /* of what is before it */
};

/* Of a program; its bytes (packed_program.h) follow. */
struct record {
	uint64_t sum; /* of everything behind it */
	struct wb_library_key key;
	uint32_t n;
	uint32_t head_sum; /* of the key and n: what is needed to go on to the next one */
};

struct entry {
	uint64_t at;
	uint32_t n;
};

struct wb_library {
	struct wb_idents *idents;
	size_t limit, batch;
	int fd;
	pthread_mutex_t lock; /* of what follows */
	struct header header;
	uint64_t seed;         /* of hashes and sums: all that the header says */
	uint64_t end;          /* of the records that are known */
	struct wb_table table; /* short key -> number of the entry */
	struct entry *entry;
	uint32_t nentry, entry_cap;
	struct wb_buf pending;
	struct wb_library_count count;
};

static uint64_t short_key(const struct wb_library_key *key)
{
	return key->hash[0] + key->lex * 0x9e3779b97f4a7c15u;
}

static uint64_t sum_of(const struct record *r, size_t from, size_t to, uint64_t seed)
{
	return XXH3_64bits_withSeed((const char *)r + from, to - from, seed);
}

static uint32_t head_sum(const struct record *r, uint64_t seed)
{
	return (uint32_t)sum_of(r, offsetof(struct record, key), offsetof(struct record, head_sum), seed);
}

/* `r` and its bytes lie one after the other. */
static uint64_t full_sum(const struct record *r, uint64_t seed)
{
	return sum_of(r, offsetof(struct record, key), sizeof *r + r->n, seed);
}

static bool is_record(const struct record *r, uint64_t seed)
{
	return r->head_sum == head_sum(r, seed) && r->n % 8 == 0;
}

static bool read_at(int fd, void *to, size_t n, uint64_t at, size_t *got)
{
	*got = 0;
	while (*got < n) {
		ssize_t r = pread(fd, (char *)to + *got, n - *got, (off_t)(at + *got));
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r == 0;
		*got += (size_t)r;
	}
	return true;
}

static bool write_at(int fd, const void *from, size_t n, uint64_t at)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = pwrite(fd, (const char *)from + done, n - done, (off_t)(at + done));
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		done += (size_t)r;
	}
	return true;
}

/* Nobody holds it for long. */
static bool lock_file(int fd)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
	}
	return false;
}

/* --- all that follows under the lock of the library --- */

static void forget_all(struct wb_library *l)
{
	wb_table_release(&l->table);
	l->nentry = 0;
	l->end = sizeof l->header;
}

static struct entry *find(struct wb_library *l, const struct wb_library_key *key)
{
	uint32_t i = wb_table_get(&l->table, short_key(key));
	return i == WB_NOWHERE ? NULL : &l->entry[i];
}

static void note(struct wb_library *l, const struct record *r, uint64_t at)
{
	struct entry *e = find(l, &r->key);
	if (!e) {
		if (l->nentry == l->entry_cap) {
			l->entry_cap = l->entry_cap ? 2 * l->entry_cap : 1024;
			l->entry = wb_xrealloc(l->entry, l->entry_cap * sizeof *l->entry);
		}
		wb_table_put(&l->table, short_key(&r->key), l->nentry);
		e = &l->entry[l->nentry++];
	}
	*e = (struct entry){at, r->n};
}

/* The records from l->end on, up to `size` or the first that is none. The bytes of programs are looked at when they are
 * needed. */
static void read_on(struct wb_library *l, uint64_t size)
{
	char *window = wb_xaligned(8, WINDOW);
	uint64_t from = 0;
	size_t have = 0;
	struct record r;
	while (size - l->end >= sizeof r) {
		if (l->end < from || l->end + sizeof r > from + have) {
			from = l->end;
			if (!read_at(l->fd, window, WINDOW, from, &have) || have < sizeof r)
				break;
		}
		memcpy(&r, window + (l->end - from), sizeof r);
		if (!is_record(&r, l->seed) || r.n > size - l->end - sizeof r)
			break;
		note(l, &r, l->end);
		l->end += sizeof r + r.n;
	}
	free(window);
}

static void make_header(struct header *h, const char *build)
{
	/* Structures go into the file as they are: those of a build, for one kind of machine. */
	XXH128_hash_t hash = XXH3_128bits(build, strlen(build));
	*h = (struct header){.order = 0x0102030405060708u + sizeof(void *), .build = {hash.low64, hash.high64}};
	memcpy(h->magic, MAGIC, sizeof h->magic);
}

static uint64_t header_sum(const struct header *h)
{
	return XXH3_64bits(h, offsetof(struct header, sum));
}

/* A file without records. Under the lock of the file. */
static bool start_anew(struct wb_library *l)
{
	struct header *h = &l->header;
	if (getrandom(h->chance, sizeof h->chance, 0) != (ssize_t)sizeof h->chance)
		return false;
	h->sum = header_sum(h);
	l->seed = XXH3_64bits(h, sizeof *h);
	forget_all(l);
	return write_at(l->fd, h, sizeof *h, 0) && ftruncate(l->fd, sizeof *h) == 0;
}

/* What another process has appended, and the file without what is no whole record. Under the lock of the file. */
static bool catch_up(struct wb_library *l)
{
	struct stat st;
	if (fstat(l->fd, &st) != 0)
		return false;
	uint64_t size = (uint64_t)st.st_size;
	if (size < l->end)
		return false;
	read_on(l, size);
	return size == l->end || ftruncate(l->fd, (off_t)l->end) == 0;
}

static bool is_ours(const struct wb_library *l)
{
	struct header h;
	size_t got;
	return read_at(l->fd, &h, sizeof h, 0, &got) && got == sizeof h && memcmp(&h, &l->header, sizeof h) == 0;
}

static bool append(struct wb_library *l)
{
	if (!is_ours(l) || !catch_up(l))
		return false;
	/* The keys of what is pending are none of a new file. */
	if (l->end + l->pending.n > l->limit)
		return start_anew(l);
	if (!write_at(l->fd, l->pending.p, l->pending.n, l->end)) {
		bool cut = ftruncate(l->fd, (off_t)l->end) == 0;
		(void)cut; /* else the next one that appends cuts it off */
		return false;
	}
	for (size_t at = 0; at < l->pending.n;) {
		struct record r;
		memcpy(&r, l->pending.p + at, sizeof r);
		note(l, &r, l->end + at);
		at += sizeof r + r.n;
	}
	l->end += l->pending.n;
	return true;
}

static void flush(struct wb_library *l)
{
	if (l->pending.n == 0 || l->count.given_up)
		return;
	bool locked = lock_file(l->fd);
	if (!locked || !append(l))
		l->count.given_up = true;
	if (locked)
		flock(l->fd, LOCK_UN);
	wb_buf_reset(&l->pending);
	if (l->count.given_up)
		wb_buf_release(&l->pending);
}

/* --- */

void wb_library_flush(struct wb_library *l)
{
	pthread_mutex_lock(&l->lock);
	flush(l);
	pthread_mutex_unlock(&l->lock);
}

struct wb_library_key wb_library_key(struct wb_library *l, const char *text, size_t n, unsigned lex)
{
	pthread_mutex_lock(&l->lock);
	uint64_t seed = l->seed;
	pthread_mutex_unlock(&l->lock);
	XXH128_hash_t h = XXH3_128bits_withSeed(text, n, seed);
	return (struct wb_library_key){{h.low64, h.high64}, n, lex, seed};
}

static struct wb_program *unpack(struct wb_library *l, const struct record *r, const struct wb_library_key *key,
				 uint32_t n)
{
	if (r->n != n || memcmp(&r->key, key, sizeof *key) != 0 || !is_record(r, key->seed) ||
	    r->sum != full_sum(r, key->seed))
		return NULL;
	return wb_program_unpack(l->idents, r + 1, n, (unsigned)key->lex);
}

struct wb_program *wb_library_get(struct wb_library *l, const struct wb_library_key *key)
{
	_Alignas(struct record) char small[SMALL];
	pthread_mutex_lock(&l->lock);
	const struct entry *known = find(l, key);
	struct entry e = known ? *known : (struct entry){GONE, 0};
	pthread_mutex_unlock(&l->lock);
	if (e.at >= GONE)
		return NULL;
	size_t n = sizeof(struct record) + e.n, got;
	char *bytes = n <= sizeof small ? small : wb_xaligned(8, n);
	struct wb_program *p = NULL;
	if (read_at(l->fd, bytes, n, e.at, &got) && got == n)
		p = unpack(l, (const struct record *)(const void *)bytes, key, e.n);
	if (bytes != small)
		free(bytes);
	pthread_mutex_lock(&l->lock);
	struct entry *now = find(l, key);
	if (p)
		l->count.given++;
	else if (now && now->at == e.at)
		now->at = GONE;
	pthread_mutex_unlock(&l->lock);
	return p;
}

/* Under the lock. */
static bool wants(struct wb_library *l, const struct wb_library_key *key)
{
	const struct entry *e = find(l, key);
	return key->seed == l->seed && !l->count.given_up && (!e || e->at == GONE);
}

void wb_library_put(struct wb_library *l, const struct wb_library_key *key, const struct wb_program *p)
{
	struct wb_buf out = WB_BUF_INIT;
	wb_buf_add(&out, &(struct record){.key = *key}, sizeof(struct record));
	if (wb_program_pack(&out, p, l->idents) && out.n <= l->limit / 4) {
		struct record *r = (struct record *)(void *)out.p;
		r->n = (uint32_t)(out.n - sizeof *r);
		r->head_sum = head_sum(r, key->seed);
		r->sum = full_sum(r, key->seed);
		pthread_mutex_lock(&l->lock);
		if (wants(l, key)) {
			wb_buf_add(&l->pending, out.p, out.n);
			note(l, r, PENDING);
			l->count.taken++;
			if (l->pending.n >= l->batch)
				flush(l);
		}
		pthread_mutex_unlock(&l->lock);
	}
	wb_buf_release(&out);
}

void wb_library_count(struct wb_library *l, struct wb_library_count *out)
{
	pthread_mutex_lock(&l->lock);
	*out = l->count;
	out->held = l->nentry;
	out->bytes = l->end;
	pthread_mutex_unlock(&l->lock);
}

/* Under the lock of the file. */
static bool begin(struct wb_library *l)
{
	struct header h;
	size_t got;
	if (!read_at(l->fd, &h, sizeof h, 0, &got))
		return false;
	if (got != sizeof h || memcmp(&h, &l->header, offsetof(struct header, chance)) != 0 || h.sum != header_sum(&h))
		return start_anew(l);
	l->header = h;
	l->seed = XXH3_64bits(&h, sizeof h);
	l->end = sizeof h;
	return catch_up(l);
}

wb_status wb_library_new(struct wb_library **out, struct wb_idents *idents, const char *path, const char *build,
			 size_t limit, struct wb_err *err)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (fd < 0)
		return wb_fail_errno(err, errno, "cannot open %s", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return wb_fail(err, WB_EINVAL, "%s is no regular file: remove it", path);
	}
	if (!lock_file(fd)) {
		close(fd);
		return wb_fail(err, WB_EBUSY, "%s is locked by another process", path);
	}
	struct wb_library *l = wb_xcalloc(1, sizeof *l);
	l->idents = idents;
	l->limit = limit;
	l->batch = limit / 4 < BATCH ? limit / 4 : BATCH;
	l->fd = fd;
	pthread_mutex_init(&l->lock, NULL);
	make_header(&l->header, build);
	if (!begin(l)) {
		wb_status s = wb_fail_errno(err, errno, "cannot read or write %s", path);
		wb_library_free(l);
		return s;
	}
	flock(fd, LOCK_UN);
	*out = l;
	return wb_ok();
}

void wb_library_free(struct wb_library *l)
{
	if (!l)
		return;
	flush(l);
	close(l->fd);
	wb_table_release(&l->table);
	free(l->entry);
	wb_buf_release(&l->pending);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
