/* questions.h — the builtin names that only the compiler itself can evaluate. */
#ifndef WB_SCANNER_QUESTIONS_H
#define WB_SCANNER_QUESTIONS_H

/* Every builtin name that clang 22's preprocessor has and another compiler may lack; NULL-terminated. Static. Those
 * that wb_toolchain_defines denies must not exist while that compiler's sources are scanned. */
extern const char *const wb_builtin_names[];

#endif
