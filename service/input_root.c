#define _GNU_SOURCE
#include "service/input_root.h"

#include "base/fileio.h"
#include "base/path.h"
#include "reapi/messages.h"
#include "service/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum node_kind { NODE_FILE, NODE_SYMLINK, NODE_DIRECTORY };

/* What lies in a ROOT. */
struct node {
	const char *name;
	enum node_kind kind;
	bool exec;
	struct wb_digest digest; /* file; directory: of its Directory message */
	uint64_t ino;            /* file: the blob's inode that is linked there */
	bool own;                /* file: a copy of its own, see lay_file */
	const char *target;      /* symlink */
	struct node *child;      /* directory; sorted by name */
	size_t nchild;
};

/* A ROOT on disk and the memory of its tree. */
struct input_root_laid {
	struct wb_arena a;
	const char *dir;  /* holds ROOT and OUT */
	const char *root; /* ROOT */
	struct node tree;
	struct input_root_laid *next;
};

struct wb_input_roots {
	struct wb_store *store;
	pthread_mutex_t lock;
	struct input_root_laid *head; /* last used first */
};

/* A copy that the action could write to, and what stat said of it before. */
struct input_root_copy {
	const char *path; /* absolute */
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

/* ---- roots that are kept ---- */

static void unlink_files(struct wb_store *store, const struct node *dir, const char *path, struct wb_arena *a)
{
	for (size_t i = 0; i < dir->nchild; i++) {
		const struct node *c = &dir->child[i];
		if (c->kind == NODE_SYMLINK)
			continue;
		const char *sub = wb_arena_printf(a, "%s/%s", path, c->name);
		if (c->kind == NODE_FILE)
			wb_store_unlink(store, &c->digest, sub, c->exec);
		else
			unlink_files(store, c, sub, a);
	}
}

/* `whole`: what lies on disk is what the tree says. */
static void remove_laid(struct wb_store *store, struct input_root_laid *l, bool whole)
{
	if (whole)
		unlink_files(store, &l->tree, l->root, &l->a);
	wb_ignore(wb_dir_remove(l->dir, NULL)); /* what is left is removed when the store is next opened */
	wb_arena_release(&l->a);
	free(l);
}

static void give_up_kept(void *arg)
{
	struct wb_input_roots *k = arg;
	pthread_mutex_lock(&k->lock);
	struct input_root_laid *l = k->head;
	k->head = NULL;
	pthread_mutex_unlock(&k->lock);
	while (l != NULL) {
		struct input_root_laid *next = l->next;
		remove_laid(k->store, l, true);
		l = next;
	}
}

struct wb_input_roots *wb_input_roots_new(struct wb_store *store)
{
	struct wb_input_roots *k = wb_xcalloc(1, sizeof *k);
	k->store = store;
	pthread_mutex_init(&k->lock, NULL);
	wb_store_on_evict(store, give_up_kept, k);
	return k;
}

void wb_input_roots_free(struct wb_input_roots *k)
{
	if (k == NULL)
		return;
	wb_store_on_evict(k->store, NULL, NULL);
	give_up_kept(k);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

static struct input_root_laid *take_kept(struct wb_input_roots *k)
{
	pthread_mutex_lock(&k->lock);
	struct input_root_laid *l = k->head;
	if (l != NULL)
		k->head = l->next;
	pthread_mutex_unlock(&k->lock);
	return l;
}

static void keep(struct wb_input_roots *k, struct input_root_laid *l)
{
	pthread_mutex_lock(&k->lock);
	l->next = k->head;
	k->head = l;
	pthread_mutex_unlock(&k->lock);
}

/* ---- laying out ---- */

static void push(struct wb_input_root *r, const char ***v, size_t *n, size_t *cap, const char *s)
{
	wb_arena_grow(r->a, v, *n, cap, sizeof **v);
	(*v)[(*n)++] = s;
}

static const char *in_root(const struct wb_input_root *r, const char *path)
{
	return *path == '\0' ? r->root : wb_arena_printf(r->a, "%s/%s", r->root, path);
}

static const char *in_out(const struct wb_input_root *r, const char *path)
{
	return *path == '\0' ? r->out : wb_arena_printf(r->a, "%s/%s", r->out, path);
}

static const char *child_of(const struct wb_input_root *r, const char *dir, const char *name)
{
	return *dir == '\0' ? wb_arena_strdup(r->a, name) : wb_arena_printf(r->a, "%s/%s", dir, name);
}

static bool is_output_dir(const struct wb_input_root *r, const char *path)
{
	for (size_t i = 0; i < r->nwant; i++)
		if (strcmp(r->want[i], path) == 0)
			return true;
	return false;
}

static wb_status make_dir(const char *path, struct wb_err *err)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return wb_fail_errno(err, errno, "cannot make directory %s", path);
	return wb_ok();
}

static void note_copy(struct wb_input_root *r, const char *path)
{
	struct stat st;
	wb_arena_grow(r->a, &r->copy, r->ncopy, &r->cap_copy, sizeof *r->copy);
	struct input_root_copy *c = &r->copy[r->ncopy++];
	*c = (struct input_root_copy){.path = path};
	if (lstat(path, &st) == 0) {
		c->ino = st.st_ino;
		c->size = st.st_size;
		c->mtime = st.st_mtim;
		c->ctime = st.st_ctim;
	}
}

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct node *)x)->name, ((const struct node *)y)->name);
}

static wb_status new_name(struct node *out, struct wb_arena *a, const char *name, enum node_kind kind,
			  struct wb_err *err)
{
	if (!wb_re_name_ok(name))
		return wb_fail(err, WB_EPROTO, "bad name in a Directory: %.100s", name);
	*out = (struct node){.name = wb_arena_strdup(a, name), .kind = kind};
	return wb_ok();
}

/* The children that a Directory message names, sorted. */
static wb_status children_of_message(struct node *dir, struct wb_arena *a, const wb_re_directory *m, struct wb_err *err)
{
	dir->child = wb_arena_array(a, m->n_files + m->n_symlinks + m->n_directories, sizeof *dir->child);
	for (size_t i = 0; i < m->n_files; i++) {
		struct node *c = &dir->child[dir->nchild++];
		WB_TRY(new_name(c, a, m->files[i]->name, NODE_FILE, err));
		c->exec = m->files[i]->is_executable;
		WB_TRY(wb_re_digest_get(&c->digest, m->files[i]->digest, c->name, err));
	}
	for (size_t i = 0; i < m->n_symlinks; i++) {
		struct node *c = &dir->child[dir->nchild++];
		WB_TRY(new_name(c, a, m->symlinks[i]->name, NODE_SYMLINK, err));
		c->target = wb_arena_strdup(a, m->symlinks[i]->target);
		if (c->target[0] == '\0')
			return wb_fail(err, WB_EPROTO, "symlink without a target: %s", c->name);
	}
	for (size_t i = 0; i < m->n_directories; i++) {
		struct node *c = &dir->child[dir->nchild++];
		WB_TRY(new_name(c, a, m->directories[i]->name, NODE_DIRECTORY, err));
		WB_TRY(wb_re_digest_get(&c->digest, m->directories[i]->digest, c->name, err));
	}
	if (dir->nchild > 0)
		qsort(dir->child, dir->nchild, sizeof *dir->child, by_name);
	for (size_t i = 1; i < dir->nchild; i++)
		if (strcmp(dir->child[i - 1].name, dir->child[i].name) == 0)
			return wb_fail(err, WB_EPROTO, "a name twice in a Directory: %s", dir->child[i].name);
	return wb_ok();
}

/* Fill `dir->child`: from the tree that lies there already when it is the same Directory, else from the store. */
static wb_status find_children(struct wb_input_root *r, struct node *dir, const struct node *old, struct wb_arena *a,
			       struct wb_err *err)
{
	struct wb_arena scratch;
	wb_re_directory *m;
	char *data;
	wb_pins_add(r->pins, &dir->digest);
	if (old != NULL && wb_digest_eq(&old->digest, &dir->digest)) {
		dir->nchild = old->nchild;
		dir->child = wb_arena_array(a, old->nchild, sizeof *dir->child);
		for (size_t i = 0; i < old->nchild; i++) {
			const struct node *c = &old->child[i];
			dir->child[i] =
			    (struct node){.name = wb_arena_strdup(a, c->name),
					  .kind = c->kind,
					  .exec = c->exec,
					  .digest = c->digest,
					  .target = c->target == NULL ? NULL : wb_arena_strdup(a, c->target)};
		}
		return wb_ok();
	}
	wb_arena_init(&scratch);
	wb_status s = wb_store_get(&data, &scratch, r->kept->store, &dir->digest, WB_MESSAGE_MAX, err);
	if (wb_is_ok(s))
		s = wb_directory_decode(&m, &scratch, data, (size_t)dir->digest.size, err);
	if (wb_is_ok(s))
		s = children_of_message(dir, a, m, err);
	wb_arena_release(&scratch);
	return s;
}

static const struct node *child_named(const struct node *dir, const char *name)
{
	struct node key = {.name = name};
	if (dir == NULL || dir->nchild == 0)
		return NULL;
	return bsearch(&key, dir->child, dir->nchild, sizeof key, by_name);
}

/* Can what lies there as `old` become `now`? Directories by what is in them, files when they are the same. */
static bool fits(const struct node *old, const struct node *now)
{
	if (old->kind != now->kind)
		return false;
	switch (now->kind) {
	case NODE_FILE:
		return old->exec == now->exec && wb_digest_eq(&old->digest, &now->digest);
	case NODE_SYMLINK:
		return strcmp(old->target, now->target) == 0;
	case NODE_DIRECTORY:
		break;
	}
	return true;
}

static wb_status remove_old(struct wb_input_root *r, const struct node *old, const char *path, struct wb_err *err)
{
	if (old->kind == NODE_FILE)
		wb_store_unlink(r->kept->store, &old->digest, path, old->exec);
	else if (old->kind == NODE_DIRECTORY)
		unlink_files(r->kept->store, old, path, r->a);
	return wb_dir_remove(path, err);
}

/* Compilers tell files apart by their inode: two headers of equal content that share one would be taken for the same
 * file, with the other's directory for its own includes and with one `#pragma once` for both. So a blob is linked once
 * in a root, and every further file of that content is a copy. */
static wb_status lay_link(struct wb_input_root *r, const char *to, struct node *n, const struct node *old,
			  struct wb_err *err)
{
	struct wb_store *store = r->kept->store;
	uint8_t key[sizeof n->digest.hash + 1];
	bool first = true;
	memcpy(key, n->digest.hash, sizeof n->digest.hash);
	key[sizeof n->digest.hash] = n->exec;
	if (old != NULL && old->own) {
		n->own = true; /* it lies in a root that nobody can write to */
		return wb_ok();
	}
	if (n->digest.size > 0)
		wb_map_put(&r->linked, key, sizeof key, &first);
	if (first) {
		n->ino = old == NULL ? 0 : old->ino;
		return wb_store_relink(store, &n->digest, to, n->exec, &n->ino, err);
	}
	if (old != NULL)
		wb_store_unlink(store, &old->digest, to, old->exec);
	n->own = true;
	return wb_store_link(store, &n->digest, to, n->exec, true, err);
}

static wb_status lay_file(struct wb_input_root *r, const char *path, struct node *n, const struct node *old,
			  bool writable, struct wb_err *err)
{
	struct wb_store *store = r->kept->store;
	const char *to = in_root(r, path);
	wb_pins_add(r->pins, &n->digest);
	if (r->copies) {
		WB_TRY(wb_store_link(store, &n->digest, to, n->exec, true, err));
		note_copy(r, to);
		return wb_ok();
	}
	WB_TRY(lay_link(r, to, n, old, err));
	if (!writable)
		return wb_ok();
	if (r->nmount_files++ < WB_INPUT_ROOT_MOUNTS) {
		push(r, &r->inner, &r->ninner, &r->cap_inner, path);
		return wb_ok();
	}
	to = in_out(r, path);
	WB_TRY(wb_store_link(store, &n->digest, to, n->exec, true, err));
	note_copy(r, to);
	return wb_ok();
}

static wb_status lay_symlink(struct wb_input_root *r, const char *path, const struct node *n, const struct node *old,
			     bool writable, struct wb_err *err)
{
	const char *to = in_root(r, path);
	push(r, &r->symlink, &r->nsymlink, &r->cap_symlink, path);
	if (old == NULL && symlink(n->target, to) < 0)
		return wb_fail_errno(err, errno, "cannot make symlink %s", to);
	to = in_out(r, path);
	if (writable && symlink(n->target, to) < 0)
		return wb_fail_errno(err, errno, "cannot make symlink %s", to);
	return wb_ok();
}

/* Make ROOT/path (which is there) what `dir` is to be, from what `old` (may be NULL) says lies in it. `writable`: at
 * this place the sandbox shows OUT, not ROOT; OUT/path is there then. */
static wb_status lay_dir(struct wb_input_root *r, const char *path, struct node *dir, const struct node *old,
			 bool writable, int depth, struct wb_err *err);

static wb_status lay_subdir(struct wb_input_root *r, const char *path, struct node *dir, const struct node *old,
			    bool writable, int depth, struct wb_err *err)
{
	bool is_out = is_output_dir(r, path);
	if (old == NULL)
		WB_TRY(make_dir(in_root(r, path), err));
	if (!r->copies && is_out && !writable) {
		WB_TRY(wb_dir_make(in_out(r, path), 0755, err));
		push(r, &r->out_dir, &r->nout_dir, &r->cap_out_dir, path);
		writable = true;
	} else if (!r->copies && writable) {
		WB_TRY(make_dir(in_out(r, path), err));
		/* An empty directory needs no mount. Anything else: ROOT's own, read-only. */
		if (!is_out && dir->digest.size > 0) {
			push(r, &r->inner, &r->ninner, &r->cap_inner, path);
			writable = false;
		}
	}
	return lay_dir(r, path, dir, old, writable, depth, err);
}

static wb_status lay_dir(struct wb_input_root *r, const char *path, struct node *dir, const struct node *old,
			 bool writable, int depth, struct wb_err *err)
{
	struct wb_arena *a = &r->laid->a;
	if (depth > WB_INPUT_ROOT_DEPTH)
		return wb_fail(err, WB_ELIMIT, "input tree deeper than %d directories", WB_INPUT_ROOT_DEPTH);
	WB_TRY(find_children(r, dir, old, a, err));
	r->nodes += dir->nchild;
	if (r->nodes > WB_INPUT_ROOT_NODES)
		return wb_fail(err, WB_ELIMIT, "input tree of more than %d nodes", WB_INPUT_ROOT_NODES);
	for (size_t i = 0; old != NULL && i < old->nchild; i++) {
		const struct node *now = child_named(dir, old->child[i].name);
		if (now == NULL || !fits(&old->child[i], now))
			WB_TRY(remove_old(r, &old->child[i], in_root(r, child_of(r, path, old->child[i].name)), err));
	}
	for (size_t i = 0; i < dir->nchild; i++) {
		struct node *c = &dir->child[i];
		const char *sub = child_of(r, path, c->name);
		const struct node *was = child_named(old, c->name);
		if (was != NULL && !fits(was, c))
			was = NULL;
		switch (c->kind) {
		case NODE_FILE:
			WB_TRY(lay_file(r, sub, c, was, writable, err));
			break;
		case NODE_SYMLINK:
			WB_TRY(lay_symlink(r, sub, c, was, writable, err));
			break;
		case NODE_DIRECTORY:
			WB_TRY(lay_subdir(r, sub, c, was, writable, depth + 1, err));
			break;
		}
	}
	return wb_ok();
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* What the sandbox shows at `path`: writable when its deepest mount is an output directory. */
static bool shown_writable(const struct wb_input_root *r, const char *path)
{
	size_t out = 0, inner = 0;
	for (size_t i = 0; i < r->nout_dir; i++)
		if (wb_path_after(path, r->out_dir[i]) != NULL && strlen(r->out_dir[i]) + 1 > out)
			out = strlen(r->out_dir[i]) + 1;
	for (size_t i = 0; i < r->ninner; i++)
		if (wb_path_after(path, r->inner[i]) != NULL && strlen(r->inner[i]) + 1 > inner)
			inner = strlen(r->inner[i]) + 1;
	return out > inner;
}

/* Output directories that the tree does not have (our own trees have them all). */
static wb_status make_output_dirs(struct wb_input_root *r, struct wb_err *err)
{
	struct stat st;
	for (size_t i = 0; i < r->nwant; i++) {
		const char *path = r->want[i], *host = in_root(r, path);
		for (size_t j = 0; j < r->nsymlink; j++)
			if (wb_path_after(path, r->symlink[j]) != NULL)
				return wb_fail(err, WB_EUNSUPPORTED, "output directory %s leads through the symlink %s",
					       path, r->symlink[j]);
		if (lstat(host, &st) < 0) {
			r->good = false; /* ROOT is more than its tree now */
			WB_TRY(wb_dir_make(host, 0755, err));
		}
		if (r->copies)
			continue;
		WB_TRY(wb_dir_make(in_out(r, path), 0755, err));
		if (!shown_writable(r, path))
			push(r, &r->out_dir, &r->nout_dir, &r->cap_out_dir, path);
	}
	if (r->nout_dir > 0)
		qsort(r->out_dir, r->nout_dir, sizeof *r->out_dir, by_text);
	if (r->ninner > 0)
		qsort(r->inner, r->ninner, sizeof *r->inner, by_text);
	return wb_ok();
}

/* A fresh directory, or the one that `old` left. */
static wb_status begin_laid(struct wb_input_root *r, const struct input_root_laid *old, const struct wb_digest *digest,
			    struct wb_err *err)
{
	struct input_root_laid *l = wb_xcalloc(1, sizeof *l);
	wb_arena_init(&l->a);
	r->laid = l;
	l->dir = old != NULL ? wb_arena_strdup(&l->a, old->dir) : wb_store_tmp_name(r->kept->store, &l->a);
	l->root = wb_arena_printf(&l->a, "%s/root", l->dir);
	l->tree = (struct node){.name = "", .kind = NODE_DIRECTORY, .digest = *digest};
	r->root = l->root;
	r->out = r->copies ? r->root : wb_arena_printf(r->a, "%s/out", l->dir);
	if (old == NULL && (mkdir(l->dir, 0700) < 0 || mkdir(r->root, 0755) < 0))
		return wb_fail_errno(err, errno, "cannot make an input root in %s", l->dir);
	if (!r->copies && mkdir(r->out, 0755) < 0)
		return wb_fail_errno(err, errno, "cannot make %s", r->out);
	return wb_ok();
}

wb_status wb_input_root_init(struct wb_input_root *r, struct wb_arena *a, struct wb_input_roots *kept,
			     struct wb_pins *pins, const struct wb_digest *digest, const char *const *output_dir,
			     size_t noutput_dir, bool copies, struct wb_err *err)
{
	*r = (struct wb_input_root){
	    .a = a, .kept = kept, .pins = pins, .copies = copies, .want = output_dir, .nwant = noutput_dir};
	wb_map_init(&r->linked);
	if (is_output_dir(r, ""))
		return wb_fail(err, WB_EUNSUPPORTED, "the input root itself is an output directory");
	struct input_root_laid *old = copies ? NULL : take_kept(kept);
	wb_status s = begin_laid(r, old, digest, err);
	if (wb_is_ok(s))
		s = lay_dir(r, "", &r->laid->tree, old == NULL ? NULL : &old->tree, false, 0, err);
	r->good = wb_is_ok(s) && !copies;
	if (wb_is_ok(s))
		s = make_output_dirs(r, err);
	if (old != NULL) {
		wb_arena_release(&old->a);
		free(old);
	}
	return s;
}

void wb_input_root_release(struct wb_input_root *r)
{
	wb_map_release(&r->linked);
	if (r->laid == NULL)
		return;
	if (r->good && wb_is_ok(wb_dir_remove(r->out, NULL)))
		keep(r->kept, r->laid);
	else
		remove_laid(r->kept->store, r->laid, false);
	r->laid = NULL;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool wb_input_root_intact(const struct wb_input_root *r, const char **which)
{
	for (size_t i = 0; i < r->ncopy; i++) {
		const struct input_root_copy *c = &r->copy[i];
		struct stat st;
		if (lstat(c->path, &st) < 0 || st.st_ino != c->ino || st.st_size != c->size ||
		    !same_time(&st.st_mtim, &c->mtime) || !same_time(&st.st_ctim, &c->ctime)) {
			*which = c->path;
			return false;
		}
	}
	return true;
}

bool wb_input_root_is_input(const struct wb_input_root *r, const char *path)
{
	if (!r->copies && !shown_writable(r, path))
		return true;
	for (size_t i = 0; i < r->ncopy; i++) {
		const char *rest = wb_path_after(r->copy[i].path, r->out);
		if (rest != NULL && strcmp(rest, path) == 0)
			return true;
	}
	return false;
}
