/* The REAPI client's Execute against a server that can be told to misbehave (reapi_peer.h): broken and lost streams,
 * every status there is, queues without end.
 */
#include "rpc/status.h"
#include "tests/unit/reapi_fixture.h"

#include <stdatomic.h>

static void test_execute(void **state)
{
	static const struct {
		enum reapi_lie lie;
		int status;
		const char *message;
		enum wb_code code;
		unsigned executed, waited;
	} row[] = {
	    {HONEST, 0, "", WB_OK, 1, 0},
	    {EXECUTE_BREAKS, 0, "", WB_OK, 1, 1},
	    {EXECUTE_ENDS, 0, "", WB_OK, 1, 1},
	    {EXECUTE_LOST, 0, "", WB_OK, 2, 1},
	    {EXECUTE_LOST_TWICE, 0, "", WB_EUNAVAILABLE, 2, 2},
	    {EXECUTE_BUSY_ONCE, 0, "", WB_OK, 2, 0},
	    {EXECUTE_NO_RESULT, 0, "", WB_EPROTO, 1, 0},
	    {EXECUTE_OUTSIDE, 0, "", WB_EPROTO, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_NOT_FOUND, "action", WB_ENOENT, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_FAILED_PRECONDITION, "", WB_ENOENT, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_FAILED_PRECONDITION, "No workers exist for instance", WB_EREFUSED, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_INTERNAL, "Tree is not completely available from LocalCAS.", WB_ENOENT, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_INTERNAL, "Output path is not a file", WB_EREFUSED, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_INVALID_ARGUMENT, "no argv", WB_EREFUSED, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_DEADLINE_EXCEEDED, "", WB_EUNAVAILABLE, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_UNAVAILABLE, "", WB_EUNAVAILABLE, 4, 0},
	    {NO_EXECUTION, 0, "", WB_EREFUSED, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(row); i++) {
		struct fixture f;
		struct wb_action_result r;
		atomic_int stage = 0;
		struct wb_reapi_execution x = {.stage = &stage};
		struct wb_digest action;
		reapi_begin(&f, row[i].lie, false);
		reapi_peer_end_with(row[i].status, row[i].message);
		wb_digest_of(&action, "action", 6);
		f.job.action = &action;
		wb_status s = wb_reapi_execute(&r, &f.a, f.c, &f.job, &action, &x, &f.err);
		if (s.code != row[i].code)
			fail_msg("row %zu: %s: %s", i, wb_code_name(s.code), f.err.text);
		struct reapi_peer_counts counts = reapi_peer_counts();
		if (counts.executed != row[i].executed || counts.waited != row[i].waited)
			fail_msg("row %zu: %u executed, %u waited for", i, counts.executed, counts.waited);
		if (wb_is_ok(s)) {
			assert_int_equal(r.nfile, 1);
			assert_string_equal(r.file[0].path, "x.o");
			assert_int_equal(r.out_len, 4);
			assert_int_equal(atomic_load(&stage), 4);
		} else {
			assert_says(&f.err, wb_reapi_name(f.c));
		}
		reapi_end(&f);
	}
}

/* A question has its own, shorter time limit: a cluster that queues for ever must not hold up those who wait for it. */
static void test_execute_limit(void **state)
{
	struct fixture f;
	struct wb_action_result r;
	struct wb_reapi_execution x = {.timeout_ns = SECOND};
	struct wb_digest action;
	(void)state;
	reapi_begin(&f, EXECUTE_HANGS, false);
	wb_digest_of(&action, "action", 6);
	assert_code(wb_reapi_execute(&r, &f.a, f.c, &f.job, &action, &x, &f.err), WB_EUNAVAILABLE);
	assert_says(&f.err, "no answer within 1 s");
	assert_false(wb_reapi_is_down(f.c, NULL, 0)); /* slow is not down */
	reapi_peer_lie(HONEST);
	reapi_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_execute),
	    cmocka_unit_test(test_execute_limit),
	};
	return cmocka_run_group_tests(tests, NULL, reapi_stop);
}
