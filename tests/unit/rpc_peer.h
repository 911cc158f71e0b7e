/* rpc_peer.h — a gRPC server to test clients with, written on gRPC's C core directly: nothing of rpc/ is in it.
 * Requests and replies are google.rpc.Status messages. It answers /test/Echo     the request's bytes /test/Headers
 * message: "AUTHORIZATION|USER-AGENT|test-bin in hex" /test/Fail     FAILED_PRECONDITION, a message with control
 * characters, the request's bytes as status details /test/Slow     nothing, until the client goes away (counted in
 * `slow_ended`) /test/Up       takes messages to the end, replies with code: how many /test/Down     as many messages
 * as the request's code says (code: 0, 1, 2 ...), then OK /test/Pour     messages without end /test/Early    takes one
 * message, then ALREADY_EXISTS /test/Garbage  a reply that is no message; /test/Nothing: OK without a reply;
 * /test/Large: a reply of 5 MiB and everything else with UNIMPLEMENTED. */
#ifndef WB_TESTS_RPC_PEER_H
#define WB_TESTS_RPC_PEER_H

#include <stdatomic.h>
#include <stdbool.h>

struct rpc_peer;
struct rpc_peer_tls {
	const char *cert, *key; /* PEM */
	const char *client_ca;  /* PEM: clients must show a certificate of it; NULL: they need none */
};

/* On 127.0.0.1, or on localhost with `tls`; `port` 0: any. NULL: it cannot listen. */
struct rpc_peer *rpc_peer_new(int port, const struct rpc_peer_tls *tls);
int rpc_peer_port(const struct rpc_peer *p);
int rpc_peer_slow_running(const struct rpc_peer *p);
/* Ends the calls that run. */
void rpc_peer_free(struct rpc_peer *p);

#endif
