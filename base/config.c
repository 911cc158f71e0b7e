#include "base/config.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "base/path.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_LIMIT = 1 << 20, NUMBER_MAX = 1000000000 };

static const char cache_dir_default[] = "$XDG_CACHE_HOME/waybill, else ~/.cache/waybill";

const struct wb_setting_row wb_setting_table[WB_SET_COUNT] = {
    [WB_SET_ROOT] =
	{"root", "WAYBILL_ROOT", WB_TYPE_PATH, WB_SCOPE_REQUEST, "", NULL,
	 "The project's top directory: what lies below it travels under relative names, so that checkouts in "
	 "different places share results. Empty: found from the source file and the working directory."},
    [WB_SET_SYSTEM_DIRS] = {"system_dirs", "WAYBILL_SYSTEM_DIRS", WB_TYPE_PATHS, WB_SCOPE_REQUEST,
			    "/usr:/lib:/lib32:/lib64:/libx32:/bin:/sbin:/etc:/opt", NULL,
			    "Directories whose files keep their absolute names, ':' between them. Compilers and system "
			    "headers live there; what is in neither these nor the root makes a compile run locally."},
    [WB_SET_PATHS] =
	{"paths", "WAYBILL_PATHS", WB_TYPE_CHOICE, WB_SCOPE_REQUEST, "relative", "relative|absolute",
	 "What a compile sees of the root's place. relative: nothing, results are shared between checkouts, and "
	 "__FILE__ is relative. absolute: its real place, for tests that find their data through __FILE__; results "
	 "are then shared only between checkouts in the same place."},
    [WB_SET_MODE] =
	{"mode", "WAYBILL_MODE", WB_TYPE_CHOICE, WB_SCOPE_REQUEST, "auto", "auto|remote|cache|local|off",
	 "remote: compile on the cluster that `remote` names. cache: compile in the sandbox on this machine, but look "
	 "results up on that cluster and give it new ones. local: sandbox and cache of this machine only. auto: remote "
	 "when "
	 "`remote` is set, else local. off: compile where the launcher stands, as if Waybill were not there."},
    [WB_SET_REMOTE] = {"remote", "WAYBILL_REMOTE", WB_TYPE_SERVER, WB_SCOPE_DAEMON, "", NULL,
		       "The Remote Execution API server: grpc://HOST:PORT, grpcs://HOST:PORT for TLS, or "
		       "unix:/PATH. Empty: none."},
    [WB_SET_REMOTE_CAS] = {"remote_cas", "WAYBILL_REMOTE_CAS", WB_TYPE_SERVER, WB_SCOPE_DAEMON, "", NULL,
			   "Where the cluster's content-addressable storage is, when it is not at `remote`."},
    [WB_SET_REMOTE_CACHE] = {"remote_cache", "WAYBILL_REMOTE_CACHE", WB_TYPE_SERVER, WB_SCOPE_DAEMON, "", NULL,
			     "Where the cluster's action cache is, when it is not at `remote`."},
    [WB_SET_INSTANCE] = {"instance", "WAYBILL_INSTANCE", WB_TYPE_TEXT, WB_SCOPE_DAEMON, "", NULL,
			 "Instance name on the cluster, as its administrator chose it."},
    [WB_SET_PLATFORM] =
	{"platform", "WAYBILL_PLATFORM", WB_TYPE_PROPERTIES, WB_SCOPE_REQUEST, "", NULL,
	 "Platform properties that choose a worker: NAME=VALUE, with ',' between them. They are part of an action, so "
	 "results are shared only between builds that say the same."},
    [WB_SET_REMOTE_CA] = {"remote_ca", "WAYBILL_REMOTE_CA", WB_TYPE_PATH, WB_SCOPE_DAEMON, "", NULL,
			  "PEM file with the authorities that may have signed the server's certificate. Empty: the "
			  "system's."},
    [WB_SET_REMOTE_CERT] = {"remote_cert", "WAYBILL_REMOTE_CERT", WB_TYPE_PATH, WB_SCOPE_DAEMON, "", NULL,
			    "PEM file with the certificate that this machine shows to the server (mutual TLS)."},
    [WB_SET_REMOTE_KEY] = {"remote_key", "WAYBILL_REMOTE_KEY", WB_TYPE_PATH, WB_SCOPE_DAEMON, "", NULL,
			   "PEM file with the private key of that certificate."},
    [WB_SET_REMOTE_TOKEN_FILE] =
	{"remote_token_file", "WAYBILL_REMOTE_TOKEN_FILE", WB_TYPE_PATH, WB_SCOPE_DAEMON, "", NULL,
	 "File with a bearer token that every call carries. Read again when it changes. Without TLS it is sent to this "
	 "machine only."},
    [WB_SET_REMOTE_TIMEOUT] = {"remote_timeout", "WAYBILL_REMOTE_TIMEOUT", WB_TYPE_NUMBER, WB_SCOPE_DAEMON, "20", NULL,
			       "Seconds that one question to the cluster may take, retries included; then the compile "
			       "runs on this machine. Large transfers get more."},
    [WB_SET_REMOTE_EXECUTE_TIMEOUT] =
	{"remote_execute_timeout", "WAYBILL_REMOTE_EXECUTE_TIMEOUT", WB_TYPE_NUMBER, WB_SCOPE_DAEMON, "600", NULL,
	 "Seconds that one action may take on the cluster, time in its queue included; then the compile runs on this "
	 "machine."},
    [WB_SET_REMOTE_COMPRESSION] = {"remote_compression", "WAYBILL_REMOTE_COMPRESSION", WB_TYPE_CHOICE, WB_SCOPE_DAEMON,
				   "auto", "auto|off",
				   "auto: compress transfers with zstd where the server offers it."},
    [WB_SET_LISTEN] = {"listen", "WAYBILL_LISTEN", WB_TYPE_TEXT, WB_SCOPE_DAEMON, "", NULL,
		       "Loopback address on which the daemon also answers gRPC, such as 127.0.0.1:8981, for clients "
		       "that know no unix "
		       "sockets. Every user of this machine can ask there. Empty: nowhere but on its own socket."},
    [WB_SET_CACHE_DIR] =
	{"cache_dir", "WAYBILL_CACHE_DIR", WB_TYPE_PATH, WB_SCOPE_DAEMON, NULL, NULL,
	 "Where the daemon keeps its store, its log and its sandboxes. Results are put in place fastest when it is "
	 "on the build tree's filesystem."},
    [WB_SET_CACHE_SIZE] =
	{"cache_size", "WAYBILL_CACHE_SIZE", WB_TYPE_SIZE, WB_SCOPE_DAEMON, "20G", NULL,
	 "How large the store may grow, in bytes or with a suffix K, M, G or T (powers of 1024). What was used "
	 "longest ago is removed first."},
    [WB_SET_JOBS] =
	{"jobs", "WAYBILL_JOBS", WB_TYPE_NUMBER, WB_SCOPE_DAEMON, "0", NULL,
	 "How many compiles the daemon runs on this machine at the same time. 0: as many as there are cores."},
    [WB_SET_IDLE_TIMEOUT] = {"idle_timeout", "WAYBILL_IDLE_TIMEOUT", WB_TYPE_NUMBER, WB_SCOPE_DAEMON, "600", NULL,
			     "Seconds without a request after which the daemon ends. 0: never."},
    [WB_SET_SANDBOX] =
	{"sandbox", "WAYBILL_SANDBOX", WB_TYPE_CHOICE, WB_SCOPE_DAEMON, "auto", "auto|bwrap|none",
	 "How a local compile is kept from files that are not its inputs. bwrap: namespaces made by bubblewrap. "
	 "none: a directory that holds the inputs, without a wall around it. auto: bwrap where it works, else none."},
    [WB_SET_LOG_LEVEL] = {"log_level", "WAYBILL_LOG_LEVEL", WB_TYPE_CHOICE, WB_SCOPE_DAEMON, "info",
			  "error|warn|info|debug",
			  "How much the daemon writes to its log. Each level includes those before it."},
};

const struct wb_client_variable wb_client_variables[] = {
    {"WAYBILL_CONFIG", "The settings file to read in place of $XDG_CONFIG_HOME/waybill/waybill.conf; it must exist."},
    {"WAYBILL_DISABLE", "When set, not empty and not 0, the launcher runs the compiler and does nothing else."},
    {"WAYBILL_DAEMON", "Path of the daemon's program, waybilld, when it is not where it was installed."},
    {NULL, NULL},
};

const char *wb_env_get(const char *const *env, const char *name)
{
	size_t n = strlen(name);
	for (; env != NULL && *env != NULL; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

/* Digits with an optional suffix of powers of 1024. */
static bool parse_number(int64_t *out, const char *text, bool suffix)
{
	int64_t v = 0;
	const char *p = text;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
			return false;
	if (p == text)
		return false;
	if (suffix && *p != '\0') {
		static const char letters[] = "KMGT";
		const char *at = strchr(letters, *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
		if (at == NULL || p[1] != '\0' || __builtin_mul_overflow(v, (int64_t)1024 << (10 * (at - letters)), &v))
			return false;
		p++;
	}
	*out = v;
	return *p == '\0';
}

static bool is_choice(const char *choices, const char *value, size_t n)
{
	for (const char *p = choices; n > 0; p++) {
		size_t len = strcspn(p, "|");
		if (len == n && memcmp(p, value, n) == 0)
			return true;
		p += len;
		if (*p == '\0')
			break;
	}
	return false;
}

/* "a|b|c" as "a, b or c". */
static const char *choices_text(struct wb_arena *a, const char *choices)
{
	struct wb_buf b = WB_BUF_INIT;
	for (const char *p = choices;;) {
		size_t n = strcspn(p, "|");
		wb_buf_add(&b, p, n);
		p += n;
		if (*p == '\0')
			break;
		p++;
		wb_buf_adds(&b, strchr(p, '|') == NULL ? " or " : ", ");
	}
	const char *text = wb_arena_strdup(a, b.p);
	wb_buf_release(&b);
	return text;
}

/* Fold each directory of a ':'-separated list; NULL when one of them is not absolute. */
static const char *fold_paths(struct wb_arena *a, const char *value)
{
	const char *out = "";
	while (*value != '\0') {
		size_t n = strcspn(value, ":");
		const char *dir = wb_arena_strndup(a, value, n);
		if (dir[0] != '/')
			return NULL;
		dir = wb_path_fold(a, dir);
		out = out[0] == '\0' ? dir : wb_arena_printf(a, "%s:%s", out, dir);
		value += n;
		if (*value == ':' && *++value == '\0')
			return NULL;
	}
	return out;
}

/* "NAME=VALUE,NAME=VALUE" */
static bool are_properties(const char *value)
{
	if (value[strspn(value, " \t")] == '\0')
		return true;
	for (const char *p = value;;) {
		p += strspn(p, " \t");
		size_t n = strcspn(p, ","), name = strcspn(p, "=");
		if (name == 0 || name >= n)
			return false;
		if (p[n] == '\0')
			return true;
		p += n + 1;
	}
}

/* The form of a server's name. Whoever connects looks more closely (wb_endpoint_parse); but a name that is none must be
 * noticed here, where the user reads what is wrong, and not in a daemon that does not start. */
static bool is_server(const char *value)
{
	const char *host = wb_starts_with(value, "grpc://")    ? value + strlen("grpc://")
			   : wb_starts_with(value, "grpcs://") ? value + strlen("grpcs://")
							       : NULL;

	if (value[0] == '\0')
		return true;
	if (!host)
		return wb_starts_with(value, "unix:/") && value[strlen("unix:/")] != '\0';
	const char *end = host[0] == '[' ? host + strcspn(host, "]") : host + strcspn(host, ":/");
	if (end == host)
		return false;
	end += *end == ']';
	size_t digits = *end == ':' ? strspn(end + 1, "0123456789") : 0;
	if (*end == ':' && (digits == 0 || digits > 5))
		return false;
	long port = *end == ':' ? strtol(end + 1, NULL, 10) : 1;
	return port >= 1 && port <= 65535;
}

static wb_status set(struct wb_config *c, struct wb_arena *a, const struct wb_setting_row *row, const char *name,
		     const char *value, const char *where, struct wb_err *err)
{
	int64_t number;
	const char *text = NULL;
	switch (row->type) {
	case WB_TYPE_TEXT:
		text = wb_arena_strdup(a, value);
		break;
	case WB_TYPE_PATH:
		if (value[0] == '/')
			text = wb_path_fold(a, value);
		else if (value[0] == '\0' && row->value != NULL && row->value[0] == '\0')
			text = "";
		else
			return wb_fail(err, WB_EINVAL, "%s: %s must be an absolute path, not '%s'", where, name, value);
		break;
	case WB_TYPE_PATHS:
		text = fold_paths(a, value);
		if (text == NULL)
			return wb_fail(err, WB_EINVAL,
				       "%s: %s must be absolute directories with ':' between them, not '%s'", where,
				       name, value);
		break;
	case WB_TYPE_NUMBER:
		if (!parse_number(&number, value, false) || number > NUMBER_MAX)
			return wb_fail(err, WB_EINVAL, "%s: %s must be a number from 0 to %d, not '%s'", where, name,
				       NUMBER_MAX, value);
		text = wb_arena_strdup(a, value);
		break;
	case WB_TYPE_SIZE:
		if (!parse_number(&number, value, true))
			return wb_fail(err, WB_EINVAL,
				       "%s: %s must be a size such as 500M or 20G (suffix K, M, G or T), not '%s'",
				       where, name, value);
		text = wb_arena_strdup(a, value);
		break;
	case WB_TYPE_CHOICE:
		if (!is_choice(row->choices, value, strlen(value)))
			return wb_fail(err, WB_EINVAL, "%s: %s must be %s, not '%s'", where, name,
				       choices_text(a, row->choices), value);
		text = wb_arena_strdup(a, value);
		break;
	case WB_TYPE_PROPERTIES:
		if (!are_properties(value))
			return wb_fail(err, WB_EINVAL, "%s: %s must be NAME=VALUE,NAME=VALUE, not '%s'", where, name,
				       value);
		text = wb_arena_strdup(a, value);
		break;
	case WB_TYPE_SERVER:
		if (!is_server(value))
			return wb_fail(err, WB_EINVAL,
				       "%s: %s must be grpc://HOST:PORT, grpcs://HOST:PORT or unix:/PATH, not '%s'",
				       where, name, value);
		text = wb_arena_strdup(a, value);
		break;
	}
	c->value[row - wb_setting_table] = text;
	return wb_ok();
}

wb_status wb_config_set(struct wb_config *c, struct wb_arena *a, const char *key, const char *value, const char *where,
			struct wb_err *err)
{
	for (size_t i = 0; i < WB_SET_COUNT; i++)
		if (strcmp(wb_setting_table[i].key, key) == 0)
			return set(c, a, &wb_setting_table[i], key, value, where, err);
	return wb_fail(err, WB_EINVAL, "%s: there is no setting '%s'", where, key);
}

/* An XDG base directory: `variable` when it is an absolute path (the specification says to ignore others), else
 * `home_dir` below $HOME; NULL without a home. The password database is not asked: it cannot be from a static program.
 */
static const char *base_dir(struct wb_arena *a, const char *const *env, const char *variable, const char *home_dir)
{
	const char *dir = wb_env_get(env, variable);
	if (dir != NULL && dir[0] == '/')
		return wb_path_fold(a, dir);
	const char *home = wb_env_get(env, "HOME");
	return home != NULL && home[0] == '/' ? wb_path_join(a, home, home_dir) : NULL;
}

static void set_defaults(struct wb_config *c, struct wb_arena *a, const char *const *env)
{
	for (size_t i = 0; i < WB_SET_COUNT; i++)
		c->value[i] = wb_setting_table[i].value;
	const char *cache = base_dir(a, env, "XDG_CACHE_HOME", ".cache");
	c->value[WB_SET_CACHE_DIR] = cache != NULL ? wb_path_join(a, cache, "waybill")
						   : wb_arena_printf(a, "/tmp/waybill-cache-%u", (unsigned)getuid());
}

static wb_status parse_line(struct wb_config *c, struct wb_arena *a, struct wb_str line, const char *where,
			    struct wb_err *err)
{
	line = wb_str_trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return wb_ok();
	if (memchr(line.p, '\0', line.n) != NULL)
		return wb_fail(err, WB_EINVAL, "%s: there is a NUL byte in this line", where);
	const char *equals = memchr(line.p, '=', line.n);
	if (equals == NULL)
		return wb_fail(err, WB_EINVAL, "%s: expected 'key = value', found '%.*s'", where,
			       line.n < 100 ? (int)line.n : 100, line.p);
	struct wb_str key = wb_str_trim((struct wb_str){line.p, (size_t)(equals - line.p)});
	struct wb_str value = wb_str_trim((struct wb_str){equals + 1, (size_t)(line.p + line.n - equals - 1)});
	return wb_config_set(c, a, wb_arena_strndup(a, key.p, key.n), wb_arena_strndup(a, value.p, value.n), where,
			     err);
}

static wb_status load_file(struct wb_config *c, struct wb_arena *a, const char *const *env, struct wb_err *err)
{
	const char *path = wb_env_get(env, "WAYBILL_CONFIG");
	bool named = path != NULL && path[0] != '\0';
	if (!named) {
		const char *dir = base_dir(a, env, "XDG_CONFIG_HOME", ".config");
		if (dir == NULL)
			return wb_ok();
		path = wb_path_join(a, dir, "waybill/waybill.conf");
		if (access(path, F_OK) < 0)
			return wb_ok();
	}
	char *data;
	size_t n;
	wb_status s = wb_file_read(&data, &n, a, path, FILE_LIMIT, err);
	if (!wb_is_ok(s))
		return wb_fail_prefix(err, s, named ? "settings (WAYBILL_CONFIG)" : "settings");
	struct wb_str rest = {data, n}, line;
	for (unsigned number = 1; wb_str_line(&rest, &line); number++)
		WB_TRY(parse_line(c, a, line, wb_arena_printf(a, "%s:%u", path, number), err));
	return wb_ok();
}

static bool is_client_variable(const char *name, size_t n)
{
	for (const struct wb_client_variable *v = wb_client_variables; v->name != NULL; v++)
		if (strlen(v->name) == n && memcmp(v->name, name, n) == 0)
			return true;
	return false;
}

static wb_status load_env(struct wb_config *c, struct wb_arena *a, const char *const *env, struct wb_err *err)
{
	bool seen[WB_SET_COUNT] = {false}; /* of a name that is there twice, the first counts, as for getenv */
	for (; env != NULL && *env != NULL; env++) {
		const char *e = *env, *equals;
		if (strncmp(e, "WAYBILL_", 8) != 0 || (equals = strchr(e, '=')) == NULL)
			continue;
		size_t n = (size_t)(equals - e), i = 0;
		while (i < WB_SET_COUNT &&
		       (strlen(wb_setting_table[i].env) != n || memcmp(wb_setting_table[i].env, e, n) != 0))
			i++;
		if (i < WB_SET_COUNT) {
			if (!seen[i])
				WB_TRY(set(c, a, &wb_setting_table[i], wb_setting_table[i].env, equals + 1,
					   "environment", err));
			seen[i] = true;
		} else if (!is_client_variable(e, n)) {
			return wb_fail(err, WB_EINVAL, "environment: there is no setting '%.*s'",
				       n < 100 ? (int)n : 100, e);
		}
	}
	return wb_ok();
}

wb_status wb_config_load(struct wb_config *out, struct wb_arena *a, const char *const *env, struct wb_err *err)
{
	set_defaults(out, a, env);
	WB_TRY(load_file(out, a, env, err));
	WB_TRY(load_env(out, a, env, err));
	return wb_config_check(out, err);
}

wb_status wb_config_check(const struct wb_config *c, struct wb_err *err)
{
	bool remote = c->value[WB_SET_REMOTE][0] != '\0';
	bool caches = c->value[WB_SET_REMOTE_CAS][0] != '\0' && c->value[WB_SET_REMOTE_CACHE][0] != '\0';

	if (wb_config_is(c, WB_SET_MODE, "remote") && !remote)
		return wb_fail(
		    err, WB_EINVAL,
		    "mode is remote, but no server is named: set remote (WAYBILL_REMOTE) to grpc://HOST:PORT");
	if (wb_config_is(c, WB_SET_MODE, "cache") && !remote && !caches)
		return wb_fail(
		    err, WB_EINVAL,
		    "mode is cache, but no server is named: set remote (WAYBILL_REMOTE), or both remote_cas and "
		    "remote_cache");
	if ((c->value[WB_SET_REMOTE_CERT][0] == '\0') != (c->value[WB_SET_REMOTE_KEY][0] == '\0'))
		return wb_fail(err, WB_EINVAL, "remote_cert and remote_key come together: %s is not set",
			       c->value[WB_SET_REMOTE_CERT][0] == '\0' ? "remote_cert" : "remote_key");
	return wb_ok();
}

int64_t wb_config_number(const struct wb_config *c, enum wb_setting s)
{
	int64_t v = 0;
	parse_number(&v, c->value[s], wb_setting_table[s].type == WB_TYPE_SIZE); /* checked when it was set */
	return v;
}

bool wb_config_is(const struct wb_config *c, enum wb_setting s, const char *choice)
{
	return strcmp(c->value[s], choice) == 0;
}

/* What a value looks like. */
static void print_values(struct wb_buf *out, const struct wb_setting_row *row)
{
	switch (row->type) {
	case WB_TYPE_TEXT:
	case WB_TYPE_SERVER: /* its text says what it looks like */
		wb_buf_adds(out, "text");
		break;
	case WB_TYPE_PATH:
		wb_buf_adds(out, "absolute path");
		break;
	case WB_TYPE_PATHS:
		wb_buf_adds(out, "absolute paths");
		break;
	case WB_TYPE_NUMBER:
		wb_buf_adds(out, "number");
		break;
	case WB_TYPE_SIZE:
		wb_buf_adds(out, "size");
		break;
	case WB_TYPE_PROPERTIES:
		wb_buf_adds(out, "NAME=VALUE,...");
		break;
	case WB_TYPE_CHOICE:
		for (const char *p = row->choices; *p != '\0'; p++) {
			if (*p == '|')
				wb_buf_adds(out, ", ");
			else
				wb_buf_addc(out, *p);
		}
		break;
	}
}

static const char *scope_text(const struct wb_setting_row *row)
{
	return row->scope == WB_SCOPE_REQUEST ? "each compile" : "daemon, at its start";
}

static const char *default_text(const struct wb_setting_row *row)
{
	return row->value == NULL ? cache_dir_default : row->value[0] == '\0' ? "empty" : row->value;
}

static void print_markdown(struct wb_buf *out)
{
	wb_buf_adds(out,
		    "| setting | environment | values | default | read for | meaning |\n|---|---|---|---|---|---|\n");
	for (const struct wb_setting_row *row = wb_setting_table; row < wb_setting_table + WB_SET_COUNT; row++) {
		wb_buf_addf(out, "| `%s` | `%s` | ", row->key, row->env);
		print_values(out, row);
		const char *mark = row->value == NULL || row->value[0] == '\0' ? "" : "`";
		wb_buf_addf(out, " | %s%s%s | %s | ", mark, default_text(row), mark, scope_text(row));
		for (const char *p = row->help; *p != '\0'; p++) {
			if (strchr("|_*<`\\", *p) != NULL)
				wb_buf_addc(out, '\\');
			wb_buf_addc(out, *p);
		}
		wb_buf_adds(out, " |\n");
	}
	wb_buf_adds(out, "\n| environment only | meaning |\n|---|---|\n");
	for (const struct wb_client_variable *v = wb_client_variables; v->name != NULL; v++)
		wb_buf_addf(out, "| `%s` | %s |\n", v->name, v->help);
}

/* Text for roff: no line may start with a control character, and a backslash or hyphen is meant as such. */
static void add_roff(struct wb_buf *out, const char *s)
{
	if (*s == '.' || *s == '\'')
		wb_buf_adds(out, "\\&");
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			wb_buf_adds(out, "\\e");
		else if (*s == '-')
			wb_buf_adds(out, "\\-");
		else if (*s == '~')
			wb_buf_adds(out, "\\(ti");
		else
			wb_buf_addc(out, *s);
	}
}

static void print_man(struct wb_buf *out)
{
	for (const struct wb_setting_row *row = wb_setting_table; row < wb_setting_table + WB_SET_COUNT; row++) {
		wb_buf_addf(out, ".TP\n.BR %s \", \" %s\n", row->key, row->env);
		add_roff(out, row->help);
		wb_buf_adds(out, "\nValue: ");
		print_values(out, row);
		wb_buf_adds(out, ". Default: ");
		add_roff(out, default_text(row));
		wb_buf_addf(out, ". Read for: %s.\n", scope_text(row));
	}
	for (const struct wb_client_variable *v = wb_client_variables; v->name != NULL; v++) {
		wb_buf_addf(out, ".TP\n.B %s\n", v->name);
		add_roff(out, v->help);
		wb_buf_adds(out, " Environment only.\n");
	}
}

void wb_config_print(struct wb_buf *out, enum wb_config_format format)
{
	if (format == WB_CONFIG_MAN)
		print_man(out);
	else
		print_markdown(out);
}
