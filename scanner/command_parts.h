/* command_parts.h — between the parts of the command parser (command.c, outputs.c, pch_role.c); nobody else includes
 * it. */
#ifndef WB_SCANNER_COMMAND_PARTS_H
#define WB_SCANNER_COMMAND_PARTS_H

#include "scanner/command.h"

/* Which of several reasons a command is reported with: the lowest rank, and there the first one found. */
enum wb_refusal_rank {
	WB_RANK_MALFORMED,
	WB_RANK_COMPILER,
	WB_RANK_MODE,
	WB_RANK_SOURCE,
	WB_RANK_LANGUAGE,
	WB_RANK_STDOUT,
	WB_RANK_OPTION,
	WB_RANK_NONE,
};

struct wb_refusal {
	enum wb_refusal_rank rank;
	enum wb_reason reason;
	const char *arg; /* the offending word */
};

static inline void wb_refuse(struct wb_refusal *r, enum wb_refusal_rank rank, enum wb_reason reason, const char *arg)
{
	if (rank < r->rank)
		*r = (struct wb_refusal){rank, reason, arg ? arg : ""};
}

enum wb_mode { WB_MODE_LINK, WB_MODE_COMPILE, WB_MODE_ASSEMBLY, WB_MODE_SYNTAX, WB_MODE_PREPROCESS };

/* Is `arg` an option of this meaning? */
static inline bool wb_arg_means(const struct wb_arg *arg, enum wb_meaning meaning)
{
	return arg->option && arg->option->meaning == meaning;
}

/* The last argument of this meaning that is said to the driver itself (not wrapped); NULL when there is none. */
static inline const struct wb_arg *wb_arg_last(const struct wb_command *cmd, enum wb_meaning meaning)
{
	for (size_t i = cmd->narg; i-- > 0;)
		if (wb_arg_means(&cmd->arg[i], meaning) && cmd->arg[i].wrap == WB_WRAP_NONE)
			return &cmd->arg[i];
	return NULL;
}

/* The detail of that argument; `none` when there is none. */
static inline unsigned wb_arg_detail(const struct wb_command *cmd, enum wb_meaning meaning, unsigned none)
{
	const struct wb_arg *arg = wb_arg_last(cmd, meaning);
	return arg ? arg->option->detail : none;
}

/* Fill object, depfile, dep_target and output. Needs arg, driver, lang, lang_header, source. */
void wb_command_outputs(struct wb_command *cmd, struct wb_arena *a, enum wb_mode mode, struct wb_refusal *refusal);

/* Fill pch_role, pch_path, pch_header. Needs the outputs. Looks at the disk for a .pch or .gch beside an -include. */
void wb_command_pch_role(struct wb_command *cmd, struct wb_arena *a, struct wb_refusal *refusal);

#endif
