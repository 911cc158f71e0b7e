#include "service/backend.h"

#include "base/fileio.h"
#include "base/log.h"
#include "reapi/client.h"
#include "service/store.h"

#include <stdlib.h>
#include <unistd.h>

struct shared {
	struct wb_backend base;
	struct wb_backend *local;
	struct wb_store *store;
	struct wb_reapi *client;
};

static struct shared *shared_of(struct wb_backend *b)
{
	return (struct shared *)b;
}

static void account(struct wb_backend_call *call, const struct wb_reapi_job *job)
{
	call->remote_sent += job->sent;
	call->remote_received += job->received;
}

/* The cluster's trouble is not the job's: it is noted, and the job goes on without the cluster. What failed on this
 * side (no room for a copy) is no trouble of the cluster's. */
static void note(struct wb_backend_call *call, wb_status s, const char *doing, const struct wb_err *why)
{
	if (s.code == WB_ENOENT || s.code == WB_ECANCELED)
		return;
	if (call->trouble == WB_OK)
		wb_log(WB_LOG_WARN, "%s: %s", doing, why->text);
	if (s.code == WB_EUNAVAILABLE || s.code == WB_EREFUSED || s.code == WB_EPROTO || s.code == WB_ELIMIT)
		call->trouble = s.code;
}

static wb_status lookup(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
			struct wb_backend_call *call, struct wb_err *err)
{
	struct shared *h = shared_of(b);
	struct wb_err why = WB_ERR_INIT;
	struct wb_reapi_job job = {.action = &call->action, .cancel = call->cancel};
	wb_status s = h->local->lookup(h->local, out, a, call, err);

	if (s.code != WB_ENOENT)
		return s;
	s = wb_reapi_lookup(out, a, h->client, &job, &call->action, call->inline_file, call->ninline_file, &why);
	account(call, &job);
	call->remote = wb_is_ok(s);
	if (wb_is_ok(s) || s.code == WB_ECANCELED)
		return s;
	note(call, s, "looking up a result", &why);
	return wb_fail(err, WB_ENOENT, "no result here, nor on the cluster");
}

static wb_status upload(struct wb_backend *b, struct wb_backend_call *call, const struct wb_blob *blob, size_t n,
			struct wb_err *err)
{
	struct shared *h = shared_of(b);

	return h->local->upload(h->local, call, blob, n, err);
}

/* The outputs lie in the store, which may remove them at any time: they are sent from copies of our own. */
static wb_status send_outputs(struct shared *h, struct wb_arena *a, struct wb_reapi_job *job,
			      const struct wb_action_result *r, struct wb_err *err)
{
	struct wb_blob *blob = wb_arena_array(a, r->nfile + 2, sizeof *blob);
	size_t n = 0;
	wb_status s = wb_ok();

	for (size_t i = 0; i < r->nfile && wb_is_ok(s); i++) {
		const char *copy = wb_store_tmp_name(h->store, a);

		s = wb_store_place(h->store, &r->file[i].digest, copy, false, err);
		if (wb_is_ok(s))
			blob[n++] = (struct wb_blob){.digest = r->file[i].digest, .path = copy};
	}
	if (wb_is_ok(s))
		s = wb_reapi_upload(h->client, job, blob, n, err);
	for (size_t i = 0; i < n; i++)
		unlink(blob[i].path);
	return s;
}

/* Some caches are for reading only (a build server fills them): that is no trouble, and the outputs stay here. A
 * cluster that did not answer the look-up is not waited for once more. */
static wb_status give(struct shared *h, struct wb_arena *a, struct wb_backend_call *call, struct wb_reapi_job *job,
		      const struct wb_action_result *r, struct wb_err *err)
{
	struct wb_reapi_capabilities caps;

	if ((call->cancel && atomic_load(call->cancel)) || call->trouble == WB_EUNAVAILABLE)
		return wb_ok();
	WB_TRY(wb_reapi_capabilities(&caps, h->client, err));
	if (!caps.update)
		return wb_ok();
	WB_TRY(send_outputs(h, a, job, r, err));
	return wb_reapi_update(h->client, job, &call->action, r, err);
}

static wb_status execute(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
			 struct wb_backend_call *call, struct wb_err *err)
{
	struct shared *h = shared_of(b);
	struct wb_err why = WB_ERR_INIT;
	struct wb_reapi_job job = {.action = &call->action, .cancel = call->cancel};

	WB_TRY(h->local->execute(h->local, out, a, call, err));
	if (out->exit_code != 0)
		return wb_ok();
	wb_status s = give(h, a, call, &job, out, &why);
	account(call, &job);
	if (!wb_is_ok(s))
		note(call, s, "giving a result to the cluster", &why);
	return wb_ok();
}

static wb_status fetch(struct wb_backend *b, struct wb_arena *a, struct wb_backend_call *call, struct wb_fetch *f,
		       size_t n, struct wb_err *err)
{
	struct shared *h = shared_of(b);
	struct wb_reapi_job job = {.action = &call->action, .cancel = call->cancel};

	if (!call->remote)
		return h->local->fetch(h->local, a, call, f, n, err);
	wb_status s = wb_reapi_fetch(h->client, a, &job, f, n, err);
	account(call, &job);
	for (size_t i = 0; i < n && wb_is_ok(s); i++)
		call->received += f[i].digest.size;
	/* It can be executed here: a cluster that loses or damages a blob costs no more than that. */
	if (wb_is_ok(s) || s.code == WB_ECANCELED || s.code == WB_EIO || s.code == WB_ENOSPC)
		return s;
	if (s.code != WB_ENOENT)
		note(call, s, "fetching a result", err);
	return (wb_status){WB_ENOENT};
}

static void free_shared(struct wb_backend *b)
{
	free(b);
}

struct wb_backend *wb_backend_cache_new(struct wb_backend *local, struct wb_store *store, struct wb_reapi *client)
{
	struct shared *h = wb_xcalloc(1, sizeof *h);

	*h = (struct shared){.base = {.name = "cache",
				      .lookup = lookup,
				      .upload = upload,
				      .execute = execute,
				      .fetch = fetch,
				      .free = free_shared},
			     .local = local,
			     .store = store,
			     .client = client};
	return &h->base;
}
