/* The engine `directives` against the compilers' own -M and against the engine `clang`: a table of preprocessor corner
 * cases, each a header of its own that includes yN.h or nN.h. Whole units: test_directives_units.c. */
#define _GNU_SOURCE
#include "tests/unit/scan_oracle.h"

#include <stdio.h>
#include <string.h>

/* CLANG_19: clang alone, since that version. */
enum { C = 1, CXX = 2, ANY = 3, CLANG_ONLY = 4, CLANG_19 = 8 };

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
    {ANY, "", "-1 / 2u > 0 && (0u - 1) >> 63 == 1 && -1 >> 1 < 0"},
    {ANY, "", "(1 || 0u) - 2 < 0 && !0u - 2 < 0 && (1u == 1) - 2 < 0 && (2u > 1) - 2 < 0"},
    {ANY, "", "~0u > 0 && -9223372036854775807 - 1 < 0 && (1 ? 1 : 0u) - 2 > 0"},
    {ANY, "", "0 && (1 ? 1 / 0 : 2) || 1 && (0 ? 1 / 0 : 1)"},
    {ANY, "", "((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))"},
    {ANY, "", "1 /* \n */ && /* \n\n */ 1"},
    {ANY, "", "defined A == defined(B)"},
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
    {ANY | CLANG_ONLY,
     "#define A\n#if 0\n#elifndef A\n#elifdef B\n#elifdef A\n#define C 1\n#elifdef A\n#define C 2\n#endif\n", "C == 1"},
    {ANY, "#if 0\n#if 0\n#elif\n#else\n#endif\n#endif\n#define A 1\n", "A"},
    {ANY, "#if 0\n#warning it's \"\n#error /* x */ '\n#else\n#define A 1\n#endif\n", "A"},
    {ANY, "#warning it's /* one line */ \"\n#define A 1\n", "A"},
    {ANY, "#ifdef A // x\n#else // y\n#define B 1\n#endif /* z */ // w\n", "B"},
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
    {ANY,
     "#define F(x) x + 1\n#pragma push_macro ( \"F\" ) x\n#undef F\n#define F 7\n#pragma push_macro(\"F\")\n#undef F\n"
     "#pragma pop_macro(\"F\")\n#define G F\n#pragma pop_macro(\"F\")\n",
     "F(1) == 2 && G(2) == 3"},
    {ANY, "#pragma push_macro(\"A\") // push_macro(\"B\")\n#define A 1\n#if 0\n#pragma pop_macro(\"A\")\n#endif\n",
     "A"},
    {ANY, "%:/**/pragma /* x */ push_\\\nmacro(\"A\")\n#define A 3\n# /**/ pragma pop_macro/**/(\"A\")\n",
     "!defined A"},
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
    {CXX, "#define F(a, ...) a ## __VA_OPT__(1 ## 2) ## 3\n", "F(, x) == 123 && F(7) == 73 && F(7, x) == 7123"},
    {CXX, "#define F(a, ...) __VA_OPT__(a ## __VA_ARGS__ +) 1\n", "F(1) == 1 && F(1, 2) == 13"},
    {CXX, "#define F(...) __VA_OPT__((__VA_ARGS__) +) 1\n#define G(...) F(__VA_ARGS__)\n", "G() == 1 && G(F(1)) == 3"},
    {CXX, "#define Q(...) #__VA_OPT__(sub/name.h)\n#include Q(1)\n", "GOT_NAME"},
    {CXX, "#define Q(x, ...) #__VA_OPT__(  x/name.h  )\n#include Q(sub, 1)\n", "GOT_NAME"},
    {CXX, "#define F(x, ...) x __VA_OPT__() - 1\n", "F(3) == 2 && F(3, 4) == 2"},
    /* rescanning */
    {ANY, "#define A A1 + 1\n#define A1 A\n#define F(x) x\n", "A == 1 && F(A) == 1 && A1 == 1"},
    {ANY, "#define F(x) G x\n#define G(x) x + 1\n", "F((2)) == 3"},
    {ANY, "#define E\n#define F(x) x - 1\n#define G F E\n#define H(x) x\n", "H(F)(3) == 2 && H(G(3)) == 2"},
    {ANY, "#define F(x, y) x y\n#define L (\n#define C2 ,\n#define I(x) x\n", "F(1 +, 2) == 3"},
    {ANY, "#define N(a, b, c, d, ...) d\n#define M(...) N(__VA_ARGS__, 3, 2, 1)\n#define C ,\n#define X a C b\n",
     "M(X) == 2 && M((a C b)) == 1"},
    {ANY, "#define S(...) #__VA_ARGS__\n#define T(...) S(__VA_ARGS__)\n#define E\n#include T(E sub/name.h E)\n",
     "GOT_NAME"},
    {ANY, "#define S(x) #x\n#include S( /* c */ sub/name.h /* d */ )\n", "GOT_NAME"},
    {ANY, "#define P(x) _ ## x\n#define Q(x) P(x)\n#define _B 5\n#define A B\n", "Q(A) == 5"},
    {ANY, "#define A(x) 1 x\n#define B A(== 1 && 2\n", "B > 1)"},
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
    {ANY, "/\\\n* #define A 2\n*\\\n/ #define A 1\n", "A == 1"},
    {ANY, "/\\\n\\\n/ #define A 2 \\\n#define A 3\n#define A 1\n", "A == 1"},
    {ANY, "#define A 1 /\\\n/ 2\n#define B 1 /\\\n* 2 *\\\n/ + 1\n", "A == 1 && B == 2"},
    {ANY, "// x \\\r\n#define A 2\r\n#define A 1\r\n", "A == 1"},
    {ANY, "/* \r\n *\\\r\n/ #define A 1\r\n", "A"},
    {ANY, "char *s = \"a\\\nb // /* \\\" \"; // \"\n#define A 1\n", "A"},
    {ANY, "#\\\n\\\ndef\\\nine\\\n A\\\n 1\n", "A"},
    {ANY, "#define A /* \n * \n */ 1 /* \n */ + 1 // x \\\n y\n", "A == 2"},
    {CXX, "#if 0\nR\"(\n#endif\n)\"\n#define A 2\n#endif\n#define A 1\n", "A == 1"},
    {CXX, "const char *t1 = R\"0123456789abcdef()\" \n#define A 2\n)0123456789abcdef\" UR\"()\" uR\"x()x\";\n",
     "!defined A"},
    {CXX, "const char *t2 = R\"(\\\n#define A 2\n\\)\";\n#define A 1\n", "A == 1"},
    {CXX, "#define u8R 1\nconst char *t3 = u8R\"(\n#define A 2\n)\";\n", "!defined A"},
    {CXX, "int n3 = 0b1'0 + 0x'1 + 'a' - '\"' + 1'2'3;\n#define A 1 // '\n", "A"},
    {ANY, "#line 7 \"else/where.h\"\n#include \"sub/name.h\"\n", "GOT_NAME"},
    {ANY, "# 7 \"else/where.h\"\n#define A 1\n", "A"},
    {ANY, "\f#\v define A 1\n", "A"},
    {ANY, "#define A\"x\"\n#define B+1\n", "defined A && B == 1"},
    /* names of headers */
    {ANY, "#define S(x) #x\n#define T(x) S(x)\n#define N name\n#include T(sub/N.h)\n", "GOT_NAME"},
    {ANY, "#define N <angled.h>\n#include N\n", "GOT_ANGLED"},
    {ANY, "#define N angled\n#define H(x) <x.h>\n#include H(N)\n", "GOT_ANGLED"},
    {ANY, "#define N \"sub/name.h\"\n#if __has_include(N)\n#include N\n#endif\n", "GOT_NAME"},
    {ANY, "#define H(x) __has_include(x)\n", "H(<angled.h>) && !H(<nowhere.h>) && H(\"sub/name.h\")"},
    {ANY, "", "__has_include(<angled.h>) && !__has_include(<no/where.h>) && __has_include (\"sub/name.h\")"},
    {ANY, "", "__has_include(<sub//name.h>) + !__has_include(<x//y.h>)"},
    {ANY, "#include/**/\"sub/name.h\"// x\n# include <angled.h> /*\n*/\n", "GOT_NAME && GOT_ANGLED"},
    {ANY, "#inc\\\nlude \"sub/na\\\nme.h\"\n", "GOT_NAME"},
    {ANY, "#include \"next.h\"\n", "GOT_NEXT == 2"},
    {ANY, "", "__has_include_next(<angled.h>)"},
    {ANY | CLANG_ONLY, "#if 0 && __has_include(\"only/looked/at.h\")\n#endif\n", "1"},
    {ANY, "#include \"sub//name.h\" /* x */ // y\n", "GOT_NAME"},
    {ANY, "#define F(x) x\n", "F(__has_include(<angled.h>)) && F(!__has_include(<no/where.h>))"},
    {ANY, "#define B __has_include\n#define N nothing\n", "B(<N.h>) && B(\"sub/name.h\") && __has_include(<N.h>)"},
    {ANY, "#define F(x) x\n#define N nothing\n", "!F(__has_include(<N.h>))"},
    {ANY, "#define H __has_include(<N.h>)\n#define N nothing\n", "!H"},
    {ANY, "#define N <N\n#include N.h>\n", "GOT_N"},
    {ANY, "", "__has_include(__FILE__)"},
    {ANY, "#define E\n#define N \"sub/name.h\"\n#include E N E\n", "GOT_NAME"},
    /* #embed */
    {ANY | CLANG_19, "",
     "__has_embed(\"data.bin\") == 1 && __has_embed(\"empty.bin\") == 2 && !__has_embed(\"none.bin\")"},
    {ANY | CLANG_19, "", "__has_embed(\"data.bin\" limit(0)) == 2 && __has_embed(\"data.bin\" limit(1)) == 1"},
    {ANY | CLANG_19, "#define L 1\n#define I(x) x\n",
     "__has_embed(\"data.bin\" limit(I(L) - 1)) == 2 && __has_embed(\"data.bin\" __limit__(L))"},
    {ANY | CLANG_19, "", "__has_embed(\"data.bin\" prefix(1, (2),) suffix(,3) if_empty(0)) == 1"},
    {ANY | CLANG_19, "", "!__has_embed(\"data.bin\" vendor::nothing(1)) && !__has_embed(\"data.bin\" other)"},
    {ANY | CLANG_19, "",
     "__has_embed(\"data.bin\" clang::offset(99)) == 2 && __has_embed(\"data.bin\" clang::offset(1) limit(1)) == 1"},
    {ANY | CLANG_19, "#define B __has_embed\n#define N \"data.bin\"\n", "B(N) == 1"},
    {ANY | CLANG_19, "int e1[] = {\n#embed \"data.bin\" limit(1) prefix(1,) suffix(,2) if_empty(0) // x\n};\n", "1"},
    {ANY | CLANG_19,
     "#define N \"data2.bin\"\n#define L 1 + 1\nint e2[] = {\n#embed N limit(L)\n};\n#embed \"data3.bin\"\n", "1"},
    /* the compiler's own */
    {ANY | CLANG_ONLY, "", "__has_feature(address_sanitizer) == 0 && !__has_feature(no_such_thing)"},
    {ANY | CLANG_ONLY, "", "__has_extension(c_static_assert) && !__has_extension(no_such_thing)"},
    {ANY | CLANG_ONLY, "", "__has_warning(\"-Wall\") && !__has_warning(\"-Wno-such-thing\")"},
    {ANY | CLANG_ONLY, "", "__is_identifier(foo) && !__is_identifier(int) && !__is_identifier(__is_pod) || 1"},
    {ANY | CLANG_ONLY, "", "__is_target_arch(x86_64) && __is_target_os(linux) && !__is_target_os(darwin)"},
    {ANY | CLANG_ONLY, "", "__is_target_vendor(unknown) || __is_target_vendor(pc) || !__is_target_environment(msvc)"},
    {ANY | CLANG_19, "", "!__is_target_variant_os(macos) && !__is_target_variant_environment(x)"},
    {CXX | CLANG_19, "", "__has_constexpr_builtin(__builtin_bswap16) || !__has_constexpr_builtin(no_such)"},
    {ANY, "", "!__has_attribute(no_such) && __has_attribute(__const__)"},
    {ANY, "#if defined __has_c_attribute && !defined __cplusplus\n#if __has_c_attribute(nodiscard)\n#endif\n#endif\n",
     "1"},
    {ANY | CLANG_ONLY, "", "!__has_declspec_attribute(no_such) && __has_builtin(__builtin_trap)"},
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
	wb_buf_adds(&text,
		    "#undef GOT_NAME\n#undef GOT_ANGLED\n#undef GOT_NEXT\n#undef EMPTY\n#undef BC\n#undef GOT_N\n");
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
	bool clang = strstr(line, "clang") != NULL, clang_19 = clang && (strstr(line, "-22") || strstr(line, "-19"));
	o->quick = true;
	for (size_t i = 0; i < ROWS; i++)
		if ((rows[i].on & lang) && (clang || !(rows[i].on & CLANG_ONLY)) &&
		    (clang_19 || !(rows[i].on & CLANG_19)))
			put_row(o, &text, i);
	oracle_put_fresh(o, source, text.p);
	wb_buf_release(&text);
	oracle_scan_ok(o, &g, line);
	if (g.failed)
		fail_msg("%s: %s", line, g.diagnostics);
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
	oracle_put_fresh(o, "inc/N.h", "#define GOT_N 1\n");
	oracle_put_fresh(o, "data.bin", "12");
	oracle_put_fresh(o, "data2.bin", "12");
	oracle_put_fresh(o, "data3.bin", "#define A 1\n");
	oracle_put_fresh(o, "empty.bin", "");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_table, oracle_setup_directives, oracle_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
