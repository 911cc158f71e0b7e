#include "base/clock.h"
#include "service/slots.h"
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct worker {
	pthread_t thread;
	struct wb_slots *slots;
	atomic_bool cancel;
	atomic_int *running, *most;
	atomic_uint *order;
	unsigned got; /* place in the order of those that got a slot */
	wb_status status;
	int hold_us;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	w->status = wb_slots_take(w->slots, &w->cancel, NULL);
	if (!wb_is_ok(w->status))
		return NULL;
	w->got = atomic_fetch_add(w->order, 1);
	int now = atomic_fetch_add(w->running, 1) + 1, most = atomic_load(w->most);
	while (now > most && !atomic_compare_exchange_weak(w->most, &most, now)) {
	}
	if (w->hold_us > 0)
		usleep((unsigned)w->hold_us);
	atomic_fetch_sub(w->running, 1);
	wb_slots_give(w->slots);
	return NULL;
}

static void wait_for_waiting(struct wb_slots *s, unsigned n)
{
	for (int i = 0; i < 5000 && wb_slots_waiting(s) != n; i++)
		usleep(1000);
	assert_int_equal(wb_slots_waiting(s), n);
}

/* Never more than there are, and all get one. */
static void test_bound(void **state)
{
	struct worker w[60] = {0};
	atomic_int running = 0, most = 0;
	atomic_uint order = 0;
	struct wb_slots *s = wb_slots_new(3);
	(void)state;
	for (int i = 0; i < 60; i++) {
		w[i].slots = s;
		w[i].running = &running;
		w[i].most = &most;
		w[i].order = &order;
		w[i].hold_us = 300;
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (int i = 0; i < 60; i++) {
		pthread_join(w[i].thread, NULL);
		assert_true(wb_is_ok(w[i].status));
	}
	assert_int_equal(order, 60);
	assert_true(most <= 3);
	assert_int_equal(wb_slots_used(s), 0);
	assert_int_equal(wb_slots_waiting(s), 0);
	wb_slots_free(s);
}

/* First come, first served; a canceled one in the queue lets the others by. */
static void test_order_and_cancel(void **state)
{
	struct worker w[8] = {0};
	atomic_int running = 0, most = 0;
	atomic_uint order = 0;
	struct wb_slots *s = wb_slots_new(1);
	(void)state;
	assert_true(wb_is_ok(wb_slots_take(s, NULL, NULL)));
	assert_int_equal(wb_slots_used(s), 1);
	for (unsigned i = 0; i < 8; i++) {
		w[i].slots = s;
		w[i].running = &running;
		w[i].most = &most;
		w[i].order = &order;
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
		wait_for_waiting(s, i + 1);
	}
	/* The last, the first and one in the middle go. */
	atomic_store(&w[7].cancel, true);
	atomic_store(&w[0].cancel, true);
	atomic_store(&w[4].cancel, true);
	wb_slots_wake(s);
	wait_for_waiting(s, 5);
	wb_slots_give(s);
	for (int i = 0; i < 8; i++)
		pthread_join(w[i].thread, NULL);
	unsigned want = 0;
	for (int i = 0; i < 8; i++) {
		if (i == 0 || i == 4 || i == 7) {
			assert_code(w[i].status, WB_ECANCELED);
		} else {
			assert_code(w[i].status, WB_OK);
			assert_int_equal(w[i].got, want++);
		}
	}
	assert_int_equal(wb_slots_used(s), 0);
	wb_slots_free(s);
}

static void test_canceled_before(void **state)
{
	atomic_bool cancel = true;
	struct wb_slots *s = wb_slots_new(0); /* one at least */
	(void)state;
	assert_code(wb_slots_take(s, &cancel, NULL), WB_ECANCELED);
	cancel = false;
	assert_code(wb_slots_take(s, &cancel, NULL), WB_OK);
	wb_slots_give(s);
	wb_slots_free(s);
	wb_slots_free(NULL);
}

/* Cancel and grant at the same time, many times: a slot is never lost. */
static void test_storm(void **state)
{
	struct wb_slots *s = wb_slots_new(2);
	atomic_int running = 0, most = 0;
	atomic_uint order = 0;
	(void)state;
	for (int round = 0; round < 30; round++) {
		struct worker w[12] = {0};
		for (int i = 0; i < 12; i++) {
			w[i].slots = s;
			w[i].running = &running;
			w[i].most = &most;
			w[i].order = &order;
			w[i].hold_us = i * 20;
			assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
		}
		for (int i = 0; i < 12; i += 2) {
			atomic_store(&w[i].cancel, true);
			wb_slots_wake(s);
		}
		for (int i = 0; i < 12; i++)
			pthread_join(w[i].thread, NULL);
		assert_int_equal(wb_slots_used(s), 0);
		assert_int_equal(wb_slots_waiting(s), 0);
	}
	assert_true(most <= 2);
	wb_slots_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bound),
	    cmocka_unit_test(test_order_and_cancel),
	    cmocka_unit_test(test_canceled_before),
	    cmocka_unit_test(test_storm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
