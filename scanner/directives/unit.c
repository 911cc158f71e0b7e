/* unit.c — a translation unit from its command line to its end. */
#include "scanner/directives/unit.h"

#include <stdlib.h>
#include <string.h>

void wb_unit_init(struct wb_unit *u, struct wb_idents *idents, struct wb_program_store *store)
{
	memset(u, 0, sizeof *u);
	u->idents = idents;
	u->verdict_era = 1; /* 0: a site that knows nothing */
	wb_search_init(&u->search, idents, store);
	wb_macros_init(&u->macros, idents);
}

void wb_unit_release(struct wb_unit *u)
{
	wb_search_release(&u->search);
	wb_macros_release(&u->macros);
	wb_table_release(&u->answer);
	wb_prefix_drop(&u->prefix);
	wb_setup_unref(u->used.setup);
	free(u->node);
	free(u->edge);
	free(u->verdict);
	wb_stretch_release(&u->stretch);
	wb_subtrees_release(&u->subtree);
	free(u->pushed);
	free(u->open);
}

bool wb_unit_doubt(struct wb_unit *u, enum wb_doubt why, uint32_t where)
{
	u->stop = true;
	if (u->doubt)
		return false;
	u->doubt = why;
	u->doubt_where = where == WB_NOWHERE ? "" : wb_search_text(&u->search, where).p;
	if (where != WB_NOWHERE && u->nframe)
		u->doubt_where = wb_arena_printf(u->arena, "%s:%u", u->doubt_where, u->frame[u->nframe - 1].line);
	return false;
}

/* What expansion gave up on becomes the doubt of the unit. */
bool wb_unit_macro_doubt(struct wb_unit *u)
{
	return wb_unit_doubt(u, u->macros.doubt, wb_unit_top(u)->place);
}

void wb_unit_failed(struct wb_unit *u, const char *what, uint32_t name)
{
	const struct wb_frame *f = wb_unit_top(u);
	u->failed = true;
	wb_subtree_drop(u, true);
	if (u->diagnostics[0])
		return;
	struct wb_str text = wb_ident_text(u->idents, name);
	if (f->node == UINT32_MAX)
		u->diagnostics = wb_arena_printf(u->arena, "<command line>: '%.*s' %s", (int)text.n, text.p, what);
	else
		u->diagnostics = wb_arena_printf(u->arena, "%s:%u: '%.*s' %s", wb_search_text(&u->search, f->place).p,
						 f->line, (int)text.n, text.p, what);
}

static void clear_outcome(struct wb_unit *u)
{
	u->nframe = 0;
	u->nopen = 0;
	u->stretch.site = NULL;
	wb_subtree_drop(u, false);
	u->in_prefix = u->stop = u->failed = false;
	u->doubt = u->macros.doubt = WB_DOUBT_NONE;
	u->doubt_where = u->diagnostics = "";
}

static void reset(struct wb_unit *u)
{
	wb_macros_reset(&u->macros);
	wb_search_begin(&u->search);
	u->nnode = u->nedge = u->npushed = 0;
	u->steps = 0;
	u->file_macro = u->time_macro = u->modules = false;
}

/* What comes before the source: the compiler's macros, the command line's, forced includes. */
static void run_command_line(struct wb_unit *u)
{
	const struct wb_setup *setup = u->setup;
	const struct wb_base *base = setup->base;
	const struct wb_program *macros = setup->macros;
	if (base->program->doubt || macros->doubt)
		wb_unit_doubt(u, WB_DOUBT_COMMAND_MACROS, WB_NOWHERE);
	for (size_t i = 0; i < base->nbuiltin; i++)
		wb_macro_define(&u->macros, base->builtin[i].name, &base->builtin[i]);
	for (uint32_t i = 0; i < base->program->ndefine; i++)
		wb_macro_define(&u->macros, base->define[i]->name, base->define[i]);
	u->frame[u->nframe++] = (struct wb_frame){.program = macros,
						  .node = UINT32_MAX,
						  .place = WB_NOWHERE,
						  .dir = wb_search_place(&u->search, ".", 1),
						  .next = WB_NOWHERE};
	/* The frame of the command line stays below its files: run it by hand. */
	for (uint32_t i = 0; i < macros->nop && !u->stop; i++) {
		const struct wb_directive *d = &macros->op[i];
		if (d->op == WB_OP_DEFINE)
			wb_unit_define(u, d, setup->define[d->a]);
		else if (d->op == WB_OP_UNDEF)
			wb_macro_undef(&u->macros, d->a);
		else
			wb_unit_doubt(u, WB_DOUBT_COMMAND_MACROS, WB_NOWHERE);
	}
	for (size_t i = 0; i < setup->nforced && !u->stop; i++)
		wb_unit_forced(u, &setup->forced[i]);
	u->nframe = 0;
	u->in_prefix = false;
}

static void run_source(struct wb_unit *u, uint32_t place, bool found)
{
	if (u->stop)
		return;
	if (!found) {
		u->failed = true;
		u->diagnostics = wb_arena_printf(u->arena, "%s: no such file", u->req->cmd->source);
		return;
	}
	if (wb_unit_enter(u, 0, place, WB_NOWHERE))
		wb_unit_interpret(u, 0);
}

/* The source is the first file of the graph. True: it was found. */
static bool begin_source(struct wb_unit *u, uint32_t place)
{
	const char *source = u->req->cmd->source;
	if (u->nnode == 0)
		wb_unit_node(u, place);
	if (wb_search_path(&u->search, source, strlen(source)) == WB_NOWHERE)
		return false;
	struct wb_entity *main_file = &u->search.entity[u->search.place[place].entity];
	main_file->included = true;
	main_file->opened = place;
	return true;
}

/* Put the source in the row that the prefix left for it. False: it is among the files of the prefix. */
static bool take_first_row(struct wb_unit *u, uint32_t place)
{
	struct wb_search *s = &u->search;
	struct wb_place *plain = &s->place[s->place[place].plain];
	const struct wb_place *p = &s->place[place];
	if (plain->node_scan == s->kept || (wb_search_is_file(s, p) && s->entity[p->entity].scan == s->kept))
		return false;
	plain->node_scan = s->scan;
	plain->node = 0;
	u->node[0] = (struct wb_node){.place = place, .plain = s->place[place].plain, .first_edge = UINT32_MAX};
	return true;
}

/* The search list of the setup. False: something in it is no directory. */
static bool use_directories(struct wb_unit *u)
{
	struct wb_search *s = &u->search;
	if (u->used.setup == u->setup && u->used.disk == s->disk && u->used.era == s->era) {
		wb_search_use_again(s);
	} else {
		wb_setup_unref(u->used.setup);
		u->used.setup = wb_setup_ref(u->setup);
		u->used.disk = s->disk;
		u->used.era = s->era;
		u->used.good = wb_search_use(s, u->setup->dir, u->setup->ndir);
		u->angled = wb_search_origin(s, WB_NOWHERE, s->list[s->in_use].nquote);
	}
	return u->used.good;
}

/* With forced includes, up to the source: from what is kept, or anew, to be kept. False: they concern the source too,
 * or cannot be kept. */
static bool run_staged(struct wb_unit *u, uint32_t place)
{
	if (!wb_unit_resume(u)) {
		reset(u);
		if (!use_directories(u))
			return false;
		u->node = wb_xrealloc(u->node, (u->node_cap = u->node_cap ? u->node_cap : 256) * sizeof *u->node);
		u->node[u->nnode++] = (struct wb_node){.place = WB_NOWHERE};
		run_command_line(u);
		if (u->stop || u->failed || u->nopen)
			return false;
		wb_unit_keep(u);
		if (u->macros.kept == WB_NO_GENERATION)
			return false;
	}
	wb_search_path(&u->search, u->req->cmd->source, strlen(u->req->cmd->source));
	return take_first_row(u, place);
}

void wb_unit_run(struct wb_unit *u, const struct wb_scan_request *req, struct wb_setup *setup, struct wb_arena *a)
{
	const char *source = req->cmd->source;
	u->req = req;
	u->setup = setup;
	u->arena = a;
	u->macros.builtin = wb_unit_builtin;
	u->macros.ctx = u;
	u->macros.strict_comma = setup->base->strict_comma;
	u->rules = wb_setup_rules(setup);
	clear_outcome(u);
	wb_search_look(&u->search, req, setup->lex);
	wb_unit_check_verdicts(u);
	uint32_t place = wb_search_place(&u->search, source, strlen(source));
	if (setup->nforced && req->moment && !req->noverlay && run_staged(u, place)) {
		run_source(u, place, begin_source(u, place));
		return;
	}
	clear_outcome(u);
	reset(u);
	bool found = begin_source(u, place);
	if (!use_directories(u))
		wb_unit_doubt(u, WB_DOUBT_SEARCH_DIRECTORY, WB_NOWHERE);
	run_command_line(u);
	run_source(u, place, found);
}
