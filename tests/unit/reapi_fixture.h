/* reapi_fixture.h — a REAPI client, and the misbehaving server of reapi_peer.h for it to talk to: what every test of
 * the two has. The client lives from reapi_begin to reapi_end, the server, started by the first reapi_begin, until
 * reapi_stop. For the test's own thread; the client in it for any. */
#ifndef WB_TESTS_REAPI_FIXTURE_H
#define WB_TESTS_REAPI_FIXTURE_H

#include "base/arena.h"
#include "reapi/client.h"
#include "tests/unit/reapi_peer.h"
#include "tests/unit/unit.h"

#define SECOND   ((int64_t)1000000000)
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum { SMALL = 3000, LARGE = 5 << 20 }; /* blobs that go in a batch, or as a stream */

struct fixture {
	struct wb_arena a;
	struct wb_rpc *rpc;
	struct wb_reapi *c;
	struct wb_reapi_job job;
	struct wb_err err;
};

/* A client of the server, which answers like this, its counts at 0. */
void reapi_begin(struct fixture *f, enum reapi_lie lie, bool zstd);
/* A client of somebody else. */
void reapi_begin_at(struct fixture *f, enum reapi_lie lie, bool zstd, const char *endpoint);
/* The server forgets its blobs. */
void reapi_end(struct fixture *f);
/* The group's teardown. */
int reapi_stop(void **state);

/* `n` bytes, other ones for another seed. */
struct wb_blob reapi_blob(struct wb_arena *a, size_t n, char seed);

#endif
