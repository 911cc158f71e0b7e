/* service.h — what one daemon owns and every request uses. Made once in main.c; the parts are thread-safe by
 * themselves. */
#ifndef WB_SERVICE_SERVICE_H
#define WB_SERVICE_SERVICE_H

#include "base/config.h"
#include "base/err.h"

struct wb_facts;
struct wb_toolchains;
struct wb_scanner;
struct wb_store;
struct wb_action_cache;
struct wb_sandbox;
struct wb_slots;
struct wb_backend;
struct wb_directories;
struct wb_rpc;
struct wb_reapi;
struct wb_workers;
struct wb_memo;
struct wb_stats;
struct wb_records;
struct wb_build_log;
struct wb_inflight;

struct wb_service {
	struct wb_config config; /* daemon-scope values are the ones that count */
	char cache_dir[4096];    /* the setting's, or one inside it while a daemon of another build holds that */
	unsigned jobs;
	struct wb_facts *facts;
	struct wb_toolchains *toolchains;
	struct wb_scanner *scanner;
	struct wb_store *store;
	struct wb_action_cache *action_cache;
	struct wb_sandbox *sandbox;
	struct wb_slots *compile_slots; /* compilers at once, sandboxed or local */
	struct wb_slots *scan_slots;    /* scans at once */
	struct wb_backend *backend_local;
	/* Only with a cluster: */
	struct wb_rpc *rpc;
	struct wb_reapi *reapi;
	struct wb_workers *workers;
	struct wb_backend *backend_remote; /* NULL when no endpoint executes */
	struct wb_backend *backend_cache;
	char cluster_trouble[1024]; /* why the cluster that the settings name is not used (a bad endpoint, a missing
				     * certificate); "" when it is, or none is named */
	struct wb_directories *directories;
	struct wb_memo *memo;
	struct wb_stats *stats;
	struct wb_records *records;
	struct wb_build_log *build_log;
	struct wb_inflight *inflight;
};

/* Everything opened, in dependency order; on failure what was opened is closed again. `config` is borrowed for the life
 * of the service. */
wb_status wb_service_init(struct wb_service *s, const struct wb_config *config, struct wb_err *err);
void wb_service_release(struct wb_service *s);

/* The backend that a request's `mode` asks for; never NULL. Borrowed. */
struct wb_backend *wb_service_backend(const struct wb_service *s, const struct wb_config *config);

#endif
