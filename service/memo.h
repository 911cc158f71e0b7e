/* memo.h — requests that were answered before: an unchanged request (argv, cwd, environment, settings; every input and
 * every missed probe as it was, by stat, or where a file was written anew, by content) goes straight to its action
 * digest and its delivery. The one place where a request is remembered. In memory; bounded: what the entries of a build
 * have in common (checks, paths of depfiles) is kept once. Thread-safe. */
#ifndef WB_SERVICE_MEMO_H
#define WB_SERVICE_MEMO_H

#include "base/digest.h"
#include "scanner/inputs.h"
#include "service/delivery.h"

struct wb_memo;
struct wb_request;

/* `facts` is borrowed. */
struct wb_memo *wb_memo_new(struct wb_facts *facts);
void wb_memo_free(struct wb_memo *m); /* no answer may be held */

/* The key of a request. */
void wb_memo_key(struct wb_digest *out, const struct wb_request *req);

struct wb_memo_answer {
	struct wb_digest action;
	struct wb_delivery delivery;
};

/* The answer, when it still holds for a request that came at `since_ns` (wb_clock_ns), else NULL. Read-only; stays as
 * it is until it is given back with wb_memo_release. */
const struct wb_memo_answer *wb_memo_find(struct wb_memo *m, const struct wb_digest *key, int64_t since_ns);
void wb_memo_release(struct wb_memo *m, const struct wb_memo_answer *answer); /* NULL is fine */

/* Remember, with a check of the compiler by the name that was given; `tc` must live as long as the memo (the toolchain
 * cache does). A check whose file is younger than the clock's granularity is not trusted: then nothing is kept. */
void wb_memo_keep(struct wb_memo *m, const struct wb_digest *key, const struct wb_toolchain *tc,
		  const struct wb_digest *action, const struct wb_delivery *delivery, const struct wb_check *check,
		  size_t ncheck, const struct wb_check *compiler);
void wb_memo_clear(struct wb_memo *m);

#endif
