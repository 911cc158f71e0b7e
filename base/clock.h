/* clock.h — time. */
#ifndef WB_BASE_CLOCK_H
#define WB_BASE_CLOCK_H

#include <stdint.h>

int64_t wb_clock_ns(void);      /* monotonic, for durations */
int64_t wb_clock_wall_ns(void); /* since the epoch, on the clock that file timestamps use (CLOCK_REALTIME) */

#endif
