/* rpc_details.h — the details that a server may send with the status of a call. Any thread. */
#ifndef WB_TESTS_UNIT_RPC_DETAILS_H
#define WB_TESTS_UNIT_RPC_DETAILS_H

#include "base/arena.h"

#include <stddef.h>

/* Serialised google.rpc.Status, FAILED_PRECONDITION with control characters in its message, with RetryInfo (1.5 s) and
 * a PreconditionFailure of type `type`. `n` bytes, in `a`. */
char *rpc_details(size_t *n, struct wb_arena *a, const char *type);

#endif
