/* daemon_client.h — a connection to the daemon, which is started when none runs. */
#ifndef WB_CLI_DAEMON_CLIENT_H
#define WB_CLI_DAEMON_CLIENT_H

#include "base/err.h"
#include "wire/frame.h"
#include "wire/socket.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <sys/types.h>

struct wb_arena;
struct wb_config;

struct wb_daemon {
	int fd; /* -1: not connected */
	struct wb_socket_paths paths;
	pid_t child;   /* the daemon that this process started and that may not listen yet, 0: none */
	bool started;  /* this process started one: it has a child that is not the compiler's business */
	bool was_hung; /* it is marked as one that does not answer */
};

enum wb_daemon_open_mode {
	WB_DAEMON_RUNNING, /* only one that runs already */
	WB_DAEMON_COMPILE, /* start one; not when that failed, or it did not answer, a moment ago */
	WB_DAEMON_VERB,    /* start one in any case */
};

/* Connect. WB_ENOENT (WB_DAEMON_RUNNING only): none runs. Takes at most a few seconds; of several processes one starts
 * the daemon and the others wait for it. `d` is zeroed before the first time; close with wb_daemon_close, then it can
 * be opened again. */
wb_status wb_daemon_open(struct wb_daemon *d, struct wb_arena *a, const char *const *env,
			 const struct wb_config *config, enum wb_daemon_open_mode mode, struct wb_err *err);
void wb_daemon_close(struct wb_daemon *d);
/* Close because the connection broke: a daemon that is dying gets a moment to be gone, so that it is not met again. */
void wb_daemon_drop(struct wb_daemon *d);

/* Receive the next message, skipping the signs of life before it. Memory belongs to `a`. WB_EBUSY: the daemon was
 * silent for WB_FRAME_SILENCE_MS (it is marked, so that others do not wait for it too); WB_EPROTO: another message than
 * `type`. */
wb_status wb_daemon_receive(void **message, struct wb_arena *a, struct wb_daemon *d, enum wb_frame_type type,
			    const ProtobufCMessageDescriptor *desc, struct wb_err *err);

#endif
