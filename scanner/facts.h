/* facts.h — what is known about files: kind, size, digest, link text; cached by (path, device, inode, size, mtime ns,
 * ctime ns), so that an unchanged file is hashed once. Persisted across restarts.
 *
 * Racy files: a digest is remembered only when the file was last touched (mtime and ctime) longer ago than the clock's
 * granularity (WB_FACTS_RACY_NS) at the time it was hashed; otherwise it is computed again when asked again.
 *
 * Thread-safe: one cache, many threads. */
#ifndef WB_SCANNER_FACTS_H
#define WB_SCANNER_FACTS_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define WB_FACTS_RACY_NS 20000000 /* 20 ms: above a 100 Hz tick, the coarsest clock ext4, xfs and tmpfs stamp with */

struct wb_facts;

enum wb_file_kind { WB_FILE_MISSING, WB_FILE_REGULAR, WB_FILE_DIRECTORY, WB_FILE_SYMLINK, WB_FILE_OTHER };

/* What stat says, as far as identity goes. All zero: the file is missing. */
struct wb_stat_id {
	uint64_t dev, ino;
	int64_t size, mtime_ns, ctime_ns;
	uint32_t mode;
};
bool wb_stat_id_eq(const struct wb_stat_id *a, const struct wb_stat_id *b);
/* lstat (follow = false) or stat of `path`; false when it does not exist (or cannot be reached), then *out is zero. */
bool wb_stat_id_get(struct wb_stat_id *out, const char *path, bool follow);
/* The same of what stat has said already; a timespec in nanoseconds. */
struct stat;
struct timespec;
struct wb_stat_id wb_stat_id_of(const struct stat *st);
int64_t wb_timespec_ns(const struct timespec *t);
enum wb_file_kind wb_stat_id_kind(const struct wb_stat_id *id);

struct wb_fact {
	struct wb_stat_id id;
	enum wb_file_kind kind;
	bool exec;               /* owner may execute */
	struct wb_digest digest; /* regular files, when asked for */
	const char *link;        /* symlinks: the text, in the arena given */
};

/* `db` is the file that keeps digests across restarts (NULL: none); a damaged one is started anew. */
wb_status wb_facts_new(struct wb_facts **out, const char *db, struct wb_err *err);
void wb_facts_free(struct wb_facts *f); /* flushes */
wb_status wb_facts_flush(struct wb_facts *f, struct wb_err *err);

/* Facts of `path` itself (no following); a missing file is a fact (kind MISSING), not an error. */
wb_status wb_facts_look(struct wb_fact *out, struct wb_facts *f, struct wb_arena *a, const char *path,
			struct wb_err *err);
/* The same with the digest of a regular file, and following a final symlink. WB_ESTALE when the file changes while it
 * is read. */
wb_status wb_facts_digest(struct wb_fact *out, struct wb_facts *f, struct wb_arena *a, const char *path,
			  struct wb_err *err);

/* A digest that is known without reading: the daemon itself just wrote these bytes to `path`. */
void wb_facts_learn(struct wb_facts *f, const char *path, const struct wb_digest *d);

/* Attributes of contents, by digest; written by later stages, only read here. */
enum wb_attribute { WB_ATTR_RECIPE_PCH = 1 /* a precompiled header made by a recipe action: it may travel */ };
void wb_facts_set_attribute(struct wb_facts *f, const struct wb_digest *d, enum wb_attribute attr);
bool wb_facts_has_attribute(struct wb_facts *f, const struct wb_digest *d, enum wb_attribute attr);

#endif
