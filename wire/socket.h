/* socket.h — where the daemon's socket lies, and who may talk over it. The directory is $XDG_RUNTIME_DIR/waybill, else
 * /tmp/waybill-UID, 0700 and owned by the user (checked: anything else is refused). The name is BUILDID.sock: two
 * builds never talk to each other. Beside it: BUILDID.lock (held by the daemon for its life), BUILDID.start and
 * BUILDID.hung (the clients', see cli/daemon_client.c) and waybilld.log. Both ends see the same place only when they
 * are given the same XDG_RUNTIME_DIR. */
#ifndef WB_WIRE_SOCKET_H
#define WB_WIRE_SOCKET_H

#include "base/err.h"

struct wb_arena;

struct wb_socket_paths {
	char *dir, *socket, *lock, *log;
	char *start, *hung;
};

/* Make (if need be) and check the directory; fill the paths. An XDG_RUNTIME_DIR that is relative, not there, not this
 * user's, writable for others or too long for a socket's name is passed over. */
wb_status wb_socket_paths(struct wb_socket_paths *out, struct wb_arena *a, const char *const *env, struct wb_err *err);

/* Connect; sends on `*fd` give up after WB_SOCKET_SEND_MS. WB_ENOENT: nobody listens. WB_EINVAL: the listener is
 * another user's. WB_EBUSY: it listens, but accepts nobody. */
#ifndef WB_SOCKET_SEND_MS
#define WB_SOCKET_SEND_MS 30000
#endif
wb_status wb_socket_connect(int *fd, const char *path, struct wb_err *err);

/* Listen (the lock is held by the caller, so a leftover socket is removed first). Only the owner can connect. */
wb_status wb_socket_listen(int *fd, const char *path, struct wb_err *err);

/* Is the peer of `fd` this user (or root)? */
wb_status wb_socket_check_peer(int fd, struct wb_err *err);

/* Process id of the peer (for a client: who called listen), 0 when unknown. */
int wb_socket_peer_pid(int fd);

#endif
