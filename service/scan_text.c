#include "service/scan_text.h"

#include "base/path.h"
#include "service/plan.h"
#include "service/scan_names.h"

#include <string.h>

enum { COLUMNS = 75 };

bool wb_scan_format_of(enum wb_scan_format *out, const char *name)
{
	static const char *const known[] = {
	    [WB_SCAN_MAKE] = "make", [WB_SCAN_JSON] = "json", [WB_SCAN_PATHS] = "paths"};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(name, known[i]) == 0) {
			*out = (enum wb_scan_format)i;
			return true;
		}
	return false;
}

static void add_target(struct wb_buf *out, size_t start, size_t *column, struct wb_str target, bool quote)
{
	if (out->n > start && *column + target.n + 2 > COLUMNS) {
		wb_buf_adds(out, " \\\n  ");
		*column = target.n + 2;
	} else {
		if (out->n > start)
			wb_buf_addc(out, ' ');
		*column += target.n + (out->n > start ? 1 : 0);
	}
	if (quote)
		wb_scan_names_quote(out, target);
	else
		wb_buf_add(out, target.p, target.n);
}

/* What the rule is for: every -MT and -MQ; else the object; else what the object would be called. */
static size_t add_targets(struct wb_buf *out, const struct wb_plan *p)
{
	const struct wb_command *cmd = &p->cmd;
	size_t start = out->n, column = 0;

	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];

		if (arg->option && arg->option->meaning == WB_MEAN_DEP_TARGET && arg->value)
			add_target(out, start, &column, wb_str_of(arg->value), wb_ends_with(arg->spelling, "Q"));
	}
	if (out->n > start)
		return column;
	if (cmd->object) {
		add_target(out, start, &column, wb_str_of(cmd->object), true);
		return column;
	}
	const char *base = wb_path_basename(cmd->source);
	size_t stem = strlen(base) - strlen(wb_path_suffix(base));
	wb_scan_names_quote(out, (struct wb_str){base, stem});
	wb_buf_adds(out, ".o");
	return stem + 2;
}

/* This is most of what the text of a long list costs. */
static void add3(struct wb_buf *out, struct wb_str x, struct wb_str y, struct wb_str z)
{
	wb_buf_reserve(out, x.n + y.n + z.n);
	memcpy(out->p + out->n, x.p, x.n);
	memcpy(out->p + out->n + x.n, y.p, y.n);
	memcpy(out->p + out->n + x.n + y.n, z.p, z.n);
	out->n += x.n + y.n + z.n;
	out->p[out->n] = '\0';
}

void wb_scan_text_make(struct wb_buf *out, struct wb_arena *a, struct wb_scan_names *names, const struct wb_plan *p)
{
	size_t column = add_targets(out, p) + 1;
	struct wb_scan_name *name;
	size_t n = wb_scan_names_list(&name, a, names, p->cmd.cwd, &p->graph);

	wb_buf_addc(out, ':');
	for (size_t i = 0; i < n; i++) {
		const struct wb_scan_directory *dir = name[i].directory;
		size_t len = dir->name.n + name[i].base.n;
		bool fits = column + len + 3 <= COLUMNS;

		column = (fits ? column : 2) + len + 1;
		add3(out, fits ? wb_str_of(" ") : wb_str_of(" \\\n  "), dir->quoted, (struct wb_str){"", 0});
		wb_scan_names_quote(out, name[i].base);
	}
	wb_buf_addc(out, '\n');
}

void wb_scan_text_paths(struct wb_buf *out, struct wb_arena *a, struct wb_scan_names *names, const struct wb_plan *p)
{
	struct wb_scan_name *name;
	size_t n = wb_scan_names_list(&name, a, names, p->cmd.cwd, &p->graph);

	for (size_t i = 0; i < n; i++)
		add3(out, name[i].directory->name, name[i].base, wb_str_of("\n"));
}

void wb_scan_text_json_field(struct wb_buf *out, const char *key, const char *value)
{
	wb_buf_addf(out, "\"%s\": ", key);
	wb_buf_add_json(out, value, strlen(value));
}

void wb_scan_text_json_error(struct wb_buf *out, const char *source, const char *directory, const char *error)
{
	wb_buf_addc(out, '{');
	wb_scan_text_json_field(out, "source", source);
	if (directory) {
		wb_buf_adds(out, ", ");
		wb_scan_text_json_field(out, "directory", directory);
	}
	wb_buf_adds(out, ", ");
	wb_scan_text_json_field(out, "error", error);
	wb_buf_addc(out, '}');
}

static void add_digest(struct wb_buf *out, const struct wb_digest *d)
{
	char hex[WB_DIGEST_HEX];

	wb_digest_hex(hex, d);
	wb_buf_addf(out, ", \"digest\": \"%s\"", hex);
}

static void add_input(struct wb_buf *out, const struct wb_input *in)
{
	wb_buf_addc(out, '{');
	wb_scan_text_json_field(out, "path", in->path);
	wb_buf_adds(out, ", ");
	wb_scan_text_json_field(out, "why", wb_why_name(in->why));
	if (in->kind == WB_FILE_REGULAR) {
		add_digest(out, &in->digest);
		wb_buf_addf(out, ", \"size\": %lld", (long long)in->digest.size);
	} else if (in->kind == WB_FILE_SYMLINK) {
		wb_buf_adds(out, ", ");
		wb_scan_text_json_field(out, "link", in->link);
	}
	wb_buf_addc(out, '}');
}

void wb_scan_text_json(struct wb_buf *out, const struct wb_plan *p)
{
	wb_buf_adds(out, "{");
	wb_scan_text_json_field(out, "source", p->cmd.source);
	wb_buf_adds(out, ", ");
	wb_scan_text_json_field(out, "directory", p->cmd.cwd);
	wb_buf_adds(out, ", ");
	wb_scan_text_json_field(out, "root", p->roots.base);
	wb_buf_adds(out, ",\n \"inputs\": [");
	for (size_t i = 0; i < p->inputs.ninput; i++) {
		wb_buf_adds(out, i ? ",\n  " : "\n  ");
		add_input(out, &p->inputs.input[i]);
	}
	wb_buf_adds(out, "],\n \"system\": [");
	for (size_t i = 0; i < p->inputs.nsystem; i++) {
		wb_buf_adds(out, i ? ",\n  {" : "\n  {");
		wb_scan_text_json_field(out, "path", p->inputs.system[i].path);
		add_digest(out, &p->inputs.system[i].digest);
		wb_buf_addc(out, '}');
	}
	wb_buf_adds(out, "],\n \"missed\": [");
	for (size_t i = 0; i < p->graph.nmiss; i++) {
		wb_buf_adds(out, i ? ",\n  " : "\n  ");
		wb_buf_add_json(out, p->graph.miss[i], strlen(p->graph.miss[i]));
	}
	wb_buf_adds(out, "]}");
}
