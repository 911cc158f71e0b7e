#define _GNU_SOURCE
#include "service/action_cache.h"

#include "base/fileio.h"
#include "base/str.h"
#include "reapi/messages.h"
#include "service/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file: magic, 32 bytes of SHA-256 over action digest and payload, payload (a serialised ActionResult). The action
 * digest is part of it, so that a file under a wrong name is damage too. */
#define MAGIC "waybill ac 1\n"
enum { MAGIC_SIZE = sizeof MAGIC - 1, HEADER_SIZE = MAGIC_SIZE + 32, ENTRY_MAX = 16 << 20 };

struct wb_action_cache {
	char *dir;
	struct wb_store *store; /* borrowed */
};

wb_status wb_action_cache_new(struct wb_action_cache **out, const char *dir, struct wb_store *store, struct wb_err *err)
{
	if (strlen(dir) > PATH_MAX - 256)
		return wb_fail(err, WB_EINVAL, "directory name too long: %.200s", dir);
	struct wb_action_cache *c = wb_xcalloc(1, sizeof *c);
	size_t n = strlen(dir) + sizeof "/ac";
	c->dir = wb_xcalloc(n, 1);
	snprintf(c->dir, n, "%s/ac", dir);
	c->store = store;
	wb_status s = wb_dir_make(c->dir, 0700, err);
	if (wb_is_ok(s))
		*out = c;
	else
		wb_action_cache_free(c);
	return s;
}

void wb_action_cache_free(struct wb_action_cache *c)
{
	if (c == NULL)
		return;
	free(c->dir);
	free(c);
}

static void entry_path(char out[PATH_MAX], const struct wb_action_cache *c, const struct wb_digest *action)
{
	char hex[WB_DIGEST_HEX];
	wb_digest_hex(hex, action);
	snprintf(out, PATH_MAX, "%s/%.2s/%s", c->dir, hex, hex);
}

static void checksum(struct wb_digest *out, const struct wb_digest *action, const void *data, size_t n)
{
	struct wb_hasher h;
	wb_hasher_init(&h);
	wb_hasher_add(&h, action->hash, sizeof action->hash);
	wb_hasher_add(&h, data, n);
	wb_hasher_finish(&h, out);
}

static wb_status is_there(struct wb_action_cache *c, const wb_re_digest *m, struct wb_err *err)
{
	struct wb_digest d;
	WB_TRY(wb_re_digest_get(&d, m, "cached result", err));
	return wb_store_has(c->store, &d) ? wb_ok()
					  : wb_fail(err, WB_ENOENT, "an output of the cached result was evicted");
}

/* Is the entry whole, and does the store have what it names? */
static wb_status check(struct wb_action_cache *c, const struct wb_digest *action, const char *file, size_t n,
		       struct wb_err *err)
{
	struct wb_digest sum;
	struct wb_arena a;
	wb_re_action_result *r;
	if (n < HEADER_SIZE || memcmp(file, MAGIC, MAGIC_SIZE) != 0)
		return wb_fail(err, WB_ECORRUPT, "damaged entry");
	checksum(&sum, action, file + HEADER_SIZE, n - HEADER_SIZE);
	if (memcmp(sum.hash, file + MAGIC_SIZE, sizeof sum.hash) != 0)
		return wb_fail(err, WB_ECORRUPT, "damaged entry");
	wb_arena_init(&a);
	wb_status s = wb_action_result_decode(&r, &a, file + HEADER_SIZE, n - HEADER_SIZE, err);
	for (size_t i = 0; wb_is_ok(s) && i < r->n_output_files; i++)
		s = is_there(c, r->output_files[i]->digest, err);
	if (wb_is_ok(s) && r->stdout_digest != NULL)
		s = is_there(c, r->stdout_digest, err);
	if (wb_is_ok(s) && r->stderr_digest != NULL)
		s = is_there(c, r->stderr_digest, err);
	wb_arena_release(&a);
	return s;
}

wb_status wb_action_cache_get(char **data, size_t *n, struct wb_arena *a, struct wb_action_cache *c,
			      const struct wb_digest *action, struct wb_err *err)
{
	char path[PATH_MAX], *file;
	size_t size;
	entry_path(path, c, action);
	wb_status s = wb_file_read(&file, &size, a, path, ENTRY_MAX, err);
	if (s.code == WB_ENOENT || s.code == WB_EIO || s.code == WB_ENOSPC)
		return s;
	if (wb_is_ok(s))
		s = check(c, action, file, size, err);
	if (!wb_is_ok(s)) {
		/* Somebody may have put a good one there meanwhile; losing it costs one compile. */
		unlink(path);
		return wb_fail_prefix(err, (wb_status){WB_ENOENT}, "%s", path);
	}
	*data = file + HEADER_SIZE;
	*n = size - HEADER_SIZE;
	return wb_ok();
}

wb_status wb_action_cache_put(struct wb_action_cache *c, const struct wb_digest *action, const void *data, size_t n,
			      struct wb_err *err)
{
	char path[PATH_MAX];
	struct wb_digest sum;
	struct wb_arena a;
	if (n > ENTRY_MAX - HEADER_SIZE)
		return wb_fail(err, WB_ELIMIT, "a result of %zu bytes is not cached", n);
	entry_path(path, c, action);
	checksum(&sum, action, data, n);
	wb_arena_init(&a);
	struct wb_buf b = WB_BUF_INIT;
	wb_buf_add(&b, MAGIC, MAGIC_SIZE);
	wb_buf_add(&b, sum.hash, sizeof sum.hash);
	wb_buf_add(&b, data, n);
	/* Written where leftovers of a killed daemon are swept up, then renamed. */
	const char *temp = wb_store_tmp_name(c->store, &a);
	wb_status s = wb_file_write(temp, b.p, b.n, 0600, err);
	if (wb_is_ok(s) && rename(temp, path) < 0) {
		const char *dir = wb_arena_strndup(&a, path, strlen(path) - 65);
		int e = errno;
		if (e == ENOENT) {
			e = mkdir(dir, 0700) < 0 && errno != EEXIST ? errno : 0;
			if (e == 0 && rename(temp, path) < 0)
				e = errno;
		}
		if (e != 0) {
			unlink(temp);
			s = wb_fail_errno(err, e, "cannot write %s", path);
		}
	}
	wb_buf_release(&b);
	wb_arena_release(&a);
	return s;
}

/* Every entry for which `drop` says so (NULL: every one). */
static wb_status each(struct wb_action_cache *c, bool (*drop)(struct wb_action_cache *, const struct wb_digest *),
		      struct wb_err *err)
{
	wb_status s = wb_ok();
	for (unsigned i = 0; i < 256; i++) {
		char path[PATH_MAX];
		snprintf(path, sizeof path, "%s/%02x", c->dir, i);
		DIR *dir = opendir(path);
		const struct dirent *e;
		while (dir != NULL && (e = readdir(dir)) != NULL) {
			struct wb_digest d;
			if (e->d_name[0] == '.' || (drop != NULL && wb_digest_parse(&d, e->d_name, 0) && !drop(c, &d)))
				continue;
			if (unlinkat(dirfd(dir), e->d_name, 0) < 0 && errno != ENOENT && wb_is_ok(s))
				s = wb_fail_errno(err, errno, "cannot remove %s/%s", path, e->d_name);
		}
		if (dir != NULL)
			closedir(dir);
	}
	return s;
}

wb_status wb_action_cache_clear(struct wb_action_cache *c, struct wb_err *err)
{
	return each(c, NULL, err);
}

static bool is_useless(struct wb_action_cache *c, const struct wb_digest *action)
{
	struct wb_arena a;
	char path[PATH_MAX], *file;
	size_t n;
	entry_path(path, c, action);
	wb_arena_init(&a);
	wb_status s = wb_file_read(&file, &n, &a, path, ENTRY_MAX, NULL);
	if (wb_is_ok(s))
		s = check(c, action, file, n, NULL);
	wb_arena_release(&a);
	return s.code == WB_ENOENT || s.code == WB_ECORRUPT || s.code == WB_EPROTO || s.code == WB_ELIMIT;
}

wb_status wb_action_cache_sweep(struct wb_action_cache *c, struct wb_err *err)
{
	return each(c, is_useless, err);
}
