/* The whole pipe in one process: service, jobs, real compiler, real sandbox. The oracle is the compiler run plainly.
 * Runs under ThreadSanitizer, too: it is the test of the service's locks. */
#include "base/arena.h"
#include "base/config.h"
#include "base/fileio.h"
#include "base/process.h"
#include "base/str.h"
#include "service/job.h"
#include "service/service.h"
#include "service/stats.h"
#include "service/worker.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fixture {
	struct wb_arena a;
	char dir[64];
	struct wb_config config;
	struct wb_service service;
	const char *env[8];
	const char *compiler; /* NULL: clang */
};

static const char *path_of(struct fixture *f, const char *name)
{
	return wb_arena_printf(&f->a, "%s/p/%s", f->dir, name);
}

static void write_text(struct fixture *f, const char *name, const char *text)
{
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_file_write(path_of(f, name), text, strlen(text), 0644, &err), &err);
}

/* File clocks tick coarsely: what was written this instant is not trusted by any cache. */
static void settle(void)
{
	struct timespec ts = {.tv_nsec = 40000000};

	nanosleep(&ts, NULL);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct wb_err err = WB_ERR_INIT;

	wb_arena_init(&f->a);
	strcpy(f->dir, "/tmp/waybill-test-job-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->env[0] = wb_arena_printf(&f->a, "HOME=%s", f->dir);
	f->env[1] = wb_arena_printf(&f->a, "WAYBILL_CACHE_DIR=%s/cache", f->dir);
	f->env[2] = "PATH=/usr/bin:/bin";
	f->env[3] = wb_arena_printf(&f->a, "XDG_CONFIG_HOME=%s/config", f->dir);
	assert_ok(wb_dir_make(path_of(f, "src"), 0755, &err), &err);
	assert_ok(wb_dir_make(path_of(f, "build"), 0755, &err), &err);
	write_text(f, "src/n.h", "#define N 7\n");
	write_text(f, "src/a.c", "#include <stddef.h>\n#include \"n.h\"\nint a(void) { return N; }\n");
	assert_ok(wb_config_load(&f->config, &f->a, f->env, &err), &err);
	assert_ok(wb_service_init(&f->service, &f->config, &err), &err);
	settle();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wb_service_release(&f->service);
	wb_ignore(wb_dir_remove(f->dir, NULL));
	wb_arena_release(&f->a);
	free(f);
	return 0;
}

/* clang -c SOURCE -o OUTPUT (relative to the build directory) as a job. */
static void run_job(struct wb_job *j, struct fixture *f, const char *source, const char *output, const char *extra)
{
	const char **argv = wb_arena_array(&j->arena, 10, sizeof *argv);
	size_t n = 0;

	argv[n++] = f->compiler ? f->compiler : "/usr/bin/clang-22";
	if (extra)
		argv[n++] = extra;
	argv[n++] = "-g";
	argv[n++] = "-c";
	argv[n++] = wb_arena_printf(&j->arena, "%s/p/%s", f->dir, source);
	argv[n++] = "-o";
	argv[n++] = output;
	j->req.argv = argv;
	j->req.cwd = wb_arena_printf(&j->arena, "%s/p/build", f->dir);
	j->req.env = f->env;
	j->req.config = &f->config;
	j->req.umask = 022;
	wb_job_run(j);
}

static enum wb_job_answer compile(struct fixture *f, const char *source, const char *output, const char *extra)
{
	struct wb_job j;

	wb_job_init(&j, &f->service);
	run_job(&j, f, source, output, extra);
	enum wb_job_answer answer = j.answer;
	if (answer == WB_JOB_RUN_LOCAL)
		fprintf(stderr, "local: %s: %s\n", wb_reason_name(j.reason), j.plan.reason_text);
	wb_job_release(&j);
	return answer;
}

static char *bytes_of(struct fixture *f, const char *name, size_t *n)
{
	struct wb_err err = WB_ERR_INIT;
	char *data;

	assert_ok(wb_file_read(&data, n, &f->a, path_of(f, name), 1 << 24, &err), &err);
	return data;
}

static void assert_same_file(struct fixture *f, const char *x, const char *y)
{
	size_t nx, ny;
	char *bx = bytes_of(f, x, &nx), *by = bytes_of(f, y, &ny);

	assert_int_equal(nx, ny);
	assert_memory_equal(bx, by, nx);
}

#define COUNT(f, c) wb_stats_get((f)->service.stats, WB_COUNT_##c)

static void test_execute_hit_memo(void **state)
{
	struct fixture *f = *state;
	struct stat first, again;

	assert_int_equal(compile(f, "src/a.c", "a.o", NULL), WB_JOB_DONE);
	assert_int_equal(COUNT(f, EXECUTED), 1);
	assert_int_equal(stat(path_of(f, "build/a.o"), &first), 0);
	/* the same request: from the memo, with a fresh file */
	settle();
	assert_int_equal(compile(f, "src/a.c", "a.o", NULL), WB_JOB_DONE);
	assert_int_equal(COUNT(f, EXECUTED), 1);
	assert_int_equal(COUNT(f, CACHE_HITS), 1);
	assert_int_equal(COUNT(f, MEMO_HITS), 1);
	assert_int_equal(stat(path_of(f, "build/a.o"), &again), 0);
	assert_true(again.st_mtim.tv_sec > first.st_mtim.tv_sec ||
		    (again.st_mtim.tv_sec == first.st_mtim.tv_sec && again.st_mtim.tv_nsec > first.st_mtim.tv_nsec));
	assert_int_equal(again.st_mode & 0777, 0644);
}

/* An edit of a header changes the object; undoing it is a hit again; same-size edits within one second, too. */
static void test_edit(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(compile(f, "src/a.c", "a7.o", NULL), WB_JOB_DONE);
	write_text(f, "src/n.h", "#define N 8\n");
	assert_int_equal(compile(f, "src/a.c", "a8.o", NULL), WB_JOB_DONE);
	assert_int_equal(COUNT(f, EXECUTED), 2);
	write_text(f, "src/n.h", "#define N 7\n");
	assert_int_equal(compile(f, "src/a.c", "a7.o", NULL), WB_JOB_DONE);
	for (int i = 0; i < 20; i++) {
		char text[32];
		size_t n;

		/* no settling: the clock may not have ticked between two of these */
		snprintf(text, sizeof text, "#define N %d\n", 100 + i);
		write_text(f, "src/n.h", text);
		assert_int_equal(compile(f, "src/a.c", "loop.S", "-S"), WB_JOB_DONE);
		const char *code = bytes_of(f, "build/loop.S", &n);
		snprintf(text, sizeof text, "$%d,", 100 + i);
		assert_non_null(strstr(code, text));
	}
}

/* A header that appears earlier in the search path is noticed by a request that was remembered. */
static void test_shadowing_header(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	size_t n;

	assert_ok(wb_dir_make(path_of(f, "first"), 0755, &err), &err);
	write_text(f, "src/b.c", "#include <value.h>\nint b(void) { return VALUE; }\n");
	write_text(f, "src/value.h", "#define VALUE 1111\n");
	settle();
	const char *first = wb_arena_printf(&f->a, "-I%s/p/first", f->dir);
	f->env[4] = wb_arena_printf(&f->a, "CPATH=%s/p/src", f->dir);
	assert_int_equal(compile(f, "src/b.c", "b.S", first), WB_JOB_DONE);
	settle();
	assert_int_equal(compile(f, "src/b.c", "b.S", first), WB_JOB_DONE);
	write_text(f, "first/value.h", "#define VALUE 2222\n");
	assert_int_equal(compile(f, "src/b.c", "b.o", first), WB_JOB_DONE);
	assert_int_equal(compile(f, "src/b.c", "b.S", first), WB_JOB_DONE);
	bytes_of(f, "build/b.S", &n);
	assert_int_equal(COUNT(f, EXECUTED), 3);
	f->env[4] = NULL;
}

/* The system compiler, the same flags, a plain directory: the same bytes. */
static void test_same_as_rewritten(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_job j;
	int status;

	wb_job_init(&j, &f->service);
	run_job(&j, f, "src/a.c", "x.o", NULL);
	assert_int_equal(j.answer, WB_JOB_DONE);
	assert_int_equal(rename(path_of(f, "build/x.o"), path_of(f, "build/waybill.o")), 0);
	struct wb_process p = {.argv = j.plan.rewrite.argv, .env = f->env, .cwd = j.req.cwd};
	assert_ok(wb_process_run(&status, &p, &err), &err);
	assert_int_equal(status, 0);
	wb_job_release(&j);
	assert_same_file(f, "build/x.o", "build/waybill.o");
}

/* Two headers with the same bytes are two files: each includes its own neighbour, and has its own `#pragma once`. In a
 * root of hard links to a content-addressed store they would be one inode, and so one file to a compiler. */
static void test_equal_headers(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	size_t n;

	assert_ok(wb_dir_make(path_of(f, "src/p"), 0755, &err), &err);
	assert_ok(wb_dir_make(path_of(f, "src/q"), 0755, &err), &err);
	write_text(f, "src/p/h.h", "#include \"own.h\"\n");
	write_text(f, "src/q/h.h", "#include \"own.h\"\n");
	write_text(f, "src/p/own.h", "#define P 1000\n");
	write_text(f, "src/q/own.h", "#define Q 234\n");
	write_text(f, "src/twice.c", "#include \"p/h.h\"\n#include \"q/h.h\"\nint twice(void) { return P + Q; }\n");
	settle();
	for (int i = 0; i < 2; i++) { /* the second action is laid out over the root of the first */
		char output[16];

		snprintf(output, sizeof output, "twice%d.S", i);
		assert_int_equal(compile(f, "src/twice.c", output, "-S"), WB_JOB_DONE);
		assert_non_null(strstr(bytes_of(f, i ? "build/twice1.S" : "build/twice0.S", &n), "$1234,"));
	}
	assert_int_equal(COUNT(f, EXECUTED), 2);
}

static void test_error_runs_locally(void **state)
{
	struct fixture *f = *state;
	struct wb_job j;

	write_text(f, "src/bad.c", "int x = ;\n");
	wb_job_init(&j, &f->service);
	run_job(&j, f, "src/bad.c", "bad.o", NULL);
	assert_int_equal(j.answer, WB_JOB_RUN_LOCAL);
	assert_true(j.holds_slot);
	wb_job_local_done(&j, 1 << 8, "", 0);
	assert_false(j.holds_slot);
	wb_job_release(&j);
	assert_int_equal(COUNT(f, COMPILE_ERRORS), 1);
	assert_int_equal(wb_stats_get_reason(f->service.stats, WB_REASON_COMPILE_FAILED), 1);
	assert_int_not_equal(access(path_of(f, "build/bad.o"), F_OK), 0);
	/* nothing was cached: it fails again */
	assert_int_equal(compile(f, "src/bad.c", "bad.o", NULL), WB_JOB_RUN_LOCAL);
}

#define THREADS 8

struct worker {
	struct fixture *f;
	int id;
	int bad;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 4; i++) {
			char source[32], output[32];

			snprintf(source, sizeof source, "src/t%d.c", i);
			snprintf(output, sizeof output, "t%d-%d.o", i, w->id);
			w->bad += compile(w->f, source, output, NULL) != WB_JOB_DONE;
		}
	return NULL;
}

/* Many clients, the same few actions: every output right, each action executed once. */
static void test_concurrent(void **state)
{
	struct fixture *f = *state;
	struct worker w[THREADS];
	pthread_t t[THREADS];

	for (int i = 0; i < 4; i++) {
		char name[32], text[128];

		snprintf(name, sizeof name, "src/t%d.c", i);
		snprintf(text, sizeof text, "#include <stdlib.h>\n#include \"n.h\"\nint t%d(void) { return N + %d; }\n",
			 i, i);
		write_text(f, name, text);
	}
	settle();
	/* Objects are named by thread, and the name is part of the action: 4 sources, 8 names each. */
	for (int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){f, i, 0};
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(w[i].bad, 0);
	}
	assert_int_equal(COUNT(f, EXECUTED), 4 * THREADS);
	assert_int_equal(COUNT(f, CACHE_HITS), 2 * 4 * THREADS);
	for (int i = 0; i < 4; i++)
		for (int k = 1; k < THREADS; k++) {
			char x[32], y[32];

			snprintf(x, sizeof x, "build/t%d-0.o", i);
			snprintf(y, sizeof y, "build/t%d-%d.o", i, k);
			assert_same_file(f, x, y);
		}
}

static void *work_same(void *arg)
{
	struct worker *w = arg;

	w->bad = compile(w->f, "src/a.c", "same.o", NULL) != WB_JOB_DONE;
	return NULL;
}

static void test_identical_at_once(void **state)
{
	struct fixture *f = *state;
	struct worker w[THREADS];
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){f, i, 0};
		assert_int_equal(pthread_create(&t[i], NULL, work_same, &w[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(w[i].bad, 0);
	}
	assert_int_equal(COUNT(f, EXECUTED), 1);
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	atomic_bool cancel = true;
	struct wb_job j;

	wb_job_init(&j, &f->service);
	j.req.cancel = &cancel;
	run_job(&j, f, "src/a.c", "cancelled.o", NULL);
	assert_int_equal(j.answer, WB_JOB_CANCELED);
	wb_job_release(&j);
	assert_int_equal(COUNT(f, CANCELED), 1);
	assert_int_equal(COUNT(f, EXECUTED), 0);
	assert_int_not_equal(access(path_of(f, "build/cancelled.o"), F_OK), 0);
}

/* A cluster whose worker is this machine's sandbox. */
struct cluster {
	struct wb_backend base;
	struct wb_backend *local;
	const char *link, *target; /* execute: turns `link` to `target`, as an upgrade in the middle of a build does */
};

static struct wb_backend *local_of(struct wb_backend *b)
{
	return ((struct cluster *)b)->local;
}

static wb_status cluster_lookup(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
				struct wb_backend_call *call, struct wb_err *err)
{
	return local_of(b)->lookup(local_of(b), out, a, call, err);
}

static wb_status cluster_upload(struct wb_backend *b, struct wb_backend_call *call, const struct wb_blob *blob,
				size_t n, struct wb_err *err)
{
	return local_of(b)->upload(local_of(b), call, blob, n, err);
}

static wb_status cluster_execute(struct wb_backend *b, struct wb_action_result *out, struct wb_arena *a,
				 struct wb_backend_call *call, struct wb_err *err)
{
	const struct cluster *c = (struct cluster *)b;

	WB_TRY(c->local->execute(c->local, out, a, call, err));
	call->remote = true;
	if (c->link && !call->skip_cache) { /* not by the question who the worker is */
		unlink(c->link);
		assert_int_equal(symlink(c->target, c->link), 0);
	}
	return wb_ok();
}

static wb_status cluster_fetch(struct wb_backend *b, struct wb_arena *a, struct wb_backend_call *call,
			       struct wb_fetch *fetch, size_t n, struct wb_err *err)
{
	return local_of(b)->fetch(local_of(b), a, call, fetch, n, err);
}

static void cluster_free(struct wb_backend *b)
{
	free(b);
}

static struct cluster *with_cluster(struct fixture *f)
{
	struct cluster *c = calloc(1, sizeof *c);

	c->local = f->service.backend_local;
	c->base = (struct wb_backend){"remote",        true,          cluster_lookup, cluster_upload,
				      cluster_execute, cluster_fetch, cluster_free};
	f->service.backend_remote = &c->base;
	f->service.workers = wb_workers_new(f->service.facts);
	return c;
}

/* The worker is asked, found to be the same, and used: nothing of that looks like a fallback. */
static void test_cluster(void **state)
{
	struct fixture *f = *state;
	struct wb_job j;

	with_cluster(f);
	wb_job_init(&j, &f->service);
	run_job(&j, f, "src/a.c", "a.o", NULL);
	assert_int_equal(j.answer, WB_JOB_DONE);
	assert_int_equal(j.fallback, WB_REASON_NONE);
	wb_job_release(&j);
	assert_int_equal(COUNT(f, PROBES), 1);
	assert_int_equal(COUNT(f, REMOTE_EXECUTED), 1);
	assert_int_equal(COUNT(f, FALLBACKS), 0);
}

/* The compiler's name is turned to another compiler while a compile runs: the next one is not given the object of the
 * first. */
static void test_compiler_turned(void **state)
{
	struct fixture *f = *state;
	struct cluster *c = with_cluster(f);
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_dir_make(wb_arena_printf(&f->a, "%s/bin", f->dir), 0755, &err), &err);
	f->config.value[WB_SET_SYSTEM_DIRS] =
	    wb_arena_printf(&f->a, "%s:%s/bin", f->config.value[WB_SET_SYSTEM_DIRS], f->dir);
	f->compiler = wb_arena_printf(&f->a, "%s/bin/cc", f->dir);
	assert_int_equal(symlink("/usr/bin/clang-22", f->compiler), 0);
	c->link = f->compiler;
	c->target = "/usr/bin/gcc";
	assert_int_equal(compile(f, "src/a.c", "a.o", NULL), WB_JOB_DONE);
	settle();
	compile(f, "src/a.c", "a.o", NULL);
	assert_int_equal(COUNT(f, MEMO_HITS), 0);
	assert_int_equal(COUNT(f, CACHE_HITS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_execute_hit_memo, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_edit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_shadowing_header, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_same_as_rewritten, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_equal_headers, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_error_runs_locally, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_concurrent, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_identical_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cluster, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_compiler_turned, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
