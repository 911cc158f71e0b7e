/* Any two texts as files that define macros, and a line that is expanded with them. The same line gives the same tokens
 * again; two files mean what one of both means; a state that was kept and gone back to is the same state; what was
 * expanded to the end does not change when it is expanded again (unless "(" came to stand behind a function-like name).
 * Input: a byte of enum wb_lex_flag, then first file, line, second file, separated by NUL. */
#include "tests/fuzz/expansion.h"

static struct expansion world;

static void run(const struct wb_program *p)
{
	for (uint32_t i = 0; i < p->nop; i++)
		expansion_define(&world, p, &p->op[i]);
}

/* False: a doubt. */
static bool expand(struct wb_toks *out, const struct wb_tok *v, size_t n)
{
	wb_expand_begin(&world.macros, v, n);
	for (struct wb_tok t; (t = wb_expand_next(&world.macros)).kind != WB_TOK_END;)
		wb_toks_push(out, t);
	return world.macros.doubt == WB_DOUBT_NONE;
}

static bool same(const struct wb_toks *a, const struct wb_toks *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].text != b->v[i].text || a->v[i].kind != b->v[i].kind)
			return false;
	return true;
}

/* Expand `line` once more: with the same result as `want`, or a doubt when that was one. */
static void check_again(const struct wb_toks *line, bool good, const struct wb_toks *want)
{
	struct wb_toks got = {0};
	check(expand(&got, line->v, line->n) == good);
	check(!good || same(want, &got));
	wb_toks_release(&got);
}

static bool names_function(const struct wb_toks *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct wb_define *d =
		    t->v[i].kind == WB_TOK_IDENT ? wb_macro_get(&world.macros, t->v[i].text) : NULL;
		if (d && (d->flags & WB_DEFINE_FUNCTION))
			return true;
	}
	return false;
}

static const char *until_nul(const char *p, const char *end)
{
	const char *nul = memchr(p, '\0', (size_t)(end - p));
	return nul ? nul : end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	expansion_begin(&world);
	unsigned lex = data[0];
	const char *first = (const char *)data + 1, *end = (const char *)data + size;
	const char *first_end = until_nul(first, end), *line = first_end + (first_end < end);
	const char *line_end = until_nul(line, end), *second = line_end + (line_end < end);
	struct wb_program *a = expansion_program(&world, first, (size_t)(first_end - first), lex);
	struct wb_program *b = expansion_program(&world, second, (size_t)(end - second), lex);
	struct wb_toks in = {0}, alone = {0}, both = {0};
	check(wb_tokens_lex(&in, world.idents, line, (size_t)(line_end - line), lex, false));

	wb_macros_reset(&world.macros);
	run(a);
	bool good_alone = expand(&alone, in.v, in.n);
	check_again(&in, good_alone, &alone);
	wb_macros_keep(&world.macros);
	run(b);
	bool good = expand(&both, in.v, in.n);
	check_again(&in, good, &both);
	if (good && !names_function(&both))
		check_again(&both, true, &both);
	wb_macros_back(&world.macros);
	check_again(&in, good_alone, &alone);
	run(b);
	check_again(&in, good, &both);

	wb_macros_reset(&world.macros);
	run(a);
	run(b);
	check_again(&in, good, &both);
	expansion_end(&world);
	wb_toks_release(&in);
	wb_toks_release(&alone);
	wb_toks_release(&both);
	wb_program_unref(a);
	wb_program_unref(b);
	return 0;
}
