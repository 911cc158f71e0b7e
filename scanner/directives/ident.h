/* ident.h — spellings as small numbers: identifiers, literals, paths. One table an engine, shared by all threads; a
 * number and its text stay valid as long as the table. Thread-safe. */
#ifndef WB_SCANNER_DIRECTIVES_IDENT_H
#define WB_SCANNER_DIRECTIVES_IDENT_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words that mean something to the engine have fixed numbers, in this order from 1. */
#define WB_WORDS(X)                                                                                                    \
	X(DEFINED, "defined")                                                                                          \
	X(VA_ARGS, "__VA_ARGS__")                                                                                      \
	X(VA_OPT, "__VA_OPT__")                                                                                        \
	X(TRUE, "true")                                                                                                \
	X(FALSE, "false")                                                                                              \
	/* names of operators in C++ */                                                                                \
	X(AND, "and")                                                                                                  \
	X(AND_EQ, "and_eq")                                                                                            \
	X(BITAND, "bitand")                                                                                            \
	X(BITOR, "bitor")                                                                                              \
	X(COMPL, "compl")                                                                                              \
	X(NOT, "not")                                                                                                  \
	X(NOT_EQ, "not_eq")                                                                                            \
	X(OR, "or")                                                                                                    \
	X(OR_EQ, "or_eq")                                                                                              \
	X(XOR, "xor")                                                                                                  \
	X(XOR_EQ, "xor_eq")                                                                                            \
	/* macros that compilers have built in */                                                                      \
	X(LINE, "__LINE__")                                                                                            \
	X(FILE, "__FILE__")                                                                                            \
	X(BASE_FILE, "__BASE_FILE__")                                                                                  \
	X(FILE_NAME, "__FILE_NAME__")                                                                                  \
	X(DATE, "__DATE__")                                                                                            \
	X(TIME, "__TIME__")                                                                                            \
	X(TIMESTAMP, "__TIMESTAMP__")                                                                                  \
	X(COUNTER, "__COUNTER__")                                                                                      \
	X(INCLUDE_LEVEL, "__INCLUDE_LEVEL__")                                                                          \
	X(PRAGMA_OPERATOR, "_Pragma")                                                                                  \
	X(HAS_INCLUDE, "__has_include")                                                                                \
	X(HAS_INCLUDE_NEXT, "__has_include_next")                                                                      \
	X(HAS_EMBED, "__has_embed")                                                                                    \
	X(HAS_FEATURE, "__has_feature")                                                                                \
	X(HAS_EXTENSION, "__has_extension")                                                                            \
	X(HAS_BUILTIN, "__has_builtin")                                                                                \
	X(HAS_CONSTEXPR_BUILTIN, "__has_constexpr_builtin")                                                            \
	X(HAS_ATTRIBUTE, "__has_attribute")                                                                            \
	X(HAS_CPP_ATTRIBUTE, "__has_cpp_attribute")                                                                    \
	X(HAS_C_ATTRIBUTE, "__has_c_attribute")                                                                        \
	X(HAS_DECLSPEC_ATTRIBUTE, "__has_declspec_attribute")                                                          \
	X(HAS_WARNING, "__has_warning")                                                                                \
	X(IS_IDENTIFIER, "__is_identifier")                                                                            \
	X(IS_TARGET_ARCH, "__is_target_arch")                                                                          \
	X(IS_TARGET_VENDOR, "__is_target_vendor")                                                                      \
	X(IS_TARGET_OS, "__is_target_os")                                                                              \
	X(IS_TARGET_ENVIRONMENT, "__is_target_environment")                                                            \
	X(IS_TARGET_VARIANT_OS, "__is_target_variant_os")                                                              \
	X(IS_TARGET_VARIANT_ENVIRONMENT, "__is_target_variant_environment")                                            \
	/* directives and pragmas */                                                                                   \
	X(D_DEFINE, "define")                                                                                          \
	X(D_UNDEF, "undef")                                                                                            \
	X(D_IF, "if")                                                                                                  \
	X(D_IFDEF, "ifdef")                                                                                            \
	X(D_IFNDEF, "ifndef")                                                                                          \
	X(D_ELIF, "elif")                                                                                              \
	X(D_ELIFDEF, "elifdef")                                                                                        \
	X(D_ELIFNDEF, "elifndef")                                                                                      \
	X(D_ELSE, "else")                                                                                              \
	X(D_ENDIF, "endif")                                                                                            \
	X(D_INCLUDE, "include")                                                                                        \
	X(D_INCLUDE_NEXT, "include_next")                                                                              \
	X(D_IMPORT, "import")                                                                                          \
	X(D_EMBED, "embed")                                                                                            \
	X(D_PRAGMA, "pragma")                                                                                          \
	X(D_LINE, "line")                                                                                              \
	X(D_ERROR, "error")                                                                                            \
	X(D_WARNING, "warning")                                                                                        \
	X(D_IDENT, "ident")                                                                                            \
	X(D_SCCS, "sccs")                                                                                              \
	X(D_ASSERT, "assert")                                                                                          \
	X(D_UNASSERT, "unassert")                                                                                      \
	X(P_ONCE, "once")                                                                                              \
	X(P_PUSH_MACRO, "push_macro")                                                                                  \
	X(P_POP_MACRO, "pop_macro")                                                                                    \
	X(P_GCC, "GCC")                                                                                                \
	X(P_CLANG, "clang")                                                                                            \
	X(P_MODULE, "module")                                                                                          \
	X(P_DEPENDENCY, "dependency")                                                                                  \
	X(P_TARGET, "target")                                                                                          \
	X(P_OPTIMIZE, "optimize")                                                                                      \
	X(P_PUSH_OPTIONS, "push_options")                                                                              \
	X(P_POP_OPTIONS, "pop_options")                                                                                \
	X(P_RESET_OPTIONS, "reset_options")                                                                            \
	X(P_DEBUG, "__debug")

enum wb_word {
	WB_WORD_NONE,
#define X(id, text) WB_WORD_##id,
	WB_WORDS(X)
#undef X
	    WB_WORD_COUNT
};

struct wb_idents;

struct wb_idents *wb_idents_new(void);
void wb_idents_free(struct wb_idents *t);

/* The number of a spelling, made when new. 0: the table is full (16 million spellings, 1 GiB of text). */
uint32_t wb_ident_put(struct wb_idents *t, const char *p, size_t n);
/* The same for `count` spellings side by side, in one go: id[count]. False: the table is full. */
bool wb_idents_put_all(struct wb_idents *t, uint32_t *id, const char *text, const uint32_t *length, size_t count);
/* Its text; a NUL follows. */
struct wb_str wb_ident_text(const struct wb_idents *t, uint32_t id);
/* How many there are: every number is below it. */
uint32_t wb_idents_count(struct wb_idents *t);

#endif
