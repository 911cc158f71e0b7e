/* local_backend.h — the embedded executor over a scratch store, and the actions that tests give it: sh scripts and
 * other real commands over an input tree. local_begin() makes one, local_end() removes it with its directory; what its
 * functions return lives until then.
 *
 * A struct local is of one thread. Another thread may use the same backend through a struct local of its own, with an
 * arena of its own and `b` and `store` of the first. */
#ifndef WB_TESTS_UNIT_LOCAL_BACKEND_H
#define WB_TESTS_UNIT_LOCAL_BACKEND_H

#include "base/arena.h"
#include "base/digest.h"
#include "service/action_cache.h"
#include "service/backend.h"
#include "service/sandbox.h"
#include "service/slots.h"
#include "service/store.h"
#include "tests/unit/unit.h"

#include <stdbool.h>

struct local {
	char dir[64];
	struct wb_store *store;
	struct wb_action_cache *cache;
	struct wb_sandbox *sandbox;
	struct wb_slots *slots;
	struct wb_backend *b;
	struct wb_arena a;
	struct wb_err err;
};

/* An input: a file (data), a symlink (link) or a directory. */
struct local_input {
	const char *path, *data, *link;
	bool exec;
};

struct local_spec {
	const char *const *argv, *const *env, *const *output;
	const struct local_input *input;
	size_t ninput;
	const char *wd;
	bool do_not_cache;
};

extern struct wb_sandbox *local_sandbox[2]; /* bwrap (NULL: not here), none */

/* cmocka group fixtures: make and free the sandboxes. */
int local_set_up(void **state);
int local_tear_down(void **state);

void local_begin(struct local *f, struct wb_sandbox *sandbox);
void local_end(struct local *f);
/* A restart: the store, its cache and the backend over the same directory. */
void local_open(struct local *f);
void local_close(struct local *f);
/* Run the test in bubblewrap (when this machine permits it) and in a bare directory; each must leave tmp empty. */
void local_each_sandbox(void (*test)(struct local *f));

void local_upload(struct local *f, struct wb_digest *d, const void *data, size_t n);
/* A copy of a list that NULL ends; NULL is a list of none. */
char **local_strings(struct wb_arena *a, const char *const *v);
/* Upload the action with all that it names. */
struct wb_digest local_action(struct local *f, const struct local_spec *s);
/* The action /bin/sh -c `script`, in r/build. */
struct wb_digest local_sh(struct local *f, const char *script, const char *const *output, const struct local_input *in,
			  size_t n);

wb_status local_look_up(struct local *f, struct wb_action_result *r, const struct wb_digest *action);
wb_status local_execute(struct local *f, struct wb_action_result *r, const struct wb_digest *action);
/* What the result's output of this path contains; NULL: it has none. */
const char *local_output(struct local *f, const struct wb_action_result *r, const char *path);

/* Nothing of an ended action is left, but for what the backend keeps for the next one, and gives up at its end. */
void local_assert_tmp_empty(struct local *f);
/* Is every blob of the store what its name says? */
bool local_store_is_sound(struct local *f);

#endif
