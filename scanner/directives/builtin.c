/* builtin.c — the macros that compilers have built in, as far as conditions and header names use them. */
#include "base/path.h"
#include "scanner/directives/unit.h"

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

static struct wb_frame *top(struct wb_unit *u)
{
	return &u->frame[u->nframe - 1];
}

static bool has_file(struct wb_unit *u, struct wb_macros *m, struct wb_tok name, struct wb_tok *out)
{
	bool angled, embed = name.text == WB_WORD_HAS_EMBED;
	uint32_t header, place;
	if (!is_punct(wb_expand_raw(m), WB_P_LPAREN))
		return wb_expand_doubt(m, "__has_include without its (");
	if (!wb_unit_header_name(u, wb_expand_next(m), &header, &angled))
		return false;
	if (!is_punct(wb_expand_raw(m), WB_P_RPAREN))
		return wb_expand_doubt(m, "__has_include without its ), or with more than a name");
	place = embed ? wb_unit_find_embed(u, header, angled)
		      : wb_unit_find(u, header, angled, name.text == WB_WORD_HAS_INCLUDE_NEXT)->place;
	if (place == WB_NOWHERE)
		return value(name, out, 0);
	if (top(u)->node != UINT32_MAX) {
		uint32_t node = wb_unit_node(u, place);
		if (embed)
			u->node[node].flags |= WB_GRAPH_EMBED;
		wb_unit_edge(u, node, embed ? WB_EDGE_EMBED : WB_EDGE_HAS_INCLUDE, wb_ident_text(u->idents, header).p);
	}
	return value(name, out, embed && u->search.place[place].id.size == 0 ? 2 : 1);
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
		return wb_expand_doubt(m, "a question to the compiler without its (");
	for (unsigned depth = 1;;) {
		struct wb_tok t = expand ? wb_expand_next(m) : wb_expand_raw(m);
		if (m->doubt || t.kind == WB_TOK_END)
			return wb_expand_doubt(m, "a question to the compiler without its )");
		if (is_punct(t, WB_P_RPAREN) && --depth == 0)
			break;
		depth += is_punct(t, WB_P_LPAREN);
		if (t.kind == WB_TOK_VALUE)
			return wb_expand_doubt(m, "a question within a question");
		struct wb_str s = wb_ident_text(u->idents, t.text);
		bool apart = (t.flags & WB_TOK_SPACE) && n && t.kind == WB_TOK_IDENT &&
			     wb_is_word_byte((unsigned char)text[n - 1], 0);
		if (n + s.n + apart >= sizeof text)
			return wb_expand_doubt(m, "a question to the compiler that is too long");
		if (apart)
			text[n++] = ' ';
		memcpy(text + n, s.p, s.n);
		n += s.n;
	}
	*id = wb_ident_put(u->idents, text, n);
	return *id || wb_expand_doubt(m, "too many different words");
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
	m->unsteady = true; /* until the compiler has said it */
	struct wb_question q = {wb_ident_text(u->idents, name.text).p, wb_ident_text(u->idents, operand).p, 0};
	if (wb_toolchain_known(u->req->tc, &q)) {
		wb_table_put(&u->answer, key, q.value);
		return value(name, out, q.value);
	}
	for (size_t i = 0; i < u->nopen; i++)
		if (u->open[i].word == name.text && u->open[i].operand == operand)
			return value(name, out, 0);
	if (u->nopen == MAX_OPEN)
		return wb_expand_doubt(m, "too many questions to the compiler");
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
		return wb_expand_doubt(m, "__LINE__ or __FILE__ where lines are renumbered or spliced");
	return true;
}

static bool file_name(struct wb_unit *u, struct wb_macros *m, struct wb_tok name, struct wb_tok *out)
{
	struct wb_frame *f = top(u);
	if (f->node == UINT32_MAX || !line_known(u, m))
		return wb_expand_doubt(m, "__FILE__ on the command line");
	u->file_macro = true;
	uint32_t place = f->place;
	if (u->req->tc->compiler == WB_COMPILER_CLANG) /* names a file as it was first met */
		place = u->search.entity[f->entity].first;
	if (name.text == WB_WORD_BASE_FILE)
		place = u->node[0].place;
	const char *path = wb_search_text(&u->search, place).p;
	if (name.text == WB_WORD_FILE_NAME)
		path = wb_path_basename(path);
	if (strpbrk(path, "\"\\"))
		return wb_expand_doubt(m, "a file name that needs escapes");
	const char *text = wb_arena_printf(u->arena, "\"%s\"", path);
	*out =
	    (struct wb_tok){wb_ident_put(u->idents, text, strlen(text)), WB_TOK_STRING, name.flags & WB_TOK_SPACE, 0};
	return out->text || wb_expand_doubt(m, "too many different words");
}

bool wb_unit_builtin(void *ctx, struct wb_macros *m, struct wb_tok name, struct wb_tok *out)
{
	struct wb_unit *u = ctx;
	if (name.text <= WB_WORD_HAS_EMBED) /* what the others say is the same for all units of a toolchain */
		m->unsteady = true;
	switch (name.text) {
	case WB_WORD_LINE:
		return line_known(u, m) && value(name, out, top(u)->line);
	case WB_WORD_FILE:
	case WB_WORD_BASE_FILE:
	case WB_WORD_FILE_NAME:
		return file_name(u, m, name, out);
	case WB_WORD_INCLUDE_LEVEL:
		return value(name, out, u->nframe - 1);
	case WB_WORD_COUNTER:
		return wb_expand_doubt(m, "__COUNTER__ in a directive: what text expands counts too");
	case WB_WORD_DATE:
	case WB_WORD_TIME:
	case WB_WORD_TIMESTAMP:
		return wb_expand_doubt(m, "the time in a directive");
	case WB_WORD_PRAGMA_OPERATOR:
		return wb_expand_doubt(m, "_Pragma in a directive");
	case WB_WORD_HAS_INCLUDE:
	case WB_WORD_HAS_INCLUDE_NEXT:
	case WB_WORD_HAS_EMBED:
		return has_file(u, m, name, out);
	default:
		return question(u, m, name, out);
	}
}
