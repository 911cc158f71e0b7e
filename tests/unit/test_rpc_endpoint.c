/* Endpoints: what they are read as, and which are refused. */
#include "base/arena.h"
#include "rpc/endpoint.h"
#include "tests/unit/unit.h"

#include <string.h>

static void test_endpoint(void **state)
{
	static const struct {
		const char *text, *target;
		bool tls;
	} good[] = {
	    {"grpc://build.example.com:8980", "dns:///build.example.com:8980", false},
	    {"grpc://build", "dns:///build:80", false},
	    {"grpcs://build", "dns:///build:443", true},
	    {"grpcs://build:1/", "dns:///build:1", true},
	    {"grpc://10.0.0.1:65535", "dns:///10.0.0.1:65535", false},
	    {"grpc://[::1]:8980", "dns:///%5B::1%5D:8980", false},
	    {"grpcs://[2001:db8::1]", "dns:///%5B2001:db8::1%5D:443", true},
	    {"unix:/run/cas.sock", "unix:/run/cas.sock", false},
	    {"unix:///run/cas.sock", "unix:/run/cas.sock", false},
	    {"unix:/run/100%/a?b#c", "unix:/run/100%25/a%3Fb%23c", false},
	};
	static const struct {
		const char *text, *says;
	} bad[] = {
	    {"", "grpc://HOST:PORT"},
	    {"build:8980", "grpc://HOST:PORT"},
	    {"https://build:8980", "grpc://HOST:PORT"},
	    {"GRPC://build", "grpc://HOST:PORT"},
	    {"grpc://", "no host name"},
	    {"grpc://:80", "no host name"},
	    {"grpc://build:0", "1 to 65535"},
	    {"grpc://build:65536", "1 to 65535"},
	    {"grpc://build:", "1 to 65535"},
	    {"grpc://build:99999999999999999999", "1 to 65535"},
	    {"grpc://build:80x", "'x'"},
	    {"grpc://build:80/instance", "'/instance'"},
	    {"grpc://build?x=1", "nothing may follow"},
	    {"grpc://user@build", "no host name"},
	    {"grpc://bu ild", "white space"},
	    {"grpc://build\n", "white space"},
	    {"grpc://a..b", "no host name"},
	    {"grpc://::1:80", "brackets"},
	    {"grpc://[::1", "']'"},
	    {"grpc://[::g]:80", "no host name"},
	    {"grpc://[1.2.3.4]:80", "no host name"},
	    {"unix:cas.sock", "slash"},
	    {"unix:/", "no socket"},
	};
	(void)state;
	struct wb_arena a;
	struct wb_endpoint e;
	wb_arena_init(&a);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct wb_err err = WB_ERR_INIT;
		assert_ok(wb_endpoint_parse(&e, &a, good[i].text, &err), &err);
		assert_string_equal(e.text, good[i].text);
		assert_string_equal(e.target, good[i].target);
		assert_int_equal(e.tls, good[i].tls);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct wb_err err = WB_ERR_INIT;
		assert_code(wb_endpoint_parse(&e, &a, bad[i].text, &err), WB_EINVAL);
		assert_says(&err, bad[i].says);
	}
	char path[200] = "unix:/";
	memset(path + 6, 'x', 107); /* with the slash one more than fits with its NUL */
	struct wb_err err = WB_ERR_INIT;
	assert_code(wb_endpoint_parse(&e, &a, path, &err), WB_EINVAL);
	path[6 + 106] = '\0';
	assert_ok(wb_endpoint_parse(&e, &a, path, &err), &err);
	wb_arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_endpoint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
