/* frame.h — frames on the unix socket: a 12-byte header (magic "WBL1", type, payload length; little-endian 32-bit each)
 * and a protobuf payload. Used by both ends; no threads, no globals. */
#ifndef WB_WIRE_FRAME_H
#define WB_WIRE_FRAME_H

#include "base/arena.h"
#include "base/err.h"

#include <google/protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#define WB_FRAME_MAGIC 0x314c4257u  /* "WBL1" */
#define WB_FRAME_MAX   (256u << 20) /* bytes of payload either side accepts */

enum wb_frame_type {
	WB_FRAME_COMPILE_REQUEST = 1,
	WB_FRAME_COMPILE_REPLY,
	WB_FRAME_LOCAL_DONE,
	WB_FRAME_LOCAL_ACK,
	WB_FRAME_VERB_REQUEST,
	WB_FRAME_VERB_OUTPUT,
	/* Empty. The daemon sends it every WB_FRAME_ALIVE_MS on a connection whose client waits for it: from the
	 * CompileRequest to the reply, from LocalDone to LocalAck, and while a verb runs; not while a command that
	 * RUN_LOCAL asked for runs, because the client does not read then. */
	WB_FRAME_ALIVE,
};

#define WB_FRAME_ALIVE_MS 5000
#ifndef WB_FRAME_SILENCE_MS       /* tests have less patience */
#define WB_FRAME_SILENCE_MS 30000 /* a daemon that is silent for so long is taken for dead */
#endif

struct wb_frame {
	uint32_t type;
	uint32_t len;
	const uint8_t *data; /* in the arena */
};

/* Send one message; NULL: a frame without payload. Blocks (also when `fd` does not); EINTR is retried; SIGPIPE is never
 * raised. WB_EIO: the peer is gone; WB_ELIMIT: larger than WB_FRAME_MAX, nothing was sent; WB_EBUSY: the peer did not
 * read for as long as SO_SNDTIMEO allows (wb_socket_connect sets it). One thread at a time per descriptor. */
wb_status wb_frame_send(int fd, enum wb_frame_type type, const ProtobufCMessage *msg, struct wb_err *err);

/* Receive one frame into `a`. `timeout_ms` < 0: wait for ever; it bounds each wait for bytes. WB_EIO: the peer closed
 * or is gone; WB_EPROTO: not a frame; WB_ELIMIT: larger than `max`; WB_EBUSY: timeout. */
wb_status wb_frame_receive(struct wb_frame *out, struct wb_arena *a, int fd, uint32_t max, int timeout_ms,
			   struct wb_err *err);

/* Decode the payload as `desc` with memory from `a`, at most 32 times the payload plus 1 MiB. NULL: it does not parse.
 * No message of wire.proto is recursive, so the depth is bounded. Nothing to release but the arena. */
void *wb_frame_decode(const ProtobufCMessageDescriptor *desc, struct wb_arena *a, const uint8_t *data, size_t n);

#endif
