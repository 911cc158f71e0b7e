#include "service/slots.h"

#include "base/arena.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/* On the stack of the thread that waits. */
struct waiter {
	pthread_cond_t cond;
	bool granted;
	struct waiter *next;
};

struct wb_slots {
	pthread_mutex_t lock;
	unsigned n, used, waiting;
	struct waiter *head, **tail;
};

struct wb_slots *wb_slots_new(unsigned n)
{
	struct wb_slots *s = wb_xcalloc(1, sizeof *s);
	pthread_mutex_init(&s->lock, NULL);
	s->n = n > 0 ? n : 1;
	s->tail = &s->head;
	return s;
}

void wb_slots_free(struct wb_slots *s)
{
	if (s == NULL)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void leave_queue(struct wb_slots *s, struct waiter *w)
{
	struct waiter **p = &s->head;
	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	if (s->tail == &w->next)
		s->tail = p;
	s->waiting--;
}

wb_status wb_slots_take(struct wb_slots *s, const atomic_bool *cancel, struct wb_err *err)
{
	wb_status status = wb_ok();
	pthread_mutex_lock(&s->lock);
	if (cancel != NULL && atomic_load(cancel)) {
		status = wb_fail(err, WB_ECANCELED, "canceled before it ran");
	} else if (s->used < s->n && s->head == NULL) {
		s->used++;
	} else {
		struct waiter w = {.granted = false};
		pthread_cond_init(&w.cond, NULL);
		*s->tail = &w;
		s->tail = &w.next;
		s->waiting++;
		while (!w.granted && !(cancel != NULL && atomic_load(cancel)))
			pthread_cond_wait(&w.cond, &s->lock);
		/* Granted and canceled at once: the slot is taken, and whoever runs next sees the cancellation. */
		if (!w.granted) {
			leave_queue(s, &w);
			status = wb_fail(err, WB_ECANCELED, "canceled while waiting for a slot");
		}
		pthread_cond_destroy(&w.cond);
	}
	pthread_mutex_unlock(&s->lock);
	return status;
}

void wb_slots_give(struct wb_slots *s)
{
	pthread_mutex_lock(&s->lock);
	struct waiter *w = s->head;
	if (w != NULL) {
		leave_queue(s, w); /* the slot passes on: `used` stays */
		w->granted = true;
		pthread_cond_signal(&w->cond);
	} else {
		s->used--;
	}
	pthread_mutex_unlock(&s->lock);
}

void wb_slots_wake(struct wb_slots *s)
{
	pthread_mutex_lock(&s->lock);
	for (struct waiter *w = s->head; w != NULL; w = w->next)
		pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&s->lock);
}

unsigned wb_slots_used(struct wb_slots *s)
{
	pthread_mutex_lock(&s->lock);
	unsigned n = s->used;
	pthread_mutex_unlock(&s->lock);
	return n;
}

unsigned wb_slots_waiting(struct wb_slots *s)
{
	pthread_mutex_lock(&s->lock);
	unsigned n = s->waiting;
	pthread_mutex_unlock(&s->lock);
	return n;
}
