/* Programs as bytes (scanner/directives/packed_program.h). Those of any text come back the same; with bytes changed,
 * what comes back, if anything, is safe to run and to pack again.
 * Input: a byte of enum wb_lex_flag and the number of changes, then each change (two bytes: where, the third: what),
 * then the text. */
#include "tests/fuzz/expansion.h"

#include "scanner/directives/packed_program.h"

static struct expansion world;
static volatile size_t sink; /* what is read is read */

/* All that a unit may do with a program, without regard for what holds. */
static void run(const struct wb_program *p)
{
	const struct wb_expression_rules rules = expansion_rules((uint8_t)p->nop);
	bool holds;
	wb_macros_reset(&world.macros);
	for (uint32_t i = 0; i < p->nop; i++) {
		const struct wb_directive *d = &p->op[i];
		const struct wb_site_tokens *o = NULL;
		switch ((enum wb_op)d->op) {
		case WB_OP_DEFINE:
		case WB_OP_UNDEF:
			expansion_define(&world, p, d);
			break;
		case WB_OP_IF:
		case WB_OP_ELIF:
			o = &p->operand[d->a];
			wb_expression_evaluate(&holds, &world.macros, &rules, p->tok + o->first, o->n);
			break;
		case WB_OP_INCLUDE:
		case WB_OP_INCLUDE_NEXT:
		case WB_OP_IMPORT:
		case WB_OP_EMBED:
			o = &p->operand[d->b];
			sink += wb_ident_text(world.idents, d->a).n;
			wb_expand_begin(&world.macros, p->tok + o->first, o->n);
			while (wb_expand_next(&world.macros).kind != WB_TOK_END)
				;
			break;
		case WB_OP_BAD:
			check(d->a != WB_DOUBT_NONE && d->a < WB_DOUBT_COUNT);
			break;
		default:
			break;
		}
		if (d->op >= WB_OP_IFDEF && d->op <= WB_OP_ELSE)
			check(wb_program_behind(p, i) > i && wb_program_behind(p, i) <= p->nop);
	}
	for (uint32_t i = 0; i < p->ndefine; i++)
		check(wb_define_body(&p->define[i], world.idents) != NULL);
	sink += wb_program_tells_line(p);
	check((unsigned)p->doubt < WB_DOUBT_COUNT);
	wb_macros_reset(&world.macros);
	expansion_end(&world);
}

static bool same(const struct wb_program *a, const struct wb_program *b)
{
	uint64_t x[2], y[2];
	check(wb_program_shape(x, a) && wb_program_shape(y, b));
	return memcmp(x, y, sizeof x) == 0 && a->content == b->content;
}

/* The program of `n` bytes, in memory of just that size; NULL: they are none. */
static struct wb_program *unpacked(const void *bytes, size_t n, unsigned lex)
{
	void *own = wb_xaligned(8, n ? (n + 7) / 8 * 8 : 8);
	memcpy(own, bytes, n);
	struct wb_program *p = wb_program_unpack(world.idents, own, n, lex);
	free(own);
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t changes = size < 2 ? 0 : data[1] % 16;
	if (size < 2 + 3 * changes)
		return 0;
	expansion_begin(&world);
	unsigned lex = data[0] | (data[1] & 0x70u) << 4;
	const uint8_t *change = data + 2;
	struct wb_program *made = expansion_program(&world, change + 3 * changes, size - 2 - 3 * changes, lex);
	struct wb_buf bytes = WB_BUF_INIT, again = WB_BUF_INIT;
	check(wb_program_pack(&bytes, made, world.idents) && bytes.n % 8 == 0);
	for (size_t i = 0; i < changes; i++, change += 3)
		bytes.p[((size_t)change[0] << 8 | change[1]) % bytes.n] = (char)change[2];
	struct wb_program *p = unpacked(bytes.p, bytes.n, lex);
	check(p || changes);
	if (p) {
		check(changes || same(made, p));
		run(p);
		check(wb_program_pack(&again, p, world.idents));
		struct wb_program *twice = unpacked(again.p, again.n, lex);
		check(twice && same(p, twice));
		wb_program_unref(twice);
	}
	wb_program_unref(p);
	wb_program_unref(made);
	wb_buf_release(&bytes);
	wb_buf_release(&again);
	return 0;
}
