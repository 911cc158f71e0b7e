#define _GNU_SOURCE
#include "unit.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "wire/socket.h"

#include "buildid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

struct fixture {
	struct wb_arena a;
	char top[64];
	struct wb_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	wb_arena_init(&f->a);
	strcpy(f->top, "/tmp/waybill-test-socket-XXXXXX");
	if (f == NULL || mkdtemp(f->top) == NULL)
		return -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	wb_ignore(wb_dir_remove(f->top, NULL));
	wb_arena_release(&f->a);
	free(f);
	return 0;
}

static const char *const *env_with(struct fixture *f, const char *runtime)
{
	const char **env = wb_arena_array(&f->a, 3, sizeof *env);
	env[0] = "HOME=/nowhere";
	env[1] = runtime == NULL ? NULL : wb_arena_printf(&f->a, "XDG_RUNTIME_DIR=%s", runtime);
	return env;
}

static void runtime_dir(void **state)
{
	struct fixture *f = *state;
	struct wb_socket_paths p;
	struct stat st;
	assert_ok(wb_socket_paths(&p, &f->a, env_with(f, f->top), &f->err), &f->err);
	assert_string_equal(p.dir, wb_arena_printf(&f->a, "%s/waybill", f->top));
	assert_string_equal(p.socket, wb_arena_printf(&f->a, "%s/waybill/%s.sock", f->top, WB_BUILD_ID));
	assert_string_equal(p.lock, wb_arena_printf(&f->a, "%s/waybill/%s.lock", f->top, WB_BUILD_ID));
	assert_string_equal(p.log, wb_arena_printf(&f->a, "%s/waybill/waybilld.log", f->top));
	assert_int_equal(stat(p.dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* A second time, with the directory there. */
	assert_ok(wb_socket_paths(&p, &f->a, env_with(f, f->top), &f->err), &f->err);
}

/* Runtime directories that are passed over for /tmp/waybill-UID. */
static void unusable_runtime_dir(void **state)
{
	struct fixture *f = *state;
	struct wb_socket_paths p;
	const char *file = wb_arena_printf(&f->a, "%s/file", f->top), *open = wb_arena_printf(&f->a, "%s/open", f->top);
	const char *deep = wb_arena_printf(&f->a, "%s/%0100d", f->top, 0);
	assert_ok(wb_file_write(file, "", 0, 0600, &f->err), &f->err);
	assert_int_equal(mkdir(open, 0700), 0);
	assert_int_equal(chmod(open, 0777), 0);
	assert_int_equal(mkdir(deep, 0700), 0);
	const char *const table[] = {NULL, "", "relative", "/nonexistent/dir", file, open, deep};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		assert_ok(wb_socket_paths(&p, &f->a, env_with(f, table[i]), &f->err), &f->err);
		assert_string_equal(p.dir, wb_arena_printf(&f->a, "/tmp/waybill-%u", (unsigned)geteuid()));
	}
}

static void hostile_directory(void **state)
{
	struct fixture *f = *state;
	struct wb_socket_paths p;
	const char *dir = wb_arena_printf(&f->a, "%s/waybill", f->top);
	const char *elsewhere = wb_arena_printf(&f->a, "%s/elsewhere", f->top);
	const char *const *env = env_with(f, f->top);
	assert_int_equal(mkdir(elsewhere, 0700), 0);
	assert_int_equal(symlink(elsewhere, dir), 0);
	assert_code(wb_socket_paths(&p, &f->a, env, &f->err), WB_EINVAL);
	assert_says(&f->err, "symlink");
	assert_int_equal(unlink(dir), 0);
	assert_ok(wb_file_write(dir, "", 0, 0600, &f->err), &f->err);
	assert_code(wb_socket_paths(&p, &f->a, env, &f->err), WB_EINVAL);
	assert_says(&f->err, "not a directory");
	assert_int_equal(unlink(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	static const mode_t open_modes[] = {0701, 0710, 0720, 0777, 01777};
	for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
		assert_int_equal(chmod(dir, open_modes[i]), 0);
		assert_code(wb_socket_paths(&p, &f->a, env, &f->err), WB_EINVAL);
		assert_says(&f->err, "chmod 700");
	}
	assert_int_equal(chmod(dir, 0700), 0);
	assert_ok(wb_socket_paths(&p, &f->a, env, &f->err), &f->err);
	if (geteuid() != 0)
		return; /* only root can make the next ones */
	assert_int_equal(chown(dir, NOBODY, NOBODY), 0);
	assert_code(wb_socket_paths(&p, &f->a, env, &f->err), WB_EINVAL);
	assert_says(&f->err, "belongs to user 65534");
	/* The whole runtime directory is another user's (su without a new session): passed over. */
	assert_int_equal(chown(f->top, NOBODY, NOBODY), 0);
	assert_ok(wb_socket_paths(&p, &f->a, env, &f->err), &f->err);
	assert_string_equal(p.dir, "/tmp/waybill-0");
}

static void connect_and_listen(void **state)
{
	struct fixture *f = *state;
	const char *path = wb_arena_printf(&f->a, "%s/s", f->top);
	int listener, again, client;
	struct stat st;
	assert_code(wb_socket_connect(&client, path, &f->err), WB_ENOENT);
	assert_int_equal(client, -1);
	assert_ok(wb_socket_listen(&listener, path, &f->err), &f->err);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_ok(wb_socket_connect(&client, path, &f->err), &f->err);
	assert_int_equal(wb_socket_peer_pid(client), getpid());
	int server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	assert_ok(wb_socket_check_peer(server, &f->err), &f->err);
	close(server);
	close(client);
	close(listener);
	/* Left over from a daemon that was killed. */
	assert_code(wb_socket_connect(&client, path, &f->err), WB_ENOENT);
	assert_ok(wb_socket_listen(&again, path, &f->err), &f->err);
	assert_ok(wb_socket_connect(&client, path, &f->err), &f->err);
	close(client);
	close(again);
	const char *deep = wb_arena_printf(&f->a, "%s/%0200d", f->top, 0);
	assert_code(wb_socket_connect(&client, deep, &f->err), WB_EINVAL);
	assert_code(wb_socket_listen(&again, deep, &f->err), WB_EINVAL);
	assert_code(wb_socket_listen(&again, "/nonexistent/dir/s", &f->err), WB_ENOENT);
	assert_code(wb_socket_listen(&again, f->top, &f->err), WB_EIO); /* a directory is not removed */
}

/* It listens, accepts nobody, and its queue is full. */
static void full_backlog(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s/s", f->top);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client, queued[8];
	assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 0), 0);
	int n = 0;
	wb_status s;
	do {
		s = wb_socket_connect(&client, address.sun_path, &f->err);
		if (wb_is_ok(s))
			queued[n++] = client;
	} while (wb_is_ok(s) && n < 8);
	assert_int_equal(s.code, WB_EBUSY);
	assert_says(&f->err, "does not accept");
	while (n > 0)
		close(queued[--n]);
	close(listener);
}

/* Another user at the other end, seen from both ends. */
static void other_user(void **state)
{
	struct fixture *f = *state;
	if (geteuid() != 0)
		skip();
	const char *path = wb_arena_printf(&f->a, "%s/s", f->top);
	int listener, ready[2], client;
	assert_int_equal(chmod(f->top, 0777), 0);
	/* Their listener, our client. */
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
		    !wb_is_ok(wb_socket_listen(&listener, path, NULL)) || write(ready[1], "", 1) != 1)
			_exit(1);
		int server = accept(listener, NULL, NULL);
		/* To them we are root: whoever is root can do anything anyway. */
		_exit(wb_is_ok(wb_socket_check_peer(server, NULL)) ? 0 : 2);
	}
	char byte;
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_code(wb_socket_connect(&client, path, &f->err), WB_EINVAL);
	assert_says(&f->err, "user 65534");
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* Our listener, their client. */
	assert_int_equal(unlink(path), 0);
	assert_ok(wb_socket_listen(&listener, path, &f->err), &f->err);
	assert_int_equal(chmod(path, 0777), 0);
	pid = fork();
	if (pid == 0) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		strncpy(address.sun_path, path, sizeof address.sun_path - 1);
		int s = socket(AF_UNIX, SOCK_STREAM, 0);
		if (setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
		    connect(s, (const struct sockaddr *)&address, sizeof address) < 0)
			_exit(1);
		_exit(0);
	}
	int server = accept(listener, NULL, NULL);
	assert_code(wb_socket_check_peer(server, &f->err), WB_EINVAL);
	close(server);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(listener);
	close(ready[0]);
	close(ready[1]);
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    with_fixture(runtime_dir),        with_fixture(unusable_runtime_dir), with_fixture(hostile_directory),
	    with_fixture(connect_and_listen), with_fixture(full_backlog),         with_fixture(other_user),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
