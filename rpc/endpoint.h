/* endpoint.h — where a gRPC server is and how to prove to it who asks: what stands in `remote = ...`.
 *
 *   grpc://HOST[:PORT]    plain text (port 80 when none is named)
 *   grpcs://HOST[:PORT]   TLS (port 443 when none is named)
 *   unix:/absolute/path   a unix socket
 * HOST is a name, an IPv4 address or [IPv6]. Pure text: nothing is looked up here. */
#ifndef WB_RPC_ENDPOINT_H
#define WB_RPC_ENDPOINT_H

#include "base/err.h"

#include <stdbool.h>

struct wb_arena;

struct wb_endpoint {
	const char *text;   /* as given, for messages and keys */
	const char *target; /* as gRPC wants it: "dns:///host:port", "unix:/path" */
	bool tls;
};

/* Memory in `a`. WB_EINVAL: the text says what is wrong and shows the form. */
wb_status wb_endpoint_parse(struct wb_endpoint *out, struct wb_arena *a, const char *text, struct wb_err *err);

/* Files with what proves identity; "" or NULL: not used. Read when the channel is made and again when they change (by
 * stat, at most once a second): a short-lived token or certificate may be renewed under a running daemon. */
struct wb_credential_files {
	const char *ca;    /* PEM: authorities to trust in place of the system's (TLS) */
	const char *cert;  /* PEM: this client's certificate chain (mTLS) */
	const char *key;   /* PEM: its private key */
	const char *token; /* a bearer token, white space around it ignored: "authorization: Bearer TOKEN" with every
			    * call. Without TLS it is sent only to a loopback address or unix socket */
};

#endif
