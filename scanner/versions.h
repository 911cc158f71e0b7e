/* versions.h — files as results of scans know them: which path, as spelled from where; what stood there; and since when
 * what a scan takes from it is as it is now. A file that was touched, or edited in a way that no scan sees (comments,
 * bodies of functions), has a new version, but no result made with the old one is lost. Thread-safe. */
#ifndef WB_SCANNER_VERSIONS_H
#define WB_SCANNER_VERSIONS_H

#include "scanner/scan.h"
#include "scanner/standing.h"

struct wb_idents;

/* Lines of a file's directives, ascending. */
struct wb_line_table {
	uint32_t n;
	uint32_t line[];
};

/* Immutable; lives as long as the table. Times are the table's own: it counts changes. */
struct wb_version {
	const struct wb_stand *stand;
	uint64_t changed;                  /* results made before this no longer hold */
	uint64_t moved;                    /* line numbers taken before this are wrong; `lines` has the right ones */
	const struct wb_line_table *lines; /* NULL: not known */
	bool by_shape, lines_matter;
	uint64_t shape[2];
	struct wb_digest content; /* without a shape */
};

/* A path as spelled. */
struct wb_version_place {
	const char *text; /* lives as long as the idents */
	uint32_t n;
	uint32_t name; /* of the standing table */
	uint32_t file; /* the table's own */
};

struct wb_versions;

/* `texts` is borrowed: it outlives the table. */
struct wb_versions *wb_versions_new(struct wb_idents *texts);
void wb_versions_free(struct wb_versions *v);
/* Time to begin anew? */
bool wb_versions_full(struct wb_versions *v);
size_t wb_versions_bytes(struct wb_versions *v);
struct wb_standing *wb_versions_standing(struct wb_versions *v);

/* UINT32_MAX: a table is full. */
uint32_t wb_versions_place(struct wb_versions *v, const char *text, const char *cwd);
const struct wb_version_place *wb_versions_place_of(struct wb_versions *v, uint32_t place);

/* Whose eyes: an engine takes different things from the same text with one language and with another. */
struct wb_reader {
	struct wb_scan_engine *engine;
	const struct wb_scan_request *req;
	uint32_t number; /* the same number, the same eyes */
	bool twins;      /* files of equal content may count as one (gcc) */
};

/* A file is a place as a reader sees it. Those of a graph, and the places of its misses; false: a table is full. */
bool wb_versions_number(uint32_t *file, uint32_t *miss, struct wb_versions *v, const struct wb_graph *g,
			const struct wb_reader *r);
/* Its place, and that one's name. */
uint32_t wb_versions_file_place(struct wb_versions *v, uint32_t file, uint32_t *name);
/* The last version that is known; NULL: none yet. */
const struct wb_version *wb_version_known(struct wb_versions *v, uint32_t file);
/* The version that `stand` is. NULL: it is no regular file, cannot be read, or was touched a moment ago. */
const struct wb_version *wb_version_of(struct wb_versions *v, uint32_t file, const struct wb_stand *stand,
				       const struct wb_reader *r);
/* How many changes there were. What is read before versions are looked at is not later than they. */
uint64_t wb_versions_time(struct wb_versions *v);

#endif
