/* packed.h — an include graph in a few bytes an edge, for keeping thousands of them. Paths are numbers of the caller's.
 * The order of edges is a walk through the files, so most of an edge follows from the one before it; a line is kept as
 * the number of a directive in its file where the caller knows the lines of them, and comes back as the line that the
 * directive has then. In memory only: nothing here is checked when it is read. */
#ifndef WB_SCANNER_PACKED_H
#define WB_SCANNER_PACKED_H

#include "scanner/graph.h"
#include "scanner/versions.h"

struct wb_idents;

struct wb_packed {
	uint32_t nfile, nedge, nmiss;
	uint32_t misses_at, edges_at; /* in data; the files come first */
	bool modules;
	uint32_t diagnostics; /* a number of `texts`; 0: none */
	const char *engine;   /* static text */
	enum wb_doubt doubt;
	size_t n;
	uint8_t data[];
};

/* `file` and `miss`: the caller's numbers, in the graph's order; `lines` of each file, NULL where they are not known.
 * NULL: this graph cannot be kept (it failed, or is not what engines make). To be freed with free(). */
struct wb_packed *wb_graph_pack(const struct wb_graph *g, struct wb_idents *texts, const uint32_t *file,
				const struct wb_line_table *const *lines, const uint32_t *miss);

/* The numbers again. raw[i]: an edge out of file i has its line as it was when it was packed. */
void wb_packed_files(const struct wb_packed *p, uint32_t *file, bool *raw);
void wb_packed_misses(const struct wb_packed *p, uint32_t *miss);

struct wb_packed_file {
	const char *path;
	uint32_t n; /* bytes of the path */
	const struct wb_stat_id *id;
	const struct wb_line_table *lines;
};
/* The graph; `file` and `miss` say what the numbers stand for. Arrays in `a`, strings the caller's and of `texts`. */
void wb_graph_unpack(struct wb_graph *out, struct wb_arena *a, const struct wb_packed *p, const struct wb_idents *texts,
		     const struct wb_packed_file *file, const char *const *miss);

#endif
