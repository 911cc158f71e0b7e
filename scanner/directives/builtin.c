/* builtin.c — the macros that compilers have built in, as far as conditions and header names use them. */
#include "base/path.h"
#include "scanner/directives/unit.h"

#include <stdio.h>
#include <string.h>

enum { MAX_OPERAND = 1024, MAX_OPEN = 10000 };

static bool is_punct(struct wb_tok t, unsigned code)
{
	return t.kind == WB_TOK_PUNCT && t.aux == code;
}

static bool value(struct wb_tok name, struct wb_tok *out, uint32_t v)
{
	*out = (struct wb_tok){.text = v, .kind = WB_TOK_VALUE, .flags = name.flags & WB_TOK_SPACE};
	return true;
}

static bool spells(const struct wb_unit *u, struct wb_tok t, const char *text)
{
	return t.kind != WB_TOK_VALUE && t.kind != WB_TOK_END &&
	       wb_str_eq(wb_ident_text(u->idents, t.text), wb_str_of(text));
}

/* "(" tokens ")": *t is what follows. clang loses count where parentheses nest deeper. */
static bool balanced(struct wb_unit *u, struct wb_tok *t)
{
	struct wb_macros *m = &u->macros;
	if (!is_punct(*t, WB_P_LPAREN))
		return wb_expand_doubt(m, WB_DOUBT_EMBED_PARAMETER);
	for (unsigned depth = 1; depth;) {
		*t = wb_expand_next(m);
		depth += is_punct(*t, WB_P_LPAREN);
		depth -= is_punct(*t, WB_P_RPAREN);
		if (t->kind == WB_TOK_END || depth > 2 || spells(u, *t, "[") || spells(u, *t, "]") ||
		    spells(u, *t, "{") || spells(u, *t, "}"))
			return wb_expand_doubt(m, WB_DOUBT_EMBED_PARAMETER);
	}
	*t = wb_expand_next(m);
	return !m->doubt;
}

/* "(" expression ")" */
static bool amount(struct wb_unit *u, struct wb_tok *t, uint64_t *value)
{
	bool negative;
	if (!is_punct(*t, WB_P_LPAREN))
		return wb_expand_doubt(&u->macros, WB_DOUBT_EMBED_PARAMETER);
	if (!wb_expression_operand(value, &negative, t, &u->macros, &u->setup->rules))
		return false;
	if (negative || !is_punct(*t, WB_P_RPAREN))
		return wb_expand_doubt(&u->macros, WB_DOUBT_EMBED_PARAMETER);
	*t = wb_expand_next(&u->macros);
	return true;
}

/* The name of a parameter, as far as the tables of clang 19 to 22 know it: LexEmbedParameters() in
 * clang/lib/Lex/PPDirectives.cpp. __limit__ is limit. */
static int parameter(struct wb_unit *u, struct wb_tok *t)
{
	static const char *const name[] = {"limit", "clang::offset", "prefix", "suffix", "if_empty"};
	char text[64];
	struct wb_str s = wb_ident_text(u->idents, t->text);
	int n = snprintf(text, sizeof text, "%.*s", (int)s.n, s.p);
	*t = wb_expand_next(&u->macros);
	if (spells(u, *t, "::")) {
		*t = wb_expand_next(&u->macros);
		if (t->kind != WB_TOK_IDENT)
			return wb_expand_doubt(&u->macros, WB_DOUBT_EMBED_PARAMETER) - 1;
		s = wb_ident_text(u->idents, t->text);
		if (n >= 0 && (size_t)n < sizeof text)
			snprintf(text + n, sizeof text - (size_t)n, "::%.*s", (int)s.n, s.p);
		*t = wb_expand_next(&u->macros);
	}
	s = wb_str_of(text);
	if (s.n > 4 && wb_starts_with(s.p, "__") && wb_ends_with(s.p, "__"))
		s.p += 2, s.n -= 4;
	for (int i = 0; i < 5; i++)
		if (wb_str_eq(s, wb_str_of(name[i])))
			return i;
	return -1;
}

bool wb_unit_embed_parameters(struct wb_unit *u, struct wb_embed *out, bool parenthesised)
{
	struct wb_macros *m = &u->macros;
	bool seen[5] = {0};
	*out = (struct wb_embed){0};
	struct wb_tok t = wb_expand_next(m);
	while (!m->doubt && t.kind != WB_TOK_END && !(parenthesised && is_punct(t, WB_P_RPAREN))) {
		if (t.kind != WB_TOK_IDENT)
			return wb_expand_doubt(m, WB_DOUBT_EMBED_PARAMETER);
		int which = parameter(u, &t);
		if (m->doubt)
			return false;
		if (which >= 0 && seen[which])
			return wb_expand_doubt(m, WB_DOUBT_EMBED_PARAMETER);
		if (which >= 0)
			seen[which] = true;
		if (which == 0)
			out->limited = true;
		if (which < 0 && !parenthesised)
			return wb_expand_doubt(m, WB_DOUBT_EMBED_UNKNOWN);
		out->unknown = out->unknown || which < 0;
		if (which == 0 || which == 1) {
			if (!amount(u, &t, which == 0 ? &out->limit : &out->offset))
				return false;
		} else if ((which >= 0 || is_punct(t, WB_P_LPAREN)) && !balanced(u, &t)) {
			return false;
		}
	}
	if (parenthesised && !is_punct(t, WB_P_RPAREN))
		return wb_expand_doubt(m, WB_DOUBT_EMBED_PARAMETER);
	return !m->doubt;
}

/* 1 or 2: is anything left of the file? *sure is false where versions of clang differ. */
static uint32_t amount_left(const struct wb_embed *e, uint64_t size, bool *sure)
{
	size = e->offset > size ? 0 : size - e->offset;
	*sure = !e->limited || e->limit <= size || size == 0;
	return size == 0 || (e->limited && e->limit == 0) ? 2 : 1;
}

/* A name in <> that the directive itself spells behind a macro for __has_include: no macro in it is expanded. */
static struct wb_tok angled_name(struct wb_unit *u, struct wb_macros *m)
{
	char text[MAX_OPERAND];
	size_t n = 0;
	for (struct wb_tok t = {0}; n == 0 || !is_punct(t, WB_P_GT);) {
		t = wb_expand_raw(m);
		struct wb_str s = wb_ident_text(u->idents, t.text);
		if (t.kind == WB_TOK_END || (n > 0 && (t.flags & WB_TOK_SPACE)) || n + s.n > sizeof text) {
			wb_expand_doubt(m, WB_DOUBT_HEADER_NAME_ANGLED);
			break;
		}
		memcpy(text + n, s.p, s.n);
		n += s.n;
	}
	return (struct wb_tok){.text = wb_ident_put(u->idents, text, n), .kind = WB_TOK_HEADER};
}

static bool has_file(struct wb_unit *u, struct wb_macros *m, struct wb_tok name, struct wb_tok *out)
{
	bool angled, embed = name.text == WB_WORD_HAS_EMBED, sure = true;
	struct wb_embed parameters = {0};
	uint32_t header, place;
	if (!is_punct(wb_expand_raw(m), WB_P_LPAREN))
		return wb_expand_doubt(m, WB_DOUBT_HAS_INCLUDE);
	struct wb_tok first = wb_expand_at_angle(m) ? angled_name(u, m) : wb_expand_next(m);
	if (!wb_unit_header_name(u, first, &header, &angled))
		return false;
	if (embed) {
		if (!wb_unit_embed_parameters(u, &parameters, true))
			return false;
		if (parameters.unknown)
			return value(name, out, 0);
	} else if (!is_punct(wb_expand_raw(m), WB_P_RPAREN)) {
		return wb_expand_doubt(m, WB_DOUBT_HAS_INCLUDE);
	}
	/* gcc does not look for a file there (libcpp's skip_eval), and says 0 even when the macro around is not all
	 * skipped; clang does. */
	if (m->dead && u->req->tc->compiler == WB_COMPILER_GCC)
		return value(name, out, 0);
	bool next = name.text == WB_WORD_HAS_INCLUDE_NEXT;
	const struct wb_frame *f = wb_unit_top(u);
	if (embed) {
		wb_subtree_drop(u, true);
		place = wb_unit_find_embed(u, header, angled);
	} else {
		const struct wb_found *found = wb_unit_find(u, header, angled, next);
		place = found->place;
		if (u->search.since)
			wb_subtree_header(u,
					  (struct wb_item){.op = WB_ITEM_PROBE,
							   .kind = WB_EDGE_HAS_INCLUDE,
							   .angled = angled,
							   .next = next,
							   .line = f->line & WB_MAX_LINE,
							   .name = header},
					  found);
	}
	if (place == WB_NOWHERE)
		return value(name, out, 0);
	if (f->node != UINT32_MAX) {
		uint32_t node = wb_unit_node(u, place);
		if (embed)
			u->node[node].flags |= WB_GRAPH_EMBED;
		wb_unit_edge(u, f->node, f->line, node, embed ? WB_EDGE_EMBED : WB_EDGE_HAS_INCLUDE,
			     wb_ident_text(u->idents, header).p);
	}
	uint32_t found = embed ? amount_left(&parameters, (uint64_t)u->search.place[place].id.size, &sure) : 1;
	return sure ? value(name, out, found) : wb_expand_doubt(m, WB_DOUBT_HAS_EMBED_LIMIT);
}

/* clang expands macros in the operands of some questions; gcc in all. clang/lib/Lex/PPMacroExpansion.cpp. */
static bool expands_operand(const struct wb_unit *u, uint32_t word)
{
	return u->req->tc->compiler == WB_COMPILER_GCC ||
	       (word >= WB_WORD_HAS_ATTRIBUTE && word <= WB_WORD_HAS_DECLSPEC_ATTRIBUTE);
}

/* The operand as text: tokens side by side, a blank only between words that had one. */
static bool operand_of(struct wb_unit *u, struct wb_macros *m, uint32_t word, uint32_t *id)
{
	char text[MAX_OPERAND];
	size_t n = 0;
	bool expand = expands_operand(u, word);
	if (!is_punct(wb_expand_raw(m), WB_P_LPAREN))
		return wb_expand_doubt(m, WB_DOUBT_QUESTION);
	for (unsigned depth = 1;;) {
		struct wb_tok t = expand ? wb_expand_next(m) : wb_expand_raw(m);
		if (m->doubt || t.kind == WB_TOK_END)
			return wb_expand_doubt(m, WB_DOUBT_QUESTION);
		if (is_punct(t, WB_P_RPAREN) && --depth == 0)
			break;
		depth += is_punct(t, WB_P_LPAREN);
		if (t.kind == WB_TOK_VALUE)
			return wb_expand_doubt(m, WB_DOUBT_QUESTION_NESTED);
		struct wb_str s = wb_ident_text(u->idents, t.text);
		bool apart = (t.flags & WB_TOK_SPACE) && n && t.kind == WB_TOK_IDENT &&
			     wb_is_word_byte((unsigned char)text[n - 1], 0);
		if (n + s.n + apart >= sizeof text)
			return wb_expand_doubt(m, WB_DOUBT_QUESTION_SIZE);
		if (apart)
			text[n++] = ' ';
		memcpy(text + n, s.p, s.n);
		n += s.n;
	}
	*id = wb_ident_put(u->idents, text, n);
	return *id || wb_expand_doubt(m, WB_DOUBT_LIMIT_WORDS);
}

static bool question(struct wb_unit *u, struct wb_macros *m, struct wb_tok name, struct wb_tok *out)
{
	uint32_t operand;
	if (!operand_of(u, m, name.text, &operand))
		return false;
	uint64_t key = (uint64_t)u->setup->base->id << 40 | (uint64_t)name.text << 32 | operand;
	uint32_t known = wb_table_get(&u->answer, key);
	if (known != WB_NOWHERE)
		return value(name, out, known);
	u->provisional = true;
	wb_subtree_drop(u, false);
	struct wb_question q = {wb_ident_text(u->idents, name.text).p, wb_ident_text(u->idents, operand).p, 0};
	if (wb_toolchain_known(u->req->tc, &q)) {
		wb_table_put(&u->answer, key, q.value);
		return value(name, out, q.value);
	}
	for (size_t i = 0; i < u->nopen; i++)
		if (u->open[i].word == name.text && u->open[i].operand == operand)
			return value(name, out, 0);
	if (u->nopen == MAX_OPEN)
		return wb_expand_doubt(m, WB_DOUBT_QUESTION_COUNT);
	if (u->nopen == u->open_cap) {
		u->open_cap = u->open_cap ? 2 * u->open_cap : 64;
		u->open = wb_xrealloc(u->open, u->open_cap * sizeof *u->open);
	}
	u->open[u->nopen++] = (struct wb_open_question){name.text, operand};
	return value(name, out, 0);
}

static bool line_known(const struct wb_unit *u, struct wb_macros *m)
{
	const struct wb_frame *f = &u->frame[u->nframe - 1];
	if (f->several || (f->program->flags & WB_PROGRAM_LINE_DIRECTIVE))
		return wb_expand_doubt(m, WB_DOUBT_LINE_OR_FILE);
	return true;
}

static bool file_name(struct wb_unit *u, struct wb_macros *m, struct wb_tok name, struct wb_tok *out)
{
	struct wb_frame *f = wb_unit_top(u);
	if (f->node == UINT32_MAX || !line_known(u, m))
		return wb_expand_doubt(m, WB_DOUBT_FILE_ON_COMMAND);
	u->file_macro = true;
	wb_subtree_drop(u, true);
	uint32_t place = f->place;
	if (u->req->tc->compiler == WB_COMPILER_CLANG) /* names a file as it was first read */
		place = u->search.entity[f->entity].opened;
	if (name.text == WB_WORD_BASE_FILE)
		place = u->node[0].place;
	const char *path = wb_search_text(&u->search, place).p;
	if (name.text == WB_WORD_FILE_NAME)
		path = wb_path_basename(path);
	if (strpbrk(path, "\"\\"))
		return wb_expand_doubt(m, WB_DOUBT_FILE_ESCAPES);
	const char *text = wb_arena_printf(u->arena, "\"%s\"", path);
	*out =
	    (struct wb_tok){wb_ident_put(u->idents, text, strlen(text)), WB_TOK_STRING, name.flags & WB_TOK_SPACE, 0};
	return out->text || wb_expand_doubt(m, WB_DOUBT_LIMIT_WORDS);
}

bool wb_unit_builtin(void *ctx, struct wb_macros *m, struct wb_tok name, struct wb_tok *out)
{
	struct wb_unit *u = ctx;
	if (name.text <= WB_WORD_HAS_EMBED) /* what the others say is the same for all units of a toolchain */
		m->unsteady = true;
	switch (name.text) {
	case WB_WORD_LINE:
		return line_known(u, m) && value(name, out, wb_unit_top(u)->line);
	case WB_WORD_FILE:
	case WB_WORD_BASE_FILE:
	case WB_WORD_FILE_NAME:
		return file_name(u, m, name, out);
	case WB_WORD_INCLUDE_LEVEL:
		wb_subtree_drop(u, true);
		return value(name, out, u->nframe - 1);
	case WB_WORD_COUNTER:
		return wb_expand_doubt(m, WB_DOUBT_COUNTER);
	case WB_WORD_DATE:
	case WB_WORD_TIME:
	case WB_WORD_TIMESTAMP:
		return wb_expand_doubt(m, WB_DOUBT_TIME);
	case WB_WORD_PRAGMA_OPERATOR:
		return wb_expand_doubt(m, WB_DOUBT_PRAGMA_IN_DIRECTIVE);
	case WB_WORD_HAS_INCLUDE:
	case WB_WORD_HAS_INCLUDE_NEXT:
	case WB_WORD_HAS_EMBED:
		return has_file(u, m, name, out);
	default:
		return question(u, m, name, out);
	}
}
