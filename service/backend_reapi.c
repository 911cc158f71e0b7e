#include "service/backend.h"

#include "reapi/client.h"

#include <stdlib.h>
#include <string.h>

struct remote {
	struct wb_backend base;
	struct wb_reapi *client;
};

static struct wb_reapi *client_of(struct wb_backend *b)
{
	return ((struct remote *)b)->client;
}

static struct wb_reapi_job job_of(const struct wb_backend_call *call)
{
	return (struct wb_reapi_job){.action = &call->action, .cancel = call->cancel};
}

static void account(struct wb_backend_call *call, const struct wb_reapi_job *job)
{
	call->remote_sent += job->sent;
	call->remote_received += job->received;
}

static wb_status lookup(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
			struct wb_backend_call *call, struct wb_err *err)
{
	struct wb_reapi_job job = job_of(call);
	wb_status s =
	    wb_reapi_lookup(out, a, client_of(b), &job, &call->action, call->inline_file, call->ninline_file, err);

	account(call, &job);
	call->remote = true;
	return s;
}

static wb_status upload(struct wb_backend *b, struct wb_backend_call *call, const struct wb_blob *blob, size_t n,
			struct wb_err *err)
{
	struct wb_reapi_job job = job_of(call);

	if (call->again)
		wb_reapi_forget(client_of(b), blob, n);
	wb_status s = wb_reapi_upload(client_of(b), &job, blob, n, err);

	account(call, &job);
	return s;
}

static wb_status execute(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
			 struct wb_backend_call *call, struct wb_err *err)
{
	struct wb_reapi_job job = job_of(call);
	struct wb_reapi_execution x = {
	    .skip_cache_lookup = call->skip_cache, .timeout_ns = call->timeout_ns, .stage = &call->stage};
	wb_status s = wb_reapi_execute(out, a, client_of(b), &job, &call->action, &x, err);

	account(call, &job);
	call->remote = true;
	call->queued_ns += x.queued_ns;
	call->ran_ns += x.worker_ns;
	if (wb_is_ok(s))
		call->worker = out->worker;
	return s;
}

static wb_status fetch(struct wb_backend *b, struct wb_arena *a, struct wb_backend_call *call, struct wb_fetch *f,
		       size_t n, struct wb_err *err)
{
	struct wb_reapi_job job = job_of(call);
	wb_status s = wb_reapi_fetch(client_of(b), a, &job, f, n, err);

	account(call, &job);
	for (size_t i = 0; i < n && wb_is_ok(s); i++)
		call->received += f[i].digest.size;
	return s;
}

static void free_remote(struct wb_backend *b)
{
	free(b);
}

struct wb_backend *wb_backend_reapi_new(struct wb_reapi *client)
{
	struct remote *r = wb_xcalloc(1, sizeof *r);

	*r = (struct remote){.base = {.name = "remote",
				      .worker = true,
				      .lookup = lookup,
				      .upload = upload,
				      .execute = execute,
				      .fetch = fetch,
				      .free = free_remote},
			     .client = client};
	return &r->base;
}
