/* credentials.h — the files that prove identity (struct wb_credential_files), read, checked and read again when they
 * change. Inside rpc/: channel.c is its only user. Not thread-safe. */
#ifndef WB_RPC_CREDENTIALS_H
#define WB_RPC_CREDENTIALS_H

#include "rpc/endpoint.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum wb_credential {
	WB_CREDENTIAL_CA,
	WB_CREDENTIAL_CERT,
	WB_CREDENTIAL_KEY,
	WB_CREDENTIAL_TOKEN,
	WB_CREDENTIAL_COUNT
};

/* What stat says of a file: differs when it was written or replaced. All zero: it was not read yet. */
struct wb_file_identity {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct wb_credential_file {
	char *path; /* heap; NULL: not used */
	char *text; /* heap: the PEM, or the token without the white space around it */
	struct wb_file_identity identity;
};

struct wb_credentials {
	struct wb_credential_file file[WB_CREDENTIAL_COUNT];
	time_t cert_expires; /* of the first certificate in `cert`; 0: none */
};

/* Read them all. When `e` uses TLS and no `ca` is named, the system's collection is taken where there is one. Without
 * TLS only the token is read. WB_EINVAL, WB_ENOENT: a file is missing, empty, no PEM, a key does not fit its
 * certificate, a token holds what no header may; the text names the file and the setting. WB_EREFUSED: a token would be
 * sent in plain text over a network. On failure there is nothing to release. */
wb_status wb_credentials_init(struct wb_credentials *c, const struct wb_endpoint *e,
			      const struct wb_credential_files *files, struct wb_err *err);
void wb_credentials_release(struct wb_credentials *c);

/* Read again what changed. `*tls`, `*token`: new ones are there. On failure nothing has changed; the next call tries
 * again. */
wb_status wb_credentials_refresh(bool *tls, bool *token, struct wb_credentials *c, struct wb_err *err);

#endif
