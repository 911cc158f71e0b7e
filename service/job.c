#define _GNU_SOURCE
#include "service/job.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"
#include "reapi/messages.h"
#include "service/delivery.h"
#include "service/inflight.h"
#include "service/memo.h"
#include "service/slots.h"
#include "service/stats.h"
#include "service/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define EXECUTE_ATTEMPTS 3
#define DOUBT_NS         60000000000LL /* a worker that lets a job wait in vain for so long is asked again */

const char *wb_job_state_name(int state)
{
	static const char *const name[] = {"planning",  "looking up",  "proving", "uploading", "queued",
					   "executing", "downloading", "waiting", "local"};

	return state >= 0 && state < WB_JOB_STATE_COUNT ? name[state] : "?";
}

int wb_job_state(const struct wb_job *j)
{
	int state = atomic_load(&j->state);

	if (state == WB_JOB_EXECUTING &&
	    atomic_load(&j->call.stage) != BUILD__BAZEL__REMOTE__EXECUTION__V2__EXECUTION_STAGE__VALUE__EXECUTING)
		return WB_JOB_QUEUED;
	return state;
}

void wb_job_init(struct wb_job *j, struct wb_service *s)
{
	memset(j, 0, sizeof *j);
	j->service = s;
	j->started_ns = wb_clock_ns();
	j->started_wall_ns = wb_clock_wall_ns();
	j->what = "";
	wb_arena_init(&j->arena);
}

void wb_job_release(struct wb_job *j)
{
	if (j->holds_slot)
		wb_slots_give(j->service->compile_slots);
	if (j->answer == WB_JOB_CANCELED || (j->answer == WB_JOB_RUN_LOCAL && !j->finished))
		wb_stats_add(j->service->stats, WB_COUNT_CANCELED, 1);
	wb_job_log(j);
	wb_memo_release(j->service->memo, j->answer_known);
	wb_buf_release(&j->out_text);
	wb_buf_release(&j->err_text);
	wb_arena_release(&j->arena);
}

/* A local use of a recipe PCH writes /proc/self/cwd/ paths; without a rewrite there is still the prefix. */
static struct wb_mapback local_mapback(struct wb_job *j)
{
	const struct wb_plan *p = &j->plan;
	struct wb_mapback m = {0};

	if (p->rewrite.argv)
		m = p->rewrite.mapback;
	if (j->cwd && m.nprefix == 0) {
		/* It ran in another directory: what no table knows must not be taken as relative to the caller's. */
		struct wb_mapback_pair *up = wb_arena_alloc(&j->arena, sizeof *up);

		*up = (struct wb_mapback_pair){"../",
					       wb_arena_printf(&j->arena, "%s/", wb_path_dirname(&j->arena, j->cwd))};
		m.prefix = up;
		m.nprefix = 1;
	}
	return m;
}

/* The compiler writes to a pipe when its text must be mapped: say the colour that it would have chosen itself. */
static const char *const *with_color(struct wb_job *j, const char *const *argv)
{
	const struct wb_plan *p = &j->plan;
	struct wb_argv out = {0};
	bool clang = p->cmd.driver == WB_DRIVER_CLANG;

	wb_argv_push(&out, &j->arena, argv[0]);
	wb_argv_push(&out, &j->arena, clang ? "-fcolor-diagnostics" : "-fdiagnostics-color=always");
	for (size_t i = 1; argv[i]; i++)
		wb_argv_push(&out, &j->arena, argv[i]);
	return out.v;
}

/* Have the launcher run the command. A use of a recipe PCH needs care (docs/pch.md): from another directory than the
 * action's the original command would define every `#pragma once` header twice, so the rewritten one runs there; and
 * both write paths that must be mapped back. */
static void run_local(struct wb_job *j, enum wb_reason reason, const char *text)
{
	struct wb_plan *p = &j->plan;

	j->reason = reason;
	p->reason = reason;
	if (text && text != p->reason_text)
		snprintf(p->reason_text, sizeof p->reason_text, "%s", text);
	atomic_store(&j->state, WB_JOB_WAITING);
	int64_t t0 = wb_clock_ns();
	wb_status taken = wb_slots_take(j->service->compile_slots, j->req.cancel, NULL);
	j->times.wait_ns += wb_clock_ns() - t0;
	if (!wb_is_ok(taken)) {
		j->answer = WB_JOB_CANCELED;
		return;
	}
	j->local_started_ns = wb_clock_ns();
	j->holds_slot = true;
	j->answer = WB_JOB_RUN_LOCAL;
	atomic_store(&j->state, WB_JOB_LOCAL);
	if (p->has_command && p->recipe_pch && p->cmd.pch_role == WB_PCH_USE) {
		j->capture_stderr = true;
		if (wb_plan_rewrite_for_local(p, &j->arena, j->service) &&
		    strcmp(p->roots.cwd, p->roots.action_cwd) != 0) {
			j->argv = p->rewrite.argv;
			j->cwd = p->roots.action_cwd;
		} else if (p->want_color) {
			j->argv = with_color(j, j->req.argv);
		}
	}
	if (!j->verifying) {
		wb_stats_add(j->service->stats, WB_COUNT_LOCAL, 1);
		wb_stats_add_reason(j->service->stats, reason);
		wb_records_write(j->service->records, p, WB_DECISION_LOCAL, &j->times);
	}
	wb_log(WB_LOG_INFO, "local (%s%s%s): %s", wb_reason_name(reason), p->reason_text[0] ? ": " : "", p->reason_text,
	       p->has_command && p->cmd.source ? p->cmd.source : j->req.argv[0]);
}

/* Why the pipe stopped after the plan, as a reason for a local run. */
static enum wb_reason failure_reason(const struct wb_job *j, wb_status s)
{
	if (s.code == WB_ESTALE)
		return WB_REASON_INPUT_CHANGED;
	switch (j->step) {
	case WB_STEP_PLAN:
		return WB_REASON_INTERNAL;
	case WB_STEP_PROVE:
	case WB_STEP_LOOKUP:
	case WB_STEP_UPLOAD:
		return WB_REASON_STORE;
	case WB_STEP_EXECUTE:
		return s.code == WB_ENOSPC || s.code == WB_ENOENT || s.code == WB_ECORRUPT ? WB_REASON_STORE
		       : s.code == WB_EUNSUPPORTED                                         ? WB_REASON_SANDBOX
											   : WB_REASON_BACKEND;
	default:
		return s.code == WB_EPROTO                            ? WB_REASON_OUTPUT_MISSING
		       : s.code == WB_ENOENT || s.code == WB_ECORRUPT ? WB_REASON_STORE
								      : WB_REASON_OUTPUT_WRITE;
	}
}

/* Why a job that a cluster could not do may be done in this machine's sandbox instead; NONE: it may not. */
static enum wb_reason fallback_reason(const struct wb_job *j, wb_status s)
{
	if (j->backend != j->service->backend_remote)
		return WB_REASON_NONE;
	switch (s.code) {
	case WB_EUNAVAILABLE:
		return WB_REASON_REMOTE_DOWN;
	case WB_EREFUSED:
	case WB_ELIMIT:
		return WB_REASON_REMOTE_REFUSED;
	case WB_EPROTO:
	case WB_ENOENT: /* it keeps losing blobs */
	case WB_ECORRUPT:
		return WB_REASON_REMOTE_PROTOCOL;
	case WB_EUNSCANNABLE:
		return j->fallback;
	default:
		return WB_REASON_NONE;
	}
}

static wb_status deliver(struct wb_job *j, const struct wb_delivery *d, const struct wb_action_result *r,
			 struct wb_err *err)
{
	struct wb_service *s = j->service;
	struct wb_delivered done;
	int64_t t0 = wb_clock_ns();

	j->step = WB_STEP_DELIVER;
	atomic_store(&j->state, WB_JOB_DOWNLOAD);
	wb_status st = wb_deliver(&done, &j->arena, j->backend, &j->call, s->facts, d, r, err);

	j->times.place_ns += wb_clock_ns() - t0;
	if (wb_is_ok(st)) {
		if (d->pch_create)
			wb_stats_add(s->stats, WB_COUNT_PCH_CREATED, 1);
		if (d->pch_use)
			wb_stats_add(s->stats, WB_COUNT_PCH_USED, 1);
		wb_buf_add(&j->out_text, done.out_text.p, done.out_text.n);
		wb_buf_add(&j->err_text, done.err_text.p, done.err_text.n);
		j->exit_code = 0;
		j->answer = WB_JOB_DONE;
	}
	wb_buf_release(&done.out_text);
	wb_buf_release(&done.err_text);
	return st;
}

/* The cached result, delivered. WB_ENOENT: a miss (also when the cached result cannot be delivered whole: then nobody
 * must be served from that cache entry again). */
static wb_status from_cache(struct wb_job *j, const struct wb_delivery *d, struct wb_err *err)
{
	struct wb_action_result r;
	int64_t t0 = wb_clock_ns();

	j->step = WB_STEP_LOOKUP;
	atomic_store(&j->state, WB_JOB_LOOKUP);
	j->call.inline_file = wb_delivery_inline(&j->arena, d, &j->call.ninline_file);
	wb_status st = j->backend->lookup(j->backend, &r, &j->arena, &j->call, err);

	j->times.lookup_ns += wb_clock_ns() - t0;
	if (!wb_is_ok(st))
		return st;
	if (r.exit_code == 0) {
		st = deliver(j, d, &r, err);
		if (st.code != WB_ENOENT && st.code != WB_ECORRUPT && st.code != WB_EPROTO)
			return st;
	}
	j->call.skip_cache = true;
	return wb_fail(err, WB_ENOENT,
		       r.exit_code != 0 ? "the cache holds a failed action" : "the cached result is not whole");
}

static bool from_memo(struct wb_job *j, const struct wb_digest *key)
{
	struct wb_service *s = j->service;
	struct wb_err err = WB_ERR_INIT;

	j->answer_known = wb_memo_find(s->memo, key, j->started_ns);
	if (!j->answer_known)
		return false;
	j->call.action = j->answer_known->action;
	j->object = j->answer_known->delivery.object;
	if (!wb_is_ok(from_cache(j, &j->answer_known->delivery, &err)))
		return false; /* the long way finds out what is wrong */
	j->hit = j->memo = true;
	return true;
}

static wb_status check_worker(struct wb_job *j, struct wb_err *err)
{
	struct wb_worker_report report;
	enum wb_reason reason;
	int64_t t0 = wb_clock_ns();

	j->step = WB_STEP_PROVE;
	atomic_store(&j->state, WB_JOB_PROVING);
	wb_status st =
	    wb_workers_check(j->service->workers, &j->arena, j->backend, &j->call, &j->plan, &report, &reason, err);

	if (st.code == WB_EUNSCANNABLE)
		j->fallback = reason;
	wb_stats_add(j->service->stats, WB_COUNT_PROBES, report.probes);
	j->times.prove_ns += wb_clock_ns() - t0;
	return st;
}

static wb_status execute(struct wb_job *j, struct wb_action_result *r, struct wb_err *err)
{
	struct wb_plan *p = &j->plan;
	struct wb_backend *b = j->backend;
	int64_t t0 = wb_clock_ns(), queued = j->call.queued_ns, ran = j->call.ran_ns;

	j->step = WB_STEP_UPLOAD;
	atomic_store(&j->state, WB_JOB_UPLOAD);
	wb_status st = b->upload(b, &j->call, p->action.blob, p->action.nblob, err);

	j->times.upload_ns += wb_clock_ns() - t0;
	WB_TRY(st);
	t0 = wb_clock_ns();
	j->step = WB_STEP_EXECUTE;
	atomic_store(&j->call.stage, 0);
	atomic_store(&j->state, WB_JOB_EXECUTING);
	st = b->execute(b, r, &j->arena, &j->call, err);
	if (b->worker && st.code == WB_EUNAVAILABLE && wb_clock_ns() - t0 > DOUBT_NS)
		wb_workers_doubt(j->service->workers, p);
	queued = j->call.queued_ns - queued;
	ran = j->call.ran_ns - ran;
	/* A cluster that keeps its times to itself: all of it was execution, as far as anybody can tell. */
	j->times.queue_ns += queued;
	j->times.execute_ns += ran > 0 ? ran : wb_clock_ns() - t0 - queued;
	return st;
}

static bool says(const struct wb_action_result *r, const char *words)
{
	return r->err_len > 0 && memmem(r->err_text, r->err_len, words, strlen(words)) != NULL;
}

/* Did a compiler say what is wrong with its input? All of them have this word in an error, whatever else they say; but
 * they use it for the troubles of their machine too. */
static bool compiler_spoke(const struct wb_action_result *r)
{
	static const char *const trouble[] = {"No space left on device", "Cannot allocate memory", "out of memory",
					      "virtual memory exhausted", "Input/output error"};

	for (size_t i = 0; i < sizeof trouble / sizeof *trouble; i++)
		if (says(r, trouble[i]))
			return false;
	return says(r, "error:");
}

/* One try from the look-up to the delivery. WB_ESTALE: an input changed on the way, plan again. WB_ENOENT/WB_ECORRUPT:
 * a blob was missing or damaged, execute again. */
static wb_status attempt(struct wb_job *j, struct wb_delivery *d, struct wb_err *err)
{
	struct wb_action_result r;
	wb_status st = j->call.skip_cache ? (wb_status){WB_ENOENT} : from_cache(j, d, err);

	j->hit = wb_is_ok(st);
	if (st.code != WB_ENOENT)
		return st;
	if (j->backend->worker)
		WB_TRY(check_worker(j, err));
	WB_TRY(execute(j, &r, err));
	if (r.exit_code != 0 && j->backend->worker && !compiler_spoke(&r)) {
		/* The worker's fault rather than the source's: no compiler, no memory, killed. */
		j->fallback = WB_REASON_REMOTE_FAILED;
		return wb_fail(err, WB_EUNSCANNABLE, "the action ended with exit code %d on the worker: %.*s",
			       r.exit_code, r.err_len < 400 ? (int)r.err_len : 400, r.err_text);
	}
	if (r.exit_code != 0) {
		/* What the user sees must be the compiler's own words: it speaks in the local run. */
		j->verifying = true;
		run_local(j, WB_REASON_COMPILE_FAILED, "");
		return wb_ok();
	}
	st = deliver(j, d, &r, err);
	if (wb_is_ok(st)) {
		wb_stats_add(j->service->stats, WB_COUNT_EXECUTED, 1);
		if (j->call.remote)
			wb_stats_add(j->service->stats, WB_COUNT_REMOTE_EXECUTED, 1);
	}
	return st;
}

static wb_status attempt_once(struct wb_job *j, struct wb_delivery *d, struct wb_err *err)
{
	struct wb_service *s = j->service;
	int64_t t0 = wb_clock_ns();
	bool owner = wb_inflight_enter(s->inflight, &j->call.action, j->req.cancel);

	j->times.wait_ns += wb_clock_ns() - t0;
	if (!owner && !j->joined) {
		wb_stats_add(s->stats, WB_COUNT_JOINED, 1);
		j->joined = true;
	}
	wb_status st = attempt(j, d, err);
	if (owner)
		wb_inflight_leave(s->inflight, &j->call.action);
	return st;
}

static const char *compiler_path(struct wb_job *j)
{
	return wb_path_join(&j->arena, j->req.cwd, j->req.argv[0]);
}

/* The compiler's own file is checked by the name that was given (links may be turned elsewhere), as it was before the
 * plan looked at it: one that is turned while the compile runs must not be taken for the one that was used. A name that
 * PATH resolves could begin to mean another file without any file changing, so such requests are planned each time. */
static void remember(struct wb_job *j, const struct wb_digest *key, const struct wb_delivery *d)
{
	const struct wb_plan *p = &j->plan;
	struct wb_check compiler = {.id = j->compiler, .follow = true};

	if (!strchr(j->req.argv[0], '/'))
		return;
	compiler.path = compiler_path(j);
	wb_memo_keep(j->service->memo, key, p->tc, &p->action.digest, d, p->inputs.check, p->inputs.ncheck, &compiler);
}

static wb_status plan(struct wb_job *j, struct wb_err *err)
{
	struct wb_service *s = j->service;
	struct wb_plan *p = &j->plan;

	j->step = WB_STEP_PLAN;
	atomic_store(&j->state, WB_JOB_PLANNING);
	if (strchr(j->req.argv[0], '/'))
		wb_stat_id_get(&j->compiler, compiler_path(j), true);
	wb_status st = wb_plan_make(p, &j->arena, s, &j->req, WB_STAGE_ACTION, err);
	if (!wb_is_ok(st))
		return st;
	wb_stats_add(s->stats, WB_COUNT_UNKNOWN_OPTIONS, p->cmd.unknown);
	j->call.action = p->action.digest;
	j->call.platform_dirs = p->roots.system;
	j->call.nplatform_dirs = p->roots.nsystem;
	j->call.skip_cache = j->call.again = false;
	return wb_ok();
}

/* From here on the job is this machine's. */
static void fall_back(struct wb_job *j, enum wb_reason reason, const struct wb_err *err)
{
	wb_log(WB_LOG_INFO, "in the sandbox instead of the cluster (%s: %s): %s", wb_reason_name(reason), err->text,
	       j->what);
	wb_stats_add(j->service->stats, WB_COUNT_FALLBACKS, 1);
	wb_stats_add_fallback(j->service->stats, reason);
	j->fallback = reason;
	j->backend = j->service->backend_local;
	j->call.skip_cache = j->call.again = false;
}

static wb_status run(struct wb_job *j, const struct wb_digest *key, struct wb_err *err)
{
	struct wb_plan *p = &j->plan;
	struct wb_delivery d;
	bool planned = false;

	for (int tries = 1;; tries++) {
		if (!planned) {
			WB_TRY(plan(j, err));
			if (p->reason != WB_REASON_NONE) {
				run_local(j, p->reason, p->reason_text);
				return wb_ok();
			}
			wb_delivery_of_plan(&d, &j->arena, p);
			j->object = d.object;
			planned = true;
		}
		wb_status st = attempt_once(j, &d, err);
		if (wb_is_ok(st)) {
			if (j->answer == WB_JOB_DONE) {
				remember(j, key, &d);
				wb_records_write(j->service->records, p,
						 j->hit ? WB_DECISION_HIT : WB_DECISION_EXECUTED, &j->times);
			}
			return st;
		}
		bool again = st.code == WB_ESTALE || st.code == WB_ENOENT || st.code == WB_ECORRUPT;
		if (again && tries < EXECUTE_ATTEMPTS) {
			wb_log(WB_LOG_WARN, "trying again: %s", err->text);
			planned = st.code != WB_ESTALE;
			j->call.again = planned;
			continue;
		}
		enum wb_reason reason = fallback_reason(j, st);
		if (reason == WB_REASON_NONE)
			return st;
		fall_back(j, reason, err);
		tries = 0;
	}
}

/* What the job's dealings with backends add to the counters. */
static void account(struct wb_job *j)
{
	struct wb_stats *s = j->service->stats;
	const struct wb_backend_call *c = &j->call;

	wb_stats_add(s, WB_COUNT_BYTES_UP, c->sent);
	wb_stats_add(s, WB_COUNT_BYTES_DOWN, c->received);
	wb_stats_add(s, WB_COUNT_REMOTE_BYTES_UP, c->remote_sent);
	wb_stats_add(s, WB_COUNT_REMOTE_BYTES_DOWN, c->remote_received);
	if (j->memo)
		wb_stats_add(s, WB_COUNT_MEMO_HITS, 1);
	if (j->hit) {
		wb_stats_add(s, WB_COUNT_CACHE_HITS, 1);
		if (c->remote)
			wb_stats_add(s, WB_COUNT_REMOTE_HITS, 1);
	}
	if (c->trouble != WB_OK && j->fallback == WB_REASON_NONE) {
		enum wb_reason reason = c->trouble == WB_EUNAVAILABLE ? WB_REASON_REMOTE_DOWN
					: c->trouble == WB_EREFUSED   ? WB_REASON_REMOTE_REFUSED
								      : WB_REASON_REMOTE_PROTOCOL;
		wb_stats_add(s, WB_COUNT_FALLBACKS, 1);
		wb_stats_add_fallback(s, reason);
		j->fallback = reason;
	}
}

void wb_job_run(struct wb_job *j)
{
	struct wb_service *s = j->service;
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest key;

	atomic_store(&j->state, WB_JOB_PLANNING);
	wb_stats_add(s->stats, WB_COUNT_JOBS, 1);
	j->answer = WB_JOB_CANCELED;
	if (wb_config_is(j->req.config, WB_SET_MODE, "off")) {
		run_local(j, WB_REASON_CONFIGURED, "");
		return;
	}
	j->backend = wb_service_backend(s, j->req.config);
	if (s->cluster_trouble[0] != '\0' && !wb_config_is(j->req.config, WB_SET_MODE, "local")) {
		wb_stats_add(s->stats, WB_COUNT_FALLBACKS, 1);
		wb_stats_add_fallback(s->stats, WB_REASON_REMOTE_REFUSED);
		j->fallback = WB_REASON_REMOTE_REFUSED;
	}
	j->call = (struct wb_backend_call){.cancel = j->req.cancel, .worker = ""};
	wb_memo_key(&key, &j->req);
	if (!from_memo(j, &key)) {
		wb_status st = run(j, &key, &err);
		if (!wb_is_ok(st) && st.code != WB_ECANCELED) {
			wb_log(WB_LOG_ERROR, "%s: %s", wb_code_name(st.code), err.text);
			run_local(j, failure_reason(j, st), err.text);
		}
	}
	account(j);
	if (j->answer == WB_JOB_DONE)
		wb_job_log(j);
}

void wb_job_local_done(struct wb_job *j, int wait_status, const char *err_text, size_t n)
{
	struct wb_service *s = j->service;
	struct wb_plan *p = &j->plan;
	struct wb_err err = WB_ERR_INIT;

	j->finished = true;
	j->times.local_ns = wb_clock_ns() - j->local_started_ns;
	j->exit_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
	if (j->holds_slot) {
		wb_slots_give(s->compile_slots);
		j->holds_slot = false;
	}
	if (j->verifying) {
		enum wb_reason reason = wait_status == 0 ? WB_REASON_SANDBOX_MISMATCH : WB_REASON_COMPILE_FAILED;

		p->reason = reason;
		wb_stats_add(s->stats, WB_COUNT_LOCAL, 1);
		wb_stats_add_reason(s->stats, reason);
		wb_stats_add(s->stats, wait_status == 0 ? WB_COUNT_SANDBOX_MISMATCH : WB_COUNT_COMPILE_ERRORS, 1);
		wb_records_write(s->records, p, WB_DECISION_LOCAL, &j->times);
		if (wait_status == 0)
			wb_log(WB_LOG_WARN, "the action failed but the original command passed: %s", p->cmd.source);
	}
	wb_job_log(j);
	if (!j->capture_stderr)
		return;
	struct wb_mapback m = local_mapback(j);
	wb_mapback_diagnostics(&j->err_text, &m, err_text, n, !p->want_color);
	if (p->cmd.depfile &&
	    !wb_is_ok(wb_deliver_depfile(&j->arena, &m, wb_path_join(&j->arena, p->req->cwd, p->cmd.depfile), &err)))
		wb_log(WB_LOG_ERROR, "depfile not mapped: %s", err.text);
}
