/* soup_condition.c — random conditions. */
#include "tests/interop/soup.h"

/* splitmix64 */
static uint64_t mixed(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

struct soup_random soup_seed(uint64_t seed)
{
	return (struct soup_random){mixed(mixed(seed + 1) ^ 0x2545f4914f6cdd1du)};
}

unsigned soup_below(struct soup_random *r, unsigned n)
{
	return (unsigned)(mixed(r->state += 0x9e3779b97f4a7c15u) % n);
}

bool soup_chance(struct soup_random *r, unsigned percent)
{
	return soup_below(r, 100) < percent;
}

#define PICK(r, list) (list)[soup_below(r, (unsigned)(sizeof(list) / sizeof *(list)))]

static void literal(struct wb_buf *out, struct soup_random *r, const struct soup_words *w)
{
	static const char *const number[] = {"0",
					     "1",
					     "2",
					     "3",
					     "7",
					     "10",
					     "077",
					     "0x1F",
					     "0xffffffff",
					     "4294967296",
					     "0x7fffffffffffffff",
					     "0x8000000000000000",
					     "18446744073709551615u",
					     "0b101",
					     "201703L",
					     "1u",
					     "0u",
					     "5UL",
					     "6ull",
					     "8LL",
					     "9lu",
					     "00",
					     "0XaB"};
	static const char *const character[] = {"'a'",     "'0'",     "'\\n'", "'\\0'",  "'\\x41'",
						"'\\101'", "'\\''",   "'\"'",  "'\\\\'", "'ab'",
						"L'a'",    "'\\377'", "'/'",   "'?'",    "'\\a'"};
	static const char *const separated[] = {"1'000", "0x1'f", "0b1'0", "1'0'0u"};
	if (soup_chance(r, 12))
		wb_buf_adds(out, PICK(r, character));
	else if ((w->flags & SOUP_SEPARATORS) && soup_chance(r, 10))
		wb_buf_adds(out, PICK(r, separated));
	else
		wb_buf_adds(out, PICK(r, number));
}

static void word(struct wb_buf *out, struct soup_random *r, const struct soup_words *w, unsigned depth)
{
	static const unsigned arity[] = {0, 1, 1, 2, 2, 3};
	struct soup_words inner = *w;
	unsigned k;
	unsigned which = soup_below(r, w->files ? 12 : 9);
	/* An operand of `defined` must not be expanded before, as arguments are. */
	switch (w->argument && which >= 3 && which <= 4 ? 5 : which) {
	case 0:
	case 1:
	case 2:
		wb_buf_addf(out, "V%u", soup_below(r, 8));
		return;
	case 3:
		wb_buf_addf(out, soup_chance(r, 50) ? "defined V%u" : "defined(V%u)", soup_below(r, 8));
		return;
	case 4:
		wb_buf_addf(out, "defined F%u", soup_below(r, 6));
		return;
	case 5:
		wb_buf_addf(out, "U%u", soup_below(r, 3));
		return;
	case 6:
		wb_buf_addf(out, "CAT(%s, %u)", soup_chance(r, 50) ? "V" : "1", soup_below(r, 8));
		return;
	case 7:
	case 8:
		inner.argument = true;
		k = soup_below(r, 6);
		wb_buf_addf(out, soup_chance(r, 90) ? "F%u(" : "F%u (", k);
		for (unsigned i = 0; i < arity[k]; i++) {
			wb_buf_adds(out, i ? (soup_chance(r, 50) ? ", " : ",") : "");
			soup_condition(out, r, &inner, depth > 2 ? 2 : depth ? depth - 1 : 0);
		}
		wb_buf_addc(out, ')');
		return;
	case 9:
		wb_buf_addf(out, "__has_include(<%sh%u.h>)", w->prefix, soup_below(r, 8));
		return;
	case 10:
		wb_buf_addf(out, "__has_include(\"%sh%u.h\")", w->prefix, soup_below(r, 8));
		return;
	default:
		wb_buf_adds(out, "(__INCLUDE_LEVEL__ > 1)");
		return;
	}
}

void soup_condition(struct wb_buf *out, struct soup_random *r, const struct soup_words *w, unsigned depth)
{
	static const char *const binary[] = {
	    "+", "-", "*", "==", "!=", "<", ">", "<=", ">=", "&", "^", "|", "&&", "||", "%", "/", "<<", ">>"};
	static const char *const named[] = {"and", "or", "bitand", "bitor", "xor", "not_eq"};
	static const char *const blank[] = {" ", " ", " ", "", "  ", "\t", " /*c*/ "};
	if (depth == 0 || soup_chance(r, 15)) {
		if (w->names && soup_chance(r, 60))
			word(out, r, w, depth);
		else if ((w->flags & SOUP_CXX) && soup_chance(r, 8))
			wb_buf_adds(out, soup_chance(r, 50) ? "true" : "false");
		else
			literal(out, r, w);
		return;
	}
	switch (soup_below(r, 10)) {
	case 0:
		wb_buf_addc(out, '!');
		soup_condition(out, r, w, depth - 1);
		return;
	case 1:
		wb_buf_adds(out, (w->flags & SOUP_CXX) && soup_chance(r, 30) ? " not "
				 : soup_chance(r, 50)                        ? "- "
									     : "~");
		soup_condition(out, r, w, depth - 1);
		return;
	case 2:
	case 3:
		wb_buf_addc(out, '(');
		soup_condition(out, r, w, depth - 1);
		wb_buf_addc(out, ')');
		return;
	case 4:
		soup_condition(out, r, w, depth - 1);
		wb_buf_adds(out, " ? ");
		soup_condition(out, r, w, depth - 1);
		wb_buf_adds(out, " : ");
		soup_condition(out, r, w, depth - 1);
		return;
	default:
		break;
	}
	soup_condition(out, r, w, depth - 1);
	const char *op = (w->flags & SOUP_CXX) && soup_chance(r, 10) ? PICK(r, named) : PICK(r, binary);
	bool letter = *op >= 'a';
	wb_buf_adds(out, letter ? " " : PICK(r, blank));
	wb_buf_adds(out, op);
	if (*op == '<' && op[1] == '<')
		wb_buf_addf(out, " %u", soup_below(r, 64));
	else if (*op == '>' && op[1] == '>')
		wb_buf_addf(out, " %u", soup_below(r, 64));
	else if (*op == '/' || *op == '%')
		wb_buf_addf(out, soup_chance(r, 20) ? " %uu" : " %u", 1 + soup_below(r, 9));
	else {
		wb_buf_adds(out, " ");
		soup_condition(out, r, w, depth - 1);
	}
}
