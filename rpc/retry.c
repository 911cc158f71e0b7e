#define _GNU_SOURCE
#include "rpc/retry.h"

#include "base/clock.h"

#include <errno.h>
#include <time.h>

enum {
	FIRST_NS = 100 * 1000 * 1000,
	CANCEL_NS = 50 * 1000 * 1000, /* how often a sleeper looks at its flag */
};
static const int64_t longest_ns = 5000000000;

void wb_retry_init(struct wb_retry *r, unsigned max_tries, int64_t budget_ns)
{
	int64_t now = wb_clock_ns();
	bool endless = budget_ns > INT64_MAX - now;
	/* The address differs between threads that start in the same nanosecond. */
	*r = (struct wb_retry){
	    .deadline_ns = endless ? INT64_MAX : now + budget_ns,
	    .tries = 1,
	    .max_tries = max_tries,
	    .seed = (uint64_t)now ^ (uint64_t)(uintptr_t)r,
	};
}

/* The next number of the sequence splitmix64 (Steele, Lea, Flood 2014): any seed will do. */
static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static bool may_retry(const struct wb_rpc_status *st)
{
	if (st->code == WB_RPC_OK)
		return false;
	return st->retry_delay_ns >= 0 || st->code == WB_RPC_UNAVAILABLE || st->code == WB_RPC_RESOURCE_EXHAUSTED ||
	       st->code == WB_RPC_ABORTED;
}

bool wb_retry_next(int64_t *wait_ns, struct wb_retry *r, const struct wb_rpc_status *st)
{
	*wait_ns = 0;
	if (!may_retry(st) || r->tries >= r->max_tries)
		return false;
	int64_t wait = FIRST_NS;
	for (unsigned i = 1; i < r->tries && wait < longest_ns; i++)
		wait *= 2;
	if (wait > longest_ns)
		wait = longest_ns;
	wait = wait / 2 + (int64_t)(next_random(&r->seed) % (uint64_t)(wait / 2 + 1));
	if (wait < st->retry_delay_ns)
		wait = st->retry_delay_ns;
	int64_t now = wb_clock_ns();
	if (now >= r->deadline_ns || wait > r->deadline_ns - now)
		return false;
	*wait_ns = wait;
	r->tries++;
	return true;
}

bool wb_retry_sleep(int64_t ns, const atomic_bool *cancel)
{
	int64_t end = wb_clock_ns() + ns;
	for (;;) {
		if (cancel != NULL && atomic_load(cancel))
			return false;
		int64_t left = end - wb_clock_ns();
		if (left <= 0)
			return true;
		if (cancel != NULL && left > CANCEL_NS)
			left = CANCEL_NS;
		struct timespec t = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
		if (nanosleep(&t, NULL) < 0 && errno != EINTR)
			return true;
	}
}
