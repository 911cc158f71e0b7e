#define _GNU_SOURCE
#include "base/arena.h"
#include "base/clock.h"
#include "base/fileio.h"
#include "service/store.h"
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	struct wb_store *s;
	struct wb_arena a;
	struct wb_err err;
};

static void open_store(struct fixture *f, int64_t limit)
{
	assert_ok(wb_store_new(&f->s, wb_arena_printf(&f->a, "%s/store", f->dir), limit, &f->err), &f->err);
}

static void close_store(struct fixture *f)
{
	wb_store_free(f->s);
	f->s = NULL;
}

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	strcpy(f->dir, "/tmp/waybill-test-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	wb_arena_init(&f->a);
	open_store(f, 0);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;
	close_store(f);
	assert_ok(wb_dir_remove(f->dir, &f->err), &f->err);
	wb_arena_release(&f->a);
	free(f);
	return 0;
}

static struct wb_digest put(struct fixture *f, const char *text)
{
	struct wb_digest d;
	wb_digest_of(&d, text, strlen(text));
	assert_ok(wb_store_put(f->s, &d, text, &f->err), &f->err);
	return d;
}

static char *blob_path(struct fixture *f, const struct wb_digest *d, const char *suffix)
{
	char hex[WB_DIGEST_HEX];
	wb_digest_hex(hex, d);
	return wb_arena_printf(&f->a, "%s/store/cas/%.2s/%s%s", f->dir, hex, hex, suffix);
}

static char *in_dir(struct fixture *f, const char *name)
{
	return wb_arena_printf(&f->a, "%s/%s", f->dir, name);
}

static char *content(struct fixture *f, const char *path)
{
	char *data;
	size_t n;
	assert_ok(wb_file_read(&data, &n, &f->a, path, 1 << 20, &f->err), &f->err);
	return data;
}

static void damage(const char *path)
{
	assert_int_equal(chmod(path, 0600), 0);
	int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "#", 1, 0), 1);
	close(fd);
}

static void age(const char *path, int seconds)
{
	struct timespec t[2] = {{.tv_sec = (time_t)(wb_clock_wall_ns() / 1000000000) - seconds},
				{.tv_nsec = UTIME_OMIT}};
	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void test_put_get(void **state)
{
	struct fixture *f = *state;
	struct wb_digest d = put(f, "hello"), other, empty;
	struct stat st;
	char *data;
	assert_true(wb_store_has(f->s, &d));
	assert_ok(wb_store_get(&data, &f->a, f->s, &d, 100, &f->err), &f->err);
	assert_string_equal(data, "hello");
	assert_code(wb_store_get(&data, &f->a, f->s, &d, 4, &f->err), WB_ELIMIT);
	assert_int_equal(stat(blob_path(f, &d, ""), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0444);
	/* Not what it is said to be. */
	wb_digest_of(&other, "other", 5);
	assert_code(wb_store_put(f->s, &other, "hello", &f->err), WB_EINVAL);
	assert_false(wb_store_has(f->s, &other));
	assert_code(wb_store_get(&data, &f->a, f->s, &other, 100, &f->err), WB_ENOENT);
	/* The size is part of a digest. */
	other = d;
	other.size = 6;
	assert_false(wb_store_has(f->s, &other));
	d = put(f, "hello");
	/* The empty blob is always there. */
	wb_digest_of(&empty, "", 0);
	assert_true(wb_store_has(f->s, &empty));
	assert_ok(wb_store_get(&data, &f->a, f->s, &empty, 0, &f->err), &f->err);
	assert_ok(wb_store_place(f->s, &empty, in_dir(f, "empty"), false, &f->err), &f->err);
	assert_ok(wb_store_link(f->s, &empty, in_dir(f, "empty2"), true, false, &f->err), &f->err);
	assert_int_equal(stat(in_dir(f, "empty2"), &st), 0);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_mode & 0777, 0555);
	assert_int_equal(wb_store_count(f->s), 1);
	assert_int_equal(wb_store_bytes(f->s), 5);
}

static void test_put_file(void **state)
{
	struct fixture *f = *state;
	struct wb_digest d, want;
	struct stat st;
	char *path = in_dir(f, "file");
	assert_ok(wb_file_write(path, "content", 7, 0644, &f->err), &f->err);
	assert_ok(wb_store_put_file(f->s, NULL, path, &d, &f->err), &f->err);
	wb_digest_of(&want, "content", 7);
	assert_true(wb_digest_eq(&d, &want));
	assert_ok(wb_store_put_file(f->s, &want, path, NULL, &f->err), &f->err);
	/* A copy, not a link. */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_nlink, 1);
	wb_digest_of(&want, "something else", 14);
	assert_code(wb_store_put_file(f->s, &want, path, NULL, &f->err), WB_ESTALE);
	assert_false(wb_store_has(f->s, &want));
	assert_code(wb_store_put_file(f->s, NULL, in_dir(f, "none"), &d, &f->err), WB_ENOENT);
	assert_code(wb_store_put_file(f->s, NULL, f->dir, &d, &f->err), WB_EINVAL);
	assert_int_equal(rmdir(wb_store_tmp(f->s)), 0); /* nothing is left in it */
	assert_int_equal(mkdir(wb_store_tmp(f->s), 0700), 0);
}

static void test_take_file(void **state)
{
	struct fixture *f = *state;
	struct wb_digest d, want;
	struct stat before, after;
	char *path = in_dir(f, "file"), *twin = in_dir(f, "twin"), *data;
	assert_ok(wb_file_write(path, "content", 7, 0644, &f->err), &f->err);
	assert_int_equal(stat(path, &before), 0);
	assert_ok(wb_store_take_file(f->s, path, false, &d, &f->err), &f->err);
	wb_digest_of(&want, "content", 7);
	assert_true(wb_digest_eq(&d, &want));
	assert_int_equal(stat(blob_path(f, &d, ""), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_mode & 07777, 0444);
	assert_int_equal(access(path, F_OK), -1);
	/* A second name: only a copy is safe. */
	assert_ok(wb_file_write(path, "other", 5, 0644, &f->err), &f->err);
	assert_int_equal(link(path, twin), 0);
	assert_ok(wb_store_take_file(f->s, path, true, &d, &f->err), &f->err);
	damage(twin);
	assert_ok(wb_store_get(&data, &f->a, f->s, &d, 100, &f->err), &f->err);
	assert_string_equal(data, "other");
	/* No links. */
	assert_int_equal(symlink("/etc/passwd", in_dir(f, "link")), 0);
	assert_false(wb_is_ok(wb_store_take_file(f->s, in_dir(f, "link"), false, &d, &f->err)));
}

static void test_link_and_place(void **state)
{
	struct fixture *f = *state;
	struct wb_digest d = put(f, "#!/bin/sh\n");
	struct stat a, b;
	char *to = in_dir(f, "to"), *x = in_dir(f, "x"), *copy = in_dir(f, "copy");
	assert_ok(wb_store_link(f->s, &d, to, false, false, &f->err), &f->err);
	assert_int_equal(stat(to, &a), 0);
	assert_int_equal(stat(blob_path(f, &d, ""), &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	/* An executable is another inode: the mode belongs to it. */
	assert_ok(wb_store_link(f->s, &d, x, true, false, &f->err), &f->err);
	assert_int_equal(stat(x, &b), 0);
	assert_int_equal(b.st_mode & 0777, 0555);
	assert_int_not_equal(a.st_ino, b.st_ino);
	assert_int_equal(wb_store_count(f->s), 2);
	assert_ok(wb_store_link(f->s, &d, copy, false, true, &f->err), &f->err);
	assert_int_equal(stat(copy, &b), 0);
	assert_int_equal(b.st_nlink, 1);
	wb_store_unlink(f->s, &d, to, false);
	assert_int_equal(access(to, F_OK), -1);
	/* Only the executable is left: the plain one comes back from it. */
	assert_int_equal(unlink(blob_path(f, &d, "")), 0);
	assert_true(wb_store_has(f->s, &d));
	assert_ok(wb_store_link(f->s, &d, to, false, false, &f->err), &f->err);
	assert_string_equal(content(f, to), "#!/bin/sh\n");

	mode_t old = umask(027);
	assert_ok(wb_store_place(f->s, &d, to, true, &f->err), &f->err); /* over what is there */
	umask(old);
	assert_int_equal(stat(to, &a), 0);
	assert_int_equal(a.st_nlink, 1);
	assert_int_equal(a.st_mode & 0777, 0750);
	assert_code(wb_store_place(f->s, &d, in_dir(f, "no/such/dir"), false, &f->err), WB_EIO);
	wb_digest_of(&d, "absent", 6);
	assert_code(wb_store_place(f->s, &d, to, false, &f->err), WB_ENOENT);
	assert_code(wb_store_link(f->s, &d, to, false, false, &f->err), WB_ENOENT);
	assert_string_equal(content(f, to), "#!/bin/sh\n");
}

/* Every way of reading finds a damaged blob, and removes it. */
static void test_damage(void **state)
{
	struct fixture *f = *state;
	char *data, *to = in_dir(f, "to");
	for (int how = 0; how < 6; how++) {
		struct wb_digest d = put(f, "good content");
		char *path = blob_path(f, &d, "");
		assert_ok(wb_store_link(f->s, &d, to, false, false, &f->err), &f->err);
		wb_store_unlink(f->s, &d, to, false);
		damage(path);
		wb_status s = wb_ok();
		switch (how) {
		case 0:
			s = wb_store_get(&data, &f->a, f->s, &d, 100, &f->err);
			break;
		case 1:
			s = wb_store_place(f->s, &d, to, false, &f->err);
			break;
		case 2:
			s = wb_store_link(f->s, &d, to, false, false, &f->err);
			break;
		case 3:
			s = wb_store_link(f->s, &d, to, true, true, &f->err);
			break;
		case 4: /* cut off, as a power loss may leave it */
			assert_int_equal(truncate(path, 0), 0);
			assert_false(wb_store_has(f->s, &d));
			s = wb_store_link(f->s, &d, to, false, false, &f->err);
			break;
		case 5: /* a put heals it */
			put(f, "good content");
			assert_ok(wb_store_get(&data, &f->a, f->s, &d, 100, &f->err), &f->err);
			continue;
		}
		assert_true(s.code == WB_ECORRUPT || s.code == WB_ENOENT);
		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(access(to, F_OK), -1);
		assert_false(wb_store_has(f->s, &d));
		assert_int_equal(wb_store_count(f->s), 0);
		assert_int_equal(wb_store_bytes(f->s), 0);
	}
}

/* A linked blob is not read again at every link: 64 MB a hundred times would take seconds. */
static void test_verified_once(void **state)
{
	struct fixture *f = *state;
	enum { SIZE = 64 << 20 };
	char *big = malloc(SIZE), *to = in_dir(f, "to");
	struct wb_digest d;
	memset(big, 'x', SIZE);
	wb_digest_of(&d, big, SIZE);
	assert_ok(wb_store_put(f->s, &d, big, &f->err), &f->err);
	free(big);
	close_store(f);
	open_store(f, 0);
	int64_t start = wb_clock_ns();
	assert_ok(wb_store_link(f->s, &d, to, false, false, &f->err), &f->err);
	int64_t first = wb_clock_ns() - start;
	wb_store_unlink(f->s, &d, to, false);
	start = wb_clock_ns();
	for (int i = 0; i < 100; i++) {
		assert_ok(wb_store_link(f->s, &d, to, false, false, &f->err), &f->err);
		wb_store_unlink(f->s, &d, to, false);
	}
	if (wb_clock_ns() - start > first)
		fail_msg("100 links: %lld us, the first: %lld us", (long long)(wb_clock_ns() - start) / 1000,
			 (long long)first / 1000);
}

static void test_evict(void **state)
{
	struct fixture *f = *state;
	struct wb_digest d[10];
	int64_t freed;
	for (int i = 0; i < 10; i++)
		d[i] = put(f, wb_arena_printf(&f->a, "%099d\n", i));
	/* Times of use survive a restart: 9 is the oldest. */
	close_store(f);
	for (int i = 0; i < 10; i++)
		age(blob_path(f, &d[i], ""), 1000 + i * 10);
	open_store(f, 500);
	assert_int_equal(wb_store_bytes(f->s), 1000);
	assert_true(wb_store_has(f->s, &d[9])); /* used now */
	struct wb_pins *pins = wb_pins_new(f->s);
	wb_pins_add(pins, &d[8]);
	wb_pins_add(pins, &d[8]);
	assert_ok(wb_store_prune(f->s, -1, &freed, &f->err), &f->err);
	assert_int_equal(freed, 500);
	assert_int_equal(wb_store_bytes(f->s), 500);
	for (int i = 0; i < 10; i++)
		assert_int_equal(access(blob_path(f, &d[i], ""), F_OK), i <= 2 || i >= 8 ? 0 : -1);
	assert_ok(wb_store_prune(f->s, 0, &freed, &f->err), &f->err);
	assert_int_equal(wb_store_count(f->s), 1);
	assert_ok(wb_store_clear(f->s, &f->err), &f->err);
	assert_true(wb_store_has(f->s, &d[8]));
	wb_pins_free(pins);
	assert_ok(wb_store_clear(f->s, &f->err), &f->err);
	assert_int_equal(wb_store_count(f->s), 0);
	assert_int_equal(wb_store_bytes(f->s), 0);
	assert_false(wb_store_has(f->s, &d[8]));
}

/* Above the limit the store makes room by itself, but not of what was used just now. */
static void test_evict_by_itself(void **state)
{
	struct fixture *f = *state;
	close_store(f);
	open_store(f, 100000);
	char text[1001];
	memset(text, 'x', 1000);
	text[1000] = '\0';
	for (int i = 0; i < 200; i++) {
		snprintf(text, 10, "%09d", i);
		text[9] = 'x';
		struct wb_digest d = put(f, text);
		if (i < 150) { /* as if used long ago */
			age(blob_path(f, &d, ""), 1000);
		}
	}
	usleep(200000);
	assert_int_equal(wb_store_bytes(f->s), 200000);
	close_store(f);
	for (int i = 0; i < 150; i++) {
		struct wb_digest d;
		snprintf(text, 10, "%09d", i);
		text[9] = 'x';
		wb_digest_of(&d, text, 1000);
		age(blob_path(f, &d, ""), 1000);
	}
	open_store(f, 100000);
	put(f, "a little more");
	memset(text, 'y', 1000);
	put(f, text);
	for (int i = 0; i < 5000 && wb_store_bytes(f->s) > 90000; i++)
		usleep(1000);
	assert_in_range(wb_store_bytes(f->s), 80000, 90000);
}

static void test_reopen(void **state)
{
	struct fixture *f = *state;
	struct wb_store *second;
	struct wb_digest d = put(f, "hello");
	char *dir = in_dir(f, "store"), *left = wb_arena_printf(&f->a, "%s/left/over", wb_store_tmp(f->s));
	assert_code(wb_store_new(&second, dir, 0, &f->err), WB_EBUSY);
	assert_ok(wb_dir_make(left, 0700, &f->err), &f->err);
	assert_int_equal(chmod(left, 0500), 0);
	assert_int_equal(wb_store_bytes(f->s), 5); /* counted: so the totals are kept */
	close_store(f);
	char *usage = wb_arena_printf(&f->a, "%s/usage", dir);
	assert_int_equal(access(usage, F_OK), 0);
	open_store(f, 0);
	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(access(usage, F_OK), -1);
	assert_int_equal(wb_store_bytes(f->s), 5);
	close_store(f);
	/* Totals that make no sense, or none: counted anew. */
	static const char *const text[] = {"waybill store usage 1\n-3 5\n", "waybill store usage 1\n7 7\n7", "nonsense",
					   ""};
	for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
		assert_ok(wb_file_write(usage, text[i], strlen(text[i]), 0600, &f->err), &f->err);
		open_store(f, 0);
		assert_int_equal(wb_store_count(f->s), 1);
		assert_int_equal(wb_store_bytes(f->s), 5);
		close_store(f);
	}
	open_store(f, 0);
	assert_true(wb_store_has(f->s, &d));
	assert_code(wb_store_new(&second, "relative", 0, &f->err), WB_EINVAL);
	assert_false(wb_is_ok(wb_store_new(&second, "/proc/nope", 0, &f->err)));
}

/* A daemon that was killed leaves a store that opens. */
static void test_killed(void **state)
{
	struct fixture *f = *state;
	struct wb_digest d = put(f, "kept");
	close_store(f);
	pid_t pid = fork();
	if (pid == 0) {
		open_store(f, 0);
		put(f, "put by the one that is killed");
		kill(getpid(), SIGKILL);
	}
	int status;
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	open_store(f, 0);
	assert_true(wb_store_has(f->s, &d));
	assert_int_equal(wb_store_count(f->s), 2);
	assert_int_equal(wb_store_bytes(f->s), 4 + 29);
}

struct racer {
	struct fixture *f;
	int id;
	int failures;
};

/* Everybody puts, links, pins, evicts and damages the same few blobs. */
static void *race(void *arg)
{
	struct racer *r = arg;
	struct wb_store *s = r->f->s;
	struct wb_arena a;
	struct wb_err err = WB_ERR_INIT;
	wb_arena_init(&a);
	for (int i = 0; i < 300; i++) {
		char text[4000], *data;
		int64_t freed;
		memset(text, 'a' + i % 7, sizeof text);
		struct wb_digest d;
		wb_digest_of(&d, text, sizeof text);
		char *to = wb_store_tmp_name(s, &a);
		struct wb_pins *pins = wb_pins_new(s);
		wb_pins_add(pins, &d);
		wb_status st = wb_store_put(s, &d, text, &err);
		if (wb_is_ok(st))
			st = wb_store_link(s, &d, to, i % 3 == 0, false, &err);
		if (wb_is_ok(st)) {
			st = wb_store_get(&data, &a, s, &d, 10000, &err);
			wb_store_unlink(s, &d, to, i % 3 == 0);
		}
		if (!wb_is_ok(st)) {
			fprintf(stderr, "%s\n", err.text);
			r->failures++;
		}
		wb_pins_free(pins);
		if (i % 50 == r->id)
			r->failures += !wb_is_ok(wb_store_prune(s, 8000, &freed, &err));
		wb_store_bytes(s);
	}
	wb_arena_release(&a);
	return NULL;
}

static void test_races(void **state)
{
	struct fixture *f = *state;
	pthread_t t[6];
	struct racer r[6];
	for (int i = 0; i < 6; i++) {
		r[i] = (struct racer){.f = f, .id = i};
		assert_int_equal(pthread_create(&t[i], NULL, race, &r[i]), 0);
	}
	for (int i = 0; i < 6; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(r[i].failures, 0);
	}
	/* The totals are those of the disk. */
	int64_t bytes = wb_store_bytes(f->s), count = wb_store_count(f->s);
	close_store(f);
	unlink(in_dir(f, "store/usage"));
	open_store(f, 0);
	assert_int_equal(wb_store_bytes(f->s), bytes);
	assert_int_equal(wb_store_count(f->s), count);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(test_put_get), TEST(test_put_file),      TEST(test_take_file), TEST(test_link_and_place),
	    TEST(test_damage),  TEST(test_verified_once), TEST(test_evict),     TEST(test_evict_by_itself),
	    TEST(test_reopen),  TEST(test_killed),        TEST(test_races),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
