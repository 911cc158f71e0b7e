/* token.h — preprocessing tokens of one logical line: line splices are gone, comments are blanks. */
#ifndef WB_SCANNER_DIRECTIVES_TOKEN_H
#define WB_SCANNER_DIRECTIVES_TOKEN_H

#include "scanner/directives/ident.h"

#include <stdbool.h>

enum wb_tok_kind {
	WB_TOK_END,
	WB_TOK_IDENT,
	WB_TOK_NUMBER,
	WB_TOK_CHAR,
	WB_TOK_STRING,
	WB_TOK_HEADER, /* <x> or "x" behind #include or __has_include */
	WB_TOK_PUNCT,
	WB_TOK_OTHER,
	WB_TOK_VALUE, /* `text` is the number itself: the answer of a builtin */
	WB_TOK_EMPTY, /* an empty argument beside ## */
};

enum wb_tok_flag {
	WB_TOK_SPACE = 1, /* white space in front */
	WB_TOK_NOEXPAND = 2,
	WB_TOK_UNSURE = 4, /* compilers do not agree on the white space in front */
};

enum wb_punct {
	WB_P_OTHER, /* one that no condition may hold */
	WB_P_LPAREN,
	WB_P_RPAREN,
	WB_P_COMMA,
	WB_P_HASH,
	WB_P_HASHHASH,
	WB_P_ELLIPSIS,
	WB_P_PLUS,
	WB_P_MINUS,
	WB_P_STAR,
	WB_P_SLASH,
	WB_P_PERCENT,
	WB_P_LT,
	WB_P_GT,
	WB_P_LE,
	WB_P_GE,
	WB_P_EQ,
	WB_P_NE,
	WB_P_AND,
	WB_P_OR,
	WB_P_BITAND,
	WB_P_BITOR,
	WB_P_XOR,
	WB_P_NOT,
	WB_P_COMPL,
	WB_P_SHL,
	WB_P_SHR,
	WB_P_QUESTION,
	WB_P_COLON,
};

struct wb_tok {
	uint32_t text; /* ident.h */
	uint8_t kind, flags;
	uint16_t aux; /* PUNCT: enum wb_punct. IDENT in the body of a macro: the number of its parameter, from 1 */
};

/* How a file's language turns text into tokens. */
enum wb_lex_flag {
	WB_LEX_ASM = 1,
	WB_LEX_LINE_COMMENTS = 2,
	WB_LEX_RAW_STRINGS = 4,
	WB_LEX_DIGIT_SEPARATORS = 8,
	WB_LEX_DIGRAPHS = 16,
	WB_LEX_TRIGRAPHS = 32,
	WB_LEX_DOLLARS = 64,
	WB_LEX_MODULES = 128,       /* `import` and `module` mean something (C++20) */
	WB_LEX_U_PREFIXES = 256,    /* u"", U"", u8"" and their kin are one token */
	WB_LEX_U8_CHARACTERS = 512, /* so is u8'' */
	WB_LEX_UNICODE = 1024,      /* identifiers may have letters beyond ASCII */
	WB_LEX_ALL = 2047,
};

struct wb_toks {
	struct wb_tok *v;
	size_t n, cap;
};

void wb_toks_push(struct wb_toks *t, struct wb_tok tok);
void wb_toks_release(struct wb_toks *t);

bool wb_is_word_byte(unsigned char c, unsigned lex); /* may stand in an identifier */
/* Are the bytes of a word beyond ASCII letters that every version of every compiler takes for such? The standards have
 * changed their minds about the others. */
bool wb_is_plain_word(const char *p, size_t n, unsigned lex);

/* Append the tokens of `text` to `out`. `headers`: <x> behind "__has_include (" is one token. False: the table of
 * spellings is full. */
bool wb_tokens_lex(struct wb_toks *out, struct wb_idents *idents, const char *text, size_t n, unsigned lex,
		   bool headers);

#endif
