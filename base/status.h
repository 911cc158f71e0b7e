/* status.h — what a fallible function returns. One field, must be used (clang enforces it: CI builds with it).
 * The text that explains a failure goes to the caller's `struct wb_err` (err.h). */
#ifndef WB_BASE_STATUS_H
#define WB_BASE_STATUS_H

#include <stdbool.h>

enum wb_code {
	WB_OK = 0,
	WB_EINVAL,       /* the input is malformed; the text says where */
	WB_ENOENT,       /* something named does not exist */
	WB_EIO,          /* the operating system said no */
	WB_ENOSPC,       /* a disk is full */
	WB_ELIMIT,       /* a documented limit would be exceeded */
	WB_ESTALE,       /* a file changed while it was being used: start again */
	WB_ECORRUPT,     /* stored data does not match its digest or format */
	WB_ECANCELED,    /* the caller went away */
	WB_EPROTO,       /* the peer broke the protocol */
	WB_EBUSY,        /* somebody else holds it */
	WB_EUNSUPPORTED, /* this machine or build cannot do it */
	WB_EUNAVAILABLE, /* a server is down, busy or too slow: it may work later */
	WB_EREFUSED,     /* a server says no, and would say so again */
	WB_EUNSCANNABLE, /* the command must run locally; a reason code goes with it */
};

#if defined(__clang__)
#define WB_MUST_USE_TYPE __attribute__((warn_unused_result))
#else
#define WB_MUST_USE_TYPE
#endif

typedef struct WB_MUST_USE_TYPE wb_status {
	enum wb_code code;
} wb_status;

static inline wb_status wb_ok(void)
{
	return (wb_status){WB_OK};
}

static inline bool wb_is_ok(wb_status s)
{
	return s.code == WB_OK;
}

/* The status is deliberately not looked at; say why at the call. */
static inline void wb_ignore(wb_status s)
{
	(void)s;
}

/* Short English name of a code, for logs ("I/O error"). Static storage. */
const char *wb_code_name(enum wb_code code);

/* Hand a failure up. The only control-flow macro of the project; where something must be released, use `goto out`. */
#define WB_TRY(expr)                                                                                                   \
	do {                                                                                                           \
		wb_status wb_try_status_ = (expr);                                                                     \
		if (!wb_is_ok(wb_try_status_))                                                                         \
			return wb_try_status_;                                                                         \
	} while (0)

#endif
