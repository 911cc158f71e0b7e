/* compile_commands.json: what is read, what is refused and where. The oracle for splitting is /bin/sh, for a real file
 * CMake. */
#include "base/process.h"
#include "scanner/compile_database.h"
#include "tests/unit/tempdir.h"

static struct wb_compile_database parse_ok(struct wb_arena *a, const char *text)
{
	struct wb_compile_database db;
	struct wb_err err = WB_ERR_INIT;

	assert_ok(wb_compile_database_parse(&db, a, text, strlen(text), "db.json", "/base", &err), &err);
	return db;
}

static void test_entries(void **state)
{
	(void)state;
	struct wb_arena a;
	wb_arena_init(&a);
	struct wb_compile_database db = parse_ok(&a, "\xef\xbb\xbf[\n{\"directory\": \"/b\", \"command\": "
						     "\"/usr/bin/waybill clang++ -DX='a b' -c x.cc\", \"file\": "
						     "\"x.cc\",\n \"output\": \"x.o\"},\n"
						     "{\"file\":\"\\u00fc.c\",\"arguments\":[\"cc\",\"\",\"-c\",\"\xff."
						     "c\"],\"directory\":\"sub\", \"more\": {\"k\": "
						     "[1, null]}} ]\n");

	assert_int_equal(db.n, 2);
	assert_null(db.entry[0].error);
	assert_string_equal(db.entry[0].directory, "/b");
	assert_string_equal(db.entry[0].file, "x.cc");
	assert_string_equal(db.entry[0].output, "x.o");
	assert_int_equal(db.entry[0].line, 2);
	assert_string_equal(db.entry[0].argv[0], "clang++");
	assert_string_equal(db.entry[0].argv[1], "-DX=a b");
	assert_string_equal(db.entry[0].argv[3], "x.cc");
	assert_null(db.entry[0].argv[4]);
	assert_null(db.entry[1].error);
	assert_string_equal(db.entry[1].directory, "/base/sub");
	assert_string_equal(db.entry[1].file, "\xc3\xbc.c");
	assert_null(db.entry[1].output);
	assert_int_equal(db.entry[1].line, 4);
	assert_string_equal(db.entry[1].argv[1], "");
	assert_string_equal(db.entry[1].argv[3], "\xff.c"); /* names are bytes, not UTF-8 */
	assert_null(db.entry[1].argv[4]);
	assert_int_equal(parse_ok(&a, " [ ] ").n, 0);
	wb_arena_release(&a);
}

/* One bad entry leaves the others alone. */
static void test_bad_entries(void **state)
{
	(void)state;
	static const struct {
		const char *entry, *error;
	} row[] = {
	    {"{}", "no \"directory\""},
	    {"{\"directory\": 3, \"command\": \"cc\"}", "\"directory\" is not a string"},
	    {"{\"directory\": \"/\"}", "neither"},
	    {"{\"directory\": \"/\", \"command\": \"\"}", "empty"},
	    {"{\"directory\": \"/\", \"command\": \"waybill\"}", "empty"},
	    {"{\"directory\": \"/\", \"command\": [\"cc\"]}", "\"command\" is not a string"},
	    {"{\"directory\": \"/\", \"command\": \"cc 'x\"}", "ends inside"},
	    {"{\"directory\": \"/\", \"command\": \"cc a.c && touch b\"}", "needs a shell"},
	    {"{\"directory\": \"/\", \"arguments\": \"cc\"}", "not an array"},
	    {"{\"directory\": \"/\", \"arguments\": []}", "empty"},
	    {"{\"directory\": \"/\", \"arguments\": [\"cc\", 1]}", "not a string"},
	    {"{\"directory\": \"/\", \"arguments\": [\"c\\u0000c\"]}", "NUL"},
	    {"{\"directory\": \"/\\u0000\", \"command\": \"cc\"}", "NUL"},
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct wb_arena a;
		wb_arena_init(&a);
		struct wb_compile_database db = parse_ok(
		    &a, wb_arena_printf(&a, "[%s, {\"directory\": \"/\", \"command\": \"cc -c a.c\"}]", row[i].entry));

		assert_int_equal(db.n, 2);
		assert_non_null(db.entry[0].error);
		if (!strstr(db.entry[0].error, row[i].error))
			fail_msg("%s: '%s' does not say '%s'", row[i].entry, db.entry[0].error, row[i].error);
		assert_null(db.entry[0].argv);
		assert_null(db.entry[1].error);
		assert_string_equal(db.entry[1].argv[2], "a.c");
		wb_arena_release(&a);
	}
}

static void test_malformed(void **state)
{
	(void)state;
	static const struct {
		const char *text, *where;
	} row[] = {
	    {"", "db.json:1:1: "},
	    {"{}", "db.json:1:1: "},
	    {"[", "db.json:1:2: "},
	    {"[\n{}\n", "db.json:3:1: "},
	    {"[\n{},\n]", "db.json:3:1: "},
	    {"[\n{}\n{}]", "db.json:3:1: "},
	    {"[{}] x", "db.json:1:6: "},
	    {"[\n  7]", "db.json:2:3: "},
	    {"[\n{\"a\": \"x}\n]", "db.json:"}, /* open string: the end is far */
	    {"[\n {\"a\" 1}]", "db.json:2:7: "},
	    {"[{\"a\": 'x'}]", "db.json:1:8: "},
	    {"[{\"a\": [[[[[[[[[[1]]]]]]]]]]}]", "db.json:1:"},
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct wb_compile_database db;
		struct wb_err err = WB_ERR_INIT;
		struct wb_arena a;

		wb_arena_init(&a);
		wb_status s =
		    wb_compile_database_parse(&db, &a, row[i].text, strlen(row[i].text), "db.json", "/", &err);
		if (s.code != WB_EINVAL || strncmp(err.text, row[i].where, strlen(row[i].where)) != 0)
			fail_msg("%s: %d %s", row[i].text, s.code, err.text);
		wb_arena_release(&a);
	}
}

static void test_limits(void **state)
{
	(void)state;
	struct wb_compile_database db;
	struct wb_err err = WB_ERR_INIT;
	struct wb_arena a;

	wb_arena_init(&a);
	size_t n = WB_DATABASE_MAX_ENTRY + 64;
	char *text = wb_arena_alloc(&a, n + 1);
	memset(text, 'x', n);
	memcpy(text, "[{\"a\":\"", 7);
	memcpy(text + n - 3, "\"}]", 3);
	assert_int_equal(wb_compile_database_parse(&db, &a, text, n, "db.json", "/", &err).code, WB_ELIMIT);

	/* The splitter's memory grows with the text, not with its square. */
	size_t words = 200000;
	char *command = wb_arena_alloc(&a, 2 * words + 1);
	for (size_t i = 0; i < words; i++)
		memcpy(command + 2 * i, "x ", 2);
	struct wb_argv argv = {0};
	size_t before = a.used;
	assert_ok(wb_shell_split(&argv, &a, command, &err), &err);
	assert_int_equal(argv.n, words);
	assert_true(a.used - before < words * 64);

	assert_int_equal(wb_compile_database_read(&db, &a, "/nonexistent/compile_commands.json", &err).code, WB_ENOENT);
	assert_int_equal(wb_compile_database_read(&db, &a, "/dev/zero", &err).code, WB_EINVAL);
	wb_arena_release(&a);
}

/* The words that a real shell makes of a command. */
static void test_split_as_shell(void **state)
{
	(void)state;
	static const char *const row[] = {
	    "c++ -c a.cc",
	    "  c++\t-c   a.cc  ",
	    "c++ '' \"\" -DX=\"\"",
	    "c++ -DX='a \\b \"c\"' \"-DY=\\\"q\\\"\" -DZ=\\'",
	    "c++ \"a\\b\" \"a\\\\b\" \"a\\$b\" \"a\\`b\" 'a'\"b\"c\\ d",
	    "c++ a\\\nb \"c\\\nd\"",
	    "c++ -I'/with space/'x a#b \\#c \\$HOME '$HOME' x$ \"$\" a=b ~ ",
	    "c++ trailing\\\\",
	    "c++ \"new\nline\" 'new\nline'",
	    "c++ \\;\\&\\|\\<\\>\\(\\) ';' \"|\"",
	    "c++ \"-DQ=\\\"a b\\\"\" -DNAME=\\\"x\\ y\\\" \xc3\xbc \xff",
	    "c++ end\n",
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct wb_arena a;
		wb_arena_init(&a);
		struct wb_argv argv = {0};
		struct wb_err err = WB_ERR_INIT;
		struct wb_buf sh = WB_BUF_INIT, ours = WB_BUF_INIT;
		int status;

		assert_ok(wb_shell_split(&argv, &a, row[i], &err), &err);
		for (size_t k = 0; k < argv.n; k++)
			wb_buf_addf(&ours, "<%s>\n", argv.v[k]);
		const char *script = wb_arena_printf(&a, "HOME=\\~; printf '<%%s>\\n' %s", row[i]);
		const char *cmd[] = {"sh", "-c", script, NULL};
		const char *env[] = {"PATH=/usr/bin:/bin", NULL};
		struct wb_process p = {.argv = cmd, .env = env, .out = &sh, .err_out = &sh};
		assert_ok(wb_process_run(&status, &p, &err), &err);
		assert_int_equal(status, 0);
		assert_string_equal(ours.p, sh.p);
		wb_buf_release(&sh);
		wb_buf_release(&ours);
		wb_arena_release(&a);
	}
}

static void test_split_refuses(void **state)
{
	(void)state;
	static const char *const row[] = {"c $X", "c \"$X\"", "c ${X}",   "c $(x)",    "c `x`", "c \"`x`\"", "a;b",
					  "a&b",  "a|b",      "a<b",      "a>b",       "(a)",   "a #b",      "a\nb",
					  "a 'b", "a \"b",    "a $'\\n'", "a \"b\\\"", NULL};

	for (size_t i = 0; row[i]; i++) {
		struct wb_arena a;
		wb_arena_init(&a);
		struct wb_argv argv = {0};
		struct wb_err err = WB_ERR_INIT;

		if (wb_shell_split(&argv, &a, row[i], &err).code != WB_EINVAL || !err.text[0])
			fail_msg("not refused: %s", row[i]);
		wb_arena_release(&a);
	}
}

/* What CMake writes for awkward names and definitions, against the -D values that the build itself would give. */
static void test_cmake(void **state)
{
	(void)state;
	struct tempdir t;
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf out = WB_BUF_INIT;
	struct wb_compile_database db;
	int status;

	tempdir_init(&t);
	tempdir_file(&t, "CMakeLists.txt",
		     "cmake_minimum_required(VERSION 3.25)\nproject(p C)\nadd_library(l \"a b\xc3\xbc.c\")\n"
		     "target_compile_definitions(l PRIVATE [[T=\"x `y` 'z' \\n\"]])\n");
	tempdir_file(&t, "a b\xc3\xbc.c", "int x;\n");
	const char *cmd[] = {"cmake",
			     "-S",
			     t.path,
			     "-B",
			     tempdir_path(&t, "b"),
			     "-G",
			     "Ninja",
			     "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
			     "-DCMAKE_C_COMPILER_LAUNCHER=/opt/waybill",
			     NULL};
	struct wb_process p = {.argv = cmd, .out = &out, .err_out = &out};
	assert_ok(wb_process_run(&status, &p, &err), &err);
	if (status != 0)
		fail_msg("%s", out.p);
	assert_ok(wb_compile_database_read(&db, &t.a, tempdir_path(&t, "b/compile_commands.json"), &err), &err);
	assert_int_equal(db.n, 1);
	if (db.entry[0].error)
		fail_msg("%s", db.entry[0].error);
	assert_null(strstr(db.entry[0].argv[0], "waybill"));
	bool defined = false, named = false;
	for (size_t i = 0; db.entry[0].argv[i]; i++) {
		defined |= strcmp(db.entry[0].argv[i], "-DT=\"x `y` 'z' \\n\"") == 0;
		named |= strcmp(db.entry[0].argv[i], tempdir_path(&t, "a b\xc3\xbc.c")) == 0;
	}
	assert_true(defined);
	assert_true(named);
	assert_string_equal(db.entry[0].directory, tempdir_path(&t, "b"));
	wb_buf_release(&out);
	tempdir_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_entries), cmocka_unit_test(test_bad_entries),    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_limits),  cmocka_unit_test(test_split_as_shell), cmocka_unit_test(test_split_refuses),
	    cmocka_unit_test(test_cmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
