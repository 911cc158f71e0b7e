#define _GNU_SOURCE
#include "base/arena.h"
#include "base/fileio.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct wb_arena arena;
static char top[64];

static int setup(void **state)
{
	(void)state;
	wb_arena_init(&arena);
	umask(022);
	strcpy(top, "/tmp/waybill-fileio-XXXXXX");
	return mkdtemp(top) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_dir_remove(top, &err), &err);
	assert_int_equal(access(top, F_OK), -1);
	wb_arena_release(&arena);
	return 0;
}

static const char *at(const char *name)
{
	return wb_arena_printf(&arena, "%s/%s", top, name);
}

static const char *content(const char *path)
{
	struct wb_err err = WB_ERR_INIT;
	char *data;
	size_t n;
	assert_ok(wb_file_read(&data, &n, &arena, path, 64 << 20, &err), &err);
	return data;
}

static size_t entries(const char *dir)
{
	char command[256];
	snprintf(command, sizeof command, "ls -A %s | wc -l", dir);
	FILE *f = popen(command, "re");
	assert_non_null(f);
	size_t n = 0;
	assert_int_equal(fscanf(f, "%zu", &n), 1);
	pclose(f);
	return n;
}

static void test_read_limits(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t size = sizes[i], n;
		char *data = wb_arena_alloc(&arena, size), *back;
		memset(data, 'a' + (int)i, size);
		assert_ok(wb_file_write(at("f"), data, size, 0644, &err), &err);
		assert_ok(wb_file_read(&back, &n, &arena, at("f"), size, &err), &err);
		assert_int_equal(n, size);
		assert_memory_equal(back, data, size);
		assert_int_equal(back[n], 0);
		if (size > 0) {
			assert_code(wb_file_read(&back, &n, &arena, at("f"), size - 1, &err), WB_ELIMIT);
			assert_says(&err, "/f");
		}
	}
	/* Files whose size the kernel does not tell. */
	char *data;
	size_t n;
	assert_ok(wb_file_read(&data, &n, &arena, "/proc/self/status", 1 << 20, &err), &err);
	assert_true(n > 100 && strncmp(data, "Name:", 5) == 0);
	assert_code(wb_file_read(&data, &n, &arena, "/proc/self/status", 50, &err), WB_ELIMIT);
	assert_code(wb_file_read(&data, &n, &arena, "/dev/zero", 10000, &err), WB_ELIMIT);
	assert_code(wb_file_read(&data, &n, &arena, at("none"), 10, &err), WB_ENOENT);
	assert_says(&err, at("none"));
	assert_code(wb_file_read(&data, &n, &arena, top, 1 << 20, &err), WB_EIO);
}

static void test_write_replaces(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	struct stat one, two;
	assert_ok(wb_file_write(at("w"), "one", 3, 0644, &err), &err);
	assert_int_equal(stat(at("w"), &one), 0);
	int old = open(at("w"), O_RDONLY | O_CLOEXEC);
	assert_ok(wb_file_write(at("w"), "second", 6, 0755, &err), &err);
	assert_int_equal(stat(at("w"), &two), 0);
	assert_int_not_equal(one.st_ino, two.st_ino);
	assert_int_equal(two.st_mode & 07777, 0755);
	assert_string_equal(content(at("w")), "second");
	/* Who has it open goes on seeing the old content. */
	char text[8] = "";
	assert_int_equal(read(old, text, sizeof text), 3);
	assert_string_equal(text, "one");
	close(old);
	/* A long name does not become too long, a symlink is replaced and not followed. */
	char name[256];
	memset(name, 'n', 255);
	name[255] = '\0';
	assert_ok(wb_file_write(at(name), "x", 1, 0644, &err), &err);
	assert_int_equal(symlink("w", at("link")), 0);
	assert_ok(wb_file_write(at("link"), "new", 3, 0644, &err), &err);
	assert_string_equal(content(at("w")), "second");
	assert_string_equal(content(at("link")), "new");
	/* Never over what is not a file; nothing is left behind. */
	assert_ok(wb_dir_make(at("dir"), 0755, &err), &err);
	assert_code(wb_file_write(at("dir"), "x", 1, 0644, &err), WB_EINVAL);
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	assert_code(wb_file_write(at("fifo"), "x", 1, 0644, &err), WB_EINVAL);
	assert_says(&err, "fifo");
	assert_code(wb_file_write("/dev/null", "x", 1, 0644, &err), WB_EINVAL);
	assert_code(wb_file_write(at("none/f"), "x", 1, 0644, &err), WB_ENOENT);
	assert_int_equal(entries(at("dir")), 0);
}

struct race {
	const char *path;
	atomic_bool stop;
	size_t bad, reads;
};

static void *reader(void *arg)
{
	struct race *r = arg;
	static char data[200000];
	while (!atomic_load(&r->stop)) {
		int fd = open(r->path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			r->bad++;
			continue;
		}
		size_t n = 0;
		for (ssize_t got; (got = read(fd, data + n, sizeof data - n)) > 0;)
			n += (size_t)got;
		close(fd);
		r->reads++;
		if (n != 100000)
			r->bad++;
		for (size_t i = 1; i < n; i++)
			if (data[i] != data[0]) {
				r->bad++;
				break;
			}
	}
	return NULL;
}

/* Readers see the old or the new content, never a part of it, and always a file. */
static void test_atomic(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_dir_make(at("race"), 0755, &err), &err);
	struct race r = {.path = at("race/f")};
	char *data = wb_arena_alloc(&arena, 100000);
	memset(data, 'a', 100000);
	assert_ok(wb_file_write(r.path, data, 100000, 0644, &err), &err);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, reader, &r), 0);
	for (int i = 0; i < 300; i++) {
		memset(data, 'a' + i % 26, 100000);
		assert_ok(wb_file_write(r.path, data, 100000, 0644, &err), &err);
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(r.bad, 0);
	assert_int_equal(entries(at("race")), 1);
}

static void test_copy(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	static const size_t sizes[] = {0, 1, 65536, 65537, 3000000};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t size = sizes[i];
		char *data = wb_arena_alloc(&arena, size);
		for (size_t k = 0; k < size; k++)
			data[k] = (char)(k * 31 + k / 251);
		struct wb_digest want, got;
		wb_digest_of(&want, data, size);
		assert_ok(wb_file_write(at("from"), data, size, 0644, &err), &err);
		for (int with_digest = 0; with_digest < 2; with_digest++) {
			unlink(at("to"));
			assert_ok(wb_file_copy(at("from"), at("to"), 0555, with_digest ? &got : NULL, &err), &err);
			if (with_digest)
				assert_true(wb_digest_eq(&got, &want));
			assert_ok(wb_digest_file(&got, at("to"), &err), &err);
			assert_true(wb_digest_eq(&got, &want));
			struct stat st;
			assert_int_equal(stat(at("to"), &st), 0);
			assert_int_equal(st.st_mode & 07777, 0555);
			assert_int_equal(st.st_nlink, 1);
		}
	}
	assert_code(wb_file_copy(at("from"), at("to"), 0644, NULL, &err), WB_EBUSY);
	assert_says(&err, at("to"));
	unlink(at("to"));
	assert_code(wb_file_copy(at("none"), at("to"), 0644, NULL, &err), WB_ENOENT);
	assert_says(&err, at("none"));
	assert_code(wb_file_copy(top, at("to"), 0644, NULL, &err), WB_EINVAL);
	assert_int_equal(mkfifo(at("pipe"), 0600), 0);
	assert_code(wb_file_copy(at("pipe"), at("to"), 0644, NULL, &err), WB_EINVAL);
	assert_code(wb_file_copy(at("from"), at("none/to"), 0644, NULL, &err), WB_ENOENT);
	assert_int_equal(access(at("to"), F_OK), -1);
	/* The kernel's copy says "0 bytes" for files like this one. */
	assert_ok(wb_file_copy("/proc/cpuinfo", at("cpuinfo"), 0644, NULL, &err), &err);
	assert_true(strlen(content(at("cpuinfo"))) > 50);
}

static void test_place(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_file_write(at("result"), "object", 6, 0444, &err), &err);
	struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	assert_int_equal(utimensat(AT_FDCWD, at("result"), old, 0), 0);
	struct stat source, last = {0}, now;
	assert_int_equal(stat(at("result"), &source), 0);
	for (int i = 0; i < 3; i++) {
		assert_ok(wb_file_place(at("result"), at("a.o"), 0644, &err), &err);
		assert_int_equal(stat(at("a.o"), &now), 0);
		assert_string_equal(content(at("a.o")), "object");
		assert_int_equal(now.st_mode & 07777, 0644);
		assert_int_not_equal(now.st_ino, source.st_ino);
		assert_int_not_equal(now.st_ino, last.st_ino);
		/* Fresh: make and ninja compare it with the sources'. */
		assert_true(now.st_mtim.tv_sec > source.st_mtim.tv_sec + 1000);
		assert_true(now.st_mtim.tv_sec > last.st_mtim.tv_sec ||
			    (now.st_mtim.tv_sec == last.st_mtim.tv_sec && now.st_mtim.tv_nsec >= last.st_mtim.tv_nsec));
		last = now;
	}
	assert_code(wb_file_place(at("result"), "/dev/null", 0644, &err), WB_EINVAL);
	assert_int_equal(stat("/dev/null", &now), 0);
	assert_true(S_ISCHR(now.st_mode));
	assert_code(wb_file_place(at("none"), at("b.o"), 0644, &err), WB_ENOENT);
	assert_code(wb_file_place(at("result"), at("none/b.o"), 0644, &err), WB_ENOENT);
	assert_int_equal(access(at("b.o"), F_OK), -1);
}

static void test_dirs(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	struct stat st;
	assert_ok(wb_dir_make(at("p/q/r//s/"), 0755, &err), &err);
	assert_ok(wb_dir_make(at("p/q/r/s"), 0755, &err), &err);
	assert_int_equal(stat(at("p/q/r/s"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_ok(wb_dir_make("/", 0755, &err), &err);
	assert_ok(wb_file_write(at("p/file"), "x", 1, 0644, &err), &err);
	assert_code(wb_dir_make(at("p/file"), 0755, &err), WB_EIO);
	assert_says(&err, "p/file");
	assert_code(wb_dir_make(at("p/file/below"), 0755, &err), WB_EIO);
	assert_code(wb_dir_make("", 0755, &err), WB_ENOENT);
	/* Relative, one that is new at its first component. */
	assert_int_equal(chdir(top), 0);
	assert_ok(wb_dir_make("rel/x", 0755, &err), &err);
	assert_int_equal(access(at("rel/x"), F_OK), 0);

	/* Removing: symlinks themselves, not what they point at; read-only directories too. */
	assert_ok(wb_file_write(at("keep"), "x", 1, 0644, &err), &err);
	assert_ok(wb_dir_make(at("keepdir/sub"), 0755, &err), &err);
	assert_int_equal(symlink(at("keep"), at("p/q/to-file")), 0);
	assert_int_equal(symlink(at("keepdir"), at("p/q/to-dir")), 0);
	assert_int_equal(symlink("nowhere", at("p/q/r/dangling")), 0);
	for (int i = 0; i < 500; i++)
		assert_ok(wb_file_write(wb_arena_printf(&arena, "%s/p/q/r/f%d", top, i), "", 0, 0444, &err), &err);
	assert_int_equal(chmod(at("p/q/r"), 0555), 0);
	assert_int_equal(chmod(at("p/q"), 0000), 0);
	assert_ok(wb_dir_remove(at("p"), &err), &err);
	assert_int_equal(access(at("p"), F_OK), -1);
	assert_int_equal(access(at("keep"), F_OK), 0);
	assert_int_equal(access(at("keepdir/sub"), F_OK), 0);
	assert_ok(wb_dir_remove(at("p"), &err), &err);
	assert_ok(wb_dir_remove(at("keep"), &err), &err);
	assert_int_equal(access(at("keep"), F_OK), -1);
	assert_int_equal(symlink("keepdir", at("todir")), 0);
	assert_ok(wb_dir_remove(at("todir"), &err), &err);
	assert_int_equal(access(at("keepdir/sub"), F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read_limits), cmocka_unit_test(test_write_replaces), cmocka_unit_test(test_atomic),
	    cmocka_unit_test(test_copy),        cmocka_unit_test(test_place),          cmocka_unit_test(test_dirs),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
