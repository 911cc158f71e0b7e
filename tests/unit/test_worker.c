/* What is believed about a cluster's worker. The "worker" here is this machine: the question is run by /bin/sh, as a
 * server would, from what was uploaded; so the oracle is the script itself with the real tools. */
#include "base/fileio.h"
#include "reapi/messages.h"
#include "scanner/facts.h"
#include "service/plan.h"
#include "service/service.h"
#include "service/worker.h"
#include "tests/unit/tempdir.h"

enum { BLOBS_MAX = 32 };

struct fixture {
	struct tempdir dir;
	struct wb_config config;
	struct wb_service service;
	struct wb_workers *workers;
	struct wb_request req;
	const char *env[8], *argv[4];
	struct wb_plan plan;
	struct wb_system_file system[2];
	struct wb_check check[2];
};

/* A server of one worker. */
static struct {
	struct wb_backend base;
	struct tempdir *dir;
	struct wb_blob blob[BLOBS_MAX];
	size_t nblob;
	enum wb_code fails; /* execute: with this */
	unsigned executed;
	int64_t timeout_ns;
	const char *work; /* where the last action ran */
} peer;

static wb_status upload(struct wb_backend *b, struct wb_backend_call *call, const struct wb_blob *blob, size_t n,
			struct wb_err *err)
{
	(void)b, (void)call, (void)err;
	assert_true(n <= BLOBS_MAX);
	memcpy(peer.blob, blob, n * sizeof *blob);
	peer.nblob = n;
	return wb_ok();
}

static const struct wb_blob *blob_of(const struct wb_digest *d)
{
	for (size_t i = 0; i < peer.nblob; i++)
		if (wb_digest_eq(&peer.blob[i].digest, d))
			return &peer.blob[i];
	return NULL;
}

/* The directory with the files of the question in it, laid out below peer.work. */
static void lay_out(struct wb_arena *a)
{
	struct wb_err err = WB_ERR_INIT;
	wb_re_directory *m;
	size_t i = 0;

	while (i < peer.nblob &&
	       !(wb_is_ok(wb_directory_decode(&m, a, peer.blob[i].data, (size_t)peer.blob[i].digest.size, NULL)) &&
		 m->n_files > 2))
		i++;
	assert_true(i < peer.nblob);
	for (size_t k = 0; k < m->n_files; k++) {
		struct wb_digest d;

		assert_ok(wb_re_digest_get(&d, m->files[k]->digest, "file", &err), &err);
		const struct wb_blob *blob = blob_of(&d);
		assert_non_null(blob);
		assert_ok(wb_file_write(wb_arena_printf(a, "%s/%s", peer.work, m->files[k]->name),
					blob->data ? blob->data : "", (size_t)d.size, 0644, &err),
			  &err);
	}
}

static wb_status execute(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
			 struct wb_backend_call *call, struct wb_err *err)
{
	(void)b;
	peer.executed++;
	peer.timeout_ns = call->timeout_ns;
	assert_true(call->skip_cache);
	if (peer.fails != WB_OK)
		return wb_fail(err, peer.fails, "no");
	peer.work = tempdir_dir(peer.dir, wb_arena_printf(a, "work-%u", peer.executed));
	lay_out(a);
	assert_int_equal(system(wb_arena_printf(a, "cd %s && LC_ALL=C exec /bin/sh probe.sh", peer.work)), 0);
	*out = (struct wb_action_result){.nfile = 1, .out_text = "", .err_text = "", .worker = ""};
	out->file = wb_arena_alloc(a, sizeof *out->file);
	out->file[0].path = "answer";
	return wb_digest_file(&out->file[0].digest, wb_arena_printf(a, "%s/answer", peer.work), err);
}

static wb_status fetch(struct wb_backend *b, struct wb_arena *a, struct wb_backend_call *call, struct wb_fetch *f,
		       size_t n, struct wb_err *err)
{
	char *data;
	size_t size;

	(void)b, (void)call;
	assert_int_equal(n, 1);
	WB_TRY(wb_file_read(&data, &size, a, wb_arena_printf(a, "%s/answer", peer.work), 1 << 24, err));
	f->data = data;
	return wb_ok();
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct wb_err err = WB_ERR_INIT;

	tempdir_init(&f->dir);
	struct wb_arena *a = &f->dir.a;
	f->env[0] = wb_arena_printf(a, "HOME=%s", f->dir.path);
	f->env[1] = wb_arena_printf(a, "WAYBILL_CACHE_DIR=%s/cache", f->dir.path);
	f->env[2] = "PATH=/usr/bin:/bin";
	f->env[3] = wb_arena_printf(a, "XDG_CONFIG_HOME=%s/config", f->dir.path);
	f->env[4] = wb_arena_printf(a, "WAYBILL_ROOT=%s", tempdir_dir(&f->dir, "p"));
	tempdir_file(&f->dir, "p/a.c", "int a;\n");
	tempdir_file(&f->dir, "outside/x.h", "\n");
	assert_ok(wb_config_load(&f->config, a, f->env, &err), &err);
	assert_ok(wb_service_init(&f->service, &f->config, &err), &err);
	f->workers = wb_workers_new(f->service.facts);
	f->argv[0] = "/usr/bin/gcc";
	f->argv[1] = "-c";
	f->argv[2] = "a.c";
	f->req = (struct wb_request){
	    .argv = f->argv, .cwd = tempdir_path(&f->dir, "p"), .env = f->env, .config = &f->config};
	assert_ok(wb_plan_make(&f->plan, a, &f->service, &f->req, WB_STAGE_TOOLCHAIN, &err), &err);
	assert_non_null(f->plan.tc);
	memset(&peer, 0, sizeof peer);
	peer.base =
	    (struct wb_backend){.name = "peer", .worker = true, .upload = upload, .execute = execute, .fetch = fetch};
	peer.dir = &f->dir;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wb_workers_free(f->workers);
	wb_service_release(&f->service);
	tempdir_release(&f->dir);
	free(f);
	return 0;
}

static enum wb_code ask(struct fixture *f, enum wb_reason *reason, struct wb_err *err)
{
	struct wb_backend_call call = {.worker = "", .timeout_ns = 7, .again = true};
	struct wb_worker_report report;
	wb_status s = wb_workers_check(f->workers, &f->dir.a, &peer.base, &call, &f->plan, &report, reason, err);

	/* The job's own dealings are as they were. */
	assert_int_equal(call.timeout_ns, 7);
	assert_true(call.again && !call.skip_cache);
	return s.code;
}

/* Asked once, within its own time limit, however many ask; again when more must be known. */
static void test_same(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;

	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(f, &reason, &err), WB_OK);
	assert_int_equal(peer.executed, 1);
	assert_true(peer.timeout_ns > 0 && peer.timeout_ns <= 60000000000);
	f->system[0].path = tempdir_file(&f->dir, "sys/ \t'$(odd) -n \"name", "x");
	assert_ok(wb_digest_file(&f->system[0].digest, f->system[0].path, &err), &err);
	f->plan.inputs.system = f->system;
	f->plan.inputs.nsystem = 1;
	f->check[0].path = tempdir_path(&f->dir, "sys/not there");
	f->plan.inputs.check = f->check;
	f->plan.inputs.ncheck = 1;
	assert_int_equal(ask(f, &reason, &err), WB_OK);
	assert_int_equal(ask(f, &reason, &err), WB_OK);
	assert_int_equal(peer.executed, 2);
	wb_workers_doubt(f->workers, &f->plan);
	assert_int_equal(ask(f, &reason, &err), WB_OK);
	assert_int_equal(ask(f, &reason, &err), WB_OK);
	assert_int_equal(peer.executed, 3);
}

/* A file of other content; one that must be missing, in no system directory; one whose name cannot be asked for. */
static void test_differs(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;

	f->system[0].path = tempdir_file(&f->dir, "sys/x.h", "x");
	wb_digest_of(&f->system[0].digest, "y", 1);
	f->plan.inputs.system = f->system;
	f->plan.inputs.nsystem = 1;
	assert_int_equal(ask(f, &reason, &err), WB_EUNSCANNABLE);
	assert_int_equal(reason, WB_REASON_WORKER_MISMATCH);
	assert_says(&err, "sys/x.h");
	f->plan.inputs.nsystem = 0;
	f->check[0].path = tempdir_path(&f->dir, "outside/x.h");
	f->plan.inputs.check = f->check;
	f->plan.inputs.ncheck = 1;
	assert_int_equal(ask(f, &reason, &err), WB_EUNSCANNABLE);
	assert_int_equal(reason, WB_REASON_WORKER_MISMATCH);
	assert_says(&err, "outside/x.h (is there, and not here)");
	/* Below the root the input root decides. */
	f->check[0].path = tempdir_path(&f->dir, "p/a.c");
	assert_int_equal(ask(f, &reason, &err), WB_OK);
	f->plan.inputs.ncheck = 0;
	f->plan.inputs.nsystem = 1;
	f->system[0].path = tempdir_file(&f->dir, "sys/two\nlines", "x");
	assert_ok(wb_digest_file(&f->system[0].digest, f->system[0].path, &err), &err);
	assert_int_equal(ask(f, &reason, &err), WB_EUNSCANNABLE);
	assert_int_equal(reason, WB_REASON_WORKER_MISMATCH);
}

/* What was asked for with another content is not known to be the same. */
static void test_changed_here(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;

	f->system[0].path = f->system[1].path = tempdir_file(&f->dir, "sys/x.h", "x");
	wb_digest_of(&f->system[0].digest, "before", 6);
	wb_digest_of(&f->system[1].digest, "x", 1);
	f->plan.inputs.system = f->system;
	f->plan.inputs.nsystem = 2;
	assert_int_equal(ask(f, &reason, &err), WB_ESTALE);
	assert_says(&err, "sys/x.h");
}

/* Who comes after one that got no answer is told at once, so that two hundred do not ask one after the other. */
static void test_no_answer(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;

	assert_int_equal(ask(f, &reason, &err), WB_OK);
	peer.fails = WB_EUNAVAILABLE;
	f->check[0].path = tempdir_path(&f->dir, "sys/not there");
	f->plan.inputs.check = f->check;
	f->plan.inputs.ncheck = 1;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(f, &reason, &err), WB_EUNSCANNABLE);
		assert_int_equal(reason, WB_REASON_REMOTE_DOWN);
		assert_says(&err, "no");
	}
	assert_int_equal(peer.executed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_same, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_differs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_changed_here, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_answer, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
