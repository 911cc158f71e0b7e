#include "base/path.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

/* Cut the next component off `*p`; false at the end. Slashes in a row count as one. */
static bool next_component(const char **p, const char **name, size_t *n)
{
	while (**p == '/')
		(*p)++;
	if (**p == '\0')
		return false;
	*name = *p;
	*n = strcspn(*p, "/");
	*p += *n;
	return true;
}

static bool is_dot(const char *name, size_t n)
{
	return n == 1 && name[0] == '.';
}

static bool is_dotdot(const char *name, size_t n)
{
	return n == 2 && name[0] == '.' && name[1] == '.';
}

/* Length of `out` (absolute when `root` is 1) without its last component. */
static size_t without_last(const char *out, size_t n, size_t root)
{
	while (n > root && out[n - 1] != '/')
		n--;
	return n > root ? n - 1 : n;
}

/* Put `dir`/`path` (or `path` when `dir` is NULL) together component by component. */
static char *build(struct wb_arena *a, const char *dir, const char *path, bool fold_dotdot)
{
	const char *part[2] = {dir == NULL ? "" : dir, path};
	size_t room = strlen(part[0]) + strlen(part[1]) + 3;
	char *out = wb_arena_alloc(a, room);
	size_t n = 0, root = (dir == NULL ? path : dir)[0] == '/';
	size_t keep = root; /* nothing before this may be folded away: the root, and leading ".." of a relative path */
	if (root)
		out[n++] = '/';
	for (int i = 0; i < 2; i++) {
		const char *p = part[i], *name;
		size_t len;
		while (next_component(&p, &name, &len)) {
			if (is_dot(name, len))
				continue;
			if (fold_dotdot && is_dotdot(name, len)) {
				if (n > keep) {
					n = without_last(out, n, keep > root ? keep : root);
					continue;
				}
				if (root)
					continue; /* "/.." is "/" */
			}
			if (n > root)
				out[n++] = '/';
			memcpy(out + n, name, len);
			n += len;
			if (fold_dotdot && is_dotdot(name, len))
				keep = n;
		}
	}
	if (n == 0)
		out[n++] = '.';
	out[n] = '\0';
	return out;
}

char *wb_path_join(struct wb_arena *a, const char *dir, const char *path)
{
	return build(a, path[0] == '/' ? NULL : dir, path, false);
}

char *wb_path_fold(struct wb_arena *a, const char *path)
{
	return build(a, NULL, path, false);
}

char *wb_path_normal(struct wb_arena *a, const char *path)
{
	return build(a, NULL, path, true);
}

/* Bytes of the deepest common directory of two absolute normal paths; 1 for "/". */
static size_t common_length(const char *x, const char *y)
{
	size_t i = 0, last = 0;
	while (x[i] != '\0' && x[i] == y[i]) {
		if (x[i] == '/')
			last = i;
		i++;
	}
	if ((x[i] == '\0' || x[i] == '/') && (y[i] == '\0' || y[i] == '/') && i > 1)
		last = i;
	return last == 0 ? 1 : last;
}

char *wb_path_relative(struct wb_arena *a, const char *from, const char *to)
{
	size_t n = common_length(from, to), up = 0, len;
	const char *p = from + n, *name;
	while (next_component(&p, &name, &len))
		up++;
	const char *rest = to + n;
	while (*rest == '/')
		rest++;
	size_t m = strlen(rest);
	if (up == 0)
		return m == 0 ? wb_arena_strdup(a, ".") : wb_arena_strndup(a, rest, m);
	char *out = wb_arena_alloc(a, up * 3 + m + 1), *o = out;
	for (size_t i = 0; i < up; i++) {
		memcpy(o, "../", 3);
		o += 3;
	}
	if (m == 0)
		o[-1] = '\0';
	memcpy(o, rest, m);
	return out;
}

const char *wb_path_after(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	if (n == 1 && dir[0] == '/')
		return path[0] == '/' ? path + 1 : NULL;
	if (strncmp(path, dir, n) != 0)
		return NULL;
	if (path[n] == '\0')
		return path + n;
	return path[n] == '/' ? path + n + 1 : NULL;
}

bool wb_path_below(const char *path, const char *dir)
{
	return wb_path_after(path, dir) != NULL;
}

char *wb_path_common(struct wb_arena *a, const char *x, const char *y)
{
	return wb_arena_strndup(a, x, common_length(x, y));
}

char *wb_path_dirname(struct wb_arena *a, const char *path)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	while (n > 1 && path[n - 1] == '/')
		n--;
	return n == 0 ? wb_arena_strdup(a, ".") : wb_arena_strndup(a, path, n);
}

const char *wb_path_basename(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? path : slash + 1;
}

const char *wb_path_suffix(const char *path)
{
	const char *name = wb_path_basename(path);
	const char *dot = strrchr(name, '.');
	if (dot == NULL || is_dot(name, strlen(name)) || is_dotdot(name, strlen(name)))
		return name + strlen(name);
	return dot;
}

bool wb_path_has_dotdot(const char *path)
{
	const char *name;
	size_t n;
	while (next_component(&path, &name, &n))
		if (is_dotdot(name, n))
			return true;
	return false;
}

char *wb_path_real(struct wb_arena *a, const char *path)
{
	char *real = realpath(path, NULL);
	if (real == NULL)
		return NULL;
	char *out = wb_arena_strdup(a, real);
	free(real);
	return out;
}
