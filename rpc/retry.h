/* retry.h — when to try a call again: exponential backoff with jitter, RetryInfo honoured, and an end. Pure but for the
 * sleep. */
#ifndef WB_RPC_RETRY_H
#define WB_RPC_RETRY_H

#include "rpc/status.h"

#include <stdatomic.h>

struct wb_retry {
	int64_t deadline_ns; /* wb_clock_ns: no try starts after this */
	unsigned tries, max_tries;
	uint64_t seed; /* jitter; any value */
};

/* At most `max_tries` tries, none later than `budget_ns` from now. */
void wb_retry_init(struct wb_retry *r, unsigned max_tries, int64_t budget_ns);

/* May a call that ended like this be tried again? UNAVAILABLE, RESOURCE_EXHAUSTED and ABORTED may; with RetryInfo any
 * code may. True: the wait is `*wait_ns` (100 ms doubling to 5 s, each times 0.5 to 1; RetryInfo's delay when it is
 * longer), and the try is counted. False: tries or time are used up, or the wait would end after the deadline. */
bool wb_retry_next(int64_t *wait_ns, struct wb_retry *r, const struct wb_rpc_status *st);

/* Sleep; false when `cancel` (may be NULL) became true. */
bool wb_retry_sleep(int64_t ns, const atomic_bool *cancel);

#endif
