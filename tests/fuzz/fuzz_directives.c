/* Any bytes as a source file: no crash, and a program whose branches lead forward to their own group's end.
 * Input: a byte of enum wb_lex_flag, then the text. */
#include "scanner/directives/program.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wb_idents *idents;
	static unsigned runs;
	if (size == 0)
		return 0;
	/* Spellings stay: start anew before they fill the memory. */
	if (++runs % 20000 == 0) {
		wb_idents_free(idents);
		idents = NULL;
	}
	if (!idents)
		idents = wb_idents_new();
	char *text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	struct wb_program *p = wb_program_new(idents, text, size - 1, data[0]);
	free(text);
	for (uint32_t i = 0; i < p->nop; i++) {
		const struct wb_directive *d = &p->op[i];
		if (d->op >= WB_OP_IFDEF && d->op <= WB_OP_ELSE) {
			check(d->next > i && d->next <= d->end && d->end < p->nop);
			check(p->op[d->end].op == WB_OP_ENDIF);
		}
		if (d->op == WB_OP_DEFINE)
			check(d->a < p->ndefine && wb_define_body(&p->define[d->a], idents) != NULL);
	}
	wb_program_unref(p);
	return 0;
}
