#include "scanner/compile_database.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "base/path.h"

#include <ctype.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 8 /* of an entry: its own is 2, the rest is for keys that others may add */

/* ---- shell words */

struct splitter {
	const char *p;
	char *word,
	    *to; /* word: NULL between words; to: into one buffer for all, which are never longer than the text */
	struct wb_argv *out;
	struct wb_arena *a;
};

static void begin(struct splitter *s)
{
	if (!s->word)
		s->word = s->to;
}

static void add(struct splitter *s, char c)
{
	begin(s);
	*s->to++ = c;
}

static void end(struct splitter *s)
{
	if (!s->word)
		return;
	*s->to++ = '\0';
	wb_argv_push(s->out, s->a, s->word);
	s->word = NULL;
}

/* At a '$': would a shell put something else here? */
static bool expands(const char *p)
{
	unsigned char c = (unsigned char)p[1];

	return isalnum(c) || (c != '\0' && strchr("_({@*#?-$!", c) != NULL);
}

static wb_status needs_shell(const char *p, struct wb_err *err)
{
	return wb_fail(err, WB_EINVAL,
		       "the command needs a shell, because of \"%.20s\": only plain words can be scanned", p);
}

static wb_status single_quoted(struct splitter *s, struct wb_err *err)
{
	const char *close = strchr(s->p + 1, '\'');

	if (!close)
		return wb_fail(err, WB_EINVAL, "the command ends inside '...'");
	begin(s);
	for (s->p++; s->p < close; s->p++)
		add(s, *s->p);
	s->p++;
	return wb_ok();
}

static wb_status double_quoted(struct splitter *s, struct wb_err *err)
{
	begin(s);
	for (s->p++; *s->p != '"'; s->p++) {
		if (*s->p == '\0')
			return wb_fail(err, WB_EINVAL, "the command ends inside \"...\"");
		if (*s->p == '`' || (*s->p == '$' && expands(s->p)))
			return needs_shell(s->p, err);
		if (*s->p == '\\' && s->p[1] != '\0' && strchr("$`\"\\\n", s->p[1])) {
			s->p++;
			if (*s->p == '\n')
				continue;
		}
		add(s, *s->p);
	}
	s->p++;
	return wb_ok();
}

static wb_status one_step(struct splitter *s, struct wb_err *err)
{
	switch (*s->p) {
	case ' ':
	case '\t':
		end(s);
		s->p++;
		return wb_ok();
	case '\'':
		return single_quoted(s, err);
	case '"':
		return double_quoted(s, err);
	case '\\':
		if (s->p[1] == '\n') { /* a line goes on */
			s->p += 2;
			return wb_ok();
		}
		if (s->p[1] != '\0') /* at the very end it stands for itself */
			s->p++;
		break;
	case '\n':
		/* One at the end says nothing; elsewhere a second command follows. */
		if (s->p[strspn(s->p, " \t\n")] != '\0')
			return needs_shell(s->p, err);
		end(s);
		s->p++;
		return wb_ok();
	case '#':
		if (!s->word)
			return needs_shell(s->p, err);
		break;
	case '$':
		if (expands(s->p) || s->p[1] == '\'' || s->p[1] == '"')
			return needs_shell(s->p, err);
		break;
	case '`':
	case ';':
	case '&':
	case '|':
	case '<':
	case '>':
	case '(':
	case ')':
		return needs_shell(s->p, err);
	default:
		break;
	}
	add(s, *s->p++);
	return wb_ok();
}

wb_status wb_shell_split(struct wb_argv *out, struct wb_arena *a, const char *text, struct wb_err *err)
{
	struct splitter s = {.p = text, .to = wb_arena_alloc(a, strlen(text) + 1), .out = out, .a = a};

	while (*s.p != '\0')
		WB_TRY(one_step(&s, err));
	end(&s);
	return wb_ok();
}

/* ---- entries */

/* The text of `key`; NULL when it is absent, or when `*error` says what is wrong with it. */
static const char *text_of(struct wb_arena *a, struct json_object *o, const char *key, const char **error)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v))
		return NULL;
	if (!json_object_is_type(v, json_type_string)) {
		*error = wb_arena_printf(a, "\"%s\" is not a string", key);
		return NULL;
	}
	size_t n = (size_t)json_object_get_string_len(v);
	const char *s = json_object_get_string(v);
	if (memchr(s, '\0', n)) {
		*error = wb_arena_printf(a, "\"%s\" has a NUL in it", key);
		return NULL;
	}
	return wb_arena_strndup(a, s, n);
}

static const char *words_of_array(struct wb_argv *argv, struct wb_arena *a, struct json_object *v)
{
	if (!json_object_is_type(v, json_type_array))
		return "\"arguments\" is not an array";
	for (size_t i = 0; i < json_object_array_length(v); i++) {
		struct json_object *w = json_object_array_get_idx(v, i);

		if (!json_object_is_type(w, json_type_string))
			return "\"arguments\" holds something that is not a string";
		size_t n = (size_t)json_object_get_string_len(w);
		if (memchr(json_object_get_string(w), '\0', n))
			return "\"arguments\" holds a NUL";
		wb_argv_push(argv, a, wb_arena_strndup(a, json_object_get_string(w), n));
	}
	return NULL;
}

/* The words of the command, without a launcher of ours: the answer is for the compiler. */
static void fill_argv(struct wb_database_entry *e, struct wb_arena *a, struct json_object *o)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_argv argv = {0};
	struct json_object *v;
	size_t skip = 0;

	if (json_object_object_get_ex(o, "arguments", &v)) {
		e->error = words_of_array(&argv, a, v);
	} else {
		const char *command = text_of(a, o, "command", &e->error);

		if (command && !wb_is_ok(wb_shell_split(&argv, a, command, &err)))
			e->error = wb_arena_strdup(a, err.text);
		else if (!command && !e->error)
			e->error = "neither \"command\" nor \"arguments\"";
	}
	if (e->error)
		return;
	while (skip < argv.n && strcmp(wb_path_basename(argv.v[skip]), "waybill") == 0)
		skip++;
	if (skip == argv.n)
		e->error = "the command is empty";
	else
		e->argv = argv.v + skip;
}

static void fill_entry(struct wb_database_entry *e, struct wb_arena *a, struct json_object *o, const char *base)
{
	const char *directory = text_of(a, o, "directory", &e->error);
	const char *file = text_of(a, o, "file", &e->error);

	e->file = file ? file : "";
	e->output = text_of(a, o, "output", &e->error);
	if (directory && *directory)
		e->directory = wb_path_join(a, base, directory);
	else if (!e->error)
		e->error = "no \"directory\"";
	if (!e->error)
		fill_argv(e, a, o);
}

/* ---- the file */

/* The array is walked by hand and each entry is parsed by itself: a tree of the whole file would take many times its
 * size. */
struct reader {
	const char *start, *p, *end, *name, *base;
	const char *counted; /* lines before it are in `line` */
	size_t line;
	struct json_tokener *tokener;
	struct wb_arena *a;
	struct wb_compile_database *out;
	size_t cap;
};

static size_t line_of(struct reader *r, const char *p)
{
	for (; r->counted < p; r->counted++)
		if (*r->counted == '\n')
			r->line++;
	return r->line;
}

static wb_status malformed(struct reader *r, const char *at, const char *what, struct wb_err *err)
{
	const char *bol = at;
	size_t line = line_of(r, at);

	while (bol > r->start && bol[-1] != '\n')
		bol--;
	return wb_fail(err, WB_EINVAL, "%s:%zu:%zu: %s: not a compilation database", r->name, line,
		       (size_t)(at - bol) + 1, what);
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool next_is(struct reader *r, char c)
{
	skip_space(r);
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static wb_status read_entry(struct reader *r, struct wb_err *err)
{
	size_t left = (size_t)(r->end - r->p), take = left < WB_DATABASE_MAX_ENTRY ? left : WB_DATABASE_MAX_ENTRY;

	if (left == 0 || *r->p != '{')
		return malformed(r, r->p, left == 0 ? "it ends within the array" : "an entry that is no object", err);
	if (r->out->n == WB_DATABASE_MAX_ENTRIES)
		return wb_fail(err, WB_ELIMIT, "%s: more than %zu entries", r->name, WB_DATABASE_MAX_ENTRIES);
	json_tokener_reset(r->tokener);
	struct json_object *o = json_tokener_parse_ex(r->tokener, r->p, (int)take);
	enum json_tokener_error e = json_tokener_get_error(r->tokener);
	const char *at = r->p + json_tokener_get_parse_end(r->tokener);
	if (e == json_tokener_continue && take < left)
		return wb_fail(err, WB_ELIMIT, "%s:%zu: an entry of more than %zu bytes", r->name, line_of(r, r->p),
			       take);
	if (e != json_tokener_success)
		return malformed(r, at < r->end ? at : r->end,
				 e == json_tokener_continue ? "it ends within an entry" : json_tokener_error_desc(e),
				 err);
	wb_arena_grow(r->a, &r->out->entry, r->out->n, &r->cap, sizeof *r->out->entry);
	struct wb_database_entry *entry = &r->out->entry[r->out->n++];
	*entry = (struct wb_database_entry){.line = line_of(r, r->p)};
	fill_entry(entry, r->a, o, r->base);
	json_object_put(o);
	r->p = at;
	return wb_ok();
}

static wb_status read_array(struct reader *r, struct wb_err *err)
{
	if (r->end - r->p >= 3 && memcmp(r->p, "\xef\xbb\xbf", 3) == 0)
		r->p += 3;
	if (!next_is(r, '['))
		return malformed(r, r->p, "it does not start with an array", err);
	if (!next_is(r, ']')) {
		do {
			skip_space(r);
			WB_TRY(read_entry(r, err));
		} while (next_is(r, ','));
		if (!next_is(r, ']'))
			return malformed(r, r->p, "neither ',' nor ']' after an entry", err);
	}
	skip_space(r);
	return r->p == r->end ? wb_ok() : malformed(r, r->p, "text after the array", err);
}

wb_status wb_compile_database_parse(struct wb_compile_database *out, struct wb_arena *a, const char *data, size_t n,
				    const char *name, const char *base, struct wb_err *err)
{
	struct reader r = {.start = data,
			   .p = data,
			   .end = data + n,
			   .name = name,
			   .base = base,
			   .counted = data,
			   .line = 1,
			   .a = a,
			   .out = out};

	*out = (struct wb_compile_database){0};
	if (n > WB_DATABASE_MAX)
		return wb_fail(err, WB_ELIMIT, "%s: larger than %zu bytes", name, WB_DATABASE_MAX);
	r.tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!r.tokener)
		return wb_fail(err, WB_ELIMIT, "%s: out of memory", name);
	/* Strict: nothing that JSON does not know; with what follows an entry left to us. */
	json_tokener_set_flags(r.tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	wb_status st = read_array(&r, err);
	json_tokener_free(r.tokener);
	return st;
}

wb_status wb_compile_database_read(struct wb_compile_database *out, struct wb_arena *a, const char *path,
				   struct wb_err *err)
{
	struct stat info;
	char *data;
	size_t n;

	if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) /* a pipe would keep its reader for ever */
		return wb_fail(err, WB_EINVAL, "%s is no regular file", path);
	WB_TRY(wb_file_read(&data, &n, a, path, WB_DATABASE_MAX, err));
	return wb_compile_database_parse(out, a, data, n, path, wb_path_dirname(a, path), err);
}
