/* Does the command make a precompiled header, use one, or neither? */
#include "base/arena.h"
#include "base/path.h"
#include "scanner/command_parts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *on_disk(struct wb_arena *a, const struct wb_command *cmd, const char *path)
{
	return wb_path_join(a, cmd->cwd, path);
}

/* Does the precompiled header at `pch` stand for `header`? By name: "x.h.pch", "x.pch". */
static bool stands_for(const char *pch, const char *header)
{
	const char *p = wb_path_basename(pch), *h = wb_path_basename(header);
	size_t stem = strlen(p) - strlen(wb_path_suffix(p));
	if (strncmp(p, h, stem) != 0)
		return false;
	return h[stem] == '\0' || (h[stem] == '.' && !strchr(h + stem + 1, '.'));
}

/* The header that a creation precompiles: CMake compiles a dummy source with the header forced in. */
static const char *created_header(const struct wb_command *cmd)
{
	const char *last = NULL;
	size_t n = 0;
	for (size_t i = 0; i < cmd->narg; i++) {
		if (!wb_arg_means(&cmd->arg[i], WB_MEAN_INCLUDE) || !cmd->arg[i].value)
			continue;
		last = cmd->arg[i].value;
		n++;
		if (cmd->pch_path && stands_for(cmd->pch_path, last))
			return last;
	}
	if (cmd->pch_path && stands_for(cmd->pch_path, cmd->source))
		return cmd->source;
	return n == 1 ? last : cmd->source;
}

static void create(struct wb_command *cmd)
{
	cmd->pch_role = WB_PCH_CREATE;
	cmd->pch_path = cmd->object;
	cmd->pch_header = created_header(cmd);
}

/* -include-pch X: the header is the -include that X is named after. */
static void use_named(struct wb_command *cmd, const struct wb_arg *pch)
{
	cmd->pch_role = WB_PCH_USE;
	cmd->pch_path = pch->value;
	for (size_t i = 0; i < cmd->narg && !cmd->pch_header; i++)
		if (wb_arg_means(&cmd->arg[i], WB_MEAN_INCLUDE) && cmd->arg[i].value &&
		    stands_for(pch->value, cmd->arg[i].value))
			cmd->pch_header = cmd->arg[i].value;
}

enum found { NOTHING, PCH, SOMETHING_ELSE };

/* A regular file is a precompiled header; a directory of several (gcc) is a choice that only the compiler makes.
 * clang takes a .gch only when it is its own. */
static enum found probe(struct wb_arena *a, const struct wb_command *cmd, const char *path, bool check_magic)
{
	struct stat st;
	const char *file = on_disk(a, cmd, path);
	if (stat(file, &st) != 0)
		return NOTHING;
	if (!S_ISREG(st.st_mode))
		return SOMETHING_ELSE;
	if (!check_magic)
		return PCH;
	char magic[4] = "";
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	bool clangs = fd >= 0 && read(fd, magic, sizeof magic) == sizeof magic && memcmp(magic, "CPCH", 4) == 0;
	if (fd >= 0)
		close(fd);
	return clangs ? PCH : SOMETHING_ELSE;
}

static void found(struct wb_command *cmd, enum found what, const char *pch, const char *header,
		  struct wb_refusal *refusal)
{
	if (what == SOMETHING_ELSE)
		wb_refuse(refusal, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION, pch);
	if (what != PCH)
		return;
	cmd->pch_role = WB_PCH_USE;
	cmd->pch_path = pch;
	cmd->pch_header = header;
}

/* clang's driver turns the first -include that is said to it (not to cc1) into -include-pch when there is a .pch or
 * .gch beside it; relative to the cwd, without a search. */
static void use_beside_clang(struct wb_command *cmd, struct wb_arena *a, struct wb_refusal *refusal)
{
	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];
		if (!wb_arg_means(arg, WB_MEAN_INCLUDE) || arg->wrap != WB_WRAP_NONE || !arg->value)
			continue;
		const char *pch = wb_arena_printf(a, "%s.pch", arg->value);
		enum found what = probe(a, cmd, pch, false);
		if (what == NOTHING) {
			pch = wb_arena_printf(a, "%s.gch", arg->value);
			what = probe(a, cmd, pch, true);
		}
		found(cmd, what, pch, arg->value, refusal);
		return;
	}
}

/* Where gcc looks for "x.gch" of a forced include: the cwd, then the quote chain. */
static bool searched_for_include(const struct wb_arg *arg, enum wb_meaning chain)
{
	return wb_arg_means(arg, chain) && arg->value;
}

/* gcc's preprocessor takes "H.gch" wherever it looks for the first forced "H", before it looks for H itself. */
static void use_beside_gcc(struct wb_command *cmd, struct wb_arena *a, struct wb_refusal *refusal)
{
	static const enum wb_meaning chain[] = {WB_MEAN_QUOTE_DIR, WB_MEAN_INCLUDE_DIR, WB_MEAN_SYSTEM_DIR,
						WB_MEAN_AFTER_DIR};
	const char *header = NULL;
	for (size_t i = 0; i < cmd->narg; i++) {
		if (wb_arg_means(&cmd->arg[i], WB_MEAN_IMACROS))
			return; /* wherever it stands it is read first, and after it gcc takes no precompiled header */
		if (wb_arg_means(&cmd->arg[i], WB_MEAN_INCLUDE) && !header)
			header = cmd->arg[i].value;
	}
	if (!header)
		return;
	const char *pch = wb_arena_printf(a, "%s.gch", header);
	enum found what = probe(a, cmd, pch, false);
	struct stat st;
	if (what != NOTHING || header[0] == '/' || stat(on_disk(a, cmd, header), &st) == 0) {
		found(cmd, what, pch, header, refusal);
		return;
	}
	for (size_t c = 0; c < sizeof chain / sizeof *chain; c++) {
		for (size_t i = 0; i < cmd->narg; i++) {
			if (!searched_for_include(&cmd->arg[i], chain[c]))
				continue;
			const char *there = wb_path_join(a, cmd->arg[i].value, header);
			pch = wb_arena_printf(a, "%s.gch", there);
			what = probe(a, cmd, pch, false);
			if (what != NOTHING || stat(on_disk(a, cmd, there), &st) == 0) {
				found(cmd, what, pch, there, refusal);
				return;
			}
		}
	}
}

void wb_command_pch_role(struct wb_command *cmd, struct wb_arena *a, struct wb_refusal *refusal)
{
	if (!cmd->source)
		return;
	const struct wb_arg *named = NULL, *emit = NULL;
	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];
		if (wb_arg_means(arg, WB_MEAN_EMIT_PCH))
			emit = arg;
		if (!wb_arg_means(arg, WB_MEAN_INCLUDE_PCH) || !arg->value)
			continue;
		if (named && strcmp(named->value, arg->value) != 0)
			wb_refuse(refusal, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION, arg->spelling);
		named = arg;
	}
	bool creates = emit || (cmd->lang_header && cmd->object);
	if (creates) {
		create(cmd);
		if (named) /* one precompiled header on top of another */
			wb_refuse(refusal, WB_RANK_OPTION, WB_REASON_UNSUPPORTED_OPTION, named->spelling);
		return;
	}
	if (cmd->lang != WB_LANG_C && cmd->lang != WB_LANG_CXX)
		return;
	if (named)
		use_named(cmd, named);
	else if (cmd->driver == WB_DRIVER_CLANG)
		use_beside_clang(cmd, a, refusal);
	else
		use_beside_gcc(cmd, a, refusal);
}
