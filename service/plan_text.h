/* plan_text.h — what more than one door says about a plan: records, `waybill scan`, the RPC service. Pure. */
#ifndef WB_SERVICE_PLAN_TEXT_H
#define WB_SERVICE_PLAN_TEXT_H

#include "service/plan.h"

/* What asked for an input: "src/a.h:12" for an include, the argument for an option, "" when nothing to name. In `a` or
 * static. */
const char *wb_plan_via(struct wb_arena *a, const struct wb_plan *p, const struct wb_input *in);

/* Absolute paths that were probed and do not exist, each once, sorted; the answer is stale when one appears. */
const char *const *wb_plan_missing(size_t *n, struct wb_arena *a, const struct wb_plan *p);

#endif
