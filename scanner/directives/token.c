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

/* Ranges of letters that the tables of C99, C11, C++ and Unicode (XID) have in common. */
static const struct {
	uint32_t from, to;
} letters[] = {{0xc0, 0xd6},   {0xd8, 0xf6},     {0xf8, 0x1f5},    {0x391, 0x3a1},   {0x3a3, 0x3c9},
	       {0x410, 0x44f}, {0x3041, 0x3093}, {0x30a1, 0x30f6}, {0x4e00, 0x9fa5}, {0xac00, 0xd7a3}};

bool wb_is_plain_word(const char *p, size_t n, unsigned lex)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];
		if (c < 0x80)
			continue;
		/* U+00C0 to U+D7A3 are two or three bytes. */
		size_t more = (c & 0xe0) == 0xc0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : 0;
		uint32_t code = c & (more == 1 ? 0x1f : 0x0f);
		if (!(lex & WB_LEX_UNICODE) || more == 0 || i + more >= n)
			return false;
		for (; more; more--) {
			c = (unsigned char)p[++i];
			if ((c & 0xc0) != 0x80)
				return false;
			code = code << 6 | (c & 0x3f);
		}
		bool known = false;
		for (size_t k = 0; k < sizeof letters / sizeof *letters; k++)
			known = known || (code >= letters[k].from && code <= letters[k].to);
		if (!known)
			return false;
	}
	return true;
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
		if (p[i] == '\'' && (lex & WB_LEX_DIGIT_SEPARATORS) && i + 1 < n && (unsigned char)p[i + 1] < 0x80 &&
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

static bool is_prefix(const char *p, size_t n, char quote, unsigned lex, bool *raw)
{
	static const struct {
		const char *text;
		unsigned needs;
	} prefix[] = {{"L", 0},
		      {"u", WB_LEX_U_PREFIXES},
		      {"U", WB_LEX_U_PREFIXES},
		      {"u8", WB_LEX_U_PREFIXES},
		      {"R", WB_LEX_RAW_STRINGS},
		      {"LR", WB_LEX_RAW_STRINGS},
		      {"uR", WB_LEX_RAW_STRINGS | WB_LEX_U_PREFIXES},
		      {"UR", WB_LEX_RAW_STRINGS | WB_LEX_U_PREFIXES},
		      {"u8R", WB_LEX_RAW_STRINGS | WB_LEX_U_PREFIXES}};
	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
		if (strlen(prefix[i].text) != n || memcmp(prefix[i].text, p, n) != 0)
			continue;
		*raw = i >= 4;
		if (quote == '\'' && (*raw || (i == 3 && !(lex & WB_LEX_U8_CHARACTERS))))
			return false;
		return (lex & prefix[i].needs) == prefix[i].needs;
	}
	return false;
}

/* Length of the universal character name (or what may be one) and the rest of the word, or number, at the backslash p.
 */
static size_t universal_length(const char *p, size_t n, unsigned lex)
{
	if (n < 2 || *p != '\\' || (p[1] != 'u' && p[1] != 'U' && p[1] != 'N'))
		return 0;
	size_t i = 1;
	while (i < n && (wb_is_word_byte((unsigned char)p[i], lex) || p[i] == '{' || p[i] == '}' ||
			 (p[i] == '\\' && i + 1 < n && strchr("uUN", p[i + 1]) && p[i + 1])))
		i++;
	return i;
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
	size_t universal;
	if (is_digit(*p) || (*p == '.' && n > 1 && is_digit(p[1]))) {
		*length = number_length(p, n, lex);
		universal = universal_length(p + *length, n - *length, lex);
		*length += universal;
		return universal ? WB_TOK_OTHER : WB_TOK_NUMBER;
	}
	size_t word = 0;
	bool raw = false;
	while (word < n && wb_is_word_byte((unsigned char)p[word], lex))
		word++;
	if (word < n && (p[word] == '"' || p[word] == '\'') &&
	    (word == 0 || (word <= 3 && is_prefix(p, word, p[word], lex, &raw)))) {
		size_t quoted = raw ? raw_length(p, n, word) : quoted_length(p, n, word);
		*length = quoted ? quoted : n; /* no end: the rest of the line */
		return !quoted ? WB_TOK_OTHER : p[word] == '"' ? WB_TOK_STRING : WB_TOK_CHAR;
	}
	universal = universal_length(p + word, n - word, lex);
	if (word || universal) {
		*length = word + universal;
		return universal || !wb_is_plain_word(p, word, lex) ? WB_TOK_OTHER : WB_TOK_IDENT;
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
