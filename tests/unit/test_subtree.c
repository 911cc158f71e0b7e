/* What the directive engine remembers of one unit must not show in the next: an engine that has scanned the others
 * before says the same of each unit as one that has never seen anything. Single cases; soup_again does the same at
 * random. */
#define _GNU_SOURCE
#include "base/fileio.h"
#include "base/path.h"
#include "scanner/directives/engine_directives.h"
#include "tests/unit/scan_oracle.h"

#include <stdlib.h>

enum { MAX_UNITS = 12 };

/* An @ stands for the directory. A unit that is scanned a third time finds memories of the first two. */
static const struct scenario {
	const char *file[16]; /* name, text, ... */
	const char *unit[MAX_UNITS];
} scenarios[] = {
    /* a main file that is a header, too */
    {{"f.h", "#pragma once\n#include \"g.h\"\n", "g.h", "#pragma once\n#include \"f.h\"\n", "a.cc",
      "#include \"g.h\"\n#include \"f.h\"\n"},
     {"clang++-22 -x c++ -c @/f.h", "clang++-22 -x c++ -c @/f.h", "clang++-22 -x c++ -c @/f.h", "clang++-22 -c @/a.cc",
      "clang++-22 -c @/a.cc", "clang++-22 -c @/a.cc", "clang++-22 -x c++ -c @/f.h", "g++ -c @/a.cc",
      "g++ -x c++ -c @/f.h"}},
    {{"h.h", "#pragma once\n#include \"g.h\"\n", "g.h", "#ifdef AGAIN\n#undef AGAIN\n#include \"h.h\"\n#endif\n",
      "a.cc", "#include \"h.h\"\n"},
     {"clang++-22 -c @/a.cc", "clang++-22 -c @/a.cc", "clang++-22 -c @/a.cc", "clang++-22 -x c++ -c @/h.h"}},
    /* where #include_next goes on */
    {{"a.cc", "#include \"x.h\"\n", "v.cc", "#include <x.h>\n", "x.h", "#include_next \"@/abs/y.h\"\n", "abs/y.h", "",
      "empty/e.h", ""},
     {"clang++-22 -c @/a.cc", "clang++-22 -c @/a.cc", "clang++-22 -c @/a.cc", "clang++-22 -I@ -c @/v.cc",
      "clang++-22 -I@ -I@/empty -c @/v.cc", "g++ -I@ -c @/v.cc"}},
    /* C and C++ read one header by turns */
    {{"t.h", "#include \"i.h\"\n", "i.h", "#define V 1\n#define W (V + 1)\n", "a.cc",
      "#include \"t.h\"\n#if W == 2\n#include \"e.h\"\n#endif\n", "c.c",
      "#include \"i.h\"\n#if W == 2\n#include \"e.h\"\n#endif\n", "e.h", ""},
     {"clang++-22 -c @/a.cc", "clang++-22 -c @/a.cc", "clang++-22 -c @/a.cc", "clang-22 -c @/c.c",
      "clang++-22 -c @/a.cc", "clang-22 -c @/c.c", "clang-22 -c @/c.c", "clang++-22 -c @/a.cc"}},
    /* one header, two search lists by turns: the inner memory serves both outer ones */
    {{"a.cc", "#include \"p.h\"\n", "b.cc", "#include \"q.h\"\n", "p.h", "#include \"in.h\"\n", "q.h",
      "#include \"in.h\"\n", "in.h", "#include \"x.h\"\n", "1/x.h", "#define ONE\n", "2/x.h", "#define TWO\n"},
     {"g++ -I1 -I2 -c a.cc", "g++ -I1 -I2 -c a.cc", "g++ -I1 -I2 -c b.cc", "g++ -I1 -I2 -c b.cc", "g++ -I2 -I1 -c a.cc",
      "g++ -I2 -I1 -c a.cc", "g++ -I1 -I2 -c b.cc", "g++ -I2 -I1 -c b.cc", "g++ -I1 -I2 -c a.cc"}},
};

static const char *with_directory(struct oracle *o, const char *text)
{
	struct wb_buf b = WB_BUF_INIT;
	for (; *text; text++)
		if (*text == '@')
			wb_buf_adds(&b, o->dir);
		else
			wb_buf_addc(&b, *text);
	const char *out = wb_arena_strdup(&o->a, b.p ? b.p : "");
	wb_buf_release(&b);
	return out;
}

/* Everything that a scan says, as text. */
static const char *scan(struct oracle *o, struct wb_scan_engine *e, const char *line, uint64_t moment)
{
	struct wb_command *cmd = wb_arena_alloc(&o->a, sizeof *cmd);
	const struct wb_toolchain *tc = NULL;
	struct wb_graph g = {0};
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	struct wb_buf b = WB_BUF_INIT;
	oracle_command(o, cmd, line);
	assert_ok(wb_toolchain_get(&tc, o->toolchains, cmd, "/usr/bin:/bin", &reason, &err), &err);
	struct wb_scan_request req = {.cmd = cmd, .tc = tc, .moment = moment};
	if (!wb_is_ok(e->scan(e, &g, &o->a, &req, &reason, &err)))
		wb_buf_addf(&b, "refused: %s\n", err.text);
	else
		wb_buf_addf(&b, "failed %d: %s\n", g.failed, g.diagnostics);
	for (uint32_t i = 0; i < g.nfile; i++)
		wb_buf_addf(&b, "%s %#x %u\n", g.file[i].path, g.file[i].flags, g.file[i].first_edge);
	for (uint32_t i = 0; i < g.nedge; i++)
		wb_buf_addf(&b, "%u:%u %u %s %d%s\n", g.edge[i].from, g.edge[i].line, g.edge[i].to, g.edge[i].name,
			    g.edge[i].kind, g.edge[i].skipped ? " skipped" : "");
	for (size_t i = 0; i < g.nmiss; i++)
		wb_buf_addf(&b, "missing %s\n", g.miss[i]);
	const char *out = wb_arena_strdup(&o->a, b.p);
	wb_buf_release(&b);
	return out;
}

static void test_scenarios(void **state)
{
	struct oracle *o = *state;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		const struct scenario *s = &scenarios[i];
		struct wb_scan_engine *warm, *fresh[MAX_UNITS];
		struct wb_err err = WB_ERR_INIT;
		size_t n = 0;
		assert_ok(wb_engine_directives_new(&warm, NULL, &err), &err);
		for (size_t k = 0; k < 16 && s->file[k]; k += 2)
			oracle_put(o, s->file[k], with_directory(o, s->file[k + 1]));
		for (; n < MAX_UNITS && s->unit[n]; n++) {
			const char *line = with_directory(o, s->unit[n]);
			/* It stays: an engine that ends makes the others forget. */
			assert_ok(wb_engine_directives_new(&fresh[n], NULL, &err), &err);
			const char *want = scan(o, fresh[n], line, 1), *got = scan(o, warm, line, i + 1);
			if (strcmp(want, got) != 0)
				fail_msg("%zu: %s\nfirst:\n%sthen:\n%s", n, line, want, got);
		}
		warm->free(warm);
		while (n > 0) {
			n--;
			fresh[n]->free(fresh[n]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_scenarios, oracle_setup_directives, oracle_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
