/* environment.h — environment variables that change what a compile means become arguments of the command, or a reason
 * to run it locally; what is left is the environment of the action. Pure: the environment is a parameter. */
#ifndef WB_SCANNER_ENVIRONMENT_H
#define WB_SCANNER_ENVIRONMENT_H

#include "base/envnames.h"
#include "scanner/command.h"

/* Names of every variable that matters, NULL-terminated: what a client must send, and no more. */
#define wb_environment_names wb_env_names

#define WB_ACTION_PATH "/usr/bin:/bin" /* PATH of every action, and of every question to a compiler */

/* Fold `env` (NULL-terminated "K=V") into `cmd`: CPATH becomes -I after the last -I, C_INCLUDE_PATH and
 * CPLUS_INCLUDE_PATH system directories after the last -isystem (empty elements mean "."), SOURCE_DATE_EPOCH stays a
 * variable; a variable that has no argument form sets cmd->reason (ENVIRONMENT). `*action_env` gets the sorted,
 * NULL-terminated environment of the action (PATH, LC_ALL, SOURCE_DATE_EPOCH when set): the same on every machine.
 * Sources: GCC manual "Environment Variables", clang's Options/driver (CPATH, CCC_OVERRIDE_OPTIONS,
 * CLANG_CONFIG_FILE_*, ...). */
void wb_environment_apply(struct wb_command *cmd, const char *const **action_env, struct wb_arena *a,
			  const char *const *env);

#endif
