/* Any bytes as a depfile and as diagnostics: no crash; nothing is made up where nothing is to be mapped; and no control
 * sequence survives where none is wanted. Input: text. */
#define _GNU_SOURCE /* memmem */
#include "pchfix/mapback.h"

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
	static const struct wb_mapback_pair path[] = {
	    {"../a b.h", "/w/a b.h"}, {"../a$#.h", "/w/a$#.h"}, {"../a.h", "/w/a.h"}, {"b.h", "b.h"}};
	static const struct wb_mapback_pair prefix[] = {{"../d/", "/w/d/"}, {"e/", "/w/e/"}};
	static const struct wb_mapback map = {
	    .path = path, .npath = 4, .target = {"x.o", "/w/x.o"}, .prefix = prefix, .nprefix = 2};
	static const struct wb_mapback none;
	const char *text = (const char *)data;
	struct wb_buf out = WB_BUF_INIT;

	wb_mapback_depfile(&out, &map, text, size);
	wb_buf_reset(&out);
	wb_mapback_diagnostics(&out, &map, text, size, false);
	wb_buf_reset(&out);
	wb_mapback_diagnostics(&out, &map, text, size, true);
	wb_buf_reset(&out);

	/* nothing to map: every byte as it was */
	bool plain = memmem(text, size, "/proc/self/cwd/", 15) == NULL && memmem(text, size, "./", 2) == NULL;
	wb_mapback_depfile(&out, &none, text, size);
	check(!plain || (out.n == size && (size == 0 || memcmp(out.p, text, size) == 0)));
	wb_buf_reset(&out);
	wb_mapback_diagnostics(&out, &none, text, size, false);
	check(!plain || (out.n == size && (size == 0 || memcmp(out.p, text, size) == 0)));
	wb_buf_release(&out);
	return 0;
}
