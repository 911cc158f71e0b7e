/* connection.h — what happens on one accepted connection: requests in, replies out, until the client closes. One that
 * begins like HTTP/2 is a gRPC client's, and is handed to the gRPC server. */
#ifndef WB_SERVICE_CONNECTION_H
#define WB_SERVICE_CONNECTION_H

#include "service/service.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct wb_daemon;
struct wb_job;
struct wb_rpc_server;

struct wb_connection {
	struct wb_daemon *daemon;
	struct wb_service *service;
	struct wb_rpc_server *rpc; /* takes connections that turn out to speak gRPC */
	int fd;
	pthread_mutex_t send;              /* one frame at a time: replies and signs of life */
	atomic_bool cancel;                /* the client went away */
	atomic_bool awaited;               /* the client waits for a frame from us */
	int64_t sent_ns;                   /* last frame, under `send` */
	struct wb_job *job;                /* the running one, under the daemon's lock; for `status` */
	struct wb_connection *next, *prev; /* the daemon's list */
};

/* Serve until the client closes, breaks the protocol or turns out to speak gRPC. */
void wb_connection_serve(struct wb_connection *c);
/* A sign of life when the client has waited for long (WB_FRAME_ALIVE_MS). Never blocks. */
void wb_connection_alive(struct wb_connection *c, int64_t now_ns);
/* Tell the daemon what this connection works on (NULL: nothing). */
void wb_daemon_set_job(struct wb_daemon *d, struct wb_connection *c, struct wb_job *job);

#endif
