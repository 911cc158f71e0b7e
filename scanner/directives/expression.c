#include "scanner/directives/expression.h"

#include <string.h>

enum { MAX_NESTING = 200 };

struct value {
	uint64_t v;
	bool u; /* unsigned */
};

struct eval {
	struct wb_macros *m;
	const struct wb_expression_rules *rules;
	struct wb_tok tok; /* the one that is looked at */
	unsigned depth;
	unsigned dead; /* > 0: the value does not matter (short circuit) */
	bool no_defined;
};

static bool doubt(struct eval *e, enum wb_doubt why)
{
	return wb_expand_doubt(e->m, why);
}

/* "and" is "&&" in C++. */
static void name_operator(struct eval *e)
{
	static const uint8_t code[] = {
	    [WB_WORD_AND] = WB_P_AND,     [WB_WORD_BITAND] = WB_P_BITAND, [WB_WORD_BITOR] = WB_P_BITOR,
	    [WB_WORD_COMPL] = WB_P_COMPL, [WB_WORD_NOT] = WB_P_NOT,       [WB_WORD_NOT_EQ] = WB_P_NE,
	    [WB_WORD_OR] = WB_P_OR,       [WB_WORD_XOR] = WB_P_XOR,       [WB_WORD_AND_EQ] = WB_P_OTHER,
	    [WB_WORD_OR_EQ] = WB_P_OTHER, [WB_WORD_XOR_EQ] = WB_P_OTHER};
	if (e->tok.kind == WB_TOK_IDENT && e->rules->operator_names && e->tok.text >= WB_WORD_AND &&
	    e->tok.text <= WB_WORD_XOR_EQ) {
		e->tok.kind = WB_TOK_PUNCT;
		e->tok.aux = code[e->tok.text];
	}
}

static void next(struct eval *e)
{
	e->m->dead = e->dead != 0;
	e->tok = wb_expand_next(e->m);
	name_operator(e);
}

static bool at(const struct eval *e, unsigned code)
{
	return e->tok.kind == WB_TOK_PUNCT && e->tok.aux == code;
}

static int digit_of(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : 99;
}

static bool is_integer_suffix(const char *p, size_t n, bool *u)
{
	char s[4] = "";
	*u = false;
	if (n == 0 || (n == 1 && (*p == 'L' || *p == 'l')))
		return true;
	if (n > 3)
		return false;
	memcpy(s, p, n);
	for (size_t i = 0; i < n; i++)
		*u = *u || s[i] == 'u' || s[i] == 'U';
	static const char *const known[] = {"",   "l",  "L",  "ll",  "LL",  "u",   "U",   "ul",
					    "uL", "Ul", "UL", "ull", "uLL", "Ull", "ULL", "lu",
					    "lU", "Lu", "LU", "llu", "llU", "LLu", "LLU"};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i], s) == 0)
			return true;
	return false;
}

static bool number(struct eval *e, struct wb_str s, struct value *out)
{
	unsigned base = 10;
	size_t i = 0;
	if (s.n > 2 && s.p[0] == '0' && (s.p[1] == 'x' || s.p[1] == 'X'))
		base = 16, i = 2;
	else if (s.n > 2 && s.p[0] == '0' && (s.p[1] == 'b' || s.p[1] == 'B'))
		base = 2, i = 2;
	else if (s.n > 1 && s.p[0] == '0')
		base = 8, i = 1;
	uint64_t v = 0;
	size_t digits = i;
	for (; i < s.n; i++) {
		if (s.p[i] == '\'' && e->rules->digit_separators && i > digits && i + 1 < s.n)
			continue;
		unsigned d = (unsigned)digit_of(s.p[i]);
		if (d >= base)
			break;
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v))
			return doubt(e, WB_DOUBT_NUMBER_SIZE);
	}
	if (base != 10 && base != 8 && i == digits)
		return doubt(e, WB_DOUBT_NUMBER);
	bool u;
	if (!is_integer_suffix(s.p + i, s.n - i, &u))
		return doubt(e, WB_DOUBT_NUMBER);
	*out = (struct value){v, u || v > INT64_MAX};
	return true;
}

/* One character of a constant. Only what no character set can change. */
static bool character(struct eval *e, struct wb_str *s, unsigned *value)
{
	static const char from[] = "abfnrtv\\'\"?", to[] = "\a\b\f\n\r\t\v\\'\"?";
	unsigned char c = (unsigned char)*s->p;
	s->p++, s->n--;
	if (c >= 0x80)
		return doubt(e, WB_DOUBT_CHARACTER_ASCII);
	if (c != '\\') {
		*value = c;
		return true;
	}
	if (s->n == 0)
		return doubt(e, WB_DOUBT_CHARACTER);
	unsigned v = 0;
	if (*s->p == 'x') {
		s->p++, s->n--;
		size_t n = 0;
		for (; s->n && digit_of(*s->p) < 16; s->p++, s->n--, n++)
			v = v * 16 + (unsigned)digit_of(*s->p);
		if (n == 0 || n > 2)
			return doubt(e, WB_DOUBT_CHARACTER);
		*value = v;
		return true;
	}
	if (digit_of(*s->p) < 8) {
		for (size_t n = 0; n < 3 && s->n && digit_of(*s->p) < 8; s->p++, s->n--, n++)
			v = v * 8 + (unsigned)digit_of(*s->p);
		*value = v;
		return v < 256 || doubt(e, WB_DOUBT_CHARACTER);
	}
	const char *which = strchr(from, *s->p);
	if (!which || which - from >= (int)sizeof to - 1)
		return doubt(e, WB_DOUBT_CHARACTER);
	s->p++, s->n--;
	*value = (unsigned char)to[which - from];
	return true;
}

static bool character_constant(struct eval *e, struct wb_str s, struct value *out)
{
	struct wb_str prefix = {s.p, 0};
	while (s.n && *s.p != '\'')
		s.p++, s.n--, prefix.n++;
	if (s.n < 3 || s.p[s.n - 1] != '\'')
		return doubt(e, WB_DOUBT_CHARACTER);
	s.p++, s.n -= 2;
	unsigned v[4];
	size_t n = 0;
	for (; s.n; n++)
		if (n == 4 || !character(e, &s, &v[n]))
			return doubt(e, WB_DOUBT_CHARACTER);
	if (n == 1 && (prefix.n == 0 || v[0] < 128)) {
		bool is_signed = prefix.n == 0 && !e->rules->unsigned_char;
		int64_t c = is_signed ? (int8_t)v[0] : (int64_t)v[0];
		/* The type matters where it is unsigned: u'' and U'' are, of u8'' it depends on the standard. */
		if (prefix.n == 2)
			return doubt(e, WB_DOUBT_CHARACTER_PREFIX);
		bool wide_unsigned = prefix.n == 1 && (*prefix.p != 'L' || e->rules->unsigned_wchar);
		*out = (struct value){(uint64_t)c, wide_unsigned};
		return true;
	}
	if (prefix.n)
		return doubt(e, WB_DOUBT_CHARACTER_PREFIX);
	uint32_t all = 0;
	for (size_t i = 0; i < n; i++) {
		if (v[i] >= 128)
			return doubt(e, WB_DOUBT_CHARACTER_ASCII);
		all = all << 8 | v[i];
	}
	*out = (struct value){(uint64_t)(int64_t)(int32_t)all, false};
	return true;
}

static bool ternary(struct eval *e, struct value *out);

/* "defined X" and "defined(X)"; the word itself is e->tok. */
static bool defined(struct eval *e, struct value *out)
{
	struct wb_tok t = wb_expand_raw(e->m);
	bool parenthesised = t.kind == WB_TOK_PUNCT && t.aux == WB_P_LPAREN;
	if (parenthesised)
		t = wb_expand_raw(e->m);
	if (t.kind != WB_TOK_IDENT || (e->rules->operator_names && t.text >= WB_WORD_AND && t.text <= WB_WORD_XOR_EQ))
		return doubt(e, WB_DOUBT_DEFINED);
	*out = (struct value){wb_macro_read(e->m, t.text) != NULL, false};
	if (parenthesised) {
		t = wb_expand_raw(e->m);
		if (t.kind != WB_TOK_PUNCT || t.aux != WB_P_RPAREN)
			return doubt(e, WB_DOUBT_DEFINED);
	}
	next(e);
	return true;
}

static bool identifier(struct eval *e, struct value *out)
{
	uint32_t name = e->tok.text;
	if (name == WB_WORD_DEFINED)
		return e->no_defined ? doubt(e, WB_DOUBT_EMBED_PARAMETER) : defined(e, out);
	if (name == WB_WORD_VA_ARGS || name == WB_WORD_VA_OPT)
		return doubt(e, WB_DOUBT_VA_ARGS);
	uint64_t v = 0;
	if (name == WB_WORD_TRUE || name == WB_WORD_FALSE) {
		if (e->rules->bool_unsure)
			return doubt(e, WB_DOUBT_TRUE_FALSE);
		v = name == WB_WORD_TRUE && e->rules->bool_words;
	}
	next(e);
	if (at(e, WB_P_LPAREN))
		return doubt(e, WB_DOUBT_FUNCTION_UNDEFINED);
	*out = (struct value){v, false};
	return true;
}

static bool primary(struct eval *e, struct value *out)
{
	struct wb_tok t = e->tok;
	switch (t.kind) {
	case WB_TOK_VALUE:
		*out = (struct value){t.text, false};
		next(e);
		return true;
	case WB_TOK_NUMBER:
		if (!number(e, wb_ident_text(e->m->idents, t.text), out))
			return false;
		next(e);
		return true;
	case WB_TOK_CHAR:
		if (!character_constant(e, wb_ident_text(e->m->idents, t.text), out))
			return false;
		next(e);
		return true;
	case WB_TOK_IDENT:
		return identifier(e, out);
	case WB_TOK_PUNCT:
		if (t.aux != WB_P_LPAREN)
			break;
		next(e);
		if (!ternary(e, out))
			return false;
		if (!at(e, WB_P_RPAREN))
			return doubt(e, WB_DOUBT_CONDITION_CLOSE);
		next(e);
		return true;
	default:
		break;
	}
	return doubt(e, WB_DOUBT_CONDITION);
}

static bool unary(struct eval *e, struct value *out)
{
	unsigned code = e->tok.kind == WB_TOK_PUNCT ? e->tok.aux : WB_P_OTHER;
	if (code != WB_P_NOT && code != WB_P_COMPL && code != WB_P_MINUS && code != WB_P_PLUS)
		return primary(e, out);
	if (++e->depth > MAX_NESTING)
		return doubt(e, WB_DOUBT_LIMIT_CONDITION);
	next(e);
	if (!unary(e, out))
		return false;
	e->depth--;
	if (code == WB_P_NOT)
		*out = (struct value){out->v == 0, false};
	else if (code == WB_P_COMPL)
		out->v = ~out->v;
	else if (code == WB_P_MINUS)
		out->v = 0 - out->v;
	return true;
}

/* Binding strength; 0: no binary operator. */
static int strength(const struct eval *e)
{
	static const uint8_t of[] = {
	    [WB_P_OR] = 1,  [WB_P_AND] = 2,  [WB_P_BITOR] = 3, [WB_P_XOR] = 4,   [WB_P_BITAND] = 5, [WB_P_EQ] = 6,
	    [WB_P_NE] = 6,  [WB_P_LT] = 7,   [WB_P_GT] = 7,    [WB_P_LE] = 7,    [WB_P_GE] = 7,     [WB_P_SHL] = 8,
	    [WB_P_SHR] = 8, [WB_P_PLUS] = 9, [WB_P_MINUS] = 9, [WB_P_STAR] = 10, [WB_P_SLASH] = 10, [WB_P_PERCENT] = 10,
	};
	return e->tok.kind == WB_TOK_PUNCT && e->tok.aux < sizeof of ? of[e->tok.aux] : 0;
}

static bool divide(struct eval *e, unsigned code, struct value a, struct value b, bool u, struct value *out)
{
	if (b.v == 0) {
		*out = (struct value){0, u};
		return e->dead || doubt(e, WB_DOUBT_DIVISION_BY_ZERO);
	}
	if (u) {
		out->v = code == WB_P_SLASH ? a.v / b.v : a.v % b.v;
	} else if (a.v == (uint64_t)INT64_MIN && b.v == UINT64_MAX) {
		if (!e->dead)
			return doubt(e, WB_DOUBT_DIVISION_OVERFLOW);
		out->v = 0;
	} else {
		int64_t x = (int64_t)a.v, y = (int64_t)b.v;
		out->v = (uint64_t)(code == WB_P_SLASH ? x / y : x % y);
	}
	out->u = u;
	return true;
}

static bool shift(struct eval *e, unsigned code, struct value a, struct value b, struct value *out)
{
	out->u = a.u;
	if (b.v >= 64) { /* also a negative count */
		out->v = 0;
		return e->dead || doubt(e, WB_DOUBT_SHIFT);
	}
	if (code == WB_P_SHL)
		out->v = a.v << b.v;
	else
		out->v = a.u ? a.v >> b.v : (uint64_t)((int64_t)a.v >> b.v);
	return true;
}

static bool apply(struct eval *e, unsigned code, struct value a, struct value b, struct value *out)
{
	bool u = a.u || b.u;
	int64_t x = (int64_t)a.v, y = (int64_t)b.v;
	switch (code) {
	case WB_P_STAR:
		*out = (struct value){a.v * b.v, u};
		return true;
	case WB_P_PLUS:
		*out = (struct value){a.v + b.v, u};
		return true;
	case WB_P_MINUS:
		*out = (struct value){a.v - b.v, u};
		return true;
	case WB_P_SLASH:
	case WB_P_PERCENT:
		return divide(e, code, a, b, u, out);
	case WB_P_SHL:
	case WB_P_SHR:
		return shift(e, code, a, b, out);
	case WB_P_BITAND:
		*out = (struct value){a.v & b.v, u};
		return true;
	case WB_P_BITOR:
		*out = (struct value){a.v | b.v, u};
		return true;
	case WB_P_XOR:
		*out = (struct value){a.v ^ b.v, u};
		return true;
	case WB_P_EQ:
		*out = (struct value){a.v == b.v, false};
		return true;
	case WB_P_NE:
		*out = (struct value){a.v != b.v, false};
		return true;
	case WB_P_LT:
		*out = (struct value){u ? a.v < b.v : x < y, false};
		return true;
	case WB_P_GT:
		*out = (struct value){u ? a.v > b.v : x > y, false};
		return true;
	case WB_P_LE:
		*out = (struct value){u ? a.v <= b.v : x <= y, false};
		return true;
	default:
		*out = (struct value){u ? a.v >= b.v : x >= y, false};
		return true;
	}
}

static bool binary(struct eval *e, int least, struct value *out)
{
	if (++e->depth > MAX_NESTING)
		return doubt(e, WB_DOUBT_LIMIT_CONDITION);
	if (!unary(e, out))
		return false;
	for (int s; (s = strength(e)) >= least && s > 0;) {
		unsigned code = e->tok.aux;
		struct value right;
		bool logical = code == WB_P_AND || code == WB_P_OR;
		bool decided = logical && (out->v != 0) == (code == WB_P_OR);
		e->dead += decided;
		next(e);
		if (!binary(e, s + 1, &right))
			return false;
		e->dead -= decided;
		if (logical)
			*out = (struct value){code == WB_P_AND ? out->v && right.v : out->v || right.v, false};
		else if (!apply(e, code, *out, right, out))
			return false;
	}
	e->depth--;
	return true;
}

static bool ternary(struct eval *e, struct value *out)
{
	if (++e->depth > MAX_NESTING)
		return doubt(e, WB_DOUBT_LIMIT_CONDITION);
	if (!binary(e, 1, out))
		return false;
	if (at(e, WB_P_QUESTION)) {
		struct value yes, no;
		bool holds = out->v != 0;
		e->dead += !holds;
		next(e);
		if (!ternary(e, &yes))
			return false;
		e->dead -= !holds;
		if (!at(e, WB_P_COLON))
			return doubt(e, WB_DOUBT_CONDITION_COLON);
		e->dead += holds;
		next(e);
		if (!ternary(e, &no))
			return false;
		e->dead -= holds;
		*out = (struct value){holds ? yes.v : no.v, yes.u || no.u};
	}
	e->depth--;
	return true;
}

bool wb_expression_evaluate(bool *out, struct wb_macros *m, const struct wb_expression_rules *rules,
			    const struct wb_tok *tok, size_t n)
{
	struct eval e = {.m = m, .rules = rules};
	struct value v = {0};
	*out = false;
	wb_expand_begin(m, tok, n);
	next(&e);
	if (!ternary(&e, &v))
		return false;
	if (m->doubt)
		return false;
	if (e.tok.kind != WB_TOK_END)
		return doubt(&e, WB_DOUBT_CONDITION);
	*out = v.v != 0;
	return true;
}

bool wb_expression_operand(uint64_t *value, bool *negative, struct wb_tok *next_token, struct wb_macros *m,
			   const struct wb_expression_rules *rules)
{
	struct eval e = {.m = m, .rules = rules, .no_defined = true};
	struct value v = {0};
	next(&e);
	if (!ternary(&e, &v) || m->doubt)
		return false;
	*value = v.v;
	*negative = !v.u && v.v > INT64_MAX;
	*next_token = e.tok;
	return true;
}
