#include "base/path.h"
#include "scanner/directives/compare.h"
#include "scanner/scan.h"
#include "service/plan.h"
#include "service/verbs.h"

#include <stdlib.h>
#include <string.h>

/* Make's escapes for a prerequisite. */
static void make_word(struct wb_buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == ' ' || *s == '#' || *s == '\\')
			wb_buf_addc(out, '\\');
		else if (*s == '$')
			wb_buf_addc(out, '$');
		wb_buf_addc(out, *s);
	}
}

/* Files that the preprocessor read or looked at, in the order it met them; the main file first. The compiler's own -M
 * lists the same. */
static void print_make(struct wb_buf *out, struct wb_arena *a, const struct wb_plan *p)
{
	const char *target = p->cmd.dep_target ? p->cmd.dep_target : p->cmd.object ? p->cmd.object : "-";

	make_word(out, wb_path_join(a, p->cmd.cwd, target));
	wb_buf_addc(out, ':');
	for (uint32_t i = 0; i < p->graph.nfile; i++) {
		wb_buf_adds(out, " \\\n  ");
		make_word(out, wb_path_join(a, p->cmd.cwd, p->graph.file[i].path));
	}
	wb_buf_addc(out, '\n');
}

static void print_paths(struct wb_buf *out, struct wb_arena *a, const struct wb_plan *p)
{
	for (uint32_t i = 0; i < p->graph.nfile; i++)
		wb_buf_addf(out, "%s\n", wb_path_join(a, p->cmd.cwd, p->graph.file[i].path));
}

static void json_string(struct wb_buf *out, const char *key, const char *value)
{
	wb_buf_addf(out, "\"%s\": ", key);
	wb_buf_add_json(out, value, strlen(value));
}

static void print_json(struct wb_buf *out, const struct wb_plan *p)
{
	char hex[WB_DIGEST_HEX];

	wb_buf_adds(out, "{");
	json_string(out, "source", p->cmd.source);
	wb_buf_adds(out, ", ");
	json_string(out, "root", p->roots.base);
	wb_buf_adds(out, ",\n \"inputs\": [");
	for (size_t i = 0; i < p->inputs.ninput; i++) {
		const struct wb_input *in = &p->inputs.input[i];

		wb_buf_adds(out, i ? ",\n  {" : "\n  {");
		json_string(out, "path", in->path);
		wb_buf_adds(out, ", ");
		json_string(out, "why", wb_why_name(in->why));
		if (in->kind == WB_FILE_REGULAR) {
			wb_digest_hex(hex, &in->digest);
			wb_buf_addf(out, ", \"digest\": \"%s\", \"size\": %lld", hex, (long long)in->digest.size);
		} else if (in->kind == WB_FILE_SYMLINK) {
			wb_buf_adds(out, ", ");
			json_string(out, "link", in->link);
		}
		wb_buf_adds(out, "}");
	}
	wb_buf_adds(out, "],\n \"system\": [");
	for (size_t i = 0; i < p->inputs.nsystem; i++) {
		wb_buf_adds(out, i ? ",\n  {" : "\n  {");
		json_string(out, "path", p->inputs.system[i].path);
		wb_digest_hex(hex, &p->inputs.system[i].digest);
		wb_buf_addf(out, ", \"digest\": \"%s\"}", hex);
	}
	wb_buf_adds(out, "],\n \"missed\": [");
	for (size_t i = 0; i < p->graph.nmiss; i++) {
		wb_buf_adds(out, i ? ",\n  " : "\n  ");
		wb_buf_add_json(out, p->graph.miss[i], strlen(p->graph.miss[i]));
	}
	wb_buf_adds(out, "]}\n");
}

/* Cut "--engine=NAME" out of the words in front of "--"; NULL when there is none. */
static const char *take_engine(struct wb_verb_call *c)
{
	const char *engine = NULL;
	struct wb_argv rest = {0};
	bool command = false;

	for (size_t i = 0; c->args[i]; i++) {
		command = command || strcmp(c->args[i], "--") == 0;
		if (!command && strncmp(c->args[i], "--engine=", 9) == 0)
			engine = c->args[i] + 9;
		else
			wb_argv_push(&rest, c->arena, c->args[i]);
	}
	if (engine && rest.n)
		c->args = rest.v;
	return engine;
}

/* Both engines, and every difference between what they say. */
static int compare_engines(struct wb_verb_call *c, const struct wb_plan *p)
{
	static const char *const engine[] = {"clang", "directives"};
	struct wb_graph graph[2];
	bool refused[2];

	for (int i = 0; i < 2; i++) {
		struct wb_err err = WB_ERR_INIT;
		enum wb_reason reason = WB_REASON_NONE;
		struct wb_scan_request req = {.cmd = &p->cmd, .tc = p->tc, .engine = engine[i]};
		wb_status st = wb_scan(&graph[i], c->arena, c->service->scanner, &req, &reason, &err);

		refused[i] = !wb_is_ok(st);
		if (refused[i])
			wb_buf_addf(c->err_out, "waybill: engine %s: %s (%s)\n", engine[i], err.text,
				    wb_reason_name(reason));
	}
	if (refused[0] || refused[1])
		return refused[0] != refused[1];
	return wb_graph_compare(c->out, &graph[0], engine[0], &graph[1], engine[1], false) != 0;
}

int wb_verb_scan(struct wb_verb_call *c)
{
	const char *engine = take_engine(c);
	bool both = engine && strcmp(engine, "both") == 0;
	struct wb_err err = WB_ERR_INIT;
	const char *format = "make";
	struct wb_plan p;
	struct wb_request req = {.cwd = c->cwd, .env = c->env, .config = c->config, .cancel = c->cancel, .umask = 022};

	if (!wb_verb_command(c, "scan", &format, &req.argv))
		return 2;
	bool json = strcmp(format, "json") == 0, paths = strcmp(format, "paths") == 0;
	if (!json && !paths && strcmp(format, "make") != 0) {
		wb_buf_addf(c->err_out, "waybill: scan: unknown format '%s': make, json or paths\n", format);
		return 2;
	}
	if (engine && !both && strcmp(engine, "clang") != 0 && strcmp(engine, "directives") != 0) {
		wb_buf_addf(c->err_out, "waybill: scan: unknown engine '%s': clang, directives or both\n", engine);
		return 2;
	}
	req.engine = both ? NULL : engine;
	/* Inputs beyond the include graph are needed for json alone. */
	enum wb_stage last = both ? WB_STAGE_TOOLCHAIN : json ? WB_STAGE_INPUTS : WB_STAGE_SCAN;
	wb_status st = wb_plan_make(&p, c->arena, c->service, &req, last, &err);
	if (!wb_is_ok(st)) {
		wb_buf_addf(c->err_out, "waybill: %s\n", err.text);
		return 1;
	}
	if (p.reason != WB_REASON_NONE) {
		wb_buf_addf(c->err_out, "waybill: %s (%s)%s%s\n", wb_reason_text(p.reason), wb_reason_name(p.reason),
			    p.reason_text[0] ? ": " : "", p.reason_text);
		return 1;
	}
	if (both)
		return compare_engines(c, &p);
	if (json)
		print_json(c->out, &p);
	else if (paths)
		print_paths(c->out, c->arena, &p);
	else
		print_make(c->out, c->arena, &p);
	return 0;
}
