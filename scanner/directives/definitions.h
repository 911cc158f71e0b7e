/* definitions.h — the macros that compilers and command lines define. Definitions that say the same have one address,
 * so that what is remembered of units with one command line serves those with another. Thread-safe. */
#ifndef WB_SCANNER_DIRECTIVES_DEFINITIONS_H
#define WB_SCANNER_DIRECTIVES_DEFINITIONS_H

#include "scanner/directives/program.h"

struct wb_definitions;

struct wb_definitions *wb_definitions_new(void);
void wb_definitions_free(struct wb_definitions *d); /* NULL is fine */
/* For each define of `p`, the one that stands for it: out[p->ndefine]. They live as long as `d` and `p` do: the program
 * of one that is new here is kept. A great many are not kept; then each stands for itself. */
void wb_definitions_unify(struct wb_definitions *d, struct wb_program *p, const struct wb_define **out);

#endif
