/* The input roots that the embedded executor keeps and changes into the next action's: over random trees, with blobs
 * that rot, and from many threads. Every case runs in bubblewrap (when this machine permits it) and in a bare
 * directory. */
#define _GNU_SOURCE
#include "tests/unit/local_backend.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A random tree over few names, so that each is now a file, now a directory, now gone. Returns how many inputs. */
static size_t random_tree(struct local *f, struct local_input *in, unsigned *seed)
{
	static const char *const text[] = {"", "one\n", "two\n", "three\n"};
	static const char *const target[] = {"b", "../c/x", "nowhere"};
	size_t n = 0;
	in[n++] = (struct local_input){.path = "r/build/obj"};
	for (int i = 0; i < 4; i++) {
		const char *dir = wb_arena_printf(&f->a, "r/src/%c", 'a' + i);
		int kind = rand_r(seed) % 6;
		if (kind == 0)
			continue;
		if (kind == 1) {
			in[n++] =
			    (struct local_input){.path = dir, .data = text[rand_r(seed) % 4], .exec = rand_r(seed) % 2};
			continue;
		}
		in[n++] = (struct local_input){.path = dir};
		for (int k = 0; k < 4; k++) {
			const char *path = wb_arena_printf(&f->a, "%s/%c", dir, 'w' + k);
			int what = rand_r(seed) % 8;
			if (what < 4)
				in[n++] = (struct local_input){
				    .path = path, .data = text[what], .exec = rand_r(seed) % 8 == 0};
			else if (what == 4)
				in[n++] = (struct local_input){.path = path, .link = target[rand_r(seed) % 3]};
			else if (what == 5)
				in[n++] = (struct local_input){.path = wb_arena_printf(&f->a, "%s/deep/%d", path, k),
							       .data = text[rand_r(seed) % 4]};
		}
	}
	if (rand_r(seed) % 3 == 0)
		in[n++] = (struct local_input){.path = "r/build/obj/in.pch", .data = text[rand_r(seed) % 4]};
	return n;
}

/* Input roots are kept and changed into the next action's: no action may see anything of another one. Compared with a
 * backend that keeps none, over a row of random trees, with evictions and damage in between. */
static void successive(struct local *f)
{
	struct local fresh;
	unsigned seed = 1;
	const char *out[] = {"obj/a.o", NULL};
	local_begin(&fresh, f->sandbox);
	for (int i = 0; i < 60; i++) {
		struct local_input in[40];
		struct wb_action_result r[2];
		size_t n = random_tree(f, in, &seed);
		const char *script =
		    "cd .. && find . -path ./build/obj -prune -o -printf '%y %m %p %l\\n' | sort && "
		    "find src build/obj/in.pch -type f 2>/dev/null | sort | xargs -r cat; : > build/obj/a.o";
		if (i % 13 == 7)
			assert_ok(wb_store_clear(f->store, &f->err), &f->err);
		struct wb_digest action = local_sh(f, script, out, in, n);
		assert_ok(local_execute(f, &r[0], &action), &f->err);
		fresh.b->free(fresh.b);
		assert_ok(wb_backend_local_new(&fresh.b, fresh.store, fresh.cache, fresh.sandbox, fresh.slots, &f->err),
			  &f->err);
		action = local_sh(&fresh, script, out, in, n);
		assert_ok(local_execute(&fresh, &r[1], &action), &fresh.err);
		assert_string_equal(r[0].err_text, "");
		assert_string_equal(r[0].out_text, r[1].out_text);
		assert_true(r[0].nfile == 1 && r[1].nfile == 1);
	}
	local_end(&fresh);
}

static void test_successive(void **state)
{
	(void)state;
	local_each_sandbox(successive);
}

struct sleeper {
	struct local *f;
	struct wb_digest action;
	wb_status status;
};

static void *sleep_in(void *arg)
{
	struct sleeper *x = arg;
	struct wb_backend_call e = {.action = x->action};
	struct wb_action_result r;
	struct wb_arena a;
	wb_arena_init(&a);
	x->status = x->f->b->execute(x->f->b, &r, &a, &e, NULL);
	wb_arena_release(&a);
	return NULL;
}

/* Two roots are kept, with links to a blob that then rots: after its new upload neither of them brings the rotten one
 * back. */
static void kept_and_rotten(struct local *f)
{
	const struct local_input in[] = {{.path = "r/src/a.h", .data = "good content of a\n"}, {.path = "r/build/obj"}};
	struct sleeper x[2];
	pthread_t t[2];
	for (int i = 0; i < 2; i++) {
		x[i] = (struct sleeper){.f = f, .action = local_sh(f, "sleep 0.4", NULL, in, 2)};
		assert_int_equal(pthread_create(&t[i], NULL, sleep_in, &x[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], NULL);
		assert_true(wb_is_ok(x[i].status));
	}
	char hex[WB_DIGEST_HEX], *path;
	struct wb_digest d;
	wb_digest_of(&d, in[0].data, strlen(in[0].data));
	wb_digest_hex(hex, &d);
	path = wb_arena_printf(&f->a, "%s/cas/%.2s/%s", f->dir, hex, hex);
	assert_int_equal(chmod(path, 0600), 0);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "bad!", 4, 0), 4);
	close(fd);
	struct wb_action_result r;
	struct wb_digest action = local_sh(f, "cat ../src/a.h", NULL, in, 2);
	assert_code(local_execute(f, &r, &action), WB_ENOENT);
	for (int i = 0; i < 3; i++) {
		action = local_sh(f, wb_arena_printf(&f->a, "cat ../src/a.h; : %d", i), NULL, in, 2);
		assert_ok(local_execute(f, &r, &action), &f->err);
		assert_string_equal(r.out_text, "good content of a\n");
	}
}

static void test_kept_and_rotten(void **state)
{
	(void)state;
	local_each_sandbox(kept_and_rotten);
}

struct racer {
	struct local *f;
	int id;
	int failures;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct local *f = r->f;
	for (int i = 0; i < 4; i++) {
		struct local own = {.b = f->b, .store = f->store};
		wb_arena_init(&own.a);
		struct local_input in[41];
		in[40] = (struct local_input){.path = "r/build/obj"};
		for (int k = 0; k < 40; k++)
			in[k] = (struct local_input){.path = wb_arena_printf(&own.a, "r/src/h%d", k),
						     .data = wb_arena_printf(&own.a, "header %d\n", k)};
		const char *out[] = {"obj/a.o", NULL};
		struct wb_digest action = local_sh(
		    &own, wb_arena_printf(&own.a, "cat ../src/* > obj/a.o; : %d", (r->id + i) % 3), out, in, 41);
		struct wb_action_result res;
		wb_status s = local_execute(&own, &res, &action);
		if (!wb_is_ok(s) || res.nfile != 1 || res.exit_code != 0) {
			fprintf(stderr, "%s %s\n", own.err.text, wb_is_ok(s) ? res.err_text : "");
			r->failures++;
		}
		wb_arena_release(&own.a);
	}
	return NULL;
}

static void races(struct local *f)
{
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
	assert_true(local_store_is_sound(f));
}

static void test_races(void **state)
{
	(void)state;
	local_each_sandbox(races);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_successive),
	    cmocka_unit_test(test_kept_and_rotten),
	    cmocka_unit_test(test_races),
	};
	return cmocka_run_group_tests(tests, local_set_up, local_tear_down);
}
