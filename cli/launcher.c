#define _GNU_SOURCE
#include "cli/launcher.h"

#include "base/arena.h"
#include "base/config.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/daemon_client.h"
#include "cli/depfile.h"
#include "cli/local.h"
#include "cli/output.h"
#include "cli/request.h"

#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_CONFIG = 2, ATTEMPTS = 2 };

struct launch {
	struct wb_arena *arena;
	const char *const *argv, *const *env;
	struct wb_config config;
	struct wb_daemon daemon;
};

static bool is_disabled(const char *const *env)
{
	const char *v = wb_env_get(env, "WAYBILL_DISABLE");
	return v != NULL && v[0] != '\0' && strcmp(v, "0") != 0;
}

/* No daemon: the original command, as if Waybill were not there. */
static _Noreturn void run_alone(struct launch *l)
{
	const char *depfile = wb_depfile_of(l->arena, l->argv);
	if (depfile == NULL && !l->daemon.started)
		wb_local_exec(l->argv);
	int status;
	struct wb_err err = WB_ERR_INIT;
	if (!wb_is_ok(wb_local_run(&status, &(struct wb_local_command){.argv = l->argv}, &err)))
		wb_local_exec(l->argv); /* no process to be had: then this one */
	if (depfile != NULL && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		wb_depfile_strip(l->arena, depfile);
	wb_local_exit(status);
}

/* Why there was no daemon: the build tool must not see it, so it goes where `waybill doctor` and users look. */
static void note(const struct launch *l, const struct wb_err *err)
{
	if (l->daemon.paths.log != NULL && wb_is_ok(wb_log_open(l->daemon.paths.log, WB_LOG_WARN, NULL)))
		wb_log(WB_LOG_WARN, "launcher: %s runs without the daemon: %s", l->argv[0], err->text);
}

static wb_status send_request(struct launch *l, const char *cwd, struct wb_err *err)
{
	Waybill__Wire__CompileRequest m = WAYBILL__WIRE__COMPILE_REQUEST__INIT;
	mode_t mask = umask(0);
	umask(mask);
	m.argv = wb_request_list(&m.n_argv, l->arena, l->argv);
	m.cwd = wb_request_bytes(cwd);
	m.env = wb_request_env(&m.n_env, l->arena, l->env);
	m.settings = wb_request_settings(&m.n_settings, l->arena, &l->config);
	m.stderr_is_terminal = isatty(STDERR_FILENO) == 1;
	m.umask = mask;
	return wb_frame_send(l->daemon.fd, WB_FRAME_COMPILE_REQUEST, &m.base, err);
}

static wb_status request(Waybill__Wire__CompileReply **reply, struct launch *l, const char *cwd, struct wb_err *err)
{
	void *message = NULL;
	WB_TRY(send_request(l, cwd, err));
	WB_TRY(wb_daemon_receive(&message, l->arena, &l->daemon, WB_FRAME_COMPILE_REPLY,
				 &waybill__wire__compile_reply__descriptor, err));
	*reply = message;
	return wb_ok();
}

static int finish(const Waybill__Wire__CompileReply *reply)
{
	int e = wb_output(STDOUT_FILENO, reply->stdout.data, reply->stdout.len);
	wb_output(STDERR_FILENO, reply->stderr.data, reply->stderr.len);
	if (e != 0) {
		wb_complain("cannot write to standard output: %s", strerrordesc_np(e));
		return reply->exit_code != 0 ? reply->exit_code : 1;
	}
	return reply->exit_code;
}

static const char *text_of(struct wb_arena *a, ProtobufCBinaryData b)
{
	return wb_arena_strndup(a, (const char *)b.data, b.len);
}

/* The daemon's word on what the command did: the diagnostics with their names mapped back. */
static wb_status report(const Waybill__Wire__LocalAck **ack, struct launch *l, int status, const struct wb_buf *text)
{
	struct wb_err err = WB_ERR_INIT;
	void *message = NULL;
	Waybill__Wire__LocalDone done = WAYBILL__WIRE__LOCAL_DONE__INIT;
	done.wait_status = status;
	done.stderr = (ProtobufCBinaryData){text->n, (uint8_t *)text->p};
	WB_TRY(wb_frame_send(l->daemon.fd, WB_FRAME_LOCAL_DONE, &done.base, &err));
	WB_TRY(wb_daemon_receive(&message, l->arena, &l->daemon, WB_FRAME_LOCAL_ACK,
				 &waybill__wire__local_ack__descriptor, &err));
	*ack = message;
	return wb_ok();
}

/* A slot is ours: run what the daemon says. It ends as the command does, also when the daemon is gone by then. */
static int run_for_daemon(struct launch *l, const Waybill__Wire__CompileReply *reply)
{
	struct wb_argv argv = {NULL, 0, 0};
	struct wb_buf text = WB_BUF_INIT;
	struct wb_local_command c = {.argv = l->argv};
	for (size_t i = 0; i < reply->n_argv; i++)
		wb_argv_push(&argv, l->arena, text_of(l->arena, reply->argv[i]));
	if (argv.n > 0)
		c.argv = argv.v;
	if (reply->cwd.len > 0)
		c.cwd = text_of(l->arena, reply->cwd);
	if (reply->capture_stderr)
		c.err_out = &text;
	int status;
	struct wb_err err = WB_ERR_INIT;
	if (!wb_is_ok(wb_local_run(&status, &c, &err))) {
		wb_daemon_close(&l->daemon);
		note(l, &err);
		run_alone(l);
	}
	const Waybill__Wire__LocalAck *ack = NULL;
	bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (wb_is_ok(report(&ack, l, status, &text))) {
		wb_output(STDERR_FILENO, ack->stderr.data, ack->stderr.len);
		if (ended) {
			wb_buf_release(&text);
			return ack->exit_code;
		}
	} else {
		/* The command has run; only the mapping back is missing. */
		const char *depfile = wb_depfile_of(l->arena, c.argv);
		wb_output(STDERR_FILENO, text.p, text.n);
		if (ended && depfile != NULL && c.cwd == NULL)
			wb_depfile_strip(l->arena, depfile);
	}
	wb_local_exit(status);
}

static int obey(struct launch *l, const Waybill__Wire__CompileReply *reply)
{
	switch (reply->decision) {
	case WAYBILL__WIRE__COMPILE_REPLY__DECISION__CONFIG_ERROR:
		wb_complain("%.*s", (int)reply->message.len, (const char *)reply->message.data);
		return EXIT_CONFIG;
	case WAYBILL__WIRE__COMPILE_REPLY__DECISION__RUN_LOCAL:
		return run_for_daemon(l, reply);
	case WAYBILL__WIRE__COMPILE_REPLY__DECISION__DONE:
	default:
		return finish(reply);
	}
}

static int ask(struct launch *l)
{
	struct wb_err err = WB_ERR_INIT;
	if (!wb_is_ok(wb_config_load(&l->config, l->arena, l->env, &err))) {
		wb_complain("%s", err.text);
		return EXIT_CONFIG;
	}
	char cwd[PATH_MAX];
	if (getcwd(cwd, sizeof cwd) == NULL || cwd[0] != '/')
		run_alone(l); /* the directory is gone: the compiler says it better */
	for (int i = 0; i < ATTEMPTS; i++) {
		wb_status s = wb_daemon_open(&l->daemon, l->arena, l->env, &l->config, WB_DAEMON_COMPILE, &err);
		if (!wb_is_ok(s))
			break;
		Waybill__Wire__CompileReply *reply = NULL;
		s = request(&reply, l, cwd, &err);
		if (wb_is_ok(s))
			return obey(l, reply);
		if (s.code != WB_EIO && s.code != WB_EPROTO) {
			wb_daemon_close(&l->daemon);
			break; /* it does not answer, or the request is too large: again would be the same */
		}
		wb_daemon_drop(&l->daemon);
	}
	note(l, &err);
	run_alone(l);
}

int wb_launch(const char *const *argv, const char *const *env)
{
	if (is_disabled(env))
		wb_local_exec(argv);
	struct wb_arena arena;
	wb_arena_init(&arena);
	struct launch l = {.arena = &arena, .argv = argv, .env = env, .daemon = {.fd = -1}};
	int code = ask(&l);
	wb_daemon_close(&l.daemon);
	wb_arena_release(&arena);
	return code;
}
