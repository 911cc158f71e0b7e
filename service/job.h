/* job.h — one compile request, from argv to reply. A job is used by one thread; its cancel flag may be set by another.
 *
 *   wb_job_run        decides, and delivers or asks the launcher to run something locally (then it holds a compile
 * slot) wb_job_local_done what the launcher reports after a local run wb_job_release    always; gives the slot back,
 * counts a client that went away */
#ifndef WB_SERVICE_JOB_H
#define WB_SERVICE_JOB_H

#include "base/arena.h"
#include "service/backend.h"
#include "service/build_id.h"
#include "service/plan.h"
#include "service/record.h"
#include "service/service.h"

struct wb_memo_answer;

enum wb_job_answer {
	WB_JOB_DONE,
	WB_JOB_RUN_LOCAL,
	WB_JOB_CANCELED,
};

/* Where a job is, for `waybill status`. */
enum wb_job_state {
	WB_JOB_PLANNING,
	WB_JOB_LOOKUP,
	WB_JOB_PROVING, /* asking a worker about its compiler and files */
	WB_JOB_UPLOAD,
	WB_JOB_QUEUED,
	WB_JOB_EXECUTING,
	WB_JOB_DOWNLOAD,
	WB_JOB_WAITING, /* for its turn to run locally */
	WB_JOB_LOCAL,
	WB_JOB_STATE_COUNT
};

/* What was tried last: a failure is blamed on it. */
enum wb_job_step { WB_STEP_PLAN, WB_STEP_LOOKUP, WB_STEP_PROVE, WB_STEP_UPLOAD, WB_STEP_EXECUTE, WB_STEP_DELIVER };

struct wb_job {
	struct wb_service *service;
	struct wb_arena arena;
	struct wb_request req;
	atomic_int state; /* enum wb_job_state; read it with wb_job_state */
	int64_t started_ns, started_wall_ns;
	const char
	    *what; /* source or argv[0], for `waybill status`; set once, before the job is shown to other threads */
	char
	    build[WB_BUILD_ID_MAX]; /* which build it belongs to (service/build_id.h); "" when no daemon runs the job */
	enum wb_job_step step;
	struct wb_stat_id compiler; /* argv[0], when it is a path, as it was before the plan was made */
	struct wb_plan plan;
	struct wb_record_times times;
	const struct wb_memo_answer *answer_known; /* held until the job is released */
	struct wb_backend_call call;
	struct wb_backend *backend; /* that gave the result, or was tried last */
	enum wb_reason fallback;    /* why it did not run on the cluster, NONE */
	bool hit, memo, joined;
	const char *object; /* absolute path of the main output, once it is known */

	enum wb_job_answer answer;
	/* WB_JOB_DONE */
	struct wb_buf out_text, err_text;
	int exit_code;
	/* WB_JOB_RUN_LOCAL */
	const char *const *argv; /* NULL: the original */
	const char *cwd;         /* NULL: the original */
	bool capture_stderr;
	enum wb_reason reason;
	bool holds_slot;
	bool verifying; /* the action failed: the local run decides whose fault it is */
	bool finished;  /* the launcher reported back */
	bool logged;
	int64_t local_started_ns;
};

void wb_job_init(struct wb_job *j, struct wb_service *s);
void wb_job_release(struct wb_job *j);

/* `j->req` is filled (memory in j->arena). Never fails: doubt means WB_JOB_RUN_LOCAL. */
void wb_job_run(struct wb_job *j);

/* The local run ended with `wait_status` (waitpid's) and wrote `err_text` (when it was captured). Appends the text that
 * the user must see to j->err_text. */
void wb_job_local_done(struct wb_job *j, int wait_status, const char *err_text, size_t n);

/* One line for the build log (job_log.c), once: before the client hears of the end, at the latest when it is released.
 */
void wb_job_log(struct wb_job *j);

/* Where it is now. Any thread. */
int wb_job_state(const struct wb_job *j);
const char *wb_job_state_name(int state);

#endif
