/* toolchain.h — what one compiler, with one set of relevant flags, predefines and where it looks; asked from the
 * compiler itself, once, and cached in memory and on disk by (identity, flags). Immutable once returned and shared by
 * threads. */
#ifndef WB_SCANNER_TOOLCHAIN_H
#define WB_SCANNER_TOOLCHAIN_H

#include "base/digest.h"
#include "base/err.h"
#include "scanner/command.h"

#include <stddef.h>

struct wb_facts;
struct wb_toolchains; /* the cache */

enum wb_compiler { WB_COMPILER_GCC, WB_COMPILER_CLANG };

struct wb_search_dir {
	const char *path; /* as the compiler prints it, absolute, not normalised: what it would open */
	bool after;       /* behind -idirafter directories (reserved; the built-in ones are `false`) */
};

struct wb_toolchain {
	enum wb_compiler compiler;
	unsigned major;
	const char *version;        /* first line of --version */
	const char *executable;     /* absolute; what an action runs: links into unbound places (/etc/alternatives)
				     * followed,     the name that decides the language mode (clang++) kept */
	const char *target;         /* "x86_64-pc-linux-gnu" */
	const char *resource_dir;   /* clang; NULL for gcc */
	const char *const *own_dir; /* directories of the compiler's own tree (physical), which count as system */
	size_t nown_dir;
	const char
	    *macros; /* output of -E -dM: "#define X Y\n"... for the relevant flags, without any -D of the user */
	size_t macros_len;
	const struct wb_search_dir *dir; /* built-in <> search directories, in order, after the user's */
	size_t ndir;
	struct wb_digest identity; /* content of driver, sub-programs, their libraries, specs, configuration files */
	struct wb_toolchains *owner;
	const char *key; /* internal: cache key of (identity, flags) */
};

/* `cache_dir`: where answers are kept on disk (NULL: memory only). `facts` is borrowed. */
wb_status wb_toolchains_new(struct wb_toolchains **out, struct wb_facts *facts, const char *cache_dir,
			    struct wb_err *err);
void wb_toolchains_free(struct wb_toolchains *t);

/* The toolchain of `cmd` (compiler looked up in `path_env`, the caller's PATH, relative to cmd->cwd). A compiler
 * replaced in place is noticed by the facts of the files of its identity (stat each call). Borrowed until
 * wb_toolchains_free. WB_EUNSCANNABLE with *reason = COMPILER or WRAPPER (ccache, distcc, a script): run locally. */
wb_status wb_toolchain_get(const struct wb_toolchain **out, struct wb_toolchains *t, const struct wb_command *cmd,
			   const char *path_env, enum wb_reason *reason, struct wb_err *err);

/* The same for requests that may share one look at the disk (wb_scan_request.moment; 0: this one looks for itself). */
wb_status wb_toolchain_get_at(const struct wb_toolchain **out, struct wb_toolchains *t, const struct wb_command *cmd,
			      const char *path_env, uint64_t moment, enum wb_reason *reason, struct wb_err *err);

/* Is this still the compiler that was asked? A stat for each file of its identity. Thread-safe. */
bool wb_toolchain_holds(const struct wb_toolchain *tc);

/* Does `path`, as the compiler spells it, lie in the compiler's own tree? */
bool wb_toolchain_owns(const struct wb_toolchain *tc, const char *path);

/* The i-th of the files whose content makes the identity; NULL behind the last. Borrowed, as long as the toolchain. */
const char *wb_toolchain_file(const struct wb_toolchain *tc, size_t i);

/* A question that only the compiler can answer in a condition: `name` is "__has_builtin", `operand` its text. */
struct wb_question {
	const char *name, *operand;
	uint32_t value; /* out */
};
/* Which of __has_builtin, __has_feature ... this compiler defines at all: true or false. Asked once with the macros. */
bool wb_toolchain_defines(const struct wb_toolchain *tc, const char *name);
/* Answer all questions: from the cache, the unknown ones in one batch from the compiler. Thread-safe. */
wb_status wb_toolchain_ask(const struct wb_toolchain *tc, struct wb_question *q, size_t n, struct wb_err *err);

/* The answer to one question when it is known already; nothing is run. Thread-safe. */
bool wb_toolchain_known(const struct wb_toolchain *tc, struct wb_question *q);

/* For `waybill doctor`: describe `compiler` (as would be run from `cwd`). */
wb_status wb_toolchain_describe(struct wb_buf *out, struct wb_toolchains *t, const char *compiler, const char *path_env,
				struct wb_err *err);

#endif
