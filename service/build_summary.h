/* build_summary.h — one build in a few tables: `waybill stats --last-build`. Pure: what the build log holds, counted.
 * Thread-safe. */
#ifndef WB_SERVICE_BUILD_SUMMARY_H
#define WB_SERVICE_BUILD_SUMMARY_H

#include "service/build_log.h"

/* For people. `jobs` has at least one; scratch memory in `a`. */
void wb_build_summary_print(struct wb_buf *out, struct wb_arena *a, const struct wb_build_jobs *jobs);
/* One JSON object; docs/observing.md has its keys. */
void wb_build_summary_print_json(struct wb_buf *out, struct wb_arena *a, const struct wb_build_jobs *jobs);

#endif
