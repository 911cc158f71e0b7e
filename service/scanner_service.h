/* scanner_service.h — the gRPC service waybill.v1.Scanner (proto/waybill.proto, docs/grpc.md): the launcher's pipe,
 * ending one stage earlier. It looks at files, asks compilers and hashes; it runs no action and writes nothing but
 * caches. Thread-safe: the methods run on the server's threads, any number at once. */
#ifndef WB_SERVICE_SCANNER_SERVICE_H
#define WB_SERVICE_SCANNER_SERVICE_H

#include "base/err.h"

#include <stddef.h>

struct wb_service;
struct wb_rpc_method;
struct wb_scanner_service;

/* `s` is borrowed for the life of the service. */
wb_status wb_scanner_service_new(struct wb_scanner_service **out, struct wb_service *s, struct wb_err *err);
/* The methods to register with the server. The table is borrowed, and lives as long as `svc`. */
void wb_scanner_service_methods(const struct wb_rpc_method **method, size_t *n, struct wb_scanner_service *svc);
/* After the server has stopped. */
void wb_scanner_service_free(struct wb_scanner_service *svc);

#endif
