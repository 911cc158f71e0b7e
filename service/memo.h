/* memo.h — requests that were answered before: an unchanged request (argv, cwd, environment, settings; every input and
 * every missed probe the same by stat) goes straight to its action digest and its delivery. The one place where a
 * request is remembered. In memory; bounded; thread-safe. */
#ifndef WB_SERVICE_MEMO_H
#define WB_SERVICE_MEMO_H

#include "base/arena.h"
#include "base/digest.h"
#include "scanner/inputs.h"
#include "service/delivery.h"

#include <stdbool.h>

struct wb_memo;
struct wb_request;

struct wb_memo *wb_memo_new(void);
void wb_memo_free(struct wb_memo *m);

/* The key of a request. */
void wb_memo_key(struct wb_digest *out, const struct wb_request *req);

/* True: still valid; `*action`, `*delivery` and `*object` (the output's absolute path) are copied into `a`. */
bool wb_memo_find(struct wb_digest *action, struct wb_delivery *delivery, struct wb_arena *a, struct wb_memo *m,
		  const struct wb_digest *key);

/* Remember; `tc` must live as long as the memo (the toolchain cache does). A check whose file is younger than the
 * clock's granularity is not trusted: then nothing is kept. */
void wb_memo_keep(struct wb_memo *m, const struct wb_digest *key, const struct wb_toolchain *tc,
		  const struct wb_digest *action, const struct wb_delivery *delivery, const struct wb_check *check,
		  size_t ncheck);
void wb_memo_clear(struct wb_memo *m);

#endif
