#include "base/str.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool wb_starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool wb_ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);
	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool wb_str_line(struct wb_str *rest, struct wb_str *line)
{
	if (rest->n == 0)
		return false;
	const char *end = memchr(rest->p, '\n', rest->n);
	line->p = rest->p;
	line->n = end == NULL ? rest->n : (size_t)(end - rest->p);
	size_t cut = end == NULL ? line->n : line->n + 1;
	rest->p += cut;
	rest->n -= cut;
	return true;
}

/* The C locale's white space; isspace() would ask the process's locale. */
static bool blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool wb_str_take(struct wb_str *s, const char *text)
{
	size_t n = strlen(text);
	if (s->n < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	s->n -= n;
	return true;
}

struct wb_str wb_str_trim(struct wb_str s)
{
	while (s.n > 0 && blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

void wb_buf_release(struct wb_buf *b)
{
	free(b->p);
	*b = (struct wb_buf)WB_BUF_INIT;
}

void wb_buf_reset(struct wb_buf *b)
{
	b->n = 0;
	if (b->p != NULL)
		b->p[0] = '\0';
}

void wb_buf_reserve(struct wb_buf *b, size_t more)
{
	if (b->cap > b->n && b->cap - b->n > more)
		return;
	size_t need;
	if (__builtin_add_overflow(b->n, more, &need) || need == SIZE_MAX)
		need = SIZE_MAX - 1; /* wb_xrealloc ends the process */
	need++;
	size_t cap = b->cap < 64 ? 64 : b->cap;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
	b->p = wb_xrealloc(b->p, cap);
	b->cap = cap;
	b->p[b->n] = '\0';
}

void wb_buf_add(struct wb_buf *b, const void *p, size_t n)
{
	wb_buf_reserve(b, n);
	if (n > 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void wb_buf_adds(struct wb_buf *b, const char *s)
{
	wb_buf_add(b, s, strlen(s));
}

void wb_buf_addc(struct wb_buf *b, char c)
{
	wb_buf_add(b, &c, 1);
}

void wb_buf_addf(struct wb_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	wb_buf_reserve(b, 64);
	int n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
	if (n >= 0 && (size_t)n >= b->cap - b->n) {
		wb_buf_reserve(b, (size_t)n);
		vsnprintf(b->p + b->n, b->cap - b->n, fmt, again);
	}
	if (n > 0)
		b->n += (size_t)n;
	b->p[b->n] = '\0';
	va_end(again);
	va_end(ap);
}

/* Bytes of the well-formed UTF-8 sequence at `s` (Unicode 15, table 3-7), 0 when there is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	unsigned char c = s[0], low = 0x80, high = 0xbf;
	size_t len;
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf) {
		len = 2;
	} else if (c >= 0xe0 && c <= 0xef) {
		len = 3;
		low = c == 0xe0 ? 0xa0 : low;
		high = c == 0xed ? 0x9f : high;
	} else if (c >= 0xf0 && c <= 0xf4) {
		len = 4;
		low = c == 0xf0 ? 0x90 : low;
		high = c == 0xf4 ? 0x8f : high;
	} else {
		return 0;
	}
	if (n < len || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

void wb_buf_add_json(struct wb_buf *b, const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	wb_buf_reserve(b, n + 2);
	wb_buf_addc(b, '"');
	for (size_t i = 0; i < n;) {
		unsigned char c = u[i];
		size_t len = utf8_length(u + i, n - i);
		if (c == '"' || c == '\\') {
			wb_buf_addc(b, '\\');
			wb_buf_addc(b, (char)c);
		} else if (c == '\n') {
			wb_buf_adds(b, "\\n");
		} else if (c == '\t') {
			wb_buf_adds(b, "\\t");
		} else if (c < 0x20) {
			wb_buf_addf(b, "\\u%04x", c);
		} else if (len == 0) {
			wb_buf_adds(b, "\xef\xbf\xbd"); /* U+FFFD */
			len = 1;
		} else {
			wb_buf_add(b, s + i, len);
		}
		i += len;
	}
	wb_buf_addc(b, '"');
}

void wb_buf_add_shell(struct wb_buf *b, const char *s)
{
	static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
	if (s[0] != '\0' && s[strspn(s, bare)] == '\0') {
		wb_buf_adds(b, s);
		return;
	}
	wb_buf_addc(b, '\'');
	for (; *s != '\0'; s++) {
		if (*s == '\'')
			wb_buf_adds(b, "'\\''");
		else
			wb_buf_addc(b, *s);
	}
	wb_buf_addc(b, '\'');
}

void wb_argv_push(struct wb_argv *v, struct wb_arena *a, const char *s)
{
	wb_arena_grow(a, &v->v, v->n + 1, &v->cap, sizeof *v->v); /* + 1: room for the NULL behind it */
	v->v[v->n++] = s;
	v->v[v->n] = NULL;
}

void wb_argv_pushf(struct wb_argv *v, struct wb_arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *s = wb_arena_vprintf(a, fmt, ap);
	va_end(ap);
	wb_argv_push(v, a, s);
}
