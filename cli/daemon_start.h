/* daemon_start.h — find waybilld and start it, cut off from everything that belongs to the build. */
#ifndef WB_CLI_DAEMON_START_H
#define WB_CLI_DAEMON_START_H

#include "base/err.h"

#include <sys/types.h>

struct wb_arena;
struct wb_config;

/* The daemon's program: $WAYBILL_DAEMON when it is set; else beside this program, in ../sbin or ../libexec of it, in
 * PATH. Absolute, in the arena. WB_ENOENT: there is none. */
wb_status wb_daemon_find(const char **path, struct wb_arena *a, const char *const *env, struct wb_err *err);

/* Start it: a session of its own, standard streams at /dev/null, no other descriptor (a jobserver's pipe, ninja's
 * pipes), default signals, umask 077, in "/"; the daemon's settings as arguments `--setting KEY=VALUE`, a minimal
 * environment. It is a child of this process until that ends; `*pid` can be waited for. Not for threaded programs
 * (umask). */
wb_status wb_daemon_spawn(pid_t *pid, struct wb_arena *a, const char *const *env, const struct wb_config *config,
			  struct wb_err *err);

#endif
