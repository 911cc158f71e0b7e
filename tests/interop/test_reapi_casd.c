/* The REAPI client against a real server, buildbox-casd: the environment variable WB_TEST_CASD names its endpoint
 * (grpc://127.0.0.1:PORT). Without it everything is skipped. */
#include "base/clock.h"
#include "base/fileio.h"
#include "base/str.h"
#include "reapi/client.h"
#include "reapi/tree.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGE = 50 << 20, THREADS = 100, SKIP = 77 };
#define SECOND ((int64_t)1000000000)

static const char *endpoint_text;
static char dir[] = "/tmp/waybill-test-reapi-XXXXXX";
static struct wb_rpc *rpc;
static struct wb_arena arena;
static uint64_t run_id; /* makes content new to a server that kept its cache */

static struct wb_reapi *client(bool compress)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_reapi *c;
	struct wb_reapi_config config = {.instance = "",
					 .rpc_timeout_ns = 30 * SECOND,
					 .execute_timeout_ns = 120 * SECOND,
					 .compress = compress,
					 .version = "test"};
	assert_ok(wb_endpoint_parse(&config.exec, &arena, endpoint_text, &err), &err);
	assert_ok(wb_reapi_new(&c, rpc, &config, &err), &err);
	return c;
}

/* `n` bytes that nobody has seen, hard to compress in the first half. */
static char *fresh_bytes(size_t n)
{
	static uint64_t counter;
	char *p = malloc(n + 1);
	uint64_t x = run_id * 1000003 + ++counter;
	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		p[i] = i < n / 2 ? (char)(x >> 33) : 'a';
	}
	return p;
}

static const char *in_dir(const char *name)
{
	return wb_arena_printf(&arena, "%s/%s", dir, name);
}

static struct wb_blob memory_blob(const void *data, size_t n)
{
	struct wb_blob b = {.data = data};
	wb_digest_of(&b.digest, data, n);
	return b;
}

static void test_capabilities(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_reapi_capabilities caps;
	struct wb_reapi *c = client(false);
	(void)state;
	assert_ok(wb_reapi_capabilities(&caps, c, &err), &err);
	assert_true(caps.sha256);
	assert_true(caps.exec);
	assert_int_equal(caps.low_major, 2);
	assert_int_equal(caps.high_major, 2);
	assert_true(caps.high_minor >= 3);
	assert_false(wb_reapi_is_down(c, NULL, 0));
	wb_reapi_free(c);
}

/* Sizes around every limit, from memory and from files, there and back. */
static void round_trip(bool compress)
{
	static const size_t size[] = {0, 9, 1023, 1024, 65536, (2 << 20) - 160, (2 << 20) - 159, 4 << 20, LARGE};
	enum { N = sizeof size / sizeof size[0] };
	struct wb_err err = WB_ERR_INIT;
	struct wb_reapi *c = client(compress);
	struct wb_reapi_job job = {0};
	struct wb_blob blob[2 * N];
	struct wb_fetch fetch[3 * N];
	char *data[2 * N];
	int64_t total = 0;
	size_t nfetch = 0;
	for (size_t i = 0; i < 2 * N; i++) {
		size_t n = size[i / 2];
		data[i] = fresh_bytes(n);
		blob[i] = memory_blob(data[i], n);
		total += (int64_t)n;
		if (i % 2 == 1) {
			blob[i].path = in_dir(wb_arena_printf(&arena, "in%zu", i));
			blob[i].data = NULL;
			assert_ok(wb_file_write(blob[i].path, data[i], n, 0644, &err), &err);
		}
		fetch[nfetch++] = (struct wb_fetch){
		    .digest = blob[i].digest, .path = in_dir(wb_arena_printf(&arena, "out%zu", i)), .exec = i % 4 == 1};
		if (i % 2 == 0)
			fetch[nfetch++] = (struct wb_fetch){.digest = blob[i].digest};
	}
	assert_ok(wb_reapi_upload(c, &job, blob, 2 * N, &err), &err);
	struct wb_reapi_capabilities caps;
	assert_ok(wb_reapi_capabilities(&caps, c, &err), &err);
	if (compress && caps.zstd_stream) /* casd does not offer it today: then nothing may be compressed */
		assert_in_range(job.sent, total / 3, total * 3 / 4);
	else
		assert_int_equal(job.sent, total);
	int64_t sent = job.sent;
	assert_ok(wb_reapi_upload(c, &job, blob, 2 * N, &err), &err);
	assert_int_equal(job.sent, sent);
	/* A second client learns from the server what is there; the empty blob is sent in any case. */
	struct wb_reapi *other = client(compress);
	assert_ok(wb_reapi_upload(other, &job, blob, 2 * N, &err), &err);
	assert_int_equal(job.sent, sent);
	wb_reapi_free(other);

	assert_ok(wb_reapi_fetch(c, &arena, &job, fetch, nfetch, &err), &err);
	assert_true(job.received > 0);
	for (size_t i = 0; i < nfetch; i++) {
		struct wb_digest d;
		if (fetch[i].path == NULL) {
			wb_digest_of(&d, fetch[i].data, (size_t)fetch[i].digest.size);
			assert_int_equal(fetch[i].data[fetch[i].digest.size], 0);
		} else {
			struct stat st;
			assert_ok(wb_digest_file(&d, fetch[i].path, &err), &err);
			assert_int_equal(stat(fetch[i].path, &st), 0);
			assert_int_equal((st.st_mode & 0100) != 0, fetch[i].exec);
		}
		assert_true(wb_digest_eq(&d, &fetch[i].digest));
	}
	for (size_t i = 0; i < 2 * N; i++)
		free(data[i]);
	wb_reapi_free(c);
}

static void test_round_trip(void **state)
{
	(void)state;
	round_trip(false);
}

static void test_round_trip_compressed(void **state)
{
	(void)state;
	round_trip(true);
}

/* A file that is not what it was hashed as: small and large. The server must not get it. */
static void test_stale(void **state)
{
	static const size_t size[] = {3000, 5 << 20};
	struct wb_reapi *c = client(false);
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_reapi_job job = {0};
		char *data = fresh_bytes(size[i]);
		struct wb_blob blob = memory_blob(data, size[i]);
		struct wb_fetch fetch = {.digest = blob.digest};
		blob.data = NULL;
		blob.path = in_dir("stale");
		data[size[i] - 1] ^= 1;
		assert_ok(wb_file_write(blob.path, data, size[i], 0644, &err), &err);
		assert_code(wb_reapi_upload(c, &job, &blob, 1, &err), WB_ESTALE);
		assert_says(&err, blob.path);
		data[size[i] - 1] ^= 1;
		assert_ok(wb_file_write(blob.path, data, size[i] - 1, 0644, &err), &err); /* shorter */
		assert_code(wb_reapi_upload(c, &job, &blob, 1, &err), WB_ESTALE);
		assert_code(wb_reapi_fetch(c, &arena, &job, &fetch, 1, &err), WB_ENOENT);
		assert_int_equal(unlink(blob.path), 0);
		assert_code(wb_reapi_upload(c, &job, &blob, 1, &err), WB_ESTALE);
		/* After that, the right content is taken. */
		assert_ok(wb_file_write(blob.path, data, size[i], 0644, &err), &err);
		assert_ok(wb_reapi_upload(c, &job, &blob, 1, &err), &err);
		assert_ok(wb_reapi_fetch(c, &arena, &job, &fetch, 1, &err), &err);
		assert_memory_equal(fetch.data, data, size[i]);
		free(data);
	}
	wb_reapi_free(c);
}

/* When one of several is gone, none of the files appears, and nothing is left beside them. */
static void test_fetch_all_or_nothing(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_reapi *c = client(false);
	struct wb_reapi_job job = {0};
	char *data = fresh_bytes(3 << 20), *gone = fresh_bytes(100), *large_gone = fresh_bytes(3 << 20);
	struct wb_blob blob = memory_blob(data, 3 << 20), small = memory_blob(data, 1000);
	struct wb_blob both[] = {blob, small};
	const char *sub = in_dir("all");
	(void)state;
	assert_int_equal(mkdir(sub, 0755), 0);
	assert_ok(wb_reapi_upload(c, &job, both, 2, &err), &err);
	struct wb_fetch fetch[] = {
	    {.digest = blob.digest, .path = in_dir("all/a")},
	    {.digest = small.digest, .path = in_dir("all/b")},
	    {.digest = memory_blob(gone, 100).digest, .path = in_dir("all/c")},
	};
	assert_code(wb_reapi_fetch(c, &arena, &job, fetch, 3, &err), WB_ENOENT);
	assert_says(&err, endpoint_text);
	fetch[2].digest = memory_blob(large_gone, 3 << 20).digest;
	assert_code(wb_reapi_fetch(c, &arena, &job, fetch, 3, &err), WB_ENOENT);
	assert_int_equal(rmdir(sub), 0); /* empty */
	free(data);
	free(gone);
	free(large_gone);
	wb_reapi_free(c);
}

/* ---- actions */

struct action {
	struct wb_digest digest;
	struct wb_blob blob[16];
	size_t n;
};

/* `sh -c script` in directory "work", where the file "in" has `content`; outputs "out/o" and "plain". */
static void make_action(struct action *x, struct wb_arena *a, const char *script, const char *content)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_tree tree;
	struct wb_tree_blob *dirs;
	struct wb_digest root;
	size_t ndirs;
	x->n = 0;
	x->blob[x->n++] = memory_blob(wb_arena_strdup(a, content), strlen(content));
	wb_tree_init(&tree, a);
	assert_ok(wb_tree_add_file(&tree, "work/in", &x->blob[0].digest, false, &err), &err);
	assert_ok(wb_tree_add_directory(&tree, "work/out", &err), &err);
	assert_ok(wb_tree_finish(&root, &dirs, &ndirs, &tree, NULL, &err), &err);
	for (size_t i = 0; i < ndirs; i++)
		x->blob[x->n++] = (struct wb_blob){.digest = dirs[i].digest, .data = dirs[i].data};
	wb_tree_release(&tree);
	wb_re_command command;
	wb_re_action action;
	char *argv[] = {wb_arena_strdup(a, "/bin/sh"), wb_arena_strdup(a, "-c"), wb_arena_strdup(a, script)};
	char *outputs[] = {wb_arena_strdup(a, "out/o"), wb_arena_strdup(a, "plain")};
	build__bazel__remote__execution__v2__command__init(&command);
	build__bazel__remote__execution__v2__action__init(&action);
	command.arguments = argv;
	command.n_arguments = 3;
	command.working_directory = wb_arena_strdup(a, "work");
	command.output_paths = outputs;
	command.n_output_paths = 2;
	char *data;
	size_t n;
	wb_message_pack(&data, &n, a, &command.base);
	x->blob[x->n++] = memory_blob(data, n);
	action.command_digest = wb_re_digest_new(a, &x->blob[x->n - 1].digest);
	action.input_root_digest = wb_re_digest_new(a, &root);
	wb_message_pack(&data, &n, a, &action.base);
	x->blob[x->n++] = memory_blob(data, n);
	x->digest = x->blob[x->n - 1].digest;
}

static const char *unique(const char *text)
{
	static atomic_uint counter;
	return wb_arena_printf(&arena, "%s %llu %u\n", text, (unsigned long long)run_id, atomic_fetch_add(&counter, 1));
}

static void test_execute(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_reapi *c = client(false);
	const char *content = unique("hello");
	struct action x;
	struct wb_action_result r;
	atomic_int stage = 0;
	struct wb_reapi_execution e = {.stage = &stage};
	(void)state;
	make_action(&x, &arena, "cat in > out/o; echo said; echo complained >&2; echo x > plain; chmod +x plain",
		    content);
	struct wb_reapi_job job = {.action = &x.digest};
	assert_code(wb_reapi_lookup(&r, &arena, c, &job, &x.digest, NULL, 0, &err), WB_ENOENT);
	/* Nothing is there: neither action nor input. */
	assert_code(wb_reapi_execute(&r, &arena, c, &job, &x.digest, &e, &err), WB_ENOENT);
	assert_ok(wb_reapi_upload(c, &job, x.blob + 1, x.n - 1, &err), &err);
	assert_code(wb_reapi_execute(&r, &arena, c, &job, &x.digest, &e, &err), WB_ENOENT);
	assert_ok(wb_reapi_upload(c, &job, x.blob, x.n, &err), &err);
	assert_ok(wb_reapi_execute(&r, &arena, c, &job, &x.digest, &e, &err), &err);
	assert_int_equal(r.exit_code, 0);
	assert_false(e.cached);
	assert_int_equal(r.nfile, 2);
	assert_string_equal(r.out_text, "said\n");
	assert_string_equal(r.err_text, "complained\n");
	assert_string_equal(r.file[0].path, "out/o");
	assert_true(wb_digest_eq(&r.file[0].digest, &x.blob[0].digest));
	assert_false(r.file[0].exec);
	assert_string_equal(r.file[1].path, "plain");
	assert_true(r.file[1].exec);
	struct wb_fetch f = {.digest = r.file[0].digest};
	assert_ok(wb_reapi_fetch(c, &arena, &job, &f, 1, &err), &err);
	assert_string_equal(f.data, content);

	const char *inline_file[] = {"plain"};
	memset(&r, 0, sizeof r);
	assert_ok(wb_reapi_lookup(&r, &arena, c, &job, &x.digest, inline_file, 1, &err), &err);
	assert_int_equal(r.nfile, 2);
	assert_int_equal(r.out_len, 5);
	assert_string_equal(r.out_text, "said\n");
	wb_reapi_free(c);
}

static void test_execute_fails(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_reapi *c = client(false);
	struct action x;
	struct wb_action_result r;
	struct wb_reapi_execution e = {0};
	(void)state;
	make_action(&x, &arena, "echo no >&2; exit 3", unique("fails"));
	struct wb_reapi_job job = {.action = &x.digest};
	assert_ok(wb_reapi_upload(c, &job, x.blob, x.n, &err), &err);
	assert_ok(wb_reapi_execute(&r, &arena, c, &job, &x.digest, &e, &err), &err);
	assert_int_equal(r.exit_code, 3);
	assert_int_equal(r.nfile, 0);
	assert_string_equal(r.err_text, "no\n");
	/* A symlink among the outputs is never taken (casd refuses it itself). */
	make_action(&x, &arena, "ln -s /etc/passwd plain", unique("link"));
	assert_ok(wb_reapi_upload(c, &job, x.blob, x.n, &err), &err);
	wb_status s = wb_reapi_execute(&r, &arena, c, &job, &x.digest, &e, &err);
	assert_true(s.code == WB_EPROTO || s.code == WB_EREFUSED);
	wb_reapi_free(c);
}

static void test_update(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_reapi *c = client(false);
	struct wb_reapi_job job = {0};
	struct action x;
	struct wb_action_result r;
	enum { LONG = 100000 };
	char *text = malloc(LONG);
	(void)state;
	assert_non_null(text);
	memset(text, 'e', LONG);
	make_action(&x, &arena, "never run", unique("update"));
	assert_ok(wb_reapi_upload(c, &job, x.blob, x.n, &err), &err);
	struct wb_result_file file = {.path = "out/o", .digest = x.blob[0].digest, .exec = true};
	struct wb_action_result mine = {.file = &file,
					.nfile = 1,
					.out_text = "short",
					.out_len = 5,
					.err_text = text,
					.err_len = LONG,
					.worker = "me"};
	assert_ok(wb_reapi_update(c, &job, &x.digest, &mine, &err), &err);
	assert_ok(wb_reapi_lookup(&r, &arena, c, &job, &x.digest, NULL, 0, &err), &err);
	assert_int_equal(r.exit_code, 0);
	assert_int_equal(r.nfile, 1);
	assert_true(r.file[0].exec);
	assert_true(wb_digest_eq(&r.file[0].digest, &file.digest));
	assert_string_equal(r.out_text, "short");
	assert_int_equal(r.err_len, LONG);
	assert_memory_equal(r.err_text, text, LONG);
	free(text);
	wb_reapi_free(c);
}

struct canceled {
	struct wb_reapi *c;
	atomic_bool flag;
	struct action x;
	wb_status status;
	int64_t took_ns;
};

static void *run_canceled(void *arg)
{
	struct canceled *k = arg;
	struct wb_arena a;
	struct wb_action_result r;
	struct wb_reapi_execution e = {0};
	struct wb_reapi_job job = {.action = &k->x.digest, .cancel = &k->flag};
	wb_arena_init(&a);
	int64_t start = wb_clock_ns();
	k->status = wb_reapi_execute(&r, &a, k->c, &job, &k->x.digest, &e, NULL);
	k->took_ns = wb_clock_ns() - start;
	wb_arena_release(&a);
	return NULL;
}

static void test_cancel(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct canceled k = {.c = client(false)};
	struct wb_reapi_job job = {0};
	pthread_t thread;
	(void)state;
	make_action(&k.x, &arena, "sleep 60", unique("sleeps"));
	assert_ok(wb_reapi_upload(k.c, &job, k.x.blob, k.x.n, &err), &err);
	assert_int_equal(pthread_create(&thread, NULL, run_canceled, &k), 0);
	usleep(700000); /* it runs by now, or is about to: both must end */
	atomic_store(&k.flag, true);
	pthread_join(thread, NULL);
	assert_int_equal(k.status.code, WB_ECANCELED);
	assert_true(k.took_ns < 30 * SECOND);
	wb_reapi_free(k.c);
}

/* ---- many at once */

struct worker {
	pthread_t thread;
	struct wb_reapi *c;
	const struct wb_blob *shared;
	size_t nshared;
	unsigned number;
	bool execute;
	int64_t sent;
	wb_status status;
	struct wb_err err;
};

static wb_status work_one(struct worker *w, struct wb_arena *a)
{
	struct wb_reapi_job job = {0};
	struct wb_action_result r;
	char *text = wb_arena_printf(a, "of thread %u of %llu", w->number, (unsigned long long)run_id);
	struct wb_blob own = memory_blob(text, strlen(text));
	wb_status s = wb_reapi_upload(w->c, &job, w->shared, w->nshared, &w->err);
	w->sent = job.sent;
	WB_TRY(s);
	WB_TRY(wb_reapi_upload(w->c, &job, &own, 1, &w->err));
	struct wb_fetch f[] = {{.digest = own.digest}, {.digest = w->shared[w->number % w->nshared].digest}};
	WB_TRY(wb_reapi_fetch(w->c, a, &job, f, 2, &w->err));
	if (memcmp(f[0].data, text, strlen(text)) != 0)
		return wb_fail(&w->err, WB_EPROTO, "other bytes");
	s = wb_reapi_lookup(&r, a, w->c, &job, &own.digest, NULL, 0, &w->err);
	if (s.code != WB_ENOENT)
		return wb_fail(&w->err, WB_EPROTO, "a result that nobody made");
	if (!w->execute)
		return wb_ok();
	struct action x;
	struct wb_reapi_execution e = {0};
	make_action(&x, a, "cat in in > out/o", text);
	WB_TRY(wb_reapi_upload(w->c, &job, x.blob, x.n, &w->err));
	WB_TRY(wb_reapi_execute(&r, a, w->c, &job, &x.digest, &e, &w->err));
	if (r.nfile != 1 || r.file[0].digest.size != 2 * (int64_t)strlen(text))
		return wb_fail(&w->err, WB_EPROTO, "%zu outputs", r.nfile);
	return wb_ok();
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct wb_arena a;
	wb_arena_init(&a);
	w->status = work_one(w, &a);
	wb_arena_release(&a);
	return NULL;
}

/* A hundred jobs need the same blobs: each travels once. */
static void test_many(void **state)
{
	enum { SHARED = 50 };
	struct wb_reapi *c = client(false);
	struct wb_blob shared[SHARED];
	struct worker *w = calloc(THREADS, sizeof *w);
	char *data[SHARED];
	int64_t total = 0, sent = 0;
	(void)state;
	assert_non_null(w);
	for (size_t i = 0; i < SHARED; i++) {
		size_t n = i == 7 ? 10 << 20 : 1000 * (i + 1);
		data[i] = fresh_bytes(n);
		shared[i] = memory_blob(data[i], n);
		total += (int64_t)n;
	}
	for (unsigned i = 0; i < THREADS; i++) {
		w[i] =
		    (struct worker){.c = c, .shared = shared, .nshared = SHARED, .number = i, .execute = i % 10 == 0};
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_ok(w[i].status, &w[i].err);
		sent += w[i].sent;
	}
	assert_int_equal(sent, total);
	for (size_t i = 0; i < SHARED; i++)
		free(data[i]);
	free(w);
	wb_reapi_free(c);
}

static int setup(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	(void)state;
	wb_arena_init(&arena);
	run_id = (uint64_t)wb_clock_wall_ns();
	return mkdtemp(dir) != NULL && wb_is_ok(wb_rpc_new(&rpc, &err)) ? 0 : -1;
}

static int teardown(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	(void)state;
	wb_rpc_free(rpc);
	wb_arena_release(&arena);
	return wb_is_ok(wb_dir_remove(dir, &err)) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_capabilities),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_round_trip_compressed),
	    cmocka_unit_test(test_stale),
	    cmocka_unit_test(test_fetch_all_or_nothing),
	    cmocka_unit_test(test_execute),
	    cmocka_unit_test(test_execute_fails),
	    cmocka_unit_test(test_update),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_many),
	};
	endpoint_text = getenv("WB_TEST_CASD");
	if (endpoint_text == NULL) {
		fprintf(stderr, "WB_TEST_CASD names no server: skipped\n");
		return SKIP;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
