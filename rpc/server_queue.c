/* Calls that wait, and the threads that run them. Each connection has a queue of its own, and the queues take turns: a
 * client with a thousand calls delays one with a single call by one call, not by a thousand. One thread is always left
 * to the others, so long calls of one client do not shut everybody else out. */
#include "rpc/server_impl.h"

#include <grpc/support/alloc.h>
#include <stdlib.h>
#include <string.h>

static unsigned hash(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h % WB_RPC_BUCKETS;
}

/* gRPC names a connection by its remote address and port, or by its descriptor when it was handed over. */
static struct wb_rpc_peer *peer_of(struct wb_rpc_server *s, grpc_call *call)
{
	char *name = grpc_call_get_peer(call);
	struct wb_rpc_peer **bucket = &s->bucket[hash(name)], *p = *bucket;

	while (p && strcmp(p->name, name) != 0)
		p = p->bucket_next;
	if (!p) {
		size_t n = strlen(name) + 1;

		p = wb_xcalloc(1, sizeof *p + n);
		memcpy(p->name, name, n);
		p->bucket_next = *bucket;
		*bucket = p;
	}
	gpr_free(name);
	return p;
}

static void forget(struct wb_rpc_server *s, struct wb_rpc_peer *p)
{
	struct wb_rpc_peer **link = &s->bucket[hash(p->name)];

	while (*link != p)
		link = &(*link)->bucket_next;
	*link = p->bucket_next;
	free(p);
}

static void ring_append(struct wb_rpc_server *s, struct wb_rpc_peer *p)
{
	p->in_ring = true;
	p->ring_next = NULL;
	if (s->ring_last)
		s->ring_last->ring_next = p;
	else
		s->ring_first = p;
	s->ring_last = p;
}

void wb_server_queue_push(struct wb_rpc_server *s, struct wb_server_call *c)
{
	struct wb_rpc_peer *p = peer_of(s, c->call);

	c->peer = p;
	c->pooled = true;
	c->queue_next = NULL;
	if (p->last)
		p->last->queue_next = c;
	else
		p->first = c;
	p->last = c;
	if (!p->in_ring)
		ring_append(s, p);
	s->waiting++;
	pthread_cond_signal(&s->work);
}

/* The next call whose turn it is; NULL: none may run. */
static struct wb_server_call *take(struct wb_rpc_server *s)
{
	struct wb_rpc_peer **link = &s->ring_first, *before = NULL, *p;

	for (p = *link; p && p->running >= s->peer_max; p = *link) {
		before = p;
		link = &p->ring_next;
	}
	if (!p)
		return NULL;
	*link = p->ring_next;
	if (s->ring_last == p)
		s->ring_last = before;
	p->in_ring = false;
	struct wb_server_call *c = p->first;
	p->first = c->queue_next;
	if (p->first)
		ring_append(s, p);
	else
		p->last = NULL;
	p->running++;
	s->waiting--;
	s->running++;
	return c;
}

void *wb_server_queue_work(void *server)
{
	struct wb_rpc_server *s = server;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct wb_server_call *c = take(s);

		if (c) {
			struct wb_rpc_peer *p = c->peer;

			pthread_mutex_unlock(&s->lock);
			wb_server_call_run(c);
			wb_server_call_unref(c);
			pthread_mutex_lock(&s->lock);
			s->running--;
			if (--p->running == 0 && !p->first)
				forget(s, p);
			pthread_cond_broadcast(&s->changed);
		} else if (s->ending) {
			break;
		} else {
			pthread_cond_wait(&s->work, &s->lock);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}
