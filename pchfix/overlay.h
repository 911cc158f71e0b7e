/* overlay.h — which files of the command need another text in the input root: the twin of the PCH header, unity
 * sources, other generated files. Pure. */
#ifndef WB_PCHFIX_OVERLAY_H
#define WB_PCHFIX_OVERLAY_H

#include "pchfix/rewrite.h"

struct wb_overlay {
	struct wb_overlay_file *file; /* paths absolute */
	size_t n;
	const char *twin; /* name of the PCH header's twin in the action's directory; NULL: it needs none */
};

/* WB_EUNSCANNABLE with *reason = GENERATED_ABSOLUTE: an absolute include that no other text can replace (inside a
 * header of a PCH, out of a macro, in __has_include). */
wb_status wb_overlay_make(struct wb_overlay *out, struct wb_arena *a, const struct wb_rewrite_in *in,
			  enum wb_reason *reason, struct wb_err *err);

#endif
