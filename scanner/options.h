/* options.h — the table of compiler options: one row an option, with its operand form and its meaning. Everything that
 * Waybill knows about a flag is in its row; nothing elsewhere compares option spellings.
 * Sources: GCC 12 manual "Invoking GCC"; clang 22 `--help-hidden` and Options.td names (`clang -cc1 --help`). */
#ifndef WB_SCANNER_OPTIONS_H
#define WB_SCANNER_OPTIONS_H

#include "scanner/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the operand is attached. Several bits may be set ("-I" is JOINED | SEPARATE). */
enum wb_option_form {
	WB_FORM_FLAG = 1,     /* no operand; the whole word must match */
	WB_FORM_JOINED = 2,   /* "-Ifoo", "-std=c++17" (the row's name ends in '=' for the latter) */
	WB_FORM_SEPARATE = 4, /* "-I" "foo" */
	WB_FORM_PAIR =
	    8, /* "-Xarch_host foo": more text belongs to the option's own word, the operand is the next word */
};

/* What the operand is. Decides what the rewriter and the input collector do with it. */
enum wb_operand {
	WB_OPERAND_NONE,
	WB_OPERAND_TEXT,    /* never a path: left alone */
	WB_OPERAND_FILE_IN, /* a file the compiler reads: an input */
	WB_OPERAND_DIR_IN,  /* a directory it searches: must exist as a directory if it does here */
	WB_OPERAND_TREE_IN, /* a directory of which any file may be read (-B, --sysroot below the root): see inputs.c */
	WB_OPERAND_FILE_OUT,  /* a file it writes */
	WB_OPERAND_DIR_OUT,   /* a directory it writes into */
	WB_OPERAND_PATH_TEXT, /* a path that is only text (depfile target -MT): rewritten like a path, not an input */
	WB_OPERAND_NAME_FILE_IN, /* "NAME=path" or "path" (-fmodule-file=) */
	WB_OPERAND_PREFIX_MAP,   /* "old=new": the left side is a path (-ffile-prefix-map=) */
};

enum wb_meaning {
	WB_MEAN_PASS,     /* known, nothing more to say */
	WB_MEAN_OPAQUE,   /* text for a tool that Waybill does not know (-mllvm, plugin arguments): a '/' in it must run
			     locally */
	WB_MEAN_LOCAL,    /* the command must run locally: row.reason */
	WB_MEAN_COMPILE,  /* -c */
	WB_MEAN_ASSEMBLE, /* -S */
	WB_MEAN_PREPROCESS,  /* -E */
	WB_MEAN_SYNTAX_ONLY, /* -fsyntax-only */
	WB_MEAN_OUTPUT,      /* -o */
	WB_MEAN_EMIT_LLVM,   /* -emit-llvm: another kind of object */
	WB_MEAN_LTO,         /* -flto (detail 1), -fno-lto (0) */
	WB_MEAN_LANGUAGE,    /* -x */
	WB_MEAN_DRIVER_MODE, /* --driver-mode= */
	WB_MEAN_STD,
	WB_MEAN_INCLUDE_DIR,  /* -I */
	WB_MEAN_QUOTE_DIR,    /* -iquote */
	WB_MEAN_SYSTEM_DIR,   /* -isystem, -cxx-isystem, -c-isystem ... */
	WB_MEAN_AFTER_DIR,    /* -idirafter */
	WB_MEAN_SEARCH_OTHER, /* -iprefix, -iwithprefix, -F, -iframework, -I- ...: refuse or pass, see row.reason */
	WB_MEAN_EMBED_DIR,    /* --embed-dir=: where #embed looks */
	WB_MEAN_INCLUDE,      /* -include */
	WB_MEAN_IMACROS,
	WB_MEAN_INCLUDE_PCH,
	WB_MEAN_EMIT_PCH, /* -Xclang -emit-pch */
	WB_MEAN_DEFINE,
	WB_MEAN_UNDEFINE,
	WB_MEAN_UNDEF_ALL,     /* -undef */
	WB_MEAN_NO_STDINC,     /* -nostdinc, -nostdinc++, -nostdlibinc, -nobuiltininc */
	WB_MEAN_DEP_MODE,      /* -M -MM */
	WB_MEAN_DEP_FILE_MODE, /* -MD -MMD (implies a depfile) */
	WB_MEAN_DEP_FILE,      /* -MF */
	WB_MEAN_DEP_TARGET,    /* -MT -MQ */
	WB_MEAN_DEP_OTHER,     /* -MP -MG -MV */
	WB_MEAN_SYSROOT,       /* --sysroot, -isysroot */
	WB_MEAN_TOOL_DIR,      /* -B, --gcc-toolchain= */
	WB_MEAN_RESOURCE_DIR,
	WB_MEAN_TARGET,     /* -target, --target=, -m32, -m64, -march=, -mcpu= ... : enters the toolchain question */
	WB_MEAN_MACRO_FLAG, /* any flag that changes predefined macros or search directories: enters the toolchain
			       question */
	WB_MEAN_WARNING,    /* -W..., -w, -pedantic: does not enter the toolchain question */
	WB_MEAN_DEBUG,      /* -g...: likewise */
	WB_MEAN_COLOR, /* -fcolor-diagnostics, -fdiagnostics-color=..., -fno-...; detail 0 never, 1 always, 2 auto */
	WB_MEAN_MESSAGE_LENGTH,
	WB_MEAN_PREFIX_MAP,        /* -ffile-prefix-map= -fdebug-prefix-map= -fmacro-prefix-map= -fcoverage-prefix-map=
				      -fprofile-prefix-map= */
	WB_MEAN_COMPILATION_DIR,   /* -ffile-compilation-dir= -fdebug-compilation-dir[=] -fcoverage-compilation-dir= */
	WB_MEAN_WORKING_DIRECTORY, /* -working-directory[=] */
	WB_MEAN_PCH_OPTION,  /* -Winvalid-pch, -fpch-instantiate-templates, -fno-pch-timestamp, -fpch-preprocess */
	WB_MEAN_EMBED_FILES, /* -fmodules-embed-all-files */
	WB_MEAN_NO_PCH_TIMESTAMP,
	WB_MEAN_SPLIT_DWARF,    /* detail 0 off, 1 a .dwo beside the object, 2 inside the object */
	WB_MEAN_COVERAGE,       /* --coverage, -ftest-coverage, -fprofile-arcs */
	WB_MEAN_SAVE_TEMPS,     /* detail 1 the driver's default place, 2 the cwd, 3 beside the object */
	WB_MEAN_STACK_USAGE,    /* -fstack-usage: .su beside the object; detail 0 off, 1 on (so for the next ones) */
	WB_MEAN_CALLGRAPH_INFO, /* -fcallgraph-info: .ci */
	WB_MEAN_SERIALIZE_DIAGNOSTICS,
	WB_MEAN_OPT_RECORD,     /* -fsave-optimization-record, -foptimization-record-file= */
	WB_MEAN_PROFILE_IN,     /* -fprofile-use= and relatives: operand is an input */
	WB_MEAN_FILE_INPUT,     /* any other option whose operand is simply an input file (ignorelists, plugins, specs,
				   overlays) */
	WB_MEAN_MODULES,        /* -fmodules and relatives: implicit modules, refuse */
	WB_MEAN_MODULE_FILE,    /* -fmodule-file=, -fprebuilt-module-path=, -fmodule-map-file= */
	WB_MEAN_CONFIG_FILE,    /* --config=, -specs= */
	WB_MEAN_ASM_OPTION,     /* -Wa, */
	WB_MEAN_LINK_OPTION,    /* -l -L -Wl, ...: ignored when compiling, passed through */
	WB_MEAN_END_OF_OPTIONS, /* -- */
	WB_MEAN_XCLANG,         /* the wrappers themselves: the parser unwraps them */
	WB_MEAN_XPREPROCESSOR,
	WB_MEAN_WP,
	WB_MEAN_XASSEMBLER,
	WB_MEAN_XLINKER,
};

enum wb_option_where {
	WB_WHERE_GCC = 1,   /* the gcc driver takes it */
	WB_WHERE_CLANG = 2, /* the clang driver takes it */
	WB_WHERE_CC1 = 4,   /* clang -cc1 takes it (behind -Xclang) */
	WB_WHERE_CPP =
	    8, /* behind -Xpreprocessor or -Wp,: only rows that differ from the driver's (gcc) or cc1's (clang) */
	WB_WHERE_AS = 16, /* behind -Xassembler or -Wa, */
};

struct wb_option {
	const char *name; /* as on the command line, "-I", "-fmodule-file=" */
	uint8_t form;     /* enum wb_option_form bits */
	uint8_t where;    /* enum wb_option_where bits */
	uint8_t operand;  /* enum wb_operand */
	uint8_t meaning;  /* enum wb_meaning */
	uint8_t reason;   /* enum wb_reason: whoever uses the option must run locally, whatever its meaning */
	uint8_t detail;   /* which of the meaning's variants, see enum wb_meaning */
};

/* The row for the word `arg` in context `where` (one WB_WHERE bit): longest matching name wins. NULL: unknown.
 * `*joined` (never NULL) gets the operand inside `arg`, or NULL when there is none in this word; then, when the row
 * allows WB_FORM_SEPARATE and not FLAG, the next word is the operand. Thread-safe, static data. */
const struct wb_option *wb_option_find(const char *arg, unsigned where, const char **joined);

/* The row with exactly this name (for building arguments), NULL when there is none. */
const struct wb_option *wb_option_named(const char *name, unsigned where);

/* The whole table, sorted by name: for tests and for printing it. Static. */
const struct wb_option *wb_option_table(size_t *n);

#endif
