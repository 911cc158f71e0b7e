/* rpc_raw.h — a gRPC client to test servers with: calls of gRPC's C core, driven by hand; nothing of rpc/ is in it. A
 * call lives from raw_open (or raw_ask) to raw_close, and its channel longer. One thread a call; a call has its own
 * completion queue, so calls do not hear of each other. What goes wrong in gRPC itself fails the test. */
#ifndef WB_TESTS_UNIT_RPC_RAW_H
#define WB_TESTS_UNIT_RPC_RAW_H

#include <google/protobuf-c/protobuf-c.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <stdbool.h>
#include <stddef.h>

enum { RPC_PATIENCE = 30 }; /* seconds until a test is lost */

struct raw_call {
	grpc_call *call;
	grpc_completion_queue *cq;
	grpc_metadata_array initial, trailing;
	grpc_status_code code;
	grpc_slice details;
	grpc_byte_buffer *received;
	unsigned seen; /* bits of tags that came; `good`: with success */
	unsigned good;
};

enum { RAW_SEND, RAW_RECEIVE, RAW_METADATA, RAW_STATUS };

/* Start a call: its metadata and its status are asked for, nothing is sent. `milliseconds`: the deadline; 0:
 * RPC_PATIENCE. */
void raw_open(struct raw_call *c, grpc_channel *channel, const char *method, int milliseconds);
/* Until what RAW_... names is over: did it succeed? */
bool raw_await(struct raw_call *c, int tag);
/* Send bytes (NULL: none), with the metadata when `first`, and the half-close when `last`. Does not wait. */
void raw_start_send(struct raw_call *c, const void *data, size_t n, bool first, bool last);
/* The same with a message. */
void raw_send(struct raw_call *c, const ProtobufCMessage *m, bool first, bool last);
/* Ask for the next message; one at a time. */
void raw_start_receive(struct raw_call *c);
/* The next message, decoded; NULL: there is none. Free it with protobuf_c_message_free_unpacked. */
void *raw_finish_receive(struct raw_call *c, const ProtobufCMessageDescriptor *type);
/* Both. */
void *raw_receive(struct raw_call *c, const ProtobufCMessageDescriptor *type);
/* Wait for the end; the status. */
int raw_status(struct raw_call *c, char text[512]);
/* Cancels what still runs. */
void raw_close(struct raw_call *c);

/* A call whose request is sent and whose reply is asked for. */
void raw_ask(struct raw_call *c, grpc_channel *channel, const char *method, const ProtobufCMessage *m);

#endif
