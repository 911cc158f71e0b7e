/* table.h — a hash table from 64-bit keys to small numbers. One thread. */
#ifndef WB_SCANNER_DIRECTIVES_TABLE_H
#define WB_SCANNER_DIRECTIVES_TABLE_H

#include <stdint.h>

#define WB_NOWHERE UINT32_MAX /* no number */

struct wb_table { /* open addressing */
	uint64_t *key;
	uint32_t *value; /* WB_NOWHERE: free */
	uint32_t cap, n;
};

uint32_t wb_table_get(const struct wb_table *t, uint64_t key);
void wb_table_put(struct wb_table *t, uint64_t key, uint32_t value); /* not there yet */
void wb_table_release(struct wb_table *t);

#endif
