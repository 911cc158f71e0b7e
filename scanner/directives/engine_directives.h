/* engine_directives.h — the scan engine that interprets directives itself. */
#ifndef WB_SCANNER_DIRECTIVES_ENGINE_DIRECTIVES_H
#define WB_SCANNER_DIRECTIVES_ENGINE_DIRECTIVES_H

#include "scanner/scan.h"

/* `shim` is not used: the parameter makes it one of the engines of scan.c. */
wb_status wb_engine_directives_new(struct wb_scan_engine **out, const char *shim, struct wb_err *err);

#endif
