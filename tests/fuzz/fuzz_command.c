/* Any words as a command line: no crash, and what comes out of the parser goes in again as the same model.
 * Input: one byte for the driver, then words that end at '\n'. */
#include "base/arena.h"
#include "scanner/command.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wb_argv split(struct wb_arena *a, const char *s, size_t n)
{
	struct wb_argv v = {0};
	wb_argv_push(&v, a, "cc");
	for (struct wb_str rest = {s, n}, line; wb_str_line(&rest, &line);)
		wb_argv_push(&v, a, wb_arena_strndup(a, line.p, strnlen(line.p, line.n)));
	return v;
}

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool same(const char *x, const char *y)
{
	return x == y || (x && y && strcmp(x, y) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* '@' would read files of this machine; a word that is emitted apart from its wrapper may become one */
	if (size == 0 || memchr(data, '@', size))
		return 0;
	struct wb_arena a;
	wb_arena_init(&a);
	enum wb_driver driver = data[0] & 1 ? WB_DRIVER_CLANG : WB_DRIVER_GCC;
	struct wb_argv in = split(&a, (const char *)data + 1, size - 1);
	struct wb_err err = WB_ERR_INIT;
	struct wb_command first, second;
	if (wb_is_ok(wb_command_parse(&first, &a, in.v, "/nonexistent", driver, &err))) {
		struct wb_argv once = {0}, twice = {0};
		wb_command_emit(&once, &a, &first);
		check(wb_is_ok(wb_command_parse(&second, &a, once.v, "/nonexistent", driver, &err)));
		wb_command_emit(&twice, &a, &second);
		check(once.n == twice.n);
		for (size_t i = 0; i < once.n; i++)
			check(strcmp(once.v[i], twice.v[i]) == 0);
		/* A refused command is run as it stands: what it is emitted as need not be refused again. */
		check(first.reason == second.reason || first.reason != WB_REASON_NONE);
		check(first.noutput == second.noutput && first.lang == second.lang);
		check(same(first.source, second.source) && same(first.object, second.object));
		check(first.reason != WB_REASON_NONE || (first.source && first.object && first.noutput > 0));
		for (size_t i = 0; i < first.narg; i++)
			check(first.arg[i].spelling || first.arg[i].value);
	}
	wb_arena_release(&a);
	return 0;
}
