/* toolchain_impl.h — between the parts of the toolchain cache (toolchain.c, toolchain_ask.c, toolchain_store.c,
 * questions.c); nobody else includes it. */
#ifndef WB_SCANNER_TOOLCHAIN_IMPL_H
#define WB_SCANNER_TOOLCHAIN_IMPL_H

#include "base/arena.h"
#include "base/map.h"
#include "scanner/executable.h"
#include "scanner/identity.h"
#include "scanner/toolchain.h"

#include <pthread.h>

/* One build of a compiler, with the flags that choose its programs. */
struct compiler {
	struct wb_executable exe;
	enum wb_compiler kind;
	unsigned major;
	const char *version;
	const char *const *own_dir; /* what `identity` alone tells; an entry may add to it */
	size_t nown_dir;
	struct wb_identity identity;
};

/* How to run the compiler with the flags of one toolchain. */
struct compiler_call {
	const char *exe;
	const char *const *word; /* relevant flags */
	size_t nword;
	const char *lang; /* for -x */
	const char *cwd;
};

struct toolchain_entry {
	struct wb_toolchain tc; /* first: callers hold a pointer to it */
	struct compiler_call call;
	const struct compiler *compiler;
	const char *const
	    *absent; /* directories that the compiler looked for in vain: were one made, its answer would change */
	size_t nabsent;
	struct wb_identity_file *watch; /* headers that shaped the macros (gcc's stdc-predef.h, -fplugin files) */
	struct wb_digest *watch_digest;
	size_t nwatch;
	struct wb_map defined; /* builtin names that the compiler knows */
	pthread_mutex_t lock;  /* of the answers */
	struct wb_map answer;  /* "name operand" -> value + 1; UINT64_MAX: it has no answer */
};

struct wb_toolchains {
	struct wb_facts *facts;
	char *cache_dir;        /* NULL: memory only */
	pthread_mutex_t lock;   /* of the maps */
	pthread_mutex_t make;   /* held while a compiler is being asked: one at a time */
	struct wb_map compiler; /* key -> struct compiler */
	struct wb_map entry;    /* key -> struct toolchain_entry; replaced ones live on in `all` */
	uint64_t moment;        /* of `recent` */
	struct wb_map recent;   /* what was looked up in that moment -> struct toolchain_entry */
	struct toolchain_entry **all;
	size_t nall, cap;
	struct wb_arena arena; /* of everything that is handed out; under `make` */
};

/* toolchain_ask.c: run the compiler and read what it says. */

/* What version this is and what it is made of. `reason` as in wb_toolchain_get. */
wb_status wb_compiler_ask(struct compiler *out, struct wb_arena *a, struct wb_facts *f, const struct wb_executable *exe,
			  const struct compiler_call *call, const char *path_env, enum wb_reason *reason,
			  struct wb_err *err);
/* Macros, search directories, target: everything of `e` but compiler and answers. */
wb_status wb_toolchain_ask_all(struct toolchain_entry *e, struct wb_arena *a, struct wb_facts *f, struct wb_err *err);
/* Preprocess `text` as a source: "-E -P". `*clean`: the compiler had no errors. */
wb_status wb_compiler_preprocess(struct wb_buf *out, const struct compiler_call *call, const char *text, size_t n,
				 bool *clean, struct wb_err *err);

/* questions.c */

/* Ask which of the builtin names exist; fills e->defined and the macros that are builtins of ours but not of theirs. */
wb_status wb_questions_defined(struct toolchain_entry *e, struct wb_arena *a, struct wb_err *err);

/* toolchain_store.c: entries and answers on disk. Loading fails (WB_ENOENT, WB_ECORRUPT, WB_ESTALE) without harm: ask
 * again. */
wb_status wb_toolchain_load(struct toolchain_entry *e, struct wb_arena *a, struct wb_facts *f, const char *dir,
			    struct wb_err *err);
wb_status wb_toolchain_save(const struct toolchain_entry *e, const char *dir, struct wb_err *err);
wb_status wb_answers_load(struct toolchain_entry *e, const char *dir, struct wb_err *err);
wb_status wb_answers_save(struct toolchain_entry *e, const char *dir, struct wb_err *err); /* under e->lock */

#endif
