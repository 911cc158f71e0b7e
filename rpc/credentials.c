#define _GNU_SOURCE
#include "rpc/credentials.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Where Debian, Ubuntu, Alpine and others keep the authorities that the system trusts. gRPC looks at other places
 * first, so it is told. */
static const char system_ca[] = "/etc/ssl/certs/ca-certificates.crt";

enum { CA_MAX = 8 << 20, PEM_MAX = 1 << 20, TOKEN_MAX = 7 << 10 /* a server takes 8 KiB of headers */ };

static const struct {
	const char *setting, *what;
	size_t max;
} kind[WB_CREDENTIAL_COUNT] = {
    [WB_CREDENTIAL_CA] = {"remote_ca", "certificate authorities", CA_MAX},
    [WB_CREDENTIAL_CERT] = {"remote_cert", "client certificate", PEM_MAX},
    [WB_CREDENTIAL_KEY] = {"remote_key", "private key", PEM_MAX},
    [WB_CREDENTIAL_TOKEN] = {"remote_token_file", "bearer token", PEM_MAX},
};

static void forget(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static bool identify(struct wb_file_identity *out, const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return false;
	*out = (struct wb_file_identity){
	    .device = st.st_dev, .inode = st.st_ino, .size = st.st_size, .modified = st.st_mtim, .changed = st.st_ctim};
	return true;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same(const struct wb_file_identity *a, const struct wb_file_identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       same_time(a->modified, b->modified) && same_time(a->changed, b->changed);
}

static wb_status check_token(struct wb_str token, const char *path, struct wb_err *err)
{
	for (size_t i = 0; i < token.n; i++)
		if ((unsigned char)token.p[i] <= ' ' || (unsigned char)token.p[i] >= 0x7f)
			return wb_fail(
			    err, WB_EINVAL,
			    "the bearer token in %s (remote_token_file) holds white space, a control character or "
			    "one outside ASCII at byte %zu: it must be one line with nothing but the token",
			    path, i + 1);
	if (token.n > TOKEN_MAX)
		return wb_fail(err, WB_ELIMIT,
			       "the bearer token in %s (remote_token_file) has %zu bytes, more than %d: servers "
			       "refuse such headers",
			       path, token.n, TOKEN_MAX);
	return wb_ok();
}

/* Into a heap string. The identity is taken before: a file that is written meanwhile is seen as changed next time. */
static wb_status read_file(struct wb_credential_file *f, enum wb_credential k, struct wb_err *err)
{
	struct wb_arena a;
	wb_arena_init(&a);
	char *data = NULL;
	size_t n = 0;
	wb_status s = wb_ok();
	if (!identify(&f->identity, f->path)) {
		s = wb_fail_errno(err, errno, "cannot read the %s %s (%s)", kind[k].what, f->path, kind[k].setting);
		goto out;
	}
	s = wb_file_read(&data, &n, &a, f->path, kind[k].max, err);
	if (!wb_is_ok(s)) {
		s = wb_fail_prefix(err, s, "%s (%s)", kind[k].what, kind[k].setting);
		goto out;
	}
	struct wb_str text = wb_str_trim((struct wb_str){data, n});
	if (text.n == 0) {
		s = wb_fail(err, WB_EINVAL, "the %s file %s (%s) is empty", kind[k].what, f->path, kind[k].setting);
		goto out;
	}
	if (k == WB_CREDENTIAL_TOKEN) {
		s = check_token(text, f->path, err);
	} else if (memchr(data, '\0', n) != NULL) {
		s = wb_fail(err, WB_EINVAL, "the %s file %s (%s) is not PEM", kind[k].what, f->path, kind[k].setting);
	}
	if (!wb_is_ok(s))
		goto out;
	f->text = wb_xcalloc(text.n + 2, 1);
	memcpy(f->text, text.p, text.n);
	if (k != WB_CREDENTIAL_TOKEN)
		f->text[text.n] = '\n';
out:
	if (data != NULL)
		explicit_bzero(data, n);
	wb_arena_release(&a);
	return s;
}

/* No passphrase: a daemon has nobody to ask. */
static int no_passphrase(char *buf, int size, int rwflag, void *data)
{
	(void)buf, (void)size, (void)rwflag, (void)data;
	return 0;
}

static X509 *first_certificate(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	return x;
}

static EVP_PKEY *private_key(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	return key;
}

static time_t expiry(const X509 *x)
{
	struct tm tm;
	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? timegm(&tm) : 0;
}

/* gRPC would say of each of these no more than "handshake failed". */
static wb_status check_pem(struct wb_credentials *c, struct wb_err *err)
{
	const struct wb_credential_file *ca = &c->file[WB_CREDENTIAL_CA], *cert = &c->file[WB_CREDENTIAL_CERT],
					*key = &c->file[WB_CREDENTIAL_KEY];
	X509 *authority = NULL, *mine = NULL;
	EVP_PKEY *secret = NULL;
	wb_status s = wb_ok();
	if (ca->text != NULL && (authority = first_certificate(ca->text)) == NULL) {
		s = wb_fail(err, WB_EINVAL, "%s (remote_ca) holds no certificate in PEM form", ca->path);
		goto out;
	}
	if (cert->text == NULL)
		goto out;
	mine = first_certificate(cert->text);
	secret = private_key(key->text);
	if (mine == NULL)
		s = wb_fail(err, WB_EINVAL, "%s (remote_cert) holds no certificate in PEM form", cert->path);
	else if (secret == NULL)
		s = wb_fail(err, WB_EINVAL, "%s (remote_key) holds no private key in PEM form without a passphrase",
			    key->path);
	else if (X509_check_private_key(mine, secret) != 1)
		s = wb_fail(err, WB_EINVAL,
			    "the private key %s (remote_key) does not belong to the certificate %s (remote_cert)",
			    key->path, cert->path);
	else
		c->cert_expires = expiry(mine);
out:
	X509_free(authority);
	X509_free(mine);
	EVP_PKEY_free(secret);
	ERR_clear_error();
	return s;
}

/* 127.0.0.0/8, ::1 or "localhost" (RFC 6761), or a unix socket: what is sent does not leave the machine. */
static bool stays_here(const struct wb_endpoint *e)
{
	static const char dns[] = "dns:///";
	if (wb_starts_with(e->target, "unix:"))
		return true;
	const char *host = e->target + strlen(dns);
	if (wb_starts_with(host, "%5B")) {
		char text[INET6_ADDRSTRLEN];
		size_t n = strcspn(host + 3, "%");
		struct in6_addr address;
		if (n >= sizeof text)
			return false;
		memcpy(text, host + 3, n);
		text[n] = '\0';
		return inet_pton(AF_INET6, text, &address) == 1 && IN6_IS_ADDR_LOOPBACK(&address);
	}
	char text[256];
	size_t n = strcspn(host, ":");
	struct in_addr address;
	if (n >= sizeof text)
		return false;
	memcpy(text, host, n);
	text[n] = '\0';
	return strcasecmp(text, "localhost") == 0 ||
	       (inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

static bool given(const char *path)
{
	return path != NULL && path[0] != '\0';
}

wb_status wb_credentials_init(struct wb_credentials *c, const struct wb_endpoint *e,
			      const struct wb_credential_files *files, struct wb_err *err)
{
	struct stat st;
	*c = (struct wb_credentials){0};
	const char *path[WB_CREDENTIAL_COUNT] = {[WB_CREDENTIAL_TOKEN] = files->token};
	if (given(files->token) && !e->tls && !stays_here(e))
		return wb_fail(
		    err, WB_EREFUSED,
		    "%s is not encrypted, and the bearer token of %s (remote_token_file) would be readable on the "
		    "network: use grpcs://, or no token",
		    e->text, files->token);
	if (e->tls) {
		if (given(files->cert) != given(files->key))
			return wb_fail(err, WB_EINVAL, "remote_cert and remote_key come together: %s is not set",
				       given(files->cert) ? "remote_key" : "remote_cert");
		path[WB_CREDENTIAL_CA] = files->ca;
		path[WB_CREDENTIAL_CERT] = files->cert;
		path[WB_CREDENTIAL_KEY] = files->key;
		if (!given(files->ca) && stat(system_ca, &st) == 0)
			path[WB_CREDENTIAL_CA] = system_ca;
	}
	wb_status s = wb_ok();
	for (int k = 0; k < WB_CREDENTIAL_COUNT && wb_is_ok(s); k++) {
		if (!given(path[k]))
			continue;
		c->file[k].path = wb_xstrdup(path[k]);
		s = read_file(&c->file[k], (enum wb_credential)k, err);
	}
	if (wb_is_ok(s))
		s = check_pem(c, err);
	if (!wb_is_ok(s))
		wb_credentials_release(c);
	return s;
}

void wb_credentials_release(struct wb_credentials *c)
{
	for (int k = 0; k < WB_CREDENTIAL_COUNT; k++) {
		forget(c->file[k].text);
		free(c->file[k].path);
	}
	*c = (struct wb_credentials){0};
}

wb_status wb_credentials_refresh(bool *tls, bool *token, struct wb_credentials *c, struct wb_err *err)
{
	*tls = *token = false;
	struct wb_credentials fresh = *c; /* paths and unchanged texts stay the old ones' */
	bool changed[WB_CREDENTIAL_COUNT] = {false};
	wb_status s = wb_ok();
	for (int k = 0; k < WB_CREDENTIAL_COUNT && wb_is_ok(s); k++) {
		struct wb_file_identity now;
		const struct wb_credential_file *f = &c->file[k];
		if (f->path == NULL || (identify(&now, f->path) && same(&now, &f->identity)))
			continue;
		fresh.file[k].text = NULL;
		changed[k] = true;
		s = read_file(&fresh.file[k], (enum wb_credential)k, err);
	}
	bool pem = changed[WB_CREDENTIAL_CA] || changed[WB_CREDENTIAL_CERT] || changed[WB_CREDENTIAL_KEY];
	if (wb_is_ok(s) && pem)
		s = check_pem(&fresh, err);
	for (int k = 0; k < WB_CREDENTIAL_COUNT; k++)
		if (changed[k])
			forget(wb_is_ok(s) ? c->file[k].text : fresh.file[k].text);
	if (!wb_is_ok(s))
		return s;
	*c = fresh;
	*tls = pem;
	*token = changed[WB_CREDENTIAL_TOKEN];
	return wb_ok();
}
