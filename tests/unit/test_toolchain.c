/* What compilers say about themselves, and when they are asked again. */
#define _GNU_SOURCE
#include "base/fileio.h"
#include "base/path.h"
#include "base/process.h"
#include "scanner/identity.h"
#include "tests/unit/scan_oracle.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct wb_toolchain *get_from(struct oracle *o, struct wb_toolchains *t, const char *line)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_command cmd;
	const struct wb_toolchain *tc = NULL;
	enum wb_reason reason = WB_REASON_NONE;
	oracle_command(o, &cmd, line);
	assert_ok(wb_toolchain_get(&tc, t, &cmd, "/usr/bin:/bin", &reason, &err), &err);
	return tc;
}

static const struct wb_toolchain *get(struct oracle *o, const char *line)
{
	return get_from(o, o->toolchains, line);
}

static void refused(struct oracle *o, const char *line, enum wb_reason want)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_command cmd;
	const struct wb_toolchain *tc;
	enum wb_reason reason = WB_REASON_NONE;
	oracle_command(o, &cmd, line);
	wb_status s = wb_toolchain_get(&tc, o->toolchains, &cmd, "/usr/bin:/bin", &reason, &err);
	if (s.code != WB_EUNSCANNABLE || reason != want || !err.text[0])
		fail_msg("%s: %s, %s (%s)", line, wb_code_name(s.code), wb_reason_name(reason), err.text);
}

static void test_compilers(void **state)
{
	struct oracle *o = *state;
	static const struct {
		const char *name;
		enum wb_compiler kind;
		unsigned major;
	} row[] = {{"clang++-22", WB_COMPILER_CLANG, 22},
		   {"clang++-19", WB_COMPILER_CLANG, 19},
		   {"clang++-16", WB_COMPILER_CLANG, 16},
		   {"clang++-14", WB_COMPILER_CLANG, 14},
		   {"g++-12", WB_COMPILER_GCC, 12}};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		if (!oracle_has(row[i].name))
			continue;
		const struct wb_toolchain *tc = get(o, wb_arena_printf(&o->a, "%s -c x.cc", row[i].name));
		bool clang = row[i].kind == WB_COMPILER_CLANG;
		assert_int_equal(tc->compiler, row[i].kind);
		assert_int_equal(tc->major, row[i].major);
		assert_string_equal(wb_path_basename(tc->executable), row[i].name);
		assert_non_null(strstr(tc->version, clang ? "clang version" : "12."));
		assert_non_null(strstr(tc->target, "-linux-gnu"));
		assert_true(clang == (tc->resource_dir != NULL));
		assert_true(tc->ndir >= 4 && tc->nown_dir >= 1);
		bool vector = false;
		for (size_t d = 0; d < tc->ndir; d++)
			vector = vector || access(wb_arena_printf(&o->a, "%s/vector", tc->dir[d].path), R_OK) == 0;
		assert_true(vector);
		assert_non_null(strstr(tc->macros, "#define __cplusplus "));
		assert_true(wb_toolchain_defines(tc, "__has_feature") == clang);
		assert_true(wb_toolchain_defines(tc, "__has_builtin"));
		assert_true(wb_toolchain_defines(tc, "__has_include"));
		assert_false(wb_toolchain_defines(tc, "__nonsense"));
		assert_non_null(strstr(tc->macros, "__FLT_EVAL_METHOD__ "));
		assert_ptr_equal(tc, get(o, wb_arena_printf(&o->a, "%s -c y.cc", row[i].name)));
	}
}

/* Debian's c++ goes through /etc/alternatives, which actions do not see. */
static void test_names(void **state)
{
	struct oracle *o = *state;
	char target[256] = "";
	if (readlink("/usr/bin/c++", target, sizeof target - 1) > 0 && wb_starts_with(target, "/etc/alternatives/"))
		assert_string_equal(get(o, "c++ -c x.cc")->executable, "/usr/bin/g++");
	assert_string_equal(get(o, "/usr/bin/../bin/g++ -c x.cc")->executable, "/usr/bin/g++");
	/* Names relative to the cwd. */
	oracle_link(o, "/usr/bin/clang++-22", "clang++");
	const struct wb_toolchain *tc = get(o, "./clang++ -c x.cc");
	assert_string_equal(tc->executable, wb_arena_printf(&o->a, "%s/clang++", wb_path_real(&o->a, o->dir)));
	assert_int_equal(tc->compiler, WB_COMPILER_CLANG);
	/* A compiler under the name of another: the caller sees which it is and parses again. */
	oracle_link(o, "/usr/bin/clang++-22", "g++");
	assert_int_equal(get(o, "./g++ -c x.cc")->compiler, WB_COMPILER_CLANG);
}

static void copy_program(struct oracle *o, const char *from, const char *name)
{
	struct wb_err err = WB_ERR_INIT;
	const char *to = wb_path_join(&o->a, o->dir, name);
	assert_ok(wb_dir_make(wb_path_dirname(&o->a, to), 0777, &err), &err);
	unlink(to);
	assert_ok(wb_file_copy(from, to, 0755, NULL, &err), &err);
}

static void test_refusals(void **state)
{
	struct oracle *o = *state;
	refused(o, "no-such-compiler -c x.cc", WB_REASON_COMPILER);
	refused(o, "ccache -c x.cc", WB_REASON_WRAPPER);
	if (access("/usr/lib/ccache/g++", X_OK) == 0)
		refused(o, "/usr/lib/ccache/g++ -c x.cc", WB_REASON_WRAPPER);
	oracle_put_fresh(o, "gcc", "#!/bin/sh\nexec /usr/bin/gcc \"$@\"\n");
	assert_int_equal(chmod(wb_arena_printf(&o->a, "%s/gcc", o->dir), 0755), 0);
	refused(o, "./gcc -c x.c", WB_REASON_WRAPPER);
	copy_program(o, "/bin/true", "clang");
	refused(o, "./clang -c x.c", WB_REASON_COMPILER);
	refused(o, "clang++-22 -fno-such-flag=1 -c x.cc", WB_REASON_COMPILER);
	oracle_link(o, "/usr/bin/clang-22", "other++"); /* as C++, it would be, under its own name it is not */
	assert_string_equal(wb_path_basename(get(o, "./other++ -c x.cc")->executable), "other++");
}

static void test_relevant_flags(void **state)
{
	struct oracle *o = *state;
	static const char *const same[] = {
	    "clang++-22 -DA -UB -I. -isystem /x -iquote q -Wall -Werror -g -o a.o -MD -MF a.d -c x.cc",
	    "clang++-22 -include a.h -Xclang -include -Xclang b.h -ffile-prefix-map=a=b -fcolor-diagnostics -c y.cc",
	    "clang++-22 -Xclang -include-pch -Xclang p.pch -Winvalid-pch -c -x c++ z.c -L/x -Wl,-O1 -gsplit-dwarf"};
	static const char *const different[] = {"-std=c++11",
						"-O2",
						"-m32",
						"-fno-exceptions",
						"-pthread",
						"-mavx2",
						"-fno-rtti",
						"-target aarch64-linux-gnu",
						"-pedantic-errors",
						"-nostdinc",
						"-undef",
						"-Xclang -fno-signed-char",
						"-x c"};
	const struct wb_toolchain *tc = get(o, "clang++-22 -c x.cc");
	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		assert_ptr_equal(tc, get(o, same[i]));
	for (size_t i = 0; i < sizeof different / sizeof *different; i++)
		assert_ptr_not_equal(tc, get(o, wb_arena_printf(&o->a, "clang++-22 %s -c x.cc", different[i])));
	assert_null(strstr(get(o, "clang++-22 -fno-exceptions -c x.cc")->macros, "__EXCEPTIONS"));
	assert_non_null(strstr(get(o, "clang++-22 -m32 -c x.cc")->macros, "__i386__"));
	assert_int_equal(get(o, "clang++-22 -nostdinc -c x.cc")->ndir, 0);
	assert_null(strstr(get(o, "gcc -c x.c")->macros, "__cplusplus"));
	assert_non_null(strstr(get(o, "gcc -c x.S")->macros, "__ASSEMBLER__"));
	/* A -D of the user is not among the macros. */
	assert_null(strstr(get(o, "g++ -DMINE -c x.cc")->macros, "MINE"));
}

static bool same_identity(const struct wb_toolchain *a, const struct wb_toolchain *b)
{
	return wb_digest_eq(&a->identity, &b->identity);
}

/* Places and times do not count, contents do. */
static void test_replaced(void **state)
{
	struct oracle *o = *state;
	copy_program(o, "/usr/lib/llvm-22/bin/clang", "one/bin/clang++");
	copy_program(o, "/usr/lib/llvm-22/bin/clang", "elsewhere/two/bin/clang++");
	usleep(WB_FACTS_RACY_NS / 1000 + 5000);
	const struct wb_toolchain *one = get(o, "one/bin/clang++ -c x.cc");
	const struct wb_toolchain *two = get(o, "elsewhere/two/bin/clang++ -c x.cc");
	assert_true(same_identity(one, two));
	assert_ptr_equal(one, get(o, "one/bin/clang++ -c x.cc"));
	if (access("/usr/lib/llvm-19/bin/clang", X_OK) == 0) {
		copy_program(o, "/usr/lib/llvm-19/bin/clang", "one/bin/clang++");
		const struct wb_toolchain *other = get(o, "one/bin/clang++ -c x.cc");
		assert_int_equal(other->major, 19);
		assert_false(same_identity(one, other));
		assert_int_equal(one->major, 22); /* what was handed out stays */
	}
	/* A configuration file beside the compiler changes what it is; one that actions do not see is refused. */
	oracle_put_fresh(o, "elsewhere/two/bin/clang++.cfg", "-DFROM_CFG\n");
	struct stat st;
	assert_int_equal(stat("/usr/lib/llvm-22/bin/clang", &st), 0);
	copy_program(o, "/usr/lib/llvm-22/bin/clang", "elsewhere/two/bin/clang++");
	const struct wb_toolchain *with = get(o, "elsewhere/two/bin/clang++ -c x.cc");
	assert_false(same_identity(two, with));
	assert_non_null(strstr(with->macros, "FROM_CFG"));
	oracle_put_fresh(o, "elsewhere/two/bin/clang++.cfg", "-DOTHER_CFG\n");
	assert_false(same_identity(with, get(o, "elsewhere/two/bin/clang++ -c x.cc")));
}

static void test_directory_appears(void **state)
{
	struct oracle *o = *state;
	struct wb_err err = WB_ERR_INIT;
	const char *line = "clang++-22 --sysroot=sys -c x.cc";
	const struct wb_toolchain *before = get(o, line);
	assert_ptr_equal(before, get(o, line));
	assert_ok(wb_dir_make(wb_arena_printf(&o->a, "%s/sys/usr/include", o->dir), 0777, &err), &err);
	const struct wb_toolchain *after = get(o, line);
	assert_ptr_not_equal(before, after);
	assert_int_equal(after->ndir, before->ndir + 1);
	/* Relative to the cwd: the flags alone are not the key. */
	assert_string_equal(after->dir[after->ndir - 1].path, wb_arena_printf(&o->a, "%s/sys/usr/include", o->dir));
}

static void test_questions(void **state)
{
	struct oracle *o = *state;
	struct wb_err err = WB_ERR_INIT;
	const struct wb_toolchain *tc = get(o, "clang++-22 -std=c++17 -c x.cc");
	struct wb_question q[] = {{"__has_feature", "cxx_exceptions", 9},  {"__has_feature", "no_such_thing", 9},
				  {"__has_cpp_attribute", "nodiscard", 9}, {"__has_cpp_attribute", "gnu::unused", 9},
				  {"__has_warning", "\"-Wshadow\"", 9},    {"__is_identifier", "int", 9},
				  {"__has_feature", "cxx_exceptions", 9}};
	assert_false(wb_toolchain_known(tc, &q[0]));
	assert_ok(wb_toolchain_ask(tc, q, sizeof q / sizeof *q, &err), &err);
	static const uint32_t want[] = {1, 0, 201907, 1, 1, 0, 1};
	for (size_t i = 0; i < sizeof q / sizeof *q; i++)
		assert_int_equal(q[i].value, want[i]);
	assert_true(wb_toolchain_known(tc, &q[2]));
	struct wb_question off = {"__has_feature", "cxx_exceptions", 9};
	assert_ok(wb_toolchain_ask(get(o, "clang++-22 -fno-exceptions -c x.cc"), &off, 1, &err), &err);
	assert_int_equal(off.value, 0);
	/* One that makes no sense is an error, and spoils no other. */
	struct wb_question bad[] = {{"__has_feature", "cxx_rtti", 9}, {"__has_feature", "1 2 3", 9}};
	assert_code(wb_toolchain_ask(tc, bad, 2, &err), WB_EUNSUPPORTED);
	assert_says(&err, "1 2 3");
	assert_true(wb_toolchain_known(tc, &bad[0]));
	assert_int_equal(bad[0].value, 1);
	struct wb_question gcc[] = {{"__has_attribute", "__noreturn__", 9},
				    {"__has_cpp_attribute", "gnu::hot", 9},
				    {"__has_builtin", "__builtin_expect", 9},
				    {"__has_builtin", "none", 9}};
	assert_ok(wb_toolchain_ask(get(o, "g++ -c x.cc"), gcc, 4, &err), &err);
	assert_int_equal(gcc[0].value, 200809); /* gcc answers with the standard attribute of that name */
	assert_int_equal(gcc[1].value, 1);
	assert_int_equal(gcc[2].value, 1);
	assert_int_equal(gcc[3].value, 0);
	struct wb_question evil = {"__has_feature", "x;\n#include \"/etc/passwd\"\n", 0};
	assert_code(wb_toolchain_ask(tc, &evil, 1, &err), WB_EUNSUPPORTED);
}

/* Replace `from` by `to` in the only file of the cache with this suffix; with the right seal or without. */
static void edit(struct oracle *o, const char *dir, const char *suffix, const char *from, const char *to, bool seal)
{
	struct wb_err err = WB_ERR_INIT;
	DIR *d = opendir(dir);
	const char *path = NULL;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (wb_ends_with(e->d_name, suffix))
			path = wb_path_join(&o->a, dir, e->d_name);
	closedir(d);
	assert_non_null(path);
	char *data;
	size_t n;
	assert_ok(wb_file_read(&data, &n, &o->a, path, 1 << 24, &err), &err);
	char *at = strstr(data, from);
	assert_non_null(at);
	assert_int_equal(strlen(from), strlen(to));
	memcpy(at, to, strlen(to));
	if (seal) {
		char *hex = strchr(data, '\n') + 1, *body = strchr(hex, '\n') + 1, digits[WB_DIGEST_HEX];
		struct wb_digest digest;
		wb_digest_of(&digest, body, n - (size_t)(body - data));
		wb_digest_hex(digits, &digest);
		memcpy(hex, digits, WB_DIGEST_HEX - 1);
	}
	assert_ok(wb_file_write(path, data, n, 0600, &err), &err);
}

static void test_disk(void **state)
{
	struct oracle *o = *state;
	struct wb_err err = WB_ERR_INIT;
	const char *dir = wb_path_join(&o->a, o->dir, "cache/toolchains");
	const char *line = "clang++-22 -c x.cc";
	struct wb_question q = {"__has_feature", "cxx_rtti", 9};
	struct wb_toolchains *t;
	assert_ok(wb_toolchains_new(&t, o->facts, dir, &err), &err);
	assert_ok(wb_toolchain_ask(get_from(o, t, line), &q, 1, &err), &err);
	wb_toolchains_free(t);
	/* What lies there is used ... */
	edit(o, dir, ".toolchain", "#define __clang__ 1", "#define __clang_X 1", true);
	edit(o, dir, ".answers", "2\t__has_feature\tcxx_rtti", "8\t__has_feature\tcxx_rtti", true);
	assert_ok(wb_toolchains_new(&t, o->facts, dir, &err), &err);
	const struct wb_toolchain *tc = get_from(o, t, line);
	assert_non_null(strstr(tc->macros, "__clang_X"));
	assert_true(wb_toolchain_defines(tc, "__has_feature"));
	assert_string_equal(tc->dir[0].path, get(o, line)->dir[0].path);
	assert_string_equal(tc->target, get(o, line)->target);
	assert_string_equal(tc->resource_dir, get(o, line)->resource_dir);
	assert_true(wb_toolchain_known(tc, &q));
	assert_int_equal(q.value, 7);
	wb_toolchains_free(t);
	/* ... unless it is damaged. */
	edit(o, dir, ".toolchain", "#define __clang_X 1", "#define __clang_Y 1", false);
	edit(o, dir, ".answers", "8\t__has_feature\tcxx_rtti", "9\t__has_feature\tcxx_rtti", false);
	assert_ok(wb_toolchains_new(&t, o->facts, dir, &err), &err);
	tc = get_from(o, t, line);
	assert_non_null(strstr(tc->macros, "#define __clang__ 1"));
	assert_false(wb_toolchain_known(tc, &q));
	wb_toolchains_free(t);
}

static void test_identity(void **state)
{
	struct oracle *o = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_identity_builder b;
	struct wb_identity id, again;
	oracle_put(o, "a/specs", "x");
	oracle_put(o, "b/specs", "x");
	wb_identity_begin(&b, &o->a, o->facts);
	assert_ok(wb_identity_add_program(&b, "/usr/bin/clang-22", &err), &err);
	assert_ok(wb_identity_add(&b, wb_arena_printf(&o->a, "%s/a/specs", o->dir), &err), &err);
	wb_identity_finish(&id, &b);
	bool library = false;
	for (size_t i = 0; i < id.nfile; i++)
		library = library || strstr(id.file[i].path, "libclang-cpp") != NULL;
	assert_true(library);
	assert_true(wb_identity_holds(&id));
	wb_identity_begin(&b, &o->a, o->facts);
	assert_ok(wb_identity_add(&b, wb_arena_printf(&o->a, "%s/b/specs", o->dir), &err), &err);
	assert_ok(wb_identity_add_program(&b, "/usr/bin/clang-22", &err), &err);
	wb_identity_finish(&again, &b);
	assert_true(wb_digest_eq(&id.digest, &again.digest));
	oracle_put_fresh(o, "a/specs", "y");
	assert_false(wb_identity_holds(&id));
	wb_identity_begin(&b, &o->a, o->facts);
	assert_code(wb_identity_add(&b, "/no/such/file", &err), WB_ENOENT);
}

static void test_describe(void **state)
{
	struct oracle *o = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf out = WB_BUF_INIT;
	assert_ok(wb_toolchain_describe(&out, o->toolchains, "clang++-22", "/usr/bin", &err), &err);
	assert_non_null(strstr(out.p, "clang version 22"));
	wb_buf_reset(&out);
	assert_ok(wb_toolchain_describe(&out, o->toolchains, "ccache", "/usr/bin", &err), &err);
	assert_non_null(strstr(out.p, "wrapper"));
	wb_buf_release(&out);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, oracle_setup, oracle_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(test_compilers),      CASE(test_names),    CASE(test_refusals),
	    CASE(test_relevant_flags), CASE(test_replaced), CASE(test_directory_appears),
	    CASE(test_questions),      CASE(test_disk),     CASE(test_identity),
	    CASE(test_describe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
