/* scan_engines.c — the scan engines side by side in one process: every difference between them, and the CPU time that
 * each takes for a unit: the first pass (which reads every file) and later ones.
 *
 *	scan_engines [-e ENGINE]... [-n PASSES] [-a] [-m] [-q] [-o FILE] COMPILE_COMMANDS_JSON...
 *
 * -e: only these engines (default: clang and directives); -a: edges must be the same too; -m: all units of a pass
 * share one look at the disk; -q: differences are counted, not printed; -o: a line of JSON to FILE for each entry of
 * the databases, before anything is measured: {"index", "file", and for each engine "NAME": {"status": "ok", "failed"
 * or "refused", "why", "files"}}. Exits with 1 when there were differences. */
#define _GNU_SOURCE
#include "base/path.h"
#include "scanner/compile_database.h"
#include "scanner/directives/compare.h"
#include "scanner/facts.h"
#include "scanner/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ENGINES = 2 };

struct unit {
	struct wb_command cmd;
	const struct wb_toolchain *tc;
	const char *file;    /* as the database has it */
	const char *refused; /* not for any engine: why */
};

static double cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const struct wb_err *err)
{
	fprintf(stderr, "%s\n", err->text);
	exit(2);
}

/* `u->refused` when it cannot be scanned. */
static void read_unit(struct unit *u, struct wb_arena *a, struct wb_toolchains *toolchains,
		      const struct wb_database_entry *e)
{
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason = WB_REASON_NONE;
	*u = (struct unit){.file = e->file, .refused = e->error};
	if (e->error)
		return;
	enum wb_driver driver = wb_driver_guess(e->argv[0]);
	if (!wb_is_ok(wb_command_parse(&u->cmd, a, e->argv, e->directory, driver, &err)))
		die(&err);
	if (u->cmd.reason != WB_REASON_NONE)
		u->refused = wb_reason_name(u->cmd.reason);
	else if (!wb_is_ok(wb_toolchain_get(&u->tc, toolchains, &u->cmd, "/usr/bin:/bin", &reason, &err)))
		u->refused = wb_arena_strdup(a, err.text);
}

static size_t read_units(struct unit **out, struct wb_arena *a, struct wb_toolchains *toolchains, char **path, int n)
{
	struct wb_err err = WB_ERR_INIT;
	size_t count = 0, cap = 0;
	for (int p = 0; p < n; p++) {
		struct wb_compile_database db;
		char *absolute = realpath(path[p], NULL);
		if (!wb_is_ok(wb_compile_database_read(&db, a, absolute ? absolute : path[p], &err)))
			die(&err);
		free(absolute);
		for (size_t i = 0; i < db.n; i++) {
			wb_arena_grow(a, out, count, &cap, sizeof **out);
			read_unit(&(*out)[count++], a, toolchains, &db.entry[i]);
		}
	}
	return count;
}

struct result {
	wb_status status;
	struct wb_graph graph;
	struct wb_err err;
};

static uint64_t moment; /* of the requests; 0: each looks for itself */

static void scan(struct result *r, struct wb_arena *a, struct wb_scanner *s, const struct unit *u, const char *engine)
{
	enum wb_reason reason = WB_REASON_NONE;
	struct wb_scan_request req = {
	    .cmd = &u->cmd, .tc = u->tc, .engine = engine, .moment = moment, .once = true};
	r->err.text[0] = '\0';
	r->status = wb_scan(&r->graph, a, s, &req, &reason, &r->err);
}

/* What `engine` says of a unit, as a member of a JSON object. */
static void answer(struct wb_buf *out, struct wb_scanner *s, const struct unit *u, const char *engine)
{
	struct wb_arena a;
	struct result r = {.status = {WB_EUNSCANNABLE}};
	wb_arena_init(&a);
	if (!u->refused)
		scan(&r, &a, s, u, engine);
	bool ok = wb_is_ok(r.status);
	const char *why = u->refused ? u->refused : ok ? r.graph.diagnostics : r.err.text;
	wb_buf_addf(out, ", \"%s\": {\"status\": \"%s\", \"why\": ", engine,
		    !ok              ? "refused"
		    : r.graph.failed ? "failed"
				     : "ok");
	wb_buf_add_json(out, why, strlen(why));
	wb_buf_adds(out, ", \"files\": [");
	for (uint32_t i = 0; ok && i < r.graph.nfile; i++) {
		wb_buf_adds(out, i ? ", " : "");
		wb_buf_add_json(out, r.graph.file[i].path, strlen(r.graph.file[i].path));
	}
	wb_buf_adds(out, "]}");
	wb_arena_release(&a);
}

static void write_answers(const char *path, struct wb_scanner *s, const struct unit *unit, size_t n,
			  const char *const *engine, int nengine)
{
	FILE *f = fopen(path, "w");
	struct wb_buf line = WB_BUF_INIT;
	if (!f) {
		perror(path);
		exit(2);
	}
	for (size_t i = 0; i < n; i++) {
		wb_buf_reset(&line);
		wb_buf_addf(&line, "{\"index\": %zu, \"file\": ", i);
		wb_buf_add_json(&line, unit[i].file, strlen(unit[i].file));
		for (int e = 0; e < nengine; e++)
			answer(&line, s, &unit[i], engine[e]);
		wb_buf_adds(&line, "}\n");
		fwrite(line.p, 1, line.n, f);
	}
	wb_buf_release(&line);
	if (fclose(f) != 0) {
		perror(path);
		exit(2);
	}
}

/* One unit with both engines; the number of differences. */
static size_t compare(struct wb_scanner *s, const struct unit *u, const char *const *engine, bool all, bool quiet,
		      size_t *refused, size_t *failed, size_t *files)
{
	struct wb_arena a;
	struct result r[MAX_ENGINES];
	struct wb_buf out = WB_BUF_INIT;
	size_t n = 0;
	wb_arena_init(&a);
	for (int i = 0; i < MAX_ENGINES; i++)
		scan(&r[i], &a, s, u, engine[i]);
	for (int i = 0; i < MAX_ENGINES; i++)
		if (!wb_is_ok(r[i].status)) {
			refused[i]++;
			if (!quiet && wb_is_ok(r[1 - i].status))
				printf("%s: %s refuses: %s\n", u->cmd.source, engine[i], r[i].err.text);
		}
	if (wb_is_ok(r[0].status) && wb_is_ok(r[1].status)) {
		n = wb_graph_compare(&out, &r[0].graph, engine[0], &r[1].graph, engine[1], all);
		*failed += r[0].graph.failed;
		*files += r[1].graph.nfile;
	}
	if (n && !quiet)
		printf("%s:\n%s", u->cmd.source, out.p);
	wb_buf_release(&out);
	wb_arena_release(&a);
	return n;
}

static void measure(struct wb_scanner *s, const struct unit *unit, size_t n, const char *engine, int pass)
{
	size_t refused = 0;
	double start = cpu();
	for (size_t i = 0; i < n; i++) {
		struct wb_arena a;
		struct result r;
		if (unit[i].refused)
			continue;
		wb_arena_init(&a);
		scan(&r, &a, s, &unit[i], engine);
		refused += !wb_is_ok(r.status);
		wb_arena_release(&a);
	}
	double took = cpu() - start;
	printf("%-10s pass %d: %8.3f ms CPU per unit, %7.3f s in all (%zu units, %zu refused)\n", engine, pass,
	       1e3 * took / (double)n, took, n, refused);
}

int main(int argc, char **argv)
{
	const char *engine[MAX_ENGINES] = {"clang", "directives"};
	int nengine = 0, passes = 3;
	bool all = false, quiet = false, share = false;
	const char *answers = NULL;
	for (int c; (c = getopt(argc, argv, "e:n:amqo:")) != -1;) {
		if (c == 'e' && nengine < MAX_ENGINES)
			engine[nengine++] = optarg;
		else if (c == 'n')
			passes = atoi(optarg);
		else if (c == 'o')
			answers = optarg;
		else if (c == 'a' || c == 'q' || c == 'm')
			*(c == 'a' ? &all : c == 'q' ? &quiet : &share) = true;
		else
			return 2;
	}
	bool both = nengine == 0;
	moment = share;
	nengine = both ? MAX_ENGINES : nengine;
	struct wb_err err = WB_ERR_INIT;
	struct wb_facts *facts;
	struct wb_toolchains *toolchains;
	struct wb_scanner *scanner;
	struct wb_arena a;
	wb_arena_init(&a);
	if (!wb_is_ok(wb_facts_new(&facts, NULL, &err)) ||
	    !wb_is_ok(wb_toolchains_new(&toolchains, facts, getenv("WAYBILL_TOOLCHAINS"), &err)) ||
	    !wb_is_ok(wb_scanner_new(&scanner, getenv("WAYBILL_TEST_SHIM"), &err)))
		die(&err);
	struct unit *unit = NULL;
	size_t n = read_units(&unit, &a, toolchains, argv + optind, argc - optind), differing = 0;
	size_t refused[MAX_ENGINES] = {0}, failed = 0, files = 0;
	for (size_t i = 0; i < n; i++)
		if (unit[i].refused && !quiet)
			printf("%s: not scanned: %s\n", unit[i].file, unit[i].refused);
	if (answers)
		write_answers(answers, scanner, unit, n, engine, nengine);
	if (both) {
		for (size_t i = 0; i < n; i++)
			differing += !unit[i].refused &&
				     compare(scanner, &unit[i], engine, all, quiet, refused, &failed, &files) != 0;
		printf("%zu units, %zu differ, %zu fail in both, refused by %s: %zu, by %s: %zu; %zu files\n", n,
		       differing, failed, engine[0], refused[0], engine[1], refused[1], files);
		/* The comparison has read everything: measure with a new scanner. */
		wb_scanner_free(scanner);
		if (!wb_is_ok(wb_scanner_new(&scanner, getenv("WAYBILL_TEST_SHIM"), &err)))
			die(&err);
	}
	for (int e = 0; e < nengine; e++)
		for (int pass = 1; pass <= passes; pass++, moment += share)
			measure(scanner, unit, n, engine[e], pass);
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	printf("peak memory %ld MiB\n", use.ru_maxrss / 1024);
	wb_scanner_free(scanner);
	wb_toolchains_free(toolchains);
	wb_facts_free(facts);
	wb_arena_release(&a);
	return differing != 0;
}
