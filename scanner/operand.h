/* operand.h — the path inside an argument: which part of its operand names a file or directory. One place, so that
 * roots, inputs and rewriter agree. Pure. */
#ifndef WB_SCANNER_OPERAND_H
#define WB_SCANNER_OPERAND_H

#include "scanner/command.h"

struct wb_operand_path {
	enum wb_operand kind; /* what the path is; a bare word counts as FILE_IN */
	const char *before;   /* the operand's text before the path ("NAME=" of -fmodule-file=NAME=path), "" mostly; in
				 the arena */
	const char *path;
	const char *after; /* the text behind it ("=new" of a prefix map), "" mostly; borrowed from the argument */
};

/* False when `arg` holds no path. */
bool wb_operand_path_get(struct wb_operand_path *out, struct wb_arena *a, const struct wb_arg *arg);

/* `path` as it must be written so that a driver takes it for a path: "./" goes before a leading '-' or '@'. */
const char *wb_operand_guard(struct wb_arena *a, const char *path);

#endif
