/* language.h — the language of a source file: by its suffix, or by -x. One table each, as gcc 12 and clang 22 have them
 * (gcc.cc default_compilers and cp/lang-specs.h; clang Driver/Types.def and types::lookupTypeForExtension). */
#ifndef WB_SCANNER_LANGUAGE_H
#define WB_SCANNER_LANGUAGE_H

#include "scanner/command.h"

struct wb_language {
	const char *name; /* the suffix without dot, or -x's word */
	uint8_t where;    /* WB_WHERE_GCC, WB_WHERE_CLANG */
	uint8_t lang;     /* enum wb_lang */
	bool header;      /* compiling it makes a precompiled header */
	uint8_t reason;   /* enum wb_reason */
};

/* By suffix; `cxx_driver`: C files are C++ (g++, clang++). NULL: the driver would hand the file to the linker. */
const struct wb_language *wb_language_of_file(const char *path, enum wb_driver driver, bool cxx_driver);
/* The word after -x, not "none". Never NULL: what nobody knows is WB_LANG_OTHER. */
const struct wb_language *wb_language_of_name(const char *name, enum wb_driver driver);

#endif
