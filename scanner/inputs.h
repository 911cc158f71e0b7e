/* inputs.h — every file, directory and symlink that a compile needs, each with the reason it is there; the probes that
 * must keep missing; and the system files it touched. Built once, then read-only. */
#ifndef WB_SCANNER_INPUTS_H
#define WB_SCANNER_INPUTS_H

#include "scanner/facts.h"
#include "scanner/graph.h"
#include "scanner/roots.h"
#include "scanner/scan.h"

enum wb_why {
	WB_WHY_SOURCE,
	WB_WHY_INCLUDE, /* `edge` says from where */
	WB_WHY_FORCED,  /* -include, -imacros */
	WB_WHY_HAS_INCLUDE,
	WB_WHY_EMBED,
	WB_WHY_PCH,         /* the .pch or .gch */
	WB_WHY_OPTION,      /* a file operand: profile, ignorelist, plugin, specs ...: `arg` */
	WB_WHY_SEARCH_DIR,  /* an -I directory that exists */
	WB_WHY_CROSSED_DIR, /* a directory that a path goes through ("a" in "a/../b") */
	WB_WHY_SYMLINK,     /* a symlink on the way to another input */
	WB_WHY_WORKING_DIR, /* action_cwd and the directories of outputs */
	WB_WHY_COUNT
};
const char *wb_why_name(unsigned why); /* "include"; static */

struct wb_input {
	const char *path; /* absolute, physical (its own directory resolved; a symlink is named by its own place) */
	uint8_t kind;     /* enum wb_file_kind: REGULAR, DIRECTORY (may be empty), SYMLINK */
	uint8_t why;      /* enum wb_why; the first reason found */
	bool exec;
	struct wb_digest digest; /* REGULAR */
	const char *link; /* SYMLINK: target as it must be in the tree (absolute ones below a root made relative) */
	uint32_t edge;    /* WB_WHY_INCLUDE, FORCED, HAS_INCLUDE, EMBED: graph edge; else UINT32_MAX */
	uint32_t arg;     /* argument index for OPTION, SEARCH_DIR; else UINT32_MAX */
};

struct wb_system_file {
	const char *path; /* as opened, absolute */
	struct wb_digest digest;
};

/* For the memo: the answer stays valid while every one of these holds. */
struct wb_check {
	const char *path;
	struct wb_stat_id id; /* zero: must be missing. Of a directory only the kind counts: what is looked for in it
			       * has checks of its own, as has every symlink on the way */
	bool follow;          /* stat or lstat */
	bool kind_only;       /* a file whose content does not matter, but whether it is there */
	bool has_digest;      /* the content is known: another file with the same content and mode will do */
	struct wb_digest digest;
};

struct wb_inputs {
	struct wb_input *input; /* sorted by path, unique */
	size_t ninput;
	struct wb_system_file *system; /* sorted by path, unique */
	size_t nsystem;
	struct wb_check *check;
	size_t ncheck;
	int64_t bytes; /* sum of REGULAR sizes */
};

#define WB_INPUTS_MAX       200000
#define WB_INPUTS_MAX_BYTES (8LL << 30)

/* Collect. PCH rules (docs/pch.md): a use with a recipe .pch (embedding) carries the .pch, the TU and what the TU names
 * outside the prefix (entered or skipped), not what only the PCH read. Files are compared with the identity that the
 * scan recorded: WB_ESTALE when one changed since (scan again). WB_EUNSCANNABLE sets *reason and the text names the
 * file. */
wb_status wb_inputs_collect(struct wb_inputs *out, struct wb_arena *a, struct wb_facts *f, const struct wb_command *cmd,
			    const struct wb_toolchain *tc, const struct wb_roots *roots, const struct wb_graph *graph,
			    enum wb_reason *reason, struct wb_err *err);

/* Does this still hold? `*now` gets what is there; where it is not check->id, the content was compared (with `facts`).
 */
bool wb_check_holds(const struct wb_check *check, struct wb_facts *facts, struct wb_stat_id *now);
/* Are all checks still true? `*which` (may be NULL) gets the first that is not, borrowed. */
bool wb_checks_hold(const struct wb_check *check, size_t n, struct wb_facts *facts, const char **which);

#endif
