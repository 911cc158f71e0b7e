/* The queue of the gRPC server: more calls than threads, whose turn it is, and more than it takes. */
#include "tests/unit/rpc_raw.h"
#include "tests/unit/rpc_world.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_too_many(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 1, .calls_max = 2});
	struct raw_call c[2], refused;
	char text[512];

	(void)state;
	raw_ask(&c[0], w->channel, "/t.T/Gate", &world_request("a")->base);
	world_sem_wait(&w->entered);
	raw_ask(&c[1], w->channel, "/t.T/Gate", &world_request("b")->base);
	world_await_waiting(w, 1);
	raw_ask(&refused, w->channel, "/waybill.v1.Scanner/Scan", &world_request("c")->base);
	assert_int_equal(raw_status(&refused, text), WB_RPC_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(text, "too many calls"));
	assert_int_equal(wb_rpc_server_busy(w->server), 2);
	raw_close(&refused);
	sem_post(&w->go);
	sem_post(&w->go);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(raw_status(&c[i], text), WB_RPC_OK);
		raw_close(&c[i]);
	}
	world_await_idle(w);
	world_expect_echo(w->channel, "room again");
	world_free(w);
}

static void test_fairness(void **state)
{
	enum { MANY = 50 };
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 1});
	grpc_channel *other = world_connect(w->server, NULL);
	struct raw_call c[MANY], one;
	char text[512];

	(void)state;
	for (int i = 0; i < MANY; i++)
		raw_ask(&c[i], w->channel, "/t.T/Gate", &world_request("A")->base);
	world_await_waiting(w, MANY - 1);
	raw_ask(&one, other, "/t.T/Gate", &world_request("B")->base);
	world_await_waiting(w, MANY);
	for (int i = 0; i <= MANY; i++)
		sem_post(&w->go);
	assert_int_equal(raw_status(&one, text), WB_RPC_OK);
	raw_close(&one);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(raw_status(&c[i], text), WB_RPC_OK);
		raw_close(&c[i]);
	}
	world_await_idle(w); /* orders what the handlers wrote, too */
	char *b = memchr(w->order, 'B', sizeof w->order);
	assert_non_null(b);
	assert_true(b - w->order <= 2);
	grpc_channel_destroy(other);
	world_free(w);
}

/* Long calls of one connection never have all the threads. */
static void test_one_thread_left(void **state)
{
	enum { MANY = 10 };
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 3});
	grpc_channel *other = world_connect(w->server, NULL);
	struct raw_call c[MANY];
	char text[512];

	(void)state;
	for (int i = 0; i < MANY; i++)
		raw_ask(&c[i], w->channel, "/t.T/Gate", &world_request("A")->base);
	world_await_waiting(w, MANY - 2);
	world_expect_echo(other, "not stuck");
	for (int i = 0; i < MANY; i++)
		sem_post(&w->go);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(raw_status(&c[i], text), WB_RPC_OK);
		raw_close(&c[i]);
	}
	assert_int_equal(atomic_load(&w->inside_max), 2);
	grpc_channel_destroy(other);
	world_free(w);
}

static void test_burst(void **state)
{
	enum { MANY = 1000 };
	struct world *w = world_new((struct wb_rpc_server_config){0});
	struct raw_call *c = calloc(MANY, sizeof *c);
	char text[512], word[16];

	(void)state;
	assert_non_null(c);
	for (int i = 0; i < MANY; i++) {
		snprintf(word, sizeof word, "%d", i);
		raw_ask(&c[i], w->channel, "/waybill.v1.Scanner/Scan", &world_request(word)->base);
	}
	for (int i = 0; i < MANY; i++) {
		Waybill__V1__ScanReply *r = raw_finish_receive(&c[i], &waybill__v1__scan_reply__descriptor);

		assert_int_equal(raw_status(&c[i], text), WB_RPC_OK);
		assert_int_equal(atoi(r->local_reason), i);
		protobuf_c_message_free_unpacked(&r->base, NULL);
		raw_close(&c[i]);
	}
	free(c);
	world_await_idle(w);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_fairness),
	    cmocka_unit_test(test_one_thread_left),
	    cmocka_unit_test(test_burst),
	};

	grpc_init();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	grpc_shutdown();
	return failed;
}
