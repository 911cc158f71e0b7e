/* The engine `directives` against the compilers' own -M and against the engine `clang`: a table of preprocessor corner
 * cases, each a header of its own that includes yN.h or nN.h; then whole units. */
#define _GNU_SOURCE
#include "tests/unit/scan_oracle.h"

#include <stdio.h>
#include <string.h>

enum { C = 1, CXX = 2, ANY = 3, CLANG_ONLY = 4 };

/* `text` comes first, then "#if `condition`". Macros of one letter, and of one letter and a digit below 4, are
 * undefined again before the next row. */
struct row {
	unsigned on;
	const char *text, *condition;
};

static const struct row rows[] = {
    /* arithmetic */
    {ANY, "", "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9"},
    {ANY, "", "7 / 2 == 3 && -7 / 2 == -3 && -7 % 3 == -1"},
    {ANY, "", "-1 > 0u"},
    {ANY, "", "-1 < 0"},
    {ANY, "", "(2 ? -1 : 0u) > 0"},
    {ANY, "", "(0 ? 0u : -1) > 0"},
    {ANY, "", "1 << 62 >> 60 == 4"},
    {ANY, "", "-8 >> 1 == -4"},
    {ANY, "", "0xFFFFFFFFFFFFFFFF == -1"},
    {ANY, "", "0xFFFFFFFFFFFFFFFF > 0 && 18446744073709551615u + 1 == 0"},
    {ANY, "", "0x7fffffffffffffff > 0 && 0777 == 511 && 0b101 == 5"},
    {ANY, "", "1 || 1 / 0"},
    {ANY, "", "0 && 1 / 0"},
    {ANY, "", "1 ? 2 : 1 / 0"},
    {ANY, "", "!(0 && 1 % 0) && ~0 == -1 && !0 == 1 && - - 1 == 1 && +3 == 3"},
    {ANY, "", "1 ? 0 ? 2 : 3 : 4"},
    {ANY, "", "1 == 1 == 1 && 3 > 2 > 0 && (6 & 3 ^ 1 | 8) == 11"},
    {ANY, "", "2 || 0 && 0"},
    {ANY, "", "10UL == 10lu && 3ll == 3LL && 5Ull == 5"},
    {ANY, "", "'a' == 97 && '\\n' == 10 && '\\0' == 0 && '\\x41' == 65 && '\\101' == 'A'"},
    {ANY, "", "'ab' == 24930 && 'abcd' > 0"},
    {ANY, "", "'\\377' < 0"},
    {ANY, "", "'\\'' == 39 && '\"' == 34 && '\\\\' == 92 && '\\?' == 63"},
    {ANY, "", "L'a' == 97 && L'\\0' - 1 < 0"},
    {CXX, "", "u'a' - 98 > 0 && U'b' == 98"},
    {CXX, "", "1'000'000 == 1000000 && 0x1'f == 31 && 0b1'1 == 3"},
    {CXX, "", "true && !false"},
    {C, "", "true || false"},
    {CXX, "", "not 0 and 1 or 0"},
    {CXX, "", "(6 bitand 3) == 2 && (6 bitor 1) == 7 && (6 xor 3) == 5 && compl 0 == -1 && 1 not_eq 2"},
    {C, "#define and &&\n#define A 1 and 1\n#if A\n#define B 1\n#endif\n#undef and\n", "B"},
    {ANY, "", "undefined_name == 0 && !undefined_name"},
    {CXX, "", "!class && int == 0"},
    {ANY, "#define A 1 //* comment */\n", "A"},
    {ANY, "", "/* a */ 1 /* b */ == /* c */ 1 // d"},
    {ANY, "", "1 \\\n && \\\n 1"},
    /* defined */
    {ANY, "#define A\n", "defined A && defined(A) && !defined B && ! defined ( B )"},
    {ANY, "#define A\n#undef A\n", "!defined A"},
    {ANY, "#define A B\n#define B 1\n", "defined A && A == 1"},
    {ANY, "#define A\n#define D defined A\n#define E defined(B)\n", "D && !E"},
    {ANY, "#define A 0\n#if defined A && A\n#undef A\n#define A 5\n#endif\n", "A == 0"},
    {ANY, "#define A\n#undef A B\n#ifdef A B\n#define C 1\n#else C\n#define C 2\n#endif C\n", "C == 2"},
    {ANY, "", "defined __LINE__ && defined __FILE__ && defined __DATE__"},
    {ANY, "", "defined __has_include && defined(__COUNTER__)"},
    /* groups */
    {ANY, "#if 0\n#if 1\n#define A 1\n#else\n#define A 2\n#endif\n#else\n#define A 3\n#endif\n", "A == 3"},
    {ANY, "#if 0\n#elif 1\n#define A 1\n#elif 1\n#define A 2\n#else\n#define A 3\n#endif\n", "A == 1"},
    {ANY, "#if 1\n#define A 1\n#elif 1 / 0\n#define A 2\n#endif\n", "A == 1"},
    {ANY, "#ifndef A\n#ifdef A\n#elif 0\n#else\n#define A 4\n#endif\n#endif\n", "A == 4"},
    {ANY, "#if 0\n#elif defined B\n#elif !defined(B)\n#define A 6\n#endif\n", "A == 6"},
    {ANY, "#if 0\n#include \"nowhere.h\"\n#unknown\n#if\n#elif\n#endif\n'\n\"\n#endif\n#define A 1\n", "A"},
    {ANY, "#if 0\n#else\n#if 0\n#endif\n#define A 1\n#endif\n", "A"},
    {ANY, "#\n# /* nothing */\n#define A 1\n", "A"},
    {ANY | CLANG_ONLY, "#ifdef A\n#elifdef A\n#elifndef A\n#define B 1\n#endif\n", "B"},
    /* object-like macros */
    {ANY, "#define A B\n#define B A\n", "A == 0"},
    {ANY, "#define A 1 + B\n#define B 2\n", "A * 2 == 5"},
    {ANY, "#define A(x) 1\n", "defined A"},
    {ANY, "#define A (2)\n", "A == 2"},
    {ANY, "#define A B ## 1\n#define B1 7\n", "A == 7"},
    {ANY,
     "#pragma push_macro(\"A\")\n#define A 1\n#pragma push_macro(\"A\")\n#undef A\n#define A 2\n"
     "#pragma pop_macro(\"A\")\n",
     "A == 1"},
    {ANY, "#define A 1\n#pragma push_macro(\"A\")\n#undef A\n#pragma pop_macro(\"A\")\n#pragma pop_macro(\"A\")\n",
     "A == 1"},
    {ANY, "#pragma push_macro(\"A\")\n#define A 1\n#pragma pop_macro(\"A\")\n", "!defined A"},
    /* function-like macros */
    {ANY, "#define F(x) x + 1\n", "F(2) == 3 && F ( 2 ) == 3"},
    {ANY, "#define F() 5\n", "F() == 5 && F( ) == 5"},
    {ANY, "#define F(x) 5\n", "F() == 5 && F((1, 2)) == 5"},
    {ANY, "#define F(x, y) x - y\n#define G F\n", "G(5, 3) == 2"},
    {ANY, "#define F(x) x\n#define G(x) F(x) + 1\n", "G(F(G(1))) == 3"},
    {ANY,
     "#define P (\n#define F(x) x\n#define F2(x) x\n#define A F2 P 1 )\n#define E(x) x\n#if 0\n#elif E(1)\n#define B "
     "1\n#endif\n",
     "B"},
    {ANY, "#define F(x) x\n#define G F\n", "G (3) == 3"},
    {ANY, "#define F(a) a*G\n#define G(a) F(a)\n#undef F\n#undef G\n", "1"},
    {ANY, "#define A(x) B(x)\n#define B(x) x C\n#define C + 1\n", "A(2) == 3"},
    {ANY, "#define X 3\n#define F(a) a\n#define G(a) F(a) F(a)\n", "F(X) == 3 && F(- X) == -3"},
    {ANY, "#define H(x) x ## 1\n#define A1 4\n#define A 9\n", "H(A) == 4"},
    {ANY, "#define H(x) x ## 1\n#define I(x) H(x)\n#define A B\n#define B1 6\n", "I(A) == 6"},
    {ANY, "#define C(a, b) a ## b\n", "C(1, 2) == 12 && C(, 3) == 3 && C(4, ) == 4"},
    {ANY, "#define C(a, b) a ## b\n", "1 C(<, =) 1 && 2 C(&, &) 3 && C(0, x1f) == 31"},
    {ANY, "#define C(a, b, c) a ## b ## c\n", "C(1,2,3) == 123 && C(,,5) == 5 && C(1,,5) == 15 && C(6,,) == 6"},
    {ANY, "#define C(a, b) C_(a, b)\n#define C_(a, b) a ## b\n#define X 1\n#define Y 2\n", "C(X, Y) == 12"},
    {ANY, "#define C(x) 1 x ## x\n", "C() == 1"},
    {ANY, "#define F(x) 1\n#define A F(a b (c, d) \"e)\" ')')\n", "A"},
    {ANY, "#define F(...) F_(__VA_ARGS__)\n#define F_(a, b) a * b\n", "F(3, 4) == 12"},
    {ANY, "#define F(a, ...) a __VA_ARGS__\n", "F(1) == 1 && F(1, + 1) == 2"},
    {ANY, "#define F(a, r...) G(a, r)\n#define G(a, b) a - b\n", "F(9, 4) == 5"},
    {ANY, "#define N(a, b, c, d, ...) d\n#define L(...) N(__VA_ARGS__, 3, 2, 1)\n", "L(x) == 1 && L(x, y) == 2"},
    {ANY, "#define F(a, ...) G(a, ## __VA_ARGS__)\n#define G(...) H(__VA_ARGS__, 2, 1, 0)\n#define H(a, b, c, ...) c\n",
     "F(x, y) == 2"},
    {ANY, "#define F(x) #x\n#define A 1\n", "defined F && A"},
    {ANY, "#define O(x) x 1 P\n#define P(y) + y\n", "O(1 +)(2) == 4"},
    {ANY, "#define F(x) x\n", "F(1\\\n + 1) == 2"},
    {ANY, "#define F(x, y) x ## y\n#define A F(B, C)\n#define BC A\n", "!A"},
    {ANY, "#define EMPTY\n#define D(x) x EMPTY\n#define Q() 123\n#define E(...) __VA_ARGS__\n", "E(D(Q)()) == 123"},
    /* __VA_OPT__: gcc 12 and clang know it in C++20 */
    {CXX, "#define F(...) 1 __VA_OPT__(+ 1)\n", "F() == 1 && F(x) == 2"},
    {CXX, "#define E\n#define F(...) 1 __VA_OPT__(+ 1)\n", "F(E) == 1"},
    {CXX,
     "#define F(a, ...) G(a __VA_OPT__(,) __VA_ARGS__)\n#define G(...) H(__VA_ARGS__, 2, 1, 0)\n"
     "#define H(a, b, c, ...) c\n",
     "F(1, 2) == 2 && F(1) == 1"},
    {CXX, "#define F(a, ...) a ## __VA_OPT__(1)\n", "F(2) == 2 && F(2, x) == 21"},
    /* digraphs and strange lines */
    {ANY, "%:define A 1\n%:define F(a, b) a %:%: b\n", "A && F(1, 2) == 12"},
    {ANY, "#def\\\nine A \\\n 1\n", "A"},
    {ANY, "#define A 1\\\n2\n", "A == 12"},
    {ANY, "#define A \\  \n 3\n", "A == 3"},
    {ANY, "/* x\n */ #define A 1\n", "A"},
    {ANY, "int x0; /* \n */ #define A 1\n", "!defined A"},
    {ANY, "#define A /* \n */ 1\n", "A == 1"},
    {ANY, "#define A 1 // \\\n#define A 2\n", "A == 1"},
    {ANY, "#define A(x) x /* ) */\n", "A(1 /* ) */)"},
    {ANY, "// ?\?/\n#define A 1\n", "A"},
    {ANY, "#define A '\"'\n#define B '\\''\n#define C \"/*\"\n#define D 1 //\"\n", "A == 34 && B == 39 && D"},
    {ANY, "#define A 1\r\n#if A \\\r\n && 1\r\n#define B 2\r\n#endif\r\n", "B == 2"},
    {ANY, "char c1 = '\\''; char c2 = '\"'; char *c3 = \"\\\"/*\";\n#define A 1\n// */\n", "A"},
    {CXX, "int n1 = 1'000'000; int n2 = 0x1'2;\n#define A 1 // '\n", "A"},
    {CXX, "const char *r1 = R\"(\n#define A 1\n)\", *r2 = R\"x()\" \n#define A 2\n)x\", *r3 = u8R\"('\")\";\n",
     "!defined A"},
    {CXX, "#define R 1\nconst char *r4 = LR\"/*(\n*/ \" )/*\";\n#define A 1\n", "A"},
    {ANY, "#define R\nint FOOR = 0; const char *r5 = \"FOOR\"\"(\";\n#define A 1\n", "A"},
    {ANY, "#define $ 3\n", "$ == 3"},
    {ANY, "#define \xc3\xa4 3\n", "\xc3\xa4 == 3"},
    {ANY, "#define A 1\n#define A 1\n#define A 2\n", "A == 2"},
    {ANY, "#ident \"x\"\n#pragma\n#pragma STDC FP_CONTRACT ON\n#pragma omp parallel\n#line 100\n#define A 1\n", "A"},
    /* names of headers */
    {ANY, "#define S(x) #x\n#define T(x) S(x)\n#define N name\n#include T(sub/N.h)\n", "GOT_NAME"},
    {ANY, "#define N <angled.h>\n#include N\n", "GOT_ANGLED"},
    {ANY, "#define N angled\n#define H(x) <x.h>\n#include H(N)\n", "GOT_ANGLED"},
    {ANY, "#define N \"sub/name.h\"\n#if __has_include(N)\n#include N\n#endif\n", "GOT_NAME"},
    {ANY, "#define H(x) __has_include(x)\n", "H(<angled.h>) && !H(<nowhere.h>) && H(\"sub/name.h\")"},
    {ANY, "", "__has_include(<angled.h>) && !__has_include(<no/where.h>) && __has_include (\"sub/name.h\")"},
    {ANY, "", "__has_include(<sub//name.h>) && !__has_include(<x//y.h>)"},
    {ANY, "#include/**/\"sub/name.h\"// x\n# include <angled.h> /*\n*/\n", "GOT_NAME && GOT_ANGLED"},
    {ANY, "#inc\\\nlude \"sub/na\\\nme.h\"\n", "GOT_NAME"},
    {ANY, "#include \"next.h\"\n", "GOT_NEXT == 2"},
    {ANY, "", "__has_include_next(<angled.h>)"},
    {ANY, "#if 0 && __has_include(\"only/looked/at.h\")\n#endif\n", "1"},
    /* the compiler's own */
    {ANY, "", "__LINE__ > 10"},
    {ANY, "", "__INCLUDE_LEVEL__ == 1"},
    {ANY, "#include \"level.h\"\n", "LEVEL_SEEN == 2"},
    {ANY, "#ifndef ONCE_ONLY\n#define ONCE_ONLY\n#include __FILE__\n#else\n#define A 1\n#endif\n", "A || 1"},
    {ANY, "", "__has_attribute(noreturn) && !__has_attribute(no_such_thing)"},
    {ANY,
     "#define B __has_builtin\n#ifdef __has_builtin\n#define A B(__builtin_memcpy) && !B(no_such)\n#else\n#define A "
     "1\n#endif\n",
     "A"},
    {ANY, "#define Q(x) __has_attribute(x)\n#define U unused\n", "Q(__unused__) && Q(U)"},
    {CXX, "", "__has_cpp_attribute(nodiscard) >= 201603L && __has_cpp_attribute(gnu::unused)"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static void put_row(struct oracle *o, struct wb_buf *main_text, size_t i)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVXY$";
	struct wb_buf text = WB_BUF_INIT;
	const struct row *r = &rows[i];
	for (const char *p = letters; *p; p++)
		wb_buf_addf(&text, "#undef %c\n#undef %c1\n", *p, *p);
	wb_buf_adds(&text, "#undef GOT_NAME\n#undef GOT_ANGLED\n#undef GOT_NEXT\n#undef EMPTY\n#undef BC\n");
	wb_buf_addf(&text, "%s#if %s\n#include \"y%zu.h\"\n#else\n#include \"n%zu.h\"\n#endif\n", r->text, r->condition,
		    i, i);
	oracle_put_fresh(o, wb_arena_printf(&o->a, "row%zu.h", i), text.p);
	oracle_put_fresh(o, wb_arena_printf(&o->a, "y%zu.h", i), "");
	oracle_put_fresh(o, wb_arena_printf(&o->a, "n%zu.h", i), "");
	wb_buf_addf(main_text, "#include \"row%zu.h\"\n", i);
	wb_buf_release(&text);
}

static void run_table(struct oracle *o, const char *line, unsigned lang, const char *source)
{
	struct wb_buf text = WB_BUF_INIT;
	struct wb_graph g;
	bool clang = strstr(line, "clang") != NULL;
	o->quick = true;
	for (size_t i = 0; i < ROWS; i++)
		if ((rows[i].on & lang) && (clang || !(rows[i].on & CLANG_ONLY)))
			put_row(o, &text, i);
	oracle_put_fresh(o, source, text.p);
	wb_buf_release(&text);
	oracle_scan_ok(o, &g, line);
	assert_false(g.failed);
	oracle_same_files(o, &g, line);
	oracle_same_as_clang(o, &g, line, false);
}

static void test_table(void **state)
{
	struct oracle *o = *state;
	static const char *const cxx[] = {"clang++-22 -std=c++20", "clang++-19 -std=gnu++20", "clang++-16 -std=c++20",
					  "clang++-14 -std=gnu++20", "g++ -std=gnu++20"};
	static const char *const c[] = {"clang-22 -std=gnu17", "clang-19 -std=gnu11", "clang-16 -std=gnu17",
					"clang-14 -std=gnu99", "gcc -std=gnu17"};
	oracle_put_fresh(o, "sub/name.h", "#define GOT_NAME 1\n");
	oracle_put_fresh(o, "inc/angled.h", "#define GOT_ANGLED 1\n");
	oracle_put_fresh(o, "inc2/angled.h", "");
	oracle_put_fresh(o, "inc/next.h", "#define GOT_NEXT 1\n#include_next <next.h>\n");
	oracle_put_fresh(o, "inc2/next.h", "#undef GOT_NEXT\n#define GOT_NEXT 2\n");
	oracle_put_fresh(o, "level.h", "#if __INCLUDE_LEVEL__ == 2\n#define LEVEL_SEEN 2\n#endif\n");
	oracle_put_fresh(o, "only/looked/at.h", "");
	for (size_t i = 0; i < 5; i++) {
		char name[32];
		sscanf(cxx[i], "%31s", name);
		if (oracle_has(name))
			run_table(o, wb_arena_printf(&o->a, "%s -w -Iinc -Iinc2 -c m.cc", cxx[i]), CXX, "m.cc");
		sscanf(c[i], "%31s", name);
		if (oracle_has(name))
			run_table(o, wb_arena_printf(&o->a, "%s -w -Iinc -Iinc2 -c m.c", c[i]), C, "m.c");
	}
}

/* Whole units: flags, forced files, files met twice. The text of each is checked with both oracles. */
static const struct {
	const char *line;
	const char *file[12]; /* name, text, ... */
} units[] = {
    {"-Ia -Ib -c m.cc", {"m.cc", "#include <x.h>\n", "a/x.h", "#include_next <x.h>\n", "b/x.h", "#pragma once\n"}},
    {"-Ia -Ib -c d/m.cc",
     {"d/m.cc", "#include \"x.h\"\n", "d/x.h", "#include_next <x.h>\n", "a/x.h", "#include_next <x.h>\n", "b/x.h", ""}},
    {"-Ia -Ib -c m.cc", /* gcc and clang differ here */
     {"m.cc", "#include <y.h>\n", "a/y.h", "#include \"x.h\"\n", "a/x.h",
      "#ifndef X\n#define X\n#include_next <x.h>\n#endif\n", "b/x.h", "#include <z.h>\n", "b/z.h", ""}},
    {"-idirafter z -isystem y -Ix -iquote q -c m.cc",
     {"m.cc", "#include <a.h>\n#include \"b.h\"\n#include <c.h>\n", "x/a.h", "", "q/b.h", "", "x/b.h", "", "y/c.h", "",
      "z/c.h", ""}},
    {"-Ix -Iy -isystem x -c m.cc",
     {"m.cc", "#include <a.h>\n", "x/a.h", "#include_next <b.h>\n", "y/a.h", "#include_next <a.h>\n", "x/b.h", ""}},
    {"-DA=1 -DF(x)=x -UB -DC -imacros mac.h -include inc.h -c m.cc",
     {"m.cc", "#if A == 1 && F(1) && !defined B && C == 1 && M\n#include \"good.h\"\n#endif\n", "mac.h",
      "#define M 1\nint hidden;\n", "inc.h", "#ifdef M\n#include \"second.h\"\n#endif\n", "second.h", "", "good.h",
      ""}},
    {"-x c -c m.c",
     {"m.c", "#import \"x.h\"\n#import \"x.h\"\n#include \"x.h\"\n", "x.h",
      "#ifdef SEEN\n#error\n#endif\n#define SEEN\n"}},
    {"-c m.cc",
     {"m.cc",
      "#define X(a) int a;\n#include \"x.def\"\n#undef X\n#define X(a) char a##2;\n#define LAST\n#include \"x.def\"\n",
      "x.def", "X(a)\n#ifdef LAST\n#include \"good.h\"\n#endif\n", "good.h", ""}},
    {"-c m.S",
     {"m.S",
      "# it's a comment\n# define no\n#ifdef __ASSEMBLER__\n#include \"good.h\"\n#endif\n nop // don't\n.macro x\n",
      "good.h", ""}},
    {"-c m.cc", {"m.cc", "#include \"nowhere.h\"\n"}},
    {"-c m.cc", {"m.cc", "#include \"good.h\"\n#if 0\n/*\n#include \"bad.h\"\n", "good.h", ""}},
    {"-fno-operator-names -c m.cc",
     {"m.cc", "#if defined and\n#include \"bad.h\"\n#else\n#include \"good.h\"\n#endif\n", "good.h", "", "bad.h", ""}},
    {"-x c -std=c99 -c m.c",
     {"m.c", "?\?=include \"good.h\"\n#define A ?\?/\n 1\n#if A ?\?!?\?! 0\n#include \"b.h\"\n#endif\n", "good.h", "",
      "b.h", ""}},
    {"-x c -std=c89 -c m.c",
     {"m.c", "#define A 1 //**/ 2\n#if A == 1\n#include \"good.h\"\n#endif\n#if 4 //**/ 2 == 2\n#endif\n", "good.h",
      ""}},
    {"-c m.cc",
     {"m.cc", "#ifndef A\n#define A\n#include __FILE__\n#else\n#include \"good.h\"\n#endif\n", "good.h", ""}},
    {"-c ./m.cc",
     {"m.cc", "#include \"./x.h\"\n#include \"x.h\"\n", "x.h", "#include \"d/../y.h\"\n", "y.h", "", "d/k", ""}},
    {"-funsigned-char -c m.cc", {"m.cc", "#if '\\377' > 0\n#include \"good.h\"\n#endif\n", "good.h", ""}},
    {"-I. -I./d/ -c m.cc", {"m.cc", "#include <x.h>\n#include <y.h>\n", "x.h", "", "d/y.h", "#include \"../x.h\"\n"}},
};

static void test_units(void **state)
{
	(void)state;
	static const char *const compilers[] = {"clang++-22", "clang++-14", "g++"};
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		void *s;
		oracle_setup_directives(&s);
		struct oracle *o = s;
		for (size_t k = 0; k + 1 < 12 && units[i].file[k]; k += 2)
			oracle_put_fresh(o, units[i].file[k], units[i].file[k + 1]);
		for (size_t c = 0; c < sizeof compilers / sizeof *compilers; c++) {
			struct wb_graph g;
			if (!oracle_has(compilers[c]))
				continue;
			const char *line = wb_arena_printf(&o->a, "%s -w %s", compilers[c], units[i].line);
			oracle_scan_ok(o, &g, line);
			oracle_same_files(o, &g, line);
		}
		oracle_teardown(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_table, oracle_setup_directives, oracle_teardown),
	    cmocka_unit_test(test_units),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
