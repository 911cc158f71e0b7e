/* Any bytes as a response file, read by both tokenizers. */
#define _GNU_SOURCE
#include "base/arena.h"
#include "scanner/response_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("rsp", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	char word[64];
	snprintf(word, sizeof word, "@/proc/self/fd/%d", fd);
	const char *argv[] = {"cc", word, NULL};
	for (int style = WB_RESPONSE_LIBIBERTY; style <= WB_RESPONSE_LLVM; style++) {
		struct wb_arena a;
		wb_arena_init(&a);
		struct wb_argv out = {0}, files = {0};
		struct wb_err err = WB_ERR_INIT;
		if (wb_is_ok(wb_response_expand_as(&out, &files, &a, argv, "/nonexistent",
						   (enum wb_response_style)style, &err))) {
			size_t bytes = 0;
			for (size_t i = 1; i < out.n; i++) {
				bytes += strlen(out.v[i]);
				if (style == WB_RESPONSE_LLVM && !out.v[i][0])
					abort(); /* LLVM has no empty words */
			}
			if (files.n == 1 && bytes > size)
				abort(); /* splitting never makes text */
		}
		wb_arena_release(&a);
	}
	close(fd);
	return 0;
}
