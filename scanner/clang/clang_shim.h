/* clang_shim.h — the line between C and the C++ in libwaybill-clang-22.so. Plain C on both sides: no exception, STL
 * type or RTTI crosses it. One exported symbol, wb_shim_get; everything else is reached through the table it returns.
 * Memory: a request is borrowed for the call; a result is the shim's until result_free. */
#ifndef WB_SCANNER_CLANG_CLANG_SHIM_H
#define WB_SCANNER_CLANG_CLANG_SHIM_H

#include "scanner/graph.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WB_SHIM_ABI 2 /* raised with every change of this header */

struct wb_shim_cache; /* file contents and their directives, shared by all requests of a process; thread-safe */

enum wb_shim_group { WB_SHIM_QUOTE, WB_SHIM_ANGLED, WB_SHIM_SYSTEM, WB_SHIM_AFTER };

struct wb_shim_dir {
	const char *path;
	enum wb_shim_group group;
};

struct wb_shim_forced {
	const char *name;
	uint32_t arg;  /* index of the argument, for the edge's `line` */
	bool imacros;  /* only its macros */
	bool prefix;   /* this is the precompiled header's header: mark what it reads */
	bool optional; /* include it only when it can be found in <> (gcc's stdc-predef.h) */
};

struct wb_shim_overlay {
	const char *path; /* absolute */
	const char *data;
	size_t n;
};

struct wb_shim_request {
	const char *cwd;        /* absolute */
	const char *source;     /* as spelled */
	const char *const *cc1; /* arguments of `clang -cc1` without search directories, macros and the source */
	size_t ncc1;
	const struct wb_shim_dir *dir;
	size_t ndir;
	const char *predefines; /* preprocessor lines read before anything else: the compiler's macros, -D and -U */
	size_t predefines_len;
	const struct wb_shim_forced *forced;
	size_t nforced;
	const struct wb_shim_overlay *overlay;
	size_t noverlay;
	bool full;            /* lex every token: needed where the reduction to directives is not sound (assembler) */
	int64_t racy_ns;      /* files touched less than this before they are read are not kept in the cache */
	bool expand_operands; /* this compiler expands macros in the operand of every question (gcc); clang of some only
			       */
	bool lazy_lookups;    /* this compiler looks for no file where the value of __has_include does not matter (gcc):
			       * behind "0 &&", say */
	/* Questions such as __has_builtin(operand): false when the answer is not known yet (the scan goes on with 0).
	 */
	bool (*answer)(void *ctx, const char *name, const char *operand, uint32_t *value);
	void *answer_ctx;
};

/* What makes a result doubtful, or what a careful caller must look at. */
enum wb_shim_note {
	/* of the whole pass */
	WB_SHIM_MALFORMED_QUESTION = 1, /* a question whose operand could not be read */
	WB_SHIM_FILE_MACRO = 2,         /* __FILE__ and its kin were expanded in a directive */
	WB_SHIM_CANNOT_READ = 4,        /* a file exists but could not be read, or is too big */
	WB_SHIM_TWINS_ONCE = 8,         /* two files of equal content, kept apart only by #pragma once or #import */
	WB_SHIM_UNSURE_LOOKUP = 256,    /* a __has_include that this compiler may pass over (lazy_lookups) */
	/* of one file */
	WB_SHIM_PRAGMA_DEPENDENCY = 16, /* #pragma GCC dependency: a look-up that leaves no trace */
	WB_SHIM_PRAGMA_TARGET = 32,     /* #pragma GCC target, push_options ...: changes gcc's predefined macros */
	WB_SHIM_ELIFDEF = 64,           /* #elifdef, #elifndef: whether gcc 12 reads them depends on the standard */
	WB_SHIM_ASM_INCLUDE = 128,      /* has the word .include: an input of the assembler */
};

struct wb_shim_result {
	struct wb_graph_file *file;
	uint32_t nfile;
	struct wb_edge *edge;
	uint32_t nedge;
	const char *const *miss;
	size_t nmiss;
	const char *const *blocked; /* as in a graph */
	size_t nblocked;
	bool failed;
	bool modules;
	bool full;                  /* every token was lexed (a directive-only pass was not exact for this unit) */
	const uint32_t *file_notes; /* enum wb_shim_note bits of each file */
	uint32_t notes;             /* those of the whole pass */
	const char *doubt;          /* what the last of `notes` is about: a file or an operand; "" */
	const char *diagnostics;
	uint64_t bytes_read, files_read; /* from disk, by this request: what the cache did not have */
};

struct wb_shim_api {
	unsigned abi;
	const char *version; /* of the library underneath: "22.1.8" */
	/* `limit`: bytes of file text and tables kept; beyond it the cache starts anew. */
	struct wb_shim_cache *(*cache_new)(uint64_t limit);
	void (*cache_free)(struct wb_shim_cache *c);
	/* Scan one translation unit. NULL: the invocation itself is impossible (text in `why`). Thread-safe. */
	struct wb_shim_result *(*scan)(struct wb_shim_cache *c, const struct wb_shim_request *req, char *why,
				       size_t why_len);
	void (*result_free)(struct wb_shim_result *r);
};

typedef const struct wb_shim_api *wb_shim_get_fn(unsigned abi);
#define WB_SHIM_SYMBOL "wb_shim_get"

#endif
