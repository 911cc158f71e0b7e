/* request.h — what every request carries: settings, environment, working directory. Memory is the arena's; strings are
 * borrowed. */
#ifndef WB_CLI_REQUEST_H
#define WB_CLI_REQUEST_H

#include "proto/wire.pb-c.h"

struct wb_arena;
struct wb_config;

ProtobufCBinaryData wb_request_bytes(const char *s);
/* One element a string of the NULL-terminated `list`. */
ProtobufCBinaryData *wb_request_list(size_t *n, struct wb_arena *a, const char *const *list);
/* Those variables of `env` that are named in wb_env_names. */
ProtobufCBinaryData *wb_request_env(size_t *n, struct wb_arena *a, const char *const *env);
Waybill__Wire__Setting **wb_request_settings(size_t *n, struct wb_arena *a, const struct wb_config *config);

#endif
