/* roots.h — what is "the project" for one command: the directories below which files travel, where the action runs, and
 * what is "system" (part of the platform, never an input). One rule, here, used by every later stage.
 *
 * A file is SYSTEM when its physical path lies below one of the `system_dirs` setting or the compiler's own tree.
 * Otherwise it must lie below a root.
 *
 * The root is: WAYBILL_ROOT; else the git top level of the source if it holds the build directory; else the deepest
 * directory that holds source, build (the directory of CMakeCache.txt above the cwd, else the cwd; with its
 * CMAKE_HOME_DIRECTORY) and the project's include directories. Never "/", $HOME, or a directory that holds a system
 * directory; then each disjoint tree becomes a root of its own and `base`, their deepest common directory, only lends
 * them their relative position. */
#ifndef WB_SCANNER_ROOTS_H
#define WB_SCANNER_ROOTS_H

#include "scanner/command.h"

struct wb_toolchain;

struct wb_roots {
	const char *base;        /* physical; the name space of the input root: tree path = path after base */
	const char *const *root; /* physical, sorted, none below another; each equal to or below base */
	size_t nroot;
	const char *cwd;        /* physical cwd of the command */
	const char *action_cwd; /* physical; directory of CMakeCache.txt at or above cwd, else cwd; below a root */
	const char *const
	    *system; /* system directories: the setting's (as spelled and physical) + the compiler's own */
	size_t nsystem;
	/* Spellings of a root through symlinks: an absolute path that starts with alias[i].text names alias[i].real +
	 * the rest. */
	const struct wb_root_alias {
		const char *text, *real;
	} *alias;
	size_t nalias;
};

struct wb_roots_config {
	const char *root;        /* WAYBILL_ROOT, "" = find it */
	const char *system_dirs; /* ':'-separated */
	const char *home;        /* $HOME, may be NULL */
};

/* Find the roots of `cmd`. WB_EUNSCANNABLE with *reason = NO_ROOT. Looks at the disk; answers are cached nowhere: the
 * caller keeps one per (cwd, toolchain, configuration) if it wants. */
wb_status wb_roots_find(struct wb_roots *out, struct wb_arena *a, const struct wb_command *cmd,
			const struct wb_toolchain *tc, const struct wb_roots_config *cfg, enum wb_reason *reason,
			struct wb_err *err);

bool wb_roots_is_system(const struct wb_roots *r, const char *physical);
bool wb_roots_holds(const struct wb_roots *r, const char *physical);

/* Re-spell `path` (absolute, or relative to the command's cwd) as seen from action_cwd, textually:
 * - absolute below a root (or an alias of one): relative to action_cwd, ".." kept as written after the root;
 * - relative: as it is when cwd == action_cwd, else rebased; absolute when it leads to a system directory;
 * - absolute elsewhere: unchanged.
 * A result that a driver would take for an option or a response file gets a "./". Never folds "x/..". Returns `path`
 * itself when nothing changes. */
const char *wb_roots_respell(const struct wb_roots *r, struct wb_arena *a, const char *path);

#endif
