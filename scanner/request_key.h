/* request_key.h — what a scan depends on besides the disk, as keys. Pure; thread-safe. */
#ifndef WB_SCANNER_REQUEST_KEY_H
#define WB_SCANNER_REQUEST_KEY_H

#include "base/digest.h"
#include "scanner/scan.h"

/* Equal keys, equal graphs on an equal disk. Names of outputs are no part of it. Valid in this process only: a
 * toolchain counts by its place in memory, where it stays. */
void wb_request_key(struct wb_digest *out, const struct wb_scan_request *req);

/* Equal keys: `engine` takes the same from a file's text. */
void wb_request_reader(struct wb_digest *out, const struct wb_scan_request *req, const char *engine);

/* The directories that may be searched, whether they exist or not, as spelled; in `a` and the request. */
size_t wb_request_dirs(const char ***out, struct wb_arena *a, const struct wb_scan_request *req);

#endif
