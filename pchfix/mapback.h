/* mapback.h — from what the rewritten command wrote to what the original would have written: depfiles and diagnostics.
 * Pure. */
#ifndef WB_PCHFIX_MAPBACK_H
#define WB_PCHFIX_MAPBACK_H

#include "base/str.h"
#include "pchfix/rewrite.h"

/* A depfile (make syntax as gcc and clang write it: continuation lines, "\ ", "\#", "$$") with every prerequisite
 * mapped back; what does not change stays byte for byte. The first rule's targets are the build system's names: only
 * `m->target` is mapped there, and `/proc/self/cwd/` dropped; the phony rules of -MP are mapped like prerequisites.
 * Appends to `out`. */
void wb_mapback_depfile(struct wb_buf *out, const struct wb_mapback *m, const char *text, size_t n);

/* Diagnostics: mapped are the path that a line starts with, the ones after "In file included from" and "from", the
 * places that messages name ("lambda at FILE:LINE:COLUMN"), and everything spelled through `/proc/self/cwd/`. Quoted
 * source text is left alone. `strip_color` removes terminal escape sequences. Appends to `out`. */
void wb_mapback_diagnostics(struct wb_buf *out, const struct wb_mapback *m, const char *text, size_t n,
			    bool strip_color);

#endif
