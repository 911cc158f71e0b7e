#define _GNU_SOURCE
#include "reapi/tree.h"

#include "base/str.h"
#include "reapi/directories.h"
#include "reapi/messages.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 200 };

struct wb_tree_node {
	const char *name;
	enum wb_tree_kind kind;
	struct wb_tree_node *child, *sibling; /* DIRECTORY; unsorted */
	size_t nchild;
	struct wb_digest digest; /* FILE, and DIRECTORY once finished */
	bool exec;
	const char *target; /* SYMLINK */
};

struct blobs {
	struct wb_arena *a;
	struct wb_tree_blob *v;
	size_t n, cap;
	struct wb_map seen; /* 32 bytes of hash */
	struct wb_directories *known;
	struct wb_buf key; /* scratch */
};

void wb_tree_init(struct wb_tree *t, struct wb_arena *a)
{
	t->a = a;
	wb_map_init(&t->node);
	t->root = wb_arena_alloc(a, sizeof *t->root);
	t->root->name = "";
	t->root->kind = WB_TREE_DIRECTORY;
	wb_map_puts(&t->node, "", NULL)->p = t->root;
}

void wb_tree_release(struct wb_tree *t)
{
	wb_map_release(&t->node);
}

static struct wb_tree_node *find(const struct wb_tree *t, const char *path, size_t n)
{
	union wb_map_value *v = wb_map_get(&t->node, path, n);
	return v == NULL ? NULL : v->p;
}

enum wb_tree_kind wb_tree_kind(const struct wb_tree *t, const char *path)
{
	const struct wb_tree_node *node = find(t, path, strlen(path));
	return node == NULL ? WB_TREE_NONE : node->kind;
}

static struct wb_tree_node *add_child(struct wb_tree *t, struct wb_tree_node *dir, const char *path, size_t n,
				      enum wb_tree_kind kind)
{
	struct wb_tree_node *node = wb_arena_alloc(t->a, sizeof *node);
	const char *slash = memrchr(path, '/', n);
	const char *name = slash == NULL ? path : slash + 1;
	node->name = wb_arena_strndup(t->a, name, n - (size_t)(name - path));
	node->kind = kind;
	node->sibling = dir->child;
	dir->child = node;
	dir->nchild++;
	wb_map_put(&t->node, path, n, NULL)->p = node;
	return node;
}

/* The directory at the first `n` bytes of a good path, made with its parents where need be. */
static wb_status directory(struct wb_tree_node **out, struct wb_tree *t, const char *path, size_t n, struct wb_err *err)
{
	struct wb_tree_node *node = find(t, path, n);
	size_t done = n;
	/* Up to what is there, then down again: nearly always the directory itself is there. */
	while (node == NULL) {
		const char *slash = memrchr(path, '/', done);
		done = slash == NULL ? 0 : (size_t)(slash - path);
		node = find(t, path, done);
	}
	for (;;) {
		if (node->kind != WB_TREE_DIRECTORY)
			return wb_fail(err, WB_EINVAL, "%.*s in the input root is not a directory (on the way to %s)",
				       (int)done, path, path);
		if (done == n)
			break;
		size_t from = done == 0 ? 0 : done + 1;
		done = from + strcspn(path + from, "/");
		if (done > n)
			done = n;
		node = add_child(t, node, path, done, WB_TREE_DIRECTORY);
	}
	*out = node;
	return wb_ok();
}

static wb_status check_path(const char *path, struct wb_err *err)
{
	return wb_re_path_ok(path) ? wb_ok() : wb_fail(err, WB_EINVAL, "not a path in an input root: %.300s", path);
}

wb_status wb_tree_add_directory(struct wb_tree *t, const char *path, struct wb_err *err)
{
	struct wb_tree_node *node;
	if (*path == '\0')
		return wb_ok();
	WB_TRY(check_path(path, err));
	return directory(&node, t, path, strlen(path), err);
}

/* The node for a file or symlink at `path`. */
static wb_status leaf(struct wb_tree_node **out, struct wb_tree *t, const char *path, enum wb_tree_kind kind,
		      struct wb_err *err)
{
	struct wb_tree_node *dir;
	WB_TRY(check_path(path, err));
	*out = find(t, path, strlen(path));
	if (*out == NULL) {
		const char *slash = strrchr(path, '/');
		WB_TRY(directory(&dir, t, path, slash == NULL ? 0 : (size_t)(slash - path), err));
		*out = add_child(t, dir, path, strlen(path), kind);
	} else if ((*out)->kind == WB_TREE_DIRECTORY) {
		return wb_fail(err, WB_EINVAL, "%s is a directory in the input root", path);
	}
	(*out)->kind = kind;
	return wb_ok();
}

wb_status wb_tree_add_file(struct wb_tree *t, const char *path, const struct wb_digest *d, bool exec,
			   struct wb_err *err)
{
	struct wb_tree_node *node;
	WB_TRY(leaf(&node, t, path, WB_TREE_FILE, err));
	node->digest = *d;
	node->exec = exec;
	return wb_ok();
}

wb_status wb_tree_add_symlink(struct wb_tree *t, const char *path, const char *target, struct wb_err *err)
{
	struct wb_tree_node *node;
	WB_TRY(leaf(&node, t, path, WB_TREE_SYMLINK, err));
	node->target = wb_arena_strdup(t->a, target);
	return wb_ok();
}

static int by_name(const void *x, const void *y)
{
	const struct wb_tree_node *const *a = x, *const *b = y;
	return strcmp((*a)->name, (*b)->name);
}

/* Everything that makes a Directory: kinds, names, digests. Each part says where it ends. */
static void make_key(struct wb_buf *key, struct wb_tree_node *const *child, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct wb_tree_node *c = child[i];
		wb_buf_addc(key, (char)(c->kind * 2 + (c->exec ? 1 : 0)));
		wb_buf_add(key, c->name, strlen(c->name) + 1);
		if (c->kind == WB_TREE_SYMLINK) {
			wb_buf_add(key, c->target, strlen(c->target) + 1);
		} else {
			wb_buf_add(key, c->digest.hash, sizeof c->digest.hash);
			wb_buf_add(key, &c->digest.size, sizeof c->digest.size);
		}
	}
}

static void pack(struct wb_digest *digest, char **data, struct wb_arena *a, struct wb_tree_node *const *child, size_t n)
{
	wb_re_directory m;
	build__bazel__remote__execution__v2__directory__init(&m);
	m.files = wb_arena_array(a, n, sizeof *m.files);
	m.directories = wb_arena_array(a, n, sizeof *m.directories);
	m.symlinks = wb_arena_array(a, n, sizeof *m.symlinks);
	for (size_t i = 0; i < n; i++) {
		/* The generated structures have `char *` where they only read. */
		char *name = (char *)(uintptr_t)child[i]->name;
		if (child[i]->kind == WB_TREE_DIRECTORY) {
			wb_re_directory_node *d = wb_arena_alloc(a, sizeof *d);
			build__bazel__remote__execution__v2__directory_node__init(d);
			d->name = name;
			d->digest = wb_re_digest_new(a, &child[i]->digest);
			m.directories[m.n_directories++] = d;
		} else if (child[i]->kind == WB_TREE_FILE) {
			wb_re_file_node *f = wb_arena_alloc(a, sizeof *f);
			build__bazel__remote__execution__v2__file_node__init(f);
			f->name = name;
			f->digest = wb_re_digest_new(a, &child[i]->digest);
			f->is_executable = child[i]->exec;
			m.files[m.n_files++] = f;
		} else {
			wb_re_symlink_node *s = wb_arena_alloc(a, sizeof *s);
			build__bazel__remote__execution__v2__symlink_node__init(s);
			s->name = name;
			s->target = (char *)(uintptr_t)child[i]->target;
			m.symlinks[m.n_symlinks++] = s;
		}
	}
	size_t size;
	wb_message_pack(data, &size, a, &m.base);
	wb_digest_of(digest, *data, size);
}

static wb_status serialise(struct wb_tree_node *dir, struct blobs *b, int depth, struct wb_err *err)
{
	if (depth > DEPTH_MAX)
		return wb_fail(err, WB_ELIMIT, "input tree deeper than %d directories", DEPTH_MAX);
	struct wb_tree_node **child = wb_arena_array(b->a, dir->nchild, sizeof *child);
	size_t n = 0, key_start = b->key.n;
	for (struct wb_tree_node *c = dir->child; c != NULL; c = c->sibling)
		child[n++] = c;
	if (n > 0)
		qsort(child, n, sizeof *child, by_name);
	for (size_t i = 0; i < n; i++)
		if (child[i]->kind == WB_TREE_DIRECTORY)
			WB_TRY(serialise(child[i], b, depth + 1, err));
	char *data;
	bool fresh;
	make_key(&b->key, child, n);
	const char *key = b->key.n > key_start ? b->key.p + key_start : "";
	size_t len = b->key.n - key_start;
	if (b->known == NULL || !wb_directories_find(&dir->digest, &data, b->a, b->known, key, len)) {
		pack(&dir->digest, &data, b->a, child, n);
		if (b->known != NULL)
			wb_directories_keep(b->known, key, len, &dir->digest, data);
	}
	b->key.n = key_start;
	wb_map_put(&b->seen, dir->digest.hash, sizeof dir->digest.hash, &fresh);
	if (fresh) {
		wb_arena_grow(b->a, &b->v, b->n, &b->cap, sizeof *b->v);
		b->v[b->n++] = (struct wb_tree_blob){.digest = dir->digest, .data = data};
	}
	return wb_ok();
}

wb_status wb_tree_finish(struct wb_digest *root, struct wb_tree_blob **blob, size_t *n, struct wb_tree *t,
			 struct wb_directories *known, struct wb_err *err)
{
	struct blobs b = {.a = t->a, .known = known, .key = WB_BUF_INIT};
	wb_map_init(&b.seen);
	wb_status s = serialise(t->root, &b, 0, err);
	wb_map_release(&b.seen);
	wb_buf_release(&b.key);
	*root = t->root->digest;
	*blob = b.v;
	*n = b.n;
	return s;
}
