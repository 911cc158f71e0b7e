/* Retries: which calls are made again, how often, and when. */
#include "rpc/retry.h"
#include "tests/unit/unit.h"

#include <stdatomic.h>

#define SECOND 1000000000LL

static struct wb_rpc_status status_of(int code, int64_t delay_ns)
{
	return (struct wb_rpc_status){.code = code, .retry_delay_ns = delay_ns};
}

static void test_retry(void **state)
{
	(void)state;
	struct wb_retry r;
	int64_t wait;
	for (uint64_t seed = 0; seed < 200; seed++) {
		wb_retry_init(&r, 10, 3600 * SECOND);
		r.seed = seed;
		struct wb_rpc_status st = status_of(WB_RPC_UNAVAILABLE, -1);
		int64_t full = SECOND / 10;
		for (int i = 1; i < 10; i++, full = full * 2 > 5 * SECOND ? 5 * SECOND : full * 2) {
			assert_true(wb_retry_next(&wait, &r, &st));
			assert_true(wait >= full / 2 && wait <= full);
		}
		assert_false(wb_retry_next(&wait, &r, &st)); /* ten tries were made */
	}
	static const int again[] = {WB_RPC_UNAVAILABLE, WB_RPC_RESOURCE_EXHAUSTED, WB_RPC_ABORTED};
	for (int code = 0; code <= WB_RPC_UNAUTHENTICATED; code++) {
		bool may = false;
		for (size_t i = 0; i < sizeof again / sizeof again[0]; i++)
			may |= again[i] == code;
		wb_retry_init(&r, 5, 60 * SECOND);
		struct wb_rpc_status st = status_of(code, -1);
		assert_int_equal(wb_retry_next(&wait, &r, &st), may);
		st.retry_delay_ns = 7 * SECOND;
		assert_int_equal(wb_retry_next(&wait, &r, &st), code != WB_RPC_OK);
		if (code != WB_RPC_OK)
			assert_int_equal(wait, 7 * SECOND); /* longer than the backoff: the server's word */
	}
	struct wb_rpc_status st = status_of(WB_RPC_UNAVAILABLE, 0);
	wb_retry_init(&r, 5, 60 * SECOND);
	assert_true(wb_retry_next(&wait, &r, &st));
	assert_true(wait >= SECOND / 20); /* shorter than the backoff: the backoff */
	st.retry_delay_ns = 61 * SECOND;
	assert_false(wb_retry_next(&wait, &r, &st)); /* it would end after the deadline */
	wb_retry_init(&r, 5, 0);
	st.retry_delay_ns = -1;
	assert_false(wb_retry_next(&wait, &r, &st));
	wb_retry_init(&r, 5, INT64_MAX);
	assert_true(wb_retry_next(&wait, &r, &st));
	atomic_bool cancel = false;
	assert_true(wb_retry_sleep(1000, &cancel));
	atomic_store(&cancel, true);
	assert_false(wb_retry_sleep(3600 * SECOND, &cancel));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_retry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
