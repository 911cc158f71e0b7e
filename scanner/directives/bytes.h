/* bytes.h — looking for bytes in text, sixteen at a time. Nothing beyond `end` is read. */
#ifndef WB_SCANNER_DIRECTIVES_BYTES_H
#define WB_SCANNER_DIRECTIVES_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* The first byte in [p, end) that may begin a directive, a literal, a comment or a splice: # % " ' / \ NUL; else
 * `end`. */
const char *wb_bytes_special(const char *p, const char *end);
/* The first one at which skipping text must stop to look: " ' / \ NUL and the newline; else `end`. */
const char *wb_bytes_stop(const char *p, const char *end);

/* Words that have a meaning wherever they stand. */
enum wb_text_word {
	WB_TEXT_TIME = 1,    /* __DATE__, __TIME__, __TIMESTAMP__ */
	WB_TEXT_PRAGMA = 2,  /* _Pragma */
	WB_TEXT_MACRO = 4,   /* push_macro, pop_macro, include_alias */
	WB_TEXT_INCBIN = 8,  /* incbin */
	WB_TEXT_INCLUDE = 16 /* .include */
};
/* Which of them a text has, perhaps as a part of longer words. */
uint32_t wb_text_words(const char *text, size_t n);

#endif
