/* soup_cases — random macros and conditions, expanded by the directive engine and by compilers: what -E prints must be
 * what the engine makes of it. What the engine refuses is counted; refusing too much is a failure too.
 *
 *   soup_cases [--seed N] [--cases N] [--show] [COMPILER ...]
 *
 * Cases are per language. Exit status: 0, 1: a difference (printed, with its text), 2: it could not be run. */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/fileio.h"
#include "base/process.h"
#include "scanner/directives/setup.h"
#include "tests/interop/soup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 400, MAX_REFUSED_PERCENT = 25 };

static const struct language {
	const char *std;
	bool cxx;
	unsigned flags;
} languages[] = {
    {"-std=c++20", true,
     SOUP_CXX | SOUP_RAW_STRINGS | SOUP_SEPARATORS | SOUP_DIGRAPHS | SOUP_LINE_COMMENTS | SOUP_VA_OPT},
    {"-std=gnu++14", true,
     SOUP_CXX | SOUP_RAW_STRINGS | SOUP_SEPARATORS | SOUP_DIGRAPHS | SOUP_LINE_COMMENTS | SOUP_VA_OPT},
    {"-std=c++11", true, SOUP_CXX | SOUP_RAW_STRINGS | SOUP_LINE_COMMENTS},
    {"-std=gnu17", false, SOUP_RAW_STRINGS | SOUP_DIGRAPHS | SOUP_LINE_COMMENTS | SOUP_VA_OPT},
    {"-std=c99", false, SOUP_DIGRAPHS | SOUP_LINE_COMMENTS},
    {"-std=gnu89", false, SOUP_DIGRAPHS | SOUP_LINE_COMMENTS},
};

struct tally {
	unsigned long cases, agreed, refused, refused_rightly, lenient, differ;
};

static struct wb_arena forever;
static struct wb_toolchains *toolchains;
static char dir[] = "/tmp/waybill-soup-XXXXXX";
static bool show;

static void die(const struct wb_err *err)
{
	fprintf(stderr, "soup_cases: %s\n", err->text);
	exit(2);
}

/* One compiler and language: the engine's macros in their first state. */
struct world {
	const char *compiler;
	const struct language *lang;
	struct wb_idents *idents;
	struct wb_definitions *definitions;
	struct wb_base *base;
	struct wb_macros macros;
};

static void world_init(struct world *w, const char *compiler, const struct language *lang)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_command *cmd = wb_arena_alloc(&forever, sizeof *cmd);
	const struct wb_toolchain *tc = NULL;
	enum wb_reason reason;
	const char **argv = wb_arena_array(&forever, 8, sizeof *argv);
	argv[0] = compiler;
	argv[1] = lang->std;
	argv[2] = "-x";
	argv[3] = lang->cxx ? "c++" : "c";
	argv[4] = "-c";
	argv[5] = "case.c";
	wb_status s = wb_command_parse(cmd, &forever, argv, dir, wb_driver_guess(compiler), &err);
	if (!wb_is_ok(s) || !wb_is_ok(wb_toolchain_get(&tc, toolchains, cmd, "/usr/bin:/bin", &reason, &err)))
		die(&err);
	*w = (struct world){.compiler = compiler, .lang = lang, .idents = wb_idents_new()};
	w->definitions = wb_definitions_new();
	w->base = wb_base_new(w->idents, w->definitions, tc, cmd->lang);
	wb_macros_init(&w->macros, w->idents);
	w->macros.strict_comma = w->base->strict_comma;
}

static void world_release(struct world *w)
{
	wb_expand_begin(&w->macros, NULL, 0);
	wb_macros_release(&w->macros);
	wb_base_free(w->base);
	wb_definitions_free(w->definitions);
	wb_idents_free(w->idents);
}

/* What the engine makes of a case: tokens in `out`, or false and why. */
static bool expand(struct world *w, const struct soup_case *c, struct wb_toks *out, const char **why)
{
	struct wb_macros *m = &w->macros;
	struct wb_buf text = WB_BUF_INIT;
	bool good = true, holds = false;
	wb_buf_add(&text, c->defines.p, c->defines.n);
	if (c->condition)
		wb_buf_addf(&text, "#if %s\n#endif\n", c->tokens.p);
	else
		wb_buf_adds(&text, "");
	wb_buf_addc(&text, '\n');
	struct wb_program *p = wb_program_new(w->idents, text.p, text.n, w->base->lex);
	struct wb_toks line = {0};
	wb_macros_reset(m);
	for (uint32_t i = 0; i < w->base->program->ndefine; i++)
		wb_macro_define(m, w->base->program->define[i].name, &w->base->program->define[i]);
	*why = wb_doubt_text(p->doubt);
	good = !p->doubt;
	for (uint32_t i = 0; good && i < p->nop; i++) {
		const struct wb_directive *d = &p->op[i];
		if (d->op == WB_OP_DEFINE) {
			wb_macro_define(m, p->define[d->a].name, &p->define[d->a]);
		} else if (d->op == WB_OP_IF_CONSTANT) {
			holds = d->a;
		} else if (d->op == WB_OP_IF) {
			good = wb_expression_evaluate(&holds, m, &w->base->rules, p->tok + p->operand[d->a].first,
						      p->operand[d->a].n);
			*why = wb_doubt_text(m->doubt);
		} else if (d->op == WB_OP_BAD) {
			good = false;
			*why = wb_doubt_text((enum wb_doubt)d->a);
		}
	}
	if (good && c->condition) {
		good = wb_tokens_lex(out, w->idents, holds ? "Y" : "N", 1, w->base->lex, false);
	} else if (good) {
		wb_tokens_lex(&line, w->idents, c->tokens.p, c->tokens.n, w->base->lex, false);
		wb_expand_begin(m, line.v, line.n);
		for (struct wb_tok t; (t = wb_expand_next(m)).kind != WB_TOK_END;)
			wb_toks_push(out, t);
		good = !m->doubt;
		*why = wb_doubt_text(m->doubt);
	}
	wb_expand_begin(m, NULL, 0);
	wb_toks_release(&line);
	wb_program_unref(p);
	wb_buf_release(&text);
	return good;
}

static bool same(const struct wb_toks *a, const struct wb_toks *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].text != b->v[i].text)
			return false;
	return true;
}

static void print(const struct world *w, const char *label, const struct wb_toks *t)
{
	printf("%s:", label);
	for (size_t i = 0; i < t->n; i++)
		printf(" %s", wb_ident_text(w->idents, t->v[i].text).p);
	printf("\n");
}

struct batch {
	struct soup_case c[BATCH];
	unsigned line[BATCH + 1]; /* where each begins */
	bool error[BATCH];        /* the compiler complains */
	size_t n;
};

/* Comments of a case are only for the compiler: the engine gets its tokens without. */
static struct wb_str without_comments(struct wb_arena *a, struct wb_str s)
{
	struct wb_buf b = WB_BUF_INIT;
	for (size_t i = 0; i < s.n; i++) {
		if (i + 4 <= s.n && memcmp(s.p + i, "/**/", 4) == 0) {
			wb_buf_addc(&b, ' ');
			i += 3;
		} else {
			wb_buf_addc(&b, s.p[i]);
		}
	}
	struct wb_str out = {wb_arena_strndup(a, b.p ? b.p : "", b.n), b.n};
	wb_buf_release(&b);
	return out;
}

static void write_batch(struct batch *b, struct wb_arena *a, const char *path, uint64_t seed, unsigned flags)
{
	struct wb_buf text = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	unsigned line = 1;
	for (size_t i = 0; i < b->n; i++) {
		struct soup_case *c = &b->c[i];
		size_t from = text.n;
		soup_case(c, a, seed + i, flags);
		b->line[i] = line;
		for (size_t k = 0; k < soup_macro_count; k++)
			wb_buf_addf(&text, "#undef %s\n", soup_macro_names[k]);
		wb_buf_add(&text, c->defines.p ? c->defines.p : "", c->defines.n);
		if (c->condition)
			wb_buf_addf(&text, "#if %s\nB_%zu Y E_%zu\n#else\nB_%zu N E_%zu\n#endif\n", c->tokens.p, i, i,
				    i, i);
		else
			wb_buf_addf(&text, "B_%zu %s E_%zu\n", i, c->tokens.p, i);
		for (size_t k = from; k < text.n; k++)
			line += text.p[k] == '\n';
		if (!c->condition)
			c->tokens = without_comments(a, c->tokens);
	}
	b->line[b->n] = line;
	if (!wb_is_ok(wb_file_write(path, text.p, text.n, 0644, &err)))
		die(&err);
	wb_buf_release(&text);
}

/* "case.c:12:3: error: ..." */
static void find_errors(struct batch *b, const char *text)
{
	for (const char *p = text; (p = strstr(p, "case.c:")) != NULL; p++) {
		unsigned line = (unsigned)strtoul(p + 7, NULL, 10);
		const char *eol = strchrnul(p, '\n'), *error = strstr(p, "error:");
		if (!error || error > eol)
			continue;
		for (size_t i = 0; i < b->n; i++)
			if (line >= b->line[i] && line < b->line[i + 1])
				b->error[i] = true;
	}
}

static void check_case(struct world *w, struct batch *b, size_t i, const char *output, struct tally *t, uint64_t seed)
{
	char begin[32], end[32];
	struct wb_toks want = {0}, got = {0};
	const char *why = NULL;
	snprintf(begin, sizeof begin, "B_%zu ", i);
	snprintf(end, sizeof end, "E_%zu\n", i);
	const char *p = strstr(output, begin), *q = p ? strstr(p, end) : NULL;
	bool good = expand(w, &b->c[i], &got, &why), errs = b->error[i];
	t->cases++;
	if (!good) {
		t->refused++;
		t->refused_rightly += errs;
		if (show && !errs)
			printf("refused: seed %llu: %s\n%s%s\n", (unsigned long long)(seed + i), why,
			       b->c[i].defines.p ? b->c[i].defines.p : "", b->c[i].tokens.p);
	} else if (errs) {
		t->lenient++;
		if (show)
			printf("lenient: seed %llu\n%s%s\n", (unsigned long long)(seed + i),
			       b->c[i].defines.p ? b->c[i].defines.p : "", b->c[i].tokens.p);
	} else {
		if (p && q)
			wb_tokens_lex(&want, w->idents, p + strlen(begin), (size_t)(q - p) - strlen(begin),
				      w->base->lex, false);
		if (p && q && same(&want, &got)) {
			t->agreed++;
		} else {
			t->differ++;
			printf("DIFFERENCE: %s %s, seed %llu\n%s%s\n", w->compiler, w->lang->std,
			       (unsigned long long)(seed + i), b->c[i].defines.p ? b->c[i].defines.p : "",
			       b->c[i].tokens.p);
			print(w, "  compiler", &want);
			print(w, "  engine  ", &got);
		}
	}
	wb_toks_release(&want);
	wb_toks_release(&got);
}

static void run(struct tally *t, const char *compiler, const struct language *lang, uint64_t seed, unsigned long cases)
{
	struct world w;
	struct batch *b = wb_xcalloc(1, sizeof *b);
	char *path = NULL;
	if (asprintf(&path, "%s/case.c", dir) < 0)
		exit(2);
	world_init(&w, compiler, lang);
	for (unsigned long done = 0; done < cases; done += b->n) {
		struct wb_arena a;
		struct wb_buf out = WB_BUF_INIT, complaints = WB_BUF_INIT;
		struct wb_err err = WB_ERR_INIT;
		int status;
		wb_arena_init(&a);
		memset(b, 0, sizeof *b);
		b->n = cases - done < BATCH ? cases - done : BATCH;
		write_batch(b, &a, path, seed + done, lang->flags);
		const char *argv[] = {compiler,          lang->std, "-x", lang->cxx ? "c++" : "c", "-E", "-P", "-w",
				      "-ferror-limit=0", "case.c",  NULL};
		if (!strstr(compiler, "clang"))
			argv[7] = "-fmax-errors=0";
		struct wb_process p = {.argv = argv, .cwd = dir, .out = &out, .err_out = &complaints};
		if (!wb_is_ok(wb_process_run(&status, &p, &err)))
			die(&err);
		find_errors(b, complaints.p ? complaints.p : "");
		for (size_t i = 0; i < b->n; i++)
			check_case(&w, b, i, out.p ? out.p : "", t, seed + done);
		wb_buf_release(&out);
		wb_buf_release(&complaints);
		wb_arena_release(&a);
	}
	world_release(&w);
	free(path);
	free(b);
}

int main(int argc, char **argv)
{
	static const char *const usual[] = {"clang-22", "gcc"};
	const char *const *compiler = usual;
	size_t ncompiler = 2;
	uint64_t seed = 1;
	unsigned long cases = 400;
	struct wb_err err = WB_ERR_INIT;
	struct wb_facts *facts;
	struct tally all = {0};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			seed = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--cases") == 0 && i + 1 < argc) {
			cases = strtoul(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--show") == 0) {
			show = true;
		} else {
			compiler = (const char *const *)argv + i;
			ncompiler = (size_t)(argc - i);
			break;
		}
	}
	wb_arena_init(&forever);
	if (!mkdtemp(dir) || !wb_is_ok(wb_facts_new(&facts, NULL, &err)) ||
	    !wb_is_ok(wb_toolchains_new(&toolchains, facts, NULL, &err)))
		die(&err);
	for (size_t k = 0; k < ncompiler; k++)
		for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
			struct tally t = {0};
			run(&t, compiler[k], &languages[i], seed * 1000000007u, cases);
			printf("%-10s %-12s %lu cases: %lu agree, %lu differ, %lu refused (%lu that the compiler "
			       "refuses too), %lu "
			       "that the compiler alone refuses\n",
			       compiler[k], languages[i].std, t.cases, t.agreed, t.differ, t.refused, t.refused_rightly,
			       t.lenient);
			all.cases += t.cases;
			all.agreed += t.agreed;
			all.differ += t.differ;
			all.refused += t.refused - t.refused_rightly;
		}
	wb_toolchains_free(toolchains);
	wb_facts_free(facts);
	wb_arena_release(&forever);
	if (!wb_is_ok(wb_dir_remove(dir, &err)))
		die(&err);
	if (all.refused * 100 > all.cases * MAX_REFUSED_PERCENT)
		printf("FAILED: the engine refuses %lu cases that the compilers understand\n", all.refused);
	return all.differ > 0 || all.refused * 100 > all.cases * MAX_REFUSED_PERCENT;
}
