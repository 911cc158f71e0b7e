/* engine_clang.h — the scan engine over clang's own preprocessor. */
#ifndef WB_SCANNER_CLANG_ENGINE_CLANG_H
#define WB_SCANNER_CLANG_ENGINE_CLANG_H

#include "scanner/scan.h"

/* `shim` is the path of libwaybill-clang-22.so; NULL: beside the executable, then where it is installed. Loaded at the
 * first scan; when it cannot be, every scan ends with reason ENGINE. */
wb_status wb_engine_clang_new(struct wb_scan_engine **out, const char *shim, struct wb_err *err);

#endif
