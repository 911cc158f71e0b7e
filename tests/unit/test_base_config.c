#include "base/arena.h"
#include "base/config.h"
#include "base/fileio.h"
#include "base/str.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct wb_arena arena;
static char top[64];
static const char *home_env, *config_env, *config_path;

static int setup(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	wb_arena_init(&arena);
	strcpy(top, "/tmp/waybill-config-XXXXXX");
	if (mkdtemp(top) == NULL)
		return -1;
	home_env = wb_arena_printf(&arena, "HOME=%s", top);
	config_path = wb_arena_printf(&arena, "%s/test.conf", top);
	config_env = wb_arena_printf(&arena, "WAYBILL_CONFIG=%s", config_path);
	assert_ok(wb_dir_make(wb_arena_printf(&arena, "%s/xdg/waybill", top), 0755, &err), &err);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_dir_remove(top, &err), &err);
	wb_arena_release(&arena);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_file_write(path, text, strlen(text), 0644, &err), &err);
}

static void test_defaults(void **state)
{
	(void)state;
	struct wb_config c;
	struct wb_err err = WB_ERR_INIT;
	const char *env[] = {home_env, "PATH=/bin", "WAYBILLX=1", NULL};
	assert_ok(wb_config_load(&c, &arena, env, &err), &err);
	for (int i = 0; i < WB_SET_COUNT; i++) {
		assert_non_null(c.value[i]);
		/* Every row is complete, and its default is a value that it would take. */
		const struct wb_setting_row *row = &wb_setting_table[i];
		assert_true(row->key != NULL && row->env != NULL && row->help != NULL);
		assert_true(strncmp(row->env, "WAYBILL_", 8) == 0 && strlen(row->env) == strlen(row->key) + 8);
		assert_int_equal(row->choices != NULL, row->type == WB_TYPE_CHOICE);
		struct wb_config again = c;
		assert_ok(wb_config_set(&again, &arena, row->key, c.value[i], "test", &err), &err);
		assert_string_equal(again.value[i], c.value[i]);
	}
	assert_string_equal(c.value[WB_SET_CACHE_DIR], wb_arena_printf(&arena, "%s/.cache/waybill", top));
	assert_string_equal(c.value[WB_SET_SYSTEM_DIRS], "/usr:/lib:/lib32:/lib64:/libx32:/bin:/sbin:/etc:/opt");
	assert_int_equal(wb_config_number(&c, WB_SET_CACHE_SIZE), INT64_C(20) << 30);
	assert_int_equal(wb_config_number(&c, WB_SET_IDLE_TIMEOUT), 600);
	assert_true(wb_config_is(&c, WB_SET_PATHS, "relative"));
	assert_true(wb_config_is(&c, WB_SET_MODE, "auto"));
	assert_false(wb_config_is(&c, WB_SET_MODE, "local"));
}

static void test_cache_dir(void **state)
{
	(void)state;
	const char *fallback = wb_arena_printf(&arena, "/tmp/waybill-cache-%u", (unsigned)getuid());
	const struct {
		const char *one, *two, *want;
	} table[] = {
	    {"XDG_CACHE_HOME=/x/c", "HOME=/h", "/x/c/waybill"},
	    {"XDG_CACHE_HOME=", "HOME=/h", "/h/.cache/waybill"},
	    {"XDG_CACHE_HOME=rel", "HOME=/h/", "/h/.cache/waybill"},
	    {"A=b", "HOME=", fallback},
	    {"A=b", "C=d", fallback},
	    {"WAYBILL_CACHE_DIR=/own//dir/", "HOME=/h", "/own/dir"},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct wb_config c;
		struct wb_err err = WB_ERR_INIT;
		const char *env[] = {table[i].one, table[i].two, NULL};
		assert_ok(wb_config_load(&c, &arena, env, &err), &err);
		assert_string_equal(c.value[WB_SET_CACHE_DIR], table[i].want);
	}
}

static void test_order(void **state)
{
	(void)state;
	struct wb_config c;
	struct wb_err err = WB_ERR_INIT;
	write_file(wb_arena_printf(&arena, "%s/xdg/waybill/waybill.conf", top), "jobs = 5\n");
	const char *xdg = wb_arena_printf(&arena, "XDG_CONFIG_HOME=%s/xdg", top);
	const char *from_xdg[] = {home_env, xdg, NULL};
	assert_ok(wb_config_load(&c, &arena, from_xdg, &err), &err);
	assert_int_equal(wb_config_number(&c, WB_SET_JOBS), 5);

	write_file(config_path,
		   "# comment\n\n  jobs=3  \r\n\tcache_size = 2M\nmode =local\njobs = 4\nroot = /r/./s//# no comment");
	const char *named[] = {home_env, xdg, config_env, "WAYBILL_DISABLE=1", "WAYBILL_DAEMON=/d", NULL};
	assert_ok(wb_config_load(&c, &arena, named, &err), &err);
	assert_int_equal(wb_config_number(&c, WB_SET_JOBS), 4);
	assert_int_equal(wb_config_number(&c, WB_SET_CACHE_SIZE), 2 << 20);
	assert_true(wb_config_is(&c, WB_SET_MODE, "local"));
	assert_string_equal(c.value[WB_SET_ROOT], "/r/s/# no comment");

	const char *both[] = {config_env, "WAYBILL_JOBS=9", "WAYBILL_ROOT=", "WAYBILL_JOBS=bad, but the second", NULL};
	assert_ok(wb_config_load(&c, &arena, both, &err), &err);
	assert_int_equal(wb_config_number(&c, WB_SET_JOBS), 9);
	assert_string_equal(c.value[WB_SET_ROOT], "");
	assert_true(wb_config_is(&c, WB_SET_MODE, "local"));
}

static void test_file_errors(void **state)
{
	(void)state;
	static const struct {
		const char *text, *line, *says;
	} table[] = {
	    {"jobs = 1\n\nnonsense = 2\n", ":3: ", "'nonsense'"},
	    {"jobs\n", ":1: ", "'jobs'"},
	    {"# x\njobs = many\n", ":2: ", "'many'"},
	    {"= 3\n", ":1: ", "''"},
	    {"mode = fast\n", ":1: ", "auto, remote, cache, local or off"},
	    {"log_level =\n", ":1: ", "error, warn, info or debug"},
	    {"jobs = 1 # no comment here\n", ":1: ", "1 # no"},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct wb_config c;
		struct wb_err err = WB_ERR_INIT;
		const char *env[] = {config_env, NULL};
		write_file(config_path, table[i].text);
		assert_code(wb_config_load(&c, &arena, env, &err), WB_EINVAL);
		assert_says(&err, wb_arena_printf(&arena, "%s%s", config_path, table[i].line));
		assert_says(&err, table[i].says);
	}
	struct wb_config c;
	struct wb_err err = WB_ERR_INIT;
	const char *env[] = {config_env, NULL};
	assert_ok(wb_file_write(config_path, "jobs = 1\nro\0t = /\n", 18, 0644, &err), &err);
	assert_code(wb_config_load(&c, &arena, env, &err), WB_EINVAL);
	assert_says(&err, ":2: there is a NUL byte");
	/* One that is named must be there; the others need not. */
	unlink(config_path);
	assert_code(wb_config_load(&c, &arena, env, &err), WB_ENOENT);
	assert_says(&err, config_path);
	const char *odd[] = {"XDG_CONFIG_HOME=/dev/null", "HOME=/nonexistent", NULL};
	assert_ok(wb_config_load(&c, &arena, odd, &err), &err);
	const char *null[] = {"WAYBILL_CONFIG=/dev/null", NULL};
	assert_ok(wb_config_load(&c, &arena, null, &err), &err);
}

static void test_env_errors(void **state)
{
	(void)state;
	static const struct {
		const char *variable, *says;
	} table[] = {
	    {"WAYBILL_JOB=3", "'WAYBILL_JOB'"},          {"WAYBILL_=3", "'WAYBILL_'"},
	    {"WAYBILL_JOBS=-1", "WAYBILL_JOBS"},         {"WAYBILL_ROOT=rel", "absolute path"},
	    {"WAYBILL_CACHE_DIR=", "WAYBILL_CACHE_DIR"}, {"WAYBILL_CONFIGS=/x", "'WAYBILL_CONFIGS'"},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct wb_config c;
		struct wb_err err = WB_ERR_INIT;
		const char *env[] = {"HOME=/nonexistent", table[i].variable, NULL};
		assert_code(wb_config_load(&c, &arena, env, &err), WB_EINVAL);
		assert_says(&err, "environment");
		assert_says(&err, table[i].says);
	}
}

static void test_values(void **state)
{
	(void)state;
	static const struct {
		const char *key, *value;
		bool good;
		int64_t number;
	} table[] = {
	    {"cache_size", "0", true, 0},
	    {"cache_size", "512", true, 512},
	    {"cache_size", "1K", true, 1024},
	    {"cache_size", "3m", true, 3 << 20},
	    {"cache_size", "20G", true, INT64_C(20) << 30},
	    {"cache_size", "2T", true, INT64_C(2) << 40},
	    {"cache_size", "9223372036854775807", true, INT64_MAX},
	    {"cache_size", "9223372036854775808", false, 0},
	    {"cache_size", "8388608T", false, 0},
	    {"cache_size", "8388607T", true, INT64_C(8388607) << 40},
	    {"cache_size", "", false, 0},
	    {"cache_size", "G", false, 0},
	    {"cache_size", "1GB", false, 0},
	    {"cache_size", "1 G", false, 0},
	    {"cache_size", "-1", false, 0},
	    {"cache_size", "+1", false, 0},
	    {"cache_size", "1X", false, 0},
	    {"jobs", "16", true, 16},
	    {"jobs", "1000000000", true, 1000000000},
	    {"jobs", "1000000001", false, 0},
	    {"jobs", "1K", false, 0},
	    {"jobs", "0x10", false, 0},
	    {"sandbox", "bwrap", true, 0},
	    {"sandbox", "bwra", false, 0},
	    {"sandbox", "bwrap|none", false, 0},
	    {"sandbox", "AUTO", false, 0},
	    {"system_dirs", "/a:/b", true, 0},
	    {"system_dirs", "", true, 0},
	    {"system_dirs", "/a:", false, 0},
	    {"system_dirs", ":/a", false, 0},
	    {"system_dirs", "/a::/b", false, 0},
	    {"system_dirs", "/a:b", false, 0},
	    {"no_such_key", "1", false, 0},
	    {"", "1", false, 0},
	};
	const char *env[] = {"HOME=/nonexistent", NULL};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct wb_config c, before;
		struct wb_err err = WB_ERR_INIT;
		assert_ok(wb_config_load(&c, &arena, env, &err), &err);
		before = c;
		wb_status s = wb_config_set(&c, &arena, table[i].key, table[i].value, "somewhere", &err);
		if (!table[i].good) {
			assert_code(s, WB_EINVAL);
			assert_says(&err, "somewhere: ");
			assert_memory_equal(&c, &before, sizeof c);
			continue;
		}
		assert_ok(s, &err);
		if (strcmp(table[i].key, "cache_size") == 0)
			assert_int_equal(wb_config_number(&c, WB_SET_CACHE_SIZE), table[i].number);
		if (strcmp(table[i].key, "jobs") == 0)
			assert_int_equal(wb_config_number(&c, WB_SET_JOBS), table[i].number);
	}
	struct wb_config c;
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_config_load(&c, &arena, env, &err), &err);
	assert_ok(wb_config_set(&c, &arena, "system_dirs", "/a//b/:/c/.", "x", &err), &err);
	assert_string_equal(c.value[WB_SET_SYSTEM_DIRS], "/a/b:/c");
}

static void test_env_get(void **state)
{
	(void)state;
	const char *env[] = {"AB=1", "A=2", "A=3", "EMPTY=", "NOEQ", NULL};
	assert_string_equal(wb_env_get(env, "A"), "2");
	assert_string_equal(wb_env_get(env, "AB"), "1");
	assert_string_equal(wb_env_get(env, "EMPTY"), "");
	assert_null(wb_env_get(env, "NOEQ"));
	assert_null(wb_env_get(env, "B"));
	assert_null(wb_env_get(NULL, "B"));
}

static void test_print(void **state)
{
	(void)state;
	for (int format = WB_CONFIG_MARKDOWN; format <= WB_CONFIG_MAN; format++) {
		struct wb_buf b = WB_BUF_INIT;
		wb_config_print(&b, (enum wb_config_format)format);
		for (int i = 0; i < WB_SET_COUNT; i++) {
			assert_non_null(strstr(b.p, wb_setting_table[i].key));
			assert_non_null(strstr(b.p, wb_setting_table[i].env));
		}
		assert_non_null(strstr(b.p, "WAYBILL_DISABLE"));
		/* Every Markdown row has as many cells as its table's head. */
		struct wb_str rest = {b.p, b.n}, line;
		size_t want = 0;
		while (format == WB_CONFIG_MARKDOWN && wb_str_line(&rest, &line)) {
			size_t bars = 0;
			for (size_t i = 0; i < line.n; i++)
				bars += line.p[i] == '|' && (i == 0 || line.p[i - 1] != '\\');
			if (bars == 0)
				want = 0;
			else if (want == 0)
				want = bars;
			assert_int_equal(bars, want);
		}
		wb_buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),    cmocka_unit_test(test_cache_dir),  cmocka_unit_test(test_order),
	    cmocka_unit_test(test_file_errors), cmocka_unit_test(test_env_errors), cmocka_unit_test(test_values),
	    cmocka_unit_test(test_env_get),     cmocka_unit_test(test_print),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
