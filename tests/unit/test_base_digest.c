#include "base/digest.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The example messages of FIPS 180 (NIST, "SHA_All" and the 180-2 appendix B). */
static const struct {
	const char *text;
	size_t repeat;
	const char *hex;
} vectors[] = {
    {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		size_t n = strlen(vectors[i].text), total = n * vectors[i].repeat;
		char hex[WB_DIGEST_HEX];
		struct wb_hasher h;
		struct wb_digest d, whole, parsed, of_file, of_fd;
		wb_hasher_init(&h);
		char *all = malloc(total + 1);
		assert_non_null(all);
		for (size_t k = 0; k < vectors[i].repeat; k++) {
			wb_hasher_add(&h, vectors[i].text, n);
			memcpy(all + k * n, vectors[i].text, n);
		}
		wb_hasher_finish(&h, &d);
		wb_digest_hex(hex, &d);
		assert_string_equal(hex, vectors[i].hex);
		assert_int_equal(d.size, total);
		wb_digest_of(&whole, all, total);
		assert_true(wb_digest_eq(&whole, &d));
		assert_true(wb_digest_parse(&parsed, hex, d.size));
		assert_true(wb_digest_eq(&parsed, &d));

		char path[] = "/tmp/waybill-digest-XXXXXX";
		int fd = mkstemp(path);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, all, total), total);
		struct wb_err err = WB_ERR_INIT;
		assert_ok(wb_digest_file(&of_file, path, &err), &err);
		assert_true(wb_digest_eq(&of_file, &d));
		/* From the position on. */
		assert_int_equal(lseek(fd, 0, SEEK_END), total);
		assert_ok(wb_digest_fd(&of_fd, fd, path, &err), &err);
		wb_digest_hex(hex, &of_fd);
		assert_string_equal(hex, vectors[0].hex);
		close(fd);
		unlink(path);
		free(all);
	}
}

static void test_parse(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "",
	    "abc",
	    "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ag",
	    " a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	};
	struct wb_digest d = {.size = 42};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(wb_digest_parse(&d, bad[i], 0));
	assert_false(wb_digest_parse(&d, vectors[1].hex, -1));
	assert_int_equal(d.size, 42);
	assert_true(wb_digest_parse(&d, vectors[1].hex, 3));
}

static void add_all(struct wb_digest *out, const char *const *s, size_t n)
{
	struct wb_hasher h;
	wb_hasher_init(&h);
	for (size_t i = 0; i < n; i++)
		wb_hasher_adds(&h, s[i]);
	wb_hasher_finish(&h, out);
}

static void test_strings_do_not_run_together(void **state)
{
	(void)state;
	static const char *const lists[][2] = {{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}, {"abc", NULL}};
	struct wb_digest d[5];
	for (size_t i = 0; i < 5; i++) {
		add_all(&d[i], lists[i], 2);
		for (size_t j = 0; j < i; j++)
			assert_false(wb_digest_eq(&d[i], &d[j]));
	}
}

static void test_errors(void **state)
{
	(void)state;
	struct wb_digest d;
	struct wb_err err = WB_ERR_INIT;
	assert_code(wb_digest_file(&d, "/nonexistent/file", &err), WB_ENOENT);
	assert_says(&err, "/nonexistent/file");
	assert_code(wb_digest_file(&d, "/", &err), WB_EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_strings_do_not_run_together),
	    cmocka_unit_test(test_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
