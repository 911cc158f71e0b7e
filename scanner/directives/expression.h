/* expression.h — the value of an #if condition: 64-bit arithmetic as C and C++ have it. One thread. */
#ifndef WB_SCANNER_DIRECTIVES_EXPRESSION_H
#define WB_SCANNER_DIRECTIVES_EXPRESSION_H

#include "scanner/directives/macro.h"

struct wb_expression_rules {
	bool cxx;            /* true, false and the names of operators are what they are in C++ */
	bool operator_names; /* "and", "not" ... (C++ without -fno-operator-names) */
	bool bool_words;     /* true and false, in C since C23 */
	bool bool_unsure;    /* C23, but whether this compiler knows them in conditions is not known */
	bool digit_separators;
	bool unsigned_char, unsigned_wchar;
};

/* Evaluate the `n` tokens at `tok`. False: a doubt, m->doubt says why; so are malformed conditions, of which the
 * compiler will speak. Nesting and expansion are limited. */
bool wb_expression_evaluate(bool *out, struct wb_macros *m, const struct wb_expression_rules *rules,
			    const struct wb_tok *tok, size_t n);

/* The value of an expression within a directive, from where `m` is being read: an operand of #embed. *next is the first
 * token that does not belong to it, already taken. `defined` is not allowed there. False: a doubt. */
bool wb_expression_operand(uint64_t *value, bool *negative, struct wb_tok *next, struct wb_macros *m,
			   const struct wb_expression_rules *rules);

#endif
