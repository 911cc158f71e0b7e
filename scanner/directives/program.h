/* program.h — a file reduced to its directives. Made once from the text, then read-only and shared by all threads; the
 * text itself is not kept. Bodies of macros are turned into tokens when they are first expanded. */
#ifndef WB_SCANNER_DIRECTIVES_PROGRAM_H
#define WB_SCANNER_DIRECTIVES_PROGRAM_H

#include "base/arena.h"
#include "base/status.h"
#include "scanner/directives/token.h"
#include "scanner/doubt.h"
#include "scanner/facts.h"

#include <stdatomic.h>

enum wb_define_flag {
	WB_DEFINE_FUNCTION = 1,
	WB_DEFINE_VARIADIC = 2,
	WB_DEFINE_TIME = 4,    /* the body has __DATE__, __TIME__ or __TIMESTAMP__ */
	WB_DEFINE_BUILTIN = 8, /* no body: the compiler's own */
	WB_DEFINE_PASTES = 16, /* the body has # or ## */
};

struct wb_body {
	uint32_t n;
	struct wb_tok tok[];
};

struct wb_define {
	uint32_t name;
	uint16_t nparam, lex;
	uint8_t flags;
	uint32_t nbody;
	const char *body;
	const uint32_t *param; /* the last one of a variadic macro is __VA_ARGS__ or its own name */
	_Atomic(struct wb_body *) tokens;
};

/* The tokens of the body; NULL: the table of spellings is full. Thread-safe. Lives as long as the program. */
const struct wb_body *wb_define_body(const struct wb_define *d, struct wb_idents *idents);
/* Is it one that wb_program_new could have made? For those that come from elsewhere. */
bool wb_define_is_sound(const struct wb_define *d, struct wb_idents *idents);

enum wb_op {
	WB_OP_DEFINE, /* a: index of the define, b: its name */
	WB_OP_UNDEF,  /* a: name */
	/* Conditionals. b: the next branch, or with LAST what follows the group */
	WB_OP_IFDEF,       /* a: name */
	WB_OP_IFNDEF,      /* a: name */
	WB_OP_IF,          /* a: site */
	WB_OP_IF_CONSTANT, /* a: 0 or 1 */
	WB_OP_ELIF,        /* as IF */
	WB_OP_ELIFDEF,
	WB_OP_ELIFNDEF,
	WB_OP_ELSE,
	WB_OP_INCLUDE, /* a: name, unless COMPUTED; b: site */
	WB_OP_INCLUDE_NEXT,
	WB_OP_IMPORT,
	WB_OP_EMBED,
	WB_OP_ONCE,
	WB_OP_PUSH, /* a: name */
	WB_OP_POP,  /* a: name */
	WB_OP_MODULE,
	WB_OP_DEPENDENCY, /* #pragma GCC dependency */
	WB_OP_TARGET,     /* #pragma GCC target and relatives */
	WB_OP_LINE,
	WB_OP_TIME,  /* a: 1 with __TIMESTAMP__ */
	WB_OP_ENDIF, /* only while a program is being made */
	WB_OP_BAD,   /* a: enum wb_doubt */
};

enum wb_op_flag {
	WB_OP_COMPUTED = 1,   /* the operand is tokens to be expanded */
	WB_OP_SEVERAL = 2,    /* goes over more than one physical line */
	WB_OP_ANGLED = 4,     /* of a header name: in <> */
	WB_OP_TELLS_TIME = 8, /* of a define: WB_DEFINE_TIME */
	WB_OP_LAST = 16,      /* of a conditional: no branch follows */
};

enum { WB_MAX_LINE = (1 << 22) - 1 };

/* Small: a unit reads some ten thousand of them. */
struct wb_directive {
	uint32_t op : 5, flags : 5, line : 22;
	uint32_t a, b;
};

/* A place in a program of which a thread remembers something (a condition, an include), and its tokens if it has any.
 */
struct wb_site_tokens {
	uint32_t first, n;
};

enum wb_program_flag {
	WB_PROGRAM_INCBIN = 1,
	WB_PROGRAM_ASM_INCLUDE = 2,  /* .include */
	WB_PROGRAM_NO_END = 4,       /* a conditional or comment goes on to the end: an error */
	WB_PROGRAM_ELIFDEF = 8,      /* has #elifdef or #elifndef */
	WB_PROGRAM_EVERY_TOKEN = 16, /* a _Pragma may change macros or the guard: text must be expanded to know */
	WB_PROGRAM_DEPENDENCY = 32,  /* "GCC dependency" in a _Pragma, perhaps */
	WB_PROGRAM_TARGET = 64,      /* "GCC target" in a _Pragma, perhaps */
	WB_PROGRAM_LINE_DIRECTIVE = 128,
};

struct wb_program {
	atomic_uint refs;
	struct wb_stat_id id; /* of the bytes that it was made from */
	unsigned lex;
	uint32_t flags;
	bool racy;      /* touched so shortly before it was read that a later change may not show: not to be kept */
	bool cut_short; /* the table of spellings was full */
	const struct wb_directive *op;
	uint32_t nop, nsite;
	const struct wb_site_tokens *operand; /* by site */
	const struct wb_tok *tok;
	struct wb_define *define;
	uint32_t ndefine;
	enum wb_doubt doubt; /* the text as a whole is not understood */
	uint32_t guard;      /* the macro of an include guard around everything; 0: none */
	uint64_t content;    /* hash of the text */
	size_t cost;         /* bytes of memory, about */
	struct wb_arena arena;
};

/* Make the program of `text` (text[n] is a NUL; not kept). One reference, the caller's. Never fails: what cannot be
 * understood is a doubt in the program. */
struct wb_program *wb_program_new(struct wb_idents *idents, const char *text, size_t n, unsigned lex);
struct wb_program *wb_program_ref(struct wb_program *p);
void wb_program_unref(struct wb_program *p); /* NULL is fine */
/* The end of one that nobody else has seen. */
void wb_program_discard(struct wb_program *p);
size_t wb_program_cost(const struct wb_program *p); /* what `cost` is to be */
/* What follows the group of the conditional at `i`. */
uint32_t wb_program_behind(const struct wb_program *p, uint32_t i);
/* A hash of everything but the line numbers. Numbers of spellings are part of it: comparable within one table of them.
 * False: no memory. */
bool wb_program_shape(uint64_t shape[2], const struct wb_program *p);
/* May a directive, or a macro, use __LINE__? */
bool wb_program_tells_line(const struct wb_program *p);
/* How many programs have ended in this process. While the number stands still, an address inside a program means the
 * same program as before. Thread-safe. */
uint64_t wb_programs_ended(void);

#endif
