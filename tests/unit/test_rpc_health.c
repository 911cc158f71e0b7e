/* The health service that every gRPC server of ours has. */
#include "proto/health.pb-c.h"
#include "tests/unit/rpc_raw.h"
#include "tests/unit/rpc_world.h"
#include "tests/unit/unit.h"

static void test_health(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 1});
	Grpc__Health__V1__HealthCheckRequest m = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	static const struct {
		const char *service;
		int check;  /* status of Check */
		int health; /* of Watch's first message */
	} row[] = {
	    {"", WB_RPC_OK, 1},
	    {"waybill.v1.Scanner", WB_RPC_OK, 1},
	    {"grpc.health.v1.Health", WB_RPC_OK, 1},
	    {"grpc.reflection.v1.ServerReflection", WB_RPC_OK, 1},
	    {"waybill.v1.Scan", WB_RPC_NOT_FOUND, 3},
	    {"build.bazel.remote.execution.v2.Execution", WB_RPC_NOT_FOUND, 3},
	};
	struct raw_call c, watch[6];
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		m.service = (char *)(uintptr_t)row[i].service;
		raw_ask(&c, w->channel, "/grpc.health.v1.Health/Check", &m.base);
		Grpc__Health__V1__HealthCheckResponse *r =
		    raw_finish_receive(&c, &grpc__health__v1__health_check_response__descriptor);
		assert_int_equal(raw_status(&c, text), row[i].check);
		assert_true((r != NULL) == (row[i].check == WB_RPC_OK));
		if (r) {
			assert_int_equal(r->status, 1);
			protobuf_c_message_free_unpacked(&r->base, NULL);
		}
		raw_close(&c);
		raw_ask(&watch[i], w->channel, "/grpc.health.v1.Health/Watch", &m.base);
		r = raw_finish_receive(&watch[i], &grpc__health__v1__health_check_response__descriptor);
		assert_int_equal(r->status, row[i].health);
		protobuf_c_message_free_unpacked(&r->base, NULL);
	}
	/* Watchers hold no thread, and do not keep the daemon awake. */
	assert_int_equal(wb_rpc_server_busy(w->server), 0);
	world_expect_echo(w->channel, "not stuck");
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
		raw_close(&watch[i]);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_health),
	};

	grpc_init();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	grpc_shutdown();
	return failed;
}
