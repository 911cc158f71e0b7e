#include "pchfix/rewrite.h"

#include "base/arena.h"
#include "base/path.h"
#include "base/str.h"
#include "pchfix/recipe.h"
#include "pchfix/twin.h"

#include <stdlib.h>
#include <string.h>

struct rewriter {
	struct wb_rewrite *out;
	struct wb_arena *a;
	const struct wb_rewrite_in *in;
	struct wb_arg *arg; /* the new arguments */
	size_t narg, cap;
	size_t step_cap;
	struct wb_mapback_pair *pair;
	size_t npair, pair_cap;
	const char *twin;     /* name of the twin of the PCH header, NULL: none is needed */
	bool own_comp_dir;    /* the project says its compilation directory itself */
	enum wb_reason reason;
};

static wb_status refuse(struct rewriter *r, enum wb_reason reason, struct wb_err *err, const char *what)
{
	r->reason = reason;
	return wb_fail(err, WB_EUNSCANNABLE, "%s", what);
}

/* --- steps: what `waybill fix` shows ------------------------------------------------------------------------------------ */

static const char *arg_text(struct rewriter *r, const struct wb_arg *arg)
{
	struct wb_argv words = {0};
	struct wb_buf text = WB_BUF_INIT;

	wb_arg_emit(&words, r->a, arg);
	for (size_t i = 0; i < words.n; i++) {
		if (i > 0)
			wb_buf_addc(&text, ' ');
		wb_buf_add_shell(&text, words.v[i]);
	}
	const char *copy = wb_arena_strndup(r->a, text.p ? text.p : "", text.n);
	wb_buf_release(&text);
	return copy;
}

static void add_step(struct rewriter *r, const struct wb_arg *before, const struct wb_arg *after, const char *why)
{
	wb_arena_grow(r->a, &r->out->step, r->out->nstep, &r->step_cap, sizeof *r->out->step);
	r->out->step[r->out->nstep++] = (struct wb_rewrite_step){
		.before = before ? arg_text(r, before) : NULL,
		.after = after ? arg_text(r, after) : NULL,
		.why = why,
	};
}

static void push(struct rewriter *r, const struct wb_arg *arg)
{
	wb_arena_grow(r->a, &r->arg, r->narg, &r->cap, sizeof *r->arg);
	r->arg[r->narg++] = *arg;
}

static void keep(struct rewriter *r, const struct wb_arg *arg)
{
	push(r, arg);
	add_step(r, arg, arg, NULL);
}

/* --- paths ---------------------------------------------------------------------------------------------------------------- */

/* A path operand as the action spells it. With `paths = absolute` what was absolute goes through /proc/self/cwd/, which the
 * prefix maps turn back into the text that was there. */
static const char *respell(const struct rewriter *r, const char *path)
{
	const char *rel = wb_roots_respell(r->in->roots, r->a, path);

	if (r->in->paths == WB_PATHS_ABSOLUTE && path[0] == '/' && rel[0] != '/')
		return wb_arena_printf(r->a, "/proc/self/cwd/%s", rel);
	return rel;
}

static void add_pair(struct rewriter *r, const char *from, const char *to)
{
	if (strcmp(from, to) == 0)
		return;
	wb_arena_grow(r->a, &r->pair, r->npair, &r->pair_cap, sizeof *r->pair);
	r->pair[r->npair++] = (struct wb_mapback_pair){from, to};
}

static const struct wb_overlay_file *generated(const struct rewriter *r, const char *path)
{
	const char *abs = wb_path_join(r->a, r->in->cmd->cwd, path);

	for (size_t i = 0; i < r->in->ngenerated; i++)
		if (strcmp(r->in->generated[i].path, abs) == 0)
			return &r->in->generated[i];
	return NULL;
}

static uint32_t graph_file(const struct rewriter *r, const char *path)
{
	const struct wb_graph *g = r->in->graph;
	const char *abs = wb_path_join(r->a, r->in->cmd->cwd, path);

	for (uint32_t i = 0; g && i < g->nfile; i++)
		if (strcmp(wb_path_join(r->a, r->in->cmd->cwd, g->file[i].path), abs) == 0)
			return i;
	return UINT32_MAX;
}

static void add_overlay(struct rewriter *r, const char *path, const char *data, size_t n)
{
	struct wb_rewrite *out = r->out;
	struct wb_overlay_file *v = wb_arena_array(r->a, out->noverlay + 1, sizeof *v);

	if (out->noverlay > 0)
		memcpy(v, out->overlay, out->noverlay * sizeof *v);
	v[out->noverlay++] = (struct wb_overlay_file){path, data, n};
	out->overlay = v;
}

/* --- twins ---------------------------------------------------------------------------------------------------------------- */

/* The header that a PCH stands for gets a twin when it includes by absolute path. gcc finds the .gch by the header's own
 * name, so only its creation reads the twin. */
static void find_twin(struct rewriter *r)
{
	const struct wb_command *cmd = r->in->cmd;
	const struct wb_roots *roots = r->in->roots;
	size_t n;

	if (cmd->pch_role == WB_PCH_NONE || !cmd->pch_header)
		return;
	const struct wb_overlay_file *f = generated(r, cmd->pch_header);
	if (!f || (cmd->source && strcmp(cmd->pch_header, cmd->source) == 0))
		return;
	char *text = wb_twin_text(r->a, &n, f->data, f->n, roots, roots->action_cwd, r->in->graph,
				  graph_file(r, cmd->pch_header), true);
	if (!text || (cmd->driver == WB_DRIVER_GCC && cmd->pch_role == WB_PCH_USE))
		return;
	r->twin = wb_twin_name(r->a, wb_roots_respell(roots, r->a, cmd->pch_header));
	if (cmd->pch_role == WB_PCH_CREATE)
		add_overlay(r, wb_path_join(r->a, roots->action_cwd, r->twin), text, n);
	add_pair(r, r->twin, cmd->pch_header);
}

/* Names of files that `f`, read from the overlay, includes by its new relative text. */
static void map_included(struct rewriter *r, uint32_t from)
{
	const struct wb_graph *g = r->in->graph;
	const struct wb_roots *roots = r->in->roots;
	const char *dir = wb_path_dirname(r->a, wb_path_normal(r->a, wb_path_join(r->a, roots->cwd, g->file[from].path)));
	const char *spelled = wb_path_dirname(r->a, wb_roots_respell(roots, r->a, g->file[from].path));

	for (uint32_t i = 0; i < g->nedge; i++) {
		const struct wb_edge *e = &g->edge[i];

		if (e->from != from || !e->name || e->name[0] != '/')
			continue;
		const char *rel = wb_twin_respell(r->a, roots, dir, e->name);
		if (!rel)
			continue;
		add_pair(r, strcmp(spelled, ".") == 0 ? rel : wb_arena_printf(r->a, "%s/%s", spelled, rel), e->name);
	}
}

/* Unity sources and other generated files keep their name: the new text shadows the file in the input root. */
static wb_status shadow_generated(struct rewriter *r, struct wb_err *err)
{
	const struct wb_command *cmd = r->in->cmd;
	const struct wb_roots *roots = r->in->roots;
	const char *header = cmd->pch_header ? wb_path_join(r->a, cmd->cwd, cmd->pch_header) : "";

	for (size_t i = 0; i < r->in->ngenerated; i++) {
		const struct wb_overlay_file *f = &r->in->generated[i];
		uint32_t id = graph_file(r, f->path);
		bool is_header = strcmp(f->path, header) == 0;
		size_t n;

		if (is_header && (r->twin || cmd->pch_role == WB_PCH_USE))
			continue;
		if (id != UINT32_MAX && cmd->pch_role == WB_PCH_USE && (r->in->graph->file[id].flags & WB_GRAPH_IN_PREFIX))
			continue; /* inside the PCH */
		char *text = wb_twin_text(r->a, &n, f->data, f->n, roots, wb_path_dirname(r->a, f->path), r->in->graph, id,
					  false);
		if (!text)
			continue;
		/* A PCH records the size of every file in it: a later local use would find another one on disk. */
		if (cmd->pch_role == WB_PCH_CREATE)
			return refuse(r, WB_REASON_GENERATED_ABSOLUTE, err, f->path);
		add_overlay(r, f->path, text, n);
		if (id != UINT32_MAX)
			map_included(r, id);
	}
	return wb_ok();
}

/* --- arguments ------------------------------------------------------------------------------------------------------------ */

static void note_unshareable(struct rewriter *r, const struct wb_arg *arg)
{
	const struct wb_roots *roots = r->in->roots;

	for (size_t i = 0; i < roots->nroot && r->out->shareable; i++)
		if (arg->value && strstr(arg->value, roots->root[i])) {
			r->out->shareable = false;
			r->out->unshareable_arg = arg_text(r, arg);
		}
}

/* "NAME=path" or "path". */
static const char *respell_named(const struct rewriter *r, const char *value)
{
	const char *eq = strchr(value, '=');

	if (!eq || memchr(value, '/', (size_t)(eq - value)))
		return respell(r, value);
	return wb_arena_printf(r->a, "%.*s=%s", (int)(eq - value), value, respell(r, eq + 1));
}

/* "old=new": the file names that the compiler sees have changed, so the left side must, too. */
static const char *respell_map(const struct rewriter *r, const char *value)
{
	const char *eq = strrchr(value, '=');

	if (!eq)
		return value;
	char *old = wb_arena_strndup(r->a, value, (size_t)(eq - value));
	const char *rel = wb_roots_respell(r->in->roots, r->a, old);

	return rel == old ? value : wb_arena_printf(r->a, "%s%s", rel, eq);
}

static const char *new_value(struct rewriter *r, const struct wb_arg *arg, const char **why)
{
	static const char relative[] = "relative to the action's directory: the same in every checkout";
	const struct wb_command *cmd = r->in->cmd;
	unsigned operand = arg->option ? arg->option->operand : arg->spelling ? WB_OPERAND_NONE : WB_OPERAND_FILE_IN;

	*why = relative;
	if (arg->option && arg->option->meaning == WB_MEAN_INCLUDE && r->twin && cmd->pch_header &&
	    strcmp(arg->value, cmd->pch_header) == 0) {
		*why = "the twin: this header with its absolute includes made relative";
		return r->twin;
	}
	switch (operand) {
	case WB_OPERAND_FILE_IN:
	case WB_OPERAND_DIR_IN:
	case WB_OPERAND_TREE_IN:
	case WB_OPERAND_FILE_OUT:
	case WB_OPERAND_DIR_OUT:
		return respell(r, arg->value);
	case WB_OPERAND_PATH_TEXT:
		/* A depfile target is a name for the build system: only an absolute one ties the action to the checkout. */
		return arg->value[0] == '/' ? wb_roots_respell(r->in->roots, r->a, arg->value) : arg->value;
	case WB_OPERAND_NAME_FILE_IN:
		return respell_named(r, arg->value);
	case WB_OPERAND_PREFIX_MAP:
		*why = "the left side follows the paths that it is meant to match";
		return respell_map(r, arg->value);
	default:
		return arg->value;
	}
}

static wb_status rewrite_arg(struct rewriter *r, const struct wb_arg *arg, struct wb_err *err)
{
	const struct wb_option *o = arg->option;
	const char *why;

	if (wb_recipe_owns(arg)) {
		/* Said again, in its final form, at the end. */
		add_step(r, arg, NULL, "replaced by the recipe's own flags at the end");
		return wb_ok();
	}
	if (o && o->meaning == WB_MEAN_WORKING_DIRECTORY)
		return refuse(r, WB_REASON_CANNOT_REBASE, err, arg_text(r, arg));
	if (o && o->meaning == WB_MEAN_COMPILATION_DIR)
		r->own_comp_dir = true;
	if (!arg->value) {
		keep(r, arg);
		return wb_ok();
	}
	struct wb_arg changed = *arg;
	changed.value = new_value(r, arg, &why);
	if (o && o->meaning == WB_MEAN_DEP_TARGET && changed.value != arg->value && !r->out->mapback.target.from)
		r->out->mapback.target = (struct wb_mapback_pair){changed.value, arg->value};
	if (o && o->operand == WB_OPERAND_TEXT)
		note_unshareable(r, arg);
	else if (o && o->meaning == WB_MEAN_PREFIX_MAP)
		note_unshareable(r, &changed);
	push(r, &changed);
	add_step(r, arg, &changed, strcmp(changed.value, arg->value) != 0 ? why : NULL);
	return wb_ok();
}

static void add_option(struct rewriter *r, const char *spelling, const char *value, unsigned where, const char *why)
{
	struct wb_arg arg = {
		.option = wb_option_named(spelling, where),
		.spelling = spelling,
		.value = value,
		.separate = true,
	};

	push(r, &arg);
	add_step(r, NULL, &arg, why);
}

/* Where the action's directory is not the command's, what the driver would derive from its cwd must be said. */
static wb_status make_explicit(struct rewriter *r, struct wb_err *err)
{
	const struct wb_command *cmd = r->in->cmd;
	const struct wb_roots *roots = r->in->roots;
	unsigned where = cmd->driver == WB_DRIVER_GCC ? WB_WHERE_GCC : WB_WHERE_CLANG;
	bool moved = strcmp(roots->cwd, roots->action_cwd) != 0;
	bool has_o = false;

	for (size_t i = 0; i < cmd->narg; i++)
		has_o |= cmd->arg[i].option && cmd->arg[i].option->meaning == WB_MEAN_OUTPUT;
	if (!has_o && moved && cmd->object)
		add_option(r, "-o", respell(r, cmd->object), where, "the default output follows the directory");
	if (cmd->depfile && !cmd->dep_target && cmd->object) {
		const char *target = respell(r, cmd->object);

		/* The default target is the output as it is spelled. */
		if (strcmp(target, cmd->object) != 0) {
			if (cmd->object[0] == '/')
				r->out->mapback.target = (struct wb_mapback_pair){target, cmd->object};
			else
				add_option(r, "-MT", cmd->object, where, "keeps the depfile's target");
		}
	}
	for (size_t i = 0; moved && i < cmd->noutput; i++)
		if (cmd->output[i].kind == WB_OUT_TEMP)
			return refuse(r, WB_REASON_CANNOT_REBASE, err, cmd->output[i].path);
	return wb_ok();
}

static wb_status list_outputs(struct rewriter *r, struct wb_err *err)
{
	const struct wb_command *cmd = r->in->cmd;
	const struct wb_roots *roots = r->in->roots;
	struct wb_rewrite *out = r->out;

	out->output = wb_arena_array(r->a, cmd->noutput, sizeof *out->output);
	for (size_t i = 0; i < cmd->noutput; i++) {
		const struct wb_output *o = &cmd->output[i];
		const char *real = wb_path_normal(r->a, wb_path_join(r->a, roots->cwd, o->path));
		const char *rel = wb_roots_respell(roots, r->a, o->path);

		if (rel[0] == '/')
			return refuse(r, WB_REASON_OUTPUT_OUTSIDE_ROOT, err, o->path);
		out->output[out->noutput++] = (struct wb_rewrite_output){
			.action_path = wb_path_normal(r->a, rel),
			.real_path = real,
			.kind = o->kind,
			.optional = o->optional,
		};
	}
	return wb_ok();
}

/* --- map back ------------------------------------------------------------------------------------------------------------- */

static int pair_cmp(const void *x, const void *y)
{
	const struct wb_mapback_pair *a = x, *b = y;

	return strcmp(a->from, b->from);
}

static void make_mapback(struct rewriter *r)
{
	const struct wb_graph *g = r->in->graph;
	size_t n = 0;

	for (uint32_t i = 0; g && i < g->nfile; i++)
		add_pair(r, wb_roots_respell(r->in->roots, r->a, g->file[i].path), g->file[i].path);
	if (r->npair > 0)
		qsort(r->pair, r->npair, sizeof *r->pair, pair_cmp);
	for (size_t i = 0; i < r->npair; i++)
		if (n == 0 || strcmp(r->pair[n - 1].from, r->pair[i].from) != 0)
			r->pair[n++] = r->pair[i];
	r->out->mapback.path = r->pair;
	r->out->mapback.npath = n;
}

/* --- all together --------------------------------------------------------------------------------------------------------- */

static void add_recipe(struct rewriter *r)
{
	struct wb_recipe_flag flag[WB_RECIPE_MAX];
	size_t n = wb_recipe_flags(flag, r->a, r->in, r->own_comp_dir);

	for (size_t i = 0; i < n; i++) {
		struct wb_arg arg = {.spelling = flag[i].text, .wrap = flag[i].cc1 ? WB_WRAP_XCLANG : WB_WRAP_NONE};

		push(r, &arg);
		add_step(r, NULL, &arg, flag[i].why);
	}
}

static void emit(struct rewriter *r)
{
	const struct wb_command *cmd = r->in->cmd;
	struct wb_argv argv = {0};

	wb_recipe_prefix(&argv, r->a, cmd->driver);
	wb_argv_push(&argv, r->a, r->in->tc->executable);
	for (size_t i = 0; i < r->narg; i++)
		wb_arg_emit(&argv, r->a, &r->arg[i]);
	r->out->argv = argv.v;
	r->out->argc = argv.n;
}

wb_status wb_rewrite(struct wb_rewrite *out, struct wb_arena *a, const struct wb_rewrite_in *in, enum wb_reason *reason,
		     struct wb_err *err)
{
	static const char *const no_env[] = {NULL};
	struct rewriter r = {.out = out, .a = a, .in = in};
	const struct wb_command *cmd = in->cmd;
	size_t end = cmd->narg; /* index of "--": what follows are inputs, and stays behind the recipe's flags */
	wb_status st = wb_ok();

	*out = (struct wb_rewrite){.shareable = true, .env = no_env};
	for (size_t i = 0; i < cmd->narg && end == cmd->narg; i++)
		if (cmd->arg[i].option && cmd->arg[i].option->meaning == WB_MEAN_END_OF_OPTIONS)
			end = i;
	find_twin(&r);
	st = shadow_generated(&r, err);
	for (size_t i = 0; i < end && wb_is_ok(st); i++)
		st = rewrite_arg(&r, &cmd->arg[i], err);
	if (wb_is_ok(st))
		st = make_explicit(&r, err);
	if (wb_is_ok(st))
		add_recipe(&r);
	for (size_t i = end; i < cmd->narg && wb_is_ok(st); i++)
		st = rewrite_arg(&r, &cmd->arg[i], err);
	if (wb_is_ok(st))
		st = list_outputs(&r, err);
	*reason = r.reason;
	if (!wb_is_ok(st))
		return st;
	if (in->paths == WB_PATHS_ABSOLUTE) {
		out->shareable = false;
		out->unshareable_arg = "paths = absolute";
	}
	make_mapback(&r);
	emit(&r);
	out->pch_header_action = r.twin ? r.twin : cmd->pch_header ? wb_roots_respell(in->roots, a, cmd->pch_header) : NULL;
	return wb_ok();
}
