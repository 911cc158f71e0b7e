/* unit.h — one translation unit being scanned, and the memory that a thread keeps from one to the next. Shared by
 * unit.c, interpret.c, include.c, condition.c, stretch.c, prefix.c, builtin.c and record.c. One thread. */
#ifndef WB_SCANNER_DIRECTIVES_UNIT_H
#define WB_SCANNER_DIRECTIVES_UNIT_H

#include "scanner/directives/setup.h"
#include "scanner/directives/subtree.h"

/* Directives: of files that are read again, by which small files could keep a thread busy for ever. A unit of LLVM has
 * some ten thousand in all. */
enum { WB_MAX_INCLUDE_DEPTH = 200, WB_MAX_DIRECTIVES = 1000000 };

/* A file that is being read. */
struct wb_frame {
	const struct wb_program *program;
	struct wb_site *site; /* of the program: one for each of its own, then one for each stretch (stretch.c) */
	uint32_t pc;
	uint32_t behind; /* the include that was read last: 1 + its site; 0: none yet */
	uint32_t node;   /* UINT32_MAX: the command line */
	uint32_t place;  /* as spelled; WB_NOWHERE: the command line */
	uint32_t entity;
	uint32_t dir;    /* where "x" is looked for first */
	uint32_t origin; /* of "x" */
	uint32_t next;   /* where #include_next starts in the list; WB_NOWHERE: as #include */
	uint32_t line;   /* of the directive that is being read */
	bool several;    /* it goes over more than one physical line */
	bool guards;     /* the macro of the guard was not defined when the file was entered */
	bool once;       /* its #pragma once was met */
	bool prefix;     /* the precompiled header's own header */
};

struct wb_node {
	uint32_t place, plain;
	uint32_t flags, first_edge;
	uint32_t program_flags;
};

struct wb_pushed {
	uint32_t name;
	const struct wb_define *def;
};

struct wb_open_question {
	uint32_t word, operand;
};

/* How a condition came out, by the macros that it looked at. */
struct wb_verdict {
	uint32_t rules; /* of the language */
	uint32_t next;  /* another verdict on the same condition; UINT32_MAX: there is none */
	uint16_t nread;
	uint8_t later; /* how many follow */
	bool holds;
	struct wb_read read[];
};

/* The stretch of directives that is being recorded. */
struct wb_stretch_mark {
	const struct wb_define *def; /* what the macro was when it was read */
	uint32_t read, changed;      /* in the recording of this number */
};
struct wb_stretch {
	struct wb_site *site; /* NULL: none is */
	uint32_t number;
	struct wb_stretch_mark *mark; /* by name */
	uint32_t nmark;
	struct wb_read *read;
	uint32_t *change;
	size_t nread, read_cap, nchange, change_cap;
};

/* What all units that begin alike share: the macros, files and edges of their forced includes. */
struct wb_prefix {
	struct wb_setup *setup; /* a reference; NULL: nothing is kept */
	uint32_t disk, era, replaced, cwd;
	size_t nnode, nedge, npushed;
	uint64_t steps;
	bool file_macro, time_macro, modules;
	struct wb_node *node; /* as they were */
	struct wb_pushed *pushed;
	size_t node_cap, pushed_cap;
};

struct wb_unit {
	struct wb_idents *idents;
	struct wb_search search;
	struct wb_macros macros;
	struct wb_table answer; /* (base, question, operand) -> value */
	/* of one scan */
	const struct wb_scan_request *req;
	struct wb_setup *setup;
	struct wb_arena *arena;
	struct wb_frame frame[WB_MAX_INCLUDE_DEPTH + 2];
	unsigned nframe;
	struct wb_node *node;
	size_t nnode, node_cap;
	struct wb_edge *edge; /* names are those of the table of spellings */
	size_t nedge, edge_cap;
	struct wb_pushed *pushed;
	size_t npushed, pushed_cap;
	struct wb_open_question *open;
	size_t nopen, open_cap;
	uint32_t angled; /* the origin of #include <> */
	uint64_t steps;
	struct {                        /* whose search list is in use */
		struct wb_setup *setup; /* a reference */
		uint32_t disk, era;
		bool good;
	} used;
	struct wb_prefix prefix;
	struct wb_stretch stretch;
	struct wb_subtrees subtree;
	unsigned char *verdict; /* pool of verdicts, and of what stretches and whole files did */
	size_t nverdict, verdict_cap;
	size_t pool_limit; /* bytes: when there are more, all are forgotten */
	uint32_t verdict_era, rules;
	uint64_t ended;   /* wb_programs_ended() when the verdicts were known to be good */
	bool provisional; /* a question was met that the compiler has yet to answer */
	bool in_prefix, stop, failed, modules, file_macro, time_macro;
	enum wb_doubt doubt;                   /* why this engine is not sure */
	const char *doubt_where, *diagnostics; /* about what; "" */
};

void wb_unit_init(struct wb_unit *u, struct wb_idents *idents, struct wb_program_store *store);
void wb_unit_release(struct wb_unit *u);

static inline struct wb_frame *wb_unit_top(struct wb_unit *u)
{
	return &u->frame[u->nframe - 1];
}

/* unit.c: one pass over the unit. Questions that have no answer yet count as 0 and are in u->open. */
void wb_unit_run(struct wb_unit *u, const struct wb_scan_request *req, struct wb_setup *setup, struct wb_arena *a);
/* Give up; the first reason stays. `where` is a place or WB_NOWHERE. Returns false. */
bool wb_unit_doubt(struct wb_unit *u, enum wb_doubt why, uint32_t where);
/* What expansion gave up on becomes the doubt of the unit. Returns false. */
bool wb_unit_macro_doubt(struct wb_unit *u);
/* The source has an error at the current directive; `name` is part of its text. The first one is told. */
void wb_unit_failed(struct wb_unit *u, const char *what, uint32_t name);

/* interpret.c: until the stack is down to `floor` frames. */
void wb_unit_interpret(struct wb_unit *u, unsigned floor);
void wb_unit_define(struct wb_unit *u, const struct wb_directive *d, const struct wb_define *def);

/* include.c: put a file that was found on the stack, unless what it does is known (subtree.h); `next` is where
 * #include_next in it starts. False: it cannot be read for sure. */
bool wb_unit_enter(struct wb_unit *u, uint32_t node, uint32_t place, uint32_t next);
/* The parts of entering and leaving that count when what a file does is known. */
void wb_unit_take_in(struct wb_unit *u, uint32_t place);
bool wb_unit_mark_entered(struct wb_unit *u, uint32_t node, const struct wb_program *p);
void wb_unit_took_in(struct wb_unit *u, uint32_t entity, uint32_t guard, bool once);
/* Where the search for a header starts, from a file in directory `dir`; where #include_next starts in what it found. */
uint32_t wb_unit_origin(struct wb_unit *u, uint32_t dir, uint32_t next, bool angled, bool include_next);
uint32_t wb_unit_next(const struct wb_unit *u, uint32_t next, const struct wb_found *found);
void wb_unit_include(struct wb_unit *u, struct wb_frame *f, const struct wb_directive *d);
void wb_unit_embed(struct wb_unit *u, const struct wb_directive *d);
/* A file of the command line, read to its end. */
void wb_unit_forced(struct wb_unit *u, const struct wb_forced *forced);
/* Look up a header as the current frame's #include would. Borrowed until the next look-up. */
struct wb_found *wb_unit_find(struct wb_unit *u, uint32_t name, bool angled, bool include_next);
/* The file of an #embed. */
uint32_t wb_unit_find_embed(struct wb_unit *u, uint32_t name, bool angled);
/* A header name from what macros left: "x" or < ... >. False: a doubt. */
bool wb_unit_header_name(struct wb_unit *u, struct wb_tok first, uint32_t *name, bool *angled);

/* The parameters behind the name in #embed and __has_embed, read to the end of the line or to the ")". False: a doubt.
 * builtin.c */
struct wb_embed {
	bool unknown; /* one of them is not known */
	bool limited;
	uint64_t limit, offset;
};
bool wb_unit_embed_parameters(struct wb_unit *u, struct wb_embed *out, bool parenthesised);

/* condition.c: does the condition of an IF or ELIF of the current frame hold? False too when it is not understood: then
 * u->macros.doubt is set. */
bool wb_unit_condition(struct wb_unit *u, const struct wb_directive *d);
/* A macro was looked at; all that were since wb_macros_watch(): for what is being recorded. */
void wb_unit_tell_read(struct wb_unit *u, uint32_t name, const struct wb_define *def);
void wb_unit_tell_reads(struct wb_unit *u);
/* Room in the pool; where it is. */
uint32_t wb_unit_pool(struct wb_unit *u, size_t size);
/* Forget verdicts that may speak of programs that are gone. */
void wb_unit_check_verdicts(struct wb_unit *u);

/* stretch.c: at the start of a stretch, at directive `pc`. Where to go on: behind it when it is known, else at `pc`,
 * and then it is recorded: each macro that is looked at, each that changes, and its end, or that nothing can be kept.
 */
uint32_t wb_stretch_begin(struct wb_unit *u, struct wb_site *site, uint32_t pc);
void wb_stretch_read(struct wb_stretch *s, uint32_t name, const struct wb_define *def);
void wb_stretch_change(struct wb_stretch *s, uint32_t name);
void wb_stretch_end(struct wb_unit *u, uint32_t pc);
void wb_stretch_never(struct wb_unit *u);
void wb_stretch_release(struct wb_stretch *s);
/* What a stretch leaves changed, by where it is in the pool. */
const struct wb_read *wb_stretch_changes(const struct wb_unit *u, uint32_t memory, size_t *n);

/* prefix.c: start from the kept state if the request begins like the unit that left it. */
bool wb_unit_resume(struct wb_unit *u);
/* Keep the present state, in which the forced includes have just been read. */
void wb_unit_keep(struct wb_unit *u);
void wb_prefix_drop(struct wb_prefix *p);

/* builtin.c */
bool wb_unit_builtin(void *ctx, struct wb_macros *m, struct wb_tok name, struct wb_tok *out);

/* record.c */
uint32_t wb_unit_node(struct wb_unit *u, uint32_t place);
struct wb_edge *wb_unit_edge(struct wb_unit *u, uint32_t from, uint32_t line, uint32_t to, enum wb_edge_kind kind,
			     const char *name);
/* Is the result certain? WB_EUNSCANNABLE with *reason when not. */
wb_status wb_unit_check(struct wb_unit *u, enum wb_reason *reason, struct wb_err *err);
void wb_unit_graph(struct wb_graph *out, struct wb_unit *u);

#endif
