/* Any bytes as a line of the build log: no crash; what is taken for a line reads the same after it was written again.
 * Input: a line. */
#include "service/build_log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_build_log_entry one, two;
	struct wb_buf first = WB_BUF_INIT, second = WB_BUF_INIT;
	struct wb_arena a;

	wb_arena_init(&a);
	if (wb_build_log_parse(&one, &a, (const char *)data, size)) {
		wb_build_log_format(&first, &one);
		/* Bytes that are not UTF-8 are replaced once, times of 300 years are cut off once. */
		if (wb_build_log_parse(&two, &a, first.p, first.n - 1)) {
			wb_build_log_format(&second, &two);
			check(first.n == second.n && memcmp(first.p, second.p, first.n) == 0);
		}
	}
	wb_buf_release(&first);
	wb_buf_release(&second);
	wb_arena_release(&a);
	return 0;
}
