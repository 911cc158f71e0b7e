/* resolve.h — walk a path as the kernel does, and say what was met on the way: symlinks, and directories that only ".."
 * goes through. One resolver serves one request: what it saw of the disk it does not look at twice. */
#ifndef WB_SCANNER_RESOLVE_H
#define WB_SCANNER_RESOLVE_H

#include "base/map.h"
#include "scanner/facts.h"

struct wb_resolved {
	const char *physical; /* no symlink in it; NULL: the path leads nowhere */
	struct wb_stat_id id; /* of the file at its end (zero: missing) */
	enum wb_file_kind kind;
	bool exec;
};

struct wb_resolver {
	struct wb_arena *a;
	struct wb_facts *facts;
	struct wb_map done[2]; /* spelled path -> struct wb_resolved; [1]: targets of links */
	/* A symlink at `place` (physical directory + name) with text `text`; `target` is where it leads. Each place
	 * once. */
	wb_status (*on_link)(void *arg, const char *place, const char *text, const struct wb_resolved *target,
			     struct wb_err *err);
	/* A directory that a path enters and leaves by ".."; `by_link`: a link's text does. May be told more than once.
	 */
	wb_status (*on_crossed)(void *arg, const char *physical, bool by_link, struct wb_err *err);
	void *arg;
};

void wb_resolver_init(struct wb_resolver *r, struct wb_arena *a, struct wb_facts *facts);
void wb_resolver_release(struct wb_resolver *r);

/* Resolve `path` (absolute, ".." allowed). A path that leads nowhere (missing, a loop, through a file) is an answer:
 * kind MISSING. WB_ELIMIT for absurd depth; the callbacks' failures are handed up. */
wb_status wb_resolve(struct wb_resolved *out, struct wb_resolver *r, const char *path, struct wb_err *err);

#endif
