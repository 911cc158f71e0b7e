#define _GNU_SOURCE /* memmem, memrchr */
/* The C side of the clang engine: what a command says becomes a request to the shim, its result becomes the graph. */
#include "scanner/clang/engine_clang.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/path.h"
#include "base/str.h"
#include "scanner/clang/clang_shim.h"
#include "scanner/clang/invocation.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHIM_NAME   "libwaybill-clang-22.so"
#define CACHE_LIMIT (512ULL << 20)
enum { MAX_ROUNDS = 32 }; /* of scanning and asking the compiler; a header's conditions nest a few deep */

#ifndef WB_INSTALL_LIBDIR
#define WB_INSTALL_LIBDIR "/usr/lib/waybill"
#endif

struct engine {
	struct wb_scan_engine base; /* first */
	char *shim;                 /* NULL: look for it */
	pthread_mutex_t lock;       /* of loading */
	bool tried;
	struct wb_err why; /* it could not be loaded */
	void *library;
	const struct wb_shim_api *api;
	struct wb_shim_cache *cache;
};

static bool try_load(struct engine *e, const char *path)
{
	e->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!e->library) {
		wb_ignore(wb_fail(&e->why, WB_EUNSUPPORTED, "%s", dlerror()));
		return false;
	}
	/* POSIX: an object pointer from dlsym may be called. */
	wb_shim_get_fn *get = (wb_shim_get_fn *)(uintptr_t)dlsym(e->library, WB_SHIM_SYMBOL);
	e->api = get ? get(WB_SHIM_ABI) : NULL;
	if (!e->api) {
		wb_ignore(wb_fail(&e->why, WB_EUNSUPPORTED, "%s: of another version of Waybill", path));
		dlclose(e->library);
		e->library = NULL;
		return false;
	}
	e->cache = e->api->cache_new(CACHE_LIMIT);
	return true;
}

/* Beside the executable (a build tree keeps it in lib/), then where it is installed. */
static void load(struct engine *e)
{
	static const char *const beside[] = {"", "lib/", "../lib/", "../lib/waybill/", "../../lib/"};
	char self[PATH_MAX], path[PATH_MAX + 64];
	if (e->shim) {
		try_load(e, e->shim);
		return;
	}
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;
	for (size_t i = 0; slash && i < sizeof beside / sizeof *beside; i++) {
		snprintf(path, sizeof path, "%.*s/%s" SHIM_NAME, (int)(slash - self), self, beside[i]);
		if (access(path, R_OK) == 0 && try_load(e, path))
			return;
	}
	try_load(e, WB_INSTALL_LIBDIR "/" SHIM_NAME);
}

static wb_status ready(struct engine *e, enum wb_reason *reason, struct wb_err *err)
{
	pthread_mutex_lock(&e->lock);
	if (!e->tried)
		load(e);
	e->tried = true;
	pthread_mutex_unlock(&e->lock);
	if (e->api)
		return wb_ok();
	*reason = WB_REASON_ENGINE;
	return wb_fail(err, WB_EUNSCANNABLE, "no scan engine: %s", e->why.text);
}

/* The questions of one pass that had no answer yet. */
struct open_questions {
	const struct wb_toolchain *tc;
	struct wb_arena *arena;
	struct wb_map seen;
	struct wb_question *q;
	size_t n, cap;
};

static bool answer(void *ctx, const char *name, const char *operand, uint32_t *value)
{
	struct open_questions *o = ctx;
	struct wb_question q = {name, operand, 0};
	if (wb_toolchain_known(o->tc, &q)) {
		*value = q.value;
		return true;
	}
	const char *key = wb_arena_printf(o->arena, "%s %s", name, operand);
	bool fresh;
	wb_map_puts(&o->seen, key, &fresh);
	if (fresh) {
		wb_arena_grow(o->arena, &o->q, o->n, &o->cap, sizeof *o->q);
		o->q[o->n++] =
		    (struct wb_question){wb_arena_strdup(o->arena, name), wb_arena_strdup(o->arena, operand), 0};
	}
	return false;
}

static int by_inode(const void *x, const void *y)
{
	const struct wb_graph_file *const *a = x, *const *b = y;
	if ((*a)->id.dev != (*b)->id.dev)
		return (*a)->id.dev < (*b)->id.dev ? -1 : 1;
	return (*a)->id.ino<(*b)->id.ino ? -1 : (*a)->id.ino>(*b)->id.ino;
}

/* Two names of one file that no symlink explains: compilers take hard links for the same file (clang even resolves what
 * the second includes from the place of the first), and an input root does not reproduce them. NULL: there are none. */
static const char *hard_linked(const struct wb_shim_result *r, const char *cwd, struct wb_arena *a)
{
	const struct wb_graph_file **row = wb_arena_array(a, r->nfile + 1, sizeof *row);
	for (uint32_t i = 0; i < r->nfile; i++)
		row[i] = &r->file[i];
	qsort(row, r->nfile, sizeof *row, by_inode);
	for (uint32_t i = 1; i < r->nfile; i++) {
		if (row[i]->id.mode == 0 || by_inode(&row[i], &row[i - 1]) != 0)
			continue;
		const char *x = wb_path_real(a, wb_path_join(a, cwd, row[i]->path));
		const char *y = wb_path_real(a, wb_path_join(a, cwd, row[i - 1]->path));
		if (!x || !y || strcmp(x, y) != 0)
			return wb_arena_strdup(a, row[i]->path);
	}
	return NULL;
}

/* Everything that clang 22's preprocessor may read otherwise than the compiler would. */
static wb_status check_doubts(const struct wb_shim_result *r, const struct wb_scan_request *req, struct wb_arena *a,
			      enum wb_reason *reason, struct wb_err *err)
{
	bool gcc = req->tc->compiler == WB_COMPILER_GCC;
	if (r->notes & WB_SHIM_MALFORMED_QUESTION)
		return wb_scan_doubt(reason, err, "its operand cannot be read", r->doubt);
	if (r->notes & WB_SHIM_UNSURE_LOOKUP)
		return wb_scan_doubt(reason, err,
				     "a __has_include that gcc may pass over, in a condition that is not understood",
				     r->doubt);
	if ((r->notes & WB_SHIM_CANNOT_READ) && !r->failed)
		return wb_scan_doubt(reason, err, "exists but cannot be read", r->doubt);
	if ((r->notes & WB_SHIM_FILE_MACRO) && wb_command_maps_prefixes(req->cmd))
		return wb_scan_doubt(reason, err, "__FILE__ in a directive, with a prefix map", "");
	if ((r->notes & WB_SHIM_TWINS_ONCE) && gcc) /* gcc compares contents, clang asks for the inode */
		return wb_scan_doubt(reason, err, "#pragma once in two files of equal content", r->doubt);
	for (uint32_t i = 0; i < r->nfile; i++) {
		uint32_t notes = r->file_notes[i];
		const char *path = r->file[i].path;
		if (notes == 0 || wb_toolchain_owns(req->tc, path))
			continue;
		if (notes & WB_SHIM_PRAGMA_DEPENDENCY)
			return wb_scan_doubt(reason, err, "#pragma dependency", path);
		if (gcc && (notes & WB_SHIM_PRAGMA_TARGET))
			return wb_scan_doubt(reason, err, "a #pragma GCC that changes predefined macros", path);
		if (gcc && (notes & WB_SHIM_ELIFDEF))
			return wb_scan_doubt(reason, err, "#elifdef depends on the version and standard of gcc", path);
	}
	const char *linked = hard_linked(r, req->cmd->cwd, a);
	if (linked)
		return wb_scan_doubt(reason, err, "is a hard link of another file that is read", linked);
	/* gcc's own first include must be the one that its macros were taken from. */
	for (uint32_t i = 0; i < r->nedge; i++) {
		const struct wb_edge *e = &r->edge[i];
		if (e->from != UINT32_MAX || e->line != UINT32_MAX)
			continue;
		const char *dir = wb_path_basename(r->file[e->to].path);
		size_t n = (size_t)(dir - r->file[e->to].path);
		bool found = false;
		for (size_t d = 0; d < req->tc->ndir; d++)
			found = found || (strlen(req->tc->dir[d].path) + 1 == n &&
					  strncmp(req->tc->dir[d].path, r->file[e->to].path, n - 1) == 0);
		if (!found)
			return wb_scan_doubt(reason, err, "shadows the compiler's own first include",
					     r->file[e->to].path);
	}
	return wb_ok();
}

static void copy_result(struct wb_graph *out, struct wb_arena *a, const struct wb_shim_result *r, bool assembler)
{
	*out = (struct wb_graph){.nfile = r->nfile, .nedge = r->nedge, .nmiss = r->nmiss};
	out->file = wb_arena_array(a, r->nfile + 1, sizeof *out->file);
	out->edge = wb_arena_array(a, r->nedge + 1, sizeof *out->edge);
	const char **miss = wb_arena_array(a, r->nmiss + 1, sizeof *miss);
	for (uint32_t i = 0; i < r->nfile; i++) {
		out->file[i] = r->file[i];
		out->file[i].path = wb_arena_strdup(a, r->file[i].path);
		if (assembler && (r->file_notes[i] & WB_SHIM_ASM_INCLUDE))
			out->file[i].flags |= WB_GRAPH_INCBIN;
	}
	for (uint32_t i = 0; i < r->nedge; i++) {
		out->edge[i] = r->edge[i];
		out->edge[i].name = wb_arena_strdup(a, r->edge[i].name);
	}
	for (size_t i = 0; i < r->nmiss; i++)
		miss[i] = wb_arena_strdup(a, r->miss[i]);
	out->miss = miss;
	const char **blocked = wb_arena_array(a, r->nblocked + 1, sizeof *blocked);
	for (size_t i = 0; i < r->nblocked; i++)
		blocked[i] = wb_arena_strdup(a, r->blocked[i]);
	out->blocked = blocked;
	out->nblocked = r->nblocked;
	out->failed = r->failed;
	out->modules = r->modules;
	out->diagnostics = wb_arena_strdup(a, r->diagnostics);
}

static wb_status scan(struct wb_scan_engine *base, struct wb_graph *out, struct wb_arena *a,
		      const struct wb_scan_request *req, enum wb_reason *reason, struct wb_err *err)
{
	struct engine *e = (struct engine *)base;
	struct wb_shim_request shim;
	struct wb_shim_result *result = NULL;
	char why[512] = "";
	WB_TRY(ready(e, reason, err));
	WB_TRY(wb_invocation_make(&shim, a, req, reason, err));
	struct open_questions open = {.tc = req->tc, .arena = a};
	shim.answer = answer;
	shim.answer_ctx = &open;
	wb_status s = wb_ok();
	for (unsigned round = 0;; round++) {
		wb_map_init(&open.seen);
		open.n = 0;
		result = e->api->scan(e->cache, &shim, why, sizeof why);
		wb_map_release(&open.seen);
		if (!result) {
			s = wb_scan_doubt(reason, err, why, "clang 22 cannot be set up like this compiler");
			break;
		}
		if (open.n == 0) {
			s = check_doubts(result, req, a, reason, err);
			break;
		}
		if (round == MAX_ROUNDS) {
			s = wb_scan_doubt(reason, err, "questions to the compiler without end", "");
			break;
		}
		s = wb_toolchain_ask(req->tc, open.q, open.n, err);
		if (!wb_is_ok(s)) {
			*reason = WB_REASON_SCAN_DOUBT;
			s.code = WB_EUNSCANNABLE;
			break;
		}
		e->api->result_free(result);
		result = NULL;
	}
	if (wb_is_ok(s))
		copy_result(out, a, result, req->cmd->lang == WB_LANG_ASM_CPP);
	if (result)
		e->api->result_free(result);
	return s;
}

static wb_status check(struct wb_scan_engine *base, struct wb_err *err)
{
	enum wb_reason reason;
	return ready((struct engine *)base, &reason, err);
}

static void engine_free(struct wb_scan_engine *base)
{
	struct engine *e = (struct engine *)base;
	if (e->api)
		e->api->cache_free(e->cache);
	/* The library stays: LLVM's static objects do not unload well. */
	pthread_mutex_destroy(&e->lock);
	free(e->shim);
	free(e);
}

wb_status wb_engine_clang_new(struct wb_scan_engine **out, const char *shim, struct wb_err *err)
{
	(void)err;
	struct engine *e = wb_xcalloc(1, sizeof *e);
	e->base = (struct wb_scan_engine){.name = "clang", .scan = scan, .check = check, .free = engine_free};
	e->shim = shim ? wb_xstrdup(shim) : NULL;
	pthread_mutex_init(&e->lock, NULL);
	*out = &e->base;
	return wb_ok();
}
