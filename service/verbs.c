#include "service/verbs.h"

#include "base/path.h"
#include "service/action_cache.h"
#include "service/daemon.h"
#include "service/memo.h"
#include "service/record.h"
#include "service/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int wb_verb_usage(struct wb_verb_call *c, const char *text)
{
	wb_buf_addf(c->err_out, "usage: waybill %s\n", text);
	return 2;
}

static int report(struct wb_verb_call *c, wb_status s, const struct wb_err *err)
{
	if (wb_is_ok(s))
		return 0;
	wb_buf_addf(c->err_out, "waybill: %s\n", err->text);
	return 1;
}

static int verb_status(struct wb_verb_call *c)
{
	if (c->args[0])
		return wb_verb_usage(c, "status");
	wb_daemon_status(c->out, c->daemon);
	return 0;
}

static int verb_stop(struct wb_verb_call *c)
{
	if (c->args[0])
		return wb_verb_usage(c, "stop");
	c->stop = true;
	return 0;
}

static int verb_clear(struct wb_verb_call *c)
{
	struct wb_service *s = c->service;
	struct wb_err err = WB_ERR_INIT;
	wb_status st;

	if (c->args[0])
		return wb_verb_usage(c, "clear");
	wb_memo_clear(s->memo);
	st = wb_action_cache_clear(s->action_cache, &err);
	if (wb_is_ok(st))
		st = wb_store_clear(s->store, &err);
	if (wb_is_ok(st))
		st = wb_records_clear(s->records, &err);
	return report(c, st, &err);
}

static int verb_prune(struct wb_verb_call *c)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_config config = *c->config;
	int64_t freed = 0, limit = -1;

	if (c->args[0] && c->args[1])
		return wb_verb_usage(c, "prune [SIZE]");
	if (c->args[0]) {
		if (!wb_is_ok(wb_config_set(&config, c->arena, "cache_size", c->args[0], "prune", &err)))
			return report(c, (wb_status){WB_EINVAL}, &err);
		limit = wb_config_number(&config, WB_SET_CACHE_SIZE);
	}
	wb_status st = wb_store_prune(c->service->store, limit, &freed, &err);
	if (wb_is_ok(st))
		st = wb_action_cache_sweep(c->service->action_cache, &err);
	if (wb_is_ok(st))
		wb_buf_addf(c->out, "freed %" PRId64 " bytes, %" PRId64 " are left\n", freed,
			    wb_store_bytes(c->service->store));
	return report(c, st, &err);
}

static int verb_explain(struct wb_verb_call *c)
{
	struct wb_err err = WB_ERR_INIT;

	if (!c->args[0] || c->args[1])
		return wb_verb_usage(c, "explain FILE.o");
	const char *path = wb_path_normal(c->arena, wb_path_join(c->arena, c->cwd, c->args[0]));
	return report(c, wb_records_explain(c->out, c->service->records, c->arena, path, &err), &err);
}

bool wb_verb_command(struct wb_verb_call *c, const char *verb, const char **format, const char *const **argv)
{
	size_t i = 0;

	for (; c->args[i] && strcmp(c->args[i], "--") != 0; i++) {
		if (strncmp(c->args[i], "--format=", 9) != 0)
			break;
		*format = c->args[i] + 9;
	}
	if (!c->args[i] || strcmp(c->args[i], "--") != 0 || !c->args[i + 1]) {
		wb_buf_addf(c->err_out, "usage: waybill %s [--format=FORMAT] -- COMPILER ARGS...\n", verb);
		return false;
	}
	*argv = c->args + i + 1;
	return true;
}

int wb_verb_run(struct wb_verb_call *c, const char *verb)
{
	static const struct {
		const char *name;
		int (*run)(struct wb_verb_call *c);
	} table[] = {
	    {"stats", wb_verb_stats},   {"status", verb_status},   {"stop", verb_stop},  {"clear", verb_clear},
	    {"prune", verb_prune},      {"explain", verb_explain}, {"fix", wb_verb_fix}, {"scan", wb_verb_scan},
	    {"doctor", wb_verb_doctor}, {"trace", wb_verb_trace},  {"why", wb_verb_why},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(verb, table[i].name) == 0)
			return table[i].run(c);
	wb_buf_addf(c->err_out, "waybill: the daemon does not know the verb '%s'\n", verb);
	return 2;
}
