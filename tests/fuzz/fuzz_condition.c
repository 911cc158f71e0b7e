/* Any text: its #define lines are made, its conditions evaluated. No crash, no hang; what was evaluated twice gives the
 * same value. Input: a byte of rules, then the text. */
#include "tests/fuzz/expansion.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct expansion world;
	if (size == 0)
		return 0;
	expansion_begin(&world);
	struct wb_expression_rules rules = expansion_rules(data[0]);
	struct wb_program *p =
	    expansion_program(&world, data + 1, size - 1, WB_LEX_LINE_COMMENTS | expansion_lex(&rules));
	wb_macros_reset(&world.macros);
	for (uint32_t i = 0; i < p->nop; i++) {
		const struct wb_directive *d = &p->op[i];
		if (!expansion_define(&world, p, d) && (d->op == WB_OP_IF || d->op == WB_OP_ELIF)) {
			bool first, second;
			const struct wb_site_tokens *o = &p->operand[d->a];
			bool good = wb_expression_evaluate(&first, &world.macros, &rules, p->tok + o->first, o->n);
			check(good == (world.macros.doubt == WB_DOUBT_NONE));
			check(wb_expression_evaluate(&second, &world.macros, &rules, p->tok + o->first, o->n) == good);
			check(!good || first == second);
		}
	}
	expansion_end(&world);
	wb_program_unref(p);
	return 0;
}
