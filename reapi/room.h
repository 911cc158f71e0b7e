/* room.h — a bound on something that many threads share (bytes in memory). Thread-safe. */
#ifndef WB_REAPI_ROOM_H
#define WB_REAPI_ROOM_H

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct wb_room {
	pthread_mutex_t lock;
	pthread_cond_t more;
	int64_t size, left;
};

void wb_room_init(struct wb_room *r, int64_t size);
void wb_room_release(struct wb_room *r);

/* Wait until `n` are free and take them; `n` above the whole counts as the whole (give back the same `n`). A thread
 * that holds some must not take more. WB_ECANCELED when `cancel` (may be NULL) became true. */
wb_status wb_room_take(struct wb_room *r, int64_t n, const atomic_bool *cancel, struct wb_err *err);
void wb_room_give(struct wb_room *r, int64_t n);

/* For conditions of this folder, which wait on the monotonic clock: at most `ns` from now. */
void wb_cond_init(pthread_cond_t *c);
void wb_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, int64_t ns);

/* How long a thread waits before it looks at a flag again. */
#define WB_CANCEL_POLL_NS 100000000

static inline bool wb_canceled(const atomic_bool *cancel)
{
	return cancel != NULL && atomic_load(cancel);
}

#endif
