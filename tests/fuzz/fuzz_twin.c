/* Any bytes as a generated file: no crash; a twin has as many lines as its original and needs no twin of its own.
 * Input: text. */
#include "base/arena.h"
#include "pchfix/twin.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static size_t lines(const char *p, size_t n)
{
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += p[i] == '\n';
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const root[] = {"/w"};
	static const char *const system_dirs[] = {"/usr"};
	static const struct wb_roots roots = {.base = "/w",
					      .root = root,
					      .nroot = 1,
					      .cwd = "/w/build",
					      .action_cwd = "/w/build",
					      .system = system_dirs,
					      .nsystem = 1};
	static struct wb_graph_file file[] = {{.path = "/w/build/x.hxx"}, {.path = "/w/src/a.h"}, {.path = "/usr/a.h"}};
	static struct wb_edge edge[] = {{.from = 0, .to = 1, .line = 1, .name = "a.h"},
					{.from = 0, .to = 2, .line = 2, .name = "a.h"}};
	static const struct wb_graph graph = {.file = file, .nfile = 3, .edge = edge, .nedge = 2};
	const char *text = (const char *)data;
	struct wb_arena a;
	wb_arena_init(&a);
	for (int place = WB_TWIN_IN_CWD; place <= WB_TWIN_IN_PLACE; place++) {
		size_t n = 0;
		char *twin = wb_twin_text(&a, &n, text, size, &roots, &graph, 0, (enum wb_twin_place)place);
		if (twin == NULL)
			continue;
		check(lines(twin, n) == lines(text, size));
		check(wb_twin_text(&a, &n, twin, n, &roots, &graph, 0, (enum wb_twin_place)place) == NULL);
	}
	wb_twin_covers(text, size, 2, "/w/src/a.h");
	wb_arena_release(&a);
	return 0;
}
