/* results_fixture.h — warm scanners against fresh ones: what is kept must never show. */
#ifndef WB_TESTS_UNIT_RESULTS_FIXTURE_H
#define WB_TESTS_UNIT_RESULTS_FIXTURE_H

#include "scanner/results.h"
#include "tests/unit/scan_oracle.h"

/* The graphs are equal to the last byte (but for where their strings lie). */
void graphs_equal(const struct wb_graph *x, const struct wb_graph *y, const char *what);

/* Ask the oracle's scanner, which remembers, and a new one, which knows nothing; both must say the same, and the
 * compiler too (`peer`; it takes its time). `g` (may be NULL) is the answer. */
void warm_as_fresh(struct oracle *o, struct wb_graph *g, const char *line, const char *what, bool peer);

/* How many scans the oracle's scanner has made. */
uint64_t scans_made(struct oracle *o);

/* Let what was written last become old enough to be trusted. */
void let_settle(void);

#endif
