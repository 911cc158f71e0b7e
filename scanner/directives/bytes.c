#include "scanner/directives/bytes.h"

#include <stdbool.h>
#include <string.h>

typedef unsigned char bytes16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

static inline bytes16 load(const char *p)
{
	bytes16 v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline bool any(bytes16 hits)
{
	words2 w = (words2)hits;
	return (w[0] | w[1]) != 0;
}

/* Where the first hit is, of bytes that are 0xff for a hit and 0 otherwise. */
static inline size_t first(bytes16 hits)
{
	words2 w = (words2)hits;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return w[0] ? (size_t)__builtin_clzll(w[0]) / 8 : 8 + (size_t)__builtin_clzll(w[1]) / 8;
#else
	return w[0] ? (size_t)__builtin_ctzll(w[0]) / 8 : 8 + (size_t)__builtin_ctzll(w[1]) / 8;
#endif
}

static inline bytes16 literal_or_comment(bytes16 v)
{
	return (bytes16)((v == '"') | (v == '\'') | (v == '/') | (v == '\\') | (v == 0));
}

const char *wb_bytes_special(const char *p, const char *end)
{
	for (; end - p >= 16; p += 16) {
		bytes16 v = load(p), hits = literal_or_comment(v) | (bytes16)((v == '#') | (v == '%'));
		if (any(hits))
			return p + first(hits);
	}
	while (p < end && *p != '"' && *p != '\'' && *p != '/' && *p != '\\' && *p != '\0' && *p != '#' && *p != '%')
		p++;
	return p;
}

const char *wb_bytes_stop(const char *p, const char *end)
{
	for (; end - p >= 16; p += 16) {
		bytes16 v = load(p), hits = literal_or_comment(v) | (bytes16)(v == '\n');
		if (any(hits))
			return p + first(hits);
	}
	while (p < end && *p != '"' && *p != '\'' && *p != '/' && *p != '\\' && *p != '\0' && *p != '\n')
		p++;
	return p;
}

/* Which word begins at p, of the `n` bytes there? */
static uint32_t word_at(const char *p, size_t n)
{
	static const struct {
		const char *text;
		uint32_t word;
	} row[] = {{"_Pragma", WB_TEXT_PRAGMA},    {"_DATE__", WB_TEXT_TIME},    {"_TIME__", WB_TEXT_TIME},
		   {"_TIMESTAMP__", WB_TEXT_TIME}, {"_macro", WB_TEXT_MACRO},    {"_alias", WB_TEXT_MACRO},
		   {"cbin", WB_TEXT_INCBIN},       {".include", WB_TEXT_INCLUDE}};
	uint32_t words = 0;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		size_t len = strlen(row[i].text);
		if (len <= n && memcmp(p, row[i].text, len) == 0)
			words |= row[i].word;
	}
	return words;
}

uint32_t wb_text_words(const char *text, size_t n)
{
	uint32_t words = 0;
	size_t i = 0;
	/* The first three bytes of the rows above, or two. */
	for (; n - i >= 18; i += 16) {
		bytes16 a = load(text + i), b = load(text + i + 1), c = load(text + i + 2);
		bytes16 hits = (bytes16)((a == '_') & (((b == 'P') & (c == 'r')) | ((b == 'D') & (c == 'A')) |
						       ((b == 'T') & (c == 'I')) | ((b == 'm') & (c == 'a')) |
						       ((b == 'a') & (c == 'l')))) |
			       (bytes16)(((a == 'c') & (b == 'b')) | ((a == '.') & (b == 'i') & (c == 'n')));
		while (any(hits)) {
			size_t k = first(hits);
			hits[k] = 0;
			words |= word_at(text + i + k, n - i - k);
		}
	}
	for (; i < n; i++)
		words |= word_at(text + i, n - i);
	return words;
}
