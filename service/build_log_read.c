#include "base/fileio.h"
#include "service/build_log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* One line is one JSON object of strings, numbers, booleans and objects of the same: enough for the lines of this log
 * and of later versions of it. Arrays are not known. */

#define DEPTH_MAX 4

struct cursor {
	const char *p, *end;
	struct wb_arena *a;
	bool bad;
};

static bool eat(struct cursor *c, char want)
{
	if (c->p < c->end && *c->p == want) {
		c->p++;
		return true;
	}
	return false;
}

static void expect(struct cursor *c, char want)
{
	if (!eat(c, want))
		c->bad = true;
}

static bool eat_word(struct cursor *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return false;
	c->p += n;
	return true;
}

static unsigned parse_hex(struct cursor *c)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		char d = c->p < c->end ? *c->p++ : '\0';

		v *= 16;
		if (d >= '0' && d <= '9')
			v += (unsigned)(d - '0');
		else if (d >= 'a' && d <= 'f')
			v += (unsigned)(d - 'a') + 10;
		else if (d >= 'A' && d <= 'F')
			v += (unsigned)(d - 'A') + 10;
		else
			c->bad = true;
	}
	return v;
}

/* The log writes no \u above 0x1f; others become '?'. */
static char parse_escape(struct cursor *c)
{
	static const char from[] = "\"\\/nrtbf", to[] = "\"\\/\n\r\t\b\f";
	char e = c->p < c->end ? *c->p++ : '\0';

	if (e == 'u') {
		unsigned v = parse_hex(c);

		return v > 0 && v < 0x80 ? (char)v : '?';
	}
	const char *at = e ? strchr(from, e) : NULL;
	if (!at) {
		c->bad = true;
		return '?';
	}
	return to[at - from];
}

static const char *parse_string(struct cursor *c)
{
	expect(c, '"');
	const char *quote = c->bad ? NULL : memchr(c->p, '"', (size_t)(c->end - c->p));
	if (!quote) {
		c->bad = true;
		return "";
	}
	if (!memchr(c->p, '\\', (size_t)(quote - c->p))) {
		const char *s = wb_arena_strndup(c->a, c->p, (size_t)(quote - c->p));

		c->p = quote + 1;
		return s;
	}
	char *s = wb_arena_alloc(c->a, (size_t)(c->end - c->p) + 1);
	size_t n = 0;
	while (!c->bad && c->p < c->end && *c->p != '"') {
		char ch = *c->p++;

		s[n++] = ch == '\\' ? parse_escape(c) : ch;
	}
	expect(c, '"');
	return s;
}

static int64_t parse_number(struct cursor *c)
{
	bool negative = eat(c, '-');
	const char *from = c->p;
	int64_t v = 0;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9' && c->p - from < 18)
		v = v * 10 + (*c->p++ - '0');
	if (c->p == from)
		c->bad = true;
	return negative ? -v : v;
}

static int name_index(const char *name, const char *(*name_of)(int), int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(name, name_of(i)) == 0)
			return i;
	return -1;
}

static void set_string(struct wb_build_log_entry *e, const char *key, const char *value, struct cursor *c)
{
	const struct {
		const char *key, **field;
	} table[] = {
	    {"build", &e->build},   {"source", &e->source},     {"output", &e->output}, {"backend", &e->backend},
	    {"reason", &e->reason}, {"fallback", &e->fallback}, {"worker", &e->worker}, {"action", &e->action},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(key, table[i].key) == 0)
			*table[i].field = value;
	if (strcmp(key, "decision") == 0) {
		int d = name_index(value, wb_build_decision_name, WB_BUILD_DECISION_COUNT);

		c->bad |= d < 0;
		e->decision = d < 0 ? WB_BUILD_CANCELED : (enum wb_build_decision)d;
	}
}

static void set_number(struct wb_build_log_entry *e, const char *in, const char *key, int64_t v)
{
	int stage = strcmp(in, "stage_us") == 0 ? name_index(key, wb_build_stage_name, WB_BUILD_STAGE_COUNT) : -1;
	/* What a damaged line may hold must not overflow: a thousand years in nanoseconds does not fit either. */
	int64_t ns = v > INT64_MAX / 1000 ? INT64_MAX : v < 0 ? 0 : v * 1000;

	if (stage >= 0)
		e->ns[stage] = ns;
	if (in[0])
		return;
	if (strcmp(key, "start_us") == 0)
		e->start_ns = ns;
	else if (strcmp(key, "us") == 0)
		e->end_ns = ns; /* a duration until the line is read */
	else if (strcmp(key, "exit") == 0)
		e->exit_code = (int)(v & 0xffff);
	else if (strcmp(key, "bytes_up") == 0)
		e->bytes_up = v;
	else if (strcmp(key, "bytes_down") == 0)
		e->bytes_down = v;
}

static void parse_object(struct wb_build_log_entry *e, struct cursor *c, const char *in, int depth)
{
	expect(c, '{');
	if (eat(c, '}'))
		return;
	do {
		const char *key = parse_string(c);

		expect(c, ':');
		if (c->bad || c->p >= c->end)
			break;
		if (*c->p == '"') {
			const char *value = parse_string(c);

			if (!in[0])
				set_string(e, key, value, c);
		} else if (*c->p == '{') {
			if (depth >= DEPTH_MAX)
				c->bad = true;
			else
				parse_object(e, c, key, depth + 1);
		} else if (*c->p == 't' || *c->p == 'f') {
			bool on = eat_word(c, "true");

			if (!on && !eat_word(c, "false"))
				c->bad = true;
			if (!in[0] && strcmp(key, "memo") == 0)
				e->memo = on;
			if (!in[0] && strcmp(key, "joined") == 0)
				e->joined = on;
		} else {
			set_number(e, in, key, parse_number(c));
		}
	} while (!c->bad && eat(c, ','));
	expect(c, '}');
}

bool wb_build_log_parse(struct wb_build_log_entry *out, struct wb_arena *a, const char *line, size_t n)
{
	struct cursor c = {.p = line, .end = line + n, .a = a};

	*out = (struct wb_build_log_entry){
	    .build = NULL,
	    .source = "",
	    .output = "",
	    .backend = "",
	    .reason = "",
	    .fallback = "",
	    .worker = "",
	    .action = "",
	};
	parse_object(out, &c, "", 0);
	if (c.bad || c.p != c.end || !out->build || out->start_ns <= 0)
		return false;
	/* A damaged line may hold any number. */
	out->end_ns = out->end_ns > INT64_MAX - out->start_ns ? INT64_MAX : out->start_ns + out->end_ns;
	return true;
}

/* A file of the log, line by line, without holding all of it in memory. */
struct reader {
	int fd;
	struct wb_buf buf;
	size_t at;
	bool at_end, skipping; /* `skipping`: inside a line that is too long */
	size_t nskipped;
};

static bool next_line(struct reader *r, struct wb_str *line)
{
	for (;;) {
		const char *nl = r->buf.n > r->at ? memchr(r->buf.p + r->at, '\n', r->buf.n - r->at) : NULL;

		if (nl) {
			*line = (struct wb_str){r->buf.p + r->at, (size_t)(nl - (r->buf.p + r->at))};
			r->at += line->n + 1;
			if (!r->skipping)
				return true;
			r->skipping = false;
			r->nskipped++;
			continue;
		}
		if (r->at_end)
			return false; /* a line without an end is still being written, or torn */
		if (r->buf.n - r->at > WB_BUILD_LOG_LINE) {
			r->skipping = true;
			r->at = r->buf.n;
		}
		if (r->at > 0)
			memmove(r->buf.p, r->buf.p + r->at, r->buf.n - r->at);
		r->buf.n -= r->at;
		r->at = 0;
		wb_buf_reserve(&r->buf, WB_BUILD_LOG_LINE);
		ssize_t n = read(r->fd, r->buf.p + r->buf.n, WB_BUILD_LOG_LINE);
		if (n > 0)
			r->buf.n += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r->at_end = true;
	}
}

static void reader_release(struct reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	wb_buf_release(&r->buf);
}

/* The last job in the file. Looked for in its last part first: the file may be large. */
static const char *last_build(struct wb_arena *a, int fd)
{
	struct stat st;
	const char *build = NULL;

	if (fstat(fd, &st) < 0)
		return NULL;
	for (int64_t part = 2 * WB_BUILD_LOG_LINE; !build; part *= 16) {
		struct reader r = {.fd = dup(fd)};
		struct wb_arena scratch;
		struct wb_str line;
		bool whole = part >= st.st_size;

		wb_arena_init(&scratch);
		/* From the middle of a line: the rest of that one is no line. */
		if (r.fd >= 0 && lseek(r.fd, whole ? 0 : st.st_size - part, SEEK_SET) >= 0)
			while (next_line(&r, &line)) {
				struct wb_build_log_entry e;

				if (wb_build_log_parse(&e, &scratch, line.p, line.n) &&
				    (!build || strcmp(build, e.build) != 0))
					build = wb_arena_strdup(a, e.build);
				wb_arena_release(&scratch);
				wb_arena_init(&scratch);
			}
		reader_release(&r);
		wb_arena_release(&scratch);
		if (whole)
			break;
	}
	return build;
}

/* Add the file's jobs of that build. Closes `fd`. */
static void collect(struct wb_build_jobs *out, struct wb_arena *a, size_t *cap, int fd)
{
	struct reader r = {.fd = fd};
	struct wb_buf start = WB_BUF_INIT;
	struct wb_str line;

	wb_buf_adds(&start, "{\"build\":");
	wb_buf_add_json(&start, out->build, strlen(out->build));
	wb_buf_addc(&start, ',');
	if (lseek(fd, 0, SEEK_SET) == 0)
		while (next_line(&r, &line)) {
			if (line.n > start.n && memcmp(line.p, start.p, start.n) == 0) {
				wb_arena_grow(a, &out->job, out->n, cap, sizeof *out->job);
				if (wb_build_log_parse(&out->job[out->n], a, line.p, line.n))
					out->n++;
				else
					out->damaged++;
			} else if (line.n > 0 && (line.p[0] != '{' || line.p[line.n - 1] != '}')) {
				out->damaged++;
			}
		}
	out->damaged += r.nskipped;
	reader_release(&r);
	wb_buf_release(&start);
}

wb_status wb_build_log_last(struct wb_build_jobs *out, struct wb_arena *a, const char *dir, struct wb_err *err)
{
	struct stat one, two;
	size_t cap = 0;
	int fd = open(wb_arena_printf(a, "%s/jobs.jsonl", dir), O_RDONLY | O_CLOEXEC);
	int old = open(wb_arena_printf(a, "%s/jobs.1.jsonl", dir), O_RDONLY | O_CLOEXEC);

	memset(out, 0, sizeof *out);
	/* Renamed between the two calls: the same file twice. */
	if (fd >= 0 && old >= 0 && fstat(fd, &one) == 0 && fstat(old, &two) == 0 && one.st_dev == two.st_dev &&
	    one.st_ino == two.st_ino) {
		close(old);
		old = -1;
	}
	if (fd >= 0)
		out->build = last_build(a, fd);
	if (!out->build && old >= 0)
		out->build = last_build(a, old);
	if (out->build) {
		if (old >= 0)
			collect(out, a, &cap, old);
		if (fd >= 0)
			collect(out, a, &cap, fd);
	} else {
		if (old >= 0)
			close(old);
		if (fd >= 0)
			close(fd);
	}
	if (out->n == 0)
		return wb_fail(err, WB_ENOENT,
			       "the build log in %s is empty: no compile went through Waybill since it was begun", dir);
	return wb_ok();
}
