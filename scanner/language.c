#include "scanner/language.h"

#include <string.h>

enum { G = WB_WHERE_GCC, C = WB_WHERE_CLANG, GC = G | C };

#define ROW(name, where, lang, header, reason) {name, where, WB_LANG_##lang, header, WB_REASON_##reason}

/* clang-format off */
static const struct wb_language suffixes[] = {
	ROW("c", GC, C, false, NONE),
	ROW("h", GC, C, true, NONE),
	ROW("cc", GC, CXX, false, NONE),
	ROW("cpp", GC, CXX, false, NONE),
	ROW("cxx", GC, CXX, false, NONE),
	ROW("c++", GC, CXX, false, NONE),
	ROW("cp", GC, CXX, false, NONE),
	ROW("C", GC, CXX, false, NONE),
	ROW("CPP", GC, CXX, false, NONE),
	ROW("CC", C, CXX, false, NONE),
	ROW("CXX", C, CXX, false, NONE),
	ROW("C++", C, CXX, false, NONE),
	ROW("hh", GC, CXX, true, NONE),
	ROW("H", GC, CXX, true, NONE),
	ROW("hpp", GC, CXX, true, NONE),
	ROW("hxx", GC, CXX, true, NONE),
	ROW("hp", G, CXX, true, NONE),
	ROW("h++", G, CXX, true, NONE),
	ROW("HPP", G, CXX, true, NONE),
	ROW("tcc", G, CXX, true, NONE),
	ROW("S", GC, ASM_CPP, false, NONE),
	ROW("sx", G, ASM_CPP, false, NONE),
	ROW("s", GC, ASM, false, NONE),
	ROW("asm", C, ASM, false, NONE),
	ROW("i", GC, OTHER, false, LANGUAGE),
	ROW("ii", GC, OTHER, false, LANGUAGE),
	ROW("m", GC, OTHER, false, LANGUAGE),
	ROW("mi", GC, OTHER, false, LANGUAGE),
	ROW("mm", GC, OTHER, false, LANGUAGE),
	ROW("M", GC, OTHER, false, LANGUAGE),
	ROW("mii", GC, OTHER, false, LANGUAGE),
	ROW("cppm", C, OTHER, false, MODULES),
	ROW("ccm", C, OTHER, false, MODULES),
	ROW("cxxm", C, OTHER, false, MODULES),
	ROW("c++m", C, OTHER, false, MODULES),
	ROW("iim", C, OTHER, false, MODULES),
	ROW("iih", C, OTHER, false, MODULES),
	ROW("pcm", C, OTHER, false, MODULES),
	ROW("pch", C, OTHER, false, LANGUAGE),
	ROW("gch", C, OTHER, false, LANGUAGE),
	ROW("ast", C, OTHER, false, LANGUAGE),
	ROW("ll", C, OTHER, false, LANGUAGE),
	ROW("bc", C, OTHER, false, LANGUAGE),
	ROW("cir", C, OTHER, false, LANGUAGE),
	ROW("cl", C, OTHER, false, LANGUAGE),
	ROW("clcpp", C, OTHER, false, LANGUAGE),
	ROW("cli", C, OTHER, false, LANGUAGE),
	ROW("clii", C, OTHER, false, LANGUAGE),
	ROW("cu", C, OTHER, false, LANGUAGE),
	ROW("cuh", C, OTHER, false, LANGUAGE),
	ROW("cui", C, OTHER, false, LANGUAGE),
	ROW("hip", C, OTHER, false, LANGUAGE),
	ROW("hipi", C, OTHER, false, LANGUAGE),
	ROW("hlsl", C, OTHER, false, LANGUAGE),
	ROW("f", GC, OTHER, false, LANGUAGE),
	ROW("F", GC, OTHER, false, LANGUAGE),
	ROW("for", GC, OTHER, false, LANGUAGE),
	ROW("FOR", GC, OTHER, false, LANGUAGE),
	ROW("ftn", G, OTHER, false, LANGUAGE),
	ROW("FTN", G, OTHER, false, LANGUAGE),
	ROW("fpp", GC, OTHER, false, LANGUAGE),
	ROW("FPP", GC, OTHER, false, LANGUAGE),
	ROW("f90", GC, OTHER, false, LANGUAGE),
	ROW("F90", GC, OTHER, false, LANGUAGE),
	ROW("f95", GC, OTHER, false, LANGUAGE),
	ROW("F95", GC, OTHER, false, LANGUAGE),
	ROW("f03", GC, OTHER, false, LANGUAGE),
	ROW("F03", GC, OTHER, false, LANGUAGE),
	ROW("f08", GC, OTHER, false, LANGUAGE),
	ROW("F08", GC, OTHER, false, LANGUAGE),
	ROW("adb", GC, OTHER, false, LANGUAGE),
	ROW("ads", GC, OTHER, false, LANGUAGE),
	ROW("go", G, OTHER, false, LANGUAGE),
	ROW("d", G, OTHER, false, LANGUAGE),
	ROW("dd", G, OTHER, false, LANGUAGE),
	ROW("di", G, OTHER, false, LANGUAGE),
	ROW("r", G, OTHER, false, LANGUAGE),
};

static const struct wb_language names[] = {
	ROW("c", GC, C, false, NONE),
	ROW("c-header", GC, C, true, NONE),
	ROW("c++", GC, CXX, false, NONE),
	ROW("c++-header", GC, CXX, true, NONE),
	ROW("assembler-with-cpp", GC, ASM_CPP, false, NONE),
	ROW("assembler", GC, ASM, false, NONE),
	ROW("c++-system-header", GC, OTHER, true, MODULES),
	ROW("c++-user-header", GC, OTHER, true, MODULES),
	ROW("c++-header-unit-header", C, OTHER, true, MODULES),
	ROW("c++-module", C, OTHER, false, MODULES),
	ROW("c++-module-cpp-output", C, OTHER, false, MODULES),
};
/* clang-format on */

static const struct wb_language unknown = ROW("", GC, OTHER, false, LANGUAGE);
/* What the C++ drivers make of C's suffixes. */
static const struct wb_language c_as_cxx = ROW("c", GC, CXX, false, NONE);
static const struct wb_language c_header_as_cxx = ROW("h", GC, CXX, true, NONE);

static unsigned where_of(enum wb_driver driver)
{
	return driver == WB_DRIVER_CLANG ? WB_WHERE_CLANG : WB_WHERE_GCC;
}

static const struct wb_language *find(const struct wb_language *v, size_t n, const char *name, unsigned where)
{
	for (size_t i = 0; i < n; i++)
		if ((v[i].where & where) && strcmp(v[i].name, name) == 0)
			return &v[i];
	return NULL;
}

const struct wb_language *wb_language_of_file(const char *path, enum wb_driver driver, bool cxx_driver)
{
	const char *dot = strrchr(path, '.');
	if (!dot || dot == path || dot[1] == '\0')
		return NULL;
	const struct wb_language *l = find(suffixes, sizeof suffixes / sizeof *suffixes, dot + 1, where_of(driver));
	if (l && l->lang == WB_LANG_C && cxx_driver)
		return l->header ? &c_header_as_cxx : &c_as_cxx;
	return l;
}

const struct wb_language *wb_language_of_name(const char *name, enum wb_driver driver)
{
	const struct wb_language *l = find(names, sizeof names / sizeof *names, name, where_of(driver));
	return l ? l : &unknown;
}
