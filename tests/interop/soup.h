/* soup.h — random sources for the comparison of the directive engine with the compilers' preprocessors: directive soup
 * (programs of several files, whose includes tell what was true) and small cases of macros and conditions (whose
 * expansion tells). The same seed gives the same text. One thread. */
#ifndef WB_TESTS_INTEROP_SOUP_H
#define WB_TESTS_INTEROP_SOUP_H

#include "base/arena.h"
#include "base/str.h"

/* What the language that the text is for knows. */
enum soup_flag {
	SOUP_CXX = 1,
	SOUP_RAW_STRINGS = 2,
	SOUP_SEPARATORS = 4, /* 1'000 */
	SOUP_TRIGRAPHS = 8,
	SOUP_DIGRAPHS = 16,
	SOUP_LINE_COMMENTS = 32,
	SOUP_VA_OPT = 64,
	SOUP_CLANG = 128, /* clang alone will read it */
	SOUP_ASM = 256,
	SOUP_MUTATE = 512, /* some bytes are changed at random: most of such programs are wrong */
	SOUP_EMBED = 1024,
	SOUP_LEVELLESS = 2048, /* headers include later ones only, and do not look at how deep they are */
};

struct soup_random {
	uint64_t state;
};
struct soup_random soup_seed(uint64_t seed);
/* 0 .. n - 1 */
unsigned soup_below(struct soup_random *r, unsigned n);
/* true in `percent` of all calls */
bool soup_chance(struct soup_random *r, unsigned percent);

enum { SOUP_MAX_FILES = 24, SOUP_PROBES = 64 };

/* A file of a program; `link` is the target of a symbolic link, or NULL. */
struct soup_file {
	const char *name;
	struct wb_str text;
	const char *link;
};

/* file[0] is the source. Headers lie in a/, b/ and s/, which are to be searched in this order, and beside the source.
 * Probes include "yN.h" when their condition holds, "nN.h" when not (N < SOUP_PROBES): empty files in a/ that all
 * programs share. Every name begins with `prefix`. Memory in `a`. */
struct soup_program {
	struct soup_file file[SOUP_MAX_FILES];
	size_t nfile;
};
void soup_program(struct soup_program *out, struct wb_arena *a, uint64_t seed, unsigned flags, const char *prefix,
		  const char *suffix);

/* One case for -E: lines of #define, then either `tokens` to be expanded or a condition to be evaluated. Macros have
 * the names of soup_macro_names. */
struct soup_case {
	struct wb_str defines, tokens;
	bool condition;
};
extern const char *const soup_macro_names[];
extern const size_t soup_macro_count;
void soup_case(struct soup_case *out, struct wb_arena *a, uint64_t seed, unsigned flags);

/* For both: append a random condition; `depth` bounds it. */
struct soup_words {
	unsigned flags;
	bool names;    /* macros and `defined` may be in it */
	bool files;    /* __has_include may be in it: of the program `prefix` */
	bool argument; /* it is an argument of a macro */
	const char *prefix;
};
void soup_condition(struct wb_buf *out, struct soup_random *r, const struct soup_words *w, unsigned depth);

#endif
