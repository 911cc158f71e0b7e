#define _GNU_SOURCE /* memmem */
#include "scanner/directives/program.h"

#include "scanner/directives/bytes.h"
#include "scanner/directives/lines.h"
#include "scanner/directives/words.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { MAX_NESTING = 4096, MAX_PARAMS = 256 };

/* A conditional that is still open. */
struct group {
	uint32_t first, last; /* its #if, its latest branch */
	bool has_else;
};

/* A directive before its groups are closed. */
struct draft {
	struct wb_directive d;
	uint32_t next, end; /* of a conditional: the next branch, the ENDIF */
};

struct making {
	struct wb_program *p;
	struct wb_idents *idents;
	struct wb_lines lines;
	struct wb_toks tok;
	struct draft *op;
	struct wb_site_tokens *operand; /* by site */
	size_t operand_cap;
	size_t nop, op_cap;
	struct wb_define *define;
	size_t ndefine, define_cap;
	struct group *group;
	size_t ngroup, group_cap;
	unsigned pragmas; /* operands of wb_words_macro_pragmas() that stand in #pragma lines */
	bool outside;     /* something lies outside of the first conditional: no guard */
	bool full;        /* the table of spellings */
};

static struct wb_directive *emit(struct making *m, enum wb_op op, uint32_t a, uint32_t b)
{
	m->op = wb_xgrow(m->op, m->nop, &m->op_cap, sizeof *m->op);
	struct wb_directive *d = &m->op[m->nop].d;
	m->op[m->nop++] = (struct draft){.d = {.op = op, .line = m->lines.at & WB_MAX_LINE, .a = a, .b = b}};
	if (m->lines.several)
		d->flags |= WB_OP_SEVERAL;
	if (m->lines.at > WB_MAX_LINE)
		m->p->doubt = WB_DOUBT_LIMIT_LINES;
	return d;
}

static uint32_t new_site(struct making *m, uint32_t first, uint32_t n)
{
	m->operand = wb_xgrow(m->operand, m->p->nsite, &m->operand_cap, sizeof *m->operand);
	m->operand[m->p->nsite] = (struct wb_site_tokens){first, n};
	return m->p->nsite++;
}

static void bad(struct making *m, enum wb_doubt doubt)
{
	emit(m, WB_OP_BAD, doubt, 0);
}

static uint32_t ident(struct making *m, struct wb_str s)
{
	uint32_t id = wb_ident_put(m->idents, s.p, s.n);
	m->full = m->full || id == 0;
	return id;
}

static void skip_blanks(struct wb_str *s)
{
	while (s->n && (*s->p == ' ' || (*s->p >= '\t' && *s->p <= '\r') || *s->p == '\0'))
		s->p++, s->n--;
}

/* Cut an identifier off; n = 0 when there is none. */
static struct wb_str take_word(struct making *m, struct wb_str *s)
{
	skip_blanks(s);
	size_t n = 0;
	if (s->n && *s->p >= '0' && *s->p <= '9')
		return (struct wb_str){s->p, 0};
	while (n < s->n && wb_is_word_byte((unsigned char)s->p[n], m->p->lex))
		n++;
	struct wb_str word = {s->p, n};
	s->p += n;
	s->n -= n;
	return word;
}

/* "X" of "#ifdef X"; 0 when malformed. A backslash may begin a universal character name. */
static uint32_t take_name(struct making *m, struct wb_str *s)
{
	struct wb_str word = take_word(m, s);
	if (word.n == 0 || (s->n && *s->p == '\\') || !wb_is_plain_word(word.p, word.n, m->p->lex))
		return 0;
	return ident(m, word);
}

static bool is_operator_name(uint32_t id)
{
	return id >= WB_WORD_AND && id <= WB_WORD_XOR_EQ;
}

/* The parameters of a macro behind its "("; false: malformed. */
static bool parameters(struct making *m, struct wb_define *d, struct wb_str *s)
{
	uint32_t param[MAX_PARAMS];
	uint16_t n = 0;
	d->flags |= WB_DEFINE_FUNCTION;
	skip_blanks(s);
	if (wb_str_take(s, ")"))
		return true;
	for (;;) {
		if (n == MAX_PARAMS)
			return false;
		skip_blanks(s);
		if (wb_str_take(s, "...")) {
			param[n++] = WB_WORD_VA_ARGS;
			d->flags |= WB_DEFINE_VARIADIC;
		} else {
			struct wb_str word = take_word(m, s);
			uint32_t id = word.n ? ident(m, word) : 0;
			if (id == 0 || id == WB_WORD_VA_ARGS || id == WB_WORD_VA_OPT)
				return false;
			for (uint16_t i = 0; i < n; i++)
				if (param[i] == id)
					return false;
			param[n++] = id;
			skip_blanks(s);
			if (wb_str_take(s, "..."))
				d->flags |= WB_DEFINE_VARIADIC;
		}
		skip_blanks(s);
		if (wb_str_take(s, ")"))
			break;
		if ((d->flags & WB_DEFINE_VARIADIC) || !wb_str_take(s, ","))
			return false;
	}
	d->nparam = n;
	d->param = wb_arena_memdup(&m->p->arena, param, n * sizeof *param);
	return true;
}

static bool has_hash(const char *p, size_t n, unsigned lex)
{
	return memchr(p, '#', n) || ((lex & WB_LEX_DIGRAPHS) && memmem(p, n, "%:", 2));
}

/* Are # and ## where they may be? */
static bool well_formed(const struct wb_define *d, const struct wb_body *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		const struct wb_tok *t = &b->tok[i];
		if (t->kind != WB_TOK_PUNCT)
			continue;
		if (t->aux == WB_P_HASHHASH && (i == 0 || i + 1 == b->n))
			return false;
		if (t->aux == WB_P_HASH && (d->flags & WB_DEFINE_FUNCTION) && !(d->lex & WB_LEX_ASM) &&
		    (i + 1 == b->n || b->tok[i + 1].kind != WB_TOK_IDENT ||
		     (b->tok[i + 1].aux == 0 &&
		      !((d->flags & WB_DEFINE_VARIADIC) && b->tok[i + 1].text == WB_WORD_VA_OPT))))
			return false;
	}
	return true;
}

static void define(struct making *m, struct wb_str s)
{
	struct wb_define d = {.lex = (uint16_t)m->p->lex};
	d.name = take_name(m, &s);
	if (d.name == 0 || d.name == WB_WORD_DEFINED || d.name == WB_WORD_VA_ARGS || d.name == WB_WORD_VA_OPT ||
	    d.name == WB_WORD_HAS_INCLUDE || d.name == WB_WORD_HAS_INCLUDE_NEXT || d.name == WB_WORD_HAS_EMBED) {
		bad(m, WB_DOUBT_DEFINE);
		return;
	}
	if (wb_str_take(&s, "(") && !parameters(m, &d, &s)) {
		bad(m, WB_DOUBT_DEFINE_PARAMETERS);
		return;
	}
	skip_blanks(&s);
	while (s.n && (s.p[s.n - 1] == ' ' || (s.p[s.n - 1] >= '\t' && s.p[s.n - 1] <= '\r')))
		s.n--;
	d.nbody = (uint32_t)s.n;
	d.body = wb_arena_strndup(&m->p->arena, s.p, s.n);
	if (m->lines.words && wb_text_tells_time(s.p, s.n))
		d.flags |= WB_DEFINE_TIME;
	bool hash = has_hash(s.p, s.n, m->p->lex);
	if (hash)
		d.flags |= WB_DEFINE_PASTES;
	m->define = wb_xgrow(m->define, m->ndefine, &m->define_cap, sizeof *m->define);
	if (hash) {
		const struct wb_body *body = wb_define_body(&d, m->idents);
		if (!body || !well_formed(&d, body)) {
			free(atomic_load(&d.tokens));
			m->full = m->full || !body;
			bad(m, WB_DOUBT_DEFINE_HASH);
			return;
		}
	}
	memcpy(&m->define[m->ndefine], &d, sizeof d);
	struct wb_directive *op = emit(m, WB_OP_DEFINE, (uint32_t)m->ndefine++, d.name);
	if (d.flags & WB_DEFINE_TIME)
		op->flags |= WB_OP_TELLS_TIME;
}

const struct wb_body *wb_define_body(const struct wb_define *d, struct wb_idents *idents)
{
	/* The cast: the one part that is filled in late, once. */
	_Atomic(struct wb_body *) *place = &((struct wb_define *)(uintptr_t)d)->tokens;
	struct wb_body *body = atomic_load_explicit(place, memory_order_acquire);
	if (body)
		return body;
	struct wb_toks t = {0};
	if (!wb_tokens_lex(&t, idents, d->body, d->nbody, d->lex, false)) {
		wb_toks_release(&t);
		return NULL;
	}
	body = wb_xcalloc(1, sizeof *body + (t.n + 1) * sizeof *t.v);
	body->n = (uint32_t)t.n;
	for (size_t i = 0; i < t.n; i++) {
		body->tok[i] = t.v[i];
		for (uint16_t k = 0; t.v[i].kind == WB_TOK_IDENT && k < d->nparam; k++)
			if (d->param[k] == t.v[i].text)
				body->tok[i].aux = (uint16_t)(k + 1);
	}
	wb_toks_release(&t);
	struct wb_body *other = NULL;
	if (atomic_compare_exchange_strong(place, &other, body))
		return body;
	free(body); /* another thread was faster */
	return other;
}

bool wb_define_is_sound(const struct wb_define *d, struct wb_idents *idents)
{
	unsigned flags = WB_DEFINE_FUNCTION | WB_DEFINE_VARIADIC | WB_DEFINE_TIME | WB_DEFINE_PASTES;
	if ((d->flags & ~flags) || d->nparam > MAX_PARAMS || (d->nparam && !(d->flags & WB_DEFINE_FUNCTION)) ||
	    ((d->flags & WB_DEFINE_VARIADIC) && d->nparam == 0))
		return false;
	for (uint16_t i = 0; i < d->nparam; i++)
		if (d->param[i] == 0)
			return false;
	bool hash = has_hash(d->body, d->nbody, d->lex);
	if (hash != !!(d->flags & WB_DEFINE_PASTES))
		return false;
	const struct wb_body *body = hash ? wb_define_body(d, idents) : NULL;
	return !hash || (body && well_formed(d, body));
}

/* Lex the operand; its first token is *first. */
static uint32_t tokens(struct making *m, struct wb_str s, bool headers, uint32_t *first)
{
	size_t n = m->tok.n;
	*first = (uint32_t)n;
	m->full = !wb_tokens_lex(&m->tok, m->idents, s.p, s.n, m->p->lex, headers) || m->full;
	return (uint32_t)(m->tok.n - n);
}

static void open_group(struct making *m)
{
	if (m->ngroup >= MAX_NESTING) {
		m->p->doubt = WB_DOUBT_LIMIT_GROUPS;
		return;
	}
	m->group = wb_xgrow(m->group, m->ngroup, &m->group_cap, sizeof *m->group);
	m->group[m->ngroup++] = (struct group){(uint32_t)m->nop - 1, (uint32_t)m->nop - 1, false};
}

/* A plain "defined X", "!defined(X)", "0" or "1" needs no evaluator. */
static void condition(struct making *m, struct wb_str s, bool elif)
{
	uint32_t first, n = tokens(m, s, true, &first);
	const struct wb_tok *t = m->tok.v + first;
	enum wb_op op = elif ? WB_OP_ELIF : WB_OP_IF;
	uint32_t a = 0;
	bool negated = n && t->kind == WB_TOK_PUNCT && t->aux == WB_P_NOT;
	const struct wb_tok *d = t + negated;
	uint32_t left = n - negated;
	bool parenthesised = left == 4 && d[1].aux == WB_P_LPAREN && d[1].kind == WB_TOK_PUNCT &&
			     d[3].aux == WB_P_RPAREN && d[3].kind == WB_TOK_PUNCT;
	if ((left == 2 || parenthesised) && d->kind == WB_TOK_IDENT && d->text == WB_WORD_DEFINED &&
	    d[parenthesised ? 2 : 1].kind == WB_TOK_IDENT && !is_operator_name(d[parenthesised ? 2 : 1].text)) {
		op = negated ? (elif ? WB_OP_ELIFNDEF : WB_OP_IFNDEF) : (elif ? WB_OP_ELIFDEF : WB_OP_IFDEF);
		a = d[parenthesised ? 2 : 1].text;
		m->tok.n = first;
	} else if (n == 1 && !elif && t->kind == WB_TOK_NUMBER) {
		struct wb_str number = wb_ident_text(m->idents, t->text);
		if (number.n == 1 && (*number.p == '0' || *number.p == '1')) {
			op = WB_OP_IF_CONSTANT;
			a = *number.p == '1';
			m->tok.n = first;
		}
	}
	if (op == WB_OP_IF || op == WB_OP_ELIF)
		a = new_site(m, first, n);
	emit(m, op, a, 0);
}

static void close_branch(struct making *m, enum wb_op op)
{
	struct group *g = &m->group[m->ngroup - 1];
	uint32_t here = (uint32_t)m->nop - 1;
	m->op[g->last].next = here;
	g->last = here;
	if (op == WB_OP_ELSE)
		g->has_else = true;
	if (op != WB_OP_ENDIF)
		return;
	for (uint32_t i = g->first; i != here; i = m->op[i].next)
		m->op[i].end = here;
	m->op[here].end = m->op[here].next = here;
	m->ngroup--;
}

static void branch(struct making *m, uint32_t word, struct wb_str s)
{
	if (m->ngroup == 0 || (word != WB_WORD_D_ENDIF && m->group[m->ngroup - 1].has_else)) {
		bad(m, WB_DOUBT_BRANCH);
		return;
	}
	uint32_t name;
	switch (word) {
	case WB_WORD_D_ELIF:
		condition(m, s, true);
		break;
	case WB_WORD_D_ELIFDEF:
	case WB_WORD_D_ELIFNDEF:
		m->p->flags |= WB_PROGRAM_ELIFDEF;
		name = take_name(m, &s);
		emit(m, word == WB_WORD_D_ELIFDEF ? WB_OP_ELIFDEF : WB_OP_ELIFNDEF, name, 0);
		break;
	case WB_WORD_D_ELSE:
		emit(m, WB_OP_ELSE, 0, 0);
		break;
	default:
		emit(m, WB_OP_ENDIF, 0, 0);
		break;
	}
	close_branch(m, (enum wb_op)m->op[m->nop - 1].d.op);
}

/* a: the name, or with COMPUTED the first of n tokens. */
static void emit_include(struct making *m, enum wb_op op, uint32_t a, uint32_t n, unsigned flags)
{
	bool computed = flags & WB_OP_COMPUTED;
	uint32_t site = computed ? new_site(m, a, n) : new_site(m, 0, 0);
	struct wb_directive *d = emit(m, op, computed ? 0 : a, site);
	d->flags |= flags & (WB_OP_COMPUTED | WB_OP_ANGLED);
}

static void embed(struct making *m, struct wb_str s, size_t name)
{
	uint32_t first = (uint32_t)m->tok.n, behind;
	wb_toks_push(&m->tok, (struct wb_tok){.text = ident(m, (struct wb_str){s.p, name}), .kind = WB_TOK_HEADER});
	uint32_t n = tokens(m, (struct wb_str){s.p + name, s.n - name}, false, &behind);
	emit_include(m, WB_OP_EMBED, first, n + 1, WB_OP_COMPUTED);
}

static void include(struct making *m, enum wb_op op, struct wb_str s)
{
	skip_blanks(&s);
	char close = s.n == 0 ? '\0' : *s.p == '<' ? '>' : *s.p == '"' ? '"' : '\0';
	const char *end = close ? memchr(s.p + 1, close, s.n - 1) : NULL;
	if (end) {
		struct wb_str name = {s.p + 1, (size_t)(end - s.p - 1)};
		struct wb_str rest = {end + 1, s.n - name.n - 2};
		skip_blanks(&rest);
		if (name.n == 0 || memchr(name.p, '\\', name.n) || memchr(name.p, '\0', name.n))
			bad(m, WB_DOUBT_HEADER_NAME);
		else if (op == WB_OP_EMBED && rest.n)
			embed(m, s, name.n + 2);
		else
			emit_include(m, op, ident(m, name), 0, close == '>' ? WB_OP_ANGLED : 0);
		return;
	}
	if (close || s.n == 0) {
		bad(m, WB_DOUBT_INCLUDE);
		return;
	}
	uint32_t first, n = tokens(m, s, false, &first);
	emit_include(m, op, first, n, WB_OP_COMPUTED);
}

static void pragma(struct making *m, struct wb_str s)
{
	struct wb_str word = take_word(m, &s);
	uint32_t id = word.n ? ident(m, word) : 0, second;
	struct wb_str name;
	switch (id) {
	case WB_WORD_P_ONCE:
		emit(m, WB_OP_ONCE, 0, 0);
		return;
	case WB_WORD_P_PUSH_MACRO:
	case WB_WORD_P_POP_MACRO:
		skip_blanks(&s);
		if (!wb_str_take(&s, "("))
			break;
		skip_blanks(&s);
		if (!wb_str_take(&s, "\""))
			break;
		if (s.n == 0 || *s.p == ' ' || *s.p == '\t')
			break; /* a blank would be part of the name */
		name = take_word(m, &s);
		if (name.n == 0 || !wb_is_plain_word(name.p, name.n, m->p->lex) || !wb_str_take(&s, "\""))
			break;
		skip_blanks(&s);
		if (!wb_str_take(&s, ")"))
			break;
		emit(m, id == WB_WORD_P_PUSH_MACRO ? WB_OP_PUSH : WB_OP_POP, ident(m, name), 0);
		return;
	case WB_WORD_P_GCC:
	case WB_WORD_P_CLANG:
		name = take_word(m, &s);
		second = name.n ? ident(m, name) : 0;
		if (second == WB_WORD_P_DEPENDENCY)
			emit(m, WB_OP_DEPENDENCY, 0, 0);
		else if (second == WB_WORD_P_MODULE && id == WB_WORD_P_CLANG)
			emit(m, WB_OP_MODULE, 0, 0);
		else if (second == WB_WORD_P_DEBUG)
			bad(m, WB_DOUBT_PRAGMA_DEBUG);
		else if (id == WB_WORD_P_GCC &&
			 (second == WB_WORD_P_TARGET || second == WB_WORD_P_OPTIMIZE ||
			  (second >= WB_WORD_P_PUSH_OPTIONS && second <= WB_WORD_P_RESET_OPTIONS)))
			emit(m, WB_OP_TARGET, 0, 0);
		return;
	default:
		return;
	}
	bad(m, WB_DOUBT_PRAGMA);
}

static void directive(struct making *m)
{
	struct wb_str s = {m->lines.clean.p ? m->lines.clean.p : "", m->lines.clean.n};
	skip_blanks(&s);
	if (s.n == 0)
		return;                   /* "#" alone */
	if (*s.p >= '0' && *s.p <= '9') { /* a line marker */
		m->p->flags |= WB_PROGRAM_LINE_DIRECTIVE;
		emit(m, WB_OP_LINE, 0, 0);
		return;
	}
	struct wb_str word = take_word(m, &s);
	uint32_t id = word.n ? ident(m, word) : 0, name;
	size_t before = m->nop;
	switch (id) {
	case WB_WORD_D_DEFINE:
		define(m, s);
		break;
	case WB_WORD_D_UNDEF:
		name = take_name(m, &s);
		if (name == 0 || name == WB_WORD_DEFINED)
			bad(m, WB_DOUBT_UNDEF);
		else
			emit(m, WB_OP_UNDEF, name, 0);
		break;
	case WB_WORD_D_IF:
		condition(m, s, false);
		open_group(m);
		break;
	case WB_WORD_D_IFDEF:
	case WB_WORD_D_IFNDEF:
		name = take_name(m, &s);
		emit(m, id == WB_WORD_D_IFDEF ? WB_OP_IFDEF : WB_OP_IFNDEF, name, 0);
		open_group(m);
		break;
	case WB_WORD_D_ELIF:
	case WB_WORD_D_ELIFDEF:
	case WB_WORD_D_ELIFNDEF:
	case WB_WORD_D_ELSE:
	case WB_WORD_D_ENDIF:
		branch(m, id, s);
		break;
	case WB_WORD_D_INCLUDE:
		include(m, WB_OP_INCLUDE, s);
		break;
	case WB_WORD_D_INCLUDE_NEXT:
		include(m, WB_OP_INCLUDE_NEXT, s);
		break;
	case WB_WORD_D_IMPORT:
		include(m, WB_OP_IMPORT, s);
		break;
	case WB_WORD_D_EMBED:
		include(m, WB_OP_EMBED, s);
		break;
	case WB_WORD_D_PRAGMA:
		if (m->lines.has & WB_TEXT_MACRO)
			m->pragmas += wb_words_macro_pragmas(m->lines.start, (size_t)(m->lines.p - m->lines.start));
		pragma(m, s);
		break;
	case WB_WORD_D_LINE:
		m->p->flags |= WB_PROGRAM_LINE_DIRECTIVE;
		emit(m, WB_OP_LINE, 0, 0);
		break;
	case WB_WORD_D_ERROR:
	case WB_WORD_D_WARNING:
		if (m->lines.comment) /* clang ends the directive at the end of the line all the same */
			bad(m, WB_DOUBT_ERROR_COMMENT);
		break;
	case WB_WORD_D_IDENT:
	case WB_WORD_D_SCCS:
	case WB_WORD_D_ASSERT:
	case WB_WORD_D_UNASSERT:
		break;
	default:
		if (!(m->p->lex & WB_LEX_ASM)) /* in assembler, a comment */
			bad(m, WB_DOUBT_DIRECTIVE);
		break;
	}
	if (m->ngroup == 0 && m->nop > before && m->op[m->nop - 1].d.op != WB_OP_ENDIF)
		m->outside = true;
}

/* Phase 1: trigraphs. Same length of lines, fewer bytes. */
static char *without_trigraphs(const char *text, size_t n, size_t *out_n)
{
	static const char from[] = "=/'()!<>-", to[] = "#\\^[]|{}~";
	char *out = wb_xcalloc(1, n + 1);
	size_t k = 0;
	for (size_t i = 0; i < n; i++) {
		const char *which =
		    i + 2 < n && text[i] == '?' && text[i + 1] == '?' && text[i + 2] ? strchr(from, text[i + 2]) : NULL;
		out[k++] = which ? to[which - from] : text[i];
		i += which ? 2 : 0;
	}
	*out_n = k;
	return out;
}

/* The guard is the one group that holds everything. Groups without any directive in them (an #error, perhaps) do not
 * count, whatever their condition: nothing that matters depends on them. */
static void find_guard(struct making *m)
{
	size_t first = 0, end = m->nop;
	bool cut = true;
	while (cut && first < end) {
		const struct draft *o = &m->op[first];
		const struct wb_directive *d = &o->d;
		bool plain = d->op == WB_OP_IFDEF || d->op == WB_OP_IFNDEF || d->op == WB_OP_IF_CONSTANT;
		cut = plain && o->next == first + 1 && o->end == first + 1 && o->end + 1 < end;
		first += cut ? 2 : 0;
	}
	if (m->op[first].d.op == WB_OP_IFNDEF && m->op[first].end == end - 1 && m->op[first].next == end - 1)
		m->p->guard = m->op[first].d.a;
}

/* The directives as they are run: without #endif, which does nothing. */
static void pack(struct making *m)
{
	struct wb_program *p = m->p;
	uint32_t *at = wb_xcalloc(m->nop + 1, sizeof *at);
	for (size_t i = 0; i < m->nop; i++)
		at[i + 1] = at[i] + (m->op[i].d.op != WB_OP_ENDIF);
	p->nop = at[m->nop];
	struct wb_directive *op = wb_arena_array(&p->arena, p->nop, sizeof *op);
	for (size_t i = 0; i < m->nop; i++) {
		const struct draft *from = &m->op[i];
		struct wb_directive *to = &op[at[i]];
		if (from->d.op == WB_OP_ENDIF)
			continue;
		*to = from->d;
		if (to->op < WB_OP_IFDEF || to->op > WB_OP_ELSE)
			continue;
		to->b = at[from->next];
		if (m->op[from->next].d.op == WB_OP_ENDIF)
			to->flags |= WB_OP_LAST;
	}
	p->op = op;
	free(at);
}

static void finish(struct making *m)
{
	struct wb_program *p = m->p;
	if (m->ngroup || m->lines.no_end)
		p->flags |= WB_PROGRAM_NO_END;
	/* Open groups end with the text. */
	while (m->ngroup) {
		emit(m, WB_OP_ENDIF, 0, 0);
		close_branch(m, WB_OP_ENDIF);
		m->outside = true;
	}
	if (!m->outside && m->nop)
		find_guard(m);
	pack(m);
	p->operand = wb_arena_memdup(&p->arena, m->operand, p->nsite * sizeof *m->operand);
	p->tok = wb_arena_memdup(&p->arena, m->tok.v, m->tok.n * sizeof *m->tok.v);
	p->define = wb_arena_memdup(&p->arena, m->define, m->ndefine * sizeof *m->define);
	p->ndefine = (uint32_t)m->ndefine;
	p->cut_short = m->full;
	if (m->full)
		p->doubt = WB_DOUBT_LIMIT_WORDS;
	if (m->lines.doubt)
		p->doubt = m->lines.doubt;
	p->cost = wb_program_cost(p);
	wb_lines_release(&m->lines);
	wb_toks_release(&m->tok);
	free(m->op);
	free(m->operand);
	free(m->define);
	free(m->group);
}

size_t wb_program_cost(const struct wb_program *p)
{
	return p->arena.used + sizeof *p + p->ndefine * (size_t)32;
}

struct wb_program *wb_program_new(struct wb_idents *idents, const char *text, size_t n, unsigned lex)
{
	struct wb_program *p = wb_xcalloc(1, sizeof *p);
	struct making m = {.p = p, .idents = idents};
	atomic_init(&p->refs, 1);
	wb_arena_init(&p->arena);
	p->lex = lex;
	char *plain = (lex & WB_LEX_TRIGRAPHS) && memmem(text, n,
							 "?"
							 "?",
							 2)
			  ? without_trigraphs(text, n, &n)
			  : NULL;
	wb_lines_init(&m.lines, plain ? plain : text, n, lex);
	p->flags = wb_words_flags(m.lines.begin, n, m.lines.has);
	for (enum wb_event e; (e = wb_lines_next(&m.lines)) != WB_EVENT_END;) {
		if (m.lines.text && m.ngroup == 0)
			m.outside = true;
		m.lines.text = false;
		switch (e) {
		case WB_EVENT_MODULE:
			emit(&m, WB_OP_MODULE, 0, 0);
			break;
		case WB_EVENT_TIME:
		case WB_EVENT_TIMESTAMP:
			emit(&m, WB_OP_TIME, e == WB_EVENT_TIMESTAMP, 0);
			break;
		default:
			directive(&m);
			break;
		}
	}
	if (m.lines.text && m.ngroup == 0)
		m.outside = true;
	/* The others may be in a _Pragma, here or where a macro of this file is used. */
	if ((m.lines.has & WB_TEXT_MACRO) && wb_words_macro_pragmas(m.lines.begin, n) != m.pragmas)
		p->flags |= WB_PROGRAM_EVERY_TOKEN;
	p->content = XXH3_64bits(m.lines.begin, n);
	finish(&m);
	free(plain);
	return p;
}

uint32_t wb_program_behind(const struct wb_program *p, uint32_t i)
{
	while (!(p->op[i].flags & WB_OP_LAST))
		i = p->op[i].b;
	return p->op[i].b;
}

struct wb_program *wb_program_ref(struct wb_program *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

static atomic_uint_fast64_t ended;

uint64_t wb_programs_ended(void)
{
	return atomic_load_explicit(&ended, memory_order_acquire);
}

void wb_program_unref(struct wb_program *p)
{
	if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	atomic_fetch_add_explicit(&ended, 1, memory_order_acq_rel);
	wb_program_discard(p);
}

void wb_program_discard(struct wb_program *p)
{
	for (uint32_t i = 0; i < p->ndefine; i++)
		free(atomic_load_explicit(&p->define[i].tokens, memory_order_relaxed));
	wb_arena_release(&p->arena);
	free(p);
}
