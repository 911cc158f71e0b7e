#include "scanner/directives/engine_directives.h"

#include "base/clock.h"
#include "base/map.h"
#include "scanner/directives/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define STORE_LIMIT  (256ULL << 20)
#define POOL_LIMIT   ((size_t)96 << 20)  /* of one worker's memories */
#define POOLS_LIMIT  ((size_t)768 << 20) /* of those of all */
#define KEEP_IDLE_NS (300 * INT64_C(1000000000))
enum { MAX_SETUPS = 4096 };
enum { MAX_ROUNDS = 32 }; /* of scanning and asking the compiler; a header's conditions nest a few deep */

/* What one thread at a time uses, and what it remembers of the units before: a hundred megabytes for LLVM. So there are
 * no more than can run at once, and those that are not needed for long go. */
struct worker {
	struct wb_unit unit;
	int64_t used_ns;
	struct worker *next;
};

struct engine {
	struct wb_scan_engine base; /* first */
	struct wb_idents *idents;
	struct wb_program_store *store;
	struct wb_definitions *definitions;
	pthread_mutex_t lock; /* of what follows */
	struct worker *idle;  /* the one that was used last comes first */
	unsigned nworker, max_worker;
	pthread_cond_t freed;
	struct wb_base *bases;
	uint32_t nbase;
	struct wb_map setups; /* wb_setup_key -> struct wb_setup, one reference each */
	size_t nsetup;
};

static struct worker *take_worker(struct engine *e)
{
	pthread_mutex_lock(&e->lock);
	while (!e->idle && e->nworker == e->max_worker)
		pthread_cond_wait(&e->freed, &e->lock);
	struct worker *w = e->idle;
	if (w)
		e->idle = w->next;
	else
		e->nworker++;
	pthread_mutex_unlock(&e->lock);
	if (!w) {
		w = wb_xcalloc(1, sizeof *w);
		wb_unit_init(&w->unit, e->idents, e->store);
		w->unit.pool_limit =
		    POOLS_LIMIT / e->max_worker < POOL_LIMIT ? POOLS_LIMIT / e->max_worker : POOL_LIMIT;
	}
	return w;
}

static void free_worker(struct worker *w)
{
	wb_unit_release(&w->unit);
	free(w);
}

static void give_back(struct engine *e, struct worker *w)
{
	struct worker *old = NULL;
	pthread_mutex_lock(&e->lock);
	w->used_ns = wb_clock_ns();
	w->next = e->idle;
	e->idle = w;
	struct worker **last = &e->idle;
	while ((*last)->next)
		last = &(*last)->next;
	if (w->used_ns - (*last)->used_ns > KEEP_IDLE_NS) {
		old = *last;
		*last = NULL;
		e->nworker--;
	}
	pthread_cond_signal(&e->freed);
	pthread_mutex_unlock(&e->lock);
	if (old)
		free_worker(old);
}

static const struct wb_base *base_of(struct engine *e, const struct wb_scan_request *req)
{
	struct wb_base *b;
	pthread_mutex_lock(&e->lock);
	for (b = e->bases; b; b = b->next)
		if (wb_base_is(b, req->tc, req->cmd->lang))
			break;
	if (!b) {
		b = wb_base_new(e->idents, e->definitions, req->tc, req->cmd->lang);
		b->id = ++e->nbase;
		b->next = e->bases;
		e->bases = b;
	}
	pthread_mutex_unlock(&e->lock);
	return b;
}

static void forget_setups(struct engine *e)
{
	size_t i = 0;
	for (struct wb_map_slot *slot; (slot = wb_map_next(&e->setups, &i)) != NULL;)
		wb_setup_unref(slot->value.p);
	wb_map_release(&e->setups);
	wb_map_init(&e->setups);
	e->nsetup = 0;
}

/* Ask what the pass left open. */
static wb_status ask(struct wb_unit *u, struct wb_arena *a, enum wb_reason *reason, struct wb_err *err)
{
	struct wb_question *q = wb_arena_array(a, u->nopen + 1, sizeof *q);
	for (size_t i = 0; i < u->nopen; i++) {
		q[i].name = wb_ident_text(u->idents, u->open[i].word).p;
		q[i].operand = wb_ident_text(u->idents, u->open[i].operand).p;
	}
	wb_status s = wb_toolchain_ask(u->req->tc, q, u->nopen, err);
	if (!wb_is_ok(s)) {
		u->doubt = WB_DOUBT_QUESTION_FAILED;
		*reason = WB_REASON_SCAN_DOUBT;
		s.code = WB_EUNSCANNABLE;
	}
	return s;
}

/* The setup of a request, one reference. */
static wb_status setup_of(struct wb_setup **out, struct engine *e, struct wb_arena *a,
			  const struct wb_scan_request *req, enum wb_reason *reason, struct wb_err *err)
{
	const struct wb_base *base = base_of(e, req);
	struct wb_str key = wb_setup_key(a, base, req);
	struct wb_setup *setup = NULL;
	pthread_mutex_lock(&e->lock);
	union wb_map_value *known = wb_map_get(&e->setups, key.p, key.n);
	if (known)
		setup = wb_setup_ref(known->p);
	pthread_mutex_unlock(&e->lock);
	if (!setup) {
		WB_TRY(wb_setup_make(&setup, e->idents, e->definitions, base, req, reason, err));
		pthread_mutex_lock(&e->lock);
		if (e->nsetup == MAX_SETUPS)
			forget_setups(e);
		known = wb_map_put(&e->setups, key.p, key.n, NULL);
		if (known->p) {
			wb_setup_unref(known->p);
			e->nsetup--;
		}
		known->p = wb_setup_ref(setup);
		e->nsetup++;
		pthread_mutex_unlock(&e->lock);
	}
	*out = setup;
	return wb_ok();
}

static wb_status scan_with(struct wb_unit *u, struct wb_graph *out, struct wb_arena *a,
			   const struct wb_scan_request *req, struct wb_setup *setup, enum wb_reason *reason,
			   struct wb_err *err)
{
	wb_status s = wb_ok();
	for (unsigned round = 0;; round++) {
		wb_unit_run(u, req, setup, a);
		if (u->nopen == 0) {
			s = wb_unit_check(u, reason, err);
			break;
		}
		if (round == MAX_ROUNDS) {
			u->doubt = WB_DOUBT_QUESTION_COUNT;
			s = wb_scan_doubt(reason, err, wb_doubt_text(u->doubt), req->cmd->source);
			break;
		}
		s = ask(u, a, reason, err);
		if (!wb_is_ok(s))
			break;
	}
	if (wb_is_ok(s))
		wb_unit_graph(out, u);
	else
		out->doubt = u->doubt;
	return s;
}

static wb_status scan(struct wb_scan_engine *base, struct wb_graph *out, struct wb_arena *a,
		      const struct wb_scan_request *req, enum wb_reason *reason, struct wb_err *err)
{
	struct engine *e = (struct engine *)base;
	struct wb_setup *setup;
	wb_status s = setup_of(&setup, e, a, req, reason, err);
	if (!wb_is_ok(s)) {
		out->doubt = WB_DOUBT_COMMAND;
		return s;
	}
	struct worker *w = take_worker(e);
	s = scan_with(&w->unit, out, a, req, setup, reason, err);
	give_back(e, w);
	wb_setup_unref(setup);
	return s;
}

static bool shape(struct wb_scan_engine *base, struct wb_arena *a, const struct wb_scan_request *req, const char *path,
		  struct wb_file_shape *out)
{
	struct engine *e = (struct engine *)base;
	struct wb_setup *setup;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	struct wb_stat_id seen;
	struct wb_buf text = WB_BUF_INIT;
	if (!wb_stat_id_get(&seen, path, true) || !wb_is_ok(setup_of(&setup, e, a, req, &reason, &err)))
		return false;
	struct wb_program *p = wb_program_store_get(e->store, path, &seen, setup->lex, &text);
	wb_setup_unref(setup);
	wb_buf_release(&text);
	if (!p)
		return false;
	uint32_t *line = wb_arena_array(a, p->nop + 1, sizeof *line);
	for (uint32_t i = 0; i < p->nop; i++)
		line[i] = p->op[i].line;
	*out = (struct wb_file_shape){
	    .id = p->id, .line = line, .nline = p->nop, .lines_matter = wb_program_tells_line(p)};
	bool good = wb_program_shape(out->shape, p);
	wb_program_unref(p);
	return good;
}

static wb_status check(struct wb_scan_engine *base, struct wb_err *err)
{
	(void)base;
	(void)err;
	return wb_ok();
}

static wb_status keep(struct wb_scan_engine *base, const char *path, const char *build, struct wb_err *err)
{
	struct engine *e = (struct engine *)base;
	struct wb_library *library;
	WB_TRY(wb_library_new(&library, e->idents, path, build, WB_LIBRARY_BYTES, err));
	wb_program_store_keep(e->store, library);
	return wb_ok();
}

static void engine_free(struct wb_scan_engine *base)
{
	struct engine *e = (struct engine *)base;
	for (struct worker *w = e->idle, *next; w; w = next) {
		next = w->next;
		free_worker(w);
	}
	forget_setups(e);
	wb_map_release(&e->setups);
	for (struct wb_base *b = e->bases, *next; b; b = next) {
		next = b->next;
		wb_base_free(b);
	}
	wb_definitions_free(e->definitions);
	wb_program_store_free(e->store);
	wb_idents_free(e->idents);
	pthread_cond_destroy(&e->freed);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

wb_status wb_engine_directives_new(struct wb_scan_engine **out, const char *shim, struct wb_err *err)
{
	(void)shim;
	(void)err;
	struct engine *e = wb_xcalloc(1, sizeof *e);
	e->base = (struct wb_scan_engine){
	    .name = "directives", .scan = scan, .shape = shape, .check = check, .keep = keep, .free = engine_free};
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->freed, NULL);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	e->max_worker = cpus > 0 ? (unsigned)cpus : 1;
	wb_map_init(&e->setups);
	e->idents = wb_idents_new();
	e->definitions = wb_definitions_new();
	e->store = wb_program_store_new(e->idents, STORE_LIMIT);
	*out = &e->base;
	return wb_ok();
}
