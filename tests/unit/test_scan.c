/* Scans against the compiler's own -M: crafted trees and real headers, five compilers; then what no -M tells: edges,
 * skips, misses, the prefix of a precompiled header, files that change between two requests, and many threads. */
#define _GNU_SOURCE
#include "tests/unit/scan_oracle.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
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

static void test_trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
		void *s;
		oracle_setup(&s);
		struct oracle *o = s;
		print_message("    %s\n", trees[i].what);
		for (const struct file *f = trees[i].file; f < trees[i].file + 8 && f->name; f++)
			oracle_put_fresh(o, f->name, f->text);
		for (size_t c = 0; c < sizeof compilers / sizeof *compilers; c++)
			if ((trees[i].on & 1u << c) && oracle_has(compilers[c]))
				oracle_agree(o, wb_arena_printf(&o->a, "%s %s", compilers[c], trees[i].flags));
		oracle_teardown(&s);
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

static void scan_ok(struct oracle *o, struct wb_graph *g, const char *line)
{
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason = WB_REASON_NONE;
	assert_ok(oracle_scan(o, g, line, &reason, &err), &err);
}

static const struct wb_edge *edge_to(const struct wb_graph *g, const char *suffix, unsigned nth)
{
	for (uint32_t i = 0; i < g->nedge; i++)
		if (wb_ends_with(g->file[g->edge[i].to].path, suffix) && nth-- == 0)
			return &g->edge[i];
	fail_msg("no such edge to %s", suffix);
	return NULL;
}

static void test_edges(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(
	    o, "m.cc",
	    "// one\n#include \"a.h\"\n#include <b.h>\n#include \"a.h\"\n#if __has_include(\"c.h\")\n#endif\n");
	oracle_put_fresh(o, "a.h", "#pragma once\n\n#include <b.h>\n");
	oracle_put_fresh(o, "i/b.h", "#ifndef B\n#define B\n#endif\n");
	oracle_put_fresh(o, "c.h", "");
	oracle_put_fresh(o, "f.h", "#define F\n");
	scan_ok(o, &g, "clang++-22 -Inone -Ii -include f.h -c m.cc");
	assert_false(g.failed);
	assert_int_equal(g.nfile, 5);
	assert_string_equal(g.file[0].path, "m.cc");
	const struct wb_edge *e = edge_to(&g, "f.h", 0);
	assert_int_equal(e->kind, WB_EDGE_FORCED);
	assert_int_equal(e->from, UINT32_MAX);
	assert_int_equal(e->line, 2);
	e = edge_to(&g, "a.h", 0);
	assert_int_equal(e->kind, WB_EDGE_QUOTE);
	assert_int_equal(e->from, 0);
	assert_int_equal(e->line, 2);
	assert_false(e->skipped);
	assert_string_equal(e->name, "a.h");
	e = edge_to(&g, "a.h", 1);
	assert_int_equal(e->line, 4);
	assert_true(e->skipped);
	e = edge_to(&g, "b.h", 0);
	assert_int_equal(e->kind, WB_EDGE_ANGLE);
	assert_string_equal(g.file[e->from].path, "a.h");
	assert_int_equal(e->line, 3);
	assert_string_equal(g.file[e->to].path, "i/b.h");
	assert_true(edge_to(&g, "b.h", 1)->skipped);
	e = edge_to(&g, "c.h", 0);
	assert_int_equal(e->kind, WB_EDGE_HAS_INCLUDE);
	assert_int_equal(e->line, 5);
	assert_int_equal(g.file[oracle_file(&g, "c.h")].flags & WB_GRAPH_ENTERED, 0);
	uint32_t a = g.file[oracle_file(&g, "a.h")].flags, b = g.file[oracle_file(&g, "i/b.h")].flags;
	assert_int_equal(a & (WB_GRAPH_ENTERED | WB_GRAPH_GUARDED | WB_GRAPH_ONCE),
			 WB_GRAPH_ENTERED | WB_GRAPH_GUARDED | WB_GRAPH_ONCE);
	assert_int_equal(b & (WB_GRAPH_ENTERED | WB_GRAPH_GUARDED | WB_GRAPH_ONCE),
			 WB_GRAPH_ENTERED | WB_GRAPH_GUARDED);
	for (uint32_t i = 1; i < g.nfile; i++)
		assert_int_equal(g.edge[g.file[i].first_edge].to, i);
	assert_true(oracle_missed(&g, "none")); /* the directory stands for what was looked for in it */
	for (uint32_t i = 0; i < g.nfile; i++) {
		struct wb_stat_id id;
		assert_true(wb_stat_id_get(&id, wb_arena_printf(&o->a, "%s/%s", o->dir, g.file[i].path), true));
		assert_true(wb_stat_id_eq(&id, &g.file[i].id));
	}
}

static void test_misses(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "s/m.cc", "#include \"x.h\"\n#if __has_include(<y.h>)\n#endif\n");
	oracle_put_fresh(o, "a/z.h", "");
	oracle_put_fresh(o, "b/x.h", "");
	scan_ok(o, &g, "clang++-22 -Ia -Ib -c s/m.cc");
	static const char *const want[] = {"s/x.h", "a/x.h", "a/y.h", "b/y.h", "/usr/include/y.h"};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		if (!oracle_missed(&g, want[i]))
			fail_msg("no miss %s", want[i]);
	for (size_t i = 0; i < g.nmiss; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(g.miss[i], g.miss[k]);
	/* A precompiled header that appears beside a forced include would be used. */
	oracle_put_fresh(o, "p.h", "");
	scan_ok(o, &g, "clang++-22 -include p.h -Ib -c s/m.cc");
	assert_true(oracle_missed(&g, "p.h.pch"));
	assert_true(oracle_missed(&g, "p.h.gch"));
}

static void test_symlinks(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "real/deep/r.h", "#pragma once\n#include \"../up.h\"\n");
	oracle_put_fresh(o, "real/up.h", "#pragma once\n// up\n");
	oracle_put_fresh(o, "m.cc", "#include \"l.h\"\n#include \"real/deep/r.h\"\n#include \"lnk/../up.h\"\n");
	oracle_put_fresh(o, "up.h", "#error wrong\n");
	oracle_link(o, "real/deep", "lnk");
	oracle_link(o, "real/deep/r.h", "l.h");
	/* l.h is r.h by another name: read once, its "../up.h" sought from where the name is. */
	oracle_put_fresh(o, "real/deep/r.h", "#pragma once\n");
	scan_ok(o, &g, "clang++-22 -c m.cc");
	assert_false(g.failed);
	assert_true(edge_to(&g, "real/deep/r.h", 0)->skipped);
	assert_int_equal(g.file[oracle_file(&g, "lnk/../up.h")].flags & WB_GRAPH_ENTERED, WB_GRAPH_ENTERED);
	for (size_t c = 0; c < sizeof compilers / sizeof *compilers; c++)
		if (oracle_has(compilers[c]))
			oracle_agree(o, wb_arena_printf(&o->a, "%s -c m.cc", compilers[c]));
}

static void test_prefix(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "pch.h", "#include \"in.h\"\n#include \"fwd.h\"\n");
	oracle_put_fresh(o, "in.h", "#pragma once\n#include \"deep.h\"\n");
	oracle_put_fresh(o, "deep.h", "#pragma once\n// deep\n");
	oracle_put_fresh(o, "fwd.h", "#include \"deep.h\"\n");
	oracle_put_fresh(o, "out.h", "#pragma once\n// out\n");
	oracle_put_fresh(o, "m.cc", "#include \"in.h\"\n#include \"fwd.h\"\n#include \"out.h\"\n");
	/* CMake's words for clang; no .pch is on the disk. */
	scan_ok(o, &g, "clang++-22 -Xclang -include-pch -Xclang pch.h.pch -Xclang -include -Xclang pch.h -c m.cc");
	assert_false(g.failed);
	static const char *const prefix[] = {"pch.h", "in.h", "deep.h", "fwd.h"};
	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++)
		assert_int_equal(g.file[oracle_file(&g, prefix[i])].flags & WB_GRAPH_IN_PREFIX, WB_GRAPH_IN_PREFIX);
	assert_int_equal(g.file[oracle_file(&g, "out.h")].flags & WB_GRAPH_IN_PREFIX, 0);
	assert_int_equal(g.file[0].flags & WB_GRAPH_IN_PREFIX, 0);
	unsigned named = 0;
	for (uint32_t i = 0; i < g.nedge; i++) {
		const struct wb_edge *e = &g.edge[i];
		bool from_tu = e->from == 0 || (e->from == oracle_file(&g, "fwd.h") && !e->in_prefix);
		assert_int_equal(e->in_prefix, !from_tu);
		named += from_tu;
	}
	assert_int_equal(named, 4); /* three by the source, one by the header without a guard that it read again */
	/* gcc: the forced header is the prefix once its .gch is there. */
	oracle_put_fresh(o, "pch.h.gch", "gpch");
	scan_ok(o, &g, "g++ -include pch.h -c m.cc");
	assert_int_equal(g.file[oracle_file(&g, "in.h")].flags & WB_GRAPH_IN_PREFIX, WB_GRAPH_IN_PREFIX);
	assert_true(edge_to(&g, "in.h", 1)->skipped);
	assert_false(edge_to(&g, "in.h", 1)->in_prefix);
	/* A creation is a plain compile of its source. */
	scan_ok(o, &g,
		"clang++-22 -Xclang -emit-pch -Xclang -include -Xclang pch.h -x c++-header -o pch.h.pch -c m.cc");
	assert_false(g.failed);
	for (uint32_t i = 0; i < g.nedge; i++)
		assert_false(g.edge[i].in_prefix);
}

static void test_text_flags(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "m.cc",
			 "#include \"date.h\"\n#include \"macro.h\"\n#include \"none.h\"\n#include \"bin.h\"\nconst "
			 "char *a = STAMP;\n");
	oracle_put_fresh(o, "date.h", "const char *d = __DATE__;\n");
	oracle_put_fresh(o, "macro.h", "#define STAMP __TIMESTAMP__\n");
	oracle_put_fresh(o, "none.h",
			 "// __DATE__\n#if 0\nconst char *n = __TIME__;\n#endif\n#define UNUSED __TIMESTAMP__\n");
	oracle_put_fresh(o, "bin.h", "asm(\".incbin \\\"x\\\"\");\n");
	scan_ok(o, &g, "clang++-22 -c m.cc");
	assert_int_equal(g.file[oracle_file(&g, "date.h")].flags & WB_GRAPH_TIME, WB_GRAPH_TIME);
	assert_int_equal(g.file[oracle_file(&g, "macro.h")].flags & (WB_GRAPH_TIME | WB_GRAPH_TIMESTAMP),
			 WB_GRAPH_TIME | WB_GRAPH_TIMESTAMP);
	assert_int_equal(g.file[oracle_file(&g, "none.h")].flags & WB_GRAPH_TIME, 0);
	assert_int_equal(g.file[oracle_file(&g, "bin.h")].flags & WB_GRAPH_INCBIN, WB_GRAPH_INCBIN);
	assert_int_equal(g.file[0].flags & WB_GRAPH_INCBIN, 0);
	oracle_put_fresh(o, "m.S", "#include \"inc.h\"\n");
	oracle_put_fresh(o, "inc.h", "  .include \"x.s\"\n");
	scan_ok(o, &g, "clang-22 -c m.S");
	assert_int_equal(g.file[oracle_file(&g, "inc.h")].flags & WB_GRAPH_INCBIN, WB_GRAPH_INCBIN);
}

static void test_modules(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	static const struct {
		const char *text;
		bool modules;
	} row[] = {{"import foo;\n", true},
		   {"export module foo;\n", true},
		   {"#if 0\nimport foo;\n#endif\nint import = 1;\n", false},
		   {"#pragma clang module import foo\n", true},
		   {"struct module *module;\nint x(int import) { return import; }\n", false}};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		oracle_put_fresh(o, "m.cc", row[i].text);
		scan_ok(o, &g, "clang++-22 -std=c++20 -c m.cc");
		if (g.modules != row[i].modules)
			fail_msg("%s: modules %d", row[i].text, g.modules);
	}
}

static void test_doubts(void **state)
{
	struct oracle *o = *state;
	static const struct {
		const char *line, *text;
		enum wb_reason reason;
	} row[] = {
	    {"clang++-22 -c m.cc", "#pragma GCC dependency \"x.h\"\n", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if __has_builtin(\n#endif\n", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -c m.cc", "#if __has_feature(1 2)\n#endif\n", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -ffile-prefix-map=a=b -c m.cc", "#ifndef A\n#define A\n#include __FILE__\n#endif\n",
	     WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -fms-extensions -c m.cc", "", WB_REASON_SCAN_DOUBT},
	    {"g++ -finput-charset=latin1 -c m.cc", "", WB_REASON_SCAN_DOUBT},
	    {"g++ -c m.cc", "#pragma GCC target(\"avx2\")\n", WB_REASON_SCAN_DOUBT},
	    {"g++ -c m.cc", "#include \"t1.h\"\n#include \"t2.h\"\n", WB_REASON_SCAN_DOUBT},
	    {"g++ -c m.cc", "#ifdef A\n#elifdef B\n#endif\n", WB_REASON_SCAN_DOUBT},
	    {"clang++-22 -x objective-c -c m.cc", "", WB_REASON_LANGUAGE},
	};
	oracle_put_fresh(o, "t1.h", "#pragma once\n");
	oracle_put_fresh(o, "t2.h", "#pragma once\n");
	oracle_put_fresh(o, "x.h", "");
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct wb_graph g;
		struct wb_err err = WB_ERR_INIT;
		enum wb_reason reason = WB_REASON_NONE;
		oracle_put_fresh(o, "m.cc", row[i].text);
		wb_status s = oracle_scan(o, &g, row[i].line, &reason, &err);
		if (s.code != WB_EUNSCANNABLE || reason != row[i].reason || !err.text[0])
			fail_msg("%s: %s, %s (%s)", row[i].line, wb_code_name(s.code), wb_reason_name(reason),
				 err.text);
	}
	/* Hard links are one file to a compiler, two to an input root. */
	oracle_put_fresh(o, "m.cc", "#include \"c/f.h\"\n#include \"d/f.h\"\n");
	oracle_put_fresh(o, "c/f.h", "");
	oracle_put_fresh(o, "d/g.h", "");
	assert_int_equal(link(wb_arena_printf(&o->a, "%s/c/f.h", o->dir), wb_arena_printf(&o->a, "%s/d/f.h", o->dir)),
			 0);
	struct wb_graph linked;
	struct wb_err why = WB_ERR_INIT;
	enum wb_reason because;
	assert_code(oracle_scan(o, &linked, "clang++-22 -c m.cc", &because, &why), WB_EUNSCANNABLE);
	assert_says(&why, "hard link");
	/* gcc takes a .gch of the first header by itself. */
	struct wb_graph g;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	oracle_put_fresh(o, "m.cc", "#include \"x.h\"\n");
	oracle_put_fresh(o, "x.h.gch", "");
	assert_code(oracle_scan(o, &g, "g++ -c m.cc", &reason, &err), WB_EUNSCANNABLE);
	assert_int_equal(reason, WB_REASON_SCAN_DOUBT);
}

static void test_errors(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	oracle_put_fresh(o, "m.cc", "#include \"nope.h\"\n#include \"after.h\"\n");
	oracle_put_fresh(o, "after.h", "");
	scan_ok(o, &g, "clang++-22 -c m.cc");
	assert_true(g.failed);
	assert_non_null(strstr(g.diagnostics, "nope.h"));
	assert_true(oracle_missed(&g, "nope.h"));
	scan_ok(o, &g, "clang++-22 -c not-there.cc");
	assert_true(g.failed);
	oracle_put_fresh(o, "m.cc", "#if\n#endif\n");
	scan_ok(o, &g, "clang++-22 -c m.cc");
	assert_true(g.failed);
}

/* Each request sees the disk as it is. */
static void test_changes(void **state)
{
	struct oracle *o = *state;
	struct wb_graph g;
	static const char line[] = "clang++-22 -Ia -Ib -c m.cc";
	oracle_put(o, "m.cc", "#include <x.h>\n");
	oracle_put(o, "a/keep", "");
	oracle_put(o, "b/x.h", "#include \"one.h\"\n");
	oracle_put(o, "b/one.h", "");
	oracle_put(o, "b/two.h", "");
	for (int i = 0; i < 2; i++) {
		scan_ok(o, &g, line);
		assert_int_not_equal(oracle_file(&g, "b/one.h"), UINT32_MAX);
	}
	oracle_put_fresh(o, "b/x.h", "#include \"two.h\"\n"); /* same size */
	scan_ok(o, &g, line);
	assert_int_not_equal(oracle_file(&g, "b/two.h"), UINT32_MAX);
	assert_int_equal(oracle_file(&g, "b/one.h"), UINT32_MAX);
	oracle_put_fresh(o, "a/x.h", "");
	scan_ok(o, &g, line);
	assert_int_not_equal(oracle_file(&g, "a/x.h"), UINT32_MAX);
	assert_int_equal(oracle_file(&g, "b/x.h"), UINT32_MAX);
	assert_int_equal(unlink(wb_arena_printf(&o->a, "%s/a/x.h", o->dir)), 0);
	scan_ok(o, &g, line);
	assert_int_not_equal(oracle_file(&g, "b/x.h"), UINT32_MAX);
	assert_int_equal(unlink(wb_arena_printf(&o->a, "%s/b/two.h", o->dir)), 0);
	scan_ok(o, &g, line);
	assert_true(g.failed);
	/* Written in place, within the clock's granularity, with the same size: nothing but the age tells. */
	for (int i = 0; i < 50; i++) {
		const char *name = i % 2 ? "one.h" : "two.h";
		oracle_put_fresh(o, "b/two.h", "");
		FILE *f = fopen(wb_arena_printf(&o->a, "%s/b/x.h", o->dir), "r+");
		assert_non_null(f);
		fprintf(f, "#include \"%s\"\n", name);
		fclose(f);
		scan_ok(o, &g, line);
		assert_int_not_equal(oracle_file(&g, name), UINT32_MAX);
	}
}

static void test_overlay(void **state)
{
	struct oracle *o = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_command cmd;
	const struct wb_toolchain *tc;
	enum wb_reason reason;
	struct wb_graph g;
	oracle_put_fresh(o, "m.cc", "#include \"gen.h\"\n#include \"x.h\"\n");
	oracle_put_fresh(o, "x.h", "#include \"disk.h\"\n");
	oracle_put_fresh(o, "mem.h", "");
	oracle_command(o, &cmd, "clang++-22 -c m.cc");
	assert_ok(wb_toolchain_get(&tc, o->toolchains, &cmd, "/usr/bin", &reason, &err), &err);
	struct wb_overlay_file overlay[] = {{wb_arena_printf(&o->a, "%s/gen.h", o->dir), "#define G\n", 10},
					    {wb_arena_printf(&o->a, "%s/x.h", o->dir), "#include \"mem.h\"\n", 17}};
	struct wb_scan_request req = {.cmd = &cmd, .tc = tc, .overlay = overlay, .noverlay = 2};
	assert_ok(wb_scan(&g, &o->a, o->scanner, &req, &reason, &err), &err);
	assert_false(g.failed);
	assert_int_not_equal(oracle_file(&g, "mem.h"), UINT32_MAX);
	assert_int_equal(g.file[oracle_file(&g, "gen.h")].id.mode, 0);
}

struct worker {
	struct oracle *o;
	struct wb_command cmd;
	const struct wb_toolchain *tc;
	uint32_t nfile;
	bool good;
	pthread_t thread;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	w->good = true;
	for (int i = 0; i < 6 && w->good; i++) {
		struct wb_arena a;
		struct wb_graph g;
		struct wb_err err = WB_ERR_INIT;
		enum wb_reason reason;
		struct wb_scan_request req = {.cmd = &w->cmd, .tc = w->tc};
		wb_arena_init(&a);
		w->good = wb_is_ok(wb_scan(&g, &a, w->o->scanner, &req, &reason, &err)) && !g.failed &&
			  (i == 0 || g.nfile == w->nfile);
		w->nfile = g.nfile;
		wb_arena_release(&a);
	}
	return NULL;
}

static void test_threads(void **state)
{
	enum { N = 8 };
	struct oracle *o = *state;
	struct worker w[N] = {0};
	static const char *const std[] = {"c++11", "c++14", "c++17", "c++20"};
	oracle_put_fresh(o, "m.cc", "#include <bits/stdc++.h>\n");
	for (int i = 0; i < N; i++) {
		struct wb_err err = WB_ERR_INIT;
		enum wb_reason reason;
		w[i].o = o;
		oracle_command(o, &w[i].cmd,
			       wb_arena_printf(&o->a, "%s -std=%s -c m.cc", i < 4 ? "clang++-22" : "g++", std[i % 4]));
		assert_ok(wb_toolchain_get(&w[i].tc, o->toolchains, &w[i].cmd, "/usr/bin", &reason, &err), &err);
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	for (int i = 0; i < N; i++) {
		pthread_join(w[i].thread, NULL);
		assert_true(w[i].good);
		assert_true(w[i].nfile > 100);
	}
}

static void test_no_shim(void **state)
{
	struct oracle *o = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_scanner *s;
	struct wb_command cmd;
	const struct wb_toolchain *tc;
	enum wb_reason reason = WB_REASON_NONE;
	struct wb_graph g;
	assert_ok(wb_scanner_new(&s, "/nowhere/shim.so", &err), &err);
	oracle_put_fresh(o, "m.cc", "");
	oracle_command(o, &cmd, "clang++-22 -c m.cc");
	assert_ok(wb_toolchain_get(&tc, o->toolchains, &cmd, "/usr/bin", &reason, &err), &err);
	struct wb_scan_request req = {.cmd = &cmd, .tc = tc};
	assert_code(wb_scan(&g, &o->a, s, &req, &reason, &err), WB_EUNSCANNABLE);
	assert_int_equal(reason, WB_REASON_ENGINE);
	assert_says(&err, "/nowhere/shim.so");
	wb_scanner_free(s);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, oracle_setup, oracle_teardown)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_trees),
	    CASE(test_headers),
	    CASE(test_edges),
	    CASE(test_misses),
	    CASE(test_symlinks),
	    CASE(test_prefix),
	    CASE(test_text_flags),
	    CASE(test_modules),
	    CASE(test_doubts),
	    CASE(test_errors),
	    CASE(test_changes),
	    CASE(test_overlay),
	    CASE(test_threads),
	    CASE(test_no_shim),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
