/* unit.h — what every unit test needs: cmocka with the headers it wants first, and checks for wb_status. */
#ifndef WB_TESTS_UNIT_H
#define WB_TESTS_UNIT_H

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The call succeeds; else the test fails with the text of `errp`. */
#define assert_ok(call, errp)                                                                                          \
	do {                                                                                                           \
		wb_status assert_status_ = (call);                                                                     \
		if (!wb_is_ok(assert_status_))                                                                         \
			fail_msg("%s: %s: %s", #call, wb_code_name(assert_status_.code), (errp)->text);                \
	} while (0)

/* The call fails with `want`. */
#define assert_code(call, want)                                                                                        \
	do {                                                                                                           \
		wb_status assert_status_ = (call);                                                                     \
		if (assert_status_.code != (want))                                                                     \
			fail_msg("%s: got '%s', expected '%s'", #call, wb_code_name(assert_status_.code),              \
				 wb_code_name(want));                                                                  \
	} while (0)

/* The text of `errp` contains `part`. */
#define assert_says(errp, part)                                                                                        \
	do {                                                                                                           \
		if (__builtin_strstr((errp)->text, (part)) == NULL)                                                    \
			fail_msg("'%s' does not say '%s'", (errp)->text, (part));                                      \
	} while (0)

#endif
