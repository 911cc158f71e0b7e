#include "tests/unit/reapi_fixture.h"

#include <stdio.h>

void reapi_begin_at(struct fixture *f, enum reapi_lie lie, bool zstd, const char *endpoint)
{
	*f = (struct fixture){0};
	wb_arena_init(&f->a);
	reapi_peer_reset(lie, zstd);
	struct wb_reapi_config config = {
	    .rpc_timeout_ns = 10 * SECOND, .execute_timeout_ns = 20 * SECOND, .compress = zstd, .version = "test"};
	assert_ok(wb_endpoint_parse(&config.exec, &f->a, endpoint, &f->err), &f->err);
	assert_ok(wb_rpc_new(&f->rpc, &f->err), &f->err);
	assert_ok(wb_reapi_new(&f->c, f->rpc, &config, &f->err), &f->err);
}

void reapi_begin(struct fixture *f, enum reapi_lie lie, bool zstd)
{
	char endpoint[64];
	if (!reapi_peer_runs())
		reapi_peer_start(0);
	snprintf(endpoint, sizeof endpoint, "grpc://127.0.0.1:%d", reapi_peer_port());
	reapi_begin_at(f, lie, zstd, endpoint);
}

void reapi_end(struct fixture *f)
{
	wb_reapi_free(f->c);
	wb_rpc_free(f->rpc);
	wb_arena_release(&f->a);
	reapi_peer_forget();
}

int reapi_stop(void **state)
{
	(void)state;
	reapi_peer_stop();
	return 0;
}

struct wb_blob reapi_blob(struct wb_arena *a, size_t n, char seed)
{
	char *data = wb_arena_alloc(a, n + 1);
	for (size_t i = 0; i < n; i++)
		data[i] = (char)((char)(i >> 3) + seed);
	struct wb_blob b = {.data = data};
	wb_digest_of(&b.digest, data, n);
	return b;
}
