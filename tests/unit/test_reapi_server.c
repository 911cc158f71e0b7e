/* The REAPI client against a small server of our own, which can be told to misbehave. What a real server does is tested
 * in tests/interop; here is what no honest one does, or does when asked to: busy, liars, broken streams, compression.
 */
#include "base/clock.h"
#include "proto/bytestream.pb-c.h"
#include "proto/longrunning.pb-c.h"
#include "reapi/client.h"
#include "reapi/compression.h"
#include "rpc/server.h"
#include "tests/unit/tempdir.h"

#include <pthread.h>

#define RE(name)   Build__Bazel__Remote__Execution__V2__##name
#define INIT(n, m) build__bazel__remote__execution__v2__##n##__init(m)
#define TYPE(n)    (&build__bazel__remote__execution__v2__##n##__descriptor)
#define METHOD(n)  "/build.bazel.remote.execution.v2." n
#define ZSTD       BUILD__BAZEL__REMOTE__EXECUTION__V2__COMPRESSOR__VALUE__ZSTD
#define SECOND     ((int64_t)1000000000)
#define COUNT(a)   (sizeof(a) / sizeof(a)[0])

enum { SMALL = 3000, LARGE = 5 << 20, STORED_MAX = 64 };

enum lie {
	HONEST,
	BATCH_LEAVES_OUT,
	BATCH_TWICE,
	BATCH_STRANGER,
	BATCH_OTHER_BYTES,
	BATCH_SHORT,
	BATCH_BOMB,
	BATCH_BUSY_ONCE, /* RESOURCE_EXHAUSTED for the first blob, the first time */
	BUSY_TWICE,      /* UNAVAILABLE, the first two calls */
	REFUSES,         /* PERMISSION_DENIED */
	READ_TRUNCATED,
	READ_ENDLESS,
	READ_OTHER_BYTES,
	READ_BREAKS_ONCE,
	WRITE_SHORT,
	WRITE_EARLY,
	WRITE_BREAKS_ONCE,
	EXECUTE_BREAKS,
	EXECUTE_LOST,
	EXECUTE_LOST_TWICE,
	EXECUTE_ENDS,
	EXECUTE_STATUS,
	EXECUTE_BUSY_ONCE,
	EXECUTE_NO_RESULT,
	EXECUTE_OUTSIDE,
	EXECUTE_HANGS, /* queued, and nothing more */
	NO_SHA256,
	OLD_API,
	NO_EXECUTION,
};

struct stored {
	struct wb_digest digest;
	char *data;
};

/* The server. One at a time. */
static struct {
	struct wb_rpc_server *server;
	pthread_mutex_t lock;
	struct stored stored[STORED_MAX];
	size_t n;
	enum lie lie;
	bool zstd;
	int64_t max_batch;
	int code; /* EXECUTE_STATUS */
	const char *message;
	unsigned capabilities, found, updated, read, written, executed, waited; /* calls, or blobs */
	int64_t largest_batch;
	bool compressed;
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void store(const struct wb_digest *d, const char *data)
{
	assert_true(peer.n < STORED_MAX);
	peer.stored[peer.n].digest = *d;
	peer.stored[peer.n].data = malloc((size_t)d->size + 1);
	memcpy(peer.stored[peer.n++].data, data, (size_t)d->size);
}

static const char *stored(const struct wb_digest *d)
{
	for (size_t i = 0; i < peer.n; i++)
		if (wb_digest_eq(&peer.stored[i].digest, d))
			return peer.stored[i].data;
	return NULL;
}

static void reply(struct wb_rpc_status *st, struct wb_server_call *call, const ProtobufCMessage *m)
{
	struct wb_err err = WB_ERR_INIT;
	if (!wb_is_ok(wb_server_call_send(call, m, &err)))
		wb_rpc_status_set(st, WB_RPC_CANCELLED, "%s", err.text);
}

static void capabilities(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			 const ProtobufCMessage *request, void *arg)
{
	RE(ServerCapabilities) m;
	RE(CacheCapabilities) cache;
	RE(ExecutionCapabilities) execution;
	RE(ActionCacheUpdateCapabilities) update;
	Build__Bazel__Semver__SemVer low, high;
	RE(DigestFunction__Value) function = BUILD__BAZEL__REMOTE__EXECUTION__V2__DIGEST_FUNCTION__VALUE__SHA256;
	RE(Compressor__Value) zstd = ZSTD;
	(void)a;
	(void)request;
	(void)arg;
	INIT(server_capabilities, &m);
	INIT(cache_capabilities, &cache);
	INIT(execution_capabilities, &execution);
	INIT(action_cache_update_capabilities, &update);
	build__bazel__semver__sem_ver__init(&low);
	build__bazel__semver__sem_ver__init(&high);
	pthread_mutex_lock(&peer.lock);
	peer.capabilities++;
	low.major = peer.lie == OLD_API ? 1 : 2;
	high.major = low.major;
	high.minor = 9;
	if (peer.lie == NO_SHA256)
		function = BUILD__BAZEL__REMOTE__EXECUTION__V2__DIGEST_FUNCTION__VALUE__BLAKE3;
	cache.max_batch_total_size_bytes = peer.max_batch;
	cache.supported_compressors = cache.supported_batch_update_compressors = &zstd;
	cache.n_supported_compressors = cache.n_supported_batch_update_compressors = peer.zstd;
	execution.exec_enabled = peer.lie != NO_EXECUTION;
	pthread_mutex_unlock(&peer.lock);
	cache.n_digest_functions = 1;
	cache.digest_functions = &function;
	update.update_enabled = 0;
	cache.action_cache_update_capabilities = &update;
	execution.digest_function = function;
	m.cache_capabilities = &cache;
	m.execution_capabilities = &execution;
	m.low_api_version = &low;
	m.high_api_version = &high;
	reply(st, call, &m.base);
}

static void find_missing(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			 const ProtobufCMessage *request, void *arg)
{
	const RE(FindMissingBlobsRequest) *q = (const void *)request;
	RE(FindMissingBlobsResponse) m;
	struct wb_digest d;
	(void)arg;
	INIT(find_missing_blobs_response, &m);
	m.missing_blob_digests = wb_arena_array(a, q->n_blob_digests, sizeof *m.missing_blob_digests);
	pthread_mutex_lock(&peer.lock);
	for (size_t i = 0; i < q->n_blob_digests; i++) {
		peer.found++;
		if (wb_is_ok(wb_re_digest_get(&d, q->blob_digests[i], "", NULL)) && stored(&d) == NULL)
			m.missing_blob_digests[m.n_missing_blob_digests++] = q->blob_digests[i];
	}
	enum lie lie = peer.lie;
	bool busy = lie == BUSY_TWICE && peer.capabilities++ < 3; /* once for the capabilities themselves */
	pthread_mutex_unlock(&peer.lock);
	if (lie == REFUSES)
		wb_rpc_status_set(st, WB_RPC_PERMISSION_DENIED, "not you");
	else if (busy)
		wb_rpc_status_set(st, WB_RPC_UNAVAILABLE, "come back later");
	else
		reply(st, call, &m.base);
}

static void batch_update(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			 const ProtobufCMessage *request, void *arg)
{
	const RE(BatchUpdateBlobsRequest) *q = (const void *)request;
	RE(BatchUpdateBlobsResponse) m;
	int64_t size = 0;
	(void)arg;
	INIT(batch_update_blobs_response, &m);
	m.responses = wb_arena_array(a, q->n_requests + 1, sizeof *m.responses);
	pthread_mutex_lock(&peer.lock);
	for (size_t i = q->n_requests; i-- > 0;) { /* in another order */
		const RE(BatchUpdateBlobsRequest__Request) *r = q->requests[i];
		RE(BatchUpdateBlobsResponse__Response) *w = wb_arena_alloc(a, sizeof *w);
		Google__Rpc__Status *why = wb_arena_alloc(a, sizeof *why);
		struct wb_digest d, have;
		INIT(batch_update_blobs_response__response, w);
		google__rpc__status__init(why);
		w->status = why;
		w->digest = r->digest;
		m.responses[m.n_responses++] = w;
		wb_ignore(wb_re_digest_get(&d, r->digest, "", NULL)); /* a malformed one fails the comparison below */
		const char *data = (const char *)r->data.data;
		char *plain = wb_arena_alloc(a, (size_t)d.size + 1);
		size += (int64_t)r->data.len;
		if (r->compressor == ZSTD) {
			peer.compressed = true;
			why->code = wb_is_ok(wb_zstd_unpack(plain, (size_t)d.size, data, r->data.len, NULL)) ? 0 : 3;
			data = plain;
		}
		wb_digest_of(&have, data, r->compressor == ZSTD ? (size_t)d.size : r->data.len);
		if (peer.lie == BATCH_BUSY_ONCE) {
			why->code = WB_RPC_RESOURCE_EXHAUSTED;
			peer.lie = HONEST;
		} else if (!wb_digest_eq(&have, &d)) {
			why->code = WB_RPC_INVALID_ARGUMENT;
		} else {
			store(&d, data);
			peer.updated++;
		}
	}
	if (size > peer.largest_batch)
		peer.largest_batch = size;
	if (peer.lie == BATCH_LEAVES_OUT)
		m.n_responses--;
	if (peer.lie == BATCH_TWICE)
		m.responses[m.n_responses++] = m.responses[0];
	if (peer.lie == BATCH_STRANGER)
		m.responses[0]->digest->hash[0] ^= 1;
	pthread_mutex_unlock(&peer.lock);
	reply(st, call, &m.base);
}

static void batch_read(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		       const ProtobufCMessage *request, void *arg)
{
	const RE(BatchReadBlobsRequest) *q = (const void *)request;
	RE(BatchReadBlobsResponse) m;
	(void)arg;
	INIT(batch_read_blobs_response, &m);
	m.responses = wb_arena_array(a, q->n_digests + 1, sizeof *m.responses);
	pthread_mutex_lock(&peer.lock);
	for (size_t i = q->n_digests; i-- > 0;) {
		RE(BatchReadBlobsResponse__Response) *r = wb_arena_alloc(a, sizeof *r);
		Google__Rpc__Status *why = wb_arena_alloc(a, sizeof *why);
		struct wb_digest d;
		INIT(batch_read_blobs_response__response, r);
		google__rpc__status__init(why);
		r->status = why;
		r->digest = q->digests[i];
		m.responses[m.n_responses++] = r;
		peer.read++;
		wb_ignore(wb_re_digest_get(&d, q->digests[i], "", NULL)); /* a malformed one is not there */
		const char *data = stored(&d);
		if (data == NULL) {
			why->code = WB_RPC_NOT_FOUND;
			continue;
		}
		if (peer.lie == BATCH_BUSY_ONCE) {
			why->code = WB_RPC_RESOURCE_EXHAUSTED;
			peer.lie = HONEST;
			continue;
		}
		r->data =
		    (ProtobufCBinaryData){.data = wb_arena_memdup(a, data, (size_t)d.size), .len = (size_t)d.size};
		if (peer.lie == BATCH_OTHER_BYTES)
			r->data.data[0] ^= 1;
		if (peer.lie == BATCH_SHORT)
			r->data.len--;
		char *packed, *zeros = peer.lie == BATCH_BOMB ? wb_arena_alloc(a, 64 << 20) : NULL;
		size_t n;
		if (q->n_acceptable_compressors > 0 && wb_zstd_pack(&packed, &n, a, zeros == NULL ? data : zeros,
								    zeros == NULL ? (size_t)d.size : 64 << 20)) {
			peer.compressed = true;
			r->compressor = ZSTD;
			r->data = (ProtobufCBinaryData){.data = (uint8_t *)packed, .len = n};
		}
	}
	if (peer.lie == BATCH_LEAVES_OUT)
		m.n_responses--;
	if (peer.lie == BATCH_TWICE)
		m.responses[m.n_responses++] = m.responses[0];
	if (peer.lie == BATCH_STRANGER)
		m.responses[0]->digest->hash[0] ^= 1;
	pthread_mutex_unlock(&peer.lock);
	reply(st, call, &m.base);
}

/* The digest at the end of a resource name. */
static bool resource(struct wb_digest *d, bool *zstd, const char *name)
{
	const char *blobs = strstr(name, "blobs/");
	*zstd = strstr(name, "compressed-blobs/zstd/") != NULL;
	if (blobs == NULL)
		return false;
	blobs += strlen("blobs/") + (*zstd ? strlen("zstd/") : 0);
	char hex[WB_DIGEST_HEX] = {0};
	return strlen(blobs) > 65 && memcpy(hex, blobs, 64) && wb_digest_parse(d, hex, atoll(blobs + 65));
}

static wb_status pour(void *arg, const char *data, size_t n, struct wb_err *err)
{
	Google__Bytestream__ReadResponse m;
	google__bytestream__read_response__init(&m);
	m.data = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)data, .len = n};
	return wb_server_call_send(arg, &m.base, err);
}

static void read_blob(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		      const ProtobufCMessage *request, void *arg)
{
	struct wb_digest d;
	bool zstd;
	struct wb_err err = WB_ERR_INIT;
	(void)arg;
	if (!resource(&d, &zstd, ((const Google__Bytestream__ReadRequest *)request)->resource_name)) {
		wb_rpc_status_set(st, WB_RPC_INVALID_ARGUMENT, "bad name");
		return;
	}
	pthread_mutex_lock(&peer.lock);
	const char *data = stored(&d);
	char *copy = data == NULL ? NULL : wb_arena_memdup(a, data, (size_t)d.size);
	enum lie lie = peer.lie;
	if (lie == READ_BREAKS_ONCE)
		peer.lie = HONEST;
	peer.read++;
	peer.compressed = peer.compressed || zstd;
	pthread_mutex_unlock(&peer.lock);
	if (copy == NULL) {
		wb_rpc_status_set(st, WB_RPC_NOT_FOUND, "no such blob");
		return;
	}
	size_t n = (size_t)d.size, piece = 100000;
	if (lie == READ_TRUNCATED || lie == READ_BREAKS_ONCE)
		n /= 2;
	if (lie == READ_OTHER_BYTES)
		copy[n - 1] ^= 1;
	struct wb_zstd_out *z = zstd ? wb_zstd_out_new() : NULL;
	wb_status s = wb_ok();
	for (size_t at = 0; at < n && wb_is_ok(s); at += piece) {
		size_t len = n - at < piece ? n - at : piece;
		s = zstd ? wb_zstd_out_add(z, copy + at, len, at + len == n, pour, call, &err)
			 : pour(call, copy + at, len, &err);
		if (lie == READ_ENDLESS && at + len == n)
			at = 0;
	}
	wb_zstd_out_free(z);
	if (lie == READ_BREAKS_ONCE || !wb_is_ok(s))
		wb_rpc_status_set(st, WB_RPC_UNAVAILABLE, "broken");
}

static void write_blob(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		       const ProtobufCMessage *request, void *arg)
{
	Google__Bytestream__WriteResponse m;
	struct wb_digest d = {0}, have;
	bool zstd = false, finish = false;
	char *data = malloc(2 * LARGE), *plain = malloc(2 * LARGE);
	size_t n = 0;
	(void)request;
	(void)arg;
	pthread_mutex_lock(&peer.lock);
	enum lie lie = peer.lie;
	if (lie == WRITE_BREAKS_ONCE)
		peer.lie = HONEST;
	pthread_mutex_unlock(&peer.lock);
	google__bytestream__write_response__init(&m);
	for (bool first = true; !finish; first = false) {
		ProtobufCMessage *got;
		if (!wb_is_ok(wb_server_call_receive(&got, a, call, NULL)))
			break;
		const Google__Bytestream__WriteRequest *w = (const void *)got;
		if ((first && !resource(&d, &zstd, w->resource_name)) || w->write_offset != (int64_t)n ||
		    n + w->data.len > 2 * LARGE) {
			wb_rpc_status_set(st, WB_RPC_INVALID_ARGUMENT, "bad write");
			goto out;
		}
		if (w->data.len > 0)
			memcpy(data + n, w->data.data, w->data.len);
		n += w->data.len;
		finish = w->finish_write;
		if (lie == WRITE_BREAKS_ONCE) {
			wb_rpc_status_set(st, WB_RPC_UNAVAILABLE, "broken");
			goto out;
		}
		if (lie == WRITE_EARLY) {
			m.committed_size = zstd ? -1 : d.size;
			reply(st, call, &m.base);
			goto out;
		}
	}
	m.committed_size = (int64_t)n;
	if (zstd && finish && d.size <= 2 * LARGE && wb_is_ok(wb_zstd_unpack(plain, (size_t)d.size, data, n, NULL)))
		n = (size_t)d.size;
	wb_digest_of(&have, zstd ? plain : data, n);
	if (lie == WRITE_SHORT)
		m.committed_size -= 1;
	if (!finish || !wb_digest_eq(&have, &d)) {
		wb_rpc_status_set(st, WB_RPC_INVALID_ARGUMENT, "not finished, or another digest");
	} else {
		pthread_mutex_lock(&peer.lock);
		peer.compressed = peer.compressed || zstd;
		peer.written++;
		store(&d, zstd ? plain : data);
		pthread_mutex_unlock(&peer.lock);
		reply(st, call, &m.base);
	}
out:
	free(data);
	free(plain);
}

/* An Operation; done with a response when `response` is not NULL. */
static void send_operation(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call, int stage,
			   const RE(ExecuteResponse) * response)
{
	static char metadata_type[] = "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteOperationMetadata";
	static char response_type[] = "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteResponse";
	static char name[] = "operations/1";
	Google__Longrunning__Operation op;
	Google__Protobuf__Any metadata, any;
	RE(ExecuteOperationMetadata) m;
	google__longrunning__operation__init(&op);
	google__protobuf__any__init(&metadata);
	google__protobuf__any__init(&any);
	INIT(execute_operation_metadata, &m);
	m.stage = (RE(ExecutionStage__Value))stage;
	metadata.type_url = metadata_type;
	wb_message_pack((char **)&metadata.value.data, &metadata.value.len, a, &m.base);
	op.name = name;
	op.metadata = &metadata;
	if (response != NULL) {
		op.done = 1;
		op.result_case = GOOGLE__LONGRUNNING__OPERATION__RESULT_RESPONSE;
		any.type_url = response_type;
		wb_message_pack((char **)&any.value.data, &any.value.len, a, &response->base);
		op.response = &any;
	}
	reply(st, call, &op.base);
}

static void send_result(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call, enum lie lie)
{
	RE(ExecuteResponse) r;
	wb_re_action_result result;
	wb_re_output_file file, *files[] = {&file};
	Google__Rpc__Status status;
	struct wb_digest d;
	static char outside[] = "../x", inside[] = "x.o", text[] = "said";
	INIT(execute_response, &r);
	INIT(action_result, &result);
	INIT(output_file, &file);
	google__rpc__status__init(&status);
	wb_digest_of(&d, "object", 6);
	file.path = lie == EXECUTE_OUTSIDE ? outside : inside;
	file.digest = wb_re_digest_new(a, &d);
	result.output_files = files;
	result.n_output_files = 1;
	result.stdout_raw = (ProtobufCBinaryData){.data = (uint8_t *)text, .len = 4};
	r.status = &status;
	if (lie == EXECUTE_STATUS) {
		pthread_mutex_lock(&peer.lock);
		status.code = peer.code;
		status.message = (char *)(uintptr_t)peer.message;
		pthread_mutex_unlock(&peer.lock);
	} else if (lie == EXECUTE_BUSY_ONCE) {
		status.code = WB_RPC_RESOURCE_EXHAUSTED;
	} else if (lie != EXECUTE_NO_RESULT) {
		r.result = &result;
	}
	send_operation(st, a, call, 4, &r);
}

static bool still(enum lie lie)
{
	pthread_mutex_lock(&peer.lock);
	bool same = peer.lie == lie;
	pthread_mutex_unlock(&peer.lock);
	return same;
}

static void execute(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		    const ProtobufCMessage *request, void *arg)
{
	(void)request;
	(void)arg;
	pthread_mutex_lock(&peer.lock);
	enum lie lie = peer.lie;
	peer.executed++;
	if (lie == EXECUTE_BUSY_ONCE)
		peer.lie = HONEST;
	pthread_mutex_unlock(&peer.lock);
	send_operation(st, a, call, 2, NULL);
	while (lie == EXECUTE_HANGS && still(lie))
		usleep(10000);
	if (lie == EXECUTE_BREAKS || lie == EXECUTE_LOST || lie == EXECUTE_LOST_TWICE) {
		wb_rpc_status_set(st, WB_RPC_UNAVAILABLE, "broken");
	} else if (lie == EXECUTE_ENDS) {
		return;
	} else {
		send_operation(st, a, call, 3, NULL);
		send_result(st, a, call, lie);
	}
}

static void wait_execution(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			   const ProtobufCMessage *request, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&peer.lock);
	enum lie lie = peer.lie;
	peer.waited++;
	if (lie == EXECUTE_LOST)
		peer.lie = HONEST;
	pthread_mutex_unlock(&peer.lock);
	if (strcmp(((const RE(WaitExecutionRequest) *)request)->name, "operations/1") != 0)
		wb_rpc_status_set(st, WB_RPC_INVALID_ARGUMENT, "who?");
	else if (lie == EXECUTE_LOST || lie == EXECUTE_LOST_TWICE)
		wb_rpc_status_set(st, WB_RPC_NOT_FOUND, "no such operation");
	else
		send_result(st, a, call, HONEST);
}

static void start_peer(int port)
{
	static const struct wb_rpc_method method[] = {
	    {METHOD("Capabilities/GetCapabilities"), TYPE(get_capabilities_request), capabilities, NULL, false},
	    {METHOD("ContentAddressableStorage/FindMissingBlobs"), TYPE(find_missing_blobs_request), find_missing, NULL,
	     false},
	    {METHOD("ContentAddressableStorage/BatchUpdateBlobs"), TYPE(batch_update_blobs_request), batch_update, NULL,
	     false},
	    {METHOD("ContentAddressableStorage/BatchReadBlobs"), TYPE(batch_read_blobs_request), batch_read, NULL,
	     false},
	    {"/google.bytestream.ByteStream/Read", &google__bytestream__read_request__descriptor, read_blob, NULL,
	     false},
	    {"/google.bytestream.ByteStream/Write", &google__bytestream__write_request__descriptor, write_blob, NULL,
	     true},
	    {METHOD("Execution/Execute"), TYPE(execute_request), execute, NULL, false},
	    {METHOD("Execution/WaitExecution"), TYPE(wait_execution_request), wait_execution, NULL, false},
	};
	struct wb_err err = WB_ERR_INIT;
	char listen[32];
	struct wb_rpc_server_config config = {.method = method, .nmethod = COUNT(method), .listen = listen};
	snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
	assert_ok(wb_rpc_server_new(&peer.server, &config, &err), &err);
}

/* ---- tests */

struct fixture {
	struct wb_arena a;
	struct wb_rpc *rpc;
	struct wb_reapi *c;
	struct wb_reapi_job job;
	struct wb_err err;
};

static void begin_at(struct fixture *f, enum lie lie, bool zstd, const char *endpoint)
{
	*f = (struct fixture){0};
	wb_arena_init(&f->a);
	pthread_mutex_lock(&peer.lock);
	peer.lie = lie;
	peer.zstd = zstd;
	peer.capabilities = peer.found = peer.updated = peer.read = peer.written = peer.executed = peer.waited = 0;
	peer.largest_batch = 0;
	peer.compressed = false;
	pthread_mutex_unlock(&peer.lock);
	struct wb_reapi_config config = {
	    .rpc_timeout_ns = 10 * SECOND, .execute_timeout_ns = 20 * SECOND, .compress = zstd, .version = "test"};
	assert_ok(wb_endpoint_parse(&config.exec, &f->a, endpoint, &f->err), &f->err);
	assert_ok(wb_rpc_new(&f->rpc, &f->err), &f->err);
	assert_ok(wb_reapi_new(&f->c, f->rpc, &config, &f->err), &f->err);
}

static void begin(struct fixture *f, enum lie lie, bool zstd)
{
	char endpoint[64];
	if (peer.server == NULL)
		start_peer(0);
	snprintf(endpoint, sizeof endpoint, "grpc://127.0.0.1:%d", wb_rpc_server_port(peer.server));
	begin_at(f, lie, zstd, endpoint);
}

static void end(struct fixture *f)
{
	wb_reapi_free(f->c);
	wb_rpc_free(f->rpc);
	wb_arena_release(&f->a);
	pthread_mutex_lock(&peer.lock);
	for (size_t i = 0; i < peer.n; i++)
		free(peer.stored[i].data);
	peer.n = 0;
	peer.max_batch = 0;
	pthread_mutex_unlock(&peer.lock);
}

static unsigned seen(const unsigned *counter)
{
	pthread_mutex_lock(&peer.lock);
	unsigned n = *counter;
	pthread_mutex_unlock(&peer.lock);
	return n;
}

static struct wb_blob make_blob(struct wb_arena *a, size_t n, char seed)
{
	char *data = wb_arena_alloc(a, n + 1);
	for (size_t i = 0; i < n; i++)
		data[i] = (char)((char)(i >> 3) + seed);
	struct wb_blob b = {.data = data};
	wb_digest_of(&b.digest, data, n);
	return b;
}

/* Uploads two small blobs and a large one, and fetches them again. */
static void round_trip(bool zstd, int64_t max_batch)
{
	struct fixture f;
	begin(&f, HONEST, zstd);
	pthread_mutex_lock(&peer.lock);
	peer.max_batch = max_batch;
	pthread_mutex_unlock(&peer.lock);
	struct wb_blob blob[] = {make_blob(&f.a, SMALL, 'a'), make_blob(&f.a, SMALL, 'b'), make_blob(&f.a, LARGE, 'c')};
	struct wb_fetch fetch[COUNT(blob) + 1] = {0};
	assert_ok(wb_reapi_upload(f.c, &f.job, blob, COUNT(blob), &f.err), &f.err);
	assert_int_equal(seen(&peer.found), 3);
	for (size_t i = 0; i <= COUNT(blob); i++)
		fetch[i].digest = blob[i % COUNT(blob)].digest; /* one of them twice */
	assert_ok(wb_reapi_fetch(f.c, &f.a, &f.job, fetch, COUNT(fetch), &f.err), &f.err);
	for (size_t i = 0; i <= COUNT(blob); i++)
		assert_memory_equal(fetch[i].data, blob[i % COUNT(blob)].data, (size_t)fetch[i].digest.size);
	pthread_mutex_lock(&peer.lock);
	bool compressed = peer.compressed;
	int64_t largest = peer.largest_batch;
	pthread_mutex_unlock(&peer.lock);
	assert_int_equal(compressed, zstd);
	if (zstd)
		assert_true(f.job.sent < LARGE / 2 && f.job.received < LARGE / 2);
	else
		assert_int_equal(f.job.sent, LARGE + 2 * SMALL);
	if (max_batch > 0)
		assert_true(largest <= max_batch);
	/* In a batch, a digest is asked for once; small ones go as streams where they do not fit. */
	assert_int_equal(seen(&peer.written), max_batch > 0 && max_batch < SMALL ? 3 : 1);
	end(&f);
}

static void test_round_trip(void **state)
{
	(void)state;
	round_trip(false, 0);
	round_trip(true, 0);
	round_trip(false, SMALL + 10);
	round_trip(false, SMALL - 1);
}

/* Uploads to a server that misbehaves. */
static void test_upload(void **state)
{
	static const struct {
		enum lie lie;
		bool zstd;
		size_t size;
		enum wb_code code;
		const char *says;
	} row[] = {
	    {BATCH_LEAVES_OUT, false, SMALL, WB_EPROTO, "leaves out"},
	    {BATCH_TWICE, false, SMALL, WB_EPROTO, "twice"},
	    {BATCH_STRANGER, false, SMALL, WB_EPROTO, "not sent"},
	    {BATCH_BUSY_ONCE, false, SMALL, WB_OK, NULL},
	    {BUSY_TWICE, false, SMALL, WB_OK, NULL},
	    {REFUSES, false, SMALL, WB_EREFUSED, "not you"},
	    {WRITE_SHORT, false, LARGE, WB_EPROTO, "bytes of"},
	    {WRITE_EARLY, false, LARGE, WB_OK, NULL},
	    {WRITE_EARLY, true, LARGE, WB_OK, NULL},
	    {WRITE_BREAKS_ONCE, false, LARGE, WB_OK, NULL},
	    {WRITE_BREAKS_ONCE, true, LARGE, WB_OK, NULL},
	    {NO_SHA256, false, SMALL, WB_EREFUSED, "BLAKE3"},
	    {OLD_API, false, SMALL, WB_EREFUSED, "1.0 to 1.9"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(row); i++) {
		struct fixture f;
		begin(&f, row[i].lie, row[i].zstd);
		struct wb_blob blob[] = {make_blob(&f.a, row[i].size, 'a'), make_blob(&f.a, row[i].size, 'b')};
		wb_status s = wb_reapi_upload(f.c, &f.job, blob, 2, &f.err);
		if (s.code != row[i].code)
			fail_msg("row %zu: %s: %s", i, wb_code_name(s.code), f.err.text);
		if (row[i].says != NULL) {
			assert_says(&f.err, row[i].says);
			assert_says(&f.err, wb_reapi_name(f.c));
		}
		assert_false(wb_reapi_is_down(f.c, NULL, 0));
		/* What failed is not believed to be there. */
		pthread_mutex_lock(&peer.lock);
		bool lasting = peer.lie == NO_SHA256 || peer.lie == OLD_API;
		peer.lie = HONEST;
		pthread_mutex_unlock(&peer.lock);
		if (!lasting)
			assert_ok(wb_reapi_upload(f.c, &f.job, blob, 2, &f.err), &f.err);
		pthread_mutex_lock(&peer.lock);
		bool both = stored(&blob[0].digest) != NULL && stored(&blob[1].digest) != NULL;
		pthread_mutex_unlock(&peer.lock);
		assert_true(both || lasting || row[i].lie == WRITE_EARLY);
		end(&f);
	}
}

/* Downloads from one. The files must not appear, nor anything beside them. */
static void test_fetch(void **state)
{
	static const struct {
		enum lie lie;
		bool zstd;
		size_t size;
		enum wb_code code;
		const char *says;
	} row[] = {
	    {BATCH_LEAVES_OUT, false, SMALL, WB_EPROTO, "leaves out"},
	    {BATCH_TWICE, false, SMALL, WB_EPROTO, "twice"},
	    {BATCH_STRANGER, false, SMALL, WB_EPROTO, "not asked for"},
	    {BATCH_OTHER_BYTES, false, SMALL, WB_EPROTO, "other bytes"},
	    {BATCH_SHORT, false, SMALL, WB_EPROTO, "other bytes"},
	    {BATCH_BOMB, true, SMALL, WB_EPROTO, "damaged"},
	    {BATCH_BUSY_ONCE, false, SMALL, WB_OK, NULL},
	    {READ_TRUNCATED, false, LARGE, WB_EPROTO, "fewer bytes"},
	    {READ_TRUNCATED, true, LARGE, WB_EPROTO, "fewer bytes"},
	    {READ_ENDLESS, false, LARGE, WB_EPROTO, "more bytes"},
	    {READ_ENDLESS, true, LARGE, WB_EPROTO, "more bytes"},
	    {READ_OTHER_BYTES, false, LARGE, WB_EPROTO, "other bytes"},
	    {READ_OTHER_BYTES, true, LARGE, WB_EPROTO, "other bytes"},
	    {READ_BREAKS_ONCE, false, LARGE, WB_OK, NULL},
	    {READ_BREAKS_ONCE, true, LARGE, WB_OK, NULL},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(row); i++) {
		struct fixture f;
		struct tempdir dir;
		struct wb_digest d;
		tempdir_init(&dir);
		begin(&f, row[i].lie, row[i].zstd);
		struct wb_blob blob[] = {make_blob(&f.a, row[i].size, 'a'), make_blob(&f.a, SMALL / 2, 'b')};
		pthread_mutex_lock(&peer.lock);
		store(&blob[0].digest, blob[0].data);
		store(&blob[1].digest, blob[1].data);
		pthread_mutex_unlock(&peer.lock);
		struct wb_fetch fetch[] = {{.digest = blob[1].digest, .path = tempdir_path(&dir, "b")},
					   {.digest = blob[0].digest, .path = tempdir_path(&dir, "a"), .exec = true}};
		wb_status s = wb_reapi_fetch(f.c, &f.a, &f.job, fetch, 2, &f.err);
		if (s.code != row[i].code)
			fail_msg("row %zu: %s: %s", i, wb_code_name(s.code), f.err.text);
		if (row[i].says != NULL) {
			assert_says(&f.err, row[i].says);
			assert_int_equal(rmdir(dir.path), 0); /* empty */
			assert_int_equal(mkdir(dir.path, 0755), 0);
		} else {
			assert_ok(wb_digest_file(&d, fetch[1].path, &f.err), &f.err);
			assert_true(wb_digest_eq(&d, &fetch[1].digest));
		}
		end(&f);
		tempdir_release(&dir);
	}
}

static void test_execute(void **state)
{
	static const struct {
		enum lie lie;
		int status;
		const char *message;
		enum wb_code code;
		unsigned executed, waited;
	} row[] = {
	    {HONEST, 0, "", WB_OK, 1, 0},
	    {EXECUTE_BREAKS, 0, "", WB_OK, 1, 1},
	    {EXECUTE_ENDS, 0, "", WB_OK, 1, 1},
	    {EXECUTE_LOST, 0, "", WB_OK, 2, 1},
	    {EXECUTE_LOST_TWICE, 0, "", WB_EUNAVAILABLE, 2, 2},
	    {EXECUTE_BUSY_ONCE, 0, "", WB_OK, 2, 0},
	    {EXECUTE_NO_RESULT, 0, "", WB_EPROTO, 1, 0},
	    {EXECUTE_OUTSIDE, 0, "", WB_EPROTO, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_NOT_FOUND, "action", WB_ENOENT, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_FAILED_PRECONDITION, "", WB_ENOENT, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_FAILED_PRECONDITION, "No workers exist for instance", WB_EREFUSED, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_INTERNAL, "Tree is not completely available from LocalCAS.", WB_ENOENT, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_INTERNAL, "Output path is not a file", WB_EREFUSED, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_INVALID_ARGUMENT, "no argv", WB_EREFUSED, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_DEADLINE_EXCEEDED, "", WB_EUNAVAILABLE, 1, 0},
	    {EXECUTE_STATUS, WB_RPC_UNAVAILABLE, "", WB_EUNAVAILABLE, 4, 0},
	    {NO_EXECUTION, 0, "", WB_EREFUSED, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(row); i++) {
		struct fixture f;
		struct wb_action_result r;
		atomic_int stage = 0;
		struct wb_reapi_execution x = {.stage = &stage};
		struct wb_digest action;
		begin(&f, row[i].lie, false);
		pthread_mutex_lock(&peer.lock);
		peer.code = row[i].status;
		peer.message = row[i].message;
		pthread_mutex_unlock(&peer.lock);
		wb_digest_of(&action, "action", 6);
		f.job.action = &action;
		wb_status s = wb_reapi_execute(&r, &f.a, f.c, &f.job, &action, &x, &f.err);
		if (s.code != row[i].code)
			fail_msg("row %zu: %s: %s", i, wb_code_name(s.code), f.err.text);
		if (seen(&peer.executed) != row[i].executed || seen(&peer.waited) != row[i].waited)
			fail_msg("row %zu: %u executed, %u waited for", i, seen(&peer.executed), seen(&peer.waited));
		if (wb_is_ok(s)) {
			assert_int_equal(r.nfile, 1);
			assert_string_equal(r.file[0].path, "x.o");
			assert_int_equal(r.out_len, 4);
			assert_int_equal(atomic_load(&stage), 4);
		} else {
			assert_says(&f.err, wb_reapi_name(f.c));
		}
		end(&f);
	}
}

/* A question has its own, shorter time limit: a cluster that queues for ever must not hold up those who wait for it. */
static void test_execute_limit(void **state)
{
	struct fixture f;
	struct wb_action_result r;
	struct wb_reapi_execution x = {.timeout_ns = SECOND};
	struct wb_digest action;
	(void)state;
	begin(&f, EXECUTE_HANGS, false);
	wb_digest_of(&action, "action", 6);
	assert_code(wb_reapi_execute(&r, &f.a, f.c, &f.job, &action, &x, &f.err), WB_EUNAVAILABLE);
	assert_says(&f.err, "no answer within 1 s");
	assert_false(wb_reapi_is_down(f.c, NULL, 0)); /* slow is not down */
	pthread_mutex_lock(&peer.lock);
	peer.lie = HONEST;
	pthread_mutex_unlock(&peer.lock);
	end(&f);
}

/* What came with the result is not asked for again: the server does not even have it. */
static void test_inline(void **state)
{
	struct fixture f;
	struct tempdir dir;
	struct wb_digest d;
	(void)state;
	tempdir_init(&dir);
	begin(&f, HONEST, false);
	struct wb_fetch fetch[] = {{.path = tempdir_path(&dir, "a"), .content = "object"}, {.content = "depfile"}};
	wb_digest_of(&fetch[0].digest, "object", 6);
	wb_digest_of(&fetch[1].digest, "depfile", 7);
	assert_ok(wb_reapi_fetch(f.c, &f.a, &f.job, fetch, 2, &f.err), &f.err);
	assert_ok(wb_digest_file(&d, fetch[0].path, &f.err), &f.err);
	assert_true(wb_digest_eq(&d, &fetch[0].digest));
	assert_string_equal(fetch[1].data, "depfile");
	assert_int_equal(seen(&peer.read), 0);
	end(&f);
	tempdir_release(&dir);
}

/* Nobody listens: noticed, then told at once. */
static void test_down(void **state)
{
	struct fixture f;
	struct wb_reapi_capabilities caps;
	char text[256];
	(void)state;
	begin_at(&f, HONEST, false, "grpc://127.0.0.1:1"); /* reserved for tcpmux: nobody serves it */
	assert_code(wb_reapi_capabilities(&caps, f.c, &f.err), WB_EUNAVAILABLE);
	assert_says(&f.err, "grpc://127.0.0.1:1");
	assert_true(wb_reapi_is_down(f.c, text, sizeof text));
	assert_non_null(strstr(text, "is down since"));
	struct wb_blob blob = make_blob(&f.a, SMALL, 'a');
	int64_t start = wb_clock_ns();
	for (int i = 0; i < 1000; i++)
		assert_code(wb_reapi_upload(f.c, &f.job, &blob, 1, &f.err), WB_EUNAVAILABLE);
	assert_true(wb_clock_ns() - start <
		    10 * SECOND); /* a thousand connects with their retries would take minutes */
	assert_says(&f.err, "asked again in");
	end(&f);
}

static void forget_stored(void)
{
	pthread_mutex_lock(&peer.lock);
	for (size_t i = 0; i < peer.n; i++)
		free(peer.stored[i].data);
	peer.n = 0;
	pthread_mutex_unlock(&peer.lock);
}

/* The server goes away and comes back without its blobs: found out by the client itself, and they are sent again. */
static void test_restart(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, HONEST, false);
	struct wb_blob blob[] = {make_blob(&f.a, SMALL, 'a'), make_blob(&f.a, SMALL, 'b')};
	assert_ok(wb_reapi_upload(f.c, &f.job, blob, 1, &f.err), &f.err);
	int port = wb_rpc_server_port(peer.server);
	wb_rpc_server_free(peer.server);
	peer.server = NULL;
	assert_code(wb_reapi_upload(f.c, &f.job, blob, 2, &f.err), WB_EUNAVAILABLE);
	assert_true(wb_reapi_is_down(f.c, NULL, 0));
	forget_stored();
	start_peer(port);
	for (int64_t limit = wb_clock_ns() + 60 * SECOND; wb_reapi_is_down(f.c, NULL, 0); usleep(10000))
		assert_true(wb_clock_ns() < limit);
	assert_ok(wb_reapi_upload(f.c, &f.job, blob, 2, &f.err), &f.err);
	pthread_mutex_lock(&peer.lock);
	bool both = stored(&blob[0].digest) != NULL && stored(&blob[1].digest) != NULL;
	pthread_mutex_unlock(&peer.lock);
	assert_true(both);
	end(&f);
}

struct worker {
	pthread_t thread;
	struct fixture *f;
	const struct wb_blob *blob;
	size_t n;
	wb_status status;
};

static void *upload(void *arg)
{
	struct worker *w = arg;
	struct wb_reapi_job job = {0};
	w->status = wb_reapi_upload(w->f->c, &job, w->blob, w->n, NULL);
	return NULL;
}

/* Many jobs at once, the very first calls: one question of each kind. */
static void test_once(void **state)
{
	struct fixture f;
	struct worker w[60];
	(void)state;
	begin(&f, HONEST, false);
	struct wb_blob blob[] = {make_blob(&f.a, SMALL, 'a'), make_blob(&f.a, SMALL, 'b'), make_blob(&f.a, LARGE, 'c')};
	for (size_t i = 0; i < COUNT(w); i++) {
		w[i] = (struct worker){.f = &f, .blob = blob, .n = COUNT(blob)};
		assert_int_equal(pthread_create(&w[i].thread, NULL, upload, &w[i]), 0);
	}
	for (size_t i = 0; i < COUNT(w); i++) {
		pthread_join(w[i].thread, NULL);
		assert_true(wb_is_ok(w[i].status));
	}
	assert_int_equal(seen(&peer.capabilities), 1);
	assert_int_equal(seen(&peer.found), 3);
	assert_int_equal(seen(&peer.updated), 2);
	assert_int_equal(seen(&peer.written), 1);
	/* Forgotten: asked once more, not sent once more. */
	wb_reapi_forget(f.c, blob, 2);
	assert_ok(wb_reapi_upload(f.c, &f.job, blob, COUNT(blob), &f.err), &f.err);
	assert_int_equal(seen(&peer.found), 5);
	assert_int_equal(seen(&peer.updated), 2);
	/* This server lets nobody write results. */
	struct wb_action_result r = {.out_text = "", .err_text = ""};
	assert_code(wb_reapi_update(f.c, &f.job, &blob[0].digest, &r, &f.err), WB_EREFUSED);
	end(&f);
}

static int stop_peer(void **state)
{
	(void)state;
	wb_rpc_server_free(peer.server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip), cmocka_unit_test(test_upload),        cmocka_unit_test(test_fetch),
	    cmocka_unit_test(test_execute),    cmocka_unit_test(test_down),          cmocka_unit_test(test_once),
	    cmocka_unit_test(test_restart),    cmocka_unit_test(test_execute_limit), cmocka_unit_test(test_inline),
	};
	return cmocka_run_group_tests(tests, NULL, stop_peer);
}
