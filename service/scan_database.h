/* scan_database.h — every entry of a compile database scanned, by several threads, and the answers in the order of the
 * database. An answer is handed over as soon as those before it are there: neither side keeps more than a part of it.
 */
#ifndef WB_SERVICE_SCAN_DATABASE_H
#define WB_SERVICE_SCAN_DATABASE_H

#include "base/err.h"
#include "scanner/compile_database.h"

#include <stdbool.h>
#include <stddef.h>

struct wb_verb_call;
struct wb_scan_options;

/* The database that -p names: a directory that has a compile_commands.json, or the file itself. Memory in the call's
 * arena. The text of an error says what to do. */
wb_status wb_scan_database_read(struct wb_compile_database *out, struct wb_verb_call *c, const char *path,
				struct wb_err *err);

/* Which entries are of `source`, as spelled in the call's directory: `*out` gets their indices, ascending. By name;
 * else, when no entry is called so, by the file that the names lead to. Returns how many. */
size_t wb_scan_database_find(size_t **out, struct wb_verb_call *c, const struct wb_compile_database *db,
			     const char *source);

/* Scan what `o` asks for. Text goes to the call's streams; each entry that cannot be scanned is told on the second one.
 * Returns the exit code. */
int wb_scan_database(struct wb_verb_call *c, const struct wb_scan_options *o);

#endif
