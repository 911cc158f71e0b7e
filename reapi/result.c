#include "reapi/result.h"

#include "base/map.h"

static wb_status refuse(struct wb_err *err, const char *kind, const char *path)
{
	return wb_fail(err, WB_EPROTO, "the server's result has a %s among its outputs: %.200s", kind, path);
}

static wb_status take_file(struct wb_result_file *f, struct wb_arena *a, struct wb_map *seen,
			   const wb_re_output_file *m, struct wb_err *err)
{
	bool fresh;
	if (!wb_re_path_ok(m->path))
		return wb_fail(err, WB_EPROTO,
			       "the server's result names an output outside the action's directory: \"%.200s\"",
			       m->path);
	wb_map_puts(seen, m->path, &fresh);
	if (!fresh)
		return wb_fail(err, WB_EPROTO, "the server's result names an output twice: %.200s", m->path);
	wb_status s = wb_re_digest_get(&f->digest, m->digest, "output", err);
	if (wb_is_ok(s) && f->digest.size > WB_RESULT_SIZE_MAX)
		s = wb_fail(err, WB_EPROTO, "%lld bytes", (long long)f->digest.size);
	if (!wb_is_ok(s))
		return wb_fail_prefix(err, s, "the server's result, output %.200s", m->path);
	f->path = wb_arena_strdup(a, m->path);
	f->exec = m->is_executable != 0;
	if (m->contents.len == 0 && f->digest.size > 0)
		return wb_ok();
	struct wb_digest d;
	wb_digest_of(&d, m->contents.data, m->contents.len);
	if (!wb_digest_eq(&d, &f->digest))
		return wb_fail(err, WB_EPROTO, "the server's result carries other content than it says for %.200s",
			       m->path);
	f->data = m->contents.len == 0 ? "" : (const char *)m->contents.data;
	return wb_ok();
}

/* stdout or stderr: `raw` when it is all there, else by its digest. */
static wb_status take_text(const char **text, size_t *len, bool *fetch, struct wb_digest *d, ProtobufCBinaryData raw,
			   const wb_re_digest *m, const char *what, struct wb_err *err)
{
	*text = raw.len == 0 ? "" : (const char *)raw.data;
	*len = raw.len;
	*fetch = false;
	if (m == NULL || (m->hash[0] == '\0' && m->size_bytes == 0))
		return wb_ok();
	WB_TRY(wb_re_digest_get(d, m, what, err));
	if (d->size > WB_RESULT_TEXT_MAX)
		return wb_fail(err, WB_EPROTO, "the server's result has %lld bytes of %s", (long long)d->size, what);
	if (d->size == 0 && raw.len == 0)
		return wb_ok();
	struct wb_digest have;
	wb_digest_of(&have, raw.data, raw.len);
	*fetch = !wb_digest_eq(&have, d); /* some servers cut what they send inline */
	return wb_ok();
}

static wb_status take_files(struct wb_action_result *out, struct wb_arena *a, const wb_re_action_result *m,
			    struct wb_err *err)
{
	if (m->n_output_symlinks > 0)
		return refuse(err, "symlink", m->output_symlinks[0]->path);
	if (m->n_output_file_symlinks > 0)
		return refuse(err, "symlink", m->output_file_symlinks[0]->path);
	if (m->n_output_directories > 0)
		return refuse(err, "directory", m->output_directories[0]->path);
	out->nfile = m->n_output_files;
	out->file = wb_arena_array(a, m->n_output_files, sizeof *out->file);
	struct wb_map seen;
	wb_map_init(&seen);
	wb_status s = wb_ok();
	for (size_t i = 0; i < m->n_output_files && wb_is_ok(s); i++)
		s = take_file(&out->file[i], a, &seen, m->output_files[i], err);
	wb_map_release(&seen);
	return s;
}

wb_status wb_result_take(struct wb_action_result *out, struct wb_result_texts *texts, struct wb_arena *a,
			 const wb_re_action_result *m, struct wb_err *err)
{
	*out = (struct wb_action_result){.exit_code = m->exit_code, .worker = ""};
	*texts = (struct wb_result_texts){0};
	if (m->execution_metadata != NULL)
		out->worker = wb_arena_strdup(a, m->execution_metadata->worker);
	/* What a failed action left behind is nobody's output: it must not hide why it failed. */
	if (m->exit_code == 0)
		WB_TRY(take_files(out, a, m, err));
	WB_TRY(take_text(&out->out_text, &out->out_len, &texts->fetch_out, &texts->out, m->stdout_raw, m->stdout_digest,
			 "stdout", err));
	return take_text(&out->err_text, &out->err_len, &texts->fetch_err, &texts->err, m->stderr_raw, m->stderr_digest,
			 "stderr", err);
}

static ProtobufCBinaryData bytes(const char *p, size_t n)
{
	/* protobuf-c only reads what it packs. */
	return (ProtobufCBinaryData){.len = n, .data = (uint8_t *)(uintptr_t)p};
}

wb_re_action_result *wb_result_message(struct wb_arena *a, const struct wb_action_result *r,
				       const struct wb_digest *out_text, const struct wb_digest *err_text)
{
	wb_re_action_result *m = wb_arena_alloc(a, sizeof *m);
	build__bazel__remote__execution__v2__action_result__init(m);
	m->exit_code = r->exit_code;
	m->n_output_files = r->nfile;
	m->output_files = wb_arena_array(a, r->nfile, sizeof *m->output_files);
	for (size_t i = 0; i < r->nfile; i++) {
		wb_re_output_file *f = m->output_files[i] = wb_arena_alloc(a, sizeof *f);
		build__bazel__remote__execution__v2__output_file__init(f);
		f->path = wb_arena_strdup(a, r->file[i].path);
		f->digest = wb_re_digest_new(a, &r->file[i].digest);
		f->is_executable = r->file[i].exec;
	}
	if (out_text != NULL)
		m->stdout_digest = wb_re_digest_new(a, out_text);
	else
		m->stdout_raw = bytes(r->out_text, r->out_len);
	if (err_text != NULL)
		m->stderr_digest = wb_re_digest_new(a, err_text);
	else
		m->stderr_raw = bytes(r->err_text, r->err_len);
	if (r->worker != NULL && r->worker[0] != '\0') {
		Build__Bazel__Remote__Execution__V2__ExecutedActionMetadata *x = wb_arena_alloc(a, sizeof *x);
		build__bazel__remote__execution__v2__executed_action_metadata__init(x);
		x->worker = wb_arena_strdup(a, r->worker);
		m->execution_metadata = x;
	}
	return m;
}
