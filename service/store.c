#define _GNU_SOURCE
#include "service/store_impl.h"

#include "base/clock.h"
#include "base/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 8 };

static mode_t mode_of(bool exec)
{
	return exec ? 0555 : 0444;
}

void wb_store_blob_path(char out[STORE_PATH], const struct wb_store *s, const struct wb_digest *d, bool exec)
{
	char hex[WB_DIGEST_HEX];
	wb_digest_hex(hex, d);
	snprintf(out, STORE_PATH, "%s/cas/%.2s/%s%s", s->dir, hex, hex, exec ? ".x" : "");
}

static struct shard *shard_of(struct wb_store *s, const struct wb_digest *d)
{
	return &s->shard[d->hash[0]];
}

struct blob *wb_store_blob(struct shard *sh, const uint8_t hash[32], bool make)
{
	if (!make) {
		union wb_map_value *v = wb_map_get(&sh->blob, hash, 32);
		return v == NULL ? NULL : v->p;
	}
	bool fresh;
	union wb_map_value *v = wb_map_put(&sh->blob, hash, 32, &fresh);
	if (fresh)
		v->p = wb_xcalloc(1, sizeof(struct blob));
	return v->p;
}

static void id_of(struct blob_id *out, const struct stat *st)
{
	*out = (struct blob_id){.dev = st->st_dev,
				.ino = st->st_ino,
				.size = st->st_size,
				.mtime_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec,
				.ctime_ns = st->st_ctim.tv_sec * 1000000000LL + st->st_ctim.tv_nsec};
}

bool wb_store_stat(struct blob_id *out, const char *path)
{
	struct stat st;
	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	id_of(out, &st);
	return true;
}

/* The same content, as far as stat can tell without the ctime, which a change in the number of links moves. */
static bool same_content(const struct blob_id *a, const struct blob_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns;
}

bool wb_blob_id_eq(const struct blob_id *a, const struct blob_id *b)
{
	return same_content(a, b) && a->ctime_ns == b->ctime_ns;
}

int wb_store_remove(struct shard *sh, struct blob *b, bool exec, const char *path)
{
	struct blob_id id;
	bool there = wb_store_stat(&id, path);
	/* What was counted is the size that it had, not what damage made of it. */
	int64_t size = b != NULL && b->v[exec].id.ino != 0 ? b->v[exec].id.size : there ? id.size : 0;
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : errno;
	if (there) {
		sh->bytes -= size;
		sh->count--;
	}
	if (b != NULL)
		b->v[exec] = (struct blob_variant){.verified = false};
	return 0;
}

void wb_store_used(struct blob *b)
{
	int64_t now = wb_clock_wall_ns() / 1000000000;
	b->used_dirty |= b->used != now;
	b->used = now;
}

/* The empty blob is always there and never on disk: hundreds of empty files would share one inode. */
static bool is_empty(const struct wb_digest *d)
{
	static const uint8_t hash[32] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
					 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
					 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
	return d->size == 0 && memcmp(d->hash, hash, sizeof hash) == 0;
}

/* Is the file there, with the size that its digest says? A cut-off one (power loss) is removed. Lock held. */
static bool present(struct shard *sh, struct blob_id *id, struct blob *b, const struct wb_digest *d, bool exec,
		    const char *path)
{
	if (!wb_store_stat(id, path))
		return false;
	if (id->size == d->size)
		return true;
	wb_store_remove(sh, b, exec, path);
	return false;
}

static bool known_good(const struct blob *b, bool exec, const struct blob_id *id)
{
	return b->v[exec].verified && wb_blob_id_eq(&b->v[exec].id, id);
}

bool wb_store_has(struct wb_store *s, const struct wb_digest *d)
{
	if (is_empty(d))
		return true;
	char path[STORE_PATH];
	struct shard *sh = shard_of(s, d);
	struct blob_id id;
	bool found = false;
	pthread_mutex_lock(&sh->lock);
	for (int exec = 0; exec < 2 && !found; exec++) {
		wb_store_blob_path(path, s, d, exec);
		struct blob *b = wb_store_blob(sh, d->hash, false);
		found = present(sh, &id, b, d, exec, path);
	}
	if (found)
		wb_store_used(wb_store_blob(sh, d->hash, true));
	pthread_mutex_unlock(&sh->lock);
	return found;
}

/* A put failed: when the disk is full, room is made for the next one. */
static wb_status put_failed(struct wb_store *s, wb_status status)
{
	if (status.code == WB_ENOSPC) {
		atomic_store(&s->disk_full, true);
		wb_store_poke(s, 0);
	}
	return status;
}

/* Give the finished, verified file `temp` its place (or remove it when a good one is there). */
static wb_status commit(struct wb_store *s, const struct wb_digest *d, const char *temp, bool exec, struct wb_err *err)
{
	char path[STORE_PATH];
	struct shard *sh = shard_of(s, d);
	struct blob_id old;
	int e = 0;
	wb_store_blob_path(path, s, d, exec);
	pthread_mutex_lock(&sh->lock);
	struct blob *b = wb_store_blob(sh, d->hash, true);
	bool there = present(sh, &old, b, d, exec, path);
	if (there && known_good(b, exec, &old)) {
		unlink(temp);
	} else {
		/* One that nobody has verified since the start is replaced: it may be damaged, and this one is not. */
		if (rename(temp, path) < 0) {
			e = errno;
			if (e == ENOENT) { /* the shard's directory is not there yet */
				char dir[STORE_PATH];
				snprintf(dir, sizeof dir, "%s/cas/%02x", s->dir, d->hash[0]);
				e = mkdir(dir, 0700) < 0 && errno != EEXIST ? errno : 0;
				if (e == 0 && rename(temp, path) < 0)
					e = errno;
			}
		}
		if (e == 0) {
			sh->bytes += d->size - (!there ? 0 : b->v[exec].id.ino != 0 ? b->v[exec].id.size : old.size);
			sh->count += there ? 0 : 1;
			b->v[exec].verified = wb_store_stat(&b->v[exec].id, path);
		} else {
			unlink(temp);
		}
	}
	if (e == 0)
		wb_store_used(b);
	pthread_mutex_unlock(&sh->lock);
	if (e != 0)
		return put_failed(s, wb_fail_errno(err, e, "cannot store %s", path));
	wb_store_poke(s, d->size);
	return wb_ok();
}

static void temp_name(char out[STORE_PATH], struct wb_store *s)
{
	snprintf(out, STORE_PATH, "%s/t%u", s->tmp, atomic_fetch_add(&s->serial, 1));
}

char *wb_store_tmp_name(struct wb_store *s, struct wb_arena *a)
{
	char path[STORE_PATH];
	temp_name(path, s);
	return wb_arena_strdup(a, path);
}

/* Is a good copy there already? Then it counts as used. */
static bool already_good(struct wb_store *s, const struct wb_digest *d, bool exec)
{
	char path[STORE_PATH];
	struct shard *sh = shard_of(s, d);
	struct blob_id id;
	wb_store_blob_path(path, s, d, exec);
	pthread_mutex_lock(&sh->lock);
	struct blob *b = wb_store_blob(sh, d->hash, false);
	bool good = b != NULL && present(sh, &id, b, d, exec, path) && known_good(b, exec, &id);
	if (good)
		wb_store_used(b);
	pthread_mutex_unlock(&sh->lock);
	return good;
}

wb_status wb_store_put(struct wb_store *s, const struct wb_digest *d, const void *data, struct wb_err *err)
{
	struct wb_digest real;
	wb_digest_of(&real, data, (size_t)d->size);
	if (!wb_digest_eq(&real, d))
		return wb_fail(err, WB_EINVAL, "bytes to store do not have the digest they are said to have");
	if (is_empty(d) || already_good(s, d, false))
		return wb_ok();
	char temp[STORE_PATH];
	temp_name(temp, s);
	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0)
		return put_failed(s, wb_fail_errno(err, errno, "cannot create %s", temp));
	wb_status status = wb_fd_write(fd, data, (size_t)d->size, temp, err);
	if (wb_is_ok(status) && fchmod(fd, mode_of(false)) < 0)
		status = wb_fail_errno(err, errno, "cannot set the mode of %s", temp);
	if (close(fd) < 0 && wb_is_ok(status))
		status = wb_fail_errno(err, errno, "cannot write %s", temp);
	if (!wb_is_ok(status)) {
		unlink(temp);
		return put_failed(s, status);
	}
	return commit(s, d, temp, false, err);
}

/* Copy `path` in as a blob of the kind `exec`. */
static wb_status put_copy(struct wb_store *s, const struct wb_digest *want, const char *path, bool exec,
			  struct wb_digest *got, struct wb_err *err)
{
	char temp[STORE_PATH];
	temp_name(temp, s);
	wb_status status = wb_file_copy(path, temp, 0400, got, err);
	if (!wb_is_ok(status))
		return put_failed(s, status);
	if (want != NULL && !wb_digest_eq(want, got)) {
		unlink(temp);
		return wb_fail(err, WB_ESTALE, "%s has changed since it was scanned", path);
	}
	if (is_empty(got)) {
		unlink(temp);
		return wb_ok();
	}
	if (chmod(temp, mode_of(exec)) < 0) {
		status = wb_fail_errno(err, errno, "cannot set the mode of %s", temp);
		unlink(temp);
		return status;
	}
	return commit(s, got, temp, exec, err);
}

wb_status wb_store_put_file(struct wb_store *s, const struct wb_digest *want, const char *path, struct wb_digest *got,
			    struct wb_err *err)
{
	struct wb_digest d;
	WB_TRY(put_copy(s, want, path, false, &d, err));
	if (got != NULL)
		*got = d;
	return wb_ok();
}

/* Hash an output through `fd`, and see that it is one that may be renamed. `*copy`: it has other names. */
static wb_status judge_output(int fd, const char *path, bool *copy, struct wb_digest *got, struct wb_err *err)
{
	struct stat before, after;
	struct blob_id was, is;
	*copy = false;
	if (fstat(fd, &before) < 0)
		return wb_fail_errno(err, errno, "cannot stat %s", path);
	if (!S_ISREG(before.st_mode))
		return wb_fail(err, WB_EINVAL, "%s is not a regular file", path);
	*copy = before.st_nlink != 1;
	if (*copy)
		return wb_ok();
	WB_TRY(wb_digest_fd(got, fd, path, err));
	if (fstat(fd, &after) < 0)
		return wb_fail_errno(err, errno, "cannot stat %s", path);
	id_of(&was, &before);
	id_of(&is, &after);
	if (!wb_blob_id_eq(&was, &is))
		return wb_fail(err, WB_ESTALE, "%s changed while it was being stored", path);
	return wb_ok();
}

wb_status wb_store_take_file(struct wb_store *s, const char *path, bool exec, struct wb_digest *got, struct wb_err *err)
{
	bool copy;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return wb_fail_errno(err, errno, "cannot open %s", path);
	wb_status status = judge_output(fd, path, &copy, got, err);
	if (wb_is_ok(status) && !copy && fchmod(fd, mode_of(exec)) < 0)
		status = wb_fail_errno(err, errno, "cannot set the mode of %s", path);
	close(fd);
	WB_TRY(status);
	if (copy)
		return put_copy(s, NULL, path, exec, got, err);
	return is_empty(got) ? wb_ok() : commit(s, got, path, exec, err);
}

static wb_status is_corrupt(const char *path, struct wb_err *err)
{
	return wb_fail(err, WB_ECORRUPT, "damaged in the store, removed: %s", path);
}

/* Somebody read wrong bytes from the inode `seen`: remove it, unless another one has taken its place. */
static void remove_corrupt(struct wb_store *s, const struct wb_digest *d, bool exec, const char *path,
			   const struct blob_id *seen)
{
	struct shard *sh = shard_of(s, d);
	struct blob_id now;
	pthread_mutex_lock(&sh->lock);
	if (wb_store_stat(&now, path) && now.dev == seen->dev && now.ino == seen->ino)
		wb_store_remove(sh, wb_store_blob(sh, d->hash, false), exec, path);
	pthread_mutex_unlock(&sh->lock);
}

/* Hash the blob and remember its inode as good. WB_OK also when it moved under us: the caller looks again. */
static wb_status verify(struct wb_store *s, const struct wb_digest *d, bool exec, const char *path, struct wb_err *err)
{
	struct stat st;
	struct blob_id seen, now;
	struct wb_digest real;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? wb_ok() : wb_fail_errno(err, errno, "cannot open %s", path);
	wb_status status = wb_ok();
	if (fstat(fd, &st) < 0)
		status = wb_fail_errno(err, errno, "cannot stat %s", path);
	else
		status = wb_digest_fd(&real, fd, path, err);
	close(fd);
	WB_TRY(status);
	id_of(&seen, &st);
	if (!wb_digest_eq(&real, d)) {
		remove_corrupt(s, d, exec, path, &seen);
		return is_corrupt(path, err);
	}
	struct shard *sh = shard_of(s, d);
	pthread_mutex_lock(&sh->lock);
	struct blob *b = wb_store_blob(sh, d->hash, true);
	if (wb_store_stat(&now, path) && wb_blob_id_eq(&seen, &now)) {
		b->v[exec].verified = true;
		b->v[exec].id = now;
	}
	pthread_mutex_unlock(&sh->lock);
	return wb_ok();
}

/* Make the kind `exec` of a blob from the other kind. WB_ENOENT: neither is there. */
static wb_status make_variant(struct wb_store *s, const struct wb_digest *d, bool exec, struct wb_err *err)
{
	char other[STORE_PATH];
	struct blob_id seen = {0};
	struct wb_digest got;
	wb_store_blob_path(other, s, d, !exec);
	bool there = wb_store_stat(&seen, other);
	if (!there)
		return wb_fail(err, WB_ENOENT, "not in the store: %s", other);
	wb_status status = put_copy(s, d, other, exec, &got, err);
	if (status.code == WB_ESTALE) {
		remove_corrupt(s, d, !exec, other, &seen);
		return is_corrupt(other, err);
	}
	return status;
}

/* Find the blob, verified; on success the shard's lock is held. */
static wb_status acquire(char path[STORE_PATH], struct blob **out, struct wb_store *s, const struct wb_digest *d,
			 bool exec, struct wb_err *err)
{
	struct shard *sh = shard_of(s, d);
	wb_store_blob_path(path, s, d, exec);
	for (int i = 0; i < TRIES; i++) {
		struct blob_id id;
		pthread_mutex_lock(&sh->lock);
		struct blob *b = wb_store_blob(sh, d->hash, true);
		bool there = wb_store_stat(&id, path);
		if (there && known_good(b, exec, &id)) {
			wb_store_used(b);
			*out = b;
			return wb_ok();
		}
		if (there && id.size != d->size) {
			wb_store_remove(sh, b, exec, path);
			pthread_mutex_unlock(&sh->lock);
			return is_corrupt(path, err);
		}
		pthread_mutex_unlock(&sh->lock);
		WB_TRY(there ? verify(s, d, exec, path, err) : make_variant(s, d, exec, err));
	}
	return wb_fail(err, WB_EIO, "%s keeps changing", path);
}

wb_status wb_store_get(char **data, struct wb_arena *a, struct wb_store *s, const struct wb_digest *d, size_t limit,
		       struct wb_err *err)
{
	char path[STORE_PATH];
	struct wb_digest real;
	struct blob_id seen;
	size_t n;
	if (is_empty(d)) {
		*data = wb_arena_strdup(a, "");
		return wb_ok();
	}
	if (d->size < 0 || (uint64_t)d->size > limit)
		return wb_fail(err, WB_ELIMIT, "a blob of %lld bytes is larger than %zu", (long long)d->size, limit);
	struct shard *sh = shard_of(s, d);
	int exec = 0;
	for (; exec < 2; exec++) {
		wb_store_blob_path(path, s, d, exec);
		if (wb_store_stat(&seen, path))
			break;
	}
	if (exec == 2)
		return wb_fail(err, WB_ENOENT, "not in the store: %s", path);
	wb_status status = wb_file_read(data, &n, a, path, (size_t)d->size, err);
	if (!wb_is_ok(status) && status.code != WB_ELIMIT)
		return status;
	if (wb_is_ok(status))
		wb_digest_of(&real, *data, n);
	if (!wb_is_ok(status) || !wb_digest_eq(&real, d)) {
		remove_corrupt(s, d, exec, path, &seen);
		return is_corrupt(path, err);
	}
	pthread_mutex_lock(&sh->lock);
	wb_store_used(wb_store_blob(sh, d->hash, true));
	pthread_mutex_unlock(&sh->lock);
	return wb_ok();
}

wb_status wb_store_place(struct wb_store *s, const struct wb_digest *d, const char *to, bool exec, struct wb_err *err)
{
	char path[STORE_PATH];
	struct blob *b;
	struct blob_id id;
	mode_t mode = exec ? 0777 : 0666;
	wb_status status;
	if (is_empty(d)) {
		status = wb_file_write(to, "", 0, mode, err);
	} else {
		/* Outputs are kept as plain files (executables as .x); which of the two is copied does not matter. */
		wb_store_blob_path(path, s, d, exec);
		bool kind = wb_store_stat(&id, path) ? exec : !exec;
		wb_store_blob_path(path, s, d, kind);
		if (!wb_store_stat(&id, path))
			return wb_fail(err, WB_ENOENT, "not in the store: %s", path);
		WB_TRY(acquire(path, &b, s, d, kind, err));
		pthread_mutex_unlock(&shard_of(s, d)->lock);
		status = wb_file_place(path, to, mode, err);
		if (status.code == WB_ENOENT && !wb_store_stat(&id, path))
			return status;
	}
	/* The directory of `to` is not there: that is not a missing blob. */
	return status.code == WB_ENOENT ? (wb_status){WB_EIO} : status;
}

static wb_status link_empty(const char *to, bool exec, struct wb_err *err)
{
	int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_of(exec));
	if (fd < 0)
		return wb_fail_errno(err, errno, "cannot create %s", to);
	close(fd);
	return wb_ok();
}

static wb_status link_copy(struct wb_store *s, const struct wb_digest *d, const char *path, const char *to, bool exec,
			   struct wb_err *err)
{
	struct wb_digest got;
	struct blob_id seen = {0};
	bool there = wb_store_stat(&seen, path);
	if (!there)
		return wb_fail(err, WB_ENOENT, "not in the store: %s", path);
	WB_TRY(put_failed(s, wb_file_copy(path, to, mode_of(exec), &got, err)));
	if (wb_digest_eq(&got, d))
		return wb_ok();
	unlink(to);
	remove_corrupt(s, d, exec, path, &seen);
	return is_corrupt(path, err);
}

/* Link the verified blob `path` to `to`; its shard's lock is held. 0 or errno. */
static int link_locked(struct blob_variant *v, const char *path, const char *to)
{
	struct blob_id now;
	if (link(path, to) < 0)
		return errno;
	if (wb_store_stat(&now, path) && same_content(&now, &v->id))
		v->id = now;
	return 0;
}

wb_status wb_store_relink(struct wb_store *s, const struct wb_digest *d, const char *to, bool exec, uint64_t *ino,
			  struct wb_err *err)
{
	char path[STORE_PATH];
	struct blob *b;
	uint64_t was = *ino;
	if (was != 0 && is_empty(d))
		return wb_ok();
	*ino = 0;
	if (is_empty(d)) {
		*ino = 1; /* a file of its own; which inode does not matter */
		return link_empty(to, exec, err);
	}
	WB_TRY(acquire(path, &b, s, d, exec, err));
	struct blob_variant *v = &b->v[exec];
	int e = 0;
	if (was != v->id.ino) {
		if (was != 0)
			unlink(to);
		e = link_locked(v, path, to);
	}
	if (e == 0)
		*ino = v->id.ino;
	pthread_mutex_unlock(&shard_of(s, d)->lock);
	if (e == EMLINK)
		return link_copy(s, d, path, to, exec, err);
	if (e == 0)
		return wb_ok();
	wb_status status = put_failed(s, wb_fail_errno(err, e, "cannot link %s to %s", path, to));
	return status.code == WB_ENOENT ? (wb_status){WB_EIO} : status;
}

wb_status wb_store_link(struct wb_store *s, const struct wb_digest *d, const char *to, bool exec, bool copy,
			struct wb_err *err)
{
	char path[STORE_PATH];
	struct blob *b;
	uint64_t ino = 0;
	if (!copy)
		return wb_store_relink(s, d, to, exec, &ino, err);
	if (is_empty(d))
		return link_empty(to, exec, err);
	WB_TRY(acquire(path, &b, s, d, exec, err));
	pthread_mutex_unlock(&shard_of(s, d)->lock);
	return link_copy(s, d, path, to, exec, err);
}

void wb_store_unlink(struct wb_store *s, const struct wb_digest *d, const char *link, bool exec)
{
	char path[STORE_PATH];
	struct blob_id now;
	struct shard *sh = shard_of(s, d);
	wb_store_blob_path(path, s, d, exec);
	pthread_mutex_lock(&sh->lock);
	struct blob *b = wb_store_blob(sh, d->hash, false);
	bool good = b != NULL && wb_store_stat(&now, path) && known_good(b, exec, &now);
	unlink(link);
	if (good && wb_store_stat(&now, path) && same_content(&now, &b->v[exec].id))
		b->v[exec].id = now;
	pthread_mutex_unlock(&sh->lock);
}

/* A set of pins: every digest as often as it was added. */
struct wb_pins {
	struct wb_store *store;
	struct wb_map seen; /* 32 bytes of hash */
};

struct wb_pins *wb_pins_new(struct wb_store *s)
{
	struct wb_pins *p = wb_xcalloc(1, sizeof *p);
	p->store = s;
	wb_map_init(&p->seen);
	return p;
}

void wb_pins_add(struct wb_pins *p, const struct wb_digest *d)
{
	bool fresh;
	wb_map_put(&p->seen, d->hash, sizeof d->hash, &fresh);
	if (!fresh)
		return;
	struct shard *sh = shard_of(p->store, d);
	pthread_mutex_lock(&sh->lock);
	wb_store_blob(sh, d->hash, true)->pins++;
	pthread_mutex_unlock(&sh->lock);
}

void wb_pins_free(struct wb_pins *p)
{
	if (p == NULL)
		return;
	size_t i = 0;
	for (const struct wb_map_slot *slot; (slot = wb_map_next(&p->seen, &i)) != NULL;) {
		const uint8_t *hash = (const uint8_t *)slot->key;
		struct shard *sh = &p->store->shard[hash[0]];
		pthread_mutex_lock(&sh->lock);
		wb_store_blob(sh, hash, true)->pins--;
		pthread_mutex_unlock(&sh->lock);
	}
	wb_map_release(&p->seen);
	free(p);
}

const char *wb_store_tmp(struct wb_store *s)
{
	return s->tmp;
}

static char *path_in(const char *dir, const char *name)
{
	size_t n = strlen(dir) + strlen(name) + 2;
	char *out = wb_xcalloc(n, 1);
	snprintf(out, n, "%s/%s", dir, name);
	return out;
}

static wb_status open_lock(struct wb_store *s, struct wb_err *err)
{
	char *path = path_in(s->dir, "lock");
	wb_status status = wb_ok();
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		status = wb_fail_errno(err, errno, "cannot open %s", path);
	else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		status = errno == EWOULDBLOCK ? wb_fail(err, WB_EBUSY, "%s is in use by another daemon", s->dir)
					      : wb_fail_errno(err, errno, "cannot lock %s", path);
	free(path);
	return status;
}

static void release(struct wb_store *s)
{
	for (int i = 0; i < STORE_SHARDS; i++) {
		struct shard *sh = &s->shard[i];
		size_t j = 0;
		for (const struct wb_map_slot *slot; (slot = wb_map_next(&sh->blob, &j)) != NULL;)
			free(slot->value.p);
		wb_map_release(&sh->blob);
		pthread_mutex_destroy(&sh->lock);
	}
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->prune_lock);
	pthread_mutex_destroy(&s->hook_lock);
	pthread_cond_destroy(&s->wake);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->dir);
	free(s->tmp);
	free(s);
}

wb_status wb_store_new(struct wb_store **out, const char *dir, int64_t limit, struct wb_err *err)
{
	if (dir[0] != '/' || strlen(dir) > STORE_PATH - 256)
		return wb_fail(err, WB_EINVAL, "the store's directory must be absolute and not too long: %.200s", dir);
	struct wb_store *s = wb_xcalloc(1, sizeof *s);
	pthread_condattr_t attr;
	s->dir = wb_xstrdup(dir);
	s->tmp = path_in(dir, "tmp");
	s->lock_fd = -1;
	s->limit = limit;
	for (int i = 0; i < STORE_SHARDS; i++) {
		pthread_mutex_init(&s->shard[i].lock, NULL);
		wb_map_init(&s->shard[i].blob);
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->prune_lock, NULL);
	pthread_mutex_init(&s->hook_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);

	char *cas = path_in(dir, "cas");
	wb_status status = wb_dir_make(dir, 0700, err);
	if (wb_is_ok(status))
		status = open_lock(s, err);
	if (wb_is_ok(status))
		status = wb_dir_remove(s->tmp, err);
	if (wb_is_ok(status))
		status = wb_dir_make(s->tmp, 0700, err);
	if (wb_is_ok(status))
		status = wb_dir_make(cas, 0700, err);
	free(cas);
	if (wb_is_ok(status)) {
		wb_store_load_usage(s);
		status = wb_store_start_maintenance(s, err);
	}
	if (!wb_is_ok(status)) {
		release(s);
		return status;
	}
	*out = s;
	return wb_ok();
}

void wb_store_free(struct wb_store *s)
{
	if (s == NULL)
		return;
	wb_store_stop_maintenance(s);
	wb_store_save_times(s);
	wb_store_save_usage(s);
	release(s);
}
