/* Results that are kept: by what they are found, what they survive, who shares them. What the disk does to them is in
 * test_results_disk.c. */
#define _GNU_SOURCE
#include "base/clock.h"
#include "base/fileio.h"
#include "base/path.h"
#include "scanner/directives/engine_directives.h"
#include "scanner/directives/ident.h"
#include "scanner/packed.h"
#include "tests/unit/results_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An engine that scans as `directives` does, with eyes of its own: a file's shape are its lines that begin with '#'.
 * (Simple, and right for the texts here.) Everything is counted. */
struct eyes {
	struct wb_scan_engine base; /* first */
	struct wb_scan_engine *directives;
	atomic_uint scans, shapes;
	unsigned slow_us;
	bool refuse;
};

static wb_status eyes_scan(struct wb_scan_engine *e, struct wb_graph *out, struct wb_arena *a,
			   const struct wb_scan_request *req, enum wb_reason *reason, struct wb_err *err)
{
	struct eyes *eyes = (struct eyes *)e;
	atomic_fetch_add(&eyes->scans, 1);
	if (eyes->slow_us)
		usleep(eyes->slow_us);
	if (eyes->refuse)
		return wb_scan_doubt(reason, err, "no", "");
	wb_status s = eyes->directives->scan(eyes->directives, out, a, req, reason, err);
	out->engine = e->name;
	return s;
}

static bool eyes_shape(struct wb_scan_engine *e, struct wb_arena *a, const struct wb_scan_request *req,
		       const char *path, struct wb_file_shape *out)
{
	char *text;
	size_t n;
	(void)req;
	atomic_fetch_add(&((struct eyes *)e)->shapes, 1);
	*out = (struct wb_file_shape){.shape = {1469598103934665603u, 0}};
	if (!wb_is_ok(wb_file_read(&text, &n, a, path, 1 << 20, NULL)) || !wb_stat_id_get(&out->id, path, true))
		return false;
	uint32_t *line = wb_arena_array(a, n + 1, sizeof *line), number = 0;
	struct wb_str rest = {text, n}, l;
	while (wb_str_line(&rest, &l)) {
		number++;
		if (l.n == 0 || l.p[0] != '#')
			continue;
		for (size_t i = 0; i < l.n; i++)
			out->shape[0] = (out->shape[0] ^ (uint8_t)l.p[i]) * 1099511628211u;
		out->lines_matter = out->lines_matter || memmem(l.p, l.n, "__LINE__", 8);
		line[out->nline++] = number;
	}
	out->line = line;
	return true;
}

static wb_status scan_by_eyes(void *ctx, struct wb_graph *out, struct wb_arena *a, const struct wb_scan_request *req,
			      enum wb_reason *reason, struct wb_err *err)
{
	return eyes_scan(ctx, out, a, req, reason, err);
}

struct desk {
	struct oracle *o;
	struct eyes eyes;
	struct wb_scan_engine *engine;
	struct wb_results *results;
};

static void desk_open(struct desk *d, struct oracle *o, bool shape, size_t limit)
{
	struct wb_err err = WB_ERR_INIT;
	*d = (struct desk){.o = o};
	assert_ok(wb_engine_directives_new(&d->eyes.directives, NULL, &err), &err);
	d->eyes.base = (struct wb_scan_engine){.name = "eyes", .scan = eyes_scan, .shape = shape ? eyes_shape : NULL};
	d->engine = &d->eyes.base;
	struct wb_results_source source = {scan_by_eyes, &d->eyes, &d->engine, 1};
	d->results = wb_results_new(&source, limit);
	assert_ok(wb_dir_remove(o->dir, &err), &err);
}

static void desk_close(struct desk *d)
{
	wb_results_free(d->results);
	d->eyes.directives->free(d->eyes.directives);
}

static void request(struct desk *d, struct wb_scan_request *req, const char *line)
{
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	struct wb_command *cmd = wb_arena_alloc(&d->o->a, sizeof *cmd);
	*req = (struct wb_scan_request){.cmd = cmd};
	oracle_command(d->o, cmd, line);
	assert_ok(wb_toolchain_get(&req->tc, d->o->toolchains, cmd, "/usr/bin:/bin", &reason, &err), &err);
}

/* Ask; *scans says how many scans that took. What a fresh engine says is the same. */
static void ask(struct desk *d, struct wb_graph *g, const char *line, unsigned *scans)
{
	struct wb_scan_request req;
	struct wb_err err = WB_ERR_INIT;
	struct wb_graph fresh;
	struct wb_scan_engine *other;
	enum wb_reason reason;
	unsigned before = d->eyes.scans;
	request(d, &req, line);
	assert_ok(wb_results_scan(g, &d->o->a, d->results, &req, &reason, &err), &err);
	*scans = d->eyes.scans - before;
	assert_ok(wb_engine_directives_new(&other, NULL, &err), &err);
	assert_ok(other->scan(other, &fresh, &d->o->a, &req, &reason, &err), &err);
	graphs_equal(g, &fresh, line);
	other->free(other);
}

static void expect(struct desk *d, const char *line, unsigned want, const char *what)
{
	struct wb_graph g;
	unsigned scans;
	ask(d, &g, line, &scans);
	if (scans != want)
		fail_msg("%s: %s: %u scans, expected %u", what, line, scans, want);
}

static void write_over(struct desk *d, const char *name, const char *text)
{
	FILE *f = fopen(wb_path_join(&d->o->a, d->o->dir, name), "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	let_settle();
}

/* Commands that differ in what a scan cannot see share a result; others do not. */
static void test_keys(void **state)
{
	struct desk d;
	static const char first[] = "clang++-22 -Ia -DX=1 -MD -MF m.d -MT m.o -o m.o -c m.cc";
	static const struct {
		const char *line;
		unsigned scans;
	} row[] = {
	    {first, 0},
	    {"clang++-22 -Ia -DX=1 -MD -MF other.d -MT other.o -o other.o -c m.cc", 0},
	    {"clang++-22 -Ia -DX=2 -MD -MF m.d -MT m.o -o m.o -c m.cc", 1},
	    {"clang++-22 -Ib -DX=1 -MD -MF m.d -MT m.o -o m.o -c m.cc", 1},
	    {"clang++-22 -Ia -DX=1 -MD -MF m.d -MT m.o -o m.o -c ./m.cc", 1},
	    {"clang++-22 -DX=1 -Ia -MD -MF m.d -MT m.o -o m.o -c m.cc", 1},
	    {"clang++-22 -Ia -DX=1 -MD -MF m.d -MT m.o -o m.o -c n.cc", 1},
	    {"clang++-22 -Ia -DX=1 -MD -MF m.d -MT m.o -std=c++11 -o m.o -c m.cc", 1},
	    {"clang++-22 -Ia -DX=1 -MD -MF m.d -MT m.o -o m.o -x c -c m.cc", 1},
	    {"g++-12 -Ia -DX=1 -MD -MF m.d -MT m.o -o m.o -c m.cc", 1},
	};
	desk_open(&d, *state, false, WB_RESULTS_BYTES);
	oracle_put_fresh(d.o, "m.cc", "#include \"x.h\"\n#if X == 2\n#include \"y.h\"\n#endif\n");
	oracle_put_fresh(d.o, "n.cc", "#include \"x.h\"\n");
	oracle_put_fresh(d.o, "x.h", "");
	oracle_put_fresh(d.o, "y.h", "");
	oracle_put_fresh(d.o, "a/keep", "");
	oracle_put_fresh(d.o, "b/keep", "");
	let_settle();
	expect(&d, first, 1, "keys");
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < sizeof row / sizeof *row; i++)
			expect(&d, row[i].line, pass ? 0 : row[i].scans, "keys");
	desk_close(&d);
}

/* An edit that leaves the directives as they are keeps every result, with the lines as they are now; one look at the
 * text serves all. */
static void test_shapes(void **state)
{
	enum { UNITS = 50 };
	struct desk d;
	static const struct {
		const char *text;
		unsigned scans; /* of each unit */
	} row[] = {
	    {"#include \"y.h\"\nint f();\n#define A 1\n#include \"z.h\"\n", 1},
	    {"#include \"y.h\"\nint g(); // body\n#define A 1\n#include \"z.h\"\n", 0},
	    {"// comment\n\n#include \"y.h\"\n#define A 1\n\n\n#include \"z.h\"\n", 0},
	    {"#include \"y.h\"\n#define A 1\n#include \"z.h\"\n", 0},
	    {"#include \"y.h\"\n#define A 2\n#include \"z.h\"\n", 1},
	    {"#include \"z.h\"\n#define A 2\n#include \"y.h\"\n", 1},
	    {"\n#include \"z.h\"\n#define A 2\n#include \"y.h\"\n", 0},
	    {"\n#include \"z.h\"\n#if __LINE__ > 5\n#include \"y.h\"\n#endif\n", 1},
	    {"\n#include \"z.h\"\n#if __LINE__ > 5\n#include \"y.h\"\n#endif\n// end\n", 0},
	    {"\n#include \"z.h\"\n\n\n\n\n#if __LINE__ > 5\n#include \"y.h\"\n#endif\n", 1},
	    /* A directive that these eyes overlook: its line cannot be told after an edit. */
	    {" #include \"y.h\"\n#define A 3\n", 1},
	    {"// comment\n #include \"y.h\"\n#define A 3\n", 1},
	    {"// another\n #include \"y.h\"\n#define A 3\n", 0},
	};
	desk_open(&d, *state, true, WB_RESULTS_BYTES);
	for (int u = 0; u < UNITS; u++)
		oracle_put_fresh(d.o, wb_arena_printf(&d.o->a, "%d.cc", u), "#include \"x.h\"\n#include \"z.h\"\n");
	oracle_put_fresh(d.o, "y.h", "");
	oracle_put_fresh(d.o, "z.h", "#pragma once\n");
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		write_over(&d, "x.h", row[i].text);
		unsigned shapes = d.eyes.shapes;
		for (int pass = 0; pass < 2; pass++)
			for (int u = 0; u < UNITS; u++)
				expect(&d, wb_arena_printf(&d.o->a, "clang++-22 -c %d.cc", u), pass ? 0 : row[i].scans,
				       row[i].text);
		if (i > 0)
			assert_int_equal(d.eyes.shapes - shapes, 1);
	}
	desk_close(&d);
}

/* An engine that cannot tell shapes: content counts, times do not. */
static void test_contents(void **state)
{
	struct desk d;
	static const char line[] = "clang++-22 -c m.cc";
	desk_open(&d, *state, false, WB_RESULTS_BYTES);
	oracle_put_fresh(d.o, "m.cc", "#include \"x.h\"\n");
	oracle_put(d.o, "x.h", "// one\n");
	expect(&d, line, 1, "first");
	write_over(&d, "x.h", "// one\n");
	expect(&d, line, 0, "touched");
	oracle_put(d.o, "x.h", "// one\n"); /* another inode */
	expect(&d, line, 0, "written anew");
	write_over(&d, "x.h", "// two\n");
	expect(&d, line, 1, "edited");
	expect(&d, line, 0, "again");
	desk_close(&d);
}

/* gcc takes two files of one content for one when #pragma once is in them, so texts that could become equal are no
 * secret of comments. */
static void test_twins(void **state)
{
	struct desk d;
	static const char *const line[] = {"g++-12 -c m.cc", "clang++-22 -c m.cc"};
	desk_open(&d, *state, true, WB_RESULTS_BYTES);
	oracle_put_fresh(d.o, "m.cc", "#include \"c/x.h\"\n#include \"d/x.h\"\n");
	oracle_put_fresh(d.o, "c/x.h", "#pragma once\n#include \"y.h\"\n// one\n");
	oracle_put_fresh(d.o, "d/x.h", "#pragma once\n#include \"y.h\"\n// two\n");
	oracle_put_fresh(d.o, "c/y.h", "");
	oracle_put(d.o, "d/y.h", "");
	expect(&d, line[0], 1, "gcc");
	expect(&d, line[1], 1, "clang");
	write_over(&d, "d/x.h", "#pragma once\n#include \"y.h\"\n// three\n");
	expect(&d, line[0], 1, "gcc: a twin was edited");
	expect(&d, line[1], 0, "clang: a twin was edited");
	write_over(&d, "d/x.h", "#pragma once\n#include \"y.h\"\n// one\n");
	struct wb_scan_request req;
	struct wb_graph g;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	request(&d, &req, line[0]);
	assert_code(wb_results_scan(&g, &d.o->a, d.results, &req, &reason, &err), WB_EUNSCANNABLE);
	desk_close(&d);
}

/* Requests of one moment look once. */
static void test_moments(void **state)
{
	struct desk d;
	struct wb_scan_request req;
	struct wb_graph g;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	struct wb_results_count before, after;
	desk_open(&d, *state, false, WB_RESULTS_BYTES);
	oracle_put_fresh(d.o, "m.cc", "#include \"x.h\"\n");
	oracle_put(d.o, "x.h", "");
	request(&d, &req, "clang++-22 -c m.cc");
	for (uint64_t moment = 1; moment < 40; moment++) {
		req.moment = moment;
		for (int i = 0; i < 3; i++) {
			wb_results_count(d.results, &before);
			assert_ok(wb_results_scan(&g, &d.o->a, d.results, &req, &reason, &err), &err);
			wb_results_count(d.results, &after);
			if (moment > 1)
				assert_int_equal(after.answered - before.answered, 1);
			if (i > (moment == 1)) /* but for the question whether there are new mounts */
				assert_true(after.calls - before.calls <= 1);
			else if (moment > 1)
				assert_true(after.calls - before.calls > 2);
		}
	}
	req.moment = 0; /* each for itself */
	for (int i = 0; i < 3; i++) {
		wb_results_count(d.results, &before);
		assert_ok(wb_results_scan(&g, &d.o->a, d.results, &req, &reason, &err), &err);
		wb_results_count(d.results, &after);
		assert_true(after.calls - before.calls > 2);
	}
	desk_close(&d);
}

/* What must not be kept, or not be found. */
static void test_passing_by(void **state)
{
	struct desk d;
	struct wb_scan_request req;
	struct wb_graph g;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	struct wb_results_count c;
	desk_open(&d, *state, false, WB_RESULTS_BYTES);
	oracle_put(d.o, "m.cc", "#include \"gen.h\"\n");
	request(&d, &req, "clang++-22 -c m.cc");
	struct wb_overlay_file overlay = {wb_path_join(&d.o->a, d.o->dir, "gen.h"), "", 0};
	for (int i = 0; i < 2; i++) {
		req.overlay = &overlay;
		req.noverlay = 1;
		assert_ok(wb_results_scan(&g, &d.o->a, d.results, &req, &reason, &err), &err);
		assert_int_equal(g.nfile, 2);
		req.noverlay = 0;
		assert_ok(wb_results_scan(&g, &d.o->a, d.results, &req, &reason, &err), &err);
		assert_true(g.failed);
	}
	oracle_put(d.o, "gen.h", "");
	req.once = true;
	assert_ok(wb_results_scan(&g, &d.o->a, d.results, &req, &reason, &err), &err);
	wb_results_count(d.results, &c);
	assert_int_equal(c.results, 0);
	assert_int_equal(c.answered, 0);
	assert_int_equal(c.scanned, 5);
	desk_close(&d);
}

/* A little memory: results go, answers stay right. */
static void test_bound(void **state)
{
	enum { UNITS = 40 };
	struct desk d;
	struct wb_results_count c;
	desk_open(&d, *state, false, 4000);
	oracle_put_fresh(d.o, "x.h", "");
	for (int u = 0; u < UNITS; u++)
		oracle_put_fresh(d.o, wb_arena_printf(&d.o->a, "%d.cc", u), "#include \"x.h\"\n");
	let_settle();
	for (int u = 0; u < UNITS; u++) {
		expect(&d, wb_arena_printf(&d.o->a, "clang++-22 -c %d.cc", u), 1, "bound");
		expect(&d, wb_arena_printf(&d.o->a, "clang++-22 -c %d.cc", u), 0, "the newest stays");
		if (u > 0)
			expect(&d, wb_arena_printf(&d.o->a, "clang++-22 -c %d.cc", u - 1), 0, "so does the one before");
		wb_results_count(d.results, &c);
		assert_true(c.bytes <= 4000);
	}
	assert_true(c.evicted > UNITS / 2);
	assert_true(c.results > 1);
	expect(&d, "clang++-22 -c 0.cc", 1, "the oldest is gone");
	desk_close(&d);
}

struct caller {
	struct desk *d;
	struct wb_scan_request req;
	struct wb_arena a;
	struct wb_graph g;
	wb_status status;
	pthread_t thread;
};

static void *call(void *arg)
{
	struct caller *c = arg;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	c->status = wb_results_scan(&c->g, &c->a, c->d->results, &c->req, &reason, &err);
	return NULL;
}

static void call_all(struct desk *d, struct caller *c, size_t n, const char *line)
{
	for (size_t i = 0; i < n; i++) {
		c[i].d = d;
		wb_arena_init(&c[i].a);
		request(d, &c[i].req, line);
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pthread_create(&c[i].thread, NULL, call, &c[i]), 0);
	for (size_t i = 0; i < n; i++)
		pthread_join(c[i].thread, NULL);
}

/* Many ask the same at once: one scan for all who came in time; a refusal goes to those who came before its scan began:
 * two scans at most. */
static void test_herd(void **state)
{
	enum { N = 16 };
	struct desk d;
	struct caller c[N] = {0};
	desk_open(&d, *state, true, WB_RESULTS_BYTES);
	oracle_put_fresh(d.o, "m.cc", "#include \"x.h\"\n");
	oracle_put(d.o, "x.h", "");
	d.eyes.slow_us = 300000;
	call_all(&d, c, N, "clang++-22 -c m.cc");
	assert_int_equal(d.eyes.scans, 1);
	for (size_t i = 0; i < N; i++) {
		assert_true(wb_is_ok(c[i].status));
		graphs_equal(&c[i].g, &c[0].g, "herd");
	}
	for (size_t i = 0; i < N; i++)
		wb_arena_release(&c[i].a);
	d.eyes.refuse = true;
	d.eyes.scans = 0;
	call_all(&d, c, N, "clang++-22 -DX -c m.cc");
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(c[i].status.code, WB_EUNSCANNABLE);
		wb_arena_release(&c[i].a);
	}
	assert_true(d.eyes.scans <= 2);
	desk_close(&d);
}

/* Threads ask while files change under them. Each answer is one that was right at some time; the last one is now. */
struct hasty {
	struct desk *d;
	struct wb_scan_request req;
	atomic_bool *stop;
	unsigned asked;
	bool good;
	pthread_t thread;
};

static void *ask_on(void *arg)
{
	struct hasty *h = arg;
	h->good = true;
	while (!atomic_load(h->stop) && h->good) {
		struct wb_arena a;
		struct wb_graph g;
		struct wb_err err = WB_ERR_INIT;
		enum wb_reason reason;
		wb_arena_init(&a);
		h->good = wb_is_ok(wb_results_scan(&g, &a, h->d->results, &h->req, &reason, &err)) && !g.failed &&
			  (g.nfile == 3 || g.nfile == 4);
		/* The directive that led to z.h stands in one of two lines. */
		for (uint32_t i = 0; h->good && i < g.nedge; i++)
			if (strcmp(g.edge[i].name, "z.h") == 0)
				h->good = g.edge[i].line == 2 || g.edge[i].line == 4;
		h->asked++;
		wb_arena_release(&a);
	}
	return NULL;
}

static void test_threads(void **state)
{
	enum { N = 6, ROUNDS = 40 };
	struct desk d;
	struct hasty h[N] = {0};
	atomic_bool stop = false;
	static const char *const text[] = {"#include \"y.h\"\n#include \"z.h\"\n",
					   "#include \"y.h\"\n\n// moved\n#include \"z.h\"\n", "#include \"y.h\"\n"};
	desk_open(&d, *state, true, 2000);
	oracle_put_fresh(d.o, "y.h", "");
	oracle_put_fresh(d.o, "z.h", "");
	oracle_put_fresh(d.o, "x.h", text[0]);
	for (int i = 0; i < N; i++) {
		oracle_put_fresh(d.o, wb_arena_printf(&d.o->a, "%d.cc", i / 2), "#include \"x.h\"\n");
		h[i].d = &d;
		h[i].stop = &stop;
		request(&d, &h[i].req, wb_arena_printf(&d.o->a, "clang++-22 -c %d.cc", i / 2));
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(pthread_create(&h[i].thread, NULL, ask_on, &h[i]), 0);
	for (int round = 0; round < ROUNDS; round++) {
		oracle_put_fresh(d.o, "x.h", text[round % 3]);
		if (round % 2)
			let_settle();
		for (int u = 0; u < N / 2; u++) {
			struct wb_graph g;
			unsigned scans;
			ask(&d, &g, wb_arena_printf(&d.o->a, "clang++-22 -c %d.cc", u), &scans);
			assert_int_equal(g.nfile, round % 3 == 2 ? 3 : 4);
		}
	}
	atomic_store(&stop, true);
	for (int i = 0; i < N; i++) {
		pthread_join(h[i].thread, NULL);
		assert_true(h[i].good);
		assert_true(h[i].asked > 0);
	}
	desk_close(&d);
}

/* Packing: any graph comes back as it was. */
static uint32_t dice(uint32_t *seed, uint32_t n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)*seed * n) >> 32);
}

static void random_graph(struct wb_graph *g, struct wb_arena *a, uint32_t *seed, struct wb_line_table **lines)
{
	*g = (struct wb_graph){.nfile = 1 + dice(seed, 30), .diagnostics = "", .engine = "e", .doubt = WB_DOUBT_SHIFT};
	g->nedge = g->nfile - 1 + dice(seed, 60);
	g->nmiss = dice(seed, 20);
	g->modules = dice(seed, 2);
	g->file = wb_arena_array(a, g->nfile, sizeof *g->file);
	g->edge = wb_arena_array(a, g->nedge + (size_t)1, sizeof *g->edge);
	const char **miss = wb_arena_array(a, g->nmiss + 1, sizeof *miss);
	for (uint32_t i = 0; i < g->nfile; i++) {
		g->file[i] = (struct wb_graph_file){.path = wb_arena_printf(a, "/dir%u/sub/f%u.h", dice(seed, 3), i),
						    .id = {.ino = i + 1, .mode = 0100644},
						    .flags = dice(seed, 256),
						    .first_edge = UINT32_MAX};
		lines[i] = wb_arena_alloc(a, sizeof **lines + 50 * sizeof *lines[i]->line);
		for (uint32_t line = 0; lines[i]->n < 50; lines[i]->n++)
			lines[i]->line[lines[i]->n] = line += 1 + dice(seed, 400);
	}
	uint32_t met = 1;
	for (uint32_t i = 0; i < g->nedge; i++) {
		struct wb_edge *e = &g->edge[i];
		bool must = g->nedge - i <= g->nfile - met;
		e->to = met < g->nfile && (must || dice(seed, 2)) ? met++ : dice(seed, met);
		e->from = dice(seed, 8) ? dice(seed, met) : UINT32_MAX;
		e->line = e->from == UINT32_MAX ? dice(seed, 4) - 1 : lines[e->from]->line[dice(seed, 50)];
		e->kind = (uint8_t)dice(seed, 7);
		e->skipped = dice(seed, 2);
		e->in_prefix = dice(seed, 2);
		e->name = dice(seed, 3) ? g->file[e->to].path + 6 : wb_arena_printf(a, "../f%u.h", dice(seed, 5));
		if (e->to != 0 && g->file[e->to].first_edge == UINT32_MAX)
			g->file[e->to].first_edge = i;
	}
	for (size_t i = 0; i < g->nmiss; i++)
		miss[i] = wb_arena_printf(a, "/miss/%u", dice(seed, 1000));
	g->miss = miss;
}

static void test_packing(void **state)
{
	uint32_t seed = 1;
	(void)state;
	struct wb_idents *texts = wb_idents_new();
	for (int round = 0; round < 2000; round++) {
		struct wb_arena a;
		struct wb_graph g, back;
		struct wb_line_table *lines[31];
		uint32_t number[31], miss_number[20], out[31];
		struct wb_packed_file file[31];
		bool raw[31];
		wb_arena_init(&a);
		random_graph(&g, &a, &seed, lines);
		for (uint32_t i = 0; i < g.nfile; i++) {
			number[i] = dice(&seed, 1u << 31);
			file[i] = (struct wb_packed_file){g.file[i].path, (uint32_t)strlen(g.file[i].path),
							  &g.file[i].id, lines[i]};
			if (round % 3 == 1 && dice(&seed, 2))
				lines[i] = NULL;
		}
		for (size_t i = 0; i < g.nmiss; i++)
			miss_number[i] = dice(&seed, 1u << 31);
		struct wb_packed *p =
		    wb_graph_pack(&g, texts, number, (const struct wb_line_table *const *)lines, miss_number);
		assert_non_null(p);
		wb_packed_files(p, out, raw);
		assert_memory_equal(out, number, g.nfile * sizeof *out);
		for (uint32_t i = 0; i < g.nfile; i++)
			assert_int_equal(raw[i], lines[i] == NULL);
		wb_packed_misses(p, out);
		assert_memory_equal(out, miss_number, g.nmiss * sizeof *out);
		wb_graph_unpack(&back, &a, p, texts, file, g.miss);
		graphs_equal(&back, &g, "packed");
		assert_string_equal(back.engine, g.engine);
		assert_int_equal(back.doubt, g.doubt);
		/* Every directive two lines further down: so are the edges. */
		for (uint32_t i = 0; i < g.nfile; i++)
			for (uint32_t k = 0; lines[i] && k < lines[i]->n; k++)
				lines[i]->line[k] += 2;
		for (uint32_t i = 0; i < g.nedge; i++)
			g.edge[i].line += g.edge[i].from != UINT32_MAX && lines[g.edge[i].from] ? 2 : 0;
		wb_graph_unpack(&back, &a, p, texts, file, g.miss);
		graphs_equal(&back, &g, "packed, lines moved");
		free(p);
		wb_arena_release(&a);
	}
	wb_idents_free(texts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_keys, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_shapes, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_contents, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_twins, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_moments, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_passing_by, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_bound, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_herd, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_threads, oracle_setup, oracle_teardown),
	    cmocka_unit_test(test_packing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
