#include "service/plan_text.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

const char *wb_plan_via(struct wb_arena *a, const struct wb_plan *p, const struct wb_input *in)
{
	if (in->edge != UINT32_MAX && in->edge < p->graph.nedge) {
		const struct wb_edge *e = &p->graph.edge[in->edge];

		if (e->from == UINT32_MAX)
			return "the command line";
		return wb_arena_printf(a, "%s:%u", p->graph.file[e->from].path, e->line);
	}
	if (in->arg != UINT32_MAX && in->arg < p->cmd.narg) {
		const struct wb_arg *arg = &p->cmd.arg[in->arg];

		return wb_arena_printf(a, "%s%s%s", arg->spelling ? arg->spelling : "", arg->separate ? " " : "",
				       arg->value ? arg->value : "");
	}
	return "";
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

const char *const *wb_plan_missing(size_t *n, struct wb_arena *a, const struct wb_plan *p)
{
	static const struct wb_stat_id none;
	const char **path = wb_arena_array(a, p->inputs.ncheck, sizeof *path);
	size_t found = 0, kept = 0;

	for (size_t i = 0; i < p->inputs.ncheck; i++)
		if (wb_stat_id_eq(&p->inputs.check[i].id, &none))
			path[found++] = p->inputs.check[i].path;
	if (found > 0)
		qsort(path, found, sizeof *path, by_text);
	for (size_t i = 0; i < found; i++)
		if (kept == 0 || strcmp(path[kept - 1], path[i]) != 0)
			path[kept++] = path[i];
	*n = kept;
	return path;
}
