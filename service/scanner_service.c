#include "service/scanner_service.h"

#include "base/arena.h"
#include "base/config.h"
#include "base/log.h"
#include "base/path.h"
#include "rpc/server.h"
#include "scanner/compile_database.h"
#include "service/plan.h"
#include "service/scan_reply.h"
#include "service/scan_unit.h"
#include "service/stats.h"
#include "service/store.h"

#include "buildid.h"
#include "proto/waybill.pb-c.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ARGV_MAX         100000 /* words; what scanner/response_file.c takes */
#define ENV_MAX          10000
#define LIST_BYTES_MAX   ((size_t)16 << 20) /* of argv, and of env */
#define SETTINGS_MAX     64
#define PATH_BYTES_MAX   4095
#define DATABASE_THREADS 4 /* of one ScanDatabase call; the scan slots bound all calls together */

#define METHODS 3

struct wb_scanner_service {
	struct wb_service *service;
	struct wb_rpc_method method[METHODS];
};

/* ---- what comes in */

/* A list of byte strings as NULL-terminated C strings. */
static wb_status strings_of(const char *const **out, struct wb_arena *a, size_t n, const ProtobufCBinaryData *v,
			    size_t max, const char *field, struct wb_err *err)
{
	size_t bytes = 0;

	if (n > max)
		return wb_fail(err, WB_EINVAL, "%s has %zu elements; at most %zu are taken", field, n, max);
	const char **list = wb_arena_array(a, n + 1, sizeof *list);
	for (size_t i = 0; i < n; i++) {
		bytes += v[i].len;
		if (bytes > LIST_BYTES_MAX)
			return wb_fail(err, WB_EINVAL, "%s has more than %zu bytes", field, LIST_BYTES_MAX);
		if (v[i].len > 0 && memchr(v[i].data, '\0', v[i].len))
			return wb_fail(err, WB_EINVAL, "%s[%zu] has a NUL in it", field, i);
		list[i] = wb_arena_strndup(a, (const char *)v[i].data, v[i].len);
	}
	*out = list;
	return wb_ok();
}

static wb_status env_of(const char *const **out, struct wb_arena *a, size_t n, const ProtobufCBinaryData *v,
			struct wb_err *err)
{
	WB_TRY(strings_of(out, a, n, v, ENV_MAX, "env", err));
	for (size_t i = 0; i < n; i++)
		if ((*out)[i][0] == '=' || !strchr((*out)[i], '='))
			return wb_fail(err, WB_EINVAL, "env[%zu] is not NAME=value", i);
	return wb_ok();
}

static wb_status path_of(const char **out, struct wb_arena *a, const ProtobufCBinaryData *v, const char *field,
			 struct wb_err *err)
{
	if (v->len == 0)
		return wb_fail(err, WB_EINVAL, "%s is empty", field);
	if (v->len > PATH_BYTES_MAX)
		return wb_fail(err, WB_EINVAL, "%s is longer than %d bytes", field, PATH_BYTES_MAX);
	if (memchr(v->data, '\0', v->len))
		return wb_fail(err, WB_EINVAL, "%s has a NUL in it", field);
	*out = wb_arena_strndup(a, (const char *)v->data, v->len);
	if ((*out)[0] != '/')
		return wb_fail(err, WB_EINVAL, "%s is not absolute: %s", field, *out);
	return wb_ok();
}

/* The pipe wants a physical directory, as a process would get it from getcwd. */
static wb_status directory_of(const char **out, struct wb_arena *a, const char *path, const char *field,
			      struct wb_err *err)
{
	struct stat st;
	const char *real = wb_path_real(a, path);

	if (!real || stat(real, &st) != 0)
		return wb_fail(err, WB_EINVAL, "%s does not exist: %s", field, path);
	if (!S_ISDIR(st.st_mode))
		return wb_fail(err, WB_EINVAL, "%s is no directory: %s", field, path);
	*out = real;
	return wb_ok();
}

static const struct wb_setting_row *setting_named(const char *key)
{
	for (int i = 0; i < WB_SET_COUNT; i++)
		if (strcmp(wb_setting_table[i].key, key) == 0)
			return &wb_setting_table[i];
	return NULL;
}

static wb_status config_of(const struct wb_config **out, struct wb_arena *a, const struct wb_service *s, size_t n,
			   Waybill__V1__Setting *const *setting, struct wb_err *err)
{
	struct wb_config *config = wb_arena_memdup(a, &s->config, sizeof *config);

	if (n > SETTINGS_MAX)
		return wb_fail(err, WB_EINVAL, "settings has %zu elements; at most %d are taken", n, SETTINGS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct wb_setting_row *row = setting_named(setting[i]->key);
		ProtobufCBinaryData v = setting[i]->value;

		if (row && row->scope == WB_SCOPE_DAEMON)
			return wb_fail(err, WB_EINVAL,
				       "settings[%zu]: %s belongs to the daemon and cannot be set by a request", i,
				       row->key);
		if (v.len > 0 && memchr(v.data, '\0', v.len))
			return wb_fail(err, WB_EINVAL, "settings[%zu] has a NUL in it", i);
		WB_TRY(wb_config_set(config, a, setting[i]->key, wb_arena_strndup(a, (const char *)v.data, v.len),
				     "settings", err));
	}
	*out = config;
	return wb_ok();
}

/* ---- one command */

/* The pipe, and its answer as a message. Fails only with WB_ECANCELED: whatever else goes wrong is a reason to run the
 * command locally, as it is for the launcher. */
static wb_status scan(Waybill__V1__ScanReply **out, struct wb_arena *a, struct wb_service *s,
		      const struct wb_request *req, const struct wb_scan_want *want)
{
	struct wb_plan *plan = wb_arena_alloc(a, sizeof *plan);
	struct wb_err err = WB_ERR_INIT;
	wb_status st = wb_plan_make(plan, a, s, req, WB_STAGE_ACTION, &err);

	if (wb_is_ok(st))
		st = wb_scan_reply_make(out, a, plan, want, &err);
	if (wb_is_ok(st) || st.code == WB_ECANCELED)
		return st;
	wb_log(WB_LOG_ERROR, "scan: %s: %s", wb_code_name(st.code), err.text);
	*out = wb_scan_reply_local(a, WB_REASON_INTERNAL, wb_arena_strdup(a, err.text));
	return wb_ok();
}

/* How a failed request ends its call. */
static void end_with(struct wb_rpc_status *st, wb_status s, const struct wb_err *err)
{
	int code = WB_RPC_INTERNAL;

	switch (s.code) {
	case WB_EINVAL:
		code = WB_RPC_INVALID_ARGUMENT;
		break;
	case WB_ENOENT:
		code = WB_RPC_NOT_FOUND;
		break;
	case WB_ECANCELED:
		code = WB_RPC_CANCELLED;
		break;
	case WB_ELIMIT:
		code = WB_RPC_RESOURCE_EXHAUSTED;
		break;
	default:
		break;
	}
	wb_rpc_status_set(st, code, "%s", err->text[0] ? err->text : wb_code_name(s.code));
}

static wb_status scan_request(struct wb_request *req, struct wb_arena *a, struct wb_service *s,
			      const Waybill__V1__ScanRequest *m, struct wb_err *err)
{
	const char *cwd;

	if (m->n_argv == 0 || m->argv[0].len == 0)
		return wb_fail(err, WB_EINVAL, "argv is empty: its first word is the compiler");
	WB_TRY(strings_of(&req->argv, a, m->n_argv, m->argv, ARGV_MAX, "argv", err));
	WB_TRY(path_of(&cwd, a, &m->cwd, "cwd", err));
	WB_TRY(directory_of(&req->cwd, a, cwd, "cwd", err));
	WB_TRY(env_of(&req->env, a, m->n_env, m->env, err));
	return config_of(&req->config, a, s, m->n_settings, m->settings, err);
}

static void run_scan(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		     const ProtobufCMessage *request, void *arg)
{
	const Waybill__V1__ScanRequest *m = (const Waybill__V1__ScanRequest *)request;
	struct wb_service *s = ((struct wb_scanner_service *)arg)->service;
	struct wb_request req = {.umask = 022, .cancel = wb_server_call_cancel(call)};
	struct wb_scan_want want = {.action = m->want_action, .blobs = m->want_blobs};
	struct wb_err err = WB_ERR_INIT;
	Waybill__V1__ScanReply *reply;

	wb_status status = scan_request(&req, a, s, m, &err);
	if (wb_is_ok(status))
		status = scan(&reply, a, s, &req, &want);
	if (wb_is_ok(status)) {
		size_t n = waybill__v1__scan_reply__get_packed_size(reply);

		if (n > WB_SCAN_REPLY_MAX)
			status = wb_fail(&err, WB_ELIMIT, "the reply would have %zu bytes; at most %zu are sent%s", n,
					 WB_SCAN_REPLY_MAX, want.blobs ? ": ask without want_blobs" : "");
		else
			status = wb_server_call_send(call, &reply->base, &err);
	}
	if (wb_is_ok(status))
		wb_rpc_status_set(st, WB_RPC_OK, "%s", "");
	else
		end_with(st, status, &err);
}

/* ---- a compilation database */

/* One ScanDatabase call: its threads take the next entry each until none is left or the client is gone. */
struct database_scan {
	struct wb_service *service;
	struct wb_server_call *call;
	const atomic_bool *cancel;
	struct wb_compile_database database;
	const char *const *env;
	const struct wb_config *config;
	struct wb_scan_want want;
	uint64_t moment;      /* the entries share one look at the disk */
	pthread_mutex_t lock; /* of what follows, and of sending */
	size_t next, done;
	wb_status status;
	struct wb_err err;
};

static wb_status entry_reply(Waybill__V1__ScanReply **out, struct wb_arena *a, struct database_scan *d,
			     const struct wb_database_entry *e, const struct wb_scan_want *want)
{
	struct wb_request req = {.argv = e->argv,
				 .env = d->env,
				 .config = d->config,
				 .umask = 022,
				 .cancel = d->cancel,
				 .moment = d->moment};
	struct wb_err err = WB_ERR_INIT;

	if (e->error) {
		*out = wb_scan_reply_local(a, WB_REASON_BAD_COMMAND,
					   wb_arena_printf(a, "line %zu of the database: %s", e->line, e->error));
		return wb_ok();
	}
	if (!wb_is_ok(directory_of(&req.cwd, a, e->directory, "\"directory\"", &err))) {
		*out = wb_scan_reply_local(a, WB_REASON_BAD_COMMAND,
					   wb_arena_printf(a, "line %zu of the database: %s", e->line, err.text));
		return wb_ok();
	}
	return scan(out, a, d->service, &req, want);
}

/* Never larger than what can be sent: first the blobs go, then everything. */
static void fit(Waybill__V1__ScanDatabaseReply *r, struct wb_arena *a)
{
	/* A few bytes more for the numbers, which are not known yet. */
	if (waybill__v1__scan_database_reply__get_packed_size(r) + 64 <= WB_SCAN_REPLY_MAX)
		return;
	if (r->scan->action && r->scan->action->n_blobs + r->scan->action->n_files > 0) {
		r->scan->action->n_blobs = r->scan->action->n_files = 0;
		r->without_blobs = true;
		if (waybill__v1__scan_database_reply__get_packed_size(r) + 64 <= WB_SCAN_REPLY_MAX)
			return;
	}
	r->scan = wb_scan_reply_local(a, WB_REASON_INPUT_TOO_BIG, "the list of inputs alone has more than 64 MiB");
}

static wb_status one_entry(struct database_scan *d, struct wb_arena *a, size_t index, struct wb_err *err)
{
	const struct wb_database_entry *e = &d->database.entry[index];
	Waybill__V1__ScanDatabaseReply r;

	waybill__v1__scan_database_reply__init(&r);
	r.index = (uint32_t)index;
	r.file = (ProtobufCBinaryData){strlen(e->file), (uint8_t *)(uintptr_t)e->file};
	if (e->output)
		r.output = (ProtobufCBinaryData){strlen(e->output), (uint8_t *)(uintptr_t)e->output};
	r.total = (uint32_t)d->database.n;
	WB_TRY(entry_reply(&r.scan, a, d, e, &d->want));
	fit(&r, a);
	pthread_mutex_lock(&d->lock);
	r.done = (uint32_t)++d->done;
	wb_status st = wb_is_ok(d->status) ? wb_server_call_send(d->call, &r.base, err) : d->status;
	pthread_mutex_unlock(&d->lock);
	return st;
}

static void *database_thread(void *arg)
{
	struct database_scan *d = arg;

	for (;;) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_arena a;

		pthread_mutex_lock(&d->lock);
		if (atomic_load(d->cancel) && wb_is_ok(d->status))
			d->status = wb_fail(&d->err, WB_ECANCELED, "the client gave up");
		bool more = wb_is_ok(d->status) && d->next < d->database.n;
		size_t index = more ? d->next++ : 0;
		pthread_mutex_unlock(&d->lock);
		if (!more)
			return NULL;
		wb_arena_init(&a);
		wb_status st = one_entry(d, &a, index, &err);
		wb_arena_release(&a);
		if (wb_is_ok(st))
			continue;
		pthread_mutex_lock(&d->lock);
		if (wb_is_ok(d->status)) {
			d->status = st;
			d->err = err;
		}
		pthread_mutex_unlock(&d->lock);
	}
}

/* The handler's own thread works too, so the call goes on even when no other can be made. */
static void scan_entries(struct database_scan *d)
{
	pthread_t thread[DATABASE_THREADS - 1];
	size_t n = d->service->jobs < DATABASE_THREADS ? d->service->jobs : DATABASE_THREADS, made = 0;

	pthread_mutex_init(&d->lock, NULL);
	for (size_t i = 1; i < n && i < d->database.n; i++)
		if (pthread_create(&thread[made], NULL, database_thread, d) == 0)
			made++;
	database_thread(d);
	for (size_t i = 0; i < made; i++)
		pthread_join(thread[i], NULL);
	pthread_mutex_destroy(&d->lock);
}

static wb_status database_request(struct database_scan *d, struct wb_arena *a,
				  const Waybill__V1__ScanDatabaseRequest *m, struct wb_err *err)
{
	const char *path;

	WB_TRY(path_of(&path, a, &m->path, "path", err));
	WB_TRY(env_of(&d->env, a, m->n_env, m->env, err));
	WB_TRY(config_of(&d->config, a, d->service, m->n_settings, m->settings, err));
	return wb_compile_database_read(&d->database, a, path, err);
}

static void run_database(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			 const ProtobufCMessage *request, void *arg)
{
	const Waybill__V1__ScanDatabaseRequest *m = (const Waybill__V1__ScanDatabaseRequest *)request;
	struct database_scan d = {
	    .moment = wb_scan_moment(),
	    .service = ((struct wb_scanner_service *)arg)->service,
	    .call = call,
	    .cancel = wb_server_call_cancel(call),
	    .want = {.action = m->want_action, .blobs = m->want_blobs},
	    .status = wb_ok(),
	};

	d.status = database_request(&d, a, m, &d.err);
	if (wb_is_ok(d.status))
		scan_entries(&d);
	if (wb_is_ok(d.status))
		wb_rpc_status_set(st, WB_RPC_OK, "%s", "");
	else
		end_with(st, d.status, &d.err);
}

/* ---- counters */

/* protobuf-c makes a type of its own for the entries of each map, all with the same fields. */
#define ADD_COUNT(reply, a, field, Type, type, name, count)                                                            \
	do {                                                                                                           \
		Type *entry_ = wb_arena_alloc((a), sizeof *entry_);                                                    \
		type##__init(entry_);                                                                                  \
		entry_->key = wb_arena_strdup((a), (name));                                                            \
		entry_->value = (count);                                                                               \
		(reply)->field[(reply)->n_##field++] = entry_;                                                         \
	} while (0)

static void add_counter(Waybill__V1__StatsReply *r, struct wb_arena *a, const char *name, int64_t n)
{
	ADD_COUNT(r, a, counters, Waybill__V1__StatsReply__CountersEntry, waybill__v1__stats_reply__counters_entry,
		  name, n);
}

static void add_reasons(Waybill__V1__StatsReply *r, struct wb_arena *a, const struct wb_stats *stats,
			enum wb_reason why)
{
	int64_t local = wb_stats_get_reason(stats, why);
	int64_t fallback = wb_stats_get_fallback(stats, why);

	if (local > 0)
		ADD_COUNT(r, a, local_reasons, Waybill__V1__StatsReply__LocalReasonsEntry,
			  waybill__v1__stats_reply__local_reasons_entry, wb_reason_name(why), local);
	if (fallback > 0)
		ADD_COUNT(r, a, fallback_reasons, Waybill__V1__StatsReply__FallbackReasonsEntry,
			  waybill__v1__stats_reply__fallback_reasons_entry, wb_reason_name(why), fallback);
}

static void run_stats(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
		      const ProtobufCMessage *request, void *arg)
{
#define X(id, name, text) name,
	static const char *const counter_name[] = {WB_COUNTERS(X)};
#undef X
	struct wb_service *s = ((struct wb_scanner_service *)arg)->service;
	struct wb_err err = WB_ERR_INIT;
	Waybill__V1__StatsReply r;

	(void)request; /* has no fields */
	waybill__v1__stats_reply__init(&r);
	r.counters = wb_arena_array(a, WB_COUNT_COUNT + 2, sizeof(void *));
	r.local_reasons = wb_arena_array(a, WB_REASON_COUNT, sizeof(void *));
	r.fallback_reasons = wb_arena_array(a, WB_REASON_COUNT, sizeof(void *));
	for (int i = 0; i < WB_COUNT_COUNT; i++)
		add_counter(&r, a, counter_name[i], wb_stats_get(s->stats, (enum wb_counter)i));
	add_counter(&r, a, "store_bytes", wb_store_bytes(s->store));
	add_counter(&r, a, "store_blobs", wb_store_count(s->store));
	for (int i = WB_REASON_NONE + 1; i < WB_REASON_COUNT; i++)
		add_reasons(&r, a, s->stats, (enum wb_reason)i);
	r.version = wb_arena_strdup(a, WB_VERSION);
	wb_status status = wb_server_call_send(call, &r.base, &err);
	if (wb_is_ok(status))
		wb_rpc_status_set(st, WB_RPC_OK, "%s", "");
	else
		end_with(st, status, &err);
}

/* ---- */

wb_status wb_scanner_service_new(struct wb_scanner_service **out, struct wb_service *s, struct wb_err *err)
{
	struct wb_scanner_service *svc = wb_xcalloc(1, sizeof *svc);

	(void)err; /* nothing to fail yet */
	svc->service = s;
	svc->method[0] = (struct wb_rpc_method){.name = "/waybill.v1.Scanner/Scan",
						.request = &waybill__v1__scan_request__descriptor,
						.run = run_scan,
						.arg = svc};
	svc->method[1] = (struct wb_rpc_method){.name = "/waybill.v1.Scanner/ScanDatabase",
						.request = &waybill__v1__scan_database_request__descriptor,
						.run = run_database,
						.arg = svc};
	svc->method[2] = (struct wb_rpc_method){.name = "/waybill.v1.Scanner/Stats",
						.request = &waybill__v1__stats_request__descriptor,
						.run = run_stats,
						.arg = svc};
	*out = svc;
	return wb_ok();
}

void wb_scanner_service_methods(const struct wb_rpc_method **method, size_t *n, struct wb_scanner_service *svc)
{
	*method = svc->method;
	*n = METHODS;
}

void wb_scanner_service_free(struct wb_scanner_service *svc)
{
	free(svc);
}
