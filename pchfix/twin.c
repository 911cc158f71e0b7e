#include "pchfix/twin.h"

#include "base/arena.h"
#include "base/digest.h"
#include "base/path.h"
#include "base/str.h"
#include "pchfix/recipe.h"

#include <string.h>

/* One #include line, taken apart: text before the opening quote, the name, and what follows the closing quote. */
struct include_line {
	struct wb_str before, name, after;
	char open;
};

static size_t skip_blank(struct wb_str s, size_t i)
{
	while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
		i++;
	return i;
}

static bool parse_include(struct include_line *out, struct wb_str line)
{
	static const char *const word[] = {"include_next", "include", "import"};
	size_t i = skip_blank(line, 0);
	if (i >= line.n || line.p[i] != '#')
		return false;
	i = skip_blank(line, i + 1);
	size_t k = 0;
	for (; k < sizeof word / sizeof *word; k++) {
		size_t n = strlen(word[k]);
		if (line.n - i > n && memcmp(line.p + i, word[k], n) == 0) {
			i = skip_blank(line, i + n);
			break;
		}
	}
	if (k == sizeof word / sizeof *word || i >= line.n || (line.p[i] != '"' && line.p[i] != '<'))
		return false;
	out->open = line.p[i];
	const char *start = line.p + i + 1;
	const char *end = memchr(start, out->open == '"' ? '"' : '>', line.n - i - 1);
	if (end == NULL || end == start || memchr(start, '\0', (size_t)(end - start)) != NULL)
		return false;
	out->before = (struct wb_str){line.p, i};
	out->name = (struct wb_str){start, (size_t)(end - start)};
	out->after = (struct wb_str){end + 1, (size_t)(line.p + line.n - end) - 1};
	return true;
}

/* Cut the next line off, its newline included. */
static bool next_line(struct wb_str *rest, struct wb_str *line)
{
	if (rest->n == 0)
		return false;
	const char *end = memchr(rest->p, '\n', rest->n);
	size_t n = end == NULL ? rest->n : (size_t)(end - rest->p) + 1;
	*line = (struct wb_str){rest->p, n};
	*rest = (struct wb_str){rest->p + n, rest->n - n};
	return true;
}

struct twin {
	struct wb_arena *a;
	const struct wb_roots *roots;
	const struct wb_graph *graph;
	uint32_t file;
	enum wb_twin_place place;
};

/* The file that the include on `line` was resolved to; UINT32_MAX when the scan did not meet it. */
static uint32_t resolved(const struct twin *t, uint32_t line)
{
	for (uint32_t i = 0; t->graph != NULL && t->file != UINT32_MAX && i < t->graph->nedge; i++) {
		const struct wb_edge *e = &t->graph->edge[i];
		if (e->from == t->file && e->line == line && e->kind <= WB_EDGE_IMPORT)
			return e->to;
	}
	return UINT32_MAX;
}

/* `path` as the twin writes it, quotes included; NULL: it is not below a root. */
static const char *quoted(const struct twin *t, const char *path)
{
	const char *rel = wb_roots_respell(t->roots, t->a, path);
	if (rel[0] == '/')
		return NULL;
	return wb_arena_printf(t->a, "\"" WB_RECIPE_CWD "/%s\"", rel);
}

/* What the include must read, with its quotes; NULL: as it is. */
static const char *new_name(const struct twin *t, const struct include_line *inc, uint32_t line)
{
	const char *name = wb_arena_strndup(t->a, inc->name.p, inc->name.n);
	if (name[0] == '/')
		return quoted(t, name);
	uint32_t to = t->place == WB_TWIN_IN_PLACE || inc->open != '"' ? UINT32_MAX : resolved(t, line);
	if (to == UINT32_MAX)
		return NULL;
	const char *text = quoted(t, t->graph->file[to].path);
	/* A system file: angle brackets search the same path, but not the directory that the twin lies in. */
	return text != NULL ? text : wb_arena_printf(t->a, "<%s>", name);
}

static bool has_absolute(const struct twin *t, struct wb_str rest)
{
	struct wb_str line;
	struct include_line inc;
	while (next_line(&rest, &line))
		if (parse_include(&inc, line) && inc.name.p[0] == '/' &&
		    quoted(t, wb_arena_strndup(t->a, inc.name.p, inc.name.n)) != NULL)
			return true;
	return false;
}

char *wb_twin_text(struct wb_arena *a, size_t *n, const char *data, size_t len, const struct wb_roots *roots,
		   const struct wb_graph *graph, uint32_t file, enum wb_twin_place place)
{
	struct twin t = {a, roots, graph, file, place};
	struct wb_str rest = {data, len}, line;
	struct include_line inc;
	struct wb_buf out = WB_BUF_INIT;
	if (!has_absolute(&t, rest))
		return NULL;
	for (uint32_t number = 1; next_line(&rest, &line); number++) {
		const char *name = parse_include(&inc, line) ? new_name(&t, &inc, number) : NULL;
		if (name == NULL) {
			wb_buf_add(&out, line.p, line.n);
			continue;
		}
		wb_buf_add(&out, inc.before.p, inc.before.n);
		wb_buf_adds(&out, name);
		wb_buf_add(&out, inc.after.p, inc.after.n);
	}
	char *copy = wb_arena_strndup(a, out.p, out.n);
	*n = out.n;
	wb_buf_release(&out);
	return copy;
}

bool wb_twin_covers(const char *data, size_t len, uint32_t line, const char *name)
{
	struct wb_str rest = {data, len}, text;
	struct include_line inc;
	for (uint32_t number = 1; next_line(&rest, &text); number++)
		if (number == line)
			return parse_include(&inc, text) && wb_str_eq(inc.name, wb_str_of(name));
	return false;
}

char *wb_twin_name(struct wb_arena *a, const char *relative)
{
	struct wb_digest d;
	char hex[WB_DIGEST_HEX];
	wb_digest_of(&d, relative, strlen(relative));
	wb_digest_hex(hex, &d);
	return wb_arena_printf(a, "waybill-%.16s%s", hex, wb_path_suffix(relative));
}
