/* compile_database.h — compile_commands.json, as CMake, Bear, Meson and Ninja write it.
 * Format: clang.llvm.org/docs/JSONCompilationDatabase.html; a "command" is split as a POSIX shell would
 * (pubs.opengroup.org, Shell Command Language, 2.2 Quoting). Pure but for the one read; thread-safe. */
#ifndef WB_SCANNER_COMPILE_DATABASE_H
#define WB_SCANNER_COMPILE_DATABASE_H

#include "base/err.h"
#include "base/str.h"

struct wb_arena;

#define WB_DATABASE_MAX         ((size_t)512 << 20) /* bytes of the file */
#define WB_DATABASE_MAX_ENTRIES ((size_t)500000)
#define WB_DATABASE_MAX_ENTRY   ((size_t)2 << 20) /* bytes of one entry: what the kernel takes as a command line */

struct wb_database_entry {
	const char *directory;   /* absolute; NULL only with `error` */
	const char *file;        /* as it stands there; "" when the entry has none */
	const char *output;      /* as it stands there; NULL: not named */
	const char *const *argv; /* NULL-terminated, argv[0] the compiler: a `waybill` in front of it is dropped. NULL
				  * with `error` */
	const char *error;       /* NULL, or what is wrong with this entry; the others are still good */
	size_t line;             /* where the entry starts, from 1 */
};

struct wb_compile_database {
	struct wb_database_entry *entry;
	size_t n;
};

/* Read `path` (absolute). Memory in `a`. WB_ENOENT, WB_EIO; WB_EINVAL: it is no compilation database, the text names
 * file, line and column; WB_ELIMIT. A bad entry is no failure, see wb_database_entry.error. */
wb_status wb_compile_database_read(struct wb_compile_database *out, struct wb_arena *a, const char *path,
				   struct wb_err *err);
/* The same from memory. `name` is for messages; a relative "directory" is relative to `base` (absolute). */
wb_status wb_compile_database_parse(struct wb_compile_database *out, struct wb_arena *a, const char *data, size_t n,
				    const char *name, const char *base, struct wb_err *err);

/* Split `text` (without NUL) into the words that a POSIX shell would pass to the command; appended to `out`. WB_EINVAL:
 * an open quote, or something that only a shell can run (a pipe, a variable, a redirection); the text says what.
 * Patterns and a leading ~ are taken as they stand. */
wb_status wb_shell_split(struct wb_argv *out, struct wb_arena *a, const char *text, struct wb_err *err);

#endif
