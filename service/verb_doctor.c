#include "base/fileio.h"
#include "reapi/client.h"
#include "scanner/scan.h"
#include "scanner/toolchain.h"
#include "service/plan.h"
#include "service/sandbox.h"
#include "service/store.h"
#include "service/verbs.h"
#include "service/worker.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* Compilers that a person may have meant, when none is named. */
static const char *const usual[] = {"c++",        "g++",        "clang++",    "clang++-22",
				    "clang++-19", "clang++-16", "clang++-14", NULL};

static bool on_path(struct wb_arena *a, const char *path_env, const char *name)
{
	struct wb_str rest = wb_str_of(path_env ? path_env : "");

	while (rest.n > 0) {
		const char *colon = memchr(rest.p, ':', rest.n);
		size_t n = colon ? (size_t)(colon - rest.p) : rest.n;

		if (access(wb_arena_printf(a, "%.*s/%s", (int)n, rest.p, name), X_OK) == 0)
			return true;
		rest.p += colon ? n + 1 : n;
		rest.n -= colon ? n + 1 : n;
	}
	return false;
}

/* Can the cluster be asked, and does it do what is needed? */
static int check_cluster(struct wb_verb_call *c)
{
	struct wb_service *s = c->service;
	struct wb_err err = WB_ERR_INIT;
	struct wb_reapi_capabilities cap;

	if (s->cluster_trouble[0] != '\0') {
		wb_buf_addf(c->out, "remote     not used: %s (once that is mended: waybill stop)\n",
			    s->cluster_trouble);
		return 1;
	}
	if (!s->reapi)
		return 0;
	if (!wb_is_ok(wb_reapi_capabilities(&cap, s->reapi, &err))) {
		wb_buf_addf(c->out, "remote     %s: %s\n", wb_reapi_name(s->reapi), err.text);
		return 1;
	}
	wb_buf_addf(c->out, "remote     %s: API %d.%d to %d.%d, %s, action cache %s, ", wb_reapi_name(s->reapi),
		    cap.low_major, cap.low_minor, cap.high_major, cap.high_minor,
		    cap.exec ? "executes" : "does not execute", cap.update ? "writable" : "read-only");
	if (cap.max_batch_bytes > 0)
		wb_buf_addf(c->out, "batches of %" PRId64 " bytes, ", cap.max_batch_bytes);
	wb_buf_addf(c->out, "zstd %s\n", cap.zstd_stream || cap.zstd_batch ? "offered" : "not offered");
	if (!cap.exec && s->backend_remote && !wb_config_is(c->config, WB_SET_MODE, "cache")) {
		wb_buf_adds(c->out,
			    "remote     it does not execute actions: set mode = cache to share results through it\n");
		return 1;
	}
	return 0;
}

/* Has the cluster's worker this compiler? The same question as before the first compile. */
static int check_worker(struct wb_verb_call *c, const char *compiler)
{
	struct wb_service *s = c->service;
	struct wb_err err = WB_ERR_INIT;
	const char *argv[] = {compiler, "-c", "source.cc", NULL};
	struct wb_request req = {.argv = argv, .cwd = c->cwd, .env = c->env, .config = c->config, .cancel = c->cancel};
	struct wb_backend_call call = {.cancel = c->cancel, .worker = ""};
	struct wb_worker_report report;
	enum wb_reason reason;
	struct wb_plan p;

	if (!s->backend_remote || wb_service_backend(s, c->config) != s->backend_remote)
		return 0;
	wb_status st = wb_plan_make(&p, c->arena, s, &req, WB_STAGE_TOOLCHAIN, &err);
	if (!wb_is_ok(st) || !p.tc)
		return 0; /* its own line says what is wrong with it */
	wb_workers_forget(s->workers, &p);
	st = wb_workers_check(s->workers, c->arena, s->backend_remote, &call, &p, &report, &reason, &err);
	if (!wb_is_ok(st)) {
		wb_buf_addf(c->out, "  worker      %s\n", err.text);
		return 1;
	}
	wb_buf_addf(c->out, "  worker      has the same (%zu files compared)%s\n", report.asked,
		    report.links ? "; it hard-links equal inputs, so compiles with two equal headers stay here" : "");
	return 0;
}

static int check_compilers(struct wb_verb_call *c)
{
	const char *path = wb_env_get(c->env, "PATH");
	bool named = c->args[0] != NULL;
	int bad = 0;

	for (const char *const *p = named ? c->args : usual; *p; p++) {
		struct wb_err err = WB_ERR_INIT;

		if (!named && !on_path(c->arena, path, *p))
			continue;
		if (wb_is_ok(wb_toolchain_describe(c->out, c->service->toolchains, *p, path, &err))) {
			bad += check_worker(c, *p) && named;
			continue;
		}
		wb_buf_addf(c->out, "compiler   %s: %s\n", *p, err.text);
		bad += named;
	}
	return bad;
}

int wb_verb_doctor(struct wb_verb_call *c)
{
	struct wb_service *s = c->service;
	struct wb_err err = WB_ERR_INIT;
	int bad = 0;

	if (wb_is_ok(wb_scanner_check(s->scanner, &err))) {
		wb_buf_addf(c->out, "scanner    clang engine: loaded\n");
	} else {
		wb_buf_addf(c->out, "scanner    clang engine: %s\n", err.text);
		bad++;
	}
	if (wb_sandbox_kind(s->sandbox) == WB_SANDBOX_BWRAP)
		wb_buf_adds(c->out, "sandbox    bubblewrap\n");
	else
		wb_buf_addf(c->out, "sandbox    none: actions run in a bare directory on copies (%s)\n",
			    wb_sandbox_why_not(s->sandbox));
	wb_buf_addf(c->out, "cache      %s: %" PRId64 " blobs, %" PRId64 " of %" PRId64 " bytes\n", s->cache_dir,
		    wb_store_count(s->store), wb_store_bytes(s->store),
		    wb_config_number(&s->config, WB_SET_CACHE_SIZE));
	if (access(s->cache_dir, W_OK) != 0) {
		wb_buf_addf(c->out, "cache      %s cannot be written\n", s->cache_dir);
		bad++;
	}
	wb_buf_addf(c->out, "jobs       %u compilers at once\n", s->jobs);
	bad += check_cluster(c);
	bad += check_compilers(c);
	return bad > 0 ? 1 : 0;
}
