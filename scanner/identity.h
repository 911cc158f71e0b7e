/* identity.h — which build of a compiler this is, by content: digests of the driver, of the programs it runs for a
 * compile, of their shared libraries, specs and configuration files. The same on two machines with the same packages:
 * neither times nor places enter it (design: "Compiler identity" in docs/inputs.md). */
#ifndef WB_SCANNER_IDENTITY_H
#define WB_SCANNER_IDENTITY_H

#include "base/digest.h"
#include "base/err.h"
#include "scanner/facts.h"

#include <stddef.h>

struct wb_arena;

struct wb_identity_file {
	const char *path;
	struct wb_stat_id id; /* when its digest was taken, links followed */
};

struct wb_identity {
	struct wb_digest digest;
	struct wb_identity_file *file;
	size_t nfile;
};

/* Collects the files; each is taken in once, however often it is named. */
struct wb_identity_builder {
	struct wb_arena *arena;
	struct wb_facts *facts;
	struct wb_identity_file *file;
	struct wb_digest *digest;
	size_t n, cap, digest_cap;
};

void wb_identity_begin(struct wb_identity_builder *b, struct wb_arena *a, struct wb_facts *f);
/* A plain file (specs, configuration). */
wb_status wb_identity_add(struct wb_identity_builder *b, const char *path, struct wb_err *err);
/* A program with the shared libraries that it loads. */
wb_status wb_identity_add_program(struct wb_identity_builder *b, const char *path, struct wb_err *err);
/* The digest of what was added, and the files to watch; memory in the builder's arena. */
void wb_identity_finish(struct wb_identity *out, struct wb_identity_builder *b);

/* Is every file still the one that was read? One stat a file. */
bool wb_identity_holds(const struct wb_identity *id);

#endif
