/* The embedded executor on a disk that fails it: blobs that rot, no room, files that changed since they were scanned.
 * Every case runs in bubblewrap (when this machine permits it) and in a bare directory. */
#define _GNU_SOURCE
#include "tests/unit/local_backend.h"

#include "base/fileio.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* A blob that rots on disk: found before it is used, gone, and after a new upload all is well. */
static void corruption(struct local *f)
{
	const struct local_input in[] = {{.path = "r/src/a.h", .data = "good content of a\n"}};
	const char *out[] = {"a.o", NULL}; /* in r/build, which is in the tree: the input root is kept */
	struct wb_action_result r;
	struct wb_digest action = local_sh(f, "cat ../src/a.h > a.o", out, in, 1), d;
	assert_ok(local_execute(f, &r, &action), &f->err);

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
			local_close(f);
			local_open(f);
		}
		if (how == 3)
			unlink(path);
		assert_code(local_execute(f, &r, &action), WB_ENOENT);
		assert_int_equal(access(path, F_OK), -1);
		action = local_sh(f, "cat ../src/a.h > a.o", out, in, 1);
		assert_ok(local_execute(f, &r, &action), &f->err);
		assert_string_equal(local_output(f, &r, "a.o"), "good content of a\n");
	}
	/* An output: found when it is fetched. */
	assert_ok(local_look_up(f, &r, &action), &f->err);
	assert_int_equal(chmod(path, 0600), 0);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "bad!", 4, 0), 4);
	close(fd);
	char *to = wb_arena_printf(&f->a, "%s/fetched", f->dir);
	struct wb_backend_call call = {0};
	struct wb_fetch fetch = {.digest = r.file[0].digest, .path = to};
	assert_code(f->b->fetch(f->b, &f->a, &call, &fetch, 1, &f->err), WB_ENOENT);
	assert_int_equal(access(to, F_OK), -1);
	assert_code(local_look_up(f, &r, &action), WB_ENOENT);
}

static void test_corruption(void **state)
{
	(void)state;
	local_each_sandbox(corruption);
}

/* A disk that is full: WB_ENOSPC, nothing left behind, nothing cached; with room again it works. Needs root. */
static void full_disk(struct local *f)
{
	struct wb_action_result r;
	const char *out[] = {"big", NULL};
	local_close(f);
	if (mount("tmpfs", f->dir, "tmpfs", 0, "size=8m") < 0) {
		local_open(f);
		return;
	}
	local_open(f);
	struct wb_digest action =
	    local_sh(f, "head -c 30000000 /dev/zero > big || { echo failed >&2; exit 1; }", out, NULL, 0);
	assert_code(local_execute(f, &r, &action), WB_ENOSPC);
	local_assert_tmp_empty(f);
	assert_code(local_look_up(f, &r, &action), WB_ENOENT);

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
	local_assert_tmp_empty(f);
	unlink(path);

	action = local_sh(f, "head -c 100000 /dev/zero > big", out, NULL, 0);
	assert_ok(local_execute(f, &r, &action), &f->err);
	assert_int_equal(r.nfile, 1);
	local_close(f);
	assert_int_equal(umount2(f->dir, MNT_DETACH), 0);
	local_open(f);
}

static void test_full_disk(void **state)
{
	(void)state;
	local_each_sandbox(full_disk);
}

/* A file that is not what it was when it was scanned. */
static void stale(struct local *f)
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
	local_each_sandbox(stale);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_corruption),
	    cmocka_unit_test(test_full_disk),
	    cmocka_unit_test(test_stale),
	};
	return cmocka_run_group_tests(tests, local_set_up, local_tear_down);
}
