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

/* Cut the next word off `s`; false at the end. Quotes and backslashes as in libiberty's buildargv and
 * llvm::cl::TokenizeGNUCommandLine: a backslash takes the next byte as it is, also inside either kind of quote. */
static bool next_word(struct wb_str *s, char **word, struct wb_arena *a, enum wb_response_style style)
{
	for (;;) {
		size_t i = 0;
		while (i < s->n && separates(style, s->p[i]))
			i++;
		s->p += i;
		s->n -= i;
		if (s->n == 0)
			return false;

		char *w = wb_arena_alloc(a, s->n + 1);
		size_t n = 0;
		char quote = 0;
		for (i = 0; i < s->n; i++) {
			char c = s->p[i];
			if (c == '\\') {
				if (i + 1 < s->n)
					w[n++] = s->p[++i];
				else if (style == WB_RESPONSE_LLVM && !quote)
					w[n++] = c;
			} else if (quote) {
				if (c == quote)
					quote = 0;
				else
					w[n++] = c;
			} else if (c == '\'' || c == '"') {
				quote = c;
			} else if (separates(style, c)) {
				break;
			} else {
				w[n++] = c;
			}
		}
		s->p += i;
		s->n -= i;
		if (n == 0 && style == WB_RESPONSE_LLVM)
			continue; /* LLVM has no empty words */
		w[n] = '\0';
		*word = w;
		return true;
	}
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

	struct wb_str rest = {data, n};
	if (x->style == WB_RESPONSE_LLVM && n >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		rest = (struct wb_str){data + 3, n - 3};
	char *word;
	while (next_word(&rest, &word, x->a, x->style))
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
