#include "tests/unit/rpc_certificates.h"

#include "base/arena.h"
#include "tests/unit/unit.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(BIO *bio)
{
	char *data;
	long n = BIO_get_mem_data(bio, &data);
	char *out = wb_xcalloc(1, (size_t)n + 1);
	memcpy(out, data, (size_t)n);
	BIO_free(bio);
	return out;
}

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

void rpc_certificate_init(struct rpc_certificate *out, const char *common_name, const char *names,
			  const struct rpc_certificate *issuer, int days)
{
	static long serial = 1;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new(), *authority = NULL;
	EVP_PKEY *signer = key;
	if (issuer != NULL) {
		BIO *bio = BIO_new_mem_buf(issuer->cert, -1);
		authority = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		BIO_free(bio);
		bio = BIO_new_mem_buf(issuer->key, -1);
		signer = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
		BIO_free(bio);
	}
	assert_non_null(key);
	assert_non_null(signer);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), -30L * 86400);
	X509_gmtime_adj(X509_getm_notAfter(x), days * 86400L);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1,
				   -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(authority == NULL ? x : authority));
	X509_set_pubkey(x, key);
	extend(x, authority == NULL ? x : authority, NID_basic_constraints,
	       authority == NULL ? "critical,CA:TRUE" : "CA:FALSE");
	if (names != NULL)
		extend(x, authority == NULL ? x : authority, NID_subject_alt_name, names);
	assert_true(X509_sign(x, signer, EVP_sha256()) > 0);
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, x);
	out->cert = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	out->key = text_of(bio);
	if (signer != key)
		EVP_PKEY_free(signer);
	EVP_PKEY_free(key);
	X509_free(authority);
	X509_free(x);
}

void rpc_certificate_release(struct rpc_certificate *c)
{
	free(c->cert);
	free(c->key);
}
