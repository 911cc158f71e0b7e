/* soup_case.c — random macros, and tokens that they are expanded in. */
#include "tests/interop/soup.h"

#define PICK(r, list) (list)[soup_below(r, (unsigned)(sizeof(list) / sizeof *(list)))]

/* O: no parameters. Fn: n parameters. Vn: n parameters and "...". S and X: # on the spot and after expansion. */
const char *const soup_macro_names[] = {"OA",  "OB",  "OC",  "OD",  "FAz", "FBz", "FAa", "FBa", "FCa", "FAb",
					"FBb", "FCb", "VAz", "VBz", "VAa", "VBa", "CAT", "STR", "XST", "EMP"};
const size_t soup_macro_count = sizeof soup_macro_names / sizeof *soup_macro_names;

struct maker {
	struct soup_random r;
	unsigned flags;
	struct wb_buf out;
	unsigned nparam; /* of the macro whose body is made */
	bool variadic, function, in_optional;
};

static const char *const param[] = {"x", "y", "z"};

static void blank(struct maker *m)
{
	static const char *const some[] = {" ", " ", "", " ", "  ", "/**/", "\t"};
	wb_buf_adds(&m->out, PICK(&m->r, some));
}

static void tokens(struct maker *m, unsigned depth);

static void plain(struct maker *m)
{
	static const char *const some[] = {"1",   "2",    "a",     "b",    "+",        "-",      "<", "=",
					   "==",  "&&",   "\"s\"", "'c'",  "\"\\\"\"", "'\\''",  ".", "...",
					   "1.5", "0x1F", "->",    ";",    "\"a b\"",  "L\"w\"", "u", "L",
					   "[",   "]",    "::",    "'\"'", "12ab"};
	wb_buf_adds(&m->out, PICK(&m->r, some));
}

static void arguments(struct maker *m, unsigned n, unsigned depth)
{
	wb_buf_adds(&m->out, soup_chance(&m->r, 85) ? "(" : " (");
	for (unsigned i = 0; i < n; i++) {
		if (i)
			wb_buf_addc(&m->out, ',');
		if (soup_chance(&m->r, 85))
			tokens(m, depth ? depth - 1 : 0);
	}
	wb_buf_addc(&m->out, ')');
}

static void macro(struct maker *m, unsigned depth)
{
	unsigned i = soup_below(&m->r, (unsigned)soup_macro_count);
	const char *name = soup_macro_names[i];
	wb_buf_adds(&m->out, name);
	if (*name == 'O' || *name == 'E' || soup_chance(&m->r, 12))
		return;
	if (i >= 16)
		arguments(m, i == 16 ? 2 : 1, depth);
	else if (*name == 'F')
		arguments(m, name[2] == 'z' ? 0 : (unsigned)(name[2] - 'a') + 1, depth);
	else
		arguments(m, (name[2] == 'z' ? 0 : 1) + soup_below(&m->r, 3), depth);
}

/* Something that may stand beside ##. */
static void pasted(struct maker *m)
{
	static const char *const some[] = {"a", "b", "1", "OA", "FAa", "x", "_", "O"};
	if (m->function && m->nparam && soup_chance(&m->r, 75))
		wb_buf_adds(&m->out, param[soup_below(&m->r, m->nparam)]);
	else if (m->variadic && !m->in_optional && soup_chance(&m->r, 40))
		wb_buf_adds(&m->out, "__VA_ARGS__");
	else
		wb_buf_adds(&m->out, PICK(&m->r, some));
}

static void optional(struct maker *m, unsigned depth)
{
	wb_buf_adds(&m->out, "__VA_OPT__(");
	m->in_optional = true;
	if (soup_chance(&m->r, 85))
		tokens(m, depth ? depth - 1 : 0);
	m->in_optional = false;
	wb_buf_addc(&m->out, ')');
}

static void token(struct maker *m, unsigned depth)
{
	bool va_opt = m->variadic && (m->flags & SOUP_VA_OPT) && !m->in_optional;
	switch (soup_below(&m->r, 16)) {
	case 0:
	case 1:
	case 2:
	case 3:
		macro(m, depth);
		return;
	case 4:
		wb_buf_addc(&m->out, '(');
		tokens(m, depth ? depth - 1 : 0);
		wb_buf_addc(&m->out, ')');
		return;
	case 5:
		wb_buf_adds(&m->out, m->function ? "" : ",");
		if (!m->function)
			return;
		if (m->variadic && soup_chance(&m->r, 30))
			wb_buf_adds(&m->out, ", ## __VA_ARGS__");
		else if (m->nparam)
			wb_buf_addf(&m->out, "#%s", param[soup_below(&m->r, m->nparam)]);
		else
			plain(m);
		return;
	case 6:
		pasted(m);
		wb_buf_adds(&m->out, soup_chance(&m->r, 60) ? " ## " : "##");
		pasted(m);
		if (soup_chance(&m->r, 25)) {
			wb_buf_adds(&m->out, "##");
			pasted(m);
		}
		return;
	case 7:
	case 8:
	case 9:
		if (m->function && m->nparam)
			wb_buf_adds(&m->out, param[soup_below(&m->r, m->nparam)]);
		else
			plain(m);
		return;
	case 10:
		if (m->variadic)
			wb_buf_adds(&m->out, soup_chance(&m->r, 20) ? "#__VA_ARGS__" : "__VA_ARGS__");
		else
			plain(m);
		return;
	case 11:
	case 12:
		if (va_opt) {
			if (soup_chance(&m->r, 12))
				wb_buf_addc(&m->out, '#');
			else if (soup_chance(&m->r, 15)) {
				pasted(m);
				wb_buf_adds(&m->out, "##");
			}
			optional(m, depth);
			if (soup_chance(&m->r, 15)) {
				wb_buf_adds(&m->out, "##");
				pasted(m);
			}
		} else {
			plain(m);
		}
		return;
	default:
		plain(m);
		return;
	}
}

static void tokens(struct maker *m, unsigned depth)
{
	unsigned n = depth ? 1 + soup_below(&m->r, 4) : 1;
	for (unsigned i = 0; i < n; i++) {
		blank(m);
		if (depth == 0)
			plain(m);
		else
			token(m, depth);
		/* Words must not grow together. */
		wb_buf_adds(&m->out, soup_chance(&m->r, 80) ? " " : "/**/");
	}
}

static void define(struct maker *m, unsigned i)
{
	const char *name = soup_macro_names[i];
	wb_buf_addf(&m->out, "#define %s", name);
	m->variadic = *name == 'V';
	m->function = *name != 'O';
	m->nparam = name[2] == 'z' || *name == 'O' ? 0 : (unsigned)(name[2] - 'a') + 1;
	if (m->function) {
		wb_buf_addc(&m->out, '(');
		for (unsigned k = 0; k < m->nparam; k++)
			wb_buf_addf(&m->out, "%s%s", k ? ", " : "", param[k]);
		wb_buf_adds(&m->out, !m->variadic ? ")" : m->nparam ? ", ...)" : "...)");
	}
	wb_buf_addc(&m->out, ' ');
	if (soup_chance(&m->r, 95))
		tokens(m, 2);
	wb_buf_addc(&m->out, '\n');
}

void soup_case(struct soup_case *out, struct wb_arena *a, uint64_t seed, unsigned flags)
{
	struct maker m = {.r = soup_seed(seed), .flags = flags, .out = WB_BUF_INIT};
	*out = (struct soup_case){.condition = soup_chance(&m.r, 25)};
	if (out->condition) {
		struct soup_words w = {.flags = flags};
		soup_condition(&m.out, &m.r, &w, 2 + soup_below(&m.r, 4));
		out->tokens = (struct wb_str){wb_arena_strndup(a, m.out.p, m.out.n), m.out.n};
		wb_buf_release(&m.out);
		return;
	}
	for (unsigned i = 0; i < 16; i++)
		if (soup_chance(&m.r, 80))
			define(&m, i);
	wb_buf_adds(&m.out,
		    "#define CAT(x, y) x ## y\n#define STR(...) #__VA_ARGS__\n#define XST(...) STR(__VA_ARGS__)\n"
		    "#define EMP\n");
	out->defines = (struct wb_str){wb_arena_strndup(a, m.out.p, m.out.n), m.out.n};
	wb_buf_reset(&m.out);
	m.function = m.variadic = false;
	m.nparam = 0;
	bool quoted = soup_chance(&m.r, 40);
	wb_buf_adds(&m.out, quoted ? "XST(" : "");
	tokens(&m, 3);
	wb_buf_adds(&m.out, quoted ? ")" : "");
	out->tokens = (struct wb_str){wb_arena_strndup(a, m.out.p, m.out.n), m.out.n};
	wb_buf_release(&m.out);
}
