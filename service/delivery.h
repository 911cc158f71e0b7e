/* delivery.h — the last stage: an ActionResult becomes files in the build directory and text for the caller. */
#ifndef WB_SERVICE_DELIVERY_H
#define WB_SERVICE_DELIVERY_H

#include "base/arena.h"
#include "base/str.h"
#include "pchfix/mapback.h"
#include "pchfix/rewrite.h"
#include "service/backend.h"

struct wb_facts;
struct wb_plan;

/* What must be known to deliver the result of an action, apart from the result. */
struct wb_delivery {
	const struct wb_rewrite_output *output;
	size_t noutput;
	struct wb_mapback mapback;
	bool want_color;
	bool pch_create, pch_use;
	unsigned umask;
	const char *object; /* absolute path of the main output, for `explain` and logs */
};

/* The outputs that a look-up had better carry along: depfiles are small and always wanted. */
const char *const *wb_delivery_inline(struct wb_arena *a, const struct wb_delivery *d, size_t *n);

/* From a plan that reached WB_STAGE_ACTION; borrows from it and from `a`. */
void wb_delivery_of_plan(struct wb_delivery *d, struct wb_arena *a, const struct wb_plan *p);

struct wb_delivered {
	struct wb_buf out_text, err_text; /* mapped back; released by the caller */
};

/* Put every output in place (written beside, renamed, fresh mtime) and map depfile and diagnostics back. A .pch made by
 * the action is marked as one that may travel (wb_facts_set_attribute). Nothing is placed when an output is missing.
 * WB_ENOENT, WB_ECORRUPT: a blob is gone (execute again); WB_EPROTO: the result lacks a required output (its name in
 * `err`), or a cluster sent something else than it promised; WB_EIO, WB_ENOSPC: the build directory cannot be written;
 * and what wb_backend.fetch says of a cluster. */
wb_status wb_deliver(struct wb_delivered *out, struct wb_arena *a, struct wb_backend *b, struct wb_backend_call *call,
		     struct wb_facts *facts, const struct wb_delivery *d, const struct wb_action_result *r,
		     struct wb_err *err);

/* After a local run that used a recipe PCH: map the depfile that the compiler left, in place. */
wb_status wb_deliver_depfile(struct wb_arena *a, const struct wb_mapback *m, const char *depfile, struct wb_err *err);

#endif
