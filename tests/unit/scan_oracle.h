/* scan_oracle.h — a scratch tree, our scan of a command in it, and what the compiler itself says that it reads (-M). */
#ifndef WB_TESTS_UNIT_SCAN_ORACLE_H
#define WB_TESTS_UNIT_SCAN_ORACLE_H

#include "base/arena.h"
#include "base/map.h"
#include "scanner/scan.h"
#include "tests/unit/unit.h"

#include <stdbool.h>

struct oracle {
	char dir[64]; /* the cwd of every command */
	struct wb_arena a;
	struct wb_facts *facts;
	struct wb_toolchains *toolchains;
	struct wb_scanner *scanner;
	const char *engine;    /* of every scan; NULL: as scans choose by themselves */
	const char *complaint; /* what the compiler said last */
	bool quick;            /* gcc: ask -M (wrong about some things that code does), not a real compile */
};

/* cmocka fixtures: *state is a struct oracle. */
int oracle_setup(void **state);
int oracle_setup_directives(void **state); /* scans by the engine `directives` */
int oracle_setup_clang(void **state);      /* by the engine `clang` */
int oracle_teardown(void **state);

/* Does the machine have this compiler? */
bool oracle_has(const char *compiler);
/* Write a file of the tree, directories made. The file is old enough for caches to trust it. */
void oracle_put(struct oracle *o, const char *name, const char *text);
void oracle_link(struct oracle *o, const char *target, const char *name);
/* The same place, now touched just now. */
void oracle_put_fresh(struct oracle *o, const char *name, const char *text);

/* Parse "COMPILER ARG ARG" (split at blanks). */
void oracle_command(struct oracle *o, struct wb_command *cmd, const char *line);
/* Scan it. WB_EUNSCANNABLE with *reason, or WB_OK. */
wb_status oracle_scan(struct oracle *o, struct wb_graph *g, const char *line, enum wb_reason *reason,
		      struct wb_err *err);
/* The scan must not refuse it. */
void oracle_scan_ok(struct oracle *o, struct wb_graph *g, const char *line);
/* What "COMPILER ARG ARG -M" lists (gcc: -MD, unless `quick`); false when it fails. Keys are real paths. */
bool oracle_depends(struct oracle *o, struct wb_map *set, const char *line);
/* The scan must have found what the compiler lists (files that only __has_include saw may be more), or both failed. */
void oracle_same_files(struct oracle *o, const struct wb_graph *g, const char *line);
/* Both: oracle_scan_ok() and oracle_same_files(). */
void oracle_agree(struct oracle *o, const char *line);

/* The graph, of the engine `directives`, must be as the engine `clang` makes it; `all`: see wb_graph_compare(). */
void oracle_same_as_clang(struct oracle *o, const struct wb_graph *g, const char *line, bool all);

/* Index of the file in the graph whose path ends so, UINT32_MAX when there is none. */
uint32_t oracle_file(const struct wb_graph *g, const char *suffix);
bool oracle_missed(const struct wb_graph *g, const char *suffix);

#endif
