/* include.c — the files that directives name: where they are, whether they are read. */
#include "base/path.h"
#include "scanner/directives/unit.h"

#include <stdlib.h>
#include <string.h>

uint32_t wb_unit_origin(struct wb_unit *u, uint32_t dir, uint32_t next, bool angled, bool include_next)
{
	if (include_next && next != WB_NOWHERE)
		return wb_search_origin(&u->search, WB_NOWHERE, next);
	return angled ? u->angled : wb_search_origin(&u->search, dir, 0);
}

/* The same from the current frame. */
static uint32_t origin(struct wb_unit *u, bool angled, bool include_next, uint32_t name)
{
	struct wb_frame *f = wb_unit_top(u);
	if (include_next && f->next != WB_NOWHERE && *wb_ident_text(u->idents, name).p == '/')
		wb_unit_doubt(u, WB_DOUBT_INCLUDE_NEXT, f->place);
	if (angled || (include_next && f->next != WB_NOWHERE))
		return wb_unit_origin(u, f->dir, f->next, angled, include_next);
	if (f->origin)
		return f->origin;
	struct wb_search *s = &u->search;
	if (f->place == WB_NOWHERE)
		return f->origin = wb_search_origin(s, f->dir, 0);
	struct wb_entity *e = &s->entity[f->entity];
	const struct wb_origin *o = &s->origin[e->origin];
	if (e->origin == 0 || o->list != s->in_use || o->dir != f->dir)
		e->origin = wb_search_origin(s, f->dir, 0);
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
	const struct wb_frame *f = wb_unit_top(u);
	struct wb_str text = wb_ident_text(u->idents, name);
	if (u->setup->embed_dirs || u->req->tc->compiler == WB_COMPILER_GCC || u->req->tc->major < 19)
		wb_unit_doubt(u, WB_DOUBT_EMBED, f->place);
	if (text.n && *text.p == '/')
		return wb_search_path(&u->search, text.p, text.n);
	if (angled)
		return WB_NOWHERE;
	/* clang starts where the file really lies, then looks in the working directory: LookupEmbedFile() in
	 * clang/lib/Lex/PPDirectives.cpp. */
	const char *dir = real_directory(u, f);
	if (!dir) {
		wb_unit_doubt(u, WB_DOUBT_EMBED_LINK, f->place);
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
				wb_expand_doubt(m, WB_DOUBT_HEADER_NAME_ANGLED);
				break;
			}
			s = wb_ident_text(u->idents, t.text);
			wb_buf_add(&text, s.p, s.n);
		}
	} else {
		wb_expand_doubt(m, WB_DOUBT_HEADER_NAME_MISSING);
	}
	if (!m->doubt && (text.n == 0 || memchr(text.p, '\\', text.n) || memchr(text.p, '\0', text.n)))
		wb_expand_doubt(m, WB_DOUBT_HEADER_NAME);
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
			wb_unit_doubt(u, WB_DOUBT_TWO_NAMES, place);
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

bool wb_unit_mark_entered(struct wb_unit *u, uint32_t node, const struct wb_program *p)
{
	struct wb_node *n = &u->node[node];
	bool again = n->flags & WB_GRAPH_ENTERED;
	n->flags |= WB_GRAPH_ENTERED | (u->in_prefix ? WB_GRAPH_IN_PREFIX : 0);
	if (!p)
		return false;
	if ((p->flags & WB_PROGRAM_INCBIN) ||
	    ((p->flags & WB_PROGRAM_ASM_INCLUDE) && u->req->cmd->lang == WB_LANG_ASM_CPP))
		n->flags |= WB_GRAPH_INCBIN;
	n->program_flags |= p->flags & (WB_PROGRAM_DEPENDENCY | WB_PROGRAM_TARGET | WB_PROGRAM_ELIFDEF);
	return !again || (u->steps += 1 + (uint64_t)p->nop) <= WB_MAX_DIRECTIVES ||
	       wb_unit_doubt(u, WB_DOUBT_LIMIT_DIRECTIVES, n->place);
}

/* Read a file that was found. */
bool wb_unit_enter(struct wb_unit *u, uint32_t node, uint32_t place, uint32_t next)
{
	const struct wb_program *p = wb_search_program(&u->search, place);
	bool sane = wb_unit_mark_entered(u, node, p);
	wb_unit_check_verdicts(u);
	if (!p)
		return wb_unit_doubt(u, WB_DOUBT_UNREADABLE, place);
	if (p->doubt)
		return wb_unit_doubt(u, p->doubt, place);
	if (p->flags & WB_PROGRAM_EVERY_TOKEN)
		return wb_unit_doubt(u, WB_DOUBT_PRAGMA_IN_TEXT, place);
	if (!sane)
		return false;
	if (u->nframe > WB_MAX_INCLUDE_DEPTH)
		return wb_unit_doubt(u, WB_DOUBT_LIMIT_INCLUDES, place);
	if (wb_subtree_repeat(u, node, place, next))
		return true;
	wb_unit_check_verdicts(u); /* it may have met new programs */
	push_frame(u, p, node, place, next);
	if (p->flags & WB_PROGRAM_NO_END)
		wb_unit_failed(u, "a conditional or a comment has no end", u->search.place[place].path);
	else
		wb_subtree_begin(u);
	return true;
}

void wb_unit_took_in(struct wb_unit *u, uint32_t entity, uint32_t guard, bool once)
{
	struct wb_entity *e = &u->search.entity[entity];
	if ((guard && e->guard != guard) || (once && !e->once)) {
		wb_search_change(&u->search, e);
		e->guard = guard ? guard : e->guard;
		e->once = e->once || once;
	}
}

/* A file is going to be read. */
void wb_unit_take_in(struct wb_unit *u, uint32_t place)
{
	struct wb_entity *e = &u->search.entity[u->search.place[place].entity];
	if (e->included)
		return;
	wb_search_change(&u->search, e);
	e->opened = place;
	e->included = true;
}

static bool is_guarded(struct wb_unit *u, const struct wb_entity *e)
{
	if (!e->guard)
		return false;
	const struct wb_define *d = wb_macro_get(&u->macros, e->guard);
	if (u->search.since)
		wb_subtree_read(u, e->guard, d);
	return d != NULL;
}

/* Does the include optimisation say that there is nothing to read? */
static bool is_skipped(struct wb_unit *u, uint32_t place, bool import)
{
	struct wb_entity *e = &u->search.entity[u->search.place[place].entity];
	wb_search_touch(&u->search, e);
	if (!import)
		return e->once || e->imported || is_guarded(u, e);
	bool skipped = e->included || is_guarded(u, e);
	wb_subtree_drop(u, true);
	if (!e->imported) {
		wb_search_change(&u->search, e);
		e->imported = true;
	}
	return skipped;
}

/* #include_next in a file that lies beside its includer: clang goes on where the includer was found, gcc starts at the
 * head of the list. */
uint32_t wb_unit_next(const struct wb_unit *u, uint32_t next, const struct wb_found *found)
{
	if (found->next != WB_FOUND_BESIDE)
		return found->next;
	return u->req->tc->compiler == WB_COMPILER_CLANG ? next : 0;
}

static void include_file(struct wb_unit *u, const struct wb_directive *d, struct wb_found *found, bool angled)
{
	const struct wb_frame *f = wb_unit_top(u);
	uint32_t place = found->place, next = wb_unit_next(u, f->next, found);
	if (place == WB_NOWHERE) {
		wb_unit_failed(u, "file not found", found->name);
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
	struct wb_edge *edge = wb_unit_edge(u, f->node, f->line, node, kind, found->text);
	bool skipped = edge->skipped = is_skipped(u, place, d->op == WB_OP_IMPORT);
	if (u->search.since)
		wb_subtree_header(u,
				  (struct wb_item){.op = skipped ? WB_ITEM_SKIP : WB_ITEM_ENTER,
						   .kind = kind & 15,
						   .angled = angled,
						   .next = d->op == WB_OP_INCLUDE_NEXT,
						   .line = f->line & WB_MAX_LINE,
						   .name = found->name},
				  found);
	if (skipped)
		return;
	wb_unit_take_in(u, place);
	wb_unit_enter(u, node, place, next);
}

void wb_unit_include(struct wb_unit *u, struct wb_frame *f, const struct wb_directive *d)
{
	bool angled = d->flags & WB_OP_ANGLED, include_next = d->op == WB_OP_INCLUDE_NEXT;
	if (!(d->flags & WB_OP_COMPUTED)) {
		uint32_t from = origin(u, angled, include_next, d->a);
		include_file(u, d, wb_search_find_at(&u->search, &f->site[d->b], from, d->a), angled);
		return;
	}
	uint32_t name;
	const struct wb_site_tokens *o = &f->program->operand[d->b];
	wb_macros_watch(&u->macros, u->search.since);
	wb_expand_begin(&u->macros, f->program->tok + o->first, o->n);
	bool named = wb_unit_header_name(u, wb_expand_next(&u->macros), &name, &angled);
	wb_unit_tell_reads(u);
	if (named)
		include_file(u, d, wb_unit_find(u, name, angled, include_next), angled);
	else
		wb_unit_macro_doubt(u);
}

void wb_unit_embed(struct wb_unit *u, const struct wb_directive *d)
{
	uint32_t name = d->a;
	bool angled = d->flags & WB_OP_ANGLED;
	if (d->flags & WB_OP_COMPUTED) {
		const struct wb_site_tokens *o = &wb_unit_top(u)->program->operand[d->b];
		struct wb_embed parameters;
		wb_expand_begin(&u->macros, wb_unit_top(u)->program->tok + o->first, o->n);
		if (!wb_unit_header_name(u, wb_expand_next(&u->macros), &name, &angled) ||
		    !wb_unit_embed_parameters(u, &parameters, false)) {
			wb_unit_macro_doubt(u);
			return;
		}
	}
	uint32_t place = wb_unit_find_embed(u, name, angled);
	if (place == WB_NOWHERE) {
		wb_unit_failed(u, "file not found", name);
		u->stop = true;
		return;
	}
	uint32_t node = wb_unit_node(u, place);
	u->node[node].flags |= WB_GRAPH_EMBED;
	const struct wb_frame *f = wb_unit_top(u);
	wb_unit_edge(u, f->node, f->line, node, WB_EDGE_EMBED, wb_ident_text(u->idents, name).p);
	wb_subtree_drop(u, true);
}

void wb_unit_forced(struct wb_unit *u, const struct wb_forced *forced)
{
	uint32_t name = wb_ident_put(u->idents, forced->name, strlen(forced->name));
	const struct wb_found *found = wb_unit_find(u, name, forced->optional, false);
	uint32_t place = found->place;
	if (place == WB_NOWHERE) {
		if (forced->optional)
			return;
		wb_unit_failed(u, "file not found", name);
		u->stop = true;
		return;
	}
	uint32_t node = wb_unit_node(u, place), next = found->next == WB_FOUND_BESIDE ? 0 : found->next;
	if (found->next == WB_FOUND_BESIDE && u->req->tc->compiler == WB_COMPILER_CLANG)
		next = WB_NOWHERE;
	struct wb_edge *e = wb_unit_edge(u, UINT32_MAX, forced->arg, node, WB_EDGE_FORCED, found->text);
	e->in_prefix = forced->prefix;
	if (is_skipped(u, place, false)) {
		e->skipped = true;
		return;
	}
	u->in_prefix = forced->prefix;
	wb_unit_take_in(u, place);
	if (wb_unit_enter(u, node, place, next)) {
		wb_unit_top(u)->prefix = forced->prefix;
		wb_unit_interpret(u, 1);
	}
}
