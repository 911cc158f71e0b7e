#include "wire/message.h"

#include <stdint.h>

struct budget {
	struct wb_arena *a;
	size_t left;
};

static void *budget_alloc(void *data, size_t n)
{
	struct budget *b = data;
	if (n > b->left)
		return NULL; /* protobuf-c takes it for a failed malloc and gives up */
	b->left -= n;
	return wb_arena_alloc(b->a, n);
}

static void budget_free(void *data, void *p)
{
	(void)data;
	(void)p; /* given back with the arena */
}

wb_status wb_message_decode(ProtobufCMessage **out, struct wb_arena *a, const ProtobufCMessageDescriptor *type,
			    const void *data, size_t n, size_t memory, struct wb_err *err)
{
	struct budget b = {.a = a, .left = memory};
	ProtobufCAllocator allocator = {.alloc = budget_alloc, .free = budget_free, .allocator_data = &b};
	*out = protobuf_c_message_unpack(type, &allocator, n, data);
	if (*out == NULL)
		return wb_fail(err, WB_EPROTO, "%s: malformed message of %zu bytes", type->short_name, n);
	return wb_ok();
}

size_t wb_message_memory(size_t n)
{
	enum { FACTOR = 32, BASE = 1 << 20 };
	return n > (SIZE_MAX - BASE) / FACTOR ? SIZE_MAX : n * FACTOR + BASE;
}

void wb_message_pack(char **data, size_t *n, struct wb_arena *a, const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	*data = wb_arena_alloc(a, size + 1);
	*n = protobuf_c_message_pack(m, (uint8_t *)*data);
}
