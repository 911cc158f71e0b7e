#define _GNU_SOURCE /* POLLRDHUP, accept4 */
#include "service/daemon.h"

#include "base/clock.h"
#include "base/log.h"
#include "proto/descriptors.h"
#include "rpc/server.h"
#include "service/backend.h"
#include "service/build_id.h"
#include "service/connection.h"
#include "service/job.h"
#include "service/scanner_service.h"
#include "service/slots.h"
#include "service/stats.h"
#include "wire/socket.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 2048
#define WATCH_MS        100
#define STOP_GRACE_NS   (30 * 1000000000LL)
#define STATUS_JOBS     20
#define RPC_THREADS_MIN 8

struct wb_daemon {
	struct wb_service *service;
	int listen_fd, stop_fd, signal_fd;
	int64_t started_ns;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a connection ended */
	struct wb_connection *head;
	unsigned n;
	int64_t idle_since_ns;
	atomic_bool ending;
	pthread_t watcher;
	struct wb_scanner_service *scanner;
	struct wb_rpc_server *rpc;
	char listening[128]; /* the TCP address with the port in use; "": none */
	struct wb_build_ids *builds;
};

static void hang_up_all(struct wb_daemon *d)
{
	pthread_mutex_lock(&d->lock);
	for (struct wb_connection *c = d->head; c; c = c->next) {
		atomic_store(&c->cancel, true);
		shutdown(c->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&d->lock);
	wb_slots_wake(d->service->compile_slots);
	wb_slots_wake(d->service->scan_slots);
}

/* Clients that went away cancel their jobs; clients that wait get a sign of life. */
static void watch_once(struct wb_daemon *d)
{
	bool gone = false;
	int64_t now = wb_clock_ns();

	pthread_mutex_lock(&d->lock);
	for (struct wb_connection *c = d->head; c; c = c->next) {
		struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

		if (poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) &&
		    !atomic_exchange(&c->cancel, true))
			gone = true;
		if (!atomic_load(&c->cancel))
			wb_connection_alive(c, now);
	}
	pthread_mutex_unlock(&d->lock);
	/* A gRPC call may have been cancelled; nobody else tells those who wait for a slot. */
	if (gone || wb_rpc_server_busy(d->rpc) > 0) {
		wb_slots_wake(d->service->compile_slots);
		wb_slots_wake(d->service->scan_slots);
	}
}

static void *watch(void *arg)
{
	struct wb_daemon *d = arg;

	while (!atomic_load(&d->ending)) {
		struct timespec ts = {.tv_nsec = WATCH_MS * 1000000L};

		nanosleep(&ts, NULL);
		watch_once(d);
	}
	return NULL;
}

static void *connection_main(void *arg)
{
	struct wb_connection *c = arg;
	struct wb_daemon *d = c->daemon;

	wb_connection_serve(c);
	pthread_mutex_lock(&d->lock);
	if (c->prev)
		c->prev->next = c->next;
	else
		d->head = c->next;
	if (c->next)
		c->next->prev = c->prev;
	d->n--;
	d->idle_since_ns = wb_clock_ns();
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	close(c->fd);
	pthread_mutex_destroy(&c->send);
	free(c);
	return NULL;
}

static void add_connection(struct wb_daemon *d, int fd)
{
	struct wb_err err = WB_ERR_INIT;
	pthread_attr_t attr;
	pthread_t thread;

	if (!wb_is_ok(wb_socket_check_peer(fd, &err))) {
		wb_log(WB_LOG_WARN, "refused a connection: %s", err.text);
		close(fd);
		return;
	}
	struct wb_connection *c = calloc(1, sizeof *c);
	if (!c) {
		close(fd);
		return;
	}
	c->daemon = d;
	c->service = d->service;
	c->rpc = d->rpc;
	c->fd = fd;
	pthread_mutex_init(&c->send, NULL);
	pthread_mutex_lock(&d->lock);
	c->next = d->head;
	if (d->head)
		d->head->prev = c;
	d->head = c;
	d->n++;
	pthread_mutex_unlock(&d->lock);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, connection_main, c) != 0) {
		wb_log(WB_LOG_ERROR, "cannot start a thread for a connection");
		atomic_store(&c->cancel, true);
		shutdown(fd, SHUT_RDWR);
		connection_main(c); /* sees the closed socket, cleans up, and the client runs locally */
	}
	pthread_attr_destroy(&attr);
}

/* The gRPC server on what clients connect to by themselves (the unix socket's connections come through add_connection).
 * A port that is taken, perhaps by a daemon of another build, must not keep this one from its compiles. */
static wb_status start_rpc(struct wb_daemon *d, struct wb_err *err)
{
	struct wb_rpc_server_config c = {
	    .descriptors = wb_proto_descriptors,
	    .descriptors_len = wb_proto_descriptors_len,
	    .threads = d->service->jobs < RPC_THREADS_MIN ? RPC_THREADS_MIN : d->service->jobs,
	    .listen = d->service->config.value[WB_SET_LISTEN],
	};

	WB_TRY(wb_scanner_service_new(&d->scanner, d->service, err));
	wb_scanner_service_methods(&c.method, &c.nmethod, d->scanner);
	wb_status st = wb_rpc_server_new(&d->rpc, &c, err);
	if (st.code == WB_EBUSY) {
		wb_log(WB_LOG_WARN, "listen: %s; answering gRPC on the unix socket only", err->text);
		c.listen = NULL;
		st = wb_rpc_server_new(&d->rpc, &c, err);
	}
	if (!wb_is_ok(st))
		return wb_fail_prefix(err, st, "listen (WAYBILL_LISTEN)");
	const char *colon = c.listen ? strrchr(c.listen, ':') : NULL;
	if (colon)
		snprintf(d->listening, sizeof d->listening, "%.*s:%d", (int)(colon - c.listen), c.listen,
			 wb_rpc_server_port(d->rpc));
	return wb_ok();
}

static void release(struct wb_daemon *d)
{
	wb_rpc_server_free(d->rpc);
	wb_scanner_service_free(d->scanner);
	if (d->stop_fd >= 0)
		close(d->stop_fd);
	if (d->signal_fd >= 0)
		close(d->signal_fd);
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	wb_build_ids_free(d->builds);
	free(d);
}

wb_status wb_daemon_new(struct wb_daemon **out, struct wb_service *s, int listen_fd, struct wb_err *err)
{
	sigset_t set;

	*out = NULL;
	struct wb_daemon *d = calloc(1, sizeof *d);
	if (!d)
		return wb_fail_errno(err, ENOMEM, "cannot start the daemon");
	d->service = s;
	d->listen_fd = listen_fd;
	d->started_ns = d->idle_since_ns = wb_clock_ns();
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->changed, NULL);
	d->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* main() blocked them before any thread was made. */
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	d->builds = wb_build_ids_new("/proc");
	wb_status st =
	    d->stop_fd < 0 || d->signal_fd < 0 ? wb_fail_errno(err, errno, "cannot start the daemon") : wb_ok();
	if (wb_is_ok(st))
		st = start_rpc(d, err);
	if (wb_is_ok(st)) {
		int e = pthread_create(&d->watcher, NULL, watch, d);

		if (e != 0)
			st = wb_fail_errno(err, e, "cannot start the daemon");
	}
	if (!wb_is_ok(st)) {
		release(d);
		return st;
	}
	*out = d;
	return wb_ok();
}

static bool idle_too_long(struct wb_daemon *d)
{
	int64_t limit = wb_config_number(&d->service->config, WB_SET_IDLE_TIMEOUT);

	pthread_mutex_lock(&d->lock);
	int64_t rpc = wb_rpc_server_active_ns(d->rpc), since = d->idle_since_ns > rpc ? d->idle_since_ns : rpc;
	bool idle =
	    d->n == 0 && wb_rpc_server_busy(d->rpc) == 0 && limit > 0 && wb_clock_ns() - since > limit * 1000000000LL;
	pthread_mutex_unlock(&d->lock);
	return idle;
}

static bool full(struct wb_daemon *d)
{
	pthread_mutex_lock(&d->lock);
	bool f = d->n >= CONNECTIONS_MAX;
	pthread_mutex_unlock(&d->lock);
	return f;
}

static bool any_left(const struct wb_daemon *d)
{
	return d->head != NULL;
}

/* Is a job under way, or does a client wait for a frame? One that is merely connected, such as the client that asked
 * the daemon to stop, is not. */
static bool any_busy(const struct wb_daemon *d)
{
	for (const struct wb_connection *c = d->head; c; c = c->next)
		if (c->job || atomic_load(&c->awaited))
			return true;
	return wb_rpc_server_busy(d->rpc) > 0;
}

/* Wait while `some` holds, at most `ns`. */
static void drain(struct wb_daemon *d, bool (*some)(const struct wb_daemon *), int64_t ns)
{
	int64_t until = wb_clock_ns() + ns;

	pthread_mutex_lock(&d->lock);
	while (some(d) && wb_clock_ns() < until) {
		struct timespec ts;

		/* Nothing is broadcast when a connection is merely done with its job: look again. */
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_nsec += WATCH_MS * 1000000L;
		if (ts.tv_nsec >= 1000000000L) {
			ts.tv_nsec -= 1000000000L;
			ts.tv_sec++;
		}
		pthread_cond_timedwait(&d->changed, &d->lock, &ts);
	}
	pthread_mutex_unlock(&d->lock);
}

void wb_daemon_serve(struct wb_daemon *d)
{
	bool killed = false;

	for (;;) {
		struct pollfd p[3] = {
		    {.fd = d->stop_fd, .events = POLLIN},
		    {.fd = d->signal_fd, .events = POLLIN},
		    {.fd = full(d) ? -1 : d->listen_fd, .events = POLLIN},
		};

		if (poll(p, 3, 1000) < 0 && errno != EINTR)
			break;
		killed = (p[1].revents & POLLIN) != 0;
		if (killed || (p[0].revents & POLLIN) || idle_too_long(d))
			break;
		if (!(p[2].revents & POLLIN))
			continue;
		int fd = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0) {
			add_connection(d, fd);
		} else if (errno == EMFILE || errno == ENFILE) {
			struct timespec ts = {.tv_nsec = 20000000};

			nanosleep(&ts, NULL); /* running jobs give descriptors back */
		}
	}
	wb_log(WB_LOG_INFO, "ending (%s)", killed ? "signal" : "idle or stopped");
	close(d->listen_fd);
	if (!killed)
		drain(d, any_busy, STOP_GRACE_NS);
	hang_up_all(d);
	wb_rpc_server_stop(d->rpc, STOP_GRACE_NS);
	drain(d, any_left, STOP_GRACE_NS);
}

void wb_daemon_free(struct wb_daemon *d)
{
	if (!d)
		return;
	atomic_store(&d->ending, true);
	pthread_join(d->watcher, NULL);
	release(d);
}

void wb_daemon_stop(struct wb_daemon *d)
{
	uint64_t one = 1;
	ssize_t n = write(d->stop_fd, &one, sizeof one);

	(void)n; /* a full counter means that somebody stopped it already */
}

/* What the job is about, as far as its command line tells at a glance: what follows -c, where CMake puts the source. */
static const char *subject(const char *const *argv)
{
	for (size_t i = 1; argv[i]; i++)
		if (strcmp(argv[i], "-c") == 0 && argv[i + 1] && argv[i + 1][0] != '-')
			return argv[i + 1];
	return argv[0];
}

void wb_daemon_set_job(struct wb_daemon *d, struct wb_connection *c, struct wb_job *job)
{
	const char *ended = c->job ? c->job->build : NULL; /* only this thread changes c->job */

	if (job) {
		wb_build_ids_begin(job->build, d->builds, wb_socket_peer_pid(c->fd), wb_clock_ns());
		if (!job->what || !job->what[0])
			job->what = subject(job->req.argv);
	}
	pthread_mutex_lock(&d->lock);
	c->job = job;
	pthread_mutex_unlock(&d->lock);
	if (ended)
		wb_build_ids_end(d->builds, ended, wb_clock_ns());
}

/* The jobs that run for longest, under the lock. */
static size_t longest_jobs(const struct wb_job *out[STATUS_JOBS], const struct wb_daemon *d)
{
	size_t n = 0;

	for (const struct wb_connection *c = d->head; c; c = c->next) {
		size_t at = n;

		if (!c->job)
			continue;
		while (at > 0 && out[at - 1]->started_ns > c->job->started_ns)
			at--;
		if (at == STATUS_JOBS)
			continue;
		if (n < STATUS_JOBS)
			n++;
		memmove(&out[at + 1], &out[at], (n - at - 1) * sizeof *out);
		out[at] = c->job;
	}
	return n;
}

static void print_jobs(struct wb_buf *out, const struct wb_daemon *d, unsigned jobs)
{
	const struct wb_job *job[STATUS_JOBS];
	size_t n = longest_jobs(job, d);
	int64_t now = wb_clock_ns();

	for (size_t i = 0; i < n; i++) {
		wb_buf_addf(out, "%-12s %-11s %8.1f s  ", i == 0 ? "in flight" : "",
			    wb_job_state_name(wb_job_state(job[i])), (double)(now - job[i]->started_ns) / 1e9);
		/* A name from the file system, and this goes to a terminal. */
		for (const char *p = job[i]->what; *p; p++)
			wb_buf_addc(out, (unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p);
		wb_buf_addc(out, '\n');
	}
	if (jobs > n)
		wb_buf_addf(out, "%-12s and %zu more\n", "", jobs - n);
}

void wb_daemon_status(struct wb_buf *out, struct wb_daemon *d)
{
	struct wb_service *s = d->service;
	struct wb_buf list = WB_BUF_INIT;
	unsigned count[WB_JOB_STATE_COUNT] = {0}, jobs = 0, connections;
	const char *comma = " (";

	pthread_mutex_lock(&d->lock);
	for (const struct wb_connection *c = d->head; c; c = c->next)
		if (c->job) {
			int state = wb_job_state(c->job);

			jobs++;
			if (state >= 0 && state < WB_JOB_STATE_COUNT)
				count[state]++;
		}
	connections = d->n;
	print_jobs(&list, d, jobs);
	pthread_mutex_unlock(&d->lock);
	wb_buf_addf(out, "daemon       pid %ld, up %" PRId64 " s\n", (long)getpid(),
		    (int64_t)((wb_clock_ns() - d->started_ns) / 1000000000));
	wb_buf_addf(out, "connections  %u\njobs         %u", connections, jobs);
	for (int i = 0; i < WB_JOB_STATE_COUNT; i++)
		if (count[i] > 0) {
			wb_buf_addf(out, "%s%u %s", comma, count[i], wb_job_state_name(i));
			comma = ", ";
		}
	wb_buf_addf(out, "%s\nslots        %u of %u in use, %u waiting\n", jobs > 0 ? ")" : "",
		    wb_slots_used(s->compile_slots), s->jobs, wb_slots_waiting(s->compile_slots));
	wb_buf_addf(out, "backend      %s\ncache        %s\n", wb_service_backend(s, &s->config)->name, s->cache_dir);
	wb_buf_addf(out, "grpc         %u calls, ", wb_rpc_server_busy(d->rpc));
	if (d->listening[0])
		wb_buf_addf(out, "listening on %s\n", d->listening);
	else
		wb_buf_adds(out, "on the unix socket only\n");
	if (list.n > 0)
		wb_buf_add(out, list.p, list.n);
	wb_buf_release(&list);
}
