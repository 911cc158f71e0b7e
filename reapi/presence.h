/* presence.h — which blobs the server is known to have, and who is making sure of the others just now: a digest is
 * asked for once and uploaded once, however many jobs need it at the same time. Thread-safe.
 *
 * A job claims all its digests, asks for and uploads those that became its own and settles every one of them, whatever
 * happens; only then it waits for those that other jobs hold. Nobody holds while waiting, so there is no deadlock. */
#ifndef WB_REAPI_PRESENCE_H
#define WB_REAPI_PRESENCE_H

#include "base/digest.h"
#include "base/map.h"

#include <pthread.h>
#include <stdatomic.h>

#define WB_PRESENCE_MAX ((size_t)1 << 20)               /* digests remembered (48 MiB); then all are forgotten */
#define WB_PRESENCE_NS  ((int64_t)30 * 60 * 1000000000) /* and for how long: servers evict */

enum wb_presence_state {
	WB_PRESENCE_THERE,  /* nothing to do */
	WB_PRESENCE_MINE,   /* the caller makes sure of it, and settles it */
	WB_PRESENCE_OTHERS, /* somebody else does: wait */
};

struct wb_presence_pending; /* a digest that somebody makes sure of */
struct wb_presence_entry;   /* one that is there */

struct wb_presence_claim {
	enum wb_presence_state state;
	struct wb_presence_pending *pending; /* not with THERE */
};

struct wb_presence {
	pthread_mutex_t lock;
	struct wb_map pending; /* digest -> struct wb_presence_pending * */
	struct wb_presence_entry *entry;
	size_t cap, n, max;
	int64_t keep_ns;
	unsigned epoch; /* counts wb_presence_forget_all */
};

void wb_presence_init(struct wb_presence *p, size_t max, int64_t keep_ns);
void wb_presence_release(struct wb_presence *p); /* no claim may be open */

/* One after the other, under one lock: `claim[i]` for `digest[i]`; a digest given twice is OTHERS the second time. */
void wb_presence_claim(struct wb_presence *p, struct wb_presence_claim *claim, const struct wb_digest *const *digest,
		       size_t n);
/* A claim that is MINE ends: the blob is there (`s` OK), or `s` and `text` say why not. */
void wb_presence_settle(struct wb_presence *p, struct wb_presence_claim *claim, const struct wb_digest *digest,
			wb_status s, const char *text);
/* A claim that is OTHERS ends: wait until it is settled. OK: it is there. A failure of the server is handed on as it is
 * (asking again would only fail once more); WB_ESTALE: the other job failed for a reason of its own, claim again.
 * WB_ECANCELED when `cancel` (may be NULL) became true. */
wb_status wb_presence_wait(struct wb_presence *p, struct wb_presence_claim *claim, const atomic_bool *cancel,
			   struct wb_err *err);
/* A claim that is OTHERS ends without waiting. */
void wb_presence_leave(struct wb_presence *p, struct wb_presence_claim *claim);

void wb_presence_forget(struct wb_presence *p, const struct wb_digest *digest);
void wb_presence_forget_all(struct wb_presence *p); /* what is being uploaded meanwhile is not remembered either */

#endif
