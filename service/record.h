/* record.h — the last job of each output, on disk: what `waybill explain FILE.o` shows, and what names the first
 * difference when an action misses. A lost or damaged record only makes `explain` poorer. Thread-safe. */
#ifndef WB_SERVICE_RECORD_H
#define WB_SERVICE_RECORD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "service/plan.h"

struct wb_records;

enum wb_decision { WB_DECISION_HIT, WB_DECISION_EXECUTED, WB_DECISION_LOCAL };

struct wb_record_times {
	int64_t wait_ns, lookup_ns, prove_ns, upload_ns, queue_ns, execute_ns, place_ns, local_ns;
};

wb_status wb_records_new(struct wb_records **out, const char *dir, struct wb_err *err);
void wb_records_free(struct wb_records *r);
/* Write the record of `p` (its main output; nothing when it has none). Failures are logged, not returned. */
void wb_records_write(struct wb_records *r, const struct wb_plan *p, enum wb_decision decision,
		      const struct wb_record_times *t);
/* A text for people about `output` (absolute path). WB_ENOENT: nothing is known of it. */
wb_status wb_records_explain(struct wb_buf *out, struct wb_records *r, struct wb_arena *a, const char *output,
			     struct wb_err *err);
wb_status wb_records_clear(struct wb_records *r, struct wb_err *err);

#endif
