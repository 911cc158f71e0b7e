/* rpc_certificates.h — certificates for tests, made by OpenSSL: P-256 keys, PEM. */
#ifndef WB_TESTS_RPC_CERTIFICATES_H
#define WB_TESTS_RPC_CERTIFICATES_H

struct rpc_certificate {
	char *cert, *key; /* PEM, heap */
};

/* `issuer` NULL: an authority that signs itself. `names`: "IP:127.0.0.1,DNS:localhost" or NULL. Valid until `days` from
 * now, negative: expired. */
void rpc_certificate_init(struct rpc_certificate *out, const char *common_name, const char *names,
			  const struct rpc_certificate *issuer, int days);
void rpc_certificate_release(struct rpc_certificate *c);

#endif
