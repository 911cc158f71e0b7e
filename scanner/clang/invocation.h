/* invocation.h — a command and its compiler, in the words of the shim. Pure. */
#ifndef WB_SCANNER_CLANG_INVOCATION_H
#define WB_SCANNER_CLANG_INVOCATION_H

#include "scanner/clang/clang_shim.h"
#include "scanner/scan.h"

/* Fill everything of `out` but the answers; memory in `a`. WB_EUNSCANNABLE: an argument means something that clang 22
 * cannot be told. */
wb_status wb_invocation_make(struct wb_shim_request *out, struct wb_arena *a, const struct wb_scan_request *req,
			     enum wb_reason *reason, struct wb_err *err);

#endif
