#define _GNU_SOURCE
#include "wire/socket.h"

#include "base/arena.h"
#include "base/config.h"
#include "buildid.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static const char socket_suffix[] = "/" WB_BUILD_ID ".sock";

/* sockaddr_un's limit, with its NUL. */
static bool fits(const char *path, size_t more)
{
	return strlen(path) + more < sizeof((struct sockaddr_un){0}).sun_path;
}

static bool runtime_dir_usable(const char *dir)
{
	struct stat st;
	return dir != NULL && dir[0] == '/' && fits(dir, strlen("/waybill") + strlen(socket_suffix)) &&
	       stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 022) == 0;
}

/* Make `dir` and be sure that nobody else can put anything into it. */
static wb_status claim_dir(const char *dir, struct wb_err *err)
{
	struct stat st;
	if (lstat(dir, &st) < 0) {
		if (errno != ENOENT)
			return wb_fail_errno(err, errno, "cannot look at %s", dir);
		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			return wb_fail_errno(err, errno, "cannot make the daemon's directory %s", dir);
		if (lstat(dir, &st) < 0)
			return wb_fail_errno(err, errno, "cannot look at %s", dir);
	}
	if (S_ISLNK(st.st_mode))
		return wb_fail(err, WB_EINVAL, "%s is a symlink: Waybill does not follow it; remove it", dir);
	if (!S_ISDIR(st.st_mode))
		return wb_fail(err, WB_EINVAL, "%s is not a directory: Waybill needs it for its socket; remove it",
			       dir);
	if (st.st_uid != geteuid())
		return wb_fail(err, WB_EINVAL,
			       "%s belongs to user %u: Waybill does not use it; remove it or set XDG_RUNTIME_DIR", dir,
			       (unsigned)st.st_uid);
	if ((st.st_mode & 077) != 0)
		return wb_fail(err, WB_EINVAL,
			       "%s is open to other users (mode %04o): Waybill does not use it; run 'chmod 700 %s'",
			       dir, (unsigned)(st.st_mode & 07777), dir);
	return wb_ok();
}

wb_status wb_socket_paths(struct wb_socket_paths *out, struct wb_arena *a, const char *const *env, struct wb_err *err)
{
	const char *runtime = wb_env_get(env, "XDG_RUNTIME_DIR");
	wb_status s = wb_fail(err, WB_ENOENT, "no runtime directory");
	if (runtime_dir_usable(runtime)) {
		out->dir = wb_arena_printf(a, "%s/waybill", runtime);
		s = claim_dir(out->dir, err);
		if (s.code == WB_EINVAL)
			return s;
	}
	if (!wb_is_ok(s)) { /* no such directory, or one that cannot be written to */
		out->dir = wb_arena_printf(a, "/tmp/waybill-%u", (unsigned)geteuid());
		WB_TRY(claim_dir(out->dir, err));
	}
	out->socket = wb_arena_printf(a, "%s%s", out->dir, socket_suffix);
	out->lock = wb_arena_printf(a, "%s/%s.lock", out->dir, WB_BUILD_ID);
	out->start = wb_arena_printf(a, "%s/%s.start", out->dir, WB_BUILD_ID);
	out->hung = wb_arena_printf(a, "%s/%s.hung", out->dir, WB_BUILD_ID);
	out->log = wb_arena_printf(a, "%s/waybilld.log", out->dir);
	return wb_ok();
}

static wb_status make_address(struct sockaddr_un *address, const char *path, struct wb_err *err)
{
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	if (!fits(path, 0))
		return wb_fail(err, WB_EINVAL, "%s is too long for the name of a socket (%zu bytes at most)", path,
			       sizeof address->sun_path - 1);
	memcpy(address->sun_path, path, strlen(path));
	return wb_ok();
}

static bool peer(struct ucred *out, int fd)
{
	socklen_t n = sizeof *out;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &n) == 0;
}

wb_status wb_socket_check_peer(int fd, struct wb_err *err)
{
	struct ucred who;
	if (!peer(&who, fd))
		return wb_fail_errno(err, errno, "cannot tell who is at the other end of the socket");
	if (who.uid != geteuid() && who.uid != 0)
		return wb_fail(err, WB_EINVAL, "user %u is at the other end of the socket: refused", (unsigned)who.uid);
	return wb_ok();
}

int wb_socket_peer_pid(int fd)
{
	struct ucred who;
	return peer(&who, fd) ? who.pid : 0;
}

wb_status wb_socket_connect(int *fd, const char *path, struct wb_err *err)
{
	struct sockaddr_un address;
	*fd = -1;
	WB_TRY(make_address(&address, path, err));
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return wb_fail_errno(err, errno, "cannot make a socket");
	/* It also bounds connect(): without it, a full backlog blocks for as long as the daemon does not accept. */
	struct timeval patience = {WB_SOCKET_SEND_MS / 1000, WB_SOCKET_SEND_MS % 1000 * 1000};
	wb_status status = wb_ok();
	if (setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0) {
		status = wb_fail_errno(err, errno, "cannot set a timeout on a socket");
		goto out;
	}
	while (connect(s, (const struct sockaddr *)&address, sizeof address) < 0) {
		int e = errno;
		if (e == EINTR)
			continue;
		if (e == EISCONN)
			break;
		if (e == ENOENT || e == ECONNREFUSED)
			status = wb_fail(err, WB_ENOENT, "no daemon listens on %s", path);
		else if (e == EAGAIN)
			status = wb_fail(err, WB_EBUSY, "the daemon does not accept connections on %s", path);
		else
			status = wb_fail_errno(err, e, "cannot connect to %s", path);
		goto out;
	}
	status = wb_socket_check_peer(s, err);
out:
	if (wb_is_ok(status))
		*fd = s;
	else
		close(s);
	return status;
}

wb_status wb_socket_listen(int *fd, const char *path, struct wb_err *err)
{
	struct sockaddr_un address;
	*fd = -1;
	WB_TRY(make_address(&address, path, err));
	if (unlink(path) < 0 && errno != ENOENT)
		return wb_fail_errno(err, errno, "cannot remove the old socket %s", path);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return wb_fail_errno(err, errno, "cannot make a socket");
	/* fchmod before bind gives the file its mode from the start, and leaves the process's umask alone. */
	if (fchmod(s, 0600) < 0 || bind(s, (const struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(s, SOMAXCONN) < 0) {
		wb_status status = wb_fail_errno(err, errno, "cannot listen on %s", path);
		close(s);
		return status;
	}
	*fd = s;
	return wb_ok();
}
