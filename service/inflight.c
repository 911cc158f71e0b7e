#include "service/inflight.h"

#include "base/map.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define CANCEL_POLL_NS 100000000L

struct wb_inflight {
	pthread_mutex_t lock;
	pthread_cond_t left;
	struct wb_map running;
};

struct wb_inflight *wb_inflight_new(void)
{
	struct wb_inflight *f = wb_xcalloc(1, sizeof *f);

	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->left, NULL);
	wb_map_init(&f->running);
	return f;
}

void wb_inflight_free(struct wb_inflight *f)
{
	if (!f)
		return;
	wb_map_release(&f->running);
	pthread_cond_destroy(&f->left);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

bool wb_inflight_enter(struct wb_inflight *f, const struct wb_digest *action, const atomic_bool *cancel)
{
	bool waited = false;

	pthread_mutex_lock(&f->lock);
	while (wb_map_get(&f->running, action->hash, sizeof action->hash)) {
		struct timespec until;

		waited = true;
		if (cancel && atomic_load(cancel))
			break;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += CANCEL_POLL_NS;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		pthread_cond_timedwait(&f->left, &f->lock, &until);
	}
	if (!waited)
		wb_map_put(&f->running, action->hash, sizeof action->hash, NULL);
	pthread_mutex_unlock(&f->lock);
	return !waited;
}

void wb_inflight_leave(struct wb_inflight *f, const struct wb_digest *action)
{
	pthread_mutex_lock(&f->lock);
	wb_map_del(&f->running, action->hash, sizeof action->hash);
	pthread_cond_broadcast(&f->left);
	pthread_mutex_unlock(&f->lock);
}
