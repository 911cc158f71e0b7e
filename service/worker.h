/* worker.h — does a cluster's worker have the compiler and the system files that an action counts on? An action names
 * them only in its salt; a worker with others would give wrong results under the right name and poison a shared cache.
 * So, before a job runs there, the worker is asked by an action of its own (never cached): it prints the digests of the
 * files that the compiler consists of (its identity) and of the system files that the job read, says which of the files
 * that must be missing are there, whether it has a /proc, and whether it gives equal inputs one inode (hard links),
 * which clang takes for one file.
 *
 * What was proven holds for an hour, what differs is asked again after five minutes. Jobs that need more than is known
 * ask for all of it at once, one question at a time for each platform and compiler. A cluster of unequal workers under
 * one platform is not found out: docs/remote.md says so. Thread-safe. */
#ifndef WB_SERVICE_WORKER_H
#define WB_SERVICE_WORKER_H

#include "service/backend.h"
#include "service/plan.h"

struct wb_workers;
struct wb_facts;

struct wb_workers *wb_workers_new(struct wb_facts *facts);
void wb_workers_free(struct wb_workers *w);

struct wb_worker_report {
	size_t asked, differing; /* files that the job or compiler needs */
	bool links;              /* equal inputs share an inode there */
	int64_t probes;          /* actions that this call sent */
};

/* `p` reached at least WB_STAGE_TOOLCHAIN; its inputs are asked for when they are known. Uses the backend and counters
 * of `call` (action, skip_cache and timeout are saved and restored). WB_EUNSCANNABLE with *reason: WORKER_MISMATCH,
 * WORKER_UNPROVEN or WORKER_LINKS; the text says what differs. Other codes: the backend's. */
wb_status wb_workers_check(struct wb_workers *w, struct wb_arena *a, struct wb_backend *b, struct wb_backend_call *call,
			   const struct wb_plan *p, struct wb_worker_report *report, enum wb_reason *reason,
			   struct wb_err *err);

/* An action of `p` got no answer in a long time: the workers may be gone, and a server that queues for ever does not
 * say so. The next job asks again before it relies on them, and waits for that no longer than a question may take. */
void wb_workers_doubt(struct wb_workers *w, const struct wb_plan *p);
/* Forget all that is known of this platform and compiler, differences and troubles included: somebody mended an image
 * and wants to see whether it will do (`waybill doctor`). */
void wb_workers_forget(struct wb_workers *w, const struct wb_plan *p);

#endif
