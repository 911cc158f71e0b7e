/* interpret.c — runs the programs of a translation unit: which directives are live, which files they name. */
#include "base/path.h"
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
	free(u->pushed);
	free(u->open);
}

bool wb_unit_doubt(struct wb_unit *u, const char *why, uint32_t where)
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

static struct wb_frame *top(struct wb_unit *u)
{
	return &u->frame[u->nframe - 1];
}

/* What expansion gave up on becomes the doubt of the unit. */
static bool macro_doubt(struct wb_unit *u)
{
	return wb_unit_doubt(u, u->macros.doubt, top(u)->place);
}

static void failed(struct wb_unit *u, const char *what, uint32_t name)
{
	const struct wb_frame *f = top(u);
	u->failed = true;
	if (u->diagnostics[0])
		return;
	struct wb_str text = wb_ident_text(u->idents, name);
	if (f->node == UINT32_MAX)
		u->diagnostics = wb_arena_printf(u->arena, "<command line>: '%.*s' %s", (int)text.n, text.p, what);
	else
		u->diagnostics = wb_arena_printf(u->arena, "%s:%u: '%.*s' %s", wb_search_text(&u->search, f->place).p,
						 f->line, (int)text.n, text.p, what);
}

/* The origin of a search from the current frame. */
static uint32_t origin(struct wb_unit *u, bool angled, bool include_next, uint32_t name)
{
	struct wb_frame *f = top(u);
	if (include_next && f->next != WB_NOWHERE) {
		if (*wb_ident_text(u->idents, name).p == '/')
			wb_unit_doubt(u, "#include_next of an absolute path", f->place);
		return wb_search_origin(&u->search, WB_NOWHERE, f->next);
	}
	if (angled)
		return u->angled;
	if (f->origin)
		return f->origin;
	struct wb_search *s = &u->search;
	if (f->place == WB_NOWHERE)
		return f->origin = wb_search_origin(s, f->dir, 0);
	struct wb_entity *e = &s->entity[f->entity];
	if (e->origin == 0 || e->origin_list != s->in_use || e->origin_dir != f->dir) {
		e->origin = wb_search_origin(s, f->dir, 0);
		e->origin_list = s->in_use;
		e->origin_dir = f->dir;
	}
	return f->origin = e->origin;
}

struct wb_found *wb_unit_find(struct wb_unit *u, uint32_t name, bool angled, bool include_next)
{
	return wb_search_find(&u->search, origin(u, angled, include_next, name), name);
}

/* The directory of the file that is being read, without symbolic links; NULL when it is another one by its name. */
static const char *real_directory(struct wb_unit *u, const struct wb_frame *f)
{
	const char *cwd = u->req->cmd->cwd, *file = wb_search_text(&u->search, f->place).p;
	const char *named = wb_path_real(u->arena, wb_path_join(u->arena, cwd, wb_search_text(&u->search, f->dir).p));
	const char *real = wb_path_real(u->arena, wb_path_join(u->arena, cwd, file));
	real = real ? wb_path_dirname(u->arena, real) : NULL;
	return real && named && strcmp(real, named) == 0 ? real : NULL;
}

uint32_t wb_unit_find_embed(struct wb_unit *u, uint32_t name, bool angled)
{
	const struct wb_frame *f = top(u);
	struct wb_str text = wb_ident_text(u->idents, name);
	if (u->setup->embed_dirs || u->req->tc->compiler == WB_COMPILER_GCC || u->req->tc->major < 19)
		wb_unit_doubt(u, "#embed with directories of its own, or by a compiler that may not know it", f->place);
	if (text.n && *text.p == '/')
		return wb_search_path(&u->search, text.p, text.n);
	if (angled)
		return WB_NOWHERE;
	/* clang starts where the file really lies, then looks in the working directory: LookupEmbedFile() in
	 * clang/lib/Lex/PPDirectives.cpp. */
	const char *dir = real_directory(u, f);
	if (!dir) {
		wb_unit_doubt(u, "#embed in a file that a symbolic link leads to", f->place);
		return WB_NOWHERE;
	}
	const char *path = wb_arena_printf(u->arena, "%s/%s", dir, text.p);
	uint32_t place = wb_search_path(&u->search, path, strlen(path));
	return place != WB_NOWHERE ? place : wb_search_in(&u->search, wb_search_place(&u->search, ".", 1), name);
}

bool wb_unit_header_name(struct wb_unit *u, struct wb_tok first, uint32_t *name, bool *angled)
{
	struct wb_macros *m = &u->macros;
	struct wb_str s = first.kind == WB_TOK_STRING || first.kind == WB_TOK_HEADER
			      ? wb_ident_text(u->idents, first.text)
			      : (struct wb_str){"", 0};
	struct wb_buf text = WB_BUF_INIT;
	if (m->doubt)
		return false;
	if (s.n > 2 && (*s.p == '"' || *s.p == '<')) {
		*angled = *s.p == '<';
		wb_buf_add(&text, s.p + 1, s.n - 2);
	} else if (first.kind == WB_TOK_PUNCT && first.aux == WB_P_LT) {
		*angled = true;
		for (;;) {
			struct wb_tok t = wb_expand_next(m);
			bool blank = t.flags & (WB_TOK_SPACE | WB_TOK_UNSURE);
			if (t.kind == WB_TOK_PUNCT && t.aux == WB_P_GT && !blank)
				break;
			if (t.kind == WB_TOK_END || t.kind == WB_TOK_VALUE || blank || text.n > 4096) {
				wb_expand_doubt(m, "a header name in <> that macros make is not understood");
				break;
			}
			s = wb_ident_text(u->idents, t.text);
			wb_buf_add(&text, s.p, s.n);
		}
	} else {
		wb_expand_doubt(m, "no header name where one is needed");
	}
	if (!m->doubt && (text.n == 0 || memchr(text.p, '\\', text.n) || memchr(text.p, '\0', text.n)))
		wb_expand_doubt(m, "a header name that compilers may read in different ways");
	*name = m->doubt ? 0 : wb_ident_put(u->idents, text.p, text.n);
	wb_buf_release(&text);
	return *name != 0;
}

static bool embeds(const struct wb_unit *u)
{
	for (size_t i = 0; i < u->nnode; i++)
		if (u->node[i].flags & WB_GRAPH_EMBED)
			return true;
	return false;
}

static void push_frame(struct wb_unit *u, const struct wb_program *p, uint32_t node, uint32_t place, uint32_t next)
{
	struct wb_search *s = &u->search;
	uint32_t entity = s->place[place].entity;
	const struct wb_entity *e = &s->entity[entity];
	/* The name beside which "x" is looked for: in clang, up to 16 that by which the file was met first, perhaps by
	 * __has_include, since 19 that by which it was read first, perhaps by #embed. In between nobody has looked. */
	const struct wb_toolchain *tc = u->req->tc;
	uint32_t beside = place;
	if (tc->compiler == WB_COMPILER_CLANG) {
		if (e->first != e->opened && ((tc->major > 16 && tc->major < 19) || embeds(u)))
			wb_unit_doubt(u, "a file that was met by two names", place);
		beside = tc->major > 16 ? e->opened : e->first;
	}
	uint32_t dir = wb_search_parent(s, beside);
	u->frame[u->nframe++] = (struct wb_frame){.program = p,
						  .site = e->site,
						  .node = node,
						  .place = place,
						  .entity = entity,
						  .dir = dir,
						  .next = next,
						  .guards = p->guard && !wb_macro_get(&u->macros, p->guard)};
}

/* Read a file that was found. */
static bool enter(struct wb_unit *u, uint32_t node, uint32_t place, uint32_t next)
{
	const struct wb_program *p = wb_search_program(&u->search, place);
	struct wb_node *n = &u->node[node];
	bool again = n->flags & WB_GRAPH_ENTERED;
	n->flags |= WB_GRAPH_ENTERED | (u->in_prefix ? WB_GRAPH_IN_PREFIX : 0);
	wb_unit_check_verdicts(u);
	if (!p)
		return wb_unit_doubt(u, "exists but cannot be read", place);
	if (p->doubt)
		return wb_unit_doubt(u, p->doubt, place);
	if (p->flags & WB_PROGRAM_EVERY_TOKEN)
		return wb_unit_doubt(u, "a _Pragma may change macros, which only the expanded text tells", place);
	if (again && (u->steps += 1 + (uint64_t)p->nop) > WB_MAX_DIRECTIVES)
		return wb_unit_doubt(u, "more directives than a sane unit has", place);
	if (u->nframe > WB_MAX_INCLUDE_DEPTH)
		return wb_unit_doubt(u, "#include nested too deep", place);
	if ((p->flags & WB_PROGRAM_INCBIN) ||
	    ((p->flags & WB_PROGRAM_ASM_INCLUDE) && u->req->cmd->lang == WB_LANG_ASM_CPP))
		n->flags |= WB_GRAPH_INCBIN;
	n->program_flags |= p->flags & (WB_PROGRAM_DEPENDENCY | WB_PROGRAM_TARGET | WB_PROGRAM_ELIFDEF);
	push_frame(u, p, node, place, next);
	if (p->flags & WB_PROGRAM_NO_END)
		failed(u, "a conditional or a comment has no end", u->search.place[place].path);
	return true;
}

/* Does the include optimisation say that there is nothing to read? Else it is going to be read. */
static bool is_skipped(struct wb_unit *u, uint32_t place, bool import)
{
	struct wb_entity *e = &u->search.entity[u->search.place[place].entity];
	bool skipped = e->once || e->imported || (e->guard && wb_macro_get(&u->macros, e->guard));
	if (import)
		skipped = e->included || (e->guard && wb_macro_get(&u->macros, e->guard));
	if ((import && !e->imported) || (!skipped && !e->included)) {
		wb_search_change(&u->search, e);
		e->imported = e->imported || import;
		if (!skipped && !e->included)
			e->opened = place;
		e->included = e->included || !skipped;
	}
	return skipped;
}

static void include_file(struct wb_unit *u, const struct wb_directive *d, struct wb_found *found, bool angled)
{
	const struct wb_frame *f = top(u);
	/* #include_next in a file that lies beside its includer: clang goes on where the includer was found, gcc starts
	 * at the head of the list. */
	uint32_t place = found->place, next = found->next != WB_FOUND_BESIDE              ? found->next
					      : u->req->tc->compiler == WB_COMPILER_CLANG ? f->next
											  : 0;
	if (place == WB_NOWHERE) {
		failed(u, "file not found", found->name);
		u->stop = true;
		return;
	}
	enum wb_edge_kind kind = d->op == WB_OP_INCLUDE_NEXT ? WB_EDGE_NEXT
				 : d->op == WB_OP_IMPORT     ? WB_EDGE_IMPORT
				 : angled                    ? WB_EDGE_ANGLE
							     : WB_EDGE_QUOTE;
	uint32_t node = found->node;
	if (node == WB_NOWHERE)
		found->node = node = wb_unit_node(u, place);
	struct wb_edge *edge = wb_unit_edge(u, node, kind, found->text);
	if (is_skipped(u, place, d->op == WB_OP_IMPORT))
		edge->skipped = true;
	else
		enter(u, node, place, next);
}

static void include(struct wb_unit *u, struct wb_frame *f, const struct wb_directive *d)
{
	bool angled = d->flags & WB_OP_ANGLED, include_next = d->op == WB_OP_INCLUDE_NEXT;
	if (!(d->flags & WB_OP_COMPUTED)) {
		uint32_t from = origin(u, angled, include_next, d->a);
		include_file(u, d, wb_search_find_at(&u->search, &f->site[d->b], from, d->a), angled);
		return;
	}
	uint32_t name;
	const struct wb_site_tokens *o = &f->program->operand[d->b];
	wb_expand_begin(&u->macros, f->program->tok + o->first, o->n);
	if (wb_unit_header_name(u, wb_expand_next(&u->macros), &name, &angled))
		include_file(u, d, wb_unit_find(u, name, angled, include_next), angled);
	else
		macro_doubt(u);
}

static void embed(struct wb_unit *u, const struct wb_directive *d)
{
	uint32_t name = d->a;
	bool angled = d->flags & WB_OP_ANGLED;
	if (d->flags & WB_OP_COMPUTED) {
		const struct wb_site_tokens *o = &top(u)->program->operand[d->b];
		struct wb_embed parameters;
		wb_expand_begin(&u->macros, top(u)->program->tok + o->first, o->n);
		if (!wb_unit_header_name(u, wb_expand_next(&u->macros), &name, &angled) ||
		    !wb_unit_embed_parameters(u, &parameters, false)) {
			macro_doubt(u);
			return;
		}
	}
	uint32_t place = wb_unit_find_embed(u, name, angled);
	if (place == WB_NOWHERE) {
		failed(u, "file not found", name);
		u->stop = true;
		return;
	}
	uint32_t node = wb_unit_node(u, place);
	u->node[node].flags |= WB_GRAPH_EMBED;
	wb_unit_edge(u, node, WB_EDGE_EMBED, wb_ident_text(u->idents, name).p);
}

/* In C++ the names of operators are no identifiers. */
static bool is_name(struct wb_unit *u, uint32_t name)
{
	if (name == 0 || (u->setup->rules.operator_names && name >= WB_WORD_AND && name <= WB_WORD_XOR_EQ))
		return wb_unit_doubt(u, "a macro without a proper name", top(u)->place);
	return true;
}

static bool is_defined(struct wb_unit *u, uint32_t name)
{
	const struct wb_define *d = wb_macro_get(&u->macros, name);
	if (u->stretch.site)
		wb_stretch_read(&u->stretch, name, d);
	return (name > WB_WORD_XOR_EQ || is_name(u, name)) && d;
}

static bool holds(struct wb_unit *u, struct wb_frame *f, const struct wb_directive *d)
{
	switch ((enum wb_op)d->op) {
	case WB_OP_IFDEF:
	case WB_OP_ELIFDEF:
		return is_defined(u, d->a);
	case WB_OP_IFNDEF:
	case WB_OP_ELIFNDEF:
		return !is_defined(u, d->a);
	case WB_OP_IF_CONSTANT:
		return d->a;
	default:
		f->several = d->flags & WB_OP_SEVERAL;
		bool yes = wb_unit_condition(u, d);
		if (u->macros.doubt)
			macro_doubt(u);
		return yes;
	}
}

/* The first branch from `i` on that is taken; where to go on. */
static uint32_t choose(struct wb_unit *u, struct wb_frame *f, uint32_t i)
{
	for (;;) {
		const struct wb_directive *d = &f->program->op[i];
		f->line = d->line;
		if (d->op == WB_OP_ELSE || holds(u, f, d) || u->stop)
			return i + 1;
		i = d->b;
		if (d->flags & WB_OP_LAST)
			return i;
	}
}

static void pop_macro(struct wb_unit *u, uint32_t name)
{
	for (size_t i = u->npushed; i-- > 0;) {
		if (u->pushed[i].name != name)
			continue;
		wb_macro_undef(&u->macros, name);
		if (u->pushed[i].def)
			wb_macro_define(&u->macros, name, u->pushed[i].def);
		memmove(u->pushed + i, u->pushed + i + 1, (u->npushed - i - 1) * sizeof *u->pushed);
		u->npushed--;
		return;
	}
}

static void push_macro(struct wb_unit *u, uint32_t name)
{
	if (u->npushed == u->pushed_cap) {
		u->pushed_cap = u->pushed_cap ? 2 * u->pushed_cap : 32;
		u->pushed = wb_xrealloc(u->pushed, u->pushed_cap * sizeof *u->pushed);
	}
	u->pushed[u->npushed++] = (struct wb_pushed){name, wb_macro_get(&u->macros, name)};
}

static void define(struct wb_unit *u, const struct wb_program *p, const struct wb_directive *d)
{
	if (d->flags & WB_OP_TELLS_TIME)
		u->time_macro = true;
	if (d->b > WB_WORD_XOR_EQ || is_name(u, d->b))
		wb_macro_define(&u->macros, d->b, &p->define[d->a]);
}

static void once(struct wb_unit *u, const struct wb_frame *f)
{
	/* clang ignores it in the main file; gcc heeds it when the file includes itself. */
	struct wb_entity *e = &u->search.entity[f->entity];
	if (f->node == 0 && u->req->tc->compiler == WB_COMPILER_CLANG)
		return;
	wb_search_change(&u->search, e);
	e->once = true;
}

/* Directives that are rarer than the ones of the main loop. */
static void other(struct wb_unit *u, struct wb_frame *f, const struct wb_directive *d)
{
	struct wb_node *n = f->node == UINT32_MAX ? NULL : &u->node[f->node];
	switch ((enum wb_op)d->op) {
	case WB_OP_EMBED:
		embed(u, d);
		break;
	case WB_OP_ONCE:
		once(u, f);
		break;
	case WB_OP_PUSH:
		push_macro(u, d->a);
		break;
	case WB_OP_POP:
		pop_macro(u, d->a);
		break;
	case WB_OP_MODULE:
		u->modules = true;
		break;
	case WB_OP_DEPENDENCY:
		if (n)
			n->program_flags |= WB_PROGRAM_DEPENDENCY;
		break;
	case WB_OP_TARGET:
		if (n)
			n->program_flags |= WB_PROGRAM_TARGET;
		break;
	case WB_OP_TIME:
		if (n)
			n->flags |= WB_GRAPH_TIME | (d->a ? WB_GRAPH_TIMESTAMP : 0);
		break;
	case WB_OP_BAD:
		wb_unit_doubt(u, f->program->bad[d->a], f->place);
		break;
	default:
		break;
	}
}

static void leave(struct wb_unit *u)
{
	const struct wb_frame *f = top(u);
	struct wb_entity *e = &u->search.entity[f->entity];
	if (f->guards && e->guard != f->program->guard) {
		wb_search_change(&u->search, e);
		e->guard = f->program->guard;
	}
	if (f->prefix)
		u->in_prefix = false;
	u->nframe--;
}

/* A stretch begins here: behind the include at `site`, or at the start of the file. */
static uint32_t begin_stretch(struct wb_unit *u, const struct wb_frame *f, uint32_t site, uint32_t pc)
{
	const struct wb_program *p = f->program;
	/* Includes often stand in rows. */
	if (pc == p->nop || p->op[pc].op > WB_OP_ELSE)
		return pc;
	return wb_stretch_begin(u, &f->site[p->nsite + site], pc);
}

/* The directives of the frame on top, up to its end, or until an #include puts another one on it. */
static void run_frame(struct wb_unit *u, struct wb_frame *f)
{
	const struct wb_program *p = f->program;
	unsigned depth = u->nframe;
	for (uint32_t pc = begin_stretch(u, f, f->behind, f->pc); !u->stop;) {
		if (pc == p->nop) {
			if (u->stretch.site)
				wb_stretch_end(u, pc);
			leave(u);
			return;
		}
		const struct wb_directive *d = &p->op[pc];
		switch ((enum wb_op)d->op) {
		case WB_OP_DEFINE:
			pc++;
			if (d->b <= WB_WORD_XOR_EQ || (d->flags & WB_OP_TELLS_TIME)) {
				u->stretch.site = NULL;
				f->line = d->line;
				define(u, p, d);
				break;
			}
			wb_macro_define(&u->macros, d->b, &p->define[d->a]);
			if (u->stretch.site)
				wb_stretch_change(&u->stretch, d->b);
			break;
		case WB_OP_UNDEF:
			pc++;
			f->line = d->line;
			if (d->a <= WB_WORD_XOR_EQ && !is_name(u, d->a))
				break;
			wb_macro_undef(&u->macros, d->a);
			if (u->stretch.site)
				wb_stretch_change(&u->stretch, d->a);
			break;
		case WB_OP_IFDEF:
		case WB_OP_IFNDEF:
		case WB_OP_IF:
		case WB_OP_IF_CONSTANT:
			pc = choose(u, f, pc);
			break;
		case WB_OP_ELIF: /* the end of a branch that was taken */
		case WB_OP_ELIFDEF:
		case WB_OP_ELIFNDEF:
		case WB_OP_ELSE:
			pc = wb_program_behind(p, pc);
			break;
		case WB_OP_INCLUDE:
		case WB_OP_INCLUDE_NEXT:
		case WB_OP_IMPORT:
			if (u->stretch.site)
				wb_stretch_end(u, pc);
			f->pc = ++pc;
			f->behind = 1 + d->b;
			f->line = d->line;
			f->several = d->flags & WB_OP_SEVERAL;
			include(u, f, d);
			if (u->nframe != depth)
				return;
			pc = begin_stretch(u, f, f->behind, pc);
			break;
		default:
			if (u->stretch.site)
				wb_stretch_end(u, pc);
			pc++;
			f->line = d->line;
			f->several = d->flags & WB_OP_SEVERAL;
			other(u, f, d);
			break;
		}
	}
}

/* Until the stack is down to `floor` frames. */
static void run(struct wb_unit *u, unsigned floor)
{
	while (u->nframe > floor && !u->stop)
		run_frame(u, top(u));
}

static void forced_file(struct wb_unit *u, const struct wb_forced *forced)
{
	uint32_t name = wb_ident_put(u->idents, forced->name, strlen(forced->name));
	const struct wb_found *found = wb_unit_find(u, name, forced->optional, false);
	uint32_t place = found->place;
	if (place == WB_NOWHERE) {
		if (forced->optional)
			return;
		failed(u, "file not found", name);
		u->stop = true;
		return;
	}
	uint32_t node = wb_unit_node(u, place), next = found->next == WB_FOUND_BESIDE ? 0 : found->next;
	if (found->next == WB_FOUND_BESIDE && u->req->tc->compiler == WB_COMPILER_CLANG)
		next = WB_NOWHERE;
	struct wb_edge *e = wb_unit_edge(u, node, WB_EDGE_FORCED, found->text);
	e->line = forced->arg;
	e->in_prefix = forced->prefix;
	if (is_skipped(u, place, false)) {
		e->skipped = true;
		return;
	}
	u->in_prefix = forced->prefix;
	if (enter(u, node, place, next)) {
		top(u)->prefix = forced->prefix;
		run(u, 1);
	}
}

static void clear_outcome(struct wb_unit *u)
{
	u->nframe = 0;
	u->nopen = 0;
	u->stretch.site = NULL;
	u->in_prefix = u->stop = u->failed = false;
	u->doubt = u->macros.doubt = NULL;
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
		wb_unit_doubt(u, "the macros of the command line are not understood", WB_NOWHERE);
	for (size_t i = 0; i < base->nbuiltin; i++)
		wb_macro_define(&u->macros, base->builtin[i].name, &base->builtin[i]);
	for (uint32_t i = 0; i < base->program->ndefine; i++)
		wb_macro_define(&u->macros, base->program->define[i].name, &base->program->define[i]);
	u->frame[u->nframe++] = (struct wb_frame){.program = macros,
						  .node = UINT32_MAX,
						  .place = WB_NOWHERE,
						  .dir = wb_search_place(&u->search, ".", 1),
						  .next = WB_NOWHERE};
	/* The frame of the command line stays below its files: run it by hand. */
	for (uint32_t i = 0; i < macros->nop && !u->stop; i++) {
		const struct wb_directive *d = &macros->op[i];
		if (d->op == WB_OP_DEFINE)
			define(u, macros, d);
		else if (d->op == WB_OP_UNDEF)
			wb_macro_undef(&u->macros, d->a);
		else
			wb_unit_doubt(u, "a macro of the command line is not understood", WB_NOWHERE);
	}
	for (size_t i = 0; i < setup->nforced && !u->stop; i++)
		forced_file(u, &setup->forced[i]);
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
	if (enter(u, 0, place, WB_NOWHERE))
		run(u, 0);
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
	if (plain->node_scan == s->kept || (p->state == WB_PLACE_FILE && s->entity[p->entity].scan == s->kept))
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
		wb_unit_doubt(u, "a search directory that is no directory", WB_NOWHERE);
	run_command_line(u);
	run_source(u, place, found);
}
