/* str.h, arena.h, err.h */
#include "base/arena.h"
#include "base/str.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

static void test_affixes(void **state)
{
	(void)state;
	assert_true(wb_starts_with("-fmodule", "-f"));
	assert_true(wb_starts_with("", ""));
	assert_false(wb_starts_with("-", "-f"));
	assert_true(wb_ends_with("a.pch", ".pch"));
	assert_false(wb_ends_with("pch", ".pch"));
	assert_true(wb_ends_with("x", ""));
}

static void test_lines(void **state)
{
	(void)state;
	struct wb_str rest = wb_str_of("a\n\n b\t\r\nlast"), line;
	static const char *const want[] = {"a", "", "b", "last"};
	size_t n = 0;
	for (; wb_str_line(&rest, &line); n++)
		assert_true(n < 4 && wb_str_eq(wb_str_trim(line), wb_str_of(want[n])));
	assert_int_equal(n, 4);
	rest = wb_str_of("");
	assert_false(wb_str_line(&rest, &line));
	assert_int_equal(wb_str_trim(wb_str_of(" \t ")).n, 0);
}

static void test_buf(void **state)
{
	(void)state;
	struct wb_buf b = WB_BUF_INIT;
	for (int i = 0; i < 1000; i++)
		wb_buf_addf(&b, "%d,", i);
	assert_int_equal(b.n, 3890);
	assert_int_equal(strlen(b.p), b.n);
	wb_buf_reset(&b);
	assert_string_equal(b.p, "");
	char *big = wb_xcalloc(5001, 1);
	memset(big, 'x', 5000);
	wb_buf_addf(&b, "%s", big);
	assert_string_equal(b.p, big);
	wb_buf_add(&b, NULL, 0);
	assert_int_equal(b.n, 5000);
	free(big);
	wb_buf_release(&b);
	wb_buf_release(&b);
	wb_buf_addc(&b, 'x');
	assert_string_equal(b.p, "x");
	wb_buf_release(&b);
}

#define BAD "\xef\xbf\xbd"

static void test_json(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		size_t n;
		const char *want;
	} table[] = {
	    {"", 0, "\"\""},
	    {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
	    {"\n\t\x01\x1f", 4, "\"\\n\\t\\u0001\\u001f\""},
	    {"a\0b", 3, "\"a\\u0000b\""},
	    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
	    {"\xff", 1, "\"" BAD "\""},
	    {"\xc3", 1, "\"" BAD "\""},
	    {"\xc3x", 2, "\"" BAD "x\""},
	    {"\xc0\x80", 2, "\"" BAD BAD "\""},                 /* overlong */
	    {"\xed\xa0\x80", 3, "\"" BAD BAD BAD "\""},         /* a surrogate */
	    {"\xf4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\""}, /* above U+10FFFF */
	    {"\xe0\x80\x80", 3, "\"" BAD BAD BAD "\""},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct wb_buf b = WB_BUF_INIT;
		/* A copy of the exact size: reading beyond it is seen by the sanitizer. */
		char *in = wb_xcalloc(table[i].n, 1);
		memcpy(in, table[i].in, table[i].n);
		wb_buf_add_json(&b, in, table[i].n);
		assert_string_equal(b.p, table[i].want);
		free(in);
		wb_buf_release(&b);
	}
}

static void test_shell(void **state)
{
	(void)state;
	static const char *const table[][2] = {
	    {"-I/usr/include", "-I/usr/include"},
	    {"", "''"},
	    {"a b", "'a b'"},
	    {"it's", "'it'\\''s'"},
	    {"$x", "'$x'"},
	    {"-DA=\"b\"", "'-DA=\"b\"'"},
	    {"~", "'~'"},
	    {"a\nb", "'a\nb'"},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct wb_buf b = WB_BUF_INIT;
		wb_buf_add_shell(&b, table[i][0]);
		assert_string_equal(b.p, table[i][1]);
		wb_buf_release(&b);
	}
}

static void test_argv(void **state)
{
	(void)state;
	struct wb_arena a;
	wb_arena_init(&a);
	struct wb_argv v = {0};
	for (int i = 0; i < 500; i++) {
		wb_argv_pushf(&v, &a, "arg%d", i);
		assert_null(v.v[v.n]);
	}
	wb_argv_push(&v, &a, "last");
	assert_int_equal(v.n, 501);
	assert_string_equal(v.v[0], "arg0");
	assert_string_equal(v.v[499], "arg499");
	assert_string_equal(v.v[500], "last");
	assert_null(v.v[501]);
	wb_arena_release(&a);
}

static void test_arena(void **state)
{
	(void)state;
	struct wb_arena a;
	wb_arena_init(&a);
	for (size_t n = 0; n < 3000; n++) {
		wb_arena_strndup(&a, "odd", n % 4); /* leaves the position unaligned */
		unsigned char *p = wb_arena_alloc(&a, n);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n);
	}
	assert_true(a.used >= 3000 * 2999 / 2);
	char *big = wb_arena_alloc(&a, 8 << 20);
	big[(8 << 20) - 1] = 1;
	char *text = wb_arena_printf(&a, "%0500d", 7);
	assert_int_equal(strlen(text), 500);
	assert_string_equal(wb_arena_strndup(&a, "abc", 2), "ab");
	int *v = NULL;
	size_t cap = 0;
	for (size_t n = 0; n < 1000; n++) {
		wb_arena_grow(&a, &v, n, &cap, sizeof *v);
		v[n] = (int)n;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(v[i], i);
	wb_arena_release(&a);
	assert_int_equal(a.used, 0);
	wb_arena_release(&a);
}

static void test_err(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	assert_code(wb_fail(NULL, WB_EPROTO, "x"), WB_EPROTO);
	assert_code(wb_fail(&err, WB_EINVAL, "bad %d", 1), WB_EINVAL);
	assert_string_equal(err.text, "bad 1");
	assert_code(wb_fail(&err, WB_EIO, "again: %s", err.text), WB_EIO);
	assert_string_equal(err.text, "again: bad 1");
	assert_code(wb_fail_prefix(&err, (wb_status){WB_EBUSY}, "in %s", "x.c"), WB_EBUSY);
	assert_string_equal(err.text, "in x.c: again: bad 1");
	assert_code(wb_fail_errno(&err, ENOENT, "cannot open f"), WB_ENOENT);
	assert_string_equal(err.text, "cannot open f: No such file or directory");
	assert_code(wb_fail_errno(&err, ENOSPC, "f"), WB_ENOSPC);
	assert_code(wb_fail_errno(&err, EDQUOT, "f"), WB_ENOSPC);
	assert_code(wb_fail_errno(&err, 99999, "f"), WB_EIO);
	assert_string_equal(err.text, "f: error 99999");
	/* Too long: cut between characters, and "..." says so. */
	char long_text[5000];
	for (size_t i = 0; i + 2 < sizeof long_text; i += 2)
		memcpy(long_text + i, "\xc3\xa4", 3);
	for (size_t shift = 0; shift < 2; shift++) {
		wb_ignore(wb_fail(&err, WB_EIO, "%s%s", shift == 0 ? "" : "x", long_text));
		size_t n = strlen(err.text);
		assert_true(n < sizeof err.text && n > sizeof err.text - 8);
		assert_string_equal(err.text + n - 3, "...");
		assert_int_equal((unsigned char)err.text[n - 4], 0xa4);
	}
	for (int code = WB_OK; code <= WB_EUNSCANNABLE; code++)
		assert_string_not_equal(wb_code_name((enum wb_code)code), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_affixes), cmocka_unit_test(test_lines), cmocka_unit_test(test_buf),
	    cmocka_unit_test(test_json),    cmocka_unit_test(test_shell), cmocka_unit_test(test_argv),
	    cmocka_unit_test(test_arena),   cmocka_unit_test(test_err),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
