/* plan.h — the pipe from a request to an action, the same for every door: launcher, `fix`, `scan`, RPC. It stops where
 * the caller says, or where the command turns out to need the local compiler. No side effects but caches. */
#ifndef WB_SERVICE_PLAN_H
#define WB_SERVICE_PLAN_H

#include "base/config.h"
#include "pchfix/rewrite.h"
#include "scanner/inputs.h"
#include "service/action.h"
#include "service/service.h"

#include <stdatomic.h>

struct wb_request {
	const char *const *argv; /* NULL-terminated, argv[0] the compiler */
	const char *cwd;         /* absolute, physical */
	const char *const *env;  /* NULL-terminated "K=V" */
	const struct wb_config *config;
	bool stderr_is_terminal;
	unsigned umask;
	const atomic_bool *cancel; /* may be NULL */
	const char *engine;        /* of wb_scan_request; NULL: the default */
	uint64_t moment;           /* of wb_scan_request, as is `once` */
	bool once;
	/* Only what the compile reads is asked for: what merely keeps it from travelling is no reason to stop, and
	 * places to write to need not be there. */
	bool listing;
	bool bare; /* not even the roots: for plans as far as WB_STAGE_SCAN */
};

/* Stages in order; a plan made up to one has the results of all before it. */
enum wb_stage {
	WB_STAGE_COMMAND,
	WB_STAGE_TOOLCHAIN, /* and the roots */
	WB_STAGE_SCAN,
	WB_STAGE_INPUTS,
	WB_STAGE_REWRITE,
	WB_STAGE_ACTION,
	WB_STAGE_COUNT
};
const char *wb_stage_name(enum wb_stage s);

struct wb_plan {
	const struct wb_request *req;
	struct wb_command cmd;
	const char *const *env; /* of the action */
	const struct wb_toolchain *tc;
	struct wb_roots roots;
	struct wb_graph graph;
	struct wb_inputs inputs;
	struct wb_rewrite rewrite;
	struct wb_action action;
	enum wb_stage reached; /* last stage whose result is there */
	bool has_command;
	enum wb_reason reason;      /* NONE, or why it must run locally */
	char reason_text[1024];     /* details for `explain`, with the offending argument or file */
	int64_t ns[WB_STAGE_COUNT]; /* time spent in each stage, retries included */
	bool look_again;            /* a file changed after the request's moment: it no longer will do */
	bool recipe_pch;            /* uses a PCH that a recipe action made */
	bool want_color;            /* would the compiler have coloured its diagnostics? */
};

/* WB_OK: reached `last`, or plan->reason says why not. Other codes: WB_ECANCELED, or something unexpected (the caller
 * runs the command locally with reason INTERNAL). Memory in `a`. */
wb_status wb_plan_make(struct wb_plan *p, struct wb_arena *a, struct wb_service *s, const struct wb_request *req,
		       enum wb_stage last, struct wb_err *err);

/* The rewritten command of a plan that stopped short of it (p->rewrite), for a local run that needs it. Made from what
 * is known: without a graph it maps only the twin back. False: it cannot be made. */
bool wb_plan_rewrite_for_local(struct wb_plan *p, struct wb_arena *a, struct wb_service *s);

#endif
