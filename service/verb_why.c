/* `waybill why`: which files of the graph does HEADER mean, and by which includes did they come in? */
#include "base/path.h"
#include "service/include_chain.h"
#include "service/plan.h"
#include "service/scan_database.h"
#include "service/scan_run.h"
#include "service/verbs.h"
#include "service/why_text.h"

#include <string.h>
#include <strings.h>

enum { SIMILAR_MAX = 8, NAME_MAX_LEN = 255 };

/* Is `path` `end`, or does it end with it, from the start of a component? */
static bool ends_at(const char *path, const char *end)
{
	size_t n = strlen(path), m = strlen(end);

	return n >= m && m > 0 && strcmp(path + n - m, end) == 0 && (n == m || end[0] == '/' || path[n - m - 1] == '/');
}

/* ---- what HEADER means */

struct targets {
	uint32_t *file;
	size_t n;
};

/* Add a file, unless it is there by another name. */
static void add_target(struct targets *t, const struct wb_graph *g, uint32_t file)
{
	const struct wb_stat_id *id = &g->file[file].id;

	for (size_t i = 0; i < t->n; i++)
		if (g->file[t->file[i]].id.ino == id->ino && g->file[t->file[i]].id.dev == id->dev)
			return;
	t->file[t->n++] = file;
}

static void find_targets(struct targets *out, struct wb_verb_call *c, const struct wb_plan *p, const char *header)
{
	const struct wb_graph *g = &p->graph;
	struct wb_stat_id id;

	*out = (struct targets){.file = wb_arena_array(c->arena, g->nfile + (size_t)1, sizeof *out->file)};
	if (wb_stat_id_get(&id, wb_path_join(c->arena, c->cwd, header), true))
		for (uint32_t i = 0; i < g->nfile; i++)
			if (g->file[i].id.dev == id.dev && g->file[i].id.ino == id.ino)
				add_target(out, g, i);
	/* Which file it is says more than what it is called. */
	if (out->n > 0)
		return;
	const char *end = wb_path_fold(c->arena, header);
	for (uint32_t i = 0; i < g->nfile; i++) {
		const char *path = wb_path_join(c->arena, p->cmd.cwd, g->file[i].path);

		if (ends_at(path, end) || ends_at(wb_path_normal(c->arena, path), end))
			add_target(out, g, i);
	}
}

/* ---- when it is no input */

/* Edits between two names, at most `most` + 1. */
static size_t edits(const char *x, const char *y, size_t most)
{
	size_t n = strlen(x), m = strlen(y), row[NAME_MAX_LEN + 1];

	if (n > NAME_MAX_LEN || m > NAME_MAX_LEN || (n > m ? n - m : m - n) > most)
		return most + 1;
	for (size_t k = 0; k <= m; k++)
		row[k] = k;
	for (size_t i = 1; i <= n; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t k = 1; k <= m; k++) {
			size_t change = corner + (x[i - 1] != y[k - 1]);

			corner = row[k];
			size_t step = 1 + (row[k] < row[k - 1] ? row[k] : row[k - 1]);
			row[k] = change < step ? change : step;
		}
	}
	return row[m];
}

/* The same name but for case and suffix, or one with a slip of the finger. */
static bool is_similar(const char *path, const char *header)
{
	const char *x = wb_path_basename(path), *y = wb_path_basename(header);
	size_t n = strcspn(x, "."), m = strcspn(y, ".");

	return (n == m && n > 0 && strncasecmp(x, y, n) == 0) || (m > 3 && edits(x, y, 2) <= 2);
}

static void say_no_input(struct wb_verb_call *c, const struct wb_plan *p, const char *header)
{
	const struct wb_graph *g = &p->graph;
	struct wb_stat_id id;
	size_t n = 0;

	wb_buf_addf(c->err_out, "waybill: why: %s is no input of %s", header, p->cmd.source);
	if (wb_stat_id_get(&id, wb_path_join(c->arena, c->cwd, header), true))
		wb_buf_adds(c->err_out, ": the file exists, but this compile does not read it");
	wb_buf_addc(c->err_out, '\n');
	for (size_t i = 0; i < g->nmiss && n < SIMILAR_MAX; i++)
		if (ends_at(g->miss[i], header) && ++n > 0)
			wb_buf_addf(c->err_out, "  looked for and not found: %s\n", g->miss[i]);
	n = 0;
	for (uint32_t i = 0; i < g->nfile && n < SIMILAR_MAX; i++)
		if (is_similar(g->file[i].path, header))
			wb_buf_addf(c->err_out, "%s %s\n", n++ == 0 ? "  inputs with a similar name:" : "   ",
				    g->file[i].path);
}

/* ---- the answer */

static void print_text(struct wb_verb_call *c, const struct wb_why_text *t, const struct targets *targets, bool all)
{
	size_t more = 0;

	for (size_t i = 0; i < targets->n; i++) {
		struct wb_include_chain *chain;
		size_t n = wb_include_chains(&chain, c->arena, &t->plan->graph, targets->file[i]);

		if (targets->n > 1)
			wb_buf_addf(c->out, "%s== %s\n", i > 0 ? "\n" : "", wb_why_text_file(t, targets->file[i]));
		if (n == 0)
			wb_buf_addf(c->out, "%s is the source itself\n", wb_why_text_file(t, targets->file[i]));
		for (size_t k = 0; k < n && (k == 0 || all); k++) {
			if (k > 0)
				wb_buf_addc(c->out, '\n');
			wb_why_text_chain(c->out, t, &chain[k]);
		}
		more += all || n == 0 ? 0 : n - 1;
	}
	if (more > 0)
		wb_buf_addf(c->err_out, "%zu more place%s: --all shows %s\n", more,
			    more == 1 ? " includes it" : "s include it", more == 1 ? "it" : "them");
}

static void print_json(struct wb_verb_call *c, const struct wb_why_text *t, const struct targets *targets,
		       const char *header)
{
	wb_buf_addc(c->out, '{');
	wb_scan_text_json_field(c->out, "header", header);
	wb_buf_adds(c->out, ", ");
	wb_scan_text_json_field(c->out, "source", t->plan->cmd.source);
	wb_buf_adds(c->out, ", ");
	wb_scan_text_json_field(c->out, "directory", t->plan->cmd.cwd);
	wb_buf_adds(c->out, ",\n \"inputs\": [");
	for (size_t i = 0; i < targets->n; i++) {
		struct wb_include_chain *chain;
		size_t n = wb_include_chains(&chain, c->arena, &t->plan->graph, targets->file[i]);

		wb_buf_adds(c->out, i > 0 ? ",\n  {" : "\n  {");
		wb_scan_text_json_field(c->out, "path", wb_why_text_file(t, targets->file[i]));
		wb_buf_adds(c->out, ", \"chains\": [");
		for (size_t k = 0; k < n; k++) {
			wb_buf_adds(c->out, k > 0 ? ",\n    " : "\n    ");
			wb_why_text_json(c->out, t, &chain[k]);
		}
		wb_buf_adds(c->out, "]}");
	}
	wb_buf_adds(c->out, "]}\n");
}

/* The command that is asked about. */
static wb_status choose(struct wb_scan_unit *out, struct wb_verb_call *c, const struct wb_scan_options *o,
			struct wb_err *err)
{
	struct wb_compile_database db;
	size_t *at;

	*out = (struct wb_scan_unit){.argv = o->command, .cwd = c->cwd};
	if (!o->database)
		return wb_ok();
	WB_TRY(wb_scan_database_read(&db, c, o->database, err));
	size_t n = wb_scan_database_find(&at, c, &db, o->operand[1]);
	if (n == 0)
		return wb_fail(err, WB_ENOENT, "%s: no entry of the database has this source", o->operand[1]);
	const struct wb_database_entry *e = &db.entry[at[0]];
	if (e->error)
		return wb_fail(err, WB_EINVAL, "%s: %s", o->operand[1], e->error);
	if (n > 1)
		wb_buf_addf(c->err_out, "%s is compiled %zu times; this is the first of them, from line %zu\n",
			    o->operand[1], n, e->line);
	*out = (struct wb_scan_unit){.argv = e->argv, .cwd = e->directory};
	return wb_ok();
}

int wb_verb_why(struct wb_verb_call *c)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_scan_options o;
	struct wb_scan_unit unit;
	struct targets targets;
	struct wb_plan p;

	if (!wb_is_ok(wb_scan_options_parse(&o, c->arena, WB_SCAN_VERB_WHY, c->args, &err))) {
		wb_buf_addf(c->err_out, "waybill: why: %s\n", err.text);
		return 2;
	}
	struct wb_scan_context context = {
	    .service = c->service, .config = c->config, .env = c->env, .cancel = c->cancel, .options = &o};
	wb_status st = choose(&unit, c, &o, &err);
	if (wb_is_ok(st))
		st = wb_scan_unit_plan(&p, c->arena, &context, &unit, &err);
	if (!wb_is_ok(st)) {
		wb_buf_addf(c->err_out, "waybill: why: %s\n", err.text);
		return 1;
	}
	struct wb_why_text text = {.plan = &p, .arena = c->arena, .cwd = c->cwd};
	find_targets(&targets, c, &p, o.operand[0]);
	if (o.format == WB_SCAN_JSON)
		print_json(c, &text, &targets, o.operand[0]);
	else if (targets.n > 0)
		print_text(c, &text, &targets, o.all);
	if (targets.n == 0)
		say_no_input(c, &p, o.operand[0]);
	return targets.n == 0;
}
