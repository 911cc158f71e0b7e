/* scan_unit.h — one compile command scanned, and the answer as text: what `waybill scan` does for a command, and for
 * each entry of a database. */
#ifndef WB_SERVICE_SCAN_UNIT_H
#define WB_SERVICE_SCAN_UNIT_H

#include "base/arena.h"
#include "service/scan_options.h"

#include <stdatomic.h>
#include <stdint.h>

struct wb_config;
struct wb_plan;
struct wb_scan_names;
struct wb_service;

/* What all units of a run have in common. Read-only, shared by threads. */
struct wb_scan_context {
	struct wb_service *service;
	const struct wb_config *config;
	const char *const *env;
	const atomic_bool *cancel; /* may be NULL */
	const struct wb_scan_options *options;
	uint64_t moment; /* of wb_scan_request, as is `once` */
	bool once;
};

struct wb_scan_unit {
	const char *const *argv;
	const char *cwd;
	const char *name; /* for messages; NULL: there is only one */
};

/* A number for the requests that may share one look at the disk; never 0, never the same twice in a process. */
uint64_t wb_scan_moment(void);

/* The files of `unit`, in the format that the options ask for, appended to `out`. With options->both: the differences
 * between the engines, and `*differs`. `a` is for the scan and can be given back afterwards. Fails with a text that
 * says what cannot be scanned and why; then nothing was appended. Thread-safe, but for `names`. */
wb_status wb_scan_unit(struct wb_buf *out, bool *differs, struct wb_arena *a, const struct wb_scan_context *c,
		       struct wb_scan_names *names, const struct wb_scan_unit *unit, struct wb_err *err);

/* Plan `unit` up to its include graph; a reason not to scan it is a failure. */
wb_status wb_scan_unit_plan(struct wb_plan *p, struct wb_arena *a, const struct wb_scan_context *c,
			    const struct wb_scan_unit *unit, struct wb_err *err);

#endif
