/* The server's life: made, armed, stopped, freed. */
#define _GNU_SOURCE
#include "base/clock.h"
#include "rpc/core.h"
#include "rpc/server_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE_MAX    (64u << 20)
#define THREADS        8
#define CALLS_MAX      4096
#define STREAMS_MAX    1000             /* calls of one connection at once: the rest waits at the client */
#define METADATA_MAX   (16 << 10)       /* bytes of headers of one call */
#define IDLE_MS        (10 * 60 * 1000) /* a connection without calls */
#define KEEPALIVE_MS   60000            /* ask a silent client whether it is there, */
#define KEEPALIVE_WAIT 20000            /* and wait so long for the answer */
#define PING_MIN_MS    10000            /* clients that ping more often are told to go away */
#define STALL_NS       (60 * 1000000000LL)
#define MEMORY_MAX     (512u << 20)       /* what gRPC may hold for all connections before it refuses */
#define LAST_WORDS_NS  (1000 * 1000000LL) /* for statuses to reach their clients when the server stops */

void wb_rpc_status_set(struct wb_rpc_status *st, int code, const char *fmt, ...)
{
	va_list ap;

	st->code = code;
	va_start(ap, fmt);
	vsnprintf(st->message, sizeof st->message, fmt, ap);
	va_end(ap);
	for (char *p = st->message; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
}

/* Take one event; false: the queue has ended. */
static bool poll_once(struct wb_rpc_server *s)
{
	grpc_event e = grpc_completion_queue_next(s->cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

	if (e.type == GRPC_OP_COMPLETE) {
		struct wb_rpc_tag *tag = e.tag;

		(void)atomic_load_explicit(&tag->handed, memory_order_acquire);
		tag->done(tag, e.success != 0);
	}
	return e.type != GRPC_QUEUE_SHUTDOWN;
}

static void *poll_queue(void *server)
{
	while (poll_once(server))
		;
	return NULL;
}

static void arm(struct wb_rpc_accept *a)
{
	struct wb_rpc_server *s = a->server;

	a->call = NULL;
	grpc_call_details_init(&a->details);
	grpc_metadata_array_init(&a->metadata);
	atomic_store_explicit(&a->tag.handed, true, memory_order_release);
	/* Refused only when the server was shut down: then there is nothing to ask for any more. */
	if (grpc_server_request_call(s->grpc, &a->call, &a->details, &a->metadata, s->cq, s->cq, &a->tag) !=
	    GRPC_CALL_OK) {
		grpc_metadata_array_destroy(&a->metadata);
		grpc_call_details_destroy(&a->details);
	}
}

static void on_accepted(struct wb_rpc_tag *tag, bool ok)
{
	struct wb_rpc_accept *a = tag->owner;

	if (ok)
		wb_server_call_begin(a->server, a->call, a->details.method);
	grpc_metadata_array_destroy(&a->metadata);
	grpc_call_details_destroy(&a->details);
	if (ok)
		arm(a);
}

static void on_shutdown(struct wb_rpc_tag *tag, bool ok)
{
	struct wb_rpc_server *s = tag->owner;

	(void)ok;
	pthread_mutex_lock(&s->lock);
	s->shut_down = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static grpc_arg integer(const char *key, size_t value)
{
	return (grpc_arg){.type = GRPC_ARG_INTEGER,
			  .key = (char *)(uintptr_t)key,
			  .value.integer = value > INT32_MAX ? INT32_MAX : (int)value};
}

static void make_grpc(struct wb_rpc_server *s, size_t receive_max)
{
	grpc_resource_quota *quota = grpc_resource_quota_create("waybill");
	grpc_arg arg[] = {
	    integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, receive_max),
	    integer(GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_MAX),
	    integer(GRPC_ARG_MAX_METADATA_SIZE, METADATA_MAX),
	    integer(GRPC_ARG_MAX_CONNECTION_IDLE_MS, IDLE_MS),
	    integer(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
	    integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_WAIT),
	    integer(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_MIN_MS),
	    integer(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
	    integer(GRPC_ARG_ALLOW_REUSEPORT, 0),
	    /* The limit is on what arrives, not on what it unpacks to: take nothing compressed. */
	    integer(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1u << GRPC_COMPRESS_NONE),
	    integer(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
	    {.type = GRPC_ARG_POINTER,
	     .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
	     .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()}},
	};
	grpc_channel_args args = {.num_args = sizeof arg / sizeof arg[0], .args = arg};

	grpc_resource_quota_resize(quota, MEMORY_MAX);
	s->grpc = grpc_server_create(&args, NULL);
	grpc_resource_quota_unref(quota);
	s->cq = grpc_completion_queue_create_for_next(NULL);
	grpc_server_register_completion_queue(s->grpc, s->cq, NULL);
	s->credentials = grpc_insecure_server_credentials_create();
}

static void copy_methods(struct wb_rpc_server *s, const struct wb_rpc_server_config *config)
{
	s->nmethod = config->nmethod;
	s->method = wb_xcalloc(config->nmethod + 1, sizeof *s->method);
	for (size_t i = 0; i < config->nmethod; i++)
		s->method[i] = config->method[i];
}

static wb_status start_threads(struct wb_rpc_server *s, unsigned threads, struct wb_err *err)
{
	int e = 0;

	s->worker = wb_xcalloc(threads, sizeof *s->worker);
	s->peer_max = threads > 2 ? threads - 1 : threads;
	for (; s->npoller < WB_RPC_POLLERS && e == 0; s->npoller += e == 0)
		e = pthread_create(&s->poller[s->npoller], NULL, poll_queue, s);
	for (; s->nworker < threads && e == 0; s->nworker += e == 0)
		e = pthread_create(&s->worker[s->nworker], NULL, wb_server_queue_work, s);
	return e == 0 ? wb_ok() : wb_fail_errno(err, e, "cannot start the threads of the gRPC server");
}

wb_status wb_rpc_server_new(struct wb_rpc_server **out, const struct wb_rpc_server_config *config, struct wb_err *err)
{
	struct wb_rpc_server *s = wb_xcalloc(1, sizeof *s);
	pthread_condattr_t attr;
	wb_status st = wb_ok();

	*out = NULL;
	wb_rpc_core_begin();
	s->calls_max = config->calls_max ? config->calls_max : CALLS_MAX;
	s->stall_ns = config->stall_ns ? config->stall_ns : STALL_NS;
	atomic_init(&s->active_ns, wb_clock_ns());
	pthread_mutex_init(&s->adding, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	s->shutdown = (struct wb_rpc_tag){.done = on_shutdown, .owner = s};
	copy_methods(s, config);
	make_grpc(s, config->receive_max ? config->receive_max : RECEIVE_MAX);
	if (config->descriptors)
		st = wb_reflection_new(&s->reflection, config->descriptors, config->descriptors_len, err);
	if (wb_is_ok(st) && config->listen && config->listen[0])
		st = wb_server_listen(&s->port, s, config->listen, err);
	grpc_server_start(s->grpc);
	for (size_t i = 0; i < WB_RPC_ARMED && wb_is_ok(st); i++) {
		s->accept[i] =
		    (struct wb_rpc_accept){.tag = {.done = on_accepted, .owner = &s->accept[i]}, .server = s};
		arm(&s->accept[i]);
	}
	if (wb_is_ok(st))
		st = start_threads(s, config->threads ? config->threads : THREADS, err);
	if (!wb_is_ok(st)) {
		wb_rpc_server_free(s);
		return st;
	}
	*out = s;
	return wb_ok();
}

/* Under the lock: wait for `changed` until `until_ns` (0: for ever); false when the time is over. */
static bool wait_changed(struct wb_rpc_server *s, int64_t until_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(until_ns / 1000000000), .tv_nsec = (long)(until_ns % 1000000000)};

	if (until_ns == 0)
		return pthread_cond_wait(&s->changed, &s->lock) == 0;
	return pthread_cond_timedwait(&s->changed, &s->lock, &ts) != ETIMEDOUT;
}

void wb_rpc_server_stop(struct wb_rpc_server *s, int64_t grace_ns)
{
	int64_t until = wb_clock_ns() + grace_ns;

	pthread_mutex_lock(&s->adding);
	pthread_mutex_lock(&s->lock);
	if (s->stopping) {
		pthread_mutex_unlock(&s->lock);
		pthread_mutex_unlock(&s->adding);
		return;
	}
	s->stopping = true;
	pthread_mutex_unlock(&s->lock);
	atomic_store_explicit(&s->shutdown.handed, true, memory_order_release);
	grpc_server_shutdown_and_notify(s->grpc, s->cq, &s->shutdown);
	pthread_mutex_unlock(&s->adding);

	pthread_mutex_lock(&s->lock);
	for (struct wb_server_call *c = s->calls; c; c = c->next) {
		atomic_store(&c->cancel, true);
		if (c->pooled)
			wb_server_call_wake(c);
		else if (c->admitted)
			grpc_call_cancel_with_status(c->call, GRPC_STATUS_UNAVAILABLE, "the server is stopping", NULL);
	}
	while ((s->waiting > 0 || s->running > 0) && wait_changed(s, until))
		;
	until = wb_clock_ns() + LAST_WORDS_NS;
	while (s->open > s->waiting + s->running && wait_changed(s, until))
		;
	pthread_mutex_unlock(&s->lock);
	/* Connections, too: gRPC would wait for each client's goodbye. */
	grpc_server_cancel_all_calls(s->grpc);
}

void wb_rpc_server_free(struct wb_rpc_server *s)
{
	if (!s)
		return;
	wb_rpc_server_stop(s, 0);
	/* Only now, when nothing waits any more, whatever the handlers took. */
	pthread_mutex_lock(&s->lock);
	while (s->nworker > 0 && (s->waiting > 0 || s->running > 0))
		wait_changed(s, 0);
	s->ending = true;
	pthread_cond_broadcast(&s->work);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->nworker; i++)
		pthread_join(s->worker[i], NULL);
	grpc_server_cancel_all_calls(s->grpc);
	pthread_mutex_lock(&s->lock);
	while (!s->shut_down || s->open > 0) {
		if (s->npoller > 0) {
			wait_changed(s, 0);
			continue;
		}
		pthread_mutex_unlock(&s->lock); /* the server was never whole: nobody else takes what gRPC gives back */
		poll_once(s);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	grpc_server_destroy(s->grpc);
	grpc_completion_queue_shutdown(s->cq);
	if (s->npoller == 0)
		poll_queue(s);
	for (unsigned i = 0; i < s->npoller; i++)
		pthread_join(s->poller[i], NULL);
	grpc_completion_queue_destroy(s->cq);
	grpc_server_credentials_release(s->credentials);
	wb_reflection_free(s->reflection);
	pthread_cond_destroy(&s->changed);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->adding);
	free(s->worker);
	free(s->method);
	free(s);
	grpc_shutdown();
}

int wb_rpc_server_port(const struct wb_rpc_server *s)
{
	return s->port;
}

unsigned wb_rpc_server_busy(const struct wb_rpc_server *s)
{
	return atomic_load(&s->busy);
}

int64_t wb_rpc_server_active_ns(const struct wb_rpc_server *s)
{
	return atomic_load(&s->active_ns);
}

wb_status wb_rpc_server_add(struct wb_rpc_server *s, int fd, struct wb_err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		wb_status st = wb_fail_errno(err, errno, "cannot serve gRPC on descriptor %d", fd);

		close(fd);
		return st;
	}
	pthread_mutex_lock(&s->adding);
	pthread_mutex_lock(&s->lock);
	bool stopping = s->stopping;
	pthread_mutex_unlock(&s->lock);
	if (!stopping)
		grpc_server_add_channel_from_fd(s->grpc, fd, s->credentials);
	pthread_mutex_unlock(&s->adding);
	if (!stopping)
		return wb_ok();
	close(fd);
	return wb_fail(err, WB_EUNAVAILABLE, "the gRPC server is stopping");
}
