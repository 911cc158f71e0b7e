#include "scanner/clang/invocation.h"

#include "base/arena.h"
#include "base/str.h"
#include "scanner/questions.h"

#include <stdlib.h>
#include <string.h>

/* Flags that change how text becomes tokens, beyond what the predefined macros tell; the words of -cc1. NULL: doubt. */
static const struct {
	const char *word, *cc1;
} lexing[] = {
    {"-trigraphs", "-ftrigraphs"},
    {"--trigraphs", "-ftrigraphs"},
    {"-ftrigraphs", "-ftrigraphs"},
    {"-fno-trigraphs", "-fno-trigraphs"},
    {"-fdollars-in-identifiers", "-fdollars-in-identifiers"},
    {"-fno-dollars-in-identifiers", "-fno-dollars-in-identifiers"},
    {"-fno-operator-names", "-fno-operator-names"},
    {"-fraw-string-literals", "-fraw-string-literals"},
    {"-fno-raw-string-literals", "-fno-raw-string-literals"},
    {"-fms-extensions", NULL},
    {"-fms-compatibility", NULL},
    {"-fborland-extensions", NULL},
};

/* The language as the compiler's predefined macros tell it: default and spelling of -std differ between compilers,
 * these do not. */
struct dialect {
	unsigned long version; /* of C or C++ */
	bool cxx, strict, gcc;
	unsigned major; /* of the compiler */
};

struct making {
	struct wb_shim_request *out;
	struct wb_arena *a;
	const struct wb_scan_request *req;
	struct dialect dialect;
	struct wb_argv cc1;
	struct wb_buf text;
	struct wb_shim_dir *dir;
	size_t ndir, dir_cap;
	struct wb_shim_forced *forced;
	size_t nforced, forced_cap;
	enum wb_reason *reason;
	struct wb_err *err;
};

static wb_status doubt(struct making *m, const char *word, const char *text)
{
	*m->reason = WB_REASON_SCAN_DOUBT;
	return wb_fail(m->err, WB_EUNSCANNABLE, "%s: %s", word, text);
}

/* The body of the predefined macro `name`; n = 0 and p = NULL when there is none. */
static struct wb_str macro(const struct wb_toolchain *tc, const char *name)
{
	struct wb_str rest = {tc->macros, tc->macros_len}, line;
	size_t n = strlen(name);
	while (wb_str_line(&rest, &line)) {
		static const char head[] = "#define ";
		if (line.n > sizeof head - 1 + n && memcmp(line.p + sizeof head - 1, name, n) == 0 &&
		    line.p[sizeof head - 1 + n] == ' ')
			return (struct wb_str){line.p + sizeof head + n, line.n - sizeof head - n};
	}
	return (struct wb_str){NULL, 0};
}

static struct dialect dialect_of(const struct wb_toolchain *tc, enum wb_lang lang)
{
	bool cxx = lang == WB_LANG_CXX;
	struct wb_str v = macro(tc, cxx ? "__cplusplus" : "__STDC_VERSION__");
	return (struct dialect){.version = v.p ? strtoul(v.p, NULL, 10) : 0,
				.cxx = cxx,
				.strict = macro(tc, "__STRICT_ANSI__").p != NULL,
				.gcc = tc->compiler == WB_COMPILER_GCC,
				.major = tc->major};
}

static const char *standard(struct wb_arena *a, const struct dialect *d)
{
	static const struct standard {
		unsigned long from;
		const char *name;
	} cxx[] = {{202400, "++26"}, {202101, "++23"}, {202003, "++23"}, {201704, "++20"},
		   {201403, "++17"}, {201104, "++14"}, {199712, "++11"}, {0, "++98"}},
	  c[] = {{202312, "2y"}, {201711, "23"}, {201113, "17"}, {199902, "11"}, {199410, "99"}, {0, "89"}};
	const struct standard *row = d->cxx ? cxx : c;
	if (!d->cxx && d->version == 199409) /* C89 and digraphs */
		return "-std=iso9899:199409";
	/* gcc has u"" and the like in gnu99, clang from C11 on. */
	bool has_u = !d->cxx && d->gcc && !d->strict && d->version == 199901;
	while (d->version < row->from)
		row++;
	return wb_arena_printf(a, "-std=%s%s", d->strict ? "c" : "gnu", has_u ? "11" : row->name);
}

/* What this compiler's version of a language has and clang 22's has not, or the other way round. */
static void dialect_words(struct making *m)
{
	const struct dialect *d = &m->dialect;
	if (!d->cxx && !d->strict && d->version >= 199901)
		wb_argv_push(&m->cc1, m->a,
			     d->gcc || d->major >= 19 ? "-fraw-string-literals" : "-fno-raw-string-literals");
	if (!d->cxx && d->strict && d->version > 201710 && d->major < (d->gcc ? 13u : 18u))
		wb_argv_push(&m->cc1, m->a, "-ftrigraphs");
}

static void add_dir(struct making *m, const char *path, enum wb_shim_group group)
{
	wb_arena_grow(m->a, &m->dir, m->ndir, &m->dir_cap, sizeof *m->dir);
	m->dir[m->ndir++] = (struct wb_shim_dir){path, group};
}

static void add_forced(struct making *m, struct wb_shim_forced f)
{
	wb_arena_grow(m->a, &m->forced, m->nforced, &m->forced_cap, sizeof *m->forced);
	m->forced[m->nforced++] = f;
}

static wb_status user_dir(struct making *m, const struct wb_arg *arg, enum wb_shim_group group)
{
	const char *dir = arg->value;
	if (!dir || !dir[0])
		return doubt(m, arg->spelling, "an empty search directory");
	if (dir[0] == '=' || wb_starts_with(dir, "$SYSROOT"))
		return doubt(m, dir, "a search directory below the system root");
	add_dir(m, dir, group);
	return wb_ok();
}

/* "-DX" is "#define X 1", "-DX=V" is "#define X V" (clang's DefineBuiltinMacro, gcc's cpp_define). */
static wb_status define(struct making *m, const char *value)
{
	const char *equals = strchr(value, '=');
	if (strchr(value, '\n') || wb_ends_with(value, "\\"))
		return doubt(m, value, "a macro that is more than one line");
	if (equals)
		wb_buf_addf(&m->text, "#define %.*s %s\n", (int)(equals - value), value, equals + 1);
	else
		wb_buf_addf(&m->text, "#define %s 1\n", value);
	return wb_ok();
}

static wb_status lexing_flag(struct making *m, const struct wb_arg *arg)
{
	if (!arg->spelling || arg->separate)
		return wb_ok();
	const char *word = wb_arena_printf(m->a, "%s%s", arg->spelling, arg->value ? arg->value : "");
	static const char charset[] = "-finput-charset=";
	if (wb_starts_with(word, charset) && strcasecmp(word + sizeof charset - 1, "utf-8") != 0)
		return doubt(m, word, "a source character set other than UTF-8");
	if (m->dialect.cxx && m->dialect.version >= 201103 && strstr(word, "raw-string-literals"))
		return wb_ok(); /* such a flag is ignored there */
	for (size_t i = 0; i < sizeof lexing / sizeof *lexing; i++) {
		if (strcmp(word, lexing[i].word) != 0)
			continue;
		if (!lexing[i].cc1)
			return doubt(m, word, "changes how text is read");
		wb_argv_push(&m->cc1, m->a, lexing[i].cc1);
	}
	return wb_ok();
}

static wb_status argument(struct making *m, const struct wb_arg *arg)
{
	if (!arg->option)
		return wb_ok();
	switch ((enum wb_meaning)arg->option->meaning) {
	case WB_MEAN_DEFINE:
		return define(m, arg->value ? arg->value : "");
	case WB_MEAN_UNDEFINE:
		wb_buf_addf(&m->text, "#undef %s\n", arg->value ? arg->value : "");
		return wb_ok();
	case WB_MEAN_QUOTE_DIR:
		return user_dir(m, arg, WB_SHIM_QUOTE);
	case WB_MEAN_INCLUDE_DIR:
		return user_dir(m, arg, WB_SHIM_ANGLED);
	case WB_MEAN_SYSTEM_DIR:
		return user_dir(m, arg, WB_SHIM_SYSTEM);
	case WB_MEAN_AFTER_DIR:
		return user_dir(m, arg, WB_SHIM_AFTER);
	case WB_MEAN_EMBED_DIR:
		wb_argv_pushf(&m->cc1, m->a, "--embed-dir=%s", arg->value ? arg->value : "");
		return wb_ok();
	case WB_MEAN_WORKING_DIRECTORY:
		return doubt(m, arg->spelling, "another working directory");
	case WB_MEAN_SEARCH_OTHER:
		return doubt(m, arg->spelling, "a kind of search directory that is not modelled");
	default:
		return lexing_flag(m, arg);
	}
}

/* Drivers hand their own arguments on first, then those behind -Wp and -Xpreprocessor, then those behind -Xclang. */
static int phase_of(const struct wb_arg *arg)
{
	switch ((enum wb_wrap)arg->wrap) {
	case WB_WRAP_XCLANG:
		return 2;
	case WB_WRAP_WP:
	case WB_WRAP_XPREPROCESSOR:
		return 1;
	default:
		return 0;
	}
}
enum { PHASES = 3 };

static bool is_pch_header(const struct making *m, const struct wb_arg *arg, bool *first)
{
	const struct wb_command *cmd = m->req->cmd;
	if (cmd->pch_role != WB_PCH_USE)
		return false;
	if (cmd->driver == WB_DRIVER_CLANG)
		return cmd->pch_header && strcmp(arg->value, cmd->pch_header) == 0;
	/* gcc takes a .gch for the first forced include only, wherever along the search path it lies. */
	bool is = *first;
	*first = false;
	return is;
}

/* Everything that is read before the source: -imacros, gcc's own first include, the precompiled header's header,
 * -include. clang's InitializePreprocessor and gcc's push_command_line_include have this order. */
static wb_status forced_files(struct making *m)
{
	const struct wb_command *cmd = m->req->cmd;
	const struct wb_arg *pch = NULL;
	bool first = true;
	for (int phase = 0; phase < PHASES; phase++)
		for (size_t i = 0; i < cmd->narg; i++) {
			const struct wb_arg *arg = &cmd->arg[i];
			if (!arg->option || !arg->value || phase_of(arg) != phase)
				continue;
			if (arg->option->meaning == WB_MEAN_IMACROS)
				add_forced(m, (struct wb_shim_forced){
						  .name = arg->value, .arg = (uint32_t)i, .imacros = true});
			if (arg->option->meaning == WB_MEAN_INCLUDE_PCH)
				pch = arg;
		}
	if (m->req->tc->compiler == WB_COMPILER_GCC && macro(m->req->tc, "_STDC_PREDEF_H").p)
		add_forced(m, (struct wb_shim_forced){.name = "stdc-predef.h", .arg = UINT32_MAX, .optional = true});
	if (pch && cmd->pch_role == WB_PCH_USE) {
		if (!cmd->pch_header)
			return doubt(m, pch->value, "a precompiled header without the name of its header");
		add_forced(m, (struct wb_shim_forced){
				  .name = cmd->pch_header, .arg = (uint32_t)(pch - cmd->arg), .prefix = true});
	}
	for (int phase = 0; phase < PHASES; phase++)
		for (size_t i = 0; i < cmd->narg; i++) {
			const struct wb_arg *arg = &cmd->arg[i];
			if (arg->option && arg->value && arg->option->meaning == WB_MEAN_INCLUDE &&
			    phase_of(arg) == phase)
				add_forced(m, (struct wb_shim_forced){.name = arg->value,
								      .arg = (uint32_t)i,
								      .prefix = is_pch_header(m, arg, &first)});
		}
	for (size_t i = 0; i < m->nforced; i++)
		if (strpbrk(m->forced[i].name, "\"\n"))
			return doubt(m, m->forced[i].name, "a file name that no directive can hold");
	return wb_ok();
}

static void language(struct making *m)
{
	const struct wb_toolchain *tc = m->req->tc;
	enum wb_lang lang = m->req->cmd->lang;
	wb_argv_push(&m->cc1, m->a, "-Eonly");
	wb_argv_push(&m->cc1, m->a, "-w");
	wb_argv_push(&m->cc1, m->a, "-triple");
	wb_argv_push(&m->cc1, m->a, tc->target);
	wb_argv_push(&m->cc1, m->a, "-x");
	wb_argv_push(&m->cc1, m->a, wb_lang_name(lang));
	if (lang != WB_LANG_ASM_CPP) {
		m->dialect = dialect_of(tc, lang);
		wb_argv_push(&m->cc1, m->a, standard(m->a, &m->dialect));
		dialect_words(m);
	}
	if (macro(tc, "__CHAR_UNSIGNED__").p)
		wb_argv_push(&m->cc1, m->a, "-fno-signed-char");
	if (wb_str_eq(macro(tc, "__SIZEOF_WCHAR_T__"), wb_str_of("2")))
		wb_argv_push(&m->cc1, m->a, "-fwchar-type=short");
	if (macro(tc, "__WCHAR_UNSIGNED__").p)
		wb_argv_push(&m->cc1, m->a, "-fno-signed-wchar");
}

wb_status wb_invocation_make(struct wb_shim_request *out, struct wb_arena *a, const struct wb_scan_request *req,
			     enum wb_reason *reason, struct wb_err *err)
{
	struct making m = {.out = out, .a = a, .req = req, .text = WB_BUF_INIT, .reason = reason, .err = err};
	const struct wb_toolchain *tc = req->tc;
	wb_status s = wb_ok();
	language(&m);
	wb_buf_add(&m.text, tc->macros, tc->macros_len);
	for (size_t i = 0; wb_builtin_names[i]; i++)
		if (!wb_toolchain_defines(tc, wb_builtin_names[i]))
			wb_buf_addf(&m.text, "#undef %s\n", wb_builtin_names[i]);
	for (int phase = 0; phase < PHASES && wb_is_ok(s); phase++)
		for (size_t i = 0; i < req->cmd->narg && wb_is_ok(s); i++)
			if (phase_of(&req->cmd->arg[i]) == phase)
				s = argument(&m, &req->cmd->arg[i]);
	if (wb_is_ok(s))
		s = forced_files(&m);
	for (size_t i = 0; i < tc->ndir; i++)
		add_dir(&m, tc->dir[i].path, WB_SHIM_SYSTEM);
	struct wb_shim_overlay *overlay = wb_arena_array(a, req->noverlay + 1, sizeof *overlay);
	for (size_t i = 0; i < req->noverlay; i++)
		overlay[i] = (struct wb_shim_overlay){req->overlay[i].path, req->overlay[i].data, req->overlay[i].n};
	*out = (struct wb_shim_request){
	    .cwd = req->cmd->cwd,
	    .source = req->cmd->source,
	    .cc1 = m.cc1.v,
	    .ncc1 = m.cc1.n,
	    .dir = m.dir,
	    .ndir = m.ndir,
	    .predefines = wb_arena_strndup(a, m.text.p ? m.text.p : "", m.text.n),
	    .predefines_len = m.text.n,
	    .forced = m.forced,
	    .nforced = m.nforced,
	    .overlay = overlay,
	    .noverlay = req->noverlay,
	    .full = req->cmd->lang == WB_LANG_ASM_CPP, /* '#' may start a comment, quotes need not pair */
	    .expand_operands = tc->compiler == WB_COMPILER_GCC,
	    .lazy_lookups = tc->compiler == WB_COMPILER_GCC,
	    .racy_ns = WB_FACTS_RACY_NS,
	};
	wb_buf_release(&m.text);
	return s;
}
