/* words.h — words that matter wherever they stand in a text: inside code, literals, macros, comments. What they are
 * found in is not looked at: too often is better than too rarely. Pure. */
#ifndef WB_SCANNER_DIRECTIVES_WORDS_H
#define WB_SCANNER_DIRECTIVES_WORDS_H

#include "base/str.h"

#include <stdint.h>

/* Bits of enum wb_program_flag; `words`: enum wb_text_word of the same text. */
uint32_t wb_words_flags(const char *text, size_t n, uint32_t words);
/* How many operands there are of pragmas that change macros, other than behind the word "pragma". */
unsigned wb_words_macro_pragmas(const char *text, size_t n);

#endif
