#define _GNU_SOURCE
#include "cli/verbs.h"

#include "base/arena.h"
#include "base/config.h"
#include "base/fileio.h"
#include "base/str.h"
#include "cli/daemon_client.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/request.h"

#include <limits.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, STOP_MS = 40000 };

static const char stop_name[] = "stop", version_name[] = "version";

const struct wb_verb wb_verb_table[] = {
    {.name = "stats",
     .synopsis = "[--json] [--reset | --last-build]",
     .summary = "Show what was compiled, what was reused, and what ran locally and why",
     .help = "Counted since the daemon's cache was made, or since the last --reset.\n"
	     "  --json        one JSON object\n"
	     "  --reset       start anew; with --json, after showing\n"
	     "  --last-build  only the last build, from the build log: with times and the slowest jobs\n",
     .options = "--json --reset --last-build"},
    {.name = "trace",
     .synopsis = "[--last-build] [-o FILE]",
     .summary = "Write the last build as a trace for chrome://tracing or Perfetto",
     .help = "Each job is a slice with its stages below it, in the first lane that is free.\n"
	     "  --last-build  the last build (as without it)\n"
	     "  -o FILE       write to FILE, not to standard output\n",
     .options = "--last-build",
     .output_file = true},
    {.name = "status",
     .synopsis = "",
     .summary = "Show whether a daemon runs, and what it does now",
     .help = "Starts none; exit code 1 when none runs.\n",
     .options = "",
     .daemon = WB_VERB_RUNNING,
     .not_running = "no daemon runs\n",
     .not_running_exit = 1},
    {.name = stop_name,
     .synopsis = "",
     .summary = "End the daemon once its running jobs are done",
     .help = "",
     .options = "",
     .daemon = WB_VERB_RUNNING,
     .not_running = "not running\n"},
    {.name = "doctor",
     .synopsis = "[COMPILER]...",
     .summary = "Check the compilers, the scanner, the sandbox and the cache",
     .help = "Without operands it looks at the usual compilers that PATH has.\n",
     .options = "",
     .operands_max = 64},
    {.name = "explain",
     .synopsis = "FILE.o",
     .summary = "Tell how an output came about: decision, inputs with reasons, why it missed",
     .help = "",
     .options = "",
     .operands_min = 1,
     .operands_max = 1},
    {.name = "fix",
     .synopsis = "[--format=text|json] -- COMMAND...",
     .summary = "Show how a compile command is rewritten, argument by argument",
     .help = "",
     .options = "--format=text|json",
     .command = WB_COMMAND_WANTED},
    {.name = "scan",
     .synopsis = "[OPTION...] -- COMMAND... | -p DIR [FILE...]",
     .summary = "List the files that a compile command reads, or every command of a database",
     .help = "  -p DIR          every entry of DIR/compile_commands.json, or of the file DIR, in its order; with "
	     "FILEs, of\n"
	     "                  these sources only. What cannot be scanned is told, and the exit code is 1\n"
	     "  -j N            with N threads (default: one a core)\n"
	     "  --format=make   a makefile rule for each, as clang-scan-deps prints it (the default)\n"
	     "  --format=json   each file with the reasons it is there\n"
	     "  --format=paths  one name a line\n"
	     "  --engine=NAME   directives, clang, or both: every difference between the two; exits with 1 when there\n"
	     "                  is one\n"
	     "  --stats         say on standard error what it cost\n"
	     "  --repeat=N      N passes, each scanning anew; prints the first, and --stats for each\n"
	     "  --reask=N       after that N passes that ask again for what the last one has found\n"
	     "`waybilld scan` does the same in a process of its own, without a daemon.\n",
     .options = "--format=make|json|paths --engine=clang|directives|both --stats --repeat= --reask= -p: -j:",
     .operands_max = INT_MAX,
     .command = WB_COMMAND_OR_DATABASE},
    {.name = "why",
     .synopsis = "HEADER [--all] [--format=text|json] -- COMMAND... | -p DIR FILE",
     .summary = "Show by which includes a header becomes an input of a compile",
     .help = "HEADER is a path, or the end of one (vector, llvm/ADT/StringRef.h). Printed is the shortest chain of\n"
	     "includes that leads to it; the exit code is 1 when it is no input.\n"
	     "  --all          a chain for every place that includes it, the shorter ones first\n"
	     "  --format=json  all chains, with every step\n"
	     "  -p DIR FILE    the command is FILE's in DIR/compile_commands.json\n",
     .options = "--all --format=text|json -p:",
     .operands_min = 1,
     .operands_max = 2,
     .command = WB_COMMAND_OR_DATABASE},
    {.name = "clear", .synopsis = "", .summary = "Remove everything from the cache", .help = "", .options = ""},
    {.name = "prune",
     .synopsis = "[SIZE]",
     .summary = "Shrink the cache to SIZE, else to the cache_size setting",
     .help = "SIZE is in bytes, or has a suffix K, M, G or T. What was used longest ago is removed first.\n",
     .options = "",
     .operands_max = 1},
    {.name = version_name,
     .synopsis = "",
     .summary = "Show the version and the build id",
     .help = "",
     .options = "",
     .daemon = WB_VERB_NONE},
    {.name = NULL},
};

const struct wb_verb *wb_verb_find(const char *name)
{
	for (const struct wb_verb *v = wb_verb_table; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

/* Is `value` (`n` bytes) one of "a|b|c"? */
static bool is_choice(const char *value, const char *choices, size_t n)
{
	size_t len = strlen(value);
	for (const char *p = choices, *end = choices + n; p < end;) {
		const char *bar = memchr(p, '|', (size_t)(end - p));
		size_t each = (size_t)((bar != NULL ? bar : end) - p);
		if (each == len && memcmp(p, value, len) == 0)
			return true;
		p += each + 1;
	}
	return false;
}

/* How many words does the verb's option `word[0]` take, its value included? 0: there is no such option, or not with
 * this value; -1: its value is missing. */
static int option_words(const struct wb_verb *v, const char *const *word)
{
	for (const char *p = v->options; *p != '\0';) {
		size_t n = strcspn(p, " ");
		const char *equals = memchr(p, '=', n);
		size_t name = equals != NULL ? (size_t)(equals - p) + 1 : n;
		bool separate = p[n - 1] == ':';
		name -= separate;
		const char *value = word[0] + name;
		if (strncmp(word[0], p, name) != 0)
			;
		else if (separate)
			return value[0] != '\0' ? 1 : word[1] != NULL && strcmp(word[1], "--") != 0 ? 2 : -1;
		else if (equals == NULL ? value[0] == '\0' : name == n || is_choice(value, p + name, n - name))
			return 1;
		p += n;
		p += *p == ' ';
	}
	return 0;
}

/* What of a verb's words is wrong together. */
static bool check_parts(const struct wb_verb *v, int operands, bool dashes, bool command, bool database)
{
	if (v->command == WB_COMMAND_OR_DATABASE && dashes && database) {
		wb_complain("%s: -p DIR and a command after '--' exclude each other: give one of them", v->name);
	} else if (v->command == WB_COMMAND_OR_DATABASE && !dashes && !database) {
		wb_complain("%s: put the compile command after '--', or name a compile database with -p DIR: "
			    "waybill %s %s",
			    v->name, v->name, v->synopsis);
	} else if (v->command != WB_COMMAND_NONE && !database && !command) {
		wb_complain("%s: put the compile command after '--': waybill %s %s", v->name, v->name, v->synopsis);
	} else if ((dashes && v->command == WB_COMMAND_NONE) || operands < v->operands_min ||
		   operands > v->operands_max) {
		wb_complain("%s: usage: waybill %s%s%s", v->name, v->name, v->synopsis[0] == '\0' ? "" : " ",
			    v->synopsis);
	} else {
		return true;
	}
	return false;
}

/* Complain and return false when the arguments do not fit the verb. */
static bool check_syntax(const struct wb_verb *v, const char *const *args)
{
	int operands = 0;
	size_t i = 0;
	bool database = false;
	while (args[i] != NULL && strcmp(args[i], "--") != 0) {
		int words = args[i][0] == '-' ? option_words(v, args + i) : 1;
		if (words < 0) {
			wb_complain("%s: %s wants a value after it; see 'waybill help %s'", v->name, args[i], v->name);
			return false;
		}
		if (words == 0) {
			wb_complain("%s: there is no option '%s'; see 'waybill help %s'", v->name, args[i], v->name);
			return false;
		}
		operands += args[i][0] != '-';
		database = database || strncmp(args[i], "-p", 2) == 0;
		i += (size_t)words;
	}
	bool dashes = args[i] != NULL;
	return check_parts(v, operands, dashes, dashes && args[i + 1] != NULL, database);
}

static bool wants_help(const char *const *args)
{
	return args[0] != NULL && (strcmp(args[0], "--help") == 0 || strcmp(args[0], "-h") == 0);
}

/* A daemon that was told to stop is gone when it hangs up. */
/* Until the process is gone: what it held (the cache, a file system) is free then. Where the kernel cannot tell, until
 * it closes the connection. */
static int await_end(const struct wb_daemon *d)
{
	int pid = wb_socket_peer_pid(d->fd);
	int process = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pollfd wait = {process >= 0 ? process : d->fd, POLLIN, 0};
	char byte;
	while (poll(&wait, 1, STOP_MS) > 0)
		if (process >= 0 || read(d->fd, &byte, 1) <= 0) {
			if (process >= 0)
				close(process);
			return 0;
		}
	wb_complain("the daemon (process %d) does not end; its log is %s", pid, d->paths.log);
	return EXIT_FAILED;
}

/* Take `-o FILE` (also `-oFILE`) out of the arguments; false, complained: FILE is missing. */
static bool take_output_file(const char **file, const char *const **args, struct wb_arena *a, const struct wb_verb *v)
{
	struct wb_argv rest = {0};
	for (const char *const *p = *args; *p != NULL; p++) {
		if (strncmp(*p, "-o", 2) != 0) {
			wb_argv_push(&rest, a, *p);
			continue;
		}
		*file = (*p)[2] != '\0' ? *p + 2 : *++p;
		if (*file == NULL || **file == '\0') {
			wb_complain("%s: -o wants a file name after it", v->name);
			return false;
		}
	}
	if (rest.n > 0)
		*args = rest.v;
	else
		*args = wb_arena_array(a, 1, sizeof **args);
	return true;
}

/* Standard output into `file`, which is replaced at the end and only on success: what was there may be all there is. */
static int save(const char *file, const struct wb_buf *text)
{
	struct wb_err err = WB_ERR_INIT;
	if (wb_is_ok(wb_file_write(file, text->p, text->n, 0666, &err)))
		return 0;
	wb_complain("%s", err.text);
	return EXIT_FAILED;
}

/* `saved`: gets what is meant for standard output, NULL: that goes there. */
static wb_status converse(int *exit_code, struct wb_buf *saved, struct wb_daemon *d,
			  const Waybill__Wire__VerbRequest *request, struct wb_err *err)
{
	WB_TRY(wb_frame_send(d->fd, WB_FRAME_VERB_REQUEST, &request->base, err));
	for (bool last = false; !last;) {
		struct wb_arena a;
		void *message = NULL;
		wb_arena_init(&a);
		wb_status s = wb_daemon_receive(&message, &a, d, WB_FRAME_VERB_OUTPUT,
						&waybill__wire__verb_output__descriptor, err);
		if (!wb_is_ok(s)) {
			wb_arena_release(&a);
			return s;
		}
		const Waybill__Wire__VerbOutput *out = message;
		int e = 0;
		if (saved != NULL)
			wb_buf_add(saved, out->stdout.data, out->stdout.len);
		else
			e = wb_output(STDOUT_FILENO, out->stdout.data, out->stdout.len);
		wb_output(STDERR_FILENO, out->stderr.data, out->stderr.len);
		last = out->last;
		*exit_code = out->exit_code;
		wb_arena_release(&a);
		if (e != 0) {
			wb_complain("cannot write to standard output: %s", strerrordesc_np(e));
			*exit_code = EXIT_FAILED;
			return wb_ok();
		}
	}
	return wb_ok();
}

static int ask(const struct wb_verb *v, const char *const *args, const char *file, const char *const *env,
	       struct wb_arena *a)
{
	struct wb_buf saved = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	struct wb_config config;
	struct wb_daemon d = {.fd = -1};
	char cwd[PATH_MAX];
	int code = EXIT_FAILED;
	/* Whatever the settings are, `stop` works: they may be what it is wanted for. */
	bool configured = wb_is_ok(wb_config_load(&config, a, env, &err));
	if (!configured && v->name != stop_name) {
		wb_complain("%s", err.text);
		return EXIT_USAGE;
	}
	if (getcwd(cwd, sizeof cwd) == NULL)
		strcpy(cwd, "/"); /* most verbs do not care; the others will not find their file */
	enum wb_daemon_open_mode mode = v->daemon == WB_VERB_RUNNING ? WB_DAEMON_RUNNING : WB_DAEMON_VERB;
	wb_status s = wb_daemon_open(&d, a, env, &config, mode, &err);
	if (s.code == WB_ENOENT && mode == WB_DAEMON_RUNNING) {
		wb_output(STDOUT_FILENO, v->not_running, strlen(v->not_running));
		return v->not_running_exit;
	}
	if (wb_is_ok(s)) {
		Waybill__Wire__VerbRequest m = WAYBILL__WIRE__VERB_REQUEST__INIT;
		m.verb = (char *)(uintptr_t)v->name;
		m.args = wb_request_list(&m.n_args, a, args);
		m.cwd = wb_request_bytes(cwd);
		m.env = wb_request_env(&m.n_env, a, env);
		if (configured)
			m.settings = wb_request_settings(&m.n_settings, a, &config);
		m.stdout_is_terminal = isatty(STDOUT_FILENO) == 1;
		m.stderr_is_terminal = isatty(STDERR_FILENO) == 1;
		s = converse(&code, file != NULL ? &saved : NULL, &d, &m, &err);
		if (wb_is_ok(s) && file != NULL && code == 0)
			code = save(file, &saved);
		if (v->name == stop_name && (wb_is_ok(s) ? code == 0 : s.code == WB_EIO)) {
			code = await_end(&d);
			s = wb_ok();
		}
	}
	if (!wb_is_ok(s)) {
		wb_complain("%s: %s", v->name, err.text);
		code = EXIT_FAILED;
	}
	wb_buf_release(&saved);
	wb_daemon_close(&d);
	return code;
}

int wb_verb_run(const struct wb_verb *v, const char *const *args, const char *const *env)
{
	if (wants_help(args)) {
		wb_help_verb(v);
		return 0;
	}
	struct wb_arena a;
	const char *file = NULL;
	int code = EXIT_USAGE;
	wb_arena_init(&a);
	if ((v->output_file && !take_output_file(&file, &args, &a, v)) || !check_syntax(v, args)) {
		/* it was said what is wrong */
	} else if (v->name == version_name) {
		wb_help_version();
		code = 0;
	} else {
		code = ask(v, args, file, env, &a);
	}
	wb_arena_release(&a);
	return code;
}
