/* What a compile writes, and under which names. The rules were measured with gcc 12.2 and clang 14 to 22;
 * tests/unit/test_command.c runs the compilers and compares. */
#include "base/arena.h"
#include "base/path.h"
#include "scanner/command_parts.h"

#include <string.h>

struct naming {
	struct wb_command *cmd;
	struct wb_arena *a;
	size_t cap;
	const char *stem;        /* the object without its suffix: beside it are .d, .dwo, .su */
	const char *source_stem; /* the source's base name without suffix, in the cwd */
};

/* `path` without the suffix of its last component. */
static const char *without_suffix(struct wb_arena *a, const char *path)
{
	return wb_arena_strndup(a, path, strlen(path) - strlen(wb_path_suffix(path)));
}

static void add(struct naming *n, enum wb_output_kind kind, const char *path, bool implicit, bool optional)
{
	struct wb_command *cmd = n->cmd;
	wb_arena_grow(n->a, &cmd->output, cmd->noutput, &n->cap, sizeof *cmd->output);
	cmd->output[cmd->noutput++] =
	    (struct wb_output){.path = path, .kind = (uint8_t)kind, .implicit = implicit, .optional = optional};
}

static void add_beside(struct naming *n, enum wb_output_kind kind, const char *suffix, bool optional)
{
	add(n, kind, wb_arena_printf(n->a, "%s%s", n->stem, suffix), true, optional);
}

/* Standard output or a device: nothing that could be fetched back. */
static bool is_stream(const char *path)
{
	static const char *const stream[] = {"-", "/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/full"};
	for (size_t i = 0; i < sizeof stream / sizeof *stream; i++)
		if (strcmp(path, stream[i]) == 0)
			return true;
	return wb_starts_with(path, "/dev/fd/") || wb_starts_with(path, "/proc/");
}

static const char *default_object(struct naming *n, enum wb_mode mode, bool emits_pch, struct wb_refusal *refusal)
{
	struct wb_command *cmd = n->cmd;
	if (emits_pch && cmd->driver == WB_DRIVER_GCC)
		return wb_arena_printf(n->a, "%s.gch", cmd->source);
	if (emits_pch) {
		/* .gch up to clang 17, .pch from then on; and what -Xclang -emit-pch is called is nobody's promise */
		wb_refuse(refusal, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION, cmd->source);
		return NULL;
	}
	const char *suffix = mode == WB_MODE_ASSEMBLY ? ".s" : ".o";
	if (wb_arg_last(cmd, WB_MEAN_EMIT_LLVM))
		suffix = mode == WB_MODE_ASSEMBLY ? ".ll" : ".bc";
	return wb_arena_printf(n->a, "%s%s", n->source_stem, suffix);
}

static void depfile(struct naming *n, struct wb_refusal *refusal)
{
	struct wb_command *cmd = n->cmd;
	const struct wb_arg *mode = wb_arg_last(cmd, WB_MEAN_DEP_FILE_MODE);
	const struct wb_arg *file = wb_arg_last(cmd, WB_MEAN_DEP_FILE);
	bool implicit = false;
	if (mode && file) {
		cmd->depfile = file->value;
	} else if (mode && n->stem) {
		cmd->depfile = wb_arena_printf(n->a, "%s.d", n->stem);
		implicit = true;
	}
	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];
		if (wb_arg_means(arg, WB_MEAN_DEP_TARGET) && !cmd->dep_target)
			cmd->dep_target = arg->value;
		/* -Wp,-MD,FILE is mode and file in one */
		if (!wb_arg_means(arg, WB_MEAN_DEP_FILE) || arg->wrap == WB_WRAP_NONE || !arg->value)
			continue;
		if (cmd->depfile && strcmp(cmd->depfile, arg->value) != 0)
			wb_refuse(refusal, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION, arg->spelling);
		cmd->depfile = arg->value;
		implicit = false;
	}
	if (!cmd->depfile)
		return;
	if (is_stream(cmd->depfile)) {
		wb_refuse(refusal, WB_RANK_STDOUT, WB_REASON_STDOUT, cmd->depfile);
		cmd->depfile = NULL;
		return;
	}
	add(n, WB_OUT_DEPFILE, cmd->depfile, implicit, false);
}

static void split_dwarf(struct naming *n, enum wb_mode mode)
{
	struct wb_command *cmd = n->cmd;
	if (wb_arg_detail(cmd, WB_MEAN_SPLIT_DWARF, 0) != 1)
		return;
	if (cmd->driver == WB_DRIVER_GCC) {
		if (mode == WB_MODE_COMPILE) /* objcopy splits it off the object, whether -g was given or not */
			add_beside(n, WB_OUT_DWO, ".dwo", false);
		return;
	}
	/* clang writes it itself, only where -g left debug information, with -S in the cwd */
	const char *stem = mode == WB_MODE_COMPILE ? n->stem : n->source_stem;
	add(n, WB_OUT_DWO, wb_arena_printf(n->a, "%s.dwo", stem), true, true);
}

static void save_temps(struct naming *n, enum wb_mode mode, bool emits_pch, struct wb_refusal *refusal)
{
	enum { DEFAULT = 1, CWD = 2, OBJ = 3 };
	struct wb_command *cmd = n->cmd;
	unsigned place = wb_arg_detail(cmd, WB_MEAN_SAVE_TEMPS, 0);
	if (!place)
		return;
	bool clang = cmd->driver == WB_DRIVER_CLANG;
	if (emits_pch || (cmd->lang != WB_LANG_C && cmd->lang != WB_LANG_CXX) || wb_arg_detail(cmd, WB_MEAN_LTO, 0) ||
	    wb_arg_last(cmd, WB_MEAN_EMIT_LLVM)) {
		wb_refuse(refusal, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION,
			  wb_arg_last(cmd, WB_MEAN_SAVE_TEMPS)->spelling);
		return;
	}
	const char *dir = "", *stem;
	if (clang) { /* named after the source */
		stem = n->source_stem;
		if (place == OBJ && strchr(cmd->object, '/'))
			dir = wb_arena_printf(n->a, "%s/", wb_path_dirname(n->a, cmd->object));
	} else { /* named after the object */
		stem = place == CWD ? wb_path_basename(n->stem) : n->stem;
	}
	add(n, WB_OUT_TEMP, wb_arena_printf(n->a, "%s%s.%s", dir, stem, cmd->lang == WB_LANG_C ? "i" : "ii"), true,
	    false);
	if (clang)
		add(n, WB_OUT_TEMP, wb_arena_printf(n->a, "%s%s.bc", dir, stem), true, false);
	if (mode == WB_MODE_COMPILE)
		add(n, WB_OUT_TEMP, wb_arena_printf(n->a, "%s%s.s", dir, stem), true, false);
}

static void opt_record(struct naming *n)
{
	struct wb_command *cmd = n->cmd;
	bool on = false;
	const char *file = NULL, *format = "yaml";
	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];
		if (!wb_arg_means(arg, WB_MEAN_OPT_RECORD))
			continue;
		on = arg->option->detail;
		if (arg->option->operand == WB_OPERAND_FILE_OUT)
			file = arg->value;
		else if (arg->value)
			format = arg->value;
	}
	if (!on)
		return;
	if (file)
		add(n, WB_OUT_OPT_RECORD, file, false, true);
	else if (cmd->driver == WB_DRIVER_CLANG)
		add_beside(n, WB_OUT_OPT_RECORD, wb_arena_printf(n->a, ".opt.%s", format), true);
	else
		add_beside(n, WB_OUT_OPT_RECORD,
			   wb_arena_printf(n->a, "%s.opt-record.json.gz", wb_path_suffix(cmd->source)), true);
}

void wb_command_outputs(struct wb_command *cmd, struct wb_arena *a, enum wb_mode mode, struct wb_refusal *refusal)
{
	if (!cmd->source || (mode != WB_MODE_COMPILE && mode != WB_MODE_ASSEMBLY))
		return;
	struct naming n = {.cmd = cmd, .a = a};
	n.source_stem = without_suffix(a, wb_path_basename(cmd->source));

	bool emits_pch = cmd->lang_header;
	for (size_t i = 0; i < cmd->narg; i++)
		emits_pch |= wb_arg_means(&cmd->arg[i], WB_MEAN_EMIT_PCH);

	const struct wb_arg *o = wb_arg_last(cmd, WB_MEAN_OUTPUT);
	if (o && (!o->value || !o->value[0]))
		return; /* refused as malformed */
	cmd->object = o ? o->value : default_object(&n, mode, emits_pch, refusal);
	n.stem = o ? without_suffix(a, o->value) : n.source_stem;
	if (cmd->object && is_stream(cmd->object)) {
		wb_refuse(refusal, WB_RANK_STDOUT, WB_REASON_STDOUT, cmd->object);
		cmd->object = NULL;
	}
	if (!cmd->object)
		return;
	add(&n, WB_OUT_OBJECT, cmd->object, o == NULL, false);
	depfile(&n, refusal);
	split_dwarf(&n, mode);
	if (wb_arg_detail(cmd, WB_MEAN_COVERAGE, 0))
		add_beside(&n, WB_OUT_GCNO, ".gcno", false);
	if (wb_arg_detail(cmd, WB_MEAN_STACK_USAGE, 0))
		add_beside(&n, WB_OUT_STACK_USAGE, ".su", true);
	if (wb_arg_detail(cmd, WB_MEAN_CALLGRAPH_INFO, 0))
		add_beside(&n, WB_OUT_CALLGRAPH, ".ci", true);
	for (size_t i = 0; i < cmd->narg; i++)
		if (wb_arg_means(&cmd->arg[i], WB_MEAN_SERIALIZE_DIAGNOSTICS) && cmd->arg[i].value)
			add(&n, WB_OUT_DIAGNOSTICS, cmd->arg[i].value, false, true);
	opt_record(&n);
	save_temps(&n, mode, emits_pch, refusal);
}
