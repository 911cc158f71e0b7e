#define _GNU_SOURCE /* memmem */
#include "scanner/directives/words.h"

#include "scanner/directives/bytes.h"
#include "scanner/directives/program.h"

#include <string.h>

static bool is_whole_word(const char *text, size_t n, const char *at, size_t len)
{
	bool before = at > text && wb_is_word_byte((unsigned char)at[-1], 0);
	return !before && (at + len == text + n || !wb_is_word_byte((unsigned char)at[len], 0));
}

/* The text behind the next whole word `word` from *at, blanks skipped; n = 0, p = NULL when there is none. */
static struct wb_str behind_word(const char *text, size_t n, const char **at, const char *word)
{
	size_t len = strlen(word);
	const char *end = text + n;
	while ((*at = memmem(*at, (size_t)(end - *at), word, len)) != NULL) {
		const char *p = *at;
		*at += len;
		if (!is_whole_word(text, n, p, len))
			continue;
		struct wb_str rest = {p + len, (size_t)(end - p) - len};
		while (rest.n && (*rest.p == ' ' || *rest.p == '\t'))
			rest.p++, rest.n--;
		return rest;
	}
	return (struct wb_str){NULL, 0};
}

/* Does "pragma" stand in front of the word at `at`? Then a directive, a comment or a message names a pragma; an operand
 * of _Pragma starts with the pragma's own name. */
static bool behind_pragma(const char *text, const char *at)
{
	static const char word[] = "pragma";
	while (at > text && (at[-1] == ' ' || at[-1] == '\t'))
		at--;
	const size_t n = sizeof word - 1;
	if ((size_t)(at - text) < n || memcmp(at - n, word, n) != 0)
		return false;
	return at - n == text || !wb_is_word_byte((unsigned char)at[-(ptrdiff_t)n - 1], 0);
}

/* Operands of the pragmas that change macros, wherever they may be: in text, in macros. */
unsigned wb_words_macro_pragmas(const char *text, size_t n)
{
	static const char *const word[] = {"push_macro", "pop_macro", "include_alias"};
	unsigned found = 0;
	struct wb_str rest;
	for (size_t i = 0; i < 3; i++)
		for (const char *at = text; (rest = behind_word(text, n, &at, word[i])).p;)
			found += wb_str_take(&rest, "(") && !behind_pragma(text, at - strlen(word[i]));
	return found;
}

/* _Pragma operators that change more than tokens. */
static uint32_t pragma_operators(const char *text, size_t n, uint32_t words)
{
	uint32_t flags = 0;
	struct wb_str rest;
	if (!(words & WB_TEXT_PRAGMA))
		return 0;
	for (const char *at = text; (rest = behind_word(text, n, &at, "_Pragma")).p;) {
		while (rest.n && strchr(" \t(\"", *rest.p))
			rest.p++, rest.n--;
		if (wb_str_take(&rest, "once"))
			flags |= WB_PROGRAM_EVERY_TOKEN;
	}
	for (const char *at = text; (rest = behind_word(text, n, &at, "GCC")).p;) {
		if (behind_pragma(text, at - strlen("GCC")))
			continue;
		if (wb_str_take(&rest, "dependency"))
			flags |= WB_PROGRAM_DEPENDENCY;
		else if (wb_str_take(&rest, "push_options") || wb_str_take(&rest, "pop_options") ||
			 wb_str_take(&rest, "reset_options") || wb_str_take(&rest, "target") ||
			 wb_str_take(&rest, "optimize"))
			flags |= WB_PROGRAM_TARGET;
	}
	return flags;
}

uint32_t wb_words_flags(const char *text, size_t n, uint32_t words)
{
	uint32_t flags = pragma_operators(text, n, words);
	for (const char *at = text; (words & WB_TEXT_INCBIN) && behind_word(text, n, &at, "incbin").p;)
		flags |= WB_PROGRAM_INCBIN;
	if (!(words & WB_TEXT_INCLUDE))
		return flags;
	struct wb_str rest;
	for (const char *at = text; (rest = behind_word(text, n, &at, "include")).p;) {
		if (at - 7 == text || at[-8] != '.')
			continue;
		flags |= WB_PROGRAM_ASM_INCLUDE;
		if (rest.n >= 2 && rest.p[0] == '\\' && rest.p[1] == '"') /* asm(".include \"x\"") */
			flags |= WB_PROGRAM_INCBIN;
	}
	return flags;
}
