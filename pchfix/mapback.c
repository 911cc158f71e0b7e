#include "pchfix/mapback.h"

#include <stdlib.h>
#include <string.h>

#define SELF_CWD     "/proc/self/cwd/"
#define SELF_CWD_LEN (sizeof SELF_CWD - 1)

static int pair_cmp(const struct wb_str *key, const struct wb_mapback_pair *pair)
{
	int c = strncmp(key->p, pair->from, key->n);

	return c != 0 ? c : pair->from[key->n] == '\0' ? 0 : -1;
}

static const char *table_find(const struct wb_mapback *m, struct wb_str path)
{
	size_t lo = 0, hi = m->npath;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = pair_cmp(&path, &m->path[mid]);

		if (c == 0)
			return m->path[mid].to;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/* A path as the compiler wrote it to one as the original command would have: `head` replaces what was cut off `*path`.
 * False: nothing changes. */
static bool map_path(const struct wb_mapback *m, struct wb_str *path, const char **head)
{
	struct wb_str p = *path;
	bool cut = false;

	while (p.n > SELF_CWD_LEN && memcmp(p.p, SELF_CWD, SELF_CWD_LEN) == 0) {
		p.p += SELF_CWD_LEN;
		p.n -= SELF_CWD_LEN;
		cut = true;
	}
	while (p.n > 2 && p.p[0] == '.' && p.p[1] == '/' && cut) {
		p.p += 2;
		p.n -= 2;
	}
	const char *whole = table_find(m, p);
	if (whole) {
		*head = whole;
		*path = (struct wb_str){"", 0};
		return true;
	}
	for (size_t i = 0; i < m->nprefix; i++) {
		size_t n = strlen(m->prefix[i].from);

		if (p.n >= n && memcmp(p.p, m->prefix[i].from, n) == 0) {
			*head = m->prefix[i].to;
			*path = (struct wb_str){p.p + n, p.n - n};
			return true;
		}
	}
	*head = "";
	*path = p;
	return cut;
}

/* --- depfiles
 * ----------------------------------------------------------------------------------------------------------- */

static void unescape(struct wb_buf *out, struct wb_str word)
{
	wb_buf_reset(out);
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i], next = i + 1 < word.n ? word.p[i + 1] : '\0';

		if ((c == '\\' && (next == ' ' || next == '#')) || (c == '$' && next == '$')) {
			c = next;
			i++;
		}
		wb_buf_addc(out, c);
	}
}

static void escape(struct wb_buf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == ' ' || p[i] == '#')
			wb_buf_addc(out, '\\');
		else if (p[i] == '$')
			wb_buf_addc(out, '$');
		wb_buf_addc(out, p[i]);
	}
}

/* The word at text[i]: up to white space that no backslash protects, or a backslash-newline. */
static size_t word_end(const char *text, size_t i, size_t n)
{
	for (; i < n; i++) {
		char c = text[i], next = i + 1 < n ? text[i + 1] : '\0';

		if (c == '\\' && (next == '\n' || next == '\r'))
			break;
		if (c == '\\' && (next == ' ' || next == '#')) {
			i++;
			continue;
		}
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			break;
	}
	return i;
}

static void add_word(struct wb_buf *out, struct wb_buf *plain, const struct wb_mapback *m, struct wb_str word)
{
	const char *head;

	unescape(plain, word);
	struct wb_str path = {plain->p ? plain->p : "", plain->n};
	if (!map_path(m, &path, &head)) {
		wb_buf_add(out, word.p, word.n);
		return;
	}
	escape(out, head, strlen(head));
	escape(out, path.p, path.n);
}

void wb_mapback_depfile(struct wb_buf *out, const struct wb_mapback *m, const char *text, size_t n)
{
	const struct wb_mapback targets = {&m->target, m->target.from ? 1 : 0, {NULL, NULL}, NULL, 0};
	struct wb_buf plain = WB_BUF_INIT;
	bool first_rule = true, target = true; /* reading targets of the current rule */

	for (size_t i = 0; i < n;) {
		char c = text[i];

		if (c == '\\' && i + 1 < n && (text[i + 1] == '\n' || text[i + 1] == '\r')) {
			size_t k = text[i + 1] == '\r' && i + 2 < n && text[i + 2] == '\n' ? 3 : 2;

			wb_buf_add(out, text + i, k);
			i += k;
			continue;
		}
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			if (c == '\n' && !target) {
				target = true;
				first_rule = false;
			}
			wb_buf_addc(out, c);
			i++;
			continue;
		}
		size_t end = word_end(text, i, n);
		struct wb_str word = {text + i, end - i};
		bool colon = target && word.n > 0 && word.p[word.n - 1] == ':';

		if (colon)
			word.n--;
		/* The first rule's targets are names that the build system chose; the phony rules of -MP name headers.
		 */
		add_word(out, &plain, target && first_rule ? &targets : m, word);
		if (colon) {
			wb_buf_addc(out, ':');
			target = false;
		}
		i = end;
	}
	wb_buf_release(&plain);
}

/* --- diagnostics
 * -------------------------------------------------------------------------------------------------------- */

/* Length of an escape sequence (CSI ... final byte) at `p`, 0 when there is none. */
static size_t sgr_length(const char *p, size_t n)
{
	size_t i = 2;

	if (n < 3 || p[0] != '\033' || p[1] != '[')
		return 0;
	while (i < n && p[i] >= 0x20 && p[i] < 0x40)
		i++;
	return i < n && p[i] >= 0x40 && p[i] < 0x7f ? i + 1 : 0;
}

struct writer {
	struct wb_buf *out;
	const struct wb_mapback *m;
	bool strip;
};

/* Copy text as it is, except for colour when it is not wanted and paths through /proc/self/cwd, which no user can open.
 */
static void write_plain(struct writer *w, const char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t sgr = w->strip ? sgr_length(p + i, n - i) : 0;

		if (sgr > 0) {
			i += sgr;
		} else if (n - i > SELF_CWD_LEN && memcmp(p + i, SELF_CWD, SELF_CWD_LEN) == 0) {
			size_t end = i;
			const char *head;

			while (end < n && !strchr(" \t:'\",()<>\033", p[end]))
				end++;
			struct wb_str path = {p + i, end - i};
			map_path(w->m, &path, &head);
			wb_buf_adds(w->out, head);
			wb_buf_add(w->out, path.p, path.n);
			i = end;
		} else {
			wb_buf_addc(w->out, p[i++]);
		}
	}
}

static size_t skip_sgr(struct writer *w, const char *p, size_t n)
{
	size_t i = 0, k;

	while ((k = sgr_length(p + i, n - i)) > 0)
		i += k;
	if (!w->strip)
		wb_buf_add(w->out, p, i);
	return i;
}

/* A path up to a ':' (or the colour change before one) that the tables know; returns how much was consumed. */
static size_t write_path(struct writer *w, const char *p, size_t n)
{
	for (size_t end = 1; end < n; end++) {
		const char *head;

		if (p[end] != ':' && p[end] != '\033')
			continue;
		struct wb_str path = {p, end};
		if (!map_path(w->m, &path, &head))
			continue; /* a ':' inside a name, or not a path */
		wb_buf_adds(w->out, head);
		wb_buf_add(w->out, path.p, path.n);
		return end;
	}
	return 0;
}

static void write_line(struct writer *w, const char *p, size_t n)
{
	static const char *const lead[] = {"In file included from ", "                 from ", "In module ", NULL};
	size_t i = skip_sgr(w, p, n);

	for (const char *const *l = lead; *l; l++) {
		size_t k = strlen(*l);

		if (n - i > k && memcmp(p + i, *l, k) == 0) {
			wb_buf_add(w->out, p + i, k);
			i += k;
			i += skip_sgr(w, p + i, n - i);
			break;
		}
	}
	i += write_path(w, p + i, n - i);
	write_plain(w, p + i, n - i);
}

void wb_mapback_diagnostics(struct wb_buf *out, const struct wb_mapback *m, const char *text, size_t n,
			    bool strip_color)
{
	struct writer w = {out, m, strip_color};

	for (size_t i = 0; i < n;) {
		const char *nl = memchr(text + i, '\n', n - i);
		size_t len = nl ? (size_t)(nl - (text + i)) : n - i;

		write_line(&w, text + i, len);
		if (nl)
			wb_buf_addc(out, '\n');
		i += len + (nl ? 1 : 0);
	}
}
