/* config.h — the one table of settings: name in waybill.conf, environment variable, type, default, scope, help text.
 * The man page and docs/configuration.md are generated from it (`waybill --settings=markdown|man`).
 *
 * Order, later wins: the default; the file $WAYBILL_CONFIG, else $XDG_CONFIG_HOME/waybill/waybill.conf (~/.config),
 * which need not exist unless WAYBILL_CONFIG names it; the environment. File format: `key = value` lines, lines that
 * start with
 * `#`, blank lines; an unknown key or a bad value is an error that names file and line. An unknown WAYBILL_* variable
 * is an error too, except those that the client itself reads (wb_client_variables: WAYBILL_CONFIG, WAYBILL_DISABLE,
 * WAYBILL_DAEMON).
 *
 * Values are kept as text, checked when set; the typed getters cannot fail afterwards. */
#ifndef WB_BASE_CONFIG_H
#define WB_BASE_CONFIG_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wb_arena;
struct wb_buf;

enum wb_setting {
	WB_SET_ROOT,                   /* request: path, "" = find it */
	WB_SET_SYSTEM_DIRS,            /* request: ':'-separated absolute directories */
	WB_SET_PATHS,                  /* request: relative | absolute */
	WB_SET_MODE,                   /* request: auto | remote | cache | local | off */
	WB_SET_REMOTE,                 /* daemon: endpoint (rpc/endpoint.h), "" = none */
	WB_SET_REMOTE_CAS,             /* daemon: endpoint, "" = as remote */
	WB_SET_REMOTE_CACHE,           /* daemon: endpoint, "" = as remote */
	WB_SET_INSTANCE,               /* daemon: REAPI instance name */
	WB_SET_PLATFORM,               /* request: "name=value,name=value": platform properties */
	WB_SET_REMOTE_CA,              /* daemon: PEM file, "" = the system's authorities */
	WB_SET_REMOTE_CERT,            /* daemon: PEM file */
	WB_SET_REMOTE_KEY,             /* daemon: PEM file */
	WB_SET_REMOTE_TOKEN_FILE,      /* daemon: file with a bearer token */
	WB_SET_REMOTE_TIMEOUT,         /* daemon: seconds for a question or a batch */
	WB_SET_REMOTE_EXECUTE_TIMEOUT, /* daemon: seconds for an action, queue included */
	WB_SET_REMOTE_COMPRESSION,     /* daemon: auto | off */
	WB_SET_LISTEN,                 /* daemon: loopback address for gRPC, "" = the unix socket only */
	WB_SET_CACHE_DIR,              /* daemon: path, default $XDG_CACHE_HOME/waybill or ~/.cache/waybill */
	WB_SET_CACHE_SIZE,             /* daemon: size with K/M/G/T suffix, default 20G */
	WB_SET_JOBS,                   /* daemon: number, 0 = number of cores */
	WB_SET_IDLE_TIMEOUT,           /* daemon: seconds, default 600, 0 = never */
	WB_SET_SANDBOX,                /* daemon: auto | bwrap | none */
	WB_SET_LOG_LEVEL,              /* daemon: error | warn | info | debug */
	WB_SET_COUNT
};

enum wb_setting_type {
	WB_TYPE_TEXT,
	WB_TYPE_PATH,
	WB_TYPE_PATHS,
	WB_TYPE_NUMBER,
	WB_TYPE_SIZE,
	WB_TYPE_CHOICE,
	WB_TYPE_PROPERTIES,
	WB_TYPE_SERVER
};
enum wb_setting_scope { WB_SCOPE_REQUEST, WB_SCOPE_DAEMON };

struct wb_setting_row {
	const char *key; /* "cache_size" */
	const char *env; /* "WAYBILL_CACHE_SIZE" */
	enum wb_setting_type type;
	enum wb_setting_scope scope;
	const char *value;   /* default, as text; NULL: computed (cache_dir) */
	const char *choices; /* WB_TYPE_CHOICE: "a|b" */
	const char *help;    /* one sentence or two, plain text */
};
extern const struct wb_setting_row wb_setting_table[WB_SET_COUNT];

/* Variables that are no settings: the client reads them itself. Ends with a row whose name is NULL. */
struct wb_client_variable {
	const char *name, *help;
};
extern const struct wb_client_variable wb_client_variables[];

struct wb_config {
	const char *value[WB_SET_COUNT]; /* never NULL after load; in the arena */
};

/* Load from defaults, file and `env` (NULL-terminated "K=V"). WB_EINVAL: `err` names file and line, or the variable. */
wb_status wb_config_load(struct wb_config *out, struct wb_arena *a, const char *const *env, struct wb_err *err);
/* Check and set one value (used for settings that come over the wire); the text is copied into `a`. `where` names the
 * source for messages. */
wb_status wb_config_set(struct wb_config *c, struct wb_arena *a, const char *key, const char *value, const char *where,
			struct wb_err *err);

/* Do the values fit together? WB_EINVAL names the settings that do not (mode = remote without a remote ...). Part of
 * wb_config_load; to be called after wb_config_set. */
wb_status wb_config_check(const struct wb_config *c, struct wb_err *err);

int64_t wb_config_number(const struct wb_config *c, enum wb_setting s); /* WB_TYPE_NUMBER, WB_TYPE_SIZE (bytes) */
bool wb_config_is(const struct wb_config *c, enum wb_setting s, const char *choice);

/* Append the tables of settings and client variables: a Markdown table each, or the body of a man page section (roff).
 */
enum wb_config_format { WB_CONFIG_MARKDOWN, WB_CONFIG_MAN };
void wb_config_print(struct wb_buf *out, enum wb_config_format format);

/* Value of `name` in a NULL-terminated environment, or NULL. Borrowed. */
const char *wb_env_get(const char *const *env, const char *name);

#endif
