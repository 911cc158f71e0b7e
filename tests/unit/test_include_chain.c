/* Chains of includes, in graphs made by hand. */
#include "unit.h"

#include "base/arena.h"
#include "scanner/graph.h"
#include "service/include_chain.h"

#include <stdio.h>
#include <string.h>

#define LINE UINT32_MAX /* the command line */

static struct wb_edge edge(uint32_t from, uint32_t to, bool skipped, enum wb_edge_kind kind)
{
	return (struct wb_edge){.from = from, .to = to, .skipped = skipped, .kind = (uint8_t)kind, .name = "x"};
}

/* The chain as text: the files that its edges start at. */
static void assert_chain(const struct wb_graph *g, const struct wb_include_chain *c, uint32_t target, const char *want)
{
	char text[64] = "";

	for (size_t i = 0; i < c->n; i++) {
		const struct wb_edge *e = &g->edge[c->edge[i]];
		size_t n = strlen(text);

		/* Each edge starts where the one before it ended. */
		if (i > 0)
			assert_int_equal(e->from, g->edge[c->edge[i - 1]].to);
		snprintf(text + n, sizeof text - n, e->from == LINE ? "%s-%s" : "%s%.0s%u%s", i > 0 ? " " : "",
			 e->skipped ? "?" : "", e->from, e->skipped ? "?" : "");
	}
	assert_int_equal(g->edge[c->edge[c->n - 1]].to, target);
	assert_string_equal(text, want);
}

static void chains_of_a_graph(void **state)
{
	/* 0 includes 1 and, once 1 is done, 2 (skipped) and 3; 1 includes 2; 2 includes 4, which includes 2 and itself;
	 * 3 includes 4 (skipped). 5 is forced and looked at by 0; 6 is only in 5. 7 is only looked at and, as the
	 * table has it, includes 8: that would be no way to 8. */
	struct wb_edge e[] = {
	    edge(LINE, 5, false, WB_EDGE_FORCED),   edge(5, 6, false, WB_EDGE_QUOTE),
	    edge(0, 1, false, WB_EDGE_QUOTE),       edge(1, 2, false, WB_EDGE_QUOTE),
	    edge(2, 4, false, WB_EDGE_ANGLE),       edge(4, 2, true, WB_EDGE_QUOTE),
	    edge(4, 4, true, WB_EDGE_QUOTE),        edge(0, 2, true, WB_EDGE_QUOTE),
	    edge(0, 3, false, WB_EDGE_QUOTE),       edge(3, 4, true, WB_EDGE_QUOTE),
	    edge(0, 5, false, WB_EDGE_HAS_INCLUDE), edge(0, 7, false, WB_EDGE_HAS_INCLUDE),
	    edge(7, 8, false, WB_EDGE_QUOTE),
	};
	struct wb_graph_file f[9] = {{.path = "0"}};
	struct wb_graph g = {.file = f, .nfile = 9, .edge = e, .nedge = sizeof e / sizeof *e};
	struct wb_include_chain *c;
	struct wb_arena a;

	(void)state;
	wb_arena_init(&a);
	assert_int_equal(wb_include_chains(&c, &a, &g, 1), 1);
	assert_chain(&g, &c[0], 1, "0");
	assert_int_equal(wb_include_chains(&c, &a, &g, 2), 2); /* the one from 4 passes 2 itself */
	assert_chain(&g, &c[0], 2, "0?");
	assert_chain(&g, &c[1], 2, "0 1");
	assert_int_equal(wb_include_chains(&c, &a, &g, 4), 2);
	assert_chain(&g, &c[0], 4, "0? 2"); /* one skipped step each: in the order of the preprocessor */
	assert_chain(&g, &c[1], 4, "0 3?");
	assert_int_equal(wb_include_chains(&c, &a, &g, 5), 2);
	assert_chain(&g, &c[0], 5, "-");
	assert_chain(&g, &c[1], 5, "0");
	assert_int_equal(wb_include_chains(&c, &a, &g, 6), 1);
	assert_chain(&g, &c[0], 6, "- 5");
	assert_int_equal(wb_include_chains(&c, &a, &g, 7), 1);
	assert_int_equal(wb_include_chains(&c, &a, &g, 8), 0);
	assert_int_equal(wb_include_chains(&c, &a, &g, 0), 0);
	assert_int_equal(wb_include_chains(&c, &a, &g, 9), 0);
	wb_arena_release(&a);
}

/* One file by two names: what one of them includes, the other does. */
static void chains_by_two_names(void **state)
{
	struct wb_edge e[] = {edge(0, 1, false, WB_EDGE_QUOTE), edge(1, 3, false, WB_EDGE_QUOTE),
			      edge(0, 2, true, WB_EDGE_QUOTE)};
	struct wb_graph_file f[4] = {{.path = "0", .id = {.ino = 1}},
				     {.path = "a", .id = {.ino = 2}},
				     {.path = "./a", .id = {.ino = 2}},
				     {.path = "b", .id = {.ino = 3}}};
	struct wb_graph g = {.file = f, .nfile = 4, .edge = e, .nedge = 3};
	struct wb_include_chain *c;
	struct wb_arena a;

	(void)state;
	wb_arena_init(&a);
	for (uint32_t target = 1; target <= 2; target++)
		assert_int_equal(wb_include_chains(&c, &a, &g, target), 2);
	assert_int_equal(wb_include_chains(&c, &a, &g, 3), 1);
	wb_arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chains_of_a_graph),
	    cmocka_unit_test(chains_by_two_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
