#define _GNU_SOURCE /* memmem */
#include "scanner/directives/lines.h"

#include "scanner/directives/bytes.h"

#include <string.h>

/* Where skipping must stop and look: in any text, and in text whose words matter. */
enum { STOP = 1, WORD = 2 };
static const uint8_t class_of[256] = {
    ['\0'] = STOP, ['\n'] = STOP, ['"'] = STOP, ['\''] = STOP, ['/'] = STOP, ['\\'] = STOP,
#define W(c) [c] = WORD
    W('0'),        W('1'),        W('2'),       W('3'),        W('4'),       W('5'),        W('6'), W('7'), W('8'),
    W('9'),        W('_'),        W('a'),       W('b'),        W('c'),       W('d'),        W('e'), W('f'), W('g'),
    W('h'),        W('i'),        W('j'),       W('k'),        W('l'),       W('m'),        W('n'), W('o'), W('p'),
    W('q'),        W('r'),        W('s'),       W('t'),        W('u'),       W('v'),        W('w'), W('x'), W('y'),
    W('z'),        W('A'),        W('B'),       W('C'),        W('D'),       W('E'),        W('F'), W('G'), W('H'),
    W('I'),        W('J'),        W('K'),       W('L'),        W('M'),       W('N'),        W('O'), W('P'), W('Q'),
    W('R'),        W('S'),        W('T'),       W('U'),        W('V'),       W('W'),        W('X'), W('Y'), W('Z'),
#undef W
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\v' || c == '\r';
}

static bool word_byte(const struct wb_lines *l, char c)
{
	return wb_is_word_byte((unsigned char)c, l->lex);
}

/* Length of the line splice at the backslash p (white space may stand before the newline); 0 when it is none. */
static size_t splice(const char *p)
{
	const char *q = p + 1;
	while (is_blank(*q))
		q++;
	return *q == '\n' ? (size_t)(q + 1 - p) : 0;
}

static size_t count_lines(const char *p, const char *end)
{
	size_t n = 0;
	for (; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		n++;
	return n;
}

/* Past splices, for a look at the character behind them. */
static const char *behind_splices(const char *p)
{
	for (size_t n; *p == '\\' && (n = splice(p)) != 0;)
		p += n;
	return p;
}

/* A comment may start with a slash, splices, and its second sign: the byte in front of that sign, which stands for the
 * slash then. */
static const char *slash_of(const char *p)
{
	return behind_splices(p + 1) - 1;
}

/* Past the "*" "/" of the comment that starts at p. */
static const char *skip_block(struct wb_lines *l, const char *p)
{
	for (p += 2;; p++) {
		const char *star = memchr(p, '*', (size_t)(l->end - p));
		if (!star) {
			l->no_end = true;
			l->line += (uint32_t)count_lines(p, l->end);
			return l->end;
		}
		l->line += (uint32_t)count_lines(p, star);
		p = star;
		if (p[1] == '/')
			return p + 2;
		size_t n = p[1] == '\\' ? splice(p + 1) : 0;
		if (n && p[1 + n] == '/') {
			l->line++;
			return p + n + 2;
		}
		if (n && *behind_splices(p + 1) == '/')
			l->doubt = WB_DOUBT_COMMENT_END;
	}
}

/* To the newline that ends the line comment. */
static const char *skip_line_comment(struct wb_lines *l, const char *p)
{
	for (;;) {
		const char *eol = memchr(p, '\n', (size_t)(l->end - p));
		if (!eol)
			return l->end;
		const char *q = eol;
		while (q > p && is_blank(q[-1]))
			q--;
		if (q == p || q[-1] != '\\')
			return eol;
		l->line++;
		p = eol + 1;
	}
}

/* Does a line comment start at the slash p? Strict C89 has none: compilers take one all the same, where nothing else
 * makes sense, and do not quite agree where that is. */
static bool starts_line_comment(struct wb_lines *l, const char *p, bool directive)
{
	if (p[1] != '/')
		return false;
	if (l->lex & WB_LEX_LINE_COMMENTS)
		return true;
	const char *eol = memchr(p, '\n', (size_t)(l->end - p));
	if (!eol)
		eol = l->end;
	for (const char *q = p + 2; q < eol; q++)
		if (*q == '"' || *q == '\'' || *q == '\\' || (*q == '/' && q[1] == '*') || (*q == '*' && q[1] == '/'))
			l->doubt = WB_DOUBT_COMMENT_C89;
	/* "//" and "*" may be a slash and a comment; gcc looks whether the header is the system's. */
	if (directive || p[2] == '*')
		l->doubt = WB_DOUBT_COMMENT_C89;
	return true;
}

/* Past the comment that starts at the slash p; NULL when it starts none. */
static const char *skip_comment(struct wb_lines *l, const char *p, bool directive)
{
	const char *slash = slash_of(p);
	if (slash[1] != '*' && (slash[1] != '/' || !starts_line_comment(l, slash, directive)))
		return NULL;
	l->line += (uint32_t)count_lines(p, slash + 1);
	return slash[1] == '*' ? skip_block(l, slash) : skip_line_comment(l, slash + 1);
}

/* Past the closing quote of the literal at p, or to the end of the line. */
static const char *skip_quoted(struct wb_lines *l, const char *p)
{
	char quote = *p++;
	for (;; p++) {
		if (*p == quote)
			return p + 1;
		if (*p == '\n' || (*p == '\0' && p == l->end))
			return p;
		if (*p == '\\') {
			size_t n = splice(p);
			if (n) {
				l->line++;
				p += n - 1;
			} else if (p[1] == '\\' && (n = splice(p + 1)) != 0) {
				/* The escaped character stands on the next line. */
				l->line++;
				p += n + (p[n + 1] != '\n' && p + n + 1 < l->end);
			} else if (p + 1 < l->end) {
				p++;
			}
		}
	}
}

/* Does the quote at p belong to R", u8R" ...? What may stand in front begins at `from`. */
static bool is_raw(const struct wb_lines *l, const char *from, const char *p)
{
	if (!(l->lex & WB_LEX_RAW_STRINGS) || p == from || p[-1] != 'R')
		return false;
	const char *q = p - 1;
	bool u = l->lex & WB_LEX_U_PREFIXES;
	if (u && q - from >= 2 && q[-1] == '8' && q[-2] == 'u')
		q -= 2;
	else if (q > from && ((u && (q[-1] == 'u' || q[-1] == 'U')) || q[-1] == 'L'))
		q--;
	return q == from || !word_byte(l, q[-1]);
}

/* Past the raw string whose quote is at p; NULL when it is not well-formed and so an ordinary one. */
static const char *skip_raw(struct wb_lines *l, const char *p)
{
	char close[20] = ")";
	size_t n = 0;
	for (const char *q = p + 1; q[n] != '('; n++) {
		if (n == 16 || q[n] == '\0' || strchr(" )\\\t\v\f\n\r\"", q[n]))
			return NULL;
		close[n + 1] = q[n];
	}
	close[n + 1] = '"';
	const char *body = p + n + 2, *at = memmem(body, (size_t)(l->end - body), close, n + 2);
	if (!at) {
		l->no_end = true;
		at = l->end;
		l->line += (uint32_t)count_lines(p, at);
		return at;
	}
	l->line += (uint32_t)count_lines(p, at);
	return at + n + 2;
}

/* Is the ' at p a digit separator? The token that it may be in begins at `from` or later. */
static bool is_separator(const struct wb_lines *l, const char *from, const char *p)
{
	if (!(l->lex & WB_LEX_DIGIT_SEPARATORS) || p == from || !word_byte(l, p[-1]) || (unsigned char)p[1] >= 0x80 ||
	    !wb_is_word_byte((unsigned char)p[1], 0))
		return false;
	const char *q = p;
	while (q > from && (word_byte(l, q[-1]) || q[-1] == '.' ||
			    ((q[-1] == '+' || q[-1] == '-') && q - 1 > from && strchr("eEpP", q[-2]) != NULL)))
		q--;
	/* Of "x.0'1" the number is ".0'1", of "e-0'1" it is "0'1": find the first place where a number may begin. */
	for (; q < p; q++) {
		bool digit = *q >= '0' && *q <= '9', fraction = *q == '.' && q[1] >= '0' && q[1] <= '9';
		if (digit || fraction)
			return true;
		if (word_byte(l, *q))
			while (q + 1 < p && word_byte(l, q[1]))
				q++;
	}
	return false;
}

/* The rest of a number behind a digit separator. */
static const char *skip_number(const struct wb_lines *l, const char *p)
{
	for (;; p++) {
		bool sign = (*p == '+' || *p == '-') && strchr("eEpP", p[-1]);
		if (!sign && *p != '.' && !word_byte(l, *p) && !(*p == '\'' && word_byte(l, p[1])))
			return p;
	}
}

static void see_word(struct wb_lines *l, const char *p, size_t n)
{
	struct wb_str word = {p, n};
	if (wb_str_eq(word, wb_str_of("__DATE__")) || wb_str_eq(word, wb_str_of("__TIME__")))
		l->pending |= 1u << WB_EVENT_TIME;
	if (wb_str_eq(word, wb_str_of("__TIMESTAMP__")))
		l->pending |= 1u << WB_EVENT_TIMESTAMP;
}

/* Skip text from p to the start of the next line. */
static void skip_text(struct wb_lines *l)
{
	const char *from = l->p, *p = l->p, *after;
	unsigned stop = l->words ? STOP | WORD : STOP;
	l->text = true;
	l->at = l->line;
	for (;;) {
		if (stop == STOP)
			p = wb_bytes_stop(p, l->end);
		while (!(class_of[(unsigned char)*p] & stop))
			p++;
		switch (*p) {
		case '\n':
			l->line++;
			l->p = p + 1;
			return;
		case '\0':
			if (p == l->end) {
				l->p = p;
				return;
			}
			p++;
			break;
		case '"': {
			const char *raw = is_raw(l, from, p) ? skip_raw(l, p) : NULL;
			p = raw ? raw : skip_quoted(l, p);
			from = p; /* what lies before is another token */
			break;
		}
		case '\'':
			if (is_separator(l, from, p)) {
				p = skip_number(l, p + 1);
			} else {
				p = skip_quoted(l, p);
				from = p;
			}
			break;
		case '/':
			if ((after = skip_comment(l, p, false)) != NULL)
				p = from = after;
			else
				p++;
			break;
		case '\\': {
			size_t n = splice(p);
			l->line += n != 0;
			if (n && p > from && word_byte(l, p[-1]) && (p[n] == '"' || p[n] == '\''))
				l->doubt = WB_DOUBT_LITERAL_SPLIT;
			p += n ? n : 1;
			break;
		}
		default: {
			const char *word = p;
			while (word_byte(l, *p))
				p++;
			see_word(l, word, (size_t)(p - word));
		}
		}
	}
}

/* Does the line at p start like "import x", "module x;" or "export module x"? */
static bool starts_module(const struct wb_lines *l, const char *p)
{
	static const char *const word[] = {"export", "import", "module"};
	bool exported = false;
	for (;;) {
		size_t n = 0;
		while (word_byte(l, p[n]))
			n++;
		int which = -1;
		for (int i = 0; i < 3; i++)
			if (strlen(word[i]) == n && memcmp(word[i], p, n) == 0)
				which = i;
		if (which < 0 || (which == 0 && exported))
			return false;
		p += n;
		while (is_blank(*p))
			p++;
		if (which == 0) {
			exported = true;
			continue;
		}
		if (*p == ':')
			return which == 1 && (p[1] == ' ' || word_byte(l, p[1]));
		if (*p == ';')
			return which == 2 && !exported;
		/* A comment or a splice in between: better too often than too rarely. */
		return *p == '<' || *p == '"' || *p == '/' || *p == '\\' || word_byte(l, *p);
	}
}

static void add(struct wb_lines *l, const char *p, const char *end)
{
	if (end > p)
		wb_buf_add(&l->clean, p, (size_t)(end - p));
}

/* A literal of a directive, without the splices in it. */
static const char *copy_quoted(struct wb_lines *l, const char *p)
{
	const char *end = skip_quoted(l, p);
	for (const char *q = p; q < end;) {
		size_t n = *q == '\\' ? splice(q) : 0;
		if (n) {
			q += n;
			continue;
		}
		wb_buf_addc(&l->clean, *q++);
	}
	return end;
}

enum mode { NAME, PLAIN, HEADER, CONDITION };

static enum mode mode_of(const struct wb_buf *clean)
{
	static const struct {
		const char *name;
		enum mode mode;
	} row[] = {{"include", HEADER}, {"include_next", HEADER}, {"import", HEADER}, {"embed", HEADER},
		   {"if", CONDITION},   {"elif", CONDITION},      {"pragma", PLAIN}};
	struct wb_str name = wb_str_trim((struct wb_str){clean->p ? clean->p : "", clean->n});
	size_t n = 0;
	while (n < name.n && wb_is_word_byte((unsigned char)name.p[n], 0))
		n++;
	name.n = n;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		if (wb_str_eq(name, wb_str_of(row[i].name)))
			return row[i].mode;
	return PLAIN;
}

/* Does what was copied end in "__has_include (" or a relative of it? */
static bool awaits_header(const struct wb_buf *clean)
{
	static const char *const name[] = {"__has_include", "__has_include_next", "__has_embed"};
	size_t n = clean->n;
	while (n && is_blank(clean->p[n - 1]))
		n--;
	if (n == 0 || clean->p[n - 1] != '(')
		return false;
	n--;
	while (n && is_blank(clean->p[n - 1]))
		n--;
	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(name[i]);
		if (n >= len && memcmp(clean->p + n - len, name[i], len) == 0)
			return true;
	}
	return false;
}

/* Where a directive is skipped, compilers see other tokens in a header name: does it matter? */
static bool looks_otherwise(const struct wb_lines *l, const char *p, char close)
{
	bool comment = false, quotes = false;
	char before = *p++;
	for (size_t n; *p != close; p++) {
		while (*p == '\\' && (n = splice(p)) != 0)
			p += n;
		if (*p == '\n' || (*p == '\0' && p == l->end))
			return comment && close == '>';
		if (*p == close)
			break;
		comment = comment || (before == '/' && *p == '*');
		quotes = quotes || *p == '"' || *p == '\'';
		before = *p;
	}
	return close == '>' ? comment || quotes : before == '\\';
}

/* A header name up to its closing sign: nothing in it is a comment or an escape. */
static const char *copy_header(struct wb_lines *l, const char *p, char close)
{
	if (looks_otherwise(l, p, close))
		l->doubt = WB_DOUBT_HEADER_NAME_LEXED;
	wb_buf_addc(&l->clean, *p++);
	for (;;) {
		size_t len = *p == '\\' ? splice(p) : 0;
		if (len) {
			l->line++;
			p += len;
			continue;
		}
		if (*p == '\n' || (*p == '\0' && p == l->end))
			return p;
		wb_buf_addc(&l->clean, *p);
		if (*p++ == close)
			return p;
	}
}

/* Copy the logical line from p (behind the '#') to `clean`; p ends behind its newline. */
static void copy_directive(struct wb_lines *l)
{
	const char *p = l->p;
	enum mode mode = NAME;
	l->comment = false;
	wb_buf_reset(&l->clean);
	for (;;) {
		const char *from = p;
		while (!(class_of[(unsigned char)*p] & STOP) && *p != '<' && (mode != NAME || !is_blank(*p)))
			p++;
		add(l, from, p);
		if (mode == NAME && *p != '\\') {
			struct wb_str so_far = wb_str_trim((struct wb_str){l->clean.p ? l->clean.p : "", l->clean.n});
			if (so_far.n)
				mode = mode_of(&l->clean);
		}
		switch (*p) {
		case '\n':
			l->line++;
			l->p = p + 1;
			return;
		case '\0':
			if (p == l->end) {
				l->p = p;
				return;
			}
			wb_buf_addc(&l->clean, ' ');
			p++;
			break;
		case '<':
			if (mode == HEADER || (mode == CONDITION && awaits_header(&l->clean)))
				p = copy_header(l, p, '>');
			else
				add(l, p, p + 1), p++;
			mode = mode == HEADER ? PLAIN : mode;
			break;
		case '"': {
			const char *start = l->clean.p ? l->clean.p : "", *raw = NULL;
			size_t n = l->clean.n;
			if (mode == HEADER) {
				p = copy_header(l, p, '"');
				mode = PLAIN;
				break;
			}
			uint32_t line = l->line;
			if (n && is_raw(l, start, start + n))
				raw = skip_raw(l, p);
			if (raw) {
				add(l, p, raw);
				if (l->line != line)
					l->doubt = WB_DOUBT_RAW_STRING;
				p = raw;
			} else {
				p = copy_quoted(l, p);
			}
			break;
		}
		case '\'': {
			/* Only what was copied tells whether this is inside a number. */
			wb_buf_addc(&l->clean, '\'');
			wb_buf_addc(&l->clean, p[1] ? p[1] : ' ');
			const char *start = l->clean.p;
			size_t n = l->clean.n - 2;
			l->clean.n = n;
			if (is_separator(l, start, start + n)) {
				add(l, p, p + 1);
				p++;
			} else {
				p = copy_quoted(l, p);
			}
			break;
		}
		case '/': {
			uint32_t line = l->line;
			const char *after = skip_comment(l, p, true);
			if (after) {
				wb_buf_addc(&l->clean, ' ');
				l->comment = l->comment || l->line != line;
				p = after;
			} else {
				add(l, p, p + 1);
				p++;
			}
			break;
		}
		case '\\': {
			size_t n = splice(p);
			l->line += n != 0;
			add(l, p, n ? p : p + 1);
			p += n ? n : 1;
			break;
		}
		default: /* a blank behind the name */
			add(l, p, p + 1);
			p++;
			break;
		}
	}
}

bool wb_text_tells_time(const char *p, size_t n)
{
	return wb_text_words(p, n) & WB_TEXT_TIME;
}

void wb_lines_init(struct wb_lines *l, const char *text, size_t n, unsigned lex)
{
	*l = (struct wb_lines){.begin = text, .p = text, .end = text + n, .lex = lex, .line = 1, .clean = WB_BUF_INIT};
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		l->p += 3;
	l->has = wb_text_words(text, n);
	l->words = l->has & WB_TEXT_TIME;
	/* Compilers do not agree on a carriage return that is not part of a line end. */
	for (const char *p = text; (p = memchr(p, '\r', (size_t)(l->end - p))) != NULL; p++)
		if (p[1] != '\n')
			l->doubt = WB_DOUBT_CARRIAGE_RETURN;
}

void wb_lines_release(struct wb_lines *l)
{
	wb_buf_release(&l->clean);
}

/* Past whole lines of nothing but text: no directive, literal, comment or splice begins in them. */
static void skip_plain_lines(struct wb_lines *l)
{
	const char *special = wb_bytes_special(l->p, l->end);
	const char *eol = special == l->p ? NULL : memrchr(l->p, '\n', (size_t)(special - l->p));
	if (!eol)
		return;
	const char *p = l->p;
	while (p < eol && (is_blank(*p) || *p == '\n'))
		p++;
	l->text = l->text || p < eol;
	l->line += (uint32_t)count_lines(l->p, eol + 1);
	l->p = eol + 1;
}

enum wb_event wb_lines_next(struct wb_lines *l)
{
	bool plain = !l->words && !(l->lex & WB_LEX_MODULES);
	for (;;) {
		for (unsigned e = WB_EVENT_MODULE; l->pending && e <= WB_EVENT_TIMESTAMP; e++)
			if (l->pending & 1u << e) {
				l->pending &= ~(1u << e);
				return (enum wb_event)e;
			}
		if (plain)
			skip_plain_lines(l);
		const char *p = l->p;
		/* What may stand in front of a '#'. */
		for (;;) {
			while (is_blank(*p))
				p++;
			size_t n;
			const char *after = *p == '/' ? skip_comment(l, p, false) : NULL;
			if (after) {
				p = after;
			} else if (*p == '\\' && (n = splice(p)) != 0) {
				l->line++;
				p += n;
			} else {
				break;
			}
		}
		l->p = p;
		if (*p == '\n') {
			l->line++;
			l->p++;
		} else if (*p == '\0' && p == l->end) {
			return WB_EVENT_END;
		} else if (*p == '#' || ((l->lex & WB_LEX_DIGRAPHS) && *p == '%' && p[1] == ':')) {
			l->at = l->line;
			l->start = p;
			l->p += *p == '#' ? 1 : 2;
			copy_directive(l);
			l->several = l->line - l->at > 1;
			return WB_EVENT_DIRECTIVE;
		} else {
			if ((l->lex & WB_LEX_MODULES) && (*p == 'i' || *p == 'm' || *p == 'e') && starts_module(l, p))
				l->pending |= 1u << WB_EVENT_MODULE;
			skip_text(l);
		}
	}
}
