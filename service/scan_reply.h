/* scan_reply.h — a plan as the message waybill.v1.ScanReply. Pure. */
#ifndef WB_SERVICE_SCAN_REPLY_H
#define WB_SERVICE_SCAN_REPLY_H

#include "service/plan.h"

#include "proto/waybill.pb-c.h"

#define WB_SCAN_REPLY_MAX ((size_t)64 << 20) /* serialised bytes of one reply: what a client must be ready to take */

struct wb_scan_want {
	bool action; /* the digests */
	bool blobs;  /* and what must be uploaded; implies action */
};

/* `p` reached WB_STAGE_ACTION, or p->reason says why not. The message is in `a` and borrows from the plan, so it lives
 * as long as both. WB_EPROTO: the plan's own Command does not parse (a bug). */
wb_status wb_scan_reply_make(Waybill__V1__ScanReply **out, struct wb_arena *a, const struct wb_plan *p,
			     const struct wb_scan_want *want, struct wb_err *err);

/* The reply of a command that never got as far as a plan, or whose plan failed. `text` is borrowed. */
Waybill__V1__ScanReply *wb_scan_reply_local(struct wb_arena *a, enum wb_reason reason, const char *text);

#endif
