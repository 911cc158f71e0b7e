/* The client: see cli/help.c for what it can do. */
#include "base/str.h"
#include "cli/help.h"
#include "cli/launcher.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include <unistd.h>

enum { EXIT_USAGE = 2 };

static int run_option(const char *option)
{
	if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
		wb_help_all();
		return 0;
	}
	if (strcmp(option, "--version") == 0) {
		wb_help_version();
		return 0;
	}
	if (wb_starts_with(option, "--settings="))
		return wb_help_settings(option + strlen("--settings="));
	wb_complain("there is no option '%s'", option);
	wb_help_usage(STDERR_FILENO);
	return EXIT_USAGE;
}

static int help(const char *name)
{
	if (name == NULL) {
		wb_help_all();
		return 0;
	}
	const struct wb_verb *verb = wb_verb_find(name);
	if (verb == NULL) {
		wb_complain("there is no verb '%s'; 'waybill --help' lists them", name);
		return EXIT_USAGE;
	}
	wb_help_verb(verb);
	return 0;
}

int main(int argc, char **argv, char **environment)
{
	const char *const *args = (const char *const *)(uintptr_t)argv;
	const char *const *env = (const char *const *)(uintptr_t)environment;
	if (argc < 2) {
		wb_help_usage(STDERR_FILENO);
		return EXIT_USAGE;
	}
	if (args[1][0] == '-')
		return run_option(args[1]);
	if (strcmp(args[1], "help") == 0)
		return help(args[2]);
	const struct wb_verb *verb = wb_verb_find(args[1]);
	return verb != NULL ? wb_verb_run(verb, args + 2, env) : wb_launch(args + 1, env);
}
