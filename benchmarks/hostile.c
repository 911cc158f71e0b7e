/* hostile — how long the directive engine takes to refuse small texts that expand or nest without end: wall clock of
 * one scan each, the compiler's own macros already known. Goal: 100 ms for a text of 1 KB. cmake --build --preset
 * release --target hostile && build/release/benchmarks/hostile */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/fileio.h"
#include "base/path.h"
#include "scanner/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct wb_scanner *scanner;
static struct wb_toolchains *toolchains;
static char dir[] = "/tmp/waybill-hostile-XXXXXX";

static void need(wb_status s, const struct wb_err *err)
{
	if (wb_is_ok(s))
		return;
	fprintf(stderr, "hostile: %s\n", err->text);
	exit(2);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void measure(const char *name, struct wb_buf *text)
{
	static const char *const argv[] = {"clang++-22", "-c", "m.cc", NULL};
	struct wb_err err = WB_ERR_INIT;
	struct wb_arena a;
	struct wb_command cmd;
	const struct wb_toolchain *tc;
	struct wb_graph g;
	enum wb_reason reason;
	wb_arena_init(&a);
	need(wb_file_write(wb_path_join(&a, dir, "m.cc"), text->p, text->n, 0644, &err), &err);
	need(wb_command_parse(&cmd, &a, argv, dir, WB_DRIVER_CLANG, &err), &err);
	need(wb_toolchain_get(&tc, toolchains, &cmd, "/usr/bin:/bin", &reason, &err), &err);
	struct wb_scan_request req = {.cmd = &cmd, .tc = tc, .engine = "directives"};
	double start = now();
	wb_status s = wb_scan(&g, &a, scanner, &req, &reason, &err);
	double end = now();
	if (name)
		printf("%-28s %8zu bytes %8.2f ms  %s\n", name, text->n, end - start,
		       wb_is_ok(s) ? "scanned" : err.text);
	wb_arena_release(&a);
	wb_buf_reset(text);
}

static void repeat(struct wb_buf *text, const char *what, int n)
{
	while (n-- > 0)
		wb_buf_adds(text, what);
}

static void doubling(struct wb_buf *text, const char *last)
{
	wb_buf_adds(text, "#define A0 1 +\n");
	for (int i = 1; i < 45; i++)
		wb_buf_addf(text, "#define A%d A%d A%d\n", i, i - 1, i - 1);
	wb_buf_adds(text, last);
}

static void nested(struct wb_buf *text, const char *define, const char *call, int n)
{
	wb_buf_addf(text, "%s\n#if ", define);
	repeat(text, call, n);
	wb_buf_adds(text, "1");
	repeat(text, ")", n);
	wb_buf_adds(text, "\n#endif\n");
}

int main(void)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_facts *facts;
	struct wb_buf text = WB_BUF_INIT;
	if (!mkdtemp(dir))
		return 2;
	need(wb_facts_new(&facts, NULL, &err), &err);
	need(wb_toolchains_new(&toolchains, facts, NULL, &err), &err);
	need(wb_scanner_new(&scanner, NULL, &err), &err);
	wb_buf_adds(&text, "\n");
	measure(NULL, &text);
	doubling(&text, "#if A44 1\n#endif\n");
	measure("objects that double", &text);
	doubling(&text, "#define S(x) #x\n#define T(x) S(x)\n#include T(A44)\n");
	measure("the same in a header name", &text);
	nested(&text, "#define F(x) x x x x", "F(", 240);
	measure("functions that multiply", &text);
	nested(&text, "#define F(x) x ## x ## x", "F(", 240);
	measure("## that multiplies", &text);
	nested(&text, "#define F(...) __VA_OPT__(__VA_ARGS__ __VA_ARGS__)", "F(", 240);
	measure("__VA_OPT__ that multiplies", &text);
	wb_buf_adds(&text, "#define S(x) #x\n#define D(x) S(x x)\n#if __has_include(");
	repeat(&text, "D(", 300);
	wb_buf_adds(&text, "\"");
	repeat(&text, ")", 300);
	wb_buf_adds(&text, ")\n#endif\n");
	measure("# that escapes", &text);
	nested(&text, "", "(", 480);
	measure("parentheses", &text);
	repeat(&text, "#if 1\n", 160);
	measure("conditionals", &text);
	wb_buf_adds(&text, "#include \"m.cc\"\n#include \"m.cc\"\n");
	measure("a file that includes itself", &text);
	wb_buf_adds(&text, "#if __INCLUDE_LEVEL__ < 30\n#include \"m.cc\"\n#include \"m.cc\"\n#endif\n");
	measure("twice, to a depth of 30", &text);
	wb_buf_adds(&text, "#if 1");
	repeat(&text, " + 1", 2000000);
	wb_buf_adds(&text, "\n#endif\n");
	measure("four million tokens", &text);
	wb_scanner_free(scanner);
	wb_toolchains_free(toolchains);
	wb_facts_free(facts);
	wb_buf_release(&text);
	need(wb_dir_remove(dir, &err), &err);
	return 0;
}
