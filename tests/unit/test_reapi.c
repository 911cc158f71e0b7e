/* The parts of the REAPI client that need no server: what a result may say, who asks for and uploads a blob, whether
 * the server is down, zstd. */
#include "base/clock.h"
#include "reapi/breaker.h"
#include "reapi/compression.h"
#include "reapi/presence.h"
#include "reapi/result.h"
#include "reapi/room.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SECOND   ((int64_t)1000000000)
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- results */

enum trouble { NONE, SYMLINK, OLD_SYMLINK, DIRECTORY, TWICE, NO_DIGEST, BAD_HASH, NEGATIVE, HUGE_SIZE, CONTENT, SHORT };

static void make_result(wb_re_action_result *m, struct wb_arena *a, const char *path, enum trouble trouble)
{
	static const char content[] = "content";
	struct wb_digest d;
	wb_digest_of(&d, content, sizeof content - 1);
	build__bazel__remote__execution__v2__action_result__init(m);
	m->output_files = wb_arena_array(a, 2, sizeof *m->output_files);
	m->n_output_files = trouble == TWICE ? 2 : 1;
	for (size_t i = 0; i < m->n_output_files; i++) {
		wb_re_output_file *f = m->output_files[i] = wb_arena_alloc(a, sizeof *f);
		build__bazel__remote__execution__v2__output_file__init(f);
		f->path = wb_arena_strdup(a, path);
		f->digest = trouble == NO_DIGEST ? NULL : wb_re_digest_new(a, &d);
		f->contents = (ProtobufCBinaryData){.data = wb_arena_memdup(a, content, sizeof content),
						    .len = sizeof content - 1};
		if (trouble == BAD_HASH)
			f->digest->hash[5] = 'G';
		if (trouble == NEGATIVE)
			f->digest->size_bytes = -1;
		if (trouble == HUGE_SIZE)
			f->digest->size_bytes = WB_RESULT_SIZE_MAX + 1;
		if (trouble == CONTENT)
			f->contents.data[0] = 'C';
		if (trouble == SHORT)
			f->contents.len--;
	}
	if (trouble == SYMLINK || trouble == OLD_SYMLINK) {
		Build__Bazel__Remote__Execution__V2__OutputSymlink *l = wb_arena_alloc(a, sizeof *l),
								   **list = wb_arena_array(a, 1, sizeof *list);
		build__bazel__remote__execution__v2__output_symlink__init(l);
		l->path = wb_arena_strdup(a, "the-link");
		list[0] = l;
		*(trouble == SYMLINK ? &m->output_symlinks : &m->output_file_symlinks) = list;
		*(trouble == SYMLINK ? &m->n_output_symlinks : &m->n_output_file_symlinks) = 1;
	}
	if (trouble == DIRECTORY) {
		Build__Bazel__Remote__Execution__V2__OutputDirectory *o = wb_arena_alloc(a, sizeof *o);
		build__bazel__remote__execution__v2__output_directory__init(o);
		o->path = wb_arena_strdup(a, "the-directory");
		m->output_directories = wb_arena_array(a, 1, sizeof *m->output_directories);
		m->output_directories[0] = o;
		m->n_output_directories = 1;
	}
}

static void test_result_refused(void **state)
{
	static const struct {
		const char *path;
		enum trouble trouble;
		const char *says; /* NULL: it is taken */
	} row[] = {
	    {"x.o", NONE, NULL},
	    {"out/a b/x.o", NONE, NULL},
	    {"..x/...", NONE, NULL},
	    {"../x", NONE, "../x"},
	    {"a/../../x", NONE, "a/../../x"},
	    {"a/..", NONE, "a/.."},
	    {"/etc/x", NONE, "/etc/x"},
	    {"", NONE, "outside"},
	    {".", NONE, "outside"},
	    {"./x", NONE, "./x"},
	    {"a//x", NONE, "a//x"},
	    {"a/", NONE, "a/"},
	    {"x.o", SYMLINK, "symlink among its outputs: the-link"},
	    {"x.o", OLD_SYMLINK, "symlink among its outputs: the-link"},
	    {"x.o", DIRECTORY, "directory among its outputs: the-directory"},
	    {"x.o", TWICE, "twice: x.o"},
	    {"x.o", NO_DIGEST, "x.o"},
	    {"x.o", BAD_HASH, "x.o"},
	    {"x.o", NEGATIVE, "x.o"},
	    {"x.o", HUGE_SIZE, "x.o"},
	    {"x.o", CONTENT, "other content than it says for x.o"},
	    {"x.o", SHORT, "other content than it says for x.o"},
	};
	struct wb_arena a;
	(void)state;
	wb_arena_init(&a);
	for (size_t i = 0; i < COUNT(row); i++) {
		struct wb_err err = WB_ERR_INIT;
		wb_re_action_result m;
		struct wb_action_result r;
		struct wb_result_texts texts;
		make_result(&m, &a, row[i].path, row[i].trouble);
		if (row[i].says == NULL) {
			assert_ok(wb_result_take(&r, &texts, &a, &m, &err), &err);
			assert_int_equal(r.nfile, 1);
			assert_string_equal(r.file[0].path, row[i].path);
			assert_memory_equal(r.file[0].data, "content", 7);
		} else {
			assert_code(wb_result_take(&r, &texts, &a, &m, &err), WB_EPROTO);
			assert_says(&err, row[i].says);
		}
	}
	wb_arena_release(&a);
}

/* stdout and stderr: inline, by digest, both, and inline but cut. */
static void test_result_texts(void **state)
{
	static char text[] = "some text";
	struct wb_err err = WB_ERR_INIT;
	struct wb_arena a;
	wb_re_action_result m;
	struct wb_action_result r;
	struct wb_result_texts texts;
	struct wb_digest d;
	ProtobufCBinaryData whole = {.data = (uint8_t *)text, .len = sizeof text - 1};
	(void)state;
	wb_arena_init(&a);
	wb_digest_of(&d, text, sizeof text - 1);
	build__bazel__remote__execution__v2__action_result__init(&m);
	m.exit_code = -178;
	assert_ok(wb_result_take(&r, &texts, &a, &m, &err), &err);
	assert_false(texts.fetch_out || texts.fetch_err);
	assert_int_equal(r.out_len + r.err_len, 0);
	assert_int_equal(r.exit_code, -178);

	m.stdout_raw = whole;
	m.stderr_digest = wb_re_digest_new(&a, &d);
	assert_ok(wb_result_take(&r, &texts, &a, &m, &err), &err);
	assert_false(texts.fetch_out);
	assert_int_equal(r.out_len, 9);
	assert_true(texts.fetch_err);
	assert_true(wb_digest_eq(&texts.err, &d));

	m.stderr_raw = whole;
	assert_ok(wb_result_take(&r, &texts, &a, &m, &err), &err);
	assert_false(texts.fetch_err);
	m.stderr_raw.len = 4;
	assert_ok(wb_result_take(&r, &texts, &a, &m, &err), &err);
	assert_true(texts.fetch_err);

	m.stderr_digest->size_bytes = WB_RESULT_TEXT_MAX + 1;
	assert_code(wb_result_take(&r, &texts, &a, &m, &err), WB_EPROTO);
	assert_says(&err, "stderr");
	wb_arena_release(&a);
}

/* What is written for UpdateActionResult is read back the same. */
static void test_result_message(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_arena a;
	struct wb_result_file file[2] = {{.path = "a.o"}, {.path = "d/b.pch", .exec = true}};
	struct wb_action_result r, mine = {.exit_code = 0,
					   .file = file,
					   .nfile = 2,
					   .out_text = "out",
					   .out_len = 3,
					   .err_text = "long",
					   .err_len = 4,
					   .worker = "w"};
	struct wb_result_texts texts;
	struct wb_digest d;
	char *data;
	size_t n;
	wb_re_action_result *m;
	(void)state;
	wb_arena_init(&a);
	wb_digest_of(&file[0].digest, "a", 1);
	wb_digest_of(&file[1].digest, "bb", 2);
	wb_digest_of(&d, "long", 4);
	wb_message_pack(&data, &n, &a, &wb_result_message(&a, &mine, NULL, &d)->base);
	assert_ok(wb_action_result_decode(&m, &a, data, n, &err), &err);
	assert_ok(wb_result_take(&r, &texts, &a, m, &err), &err);
	assert_int_equal(r.nfile, 2);
	assert_string_equal(r.file[1].path, "d/b.pch");
	assert_true(r.file[1].exec && !r.file[0].exec);
	assert_true(wb_digest_eq(&r.file[0].digest, &file[0].digest));
	assert_int_equal(r.out_len, 3);
	assert_memory_equal(r.out_text, "out", 3);
	assert_true(texts.fetch_err && wb_digest_eq(&texts.err, &d));
	assert_string_equal(r.worker, "w");
	wb_arena_release(&a);
}

/* ---- presence */

enum { JOBS = 64, BLOBS = 300 };

struct job {
	pthread_t thread;
	struct wb_presence *presence;
	unsigned number;
	struct wb_digest *blob;
	atomic_uint *asked; /* one counter a blob */
	atomic_uint *failed;
	unsigned fail_first; /* so many claims of each blob fail */
	wb_status status;
};

static void settle(struct job *j, struct wb_presence_claim *claim, size_t i)
{
	wb_status s = wb_ok();
	if (atomic_fetch_add(&j->asked[i], 1) < j->fail_first) {
		s = (wb_status){WB_EIO}; /* a file that cannot be read: this job's own trouble */
		atomic_fetch_add(j->failed, 1);
	}
	wb_presence_settle(j->presence, claim, &j->blob[i], s, "no such file");
}

/* What wb_reapi_upload does, without a server. */
static void *run_job(void *arg)
{
	struct job *j = arg;
	struct wb_presence_claim claim[BLOBS];
	const struct wb_digest *digest[BLOBS];
	bool open[BLOBS], again = true;
	for (size_t i = 0; i < BLOBS; i++)
		open[i] = true;
	while (again) {
		size_t index[BLOBS], n = 0;
		again = false;
		for (size_t i = 0; i < BLOBS; i++) {
			size_t k = (i + j->number * 7) % BLOBS; /* each in its own order */
			if (open[k]) {
				index[n] = k;
				digest[n++] = &j->blob[k];
			}
		}
		wb_presence_claim(j->presence, claim, digest, n);
		for (size_t i = 0; i < n; i++)
			if (claim[i].state == WB_PRESENCE_MINE)
				settle(j, &claim[i], index[i]);
		for (size_t i = 0; i < n; i++) {
			wb_status s = wb_ok();
			if (claim[i].pending != NULL)
				s = wb_presence_wait(j->presence, &claim[i], NULL, NULL);
			else if (claim[i].state != WB_PRESENCE_THERE)
				s = (wb_status){WB_ESTALE}; /* our own failure: as if it were another's */
			open[index[i]] = !wb_is_ok(s);
			again = again || open[index[i]];
			if (!wb_is_ok(s) && s.code != WB_ESTALE)
				j->status = s;
		}
	}
	return NULL;
}

static void many_jobs(unsigned fail_first)
{
	static struct wb_digest blob[BLOBS];
	static atomic_uint asked[BLOBS];
	atomic_uint failed = 0;
	struct job job[JOBS] = {0};
	struct wb_presence p;
	wb_presence_init(&p, WB_PRESENCE_MAX, WB_PRESENCE_NS);
	for (size_t i = 0; i < BLOBS; i++) {
		wb_digest_of(&blob[i], &i, sizeof i);
		atomic_store(&asked[i], 0);
	}
	for (unsigned i = 0; i < JOBS; i++) {
		job[i] = (struct job){.presence = &p,
				      .number = i,
				      .blob = blob,
				      .asked = asked,
				      .failed = &failed,
				      .fail_first = fail_first};
		assert_int_equal(pthread_create(&job[i].thread, NULL, run_job, &job[i]), 0);
	}
	for (unsigned i = 0; i < JOBS; i++) {
		pthread_join(job[i].thread, NULL);
		assert_true(wb_is_ok(job[i].status));
	}
	for (size_t i = 0; i < BLOBS; i++)
		assert_int_equal(atomic_load(&asked[i]), 1 + fail_first);
	assert_int_equal(atomic_load(&failed), BLOBS * fail_first);
	wb_presence_release(&p);
}

static void test_presence_once(void **state)
{
	(void)state;
	many_jobs(0);
}

static void test_presence_failure_lets_another_try(void **state)
{
	(void)state;
	many_jobs(3);
}

static enum wb_presence_state claim_one(struct wb_presence *p, struct wb_presence_claim *claim,
					const struct wb_digest *d)
{
	wb_presence_claim(p, claim, &d, 1);
	return claim->state;
}

/* A failure of the server is handed to those who wait; a claim given twice; forgetting; time; the bound. */
static void test_presence_rules(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_presence p;
	struct wb_presence_claim first, second;
	struct wb_digest d, other;
	atomic_bool cancel = true;
	(void)state;
	wb_presence_init(&p, 8, 3600 * SECOND);
	wb_digest_of(&d, "d", 1);
	wb_digest_of(&other, "e", 1);
	assert_int_equal(claim_one(&p, &first, &d), WB_PRESENCE_MINE);
	assert_int_equal(claim_one(&p, &second, &d), WB_PRESENCE_OTHERS);
	wb_presence_settle(&p, &first, &d, (wb_status){WB_EUNAVAILABLE}, "disk full");
	assert_code(wb_presence_wait(&p, &second, NULL, &err), WB_EUNAVAILABLE);
	assert_says(&err, "disk full");

	assert_int_equal(claim_one(&p, &first, &d), WB_PRESENCE_MINE);
	assert_int_equal(claim_one(&p, &second, &d), WB_PRESENCE_OTHERS);
	assert_code(wb_presence_wait(&p, &second, &cancel, &err), WB_ECANCELED);
	assert_int_equal(claim_one(&p, &second, &d), WB_PRESENCE_OTHERS);
	wb_presence_leave(&p, &second);
	wb_presence_settle(&p, &first, &d, wb_ok(), "");
	assert_int_equal(claim_one(&p, &first, &d), WB_PRESENCE_THERE);

	wb_presence_forget(&p, &other); /* never known */
	wb_presence_forget(&p, &d);
	assert_int_equal(claim_one(&p, &first, &d), WB_PRESENCE_MINE);
	wb_presence_forget_all(&p); /* while it is uploaded: that may have gone to the server that is no more */
	wb_presence_settle(&p, &first, &d, wb_ok(), "");
	assert_int_equal(claim_one(&p, &first, &d), WB_PRESENCE_MINE);
	wb_presence_settle(&p, &first, &d, wb_ok(), "");
	assert_int_equal(claim_one(&p, &first, &d), WB_PRESENCE_THERE);

	for (int i = 0; i < 100; i++) {
		struct wb_digest one;
		wb_digest_of(&one, &i, sizeof i);
		assert_int_equal(claim_one(&p, &first, &one), WB_PRESENCE_MINE);
		wb_presence_settle(&p, &first, &one, wb_ok(), "");
		assert_int_equal(claim_one(&p, &first, &one), WB_PRESENCE_THERE);
		assert_true(p.n <= 8);
	}
	assert_int_equal(claim_one(&p, &first, &d), WB_PRESENCE_MINE); /* long forgotten */
	wb_presence_settle(&p, &first, &d, (wb_status){WB_EIO}, "");
	wb_presence_release(&p);

	wb_presence_init(&p, 8, -2 * SECOND); /* belief that has ended when it begins */
	assert_int_equal(claim_one(&p, &first, &d), WB_PRESENCE_MINE);
	wb_presence_settle(&p, &first, &d, wb_ok(), "");
	assert_int_equal(claim_one(&p, &first, &d), WB_PRESENCE_MINE);
	wb_presence_settle(&p, &first, &d, wb_ok(), "");
	wb_presence_release(&p);
}

/* ---- breaker */

struct server {
	atomic_uint asked;
	atomic_bool up;
};

static wb_status probe(void *arg, const atomic_bool *stop, struct wb_err *err)
{
	struct server *s = arg;
	(void)stop;
	atomic_fetch_add(&s->asked, 1);
	return atomic_load(&s->up) ? wb_ok() : wb_fail(err, WB_EUNAVAILABLE, "still down");
}

static bool until(struct wb_breaker *b, bool down)
{
	for (int64_t end = wb_clock_ns() + 20 * SECOND; wb_clock_ns() < end;)
		if (wb_breaker_is_down(b, NULL, 0) == down)
			return true;
	return false;
}

static void *fail_calls(void *arg)
{
	for (int i = 0; i < 100; i++)
		wb_breaker_failed(arg, false, "no answer within 20 s");
	return NULL;
}

static void test_breaker(void **state)
{
	struct server server = {0};
	struct wb_breaker b;
	char text[256];
	(void)state;
	wb_breaker_init(&b, "grpc://there", probe, &server, 3, SECOND / 1000, SECOND / 100);
	wb_breaker_failed(&b, false, "a");
	wb_breaker_failed(&b, false, "b");
	wb_breaker_answered(&b); /* not in a row */
	wb_breaker_failed(&b, false, "a");
	wb_breaker_failed(&b, false, "b");
	assert_false(wb_breaker_is_down(&b, text, sizeof text));
	wb_breaker_failed(&b, false, "no answer");
	assert_true(wb_breaker_is_down(&b, text, sizeof text));
	assert_non_null(strstr(text, "grpc://there is down since 0 s: no answer; "));
	while (atomic_load(&server.asked) < 5) {
	}
	assert_true(wb_breaker_is_down(&b, NULL, 0));
	wb_breaker_answered(&b); /* a late answer of a call from before */
	assert_true(wb_breaker_is_down(&b, NULL, 0));
	atomic_store(&server.up, true);
	assert_true(until(&b, false));

	/* And once more: the same thread serves. Nobody there: one failure is enough. */
	atomic_store(&server.up, false);
	wb_breaker_failed(&b, true, "connection refused");
	assert_true(wb_breaker_is_down(&b, text, sizeof text));
	assert_non_null(strstr(text, "connection refused"));
	atomic_store(&server.up, true);
	assert_true(until(&b, false));

	/* Many at once; released while it is down and pausing. */
	pthread_t thread[16];
	atomic_store(&server.up, false);
	for (size_t i = 0; i < COUNT(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, fail_calls, &b), 0);
	for (size_t i = 0; i < COUNT(thread); i++)
		pthread_join(thread[i], NULL);
	assert_true(wb_breaker_is_down(&b, NULL, 0));
	wb_breaker_release(&b);
}

/* ---- zstd */

static wb_status gather(void *arg, const char *data, size_t n, struct wb_err *err)
{
	struct wb_digest *sum = arg;
	(void)data;
	(void)err;
	sum->size += (int64_t)n;
	return wb_ok();
}

struct sink {
	char *p;
	size_t n, cap;
};

static wb_status fill(void *arg, const char *data, size_t n, struct wb_err *err)
{
	struct sink *k = arg;
	if (n > k->cap - k->n)
		return wb_fail(err, WB_ELIMIT, "full");
	memcpy(k->p + k->n, data, n);
	k->n += n;
	return wb_ok();
}

static void test_zstd(void **state)
{
	enum { N = 1 << 20 };
	struct wb_err err = WB_ERR_INIT;
	struct wb_arena a;
	char *packed, *plain, *back;
	size_t n;
	(void)state;
	wb_arena_init(&a);
	plain = wb_arena_alloc(&a, N);
	back = wb_arena_alloc(&a, N + 1);
	for (size_t i = 0; i < N; i++)
		plain[i] = (char)(i * i >> 7);
	/* Small, or nothing to gain: stays as it is. */
	assert_false(wb_zstd_pack(&packed, &n, &a, plain, WB_ZSTD_MIN - 1));
	char *noise = wb_arena_alloc(&a, 4096);
	for (size_t i = 0, x = 1; i < 4096; i++, x = x * 6364136223846793005u + 1442695040888963407u)
		noise[i] = (char)(x >> 40);
	assert_false(wb_zstd_pack(&packed, &n, &a, noise, 4096));

	assert_true(wb_zstd_pack(&packed, &n, &a, plain, N));
	assert_true(n < N);
	assert_ok(wb_zstd_unpack(back, N, packed, n, &err), &err);
	assert_memory_equal(back, plain, N);
	/* A bomb, a blob that is shorter than said, damage at the end and in the middle. */
	assert_code(wb_zstd_unpack(back, N - 1, packed, n, &err), WB_EPROTO);
	assert_code(wb_zstd_unpack(back, 0, packed, n, &err), WB_EPROTO);
	assert_code(wb_zstd_unpack(back, N + 1, packed, n, &err), WB_EPROTO);
	assert_code(wb_zstd_unpack(back, N, packed, n - 1, &err), WB_EPROTO);
	assert_code(wb_zstd_unpack(back, N, plain, 100, &err), WB_EPROTO);
	assert_code(wb_zstd_unpack(back, N, packed, 0, &err), WB_EPROTO);

	/* Streams, in pieces of odd sizes; the sink's refusal comes through. */
	struct sink k = {.p = wb_arena_alloc(&a, N), .cap = N};
	struct wb_zstd_out *out = wb_zstd_out_new();
	for (size_t at = 0, step = 1; at < N; at += step, step = step * 3 + 1) {
		if (step > N - at)
			step = N - at;
		assert_ok(wb_zstd_out_add(out, plain + at, step, at + step == N, fill, &k, &err), &err);
	}
	wb_zstd_out_free(out);
	struct sink got = {.p = back, .cap = N};
	struct wb_zstd_in *in = wb_zstd_in_new();
	for (size_t at = 0; at < k.n; at += 777) {
		assert_false(wb_zstd_in_whole(in));
		assert_ok(wb_zstd_in_add(in, k.p + at, k.n - at < 777 ? k.n - at : 777, fill, &got, &err), &err);
	}
	assert_true(wb_zstd_in_whole(in));
	assert_int_equal(got.n, N);
	assert_memory_equal(back, plain, N);
	wb_zstd_in_free(in);
	got.n = 1;
	in = wb_zstd_in_new();
	assert_code(wb_zstd_in_add(in, k.p, k.n, fill, &got, &err), WB_ELIMIT);
	wb_zstd_in_free(in);
	/* A whole number of pieces comes out: the end is still seen. */
	memset(back, 'a', N);
	assert_true(wb_zstd_pack(&packed, &n, &a, back, N));
	struct wb_digest sum = {0};
	in = wb_zstd_in_new();
	assert_ok(wb_zstd_in_add(in, packed, n, gather, &sum, &err), &err);
	assert_true(wb_zstd_in_whole(in));
	assert_int_equal(sum.size, N);
	wb_zstd_in_free(in);
	wb_arena_release(&a);
}

/* ---- room */

struct taker {
	pthread_t thread;
	struct wb_room *room;
	atomic_llong *taken;
	int64_t n;
	bool over;
};

static void *take(void *arg)
{
	struct taker *t = arg;
	for (int i = 0; i < 200; i++) {
		int64_t n = t->n < t->room->size ? t->n : t->room->size;
		wb_ignore(wb_room_take(t->room, t->n, NULL, NULL)); /* cannot fail: no flag */
		if (atomic_fetch_add(t->taken, n) + n > t->room->size)
			t->over = true;
		atomic_fetch_sub(t->taken, n);
		wb_room_give(t->room, t->n);
	}
	return NULL;
}

static void test_room(void **state)
{
	struct taker t[12];
	struct wb_room room;
	atomic_llong taken = 0;
	atomic_bool cancel = true;
	(void)state;
	wb_room_init(&room, 100);
	for (size_t i = 0; i < COUNT(t); i++) {
		t[i] = (struct taker){.room = &room, .taken = &taken, .n = (int64_t)i * 15}; /* up to more than all */
		assert_int_equal(pthread_create(&t[i].thread, NULL, take, &t[i]), 0);
	}
	for (size_t i = 0; i < COUNT(t); i++) {
		pthread_join(t[i].thread, NULL);
		assert_false(t[i].over);
	}
	assert_int_equal(room.left, 100);
	assert_true(wb_is_ok(wb_room_take(&room, 60, &cancel, NULL)));
	assert_code(wb_room_take(&room, 60, &cancel, NULL), WB_ECANCELED);
	wb_room_give(&room, 60);
	wb_room_release(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_result_refused),
	    cmocka_unit_test(test_result_texts),
	    cmocka_unit_test(test_result_message),
	    cmocka_unit_test(test_presence_once),
	    cmocka_unit_test(test_presence_failure_lets_another_try),
	    cmocka_unit_test(test_presence_rules),
	    cmocka_unit_test(test_breaker),
	    cmocka_unit_test(test_zstd),
	    cmocka_unit_test(test_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
