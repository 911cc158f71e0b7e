/* soup_again — what the directive engine remembers of one unit must not show in the next. Random programs, each with
 * many sources that include its headers in another order and after other macros, are scanned by one engine, one after
 * the other and more than once, while the disk changes now and then; the graphs must be those of an engine that has
 * never seen anything.
 *
 *   soup_again [--seed N] [--programs N] [--first N]
 *
 * Exit status: 0, 1: a difference (the program stays in its directory), 2: not run. */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/fileio.h"
#include "base/path.h"
#include "scanner/directives/engine_directives.h"
#include "tests/interop/soup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SOURCES = 12, PHASES = 4, MAX_WORDS = 400 };

static const struct setting {
	const char *compiler, *standard, *suffix;
	unsigned flags;
} settings[] = {
    {"clang++-22", "-std=c++20", ".cc", SOUP_CXX | SOUP_LINE_COMMENTS | SOUP_CLANG},
    {"g++", "-std=c++20", ".cc", SOUP_CXX | SOUP_LINE_COMMENTS},
    {"clang-22", "-std=gnu17", ".c", SOUP_LINE_COMMENTS},
    {"gcc", "-std=gnu17", ".c", SOUP_LINE_COMMENTS | SOUP_MUTATE},
};

static char dir[] = "/tmp/waybill-again-XXXXXX";
static struct wb_toolchains *toolchains;

static void need(wb_status s, const struct wb_err *err)
{
	if (wb_is_ok(s))
		return;
	fprintf(stderr, "soup_again: %s\n", err->text);
	exit(2);
}

/* A unit's outcome; memory of the arena. */
struct outcome {
	bool good;
	const char *why;
	struct wb_graph g;
};

static void scan(struct outcome *out, struct wb_arena *a, struct wb_scan_engine *e, const struct wb_command *cmd,
		 const struct wb_toolchain *tc, uint64_t moment)
{
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	struct wb_scan_request req = {.cmd = cmd, .tc = tc, .moment = moment};
	*out = (struct outcome){.why = ""};
	out->good = wb_is_ok(e->scan(e, &out->g, a, &req, &reason, &err));
	if (!out->good)
		out->why = wb_arena_strdup(a, err.text);
	/* The engine's strings end with it. */
	struct wb_graph *g = &out->g;
	for (uint32_t i = 0; out->good && i < g->nfile; i++)
		g->file[i].path = wb_arena_strdup(a, g->file[i].path);
	for (uint32_t i = 0; out->good && i < g->nedge; i++)
		g->edge[i].name = wb_arena_strdup(a, g->edge[i].name);
	const char **miss = wb_arena_array(a, g->nmiss + g->nblocked + 1, sizeof *miss);
	for (size_t i = 0; out->good && i < g->nmiss + g->nblocked; i++)
		miss[i] = wb_arena_strdup(a, i < g->nmiss ? g->miss[i] : g->blocked[i - g->nmiss]);
	g->miss = miss;
	g->blocked = miss + g->nmiss;
	g->diagnostics = out->good ? wb_arena_strdup(a, g->diagnostics) : "";
}

/* What differs; NULL: nothing does. */
static const char *difference(struct wb_arena *a, const struct outcome *x, const struct outcome *y)
{
	const struct wb_graph *g = &x->g, *h = &y->g;
	if (strstr(x->why, "more directives") || strstr(y->why, "more directives"))
		return NULL; /* counted in another way where files are known */
	if (x->good != y->good || strcmp(x->why, y->why) != 0)
		return wb_arena_printf(a, "refused \"%s\", \"%s\"", x->why, y->why);
	if (!x->good)
		return NULL;
	if (g->failed != h->failed || g->modules != h->modules || strcmp(g->diagnostics, h->diagnostics) != 0)
		return wb_arena_printf(a, "failed \"%s\", \"%s\"", g->diagnostics, h->diagnostics);
	for (uint32_t i = 0; i < g->nedge && i < h->nedge; i++) {
		const struct wb_edge *e = &g->edge[i], *f = &h->edge[i];
		if (e->from != f->from || e->to != f->to || e->line != f->line || e->kind != f->kind ||
		    e->skipped != f->skipped || e->in_prefix != f->in_prefix || strcmp(e->name, f->name) != 0)
			return wb_arena_printf(a, "edge %u: %s:%u %s, %s:%u %s", i, g->file[e->from].path, e->line,
					       e->name, h->file[f->from].path, f->line, f->name);
	}
	if (g->nedge != h->nedge || g->nfile != h->nfile || g->nmiss != h->nmiss || g->nblocked != h->nblocked)
		return wb_arena_printf(a, "%u and %u edges, %u and %u files, %zu and %zu misses", g->nedge, h->nedge,
				       g->nfile, h->nfile, g->nmiss, h->nmiss);
	for (uint32_t i = 0; i < g->nfile; i++)
		if (strcmp(g->file[i].path, h->file[i].path) != 0 || g->file[i].flags != h->file[i].flags ||
		    g->file[i].first_edge != h->file[i].first_edge)
			return wb_arena_printf(a, "file %s (%#x), %s (%#x)", g->file[i].path, g->file[i].flags,
					       h->file[i].path, h->file[i].flags);
	for (size_t i = 0; i < g->nmiss + g->nblocked; i++)
		if (strcmp(g->miss[i], h->miss[i]) != 0)
			return wb_arena_printf(a, "missing %s, %s", g->miss[i], h->miss[i]);
	return NULL;
}

/* The names that the program defines or asks for. */
static size_t macro_names(struct wb_str *out, const struct soup_program *p)
{
	static const char *const before[] = {"define ", "ifndef ", "ifdef "};
	size_t n = 0;
	for (size_t i = 0; i < p->nfile; i++)
		for (size_t k = 0; k < 3; k++)
			for (const char *q = p->file[i].text.p; q && n < MAX_WORDS && (q = strstr(q, before[k]));) {
				q += strlen(before[k]);
				size_t len =
				    strspn(q, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz0123456789");
				if (len)
					out[n++] = (struct wb_str){q, len};
			}
	return n;
}

static struct wb_str source(struct wb_arena *a, struct soup_random *r, const struct soup_program *p)
{
	struct wb_buf b = WB_BUF_INIT;
	struct wb_str word[MAX_WORDS];
	size_t nword = macro_names(word, p);
	for (unsigned i = 3 + soup_below(r, 6); i > 0; i--) {
		const struct wb_str *w = nword ? &word[soup_below(r, (unsigned)nword)] : NULL;
		unsigned what = soup_below(r, 10);
		if (what < 2 && w)
			wb_buf_addf(&b, "#undef %.*s\n", (int)w->n, w->p);
		else if (what < 4 && w)
			wb_buf_addf(&b, "#undef %.*s\n#define %.*s %u\n", (int)w->n, w->p, (int)w->n, w->p,
				    soup_below(r, 3));
		else if (p->nfile > 1)
			wb_buf_addf(&b, soup_chance(r, 50) ? "#include \"%s\"\n" : "#include <%s>\n",
				    wb_path_basename(p->file[1 + soup_below(r, (unsigned)p->nfile - 1)].name));
	}
	struct wb_str s = {wb_arena_strndup(a, b.p ? b.p : "", b.n), b.n};
	wb_buf_release(&b);
	return s;
}

/* The directories, and the files that all programs share. */
static void write_probes(struct wb_arena *a)
{
	static const char *const sub[] = {"a", "b", "s"};
	struct wb_err err = WB_ERR_INIT;
	for (size_t i = 0; i < 3; i++)
		need(wb_dir_make(wb_path_join(a, dir, sub[i]), 0777, &err), &err);
	for (unsigned k = 0; k < SOUP_PROBES; k++)
		for (unsigned yes = 0; yes < 2; yes++)
			need(wb_file_write(wb_arena_printf(a, "%s/a/%c%u.h", dir, yes ? 'y' : 'n', k), "", 0, 0644,
					   &err),
			     &err);
}

static void write_files(struct wb_arena *a, const struct soup_program *p)
{
	struct wb_err err = WB_ERR_INIT;
	for (size_t i = 0; i < p->nfile; i++) {
		const struct soup_file *f = &p->file[i];
		if (f->link && symlink(f->link, wb_path_join(a, dir, f->name)) != 0)
			exit(2);
		if (!f->link)
			need(wb_file_write(wb_path_join(a, dir, f->name), f->text.p, f->text.n, 0644, &err), &err);
	}
}

/* Change something on the disk: where headers are looked for, and what they are. */
static void disturb(struct wb_arena *a, struct soup_random *r, const struct soup_program *p)
{
	static const char *const in[] = {"a/", "b/", "s/", ""};
	struct wb_err err = WB_ERR_INIT;
	const struct soup_file *f = &p->file[1 + soup_below(r, (unsigned)p->nfile - 1)];
	const struct soup_file *other = &p->file[1 + soup_below(r, (unsigned)p->nfile - 1)];
	const char *path = wb_path_join(a, dir, f->name), *aside = wb_path_join(a, dir, "aside");
	const char *b = wb_path_join(a, dir, "b"), *made = wb_path_join(a, dir, "made.h");
	switch (soup_below(r, 6)) {
	case 0: /* another file of that name, perhaps in an earlier directory */
		path = wb_arena_printf(a, "%s/%s%s", dir, in[soup_below(r, 4)], wb_path_basename(f->name));
		unlink(path);
		if (!wb_is_ok(wb_file_write(path, other->text.p, other->text.n, 0644, &err)))
			return; /* its directory is aside */
		break;
	case 1:
		unlink(path);
		break;
	case 2: /* replaced by rename */
		need(wb_file_write(made, other->text.p, other->text.n, 0644, &err), &err);
		if (rename(made, path) != 0)
			unlink(made);
		break;
	case 3: /* a link that leads nowhere yet */
		unlink(path);
		if (symlink("../late.h", path) != 0)
			return; /* its directory is aside */
		break;
	case 4: /* where it leads */
		path = wb_path_join(a, dir, "late.h");
		if (unlink(path) != 0)
			need(wb_file_write(path, other->text.p, other->text.n, 0644, &err), &err);
		break;
	default: /* a directory goes and comes back */
		if (rename(b, aside) != 0)
			rename(aside, b);
		break;
	}
}

/* Nothing of the program is left behind. */
static void tidy(struct wb_arena *a, const struct soup_program *p)
{
	static const char *const in[] = {"a/", "b/", "s/", ""};
	rename(wb_path_join(a, dir, "aside"), wb_path_join(a, dir, "b"));
	unlink(wb_path_join(a, dir, "late.h"));
	for (size_t i = 0; i < p->nfile; i++)
		for (size_t k = 0; k < 4; k++)
			unlink(wb_arena_printf(a, "%s/%s%s", dir, in[k], wb_path_basename(p->file[i].name)));
}

static void command(struct wb_command *cmd, const struct wb_toolchain **tc, struct wb_arena *a, const struct setting *s,
		    const char *more, const char *file)
{
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	struct wb_argv v = {0};
	const char *words[] = {s->compiler, s->standard, "-w", "-Ia", "-Ib", "-isystem", "s", more, "-c", file};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		wb_argv_push(&v, a, words[i]);
	need(wb_command_parse(cmd, a, v.v, dir, strchr(s->compiler, 'l') ? WB_DRIVER_CLANG : WB_DRIVER_GCC, &err),
	     &err);
	need(wb_toolchain_get(tc, toolchains, cmd, "/usr/bin:/bin", &reason, &err), &err);
}

/* How many of the program's scans differ. */
static unsigned run(uint64_t seed, unsigned long number, unsigned long *good, unsigned long *units)
{
	/* Other directories and macros than those of the unit before. */
	static const char *const more[] = {"-DV1=2", "-DV1=3", "-I.", "-iquoteb"};
	struct wb_arena a;
	struct wb_err err = WB_ERR_INIT;
	struct wb_scan_engine *engine;
	struct soup_program p;
	struct soup_random r = soup_seed(seed + number);
	const struct setting *s = &settings[number % (sizeof settings / sizeof *settings)];
	struct wb_scan_engine *fresh[PHASES * SOURCES];
	unsigned wrong = 0, nfresh = 0;
	wb_arena_init(&a);
	soup_program(&p, &a, seed * 1000000007u + number, s->flags | (number % 8 < 6 ? SOUP_LEVELLESS : 0), "p_",
		     s->suffix);
	write_files(&a, &p);
	struct wb_command cmd[SOURCES];
	const struct wb_toolchain *tc[SOURCES];
	for (unsigned i = 0; i < SOURCES; i++) {
		const char *name = wb_arena_printf(&a, "u%u%s", i, s->suffix);
		struct wb_str text = i ? source(&a, &r, &p) : p.file[0].text;
		need(wb_file_write(wb_path_join(&a, dir, name), text.p, text.n, 0644, &err), &err);
		command(&cmd[i], &tc[i], &a, s, more[soup_below(&r, 4)], name);
	}
	need(wb_engine_directives_new(&engine, NULL, &err), &err);
	for (unsigned phase = 0; phase < PHASES; phase++) {
		for (unsigned n = phase ? 1 + soup_below(&r, 3) : 0; n > 0; n--)
			disturb(&a, &r, &p);
		if (soup_chance(&r, 60))
			usleep(3 * WB_FACTS_RACY_NS / 2000);
		/* They stay until the program is done: the end of an engine makes the others forget much. */
		struct outcome want[SOURCES];
		for (unsigned i = 0; i < SOURCES; i++) {
			need(wb_engine_directives_new(&fresh[nfresh], NULL, &err), &err);
			scan(&want[i], &a, fresh[nfresh++], &cmd[i], tc[i], 1);
		}
		for (unsigned i = 0; i < 2 * SOURCES; i++) {
			unsigned k = i < SOURCES ? i : soup_below(&r, SOURCES);
			struct outcome got;
			scan(&got, &a, engine, &cmd[k], tc[k], phase + 1);
			++*units;
			*good += want[k].good && !want[k].g.failed;
			const char *what = difference(&a, &got, &want[k]);
			if (!what)
				continue;
			printf("program %lu (%s %s), phase %u, scan %u of u%u: %s\n", number, s->compiler, s->standard,
			       phase, i, k, what);
			wrong++;
		}
	}
	engine->free(engine);
	for (unsigned i = 0; i < nfresh; i++)
		fresh[i]->free(fresh[i]);
	if (!wrong)
		tidy(&a, &p);
	wb_arena_release(&a);
	return wrong;
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	unsigned long programs = 100, first = 0, wrong = 0, good = 0, units = 0;
	struct wb_err err = WB_ERR_INIT;
	struct wb_facts *facts;
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(value, NULL, 10), i++;
		else if (strcmp(argv[i], "--programs") == 0)
			programs = strtoul(value, NULL, 10), i++;
		else if (strcmp(argv[i], "--first") == 0)
			first = strtoul(value, NULL, 10), i++;
		else
			return fprintf(stderr, "soup_again: unknown word %s\n", argv[i]), 2;
	}
	if (!mkdtemp(dir))
		return 2;
	need(wb_facts_new(&facts, NULL, &err), &err);
	need(wb_toolchains_new(&toolchains, facts, NULL, &err), &err);
	struct wb_arena a;
	wb_arena_init(&a);
	write_probes(&a);
	wb_arena_release(&a);
	for (unsigned long i = first; i < first + programs && wrong == 0; i++)
		wrong = run(seed, i, &good, &units);
	printf("%lu scans, %lu of units without an error: %lu differ%s%s\n", units, good, wrong, wrong ? "; see " : "",
	       wrong ? dir : "");
	wb_toolchains_free(toolchains);
	wb_facts_free(facts);
	if (!wrong)
		need(wb_dir_remove(dir, &err), &err);
	/* Refusing nearly everything would prove nothing. */
	return wrong || good * 6 < units;
}
