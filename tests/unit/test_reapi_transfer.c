/* The REAPI client's uploads and downloads against a server that can be told to misbehave (reapi_peer.h): liars, broken
 * streams, compression.
 */
#include "tests/unit/reapi_fixture.h"
#include "tests/unit/tempdir.h"

/* Uploads two small blobs and a large one, and fetches them again. */
static void round_trip(bool zstd, int64_t max_batch)
{
	struct fixture f;
	reapi_begin(&f, HONEST, zstd);
	reapi_peer_limit_batches(max_batch);
	struct wb_blob blob[] = {reapi_blob(&f.a, SMALL, 'a'), reapi_blob(&f.a, SMALL, 'b'),
				 reapi_blob(&f.a, LARGE, 'c')};
	struct wb_fetch fetch[COUNT(blob) + 1] = {0};
	assert_ok(wb_reapi_upload(f.c, &f.job, blob, COUNT(blob), &f.err), &f.err);
	assert_int_equal(reapi_peer_counts().found, 3);
	for (size_t i = 0; i <= COUNT(blob); i++)
		fetch[i].digest = blob[i % COUNT(blob)].digest; /* one of them twice */
	assert_ok(wb_reapi_fetch(f.c, &f.a, &f.job, fetch, COUNT(fetch), &f.err), &f.err);
	for (size_t i = 0; i <= COUNT(blob); i++)
		assert_memory_equal(fetch[i].data, blob[i % COUNT(blob)].data, (size_t)fetch[i].digest.size);
	struct reapi_peer_counts counts = reapi_peer_counts();
	assert_int_equal(counts.compressed, zstd);
	if (zstd)
		assert_true(f.job.sent < LARGE / 2 && f.job.received < LARGE / 2);
	else
		assert_int_equal(f.job.sent, LARGE + 2 * SMALL);
	if (max_batch > 0)
		assert_true(counts.largest_batch <= max_batch);
	/* In a batch, a digest is asked for once; small ones go as streams where they do not fit. */
	assert_int_equal(counts.written, max_batch > 0 && max_batch < SMALL ? 3 : 1);
	reapi_end(&f);
}

static void test_round_trip(void **state)
{
	(void)state;
	round_trip(false, 0);
	round_trip(true, 0);
	round_trip(false, SMALL + 10);
	round_trip(false, SMALL - 1);
}

/* A transfer with a server that lies: how it ends, and what the message says. */
struct row {
	enum reapi_lie lie;
	bool zstd;
	size_t size;
	enum wb_code code;
	const char *says; /* may be NULL */
};

static void assert_row(size_t i, const struct row *row, wb_status s, const struct wb_err *err)
{
	if (s.code != row->code)
		fail_msg("row %zu: %s: %s", i, wb_code_name(s.code), err->text);
	if (row->says != NULL)
		assert_says(err, row->says);
}

/* Uploads to a server that misbehaves. */
static void test_upload(void **state)
{
	static const struct row row[] = {
	    {BATCH_LEAVES_OUT, false, SMALL, WB_EPROTO, "leaves out"},
	    {BATCH_TWICE, false, SMALL, WB_EPROTO, "twice"},
	    {BATCH_STRANGER, false, SMALL, WB_EPROTO, "not sent"},
	    {BATCH_BUSY_ONCE, false, SMALL, WB_OK, NULL},
	    {BUSY_TWICE, false, SMALL, WB_OK, NULL},
	    {REFUSES, false, SMALL, WB_EREFUSED, "not you"},
	    {WRITE_SHORT, false, LARGE, WB_EPROTO, "bytes of"},
	    {WRITE_EARLY, false, LARGE, WB_OK, NULL},
	    {WRITE_EARLY, true, LARGE, WB_OK, NULL},
	    {WRITE_BREAKS_ONCE, false, LARGE, WB_OK, NULL},
	    {WRITE_BREAKS_ONCE, true, LARGE, WB_OK, NULL},
	    {NO_SHA256, false, SMALL, WB_EREFUSED, "BLAKE3"},
	    {OLD_API, false, SMALL, WB_EREFUSED, "1.0 to 1.9"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(row); i++) {
		struct fixture f;
		reapi_begin(&f, row[i].lie, row[i].zstd);
		struct wb_blob blob[] = {reapi_blob(&f.a, row[i].size, 'a'), reapi_blob(&f.a, row[i].size, 'b')};
		wb_status s = wb_reapi_upload(f.c, &f.job, blob, 2, &f.err);
		assert_row(i, &row[i], s, &f.err);
		if (row[i].says != NULL)
			assert_says(&f.err, wb_reapi_name(f.c));
		assert_false(wb_reapi_is_down(f.c, NULL, 0));
		/* What failed is not believed to be there. */
		enum reapi_lie was = reapi_peer_lie(HONEST);
		bool lasting = was == NO_SHA256 || was == OLD_API;
		if (!lasting)
			assert_ok(wb_reapi_upload(f.c, &f.job, blob, 2, &f.err), &f.err);
		bool both = reapi_peer_has(&blob[0].digest) && reapi_peer_has(&blob[1].digest);
		assert_true(both || lasting || row[i].lie == WRITE_EARLY);
		reapi_end(&f);
	}
}

/* Downloads from one. The files must not appear, nor anything beside them. */
static void test_fetch(void **state)
{
	static const struct row row[] = {
	    {BATCH_LEAVES_OUT, false, SMALL, WB_EPROTO, "leaves out"},
	    {BATCH_TWICE, false, SMALL, WB_EPROTO, "twice"},
	    {BATCH_STRANGER, false, SMALL, WB_EPROTO, "not asked for"},
	    {BATCH_OTHER_BYTES, false, SMALL, WB_EPROTO, "other bytes"},
	    {BATCH_SHORT, false, SMALL, WB_EPROTO, "other bytes"},
	    {BATCH_BOMB, true, SMALL, WB_EPROTO, "damaged"},
	    {BATCH_BUSY_ONCE, false, SMALL, WB_OK, NULL},
	    {READ_TRUNCATED, false, LARGE, WB_EPROTO, "fewer bytes"},
	    {READ_TRUNCATED, true, LARGE, WB_EPROTO, "fewer bytes"},
	    {READ_ENDLESS, false, LARGE, WB_EPROTO, "more bytes"},
	    {READ_ENDLESS, true, LARGE, WB_EPROTO, "more bytes"},
	    {READ_OTHER_BYTES, false, LARGE, WB_EPROTO, "other bytes"},
	    {READ_OTHER_BYTES, true, LARGE, WB_EPROTO, "other bytes"},
	    {READ_BREAKS_ONCE, false, LARGE, WB_OK, NULL},
	    {READ_BREAKS_ONCE, true, LARGE, WB_OK, NULL},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(row); i++) {
		struct fixture f;
		struct tempdir dir;
		struct wb_digest d;
		tempdir_init(&dir);
		reapi_begin(&f, row[i].lie, row[i].zstd);
		struct wb_blob blob[] = {reapi_blob(&f.a, row[i].size, 'a'), reapi_blob(&f.a, SMALL / 2, 'b')};
		reapi_peer_store(&blob[0].digest, blob[0].data);
		reapi_peer_store(&blob[1].digest, blob[1].data);
		struct wb_fetch fetch[] = {{.digest = blob[1].digest, .path = tempdir_path(&dir, "b")},
					   {.digest = blob[0].digest, .path = tempdir_path(&dir, "a"), .exec = true}};
		wb_status s = wb_reapi_fetch(f.c, &f.a, &f.job, fetch, 2, &f.err);
		assert_row(i, &row[i], s, &f.err);
		if (row[i].says != NULL) {
			assert_int_equal(rmdir(dir.path), 0); /* empty */
			assert_int_equal(mkdir(dir.path, 0755), 0);
		} else {
			assert_ok(wb_digest_file(&d, fetch[1].path, &f.err), &f.err);
			assert_true(wb_digest_eq(&d, &fetch[1].digest));
		}
		reapi_end(&f);
		tempdir_release(&dir);
	}
}

/* What came with the result is not asked for again: the server does not even have it. */
static void test_inline(void **state)
{
	struct fixture f;
	struct tempdir dir;
	struct wb_digest d;
	(void)state;
	tempdir_init(&dir);
	reapi_begin(&f, HONEST, false);
	struct wb_fetch fetch[] = {{.path = tempdir_path(&dir, "a"), .content = "object"}, {.content = "depfile"}};
	wb_digest_of(&fetch[0].digest, "object", 6);
	wb_digest_of(&fetch[1].digest, "depfile", 7);
	assert_ok(wb_reapi_fetch(f.c, &f.a, &f.job, fetch, 2, &f.err), &f.err);
	assert_ok(wb_digest_file(&d, fetch[0].path, &f.err), &f.err);
	assert_true(wb_digest_eq(&d, &fetch[0].digest));
	assert_string_equal(fetch[1].data, "depfile");
	assert_int_equal(reapi_peer_counts().read, 0);
	reapi_end(&f);
	tempdir_release(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_upload),
	    cmocka_unit_test(test_fetch),
	    cmocka_unit_test(test_inline),
	};
	return cmocka_run_group_tests(tests, NULL, reapi_stop);
}
