/* lines.h — the directives of a text, one logical line at a time: translation phases 1 to 3 as far as they decide where
 * a directive starts and ends (comments, line splices, strings, raw strings, digit separators). What lies between
 * directives is skipped. One thread. */
#ifndef WB_SCANNER_DIRECTIVES_LINES_H
#define WB_SCANNER_DIRECTIVES_LINES_H

#include "scanner/directives/token.h"
#include "scanner/doubt.h"

enum wb_event {
	WB_EVENT_END,
	WB_EVENT_DIRECTIVE, /* `clean` holds what follows the '#' */
	WB_EVENT_MODULE,    /* a line that starts like a module or import declaration */
	WB_EVENT_TIME,      /* text with __DATE__ or __TIME__ */
	WB_EVENT_TIMESTAMP, /* text with __TIMESTAMP__ */
};

struct wb_lines {
	const char *begin, *p, *end; /* *end is a NUL */
	unsigned lex;                /* enum wb_lex_flag */
	uint32_t line;               /* of p, from 1 */
	const char *start;           /* of the directive: its '#' */
	uint32_t at;                 /* line of the event */
	bool text;                   /* text was seen since the last directive */
	bool several;                /* the directive goes over more than one physical line */
	bool comment;                /* so does a comment in it */
	uint32_t has;                /* enum wb_text_word: what the whole text has */
	bool words;                  /* look for __DATE__ and its kin */
	bool no_end;                 /* a comment or raw string goes on to the end of the text: an error */
	enum wb_doubt doubt;         /* something that this reader does not read */
	uint32_t pending;            /* events of the line that was just read: bits 1 << enum wb_event */
	struct wb_buf clean;
};

/* `text[n]` must be a NUL. Borrowed until release. */
void wb_lines_init(struct wb_lines *l, const char *text, size_t n, unsigned lex);
void wb_lines_release(struct wb_lines *l);
enum wb_event wb_lines_next(struct wb_lines *l);

/* Has it __DATE__, __TIME__ or __TIMESTAMP__, perhaps as a part of a longer word? */
bool wb_text_tells_time(const char *p, size_t n);

#endif
