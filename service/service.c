#include "service/service.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "base/log.h"
#include "reapi/client.h"
#include "reapi/directories.h"
#include "scanner/facts.h"
#include "scanner/scan.h"
#include "scanner/toolchain.h"
#include "service/action_cache.h"
#include "service/backend.h"
#include "service/build_log.h"
#include "service/inflight.h"
#include "service/memo.h"
#include "service/record.h"
#include "service/sandbox.h"
#include "service/slots.h"
#include "service/stats.h"
#include "service/store.h"
#include "service/worker.h"

#include "buildid.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CACHES_MAX 8

/* A store has one owner. While a daemon of another build holds the cache, this one works on a cache of its own inside
 * it; they must neither share nor end each other. */
static wb_status open_store(struct wb_service *s, struct wb_err *err)
{
	const char *dir = s->config.value[WB_SET_CACHE_DIR];
	int64_t limit = wb_config_number(&s->config, WB_SET_CACHE_SIZE);
	wb_status st = wb_ok();

	for (int i = 0; i < CACHES_MAX; i++) {
		if (i == 0)
			snprintf(s->cache_dir, sizeof s->cache_dir, "%s", dir);
		else
			snprintf(s->cache_dir, sizeof s->cache_dir, "%s/build-%d", dir, i + 1);
		WB_TRY(wb_dir_make(s->cache_dir, 0700, err));
		st = wb_store_new(&s->store, s->cache_dir, limit, err);
		if (st.code != WB_EBUSY)
			break;
	}
	return st;
}

static wb_status open_cluster(struct wb_service *s, struct wb_arena *a, struct wb_err *err)
{
	const char *const *v = s->config.value;
	struct wb_reapi_config c = {
	    .files = {.ca = v[WB_SET_REMOTE_CA],
		      .cert = v[WB_SET_REMOTE_CERT],
		      .key = v[WB_SET_REMOTE_KEY],
		      .token = v[WB_SET_REMOTE_TOKEN_FILE]},
	    .instance = v[WB_SET_INSTANCE],
	    .rpc_timeout_ns = wb_config_number(&s->config, WB_SET_REMOTE_TIMEOUT) * 1000000000LL,
	    .execute_timeout_ns = wb_config_number(&s->config, WB_SET_REMOTE_EXECUTE_TIMEOUT) * 1000000000LL,
	    .compress = wb_config_is(&s->config, WB_SET_REMOTE_COMPRESSION, "auto"),
	    .version = WB_VERSION,
	};
	const struct {
		struct wb_endpoint *to;
		enum wb_setting setting;
	} endpoint[] = {{&c.exec, WB_SET_REMOTE}, {&c.cas, WB_SET_REMOTE_CAS}, {&c.cache, WB_SET_REMOTE_CACHE}};
	bool any = false;

	for (size_t i = 0; i < sizeof endpoint / sizeof *endpoint; i++) {
		const struct wb_setting_row *row = &wb_setting_table[endpoint[i].setting];
		const char *text = v[endpoint[i].setting];

		*endpoint[i].to = (struct wb_endpoint){.text = "", .target = ""};
		if (text[0] == '\0')
			continue;
		wb_status st = wb_endpoint_parse(endpoint[i].to, a, text, err);
		if (!wb_is_ok(st))
			return wb_fail_prefix(err, st, "%s (%s)", row->key, row->env);
		any = true;
	}
	if (!any)
		return wb_ok();
	WB_TRY(wb_rpc_new(&s->rpc, err));
	WB_TRY(wb_reapi_new(&s->reapi, s->rpc, &c, err));
	s->workers = wb_workers_new(s->facts);
	s->backend_cache = wb_backend_cache_new(s->backend_local, s->store, s->reapi);
	if (c.exec.text[0] != '\0')
		s->backend_remote = wb_backend_reapi_new(s->reapi);
	return wb_ok();
}

struct wb_backend *wb_service_backend(const struct wb_service *s, const struct wb_config *config)
{
	struct wb_backend *b = wb_config_is(config, WB_SET_MODE, "cache")   ? s->backend_cache
			       : wb_config_is(config, WB_SET_MODE, "local") ? NULL
									    : s->backend_remote;

	return b != NULL ? b : s->backend_local;
}

static wb_status open_all(struct wb_service *s, struct wb_arena *a, struct wb_err *err)
{
	const char *dir = s->cache_dir;

	WB_TRY(open_store(s, err));
	WB_TRY(wb_stats_new(&s->stats, wb_arena_printf(a, "%s/stats", dir), err));
	WB_TRY(wb_facts_new(&s->facts, wb_arena_printf(a, "%s/facts", dir), err));
	WB_TRY(wb_toolchains_new(&s->toolchains, s->facts, wb_arena_printf(a, "%s/toolchains", dir), err));
	WB_TRY(wb_scanner_new(&s->scanner, NULL, err));
	/* Without it files are read anew by each daemon. */
	if (!wb_is_ok(wb_scanner_keep(s->scanner, wb_arena_printf(a, "%s/programs", dir), WB_BUILD_ID, err)))
		wb_log(WB_LOG_WARN, "programs of files are not kept: %s", err->text);
	WB_TRY(wb_action_cache_new(&s->action_cache, dir, s->store, err));
	WB_TRY(wb_sandbox_new(&s->sandbox, s->config.value[WB_SET_SANDBOX], err));
	s->compile_slots = wb_slots_new(s->jobs);
	s->scan_slots = wb_slots_new(s->jobs);
	WB_TRY(wb_backend_local_new(&s->backend_local, s->store, s->action_cache, s->sandbox, s->compile_slots, err));
	/* Compiles work without it; `waybill doctor` and the counters say that they had to. */
	struct wb_err trouble = WB_ERR_INIT;
	if (!wb_is_ok(open_cluster(s, a, &trouble))) {
		snprintf(s->cluster_trouble, sizeof s->cluster_trouble, "%s", trouble.text);
		wb_log(WB_LOG_ERROR, "the cluster is not used: %s", trouble.text);
	}
	s->directories = wb_directories_new();
	s->memo = wb_memo_new(s->facts);
	s->inflight = wb_inflight_new();
	/* It only tells: without it everything works. */
	if (!wb_is_ok(wb_build_log_new(&s->build_log, wb_arena_printf(a, "%s/build-log", dir), err)))
		wb_log(WB_LOG_WARN, "no build log: %s", err->text);
	return wb_records_new(&s->records, wb_arena_printf(a, "%s/records", dir), err);
}

wb_status wb_service_init(struct wb_service *s, const struct wb_config *config, struct wb_err *err)
{
	struct wb_arena a;
	int64_t jobs = wb_config_number(config, WB_SET_JOBS);

	memset(s, 0, sizeof *s);
	s->config = *config;
	s->jobs = jobs > 0 ? (unsigned)jobs : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	wb_arena_init(&a);
	wb_status st = open_all(s, &a, err);
	wb_arena_release(&a);
	if (!wb_is_ok(st))
		wb_service_release(s);
	return st;
}

void wb_service_release(struct wb_service *s)
{
	wb_records_free(s->records);
	wb_build_log_free(s->build_log);
	wb_inflight_free(s->inflight);
	wb_memo_free(s->memo);
	wb_directories_free(s->directories);
	if (s->backend_remote)
		s->backend_remote->free(s->backend_remote);
	if (s->backend_cache)
		s->backend_cache->free(s->backend_cache);
	wb_workers_free(s->workers);
	if (s->reapi)
		wb_reapi_free(s->reapi);
	if (s->rpc)
		wb_rpc_free(s->rpc);
	if (s->backend_local)
		s->backend_local->free(s->backend_local);
	if (s->scan_slots)
		wb_slots_free(s->scan_slots);
	if (s->compile_slots)
		wb_slots_free(s->compile_slots);
	wb_sandbox_free(s->sandbox);
	wb_action_cache_free(s->action_cache);
	wb_store_free(s->store);
	wb_scanner_free(s->scanner);
	wb_toolchains_free(s->toolchains);
	wb_facts_free(s->facts);
	wb_stats_free(s->stats);
	memset(s, 0, sizeof *s);
}
