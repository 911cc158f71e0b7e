/* fileio.h — whole-file operations. Every error names the file. Thread-safe.
 * A `mode` is open(2)'s: the umask applies. Copies take regular files only (WB_EINVAL). What is renamed over its place
 * replaces a symlink, not what the symlink points at, and never a device or directory (WB_EINVAL). */
#ifndef WB_BASE_FILEIO_H
#define WB_BASE_FILEIO_H

#include "base/digest.h"
#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct wb_arena;

/* Read a whole file into the arena, NUL-terminated behind `*n` bytes. WB_ELIMIT when larger than `limit`. */
wb_status wb_file_read(char **data, size_t *n, struct wb_arena *a, const char *path, size_t limit, struct wb_err *err);
/* Write beside `path` and rename: readers see the old or the new content, never a part. No fsync. */
wb_status wb_file_write(const char *path, const void *data, size_t n, mode_t mode, struct wb_err *err);
/* Copy (reflink where the filesystem can) `from` to a fresh file `to` (O_EXCL; WB_EBUSY when it is there) and hash the
 * very bytes copied. `digest` may be NULL (then the copy may stay in the kernel). */
wb_status wb_file_copy(const char *from, const char *to, mode_t mode, struct wb_digest *digest, struct wb_err *err);
/* Copy beside `to` and rename over it: fresh inode, fresh mtime. */
wb_status wb_file_place(const char *from, const char *to, mode_t mode, struct wb_err *err);
/* mkdir -p. */
wb_status wb_dir_make(const char *path, mode_t mode, struct wb_err *err);
/* Remove a tree (or a file) without following symlinks; not there is fine. Directories inside that are not writable are
 * made so. */
wb_status wb_dir_remove(const char *path, struct wb_err *err);
/* Write all of `n` bytes, whatever signals say. */
wb_status wb_fd_write(int fd, const void *data, size_t n, const char *name, struct wb_err *err);

#endif
