#define _GNU_SOURCE
#include "tests/unit/scan_oracle.h"

#include "base/fileio.h"
#include "base/path.h"
#include "base/process.h"
#include "scanner/directives/compare.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int oracle_setup(void **state)
{
	struct oracle *o = wb_xcalloc(1, sizeof *o);
	struct wb_err err = WB_ERR_INIT;
	strcpy(o->dir, "/tmp/waybill-scan-XXXXXX");
	assert_non_null(mkdtemp(o->dir));
	wb_arena_init(&o->a);
	assert_ok(wb_facts_new(&o->facts, NULL, &err), &err);
	assert_ok(wb_toolchains_new(&o->toolchains, o->facts, NULL, &err), &err);
	assert_ok(wb_scanner_new(&o->scanner, getenv("WAYBILL_TEST_SHIM"), &err), &err);
	*state = o;
	return 0;
}

int oracle_setup_directives(void **state)
{
	oracle_setup(state);
	((struct oracle *)*state)->engine = "directives";
	return 0;
}

int oracle_setup_clang(void **state)
{
	oracle_setup(state);
	((struct oracle *)*state)->engine = "clang";
	return 0;
}

int oracle_teardown(void **state)
{
	struct oracle *o = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_scanner_free(o->scanner);
	wb_toolchains_free(o->toolchains);
	wb_facts_free(o->facts);
	assert_ok(wb_dir_remove(o->dir, &err), &err);
	wb_arena_release(&o->a);
	free(o);
	return 0;
}

bool oracle_has(const char *compiler)
{
	char path[128];
	snprintf(path, sizeof path, "/usr/bin/%s", compiler);
	return access(path, X_OK) == 0;
}

void oracle_put_fresh(struct oracle *o, const char *name, const char *text)
{
	struct wb_err err = WB_ERR_INIT;
	const char *path = wb_path_join(&o->a, o->dir, name);
	assert_ok(wb_dir_make(wb_path_dirname(&o->a, path), 0777, &err), &err);
	assert_ok(wb_file_write(path, text, strlen(text), 0644, &err), &err);
}

/* The caches look at ctime as well, which nobody can set: wait until the file is old enough. */
void oracle_put(struct oracle *o, const char *name, const char *text)
{
	oracle_put_fresh(o, name, text);
	usleep(WB_FACTS_RACY_NS / 1000 + 5000);
}

void oracle_link(struct oracle *o, const char *target, const char *name)
{
	assert_int_equal(symlink(target, wb_path_join(&o->a, o->dir, name)), 0);
}

static struct wb_argv words(struct wb_arena *a, const char *line)
{
	struct wb_argv v = {0};
	char *save = NULL;
	for (char *s = wb_arena_strdup(a, line), *w; (w = strtok_r(s, " ", &save)) != NULL; s = NULL)
		wb_argv_push(&v, a, w);
	return v;
}

void oracle_command(struct oracle *o, struct wb_command *cmd, const char *line)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_argv v = words(&o->a, line);
	assert_ok(wb_command_parse(cmd, &o->a, v.v, o->dir, wb_driver_guess(v.v[0]), &err), &err);
}

wb_status oracle_scan(struct oracle *o, struct wb_graph *g, const char *line, enum wb_reason *reason,
		      struct wb_err *err)
{
	struct wb_command *cmd = wb_arena_alloc(&o->a, sizeof *cmd);
	const struct wb_toolchain *tc;
	oracle_command(o, cmd, line);
	WB_TRY(wb_toolchain_get(&tc, o->toolchains, cmd, "/usr/bin:/bin", reason, err));
	struct wb_scan_request req = {.cmd = cmd, .tc = tc, .engine = o->engine};
	return wb_scan(g, &o->a, o->scanner, &req, reason, err);
}

void oracle_scan_ok(struct oracle *o, struct wb_graph *g, const char *line)
{
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason = WB_REASON_NONE;
	wb_status s = oracle_scan(o, g, line, &reason, &err);
	if (!wb_is_ok(s))
		fail_msg("%s: %s: %s", line, wb_reason_name(reason), err.text);
}

static void add_real(struct oracle *o, struct wb_map *set, const char *path)
{
	const char *real = wb_path_real(&o->a, wb_path_join(&o->a, o->dir, path));
	wb_map_puts(set, real ? real : path, NULL)->u = 1;
}

bool oracle_depends(struct oracle *o, struct wb_map *set, const char *line)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf out = WB_BUF_INIT, complaint = WB_BUF_INIT;
	struct wb_argv v = words(&o->a, line), m = {0};
	for (size_t i = 0; i < v.n; i++)
		if (strcmp(v.v[i], "-c") != 0)
			wb_argv_push(&m, &o->a, v.v[i]);
	/* gcc's -M does not expand macros outside of directives, so it misses what they do (__COUNTER__, _Pragma): its
	 * -MD during a real compile is right. */
	bool gcc = strstr(v.v[0], "clang") == NULL && strstr(line, ".S") == NULL && !o->quick;
	static const char *const real[] = {"-fsyntax-only", "-w", "-MD", "-MF", "-"};
	for (size_t i = 0; gcc && i < sizeof real / sizeof *real; i++)
		wb_argv_push(&m, &o->a, real[i]);
	if (!gcc)
		wb_argv_push(&m, &o->a, "-M");
	struct wb_process p = {.argv = m.v, .cwd = o->dir, .out = &out, .err_out = &complaint};
	int status;
	assert_ok(wb_process_run(&status, &p, &err), &err);
	o->complaint = wb_arena_strdup(&o->a, complaint.p ? complaint.p : "");
	wb_buf_release(&complaint);
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	char *save = NULL, *colon = out.p ? strstr(out.p, ": ") : NULL;
	for (char *s = colon ? colon + 1 : NULL, *w; good && (w = strtok_r(s, " \n", &save)) != NULL; s = NULL)
		if (strcmp(w, "\\") != 0)
			add_real(o, set, w);
	wb_buf_release(&out);
	return good;
}

/* Was the file met by __has_include alone? */
static bool only_looked_at(const struct wb_graph *g, uint32_t file)
{
	for (uint32_t i = 0; i < g->nedge; i++)
		if (g->edge[i].to == file && g->edge[i].kind != WB_EDGE_HAS_INCLUDE)
			return false;
	return file != 0;
}

void oracle_same_files(struct oracle *o, const struct wb_graph *g, const char *line)
{
	struct wb_map want, got;
	wb_map_init(&want);
	wb_map_init(&got);
	bool good = oracle_depends(o, &want, line);
	if (!good && !g->failed)
		fail_msg("%s: the compiler fails, the scan does not: %s", line, o->complaint);
	if (good && g->failed)
		fail_msg("%s: the scan fails, the compiler does not: %s", line, g->diagnostics);
	for (uint32_t i = 0; good && i < g->nfile; i++) {
		const char *path = wb_path_real(&o->a, wb_path_join(&o->a, o->dir, g->file[i].path));
		assert_non_null(path);
		wb_map_puts(&got, path, NULL);
		if (!only_looked_at(g, i) && !wb_map_gets(&want, path))
			fail_msg("%s: %s is not read by the compiler", line, g->file[i].path);
	}
	size_t at = 0;
	for (struct wb_map_slot *slot; good && (slot = wb_map_next(&want, &at)) != NULL;)
		if (!wb_map_gets(&got, slot->key))
			fail_msg("%s: %s is missing from the scan", line, slot->key);
	wb_map_release(&want);
	wb_map_release(&got);
}

void oracle_agree(struct oracle *o, const char *line)
{
	struct wb_graph g;
	oracle_scan_ok(o, &g, line);
	oracle_same_files(o, &g, line);
}

void oracle_same_as_clang(struct oracle *o, const struct wb_graph *g, const char *line, bool all)
{
	const char *engine = o->engine;
	struct wb_graph other;
	struct wb_buf out = WB_BUF_INIT;
	o->engine = "clang";
	oracle_scan_ok(o, &other, line);
	o->engine = engine;
	if (wb_graph_compare(&out, &other, "clang", g, "directives", all))
		fail_msg("%s: %s", line, out.p);
	wb_buf_release(&out);
}

uint32_t oracle_file(const struct wb_graph *g, const char *suffix)
{
	for (uint32_t i = 0; i < g->nfile; i++)
		if (wb_ends_with(g->file[i].path, suffix))
			return i;
	return UINT32_MAX;
}

bool oracle_missed(const struct wb_graph *g, const char *suffix)
{
	for (size_t i = 0; i < g->nmiss; i++)
		if (wb_ends_with(g->miss[i], suffix))
			return true;
	return false;
}
