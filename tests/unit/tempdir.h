/* tempdir.h — a directory of a test's own, with files in it; removed at the end. */
#ifndef WB_TESTS_TEMPDIR_H
#define WB_TESTS_TEMPDIR_H

#include "base/arena.h"
#include "base/fileio.h"
#include "base/path.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tempdir {
	struct wb_arena a;
	const char *path; /* physical */
};

static inline void tempdir_init(struct tempdir *t)
{
	char text[] = "/tmp/waybill-test-XXXXXX";
	wb_arena_init(&t->a);
	assert_non_null(mkdtemp(text));
	t->path = wb_path_real(&t->a, text);
}

static inline void tempdir_release(struct tempdir *t)
{
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_dir_remove(t->path, &err), &err);
	wb_arena_release(&t->a);
}

/* "%s" of the directory and `name`. */
static inline char *tempdir_path(struct tempdir *t, const char *name)
{
	return wb_arena_printf(&t->a, "%s/%s", t->path, name);
}

static inline char *tempdir_dir(struct tempdir *t, const char *name)
{
	struct wb_err err = WB_ERR_INIT;
	char *path = tempdir_path(t, name);
	assert_ok(wb_dir_make(path, 0755, &err), &err);
	return path;
}

static inline char *tempdir_file(struct tempdir *t, const char *name, const char *text)
{
	struct wb_err err = WB_ERR_INIT;
	char *path = tempdir_path(t, name);
	assert_ok(wb_dir_make(wb_path_dirname(&t->a, path), 0755, &err), &err);
	assert_ok(wb_file_write(path, text, strlen(text), 0644, &err), &err);
	return path;
}

static inline void tempdir_link(struct tempdir *t, const char *name, const char *target)
{
	char *path = tempdir_path(t, name);
	assert_int_equal(symlink(target, path), 0);
}

/* Every "@" of `text` is the directory. */
static inline char *tempdir_text(struct tempdir *t, const char *text)
{
	char *out = wb_arena_strdup(&t->a, "");
	for (const char *at; (at = strchr(text, '@')) != NULL; text = at + 1)
		out = wb_arena_printf(&t->a, "%s%.*s%s", out, (int)(at - text), text, t->path);
	return wb_arena_printf(&t->a, "%s%s", out, text);
}

#endif
