/* The engine `directives` against the compilers' own -M: whole units. Flags, forced files, files met twice, the start
 * and the end of a file, what each language takes for a token. */
#define _GNU_SOURCE
#include "base/fileio.h"
#include "tests/unit/scan_oracle.h"

/* Text that begins with "->" is the target of a symbolic link. */
static const struct unit {
	enum { BOTH, CLANG, CLANG_19 } on;
	const char *line;
	const char *file[12]; /* name, text, ... */
} units[] = {
    {BOTH,
     "-Ia -Ib -c m.cc",
     {"m.cc", "#include <x.h>\n", "a/x.h", "#include_next <x.h>\n", "b/x.h", "#pragma once\n"}},
    {BOTH,
     "-Ia -Ib -c d/m.cc",
     {"d/m.cc", "#include \"x.h\"\n", "d/x.h", "#include_next <x.h>\n", "a/x.h", "#include_next <x.h>\n", "b/x.h", ""}},
    {BOTH,
     "-Ia -Ib -c m.cc", /* gcc and clang differ here */
     {"m.cc", "#include <y.h>\n", "a/y.h", "#include \"x.h\"\n", "a/x.h",
      "#ifndef X\n#define X\n#include_next <x.h>\n#endif\n", "b/x.h", "#include <z.h>\n", "b/z.h", ""}},
    {BOTH,
     "-idirafter z -isystem y -Ix -iquote q -c m.cc",
     {"m.cc", "#include <a.h>\n#include \"b.h\"\n#include <c.h>\n", "x/a.h", "", "q/b.h", "", "x/b.h", "", "y/c.h", "",
      "z/c.h", ""}},
    {BOTH,
     "-Ix -Iy -isystem x -c m.cc",
     {"m.cc", "#include <a.h>\n", "x/a.h", "#include_next <b.h>\n", "y/a.h", "#include_next <a.h>\n", "x/b.h", ""}},
    {BOTH,
     "-DA=1 -DF(x)=x -UB -DC -imacros mac.h -include inc.h -c m.cc",
     {"m.cc", "#if A == 1 && F(1) && !defined B && C == 1 && M\n#include \"good.h\"\n#endif\n", "mac.h",
      "#define M 1\nint hidden;\n", "inc.h", "#ifdef M\n#include \"second.h\"\n#endif\n", "second.h", "", "good.h",
      ""}},
    {BOTH,
     "-x c -c m.c",
     {"m.c", "#import \"x.h\"\n#import \"x.h\"\n#include \"x.h\"\n", "x.h",
      "#ifdef SEEN\n#error\n#endif\n#define SEEN\n"}},
    {BOTH,
     "-c m.cc",
     {"m.cc",
      "#define X(a) int a;\n#include \"x.def\"\n#undef X\n#define X(a) char a##2;\n#define LAST\n#include \"x.def\"\n",
      "x.def", "X(a)\n#ifdef LAST\n#include \"good.h\"\n#endif\n", "good.h", ""}},
    {BOTH,
     "-c m.S",
     {"m.S",
      "# it's a comment\n# define no\n#ifdef __ASSEMBLER__\n#include \"good.h\"\n#endif\n nop // don't\n.macro x\n",
      "good.h", ""}},
    {BOTH, "-c m.cc", {"m.cc", "#include \"nowhere.h\"\n"}},
    {BOTH,
     "-x c++ -c f.h", /* clang heeds #pragma once in the main file when it is read again */
     {"f.h",
      "#pragma once\n#ifdef THIRD\n#include \"y.h\"\n#endif\n#ifdef SEEN\n#define THIRD\n#include \"x.h\"\n#endif\n"
      "#define SEEN\n#include \"g.h\"\n",
      "g.h", "#include \"f.h\"\n#include \"f.h\"\n", "x.h", "", "y.h", ""}},
    {BOTH, "-c m.cc", {"m.cc", "#include \"good.h\"\n#if 0\n/*\n#include \"bad.h\"\n", "good.h", ""}},
    {BOTH,
     "-fno-operator-names -c m.cc",
     {"m.cc", "#if defined and\n#include \"bad.h\"\n#else\n#include \"good.h\"\n#endif\n", "good.h", "", "bad.h", ""}},
    {BOTH,
     "-x c -std=c99 -c m.c",
     {"m.c", "?\?=include \"good.h\"\n#define A ?\?/\n 1\n#if A ?\?!?\?! 0\n#include \"b.h\"\n#endif\n", "good.h", "",
      "b.h", ""}},
    {BOTH,
     "-c m.cc",
     {"m.cc", "#ifndef A\n#define A\n#include __FILE__\n#else\n#include \"good.h\"\n#endif\n", "good.h", ""}},
    {BOTH,
     "-c ./m.cc",
     {"m.cc", "#include \"./x.h\"\n#include \"x.h\"\n", "x.h", "#include \"d/../y.h\"\n", "y.h", "", "d/k", ""}},
    {BOTH, "-funsigned-char -c m.cc", {"m.cc", "#if '\\377' > 0\n#include \"good.h\"\n#endif\n", "good.h", ""}},
    {BOTH,
     "-I. -I./d/ -c m.cc",
     {"m.cc", "#include <x.h>\n#include <y.h>\n", "x.h", "", "d/y.h", "#include \"../x.h\"\n"}},
    {BOTH,
     "-undef -nostdinc -c m.cc",
     {"m.cc", "#if defined __linux__ || defined linux\n#include \"bad.h\"\n#else\n#include \"good.h\"\n#endif\n",
      "good.h", "", "bad.h", ""}},
    {BOTH,
     "-include a.h -include a.h -imacros b.h -include c.h -c m.cc",
     {"m.cc", "#include \"b.h\"\n", "a.h", "#pragma once\n#define A\n", "b.h",
      "#ifdef A\n#pragma once\n#include \"d.h\"\n#endif\n", "c.h", "#include \"d.h\"\n", "d.h", ""}},
    {BOTH,
     "-c m.cc", /* gcc does not look behind "1 ||", though what it did not see is looked at afterwards */
     {"m.cc",
      "#define F(a, b) (a) ? (b) : 2\n#if 1 || F(1, __has_include(\"c.h\"))\n#include \"c.h\"\n#else\n#include "
      "\"d.h\"\n#endif\n",
      "c.h", "", "d.h", ""}},
    {BOTH,
     "-Ia -c m.cc", /* next to a header that a quoted name found beside its includer */
     {"m.cc", "#include \"d/x.h\"\n", "d/x.h", "#include \"y.h\"\n", "d/y.h", "#include_next <y.h>\n", "a/y.h", ""}},
    {BOTH,
     "-std=c++17 -c m.cc",
     {"m.cc", "#define F(...) 1 __VA_OPT__(+ 1)\n#if F() == 1 && F(x) == 2\n#include \"good.h\"\n#endif\n", "good.h",
      ""}},
    {BOTH,
     "-x c -std=gnu11 -c m.c",
     {"m.c", "#define F(...) 1 __VA_OPT__(+ 1)\n#if F() == 1 && F(x) == 2\n#include \"good.h\"\n#endif\n", "good.h",
      ""}},
    {BOTH,
     "-x c -std=c99 -c m.c", /* u'' is two tokens there */
     {"m.c", "#define u 1 +\n#if u'a' == 98\n#include \"good.h\"\n#endif\n", "good.h", ""}},
    {BOTH,
     "-std=c++11 -c m.cc", /* and 1'000 is not a number */
     {"m.cc",
      "#define F(x) 1\n#if F(1'0') && '0'\n#include \"good.h\"\n#endif\n#define G(x)\nG(1'0; // ')\n#include \"b.h\"\n",
      "good.h", "", "b.h", ""}},
    {BOTH,
     "-std=c++98 -c m.cc", /* nor is R"( a raw string */
     {"m.cc", "#define R\nconst char *s = R\"(\"\n#include \"good.h\"\n\")\";\n", "good.h", ""}},
    {BOTH,
     "-std=c++11 -c m.cc", /* trigraphs, but not in a raw string */
     {"m.cc", "?\?=include \"good.h\"\n/?\?/\n* c *?\?/\n/ #include \"b.h\"\n", "good.h", "", "b.h", ""}},
    {BOTH, "-x c -std=c17 -trigraphs -c m.c", {"m.c", "?\?=include \"good.h\"\n", "good.h", ""}},
    {BOTH,
     "-c m.cc", /* #pragma once is about the file, not its name */
     {"m.cc", "#include \"x.h\"\n#include \"y.h\"\n#include \"d/x.h\"\n", "x.h",
      "#pragma once\n#ifdef SEEN\n#include \"bad.h\"\n#endif\n#define SEEN\n", "y.h", "->x.h", "d/x.h", "->../x.h",
      "bad.h", ""}},
    {BOTH,
     "-Ia -Ib -c m.cc", /* names are looked for beside the name by which a file was read, not looked at */
     {"m.cc", "#if __has_include(<x.h>)\n#include \"x.h\"\n#endif\n", "a/x.h", "#include \"y.h\"\n", "x.h", "->a/x.h",
      "y.h", "", "a/y.h", ""}},
    {CLANG,
     "-Ia -c m.cc",
     {"m.cc", "#pragma once\n#ifndef A\n#define A\n#include \"m.cc\"\n#else\n#include <y.h>\n#endif\n", "a/y.h", ""}},
    {BOTH, "-c m.cc", {"m.cc", "#if 1\n#include \"good.h\"\n", "good.h", ""}},
    {BOTH, "-c m.cc", {"m.cc", "#include \"good.h\"\nconst char *s = R\"(\n#include \"bad.h\"\n", "good.h", ""}},
    {BOTH, "-c m.cc", {"m.cc", "#include \"good.h\"\\", "good.h", ""}},
    {BOTH,
     "-c m.cc",
     {"m.cc", "#include \"x.h\"\n#ifdef A\n#include \"good.h\"\n#endif", "x.h", "#define A // \\", "good.h", ""}},
    {BOTH, "-c m.cc", {"m.cc", "\xef\xbb\xbf#include \"good.h\"\r\n#if 1 // \\\r\n#else\r\n#endif\r\n", "good.h", ""}},
    {BOTH,
     "-c m.S",
     {"m.S", "#if 0\n# don't /* \n#else\n#include \"good.h\"\n#endif\n# include \"b.h\" // x\n@ it's\n", "good.h", "",
      "b.h", ""}},
    {CLANG_19,
     "-x c -std=c23 -c d/m.c", /* beside the file, then in the working directory */
     {"d/m.c",
      "#if __has_embed(\"x.bin\") && __has_embed(\"y.bin\") == 2 && !__has_embed(<x.bin>)\n#include "
      "\"good.h\"\n#endif\n"
      "int a[] = {\n#embed \"z.bin\" limit(2)\n};\n",
      "d/x.bin", "1", "y.bin", "", "z.bin", "123", "d/good.h", ""}},
};

static void put(struct oracle *o, const char *name, const char *text)
{
	if (!wb_starts_with(text, "->")) {
		oracle_put_fresh(o, name, text);
		return;
	}
	oracle_put_fresh(o, wb_arena_printf(&o->a, "%s.directory", name), "");
	oracle_link(o, text + 2, name);
}

/* One oracle for all: what is known of the compilers is kept, the tree is made anew. */
static void test_units(void **state)
{
	static const char *const compilers[] = {"clang++-22", "clang++-14", "g++"};
	static const size_t count[] = {[BOTH] = 3, [CLANG] = 2, [CLANG_19] = 1};
	struct oracle *o = *state;
	struct wb_err err = WB_ERR_INIT;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		assert_ok(wb_dir_remove(o->dir, &err), &err);
		for (size_t k = 0; k + 1 < 12 && units[i].file[k]; k += 2)
			put(o, units[i].file[k], units[i].file[k + 1]);
		for (size_t c = 0; c < count[units[i].on]; c++) {
			struct wb_graph g;
			if (!oracle_has(compilers[c]))
				continue;
			const char *line = wb_arena_printf(&o->a, "%s -w %s", compilers[c], units[i].line);
			oracle_scan_ok(o, &g, line);
			oracle_same_files(o, &g, line);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_units, oracle_setup_directives, oracle_teardown)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
