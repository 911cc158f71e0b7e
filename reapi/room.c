#include "reapi/room.h"

#include "base/clock.h"

#include <time.h>

void wb_cond_init(pthread_cond_t *c)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(c, &attr);
	pthread_condattr_destroy(&attr);
}

void wb_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, int64_t ns)
{
	int64_t until = wb_clock_ns() + (ns < 0 ? 0 : ns);
	struct timespec ts = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
	pthread_cond_timedwait(c, m, &ts);
}

void wb_room_init(struct wb_room *r, int64_t size)
{
	r->size = r->left = size;
	pthread_mutex_init(&r->lock, NULL);
	wb_cond_init(&r->more);
}

void wb_room_release(struct wb_room *r)
{
	pthread_cond_destroy(&r->more);
	pthread_mutex_destroy(&r->lock);
}

static int64_t clip(const struct wb_room *r, int64_t n)
{
	return n < r->size ? n : r->size;
}

wb_status wb_room_take(struct wb_room *r, int64_t n, const atomic_bool *cancel, struct wb_err *err)
{
	n = clip(r, n);
	pthread_mutex_lock(&r->lock);
	while (r->left < n && !wb_canceled(cancel))
		wb_cond_wait(&r->more, &r->lock, WB_CANCEL_POLL_NS);
	bool got = r->left >= n;
	if (got)
		r->left -= n;
	pthread_mutex_unlock(&r->lock);
	return got ? wb_ok() : wb_fail(err, WB_ECANCELED, "canceled while it waited for memory");
}

void wb_room_give(struct wb_room *r, int64_t n)
{
	pthread_mutex_lock(&r->lock);
	r->left += clip(r, n);
	pthread_cond_broadcast(&r->more);
	pthread_mutex_unlock(&r->lock);
}
