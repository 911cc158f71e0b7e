/* compare.h — do two engines say the same of a translation unit? Pure. */
#ifndef WB_SCANNER_DIRECTIVES_COMPARE_H
#define WB_SCANNER_DIRECTIVES_COMPARE_H

#include "base/str.h"
#include "scanner/graph.h"

/* One line to `out` for each difference of what matters to a compile: files, what was done with them, probes that
 * missed, failure, modules. Returns how many. Graphs that both failed are alike: the compiler will speak. `all`: edges
 * too, in their order, and which files have a guard (engines may see one in a different way; nothing that is read
 * depends on it). */
size_t wb_graph_compare(struct wb_buf *out, const struct wb_graph *x, const char *x_name, const struct wb_graph *y,
			const char *y_name, bool all);

#endif
