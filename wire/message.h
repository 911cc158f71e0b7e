/* message.h — protobuf messages into and out of an arena, with the limits that protobuf-c lacks: 4 MiB of empty
 * submessages would become 285 MB of structures. Every message that is decoded here has a fixed depth (no recursive
 * types). Thread-safe: no shared state. */
#ifndef WB_WIRE_MESSAGE_H
#define WB_WIRE_MESSAGE_H

#include "base/arena.h"
#include "base/err.h"

#include <google/protobuf-c/protobuf-c.h>
#include <stddef.h>

/* Decode `n` bytes into memory of `a`, at most `memory` bytes of it; nothing to release, and never protobuf-c's own
 * free function. WB_EPROTO: malformed, or larger than that when decoded; the text names the message. */
wb_status wb_message_decode(ProtobufCMessage **out, struct wb_arena *a, const ProtobufCMessageDescriptor *type,
			    const void *data, size_t n, size_t memory, struct wb_err *err);
/* The limit for a message that came as `n` bytes: 32 times that plus 1 MiB, which no honest message exceeds. */
size_t wb_message_memory(size_t n);

/* Serialise into the arena. Canonical as long as the caller sorted what must be sorted. */
void wb_message_pack(char **data, size_t *n, struct wb_arena *a, const ProtobufCMessage *m);

#endif
