#define _GNU_SOURCE /* memmem */
#include "scanner/directives/macro.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_TOKENS = 4096 };

void wb_macros_init(struct wb_macros *m, struct wb_idents *idents)
{
	*m = (struct wb_macros){.idents = idents, .generation = 1, .kept = WB_NO_GENERATION};
}

void wb_macros_release(struct wb_macros *m)
{
	for (size_t i = 0; i < m->nblock; i++)
		free(m->block[i]);
	free(m->block);
	free(m->slot);
	free(m->disabled);
	free(m->undo);
	free(m->stream);
}

/* Forget every entry but those of one generation, which becomes `as`. */
static void forget_but(struct wb_macros *m, uint32_t generation, uint32_t as)
{
	for (uint32_t i = 0; i < m->nslot; i++)
		m->slot[i] = m->slot[i] >> 48 == generation ? m->slot[i] << 16 >> 16 | (uint64_t)as << 48 : 0;
}

static void next_generation(struct wb_macros *m)
{
	if (++m->generation != WB_NO_GENERATION)
		return;
	/* Once in 65,000 units. What is kept stays, as the first generation. */
	bool keeps = m->kept != WB_NO_GENERATION;
	forget_but(m, m->kept, 1);
	m->kept = keeps ? 1 : m->kept;
	m->generation = 2;
}

void wb_macros_reset(struct wb_macros *m)
{
	m->kept = WB_NO_GENERATION;
	m->nundo = 0;
	next_generation(m);
}

void wb_macros_keep(struct wb_macros *m)
{
	/* Entries are told from later ones by their generation: there must be a next one. */
	if (m->generation == WB_NO_GENERATION - 1) {
		forget_but(m, m->generation, 1);
		m->generation = 1;
	}
	m->kept = m->generation;
	m->nundo = 0;
	m->generation++;
}

void wb_macros_back(struct wb_macros *m)
{
	while (m->nundo) {
		const struct wb_undo *u = &m->undo[--m->nundo];
		m->slot[u->name] = u->slot;
	}
	next_generation(m);
}

/* An entry of the kept state is about to change. */
static void remember(struct wb_macros *m, uint32_t name)
{
	if (m->nundo == m->undo_cap) {
		m->undo_cap = m->undo_cap ? 2 * m->undo_cap : 64;
		m->undo = wb_xrealloc(m->undo, m->undo_cap * sizeof *m->undo);
	}
	m->undo[m->nundo++] = (struct wb_undo){m->slot[name], name};
}

void wb_macro_define_slow(struct wb_macros *m, uint32_t name, const struct wb_define *d)
{
	if (name >= m->nslot) {
		uint32_t n = wb_idents_count(m->idents);
		n += n / 2 + 1024;
		m->slot = wb_xrealloc(m->slot, n * sizeof *m->slot);
		memset(m->slot + m->nslot, 0, (n - m->nslot) * sizeof *m->slot);
		m->disabled = wb_xrealloc(m->disabled, n);
		memset(m->disabled + m->nslot, 0, n - m->nslot);
		m->nslot = n;
	}
	if (m->slot[name] >> 48 == m->kept)
		remember(m, name);
	m->slot[name] = (uint64_t)m->generation << 48 | (uintptr_t)d;
}

void wb_macro_undef(struct wb_macros *m, uint32_t name)
{
	if (name >= m->nslot)
		return;
	if (m->slot[name] >> 48 == m->kept)
		remember(m, name);
	m->slot[name] = 0;
}

void wb_macros_watch(struct wb_macros *m, bool on)
{
	m->reading = on;
	m->unsteady = m->more = false;
	m->nread = 0;
}

void wb_macro_note(struct wb_macros *m, uint32_t name, const struct wb_define *def)
{
	for (size_t i = 0; i < m->nread; i++)
		if (m->read[i].name == name)
			return; /* nothing is defined while a condition is being evaluated */
	if (m->nread == WB_MAX_READS)
		m->unsteady = m->more = true;
	else
		m->read[m->nread++] = (struct wb_read){def, name};
}

bool wb_expand_doubt(struct wb_macros *m, enum wb_doubt why)
{
	if (!m->doubt)
		m->doubt = why;
	return false;
}

struct wb_tok *wb_pool_tokens(struct wb_macros *m, size_t n)
{
	if (n > m->budget) {
		wb_expand_doubt(m, WB_DOUBT_LIMIT_EXPANSION);
		return NULL;
	}
	m->budget -= n;
	if (n > BLOCK_TOKENS) { /* a block of its own, in front of the current one */
		m->block = wb_xrealloc(m->block, (m->nblock + 1) * sizeof *m->block);
		memmove(m->block + m->at + 1, m->block + m->at, (m->nblock - m->at) * sizeof *m->block);
		m->block[m->at] = wb_xcalloc(n, sizeof **m->block);
		m->nblock++;
		return m->block[m->at++];
	}
	if (m->at < m->nblock && m->used + n > BLOCK_TOKENS) {
		m->at++;
		m->used = 0;
	}
	if (m->at == m->nblock) {
		m->block = wb_xrealloc(m->block, (m->nblock + 1) * sizeof *m->block);
		m->block[m->nblock++] = wb_xcalloc(BLOCK_TOKENS, sizeof **m->block);
		m->used = 0;
	}
	struct wb_tok *out = m->block[m->at] + m->used;
	m->used += n;
	return out;
}

static bool push(struct wb_macros *m, const struct wb_tok *p, size_t n, uint32_t name)
{
	if (m->nstream == m->cap) {
		if (m->cap == WB_EXPAND_MAX_STREAMS)
			return wb_expand_doubt(m, WB_DOUBT_LIMIT_MACROS);
		m->cap = m->cap ? 2 * m->cap : 64;
		m->stream = wb_xrealloc(m->stream, m->cap * sizeof *m->stream);
	}
	m->stream[m->nstream++] = (struct wb_stream){p, p + n, name};
	if (name)
		m->disabled[name] = 1;
	return true;
}

void wb_expand_begin(struct wb_macros *m, const struct wb_tok *tok, size_t n)
{
	/* A directive that was given up may have left macros disabled. */
	while (m->nstream)
		if (m->stream[--m->nstream].name)
			m->disabled[m->stream[m->nstream].name] = 0;
	/* Blocks of their own size are not worth keeping. */
	for (size_t i = 0; m->nblock > 1 && i < m->nblock; i++)
		free(m->block[i]);
	m->nblock = m->nblock > 1 ? 0 : m->nblock;
	m->at = m->used = m->base = 0;
	m->depth = 0;
	m->space = 0;
	m->budget = WB_EXPAND_MAX_TOKENS;
	m->dead = false;
	m->doubt = WB_DOUBT_NONE;
	push(m, tok, n, 0);
}

static const struct wb_tok end_token = {.kind = WB_TOK_END};

struct wb_tok wb_expand_raw(struct wb_macros *m)
{
	while (m->nstream > m->base && !m->doubt) {
		struct wb_stream *s = &m->stream[m->nstream - 1];
		if (s->p < s->end) {
			struct wb_tok t = *s->p++;
			t.flags |= m->space;
			m->space = 0;
			return t;
		}
		if (s->name)
			m->disabled[s->name] = 0;
		m->nstream--;
	}
	return end_token;
}

/* Is the next token a "("? Nothing is taken. */
static bool opens(const struct wb_macros *m)
{
	for (size_t i = m->nstream; i > m->base; i--) {
		const struct wb_stream *s = &m->stream[i - 1];
		if (s->p < s->end)
			return s->p->kind == WB_TOK_PUNCT && s->p->aux == WB_P_LPAREN;
	}
	return false;
}

bool wb_expand_at_angle(const struct wb_macros *m)
{
	size_t i = m->nstream;
	while (i > 1 && m->stream[i - 1].p == m->stream[i - 1].end)
		i--;
	const struct wb_stream *s = m->stream;
	return i == 1 && s->p < s->end && s->p->kind == WB_TOK_PUNCT && s->p->aux == WB_P_LT;
}

bool wb_expand_list(struct wb_macros *m, const struct wb_list *in, struct wb_list *out)
{
	struct wb_toks t = {0};
	size_t base = m->base;
	uint8_t space = m->space; /* of what stands around */
	if (++m->depth > WB_EXPAND_MAX_DEPTH)
		return wb_expand_doubt(m, WB_DOUBT_LIMIT_MACROS);
	m->base = m->nstream;
	m->space = 0;
	if (push(m, in->v, in->n, 0))
		for (struct wb_tok tok; (tok = wb_expand_next(m)).kind != WB_TOK_END;) {
			if (t.n >= m->budget) {
				wb_expand_doubt(m, WB_DOUBT_LIMIT_EXPANSION);
				break;
			}
			wb_toks_push(&t, tok);
		}
	m->base = base;
	m->space = space;
	m->depth--;
	out->n = t.n;
	out->v = m->doubt ? NULL : wb_pool_tokens(m, t.n);
	if (out->v && t.n)
		memcpy(out->v, t.v, t.n * sizeof *t.v);
	wb_toks_release(&t);
	return out->v != NULL;
}

/* A <name> that was taken for one while the directive was read, but stands among the arguments of a macro: tokens like
 * any others there. They will be read next. */
static bool split_header(struct wb_macros *m, const struct wb_tok *header, unsigned lex)
{
	struct wb_str s = wb_ident_text(m->idents, header->text);
	struct wb_toks t = {0};
	bool comment = memmem(s.p, s.n, "//", 2) || memmem(s.p, s.n, "/*", 2);
	bool good = !comment && wb_tokens_lex(&t, m->idents, s.p, s.n, lex, false);
	struct wb_tok *kept = good ? wb_pool_tokens(m, t.n) : NULL;
	if (kept) {
		memcpy(kept, t.v, t.n * sizeof *kept);
		kept->flags = header->flags;
	}
	size_t n = t.n;
	wb_toks_release(&t);
	if (!kept)
		return wb_expand_doubt(m, WB_DOUBT_ARGUMENT_HEADER);
	return push(m, kept, n, 0);
}

/* Read the arguments behind the name of a function-like macro, "(" not yet taken. */
static bool arguments(struct wb_macros *m, const struct wb_define *d, struct wb_arg_list *arg, bool *has_variadic)
{
	bool variadic = d->flags & WB_DEFINE_VARIADIC, good = false;
	size_t n = 0, first = 0;
	unsigned depth = 0;
	struct wb_toks all = {0};
	wb_expand_raw(m); /* "(" */
	for (;;) {
		struct wb_tok t = wb_expand_raw(m);
		if (t.kind == WB_TOK_END) {
			wb_expand_doubt(m, WB_DOUBT_ARGUMENTS_END);
			goto out;
		}
		if (all.n >= m->budget) {
			wb_expand_doubt(m, WB_DOUBT_LIMIT_EXPANSION);
			goto out;
		}
		if (t.kind == WB_TOK_HEADER) {
			if (!split_header(m, &t, d->lex))
				goto out;
			continue;
		}
		bool punct = t.kind == WB_TOK_PUNCT;
		if (punct && t.aux == WB_P_RPAREN && depth-- == 0)
			break;
		if (punct && t.aux == WB_P_LPAREN)
			depth++;
		if (punct && t.aux == WB_P_COMMA && depth == 0 && !(variadic && n + 1 >= d->nparam)) {
			if (n >= d->nparam) {
				wb_expand_doubt(m, WB_DOUBT_ARGUMENT_COUNT);
				goto out;
			}
			arg[n++].raw.n = first; /* for now: where it starts */
			first = all.n;
			continue;
		}
		/* Reading may have ended expansions: what names a macro that is still being expanded now, never will
		 * be. */
		if (t.kind == WB_TOK_IDENT && wb_macro_read(m, t.text) && m->disabled[t.text])
			t.flags |= WB_TOK_NOEXPAND;
		wb_toks_push(&all, t);
	}
	if (n < d->nparam)
		arg[n].raw.n = first;
	n++;
	if (d->nparam == 0 && n == 1 && all.n == 0)
		n = 0;
	*has_variadic = variadic && n == d->nparam;
	if (n != d->nparam && !(variadic && n + 1 == d->nparam)) {
		wb_expand_doubt(m, WB_DOUBT_ARGUMENT_COUNT);
		goto out;
	}
	struct wb_tok *kept = wb_pool_tokens(m, all.n);
	if (!kept)
		goto out;
	if (all.n)
		memcpy(kept, all.v, all.n * sizeof *kept);
	for (size_t i = 0; i < d->nparam; i++) {
		size_t from = i < n ? arg[i].raw.n : all.n, to = i + 1 < n ? arg[i + 1].raw.n : all.n;
		arg[i] = (struct wb_arg_list){.raw = {kept + from, to - from}};
	}
	good = true;
out:
	wb_toks_release(&all);
	return good;
}

static bool expand(struct wb_macros *m, const struct wb_define *d, struct wb_tok name)
{
	const struct wb_body *b = wb_define_body(d, m->idents);
	if (!b)
		return wb_expand_doubt(m, WB_DOUBT_LIMIT_WORDS);
	struct wb_list out = {(struct wb_tok *)(uintptr_t)b->tok, b->n};
	if (d->flags & (WB_DEFINE_FUNCTION | WB_DEFINE_PASTES)) {
		size_t cells =
		    (d->nparam * sizeof(struct wb_arg_list) + sizeof(struct wb_tok) - 1) / sizeof(struct wb_tok);
		struct wb_arg_list *arg = (struct wb_arg_list *)(void *)wb_pool_tokens(m, cells);
		bool has_variadic = false;
		if (!arg)
			return false;
		if ((d->flags & WB_DEFINE_FUNCTION) && !arguments(m, d, arg, &has_variadic))
			return false;
		if (!wb_macro_substitute(m, d, b, arg, has_variadic, &out))
			return false;
	}
	if (out.n == 0) { /* white space in front of nothing is white space in front of what follows */
		m->space |= name.flags & WB_TOK_SPACE;
		return true;
	}
	struct wb_tok *copy = out.v;
	if ((out.v->flags ^ name.flags) & WB_TOK_SPACE) {
		copy = wb_pool_tokens(m, out.n);
		if (!copy)
			return false;
		memcpy(copy, out.v, out.n * sizeof *copy);
		copy->flags = (uint8_t)((copy->flags & ~WB_TOK_SPACE) | (name.flags & WB_TOK_SPACE));
	} else if (out.n > m->budget) {
		return wb_expand_doubt(m, WB_DOUBT_LIMIT_EXPANSION);
	} else {
		m->budget -= out.n;
	}
	return push(m, copy, out.n, d->name);
}

struct wb_tok wb_expand_next(struct wb_macros *m)
{
	for (;;) {
		struct wb_tok t = wb_expand_raw(m);
		if (t.kind != WB_TOK_IDENT || (t.flags & WB_TOK_NOEXPAND))
			return t;
		const struct wb_define *d = wb_macro_read(m, t.text);
		if (!d)
			return t;
		if (m->disabled[t.text]) {
			t.flags |= WB_TOK_NOEXPAND;
			return t;
		}
		if (d->flags & WB_DEFINE_BUILTIN) {
			struct wb_tok out;
			if (!m->builtin || !m->builtin(m->ctx, m, t, &out))
				return end_token;
			return out;
		}
		if ((d->flags & WB_DEFINE_FUNCTION) && !opens(m))
			return t;
		if (!expand(m, d, t))
			return end_token;
	}
}
