/* log.h — the daemon's log: one line each, time, level, text. Thread-safe. Before wb_log_open, lines are dropped. */
#ifndef WB_BASE_LOG_H
#define WB_BASE_LOG_H

#include "base/err.h"

enum wb_log_level { WB_LOG_ERROR, WB_LOG_WARN, WB_LOG_INFO, WB_LOG_DEBUG };

/* Append to `path` (made 0600); moved aside to PATH.1 when larger than 8 MiB at open. */
wb_status wb_log_open(const char *path, enum wb_log_level level, struct wb_err *err);
void wb_log(enum wb_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
