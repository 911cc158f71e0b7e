#include "scanner/factlog.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC     "WBFACTS1"
#define LOG_LIMIT ((size_t)512 << 20) /* a larger file is started anew */
#define PATH_MOST 65536

enum { MAGIC_LEN = 8, HEAD_LEN = 12, FILE_RECORD = 1, CONTENT_RECORD = 2 };

struct wb_factlog {
	char *path;
	int fd;                /* O_APPEND; -1: records are dropped (a write failed) */
	struct wb_buf pending; /* encoded records */
};

static uint64_t checksum(const char *p, size_t n)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)p[i]) * UINT64_C(1099511628211);
	return h;
}

static void put(struct wb_buf *b, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		wb_buf_addc(b, i < (int)sizeof v ? (char)(v >> (8 * i)) : 0);
}

static uint64_t get(const char *p, int bytes)
{
	uint64_t v = 0;
	for (int i = 0; i < bytes; i++)
		v |= (uint64_t)(uint8_t)p[i] << (8 * i);
	return v;
}

void wb_factlog_add(struct wb_factlog *log, const struct wb_factlog_record *r)
{
	struct wb_buf *b = &log->pending;
	size_t head = b->n;
	if (r->path != NULL && strlen(r->path) > PATH_MOST)
		return;
	put(b, 0, HEAD_LEN);
	put(b, r->path != NULL ? FILE_RECORD : CONTENT_RECORD, 1);
	wb_buf_add(b, r->digest.hash, sizeof r->digest.hash);
	put(b, (uint64_t)r->digest.size, 8);
	if (r->path == NULL) {
		put(b, r->attributes, 8);
	} else {
		put(b, r->id.dev, 8);
		put(b, r->id.ino, 8);
		put(b, (uint64_t)r->id.size, 8);
		put(b, (uint64_t)r->id.mtime_ns, 8);
		put(b, (uint64_t)r->id.ctime_ns, 8);
		put(b, r->id.mode, 4);
		wb_buf_adds(b, r->path);
	}
	size_t n = b->n - head - HEAD_LEN;
	uint64_t sum = checksum(b->p + head + HEAD_LEN, n);
	for (int i = 0; i < 4; i++)
		b->p[head + (size_t)i] = (char)(n >> (8 * i));
	for (int i = 0; i < 8; i++)
		b->p[head + 4 + (size_t)i] = (char)(sum >> (8 * i));
}

enum { DIGEST_LEN = 1 + 32 + 8, CONTENT_LEN = DIGEST_LEN + 8, FILE_LEN = DIGEST_LEN + 5 * 8 + 4 };

/* Decode one payload; `name` gets the path. False: it is of no known form. */
static bool decode(struct wb_factlog_record *r, struct wb_buf *name, const char *p, size_t n)
{
	*r = (struct wb_factlog_record){0};
	if (n < CONTENT_LEN)
		return false;
	memcpy(r->digest.hash, p + 1, sizeof r->digest.hash);
	r->digest.size = (int64_t)get(p + 33, 8);
	const char *q = p + DIGEST_LEN;
	if (p[0] == CONTENT_RECORD && n == CONTENT_LEN) {
		r->attributes = get(q, 8);
		return true;
	}
	if (p[0] != FILE_RECORD || n <= FILE_LEN || memchr(p + FILE_LEN, '\0', n - FILE_LEN) != NULL)
		return false;
	r->id.dev = get(q, 8);
	r->id.ino = get(q + 8, 8);
	r->id.size = (int64_t)get(q + 16, 8);
	r->id.mtime_ns = (int64_t)get(q + 24, 8);
	r->id.ctime_ns = (int64_t)get(q + 32, 8);
	r->id.mode = (uint32_t)get(q + 40, 4);
	wb_buf_reset(name);
	wb_buf_add(name, p + FILE_LEN, n - FILE_LEN);
	r->path = name->p;
	return true;
}

/* Read every good record; returns the length of the good part of the file. */
static size_t load(const char *data, size_t n, void (*on_record)(void *arg, const struct wb_factlog_record *r),
		   void *arg)
{
	struct wb_buf name = WB_BUF_INIT;
	struct wb_factlog_record r;
	size_t at = MAGIC_LEN;
	if (n < MAGIC_LEN || memcmp(data, MAGIC, MAGIC_LEN) != 0)
		return 0;
	while (n - at >= HEAD_LEN) {
		size_t len = (size_t)get(data + at, 4);
		const char *payload = data + at + HEAD_LEN;
		if (len > n - at - HEAD_LEN || get(data + at + 4, 8) != checksum(payload, len) ||
		    !decode(&r, &name, payload, len))
			break;
		on_record(arg, &r);
		at += HEAD_LEN + len;
	}
	wb_buf_release(&name);
	return at;
}

static wb_status open_append(struct wb_factlog *log, struct wb_err *err)
{
	log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	return log->fd >= 0 ? wb_ok() : wb_fail_errno(err, errno, "cannot open %s", log->path);
}

static wb_status write_afresh(struct wb_factlog *log, void (*dump)(void *arg, struct wb_factlog *log), void *arg,
			      struct wb_err *err)
{
	wb_buf_reset(&log->pending);
	wb_buf_add(&log->pending, MAGIC, MAGIC_LEN);
	dump(arg, log);
	wb_status s = wb_file_write(log->path, log->pending.p, log->pending.n, 0600, err);
	wb_buf_reset(&log->pending);
	return s;
}

/* What a dump would write, in bytes. */
static size_t live_bytes(struct wb_factlog *log, void (*dump)(void *arg, struct wb_factlog *log), void *arg)
{
	dump(arg, log);
	size_t n = log->pending.n;
	wb_buf_reset(&log->pending);
	return n;
}

wb_status wb_factlog_open(struct wb_factlog **out, const char *path,
			  void (*on_record)(void *arg, const struct wb_factlog_record *r),
			  void (*dump)(void *arg, struct wb_factlog *log), void *arg, struct wb_err *err)
{
	struct wb_factlog *log = wb_xcalloc(1, sizeof *log);
	struct wb_arena a;
	char *data = NULL;
	size_t n = 0, good = 0;
	wb_arena_init(&a);
	log->path = wb_xstrdup(path);
	log->fd = -1;
	wb_status s = wb_file_read(&data, &n, &a, path, LOG_LIMIT, NULL);
	if (wb_is_ok(s))
		good = load(data, n, on_record, arg);
	/* Started anew: not there, not ours, too large. Otherwise afresh only when most of it is dead, and a torn tail
	 * cut. */
	if (good < MAGIC_LEN || (good > (1 << 16) && live_bytes(log, dump, arg) < good / 2))
		s = write_afresh(log, dump, arg, err);
	else if (good < n && truncate(path, (off_t)good) != 0)
		s = wb_fail_errno(err, errno, "cannot truncate %s", path);
	if (wb_is_ok(s))
		s = open_append(log, err);
	wb_arena_release(&a);
	if (!wb_is_ok(s)) {
		wb_factlog_close(log);
		return s;
	}
	*out = log;
	return wb_ok();
}

void wb_factlog_close(struct wb_factlog *log)
{
	if (log == NULL)
		return;
	if (log->fd >= 0) {
		wb_ignore(wb_factlog_flush(log, NULL)); /* a cache: nobody is there to be told */
		close(log->fd);
	}
	wb_buf_release(&log->pending);
	free(log->path);
	free(log);
}

size_t wb_factlog_pending(const struct wb_factlog *log)
{
	return log->pending.n;
}

wb_status wb_factlog_flush(struct wb_factlog *log, struct wb_err *err)
{
	wb_status s = wb_ok();
	if (log->pending.n > 0 && log->fd >= 0)
		s = wb_fd_write(log->fd, log->pending.p, log->pending.n, log->path, err);
	if (!wb_is_ok(s)) { /* half a record may stand there now: what came after it would never be read */
		close(log->fd);
		log->fd = -1;
	}
	wb_buf_reset(&log->pending);
	return s;
}
