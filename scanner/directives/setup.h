/* setup.h — what a scan starts from: the language's rules and the compiler's macros (once per toolchain), and what one
 * command adds to them. */
#ifndef WB_SCANNER_DIRECTIVES_SETUP_H
#define WB_SCANNER_DIRECTIVES_SETUP_H

#include "scanner/directives/definitions.h"
#include "scanner/directives/expression.h"
#include "scanner/directives/search.h"

/* What all commands of one toolchain and language share. Read-only once made; lives as long as the engine. */
struct wb_base {
	const struct wb_toolchain *tc;
	char *key; /* that of the toolchain when this was made: another one may come to the same address */
	const char *macros;
	enum wb_lang lang;
	uint32_t id; /* small, unique in the engine */
	unsigned lex;
	struct wb_expression_rules rules;
	bool strict_comma, predef; /* predef: gcc's stdc-predef.h comes first */
	struct wb_define *builtin;
	size_t nbuiltin;
	struct wb_program *program;      /* the predefined macros */
	const struct wb_define **define; /* what stands for each of its definitions */
	struct wb_base *next;
};

struct wb_base *wb_base_new(struct wb_idents *idents, struct wb_definitions *definitions, const struct wb_toolchain *tc,
			    enum wb_lang lang);
void wb_base_free(struct wb_base *b);
bool wb_base_is(const struct wb_base *b, const struct wb_toolchain *tc, enum wb_lang lang);

struct wb_forced {
	const char *name;
	uint32_t arg;
	bool prefix, optional;
};

/* What a command says besides its source and its outputs; shared by all commands that say the same. Read-only once
 * made; thread-safe references. */
struct wb_setup {
	atomic_uint refs;
	const struct wb_base *base;
	unsigned lex;
	struct wb_expression_rules rules;
	struct wb_program *macros;       /* -D and -U; a reference */
	const struct wb_define **define; /* what stands for each of its definitions */
	struct wb_search_list *dir;
	size_t ndir;
	struct wb_forced *forced;
	size_t nforced;
	bool embed_dirs;
	struct wb_arena arena;
};

/* The setup of a request, as text that is equal for equal ones; memory in `a`. */
struct wb_str wb_setup_key(struct wb_arena *a, const struct wb_base *base, const struct wb_scan_request *req);
/* One reference, the caller's. WB_EUNSCANNABLE: an argument means something that is not modelled. */
wb_status wb_setup_make(struct wb_setup **out, struct wb_idents *idents, struct wb_definitions *definitions,
			const struct wb_base *base, const struct wb_scan_request *req, enum wb_reason *reason,
			struct wb_err *err);
struct wb_setup *wb_setup_ref(struct wb_setup *s);
void wb_setup_unref(struct wb_setup *s); /* NULL is fine */
/* A small number for the rules by which conditions are evaluated and files are read. */
uint32_t wb_setup_rules(const struct wb_setup *s);

#endif
