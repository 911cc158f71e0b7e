/* results.h — results of scans, kept for the request that comes again. Below wb_scan: nobody else asks here.
 *
 * A result is an answer to everything that a scan depends on besides the disk (the command without the names of its
 * outputs, the working directory, the toolchain, the engine asked for), and holds while the disk says the same: every
 * file as it was, or with another text of the same shape (versions.h); every probe that missed still missing; every
 * search directory the same directory (whether two of them are one decides what is searched). All of it is looked at
 * for each request, by stat (standing.h); requests of one moment share a look.
 *
 * A file that was touched so shortly before it was read that a later change might not show is never trusted: then
 * nothing is kept. Nor are refusals, and graphs of sources with errors.
 *
 * Identical requests that come while one is being scanned wait for it, and check what it found as they would check any
 * result: it may have begun before they came. A refusal cannot be checked; it is handed on to those who came before its
 * scan began.
 *
 * Thread-safe. In memory; beyond the limit the result that was not used for the longest time goes. */
#ifndef WB_SCANNER_RESULTS_H
#define WB_SCANNER_RESULTS_H

#include "scanner/scan.h"

#define WB_RESULTS_BYTES ((size_t)64 << 20)

struct wb_results;

/* Who scans when there is no result: the engines that a graph may name, and the scan itself. */
struct wb_results_source {
	wb_status (*scan)(void *ctx, struct wb_graph *out, struct wb_arena *a, const struct wb_scan_request *req,
			  enum wb_reason *reason, struct wb_err *err);
	void *ctx;
	struct wb_scan_engine *const *engine;
	size_t nengine;
};

/* `limit`: bytes of results; what they have in common (paths, versions) comes to about as much again at most. */
struct wb_results *wb_results_new(const struct wb_results_source *source, size_t limit);
void wb_results_free(struct wb_results *r);

/* The graph: what is known, else a scan. As wb_scan. Strings live as long as `r` or `a`, whichever ends first. */
wb_status wb_results_scan(struct wb_graph *out, struct wb_arena *a, struct wb_results *r,
			  const struct wb_scan_request *req, enum wb_reason *reason, struct wb_err *err);

struct wb_results_count {
	uint64_t answered; /* from a result */
	uint64_t scanned;
	uint64_t waited;  /* answered or not, after waiting for an identical request */
	uint64_t stale;   /* results dropped because the disk had changed */
	uint64_t evicted; /* because there were too many */
	uint64_t resets;  /* everything forgotten: too many names */
	uint64_t calls;   /* of the system, made to check results */
	size_t results, bytes, common_bytes;
};
void wb_results_count(struct wb_results *r, struct wb_results_count *out);

#endif
