/* slots.h — a counting semaphore with first-come first-served order and cancellation: how many compilers run at once on
 * this machine, sandboxed or local. Thread-safe. */
#ifndef WB_SERVICE_SLOTS_H
#define WB_SERVICE_SLOTS_H

#include "base/err.h"

#include <stdatomic.h>

struct wb_slots;

struct wb_slots *wb_slots_new(unsigned n);
void wb_slots_free(struct wb_slots *s);
/* Wait for a slot. WB_ECANCELED when `cancel` (may be NULL) becomes true; wb_slots_wake makes waiters look. */
wb_status wb_slots_take(struct wb_slots *s, const atomic_bool *cancel, struct wb_err *err);
void wb_slots_give(struct wb_slots *s);
void wb_slots_wake(struct wb_slots *s);
unsigned wb_slots_used(struct wb_slots *s);
unsigned wb_slots_waiting(struct wb_slots *s);

#endif
