/* The words behind `scan` and `why`. */
#include "unit.h"

#include "base/arena.h"
#include "service/scan_options.h"

#include <string.h>

static wb_status parse(struct wb_scan_options *o, struct wb_arena *a, enum wb_scan_verb verb, const char *words,
		       struct wb_err *err)
{
	struct wb_argv argv = {0};
	char *save, *copy = wb_arena_strdup(a, words);

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		wb_argv_push(&argv, a, w);
	static const char *const none[] = {NULL};
	return wb_scan_options_parse(o, a, verb, argv.n ? argv.v : none, err);
}

static void words_that_fit(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_scan_options o;
	struct wb_arena a;

	(void)state;
	wb_arena_init(&a);
	assert_ok(parse(&o, &a, WB_SCAN_VERB_SCAN, "-- cc -c -p x.c", &err), &err);
	assert_null(o.database);
	assert_string_equal(o.command[0], "cc");
	assert_string_equal(o.command[3], "x.c");
	assert_int_equal(o.format, WB_SCAN_MAKE);
	assert_int_equal(o.repeat, 1);
	assert_ok(parse(&o, &a, WB_SCAN_VERB_SCAN, "one.c -j 3 -pdir --format=paths two.c --engine=clang", &err), &err);
	assert_string_equal(o.database, "dir");
	assert_int_equal(o.jobs, 3);
	assert_int_equal(o.format, WB_SCAN_PATHS);
	assert_string_equal(o.engine, "clang");
	assert_int_equal(o.noperand, 2);
	assert_string_equal(o.operand[1], "two.c");
	assert_null(o.operand[2]);
	assert_ok(parse(&o, &a, WB_SCAN_VERB_SCAN, "-p . --engine=both --repeat=7 --reask=2", &err), &err);
	assert_true(o.both && o.stats && !o.engine);
	assert_int_equal(o.repeat, 7);
	assert_int_equal(o.reask, 2);
	assert_ok(parse(&o, &a, WB_SCAN_VERB_WHY, "x.h --all --format=json -- cc -c x.c", &err), &err);
	assert_true(o.all);
	assert_int_equal(o.format, WB_SCAN_JSON);
	assert_ok(parse(&o, &a, WB_SCAN_VERB_WHY, "-p build x.h x.c", &err), &err);
	assert_string_equal(o.operand[0], "x.h");
	wb_arena_release(&a);
}

static void words_that_do_not(void **state)
{
	static const struct {
		enum wb_scan_verb verb;
		const char *words, *says;
	} row[] = {
	    {WB_SCAN_VERB_SCAN, "", "-p DIR"},
	    {WB_SCAN_VERB_SCAN, "--", "no compile command"},
	    {WB_SCAN_VERB_SCAN, "-p", "-p wants"},
	    {WB_SCAN_VERB_SCAN, "-p -- cc", "-p wants"},
	    {WB_SCAN_VERB_SCAN, "-p a -p b", "twice"},
	    {WB_SCAN_VERB_SCAN, "-p a -- cc -c x.c", "exclude"},
	    {WB_SCAN_VERB_SCAN, "x.c -- cc -c x.c", "'x.c'"},
	    {WB_SCAN_VERB_SCAN, "-p a -j", "-j wants"},
	    {WB_SCAN_VERB_SCAN, "-p a -j 0", "'0'"},
	    {WB_SCAN_VERB_SCAN, "-p a -j -1", "'-1'"},
	    {WB_SCAN_VERB_SCAN, "-p a -j 1x", "'1x'"},
	    {WB_SCAN_VERB_SCAN, "-p a -j 99999999999999999999", "1024"},
	    {WB_SCAN_VERB_SCAN, "-p a --repeat=", "''"},
	    {WB_SCAN_VERB_SCAN, "-p a --format=xml", "'xml': make, json or paths"},
	    {WB_SCAN_VERB_SCAN, "-p a --engine=gcc", "'gcc': directives, clang or both"},
	    {WB_SCAN_VERB_SCAN, "-p a --engine=both --format=json", "both"},
	    {WB_SCAN_VERB_SCAN, "-p a --all", "'--all'"},
	    {WB_SCAN_VERB_SCAN, "-p a -", "'-'"},
	    {WB_SCAN_VERB_WHY, "-- cc -c x.c", "which header"},
	    {WB_SCAN_VERB_WHY, "a.h b.h -- cc -c x.c", "'b.h'"},
	    {WB_SCAN_VERB_WHY, "a.h -p d", "one source"},
	    {WB_SCAN_VERB_WHY, "a.h --format=make -p d x.c", "text or json"},
	    {WB_SCAN_VERB_WHY, "a.h -j 2 -p d x.c", "'-j'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct wb_err err = WB_ERR_INIT;
		struct wb_scan_options o;
		struct wb_arena a;

		wb_arena_init(&a);
		assert_code(parse(&o, &a, row[i].verb, row[i].words, &err), WB_EINVAL);
		assert_says(&err, row[i].says);
		wb_arena_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_that_fit),
	    cmocka_unit_test(words_that_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
