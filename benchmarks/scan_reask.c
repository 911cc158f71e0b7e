/* scan_reask.c — what it costs to ask for scans again when nothing has changed: CPU time a unit with a look at the disk
 * of its own, and without one (the rest: checks and unpacking); memory of what is kept.
 *
 *	scan_reask [-n PASSES] [-f MIN_FILES] [-k FILE] COMPILE_COMMANDS_JSON
 *
 * -f: only units with at least so many files. -k: keep the programs of texts in FILE, as a daemon does, and do no more
 * than a first scan: with what FILE holds already. */
#define _GNU_SOURCE
#include "scanner/compile_database.h"
#include "scanner/facts.h"
#include "scanner/results.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct unit {
	struct wb_command cmd;
	const struct wb_toolchain *tc;
	uint32_t nfile;
	size_t nmiss, nedge;
	bool good;
};

static double cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static _Noreturn void die(const struct wb_err *err)
{
	fprintf(stderr, "%s\n", err->text);
	exit(2);
}

static size_t read_units(struct unit **out, struct wb_arena *a, struct wb_toolchains *toolchains, const char *path)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_compile_database db;
	size_t count = 0;
	char *absolute = realpath(path, NULL);
	if (!wb_is_ok(wb_compile_database_read(&db, a, absolute ? absolute : path, &err)))
		die(&err);
	free(absolute);
	*out = wb_arena_array(a, db.n + 1, sizeof **out);
	for (size_t i = 0; i < db.n; i++) {
		const struct wb_database_entry *e = &db.entry[i];
		struct unit u = {.good = true};
		enum wb_reason reason = WB_REASON_NONE;
		if (!e->error &&
		    wb_is_ok(wb_command_parse(&u.cmd, a, e->argv, e->directory, wb_driver_guess(e->argv[0]), &err)) &&
		    u.cmd.reason == WB_REASON_NONE &&
		    wb_is_ok(wb_toolchain_get(&u.tc, toolchains, &u.cmd, "/usr/bin:/bin", &reason, &err)))
			(*out)[count++] = u;
	}
	return count;
}

static const char *engine; /* asked for; another one is another key */

static void scan(struct wb_scanner *s, struct unit *u, uint64_t moment, bool once)
{
	struct wb_arena a;
	struct wb_graph g;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason = WB_REASON_NONE;
	struct wb_scan_request req = {.cmd = &u->cmd, .tc = u->tc, .moment = moment, .once = once, .engine = engine};
	wb_arena_init(&a);
	u->good = wb_is_ok(wb_scan(&g, &a, s, &req, &reason, &err)) && !g.failed;
	if (u->good) {
		u->nfile = g.nfile;
		u->nmiss = g.nmiss;
		u->nedge = g.nedge;
	}
	wb_arena_release(&a);
}

static double pass(struct wb_scanner *s, struct unit *unit, size_t n, uint64_t moment, bool once)
{
	double start = cpu();
	for (size_t i = 0; i < n; i++)
		scan(s, &unit[i], moment, once);
	return (cpu() - start) / (double)(n ? n : 1);
}

int main(int argc, char **argv)
{
	int passes = 5, least = 0;
	const char *keep = NULL;
	for (int c; (c = getopt(argc, argv, "n:f:k:")) != -1;) {
		if (c == 'n')
			passes = atoi(optarg);
		else if (c == 'f')
			least = atoi(optarg);
		else if (c == 'k')
			keep = optarg;
		else
			return 2;
	}
	struct wb_err err = WB_ERR_INIT;
	struct wb_facts *facts;
	struct wb_toolchains *toolchains;
	struct wb_scanner *scanner;
	struct wb_arena a;
	wb_arena_init(&a);
	if (optind >= argc || !wb_is_ok(wb_facts_new(&facts, NULL, &err)) ||
	    !wb_is_ok(wb_toolchains_new(&toolchains, facts, getenv("WAYBILL_TOOLCHAINS"), &err)) ||
	    !wb_is_ok(wb_scanner_new(&scanner, getenv("WAYBILL_TEST_SHIM"), &err)) ||
	    (keep && !wb_is_ok(wb_scanner_keep(scanner, keep, "scan_reask", &err))))
		die(&err);
	struct unit *unit = NULL;
	size_t n = read_units(&unit, &a, toolchains, argv[optind]), kept = 0;
	printf("first scan, nothing kept: %9.1f us\n", pass(scanner, unit, n, 1, true));
	if (keep) {
		wb_scanner_free(scanner);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		if (unit[i].good && unit[i].nfile >= (uint32_t)least)
			unit[kept++] = unit[i];
	n = kept;
	size_t files = 0, misses = 0, edges = 0;
	for (size_t i = 0; i < n; i++) {
		files += unit[i].nfile;
		misses += unit[i].nmiss;
		edges += unit[i].nedge;
	}
	printf("%zu units; on average %.0f files, %.0f edges, %.0f misses\n", n, (double)files / (double)n,
	       (double)edges / (double)n, (double)misses / (double)n);
	usleep(2 * WB_FACTS_RACY_NS / 1000);
	printf("scan again, nothing kept: %9.1f us (one look for all)\n", pass(scanner, unit, n, 2, true));
	printf("scan and keep:            %9.1f us (one look for all)\n", pass(scanner, unit, n, 3, false));
	engine = "directives";
	printf("the same, names known:    %9.1f us (one look for all)\n", pass(scanner, unit, n, 4, false));
	struct wb_results *results = wb_scanner_results(scanner);
	struct wb_results_count before, after;
	uint64_t moment = 10;
	for (int i = 0; i < passes; i++) {
		wb_results_count(results, &before);
		double own = pass(scanner, unit, n, 0, false);
		wb_results_count(results, &after);
		pass(scanner, unit, n, ++moment, false);
		double shared = pass(scanner, unit, n, moment, false);
		printf("asked again: %8.1f us with a look of its own (%.0f system calls), %8.1f us without; answered "
		       "%llu\n",
		       own, (double)(after.calls - before.calls) / (double)n, shared,
		       (unsigned long long)(after.answered - before.answered));
	}
	wb_results_count(results, &after);
	printf("%zu results, %zu bytes each, %.1f MB; in common %.1f MB; %llu stale, %llu scanned\n", after.results,
	       after.results ? after.bytes / after.results : 0, (double)after.bytes / 1e6,
	       (double)after.common_bytes / 1e6, (unsigned long long)after.stale, (unsigned long long)after.scanned);
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	printf("peak memory %ld MiB\n", use.ru_maxrss / 1024);
	wb_scanner_free(scanner);
	wb_toolchains_free(toolchains);
	wb_facts_free(facts);
	wb_arena_release(&a);
	return 0;
}
