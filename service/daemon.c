#define _GNU_SOURCE /* POLLRDHUP, accept4 */
#include "service/daemon.h"

#include "base/clock.h"
#include "base/log.h"
#include "service/backend.h"
#include "service/connection.h"
#include "service/job.h"
#include "service/slots.h"
#include "service/stats.h"
#include "wire/socket.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 2048
#define WATCH_MS        100
#define STOP_GRACE_NS   (30 * 1000000000LL)

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
	if (gone) {
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
	if (d->stop_fd < 0 || d->signal_fd < 0 || pthread_create(&d->watcher, NULL, watch, d) != 0) {
		wb_status st = wb_fail_errno(err, errno, "cannot start the daemon");
		free(d);
		return st;
	}
	*out = d;
	return wb_ok();
}

static bool idle_too_long(struct wb_daemon *d)
{
	int64_t limit = wb_config_number(&d->service->config, WB_SET_IDLE_TIMEOUT);

	pthread_mutex_lock(&d->lock);
	bool idle = d->n == 0 && limit > 0 && wb_clock_ns() - d->idle_since_ns > limit * 1000000000LL;
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
	return false;
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
	drain(d, any_left, STOP_GRACE_NS);
}

void wb_daemon_free(struct wb_daemon *d)
{
	if (!d)
		return;
	atomic_store(&d->ending, true);
	pthread_join(d->watcher, NULL);
	close(d->stop_fd);
	close(d->signal_fd);
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

void wb_daemon_stop(struct wb_daemon *d)
{
	uint64_t one = 1;
	ssize_t n = write(d->stop_fd, &one, sizeof one);

	(void)n; /* a full counter means that somebody stopped it already */
}

void wb_daemon_set_job(struct wb_daemon *d, struct wb_connection *c, struct wb_job *job)
{
	pthread_mutex_lock(&d->lock);
	c->job = job;
	pthread_mutex_unlock(&d->lock);
}

void wb_daemon_status(struct wb_buf *out, struct wb_daemon *d)
{
	struct wb_service *s = d->service;
	unsigned count[WB_JOB_STATE_COUNT] = {0}, jobs = 0;

	pthread_mutex_lock(&d->lock);
	for (struct wb_connection *c = d->head; c; c = c->next)
		if (c->job) {
			jobs++;
			count[atomic_load(&c->job->state)]++;
		}
	unsigned connections = d->n;
	pthread_mutex_unlock(&d->lock);
	wb_buf_addf(out, "daemon       pid %ld, up %" PRId64 " s\n", (long)getpid(),
		    (int64_t)((wb_clock_ns() - d->started_ns) / 1000000000));
	wb_buf_addf(out, "connections  %u\njobs         %u", connections, jobs);
	for (int i = 0; i < WB_JOB_STATE_COUNT; i++)
		wb_buf_addf(out, "%s%u %s", i ? ", " : " (", count[i], wb_job_state_name(i));
	wb_buf_addf(out, ")\nslots        %u of %u in use, %u waiting\n", wb_slots_used(s->compile_slots), s->jobs,
		    wb_slots_waiting(s->compile_slots));
	wb_buf_addf(out, "backend      %s\ncache        %s\n", s->backend->name, s->cache_dir);
}
