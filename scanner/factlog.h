/* factlog.h — the file that keeps file facts across restarts: an append-only log of checksummed records. A torn tail (a
 * crash in mid-write) is cut off, a file of another format is started anew, and one that is mostly dead records is
 * written afresh when it is opened. Not thread-safe: the caller locks.
 *
 * Format: "WBFACTS1", then records: u32 length of the payload, u64 FNV-1a of the payload, payload. All little-endian.
 * The payload is 1 (file: struct wb_stat_id, digest, path) or 2 (content: digest, u64 attribute bits), field by field.
 */
#ifndef WB_SCANNER_FACTLOG_H
#define WB_SCANNER_FACTLOG_H

#include "scanner/facts.h"

#include <stddef.h>

struct wb_factlog;

struct wb_factlog_record {
	const char *path; /* NULL: a record about a content: digest and attributes only */
	struct wb_stat_id id;
	struct wb_digest digest;
	uint64_t attributes; /* bits of 1 << enum wb_attribute */
};

/* Open or make `path`, giving each record to `on_record`, later ones overriding earlier ones. `dump` is asked to add
 * every live record when the file is to be written afresh. */
wb_status wb_factlog_open(struct wb_factlog **out, const char *path,
			  void (*on_record)(void *arg, const struct wb_factlog_record *r),
			  void (*dump)(void *arg, struct wb_factlog *log), void *arg, struct wb_err *err);
void wb_factlog_close(struct wb_factlog *log); /* flushes; NULL is fine */

void wb_factlog_add(struct wb_factlog *log, const struct wb_factlog_record *r);
size_t wb_factlog_pending(const struct wb_factlog *log); /* bytes that are not written yet */
/* Append what is pending. After a failure this and all later records are dropped until the next open: they are a cache.
 */
wb_status wb_factlog_flush(struct wb_factlog *log, struct wb_err *err);

#endif
