/* reason.h — why a command runs locally. One enum for the whole pipe, so that counters, `explain` and the reply speak
 * of the same things. The names (wb_reason_name) are stable: they are keys in `waybill stats --json`. */
#ifndef WB_SCANNER_REASON_H
#define WB_SCANNER_REASON_H

#include <stdbool.h>

#define WB_REASONS(X)                                                                                                  \
	X(NONE, "none", "not local")                                                                                   \
	/* the command itself */                                                                                       \
	X(NOT_A_COMPILE, "not_a_compile", "no -c: it links, prints or does something other than compile one file")     \
	X(PREPROCESS_ONLY, "preprocess_only", "-E or -M: output goes to stdout and is cheap")                          \
	X(NO_SOURCE, "no_source", "no source file on the command line")                                                \
	X(SEVERAL_SOURCES, "several_sources", "more than one source file")                                             \
	X(STDIN, "stdin", "the source is read from standard input")                                                    \
	X(STDOUT, "stdout", "output goes to standard output or a device")                                              \
	X(LANGUAGE, "language", "a language that the scanner does not read")                                           \
	X(NATIVE_TUNING, "native_tuning", "-march=native and the like mean different code on different machines")      \
	X(UNSUPPORTED_OPTION, "unsupported_option", "an option whose inputs or outputs cannot be named exactly")       \
	X(BAD_COMMAND, "bad_command", "the command line is malformed; the compiler will say how")                      \
	X(COVERAGE, "coverage", "--coverage writes the absolute path of its profile into the object")                  \
	X(TIME_TRACE, "time_trace", "the output holds absolute paths or times")                                        \
	X(ENVIRONMENT, "environment", "an environment variable changes the result and has no argument form")           \
	X(COMPILER, "compiler", "the compiler is not one that Waybill knows, or could not be asked")                   \
	X(WRAPPER, "wrapper", "the compiler is itself a launcher or cache")                                            \
	/* scanning */                                                                                                 \
	X(SCAN_ERROR, "scan_error", "the preprocessor reports an error; the compiler will say which")                  \
	X(SCAN_DOUBT, "scan_doubt", "the scanner cannot be sure that it would read what this compiler reads")          \
	X(MODULES, "modules", "modules found during the scan")                                                         \
	X(TIME_MACRO, "time_macro", "__DATE__, __TIME__ or __TIMESTAMP__ without SOURCE_DATE_EPOCH")                   \
	X(INCBIN, "incbin", ".incbin or .include in assembly: an input that nobody lists")                             \
	X(ENGINE, "engine", "no scan engine available for this command")                                               \
	/* inputs */                                                                                                   \
	X(OUTSIDE_ROOT, "outside_root", "an input is neither below a root nor part of the system")                     \
	X(INPUT_MISSING, "input_missing",                                                                              \
	  "an input named on the command line does not exist; the compiler will say so")                               \
	X(INPUT_CHANGED, "input_changed", "an input changed while it was being read, repeatedly")                      \
	X(INPUT_KIND, "input_kind", "an input is neither file, directory nor symlink")                                 \
	X(INPUT_TOO_BIG, "input_too_big", "an input or the whole input root exceeds the limit")                        \
	X(SYMLINK_ESCAPE, "symlink_escape", "a symlink leads out of the roots")                                        \
	X(NO_ROOT, "no_root", "no directory holds source and build that is not /, $HOME or a system directory")        \
	X(PCH_FOREIGN, "pch_foreign", "the precompiled header was not made by Waybill, so it cannot travel")           \
	X(PCH_MISSING, "pch_missing", "the precompiled header does not exist")                                         \
	/* rewriting */                                                                                                \
	X(CANNOT_REBASE, "cannot_rebase", "a relative operand cannot be expressed from the action's directory")        \
	X(GENERATED_ABSOLUTE, "generated_absolute", "a header inside a precompiled header includes by absolute path")  \
	X(OUTPUT_OUTSIDE_ROOT, "output_outside_root", "an output is not below a root")                                 \
	/* execution */                                                                                                \
	X(COMPILE_FAILED, "compile_failed", "the action failed, and so did the original command")                      \
	X(SANDBOX_MISMATCH, "sandbox_mismatch", "the action failed, the original command did not")                     \
	X(OUTPUT_MISSING, "output_missing", "the action left out an output")                                           \
	X(SANDBOX, "sandbox", "the sandbox could not be set up")                                                       \
	X(STORE, "store", "the store failed (disk full, damaged blob)")                                                \
	X(OUTPUT_WRITE, "output_write", "an output could not be written to the build directory")                       \
	X(BACKEND, "backend", "the backend failed")                                                                    \
	/* the cluster: with these a job runs in the sandbox on this machine, as an action all the same */             \
	X(REMOTE_DOWN, "remote_down", "the server is down, busy, full or too slow")                                    \
	X(REMOTE_REFUSED, "remote_refused", "the server refused: credentials, instance, platform or a limit")          \
	X(REMOTE_PROTOCOL, "remote_protocol", "the server broke the protocol or sent damaged data")                    \
	X(REMOTE_FAILED, "remote_failed", "the action failed on the worker; it is run here to see whose fault it is")  \
	X(WORKER_MISMATCH, "worker_mismatch", "the worker has another compiler or other system files")                 \
	X(WORKER_UNPROVEN, "worker_unproven", "whether the worker has this compiler could not be found out")           \
	X(WORKER_LINKS, "worker_links", "the worker gives equal inputs one inode, and the compile has equal headers")  \
	X(CONFIGURED, "configured", "mode = off")                                                                      \
	X(INTERNAL, "internal", "an internal error; the log has the text")

enum wb_reason {
#define X(id, name, text) WB_REASON_##id,
	WB_REASONS(X)
#undef X
	    WB_REASON_COUNT
};

/* Does this send a job from the cluster to the sandbox (and not to the compiler where the launcher stands)? */
bool wb_reason_is_fallback(enum wb_reason r);
const char *wb_reason_name(enum wb_reason r); /* "pch_foreign"; static */
const char *wb_reason_text(enum wb_reason r); /* one line for people; static */

#endif
