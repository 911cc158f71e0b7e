/* search.h — where a header is found: the places on disk as one thread knows them, and what a scan probed. A place is
 * known from its first look-up on; what stands there is looked at anew in every scan, once. One thread. */
#ifndef WB_SCANNER_DIRECTIVES_SEARCH_H
#define WB_SCANNER_DIRECTIVES_SEARCH_H

#include "scanner/directives/store.h"
#include "scanner/scan.h"

#define WB_NOWHERE UINT32_MAX

enum wb_place_state { WB_PLACE_MISSING, WB_PLACE_FILE, WB_PLACE_DIRECTORY };

struct wb_place {
	uint32_t path;   /* as the compiler would spell it */
	uint32_t cwd;    /* what a relative path starts at; 0 when absolute */
	uint32_t parent; /* the place of its directory, WB_NOWHERE before it is needed */
	uint32_t plain;  /* the place without a leading "./", often itself */
	uint32_t disk;   /* by which look at the disk `state` and `id` were found out */
	uint32_t scan;   /* in which scan the place was last met */
	uint8_t state;   /* enum wb_place_state */
	uint32_t entity; /* of a file */
	struct wb_stat_id id;
	/* of the plain place: its row in the graph */
	uint32_t node_scan, node, miss_scan;
};

/* A file by its identity, whatever its names: what include guards and #pragma once are about. */
struct wb_entity {
	uint64_t dev, ino;
	struct wb_program *program;           /* a reference; of the last time that it was needed */
	uint32_t scan;                        /* in which scan the following was found out */
	bool checked;                         /* `program` is that of this scan's bytes */
	bool once, imported, included, twice; /* twice: met by several names */
	uint32_t guard;                       /* the macro of its guard, once it was read to the end; 0 */
	uint32_t first;                       /* the place by which it was met first */
};

struct wb_table { /* open addressing from a 64-bit key */
	uint64_t *key;
	uint32_t *value; /* WB_NOWHERE: free */
	uint32_t cap, n;
};
uint32_t wb_table_get(const struct wb_table *t, uint64_t key);
void wb_table_put(struct wb_table *t, uint64_t key, uint32_t value); /* not there yet */
void wb_table_release(struct wb_table *t);

struct wb_search {
	struct wb_idents *idents;
	struct wb_program_store *store;
	uint32_t scan, cwd;
	uint32_t disk;   /* the present look at the disk */
	uint64_t moment; /* that of the last request; 0 */
	unsigned lex;
	const struct wb_overlay_file *overlay;
	size_t noverlay;
	struct wb_place *place;
	uint32_t nplace;
	size_t place_cap;
	struct wb_entity *entity;
	uint32_t nentity;
	size_t entity_cap;
	struct wb_table by_path;  /* (cwd, path) -> place */
	struct wb_table by_name;  /* (directory's place, name) -> place */
	struct wb_table by_inode; /* -> entity */
	struct wb_table found; /* (where the search starts, name) -> index of the directory that has it, in this scan */
	uint32_t *dir;         /* the search list: places of directories */
	uint32_t ndir, nquote; /* those before nquote are for "" alone */
	size_t dir_cap;
	uint32_t *miss; /* places probed in vain in this scan */
	size_t nmiss, miss_cap;
	struct wb_buf path; /* scratch */
};

void wb_search_init(struct wb_search *s, struct wb_idents *idents, struct wb_program_store *store);
void wb_search_release(struct wb_search *s);
/* Start a scan: forget what stood where. */
void wb_search_begin(struct wb_search *s, const struct wb_scan_request *req, unsigned lex);

/* One more directory of the search list is `path`; missing ones are dropped. False: it is no directory. */
enum wb_search_group { WB_SEARCH_QUOTE, WB_SEARCH_ANGLED, WB_SEARCH_SYSTEM, WB_SEARCH_AFTER, WB_SEARCH_GROUPS };
struct wb_search_list {
	const char *path;
	enum wb_search_group group;
};
bool wb_search_dirs(struct wb_search *s, const struct wb_search_list *list, size_t n);

/* The place of a path as spelled. */
uint32_t wb_search_place(struct wb_search *s, const char *path, size_t n);
/* The file `name` in directory `dir` (a place); the place when there is such a file, else WB_NOWHERE. */
uint32_t wb_search_in(struct wb_search *s, uint32_t dir, uint32_t name);
/* The first directory of the list from `start` on that has the file; *at is its index. */
uint32_t wb_search_list_from(struct wb_search *s, uint32_t start, uint32_t name, uint32_t *at);
/* A path by itself: absolute names, the source. */
uint32_t wb_search_path(struct wb_search *s, const char *path, size_t n);
/* The directory that holds a place. */
uint32_t wb_search_parent(struct wb_search *s, uint32_t place);
/* What a place that is a file holds; NULL: it cannot be read. Borrowed until the next scan. place.id is that of the
 * bytes. */
const struct wb_program *wb_search_program(struct wb_search *s, uint32_t place);

static inline struct wb_str wb_search_text(const struct wb_search *s, uint32_t place)
{
	return wb_ident_text(s->idents, s->place[place].path);
}

#endif
