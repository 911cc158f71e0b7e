/* How a call ended: the details of a status, and which of our codes it becomes. */
#include "rpc/status.h"
#include "tests/unit/rpc_details.h"
#include "tests/unit/unit.h"

#define SECOND 1000000000LL

static void test_details(void **state)
{
	(void)state;
	struct wb_arena a;
	size_t n;
	wb_arena_init(&a);
	char *data = rpc_details(&n, &a, "MISSING");
	struct wb_rpc_status st = {.code = WB_RPC_UNKNOWN, .message = "kept", .retry_delay_ns = -1};
	wb_rpc_status_details(&st, &a, data, n, false);
	assert_int_equal(st.code, WB_RPC_UNKNOWN);
	assert_string_equal(st.message, "kept");
	assert_int_equal(st.retry_delay_ns, 3 * SECOND / 2);
	assert_true(st.missing);
	wb_rpc_status_details(&st, &a, data, n, true);
	assert_int_equal(st.code, WB_RPC_FAILED_PRECONDITION);
	assert_string_equal(st.message, "one two?");

	struct wb_rpc_status before = {.code = WB_RPC_UNKNOWN, .message = "kept", .retry_delay_ns = -1};
	st = before;
	for (size_t cut = 1; cut < n;
	     cut++) /* each prefix: parsed or not, never a crash, and malformed changes nothing */
		wb_rpc_status_details(&st, &a, data, cut, false);
	st = before;
	wb_rpc_status_details(&st, &a, "\xff\xff\xff", 3, true);
	assert_memory_equal(&st, &before, sizeof st);

	data = rpc_details(&n, &a, "OTHER");
	wb_rpc_status_details(&st, &a, data, n, false);
	assert_false(st.missing);
	wb_arena_release(&a);
}

static void test_status_fail(void **state)
{
	static const struct {
		int code;
		enum wb_code want;
	} row[] = {
	    {WB_RPC_OK, WB_OK},
	    {WB_RPC_NOT_FOUND, WB_ENOENT},
	    {WB_RPC_CANCELLED, WB_ECANCELED},
	    {WB_RPC_UNAVAILABLE, WB_EUNAVAILABLE},
	    {WB_RPC_DEADLINE_EXCEEDED, WB_EUNAVAILABLE},
	    {WB_RPC_RESOURCE_EXHAUSTED, WB_EUNAVAILABLE},
	    {WB_RPC_ABORTED, WB_EUNAVAILABLE},
	    {WB_RPC_UNAUTHENTICATED, WB_EREFUSED},
	    {WB_RPC_UNIMPLEMENTED, WB_EREFUSED},
	    {WB_RPC_INTERNAL, WB_EPROTO},
	    {WB_RPC_DATA_LOSS, WB_EPROTO},
	    {99, WB_EPROTO},
	};
	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_rpc_status st = {.code = row[i].code, .message = "the words"};
		assert_code(wb_rpc_status_fail(&err, &st, "/a.B/C"), row[i].want);
		if (row[i].want != WB_OK) {
			assert_says(&err, "/a.B/C");
			assert_says(&err, "the words");
			assert_says(&err, wb_rpc_code_name(row[i].code));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_details),
	    cmocka_unit_test(test_status_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
