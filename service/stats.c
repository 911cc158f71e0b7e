#include "service/stats.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS 256
#define NAME  48
#define MAGIC "WBSTATS1"

/* A quarter of the slots is left for the names of other versions. */
_Static_assert((int)WB_COUNT_COUNT + 2 * (int)WB_REASON_COUNT <= SLOTS * 3 / 4, "a larger file of counters is needed");

struct slot {
	char name[NAME];
	_Atomic int64_t value;
};

struct file {
	char magic[8];
	char pad[48];
	struct slot slot[SLOTS];
};

struct wb_stats {
	struct file *file;
	_Atomic int64_t *counter[WB_COUNT_COUNT];
	_Atomic int64_t *reason[WB_REASON_COUNT];
	_Atomic int64_t *fallback[WB_REASON_COUNT];
};

static const struct {
	const char *name, *text;
} counter_row[WB_COUNT_COUNT] = {
#define X(id, name, text) {name, text},
    WB_COUNTERS(X)
#undef X
};

static _Atomic int64_t *slot_named(struct file *f, const char *prefix, const char *name)
{
	static _Atomic int64_t overflow; /* more names than slots: counted, but not kept */
	char full[NAME];

	if ((size_t)snprintf(full, sizeof full, "%s%s", prefix, name) >= sizeof full)
		return &overflow;
	for (int i = 0; i < SLOTS; i++) {
		if (f->slot[i].name[0] == '\0')
			memcpy(f->slot[i].name, full, sizeof full);
		if (strncmp(f->slot[i].name, full, NAME) == 0)
			return &f->slot[i].value;
	}
	return &overflow;
}

wb_status wb_stats_new(struct wb_stats **out, const char *path, struct wb_err *err)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	*out = NULL;
	if (fd < 0)
		return wb_fail_errno(err, errno, "cannot open the counters %s", path);
	/* posix_fallocate, not ftruncate: on a full disk a mapped hole would end the process with SIGBUS. */
	int e = fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(struct file)
		    ? 0
		    : posix_fallocate(fd, 0, (off_t)sizeof(struct file));
	if (e != 0) {
		close(fd);
		return wb_fail_errno(err, e, "cannot make room for the counters %s", path);
	}
	struct file *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	e = errno;
	close(fd);
	if (f == MAP_FAILED)
		return wb_fail_errno(err, e, "cannot map the counters %s", path);
	if (memcmp(f->magic, MAGIC, sizeof f->magic) != 0) {
		memset(f, 0, sizeof *f);
		memcpy(f->magic, MAGIC, sizeof f->magic);
	}
	struct wb_stats *s = wb_xcalloc(1, sizeof *s);
	s->file = f;
	for (int i = 0; i < WB_COUNT_COUNT; i++)
		s->counter[i] = slot_named(f, "", counter_row[i].name);
	for (int i = 0; i < WB_REASON_COUNT; i++)
		s->reason[i] = slot_named(f, "reason.", wb_reason_name((enum wb_reason)i));
	/* Only the reasons of this kind: the file has room for so many names. */
	for (int i = 0; i < WB_REASON_COUNT; i++)
		s->fallback[i] = wb_reason_is_fallback((enum wb_reason)i)
				     ? slot_named(f, "fallback.", wb_reason_name((enum wb_reason)i))
				     : s->reason[WB_REASON_INTERNAL];
	*out = s;
	return wb_ok();
}

void wb_stats_free(struct wb_stats *s)
{
	if (!s)
		return;
	munmap(s->file, sizeof *s->file);
	free(s);
}

void wb_stats_add(struct wb_stats *s, enum wb_counter c, int64_t n)
{
	atomic_fetch_add_explicit(s->counter[c], n, memory_order_relaxed);
}

void wb_stats_add_reason(struct wb_stats *s, enum wb_reason r)
{
	atomic_fetch_add_explicit(s->reason[r], 1, memory_order_relaxed);
}

void wb_stats_add_fallback(struct wb_stats *s, enum wb_reason r)
{
	atomic_fetch_add_explicit(s->fallback[r], 1, memory_order_relaxed);
}

int64_t wb_stats_get(const struct wb_stats *s, enum wb_counter c)
{
	return atomic_load_explicit(s->counter[c], memory_order_relaxed);
}

int64_t wb_stats_get_reason(const struct wb_stats *s, enum wb_reason r)
{
	return atomic_load_explicit(s->reason[r], memory_order_relaxed);
}

int64_t wb_stats_get_fallback(const struct wb_stats *s, enum wb_reason r)
{
	return wb_reason_is_fallback(r) ? atomic_load_explicit(s->fallback[r], memory_order_relaxed) : 0;
}

void wb_stats_reset(struct wb_stats *s)
{
	for (int i = 0; i < SLOTS; i++)
		atomic_store_explicit(&s->file->slot[i].value, 0, memory_order_relaxed);
}

void wb_stats_add_bytes(struct wb_buf *out, int64_t n)
{
	static const char unit[] = "BKMGTP";
	double v = (double)n;
	int u = 0;

	while (v >= 1000 && unit[u + 1] != '\0') {
		v /= 1000;
		u++;
	}
	if (u == 0)
		wb_buf_addf(out, "%" PRId64 " B", n);
	else
		wb_buf_addf(out, "%.1f %cB", v, unit[u] == 'K' ? 'k' : unit[u]);
}

static bool is_bytes(int counter)
{
	return counter == WB_COUNT_BYTES_UP || counter == WB_COUNT_BYTES_DOWN || counter == WB_COUNT_REMOTE_BYTES_UP ||
	       counter == WB_COUNT_REMOTE_BYTES_DOWN;
}

static bool is_part(int counter)
{
	return counter == WB_COUNT_REMOTE_HITS || counter == WB_COUNT_REMOTE_EXECUTED ||
	       counter == WB_COUNT_REMOTE_BYTES_UP || counter == WB_COUNT_REMOTE_BYTES_DOWN ||
	       counter == WB_COUNT_SCAN_FALLBACKS;
}

static void print_reasons(struct wb_buf *out, const struct wb_stats *s,
			  int64_t (*get)(const struct wb_stats *s, enum wb_reason r))
{
	for (int r = 1; r < WB_REASON_COUNT; r++) {
		int64_t n = get(s, (enum wb_reason)r);

		if (n > 0)
			wb_buf_addf(out, "  %-20s %6" PRId64 "   %s\n", wb_reason_name((enum wb_reason)r), n,
				    wb_reason_text((enum wb_reason)r));
	}
}

static void print_doubts(struct wb_buf *out, struct wb_scanner *scanner)
{
	for (int d = 1; scanner && d < WB_DOUBT_COUNT; d++) {
		uint64_t n = wb_scanner_fallback(scanner, (enum wb_doubt)d);

		if (n > 0)
			wb_buf_addf(out, "  %-20s %6" PRIu64 "   %s\n", wb_doubt_name((enum wb_doubt)d), n,
				    wb_doubt_text((enum wb_doubt)d));
	}
}

void wb_stats_print(struct wb_buf *out, const struct wb_stats *s, struct wb_scanner *scanner, int64_t store_bytes,
		    int64_t store_blobs)
{
	int64_t jobs = wb_stats_get(s, WB_COUNT_JOBS);
	int64_t hits = wb_stats_get(s, WB_COUNT_CACHE_HITS);
	int64_t looked = hits + wb_stats_get(s, WB_COUNT_EXECUTED);

	for (int i = 0; i < WB_COUNT_COUNT; i++) {
		int64_t n = wb_stats_get(s, (enum wb_counter)i);

		wb_buf_addf(out, "%s%-*s ", is_part(i) ? "  " : "", is_part(i) ? 17 : 19, counter_row[i].name);
		if (is_bytes(i))
			wb_stats_add_bytes(out, n);
		else
			wb_buf_addf(out, "%10" PRId64, n);
		if (i == WB_COUNT_CACHE_HITS && looked > 0)
			wb_buf_addf(out, "   %.1f %% of %" PRId64 " looked up", 100.0 * (double)n / (double)looked,
				    looked);
		else if (i == WB_COUNT_LOCAL && jobs > 0)
			wb_buf_addf(out, "   %.1f %% of %" PRId64 " jobs", 100.0 * (double)n / (double)jobs, jobs);
		else
			wb_buf_addf(out, "   %s", counter_row[i].text);
		wb_buf_addc(out, '\n');
		if (i == WB_COUNT_FALLBACKS)
			print_reasons(out, s, wb_stats_get_fallback);
		else if (i == WB_COUNT_LOCAL)
			print_reasons(out, s, wb_stats_get_reason);
		else if (i == WB_COUNT_SCAN_FALLBACKS)
			print_doubts(out, scanner);
	}
	wb_buf_addf(out, "%-19s ", "store");
	wb_stats_add_bytes(out, store_bytes);
	wb_buf_addf(out, " in %" PRId64 " blobs\n", store_blobs);
}

static void json_reasons(struct wb_buf *out, const char *key, const struct wb_stats *s,
			 int64_t (*get)(const struct wb_stats *s, enum wb_reason r))
{
	const char *comma = "";

	wb_buf_addf(out, "\"%s\": {", key);
	for (int r = 1; r < WB_REASON_COUNT; r++) {
		int64_t n = get(s, (enum wb_reason)r);

		if (n == 0)
			continue;
		wb_buf_addf(out, "%s\"%s\": %" PRId64, comma, wb_reason_name((enum wb_reason)r), n);
		comma = ", ";
	}
	wb_buf_adds(out, "}, ");
}

static void json_doubts(struct wb_buf *out, struct wb_scanner *scanner)
{
	const char *comma = "";

	wb_buf_adds(out, "\"scan_doubts\": {");
	for (int d = 1; scanner && d < WB_DOUBT_COUNT; d++) {
		uint64_t n = wb_scanner_fallback(scanner, (enum wb_doubt)d);

		if (n == 0)
			continue;
		wb_buf_addf(out, "%s\"%s\": %" PRIu64, comma, wb_doubt_name((enum wb_doubt)d), n);
		comma = ", ";
	}
	wb_buf_adds(out, "}, ");
}

void wb_stats_print_json(struct wb_buf *out, const struct wb_stats *s, struct wb_scanner *scanner, int64_t store_bytes,
			 int64_t store_blobs)
{
	wb_buf_adds(out, "{");
	for (int i = 0; i < WB_COUNT_COUNT; i++)
		wb_buf_addf(out, "\"%s\": %" PRId64 ", ", counter_row[i].name, wb_stats_get(s, (enum wb_counter)i));
	json_reasons(out, "local_reasons", s, wb_stats_get_reason);
	json_reasons(out, "fallback_reasons", s, wb_stats_get_fallback);
	json_doubts(out, scanner);
	wb_buf_addf(out, "\"store_bytes\": %" PRId64 ", \"store_blobs\": %" PRId64 "}\n", store_bytes, store_blobs);
}
