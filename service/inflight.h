/* inflight.h — one execution per action: who comes second waits for the first and then looks in the cache. Thread-safe.
 */
#ifndef WB_SERVICE_INFLIGHT_H
#define WB_SERVICE_INFLIGHT_H

#include "base/digest.h"

#include <stdatomic.h>
#include <stdbool.h>

struct wb_inflight;

struct wb_inflight *wb_inflight_new(void);
void wb_inflight_free(struct wb_inflight *f);
/* True: the caller is the one who executes, and must call leave. False: another did (or `cancel` became true). */
bool wb_inflight_enter(struct wb_inflight *f, const struct wb_digest *action, const atomic_bool *cancel);
void wb_inflight_leave(struct wb_inflight *f, const struct wb_digest *action);

#endif
