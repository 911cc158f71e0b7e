/* The REAPI client and its server as a whole, here one of our own (reapi_peer.h): not there, gone and back, asked by
 * many at once. What a real server does is tested in tests/interop; what no honest one does, or does when asked to, in
 * test_reapi_transfer.c and test_reapi_execute.c.
 */
#include "base/clock.h"
#include "tests/unit/reapi_fixture.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* Nobody listens: noticed, then told at once. */
static void test_down(void **state)
{
	struct fixture f;
	struct wb_reapi_capabilities caps;
	char text[256];
	(void)state;
	reapi_begin_at(&f, HONEST, false, "grpc://127.0.0.1:1"); /* reserved for tcpmux: nobody serves it */
	assert_code(wb_reapi_capabilities(&caps, f.c, &f.err), WB_EUNAVAILABLE);
	assert_says(&f.err, "grpc://127.0.0.1:1");
	assert_true(wb_reapi_is_down(f.c, text, sizeof text));
	assert_non_null(strstr(text, "is down since"));
	struct wb_blob blob = reapi_blob(&f.a, SMALL, 'a');
	int64_t start = wb_clock_ns();
	for (int i = 0; i < 1000; i++)
		assert_code(wb_reapi_upload(f.c, &f.job, &blob, 1, &f.err), WB_EUNAVAILABLE);
	assert_true(wb_clock_ns() - start <
		    10 * SECOND); /* a thousand connects with their retries would take minutes */
	assert_says(&f.err, "asked again in");
	reapi_end(&f);
}

/* The server goes away and comes back without its blobs: found out by the client itself, and they are sent again. */
static void test_restart(void **state)
{
	struct fixture f;
	(void)state;
	reapi_begin(&f, HONEST, false);
	struct wb_blob blob[] = {reapi_blob(&f.a, SMALL, 'a'), reapi_blob(&f.a, SMALL, 'b')};
	assert_ok(wb_reapi_upload(f.c, &f.job, blob, 1, &f.err), &f.err);
	int port = reapi_peer_port();
	reapi_peer_stop();
	assert_code(wb_reapi_upload(f.c, &f.job, blob, 2, &f.err), WB_EUNAVAILABLE);
	assert_true(wb_reapi_is_down(f.c, NULL, 0));
	reapi_peer_forget();
	reapi_peer_start(port);
	for (int64_t limit = wb_clock_ns() + 60 * SECOND; wb_reapi_is_down(f.c, NULL, 0); usleep(10000))
		assert_true(wb_clock_ns() < limit);
	assert_ok(wb_reapi_upload(f.c, &f.job, blob, 2, &f.err), &f.err);
	bool both = reapi_peer_has(&blob[0].digest) && reapi_peer_has(&blob[1].digest);
	assert_true(both);
	reapi_end(&f);
}

struct worker {
	pthread_t thread;
	struct fixture *f;
	const struct wb_blob *blob;
	size_t n;
	wb_status status;
};

static void *upload(void *arg)
{
	struct worker *w = arg;
	struct wb_reapi_job job = {0};
	w->status = wb_reapi_upload(w->f->c, &job, w->blob, w->n, NULL);
	return NULL;
}

/* Many jobs at once, the very first calls: one question of each kind. */
static void test_once(void **state)
{
	struct fixture f;
	struct worker w[60];
	(void)state;
	reapi_begin(&f, HONEST, false);
	struct wb_blob blob[] = {reapi_blob(&f.a, SMALL, 'a'), reapi_blob(&f.a, SMALL, 'b'),
				 reapi_blob(&f.a, LARGE, 'c')};
	for (size_t i = 0; i < COUNT(w); i++) {
		w[i] = (struct worker){.f = &f, .blob = blob, .n = COUNT(blob)};
		assert_int_equal(pthread_create(&w[i].thread, NULL, upload, &w[i]), 0);
	}
	for (size_t i = 0; i < COUNT(w); i++) {
		pthread_join(w[i].thread, NULL);
		assert_true(wb_is_ok(w[i].status));
	}
	assert_int_equal(reapi_peer_counts().capabilities, 1);
	assert_int_equal(reapi_peer_counts().found, 3);
	assert_int_equal(reapi_peer_counts().updated, 2);
	assert_int_equal(reapi_peer_counts().written, 1);
	/* Forgotten: asked once more, not sent once more. */
	wb_reapi_forget(f.c, blob, 2);
	assert_ok(wb_reapi_upload(f.c, &f.job, blob, COUNT(blob), &f.err), &f.err);
	assert_int_equal(reapi_peer_counts().found, 5);
	assert_int_equal(reapi_peer_counts().updated, 2);
	/* This server lets nobody write results. */
	struct wb_action_result r = {.out_text = "", .err_text = ""};
	assert_code(wb_reapi_update(f.c, &f.job, &blob[0].digest, &r, &f.err), WB_EREFUSED);
	reapi_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_down),
	    cmocka_unit_test(test_once),
	    cmocka_unit_test(test_restart),
	};
	return cmocka_run_group_tests(tests, NULL, reapi_stop);
}
