/* result.h — ActionResult messages: everything that a server says about an action is checked here, before anybody acts
 * on it. Thread-safe: no shared state. */
#ifndef WB_REAPI_RESULT_H
#define WB_REAPI_RESULT_H

#include "reapi/blob.h"
#include "reapi/messages.h"

#define WB_RESULT_SIZE_MAX ((int64_t)2 << 30)  /* of one output */
#define WB_RESULT_TEXT_MAX ((int64_t)64 << 20) /* of stdout, of stderr */

/* What a result says by digest only: still to be fetched. */
struct wb_result_texts {
	bool fetch_out, fetch_err;
	struct wb_digest out, err;
};

/* Content is borrowed from `m`, the rest is in `a`. Outputs of a failed action are passed over. WB_EPROTO names what is
 * wrong: a path that is absolute or leaves the directory or comes twice, a symlink or directory among the outputs, a
 * malformed or huge digest, content that does not have its digest. */
wb_status wb_result_take(struct wb_action_result *out, struct wb_result_texts *texts, struct wb_arena *a,
			 const wb_re_action_result *m, struct wb_err *err);

/* The other way, for UpdateActionResult; borrows from `r`. Texts go inline, or as the digests given (not NULL). */
wb_re_action_result *wb_result_message(struct wb_arena *a, const struct wb_action_result *r,
				       const struct wb_digest *out_text, const struct wb_digest *err_text);

#endif
