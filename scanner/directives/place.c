/* place.c — the paths that were ever looked at, and what stands there by the present look at the disk.
 *
 * A name that was missing is missing still while its directory is the same inode with the same times, if these were old
 * enough when the name was looked for that a later change would show in them, and if the name was not a symbolic link
 * that leads nowhere. Most of what searches probe is missing, so that most looks need no system call. */
#define _GNU_SOURCE
#include "base/path.h"
#include "scanner/directives/search.h"
#include "scanner/standing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
	s->place = wb_xgrow(s->place, s->nplace, &s->place_cap, sizeof *s->place);
	s->missed = wb_xgrow(s->missed, s->nplace, &s->missed_cap, sizeof *s->missed);
	i = s->nplace++;
	s->missed[i] = 0;
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
const char *wb_search_absolute(struct wb_search *s, const struct wb_place *p)
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
		    .dev = WB_OVERLAY_DEVICE, .ino = i + 1, .size = (int64_t)s->overlay[i].n, .mode = S_IFREG | 0444};
		found = true;
	}
	wb_arena_release(&a);
	return found;
}

/* The entity with this identity, whenever it was met. */
static uint32_t entity_of(struct wb_search *s, const struct wb_stat_id *id)
{
	uint64_t key = id->ino ^ id->dev << 40;
	uint32_t i;
	for (;; key++) { /* two devices may make one key */
		i = wb_table_get(&s->by_inode, key);
		if (i == WB_NOWHERE)
			break;
		if (s->entity[i].dev == id->dev && s->entity[i].ino == id->ino)
			return i;
	}
	s->entity = wb_xgrow_lines(s->entity, s->nentity, &s->entity_cap, sizeof *s->entity);
	i = s->nentity++;
	s->entity[i] = (struct wb_entity){.dev = id->dev, .ino = id->ino};
	wb_table_put(&s->by_inode, key, i);
	return i;
}

/* May a name that is missing in the directory be taken for missing until the directory changes? Asked of each
 * directory: the number of a device may come back for another file system. */
static bool tells(const struct wb_search *s, const struct wb_stat_id *id, const char *path)
{
	return !wb_stand_is_racy(id, s->wall_ns) && wb_stand_keeps_times(path);
}

static bool still_missing(struct wb_search *s, uint32_t i)
{
	uint32_t parent = wb_search_parent(s, i), version = s->place[i].bound;
	return parent != i && wb_search_state(s, parent) == WB_PLACE_DIRECTORY && s->place[parent].version == version;
}

/* Look at the disk. */
static void look(struct wb_search *s, uint32_t i)
{
	uint32_t parent = wb_search_parent(s, i);
	const struct wb_place *in = &s->place[parent];
	bool bind = parent != i && in->disk == s->disk && in->state == WB_PLACE_DIRECTORY;
	struct wb_place *p = &s->place[i];
	const char *path = wb_search_absolute(s, p);
	struct wb_stat_id was = p->id;
	uint32_t version = p->state == WB_PLACE_DIRECTORY ? p->version : 0;
	p->disk = s->disk;
	p->state = WB_PLACE_MISSING;
	p->bound = p->version = 0;
	if (s->noverlay && overlaid(s, p, path)) {
		p->state = WB_PLACE_FILE;
	} else if (wb_stat_id_get(&p->id, path, p->is_link)) {
		p->is_link = p->is_link || S_ISLNK(p->id.mode);
		if (!S_ISLNK(p->id.mode) || wb_stat_id_get(&p->id, path, true))
			p->state = S_ISDIR(p->id.mode) ? WB_PLACE_DIRECTORY : WB_PLACE_FILE;
	} else if (bind && errno == ENOENT && !p->is_link && !s->noverlay) {
		p->bound = in->version;
	}
	if (p->state == WB_PLACE_DIRECTORY && version && wb_stat_id_eq(&was, &p->id))
		p->version = version;
	else if (p->state == WB_PLACE_DIRECTORY && tells(s, &p->id, path))
		p->version = ++s->versions;
	if (p->state == WB_PLACE_FILE)
		p->entity = entity_of(s, &p->id);
}

enum wb_place_state wb_search_state(struct wb_search *s, uint32_t i)
{
	if (s->place[i].disk != s->disk) {
		if (s->place[i].bound && !s->noverlay && still_missing(s, i))
			s->place[i].disk = s->disk;
		else
			look(s, i);
	}
	return (enum wb_place_state)s->place[i].state;
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

uint32_t wb_search_place_in(struct wb_search *s, uint32_t dir, uint32_t name)
{
	uint64_t key = (uint64_t)dir << 32 | name;
	uint32_t i = wb_table_get(&s->by_name, key);
	if (i != WB_NOWHERE)
		return i;
	struct wb_str d = wb_search_text(s, dir), n = wb_ident_text(s->idents, name);
	wb_buf_reset(&s->path);
	wb_buf_add(&s->path, d.p, d.n);
	if (d.n && d.p[d.n - 1] != '/')
		wb_buf_addc(&s->path, '/');
	wb_buf_add(&s->path, n.p, n.n);
	i = wb_search_place(s, s->path.p, s->path.n);
	wb_table_put(&s->by_name, key, i);
	return i;
}
