/* verbs.h — what is not a compile: one row per verb, with its syntax and its help. The daemon does the work. */
#ifndef WB_CLI_VERBS_H
#define WB_CLI_VERBS_H

#include <stdbool.h>

/* Is `-- COMMAND` wanted? OR_DATABASE: that, or `-p DIR` in place of it. */
enum wb_verb_command { WB_COMMAND_NONE, WB_COMMAND_WANTED, WB_COMMAND_OR_DATABASE };
enum wb_verb_daemon { WB_VERB_STARTS, WB_VERB_RUNNING, WB_VERB_NONE }; /* starts one; wants a running one; needs none */

struct wb_verb {
	const char *name;
	const char *synopsis; /* what follows the name */
	const char *summary;  /* one line */
	const char *help;     /* paragraphs, each ending in a newline; may be empty */
	const char *options;  /* "--json --format=a|b --repeat= -p:": "=" takes any value, ":" in the next word too */
	int operands_min, operands_max;
	enum wb_verb_command command;
	enum wb_verb_daemon daemon;
	const char *not_running; /* WB_VERB_RUNNING: what to say then */
	int not_running_exit;
	bool output_file; /* takes `-o FILE`: the client writes there what is meant for standard output */
};

/* Ends with a row whose name is NULL. */
extern const struct wb_verb wb_verb_table[];

/* The verb of that name, or NULL. Static. */
const struct wb_verb *wb_verb_find(const char *name);

/* Run it; `args` is what follows its name. Returns the exit code. */
int wb_verb_run(const struct wb_verb *verb, const char *const *args, const char *const *env);

#endif
