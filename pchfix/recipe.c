#include "pchfix/recipe.h"

#include "base/arena.h"
#include "base/path.h"

#include <string.h>

#define CWD           WB_RECIPE_CWD
#define SPELLED_NAMES "-fno-canonical-system-headers"

struct recipe {
	struct wb_recipe *out;
	struct wb_arena *a;
	const struct wb_rewrite_in *in;
	size_t cap;
};

static void add(struct recipe *r, const char *text, enum wb_wrap wrap, const char *why)
{
	wb_arena_grow(r->a, &r->out->flag, r->out->n, &r->cap, sizeof *r->out->flag);
	r->out->flag[r->out->n++] = (struct wb_recipe_flag){text, (uint8_t)wrap, why};
}

static bool means(const struct wb_arg *arg, enum wb_meaning meaning)
{
	return arg->option != NULL && arg->option->meaning == meaning;
}

static const char *word_of(struct wb_arena *a, const struct wb_arg *arg)
{
	return wb_arena_printf(a, "%s%s", arg->spelling == NULL ? "" : arg->spelling,
			       arg->value == NULL ? "" : arg->value);
}

/* --- prefix maps --- */

/* A map of the project's, "old=new", whose left side is a directory around or below the root. */
struct project_map {
	const char *dir;   /* physical, normal */
	const char *slash; /* "/" when the left side ends in one */
	const char *text;  /* the right side */
};

static bool project_map_of(struct project_map *m, const struct wb_rewrite_in *in, struct wb_arena *a,
			   const struct wb_arg *arg)
{
	const struct wb_roots *roots = in->roots;
	const char *equals = arg->value == NULL ? NULL : strchr(arg->value, '=');
	if (!means(arg, WB_MEAN_PREFIX_MAP) || equals == NULL || arg->value[0] != '/')
		return false;
	size_t n = (size_t)(equals - arg->value);
	m->slash = arg->value[n - 1] == '/' ? "/" : "";
	m->text = equals + 1;
	m->dir = wb_path_normal(a, wb_arena_strndup(a, arg->value, n));
	for (size_t i = 0; i < roots->nalias; i++) {
		const char *after = wb_path_after(m->dir, roots->alias[i].text);
		if (after != NULL) {
			m->dir = wb_path_join(a, roots->alias[i].real, after);
			break;
		}
	}
	return wb_path_below(m->dir, roots->base) || wb_path_below(roots->action_cwd, m->dir);
}

/* Has the command the maps of a first rewriting? Then they stand where they belong. */
static bool has_maps(const struct wb_command *cmd)
{
	for (size_t i = 0; i < cmd->narg; i++)
		if (means(&cmd->arg[i], WB_MEAN_PREFIX_MAP) && cmd->arg[i].value != NULL &&
		    wb_starts_with(cmd->arg[i].value, CWD))
			return true;
	return false;
}

static bool has_project_map(const struct wb_rewrite_in *in, struct wb_arena *a)
{
	struct project_map m;
	for (size_t i = 0; i < in->cmd->narg; i++)
		if (project_map_of(&m, in, a, &in->cmd->arg[i]))
			return true;
	return false;
}

bool wb_recipe_anchored(const struct wb_rewrite_in *in, struct wb_arena *a)
{
	return in->paths == WB_PATHS_ABSOLUTE || has_project_map(in, a);
}

/* The directory `up` levels above the action's; NULL above the base of the input root. */
static const char *ancestor(const struct recipe *r, size_t up)
{
	const char *dir = r->in->roots->action_cwd;
	while (up-- > 0 && dir != NULL)
		dir = strcmp(dir, r->in->roots->base) == 0 ? NULL : wb_path_dirname(r->a, dir);
	return dir;
}

/* "/proc/self/cwd/../../" */
static const char *anchor(const struct recipe *r, size_t up)
{
	const char *text = CWD "/";
	while (up-- > 0)
		text = wb_arena_printf(r->a, "%s../", text);
	return text;
}

/* How the project spells the physical directory `dir`: through a symlink when its operands do. */
static const char *spelled(const struct recipe *r, const char *dir)
{
	const struct wb_roots *roots = r->in->roots;
	for (size_t i = 0; i < roots->nalias; i++) {
		const char *after = wb_path_after(dir, roots->alias[i].real);
		if (after != NULL)
			return wb_path_join(r->a, roots->alias[i].text, after);
	}
	return dir;
}

/* What an anchored path `up` levels above the action's directory becomes without any map of the project's. */
static const char *plain_text(const struct recipe *r, size_t up)
{
	if (r->in->paths == WB_PATHS_RELATIVE)
		return anchor(r, up) + sizeof CWD;
	return wb_arena_printf(r->a, "%s/", spelled(r, ancestor(r, up)));
}

static void add_map(struct recipe *r, const char *option, enum wb_wrap wrap, const char *old, const char *new,
		    const char *why)
{
	add(r, wb_arena_printf(r->a, "%s%s=%s", option, old, new), wrap, why);
}

/* One map of the project's as it reads in the action. */
static void add_project_map(struct recipe *r, const struct wb_arg *arg, const struct project_map *m)
{
	static const char why[] = "the project's own map, for the paths as the action spells them";
	const struct wb_roots *roots = r->in->roots;
	enum wb_wrap wrap = (enum wb_wrap)arg->wrap;
	if (!wb_path_below(roots->action_cwd, m->dir)) {
		const char *rel = wb_path_relative(r->a, roots->action_cwd, m->dir);
		add_map(r, arg->spelling, wrap, wb_arena_printf(r->a, CWD "/%s%s", rel, m->slash), m->text, why);
		return;
	}
	size_t up = 0;
	const char *dir = ancestor(r, 0), *rest;
	for (; dir != NULL && (rest = wb_path_after(dir, m->dir)) != NULL; dir = ancestor(r, ++up))
		add_map(r, arg->spelling, wrap, anchor(r, up),
			wb_arena_printf(r->a, "%s%s%s%s", m->text, m->slash[0] == '\0' ? "/" : "", rest,
					rest[0] == '\0' ? "" : "/"),
			why);
	if (dir != NULL) /* what lies above the mapped directory is not mapped */
		add_map(r, arg->spelling, wrap, anchor(r, up), plain_text(r, up), why);
}

/* The compilation directory as debug information names it: the directory of the action, through the project's maps. */
static const char *compilation_dir(struct recipe *r)
{
	const struct wb_roots *roots = r->in->roots;
	const char *dir = r->in->paths == WB_PATHS_RELATIVE ? "." : spelled(r, roots->action_cwd);
	for (size_t i = 0; i < r->in->cmd->narg; i++) {
		const struct wb_arg *arg = &r->in->cmd->arg[i];
		struct project_map m;
		if (!project_map_of(&m, r->in, r->a, arg) || wb_starts_with(arg->spelling, "-fmacro"))
			continue;
		const char *rest = wb_path_after(roots->action_cwd, m.dir);
		if (rest == NULL || (rest[0] == '\0' && m.slash[0] != '\0'))
			continue;
		dir = wb_arena_printf(r->a, "%s%s%s", m.text, rest[0] != '\0' && m.slash[0] == '\0' ? "/" : "", rest);
	}
	return dir;
}

/* Does the project's own flag `f` decide what "old" becomes in what `kind` ("-fdebug", "-fmacro") covers? */
static bool overrides(struct recipe *r, const struct wb_recipe_flag *f, const char *kind, const char *old)
{
	const char *value = strchr(f->text, '=');
	return value != NULL && wb_starts_with(value + 1, wb_arena_printf(r->a, "%s=", old)) &&
	       (wb_starts_with(f->text, kind) || wb_starts_with(f->text, "-ffile-"));
}

/* A map of the recipe's own, for as far as no flag of `project` says the same left side: of two equal ones clang takes
 * the first for __FILE__ and, from version 17 on, the last for debug information. gcc looks at -fmacro-prefix-map only
 * after every -ffile-prefix-map: where the project has one, ours is said in two halves. */
static void add_own_map(struct recipe *r, const struct wb_recipe *project, const char *old, const char *new)
{
	static const char why[] = "debug information and __FILE__ would hold " CWD;
	static const char why_back[] = "paths = absolute: the text that was there before";
	bool debug = true, macro = true, halves = false;
	for (size_t i = 0; i < project->n; i++) {
		debug &= !overrides(r, &project->flag[i], "-fdebug-", old);
		macro &= !overrides(r, &project->flag[i], "-fmacro-", old);
		halves |= r->in->cmd->driver == WB_DRIVER_GCC && wb_starts_with(project->flag[i].text, "-fmacro-");
	}
	const char *text = r->in->paths == WB_PATHS_RELATIVE ? why : why_back;
	if (debug && macro && !halves) {
		add_map(r, "-ffile-prefix-map=", WB_WRAP_NONE, old, new, text);
		return;
	}
	if (debug)
		add_map(r, "-fdebug-prefix-map=", WB_WRAP_NONE, old, new, text);
	if (macro)
		add_map(r, "-fmacro-prefix-map=", WB_WRAP_NONE, old, new, text);
}

static void add_maps(struct recipe *r)
{
	struct wb_recipe project = {0};
	struct recipe collect = {.out = &project, .a = r->a, .in = r->in};
	bool relative = r->in->paths == WB_PATHS_RELATIVE;
	if (has_maps(r->in->cmd))
		return;
	for (size_t i = 0; i < r->in->cmd->narg; i++) {
		struct project_map m;
		if (project_map_of(&m, r->in, r->a, &r->in->cmd->arg[i]))
			add_project_map(&collect, &r->in->cmd->arg[i], &m);
	}
	if (r->in->cmd->driver == WB_DRIVER_GCC)
		add_map(r, "-fdebug-prefix-map=", WB_WRAP_NONE, CWD, compilation_dir(r),
			"the compilation directory, which gcc takes from PWD");
	if (relative)
		add_own_map(r, &project, CWD "/", "");
	for (size_t up = 0; !relative && ancestor(r, up) != NULL; up++)
		add_own_map(r, &project, anchor(r, up), plain_text(r, up));
	for (size_t i = 0; i < project.n; i++)
		add(r, project.flag[i].text, (enum wb_wrap)project.flag[i].wrap, project.flag[i].why);
}

/* --- the other flags --- */

static bool says_compilation_dir(const struct wb_command *cmd)
{
	for (size_t i = 0; i < cmd->narg; i++)
		if (means(&cmd->arg[i], WB_MEAN_COMPILATION_DIR) && cmd->arg[i].value != NULL &&
		    strcmp(cmd->arg[i].value, ".") != 0)
			return true;
	return false;
}

static bool says_message_length(const struct wb_command *cmd)
{
	for (size_t i = 0; i < cmd->narg; i++)
		if (means(&cmd->arg[i], WB_MEAN_MESSAGE_LENGTH) && cmd->arg[i].value != NULL &&
		    strcmp(cmd->arg[i].value, "0") != 0)
			return true;
	return false;
}

static void add_clang(struct recipe *r)
{
	if (!says_compilation_dir(r->in->cmd))
		add(r, wb_arena_printf(r->a, "-ffile-compilation-dir=%s", compilation_dir(r)), WB_WRAP_NONE,
		    "debug information would hold the path of the machine that compiles");
	add(r, "-working-directory=" CWD, WB_WRAP_NONE, "a PCH would store the absolute path of every header");
	if (r->in->cmd->pch_role == WB_PCH_CREATE) {
		add(r, "-fno-pch-timestamp", WB_WRAP_XCLANG, "modification times differ on every machine");
		add(r, "-fmodules-embed-all-files", WB_WRAP_XCLANG,
		    "numbers and strings in macros would be read from the header when the PCH is used");
	}
}

/* gcc writes the real path of a file in a system directory where that is shorter, and what a header with
 * `#pragma GCC system_header` includes counts as such: the path of the machine that compiles. The flag shows in
 * DW_AT_producer, where -fmessage-length=0 would, too: gcc has that as its default. */
static void add_gcc(struct recipe *r)
{
	add(r, SPELLED_NAMES, WB_WRAP_NONE, "the real path of headers that count as system headers would show");
}

static void add_diagnostics(struct recipe *r)
{
	bool gcc = r->in->cmd->driver == WB_DRIVER_GCC;
	if (r->in->cmd->pch_role == WB_PCH_CREATE)
		add(r, gcc ? "-fdiagnostics-color=never" : "-fno-color-diagnostics", WB_WRAP_NONE,
		    "the bytes of a PCH depend on it");
	else
		add(r, gcc ? "-fdiagnostics-color=always" : "-fcolor-diagnostics", WB_WRAP_NONE,
		    "colour is taken out again where the caller does not want it");
	if (!gcc && !says_message_length(r->in->cmd))
		add(r, "-fmessage-length=0", WB_WRAP_NONE, "the width of a terminal must not matter");
}

void wb_recipe_flags(struct wb_recipe *out, struct wb_arena *a, const struct wb_rewrite_in *in)
{
	struct recipe r = {.out = out, .a = a, .in = in};
	*out = (struct wb_recipe){0};
	add_maps(&r);
	if (in->cmd->driver == WB_DRIVER_CLANG)
		add_clang(&r);
	else
		add_gcc(&r);
	add_diagnostics(&r);
}

const char *wb_recipe_moves(const struct wb_rewrite_in *in, struct wb_arena *a, const struct wb_arg *arg)
{
	static const char again[] = "said again at the end, where it wins";
	const char *value = arg->value == NULL ? "" : arg->value;
	struct project_map m;
	if (arg->option == NULL)
		return NULL;
	switch (arg->option->meaning) {
	case WB_MEAN_COLOR:
		return "colour is decided when the text is shown";
	case WB_MEAN_MESSAGE_LENGTH:
		return strcmp(value, "0") == 0 && in->cmd->driver == WB_DRIVER_CLANG && !says_message_length(in->cmd)
			   ? again
			   : NULL;
	case WB_MEAN_NO_PCH_TIMESTAMP:
	case WB_MEAN_EMBED_FILES:
		return in->cmd->pch_role == WB_PCH_CREATE ? again : NULL;
	case WB_MEAN_WORKING_DIRECTORY: /* others are refused by the parser, except the cwd itself */
		return again;
	case WB_MEAN_COMPILATION_DIR:
		return strcmp(value, ".") == 0 && !says_compilation_dir(in->cmd) ? again : NULL;
	case WB_MEAN_PREFIX_MAP:
		return project_map_of(&m, in, a, arg) ? "said at the end, as the action's paths need it" : NULL;
	default:
		return strcmp(word_of(a, arg), SPELLED_NAMES) == 0 ? again : NULL;
	}
}

void wb_recipe_prefix(struct wb_argv *argv, struct wb_arena *a, enum wb_driver driver)
{
	if (driver != WB_DRIVER_GCC)
		return;
	wb_argv_push(argv, a, "/usr/bin/env");
	wb_argv_push(argv, a, "PWD=" CWD);
}
