/* build_trace.h — one build as a trace in Chrome's "Trace Event Format" (JSON object format: complete events, ph "X",
 * times in microseconds), which chrome://tracing, Perfetto and Speedscope show. Pure; thread-safe. */
#ifndef WB_SERVICE_BUILD_TRACE_H
#define WB_SERVICE_BUILD_TRACE_H

#include "service/build_log.h"

/* Each job is a slice in the first lane (tid) that is free when it starts, so a lane is about one of ninja's -j; its
 * stages lie below it, one after the other in pipe order, because the log has how long each took and not when it began.
 * Scratch memory in `a`. */
void wb_build_trace_print(struct wb_buf *out, struct wb_arena *a, const struct wb_build_jobs *jobs);

#endif
