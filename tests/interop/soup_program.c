/* soup_program.c — random programs of several files. */
#include "tests/interop/soup.h"

#define PICK(r, list) (list)[soup_below(r, (unsigned)(sizeof(list) / sizeof *(list)))]

enum { HEADERS = 6, ITEMS = 5 };

struct maker {
	struct soup_random r;
	struct soup_words w;
	const char *prefix;
	struct wb_buf out;
	unsigned includes; /* that this file may still have */
	bool crlf;
};

/* Strange ways to write a line: splices, comments for blanks, other spellings of "#". Where the compilers do not agree,
 * or the engine may doubt, the program is only counted. */
static void noisy(struct maker *m, const char *p, size_t n)
{
	bool splices = soup_chance(&m->r, 6), comments = soup_chance(&m->r, 12);
	for (size_t i = 0; i < n; i++) {
		bool hash = p[i] == '#';
		if (p[i] == ' ' && i > 0 && comments && soup_chance(&m->r, 25)) {
			wb_buf_adds(&m->out, soup_chance(&m->r, 80) ? "/* ' */" : "/* \n \" */");
			continue;
		}
		if (hash && (m->w.flags & SOUP_DIGRAPHS) && soup_chance(&m->r, 4) && p[i + 1] != '<')
			wb_buf_adds(&m->out, "%:");
		else if (hash && (m->w.flags & SOUP_TRIGRAPHS) && soup_chance(&m->r, 10))
			wb_buf_adds(&m->out, "?\?=");
		else
			wb_buf_addc(&m->out, p[i]);
		if (splices && soup_chance(&m->r, 8) && p[i] != '\\')
			wb_buf_adds(&m->out, (m->w.flags & SOUP_TRIGRAPHS) && soup_chance(&m->r, 30) ? "?\?/\n"
					     : soup_chance(&m->r, 90)                                ? "\\\n"
												     : "\\ \n");
	}
}

static void end_line(struct maker *m)
{
	static const char *const line_end[] = {"", " ", " // it's", " /* x */", " /* \n */", "\t", " // \\\n more"};
	unsigned i = soup_chance(&m->r, 70) ? 0 : soup_below(&m->r, 7);
	bool line_comment = i == 2 || i == 6;
	wb_buf_adds(&m->out, line_comment && !(m->w.flags & SOUP_LINE_COMMENTS) ? "" : line_end[i]);
	wb_buf_addc(&m->out, '\n');
}

static void directive(struct maker *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void directive(struct maker *m, const char *format, ...)
{
	static const char *const indent[] = {"", "", "", "", " ", "\t", "/**/", "/* x\n */ "};
	struct wb_arena a;
	va_list ap;
	wb_arena_init(&a);
	va_start(ap, format);
	const char *text = wb_arena_vprintf(&a, format, ap);
	va_end(ap);
	wb_buf_adds(&m->out, PICK(&m->r, indent));
	noisy(m, "#", 1);
	wb_buf_adds(&m->out, soup_chance(&m->r, 85) ? "" : " ");
	noisy(m, text, strlen(text));
	end_line(m);
	wb_arena_release(&a);
}

static const char *condition(struct maker *m, struct wb_buf *b, unsigned depth)
{
	wb_buf_reset(b);
	soup_condition(b, &m->r, &m->w, depth);
	return b->p;
}

static void block(struct maker *m, unsigned file, unsigned depth);

static void probe(struct maker *m)
{
	struct wb_buf b = WB_BUF_INIT;
	unsigned k = soup_below(&m->r, SOUP_PROBES);
	directive(m, "if %s", condition(m, &b, 3));
	directive(m, "include \"y%u.h\"", k);
	directive(m, "else");
	directive(m, "include \"n%u.h\"", k);
	directive(m, "endif");
	wb_buf_release(&b);
}

static void define_value(struct maker *m)
{
	struct wb_buf b = WB_BUF_INIT;
	unsigned k = soup_below(&m->r, 8);
	if (soup_chance(&m->r, 60))
		directive(m, "define V%u (%s)", k, condition(m, &b, 1));
	else if (soup_chance(&m->r, 80))
		directive(m, "define V%u %s", k, condition(m, &b, 1));
	else
		directive(m, "define V%u V%u", k, soup_below(&m->r, 8));
	wb_buf_release(&b);
}

static void define_function(struct maker *m, unsigned k)
{
	static const char *const head[] = {"F0()", "F1(a)", "F2(a)", "F3(a, b)", "F4(a,b)", "F5( a , b, c )"};
	static const char *const none[] = {"1", "(V0)", "(2 + V1)", "defined V3"};
	static const char *const one[] = {"(a)", "a", "(a + 1)", "!a", "(a) ^ 3", "(F0() - (a))", "-a"};
	static const char *const two[] = {"(a) + (b)",      "((a) < (b))", "F1(b) && F2(a)",
					  "(a) ? (b) : V2", "7 * (a) - b", "COUNT(a, b)"};
	static const char *const three[] = {"((a) ? (b) : (c))", "F3(a, b) + F4(b, c)", "COUNT(a, b, c) == (c)",
					    "(a) + (b) + (c)"};
	const char *body = k == 0  ? PICK(&m->r, none)
			   : k < 3 ? PICK(&m->r, one)
			   : k < 5 ? PICK(&m->r, two)
				   : PICK(&m->r, three);
	if (k < 3 && soup_chance(&m->r, 3))
		body = "V4"; /* may lead back here */
	if (k == 1 && strchr(body, '!'))
		body = "(a)";
	directive(m, "define %s %s", head[k], body);
}

static void include_line(struct maker *m, unsigned file)
{
	unsigned k = file + 1 < HEADERS && soup_chance(&m->r, 85) ? file + 1 + soup_below(&m->r, HEADERS - file - 1)
								  : soup_below(&m->r, HEADERS);
	bool levelless = m->w.flags & SOUP_LEVELLESS;
	if (levelless && file + 1 == HEADERS)
		return;
	if (levelless && k <= file)
		k = file + 1 + soup_below(&m->r, HEADERS - file - 1);
	if (m->includes == 0)
		return;
	m->includes--;
	const char *p = m->prefix;
	if (!levelless)
		directive(m, "if __INCLUDE_LEVEL__ < 7");
	switch (soup_below(&m->r, 10)) {
	case 0:
		directive(m, "if __has_include_next(<%sh%u.h>)", p, k);
		directive(m, "include_next <%sh%u.h>", p, k);
		directive(m, "endif");
		break;
	case 1:
		directive(m, "define HEADER <%sh%u.h>", p, k);
		directive(m, "include HEADER");
		break;
	case 2:
		directive(m, "include STR(%sh%u.h)", p, k);
		break;
	case 3:
		directive(m, "define ANGLED(x) <x.h>");
		directive(m, "include ANGLED(%sh%u)", p, k);
		break;
	case 4:
		directive(m, "if __has_include(\"%sh%u.h\")", p, k);
		directive(m, "include \"%sh%u.h\"", p, k);
		directive(m, "endif");
		break;
	case 5:
		directive(m, "%s \"%sh%u.h\"",
			  soup_chance(&m->r, (m->w.flags & SOUP_CLANG) ? 80 : 3) ? "import" : "include", p, k);
		break;
	case 6:
	case 7:
		directive(m, "include \"%sh%u.h\"", p, k);
		break;
	default:
		directive(m, "include <%sh%u.h>", p, k);
		break;
	}
	if (!levelless)
		directive(m, "endif");
}

static void text(struct maker *m)
{
	static const char *const any[] = {
	    "int x = 'a';",
	    "const char *s = \"#define V0 9 /* \\\" \\\\\";",
	    "/* #define V1 1\n#undef V2\n' \" */ int y;",
	    "char c = '\\'', d = '\"';",
	    "U0 FOO(2) COUNT (\n1)",
	    "",
	    "   \f\v ",
	    "x \\\n#define V3 7",
	    "/* a */ /* b\n*/ int z; /**/",
	    "a / b / *c; /***/ /*/ */",
	    "\"a\" \"b\\\nc\"",
	    "L'x' u8\"y\" .5e+3 0x1p-2",
	    "# define",
	};
	static const char *const line_comments[] = {"// #define V4 1 \\\n#undef V1", "//* x", "int q; // don't /* \"",
						    "\"//\" // \""};
	static const char *const split[] = {"/\\\n* #define V3 1\n*\\\n/", "/* *\\\n\\\n/",
					    "u8\\\nR\"(\n#undef V2\n)\""};
	static const char *const raw[] = {"R\"(\n#undef V2\n)\"", "u8R\"x()\"\n#define V5 1\n)x\"",
					  "LR\"/*(*/ \" )/*\"",   "int FOOR = \"R\"\"(\";",
					  "uR\"\\()\"",           "R\"(\\\n)\" // )\""};
	static const char *const separators[] = {"1'000'000 'x'", "0x1'f + 1'0", "a'b' 1.0'1e+5'0 'c'"};
	unsigned which = soup_below(&m->r, 10);
	if (which == 0 && (m->w.flags & SOUP_RAW_STRINGS))
		wb_buf_adds(&m->out, PICK(&m->r, raw));
	else if (which == 1 && (m->w.flags & SOUP_SEPARATORS))
		wb_buf_adds(&m->out, PICK(&m->r, separators));
	else if (soup_chance(&m->r, 1))
		wb_buf_adds(&m->out, PICK(&m->r, split));
	else if (which < 4 && (m->w.flags & SOUP_LINE_COMMENTS))
		wb_buf_adds(&m->out, PICK(&m->r, line_comments));
	else
		wb_buf_adds(&m->out, any[soup_below(&m->r, (unsigned)(sizeof any / sizeof *any) - 1)]);
	wb_buf_addc(&m->out, '\n');
}

/* What may stand in a group that is skipped. */
static void skipped(struct maker *m)
{
	static const char *const some[] = {"#error it's\n",
					   "#include \"nowhere.h\"\n",
					   "#if 1 +\n#elif )\n#else\n#endif\n",
					   "don't \"\n",
					   "#nonsense 'x\n",
					   "/* \n#endif\n */\n",
					   "#define V0(\n",
					   "#ifdef\n#endif\n",
					   "#\n",
					   "#if 0\n#else x\n#endif y\n",
					   "#pragma once\n",
					   "#include <it's\n",
					   "#warning \"\n"};
	directive(m, "%s", soup_chance(&m->r, 70) ? "if 0" : "ifdef U0");
	for (unsigned i = soup_below(&m->r, 4); i > 0; i--)
		wb_buf_adds(&m->out, PICK(&m->r, some));
	if (soup_chance(&m->r, 40)) {
		directive(m, "%s", soup_chance(&m->r, 50) ? "else" : "elif 1");
		define_value(m);
	}
	directive(m, "endif");
}

static void group(struct maker *m, unsigned file, unsigned depth)
{
	struct wb_buf b = WB_BUF_INIT;
	switch (soup_below(&m->r, 6)) {
	case 0:
		directive(m, "ifdef V%u", soup_below(&m->r, 8));
		break;
	case 1:
		directive(m, "ifndef V%u", soup_below(&m->r, 8));
		break;
	case 2:
		directive(m, "if !defined(V%u) || V%u", soup_below(&m->r, 8), soup_below(&m->r, 8));
		break;
	default:
		directive(m, "if %s", condition(m, &b, 3));
		break;
	}
	block(m, file, depth - 1);
	for (unsigned i = soup_below(&m->r, 3); i > 0; i--) {
		if ((m->w.flags & SOUP_CLANG) && soup_chance(&m->r, 30))
			directive(m, "elif%sdef V%u", soup_chance(&m->r, 50) ? "n" : "", soup_below(&m->r, 8));
		else
			directive(m, "elif %s", condition(m, &b, 2));
		block(m, file, depth - 1);
	}
	if (soup_chance(&m->r, 50)) {
		directive(m, "else");
		block(m, file, depth - 1);
	}
	directive(m, "endif");
	wb_buf_release(&b);
}

static void embed(struct maker *m, unsigned k)
{
	static const char *const word[] = {"",
					   " limit(0)",
					   " limit(1)",
					   " if_empty(0) limit(F1(2))",
					   " prefix(1, (2)) suffix(, 3)",
					   " __limit__(2 - 2)",
					   " clang::offset(1) limit(3)",
					   " vendor::x(())"};
	unsigned n = soup_below(&m->r, 8), probe_number = soup_below(&m->r, SOUP_PROBES);
	directive(m, "if __has_embed(\"%sh%u.h\"%s) == %u", m->prefix, k, word[n], soup_below(&m->r, 3));
	directive(m, "include \"y%u.h\"", probe_number);
	directive(m, "else");
	directive(m, "include \"n%u.h\"", probe_number);
	directive(m, "endif");
	directive(m, "if __has_embed(\"%sh%u.h\")", m->prefix, k);
	directive(m, "embed \"%sh%u.h\"%s", m->prefix, k, n == 7 ? "" : word[n]);
	directive(m, "endif");
}

static void item(struct maker *m, unsigned file, unsigned depth)
{
	static const char *const odd[] = {
	    "",         "pragma GCC diagnostic push", "ident \"x\"",  "pragma once", "pragma STDC FP_CONTRACT ON",
	    "line 100", "pragma GCC system_header",   "pragma weak x"};
	unsigned k = soup_below(&m->r, 8);
	switch (soup_below(&m->r, 20)) {
	case 0:
	case 1:
	case 2:
	case 3:
		define_value(m);
		return;
	case 4:
		directive(m, "undef V%u", k);
		return;
	case 5:
	case 6:
		k %= 6;
		directive(m, "undef F%u", k);
		define_function(m, k);
		return;
	case 7:
	case 8:
	case 9:
		if (depth)
			group(m, file, depth);
		return;
	case 10:
	case 11:
	case 12:
		include_line(m, file);
		return;
	case 13:
		directive(m, "pragma %s_macro(\"V%u\")", soup_chance(&m->r, 50) ? "push" : "pop", k);
		return;
	case 14:
		skipped(m);
		return;
	case 15:
		directive(m, "%s", PICK(&m->r, odd));
		return;
	case 16:
		if ((m->w.flags & SOUP_EMBED) && soup_chance(&m->r, 60))
			embed(m, k);
		else
			probe(m);
		return;
	case 17:
		probe(m);
		return;
	default:
		text(m);
		return;
	}
}

static void block(struct maker *m, unsigned file, unsigned depth)
{
	for (unsigned i = soup_below(&m->r, ITEMS); i > 0; i--)
		item(m, file, depth);
}

/* Random changes of single bytes. */
static void mutate(struct maker *m)
{
	static const char nasty[] = "\"'\\/*#()<>,%:?R$@\n \t0eLu8_&|!~+-.;={}[]\r";
	for (unsigned i = soup_below(&m->r, 3) + 1; i > 0 && m->out.n > 2; i--) {
		size_t at = soup_below(&m->r, (unsigned)m->out.n - 1);
		char *p = m->out.p + at;
		switch (soup_below(&m->r, 4)) {
		case 0:
			memmove(p, p + 1, m->out.n - at - 1);
			m->out.n--;
			break;
		case 1:
			*p = nasty[soup_below(&m->r, sizeof nasty - 1)];
			break;
		case 2: {
			char c = p[0];
			p[0] = p[1];
			p[1] = c;
			break;
		}
		default:
			wb_buf_addc(&m->out, ' ');
			p = m->out.p + at;
			memmove(p + 1, p, m->out.n - at - 1);
			*p = nasty[soup_below(&m->r, sizeof nasty - 1)];
			break;
		}
	}
}

/* What is done to a file as a whole. */
static struct wb_str finished(struct maker *m, struct wb_arena *a, bool mutated)
{
	if (mutated)
		mutate(m);
	struct wb_buf b = WB_BUF_INIT;
	bool crlf = soup_chance(&m->r, 6), cut = soup_chance(&m->r, 10);
	if (soup_chance(&m->r, 1))
		wb_buf_adds(&b, "\xef\xbb\xbf");
	for (size_t i = 0; i < m->out.n; i++) {
		if (i + 1 == m->out.n && cut && m->out.p[i] == '\n')
			break;
		if (m->out.p[i] == '\n' && crlf)
			wb_buf_addc(&b, '\r');
		wb_buf_addc(&b, m->out.p[i]);
	}
	struct wb_str s = {wb_arena_strndup(a, b.p ? b.p : "", b.n), b.n};
	wb_buf_release(&b);
	wb_buf_release(&m->out);
	return s;
}

static struct wb_str header(struct maker *m, struct wb_arena *a, unsigned file, bool mutated)
{
	unsigned style = soup_below(&m->r, 6);
	m->includes = 2;
	if (style == 0)
		wb_buf_addf(&m->out, "/* guard */\n#ifndef %sG%u\n#define %sG%u\n", m->prefix, file, m->prefix, file);
	else if (style == 1)
		wb_buf_addf(&m->out, "#if !defined(%sG%u)\n#define %sG%u 1\n", m->prefix, file, m->prefix, file);
	else if (style == 2)
		wb_buf_adds(&m->out, "#pragma once\n");
	else if (style == 3)
		wb_buf_addf(&m->out, "#ifndef %sG%u\n#define %sG%u\n#endif\n", m->prefix, file, m->prefix, file);
	for (unsigned i = 2 + soup_below(&m->r, ITEMS); i > 0; i--)
		item(m, file, 2);
	if (style < 2)
		wb_buf_adds(&m->out, soup_chance(&m->r, 50) ? "#endif\n" : "#endif /* guard */");
	if (style == 0 && soup_chance(&m->r, 20))
		wb_buf_adds(&m->out, "\nint behind;\n");
	return finished(m, a, mutated);
}

void soup_program(struct soup_program *out, struct wb_arena *a, uint64_t seed, unsigned flags, const char *prefix,
		  const char *suffix)
{
	struct maker m = {.r = soup_seed(seed),
			  .w = {.flags = flags, .names = true, .files = true, .prefix = prefix},
			  .prefix = prefix,
			  .out = WB_BUF_INIT,
			  .includes = 4};
	bool mutates = (flags & SOUP_MUTATE) && soup_chance(&m.r, 50);
	unsigned target = mutates ? soup_below(&m.r, HEADERS) : UINT32_MAX;
	wb_buf_adds(&m.out, "#define CAT_(a, b) a ## b\n#define CAT(a, b) CAT_(a, b)\n#define STR_(...) #__VA_ARGS__\n"
			    "#define STR(x) STR_(x)\n#define COUNT_(a, b, c, d, ...) d\n#define COUNT(...) "
			    "COUNT_(__VA_ARGS__, 3, 2, 1)\n");
	for (unsigned k = 0; k < 6; k++)
		define_function(&m, k);
	for (unsigned i = 0; i < 4; i++)
		define_value(&m);
	block(&m, 0, 3);
	include_line(&m, 0);
	block(&m, 0, 3);
	include_line(&m, 0);
	for (unsigned i = 0; i < 4; i++)
		probe(&m);
	out->file[0] =
	    (struct soup_file){wb_arena_printf(a, "%sm%s", prefix, suffix), finished(&m, a, target == 0), NULL};
	out->nfile = 1;
	static const char *const dir[] = {"a/", "b/", "s/", ""};
	for (unsigned k = 0; k < HEADERS; k++) {
		unsigned first = soup_below(&m.r, 3);
		for (unsigned copy = 0; copy < 3; copy++) {
			if (copy > 0 && !soup_chance(&m.r, 25))
				continue;
			const char *name = wb_arena_printf(a, "%s%sh%u.h", dir[(first + copy) % 4], prefix, k);
			struct soup_file f = {.name = name};
			if (copy > 0 && soup_chance(&m.r, 30)) /* another name of the first */
				f.link = wb_arena_printf(a, "%s%s%sh%u.h", (first + copy) % 4 == 3 ? "" : "../",
							 dir[first], prefix, k);
			else
				f.text = header(&m, a, k, k == target);
			out->file[out->nfile++] = f;
		}
	}
}
