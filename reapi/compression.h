/* compression.h — zstd for blobs on their way. Every output is bounded by what the caller says it must be, so that a
 * small message cannot become a large one. Thread-safe: no shared state. */
#ifndef WB_REAPI_COMPRESSION_H
#define WB_REAPI_COMPRESSION_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>

#define WB_ZSTD_MIN 1024 /* smaller blobs are not worth it */

/* Compress into the arena; false when it does not get smaller (then nothing is out). */
bool wb_zstd_pack(char **out, size_t *out_len, struct wb_arena *a, const void *data, size_t n);
/* The other way: exactly `size` bytes into `out`. WB_EPROTO: damaged, or another number of bytes. */
wb_status wb_zstd_unpack(char *out, size_t size, const void *data, size_t n, struct wb_err *err);

/* Streams. The sink gets what came out, in pieces of up to 128 KiB; `data` is valid during the call only. */
typedef wb_status wb_zstd_sink(void *arg, const char *data, size_t n, struct wb_err *err);

struct wb_zstd_out; /* compresses */
struct wb_zstd_out *wb_zstd_out_new(void);
void wb_zstd_out_free(struct wb_zstd_out *z);
/* With `end` the frame is finished. */
wb_status wb_zstd_out_add(struct wb_zstd_out *z, const void *data, size_t n, bool end, wb_zstd_sink *sink, void *arg,
			  struct wb_err *err);

struct wb_zstd_in; /* decompresses */
struct wb_zstd_in *wb_zstd_in_new(void);
void wb_zstd_in_free(struct wb_zstd_in *z);
/* The sink ends a stream that grows too large by failing. WB_EPROTO: damaged. */
wb_status wb_zstd_in_add(struct wb_zstd_in *z, const void *data, size_t n, wb_zstd_sink *sink, void *arg,
			 struct wb_err *err);
/* Did the input end at the end of a frame? */
bool wb_zstd_in_whole(const struct wb_zstd_in *z);

#endif
