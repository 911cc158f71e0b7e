/* macro.h — the macros of one translation unit, and their expansion. One thread. A reset costs nothing: entries of an
 * older generation count as undefined. Definitions are borrowed from programs, which must stay alive. A state can be
 * kept: the units that start with it share it, and what they change is written down and undone.
 *
 * Expansion follows C23 6.10.5 as clang and gcc implement it: a macro is disabled while its expansion is being read, an
 * identifier that named a disabled macro is never expanded again, arguments are expanded before substitution unless
 * beside # or ##. What they leave open or differ in is a doubt. */
#ifndef WB_SCANNER_DIRECTIVES_MACRO_H
#define WB_SCANNER_DIRECTIVES_MACRO_H

#include "scanner/directives/program.h"

enum {
	WB_EXPAND_MAX_TOKENS = 1 << 18, /* of one directive */
	WB_EXPAND_MAX_DEPTH = 200,      /* of arguments within arguments */
	WB_EXPAND_MAX_STREAMS = 4096,
};

/* What an identifier stands for, small because a unit touches thousands of them: the definition's address below, the
 * generation in the upper 16 bits. 0: not defined. */
typedef uint64_t wb_macro_slot;
#define WB_NO_GENERATION 0xffffu

/* Tokens that are being read: the directive's own, an expansion, an argument. */
struct wb_stream {
	const struct wb_tok *p, *end;
	uint32_t name; /* the macro to enable again behind it; 0 */
};

/* A macro that was looked at, and what it was. */
struct wb_read {
	const struct wb_define *def; /* NULL: not defined */
	uint32_t name;
};

struct wb_undo {
	wb_macro_slot slot;
	uint32_t name;
};

enum { WB_MAX_READS = 64 };

struct wb_macros;

/* Expand the builtin macro `name` (its operand is read with wb_expand_*). False: a doubt was set. */
typedef bool wb_builtin_fn(void *ctx, struct wb_macros *m, struct wb_tok name, struct wb_tok *out);

struct wb_macros {
	struct wb_idents *idents;
	wb_macro_slot *slot; /* by identifier */
	uint8_t *disabled;   /* by identifier: its expansion is being read */
	uint32_t nslot;
	uint32_t generation;  /* from 1 */
	uint32_t kept;        /* the generation of the kept state */
	struct wb_undo *undo; /* entries of the kept state that were changed since */
	size_t nundo, undo_cap;
	struct wb_read read[WB_MAX_READS]; /* while `reading`: every macro that was looked at */
	size_t nread;
	bool dead;              /* the value of what is being read does not matter: it stands behind "0 &&", say */
	bool reading, unsteady; /* unsteady: something else was looked at too, or there are more */
	bool more;
	struct wb_stream *stream;
	size_t nstream, base, cap;
	struct wb_tok **block; /* pool */
	size_t nblock, used, at;
	size_t budget;
	unsigned depth;      /* of arguments within arguments */
	uint8_t space;       /* flags for the next token: white space that an expansion left behind */
	enum wb_doubt doubt; /* why expansion gave up */
	bool strict_comma;   /* ", ## __VA_ARGS__" keeps its comma without named parameters (strict C99) */
	wb_builtin_fn *builtin;
	void *ctx;
};

void wb_macros_init(struct wb_macros *m, struct wb_idents *idents);
void wb_macros_release(struct wb_macros *m);
void wb_macros_reset(struct wb_macros *m);
/* Keep the present state; go back to it (it must have been kept since the last reset). */
void wb_macros_keep(struct wb_macros *m);
void wb_macros_back(struct wb_macros *m);

void wb_macro_define_slow(struct wb_macros *m, uint32_t name, const struct wb_define *d);
void wb_macro_undef(struct wb_macros *m, uint32_t name);
/* From now on, note every macro that is looked at, if `on`. */
void wb_macros_watch(struct wb_macros *m, bool on);
void wb_macro_note(struct wb_macros *m, uint32_t name, const struct wb_define *def);

static inline void wb_macro_define(struct wb_macros *m, uint32_t name, const struct wb_define *d)
{
	if (name < m->nslot && m->slot[name] >> 48 != m->kept)
		m->slot[name] = (uint64_t)m->generation << 48 | (uintptr_t)d;
	else
		wb_macro_define_slow(m, name, d);
}

static inline const struct wb_define *wb_macro_get(const struct wb_macros *m, uint32_t name)
{
	if (name >= m->nslot)
		return NULL;
	wb_macro_slot s = m->slot[name];
	return s >> 48 == m->generation || s >> 48 == m->kept ? (const struct wb_define *)(uintptr_t)(s << 16 >> 16)
							      : NULL;
}

/* The same where a condition is being evaluated. */
static inline const struct wb_define *wb_macro_read(struct wb_macros *m, uint32_t name)
{
	const struct wb_define *d = wb_macro_get(m, name);
	if (m->reading)
		wb_macro_note(m, name, d);
	return d;
}

/* Start to read the tokens of a directive; `tok` must stay until the end. */
void wb_expand_begin(struct wb_macros *m, const struct wb_tok *tok, size_t n);
/* The next token, macros expanded; kind END behind the last one and after a doubt. */
struct wb_tok wb_expand_next(struct wb_macros *m);
/* The next token as it stands. */
struct wb_tok wb_expand_raw(struct wb_macros *m);
/* Does the directive itself, no macro, go on with "<"? */
bool wb_expand_at_angle(const struct wb_macros *m);
/* Give up: everything that follows is END. Returns false. */
bool wb_expand_doubt(struct wb_macros *m, enum wb_doubt why);

/* substitute.c: the expansion of a function-like macro, or of one with ##. Arguments: raw tokens, one list a parameter.
 * The result lives in the pool. */
struct wb_list {
	struct wb_tok *v;
	size_t n;
};
struct wb_arg_list {
	struct wb_list raw, expanded;
	bool is_expanded;
};
bool wb_macro_substitute(struct wb_macros *m, const struct wb_define *d, const struct wb_body *b,
			 struct wb_arg_list *arg, bool has_variadic, struct wb_list *out);

/* For substitute.c: memory of the pool (NULL and a doubt when the budget is spent), and the full expansion of a list.
 */
struct wb_tok *wb_pool_tokens(struct wb_macros *m, size_t n);
bool wb_expand_list(struct wb_macros *m, const struct wb_list *in, struct wb_list *out);

#endif
