/* Uploads: claim, ask, send, settle; then wait for what other jobs sent (presence.h). */
#include "reapi/client_impl.h"
#include "reapi/compression.h"

#include "base/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef WB_RE(BatchUpdateBlobsRequest__Request) update_request;
typedef WB_RE(BatchUpdateBlobsResponse) update_response;

enum { ASK_MAX = 10000 }; /* digests in one question: about 800 kB */

/* One wb_reapi_upload. */
struct upload {
	struct wb_reapi *c;
	struct wb_reapi_job *job;
	struct wb_reapi_capabilities caps;
	const struct wb_blob *blob;
	struct wb_presence_claim *claim; /* one a blob of this round */
	const struct wb_digest **digest;
	size_t *todo; /* indices of blobs of this round */
	size_t ntodo;
};

static const char *name_of(const struct wb_blob *b, char text[WB_DIGEST_HEX])
{
	if (b->data == NULL && b->path != NULL)
		return b->path;
	wb_digest_hex(text, &b->digest);
	return text;
}

/* What this server says of a method of the CAS: "not found" there means the instance or the method, not a blob. */
static wb_status cas_status(wb_status s)
{
	return s.code == WB_ENOENT ? (wb_status){WB_EREFUSED} : s;
}

/* ---- reading what is sent */

static wb_status changed(const struct wb_blob *b, struct wb_err *err)
{
	return wb_fail(err, WB_ESTALE, "%s is not what it was when it was hashed: it changed meanwhile", b->path);
}

static wb_status open_file(int *fd, const struct wb_blob *b, struct wb_err *err)
{
	*fd = open(b->path, O_RDONLY | O_CLOEXEC);
	if (*fd >= 0)
		return wb_ok();
	if (errno == ENOENT)
		return changed(b, err);
	return wb_fail_errno(err, errno, "cannot read %s", b->path);
}

/* Up to `n` bytes; fewer only at the end of the file. */
static wb_status read_some(size_t *got, int fd, char *buf, size_t n, const char *path, struct wb_err *err)
{
	*got = 0;
	while (*got < n) {
		ssize_t r = read(fd, buf + *got, n - *got);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return wb_fail_errno(err, errno, "cannot read %s", path);
		if (r == 0)
			break;
		*got += (size_t)r;
	}
	return wb_ok();
}

/* The whole of a small file, checked. */
static wb_status read_blob(const void **data, struct wb_arena *a, const struct wb_blob *b, struct wb_err *err)
{
	size_t size = (size_t)b->digest.size, got;
	int fd;
	if (b->data != NULL || size == 0) {
		*data = b->data;
		return wb_ok();
	}
	WB_TRY(open_file(&fd, b, err));
	char *buf = wb_arena_alloc(a, size + 1);
	wb_status s = read_some(&got, fd, buf, size + 1, b->path, err);
	close(fd);
	WB_TRY(s);
	struct wb_digest d;
	wb_digest_of(&d, buf, got);
	if (!wb_digest_eq(&d, &b->digest))
		return changed(b, err);
	*data = buf;
	return wb_ok();
}

/* ---- small blobs */

static int64_t in_batch(const struct wb_digest *d)
{
	return d->size + WB_REAPI_BLOB_OVERHEAD;
}

/* Match the replies with the requests; those that may work later are kept in `index` for the next try. */
static wb_status take_replies(struct upload *u, struct wb_reapi_try *t, struct wb_arena *a, const size_t *index,
			      size_t n, bool *done, const update_response *m, struct wb_err *err)
{
	wb_status result = wb_ok();
	struct wb_map at;
	wb_map_init(&at);
	for (size_t i = 0; i < n; i++)
		if (!done[i])
			wb_map_put(&at, u->digest[index[i]], sizeof **u->digest, NULL)->u = i + 1;
	for (size_t i = 0; i < m->n_responses && result.code != WB_EPROTO; i++) {
		struct wb_digest d;
		struct wb_rpc_status st;
		wb_status s = wb_re_digest_get(&d, m->responses[i]->digest, "BatchUpdateBlobs", err);
		union wb_map_value *v = wb_is_ok(s) ? wb_map_get(&at, &d, sizeof d) : NULL;
		if (v == NULL || v->u == 0) {
			result = wb_fail(err, WB_EPROTO, "BatchUpdateBlobs: the reply names a blob %s",
					 v == NULL ? "that was not sent" : "twice");
			break;
		}
		size_t k = v->u - 1;
		v->u = 0;
		wb_reapi_status(&st, a, m->responses[i]->status);
		if (st.code == WB_RPC_OK || st.code == WB_RPC_ALREADY_EXISTS) {
			done[k] = true;
			wb_presence_settle(&u->c->presence, &u->claim[index[k]], u->digest[index[k]], wb_ok(), "");
			continue;
		}
		/* A refusal outlives "later"; of several, the last one is told. */
		struct wb_err why;
		char hex[WB_DIGEST_HEX];
		s = cas_status(wb_rpc_status_fail(&why, &st, "BatchUpdateBlobs"));
		if (wb_is_ok(result) || s.code != WB_EUNAVAILABLE) {
			result = wb_fail(err, s.code, "%s (%s)", why.text, name_of(&u->blob[u->todo[index[k]]], hex));
			t->st = st;
		}
	}
	size_t i = 0;
	for (struct wb_map_slot *slot; wb_is_ok(result) && (slot = wb_map_next(&at, &i)) != NULL;)
		if (slot->value.u != 0)
			result = wb_fail(err, WB_EPROTO, "BatchUpdateBlobs: the reply leaves out a blob that was sent");
	wb_map_release(&at);
	return result;
}

static void fill_request(struct upload *u, struct wb_arena *a, update_request *r, const struct wb_digest *d,
			 const void *data)
{
	char *packed;
	size_t len;
	r->digest = wb_re_digest_new(a, d);
	r->data = (ProtobufCBinaryData){.len = (size_t)d->size, .data = (uint8_t *)(uintptr_t)data};
	if (u->c->compress && u->caps.zstd_batch && wb_zstd_pack(&packed, &len, a, data, (size_t)d->size)) {
		r->data = (ProtobufCBinaryData){.len = len, .data = (uint8_t *)packed};
		r->compressor = WB_RE_ZSTD;
	}
}

/* Blobs that fit in one message, with all tries. */
static wb_status send_batch(struct upload *u, struct wb_arena *a, const size_t *index, size_t n, struct wb_err *err)
{
	static const char method[] = WB_RE_METHOD("ContentAddressableStorage/BatchUpdateBlobs");
	update_request *request = wb_arena_array(a, n, sizeof *request);
	bool *done = wb_arena_array(a, n, sizeof *done);
	int64_t size = 0;
	for (size_t i = 0; i < n; i++) {
		const void *data = NULL;
		WB_RE_INIT(batch_update_blobs_request__request, &request[i]);
		WB_TRY(read_blob(&data, a, &u->blob[u->todo[index[i]]], err));
		fill_request(u, a, &request[i], u->digest[index[i]], data);
		size += u->digest[index[i]]->size;
	}
	struct wb_reapi_try t;
	struct wb_call_options o;
	wb_status s;
	WB_TRY(wb_reapi_try_init(&t, a, u->c, u->job, WB_REAPI_CAS, method, wb_reapi_budget(u->c, size), err));
	do {
		WB_RE(BatchUpdateBlobsRequest) m;
		WB_RE_INIT(batch_update_blobs_request, &m);
		m.instance_name = u->c->instance;
		m.requests = wb_arena_array(a, n, sizeof *m.requests);
		for (size_t i = 0; i < n; i++) {
			if (done[i])
				continue;
			m.requests[m.n_requests++] = &request[i];
			u->job->sent += (int64_t)request[i].data.len;
		}
		WB_TRY(wb_reapi_try_begin(&o, &t, err));
		ProtobufCMessage *reply;
		s = cas_status(wb_call_unary(&reply, a, t.channel, method, &m.base,
					     WB_RE_TYPE(batch_update_blobs_response), &o, &t.st, err));
		if (wb_is_ok(s))
			s = take_replies(u, &t, a, index, n, done, (const update_response *)reply, err);
	} while (wb_reapi_try_again(&t, &s, err));
	return s;
}

/* ---- large blobs */

/* One ByteStream.Write under way. */
struct writing {
	struct wb_call *call;
	struct wb_reapi_job *job;
	const char *resource; /* NULL once it was sent */
	int64_t offset;
	bool ended; /* the server stopped reading */
	bool last;  /* what is sent next is the end */
	bool zstd;
	struct wb_zstd_out *z;
};

static wb_status send_piece(void *arg, const char *data, size_t n, struct wb_err *err)
{
	struct writing *w = arg;
	Google__Bytestream__WriteRequest m;
	if (w->ended)
		return wb_ok();
	google__bytestream__write_request__init(&m);
	if (w->resource != NULL)
		m.resource_name = (char *)(uintptr_t)w->resource;
	w->resource = NULL;
	m.write_offset = w->offset;
	m.data = (ProtobufCBinaryData){.len = n, .data = (uint8_t *)(uintptr_t)data};
	m.finish_write = w->last;
	wb_status s = wb_call_send(w->call, &m.base, err);
	if (s.code == WB_EUNAVAILABLE) {
		w->ended = true; /* it has the blob already, or failed: its status says which */
		return wb_ok();
	}
	w->offset += (int64_t)n;
	w->job->sent += (int64_t)n;
	return s;
}

static wb_status send_data(struct writing *w, const char *data, size_t n, bool end, struct wb_err *err)
{
	if (!w->zstd) {
		w->last = end;
		return send_piece(w, data, n, err);
	}
	WB_TRY(wb_zstd_out_add(w->z, data, n, end, send_piece, w, err));
	if (!end)
		return wb_ok();
	w->last = true; /* zstd does not say in advance which piece is the last: an empty one ends it */
	return send_piece(w, "", 0, err);
}

static wb_status send_memory(struct writing *w, const struct wb_blob *b, struct wb_err *err)
{
	size_t size = (size_t)b->digest.size;
	for (size_t at = 0; at < size && !w->ended;) {
		size_t n = size - at < WB_REAPI_CHUNK ? size - at : WB_REAPI_CHUNK;
		WB_TRY(send_data(w, (const char *)b->data + at, n, at + n == size, err));
		at += n;
	}
	return wb_ok();
}

/* Hashed while it is sent: the end is held back until the digest is known to be right. */
static wb_status send_file(struct writing *w, const struct wb_blob *b, struct wb_err *err)
{
	int64_t left = b->digest.size;
	size_t got;
	int fd;
	WB_TRY(open_file(&fd, b, err));
	char *buf = wb_xcalloc(1, WB_REAPI_CHUNK + 1);
	struct wb_hasher h;
	struct wb_digest d = {.size = -1};
	wb_status s = wb_ok();
	wb_hasher_init(&h);
	while (wb_is_ok(s) && left > 0 && !w->ended) {
		size_t want = left < WB_REAPI_CHUNK ? (size_t)left : WB_REAPI_CHUNK;
		bool end = (int64_t)want == left;
		s = read_some(&got, fd, buf, want + end, b->path,
			      err); /* one more at the end: it must not have grown */
		if (!wb_is_ok(s))
			break;
		wb_hasher_add(&h, buf, got);
		if (got != want) {
			s = changed(b, err);
			break;
		}
		if (end) {
			wb_hasher_finish(&h, &d);
			if (!wb_digest_eq(&d, &b->digest)) {
				s = changed(b, err);
				break;
			}
		}
		s = send_data(w, buf, got, end, err);
		left -= (int64_t)got;
	}
	if (d.size < 0)
		wb_hasher_finish(&h, &d);
	close(fd);
	free(buf);
	return s;
}

/* The server's answer: the whole size, or nothing is there. */
static wb_status end_stream(struct writing *w, struct wb_arena *a, const struct wb_blob *b, struct wb_rpc_status *st,
			    struct wb_err *err)
{
	ProtobufCMessage *reply = NULL;
	if (!w->ended) {
		wb_status s = wb_call_send_end(w->call, err);
		if (!wb_is_ok(s) && s.code != WB_EUNAVAILABLE)
			return s;
	}
	wb_status s = wb_call_receive(&reply, a, w->call, &google__bytestream__write_response__descriptor, err);
	bool none = s.code == WB_ENOENT;
	if (!none)
		WB_TRY(s);
	s = cas_status(wb_call_finish(w->call, st, err));
	if (st->code == WB_RPC_ALREADY_EXISTS) {
		st->code = WB_RPC_OK;
		return wb_ok();
	}
	WB_TRY(s);
	if (none)
		return wb_fail(err, WB_EPROTO, "ByteStream/Write: ended without an answer");
	int64_t committed = ((const Google__Bytestream__WriteResponse *)reply)->committed_size;
	if (committed == b->digest.size || (w->zstd && (committed == -1 || (!w->ended && committed == w->offset))))
		return wb_ok();
	return wb_fail(err, WB_EPROTO, "ByteStream/Write: the server says that it has %lld bytes of %lld",
		       (long long)committed, (long long)b->digest.size);
}

static wb_status send_stream(struct upload *u, struct wb_arena *a, const struct wb_blob *b, struct wb_err *err)
{
	static const char method[] = "/google.bytestream.ByteStream/Write";
	struct wb_reapi *c = u->c;
	char hex[WB_DIGEST_HEX], uuid[37];
	struct wb_reapi_try t;
	struct wb_call_options o;
	wb_status s;
	bool zstd = c->compress && u->caps.zstd_stream;
	wb_digest_hex(hex, &b->digest);
	WB_TRY(wb_reapi_try_init(&t, a, c, u->job, WB_REAPI_CAS, method, wb_reapi_budget(c, b->digest.size), err));
	do {
		struct writing w = {.job = u->job, .zstd = zstd};
		wb_reapi_uuid(uuid);
		w.resource =
		    wb_arena_printf(a, "%s%suploads/%s/%s/%s/%lld", c->instance, c->instance[0] == '\0' ? "" : "/",
				    uuid, zstd ? "compressed-blobs/zstd" : "blobs", hex, (long long)b->digest.size);
		WB_TRY(wb_reapi_try_begin(&o, &t, err));
		s = wb_call_open(&w.call, t.channel, method, &o, err);
		if (!wb_is_ok(s))
			continue;
		if (zstd)
			w.z = wb_zstd_out_new();
		s = b->data != NULL ? send_memory(&w, b, err) : send_file(&w, b, err);
		if (wb_is_ok(s))
			s = end_stream(&w, a, b, &t.st, err);
		wb_zstd_out_free(w.z);
		wb_call_free(w.call);
	} while (wb_reapi_try_again(&t, &s, err));
	return s;
}

/* ---- a round */

static void settle_one(struct upload *u, size_t i, wb_status s, const char *text)
{
	if (u->claim[i].state == WB_PRESENCE_MINE)
		wb_presence_settle(&u->c->presence, &u->claim[i], u->digest[i], s, text);
}

/* Ask about the claims `mine` and settle those that are there; what is missing stays in `mine`. */
static wb_status ask(struct upload *u, size_t *mine, size_t *nmine, struct wb_err *err)
{
	size_t missing = 0;
	wb_status s = wb_ok();
	struct wb_arena a;
	wb_arena_init(&a);
	for (size_t at = 0; at < *nmine && wb_is_ok(s);) {
		WB_RE(FindMissingBlobsRequest) m;
		ProtobufCMessage *reply;
		struct wb_map asked;
		size_t from = at;
		WB_RE_INIT(find_missing_blobs_request, &m);
		m.instance_name = u->c->instance;
		m.blob_digests =
		    wb_arena_array(&a, *nmine - at < ASK_MAX ? *nmine - at : ASK_MAX, sizeof *m.blob_digests);
		wb_map_init(&asked);
		for (; at < *nmine && m.n_blob_digests < ASK_MAX; at++) {
			const struct wb_digest *d = u->digest[mine[at]];
			m.blob_digests[m.n_blob_digests++] = wb_re_digest_new(&a, d);
			/* The empty blob is sent in any case: servers that say it is there do not always stage it. */
			wb_map_put(&asked, d, sizeof *d, NULL)->u = d->size == 0;
		}
		s = cas_status(wb_reapi_unary(&reply, &a, u->c, u->job, WB_REAPI_CAS,
					      WB_RE_METHOD("ContentAddressableStorage/FindMissingBlobs"), &m.base,
					      WB_RE_TYPE(find_missing_blobs_response), NULL, err));
		const WB_RE(FindMissingBlobsResponse) *r = (const void *)reply;
		for (size_t i = 0; wb_is_ok(s) && i < r->n_missing_blob_digests; i++) {
			struct wb_digest d;
			s = wb_re_digest_get(&d, r->missing_blob_digests[i], "FindMissingBlobs", err);
			union wb_map_value *v = wb_is_ok(s) ? wb_map_get(&asked, &d, sizeof d) : NULL;
			if (wb_is_ok(s) && v == NULL)
				s = wb_fail(err, WB_EPROTO,
					    "%s: FindMissingBlobs: the reply names a blob that was not asked for",
					    u->c->name);
			else if (v != NULL)
				v->u = 1;
		}
		for (size_t i = from; wb_is_ok(s) && i < at; i++) {
			const struct wb_digest *d = u->digest[mine[i]];
			if (wb_map_get(&asked, d, sizeof *d)->u == 0)
				settle_one(u, mine[i], wb_ok(), "");
			else
				mine[missing++] = mine[i];
		}
		wb_map_release(&asked);
		wb_arena_release(&a);
	}
	if (wb_is_ok(s))
		*nmine = missing;
	return s;
}

/* Send what is missing: in batches what fits, the rest as streams. */
static wb_status send(struct upload *u, const size_t *mine, size_t n, struct wb_err *err)
{
	int64_t max = wb_reapi_batch_max(&u->caps);
	struct wb_arena a;
	wb_status s = wb_ok();
	size_t *batch = wb_xcalloc(n + 1, sizeof *batch);
	wb_arena_init(&a);
	for (size_t i = 0; i < n && wb_is_ok(s);) {
		int64_t size = 0, weight = 0;
		size_t k = 0;
		for (; i < n; i++) {
			const struct wb_digest *d = u->digest[mine[i]];
			if (d->size > max || in_batch(d) > WB_REAPI_BATCH_MAX)
				break;
			if (k > 0 && (size + d->size > max || weight + in_batch(d) > WB_REAPI_BATCH_MAX))
				break;
			size += d->size;
			weight += in_batch(d);
			batch[k++] = mine[i];
		}
		int64_t room = k > 0 ? size : WB_REAPI_STREAM_ROOM;
		s = wb_room_take(&u->c->sending, room, u->job->cancel, err);
		if (!wb_is_ok(s))
			break;
		if (k > 0) {
			s = send_batch(u, &a, batch, k, err);
		} else {
			s = send_stream(u, &a, &u->blob[u->todo[mine[i]]], err);
			if (wb_is_ok(s))
				settle_one(u, mine[i], wb_ok(), "");
			i++;
		}
		wb_room_give(&u->c->sending, room);
		wb_arena_release(&a);
	}
	wb_arena_release(&a);
	free(batch);
	return s;
}

/* Claim u->todo, do what is ours, wait for the others. What another job gave up stays in u->todo. */
static wb_status one_round(struct upload *u, struct wb_err *err)
{
	size_t nmine = 0, again = 0;
	size_t *mine = wb_xcalloc(u->ntodo, sizeof *mine);
	for (size_t i = 0; i < u->ntodo; i++)
		u->digest[i] = &u->blob[u->todo[i]].digest;
	wb_presence_claim(&u->c->presence, u->claim, u->digest, u->ntodo);
	for (size_t i = 0; i < u->ntodo; i++)
		if (u->claim[i].state == WB_PRESENCE_MINE)
			mine[nmine++] = i;
	wb_status s = ask(u, mine, &nmine, err);
	if (wb_is_ok(s))
		s = send(u, mine, nmine, err);
	free(mine);
	for (size_t i = 0; i < u->ntodo; i++)
		settle_one(u, i, s, err == NULL ? "" : err->text);
	for (size_t i = 0; i < u->ntodo; i++) {
		if (u->claim[i].pending == NULL)
			continue;
		if (!wb_is_ok(s)) {
			wb_presence_leave(&u->c->presence, &u->claim[i]);
			continue;
		}
		s = wb_presence_wait(&u->c->presence, &u->claim[i], u->job->cancel, err);
		if (s.code == WB_ESTALE) {
			u->todo[again++] = u->todo[i];
			s = wb_ok();
		}
	}
	u->ntodo = again;
	return s;
}

wb_status wb_reapi_upload(struct wb_reapi *c, struct wb_reapi_job *job, const struct wb_blob *blob, size_t n,
			  struct wb_err *err)
{
	struct upload u = {.c = c, .job = job, .blob = blob, .ntodo = n};
	struct wb_err text = WB_ERR_INIT; /* those who wait need it too */
	if (n == 0)
		return wb_ok();
	WB_TRY(wb_reapi_need(&u.caps, c, job->cancel, err));
	for (size_t i = 0; i < n; i++)
		if (u.caps.max_blob_bytes > 0 && blob[i].digest.size > u.caps.max_blob_bytes)
			return wb_fail(err, WB_EREFUSED, "%s: takes no blob above %lld bytes, and %s has %lld", c->name,
				       (long long)u.caps.max_blob_bytes, name_of(&blob[i], (char[WB_DIGEST_HEX]){0}),
				       (long long)blob[i].digest.size);
	u.claim = wb_xcalloc(n, sizeof *u.claim);
	u.digest = wb_xcalloc(n, sizeof *u.digest);
	u.todo = wb_xcalloc(n, sizeof *u.todo);
	for (size_t i = 0; i < n; i++)
		u.todo[i] = i;
	wb_status s = wb_ok();
	while (wb_is_ok(s) && u.ntodo > 0)
		s = one_round(&u, &text);
	if (!wb_is_ok(s))
		s = wb_fail(err, s.code, "%s", text.text);
	free(u.claim);
	free(u.digest);
	free(u.todo);
	return s;
}

void wb_reapi_forget(struct wb_reapi *c, const struct wb_blob *blob, size_t n)
{
	for (size_t i = 0; i < n; i++)
		wb_presence_forget(&c->presence, &blob[i].digest);
}
