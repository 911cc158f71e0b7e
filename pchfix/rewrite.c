#include "pchfix/rewrite.h"

#include "base/arena.h"
#include "base/path.h"
#include "base/str.h"
#include "pchfix/overlay.h"
#include "pchfix/recipe.h"
#include "scanner/operand.h"

#include <stdlib.h>
#include <string.h>

struct rewriter {
	struct wb_rewrite *out;
	struct wb_arena *a;
	const struct wb_rewrite_in *in;
	const struct wb_command *cmd;
	const struct wb_roots *roots;
	enum wb_reason *reason;
	struct wb_argv argv;
	struct wb_overlay overlay;
	size_t step_cap;
	bool anchored; /* recipe.h */
	bool moved;    /* the action runs in another directory than the command */
};

static wb_status refuse(struct rewriter *r, struct wb_err *err, enum wb_reason reason, const char *arg,
			const char *text)
{
	*r->reason = reason;
	return wb_fail(err, WB_EUNSCANNABLE, "%s: %s", arg, text);
}

static bool means(const struct wb_arg *arg, enum wb_meaning meaning)
{
	return arg->option != NULL && arg->option->meaning == meaning;
}

static const struct wb_arg *last_of(const struct wb_command *cmd, enum wb_meaning meaning)
{
	for (size_t i = cmd->narg; i-- > 0;)
		if (means(&cmd->arg[i], meaning))
			return &cmd->arg[i];
	return NULL;
}

/* --- words and steps --- */

static const char *text_of(struct rewriter *r, const struct wb_arg *arg)
{
	struct wb_argv words = {0};
	struct wb_buf text = WB_BUF_INIT;
	wb_arg_emit(&words, r->a, arg);
	for (size_t i = 0; i < words.n; i++) {
		if (i > 0)
			wb_buf_addc(&text, ' ');
		wb_buf_add_shell(&text, words.v[i]);
	}
	const char *copy = wb_arena_strndup(r->a, text.n == 0 ? "" : text.p, text.n);
	wb_buf_release(&text);
	return copy;
}

static void add_step(struct rewriter *r, const struct wb_arg *before, const struct wb_arg *after, const char *why)
{
	wb_arena_grow(r->a, &r->out->step, r->out->nstep, &r->step_cap, sizeof *r->out->step);
	r->out->step[r->out->nstep++] = (struct wb_rewrite_step){.before = before == NULL ? NULL : text_of(r, before),
								 .after = after == NULL ? NULL : text_of(r, after),
								 .why = why};
}

static bool in_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
	       c == '.';
}

/* Does `text` hold the absolute path `dir` or one below it? */
static bool names_directory(const char *text, const char *dir)
{
	size_t n = strlen(dir);
	for (const char *p = text; (p = strstr(p, dir)) != NULL; p += n) {
		bool starts = p == text || !(in_name(p[-1]) || p[-1] == '/');
		if (starts && !in_name(p[n]))
			return true;
	}
	return false;
}

static void note_unshareable(struct rewriter *r, const struct wb_arg *arg)
{
	const char *text[] = {arg->spelling, arg->value};
	bool names = false;
	for (size_t t = 0; t < 2 && r->out->shareable; t++) {
		for (size_t i = 0; i < r->roots->nroot && text[t] != NULL; i++)
			names |= names_directory(text[t], r->roots->root[i]);
		for (size_t i = 0; i < r->roots->nalias && text[t] != NULL; i++)
			names |= names_directory(text[t], r->roots->alias[i].text);
	}
	if (!names)
		return;
	r->out->shareable = false;
	r->out->unshareable_arg = text_of(r, arg);
}

static void emit(struct rewriter *r, const struct wb_arg *arg)
{
	wb_arg_emit(&r->argv, r->a, arg);
	note_unshareable(r, arg);
}

/* --- operands --- */

/* An input's path as the action spells it. */
static const char *respell_input(const struct rewriter *r, const char *path)
{
	const char *rel = wb_roots_respell(r->roots, r->a, path);
	if (!r->anchored || path[0] != '/' || rel[0] == '/')
		return rel;
	return strcmp(rel, ".") == 0 ? WB_RECIPE_CWD : wb_arena_printf(r->a, WB_RECIPE_CWD "/%s", rel);
}

/* The edge of the forced include that is argument `index`. */
static const struct wb_edge *forced_edge(const struct rewriter *r, size_t index)
{
	const struct wb_graph *g = r->in->graph;
	for (uint32_t i = 0; g != NULL && i < g->nedge; i++)
		if (g->edge[i].from == UINT32_MAX && g->edge[i].kind == WB_EDGE_FORCED && g->edge[i].line == index)
			return &g->edge[i];
	return NULL;
}

/* A forced include is looked for in the cwd first, then along the search path: there it stays as it is. */
static const char *respell_forced(const struct rewriter *r, size_t index, const char *value)
{
	const struct wb_edge *e = forced_edge(r, index);
	if (value[0] == '/' || e == NULL)
		return respell_input(r, value);
	const char *found = wb_path_join(r->a, r->cmd->cwd, r->in->graph->file[e->to].path);
	bool in_cwd = strcmp(found, wb_path_join(r->a, r->cmd->cwd, value)) == 0;
	return in_cwd ? respell_input(r, value) : value;
}

/* Is this the argument that names the PCH's header? */
static bool names_pch_header(const struct rewriter *r, const struct wb_arg *arg)
{
	return means(arg, WB_MEAN_INCLUDE) && r->cmd->pch_role != WB_PCH_NONE && r->cmd->pch_header != NULL &&
	       arg->value != NULL && strcmp(arg->value, r->cmd->pch_header) == 0;
}

static const char *new_path(struct rewriter *r, size_t index, const struct wb_operand_path *p, const char **why)
{
	static const char why_path[] = "the same in every checkout";
	const struct wb_arg *arg = &r->cmd->arg[index];
	*why = why_path;
	if (names_pch_header(r, arg)) {
		if (r->overlay.twin == NULL)
			return wb_roots_respell(r->roots, r->a,
						p->path); /* creation and use must agree: never anchored */
		*why = "its twin: the same header with its absolute includes rewritten";
		return r->overlay.twin;
	}
	switch (p->kind) {
	case WB_OPERAND_FILE_OUT:
	case WB_OPERAND_DIR_OUT:
		return wb_roots_respell(r->roots, r->a, p->path);
	case WB_OPERAND_PATH_TEXT: /* names for the build system: only an absolute one ties the action to the checkout
				    */
	case WB_OPERAND_PREFIX_MAP:
		return p->path[0] != '/' || r->in->paths == WB_PATHS_ABSOLUTE
			   ? p->path
			   : wb_roots_respell(r->roots, r->a, p->path);
	default:
		break;
	}
	if (means(arg, WB_MEAN_INCLUDE) || means(arg, WB_MEAN_IMACROS))
		return respell_forced(r, index, p->path);
	if (means(arg, WB_MEAN_INCLUDE_PCH))
		return wb_roots_respell(r->roots, r->a, p->path);
	return respell_input(r, p->path);
}

static wb_status rewrite_arg(struct rewriter *r, size_t index, struct wb_err *err)
{
	const struct wb_arg *arg = &r->cmd->arg[index];
	const char *moves = wb_recipe_moves(r->in, r->a, arg), *why;
	struct wb_operand_path p;
	if (moves != NULL) {
		add_step(r, arg, NULL, moves);
		return wb_ok();
	}
	if (!wb_operand_path_get(&p, r->a, arg)) {
		bool unknown = arg->option == NULL && arg->spelling != NULL;
		if (unknown && r->moved && strchr(arg->spelling, '/') != NULL)
			return refuse(r, err, WB_REASON_CANNOT_REBASE, text_of(r, arg),
				      "an unknown option with a path");
		emit(r, arg);
		add_step(r, arg, arg, NULL);
		return wb_ok();
	}
	const char *path = new_path(r, index, &p, &why);
	if (strcmp(path, p.path) == 0) {
		emit(r, arg);
		add_step(r, arg, arg, NULL);
		return wb_ok();
	}
	struct wb_arg changed = *arg;
	changed.value = wb_arena_printf(r->a, "%s%s%s", p.before, path, p.after);
	if (means(arg, WB_MEAN_DEP_TARGET) && r->out->mapback.target.from == NULL)
		r->out->mapback.target = (struct wb_mapback_pair){path, p.path};
	emit(r, &changed);
	add_step(r, arg, &changed, why);
	return wb_ok();
}

/* --- outputs --- */

/* Will the driver, in the action's directory, derive the implicit output beside the object as it did here? */
static bool follows_object(const struct rewriter *r, const struct wb_output *o)
{
	const struct wb_command *cmd = r->cmd;
	bool clang = cmd->driver == WB_DRIVER_CLANG;
	const struct wb_arg *temps = last_of(cmd, WB_MEAN_SAVE_TEMPS);
	if (o->kind == WB_OUT_TEMP) {
		enum { DRIVERS_PLACE = 1, CWD = 2 };
		unsigned place = temps == NULL ? CWD : temps->option->detail;
		if (place == CWD || (clang && place == DRIVERS_PLACE))
			return false;
	}
	if (o->kind == WB_OUT_DWO && clang && last_of(cmd, WB_MEAN_ASSEMBLE) != NULL)
		return false; /* -S: in the cwd */
	return strcmp(wb_path_dirname(r->a, o->path), wb_path_dirname(r->a, cmd->object)) == 0;
}

/* What the driver derives from its directory must be said where that is another one. */
static wb_status make_explicit(struct rewriter *r, struct wb_err *err)
{
	const struct wb_command *cmd = r->cmd;
	if (cmd->object == NULL)
		return wb_ok();
	const char *object = wb_roots_respell(r->roots, r->a, cmd->object);
	if (cmd->depfile != NULL && cmd->dep_target == NULL && strcmp(object, cmd->object) != 0)
		r->out->mapback.target = (struct wb_mapback_pair){object, cmd->object};
	if (!r->moved)
		return wb_ok();
	for (size_t i = 0; i < cmd->noutput; i++) {
		const struct wb_output *o = &cmd->output[i];
		if (o->implicit && o->kind != WB_OUT_OBJECT && !follows_object(r, o))
			return refuse(r, err, WB_REASON_CANNOT_REBASE, o->path,
				      "the compiler writes it into its working directory");
	}
	if (last_of(cmd, WB_MEAN_OUTPUT) == NULL) {
		struct wb_arg arg = {.spelling = "-o", .value = object, .separate = true};
		emit(r, &arg);
		add_step(r, NULL, &arg, "the default follows the working directory");
	}
	return wb_ok();
}

static wb_status list_outputs(struct rewriter *r, struct wb_err *err)
{
	const struct wb_command *cmd = r->cmd;
	r->out->output = wb_arena_array(r->a, cmd->noutput, sizeof *r->out->output);
	for (size_t i = 0; i < cmd->noutput; i++) {
		const struct wb_output *o = &cmd->output[i];
		const char *rel = wb_roots_respell(r->roots, r->a, o->path);
		if (rel[0] == '/')
			return refuse(r, err, WB_REASON_OUTPUT_OUTSIDE_ROOT, o->path, "it is not below the root");
		r->out->output[r->out->noutput++] =
		    (struct wb_rewrite_output){.action_path = wb_path_normal(r->a, rel),
					       .real_path = wb_path_normal(r->a, wb_path_join(r->a, cmd->cwd, o->path)),
					       .kind = o->kind,
					       .optional = o->optional};
	}
	return wb_ok();
}

/* --- the way back --- */

struct pairs {
	struct wb_mapback_pair *v;
	size_t n, cap;
};

static void add_pair(struct pairs *p, struct wb_arena *a, const char *from, const char *to)
{
	wb_arena_grow(a, &p->v, p->n, &p->cap, sizeof *p->v);
	p->v[p->n++] = (struct wb_mapback_pair){from, to};
}

static int by_from(const void *x, const void *y)
{
	const struct wb_mapback_pair *p = x, *q = y;
	int c = strcmp(p->from, q->from);
	return c != 0 ? c : strcmp(p->to, q->to);
}

static int same_from(const void *x, const void *y)
{
	return strcmp(((const struct wb_mapback_pair *)x)->from, ((const struct wb_mapback_pair *)y)->from);
}

static int longest_first(const void *x, const void *y)
{
	size_t n = strlen(((const struct wb_mapback_pair *)x)->from);
	size_t m = strlen(((const struct wb_mapback_pair *)y)->from);
	return n != m ? (n < m) - (n > m) : by_from(x, y);
}

/* Sort and drop all but one pair of a `from`. */
static void settle(struct pairs *p, int (*order)(const void *, const void *))
{
	size_t n = 0;
	if (p->n > 0)
		qsort(p->v, p->n, sizeof *p->v, order);
	for (size_t i = 0; i < p->n; i++)
		if (n == 0 || strcmp(p->v[n - 1].from, p->v[i].from) != 0)
			p->v[n++] = p->v[i];
	p->n = n;
}

/* The files of the graph. One that was spelled in several ways has one name in the action: of several ways back any is
 * as good. One that was relative before is in the table, too, or a prefix would make it absolute. */
static void map_files(struct pairs *p, struct rewriter *r)
{
	const struct wb_graph *g = r->in->graph;
	struct pairs folded = {0};
	for (uint32_t i = 0; g != NULL && i < g->nfile; i++) {
		const char *from = wb_roots_respell(r->roots, r->a, g->file[i].path);
		if (from[0] == '/')
			continue;
		add_pair(p, r->a, wb_path_fold(r->a, from), g->file[i].path);
		/* A PCH that another target made may know the file without this target's detour ("sub/../src/x.h"). */
		if (strstr(from, "/../") != NULL)
			add_pair(&folded, r->a, wb_path_normal(r->a, from), wb_path_normal(r->a, g->file[i].path));
	}
	settle(p, by_from);
	size_t exact = p->n;
	for (size_t i = 0; i < folded.n; i++)
		if (bsearch(&folded.v[i], p->v, exact, sizeof *p->v, same_from) == NULL)
			add_pair(p, r->a, folded.v[i].from, folded.v[i].to);
}

/* A directory that the command spelled absolutely: files that the scan did not see may come from it, too. */
static void add_prefix(struct pairs *p, struct rewriter *r, const char *dir)
{
	const char *rel = wb_roots_respell(r->roots, r->a, dir);
	if (dir[0] == '/' && rel[0] != '/' && strcmp(rel, ".") != 0)
		add_pair(p, r->a, wb_arena_printf(r->a, "%s/", rel),
			 wb_arena_printf(r->a, "%s/", wb_path_fold(r->a, dir)));
}

static void make_mapback(struct rewriter *r)
{
	const struct wb_command *cmd = r->cmd;
	struct pairs path = {0}, prefix = {0};
	map_files(&path, r);
	if (r->overlay.twin != NULL)
		add_pair(&path, r->a, r->overlay.twin, cmd->pch_header);
	for (size_t i = 0; i < cmd->narg; i++) {
		struct wb_operand_path p;
		if (!wb_operand_path_get(&p, r->a, &cmd->arg[i]))
			continue;
		if (p.kind == WB_OPERAND_DIR_IN)
			add_prefix(&prefix, r, p.path);
		else if (p.kind == WB_OPERAND_FILE_IN)
			add_prefix(&prefix, r, wb_path_dirname(r->a, p.path));
	}
	for (size_t i = 0; r->moved && i < r->roots->nroot;
	     i++) /* relative names would be read from another directory */
		add_prefix(&prefix, r, r->roots->root[i]);
	settle(&path, by_from);
	settle(&prefix, longest_first);
	r->out->mapback.path = path.v;
	r->out->mapback.npath = path.n;
	r->out->mapback.prefix = prefix.v;
	r->out->mapback.nprefix = prefix.n;
}

/* --- all together --- */

static void add_recipe(struct rewriter *r)
{
	struct wb_recipe recipe;
	wb_recipe_flags(&recipe, r->a, r->in);
	for (size_t i = 0; i < recipe.n; i++) {
		const struct wb_recipe_flag *f = &recipe.flag[i];
		struct wb_arg arg = {.spelling = f->text, .value = NULL, .wrap = f->wrap};
		emit(r, &arg);
		add_step(r, NULL, &arg, f->why);
	}
}

static wb_status rewrite(struct rewriter *r, struct wb_err *err)
{
	const struct wb_command *cmd = r->cmd;
	WB_TRY(wb_overlay_make(&r->overlay, r->a, r->in, r->reason, err));
	wb_recipe_prefix(&r->argv, r->a, cmd->driver);
	wb_argv_push(&r->argv, r->a, r->in->tc->executable);
	size_t i = 0;
	/* What follows "--" are files: flags go before it. */
	for (; i < cmd->narg && !means(&cmd->arg[i], WB_MEAN_END_OF_OPTIONS); i++)
		WB_TRY(rewrite_arg(r, i, err));
	WB_TRY(make_explicit(r, err));
	add_recipe(r);
	for (; i < cmd->narg; i++)
		WB_TRY(rewrite_arg(r, i, err));
	WB_TRY(list_outputs(r, err));
	make_mapback(r);
	return wb_ok();
}

wb_status wb_rewrite(struct wb_rewrite *out, struct wb_arena *a, const struct wb_rewrite_in *in, enum wb_reason *reason,
		     struct wb_err *err)
{
	static const char *const no_env[] = {NULL};
	struct rewriter r = {.out = out,
			     .a = a,
			     .in = in,
			     .cmd = in->cmd,
			     .roots = in->roots,
			     .reason = reason,
			     .anchored = wb_recipe_anchored(in, a),
			     .moved = strcmp(in->roots->cwd, in->roots->action_cwd) != 0};
	*out = (struct wb_rewrite){.env = no_env, .shareable = true};
	WB_TRY(rewrite(&r, err));
	out->argv = r.argv.v;
	out->argc = r.argv.n;
	out->overlay = r.overlay.file;
	out->noverlay = r.overlay.n;
	if (in->paths == WB_PATHS_ABSOLUTE) {
		out->shareable = false;
		out->unshareable_arg = "paths = absolute";
	}
	if (in->cmd->pch_header != NULL)
		out->pch_header_action =
		    r.overlay.twin != NULL ? r.overlay.twin : wb_roots_respell(in->roots, a, in->cmd->pch_header);
	return wb_ok();
}
