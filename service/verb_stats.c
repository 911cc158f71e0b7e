#include "service/build_summary.h"
#include "service/stats.h"
#include "service/store.h"
#include "service/verbs.h"

#include <string.h>

static int last_build(struct wb_verb_call *c, bool json)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_build_jobs jobs;

	if (!wb_is_ok(wb_verb_last_build(&jobs, c, &err))) {
		wb_buf_addf(c->err_out, "waybill: %s\n", err.text);
		return 1;
	}
	(json ? wb_build_summary_print_json : wb_build_summary_print)(c->out, c->arena, &jobs);
	return 0;
}

wb_status wb_verb_last_build(struct wb_build_jobs *out, struct wb_verb_call *c, struct wb_err *err)
{
	return wb_build_log_last(out, c->arena, wb_arena_printf(c->arena, "%s/build-log", c->service->cache_dir), err);
}

int wb_verb_stats(struct wb_verb_call *c)
{
	struct wb_service *s = c->service;
	bool json = false, reset = false, last = false;

	for (size_t i = 0; c->args[i]; i++) {
		if (strcmp(c->args[i], "--json") == 0)
			json = true;
		else if (strcmp(c->args[i], "--reset") == 0)
			reset = true;
		else if (strcmp(c->args[i], "--last-build") == 0)
			last = true;
		else
			return wb_verb_usage(c, "stats [--json] [--reset | --last-build]");
	}
	if (last && reset)
		return wb_verb_usage(c, "stats [--json] [--reset | --last-build]");
	if (last)
		return last_build(c, json);
	if (json)
		wb_stats_print_json(c->out, s->stats, s->scanner, wb_store_bytes(s->store), wb_store_count(s->store));
	else if (!reset)
		wb_stats_print(c->out, s->stats, s->scanner, wb_store_bytes(s->store), wb_store_count(s->store));
	if (reset)
		wb_stats_reset(s->stats);
	return 0;
}
