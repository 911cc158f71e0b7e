#include "scanner/directives/setup.h"

#include "scanner/clang/invocation.h"
#include "scanner/questions.h"

#include <stdlib.h>
#include <string.h>

/* The number that a predefined macro stands for; 0 when there is none. */
static unsigned long number(const struct wb_idents *idents, const struct wb_program *p, const char *name)
{
	for (uint32_t i = 0; i < p->ndefine; i++)
		if (wb_str_eq(wb_ident_text(idents, p->define[i].name), wb_str_of(name)))
			return p->define[i].nbody ? strtoul(p->define[i].body, NULL, 10) : 1;
	return 0;
}

static void set_rules(struct wb_base *b, const struct wb_idents *idents)
{
	const struct wb_toolchain *tc = b->tc;
	bool gcc = tc->compiler == WB_COMPILER_GCC, cxx = b->lang == WB_LANG_CXX;
	bool assembler = b->lang == WB_LANG_ASM_CPP;
	unsigned long cplusplus = cxx ? number(idents, b->program, "__cplusplus") : 0;
	unsigned long c = cxx ? 0 : number(idents, b->program, "__STDC_VERSION__");
	bool strict = number(idents, b->program, "__STRICT_ANSI__") != 0;
	bool c99 = c >= 199901, c23 = c > 201710;
	bool c89_strict = !cxx && !assembler && strict && c < 199409;
	unsigned lex = WB_LEX_DOLLARS;
	if (assembler)
		lex = WB_LEX_ASM;
	if (cxx || c99 || !strict || assembler)
		lex |= WB_LEX_LINE_COMMENTS;
	if (cplusplus >= 201103 || (!cxx && !assembler && !strict && c99 && (gcc || tc->major >= 20)))
		lex |= WB_LEX_RAW_STRINGS;
	if (cplusplus >= 201402 || c23)
		lex |= WB_LEX_DIGIT_SEPARATORS;
	if (cplusplus >= 201103 || c > 199901 || (gcc && c99 && !strict && !assembler))
		lex |= WB_LEX_U_PREFIXES;
	if (cplusplus >= 201703 || c23)
		lex |= WB_LEX_U8_CHARACTERS;
	if (cxx || (c99 && !assembler))
		lex |= WB_LEX_UNICODE;
	if (!c89_strict)
		lex |= WB_LEX_DIGRAPHS;
	if (strict && !assembler && cplusplus < 201703 && !c23)
		lex |= WB_LEX_TRIGRAPHS;
	if (cplusplus > 201703)
		lex |= WB_LEX_MODULES;
	b->lex = lex;
	b->strict_comma = strict && (c99 || cxx);
	b->rules = (struct wb_expression_rules){
	    .cxx = cxx,
	    .operator_names = cxx,
	    .bool_words = cxx || (c23 && !gcc && tc->major >= 19),
	    .bool_unsure = c23 && (gcc || tc->major < 19),
	    .digit_separators = lex & WB_LEX_DIGIT_SEPARATORS,
	    .unsigned_wchar = number(idents, b->program, "__WCHAR_UNSIGNED__") != 0,
	    .unsigned_char = number(idents, b->program, "__CHAR_UNSIGNED__") != 0,
	};
	b->predef = gcc && number(idents, b->program, "_STDC_PREDEF_H") != 0;
}

struct wb_base *wb_base_new(struct wb_idents *idents, struct wb_definitions *definitions, const struct wb_toolchain *tc,
			    enum wb_lang lang)
{
	struct wb_base *b = wb_xcalloc(1, sizeof *b);
	struct wb_buf text = WB_BUF_INIT;
	b->tc = tc;
	b->lang = lang;
	b->key = wb_xstrdup(tc->key);
	b->macros = tc->macros;
	wb_buf_add(&text, tc->macros, tc->macros_len);
	if (wb_toolchain_defines(tc, "__building_module"))
		wb_buf_adds(&text, "#define __building_module(x) 0\n");
	wb_buf_addc(&text, '\n');
	b->program = wb_program_new(idents, text.p, text.n, WB_LEX_DOLLARS | WB_LEX_LINE_COMMENTS);
	wb_buf_release(&text);
	b->define = wb_xcalloc(b->program->ndefine + 1, sizeof *b->define);
	wb_definitions_unify(definitions, b->program, b->define);
	b->builtin = wb_xcalloc(WB_WORD_D_DEFINE, sizeof *b->builtin);
	static const uint32_t always[] = {WB_WORD_LINE, WB_WORD_FILE, WB_WORD_DATE, WB_WORD_TIME,
					  WB_WORD_PRAGMA_OPERATOR};
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		b->builtin[b->nbuiltin++] = (struct wb_define){.name = always[i], .flags = WB_DEFINE_BUILTIN};
	for (uint32_t id = WB_WORD_LINE; id < WB_WORD_D_DEFINE; id++) {
		bool is_always = id == WB_WORD_LINE || id == WB_WORD_FILE || id == WB_WORD_DATE || id == WB_WORD_TIME ||
				 id == WB_WORD_PRAGMA_OPERATOR;
		if (!is_always && wb_toolchain_defines(tc, wb_ident_text(idents, id).p))
			b->builtin[b->nbuiltin++] = (struct wb_define){.name = id, .flags = WB_DEFINE_BUILTIN};
	}
	set_rules(b, idents);
	return b;
}

void wb_base_free(struct wb_base *b)
{
	if (!b)
		return;
	wb_program_unref(b->program);
	free(b->define);
	free(b->builtin);
	free(b->key);
	free(b);
}

bool wb_base_is(const struct wb_base *b, const struct wb_toolchain *tc, enum wb_lang lang)
{
	return b->tc == tc && b->lang == lang && b->macros == tc->macros && strcmp(b->key, tc->key) == 0;
}

/* The words that the clang engine would be told are what changes the rules beyond the predefined macros. */
static void lexing_words(struct wb_setup *out, const struct wb_shim_request *shim)
{
	static const struct {
		const char *word;
		unsigned set, clear;
	} row[] = {{"-ftrigraphs", WB_LEX_TRIGRAPHS, 0},
		   {"-fno-trigraphs", 0, WB_LEX_TRIGRAPHS},
		   {"-fdollars-in-identifiers", WB_LEX_DOLLARS, 0},
		   {"-fno-dollars-in-identifiers", 0, WB_LEX_DOLLARS},
		   {"-fraw-string-literals", WB_LEX_RAW_STRINGS, 0},
		   {"-fno-raw-string-literals", 0, WB_LEX_RAW_STRINGS}};
	for (size_t i = 0; i < shim->ncc1; i++) {
		for (size_t k = 0; k < sizeof row / sizeof *row; k++)
			if (strcmp(shim->cc1[i], row[k].word) == 0)
				out->lex = (out->lex | row[k].set) & ~row[k].clear;
		if (strcmp(shim->cc1[i], "-fno-operator-names") == 0)
			out->rules.operator_names = false;
		if (wb_starts_with(shim->cc1[i], "--embed-dir="))
			out->embed_dirs = true;
	}
}

struct wb_str wb_setup_key(struct wb_arena *a, const struct wb_base *base, const struct wb_scan_request *req)
{
	const struct wb_command *cmd = req->cmd;
	struct wb_buf key = WB_BUF_INIT;
	wb_buf_add(&key, (const char *)&base->id, sizeof base->id);
	wb_buf_add(&key, cmd->cwd, strlen(cmd->cwd) + 1);
	wb_buf_addc(&key, (char)cmd->pch_role);
	if (cmd->pch_header)
		wb_buf_add(&key, cmd->pch_header, strlen(cmd->pch_header));
	wb_buf_addc(&key, '\0');
	for (size_t i = 0; i < cmd->narg; i++) {
		const struct wb_arg *arg = &cmd->arg[i];
		bool output = arg->option && (arg->option->operand == WB_OPERAND_FILE_OUT ||
					      arg->option->operand == WB_OPERAND_PATH_TEXT);
		wb_buf_addc(&key, (char)(1 + arg->wrap));
		if (arg->spelling)
			wb_buf_add(&key, arg->spelling, strlen(arg->spelling));
		wb_buf_addc(&key, arg->separate ? '\1' : '\0');
		if (arg->value && !output && i != cmd->source_arg)
			wb_buf_add(&key, arg->value, strlen(arg->value));
		wb_buf_addc(&key, '\0');
	}
	struct wb_str out = {wb_arena_memdup(a, key.p, key.n), key.n};
	wb_buf_release(&key);
	return out;
}

static wb_status fill(struct wb_setup *out, struct wb_idents *idents, struct wb_definitions *definitions,
		      const struct wb_base *base, const struct wb_scan_request *req, enum wb_reason *reason,
		      struct wb_err *err)
{
	struct wb_shim_request shim;
	struct wb_arena *a = &out->arena, scratch;
	wb_arena_init(&scratch);
	wb_status s = wb_invocation_make(&shim, &scratch, req, reason, err);
	if (!wb_is_ok(s)) {
		wb_arena_release(&scratch);
		return s;
	}
	out->base = base;
	out->lex = base->lex;
	out->rules = base->rules;
	lexing_words(out, &shim);
	/* The compiler's own macros come first there; the base has them already. */
	out->macros = wb_program_new(idents, shim.predefines + req->tc->macros_len,
				     shim.predefines_len - req->tc->macros_len, base->lex | WB_LEX_LINE_COMMENTS);
	out->define = wb_arena_array(a, out->macros->ndefine + 1, sizeof *out->define);
	wb_definitions_unify(definitions, out->macros, out->define);
	out->dir = wb_arena_array(a, shim.ndir + 1, sizeof *out->dir);
	out->ndir = shim.ndir;
	static const enum wb_search_group group[] = {[WB_SHIM_QUOTE] = WB_SEARCH_QUOTE,
						     [WB_SHIM_ANGLED] = WB_SEARCH_ANGLED,
						     [WB_SHIM_SYSTEM] = WB_SEARCH_SYSTEM,
						     [WB_SHIM_AFTER] = WB_SEARCH_AFTER};
	for (size_t i = 0; i < shim.ndir; i++)
		out->dir[i] = (struct wb_search_list){wb_arena_strdup(a, shim.dir[i].path), group[shim.dir[i].group]};
	out->forced = wb_arena_array(a, shim.nforced + 1, sizeof *out->forced);
	out->nforced = shim.nforced;
	for (size_t i = 0; i < shim.nforced; i++)
		out->forced[i] = (struct wb_forced){wb_arena_strdup(a, shim.forced[i].name), shim.forced[i].arg,
						    shim.forced[i].prefix, shim.forced[i].optional};
	wb_arena_release(&scratch);
	return s;
}

wb_status wb_setup_make(struct wb_setup **out, struct wb_idents *idents, struct wb_definitions *definitions,
			const struct wb_base *base, const struct wb_scan_request *req, enum wb_reason *reason,
			struct wb_err *err)
{
	struct wb_setup *s = wb_xcalloc(1, sizeof *s);
	atomic_init(&s->refs, 1);
	wb_arena_init(&s->arena);
	wb_status status = fill(s, idents, definitions, base, req, reason, err);
	if (wb_is_ok(status))
		*out = s;
	else
		wb_setup_unref(s);
	return status;
}

struct wb_setup *wb_setup_ref(struct wb_setup *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void wb_setup_unref(struct wb_setup *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	wb_program_unref(s->macros);
	wb_arena_release(&s->arena);
	free(s);
}

uint32_t wb_setup_rules(const struct wb_setup *s)
{
	const struct wb_expression_rules *r = &s->rules;
	return (uint32_t)(r->cxx | r->operator_names << 1 | r->bool_words << 2 | r->bool_unsure << 3 |
			  r->digit_separators << 4 | r->unsigned_char << 5 | r->unsigned_wchar << 6 |
			  s->base->strict_comma << 7 | s->base->tc->compiler << 8 | (unsigned)s->base->tc->major << 16);
}
