#include "scanner/toolchain.h"

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "scanner/toolchain_impl.h"

#include <stdlib.h>
#include <string.h>

wb_status wb_toolchains_new(struct wb_toolchains **out, struct wb_facts *facts, const char *cache_dir,
			    struct wb_err *err)
{
	(void)err;
	struct wb_toolchains *t = wb_xcalloc(1, sizeof *t);
	t->facts = facts;
	t->cache_dir = cache_dir ? wb_xstrdup(cache_dir) : NULL;
	pthread_mutex_init(&t->lock, NULL);
	pthread_mutex_init(&t->make, NULL);
	wb_map_init(&t->compiler);
	wb_map_init(&t->entry);
	wb_map_init(&t->recent);
	wb_arena_init(&t->arena);
	*out = t;
	return wb_ok();
}

void wb_toolchains_free(struct wb_toolchains *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->nall; i++) {
		wb_map_release(&t->all[i]->defined);
		wb_map_release(&t->all[i]->answer);
		pthread_mutex_destroy(&t->all[i]->lock);
	}
	wb_map_release(&t->compiler);
	wb_map_release(&t->entry);
	wb_map_release(&t->recent);
	wb_arena_release(&t->arena);
	pthread_mutex_destroy(&t->lock);
	pthread_mutex_destroy(&t->make);
	free(t->all);
	free(t->cache_dir);
	free(t);
}

/* Can the argument change which programs the driver runs? */
static bool chooses_tools(const struct wb_arg *arg)
{
	if (!arg->option)
		return false;
	switch ((enum wb_meaning)arg->option->meaning) {
	case WB_MEAN_TOOL_DIR:
	case WB_MEAN_CONFIG_FILE:
	case WB_MEAN_DRIVER_MODE:
		return true;
	default:
		return arg->spelling && wb_ends_with(arg->spelling, "-integrated-as");
	}
}

/* Can the argument change what is predefined, where the compiler looks, or what it answers? Unknown ones may. */
static bool is_relevant(const struct wb_arg *arg)
{
	if (!arg->option)
		return arg->spelling != NULL;
	switch ((enum wb_meaning)arg->option->meaning) {
	case WB_MEAN_COMPILE:
	case WB_MEAN_ASSEMBLE:
	case WB_MEAN_PREPROCESS:
	case WB_MEAN_SYNTAX_ONLY:
	case WB_MEAN_OUTPUT:
	case WB_MEAN_EMIT_LLVM:
	case WB_MEAN_LANGUAGE:
	case WB_MEAN_INCLUDE_DIR:
	case WB_MEAN_QUOTE_DIR:
	case WB_MEAN_SYSTEM_DIR:
	case WB_MEAN_AFTER_DIR:
	case WB_MEAN_EMBED_DIR:
	case WB_MEAN_INCLUDE:
	case WB_MEAN_IMACROS:
	case WB_MEAN_INCLUDE_PCH:
	case WB_MEAN_EMIT_PCH:
	case WB_MEAN_DEFINE:
	case WB_MEAN_UNDEFINE:
	case WB_MEAN_DEP_MODE:
	case WB_MEAN_DEP_FILE_MODE:
	case WB_MEAN_DEP_FILE:
	case WB_MEAN_DEP_TARGET:
	case WB_MEAN_DEP_OTHER:
	case WB_MEAN_DEBUG:
	case WB_MEAN_COLOR:
	case WB_MEAN_MESSAGE_LENGTH:
	case WB_MEAN_PREFIX_MAP:
	case WB_MEAN_COMPILATION_DIR:
	case WB_MEAN_WORKING_DIRECTORY:
	case WB_MEAN_PCH_OPTION:
	case WB_MEAN_EMBED_FILES:
	case WB_MEAN_NO_PCH_TIMESTAMP:
	case WB_MEAN_SPLIT_DWARF:
	case WB_MEAN_SAVE_TEMPS:
	case WB_MEAN_STACK_USAGE:
	case WB_MEAN_CALLGRAPH_INFO:
	case WB_MEAN_SERIALIZE_DIAGNOSTICS:
	case WB_MEAN_OPT_RECORD:
	case WB_MEAN_ASM_OPTION:
	case WB_MEAN_LINK_OPTION:
	case WB_MEAN_END_OF_OPTIONS:
		return false;
	case WB_MEAN_WARNING:
		/* clang answers __has_extension with __has_feature then. */
		return strcmp(arg->option->name, "-pedantic-errors") == 0;
	default:
		return arg->wrap != WB_WRAP_XASSEMBLER && arg->wrap != WB_WRAP_WA;
	}
}

/* Does the operand name a place relative to the cwd? */
static bool is_relative(const struct wb_arg *arg)
{
	if (!arg->option || !arg->value || arg->value[0] == '/')
		return false;
	switch ((enum wb_operand)arg->option->operand) {
	case WB_OPERAND_FILE_IN:
	case WB_OPERAND_DIR_IN:
	case WB_OPERAND_TREE_IN:
	case WB_OPERAND_NAME_FILE_IN:
		return true;
	default:
		return false;
	}
}

struct wanted {
	const char *lang;
	struct wb_argv word; /* relevant flags */
	struct wb_argv tool; /* those that choose programs */
	const char *cwd;     /* "" when no flag depends on it */
	const char *tool_cwd;
	const char *compiler_key, *key;
};

static void add_key(struct wb_buf *b, const char *s)
{
	wb_buf_adds(b, s);
	wb_buf_addc(b, '\0');
}

static void want(struct wanted *w, struct wb_arena *a, const struct wb_command *cmd, const struct wb_executable *exe,
		 const char *path_env)
{
	bool known = cmd->lang == WB_LANG_CXX || cmd->lang == WB_LANG_ASM_CPP; /* others are not scanned */
	*w = (struct wanted){.lang = wb_lang_name(known ? cmd->lang : WB_LANG_C), .cwd = "", .tool_cwd = ""};
	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];
		if (is_relevant(arg)) {
			wb_arg_emit(&w->word, a, arg);
			if (is_relative(arg))
				w->cwd = cmd->cwd;
		}
		if (chooses_tools(arg)) {
			wb_arg_emit(&w->tool, a, arg);
			if (is_relative(arg))
				w->tool_cwd = cmd->cwd;
		}
	}
	struct wb_buf b = WB_BUF_INIT;
	add_key(&b, exe->path);
	add_key(&b, exe->physical);
	add_key(&b, path_env ? path_env : "");
	add_key(&b, w->tool_cwd);
	for (size_t i = 0; i < w->tool.n; i++)
		add_key(&b, w->tool.v[i]);
	struct wb_digest d;
	char *hex = wb_arena_alloc(a, WB_DIGEST_HEX);
	wb_digest_of(&d, b.p, b.n);
	wb_digest_hex(hex, &d);
	w->compiler_key = hex;
	add_key(&b, "");
	add_key(&b, w->lang);
	add_key(&b, w->cwd);
	for (size_t i = 0; i < w->word.n; i++)
		add_key(&b, w->word.v[i]);
	hex = wb_arena_alloc(a, WB_DIGEST_HEX);
	wb_digest_of(&d, b.p, b.n);
	wb_digest_hex(hex, &d);
	w->key = hex;
	wb_buf_release(&b);
}

/* Is what the compiler said still what it would say? */
static bool holds(const struct toolchain_entry *e)
{
	struct wb_stat_id id;
	if (!wb_identity_holds(&e->compiler->identity))
		return false;
	for (size_t i = 0; i < e->nabsent; i++)
		if (wb_stat_id_get(&id, e->absent[i], true))
			return false;
	for (size_t i = 0; i < e->nwatch; i++)
		if (!wb_stat_id_get(&id, e->watch[i].path, true) || !wb_stat_id_eq(&id, &e->watch[i].id))
			return false;
	return true;
}

static void *look_up(struct wb_toolchains *t, const struct wb_map *m, const char *key)
{
	pthread_mutex_lock(&t->lock);
	union wb_map_value *v = wb_map_gets(m, key);
	void *p = v ? v->p : NULL;
	pthread_mutex_unlock(&t->lock);
	return p;
}

static void put(struct wb_toolchains *t, struct wb_map *m, const char *key, void *p)
{
	pthread_mutex_lock(&t->lock);
	wb_map_puts(m, key, NULL)->p = p;
	pthread_mutex_unlock(&t->lock);
}

static const char *const *keep_words(struct wb_arena *a, const struct wb_argv *v)
{
	const char **out = wb_arena_array(a, v->n + 1, sizeof *out);
	for (size_t i = 0; i < v->n; i++)
		out[i] = wb_arena_strdup(a, v->v[i]);
	return out;
}

/* The compiler of `w`, asked when it is new or was replaced. Under t->make. */
static wb_status get_compiler(const struct compiler **out, struct wb_toolchains *t, const struct wanted *w,
			      const struct wb_command *cmd, const struct wb_executable *exe, const char *path_env,
			      enum wb_reason *reason, struct wb_err *err)
{
	struct compiler *c = look_up(t, &t->compiler, w->compiler_key);
	if (c && wb_identity_holds(&c->identity)) {
		*out = c;
		return wb_ok();
	}
	c = wb_arena_alloc(&t->arena, sizeof *c);
	struct compiler_call call = {
	    .exe = exe->path, .word = w->tool.v, .nword = w->tool.n, .lang = w->lang, .cwd = cmd->cwd};
	WB_TRY(wb_compiler_ask(c, &t->arena, t->facts, exe, &call, path_env, reason, err));
	put(t, &t->compiler, w->compiler_key, c);
	*out = c;
	return wb_ok();
}

/* The name on disk: by content of the compiler, not by its place in this process. */
static const char *disk_key(struct wb_arena *a, const struct toolchain_entry *e, const struct wanted *w)
{
	struct wb_hasher h;
	struct wb_digest d;
	wb_hasher_init(&h);
	wb_hasher_add(&h, e->compiler->identity.digest.hash, sizeof e->compiler->identity.digest.hash);
	wb_hasher_adds(&h, e->call.exe);
	wb_hasher_adds(&h, e->call.lang);
	wb_hasher_adds(&h, w->cwd);
	for (size_t i = 0; i < e->call.nword; i++)
		wb_hasher_adds(&h, e->call.word[i]);
	wb_hasher_finish(&h, &d);
	char *hex = wb_arena_alloc(a, WB_DIGEST_HEX);
	wb_digest_hex(hex, &d);
	return hex;
}

static struct toolchain_entry *new_entry(struct wb_toolchains *t, const struct compiler *c, const struct wanted *w,
					 const struct wb_command *cmd)
{
	struct wb_arena *a = &t->arena;
	struct toolchain_entry *e = wb_arena_alloc(a, sizeof *e);
	e->tc = (struct wb_toolchain){.compiler = c->kind,
				      .major = c->major,
				      .version = c->version,
				      .executable = c->exe.path,
				      .own_dir = c->own_dir,
				      .nown_dir = c->nown_dir,
				      .identity = c->identity.digest,
				      .owner = t};
	e->call = (struct compiler_call){.exe = c->exe.path,
					 .word = keep_words(a, &w->word),
					 .nword = w->word.n,
					 .lang = wb_arena_strdup(a, w->lang),
					 .cwd = wb_arena_strdup(a, cmd->cwd)};
	e->compiler = c;
	/* What does not depend on the cwd must not fail because that directory went away. */
	if (!w->cwd[0])
		e->call.cwd = "/";
	e->tc.key = disk_key(a, e, w);
	pthread_mutex_init(&e->lock, NULL);
	wb_map_init(&e->defined);
	wb_map_init(&e->answer);
	if (t->nall == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 16;
		t->all = wb_xrealloc(t->all, t->cap * sizeof *t->all);
	}
	t->all[t->nall++] = e;
	return e;
}

/* Fill `e` from the disk, else from the compiler. */
static wb_status fill(struct toolchain_entry *e, struct wb_toolchains *t, struct wb_err *err)
{
	struct wb_err why = WB_ERR_INIT;
	if (t->cache_dir && wb_is_ok(wb_toolchain_load(e, &t->arena, t->facts, t->cache_dir, &why)) && holds(e)) {
		wb_ignore(wb_answers_load(e, t->cache_dir, &why)); /* none kept: they are asked again */
		return wb_ok();
	}
	wb_map_release(&e->defined);
	wb_map_init(&e->defined);
	e->nwatch = e->nabsent = e->tc.ndir = 0;
	e->tc.target = e->tc.resource_dir = NULL;
	WB_TRY(wb_toolchain_ask_all(e, &t->arena, t->facts, err));
	if (t->cache_dir && !wb_is_ok(wb_toolchain_save(e, t->cache_dir, &why)))
		wb_log(WB_LOG_WARN, "toolchain not kept: %s", why.text);
	return wb_ok();
}

static wb_status make(const struct wb_toolchain **out, struct wb_toolchains *t, struct wanted *w,
		      const struct wb_command *cmd, const struct wb_executable *exe, const char *path_env,
		      enum wb_reason *reason, struct wb_err *err)
{
	struct toolchain_entry *e = look_up(t, &t->entry, w->key); /* another thread may have been faster */
	if (e && holds(e)) {
		*out = &e->tc;
		return wb_ok();
	}
	const struct compiler *c;
	WB_TRY(get_compiler(&c, t, w, cmd, exe, path_env, reason, err));
	/* Parsed with the other driver's grammar: the caller sees tc->compiler and parses again. */
	if ((c->kind == WB_COMPILER_CLANG) != (cmd->driver == WB_DRIVER_CLANG))
		w->word = (struct wb_argv){0};
	e = new_entry(t, c, w, cmd);
	wb_status s = fill(e, t, err);
	if (!wb_is_ok(s)) {
		*reason = WB_REASON_COMPILER;
		return (wb_status){WB_EUNSCANNABLE};
	}
	put(t, &t->entry, w->key, e);
	*out = &e->tc;
	return wb_ok();
}

bool wb_toolchain_holds(const struct wb_toolchain *tc)
{
	return holds((const struct toolchain_entry *)tc);
}

bool wb_toolchain_owns(const struct wb_toolchain *tc, const char *path)
{
	if (tc->resource_dir && wb_path_below(path, tc->resource_dir))
		return true;
	for (size_t i = 0; i < tc->nown_dir; i++)
		if (wb_path_below(path, tc->own_dir[i]))
			return true;
	return false;
}

const char *wb_toolchain_file(const struct wb_toolchain *tc, size_t i)
{
	const struct wb_identity *id = &((const struct toolchain_entry *)tc)->compiler->identity;
	return i < id->nfile ? id->file[i].path : NULL;
}

/* Everything that the answer depends on besides the disk, as it stands in the command. */
static void recent_key(struct wb_buf *key, struct wb_arena *a, const struct wb_command *cmd, const char *path_env)
{
	struct wb_argv word = {0};
	for (size_t i = 0; i < cmd->narg; i++)
		if (is_relevant(&cmd->arg[i]) || chooses_tools(&cmd->arg[i]))
			wb_arg_emit(&word, a, &cmd->arg[i]);
	wb_buf_addc(key, (char)('a' + cmd->driver));
	add_key(key, cmd->compiler);
	add_key(key, cmd->cwd);
	add_key(key, path_env ? path_env : "");
	add_key(key, wb_lang_name(cmd->lang));
	for (size_t i = 0; i < word.n; i++)
		add_key(key, word.v[i]);
}

static const struct wb_toolchain *recall(struct wb_toolchains *t, uint64_t moment, const struct wb_buf *key)
{
	const struct toolchain_entry *e = NULL;
	pthread_mutex_lock(&t->lock);
	if (t->moment == moment) {
		union wb_map_value *v = wb_map_get(&t->recent, key->p, key->n);
		e = v ? v->p : NULL;
	}
	pthread_mutex_unlock(&t->lock);
	return e ? &e->tc : NULL;
}

static void note(struct wb_toolchains *t, uint64_t moment, const struct wb_buf *key, const struct wb_toolchain *tc)
{
	pthread_mutex_lock(&t->lock);
	if (t->moment != moment) {
		wb_map_release(&t->recent);
		wb_map_init(&t->recent);
		t->moment = moment;
	}
	wb_map_put(&t->recent, key->p, key->n, NULL)->p = (void *)(uintptr_t)tc; /* an entry begins with it */
	pthread_mutex_unlock(&t->lock);
}

wb_status wb_toolchain_get_at(const struct wb_toolchain **out, struct wb_toolchains *t, const struct wb_command *cmd,
			      const char *path_env, uint64_t moment, enum wb_reason *reason, struct wb_err *err)
{
	struct wb_buf key = WB_BUF_INIT;
	struct wb_arena a;
	wb_status s = wb_ok();
	if (moment == 0)
		return wb_toolchain_get(out, t, cmd, path_env, reason, err);
	wb_arena_init(&a);
	recent_key(&key, &a, cmd, path_env);
	*out = recall(t, moment, &key);
	if (!*out) {
		s = wb_toolchain_get(out, t, cmd, path_env, reason, err);
		if (wb_is_ok(s))
			note(t, moment, &key, *out);
	}
	wb_buf_release(&key);
	wb_arena_release(&a);
	return s;
}

wb_status wb_toolchain_get(const struct wb_toolchain **out, struct wb_toolchains *t, const struct wb_command *cmd,
			   const char *path_env, enum wb_reason *reason, struct wb_err *err)
{
	struct wb_arena a;
	struct wanted w;
	struct wb_executable exe;
	wb_arena_init(&a);
	wb_status s = wb_executable_find(&exe, &a, cmd->compiler, path_env, cmd->cwd, reason, err);
	if (wb_is_ok(s)) {
		want(&w, &a, cmd, &exe, path_env);
		struct toolchain_entry *e = look_up(t, &t->entry, w.key);
		if (e && holds(e)) {
			*out = &e->tc;
		} else {
			pthread_mutex_lock(&t->make);
			s = make(out, t, &w, cmd, &exe, path_env, reason, err);
			pthread_mutex_unlock(&t->make);
		}
	}
	wb_arena_release(&a);
	return s;
}

wb_status wb_toolchain_describe(struct wb_buf *out, struct wb_toolchains *t, const char *compiler, const char *path_env,
				struct wb_err *err)
{
	struct wb_arena a;
	struct wb_command cmd;
	const struct wb_toolchain *tc;
	enum wb_reason reason = WB_REASON_NONE;
	const char *argv[] = {compiler, "-c", "x.cc", NULL};
	wb_arena_init(&a);
	wb_status s = wb_command_parse(&cmd, &a, argv, "/", wb_driver_guess(compiler), err);
	if (wb_is_ok(s))
		s = wb_toolchain_get(&tc, t, &cmd, path_env, &reason, err);
	if (wb_is_ok(s)) {
		const struct toolchain_entry *e = (const struct toolchain_entry *)tc;
		char hex[WB_DIGEST_HEX];
		wb_digest_hex(hex, &tc->identity);
		wb_buf_addf(out, "%s\n  runs        %s\n  target      %s\n  identity    %s (%zu files)\n", tc->version,
			    tc->executable, tc->target, hex, e->compiler->identity.nfile);
		if (tc->resource_dir)
			wb_buf_addf(out, "  resources   %s\n", tc->resource_dir);
		for (size_t i = 0; i < tc->ndir; i++)
			wb_buf_addf(out, "  searches    %s\n", tc->dir[i].path);
	} else if (s.code == WB_EUNSCANNABLE) {
		wb_buf_addf(out, "not used (%s): %s\n", wb_reason_name(reason), err ? err->text : "");
		s = wb_ok();
	}
	wb_arena_release(&a);
	return s;
}
