/* executable.h — which program a command's first word runs, and under which name an action should run it. */
#ifndef WB_SCANNER_EXECUTABLE_H
#define WB_SCANNER_EXECUTABLE_H

#include "base/err.h"
#include "scanner/reason.h"

struct wb_arena;

struct wb_executable {
	const char *path; /* absolute, directory resolved; links that lead through places which a sandbox does not have
			   * (/etc/alternatives) followed, the last name before that kept: "/usr/bin/g++" */
	const char *physical; /* the file itself: "/usr/lib/llvm-22/bin/clang" */
};

/* Find `name` as a shell would (`path_env` split at ':', relative entries and names from `cwd`).
 * WB_EUNSCANNABLE: *reason is COMPILER (nothing there, or the name that decides the language mode would be lost) or
 * WRAPPER (a known launcher or cache, or a script). Looks at the disk; thread-safe. */
wb_status wb_executable_find(struct wb_executable *out, struct wb_arena *a, const char *name, const char *path_env,
			     const char *cwd, enum wb_reason *reason, struct wb_err *err);

#endif
