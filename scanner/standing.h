/* standing.h — does the disk still stand as it did? What many requests look at again and again: for each path what was
 * last found there, so that the next look costs as little as the kernel allows.
 *
 * A look is always a look: what it says was found on the disk after the look began (or was found there by somebody else
 * since then). No file system events are used: they do not see writes through another hard link or through mmap. What
 * saves work is this:
 *  - A name in a directory stands for the same inode, or is still missing, as long as the directory is the same inode
 *    with the same mtime and ctime, and these were old enough when the name was looked up (WB_FACTS_RACY_NS) for a
 *    later change to show in them. So probes that missed cost nothing, and directories are verified from the root down,
 *    each once a look.
 *  - Of an inode that is known by such a name, fstat(2) of a kept O_PATH descriptor says what stat(2) of the path would
 *    say, at a third of the price (it is the walk that costs; benchmarks/scan_reask prints it).
 * Both hold for local file systems that keep POSIX times of directories; others, and names that are symlinks or "..",
 * are looked up by path each time. A mount that comes or goes makes every name be looked up anew.
 *
 * A kept descriptor keeps its file system from being unmounted; so none is kept but on those that this process keeps
 * busy anyway: where its root, its program and the files lie that it has open when the table is made.
 *
 * Thread-safe. Memory: grows with the paths that were ever asked for; wb_standing_full() says when to begin anew. */
#ifndef WB_SCANNER_STANDING_H
#define WB_SCANNER_STANDING_H

#include "scanner/facts.h"

#include <stddef.h>

/* What was found; equal pointers are equal findings. Of a directory only device, inode and mode count. Missing: id is
 * all zero. Lives as long as the table. */
struct wb_stand {
	struct wb_stat_id id;
};

/* Was it touched so shortly before `wall_ns` (wb_clock_wall_ns, taken before the file was read) that a later change may
 * not show in it? */
bool wb_stand_is_racy(const struct wb_stat_id *id, int64_t wall_ns);

/* Is the directory on a local file system on which its times change with the names in it? */
bool wb_stand_keeps_times(const char *path);

struct wb_standing;

struct wb_standing *wb_standing_new(void);
void wb_standing_free(struct wb_standing *s);
bool wb_standing_full(struct wb_standing *s);
size_t wb_standing_bytes(struct wb_standing *s);

/* The number of an absolute path (folded: no "." and no "//"); UINT32_MAX: the table is full. */
uint32_t wb_standing_name(struct wb_standing *s, const char *path, size_t n);

/* Somebody else found `id` there, maybe some time ago: the first thing that is known of the name, if nothing is. */
const struct wb_stand *wb_standing_learn(struct wb_standing *s, uint32_t name, const struct wb_stat_id *id);

/* One request's look. One thread. */
struct wb_look {
	struct wb_standing *standing;
	int64_t since_ns; /* what others found since then will do (wb_clock_ns) */
	int64_t now_ns;   /* not later than the next system call */
	int64_t wall_ns;
	unsigned calls; /* of the system */
};
void wb_look_begin(struct wb_look *l, struct wb_standing *s, int64_t since_ns);
/* What stands there, links followed. Never NULL. */
const struct wb_stand *wb_look_at(struct wb_look *l, uint32_t name);

#endif
