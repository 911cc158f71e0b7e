#include "service/delivery.h"

#include "base/fileio.h"
#include "base/path.h"
#include "scanner/facts.h"
#include "service/plan.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPFILE_MAX (64u << 20)

void wb_delivery_of_plan(struct wb_delivery *d, struct wb_arena *a, const struct wb_plan *p)
{
	struct wb_rewrite_output *output = wb_arena_array(a, p->rewrite.noutput, sizeof *output);

	*d = (struct wb_delivery){
	    .output = output,
	    .noutput = p->rewrite.noutput,
	    .mapback = p->rewrite.mapback,
	    .want_color = p->want_color,
	    .pch_create = p->cmd.pch_role == WB_PCH_CREATE,
	    .pch_use = p->cmd.pch_role == WB_PCH_USE,
	    .umask = p->req->umask,
	    .object = "",
	};
	for (size_t i = 0; i < d->noutput; i++) {
		output[i] = p->rewrite.output[i];
		output[i].action_path = p->action.output[i];
		if (output[i].kind == WB_OUT_OBJECT)
			d->object = output[i].real_path;
	}
}

const char *const *wb_delivery_inline(struct wb_arena *a, const struct wb_delivery *d, size_t *n)
{
	const char **file = wb_arena_array(a, d->noutput, sizeof *file);

	*n = 0;
	for (size_t i = 0; i < d->noutput; i++)
		if (d->output[i].kind == WB_OUT_DEPFILE)
			file[(*n)++] = d->output[i].action_path;
	return file;
}

static const struct wb_result_file *result_file(const struct wb_action_result *r, const char *path)
{
	for (size_t i = 0; i < r->nfile; i++)
		if (strcmp(r->file[i].path, path) == 0)
			return &r->file[i];
	return NULL;
}

static wb_status place_depfile(const struct wb_delivery *d, const struct wb_fetch *f, const char *path,
			       struct wb_err *err)
{
	struct wb_buf mapped = WB_BUF_INIT;

	wb_mapback_depfile(&mapped, &d->mapback, f->data, (size_t)f->digest.size);
	wb_status st = wb_file_write(path, mapped.p ? mapped.p : "", mapped.n, 0666 & ~d->umask, err);
	wb_buf_release(&mapped);
	return st;
}

static wb_status set_mode(const struct wb_delivery *d, const struct wb_fetch *f, struct wb_err *err)
{
	mode_t mode = (f->exec ? 0777 : 0666) & ~d->umask;

	if (mode != (f->exec ? 0755 : 0644) && chmod(f->path, mode) != 0)
		return wb_fail_errno(err, errno, "cannot set the mode of %s", f->path);
	return wb_ok();
}

/* What is fetched, one a present output: a depfile into memory, everything else to its place. */
static struct wb_fetch *fetches(struct wb_arena *a, const struct wb_delivery *d, const struct wb_result_file **file,
				size_t *n)
{
	struct wb_fetch *f = wb_arena_array(a, d->noutput, sizeof *f);

	*n = 0;
	for (size_t i = 0; i < d->noutput; i++) {
		if (!file[i])
			continue;
		bool depfile = d->output[i].kind == WB_OUT_DEPFILE;
		f[(*n)++] = (struct wb_fetch){.digest = file[i]->digest,
					      .path = depfile ? NULL : d->output[i].real_path,
					      .exec = file[i]->exec,
					      .content = file[i]->data};
	}
	return f;
}

wb_status wb_deliver(struct wb_delivered *out, struct wb_arena *a, struct wb_backend *b, struct wb_backend_call *call,
		     struct wb_facts *facts, const struct wb_delivery *d, const struct wb_action_result *r,
		     struct wb_err *err)
{
	const struct wb_result_file **file = wb_arena_array(a, d->noutput + 1, sizeof *file);

	*out = (struct wb_delivered){WB_BUF_INIT, WB_BUF_INIT};
	for (size_t i = 0; i < d->noutput; i++) {
		file[i] = result_file(r, d->output[i].action_path);
		if (!file[i] && !d->output[i].optional)
			return wb_fail(err, WB_EPROTO, "the action succeeded but left out %s",
				       d->output[i].action_path);
	}
	for (size_t i = 0; i < d->noutput; i++) {
		const char *dir = wb_path_dirname(a, d->output[i].real_path);

		/* The sandbox had every directory; a compiler here would have failed without it. */
		if (access(dir, W_OK | X_OK) != 0)
			return wb_fail(err, WB_EIO, "cannot write into the directory %s", dir);
	}
	/* Before the file is there: a daemon that is killed in between must not leave a PCH behind whose origin its
	 * successor does not know. */
	for (size_t i = 0; i < d->noutput; i++)
		if (file[i] && d->output[i].kind == WB_OUT_OBJECT && d->pch_create)
			wb_facts_set_attribute(facts, &file[i]->digest, WB_ATTR_RECIPE_PCH);
	size_t nfetch;
	struct wb_fetch *f = fetches(a, d, file, &nfetch);
	WB_TRY(b->fetch(b, a, call, f, nfetch, err));
	for (size_t i = 0; i < d->noutput; i++) {
		const struct wb_rewrite_output *o = &d->output[i];

		if (!file[i])
			continue;
		if (o->kind == WB_OUT_DEPFILE)
			WB_TRY(place_depfile(d, f, o->real_path, err));
		else
			WB_TRY(set_mode(d, f, err));
		if (o->kind == WB_OUT_OBJECT && d->pch_create)
			wb_facts_learn(facts, o->real_path, &file[i]->digest);
		f++;
	}
	wb_mapback_diagnostics(&out->out_text, &d->mapback, r->out_text, r->out_len, !d->want_color);
	wb_mapback_diagnostics(&out->err_text, &d->mapback, r->err_text, r->err_len, !d->want_color);
	return wb_ok();
}

wb_status wb_deliver_depfile(struct wb_arena *a, const struct wb_mapback *m, const char *depfile, struct wb_err *err)
{
	struct wb_buf mapped = WB_BUF_INIT;
	struct stat st;
	char *data;
	size_t n;

	if (stat(depfile, &st) != 0)
		return wb_ok(); /* the compiler failed before it wrote one */
	WB_TRY(wb_file_read(&data, &n, a, depfile, DEPFILE_MAX, err));
	wb_mapback_depfile(&mapped, m, data, n);
	wb_status s = wb_ok();
	if (mapped.n != n || memcmp(mapped.p, data, n) != 0)
		s = wb_file_write(depfile, mapped.p, mapped.n, st.st_mode & 07777, err);
	wb_buf_release(&mapped);
	return s;
}
