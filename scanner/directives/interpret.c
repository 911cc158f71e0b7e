/* interpret.c — runs the programs of a translation unit: which directives are live. */
#include "scanner/directives/unit.h"

#include <stdlib.h>
#include <string.h>

/* In C++ the names of operators are no identifiers. */
static bool is_name(struct wb_unit *u, uint32_t name)
{
	if (name == 0 || (u->setup->rules.operator_names && name >= WB_WORD_AND && name <= WB_WORD_XOR_EQ))
		return wb_unit_doubt(u, WB_DOUBT_MACRO_NAME, wb_unit_top(u)->place);
	return true;
}

static bool is_defined(struct wb_unit *u, uint32_t name)
{
	const struct wb_define *d = wb_macro_get(&u->macros, name);
	wb_unit_tell_read(u, name, d);
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
			wb_unit_macro_doubt(u);
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

void wb_unit_define(struct wb_unit *u, const struct wb_directive *d, const struct wb_define *def)
{
	if (d->flags & WB_OP_TELLS_TIME)
		u->time_macro = true;
	if (d->b > WB_WORD_XOR_EQ || is_name(u, d->b))
		wb_macro_define(&u->macros, d->b, def);
}

static void once(struct wb_unit *u, struct wb_frame *f)
{
	/* clang ignores it in the main file unless that is a header, and heeds it when the file is read again; gcc
	 * always does. HandlePragmaOnce() in clang/lib/Lex/Pragma.cpp. */
	const struct wb_scan_request *req = u->req;
	if (u->nframe == 1 && req->tc->compiler == WB_COMPILER_CLANG && !req->cmd->lang_header)
		return;
	f->once = true;
	wb_unit_took_in(u, f->entity, 0, true);
}

/* Directives that are rarer than the ones of the main loop. */
static void other(struct wb_unit *u, struct wb_frame *f, const struct wb_directive *d)
{
	struct wb_node *n = f->node == UINT32_MAX ? NULL : &u->node[f->node];
	if (d->op != WB_OP_ONCE && d->op != WB_OP_LINE)
		wb_subtree_drop(u, true);
	switch ((enum wb_op)d->op) {
	case WB_OP_EMBED:
		wb_unit_embed(u, d);
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
		wb_unit_doubt(u, (enum wb_doubt)d->a, f->place);
		break;
	default:
		break;
	}
}

static void leave(struct wb_unit *u)
{
	const struct wb_frame *f = wb_unit_top(u);
	wb_unit_took_in(u, f->entity, f->guards ? f->program->guard : 0, false);
	wb_subtree_end(u);
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

static void tell_change(struct wb_unit *u, uint32_t name)
{
	if (u->stretch.site)
		wb_stretch_change(&u->stretch, name);
	else if (u->search.since)
		wb_subtree_write(u, name);
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
				wb_subtree_drop(u, true);
				f->line = d->line;
				wb_unit_define(u, d, &p->define[d->a]);
				break;
			}
			wb_macro_define(&u->macros, d->b, &p->define[d->a]);
			tell_change(u, d->b);
			break;
		case WB_OP_UNDEF:
			pc++;
			f->line = d->line;
			if (d->a <= WB_WORD_XOR_EQ && !is_name(u, d->a))
				break;
			wb_macro_undef(&u->macros, d->a);
			tell_change(u, d->a);
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
			wb_unit_include(u, f, d);
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
void wb_unit_interpret(struct wb_unit *u, unsigned floor)
{
	while (u->nframe > floor && !u->stop)
		run_frame(u, wb_unit_top(u));
}
