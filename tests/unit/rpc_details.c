#include "tests/unit/rpc_details.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "rpc/status.h"
#include "rpc_status.pb-c.h"
#include "wire/message.h"

static Google__Protobuf__Any any_of(struct wb_arena *a, const char *type, const ProtobufCMessage *m)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	char *data;
	wb_message_pack(&data, &any.value.len, a, m);
	any.value.data = (uint8_t *)data;
	any.type_url = wb_arena_printf(a, "type.googleapis.com/%s", type);
	return any;
}

char *rpc_details(size_t *n, struct wb_arena *a, const char *type)
{
	Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
	delay.seconds = 1;
	delay.nanos = 500000000;
	Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
	retry.retry_delay = &delay;
	Google__Rpc__PreconditionFailure__Violation v = GOOGLE__RPC__PRECONDITION_FAILURE__VIOLATION__INIT,
						    *vs[] = {&v};
	v.type = wb_arena_strdup(a, type);
	Google__Rpc__PreconditionFailure failure = GOOGLE__RPC__PRECONDITION_FAILURE__INIT;
	failure.violations = vs;
	failure.n_violations = 1;
	Google__Protobuf__Any any[] = {any_of(a, "google.rpc.DebugInfo", &delay.base),
				       any_of(a, "google.rpc.RetryInfo", &retry.base),
				       any_of(a, "google.rpc.PreconditionFailure", &failure.base)};
	Google__Protobuf__Any *anys[] = {&any[0], &any[1], &any[2]};
	Google__Rpc__Status s = GOOGLE__RPC__STATUS__INIT;
	s.code = WB_RPC_FAILED_PRECONDITION;
	s.message = wb_arena_strdup(a, "one\ttwo\033");
	s.details = anys;
	s.n_details = 3;
	char *data;
	wb_message_pack(&data, n, a, &s.base);
	return data;
}
