/* scan_options.h — the words behind `waybill scan`, `waybilld scan` and `waybill why`. Pure. */
#ifndef WB_SERVICE_SCAN_OPTIONS_H
#define WB_SERVICE_SCAN_OPTIONS_H

#include "base/err.h"
#include "service/scan_text.h"

#include <stdbool.h>
#include <stddef.h>

struct wb_arena;

enum wb_scan_verb { WB_SCAN_VERB_SCAN = 1, WB_SCAN_VERB_WHY = 2 };

struct wb_scan_options {
	const char *const *command; /* behind "--"; NULL with a database */
	const char *database;       /* of -p: a directory, or the file itself, as spelled; NULL with a command */
	const char *const *operand; /* NULL-terminated: sources to restrict a scan to; HEADER, and FILE of a database */
	size_t noperand;
	enum wb_scan_format format; /* `why` takes make as text */
	const char *engine;         /* of wb_scan_request; NULL: the default */
	bool both;                  /* --engine=both: compare the engines */
	unsigned jobs;              /* 0: not said */
	bool all;                   /* --all */
	bool stats;                 /* --stats */
	unsigned repeat;            /* --repeat=N; 1 when not said */
	unsigned reask;             /* --reask=N */
};

#define WB_SCAN_JOBS_MAX   1024
#define WB_SCAN_REPEAT_MAX 1000

/* WB_EINVAL: the text says what is wrong. Strings are borrowed from `args` (NULL-terminated, without the verb). */
wb_status wb_scan_options_parse(struct wb_scan_options *out, struct wb_arena *a, enum wb_scan_verb verb,
				const char *const *args, struct wb_err *err);

#endif
