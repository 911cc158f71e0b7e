#define _GNU_SOURCE /* memrchr */
#include "service/scan_names.h"

#include "base/path.h"
#include "scanner/graph.h"

#include <sys/stat.h>

void wb_scan_names_init(struct wb_scan_names *n)
{
	*n = (struct wb_scan_names){.cwd = ""};
	wb_map_init(&n->directory);
	wb_map_init(&n->shown);
	wb_arena_init(&n->arena);
}

void wb_scan_names_release(struct wb_scan_names *n)
{
	wb_map_release(&n->directory);
	wb_map_release(&n->shown);
	wb_arena_release(&n->arena);
	wb_buf_release(&n->key);
}

void wb_scan_names_quote(struct wb_buf *out, struct wb_str s)
{
	size_t done = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c != ' ' && c != '\t' && c != '#' && c != '$')
			continue;
		wb_buf_add(out, s.p + done, i - done);
		done = i;
		if (c == '$') {
			wb_buf_addc(out, '$');
			continue;
		}
		for (size_t b = i; c != '#' && b > 0 && s.p[b - 1] == '\\'; b--)
			wb_buf_addc(out, '\\');
		wb_buf_addc(out, '\\');
	}
	wb_buf_add(out, s.p + done, s.n - done);
}

static bool same_directory(const char *x, const char *y)
{
	struct stat a, b;

	return stat(x, &a) == 0 && stat(y, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* `raw` ("" or with a slash at its end) of a command in `cwd`, as it is shown. */
static const char *shown(struct wb_arena *a, const char *cwd, const char *raw)
{
	if (raw[0] == '\0')
		return wb_path_fold(a, cwd);
	const char *plain = wb_path_join(a, cwd, raw);
	if (!wb_path_has_dotdot(raw))
		return plain;
	const char *folded = wb_path_join(a, cwd, wb_path_normal(a, raw));
	return same_directory(plain, folded) ? folded : plain;
}

static struct wb_scan_directory *learn(struct wb_scan_names *n, const char *cwd, const char *raw, size_t len)
{
	const char *dir = shown(&n->arena, cwd, wb_arena_strndup(&n->arena, raw, len));
	struct wb_scan_directory *d = wb_arena_alloc(&n->arena, sizeof *d);
	struct wb_buf quoted = WB_BUF_INIT;
	bool fresh;

	d->raw = wb_arena_memdup(&n->arena, n->key.p, n->key.n + 1);
	d->raw_len = len;
	d->name = wb_str_of(wb_arena_printf(&n->arena, "%s%s", dir, wb_ends_with(dir, "/") ? "" : "/"));
	wb_scan_names_quote(&quoted, d->name);
	d->quoted = (struct wb_str){wb_arena_strndup(&n->arena, quoted.p, quoted.n), quoted.n};
	wb_buf_release(&quoted);
	union wb_map_value *v = wb_map_puts(&n->shown, d->name.p, &fresh);
	if (fresh)
		v->p = d;
	d->first = v->p;
	d->first->shared = !fresh;
	return d;
}

struct wb_scan_name wb_scan_names_of(struct wb_scan_names *n, const char *cwd, const char *path)
{
	size_t len = strlen(path);
	const char *slash = memrchr(path, '/', len);
	size_t dir = slash ? (size_t)(slash - path) + 1 : 0;
	bool absolute = path[0] == '/', fresh;
	struct wb_scan_name name = {n->last, {path + dir, len - dir}};

	/* Files of one directory come in a row. */
	if (n->last && n->last->raw_len == dir && memcmp(n->last->raw, path, dir) == 0 &&
	    (absolute || strcmp(n->cwd, cwd) == 0))
		return name;
	wb_buf_reset(&n->key);
	wb_buf_add(&n->key, path, dir);
	wb_buf_addc(&n->key, '\0');
	if (!absolute)
		wb_buf_adds(&n->key, cwd);
	union wb_map_value *v = wb_map_put(&n->directory, n->key.p, n->key.n, &fresh);
	if (fresh)
		v->p = learn(n, cwd, path, dir);
	n->last = name.directory = v->p;
	n->cwd = absolute ? "" : n->last->raw + dir + 1;
	return name;
}

/* Put `name` among those that were seen; false: it was there. */
static bool add_seen(struct wb_map *seen, struct wb_buf *key, const struct wb_scan_name *name)
{
	bool fresh;

	wb_buf_reset(key);
	wb_buf_add(key, &name->directory->first, sizeof name->directory->first);
	wb_buf_add(key, name->base.p, name->base.n);
	wb_map_put(seen, key->p, key->n, &fresh);
	return fresh;
}

size_t wb_scan_names_list(struct wb_scan_name **out, struct wb_arena *a, struct wb_scan_names *n, const char *cwd,
			  const struct wb_graph *g)
{
	struct wb_scan_name *name = wb_arena_array(a, g->nfile + (size_t)1, sizeof *name);
	struct wb_map seen;
	size_t kept = 0;

	*out = name;
	/* First all directories: only then it is known which of them have two spellings. */
	for (uint32_t i = 0; i < g->nfile; i++)
		name[i] = wb_scan_names_of(n, cwd, g->file[i].path);
	wb_map_init(&seen);
	for (uint32_t i = 0; i < g->nfile; i++)
		if (!name[i].directory->first->shared || add_seen(&seen, &n->key, &name[i]))
			name[kept++] = name[i];
	wb_map_release(&seen);
	return kept;
}
