/* scan_run.h — many units scanned by several threads, with the answers handed over in order. */
#ifndef WB_SERVICE_SCAN_RUN_H
#define WB_SERVICE_SCAN_RUN_H

#include "base/err.h"
#include "service/scan_unit.h"

struct wb_verb_call;

struct wb_scan_entry {
	struct wb_scan_unit unit;
	const char *error; /* NULL, or why there is nothing to scan */
};

struct wb_scan_tally {
	size_t units, failed, differing;
};

/* Scan `n` entries with `jobs` threads (this one among them). Text goes to the call's streams as soon as what comes
 * before it is there; with `silent` it is made and dropped, and only the tally tells. A unit that cannot be scanned is
 * told and counted. Fails when nobody listens any more, or the call was cancelled. */
wb_status wb_scan_run(struct wb_scan_tally *tally, struct wb_verb_call *c, const struct wb_scan_context *context,
		      const struct wb_scan_entry *entry, size_t n, unsigned jobs, bool silent, struct wb_err *err);

/* "waybill", or "waybilld" where that is the program the user runs. */
const char *wb_scan_program(const struct wb_verb_call *c);

#endif
