/* tempfile.h — a file that is written under another name beside its place and renamed into it. */
#ifndef WB_BASE_TEMPFILE_H
#define WB_BASE_TEMPFILE_H

#include "base/err.h"

#include <sys/types.h>

struct wb_tempfile {
	int fd;           /* open for writing */
	char *name;       /* heap */
	const char *path; /* where it goes; borrowed */
};

/* A fresh file in the directory of `path`; `mode` as in open(2). WB_EINVAL when `path` is there and neither a regular
 * file nor a symlink: renaming over a device such as /dev/null would destroy it. End with commit or drop. */
wb_status wb_tempfile_open(struct wb_tempfile *t, const char *path, mode_t mode, struct wb_err *err);
/* Close it and rename it over its place; on failure it is removed. */
wb_status wb_tempfile_commit(struct wb_tempfile *t, struct wb_err *err);
/* Close and remove it. */
void wb_tempfile_drop(struct wb_tempfile *t);

#endif
