#include "scanner/directives/definitions.h"

#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>

enum { MAX_DEFINITIONS = 1 << 17 };

struct wb_definitions {
	pthread_mutex_t lock;
	struct wb_map map; /* what it says -> struct wb_define */
	struct wb_program **program;
	size_t n, cap;
};

struct wb_definitions *wb_definitions_new(void)
{
	struct wb_definitions *d = wb_xcalloc(1, sizeof *d);
	pthread_mutex_init(&d->lock, NULL);
	wb_map_init(&d->map);
	return d;
}

void wb_definitions_free(struct wb_definitions *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++)
		wb_program_unref(d->program[i]);
	free(d->program);
	wb_map_release(&d->map);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

/* Everything that a definition says. */
static void say(struct wb_buf *out, const struct wb_define *d)
{
	uint32_t head[] = {d->name, d->nparam, d->lex, d->flags};
	wb_buf_reset(out);
	wb_buf_add(out, (const char *)head, sizeof head);
	if (d->nparam)
		wb_buf_add(out, (const char *)d->param, d->nparam * sizeof *d->param);
	wb_buf_add(out, d->body, d->nbody);
}

void wb_definitions_unify(struct wb_definitions *d, struct wb_program *p, const struct wb_define **out)
{
	struct wb_buf text = WB_BUF_INIT;
	bool any = false;
	pthread_mutex_lock(&d->lock);
	bool full = d->map.n + p->ndefine > MAX_DEFINITIONS;
	for (uint32_t i = 0; i < p->ndefine; i++) {
		say(&text, &p->define[i]);
		union wb_map_value *v =
		    full ? wb_map_get(&d->map, text.p, text.n) : wb_map_put(&d->map, text.p, text.n, NULL);
		if (v && !v->p) {
			v->p = &p->define[i];
			any = true;
		}
		out[i] = v ? v->p : &p->define[i];
	}
	if (any) {
		if (d->n == d->cap) {
			d->cap = d->cap ? 2 * d->cap : 16;
			d->program = wb_xrealloc(d->program, d->cap * sizeof *d->program);
		}
		d->program[d->n++] = wb_program_ref(p);
	}
	pthread_mutex_unlock(&d->lock);
	wb_buf_release(&text);
}
