#include "scanner/scan.h"

#include "base/arena.h"
#include "base/path.h"
#include "base/str.h"
#include "scanner/clang/engine_clang.h"
#include "scanner/directives/engine_directives.h"
#include "scanner/results.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* In the order of preference: the first that does not refuse answers. */
static wb_status (*const make_engine[])(struct wb_scan_engine **out, const char *shim,
					struct wb_err *err) = {wb_engine_directives_new, wb_engine_clang_new};
enum { ENGINES = sizeof make_engine / sizeof *make_engine };

struct wb_scanner {
	struct wb_scan_engine *engine[ENGINES];
	struct wb_results *results;
	atomic_uint_fast64_t doubted[WB_DOUBT_COUNT];
};

wb_status wb_scan_doubt(enum wb_reason *reason, struct wb_err *err, const char *what, const char *where)
{
	*reason = WB_REASON_SCAN_DOUBT;
	return wb_fail(err, WB_EUNSCANNABLE, "%s: %s", where[0] ? where : "the command", what);
}

static wb_status scan_anew(void *ctx, struct wb_graph *out, struct wb_arena *a, const struct wb_scan_request *req,
			   enum wb_reason *reason, struct wb_err *err);

wb_status wb_scanner_new(struct wb_scanner **out, const char *shim, struct wb_err *err)
{
	struct wb_scanner *s = wb_xcalloc(1, sizeof *s);
	for (size_t i = 0; i < ENGINES; i++) {
		wb_status status = make_engine[i](&s->engine[i], shim, err);
		if (!wb_is_ok(status)) {
			wb_scanner_free(s);
			return status;
		}
	}
	struct wb_results_source source = {.scan = scan_anew, .ctx = s, .engine = s->engine, .nengine = ENGINES};
	s->results = wb_results_new(&source, WB_RESULTS_BYTES);
	*out = s;
	return wb_ok();
}

void wb_scanner_free(struct wb_scanner *s)
{
	if (!s)
		return;
	wb_results_free(s->results);
	for (size_t i = 0; i < ENGINES; i++)
		if (s->engine[i])
			s->engine[i]->free(s->engine[i]);
	free(s);
}

wb_status wb_scanner_keep(struct wb_scanner *s, const char *path, const char *build, struct wb_err *err)
{
	for (size_t i = 0; i < ENGINES; i++)
		if (s->engine[i]->keep)
			WB_TRY(s->engine[i]->keep(s->engine[i], path, build, err));
	return wb_ok();
}

wb_status wb_scanner_check(struct wb_scanner *s, struct wb_err *err)
{
	for (size_t i = 0; i < ENGINES; i++)
		WB_TRY(s->engine[i]->check(s->engine[i], err));
	return wb_ok();
}

/* The first header that a source includes: gcc takes "x.h.gch" for it without being told; not while it makes one. NULL:
 * there is none. */
static const char *first_gch(const struct wb_graph *g, struct wb_arena *a, const struct wb_command *cmd)
{
	if (cmd->driver != WB_DRIVER_GCC || cmd->pch_role != WB_PCH_NONE)
		return NULL;
	for (uint32_t i = 0; i < g->nedge; i++) {
		const struct wb_edge *e = &g->edge[i];
		if (e->kind != WB_EDGE_HAS_INCLUDE && e->kind != WB_EDGE_EMBED &&
		    (e->from != UINT32_MAX || e->line != UINT32_MAX))
			return wb_arena_printf(a, "%s.gch", g->file[e->to].path);
	}
	return NULL;
}

/* Precompiled headers that would be taken if they were there are misses too: `gch`, and those beside forced includes.
 * (That none of the latter is there now, the parser of the command has seen.) */
static void add_pch_misses(struct wb_graph *g, struct wb_arena *a, const struct wb_command *cmd, const char *gch)
{
	size_t n = 0, cap = 2 * cmd->narg + g->nmiss + 1;
	const char **miss = wb_arena_array(a, cap + 1, sizeof *miss);
	if (gch)
		miss[n++] = gch;
	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];
		if (!arg->option || arg->option->meaning != WB_MEAN_INCLUDE || !arg->value || arg->wrap != WB_WRAP_NONE)
			continue;
		static const char *const suffix[] = {"pch", "gch"};
		for (size_t k = cmd->driver == WB_DRIVER_CLANG ? 0 : 1; k < 2; k++) {
			struct wb_stat_id id;
			const char *path = wb_arena_printf(a, "%s.%s", arg->value, suffix[k]);
			if (!wb_stat_id_get(&id, wb_path_join(a, cmd->cwd, path), true))
				miss[n++] = path;
		}
	}
	if (n == 0)
		return;
	if (g->nmiss)
		memcpy(miss + n, g->miss, g->nmiss * sizeof *miss);
	g->miss = miss;
	g->nmiss += n;
}

struct wb_results *wb_scanner_results(struct wb_scanner *s)
{
	return s->results;
}

uint64_t wb_scanner_fallback(const struct wb_scanner *s, enum wb_doubt d)
{
	return atomic_load_explicit(&s->doubted[d], memory_order_relaxed);
}

/* The first engine that is sure; one that is asked for by name is asked alone. */
static wb_status ask_engines(struct wb_graph *out, struct wb_arena *a, struct wb_scanner *s,
			     const struct wb_scan_request *req, enum wb_reason *reason, struct wb_err *err)
{
	wb_status status = {WB_EUNSCANNABLE};
	enum wb_doubt doubt = WB_DOUBT_NONE;
	bool named = req->engine && req->engine[0];
	*reason = WB_REASON_ENGINE;
	for (size_t i = 0; i < ENGINES; i++) {
		struct wb_scan_engine *e = s->engine[i];
		if (named && strcmp(req->engine, e->name) != 0)
			continue;
		*out = (struct wb_graph){.doubt = WB_DOUBT_NONE};
		status = e->scan(e, out, a, req, reason, err);
		if (status.code != WB_EUNSCANNABLE) {
			out->engine = e->name;
			break;
		}
		if (named || i + 1 == ENGINES)
			break;
		doubt = out->doubt;
		atomic_fetch_add_explicit(&s->doubted[doubt], 1, memory_order_relaxed);
	}
	out->doubt = doubt;
	return status;
}

/* What wb_scan is asked when nothing is known. */
static wb_status scan_anew(void *ctx, struct wb_graph *out, struct wb_arena *a, const struct wb_scan_request *req,
			   enum wb_reason *reason, struct wb_err *err)
{
	const struct wb_command *cmd = req->cmd;
	struct wb_stat_id id;
	WB_TRY(ask_engines(out, a, ctx, req, reason, err));
	const char *gch = first_gch(out, a, cmd);
	if (gch && wb_stat_id_get(&id, wb_path_join(a, cmd->cwd, gch), true)) {
		*reason = WB_REASON_SCAN_DOUBT;
		return wb_fail(err, WB_EUNSCANNABLE, "a precompiled header beside the first include of %s",
			       cmd->source);
	}
	add_pch_misses(out, a, cmd, gch);
	return wb_ok();
}

wb_status wb_scan(struct wb_graph *out, struct wb_arena *a, struct wb_scanner *s, const struct wb_scan_request *req,
		  enum wb_reason *reason, struct wb_err *err)
{
	const struct wb_command *cmd = req->cmd;
	if (cmd->reason != WB_REASON_NONE || !cmd->source) {
		*reason = cmd->reason != WB_REASON_NONE ? cmd->reason : WB_REASON_NO_SOURCE;
		return wb_fail(err, WB_EUNSCANNABLE, "%s", wb_reason_text(*reason));
	}
	if (cmd->lang != WB_LANG_C && cmd->lang != WB_LANG_CXX && cmd->lang != WB_LANG_ASM_CPP) {
		*reason = WB_REASON_LANGUAGE;
		return wb_fail(err, WB_EUNSCANNABLE, "%s: %s", cmd->source, wb_reason_text(*reason));
	}
	return wb_results_scan(out, a, s->results, req, reason, err);
}
