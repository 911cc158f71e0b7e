/* Any bytes as a source file: a program whose branches lead forward to their own group's end, and which a comment
 * behind its last line does not change. Input: two bytes of enum wb_lex_flag, then the text. */
#include "scanner/directives/program.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static struct wb_program *program(struct wb_idents *idents, const char *p, size_t n, const char *more, unsigned lex)
{
	size_t len = strlen(more);
	char *text = malloc(n + len + 1);
	memcpy(text, p, n);
	memcpy(text + n, more, len + 1);
	struct wb_program *made = wb_program_new(idents, text, n + len, lex);
	free(text);
	return made;
}

static void check_same(const struct wb_program *p, const struct wb_program *q)
{
	check(p->nop == q->nop && p->ndefine == q->ndefine && p->guard == q->guard && p->flags == q->flags);
	check((p->doubt == WB_DOUBT_NONE) == (q->doubt == WB_DOUBT_NONE));
	for (uint32_t i = 0; i < p->nop; i++)
		check(p->op[i].op == q->op[i].op && p->op[i].line == q->op[i].line &&
		      ((p->op[i].op < WB_OP_IFDEF || p->op[i].op > WB_OP_ELSE) || p->op[i].b == q->op[i].b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wb_idents *idents;
	static unsigned runs;
	if (size < 2)
		return 0;
	/* Spellings stay: start anew before they fill the memory. */
	if (++runs % 20000 == 0) {
		wb_idents_free(idents);
		idents = NULL;
	}
	if (!idents)
		idents = wb_idents_new();
	const char *text = (const char *)data + 2;
	size_t n = size - 2;
	unsigned lex = (data[0] | (unsigned)data[1] << 8) & WB_LEX_ALL;
	struct wb_program *p = program(idents, text, n, "", lex);
	for (uint32_t i = 0; i < p->nop; i++) {
		const struct wb_directive *d = &p->op[i];
		if (d->op >= WB_OP_IFDEF && d->op <= WB_OP_ELSE) {
			uint32_t end = wb_program_behind(p, i);
			check(d->b > i && d->b <= end && end <= p->nop);
		}
		if (d->op == WB_OP_DEFINE)
			check(d->a < p->ndefine && wb_define_body(&p->define[d->a], idents) != NULL);
	}
	/* Not where the end of the text ends something. */
	if (!(p->flags & WB_PROGRAM_NO_END) && n > 2 && text[n - 1] == '\n' && text[n - 2] == '\n') {
		struct wb_program *q = program(idents, text, n, "/* ' */ \n", lex);
		check_same(p, q);
		wb_program_unref(q);
	}
	wb_program_unref(p);
	return 0;
}
