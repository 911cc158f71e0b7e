/* Any bytes as a text: its directives are found and lexed. Tokens that are spelled with blanks between them and lexed
 * again are the same tokens; every newline is counted once; line ends of another system change nothing.
 * Input: two bytes of enum wb_lex_flag, then the text. */
#include "scanner/directives/lines.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wb_idents *idents;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool same_tokens(const struct wb_toks *a, const struct wb_toks *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n;
	     i++) /* a literal without an end goes on to the end of its line, white space and all */
		if ((a->v[i].text != b->v[i].text && a->v[i].kind != WB_TOK_OTHER) || a->v[i].kind != b->v[i].kind ||
		    a->v[i].aux != b->v[i].aux)
			return false;
	return true;
}

static void check_spelling(const struct wb_toks *t, unsigned lex)
{
	struct wb_buf text = WB_BUF_INIT;
	struct wb_toks again = {0};
	for (size_t i = 0; i < t->n; i++) {
		struct wb_str s = wb_ident_text(idents, t->v[i].text);
		wb_buf_addc(&text, ' ');
		wb_buf_add(&text, s.p, s.n);
	}
	check(wb_tokens_lex(&again, idents, text.p ? text.p : "", text.n, lex, false));
	check(same_tokens(t, &again));
	wb_toks_release(&again);
	wb_buf_release(&text);
}

/* The events of a text, as a list: kind and line, and the tokens of each directive. */
struct events {
	struct wb_toks tok;
	bool doubt, no_end;
};

static void read_events(struct events *out, const char *text, size_t n, unsigned lex)
{
	struct wb_lines l;
	uint32_t at = 0, newlines = 1;
	*out = (struct events){0};
	wb_lines_init(&l, text, n, lex);
	for (enum wb_event e; (e = wb_lines_next(&l)) != WB_EVENT_END;) {
		check(l.at >= at && l.p <= l.end);
		at = l.at;
		wb_toks_push(&out->tok, (struct wb_tok){.text = l.at, .kind = (uint8_t)e, .aux = 1});
		if (e == WB_EVENT_DIRECTIVE)
			check(wb_tokens_lex(&out->tok, idents, l.clean.p ? l.clean.p : "", l.clean.n, lex, false));
	}
	for (size_t i = 0; i < n; i++)
		newlines += text[i] == '\n';
	check(l.line == newlines);
	out->doubt = l.doubt != WB_DOUBT_NONE;
	out->no_end = l.no_end;
	wb_lines_release(&l);
}

static void check_line_ends(const struct events *want, const char *text, size_t n, unsigned lex)
{
	struct events got;
	struct wb_buf b = WB_BUF_INIT;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n')
			wb_buf_addc(&b, '\r');
		wb_buf_addc(&b, text[i]);
	}
	wb_buf_addc(&b, '\0');
	read_events(&got, b.p, b.n - 1, lex);
	check(got.doubt == want->doubt && got.no_end == want->no_end);
	check(want->doubt || same_tokens(&want->tok, &got.tok));
	wb_toks_release(&got.tok);
	wb_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned runs;
	if (size < 2)
		return 0;
	/* Spellings stay: start anew before they fill the memory. */
	if (++runs % 50000 == 0) {
		wb_idents_free(idents);
		idents = NULL;
	}
	if (!idents)
		idents = wb_idents_new();
	unsigned lex = (data[0] | (unsigned)data[1] << 8) & WB_LEX_ALL;
	size_t n = size - 2;
	char *text = malloc(n + 1);
	memcpy(text, data + 2, n);
	text[n] = '\0';
	struct events e;
	struct wb_toks all = {0};
	read_events(&e, text, n, lex);
	/* A raw string keeps its line ends, and a literal without an end its last byte. */
	if (!memchr(text, '\r', n) && !((lex & WB_LEX_RAW_STRINGS) && memchr(text, '"', n)))
		check_line_ends(&e, text, n, lex);
	size_t line = strcspn(text, "\n");
	check(wb_tokens_lex(&all, idents, text, line, lex, false));
	check_spelling(&all, lex);
	wb_toks_release(&all);
	wb_toks_release(&e.tok);
	free(text);
	return 0;
}
