/* twin.h — the copy of a file whose `#include "/abs/…"` lines point below the root, with those lines rewritten so that
 * they mean the same in every checkout: `cmake_pch.hxx` (a file of its own in the action's directory, named from a hash
 * of its relative path), unity sources and other generated files (same name, only in the input root). Pure. */
#ifndef WB_PCHFIX_TWIN_H
#define WB_PCHFIX_TWIN_H

#include "scanner/graph.h"
#include "scanner/roots.h"

/* What was absolute is spelled through /proc/self/cwd/ (recipe.h): that means the same from wherever it is read, and a
 * prefix map turns it into any text. Relative names would show as "./../src/x.h" in __FILE__ (clang 14, gcc). */
enum wb_twin_place {
	/* A file in the action's directory: quoted relative includes become the path that the scan resolved, too,
	 * because the directory that is searched first is another one now. */
	WB_TWIN_IN_CWD,
	/* A file that stays where it is. */
	WB_TWIN_IN_PLACE,
};

/* The text of `data` for its new place; `file` is its index in `graph` (UINT32_MAX: unknown). Line numbers, pragmas and
 * everything else stay. NULL when it has no absolute include below a root: no twin is needed. */
char *wb_twin_text(struct wb_arena *a, size_t *n, const char *data, size_t len, const struct wb_roots *roots,
		   const struct wb_graph *graph, uint32_t file, enum wb_twin_place place);

/* Is line `line` (from 1) of `data` a literal include of `name`? Only those are rewritten: a name that comes out of a
 * macro is not. */
bool wb_twin_covers(const char *data, size_t len, uint32_t line, const char *name);

/* Name of the twin of the header whose path relative to action_cwd is `relative`: "waybill-<16 hex>.hxx", suffix kept.
 */
char *wb_twin_name(struct wb_arena *a, const char *relative);

#endif
