#define _GNU_SOURCE
#include "tests/unit/rpc_peer.h"

#include "base/arena.h"
#include "rpc_status.pb-c.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 12, LARGE = 5 << 20 };

/* One thread, one queue, one call at a time. */
struct worker {
	struct rpc_peer *peer;
	pthread_t thread;
	grpc_completion_queue *queue;
	grpc_call *call;
	grpc_call_details details;
	grpc_metadata_array headers;
};

struct rpc_peer {
	grpc_server *server;
	grpc_completion_queue *queue; /* for the shutdown */
	int port;
	atomic_int slow;
	struct worker worker[WORKERS];
};

static bool wait_for(struct worker *w)
{
	grpc_event e = grpc_completion_queue_next(w->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
	return e.type == GRPC_OP_COMPLETE && e.success != 0;
}

static bool run(struct worker *w, const grpc_op *op, size_t n)
{
	return grpc_call_start_batch(w->call, op, n, w, NULL) == GRPC_CALL_OK && wait_for(w);
}

static bool send_headers(struct worker *w)
{
	return run(w, &(grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA}, 1);
}

static bool receive(struct worker *w, grpc_byte_buffer **b)
{
	*b = NULL;
	return run(w, &(grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = b}, 1) && *b != NULL;
}

static bool send_bytes(struct worker *w, const void *data, size_t n)
{
	grpc_slice s = grpc_slice_from_copied_buffer(data, n);
	grpc_byte_buffer *b = grpc_raw_byte_buffer_create(&s, 1);
	bool ok = run(w, &(grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = b}, 1);
	grpc_byte_buffer_destroy(b);
	grpc_slice_unref(s);
	return ok;
}

static bool send_status_message(struct worker *w, int code, char *text)
{
	Google__Rpc__Status m = GOOGLE__RPC__STATUS__INIT;
	m.code = code;
	m.message = text;
	size_t n = google__rpc__status__get_packed_size(&m);
	uint8_t *data = wb_xcalloc(1, n + 1);
	google__rpc__status__pack(&m, data);
	bool ok = send_bytes(w, data, n);
	free(data);
	return ok;
}

static void finish(struct worker *w, grpc_status_code code, const char *text, const grpc_slice *details)
{
	int cancelled;
	grpc_slice message = grpc_slice_from_copied_string(text);
	grpc_metadata trailer;
	if (details != NULL)
		trailer =
		    (grpc_metadata){.key = grpc_slice_from_static_string("grpc-status-details-bin"), .value = *details};
	const grpc_op op[] = {
	    {.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
	     .data.send_status_from_server = {.status = code,
					      .status_details = &message,
					      .trailing_metadata = details == NULL ? NULL : &trailer,
					      .trailing_metadata_count = details != NULL}},
	    {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &cancelled},
	};
	run(w, op, 2);
	grpc_slice_unref(message);
}

static grpc_slice bytes_of(grpc_byte_buffer *b)
{
	grpc_byte_buffer_reader r;
	if (b == NULL || !grpc_byte_buffer_reader_init(&r, b))
		return grpc_empty_slice();
	grpc_slice s = grpc_byte_buffer_reader_readall(&r);
	grpc_byte_buffer_reader_destroy(&r);
	return s;
}

static int code_of(const grpc_slice *request)
{
	Google__Rpc__Status *m =
	    google__rpc__status__unpack(NULL, GRPC_SLICE_LENGTH(*request), GRPC_SLICE_START_PTR(*request));
	int code = m == NULL ? 0 : m->code;
	google__rpc__status__free_unpacked(m, NULL);
	return code;
}

static void headers(struct worker *w)
{
	static const char *const name[] = {"authorization", "user-agent", "test-bin"};
	char text[3][512] = {"", "", ""}, all[2048];
	for (size_t i = 0; i < w->headers.count; i++)
		for (int k = 0; k < 3; k++) {
			const grpc_metadata *m = &w->headers.metadata[i];
			const unsigned char *value = GRPC_SLICE_START_PTR(m->value);
			size_t n = GRPC_SLICE_LENGTH(m->value);
			if (grpc_slice_str_cmp(m->key, name[k]) != 0)
				continue;
			if (k < 2)
				snprintf(text[k], sizeof text[k], "%.*s", (int)n, (const char *)value);
			for (size_t j = 0; k == 2 && j < n && j < 200; j++)
				sprintf(text[k] + 2 * j, "%02x", value[j]);
		}
	snprintf(all, sizeof all, "%s|%s|%s", text[0], text[1], text[2]);
	send_status_message(w, 0, all);
}

static void slow(struct worker *w)
{
	int cancelled;
	atomic_fetch_add(&w->peer->slow, 1);
	run(w, &(grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &cancelled}, 1);
	atomic_fetch_sub(&w->peer->slow, 1);
}

static void serve(struct worker *w)
{
	char method[64];
	snprintf(method, sizeof method, "%.*s", (int)GRPC_SLICE_LENGTH(w->details.method),
		 (const char *)GRPC_SLICE_START_PTR(w->details.method));
	grpc_byte_buffer *b = NULL;
	send_headers(w);
	if (strcmp(method, "/test/Up") == 0) {
		int n = 0;
		while (receive(w, &b)) {
			n++;
			grpc_byte_buffer_destroy(b);
		}
		send_status_message(w, n, (char *)(uintptr_t)"");
		finish(w, GRPC_STATUS_OK, "", NULL);
		return;
	}
	receive(w, &b);
	grpc_slice request = bytes_of(b);
	grpc_byte_buffer_destroy(b);
	grpc_status_code code = GRPC_STATUS_OK;
	const char *text = "";
	const grpc_slice *details = NULL;
	bool finished = false;
	if (strcmp(method, "/test/Echo") == 0) {
		send_bytes(w, GRPC_SLICE_START_PTR(request), GRPC_SLICE_LENGTH(request));
	} else if (strcmp(method, "/test/Headers") == 0) {
		headers(w);
	} else if (strcmp(method, "/test/Fail") == 0) {
		code = GRPC_STATUS_FAILED_PRECONDITION;
		text = "no\033[31m such\nblob";
		details = &request;
	} else if (strcmp(method, "/test/Slow") == 0) {
		slow(w);
		finished = true;
	} else if (strcmp(method, "/test/Down") == 0) {
		for (int i = 0, n = code_of(&request); i < n; i++)
			send_status_message(w, i, (char *)(uintptr_t)"x");
	} else if (strcmp(method, "/test/Pour") == 0) {
		while (send_status_message(w, 1, (char *)(uintptr_t)"more"))
			;
	} else if (strcmp(method, "/test/Early") == 0) {
		code = GRPC_STATUS_ALREADY_EXISTS;
		text = "it is there";
	} else if (strcmp(method, "/test/Garbage") == 0) {
		send_bytes(w, "\xff\xff\xff", 3);
	} else if (strcmp(method, "/test/Large") == 0) {
		char *large = wb_xcalloc(1, LARGE);
		send_bytes(w, large, LARGE);
		free(large);
	} else if (strcmp(method, "/test/Nothing") != 0) {
		code = GRPC_STATUS_UNIMPLEMENTED;
		text = "no such method";
	}
	if (!finished)
		finish(w, code, text, details);
	grpc_slice_unref(request);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	for (bool running = true; running;) {
		grpc_call_details_init(&w->details);
		grpc_metadata_array_init(&w->headers);
		running = grpc_server_request_call(w->peer->server, &w->call, &w->details, &w->headers, w->queue,
						   w->queue, w) == GRPC_CALL_OK &&
			  wait_for(w);
		if (running) {
			serve(w);
			grpc_call_unref(w->call);
		}
		grpc_call_details_destroy(&w->details);
		grpc_metadata_array_destroy(&w->headers);
	}
	return NULL;
}

static grpc_server_credentials *make_credentials(const struct rpc_peer_tls *tls)
{
	if (tls == NULL)
		return grpc_insecure_server_credentials_create();
	grpc_ssl_pem_key_cert_pair pair = {.private_key = tls->key, .cert_chain = tls->cert};
	return grpc_ssl_server_credentials_create_ex(tls->client_ca, &pair, 1,
						     tls->client_ca == NULL
							 ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
							 : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
						     NULL);
}

struct rpc_peer *rpc_peer_new(int port, const struct rpc_peer_tls *tls)
{
	grpc_init();
	struct rpc_peer *p = wb_xcalloc(1, sizeof *p);
	grpc_arg arg[] = {
	    {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_ALLOW_REUSEPORT, .value.integer = 0},
	    {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_MAX_METADATA_SIZE, .value.integer = 64 << 10},
	};
	p->server = grpc_server_create(&(grpc_channel_args){.num_args = 2, .args = arg}, NULL);
	p->queue = grpc_completion_queue_create_for_next(NULL);
	grpc_server_register_completion_queue(p->server, p->queue, NULL);
	for (int i = 0; i < WORKERS; i++) {
		p->worker[i].peer = p;
		p->worker[i].queue = grpc_completion_queue_create_for_next(NULL);
		grpc_server_register_completion_queue(p->server, p->worker[i].queue, NULL);
	}
	grpc_server_credentials *credentials = make_credentials(tls);
	char address[64];
	snprintf(address, sizeof address, "127.0.0.1:%d", port);
	p->port = grpc_server_add_http2_port(p->server, address, credentials);
	grpc_server_credentials_release(credentials);
	grpc_server_start(p->server);
	for (int i = 0; i < WORKERS; i++)
		if (pthread_create(&p->worker[i].thread, NULL, work, &p->worker[i]) != 0)
			abort();
	if (p->port != 0)
		return p;
	rpc_peer_free(p);
	return NULL;
}

int rpc_peer_port(const struct rpc_peer *p)
{
	return p->port;
}

int rpc_peer_slow_running(const struct rpc_peer *p)
{
	return atomic_load(&p->slow);
}

static void close_queue(grpc_completion_queue *queue)
{
	grpc_completion_queue_shutdown(queue);
	while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type != GRPC_QUEUE_SHUTDOWN)
		;
	grpc_completion_queue_destroy(queue);
}

void rpc_peer_free(struct rpc_peer *p)
{
	if (p == NULL)
		return;
	grpc_server_shutdown_and_notify(p->server, p->queue, p);
	grpc_server_cancel_all_calls(p->server);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(p->worker[i].thread, NULL);
	grpc_completion_queue_next(p->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
	grpc_server_destroy(p->server);
	close_queue(p->queue);
	for (int i = 0; i < WORKERS; i++)
		close_queue(p->worker[i].queue);
	free(p);
	grpc_shutdown_blocking();
}
