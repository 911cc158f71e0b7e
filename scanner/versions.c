#define _GNU_SOURCE
#include "scanner/versions.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/path.h"
#include "scanner/directives/ident.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAGE_BITS = 12, PAGE = 1 << PAGE_BITS, PAGES = 512, LOCKS = 64 };
#define NONE      UINT32_MAX
#define BYTES_MAX ((size_t)64 << 20)

struct file {
	uint32_t place, name;
	uint32_t reader, next; /* of the same place */
	_Atomic(const struct wb_version *) version;
};

/* Rows that threads read without a lock once they have the number. */
struct rows {
	_Atomic(void *) page[PAGES];
	_Atomic uint32_t n;
	size_t size;
};

/* One or several names? */
struct sharing {
	uint32_t name;
	bool several;
};

struct wb_versions {
	struct wb_idents *texts;
	struct wb_standing *standing;
	pthread_mutex_t lock; /* of everything but the rows' contents */
	struct rows place, file;
	uint32_t *absolute; /* number of a text -> place; NONE */
	uint32_t nabsolute;
	struct wb_map relative; /* numbers of a text and of a cwd -> place */
	struct wb_map inode;    /* device, inode -> struct sharing */
	struct wb_map shape;    /* reader, shape -> struct sharing */
	struct wb_arena arena;
	pthread_mutex_t file_lock[LOCKS]; /* a file's version is made by one thread */
	pthread_mutex_t clock;            /* held while a version becomes the known one */
	_Atomic uint64_t time;
};

static void *row(const struct rows *r, uint32_t i)
{
	char *page = atomic_load_explicit(&r->page[i >> PAGE_BITS], memory_order_acquire);
	return page + (i & (PAGE - 1)) * r->size;
}

static uint32_t new_row(struct rows *r)
{
	uint32_t i = r->n;
	if (i == PAGES * PAGE)
		return NONE;
	if ((i & (PAGE - 1)) == 0)
		atomic_store_explicit(&r->page[i >> PAGE_BITS], wb_xcalloc(PAGE, r->size), memory_order_release);
	atomic_store(&r->n, i + 1);
	return i;
}

static void free_rows(struct rows *r)
{
	for (size_t i = 0; i < PAGES; i++)
		free(r->page[i]);
}

struct wb_versions *wb_versions_new(struct wb_idents *texts)
{
	struct wb_versions *v = wb_xcalloc(1, sizeof *v);
	v->texts = texts;
	v->standing = wb_standing_new();
	pthread_mutex_init(&v->lock, NULL);
	pthread_mutex_init(&v->clock, NULL);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&v->file_lock[i], NULL);
	v->place.size = sizeof(struct wb_version_place);
	v->file.size = sizeof(struct file);
	wb_map_init(&v->relative);
	wb_map_init(&v->inode);
	wb_map_init(&v->shape);
	wb_arena_init(&v->arena);
	return v;
}

void wb_versions_free(struct wb_versions *v)
{
	if (!v)
		return;
	wb_standing_free(v->standing);
	free_rows(&v->place);
	free_rows(&v->file);
	free(v->absolute);
	wb_map_release(&v->relative);
	wb_map_release(&v->inode);
	wb_map_release(&v->shape);
	wb_arena_release(&v->arena);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&v->file_lock[i]);
	pthread_mutex_destroy(&v->clock);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

static size_t map_bytes(const struct wb_map *m)
{
	return m->keys.used + m->cap * sizeof *m->slot;
}

size_t wb_versions_bytes(struct wb_versions *v)
{
	pthread_mutex_lock(&v->lock);
	size_t n = v->arena.used + v->nabsolute * sizeof *v->absolute + map_bytes(&v->relative) + map_bytes(&v->inode) +
		   map_bytes(&v->shape) + (v->place.n / PAGE + 1) * PAGE * v->place.size +
		   (v->file.n / PAGE + 1) * PAGE * v->file.size;
	pthread_mutex_unlock(&v->lock);
	return n + wb_standing_bytes(v->standing);
}

bool wb_versions_full(struct wb_versions *v)
{
	return v->place.n > (PAGES - 1) * PAGE || v->file.n > (PAGES - 1) * PAGE || wb_standing_full(v->standing) ||
	       wb_versions_bytes(v) > BYTES_MAX;
}

struct wb_standing *wb_versions_standing(struct wb_versions *v)
{
	return v->standing;
}

uint64_t wb_versions_time(struct wb_versions *v)
{
	return atomic_load(&v->time);
}

/* --- places and files --- */

/* The functions down to wb_versions_file_place are called under the lock. */
static uint32_t new_place(struct wb_versions *v, uint32_t word, const char *text, const char *cwd)
{
	struct wb_arena a;
	uint32_t i = new_row(&v->place);
	if (i == NONE)
		return NONE;
	struct wb_version_place *p = row(&v->place, i);
	wb_arena_init(&a);
	const char *path = wb_path_join(&a, cwd, text);
	*p = (struct wb_version_place){.text = wb_ident_text(v->texts, word).p,
				       .n = (uint32_t)strlen(text),
				       .name = wb_standing_name(v->standing, path, strlen(path)),
				       .file = NONE};
	wb_arena_release(&a);
	return p->name == NONE ? NONE : i;
}

static uint32_t absolute_place(struct wb_versions *v, uint32_t word, const char *text)
{
	if (word >= v->nabsolute) {
		uint32_t n = word + word / 2 + 4096;
		v->absolute = wb_xrealloc(v->absolute, n * sizeof *v->absolute);
		memset(v->absolute + v->nabsolute, 0xff, (n - v->nabsolute) * sizeof *v->absolute);
		v->nabsolute = n;
	}
	if (v->absolute[word] == NONE)
		v->absolute[word] = new_place(v, word, text, "/");
	return v->absolute[word];
}

/* `cwd_word` is that of `cwd`. */
static uint32_t place_of(struct wb_versions *v, const char *text, const char *cwd, uint32_t cwd_word)
{
	bool fresh;
	uint32_t key[2] = {wb_ident_put(v->texts, text, strlen(text)), cwd_word};
	if (!key[0] || !cwd_word)
		return NONE;
	if (text[0] == '/')
		return absolute_place(v, key[0], text);
	union wb_map_value *value = wb_map_put(&v->relative, key, sizeof key, &fresh);
	if (fresh)
		value->u = new_place(v, key[0], text, cwd);
	return (uint32_t)value->u;
}

uint32_t wb_versions_place(struct wb_versions *v, const char *text, const char *cwd)
{
	uint32_t cwd_word = wb_ident_put(v->texts, cwd, strlen(cwd));
	pthread_mutex_lock(&v->lock);
	uint32_t i = place_of(v, text, cwd, cwd_word);
	pthread_mutex_unlock(&v->lock);
	return i;
}

/* The file that a place is for a reader. */
static uint32_t file_of(struct wb_versions *v, uint32_t place, uint32_t reader)
{
	struct wb_version_place *p = row(&v->place, place);
	for (uint32_t i = p->file; i != NONE;) {
		const struct file *f = row(&v->file, i);
		if (f->reader == reader)
			return i;
		i = f->next;
	}
	uint32_t i = new_row(&v->file);
	if (i == NONE)
		return NONE;
	struct file *f = row(&v->file, i);
	f->place = place;
	f->name = p->name;
	f->reader = reader;
	f->next = p->file;
	p->file = i;
	return i;
}

bool wb_versions_number(uint32_t *file, uint32_t *miss, struct wb_versions *v, const struct wb_graph *g,
			const struct wb_reader *r)
{
	const char *cwd = r->req->cmd->cwd;
	uint32_t cwd_word = wb_ident_put(v->texts, cwd, strlen(cwd));
	bool good = true;
	pthread_mutex_lock(&v->lock);
	for (uint32_t i = 0; i < g->nfile && good; i++) {
		uint32_t place = place_of(v, g->file[i].path, cwd, cwd_word);
		file[i] = place == NONE ? NONE : file_of(v, place, r->number);
		good = file[i] != NONE;
	}
	for (size_t i = 0; i < g->nmiss && good; i++) {
		miss[i] = place_of(v, g->miss[i], cwd, cwd_word);
		good = miss[i] != NONE;
	}
	pthread_mutex_unlock(&v->lock);
	return good;
}

const struct wb_version_place *wb_versions_place_of(struct wb_versions *v, uint32_t place)
{
	return row(&v->place, place);
}

uint32_t wb_versions_file_place(struct wb_versions *v, uint32_t file, uint32_t *name)
{
	const struct file *f = row(&v->file, file);
	*name = f->name;
	return f->place;
}

const struct wb_version *wb_version_known(struct wb_versions *v, uint32_t file)
{
	return atomic_load_explicit(&((struct file *)row(&v->file, file))->version, memory_order_acquire);
}

/* --- versions --- */

/* Is `key` known by another name too? From now on this name counts. */
static bool is_shared(struct wb_versions *v, struct wb_map *m, const void *key, size_t n, uint32_t name)
{
	bool fresh;
	pthread_mutex_lock(&v->lock);
	union wb_map_value *value = wb_map_put(m, key, n, &fresh);
	if (fresh) {
		struct sharing *s = wb_arena_alloc(&v->arena, sizeof *s);
		s->name = name;
		value->p = s;
	}
	struct sharing *s = value->p;
	s->several = s->several || s->name != name;
	bool several = s->several;
	pthread_mutex_unlock(&v->lock);
	return several;
}

static bool inode_shared(struct wb_versions *v, const struct wb_stat_id *id, uint32_t name)
{
	uint64_t key[2] = {id->dev, id->ino};
	return is_shared(v, &v->inode, key, sizeof key, name);
}

/* The same directives in another file: the two may be of equal content, or become so. */
static bool shape_shared(struct wb_versions *v, const uint64_t shape[2], const struct wb_reader *r, uint32_t name)
{
	uint64_t key[3] = {shape[0], shape[1], r->number};
	return is_shared(v, &v->shape, key, sizeof key, name);
}

static bool read_shape(struct wb_version *out, struct wb_versions *v, const char *path, const struct wb_reader *r)
{
	struct wb_arena a;
	struct wb_file_shape shape = {.nline = 0};
	wb_arena_init(&a);
	bool good = r->engine->shape(r->engine, &a, r->req, path, &shape) && wb_stat_id_eq(&shape.id, &out->stand->id);
	if (good) {
		out->by_shape = true;
		out->lines_matter = shape.lines_matter;
		memcpy(out->shape, shape.shape, sizeof out->shape);
		pthread_mutex_lock(&v->lock);
		struct wb_line_table *lines =
		    wb_arena_alloc(&v->arena, sizeof *lines + shape.nline * sizeof *lines->line);
		pthread_mutex_unlock(&v->lock);
		lines->n = shape.nline;
		if (shape.nline)
			memcpy(lines->line, shape.line, shape.nline * sizeof *lines->line);
		out->lines = lines;
	}
	wb_arena_release(&a);
	return good;
}

static bool read_content(struct wb_version *out, const char *path)
{
	struct wb_stat_id now;
	return wb_is_ok(wb_digest_file(&out->content, path, NULL)) && wb_stat_id_get(&now, path, true) &&
	       wb_stat_id_eq(&now, &out->stand->id);
}

static bool same_lines(const struct wb_line_table *x, const struct wb_line_table *y)
{
	return x->n == y->n && (x->n == 0 || memcmp(x->line, y->line, x->n * sizeof *x->line) == 0);
}

/* Does a scan see the same in `now` as in `old`? *lines_moved: but for line numbers. */
static bool looks_the_same(struct wb_versions *v, const struct wb_version *old, const struct wb_version *now,
			   const struct wb_reader *r, uint32_t name, bool *lines_moved)
{
	const struct wb_stat_id *was = &old->stand->id, *is = &now->stand->id;
	*lines_moved = false;
	/* Compilers tell files by their inodes: which names are one file may have changed when another one is here, and
	 * when an inode of several names was touched (a link to it made instead of a symlink). */
	bool shared_now = inode_shared(v, is, name), shared_then = inode_shared(v, was, name);
	if (shared_now || shared_then)
		return false;
	if (!now->by_shape)
		return !old->by_shape && wb_digest_eq(&old->content, &now->content);
	if (!old->by_shape || memcmp(old->shape, now->shape, sizeof now->shape) != 0)
		return false;
	if (shape_shared(v, now->shape, r, name) && r->twins)
		return false;
	if (old->lines->n != now->lines->n)
		return false;
	*lines_moved = !same_lines(old->lines, now->lines);
	return !*lines_moved || !(old->lines_matter || now->lines_matter);
}

static void make_known(struct wb_versions *v, struct file *f, const struct wb_version *old, struct wb_version *now,
		       bool same, bool moved)
{
	pthread_mutex_lock(&v->clock);
	uint64_t time = atomic_load(&v->time);
	if (old) {
		now->changed = same ? old->changed : time + 1;
		now->moved = same && !moved ? old->moved : time + 1;
	}
	atomic_store_explicit(&f->version, now, memory_order_release);
	/* Last: who reads this time sees the version. */
	if (old && (!same || moved))
		atomic_store(&v->time, time + 1);
	pthread_mutex_unlock(&v->clock);
}

static const struct wb_version *next_version(struct wb_versions *v, struct file *f, const struct wb_stand *stand,
					     const struct wb_reader *r)
{
	const struct wb_version *old = atomic_load_explicit(&f->version, memory_order_acquire);
	if (old && old->stand == stand)
		return old;
	if (wb_stand_is_racy(&stand->id, wb_clock_wall_ns()))
		return NULL;
	const struct wb_version_place *place = row(&v->place, f->place);
	struct wb_arena a;
	wb_arena_init(&a);
	const char *path = wb_path_join(&a, r->req->cmd->cwd, place->text);
	struct wb_version next = {.stand = stand};
	bool good = r->engine->shape ? read_shape(&next, v, path, r) : read_content(&next, path);
	wb_arena_release(&a);
	if (!good)
		return NULL;
	bool moved = false, same = old && looks_the_same(v, old, &next, r, place->name, &moved);
	if (!old) {
		inode_shared(v, &stand->id, place->name);
		if (next.by_shape)
			shape_shared(v, next.shape, r, place->name);
	}
	pthread_mutex_lock(&v->lock);
	struct wb_version *now = wb_arena_memdup(&v->arena, &next, sizeof next);
	pthread_mutex_unlock(&v->lock);
	make_known(v, f, old, now, same, moved);
	return now;
}

const struct wb_version *wb_version_of(struct wb_versions *v, uint32_t file, const struct wb_stand *stand,
				       const struct wb_reader *r)
{
	struct file *f = row(&v->file, file);
	const struct wb_version *known = atomic_load_explicit(&f->version, memory_order_acquire);
	if (known && known->stand == stand)
		return known;
	if (!S_ISREG(stand->id.mode))
		return NULL;
	pthread_mutex_lock(&v->file_lock[file % LOCKS]);
	const struct wb_version *now = next_version(v, f, stand, r);
	pthread_mutex_unlock(&v->file_lock[file % LOCKS]);
	return now;
}
