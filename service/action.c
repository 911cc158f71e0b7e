#define _GNU_SOURCE
#include "service/action.h"

#include "base/path.h"
#include "base/str.h"
#include "reapi/messages.h"
#include "reapi/tree.h"

#include <stdlib.h>
#include <string.h>

struct builder {
	struct wb_arena *a;
	const struct wb_action_in *in;
	struct wb_action *out;
	struct wb_tree tree;
	struct wb_overlay_file *overlay; /* of the rewrite, sorted by path */
	size_t noverlay;
	struct wb_map seen; /* 32 bytes of hash: blobs that are in out->blob */
	size_t cap;
	const char **output; /* sorted, unique: output_paths */
	size_t noutput;
	wb_re_platform *platform; /* NULL: none */
};

/* Where an absolute path lies in the input root. */
static wb_status tree_path(const char **path, struct builder *b, const char *absolute, struct wb_err *err)
{
	const char *rest = wb_path_after(absolute, b->in->roots->base);
	if (rest == NULL)
		return wb_fail(err, WB_EUNSCANNABLE, "%s does not lie below %s", absolute, b->in->roots->base);
	*path = *rest == '\0' ? WB_ACTION_PREFIX : wb_arena_printf(b->a, WB_ACTION_PREFIX "/%s", rest);
	return wb_ok();
}

static void add_blob(struct builder *b, const struct wb_digest *d, const void *data, const char *path)
{
	bool fresh;
	wb_map_put(&b->seen, d->hash, sizeof d->hash, &fresh);
	if (!fresh)
		return;
	wb_arena_grow(b->a, &b->out->blob, b->out->nblob, &b->cap, sizeof *b->out->blob);
	b->out->blob[b->out->nblob++] = (struct wb_blob){.digest = *d, .data = data, .path = path};
}

static void add_message(struct builder *b, struct wb_digest *d, const ProtobufCMessage *m)
{
	char *data;
	size_t n;
	wb_message_pack(&data, &n, b->a, m);
	wb_digest_of(d, data, n);
	add_blob(b, d, data, NULL);
}

static int overlay_by_path(const void *x, const void *y)
{
	const struct wb_overlay_file *a = x, *b = y;
	return strcmp(a->path, b->path);
}

static void sort_overlay(struct builder *b)
{
	const struct wb_rewrite *rw = b->in->rewrite;
	b->noverlay = rw->noverlay;
	b->overlay = wb_arena_array(b->a, rw->noverlay, sizeof *b->overlay);
	if (rw->noverlay == 0)
		return;
	memcpy(b->overlay, rw->overlay, rw->noverlay * sizeof *b->overlay);
	qsort(b->overlay, b->noverlay, sizeof *b->overlay, overlay_by_path);
}

/* Does the rewrite put another text in this file's place, or nothing? */
static bool is_shadowed(const struct builder *b, const char *path)
{
	struct wb_overlay_file key = {.path = path};
	return b->noverlay > 0 && bsearch(&key, b->overlay, b->noverlay, sizeof key, overlay_by_path) != NULL;
}

static wb_status add_input(struct builder *b, const struct wb_input *x, struct wb_err *err)
{
	const char *path;
	WB_TRY(tree_path(&path, b, x->path, err));
	switch (x->kind) {
	case WB_FILE_DIRECTORY:
		return wb_tree_add_directory(&b->tree, path, err);
	case WB_FILE_SYMLINK:
		return wb_tree_add_symlink(&b->tree, path, x->link, err);
	case WB_FILE_REGULAR:
		if (is_shadowed(b, x->path))
			return wb_ok();
		add_blob(b, &x->digest, NULL, x->path);
		return wb_tree_add_file(&b->tree, path, &x->digest, x->exec, err);
	default:
		return wb_fail(err, WB_EUNSCANNABLE, "%s is neither file, directory nor symlink", x->path);
	}
}

static wb_status add_files(struct builder *b, struct wb_err *err)
{
	const struct wb_inputs *inputs = b->in->inputs;
	for (size_t i = 0; i < inputs->ninput; i++)
		WB_TRY(add_input(b, &inputs->input[i], err));
	for (size_t i = 0; i < b->noverlay; i++) {
		const struct wb_overlay_file *o = &b->overlay[i];
		struct wb_digest d;
		const char *path;
		if (o->data == NULL)
			continue; /* left out */
		WB_TRY(tree_path(&path, b, o->path, err));
		wb_digest_of(&d, o->data, o->n);
		add_blob(b, &d, o->data, NULL);
		WB_TRY(wb_tree_add_file(&b->tree, path, &d, false, err));
	}
	return wb_ok();
}

/* The last slash of a tree path cuts off its last component. */
static void drop_last(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash == NULL)
		slash = path;
	*slash = '\0';
}

static wb_status outside(const char *spelled, const char *why, struct wb_err *err)
{
	return wb_fail(err, WB_EUNSCANNABLE, "output %s: %s", spelled, why);
}

/* `spelled` (relative to the working directory) as REAPI wants it: without "." and "..", below the working directory.
 * "x/.." is folded only where x is a directory of the tree, not where it is a symlink or nothing. */
static wb_status output_path(const char **out, struct builder *b, const char *spelled, struct wb_err *err)
{
	const char *wd = b->out->working_directory;
	if (spelled[0] == '/')
		return outside(spelled, "its path is absolute", err);
	char *path = wb_arena_alloc(b->a, strlen(wd) + strlen(spelled) + 2), *end = stpcpy(path, wd);
	for (const char *p = spelled; *p != '\0';) {
		size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			if (wb_tree_kind(&b->tree, path) != WB_TREE_DIRECTORY)
				return outside(spelled, "\"..\" after something that is not a directory of the action",
					       err);
			if (strchr(path, '/') == NULL)
				return outside(spelled, "it leaves the input root", err);
			drop_last(path);
			end = path + strlen(path);
		} else if (n > 0 && !(n == 1 && p[0] == '.')) {
			*end++ = '/';
			end = mempcpy(end, p, n);
			*end = '\0';
			if (wb_tree_kind(&b->tree, path) == WB_TREE_SYMLINK && p[n] == '/')
				return outside(spelled, "it lies behind a symlink", err);
		}
		p += n + (p[n] == '/');
	}
	*out = wb_path_after(path, wd);
	if (*out == NULL || **out == '\0')
		return outside(spelled, "it does not lie below the action's working directory", err);
	drop_last(path = wb_arena_strdup(b->a, path));
	return wb_tree_add_directory(&b->tree, path, err);
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static wb_status add_outputs(struct builder *b, struct wb_err *err)
{
	const struct wb_rewrite *rw = b->in->rewrite;
	const char **output = wb_arena_array(b->a, rw->noutput, sizeof *output);
	b->output = wb_arena_array(b->a, rw->noutput, sizeof *b->output);
	for (size_t i = 0; i < rw->noutput; i++) {
		WB_TRY(output_path(&output[i], b, rw->output[i].action_path, err));
		b->output[i] = output[i];
	}
	if (rw->noutput > 0)
		qsort(b->output, rw->noutput, sizeof *b->output, by_text);
	for (size_t i = 0; i < rw->noutput; i++)
		if (b->noutput == 0 || strcmp(b->output[b->noutput - 1], b->output[i]) != 0)
			b->output[b->noutput++] = b->output[i];
	b->out->output = output;
	return wb_ok();
}

struct variable {
	const char *name, *value;
	size_t order; /* later wins */
};

static int variable_cmp(const void *x, const void *y)
{
	const struct variable *a = x, *b = y;
	int c = strcmp(a->name, b->name);
	return c != 0 ? c : (a->order > b->order) - (a->order < b->order);
}

static void add_variables(struct wb_arena *a, struct variable *v, size_t *n, const char *const *env)
{
	for (; env != NULL && *env != NULL; env++) {
		const char *eq = strchr(*env, '=');
		if (eq == NULL || eq == *env)
			continue;
		v[*n] = (struct variable){wb_arena_strndup(a, *env, (size_t)(eq - *env)), eq + 1, *n};
		(*n)++;
	}
}

static size_t count(const char *const *v)
{
	size_t n = 0;
	while (v != NULL && v[n] != NULL)
		n++;
	return n;
}

/* Sorted by name, the rewriter's word last. */
static void fill_environment(wb_re_command *m, struct builder *b)
{
	const char *const *base = b->in->env, *const *extra = b->in->rewrite->env;
	struct variable *v = wb_arena_array(b->a, count(base) + count(extra), sizeof *v);
	size_t n = 0;
	add_variables(b->a, v, &n, base);
	add_variables(b->a, v, &n, extra);
	if (n > 0)
		qsort(v, n, sizeof *v, variable_cmp);
	m->environment_variables = wb_arena_array(b->a, n, sizeof *m->environment_variables);
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && strcmp(v[i].name, v[i + 1].name) == 0)
			continue;
		wb_re_variable *x = wb_arena_alloc(b->a, sizeof *x);
		build__bazel__remote__execution__v2__command__environment_variable__init(x);
		x->name = wb_arena_strdup(b->a, v[i].name);
		x->value = wb_arena_strdup(b->a, v[i].value);
		m->environment_variables[m->n_environment_variables++] = x;
	}
}

static char **copy_strings(struct wb_arena *a, const char *const *v, size_t n)
{
	char **out = wb_arena_array(a, n, sizeof *out);
	for (size_t i = 0; i < n; i++)
		out[i] = wb_arena_strdup(a, v[i]);
	return out;
}

static void add_command(struct builder *b)
{
	wb_re_command m;
	build__bazel__remote__execution__v2__command__init(&m);
	m.n_arguments = count(b->in->rewrite->argv);
	m.arguments = copy_strings(b->a, b->in->rewrite->argv, m.n_arguments);
	fill_environment(&m, b);
	/* Servers older than API 2.1 read output_files, the others output_paths. */
	m.n_output_files = m.n_output_paths = b->noutput;
	m.output_files = copy_strings(b->a, b->output, b->noutput);
	m.output_paths = m.output_files;
	m.working_directory = wb_arena_strdup(b->a, b->out->working_directory);
	m.platform = b->platform;
	add_message(b, &b->out->command, &m.base);
}

static void add_action(struct builder *b)
{
	struct wb_digest salt;
	wb_re_action m;
	wb_action_salt(&salt, b->in->inputs->system, b->in->inputs->nsystem, &b->in->tc->identity);
	wb_digest_hex(b->out->salt_hex, &salt);
	build__bazel__remote__execution__v2__action__init(&m);
	m.command_digest = wb_re_digest_new(b->a, &b->out->command);
	m.input_root_digest = wb_re_digest_new(b->a, &b->out->root);
	m.platform = b->platform;
	m.salt.data = salt.hash;
	m.salt.len = sizeof salt.hash;
	add_message(b, &b->out->digest, &m.base);
}

static wb_status build(struct builder *b, struct wb_err *err)
{
	struct wb_tree_blob *dir;
	size_t ndir;
	WB_TRY(tree_path(&b->out->working_directory, b, b->in->roots->action_cwd, err));
	WB_TRY(wb_tree_add_directory(&b->tree, WB_ACTION_PREFIX, err));
	sort_overlay(b);
	WB_TRY(add_files(b, err));
	WB_TRY(wb_tree_add_directory(&b->tree, b->out->working_directory, err));
	WB_TRY(add_outputs(b, err));
	WB_TRY(wb_tree_finish(&b->out->root, &dir, &ndir, &b->tree, b->in->directories, err));
	for (size_t i = 0; i < ndir; i++)
		add_blob(b, &dir[i].digest, dir[i].data, NULL);
	add_command(b);
	add_action(b);
	return wb_ok();
}

wb_status wb_action_build(struct wb_action *out, struct wb_arena *a, const struct wb_action_in *in, struct wb_err *err)
{
	struct builder b = {.a = a, .in = in, .out = out};
	*out = (struct wb_action){.salt_hex = ""};
	WB_TRY(wb_re_platform_parse(&b.platform, a, in->platform, err));
	wb_tree_init(&b.tree, a);
	wb_map_init(&b.seen);
	wb_status s = build(&b, err);
	wb_map_release(&b.seen);
	wb_tree_release(&b.tree);
	/* Contradictory inputs (a file where another input needs a directory) are no failure of ours: the compiler
	 * decides. */
	return s.code == WB_EINVAL ? (wb_status){WB_EUNSCANNABLE} : s;
}

/* Every field with its length known, so that no two states give the same bytes. */
void wb_action_salt(struct wb_digest *out, const struct wb_system_file *f, size_t n, const struct wb_digest *identity)
{
	struct wb_hasher h;
	wb_hasher_init(&h);
	wb_hasher_adds(&h, "waybill salt 1");
	wb_hasher_add(&h, identity->hash, sizeof identity->hash);
	for (size_t i = 0; i < n; i++) {
		wb_hasher_adds(&h, f[i].path);
		wb_hasher_add(&h, f[i].digest.hash, sizeof f[i].digest.hash);
	}
	wb_hasher_finish(&h, out);
}
