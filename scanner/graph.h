/* graph.h — the include graph of one translation unit, as a scan found it. Built once, then read-only; memory belongs
 * to the arena that the scan was given. */
#ifndef WB_SCANNER_GRAPH_H
#define WB_SCANNER_GRAPH_H

#include "scanner/doubt.h"
#include "scanner/facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wb_graph_file_flag {
	WB_GRAPH_ENTERED = 1,   /* its text was preprocessed (else: only looked at by __has_include or __has_embed) */
	WB_GRAPH_IN_PREFIX = 2, /* entered while the forced PCH header was read */
	WB_GRAPH_GUARDED = 4,   /* has an include guard or #pragma once: entered at most once */
	WB_GRAPH_TIME =
	    8, /* uses __DATE__, __TIME__ or __TIMESTAMP__ in expanded text or conditions (may over-approximate) */
	WB_GRAPH_INCBIN = 16, /* its text has the word incbin */
	WB_GRAPH_EMBED = 32,  /* #embed target */
	WB_GRAPH_ONCE = 64,   /* guarded by #pragma once or #import: by the identity of the file, not by a macro */
	WB_GRAPH_TIMESTAMP =
	    128, /* uses __TIMESTAMP__ (with TIME): gcc takes it from the file whatever SOURCE_DATE_EPOCH says */
};

struct wb_graph_file {
	const char *path;     /* as the compiler would open it: relative to the command's cwd, or absolute */
	struct wb_stat_id id; /* of the bytes that were scanned (after following links); zero for in-memory files */
	uint32_t flags;
	uint32_t first_edge; /* index of the first edge that reached it; UINT32_MAX for the main file */
};

enum wb_edge_kind {
	WB_EDGE_QUOTE, /* #include "x" */
	WB_EDGE_ANGLE, /* #include <x> */
	WB_EDGE_NEXT,  /* #include_next */
	WB_EDGE_IMPORT,
	WB_EDGE_FORCED,      /* -include, -imacros */
	WB_EDGE_HAS_INCLUDE, /* __has_include hit */
	WB_EDGE_EMBED,       /* #embed or __has_embed hit */
};

/* In the order in which the preprocessor met them. */
struct wb_edge {
	uint32_t from; /* file index; UINT32_MAX: the command line */
	uint32_t to;
	uint32_t line;    /* of the directive in `from`; the index of the argument for the command line */
	uint8_t kind;     /* enum wb_edge_kind */
	bool skipped;     /* not entered: guard or #pragma once */
	bool in_prefix;   /* met while the forced PCH header was being read */
	const char *name; /* as written between the quotes */
};

struct wb_graph {
	struct wb_graph_file *file; /* file[0] is the main source */
	uint32_t nfile;
	struct wb_edge *edge;
	uint32_t nedge;
	const char *const *miss; /* paths that were probed and do not exist, each once, spelled like file paths; a
				  * missing directory stands for everything below it */
	size_t nmiss;
	const char *const *blocked; /* directories where a file was looked for: one in their place would have been
				     * taken */
	size_t nblocked;
	bool failed; /* an include was not found, or a directive is malformed; a live #error is not seen */
	const char
	    *diagnostics;   /* its text; "" when there was nothing to say. Not for users: the compiler speaks to them */
	bool modules;       /* saw `import`, `module` or #pragma clang module */
	const char *engine; /* which one made it; static text */
	enum wb_doubt doubt; /* why an engine that was asked first was not sure; NONE: it answered */
};

#endif
