/* Any text as a condition: where X has a value, !(X) has the other one, and so have other ways to ask for it.
 * Input: a byte of rules, then the condition. */
#include "tests/fuzz/expansion.h"

static struct expansion world;
static struct wb_expression_rules rules;

/* Evaluate `before` X `after`. */
static bool value(bool *out, const struct wb_toks *x, const char *before, const char *after)
{
	struct wb_toks t = {0};
	check(wb_tokens_lex(&t, world.idents, before, strlen(before), 0, false));
	for (size_t i = 0; i < x->n; i++)
		wb_toks_push(&t, x->v[i]);
	check(wb_tokens_lex(&t, world.idents, after, strlen(after), 0, false));
	bool good = wb_expression_evaluate(out, &world.macros, &rules, t.v, t.n);
	check(good == (world.macros.doubt == WB_DOUBT_NONE));
	expansion_end(&world);
	wb_toks_release(&t);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	expansion_begin(&world);
	rules = expansion_rules(data[0]);
	struct wb_toks x = {0};
	bool plain, other;
	check(wb_tokens_lex(&x, world.idents, (const char *)data + 1, size - 1, expansion_lex(&rules), false));
	/* The ways around it nest a little deeper. */
	if (x.n < 60 && value(&plain, &x, "", "")) {
		static const struct {
			const char *before, *after;
			bool negates;
		} way[] = {{"!(", ")", true},           {"!!(", ")", false},   {"0||(", ")", false},
			   {"1&&(", ")", false},        {"(", ")?1:0", false}, {"(", ")?0:1", true},
			   {"((", "))!=0", false},      {"0==(", ")", true},   {"1?(", "):1/0", false},
			   {"0&&(1/0)||(", ")", false}, {"-(", ")", false}};
		for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
			check(value(&other, &x, way[i].before, way[i].after));
			check(other == (plain != way[i].negates));
		}
	}
	wb_toks_release(&x);
	return 0;
}
