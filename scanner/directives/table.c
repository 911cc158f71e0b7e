#include "scanner/directives/table.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mixed(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
	return x ^ x >> 32;
}

uint32_t wb_table_get(const struct wb_table *t, uint64_t key)
{
	if (t->cap == 0)
		return WB_NOWHERE;
	for (uint32_t i = (uint32_t)mixed(key) & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
		if (t->value[i] == WB_NOWHERE)
			return WB_NOWHERE;
		if (t->key[i] == key)
			return t->value[i];
	}
}

static void insert(struct wb_table *t, uint64_t key, uint32_t value)
{
	uint32_t i = (uint32_t)mixed(key) & (t->cap - 1);
	while (t->value[i] != WB_NOWHERE)
		i = (i + 1) & (t->cap - 1);
	t->key[i] = key;
	t->value[i] = value;
}

void wb_table_put(struct wb_table *t, uint64_t key, uint32_t value)
{
	if (2 * t->n >= t->cap) {
		struct wb_table old = *t;
		t->cap = old.cap ? 2 * old.cap : 1024;
		t->key = wb_xcalloc(t->cap, sizeof *t->key);
		t->value = wb_xrealloc(NULL, t->cap * sizeof *t->value);
		memset(t->value, 0xff, t->cap * sizeof *t->value);
		for (uint32_t i = 0; i < old.cap; i++)
			if (old.value[i] != WB_NOWHERE)
				insert(t, old.key[i], old.value[i]);
		free(old.key);
		free(old.value);
	}
	t->n++;
	insert(t, key, value);
}

void wb_table_release(struct wb_table *t)
{
	free(t->key);
	free(t->value);
	*t = (struct wb_table){0};
}
