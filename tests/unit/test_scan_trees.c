/* Scans against the compiler's own -M: crafted trees and real headers, five compilers. */
#define _GNU_SOURCE
#include "base/fileio.h"
#include "tests/unit/scan_oracle.h"

#include <string.h>
#include <unistd.h>

static const char *const compilers[] = {"clang++-22", "clang++-19", "clang++-16", "clang++-14", "g++"};
enum { CLANG_22 = 1, CLANG_19 = 2, CLANG_16 = 4, CLANG_14 = 8, GCC = 16, CLANGS = 15, ALL = 31 };

struct file {
	const char *name, *text;
};

struct tree {
	const char *what;
	const char *flags; /* behind the compiler; the source is among them */
	unsigned on;       /* compilers */
	struct file file[8];
};

static const struct tree trees[] = {
    {"include_next",
     "-Ia -Ib -c m.cc",
     ALL,
     {{"m.cc", "#include <x.h>\n"}, {"a/x.h", "#include_next <x.h>\n"}, {"b/x.h", "#pragma once\n"}}},
    {"include_next from a file found beside its includer",
     "-Ia -Ib -c d/m.cc",
     ALL,
     {{"d/m.cc", "#include \"x.h\"\n"},
      {"d/x.h", "#include_next <x.h>\n"},
      {"a/x.h", "#include_next <x.h>\n"},
      {"b/x.h", ""}}},
    {"names from macros",
     "-Ia -c m.cc",
     ALL,
     {{"m.cc", "#define S(x) #x\n#define T(x) S(x)\n#define DIR deep\n#define H1 \"one.h\"\n#define H2 "
	       "<two.h>\n#include H1\n#include H2\n"
	       "#include T(DIR/three.h)\n"},
      {"one.h", ""},
      {"a/two.h", ""},
      {"deep/three.h", ""}}},
    {"conditions on has_include",
     "-Ia -c m.cc",
     ALL,
     {{"m.cc", "#if __has_include(<seen.h>) && !__has_include(\"unseen.h\")\n#include \"yes.h\"\n#endif\n"
	       "#define P <seen.h>\n#if __has_include(P)\n#include \"also.h\"\n#endif\n"},
      {"a/seen.h", ""},
      {"yes.h", ""},
      {"also.h", ""}}},
    {"a missing header", "-c m.cc", ALL, {{"m.cc", "#include \"nowhere.h\"\n"}}},
    {"push and pop of a macro",
     "-c m.cc",
     ALL,
     {{"m.cc", "#define A 1\n#pragma push_macro(\"A\")\n#undef A\n#ifdef A\n#include \"bad.h\"\n#endif\n#pragma "
	       "pop_macro(\"A\")\n"
	       "#ifdef A\n#include \"good.h\"\n#endif\n"},
      {"good.h", ""},
      {"bad.h", ""}}},
    {"push of a macro behind a macro, in a line that is no directive",
     "-c m.cc",
     ALL,
     {{"m.cc", "#define PUSH _Pragma(\"push_macro(\\\"A\\\")\")\n#define POP "
	       "_Pragma(\"pop_macro(\\\"A\\\")\")\n#define A 1\nPUSH\n#undef A\n"
	       "POP\n#ifdef A\n#include \"good.h\"\n#endif\n"},
      {"good.h", ""}}},
    {"a counter that code moves",
     "-c m.cc",
     ALL,
     {{"m.cc", "int a = __COUNTER__;\n#if __COUNTER__ == 1\n#include \"good.h\"\n#else\n#include \"bad.h\"\n#endif\n"},
      {"good.h", ""},
      {"bad.h", ""}}},
    {"a line number that #line moves",
     "-c m.cc",
     ALL,
     {{"m.cc", "#line 100\n#if __LINE__ == 100\n#include \"good.h\"\n#else\n#include \"bad.h\"\n#endif\n"},
      {"good.h", ""},
      {"bad.h", ""}}},
    {"a file that includes itself by __FILE__",
     "-c m.cc",
     ALL,
     {{"m.cc", "#ifndef TWICE\n#define TWICE\n#include __FILE__\n#else\n#include \"good.h\"\n#endif\n"},
      {"good.h", ""}}},
    {"search order",
     "-idirafter z -isystem y -Ix -iquote q -c m.cc",
     ALL,
     {{"m.cc", "#include <a.h>\n#include \"b.h\"\n#include <c.h>\n#include <d.h>\n"},
      {"x/a.h", ""},
      {"q/b.h", ""},
      {"x/b.h", ""},
      {"y/c.h", ""},
      {"z/c.h", ""},
      {"z/d.h", ""}}},
    {"a user directory that is also a system one",
     "-Ix -Iy -isystem x -c m.cc",
     ALL,
     {{"m.cc", "#include <a.h>\n"}, {"x/a.h", ""}, {"y/a.h", "#include_next <a.h>\n"}}},
    {"forced files and macros",
     "-DA=1 -DF(x)=x -UB -DC -imacros mac.h -include inc.h -c m.cc",
     ALL,
     {{"m.cc", "#if A == 1 && F(1) && !defined B && C == 1 && M\n#include \"good.h\"\n#endif\n"},
      {"mac.h", "#define M 1\nint hidden;\n"},
      {"inc.h", "#ifdef M\n#include \"second.h\"\n#endif\n"},
      {"second.h", ""},
      {"good.h", ""}}},
    {"macros by other doors, in the order of the drivers",
     "-Wp,-DX=2 -DX=1 -DY=1 -Xpreprocessor -UY -c m.cc",
     CLANGS,
     {{"m.cc", "#if X == 2 && !defined Y\n#include \"good.h\"\n#endif\n"}, {"good.h", ""}}},
    {"text that looks like directives",
     "-std=c++17 -c m.cc",
     ALL,
     {{"m.cc", "const char *a = R\"x(\n#include \"bad.h\"\n)x\";\n/*\n#include \"bad.h\"\n*/\nint n = 1'000'000; // "
	       "it's\n#define E \"/*\"\n"
	       "#include \"good.h\" // */\n#if 0\n'unterminated\n#include \"bad.h\"\n#endif\n/* x */ # /* y */ include "
	       "/* z */ \"third.h\"\n"},
      {"good.h", ""},
      {"third.h", ""},
      {"bad.h", ""}}},
    {"spliced lines and carriage returns",
     "-c m.cc",
     ALL,
     {{"m.cc", "#inc\\\nlude \"good.h\"\r\n#if 1 \\\r\n  && 0\r\n#include \"bad.h\"\r\n#endif\r\n#define \\\r\n  "
	       "A\r\n#ifdef A\r\n#include \"second.h\"\r\n#endif\r\n"},
      {"good.h", ""},
      {"second.h", ""},
      {"bad.h", ""}}},
    {"a name with a comment sign in it", "-Id -c m.cc", ALL, {{"m.cc", "#include <x//y.h>\n"}, {"d/x/y.h", ""}}},
    {"a file read many times",
     "-c m.cc",
     ALL,
     {{"m.cc", "#define X(a) int a;\n#include \"x.def\"\n#undef X\n#define X(a) char a##2;\n#define LAST\n#include "
	       "\"x.def\"\n"},
      {"x.def", "X(a)\n#ifdef LAST\n#include \"good.h\"\n#endif\n"},
      {"good.h", ""}}},
    {"import",
     "-x c -c m.c",
     ALL,
     {{"m.c", "#import \"x.h\"\n#import \"x.h\"\n"},
      {"x.h", "#ifdef SEEN\n#include \"bad.h\"\n#endif\n#define SEEN\n"},
      {"bad.h", ""}}},
    {"questions, straight and behind macros",
     "-std=c++17 -c m.cc",
     ALL,
     {{"m.cc",
       "#define HAS(x) __has_cpp_attribute(x)\n#if HAS(gnu::unused) && __has_cpp_attribute(nodiscard) >= 201603L\n"
       "#include \"a.h\"\n#endif\n#if defined(__has_feature)\n#if __has_feature(cxx_exceptions)\n#include "
       "\"b.h\"\n#endif\n"
       "#if __has_extension(c_generic_selections)\n#include \"c.h\"\n#endif\n#else\n#include \"d.h\"\n#endif\n"
       "#ifdef __has_warning\n#if __has_warning(\"-Wshadow\") && !__has_warning(\"-Wnosuch\")\n#include "
       "\"e.h\"\n#endif\n#endif\n"
       "#ifdef __has_c_attribute\n#include \"f.h\"\n#endif\n"
       "#if __has_builtin(__builtin_expect) && !__has_builtin(nonsense)\n#include \"g.h\"\n#endif\n"},
      {"a.h", ""},
      {"b.h", ""},
      {"c.h", ""},
      {"d.h", ""},
      {"e.h", ""},
      {"f.h", ""},
      {"g.h", ""}}},
    {"questions depend on flags",
     "-fno-exceptions -std=c++11 -c m.cc",
     CLANGS,
     {{"m.cc", "#if __has_feature(cxx_exceptions)\n#include \"bad.h\"\n#elif "
	       "!__has_feature(cxx_generic_lambdas)\n#include \"good.h\"\n#endif\n"},
      {"good.h", ""},
      {"bad.h", ""}}},
    {"an operand that is a macro, expanded or not",
     "-x c -std=c11 -c m.c",
     ALL,
     {{"m.c", "#include <stdnoreturn.h>\n#if __has_attribute(noreturn)\n#include \"a.h\"\n#endif\n#if "
	      "__has_attribute(__noreturn__)\n"
	      "#include \"b.h\"\n#endif\n#define __builtin_trap foo\n#if __has_builtin(__builtin_trap)\n#include "
	      "\"c.h\"\n#endif\n"},
      {"a.h", ""},
      {"b.h", ""},
      {"c.h", ""}}},
    {"a name redefined by the source",
     "-c m.cc",
     ALL,
     {{"m.cc", "#ifndef __has_feature\n#define __has_feature(x) 0\n#endif\n#if __has_feature(cxx_rtti)\n#include "
	       "\"rtti.h\"\n#else\n"
	       "#include \"none.h\"\n#endif\n#undef __has_builtin\n#define __has_builtin(x) 7\n#if __has_builtin(what) "
	       "== 7\n#include \"seven.h\"\n#endif\n"},
      {"rtti.h", ""},
      {"none.h", ""},
      {"seven.h", ""}}},
    {"elifdef", "-c m.cc", CLANGS, {{"m.cc", "#ifdef A\n#elifndef B\n#include \"good.h\"\n#endif\n"}, {"good.h", ""}}},
    {"embed",
     "-x c -std=c23 -c m.c",
     CLANG_22 | CLANG_19,
     {{"m.c", "const unsigned char d[] = {\n#embed \"data.bin\" limit(3)\n};\n#if __has_embed(\"data.bin\") == "
	      "__STDC_EMBED_FOUND__\n#include \"good.h\"\n#endif\n"},
      {"data.bin", "12345"},
      {"good.h", ""}}},
    {"assembler",
     "-c m.S",
     ALL,
     {{"m.S", "# it's a comment\n#ifdef __ASSEMBLER__\n#include \"good.h\"\n#endif\n nop // don't\n"}, {"good.h", ""}}},
    {"digraphs",
     "-c m.cc",
     ALL,
     {{"m.cc", "%: include \"good.h\"\n%:if 0\n#include \"bad.h\"\n#endif\n"}, {"good.h", ""}, {"bad.h", ""}}},
    {"white space, quotes and comments where they hurt",
     "-std=c++17 -c m.cc",
     ALL,
     {{"m.cc", "\xef\xbb\xbf\f#\v include \"good.h\"\n#if 0\n#error don't\n/* \" ' */ it's \"\n#endif // "
	       "don't\n#define A \\ \n 1\n#if A\n"
	       "#include \"second.h\"\n#endif\nchar a = '\"'; const wchar_t *b = L\"\\\"\"; int n = 0x1'2;\n// spliced "
	       "\\\n#include \"bad.h\"\n"
	       "const char *c = u8R\"(\"\n#include \"bad.h\"\n)\";\n#pragma what's this\n#include \"third.h\"\n"},
      {"good.h", ""},
      {"second.h", ""},
      {"third.h", ""},
      {"bad.h", ""}}},
    {"a comment and a conditional without an end: both fail",
     "-c m.cc",
     ALL,
     {{"m.cc", "#include \"good.h\"\n#if 0\n/*\n#include \"bad.h\"\n"}, {"good.h", ""}, {"bad.h", ""}}},
    {"conditions with everything",
     "-DX=3 -c m.cc",
     ALL,
     {{"m.cc",
       "#if (X > 2 ? X << 2 == 12 : 0) && 'a' == 97 && -1 < 0u == 0 && ~0 == -1 && 0x10 % 7 == 2 && (defined X || Y / "
       "0)\n#include \"a.h\"\n"
       "#endif\n#define D defined(X)\n#if D\n#include \"b.h\"\n#endif\n#if __INCLUDE_LEVEL__ == 0 && true && "
       "!false\n#include \"c.h\"\n#endif\n"
       "#define CAT(a, b) a##b\n#define V(...) CAT(__VA_ARGS__)\n#if V(1, 2) == 12\n#include \"d.h\"\n#endif\n"},
      {"a.h", ""},
      {"b.h", ""},
      {"c.h", "#if __INCLUDE_LEVEL__ == 1\n#include \"e.h\"\n#endif\n"},
      {"d.h", ""},
      {"e.h", ""}}},
    {"trigraphs where the standard has them",
     "-x c -std=c99 -c m.c",
     ALL,
     {{"m.c", "?"
	      "?=include \"good.h\"\n"},
      {"good.h", ""}}},
    {"a name of an operator is a name",
     "-fno-operator-names -c m.cc",
     ALL,
     {{"m.cc", "#if defined and\n#include \"bad.h\"\n#else\n#include \"good.h\"\n#endif\n"},
      {"good.h", ""},
      {"bad.h", ""}}},
};

/* One scanner for all of them: asking a compiler what it predefines takes longer than all else here. */
static void test_trees(void **state)
{
	struct oracle *o = *state;
	struct wb_err err = WB_ERR_INIT;
	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
		assert_ok(wb_dir_remove(o->dir, &err), &err);
		print_message("    %s\n", trees[i].what);
		for (const struct file *f = trees[i].file; f < trees[i].file + 8 && f->name; f++)
			oracle_put_fresh(o, f->name, f->text);
		for (size_t c = 0; c < sizeof compilers / sizeof *compilers; c++)
			if ((trees[i].on & 1u << c) && oracle_has(compilers[c]))
				oracle_agree(o, wb_arena_printf(&o->a, "%s %s", compilers[c], trees[i].flags));
	}
}

static const char *const cxx_headers[] = {"algorithm",  "atomic",          "bitset",       "chrono",  "filesystem",
					  "functional", "future",          "iostream",     "iomanip", "locale",
					  "map",        "memory_resource", "mutex",        "numeric", "optional",
					  "random",     "regex",           "shared_mutex", "span",    "string",
					  "thread",     "unordered_map",   "variant",      "version", "immintrin.h",
					  "cstdatomic", "stdatomic.h",     "bits/stdc++.h"};
static const char *const llvm_headers[] = {
    "llvm/ADT/StringMap.h",     "llvm/IR/Module.h",         "llvm/Support/CommandLine.h", "llvm/Support/raw_ostream.h",
    "llvm/IR/IRBuilder.h",      "llvm/Object/ELF.h",        "llvm/Support/Endian.h",      "llvm/CodeGen/MachineInstr.h",
    "clang/Lex/Preprocessor.h", "clang/Basic/LangOptions.h"};
static const char *const c_headers[] = {"assert.h",   "complex.h", "errno.h",   "fenv.h",      "float.h",
					"inttypes.h", "limits.h",  "math.h",    "setjmp.h",    "signal.h",
					"stdio.h",    "stdlib.h",  "tgmath.h",  "threads.h",   "unistd.h",
					"sys/stat.h", "netdb.h",   "pthread.h", "stdatomic.h", "linux/fs.h"};

/* Every other header with each compiler: all of them with every two. */
static void headers(struct oracle *o, size_t compiler_index, const char *flags, const char *const *header, size_t n)
{
	const char *compiler = compilers[compiler_index];
	o->quick = true;
	for (size_t i = compiler_index % 2; i < n; i += 2) {
		bool c = strstr(flags, "-x c ") != NULL;
		const char *name = c ? "h.c" : "h.cc";
		oracle_put_fresh(o, name, wb_arena_printf(&o->a, "#include <%s>\n", header[i]));
		oracle_agree(o, wb_arena_printf(&o->a, "%s %s %s", compiler, flags, name));
	}
}

static void test_headers(void **state)
{
	struct oracle *o = *state;
	static const char *const std[] = {"-std=c++20 -c", "-std=gnu++17 -O2 -c", "-std=c++14 -fno-exceptions -c",
					  "-std=gnu++20 -mavx2 -c", "-std=c++17 -pthread -c"};
	for (size_t c = 0; c < sizeof compilers / sizeof *compilers; c++) {
		if (!oracle_has(compilers[c]))
			continue;
		headers(o, c, std[c], cxx_headers, sizeof cxx_headers / sizeof *cxx_headers);
		if (access("/usr/lib/llvm-22/include/llvm/IR/Module.h", R_OK) == 0)
			headers(o, c, "-std=c++17 -I/usr/lib/llvm-22/include -c", llvm_headers,
				sizeof llvm_headers / sizeof *llvm_headers);
		headers(o, c, "-x c -std=gnu11 -c", c_headers, sizeof c_headers / sizeof *c_headers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_trees, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_headers, oracle_setup, oracle_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
