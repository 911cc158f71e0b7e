/* soup_programs — random programs of several files, scanned by the directive engine and by compilers: the files that
 * they read must be the same. What the engine refuses is counted; refusing too much is a failure too.
 *
 *   soup_programs [--seed N] [--programs N] [--first N] [--show] [--keep DIR] [--clang COMPILER | --gcc-only]
 *
 * Oracles: clang-scan-deps-22 in its complete mode (clang's preprocessor, many units a process), or -M of another
 * clang; gcc -M. --keep: programs with a difference are written to DIR. Exit status: 0, 1: a difference, 2: not run. */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/fileio.h"
#include "base/map.h"
#include "base/path.h"
#include "base/process.h"
#include "scanner/scan.h"
#include "tests/interop/soup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 200, MAX_REFUSED_PERCENT = 15 };

static const struct setting {
	const char *words; /* behind the compiler, without -c */
	const char *suffix;
	unsigned flags;
	bool gcc;
} settings[] = {
    {"-std=c++20", ".cc", SOUP_CXX | SOUP_RAW_STRINGS | SOUP_SEPARATORS | SOUP_DIGRAPHS | SOUP_LINE_COMMENTS, true},
    {"-std=gnu17", ".c", SOUP_RAW_STRINGS | SOUP_DIGRAPHS | SOUP_LINE_COMMENTS, true},
    {"-std=c++20", ".cc", SOUP_CXX | SOUP_RAW_STRINGS | SOUP_SEPARATORS | SOUP_LINE_COMMENTS | SOUP_CLANG, false},
    {"-std=gnu++14", ".cc",
     SOUP_CXX | SOUP_RAW_STRINGS | SOUP_SEPARATORS | SOUP_DIGRAPHS | SOUP_LINE_COMMENTS | SOUP_MUTATE, true},
    {"-std=c99", ".c", SOUP_TRIGRAPHS | SOUP_DIGRAPHS | SOUP_LINE_COMMENTS, true},
    {"-std=c89", ".c", SOUP_TRIGRAPHS, true},
    {"-std=c++11", ".cc", SOUP_CXX | SOUP_RAW_STRINGS | SOUP_TRIGRAPHS | SOUP_LINE_COMMENTS, true},
    {"-std=c2x", ".c", SOUP_SEPARATORS | SOUP_LINE_COMMENTS | SOUP_CLANG | SOUP_EMBED, false},
    {"-std=gnu17", ".c", SOUP_DIGRAPHS | SOUP_LINE_COMMENTS | SOUP_MUTATE, true},
    {"-std=gnu89", ".c", SOUP_LINE_COMMENTS | SOUP_MUTATE, true},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

enum outcome { MISSING, GOOD, FAILED, REFUSED };

struct set {
	enum outcome outcome;
	const char **path; /* sorted, real */
	size_t n, cap;
	const char *why;
};

struct program {
	struct soup_program text;
	const struct setting *setting;
	struct set engine[2], oracle[2]; /* clang, gcc */
};

struct tally {
	unsigned long compared, agreed, differ, both_fail, lenient, refused, refused_rightly, silent;
};

static struct {
	char dir[64];
	struct wb_arena a; /* of the batch */
	struct wb_map real;
	struct wb_toolchains *toolchains;
	struct wb_scanner *scanner;
	struct wb_map reasons;
	const char *clang; /* NULL: clang-scan-deps-22 */
	const char *keep;
	bool show, gcc_only;
} the = {.dir = "/tmp/waybill-soup-XXXXXX"};

static void need(wb_status s, const struct wb_err *err)
{
	if (wb_is_ok(s))
		return;
	fprintf(stderr, "soup_programs: %s\n", err->text);
	exit(2);
}

static const char *real_path(const char *path, size_t n)
{
	bool fresh;
	union wb_map_value *v = wb_map_put(&the.real, path, n, &fresh);
	if (fresh) {
		char *name = wb_arena_strndup(&the.a, path, n);
		const char *real = wb_path_real(&the.a, wb_path_join(&the.a, the.dir, name));
		v->p = (void *)(uintptr_t)(real ? real : name);
	}
	return v->p;
}

static void add(struct set *s, const char *path, size_t n)
{
	wb_arena_grow(&the.a, &s->path, s->n, &s->cap, sizeof *s->path);
	s->path[s->n++] = real_path(path, n);
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void finish(struct set *s)
{
	size_t n = 0;
	if (s->n)
		qsort(s->path, s->n, sizeof *s->path, by_text);
	for (size_t i = 0; i < s->n; i++)
		if (i == 0 || strcmp(s->path[i], s->path[n - 1]) != 0)
			s->path[n++] = s->path[i];
	s->n = n;
}

static bool has(const struct set *s, const char *path)
{
	return s->n && bsearch(&path, s->path, s->n, sizeof *s->path, by_text);
}

static void write_program(const struct soup_program *p, const char *dir)
{
	struct wb_err err = WB_ERR_INIT;
	for (size_t i = 0; i < p->nfile; i++) {
		const struct soup_file *f = &p->file[i];
		const char *path = wb_path_join(&the.a, dir, f->name);
		if (f->link) {
			unlink(path);
			if (symlink(f->link, path) != 0)
				exit(2);
		} else {
			need(wb_file_write(path, f->text.p, f->text.n, 0644, &err), &err);
		}
	}
}

static void make_dirs(const char *dir)
{
	static const char *const sub[] = {"a", "b", "s"};
	struct wb_err err = WB_ERR_INIT;
	for (size_t i = 0; i < 3; i++)
		need(wb_dir_make(wb_path_join(&the.a, dir, sub[i]), 0777, &err), &err);
	for (unsigned k = 0; k < SOUP_PROBES; k++)
		for (unsigned yes = 0; yes < 2; yes++)
			need(wb_file_write(wb_arena_printf(&the.a, "%s/a/%c%u.h", dir, yes ? 'y' : 'n', k), "", 0, 0644,
					   &err),
			     &err);
}

static struct wb_argv command(const struct program *p, bool gcc)
{
	struct wb_argv v = {0};
	bool cxx = p->setting->flags & SOUP_CXX;
	const char *clang = the.clang ? the.clang : "clang-22";
	const char *plus = wb_starts_with(clang, "clang-") ? wb_arena_printf(&the.a, "clang++%s", clang + 5) : clang;
	static const char *const rest[] = {"-w", "-Ia", "-Ib", "-isystem", "s"};
	wb_argv_push(&v, &the.a, gcc ? (cxx ? "g++" : "gcc") : cxx ? plus : clang);
	wb_argv_push(&v, &the.a, p->setting->words);
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
		wb_argv_push(&v, &the.a, rest[i]);
	return v;
}

static void scan(struct program *p, bool gcc)
{
	struct set *s = &p->engine[gcc];
	struct wb_argv v = command(p, gcc);
	struct wb_command cmd;
	const struct wb_toolchain *tc;
	struct wb_graph g;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	wb_argv_push(&v, &the.a, "-c");
	wb_argv_push(&v, &the.a, p->text.file[0].name);
	need(wb_command_parse(&cmd, &the.a, v.v, the.dir, gcc ? WB_DRIVER_GCC : WB_DRIVER_CLANG, &err), &err);
	need(wb_toolchain_get(&tc, the.toolchains, &cmd, "/usr/bin:/bin", &reason, &err), &err);
	struct wb_scan_request req = {.cmd = &cmd, .tc = tc, .engine = "directives"};
	wb_status status = wb_scan(&g, &the.a, the.scanner, &req, &reason, &err);
	s->outcome = !wb_is_ok(status) ? REFUSED : g.failed ? FAILED : GOOD;
	s->why = wb_is_ok(status) ? g.diagnostics : wb_arena_strdup(&the.a, err.text);
	for (uint32_t i = 0; s->outcome == GOOD && i < g.nfile; i++) {
		bool only_seen = gcc && i > 0; /* gcc does not list what only __has_include met */
		for (uint32_t k = 0; only_seen && k < g.nedge; k++)
			only_seen = g.edge[k].to != i || g.edge[k].kind == WB_EDGE_HAS_INCLUDE;
		if (!only_seen)
			add(s, g.file[i].path, strlen(g.file[i].path));
	}
	finish(s);
}

/* Rules as make reads them: what follows a target belongs to the program whose source comes first. */
static void read_rules(struct program *p, size_t n, unsigned which, const char *text)
{
	struct set *s = NULL;
	bool first = false;
	for (const char *q = text; *q;) {
		size_t len = strcspn(q, " \n");
		if (len > 0 && q[len - 1] == ':') {
			first = true;
		} else if (len > 0 && !(len == 1 && *q == '\\')) {
			if (first) {
				const char *base = memrchr(q, '/', len);
				base = base ? base + 1 : q;
				unsigned long i = strtoul(base + 1, NULL, 10); /* "p12_m.c" */
				s = i < n ? &p[i].oracle[which] : NULL;
				if (s)
					s->outcome = GOOD;
			}
			if (s)
				add(s, q, len);
			first = false;
		}
		q += len + (q[len] != '\0');
	}
	for (size_t i = 0; i < n; i++)
		finish(&p[i].oracle[which]);
}

/* "a/p12_h3.h:4:1: error: ...": gcc -M writes a rule all the same. */
static void read_errors(struct program *p, size_t n, unsigned which, const char *text)
{
	struct wb_str rest = wb_str_of(text), line;
	while (wb_str_line(&rest, &line)) {
		const char *error = memmem(line.p, line.n, "error: ", 7), *colon = memchr(line.p, ':', line.n);
		const char *slash = colon ? memrchr(line.p, '/', (size_t)(colon - line.p)) : NULL;
		if (!error || !colon)
			continue;
		unsigned long i = strtoul((slash ? slash + 1 : line.p) + 1, NULL, 10);
		if (i < n)
			p[i].oracle[which].outcome = FAILED;
	}
}

static void run_compiler(struct wb_argv *v, struct wb_buf *out, struct wb_buf *err_out)
{
	struct wb_err err = WB_ERR_INIT;
	int status;
	struct wb_process run = {.argv = v->v, .cwd = the.dir, .out = out, .err_out = err_out};
	need(wb_process_run(&status, &run, &err), &err);
}

static void ask_scan_deps(struct program *p, size_t n)
{
	struct wb_buf text = WB_BUF_INIT, out = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	wb_buf_addc(&text, '[');
	for (size_t i = 0; i < n; i++) {
		struct wb_argv v = command(&p[i], false);
		wb_buf_addf(&text, "%s{\"directory\":\"%s\",\"file\":\"%s\",\"arguments\":[", i ? "," : "", the.dir,
			    p[i].text.file[0].name);
		for (size_t k = 0; k < v.n; k++)
			wb_buf_addf(&text, "\"%s\",", v.v[k]);
		wb_buf_addf(&text, "\"-c\",\"%s\"]}", p[i].text.file[0].name);
	}
	wb_buf_addc(&text, ']');
	need(wb_file_write(wb_path_join(&the.a, the.dir, "compile_commands.json"), text.p, text.n, 0644, &err), &err);
	struct wb_argv v = {0};
	static const char *const words[] = {"clang-scan-deps-22", "-j", "1", "-mode=preprocess",
					    "-compilation-database=compile_commands.json"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		wb_argv_push(&v, &the.a, words[i]);
	run_compiler(&v, &out, NULL);
	read_rules(p, n, 0, out.p ? out.p : "");
	wb_buf_release(&text);
	wb_buf_release(&out);
}

static void ask_driver(struct program *p, size_t n, bool gcc)
{
	struct wb_buf all = WB_BUF_INIT, complaints = WB_BUF_INIT;
	for (size_t k = 0; k < SETTINGS; k++) {
		struct wb_argv v = {0};
		for (size_t i = 0; i < n; i++) {
			if (p[i].setting != &settings[k] || (gcc && !p[i].setting->gcc))
				continue;
			if (v.n == 0) {
				v = command(&p[i], gcc);
				wb_argv_push(&v, &the.a, "-M");
			}
			wb_argv_push(&v, &the.a, p[i].text.file[0].name);
		}
		if (v.n)
			run_compiler(&v, &all, &complaints);
		if (all.n && all.p[all.n - 1] != '\n')
			wb_buf_addc(&all, '\n');
	}
	read_rules(p, n, gcc, all.p ? all.p : "");
	read_errors(p, n, gcc, complaints.p ? complaints.p : "");
	wb_buf_release(&all);
	wb_buf_release(&complaints);
}

/* The reason without the place. */
static void count_reason(const char *why)
{
	const char *text = strstr(why, ": ");
	text = text ? text + 2 : why;
	wb_map_puts(&the.reasons, text, NULL)->u++;
}

static void report(const struct program *p, unsigned which, unsigned long number, const char *what)
{
	const struct set *want = &p->oracle[which], *got = &p->engine[which];
	printf("%s: %s %s, program %lu (%s): %s\n", what, which ? "gcc" : "clang", p->setting->words, number,
	       p->text.file[0].name, got->why ? got->why : "");
	for (size_t i = 0; i < want->n && got->outcome == GOOD; i++)
		if (!has(got, want->path[i]))
			printf("  only the compiler reads %s\n", want->path[i]);
	for (size_t i = 0; i < got->n && want->outcome == GOOD; i++)
		if (!has(want, got->path[i]))
			printf("  only the engine reads %s\n", got->path[i]);
	if (!the.keep)
		return;
	const char *dir = wb_arena_printf(&the.a, "%s/%lu-%s", the.keep, number, which ? "gcc" : "clang");
	struct wb_argv v = command(p, which);
	struct wb_buf line = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	make_dirs(dir);
	write_program(&p->text, dir);
	for (size_t i = 0; i < v.n; i++)
		wb_buf_addf(&line, "%s ", v.v[i]);
	wb_buf_addf(&line, "-c %s\n", p->text.file[0].name);
	need(wb_file_write(wb_path_join(&the.a, dir, "command"), line.p, line.n, 0644, &err), &err);
	wb_buf_release(&line);
}

static void compare(const struct program *p, unsigned which, unsigned long number, struct tally *t)
{
	const struct set *want = &p->oracle[which], *got = &p->engine[which];
	bool fails = want->outcome != GOOD;
	t->compared++;
	if (got->outcome == REFUSED) {
		t->refused++;
		t->refused_rightly += fails;
		if (!fails)
			count_reason(got->why);
		if (the.show)
			report(p, which, number, fails ? "refused by both" : "refused");
	} else if (fails) {
		t->both_fail += got->outcome == FAILED;
		t->lenient += got->outcome == GOOD;
		if (the.show && got->outcome == GOOD)
			report(p, which, number, "the compiler alone refuses");
	} else if (which == 1 && got->outcome == FAILED && strstr(got->why, "file not found")) {
		/* gcc 12 says nothing about a missing file that __has_include has missed before. A scan that failed is
		 * left to the compiler. */
		t->silent++;
	} else {
		bool same = got->outcome == GOOD && want->n == got->n;
		for (size_t i = 0; same && i < want->n; i++)
			same = strcmp(want->path[i], got->path[i]) == 0;
		t->agreed += same;
		t->differ += !same;
		if (!same)
			report(p, which, number, "DIFFERENCE");
	}
}

static void run_batch(struct tally *t, uint64_t seed, unsigned long first, size_t n)
{
	struct wb_err err = WB_ERR_INIT;
	wb_arena_init(&the.a);
	wb_map_init(&the.real);
	struct program *p = wb_arena_array(&the.a, n, sizeof *p);
	make_dirs(the.dir);
	for (size_t i = 0; i < n; i++) {
		unsigned long number = first + i;
		p[i].setting = &settings[number % SETTINGS];
		soup_program(&p[i].text, &the.a, seed * 1000000007u + number, p[i].setting->flags,
			     wb_arena_printf(&the.a, "p%zu_", i), p[i].setting->suffix);
		write_program(&p[i].text, the.dir);
	}
	for (size_t i = 0; i < n; i++) {
		if (!the.gcc_only)
			scan(&p[i], false);
		if (p[i].setting->gcc)
			scan(&p[i], true);
	}
	if (the.gcc_only)
		;
	else if (the.clang)
		ask_driver(p, n, false);
	else
		ask_scan_deps(p, n);
	ask_driver(p, n, true);
	for (size_t i = 0; i < n; i++) {
		if (!the.gcc_only)
			compare(&p[i], 0, first + i, &t[0]);
		if (p[i].setting->gcc)
			compare(&p[i], 1, first + i, &t[1]);
	}
	wb_map_release(&the.real);
	wb_arena_release(&the.a);
	need(wb_dir_remove(the.dir, &err), &err);
	need(wb_dir_make(the.dir, 0777, &err), &err);
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	unsigned long programs = 300, first = 0;
	struct wb_err err = WB_ERR_INIT;
	struct wb_facts *facts;
	struct tally t[2] = {0};
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(value, NULL, 10), i++;
		else if (strcmp(argv[i], "--programs") == 0)
			programs = strtoul(value, NULL, 10), i++;
		else if (strcmp(argv[i], "--first") == 0)
			first = strtoul(value, NULL, 10), i++;
		else if (strcmp(argv[i], "--keep") == 0)
			the.keep = value, i++;
		else if (strcmp(argv[i], "--clang") == 0)
			the.clang = value, i++;
		else if (strcmp(argv[i], "--show") == 0)
			the.show = true;
		else if (strcmp(argv[i], "--gcc-only") == 0)
			the.gcc_only = true;
		else
			return fprintf(stderr, "soup_programs: unknown word %s\n", argv[i]), 2;
	}
	if (!mkdtemp(the.dir))
		return 2;
	wb_map_init(&the.reasons);
	need(wb_facts_new(&facts, NULL, &err), &err);
	need(wb_toolchains_new(&the.toolchains, facts, NULL, &err), &err);
	need(wb_scanner_new(&the.scanner, getenv("WAYBILL_TEST_SHIM"), &err), &err);
	for (unsigned long done = 0; done < programs; done += BATCH)
		run_batch(t, seed, first + done, programs - done < BATCH ? programs - done : BATCH);
	bool bad = false;
	for (unsigned k = the.gcc_only; k < 2; k++) {
		unsigned long refused = t[k].refused - t[k].refused_rightly,
			      good = t[k].agreed + t[k].differ + t[k].silent + refused;
		printf("%s: %lu programs, of which the compiler takes %lu: %lu agree, %lu differ, %lu refused, %lu are "
		       "left to "
		       "the compiler. Of the others %lu fail here too, %lu are refused, %lu are left to the compiler\n",
		       k ? "gcc" : "clang", t[k].compared, good, t[k].agreed, t[k].differ, refused, t[k].silent,
		       t[k].both_fail, t[k].refused_rightly, t[k].lenient);
		bad = bad || t[k].differ || refused * 100 > good * MAX_REFUSED_PERCENT || good * 4 < t[k].compared;
	}
	size_t at = 0;
	for (struct wb_map_slot *s; (s = wb_map_next(&the.reasons, &at)) != NULL;)
		printf("%6llu refused: %s\n", (unsigned long long)s->value.u, s->key);
	wb_scanner_free(the.scanner);
	wb_toolchains_free(the.toolchains);
	wb_facts_free(facts);
	wb_map_release(&the.reasons);
	need(wb_dir_remove(the.dir, &err), &err);
	return bad;
}
