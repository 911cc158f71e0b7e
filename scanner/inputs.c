#include "scanner/inputs.h"

#include "base/map.h"
#include "base/path.h"
#include "scanner/operand.h"
#include "scanner/resolve.h"
#include "scanner/toolchain.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *wb_why_name(unsigned why)
{
	static const char *const name[WB_WHY_COUNT] = {[WB_WHY_SOURCE] = "source",
						       [WB_WHY_INCLUDE] = "include",
						       [WB_WHY_FORCED] = "forced",
						       [WB_WHY_HAS_INCLUDE] = "has_include",
						       [WB_WHY_EMBED] = "embed",
						       [WB_WHY_PCH] = "pch",
						       [WB_WHY_OPTION] = "option",
						       [WB_WHY_SEARCH_DIR] = "search_dir",
						       [WB_WHY_CROSSED_DIR] = "crossed_dir",
						       [WB_WHY_SYMLINK] = "symlink",
						       [WB_WHY_WORKING_DIR] = "working_dir"};
	return why < WB_WHY_COUNT ? name[why] : "unknown";
}

struct collector {
	struct wb_inputs *out;
	struct wb_arena *keep; /* what `out` holds */
	struct wb_arena *a;    /* everything else: hundreds of paths that were only walked */
	struct wb_facts *facts;
	const struct wb_command *cmd;
	const struct wb_roots *roots;
	const struct wb_graph *graph;
	enum wb_reason *reason;
	struct wb_resolver walk;
	struct wb_map input;   /* physical path -> 1 */
	struct wb_map system;  /* opened path -> 1 */
	struct wb_map checked; /* path -> 1 */
	size_t input_cap, system_cap, check_cap;
};

/* Why a path is an input. */
struct cause {
	enum wb_why why;
	uint32_t edge, arg;
};
#define NO_INDEX UINT32_MAX

static wb_status refuse(struct collector *c, struct wb_err *err, enum wb_reason reason, const char *path,
			const char *text)
{
	*c->reason = reason;
	return wb_fail(err, WB_EUNSCANNABLE, "%s: %s", path, text);
}

static wb_status add_input(struct collector *c, const struct wb_input *in, int64_t size, struct wb_err *err)
{
	bool fresh;
	wb_map_puts(&c->input, in->path, &fresh);
	if (!fresh)
		return wb_ok();
	c->out->bytes += size;
	if (c->out->ninput >= WB_INPUTS_MAX || c->out->bytes > WB_INPUTS_MAX_BYTES)
		return refuse(c, err, WB_REASON_INPUT_TOO_BIG, in->path, "the inputs exceed the limit");
	wb_arena_grow(c->keep, &c->out->input, c->out->ninput, &c->input_cap, sizeof *c->out->input);
	struct wb_input *kept = &c->out->input[c->out->ninput++];
	*kept = *in;
	kept->path = wb_arena_strdup(c->keep, in->path);
	if (in->link != NULL)
		kept->link = wb_arena_strdup(c->keep, in->link);
	return wb_ok();
}

static struct wb_check *new_check(struct collector *c, const char *path, const struct wb_stat_id *id, bool follow)
{
	wb_arena_grow(c->keep, &c->out->check, c->out->ncheck, &c->check_cap, sizeof *c->out->check);
	struct wb_check *check = &c->out->check[c->out->ncheck++];
	*check = (struct wb_check){.path = path, .id = *id, .follow = follow};
	return check;
}

/* `digest` may be NULL; a later call that knows it adds it. */
static void add_check(struct collector *c, const char *path, const struct wb_stat_id *id,
		      const struct wb_digest *digest)
{
	bool fresh;
	union wb_map_value *v = wb_map_puts(&c->checked, path, &fresh);
	if (fresh) {
		v->u = c->out->ncheck;
		new_check(c, path, id, true);
	}
	struct wb_check *check = &c->out->check[v->u];
	if (digest != NULL && wb_stat_id_eq(&check->id, id)) {
		check->has_digest = true;
		check->digest = *digest;
	}
}

/* The same for a path as the command spells it. */
static void add_check_spelled(struct collector *c, const char *path, const struct wb_stat_id *id)
{
	add_check(c, wb_path_join(c->keep, c->cmd->cwd, path), id, NULL);
}

static wb_status digest_of(struct wb_digest *out, struct collector *c, const char *path, const struct wb_stat_id *id,
			   struct wb_err *err)
{
	struct wb_fact fact;
	wb_status s = wb_facts_digest(&fact, c->facts, c->a, path, err);
	if (s.code == WB_EIO)
		*c->reason = WB_REASON_INPUT_MISSING,
		s.code = WB_EUNSCANNABLE; /* unreadable: the compiler will say so */
	WB_TRY(s);
	if (!wb_stat_id_eq(&fact.id, id))
		return wb_fail(err, WB_ESTALE, "%s changed since it was scanned", path);
	*out = fact.digest;
	return wb_ok();
}

/* --- directories and links that the walk meets --- */

static wb_status add_dir(struct collector *c, const char *physical, struct cause why, struct wb_err *err)
{
	if (!wb_roots_holds(c->roots, physical))
		return wb_ok();
	struct wb_input in = {
	    .path = physical, .kind = WB_FILE_DIRECTORY, .why = (uint8_t)why.why, .edge = NO_INDEX, .arg = why.arg};
	return add_input(c, &in, 0, err);
}

static wb_status on_crossed(void *arg, const char *physical, bool by_link, struct wb_err *err)
{
	struct collector *c = arg;
	if (!by_link && wb_path_below(c->roots->base, physical) && physical[1] != '\0')
		return refuse(c, err, WB_REASON_OUTSIDE_ROOT, physical, "a path leaves the root through \"..\"");
	if (wb_path_below(c->roots->action_cwd, physical))
		return wb_ok(); /* the working directory brings it along */
	return add_dir(c, physical, (struct cause){WB_WHY_CROSSED_DIR, NO_INDEX, NO_INDEX}, err);
}

/* May a relative link text, read in `dir`, climb above the base of the input root? (As if it met no other link.) */
static bool climbs_out(const struct collector *c, const char *dir, const char *text)
{
	const char *below = wb_path_after(dir, c->roots->base);
	size_t depth = 0;
	for (const char *p = below; p != NULL && *p != '\0';) {
		size_t n = strcspn(p, "/");
		depth += n > 0;
		p += n + (p[n] == '/');
	}
	for (const char *p = text; *p != '\0';) {
		size_t n = strcspn(p, "/");
		bool up = n == 2 && p[0] == '.' && p[1] == '.';
		if (up && depth-- == 0)
			return true;
		if (!up && n > 0 && !(n == 1 && p[0] == '.'))
			depth++;
		p += n + (p[n] == '/');
	}
	return false;
}

/* A symlink below a root is an input of its own. Its text is kept where that means the same in the input root. */
static wb_status on_link(void *arg, const char *place, const char *text, const struct wb_resolved *target,
			 struct wb_err *err)
{
	struct collector *c = arg;
	struct wb_stat_id id;
	if (!wb_roots_holds(c->roots, place))
		return wb_ok();
	bool fresh;
	wb_map_puts(&c->checked, wb_arena_printf(c->a, "%s\n", place),
		    &fresh); /* no path of a check that follows links */
	if (fresh) {
		wb_stat_id_get(&id, place, false);
		new_check(c, wb_arena_strdup(c->keep, place), &id, false);
	}
	const char *dir = wb_path_dirname(c->a, place), *link = text;
	bool system = wb_roots_is_system(c->roots, target->physical);
	if (!system && !wb_roots_holds(c->roots, target->physical) && !wb_path_below(target->physical, c->roots->base))
		return refuse(c, err, WB_REASON_SYMLINK_ESCAPE, place, "this symlink leads out of the root");
	if (system) {
		if (text[0] != '/' || !wb_roots_is_system(c->roots, wb_path_fold(c->a, text)))
			link = target->physical;
	} else if (text[0] == '/') {
		const char *fold = wb_path_fold(c->a, text);
		/* Below a root as spelled: links further on are inputs too. Otherwise straight to the end. */
		bool plain = wb_roots_holds(c->roots, fold) && !wb_path_has_dotdot(fold);
		link = wb_path_relative(c->a, dir, plain ? fold : target->physical);
	} else if (climbs_out(c, dir, text)) {
		link = wb_path_relative(c->a, dir, target->physical);
	}
	struct wb_input in = {.path = place,
			      .kind = WB_FILE_SYMLINK,
			      .why = WB_WHY_SYMLINK,
			      .link = link,
			      .edge = NO_INDEX,
			      .arg = NO_INDEX};
	return add_input(c, &in, 0, err);
}

/* --- files --- */

/* `path`, as the action spells it, leads to the system file `r`. */
static wb_status add_system(struct collector *c, const char *path, const struct wb_resolved *r, struct wb_err *err)
{
	const char *opened = wb_path_join(c->a, c->roots->action_cwd, path);
	if (path[0] == '/' && !wb_roots_is_system(c->roots, opened))
		return refuse(c, err, WB_REASON_OUTSIDE_ROOT, path,
			      "its name lies outside of root and system directories");
	if (path[0] != '/')
		opened =
		    r->physical; /* through a symlink in the tree: the tree has that one, this is what is behind it */
	bool fresh;
	wb_map_puts(&c->system, opened, &fresh);
	if (!fresh || r->kind != WB_FILE_REGULAR)
		return wb_ok();
	wb_arena_grow(c->keep, &c->out->system, c->out->nsystem, &c->system_cap, sizeof *c->out->system);
	struct wb_system_file *f = &c->out->system[c->out->nsystem];
	f->path = wb_arena_strdup(c->keep, opened);
	WB_TRY(digest_of(&f->digest, c, r->physical, &r->id, err));
	c->out->nsystem++;
	return wb_ok();
}

/* Where `path`, as the command spells it, leads in the input root. `*action` is how the action spells it. */
static wb_status walk(struct wb_resolved *out, const char **action, struct collector *c, const char *path,
		      struct wb_err *err)
{
	*action = wb_roots_respell(c->roots, c->a, path);
	return wb_resolve(out, &c->walk, wb_path_join(c->a, c->roots->action_cwd, *action), err);
}

/* Is what `action` leads to in the tree, so that the action can open it by that name? */
static wb_status must_hold(struct collector *c, const char *path, const char *action, const struct wb_resolved *r,
			   struct wb_err *err)
{
	if (action[0] != '/' && wb_roots_holds(c->roots, r->physical))
		return wb_ok();
	const char *spelled = wb_path_join(c->a, c->roots->action_cwd, action);
	if (wb_roots_holds(c->roots, spelled) && !wb_path_has_dotdot(spelled))
		return refuse(c, err, WB_REASON_SYMLINK_ESCAPE, path, "a symlink leads out of the root");
	return refuse(c, err, WB_REASON_OUTSIDE_ROOT, path, "it is neither below the root nor part of the system");
}

/* Take in the file that the command calls `path`. `expect` (may be NULL) is what it was when it was scanned. `*found`
 * (may be NULL) gets what is there; a missing file is the caller's business. */
static wb_status add_file(struct collector *c, const char *path, const struct wb_stat_id *expect, struct cause why,
			  struct wb_input *found, struct wb_err *err)
{
	struct wb_resolved r;
	const char *action;
	WB_TRY(walk(&r, &action, c, path, err));
	struct wb_input in = {.path = r.physical,
			      .kind = (uint8_t)r.kind,
			      .why = (uint8_t)why.why,
			      .exec = r.exec,
			      .edge = why.edge,
			      .arg = why.arg};
	if (found != NULL)
		*found = in;
	add_check_spelled(c, path, &r.id);
	if (expect != NULL && !wb_stat_id_eq(expect, &r.id))
		return wb_fail(err, WB_ESTALE, "%s changed since it was scanned", path);
	if (r.kind == WB_FILE_MISSING)
		return wb_ok();
	if (wb_roots_is_system(c->roots, r.physical))
		return add_system(c, action, &r, err);
	WB_TRY(must_hold(c, path, action, &r, err));
	if (r.kind == WB_FILE_DIRECTORY)
		return wb_ok(); /* the caller knows whether that may be */
	if (r.kind != WB_FILE_REGULAR)
		return refuse(c, err, WB_REASON_INPUT_KIND, path, "neither file nor directory");
	WB_TRY(digest_of(&in.digest, c, r.physical, &r.id, err));
	add_check(c, wb_path_join(c->keep, c->cmd->cwd, path), &r.id, &in.digest);
	if (found != NULL)
		*found = in;
	return add_input(c, &in, in.digest.size, err);
}

/* --- what names inputs: the graph, the options, the outputs' places --- */

/* The header that the precompiled one stands for: read from the PCH, not from the tree. */
static bool is_pch_header(const struct collector *c, const struct wb_edge *e)
{
	if (e->from != NO_INDEX || e->kind != WB_EDGE_FORCED || c->cmd->pch_role != WB_PCH_USE)
		return false;
	if (e->in_prefix)
		return true;
	const char *path = c->graph->file[e->to].path;
	return c->cmd->pch_header != NULL &&
	       strcmp(wb_path_join(c->a, c->cmd->cwd, path), wb_path_join(c->a, c->cmd->cwd, c->cmd->pch_header)) == 0;
}

/* For each file the first edge that makes it an input: with a PCH, only what is named outside of it. */
static uint32_t *first_edges(const struct collector *c)
{
	const struct wb_graph *g = c->graph;
	uint32_t *first = wb_arena_array(c->a, g->nfile + (size_t)1, sizeof *first);
	for (uint32_t i = 0; i < g->nfile; i++)
		first[i] = NO_INDEX;
	for (uint32_t i = 0; i < g->nedge; i++) {
		const struct wb_edge *e = &g->edge[i];
		bool inside = c->cmd->pch_role == WB_PCH_USE && (e->in_prefix || is_pch_header(c, e));
		if (!inside && first[e->to] == NO_INDEX)
			first[e->to] = i;
	}
	return first;
}

static enum wb_why why_of_edge(const struct wb_edge *e)
{
	switch (e->kind) {
	case WB_EDGE_FORCED:
		return WB_WHY_FORCED;
	case WB_EDGE_HAS_INCLUDE:
		return WB_WHY_HAS_INCLUDE;
	case WB_EDGE_EMBED:
		return WB_WHY_EMBED;
	default:
		return WB_WHY_INCLUDE;
	}
}

static wb_status collect_graph(struct collector *c, struct wb_err *err)
{
	static const struct wb_stat_id in_memory, missing, directory = {.mode = S_IFDIR};
	const struct wb_graph *g = c->graph;
	const uint32_t *first = first_edges(c);
	for (uint32_t i = 0; i < g->nfile; i++) {
		const struct wb_graph_file *f = &g->file[i];
		if (wb_stat_id_eq(&f->id, &in_memory))
			continue;
		if (i > 0 && first[i] == NO_INDEX) { /* inside the PCH only: must stay as it is, need not travel */
			struct wb_stat_id now;
			const char *path = wb_path_join(c->keep, c->cmd->cwd, f->path);
			wb_stat_id_get(&now, path, true);
			if (!wb_stat_id_eq(&now, &f->id))
				return wb_fail(err, WB_ESTALE, "%s changed since it was scanned", f->path);
			struct wb_digest digest;
			bool ours = wb_stat_id_kind(&now) == WB_FILE_REGULAR && wb_roots_holds(c->roots, path);
			if (ours) /* hashed when the PCH was made; system files are not written anew by a build */
				WB_TRY(digest_of(&digest, c, path, &f->id, err));
			add_check(c, path, &f->id, ours ? &digest : NULL);
			continue;
		}
		struct cause why = {i == 0 ? WB_WHY_SOURCE : why_of_edge(&g->edge[first[i]]),
				    i == 0 ? NO_INDEX : first[i], NO_INDEX};
		struct wb_input found;
		WB_TRY(add_file(c, f->path, &f->id, why, &found, err));
		if (found.kind == WB_FILE_DIRECTORY)
			return refuse(c, err, WB_REASON_INPUT_KIND, f->path, "it is a directory");
	}
	for (size_t i = 0; i < g->nmiss; i++)
		add_check_spelled(c, g->miss[i], &missing);
	for (size_t i = 0; i < g->nblocked; i++)
		add_check_spelled(c, g->blocked[i], &directory);
	return wb_ok();
}

/* A directory that is searched: it must exist in the tree when it does here, also when nothing in it is used. */
static wb_status add_search_dir(struct collector *c, const char *path, uint32_t arg, struct wb_err *err)
{
	struct wb_resolved r;
	const char *action;
	wb_status s = walk(&r, &action, c, path, err);
	if (s.code == WB_EUNSCANNABLE) { /* outside: a file in it that is used is refused by its own name */
		wb_stat_id_get(&r.id, wb_path_join(c->a, c->cmd->cwd, path), true);
		add_check_spelled(c, path, &r.id);
		*c->reason = WB_REASON_NONE;
		return wb_ok();
	}
	WB_TRY(s);
	add_check_spelled(c, path, &r.id);
	if (r.kind != WB_FILE_DIRECTORY || action[0] == '/')
		return wb_ok(); /* likewise */
	return add_dir(c, r.physical, (struct cause){WB_WHY_SEARCH_DIR, NO_INDEX, arg}, err);
}

/* A directory of which any file may be read. */
static wb_status check_tree(struct collector *c, const char *path, struct wb_err *err)
{
	struct wb_resolved r;
	const char *action;
	WB_TRY(walk(&r, &action, c, path, err));
	add_check_spelled(c, path, &r.id);
	if (r.kind == WB_FILE_MISSING || wb_roots_is_system(c->roots, r.physical) || strcmp(r.physical, "/") == 0)
		return wb_ok();
	return refuse(c, err, WB_REASON_UNSUPPORTED_OPTION, path, "any file of this directory may be read");
}

static wb_status add_option_file(struct collector *c, const char *path, uint32_t arg, struct wb_err *err)
{
	const struct wb_option *o = c->cmd->arg[arg].option;
	struct cause why = {arg == c->cmd->source_arg ? WB_WHY_SOURCE : WB_WHY_OPTION, NO_INDEX, arg};
	struct wb_input found;
	WB_TRY(add_file(c, path, NULL, why, &found, err));
	if (o != NULL && o->meaning == WB_MEAN_CONFIG_FILE &&
	    (found.kind != WB_FILE_REGULAR || !wb_roots_is_system(c->roots, found.path)))
		return refuse(c, err, WB_REASON_UNSUPPORTED_OPTION, path, "what this file says is not looked at");
	if (found.kind == WB_FILE_MISSING)
		return refuse(c, err, WB_REASON_INPUT_MISSING, path, "no such file");
	if (found.kind != WB_FILE_DIRECTORY)
		return wb_ok();
	if (o == NULL || o->meaning != WB_MEAN_PROFILE_IN || c->cmd->driver != WB_DRIVER_CLANG)
		return refuse(c, err, WB_REASON_UNSUPPORTED_OPTION, path, "it is a directory");
	WB_TRY(add_file(c, wb_path_join(c->a, path, "default.profdata"), NULL, why, &found, err));
	return found.kind == WB_FILE_REGULAR
		   ? wb_ok()
		   : refuse(c, err, WB_REASON_INPUT_MISSING, path, "it holds no default.profdata");
}

static wb_status collect_options(struct collector *c, struct wb_err *err)
{
	for (uint32_t i = 0; i < c->cmd->narg; i++) {
		const struct wb_arg *arg = &c->cmd->arg[i];
		struct wb_operand_path p;
		if (!wb_operand_path_get(&p, c->a, arg))
			continue;
		enum wb_meaning meaning = arg->option == NULL ? WB_MEAN_PASS : arg->option->meaning;
		switch (p.kind) {
		case WB_OPERAND_FILE_IN:
		case WB_OPERAND_NAME_FILE_IN:
			/* Forced includes are searched for: the graph knows where they were found. */
			if (meaning != WB_MEAN_INCLUDE && meaning != WB_MEAN_IMACROS && meaning != WB_MEAN_INCLUDE_PCH)
				WB_TRY(add_option_file(c, p.path, i, err));
			break;
		case WB_OPERAND_DIR_IN:
			WB_TRY(add_search_dir(c, p.path, i, err));
			break;
		case WB_OPERAND_TREE_IN:
			if (meaning != WB_MEAN_LINK_OPTION)
				WB_TRY(check_tree(c, p.path, err));
			break;
		default:
			break;
		}
	}
	return wb_ok();
}

static wb_status collect_pch(struct collector *c, struct wb_err *err)
{
	if (c->cmd->pch_role != WB_PCH_USE)
		return wb_ok();
	const char *path = c->cmd->pch_path;
	struct wb_input found;
	if (path == NULL)
		return refuse(c, err, WB_REASON_PCH_MISSING, "", "the command names no precompiled header");
	WB_TRY(add_file(c, path, NULL, (struct cause){WB_WHY_PCH, NO_INDEX, NO_INDEX}, &found, err));
	if (found.kind == WB_FILE_MISSING)
		return refuse(c, err, WB_REASON_PCH_MISSING, path, "no such file");
	if (found.kind != WB_FILE_REGULAR || !wb_facts_has_attribute(c->facts, &found.digest, WB_ATTR_RECIPE_PCH))
		return refuse(c, err, WB_REASON_PCH_FOREIGN, path, "not made by a Waybill action");
	return wb_ok();
}

/* Where the action runs is decided by the nearest CMakeCache.txt: one that comes or goes moves it, and with it every
 * name in the object. What CMake writes into it does not. */
static void check_build_directory(struct collector *c)
{
	for (const char *d = c->cmd->cwd;; d = wb_path_dirname(c->a, d)) {
		const char *path = wb_path_join(c->keep, d, "CMakeCache.txt");
		struct wb_stat_id id;
		bool there = wb_stat_id_get(&id, path, true);
		new_check(c, path, &id, true)->kind_only = true;
		if (there || strcmp(d, "/") == 0)
			return;
	}
}

static wb_status collect_places(struct collector *c, struct wb_err *err)
{
	check_build_directory(c);
	WB_TRY(add_dir(c, c->roots->action_cwd, (struct cause){WB_WHY_WORKING_DIR, NO_INDEX, NO_INDEX}, err));
	for (size_t i = 0; i < c->cmd->noutput; i++) {
		struct wb_resolved r;
		const char *action, *path = c->cmd->output[i].path;
		WB_TRY(walk(&r, &action, c, wb_path_dirname(c->a, path), err));
		if (r.kind != WB_FILE_DIRECTORY)
			return refuse(c, err, WB_REASON_INPUT_MISSING, path, "no directory to write it to");
		if (action[0] == '/' || !wb_roots_holds(c->roots, r.physical))
			return refuse(c, err, WB_REASON_OUTPUT_OUTSIDE_ROOT, path, "it is not below the root");
		add_check_spelled(c, wb_path_dirname(c->a, path), &r.id);
		WB_TRY(add_dir(c, r.physical, (struct cause){WB_WHY_WORKING_DIR, NO_INDEX, NO_INDEX}, err));
	}
	return wb_ok();
}

/* clang reads its own ignorelists when a sanitizer is on. */
static wb_status collect_ignorelists(struct collector *c, const struct wb_toolchain *tc, struct wb_err *err)
{
	bool on = false;
	for (size_t i = 0; i < c->cmd->narg && !on; i++) {
		const struct wb_arg *arg = &c->cmd->arg[i];
		on = arg->spelling != NULL &&
		     wb_starts_with(wb_arena_printf(c->a, "%s%s", arg->spelling, arg->value == NULL ? "" : arg->value),
				    "-fsanitize=");
	}
	if (!on || tc->resource_dir == NULL)
		return wb_ok();
	const char *dir = wb_path_join(c->a, tc->resource_dir, "share");
	DIR *d = opendir(dir);
	if (d == NULL)
		return wb_ok();
	const struct dirent *e;
	wb_status s = wb_ok();
	while (wb_is_ok(s) && (e = readdir(d)) != NULL)
		if (wb_ends_with(e->d_name, "list.txt"))
			s = add_file(c, wb_path_join(c->a, dir, e->d_name), NULL,
				     (struct cause){WB_WHY_OPTION, NO_INDEX, NO_INDEX}, NULL, err);
	closedir(d);
	return s;
}

static int by_input_path(const void *x, const void *y)
{
	return strcmp(((const struct wb_input *)x)->path, ((const struct wb_input *)y)->path);
}

static int by_system_path(const void *x, const void *y)
{
	return strcmp(((const struct wb_system_file *)x)->path, ((const struct wb_system_file *)y)->path);
}

static wb_status collect(struct collector *c, const struct wb_toolchain *tc, struct wb_err *err)
{
	WB_TRY(collect_graph(c, err));
	WB_TRY(collect_options(c, err));
	WB_TRY(collect_pch(c, err));
	WB_TRY(collect_places(c, err));
	if (c->cmd->driver == WB_DRIVER_CLANG)
		WB_TRY(collect_ignorelists(c, tc, err));
	for (size_t i = 0; i < c->cmd->nresponse_files; i++) {
		struct wb_stat_id id;
		wb_stat_id_get(&id, c->cmd->response_files[i], true);
		add_check(c, c->cmd->response_files[i], &id, NULL);
	}
	return wb_ok();
}

wb_status wb_inputs_collect(struct wb_inputs *out, struct wb_arena *a, struct wb_facts *f, const struct wb_command *cmd,
			    const struct wb_toolchain *tc, const struct wb_roots *roots, const struct wb_graph *graph,
			    enum wb_reason *reason, struct wb_err *err)
{
	*out = (struct wb_inputs){0};
	struct wb_arena scratch;
	struct collector c = {.out = out,
			      .keep = a,
			      .a = &scratch,
			      .facts = f,
			      .cmd = cmd,
			      .roots = roots,
			      .graph = graph,
			      .reason = reason};
	wb_arena_init(&scratch);
	/* About as many as there will be: an array that grows leaves its old selves in the arena. */
	c.check_cap = graph->nfile + graph->nmiss + graph->nblocked + cmd->narg + 16;
	out->check = wb_arena_array(a, c.check_cap, sizeof *out->check);
	c.system_cap = graph->nfile;
	out->system = wb_arena_array(a, c.system_cap, sizeof *out->system);
	wb_resolver_init(&c.walk, &scratch, f);
	c.walk.on_link = on_link;
	c.walk.on_crossed = on_crossed;
	c.walk.arg = &c;
	wb_map_init(&c.input);
	wb_map_init(&c.system);
	wb_map_init(&c.checked);
	wb_status s = collect(&c, tc, err);
	wb_map_release(&c.input);
	wb_map_release(&c.system);
	wb_map_release(&c.checked);
	wb_resolver_release(&c.walk);
	wb_arena_release(&scratch);
	WB_TRY(s);
	if (out->ninput > 0)
		qsort(out->input, out->ninput, sizeof *out->input, by_input_path);
	if (out->nsystem > 0)
		qsort(out->system, out->nsystem, sizeof *out->system, by_system_path);
	return wb_ok();
}

bool wb_check_holds(const struct wb_check *check, struct wb_facts *facts, struct wb_stat_id *now)
{
	struct wb_arena a;
	struct wb_fact fact;
	wb_stat_id_get(now, check->path, check->follow);
	enum wb_file_kind kind = wb_stat_id_kind(&check->id);
	if (wb_stat_id_kind(now) != kind)
		return false;
	if (kind == WB_FILE_DIRECTORY || check->kind_only || wb_stat_id_eq(now, &check->id))
		return true;
	if (!check->has_digest || kind != WB_FILE_REGULAR || now->size != check->id.size ||
	    (now->mode & 07777) != (check->id.mode & 07777))
		return false;
	wb_arena_init(&a);
	bool same = wb_is_ok(wb_facts_digest(&fact, facts, &a, check->path, NULL)) && wb_stat_id_eq(&fact.id, now) &&
		    wb_digest_eq(&fact.digest, &check->digest);
	wb_arena_release(&a);
	return same;
}

bool wb_checks_hold(const struct wb_check *check, size_t n, struct wb_facts *facts, const char **which)
{
	for (size_t i = 0; i < n; i++) {
		struct wb_stat_id now;
		if (!wb_check_holds(&check[i], facts, &now)) {
			if (which != NULL)
				*which = check[i].path;
			return false;
		}
	}
	return true;
}
