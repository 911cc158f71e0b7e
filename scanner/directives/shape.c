/* shape.c — what a scan takes from a file's text, as one number: texts that differ in comments, in code, in white space
 * have one shape. */
#define _GNU_SOURCE /* memmem */
#include "scanner/directives/program.h"

#include <string.h>
#include <xxhash.h>

static void add(XXH3_state_t *h, const void *p, size_t n)
{
	uint64_t size = n;
	XXH3_128bits_update(h, &size, sizeof size);
	if (n)
		XXH3_128bits_update(h, p, n);
}

static void add_number(XXH3_state_t *h, uint64_t n)
{
	XXH3_128bits_update(h, &n, sizeof n);
}

static void add_tokens(XXH3_state_t *h, const struct wb_program *p, const struct wb_site_tokens *t)
{
	add_number(h, t->n);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct wb_tok *tok = &p->tok[t->first + i];
		add_number(h, (uint64_t)tok->text << 32 | (uint64_t)tok->kind << 24 | (uint64_t)tok->flags << 16 |
				  tok->aux);
	}
}

static void add_define(XXH3_state_t *h, const struct wb_define *d)
{
	add_number(h, (uint64_t)d->name << 32 | (uint64_t)d->nparam << 16 | d->flags);
	add_number(h, d->lex);
	add(h, d->param, d->nparam * sizeof *d->param);
	add(h, d->body, d->nbody);
}

bool wb_program_shape(uint64_t shape[2], const struct wb_program *p)
{
	XXH3_state_t *h = XXH3_createState();
	shape[0] = shape[1] = 0;
	if (!h)
		return false;
	XXH3_128bits_reset(h);
	add_number(h, (uint64_t)p->lex << 32 | p->flags);
	add_number(h, (uint64_t)p->guard << 32 | p->nop);
	add_number(h, p->doubt);
	for (uint32_t i = 0; i < p->nop; i++) {
		const struct wb_directive *d = &p->op[i];
		add_number(h, (uint64_t)d->op << 32 | d->flags);
		add_number(h, (uint64_t)d->a << 32 | d->b);
	}
	for (uint32_t i = 0; i < p->nsite; i++)
		add_tokens(h, p, &p->operand[i]);
	for (uint32_t i = 0; i < p->ndefine; i++)
		add_define(h, &p->define[i]);
	XXH128_hash_t out = XXH3_128bits_digest(h);
	XXH3_freeState(h);
	shape[0] = out.low64;
	shape[1] = out.high64;
	return true;
}

bool wb_program_tells_line(const struct wb_program *p)
{
	static const char word[] = "__LINE__";
	for (uint32_t i = 0; i < p->nsite; i++)
		for (uint32_t k = 0; k < p->operand[i].n; k++)
			if (p->tok[p->operand[i].first + k].text == WB_WORD_LINE)
				return true;
	for (uint32_t i = 0; i < p->ndefine; i++)
		if (memmem(p->define[i].body, p->define[i].nbody, word, sizeof word - 1))
			return true;
	return false;
}
