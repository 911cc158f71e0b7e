/* text.h — words that came from a server, made fit to be shown. */
#ifndef WB_RPC_TEXT_H
#define WB_RPC_TEXT_H

#include <stddef.h>

/* Copy `n` bytes into `out` (`room` > 0, NUL included), cut off when longer: line breaks and tabs become spaces, other
 * control characters '?', so that no terminal is steered and a log keeps its lines. */
void wb_rpc_text(char *out, size_t room, const void *text, size_t n);

#endif
