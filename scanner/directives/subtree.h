/* subtree.h — what an #include did, remembered as a whole: the file that it entered and all that this one entered in
 * its turn. A unit that includes the file again, where macros and files are what they were, takes everything over and
 * looks at no directive. Most of a unit's headers have been met by another unit in the same state.
 *
 * While a file is interpreted, a recording notes which macros and files its reading depended on, as they were before
 * the file itself changed them, and what it did: a list of items, in which a file that was entered is one item with a
 * memory of its own. Doing the items again does everything that interpreting would have done, but for the decisions:
 * searches add their misses, files are met, edges drawn. What cannot be repeated in this way ends the recording. One
 * thread. */
#ifndef WB_SCANNER_DIRECTIVES_SUBTREE_H
#define WB_SCANNER_DIRECTIVES_SUBTREE_H

#include "scanner/directives/search.h"

struct wb_unit;
struct wb_define;

enum wb_item_op {
	WB_ITEM_WRITE,   /* a macro that was defined or undefined */
	WB_ITEM_STRETCH, /* a stretch as a whole */
	WB_ITEM_SKIP,    /* an #include that read nothing */
	WB_ITEM_ENTER,
	WB_ITEM_PROBE, /* __has_include */
};

struct wb_item {
	uint32_t op : 3, kind : 4 /* enum wb_edge_kind */, angled : 1, next : 1, line : 22;
	uint32_t name; /* of the macro; of the header, without quotes */
	union {
		const struct wb_define *def; /* WRITE; NULL: undefined */
		struct {
			uint32_t found;
			uint32_t place; /* WB_NOWHERE: nowhere */
		} file;
	};
	uint32_t entity; /* of a file that is there */
	uint32_t memory; /* ENTER, STRETCH: where it is in the pool */
};

/* A macro that the reading depended on. `before`: the clock when a recording last had to do with it. */
struct wb_noted {
	const struct wb_define *def;
	uint32_t name, before;
};

/* A file that is being recorded. All that happens in it happens later than `since`. */
struct wb_recording {
	uint32_t since;
	uint32_t frame;                /* u->nframe while it is read */
	uint32_t deepest;              /* u->nframe at most */
	size_t noted, was, item, edge; /* where its own begin */
};

struct wb_subtrees {
	uint32_t clock;            /* counts recordings */
	struct wb_recording *open; /* those that are being made, each within the one before */
	size_t nopen, open_cap;
	uint32_t *seen; /* by macro: the clock when a recording had to do with it */
	uint32_t nseen;
	struct wb_noted *noted;
	size_t nnoted, noted_cap;
	struct wb_item *item;
	size_t nitem, item_cap;
};

void wb_subtrees_release(struct wb_subtrees *t);

/* At the include of a file whose row is `node`: do what it did before, if that is known and would be the same. */
bool wb_subtree_repeat(struct wb_unit *u, uint32_t node, uint32_t place, uint32_t next);
/* The file on top of the stack is about to be read, or has been read to its end. */
void wb_subtree_begin(struct wb_unit *u);
void wb_subtree_end(struct wb_unit *u);
/* Nothing of what is being recorded can be kept; `never`: not the next time either. */
void wb_subtree_drop(struct wb_unit *u, bool never);

/* While a recording is open: a macro was looked at, or has just changed; the stretch at `memory` was gone through; a
 * header was looked for. */
void wb_subtree_read(struct wb_unit *u, uint32_t name, const struct wb_define *def);
void wb_subtree_write(struct wb_unit *u, uint32_t name);
void wb_subtree_changed(struct wb_unit *u, uint32_t name);
void wb_subtree_stretch(struct wb_unit *u, uint32_t memory);
void wb_subtree_header(struct wb_unit *u, struct wb_item item, const struct wb_found *found);

#endif
