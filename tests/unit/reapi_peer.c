#include "tests/unit/reapi_peer.h"

#include "proto/bytestream.pb-c.h"
#include "tests/unit/reapi_peer_state.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE(n)   (&build__bazel__remote__execution__v2__##n##__descriptor)
#define METHOD(n) "/build.bazel.remote.execution.v2." n
#define COUNT(a)  (sizeof(a) / sizeof(a)[0])

struct reapi_peer reapi_peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

void reapi_peer_keep(const struct wb_digest *d, const char *data)
{
	assert_true(reapi_peer.n < STORED_MAX);
	reapi_peer.stored[reapi_peer.n].digest = *d;
	reapi_peer.stored[reapi_peer.n].data = malloc((size_t)d->size + 1);
	memcpy(reapi_peer.stored[reapi_peer.n++].data, data, (size_t)d->size);
}

const char *reapi_peer_stored(const struct wb_digest *d)
{
	for (size_t i = 0; i < reapi_peer.n; i++)
		if (wb_digest_eq(&reapi_peer.stored[i].digest, d))
			return reapi_peer.stored[i].data;
	return NULL;
}

void reapi_peer_reply(struct wb_rpc_status *st, struct wb_server_call *call, const ProtobufCMessage *m)
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
	pthread_mutex_lock(&reapi_peer.lock);
	reapi_peer.seen.capabilities++;
	low.major = reapi_peer.lie == OLD_API ? 1 : 2;
	high.major = low.major;
	high.minor = 9;
	if (reapi_peer.lie == NO_SHA256)
		function = BUILD__BAZEL__REMOTE__EXECUTION__V2__DIGEST_FUNCTION__VALUE__BLAKE3;
	cache.max_batch_total_size_bytes = reapi_peer.max_batch;
	cache.supported_compressors = cache.supported_batch_update_compressors = &zstd;
	cache.n_supported_compressors = cache.n_supported_batch_update_compressors = reapi_peer.zstd;
	execution.exec_enabled = reapi_peer.lie != NO_EXECUTION;
	pthread_mutex_unlock(&reapi_peer.lock);
	cache.n_digest_functions = 1;
	cache.digest_functions = &function;
	update.update_enabled = 0;
	cache.action_cache_update_capabilities = &update;
	execution.digest_function = function;
	m.cache_capabilities = &cache;
	m.execution_capabilities = &execution;
	m.low_api_version = &low;
	m.high_api_version = &high;
	reapi_peer_reply(st, call, &m.base);
}

void reapi_peer_start(int port)
{
	static const struct wb_rpc_method method[] = {
	    {METHOD("Capabilities/GetCapabilities"), TYPE(get_capabilities_request), capabilities, NULL, false},
	    {METHOD("ContentAddressableStorage/FindMissingBlobs"), TYPE(find_missing_blobs_request),
	     reapi_peer_find_missing, NULL, false},
	    {METHOD("ContentAddressableStorage/BatchUpdateBlobs"), TYPE(batch_update_blobs_request),
	     reapi_peer_batch_update, NULL, false},
	    {METHOD("ContentAddressableStorage/BatchReadBlobs"), TYPE(batch_read_blobs_request), reapi_peer_batch_read,
	     NULL, false},
	    {"/google.bytestream.ByteStream/Read", &google__bytestream__read_request__descriptor, reapi_peer_read_blob,
	     NULL, false},
	    {"/google.bytestream.ByteStream/Write", &google__bytestream__write_request__descriptor,
	     reapi_peer_write_blob, NULL, true},
	    {METHOD("Execution/Execute"), TYPE(execute_request), reapi_peer_execute, NULL, false},
	    {METHOD("Execution/WaitExecution"), TYPE(wait_execution_request), reapi_peer_wait_execution, NULL, false},
	};
	struct wb_err err = WB_ERR_INIT;
	char listen[32];
	struct wb_rpc_server_config config = {.method = method, .nmethod = COUNT(method), .listen = listen};
	snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
	assert_ok(wb_rpc_server_new(&reapi_peer.server, &config, &err), &err);
}

void reapi_peer_stop(void)
{
	wb_rpc_server_free(reapi_peer.server);
	reapi_peer.server = NULL;
}

bool reapi_peer_runs(void)
{
	return reapi_peer.server != NULL;
}

int reapi_peer_port(void)
{
	return wb_rpc_server_port(reapi_peer.server);
}

void reapi_peer_reset(enum reapi_lie lie, bool zstd)
{
	pthread_mutex_lock(&reapi_peer.lock);
	reapi_peer.lie = lie;
	reapi_peer.zstd = zstd;
	reapi_peer.max_batch = 0;
	reapi_peer.seen = (struct reapi_peer_counts){0};
	pthread_mutex_unlock(&reapi_peer.lock);
}

enum reapi_lie reapi_peer_lie(enum reapi_lie lie)
{
	pthread_mutex_lock(&reapi_peer.lock);
	enum reapi_lie was = reapi_peer.lie;
	reapi_peer.lie = lie;
	pthread_mutex_unlock(&reapi_peer.lock);
	return was;
}

void reapi_peer_limit_batches(int64_t max_batch)
{
	pthread_mutex_lock(&reapi_peer.lock);
	reapi_peer.max_batch = max_batch;
	pthread_mutex_unlock(&reapi_peer.lock);
}

void reapi_peer_end_with(int code, const char *message)
{
	pthread_mutex_lock(&reapi_peer.lock);
	reapi_peer.code = code;
	reapi_peer.message = message;
	pthread_mutex_unlock(&reapi_peer.lock);
}

struct reapi_peer_counts reapi_peer_counts(void)
{
	pthread_mutex_lock(&reapi_peer.lock);
	struct reapi_peer_counts seen = reapi_peer.seen;
	pthread_mutex_unlock(&reapi_peer.lock);
	return seen;
}

void reapi_peer_store(const struct wb_digest *d, const char *data)
{
	pthread_mutex_lock(&reapi_peer.lock);
	reapi_peer_keep(d, data);
	pthread_mutex_unlock(&reapi_peer.lock);
}

bool reapi_peer_has(const struct wb_digest *d)
{
	pthread_mutex_lock(&reapi_peer.lock);
	bool has = reapi_peer_stored(d) != NULL;
	pthread_mutex_unlock(&reapi_peer.lock);
	return has;
}

void reapi_peer_forget(void)
{
	pthread_mutex_lock(&reapi_peer.lock);
	for (size_t i = 0; i < reapi_peer.n; i++)
		free(reapi_peer.stored[i].data);
	reapi_peer.n = 0;
	pthread_mutex_unlock(&reapi_peer.lock);
}
