#include "scanner/response_file.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "base/path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAX_DEPTH = 32,
	MAX_WORDS = 100000,
	MAX_BYTES = 16 << 20,
};

struct expansion {
	struct wb_argv *out, *files;
	struct wb_arena *a;
	const char *cwd;
	enum wb_response_style style;
	size_t words, bytes;
	struct wb_err *err;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* LLVM's isWhitespace knows no vertical tab and no form feed. */
static bool separates(enum wb_response_style style, char c)
{
	return is_space(c) && (style == WB_RESPONSE_LIBIBERTY || (c != '\v' && c != '\f'));
}

/* What is left of a response file; words are cut in place, so `end` is writable and holds a NUL. */
struct cursor {
	char *p, *end;
};

/* Cut the next word; NULL at the end. Quotes and backslashes as in libiberty's buildargv and LLVM's
 * cl::TokenizeGNUCommandLine: a backslash takes the next byte as it is, also inside either kind of quote. */
static char *next_word(struct cursor *c, enum wb_response_style style)
{
	while (c->p < c->end) {
		if (separates(style, *c->p)) {
			c->p++;
			continue;
		}
		char *word = c->p, *to = word, quote = 0;
		for (; c->p < c->end; c->p++) {
			char ch = *c->p;
			if (ch == '\\') {
				if (c->p + 1 < c->end)
					*to++ = *++c->p;
				else if (style == WB_RESPONSE_LLVM)
					*to++ = ch;
			} else if (quote) {
				if (ch == quote)
					quote = 0;
				else
					*to++ = ch;
			} else if (ch == '\'' || ch == '"') {
				quote = ch;
			} else if (separates(style, ch)) {
				break;
			} else {
				*to++ = ch;
			}
		}
		if (c->p < c->end)
			c->p++; /* the separator: the word's NUL may go there */
		*to = '\0';
		if (to > word || style == WB_RESPONSE_LIBIBERTY)
			return word; /* LLVM has no empty words */
	}
	return NULL;
}

static wb_status add_word(struct expansion *x, const char *word, unsigned depth);

static wb_status add_file(struct expansion *x, const char *path, const char *name, unsigned depth)
{
	if (depth >= MAX_DEPTH)
		return wb_fail(x->err, WB_ELIMIT, "%s: response files nested deeper than %d", name, MAX_DEPTH);
	char *data;
	size_t n;
	WB_TRY(wb_file_read(&data, &n, x->a, path, MAX_BYTES, x->err));
	x->bytes += n;
	if (x->bytes > MAX_BYTES)
		return wb_fail(x->err, WB_ELIMIT, "%s: response files larger than %d bytes", name, MAX_BYTES);
	if (memchr(data, '\0', n))
		return wb_fail(x->err, WB_EINVAL, "%s: a NUL byte in a response file", name);
	wb_argv_push(x->files, x->a, path);

	struct cursor c = {data, data + n};
	if (x->style == WB_RESPONSE_LLVM && n >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		c.p += 3;
	for (const char *word; (word = next_word(&c, x->style));)
		WB_TRY(add_word(x, word, depth + 1));
	return wb_ok();
}

static wb_status add_word(struct expansion *x, const char *word, unsigned depth)
{
	if (word[0] == '@' && word[1]) {
		const char *path = wb_path_join(x->a, x->cwd, word + 1);
		struct stat st;
		if (stat(path, &st) == 0) {
			if (S_ISDIR(st.st_mode))
				return wb_fail(x->err, WB_EINVAL, "%s: is a directory", word);
			if (!S_ISREG(st.st_mode))
				return wb_fail(x->err, WB_EINVAL, "%s: not a regular file", word);
			if (access(path, R_OK) == 0)
				return add_file(x, path, word, depth);
		}
	}
	if (++x->words > MAX_WORDS)
		return wb_fail(x->err, WB_ELIMIT, "more than %d words on a command line", MAX_WORDS);
	wb_argv_push(x->out, x->a, word);
	return wb_ok();
}

wb_status wb_response_expand_as(struct wb_argv *out, struct wb_argv *files, struct wb_arena *a, const char *const *argv,
				const char *cwd, enum wb_response_style style, struct wb_err *err)
{
	struct expansion x = {.out = out, .files = files, .a = a, .cwd = cwd, .style = style, .err = err};
	if (argv[0])
		wb_argv_push(out, a, argv[0]); /* the program's own name is never expanded */
	for (size_t i = 1; argv[0] && argv[i]; i++)
		WB_TRY(add_word(&x, argv[i], 0));
	return wb_ok();
}

wb_status wb_response_expand(struct wb_argv *out, struct wb_argv *files, struct wb_arena *a, const char *const *argv,
			     const char *cwd, struct wb_err *err)
{
	return wb_response_expand_as(out, files, a, argv, cwd, WB_RESPONSE_LIBIBERTY, err);
}
