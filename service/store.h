/* store.h — the content-addressed store on disk: cas/ab/<64 hex> (mode 0444) and, for executables, cas/ab/<64 hex>.x
 * (0555). Everything in it is a copy that nobody else has a link to, except the sandbox's read-only input roots.
 * Size-limited; eviction (least recently used first) never removes a blob that is pinned. Thread-safe. */
#ifndef WB_SERVICE_STORE_H
#define WB_SERVICE_STORE_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct wb_store;

/* `dir` is made if need be (0700). Starts a thread that counts, evicts and notes use times: open it after the last
 * fork. `limit` bytes, 0: none. WB_EBUSY: another daemon has it open. */
wb_status wb_store_new(struct wb_store **out, const char *dir, int64_t limit, struct wb_err *err);
void wb_store_free(struct wb_store *s);

bool wb_store_has(struct wb_store *s, const struct wb_digest *d);
/* Take in bytes whose digest the caller knows (it is checked). */
wb_status wb_store_put(struct wb_store *s, const struct wb_digest *d, const void *data, struct wb_err *err);
/* Take in a file by copy or reflink; hashed from the very bytes copied. WB_ESTALE: its digest is not `want`. With
 * `want` NULL any content is taken; `*got` (may be NULL) tells its digest. */
wb_status wb_store_put_file(struct wb_store *s, const struct wb_digest *want, const char *path, struct wb_digest *got,
			    struct wb_err *err);
/* The whole blob in the arena, digest verified. WB_ENOENT, WB_ECORRUPT (then it has been removed). */
wb_status wb_store_get(char **data, struct wb_arena *a, struct wb_store *s, const struct wb_digest *d, size_t limit,
		       struct wb_err *err);
/* Take over a file that nobody else writes to any more (an output of a sandbox that has ended) by renaming it; it must
 * lie on the store's filesystem. Anything but a regular file with one name: WB_EINVAL or a copy. */
wb_status wb_store_take_file(struct wb_store *s, const char *path, bool exec, struct wb_digest *got,
			     struct wb_err *err);
/* Copy to `to` beside and rename: fresh inode and mtime, mode 0666 or 0777 less the umask. Verified as wb_store_link
 * does. WB_ENOENT, WB_ECORRUPT: the blob is not (any more) in the store; everything else is about `to`. */
wb_status wb_store_place(struct wb_store *s, const struct wb_digest *d, const char *to, bool exec, struct wb_err *err);
/* Hard-link into a (read-only mounted) input root at `to`; `copy`: a private copy instead. Blobs are verified against
 * their digest the first time this process uses them and whenever their inode changed since. */
wb_status wb_store_link(struct wb_store *s, const struct wb_digest *d, const char *to, bool exec, bool copy,
			struct wb_err *err);

/* Like wb_store_link, for a place that may hold a link to this blob already: `*ino` is the inode that lies at `to` (0:
 * nothing), and when it is the (verified) blob's own, nothing is linked. Afterwards `*ino` is what lies there; 0 for a
 * private copy. */
wb_status wb_store_relink(struct wb_store *s, const struct wb_digest *d, const char *to, bool exec, uint64_t *ino,
			  struct wb_err *err);
/* Undo a wb_store_link (not a copy): removing a name changes the blob's ctime, and only a change that the store knows
 * of does not cost another look at the whole blob. */
void wb_store_unlink(struct wb_store *s, const struct wb_digest *d, const char *link, bool exec);

/* Pins: while a job runs, what it needs must not be evicted. A pin set belongs to one job. */
struct wb_pins;
struct wb_pins *wb_pins_new(struct wb_store *s);
void wb_pins_add(struct wb_pins *p, const struct wb_digest *d);
void wb_pins_free(struct wb_pins *p); /* releases all */

/* Evict down to `limit` bytes (or the configured one when < 0), least recently used first. Above the configured limit
 * the store does so by itself, in its own thread, but keeps what was used within the last minute. */
wb_status wb_store_prune(struct wb_store *s, int64_t limit, int64_t *freed, struct wb_err *err);
/* Remove everything that no running job pins. */
wb_status wb_store_clear(struct wb_store *s, struct wb_err *err);
/* Sum of the sizes of all blobs, and their number. After an unclean end they are counted anew (about 1 s for 300,000).
 */
int64_t wb_store_bytes(struct wb_store *s);
int64_t wb_store_count(struct wb_store *s);
/* Call `fn` after each eviction, in the thread that evicted: whoever keeps links to blobs gives them up, so that the
 * disk gets its room back. One at a time; NULL: none any more, and no call is under way when this returns. */
void wb_store_on_evict(struct wb_store *s, void (*fn)(void *), void *arg);
/* A directory on the store's filesystem for work in progress; emptied when the store is opened. Borrowed. */
const char *wb_store_tmp(struct wb_store *s);
/* A name in it that nobody has used, in the arena; nothing is made. */
char *wb_store_tmp_name(struct wb_store *s, struct wb_arena *a);

#endif
