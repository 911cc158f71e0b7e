/* Variables become arguments in the places that the compilers give them (the oracle: `-v` of both), or reasons. */
#define _GNU_SOURCE
#include "base/path.h"
#include "base/process.h"
#include "scanner/environment.h"
#include "tests/unit/scan_oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct wb_argv apply(struct oracle *o, struct wb_command *cmd, const char *line, const char *const *env,
			    const char *const **action_env)
{
	struct wb_argv out = {0};
	oracle_command(o, cmd, line);
	wb_environment_apply(cmd, action_env, &o->a, env);
	wb_command_emit(&out, &o->a, cmd);
	return out;
}

static const char *joined(struct oracle *o, const struct wb_argv *v)
{
	const char *s = "";
	for (size_t i = 0; i < v->n; i++)
		s = wb_arena_printf(&o->a, "%s%s%s", s, i ? " " : "", v->v[i]);
	return s;
}

static void test_folding(void **state)
{
	struct oracle *o = *state;
	static const struct {
		const char *line, *env, *want;
	} row[] = {
	    {"g++ -c x.cc", "CPATH=a:b", "g++ -I a -I b -c x.cc"},
	    {"g++ -Ix -c x.cc -Iy -o x.o", "CPATH=a", "g++ -Ix -c x.cc -Iy -I a -o x.o"},
	    {"g++ -c x.cc", "CPATH=:a:", "g++ -I . -I a -I . -c x.cc"},
	    {"g++ -c x.cc", "CPATH=", "g++ -c x.cc"},
	    {"g++ -c x.cc", "CPLUS_INCLUDE_PATH=s", "g++ -isystem s -c x.cc"},
	    {"g++ -isystem t -c x.cc", "CPLUS_INCLUDE_PATH=s", "g++ -isystem t -isystem s -c x.cc"},
	    {"g++ -c x.cc", "C_INCLUDE_PATH=s", "g++ -c x.cc"},
	    {"gcc -c x.c", "C_INCLUDE_PATH=s", "gcc -isystem s -c x.c"},
	    {"gcc -c x.S", "C_INCLUDE_PATH=s", "gcc -isystem s -c x.S"},
	    {"gcc -c x.c", "CPLUS_INCLUDE_PATH=s", "gcc -c x.c"},
	    {"clang++-22 -c -- x.cc", "CPATH=a", "clang++-22 -I a -c -- x.cc"},
	    {"clang++-22 -Xclang -I -Xclang z -Ix -c x.cc", "CPATH=a",
	     "clang++-22 -Xclang -I -Xclang z -Ix -I a -c x.cc"},
	    {"g++ -c x.cc", "LANG=de_DE.UTF-8", "g++ -c x.cc"},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct wb_command cmd;
		const char *const *action_env;
		const char *env[] = {row[i].env, NULL};
		struct wb_argv v = apply(o, &cmd, row[i].line, env, &action_env);
		assert_string_equal(joined(o, &v), row[i].want);
		assert_int_equal(cmd.reason, WB_REASON_NONE);
		assert_string_equal(cmd.arg[cmd.source_arg].value, cmd.source);
	}
}

static void test_reasons(void **state)
{
	struct oracle *o = *state;
	static const char *const local[] = {"COMPILER_PATH=/x",      "GCC_EXEC_PREFIX=/x", "CCC_OVERRIDE_OPTIONS=+-O2",
					    "DEPENDENCIES_OUTPUT=d", "LD_PRELOAD=/x.so",   "SUNPRO_DEPENDENCIES=d"};
	static const char *const fine[] = {"COMPILER_PATH=", "HOME=/root", "LC_ALL=de_DE",
					   "TMPDIR=/x",      "NO_COLOR=1", "OTHER=1"};
	struct wb_command cmd;
	const char *const *action_env;
	for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
		const char *env[] = {local[i], NULL};
		apply(o, &cmd, "g++ -c x.cc", env, &action_env);
		assert_int_equal(cmd.reason, WB_REASON_ENVIRONMENT);
		assert_memory_equal(cmd.reason_arg, local[i], strlen(cmd.reason_arg));
	}
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
		const char *env[] = {fine[i], NULL};
		apply(o, &cmd, "g++ -c x.cc", env, &action_env);
		assert_int_equal(cmd.reason, WB_REASON_NONE);
	}
	/* An earlier reason stays. */
	const char *env[] = {"COMPILER_PATH=/x", NULL};
	apply(o, &cmd, "g++ -E x.cc", env, &action_env);
	assert_int_equal(cmd.reason, WB_REASON_PREPROCESS_ONLY);
}

static void test_action_environment(void **state)
{
	struct oracle *o = *state;
	struct wb_command cmd;
	const char *const *env;
	const char *plain[] = {"PATH=/opt/bin:/usr/bin", "USER=me", NULL};
	const char *dated[] = {"SOURCE_DATE_EPOCH=1", "LANG=C", NULL};
	apply(o, &cmd, "g++ -c x.cc", plain, &env);
	assert_string_equal(env[0], "LC_ALL=C");
	assert_string_equal(env[1], "PATH=/usr/bin:/bin");
	assert_null(env[2]);
	/* gcc's text depends on the character set, clang's does not */
	const char *utf8[] = {"LANG=de_DE.UTF-8", NULL}, *overridden[] = {"LANG=de_DE.UTF-8", "LC_ALL=C", NULL};
	apply(o, &cmd, "g++ -c x.cc", utf8, &env);
	assert_string_equal(env[0], "LC_ALL=C.UTF-8");
	apply(o, &cmd, "g++ -c x.cc", overridden, &env);
	assert_string_equal(env[0], "LC_ALL=C");
	apply(o, &cmd, "clang++-22 -c x.cc", utf8, &env);
	assert_string_equal(env[0], "LC_ALL=C");
	apply(o, &cmd, "g++ -c x.cc", dated, &env);
	assert_string_equal(env[2], "SOURCE_DATE_EPOCH=1");
	assert_null(env[3]);
}

/* Every variable that makes a command local is one that clients send. */
static void test_names(void **state)
{
	struct oracle *o = *state;
	static const char *const folded[] = {
	    "CPATH",         "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "SOURCE_DATE_EPOCH",
	    "COMPILER_PATH", "LD_PRELOAD",     "CC_PRINT_HEADERS"};
	(void)o;
	for (size_t i = 0; i < sizeof folded / sizeof *folded; i++) {
		bool sent = false;
		for (size_t k = 0; wb_environment_names[k]; k++)
			sent = sent || strcmp(wb_environment_names[k], folded[i]) == 0;
		assert_true(sent);
	}
}

/* The directories that `compiler` searches for <> and "", in order. */
static const char *search_list(struct oracle *o, const struct wb_argv *v, const char *const *env)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf out = WB_BUF_INIT;
	struct wb_argv argv = {0};
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->v[i], "-c") != 0)
			wb_argv_push(&argv, &o->a, v->v[i]);
	wb_argv_push(&argv, &o->a, "-E");
	wb_argv_push(&argv, &o->a, "-v");
	struct wb_process p = {.argv = argv.v, .env = env, .cwd = o->dir, .err_out = &out};
	int status;
	assert_ok(wb_process_run(&status, &p, &err), &err);
	const char *start = strstr(out.p, "#include \"...\" search"), *end = strstr(out.p, "End of search list");
	assert_true(start && end);
	const char *list = wb_arena_strndup(&o->a, start, (size_t)(end - start));
	wb_buf_release(&out);
	return list;
}

static void test_against_compilers(void **state)
{
	struct oracle *o = *state;
	static const char *const compilers[] = {"g++", "clang++-22", "clang++-14"};
	static const char *const flags[] = {"-c m.cc", "-Ix -isystem y -iquote q -c m.cc -Iz",
					    "-idirafter y -isystem x -c m.cc"};
	static const char *const dirs[] = {"a", "b", "c", "x", "y", "z", "q"};
	const char *env[] = {"CPATH=a::b", "CPLUS_INCLUDE_PATH=c:a", "C_INCLUDE_PATH=q",
			     "LC_ALL=C",   "PATH=/usr/bin:/bin",     NULL};
	const char *bare[] = {"LC_ALL=C", "PATH=/usr/bin:/bin", NULL};
	oracle_put_fresh(o, "m.cc", "");
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		oracle_put_fresh(o, wb_arena_printf(&o->a, "%s/f", dirs[i]), "");
	for (size_t c = 0; c < sizeof compilers / sizeof *compilers; c++)
		for (size_t f = 0; f < sizeof flags / sizeof *flags && oracle_has(compilers[c]); f++) {
			struct wb_command cmd;
			const char *const *action_env;
			const char *line = wb_arena_printf(&o->a, "%s %s", compilers[c], flags[f]);
			struct wb_argv plain = {0};
			oracle_command(o, &cmd, line);
			wb_command_emit(&plain, &o->a, &cmd);
			struct wb_argv with = apply(o, &cmd, line, env, &action_env);
			assert_string_equal(search_list(o, &plain, env), search_list(o, &with, bare));
		}
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, oracle_setup, oracle_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(test_folding), CASE(test_reasons),           CASE(test_action_environment),
	    CASE(test_names),   CASE(test_against_compilers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
