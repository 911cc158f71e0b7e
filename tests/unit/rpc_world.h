/* rpc_world.h — a server of rpc/ with methods that do what the test says, and one channel to it. Requests are
 * waybill.v1.ScanRequest, replies ScanReply:
 *   /waybill.v1.Scanner/Scan  replies with the request's first word
 *   /t.T/Gate                 the same once the test opens the gate: `entered` is posted, then it takes one of `go`
 *   /t.T/Flood                as many replies of 1 MiB as the request says; posts `gone` when that is cut off
 *   /t.T/Wait                 posts `entered`, waits until it is cancelled, posts `gone`
 *   /t.T/Count                takes requests to the end, replies how many; `entered`, and `gone` if they break off
 * The methods run on the server's threads, all else belongs to the test's. grpc_init comes before a world. */
#ifndef WB_TESTS_UNIT_RPC_WORLD_H
#define WB_TESTS_UNIT_RPC_WORLD_H

#include "proto/waybill.pb-c.h"
#include "rpc/server.h"

#include <grpc/grpc.h>
#include <semaphore.h>
#include <stdatomic.h>

struct world {
	struct wb_rpc_server *server;
	grpc_channel *channel;
	sem_t entered, go, gone;
	atomic_uint sent;                     /* by Flood */
	atomic_uint runs, inside, inside_max; /* of Gate: so far, now, at most */
	char order[256];                      /* of Gate's runs: the first letters of the requests */
};

/* Methods and descriptors of `config` are filled in here. */
struct world *world_new(struct wb_rpc_server_config config);
/* Stops the server. Calls and other channels are closed before. */
void world_free(struct world *w);

/* Another connection, over a socket pair; `peer` (or NULL): the client's end of it, which the channel owns. */
grpc_channel *world_connect(struct wb_rpc_server *s, int *peer);
/* Over TCP. */
grpc_channel *world_connect_tcp(int port, const char *host, grpc_compression_algorithm compression);

/* A request with that word. Static: until the next one. */
Waybill__V1__ScanRequest *world_request(const char *word);
/* Scan replies with the word. */
void world_expect_echo(grpc_channel *channel, const char *word);

/* Until so many calls wait their turn. */
void world_await_waiting(struct world *w, unsigned n);
/* Until no call runs or waits. */
void world_await_idle(struct world *w);
/* The test fails if nobody posts. */
void world_sem_wait(sem_t *s);
void world_pause_ms(long ms);

#endif
