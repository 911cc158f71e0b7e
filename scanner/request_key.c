#include "scanner/request_key.h"

/* Is the operand where something is written, or only text in a depfile? */
static bool is_output(const struct wb_arg *arg)
{
	return arg->option &&
	       (arg->option->operand == WB_OPERAND_FILE_OUT || arg->option->operand == WB_OPERAND_DIR_OUT ||
		arg->option->operand == WB_OPERAND_PATH_TEXT);
}

static void add_toolchain(struct wb_hasher *h, const struct wb_toolchain *tc)
{
	const void *place[] = {tc, tc->macros};
	wb_hasher_add(h, place, sizeof place);
	wb_hasher_adds(h, tc->key);
	wb_hasher_add(h, tc->identity.hash, sizeof tc->identity.hash);
}

void wb_request_key(struct wb_digest *out, const struct wb_scan_request *req)
{
	const struct wb_command *cmd = req->cmd;
	struct wb_hasher h;
	wb_hasher_init(&h);
	wb_hasher_adds(&h, req->engine ? req->engine : "");
	wb_hasher_adds(&h, cmd->cwd);
	wb_hasher_adds(&h, cmd->source);
	uint32_t what[] = {cmd->driver,        cmd->lang, cmd->lang_header, cmd->pch_role, (uint32_t)cmd->source_arg,
			   (uint32_t)cmd->narg};
	wb_hasher_add(&h, what, sizeof what);
	wb_hasher_adds(&h, cmd->pch_role == WB_PCH_USE ? cmd->pch_path : NULL);
	wb_hasher_adds(&h, cmd->pch_header);
	add_toolchain(&h, req->tc);
	/* Every argument keeps its place: edges from the command line name theirs. */
	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];
		uint8_t how[] = {arg->separate, arg->wrap};
		wb_hasher_add(&h, how, sizeof how);
		wb_hasher_adds(&h, arg->spelling);
		wb_hasher_adds(&h, is_output(arg) ? NULL : arg->value);
	}
	wb_hasher_finish(&h, out);
}

/* Can the option change how a text is read? Those that cannot, and that differ from file to file, are known. */
static bool changes_reading(const struct wb_arg *arg)
{
	if (!arg->spelling || is_output(arg))
		return false;
	if (!arg->option)
		return true;
	switch (arg->option->meaning) {
	case WB_MEAN_COMPILE:
	case WB_MEAN_INCLUDE_DIR:
	case WB_MEAN_QUOTE_DIR:
	case WB_MEAN_SYSTEM_DIR:
	case WB_MEAN_AFTER_DIR:
	case WB_MEAN_EMBED_DIR:
	case WB_MEAN_INCLUDE:
	case WB_MEAN_IMACROS:
	case WB_MEAN_INCLUDE_PCH:
	case WB_MEAN_DEFINE:
	case WB_MEAN_UNDEFINE:
	case WB_MEAN_DEP_FILE_MODE:
	case WB_MEAN_WARNING:
	case WB_MEAN_DEBUG:
	case WB_MEAN_COLOR:
	case WB_MEAN_LINK_OPTION:
		return false;
	default:
		return true;
	}
}

void wb_request_reader(struct wb_digest *out, const struct wb_scan_request *req, const char *engine)
{
	const struct wb_command *cmd = req->cmd;
	struct wb_hasher h;
	wb_hasher_init(&h);
	wb_hasher_adds(&h, engine);
	uint32_t what[] = {cmd->driver, cmd->lang};
	wb_hasher_add(&h, what, sizeof what);
	add_toolchain(&h, req->tc);
	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];
		if (!changes_reading(arg))
			continue;
		wb_hasher_adds(&h, arg->spelling);
		wb_hasher_adds(&h, arg->value);
	}
	wb_hasher_finish(&h, out);
}

size_t wb_request_dirs(const char ***out, struct wb_arena *a, const struct wb_scan_request *req)
{
	const struct wb_command *cmd = req->cmd;
	size_t n = 0;
	const char **dir = wb_arena_array(a, cmd->narg + req->tc->ndir + 1, sizeof *dir);
	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];
		if (arg->option && arg->value && arg->value[0] &&
		    (arg->option->operand == WB_OPERAND_DIR_IN || arg->option->operand == WB_OPERAND_TREE_IN))
			dir[n++] = arg->value;
	}
	for (size_t i = 0; i < req->tc->ndir; i++)
		dir[n++] = req->tc->dir[i].path;
	*out = dir;
	return n;
}
