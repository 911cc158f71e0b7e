/* build_log.h — one line of JSON for each job, appended when the job ends: what `waybill stats --last-build` and
 * `waybill trace` read, and scripts too (docs/observing.md has the fields). It only tells: nothing is decided by it,
 * and it never fails a job.
 *
 * Two files in a directory: `jobs.jsonl` grows to WB_BUILD_LOG_BYTES, is then renamed to `jobs.1.jsonl` (the one before
 * goes) and begun anew. A line is written by one write(2) with O_APPEND and never synced to disk. Thread-safe. */
#ifndef WB_SERVICE_BUILD_LOG_H
#define WB_SERVICE_BUILD_LOG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define WB_BUILD_LOG_BYTES (16 << 20)
#define WB_BUILD_LOG_LINE  (128 << 10) /* longer lines are neither written nor read */

/* Where a job's time goes, in the order in which a job passes through. */
#define WB_BUILD_STAGES(X)                                                                                             \
	X(COMMAND, "command")     /* reading the command line */                                                       \
	X(TOOLCHAIN, "toolchain") /* asking the compiler what it is */                                                 \
	X(SCAN, "scan")                                                                                                \
	X(INPUTS, "inputs")   /* files, directories and links that must be there, hashed */                            \
	X(REWRITE, "rewrite") /* the command for the action */                                                         \
	X(TREE, "tree")       /* Directory tree, Command and Action with their digests */                              \
	X(WAIT, "wait")       /* for an identical action in flight, or for a free compile slot */                      \
	X(LOOKUP, "lookup")                                                                                            \
	X(PROVE, "prove") /* asking a worker about its compiler and files */                                           \
	X(UPLOAD, "upload")                                                                                            \
	X(QUEUE, "queue") /* in the cluster, or for the sandbox */                                                     \
	X(EXECUTE, "execute")                                                                                          \
	X(DOWNLOAD, "download") /* fetching outputs and putting them in place */                                       \
	X(LOCAL, "local")       /* the launcher ran the command */

enum wb_build_stage {
#define X(id, name) WB_BUILD_STAGE_##id,
	WB_BUILD_STAGES(X)
#undef X
	    WB_BUILD_STAGE_COUNT
};
const char *wb_build_stage_name(int stage); /* static; "?" for another number */

/* How a job ended. */
enum wb_build_decision {
	WB_BUILD_HIT,      /* from an action cache */
	WB_BUILD_EXECUTED, /* an action ran, in the sandbox or on the cluster */
	WB_BUILD_LOCAL,    /* the launcher ran the command */
	WB_BUILD_FAILED,   /* the compile failed, wherever it ran */
	WB_BUILD_CANCELED, /* the client went away */
	WB_BUILD_DECISION_COUNT
};
const char *wb_build_decision_name(int decision); /* static */

/* One job. A string may be NULL, which is the same as "": not known, or not so. */
struct wb_build_log_entry {
	int64_t start_ns;                 /* wall clock, since the epoch */
	int64_t end_ns;                   /* start_ns and what the monotonic clock says since then */
	int64_t ns[WB_BUILD_STAGE_COUNT]; /* time in each stage, all attempts together; 0: not passed */
	int64_t bytes_up, bytes_down;     /* to and from the cluster; 0 for a job that needed none */
	const char *build;                /* service/build_id.h */
	const char *source;               /* absolute, or as the command names it; the command's name without one */
	const char *output;               /* absolute path of the main output */
	const char *backend;  /* who had the result: "local" (store, sandbox), "remote"; "cache": the sandbox ran it,
				 and the cluster's cache has it; "" for a run by the launcher */
	const char *reason;   /* wb_reason_name of a local run */
	const char *fallback; /* wb_reason_name: meant for the cluster, and why it went to the sandbox */
	const char *worker;   /* as the cluster names it */
	const char *action;   /* digest of the action: 64 hex digits */
	int exit_code;        /* as the client saw it */
	enum wb_build_decision decision;
	bool memo;   /* a hit that needed no scan */
	bool joined; /* waited for an identical action in flight */
};

struct wb_build_log;

/* Open (make) the log in `dir`, which is made too. */
wb_status wb_build_log_new(struct wb_build_log **out, const char *dir, struct wb_err *err);
void wb_build_log_free(struct wb_build_log *log);
/* Append one line. What cannot be written is lost; the daemon's log says so once. `log` may be NULL:
 * then nothing happens. */
void wb_build_log_write(struct wb_build_log *log, const struct wb_build_log_entry *e);

/* `e` as one line with its newline. */
void wb_build_log_format(struct wb_buf *out, const struct wb_build_log_entry *e);
/* Read a line (without newline) that wb_build_log_format made; unknown fields are passed over. Strings are never NULL
 * and lie in `a`; times are rounded to microseconds. False: not such a line. */
bool wb_build_log_parse(struct wb_build_log_entry *out, struct wb_arena *a, const char *line, size_t n);

/* The jobs of one build, in the order in which they ended. */
struct wb_build_jobs {
	const char *build; /* its id */
	struct wb_build_log_entry *job;
	size_t n;
	size_t damaged; /* lines that are no lines of this log (a full disk tears them): passed over */
};

/* The build of the job that ended last, read from `dir` (no open log is needed); memory in `a`. A build that still runs
 * is given as far as it is. WB_ENOENT: the log is empty. */
wb_status wb_build_log_last(struct wb_build_jobs *out, struct wb_arena *a, const char *dir, struct wb_err *err);

#endif
