/* The embedded executor on real commands: sh, and where it is installed clang-22. Every case runs in bubblewrap (when
 * this machine permits it) and in a bare directory. */
#define _GNU_SOURCE
#include "base/clock.h"
#include "base/fileio.h"
#include "base/str.h"
#include "reapi/messages.h"
#include "reapi/tree.h"
#include "service/action_cache.h"
#include "service/backend.h"
#include "service/sandbox.h"
#include "service/slots.h"
#include "service/store.h"
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	struct wb_store *store;
	struct wb_action_cache *cache;
	struct wb_sandbox *sandbox;
	struct wb_slots *slots;
	struct wb_backend *b;
	struct wb_arena a;
	struct wb_err err;
};

static struct wb_sandbox *sandbox_of[2]; /* bwrap (NULL: not here), none */

static void open_backend(struct fixture *f)
{
	assert_ok(wb_store_new(&f->store, f->dir, 0, &f->err), &f->err);
	assert_ok(wb_action_cache_new(&f->cache, f->dir, f->store, &f->err), &f->err);
	f->slots = wb_slots_new(2);
	assert_ok(wb_backend_local_new(&f->b, f->store, f->cache, f->sandbox, f->slots, &f->err), &f->err);
}

static void close_backend(struct fixture *f)
{
	f->b->free(f->b);
	wb_slots_free(f->slots);
	wb_action_cache_free(f->cache);
	wb_store_free(f->store);
}

static void begin(struct fixture *f, struct wb_sandbox *sandbox)
{
	memset(f, 0, sizeof *f);
	strcpy(f->dir, "/tmp/waybill-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	wb_arena_init(&f->a);
	f->sandbox = sandbox;
	open_backend(f);
}

static void end(struct fixture *f)
{
	close_backend(f);
	assert_ok(wb_dir_remove(f->dir, &f->err), &f->err);
	wb_arena_release(&f->a);
}

/* An input: a file (data), a symlink (link) or a directory. */
struct input {
	const char *path, *data, *link;
	bool exec;
};

struct spec {
	const char *const *argv, *const *env, *const *output;
	const struct input *input;
	size_t ninput;
	const char *wd;
	bool do_not_cache;
};

static void upload_bytes(struct fixture *f, struct wb_digest *d, const void *data, size_t n)
{
	struct wb_backend_call call = {0};
	wb_digest_of(d, data, n);
	struct wb_blob blob = {.digest = *d, .data = data};
	assert_ok(f->b->upload(f->b, &call, &blob, 1, &f->err), &f->err);
}

static size_t length(const char *const *v)
{
	size_t n = 0;
	while (v != NULL && v[n] != NULL)
		n++;
	return n;
}

static char **strings(struct wb_arena *a, const char *const *v)
{
	char **out = wb_arena_array(a, length(v), sizeof *out);
	for (size_t i = 0; i < length(v); i++)
		out[i] = wb_arena_strdup(a, v[i]);
	return out;
}

static struct wb_digest make_action(struct fixture *f, const struct spec *s)
{
	struct wb_tree t;
	struct wb_tree_blob *dir;
	struct wb_digest root, d;
	size_t n;
	char *data;
	wb_re_command c;
	wb_re_action action;
	wb_tree_init(&t, &f->a);
	assert_ok(wb_tree_add_directory(&t, s->wd, &f->err), &f->err);
	for (size_t i = 0; i < s->ninput; i++) {
		const struct input *in = &s->input[i];
		if (in->link != NULL) {
			assert_ok(wb_tree_add_symlink(&t, in->path, in->link, &f->err), &f->err);
		} else if (in->data != NULL) {
			upload_bytes(f, &d, in->data, strlen(in->data));
			assert_ok(wb_tree_add_file(&t, in->path, &d, in->exec, &f->err), &f->err);
		} else {
			assert_ok(wb_tree_add_directory(&t, in->path, &f->err), &f->err);
		}
	}
	assert_ok(wb_tree_finish(&root, &dir, &n, &t, NULL, &f->err), &f->err);
	for (size_t i = 0; i < n; i++)
		upload_bytes(f, &d, dir[i].data, (size_t)dir[i].digest.size);
	wb_tree_release(&t);
	build__bazel__remote__execution__v2__command__init(&c);
	c.n_arguments = length(s->argv);
	c.arguments = strings(&f->a, s->argv);
	c.n_output_paths = length(s->output);
	c.output_paths = strings(&f->a, s->output);
	c.working_directory = wb_arena_strdup(&f->a, s->wd);
	wb_re_variable *v = wb_arena_array(&f->a, length(s->env), sizeof *v);
	c.environment_variables = wb_arena_array(&f->a, length(s->env), sizeof *c.environment_variables);
	for (size_t i = 0; i < length(s->env); i++) {
		build__bazel__remote__execution__v2__command__environment_variable__init(&v[i]);
		v[i].name = wb_arena_strndup(&f->a, s->env[i], strcspn(s->env[i], "="));
		v[i].value = wb_arena_strdup(&f->a, strchr(s->env[i], '=') + 1);
		c.environment_variables[c.n_environment_variables++] = &v[i];
	}
	wb_message_pack(&data, &n, &f->a, &c.base);
	upload_bytes(f, &d, data, n);
	build__bazel__remote__execution__v2__action__init(&action);
	action.command_digest = wb_re_digest_new(&f->a, &d);
	action.input_root_digest = wb_re_digest_new(&f->a, &root);
	action.do_not_cache = s->do_not_cache;
	wb_message_pack(&data, &n, &f->a, &action.base);
	upload_bytes(f, &d, data, n);
	return d;
}

static wb_status look_up(struct fixture *f, struct wb_action_result *r, const struct wb_digest *action)
{
	struct wb_backend_call call = {.action = *action};
	return f->b->lookup(f->b, r, &f->a, &call, &f->err);
}

static wb_status execute(struct fixture *f, struct wb_action_result *r, const struct wb_digest *action)
{
	struct wb_backend_call x = {.action = *action};
	return f->b->execute(f->b, r, &f->a, &x, &f->err);
}

static struct wb_digest sh(struct fixture *f, const char *script, const char *const *output, const struct input *in,
			   size_t n)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	return make_action(f,
			   &(struct spec){.argv = argv, .output = output, .input = in, .ninput = n, .wd = "r/build"});
}

static const char *output_text(struct fixture *f, const struct wb_action_result *r, const char *path)
{
	struct wb_backend_call call = {0};
	for (size_t i = 0; i < r->nfile; i++)
		if (strcmp(r->file[i].path, path) == 0) {
			struct wb_fetch fetch = {.digest = r->file[i].digest};
			assert_ok(f->b->fetch(f->b, &f->a, &call, &fetch, 1, &f->err), &f->err);
			return fetch.data;
		}
	return NULL;
}

/* Nothing of an ended action is left, but for what the backend keeps for the next one, and gives up at its end. */
static void assert_tmp_empty(struct fixture *f)
{
	f->b->free(f->b);
	assert_ok(wb_backend_local_new(&f->b, f->store, f->cache, f->sandbox, f->slots, &f->err), &f->err);
	DIR *d = opendir(wb_store_tmp(f->store));
	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fail_msg("left in tmp: %s", e->d_name);
	closedir(d);
}

static void each_sandbox(void (*test)(struct fixture *f))
{
	for (int i = 0; i < 2; i++) {
		struct fixture f;
		if (sandbox_of[i] == NULL)
			continue;
		begin(&f, sandbox_of[i]);
		test(&f);
		assert_tmp_empty(&f);
		end(&f);
	}
}

static void runs(struct fixture *f)
{
	const struct input in[] = {{.path = "r/src/a.txt", .data = "hello\n"},
				   {.path = "r/src/empty", .data = ""},
				   {.path = "r/src/tool", .data = "#!/bin/sh\necho tool $V\n", .exec = true},
				   {.path = "r/src/link", .link = "a.txt"},
				   {.path = "r/build/gen/in.h", .data = "gen\n"},
				   {.path = "r/build/obj/in.pch", .data = "pch\n"},
				   {.path = "r/void"}};
	const char *out[] = {"obj/a.o", "obj/none.o", "here.d", "obj/in.pch", NULL};
	const char *env[] = {"V=x y", "W=", NULL};
	const char *argv[] = {
	    "/bin/sh", "-c",
	    "cat ../src/link gen/in.h obj/in.pch ../src/empty > obj/a.o; ../src/tool > here.d; cd ../void && "
	    "ls; echo out; echo err >&2; chmod +x ../build/here.d",
	    NULL};
	struct wb_digest action = make_action(
	    f, &(struct spec){.argv = argv, .env = env, .output = out, .input = in, .ninput = 7, .wd = "r/build"});
	struct wb_action_result r, hit;
	assert_code(look_up(f, &hit, &action), WB_ENOENT);
	assert_ok(execute(f, &r, &action), &f->err);
	assert_string_equal(r.err_text, "err\n");
	assert_string_equal(r.out_text, "out\n");
	assert_int_equal(r.exit_code, 0);
	assert_int_equal(r.nfile, 2);
	assert_string_equal(output_text(f, &r, "obj/a.o"), "hello\ngen\npch\n");
	assert_string_equal(output_text(f, &r, "here.d"), "tool x y\n");
	assert_true(r.file[0].exec);
	assert_string_equal(r.file[0].path, "here.d");
	assert_ok(look_up(f, &hit, &action), &f->err);
	assert_int_equal(hit.nfile, 2);
	assert_string_equal(hit.err_text, "err\n");
	assert_true(wb_digest_eq(&hit.file[1].digest, &r.file[1].digest));

	/* A restart knows it still; fetching gives a fresh, writable file. */
	close_backend(f);
	open_backend(f);
	assert_ok(look_up(f, &hit, &action), &f->err);
	char *to = wb_arena_printf(&f->a, "%s/fetched", f->dir);
	struct stat st;
	struct wb_backend_call call = {0};
	struct wb_fetch fetch = {.digest = hit.file[1].digest, .path = to};
	assert_ok(f->b->fetch(f->b, &f->a, &call, &fetch, 1, &f->err), &f->err);
	assert_int_equal(call.received, 14);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(st.st_nlink, 1);
	assert_true(wb_clock_wall_ns() / 1000000000 - st.st_mtim.tv_sec < 5);
}

static void test_runs(void **state)
{
	(void)state;
	each_sandbox(runs);
}

/* A failure and a do_not_cache are not remembered; a signal is 128 + its number. */
static void failures(struct fixture *f)
{
	struct wb_action_result r;
	const char *out[] = {"x", NULL};
	struct wb_digest action = sh(f, "echo part > x; echo no >&2; exit 3", out, NULL, 0);
	assert_ok(execute(f, &r, &action), &f->err);
	assert_int_equal(r.exit_code, 3);
	assert_string_equal(r.err_text, "no\n");
	assert_code(look_up(f, &r, &action), WB_ENOENT);

	action = sh(f, "sh -c 'kill -SEGV $$'", out, NULL, 0);
	assert_ok(execute(f, &r, &action), &f->err);
	assert_int_equal(r.exit_code, 128 + 11);

	const char *argv[] = {"/bin/true", NULL};
	action = make_action(f, &(struct spec){.argv = argv, .wd = "r", .do_not_cache = true});
	assert_ok(execute(f, &r, &action), &f->err);
	assert_int_equal(r.exit_code, 0);
	assert_code(look_up(f, &r, &action), WB_ENOENT);

	const char *none[] = {"/no/such/compiler", NULL};
	action = make_action(f, &(struct spec){.argv = none, .wd = "r"});
	assert_false(wb_is_ok(execute(f, &r, &action)));
}

static void test_failures(void **state)
{
	(void)state;
	each_sandbox(failures);
}

/* Long output goes through the store. */
static void long_text(struct fixture *f)
{
	struct wb_action_result r;
	struct wb_digest action =
	    sh(f, "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789 >&2; i=$((i+1)); done",
	       NULL, NULL, 0);
	assert_ok(execute(f, &r, &action), &f->err);
	assert_int_equal(r.err_len, 3000 * 41);
	assert_ok(look_up(f, &r, &action), &f->err);
	assert_int_equal(r.err_len, 3000 * 41);
	assert_memory_equal(r.err_text + 2999 * 41, "0123456789012345678901234567890123456789\n", 41);
}

static void test_long_text(void **state)
{
	(void)state;
	each_sandbox(long_text);
}

static bool store_is_sound(struct fixture *f)
{
	char *command = wb_arena_printf(&f->a,
					"cd %s/cas && for p in */*; do h=$(sha256sum < $p); n=${p#*/}; "
					"[ \"${h%%%% *}\" = \"${n%%.x}\" ] || exit 1; done",
					f->dir);
	return system(command) == 0;
}

/* An action that does its worst to its inputs: in the sandbox it cannot; where it could, its result is refused. The
 * store stays sound in every case. */
static void attacks(struct fixture *f)
{
	static const char *const script[] = {
	    "chmod 666 ../src/a.h; echo bad >> ../src/a.h",
	    "echo bad > obj/in.pch",
	    "chmod 666 obj/in.pch; echo bad >> obj/in.pch",
	    "mv ../src/a.h ../src/b.h",
	    "rm -f ../src/a.h && echo bad > ../src/a.h",
	    "rm -f obj/in.pch && echo bad > obj/in.pch",
	    "ln ../src/a.h obj/a.o && chmod 666 obj/a.o && echo bad >> obj/a.o",
	    "ln obj/in.pch obj/a.o && chmod 666 obj/a.o && echo bad >> obj/a.o",
	    "mount -o remount,rw,bind /w; echo bad >> ../src/a.h",
	    "mount -o remount,rw,bind / ; unshare -Ur mount -o remount,bind,rw /w; unshare -Ur sh -c 'umount "
	    "obj/in.pch'; "
	    "unshare -Urm sh -c 'mount -o remount,bind,rw /w && echo bad >> ../src/a.h'",
	    "echo bad > /proc/1/root/w/r/src/a.h",
	    "setsid sh -c 'for i in $(seq 3000); do echo bad >> obj/a.o; done' & sleep 0.1",
	    "touch -d 2001-01-01 ../src/a.h; chmod 777 ../src; echo bad > ../src/new.h",
	};
	const struct input in[] = {{.path = "r/src/a.h", .data = "good a\n"},
				   {.path = "r/build/obj/in.pch", .data = "good pch\n"}};
	const char *out[] = {"obj/a.o", NULL};
	for (size_t i = 0; i < sizeof script / sizeof *script; i++) {
		struct wb_action_result r;
		char *text = wb_arena_printf(&f->a, "(%s) 2>/dev/null; cat ../src/a.h obj/in.pch; true", script[i]);
		struct wb_digest action = sh(f, text, out, in, 2);
		wb_status s = execute(f, &r, &action);
		if (wb_is_ok(s) && wb_sandbox_kind(f->sandbox) == WB_SANDBOX_BWRAP &&
		    strcmp(r.out_text, "good a\ngood pch\n") != 0)
			fail_msg("inputs changed by: %s: %s", script[i], r.out_text);
		if (!wb_is_ok(s)) {
			assert_int_equal(wb_sandbox_kind(f->sandbox), WB_SANDBOX_NONE);
			assert_int_equal(s.code, WB_EUNSUPPORTED);
			assert_code(look_up(f, &r, &action), WB_ENOENT);
		}
		assert_true(store_is_sound(f));
	}
}

static void test_attacks(void **state)
{
	(void)state;
	each_sandbox(attacks);
}

/* Sources compiled in their own directory: more inputs beside the outputs than can be mounted. */
static void crowded(struct fixture *f)
{
	struct input in[120];
	struct wb_action_result r;
	const char *out[] = {"a.o", "h7", NULL};
	for (int i = 0; i < 120; i++)
		in[i] = (struct input){.path = wb_arena_printf(&f->a, "r/build/h%d", i),
				       .data = wb_arena_printf(&f->a, "%d\n", i)};
	struct wb_digest action = sh(f, "cat h* | wc -l > a.o", out, in, 120);
	assert_ok(execute(f, &r, &action), &f->err);
	assert_string_equal(output_text(f, &r, "a.o"), "120\n");
	assert_int_equal(r.nfile, 1);
	action = sh(f, "chmod 666 h99; echo bad > h99; cat h99 > a.o", out, in, 120);
	wb_status s = execute(f, &r, &action);
	assert_int_equal(s.code, WB_EUNSUPPORTED);
	assert_says(&f->err, "changed its own input");
	assert_code(look_up(f, &r, &action), WB_ENOENT);
	assert_true(store_is_sound(f));
}

static void test_crowded(void **state)
{
	(void)state;
	each_sandbox(crowded);
}

/* Output directories in output directories, in and beside inputs, and new ones. */
static void nested(struct fixture *f)
{
	const struct input in[] = {{.path = "r/build/a/in", .data = "1"},     {.path = "r/build/a/b/in", .data = "2"},
				   {.path = "r/build/a/b/c/in", .data = "3"}, {.path = "r/build/a/s", .link = "b/in"},
				   {.path = "r/build/in", .data = "4"},       {.path = "r/build/e"}};
	const char *out[] = {"x", "a/b/x", "a/b/c/x", "n/m/x", "n/x", "a/b/c/new/x", "e/x", NULL};
	struct wb_digest action =
	    sh(f, "for d in . a/b a/b/c n/m n a/b/c/new e; do cat in a/in a/b/in a/b/c/in a/s > $d/x || exit 1; done",
	       out, in, 6);
	struct wb_action_result r;
	assert_ok(execute(f, &r, &action), &f->err);
	assert_string_equal(r.err_text, "");
	assert_int_equal(r.exit_code, 0);
	assert_int_equal(r.nfile, 7);
	for (size_t i = 0; out[i] != NULL; i++)
		assert_string_equal(output_text(f, &r, out[i]), "41232");
}

static void test_nested(void **state)
{
	(void)state;
	each_sandbox(nested);
}

/* The host is not to be seen: only in bubblewrap. */
static void test_hidden(void **state)
{
	struct fixture f;
	struct wb_action_result r;
	(void)state;
	if (sandbox_of[0] == NULL)
		skip();
	begin(&f, sandbox_of[0]);
	setenv("WAYBILL_TEST_SECRET", "1", 1);
	char *script = wb_arena_printf(
	    &f.a,
	    "ls %s /home /root /work /etc/passwd 2>/dev/null; ls /; env | grep -v '^PWD=' ; ls /dev; "
	    "cat /proc/net/dev | grep -v lo: | tail -n +3; pwd; test -w /usr && echo rw; id -u > /dev/null; "
	    "echo x > /dev/null && echo null; touch /tmp/x && echo tmp; readlink /proc/self/cwd",
	    f.dir);
	struct wb_digest action = sh(&f, script, NULL, NULL, 0);
	assert_ok(execute(&f, &r, &action), &f.err);
	static const char *const forbidden[] = {"home", "root\n", "work", "passwd", "SECRET", "eth", "rw", "waybill"};
	for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
		if (strstr(r.out_text, forbidden[i]) != NULL)
			fail_msg("%s shows in:\n%s", forbidden[i], r.out_text);
	assert_non_null(strstr(r.out_text, "\nw\n"));
	assert_non_null(strstr(r.out_text, "null\ntmp\n/w/r/build\n"));
	end(&f);
}

/* A blob that rots on disk: found before it is used, gone, and after a new upload all is well. */
static void corruption(struct fixture *f)
{
	const struct input in[] = {{.path = "r/src/a.h", .data = "good content of a\n"}};
	const char *out[] = {"a.o", NULL}; /* in r/build, which is in the tree: the input root is kept */
	struct wb_action_result r;
	struct wb_digest action = sh(f, "cat ../src/a.h > a.o", out, in, 1), d;
	assert_ok(execute(f, &r, &action), &f->err);

	char hex[WB_DIGEST_HEX], *path;
	wb_digest_of(&d, in[0].data, strlen(in[0].data));
	wb_digest_hex(hex, &d);
	path = wb_arena_printf(&f->a, "%s/cas/%.2s/%s", f->dir, hex, hex);
	for (int how = 0; how < 4; how++) {
		struct stat st;
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(chmod(path, 0644), 0);
		if (how == 0)
			assert_int_equal(truncate(path, 3), 0);
		int fd = open(path, O_WRONLY);
		assert_int_equal(pwrite(fd, "bad!", 4, 0), 4);
		if (how == 1) { /* as a careful attacker would */
			struct timespec t[2] = {st.st_atim, st.st_mtim};
			assert_int_equal(futimens(fd, t), 0);
		}
		close(fd);
		if (how == 2) { /* and found at the first use after a start */
			close_backend(f);
			open_backend(f);
		}
		if (how == 3)
			unlink(path);
		assert_code(execute(f, &r, &action), WB_ENOENT);
		assert_int_equal(access(path, F_OK), -1);
		action = sh(f, "cat ../src/a.h > a.o", out, in, 1);
		assert_ok(execute(f, &r, &action), &f->err);
		assert_string_equal(output_text(f, &r, "a.o"), "good content of a\n");
	}
	/* An output: found when it is fetched. */
	assert_ok(look_up(f, &r, &action), &f->err);
	assert_int_equal(chmod(path, 0600), 0);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "bad!", 4, 0), 4);
	close(fd);
	char *to = wb_arena_printf(&f->a, "%s/fetched", f->dir);
	struct wb_backend_call call = {0};
	struct wb_fetch fetch = {.digest = r.file[0].digest, .path = to};
	assert_code(f->b->fetch(f->b, &f->a, &call, &fetch, 1, &f->err), WB_ENOENT);
	assert_int_equal(access(to, F_OK), -1);
	assert_code(look_up(f, &r, &action), WB_ENOENT);
}

static void test_corruption(void **state)
{
	(void)state;
	each_sandbox(corruption);
}

struct canceler {
	struct wb_slots *slots;
	atomic_bool cancel;
};

static void *cancel_soon(void *arg)
{
	struct canceler *c = arg;
	usleep(200000);
	atomic_store(&c->cancel, true);
	wb_slots_wake(c->slots);
	return NULL;
}

static void cancels(struct fixture *f)
{
	struct wb_action_result r;
	struct wb_digest action = sh(f, "sleep 100 & sleep 100", NULL, NULL, 0);
	struct canceler c = {.slots = f->slots};
	pthread_t t;
	int64_t start = wb_clock_ns();
	assert_int_equal(pthread_create(&t, NULL, cancel_soon, &c), 0);
	struct wb_backend_call x = {.action = action, .cancel = &c.cancel};
	assert_code(f->b->execute(f->b, &r, &f->a, &x, &f->err), WB_ECANCELED);
	pthread_join(t, NULL);
	assert_true(wb_clock_ns() - start < 5000000000LL);
	assert_int_equal(wb_slots_used(f->slots), 0);
	assert_code(look_up(f, &r, &action), WB_ENOENT);
}

static void test_cancels(void **state)
{
	(void)state;
	each_sandbox(cancels);
}

/* Messages that no client of ours would send. */
static void malformed(struct fixture *f)
{
	struct wb_action_result r;
	struct wb_digest d;
	static const char *const bad_output[] = {"../x", "/x", "a//b", "./a", "a/..", ""};
	for (size_t i = 0; i < sizeof bad_output / sizeof *bad_output; i++) {
		const char *out[] = {bad_output[i], NULL};
		d = sh(f, "true", out, NULL, 0);
		assert_code(execute(f, &r, &d), WB_EPROTO);
	}
	upload_bytes(f, &d, "\x0a\xff", 2);
	assert_code(execute(f, &r, &d), WB_EPROTO);
	wb_digest_of(&d, "not there", 9);
	assert_code(execute(f, &r, &d), WB_ENOENT);
	/* A working directory and an output directory behind a link out of the root. */
	const struct input in[] = {{.path = "r/out", .link = "/tmp"}};
	const char *argv[] = {"/bin/true", NULL}, *out[] = {"out/x", NULL};
	d = make_action(f, &(struct spec){.argv = argv, .input = in, .ninput = 1, .output = out, .wd = "r"});
	assert_code(execute(f, &r, &d), WB_EUNSUPPORTED);
	/* A bad name in a Directory. */
	wb_re_directory m;
	wb_re_file_node node, *nodes[] = {&node};
	char *data;
	size_t n;
	build__bazel__remote__execution__v2__directory__init(&m);
	build__bazel__remote__execution__v2__file_node__init(&node);
	node.name = wb_arena_strdup(&f->a, "../evil");
	upload_bytes(f, &d, "x", 1);
	node.digest = wb_re_digest_new(&f->a, &d);
	m.n_files = 1;
	m.files = nodes;
	wb_message_pack(&data, &n, &f->a, &m.base);
	upload_bytes(f, &d, data, n);
	struct wb_digest root = d;
	wb_re_command c;
	build__bazel__remote__execution__v2__command__init(&c);
	c.n_arguments = 1;
	c.arguments = strings(&f->a, argv);
	wb_message_pack(&data, &n, &f->a, &c.base);
	upload_bytes(f, &d, data, n);
	wb_re_action a;
	build__bazel__remote__execution__v2__action__init(&a);
	a.command_digest = wb_re_digest_new(&f->a, &d);
	a.input_root_digest = wb_re_digest_new(&f->a, &root);
	wb_message_pack(&data, &n, &f->a, &a.base);
	upload_bytes(f, &d, data, n);
	assert_code(execute(f, &r, &d), WB_EPROTO);
}

static void test_malformed(void **state)
{
	(void)state;
	each_sandbox(malformed);
}

/* An action cannot pass off a file of the host as its output. */
static void stolen(struct fixture *f)
{
	const char *out[] = {"obj/x", "obj/d/y", "obj/fifo", NULL};
	struct wb_action_result r;
	struct wb_digest action = sh(
	    f, "ln -s /etc/passwd obj/x; ln -s /etc obj/d; ln -s /etc/hostname obj/y; mkfifo obj/fifo", out, NULL, 0);
	assert_ok(execute(f, &r, &action), &f->err);
	assert_int_equal(r.nfile, 0);
}

static void test_stolen(void **state)
{
	(void)state;
	each_sandbox(stolen);
}

/* A random tree over few names, so that each is now a file, now a directory, now gone. Returns how many inputs. */
static size_t random_tree(struct fixture *f, struct input *in, unsigned *seed)
{
	static const char *const text[] = {"", "one\n", "two\n", "three\n"};
	static const char *const target[] = {"b", "../c/x", "nowhere"};
	size_t n = 0;
	in[n++] = (struct input){.path = "r/build/obj"};
	for (int i = 0; i < 4; i++) {
		const char *dir = wb_arena_printf(&f->a, "r/src/%c", 'a' + i);
		int kind = rand_r(seed) % 6;
		if (kind == 0)
			continue;
		if (kind == 1) {
			in[n++] = (struct input){.path = dir, .data = text[rand_r(seed) % 4], .exec = rand_r(seed) % 2};
			continue;
		}
		in[n++] = (struct input){.path = dir};
		for (int k = 0; k < 4; k++) {
			const char *path = wb_arena_printf(&f->a, "%s/%c", dir, 'w' + k);
			int what = rand_r(seed) % 8;
			if (what < 4)
				in[n++] =
				    (struct input){.path = path, .data = text[what], .exec = rand_r(seed) % 8 == 0};
			else if (what == 4)
				in[n++] = (struct input){.path = path, .link = target[rand_r(seed) % 3]};
			else if (what == 5)
				in[n++] = (struct input){.path = wb_arena_printf(&f->a, "%s/deep/%d", path, k),
							 .data = text[rand_r(seed) % 4]};
		}
	}
	if (rand_r(seed) % 3 == 0)
		in[n++] = (struct input){.path = "r/build/obj/in.pch", .data = text[rand_r(seed) % 4]};
	return n;
}

/* Input roots are kept and changed into the next action's: no action may see anything of another one. Compared with a
 * backend that keeps none, over a row of random trees, with evictions and damage in between. */
static void successive(struct fixture *f)
{
	struct fixture fresh;
	unsigned seed = 1;
	const char *out[] = {"obj/a.o", NULL};
	begin(&fresh, f->sandbox);
	for (int i = 0; i < 60; i++) {
		struct input in[40];
		struct wb_action_result r[2];
		size_t n = random_tree(f, in, &seed);
		const char *script =
		    "cd .. && find . -path ./build/obj -prune -o -printf '%y %m %p %l\\n' | sort && "
		    "find src build/obj/in.pch -type f 2>/dev/null | sort | xargs -r cat; : > build/obj/a.o";
		if (i % 13 == 7)
			assert_ok(wb_store_clear(f->store, &f->err), &f->err);
		struct wb_digest action = sh(f, script, out, in, n);
		assert_ok(execute(f, &r[0], &action), &f->err);
		fresh.b->free(fresh.b);
		assert_ok(wb_backend_local_new(&fresh.b, fresh.store, fresh.cache, fresh.sandbox, fresh.slots, &f->err),
			  &f->err);
		action = sh(&fresh, script, out, in, n);
		assert_ok(execute(&fresh, &r[1], &action), &fresh.err);
		assert_string_equal(r[0].err_text, "");
		assert_string_equal(r[0].out_text, r[1].out_text);
		assert_true(r[0].nfile == 1 && r[1].nfile == 1);
	}
	end(&fresh);
}

static void test_successive(void **state)
{
	(void)state;
	each_sandbox(successive);
}

struct sleeper {
	struct fixture *f;
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
static void kept_and_rotten(struct fixture *f)
{
	const struct input in[] = {{.path = "r/src/a.h", .data = "good content of a\n"}, {.path = "r/build/obj"}};
	struct sleeper x[2];
	pthread_t t[2];
	for (int i = 0; i < 2; i++) {
		x[i] = (struct sleeper){.f = f, .action = sh(f, "sleep 0.4", NULL, in, 2)};
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
	struct wb_digest action = sh(f, "cat ../src/a.h", NULL, in, 2);
	assert_code(execute(f, &r, &action), WB_ENOENT);
	for (int i = 0; i < 3; i++) {
		action = sh(f, wb_arena_printf(&f->a, "cat ../src/a.h; : %d", i), NULL, in, 2);
		assert_ok(execute(f, &r, &action), &f->err);
		assert_string_equal(r.out_text, "good content of a\n");
	}
}

static void test_kept_and_rotten(void **state)
{
	(void)state;
	each_sandbox(kept_and_rotten);
}

struct racer {
	struct fixture *f;
	int id;
	int failures;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct fixture *f = r->f;
	for (int i = 0; i < 4; i++) {
		struct fixture own = {.b = f->b, .store = f->store};
		wb_arena_init(&own.a);
		struct input in[41];
		in[40] = (struct input){.path = "r/build/obj"};
		for (int k = 0; k < 40; k++)
			in[k] = (struct input){.path = wb_arena_printf(&own.a, "r/src/h%d", k),
					       .data = wb_arena_printf(&own.a, "header %d\n", k)};
		const char *out[] = {"obj/a.o", NULL};
		struct wb_digest action =
		    sh(&own, wb_arena_printf(&own.a, "cat ../src/* > obj/a.o; : %d", (r->id + i) % 3), out, in, 41);
		struct wb_action_result res;
		wb_status s = execute(&own, &res, &action);
		if (!wb_is_ok(s) || res.nfile != 1 || res.exit_code != 0) {
			fprintf(stderr, "%s %s\n", own.err.text, wb_is_ok(s) ? res.err_text : "");
			r->failures++;
		}
		wb_arena_release(&own.a);
	}
	return NULL;
}

static void races(struct fixture *f)
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
	assert_true(store_is_sound(f));
}

static void test_races(void **state)
{
	(void)state;
	each_sandbox(races);
}

/* A disk that is full: WB_ENOSPC, nothing left behind, nothing cached; with room again it works. Needs root. */
static void full_disk(struct fixture *f)
{
	struct wb_action_result r;
	const char *out[] = {"big", NULL};
	close_backend(f);
	if (mount("tmpfs", f->dir, "tmpfs", 0, "size=8m") < 0) {
		open_backend(f);
		return;
	}
	open_backend(f);
	struct wb_digest action =
	    sh(f, "head -c 30000000 /dev/zero > big || { echo failed >&2; exit 1; }", out, NULL, 0);
	assert_code(execute(f, &r, &action), WB_ENOSPC);
	assert_tmp_empty(f);
	assert_code(look_up(f, &r, &action), WB_ENOENT);

	char *big = calloc(1, 20 << 20), *path = wb_arena_printf(&f->a, "/tmp/waybill-test-big-%d", (int)getpid());
	struct wb_blob blob = {.data = big};
	struct wb_backend_call call = {0};
	wb_digest_of(&blob.digest, big, 20 << 20);
	assert_code(f->b->upload(f->b, &call, &blob, 1, &f->err), WB_ENOSPC);
	assert_ok(wb_file_write(path, big, 20 << 20, 0600, &f->err), &f->err);
	free(big);
	blob.data = NULL;
	blob.path = path;
	assert_code(f->b->upload(f->b, &call, &blob, 1, &f->err), WB_ENOSPC);
	assert_int_equal(call.sent, 0);
	assert_false(wb_store_has(f->store, &blob.digest));
	assert_tmp_empty(f);
	unlink(path);

	action = sh(f, "head -c 100000 /dev/zero > big", out, NULL, 0);
	assert_ok(execute(f, &r, &action), &f->err);
	assert_int_equal(r.nfile, 1);
	close_backend(f);
	assert_int_equal(umount2(f->dir, MNT_DETACH), 0);
	open_backend(f);
}

static void test_full_disk(void **state)
{
	(void)state;
	each_sandbox(full_disk);
}

/* A file that is not what it was when it was scanned. */
static void stale(struct fixture *f)
{
	char *path = wb_arena_printf(&f->a, "%s/input", f->dir);
	struct wb_blob blob = {.path = path};
	struct wb_backend_call call = {0};
	wb_digest_of(&blob.digest, "old", 3);
	assert_code(f->b->upload(f->b, &call, &blob, 1, &f->err), WB_ESTALE);
	assert_ok(wb_file_write(path, "new", 3, 0600, &f->err), &f->err);
	assert_code(f->b->upload(f->b, &call, &blob, 1, &f->err), WB_ESTALE);
	assert_false(wb_store_has(f->store, &blob.digest));
	assert_ok(wb_file_write(path, "old", 3, 0600, &f->err), &f->err);
	assert_ok(f->b->upload(f->b, &call, &blob, 1, &f->err), &f->err);
	assert_int_equal(call.sent, 3);
	/* What is there does not travel, and is not even looked for. */
	unlink(path);
	assert_ok(f->b->upload(f->b, &call, &blob, 1, &f->err), &f->err);
	assert_int_equal(call.sent, 3);
}

static void test_stale(void **state)
{
	(void)state;
	each_sandbox(stale);
}

/* A real compile: same object from both kinds of sandbox. */
static void test_compiles(void **state)
{
	const struct input in[] = {
	    {.path = "r/src/a.cpp",
	     .data = "#include \"h.h\"\n#include <vector>\nint f() { return (int)std::vector<int>(N).size(); }\n"},
	    {.path = "r/src/h.h", .data = "#define N 3\n"}};
	const char *argv[] = {"/usr/bin/clang++-22",
			      "-O1",
			      "-g",
			      "-ffile-compilation-dir=.",
			      "-c",
			      "../src/a.cpp",
			      "-MD",
			      "-MF",
			      "obj/a.o.d",
			      "-o",
			      "obj/a.o",
			      NULL};
	const char *out[] = {"obj/a.o", "obj/a.o.d", NULL};
	struct wb_digest object[2];
	(void)state;
	if (access(argv[0], X_OK) != 0 || sandbox_of[0] == NULL)
		skip();
	for (int i = 0; i < 2; i++) {
		struct fixture f;
		struct wb_action_result r;
		begin(&f, sandbox_of[i]);
		struct wb_digest action = make_action(
		    &f, &(struct spec){.argv = argv, .output = out, .input = in, .ninput = 2, .wd = "r/build"});
		assert_ok(execute(&f, &r, &action), &f.err);
		assert_string_equal(r.err_text, "");
		assert_int_equal(r.nfile, 2);
		object[i] = r.file[0].digest;
		assert_non_null(strstr(output_text(&f, &r, "obj/a.o.d"), "../src/h.h"));
		end(&f);
	}
	assert_true(wb_digest_eq(&object[0], &object[1]));
}

static int set_up(void **state)
{
	struct wb_err err = WB_ERR_INIT;
	(void)state;
	if (!wb_is_ok(wb_sandbox_new(&sandbox_of[0], "bwrap", &err)))
		print_message("no bubblewrap here: %s\n", err.text);
	return wb_is_ok(wb_sandbox_new(&sandbox_of[1], "none", &err)) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	wb_sandbox_free(sandbox_of[0]);
	wb_sandbox_free(sandbox_of[1]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_runs),       cmocka_unit_test(test_failures),        cmocka_unit_test(test_long_text),
	    cmocka_unit_test(test_attacks),    cmocka_unit_test(test_crowded),         cmocka_unit_test(test_nested),
	    cmocka_unit_test(test_hidden),     cmocka_unit_test(test_corruption),      cmocka_unit_test(test_cancels),
	    cmocka_unit_test(test_malformed),  cmocka_unit_test(test_stolen),          cmocka_unit_test(test_races),
	    cmocka_unit_test(test_successive), cmocka_unit_test(test_kept_and_rotten), cmocka_unit_test(test_full_disk),
	    cmocka_unit_test(test_stale),      cmocka_unit_test(test_compiles),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
