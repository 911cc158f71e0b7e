/* expansion.h — for the fuzzers of macros and conditions: identifiers and macros that live for many inputs, as an
 * engine's do, and what each of them makes of its input. One thread. */
#ifndef WB_TESTS_FUZZ_EXPANSION_H
#define WB_TESTS_FUZZ_EXPANSION_H

#include "scanner/directives/expression.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check(bool holds)
{
	if (!holds)
		abort();
}

struct expansion {
	struct wb_idents *idents;
	struct wb_macros macros;
	unsigned runs;
};

/* For the next input. Identifiers are never forgotten: they start anew after 2^15 inputs. */
static inline void expansion_begin(struct expansion *x)
{
	if (x->idents && ++x->runs % (1u << 15) == 0) {
		wb_macros_release(&x->macros);
		wb_idents_free(x->idents);
		x->idents = NULL;
	}
	if (!x->idents) {
		x->idents = wb_idents_new();
		wb_macros_init(&x->macros, x->idents);
	}
}

/* Behind an input: nothing may point into its tokens and programs when the next one comes. */
static inline void expansion_end(struct expansion *x)
{
	wb_expand_begin(&x->macros, NULL, 0);
}

/* A program of `n` bytes; the caller's reference. Its text is in memory of just that size and gone when it is made. */
static inline struct wb_program *expansion_program(struct expansion *x, const void *p, size_t n, unsigned lex)
{
	char *text = malloc(n + 1);
	memcpy(text, p, n);
	text[n] = '\0';
	struct wb_program *made = wb_program_new(x->idents, text, n, lex);
	free(text);
	return made;
}

/* Do what the directive says when it is #define or #undef. False: it is another one. */
static inline bool expansion_define(struct expansion *x, const struct wb_program *p, const struct wb_directive *d)
{
	if (d->op == WB_OP_DEFINE)
		wb_macro_define(&x->macros, p->define[d->a].name, &p->define[d->a]);
	else if (d->op == WB_OP_UNDEF)
		wb_macro_undef(&x->macros, d->a);
	else
		return false;
	return true;
}

/* The rules that a byte of input stands for. */
static inline struct wb_expression_rules expansion_rules(uint8_t byte)
{
	return (struct wb_expression_rules){.cxx = byte & 1,
					    .operator_names = byte & 1,
					    .bool_words = byte & 2,
					    .digit_separators = byte & 4,
					    .unsigned_char = byte & 8};
}

/* How text is lexed under them. */
static inline unsigned expansion_lex(const struct wb_expression_rules *rules)
{
	return rules->digit_separators ? WB_LEX_DIGIT_SEPARATORS : 0;
}

#endif
