/* arena.h — memory that lives as long as one request (or one cache generation) and is given back at once.
 * Not thread-safe: one arena, one thread at a time. Running out of memory ends the process: every input is bounded by a
 * documented limit before it gets here, so it cannot be provoked from outside. */
#ifndef WB_BASE_ARENA_H
#define WB_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct wb_arena_block;

struct wb_arena {
	struct wb_arena_block *head;
	size_t used; /* bytes handed out */
};

void wb_arena_init(struct wb_arena *a);
void wb_arena_release(struct wb_arena *a);

/* Zeroed memory, aligned for any type; `n` may be 0. */
void *wb_arena_alloc(struct wb_arena *a, size_t n);
/* Zeroed array of `count` elements; the product is checked. */
void *wb_arena_array(struct wb_arena *a, size_t count, size_t size);
char *wb_arena_strdup(struct wb_arena *a, const char *s);
char *wb_arena_strndup(struct wb_arena *a, const char *s, size_t n);
void *wb_arena_memdup(struct wb_arena *a, const void *p, size_t n);
char *wb_arena_printf(struct wb_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *wb_arena_vprintf(struct wb_arena *a, const char *fmt, va_list ap);

/* Grow an arena array so that one more element fits: `*v` (element size `size`) holds `n` of `*cap`.
 * The old array stays in the arena as waste. */
void wb_arena_grow(struct wb_arena *a, void *v, size_t n, size_t *cap, size_t size);

/* Heap memory that never returns NULL (see above). */
void *wb_xcalloc(size_t count, size_t size);
void *wb_xrealloc(void *p, size_t n);
/* Uninitialised, at a multiple of `align` (a power of two); `n` is one too. */
void *wb_xaligned(size_t align, size_t n);
char *wb_xstrdup(const char *s);

/* An array of *cap elements, of which n are in use, with room for one more. */
void *wb_xgrow_full(void *v, size_t *cap, size_t size);
static inline void *wb_xgrow(void *v, size_t n, size_t *cap, size_t size)
{
	return n < *cap ? v : wb_xgrow_full(v, cap, size);
}
/* The same for elements that divide a cache line, or fill it: none lies in two. */
void *wb_xgrow_lines(void *v, size_t n, size_t *cap, size_t size);

#endif
