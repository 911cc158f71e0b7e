/* channel.h — a connection to one gRPC server, shared by any number of threads and calls. gRPC connects when the first
 * call is made, and again by itself when the connection is lost. */
#ifndef WB_RPC_CHANNEL_H
#define WB_RPC_CHANNEL_H

#include "rpc/endpoint.h"

#include <stddef.h>
#include <stdint.h>

/* gRPC itself: a completion queue and the few threads that poll it, which move the bytes of every call of every
 * channel. They never run a caller's code. One a process; make it after signals are blocked (its threads inherit the
 * mask) and after the last fork without exec. */
struct wb_rpc;
wb_status wb_rpc_new(struct wb_rpc **out, struct wb_err *err);
void wb_rpc_free(struct wb_rpc *r); /* after its channels */

struct wb_channel;

struct wb_channel_config {
	struct wb_endpoint endpoint;
	struct wb_credential_files files;
	size_t receive_max; /* bytes of one message from the server; 0: 4 MiB */
	/* Ping after so long without a byte while calls run; 0: 20 s. Unanswered for 10 s: the connection counts as
	 * lost. After two pings with no data between them there are no more until data moves: most servers hang up on a
	 * third. */
	int64_t keepalive_ns;
	const char *tool; /* user agent: "waybill/0.1.0" */
};

/* Texts are copied. WB_EINVAL, WB_ENOENT: a credential file cannot be read, is empty, or key and certificate do not
 * come together; the text names the file. */
wb_status wb_channel_new(struct wb_channel **out, struct wb_rpc *r, const struct wb_channel_config *config,
			 struct wb_err *err);
void wb_channel_free(struct wb_channel *c);              /* no call may be open */
const char *wb_channel_name(const struct wb_channel *c); /* endpoint.text; borrowed */

#endif
