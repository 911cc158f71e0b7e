/* build_id.h — which build a job belongs to: the run of ninja or make that started its launcher. The launcher says
 * nothing of it; its ancestors in /proc do.
 *
 *   1. Up from the launcher's parent, the nearest process that is a build tool by name; from there on up while tools
 * and their `sh -c` follow each other (a make that make started, the ninja of a try_compile below cmake). No further
 *      than the leader of the session.
 *   2. Without one, the nearest script or interactive shell; there, a pause of WB_BUILD_GAP_NS ends a build.
 *   3. Else the launcher's parent, whatever it is.
 *
 * A process is known by its id and its start time, so the id of a build is the same for a daemon that was restarted in
 * mid-build. Thread-safe. */
#ifndef WB_SERVICE_BUILD_ID_H
#define WB_SERVICE_BUILD_ID_H

#include <stdint.h>

#define WB_BUILD_ID_MAX 96
#define WB_BUILD_GAP_NS (10 * 1000000000LL)

struct wb_build_ids;

/* `proc` is "/proc", or what a test takes for it. Never NULL. */
struct wb_build_ids *wb_build_ids_new(const char *proc);
void wb_build_ids_free(struct wb_build_ids *b);

/* A job of process `pid` (the launcher) begins at `now_ns` (monotonic). `out` is "ninja-PID-START"; "unknown-TIME" when
 * the process cannot be seen (it is gone, or `pid` is 0: another pid namespace): then pauses tell builds apart. A
 * few reads in /proc. */
void wb_build_ids_begin(char out[WB_BUILD_ID_MAX], struct wb_build_ids *b, int pid, int64_t now_ns);
/* That job is over. */
void wb_build_ids_end(struct wb_build_ids *b, const char *id, int64_t now_ns);

#endif
