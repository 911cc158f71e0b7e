#include "service/scan_unit.h"

#include "base/path.h"
#include "scanner/directives/compare.h"
#include "service/plan.h"
#include "service/scan_names.h"

#include <string.h>

uint64_t wb_scan_moment(void)
{
	static atomic_uint_fast64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

/* The request and its plan live together: a plan points at its request. */
static wb_status plan(struct wb_plan *p, struct wb_arena *a, const struct wb_scan_context *c,
		      const struct wb_scan_unit *unit, enum wb_stage last, struct wb_err *err)
{
	bool bare = last <= WB_STAGE_SCAN;
	const char *cwd = unit->cwd;
	struct wb_request *req = wb_arena_alloc(a, sizeof *req);

	/* Roots and inputs are told apart by their physical place. */
	if (!bare) {
		cwd = wb_path_real(a, unit->cwd);
		if (!cwd)
			return wb_fail(err, WB_ENOENT, "the directory %s does not exist", unit->cwd);
	}
	*req = (struct wb_request){.argv = unit->argv,
				   .cwd = cwd,
				   .env = c->env,
				   .config = c->config,
				   .umask = 022,
				   .cancel = c->cancel,
				   .engine = c->options->engine,
				   .once = c->once,
				   .listing = true,
				   .bare = bare};
	/* Digests are taken of the files as they are now: there an earlier look does not do. */
	if (bare)
		req->moment = c->moment;
	WB_TRY(wb_plan_make(p, a, c->service, req, last, err));
	if (p->reason == WB_REASON_NONE)
		return wb_ok();
	size_t n = strlen(p->reason_text);
	while (n > 0 && p->reason_text[n - 1] == '\n')
		n--;
	if (p->reason == WB_REASON_SCAN_ERROR && n > 0) /* here the text says it all */
		return wb_fail(err, WB_EUNSCANNABLE, "%.*s (%s)", (int)n, p->reason_text, wb_reason_name(p->reason));
	return wb_fail(err, WB_EUNSCANNABLE, "%s (%s)%s%.*s", wb_reason_text(p->reason), wb_reason_name(p->reason),
		       n > 0 ? ": " : "", (int)n, p->reason_text);
}

wb_status wb_scan_unit_plan(struct wb_plan *p, struct wb_arena *a, const struct wb_scan_context *c,
			    const struct wb_scan_unit *unit, struct wb_err *err)
{
	return plan(p, a, c, unit, WB_STAGE_SCAN, err);
}

/* Both engines, and every difference between what they say. One that refuses where the other answers differs too. */
static wb_status compare(struct wb_buf *out, bool *differs, struct wb_arena *a, const struct wb_scan_context *c,
			 const struct wb_scan_unit *unit, struct wb_err *err)
{
	static const char *const engine[] = {"clang", "directives"};
	struct wb_err why[2] = {WB_ERR_INIT, WB_ERR_INIT};
	enum wb_reason reason[2];
	struct wb_graph graph[2];
	struct wb_plan p;
	bool refused[2];
	size_t start = out->n;

	WB_TRY(plan(&p, a, c, unit, WB_STAGE_TOOLCHAIN, err));
	for (int i = 0; i < 2; i++) {
		struct wb_scan_request req = {
		    .cmd = &p.cmd, .tc = p.tc, .engine = engine[i], .moment = c->moment, .once = true};

		reason[i] = WB_REASON_NONE;
		refused[i] = !wb_is_ok(wb_scan(&graph[i], a, c->service->scanner, &req, &reason[i], &why[i]));
	}
	if (refused[0] && refused[1])
		return wb_fail(err, WB_EUNSCANNABLE, "engine %s: %s (%s); engine %s: %s (%s)", engine[0], why[0].text,
			       wb_reason_name(reason[0]), engine[1], why[1].text, wb_reason_name(reason[1]));
	if (unit->name)
		wb_buf_addf(out, "%s:\n", unit->name);
	size_t head = out->n;
	for (int i = 0; i < 2; i++)
		if (refused[i])
			wb_buf_addf(out, "engine %s: %s (%s)\n", engine[i], why[i].text, wb_reason_name(reason[i]));
	if (!refused[0] && !refused[1])
		wb_graph_compare(out, &graph[0], engine[0], &graph[1], engine[1], false);
	*differs = out->n > head;
	if (!*differs)
		out->n = start;
	return wb_ok();
}

wb_status wb_scan_unit(struct wb_buf *out, bool *differs, struct wb_arena *a, const struct wb_scan_context *c,
		       struct wb_scan_names *names, const struct wb_scan_unit *unit, struct wb_err *err)
{
	struct wb_plan p;

	*differs = false;
	if (c->options->both)
		return compare(out, differs, a, c, unit, err);
	/* Inputs beyond the include graph are needed for json alone. */
	bool json = c->options->format == WB_SCAN_JSON;
	WB_TRY(plan(&p, a, c, unit, json ? WB_STAGE_INPUTS : WB_STAGE_SCAN, err));
	if (json)
		wb_scan_text_json(out, &p);
	else if (c->options->format == WB_SCAN_PATHS)
		wb_scan_text_paths(out, a, names, &p);
	else
		wb_scan_text_make(out, a, names, &p);
	return wb_ok();
}
