/* The option table: in order, and in agreement with the compilers' own tables. */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/fileio.h"
#include "base/process.h"
#include "scanner/options.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void table_is_sorted(void **state)
{
	(void)state;
	size_t n;
	const struct wb_option *t = wb_option_table(&n);
	assert_true(n > 900);
	for (size_t i = 0; i < n; i++) {
		assert_true(t[i].name[0] == '-' && strlen(t[i].name) >= 2);
		assert_true(t[i].form != 0 && t[i].where != 0);
		assert_true(t[i].reason < WB_REASON_COUNT);
		for (size_t k = i + 1; k < n && strcmp(t[i].name, t[k].name) == 0; k++)
			if (t[i].where & t[k].where)
				fail_msg("%s: two rows for one place", t[i].name);
		if (i + 1 < n && strcmp(t[i].name, t[i + 1].name) > 0)
			fail_msg("%s is not before %s", t[i].name, t[i + 1].name);
	}
}

/* A row with an operand says what it is; one without has none; a local one says why. */
static void rows_make_sense(void **state)
{
	(void)state;
	size_t n;
	const struct wb_option *t = wb_option_table(&n);
	for (size_t i = 0; i < n; i++) {
		bool takes = t[i].form & (WB_FORM_JOINED | WB_FORM_SEPARATE);
		if (takes != (t[i].operand != WB_OPERAND_NONE))
			fail_msg("%s: form and operand disagree", t[i].name);
		if (t[i].meaning == WB_MEAN_LOCAL && t[i].reason == WB_REASON_NONE)
			fail_msg("%s: local without a reason", t[i].name);
		if ((t[i].form & WB_FORM_FLAG) && (t[i].form & WB_FORM_SEPARATE))
			fail_msg("%s: a flag cannot also take the next word", t[i].name);
	}
}

static void every_row_is_found(void **state)
{
	(void)state;
	struct wb_arena a;
	wb_arena_init(&a);
	size_t n;
	const struct wb_option *t = wb_option_table(&n);
	for (size_t i = 0; i < n; i++) {
		for (unsigned where = 1; where <= WB_WHERE_AS; where <<= 1) {
			const char *joined;
			if (!(t[i].where & where))
				continue;
			assert_ptr_equal(wb_option_named(t[i].name, where), &t[i]);
			if (t[i].form & (WB_FORM_FLAG | WB_FORM_SEPARATE) && !(t[i].form & WB_FORM_PAIR)) {
				assert_ptr_equal(wb_option_find(t[i].name, where, &joined), &t[i]);
				assert_null(joined);
			}
			/* 0x7f begins no option's name: the longest match is this row */
			const char *word = wb_arena_printf(&a, "%s\x7f", t[i].name);
			if (t[i].form & WB_FORM_JOINED) {
				assert_ptr_equal(wb_option_find(word, where, &joined), &t[i]);
				assert_string_equal(joined, "\x7f");
			}
			if (t[i].form & WB_FORM_PAIR) {
				assert_ptr_equal(wb_option_find(word, where, &joined), &t[i]);
				assert_null(joined);
			}
		}
	}
	wb_arena_release(&a);
}

static void find(void **state)
{
	static const struct {
		const char *word;
		unsigned where;
		const char *name, *joined; /* name NULL: unknown */
	} cases[] = {
	    {"-Ifoo", WB_WHERE_GCC, "-I", "foo"},
	    {"-I", WB_WHERE_CLANG, "-I", NULL},
	    {"-I-", WB_WHERE_GCC, "-I-", NULL},
	    {"-I-x", WB_WHERE_GCC, "-I", "-x"},
	    {"-includefoo.h", WB_WHERE_GCC, "-include", "foo.h"},
	    {"-include-pch", WB_WHERE_CLANG, "-include-pch", NULL},
	    {"-include-pchx", WB_WHERE_CLANG, "-include", "-pchx"},
	    {"-include-pch", WB_WHERE_GCC, "-include", "-pch"},
	    {"-std=c++17", WB_WHERE_CLANG, "-std=", "c++17"},
	    {"-march=native", WB_WHERE_GCC, "-march=native", NULL},
	    {"-march=x86-64", WB_WHERE_GCC, "-march=", "x86-64"},
	    {"-O2", WB_WHERE_GCC, "-O", "2"},
	    {"-O", WB_WHERE_GCC, "-O", NULL},
	    {"-f", WB_WHERE_GCC, NULL, NULL},
	    {"-fPIC", WB_WHERE_GCC, "-f", "PIC"},
	    {"-g", WB_WHERE_GCC, "-g", NULL},
	    {"-gsplit-dwarf", WB_WHERE_CLANG, "-gsplit-dwarf", NULL},
	    {"-gsplit-dwarf=single", WB_WHERE_CLANG, "-gsplit-dwarf=single", NULL},
	    {"-Wp,-MD,x", WB_WHERE_GCC, "-Wp,", "-MD,x"},
	    {"-Wpedantic", WB_WHERE_GCC, "-W", "pedantic"},
	    {"-MD", WB_WHERE_GCC, "-MD", NULL},
	    {"-MDx", WB_WHERE_GCC, NULL, NULL},
	    {"-emit-pch", WB_WHERE_CC1, "-emit-pch", NULL},
	    {"--", WB_WHERE_CLANG, "--", NULL},
	    {"--sysroot=/x", WB_WHERE_GCC, "--sysroot=", "/x"},
	    {"--sysrootx", WB_WHERE_CLANG, NULL, NULL},
	    {"-wonderful", WB_WHERE_CLANG, NULL, NULL},
	    {"-", WB_WHERE_GCC, NULL, NULL},
	    {"", WB_WHERE_GCC, NULL, NULL},
	    {"-Xarch_hostile", WB_WHERE_CLANG, "-Xarch_", NULL},
	    {"-\xff", WB_WHERE_CLANG, NULL, NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *joined = "garbage";
		const struct wb_option *o = wb_option_find(cases[i].word, cases[i].where, &joined);
		if ((o ? strcmp(o->name, cases[i].name ? cases[i].name : "") != 0 : cases[i].name != NULL))
			fail_msg("%s: found %s", cases[i].word, o ? o->name : "nothing");
		if (cases[i].joined)
			assert_string_equal(joined, cases[i].joined);
		else
			assert_null(joined);
	}
	assert_null(wb_option_named("-O2", WB_WHERE_GCC));
	assert_null(wb_option_named("-emit-pch", WB_WHERE_CLANG));
}

/* How our table reads a word: 'S' the next word is its operand, 'J' the operand is inside, 'F' neither, '?' unknown. */
static char reading(const char *word, unsigned where)
{
	const char *joined;
	const struct wb_option *o = wb_option_find(word, where, &joined);
	if (!o)
		return '?';
	if (joined)
		return 'J';
	return (o->form & WB_FORM_SEPARATE) && !(o->form & WB_FORM_FLAG) ? 'S' : 'F';
}

#define OPTIONS_INC "/usr/lib/llvm-22/include/clang/Options/Options.inc"

static void compare_with_clang(const char *name, const char *kind, unsigned where, unsigned *checked)
{
	char word[256];
	bool separate = strstr(kind, "Separate") || strcmp(kind, "MultiArg") == 0;
	bool joined = strstr(kind, "Joined") != NULL;
	if (strcmp(kind, "JoinedAndSeparate") == 0) {
		snprintf(word, sizeof word, "%sx", name);
		if (reading(word, where) != 'S')
			fail_msg("%s: clang takes text and then a word, the table says %c", name, reading(word, where));
		++*checked;
		return;
	}
	if (strncmp(kind, "Remaining", 9) == 0)
		return;
	if (separate && reading(name, where) != 'S')
		fail_msg("%s: clang takes the next word, the table says %c", name, reading(name, where));
	if (!separate && reading(name, where) == 'S')
		fail_msg("%s: the table takes the next word, clang does not", name);
	snprintf(word, sizeof word, "%sx", name);
	/* an option that only cc1 takes may be unknown as long as it takes no word */
	if (joined && reading(word, where) != 'J' && !(where == WB_WHERE_CC1 && reading(word, where) == '?'))
		fail_msg("%s: clang takes joined text, the table says %c", name, reading(word, where));
	++*checked;
}

/* clang's own table, as LLVM 22's headers carry it: "OPTION(1, 44628 / * -include-pch * /, include_pch, Separate, ..."
 */
static void agrees_with_clang(void **state)
{
	(void)state;
	if (access(OPTIONS_INC, R_OK) != 0)
		skip();
	struct wb_arena a;
	wb_arena_init(&a);
	struct wb_err err = WB_ERR_INIT;
	char *data;
	size_t n;
	assert_ok(wb_file_read(&data, &n, &a, OPTIONS_INC, 64 << 20, &err), &err);
	unsigned checked = 0;
	struct wb_str rest = {data, n}, line;
	while (wb_str_line(&rest, &line)) {
		const char *s = wb_arena_strndup(&a, line.p, line.n);
		unsigned prefixes;
		char name[200], id[200], kind[64];
		int at = 0;
		const char *open = strchr(s, '(');
		if (!open || open - s < 6 || strncmp(open - 6, "OPTION", 6) != 0 ||
		    sscanf(open, "(%u, %*u /* %199s */, %199[^,], %63[^,],%n", &prefixes, name, id, kind, &at) != 4)
			continue;
		const char *after = open + at;
		/* offsets into OptionPrefixesTable: "-"; "-" and "--"; "--"; "--", "/" and "-" */
		const char *bare = name + strspn(name, "-/");
		bool one = prefixes == 1 || prefixes == 3 || prefixes == 8;
		bool two = prefixes == 3 || prefixes == 6 || prefixes == 8;
		for (int dashes = 1; dashes <= 2; dashes++) {
			if (dashes == 1 ? !one : !two)
				continue;
			char full[256];
			snprintf(full, sizeof full, "%s%s", dashes == 1 ? "-" : "--", bare);
			if (strstr(after, "DefaultVis"))
				compare_with_clang(full, kind, WB_WHERE_CLANG, &checked);
			if (strstr(after, "CC1Option"))
				compare_with_clang(full, kind, WB_WHERE_CC1, &checked);
		}
	}
	print_message("%u of clang's options compared\n", checked);
	assert_true(checked > 2500);
	wb_arena_release(&a);
}

/* `gcc --help=separate`: every option that the C and C++ compilers list there takes the next word. */
static void agrees_with_gcc(void **state)
{
	/* other languages', or (MD, MMD) only cc1's */
	static const char *const not_ours[] = {"-Hd",
					       "-Hf",
					       "-J",
					       "-MD",
					       "-MMD",
					       "-Xf",
					       "-gnatO",
					       "-fintrinsic-modules-path",
					       "--write-dependencies",
					       "--write-user-dependencies"};
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf out = WB_BUF_INIT;
	const char *argv[] = {"gcc", "--help=separate", NULL};
	const char *env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", NULL};
	struct wb_process p = {.argv = argv, .env = env, .out = &out};
	int status;
	if (!wb_is_ok(wb_process_run(&status, &p, &err)) || status != 0)
		skip();
	unsigned checked = 0;
	struct wb_str rest = {out.p, out.n}, line;
	while (wb_str_line(&rest, &line)) {
		char text[256], name[128];
		snprintf(text, sizeof text, "%.*s", (int)line.n, line.p);
		if (sscanf(text, "  %127[^ <]", name) != 1 || name[0] != '-')
			continue;
		bool ours = true;
		for (size_t i = 0; i < sizeof not_ours / sizeof *not_ours; i++)
			ours &= strcmp(name, not_ours[i]) != 0;
		if (!ours)
			continue;
		if (reading(name, WB_WHERE_GCC) != 'S')
			fail_msg("%s: gcc takes the next word, the table says %c", name, reading(name, WB_WHERE_GCC));
		checked++;
	}
	wb_buf_release(&out);
	assert_true(checked > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table_is_sorted),    cmocka_unit_test(rows_make_sense),
	    cmocka_unit_test(every_row_is_found), cmocka_unit_test(find),
	    cmocka_unit_test(agrees_with_clang),  cmocka_unit_test(agrees_with_gcc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
