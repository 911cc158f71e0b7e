/* substitute.c — the body of a macro with its arguments put in: #, ##, __VA_ARGS__ and __VA_OPT__. */
#include "scanner/directives/macro.h"

#include <string.h>

struct substitution {
	struct wb_macros *m;
	const struct wb_define *d;
	struct wb_arg_list *arg;
	bool has_variadic; /* an argument was given for "..." */
	struct wb_toks out;
	/* Compilers do not agree on white space behind what came to nothing at the start, and behind __VA_OPT__. */
	bool begun, hole, behind;
};

/* A token that stands for something is about to be put out. */
static uint8_t sureness(struct substitution *s)
{
	bool unsure = s->behind || (!s->begun && s->hole);
	s->begun = true;
	s->behind = false;
	return unsure ? WB_TOK_UNSURE : 0;
}

static bool is_punct(const struct wb_tok *t, unsigned code)
{
	return t->kind == WB_TOK_PUNCT && t->aux == code;
}

/* Spelling of a token. */
static bool spell(struct wb_macros *m, struct wb_buf *out, const struct wb_tok *t)
{
	if (t->kind == WB_TOK_VALUE) {
		wb_buf_addf(out, "%u", t->text);
		return true;
	}
	struct wb_str s = wb_ident_text(m->idents, t->text);
	wb_buf_add(out, s.p, s.n);
	return true;
}

/* "#x": the raw tokens with single blanks where there was white space. */
static bool stringify(struct substitution *s, const struct wb_list *raw, uint8_t flags)
{
	struct wb_buf text = WB_BUF_INIT;
	bool space = false;
	wb_buf_addc(&text, '"');
	for (size_t i = 0; i < raw->n; i++) {
		const struct wb_tok *t = &raw->v[i];
		space = space || (t->flags & WB_TOK_SPACE);
		if (t->kind == WB_TOK_EMPTY)
			continue;
		if (text.n > 1 && (t->flags & WB_TOK_UNSURE))
			wb_expand_doubt(s->m, WB_DOUBT_STRINGIZE_SPACE);
		if (text.n > 1 && space)
			wb_buf_addc(&text, ' ');
		space = false;
		size_t from = text.n;
		spell(s->m, &text, t);
		if (t->kind != WB_TOK_STRING && t->kind != WB_TOK_CHAR)
			continue;
		for (size_t k = from; k < text.n; k++)
			if (text.p[k] == '"' || text.p[k] == '\\') {
				wb_buf_addc(&text, '\0');
				memmove(text.p + k + 1, text.p + k, text.n - k - 1);
				text.p[k++] = '\\';
			}
	}
	size_t slashes = 0;
	while (text.p[text.n - 1 - slashes] == '\\')
		slashes++;
	wb_buf_addc(&text, '"');
	uint32_t id = slashes % 2 ? 0 : wb_ident_put(s->m->idents, text.p, text.n);
	wb_buf_release(&text);
	if (id == 0)
		return wb_expand_doubt(s->m, slashes % 2 ? WB_DOUBT_STRINGIZE : WB_DOUBT_LIMIT_WORDS);
	wb_toks_push(&s->out, (struct wb_tok){id, WB_TOK_STRING, flags & WB_TOK_SPACE, 0});
	return true;
}

/* The last token of the output becomes one with `right`. */
static bool paste(struct substitution *s, const struct wb_tok *right)
{
	struct wb_tok *left = &s->out.v[s->out.n - 1];
	if (right->kind == WB_TOK_EMPTY)
		return true;
	if (left->kind == WB_TOK_EMPTY) {
		uint8_t space = left->flags & WB_TOK_SPACE;
		*left = *right;
		left->flags = (uint8_t)((left->flags & ~WB_TOK_SPACE) | space | sureness(s));
		return true;
	}
	struct wb_buf text = WB_BUF_INIT;
	struct wb_toks made = {0};
	spell(s->m, &text, left);
	spell(s->m, &text, right);
	bool comment = text.n >= 2 && text.p[0] == '/' && (text.p[1] == '/' || text.p[1] == '*');
	bool good = wb_tokens_lex(&made, s->m->idents, text.p, text.n, s->d->lex, false) && made.n == 1 && !comment &&
		    made.v[0].kind != WB_TOK_OTHER;
	if (good) {
		uint8_t space = left->flags & WB_TOK_SPACE;
		*left = made.v[0];
		left->flags = space;
	}
	wb_buf_release(&text);
	wb_toks_release(&made);
	return good || wb_expand_doubt(s->m, WB_DOUBT_PASTE);
}

/* Append `list`, its first token pasted to what is there when `glue`; an empty list leaves a placemarker where ##
 * stands on a side. */
static bool append(struct substitution *s, const struct wb_list *list, bool glue, bool keep_empty, uint8_t flags)
{
	if (list->n == 0) {
		s->hole = true;
		struct wb_tok empty = {.kind = WB_TOK_EMPTY, .flags = flags & WB_TOK_SPACE};
		if (glue)
			return paste(s, &empty);
		if (keep_empty)
			wb_toks_push(&s->out, empty);
		return true;
	}
	if (s->out.n + list->n > s->m->budget)
		return wb_expand_doubt(s->m, WB_DOUBT_LIMIT_EXPANSION);
	size_t i = 0;
	if (glue && !paste(s, &list->v[i++]))
		return false;
	for (bool first = !glue; i < list->n; i++, first = false) {
		struct wb_tok t = list->v[i];
		if (first)
			t.flags = (uint8_t)((t.flags & ~WB_TOK_SPACE) | (flags & WB_TOK_SPACE));
		if (t.kind == WB_TOK_IDENT)
			t.aux = 0; /* not a parameter of the macro around */
		if (t.kind != WB_TOK_EMPTY)
			t.flags |= sureness(s);
		wb_toks_push(&s->out, t);
	}
	return true;
}

static bool expanded(struct substitution *s, struct wb_arg_list *arg)
{
	if (!arg->is_expanded && !wb_expand_list(s->m, &arg->raw, &arg->expanded))
		return false;
	arg->is_expanded = true;
	return true;
}

static bool run(struct substitution *s, const struct wb_tok *b, size_t n, unsigned depth);

/* The index of the ")" that closes the "(" at b[i]; n when there is none. */
static size_t closing(const struct wb_tok *b, size_t n, size_t i)
{
	unsigned depth = 0;
	for (; i < n; i++) {
		depth += is_punct(&b[i], WB_P_LPAREN);
		if (is_punct(&b[i], WB_P_RPAREN) && --depth == 0)
			return i;
	}
	return n;
}

/* What __VA_OPT__(content) stands for; b[*i] is the word, afterwards *i is the closing parenthesis. */
static bool content(struct substitution *s, const struct wb_tok *b, size_t n, size_t *i, unsigned depth,
		    struct wb_toks *out)
{
	size_t open = *i + 1, close = open < n && is_punct(&b[open], WB_P_LPAREN) ? closing(b, n, open) : n;
	if (close >= n || depth > 0 || is_punct(&b[open + 1], WB_P_HASHHASH) || is_punct(&b[close - 1], WB_P_HASHHASH))
		return wb_expand_doubt(s->m, WB_DOUBT_VA_OPT);
	*i = close;
	struct wb_arg_list *last = &s->arg[s->d->nparam - 1];
	struct substitution in = {.m = s->m, .d = s->d, .arg = s->arg, .has_variadic = s->has_variadic};
	bool good = expanded(s, last);
	if (good && last->expanded.n)
		good = run(&in, b + open + 1, close - open - 1, depth + 1);
	*out = in.out;
	return good;
}

/* __VA_OPT__(content) itself, and # in front of it. */
static bool optional(struct substitution *s, const struct wb_tok *b, size_t n, size_t *i, bool glue, bool glued,
		     unsigned depth)
{
	uint8_t flags = b[*i].flags;
	struct wb_toks inner = {0};
	bool good = content(s, b, n, i, depth, &inner);
	struct wb_list list = {inner.v, inner.n};
	good = good && append(s, &list, glue, glued, flags);
	s->behind = true;
	wb_toks_release(&inner);
	return good;
}

static bool is_optional(const struct substitution *s, const struct wb_tok *t)
{
	return (s->d->flags & WB_DEFINE_VARIADIC) && t->kind == WB_TOK_IDENT && t->text == WB_WORD_VA_OPT;
}

/* "#x" and "#__VA_OPT__(...)": b[*i] is the #; afterwards *i is the last token that was used. */
static bool quote(struct substitution *s, const struct wb_tok *b, size_t n, size_t *i, bool glue, unsigned depth)
{
	uint8_t flags = b[*i].flags;
	struct substitution in = {.m = s->m, .d = s->d, .arg = s->arg, .has_variadic = s->has_variadic};
	struct wb_toks inner = {0};
	const struct wb_tok *what = &b[++*i];
	bool good;
	if (what->aux) {
		good = stringify(&in, &s->arg[what->aux - 1].raw, flags);
	} else {
		good = content(s, b, n, i, depth, &inner);
		struct wb_list list = {inner.v, inner.n};
		good = good && stringify(&in, &list, flags);
	}
	struct wb_list one = {in.out.v, in.out.n};
	good = good && append(s, &one, glue, false, flags);
	wb_toks_release(&in.out);
	wb_toks_release(&inner);
	return good;
}

static bool run(struct substitution *s, const struct wb_tok *b, size_t n, unsigned depth)
{
	bool function = s->d->flags & WB_DEFINE_FUNCTION;
	bool variadic = s->d->flags & WB_DEFINE_VARIADIC;
	bool glue = false; /* ## stands before */
	for (size_t i = 0; i < n; i++) {
		const struct wb_tok *t = &b[i];
		if (is_punct(t, WB_P_HASHHASH) && i > 0 && i + 1 < n) {
			glue = true;
			continue;
		}
		bool glued = i + 1 < n && is_punct(&b[i + 1], WB_P_HASHHASH); /* ## stands behind */
		bool good;
		if (glue && s->out.n == 0)
			return wb_expand_doubt(s->m, WB_DOUBT_PASTE_LEFT);
		if (function && is_punct(t, WB_P_HASH) && i + 1 < n && b[i + 1].kind == WB_TOK_IDENT &&
		    (b[i + 1].aux || is_optional(s, &b[i + 1]))) {
			good = quote(s, b, n, &i, glue, depth);
		} else if (is_optional(s, t)) {
			good = optional(s, b, n, &i, glue, i + 1 < n, depth);
			if (good && s->out.n && s->out.v[s->out.n - 1].kind == WB_TOK_EMPTY && i + 1 < n &&
			    !is_punct(&b[i + 1], WB_P_HASHHASH) && !glue)
				s->out.n--;
		} else if (function && t->kind == WB_TOK_IDENT && t->aux) {
			struct wb_arg_list *arg = &s->arg[t->aux - 1];
			bool rest = variadic && t->aux == s->d->nparam;
			/* The GNU way to drop a comma: ", ## __VA_ARGS__". */
			bool comma = rest && glue && i >= 2 && is_punct(&b[i - 2], WB_P_COMMA) && s->out.n &&
				     is_punct(&s->out.v[s->out.n - 1], WB_P_COMMA);
			if (comma && arg->raw.n == 0) {
				if (s->has_variadic || (s->m->strict_comma && s->d->nparam < 2))
					return wb_expand_doubt(s->m, WB_DOUBT_VA_COMMA);
				s->out.n--;
				good = append(s, &arg->raw, false, glued, t->flags);
			} else if (glue || glued) {
				/* Behind such a comma the white space of the argument itself counts. */
				uint8_t flags = comma ? arg->raw.v->flags : t->flags;
				good = append(s, &arg->raw, glue && !comma, glued, flags);
			} else {
				good = expanded(s, arg) && append(s, &arg->expanded, false, false, t->flags);
			}
		} else {
			struct wb_list one = {(struct wb_tok *)(uintptr_t)t, 1};
			good = append(s, &one, glue, false, t->flags);
		}
		if (!good)
			return false;
		glue = false;
	}
	return true;
}

bool wb_macro_substitute(struct wb_macros *m, const struct wb_define *d, const struct wb_body *b,
			 struct wb_arg_list *arg, bool has_variadic, struct wb_list *out)
{
	struct substitution s = {.m = m, .d = d, .arg = arg, .has_variadic = has_variadic};
	bool good = run(&s, b->tok, b->n, 0);
	size_t n = 0;
	for (size_t i = 0; good && i < s.out.n; i++)
		if (s.out.v[i].kind != WB_TOK_EMPTY)
			s.out.v[n++] = s.out.v[i];
	struct wb_tok *kept = good ? wb_pool_tokens(m, n) : NULL;
	if (kept && n)
		memcpy(kept, s.out.v, n * sizeof *kept);
	*out = (struct wb_list){kept, n};
	if (s.behind)
		m->space |= WB_TOK_UNSURE;
	wb_toks_release(&s.out);
	return kept != NULL;
}
