#include "scanner/packed.h"

#include "scanner/directives/ident.h"

#include <stdlib.h>
#include <string.h>

#define COMMAND_LINE UINT32_MAX

/* An edge: this byte; `from` when EXPLICIT; `to`; the line; the name when NAMED. */
enum {
	KIND = 7,
	SKIPPED = 8,
	PREFIX = 16,
	SAME = 0,          /* from: as the edge before */
	INTO = 1 << 5,     /* what the edge before led to */
	BACK = 2 << 5,     /* the file from which the edge before's file was first entered */
	EXPLICIT = 3 << 5, /* a number, 0 is the command line */
	FROM = 3 << 5,
	NAMED = 128, /* else as the first edge to the file */
};

static void put(struct wb_buf *b, uint32_t x)
{
	char byte[5];
	size_t n = 0;
	for (; x >= 128; x >>= 7)
		byte[n++] = (char)(x | 128);
	byte[n++] = (char)x;
	wb_buf_add(b, byte, n);
}

static inline uint32_t get(const uint8_t **p)
{
	uint32_t x = *(*p)++;
	if (x < 128)
		return x;
	x &= 127;
	for (unsigned shift = 7;; shift += 7) {
		uint32_t byte = *(*p)++;
		x |= (byte & 127) << shift;
		if (byte < 128)
			return x;
	}
}

static uint32_t zigzag(uint32_t now, uint32_t before)
{
	uint32_t d = now - before;
	return d << 1 ^ (uint32_t)-(d >> 31);
}

static inline uint32_t unzigzag(uint32_t x, uint32_t before)
{
	return before + (x >> 1 ^ (uint32_t)-(x & 1));
}

static uint32_t ordinal(const struct wb_line_table *l, uint32_t line)
{
	uint32_t low = 0, high = l->n;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (l->line[mid] < line)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->n && l->line[low] == line ? low : UINT32_MAX;
}

/* What both directions keep of each file on the way. */
struct walked {
	uint32_t from;       /* whence its first edge came */
	uint32_t first_edge; /* UINT32_MAX: not met yet */
	uint32_t last;       /* line or ordinal of the last edge out of it */
	const char *name;    /* of its first edge */
};

/* Are the lines of all edges out of each file among its directives? */
static void find_raw(bool *raw, const struct wb_graph *g, const struct wb_line_table *const *lines)
{
	for (uint32_t i = 0; i < g->nfile; i++)
		raw[i] = lines[i] == NULL;
	for (uint32_t i = 0; i < g->nedge; i++) {
		uint32_t from = g->edge[i].from;
		if (from != COMMAND_LINE && !raw[from])
			raw[from] = ordinal(lines[from], g->edge[i].line) == UINT32_MAX;
	}
}

static bool ends_with(const char *path, const char *name, size_t *n)
{
	size_t np = strlen(path);
	*n = strlen(name);
	return *n <= np && memcmp(path + np - *n, name, *n) == 0;
}

static bool put_name(struct wb_buf *b, struct wb_idents *texts, const char *path, const char *name)
{
	size_t n;
	if (ends_with(path, name, &n)) {
		put(b, (uint32_t)n << 1);
		return true;
	}
	uint32_t text = wb_ident_put(texts, name, n);
	put(b, text << 1 | 1);
	return text != 0;
}

static bool put_edges(struct wb_buf *b, const struct wb_graph *g, struct wb_idents *texts,
		      const struct wb_line_table *const *lines, const bool *raw, struct walked *w)
{
	struct wb_edge before = {.from = COMMAND_LINE, .to = 0};
	uint32_t next = 1, last_of_command = 0; /* the file that comes first for the first time */
	for (uint32_t i = 0; i < g->nedge; i++) {
		const struct wb_edge *e = &g->edge[i];
		if (e->kind > KIND || !e->name || e->to >= g->nfile || (e->from != COMMAND_LINE && e->from >= g->nfile))
			return false;
		unsigned tag = e->kind | (e->skipped ? SKIPPED : 0) | (e->in_prefix ? PREFIX : 0);
		if (e->from == before.from)
			tag |= SAME;
		else if (e->from == before.to)
			tag |= INTO;
		else if (before.from != COMMAND_LINE && e->from == w[before.from].from)
			tag |= BACK;
		else
			tag |= EXPLICIT;
		struct walked *to = &w[e->to];
		bool first = to->name == NULL;
		if (first || (to->name != e->name && strcmp(to->name, e->name) != 0))
			tag |= NAMED;
		wb_buf_addc(b, (char)tag);
		if ((tag & FROM) == EXPLICIT)
			put(b, e->from + 1);
		put(b, e->to == next ? 0 : e->to + 1);
		next += e->to == next;
		uint32_t *last = e->from == COMMAND_LINE ? &last_of_command : &w[e->from].last;
		uint32_t line = e->from == COMMAND_LINE || raw[e->from] ? e->line : ordinal(lines[e->from], e->line);
		put(b, zigzag(line, *last));
		*last = line;
		if ((tag & NAMED) && !put_name(b, texts, g->file[e->to].path, e->name))
			return false;
		if (first) {
			to->name = e->name;
			to->from = e->from;
			to->first_edge = i;
		}
		before = *e;
	}
	return true;
}

struct wb_packed *wb_graph_pack(const struct wb_graph *g, struct wb_idents *texts, const uint32_t *file,
				const struct wb_line_table *const *lines, const uint32_t *miss)
{
	struct wb_packed *p = NULL;
	struct wb_buf b = WB_BUF_INIT;
	if (g->failed || g->nfile == 0)
		return NULL;
	bool *raw = wb_xcalloc(g->nfile, sizeof *raw);
	struct walked *w = wb_xcalloc(g->nfile, sizeof *w);
	for (uint32_t i = 0; i < g->nfile; i++)
		w[i] = (struct walked){.from = COMMAND_LINE, .first_edge = UINT32_MAX};
	find_raw(raw, g, lines);
	wb_buf_reserve(&b, sizeof *p + 4 * (size_t)g->nfile + 3 * g->nmiss + 5 * (size_t)g->nedge);
	uint32_t before = 0;
	for (uint32_t i = 0; i < g->nfile; i++) {
		put(&b, zigzag(file[i], before));
		put(&b, g->file[i].flags << 1 | raw[i]);
		before = file[i];
	}
	uint32_t misses_at = (uint32_t)b.n;
	before = 0;
	for (size_t i = 0; i < g->nmiss; i++) {
		put(&b, zigzag(miss[i], before));
		before = miss[i];
	}
	uint32_t edges_at = (uint32_t)b.n;
	bool talks = g->diagnostics && g->diagnostics[0];
	uint32_t said = talks ? wb_ident_put(texts, g->diagnostics, strlen(g->diagnostics)) : 0;
	bool good = (said || !talks) && put_edges(&b, g, texts, lines, raw, w) && b.n < UINT32_MAX;
	for (uint32_t i = 0; i < g->nfile && good; i++)
		good = g->file[i].first_edge == (i ? w[i].first_edge : UINT32_MAX);
	if (good) {
		p = wb_xrealloc(NULL, sizeof *p + b.n);
		*p = (struct wb_packed){.nfile = g->nfile,
					.nedge = g->nedge,
					.nmiss = (uint32_t)g->nmiss,
					.misses_at = misses_at,
					.edges_at = edges_at,
					.modules = g->modules,
					.diagnostics = said,
					.engine = g->engine,
					.doubt = g->doubt,
					.n = b.n};
		if (b.n)
			memcpy(p->data, b.p, b.n);
	}
	free(raw);
	free(w);
	wb_buf_release(&b);
	return p;
}

void wb_packed_files(const struct wb_packed *p, uint32_t *file, bool *raw)
{
	const uint8_t *at = p->data;
	uint32_t before = 0;
	for (uint32_t i = 0; i < p->nfile; i++) {
		before = file[i] = unzigzag(get(&at), before);
		raw[i] = get(&at) & 1;
	}
}

void wb_packed_misses(const struct wb_packed *p, uint32_t *miss)
{
	const uint8_t *at = p->data + p->misses_at;
	uint32_t before = 0;
	for (uint32_t i = 0; i < p->nmiss; i++)
		before = miss[i] = unzigzag(get(&at), before);
}

/* `raw` is free to be read: the flags came with the files. */
static void get_edges(struct wb_edge *edge, struct wb_graph_file *out, const struct wb_packed *p,
		      const struct wb_idents *texts, const struct wb_packed_file *file, const bool *raw,
		      struct walked *w)
{
	const uint8_t *at = p->data + p->edges_at;
	uint32_t from = COMMAND_LINE, before_to = 0, next = 1, last_of_command = 0;
	for (uint32_t i = 0; i < p->nedge; i++) {
		unsigned tag = *at++;
		switch (tag & FROM) {
		case INTO:
			from = before_to;
			break;
		case BACK:
			from = w[from].from;
			break;
		case EXPLICIT:
			from = get(&at) - 1;
			break;
		default:
			break;
		}
		uint32_t to = get(&at);
		to = to == 0 ? next : to - 1;
		next += to == next;
		uint32_t *last = from == COMMAND_LINE ? &last_of_command : &w[from].last;
		uint32_t line = *last = unzigzag(get(&at), *last);
		if (from != COMMAND_LINE && !raw[from])
			line = file[from].lines->line[line];
		struct walked *t = &w[to];
		const char *name = t->name;
		if (tag & NAMED) {
			uint32_t n = get(&at);
			name = n & 1 ? wb_ident_text(texts, n >> 1).p : file[to].path + file[to].n - (n >> 1);
		}
		if (!t->name) {
			t->name = name;
			t->from = from;
			if (to != 0)
				out[to].first_edge = i;
		}
		edge[i] = (struct wb_edge){.from = from,
					   .to = to,
					   .line = line,
					   .kind = tag & KIND,
					   .skipped = tag & SKIPPED,
					   .in_prefix = tag & PREFIX,
					   .name = name};
		before_to = to;
	}
}

void wb_graph_unpack(struct wb_graph *out, struct wb_arena *a, const struct wb_packed *p, const struct wb_idents *texts,
		     const struct wb_packed_file *file, const char *const *miss)
{
	struct walked *w = wb_arena_array(a, p->nfile, sizeof *w);
	bool *raw = wb_arena_alloc(a, p->nfile);
	*out = (struct wb_graph){.nfile = p->nfile,
				 .nedge = p->nedge,
				 .miss = miss,
				 .nmiss = p->nmiss,
				 .diagnostics = p->diagnostics ? wb_ident_text(texts, p->diagnostics).p : "",
				 .modules = p->modules,
				 .engine = p->engine,
				 .doubt = p->doubt};
	out->file = wb_arena_array(a, p->nfile + (size_t)1, sizeof *out->file);
	out->edge = wb_arena_array(a, p->nedge + (size_t)1, sizeof *out->edge);
	const uint8_t *at = p->data;
	for (uint32_t i = 0; i < p->nfile; i++) {
		get(&at);
		uint32_t flags = get(&at);
		raw[i] = flags & 1;
		w[i].from = COMMAND_LINE;
		out->file[i] = (struct wb_graph_file){
		    .path = file[i].path, .id = *file[i].id, .flags = flags >> 1, .first_edge = UINT32_MAX};
	}
	get_edges(out->edge, out->file, p, texts, file, raw, w);
}
