#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_MIN = 4096, BLOCK_MAX = 256 << 10 };

struct wb_arena_block {
	struct wb_arena_block *next;
	size_t cap, pos; /* bytes of data, and how many are handed out */
	alignas(max_align_t) char data[];
};

static _Noreturn void out_of_memory(void)
{
	static const char text[] = "waybill: out of memory\n";
	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(127);
	abort();
}

void wb_arena_init(struct wb_arena *a)
{
	*a = (struct wb_arena){NULL, 0};
}

void wb_arena_release(struct wb_arena *a)
{
	for (struct wb_arena_block *b = a->head, *next; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	wb_arena_init(a);
}

static struct wb_arena_block *block_new(size_t cap)
{
	if (cap > SIZE_MAX - sizeof(struct wb_arena_block))
		out_of_memory();
	struct wb_arena_block *b = calloc(1, sizeof *b + cap);
	if (b == NULL)
		out_of_memory();
	b->cap = cap;
	return b;
}

static void *alloc_aligned(struct wb_arena *a, size_t n, size_t align)
{
	struct wb_arena_block *b = a->head;
	if (b != NULL) {
		size_t pos = (b->pos + align - 1) & ~(align - 1);
		if (pos <= b->cap && n <= b->cap - pos) {
			b->pos = pos + n;
			a->used += n;
			return b->data + pos;
		}
	}
	size_t cap = b == NULL ? BLOCK_MIN : b->cap < BLOCK_MAX / 2 ? b->cap * 2 : BLOCK_MAX;
	if (n > cap / 4) {
		/* A block of its own, behind the head: the room left in the head stays usable. */
		struct wb_arena_block *own = block_new(n);
		own->pos = n;
		if (b == NULL) {
			a->head = own;
		} else {
			own->next = b->next;
			b->next = own;
		}
		a->used += n;
		return own->data;
	}
	struct wb_arena_block *fresh = block_new(cap);
	fresh->next = b;
	fresh->pos = n;
	a->head = fresh;
	a->used += n;
	return fresh->data;
}

void *wb_arena_alloc(struct wb_arena *a, size_t n)
{
	return alloc_aligned(a, n, alignof(max_align_t));
}

void *wb_arena_array(struct wb_arena *a, size_t count, size_t size)
{
	size_t n;
	if (__builtin_mul_overflow(count, size, &n))
		out_of_memory();
	return wb_arena_alloc(a, n);
}

char *wb_arena_strndup(struct wb_arena *a, const char *s, size_t n)
{
	if (n == SIZE_MAX)
		out_of_memory();
	char *p = alloc_aligned(a, n + 1, 1);
	if (n > 0)
		memcpy(p, s, n);
	return p; /* arena memory is zeroed: the NUL is there */
}

char *wb_arena_strdup(struct wb_arena *a, const char *s)
{
	return wb_arena_strndup(a, s, strlen(s));
}

void *wb_arena_memdup(struct wb_arena *a, const void *p, size_t n)
{
	void *q = wb_arena_alloc(a, n);
	if (n > 0)
		memcpy(q, p, n);
	return q;
}

char *wb_arena_vprintf(struct wb_arena *a, const char *fmt, va_list ap)
{
	char small[256];
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(small, sizeof small, fmt, ap);
	char *p;
	if (n < 0) {
		p = wb_arena_strndup(a, "", 0);
	} else if ((size_t)n < sizeof small) {
		p = wb_arena_strndup(a, small, (size_t)n);
	} else {
		p = alloc_aligned(a, (size_t)n + 1, 1);
		vsnprintf(p, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	return p;
}

char *wb_arena_printf(struct wb_arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *p = wb_arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}

void wb_arena_grow(struct wb_arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return;
	size_t want = *cap < 4 ? 8 : *cap * 2;
	if (want <= n)
		want = n + 1;
	void *fresh = wb_arena_array(a, want, size);
	void *old;
	memcpy(&old, v, sizeof old); /* `v` is the address of a pointer to any type */
	if (*cap > 0)
		memcpy(fresh, old, (n < *cap ? n : *cap) * size);
	memcpy(v, &fresh, sizeof fresh);
	*cap = want;
}

void *wb_xcalloc(size_t count, size_t size)
{
	void *p = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
	if (p == NULL)
		out_of_memory();
	return p;
}

void *wb_xrealloc(void *p, size_t n)
{
	void *q = realloc(p, n == 0 ? 1 : n);
	if (q == NULL)
		out_of_memory();
	return q;
}

void *wb_xaligned(size_t align, size_t n)
{
	void *p = aligned_alloc(align, n);
	if (p == NULL)
		out_of_memory();
	return p;
}

void *wb_xgrow_full(void *v, size_t *cap, size_t size)
{
	*cap = *cap ? 2 * *cap : 256;
	return wb_xrealloc(v, *cap * size);
}

void *wb_xgrow_lines(void *v, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return v;
	*cap = *cap ? 2 * *cap : 256;
	void *out = wb_xaligned(64, *cap * size);
	if (n)
		memcpy(out, v, n * size);
	free(v);
	return out;
}

char *wb_xstrdup(const char *s)
{
	char *p = strdup(s);
	if (p == NULL)
		out_of_memory();
	return p;
}
