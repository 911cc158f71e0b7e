/* status.h — how a gRPC call ended. */
#ifndef WB_RPC_STATUS_H
#define WB_RPC_STATUS_H

#include "base/digest.h"
#include "base/err.h"

#include <stdint.h>

struct wb_arena;

/* gRPC status codes (grpc/status.h has the same numbers; this header keeps gRPC out of its readers). */
enum wb_rpc_code {
	WB_RPC_OK = 0,
	WB_RPC_CANCELLED = 1,
	WB_RPC_UNKNOWN = 2,
	WB_RPC_INVALID_ARGUMENT = 3,
	WB_RPC_DEADLINE_EXCEEDED = 4,
	WB_RPC_NOT_FOUND = 5,
	WB_RPC_ALREADY_EXISTS = 6,
	WB_RPC_PERMISSION_DENIED = 7,
	WB_RPC_RESOURCE_EXHAUSTED = 8,
	WB_RPC_FAILED_PRECONDITION = 9,
	WB_RPC_ABORTED = 10,
	WB_RPC_OUT_OF_RANGE = 11,
	WB_RPC_UNIMPLEMENTED = 12,
	WB_RPC_INTERNAL = 13,
	WB_RPC_UNAVAILABLE = 14,
	WB_RPC_DATA_LOSS = 15,
	WB_RPC_UNAUTHENTICATED = 16,
};

struct wb_rpc_status {
	int code;               /* enum wb_rpc_code */
	char message[512];      /* the server's (or gRPC's) words, control characters replaced */
	int64_t retry_delay_ns; /* RetryInfo; -1: none was sent */
	bool missing;           /* a PreconditionFailure with a violation of type MISSING came with it */
};

const char *wb_rpc_code_name(int code); /* "UNAVAILABLE"; static */

/* From a google.rpc.Status message (`data`, `n`: serialised; as in the trailer grpc-status-details-bin or in an
 * ExecuteResponse): fills retry_delay_ns and missing, and code and message too when `whole`. A malformed one changes
 * nothing. `a` is scratch. */
void wb_rpc_status_details(struct wb_rpc_status *st, struct wb_arena *a, const void *data, size_t n, bool whole);

/* The same in our terms: OK; WB_ENOENT (NOT_FOUND); WB_ECANCELED; WB_EUNAVAILABLE (UNAVAILABLE, DEADLINE_EXCEEDED,
 * RESOURCE_EXHAUSTED, ABORTED: may work later); WB_EREFUSED (UNAUTHENTICATED, PERMISSION_DENIED, INVALID_ARGUMENT,
 * FAILED_PRECONDITION, UNIMPLEMENTED, OUT_OF_RANGE ...: will not); WB_EPROTO (INTERNAL, UNKNOWN, DATA_LOSS). `what`
 * (the method) starts the text. */
wb_status wb_rpc_status_fail(struct wb_err *err, const struct wb_rpc_status *st, const char *what);

#endif
