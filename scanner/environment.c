#include "scanner/environment.h"

#include "base/arena.h"
#include "base/config.h"

#include <string.h>
#include <strings.h>

/* Variables that change the result, or write files, and have no argument form. The others of wb_env_names are either
 * folded into the command below, or change nothing that an action returns (where temporary files lie, colours and
 * language of messages, what the linker looks for). */
static const char *const local[] = {
    /* other programs, headers or configuration under the same command */
    "COMPILER_PATH", "GCC_EXEC_PREFIX", "GCC_ROOT", "SDKROOT", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT",
    "CLANG_CONFIG_FILE_USER_DIR", "CLANG_CONFIG_FILE_SYSTEM_DIR", "CLANG_NO_DEFAULT_CONFIG",
    /* more arguments, other rules */
    "CCC_OVERRIDE_OPTIONS", "CCC_ADD_ARGS", "GCC_COMPARE_DEBUG", "POSIXLY_CORRECT", "MACOSX_DEPLOYMENT_TARGET",
    "IPHONEOS_DEPLOYMENT_TARGET", "FORCE_CLANG_DIAGNOSTICS_CRASH",
    /* more outputs */
    "DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES", "CCC_PRINT_OPTIONS", "CCC_PRINT_OPTIONS_FILE", "CC_PRINT_OPTIONS",
    "CC_PRINT_OPTIONS_FILE", "CC_PRINT_HEADERS", "CC_PRINT_HEADERS_FILE", "CC_PRINT_HEADERS_FORMAT",
    "CC_PRINT_HEADERS_FILTERING", "CC_LOG_DIAGNOSTICS", "CC_LOG_DIAGNOSTICS_FILE", "CC_PRINT_PROC_STAT",
    "CC_PRINT_PROC_STAT_FILE", "CC_PRINT_INTERNAL_STAT", "CC_PRINT_INTERNAL_STAT_FILE", "GCC_EXTRA_DIAGNOSTIC_OUTPUT",
    "EXPERIMENTAL_SARIF_SOCKET"};

/* The place behind the last argument of this meaning that the driver itself sees; with none, before the first argument
 * (where it is the first of its kind all the same, and cannot come to stand behind "--"). */
static size_t place_of(const struct wb_command *cmd, enum wb_meaning meaning)
{
	for (size_t i = cmd->narg; i-- > 0;)
		if (cmd->arg[i].option && cmd->arg[i].option->meaning == meaning && cmd->arg[i].wrap == WB_WRAP_NONE)
			return i + 1;
	return 0;
}

/* One directory of `list` each becomes `name` DIR, in order. An empty element is the cwd. */
static void add_dirs(struct wb_command *cmd, struct wb_arena *a, const char *list, const char *name,
		     enum wb_meaning meaning)
{
	const struct wb_option *option =
	    wb_option_named(name, cmd->driver == WB_DRIVER_CLANG ? WB_WHERE_CLANG : WB_WHERE_GCC);
	size_t n = 1;
	for (const char *p = list; *p; p++)
		n += *p == ':';
	struct wb_arg *arg = wb_arena_array(a, cmd->narg + n, sizeof *arg);
	size_t at = place_of(cmd, meaning);
	memcpy(arg, cmd->arg, at * sizeof *arg);
	memcpy(arg + at + n, cmd->arg + at, (cmd->narg - at) * sizeof *arg);
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(list, ":");
		arg[at + i] = (struct wb_arg){.option = option,
					      .spelling = option ? option->name : name,
					      .value = len ? wb_arena_strndup(a, list, len) : ".",
					      .separate = true};
		list += len + (list[len] == ':');
	}
	if (cmd->source && cmd->source_arg >= at)
		cmd->source_arg += n;
	cmd->arg = arg;
	cmd->narg += n;
}

static void fold_dirs(struct wb_command *cmd, struct wb_arena *a, const char *const *env, const char *variable,
		      const char *name, enum wb_meaning meaning)
{
	const char *list = wb_env_get(env, variable);
	if (list && list[0])
		add_dirs(cmd, a, list, name, meaning);
}

/* gcc's quotes are other characters where the locale has them; clang's text is the same everywhere. */
static bool speaks_utf8(const char *const *env)
{
	static const char *const name[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
		const char *value = wb_env_get(env, name[i]);
		if (!value || !value[0])
			continue;
		const char *dot = strchr(value, '.');
		return dot && (strncasecmp(dot, ".utf-8", 6) == 0 || strncasecmp(dot, ".utf8", 5) == 0);
	}
	return false;
}

void wb_environment_apply(struct wb_command *cmd, const char *const **action_env, struct wb_arena *a,
			  const char *const *env)
{
	fold_dirs(cmd, a, env, "CPATH", "-I", WB_MEAN_INCLUDE_DIR);
	if (cmd->lang == WB_LANG_CXX)
		fold_dirs(cmd, a, env, "CPLUS_INCLUDE_PATH", "-isystem", WB_MEAN_SYSTEM_DIR);
	else if (cmd->lang == WB_LANG_C || cmd->lang == WB_LANG_ASM_CPP)
		fold_dirs(cmd, a, env, "C_INCLUDE_PATH", "-isystem", WB_MEAN_SYSTEM_DIR);
	for (size_t i = 0; i < sizeof local / sizeof *local && cmd->reason == WB_REASON_NONE; i++) {
		const char *value = wb_env_get(env, local[i]);
		if (value && value[0]) {
			cmd->reason = WB_REASON_ENVIRONMENT;
			cmd->reason_arg = local[i];
		}
	}
	const char *epoch = wb_env_get(env, "SOURCE_DATE_EPOCH");
	const char **out = wb_arena_array(a, 4, sizeof *out);
	size_t n = 0;
	out[n++] = speaks_utf8(env) && cmd->driver == WB_DRIVER_GCC ? "LC_ALL=C.UTF-8" : "LC_ALL=C";
	out[n++] = "PATH=" WB_ACTION_PATH;
	if (epoch)
		out[n++] = wb_arena_printf(a, "SOURCE_DATE_EPOCH=%s", epoch);
	*action_env = out;
}
