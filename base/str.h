/* str.h — slices (not NUL-terminated), a growing byte buffer, and a growing argument vector. */
#ifndef WB_BASE_STR_H
#define WB_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wb_arena;

struct wb_str {
	const char *p;
	size_t n;
};

static inline struct wb_str wb_str_of(const char *s)
{
	return (struct wb_str){s, strlen(s)};
}
static inline bool wb_str_eq(struct wb_str a, struct wb_str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool wb_starts_with(const char *s, const char *prefix);
bool wb_ends_with(const char *s, const char *suffix);
/* Cut the next line (without its '\n') off `rest`; false at the end. */
bool wb_str_line(struct wb_str *rest, struct wb_str *line);
struct wb_str wb_str_trim(struct wb_str s);
/* Cut `text` off the front of `s`; false when `s` does not begin with it. */
bool wb_str_take(struct wb_str *s, const char *text);

/* A growing byte buffer on the heap; `p` is always NUL-terminated once something was added. */
struct wb_buf {
	char *p;
	size_t n, cap;
};
#define WB_BUF_INIT {NULL, 0, 0}
void wb_buf_release(struct wb_buf *b);
void wb_buf_reset(struct wb_buf *b);
void wb_buf_reserve(struct wb_buf *b, size_t more);
void wb_buf_add(struct wb_buf *b, const void *p, size_t n);
void wb_buf_adds(struct wb_buf *b, const char *s);
void wb_buf_addc(struct wb_buf *b, char c);
void wb_buf_addf(struct wb_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Append `s` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
void wb_buf_add_json(struct wb_buf *b, const char *s, size_t n);
/* Append `s` quoted for a POSIX shell, bare where no quoting is needed. */
void wb_buf_add_shell(struct wb_buf *b, const char *s);

/* A growing argument vector in an arena; `v[n]` is always NULL once something was pushed. Strings are borrowed. */
struct wb_argv {
	const char **v;
	size_t n, cap;
};
void wb_argv_push(struct wb_argv *v, struct wb_arena *a, const char *s);
void wb_argv_pushf(struct wb_argv *v, struct wb_arena *a, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
