#define _GNU_SOURCE
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *wb_code_name(enum wb_code code)
{
	switch (code) {
	case WB_OK:
		return "ok";
	case WB_EINVAL:
		return "invalid input";
	case WB_ENOENT:
		return "not found";
	case WB_EIO:
		return "I/O error";
	case WB_ENOSPC:
		return "no space left";
	case WB_ELIMIT:
		return "limit exceeded";
	case WB_ESTALE:
		return "changed while in use";
	case WB_ECORRUPT:
		return "corrupt data";
	case WB_ECANCELED:
		return "canceled";
	case WB_EPROTO:
		return "protocol error";
	case WB_EBUSY:
		return "busy";
	case WB_EUNSUPPORTED:
		return "unsupported";
	case WB_EUNAVAILABLE:
		return "unavailable";
	case WB_EREFUSED:
		return "refused";
	case WB_EUNSCANNABLE:
		return "must run locally";
	}
	return "unknown error";
}

/* Copy `n` bytes of text that was made elsewhere (a format argument may be err->text itself), cut at a whole character.
 */
static void set_text(struct wb_err *err, const char *text, size_t n)
{
	if (n < sizeof err->text) {
		memcpy(err->text, text, n);
		err->text[n] = '\0';
		return;
	}
	size_t cut = sizeof err->text - sizeof "...";
	while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	memcpy(err->text, text, cut);
	memcpy(err->text + cut, "...", sizeof "...");
}

enum { SCRATCH = 2 * sizeof(struct wb_err) };

static size_t bounded(int n, size_t room)
{
	return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

wb_status wb_fail(struct wb_err *err, enum wb_code code, const char *fmt, ...)
{
	if (err != NULL) {
		char text[SCRATCH];
		va_list ap;
		va_start(ap, fmt);
		size_t n = bounded(vsnprintf(text, sizeof text, fmt, ap), sizeof text);
		va_end(ap);
		set_text(err, text, n);
	}
	return (wb_status){code};
}

wb_status wb_fail_errno(struct wb_err *err, int e, const char *fmt, ...)
{
	if (err != NULL) {
		char text[SCRATCH];
		va_list ap;
		va_start(ap, fmt);
		size_t n = bounded(vsnprintf(text, sizeof text, fmt, ap), sizeof text);
		va_end(ap);
		const char *what = strerrordesc_np(e); /* static storage, unlike strerror */
		if (what != NULL)
			n += bounded(snprintf(text + n, sizeof text - n, ": %s", what), sizeof text - n);
		else
			n += bounded(snprintf(text + n, sizeof text - n, ": error %d", e), sizeof text - n);
		set_text(err, text, n);
	}
	switch (e) {
	case ENOENT:
		return (wb_status){WB_ENOENT};
	case ENOSPC:
	case EDQUOT:
		return (wb_status){WB_ENOSPC};
	default:
		return (wb_status){WB_EIO};
	}
}

wb_status wb_fail_prefix(struct wb_err *err, wb_status s, const char *fmt, ...)
{
	if (err != NULL && !wb_is_ok(s)) {
		char text[SCRATCH];
		va_list ap;
		va_start(ap, fmt);
		size_t n = bounded(vsnprintf(text, sizeof text, fmt, ap), sizeof text);
		va_end(ap);
		n += bounded(snprintf(text + n, sizeof text - n, ": %s", err->text), sizeof text - n);
		set_text(err, text, n);
	}
	return s;
}
