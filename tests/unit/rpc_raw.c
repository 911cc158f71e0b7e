#include "tests/unit/rpc_raw.h"

#include "tests/unit/unit.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/support/time.h>
#include <stdlib.h>
#include <string.h>

static void start_batch(struct raw_call *c, const grpc_op *op, size_t n, int tag)
{
	assert_int_equal(grpc_call_start_batch(c->call, op, n, (void *)(uintptr_t)(tag + 1), NULL), GRPC_CALL_OK);
}

void raw_open(struct raw_call *c, grpc_channel *channel, const char *method, int milliseconds)
{
	grpc_op op[2] = {{.op = GRPC_OP_RECV_INITIAL_METADATA}, {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};

	grpc_slice name = grpc_slice_from_copied_string(method);

	memset(c, 0, sizeof *c);
	c->cq = grpc_completion_queue_create_for_next(NULL);
	grpc_metadata_array_init(&c->initial);
	grpc_metadata_array_init(&c->trailing);
	c->details = grpc_empty_slice();
	c->call = grpc_channel_create_call(
	    channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->cq, name, NULL,
	    gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			 gpr_time_from_millis(milliseconds ? milliseconds : RPC_PATIENCE * 1000, GPR_TIMESPAN)),
	    NULL);
	grpc_slice_unref(name);
	op[0].data.recv_initial_metadata.recv_initial_metadata = &c->initial;
	op[1].data.recv_status_on_client.trailing_metadata = &c->trailing;
	op[1].data.recv_status_on_client.status = &c->code;
	op[1].data.recv_status_on_client.status_details = &c->details;
	start_batch(c, &op[0], 1, RAW_METADATA);
	start_batch(c, &op[1], 1, RAW_STATUS);
}

bool raw_await(struct raw_call *c, int tag)
{
	while (!(c->seen & 1u << tag)) {
		grpc_event e = grpc_completion_queue_next(
		    c->cq,
		    gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(RPC_PATIENCE + 5, GPR_TIMESPAN)),
		    NULL);

		assert_int_equal(e.type, GRPC_OP_COMPLETE);
		c->seen |= 1u << ((uintptr_t)e.tag - 1);
		if (e.success)
			c->good |= 1u << ((uintptr_t)e.tag - 1);
	}
	bool ok = c->good & 1u << tag;
	if (tag != RAW_STATUS) {
		c->seen &= ~(1u << tag);
		c->good &= ~(1u << tag);
	}
	return ok;
}

void raw_start_send(struct raw_call *c, const void *data, size_t n, bool first, bool last)
{
	grpc_op op[3] = {{0}};
	size_t k = 0;
	grpc_byte_buffer *b = NULL;

	if (first)
		op[k++].op = GRPC_OP_SEND_INITIAL_METADATA;
	if (data) {
		grpc_slice slice = grpc_slice_from_copied_buffer(data, n);

		b = grpc_raw_byte_buffer_create(&slice, 1);
		grpc_slice_unref(slice);
		op[k].op = GRPC_OP_SEND_MESSAGE;
		op[k++].data.send_message.send_message = b;
	}
	if (last)
		op[k++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	start_batch(c, op, k, RAW_SEND);
	if (b)
		grpc_byte_buffer_destroy(b); /* gRPC holds its own reference to the bytes */
}

void raw_send(struct raw_call *c, const ProtobufCMessage *m, bool first, bool last)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *data = malloc(n + 1);

	assert_non_null(data);
	protobuf_c_message_pack(m, data);
	raw_start_send(c, data, n, first, last);
	free(data);
}

void raw_start_receive(struct raw_call *c)
{
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

	op.data.recv_message.recv_message = &c->received;
	start_batch(c, &op, 1, RAW_RECEIVE);
}

void *raw_finish_receive(struct raw_call *c, const ProtobufCMessageDescriptor *type)
{
	raw_await(c, RAW_RECEIVE);
	if (!c->received)
		return NULL;
	grpc_byte_buffer_reader reader;
	assert_true(grpc_byte_buffer_reader_init(&reader, c->received));
	grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	grpc_byte_buffer_destroy(c->received);
	c->received = NULL;
	void *m = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(slice), GRPC_SLICE_START_PTR(slice));
	grpc_slice_unref(slice);
	assert_non_null(m);
	return m;
}

void *raw_receive(struct raw_call *c, const ProtobufCMessageDescriptor *type)
{
	raw_start_receive(c);
	return raw_finish_receive(c, type);
}

void raw_close(struct raw_call *c)
{
	grpc_call_cancel(c->call, NULL);
	raw_await(c, RAW_STATUS);
	grpc_call_unref(c->call);
	grpc_completion_queue_shutdown(c->cq);
	while (grpc_completion_queue_next(c->cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type != GRPC_QUEUE_SHUTDOWN)
		;
	grpc_completion_queue_destroy(c->cq);
	grpc_metadata_array_destroy(&c->initial);
	grpc_metadata_array_destroy(&c->trailing);
	grpc_slice_unref(c->details);
	if (c->received)
		grpc_byte_buffer_destroy(c->received);
}

int raw_status(struct raw_call *c, char text[512])
{
	raw_await(c, RAW_STATUS);
	size_t n = GRPC_SLICE_LENGTH(c->details) < 511 ? GRPC_SLICE_LENGTH(c->details) : 511;
	memcpy(text, GRPC_SLICE_START_PTR(c->details), n);
	text[n] = '\0';
	return (int)c->code;
}

void raw_ask(struct raw_call *c, grpc_channel *channel, const char *method, const ProtobufCMessage *m)
{
	raw_open(c, channel, method, 0);
	raw_send(c, m, true, true);
	raw_start_receive(c);
}
