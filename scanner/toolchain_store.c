/* Toolchain entries and their answers on disk, one file each, below the cache directory. First line: a name and a
 * version; second: the SHA-256 of the rest, so a torn or edited file is asked again. */
#include "base/fileio.h"
#include "base/str.h"
#include "scanner/toolchain_impl.h"

#include <stdlib.h>
#include <string.h>

static const char entry_magic[] = "waybill toolchain 1";
static const char answer_magic[] = "waybill answers 1";
enum { FILE_LIMIT = 64 << 20 };

static const char *file_name(struct wb_arena *a, const struct toolchain_entry *e, const char *dir, const char *suffix)
{
	return wb_arena_printf(a, "%s/%s.%s", dir, e->tc.key, suffix);
}

static wb_status write_sealed(const char *path, const char *magic, const struct wb_buf *body, struct wb_err *err)
{
	struct wb_digest d;
	char hex[WB_DIGEST_HEX];
	wb_digest_of(&d, body->p ? body->p : "", body->n);
	wb_digest_hex(hex, &d);
	struct wb_buf all = WB_BUF_INIT;
	wb_buf_addf(&all, "%s\n%s\n", magic, hex);
	wb_buf_add(&all, body->p ? body->p : "", body->n);
	wb_status s = wb_file_write(path, all.p, all.n, 0600, err);
	wb_buf_release(&all);
	return s;
}

static wb_status read_sealed(struct wb_str *body, struct wb_arena *a, const char *path, const char *magic,
			     struct wb_err *err)
{
	char *data;
	size_t n;
	WB_TRY(wb_file_read(&data, &n, a, path, FILE_LIMIT, err));
	struct wb_str rest = {data, n}, line, seal;
	struct wb_digest want, got;
	if (!wb_str_line(&rest, &line) || !wb_str_eq(line, wb_str_of(magic)) || !wb_str_line(&rest, &seal) ||
	    seal.n != WB_DIGEST_HEX - 1 ||
	    !wb_digest_parse(&want, wb_arena_strndup(a, seal.p, seal.n), (int64_t)rest.n))
		return wb_fail(err, WB_ECORRUPT, "%s: not a file of this version", path);
	wb_digest_of(&got, rest.p, rest.n);
	if (!wb_digest_eq(&got, &want))
		return wb_fail(err, WB_ECORRUPT, "%s: damaged", path);
	*body = rest;
	return wb_ok();
}

wb_status wb_toolchain_save(const struct toolchain_entry *e, const char *dir, struct wb_err *err)
{
	struct wb_buf b = WB_BUF_INIT;
	struct wb_arena a;
	wb_arena_init(&a);
	wb_buf_addf(&b, "target %s\n", e->tc.target);
	if (e->tc.resource_dir)
		wb_buf_addf(&b, "resource %s\n", e->tc.resource_dir);
	for (size_t i = 0; i < e->tc.ndir; i++)
		wb_buf_addf(&b, "dir %s\n", e->tc.dir[i].path);
	for (size_t i = 0; i < e->nabsent; i++)
		wb_buf_addf(&b, "absent %s\n", e->absent[i]);
	for (size_t i = 0; i < e->nwatch; i++) {
		char hex[WB_DIGEST_HEX];
		wb_digest_hex(hex, &e->watch_digest[i]);
		wb_buf_addf(&b, "watch %s %lld %s\n", hex, (long long)e->watch_digest[i].size, e->watch[i].path);
	}
	size_t at = 0;
	for (struct wb_map_slot *slot; (slot = wb_map_next(&e->defined, &at)) != NULL;)
		wb_buf_addf(&b, "defines %s\n", slot->key);
	wb_buf_adds(&b, "macros\n");
	wb_buf_add(&b, e->tc.macros, e->tc.macros_len);
	wb_status s = wb_dir_make(dir, 0700, err);
	if (wb_is_ok(s))
		s = write_sealed(file_name(&a, e, dir, "toolchain"), entry_magic, &b, err);
	wb_buf_release(&b);
	wb_arena_release(&a);
	return s;
}

/* The rest of `line` behind "word "; NULL when it starts otherwise. */
static const char *after(const char *line, const char *word)
{
	size_t n = strlen(word);
	return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

/* "HEX SIZE PATH": the file must still have that content. */
static wb_status load_watch(struct toolchain_entry *e, struct wb_arena *a, struct wb_facts *f, const char *text,
			    struct wb_err *err)
{
	char *end;
	if (strlen(text) < WB_DIGEST_HEX)
		return wb_fail(err, WB_ECORRUPT, "toolchain file: bad watch line");
	const char *hex = wb_arena_strndup(a, text, WB_DIGEST_HEX - 1);
	long long size = strtoll(text + WB_DIGEST_HEX, &end, 10);
	struct wb_digest want;
	struct wb_fact fact;
	if (*end != ' ' || !wb_digest_parse(&want, hex, size))
		return wb_fail(err, WB_ECORRUPT, "toolchain file: bad watch line");
	WB_TRY(wb_facts_digest(&fact, f, a, end + 1, err));
	if (fact.kind != WB_FILE_REGULAR || !wb_digest_eq(&fact.digest, &want))
		return wb_fail(err, WB_ESTALE, "%s: changed", end + 1);
	e->watch[e->nwatch] = (struct wb_identity_file){end + 1, fact.id};
	e->watch_digest[e->nwatch++] = fact.digest;
	return wb_ok();
}

wb_status wb_toolchain_load(struct toolchain_entry *e, struct wb_arena *a, struct wb_facts *f, const char *dir,
			    struct wb_err *err)
{
	struct wb_str body, line;
	WB_TRY(read_sealed(&body, a, file_name(a, e, dir, "toolchain"), entry_magic, err));
	size_t lines = 0;
	for (size_t i = 0; i < body.n; i++)
		lines += body.p[i] == '\n';
	struct wb_search_dir *search = wb_arena_array(a, lines + 1, sizeof *search);
	const char **absent = wb_arena_array(a, lines + 1, sizeof *absent);
	e->watch = wb_arena_array(a, lines + 1, sizeof *e->watch);
	e->watch_digest = wb_arena_array(a, lines + 1, sizeof *e->watch_digest);
	e->tc.dir = search;
	e->absent = absent;
	while (wb_str_line(&body, &line)) {
		const char *l = wb_arena_strndup(a, line.p, line.n), *v;
		if ((v = after(l, "target")) != NULL)
			e->tc.target = v;
		else if ((v = after(l, "resource")) != NULL)
			e->tc.resource_dir = v;
		else if ((v = after(l, "dir")) != NULL)
			search[e->tc.ndir++].path = v;
		else if ((v = after(l, "absent")) != NULL)
			absent[e->nabsent++] = v;
		else if ((v = after(l, "defines")) != NULL)
			wb_map_puts(&e->defined, v, NULL)->u = 1;
		else if ((v = after(l, "watch")) != NULL)
			WB_TRY(load_watch(e, a, f, v, err));
		else if (strcmp(l, "macros") == 0)
			break;
		else
			return wb_fail(err, WB_ECORRUPT, "toolchain file: bad line");
	}
	e->tc.macros = wb_arena_strndup(a, body.p, body.n);
	e->tc.macros_len = body.n;
	return e->tc.target ? wb_ok() : wb_fail(err, WB_ECORRUPT, "toolchain file: no target");
}

wb_status wb_answers_save(struct toolchain_entry *e, const char *dir, struct wb_err *err)
{
	struct wb_buf b = WB_BUF_INIT;
	struct wb_arena a;
	wb_arena_init(&a);
	size_t at = 0;
	for (struct wb_map_slot *slot; (slot = wb_map_next(&e->answer, &at)) != NULL;)
		wb_buf_addf(&b, "%llu\t%s\n", (unsigned long long)slot->value.u, slot->key);
	wb_status s = wb_dir_make(dir, 0700, err);
	if (wb_is_ok(s))
		s = write_sealed(file_name(&a, e, dir, "answers"), answer_magic, &b, err);
	wb_buf_release(&b);
	wb_arena_release(&a);
	return s;
}

wb_status wb_answers_load(struct toolchain_entry *e, const char *dir, struct wb_err *err)
{
	struct wb_arena a;
	struct wb_str body, line;
	wb_arena_init(&a);
	wb_status s = read_sealed(&body, &a, file_name(&a, e, dir, "answers"), answer_magic, err);
	while (wb_is_ok(s) && wb_str_line(&body, &line)) {
		const char *tab = memchr(line.p, '\t', line.n);
		if (!tab)
			continue;
		const char *key = tab + 1;
		wb_map_put(&e->answer, key, (size_t)(line.p + line.n - key), NULL)->u = strtoull(line.p, NULL, 10);
	}
	wb_arena_release(&a);
	return s;
}
