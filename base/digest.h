/* digest.h — REAPI digests: SHA-256 of the content and its size in bytes (build.bazel.remote.execution.v2.Digest).
 * Thread-safe: no shared state. */
#ifndef WB_BASE_DIGEST_H
#define WB_BASE_DIGEST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wb_digest {
	uint8_t hash[32];
	int64_t size;
};

#define WB_DIGEST_HEX 65 /* 64 lower-case digits and a NUL */

void wb_digest_of(struct wb_digest *out, const void *data, size_t n);
void wb_digest_hex(char out[WB_DIGEST_HEX], const struct wb_digest *d);
/* Parse 64 lower-case hex digits; false when `hex` is anything else. */
bool wb_digest_parse(struct wb_digest *out, const char *hex, int64_t size);

static inline bool wb_digest_eq(const struct wb_digest *a, const struct wb_digest *b)
{
	return a->size == b->size && memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

/* Incremental hashing. */
struct wb_hasher {
	void *ctx; /* EVP_MD_CTX */
	int64_t size;
};
void wb_hasher_init(struct wb_hasher *h);
void wb_hasher_add(struct wb_hasher *h, const void *p, size_t n);
/* Add a NUL-terminated string with its NUL, so that neighbouring strings cannot run together. NULL counts as one
 * byte 1. */
void wb_hasher_adds(struct wb_hasher *h, const char *s);
/* Finish; the hasher is released. */
void wb_hasher_finish(struct wb_hasher *h, struct wb_digest *out);

/* Hash the rest of an open file. */
wb_status wb_digest_fd(struct wb_digest *out, int fd, const char *name, struct wb_err *err);
wb_status wb_digest_file(struct wb_digest *out, const char *path, struct wb_err *err);

#endif
