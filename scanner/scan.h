/* scan.h — the one door to the scan engines. */
#ifndef WB_SCANNER_SCAN_H
#define WB_SCANNER_SCAN_H

#include "scanner/command.h"
#include "scanner/graph.h"
#include "scanner/toolchain.h"

/* A file that exists in memory only, or shadows the one on disk (tests, generated sources). In a rewrite's overlay,
 * data NULL means that the file on disk is left out of the input root. */
struct wb_overlay_file {
	const char *path; /* absolute */
	const char *data;
	size_t n;
};

struct wb_scan_request {
	const struct wb_command *cmd; /* environment applied. A PCH use is scanned with its header included instead: no
				       * .pch is opened. A creation is scanned as a plain compile of its source. */
	const struct wb_toolchain *tc;
	const struct wb_overlay_file *overlay;
	size_t noverlay;
	/* Requests with the same moment (not 0) may share one look at the disk: those of a compilation database, say.
	 * 0: every request looks for itself. */
	uint64_t moment;
	bool once;          /* it will not come again: nothing is remembered for it */
	const char *engine; /* "clang" or "directives": that one alone; NULL or "": those that are tried by default */
};

/* What an engine takes from the text of one file. */
struct wb_file_shape {
	struct wb_stat_id id; /* of the bytes that were read */
	uint64_t shape[2];    /* a hash of everything but line numbers */
	const uint32_t *line; /* of each directive, ascending */
	uint32_t nline;
	bool lines_matter; /* __LINE__ may play a role in a directive */
};

/* What an engine is. A second one is added by writing these functions and a row in scan.c. Thread-safe: `scan` may be
 * called from many threads at once on one engine. */
struct wb_scan_engine {
	const char *name;
	/* Fill `out`; memory in `a`, but strings may be the engine's own. WB_EUNSCANNABLE: this engine cannot be sure
	 * (*reason and out->doubt say why). An error in the source is not a failure: out->failed. */
	wb_status (*scan)(struct wb_scan_engine *e, struct wb_graph *out, struct wb_arena *a,
			  const struct wb_scan_request *req, enum wb_reason *reason, struct wb_err *err);
	/* Can it scan at all? Loads what it needs. The text says why not. */
	wb_status (*check)(struct wb_scan_engine *e, struct wb_err *err);
	void (*free)(struct wb_scan_engine *e);
	/* See wb_scanner_keep. NULL: nothing that could be kept. */
	wb_status (*keep)(struct wb_scan_engine *e, const char *path, const char *build, struct wb_err *err);
	/* The shape of the file at `path` (absolute), read as a file of this request is; memory in `a` or the engine's.
	 * Two texts of one shape give the same graph but for line numbers. NULL: this engine cannot tell. False: the
	 * file cannot be read or is not understood. */
	bool (*shape)(struct wb_scan_engine *e, struct wb_arena *a, const struct wb_scan_request *req, const char *path,
		      struct wb_file_shape *out);
};

/* For engines: this cannot be scanned for sure. *reason becomes SCAN_DOUBT; `where` is a path, or "" for the command.
 */
wb_status wb_scan_doubt(enum wb_reason *reason, struct wb_err *err, const char *what, const char *where);

struct wb_scanner; /* the engines, and the choice between them */

/* `shim` is the path of libwaybill-clang-22.so, loaded when first needed (NULL: beside the executable, then the install
 * directory). */
wb_status wb_scanner_new(struct wb_scanner **out, const char *shim, struct wb_err *err);
void wb_scanner_free(struct wb_scanner *s);
/* Keep what is made of the texts of files in the file `path` (scanner/directives/library.h), for later processes of the
 * same build. Its directory is there. Once, before the first scan. A failure costs time only: nothing is kept. */
wb_status wb_scanner_keep(struct wb_scanner *s, const char *path, const char *build, struct wb_err *err);

/* Load every engine now (`waybill doctor`). */
wb_status wb_scanner_check(struct wb_scanner *s, struct wb_err *err);

/* Fill `out`, with the first engine that is sure. Strings live as long as the scanner or `a`, whichever ends first. */
wb_status wb_scan(struct wb_graph *out, struct wb_arena *a, struct wb_scanner *s, const struct wb_scan_request *req,
		  enum wb_reason *reason, struct wb_err *err);

/* The results that are kept (scanner/results.h): for their counters. Borrowed. */
struct wb_results;
struct wb_results *wb_scanner_results(struct wb_scanner *s);

/* How often the first engine was not sure because of `d`. Thread-safe. */
uint64_t wb_scanner_fallback(const struct wb_scanner *s, enum wb_doubt d);

#endif
