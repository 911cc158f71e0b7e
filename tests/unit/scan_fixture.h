/* scan_fixture.h — what any engine must do, checked by the engine of a struct oracle (scan_oracle.h): see the disk as
 * it is, take files from memory, work from many threads, tell modules, refuse what it cannot be sure of. Each check
 * writes files of its own into the oracle's tree, and is called from the oracle's thread. */
#ifndef WB_TESTS_UNIT_SCAN_FIXTURE_H
#define WB_TESTS_UNIT_SCAN_FIXTURE_H

#include "tests/unit/scan_oracle.h"

#include <stddef.h>

/* A scan of `line`, with `text` in m.cc, that must be refused for `reason`; the error's text contains `says`. */
struct scan_refusal {
	const char *line, *text, *says;
	enum wb_reason reason;
};

/* There are t1.h and t2.h of one content, and an empty x.h, for the texts to include. */
void scan_refuses(struct oracle *o, const struct scan_refusal *row, size_t n);
/* Hard links are one file to a compiler, two to an input root. */
void scan_refuses_hard_links(struct oracle *o);
/* Each request sees the disk as it is. */
void scan_sees_changes(struct oracle *o);
void scan_sees_modules(struct oracle *o);
void scan_sees_overlay(struct oracle *o);
/* Eight threads scan `rounds` times each. */
void scan_from_threads(struct oracle *o, int rounds);

#endif
