#include "scanner/directives/token.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

void wb_toks_push(struct wb_toks *t, struct wb_tok tok)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->v = wb_xrealloc(t->v, t->cap * sizeof *t->v);
	}
	t->v[t->n++] = tok;
}

void wb_toks_release(struct wb_toks *t)
{
	free(t->v);
	*t = (struct wb_toks){0};
}

bool wb_is_word_byte(unsigned char c, unsigned lex)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80 ||
	       (c == '$' && (lex & WB_LEX_DOLLARS));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Longest first within one first character. */
static const struct {
	char text[5];
	uint8_t n, code;
} punctuators[] = {
    {"...", 3, WB_P_ELLIPSIS}, {"->*", 3, WB_P_OTHER},  {"->", 2, WB_P_OTHER},  {"--", 2, WB_P_OTHER},
    {"-=", 2, WB_P_OTHER},     {"++", 2, WB_P_OTHER},   {"+=", 2, WB_P_OTHER},  {"*=", 2, WB_P_OTHER},
    {"/=", 2, WB_P_OTHER},     {"%=", 2, WB_P_OTHER},   {"<<=", 3, WB_P_OTHER}, {">>=", 3, WB_P_OTHER},
    {"<=", 2, WB_P_LE},        {">=", 2, WB_P_GE},      {"<<", 2, WB_P_SHL},    {">>", 2, WB_P_SHR},
    {"==", 2, WB_P_EQ},        {"!=", 2, WB_P_NE},      {"&&", 2, WB_P_AND},    {"||", 2, WB_P_OR},
    {"&=", 2, WB_P_OTHER},     {"|=", 2, WB_P_OTHER},   {"^=", 2, WB_P_OTHER},  {"##", 2, WB_P_HASHHASH},
    {"::", 2, WB_P_OTHER},     {"(", 1, WB_P_LPAREN},   {")", 1, WB_P_RPAREN},  {",", 1, WB_P_COMMA},
    {"#", 1, WB_P_HASH},       {"+", 1, WB_P_PLUS},     {"-", 1, WB_P_MINUS},   {"*", 1, WB_P_STAR},
    {"/", 1, WB_P_SLASH},      {"%", 1, WB_P_PERCENT},  {"<", 1, WB_P_LT},      {">", 1, WB_P_GT},
    {"&", 1, WB_P_BITAND},     {"|", 1, WB_P_BITOR},    {"^", 1, WB_P_XOR},     {"!", 1, WB_P_NOT},
    {"~", 1, WB_P_COMPL},      {"?", 1, WB_P_QUESTION}, {":", 1, WB_P_COLON},   {"[", 1, WB_P_OTHER},
    {"]", 1, WB_P_OTHER},      {"{", 1, WB_P_OTHER},    {"}", 1, WB_P_OTHER},   {".", 1, WB_P_OTHER},
    {";", 1, WB_P_OTHER},      {"=", 1, WB_P_OTHER},
};
/* Digraphs that matter here: the others ("<:" and so on) have no place in a condition either way. */
static const struct {
	char text[5];
	uint8_t n, code;
} digraphs[] = {{"%:%:", 4, WB_P_HASHHASH}, {"%:", 2, WB_P_HASH},  {"<:", 2, WB_P_OTHER},
		{":>", 2, WB_P_OTHER},      {"<%", 2, WB_P_OTHER}, {"%>", 2, WB_P_OTHER}};

static uint8_t punctuator(const char *p, size_t n, unsigned lex, uint16_t *code)
{
	if ((lex & WB_LEX_DIGRAPHS) && (*p == '%' || *p == '<' || *p == ':'))
		for (size_t i = 0; i < sizeof digraphs / sizeof *digraphs; i++)
			if (digraphs[i].n <= n && memcmp(p, digraphs[i].text, digraphs[i].n) == 0) {
				*code = digraphs[i].code;
				return digraphs[i].n;
			}
	for (size_t i = 0; i < sizeof punctuators / sizeof *punctuators; i++)
		if (punctuators[i].text[0] == *p && punctuators[i].n <= n &&
		    memcmp(p, punctuators[i].text, punctuators[i].n) == 0) {
			*code = punctuators[i].code;
			return punctuators[i].n;
		}
	return 0;
}

/* Length of a pp-number. */
static size_t number_length(const char *p, size_t n, unsigned lex)
{
	size_t i = 1;
	for (; i < n; i++) {
		if ((p[i] == '+' || p[i] == '-') && strchr("eEpP", p[i - 1]))
			continue;
		if (p[i] == '\'' && (lex & WB_LEX_DIGIT_SEPARATORS) && i + 1 < n &&
		    wb_is_word_byte((unsigned char)p[i + 1], 0))
			continue;
		if (p[i] != '.' && !wb_is_word_byte((unsigned char)p[i], lex))
			break;
	}
	return i;
}

/* Length of a literal that starts at p[i] with a quote, from p[0]; 0 when it has no end. */
static size_t quoted_length(const char *p, size_t n, size_t i)
{
	char quote = p[i++];
	for (; i < n; i++) {
		if (p[i] == '\\')
			i++;
		else if (p[i] == quote)
			return i + 1;
	}
	return 0;
}

/* Length of R"delim(...)delim" with the quote at p[i]; 0 when it is none. */
static size_t raw_length(const char *p, size_t n, size_t i)
{
	const char *delimiter = p + i + 1;
	size_t len = 0;
	while (i + 1 + len < n && delimiter[len] != '(')
		if (++len > 16)
			return 0;
	for (size_t k = i + 1 + len; k + len + 1 < n; k++)
		if (p[k] == ')' && memcmp(p + k + 1, delimiter, len) == 0 && p[k + 1 + len] == '"')
			return k + len + 2;
	return 0;
}

static bool is_prefix(const char *p, size_t n, bool *raw)
{
	static const char *const prefix[] = {"L", "u", "U", "u8", "R", "LR", "uR", "UR", "u8R"};
	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++)
		if (strlen(prefix[i]) == n && memcmp(prefix[i], p, n) == 0) {
			*raw = i >= 4;
			return true;
		}
	return false;
}

/* Is what was lexed so far "... __has_include (" ? */
static bool opens_header(const struct wb_toks *t, size_t first)
{
	if (t->n < first + 2 || t->v[t->n - 1].kind != WB_TOK_PUNCT || t->v[t->n - 1].aux != WB_P_LPAREN)
		return false;
	const struct wb_tok *name = &t->v[t->n - 2];
	return name->kind == WB_TOK_IDENT &&
	       (name->text == WB_WORD_HAS_INCLUDE || name->text == WB_WORD_HAS_INCLUDE_NEXT ||
		name->text == WB_WORD_HAS_EMBED);
}

/* The kind and length of the token at p. */
static uint8_t one(const char *p, size_t n, unsigned lex, size_t *length, uint16_t *aux)
{
	*aux = 0;
	if (is_digit(*p) || (*p == '.' && n > 1 && is_digit(p[1]))) {
		*length = number_length(p, n, lex);
		return WB_TOK_NUMBER;
	}
	size_t word = 0;
	while (word < n && wb_is_word_byte((unsigned char)p[word], lex))
		word++;
	if (word < n && (p[word] == '"' || p[word] == '\'')) {
		bool raw = false;
		if (word == 0 || (word <= 3 && is_prefix(p, word, &raw) && (!raw || p[word] == '"'))) {
			raw = raw && (lex & WB_LEX_RAW_STRINGS);
			/* Without raw strings, "R" is a word of its own. */
			bool splits = word > 0 && p[word - 1] == 'R' && !raw;
			size_t quoted = splits ? 0 : raw ? raw_length(p, n, word) : quoted_length(p, n, word);
			if (quoted) {
				*length = quoted;
				return p[word] == '"' ? WB_TOK_STRING : WB_TOK_CHAR;
			}
			if (!splits) {
				*length = n; /* no end: the rest of the line */
				return WB_TOK_OTHER;
			}
		}
	}
	if (word) {
		*length = word;
		return WB_TOK_IDENT;
	}
	uint8_t punct = punctuator(p, n, lex, aux);
	*length = punct ? punct : 1;
	return punct ? WB_TOK_PUNCT : WB_TOK_OTHER;
}

bool wb_tokens_lex(struct wb_toks *out, struct wb_idents *idents, const char *text, size_t n, unsigned lex,
		   bool headers)
{
	size_t first = out->n;
	bool space = false;
	for (size_t i = 0; i < n;) {
		char c = text[i];
		if (c == ' ' || (c >= '\t' && c <= '\r') || c == '\0') {
			space = true;
			i++;
			continue;
		}
		size_t length;
		uint16_t aux;
		uint8_t kind = one(text + i, n - i, lex, &length, &aux);
		if (headers && c == '<' && opens_header(out, first)) {
			const char *end = memchr(text + i, '>', n - i);
			if (end) {
				length = (size_t)(end - text) - i + 1;
				kind = WB_TOK_HEADER;
			}
		}
		uint32_t id = wb_ident_put(idents, text + i, length);
		if (id == 0)
			return false;
		wb_toks_push(out, (struct wb_tok){id, kind, space ? WB_TOK_SPACE : 0, aux});
		space = false;
		i += length;
	}
	return true;
}
