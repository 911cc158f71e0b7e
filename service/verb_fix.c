#include "service/plan.h"
#include "service/verbs.h"

#include <string.h>

static void json_words(struct wb_buf *out, const char *const *v)
{
	wb_buf_addc(out, '[');
	for (size_t i = 0; v && v[i]; i++) {
		if (i > 0)
			wb_buf_adds(out, ", ");
		wb_buf_add_json(out, v[i], strlen(v[i]));
	}
	wb_buf_addc(out, ']');
}

static void print_json(struct wb_buf *out, struct wb_arena *a, const struct wb_plan *p)
{
	const struct wb_rewrite *r = &p->rewrite;
	struct wb_argv env = {0};
	bool first = true;

	for (size_t i = 0; p->env[i]; i++)
		wb_argv_push(&env, a, p->env[i]);
	for (size_t i = 0; r->env && r->env[i]; i++)
		wb_argv_push(&env, a, r->env[i]);
	wb_buf_adds(out, "{\"argv\": ");
	json_words(out, r->argv);
	wb_buf_adds(out, ",\n \"cwd\": ");
	wb_buf_add_json(out, p->roots.action_cwd, strlen(p->roots.action_cwd));
	wb_buf_adds(out, ",\n \"root\": ");
	wb_buf_add_json(out, p->roots.base, strlen(p->roots.base));
	wb_buf_adds(out, ",\n \"env\": ");
	json_words(out, env.v);
	wb_buf_adds(out, ",\n \"outputs\": [");
	for (size_t i = 0; i < r->noutput; i++) {
		wb_buf_adds(out, i ? ", {\"path\": " : "{\"path\": ");
		wb_buf_add_json(out, r->output[i].action_path, strlen(r->output[i].action_path));
		wb_buf_adds(out, ", \"real\": ");
		wb_buf_add_json(out, r->output[i].real_path, strlen(r->output[i].real_path));
		wb_buf_addf(out, ", \"kind\": \"%s\"}", wb_output_kind_name(r->output[i].kind));
	}
	wb_buf_adds(out, "],\n \"overlay\": [");
	for (size_t i = 0; i < r->noverlay; i++) {
		if (!r->overlay[i].data)
			continue;
		wb_buf_adds(out, first ? "{\"path\": " : ", {\"path\": ");
		first = false;
		wb_buf_add_json(out, r->overlay[i].path, strlen(r->overlay[i].path));
		wb_buf_adds(out, ", \"file_text\": ");
		wb_buf_add_json(out, r->overlay[i].data, r->overlay[i].n);
		wb_buf_adds(out, "}");
	}
	wb_buf_addf(out, "],\n \"shareable\": %s}\n", r->shareable ? "true" : "false");
}

static void print_text(struct wb_buf *out, const struct wb_plan *p)
{
	const struct wb_rewrite *r = &p->rewrite;

	for (size_t i = 0; i < r->nstep; i++) {
		const struct wb_rewrite_step *s = &r->step[i];

		if (!s->why) {
			wb_buf_addf(out, "  %s\n", s->before);
			continue;
		}
		if (s->before)
			wb_buf_addf(out, "- %s\n", s->before);
		if (s->after)
			wb_buf_addf(out, "+ %s\n", s->after);
		wb_buf_addf(out, "      %s\n", s->why);
	}
	wb_buf_addf(out, "\nroot %s\ncwd  %s\n", p->roots.base, p->roots.action_cwd);
	for (size_t i = 0; i < r->noverlay; i++)
		if (r->overlay[i].data)
			wb_buf_addf(out, "file %s exists in the input root only (%zu bytes)\n", r->overlay[i].path,
				    r->overlay[i].n);
	if (!r->shareable)
		wb_buf_addf(out, "tied to this checkout by %s\n", r->unshareable_arg);
	for (size_t i = 0; r->argv[i]; i++) {
		if (i > 0)
			wb_buf_addc(out, ' ');
		wb_buf_add_shell(out, r->argv[i]);
	}
	wb_buf_addc(out, '\n');
}

int wb_verb_fix(struct wb_verb_call *c)
{
	struct wb_err err = WB_ERR_INIT;
	const char *format = "text";
	struct wb_plan p;
	struct wb_request req = {.cwd = c->cwd, .env = c->env, .config = c->config, .cancel = c->cancel, .umask = 022};

	if (!wb_verb_command(c, "fix", &format, &req.argv))
		return 2;
	if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0) {
		wb_buf_addf(c->err_out, "waybill: fix: unknown format '%s': text or json\n", format);
		return 2;
	}
	wb_status st = wb_plan_make(&p, c->arena, c->service, &req, WB_STAGE_REWRITE, &err);
	if (!wb_is_ok(st)) {
		wb_buf_addf(c->err_out, "waybill: %s\n", err.text);
		return 1;
	}
	if (p.reason != WB_REASON_NONE) {
		wb_buf_addf(c->err_out, "waybill: this command runs locally: %s (%s)%s%s\n", wb_reason_text(p.reason),
			    wb_reason_name(p.reason), p.reason_text[0] ? ": " : "", p.reason_text);
		return 1;
	}
	if (strcmp(format, "json") == 0)
		print_json(c->out, c->arena, &p);
	else
		print_text(c->out, &p);
	return 0;
}
