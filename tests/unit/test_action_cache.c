#define _GNU_SOURCE
#include "base/arena.h"
#include "base/fileio.h"
#include "reapi/messages.h"
#include "service/action_cache.h"
#include "service/store.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	struct wb_store *s;
	struct wb_action_cache *c;
	struct wb_arena a;
	struct wb_err err;
};

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	strcpy(f->dir, "/tmp/waybill-test-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	wb_arena_init(&f->a);
	assert_ok(wb_store_new(&f->s, f->dir, 0, &f->err), &f->err);
	assert_ok(wb_action_cache_new(&f->c, f->dir, f->s, &f->err), &f->err);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;
	wb_action_cache_free(f->c);
	wb_store_free(f->s);
	assert_ok(wb_dir_remove(f->dir, &f->err), &f->err);
	wb_arena_release(&f->a);
	free(f);
	return 0;
}

static struct wb_digest digest_of(const char *text)
{
	struct wb_digest d;
	wb_digest_of(&d, text, strlen(text));
	return d;
}

static struct wb_digest blob(struct fixture *f, const char *text)
{
	struct wb_digest d = digest_of(text);
	assert_ok(wb_store_put(f->s, &d, text, &f->err), &f->err);
	return d;
}

/* A result that names `output` and `err_text` (NULL: none). */
static void put_result(struct fixture *f, const struct wb_digest *action, const struct wb_digest *output,
		       const struct wb_digest *err_text)
{
	wb_re_action_result m;
	wb_re_output_file file, *files[] = {&file};
	char *data;
	size_t n;
	build__bazel__remote__execution__v2__action_result__init(&m);
	build__bazel__remote__execution__v2__output_file__init(&file);
	file.path = wb_arena_strdup(&f->a, "a.o");
	file.digest = wb_re_digest_new(&f->a, output);
	m.n_output_files = 1;
	m.output_files = files;
	if (err_text != NULL)
		m.stderr_digest = wb_re_digest_new(&f->a, err_text);
	wb_message_pack(&data, &n, &f->a, &m.base);
	assert_ok(wb_action_cache_put(f->c, action, data, n, &f->err), &f->err);
}

static wb_status get(struct fixture *f, const struct wb_digest *action)
{
	char *data;
	size_t n;
	return wb_action_cache_get(&data, &n, &f->a, f->c, action, &f->err);
}

static char *entry(struct fixture *f, const struct wb_digest *action)
{
	char hex[WB_DIGEST_HEX];
	wb_digest_hex(hex, action);
	return wb_arena_printf(&f->a, "%s/ac/%.2s/%s", f->dir, hex, hex);
}

static void test_get_put(void **state)
{
	struct fixture *f = *state;
	struct wb_digest action = digest_of("action"), out = blob(f, "output"), text = blob(f, "text");
	wb_re_action_result *r;
	char *data;
	size_t n;
	assert_code(get(f, &action), WB_ENOENT);
	put_result(f, &action, &out, &text);
	assert_ok(wb_action_cache_get(&data, &n, &f->a, f->c, &action, &f->err), &f->err);
	assert_ok(wb_action_result_decode(&r, &f->a, data, n, &f->err), &f->err);
	assert_string_equal(r->output_files[0]->path, "a.o");
	put_result(f, &action, &text, NULL); /* again */
	assert_ok(wb_action_cache_get(&data, &n, &f->a, f->c, &action, &f->err), &f->err);
	assert_ok(wb_action_result_decode(&r, &f->a, data, n, &f->err), &f->err);
	assert_null(r->stderr_digest);
}

static void test_evicted(void **state)
{
	struct fixture *f = *state;
	struct wb_digest action[3] = {digest_of("1"), digest_of("2"), digest_of("3")};
	struct wb_digest out = blob(f, "output"), text = blob(f, "text"), empty = digest_of("");
	put_result(f, &action[0], &out, NULL);
	put_result(f, &action[1], &empty, &text);
	put_result(f, &action[2], &empty, NULL);
	struct wb_pins *pins = wb_pins_new(f->s);
	wb_pins_add(pins, &out);
	assert_ok(wb_store_clear(f->s, &f->err), &f->err);
	assert_ok(get(f, &action[0]), &f->err);
	assert_code(get(f, &action[1]), WB_ENOENT);
	assert_says(&f->err, "evicted");
	assert_int_equal(access(entry(f, &action[1]), F_OK), -1);
	wb_pins_free(pins);
	assert_ok(wb_store_clear(f->s, &f->err), &f->err);
	assert_ok(wb_action_cache_sweep(f->c, &f->err), &f->err);
	assert_int_equal(access(entry(f, &action[0]), F_OK), -1);
	assert_ok(get(f, &action[2]), &f->err);
	assert_ok(wb_action_cache_clear(f->c, &f->err), &f->err);
	assert_code(get(f, &action[2]), WB_ENOENT);
}

/* Every byte of an entry matters: with any one flipped, or any length cut, it is a miss, and gone. */
static void test_damaged(void **state)
{
	struct fixture *f = *state;
	struct wb_digest action = digest_of("action"), other = digest_of("other"), out = blob(f, "output");
	put_result(f, &action, &out, NULL);
	char *path = entry(f, &action), *good;
	size_t n;
	assert_ok(wb_file_read(&good, &n, &f->a, path, 1 << 20, &f->err), &f->err);
	for (size_t i = 0; i < n; i++) {
		char *bad = wb_arena_memdup(&f->a, good, n);
		bad[i] = (char)(bad[i] ^ 0x20);
		assert_ok(wb_file_write(path, bad, n, 0600, &f->err), &f->err);
		assert_code(get(f, &action), WB_ENOENT);
		assert_int_equal(access(path, F_OK), -1);
		assert_ok(wb_file_write(path, good, i, 0600, &f->err), &f->err);
		assert_code(get(f, &action), WB_ENOENT);
		assert_int_equal(access(path, F_OK), -1);
	}
	/* The result of one action under the name of another. */
	put_result(f, &other, &out, NULL);
	assert_ok(wb_file_write(entry(f, &other), good, n, 0600, &f->err), &f->err);
	assert_code(get(f, &other), WB_ENOENT);
	/* Garbage with a right checksum. */
	assert_ok(wb_action_cache_put(f->c, &action, "\xff\xff", 2, &f->err), &f->err);
	assert_code(get(f, &action), WB_ENOENT);
	/* Too much is refused. */
	char *big = calloc(1, 17 << 20);
	assert_code(wb_action_cache_put(f->c, &action, big, 17 << 20, &f->err), WB_ELIMIT);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_get_put, begin, end),
	    cmocka_unit_test_setup_teardown(test_evicted, begin, end),
	    cmocka_unit_test_setup_teardown(test_damaged, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
