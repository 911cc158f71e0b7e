/* Anything at all as what a peer sent: frames are cut out of it and decoded as every message there is. */
#include "base/arena.h"
#include "proto/wire.pb-c.h"
#include "wire/frame.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const ProtobufCMessageDescriptor *const descriptors[] = {
	    &waybill__wire__compile_request__descriptor, &waybill__wire__compile_reply__descriptor,
	    &waybill__wire__local_done__descriptor,      &waybill__wire__local_ack__descriptor,
	    &waybill__wire__verb_request__descriptor,    &waybill__wire__verb_output__descriptor,
	};
	int fd[2];
	struct wb_arena a;
	struct wb_frame frame;
	wb_arena_init(&a);
	if (n > 65536 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return 0;
	if (write(fd[0], data, n) != (ssize_t)n)
		abort();
	close(fd[0]);
	while (wb_is_ok(wb_frame_receive(&frame, &a, fd[1], WB_FRAME_MAX, -1, NULL)))
		for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
			(void)wb_frame_decode(descriptors[i], &a, frame.data, frame.len);
	close(fd[1]);
	/* Without a header too: most inputs do not get that far. */
	for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
		(void)wb_frame_decode(descriptors[i], &a, data, n);
	wb_arena_release(&a);
	return 0;
}
