#define _GNU_SOURCE
#include "service/backend.h"

#include "base/clock.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "reapi/messages.h"
#include "service/action_cache.h"
#include "service/input_root.h"
#include "service/sandbox.h"
#include "service/slots.h"
#include "service/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	INLINE_TEXT = 64 * 1024,      /* stdout and stderr up to this size lie in the ActionResult itself */
	SMALL_OUTPUT = 64 << 20,      /* fetch_bytes */
	DISK_FULL_BYTES = 256 * 1024, /* an action that failed with less room than this failed for lack of room */
};

struct local {
	struct wb_backend base;
	struct wb_store *store;
	struct wb_action_cache *cache;
	struct wb_sandbox *sandbox;
	struct wb_slots *slots;
	struct wb_input_roots *roots;
};

/* One execution. */
struct run {
	struct local *l;
	struct wb_arena *a;
	struct wb_pins *pins;
	struct wb_backend_call *x;
	wb_re_action *action;
	wb_re_command *command;
	struct wb_digest root_digest;
	const char *working_directory;
	const char **output; /* relative to the working directory, as in the Command */
	size_t noutput;
	const char **output_dir; /* relative to the input root, sorted */
	size_t noutput_dir;
	struct wb_input_root root;
};

static struct local *local_of(struct wb_backend *b)
{
	return (struct local *)b;
}

/* Text of a result: in the message, or in the store. */
static wb_status get_text(struct local *l, struct wb_arena *a, const char **text, size_t *n,
			  const ProtobufCBinaryData *raw, const wb_re_digest *digest, struct wb_err *err)
{
	struct wb_digest d;
	char *data;
	*text = raw->len > 0 ? wb_arena_memdup(a, raw->data, raw->len) : "";
	*n = raw->len;
	if (raw->len > 0 || digest == NULL)
		return wb_ok();
	WB_TRY(wb_re_digest_get(&d, digest, "output text", err));
	WB_TRY(wb_store_get(&data, a, l->store, &d, WB_MESSAGE_MAX, err));
	*text = data;
	*n = (size_t)d.size;
	return wb_ok();
}

static wb_status result_of_message(struct wb_action_result *out, struct local *l, struct wb_arena *a,
				   const wb_re_action_result *m, struct wb_err *err)
{
	*out = (struct wb_action_result){.exit_code = m->exit_code, .worker = ""};
	out->file = wb_arena_array(a, m->n_output_files, sizeof *out->file);
	for (size_t i = 0; i < m->n_output_files; i++) {
		const wb_re_output_file *f = m->output_files[i];
		struct wb_result_file *r = &out->file[out->nfile++];
		if (!wb_re_path_ok(f->path))
			return wb_fail(err, WB_EPROTO, "bad path in a result: %.200s", f->path);
		*r = (struct wb_result_file){.path = wb_arena_strdup(a, f->path), .exec = f->is_executable};
		WB_TRY(wb_re_digest_get(&r->digest, f->digest, f->path, err));
	}
	WB_TRY(get_text(l, a, &out->out_text, &out->out_len, &m->stdout_raw, m->stdout_digest, err));
	return get_text(l, a, &out->err_text, &out->err_len, &m->stderr_raw, m->stderr_digest, err);
}

/* A blob that was found damaged is gone now: for the caller it is one that is missing. */
static wb_status missing(wb_status s)
{
	return s.code == WB_ECORRUPT ? (wb_status){WB_ENOENT} : s;
}

static wb_status lookup(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
			struct wb_backend_call *call, struct wb_err *err)
{
	struct local *l = local_of(b);
	wb_re_action_result *m;
	char *data;
	size_t n;
	WB_TRY(wb_action_cache_get(&data, &n, a, l->cache, &call->action, err));
	call->remote = false;
	WB_TRY(wb_action_result_decode(&m, a, data, n, err));
	return missing(result_of_message(out, l, a, m, err));
}

static wb_status upload(struct wb_backend *b, struct wb_backend_call *call, const struct wb_blob *blob, size_t n,
			struct wb_err *err)
{
	struct local *l = local_of(b);
	for (size_t i = 0; i < n; i++) {
		const struct wb_blob *x = &blob[i];
		if (wb_store_has(l->store, &x->digest))
			continue;
		wb_status s = x->data != NULL ? wb_store_put(l->store, &x->digest, x->data, err)
					      : wb_store_put_file(l->store, &x->digest, x->path, NULL, err);
		/* The file went away, or became something else, since it was scanned. */
		if (x->data == NULL && (s.code == WB_ENOENT || s.code == WB_EINVAL))
			s.code = WB_ESTALE;
		WB_TRY(s);
		call->sent += x->digest.size;
	}
	return wb_ok();
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static size_t sort_unique(const char **v, size_t n)
{
	size_t k = 0;
	if (n > 0)
		qsort(v, n, sizeof *v, by_text);
	for (size_t i = 0; i < n; i++)
		if (k == 0 || strcmp(v[k - 1], v[i]) != 0)
			v[k++] = v[i];
	return k;
}

static const char *below_working_directory(const struct run *r, const char *path)
{
	if (r->working_directory[0] == '\0')
		return path;
	return wb_arena_printf(r->a, "%s/%s", r->working_directory, path);
}

/* The output paths of the Command, and the directories that they lie in. */
static wb_status find_outputs(struct run *r, struct wb_err *err)
{
	const wb_re_command *c = r->command;
	bool paths = c->n_output_paths > 0;
	size_t n = paths ? c->n_output_paths : c->n_output_files;
	r->output = wb_arena_array(r->a, n, sizeof *r->output);
	r->output_dir = wb_arena_array(r->a, n, sizeof *r->output_dir);
	for (size_t i = 0; i < n; i++) {
		const char *path = paths ? c->output_paths[i] : c->output_files[i];
		if (!wb_re_path_ok(path))
			return wb_fail(err, WB_EPROTO, "bad output path: %.200s", path);
		r->output[i] = path;
		r->output_dir[i] = wb_path_dirname(r->a, below_working_directory(r, path));
		if (strcmp(r->output_dir[i], ".") == 0)
			return wb_fail(err, WB_EUNSUPPORTED, "an output directly in the input root: %.200s", path);
	}
	r->noutput = sort_unique(r->output, n);
	r->noutput_dir = sort_unique(r->output_dir, n);
	return wb_ok();
}

static wb_status read_action(struct run *r, struct wb_err *err)
{
	struct wb_store *store = r->l->store;
	struct wb_digest d;
	char *data;
	wb_pins_add(r->pins, &r->x->action);
	WB_TRY(wb_store_get(&data, r->a, store, &r->x->action, WB_MESSAGE_MAX, err));
	WB_TRY(wb_action_decode(&r->action, r->a, data, (size_t)r->x->action.size, err));
	WB_TRY(wb_re_digest_get(&r->root_digest, r->action->input_root_digest, "input_root_digest", err));
	WB_TRY(wb_re_digest_get(&d, r->action->command_digest, "command_digest", err));
	wb_pins_add(r->pins, &d);
	WB_TRY(wb_store_get(&data, r->a, store, &d, WB_MESSAGE_MAX, err));
	WB_TRY(wb_command_decode(&r->command, r->a, data, (size_t)d.size, err));
	if (r->command->n_arguments == 0 || r->command->arguments[0][0] == '\0')
		return wb_fail(err, WB_EPROTO, "a Command without arguments");
	r->working_directory = r->command->working_directory;
	if (r->working_directory[0] != '\0' && !wb_re_path_ok(r->working_directory))
		return wb_fail(err, WB_EPROTO, "bad working directory: %.200s", r->working_directory);
	return find_outputs(r, err);
}

/* Open what lies at `path` below `dir`, refusing every symlink on the way. -1 and errno. */
static int open_beneath(const char *dir, const char *path)
{
	int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return -1;
	struct open_how how = {.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, at, path, &how, sizeof how), e = errno;
	close(at);
	errno = e;
	return fd;
}

static bool stat_beneath(struct stat *st, const char *dir, const char *path)
{
	int fd = open_beneath(dir, path);
	if (fd < 0)
		return false;
	bool ok = fstat(fd, st) == 0;
	close(fd);
	return ok;
}

static wb_status lay_out(struct run *r, struct wb_err *err)
{
	struct local *l = r->l;
	struct stat st;
	bool copies = wb_sandbox_kind(l->sandbox) == WB_SANDBOX_NONE;
	WB_TRY(wb_input_root_init(&r->root, r->a, l->roots, r->pins, &r->root_digest, r->output_dir, r->noutput_dir,
				  copies, err));
	if (r->working_directory[0] != '\0' &&
	    (!stat_beneath(&st, r->root.root, r->working_directory) || !S_ISDIR(st.st_mode)))
		return wb_fail(err, WB_EPROTO, "the working directory is not in the input root: %s",
			       r->working_directory);
	return wb_ok();
}

static const char *const *environment(const struct run *r)
{
	const wb_re_command *c = r->command;
	const char **env = wb_arena_array(r->a, c->n_environment_variables + 1, sizeof *env);
	for (size_t i = 0; i < c->n_environment_variables; i++)
		env[i] = wb_arena_printf(r->a, "%s=%s", c->environment_variables[i]->name,
					 c->environment_variables[i]->value);
	return env;
}

static const char *const *arguments(const struct run *r)
{
	const char **argv = wb_arena_array(r->a, r->command->n_arguments + 1, sizeof *argv);
	for (size_t i = 0; i < r->command->n_arguments; i++)
		argv[i] = r->command->arguments[i];
	return argv;
}

/* Take one output into the store. `*there` is false when the action did not make it. */
static wb_status collect(bool *there, struct wb_result_file *out, struct run *r, const char *path, struct wb_err *err)
{
	struct stat st;
	const char *full = below_working_directory(r, path);
	*there = false;
	if (wb_input_root_is_input(&r->root, full) || !stat_beneath(&st, r->root.out, full) || !S_ISREG(st.st_mode))
		return wb_ok();
	*out = (struct wb_result_file){.path = path, .exec = (st.st_mode & 0111) != 0};
	const char *host = wb_arena_printf(r->a, "%s/%s", r->root.out, full);
	/* A sandbox that has ended leaves no process that could still write; a bare directory may. */
	wb_status s = r->root.copies ? wb_store_put_file(r->l->store, NULL, host, &out->digest, err)
				     : wb_store_take_file(r->l->store, host, out->exec, &out->digest, err);
	*there = wb_is_ok(s);
	return s;
}

/* Did the action fail because the disk that it ran on is full? Then its failure says nothing about the command. */
static bool ran_out_of_room(const struct run *r, const struct wb_buf *err_text)
{
	struct statvfs v;
	if (err_text->n > 0 && memmem(err_text->p, err_text->n, "No space left on device", 23) != NULL)
		return true;
	if (statvfs(wb_store_tmp(r->l->store), &v) < 0)
		return false;
	return (geteuid() == 0 ? v.f_bfree : v.f_bavail) * v.f_frsize < DISK_FULL_BYTES;
}

/* Where a text of the result goes: into the message, or when it is long into the store. */
static wb_status put_text(struct run *r, ProtobufCBinaryData *raw, wb_re_digest **digest, const char *text, size_t n,
			  struct wb_err *err)
{
	struct wb_digest d;
	if (n <= INLINE_TEXT) {
		raw->data = (uint8_t *)wb_arena_memdup(r->a, text, n);
		raw->len = n;
		return wb_ok();
	}
	wb_digest_of(&d, text, n);
	WB_TRY(wb_store_put(r->l->store, &d, text, err));
	*digest = wb_re_digest_new(r->a, &d);
	return wb_ok();
}

static wb_status remember(struct run *r, const struct wb_action_result *result, struct wb_err *err)
{
	wb_re_action_result m;
	char *data;
	size_t n;
	build__bazel__remote__execution__v2__action_result__init(&m);
	m.exit_code = result->exit_code;
	m.output_files = wb_arena_array(r->a, result->nfile, sizeof *m.output_files);
	for (size_t i = 0; i < result->nfile; i++) {
		wb_re_output_file *f = wb_arena_alloc(r->a, sizeof *f);
		build__bazel__remote__execution__v2__output_file__init(f);
		f->path = wb_arena_strdup(r->a, result->file[i].path);
		f->digest = wb_re_digest_new(r->a, &result->file[i].digest);
		f->is_executable = result->file[i].exec;
		m.output_files[m.n_output_files++] = f;
	}
	WB_TRY(put_text(r, &m.stdout_raw, &m.stdout_digest, result->out_text, result->out_len, err));
	WB_TRY(put_text(r, &m.stderr_raw, &m.stderr_digest, result->err_text, result->err_len, err));
	wb_message_pack(&data, &n, r->a, &m.base);
	return wb_action_cache_put(r->l->cache, &r->x->action, data, n, err);
}

static wb_status run_action(struct run *r, struct wb_action_result *out, struct wb_buf *out_text,
			    struct wb_buf *err_text, struct wb_err *err)
{
	const char *changed;
	struct wb_sandbox_run run = {
	    .argv = arguments(r),
	    .env = environment(r),
	    .root = r->root.root,
	    .out = r->root.copies ? NULL : r->root.out,
	    .working_directory = r->working_directory,
	    .out_dir = r->root.out_dir,
	    .nout_dir = r->root.nout_dir,
	    .inner = r->root.inner,
	    .ninner = r->root.ninner,
	    .platform = r->x->platform_dirs,
	    .nplatform = r->x->nplatform_dirs,
	    .cancel = r->x->cancel,
	    .stdout_buf = out_text,
	    .stderr_buf = err_text,
	};
	WB_TRY(wb_sandbox_run(&out->exit_code, r->l->sandbox, &run, err));
	if (!wb_input_root_intact(&r->root, &changed))
		return wb_fail(err, WB_EUNSUPPORTED, "the action changed its own input %s", changed);
	if (out->exit_code != 0 && ran_out_of_room(r, err_text))
		return wb_fail(err, WB_ENOSPC, "no room left in %s", wb_store_tmp(r->l->store));
	out->file = wb_arena_array(r->a, r->noutput, sizeof *out->file);
	for (size_t i = 0; i < r->noutput; i++) {
		bool there;
		WB_TRY(collect(&there, &out->file[out->nfile], r, r->output[i], err));
		out->nfile += there;
	}
	out->out_text = wb_arena_strndup(r->a, out_text->n > 0 ? out_text->p : "", out_text->n);
	out->out_len = out_text->n;
	out->err_text = wb_arena_strndup(r->a, err_text->n > 0 ? err_text->p : "", err_text->n);
	out->err_len = err_text->n;
	return wb_ok();
}

static wb_status execute_in_slot(struct run *r, struct wb_action_result *out, struct wb_err *err)
{
	struct wb_buf out_text = WB_BUF_INIT, err_text = WB_BUF_INIT;
	wb_status s = lay_out(r, err);
	if (wb_is_ok(s))
		s = run_action(r, out, &out_text, &err_text, err);
	if (wb_is_ok(s) && out->exit_code == 0 && !r->action->do_not_cache) {
		/* The result is right whether it is remembered or not. */
		struct wb_err why = WB_ERR_INIT;
		if (!wb_is_ok(remember(r, out, &why)))
			wb_log(WB_LOG_WARN, "a result was not cached: %s", why.text);
	}
	wb_buf_release(&out_text);
	wb_buf_release(&err_text);
	return s;
}

static wb_status execute(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
			 struct wb_backend_call *x, struct wb_err *err)
{
	struct local *l = local_of(b);
	struct run r = {.l = l, .a = a, .x = x, .pins = wb_pins_new(l->store)};
	*out = (struct wb_action_result){.out_text = "", .err_text = "", .worker = ""};
	x->remote = false;
	x->worker = "";
	wb_status s = read_action(&r, err);
	if (wb_is_ok(s)) {
		int64_t start = wb_clock_ns();
		atomic_store(&x->stage, BUILD__BAZEL__REMOTE__EXECUTION__V2__EXECUTION_STAGE__VALUE__QUEUED);
		s = wb_slots_take(l->slots, x->cancel, err);
		x->queued_ns += wb_clock_ns() - start;
	}
	if (wb_is_ok(s)) {
		int64_t start = wb_clock_ns();
		atomic_store(&x->stage, BUILD__BAZEL__REMOTE__EXECUTION__V2__EXECUTION_STAGE__VALUE__EXECUTING);
		s = execute_in_slot(&r, out, err);
		wb_slots_give(l->slots);
		x->ran_ns += wb_clock_ns() - start;
	}
	wb_input_root_release(&r.root);
	wb_pins_free(r.pins);
	return missing(s);
}

/* All are looked for before one is put in place. */
static wb_status fetch(struct wb_backend *b, struct wb_arena *a, struct wb_backend_call *call, struct wb_fetch *f,
		       size_t n, struct wb_err *err)
{
	struct wb_store *store = local_of(b)->store;
	char hex[WB_DIGEST_HEX];
	for (size_t i = 0; i < n; i++) {
		if (wb_store_has(store, &f[i].digest))
			continue;
		wb_digest_hex(hex, &f[i].digest);
		return wb_fail(err, WB_ENOENT, "blob %s is not in the store", hex);
	}
	for (size_t i = 0; i < n; i++) {
		char *data = NULL;
		wb_status s = f[i].path != NULL ? wb_store_place(store, &f[i].digest, f[i].path, f[i].exec, err)
						: wb_store_get(&data, a, store, &f[i].digest, SMALL_OUTPUT, err);
		f[i].data = data;
		WB_TRY(missing(s));
		call->received += f[i].digest.size;
	}
	return wb_ok();
}

static void free_local(struct wb_backend *b)
{
	wb_input_roots_free(local_of(b)->roots);
	free(b);
}

wb_status wb_backend_local_new(struct wb_backend **out, struct wb_store *store, struct wb_action_cache *cache,
			       struct wb_sandbox *sandbox, struct wb_slots *slots, struct wb_err *err)
{
	(void)err;
	struct local *l = wb_xcalloc(1, sizeof *l);
	*l = (struct local){.base = {.name = "local",
				     .lookup = lookup,
				     .upload = upload,
				     .execute = execute,
				     .fetch = fetch,
				     .free = free_local},
			    .store = store,
			    .cache = cache,
			    .sandbox = sandbox,
			    .slots = slots,
			    .roots = wb_input_roots_new(store)};
	*out = &l->base;
	return wb_ok();
}
