#define _GNU_SOURCE
#include "service/input_root.h"

#include "base/fileio.h"
#include "base/path.h"
#include "service/messages.h"
#include "service/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct input_root_link {
	const char *path; /* relative */
	struct wb_digest digest;
	bool exec;
};

/* A copy that the action could write to, and what stat said of it before. */
struct input_root_copy {
	const char *path; /* absolute */
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

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

static wb_status lay_file(struct wb_input_root *r, const char *path, const wb_re_file_node *node, bool writable,
			  struct wb_err *err)
{
	struct wb_digest d;
	const char *to = in_root(r, path);
	WB_TRY(wb_re_digest_get(&d, node->digest, path, err));
	wb_pins_add(r->pins, &d);
	WB_TRY(wb_store_link(r->store, &d, to, node->is_executable, r->copies, err));
	if (r->copies) {
		note_copy(r, to);
		return wb_ok();
	}
	wb_arena_grow(r->a, &r->link, r->nlink, &r->cap_link, sizeof *r->link);
	r->link[r->nlink++] = (struct input_root_link){.path = to, .digest = d, .exec = node->is_executable};
	if (!writable)
		return wb_ok();
	if (r->nmount_files++ < WB_INPUT_ROOT_MOUNTS) {
		push(r, &r->inner, &r->ninner, &r->cap_inner, path);
		return wb_ok();
	}
	to = in_out(r, path);
	WB_TRY(wb_store_link(r->store, &d, to, node->is_executable, true, err));
	note_copy(r, to);
	return wb_ok();
}

static wb_status lay_symlink(struct wb_input_root *r, const char *path, const wb_re_symlink_node *node, bool writable,
			     struct wb_err *err)
{
	if (node->target[0] == '\0')
		return wb_fail(err, WB_EPROTO, "symlink without a target: %s", path);
	push(r, &r->symlink, &r->nsymlink, &r->cap_symlink, path);
	for (int i = 0; i < (writable && !r->copies ? 2 : 1); i++) {
		const char *to = i == 0 ? in_root(r, path) : in_out(r, path);
		if (symlink(node->target, to) < 0)
			return wb_fail_errno(err, errno, "cannot make symlink %s", to);
	}
	return wb_ok();
}

/* `writable`: at this place the sandbox shows OUT, not ROOT. ROOT/path is there already; OUT/path too when writable. */
static wb_status lay_dir(struct wb_input_root *r, const char *path, const struct wb_digest *digest, bool writable,
			 int depth, struct wb_err *err);

static wb_status lay_subdir(struct wb_input_root *r, const char *path, const struct wb_digest *digest, bool writable,
			    int depth, struct wb_err *err)
{
	bool is_out = is_output_dir(r, path);
	WB_TRY(make_dir(in_root(r, path), err));
	if (!r->copies && is_out && !writable) {
		WB_TRY(wb_dir_make(in_out(r, path), 0755, err));
		push(r, &r->out_dir, &r->nout_dir, &r->cap_out_dir, path);
		writable = true;
	} else if (!r->copies && writable) {
		WB_TRY(make_dir(in_out(r, path), err));
		/* An empty directory needs no mount. Anything else: ROOT's own, read-only. */
		if (!is_out && digest->size > 0) {
			push(r, &r->inner, &r->ninner, &r->cap_inner, path);
			writable = false;
		}
	}
	return lay_dir(r, path, digest, writable, depth, err);
}

static wb_status lay_dir(struct wb_input_root *r, const char *path, const struct wb_digest *digest, bool writable,
			 int depth, struct wb_err *err)
{
	struct wb_arena scratch;
	wb_re_directory *d;
	char *data;
	if (depth > WB_INPUT_ROOT_DEPTH)
		return wb_fail(err, WB_ELIMIT, "input tree deeper than %d directories", WB_INPUT_ROOT_DEPTH);
	wb_pins_add(r->pins, digest);
	wb_arena_init(&scratch);
	wb_status s = wb_store_get(&data, &scratch, r->store, digest, WB_MESSAGE_MAX, err);
	if (wb_is_ok(s))
		s = wb_directory_decode(&d, &scratch, data, (size_t)digest->size, err);
	if (wb_is_ok(s)) {
		r->nodes += d->n_files + d->n_symlinks + d->n_directories;
		if (r->nodes > WB_INPUT_ROOT_NODES)
			s = wb_fail(err, WB_ELIMIT, "input tree of more than %d nodes", WB_INPUT_ROOT_NODES);
	}
	if (!wb_is_ok(s))
		goto out;
	for (size_t i = 0; i < d->n_files && wb_is_ok(s); i++)
		s = wb_re_name_ok(d->files[i]->name)
			? lay_file(r, child_of(r, path, d->files[i]->name), d->files[i], writable, err)
			: wb_fail(err, WB_EPROTO, "bad name in a Directory: %.100s", d->files[i]->name);
	for (size_t i = 0; i < d->n_symlinks && wb_is_ok(s); i++)
		s = wb_re_name_ok(d->symlinks[i]->name)
			? lay_symlink(r, child_of(r, path, d->symlinks[i]->name), d->symlinks[i], writable, err)
			: wb_fail(err, WB_EPROTO, "bad name in a Directory: %.100s", d->symlinks[i]->name);
	for (size_t i = 0; i < d->n_directories && wb_is_ok(s); i++) {
		struct wb_digest sub;
		const char *name = d->directories[i]->name;
		if (!wb_re_name_ok(name))
			s = wb_fail(err, WB_EPROTO, "bad name in a Directory: %.100s", name);
		else
			s = wb_re_digest_get(&sub, d->directories[i]->digest, name, err);
		if (wb_is_ok(s))
			s = lay_subdir(r, child_of(r, path, name), &sub, writable, depth + 1, err);
	}
out:
	wb_arena_release(&scratch);
	return s;
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

/* Output directories that the tree does not have. */
static wb_status make_output_dirs(struct wb_input_root *r, struct wb_err *err)
{
	for (size_t i = 0; i < r->nwant; i++) {
		const char *path = r->want[i];
		for (size_t j = 0; j < r->nsymlink; j++)
			if (wb_path_after(path, r->symlink[j]) != NULL)
				return wb_fail(err, WB_EUNSUPPORTED, "output directory %s leads through the symlink %s",
					       path, r->symlink[j]);
		WB_TRY(wb_dir_make(in_root(r, path), 0755, err));
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

wb_status wb_input_root_lay(struct wb_input_root *r, struct wb_arena *a, struct wb_store *store, struct wb_pins *pins,
			    const struct wb_digest *digest, const char *dir, const char *const *output_dir,
			    size_t noutput_dir, bool copies, struct wb_err *err)
{
	*r = (struct wb_input_root){
	    .a = a, .store = store, .pins = pins, .copies = copies, .want = output_dir, .nwant = noutput_dir};
	r->dir = wb_arena_strdup(a, dir);
	r->root = wb_arena_printf(a, "%s/root", dir);
	r->out = copies ? r->root : wb_arena_printf(a, "%s/out", dir);
	if (mkdir(r->dir, 0700) < 0 || mkdir(r->root, 0755) < 0 || (!copies && mkdir(r->out, 0755) < 0))
		return wb_fail_errno(err, errno, "cannot make an input root in %s", dir);
	bool writable = !copies && is_output_dir(r, "");
	if (writable)
		return wb_fail(err, WB_EUNSUPPORTED, "the input root itself is an output directory");
	WB_TRY(lay_dir(r, "", digest, writable, 0, err));
	return make_output_dirs(r, err);
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

void wb_input_root_remove(struct wb_input_root *r)
{
	if (r->dir == NULL)
		return;
	for (size_t i = 0; i < r->nlink; i++)
		wb_store_unlink(r->store, &r->link[i].digest, r->link[i].path, r->link[i].exec);
	wb_ignore(wb_dir_remove(r->dir, NULL)); /* what is left is removed when the store is next opened */
}
