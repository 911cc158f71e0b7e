/* client_impl.h — what the parts of the client share. Private to reapi/. */
#ifndef WB_REAPI_CLIENT_IMPL_H
#define WB_REAPI_CLIENT_IMPL_H

#include "proto/bytestream.pb-c.h"
#include "proto/longrunning.pb-c.h"
#include "reapi/breaker.h"
#include "reapi/client.h"
#include "reapi/presence.h"
#include "reapi/room.h"
#include "rpc/call.h"
#include "rpc/retry.h"

/* Generated names, shorter: WB_RE(ExecuteRequest) is the type, WB_RE_INIT(execute_request, &m),
 * WB_RE_TYPE(execute_request) its descriptor. */
#define WB_RE(name)         Build__Bazel__Remote__Execution__V2__##name
#define WB_RE_INIT(name, m) build__bazel__remote__execution__v2__##name##__init(m)
#define WB_RE_TYPE(name)    (&build__bazel__remote__execution__v2__##name##__descriptor)
#define WB_RE_METHOD(name)  "/build.bazel.remote.execution.v2." name
#define WB_RE_ZSTD          BUILD__BAZEL__REMOTE__EXECUTION__V2__COMPRESSOR__VALUE__ZSTD

enum wb_reapi_role { WB_REAPI_EXEC, WB_REAPI_CAS, WB_REAPI_CACHE, WB_REAPI_ROLES };

enum {
	/* Payload of one batch, and of one whole message: gRPC servers take 4 MiB. Half of it, because a batch is in
	 * memory three times while it is sent (blobs, message, gRPC's slice). */
	WB_REAPI_BATCH_MAX = 2 << 20,
	WB_REAPI_BLOB_OVERHEAD = 160, /* digest, lengths and status of one blob in a batch */
	WB_REAPI_CHUNK = 256 << 10,   /* of a ByteStream.Write */
	WB_REAPI_STREAM_ROOM = 1 << 20,
	WB_REAPI_ROOM = 32 << 20, /* payload of uploads, and again of downloads, of all jobs at once */
	WB_REAPI_MEMORY_MAX = 64 << 20,
	WB_REAPI_TRIES = 6,
};

/* The answer to the first question, shared by all who wait for it. */
struct wb_reapi_known {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool asking, known;
	unsigned asked; /* questions so far */
	struct wb_reapi_capabilities caps;
	int64_t refused_until_ns; /* wb_clock_ns: a refusal is not asked again before */
	wb_status status;         /* of the last question */
	struct wb_err err;
};

struct wb_reapi {
	struct wb_channel *channel[WB_REAPI_ROLES]; /* NULL: not configured; several may be the same */
	struct wb_channel *own[WB_REAPI_ROLES];     /* each once */
	size_t nown;
	char *name, *instance, *version;
	char invocation[37];
	int64_t rpc_timeout_ns, execute_timeout_ns;
	bool compress;
	struct wb_breaker breaker;
	struct wb_reapi_known known;
	struct wb_presence presence;
	struct wb_room sending, receiving;
};

/* ---- client.c: calls */

/* The tries of one call. */
struct wb_reapi_try {
	struct wb_reapi *c;
	struct wb_channel *channel;
	const char *method;
	const atomic_bool *cancel;
	bool quiet;     /* the breaker is neither asked nor told: its own questions */
	bool execution; /* slow or busy says nothing about the server */
	struct wb_retry retry;
	struct wb_rpc_status st; /* of the last try */
	bool unconnected;        /* the last try found nobody */
	char *header;
	size_t header_len;
};

/* `budget_ns` for all tries together; `a` for the header. WB_EREFUSED: no endpoint for this. */
wb_status wb_reapi_try_init(struct wb_reapi_try *t, struct wb_arena *a, struct wb_reapi *c,
			    const struct wb_reapi_job *job, enum wb_reapi_role role, const char *method,
			    int64_t budget_ns, struct wb_err *err);
/* Before each try: WB_EUNAVAILABLE when the server is known to be down, WB_ECANCELED; else the options of the call. */
wb_status wb_reapi_try_begin(struct wb_call_options *o, struct wb_reapi_try *t, struct wb_err *err);
/* After each try, which ended with `s` and t->st: tells the breaker, completes the text, and waits when it shall be
 * tried again: then true. Else `*s` is what the caller gets. */
bool wb_reapi_try_again(struct wb_reapi_try *t, wb_status *s, struct wb_err *err);

/* A unary call with all its tries. `st` (may be NULL): how the last one ended. */
wb_status wb_reapi_unary(ProtobufCMessage **reply, struct wb_arena *a, struct wb_reapi *c, struct wb_reapi_job *job,
			 enum wb_reapi_role role, const char *method, const ProtobufCMessage *request,
			 const ProtobufCMessageDescriptor *type, struct wb_rpc_status *st, struct wb_err *err);

/* The time for moving `size` bytes. */
int64_t wb_reapi_budget(const struct wb_reapi *c, int64_t size);
/* google.rpc.Status in our terms; NULL is OK. `a` is scratch. */
void wb_reapi_status(struct wb_rpc_status *st, struct wb_arena *a, const Google__Rpc__Status *m);
/* A random UUID. */
void wb_reapi_uuid(char out[37]);

/* ---- capabilities.c */

/* Known, or asked now; waits for the one question. */
wb_status wb_reapi_need(struct wb_reapi_capabilities *out, struct wb_reapi *c, const atomic_bool *cancel,
			struct wb_err *err);
/* For the breaker: ask again; what was believed about the server is forgotten when it answers. */
wb_status wb_reapi_probe(void *client, const atomic_bool *stop, struct wb_err *err);

/* How much fits in a batch. */
int64_t wb_reapi_batch_max(const struct wb_reapi_capabilities *caps);

/* ---- download.c */

/* Texts of a result that came as digests (result.h). */
struct wb_result_texts;
wb_status wb_reapi_fetch_texts(struct wb_action_result *result, struct wb_arena *a, struct wb_reapi *c,
			       struct wb_reapi_job *job, const struct wb_result_texts *texts, struct wb_err *err);

#endif
