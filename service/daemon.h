/* daemon.h — the accept loop: one thread a connection, one that watches them all (clients that went away, signs of
 * life), an end when idle or told so. It also has the gRPC server: clients that speak HTTP/2 on the socket, and those
 * of the `listen` address. */
#ifndef WB_SERVICE_DAEMON_H
#define WB_SERVICE_DAEMON_H

#include "base/err.h"
#include "base/str.h"
#include "service/service.h"

struct wb_daemon;

wb_status wb_daemon_new(struct wb_daemon **out, struct wb_service *s, int listen_fd, struct wb_err *err);
/* Serve until idle for the configured time, told to stop, or SIGTERM/SIGINT. Jobs in flight end first (SIGTERM: are
 * cancelled). */
void wb_daemon_serve(struct wb_daemon *d);
void wb_daemon_free(struct wb_daemon *d);

/* For the verbs. Thread-safe. */
void wb_daemon_stop(struct wb_daemon *d);
void wb_daemon_status(struct wb_buf *out, struct wb_daemon *d);

#endif
