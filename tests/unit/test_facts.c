/* File facts: a digest is remembered exactly as long as the file cannot have changed. */
#define _GNU_SOURCE
#include "scanner/facts.h"
#include "tests/unit/tempdir.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>

static void wait_out_the_clock(void)
{
	nanosleep(&(struct timespec){.tv_nsec = WB_FACTS_RACY_NS + 20000000}, NULL);
}

static struct wb_digest digest(struct wb_facts *f, struct tempdir *t, const char *path)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_fact fact;
	assert_ok(wb_facts_digest(&fact, f, &t->a, path, &err), &err);
	assert_int_equal(fact.kind, WB_FILE_REGULAR);
	return fact.digest;
}

static struct wb_digest of(const char *text)
{
	struct wb_digest d;
	wb_digest_of(&d, text, strlen(text));
	return d;
}

static void assert_digest(struct wb_digest got, struct wb_digest want)
{
	assert_true(wb_digest_eq(&got, &want));
}

static struct wb_facts *open_facts(const char *db)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_facts *f = NULL;
	assert_ok(wb_facts_new(&f, db, &err), &err);
	return f;
}

static void kinds(void **state)
{
	(void)state;
	struct tempdir t;
	struct wb_err err = WB_ERR_INIT;
	struct wb_fact fact;
	tempdir_init(&t);
	struct wb_facts *f = open_facts(NULL);
	char *file = tempdir_file(&t, "file", "text");
	chmod(file, 0755);
	tempdir_link(&t, "link", "file");
	tempdir_link(&t, "dangling", "nowhere");
	assert_int_equal(mkfifo(tempdir_path(&t, "fifo"), 0600), 0);

	assert_ok(wb_facts_look(&fact, f, &t.a, file, &err), &err);
	assert_int_equal(fact.kind, WB_FILE_REGULAR);
	assert_true(fact.exec);
	assert_ok(wb_facts_look(&fact, f, &t.a, tempdir_path(&t, "link"), &err), &err);
	assert_int_equal(fact.kind, WB_FILE_SYMLINK);
	assert_string_equal(fact.link, "file");
	assert_ok(wb_facts_look(&fact, f, &t.a, t.path, &err), &err);
	assert_int_equal(fact.kind, WB_FILE_DIRECTORY);
	assert_ok(wb_facts_look(&fact, f, &t.a, tempdir_path(&t, "none"), &err), &err);
	assert_int_equal(fact.kind, WB_FILE_MISSING);
	assert_ok(wb_facts_look(&fact, f, &t.a, tempdir_path(&t, "file/none"), &err), &err);
	assert_int_equal(fact.kind, WB_FILE_MISSING);
	assert_ok(wb_facts_look(&fact, f, &t.a, tempdir_path(&t, "fifo"), &err), &err);
	assert_int_equal(fact.kind, WB_FILE_OTHER);

	assert_digest(digest(f, &t, tempdir_path(&t, "link")), of("text"));
	assert_ok(wb_facts_digest(&fact, f, &t.a, tempdir_path(&t, "dangling"), &err), &err);
	assert_int_equal(fact.kind, WB_FILE_MISSING);
	assert_ok(wb_facts_digest(&fact, f, &t.a, tempdir_path(&t, "fifo"), &err), &err);
	assert_int_equal(fact.kind, WB_FILE_OTHER);
	wb_facts_free(f);
	tempdir_release(&t);
}

/* Overwrite in place with a text of the same length and put the modification time back. */
static void overwrite(const char *path, const char *text)
{
	struct stat st;
	int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	struct timespec times[2] = {st.st_atim, st.st_mtim};
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static void a_write_in_the_same_tick_is_seen(void **state)
{
	(void)state;
	struct tempdir t;
	tempdir_init(&t);
	struct wb_facts *f = open_facts(NULL);
	char *file = tempdir_file(&t, "file", "0000");
	for (int i = 0; i < 2000; i++) {
		char text[5];
		snprintf(text, sizeof text, "%04d", i);
		overwrite(file, text);
		assert_digest(digest(f, &t, file), of(text));
	}
	wait_out_the_clock();
	digest(f, &t, file);
	overwrite(file, "done");
	assert_digest(digest(f, &t, file), of("done"));
	wb_facts_free(f);
	tempdir_release(&t);
}

/* A digest that is not the content's shows whether it is remembered. */
static void remembered_and_persisted(void **state)
{
	(void)state;
	struct tempdir t;
	tempdir_init(&t);
	char *db = tempdir_path(&t, "facts.db"), *file = tempdir_file(&t, "file", "text");
	struct wb_digest false_digest = of("lies"), pch = of("a PCH");
	struct wb_facts *f = open_facts(db);
	wb_facts_learn(f, file, &false_digest); /* too early */
	assert_digest(digest(f, &t, file), of("text"));
	wait_out_the_clock();
	assert_digest(digest(f, &t, file), of("text"));
	wb_facts_learn(f, file, &false_digest);
	assert_digest(digest(f, &t, file), false_digest);
	assert_false(wb_facts_has_attribute(f, &pch, WB_ATTR_RECIPE_PCH));
	wb_facts_set_attribute(f, &pch, WB_ATTR_RECIPE_PCH);
	wb_facts_free(f);

	f = open_facts(db);
	assert_digest(digest(f, &t, file), false_digest);
	assert_true(wb_facts_has_attribute(f, &pch, WB_ATTR_RECIPE_PCH));
	assert_false(wb_facts_has_attribute(f, &false_digest, WB_ATTR_RECIPE_PCH));
	tempdir_file(&t, "file", "text");
	assert_digest(digest(f, &t, file), of("text"));
	wb_facts_free(f);
	tempdir_release(&t);
}

static long size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

static void a_damaged_database_is_repaired(void **state)
{
	(void)state;
	struct tempdir t;
	tempdir_init(&t);
	char *db = tempdir_path(&t, "facts.db");
	struct wb_digest one = of("one"), two = of("two");
	struct wb_facts *f = open_facts(db);
	wb_facts_set_attribute(f, &one, WB_ATTR_RECIPE_PCH);
	wb_facts_set_attribute(f, &two, WB_ATTR_RECIPE_PCH);
	wb_facts_free(f);
	long whole = size_of(db);

	/* a torn tail: the records before it are good, and so are the ones appended later */
	assert_int_equal(truncate(db, whole - 3), 0);
	f = open_facts(db);
	assert_true(wb_facts_has_attribute(f, &one, WB_ATTR_RECIPE_PCH));
	assert_false(wb_facts_has_attribute(f, &two, WB_ATTR_RECIPE_PCH));
	wb_facts_set_attribute(f, &two, WB_ATTR_RECIPE_PCH);
	wb_facts_free(f);
	assert_int_equal(size_of(db), whole);

	/* a flipped bit in the first record */
	int fd = open(db, O_RDWR);
	char c;
	assert_int_equal(pread(fd, &c, 1, 40), 1);
	c ^= 4;
	assert_int_equal(pwrite(fd, &c, 1, 40), 1);
	close(fd);
	f = open_facts(db);
	assert_false(wb_facts_has_attribute(f, &one, WB_ATTR_RECIPE_PCH));
	assert_false(wb_facts_has_attribute(f, &two, WB_ATTR_RECIPE_PCH));
	wb_facts_set_attribute(f, &one, WB_ATTR_RECIPE_PCH);
	wb_facts_free(f);

	/* something else altogether */
	tempdir_file(&t, "facts.db", "this is not a database of facts\n");
	f = open_facts(db);
	wb_facts_set_attribute(f, &two, WB_ATTR_RECIPE_PCH);
	wb_facts_free(f);
	f = open_facts(db);
	assert_true(wb_facts_has_attribute(f, &two, WB_ATTR_RECIPE_PCH));
	wb_facts_free(f);
	tempdir_release(&t);
}

static void dead_records_are_dropped(void **state)
{
	(void)state;
	struct tempdir t;
	struct wb_err err = WB_ERR_INIT;
	tempdir_init(&t);
	char *db = tempdir_path(&t, "facts.db"), *file = tempdir_file(&t, "file", "text");
	wait_out_the_clock();
	struct wb_facts *f = open_facts(db);
	struct wb_digest d = of("text");
	for (int i = 0; i < 2000; i++)
		wb_facts_learn(f, file, &d);
	assert_ok(wb_facts_flush(f, &err), &err);
	wb_facts_free(f);
	assert_true(size_of(db) > 200000);
	f = open_facts(db);
	wb_facts_free(f);
	assert_true(size_of(db) < 1000);
	f = open_facts(db);
	assert_digest(digest(f, &t, file), d);
	wb_facts_free(f);
	tempdir_release(&t);
}

static void no_database_is_an_error_with_a_name(void **state)
{
	(void)state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_facts *f = NULL;
	assert_false(wb_is_ok(wb_facts_new(&f, "/nonexistent/dir/facts.db", &err)));
	assert_says(&err, "/nonexistent/dir/facts.db");
}

struct crowd {
	struct wb_facts *f;
	const char *path[8];
	struct wb_digest want;
};

static void *ask(void *arg)
{
	struct crowd *c = arg;
	struct wb_arena a;
	wb_arena_init(&a);
	for (int i = 0; i < 40; i++) {
		struct wb_fact fact;
		if (!wb_is_ok(wb_facts_digest(&fact, c->f, &a, c->path[i % 8], NULL)) ||
		    !wb_digest_eq(&fact.digest, &c->want))
			return c;
		wb_facts_set_attribute(c->f, &fact.digest, WB_ATTR_RECIPE_PCH);
		if (!wb_facts_has_attribute(c->f, &fact.digest, WB_ATTR_RECIPE_PCH))
			return c;
	}
	wb_arena_release(&a);
	return NULL;
}

static void many_threads_one_answer(void **state)
{
	(void)state;
	struct tempdir t;
	tempdir_init(&t);
	struct crowd c = {.f = open_facts(tempdir_path(&t, "facts.db"))};
	char *text = wb_arena_alloc(&t.a, 5 << 20);
	memset(text, 'x', (5 << 20) - 1);
	for (int i = 0; i < 8; i++)
		c.path[i] = tempdir_file(&t, wb_arena_printf(&t.a, "big%d", i / 4), text);
	c.want = of(text);
	pthread_t thread[8];
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, ask, &c), 0);
	for (int i = 0; i < 8; i++) {
		void *failed;
		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
	wb_facts_free(c.f);
	tempdir_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(kinds),
	    cmocka_unit_test(a_write_in_the_same_tick_is_seen),
	    cmocka_unit_test(remembered_and_persisted),
	    cmocka_unit_test(a_damaged_database_is_repaired),
	    cmocka_unit_test(dead_records_are_dropped),
	    cmocka_unit_test(no_database_is_an_error_with_a_name),
	    cmocka_unit_test(many_threads_one_answer),
	};
	return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
