#include "scanner/directives/packed_program.h"

#include <string.h>

/* Behind it lie, one after the other: directives, operands of sites, tokens, macros, their parameters, the lengths
 * of the words, the words, the bodies of the macros. */
struct head {
	uint64_t content;
	uint32_t flags;
	uint32_t nop, nsite, ntok, ndefine, nparam, nword;
	uint32_t word_bytes, body_bytes;
	uint32_t guard; /* a word; 0: none */
	uint32_t doubt; /* enum wb_doubt */
	uint32_t zero;  /* instead of padding */
};

struct macro {
	uint32_t name, nbody;
	uint16_t nparam, flags;
};

/* A program whose words are to be renumbered, on the way out or in. */
struct parts {
	struct head head;
	struct wb_directive *op;
	struct wb_site_tokens *site;
	struct wb_tok *tok;
	struct macro *define;
	uint32_t *param;
};

enum { MAX_ARRAY = 1 << 26 }; /* elements, or bytes: what adds up to less than 4 GiB */

/* A number of a word becomes another one. */
struct renumber {
	uint32_t (*word)(struct renumber *r, uint32_t word);
};

/* The place of the word in a directive; NULL: it has none. */
static uint32_t *word_of(struct wb_directive *d)
{
	switch ((enum wb_op)d->op) {
	case WB_OP_DEFINE:
		return &d->b;
	case WB_OP_UNDEF:
	case WB_OP_IFDEF:
	case WB_OP_IFNDEF:
	case WB_OP_ELIFDEF:
	case WB_OP_ELIFNDEF:
	case WB_OP_INCLUDE:
	case WB_OP_INCLUDE_NEXT:
	case WB_OP_IMPORT:
	case WB_OP_EMBED:
	case WB_OP_PUSH:
	case WB_OP_POP:
		return &d->a;
	default:
		return NULL;
	}
}

static void renumber(struct parts *s, struct renumber *r)
{
	for (uint32_t i = 0; i < s->head.nop; i++) {
		uint32_t *word = word_of(&s->op[i]);
		if (word)
			*word = r->word(r, *word);
	}
	for (uint32_t i = 0; i < s->head.ntok; i++)
		s->tok[i].text = r->word(r, s->tok[i].text);
	for (uint32_t i = 0; i < s->head.ndefine; i++)
		s->define[i].name = r->word(r, s->define[i].name);
	for (uint32_t i = 0; i < s->head.nparam; i++)
		s->param[i] = r->word(r, s->param[i]);
	s->head.guard = r->word(r, s->head.guard);
}

/* --- out --- */

struct packing {
	struct renumber renumber; /* first */
	uint32_t *slot;           /* open addressing: places in `word`, from 1 */
	uint32_t mask;
	uint32_t *word; /* in the process, by the number in the record less WB_WORD_COUNT */
	uint32_t nword;
};

static uint32_t to_local(struct renumber *r, uint32_t word)
{
	struct packing *k = (struct packing *)r;
	if (word < WB_WORD_COUNT)
		return word;
	uint32_t i = word * 0x9e3779b1u >> 7 & k->mask;
	for (; k->slot[i]; i = (i + 1) & k->mask)
		if (k->word[k->slot[i] - 1] == word)
			return WB_WORD_COUNT + k->slot[i] - 1;
	k->word[k->nword++] = word;
	k->slot[i] = k->nword;
	return WB_WORD_COUNT + k->nword - 1;
}

/* Room for all words that there may be. */
static void begin_packing(struct packing *k, struct wb_arena *a, const struct head *h)
{
	size_t most = (size_t)h->nop + h->ntok + h->ndefine + h->nparam + 1, cap = 64;
	while (cap < 2 * most)
		cap *= 2;
	*k = (struct packing){.renumber = {to_local},
			      .slot = wb_arena_array(a, cap, sizeof *k->slot),
			      .mask = (uint32_t)cap - 1,
			      .word = wb_arena_array(a, most, sizeof *k->word)};
}

static void *copied(struct wb_arena *a, const void *from, size_t count, size_t size)
{
	void *to = wb_arena_array(a, count, size);
	if (count)
		memcpy(to, from, count * size);
	return to;
}

/* Everything but the words and bodies. */
static bool take_apart(struct parts *s, struct wb_arena *a, const struct wb_program *p)
{
	uint64_t ntok = 0, nparam = 0, body_bytes = 0;
	for (uint32_t i = 0; i < p->nsite; i++)
		if (p->operand[i].n && p->operand[i].first + (uint64_t)p->operand[i].n > ntok)
			ntok = p->operand[i].first + (uint64_t)p->operand[i].n;
	for (uint32_t i = 0; i < p->ndefine; i++) {
		nparam += p->define[i].nparam;
		body_bytes += p->define[i].nbody;
	}
	if (p->nop > MAX_ARRAY || p->nsite > MAX_ARRAY || ntok > MAX_ARRAY || p->ndefine > MAX_ARRAY ||
	    nparam > MAX_ARRAY || body_bytes > MAX_ARRAY)
		return false;
	s->head = (struct head){.content = p->content,
				.flags = p->flags,
				.nop = p->nop,
				.nsite = p->nsite,
				.ntok = (uint32_t)ntok,
				.ndefine = p->ndefine,
				.nparam = (uint32_t)nparam,
				.body_bytes = (uint32_t)body_bytes,
				.guard = p->guard,
				.doubt = p->doubt};
	s->op = copied(a, p->op, p->nop, sizeof *p->op);
	s->site = copied(a, p->operand, p->nsite, sizeof *p->operand);
	for (uint32_t i = 0; i < p->nsite; i++)
		if (s->site[i].n == 0)
			s->site[i].first = 0;
	s->tok = copied(a, p->tok, ntok, sizeof *p->tok);
	s->define = wb_arena_array(a, p->ndefine, sizeof *s->define);
	s->param = wb_arena_array(a, nparam, sizeof *s->param);
	uint32_t *param = s->param;
	for (uint32_t i = 0; i < p->ndefine; i++) {
		const struct wb_define *d = &p->define[i];
		s->define[i] = (struct macro){d->name, d->nbody, d->nparam, d->flags};
		if (d->nparam)
			memcpy(param, d->param, d->nparam * sizeof *param);
		param += d->nparam;
	}
	return true;
}

static void add(struct wb_buf *out, const void *p, size_t count, size_t size)
{
	if (count)
		wb_buf_add(out, p, count * size);
}

static void write_parts(struct wb_buf *out, const struct parts *s, const struct packing *k, const struct wb_program *p,
			const struct wb_idents *idents)
{
	wb_buf_reserve(out, (size_t)4 * p->nop * sizeof *p->op + s->head.word_bytes + s->head.body_bytes + 1024);
	add(out, &s->head, 1, sizeof s->head);
	add(out, s->op, s->head.nop, sizeof *s->op);
	add(out, s->site, s->head.nsite, sizeof *s->site);
	add(out, s->tok, s->head.ntok, sizeof *s->tok);
	add(out, s->define, s->head.ndefine, sizeof *s->define);
	add(out, s->param, s->head.nparam, sizeof *s->param);
	for (uint32_t i = 0; i < k->nword; i++) {
		uint32_t n = (uint32_t)wb_ident_text(idents, k->word[i]).n;
		add(out, &n, 1, sizeof n);
	}
	for (uint32_t i = 0; i < k->nword; i++) {
		struct wb_str text = wb_ident_text(idents, k->word[i]);
		add(out, text.p, text.n, 1);
	}
	for (uint32_t i = 0; i < p->ndefine; i++)
		add(out, p->define[i].body, p->define[i].nbody, 1);
}

bool wb_program_pack(struct wb_buf *out, const struct wb_program *p, const struct wb_idents *idents)
{
	struct packing k;
	struct parts s;
	struct wb_arena a;
	uint64_t word_bytes = 0;
	size_t before = out->n;
	wb_arena_init(&a);
	bool good = !p->cut_short && take_apart(&s, &a, p);
	if (good) {
		begin_packing(&k, &a, &s.head);
		renumber(&s, &k.renumber);
		for (uint32_t i = 0; i < k.nword; i++)
			word_bytes += wb_ident_text(idents, k.word[i]).n;
		good = word_bytes <= MAX_ARRAY;
	}
	if (good) {
		s.head.nword = k.nword;
		s.head.word_bytes = (uint32_t)word_bytes;
		write_parts(out, &s, &k, p, idents);
		while ((out->n - before) % 8)
			wb_buf_addc(out, 0);
	}
	wb_arena_release(&a);
	return good;
}

/* --- in --- */

struct unpacking {
	struct renumber renumber; /* first */
	const uint32_t *word;     /* in the process, by the number in the record less WB_WORD_COUNT */
	uint32_t nword;
	bool bad; /* a number that there is not */
};

static uint32_t to_process(struct renumber *r, uint32_t word)
{
	struct unpacking *k = (struct unpacking *)r;
	if (word < WB_WORD_COUNT)
		return word;
	if (word - WB_WORD_COUNT < k->nword)
		return k->word[word - WB_WORD_COUNT];
	k->bad = true;
	return 0;
}

struct input {
	const char *p;
	size_t left;
	bool bad;
};

static const void *take(struct input *in, size_t count, size_t size)
{
	const char *p = in->p;
	if (count > MAX_ARRAY || count * size > in->left) {
		in->bad = true;
		return NULL;
	}
	in->p += count * size;
	in->left -= count * size;
	return p;
}

static void *taken(struct wb_arena *a, struct input *in, size_t count, size_t size)
{
	const void *p = take(in, count, size);
	return p ? copied(a, p, count, size) : NULL;
}

/* The spellings of the record become words of this process. */
static bool take_words(struct unpacking *k, struct wb_arena *a, struct input *in, const struct head *h,
		       struct wb_idents *idents)
{
	const uint32_t *length = take(in, h->nword, sizeof *length);
	const char *text = take(in, h->word_bytes, 1);
	uint64_t sum = 0;
	if (!text || !length)
		return false;
	for (uint32_t i = 0; i < h->nword; i++) {
		if (length[i] == 0)
			return false;
		sum += length[i];
	}
	uint32_t *word = wb_arena_array(a, h->nword, sizeof *word);
	*k = (struct unpacking){.renumber = {to_process}, .word = word, .nword = h->nword};
	return sum == h->word_bytes && wb_idents_put_all(idents, word, text, length, h->nword);
}

static bool is_branch(unsigned op)
{
	return op >= WB_OP_ELIF && op <= WB_OP_ELSE;
}

/* A site has tokens: all of them are there. */
static bool has_tokens(const struct parts *s, uint32_t site)
{
	return site < s->head.nsite && s->site[site].n <= s->head.ntok &&
	       s->site[site].first <= s->head.ntok - s->site[site].n;
}

/* May the interpreter run this directive? */
static bool is_sound(const struct parts *s, uint32_t i)
{
	const struct wb_directive *d = &s->op[i];
	if (d->op >= WB_OP_IFDEF && d->op <= WB_OP_ELSE &&
	    (d->b <= i || d->b > s->head.nop ||
	     (!(d->flags & WB_OP_LAST) && (d->b == s->head.nop || !is_branch(s->op[d->b].op)))))
		return false;
	switch ((enum wb_op)d->op) {
	case WB_OP_DEFINE:
		return d->a < s->head.ndefine && d->b == s->define[d->a].name;
	case WB_OP_IF:
	case WB_OP_ELIF:
		return has_tokens(s, d->a);
	case WB_OP_INCLUDE:
	case WB_OP_INCLUDE_NEXT:
	case WB_OP_IMPORT:
	case WB_OP_EMBED:
		return has_tokens(s, d->b) && (d->a != 0) == !(d->flags & WB_OP_COMPUTED);
	case WB_OP_UNDEF:
	case WB_OP_PUSH:
	case WB_OP_POP:
		return d->a != 0;
	case WB_OP_BAD:
		return d->a != WB_DOUBT_NONE && d->a < WB_DOUBT_COUNT;
	case WB_OP_ENDIF:
		return false;
	default:
		return d->op <= WB_OP_BAD;
	}
}

static bool are_sound(const struct parts *s)
{
	for (uint32_t i = 0; i < s->head.nop; i++)
		if (!is_sound(s, i))
			return false;
	for (uint32_t i = 0; i < s->head.nsite; i++) /* also where no directive names it */
		if (!has_tokens(s, i))
			return false;
	for (uint32_t i = 0; i < s->head.ntok; i++) {
		const struct wb_tok *t = &s->tok[i];
		if (t->text == 0 || t->kind < WB_TOK_IDENT || t->kind > WB_TOK_OTHER || t->flags & ~WB_TOK_SPACE ||
		    t->aux > (t->kind == WB_TOK_PUNCT || t->kind == WB_TOK_HEADER ? WB_P_COLON : 0))
			return false;
	}
	return s->head.doubt < WB_DOUBT_COUNT && s->head.zero == 0;
}

static bool take_defines(struct wb_program *p, const struct parts *s, struct input *in, struct wb_idents *idents)
{
	const uint32_t *param = s->param;
	uint32_t params = s->head.nparam;
	uint64_t bytes = s->head.body_bytes;
	const char *body = take(in, bytes, 1);
	if (!body)
		return false;
	/* The bodies in one piece, each with its NUL. */
	char *at = wb_arena_alloc(&p->arena, bytes + s->head.ndefine);
	p->define = wb_arena_array(&p->arena, s->head.ndefine, sizeof *p->define);
	for (uint32_t i = 0; i < s->head.ndefine; i++) {
		const struct macro *m = &s->define[i];
		struct wb_define *d = &p->define[i];
		if (m->nbody > bytes || m->nparam > params || m->name == 0)
			return false;
		d->name = m->name;
		d->nparam = m->nparam;
		d->lex = (uint16_t)p->lex;
		d->flags = (uint8_t)m->flags;
		d->nbody = m->nbody;
		d->body = at;
		d->param = m->nparam ? param : NULL;
		memcpy(at, body, m->nbody);
		p->ndefine++; /* from now on it has tokens to free */
		at += m->nbody + 1;
		body += m->nbody;
		bytes -= m->nbody;
		param += m->nparam;
		params -= m->nparam;
		if (!wb_define_is_sound(d, idents) || d->flags != m->flags)
			return false;
	}
	return bytes == 0 && params == 0;
}

static bool put_together(struct wb_program *p, struct input *in, struct wb_arena *scratch, struct wb_idents *idents)
{
	struct unpacking k;
	struct parts s;
	const struct head *head = take(in, 1, sizeof *head);
	if (!head)
		return false;
	s.head = *head;
	s.op = taken(&p->arena, in, head->nop, sizeof *s.op);
	s.site = taken(&p->arena, in, head->nsite, sizeof *s.site);
	s.tok = taken(&p->arena, in, head->ntok, sizeof *s.tok);
	s.define = taken(scratch, in, head->ndefine, sizeof *s.define);
	s.param = taken(&p->arena, in, head->nparam, sizeof *s.param);
	if (in->bad || !take_words(&k, scratch, in, head, idents))
		return false;
	renumber(&s, &k.renumber);
	if (k.bad || !are_sound(&s) || !take_defines(p, &s, in, idents) || in->left >= 8)
		return false;
	p->op = s.op;
	p->nop = s.head.nop;
	p->operand = s.site;
	p->nsite = s.head.nsite;
	p->tok = s.tok;
	p->flags = s.head.flags;
	p->guard = s.head.guard;
	p->content = s.head.content;
	p->doubt = (enum wb_doubt)s.head.doubt;
	return true;
}

struct wb_program *wb_program_unpack(struct wb_idents *idents, const void *data, size_t n, unsigned lex)
{
	struct input in = {.p = data, .left = n};
	struct wb_program *p = wb_xcalloc(1, sizeof *p);
	struct wb_arena scratch;
	atomic_init(&p->refs, 1);
	wb_arena_init(&p->arena);
	wb_arena_init(&scratch);
	p->lex = lex;
	bool good = put_together(p, &in, &scratch, idents);
	wb_arena_release(&scratch);
	if (!good) {
		wb_program_discard(p);
		return NULL;
	}
	p->cost = wb_program_cost(p);
	return p;
}
