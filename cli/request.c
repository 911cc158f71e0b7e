#include "cli/request.h"

#include "base/arena.h"
#include "base/config.h"
#include "base/envnames.h"

#include <stdbool.h>
#include <string.h>

ProtobufCBinaryData wb_request_bytes(const char *s)
{
	return (ProtobufCBinaryData){strlen(s), (uint8_t *)(uintptr_t)s}; /* protobuf-c's type lacks the const */
}

ProtobufCBinaryData *wb_request_list(size_t *n, struct wb_arena *a, const char *const *list)
{
	size_t count = 0;
	while (list[count] != NULL)
		count++;
	ProtobufCBinaryData *out = wb_arena_array(a, count, sizeof *out);
	for (size_t i = 0; i < count; i++)
		out[i] = wb_request_bytes(list[i]);
	*n = count;
	return out;
}

static bool matters(const char *variable)
{
	for (size_t i = 0; wb_env_names[i] != NULL; i++) {
		size_t n = strlen(wb_env_names[i]);
		if (strncmp(variable, wb_env_names[i], n) == 0 && variable[n] == '=')
			return true;
	}
	return false;
}

ProtobufCBinaryData *wb_request_env(size_t *n, struct wb_arena *a, const char *const *env)
{
	size_t count = 0, used = 0;
	while (env[count] != NULL)
		count++;
	ProtobufCBinaryData *out = wb_arena_array(a, count, sizeof *out);
	for (size_t i = 0; i < count; i++)
		if (matters(env[i]))
			out[used++] = wb_request_bytes(env[i]);
	*n = used;
	return out;
}

Waybill__Wire__Setting **wb_request_settings(size_t *n, struct wb_arena *a, const struct wb_config *config)
{
	Waybill__Wire__Setting **out = wb_arena_array(a, WB_SET_COUNT, sizeof *out);
	Waybill__Wire__Setting *each = wb_arena_array(a, WB_SET_COUNT, sizeof *each);
	for (size_t i = 0; i < WB_SET_COUNT; i++) {
		waybill__wire__setting__init(&each[i]);
		each[i].key = (char *)(uintptr_t)wb_setting_table[i].key;
		each[i].value = wb_request_bytes(config->value[i]);
		out[i] = &each[i];
	}
	*n = WB_SET_COUNT;
	return out;
}
