/* The build log: lines from many threads, rotation, torn and damaged lines, the last build; the id of a build from a
 * made-up /proc; counters kept through other versions' names. Python's json is the oracle for what is JSON. */
#define _GNU_SOURCE
#include "service/build_id.h"
#include "service/build_log.h"
#include "service/build_summary.h"
#include "service/build_trace.h"
#include "service/stats.h"
#include "tests/unit/tempdir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/wait.h>

static struct wb_build_log_entry an_entry(const char *build, int64_t start_us, int64_t us)
{
	struct wb_build_log_entry e = {
	    .start_ns = start_us * 1000,
	    .end_ns = (start_us + us) * 1000,
	    .build = build,
	    .source = "/src/a.cpp",
	    .output = "/build/a.o",
	    .backend = "local",
	    .decision = WB_BUILD_EXECUTED,
	};
	return e;
}

static size_t count_lines(const char *path)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;
	if (f == NULL)
		return 0;
	for (int c; (c = getc(f)) != EOF;)
		n += c == '\n';
	fclose(f);
	return n;
}

static void append(const char *path, const char *text)
{
	FILE *f = fopen(path, "ae");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* `script` gets the file's name as sys.argv[1]; its exit code must be 0. */
static void python(struct tempdir *t, const char *text, size_t n, const char *script)
{
	struct wb_err err = WB_ERR_INIT;
	char *file = tempdir_path(t, "text");
	assert_ok(wb_file_write(file, text, n, 0644, &err), &err);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execlp("python3", "python3", "-c", script, file, (char *)NULL);
		_exit(127);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_line(void **state)
{
	struct tempdir t;
	struct wb_buf line = WB_BUF_INIT;
	struct wb_build_log_entry e = an_entry("ninja-1-2", 1700000000000000, 5000), r;
	(void)state;
	tempdir_init(&t);
	e.source = "/src/with \"quotes\",\n\ttabs, \x01 and \xc3\xa4 \\.cpp";
	e.fallback = "remote_down";
	e.reason = "none";
	e.worker = "host-7";
	e.action = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	e.exit_code = 1;
	e.decision = WB_BUILD_FAILED;
	e.memo = e.joined = true;
	e.bytes_up = 1LL << 40;
	e.bytes_down = 7;
	for (int i = 0; i < WB_BUILD_STAGE_COUNT; i++)
		e.ns[i] = (i + 1) * 1000;
	wb_build_log_format(&line, &e);
	assert_int_equal(line.p[line.n - 1], '\n');
	assert_null(memchr(line.p, '\n', line.n - 1));
	assert_true(wb_build_log_parse(&r, &t.a, line.p, line.n - 1));
	assert_int_equal(r.start_ns, e.start_ns);
	assert_int_equal(r.end_ns, e.end_ns);
	assert_string_equal(r.build, e.build);
	assert_string_equal(r.source, e.source);
	assert_string_equal(r.output, e.output);
	assert_string_equal(r.backend, e.backend);
	assert_string_equal(r.fallback, e.fallback);
	assert_string_equal(r.reason, e.reason);
	assert_string_equal(r.worker, e.worker);
	assert_string_equal(r.action, e.action);
	assert_int_equal(r.exit_code, 1);
	assert_int_equal(r.decision, WB_BUILD_FAILED);
	assert_true(r.memo && r.joined);
	assert_int_equal(r.bytes_up, e.bytes_up);
	assert_int_equal(r.bytes_down, e.bytes_down);
	assert_memory_equal(r.ns, e.ns, sizeof e.ns);
	python(&t, line.p, line.n,
	       "import json, sys\n"
	       "e = json.load(open(sys.argv[1], encoding='utf-8'))\n"
	       "assert e['source'] == '/src/with \"quotes\",\\n\\ttabs, \\x01 and \\u00e4 \\\\.cpp', e\n"
	       "assert e['us'] == 5000 and e['start_us'] == 1700000000000000 and e['exit'] == 1, e\n"
	       "assert e['decision'] == 'failed' and e['memo'] is True and e['stage_us']['scan'] == 3, e\n");
	/* Every beginning of it is not a line, and does no harm. */
	for (size_t n = 0; n + 1 < line.n; n++)
		assert_false(wb_build_log_parse(&r, &t.a, line.p, n));
	/* What a later version may add. */
	static const char later[] = "{\"build\":\"b\",\"start_us\":5,\"us\":1,\"decision\":\"hit\",\"new\":{\"deep\":{"
				    "\"x\":-3,\"build\":\"no\"}},\"flag\":false,\"exit\":0}";
	assert_true(wb_build_log_parse(&r, &t.a, later, sizeof later - 1));
	assert_string_equal(r.build, "b");
	assert_string_equal(r.source, "");
	assert_int_equal(r.decision, WB_BUILD_HIT);
	static const char *const bad[] = {
	    "",
	    "{}",
	    "[]",
	    "{\"build\":\"b\",\"start_us\":5,\"decision\":\"unheard_of\"}",
	    "{\"build\":\"b\",\"start_us\":5}{\"build\":\"b\",\"start_us\":5}",
	    "{\"build\":\"b\",\"start_us\":x}",
	    "{\"build\":\"b\\q\",\"start_us\":5}",
	    "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}},\"build\":\"b\",\"start_us\":5}",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (wb_build_log_parse(&r, &t.a, bad[i], strlen(bad[i])))
			fail_msg("taken for a line: %s", bad[i]);
	wb_buf_release(&line);
	tempdir_release(&t);
}

enum { THREADS = 8, EACH = 500 };

struct writer {
	struct wb_build_log *log;
	int number;
};

static void *write_many(void *arg)
{
	struct writer *w = arg;
	for (int i = 0; i < EACH; i++) {
		struct wb_build_log_entry e = an_entry("make-9-9", 1000000 + i, w->number + 1);
		e.exit_code = i % 256;
		wb_build_log_write(w->log, &e);
	}
	return NULL;
}

static void many_threads(void **state)
{
	struct tempdir t;
	struct wb_err err = WB_ERR_INIT;
	struct wb_build_log *log;
	struct wb_build_jobs jobs;
	pthread_t thread[THREADS];
	struct writer w[THREADS];
	int seen[THREADS] = {0};
	(void)state;
	tempdir_init(&t);
	assert_code(wb_build_log_last(&jobs, &t.a, t.path, &err), WB_ENOENT);
	assert_ok(wb_build_log_new(&log, t.path, &err), &err);
	assert_code(wb_build_log_last(&jobs, &t.a, t.path, &err), WB_ENOENT);
	wb_build_log_write(NULL, NULL); /* a service without a log */
	for (int i = 0; i < THREADS; i++) {
		w[i] = (struct writer){log, i};
		assert_int_equal(pthread_create(&thread[i], NULL, write_many, &w[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_ok(wb_build_log_last(&jobs, &t.a, t.path, &err), &err);
	assert_int_equal(jobs.n, THREADS * EACH);
	assert_int_equal(jobs.damaged, 0);
	assert_string_equal(jobs.build, "make-9-9");
	for (size_t i = 0; i < jobs.n; i++)
		seen[(jobs.job[i].end_ns - jobs.job[i].start_ns) / 1000 - 1]++;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(seen[i], EACH);
	wb_build_log_free(log);
	tempdir_release(&t);
}

static void rotation(void **state)
{
	struct tempdir t;
	struct wb_err err = WB_ERR_INIT;
	struct wb_build_log *log;
	struct wb_build_jobs jobs;
	struct stat st;
	struct wb_build_log_entry e = an_entry("ninja-5-5", 1000000, 3);
	char *path, *old;
	(void)state;
	tempdir_init(&t);
	path = tempdir_path(&t, "jobs.jsonl");
	old = tempdir_path(&t, "jobs.1.jsonl");
	assert_ok(wb_build_log_new(&log, t.path, &err), &err);
	wb_build_log_write(log, &e);
	wb_build_log_free(log);
	/* All but full: a hole stands for what others wrote. */
	assert_int_equal(truncate(path, WB_BUILD_LOG_BYTES - 700), 0);
	append(path, "\n");
	assert_ok(wb_build_log_new(&log, t.path, &err), &err);
	for (int i = 0; i < 20; i++)
		wb_build_log_write(log, &e);
	assert_int_equal(stat(old, &st), 0);
	assert_true(st.st_size <= WB_BUILD_LOG_BYTES);
	assert_true(count_lines(path) > 0 && count_lines(path) < 20);
	/* One build in both files is whole. The hole is one damaged line. */
	assert_ok(wb_build_log_last(&jobs, &t.a, t.path, &err), &err);
	assert_int_equal(jobs.n, 21);
	assert_int_equal(jobs.damaged, 1);
	/* Removed under its feet: made anew. */
	assert_int_equal(unlink(path), 0);
	e.build = "ninja-6-6";
	wb_build_log_write(log, &e);
	assert_int_equal(count_lines(path), 1);
	assert_ok(wb_build_log_last(&jobs, &t.a, t.path, &err), &err);
	assert_int_equal(jobs.n, 1);
	assert_string_equal(jobs.build, "ninja-6-6");
	wb_build_log_free(log);
	tempdir_release(&t);
}

static void torn_lines(void **state)
{
	struct tempdir t;
	struct wb_err err = WB_ERR_INIT;
	struct wb_build_log *log;
	struct wb_build_jobs jobs;
	struct wb_build_log_entry e = an_entry("b", 1000000, 3);
	char *path;
	(void)state;
	tempdir_init(&t);
	path = tempdir_path(&t, "jobs.jsonl");
	assert_ok(wb_build_log_new(&log, t.path, &err), &err);
	wb_build_log_write(log, &e);
	wb_build_log_free(log);
	append(path, "{\"build\":\"b\",\"start_us\":10000");
	assert_ok(wb_build_log_new(&log, t.path, &err), &err);
	wb_build_log_write(log, &e);
	append(path, "no line of ours\n");
	append(path, "{\"build\":\"b\",\"sta\n");
	wb_build_log_write(log, &e);
	append(path, "{\"build\":\"c\",\"start_us\":1"); /* still being written */
	assert_ok(wb_build_log_last(&jobs, &t.a, t.path, &err), &err);
	assert_string_equal(jobs.build, "b");
	assert_int_equal(jobs.n, 3);
	assert_int_equal(jobs.damaged, 3);
	wb_build_log_free(log);
	/* A line without end, longer than any, and only then the last job. */
	struct wb_buf big = WB_BUF_INIT;
	while (big.n < 5 * WB_BUILD_LOG_LINE)
		wb_buf_adds(&big, "x");
	wb_buf_adds(&big, "\n");
	append(path, big.p);
	wb_buf_release(&big);
	assert_ok(wb_build_log_last(&jobs, &t.a, t.path, &err), &err);
	assert_string_equal(jobs.build, "b");
	assert_int_equal(jobs.n, 3);
	tempdir_release(&t);
}

static void last_build(void **state)
{
	struct tempdir t;
	struct wb_err err = WB_ERR_INIT;
	struct wb_build_log *log;
	struct wb_build_jobs jobs;
	/* The build of the job that ended last; others in between do not divide it; a longer id is another one. */
	static const char *const order[] = {"a", "b", "a", "ab", "b", "a\"", "b", "bb", "b"};
	(void)state;
	tempdir_init(&t);
	assert_ok(wb_build_log_new(&log, t.path, &err), &err);
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		struct wb_build_log_entry e = an_entry(order[i], 1000000 + (int64_t)i, 3);
		wb_build_log_write(log, &e);
	}
	assert_ok(wb_build_log_last(&jobs, &t.a, t.path, &err), &err);
	assert_string_equal(jobs.build, "b");
	assert_int_equal(jobs.n, 4);
	assert_int_equal(jobs.job[3].start_ns, 1000008000);
	struct wb_build_log_entry e = an_entry("a\"", 2000000, 3);
	wb_build_log_write(log, &e);
	assert_ok(wb_build_log_last(&jobs, &t.a, t.path, &err), &err);
	assert_string_equal(jobs.build, "a\"");
	assert_int_equal(jobs.n, 2);
	wb_build_log_free(log);
	tempdir_release(&t);
}

static void full_disk(void **state)
{
	struct tempdir t;
	struct wb_err err = WB_ERR_INIT;
	struct wb_build_log *log;
	struct wb_build_log_entry e = an_entry("b", 1000000, 3);
	(void)state;
	tempdir_init(&t);
	tempdir_link(&t, "jobs.jsonl", "/dev/full");
	assert_ok(wb_build_log_new(&log, t.path, &err), &err);
	wb_build_log_write(log, &e);
	wb_build_log_write(log, &e);
	wb_build_log_free(log);
	/* A directory that is none. */
	char *file = tempdir_file(&t, "file", "");
	assert_false(wb_is_ok(wb_build_log_new(&log, file, &err)));
	assert_null(log);
	assert_says(&err, "file");
	tempdir_release(&t);
}

/* Ten jobs of a build: hits, runs here and there, a local one, a failure. */
static struct wb_build_jobs sample(void)
{
	static struct wb_build_log_entry job[10];
	for (int i = 0; i < 10; i++) {
		/* Four at once, and not in the order of their starts. */
		int64_t start = 1700000000000000 + (i ^ 1) / 4 * 100000;
		job[i] = an_entry("ninja-7-8", start, 50000 + i * 1000);
		job[i].reason = job[i].fallback = job[i].worker = job[i].action = "";
		job[i].ns[WB_BUILD_STAGE_SCAN] = (i + 1) * 1000000;
		job[i].ns[WB_BUILD_STAGE_EXECUTE] = 30000000;
	}
	job[0].decision = job[1].decision = job[2].decision = WB_BUILD_HIT;
	job[1].backend = "remote";
	job[2].backend = "cache";
	job[2].memo = true;
	job[3].backend = "remote";
	job[3].worker = "host \"7\"";
	job[3].bytes_up = 1000;
	job[4].fallback = "remote_down";
	job[5].decision = WB_BUILD_LOCAL;
	job[5].backend = "";
	job[5].reason = "pch_foreign";
	job[6].decision = WB_BUILD_FAILED;
	job[6].exit_code = 1;
	job[7].ns[WB_BUILD_STAGE_EXECUTE] = INT64_MAX; /* a damaged line may say so */
	job[8].joined = true;
	job[9].reason = "reason_of_a_later_version";
	job[9].decision = WB_BUILD_LOCAL;
	return (struct wb_build_jobs){.build = "ninja-7-8", .job = job, .n = 10};
}

static void summary(void **state)
{
	struct tempdir t;
	struct wb_buf out = WB_BUF_INIT;
	struct wb_build_jobs jobs = sample();
	(void)state;
	tempdir_init(&t);
	wb_build_summary_print_json(&out, &t.a, &jobs);
	python(&t, out.p, out.n,
	       "import json, sys\n"
	       "s = json.load(open(sys.argv[1]))\n"
	       "want = dict(build='ninja-7-8', jobs=10, hits=3, hits_local=2, hits_remote=1, hits_memo=1, executed=4,\n"
	       "  executed_local=3, executed_remote=1, fallbacks=1, local=2, failed=1, canceled=0, joined=1,\n"
	       "  local_reasons=dict(pch_foreign=1, internal=1), fallback_reasons=dict(remote_down=1), bytes_up=1000,\n"
	       "  bytes_down=0, start_us=1700000000000000, us=259000, damaged_lines=0)\n"
	       "for k, v in want.items(): assert s[k] == v, (k, s[k], v)\n"
	       "assert s['stage_us']['scan'] == dict(jobs=10, sum=55000, p50=5000, p95=10000, max=10000), s\n"
	       "assert s['stage_us']['upload'] == dict(jobs=0, sum=0, p50=0, p95=0, max=0), s\n"
	       "assert [x['us'] for x in s['slowest']] == [50000 + 1000 * i for i in range(9, -1, -1)], s\n");
	wb_buf_reset(&out);
	wb_build_summary_print(&out, &t.a, &jobs);
	assert_non_null(strstr(out.p, "remote_down"));
	assert_non_null(strstr(out.p, "pch_foreign"));
	assert_non_null(strstr(out.p, "/src/a.cpp"));
	wb_buf_release(&out);
	tempdir_release(&t);
}

static void trace(void **state)
{
	struct tempdir t;
	struct wb_buf out = WB_BUF_INIT;
	struct wb_build_jobs jobs = sample();
	(void)state;
	tempdir_init(&t);
	wb_build_trace_print(&out, &t.a, &jobs);
	python(&t, out.p, out.n,
	       "import json, sys\n"
	       "t = json.load(open(sys.argv[1]))\n"
	       "e = t['traceEvents']\n"
	       "x = [i for i in e if i['ph'] == 'X']\n"
	       "jobs = [i for i in x if i['cat'] != 'stage']\n"
	       "stages = [i for i in x if i['cat'] == 'stage']\n"
	       "assert len(jobs) == 10 and len(stages) == 20, (len(jobs), len(stages))\n"
	       "assert min(j['ts'] for j in jobs) == 0\n"
	       "assert {j['tid'] for j in jobs} == {1, 2, 3, 4}, jobs\n"
	       "for a in jobs:\n"
	       "  for b in jobs:\n"
	       "    assert a is b or a['tid'] != b['tid'] or a['ts'] + a['dur'] <= b['ts'] or b['ts'] + b['dur'] <= "
	       "a['ts']\n"
	       "for s in stages:\n"
	       "  assert s['dur'] > 0\n"
	       "  assert any(j['tid'] == s['tid'] and j['ts'] <= s['ts'] and s['ts'] + s['dur'] <= j['ts'] + j['dur']\n"
	       "             for j in jobs), s\n"
	       "assert any(j['args'].get('worker') == 'host \"7\"' and j['args']['bytes_up'] == 1000 for j in jobs)\n"
	       "assert any(j['args'].get('reason') == 'pch_foreign' for j in jobs)\n"
	       "assert t['otherData']['build'] == 'ninja-7-8'\n");
	wb_buf_release(&out);
	tempdir_release(&t);
}

/* ---- which build */

struct proc_row {
	int pid;
	const char *name;
	int parent, session;
	const char *cmdline; /* words separated by '|' */
};

static void make_proc(struct tempdir *t, const struct proc_row *row)
{
	struct wb_err err = WB_ERR_INIT;
	for (; row->pid != 0; row++) {
		tempdir_file(t, wb_arena_printf(&t->a, "%d/stat", row->pid),
			     wb_arena_printf(&t->a,
					     "%d (%s) S %d 7 %d 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 %d 9 9 9\n",
					     row->pid, row->name, row->parent, row->session, row->pid * 10));
		char *words = wb_arena_printf(&t->a, "%s|", row->cmdline ? row->cmdline : row->name);
		size_t n = strlen(words);
		for (size_t i = 0; i < n; i++)
			if (words[i] == '|')
				words[i] = '\0';
		assert_ok(wb_file_write(tempdir_path(t, wb_arena_printf(&t->a, "%d/cmdline", row->pid)), words, n, 0644,
					&err),
			  &err);
	}
}

static const struct proc_row processes[] = {
    {2, "tmux: server) S", 1, 2, NULL},
    {10, "bash", 2, 10, "-bash"},
    /* ninja, directly and through sh -c */
    {20, "ninja", 10, 10, "ninja|-j4"},
    {21, "waybill", 20, 10, NULL},
    {22, "sh", 20, 10, "/bin/sh|-c|waybill g++ -c a.c && true"},
    {23, "waybill", 22, 10, NULL},
    /* make below make below cmake --build */
    {30, "cmake", 10, 10, NULL},
    {31, "gmake", 30, 10, NULL},
    {32, "sh", 31, 10, "sh|-ec|make -C x"},
    {33, "make", 32, 10, NULL},
    {34, "waybill", 33, 10, NULL},
    /* a script that a make runs (libtool), and a script that runs ninja (not the make's) */
    {40, "make", 10, 10, NULL},
    {41, "bash", 40, 10, "/bin/bash|./libtool|--mode=compile|waybill"},
    {42, "waybill", 41, 10, NULL},
    {43, "ninja", 41, 10, NULL},
    {44, "waybill", 43, 10, NULL},
    /* typed into a shell, also below something else; a script; another program */
    {50, "waybill", 10, 10, NULL},
    {51, "ccache", 10, 10, NULL},
    {52, "waybill", 51, 10, NULL},
    {53, "python3", 2, 2, NULL},
    {54, "waybill", 53, 2, NULL},
    {55, "sh", 53, 2, "sh|-c|waybill gcc"},
    {56, "waybill", 55, 2, NULL},
    /* a circle and a parent that is gone */
    {60, "strange", 61, 2, NULL},
    {61, "strange", 60, 2, NULL},
    {62, "waybill", 63, 2, NULL},
    {0, NULL, 0, 0, NULL},
};

static void build_of(void **state)
{
	static const struct {
		int pid;
		const char *want; /* the whole id; with a trailing '-': its beginning */
	} row[] = {
	    {21, "ninja-20-200"}, {23, "ninja-20-200"},   {34, "cmake-30-300"}, {42, "make-40-400"},
	    {44, "ninja-43-430"}, {50, "bash-10-100-"},   {52, "bash-10-100-"}, {54, "python3-53-530"},
	    {60, "strange-"},     {56, "python3-53-530"}, {62, "unknown-"},     {0, "unknown-"},
	    {99999, "unknown-"},
	};
	struct tempdir t;
	(void)state;
	tempdir_init(&t);
	make_proc(&t, processes);
	struct wb_build_ids *b = wb_build_ids_new(t.path);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		char id[WB_BUILD_ID_MAX];
		size_t n = strlen(row[i].want);
		wb_build_ids_begin(id, b, row[i].pid, 1000);
		if (row[i].want[n - 1] == '-' ? strncmp(id, row[i].want, n) != 0 : strcmp(id, row[i].want) != 0)
			fail_msg("%d: %s, expected %s", row[i].pid, id, row[i].want);
		wb_build_ids_end(b, id, 2000);
	}
	wb_build_ids_free(b);
	/* This very process: its parent can be seen, whoever that is. */
	char id[WB_BUILD_ID_MAX];
	b = wb_build_ids_new("/proc");
	wb_build_ids_begin(id, b, getpid(), 0);
	if (getppid() > 1)
		assert_int_not_equal(strncmp(id, "unknown", 7), 0);
	wb_build_ids_free(b);
	tempdir_release(&t);
}

static void pauses(void **state)
{
	struct tempdir t;
	char one[WB_BUILD_ID_MAX], two[WB_BUILD_ID_MAX], other[WB_BUILD_ID_MAX], later[WB_BUILD_ID_MAX];
	int64_t second = 1000000000;
	(void)state;
	tempdir_init(&t);
	make_proc(&t, processes);
	struct wb_build_ids *b = wb_build_ids_new(t.path);
	wb_build_ids_begin(one, b, 50, 0);
	wb_build_ids_begin(two, b, 50, 60 * second); /* the first still runs */
	assert_string_equal(one, two);
	wb_build_ids_end(b, two, 61 * second);
	wb_build_ids_end(b, one, 90 * second);
	wb_build_ids_begin(two, b, 50, 99 * second);
	assert_string_equal(one, two);
	wb_build_ids_begin(other, b, 0, 99 * second);
	assert_string_not_equal(one, other);
	wb_build_ids_end(b, two, 99 * second);
	wb_build_ids_begin(later, b, 50, 110 * second);
	assert_string_not_equal(one, later);
	/* A tool's build has no pauses. */
	wb_build_ids_begin(one, b, 21, 110 * second);
	wb_build_ids_end(b, one, 110 * second);
	wb_build_ids_begin(two, b, 21, 990 * second);
	assert_string_equal(one, two);
	wb_build_ids_free(b);
	tempdir_release(&t);
}

/* ---- counters */

enum { STATS_HEAD = 56, STATS_SLOT = 56, STATS_NAME = 48, STATS_SLOTS = 256 };

static void put_counter(char *file, int slot, const char *name, int64_t value)
{
	char *at = file + STATS_HEAD + slot * STATS_SLOT;
	snprintf(at, STATS_NAME, "%s", name);
	memcpy(at + STATS_NAME, &value, sizeof value);
}

static void old_counters(void **state)
{
	static char file[STATS_HEAD + STATS_SLOTS * STATS_SLOT];
	struct tempdir t;
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf out = WB_BUF_INIT;
	struct wb_stats *s;
	(void)state;
	tempdir_init(&t);
	/* A file of a version that knew only these. */
	char *path = tempdir_path(&t, "stats");
	memcpy(file, "WBSTATS1", 8);
	put_counter(file, 0, "gone", 99);
	put_counter(file, 1, "jobs", 5);
	put_counter(file, 2, "reason.pch_foreign", 3);
	assert_ok(wb_file_write(path, file, sizeof file, 0600, &err), &err);
	for (int i = 0; i < 2; i++) {
		assert_ok(wb_stats_new(&s, path, &err), &err);
		assert_int_equal(wb_stats_get(s, WB_COUNT_JOBS), 5);
		assert_int_equal(wb_stats_get_reason(s, WB_REASON_PCH_FOREIGN), 3);
		assert_int_equal(wb_stats_get(s, WB_COUNT_REMOTE_BYTES_DOWN), i * 4096);
		assert_int_equal(wb_stats_get_fallback(s, WB_REASON_REMOTE_DOWN), i);
		assert_int_equal(wb_stats_get_fallback(s, WB_REASON_PCH_FOREIGN), 0);
		if (i == 0) {
			wb_stats_add(s, WB_COUNT_REMOTE_BYTES_DOWN, 4096);
			wb_stats_add_fallback(s, WB_REASON_REMOTE_DOWN);
		} else {
			wb_stats_print_json(&out, s, NULL, 1, 2);
			python(&t, out.p, out.n,
			       "import json, sys\n"
			       "s = json.load(open(sys.argv[1]))\n"
			       "assert s['jobs'] == 5 and s['local_reasons'] == {'pch_foreign': 3}, s\n"
			       "assert s['fallback_reasons'] == {'remote_down': 1} and s['remote_bytes_down'] == 4096, "
			       "s\n");
			wb_buf_reset(&out);
			wb_stats_print(&out, s, NULL, 1, 2);
			assert_non_null(strstr(out.p, "  remote_bytes_down 4.1 kB"));
			assert_non_null(strstr(out.p, "  remote_down "));
			wb_buf_release(&out);
		}
		wb_stats_free(s);
	}
	/* A file full of other names: counted for nobody, no harm. */
	for (int i = 0; i < STATS_SLOTS; i++)
		put_counter(file, i, wb_arena_printf(&t.a, "other.%d", i), 1);
	assert_ok(wb_file_write(path, file, sizeof file, 0600, &err), &err);
	assert_ok(wb_stats_new(&s, path, &err), &err);
	wb_stats_add(s, WB_COUNT_JOBS, 1);
	wb_stats_free(s);
	tempdir_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line),     cmocka_unit_test(many_threads), cmocka_unit_test(rotation),
	    cmocka_unit_test(torn_lines), cmocka_unit_test(last_build),   cmocka_unit_test(full_disk),
	    cmocka_unit_test(summary),    cmocka_unit_test(trace),        cmocka_unit_test(build_of),
	    cmocka_unit_test(pauses),     cmocka_unit_test(old_counters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
