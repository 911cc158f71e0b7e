#include "scanner/directives/ident.h"

#include "base/arena.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BITS = 12, PAGE = 1 << PAGE_BITS, PAGES = 4096 };
#define MAX_BYTES (1ULL << 30)

struct entry {
	const char *p;
	uint32_t n, hash;
};

struct wb_idents {
	pthread_mutex_t lock;
	/* A page is set once, before any number in it is handed out, so readers that have a number need no lock. */
	struct entry *page[PAGES];
	uint32_t n;
	uint32_t *slot; /* open addressing: numbers, 0 is free */
	uint32_t cap;
	struct wb_arena text;
};

static uint32_t hash_of(const char *p, size_t n)
{
	uint64_t h = n * 0x9e3779b97f4a7c15u;
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t word;
		memcpy(&word, p, 8);
		h = (h ^ word) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	uint64_t word = 0;
	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)(unsigned char)p[i] << (8 * i);
	h = (h ^ word) * 0xff51afd7ed558ccdu;
	return (uint32_t)(h ^ h >> 32);
}

static struct entry *entry_of(const struct wb_idents *t, uint32_t id)
{
	return &t->page[id >> PAGE_BITS][id & (PAGE - 1)];
}

static void grow(struct wb_idents *t)
{
	uint32_t cap = t->cap ? 2 * t->cap : 1 << 13;
	uint32_t *slot = wb_xcalloc(cap, sizeof *slot);
	for (uint32_t id = 1; id < t->n; id++) {
		uint32_t i = entry_of(t, id)->hash & (cap - 1);
		while (slot[i])
			i = (i + 1) & (cap - 1);
		slot[i] = id;
	}
	free(t->slot);
	t->slot = slot;
	t->cap = cap;
}

struct wb_idents *wb_idents_new(void)
{
	static const char *const word[] = {
#define X(id, text) text,
	    WB_WORDS(X)
#undef X
	};
	struct wb_idents *t = wb_xcalloc(1, sizeof *t);
	pthread_mutex_init(&t->lock, NULL);
	wb_arena_init(&t->text);
	t->page[0] = wb_xcalloc(PAGE, sizeof **t->page);
	t->page[0][0].p = "";
	t->n = 1;
	grow(t);
	for (size_t i = 0; i < sizeof word / sizeof *word; i++)
		wb_ident_put(t, word[i], strlen(word[i]));
	return t;
}

void wb_idents_free(struct wb_idents *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < PAGES; i++)
		free(t->page[i]);
	free(t->slot);
	wb_arena_release(&t->text);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static uint32_t put_locked(struct wb_idents *t, const char *p, size_t n, uint32_t hash)
{
	uint32_t i = hash & (t->cap - 1);
	for (; t->slot[i]; i = (i + 1) & (t->cap - 1)) {
		const struct entry *e = entry_of(t, t->slot[i]);
		if (e->hash == hash && e->n == n && memcmp(e->p, p, n) == 0)
			return t->slot[i];
	}
	if (t->n == PAGES * PAGE || t->text.used + n > MAX_BYTES || n > UINT32_MAX / 2)
		return 0;
	if ((t->n & (PAGE - 1)) == 0 && !t->page[t->n >> PAGE_BITS])
		t->page[t->n >> PAGE_BITS] = wb_xcalloc(PAGE, sizeof **t->page);
	uint32_t id = t->n++;
	*entry_of(t, id) = (struct entry){wb_arena_strndup(&t->text, p, n), (uint32_t)n, hash};
	t->slot[i] = id;
	if (t->n > t->cap / 2)
		grow(t);
	return id;
}

uint32_t wb_ident_put(struct wb_idents *t, const char *p, size_t n)
{
	uint32_t hash = hash_of(p, n);
	pthread_mutex_lock(&t->lock);
	uint32_t id = put_locked(t, p, n, hash);
	pthread_mutex_unlock(&t->lock);
	return id;
}

bool wb_idents_put_all(struct wb_idents *t, uint32_t *id, const char *text, const uint32_t *length, size_t count)
{
	bool good = true;
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < count && good; i++) {
		id[i] = put_locked(t, text, length[i], hash_of(text, length[i]));
		good = id[i] != 0;
		text += length[i];
	}
	pthread_mutex_unlock(&t->lock);
	return good;
}

struct wb_str wb_ident_text(const struct wb_idents *t, uint32_t id)
{
	const struct entry *e = entry_of(t, id);
	return (struct wb_str){e->p, e->n};
}

uint32_t wb_idents_count(struct wb_idents *t)
{
	pthread_mutex_lock(&t->lock);
	uint32_t n = t->n;
	pthread_mutex_unlock(&t->lock);
	return n;
}
