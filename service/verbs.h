/* verbs.h — the client's verbs, as the daemon answers them: text on two streams and an exit code. */
#ifndef WB_SERVICE_VERBS_H
#define WB_SERVICE_VERBS_H

#include "base/arena.h"
#include "base/config.h"
#include "base/str.h"
#include "service/service.h"

#include <stdatomic.h>
#include <stdbool.h>

struct wb_daemon;
struct wb_build_jobs;

struct wb_verb_call {
	struct wb_service *service;
	struct wb_daemon *daemon;
	struct wb_arena *arena;
	const char *const *args; /* NULL-terminated, without the verb */
	const char *const *env;
	const char *cwd;
	const struct wb_config *config;
	bool terminal;     /* stdout is one */
	bool err_terminal; /* stderr is one */
	const atomic_bool *cancel;
	struct wb_buf *out, *err_out;
	/* Hand over what is in `out` and `err_out` by now, and empty them: for an answer that is too long to be kept.
	 * Blocks while the reader does. Fails when nobody listens any more. */
	wb_status (*flush)(struct wb_verb_call *c, struct wb_err *err);
	void *flush_to; /* flush's own */
	bool stop;      /* out: end the daemon after the answer */
};

/* Exit code: 0, 1 (it did not work; the text says why), 2 (bad usage). */
int wb_verb_run(struct wb_verb_call *c, const char *verb);

/* verb_fix.c: `waybill fix [--format=json] -- COMMAND`. */
int wb_verb_fix(struct wb_verb_call *c);
/* verb_scan.c: `waybill scan [OPTION...] -- COMMAND | -p DIR [FILE...]`; see scan_options.h. With `daemon` NULL
 * (`waybilld scan`) the service needs no more than what wb_plan_make uses up to WB_STAGE_INPUTS. */
int wb_verb_scan(struct wb_verb_call *c);
/* verb_why.c: `waybill why HEADER [OPTION...] -- COMMAND | -p DIR FILE`. */
int wb_verb_why(struct wb_verb_call *c);
/* verb_doctor.c */
int wb_verb_doctor(struct wb_verb_call *c);
/* verb_stats.c: `waybill stats [--json] [--reset | --last-build]`. */
int wb_verb_stats(struct wb_verb_call *c);
/* verb_trace.c: `waybill trace [--last-build]`. */
int wb_verb_trace(struct wb_verb_call *c);

/* Say how a verb is used; returns the exit code for that. */
int wb_verb_usage(struct wb_verb_call *c, const char *text);
/* The last build, from the build log; memory in the call's arena. WB_ENOENT: no job was logged yet. */
wb_status wb_verb_last_build(struct wb_build_jobs *out, struct wb_verb_call *c, struct wb_err *err);

/* Split `[--format=F] -- COMMAND` (the command's words to `*argv`); false: usage was printed. */
bool wb_verb_command(struct wb_verb_call *c, const char *verb, const char **format, const char *const **argv);

#endif
