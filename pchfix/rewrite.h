/* rewrite.h — the command that means the same anywhere. Pure functions over the command model: no I/O, no global state;
 * rewriting a rewritten command changes nothing (idempotent). The recipe and its measured reasons: docs/pch.md. */
#ifndef WB_PCHFIX_REWRITE_H
#define WB_PCHFIX_REWRITE_H

#include "base/err.h"
#include "scanner/command.h"
#include "scanner/graph.h"
#include "scanner/roots.h"
#include "scanner/scan.h" /* wb_overlay_file */
#include "scanner/toolchain.h"

enum wb_paths_mode { WB_PATHS_RELATIVE, WB_PATHS_ABSOLUTE };

struct wb_rewrite_in {
	const struct wb_command *cmd; /* environment applied */
	const struct wb_toolchain *tc;
	const struct wb_roots *roots;
	const struct wb_graph *graph; /* of cmd; NULL when it was not scanned (`waybill fix` of a broken source) */
	enum wb_paths_mode paths;
	/* Bytes of the files whose includes may have to be rewritten: those of the graph that lie below the build
	 * directory (roots->action_cwd) and the forced PCH header. path absolute. */
	const struct wb_overlay_file *generated;
	size_t ngenerated;
};

/* One argument (or group) before and after, for `waybill fix`. */
struct wb_rewrite_step {
	const char *before; /* NULL: added */
	const char *after;  /* NULL: removed */
	const char *why;    /* static text; NULL: unchanged */
};

struct wb_rewrite_output {
	const char *action_path; /* relative to action_cwd, as the rewritten command spells it */
	const char *real_path;   /* absolute: where it belongs in the build */
	uint8_t kind;            /* enum wb_output_kind */
	bool optional;
};

/* New text -> text that the original command would have written. `from` never starts with /proc/self/cwd/: the mapper
 * drops that first, and looks in the tables for what is left. A prefix is replaced as text (end both sides with '/').
 */
struct wb_mapback_pair {
	const char *from, *to;
};
struct wb_mapback {
	const struct wb_mapback_pair *path; /* whole paths, sorted by from: depfile entries and paths in diagnostics */
	size_t npath;
	struct wb_mapback_pair
	    target; /* the depfile's target, when it had to be written differently; from NULL: it was not */
	const struct wb_mapback_pair
	    *prefix; /* directory prefixes, longest first: for paths that are not in the table */
	size_t nprefix;
};

struct wb_rewrite {
	const char *const
	    *argv; /* NULL-terminated; argv[0] = tc->executable; gcc: may start with /usr/bin/env PWD=... */
	size_t argc;
	const char *const *env; /* extra variables of the action (sorted, NULL-terminated; may be empty) */
	const struct wb_overlay_file *overlay; /* files that exist in the input root only or shadow one there; path
						* absolute (below action_cwd for the twin) */
	size_t noverlay;
	struct wb_rewrite_output *output;
	size_t noutput;
	struct wb_rewrite_step *step;
	size_t nstep;
	struct wb_mapback mapback;
	const char
	    *pch_header_action; /* the header name used in the action for the PCH (the twin or the header), NULL */
	bool shareable; /* false: a -D value or another argument holds a path of this checkout; see unshareable_arg */
	const char *unshareable_arg;
	bool want_color; /* diagnostics must be shown as with -fcolor-diagnostics when the caller's stderr is a
			  * terminal: filled from cmd->color by the caller's wish; the action always runs with colour on
			  * except for PCH creation */
};

/* WB_EUNSCANNABLE sets *reason (CANNOT_REBASE, OUTPUT_OUTSIDE_ROOT, GENERATED_ABSOLUTE ...); text names the argument.
 */
wb_status wb_rewrite(struct wb_rewrite *out, struct wb_arena *a, const struct wb_rewrite_in *in, enum wb_reason *reason,
		     struct wb_err *err);

#endif
