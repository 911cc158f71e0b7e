#include "base/map.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

enum { COUNT = 100000 };

static size_t key_of(char *out, size_t room, unsigned i)
{
	return (size_t)snprintf(out, room, "/usr/include/dir%u/header%u.h", i % 97, i);
}

static void check(const struct wb_map *m, unsigned i, bool there)
{
	char key[64];
	size_t n = key_of(key, sizeof key, i);
	union wb_map_value *v = wb_map_get(m, key, n);
	if (!there) {
		assert_null(v);
		return;
	}
	assert_non_null(v);
	assert_int_equal(v->u, i * 7u);
}

static void test_many_keys(void **state)
{
	(void)state;
	struct wb_map m;
	wb_map_init(&m);
	char key[64];
	bool fresh;
	for (unsigned i = 0; i < COUNT; i++) {
		size_t n = key_of(key, sizeof key, i);
		union wb_map_value *v = wb_map_put(&m, key, n, &fresh);
		assert_true(fresh);
		assert_int_equal(v->u, 0);
		v->u = i * 7u;
	}
	assert_int_equal(m.n, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		check(&m, i, true);
	check(&m, COUNT, false);
	for (unsigned i = 0; i < COUNT; i += 3) {
		size_t n = key_of(key, sizeof key, i);
		assert_true(wb_map_del(&m, key, n));
		assert_false(wb_map_del(&m, key, n));
	}
	for (unsigned i = 0; i < COUNT; i++)
		check(&m, i, i % 3 != 0);
	size_t at = 0, seen = 0;
	for (const struct wb_map_slot *s; (s = wb_map_next(&m, &at)) != NULL; seen++) {
		assert_int_equal(s->value.u % 7, 0);
		assert_int_not_equal(s->value.u / 7 % 3, 0);
		assert_int_equal(strlen(s->key), s->len);
	}
	assert_int_equal(seen, m.n);
	for (unsigned i = 0; i < COUNT; i += 3) {
		size_t n = key_of(key, sizeof key, i);
		wb_map_put(&m, key, n, &fresh)->u = i * 7u;
		assert_true(fresh);
	}
	for (unsigned i = 0; i < COUNT; i++)
		check(&m, i, true);
	assert_int_equal(m.n, COUNT);
	wb_map_release(&m);
}

/* Small and full: every deletion order of a crowded table leaves the others reachable. */
static void test_backward_shift(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 2000; seed++) {
		struct wb_map m;
		wb_map_init(&m);
		uint32_t random = seed * 2654435761u + 1;
		bool there[12] = {false};
		for (int step = 0; step < 60; step++) {
			random = random * 1664525u + 1013904223u;
			uint32_t k = (random >> 16) % 12 + seed * 12;
			if (random & 0x8000) {
				bool fresh;
				wb_map_put(&m, &k, sizeof k, &fresh)->u = k;
				assert_int_equal(fresh, !there[k % 12]);
				there[k % 12] = true;
			} else {
				assert_int_equal(wb_map_del(&m, &k, sizeof k), there[k % 12]);
				there[k % 12] = false;
			}
			for (uint32_t i = 0; i < 12; i++) {
				uint32_t key = seed * 12 + i;
				assert_int_equal(wb_map_get(&m, &key, sizeof key) != NULL, there[i]);
			}
		}
		wb_map_release(&m);
	}
}

/* A daemon puts and removes for days: the room of removed keys comes back. */
static void test_churn(void **state)
{
	(void)state;
	struct wb_map m;
	wb_map_init(&m);
	char key[64];
	for (unsigned i = 0; i < COUNT * 3; i++) {
		wb_map_put(&m, key, key_of(key, sizeof key, i), NULL)->u = i * 7u;
		if (i >= 100)
			assert_true(wb_map_del(&m, key, key_of(key, sizeof key, i - 100)));
	}
	assert_int_equal(m.n, 100);
	assert_true(m.keys.used < 256 * 1024);
	for (unsigned i = COUNT * 3 - 100; i < COUNT * 3; i++)
		check(&m, i, true);
	wb_map_release(&m);
}

static void test_odd_keys(void **state)
{
	(void)state;
	struct wb_map m;
	wb_map_init(&m);
	assert_null(wb_map_gets(&m, "x"));
	assert_false(wb_map_del(&m, "x", 1));
	wb_map_put(&m, NULL, 0, NULL)->u = 1;
	wb_map_put(&m, "a\0b", 3, NULL)->u = 2;
	wb_map_put(&m, "a", 1, NULL)->u = 3;
	assert_int_equal(wb_map_gets(&m, "")->u, 1);
	assert_int_equal(wb_map_get(&m, "a\0b", 3)->u, 2);
	assert_int_equal(wb_map_gets(&m, "a")->u, 3);
	assert_null(wb_map_get(&m, "a\0c", 3));
	bool fresh = true;
	assert_int_equal(wb_map_puts(&m, "a", &fresh)->u, 3);
	assert_false(fresh);
	wb_map_release(&m);
	wb_map_release(&m); /* an empty one */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_many_keys),
	    cmocka_unit_test(test_backward_shift),
	    cmocka_unit_test(test_churn),
	    cmocka_unit_test(test_odd_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
