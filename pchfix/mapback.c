#define _GNU_SOURCE /* memmem */
#include "pchfix/mapback.h"

#include "pchfix/recipe.h"

#include <string.h>

#define ANCHOR     WB_RECIPE_CWD "/"
#define ANCHOR_LEN (sizeof ANCHOR - 1)
#define PATH_MOST  4096

static struct wb_str cut(struct wb_str s, size_t n)
{
	return (struct wb_str){s.p + n, s.n - n};
}

static bool starts(struct wb_str s, const char *prefix, size_t n)
{
	return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

/* --- the table --- */

static int compare(struct wb_str key, const char *from)
{
	int c = strncmp(key.p, from, key.n);
	return c != 0 ? c : from[key.n] == '\0' ? 0 : -1;
}

static const char *table_find(const struct wb_mapback *m, struct wb_str path)
{
	size_t lo = 0, hi = m->npath;
	while (lo < hi && memchr(path.p, '\0', path.n) == NULL) {
		size_t mid = lo + (hi - lo) / 2;
		int c = compare(path, m->path[mid].from);
		if (c == 0)
			return m->path[mid].to;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/* `path` without the ways to say "here". */
static struct wb_str strip(struct wb_str path)
{
	while (path.n > ANCHOR_LEN && starts(path, ANCHOR, ANCHOR_LEN))
		path = cut(path, ANCHOR_LEN);
	while (path.n > 2 && starts(path, "./", 2))
		path = cut(path, 2);
	return path;
}

/* What the original command would have written for `path`: `head`, then `rest` (a part of `path`). */
struct mapped {
	const char *head;
	struct wb_str rest;
};

/* False: nothing changes. */
static bool map_path(struct mapped *out, const struct wb_mapback *m, struct wb_str path)
{
	struct wb_str plain = strip(path);
	*out = (struct mapped){table_find(m, plain), {"", 0}};
	if (out->head != NULL)
		return compare(path, out->head) != 0;
	for (size_t i = 0; i < m->nprefix; i++) {
		size_t n = strlen(m->prefix[i].from);
		if (starts(plain, m->prefix[i].from, n)) {
			*out = (struct mapped){m->prefix[i].to, cut(plain, n)};
			return true;
		}
	}
	*out = (struct mapped){"", plain};
	return path.n > ANCHOR_LEN && starts(path, ANCHOR, ANCHOR_LEN);
}

/* --- depfiles --- */

/* The file name that `word` stands for: a blank is preceded by an odd number of backslashes, of which half are the
 * name's. */
static void unescape(struct wb_buf *out, struct wb_str word)
{
	wb_buf_reset(out);
	for (size_t i = 0; i < word.n; i++) {
		size_t k = 0;
		while (i + k < word.n && word.p[i + k] == '\\')
			k++;
		char next = i + k < word.n ? word.p[i + k] : '\0';
		if (k > 0 && (next == ' ' || next == '\t')) {
			for (size_t j = 0; j < k / 2; j++)
				wb_buf_addc(out, '\\');
			wb_buf_addc(out, next);
			i += k;
		} else if (k > 0) {
			size_t keep = next == '#' ? k - 1 : k;
			wb_buf_add(out, word.p + i, keep);
			i += k - 1;
		} else {
			wb_buf_addc(out, next);
			i += next == '$' && i + 1 < word.n && word.p[i + 1] == '$';
		}
	}
}

static void escape(struct wb_buf *out, struct wb_str name)
{
	size_t slashes = 0;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (c == ' ' || c == '\t')
			for (; slashes > 0; slashes--)
				wb_buf_addc(out, '\\');
		if (c == ' ' || c == '\t' || c == '#')
			wb_buf_addc(out, '\\');
		else if (c == '$')
			wb_buf_addc(out, '$');
		slashes = c == '\\' ? slashes + 1 : 0;
		wb_buf_addc(out, c);
	}
}

static bool is_newline(const char *text, size_t i, size_t n)
{
	return i < n && (text[i] == '\n' || (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n'));
}

/* The end of the word at text[i]: white space that no backslash protects, or a continuation. */
static size_t word_end(const char *text, size_t i, size_t n)
{
	for (; i < n; i++) {
		char c = text[i];
		if (c == ' ' || c == '\t' || is_newline(text, i, n))
			return i;
		if (c != '\\')
			continue;
		if (is_newline(text, i + 1, n))
			return i;
		if (i + 1 < n && !is_newline(text, i + 1, n))
			i++; /* whatever it is, it is protected */
	}
	return n;
}

static void add_word(struct wb_buf *out, struct wb_buf *name, const struct wb_mapback *m, struct wb_str word)
{
	struct mapped to;
	unescape(name, word);
	if (word.n == 0 || !map_path(&to, m, (struct wb_str){name->p, name->n})) {
		wb_buf_add(out, word.p, word.n);
		return;
	}
	escape(out, wb_str_of(to.head));
	escape(out, to.rest);
}

void wb_mapback_depfile(struct wb_buf *out, const struct wb_mapback *m, const char *text, size_t n)
{
	const struct wb_mapback targets = {.path = &m->target, .npath = m->target.from != NULL};
	struct wb_buf name = WB_BUF_INIT;
	bool first_rule = true, in_targets = true;
	for (size_t i = 0; i < n;) {
		if (text[i] == '\\' && is_newline(text, i + 1, n)) {
			size_t k = text[i + 1] == '\r' ? 3 : 2;
			wb_buf_add(out, text + i, k);
			i += k;
			continue;
		}
		size_t end = word_end(text, i, n);
		if (end == i) { /* a blank or the end of a rule */
			if (text[i] == '\n' && !in_targets) {
				in_targets = true;
				first_rule = false;
			}
			wb_buf_addc(out, text[i++]);
			continue;
		}
		struct wb_str word = {text + i, end - i};
		bool colon = in_targets && word.p[word.n - 1] == ':';
		word.n -= colon;
		add_word(out, &name, in_targets && first_rule ? &targets : m, word);
		if (colon) {
			wb_buf_addc(out, ':');
			in_targets = false;
		}
		i = end;
	}
	wb_buf_release(&name);
}

/* --- diagnostics --- */

struct writer {
	struct wb_buf *out;
	const struct wb_mapback *m;
	bool plain; /* without control sequences */
};

/* Length of the terminal control sequence (ESC [ ... letter) at the start of `s`; 0 when there is none. */
static size_t control_length(struct wb_str s)
{
	if (!starts(s, "\033[", 2))
		return 0;
	size_t i = 2;
	while (i < s.n && (uint8_t)s.p[i] >= 0x20 && (uint8_t)s.p[i] < 0x40)
		i++;
	return i < s.n && (uint8_t)s.p[i] >= 0x40 && (uint8_t)s.p[i] < 0x7f ? i + 1 : 0;
}

/* Write the control sequences that `s` starts with, or leave them out; returns what follows. */
static struct wb_str write_controls(const struct writer *w, struct wb_str s)
{
	size_t n;
	while ((n = control_length(s)) > 0) {
		if (!w->plain)
			wb_buf_add(w->out, s.p, n);
		s = cut(s, n);
	}
	return s;
}

static void write_mapped(const struct writer *w, const struct mapped *to)
{
	wb_buf_adds(w->out, to->head);
	wb_buf_add(w->out, to->rest.p, to->rest.n);
}

/* May a path end at s[i]? Before ":LINE:" or ": text", or where the colour changes. */
static bool ends_path(struct wb_str s, size_t i)
{
	if (s.p[i] == '\033')
		return true;
	return s.p[i] == ':' && i + 1 < s.n && (s.p[i + 1] == ' ' || (s.p[i + 1] >= '0' && s.p[i + 1] <= '9'));
}

/* The path that `s` starts with, mapped. Names may have colons, too: a known one is preferred to the first end there
 * is. Returns what follows; `s` itself when there is no path that anybody knows. */
static struct wb_str write_path(const struct writer *w, struct wb_str s)
{
	size_t end = 0;
	for (size_t i = 1; i < s.n && i < PATH_MOST; i++) {
		if (s.p[i] != ':' && s.p[i] != '\033')
			continue;
		if (table_find(w->m, strip((struct wb_str){s.p, i})) != NULL) {
			end = i;
			break;
		}
		if (end == 0 && ends_path(s, i))
			end = i;
	}
	struct wb_str path = {s.p, end};
	struct mapped to;
	if (end == 0 || (!map_path(&to, w->m, path) && table_find(w->m, strip(path)) == NULL))
		return s;
	write_mapped(w, &to);
	return cut(s, end);
}

/* Does `s` read "PATH:LINE:" from its start (after what write_path consumed: ":LINE:")? */
static bool at_line_number(struct wb_str s)
{
	return s.n > 1 && s.p[0] == ':' && s.p[1] >= '0' && s.p[1] <= '9';
}

/* The rest of a line. What goes through /proc/self/cwd can be opened by nobody else; in a message (not in quoted source
 * text) " at PATH:LINE" names a place. */
static void write_rest(const struct writer *w, struct wb_str s, bool message)
{
	static const char at[] = " at ";
	while (s.n > 0) {
		struct wb_str after = write_controls(w, s);
		if (after.n != s.n) {
			s = after;
			continue;
		}
		struct mapped to;
		if (starts(s, ANCHOR, ANCHOR_LEN)) {
			size_t end = ANCHOR_LEN;
			while (end < s.n && strchr(" \t:'\",()<>\033", s.p[end]) == NULL)
				end++;
			if (map_path(&to, w->m, (struct wb_str){s.p, end})) {
				write_mapped(w, &to);
				s = cut(s, end);
				continue;
			}
		}
		if (message && starts(s, at, sizeof at - 1)) {
			wb_buf_adds(w->out, at);
			s = cut(s, sizeof at - 1);
			const char *colon = memchr(s.p, ':', s.n);
			size_t end = colon == NULL ? 0 : (size_t)(colon - s.p);
			if (end > 0 && at_line_number(cut(s, end)) && map_path(&to, w->m, (struct wb_str){s.p, end})) {
				write_mapped(w, &to);
				s = cut(s, end);
			}
			continue;
		}
		wb_buf_addc(w->out, s.p[0]);
		s = cut(s, 1);
	}
}

/* "In file included from ", "                 from ", "In module 'X' imported from ": the length, 0 when it is none. */
static size_t lead_length(struct wb_str s)
{
	static const char from[] = "from ";
	size_t i = 0;
	if (starts(s, "In ", 3)) {
		const char *p = memmem(s.p, s.n < 200 ? s.n : 200, from, sizeof from - 1);
		return p == NULL ? 0 : (size_t)(p - s.p) + sizeof from - 1;
	}
	while (i < s.n && s.p[i] == ' ')
		i++;
	return i > 0 && starts(cut(s, i), from, sizeof from - 1) ? i + sizeof from - 1 : 0;
}

static void write_line(const struct writer *w, struct wb_str s)
{
	s = write_controls(w, s);
	size_t lead = lead_length(s);
	wb_buf_add(w->out, s.p, lead);
	s = write_controls(w, cut(s, lead));
	struct wb_str rest = write_path(w, s);
	write_rest(w, rest, rest.n != s.n);
}

void wb_mapback_diagnostics(struct wb_buf *out, const struct wb_mapback *m, const char *text, size_t n,
			    bool strip_color)
{
	const struct writer w = {out, m, strip_color};
	struct wb_str rest = {text, n};
	while (rest.n > 0) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t len = end == NULL ? rest.n : (size_t)(end - rest.p);
		write_line(&w, (struct wb_str){rest.p, len});
		if (end != NULL)
			wb_buf_addc(out, '\n');
		rest = cut(rest, len + (end != NULL));
	}
}
