/* include_chain.h — by which includes a file of a graph becomes an input. Pure. */
#ifndef WB_SERVICE_INCLUDE_CHAIN_H
#define WB_SERVICE_INCLUDE_CHAIN_H

#include <stddef.h>
#include <stdint.h>

struct wb_arena;
struct wb_graph;

/* Edges (indices into the graph's) from the main file or the command line to the file that was asked for. */
struct wb_include_chain {
	const uint32_t *edge;
	size_t n;
};

/* One chain for every edge that leads to file `target`: the shortest to where the edge starts, then the edge itself.
 * Edges that a guard made the preprocessor skip count as well: were the others not there, they would be taken. A file
 * that was only looked at leads nowhere. The shorter chains come first, among equals those with fewer skipped edges,
 * then in the order of the preprocessor. Returns how many; memory in `a`. None: it is the main file, or no file of the
 * graph. */
size_t wb_include_chains(struct wb_include_chain **out, struct wb_arena *a, const struct wb_graph *g, uint32_t target);

#endif
