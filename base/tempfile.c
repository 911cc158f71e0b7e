#include "base/tempfile.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 1000 };

wb_status wb_tempfile_open(struct wb_tempfile *t, const char *path, mode_t mode, struct wb_err *err)
{
	static atomic_uint counter;
	struct stat st;
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return wb_fail(err, WB_EINVAL, "%s is not a regular file: it is not replaced", path);
	const char *slash = strrchr(path, '/');
	size_t dir = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	/* The name is short and does not grow from the target's, which may already be as long as a name can be. */
	size_t room = dir + sizeof ".waybill-4294967295-4294967295.tmp";
	t->path = path;
	t->name = wb_xcalloc(room, 1);
	memcpy(t->name, path, dir);
	for (int i = 0; i < TRIES; i++) {
		snprintf(t->name + dir, room - dir, ".waybill-%u-%u.tmp", (unsigned)getpid(),
			 atomic_fetch_add(&counter, 1));
		t->fd = open(t->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (t->fd >= 0)
			return wb_ok();
		if (errno !=
		    EEXIST) /* left over by an earlier process with our number, or one in another pid namespace */
			break;
	}
	wb_status s = wb_fail_errno(err, errno, "cannot create a file beside %s", path);
	free(t->name);
	return s;
}

wb_status wb_tempfile_commit(struct wb_tempfile *t, struct wb_err *err)
{
	/* close() is where NFS and quotas report a failed write. */
	int e = close(t->fd) < 0 ? errno : 0;
	if (e == 0 && rename(t->name, t->path) < 0)
		e = errno;
	wb_status s = e == 0 ? wb_ok() : wb_fail_errno(err, e, "cannot write %s", t->path);
	if (e != 0)
		unlink(t->name);
	free(t->name);
	return s;
}

void wb_tempfile_drop(struct wb_tempfile *t)
{
	close(t->fd);
	unlink(t->name);
	free(t->name);
}
