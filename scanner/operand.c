#include "scanner/operand.h"

#include "base/arena.h"

#include <string.h>

bool wb_operand_path_get(struct wb_operand_path *out, struct wb_arena *a, const struct wb_arg *arg)
{
	if (arg->value == NULL || arg->value[0] == '\0')
		return false;
	*out = (struct wb_operand_path){WB_OPERAND_FILE_IN, "", arg->value, ""};
	if (arg->option == NULL)
		return arg->spelling == NULL; /* a bare word; an option nobody knows is left alone */
	out->kind = arg->option->operand;
	const char *equals = strchr(arg->value, '=');
	switch (out->kind) {
	case WB_OPERAND_FILE_IN:
	case WB_OPERAND_DIR_IN:
	case WB_OPERAND_TREE_IN:
	case WB_OPERAND_FILE_OUT:
	case WB_OPERAND_DIR_OUT:
	case WB_OPERAND_PATH_TEXT:
		return true;
	case WB_OPERAND_NAME_FILE_IN: /* a module's name has no slash, so "a/b=c" is a path */
		if (equals != NULL && memchr(arg->value, '/', (size_t)(equals - arg->value)) == NULL) {
			out->before = wb_arena_strndup(a, arg->value, (size_t)(equals + 1 - arg->value));
			out->path = equals + 1;
		}
		return out->path[0] != '\0';
	case WB_OPERAND_PREFIX_MAP: /* clang and gcc 12 split at the first '=' */
		if (equals == NULL || equals == arg->value)
			return false;
		out->path = wb_arena_strndup(a, arg->value, (size_t)(equals - arg->value));
		out->after = equals;
		return true;
	case WB_OPERAND_NONE:
	case WB_OPERAND_TEXT:
		break;
	}
	return false;
}

const char *wb_operand_guard(struct wb_arena *a, const char *path)
{
	return path[0] == '-' || path[0] == '@' ? wb_arena_printf(a, "./%s", path) : path;
}
