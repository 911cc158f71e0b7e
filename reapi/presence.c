#include "reapi/presence.h"

#include "base/clock.h"
#include "reapi/room.h"

#include <stdio.h>
#include <stdlib.h>

/* Half of a SHA-256 is enough to tell blobs apart; a wrong belief would only cost an upload later. Expired entries stay
 * until they are believed again or all are forgotten: no removal, no tombstones. */
struct wb_presence_entry {
	uint8_t key[16];
	uint32_t until_s; /* of the monotonic clock; 0: not believed */
	bool used;
};

struct wb_presence_pending {
	pthread_cond_t settled;
	unsigned refs; /* the owner and those who wait */
	unsigned epoch;
	bool done;
	enum wb_code code;
	char *text; /* heap; of a failure */
};

enum { CAP_MIN = 1024 };

void wb_presence_init(struct wb_presence *p, size_t max, int64_t keep_ns)
{
	*p = (struct wb_presence){.max = max, .keep_ns = keep_ns};
	pthread_mutex_init(&p->lock, NULL);
	wb_map_init(&p->pending);
}

void wb_presence_release(struct wb_presence *p)
{
	free(p->entry);
	wb_map_release(&p->pending);
	pthread_mutex_destroy(&p->lock);
}

static uint32_t seconds(int64_t ns)
{
	return (uint32_t)(ns / 1000000000);
}

/* The entry of `d`, or the free one where it belongs. */
static struct wb_presence_entry *entry_of(struct wb_presence_entry *entry, size_t cap, const uint8_t *key)
{
	uint64_t h;
	memcpy(&h, key, sizeof h);
	for (size_t i = h & (cap - 1);; i = (i + 1) & (cap - 1))
		if (!entry[i].used || memcmp(entry[i].key, key, sizeof entry[i].key) == 0)
			return &entry[i];
}

static void make_room(struct wb_presence *p)
{
	if (p->n >= p->max) {
		memset(p->entry, 0, p->cap * sizeof *p->entry);
		p->n = 0;
	}
	if (p->cap > 0 && p->n < p->cap / 2)
		return;
	size_t cap = p->cap == 0 ? CAP_MIN : p->cap * 2;
	struct wb_presence_entry *grown = wb_xcalloc(cap, sizeof *grown);
	for (size_t i = 0; i < p->cap; i++)
		if (p->entry[i].used)
			*entry_of(grown, cap, p->entry[i].key) = p->entry[i];
	free(p->entry);
	p->entry = grown;
	p->cap = cap;
}

static bool believed(const struct wb_presence *p, const struct wb_digest *d, int64_t now)
{
	if (p->n == 0)
		return false;
	const struct wb_presence_entry *e = entry_of(p->entry, p->cap, d->hash);
	return e->used && e->until_s > seconds(now);
}

static void remember(struct wb_presence *p, const struct wb_digest *d)
{
	make_room(p);
	struct wb_presence_entry *e = entry_of(p->entry, p->cap, d->hash);
	if (!e->used) {
		e->used = true;
		memcpy(e->key, d->hash, sizeof e->key);
		p->n++;
	}
	e->until_s = seconds(wb_clock_ns() + p->keep_ns) + 1;
}

void wb_presence_claim(struct wb_presence *p, struct wb_presence_claim *claim, const struct wb_digest *const *digest,
		       size_t n)
{
	int64_t now = wb_clock_ns();
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < n; i++) {
		claim[i] = (struct wb_presence_claim){.state = WB_PRESENCE_THERE};
		if (believed(p, digest[i], now))
			continue;
		bool fresh;
		union wb_map_value *v = wb_map_put(&p->pending, digest[i], sizeof *digest[i], &fresh);
		if (fresh) {
			struct wb_presence_pending *pending = wb_xcalloc(1, sizeof *pending);
			wb_cond_init(&pending->settled);
			pending->epoch = p->epoch;
			v->p = pending;
		}
		claim[i].pending = v->p;
		claim[i].pending->refs++;
		claim[i].state = fresh ? WB_PRESENCE_MINE : WB_PRESENCE_OTHERS;
	}
	pthread_mutex_unlock(&p->lock);
}

/* With the lock. */
static void unref(struct wb_presence_claim *claim)
{
	struct wb_presence_pending *pending = claim->pending;
	claim->pending = NULL;
	if (--pending->refs > 0)
		return;
	pthread_cond_destroy(&pending->settled);
	free(pending->text);
	free(pending);
}

void wb_presence_settle(struct wb_presence *p, struct wb_presence_claim *claim, const struct wb_digest *digest,
			wb_status s, const char *text)
{
	pthread_mutex_lock(&p->lock);
	struct wb_presence_pending *pending = claim->pending;
	wb_map_del(&p->pending, digest, sizeof *digest);
	pending->done = true;
	pending->code = s.code;
	if (wb_is_ok(s) && pending->epoch == p->epoch)
		remember(p, digest);
	if (!wb_is_ok(s) && pending->refs > 1)
		pending->text = wb_xstrdup(text);
	pthread_cond_broadcast(&pending->settled);
	unref(claim);
	claim->state = wb_is_ok(s) ? WB_PRESENCE_THERE : WB_PRESENCE_OTHERS;
	pthread_mutex_unlock(&p->lock);
}

wb_status wb_presence_wait(struct wb_presence *p, struct wb_presence_claim *claim, const atomic_bool *cancel,
			   struct wb_err *err)
{
	wb_status s = wb_ok();
	pthread_mutex_lock(&p->lock);
	struct wb_presence_pending *pending = claim->pending;
	while (!pending->done && !wb_canceled(cancel))
		wb_cond_wait(&pending->settled, &p->lock, WB_CANCEL_POLL_NS);
	if (!pending->done)
		s = wb_fail(err, WB_ECANCELED, "canceled while another job uploaded a blob");
	else if (pending->code == WB_EUNAVAILABLE || pending->code == WB_EREFUSED || pending->code == WB_EPROTO)
		s = wb_fail(err, pending->code, "%s", pending->text);
	else if (pending->code != WB_OK)
		s = wb_fail(err, WB_ESTALE, "another job could not upload a blob: %s", pending->text);
	unref(claim);
	pthread_mutex_unlock(&p->lock);
	return s;
}

void wb_presence_leave(struct wb_presence *p, struct wb_presence_claim *claim)
{
	pthread_mutex_lock(&p->lock);
	unref(claim);
	pthread_mutex_unlock(&p->lock);
}

void wb_presence_forget(struct wb_presence *p, const struct wb_digest *digest)
{
	pthread_mutex_lock(&p->lock);
	if (p->n > 0) {
		struct wb_presence_entry *e = entry_of(p->entry, p->cap, digest->hash);
		if (e->used)
			e->until_s = 0;
	}
	pthread_mutex_unlock(&p->lock);
}

void wb_presence_forget_all(struct wb_presence *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->n > 0)
		memset(p->entry, 0, p->cap * sizeof *p->entry);
	p->n = 0;
	p->epoch++;
	pthread_mutex_unlock(&p->lock);
}
