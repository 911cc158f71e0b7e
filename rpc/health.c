/* grpc.health.v1.Health: a service that is registered is SERVING as long as the server takes calls at all. */
#include "rpc/server_impl.h"
#include "wire/message.h"

#include "proto/health.pb-c.h"

#include <string.h>

const char *wb_method_service(size_t *n, const char *method)
{
	const char *slash = strrchr(method, '/');

	*n = slash && slash > method ? (size_t)(slash - method - 1) : 0;
	return method + 1;
}

static bool serves(const char *method, const char *name, size_t n)
{
	size_t len;
	const char *service = wb_method_service(&len, method);

	return len == n && memcmp(service, name, n) == 0;
}

bool wb_server_has_service(const struct wb_rpc_server *s, const char *name, size_t n)
{
	for (size_t i = 0; i < s->nmethod; i++)
		if (serves(s->method[i].name, name, n))
			return true;
	for (const struct wb_builtin *b = wb_builtin_health; b->name; b++)
		if (serves(b->name, name, n))
			return true;
	for (const struct wb_builtin *b = wb_builtin_reflection; s->reflection && b->name; b++)
		if (serves(b->name, name, n))
			return true;
	return false;
}

static enum wb_builtin_next answer(ProtobufCMessage **reply, struct wb_rpc_status *st, struct wb_arena *a,
				   const struct wb_rpc_server *s, const void *data, size_t n, bool watch)
{
	ProtobufCMessage *m;
	Grpc__Health__V1__HealthCheckResponse *r = wb_arena_alloc(a, sizeof *r);

	if (!wb_is_ok(wb_message_decode(&m, a, &grpc__health__v1__health_check_request__descriptor, data, n,
					wb_message_memory(n), NULL))) {
		wb_rpc_status_set(st, WB_RPC_INVALID_ARGUMENT,
				  "the request is not a grpc.health.v1.HealthCheckRequest");
		return WB_BUILTIN_LAST;
	}
	const char *service = ((const Grpc__Health__V1__HealthCheckRequest *)m)->service;
	bool known = !service[0] || wb_server_has_service(s, service, strlen(service));
	if (!known && !watch) {
		wb_rpc_status_set(st, WB_RPC_NOT_FOUND, "unknown service '%s'", service);
		return WB_BUILTIN_LAST;
	}
	grpc__health__v1__health_check_response__init(r);
	r->status = known ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
			  : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	*reply = &r->base;
	return watch ? WB_BUILTIN_PARK : WB_BUILTIN_LAST;
}

static enum wb_builtin_next check(ProtobufCMessage **reply, struct wb_rpc_status *st, struct wb_arena *a,
				  const struct wb_rpc_server *s, const void *data, size_t n)
{
	return answer(reply, st, a, s, data, n, false);
}

/* Nothing changes while the server runs; when it stops, the stream ends with UNAVAILABLE. */
static enum wb_builtin_next watch(ProtobufCMessage **reply, struct wb_rpc_status *st, struct wb_arena *a,
				  const struct wb_rpc_server *s, const void *data, size_t n)
{
	return answer(reply, st, a, s, data, n, true);
}

const struct wb_builtin wb_builtin_health[] = {
    {"/grpc.health.v1.Health/Check", check}, {"/grpc.health.v1.Health/Watch", watch}, {NULL, NULL}};
