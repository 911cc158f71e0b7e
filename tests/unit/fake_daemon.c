/* A daemon that only pretends: the launcher's tests start it as waybilld. What it does is the first line of
 * $XDG_RUNTIME_DIR/behaviour; it leaves there `state` (how it was started), and appends to `starts` and `requests`.
 * One connection at a time is enough. */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/str.h"
#include "proto/wire.pb-c.h"
#include "wire/frame.h"
#include "wire/socket.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static struct wb_arena arena;
static const char *runtime; /* $XDG_RUNTIME_DIR */
static char behaviour[256];
static int starts;

static ProtobufCBinaryData bytes(const char *s)
{
	return (ProtobufCBinaryData){strlen(s), (uint8_t *)(uintptr_t)s};
}

static void note(const char *file, const char *text)
{
	const char *path = wb_arena_printf(&arena, "%s/%s", runtime, file);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(99);
	close(fd);
}

static void read_behaviour(void)
{
	FILE *f = fopen(wb_arena_printf(&arena, "%s/behaviour", runtime), "re");
	if (f == NULL || fgets(behaviour, sizeof behaviour, f) == NULL)
		_exit(98);
	behaviour[strcspn(behaviour, "\n")] = '\0';
	fclose(f);
}

static bool is(const char *name)
{
	return strcmp(behaviour, name) == 0;
}

/* How were we started? */
static void note_state(int argc, char **argv)
{
	struct wb_buf b = WB_BUF_INIT;
	char link[256];
	sigset_t mask;
	DIR *d = opendir("/proc/self/fd");
	for (const struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		if (e->d_name[0] == '.' || atoi(e->d_name) == dirfd(d))
			continue;
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof link - 1);
		wb_buf_addf(&b, "fd %s %.*s\n", e->d_name, n < 0 ? 0 : (int)n, link);
	}
	closedir(d);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	mode_t mode = umask(077);
	wb_buf_addf(&b, "session %d\ncwd %s\numask %03o\nsigusr1 %s %s\n", getsid(0) == getpid(),
		    getcwd(link, sizeof link), (unsigned)mode, sigismember(&mask, SIGUSR1) ? "blocked" : "open",
		    signal(SIGUSR1, SIG_DFL) == SIG_IGN ? "ignored" : "default");
	for (int i = 1; i < argc; i++)
		wb_buf_addf(&b, "arg %s\n", argv[i]);
	for (char **e = environ; *e != NULL; e++)
		wb_buf_addf(&b, "env %s\n", *e);
	note("state", b.p);
	wb_buf_release(&b);
}

static void send_message(int fd, enum wb_frame_type type, const ProtobufCMessage *m)
{
	wb_ignore(wb_frame_send(fd, type, m, NULL)); /* a client that was killed is part of some tests */
}

/* stdout: everything the request holds, for the test to look at. */
static void reply_echo(int fd, const Waybill__Wire__CompileRequest *m)
{
	struct wb_buf b = WB_BUF_INIT;
	Waybill__Wire__CompileReply r = WAYBILL__WIRE__COMPILE_REPLY__INIT;
	for (size_t i = 0; i < m->n_argv; i++)
		wb_buf_addf(&b, "argv %.*s\n", (int)m->argv[i].len, (const char *)m->argv[i].data);
	for (size_t i = 0; i < m->n_env; i++)
		wb_buf_addf(&b, "env %.*s\n", (int)m->env[i].len, (const char *)m->env[i].data);
	for (size_t i = 0; i < m->n_settings; i++)
		wb_buf_addf(&b, "setting %s=%.*s\n", m->settings[i]->key, (int)m->settings[i]->value.len,
			    (const char *)m->settings[i]->value.data);
	wb_buf_addf(&b, "cwd %.*s\nterminal %d\numask %03o\n", (int)m->cwd.len, (const char *)m->cwd.data,
		    m->stderr_is_terminal, m->umask);
	r.stdout = (ProtobufCBinaryData){b.n, (uint8_t *)b.p};
	send_message(fd, WB_FRAME_COMPILE_REPLY, &r.base);
	wb_buf_release(&b);
}

static void reply_done(int fd, int code)
{
	Waybill__Wire__CompileReply r = WAYBILL__WIRE__COMPILE_REPLY__INIT;
	r.exit_code = code;
	r.stdout = bytes("from the daemon\n");
	r.stderr = (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t)"a\0b: !"};
	send_message(fd, WB_FRAME_COMPILE_REPLY, &r.base);
}

/* A large reply that the client must read in many pieces. */
static void reply_large(int fd)
{
	enum { SIZE = 5 << 20 };
	Waybill__Wire__CompileReply r = WAYBILL__WIRE__COMPILE_REPLY__INIT;
	r.stdout = (ProtobufCBinaryData){SIZE, wb_arena_alloc(&arena, SIZE)};
	memset(r.stdout.data, 'x', SIZE);
	send_message(fd, WB_FRAME_COMPILE_REPLY, &r.base);
}

/* "local": the original; "local-other": another command elsewhere; "local-capture": with its stderr. */
static void reply_local(int fd)
{
	Waybill__Wire__CompileReply r = WAYBILL__WIRE__COMPILE_REPLY__INIT;
	ProtobufCBinaryData argv[] = {bytes("/bin/sh"), bytes("-c"), bytes("pwd; echo other >&2; exit 5")};
	r.decision = WAYBILL__WIRE__COMPILE_REPLY__DECISION__RUN_LOCAL;
	r.reason = (char *)(uintptr_t)"test";
	r.capture_stderr = strstr(behaviour, "capture") != NULL;
	if (strstr(behaviour, "other") != NULL) {
		r.argv = argv;
		r.n_argv = sizeof argv / sizeof *argv;
		r.cwd = bytes("/usr");
	}
	send_message(fd, WB_FRAME_COMPILE_REPLY, &r.base);
	if (strstr(behaviour, "dies") != NULL) {
		/* Gone while the command runs. */
		_exit(3);
	}
	struct wb_frame frame;
	if (!wb_is_ok(wb_frame_receive(&frame, &arena, fd, WB_FRAME_MAX, -1, NULL)) ||
	    frame.type != WB_FRAME_LOCAL_DONE)
		return;
	Waybill__Wire__LocalDone *done =
	    wb_frame_decode(&waybill__wire__local_done__descriptor, &arena, frame.data, frame.len);
	note("requests", wb_arena_printf(&arena, "done %d '%.*s'\n", done->wait_status, (int)done->stderr.len,
					 (const char *)done->stderr.data));
	Waybill__Wire__LocalAck ack = WAYBILL__WIRE__LOCAL_ACK__INIT;
	if (r.capture_stderr)
		ack.stderr = bytes(
		    wb_arena_printf(&arena, "mapped: %.*s", (int)done->stderr.len, (const char *)done->stderr.data));
	if (strstr(behaviour, "ack-7") != NULL)
		ack.exit_code = 7;
	send_message(fd, WB_FRAME_ALIVE, NULL);
	send_message(fd, WB_FRAME_LOCAL_ACK, &ack.base);
}

static void reply_slowly(int fd)
{
	for (int i = 0; i < 10; i++) {
		usleep(200000);
		send_message(fd, WB_FRAME_ALIVE, NULL);
	}
	reply_done(fd, 0);
}

static void send_raw(int fd, const void *p, size_t n)
{
	if (send(fd, p, n, MSG_NOSIGNAL) < 0)
		_exit(97);
}

static void compile(int fd, const struct wb_frame *frame)
{
	Waybill__Wire__CompileRequest *m =
	    wb_frame_decode(&waybill__wire__compile_request__descriptor, &arena, frame->data, frame->len);
	note("requests", "compile\n");
	if (m == NULL)
		_exit(96);
	if (is("echo")) {
		reply_echo(fd, m);
	} else if (wb_starts_with(behaviour, "done ")) {
		reply_done(fd, atoi(behaviour + 5));
	} else if (is("large")) {
		reply_large(fd);
	} else if (wb_starts_with(behaviour, "local")) {
		reply_local(fd);
	} else if (is("config-error")) {
		Waybill__Wire__CompileReply r = WAYBILL__WIRE__COMPILE_REPLY__INIT;
		r.decision = WAYBILL__WIRE__COMPILE_REPLY__DECISION__CONFIG_ERROR;
		r.message = bytes("cache_dir differs");
		send_message(fd, WB_FRAME_COMPILE_REPLY, &r.base);
	} else if (is("dies") || (is("dies-once") && starts == 1)) {
		kill(getpid(), SIGKILL);
	} else if (is("dies-once")) {
		reply_done(fd, 4);
	} else if (is("closes")) {
		return;
	} else if (is("hangs")) {
		sleep(60);
	} else if (is("slow")) {
		reply_slowly(fd);
	} else if (is("garbage")) {
		send_raw(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	} else if (is("half")) {
		send_raw(fd, "WBL1\2\0\0\0\100\0\0\0abc", 15);
	} else if (is("huge")) {
		send_raw(fd, "WBL1\2\0\0\0\377\377\377\377", 12);
	} else if (is("unparsable")) {
		send_raw(fd, "WBL1\2\0\0\0\3\0\0\0\377\377\377", 15);
	} else if (is("wrong-type")) {
		Waybill__Wire__LocalAck ack = WAYBILL__WIRE__LOCAL_ACK__INIT;
		send_message(fd, WB_FRAME_LOCAL_ACK, &ack.base);
	} else {
		_exit(95);
	}
}

static void verb(int fd, const struct wb_frame *frame)
{
	Waybill__Wire__VerbRequest *m =
	    wb_frame_decode(&waybill__wire__verb_request__descriptor, &arena, frame->data, frame->len);
	Waybill__Wire__VerbOutput o = WAYBILL__WIRE__VERB_OUTPUT__INIT;
	struct wb_buf b = WB_BUF_INIT;
	wb_buf_addf(&b, "verb %s", m->verb);
	for (size_t i = 0; i < m->n_args; i++)
		wb_buf_addf(&b, " [%.*s]", (int)m->args[i].len, (const char *)m->args[i].data);
	wb_buf_addc(&b, '\n');
	note("requests", b.p);
	if (is("dies"))
		_exit(3);
	o.stdout = (ProtobufCBinaryData){b.n, (uint8_t *)b.p};
	send_message(fd, WB_FRAME_VERB_OUTPUT, &o.base);
	send_message(fd, WB_FRAME_ALIVE, NULL);
	o.stdout = (ProtobufCBinaryData){0, NULL};
	o.stderr = bytes("to stderr\n");
	send_message(fd, WB_FRAME_VERB_OUTPUT, &o.base);
	o.stderr = bytes("");
	o.last = true;
	o.exit_code = strcmp(m->verb, "stop") == 0 || strcmp(m->verb, "trace") == 0 ? 0 : 6;
	send_message(fd, WB_FRAME_VERB_OUTPUT, &o.base);
	wb_buf_release(&b);
	if (strcmp(m->verb, "stop") == 0) {
		usleep(200000); /* the client waits until we are gone */
		_exit(0);
	}
}

static int count_lines(const char *file)
{
	int n = 0;
	FILE *f = fopen(wb_arena_printf(&arena, "%s/%s", runtime, file), "re");
	for (int c; f != NULL && (c = getc(f)) != EOF;)
		n += c == '\n';
	if (f != NULL)
		fclose(f);
	return n;
}

int main(int argc, char **argv)
{
	struct wb_socket_paths paths;
	struct wb_err err = WB_ERR_INIT;
	wb_arena_init(&arena);
	runtime = getenv("XDG_RUNTIME_DIR");
	if (runtime == NULL)
		return 94;
	note_state(argc, argv);
	read_behaviour();
	if (is("exits"))
		return 9;
	if (is("never-listens")) {
		note("starts", "start\n");
		sleep(5);
		return 9;
	}
	if (!wb_is_ok(wb_socket_paths(&paths, &arena, (const char *const *)(uintptr_t)environ, &err)))
		return 93;
	int lock = open(paths.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600), listener;
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return 0;
	note("starts", "start\n");
	starts = count_lines("starts");
	note("pid", wb_arena_printf(&arena, "%d\n", (int)getpid()));
	usleep(20000); /* a real one opens its cache here */
	if (!wb_is_ok(wb_socket_listen(&listener, paths.socket, &err)))
		return 92;
	alarm(60); /* no test leaves one behind for long */
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		struct wb_frame frame;
		while (fd >= 0 && wb_is_ok(wb_frame_receive(&frame, &arena, fd, WB_FRAME_MAX, -1, &err))) {
			read_behaviour();
			if (frame.type == WB_FRAME_COMPILE_REQUEST)
				compile(fd, &frame);
			else
				verb(fd, &frame);
			if (!wb_starts_with(behaviour, "done"))
				break;
		}
		if (fd >= 0)
			close(fd);
	}
}
