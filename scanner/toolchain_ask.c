#define _GNU_SOURCE /* memmem */
/* Running a compiler and reading what it says about itself. Nothing here is cached. */
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "scanner/environment.h"
#include "scanner/toolchain_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define ASK_TIMEOUT_NS 60000000000LL
enum { OUTPUT_LIMIT = 64 << 20 };

/* Oldest and newest that were tried; the engine underneath is clang 22, a newer language than its own is a guess. */
enum { GCC_OLDEST = 9, GCC_NEWEST = 16, CLANG_OLDEST = 14, CLANG_NEWEST = 22 };

struct answer {
	struct wb_buf out, err;
	bool clean; /* it exited with 0 */
};

static void answer_release(struct answer *r)
{
	wb_buf_release(&r->out);
	wb_buf_release(&r->err);
}

/* Run `call` with `extra` (NULL-terminated) behind its flags. */
static wb_status run(struct answer *r, const struct compiler_call *call, const char *const *extra, const char *input,
		     size_t n, struct wb_err *err)
{
	struct wb_arena a;
	wb_arena_init(&a);
	struct wb_argv argv = {0}, env = {0};
	wb_argv_push(&argv, &a, call->exe);
	for (size_t i = 0; i < call->nword; i++)
		wb_argv_push(&argv, &a, call->word[i]);
	for (; *extra; extra++)
		wb_argv_push(&argv, &a, *extra);
	wb_argv_push(&env, &a, "LC_ALL=C");
	wb_argv_push(&env, &a, "PATH=" WB_ACTION_PATH);
	if (getenv("HOME")) /* clang may be built to look for its configuration there: better seen than missed */
		wb_argv_pushf(&env, &a, "HOME=%s", getenv("HOME"));
	struct wb_process p = {.argv = argv.v,
			       .env = env.v,
			       .cwd = call->cwd,
			       .input = input,
			       .input_len = n,
			       .out = &r->out,
			       .err_out = &r->err,
			       .output_limit = OUTPUT_LIMIT,
			       .timeout_ns = ASK_TIMEOUT_NS};
	int status = 0;
	wb_status s = wb_process_run(&status, &p, err);
	r->clean = wb_is_ok(s) && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	wb_arena_release(&a);
	return s;
}

wb_status wb_compiler_preprocess(struct wb_buf *out, const struct compiler_call *call, const char *text, size_t n,
				 bool *clean, struct wb_err *err)
{
	struct answer r = {.clean = false};
	const char *extra[] = {"-w", "-E", "-P", "-x", call->lang, "-", NULL};
	wb_status s = run(&r, call, extra, text, n, err);
	if (wb_is_ok(s))
		wb_buf_add(out, r.out.p ? r.out.p : "", r.out.n);
	*clean = r.clean;
	answer_release(&r);
	return s;
}

/* The one line that `option` prints; NULL when the compiler does not know the option. */
static const char *print_option(struct wb_arena *a, const struct compiler_call *call, const char *option)
{
	struct answer r = {.clean = false};
	const char *extra[] = {option, NULL};
	const char *line = NULL;
	if (wb_is_ok(run(&r, call, extra, NULL, 0, NULL)) && r.clean && r.out.n) {
		struct wb_str text = wb_str_trim((struct wb_str){r.out.p, r.out.n});
		if (text.n && !memchr(text.p, '\n', text.n))
			line = wb_arena_strndup(a, text.p, text.n);
	}
	answer_release(&r);
	return line;
}

static wb_status refuse(enum wb_reason *reason, struct wb_err *err, const char *exe, const char *text)
{
	*reason = WB_REASON_COMPILER;
	return wb_fail(err, WB_EUNSCANNABLE, "%s: %s", exe, text);
}

/* "Debian clang version 22.1.8 (...)"; "g++ (Debian 12.2.0-14) 12.2.0" followed by the Free Software Foundation. */
static bool parse_version(struct compiler *out, struct wb_arena *a, struct wb_str text)
{
	struct wb_str line;
	bool fsf = memmem(text.p, text.n, "Free Software Foundation", 24) != NULL;
	if (!wb_str_line(&text, &line))
		return false;
	out->version = wb_arena_strndup(a, line.p, line.n);
	const char *number = strstr(out->version, "clang version ");
	if (number && !strstr(out->version, "Apple")) {
		out->kind = WB_COMPILER_CLANG;
		out->major = (unsigned)strtoul(number + strlen("clang version "), NULL, 10);
		return out->major >= CLANG_OLDEST && out->major <= CLANG_NEWEST;
	}
	number = strrchr(out->version, ')');
	if (!fsf || !number)
		return false;
	out->kind = WB_COMPILER_GCC;
	out->major = (unsigned)strtoul(number + 1 + strspn(number + 1, " "), NULL, 10);
	return out->major >= GCC_OLDEST && out->major <= GCC_NEWEST;
}

static void own(struct compiler *c, struct wb_arena *a, const char *dir, const char *cwd)
{
	const char *real = dir ? wb_path_real(a, dir) : NULL;
	/* Never more than the compiler's own: not a directory that holds the project or a home. */
	if (!real || strcmp(real, "/") == 0 || strcmp(real, "/usr") == 0 || wb_path_below(cwd, real))
		return;
	const char *home = getenv("HOME");
	if (home && wb_path_below(home, real))
		return;
	const char **list = wb_arena_array(a, c->nown_dir + 1, sizeof *list);
	for (size_t i = 0; i < c->nown_dir; i++) {
		list[i] = c->own_dir[i];
		if (strcmp(list[i], real) == 0)
			return;
	}
	list[c->nown_dir++] = real;
	c->own_dir = list;
}

/* A sub-program of gcc: an absolute path, or a bare name that the driver looks up in PATH. It must be the same one for
 * the user and for an action. */
static wb_status add_subprogram(struct wb_identity_builder *b, struct wb_arena *a, const struct compiler_call *call,
				const char *name, const char *path_env, enum wb_reason *reason, struct wb_err *err)
{
	const char *path = print_option(a, call, wb_arena_printf(a, "-print-prog-name=%s", name));
	if (!path)
		return refuse(reason, err, call->exe, "does not name its sub-programs");
	if (path[0] != '/') {
		struct wb_executable here, there;
		enum wb_reason ignored;
		bool found = wb_is_ok(wb_executable_find(&there, a, path, WB_ACTION_PATH, "/", &ignored, NULL));
		if (!found)
			return wb_ok(); /* no such program: nothing that runs it works either */
		if (wb_is_ok(wb_executable_find(&here, a, path, path_env, call->cwd, &ignored, NULL)) &&
		    strcmp(here.physical, there.physical) != 0)
			return refuse(reason, err, call->exe,
				      wb_arena_printf(a, "PATH gives it another %s than actions get", name));
		path = there.physical;
	}
	return wb_identity_add_program(b, path, err);
}

static wb_status gcc_parts(struct compiler *out, struct wb_identity_builder *b, struct wb_arena *a,
			   const struct compiler_call *call, const char *path_env, enum wb_reason *reason,
			   struct wb_err *err)
{
	static const char *const programs[] = {"cc1", "cc1plus", "as", "objcopy"};
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		WB_TRY(add_subprogram(b, a, call, programs[i], path_env, reason, err));
	const char *specs = print_option(a, call, "-print-file-name=specs");
	if (specs && specs[0] == '/')
		WB_TRY(wb_identity_add(b, specs, err));
	const char *include = print_option(a, call, "-print-file-name=include");
	if (include && include[0] == '/')
		own(out, a, wb_path_dirname(a, include), call->cwd);
	const char *cc1 = print_option(a, call, "-print-prog-name=cc1");
	if (cc1 && cc1[0] == '/')
		own(out, a, wb_path_dirname(a, cc1), call->cwd);
	return wb_ok();
}

/* "Configuration file: /x/clang++.cfg" lines of -v. One that actions do not see would make them differ. */
static wb_status clang_configuration(struct compiler *out, struct wb_identity_builder *b, struct wb_arena *a,
				     struct wb_str text, const struct compiler_call *call, enum wb_reason *reason,
				     struct wb_err *err)
{
	static const char head[] = "Configuration file: ";
	struct wb_str line;
	while (wb_str_line(&text, &line)) {
		if (line.n < sizeof head || memcmp(line.p, head, sizeof head - 1) != 0)
			continue;
		const char *path = wb_arena_strndup(a, line.p + sizeof head - 1, line.n - sizeof head + 1);
		const char *real = wb_path_real(a, path);
		bool seen = real && wb_path_below(real, "/usr");
		for (size_t i = 0; real && i < out->nown_dir; i++)
			seen = seen || wb_path_below(real, out->own_dir[i]);
		for (size_t i = 0; i < call->nword; i++) /* --config=: an input like another */
			seen = seen || strstr(call->word[i], wb_path_basename(path)) != NULL;
		if (!seen)
			return refuse(reason, err, call->exe,
				      wb_arena_printf(a, "reads %s, which actions do not see", path));
		WB_TRY(wb_identity_add(b, path, err));
	}
	return wb_ok();
}

static wb_status clang_parts(struct compiler *out, struct wb_identity_builder *b, struct wb_arena *a,
			     const struct compiler_call *call, const char *path_env, enum wb_reason *reason,
			     struct wb_err *err)
{
	const char *bin = wb_path_dirname(a, out->exe.physical);
	const char *prefix = wb_path_dirname(a, bin);
	const char *resource = print_option(a, call, "-print-resource-dir");
	if (!resource)
		return refuse(reason, err, call->exe, "does not name its resource directory");
	const char *real = wb_path_real(a, resource);
	if (real && wb_path_below(real, prefix))
		own(out, a, prefix, call->cwd);
	own(out, a, bin, call->cwd);
	own(out, a, resource, call->cwd);
	for (size_t i = 0; i < call->nword; i++)
		if (strcmp(call->word[i], "-fno-integrated-as") == 0 || strcmp(call->word[i], "-no-integrated-as") == 0)
			WB_TRY(add_subprogram(b, a, call, "as", path_env, reason, err));
	struct answer r = {.clean = false};
	const char *extra[] = {"-v", NULL};
	wb_status s = run(&r, call, extra, NULL, 0, err);
	if (wb_is_ok(s))
		s = clang_configuration(out, b, a, (struct wb_str){r.err.p, r.err.n}, call, reason, err);
	answer_release(&r);
	return s;
}

wb_status wb_compiler_ask(struct compiler *out, struct wb_arena *a, struct wb_facts *f, const struct wb_executable *exe,
			  const struct compiler_call *call, const char *path_env, enum wb_reason *reason,
			  struct wb_err *err)
{
	*out = (struct compiler){.exe = {wb_arena_strdup(a, exe->path), wb_arena_strdup(a, exe->physical)}};
	struct answer r = {.clean = false};
	struct compiler_call plain = {.exe = call->exe, .lang = call->lang, .cwd = call->cwd};
	const char *extra[] = {"--version", NULL};
	wb_status s = run(&r, &plain, extra, NULL, 0, err);
	bool known = wb_is_ok(s) && r.clean && parse_version(out, a, (struct wb_str){r.out.p, r.out.n});
	answer_release(&r);
	if (!known) {
		if (!wb_is_ok(s))
			*reason = WB_REASON_COMPILER;
		return wb_is_ok(s) ? refuse(reason, err, exe->path, "not a compiler that Waybill knows")
				   : (wb_status){WB_EUNSCANNABLE};
	}
	struct wb_identity_builder b;
	wb_identity_begin(&b, a, f);
	s = wb_identity_add_program(&b, out->exe.physical, err);
	if (wb_is_ok(s))
		s = (out->kind == WB_COMPILER_GCC ? gcc_parts : clang_parts)(out, &b, a, call, path_env, reason, err);
	if (!wb_is_ok(s)) {
		*reason = WB_REASON_COMPILER;
		return (wb_status){WB_EUNSCANNABLE};
	}
	wb_identity_finish(&out->identity, &b);
	return wb_ok();
}

/* The lists between "search starts here:" and "End of search list." */
static bool parse_search(struct toolchain_entry *e, struct wb_arena *a, struct wb_str text)
{
	static const char ignoring[] = "ignoring nonexistent directory \"";
	struct wb_search_dir *dir = NULL;
	const char **absent = NULL;
	size_t ndir = 0, cap = 0, nabsent = 0, absent_cap = 0;
	enum { BEFORE, QUOTED, ANGLED, DONE } at = BEFORE;
	struct wb_str line;
	while (wb_str_line(&text, &line)) {
		const char *l = wb_arena_strndup(a, line.p, line.n);
		if (wb_starts_with(l, ignoring)) {
			wb_arena_grow(a, &absent, nabsent, &absent_cap, sizeof *absent);
			const char *start = l + sizeof ignoring - 1;
			absent[nabsent++] =
			    wb_path_join(a, e->call.cwd, wb_arena_strndup(a, start, strcspn(start, "\"")));
		} else if (wb_starts_with(l, "#include \"...\" search starts")) {
			at = QUOTED;
		} else if (wb_starts_with(l, "#include <...> search starts")) {
			at = ANGLED;
		} else if (wb_starts_with(l, "End of search list")) {
			at = DONE;
		} else if (wb_starts_with(l, "Target: ")) {
			e->tc.target = l + strlen("Target: ");
		} else if ((at == QUOTED || at == ANGLED) && l[0] == ' ') {
			/* A quote directory without a flag of the user, a framework directory, a header map: not
			 * modelled. */
			if (at == QUOTED || wb_ends_with(l, " (framework directory)") ||
			    wb_ends_with(l, " (headermap)"))
				return false;
			wb_arena_grow(a, &dir, ndir, &cap, sizeof *dir);
			dir[ndir++] = (struct wb_search_dir){.path = wb_path_join(a, e->call.cwd, l + 1)};
		}
	}
	e->tc.dir = dir;
	e->tc.ndir = ndir;
	e->absent = absent;
	e->nabsent = nabsent;
	return at == DONE && e->tc.target;
}

static wb_status watch(struct toolchain_entry *e, struct wb_arena *a, struct wb_facts *f, const char *path,
		       struct wb_err *err)
{
	struct wb_fact fact;
	WB_TRY(wb_facts_digest(&fact, f, a, path, err));
	struct wb_identity_file *file = wb_arena_array(a, e->nwatch + 1, sizeof *file);
	struct wb_digest *digest = wb_arena_array(a, e->nwatch + 1, sizeof *digest);
	for (size_t i = 0; i < e->nwatch; i++) {
		file[i] = e->watch[i];
		digest[i] = e->watch_digest[i];
	}
	file[e->nwatch] = (struct wb_identity_file){path, fact.id};
	digest[e->nwatch++] = fact.digest;
	e->watch = file;
	e->watch_digest = digest;
	return wb_ok();
}

/* gcc reads <stdc-predef.h> before anything else (its manual, "-ffreestanding"; c-family/c-opts.c): its macros are
 * among those printed. */
static wb_status watch_preinclude(struct toolchain_entry *e, struct wb_arena *a, struct wb_facts *f, struct wb_err *err)
{
	if (!strstr(e->tc.macros, "#define _STDC_PREDEF_H "))
		return wb_ok();
	for (size_t i = 0; i < e->tc.ndir; i++) {
		struct wb_stat_id id;
		const char *path = wb_path_join(a, e->tc.dir[i].path, "stdc-predef.h");
		if (wb_stat_id_get(&id, path, true))
			return watch(e, a, f, path, err);
	}
	return wb_ok();
}

wb_status wb_toolchain_ask_all(struct toolchain_entry *e, struct wb_arena *a, struct wb_facts *f, struct wb_err *err)
{
	struct answer r = {.clean = false};
	const char *extra[] = {"-w", "-E", "-dM", "-v", "-x", e->call.lang, "/dev/null", NULL};
	wb_status s = run(&r, &e->call, extra, NULL, 0, err);
	if (wb_is_ok(s) && !r.clean) {
		struct wb_str rest = {r.err.p, r.err.n}, line = {"", 0};
		while (wb_str_line(&rest, &line) && !memmem(line.p, line.n, "error", 5))
			;
		s = wb_fail(err, WB_EUNSUPPORTED, "%s: cannot be asked: %.*s", e->call.exe, (int)line.n, line.p);
	}
	if (wb_is_ok(s)) {
		e->tc.macros = wb_arena_strndup(a, r.out.p ? r.out.p : "", r.out.n);
		e->tc.macros_len = r.out.n;
		if (!parse_search(e, a, (struct wb_str){r.err.p, r.err.n}))
			s = wb_fail(err, WB_EUNSUPPORTED, "%s: its search directories cannot be read", e->call.exe);
	}
	answer_release(&r);
	WB_TRY(s);
	if (e->compiler->kind == WB_COMPILER_CLANG) {
		e->tc.resource_dir = print_option(a, &e->call, "-print-resource-dir");
		if (!e->tc.resource_dir)
			return wb_fail(err, WB_EUNSUPPORTED, "%s: no resource directory", e->call.exe);
	}
	WB_TRY(watch_preinclude(e, a, f, err));
	return wb_questions_defined(e, a, err);
}
