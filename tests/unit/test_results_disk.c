/* What changes on the disk, and a scanner that remembers: its next answer must be a fresh scanner's, and the
 * compiler's. There are no watches that could overflow; a thousand changes at once take their place. */
#define _GNU_SOURCE
#include "base/fileio.h"
#include "base/path.h"
#include "tests/unit/results_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *at(struct oracle *o, const char *name)
{
	return wb_arena_printf(&o->a, "%s/%s", o->dir, name);
}

/* Write into the file that is there. */
static void write_in_place(struct oracle *o, const char *name, const char *text)
{
	FILE *f = fopen(at(o, name), "r+");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(ftruncate(fileno(f), (off_t)strlen(text)), 0);
	fclose(f);
}

static void move(struct oracle *o, const char *from, const char *to)
{
	assert_int_equal(rename(at(o, from), at(o, to)), 0);
}

static void drop(struct oracle *o, const char *name)
{
	assert_int_equal(unlink(at(o, name)), 0);
}

static void point(struct oracle *o, const char *name, const char *target)
{
	drop(o, name);
	oracle_link(o, target, name);
}

static void set_times(struct oracle *o, const char *name, const struct stat *st)
{
	struct timespec t[2] = {st->st_atim, st->st_mtim};
	assert_int_equal(utimensat(AT_FDCWD, at(o, name), t, 0), 0);
}

/* The tree: x.h is found in b (behind a, where it is looked for first), y.h by a symlink, z.h in a directory that is a
 * symlink, w.h by a search directory that is one. */
static void make_tree(struct oracle *o)
{
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_dir_remove(o->dir, &err), &err);
	oracle_put_fresh(o, "m.cc",
			 "#include <x.h>\n#include \"y.h\"\n#include \"d/z.h\"\n#include <w.h>\n#include \"v/v.h\"\n"
			 "#if __has_include(<late.h>)\n#include <late.h>\n#endif\n"
			 "#include \"s1.h\"\n#include \"s2.h\"\n");
	oracle_put_fresh(o, "a/keep", "");
	oracle_put_fresh(o, "b/x.h", "#include \"one.h\"\n");
	oracle_put_fresh(o, "b/one.h", "");
	oracle_put_fresh(o, "b/two.h", "");
	oracle_put_fresh(o, "other/x.h", "#include \"../b/two.h\"\n");
	oracle_put_fresh(o, "other/one.h", "");
	oracle_put_fresh(o, "other/two.h", "");
	oracle_put_fresh(o, "y1.h", "#include \"b/one.h\"\n");
	oracle_put_fresh(o, "y2.h", "#include \"b/two.h\"\n");
	oracle_link(o, "y1.h", "y.h");
	oracle_put_fresh(o, "aside/keep", "");
	oracle_link(o, "../aside/late.h", "b/late.h"); /* leads nowhere */
	oracle_put_fresh(o, "aside/v1/v.h", "#include \"v1.h\"\n");
	oracle_put_fresh(o, "aside/v1/v1.h", "");
	oracle_put_fresh(o, "aside/v2/v.h", "#include \"v2.h\"\n");
	oracle_put_fresh(o, "aside/v2/v2.h", "");
	oracle_link(o, "aside/v1", "v");
	oracle_put_fresh(o, "d1/z.h", "#include \"in1.h\"\n");
	oracle_put_fresh(o, "d1/in1.h", "");
	oracle_put_fresh(o, "d2/z.h", "#include \"in2.h\"\n");
	oracle_put_fresh(o, "d2/in2.h", "");
	oracle_link(o, "d1", "d");
	oracle_put_fresh(o, "w1/w.h", "");
	oracle_put_fresh(o, "w2/w.h", "#include <x.h>\n#include_next <w.h>\n");
	oracle_put_fresh(o, "w3/w.h", "");
	oracle_link(o, "w1", "w");
	oracle_put_fresh(o, "s1.h", "#pragma once\n#include \"s3.h\"\n");
	oracle_link(o, "s1.h", "s2.h");
	oracle_put_fresh(o, "s3.h", "");
}

static void edit(struct oracle *o)
{
	oracle_put_fresh(o, "b/x.h", "#include \"two.h\" // other\n");
}
static void edit_comment(struct oracle *o)
{
	write_in_place(o, "b/x.h", "// a comment\n\n#include \"one.h\"\n");
}
static void edit_source(struct oracle *o)
{
	write_in_place(o, "m.cc", "\n\n#include <x.h>\n#define A\n#include \"y.h\"\n");
}
static void shadow(struct oracle *o)
{
	oracle_put_fresh(o, "a/x.h", "");
}
static void shadow_by_symlink(struct oracle *o)
{
	oracle_link(o, "../b/two.h", "a/x.h");
}
static void shadow_by_move(struct oracle *o)
{
	oracle_put_fresh(o, "aside.a/x.h", "#include \"../b/one.h\"\n");
	move(o, "a", "a.old");
	move(o, "aside.a", "a");
}
static void appear(struct oracle *o)
{
	drop(o, "b/late.h");
	oracle_put_fresh(o, "b/late.h", "#include \"one.h\"\n");
}
/* Where a symlink leads: its own directory does not change. */
static void appear_behind_symlink(struct oracle *o)
{
	oracle_put_fresh(o, "aside/late.h", "");
}
static void replace_behind_symlink(struct oracle *o)
{
	move(o, "aside/v1", "aside/v3");
	move(o, "aside/v2", "aside/v1");
}
static void remove_file(struct oracle *o)
{
	drop(o, "b/two.h");
	drop(o, "b/one.h");
}
static void replace(struct oracle *o)
{
	oracle_put_fresh(o, "new", "#include \"two.h\"\n");
	move(o, "new", "b/x.h");
}
/* The inode, the size and the time of writing of another file. */
static void swap(struct oracle *o)
{
	move(o, "b/x.h", "t");
	move(o, "other/x.h", "b/x.h");
	move(o, "t", "other/x.h");
}
static void retarget_file(struct oracle *o)
{
	point(o, "y.h", "y2.h");
}
static void retarget_directory(struct oracle *o)
{
	point(o, "d", "d2");
}
static void retarget_search_directory(struct oracle *o)
{
	point(o, "w", "w2");
}
/* Two search directories become one: the second is dropped from the list. */
static void join_search_directories(struct oracle *o)
{
	point(o, "w", "w3");
}
static void dangle(struct oracle *o)
{
	point(o, "y.h", "nowhere.h");
}
static void keep_mtime(struct oracle *o)
{
	struct stat st;
	assert_int_equal(stat(at(o, "b/x.h"), &st), 0);
	write_in_place(o, "b/x.h", "#include \"two.h\"\n"); /* the same size */
	set_times(o, "b/x.h", &st);
}
static void same_second(struct oracle *o)
{
	write_in_place(o, "b/x.h", "#include \"two.h\"\n");
}
static void move_directory(struct oracle *o)
{
	move(o, "b", "b.old");
	move(o, "other", "b");
}
static void move_directory_away(struct oracle *o)
{
	move(o, "b", "b.old");
}
static void move_parent(struct oracle *o)
{
	oracle_put_fresh(o, "deep.new/down/h.h", "#include \"../../b/two.h\"\n");
	move(o, "d1", "d1.old");
	oracle_put_fresh(o, "d1/z.h", "#include \"../deep.new/down/h.h\"\n");
}
static void other_hard_link(struct oracle *o)
{
	assert_int_equal(link(at(o, "b/x.h"), at(o, "elsewhere")), 0);
	write_in_place(o, "elsewhere", "#include \"two.h\"\n");
	drop(o, "elsewhere");
}
static void through_mmap(struct oracle *o)
{
	static const char text[] = "#include \"two.h\"\n";
	int fd = open(at(o, "b/x.h"), O_RDWR);
	assert_true(fd >= 0);
	char *p = mmap(NULL, sizeof text - 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	close(fd);
	memcpy(p, text, sizeof text - 1);
	assert_int_equal(munmap(p, sizeof text - 1), 0);
}
static void into_the_past(struct oracle *o)
{
	struct stat st = {.st_mtim = {.tv_sec = 1000000000}};
	write_in_place(o, "b/x.h", "#include \"two.h\"\n");
	set_times(o, "b/x.h", &st);
}
static void into_the_future(struct oracle *o)
{
	struct stat st = {.st_mtim = {.tv_sec = 4000000000}};
	write_in_place(o, "b/x.h", "#include \"two.h\"\n");
	set_times(o, "b/x.h", &st);
	set_times(o, "m.cc", &st);
}
/* #pragma once goes by inode: now they are two files. */
static void part_names(struct oracle *o)
{
	drop(o, "s2.h");
	oracle_put_fresh(o, "s2.h", "#pragma once\n#include \"s3.h\"\n");
}
static void link_names(struct oracle *o)
{
	drop(o, "s2.h");
	assert_int_equal(link(at(o, "s1.h"), at(o, "s2.h")), 0);
}
static void file_for_directory(struct oracle *o)
{
	move(o, "a", "a.old");
	oracle_put_fresh(o, "a", "");
}
static void no_search_directory(struct oracle *o)
{
	move(o, "w1", "w1.old");
}
static void beside_forced(struct oracle *o)
{
	oracle_put_fresh(o, "b/one.h.gch", "");
	oracle_put_fresh(o, "m.cc.gch", "");
	oracle_put_fresh(o, "b/x.h.gch", "");
}

static void directory_for_file(struct oracle *o)
{
	drop(o, "b/one.h");
	assert_int_equal(mkdir(at(o, "b/one.h"), 0755), 0);
}

static const struct {
	const char *name;
	void (*change)(struct oracle *o);
} changes[] = {
#define X(f) {#f, f}
    X(edit),
    X(edit_comment),
    X(edit_source),
    X(shadow),
    X(shadow_by_symlink),
    X(shadow_by_move),
    X(appear),
    X(appear_behind_symlink),
    X(replace_behind_symlink),
    X(remove_file),
    X(replace),
    X(swap),
    X(retarget_file),
    X(retarget_directory),
    X(retarget_search_directory),
    X(join_search_directories),
    X(dangle),
    X(keep_mtime),
    X(same_second),
    X(move_directory),
    X(move_directory_away),
    X(move_parent),
    X(other_hard_link),
    X(through_mmap),
    X(into_the_past),
    X(into_the_future),
    X(part_names),
    X(link_names),
    X(file_for_directory),
    X(no_search_directory),
    X(beside_forced),
    X(directory_for_file),
#undef X
};

static const char *const lines[] = {
    "clang++-22 -Ia -Ib -Iw -Iw3 -c m.cc",
    "g++-12 -Ia -Ib -Iw -Iw3 -c m.cc",
    "clang++-22 -Ia -Ib -Iw -Iw3 -include b/one.h -c m.cc",
};
enum { LINES = sizeof lines / sizeof *lines, CHANGES = sizeof changes / sizeof *changes };

/* Each change to a tree that was looked at twice; once when everything is old and trusted, once while it is new. */
static void changes_show(struct oracle *o, bool settled)
{
	for (size_t i = 0; i < CHANGES; i++) {
		make_tree(o);
		if (settled)
			let_settle();
		for (size_t k = 0; k < LINES; k++) {
			uint64_t before = scans_made(o);
			warm_as_fresh(o, NULL, lines[k], changes[i].name, i == 0 && settled);
			warm_as_fresh(o, NULL, lines[k], changes[i].name, false);
			if (settled && scans_made(o) != before + 1)
				fail_msg("%s: %s: asked twice, scanned %d times", changes[i].name, lines[k],
					 (int)(scans_made(o) - before));
		}
		changes[i].change(o);
		for (size_t k = 0; k < 2 * LINES; k++) {
			if (k == LINES)
				let_settle();
			const char *line = lines[k % LINES];
			warm_as_fresh(o, NULL, line, wb_arena_printf(&o->a, "%s: %s", changes[i].name, line),
				      settled && k < LINES);
		}
	}
}

static void test_old_files(void **state)
{
	changes_show(*state, true);
}

static void test_new_files(void **state)
{
	changes_show(*state, false);
}

/* The other engine tells no shapes: contents count. */
static void test_engine_clang(void **state)
{
	((struct oracle *)*state)->engine = "clang";
	changes_show(*state, true);
}

/* A directory where a header is looked for is neither found nor missing; then it becomes a file, and a directory again.
 */
static void test_blocked(void **state)
{
	struct oracle *o = *state;
	for (int clang = 0; clang < 2; clang++) {
		o->engine = clang ? "clang" : NULL;
		make_tree(o);
		assert_int_equal(mkdir(at(o, "a/x.h"), 0755), 0);
		let_settle();
		for (int i = 0; i < 6; i++) {
			for (size_t k = 0; k < 2 * LINES; k++)
				warm_as_fresh(o, NULL, lines[k % LINES], lines[k % LINES], false);
			if (i % 2) {
				drop(o, "a/x.h");
				assert_int_equal(mkdir(at(o, "a/x.h"), 0755), 0);
			} else {
				assert_int_equal(rmdir(at(o, "a/x.h")), 0);
				oracle_put_fresh(o, "a/x.h", "#include \"../b/two.h\"\n");
			}
			if (i > 1)
				let_settle();
		}
	}
}

/* No pauses: what is new must not be trusted, whatever was known of the names before. */
static void test_in_haste(void **state)
{
	struct oracle *o = *state;
	make_tree(o);
	let_settle();
	for (int i = 0; i < 300; i++) {
		switch (i % 6) {
		case 0:
			oracle_put_fresh(o, "a/x.h", "");
			break;
		case 1:
			write_in_place(o, "a/x.h",
				       i % 4 == 1 ? "#include \"../b/one.h\"\n" : "#include \"../b/two.h\"\n");
			break;
		case 2:
			drop(o, "a/x.h");
			break;
		case 3:
			move(o, "b", "b.t");
			move(o, "other", "b");
			move(o, "b.t", "other");
			break;
		case 4:
			point(o, "d", i % 4 == 0 ? "d1" : "d2");
			break;
		default:
			point(o, "w", i % 4 == 1 ? "w1" : "w3");
			break;
		}
		warm_as_fresh(o, NULL, lines[0], "in haste", false);
		if (i % 7 == 0)
			let_settle();
		if (i % 3 == 0)
			warm_as_fresh(o, NULL, lines[0], "in haste, again", false);
	}
}

/* A branch is switched: a thousand files are written anew, some with other content. */
static void test_many(void **state)
{
	enum { N = 1000, UNITS = 2 };
	struct oracle *o = *state;
	struct wb_buf text = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_dir_remove(o->dir, &err), &err);
	for (int i = 0; i < N; i++) {
		wb_buf_addf(&text, "#include \"h/%d.h\"\n", i);
		oracle_put_fresh(o, wb_arena_printf(&o->a, "h/%d.h", i), "// one\n");
	}
	for (int u = 0; u < UNITS; u++)
		oracle_put_fresh(o, wb_arena_printf(&o->a, "%d.cc", u), text.p);
	wb_buf_release(&text);
	let_settle();
	for (int round = 0; round < 3; round++) {
		for (int u = 0; u < UNITS; u++)
			warm_as_fresh(o, NULL, wb_arena_printf(&o->a, "clang++-22 -c %d.cc", u), "many", false);
		for (int i = 0; i < N; i++) /* the second time with what is there already */
			oracle_put_fresh(o, wb_arena_printf(&o->a, "h/%d.h", i),
					 round == 0 && i % 3 == 0 ? "\n#include \"0.h\"\n" : "// two\n");
		if (round % 2)
			let_settle();
	}
}

/* What no scan sees of a header keeps the results of all who read it, with the lines as they are then. */
static void test_unseen_edits(void **state)
{
	enum { UNITS = 40 };
	struct oracle *o = *state;
#define REST "#if defined(Q)\n#include \"z.h\"\n#endif\n"
	static const char *const text[] = {
	    "#pragma once\n#include \"y.h\"\nint f();\n" REST "#include \"z.h\"\n",
	    "#pragma once\n#include \"y.h\"\nint g(int);\n" REST "#include \"z.h\"\n",
	    "// 1\n#pragma once\n\n#include \"y.h\" // 2\n" REST "/* 3\n\n */ int f();\n\n#include \"z.h\"\n",
	    "#pragma once\n#include \"y.h\"\n" REST "#include \"z.h\"\n",
	};
#undef REST
	for (int u = 0; u < UNITS; u++)
		oracle_put_fresh(o, wb_arena_printf(&o->a, "%d.cc", u), "#include \"x.h\"\n");
	oracle_put_fresh(o, "y.h", "");
	oracle_put_fresh(o, "z.h", "");
	for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
		uint64_t before = scans_made(o);
		oracle_put(o, "x.h", text[i]);
		for (int u = 0; u < UNITS; u++)
			warm_as_fresh(o, NULL,
				      wb_arena_printf(&o->a, "%s -c %d.cc", u % 2 ? "clang++-22" : "g++-12", u),
				      text[i], u < 2);
		assert_int_equal(scans_made(o) - before, i == 0 ? UNITS : 0);
	}
}

/* A mount changes what names stand for, and no directory's times. */
static void test_mounts(void **state)
{
	struct oracle *o = *state;
	if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		skip(); /* only root may */
	struct wb_err err = WB_ERR_INIT;
	wb_scanner_free(o->scanner); /* one of these mounts */
	assert_ok(wb_scanner_new(&o->scanner, getenv("WAYBILL_TEST_SHIM"), &err), &err);
	make_tree(o);
	let_settle();
	for (size_t k = 0; k < 4; k++) /* descriptors are kept of what is asked for often */
		warm_as_fresh(o, NULL, lines[0], "before", false);
	uint64_t scans = scans_made(o);
	warm_as_fresh(o, NULL, lines[0], "before", false);
	assert_int_equal(scans_made(o), scans);
	assert_int_equal(mount(at(o, "other"), at(o, "b"), NULL, MS_BIND, NULL), 0);
	warm_as_fresh(o, NULL, lines[0], "a directory mounted over another", true);
	assert_int_equal(mount(at(o, "d2/z.h"), at(o, "y1.h"), NULL, MS_BIND, NULL), 0);
	warm_as_fresh(o, NULL, lines[0], "a file mounted over another", true);
	assert_int_equal(mount("none", at(o, "a"), "tmpfs", 0, NULL), 0);
	warm_as_fresh(o, NULL, lines[0], "a file system mounted", true);
	oracle_put_fresh(o, "a/x.h", "");
	warm_as_fresh(o, NULL, lines[0], "a file in it", true);
	assert_int_equal(umount2(at(o, "a"), MNT_DETACH), 0);
	warm_as_fresh(o, NULL, lines[0], "and away", true);
	assert_int_equal(umount2(at(o, "y1.h"), MNT_DETACH), 0);
	assert_int_equal(umount2(at(o, "b"), MNT_DETACH), 0);
	warm_as_fresh(o, NULL, lines[0], "all away", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_old_files, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_new_files, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_engine_clang, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_blocked, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_in_haste, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_many, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_unseen_edits, oracle_setup, oracle_teardown),
	    cmocka_unit_test_setup_teardown(test_mounts, oracle_setup, oracle_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
