/* Response files: word by word as the compilers themselves split them. */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/fileio.h"
#include "base/process.h"
#include "scanner/response_file.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	struct wb_arena a;
};

static int setup(void **state)
{
	struct fixture *f = wb_xcalloc(1, sizeof *f);
	strcpy(f->dir, "/tmp/waybill-rsp-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	wb_arena_init(&f->a);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_dir_remove(f->dir, &err), &err);
	wb_arena_release(&f->a);
	free(f);
	return 0;
}

static void put(struct fixture *f, const char *name, const char *text)
{
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_file_write(wb_arena_printf(&f->a, "%s/%s", f->dir, name), text, strlen(text), 0644, &err), &err);
}

/* The words of `text` as a response file, joined by "|". */
static const char *split(struct fixture *f, const char *text, enum wb_response_style style)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_argv out = {0}, files = {0};
	put(f, "f.rsp", text);
	const char *argv[] = {"cc", "@f.rsp", NULL};
	assert_ok(wb_response_expand_as(&out, &files, &f->a, argv, f->dir, style, &err), &err);
	assert_int_equal(files.n, 1);
	struct wb_buf b = WB_BUF_INIT;
	wb_buf_adds(&b, "");
	for (size_t i = 1; i < out.n; i++) {
		if (i > 1)
			wb_buf_addc(&b, '|');
		wb_buf_adds(&b, out.v[i]);
	}
	const char *joined = wb_arena_strdup(&f->a, b.p);
	wb_buf_release(&b);
	return joined;
}

static void words(void **state)
{
	static const struct {
		const char *text, *gnu, *llvm;
	} cases[] = {
	    {"", "", ""},
	    {" \n\t ", "", ""},
	    {"a b\nc\td\r\ne", "a|b|c|d|e", "a|b|c|d|e"},
	    {"'a b' \"c d\"", "a b|c d", "a b|c d"},
	    {"x'a b'y", "xa by", "xa by"},
	    {"a\\ b", "a b", "a b"},
	    {"\\\"q\\\"", "\"q\"", "\"q\""},
	    {"'it\\'s'", "it's", "it's"},
	    {"\"a\\\\b\"", "a\\b", "a\\b"},
	    {"\"a'b\" 'c\"d'", "a'b|c\"d", "a'b|c\"d"},
	    {"a\\\nb", "a\nb", "a\nb"},
	    {"C:\\x", "C:x", "C:x"},
	    {"'open", "open", "open"},
	    {"a '' b", "a||b", "a|b"},
	    {"a\\", "a", "a\\"},
	    {"'a\\", "a", "a\\"},
	    {"a\vb", "a|b", "a\vb"},
	    {"\xef\xbb\xbf-c", "\xef\xbb\xbf-c", "-c"},
	    {"#not a comment", "#not|a|comment", "#not|a|comment"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_string_equal(split(f, cases[i].text, WB_RESPONSE_LIBIBERTY), cases[i].gnu);
		assert_string_equal(split(f, cases[i].text, WB_RESPONSE_LLVM), cases[i].llvm);
	}
}

static bool have(const char *program)
{
	struct wb_buf cmd = WB_BUF_INIT;
	wb_buf_addf(&cmd, "command -v %s >/dev/null 2>&1", program);
	bool yes = system(cmd.p) == 0;
	wb_buf_release(&cmd);
	return yes;
}

/* What the compiler's cc1 gets as -D operands, one a line; `compiler` is run on r.rsp and x.c. */
static void real_defines(struct fixture *f, struct wb_buf *out, const char *compiler, bool clang)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf text = WB_BUF_INIT;
	const char *gcc_argv[] = {compiler, "-c", "x.c", "-wrapper", "./args", "@r.rsp", NULL};
	const char *clang_argv[] = {compiler, "-###", "-c", "x.c", "@r.rsp", NULL};
	int status;
	struct wb_process p = {.argv = clang ? clang_argv : gcc_argv, .cwd = f->dir, .out = &text, .err_out = &text};
	assert_ok(wb_process_run(&status, &p, &err), &err);
	wb_buf_addc(&text, '\0');
	if (!clang) { /* the wrapper wrote its arguments, NUL-terminated */
		wb_buf_reset(&text);
		char *data;
		size_t n;
		assert_ok(wb_file_read(&data, &n, &f->a, wb_arena_printf(&f->a, "%s/args.out", f->dir), 1 << 20, &err),
			  &err);
		for (const char *s = data; s < data + n; s += strlen(s) + 1)
			if (strcmp(s, "-D") == 0)
				wb_buf_addf(out, "%s\n", s + 3);
		wb_buf_release(&text);
		return;
	}
	/* clang prints "word" "word", with a backslash before ", \ and $ */
	bool define = false;
	struct wb_buf word = WB_BUF_INIT;
	for (const char *s = text.p; *s; s++) {
		if (*s != '"')
			continue;
		wb_buf_reset(&word);
		wb_buf_adds(&word, "");
		for (s++; *s && *s != '"'; s++) {
			if (*s == '\\')
				s++;
			wb_buf_addc(&word, *s);
		}
		if (define)
			wb_buf_addf(out, "%s\n", word.p);
		define = strcmp(word.p, "-D") == 0;
	}
	wb_buf_release(&word);
	wb_buf_release(&text);
}

static void as_the_compiler(struct fixture *f, const char *compiler, bool clang)
{
	static const char *const lines[] = {
	    "-DA -DB=1",
	    "'-DA=x y' \"-DB=x y\"",
	    "-DA=\\\"s\\\" '-DB=\"s\"' \"-DC=\\\"s\\\"\"",
	    "-DA=a\\\\b -DB='a\\\\b' -DC=\"a\\\\b\"",
	    "-DA='it\\'s'",
	    "-DA=1\n-DB=2\r\n\t-DC=3\n",
	    "-DA=$HOME -DB='$x' -DC=`id`",
	    "-DA=x\\ y -D 'B=p q' -D\\\nC",
	    "@nested.rsp -DLAST",
	    "-DA=\"x'y\" -DB='x\"y' -DC=ab\"c d\"'e f'g",
	    "-DA=*? -DB=# -DC=;",
	};
	put(f, "x.c", "int x;\n");
	put(f, "nested.rsp", "'-DN=n n' @nested2.rsp");
	put(f, "nested2.rsp", "-DN2='\\\\'");
	put(f, "args",
	    "#!/bin/sh\nprintf '%s\\0' \"$@\" > args.out.$$\n"
	    "case $1 in *cc1) mv args.out.$$ args.out;; *) rm args.out.$$;; esac\n");
	assert_int_equal(chmod(wb_arena_printf(&f->a, "%s/args", f->dir), 0755), 0);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		put(f, "r.rsp", lines[i]);
		struct wb_buf real = WB_BUF_INIT, ours = WB_BUF_INIT;
		real_defines(f, &real, compiler, clang);
		struct wb_err err = WB_ERR_INIT;
		struct wb_argv out = {0}, files = {0};
		const char *argv[] = {compiler, "@r.rsp", NULL};
		assert_ok(wb_response_expand_as(&out, &files, &f->a, argv, f->dir,
						clang ? WB_RESPONSE_LLVM : WB_RESPONSE_LIBIBERTY, &err),
			  &err);
		for (size_t k = 1; k < out.n; k++)
			wb_buf_addf(&ours, "%s\n", out.v[k][2] ? out.v[k] + 2 : out.v[++k]);
		assert_string_equal(ours.p, real.p);
		wb_buf_release(&real);
		wb_buf_release(&ours);
	}
}

static void as_gcc(void **state)
{
	if (!have("gcc"))
		skip();
	as_the_compiler(*state, "gcc", false);
}

static void as_clang(void **state)
{
	if (!have("clang-22"))
		skip();
	as_the_compiler(*state, "clang-22", true);
}

static void nested_and_missing(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_argv out = {0}, files = {0};
	assert_int_equal(mkdir(wb_arena_printf(&f->a, "%s/sub", f->dir), 0777), 0);
	put(f, "a.rsp", "-a @sub/b.rsp -z");
	put(f, "sub/b.rsp", "-b @c.rsp"); /* relative to the cwd, not to b.rsp */
	put(f, "c.rsp", "-c");
	const char *argv[] = {"@a.rsp", "@a.rsp", "@missing", "@", wb_arena_printf(&f->a, "@%s/c.rsp", f->dir), NULL};
	assert_ok(wb_response_expand(&out, &files, &f->a, argv, f->dir, &err), &err);
	static const char *const want[] = {"@a.rsp", "-a", "-b", "-c", "-z", "@missing", "@", "-c"};
	assert_int_equal(out.n, sizeof want / sizeof *want);
	for (size_t i = 0; i < out.n; i++)
		assert_string_equal(out.v[i], want[i]);
	assert_null(out.v[out.n]);
	assert_int_equal(files.n, 4);
	assert_string_equal(files.v[0], wb_arena_printf(&f->a, "%s/a.rsp", f->dir));
	assert_string_equal(files.v[1], wb_arena_printf(&f->a, "%s/sub/b.rsp", f->dir));
}

static void limits(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_argv out = {0}, files = {0};
	const char *argv[] = {"cc", "@f.rsp", NULL};

	put(f, "f.rsp", "@f.rsp");
	assert_code(wb_response_expand(&out, &files, &f->a, argv, f->dir, &err), WB_ELIMIT);
	assert_says(&err, "f.rsp");

	struct wb_buf b = WB_BUF_INIT;
	for (int i = 0; i < 100001; i++)
		wb_buf_adds(&b, "x ");
	put(f, "f.rsp", b.p);
	wb_buf_release(&b);
	assert_code(wb_response_expand(&out, &files, &f->a, argv, f->dir, &err), WB_ELIMIT);

	const char *dir[] = {"cc", "@.", NULL};
	assert_code(wb_response_expand(&out, &files, &f->a, dir, f->dir, &err), WB_EINVAL);

	assert_ok(wb_file_write(wb_arena_printf(&f->a, "%s/f.rsp", f->dir), "a\0b", 3, 0644, &err), &err);
	assert_code(wb_response_expand(&out, &files, &f->a, argv, f->dir, &err), WB_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(words, setup, teardown),
	    cmocka_unit_test_setup_teardown(as_gcc, setup, teardown),
	    cmocka_unit_test_setup_teardown(as_clang, setup, teardown),
	    cmocka_unit_test_setup_teardown(nested_and_missing, setup, teardown),
	    cmocka_unit_test_setup_teardown(limits, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
