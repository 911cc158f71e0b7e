/* The half of fileio.h that hashes: apart, so that the static client, which reads files and copies none, links no
 * libcrypto. */
#define _GNU_SOURCE
#include "base/fileio.h"
#include "base/tempfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static wb_status open_source(int *fd, const char *path, struct wb_err *err)
{
	struct stat st;
	/* O_NONBLOCK: opening a FIFO must not hang; it does nothing to a regular file. */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return wb_fail_errno(err, errno, "cannot open %s", path);
	if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode))
		return wb_ok();
	close(*fd);
	return wb_fail(err, WB_EINVAL, "%s is not a regular file: it is not copied", path);
}

/* Let the kernel copy. `*done` is false when it cannot do so between these two files and has copied nothing. */
static wb_status copy_in_kernel(int in, int out, bool *done, const char *to, struct wb_err *err)
{
	*done = false;
	for (;;) {
		ssize_t n = copy_file_range(in, NULL, out, NULL, (size_t)1 << 30, 0);
		if (n > 0) {
			*done = true;
		} else if (n == 0) {
			/* At the very start this is an empty file, or one of those whose size the kernel does not know.
			 */
			return wb_ok();
		} else if (errno == EINTR) {
			continue;
		} else if (!*done && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP ||
				      errno == EPERM)) {
			return wb_ok();
		} else {
			return wb_fail_errno(err, errno, "cannot copy to %s", to);
		}
	}
}

static wb_status copy_by_hand(int in, int out, struct wb_digest *digest, const char *from, const char *to,
			      struct wb_err *err)
{
	char block[64 * 1024];
	struct wb_hasher h;
	struct wb_digest ignored;
	wb_status s = wb_ok();
	if (digest != NULL)
		wb_hasher_init(&h);
	for (;;) {
		ssize_t n = read(in, block, sizeof block);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			s = wb_fail_errno(err, errno, "cannot read %s", from);
		if (n <= 0)
			break;
		if (digest != NULL)
			wb_hasher_add(&h, block, (size_t)n);
		s = wb_fd_write(out, block, (size_t)n, to, err);
		if (!wb_is_ok(s))
			break;
	}
	if (digest != NULL)
		wb_hasher_finish(&h, wb_is_ok(s) ? digest : &ignored);
	return s;
}

static wb_status copy_fd(int in, int out, struct wb_digest *digest, const char *from, const char *to,
			 struct wb_err *err)
{
	if (ioctl(out, FICLONE, in) == 0) {
		/* The clone cannot change any more: its content is what was copied, whatever happens to `from`. */
		return digest == NULL ? wb_ok() : wb_digest_fd(digest, out, to, err);
	}
	if (digest == NULL) {
		bool done;
		WB_TRY(copy_in_kernel(in, out, &done, to, err));
		if (done)
			return wb_ok();
	}
	return copy_by_hand(in, out, digest, from, to, err);
}

wb_status wb_file_copy(const char *from, const char *to, mode_t mode, struct wb_digest *digest, struct wb_err *err)
{
	int in;
	WB_TRY(open_source(&in, from, err));
	int out = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (out < 0) {
		int e = errno;
		close(in);
		return e == EEXIST ? wb_fail(err, WB_EBUSY, "cannot create %s: it is there already", to)
				   : wb_fail_errno(err, e, "cannot create %s", to);
	}
	wb_status s = copy_fd(in, out, digest, from, to, err);
	if (close(out) < 0 && wb_is_ok(s))
		s = wb_fail_errno(err, errno, "cannot write %s", to);
	if (!wb_is_ok(s))
		unlink(to);
	close(in);
	return s;
}

wb_status wb_file_place(const char *from, const char *to, mode_t mode, struct wb_err *err)
{
	int in;
	WB_TRY(open_source(&in, from, err));
	struct wb_tempfile t;
	wb_status s = wb_tempfile_open(&t, to, mode, err);
	if (!wb_is_ok(s)) {
		close(in);
		return s;
	}
	s = copy_fd(in, t.fd, NULL, from, to, err);
	close(in);
	if (!wb_is_ok(s)) {
		wb_tempfile_drop(&t);
		return s;
	}
	return wb_tempfile_commit(&t, err);
}
