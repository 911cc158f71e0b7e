/* Any text: its #define lines are made, its conditions evaluated. No crash, no hang; what was evaluated twice gives the
 * same value. Input: a byte of rules, then the text. */
#include "scanner/directives/expression.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wb_idents *idents;
	static struct wb_macros macros;
	static unsigned runs;
	if (size == 0)
		return 0;
	if (++runs % 20000 == 0) {
		wb_macros_release(&macros);
		wb_idents_free(idents);
		idents = NULL;
	}
	if (!idents) {
		idents = wb_idents_new();
		wb_macros_init(&macros, idents);
	}
	struct wb_expression_rules rules = {.cxx = data[0] & 1,
					    .operator_names = data[0] & 1,
					    .bool_words = data[0] & 2,
					    .digit_separators = data[0] & 4,
					    .unsigned_char = data[0] & 8};
	char *text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	struct wb_program *p =
	    wb_program_new(idents, text, size - 1, WB_LEX_LINE_COMMENTS | (data[0] & 4 ? WB_LEX_DIGIT_SEPARATORS : 0));
	free(text);
	wb_macros_reset(&macros);
	for (uint32_t i = 0; i < p->nop; i++) {
		const struct wb_directive *d = &p->op[i];
		if (d->op == WB_OP_DEFINE) {
			wb_macro_define(&macros, p->define[d->a].name, &p->define[d->a]);
		} else if (d->op == WB_OP_UNDEF) {
			wb_macro_undef(&macros, d->a);
		} else if (d->op == WB_OP_IF || d->op == WB_OP_ELIF) {
			bool first, second;
			const struct wb_site_tokens *o = &p->operand[d->a];
			bool good = wb_expression_evaluate(&first, &macros, &rules, p->tok + o->first, o->n);
			check(good == (macros.doubt == NULL));
			check(wb_expression_evaluate(&second, &macros, &rules, p->tok + o->first, o->n) == good);
			check(!good || first == second);
		}
	}
	/* The program goes away before the next one comes: nothing may point into it then. */
	wb_expand_begin(&macros, NULL, 0);
	wb_program_unref(p);
	return 0;
}
