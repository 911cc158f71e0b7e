/* Any bytes as a compile_commands.json, and as the command of one entry. */
#include "base/arena.h"
#include "scanner/compile_database.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct wb_database_entry *e, size_t size)
{
	size_t bytes = 0;

	if (!e->argv != !!e->error || !e->file || (!e->error && (!e->directory || e->directory[0] != '/')))
		abort();
	if (e->argv && !e->argv[0])
		abort();
	for (size_t i = 0; e->argv && e->argv[i]; i++)
		bytes += strlen(e->argv[i]) + 1;
	if (bytes > size ||
	    e->line == 0) /* words never have more bytes than their text; a quote or comma is each one's NUL */
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wb_compile_database db;
	struct wb_err err = WB_ERR_INIT;
	struct wb_argv argv = {0};
	struct wb_arena a;

	wb_arena_init(&a);
	if (wb_is_ok(wb_compile_database_parse(&db, &a, (const char *)data, size, "db", "/", &err))) {
		for (size_t i = 0; i < db.n; i++)
			check_entry(&db.entry[i], size);
	} else if (err.text[0] == '\0') {
		abort();
	}
	if (wb_is_ok(wb_shell_split(&argv, &a, wb_arena_strndup(&a, (const char *)data, size), &err))) {
		size_t bytes = 0;

		for (size_t i = 0; i < argv.n; i++)
			bytes += strlen(argv.v[i]) + 1;
		if (bytes > size + 1)
			abort();
	}
	wb_arena_release(&a);
	return 0;
}
