#include "service/build_trace.h"
#include "service/verbs.h"

#include <string.h>

/* `-o FILE` never gets here: the client writes what it is told to standard output, or to that file. */
int wb_verb_trace(struct wb_verb_call *c)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_build_jobs jobs;

	for (size_t i = 0; c->args[i]; i++)
		if (strcmp(c->args[i], "--last-build") != 0)
			return wb_verb_usage(c, "trace [--last-build] [-o FILE]");
	if (!wb_is_ok(wb_verb_last_build(&jobs, c, &err))) {
		wb_buf_addf(c->err_out, "waybill: %s\n", err.text);
		return 1;
	}
	wb_build_trace_print(c->out, c->arena, &jobs);
	return 0;
}
