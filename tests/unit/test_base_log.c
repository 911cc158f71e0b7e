#include "base/arena.h"
#include "base/fileio.h"
#include "base/log.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void *write_lines(void *unused)
{
	(void)unused;
	for (int i = 0; i < 200; i++)
		wb_log(WB_LOG_INFO, "line %d", i);
	return NULL;
}

static void test_log(void **state)
{
	(void)state;
	char dir[] = "/tmp/waybill-log-XXXXXX";
	assert_non_null(mkdtemp(dir));
	struct wb_arena a;
	wb_arena_init(&a);
	struct wb_err err = WB_ERR_INIT;
	const char *path = wb_arena_printf(&a, "%s/log", dir), *aside = wb_arena_printf(&a, "%s/log.1", dir);
	wb_log(WB_LOG_ERROR, "dropped: not open yet");
	/* A log that has grown large is moved aside at open. */
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (8 << 20) + 1), 0);
	close(fd);
	assert_ok(wb_log_open(path, WB_LOG_INFO, &err), &err);
	struct stat st;
	assert_int_equal(stat(aside, &st), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	wb_log(WB_LOG_DEBUG, "dropped: level");
	wb_log(WB_LOG_ERROR, "two\nlines and \033 escape\n");
	char *big = wb_arena_alloc(&a, 20001);
	memset(big, 'x', 20000);
	wb_log(WB_LOG_WARN, "%s", big);
	pthread_t thread[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, write_lines, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	char *text;
	size_t n, lines = 0;
	assert_ok(wb_file_read(&text, &n, &a, path, 1 << 20, &err), &err);
	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	assert_int_equal(lines, 2 + 4 * 200);
	assert_null(strstr(text, "dropped"));
	assert_non_null(strstr(text, " error: two lines and ? escape\n"));
	assert_non_null(strstr(text, "xxx...\n"));
	assert_code(wb_log_open("/nonexistent/log", WB_LOG_INFO, &err), WB_ENOENT);
	assert_says(&err, "/nonexistent/log");
	assert_ok(wb_log_open("/dev/null", WB_LOG_ERROR, &err), &err);
	assert_ok(wb_dir_remove(dir, &err), &err);
	wb_arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_log)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
