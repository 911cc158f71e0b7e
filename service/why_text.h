/* why_text.h — chains of includes as text and JSON. Reads the lines that it quotes from the files, for a macro in place
 * of a name and for which quotes were used; no other look at the disk. */
#ifndef WB_SERVICE_WHY_TEXT_H
#define WB_SERVICE_WHY_TEXT_H

#include "base/str.h"
#include "service/include_chain.h"

#include <stdint.h>

struct wb_arena;
struct wb_plan;

struct wb_why_text {
	const struct wb_plan *plan;
	struct wb_arena *arena;
	const char *cwd; /* of who reads it: names are as the compiler spells them where the command runs here, too */
};

/* The name of a file of the graph. */
const char *wb_why_text_file(const struct wb_why_text *t, uint32_t file);

/* A line for each edge: "FILE:LINE: #include "NAME"", and in brackets what is special about it. */
void wb_why_text_chain(struct wb_buf *out, const struct wb_why_text *t, const struct wb_include_chain *chain);

/* An array with an object for each edge. */
void wb_why_text_json(struct wb_buf *out, const struct wb_why_text *t, const struct wb_include_chain *chain);

#endif
