#include "reapi/breaker.h"

#include "base/clock.h"
#include "base/log.h"
#include "reapi/room.h"

#include <stdio.h>
#include <string.h>

void wb_breaker_init(struct wb_breaker *b, const char *name, wb_breaker_probe *probe, void *arg, unsigned down_after,
		     int64_t pause_min_ns, int64_t pause_max_ns)
{
	*b = (struct wb_breaker){
	    .name = name,
	    .probe = probe,
	    .arg = arg,
	    .down_after = down_after,
	    .pause_min_ns = pause_min_ns,
	    .pause_max_ns = pause_max_ns,
	};
	pthread_mutex_init(&b->lock, NULL);
	wb_cond_init(&b->changed);
}

void wb_breaker_release(struct wb_breaker *b)
{
	pthread_mutex_lock(&b->lock);
	atomic_store(&b->stop, true);
	pthread_cond_broadcast(&b->changed);
	bool join = b->has_thread;
	pthread_mutex_unlock(&b->lock);
	if (join)
		pthread_join(b->thread, NULL);
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
}

/* Until the server answers. Called and returns with the lock. */
static void ask_until_up(struct wb_breaker *b)
{
	int64_t pause = b->pause_min_ns;
	while (!atomic_load(&b->stop)) {
		b->next_ns = wb_clock_ns() + pause;
		while (!atomic_load(&b->stop) && wb_clock_ns() < b->next_ns)
			wb_cond_wait(&b->changed, &b->lock, b->next_ns - wb_clock_ns());
		if (atomic_load(&b->stop))
			return;
		b->next_ns = 0;
		pthread_mutex_unlock(&b->lock);
		struct wb_err err = WB_ERR_INIT;
		wb_status s = b->probe(b->arg, &b->stop, &err);
		pthread_mutex_lock(&b->lock);
		if (s.code != WB_EUNAVAILABLE && s.code != WB_ECANCELED) {
			wb_log(WB_LOG_INFO, "%s: answers again after %lld s", b->name,
			       (long long)((wb_clock_ns() - b->since_ns) / 1000000000));
			atomic_store(&b->failures, 0);
			atomic_store(&b->down, false);
			return;
		}
		pause = pause < b->pause_max_ns / 2 ? pause * 2 : b->pause_max_ns;
	}
}

static void *run(void *arg)
{
	struct wb_breaker *b = arg;
	pthread_mutex_lock(&b->lock);
	while (!atomic_load(&b->stop)) {
		if (atomic_load(&b->down))
			ask_until_up(b);
		else
			pthread_cond_wait(&b->changed, &b->lock);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

void wb_breaker_failed(struct wb_breaker *b, bool connect, const char *why)
{
	if (atomic_fetch_add(&b->failures, 1) + 1 < b->down_after && !connect)
		return;
	pthread_mutex_lock(&b->lock);
	if (!atomic_load(&b->down) && !atomic_load(&b->stop)) {
		b->since_ns = wb_clock_ns();
		b->next_ns = b->since_ns + b->pause_min_ns;
		snprintf(b->why, sizeof b->why, "%s", why);
		/* Without a thread nobody would ever ask again: then it stays up, and every call finds out for itself.
		 */
		if (b->has_thread || pthread_create(&b->thread, NULL, run, b) == 0) {
			b->has_thread = true;
			atomic_store(&b->down, true);
			wb_log(WB_LOG_WARN, "%s: down: %s", b->name, b->why);
			pthread_cond_broadcast(&b->changed);
		}
	}
	pthread_mutex_unlock(&b->lock);
}

void wb_breaker_answered(struct wb_breaker *b)
{
	if (atomic_load(&b->failures) != 0)
		atomic_store(&b->failures, 0);
}

bool wb_breaker_is_down(struct wb_breaker *b, char *text, size_t n)
{
	if (!atomic_load(&b->down))
		return false;
	if (n == 0)
		return true;
	pthread_mutex_lock(&b->lock);
	bool down = atomic_load(&b->down);
	int64_t now = wb_clock_ns(), left = b->next_ns - now;
	int64_t since = (now - b->since_ns) / 1000000000;
	if (b->next_ns == 0)
		snprintf(text, n, "%s is down since %lld s: %s; being asked again", b->name, (long long)since, b->why);
	else
		snprintf(text, n, "%s is down since %lld s: %s; asked again in %lld s", b->name, (long long)since,
			 b->why, (long long)(left < 0 ? 0 : (left + 999999999) / 1000000000));
	pthread_mutex_unlock(&b->lock);
	return down;
}
