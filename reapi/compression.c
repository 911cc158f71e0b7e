#include "reapi/compression.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum {
	LEVEL = 1,           /* the network is local: the fastest that shrinks object files by half */
	WINDOW_LOG_MAX = 27, /* 128 MiB, what `zstd` itself accepts: bounds the memory of a stream */
	PIECE = 128 * 1024,
};

bool wb_zstd_pack(char **out, size_t *out_len, struct wb_arena *a, const void *data, size_t n)
{
	if (n < WB_ZSTD_MIN)
		return false;
	size_t cap = ZSTD_compressBound(n);
	char *buf = malloc(cap);
	size_t got = buf == NULL ? n : ZSTD_compress(buf, cap, data, n, LEVEL);
	bool smaller = buf != NULL && !ZSTD_isError(got) && got < n;
	if (smaller) {
		*out = wb_arena_memdup(a, buf, got);
		*out_len = got;
	}
	free(buf);
	return smaller;
}

struct wb_zstd_out {
	ZSTD_CCtx *ctx;
	char piece[PIECE];
};

struct wb_zstd_in {
	ZSTD_DCtx *ctx;
	bool whole;
	char piece[PIECE];
};

struct wb_zstd_out *wb_zstd_out_new(void)
{
	struct wb_zstd_out *z = wb_xcalloc(1, sizeof *z);
	z->ctx = ZSTD_createCCtx();
	if (z->ctx != NULL)
		ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_compressionLevel, LEVEL);
	return z;
}

void wb_zstd_out_free(struct wb_zstd_out *z)
{
	if (z == NULL)
		return;
	ZSTD_freeCCtx(z->ctx);
	free(z);
}

wb_status wb_zstd_out_add(struct wb_zstd_out *z, const void *data, size_t n, bool end, wb_zstd_sink *sink, void *arg,
			  struct wb_err *err)
{
	ZSTD_inBuffer in = {.src = data, .size = n};
	for (;;) {
		ZSTD_outBuffer out = {.dst = z->piece, .size = sizeof z->piece};
		size_t left = z->ctx == NULL
				  ? (size_t)-1 /* an error code of zstd's */
				  : ZSTD_compressStream2(z->ctx, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
		if (z->ctx == NULL || ZSTD_isError(left))
			return wb_fail(err, WB_EIO, "zstd: %s", ZSTD_getErrorName(left));
		if (out.pos > 0)
			WB_TRY(sink(arg, z->piece, out.pos, err));
		if (end ? left == 0 : in.pos == in.size)
			return wb_ok();
	}
}

struct wb_zstd_in *wb_zstd_in_new(void)
{
	struct wb_zstd_in *z = wb_xcalloc(1, sizeof *z);
	z->ctx = ZSTD_createDCtx();
	if (z->ctx != NULL)
		ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	return z;
}

void wb_zstd_in_free(struct wb_zstd_in *z)
{
	if (z == NULL)
		return;
	ZSTD_freeDCtx(z->ctx);
	free(z);
}

wb_status wb_zstd_in_add(struct wb_zstd_in *z, const void *data, size_t n, wb_zstd_sink *sink, void *arg,
			 struct wb_err *err)
{
	ZSTD_inBuffer in = {.src = data, .size = n};
	if (z->ctx == NULL)
		return wb_fail(err, WB_EIO, "zstd: out of memory");
	while (n > 0) {
		ZSTD_outBuffer out = {.dst = z->piece, .size = sizeof z->piece};
		size_t left = ZSTD_decompressStream(z->ctx, &out, &in);
		if (ZSTD_isError(left))
			return wb_fail(err, WB_EPROTO, "zstd: %s", ZSTD_getErrorName(left));
		z->whole = left == 0;
		if (out.pos > 0)
			WB_TRY(sink(arg, z->piece, out.pos, err));
		/* All input is eaten, and nothing is left inside: a full buffer may hide more of the same frame. */
		if (in.pos == in.size && (out.pos < out.size || z->whole))
			break;
	}
	return wb_ok();
}

bool wb_zstd_in_whole(const struct wb_zstd_in *z)
{
	return z->whole;
}

struct into {
	char *p;
	size_t n, size;
};

static wb_status put(void *arg, const char *data, size_t n, struct wb_err *err)
{
	struct into *o = arg;
	if (n > o->size - o->n)
		return wb_fail(err, WB_EPROTO, "zstd: more than %zu bytes come out", o->size);
	memcpy(o->p + o->n, data, n);
	o->n += n;
	return wb_ok();
}

wb_status wb_zstd_unpack(char *out, size_t size, const void *data, size_t n, struct wb_err *err)
{
	struct into o = {.p = out, .size = size};
	struct wb_zstd_in *z = wb_zstd_in_new();
	wb_status s = wb_zstd_in_add(z, data, n, put, &o, err);
	if (wb_is_ok(s) && (!z->whole || o.n != size))
		s = wb_fail(err, WB_EPROTO, "zstd: %zu bytes came out, %zu were said%s", o.n, size,
			    z->whole ? "" : " (cut off)");
	wb_zstd_in_free(z);
	return s;
}
