/* breaker.h — is the server down? Noticed once by the calls that fail, then told to everybody at once, while one thread
 * asks the server again with growing pauses. Thread-safe. */
#ifndef WB_REAPI_BREAKER_H
#define WB_REAPI_BREAKER_H

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Ask the server. WB_EUNAVAILABLE (or WB_ECANCELED, when `*stop` became true): still down; anything else is an answer.
 */
typedef wb_status wb_breaker_probe(void *arg, const atomic_bool *stop, struct wb_err *err);

struct wb_breaker {
	const char *name; /* of the server, for texts; borrowed */
	wb_breaker_probe *probe;
	void *arg;
	int64_t pause_min_ns, pause_max_ns;
	unsigned down_after;

	atomic_bool down; /* written under `lock`, read without */
	atomic_bool stop;
	atomic_uint failures; /* in a row */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool has_thread;
	pthread_t thread;
	int64_t since_ns, next_ns; /* wb_clock_ns; next_ns 0: being asked now */
	char why[256];
};

/* `name`, `probe` and `arg` must outlive it. Down after `down_after` failures in a row. */
void wb_breaker_init(struct wb_breaker *b, const char *name, wb_breaker_probe *probe, void *arg, unsigned down_after,
		     int64_t pause_min_ns, int64_t pause_max_ns);
/* Waits for its thread, which is told to stop. */
void wb_breaker_release(struct wb_breaker *b);

/* A call ended without an answer: `connect` when nobody was there at all (then it is down at once). */
void wb_breaker_failed(struct wb_breaker *b, bool connect, const char *why);
/* A call got an answer, whatever it said. Does not end the state "down": the thread does. */
void wb_breaker_answered(struct wb_breaker *b);

/* Cheap while it is up. When it is down, `text` (size `n`, may be 0) says since when, why, and when it is asked again.
 */
bool wb_breaker_is_down(struct wb_breaker *b, char *text, size_t n);

#endif
