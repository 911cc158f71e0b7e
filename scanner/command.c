#include "scanner/command.h"

#include "base/arena.h"
#include "base/path.h"
#include "scanner/command_parts.h"
#include "scanner/language.h"
#include "scanner/response_file.h"

#include <string.h>
#include <sys/stat.h>

/* Words that reach another program's command line through a wrapper form a line of their own there, in order: an option
 * in one wrapper may have its operand in the next. */
enum channel { CHANNEL_CC1, CHANNEL_CPP, CHANNEL_AS, CHANNELS };

enum { NO_ARG = UINT32_MAX };

struct parser {
	struct wb_command *cmd;
	struct wb_arena *a;
	size_t cap;
	struct wb_refusal refusal;
	uint32_t waiting[CHANNELS]; /* argument that lacks its operand */
	bool options_ended;         /* after "--" */
	bool cxx_driver;
	bool stopped; /* a malformed end: nothing more to parse */
};

/* What a wrapper's words are looked up as: first in `where`, then in the table of the program that gets them. */
struct wrapper {
	enum channel channel;
	unsigned where[2];
};

static struct wrapper wrapper_of(const struct parser *p, enum wb_wrap wrap)
{
	unsigned program = p->cmd->driver == WB_DRIVER_CLANG ? WB_WHERE_CC1 : WB_WHERE_GCC;
	switch (wrap) {
	case WB_WRAP_XPREPROCESSOR:
	case WB_WRAP_WP:
		return (struct wrapper){CHANNEL_CPP, {WB_WHERE_CPP, program}};
	case WB_WRAP_XASSEMBLER:
	case WB_WRAP_WA:
		return (struct wrapper){CHANNEL_AS, {WB_WHERE_AS, WB_WHERE_AS}};
	case WB_WRAP_XCLANG:
	case WB_WRAP_NONE:
		break;
	}
	return (struct wrapper){CHANNEL_CC1, {WB_WHERE_CC1, WB_WHERE_CC1}};
}

static struct wb_arg *add(struct parser *p, struct wb_arg arg)
{
	wb_arena_grow(p->a, &p->cmd->arg, p->cmd->narg, &p->cap, sizeof *p->cmd->arg);
	p->cmd->arg[p->cmd->narg] = arg;
	return &p->cmd->arg[p->cmd->narg++];
}

static void refuse(struct parser *p, enum wb_refusal_rank rank, enum wb_reason reason, const char *arg)
{
	wb_refuse(&p->refusal, rank, reason, arg);
}

/* The argument as one word, for messages. */
static const char *spelled(struct parser *p, const struct wb_arg *arg)
{
	if (arg->spelling && arg->value && !arg->separate)
		return wb_arena_printf(p->a, "%s%s", arg->spelling, arg->value);
	return arg->spelling ? arg->spelling : arg->value;
}

static bool is_directory(struct parser *p, const char *path)
{
	struct stat st;
	return stat(wb_path_join(p->a, p->cmd->cwd, path), &st) == 0 && S_ISDIR(st.st_mode);
}

/* An argument is complete: does it make the command a local one? */
static void judge(struct parser *p, const struct wb_arg *arg)
{
	const struct wb_option *o = arg->option;
	if (!o) {
		p->cmd->unknown += arg->spelling != NULL;
		return;
	}
	if (o->reason != WB_REASON_NONE)
		refuse(p, WB_RANK_OPTION, o->reason, spelled(p, arg));
	switch (o->meaning) {
	case WB_MEAN_OPAQUE:
		if (arg->value && strchr(arg->value, '/'))
			refuse(p, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION, spelled(p, arg));
		break;
	case WB_MEAN_PROFILE_IN: /* a directory stands for a file whose name only the compiler knows */
		if (arg->value && is_directory(p, arg->value))
			refuse(p, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION, spelled(p, arg));
		break;
	case WB_MEAN_WORKING_DIRECTORY: /* relative operands would mean other files; the rewriter's own is the cwd */
		if (arg->value && strcmp(arg->value, "/proc/self/cwd") != 0 && strcmp(arg->value, p->cmd->cwd) != 0)
			refuse(p, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION, spelled(p, arg));
		break;
	case WB_MEAN_OUTPUT:
		if (arg->value && !arg->value[0])
			refuse(p, WB_RANK_MALFORMED, WB_REASON_BAD_COMMAND, arg->spelling);
		break;
	case WB_MEAN_COLOR:
		p->cmd->color = o->detail;
		break;
	case WB_MEAN_DRIVER_MODE:
		p->cxx_driver = strcmp(arg->value, "g++") == 0;
		if (!p->cxx_driver && strcmp(arg->value, "gcc") != 0)
			refuse(p, WB_RANK_COMPILER, WB_REASON_COMPILER, spelled(p, arg));
		break;
	default:
		break;
	}
}

/* One word on its way through a wrapper. */
static void wrapped_word(struct parser *p, enum wb_wrap wrap, const char *text, uint32_t word)
{
	struct wrapper w = wrapper_of(p, wrap);
	uint32_t *waiting = &p->waiting[w.channel];
	if (text[0] == '@') /* a response file for cc1 or as; and emitted as a word of its own, one for the driver */
		refuse(p, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION, text);
	if (*waiting != NO_ARG) {
		struct wb_arg *arg = &p->cmd->arg[*waiting];
		arg->value = text;
		arg->separate = true;
		*waiting = NO_ARG;
		judge(p, arg);
		return;
	}
	if (text[0] != '-' || text[1] == '\0') {
		/* a file name for cc1 or as, an "@file", an empty word: nothing whose meaning is sure */
		add(p, (struct wb_arg){.value = text, .wrap = (uint8_t)wrap, .word = word});
		refuse(p, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION, text);
		return;
	}
	const char *joined = NULL;
	const struct wb_option *o = wb_option_find(text, w.where[0], &joined);
	if (!o)
		o = wb_option_find(text, w.where[1], &joined);
	struct wb_arg arg = {.option = o, .spelling = text, .wrap = (uint8_t)wrap, .word = word};
	if (o && joined) {
		arg.spelling = wb_arena_strndup(p->a, text, (size_t)(joined - text));
		arg.value = joined;
	}
	add(p, arg);
	if (o && !joined && (o->form & WB_FORM_SEPARATE) && !(o->form & WB_FORM_FLAG))
		*waiting = (uint32_t)p->cmd->narg - 1;
	else
		judge(p, &arg);
}

static void wrapped_list(struct parser *p, enum wb_wrap wrap, const char *list, uint32_t word)
{
	size_t first = p->cmd->narg, words = 0;
	for (const char *s = list; s; words++) {
		const char *comma = strchr(s, ',');
		wrapped_word(p, wrap, comma ? wb_arena_strndup(p->a, s, (size_t)(comma - s)) : s, word);
		s = comma ? comma + 1 : NULL;
	}
	/* clang knows "-Wp,-MD,FILE" as a whole; of "-Wp,-MD,FILE,-MT,TARGET" it silently keeps only -MD (seen with 14
	 * to 22) */
	for (size_t i = first; i < p->cmd->narg; i++)
		if (p->cmd->driver == WB_DRIVER_CLANG && wb_arg_means(&p->cmd->arg[i], WB_MEAN_DEP_FILE) &&
		    (i != first || words != 2))
			refuse(p, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION, p->cmd->arg[i].spelling);
}

/* A wrapper with its operand: keep the operand's meaning instead of the wrapper. */
static bool unwrap(struct parser *p, const struct wb_arg *arg)
{
	switch (arg->option->meaning) {
	case WB_MEAN_XCLANG:
		wrapped_word(p, WB_WRAP_XCLANG, arg->value, arg->word);
		return true;
	case WB_MEAN_XPREPROCESSOR:
		wrapped_word(p, WB_WRAP_XPREPROCESSOR, arg->value, arg->word);
		return true;
	case WB_MEAN_WP:
		wrapped_list(p, WB_WRAP_WP, arg->value, arg->word);
		return true;
	case WB_MEAN_XASSEMBLER:
		wrapped_word(p, WB_WRAP_XASSEMBLER, arg->value, arg->word);
		return true;
	case WB_MEAN_ASM_OPTION:
		wrapped_list(p, WB_WRAP_WA, arg->value, arg->word);
		return true;
	default:
		return false;
	}
}

/* Parse the argument that starts at words[i]; returns how many words it takes. */
static size_t one_argument(struct parser *p, const struct wb_argv *words, size_t i)
{
	const char *text = words->v[i];
	uint32_t word = (uint32_t)i;
	if (p->options_ended || text[0] != '-' || text[1] == '\0') {
		add(p, (struct wb_arg){.value = text, .word = word});
		return 1;
	}
	unsigned where = p->cmd->driver == WB_DRIVER_CLANG ? WB_WHERE_CLANG : WB_WHERE_GCC;
	const char *joined;
	const struct wb_option *o = wb_option_find(text, where, &joined);
	struct wb_arg arg = {.option = o, .spelling = text, .word = word};
	size_t taken = 1;
	if (o && joined) {
		arg.spelling = wb_arena_strndup(p->a, text, (size_t)(joined - text));
		arg.value = joined;
	} else if (o && (o->form & WB_FORM_SEPARATE) && !(o->form & WB_FORM_FLAG)) {
		arg.separate = true;
		if (i + 1 < words->n) {
			arg.value = words->v[i + 1];
			taken = 2;
		} else {
			add(p, arg);
			refuse(p, WB_RANK_MALFORMED, WB_REASON_BAD_COMMAND, text);
			p->stopped = true;
			return 1;
		}
	}
	if (o && arg.value && unwrap(p, &arg))
		return taken;
	add(p, arg);
	judge(p, &arg);
	if (o && o->meaning == WB_MEAN_END_OF_OPTIONS)
		p->options_ended = true;
	return taken;
}

static enum wb_mode mode_of(struct parser *p)
{
	/* Not the last word but the earliest phase decides (clang's Driver::getFinalPhase, gcc's specs). */
	static const struct {
		uint8_t meaning, mode;
	} phases[] = {
	    {WB_MEAN_PREPROCESS, WB_MODE_PREPROCESS}, {WB_MEAN_DEP_MODE, WB_MODE_PREPROCESS},
	    {WB_MEAN_SYNTAX_ONLY, WB_MODE_SYNTAX},    {WB_MEAN_ASSEMBLE, WB_MODE_ASSEMBLY},
	    {WB_MEAN_COMPILE, WB_MODE_COMPILE},
	};
	for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
		const struct wb_arg *arg = wb_arg_last(p->cmd, phases[i].meaning);
		if (!arg)
			continue;
		if (phases[i].mode == WB_MODE_PREPROCESS)
			refuse(p, WB_RANK_MODE, WB_REASON_PREPROCESS_ONLY, arg->spelling);
		else if (phases[i].mode == WB_MODE_SYNTAX)
			refuse(p, WB_RANK_MODE, WB_REASON_NOT_A_COMPILE, arg->spelling);
		return phases[i].mode;
	}
	/* "-Xclang -fsyntax-only" and the like are another compile than the one that the driver plans */
	for (size_t i = 0; i < p->cmd->narg; i++)
		if (p->cmd->arg[i].wrap == WB_WRAP_XCLANG && wb_arg_means(&p->cmd->arg[i], WB_MEAN_SYNTAX_ONLY))
			refuse(p, WB_RANK_MODE, WB_REASON_NOT_A_COMPILE, p->cmd->arg[i].spelling);
	return WB_MODE_LINK;
}

static bool is_stdin(const char *path)
{
	return strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0;
}

/* The source, its language, and the mode that follows from both. */
static enum wb_mode find_source(struct parser *p)
{
	struct wb_command *cmd = p->cmd;
	enum wb_mode mode = mode_of(p);
	const struct wb_language *forced = NULL, *language = NULL;
	const char *other = NULL, *second = NULL;
	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];
		if (arg->wrap != WB_WRAP_NONE)
			continue;
		if (wb_arg_means(arg, WB_MEAN_LANGUAGE) && arg->value)
			forced = strcmp(arg->value, "none") == 0 ? NULL : wb_language_of_name(arg->value, cmd->driver);
		if (arg->spelling)
			continue;
		const struct wb_language *l =
		    forced ? forced : wb_language_of_file(arg->value, cmd->driver, p->cxx_driver);
		if (is_stdin(arg->value))
			refuse(p, WB_RANK_SOURCE, WB_REASON_STDIN, arg->value);
		else if (!l)
			other = other ? other : arg->value;
		if (!l || cmd->source) {
			second = l && !second ? arg->value : second;
			continue;
		}
		cmd->source = arg->value;
		cmd->source_arg = i;
		language = l;
	}
	if (language) {
		cmd->lang = (enum wb_lang)language->lang;
		cmd->lang_header = language->header;
		if (language->reason != WB_REASON_NONE)
			refuse(p, WB_RANK_LANGUAGE, (enum wb_reason)language->reason, cmd->source);
	}
	/* A header alone is compiled to a precompiled header also without -c. */
	if (mode == WB_MODE_LINK && cmd->lang_header && !second && !other)
		mode = WB_MODE_COMPILE;
	if (mode == WB_MODE_LINK)
		refuse(p, WB_RANK_MODE, WB_REASON_NOT_A_COMPILE, NULL);
	if (!cmd->source)
		refuse(p, WB_RANK_SOURCE, WB_REASON_NO_SOURCE, other);
	else if (second)
		refuse(p, WB_RANK_SOURCE, WB_REASON_SEVERAL_SOURCES, second);
	else if (other) /* an object for a linker that is not run: ignored, unless it is something else */
		refuse(p, WB_RANK_SOURCE, WB_REASON_UNSUPPORTED_OPTION, other);
	return mode;
}

/* Compilers that are something else: another grammar, or a launcher that Waybill would hide. */
static void judge_compiler(struct parser *p)
{
	static const struct {
		const char *name;
		enum wb_reason reason;
	} known[] = {
	    {"ccache", WB_REASON_WRAPPER},     {"sccache", WB_REASON_WRAPPER},    {"distcc", WB_REASON_WRAPPER},
	    {"icecc", WB_REASON_WRAPPER},      {"recc", WB_REASON_WRAPPER},       {"gomacc", WB_REASON_WRAPPER},
	    {"rewrapper", WB_REASON_WRAPPER},  {"buildcache", WB_REASON_WRAPPER}, {"waybill", WB_REASON_WRAPPER},
	    {"libtool", WB_REASON_WRAPPER},    {"env", WB_REASON_WRAPPER},        {"clang-cl", WB_REASON_COMPILER},
	    {"clang-cpp", WB_REASON_COMPILER}, {"clang-dxc", WB_REASON_COMPILER}, {"cpp", WB_REASON_COMPILER},
	};
	const char *base = wb_path_basename(p->cmd->compiler);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t n = strlen(known[i].name);
		if (strncmp(base, known[i].name, n) == 0 && (base[n] == '\0' || base[n] == '-'))
			refuse(p, WB_RANK_COMPILER, known[i].reason, p->cmd->compiler);
	}
}

wb_status wb_command_parse(struct wb_command *out, struct wb_arena *a, const char *const *argv, const char *cwd,
			   enum wb_driver driver, struct wb_err *err)
{
	*out = (struct wb_command){.cwd = cwd, .compiler = "", .driver = driver, .color = -1, .reason_arg = ""};
	struct parser p = {.cmd = out, .a = a, .refusal = {.rank = WB_RANK_NONE}, .waiting = {NO_ARG, NO_ARG, NO_ARG}};
	out->arg = wb_arena_array(a, p.cap = 64, sizeof *out->arg);
	if (!argv[0]) {
		out->reason = WB_REASON_BAD_COMMAND;
		return wb_ok();
	}
	struct wb_argv words = {0}, files = {0};
	WB_TRY(wb_response_expand_as(&words, &files, a, argv, cwd,
				     driver == WB_DRIVER_CLANG ? WB_RESPONSE_LLVM : WB_RESPONSE_LIBIBERTY, err));
	out->compiler = words.v[0];
	out->response_files = files.v;
	out->nresponse_files = files.n;
	p.cxx_driver = strstr(wb_path_basename(out->compiler), "++") != NULL;
	judge_compiler(&p);

	for (size_t i = 1; i < words.n && !p.stopped;)
		i += one_argument(&p, &words, i);
	for (size_t i = 0; i < CHANNELS; i++)
		if (p.waiting[i] != NO_ARG)
			refuse(&p, WB_RANK_MALFORMED, WB_REASON_BAD_COMMAND, out->arg[p.waiting[i]].spelling);

	enum wb_mode mode = find_source(&p);
	wb_command_outputs(out, a, mode, &p.refusal);
	wb_command_pch_role(out, a, &p.refusal);
	if (p.refusal.rank != WB_RANK_NONE) {
		out->reason = p.refusal.reason;
		out->reason_arg = p.refusal.arg;
	}
	return wb_ok();
}

enum wb_driver wb_driver_guess(const char *compiler)
{
	return strstr(wb_path_basename(compiler), "clang") ? WB_DRIVER_CLANG : WB_DRIVER_GCC;
}

static void emit_wrapped(struct wb_argv *out, struct wb_arena *a, const char *wrapper, const struct wb_arg *arg)
{
	bool joined = arg->spelling && arg->value && !arg->separate;
	if (joined) {
		wb_argv_push(out, a, wrapper);
		wb_argv_pushf(out, a, "%s%s", arg->spelling, arg->value);
		return;
	}
	for (int i = 0; i < 2; i++) {
		const char *word = i ? arg->value : arg->spelling;
		if (!word)
			continue;
		if (wrapper)
			wb_argv_push(out, a, wrapper);
		wb_argv_push(out, a, word);
	}
}

/* One word with a comma list; what has a comma of its own needs the wrapper that takes a word. */
static void emit_list(struct wb_argv *out, struct wb_arena *a, const char *prefix, const char *wrapper,
		      const struct wb_arg *arg)
{
	const char *spelling = arg->spelling ? arg->spelling : "", *value = arg->value ? arg->value : "";
	if (strchr(spelling, ',') || strchr(value, ','))
		emit_wrapped(out, a, wrapper, arg);
	else
		wb_argv_pushf(out, a, "%s%s%s%s", prefix, spelling, arg->separate && arg->value ? "," : "", value);
}

void wb_arg_emit(struct wb_argv *out, struct wb_arena *a, const struct wb_arg *arg)
{
	switch ((enum wb_wrap)arg->wrap) {
	case WB_WRAP_XCLANG:
		emit_wrapped(out, a, "-Xclang", arg);
		return;
	case WB_WRAP_XPREPROCESSOR:
		emit_wrapped(out, a, "-Xpreprocessor", arg);
		return;
	case WB_WRAP_WP:
		emit_list(out, a, "-Wp,", "-Xpreprocessor", arg);
		return;
	case WB_WRAP_XASSEMBLER:
		emit_wrapped(out, a, "-Xassembler", arg);
		return;
	case WB_WRAP_WA:
		emit_list(out, a, "-Wa,", "-Xassembler", arg);
		return;
	case WB_WRAP_NONE:
		break;
	}
	if (arg->spelling && arg->value && !arg->separate) {
		wb_argv_pushf(out, a, "%s%s", arg->spelling, arg->value);
		return;
	}
	if (arg->spelling)
		wb_argv_push(out, a, arg->spelling);
	if (arg->value)
		wb_argv_push(out, a, arg->value);
}

void wb_command_emit(struct wb_argv *out, struct wb_arena *a, const struct wb_command *cmd)
{
	wb_argv_push(out, a, cmd->compiler);
	for (size_t i = 0; i < cmd->narg; i++)
		wb_arg_emit(out, a, &cmd->arg[i]);
}

const char *wb_lang_name(enum wb_lang l)
{
	static const char *const name[] = {[WB_LANG_NONE] = "none",     [WB_LANG_C] = "c",
					   [WB_LANG_CXX] = "c++",       [WB_LANG_ASM_CPP] = "assembler-with-cpp",
					   [WB_LANG_ASM] = "assembler", [WB_LANG_OTHER] = "other"};
	return (unsigned)l < sizeof name / sizeof *name ? name[l] : "other";
}

const char *wb_output_kind_name(unsigned kind)
{
	static const char *const name[] = {[WB_OUT_OBJECT] = "object",
					   [WB_OUT_DEPFILE] = "depfile",
					   [WB_OUT_GCNO] = "gcno",
					   [WB_OUT_DWO] = "dwo",
					   [WB_OUT_STACK_USAGE] = "stack_usage",
					   [WB_OUT_CALLGRAPH] = "callgraph",
					   [WB_OUT_DIAGNOSTICS] = "diagnostics",
					   [WB_OUT_OPT_RECORD] = "opt_record",
					   [WB_OUT_TEMP] = "temp"};
	return kind < sizeof name / sizeof *name ? name[kind] : "other";
}

bool wb_command_maps_prefixes(const struct wb_command *cmd)
{
	for (size_t i = 0; i < cmd->narg; i++)
		if (cmd->arg[i].option && cmd->arg[i].option->meaning == WB_MEAN_PREFIX_MAP)
			return true;
	return false;
}
