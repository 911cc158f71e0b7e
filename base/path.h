/* path.h — paths as text: no function here looks at the disk (except where it says so).
 * "Fold" removes "." and doubled slashes only: "x/.." is never folded, because x may be a symlink. */
#ifndef WB_BASE_PATH_H
#define WB_BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

struct wb_arena;

/* `path` itself when absolute, else `dir`/`path`. Folded. */
char *wb_path_join(struct wb_arena *a, const char *dir, const char *path);
/* Fold "./" and "//", drop a slash at the end; the result is "." when nothing is left. Keeps "..". */
char *wb_path_fold(struct wb_arena *a, const char *path);
/* Fold ".." textually too: only for paths known to cross no symlink (results of realpath joins). */
char *wb_path_normal(struct wb_arena *a, const char *path);
/* The relative path from absolute, normal directory `from` to absolute, normal `to`: "../x", "x", "." when equal. */
char *wb_path_relative(struct wb_arena *a, const char *from, const char *to);
/* Is `path` equal to or below `dir` (both absolute and normal; component-wise: "/ab" is not below "/a")? */
bool wb_path_below(const char *path, const char *dir);
/* The part of `path` after `dir/` when it is below it ("" when equal), else NULL. Borrowed from `path`. */
const char *wb_path_after(const char *path, const char *dir);
/* Deepest common directory of two absolute normal directories ("/" at least). */
char *wb_path_common(struct wb_arena *a, const char *x, const char *y);
char *wb_path_dirname(struct wb_arena *a, const char *path);
/* What follows the last slash ("" for "a/"). Borrowed. */
const char *wb_path_basename(const char *path);
/* The suffix with its dot of the last component ("" when none). Borrowed. */
const char *wb_path_suffix(const char *path);
/* Has the path a ".." component? */
bool wb_path_has_dotdot(const char *path);
/* realpath(3) into the arena, NULL when it fails (errno is set). Looks at the disk. */
char *wb_path_real(struct wb_arena *a, const char *path);

#endif
