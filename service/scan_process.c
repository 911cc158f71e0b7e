#include "service/scan_process.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "scanner/facts.h"
#include "scanner/scan.h"
#include "scanner/toolchain.h"
#include "service/slots.h"
#include "service/verbs.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: waybilld scan [OPTION]... -p DIR [FILE]...\n"
    "       waybilld scan [OPTION]... -- COMPILER ARGUMENT...\n"
    "\n"
    "Lists the files that compile commands read, like `waybill scan` but in this process: no daemon is asked or "
    "started.\n"
    "  -p DIR          every entry of DIR/compile_commands.json, or of the file DIR; with FILEs, of these sources "
    "only\n"
    "  -j N            with N threads (default: one a core)\n"
    "  --format=make   a makefile rule for each, as clang-scan-deps prints it (the default)\n"
    "  --format=json   each file with the reasons it is there\n"
    "  --format=paths  one name a line\n"
    "  --engine=NAME   directives, clang, or both: every difference between the two; exits with 1 when there is one\n"
    "  --stats         say on standard error what it cost\n"
    "  --repeat=N      N passes, each scanning anew; prints the first, and --stats for each\n"
    "  --reask=N       after that N passes that ask again for what the last one has found\n"
    "Exit code: 0, 1 when anything could not be scanned, 2 on bad usage.\n";

/* wb_verb_call.flush */
static wb_status write_out(struct wb_verb_call *c, struct wb_err *err)
{
	wb_status st = wb_fd_write(STDOUT_FILENO, c->out->p, c->out->n, "standard output", err);

	if (wb_is_ok(st) && c->err_out->n > 0)
		st = wb_fd_write(STDERR_FILENO, c->err_out->p, c->err_out->n, "standard error", err);
	wb_buf_reset(c->out);
	wb_buf_reset(c->err_out);
	return st;
}

/* What the pipe needs as far as the inputs. The cache's directory is a daemon's: beside the answers of the compilers
 * only a file of our own is kept there, the digests of what those consist of. Without the directory it works too. */
static wb_status open_parts(struct wb_service *s, struct wb_arena *a, struct wb_err *err)
{
	const char *dir = s->config.value[WB_SET_CACHE_DIR], *facts = NULL, *toolchains = NULL;

	if (wb_is_ok(wb_dir_make(dir, 0700, err))) {
		facts = wb_arena_printf(a, "%s/scan-facts", dir);
		toolchains = wb_arena_printf(a, "%s/toolchains", dir);
	}
	if (!facts || !wb_is_ok(wb_facts_new(&s->facts, facts, err)))
		WB_TRY(wb_facts_new(&s->facts, NULL, err));
	WB_TRY(wb_toolchains_new(&s->toolchains, s->facts, toolchains, err));
	WB_TRY(wb_scanner_new(&s->scanner, NULL, err));
	/* Its threads are counted where they are made. */
	s->scan_slots = wb_slots_new(UINT_MAX);
	return wb_ok();
}

static void close_parts(struct wb_service *s)
{
	if (s->scan_slots)
		wb_slots_free(s->scan_slots);
	wb_scanner_free(s->scanner);
	wb_toolchains_free(s->toolchains);
	wb_facts_free(s->facts);
}

int wb_scan_process(const struct wb_config *config, const char *const *args, const char *const *env)
{
	struct wb_service service = {.config = *config};
	struct wb_buf out = WB_BUF_INIT, text = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	char cwd[PATH_MAX];
	struct wb_arena a;
	int code = 1;

	if (args[0] && (strcmp(args[0], "--help") == 0 || strcmp(args[0], "-h") == 0))
		return wb_is_ok(wb_fd_write(STDOUT_FILENO, help, sizeof help - 1, "standard output", NULL)) ? 0 : 1;
	wb_arena_init(&a);
	struct wb_verb_call call = {
	    .service = &service,
	    .arena = &a,
	    .args = args,
	    .env = env,
	    .cwd = cwd,
	    .config = config,
	    .terminal = isatty(STDOUT_FILENO) == 1,
	    .err_terminal = isatty(STDERR_FILENO) == 1,
	    .out = &out,
	    .err_out = &text,
	    .flush = write_out,
	};
	wb_status st = getcwd(cwd, sizeof cwd) ? open_parts(&service, &a, &err)
					       : wb_fail_errno(&err, errno, "cannot tell the working directory");
	if (wb_is_ok(st)) {
		code = wb_verb_scan(&call);
		st = write_out(&call, &err);
	}
	if (!wb_is_ok(st)) {
		wb_buf_addf(&text, "waybilld: scan: %s\n", err.text);
		wb_ignore(wb_fd_write(STDERR_FILENO, text.p, text.n, "standard error", NULL));
		code = 1;
	}
	close_parts(&service);
	wb_buf_release(&out);
	wb_buf_release(&text);
	wb_arena_release(&a);
	return code;
}
