/* stats.h — counters since the cache was made, kept in a mapped file so that they survive any end of the daemon. A slot
 * is found by its name, so versions with other counters share the file. Thread-safe (atomic adds). */
#ifndef WB_SERVICE_STATS_H
#define WB_SERVICE_STATS_H

#include "base/err.h"
#include "base/str.h"
#include "scanner/scan.h"

#include <stdint.h>

#define WB_COUNTERS(X)                                                                                                 \
	X(JOBS, "jobs", "compile requests")                                                                            \
	X(CACHE_HITS, "cache_hits", "answered from the action cache")                                                  \
	X(REMOTE_HITS, "remote_hits", "of these, found on the cluster")                                                \
	X(EXECUTED, "executed", "executed in a backend")                                                               \
	X(REMOTE_EXECUTED, "remote_executed", "of these, on the cluster")                                              \
	X(FALLBACKS, "fallbacks", "meant for the cluster, run in this machine's sandbox")                              \
	X(LOCAL, "local", "run locally by the launcher")                                                               \
	X(CANCELED, "canceled", "given up by the client")                                                              \
	X(SANDBOX_MISMATCH, "sandbox_mismatch", "failed in the backend, passed locally")                               \
	X(COMPILE_ERRORS, "compile_errors", "failed in the backend and locally")                                       \
	X(MEMO_HITS, "memo_hits", "requests answered without a scan")                                                  \
	X(SCANS, "scans", "scans made")                                                                                \
	X(SCAN_FALLBACKS, "scan_fallbacks", "of these, by the clang engine: the directive engine was not sure")        \
	X(JOINED, "joined", "waited for an identical action in flight")                                                \
	X(UNKNOWN_OPTIONS, "unknown_options", "options nobody knows, passed through")                                  \
	X(PCH_CREATED, "pch_created", "precompiled headers made by an action or fetched")                              \
	X(PCH_USED, "pch_used", "actions that used a precompiled header")                                              \
	X(PROBES, "probes", "questions to workers about their compiler and files")                                     \
	X(BYTES_UP, "bytes_up", "bytes taken into the store")                                                          \
	X(BYTES_DOWN, "bytes_down", "bytes put in place")                                                              \
	X(REMOTE_BYTES_UP, "remote_bytes_up", "bytes uploaded to the cluster")                                         \
	X(REMOTE_BYTES_DOWN, "remote_bytes_down", "bytes downloaded from the cluster")

enum wb_counter {
#define X(id, name, text) WB_COUNT_##id,
	WB_COUNTERS(X)
#undef X
	    WB_COUNT_COUNT
};

struct wb_stats;

wb_status wb_stats_new(struct wb_stats **out, const char *path, struct wb_err *err);
void wb_stats_free(struct wb_stats *s);
void wb_stats_add(struct wb_stats *s, enum wb_counter c, int64_t n);
void wb_stats_add_reason(struct wb_stats *s, enum wb_reason r);   /* of a local run */
void wb_stats_add_fallback(struct wb_stats *s, enum wb_reason r); /* of a run in the sandbox instead of the cluster */
int64_t wb_stats_get(const struct wb_stats *s, enum wb_counter c);
int64_t wb_stats_get_reason(const struct wb_stats *s, enum wb_reason r);
int64_t wb_stats_get_fallback(const struct wb_stats *s, enum wb_reason r); /* 0 unless wb_reason_is_fallback */
void wb_stats_reset(struct wb_stats *s);
/* Tables for people and machines. `scanner` tells what was doubted since the daemon started; NULL is fine. */
void wb_stats_print(struct wb_buf *out, const struct wb_stats *s, struct wb_scanner *scanner, int64_t store_bytes,
		    int64_t store_blobs);
void wb_stats_print_json(struct wb_buf *out, const struct wb_stats *s, struct wb_scanner *scanner, int64_t store_bytes,
			 int64_t store_blobs);
/* "1.5 MB". */
void wb_stats_add_bytes(struct wb_buf *out, int64_t n);

#endif
