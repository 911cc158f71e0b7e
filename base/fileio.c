#define _GNU_SOURCE
#include "base/fileio.h"

#include "base/arena.h"
#include "base/tempfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

wb_status wb_file_read(char **data, size_t *n, struct wb_arena *a, const char *path, size_t limit, struct wb_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return wb_fail_errno(err, errno, "cannot open %s", path);
	wb_status status;
	struct stat st;
	if (fstat(fd, &st) < 0) {
		status = wb_fail_errno(err, errno, "cannot stat %s", path);
		goto out;
	}
	/* The size is a hint: files in /proc say 0, others may be growing. */
	size_t want = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size : 0;
	if (want > limit)
		goto too_big;
	size_t cap = want > 0 ? want : limit < 4096 ? limit : 4096, used = 0;
	char *p = wb_arena_alloc(a, cap + 2); /* one byte more to see the end, one for the NUL */
	for (;;) {
		ssize_t got = read(fd, p + used, cap + 1 - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			status = wb_fail_errno(err, errno, "cannot read %s", path);
			goto out;
		}
		if (got == 0)
			break;
		used += (size_t)got;
		if (used > limit)
			goto too_big;
		if (used > cap) {
			size_t more = cap > limit / 2 ? limit : cap * 2;
			char *bigger = wb_arena_alloc(a, more + 2);
			memcpy(bigger, p, used);
			p = bigger;
			cap = more;
		}
	}
	p[used] = '\0';
	*data = p;
	*n = used;
	status = wb_ok();
	goto out;
too_big:
	status = wb_fail(err, WB_ELIMIT, "%s is larger than %zu bytes", path, limit);
out:
	close(fd);
	return status;
}

wb_status wb_fd_write(int fd, const void *data, size_t n, const char *name, struct wb_err *err)
{
	const char *p = data;
	while (n > 0) {
		ssize_t put = write(fd, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return wb_fail_errno(err, errno, "cannot write %s", name);
		p += put;
		n -= (size_t)put;
	}
	return wb_ok();
}

wb_status wb_file_write(const char *path, const void *data, size_t n, mode_t mode, struct wb_err *err)
{
	struct wb_tempfile t;
	WB_TRY(wb_tempfile_open(&t, path, mode, err));
	wb_status s = wb_fd_write(t.fd, data, n, path, err);
	if (!wb_is_ok(s)) {
		wb_tempfile_drop(&t);
		return s;
	}
	return wb_tempfile_commit(&t, err);
}

wb_status wb_dir_make(const char *path, mode_t mode, struct wb_err *err)
{
	if (mkdir(path, mode) == 0)
		return wb_ok();
	if (errno != EEXIST && errno != ENOENT)
		return wb_fail_errno(err, errno, "cannot make directory %s", path);
	char *copy = wb_xstrdup(path);
	wb_status status = wb_ok();
	struct stat st;
	int e = errno;
	if (e == ENOENT) {
		/* Parents first; an existing one is no error, what is wrong with it shows at the last mkdir. */
		for (char *p = copy + 1; copy[0] != '\0' && (p = strchr(p, '/')) != NULL; p++) {
			*p = '\0';
			if (mkdir(copy, mode) < 0 && errno != EEXIST) {
				status = wb_fail_errno(err, errno, "cannot make directory %s", copy);
				goto out;
			}
			*p = '/';
		}
		e = mkdir(path, mode) < 0 ? errno : 0;
	}
	if (e == EEXIST)
		e = stat(path, &st) < 0 ? errno : S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
	if (e != 0)
		status = wb_fail_errno(err, e, "cannot make directory %s", path);
out:
	free(copy);
	return status;
}

static int remove_at(int at, const char *name);

/* Empty the directory `dir` (an action's sandbox may hold read-only directories: make them writable). 0 or errno. */
static int empty_dir(DIR *dir)
{
	int fd = dirfd(dir), first = 0;
	const struct dirent *d;
	while ((errno = 0, d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		int e = remove_at(fd, d->d_name);
		if (e == EACCES && fchmod(fd, 0700) == 0)
			e = remove_at(fd, d->d_name);
		if (e != 0 && first == 0)
			first = e;
	}
	return first != 0 ? first : errno;
}

/* Remove what `name` is, itself when it is a symlink. 0 or errno. */
static int remove_at(int at, const char *name)
{
	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return errno;
	if (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return errno;
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno;
	DIR *dir = fdopendir(fd);
	if (dir == NULL) {
		int e = errno;
		close(fd);
		return e;
	}
	int e = 0;
	/* Some filesystems skip entries when others are removed meanwhile: look again a few times. */
	for (int round = 0; round < 8; round++) {
		e = empty_dir(dir);
		if (e != 0)
			break;
		if (unlinkat(at, name, AT_REMOVEDIR) == 0)
			break;
		e = errno;
		if (e != ENOTEMPTY && e != EEXIST)
			break;
		rewinddir(dir);
	}
	closedir(dir);
	return e == ENOENT ? 0 : e;
}

wb_status wb_dir_remove(const char *path, struct wb_err *err)
{
	int e = remove_at(AT_FDCWD, path);
	return e == 0 || e == ENOTDIR ? wb_ok() : wb_fail_errno(err, e, "cannot remove %s", path);
}
