/* command.h — what a compile command means: the model that every later stage works on. Built from argv once, then read
 * only. Paths are kept as the user spelled them; "absolute" fields say so.
 *
 * The model is lossless: emitting every argument in order (wb_command_emit) gives a command line with the same meaning;
 * with unchanged values it is the same words, except that response files are expanded, "-Wp,a,b" and "-Wa,a,b" may be
 * split, "-Xclang=a" becomes "-Xclang a", and the two halves of an option that is wrapped apart
 * ("-Xclang -include -O2 -Xclang x.h") come together. */
#ifndef WB_SCANNER_COMMAND_H
#define WB_SCANNER_COMMAND_H

#include "base/err.h"
#include "base/str.h"
#include "scanner/options.h"
#include "scanner/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wb_arena;

/* Which driver's grammar applies. Decided by the compiler's file name first; the toolchain may correct it
 * (a `c++` that is clang): then the command is parsed again. */
enum wb_driver { WB_DRIVER_GCC, WB_DRIVER_CLANG };

enum wb_lang {
	WB_LANG_NONE,
	WB_LANG_C,
	WB_LANG_CXX,
	WB_LANG_ASM_CPP, /* .S, -x assembler-with-cpp */
	WB_LANG_ASM,     /* .s: no preprocessing */
	WB_LANG_OTHER,   /* Objective-C, CUDA, preprocessed (.i .ii), IR ...: not scanned */
};

/* How an argument is handed to the driver. */
enum wb_wrap {
	WB_WRAP_NONE,
	WB_WRAP_XCLANG,
	WB_WRAP_XPREPROCESSOR,
	WB_WRAP_WP,
	WB_WRAP_XASSEMBLER,
	WB_WRAP_WA,
};

/* One logical argument: an option with its operand, or a bare word. */
struct wb_arg {
	const struct wb_option *option; /* NULL: bare word (input file), or an option nobody knows (starts with '-') */
	const char *spelling; /* the option's words as written without operand: "-I", "-std=", "-weird-flag"; NULL for a
				 bare word */
	const char *value;    /* the operand, or the bare word; NULL when there is none */
	bool separate;        /* operand is a word of its own */
	uint8_t wrap;         /* enum wb_wrap; with XCLANG both option and operand are wrapped */
	uint32_t word;        /* index of its first word in the expanded argv, for messages */
};

enum wb_pch_role { WB_PCH_NONE, WB_PCH_CREATE, WB_PCH_USE };

enum wb_output_kind {
	WB_OUT_OBJECT, /* -o or its default: .o, .s, .pch, .gch */
	WB_OUT_DEPFILE,
	WB_OUT_GCNO,
	WB_OUT_DWO,
	WB_OUT_STACK_USAGE,
	WB_OUT_CALLGRAPH,
	WB_OUT_DIAGNOSTICS, /* .dia */
	WB_OUT_OPT_RECORD,  /* .opt.yaml */
	WB_OUT_TEMP,        /* -save-temps: .ii .bc .s ... */
};

struct wb_output {
	const char *path; /* as spelled, or as the driver derives it, relative to cwd */
	uint8_t kind;     /* enum wb_output_kind */
	bool implicit;    /* derived by the driver, not spelled on the command line */
	bool optional;    /* may be absent after success (gcc's .su of an empty file ...) */
};

struct wb_command {
	const char *cwd;      /* absolute */
	const char *compiler; /* argv[0] as given */
	enum wb_driver driver;
	struct wb_arg *arg; /* without argv[0]; response files expanded */
	size_t narg;
	const char *const *response_files; /* absolute paths of those that were read */
	size_t nresponse_files;

	enum wb_lang lang;
	bool lang_header;       /* -x c++-header, or a header suffix: a PCH creation for gcc */
	const char *source;     /* as spelled; NULL when reason says why */
	size_t source_arg;      /* its index in arg */
	const char *object;     /* -o or default; NULL with -fsyntax-only */
	const char *depfile;    /* NULL: none is written */
	const char *dep_target; /* -MT/-MQ first value, NULL: default */
	struct wb_output *output;
	size_t noutput;

	enum wb_pch_role pch_role;
	const char *pch_path;   /* the .pch/.gch made or used, as spelled; NULL with WB_PCH_NONE */
	const char *pch_header; /* the header it stands for (-include beside -include-pch; the forced header of a
				 * creation); NULL when unknown */

	int color; /* the command's last word on colour: -1 nothing said, 0 never, 1 always, 2 auto */

	unsigned unknown;      /* options nobody knows, passed through */
	enum wb_reason reason; /* NONE, or why it must run locally; the rest of the model is filled as far as it goes */
	const char *reason_arg; /* the offending word, "" when there is none */
};

/* Parse `argv` (argv[0] is the compiler; NULL-terminated) as run in `cwd` (absolute). Looks at the disk only for
 * response files and for a .pch/.gch beside an -include. Never fails on a strange command: then `out->reason` is set.
 * Fails for limits and unreadable response files. All memory in `a`. Thread-safe. */
wb_status wb_command_parse(struct wb_command *out, struct wb_arena *a, const char *const *argv, const char *cwd,
			   enum wb_driver driver, struct wb_err *err);

/* gcc or clang, from the base name of the compiler ("clang++-22", "x86_64-linux-gnu-g++-12", "cc", "c++": gcc). */
enum wb_driver wb_driver_guess(const char *compiler);

/* Append the words of one argument to `out`. */
void wb_arg_emit(struct wb_argv *out, struct wb_arena *a, const struct wb_arg *arg);
/* argv[0] and every argument. */
void wb_command_emit(struct wb_argv *out, struct wb_arena *a, const struct wb_command *cmd);

/* Is there a -ffile-prefix-map or one of its relatives? */
bool wb_command_maps_prefixes(const struct wb_command *cmd);

const char *wb_lang_name(enum wb_lang l);       /* "c++" */
const char *wb_output_kind_name(unsigned kind); /* "object" */

#endif
