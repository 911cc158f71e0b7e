#define _GNU_SOURCE /* F_DUPFD_CLOEXEC */
#include "service/connection.h"

#include "base/clock.h"
#include "base/log.h"
#include "rpc/server.h"
#include "service/daemon.h"
#include "service/job.h"
#include "service/verbs.h"
#include "wire/frame.h"

#include "proto/wire.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define REQUEST_MAX    (64u << 20)
#define LOCAL_DONE_MAX WB_FRAME_MAX
#define IDLE_MS        60000 /* a client that says nothing for so long is let go */

static wb_status send_frame(struct wb_connection *c, enum wb_frame_type type, const ProtobufCMessage *m)
{
	struct wb_err err = WB_ERR_INIT;

	pthread_mutex_lock(&c->send);
	wb_status st = wb_frame_send(c->fd, type, m, &err);
	c->sent_ns = wb_clock_ns();
	pthread_mutex_unlock(&c->send);
	if (!wb_is_ok(st))
		wb_log(WB_LOG_DEBUG, "client gone: %s", err.text);
	return st;
}

void wb_connection_alive(struct wb_connection *c, int64_t now_ns)
{
	if (!atomic_load(&c->awaited) || pthread_mutex_trylock(&c->send) != 0)
		return;
	if (atomic_load(&c->awaited) && now_ns - c->sent_ns > WB_FRAME_ALIVE_MS * 1000000LL) {
		static const uint32_t header[3] = {WB_FRAME_MAGIC, WB_FRAME_ALIVE, 0};

		/* Twelve bytes either fit into the socket's buffer or the client is stuck and needs no sign of ours. */
		if (send(c->fd, header, sizeof header, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof header)
			c->sent_ns = now_ns;
	}
	pthread_mutex_unlock(&c->send);
}

static void set_awaited(struct wb_connection *c, bool on)
{
	pthread_mutex_lock(&c->send);
	c->sent_ns = wb_clock_ns();
	atomic_store(&c->awaited, on);
	pthread_mutex_unlock(&c->send);
}

static ProtobufCBinaryData binary(const char *p, size_t n)
{
	return (ProtobufCBinaryData){.len = n, .data = (uint8_t *)(uintptr_t)p};
}

/* NULL-terminated strings; NULL when one has a NUL inside, which no argument of a process can have. */
static const char *const *strings_of(struct wb_arena *a, size_t n, const ProtobufCBinaryData *v)
{
	const char **out = wb_arena_array(a, n + 1, sizeof *out);

	for (size_t i = 0; i < n; i++) {
		if (v[i].len > 0 && memchr(v[i].data, '\0', v[i].len))
			return NULL;
		out[i] = wb_arena_strndup(a, (const char *)v[i].data, v[i].len);
	}
	return out;
}

/* The request's settings over the daemon's; one of daemon scope that differs is an error. */
static wb_status config_of(struct wb_config **out, struct wb_arena *a, struct wb_service *s, size_t n,
			   Waybill__Wire__Setting *const *setting, struct wb_err *err)
{
	struct wb_config *config = wb_arena_memdup(a, &s->config, sizeof *config);

	for (size_t i = 0; i < n; i++) {
		char *value = wb_arena_strndup(a, (const char *)setting[i]->value.data, setting[i]->value.len);

		WB_TRY(wb_config_set(config, a, setting[i]->key, value, "the client's settings", err));
	}
	WB_TRY(wb_config_check(config, err));
	for (int i = 0; i < WB_SET_COUNT; i++) {
		const struct wb_setting_row *row = &wb_setting_table[i];

		if (row->scope == WB_SCOPE_DAEMON && strcmp(config->value[i], s->config.value[i]) != 0)
			return wb_fail(
			    err, WB_EINVAL,
			    "%s is '%s' here, but the running daemon was started with '%s': this setting is fixed at "
			    "its start; run 'waybill stop' (with the old setting) first",
			    row->env, config->value[i], s->config.value[i]);
	}
	*out = config;
	return wb_ok();
}

static wb_status reply_error(struct wb_connection *c, const char *text)
{
	Waybill__Wire__CompileReply r = WAYBILL__WIRE__COMPILE_REPLY__INIT;

	r.decision = WAYBILL__WIRE__COMPILE_REPLY__DECISION__CONFIG_ERROR;
	r.message = binary(text, strlen(text));
	return send_frame(c, WB_FRAME_COMPILE_REPLY, &r.base);
}

static wb_status reply_job(struct wb_connection *c, struct wb_job *j)
{
	Waybill__Wire__CompileReply r = WAYBILL__WIRE__COMPILE_REPLY__INIT;

	if (j->answer == WB_JOB_DONE) {
		r.decision = WAYBILL__WIRE__COMPILE_REPLY__DECISION__DONE;
		r.exit_code = j->exit_code;
		r.stdout = binary(j->out_text.p, j->out_text.n);
		r.stderr = binary(j->err_text.p, j->err_text.n);
	} else {
		size_t n = 0;

		r.decision = WAYBILL__WIRE__COMPILE_REPLY__DECISION__RUN_LOCAL;
		while (j->argv && j->argv[n])
			n++;
		r.argv = wb_arena_array(&j->arena, n, sizeof *r.argv);
		r.n_argv = n;
		for (size_t i = 0; i < n; i++)
			r.argv[i] = binary(j->argv[i], strlen(j->argv[i]));
		if (j->cwd)
			r.cwd = binary(j->cwd, strlen(j->cwd));
		r.capture_stderr = j->capture_stderr;
		r.reason = (char *)(uintptr_t)wb_reason_name(j->reason);
	}
	return send_frame(c, WB_FRAME_COMPILE_REPLY, &r.base);
}

/* The launcher runs the command; wait for its report for as long as that takes. */
static void follow_local(struct wb_connection *c, struct wb_job *j)
{
	Waybill__Wire__LocalAck ack = WAYBILL__WIRE__LOCAL_ACK__INIT;
	struct wb_frame f;

	if (!wb_is_ok(wb_frame_receive(&f, &j->arena, c->fd, LOCAL_DONE_MAX, -1, NULL)) ||
	    f.type != WB_FRAME_LOCAL_DONE)
		return;
	set_awaited(c, true);
	const Waybill__Wire__LocalDone *done =
	    wb_frame_decode(&waybill__wire__local_done__descriptor, &j->arena, f.data, f.len);
	if (!done)
		return;
	wb_job_local_done(j, done->wait_status, (const char *)done->stderr.data, done->stderr.len);
	ack.stderr = binary(j->err_text.p, j->err_text.n);
	wb_ignore(send_frame(c, WB_FRAME_LOCAL_ACK, &ack.base)); /* a client that left needs no answer */
	set_awaited(c, false);
}

static bool compile(struct wb_connection *c, const struct wb_frame *f)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_config *config;
	struct wb_job j;
	bool ok = false;

	wb_job_init(&j, c->service);
	const Waybill__Wire__CompileRequest *m =
	    wb_frame_decode(&waybill__wire__compile_request__descriptor, &j.arena, f->data, f->len);
	if (!m)
		goto out;
	j.req.argv = strings_of(&j.arena, m->n_argv, m->argv);
	j.req.env = strings_of(&j.arena, m->n_env, m->env);
	j.req.cwd = wb_arena_strndup(&j.arena, (const char *)m->cwd.data, m->cwd.len);
	if (!j.req.argv || !j.req.argv[0] || !j.req.env || j.req.cwd[0] != '/')
		goto out;
	if (!wb_is_ok(config_of(&config, &j.arena, c->service, m->n_settings, m->settings, &err))) {
		ok = wb_is_ok(reply_error(c, err.text));
		goto out;
	}
	j.req.config = config;
	j.req.stderr_is_terminal = m->stderr_is_terminal;
	j.req.umask = m->umask & 0777;
	j.req.cancel = &c->cancel;
	wb_daemon_set_job(c->daemon, c, &j);
	wb_job_run(&j);
	set_awaited(c, false);
	if (j.answer == WB_JOB_CANCELED || !wb_is_ok(reply_job(c, &j)))
		goto out;
	if (j.answer == WB_JOB_RUN_LOCAL)
		follow_local(c, &j);
	ok = true;
out:
	wb_daemon_set_job(c->daemon, c, NULL);
	wb_job_release(&j);
	return ok;
}

/* wb_verb_call.flush: a part of the answer, in a frame of its own. */
static wb_status send_part(struct wb_verb_call *call, struct wb_err *err)
{
	Waybill__Wire__VerbOutput o = WAYBILL__WIRE__VERB_OUTPUT__INIT;
	struct wb_connection *c = call->flush_to;

	o.stdout = binary(call->out->p, call->out->n);
	o.stderr = binary(call->err_out->p, call->err_out->n);
	wb_status st = send_frame(c, WB_FRAME_VERB_OUTPUT, &o.base);
	wb_buf_reset(call->out);
	wb_buf_reset(call->err_out);
	return wb_is_ok(st) ? st : wb_fail(err, st.code, "the client is gone");
}

static bool verb(struct wb_connection *c, const struct wb_frame *f, struct wb_arena *a)
{
	const Waybill__Wire__VerbRequest *m =
	    wb_frame_decode(&waybill__wire__verb_request__descriptor, a, f->data, f->len);
	Waybill__Wire__VerbOutput o = WAYBILL__WIRE__VERB_OUTPUT__INIT;
	struct wb_buf out = WB_BUF_INIT, text = WB_BUF_INIT;
	struct wb_err err = WB_ERR_INIT;
	struct wb_config *config;

	if (!m)
		return false;
	struct wb_verb_call call = {
	    .service = c->service,
	    .daemon = c->daemon,
	    .arena = a,
	    .args = strings_of(a, m->n_args, m->args),
	    .env = strings_of(a, m->n_env, m->env),
	    .cwd = wb_arena_strndup(a, (const char *)m->cwd.data, m->cwd.len),
	    .terminal = m->stdout_is_terminal,
	    .err_terminal = m->stderr_is_terminal,
	    .cancel = &c->cancel,
	    .out = &out,
	    .err_out = &text,
	    .flush = send_part,
	    .flush_to = c,
	};
	if (!call.args || !call.env)
		return false;
	/* `stop` must work whatever the settings are. */
	if (strcmp(m->verb, "stop") != 0 &&
	    !wb_is_ok(config_of(&config, a, c->service, m->n_settings, m->settings, &err))) {
		wb_buf_addf(&text, "waybill: %s\n", err.text);
		o.exit_code = 2;
	} else {
		if (strcmp(m->verb, "stop") == 0)
			config = &c->service->config;
		call.config = config;
		o.exit_code = wb_verb_run(&call, m->verb);
	}
	set_awaited(c, false);
	o.stdout = binary(out.p, out.n);
	o.stderr = binary(text.p, text.n);
	o.last = true;
	bool ok = wb_is_ok(send_frame(c, WB_FRAME_VERB_OUTPUT, &o.base));
	if (call.stop)
		wb_daemon_stop(c->daemon);
	wb_buf_release(&out);
	wb_buf_release(&text);
	return ok;
}

/* Does the client begin as every HTTP/2 client does? A frame begins with other bytes (wire/frame.h). What it sent is
 * left for whoever serves it. */
static bool speaks_http2(struct wb_connection *c)
{
	static const char preface[] = {'P', 'R', 'I', ' '};
	int64_t until = wb_clock_ns() + IDLE_MS * 1000000LL;

	for (;;) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		int64_t left_ms = (until - wb_clock_ns()) / 1000000;
		char head[sizeof preface];

		if (left_ms <= 0)
			atomic_store(&c->cancel, true); /* it says nothing: let it go */
		if (atomic_load(&c->cancel))
			return false;
		int ready = poll(&p, 1, (int)left_ms);
		if (ready < 0 && errno == EINTR)
			continue;
		ssize_t n = ready > 0 ? recv(c->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT) : 0;
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0 || memcmp(head, preface, (size_t)n) != 0)
			return false;
		if ((size_t)n == sizeof preface)
			return true;
		/* Less than four bytes, which no client sends by itself: poll would not wait for the rest. */
		struct timespec ts = {.tv_nsec = 5000000};
		nanosleep(&ts, NULL);
	}
}

/* From here on the gRPC server owns the connection; this thread and its descriptor are done with it. */
static void hand_over(struct wb_connection *c)
{
	struct wb_err err = WB_ERR_INIT;
	int fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
	wb_status st = fd < 0 ? wb_fail_errno(&err, errno, "no descriptor for a gRPC connection")
			      : wb_rpc_server_add(c->rpc, fd, &err);

	if (!wb_is_ok(st))
		wb_log(WB_LOG_WARN, "%s", err.text);
}

void wb_connection_serve(struct wb_connection *c)
{
	bool more = !speaks_http2(c);

	if (!more)
		hand_over(c);
	while (more && !atomic_load(&c->cancel)) {
		struct wb_arena a;
		struct wb_frame f;

		wb_arena_init(&a);
		more = wb_is_ok(wb_frame_receive(&f, &a, c->fd, REQUEST_MAX, IDLE_MS, NULL));
		if (more) {
			set_awaited(c, true);
			more = f.type == WB_FRAME_COMPILE_REQUEST ? compile(c, &f)
			       : f.type == WB_FRAME_VERB_REQUEST  ? verb(c, &f, &a)
								  : false;
			set_awaited(c, false);
		}
		wb_arena_release(&a);
	}
}
