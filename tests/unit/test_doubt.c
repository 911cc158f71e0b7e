/* The table of doubts: what users see of it. */
#include "scanner/doubt.h"
#include "tests/unit/unit.h"

#include <string.h>

static void test_table(void **state)
{
	(void)state;
	for (int d = 0; d < WB_DOUBT_COUNT; d++) {
		const char *name = wb_doubt_name((enum wb_doubt)d), *text = wb_doubt_text((enum wb_doubt)d);
		size_t n = strlen(name);
		if (n == 0 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != n || name[0] == '_' ||
		    name[n - 1] == '_' || strstr(name, "__"))
			fail_msg("\"%s\" is no key: words of lower-case letters and digits, with _ between them", name);
		if (text[0] == '\0' || text[strlen(text) - 1] == '.')
			fail_msg("%s: \"%s\" is no sentence without its full stop", name, text);
		for (int e = 0; e < d; e++) {
			assert_string_not_equal(name, wb_doubt_name((enum wb_doubt)e));
			assert_string_not_equal(text, wb_doubt_text((enum wb_doubt)e));
		}
	}
	assert_string_equal(wb_doubt_name(WB_DOUBT_NONE), "none");
}

/* A number from elsewhere has some name too. */
static void test_unknown(void **state)
{
	(void)state;
	for (int d = 0; d < WB_DOUBT_COUNT; d++)
		assert_string_not_equal(wb_doubt_name(WB_DOUBT_COUNT), wb_doubt_name((enum wb_doubt)d));
	assert_string_equal(wb_doubt_name((enum wb_doubt) - 1), wb_doubt_name(WB_DOUBT_COUNT));
	assert_true(wb_doubt_text((enum wb_doubt) - 1)[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
