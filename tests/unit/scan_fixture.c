#define _GNU_SOURCE
#include "tests/unit/scan_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void scan_refuses(struct oracle *o, const struct scan_refusal *row, size_t n)
{
	oracle_put_fresh(o, "t1.h", "#pragma once\n");
	oracle_put_fresh(o, "t2.h", "#pragma once\n");
	oracle_put_fresh(o, "x.h", "");
	for (size_t i = 0; i < n; i++) {
		struct wb_graph g;
		struct wb_err err = WB_ERR_INIT;
		enum wb_reason reason = WB_REASON_NONE;
		oracle_put_fresh(o, "m.cc", row[i].text);
		wb_status s = oracle_scan(o, &g, row[i].line, &reason, &err);
		if (s.code != WB_EUNSCANNABLE || reason != row[i].reason || !err.text[0] ||
		    !strstr(err.text, row[i].says))
			fail_msg("%s: %s: %s, %s (%s)", row[i].line, row[i].text, wb_code_name(s.code),
				 wb_reason_name(reason), err.text);
	}
}

void scan_refuses_hard_links(struct oracle *o)
{
	struct wb_graph g;
	struct wb_err err = WB_ERR_INIT;
	enum wb_reason reason;
	oracle_put_fresh(o, "m.cc", "#include \"c/f.h\"\n#include \"d/f.h\"\n");
	oracle_put_fresh(o, "c/f.h", "");
	oracle_put_fresh(o, "d/g.h", "");
	assert_int_equal(link(wb_arena_printf(&o->a, "%s/c/f.h", o->dir), wb_arena_printf(&o->a, "%s/d/f.h", o->dir)),
			 0);
	assert_code(oracle_scan(o, &g, "clang++-22 -c m.cc", &reason, &err), WB_EUNSCANNABLE);
	assert_says(&err, "hard link");
}

void scan_sees_changes(struct oracle *o)
{
	struct wb_graph g;
	static const char line[] = "clang++-22 -Ia -Ib -c m.cc";
	oracle_put(o, "m.cc", "#include <x.h>\n");
	oracle_put(o, "a/keep", "");
	oracle_put(o, "b/x.h", "#include \"one.h\"\n");
	oracle_put(o, "b/one.h", "");
	oracle_put(o, "b/two.h", "");
	for (int i = 0; i < 2; i++) {
		oracle_scan_ok(o, &g, line);
		assert_int_not_equal(oracle_file(&g, "b/one.h"), UINT32_MAX);
		assert_true(oracle_missed(&g, "a/x.h"));
	}
	oracle_put_fresh(o, "b/x.h", "#include \"two.h\"\n"); /* same size */
	oracle_scan_ok(o, &g, line);
	assert_int_not_equal(oracle_file(&g, "b/two.h"), UINT32_MAX);
	assert_int_equal(oracle_file(&g, "b/one.h"), UINT32_MAX);
	oracle_put_fresh(o, "a/x.h", "");
	oracle_scan_ok(o, &g, line);
	assert_int_not_equal(oracle_file(&g, "a/x.h"), UINT32_MAX);
	assert_int_equal(oracle_file(&g, "b/x.h"), UINT32_MAX);
	assert_int_equal(unlink(wb_arena_printf(&o->a, "%s/a/x.h", o->dir)), 0);
	oracle_scan_ok(o, &g, line);
	assert_int_not_equal(oracle_file(&g, "b/x.h"), UINT32_MAX);
	assert_int_equal(unlink(wb_arena_printf(&o->a, "%s/b/two.h", o->dir)), 0);
	oracle_scan_ok(o, &g, line);
	assert_true(g.failed);
	assert_non_null(strstr(g.diagnostics, "two.h"));
	/* Written in place, within the clock's granularity, with the same size: nothing but the age tells. */
	for (int i = 0; i < 50; i++) {
		const char *name = i % 2 ? "one.h" : "two.h";
		oracle_put_fresh(o, "b/two.h", "");
		FILE *f = fopen(wb_arena_printf(&o->a, "%s/b/x.h", o->dir), "r+");
		assert_non_null(f);
		fprintf(f, "#include \"%s\"\n", name);
		fclose(f);
		oracle_scan_ok(o, &g, line);
		assert_int_not_equal(oracle_file(&g, name), UINT32_MAX);
	}
}

void scan_sees_modules(struct oracle *o)
{
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
		oracle_scan_ok(o, &g, "clang++-22 -std=c++20 -c m.cc");
		if (g.modules != row[i].modules)
			fail_msg("%s: modules %d", row[i].text, g.modules);
	}
}

void scan_sees_overlay(struct oracle *o)
{
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
	struct wb_scan_request req = {.cmd = &cmd, .tc = tc, .overlay = overlay, .noverlay = 2, .engine = o->engine};
	for (int i = 0; i < 2; i++) {
		assert_ok(wb_scan(&g, &o->a, o->scanner, &req, &reason, &err), &err);
		assert_false(g.failed);
		assert_int_not_equal(oracle_file(&g, "mem.h"), UINT32_MAX);
		assert_int_equal(g.file[oracle_file(&g, "gen.h")].id.mode, 0);
	}
	req.noverlay = 0;
	assert_ok(wb_scan(&g, &o->a, o->scanner, &req, &reason, &err), &err);
	assert_true(g.failed);
}

struct worker {
	struct oracle *o;
	struct wb_command cmd;
	const struct wb_toolchain *tc;
	int rounds;
	uint32_t nfile;
	bool good;
	pthread_t thread;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	w->good = true;
	for (int i = 0; i < w->rounds && w->good; i++) {
		struct wb_arena a;
		struct wb_graph g;
		struct wb_err err = WB_ERR_INIT;
		enum wb_reason reason;
		struct wb_scan_request req = {.cmd = &w->cmd, .tc = w->tc, .engine = w->o->engine};
		wb_arena_init(&a);
		w->good = wb_is_ok(wb_scan(&g, &a, w->o->scanner, &req, &reason, &err)) && !g.failed &&
			  (i == 0 || g.nfile == w->nfile);
		w->nfile = g.nfile;
		wb_arena_release(&a);
	}
	return NULL;
}

void scan_from_threads(struct oracle *o, int rounds)
{
	enum { N = 8 };
	struct worker w[N] = {0};
	static const char *const std[] = {"c++11", "c++14", "c++17", "c++20"};
	oracle_put_fresh(o, "m.cc", "#include <bits/stdc++.h>\n");
	for (int i = 0; i < N; i++) {
		struct wb_err err = WB_ERR_INIT;
		enum wb_reason reason;
		w[i].o = o;
		w[i].rounds = rounds;
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
