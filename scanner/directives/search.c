#define _GNU_SOURCE
#include "scanner/directives/search.h"

#include "base/path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OVERLAY_DEVICE UINT64_MAX
enum { MAX_PLACES = 1 << 20 };

static uint64_t mixed(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
	return x ^ x >> 32;
}

uint32_t wb_table_get(const struct wb_table *t, uint64_t key)
{
	if (t->cap == 0)
		return WB_NOWHERE;
	for (uint32_t i = (uint32_t)mixed(key) & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
		if (t->value[i] == WB_NOWHERE)
			return WB_NOWHERE;
		if (t->key[i] == key)
			return t->value[i];
	}
}

static void table_insert(struct wb_table *t, uint64_t key, uint32_t value)
{
	uint32_t i = (uint32_t)mixed(key) & (t->cap - 1);
	while (t->value[i] != WB_NOWHERE)
		i = (i + 1) & (t->cap - 1);
	t->key[i] = key;
	t->value[i] = value;
}

void wb_table_put(struct wb_table *t, uint64_t key, uint32_t value)
{
	if (2 * t->n >= t->cap) {
		struct wb_table old = *t;
		t->cap = old.cap ? 2 * old.cap : 1024;
		t->key = wb_xcalloc(t->cap, sizeof *t->key);
		t->value = wb_xrealloc(NULL, t->cap * sizeof *t->value);
		memset(t->value, 0xff, t->cap * sizeof *t->value);
		for (uint32_t i = 0; i < old.cap; i++)
			if (old.value[i] != WB_NOWHERE)
				table_insert(t, old.key[i], old.value[i]);
		free(old.key);
		free(old.value);
	}
	t->n++;
	table_insert(t, key, value);
}

void wb_table_release(struct wb_table *t)
{
	free(t->key);
	free(t->value);
	*t = (struct wb_table){0};
}

static void table_clear(struct wb_table *t)
{
	if (t->n)
		memset(t->value, 0xff, t->cap * sizeof *t->value);
	t->n = 0;
}

static void *grown(void *v, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return v;
	*cap = *cap ? 2 * *cap : 256;
	return wb_xrealloc(v, *cap * size);
}

void wb_search_init(struct wb_search *s, struct wb_idents *idents, struct wb_program_store *store)
{
	*s = (struct wb_search){.idents = idents, .store = store, .path = WB_BUF_INIT};
}

void wb_search_release(struct wb_search *s)
{
	for (uint32_t i = 0; i < s->nentity; i++)
		wb_program_unref(s->entity[i].program);
	free(s->place);
	free(s->entity);
	free(s->dir);
	free(s->miss);
	wb_table_release(&s->by_path);
	wb_table_release(&s->by_name);
	wb_table_release(&s->by_inode);
	wb_table_release(&s->found);
	wb_buf_release(&s->path);
}

void wb_search_begin(struct wb_search *s, const struct wb_scan_request *req, unsigned lex)
{
	/* A thread that has seen the whole disk starts anew. */
	if (s->nplace > MAX_PLACES || s->scan == UINT32_MAX) {
		struct wb_idents *idents = s->idents;
		struct wb_program_store *store = s->store;
		wb_search_release(s);
		wb_search_init(s, idents, store);
	}
	s->scan++;
	if (req->moment == 0 || req->moment != s->moment || req->noverlay || s->noverlay)
		s->disk++;
	s->moment = req->moment;
	s->lex = lex;
	s->cwd = wb_ident_put(s->idents, req->cmd->cwd, strlen(req->cmd->cwd));
	s->overlay = req->overlay;
	s->noverlay = req->noverlay;
	s->ndir = s->nquote = 0;
	s->nmiss = 0;
	table_clear(&s->found);
}

static struct wb_str without_dot(struct wb_str p)
{
	while (p.n > 2 && p.p[0] == '.' && p.p[1] == '/') {
		p.p += 2, p.n -= 2;
		while (p.n && *p.p == '/')
			p.p++, p.n--;
	}
	return p;
}

uint32_t wb_search_place(struct wb_search *s, const char *path, size_t n)
{
	uint32_t text = wb_ident_put(s->idents, path, n), cwd = n && *path == '/' ? 0 : s->cwd;
	uint64_t key = (uint64_t)cwd << 32 | text;
	uint32_t i = wb_table_get(&s->by_path, key);
	if (i != WB_NOWHERE)
		return i;
	s->place = grown(s->place, s->nplace, &s->place_cap, sizeof *s->place);
	i = s->nplace++;
	s->place[i] = (struct wb_place){.path = text, .cwd = cwd, .parent = WB_NOWHERE, .plain = i};
	wb_table_put(&s->by_path, key, i);
	struct wb_str plain = without_dot((struct wb_str){path, n});
	if (plain.n != n) {
		uint32_t other = wb_search_place(s, plain.p, plain.n);
		s->place[i].plain = other;
	}
	return i;
}

/* The path to hand to the kernel; valid until the next call. */
static const char *absolute(struct wb_search *s, const struct wb_place *p)
{
	struct wb_str path = wb_ident_text(s->idents, p->path);
	if (p->cwd == 0)
		return path.p;
	struct wb_str cwd = wb_ident_text(s->idents, p->cwd);
	wb_buf_reset(&s->path);
	wb_buf_add(&s->path, cwd.p, cwd.n);
	wb_buf_addc(&s->path, '/');
	wb_buf_add(&s->path, path.p, path.n);
	return s->path.p;
}

static bool overlaid(struct wb_search *s, struct wb_place *p, const char *path)
{
	struct wb_arena a;
	bool found = false;
	wb_arena_init(&a);
	const char *folded = wb_path_fold(&a, path);
	for (size_t i = 0; i < s->noverlay && !found; i++) {
		if (strcmp(folded, wb_path_fold(&a, s->overlay[i].path)) != 0)
			continue;
		p->id = (struct wb_stat_id){
		    .dev = OVERLAY_DEVICE, .ino = i + 1, .size = (int64_t)s->overlay[i].n, .mode = S_IFREG | 0444};
		found = true;
	}
	wb_arena_release(&a);
	return found;
}

static uint32_t entity_of(struct wb_search *s, const struct wb_stat_id *id, uint32_t place)
{
	uint64_t key = id->ino ^ id->dev << 40;
	uint32_t i;
	for (;; key++) { /* two devices may make one key */
		i = wb_table_get(&s->by_inode, key);
		if (i == WB_NOWHERE || (s->entity[i].dev == id->dev && s->entity[i].ino == id->ino))
			break;
	}
	if (i == WB_NOWHERE) {
		s->entity = grown(s->entity, s->nentity, &s->entity_cap, sizeof *s->entity);
		i = s->nentity++;
		s->entity[i] = (struct wb_entity){.dev = id->dev, .ino = id->ino};
		wb_table_put(&s->by_inode, key, i);
	}
	struct wb_entity *e = &s->entity[i];
	if (e->scan != s->scan) {
		struct wb_program *program = e->program;
		*e = (struct wb_entity){
		    .dev = id->dev, .ino = id->ino, .program = program, .scan = s->scan, .first = place};
	} else if (s->place[e->first].plain != s->place[place].plain) {
		e->twice = true;
	}
	return i;
}

static void find_out(struct wb_search *s, struct wb_place *p)
{
	const char *path = absolute(s, p);
	p->disk = s->disk;
	p->state = WB_PLACE_MISSING;
	if ((s->noverlay && overlaid(s, p, path)) || wb_stat_id_get(&p->id, path, true))
		p->state = S_ISDIR(p->id.mode) ? WB_PLACE_DIRECTORY : WB_PLACE_FILE;
}

/* What stands at a place, in this scan. */
static struct wb_place *look(struct wb_search *s, uint32_t i)
{
	struct wb_place *p = &s->place[i];
	if (p->scan == s->scan)
		return p;
	p->scan = s->scan;
	if (p->disk != s->disk)
		find_out(s, p);
	if (p->state == WB_PLACE_FILE)
		p->entity = entity_of(s, &p->id, i);
	struct wb_place *plain = &s->place[p->plain];
	if (p->state == WB_PLACE_MISSING && plain->miss_scan != s->scan) {
		plain->miss_scan = s->scan;
		s->miss = grown(s->miss, s->nmiss, &s->miss_cap, sizeof *s->miss);
		s->miss[s->nmiss++] = p->plain;
	}
	return p;
}

uint32_t wb_search_parent(struct wb_search *s, uint32_t i)
{
	if (s->place[i].parent != WB_NOWHERE)
		return s->place[i].parent;
	struct wb_str path = wb_search_text(s, i);
	size_t n = path.n;
	while (n && path.p[n - 1] != '/')
		n--;
	while (n > 1 && path.p[n - 1] == '/')
		n--;
	uint32_t parent = n ? wb_search_place(s, path.p, n) : wb_search_place(s, ".", 1);
	s->place[i].parent = parent;
	return parent;
}

/* A file is looked for only where its directory exists: a missing directory stands for all of it. */
static uint32_t file_at(struct wb_search *s, uint32_t i)
{
	if (s->place[i].scan != s->scan && look(s, wb_search_parent(s, i))->state != WB_PLACE_DIRECTORY) {
		s->place[i].scan = s->scan;
		s->place[i].state = WB_PLACE_MISSING;
	}
	return look(s, i)->state == WB_PLACE_FILE ? i : WB_NOWHERE;
}

uint32_t wb_search_path(struct wb_search *s, const char *path, size_t n)
{
	return file_at(s, wb_search_place(s, path, n));
}

uint32_t wb_search_in(struct wb_search *s, uint32_t dir, uint32_t name)
{
	uint64_t key = (uint64_t)dir << 32 | name;
	uint32_t i = wb_table_get(&s->by_name, key);
	if (i == WB_NOWHERE) {
		struct wb_str d = wb_search_text(s, dir), n = wb_ident_text(s->idents, name);
		wb_buf_reset(&s->path);
		wb_buf_add(&s->path, d.p, d.n);
		if (d.n && d.p[d.n - 1] != '/')
			wb_buf_addc(&s->path, '/');
		wb_buf_add(&s->path, n.p, n.n);
		i = wb_search_place(s, s->path.p, s->path.n);
		wb_table_put(&s->by_name, key, i);
	}
	return file_at(s, i);
}

uint32_t wb_search_list_from(struct wb_search *s, uint32_t start, uint32_t name, uint32_t *at)
{
	uint64_t key = (uint64_t)start << 32 | name;
	uint32_t known = wb_table_get(&s->found, key);
	uint32_t from = known == WB_NOWHERE ? start : known;
	for (; from < s->ndir; from++) {
		uint32_t place = wb_search_in(s, s->dir[from], name);
		if (place == WB_NOWHERE)
			continue;
		if (known == WB_NOWHERE)
			wb_table_put(&s->found, key, from);
		*at = from;
		return place;
	}
	if (known == WB_NOWHERE)
		wb_table_put(&s->found, key, s->ndir);
	return WB_NOWHERE;
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

bool wb_search_dirs(struct wb_search *s, const struct wb_search_list *list, size_t count)
{
	struct entry *v = wb_xcalloc(count + 1, sizeof *v);
	uint32_t n = 0;
	bool good = true;
	for (unsigned group = 0; group < WB_SEARCH_GROUPS; group++) {
		for (size_t i = 0; i < count; i++) {
			if (list[i].group != group)
				continue;
			size_t len = strlen(list[i].path);
			if (len > 1 && list[i].path[len - 1] == '/')
				len--;
			uint32_t place = wb_search_place(s, list[i].path, len);
			struct wb_place *p = look(s, place);
			if (p->state == WB_PLACE_DIRECTORY)
				v[n++] = (struct entry){place, group >= WB_SEARCH_SYSTEM};
			else if (p->state == WB_PLACE_FILE)
				good = false; /* a header map? */
		}
		if (group == WB_SEARCH_QUOTE)
			s->nquote = n = remove_duplicates(s, v, 0, n);
		if (group == WB_SEARCH_ANGLED)
			n = remove_duplicates(s, v, s->nquote, n);
	}
	n = remove_duplicates(s, v, s->nquote, n);
	for (s->ndir = 0; s->ndir < n; s->ndir++) {
		s->dir = grown(s->dir, s->ndir, &s->dir_cap, sizeof *s->dir);
		s->dir[s->ndir] = v[s->ndir].place;
	}
	free(v);
	return good;
}

const struct wb_program *wb_search_program(struct wb_search *s, uint32_t i)
{
	struct wb_place *p = &s->place[i];
	struct wb_entity *e = &s->entity[p->entity];
	if (e->checked) {
		p->id = e->program->id;
		return e->program;
	}
	if (e->program && p->id.dev != OVERLAY_DEVICE && wb_stat_id_eq(&e->program->id, &p->id) &&
	    e->program->lex == s->lex && !e->program->racy) {
		e->checked = true;
		return e->program;
	}
	wb_program_unref(e->program);
	if (p->id.dev == OVERLAY_DEVICE) {
		const struct wb_overlay_file *o = &s->overlay[p->id.ino - 1];
		char *text = wb_xrealloc(NULL, o->n + 1);
		memcpy(text, o->data, o->n);
		text[o->n] = '\0';
		e->program = wb_program_new(s->idents, text, o->n, s->lex);
		e->program->id = p->id;
		free(text);
	} else {
		e->program = wb_program_store_get(s->store, absolute(s, p), &p->id, s->lex);
	}
	e->checked = e->program != NULL;
	if (e->program)
		p->id = e->program->id;
	return e->program;
}
