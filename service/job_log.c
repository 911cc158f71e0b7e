#include "base/clock.h"
#include "service/build_log.h"
#include "service/job.h"

#include <string.h>

static enum wb_build_decision decision(const struct wb_job *j)
{
	switch (j->answer) {
	case WB_JOB_DONE:
		return j->hit ? WB_BUILD_HIT : WB_BUILD_EXECUTED;
	case WB_JOB_RUN_LOCAL:
		return !j->finished ? WB_BUILD_CANCELED : j->exit_code != 0 ? WB_BUILD_FAILED : WB_BUILD_LOCAL;
	default:
		return WB_BUILD_CANCELED;
	}
}

static const char *backend(const struct wb_job *j)
{
	if (j->answer != WB_JOB_DONE || !j->backend)
		return "";
	return j->call.remote ? "remote" : j->backend->name;
}

static void fill_times(struct wb_build_log_entry *e, const struct wb_job *j)
{
	const struct wb_record_times *t = &j->times;
	const struct wb_plan *p = &j->plan;

	e->ns[WB_BUILD_STAGE_COMMAND] = p->ns[WB_STAGE_COMMAND];
	e->ns[WB_BUILD_STAGE_TOOLCHAIN] = p->ns[WB_STAGE_TOOLCHAIN];
	e->ns[WB_BUILD_STAGE_SCAN] = p->ns[WB_STAGE_SCAN];
	e->ns[WB_BUILD_STAGE_INPUTS] = p->ns[WB_STAGE_INPUTS];
	e->ns[WB_BUILD_STAGE_REWRITE] = p->ns[WB_STAGE_REWRITE];
	e->ns[WB_BUILD_STAGE_TREE] = p->ns[WB_STAGE_ACTION];
	e->ns[WB_BUILD_STAGE_WAIT] = t->wait_ns;
	e->ns[WB_BUILD_STAGE_LOOKUP] = t->lookup_ns;
	e->ns[WB_BUILD_STAGE_PROVE] = t->prove_ns;
	e->ns[WB_BUILD_STAGE_UPLOAD] = t->upload_ns;
	e->ns[WB_BUILD_STAGE_QUEUE] = t->queue_ns;
	e->ns[WB_BUILD_STAGE_EXECUTE] = t->execute_ns;
	e->ns[WB_BUILD_STAGE_DOWNLOAD] = t->place_ns;
	e->ns[WB_BUILD_STAGE_LOCAL] = t->local_ns;
}

void wb_job_log(struct wb_job *j)
{
	if (j->logged || !j->req.config)
		return; /* a request that was refused is no job */
	j->logged = true;
	const struct wb_plan *p = &j->plan;
	char hex[WB_DIGEST_HEX];
	struct wb_build_log_entry e = {
	    .start_ns = j->started_wall_ns,
	    .end_ns = j->started_wall_ns + wb_clock_ns() - j->started_ns,
	    .bytes_up = j->call.remote_sent,
	    .bytes_down = j->call.remote_received,
	    .build = j->build,
	    .source = p->has_command && p->cmd.source ? p->cmd.source : j->what,
	    .output = j->object ? j->object : "",
	    .backend = backend(j),
	    .reason = j->answer == WB_JOB_RUN_LOCAL ? wb_reason_name(p->reason) : "",
	    .fallback = j->fallback != WB_REASON_NONE ? wb_reason_name(j->fallback) : "",
	    .worker = j->answer == WB_JOB_DONE && !j->hit ? j->call.worker : "",
	    .exit_code = j->exit_code,
	    .decision = decision(j),
	    .memo = j->memo,
	    .joined = j->joined,
	};

	if (p->reached >= WB_STAGE_ACTION || j->memo) {
		wb_digest_hex(hex, &j->call.action);
		e.action = hex;
	}
	fill_times(&e, j);
	wb_build_log_write(j->service->build_log, &e);
}
