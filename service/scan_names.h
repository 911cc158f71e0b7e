/* scan_names.h — file names as clang-scan-deps prints them: absolute (relative ones below the command's directory),
 * with
 * "." and ".." folded as text and no link followed. Only a fold that would name another directory, because what ".."
 * leaves is a symlink, is not made: there clang-scan-deps names a file that the compiler does not read.
 *
 * Directories are remembered, so that a name costs no look at the disk and no memory: one `wb_scan_names` serves one
 * run over a database, in which nothing is supposed to move. Not thread-safe. */
#ifndef WB_SERVICE_SCAN_NAMES_H
#define WB_SERVICE_SCAN_NAMES_H

#include "base/map.h"
#include "base/str.h"

struct wb_graph;

struct wb_scan_directory {
	const char *raw; /* as the engine spells it, behind it the command's directory: what it was remembered by */
	size_t raw_len;
	struct wb_str name;              /* absolute, with a slash at the end */
	struct wb_str quoted;            /* the same as make wants it */
	struct wb_scan_directory *first; /* the first with this name, perhaps itself */
	bool shared;                     /* of the first: another spelling has led to the same name */
};

/* One file: its name is directory->name and `base`. */
struct wb_scan_name {
	const struct wb_scan_directory *directory;
	struct wb_str base;
};

struct wb_scan_names {
	struct wb_map directory; /* raw -> struct wb_scan_directory */
	struct wb_map shown;     /* name -> the first struct wb_scan_directory */
	struct wb_arena arena;
	const struct wb_scan_directory *last;
	const char *cwd; /* that `last` belongs to, if it is relative */
	struct wb_buf key;
};

void wb_scan_names_init(struct wb_scan_names *n);
void wb_scan_names_release(struct wb_scan_names *n);

/* The name of `path` (as a graph spells it, of a command that runs in `cwd`). Borrowed, for as long as `path` and `n`
 * live. */
struct wb_scan_name wb_scan_names_of(struct wb_scan_names *n, const char *cwd, const char *path);

/* The names of all files of a graph, in order, each once (two spellings may have one name); returns how many. The array
 * is in `a`. */
size_t wb_scan_names_list(struct wb_scan_name **out, struct wb_arena *a, struct wb_scan_names *n, const char *cwd,
			  const struct wb_graph *g);

/* Append `s` so that make takes it for one file name: blanks, '#' and '$' quoted, backslashes before a blank doubled
 * (GNU make manual, "Rule Syntax" and "Wildcards"). */
void wb_scan_names_quote(struct wb_buf *out, struct wb_str s);

#endif
