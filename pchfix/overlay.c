#include "pchfix/overlay.h"

#include "base/arena.h"
#include "base/path.h"
#include "pchfix/twin.h"

#include <string.h>

struct overlay {
	struct wb_overlay *out;
	struct wb_arena *a;
	const struct wb_rewrite_in *in;
	enum wb_reason *reason;
	const char **file; /* absolute path of every graph file */
};

static wb_status refuse(const struct overlay *o, struct wb_err *err, const char *path, const char *text)
{
	*o->reason = WB_REASON_GENERATED_ABSOLUTE;
	return wb_fail(err, WB_EUNSCANNABLE, "%s: %s", path, text);
}

static const char *absolute(const struct overlay *o, const char *path)
{
	return wb_path_join(o->a, o->in->cmd->cwd, path);
}

/* Where a file of the command lies in the input root. */
static const char *in_tree(const struct overlay *o, const char *path)
{
	const char *rel = wb_roots_respell(o->in->roots, o->a, path);
	return wb_path_normal(o->a, wb_path_join(o->a, o->in->roots->action_cwd, rel));
}

static const struct wb_overlay_file *bytes_of(const struct overlay *o, const char *path)
{
	for (size_t i = 0; i < o->in->ngenerated; i++)
		if (strcmp(o->in->generated[i].path, path) == 0)
			return &o->in->generated[i];
	return NULL;
}

static uint32_t graph_file(const struct overlay *o, const char *path)
{
	for (uint32_t i = 0; o->in->graph != NULL && i < o->in->graph->nfile; i++)
		if (strcmp(o->file[i], path) == 0)
			return i;
	return UINT32_MAX;
}

static void add(struct overlay *o, const char *path, const char *data, size_t n)
{
	o->out->file[o->out->n++] = (struct wb_overlay_file){path, data, n};
}

/* The header that a PCH stands for gets a twin. Only the creation reads it; with clang the use must name it all the
 * same, because the names are compared. gcc finds the .gch beside the header's own name. */
static void make_twin(struct overlay *o, const char *header)
{
	const struct wb_command *cmd = o->in->cmd;
	const struct wb_roots *roots = o->in->roots;
	const struct wb_overlay_file *f = header == NULL ? NULL : bytes_of(o, header);
	size_t n;
	if (cmd->pch_role == WB_PCH_NONE || f == NULL || strcmp(header, absolute(o, cmd->source)) == 0 ||
	    (cmd->driver == WB_DRIVER_GCC && cmd->pch_role == WB_PCH_USE))
		return;
	char *text = wb_twin_text(o->a, &n, f->data, f->n, roots, o->in->graph, graph_file(o, header), WB_TWIN_IN_CWD);
	if (text == NULL)
		return;
	o->out->twin = wb_twin_name(o->a, wb_roots_respell(roots, o->a, cmd->pch_header));
	if (cmd->pch_role != WB_PCH_CREATE)
		return;
	add(o, wb_path_join(o->a, roots->action_cwd, o->out->twin), text, n);
	/* Nobody reads the original any more, and its text names this checkout. */
	add(o, in_tree(o, cmd->pch_header), NULL, 0);
}

/* Was the file read only when the PCH was made? */
static bool inside_pch(const struct overlay *o, uint32_t file)
{
	return o->in->cmd->pch_role == WB_PCH_USE && file != UINT32_MAX &&
	       (o->in->graph->file[file].flags & WB_GRAPH_IN_PREFIX) != 0;
}

/* The other files keep their names: the new text shadows the old one. */
static wb_status shadow(struct overlay *o, const char *header, struct wb_err *err)
{
	for (size_t i = 0; i < o->in->ngenerated; i++) {
		const struct wb_overlay_file *f = &o->in->generated[i];
		bool is_header = header != NULL && strcmp(f->path, header) == 0;
		size_t n;
		if (is_header && (o->out->twin != NULL || o->in->cmd->pch_role == WB_PCH_USE))
			continue;
		uint32_t id = graph_file(o, f->path);
		if (inside_pch(o, id))
			continue;
		char *text = wb_twin_text(o->a, &n, f->data, f->n, o->in->roots, o->in->graph, id, WB_TWIN_IN_PLACE);
		if (text == NULL)
			continue;
		/* A PCH records the size of every file in it: a later local use would find another one on disk. */
		if (o->in->cmd->pch_role == WB_PCH_CREATE)
			return refuse(o, err, f->path, "an absolute include in a header of a PCH");
		add(o, in_tree(o, f->path), text, n);
	}
	return wb_ok();
}

/* Every absolute name below a root that the scan met must be one that is rewritten. */
static wb_status check_edges(const struct overlay *o, struct wb_err *err)
{
	const struct wb_graph *g = o->in->graph;
	for (uint32_t i = 0; g != NULL && i < g->nedge; i++) {
		const struct wb_edge *e = &g->edge[i];
		if (e->from == UINT32_MAX || e->name == NULL || e->name[0] != '/' ||
		    wb_roots_respell(o->in->roots, o->a, e->name)[0] == '/')
			continue;
		if (o->in->cmd->pch_role == WB_PCH_USE && e->in_prefix)
			continue;
		const struct wb_overlay_file *f = bytes_of(o, o->file[e->from]);
		if (e->kind == WB_EDGE_HAS_INCLUDE || e->kind == WB_EDGE_EMBED || f == NULL ||
		    !wb_twin_covers(f->data, f->n, e->line, e->name))
			return refuse(o, err, g->file[e->from].path,
				      wb_arena_printf(o->a, "line %u asks for %s in a way that cannot be rewritten",
						      (unsigned)e->line, e->name));
	}
	return wb_ok();
}

wb_status wb_overlay_make(struct wb_overlay *out, struct wb_arena *a, const struct wb_rewrite_in *in,
			  enum wb_reason *reason, struct wb_err *err)
{
	struct overlay o = {.out = out, .a = a, .in = in, .reason = reason};
	const struct wb_graph *g = in->graph;
	*out = (struct wb_overlay){.file = wb_arena_array(a, in->ngenerated + 2, sizeof *out->file)};
	o.file = wb_arena_array(a, g == NULL ? 0 : g->nfile, sizeof *o.file);
	for (uint32_t i = 0; g != NULL && i < g->nfile; i++)
		o.file[i] = absolute(&o, g->file[i].path);
	const char *header = in->cmd->pch_header == NULL ? NULL : absolute(&o, in->cmd->pch_header);
	make_twin(&o, header);
	WB_TRY(shadow(&o, header, err));
	return check_edges(&o, err);
}
