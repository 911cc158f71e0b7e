#include "scanner/resolve.h"

#include "base/path.h"

#include <string.h>

enum { LINKS_MAX = 40 /* Linux: MAXSYMLINKS */, PATH_MOST = 16384 };

void wb_resolver_init(struct wb_resolver *r, struct wb_arena *a, struct wb_facts *facts)
{
	*r = (struct wb_resolver){.a = a, .facts = facts};
	wb_map_init(&r->done[0]);
	wb_map_init(&r->done[1]);
}

void wb_resolver_release(struct wb_resolver *r)
{
	wb_map_release(&r->done[0]);
	wb_map_release(&r->done[1]);
}

static wb_status resolve(struct wb_resolved *out, struct wb_resolver *r, const char *path, int links,
			 struct wb_err *err);

/* `name` in the physical directory `dir`. */
static wb_status enter(struct wb_resolved *out, struct wb_resolver *r, const char *dir, const char *name, int links,
		       struct wb_err *err)
{
	struct wb_fact fact;
	const char *place = wb_path_join(r->a, dir, name);
	WB_TRY(wb_facts_look(&fact, r->facts, r->a, place, err));
	*out = (struct wb_resolved){place, fact.id, fact.kind, fact.exec};
	if (fact.kind == WB_FILE_MISSING)
		out->physical = NULL;
	if (fact.kind != WB_FILE_SYMLINK)
		return wb_ok();
	*out = (struct wb_resolved){.kind = WB_FILE_MISSING};
	if (links == LINKS_MAX)
		return wb_ok();
	WB_TRY(resolve(out, r, wb_path_join(r->a, dir, fact.link), links + 1, err));
	if (out->kind != WB_FILE_MISSING && r->on_link != NULL)
		WB_TRY(r->on_link(r->arg, place, fact.link, out, err));
	return wb_ok();
}

static wb_status resolve(struct wb_resolved *out, struct wb_resolver *r, const char *path, int links,
			 struct wb_err *err)
{
	if (strlen(path) > PATH_MOST)
		return wb_fail(err, WB_ELIMIT, "a path of %zu bytes is too long", strlen(path));
	const union wb_map_value *seen = wb_map_gets(&r->done[links > 0], path);
	if (seen != NULL) {
		*out = *(const struct wb_resolved *)seen->p;
		return wb_ok();
	}
	const char *name = wb_path_basename(path);
	if (*name == '\0') { /* "/" */
		*out = (struct wb_resolved){.physical = "/", .kind = WB_FILE_DIRECTORY};
		wb_stat_id_get(&out->id, "/", true);
	} else {
		struct wb_resolved dir = {0};
		WB_TRY(resolve(&dir, r, wb_path_dirname(r->a, path), links, err));
		if (dir.kind != WB_FILE_DIRECTORY) {
			*out = (struct wb_resolved){.kind = WB_FILE_MISSING};
		} else if (strcmp(name, "..") == 0) {
			if (r->on_crossed != NULL)
				WB_TRY(r->on_crossed(r->arg, dir.physical, links > 0, err));
			WB_TRY(resolve(out, r, wb_path_dirname(r->a, dir.physical), links, err));
		} else {
			WB_TRY(enter(out, r, dir.physical, name, links, err));
		}
	}
	struct wb_resolved *keep = wb_arena_memdup(r->a, out, sizeof *out);
	wb_map_puts(&r->done[links > 0], path, NULL)->p =
	    keep; /* a loop ends at the link limit: its answers are right too */
	return wb_ok();
}

wb_status wb_resolve(struct wb_resolved *out, struct wb_resolver *r, const char *path, struct wb_err *err)
{
	return resolve(out, r, wb_path_fold(r->a, path), 0, err);
}
