/* library.h — programs (program.h) in a file, for the next process: keyed by a hash of the text that they were made
 * from and by how it is lexed. Thread-safe.
 *
 * The file is one process' own as long as nobody else opens it, and may be shared: records are appended under a lock.
 * Whatever is in it, a program that comes out is the one of the text: the file belongs to one build, each record has a
 * checksum, and both that and the keys hang on a random number in the file's head, so that nobody can prepare texts
 * with equal hashes. A file that is damaged, full, or of another build is started anew: that costs time. Others that
 * have it open then see that it is no longer theirs, and go on without. */
#ifndef WB_SCANNER_DIRECTIVES_LIBRARY_H
#define WB_SCANNER_DIRECTIVES_LIBRARY_H

#include "base/err.h"
#include "scanner/directives/program.h"

#define WB_LIBRARY_BYTES ((size_t)128 << 20)

struct wb_library;

/* Open the file at `path`, or make it; its directory is there. `build` names the build of this program: programs of
 * another one are not taken. Beyond `limit` bytes the file starts anew. WB_EBUSY: somebody else has had it locked
 * for a second; WB_EINVAL: no regular file; else what the system says, as WB_ENOENT or WB_EIO. */
wb_status wb_library_new(struct wb_library **out, struct wb_idents *idents, const char *path, const char *build,
			 size_t limit, struct wb_err *err);
/* Writes what is left to write. NULL is fine. */
void wb_library_free(struct wb_library *l);

struct wb_library_key {
	uint64_t hash[2], size;
	uint64_t lex;
	uint64_t seed; /* of the file; another one is another file */
};

struct wb_library_key wb_library_key(struct wb_library *l, const char *text, size_t n, unsigned lex);

/* The program of a text, one reference, the caller's; NULL: there is none. */
struct wb_program *wb_library_get(struct wb_library *l, const struct wb_library_key *key);
/* Keep it. It is written in a while, together with others. */
void wb_library_put(struct wb_library *l, const struct wb_library_key *key, const struct wb_program *p);
/* Write what is to be written now. */
void wb_library_flush(struct wb_library *l);

struct wb_library_count {
	uint64_t held;  /* programs in the file or about to be */
	uint64_t given; /* by get */
	uint64_t taken; /* by put */
	uint64_t bytes; /* of the file */
	bool given_up;  /* the file cannot be written, or has become somebody else's */
};
void wb_library_count(struct wb_library *l, struct wb_library_count *out);

#endif
