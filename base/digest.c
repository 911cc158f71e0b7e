#include "base/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Looking the algorithm up costs more than hashing a small file: do it once. Read-only afterwards. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void sha256_fetch(void)
{
	/* Worker threads may still hash while main returns: OpenSSL must not tear itself down at exit. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

/* SHA-256 cannot fail on any input; when OpenSSL says it did, memory is out (arena.h) or the library is broken. */
static void must(int ok)
{
	if (ok != 1)
		abort();
}

void wb_hasher_init(struct wb_hasher *h)
{
	pthread_once(&sha256_once, sha256_fetch);
	h->ctx = EVP_MD_CTX_new();
	h->size = 0;
	must(sha256 != NULL && h->ctx != NULL);
	must(EVP_DigestInit_ex2(h->ctx, sha256, NULL));
}

void wb_hasher_add(struct wb_hasher *h, const void *p, size_t n)
{
	must(EVP_DigestUpdate(h->ctx, p, n));
	h->size += (int64_t)n;
}

void wb_hasher_adds(struct wb_hasher *h, const char *s)
{
	if (s == NULL)
		wb_hasher_add(h, "\1", 1);
	else
		wb_hasher_add(h, s, strlen(s) + 1);
}

void wb_hasher_finish(struct wb_hasher *h, struct wb_digest *out)
{
	must(EVP_DigestFinal_ex(h->ctx, out->hash, NULL));
	out->size = h->size;
	EVP_MD_CTX_free(h->ctx);
	h->ctx = NULL;
}

void wb_digest_of(struct wb_digest *out, const void *data, size_t n)
{
	struct wb_hasher h;
	wb_hasher_init(&h);
	wb_hasher_add(&h, data, n);
	wb_hasher_finish(&h, out);
}

void wb_digest_hex(char out[WB_DIGEST_HEX], const struct wb_digest *d)
{
	static const char digit[] = "0123456789abcdef";
	for (size_t i = 0; i < sizeof d->hash; i++) {
		out[2 * i] = digit[d->hash[i] >> 4];
		out[2 * i + 1] = digit[d->hash[i] & 15];
	}
	out[WB_DIGEST_HEX - 1] = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool wb_digest_parse(struct wb_digest *out, const char *hex, int64_t size)
{
	if (strnlen(hex, WB_DIGEST_HEX) != WB_DIGEST_HEX - 1 || size < 0)
		return false;
	struct wb_digest d = {.size = size};
	for (size_t i = 0; i < sizeof d.hash; i++) {
		int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		d.hash[i] = (uint8_t)(high << 4 | low);
	}
	*out = d;
	return true;
}

wb_status wb_digest_fd(struct wb_digest *out, int fd, const char *name, struct wb_err *err)
{
	struct wb_hasher h;
	wb_hasher_init(&h);
	char block[64 * 1024];
	ssize_t n;
	while ((n = read(fd, block, sizeof block)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int e = errno;
			wb_hasher_finish(&h, out);
			return wb_fail_errno(err, e, "cannot read %s", name);
		}
		wb_hasher_add(&h, block, (size_t)n);
	}
	wb_hasher_finish(&h, out);
	return wb_ok();
}

wb_status wb_digest_file(struct wb_digest *out, const char *path, struct wb_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return wb_fail_errno(err, errno, "cannot open %s", path);
	wb_status s = wb_digest_fd(out, fd, path, err);
	close(fd);
	return s;
}
