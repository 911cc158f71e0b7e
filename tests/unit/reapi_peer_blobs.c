/* The blobs of reapi_peer.h: ContentAddressableStorage and ByteStream, honest or not. */
#include "proto/bytestream.pb-c.h"
#include "reapi/compression.h"
#include "tests/unit/reapi_peer_state.h"

#include <stdlib.h>
#include <string.h>

enum { WRITE_MAX = 10 << 20 };

void reapi_peer_find_missing(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			     const ProtobufCMessage *request, void *arg)
{
	const RE(FindMissingBlobsRequest) *q = (const void *)request;
	RE(FindMissingBlobsResponse) m;
	struct wb_digest d;
	(void)arg;
	INIT(find_missing_blobs_response, &m);
	m.missing_blob_digests = wb_arena_array(a, q->n_blob_digests, sizeof *m.missing_blob_digests);
	pthread_mutex_lock(&reapi_peer.lock);
	for (size_t i = 0; i < q->n_blob_digests; i++) {
		reapi_peer.seen.found++;
		if (wb_is_ok(wb_re_digest_get(&d, q->blob_digests[i], "", NULL)) && reapi_peer_stored(&d) == NULL)
			m.missing_blob_digests[m.n_missing_blob_digests++] = q->blob_digests[i];
	}
	enum reapi_lie lie = reapi_peer.lie;
	bool busy = lie == BUSY_TWICE && reapi_peer.seen.capabilities++ < 3; /* once for the capabilities themselves */
	pthread_mutex_unlock(&reapi_peer.lock);
	if (lie == REFUSES)
		wb_rpc_status_set(st, WB_RPC_PERMISSION_DENIED, "not you");
	else if (busy)
		wb_rpc_status_set(st, WB_RPC_UNAVAILABLE, "come back later");
	else
		reapi_peer_reply(st, call, &m.base);
}

void reapi_peer_batch_update(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			     const ProtobufCMessage *request, void *arg)
{
	const RE(BatchUpdateBlobsRequest) *q = (const void *)request;
	RE(BatchUpdateBlobsResponse) m;
	int64_t size = 0;
	(void)arg;
	INIT(batch_update_blobs_response, &m);
	m.responses = wb_arena_array(a, q->n_requests + 1, sizeof *m.responses);
	pthread_mutex_lock(&reapi_peer.lock);
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
			reapi_peer.seen.compressed = true;
			why->code = wb_is_ok(wb_zstd_unpack(plain, (size_t)d.size, data, r->data.len, NULL)) ? 0 : 3;
			data = plain;
		}
		wb_digest_of(&have, data, r->compressor == ZSTD ? (size_t)d.size : r->data.len);
		if (reapi_peer.lie == BATCH_BUSY_ONCE) {
			why->code = WB_RPC_RESOURCE_EXHAUSTED;
			reapi_peer.lie = HONEST;
		} else if (!wb_digest_eq(&have, &d)) {
			why->code = WB_RPC_INVALID_ARGUMENT;
		} else {
			reapi_peer_keep(&d, data);
			reapi_peer.seen.updated++;
		}
	}
	if (size > reapi_peer.seen.largest_batch)
		reapi_peer.seen.largest_batch = size;
	if (reapi_peer.lie == BATCH_LEAVES_OUT)
		m.n_responses--;
	if (reapi_peer.lie == BATCH_TWICE)
		m.responses[m.n_responses++] = m.responses[0];
	if (reapi_peer.lie == BATCH_STRANGER)
		m.responses[0]->digest->hash[0] ^= 1;
	pthread_mutex_unlock(&reapi_peer.lock);
	reapi_peer_reply(st, call, &m.base);
}

void reapi_peer_batch_read(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			   const ProtobufCMessage *request, void *arg)
{
	const RE(BatchReadBlobsRequest) *q = (const void *)request;
	RE(BatchReadBlobsResponse) m;
	(void)arg;
	INIT(batch_read_blobs_response, &m);
	m.responses = wb_arena_array(a, q->n_digests + 1, sizeof *m.responses);
	pthread_mutex_lock(&reapi_peer.lock);
	for (size_t i = q->n_digests; i-- > 0;) {
		RE(BatchReadBlobsResponse__Response) *r = wb_arena_alloc(a, sizeof *r);
		Google__Rpc__Status *why = wb_arena_alloc(a, sizeof *why);
		struct wb_digest d;
		INIT(batch_read_blobs_response__response, r);
		google__rpc__status__init(why);
		r->status = why;
		r->digest = q->digests[i];
		m.responses[m.n_responses++] = r;
		reapi_peer.seen.read++;
		wb_ignore(wb_re_digest_get(&d, q->digests[i], "", NULL)); /* a malformed one is not there */
		const char *data = reapi_peer_stored(&d);
		if (data == NULL) {
			why->code = WB_RPC_NOT_FOUND;
			continue;
		}
		if (reapi_peer.lie == BATCH_BUSY_ONCE) {
			why->code = WB_RPC_RESOURCE_EXHAUSTED;
			reapi_peer.lie = HONEST;
			continue;
		}
		r->data =
		    (ProtobufCBinaryData){.data = wb_arena_memdup(a, data, (size_t)d.size), .len = (size_t)d.size};
		if (reapi_peer.lie == BATCH_OTHER_BYTES)
			r->data.data[0] ^= 1;
		if (reapi_peer.lie == BATCH_SHORT)
			r->data.len--;
		char *packed, *zeros = reapi_peer.lie == BATCH_BOMB ? wb_arena_alloc(a, 64 << 20) : NULL;
		size_t n;
		if (q->n_acceptable_compressors > 0 && wb_zstd_pack(&packed, &n, a, zeros == NULL ? data : zeros,
								    zeros == NULL ? (size_t)d.size : 64 << 20)) {
			reapi_peer.seen.compressed = true;
			r->compressor = ZSTD;
			r->data = (ProtobufCBinaryData){.data = (uint8_t *)packed, .len = n};
		}
	}
	if (reapi_peer.lie == BATCH_LEAVES_OUT)
		m.n_responses--;
	if (reapi_peer.lie == BATCH_TWICE)
		m.responses[m.n_responses++] = m.responses[0];
	if (reapi_peer.lie == BATCH_STRANGER)
		m.responses[0]->digest->hash[0] ^= 1;
	pthread_mutex_unlock(&reapi_peer.lock);
	reapi_peer_reply(st, call, &m.base);
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

void reapi_peer_read_blob(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
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
	pthread_mutex_lock(&reapi_peer.lock);
	const char *data = reapi_peer_stored(&d);
	char *copy = data == NULL ? NULL : wb_arena_memdup(a, data, (size_t)d.size);
	enum reapi_lie lie = reapi_peer.lie;
	if (lie == READ_BREAKS_ONCE)
		reapi_peer.lie = HONEST;
	reapi_peer.seen.read++;
	reapi_peer.seen.compressed = reapi_peer.seen.compressed || zstd;
	pthread_mutex_unlock(&reapi_peer.lock);
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

void reapi_peer_write_blob(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			   const ProtobufCMessage *request, void *arg)
{
	Google__Bytestream__WriteResponse m;
	struct wb_digest d = {0}, have;
	bool zstd = false, finish = false;
	char *data = malloc(WRITE_MAX), *plain = malloc(WRITE_MAX);
	size_t n = 0;
	(void)request;
	(void)arg;
	pthread_mutex_lock(&reapi_peer.lock);
	enum reapi_lie lie = reapi_peer.lie;
	if (lie == WRITE_BREAKS_ONCE)
		reapi_peer.lie = HONEST;
	pthread_mutex_unlock(&reapi_peer.lock);
	google__bytestream__write_response__init(&m);
	for (bool first = true; !finish; first = false) {
		ProtobufCMessage *got;
		if (!wb_is_ok(wb_server_call_receive(&got, a, call, NULL)))
			break;
		const Google__Bytestream__WriteRequest *w = (const void *)got;
		if ((first && !resource(&d, &zstd, w->resource_name)) || w->write_offset != (int64_t)n ||
		    n + w->data.len > WRITE_MAX) {
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
			reapi_peer_reply(st, call, &m.base);
			goto out;
		}
	}
	m.committed_size = (int64_t)n;
	if (zstd && finish && d.size <= WRITE_MAX && wb_is_ok(wb_zstd_unpack(plain, (size_t)d.size, data, n, NULL)))
		n = (size_t)d.size;
	wb_digest_of(&have, zstd ? plain : data, n);
	if (lie == WRITE_SHORT)
		m.committed_size -= 1;
	if (!finish || !wb_digest_eq(&have, &d)) {
		wb_rpc_status_set(st, WB_RPC_INVALID_ARGUMENT, "not finished, or another digest");
	} else {
		pthread_mutex_lock(&reapi_peer.lock);
		reapi_peer.seen.compressed = reapi_peer.seen.compressed || zstd;
		reapi_peer.seen.written++;
		reapi_peer_keep(&d, zstd ? plain : data);
		pthread_mutex_unlock(&reapi_peer.lock);
		reapi_peer_reply(st, call, &m.base);
	}
out:
	free(data);
	free(plain);
}
