/* recipe.h — the flags that make an object or a precompiled header independent of where it is made: which, in what
 * order, and why. Measured on clang 22, 19, 16, 14 and gcc 12; docs/pch.md. Pure. */
#ifndef WB_PCHFIX_RECIPE_H
#define WB_PCHFIX_RECIPE_H

#include "pchfix/rewrite.h"

/* The action's directory by a name that is the same on every machine. What is spelled through it ("anchored") can be
 * told from what is relative, and is turned into any text by a prefix map. */
#define WB_RECIPE_CWD "/proc/self/cwd"

struct wb_recipe_flag {
	const char *text; /* one word */
	uint8_t wrap;     /* enum wb_wrap */
	const char *why;
};

struct wb_recipe {
	struct wb_recipe_flag *flag;
	size_t n;
};

/* Are operands that were absolute spelled through WB_RECIPE_CWD? Needed when a prefix map must find them: with
 * paths = absolute, and when the project maps a directory that holds the root or lies below it. */
bool wb_recipe_anchored(const struct wb_rewrite_in *in, struct wb_arena *a);

/* The flags for this command, in order. They go last: what the project says before would win otherwise. In every one of
 * the compilers measured the last matching prefix map wins, or the longest: maps are therefore said shortest first. */
void wb_recipe_flags(struct wb_recipe *out, struct wb_arena *a, const struct wb_rewrite_in *in);

/* Why the argument is left out of its place (static text); NULL: it stays. What the recipe says again at the end (also
 * when a rewritten command is rewritten again) and the project's prefix maps, which follow the recipe's own. */
const char *wb_recipe_moves(const struct wb_rewrite_in *in, struct wb_arena *a, const struct wb_arg *arg);

/* Words before the compiler: gcc takes its compilation directory from PWD, which sandboxes overwrite. */
void wb_recipe_prefix(struct wb_argv *argv, struct wb_arena *a, enum wb_driver driver);

#endif
