/* err.h — the text of a failure: what happened, to which file, what to do. Caller's storage, nothing to release. */
#ifndef WB_BASE_ERR_H
#define WB_BASE_ERR_H

#include "base/status.h"

struct wb_err {
	char text[1024]; /* NUL-terminated; cut off with "..." when longer */
};

#define WB_ERR_INIT {.text = ""}

/* Set the text (printf) and return `code` as a status. `err` may be NULL: then only the code counts. */
wb_status wb_fail(struct wb_err *err, enum wb_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same from errno `e`: appends ": " and strerror. ENOENT, ENOSPC/EDQUOT map to their own codes, the rest to WB_EIO.
 */
wb_status wb_fail_errno(struct wb_err *err, int e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "prefix: " in front of the text that is there. Returns `s` for chaining. */
wb_status wb_fail_prefix(struct wb_err *err, wb_status s, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
