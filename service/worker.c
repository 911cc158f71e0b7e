#define _GNU_SOURCE
#include "service/worker.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/path.h"
#include "base/str.h"
#include "reapi/messages.h"
#include "reapi/tree.h"
#include "scanner/facts.h"
#include "scanner/toolchain.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { MUST_BE_MISSING = -1, ANSWER_MAX = 64 << 20 };

#define SECOND     1000000000LL
#define SAME_NS    (3600 * SECOND)
#define DIFFERS_NS (300 * SECOND)
#define TROUBLE_NS (60 * SECOND)
#define PROBE_NS   (60 * SECOND) /* a worker that is not there by then is asked again by a later job */
#define SLOW_NS    (10 * SECOND)
#define HICCUP_NS  SECOND /* what those who wait are told when the one who asked got no answer soon */
#define WAIT_NS    100000000L

/* What a job needs of the worker: a file with this content, or (size MUST_BE_MISSING) none. */
struct want {
	const char *path;
	struct wb_digest digest;
};

/* What is known of one path on the worker. */
struct known {
	struct wb_digest digest; /* that was asked for */
	bool same;
	int64_t until_ns;
};

/* One platform and compiler. */
struct worker {
	struct wb_map file;   /* path -> struct known, in `arena` */
	struct wb_map wanted; /* path -> struct want, in `wanted_arena`: what those who wait need to know */
	struct wb_arena arena, wanted_arena;
	bool asking, proven, links;
	char trouble[sizeof((struct wb_err *)NULL)->text]; /* why it could not be asked, or that it cannot run anything
							      of ours */
	enum wb_reason trouble_reason;
	int64_t trouble_until_ns;
};

struct wb_workers {
	struct wb_facts *facts;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct wb_map worker; /* platform, NUL, identity -> struct worker */
};

struct wb_workers *wb_workers_new(struct wb_facts *facts)
{
	struct wb_workers *w = wb_xcalloc(1, sizeof *w);

	w->facts = facts;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->answered, NULL);
	wb_map_init(&w->worker);
	return w;
}

void wb_workers_free(struct wb_workers *w)
{
	struct wb_map_slot *slot;

	if (!w)
		return;
	for (size_t i = 0; (slot = wb_map_next(&w->worker, &i)) != NULL;) {
		struct worker *k = slot->value.p;

		wb_map_release(&k->file);
		wb_map_release(&k->wanted);
		wb_arena_release(&k->arena);
		wb_arena_release(&k->wanted_arena);
		free(k);
	}
	wb_map_release(&w->worker);
	pthread_cond_destroy(&w->answered);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static struct worker *worker_of(struct wb_workers *w, const struct wb_plan *p)
{
	const char *platform = p->req->config->value[WB_SET_PLATFORM];
	struct wb_buf key = WB_BUF_INIT;
	bool fresh;

	wb_buf_add(&key, platform, strlen(platform) + 1);
	wb_buf_add(&key, p->tc->identity.hash, sizeof p->tc->identity.hash);
	union wb_map_value *v = wb_map_put(&w->worker, key.p, key.n, &fresh);
	wb_buf_release(&key);
	if (fresh) {
		struct worker *k = wb_xcalloc(1, sizeof *k);

		wb_map_init(&k->file);
		wb_map_init(&k->wanted);
		wb_arena_init(&k->arena);
		wb_arena_init(&k->wanted_arena);
		v->p = k;
	}
	return v->p;
}

/* ---- what is needed */

struct wants {
	struct want *v;
	size_t n, cap;
};

static void want(struct wants *w, struct wb_arena *a, const char *path, const struct wb_digest *d)
{
	wb_arena_grow(a, &w->v, w->n, &w->cap, sizeof *w->v);
	w->v[w->n++] = (struct want){path, d ? *d : (struct wb_digest){.size = MUST_BE_MISSING}};
}

static int by_path(const void *path, const void *file)
{
	return strcmp(path, ((const struct wb_system_file *)file)->path);
}

/* A system file that only the precompiled header has read: it is no input of a use, but clang refuses a header whose
 * files have another size than they had. */
static bool is_in_pch(const struct wb_plan *p, const struct wb_check *c)
{
	return p->cmd.pch_role == WB_PCH_USE && p->cmd.driver == WB_DRIVER_CLANG &&
	       wb_stat_id_kind(&c->id) == WB_FILE_REGULAR &&
	       (p->inputs.nsystem == 0 ||
		!bsearch(c->path, p->inputs.system, p->inputs.nsystem, sizeof *p->inputs.system, by_path));
}

/* A file that must be missing is looked for on the worker wherever the input root does not decide: it may have more
 * directories than the system's. */
static wb_status wants_of(struct wants *out, struct wb_arena *a, struct wb_workers *w, const struct wb_plan *p,
			  struct wb_err *err)
{
	const char *path;

	for (size_t i = 0; (path = wb_toolchain_file(p->tc, i)) != NULL; i++) {
		struct wb_fact fact;

		WB_TRY(wb_facts_digest(&fact, w->facts, a, path, err));
		want(out, a, path, &fact.digest);
	}
	/* The action was made for the compiler that was: its successor, on the worker already, must not run it. */
	if (!wb_toolchain_holds(p->tc))
		return wb_fail(err, WB_ESTALE, "%s was replaced while a compile with it was prepared",
			       p->tc->executable);
	for (size_t i = 0; i < p->inputs.nsystem; i++)
		want(out, a, p->inputs.system[i].path, &p->inputs.system[i].digest);
	for (size_t i = 0; i < p->inputs.ncheck; i++) {
		const struct wb_check *c = &p->inputs.check[i];
		struct wb_fact fact;

		if (c->kind_only)
			continue; /* of interest to this machine only */
		if (wb_stat_id_kind(&c->id) == WB_FILE_MISSING) {
			if (!wb_roots_holds(&p->roots, c->path))
				want(out, a, c->path, NULL);
		} else if (wb_roots_is_system(&p->roots, c->path) && is_in_pch(p, c)) {
			WB_TRY(wb_facts_digest(&fact, w->facts, a, c->path, err));
			want(out, a, c->path, &fact.digest);
		}
	}
	return wb_ok();
}

/* ---- the probe: an action that prints what the worker is */

static const char script[] =
    "# Says what this worker is: sent by Waybill before it trusts a worker with a compile.\n"
    "{\n"
    "\techo waybill-worker 1\n"
    "\t[ /proc/self/cwd/probe.sh -ef probe.sh ] && echo proc\n"
    "\t[ one -ef two ] && echo links\n"
    "\twhile IFS= read -r f; do\n"
    "\t\tif [ -e \"$f\" ]; then printf 'there %s\\n' \"$f\"; fi\n"
    "\tdone <missing\n"
    "\t{ echo probe.sh; cat present; } | tr '\\n' '\\0' | xargs -0 sha256sum -b -- 2>/dev/null\n"
    "\techo end\n"
    "} >answer\n"
    "exit 0\n";

struct probe {
	struct wb_arena *a;
	struct wb_tree tree;
	struct wb_blob *blob;
	size_t nblob, cap;
};

static void add_blob(struct probe *p, struct wb_digest *d, const void *data, size_t n)
{
	wb_digest_of(d, data, n);
	wb_arena_grow(p->a, &p->blob, p->nblob, &p->cap, sizeof *p->blob);
	p->blob[p->nblob++] = (struct wb_blob){.digest = *d, .data = data};
}

static wb_status add_file(struct probe *p, const char *name, const void *data, size_t n, struct wb_err *err)
{
	struct wb_digest d;

	add_blob(p, &d, data, n);
	return wb_tree_add_file(&p->tree, wb_arena_printf(p->a, WB_ACTION_PREFIX "/%s", name), &d, false, err);
}

static void add_message(struct probe *p, struct wb_digest *d, const ProtobufCMessage *m)
{
	char *data;
	size_t n;

	wb_message_pack(&data, &n, p->a, m);
	add_blob(p, d, data, n);
}

static void make_command(struct probe *p, struct wb_digest *d, wb_re_platform *platform)
{
	char *argv[] = {wb_arena_strdup(p->a, "/bin/sh"), wb_arena_strdup(p->a, "probe.sh")};
	char *output[] = {wb_arena_strdup(p->a, "answer")};
	static const char *const env[][2] = {{"LC_ALL", "C"}, {"PATH", "/usr/bin:/bin"}};
	wb_re_variable **v = wb_arena_array(p->a, 2, sizeof *v);
	wb_re_command m;

	for (int i = 0; i < 2; i++) {
		v[i] = wb_arena_alloc(p->a, sizeof **v);
		build__bazel__remote__execution__v2__command__environment_variable__init(v[i]);
		v[i]->name = wb_arena_strdup(p->a, env[i][0]);
		v[i]->value = wb_arena_strdup(p->a, env[i][1]);
	}
	build__bazel__remote__execution__v2__command__init(&m);
	m.n_arguments = 2;
	m.arguments = argv;
	m.n_environment_variables = 2;
	m.environment_variables = v;
	m.n_output_files = m.n_output_paths = 1;
	m.output_files = m.output_paths = output;
	m.working_directory = wb_arena_strdup(p->a, WB_ACTION_PREFIX);
	m.platform = platform;
	add_message(p, d, &m.base);
}

/* `present` and `missing` hold a path a line. The action's digest is never the same twice: some servers remember
 * results that they were asked not to. */
static wb_status make_probe(struct wb_digest *action, struct probe *p, const struct wb_plan *plan,
			    const struct wb_buf *present, const struct wb_buf *missing, struct wb_err *err)
{
	struct wb_digest command, root;
	struct wb_tree_blob *dir;
	wb_re_platform *platform;
	wb_re_action m;
	uint8_t salt[16];
	size_t ndir;

	if (getrandom(salt, sizeof salt, 0) != sizeof salt)
		return wb_fail_errno(err, errno, "no random numbers");
	WB_TRY(wb_re_platform_parse(&platform, p->a, plan->req->config->value[WB_SET_PLATFORM], err));
	WB_TRY(add_file(p, "probe.sh", script, sizeof script - 1, err));
	WB_TRY(add_file(p, "present", present->n > 0 ? present->p : "", present->n, err));
	WB_TRY(add_file(p, "missing", missing->n > 0 ? missing->p : "", missing->n, err));
	WB_TRY(add_file(p, "one", "the same\n", 9, err));
	WB_TRY(add_file(p, "two", "the same\n", 9, err));
	WB_TRY(wb_tree_finish(&root, &dir, &ndir, &p->tree, NULL, err));
	for (size_t i = 0; i < ndir; i++)
		add_blob(p, &dir[i].digest, dir[i].data, (size_t)dir[i].digest.size);
	make_command(p, &command, platform);
	build__bazel__remote__execution__v2__action__init(&m);
	m.command_digest = wb_re_digest_new(p->a, &command);
	m.input_root_digest = wb_re_digest_new(p->a, &root);
	m.do_not_cache = true;
	m.salt.data = salt;
	m.salt.len = sizeof salt;
	m.platform = platform;
	add_message(p, action, &m.base);
	return wb_ok();
}

static wb_status run_probe(const char **answer, size_t *n, struct wb_arena *a, struct wb_backend *b,
			   struct wb_backend_call *call, const struct probe *p, struct wb_err *err)
{
	struct wb_action_result r;

	WB_TRY(b->upload(b, call, p->blob, p->nblob, err));
	wb_status s = b->execute(b, &r, a, call, err);
	if (s.code == WB_ENOENT) { /* the server lost a blob that it had */
		call->again = true;
		WB_TRY(b->upload(b, call, p->blob, p->nblob, err));
		s = b->execute(b, &r, a, call, err);
	}
	WB_TRY(s);
	if (r.nfile != 1 || strcmp(r.file[0].path, "answer") != 0 || r.file[0].digest.size > ANSWER_MAX)
		return wb_fail(
		    err, WB_EUNSCANNABLE,
		    "the worker could not say what it is: /bin/sh there ended with exit code %d and no answer: %.*s",
		    r.exit_code, r.err_len < 300 ? (int)r.err_len : 300, r.err_text);
	struct wb_fetch f = {.digest = r.file[0].digest, .content = r.file[0].data};
	WB_TRY(b->fetch(b, a, call, &f, 1, err));
	*answer = f.data;
	*n = (size_t)f.digest.size;
	return wb_ok();
}

/* ---- asking and remembering */

struct question {
	struct wb_workers *w;
	struct worker *k;
	struct wb_arena *a;
	struct wb_backend *b;
	struct wb_backend_call *call;
	const struct wb_plan *plan;
	struct wants wants; /* of this job */
	struct wb_worker_report *report;
};

/* Names that the script's line-wise lists and sha256sum's quoting cannot carry. */
static bool can_ask(const char *path)
{
	return strpbrk(path, "\n\\") == NULL;
}

static const struct known *find_known(const struct worker *k, const struct want *x)
{
	const union wb_map_value *v = wb_map_gets(&k->file, x->path);
	const struct known *known = v ? v->p : NULL;

	return known && wb_digest_eq(&known->digest, &x->digest) ? known : NULL;
}

static void learn(struct worker *k, const struct want *x, bool same)
{
	bool fresh;
	union wb_map_value *v = wb_map_puts(&k->file, x->path, &fresh);

	if (fresh)
		v->p = wb_arena_alloc(&k->arena, sizeof(struct known));
	*(struct known *)v->p = (struct known){x->digest, same, wb_clock_ns() + (same ? SAME_NS : DIFFERS_NS)};
}

static void set_trouble(struct worker *k, enum wb_reason reason, int64_t ns, const char *text)
{
	snprintf(k->trouble, sizeof k->trouble, "%s", text);
	k->trouble_reason = reason;
	k->trouble_until_ns = wb_clock_ns() + ns;
}

/* Take in the answer: `said` maps "path" to its digest, or to one of size MUST_BE_MISSING when it is there but must
 * not. */
static bool read_answer(struct wb_map *said, bool *proc, bool *links, struct wb_arena *a, const char *text, size_t n)
{
	struct wb_str rest = {text, n}, line;
	bool head = false, end = false;

	*proc = *links = false;
	while (wb_str_line(&rest, &line)) {
		const char *s = wb_arena_strndup(a, line.p, line.n);
		struct wb_digest *d = wb_arena_alloc(a, sizeof *d);

		if (strcmp(s, "waybill-worker 1") == 0)
			head = true;
		else if (strcmp(s, "proc") == 0)
			*proc = true;
		else if (strcmp(s, "links") == 0)
			*links = true;
		else if (strcmp(s, "end") == 0)
			end = true;
		else if (wb_starts_with(s, "there "))
			wb_map_puts(said, s + 6, NULL)->p = d;
		else if (line.n > 66 && wb_digest_parse(d, wb_arena_strndup(a, s, 64), 0))
			wb_map_puts(said, s + 66, NULL)->p = d;
	}
	return head && end;
}

static void take_answer(struct question *q, const struct wants *asked, const char *text, size_t n)
{
	struct worker *k = q->k;
	struct wb_map said;
	bool proc;

	wb_map_init(&said);
	if (!read_answer(&said, &proc, &k->links, q->a, text, n)) {
		set_trouble(k, WB_REASON_WORKER_UNPROVEN, TROUBLE_NS,
			    "the worker's answer to the question what it is was not whole");
	} else if (!wb_map_gets(&said, "probe.sh")) {
		set_trouble(
		    k, WB_REASON_WORKER_UNPROVEN, TROUBLE_NS,
		    "the worker cannot say what its files are: sha256sum, xargs, tr or cat is missing there or does "
		    "not work. Add coreutils and findutils to its image");
	} else if (!proc) {
		set_trouble(k, WB_REASON_WORKER_MISMATCH, TROUBLE_NS,
			    "the worker has no /proc, which compiles with precompiled headers need");
	} else {
		k->proven = true;
		k->trouble_until_ns = 0;
		for (size_t i = 0; i < asked->n; i++) {
			const struct want *x = &asked->v[i];
			const union wb_map_value *v = wb_map_gets(&said, x->path);
			const struct wb_digest *d = v ? v->p : NULL;
			bool same = x->digest.size == MUST_BE_MISSING
					? d == NULL
					: d != NULL && memcmp(d->hash, x->digest.hash, sizeof d->hash) == 0;

			learn(k, x, same && can_ask(x->path));
		}
	}
	wb_map_release(&said);
}

/* One probe for all that anybody waits for. Called with the lock held; it is given up while the worker is asked. */
static wb_status ask(struct question *q, struct wb_err *err)
{
	struct wb_workers *w = q->w;
	struct worker *k = q->k;
	struct wb_buf present = WB_BUF_INIT, missing = WB_BUF_INIT;
	struct wb_backend_call saved = *q->call;
	struct wants asked = {0};
	struct wb_map_slot *slot;
	struct probe p = {.a = q->a};
	const char *answer = "";
	size_t n = 0;
	int64_t started = wb_clock_ns();

	for (size_t i = 0; (slot = wb_map_next(&k->wanted, &i)) != NULL;) {
		const struct want *x = slot->value.p;

		want(&asked, q->a, wb_arena_strdup(q->a, x->path),
		     x->digest.size == MUST_BE_MISSING ? NULL : &x->digest);
	}
	wb_map_release(&k->wanted);
	wb_map_init(&k->wanted);
	wb_arena_release(&k->wanted_arena);
	k->asking = true;
	pthread_mutex_unlock(&w->lock);

	for (size_t i = 0; i < asked.n; i++)
		if (can_ask(asked.v[i].path))
			wb_buf_addf(asked.v[i].digest.size == MUST_BE_MISSING ? &missing : &present, "%s\n",
				    asked.v[i].path);
	wb_tree_init(&p.tree, q->a);
	wb_status s = make_probe(&q->call->action, &p, q->plan, &present, &missing, err);
	q->call->skip_cache = true;
	q->call->again = false;
	q->call->timeout_ns = PROBE_NS;
	if (wb_is_ok(s))
		s = run_probe(&answer, &n, q->a, q->b, q->call, &p, err);
	q->report->probes++;
	wb_tree_release(&p.tree);
	wb_buf_release(&present);
	wb_buf_release(&missing);
	q->call->action = saved.action;
	q->call->skip_cache = saved.skip_cache;
	q->call->again = saved.again;
	q->call->timeout_ns = saved.timeout_ns;
	q->call->queued_ns = saved.queued_ns;
	q->call->ran_ns = saved.ran_ns;

	pthread_mutex_lock(&w->lock);
	k->asking = false;
	if (wb_is_ok(s))
		take_answer(q, &asked, answer, n);
	else if (s.code == WB_EUNSCANNABLE || s.code == WB_EPROTO || s.code == WB_ENOENT || s.code == WB_EREFUSED)
		set_trouble(k, WB_REASON_WORKER_UNPROVEN, TROUBLE_NS, err->text);
	else if (s.code == WB_EUNAVAILABLE) /* those who wait need not wait for it now, one after the other */
		set_trouble(k, WB_REASON_REMOTE_DOWN, wb_clock_ns() - started > SLOW_NS ? TROUBLE_NS : HICCUP_NS,
			    err->text);
	pthread_cond_broadcast(&w->answered);
	return s;
}

/* Add what is not known to what will be asked next; false when nothing is. */
static bool want_unknown(struct question *q, int64_t now)
{
	struct worker *k = q->k;
	bool any = !k->proven;

	for (size_t i = 0; i < q->wants.n; i++) {
		const struct want *x = &q->wants.v[i];
		const struct known *known = find_known(k, x);
		bool fresh;

		if (known && known->until_ns >= now)
			continue;
		any = true;
		union wb_map_value *v = wb_map_puts(&k->wanted, x->path, &fresh);
		struct want *copy = fresh ? wb_arena_alloc(&k->wanted_arena, sizeof *copy) : v->p;
		copy->digest = x->digest;
		copy->path = fresh ? wb_arena_strdup(&k->wanted_arena, x->path) : copy->path;
		v->p = copy;
	}
	return any;
}

static wb_status wait_for_answer(struct wb_workers *w, const atomic_bool *cancel, struct wb_err *err)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += WAIT_NS;
	if (until.tv_nsec >= SECOND) {
		until.tv_sec++;
		until.tv_nsec -= SECOND;
	}
	pthread_cond_timedwait(&w->answered, &w->lock, &until);
	return cancel && atomic_load(cancel) ? wb_fail(err, WB_ECANCELED, "given up by the client") : wb_ok();
}

static wb_status verdict(struct question *q, enum wb_reason *reason, struct wb_err *err)
{
	struct wb_buf text = WB_BUF_INIT;

	q->report->asked = q->wants.n;
	q->report->links = q->k->links;
	for (size_t i = 0; i < q->wants.n; i++) {
		const struct want *x = &q->wants.v[i];
		const struct known *known = find_known(q->k, x);

		if (!known) { /* asked for with another content than this job knows: it changed meanwhile */
			wb_buf_release(&text);
			return wb_fail(err, WB_ESTALE, "%s changed while the worker was asked for it", x->path);
		}
		if (known->same)
			continue;
		if (q->report->differing++ < 5)
			wb_buf_addf(&text, "%s%s%s", text.n > 0 ? ", " : "", x->path,
				    x->digest.size == MUST_BE_MISSING ? " (is there, and not here)" : "");
	}
	if (q->report->differing == 0)
		return wb_ok();
	*reason = WB_REASON_WORKER_MISMATCH;
	wb_status s =
	    wb_fail(err, WB_EUNSCANNABLE,
		    "the worker has other files than this machine (%zu of %zu that this compile needs): %s%s. Use an "
		    "image with the same packages",
		    q->report->differing, q->wants.n, text.p, q->report->differing > 5 ? " ..." : "");
	wb_buf_release(&text);
	return s;
}

static wb_status settle(struct question *q, enum wb_reason *reason, struct wb_err *err)
{
	struct wb_workers *w = q->w;
	struct worker *k = q->k;
	bool asked = false;

	for (;;) {
		int64_t now = wb_clock_ns();

		if (k->trouble_until_ns > now) {
			*reason = k->trouble_reason;
			return wb_fail(err, WB_EUNSCANNABLE, "%s", k->trouble);
		}
		if (!want_unknown(q, now) || asked)
			return verdict(q, reason, err);
		if (k->asking) {
			WB_TRY(wait_for_answer(w, q->call->cancel, err));
			continue;
		}
		wb_status s = ask(q, err);
		if (!wb_is_ok(s) && k->trouble_until_ns <= now)
			return s;
		asked = true;
	}
}

static int by_digest(const void *x, const void *y)
{
	return memcmp(((const struct wb_digest *)x)->hash, ((const struct wb_digest *)y)->hash, 32);
}

/* Two files with one content that the compiler may enter: where they share an inode, it takes them for one. */
static bool has_equal_inputs(const struct wb_plan *p, struct wb_arena *a)
{
	struct wb_digest *d = wb_arena_array(a, p->inputs.ninput + p->rewrite.noverlay, sizeof *d);
	size_t n = 0;

	for (size_t i = 0; i < p->inputs.ninput; i++)
		if (p->inputs.input[i].kind == WB_FILE_REGULAR)
			d[n++] = p->inputs.input[i].digest;
	for (size_t i = 0; i < p->rewrite.noverlay; i++)
		if (p->rewrite.overlay[i].data)
			wb_digest_of(&d[n++], p->rewrite.overlay[i].data, p->rewrite.overlay[i].n);
	if (n > 0)
		qsort(d, n, sizeof *d, by_digest);
	for (size_t i = 1; i < n; i++)
		if (wb_digest_eq(&d[i - 1], &d[i]))
			return true;
	return false;
}

wb_status wb_workers_check(struct wb_workers *w, struct wb_arena *a, struct wb_backend *b, struct wb_backend_call *call,
			   const struct wb_plan *p, struct wb_worker_report *report, enum wb_reason *reason,
			   struct wb_err *err)
{
	struct question q = {.w = w, .a = a, .b = b, .call = call, .plan = p, .report = report};

	*report = (struct wb_worker_report){0};
	*reason = WB_REASON_WORKER_UNPROVEN;
	WB_TRY(wants_of(&q.wants, a, w, p, err));
	pthread_mutex_lock(&w->lock);
	q.k = worker_of(w, p);
	wb_status s = settle(&q, reason, err);
	pthread_mutex_unlock(&w->lock);
	if (wb_is_ok(s) && report->links && has_equal_inputs(p, a)) {
		*reason = WB_REASON_WORKER_LINKS;
		return wb_fail(
		    err, WB_EUNSCANNABLE,
		    "the worker hard-links equal inputs, and this compile reads two files with the same content, "
		    "which a compiler there would take for one");
	}
	return s;
}

void wb_workers_doubt(struct wb_workers *w, const struct wb_plan *p)
{
	pthread_mutex_lock(&w->lock);
	worker_of(w, p)->proven = false;
	pthread_mutex_unlock(&w->lock);
}

void wb_workers_forget(struct wb_workers *w, const struct wb_plan *p)
{
	pthread_mutex_lock(&w->lock);
	struct worker *k = worker_of(w, p);
	k->proven = false;
	k->trouble_until_ns = 0;
	wb_map_release(&k->file);
	wb_map_init(&k->file);
	wb_arena_release(&k->arena);
	wb_arena_init(&k->arena);
	pthread_mutex_unlock(&w->lock);
}
