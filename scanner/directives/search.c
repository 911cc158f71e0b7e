#define _GNU_SOURCE
#include "scanner/directives/search.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_PLACES = 1 << 20, MAX_FOUND = 1 << 22, MAX_PROBED = 1 << 24 };

void wb_search_init(struct wb_search *s, struct wb_idents *idents, struct wb_program_store *store)
{
	*s = (struct wb_search){.idents = idents,
				.store = store,
				.kept = WB_NOWHERE,
				.norigin = 1, /* 0: a site that knows nothing */
				.path = WB_BUF_INIT,
				.text = WB_BUF_INIT};
}

void wb_search_release(struct wb_search *s)
{
	for (uint32_t i = 0; i < s->nentity; i++) {
		wb_program_unref(s->entity[i].program);
		free(s->entity[i].site);
	}
	for (uint32_t i = 0; i < s->nlist; i++)
		free(s->list[i].dir);
	free(s->place);
	free(s->entity);
	free(s->origin);
	free(s->found);
	free(s->question);
	free(s->missed);
	free(s->gone);
	free(s->probed);
	free(s->list);
	free(s->miss);
	free(s->undo);
	free(s->was);
	wb_table_release(&s->by_path);
	wb_table_release(&s->by_name);
	wb_table_release(&s->by_inode);
	wb_table_release(&s->by_origin);
	wb_table_release(&s->by_search);
	wb_table_release(&s->by_list);
	wb_buf_release(&s->path);
	wb_buf_release(&s->text);
}

void wb_search_look(struct wb_search *s, const struct wb_scan_request *req, unsigned lex)
{
	/* A thread that has seen the whole disk starts anew. */
	if (s->nplace > MAX_PLACES || s->nfound > MAX_FOUND || s->nprobed > MAX_PROBED || s->disk == UINT32_MAX ||
	    s->last >= UINT32_MAX - 4) {
		struct wb_idents *idents = s->idents;
		struct wb_program_store *store = s->store;
		uint32_t era = s->era + 1;
		wb_search_release(s);
		wb_search_init(s, idents, store);
		s->era = era;
	}
	if (req->moment == 0 || req->moment != s->moment || req->noverlay || s->noverlay) {
		s->disk++;
		s->wall_ns = wb_clock_wall_ns();
	}
	s->moment = req->moment;
	s->lex = lex;
	s->cwd = wb_ident_put(s->idents, req->cmd->cwd, strlen(req->cmd->cwd));
	s->overlay = req->overlay;
	s->noverlay = req->noverlay;
}

void wb_search_begin(struct wb_search *s)
{
	s->scan = ++s->last;
	s->kept = WB_NOWHERE;
	s->nmiss = s->nundo = 0;
}

void wb_search_keep(struct wb_search *s)
{
	s->kept = s->scan;
	s->scan = ++s->last;
	s->kept_miss = s->nmiss;
	s->nundo = 0;
}

void wb_search_back(struct wb_search *s)
{
	while (s->nundo) {
		const struct wb_entity_undo *u = &s->undo[--s->nundo];
		struct wb_entity *e = &s->entity[u->entity];
		e->guard = u->guard;
		e->once = u->once;
		e->imported = u->imported;
		e->included = u->included;
		e->twice = u->twice;
	}
	s->nmiss = s->kept_miss;
	s->scan = ++s->last;
}

void wb_search_change(struct wb_search *s, struct wb_entity *e)
{
	if (e->scan != s->kept)
		return;
	s->undo = wb_xgrow(s->undo, s->nundo, &s->undo_cap, sizeof *s->undo);
	s->undo[s->nundo++] =
	    (struct wb_entity_undo){(uint32_t)(e - s->entity), e->guard, e->once, e->imported, e->included, e->twice};
}

void wb_search_note(struct wb_search *s, struct wb_entity *e)
{
	s->was = wb_xgrow(s->was, s->nwas, &s->was_cap, sizeof *s->was);
	s->was[s->nwas++] = (struct wb_entity_was){.entity = (uint32_t)(e - s->entity),
						   .before = e->touched,
						   .guard = e->guard,
						   .first = e->first,
						   .opened = e->opened,
						   .met = wb_search_met(s, e->scan),
						   .once = e->once,
						   .imported = e->imported,
						   .included = e->included,
						   .twice = e->twice};
	e->touched = s->clock;
}

static void probed_in_vain(struct wb_search *s, uint32_t place)
{
	s->probed = wb_xgrow(s->probed, s->nprobed, &s->probed_cap, sizeof *s->probed);
	uint32_t blocked = s->place[place].state == WB_PLACE_DIRECTORY ? WB_BLOCKED : 0;
	s->probed[s->nprobed++] = s->place[place].plain | blocked;
}

/* The miss belongs to this scan. */
static void count_miss(struct wb_search *s, uint32_t probed)
{
	uint32_t plain = probed & ~WB_BLOCKED;
	if (wb_search_met(s, s->missed[plain]))
		return;
	s->missed[plain] = s->scan;
	s->miss = wb_xgrow(s->miss, s->nmiss, &s->miss_cap, sizeof *s->miss);
	s->miss[s->nmiss++] = probed;
}

/* A file that was found belongs to this scan. */
static void meet(struct wb_search *s, uint32_t place)
{
	struct wb_entity *e = &s->entity[s->place[place].entity];
	if (!wb_search_met(s, e->scan)) {
		wb_search_touch(s, e);
		e->scan = s->scan;
		e->once = e->imported = e->included = e->twice = false;
		e->guard = 0;
		e->first = place;
	} else if (!e->twice && s->place[e->first].plain != s->place[place].plain) {
		wb_search_touch(s, e);
		wb_search_change(s, e);
		e->twice = true;
	}
}

/* Is there a file? It is looked for only where its directory exists: a missing directory stands for all of it. */
static bool file_at(struct wb_search *s, uint32_t i)
{
	uint32_t parent = wb_search_parent(s, i);
	if (wb_search_state(s, parent) == WB_PLACE_MISSING) {
		probed_in_vain(s, parent);
		return false;
	}
	if (wb_search_state(s, i) == WB_PLACE_FILE)
		return true;
	probed_in_vain(s, i);
	return false;
}

/* A look-up outside of any search: what it met and missed is of this scan at once. */
static uint32_t single(struct wb_search *s, uint32_t place)
{
	size_t n = s->nprobed;
	bool found = file_at(s, place);
	while (s->nprobed > n)
		count_miss(s, s->probed[--s->nprobed]);
	if (!found)
		return WB_NOWHERE;
	meet(s, place);
	return place;
}

uint32_t wb_search_path(struct wb_search *s, const char *path, size_t n)
{
	return single(s, wb_search_place(s, path, n));
}

uint32_t wb_search_in(struct wb_search *s, uint32_t dir, uint32_t name)
{
	return single(s, wb_search_place_in(s, dir, name));
}

uint32_t wb_search_origin(struct wb_search *s, uint32_t dir, uint32_t start)
{
	uint64_t key = (uint64_t)s->in_use << 32 | (dir == WB_NOWHERE ? 0x80000000u | start : dir);
	uint32_t i = wb_table_get(&s->by_origin, key);
	if (i != WB_NOWHERE)
		return i;
	s->origin = wb_xgrow(s->origin, s->norigin, &s->origin_cap, sizeof *s->origin);
	i = s->norigin++;
	s->origin[i] = (struct wb_origin){s->in_use, dir, start};
	wb_table_put(&s->by_origin, key, i);
	return i;
}

/* Is there a file `name` in directory `dir`? */
static bool file_in(struct wb_search *s, uint32_t dir, uint32_t name, uint32_t above, uint32_t *place)
{
	/* Most directories of a list do not even have the directory part of the name. */
	if (above) {
		uint32_t parent = wb_search_place_in(s, dir, above);
		if (wb_search_state(s, parent) == WB_PLACE_MISSING) {
			probed_in_vain(s, parent);
			return false;
		}
	}
	*place = wb_search_place_in(s, dir, name);
	return file_at(s, *place);
}

static void resolve(struct wb_search *s, struct wb_found *f, struct wb_quest *q)
{
	const struct wb_origin *o = &s->origin[q->origin];
	const struct wb_search_dirs *list = &s->list[o->list];
	uint32_t place = WB_NOWHERE;
	f->place = f->next = WB_NOWHERE;
	q->miss = (uint32_t)s->nprobed;
	if (*f->text == '/') {
		place = wb_search_place(s, f->text, strlen(f->text));
		if (file_at(s, place))
			f->place = place;
	} else if (o->dir != WB_NOWHERE && file_in(s, o->dir, f->name, q->above, &place)) {
		f->place = place;
		f->next = WB_FOUND_BESIDE;
	} else {
		for (uint32_t i = o->start; i < list->n && f->place == WB_NOWHERE; i++) {
			if (!file_in(s, list->dir[i], f->name, q->above, &place))
				continue;
			f->place = place;
			f->next = i + 1;
		}
	}
	q->nmiss = (uint32_t)s->nprobed - q->miss;
}

static bool still_in_vain(struct wb_search *s, uint32_t probed)
{
	enum wb_place_state state = wb_search_state(s, probed & ~WB_BLOCKED);
	return state == (probed & WB_BLOCKED ? WB_PLACE_DIRECTORY : WB_PLACE_MISSING);
}

/* Does the disk give the same answer as before? */
static bool still_holds(struct wb_search *s, const struct wb_found *f, const struct wb_quest *q)
{
	if (f->disk == 0 || (f->place != WB_NOWHERE && wb_search_state(s, f->place) != WB_PLACE_FILE))
		return false;
	for (uint32_t i = 0; i < q->nmiss; i++)
		if (!still_in_vain(s, s->probed[q->miss + i]))
			return false;
	return true;
}

static void settle(struct wb_search *s, struct wb_found *f, struct wb_quest *q)
{
	if (f->disk == s->disk)
		return;
	if (!still_holds(s, f, q))
		resolve(s, f, q);
	f->disk = s->disk;
	f->scan = 0;
}

struct wb_found *wb_search_meet(struct wb_search *s, uint32_t i)
{
	struct wb_found *f = &s->found[i];
	if (f->disk == s->disk && wb_search_met(s, f->scan))
		return f;
	struct wb_quest *q = &s->question[i];
	settle(s, f, q);
	f->scan = s->scan;
	f->node = WB_NOWHERE;
	for (uint32_t k = 0; k < q->nmiss; k++)
		count_miss(s, s->probed[q->miss + k]);
	if (f->place != WB_NOWHERE)
		meet(s, f->place);
	return f;
}

static uint32_t search(struct wb_search *s, uint32_t origin, uint32_t name)
{
	uint64_t key = (uint64_t)origin << 32 | name;
	uint32_t i = wb_table_get(&s->by_search, key);
	if (i != WB_NOWHERE)
		return i;
	struct wb_str text = wb_ident_text(s->idents, name);
	size_t n = text.n;
	while (n && text.p[n - 1] != '/')
		n--;
	while (n && text.p[n - 1] == '/')
		n--;
	s->found = wb_xgrow_lines(s->found, s->nfound, &s->found_cap, sizeof *s->found);
	s->question = wb_xgrow(s->question, s->nfound, &s->question_cap, sizeof *s->question);
	i = s->nfound++;
	s->found[i] = (struct wb_found){.name = name, .text = text.p};
	s->question[i] = (struct wb_quest){.origin = origin, .above = n ? wb_ident_put(s->idents, text.p, n) : 0};
	wb_table_put(&s->by_search, key, i);
	return i;
}

struct wb_found *wb_search_find(struct wb_search *s, uint32_t origin, uint32_t name)
{
	return wb_search_meet(s, search(s, origin, name));
}

uint32_t wb_search_resolve(struct wb_search *s, uint32_t origin, uint32_t name)
{
	uint32_t i = search(s, origin, name);
	settle(s, &s->found[i], &s->question[i]);
	return i;
}

struct wb_found *wb_search_find_at(struct wb_search *s, struct wb_site *site, uint32_t origin, uint32_t name)
{
	if (site->key != origin)
		*site = (struct wb_site){origin, search(s, origin, name)};
	return wb_search_meet(s, site->value);
}

static bool same_dir(const struct wb_search *s, uint32_t x, uint32_t y)
{
	const struct wb_stat_id *a = &s->place[x].id, *b = &s->place[y].id;
	return a->dev == b->dev && a->ino == b->ino;
}

struct entry {
	uint32_t place;
	bool system;
};

/* Drop what is there twice, from `first` on; a user's directory that is also a system one gives way to that. gcc and
 * clang (InitHeaderSearch.cpp, RemoveDuplicates) do the same. */
static uint32_t remove_duplicates(struct wb_search *s, struct entry *v, uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < n; i++) {
		uint32_t earlier = first, drop = i;
		while (!same_dir(s, v[earlier].place, v[i].place))
			earlier++;
		if (earlier == i)
			continue;
		if (v[i].system && !v[earlier].system)
			drop = earlier;
		memmove(v + drop, v + drop + 1, (n - drop - 1) * sizeof *v);
		n--;
		i--;
	}
	return n;
}

/* The number of the list of these directories. */
static uint32_t list_of(struct wb_search *s, const struct entry *v, uint32_t n, uint32_t nquote)
{
	uint64_t key = nquote;
	for (uint32_t i = 0; i < n; i++)
		key = (key ^ v[i].place) * 0x9e3779b97f4a7c15u + (key >> 29);
	for (;; key++) {
		uint32_t known = wb_table_get(&s->by_list, key);
		if (known == WB_NOWHERE)
			break;
		const struct wb_search_dirs *l = &s->list[known];
		bool same = l->n == n && l->nquote == nquote;
		for (uint32_t i = 0; same && i < n; i++)
			same = l->dir[i] == v[i].place;
		if (same)
			return known;
	}
	s->list = wb_xgrow(s->list, s->nlist, &s->list_cap, sizeof *s->list);
	struct wb_search_dirs *l = &s->list[s->nlist];
	*l = (struct wb_search_dirs){wb_xcalloc(n + 1, sizeof *l->dir), n, nquote};
	for (uint32_t i = 0; i < n; i++)
		l->dir[i] = v[i].place;
	wb_table_put(&s->by_list, key, s->nlist);
	return s->nlist++;
}

bool wb_search_use(struct wb_search *s, const struct wb_search_list *list, size_t count)
{
	struct entry *v = wb_xcalloc(count + 1, sizeof *v);
	uint32_t n = 0, nquote = 0;
	if (count > s->gone_cap) {
		s->gone_cap = 2 * count;
		s->gone = wb_xrealloc(s->gone, s->gone_cap * sizeof *s->gone);
	}
	s->ngone = 0;
	bool good = true;
	for (unsigned group = 0; group < WB_SEARCH_GROUPS; group++) {
		for (size_t i = 0; i < count; i++) {
			if (list[i].group != group)
				continue;
			size_t len = strlen(list[i].path);
			if (len > 1 && list[i].path[len - 1] == '/')
				len--;
			uint32_t place = wb_search_place(s, list[i].path, len);
			enum wb_place_state state = wb_search_state(s, place);
			if (state == WB_PLACE_DIRECTORY)
				v[n++] = (struct entry){place, group >= WB_SEARCH_SYSTEM};
			else if (state == WB_PLACE_FILE)
				good = false; /* a header map? */
			else
				s->gone[s->ngone++] = s->place[place].plain;
		}
		if (group == WB_SEARCH_QUOTE)
			nquote = n = remove_duplicates(s, v, 0, n);
		if (group == WB_SEARCH_ANGLED)
			n = remove_duplicates(s, v, nquote, n);
	}
	n = remove_duplicates(s, v, nquote, n);
	s->in_use = list_of(s, v, n, nquote);
	free(v);
	wb_search_use_again(s);
	return good;
}

void wb_search_use_again(struct wb_search *s)
{
	for (size_t i = 0; i < s->ngone; i++)
		count_miss(s, s->gone[i]);
}

static void set_program(struct wb_search *s, struct wb_entity *e, struct wb_program *p)
{
	if (e->program)
		s->replaced++;
	wb_program_unref(e->program);
	free(e->site);
	e->program = p;
	e->site = p ? wb_xcalloc(2 * (size_t)p->nsite + 3, sizeof *e->site) : NULL;
}

const struct wb_program *wb_search_program(struct wb_search *s, uint32_t i)
{
	struct wb_place *p = &s->place[i];
	struct wb_entity *e = &s->entity[p->entity];
	bool overlay = p->id.dev == WB_OVERLAY_DEVICE;
	if (e->program && e->program->lex == s->lex) {
		if (e->disk != s->disk && !overlay && !e->program->racy && wb_stat_id_eq(&e->program->id, &p->id))
			e->disk = s->disk;
		if (e->disk == s->disk) {
			p->id = e->program->id;
			return e->program;
		}
	}
	struct wb_program *program;
	if (overlay) {
		const struct wb_overlay_file *o = &s->overlay[p->id.ino - 1];
		char *text = wb_xrealloc(NULL, o->n + 1);
		memcpy(text, o->data, o->n);
		text[o->n] = '\0';
		program = wb_program_new(s->idents, text, o->n, s->lex);
		program->id = p->id;
		free(text);
	} else {
		program = wb_program_store_get(s->store, wb_search_absolute(s, p), &p->id, s->lex, &s->text);
	}
	set_program(s, e, program);
	e->disk = program ? s->disk : 0;
	if (program)
		p->id = program->id;
	return program;
}
