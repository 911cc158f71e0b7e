/* mapback.h — from what the rewritten command wrote to what the original would have written: depfiles and diagnostics.
 * Pure. */
#ifndef WB_PCHFIX_MAPBACK_H
#define WB_PCHFIX_MAPBACK_H

#include "base/str.h"
#include "pchfix/rewrite.h"

/* A depfile (make syntax, continuation lines, escapes) with every prerequisite mapped back; targets are kept as they
 * are, except that `/proc/self/cwd/` is dropped. Appends to `out`. */
void wb_mapback_depfile(struct wb_buf *out, const struct wb_mapback *m, const char *text, size_t n);

/* Diagnostics: paths at line starts, after "In file included from ", "from ", and in notes are mapped; `strip_color`
 * removes SGR escape sequences. Appends to `out`. */
void wb_mapback_diagnostics(struct wb_buf *out, const struct wb_mapback *m, const char *text, size_t n,
			    bool strip_color);

#endif
