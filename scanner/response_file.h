/* response_file.h — @file arguments, nested, expanded the way the compiler would (GNU quoting rules, as in libiberty's
 * expandargv and llvm::cl::TokenizeGNUCommandLine). */
#ifndef WB_SCANNER_RESPONSE_FILE_H
#define WB_SCANNER_RESPONSE_FILE_H

#include "base/err.h"
#include "base/str.h"

struct wb_arena;

/* Append `argv` to `out` with every "@file" (relative to `cwd`) replaced by the words of that file. Each file that was
 * read is appended to `files` (absolute path). A file that does not exist stays as the literal word, as compilers do.
 * WB_ELIMIT: nesting deeper than 32, more than 100,000 words or 16 MiB. Clang resolves a nested "@f" relative to the
 * cwd (driver mode), gcc too. */
wb_status wb_response_expand(struct wb_argv *out, struct wb_argv *files, struct wb_arena *a, const char *const *argv,
			     const char *cwd, struct wb_err *err);

/* The two tokenizers differ in corners: libiberty keeps a quoted empty word and drops a backslash at the end of the
 * file, LLVM the other way round. wb_response_expand is the first. */
enum wb_response_style { WB_RESPONSE_LIBIBERTY, WB_RESPONSE_LLVM };
wb_status wb_response_expand_as(struct wb_argv *out, struct wb_argv *files, struct wb_arena *a, const char *const *argv,
				const char *cwd, enum wb_response_style style, struct wb_err *err);

#endif
