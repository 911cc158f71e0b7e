#include "service/scan_database.h"

#include "base/path.h"
#include "scanner/facts.h"
#include "service/scan_run.h"
#include "service/verbs.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define DATABASE_NAME "compile_commands.json"

wb_status wb_scan_database_read(struct wb_compile_database *out, struct wb_verb_call *c, const char *path,
				struct wb_err *err)
{
	struct wb_stat_id id;
	const char *name = wb_path_join(c->arena, c->cwd, path);

	if (!wb_stat_id_get(&id, name, true))
		return wb_fail(err, WB_ENOENT, "-p %s: no such file or directory", path);
	if (wb_stat_id_kind(&id) == WB_FILE_DIRECTORY) {
		name = wb_path_join(c->arena, name, DATABASE_NAME);
		if (!wb_stat_id_get(&id, name, true))
			return wb_fail(err, WB_ENOENT,
				       "-p %s: there is no %s in it; CMake writes one with "
				       "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
				       path, DATABASE_NAME);
	}
	return wb_compile_database_read(out, c->arena, name, err);
}

/* The absolute name of an entry's source; NULL when it has none. */
static const char *source_of(struct wb_arena *a, const struct wb_database_entry *e)
{
	if (e->file[0] == '\0' || !e->directory)
		return NULL;
	return wb_path_normal(a, wb_path_join(a, e->directory, e->file));
}

size_t wb_scan_database_find(size_t **out, struct wb_verb_call *c, const struct wb_compile_database *db,
			     const char *source)
{
	const char *wanted = wb_path_normal(c->arena, wb_path_join(c->arena, c->cwd, source));
	struct wb_stat_id id, other;
	struct wb_arena a;
	size_t n = 0;

	*out = wb_arena_array(c->arena, db->n + 1, sizeof **out);
	wb_arena_init(&a);
	for (size_t i = 0; i < db->n; i++) {
		const char *name = source_of(&a, &db->entry[i]);

		if (name && strcmp(name, wanted) == 0)
			(*out)[n++] = i;
	}
	if (n == 0 && wb_stat_id_get(&id, wb_path_join(&a, c->cwd, source), true))
		for (size_t i = 0; i < db->n; i++) {
			const struct wb_database_entry *e = &db->entry[i];

			if (e->directory && e->file[0] != '\0' &&
			    wb_stat_id_get(&other, wb_path_join(&a, e->directory, e->file), true) &&
			    other.dev == id.dev && other.ino == id.ino)
				(*out)[n++] = i;
		}
	wb_arena_release(&a);
	return n;
}

/* ---- which entries */

static int complain(struct wb_verb_call *c, const struct wb_err *err)
{
	wb_buf_addf(c->err_out, "%s: scan: %s\n", wb_scan_program(c), err->text);
	return 1;
}

static struct wb_scan_entry entry_of(struct wb_arena *a, const struct wb_database_entry *e)
{
	const char *name = e->file[0] != '\0' ? e->file : wb_arena_printf(a, "entry in line %zu", e->line);

	return (struct wb_scan_entry){.unit = {.argv = e->argv, .cwd = e->directory, .name = name}, .error = e->error};
}

/* The entries that the operands name, or all, in the order of the database; *missing counts operands that name none. */
static struct wb_scan_entry *select_entries(size_t *n, size_t *missing, struct wb_verb_call *c,
					    const struct wb_scan_options *o, const struct wb_compile_database *db)
{
	struct wb_scan_entry *entry = wb_arena_array(c->arena, db->n + 1, sizeof *entry);
	bool *wanted = wb_arena_alloc(c->arena, db->n + 1);

	*n = *missing = 0;
	for (size_t k = 0; k < o->noperand; k++) {
		size_t *at, found = wb_scan_database_find(&at, c, db, o->operand[k]);

		for (size_t i = 0; i < found; i++)
			wanted[at[i]] = true;
		if (found == 0) {
			wb_buf_addf(c->err_out, "%s: %s: no entry of the database has this source\n",
				    wb_scan_program(c), o->operand[k]);
			++*missing;
		}
	}
	for (size_t i = 0; i < db->n; i++)
		if (o->noperand == 0 || wanted[i])
			entry[(*n)++] = entry_of(c->arena, &db->entry[i]);
	return entry;
}

/* ---- what it cost, for benchmarks */

static double cpu_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double children_ms(void)
{
	struct rusage r;

	getrusage(RUSAGE_CHILDREN, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e3 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e3;
}

struct cost {
	double cpu, children, wall;
};

static struct cost cost_now(void)
{
	return (struct cost){cpu_ms(CLOCK_PROCESS_CPUTIME_ID), children_ms(), cpu_ms(CLOCK_MONOTONIC)};
}

static void tell_cost(struct wb_verb_call *c, const char *what, unsigned pass, size_t units, const struct cost *from)
{
	struct cost now = cost_now();
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	wb_buf_addf(c->err_out,
		    "%s %u: %zu units, CPU %.1f ms (%.4f ms a unit), compilers asked %.1f ms, wall %.1f ms, peak %ld "
		    "MiB\n",
		    what, pass, units, now.cpu - from->cpu, units > 0 ? (now.cpu - from->cpu) / (double)units : 0.0,
		    now.children - from->children, now.wall - from->wall, r.ru_maxrss / 1024);
}

static unsigned cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 && n < WB_SCAN_JOBS_MAX ? (unsigned)n : 1;
}

/* Is there nobody who could ask again? With several passes each scans, up to those that ask for what the last has
 * found. */
static bool is_once(const struct wb_verb_call *c, const struct wb_scan_options *o, unsigned pass)
{
	return o->reask > 0 ? pass < o->repeat : !c->daemon || o->repeat > 1;
}

int wb_scan_database(struct wb_verb_call *c, const struct wb_scan_options *o)
{
	/* In a process of its own everything counts, its start included. */
	struct cost from = c->daemon ? cost_now() : (struct cost){.wall = cpu_ms(CLOCK_MONOTONIC)};
	struct wb_err err = WB_ERR_INIT;
	struct wb_compile_database db = {0};
	struct wb_scan_tally tally = {0};
	size_t n, missing;

	if (!wb_is_ok(wb_scan_database_read(&db, c, o->database, &err)))
		return complain(c, &err);
	struct wb_scan_entry *entry = select_entries(&n, &missing, c, o, &db);
	for (unsigned pass = 1; pass <= o->repeat + o->reask; pass++) {
		bool again = pass > o->repeat;
		/* A pass is one moment: its units share one look at the disk. */
		struct wb_scan_context context = {.service = c->service,
						  .config = c->config,
						  .env = c->env,
						  .cancel = c->cancel,
						  .options = o,
						  .moment = wb_scan_moment(),
						  .once = is_once(c, o, pass)};

		if (!wb_is_ok(wb_scan_run(&tally, c, &context, entry, n, o->jobs ? o->jobs : cores(), pass > 1, &err)))
			return complain(c, &err);
		if (o->stats)
			tell_cost(c, again ? "re-ask" : "scan", again ? pass - o->repeat : pass, n, &from);
		from = cost_now();
	}
	return tally.failed > 0 || tally.differing > 0 || missing > 0;
}
