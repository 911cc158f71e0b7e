/* Any text as a condition: where X has a value, !(X) has the other one, and so have other ways to ask for it.
 * Input: a byte of rules, then the condition. */
#include "scanner/directives/expression.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wb_idents *idents;
static struct wb_macros macros;
static struct wb_expression_rules rules;

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Evaluate `before` X `after`. */
static bool value(bool *out, const struct wb_toks *x, const char *before, const char *after)
{
	struct wb_toks t = {0};
	check(wb_tokens_lex(&t, idents, before, strlen(before), 0, false));
	for (size_t i = 0; i < x->n; i++)
		wb_toks_push(&t, x->v[i]);
	check(wb_tokens_lex(&t, idents, after, strlen(after), 0, false));
	bool good = wb_expression_evaluate(out, &macros, &rules, t.v, t.n);
	check(good == (macros.doubt == NULL));
	wb_expand_begin(&macros, NULL, 0);
	wb_toks_release(&t);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned runs;
	if (size == 0)
		return 0;
	if (++runs % 50000 == 0) {
		wb_macros_release(&macros);
		wb_idents_free(idents);
		idents = NULL;
	}
	if (!idents) {
		idents = wb_idents_new();
		wb_macros_init(&macros, idents);
	}
	rules = (struct wb_expression_rules){.cxx = data[0] & 1,
					     .operator_names = data[0] & 1,
					     .bool_words = data[0] & 2,
					     .digit_separators = data[0] & 4,
					     .unsigned_char = data[0] & 8};
	unsigned lex = rules.digit_separators ? WB_LEX_DIGIT_SEPARATORS : 0;
	struct wb_toks x = {0};
	bool plain, other;
	check(wb_tokens_lex(&x, idents, (const char *)data + 1, size - 1, lex, false));
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
