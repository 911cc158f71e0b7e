#include "service/plan.h"

#include "base/clock.h"
#include "base/fileio.h"
#include "base/path.h"
#include "scanner/environment.h"
#include "scanner/facts.h"
#include "service/slots.h"
#include "service/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STALE_RETRIES 4
#define GENERATED_MAX (16u << 20) /* bytes of one generated file whose includes may be rewritten */

const char *wb_stage_name(enum wb_stage s)
{
	static const char *const name[] = {"command", "toolchain", "scan", "inputs", "rewrite", "action"};

	return s < WB_STAGE_COUNT ? name[s] : "?";
}

static wb_status refuse(struct wb_plan *p, enum wb_reason reason, const char *text)
{
	p->reason = reason;
	snprintf(p->reason_text, sizeof p->reason_text, "%s", text ? text : "");
	return wb_ok();
}

/* WB_EUNSCANNABLE is an answer, not a failure. */
static wb_status settle(struct wb_plan *p, wb_status s, enum wb_reason reason, const struct wb_err *err)
{
	if (s.code != WB_EUNSCANNABLE)
		return s;
	return refuse(p, reason != WB_REASON_NONE ? reason : WB_REASON_INTERNAL, err ? err->text : "");
}

/* Reasons for a local run that say nothing about which files are read. */
static bool matters_to_listing(enum wb_reason reason)
{
	return reason != WB_REASON_NATIVE_TUNING && reason != WB_REASON_COVERAGE && reason != WB_REASON_TIME_TRACE;
}

static wb_status make_command(struct wb_plan *p, struct wb_arena *a, enum wb_driver driver, struct wb_err *err)
{
	const struct wb_request *req = p->req;

	WB_TRY(wb_command_parse(&p->cmd, a, req->argv, req->cwd, driver, err));
	p->has_command = true;
	if (req->listing && !matters_to_listing(p->cmd.reason))
		p->cmd.reason = WB_REASON_NONE;
	if (p->cmd.reason == WB_REASON_NONE)
		wb_environment_apply(&p->cmd, &p->env, a, req->env);
	if (p->cmd.reason != WB_REASON_NONE)
		return refuse(p, p->cmd.reason, p->cmd.reason_arg);
	return wb_ok();
}

static wb_status make_toolchain(struct wb_plan *p, struct wb_arena *a, struct wb_service *s, struct wb_err *err)
{
	const struct wb_request *req = p->req;
	enum wb_reason reason = WB_REASON_NONE;
	const char *path = wb_env_get(req->env, "PATH");
	wb_status st = wb_toolchain_get_at(&p->tc, s->toolchains, &p->cmd, path, req->moment, &reason, err);

	if (wb_is_ok(st)) {
		/* The file name said gcc, the compiler says clang (`c++` can be either): its grammar decides. */
		enum wb_driver driver = p->tc->compiler == WB_COMPILER_CLANG ? WB_DRIVER_CLANG : WB_DRIVER_GCC;

		if (driver != p->cmd.driver) {
			WB_TRY(make_command(p, a, driver, err));
			if (p->reason != WB_REASON_NONE)
				return wb_ok();
			st = wb_toolchain_get_at(&p->tc, s->toolchains, &p->cmd, path, req->moment, &reason, err);
		}
	}
	if (!wb_is_ok(st) || req->bare)
		return settle(p, st, reason, err);
	struct wb_roots_config cfg = {
	    .root = req->config->value[WB_SET_ROOT],
	    .system_dirs = req->config->value[WB_SET_SYSTEM_DIRS],
	    .home = wb_env_get(req->env, "HOME"),
	};
	st = wb_roots_find(&p->roots, a, &p->cmd, p->tc, &cfg, &reason, err);
	return settle(p, st, reason, err);
}

/* A PCH that another tool or a local run made must not enter an action; found out before the scan, which is dearer. */
static wb_status check_pch(struct wb_plan *p, struct wb_arena *a, struct wb_service *s, struct wb_err *err)
{
	struct wb_fact fact;

	if (p->cmd.pch_role != WB_PCH_USE)
		return wb_ok();
	const char *path = wb_path_join(a, p->cmd.cwd, p->cmd.pch_path);
	WB_TRY(wb_facts_digest(&fact, s->facts, a, path, err));
	p->recipe_pch =
	    fact.kind == WB_FILE_REGULAR && wb_facts_has_attribute(s->facts, &fact.digest, WB_ATTR_RECIPE_PCH);
	return wb_ok();
}

static wb_status make_scan(struct wb_plan *p, struct wb_arena *a, struct wb_service *s, struct wb_err *err)
{
	struct wb_scan_request req = {.cmd = &p->cmd,
				      .tc = p->tc,
				      .engine = p->req->engine,
				      .moment = p->look_again ? 0 : p->req->moment,
				      .once = p->req->once};
	enum wb_reason reason = WB_REASON_NONE;
	wb_status st = wb_scan(&p->graph, a, s->scanner, &req, &reason, err);

	if (s->stats) { /* `waybilld scan` counts nothing */
		wb_stats_add(s->stats, WB_COUNT_SCANS, 1);
		wb_stats_add(s->stats, WB_COUNT_SCAN_FALLBACKS, p->graph.doubt != WB_DOUBT_NONE);
	}
	if (!wb_is_ok(st))
		return settle(p, st, reason, err);
	if (p->graph.failed)
		return refuse(p, WB_REASON_SCAN_ERROR, p->graph.diagnostics);
	if (p->graph.modules)
		return refuse(p, WB_REASON_MODULES, "");
	if (p->req->bare)
		return wb_ok();
	/* clang reads the variable since version 16; what __TIMESTAMP__ makes of it differs between compilers. */
	bool epoch = wb_env_get(p->req->env, "SOURCE_DATE_EPOCH") != NULL &&
		     (p->tc->compiler == WB_COMPILER_GCC || p->tc->major >= 16);
	for (uint32_t i = 0; i < p->graph.nfile; i++) {
		const struct wb_graph_file *f = &p->graph.file[i];
		bool only_pch = p->recipe_pch && (f->flags & WB_GRAPH_IN_PREFIX);

		/* What lies inside the PCH was judged when the PCH was made. */
		if (only_pch || !(f->flags & WB_GRAPH_ENTERED))
			continue;
		if (!p->req->listing && ((f->flags & WB_GRAPH_TIMESTAMP) || ((f->flags & WB_GRAPH_TIME) && !epoch)))
			return refuse(p, WB_REASON_TIME_MACRO, f->path);
		if (f->flags & WB_GRAPH_INCBIN)
			return refuse(p, WB_REASON_INCBIN, f->path);
	}
	return wb_ok();
}

static int overlay_cmp(const void *x, const void *y)
{
	const struct wb_overlay_file *a = x, *b = y;

	return strcmp(a->path, b->path);
}

/* One of the files whose includes may have to be rewritten. `seen` (may be NULL) is what the scan saw: twin and graph
 * must speak of the same bytes. */
static wb_status read_one(struct wb_overlay_file *out, struct wb_arena *a, const char *path,
			  const struct wb_stat_id *seen, struct wb_err *err)
{
	struct wb_stat_id now;
	char *data;

	out->path = path;
	wb_status st = wb_file_read(&data, &out->n, a, path, GENERATED_MAX, err);
	if (st.code == WB_ENOENT)
		return wb_fail(err, WB_ESTALE, "%s vanished while it was being read", path);
	WB_TRY(st);
	out->data = data;
	if (seen && (!wb_stat_id_get(&now, path, true) || !wb_stat_id_eq(&now, seen)))
		return wb_fail(err, WB_ESTALE, "%s changed while it was being read", path);
	return wb_ok();
}

/* Files with an absolute include, and the header of a PCH. */
static bool *wanted_files(const struct wb_plan *p, struct wb_arena *a)
{
	const struct wb_graph *g = &p->graph;
	bool *want = wb_arena_alloc(a, g->nfile + (size_t)1);

	for (uint32_t i = 0; i < g->nedge; i++) {
		const struct wb_edge *e = &g->edge[i];

		if (e->from == UINT32_MAX) {
			if (p->cmd.pch_role != WB_PCH_NONE && e->kind == WB_EDGE_FORCED)
				want[e->to] = true;
		} else if (e->name && e->name[0] == '/') {
			want[e->from] = true;
		}
	}
	if (p->cmd.pch_role == WB_PCH_CREATE)
		want[0] = true; /* a header compiled by its own name */
	return want;
}

static wb_status read_generated(struct wb_plan *p, struct wb_arena *a, struct wb_overlay_file **out, size_t *n,
				struct wb_err *err)
{
	const struct wb_graph *g = &p->graph;

	*n = 0;
	*out = wb_arena_array(a, g->nfile + (size_t)1, sizeof **out);
	if (g->nfile == 0) { /* no graph: the name of the PCH header's twin needs its bytes all the same */
		if (p->cmd.pch_header) {
			WB_TRY(read_one(*out, a, wb_path_join(a, p->cmd.cwd, p->cmd.pch_header), NULL, err));
			*n = 1;
		}
		return wb_ok();
	}
	const bool *want = wanted_files(p, a);
	for (uint32_t i = 0; i < g->nfile; i++) {
		if (!want[i])
			continue;
		WB_TRY(read_one(&(*out)[*n], a, wb_path_join(a, p->cmd.cwd, g->file[i].path), &g->file[i].id, err));
		(*n)++;
	}
	qsort(*out, *n, sizeof **out, overlay_cmp);
	return wb_ok();
}

static wb_status make_rewrite(struct wb_plan *p, struct wb_arena *a, struct wb_err *err)
{
	enum wb_reason reason = WB_REASON_NONE;
	struct wb_overlay_file *generated;
	size_t n;

	WB_TRY(read_generated(p, a, &generated, &n, err));
	struct wb_rewrite_in in = {
	    .cmd = &p->cmd,
	    .tc = p->tc,
	    .roots = &p->roots,
	    .graph = p->graph.nfile > 0 ? &p->graph : NULL,
	    .paths = wb_config_is(p->req->config, WB_SET_PATHS, "absolute") ? WB_PATHS_ABSOLUTE : WB_PATHS_RELATIVE,
	    .generated = generated,
	    .ngenerated = n,
	};
	return settle(p, wb_rewrite(&p->rewrite, a, &in, &reason, err), reason, err);
}

bool wb_plan_rewrite_for_local(struct wb_plan *p, struct wb_arena *a, struct wb_service *s)
{
	struct wb_plan copy = *p;

	if (p->reached >= WB_STAGE_REWRITE)
		return true;
	if (!p->has_command)
		return false;
	copy.reason = copy.cmd.reason = WB_REASON_NONE;
	if (!copy.tc && (!wb_is_ok(make_toolchain(&copy, a, s, NULL)) || copy.reason != WB_REASON_NONE))
		return false;
	if (!wb_is_ok(make_rewrite(&copy, a, NULL)) || copy.reason != WB_REASON_NONE)
		return false;
	p->tc = copy.tc;
	p->roots = copy.roots;
	p->rewrite = copy.rewrite;
	return true;
}

/* Leave out the outputs that nobody has made a directory for yet. */
static void drop_homeless_outputs(struct wb_command *cmd, struct wb_arena *a)
{
	struct wb_output *kept = wb_arena_array(a, cmd->noutput + 1, sizeof *kept);
	size_t n = 0;

	for (size_t i = 0; i < cmd->noutput; i++) {
		struct wb_stat_id id;
		const char *dir = wb_path_dirname(a, wb_path_join(a, cmd->cwd, cmd->output[i].path));

		if (wb_stat_id_get(&id, dir, true))
			kept[n++] = cmd->output[i];
	}
	cmd->output = kept;
	cmd->noutput = n;
}

static wb_status make_inputs(struct wb_plan *p, struct wb_arena *a, struct wb_service *s, struct wb_err *err)
{
	enum wb_reason reason = WB_REASON_NONE;
	struct wb_command cmd = p->cmd;

	if (p->req->listing)
		drop_homeless_outputs(&cmd, a);
	wb_status st = wb_inputs_collect(&p->inputs, a, s->facts, &cmd, p->tc, &p->roots, &p->graph, &reason, err);

	return settle(p, st, reason, err);
}

static wb_status make_action(struct wb_plan *p, struct wb_arena *a, struct wb_service *s, struct wb_err *err)
{
	struct wb_action_in in = {
	    .rewrite = &p->rewrite,
	    .inputs = &p->inputs,
	    .roots = &p->roots,
	    .tc = p->tc,
	    .env = p->env,
	    .directories = s->directories,
	    .platform = p->req->config->value[WB_SET_PLATFORM],
	};

	return settle(p, wb_action_build(&p->action, a, &in, err), WB_REASON_OUTPUT_OUTSIDE_ROOT, err);
}

/* Would this compiler have coloured what it writes to the caller's stderr? clang: -f[no-]color-diagnostics, else a
 * terminal that is not dumb, unless NO_COLOR; gcc: the same, with GCC_COLORS="" as off. */
static bool wants_color(const struct wb_plan *p)
{
	const struct wb_request *req = p->req;
	const char *term = wb_env_get(req->env, "TERM");
	const char *gcc = wb_env_get(req->env, "GCC_COLORS");

	if (p->cmd.color == 0 || p->cmd.color == 1)
		return p->cmd.color == 1;
	if (!req->stderr_is_terminal || !term || !*term || strcmp(term, "dumb") == 0)
		return false;
	if (p->cmd.driver == WB_DRIVER_GCC)
		return !(gcc && !*gcc);
	return wb_env_get(req->env, "NO_COLOR") == NULL;
}

/* Stages from the scan on, once. WB_ESTALE: something changed on the way. */
static wb_status scan_to_action(struct wb_plan *p, struct wb_arena *a, struct wb_service *s, enum wb_stage last,
				struct wb_err *err)
{
	for (enum wb_stage stage = WB_STAGE_SCAN; stage <= last; stage++) {
		int64_t t0 = wb_clock_ns();
		wb_status st;

		switch (stage) {
		case WB_STAGE_SCAN:
			st = make_scan(p, a, s, err);
			break;
		case WB_STAGE_INPUTS:
			st = make_inputs(p, a, s, err);
			break;
		case WB_STAGE_REWRITE:
			st = make_rewrite(p, a, err);
			break;
		default:
			st = make_action(p, a, s, err);
			break;
		}
		p->ns[stage] += wb_clock_ns() - t0;
		WB_TRY(st);
		if (p->reason != WB_REASON_NONE)
			return wb_ok();
		p->reached = stage;
	}
	return wb_ok();
}

static wb_status from_scan(struct wb_plan *p, struct wb_arena *a, struct wb_service *s, enum wb_stage last,
			   struct wb_err *err)
{
	for (int attempt = 0; attempt < STALE_RETRIES; attempt++) {
		wb_status st = scan_to_action(p, a, s, last, err);

		if (st.code != WB_ESTALE)
			return st;
		p->look_again = true;
	}
	return refuse(p, WB_REASON_INPUT_CHANGED, err->text);
}

wb_status wb_plan_make(struct wb_plan *p, struct wb_arena *a, struct wb_service *s, const struct wb_request *req,
		       enum wb_stage last, struct wb_err *err)
{
	int64_t t0 = wb_clock_ns();

	*p = (struct wb_plan){.req = req, .reason = WB_REASON_NONE};
	WB_TRY(make_command(p, a, wb_driver_guess(req->argv[0]), err));
	p->ns[WB_STAGE_COMMAND] = wb_clock_ns() - t0;
	p->want_color = wants_color(p);
	/* Also for commands that run locally: their depfile must be mapped when the PCH is a recipe's. */
	if (!req->bare)
		WB_TRY(check_pch(p, a, s, err));
	if (p->reason != WB_REASON_NONE || last == WB_STAGE_COMMAND)
		return wb_ok();

	t0 = wb_clock_ns();
	WB_TRY(make_toolchain(p, a, s, err));
	p->ns[WB_STAGE_TOOLCHAIN] = wb_clock_ns() - t0;
	if (p->reason != WB_REASON_NONE)
		return wb_ok();
	p->want_color = wants_color(p); /* the driver may have been corrected */
	p->reached = WB_STAGE_TOOLCHAIN;
	if (last == WB_STAGE_TOOLCHAIN)
		return wb_ok();

	WB_TRY(wb_slots_take(s->scan_slots, req->cancel, err));
	wb_status st = from_scan(p, a, s, last, err);
	wb_slots_give(s->scan_slots);
	return st;
}
