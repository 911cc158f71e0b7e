#include "pchfix/twin.h"

#include "base/arena.h"
#include "base/digest.h"
#include "base/path.h"
#include "base/str.h"

#include <string.h>

/* One #include line, taken apart: text before the name (with its opening quote), the name, what follows. */
struct include_line {
	struct wb_str before, name;
	char close; /* '"' or '>' */
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
	for (; k < sizeof word / sizeof word[0]; k++) {
		size_t n = strlen(word[k]);

		if (line.n - i > n && memcmp(line.p + i, word[k], n) == 0) {
			i = skip_blank(line, i + n);
			break;
		}
	}
	if (k == sizeof word / sizeof word[0] || i >= line.n || (line.p[i] != '"' && line.p[i] != '<'))
		return false;
	out->close = line.p[i] == '"' ? '"' : '>';
	const char *end = memchr(line.p + i + 1, out->close, line.n - i - 1);
	if (!end)
		return false;
	out->before = (struct wb_str){line.p, i + 1};
	out->name = (struct wb_str){line.p + i + 1, (size_t)(end - line.p) - i - 1};
	return true;
}

/* The file that the include on `line` of `file` was resolved to, UINT32_MAX when the scan did not meet it. */
static uint32_t resolved(const struct wb_graph *g, uint32_t file, uint32_t line)
{
	if (!g || file == UINT32_MAX)
		return UINT32_MAX;
	for (uint32_t i = 0; i < g->nedge; i++) {
		const struct wb_edge *e = &g->edge[i];

		if (e->from == file && e->line == line && e->kind <= WB_EDGE_IMPORT)
			return e->to;
	}
	return UINT32_MAX;
}

const char *wb_twin_respell(struct wb_arena *a, const struct wb_roots *roots, const char *from_dir, const char *path)
{
	const char *rel = wb_roots_respell(roots, a, path);
	const char *back = wb_path_relative(a, from_dir, roots->action_cwd);

	if (rel[0] == '/')
		return NULL;
	if (strcmp(back, ".") == 0)
		return rel;
	/* The action's directory and from_dir are physical, so their leading ".." steps may be folded against each other. */
	const char *r = rel, *dir = roots->action_cwd;
	while (strncmp(r, "../", 3) == 0) {
		r += 3;
		dir = wb_path_dirname(a, dir);
	}
	back = wb_path_relative(a, from_dir, dir);
	return strcmp(back, ".") == 0 ? r : wb_arena_printf(a, "%s/%s", back, r);
}

struct twin {
	struct wb_arena *a;
	const struct wb_roots *roots;
	const char *from_dir;
	const struct wb_graph *graph;
	uint32_t file;
	bool requote;
};

/* What the include must read, with its quotes; NULL: as it is. */
static const char *new_name(const struct twin *t, const struct include_line *inc, uint32_t line)
{
	const char *name = wb_arena_strndup(t->a, inc->name.p, inc->name.n);
	uint32_t to = resolved(t->graph, t->file, line);

	if (name[0] == '/') {
		const char *rel = wb_twin_respell(t->a, t->roots, t->from_dir, name);

		return rel ? wb_arena_printf(t->a, "\"%s\"", rel) : NULL;
	}
	if (!t->requote || inc->close != '"' || to == UINT32_MAX)
		return NULL;
	const char *rel = wb_twin_respell(t->a, t->roots, t->from_dir, t->graph->file[to].path);
	if (rel)
		return wb_arena_printf(t->a, "\"%s\"", rel);
	/* A system file found through the search path: angle brackets search the same path, without the new directory. */
	return wb_arena_printf(t->a, "<%s>", name);
}

static bool has_absolute(const struct twin *t, const char *data, size_t len)
{
	struct wb_str rest = {data, len}, line;
	struct include_line inc;

	while (wb_str_line(&rest, &line))
		if (parse_include(&inc, line) && inc.name.n > 0 && inc.name.p[0] == '/' &&
		    wb_twin_respell(t->a, t->roots, t->from_dir, wb_arena_strndup(t->a, inc.name.p, inc.name.n)))
			return true;
	return false;
}

char *wb_twin_text(struct wb_arena *a, size_t *n, const char *data, size_t len, const struct wb_roots *roots,
		   const char *from_dir, const struct wb_graph *graph, uint32_t file, bool requote)
{
	struct twin t = {a, roots, from_dir, graph, file, requote};
	struct wb_buf out = WB_BUF_INIT;
	uint32_t line = 1;

	if (!has_absolute(&t, data, len))
		return NULL;
	for (size_t i = 0; i < len; line++) {
		const char *nl = memchr(data + i, '\n', len - i);
		size_t k = nl ? (size_t)(nl - (data + i)) + 1 : len - i;
		struct wb_str text = {data + i, k};
		struct include_line inc;
		const char *name = parse_include(&inc, text) ? new_name(&t, &inc, line) : NULL;

		if (name) {
			const char *after = inc.name.p + inc.name.n + 1;

			wb_buf_add(&out, inc.before.p, inc.before.n - 1);
			wb_buf_adds(&out, name);
			wb_buf_add(&out, after, (size_t)(data + i + k - after));
		} else {
			wb_buf_add(&out, text.p, text.n);
		}
		i += k;
	}
	char *copy = wb_arena_strndup(a, out.p, out.n);
	*n = out.n;
	wb_buf_release(&out);
	return copy;
}

char *wb_twin_name(struct wb_arena *a, const char *relative)
{
	struct wb_digest d;
	char hex[WB_DIGEST_HEX];

	wb_digest_of(&d, relative, strlen(relative));
	wb_digest_hex(hex, &d);
	return wb_arena_printf(a, "waybill-%.16s%s", hex, wb_path_suffix(relative));
}
