#include "scanner/roots.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "base/path.h"
#include "base/str.h"
#include "scanner/operand.h"
#include "scanner/toolchain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CACHE_LIMIT ((size_t)64 << 20) /* bytes of a CMakeCache.txt */

struct finder {
	struct wb_arena *a;
	struct wb_roots *r;
	const struct wb_command *cmd;
	const char *home;      /* physical, NULL: unknown */
	size_t nsetting;       /* the first entries of r->system that come from the setting */
	const char *home_text; /* CMAKE_HOME_DIRECTORY as spelled, NULL */
	struct wb_argv tree;   /* directories that must be held, physical */
};

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static const char *real_dir(struct wb_arena *a, const char *path)
{
	struct stat st;
	const char *real = wb_path_real(a, path);
	return real != NULL && stat(real, &st) == 0 && S_ISDIR(st.st_mode) ? real : NULL;
}

static void push_unique(struct wb_argv *v, struct wb_arena *a, const char *s)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->v[i], s) == 0)
			return;
	wb_argv_push(v, a, s);
}

/* The setting's directories, as spelled and physical ("/lib" and "/usr/lib"), then the compiler's own. */
static void find_system(struct finder *f, const char *setting, const struct wb_toolchain *tc)
{
	struct wb_argv v = {0};
	for (const char *p = setting; p != NULL && *p != '\0';) {
		size_t n = strcspn(p, ":");
		const char *dir = wb_path_normal(f->a, wb_arena_strndup(f->a, p, n));
		if (n > 0 && dir[0] == '/' && dir[1] != '\0') {
			push_unique(&v, f->a, dir);
			const char *real = wb_path_real(f->a, dir);
			if (real != NULL && real[1] != '\0')
				push_unique(&v, f->a, real);
		}
		p += n + (p[n] == ':');
	}
	f->nsetting = v.n;
	for (size_t i = 0; tc != NULL && i < tc->nown_dir; i++)
		push_unique(&v, f->a, tc->own_dir[i]);
	f->r->system = v.v;
	f->r->nsystem = v.n;
}

/* Why `dir` may not be a root; NULL when it may. */
static const char *forbidden(const struct finder *f, const char *dir)
{
	if (strcmp(dir, "/") == 0)
		return "it is /";
	if (f->home != NULL && wb_path_below(f->home, dir))
		return "it is or holds $HOME";
	for (size_t i = 0; i < f->nsetting; i++) {
		if (wb_path_below(f->r->system[i], dir))
			return "it holds a system directory";
		if (wb_path_below(dir, f->r->system[i]))
			return "it lies in a system directory";
	}
	return NULL;
}

/* The directory of CMakeCache.txt at or above the cwd, else the cwd. */
static const char *find_build(const struct finder *f)
{
	for (const char *d = f->cmd->cwd;; d = wb_path_dirname(f->a, d)) {
		if (exists(wb_path_join(f->a, d, "CMakeCache.txt")))
			return forbidden(f, d) == NULL ? d : f->cmd->cwd;
		if (strcmp(d, "/") == 0)
			return f->cmd->cwd;
	}
}

/* CMAKE_HOME_DIRECTORY of the build tree, so that all its commands agree on the root. */
static const char *read_home_directory(struct wb_arena *a, const char *build)
{
	static const char key[] = "\nCMAKE_HOME_DIRECTORY:INTERNAL=";
	struct wb_arena scratch;
	char *data = NULL;
	const char *out = NULL;
	size_t n = 0;
	wb_arena_init(&scratch);
	if (wb_is_ok(wb_file_read(&data, &n, &scratch, wb_path_join(&scratch, build, "CMakeCache.txt"), CACHE_LIMIT,
				  NULL))) {
		const char *p = strstr(data, key);
		if (p != NULL) {
			p += sizeof key - 1;
			out = wb_arena_strndup(a, p, strcspn(p, "\r\n"));
		}
	}
	wb_arena_release(&scratch);
	return out;
}

/* The git top level at or above `from` that holds every tree so far, or NULL. One that does not (a submodule) is
 * passed. */
static const char *find_git(const struct finder *f, const char *from)
{
	for (const char *d = from;; d = wb_path_dirname(f->a, d)) {
		bool holds = forbidden(f, d) == NULL;
		for (size_t i = 0; holds && i < f->tree.n; i++)
			holds = wb_path_below(f->tree.v[i], d);
		if (holds && exists(wb_path_join(f->a, d, ".git")))
			return d;
		if (strcmp(d, "/") == 0)
			return NULL;
	}
}

/* Component by component: '/' sorts before every other byte, so that what lies below a directory follows it at once. */
static int by_component(const void *x, const void *y)
{
	const char *p = *(const char *const *)x, *q = *(const char *const *)y;
	while (*p != '\0' && *p == *q)
		p++, q++;
	int cp = *p == '/'    ? 1
		 : *p == '\0' ? 0
			      : (uint8_t)*p + 2,
	    cq = *q == '/'    ? 1
		 : *q == '\0' ? 0
			      : (uint8_t)*q + 2;
	return cp - cq;
}

/* Join neighbouring trees wherever their common directory may be a root. A directory below a permitted one is permitted
 * too, and neighbours in sorted order share the deepest directories, so the order of the operands does not matter. */
static void merge(struct finder *f, struct wb_argv *trees)
{
	struct wb_argv out = {0};
	if (trees->n == 0)
		return;
	qsort(trees->v, trees->n, sizeof *trees->v, by_component);
	for (size_t i = 0; i < trees->n; i++) {
		const char *d = trees->v[i];
		while (out.n > 0) {
			const char *both = wb_path_common(f->a, out.v[out.n - 1], d);
			if (forbidden(f, both) != NULL)
				break;
			d = both;
			out.n--;
		}
		wb_argv_push(&out, f->a, d);
	}
	*trees = out;
}

static bool is_search_dir(const struct wb_arg *arg)
{
	return arg->option != NULL && arg->option->operand == WB_OPERAND_DIR_IN &&
	       (arg->option->meaning == WB_MEAN_INCLUDE_DIR || arg->option->meaning == WB_MEAN_QUOTE_DIR ||
		arg->option->meaning == WB_MEAN_SYSTEM_DIR || arg->option->meaning == WB_MEAN_AFTER_DIR);
}

/* Include directories that lie outside of the trees so far and may belong to a root. */
static void add_search_dirs(struct finder *f, struct wb_argv *trees)
{
	for (size_t i = 0; i < f->cmd->narg; i++) {
		const struct wb_arg *arg = &f->cmd->arg[i];
		if (!is_search_dir(arg) || arg->value == NULL)
			continue;
		const char *dir = real_dir(f->a, wb_path_join(f->a, f->cmd->cwd, arg->value));
		if (dir == NULL || forbidden(f, dir) != NULL || wb_roots_is_system(f->r, dir))
			continue;
		push_unique(trees, f->a, dir);
	}
}

/* Does the action's spelling `path` leave the input root on its way? Only its leading ".." are looked at. */
static bool climbs_out(const struct wb_roots *r, const char *path)
{
	const char *below = wb_path_after(r->action_cwd, r->base);
	size_t depth = 0;
	for (const char *p = below; p != NULL && *p != '\0'; p += strspn(p, "/")) {
		depth++;
		p += strcspn(p, "/");
	}
	while (path[0] == '.' && path[1] == '.' && (path[2] == '/' || path[2] == '\0')) {
		if (depth-- == 0)
			return true;
		path += 2 + (path[2] == '/');
	}
	return false;
}

/* An absolute path that reaches a root through a symlink outside of it, or through ".." above it: remember its shortest
 * prefix that is inside for good. */
static void add_alias(struct finder *f, size_t *cap, const char *path)
{
	struct wb_roots *r = f->r;
	if (path[0] != '/')
		return;
	path = wb_path_fold(f->a, path);
	const char *now = wb_roots_respell(r, f->a, path);
	bool above = climbs_out(r, now);
	if (now[0] != '/' && !above)
		return;
	for (const char *end = path; *end != '\0';) {
		end += 1 + strcspn(end + 1, "/");
		if (above && wb_path_has_dotdot(end))
			continue;
		const char *prefix = wb_arena_strndup(f->a, path, (size_t)(end - path));
		const char *real = real_dir(f->a, prefix);
		if (real == NULL)
			return;
		if (!wb_roots_holds(r, real))
			continue;
		struct wb_root_alias *v = (struct wb_root_alias *)(uintptr_t)r->alias;
		wb_arena_grow(f->a, &v, r->nalias, cap, sizeof *v);
		v[r->nalias++] = (struct wb_root_alias){prefix, real};
		r->alias = v;
		return;
	}
}

static void find_aliases(struct finder *f)
{
	size_t cap = 0;
	for (size_t i = 0; i < f->cmd->narg; i++) {
		struct wb_operand_path p;
		if (wb_operand_path_get(&p, f->a, &f->cmd->arg[i]))
			add_alias(f, &cap, p.path);
	}
	if (f->home_text != NULL)
		add_alias(f, &cap, f->home_text);
}

static wb_status no_root(enum wb_reason *reason, struct wb_err *err, const char *dir, const char *why)
{
	*reason = WB_REASON_NO_ROOT;
	return wb_fail(err, WB_EUNSCANNABLE, "%s cannot be the root: %s (see WAYBILL_ROOT and system_dirs)", dir, why);
}

wb_status wb_roots_find(struct wb_roots *out, struct wb_arena *a, const struct wb_command *cmd,
			const struct wb_toolchain *tc, const struct wb_roots_config *cfg, enum wb_reason *reason,
			struct wb_err *err)
{
	*out = (struct wb_roots){.cwd = cmd->cwd};
	struct finder f = {.a = a, .r = out, .cmd = cmd};
	if (cfg->home != NULL && cfg->home[0] == '/')
		f.home = wb_path_real(a, cfg->home);
	if (f.home != NULL && f.home[1] == '\0')
		f.home = NULL; /* HOME=/ says nothing */
	find_system(&f, cfg->system_dirs, tc);
	out->action_cwd = find_build(&f);
	f.home_text = read_home_directory(a, out->action_cwd);

	push_unique(&f.tree, a, out->action_cwd);
	const char *source = cmd->source == NULL ? NULL : wb_path_dirname(a, wb_path_join(a, cmd->cwd, cmd->source));
	source = source == NULL ? NULL : real_dir(a, source);
	const char *home = f.home_text == NULL ? NULL : real_dir(a, f.home_text);
	if (source != NULL && wb_roots_is_system(out, source))
		source = NULL; /* part of the platform: it needs no root */
	if (home != NULL && wb_roots_is_system(out, home))
		home = NULL;
	if (source != NULL)
		push_unique(&f.tree, a, source);
	if (home != NULL)
		push_unique(&f.tree, a, home);

	struct wb_argv trees = {0};
	if (cfg->root != NULL && cfg->root[0] != '\0') {
		const char *root = real_dir(a, wb_path_join(a, cmd->cwd, cfg->root));
		if (root == NULL)
			return no_root(reason, err, cfg->root, "it is no directory");
		const char *why = forbidden(&f, root);
		if (why != NULL)
			return no_root(reason, err, root, why);
		if (!wb_path_below(out->action_cwd, root))
			out->action_cwd = cmd->cwd; /* a root deeper than the build tree */
		if (!wb_path_below(cmd->cwd, root))
			return no_root(reason, err, root, "it does not hold the working directory of the command");
		if (source != NULL && !wb_path_below(source, root))
			return no_root(reason, err, root, "it does not hold the source");
		wb_argv_push(&trees, a, root);
	} else {
		const char *git = find_git(&f, home != NULL ? home : source != NULL ? source : cmd->cwd);
		for (size_t i = 0; git == NULL && i < f.tree.n; i++) {
			const char *why = forbidden(&f, f.tree.v[i]);
			if (why != NULL)
				return no_root(reason, err, f.tree.v[i], why);
			wb_argv_push(&trees, a, f.tree.v[i]);
		}
		if (git != NULL)
			wb_argv_push(&trees, a, git);
		merge(&f, &trees);
		add_search_dirs(&f, &trees);
		merge(&f, &trees);
	}
	out->root = trees.v;
	out->nroot = trees.n;
	out->base = out->action_cwd; /* below one of them */
	for (size_t i = 0; i < trees.n; i++)
		out->base = wb_path_common(a, out->base, trees.v[i]);
	find_aliases(&f);
	return wb_ok();
}

bool wb_roots_is_system(const struct wb_roots *r, const char *physical)
{
	for (size_t i = 0; i < r->nsystem; i++)
		if (wb_path_below(physical, r->system[i]))
			return true;
	return false;
}

bool wb_roots_holds(const struct wb_roots *r, const char *physical)
{
	for (size_t i = 0; i < r->nroot; i++)
		if (wb_path_below(physical, r->root[i]))
			return !wb_roots_is_system(r, physical);
	return false;
}

/* The part of a folded path before its first ".." component: its length (0 when it starts with one). */
static size_t head_length(const char *path)
{
	for (const char *p = path; *p != '\0';) {
		size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.')
			return p == path ? 0 : (size_t)(p - path) - (p - path > 1);
		p += n + (p[n] == '/');
	}
	return strlen(path);
}

/* `to` (absolute, normal) as seen from the action's directory, then the rest of the path. */
static const char *from_action(const struct wb_roots *r, struct wb_arena *a, const char *to, const char *rest)
{
	const char *rel = wb_path_relative(a, r->action_cwd, to);
	while (*rest == '/')
		rest++;
	if (*rest != '\0')
		rel = strcmp(rel, ".") == 0 ? wb_arena_strdup(a, rest) : wb_arena_printf(a, "%s/%s", rel, rest);
	return wb_operand_guard(a, rel);
}

static const char *respell_absolute(const struct wb_roots *r, struct wb_arena *a, const char *path)
{
	const char *whole = wb_path_fold(a, path), *best = NULL;
	size_t longest = 0;
	for (size_t i = 0; i < r->nalias; i++) {
		const char *after = wb_path_after(whole, r->alias[i].text);
		if (after != NULL && strlen(r->alias[i].text) > longest) {
			longest = strlen(r->alias[i].text);
			best = wb_path_join(a, r->alias[i].real, after);
		}
	}
	if (best != NULL)
		whole = best;
	size_t n = head_length(whole);
	const char *head = wb_arena_strndup(a, whole, n);
	return wb_roots_holds(r, head) ? from_action(r, a, head, whole + n) : path;
}

static const char *respell_relative(const struct wb_roots *r, struct wb_arena *a, const char *path)
{
	const char *p = wb_path_fold(a, path), *dir = r->cwd;
	while (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0')) {
		dir = wb_path_dirname(a, dir);
		p += 2 + (p[2] == '/');
	}
	size_t n = head_length(p);
	const char *head = wb_path_join(a, dir, wb_arena_strndup(a, p, n));
	if (wb_roots_is_system(r, head)) /* ../../../usr/include: it stays where it is, the action does not */
		return wb_path_join(a, head, p[n] == '/' ? p + n + 1 : p + n);
	bool above = !wb_path_below(dir, r->base) && wb_roots_holds(r, head);
	return strcmp(r->cwd, r->action_cwd) == 0 && !above ? path : from_action(r, a, head, p + n);
}

const char *wb_roots_respell(const struct wb_roots *r, struct wb_arena *a, const char *path)
{
	if (path[0] == '\0')
		return path;
	return path[0] == '/' ? respell_absolute(r, a, path) : respell_relative(r, a, path);
}
