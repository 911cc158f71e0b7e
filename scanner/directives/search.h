/* search.h — where a header is found: the places on disk as one thread knows them, and what a scan probed. A place is
 * known from its first look-up on; what stands there is looked at once in each look at the disk. What a look-up found
 * is kept as well, with the places that it probed in vain: a later scan of the same moment only has to add these to its
 * own. One thread.
 *
 * What belongs to one scan carries the scan's number (wb_search_met). A scan may start from what another one met
 * before: the numbers of that one then count too. */
#ifndef WB_SCANNER_DIRECTIVES_SEARCH_H
#define WB_SCANNER_DIRECTIVES_SEARCH_H

#include "scanner/directives/store.h"
#include "scanner/directives/table.h"
#include "scanner/scan.h"

enum wb_place_state { WB_PLACE_MISSING, WB_PLACE_FILE, WB_PLACE_DIRECTORY };

struct wb_place {
	uint32_t path;    /* as the compiler would spell it */
	uint32_t cwd;     /* what a relative path starts at; 0 when absolute */
	uint32_t parent;  /* the place of its directory, WB_NOWHERE before it is needed */
	uint32_t plain;   /* the place without a leading "./", often itself */
	uint32_t disk;    /* by which look at the disk the following were found out */
	uint8_t state;    /* enum wb_place_state */
	bool is_link;     /* a symbolic link was seen there */
	uint32_t entity;  /* of a file */
	uint32_t version; /* of a directory: another number when anything about it is different; 0: that says nothing */
	uint32_t bound;   /* the version of its directory in which the name was missing; 0: it must be looked for */
	/* of the plain place: by which scan it has a row in the graph, which row, and by which it is among the misses
	 */
	uint32_t node_scan, node, miss_scan;
	struct wb_stat_id id;
};

/* What an #include of one program meant the last time, or how a condition came out (condition.h). */
struct wb_site {
	uint32_t key, value;
};

/* A file by its identity, whatever its names: what include guards and #pragma once are about. One cache line: every
 * #include looks at one. */
struct wb_entity {
	uint64_t dev, ino;
	struct wb_program *program; /* a reference; of the last time that it was needed */
	struct wb_site *site;       /* 2 n + 3 for a program with n sites: see stretch.c and subtree.c */
	uint32_t disk;              /* `program` is that of the bytes of this look at the disk */
	uint32_t origin;            /* where the search for the last "x" in it started; 0: not known */
	/* of one scan */
	uint32_t scan;
	uint32_t guard;                       /* the macro of its guard, once it was read to the end; 0 */
	uint32_t first;                       /* the place by which it was met first */
	uint32_t opened;                      /* and read first; only once `included` */
	bool once, imported, included, twice; /* twice: met by several names */
	uint32_t touched;                     /* the clock when a recording (subtree.h) last had to do with it */
};

/* What an entity was before a recording had to do with it. */
struct wb_entity_was {
	uint32_t entity, before; /* before: its `touched` */
	uint32_t guard, first, opened;
	bool met, once, imported, included, twice;
};

/* Where a search starts. */
struct wb_origin {
	uint32_t list, dir; /* dir: looked at before the list; WB_NOWHERE: none */
	uint32_t start;     /* index in the list */
};

/* The result of a search: the part that every #include looks at. */
struct wb_found {
	uint32_t disk;  /* in which look at the disk this holds */
	uint32_t scan;  /* the scan that has its misses */
	uint32_t place; /* WB_NOWHERE: nowhere */
	uint32_t next;  /* where #include_next in that file starts; WB_FOUND_BESIDE: as in its includer */
	uint32_t node;  /* for the caller: the file's row in the graph of that scan; WB_NOWHERE at first */
	uint32_t name;
	const char *text; /* of `name` */
};

/* The question, and what was probed in vain for it. */
struct wb_quest {
	uint32_t origin;
	uint32_t above;       /* the directory part of the name; 0: none */
	uint32_t miss, nmiss; /* in wb_search.probed */
};
#define WB_OVERLAY_DEVICE UINT64_MAX /* of a file that exists in memory only */
#define WB_BLOCKED        (1u << 31)
#define WB_FOUND_BESIDE   (UINT32_MAX - 1)

struct wb_search_dirs {     /* a search list */
	uint32_t *dir;      /* places of directories */
	uint32_t n, nquote; /* those before nquote are for "" alone */
};

/* What was true of an entity of the kept scan before a later one changed it. */
struct wb_entity_undo {
	uint32_t entity, guard;
	bool once, imported, included, twice;
};

struct wb_search {
	struct wb_idents *idents;
	struct wb_program_store *store;
	uint32_t scan, kept; /* the numbers that count now; kept: WB_NOWHERE when there is none */
	uint32_t last;       /* number given */
	uint32_t cwd;
	uint32_t disk;     /* the present look at the disk */
	uint64_t moment;   /* that of the last request; 0 */
	int64_t wall_ns;   /* when the look began, on the clock of file times */
	uint32_t versions; /* given to directories */
	uint32_t era;      /* changes when everything is forgotten */
	uint32_t replaced; /* how often a file's program gave way to another one */
	unsigned lex;
	const struct wb_overlay_file *overlay;
	size_t noverlay;
	struct wb_place *place;
	uint32_t *missed; /* for each: the scan that has the plain place among its misses */
	uint32_t nplace;
	size_t place_cap, missed_cap;
	struct wb_entity *entity;
	uint32_t nentity;
	size_t entity_cap;
	struct wb_origin *origin;
	uint32_t norigin;
	size_t origin_cap;
	struct wb_found *found;
	struct wb_quest *question; /* as many */
	uint32_t nfound;
	size_t found_cap, question_cap;
	uint32_t *probed; /* plain places; with WB_BLOCKED, a directory stands there */
	size_t nprobed, probed_cap;
	struct wb_search_dirs *list;
	uint32_t nlist;
	size_t list_cap;
	struct wb_table by_path;   /* (cwd, path) -> place */
	struct wb_table by_name;   /* (directory's place, name) -> place */
	struct wb_table by_inode;  /* -> entity */
	struct wb_table by_origin; /* (list, directory or start) -> origin */
	struct wb_table by_search; /* (origin, name) -> found */
	struct wb_table by_list;   /* a hash over the directories -> list */
	uint32_t *gone;            /* plain places of its directories that do not exist */
	size_t ngone, gone_cap;
	uint32_t in_use; /* the search list of this scan */
	uint32_t *miss;  /* what this scan probed in vain, as in `probed` */
	size_t nmiss, miss_cap, kept_miss;
	struct wb_entity_undo *undo;
	size_t nundo, undo_cap;
	uint32_t since, clock; /* since: when the innermost recording began; 0: there is none */
	struct wb_entity_was *was;
	size_t nwas, was_cap;
	struct wb_buf path, text; /* scratch */
};

void wb_search_init(struct wb_search *s, struct wb_idents *idents, struct wb_program_store *store);
void wb_search_release(struct wb_search *s);
/* Prepare for a request: look at the disk anew unless it is of the same moment as the one before. */
void wb_search_look(struct wb_search *s, const struct wb_scan_request *req, unsigned lex);
/* Start a scan with nothing met. */
void wb_search_begin(struct wb_search *s);
/* What was met up to now is kept for the scans that go back to it; the present one goes on from it. */
void wb_search_keep(struct wb_search *s);
/* Start a scan from what is kept. */
void wb_search_back(struct wb_search *s);

static inline bool wb_search_met(const struct wb_search *s, uint32_t scan)
{
	return scan == s->scan || scan == s->kept;
}

/* One more directory of the search list is `path`; missing ones are dropped. False: it is no directory. */
enum wb_search_group { WB_SEARCH_QUOTE, WB_SEARCH_ANGLED, WB_SEARCH_SYSTEM, WB_SEARCH_AFTER, WB_SEARCH_GROUPS };
struct wb_search_list {
	const char *path;
	enum wb_search_group group;
};
bool wb_search_use(struct wb_search *s, const struct wb_search_list *list, size_t n);
/* For another scan in the same look at the disk: the list that is in use, again. */
void wb_search_use_again(struct wb_search *s);

/* place.c: the place of a path as spelled; of a name in a directory; the directory that holds a place. */
uint32_t wb_search_place(struct wb_search *s, const char *path, size_t n);
uint32_t wb_search_place_in(struct wb_search *s, uint32_t dir, uint32_t name);
uint32_t wb_search_parent(struct wb_search *s, uint32_t place);
/* What stands there by the present look at the disk. May move the table of places. */
enum wb_place_state wb_search_state(struct wb_search *s, uint32_t place);
/* Was it found to be a file by the present look? (It may not have been looked at.) */
static inline bool wb_search_is_file(const struct wb_search *s, const struct wb_place *p)
{
	return p->disk == s->disk && p->state == WB_PLACE_FILE;
}
/* The path to hand to the kernel; valid until the next call of any of these. */
const char *wb_search_absolute(struct wb_search *s, const struct wb_place *p);

/* The origin of #include <>, of #include "" in a file of directory `dir`, of #include_next. */
uint32_t wb_search_origin(struct wb_search *s, uint32_t dir, uint32_t start);
/* Search from `origin`. Borrowed until the next search; the place, if any, has been met. */
struct wb_found *wb_search_find(struct wb_search *s, uint32_t origin, uint32_t name);
/* As before, when the site's own memory may know it already. */
struct wb_found *wb_search_find_at(struct wb_search *s, struct wb_site *site, uint32_t origin, uint32_t name);
/* The number of a search, and what is found by the present look at the disk in s->found; nothing is met. */
uint32_t wb_search_resolve(struct wb_search *s, uint32_t origin, uint32_t name);
/* As wb_search_find, by that number. */
struct wb_found *wb_search_meet(struct wb_search *s, uint32_t number);
/* The file `name` in directory `dir` (a place) alone; the place when there is such a file, else WB_NOWHERE. */
uint32_t wb_search_in(struct wb_search *s, uint32_t dir, uint32_t name);
/* A path by itself: the source. */
uint32_t wb_search_path(struct wb_search *s, const char *path, size_t n);
/* What a place that is a file holds; NULL: it cannot be read. Borrowed until the next look at the disk. place.id is
 * that of the bytes. */
const struct wb_program *wb_search_program(struct wb_search *s, uint32_t place);
/* An entity that was met is about to change. */
void wb_search_change(struct wb_search *s, struct wb_entity *e);

/* A recording has to do with an entity: what it is now is noted. */
void wb_search_note(struct wb_search *s, struct wb_entity *e);
static inline void wb_search_touch(struct wb_search *s, struct wb_entity *e)
{
	if (e->touched < s->since)
		wb_search_note(s, e);
}

static inline struct wb_str wb_search_text(const struct wb_search *s, uint32_t place)
{
	return wb_ident_text(s->idents, s->place[place].path);
}

#endif
