/* The methods of waybill.v1.Scanner over a real pipe, without a server: messages go in and come out as messages. The
 * oracles are the compiler's own -M and REAPI's messages themselves. What needs gRPC is in tests/interop. Runs under
 * ThreadSanitizer, too: a ScanDatabase has threads of its own. */
#include "service/scan_reply.h"

#include <stdint.h>

/* The server, as the methods see it. */
#define wb_server_call_cancel fake_cancel
#define wb_server_call_send   fake_send
#define wb_rpc_status_set     fake_status_set
static size_t reply_max = (size_t)64 << 20;
#undef WB_SCAN_REPLY_MAX
#define WB_SCAN_REPLY_MAX reply_max
#include "service/scanner_service.c" /* NOLINT: with the names above */

#include "base/fileio.h"
#include "base/map.h"
#include "base/process.h"
#include "reapi/messages.h"
#include "service/service.h"
#include "tests/unit/tempdir.h"

#include <stdio.h>

struct wb_server_call {
	atomic_bool cancel;
	struct wb_arena a;
	ProtobufCMessage *reply[64];
	const ProtobufCMessageDescriptor *type;
	size_t n;
	size_t cancel_after; /* the client goes away when it has so many; 0: never */
};

const atomic_bool *fake_cancel(const struct wb_server_call *c)
{
	return &c->cancel;
}

wb_status fake_send(struct wb_server_call *c, const ProtobufCMessage *m, struct wb_err *err)
{
	char *data;
	size_t n;

	/* As the wire would: the sender's memory does not outlive the call. */
	assert_true(c->n < 64);
	wb_message_pack(&data, &n, &c->a, m);
	assert_ok(wb_message_decode(&c->reply[c->n], &c->a, m->descriptor, data, n, wb_message_memory(n), err), err);
	c->n++;
	if (c->cancel_after > 0 && c->n == c->cancel_after)
		atomic_store(&c->cancel, true);
	return wb_ok();
}

void fake_status_set(struct wb_rpc_status *st, int code, const char *fmt, ...)
{
	va_list ap;

	st->code = code;
	va_start(ap, fmt);
	vsnprintf(st->message, sizeof st->message, fmt, ap);
	va_end(ap);
}

struct fixture {
	struct tempdir t;
	struct wb_config config;
	struct wb_service service;
	struct wb_scanner_service *svc;
	struct wb_server_call call;
	struct wb_rpc_status st;
	struct wb_arena a; /* of the request */
	const char *env[5];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct wb_err err = WB_ERR_INIT;

	tempdir_init(&f->t);
	wb_arena_init(&f->a);
	wb_arena_init(&f->call.a);
	f->env[0] = wb_arena_printf(&f->t.a, "HOME=%s", f->t.path);
	f->env[1] = wb_arena_printf(&f->t.a, "WAYBILL_CACHE_DIR=%s/cache", f->t.path);
	f->env[2] = wb_arena_printf(&f->t.a, "XDG_CONFIG_HOME=%s/config", f->t.path);
	f->env[3] = "PATH=/usr/bin:/bin";
	tempdir_file(&f->t, "p/src/n.h", "#define N 7\n");
	tempdir_file(&f->t, "p/src/a.c", "#include <stddef.h>\n#include \"n.h\"\nint a(void) { return N; }\n");
	tempdir_dir(&f->t, "p/first");
	tempdir_dir(&f->t, "p/build");
	assert_ok(wb_config_load(&f->config, &f->t.a, f->env, &err), &err);
	assert_ok(wb_service_init(&f->service, &f->config, &err), &err);
	assert_ok(wb_scanner_service_new(&f->svc, &f->service, &err), &err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wb_scanner_service_free(f->svc);
	wb_service_release(&f->service);
	wb_arena_release(&f->call.a);
	wb_arena_release(&f->a);
	tempdir_release(&f->t);
	free(f);
	reply_max = (size_t)64 << 20;
	return 0;
}

static ProtobufCBinaryData bytes(const char *s)
{
	return (ProtobufCBinaryData){strlen(s), (uint8_t *)(uintptr_t)s};
}

static void run(struct fixture *f, const char *name, const ProtobufCMessage *request)
{
	const struct wb_rpc_method *method;
	size_t n;

	f->call.n = 0;
	f->st = (struct wb_rpc_status){.code = -1};
	wb_scanner_service_methods(&method, &n, f->svc);
	for (size_t i = 0; i < n; i++)
		if (strcmp(method[i].name, name) == 0) {
			assert_ptr_equal(method[i].request, request->descriptor);
			method[i].run(&f->st, &f->a, &f->call, request, method[i].arg);
			return;
		}
	fail_msg("no method %s", name);
}

/* clang -I../first -c ../src/a.c, asked with what `m` has already. */
static Waybill__V1__ScanReply *scan_reply(struct fixture *f, Waybill__V1__ScanRequest *m)
{
	static ProtobufCBinaryData argv[7];
	static ProtobufCBinaryData env[2];

	if (!m->argv) {
		static const char *const word[] = {"clang-22", "-I../first", "-g", "-c", "../src/a.c", "-o", "a.o"};

		for (size_t i = 0; i < 7; i++)
			argv[i] = bytes(word[i]);
		m->argv = argv;
		m->n_argv = 7;
	}
	if (m->cwd.len == 0)
		m->cwd = bytes(tempdir_path(&f->t, "p/build"));
	if (!m->env) {
		env[0] = bytes("PATH=/usr/bin:/bin");
		m->env = env;
		m->n_env = 1;
	}
	run(f, "/waybill.v1.Scanner/Scan", &m->base);
	return f->st.code == WB_RPC_OK && f->call.n == 1 ? (Waybill__V1__ScanReply *)f->call.reply[0] : NULL;
}

static const char *text(struct fixture *f, ProtobufCBinaryData b)
{
	return wb_arena_strndup(&f->t.a, (const char *)b.data, b.len);
}

/* Digest of a blob that the reply holds or names -> its bytes. */
static void collect_blobs(struct fixture *f, struct wb_map *map, const Waybill__V1__PreparedAction *p)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d, said;

	for (size_t i = 0; i < p->n_blobs; i++) {
		wb_digest_of(&d, p->blobs[i]->data.data, p->blobs[i]->data.len);
		assert_ok(wb_re_digest_get(&said, p->blobs[i]->digest, "blob", &err), &err);
		assert_true(wb_digest_eq(&d, &said));
		wb_map_put(map, said.hash, sizeof said.hash, NULL)->p = &p->blobs[i]->data;
	}
	for (size_t i = 0; i < p->n_files; i++) {
		assert_ok(wb_digest_file(&d, text(f, p->files[i]->path), &err), &err);
		assert_ok(wb_re_digest_get(&said, p->files[i]->digest, "file", &err), &err);
		assert_true(wb_digest_eq(&d, &said));
		wb_map_put(map, said.hash, sizeof said.hash, NULL)->p = NULL;
	}
}

static const ProtobufCBinaryData *blob_of(const struct wb_map *map, const wb_re_digest *m)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_digest d;

	assert_ok(wb_re_digest_get(&d, m, "digest", &err), &err);
	union wb_map_value *v = wb_map_get(map, d.hash, sizeof d.hash);
	assert_non_null(v); /* an upload would lack it */
	return v->p;
}

/* Every file below a Directory can be uploaded; returns how many. */
static size_t walk(struct fixture *f, const struct wb_map *map, const wb_re_digest *root)
{
	struct wb_err err = WB_ERR_INIT;
	const ProtobufCBinaryData *data = blob_of(map, root);
	wb_re_directory *dir;
	size_t n;

	assert_non_null(data);
	assert_ok(wb_directory_decode(&dir, &f->t.a, data->data, data->len, &err), &err);
	n = dir->n_files;
	for (size_t i = 0; i < dir->n_files; i++)
		blob_of(map, dir->files[i]->digest);
	for (size_t i = 0; i < dir->n_directories; i++)
		n += walk(f, map, dir->directories[i]->digest);
	return n;
}

static void test_scan(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	Waybill__V1__ScanRequest m = WAYBILL__V1__SCAN_REQUEST__INIT;

	m.want_blobs = true;
	Waybill__V1__ScanReply *r = scan_reply(f, &m);
	if (!r)
		fail_msg("%d %s", f->st.code, f->st.message);
	assert_string_equal(r->local_reason, "");
	assert_int_equal(r->n_stages, WB_STAGE_COUNT);
	assert_string_equal(r->stages[0]->name, "command");

	/* The compiler's own list. */
	struct wb_buf depends = WB_BUF_INIT;
	const char *argv[] = {"clang-22", "-M", "../src/a.c", NULL};
	struct wb_process p = {.argv = argv, .cwd = tempdir_path(&f->t, "p/build"), .out = &depends};
	int status;
	assert_ok(wb_process_run(&status, &p, &err), &err);
	assert_int_equal(status, 0);
	size_t files = 0;
	for (size_t i = 0; i < r->n_inputs; i++) {
		const Waybill__V1__Input *in = r->inputs[i];
		struct wb_digest d, said;

		if (i > 0)
			assert_true(strcmp(text(f, r->inputs[i - 1]->path), text(f, in->path)) < 0);
		if (in->kind != WAYBILL__V1__INPUT__KIND__FILE)
			continue;
		files++;
		const char *path = text(f, in->path);
		assert_non_null(strstr(depends.p, wb_path_basename(path)));
		assert_ok(wb_digest_file(&d, path, &err), &err);
		assert_ok(wb_re_digest_get(&said, in->digest, "input", &err), &err);
		assert_true(wb_digest_eq(&d, &said));
		if (wb_ends_with(path, "/n.h")) {
			assert_string_equal(in->why, "include");
			assert_true(wb_ends_with(text(f, in->via), "src/a.c:2"));
		}
	}
	assert_int_equal(files, 2);
	assert_true(r->n_system > 0);
	assert_non_null(strstr(depends.p, text(f, r->system[0]->path)));
	wb_buf_release(&depends);

	/* <stddef.h> was looked for there: its appearance would change the answer. */
	bool probed = false;
	for (size_t i = 0; i < r->n_missing; i++) {
		probed |= strcmp(text(f, r->missing[i]), tempdir_path(&f->t, "p/build/../first/stddef.h")) == 0;
		assert_int_equal(access(text(f, r->missing[i]), F_OK), -1);
	}
	assert_true(probed);
	assert_int_equal(r->n_outputs, 1);
	assert_string_equal(r->outputs[0]->kind, "object");
	assert_string_equal(text(f, r->outputs[0]->path), tempdir_path(&f->t, "p/build/a.o"));

	/* The action is whole. */
	struct wb_map map;
	wb_re_action *action;
	wb_re_command *command;
	wb_map_init(&map);
	collect_blobs(f, &map, r->action);
	const ProtobufCBinaryData *data = blob_of(&map, r->action->action);
	assert_ok(wb_action_decode(&action, &f->t.a, data->data, data->len, &err), &err);
	assert_string_equal(action->command_digest->hash, r->action->command->hash);
	assert_string_equal(action->input_root_digest->hash, r->action->input_root->hash);
	assert_int_equal(walk(f, &map, r->action->input_root), files);
	data = blob_of(&map, r->action->command);
	assert_ok(wb_command_decode(&command, &f->t.a, data->data, data->len, &err), &err);
	assert_int_equal(command->n_arguments, r->rewritten->n_argv);
	for (size_t i = 0; i < command->n_arguments; i++)
		assert_string_equal(command->arguments[i], text(f, r->rewritten->argv[i]));
	assert_int_equal(command->n_output_paths, 1);
	assert_string_equal(command->output_paths[0], text(f, r->outputs[0]->action_path));
	assert_string_equal(command->working_directory, text(f, r->rewritten->working_directory));
	assert_true(r->rewritten->shareable);
	wb_map_release(&map);
	assert_true(wb_stats_get(f->service.stats, WB_COUNT_SCANS) == 1);
	assert_true(wb_stats_get(f->service.stats, WB_COUNT_JOBS) == 0); /* nobody compiled */
}

static void test_wants(void **state)
{
	struct fixture *f = *state;
	Waybill__V1__ScanRequest m = WAYBILL__V1__SCAN_REQUEST__INIT;

	Waybill__V1__ScanReply *r = scan_reply(f, &m);
	assert_non_null(r);
	assert_null(r->action);
	assert_true(r->n_inputs > 0);
	m.want_action = true;
	r = scan_reply(f, &m);
	assert_non_null(r->action);
	assert_int_equal(r->action->n_blobs + r->action->n_files, 0);
	char *without = wb_arena_strdup(&f->t.a, r->action->action->hash);
	Waybill__V1__Setting root = WAYBILL__V1__SETTING__INIT, *list[] = {&root};
	root.key = (char *)"root";
	root.value = bytes(f->t.path); /* one directory up */
	m.settings = list;
	m.n_settings = 1;
	r = scan_reply(f, &m);
	assert_string_equal(text(f, r->root), f->t.path);
	assert_string_not_equal(r->action->action->hash, without);
}

static void test_local(void **state)
{
	struct fixture *f = *state;
	Waybill__V1__ScanRequest m = WAYBILL__V1__SCAN_REQUEST__INIT;
	ProtobufCBinaryData link[] = {bytes("clang-22"), bytes("a.o"), bytes("-o"), bytes("a")};
	ProtobufCBinaryData nobody[] = {bytes("no-such-cc"), bytes("-c"), bytes("../src/a.c")};

	m.argv = link;
	m.n_argv = 4;
	m.want_blobs = true;
	Waybill__V1__ScanReply *r = scan_reply(f, &m);
	assert_non_null(r);
	assert_string_equal(r->local_reason, "not_a_compile");
	assert_null(r->action);
	assert_null(r->rewritten);
	assert_int_equal(r->n_inputs, 0);
	m.argv = nobody;
	m.n_argv = 3;
	r = scan_reply(f, &m);
	assert_non_null(r);
	assert_string_equal(r->local_reason, "compiler");
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	ProtobufCBinaryData none = {0}, nul = {3, (uint8_t *)(uintptr_t)"a\0b"};
	ProtobufCBinaryData words[] = {bytes("clang-22"), nul};
	ProtobufCBinaryData bad_env[] = {bytes("=x")}, nameless[] = {bytes("PATH")}, nul_env[] = {nul};
	Waybill__V1__Setting jobs = WAYBILL__V1__SETTING__INIT, what = WAYBILL__V1__SETTING__INIT,
			     mode = WAYBILL__V1__SETTING__INIT;
	Waybill__V1__Setting *daemon[] = {&jobs}, *unknown[] = {&what}, *value[] = {&mode};
	char *far = wb_arena_alloc(&f->t.a, 6000);

	jobs.key = (char *)"jobs";
	jobs.value = bytes("1");
	what.key = (char *)"colour";
	mode.key = (char *)"paths";
	mode.value = bytes("sideways");
	memset(far, '/', 5999);
	const struct {
		ProtobufCBinaryData *argv;
		size_t n_argv;
		ProtobufCBinaryData cwd;
		ProtobufCBinaryData *env;
		Waybill__V1__Setting **setting;
		const char *says;
	} row[] = {
	    {&none, 1, none, NULL, NULL, "argv is empty"},
	    {words, 2, none, NULL, NULL, "argv[1] has a NUL"},
	    {NULL, 0, bytes("build"), NULL, NULL, "cwd is not absolute"},
	    {NULL, 0, bytes("/no/such/place"), NULL, NULL, "cwd does not exist"},
	    {NULL, 0, bytes("/etc/passwd"), NULL, NULL, "cwd is no directory"},
	    {NULL, 0, nul, NULL, NULL, "cwd has a NUL"},
	    {NULL, 0, bytes(far), NULL, NULL, "cwd is longer"},
	    {NULL, 0, none, bad_env, NULL, "env[0] is not NAME=value"},
	    {NULL, 0, none, nameless, NULL, "env[0] is not NAME=value"},
	    {NULL, 0, none, nul_env, NULL, "env[0] has a NUL"},
	    {NULL, 0, none, NULL, daemon, "jobs belongs to the daemon"},
	    {NULL, 0, none, NULL, unknown, "colour"},
	    {NULL, 0, none, NULL, value, "sideways"},
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		Waybill__V1__ScanRequest m = WAYBILL__V1__SCAN_REQUEST__INIT;

		m.argv = row[i].argv;
		m.n_argv = row[i].n_argv;
		m.cwd = row[i].cwd;
		m.env = row[i].env;
		m.n_env = row[i].env ? 1 : 0;
		m.settings = row[i].setting;
		m.n_settings = row[i].setting ? 1 : 0;
		assert_null(scan_reply(f, &m));
		assert_int_equal(f->call.n, 0);
		if (f->st.code != WB_RPC_INVALID_ARGUMENT || !strstr(f->st.message, row[i].says))
			fail_msg("'%s': %d '%s'", row[i].says, f->st.code, f->st.message);
	}
	Waybill__V1__ScanRequest empty = WAYBILL__V1__SCAN_REQUEST__INIT;
	run(f, "/waybill.v1.Scanner/Scan", &empty.base);
	assert_int_equal(f->st.code, WB_RPC_INVALID_ARGUMENT);

	Waybill__V1__ScanRequest many = WAYBILL__V1__SCAN_REQUEST__INIT;
	many.n_argv = ARGV_MAX + 1;
	many.argv = wb_arena_array(&f->t.a, many.n_argv, sizeof *many.argv);
	many.argv[0] = bytes("cc");
	assert_null(scan_reply(f, &many));
	assert_int_equal(f->st.code, WB_RPC_INVALID_ARGUMENT);
}

static void test_too_large(void **state)
{
	struct fixture *f = *state;
	Waybill__V1__ScanRequest m = WAYBILL__V1__SCAN_REQUEST__INIT;

	assert_non_null(scan_reply(f, &m));
	reply_max = waybill__v1__scan_reply__get_packed_size((const Waybill__V1__ScanReply *)f->call.reply[0]) + 300;
	m.want_blobs = true;
	assert_null(scan_reply(f, &m));
	assert_int_equal(f->st.code, WB_RPC_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(f->st.message, "ask without want_blobs"));
	m.want_blobs = false;
	assert_non_null(scan_reply(f, &m));
}

static void test_canceled(void **state)
{
	struct fixture *f = *state;
	Waybill__V1__ScanDatabaseRequest m = WAYBILL__V1__SCAN_DATABASE_REQUEST__INIT;
	struct wb_buf db = WB_BUF_INIT;

	for (int i = 0; i < 60; i++)
		wb_buf_addf(&db, "%c{\"directory\": \"%s/p/build\", \"command\": \"clang-22 -c ../src/a.c -DI=%d\"}",
			    i == 0 ? '[' : ',', f->t.path, i);
	wb_buf_adds(&db, "]");
	m.path = bytes(tempdir_file(&f->t, "db.json", db.p));
	wb_buf_release(&db);
	f->call.cancel_after = 3;
	run(f, "/waybill.v1.Scanner/ScanDatabase", &m.base);
	assert_int_equal(f->st.code, WB_RPC_CANCELLED);
	assert_true(f->call.n >= 3 && f->call.n < 3 + 2 * DATABASE_THREADS);
}

static Waybill__V1__ScanDatabaseReply *reply_of(struct fixture *f, unsigned index)
{
	for (size_t i = 0; i < f->call.n; i++) {
		Waybill__V1__ScanDatabaseReply *r = (Waybill__V1__ScanDatabaseReply *)f->call.reply[i];

		if (r->index == index)
			return r;
	}
	fail_msg("no reply for entry %u", index);
	return NULL;
}

static void test_database(void **state)
{
	struct fixture *f = *state;
	Waybill__V1__ScanDatabaseRequest m = WAYBILL__V1__SCAN_DATABASE_REQUEST__INIT;
	ProtobufCBinaryData env[] = {bytes("PATH=/usr/bin:/bin")};

	m.env = env;
	m.n_env = 1;
	m.want_blobs = true;
	m.path = bytes(tempdir_file(
	    &f->t, "p/build/compile_commands.json",
	    tempdir_text(
		&f->t,
		"[{\"directory\": \"@/p/build\", \"file\": \"../src/a.c\", \"output\": \"a.o\",\n"
		"  \"command\": \"/usr/bin/waybill clang-22 -c ../src/a.c -o a.o\"},\n"
		" {\"directory\": \"@/p/build\", \"file\": \"b\", \"command\": \"clang-22 -c 'open\"},\n"
		" {\"directory\": \"@/gone\", \"file\": \"c\", \"command\": \"clang-22 -c c.c\"},\n"
		" {\"directory\": \".\", \"arguments\": [\"clang-22\", \"-c\", \"../src/a.c\", \"-o\", \"d.o\"]}]\n")));
	run(f, "/waybill.v1.Scanner/ScanDatabase", &m.base);
	if (f->st.code != WB_RPC_OK)
		fail_msg("%d %s", f->st.code, f->st.message);
	assert_int_equal(f->call.n, 4);
	for (size_t i = 0; i < 4; i++) {
		Waybill__V1__ScanDatabaseReply *r = (Waybill__V1__ScanDatabaseReply *)f->call.reply[i];

		assert_int_equal(r->done, i + 1);
		assert_int_equal(r->total, 4);
		assert_false(r->without_blobs);
	}
	assert_string_equal(reply_of(f, 0)->scan->local_reason, "");
	assert_string_equal(text(f, reply_of(f, 0)->file), "../src/a.c");
	assert_string_equal(text(f, reply_of(f, 0)->output), "a.o");
	assert_true(reply_of(f, 0)->scan->action->n_blobs > 0);
	assert_string_equal(reply_of(f, 1)->scan->local_reason, "bad_command");
	assert_non_null(strstr(text(f, reply_of(f, 1)->scan->local_reason_text), "line 3"));
	assert_string_equal(reply_of(f, 2)->scan->local_reason, "bad_command");
	assert_string_equal(reply_of(f, 3)->scan->local_reason, "");
	assert_string_equal(text(f, reply_of(f, 3)->scan->outputs[0]->path), tempdir_path(&f->t, "p/build/d.o"));

	/* Too large with blobs: without them. Too large without: said so, and the stream goes on. */
	Waybill__V1__ScanReply *big = reply_of(f, 0)->scan;
	size_t with = waybill__v1__scan_reply__get_packed_size(big);
	big->action->n_blobs = big->action->n_files = 0;
	size_t without = waybill__v1__scan_reply__get_packed_size(big);
	reply_max = (with + without) / 2 + 80;
	run(f, "/waybill.v1.Scanner/ScanDatabase", &m.base);
	assert_int_equal(f->call.n, 4);
	assert_true(reply_of(f, 0)->without_blobs);
	assert_string_equal(reply_of(f, 0)->scan->local_reason, "");
	assert_int_equal(reply_of(f, 0)->scan->action->n_blobs, 0);
	reply_max = without / 2;
	run(f, "/waybill.v1.Scanner/ScanDatabase", &m.base);
	assert_int_equal(f->call.n, 4);
	assert_string_equal(reply_of(f, 0)->scan->local_reason, "input_too_big");
}

static void test_no_database(void **state)
{
	struct fixture *f = *state;
	Waybill__V1__ScanDatabaseRequest m = WAYBILL__V1__SCAN_DATABASE_REQUEST__INIT;

	m.path = bytes("/no/such/compile_commands.json");
	run(f, "/waybill.v1.Scanner/ScanDatabase", &m.base);
	assert_int_equal(f->st.code, WB_RPC_NOT_FOUND);
	assert_non_null(strstr(f->st.message, "/no/such/compile_commands.json"));
	m.path = bytes(tempdir_file(&f->t, "db.json", "[\n{\"directory\": }]"));
	run(f, "/waybill.v1.Scanner/ScanDatabase", &m.base);
	assert_int_equal(f->st.code, WB_RPC_INVALID_ARGUMENT);
	assert_non_null(strstr(f->st.message, "db.json:2:15: "));
	m.path = bytes("compile_commands.json");
	run(f, "/waybill.v1.Scanner/ScanDatabase", &m.base);
	assert_int_equal(f->st.code, WB_RPC_INVALID_ARGUMENT);
	assert_int_equal(f->call.n, 0);
	m.path = bytes(tempdir_file(&f->t, "db.json", "[]"));
	run(f, "/waybill.v1.Scanner/ScanDatabase", &m.base);
	assert_int_equal(f->st.code, WB_RPC_OK);
	assert_int_equal(f->call.n, 0);
}

static void test_stats(void **state)
{
	struct fixture *f = *state;
	Waybill__V1__StatsRequest m = WAYBILL__V1__STATS_REQUEST__INIT;
	bool jobs = false, bytes_known = false;

	wb_stats_add(f->service.stats, WB_COUNT_JOBS, 41);
	wb_stats_add_reason(f->service.stats, WB_REASON_STDIN);
	wb_stats_add_fallback(f->service.stats, WB_REASON_REMOTE_DOWN);
	run(f, "/waybill.v1.Scanner/Stats", &m.base);
	assert_int_equal(f->st.code, WB_RPC_OK);
	Waybill__V1__StatsReply *r = (Waybill__V1__StatsReply *)f->call.reply[0];
	for (size_t i = 0; i < r->n_counters; i++) {
		jobs |= strcmp(r->counters[i]->key, "jobs") == 0 && r->counters[i]->value == 41;
		bytes_known |= strcmp(r->counters[i]->key, "store_bytes") == 0;
	}
	assert_true(jobs && bytes_known);
	assert_int_equal(r->n_local_reasons, 1);
	assert_string_equal(r->local_reasons[0]->key, "stdin");
	assert_int_equal(r->n_fallback_reasons, 1);
	assert_string_equal(r->fallback_reasons[0]->key, "remote_down");
	assert_int_equal(r->fallback_reasons[0]->value, 1);
	assert_string_equal(r->version, WB_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_scan, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_wants, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_local, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_database, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_canceled, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_database, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stats, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
