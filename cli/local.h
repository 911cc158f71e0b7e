/* local.h — running the original command here: as this very process, or as a child. */
#ifndef WB_CLI_LOCAL_H
#define WB_CLI_LOCAL_H

#include "base/err.h"

#include <stdbool.h>

struct wb_buf;

/* Become the command (argv[0] is looked up in PATH). When it cannot be run: says so and exits like a shell, with 127
 * (not found) or 126. */
_Noreturn void wb_local_exec(const char *const *argv);

struct wb_local_command {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
	const char *cwd;         /* NULL: this process's own */
	struct wb_buf *err_out;  /* its stderr, appended; NULL: inherited */
};

/* Run as a child in this process group, with this process's stdin and stdout, and wait for it. It gets SIGTERM should
 * this process die first. `*wait_status` is waitpid's; a program that cannot be run ends as with wb_local_exec. What
 * keeps stderr open after the child's end is not waited for. Fails only when there can be no child. */
wb_status wb_local_run(int *wait_status, const struct wb_local_command *c, struct wb_err *err);

/* End as the child did: with its exit code, or by its signal (without a second core file). */
_Noreturn void wb_local_exit(int wait_status);

#endif
