#include "service/scan_run.h"

#include "base/clock.h"
#include "base/config.h"
#include "service/scan_names.h"
#include "service/verbs.h"

#include <pthread.h>
#include <stdlib.h>

/* Units that may be done before an earlier one is: a slow one holds up nobody for long, and the text that waits stays
 * within some megabytes. */
enum { AHEAD = 128, AHEAD_PER_JOB = 8 };

#define FLUSH_BYTES ((size_t)256 << 10)
#define FLUSH_NS    (100 * 1000000LL)

struct slot {
	struct wb_buf out, err_out;
	bool done, failed, differs;
};

struct run {
	struct wb_verb_call *call;
	const struct wb_scan_context *context;
	const struct wb_scan_entry *entry;
	size_t n;
	bool silent, json;
	bool progress; /* on a terminal that shows nothing else */
	pthread_mutex_t lock;
	pthread_cond_t moved; /* `shown` did */
	size_t next, finished, shown;
	struct slot *slot; /* of unit i: slot[i % nslot] */
	size_t nslot;
	struct wb_scan_tally tally;
	int64_t flushed_ns, drawn_ns;
	bool drawn; /* a progress line stands on the terminal */
	wb_status status;
	struct wb_err err;
};

const char *wb_scan_program(const struct wb_verb_call *c)
{
	return c->daemon ? "waybill" : "waybilld";
}

/* ---- what is shown, under the lock */

static void clear_line(struct run *r)
{
	if (r->drawn)
		wb_buf_adds(r->call->err_out, "\r\033[K");
	r->drawn = false;
}

static void draw_line(struct run *r)
{
	clear_line(r);
	wb_buf_addf(r->call->err_out, "scanned %zu of %zu", r->finished, r->n);
	if (r->tally.failed > 0)
		wb_buf_addf(r->call->err_out, ", %zu failed", r->tally.failed);
	r->drawn = true;
}

static void flush(struct run *r, int64_t now)
{
	r->flushed_ns = now;
	if (r->call->out->n + r->call->err_out->n == 0 || !wb_is_ok(r->status))
		return;
	r->status = r->call->flush(r->call, &r->err);
	if (!wb_is_ok(r->status))
		pthread_cond_broadcast(&r->moved);
}

static void show_unit(struct run *r, struct slot *s)
{
	struct wb_buf *out = r->call->out;

	r->tally.units++;
	r->tally.failed += s->failed;
	r->tally.differing += s->differs;
	if (r->silent)
		return;
	if (r->json)
		wb_buf_adds(out, r->shown == 0 ? "[\n" : ",\n");
	wb_buf_add(out, s->out.p, s->out.n);
	if (s->err_out.n > 0) {
		clear_line(r);
		wb_buf_add(r->call->err_out, s->err_out.p, s->err_out.n);
	}
}

/* Hand over every unit whose predecessors are all there. */
static void show(struct run *r)
{
	size_t before = r->shown;

	for (struct slot *s; r->shown < r->next && (s = &r->slot[r->shown % r->nslot])->done; r->shown++) {
		show_unit(r, s);
		s->done = false;
		/* While the next ones wait for nothing, the buffer must not grow past what one part may have. */
		if (r->call->out->n >= FLUSH_BYTES)
			flush(r, wb_clock_ns());
	}
	if (r->shown > before)
		pthread_cond_broadcast(&r->moved);
	int64_t now = wb_clock_ns();
	bool draw = r->progress && r->n > 1 && now - r->drawn_ns >= FLUSH_NS;
	if (draw) {
		draw_line(r);
		r->drawn_ns = now;
	}
	/* Long answers go out by size, and often: that must not keep the line from being drawn. */
	if (draw || now - r->flushed_ns >= FLUSH_NS)
		flush(r, now);
}

/* ---- one unit */

static void scan(struct slot *s, struct run *r, const struct wb_scan_entry *e, struct wb_scan_names *names)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_arena a;
	wb_status st;

	wb_buf_reset(&s->out);
	wb_buf_reset(&s->err_out);
	s->differs = false;
	wb_arena_init(&a);
	if (e->error)
		st = wb_fail(&err, WB_EINVAL, "%s", e->error);
	else
		st = wb_scan_unit(&s->out, &s->differs, &a, r->context, names, &e->unit, &err);
	s->failed = !wb_is_ok(st);
	if (s->failed) {
		wb_buf_addf(&s->err_out, "%s: %s: %s\n", wb_scan_program(r->call), e->unit.name, err.text);
		if (r->json)
			wb_scan_text_json_error(&s->out, e->unit.name, e->unit.cwd, err.text);
	}
	wb_arena_release(&a);
}

/* The next unit for this thread, in *i; false: there is none, or the run has failed. Under the lock. */
static bool take(size_t *i, struct run *r)
{
	while (wb_is_ok(r->status) && r->next < r->n && r->next - r->shown >= r->nslot)
		pthread_cond_wait(&r->moved, &r->lock);
	if (wb_is_ok(r->status) && r->context->cancel && atomic_load(r->context->cancel)) {
		r->status = wb_fail(&r->err, WB_ECANCELED, "cancelled");
		pthread_cond_broadcast(&r->moved);
	}
	if (!wb_is_ok(r->status) || r->next == r->n)
		return false;
	*i = r->next++;
	return true;
}

static void *work(void *arg)
{
	struct run *r = arg;
	struct wb_scan_names names;
	size_t i;

	wb_scan_names_init(&names);
	pthread_mutex_lock(&r->lock);
	while (take(&i, r)) {
		struct slot *s = &r->slot[i % r->nslot];

		pthread_mutex_unlock(&r->lock);
		scan(s, r, &r->entry[i], &names);
		pthread_mutex_lock(&r->lock);
		s->done = true;
		r->finished++;
		show(r);
	}
	pthread_mutex_unlock(&r->lock);
	wb_scan_names_release(&names);
	return NULL;
}

static bool wants_progress(const struct wb_verb_call *c)
{
	const char *term = wb_env_get(c->env, "TERM");

	/* What is written to the same terminal is progress enough. */
	return c->err_terminal && !c->terminal && term && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

static void finish(struct run *r)
{
	clear_line(r);
	if (r->json && !r->silent)
		wb_buf_adds(r->call->out, r->n == 0 ? "[]\n" : "\n]\n");
	flush(r, wb_clock_ns());
}

wb_status wb_scan_run(struct wb_scan_tally *tally, struct wb_verb_call *c, const struct wb_scan_context *context,
		      const struct wb_scan_entry *entry, size_t n, unsigned jobs, bool silent, struct wb_err *err)
{
	struct run r = {
	    .call = c,
	    .context = context,
	    .entry = entry,
	    .n = n,
	    .silent = silent,
	    .json = context->options->format == WB_SCAN_JSON,
	    .progress = wants_progress(c),
	    .nslot = AHEAD + (size_t)AHEAD_PER_JOB * jobs,
	    .flushed_ns = wb_clock_ns(),
	};
	size_t helpers = jobs < n ? jobs - 1 : n > 0 ? n - 1 : 0, started = 0;
	pthread_t *thread = wb_xcalloc(helpers + 1, sizeof *thread);

	r.slot = wb_xcalloc(r.nslot, sizeof *r.slot);
	r.status = wb_ok();
	pthread_mutex_init(&r.lock, NULL);
	pthread_cond_init(&r.moved, NULL);
	/* A thread that cannot be had is work for the others. */
	while (started < helpers && pthread_create(&thread[started], NULL, work, &r) == 0)
		started++;
	work(&r);
	for (size_t i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	if (wb_is_ok(r.status))
		finish(&r);
	for (size_t i = 0; i < r.nslot; i++) {
		wb_buf_release(&r.slot[i].out);
		wb_buf_release(&r.slot[i].err_out);
	}
	pthread_mutex_destroy(&r.lock);
	pthread_cond_destroy(&r.moved);
	free(r.slot);
	free(thread);
	*tally = r.tally;
	return wb_is_ok(r.status) ? r.status : wb_fail(err, r.status.code, "%s", r.err.text);
}
