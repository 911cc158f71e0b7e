#define _GNU_SOURCE /* memmem */
#include "service/why_text.h"

#include "base/fileio.h"
#include "base/path.h"
#include "service/plan.h"
#include "service/scan_text.h"

#include <string.h>

#define SOURCE_MAX ((size_t)64 << 20)

static const struct wb_edge *edge_of(const struct wb_why_text *t, uint32_t i)
{
	return &t->plan->graph.edge[i];
}

/* As the compiler spells it, but for what ".." folds away. */
const char *wb_why_text_file(const struct wb_why_text *t, uint32_t file)
{
	const struct wb_graph_file *f = &t->plan->graph.file[file];
	const char *cwd = t->plan->cmd.cwd;
	const char *path = strcmp(t->cwd, cwd) == 0 ? f->path : wb_path_join(t->arena, cwd, f->path);
	struct wb_stat_id id;

	if (!wb_path_has_dotdot(path))
		return path;
	const char *folded = wb_path_normal(t->arena, path);
	bool same = wb_stat_id_get(&id, wb_path_join(t->arena, cwd, folded), true) && id.dev == f->id.dev &&
		    id.ino == f->id.ino;
	return same ? folded : path;
}

/* Line `line` (from 1) of a file, with the lines that continue it; empty when it cannot be had. */
static struct wb_str source_line(const struct wb_why_text *t, uint32_t file, uint32_t line)
{
	struct wb_str rest = {"", 0}, found;
	char *data;

	if (!wb_is_ok(wb_file_read(&data, &rest.n, t->arena,
				   wb_path_join(t->arena, t->plan->cmd.cwd, t->plan->graph.file[file].path), SOURCE_MAX,
				   NULL)))
		return (struct wb_str){"", 0};
	rest.p = data;
	for (uint32_t i = 1; i < line; i++)
		if (!wb_str_line(&rest, &found))
			return (struct wb_str){"", 0};
	const char *start = rest.p;
	while (wb_str_line(&rest, &found)) {
		size_t n = found.n > 0 && found.p[found.n - 1] == '\r' ? found.n - 1 : found.n;

		if (n == 0 || found.p[n - 1] != '\\')
			return wb_str_trim((struct wb_str){start, (size_t)(found.p - start) + n});
	}
	return wb_str_trim((struct wb_str){start, (size_t)(rest.p - start)});
}

static bool holds(struct wb_str line, const char *text)
{
	return memmem(line.p, line.n, text, strlen(text)) != NULL;
}

static const char *directive(const struct wb_edge *e)
{
	switch ((enum wb_edge_kind)e->kind) {
	case WB_EDGE_NEXT:
		return "#include_next ";
	case WB_EDGE_IMPORT:
		return "#import ";
	case WB_EDGE_HAS_INCLUDE:
		return "__has_include(";
	case WB_EDGE_EMBED:
		return "#embed ";
	case WB_EDGE_FORCED:
		return "-include ";
	case WB_EDGE_QUOTE:
	case WB_EDGE_ANGLE:
		break;
	}
	return "#include ";
}

static void add_directive(struct wb_buf *out, const struct wb_why_text *t, const struct wb_edge *e)
{
	struct wb_str line = source_line(t, e->from, e->line);
	const char *name = e->name ? e->name : "", *word = directive(e);
	bool looked_up = e->kind == WB_EDGE_HAS_INCLUDE;
	const char *quoted = wb_arena_printf(t->arena, "\"%s\"", name),
		   *angled = wb_arena_printf(t->arena, "<%s>", name);
	/* What the graph does not tell, the line does. */
	bool in_quotes = holds(line, quoted), in_angles = holds(line, angled);

	if (looked_up && holds(line, "__has_embed") && !holds(line, "__has_include"))
		word = "__has_embed(";
	else if (looked_up && holds(line, "__has_include_next") && !holds(line, "__has_include("))
		word = "__has_include_next(";
	bool angle = in_angles && !(in_quotes && e->kind != WB_EDGE_ANGLE);
	if (!in_quotes && !in_angles)
		angle = e->kind == WB_EDGE_ANGLE;
	if (in_quotes || in_angles || line.n == 0) {
		wb_buf_addf(out, "%s%s%s", word, angle ? angled : quoted, looked_up ? ")" : "");
		return;
	}
	for (size_t i = 0; i < line.n; i++) /* one line, whatever it was */
		wb_buf_addc(out, (unsigned char)line.p[i] < 0x20 ? ' ' : line.p[i]);
	wb_buf_addf(out, "  [the name is %s]", angle ? angled : quoted);
}

static void add_argument(struct wb_buf *out, const struct wb_why_text *t, const struct wb_edge *e)
{
	const struct wb_command *cmd = &t->plan->cmd;

	if (e->line >= cmd->narg) {
		wb_buf_addf(out, "<built-in>: #include <%s>", e->name ? e->name : "");
		return;
	}
	const struct wb_arg *arg = &cmd->arg[e->line];
	wb_buf_addf(out, "<command line>: %s %s", arg->spelling ? arg->spelling : "-include",
		    arg->value ? arg->value
		    : e->name  ? e->name
			       : "");
	if (cmd->pch_role != WB_PCH_USE || !e->in_prefix || !cmd->pch_path)
		return;
	if (arg->value && strcmp(arg->value, cmd->pch_path) == 0)
		wb_buf_addf(out, "  [precompiled from %s]", wb_why_text_file(t, e->to));
	else
		wb_buf_addf(out, "  [precompiled: %s]", cmd->pch_path);
}

void wb_why_text_chain(struct wb_buf *out, const struct wb_why_text *t, const struct wb_include_chain *chain)
{
	for (size_t i = 0; i < chain->n; i++) {
		const struct wb_edge *e = edge_of(t, chain->edge[i]);

		if (e->from == UINT32_MAX) {
			add_argument(out, t, e);
		} else {
			wb_buf_addf(out, "%s:%u: ", wb_why_text_file(t, e->from), e->line);
			add_directive(out, t, e);
		}
		if (e->kind == WB_EDGE_HAS_INCLUDE)
			wb_buf_adds(out, "  [looked up, not read]");
		else if (e->skipped)
			wb_buf_adds(out, "  [skipped: it was included before]");
		wb_buf_addc(out, '\n');
	}
}

void wb_why_text_json(struct wb_buf *out, const struct wb_why_text *t, const struct wb_include_chain *chain)
{
	static const char *const kind[] = {"quote", "angle", "next", "import", "forced", "has_include", "embed"};

	wb_buf_addc(out, '[');
	for (size_t i = 0; i < chain->n; i++) {
		const struct wb_edge *e = edge_of(t, chain->edge[i]);

		wb_buf_adds(out, i > 0 ? ",\n     {" : "{");
		if (e->from != UINT32_MAX) {
			wb_scan_text_json_field(out, "file", wb_why_text_file(t, e->from));
			wb_buf_addf(out, ", \"line\": %u, ", e->line);
		}
		wb_scan_text_json_field(out, "kind", kind[e->kind]);
		wb_buf_adds(out, ", ");
		wb_scan_text_json_field(out, "name", e->name ? e->name : "");
		wb_buf_adds(out, ", ");
		wb_scan_text_json_field(out, "to", wb_why_text_file(t, e->to));
		wb_buf_addf(out, ", \"skipped\": %s, \"precompiled\": %s}", e->skipped ? "true" : "false",
			    e->in_prefix ? "true" : "false");
	}
	wb_buf_addc(out, ']');
}
