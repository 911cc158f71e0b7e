/* process.h — run a child process to its end (posix_spawn; safe in a threaded daemon). Thread-safe.
 * The child leads a process group of its own, has default signal actions and an empty signal mask, and inherits no
 * descriptor but 0, 1 and 2; its stdin can be read from the start again (a memory file). "To its end" is the end of the
 * child itself: what it left running in its process group is killed then, what moved to another group is left alone. */
#ifndef WB_BASE_PROCESS_H
#define WB_BASE_PROCESS_H

#include "base/err.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdint.h>

struct wb_process {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in `env`'s PATH when it has no slash */
	const char *const *env;  /* NULL-terminated "K=V"; NULL: this process's own */
	const char *cwd;         /* NULL: this process's own */
	const char *input;       /* bytes for stdin, NULL: /dev/null */
	size_t input_len;
	struct wb_buf *out, *err_out; /* captured output, appended; NULL: /dev/null. Both may be the same buffer */
	size_t output_limit; /* bytes of each stream (together when they share a buffer), 0: 256 MiB; beyond it the
				child is killed, WB_ELIMIT */
	const atomic_bool
	    *cancel;        /* NULL, or: when it becomes true the child's process group is killed, WB_ECANCELED */
	int64_t timeout_ns; /* 0: none; when over, the group is killed, WB_ELIMIT */
};

/* Run and wait. `*wait_status` is waitpid's; the call fails only when the process could not be run to its end.
 * WB_ENOENT: no such program or `cwd`. Output captured up to a failure stays in the buffers. */
wb_status wb_process_run(int *wait_status, const struct wb_process *p, struct wb_err *err);

#endif
