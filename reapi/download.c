/* Downloads: small blobs in batches, large ones as streams. Nothing is believed before its digest is right, and no file
 * appears before all of them are. */
#include "reapi/client_impl.h"
#include "reapi/compression.h"
#include "reapi/result.h"

#include "base/fileio.h"
#include "base/tempfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef WB_RE(BatchReadBlobsResponse) read_response;
typedef WB_RE(BatchReadBlobsResponse__Response) read_reply;
typedef WB_RE(Compressor__Value) compressor;

/* Where one blob goes. */
struct target {
	struct wb_fetch *f;
	struct wb_tempfile file;
	bool open, done;
	size_t same; /* another one of the same batch with this digest, plus one; 0: none */
	char *data;  /* in memory */
	int64_t got;
	struct wb_hasher hasher; /* streams */
};

struct download {
	struct wb_reapi *c;
	struct wb_arena *a;
	struct wb_reapi_job *job;
	struct wb_reapi_capabilities caps;
	struct target *target;
	size_t n;
};

static wb_status wrong(const struct target *t, struct wb_err *err, const char *how)
{
	char hex[WB_DIGEST_HEX];
	wb_digest_hex(hex, &t->f->digest);
	return wb_fail(err, WB_EPROTO, "the server sent %s for blob %s of %lld bytes%s%s", how, hex,
		       (long long)t->f->digest.size, t->f->path == NULL ? "" : ", ",
		       t->f->path == NULL ? "" : t->f->path);
}

/* Make the place for it, or empty it for another try. */
static wb_status open_target(struct download *d, struct target *t, struct wb_err *err)
{
	t->got = 0;
	if (t->f->path == NULL) {
		if (t->data == NULL)
			t->data = wb_arena_alloc(d->a, (size_t)t->f->digest.size + 1);
		return wb_ok();
	}
	if (!t->open) {
		WB_TRY(wb_tempfile_open(&t->file, t->f->path, t->f->exec ? 0755 : 0644, err));
		t->open = true;
	}
	if (ftruncate(t->file.fd, 0) < 0 || lseek(t->file.fd, 0, SEEK_SET) < 0)
		return wb_fail_errno(err, errno, "cannot write beside %s", t->f->path);
	return wb_ok();
}

/* Bytes that belong at t->got. More than there may be ends it. */
static wb_status put(struct target *t, const char *data, size_t n, struct wb_err *err)
{
	if ((int64_t)n > t->f->digest.size - t->got)
		return wrong(t, err, "more bytes than it has");
	if (t->f->path != NULL)
		WB_TRY(wb_fd_write(t->file.fd, data, n, t->f->path, err));
	else
		memcpy(t->data + t->got, data, n);
	t->got += (int64_t)n;
	return wb_ok();
}

static wb_status put_whole(struct download *d, struct target *t, const char *data, size_t n, struct wb_err *err)
{
	WB_TRY(open_target(d, t, err));
	if (n > 0)
		WB_TRY(put(t, data, n, err));
	t->done = true;
	return wb_ok();
}

/* ---- batches */

/* One blob of a reply: checked once, delivered to all who want it. */
static wb_status take_blob(struct download *d, struct target *t, struct wb_arena *a, const read_reply *r,
			   struct wb_err *err)
{
	const char *data = (const char *)r->data.data;
	size_t size = (size_t)t->f->digest.size, n = r->data.len;
	struct wb_digest have;
	d->job->received += (int64_t)r->data.len;
	if (r->compressor == WB_RE_ZSTD && d->c->compress) {
		char *whole = wb_arena_alloc(a, size + 1);
		if (!wb_is_ok(wb_zstd_unpack(whole, size, data, n, err)))
			return wrong(t, err, "damaged zstd data");
		data = whole;
		n = size;
	} else if (r->compressor != 0) {
		return wrong(t, err, "a compression that was not asked for");
	}
	wb_digest_of(&have, data, n);
	if (!wb_digest_eq(&have, &t->f->digest))
		return wrong(t, err, "other bytes");
	for (;; t = &d->target[t->same - 1]) {
		WB_TRY(put_whole(d, t, data, n, err));
		if (t->same == 0)
			return wb_ok();
	}
}

static wb_status take_replies(struct download *d, struct wb_reapi_try *t, struct wb_arena *a, const size_t *index,
			      size_t n, const read_response *m, struct wb_err *err)
{
	wb_status result = wb_ok();
	struct wb_map at;
	wb_map_init(&at);
	for (size_t i = 0; i < n; i++)
		if (!d->target[index[i]].done)
			wb_map_put(&at, &d->target[index[i]].f->digest, sizeof(struct wb_digest), NULL)->u =
			    index[i] + 1;
	for (size_t i = 0; i < m->n_responses && (wb_is_ok(result) || result.code == WB_EUNAVAILABLE); i++) {
		const read_reply *r = m->responses[i];
		struct wb_digest digest;
		wb_status s = wb_re_digest_get(&digest, r->digest, "BatchReadBlobs", err);
		union wb_map_value *v = wb_is_ok(s) ? wb_map_get(&at, &digest, sizeof digest) : NULL;
		if (v == NULL || v->u == 0) {
			result = wb_fail(err, WB_EPROTO, "BatchReadBlobs: the reply names a blob %s",
					 v == NULL ? "that was not asked for" : "twice");
			break;
		}
		struct target *target = &d->target[v->u - 1];
		struct wb_rpc_status st;
		v->u = 0;
		wb_reapi_status(&st, a, r->status);
		if (st.code == WB_RPC_OK) {
			s = take_blob(d, target, a, r, err);
			if (!wb_is_ok(s))
				result = s;
			continue;
		}
		char hex[WB_DIGEST_HEX];
		wb_digest_hex(hex, &digest);
		result = wb_fail_prefix(err, wb_rpc_status_fail(err, &st, "BatchReadBlobs"), "blob %s", hex);
		t->st = st;
	}
	size_t i = 0;
	for (struct wb_map_slot *slot; wb_is_ok(result) && (slot = wb_map_next(&at, &i)) != NULL;)
		if (slot->value.u != 0)
			result =
			    wb_fail(err, WB_EPROTO, "BatchReadBlobs: the reply leaves out a blob that was asked for");
	wb_map_release(&at);
	return result;
}

static wb_status read_batch(struct download *d, struct wb_arena *a, const size_t *index, size_t n, int64_t size,
			    struct wb_err *err)
{
	static const char method[] = WB_RE_METHOD("ContentAddressableStorage/BatchReadBlobs");
	compressor zstd = WB_RE_ZSTD;
	struct wb_reapi_try t;
	struct wb_call_options o;
	wb_status s;
	WB_TRY(wb_reapi_try_init(&t, a, d->c, d->job, WB_REAPI_CAS, method, wb_reapi_budget(d->c, size), err));
	do {
		WB_RE(BatchReadBlobsRequest) m;
		WB_RE_INIT(batch_read_blobs_request, &m);
		m.instance_name = d->c->instance;
		m.digests = wb_arena_array(a, n, sizeof *m.digests);
		for (size_t i = 0; i < n; i++)
			if (!d->target[index[i]].done)
				m.digests[m.n_digests++] = wb_re_digest_new(a, &d->target[index[i]].f->digest);
		if (d->c->compress && d->caps.zstd_stream) {
			m.n_acceptable_compressors = 1;
			m.acceptable_compressors = &zstd;
		}
		WB_TRY(wb_reapi_try_begin(&o, &t, err));
		ProtobufCMessage *reply;
		s = wb_call_unary(&reply, a, t.channel, method, &m.base, WB_RE_TYPE(batch_read_blobs_response), &o,
				  &t.st, err);
		if (wb_is_ok(s))
			s = take_replies(d, &t, a, index, n, (const read_response *)reply, err);
	} while (wb_reapi_try_again(&t, &s, err));
	return s;
}

/* ---- streams */

static wb_status put_hashed(void *arg, const char *data, size_t n, struct wb_err *err)
{
	struct target *t = arg;
	WB_TRY(put(t, data, n, err));
	wb_hasher_add(&t->hasher, data, n);
	return wb_ok();
}

/* All messages of one call. */
static wb_status receive_all(struct download *d, struct target *t, struct wb_call *call, struct wb_zstd_in *z,
			     struct wb_rpc_status *st, struct wb_err *err)
{
	/* No compression makes a blob much larger. */
	int64_t wire = 0, wire_max = t->f->digest.size + t->f->digest.size / 8 + (1 << 20);
	for (;;) {
		struct wb_arena a;
		ProtobufCMessage *m;
		wb_arena_init(&a);
		wb_status s = wb_call_receive(&m, &a, call, &google__bytestream__read_response__descriptor, err);
		if (wb_is_ok(s)) {
			ProtobufCBinaryData data = ((const Google__Bytestream__ReadResponse *)m)->data;
			wire += (int64_t)data.len;
			d->job->received += (int64_t)data.len;
			if (wire > wire_max)
				s = wrong(t, err, "an endless stream");
			else if (z != NULL)
				s = wb_zstd_in_add(z, data.data, data.len, put_hashed, t, err);
			else
				s = put_hashed(t, (const char *)data.data, data.len, err);
		} else if (s.code == WB_ENOENT) {
			wb_arena_release(&a);
			return wb_call_finish(call, st, err);
		}
		wb_arena_release(&a);
		WB_TRY(s);
	}
}

static wb_status read_once(struct download *d, struct target *t, const char *method, const char *resource, bool zstd,
			   const struct wb_call_options *o, struct wb_reapi_try *try, struct wb_err *err)
{
	Google__Bytestream__ReadRequest m;
	struct wb_zstd_in *z = NULL;
	struct wb_call *call;
	struct wb_digest have;
	WB_TRY(open_target(d, t, err));
	WB_TRY(wb_call_open(&call, try->channel, method, o, err));
	google__bytestream__read_request__init(&m);
	m.resource_name = (char *)(uintptr_t)resource;
	wb_hasher_init(&t->hasher);
	if (zstd)
		z = wb_zstd_in_new();
	wb_status s = wb_call_send(call, &m.base, err);
	if (wb_is_ok(s))
		s = wb_call_send_end(call, err);
	if (wb_is_ok(s) || s.code == WB_EUNAVAILABLE) /* ended already: the status says why */
		s = receive_all(d, t, call, z, &try->st, err);
	wb_call_free(call); /* cancels a stream that was not read to its end */
	wb_hasher_finish(&t->hasher, &have);
	if (wb_is_ok(s) && (have.size != t->f->digest.size || (z != NULL && !wb_zstd_in_whole(z) && have.size > 0)))
		s = wrong(t, err, "fewer bytes than it has");
	else if (wb_is_ok(s) && !wb_digest_eq(&have, &t->f->digest))
		s = wrong(t, err, "other bytes");
	wb_zstd_in_free(z);
	t->done = wb_is_ok(s);
	return s;
}

static wb_status read_stream(struct download *d, struct target *target, struct wb_err *err)
{
	static const char method[] = "/google.bytestream.ByteStream/Read";
	bool zstd = d->c->compress && d->caps.zstd_stream;
	char hex[WB_DIGEST_HEX];
	struct wb_reapi_try t;
	struct wb_call_options o;
	struct wb_arena a;
	wb_status s;
	wb_arena_init(&a);
	wb_digest_hex(hex, &target->f->digest);
	const char *resource =
	    wb_arena_printf(&a, "%s%s%s/%s/%lld", d->c->instance, d->c->instance[0] == '\0' ? "" : "/",
			    zstd ? "compressed-blobs/zstd" : "blobs", hex, (long long)target->f->digest.size);
	s = wb_reapi_try_init(&t, &a, d->c, d->job, WB_REAPI_CAS, method, wb_reapi_budget(d->c, target->f->digest.size),
			      err);
	while (wb_is_ok(s)) {
		s = wb_reapi_try_begin(&o, &t, err);
		if (!wb_is_ok(s))
			break;
		s = read_once(d, target, method, resource, zstd, &o, &t, err);
		if (!wb_reapi_try_again(&t, &s, err))
			break;
		s = wb_ok();
	}
	wb_arena_release(&a);
	return s;
}

/* ---- all */

/* The next batch: targets that are still to be filled and fit together; `*from` moves on. A digest that comes again
 * hangs on the first. */
static size_t plan(struct download *d, size_t *batch, size_t *from, int64_t *size)
{
	int64_t max = wb_reapi_batch_max(&d->caps), weight = 0;
	size_t n = 0, i = *from;
	struct wb_map seen;
	*size = 0;
	wb_map_init(&seen);
	for (; i < d->n; i++) {
		struct target *t = &d->target[i];
		const struct wb_digest *g = &t->f->digest;
		int64_t w = g->size + WB_REAPI_BLOB_OVERHEAD;
		if (t->done || g->size > max || w > WB_REAPI_BATCH_MAX)
			continue;
		union wb_map_value *v = wb_map_get(&seen, g, sizeof *g);
		if (v != NULL) {
			t->same = d->target[v->u].same;
			d->target[v->u].same = i + 1;
			continue;
		}
		if (n > 0 && (*size + g->size > max || weight + w > WB_REAPI_BATCH_MAX))
			break;
		wb_map_put(&seen, g, sizeof *g, NULL)->u = i;
		*size += g->size;
		weight += w;
		batch[n++] = i;
	}
	wb_map_release(&seen);
	*from = i;
	return n;
}

static wb_status fetch_all(struct download *d, struct wb_err *err)
{
	size_t *batch = wb_xcalloc(d->n, sizeof *batch);
	wb_status s = wb_ok();
	int64_t size;
	for (size_t from = 0, n; wb_is_ok(s) && (n = plan(d, batch, &from, &size)) > 0;) {
		struct wb_arena a;
		wb_arena_init(&a);
		s = wb_room_take(&d->c->receiving, size, d->job->cancel, err);
		if (wb_is_ok(s)) {
			s = read_batch(d, &a, batch, n, size, err);
			wb_room_give(&d->c->receiving, size);
		}
		wb_arena_release(&a);
	}
	for (size_t i = 0; i < d->n && wb_is_ok(s); i++) {
		if (d->target[i].done)
			continue;
		s = wb_room_take(&d->c->receiving, WB_REAPI_STREAM_ROOM, d->job->cancel, err);
		if (!wb_is_ok(s))
			break;
		s = read_stream(d, &d->target[i], err);
		wb_room_give(&d->c->receiving, WB_REAPI_STREAM_ROOM);
	}
	free(batch);
	return s;
}

wb_status wb_reapi_fetch(struct wb_reapi *c, struct wb_arena *a, struct wb_reapi_job *job, struct wb_fetch *f, size_t n,
			 struct wb_err *err)
{
	struct download d = {.c = c, .a = a, .job = job, .n = n};
	bool ask = false;
	wb_status s = wb_ok();
	for (size_t i = 0; i < n; i++)
		if (f[i].path == NULL && f[i].digest.size > WB_REAPI_MEMORY_MAX)
			return wb_fail(err, WB_ELIMIT, "a blob of %lld bytes is too large to be held in memory",
				       (long long)f[i].digest.size);
	d.target = wb_xcalloc(n + 1, sizeof *d.target);
	for (size_t i = 0; i < n && wb_is_ok(s); i++) {
		d.target[i].f = &f[i];
		if (f[i].digest.size == 0) { /* every server has the empty blob, some do not know it */
			struct wb_digest empty;
			wb_digest_of(&empty, "", 0);
			s = wb_digest_eq(&empty, &f[i].digest) ? put_whole(&d, &d.target[i], "", 0, err)
							       : wrong(&d.target[i], err, "an impossible digest");
		} else if (f[i].content != NULL) {
			s = put_whole(&d, &d.target[i], f[i].content, (size_t)f[i].digest.size, err);
		} else {
			ask = true;
		}
	}
	if (wb_is_ok(s) && ask)
		s = wb_reapi_need(&d.caps, c, job->cancel, err);
	if (wb_is_ok(s) && ask)
		s = fetch_all(&d, err);
	for (size_t i = 0; i < n; i++) {
		struct target *t = &d.target[i];
		if (t->open && wb_is_ok(s))
			s = wb_tempfile_commit(&t->file, err);
		else if (t->open)
			wb_tempfile_drop(&t->file);
		else
			f[i].data = t->data;
	}
	free(d.target);
	return s;
}

wb_status wb_reapi_fetch_texts(struct wb_action_result *result, struct wb_arena *a, struct wb_reapi *c,
			       struct wb_reapi_job *job, const struct wb_result_texts *texts, struct wb_err *err)
{
	struct wb_fetch f[2];
	size_t n = 0;
	if (texts->fetch_out)
		f[n++] = (struct wb_fetch){.digest = texts->out};
	if (texts->fetch_err)
		f[n++] = (struct wb_fetch){.digest = texts->err};
	if (n == 0)
		return wb_ok();
	WB_TRY(wb_reapi_fetch(c, a, job, f, n, err));
	if (texts->fetch_out) {
		result->out_text = f[0].data;
		result->out_len = (size_t)f[0].digest.size;
	}
	if (texts->fetch_err) {
		result->err_text = f[n - 1].data;
		result->err_len = (size_t)f[n - 1].digest.size;
	}
	return wb_ok();
}
