/* packed_program.h — a program (program.h) as bytes, for another process of the same build: structures lie there as
 * they do in memory, but words are numbers within the record, which holds their spellings. Thread-safe. */
#ifndef WB_SCANNER_DIRECTIVES_PACKED_PROGRAM_H
#define WB_SCANNER_DIRECTIVES_PACKED_PROGRAM_H

#include "scanner/directives/program.h"

/* Append the bytes of `p` to `out`, a multiple of 8 of them. False: it is not worth keeping (it was cut short because
 * the table of spellings is full) or too big. */
bool wb_program_pack(struct wb_buf *out, const struct wb_program *p, const struct wb_idents *idents);

/* The program again, of a text that is lexed as `lex` says; one reference, the caller's. `data` is at a multiple of 8.
 * Everything is checked: whatever the bytes are, the result is a program that is safe to run, or NULL. NULL as well
 * when the table of spellings is full. The identity is left zero. */
struct wb_program *wb_program_unpack(struct wb_idents *idents, const void *data, size_t n, unsigned lex);

#endif
