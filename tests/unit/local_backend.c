#define _GNU_SOURCE
#include "tests/unit/local_backend.h"

#include "base/fileio.h"
#include "base/str.h"
#include "reapi/messages.h"
#include "reapi/tree.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

struct wb_sandbox *local_sandbox[2];

void local_open(struct local *f)
{
	assert_ok(wb_store_new(&f->store, f->dir, 0, &f->err), &f->err);
	assert_ok(wb_action_cache_new(&f->cache, f->dir, f->store, &f->err), &f->err);
	f->slots = wb_slots_new(2);
	assert_ok(wb_backend_local_new(&f->b, f->store, f->cache, f->sandbox, f->slots, &f->err), &f->err);
}

void local_close(struct local *f)
{
	f->b->free(f->b);
	wb_slots_free(f->slots);
	wb_action_cache_free(f->cache);
	wb_store_free(f->store);
}

void local_begin(struct local *f, struct wb_sandbox *sandbox)
{
	memset(f, 0, sizeof *f);
	strcpy(f->dir, "/tmp/waybill-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	wb_arena_init(&f->a);
	f->sandbox = sandbox;
	local_open(f);
}

void local_end(struct local *f)
{
	local_close(f);
	assert_ok(wb_dir_remove(f->dir, &f->err), &f->err);
	wb_arena_release(&f->a);
}

void local_upload(struct local *f, struct wb_digest *d, const void *data, size_t n)
{
	struct wb_backend_call call = {0};
	wb_digest_of(d, data, n);
	struct wb_blob blob = {.digest = *d, .data = data};
	assert_ok(f->b->upload(f->b, &call, &blob, 1, &f->err), &f->err);
}

static size_t length(const char *const *v)
{
	size_t n = 0;
	while (v != NULL && v[n] != NULL)
		n++;
	return n;
}

char **local_strings(struct wb_arena *a, const char *const *v)
{
	char **out = wb_arena_array(a, length(v), sizeof *out);
	for (size_t i = 0; i < length(v); i++)
		out[i] = wb_arena_strdup(a, v[i]);
	return out;
}

struct wb_digest local_action(struct local *f, const struct local_spec *s)
{
	struct wb_tree t;
	struct wb_tree_blob *dir;
	struct wb_digest root, d;
	size_t n;
	char *data;
	wb_re_command c;
	wb_re_action action;
	wb_tree_init(&t, &f->a);
	assert_ok(wb_tree_add_directory(&t, s->wd, &f->err), &f->err);
	for (size_t i = 0; i < s->ninput; i++) {
		const struct local_input *in = &s->input[i];
		if (in->link != NULL) {
			assert_ok(wb_tree_add_symlink(&t, in->path, in->link, &f->err), &f->err);
		} else if (in->data != NULL) {
			local_upload(f, &d, in->data, strlen(in->data));
			assert_ok(wb_tree_add_file(&t, in->path, &d, in->exec, &f->err), &f->err);
		} else {
			assert_ok(wb_tree_add_directory(&t, in->path, &f->err), &f->err);
		}
	}
	assert_ok(wb_tree_finish(&root, &dir, &n, &t, NULL, &f->err), &f->err);
	for (size_t i = 0; i < n; i++)
		local_upload(f, &d, dir[i].data, (size_t)dir[i].digest.size);
	wb_tree_release(&t);
	build__bazel__remote__execution__v2__command__init(&c);
	c.n_arguments = length(s->argv);
	c.arguments = local_strings(&f->a, s->argv);
	c.n_output_paths = length(s->output);
	c.output_paths = local_strings(&f->a, s->output);
	c.working_directory = wb_arena_strdup(&f->a, s->wd);
	wb_re_variable *v = wb_arena_array(&f->a, length(s->env), sizeof *v);
	c.environment_variables = wb_arena_array(&f->a, length(s->env), sizeof *c.environment_variables);
	for (size_t i = 0; i < length(s->env); i++) {
		build__bazel__remote__execution__v2__command__environment_variable__init(&v[i]);
		v[i].name = wb_arena_strndup(&f->a, s->env[i], strcspn(s->env[i], "="));
		v[i].value = wb_arena_strdup(&f->a, strchr(s->env[i], '=') + 1);
		c.environment_variables[c.n_environment_variables++] = &v[i];
	}
	wb_message_pack(&data, &n, &f->a, &c.base);
	local_upload(f, &d, data, n);
	build__bazel__remote__execution__v2__action__init(&action);
	action.command_digest = wb_re_digest_new(&f->a, &d);
	action.input_root_digest = wb_re_digest_new(&f->a, &root);
	action.do_not_cache = s->do_not_cache;
	wb_message_pack(&data, &n, &f->a, &action.base);
	local_upload(f, &d, data, n);
	return d;
}

wb_status local_look_up(struct local *f, struct wb_action_result *r, const struct wb_digest *action)
{
	struct wb_backend_call call = {.action = *action};
	return f->b->lookup(f->b, r, &f->a, &call, &f->err);
}

wb_status local_execute(struct local *f, struct wb_action_result *r, const struct wb_digest *action)
{
	struct wb_backend_call x = {.action = *action};
	return f->b->execute(f->b, r, &f->a, &x, &f->err);
}

struct wb_digest local_sh(struct local *f, const char *script, const char *const *output, const struct local_input *in,
			  size_t n)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	return local_action(
	    f, &(struct local_spec){.argv = argv, .output = output, .input = in, .ninput = n, .wd = "r/build"});
}

const char *local_output(struct local *f, const struct wb_action_result *r, const char *path)
{
	struct wb_backend_call call = {0};
	for (size_t i = 0; i < r->nfile; i++)
		if (strcmp(r->file[i].path, path) == 0) {
			struct wb_fetch fetch = {.digest = r->file[i].digest};
			assert_ok(f->b->fetch(f->b, &f->a, &call, &fetch, 1, &f->err), &f->err);
			return fetch.data;
		}
	return NULL;
}

void local_assert_tmp_empty(struct local *f)
{
	f->b->free(f->b);
	assert_ok(wb_backend_local_new(&f->b, f->store, f->cache, f->sandbox, f->slots, &f->err), &f->err);
	DIR *d = opendir(wb_store_tmp(f->store));
	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fail_msg("left in tmp: %s", e->d_name);
	closedir(d);
}

void local_each_sandbox(void (*test)(struct local *f))
{
	for (int i = 0; i < 2; i++) {
		struct local f;
		if (local_sandbox[i] == NULL)
			continue;
		local_begin(&f, local_sandbox[i]);
		test(&f);
		local_assert_tmp_empty(&f);
		local_end(&f);
	}
}

bool local_store_is_sound(struct local *f)
{
	char *command = wb_arena_printf(&f->a,
					"cd %s/cas && for p in */*; do h=$(sha256sum < $p); n=${p#*/}; "
					"[ \"${h%%%% *}\" = \"${n%%.x}\" ] || exit 1; done",
					f->dir);
	return system(command) == 0;
}

int local_set_up(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	(void)state;
	if (!wb_is_ok(wb_sandbox_new(&local_sandbox[0], "bwrap", &err)))
		print_message("no bubblewrap here: %s\n", err.text);
	return wb_is_ok(wb_sandbox_new(&local_sandbox[1], "none", &err)) ? 0 : -1;
}

int local_tear_down(void **state)
{
	(void)state;
	wb_sandbox_free(local_sandbox[0]);
	wb_sandbox_free(local_sandbox[1]);
	return 0;
}
