/* twin.h — the copy of a generated file whose `#include "/abs/…"` lines point below the root, with those lines made
 * relative: `cmake_pch.hxx` (named from a hash of its relative path, a file of its own in the action's directory), unity
 * sources and other generated files (same name, only in the input root). Pure. */
#ifndef WB_PCHFIX_TWIN_H
#define WB_PCHFIX_TWIN_H

#include "scanner/graph.h"
#include "scanner/roots.h"

/* The text of `data` with its absolute includes below a root respelled relative to the directory `from_dir` (absolute) from
 * which the new file will be read; with `requote`, quoted relative includes are written as the path that the scan resolved
 * (edges of graph file `file`; UINT32_MAX: unknown). Line numbers, pragmas and everything else stay.
 * NULL when nothing changes (no twin is needed). */
char *wb_twin_text(struct wb_arena *a, size_t *n, const char *data, size_t len, const struct wb_roots *roots,
		   const char *from_dir, const struct wb_graph *graph, uint32_t file, bool requote);

/* `path` (absolute, or relative to the command's cwd) as it is written in a file that lies in `from_dir` (absolute,
 * physical); NULL: not below a root. */
const char *wb_twin_respell(struct wb_arena *a, const struct wb_roots *roots, const char *from_dir, const char *path);

/* Name of the twin of the header whose path relative to action_cwd is `relative`: "waybill-<16 hex>.hxx", suffix kept. */
char *wb_twin_name(struct wb_arena *a, const char *relative);

#endif
