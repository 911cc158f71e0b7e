/* store.h — the programs of all files that were read, shared by all threads and keyed by what stat says of a file and
 * by how its text is lexed: an edited file is another entry. Thread-safe. */
#ifndef WB_SCANNER_DIRECTIVES_STORE_H
#define WB_SCANNER_DIRECTIVES_STORE_H

#include "scanner/directives/library.h"

struct wb_program_store;

/* Beyond `limit` bytes of programs the store starts anew; scans under way keep what they use. */
struct wb_program_store *wb_program_store_new(struct wb_idents *idents, size_t limit);
void wb_program_store_free(struct wb_program_store *s);
/* From now on programs are looked for in `l`, and put there. Once, before other threads come; the store's from then on.
 */
void wb_program_store_keep(struct wb_program_store *s, struct wb_library *l);

/* The program of `path` as it is now; `scratch` is for its text; `seen` is what stat said just before: equal to that of
 * a known program, nothing is read. A reference, the caller's. NULL: it cannot be read, is no regular file, changes all
 * the time, or is bigger than 256 MiB. */
struct wb_program *wb_program_store_get(struct wb_program_store *s, const char *path, const struct wb_stat_id *seen,
					unsigned lex, struct wb_buf *scratch);

#endif
