#include "service/scan_database.h"
#include "service/scan_names.h"
#include "service/scan_run.h"
#include "service/verbs.h"

/* One command: what a database's entry would give, without the array around JSON. */
static int scan_command(struct wb_verb_call *c, const struct wb_scan_options *o)
{
	struct wb_scan_context context = {.service = c->service,
					  .config = c->config,
					  .env = c->env,
					  .cancel = c->cancel,
					  .options = o,
					  .moment = wb_scan_moment(),
					  .once = !c->daemon};
	struct wb_scan_unit unit = {.argv = o->command, .cwd = c->cwd};
	struct wb_err err = WB_ERR_INIT;
	struct wb_scan_names names;
	bool differs;

	wb_scan_names_init(&names);
	wb_status st = wb_scan_unit(c->out, &differs, c->arena, &context, &names, &unit, &err);
	wb_scan_names_release(&names);
	if (!wb_is_ok(st)) {
		wb_buf_addf(c->err_out, "%s: %s\n", wb_scan_program(c), err.text);
		return 1;
	}
	if (o->format == WB_SCAN_JSON)
		wb_buf_addc(c->out, '\n');
	return differs;
}

int wb_verb_scan(struct wb_verb_call *c)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_scan_options o;

	if (!wb_is_ok(wb_scan_options_parse(&o, c->arena, WB_SCAN_VERB_SCAN, c->args, &err))) {
		wb_buf_addf(c->err_out, "%s: scan: %s\n", wb_scan_program(c), err.text);
		return 2;
	}
	return o.database ? wb_scan_database(c, &o) : scan_command(c, &o);
}
