/* The reflection service that every gRPC server of ours has. */
#include "proto/reflection.pb-c.h"
#include "tests/unit/rpc_raw.h"
#include "tests/unit/rpc_world.h"
#include "tests/unit/unit.h"

#include <string.h>

typedef Grpc__Reflection__V1__ServerReflectionRequest Reflect;

static void expect_reflection(struct raw_call *c, bool first, bool last)
{
	Reflect m = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
	Grpc__Reflection__V1__ServerReflectionResponse *r;
	const ProtobufCMessageDescriptor *type = &grpc__reflection__v1__server_reflection_response__descriptor;
	unsigned found = 0;

	m.message_request_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
	m.list_services = (char *)"";
	raw_send(c, &m.base, first, false);
	r = raw_receive(c, type);
	assert_true(raw_await(c, RAW_SEND));
	for (size_t i = 0; i < r->list_services_response->n_service; i++) {
		const char *name = r->list_services_response->service[i]->name;

		found += strcmp(name, "waybill.v1.Scanner") == 0 || strcmp(name, "grpc.health.v1.Health") == 0 ||
			 strcmp(name, "grpc.reflection.v1alpha.ServerReflection") == 0;
		assert_null(strstr(name, "build.bazel")); /* described, not served */
	}
	assert_int_equal(found, 3);
	protobuf_c_message_free_unpacked(&r->base, NULL);

	static const struct {
		const char *symbol, *file;
	} row[] = {
	    {"waybill.v1.Scanner", "waybill.proto"},
	    {"waybill.v1.Scanner.ScanDatabase", "waybill.proto"},
	    {"waybill.v1.Input.Kind", "waybill.proto"},
	    {"waybill.v1.Input.SYMLINK", "waybill.proto"},
	    {"build.bazel.remote.execution.v2.Digest", "remote_execution.proto"},
	    {"grpc.health.v1.HealthCheckResponse.ServingStatus", "health.proto"},
	    {"google.protobuf.Duration", "google/protobuf/duration.proto"},
	    {"waybill.v1.Nothing", NULL},
	    {"", NULL},
	};
	m.message_request_case =
	    GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		m.file_containing_symbol = (char *)(uintptr_t)row[i].symbol;
		raw_send(c, &m.base, false, last && i + 1 == sizeof row / sizeof row[0]);
		r = raw_receive(c, type);
		assert_true(raw_await(c, RAW_SEND));
		assert_string_equal(r->original_request->file_containing_symbol, row[i].symbol);
		if (row[i].file) {
			const ProtobufCBinaryData *file = r->file_descriptor_response->file_descriptor_proto;
			size_t n = strlen(row[i].file);

			/* A FileDescriptorProto begins with its name: field 1, length, text. */
			assert_true(file->len > n + 2 && file->data[0] == 0x0a && file->data[1] == n);
			assert_memory_equal(file->data + 2, row[i].file, n);
			if (i == 0) /* with what it imports */
				assert_true(r->file_descriptor_response->n_file_descriptor_proto > 2);
		} else {
			assert_int_equal(r->error_response->error_code, WB_RPC_NOT_FOUND);
		}
		protobuf_c_message_free_unpacked(&r->base, NULL);
	}
}

static void test_reflection(void **state)
{
	struct world *w = world_new((struct wb_rpc_server_config){.threads = 1});
	struct raw_call a, b;
	char text[512];

	(void)state;
	raw_open(&a, w->channel, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", 0);
	expect_reflection(&a, true, false);
	/* The first stays open; it holds no thread. */
	raw_open(&b, w->channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", 0);
	expect_reflection(&b, true, true);
	assert_null(raw_receive(&b, &grpc__reflection__v1__server_reflection_response__descriptor));
	assert_int_equal(raw_status(&b, text), WB_RPC_OK);
	world_expect_echo(w->channel, "not stuck");
	expect_reflection(&a, false, true);
	assert_int_equal(raw_status(&a, text), WB_RPC_OK);
	raw_close(&a);
	raw_close(&b);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reflection),
	};

	grpc_init();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	grpc_shutdown();
	return failed;
}
