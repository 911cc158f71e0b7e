/* doubt.h — what the directive engine is not sure of, so that another engine has to answer. One enum for programs,
 * units and counters. The names (wb_doubt_name) are stable: they are keys in `waybill stats --json`. Meanings that a
 * user would want to tell apart have a row each, and one line in docs/directives.md. */
#ifndef WB_SCANNER_DOUBT_H
#define WB_SCANNER_DOUBT_H

#define WB_DOUBTS(X)                                                                                                   \
	X(NONE, "none", "no doubt")                                                                                    \
	/* the text of a file */                                                                                       \
	X(COMMENT_END, "comment_end", "the end of a comment is split between lines more than once")                    \
	X(COMMENT_C89, "comment_c89", "a // comment in strict C89")                                                    \
	X(LITERAL_SPLIT, "literal_split", "a literal is split between lines")                                          \
	X(RAW_STRING, "raw_string", "a raw string over several lines in a directive")                                  \
	X(CARRIAGE_RETURN, "carriage_return", "a carriage return that ends no line")                                   \
	X(UNREADABLE, "unreadable", "a file that exists but cannot be read")                                           \
	/* directives */                                                                                               \
	X(DIRECTIVE, "directive", "an unknown directive")                                                              \
	X(DEFINE, "define", "a #define that is not understood")                                                        \
	X(DEFINE_PARAMETERS, "define_parameters", "the parameters of a #define are not understood")                    \
	X(DEFINE_HASH, "define_hash", "# or ## in a #define is not understood")                                        \
	X(UNDEF, "undef", "an #undef that is not understood")                                                          \
	X(MACRO_NAME, "macro_name", "a macro without a proper name")                                                   \
	X(BRANCH, "branch", "a branch without its #if")                                                                \
	X(ERROR_COMMENT, "error_comment", "a comment over several lines in an #error or #warning")                     \
	X(ELIFDEF, "elifdef", "#elifdef depends on the version and standard of gcc")                                   \
	X(PRAGMA, "pragma", "a #pragma that is not understood")                                                        \
	X(PRAGMA_DEBUG, "pragma_debug", "#pragma clang __debug")                                                       \
	X(PRAGMA_DEPENDENCY, "pragma_dependency", "#pragma dependency")                                                \
	X(PRAGMA_TARGET, "pragma_target", "a #pragma GCC that changes predefined macros")                              \
	X(PRAGMA_IN_TEXT, "pragma_in_text", "a _Pragma may change macros, which only the expanded text tells")         \
	X(PRAGMA_IN_DIRECTIVE, "pragma_in_directive", "_Pragma in a directive")                                        \
	/* conditions */                                                                                               \
	X(CONDITION, "condition", "a condition that is not understood")                                                \
	X(CONDITION_CLOSE, "condition_close", "a condition without its )")                                             \
	X(CONDITION_COLON, "condition_colon", "a condition without its :")                                             \
	X(DEFINED, "defined", "`defined` without a name or without its )")                                             \
	X(FUNCTION_UNDEFINED, "function_undefined", "a function-like macro that is not defined")                       \
	X(TRUE_FALSE, "true_false", "true and false in a version of C that may or may not know them")                  \
	X(NUMBER, "number", "a number that is not an integer constant")                                                \
	X(NUMBER_SIZE, "number_size", "a number of more than 64 bits")                                                 \
	X(CHARACTER, "character", "a character constant that is not understood")                                       \
	X(CHARACTER_ASCII, "character_ascii", "a character constant beyond ASCII")                                     \
	X(CHARACTER_PREFIX, "character_prefix", "a character constant with a prefix")                                  \
	X(DIVISION_BY_ZERO, "division_by_zero", "division by zero")                                                    \
	X(DIVISION_OVERFLOW, "division_overflow", "a division that overflows")                                         \
	X(SHIFT, "shift", "a shift by more than 63")                                                                   \
	/* macros */                                                                                                   \
	X(ARGUMENTS_END, "arguments_end", "arguments of a macro without an end")                                       \
	X(ARGUMENT_COUNT, "argument_count", "a macro with another number of arguments")                                \
	X(ARGUMENT_HEADER, "argument_header", "a header name in the arguments of a macro")                             \
	X(STRINGIZE, "stringize", "# makes no string")                                                                 \
	X(STRINGIZE_SPACE, "stringize_space", "white space that compilers see in different places")                    \
	X(PASTE, "paste", "## makes no token")                                                                         \
	X(PASTE_LEFT, "paste_left", "## without a left side")                                                          \
	X(VA_ARGS, "va_args", "__VA_ARGS__ outside of a macro")                                                        \
	X(VA_COMMA, "va_comma", "a comma before an empty __VA_ARGS__")                                                 \
	X(VA_OPT, "va_opt", "__VA_OPT__ is not understood here")                                                       \
	/* what the compiler itself defines or answers */                                                              \
	X(COUNTER, "counter", "__COUNTER__ in a directive: what text expands counts too")                              \
	X(TIME, "time", "the time in a directive")                                                                     \
	X(TIME_IN_MACRO, "time_in_macro", "a macro holds __DATE__ or __TIME__: whether it is used, only text tells")   \
	X(LINE_OR_FILE, "line_or_file", "__LINE__ or __FILE__ where lines are renumbered or spliced")                  \
	X(FILE_ON_COMMAND, "file_on_command", "__FILE__ on the command line")                                          \
	X(FILE_ESCAPES, "file_escapes", "a file name that needs escapes")                                              \
	X(FILE_PREFIX_MAP, "file_prefix_map", "__FILE__ in a directive, with a prefix map")                            \
	X(QUESTION, "question", "a question to the compiler without its ( or )")                                       \
	X(QUESTION_NESTED, "question_nested", "a question within a question")                                          \
	X(QUESTION_SIZE, "question_size", "a question to the compiler that is too long")                               \
	X(QUESTION_COUNT, "question_count", "too many questions to the compiler")                                      \
	X(QUESTION_FAILED, "question_failed", "the compiler could not be asked, or did not answer")                    \
	/* includes */                                                                                                 \
	X(INCLUDE, "include", "an #include without a name")                                                            \
	X(HEADER_NAME, "header_name", "a header name that compilers may read in different ways")                       \
	X(HEADER_NAME_LEXED, "header_name_lexed", "a header name that looks like other tokens")                        \
	X(HEADER_NAME_ANGLED, "header_name_angled", "a header name in <> that is not understood")                      \
	X(HEADER_NAME_MISSING, "header_name_missing", "no header name where one is needed")                            \
	X(HAS_INCLUDE, "has_include", "__has_include without its ( or ), or with more than a name")                    \
	X(INCLUDE_NEXT, "include_next", "#include_next of an absolute path")                                           \
	X(TWO_NAMES, "two_names", "a file that was met by two names")                                                  \
	X(HARD_LINK, "hard_link", "a hard link of another file that is read")                                          \
	X(ONCE_TWINS, "once_twins", "#pragma once in two files of equal content")                                      \
	X(IMPORT_TWINS, "import_twins", "#import beside __has_include")                                                \
	X(FIRST_INCLUDE, "first_include", "a file that shadows the compiler's own first include")                      \
	X(SEARCH_DIRECTORY, "search_directory", "a search directory that is no directory")                             \
	X(EMBED, "embed", "#embed with directories of its own, or by a compiler that may not know it")                 \
	X(EMBED_LINK, "embed_link", "#embed in a file that a symbolic link leads to")                                  \
	X(EMBED_PARAMETER, "embed_parameter", "a parameter of #embed that is not understood, or is there twice")       \
	X(EMBED_UNKNOWN, "embed_unknown", "a parameter of #embed that is not known")                                   \
	X(HAS_EMBED_LIMIT, "has_embed_limit", "__has_embed with a limit beyond the file's end")                        \
	/* the command */                                                                                              \
	X(COMMAND, "command", "the command cannot be scanned; `waybill explain` says what in it")                      \
	X(COMMAND_MACROS, "command_macros", "the macros of the command line are not understood")                       \
	/* limits */                                                                                                   \
	X(LIMIT_LINES, "limit_lines", "more lines than a sane file has")                                               \
	X(LIMIT_WORDS, "limit_words", "too many different words")                                                      \
	X(LIMIT_DIRECTIVES, "limit_directives", "more directives than a sane unit has")                                \
	X(LIMIT_GROUPS, "limit_groups", "conditionals nested too deep")                                                \
	X(LIMIT_CONDITION, "limit_condition", "a condition nested too deep")                                           \
	X(LIMIT_MACROS, "limit_macros", "macros or their arguments nested too deep")                                   \
	X(LIMIT_EXPANSION, "limit_expansion", "an expansion beyond all measure")                                       \
	X(LIMIT_INCLUDES, "limit_includes", "#include nested too deep")

enum wb_doubt {
#define X(id, name, text) WB_DOUBT_##id,
	WB_DOUBTS(X)
#undef X
	    WB_DOUBT_COUNT
};

const char *wb_doubt_name(enum wb_doubt d); /* "division_by_zero"; static */
const char *wb_doubt_text(enum wb_doubt d); /* one line for people, also behind "FILE: "; static */

#endif
