#define _GNU_SOURCE
#include "scanner/directives/store.h"

#include "base/map.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FILE = 256 << 20, ATTEMPTS = 4, KEEP_SCRATCH = 8 << 20 };

struct key {
	uint64_t dev, ino, lex;
};

struct wb_program_store {
	struct wb_idents *idents;
	size_t limit, held;
	struct wb_library *library; /* NULL: nothing outlives this process */
	pthread_mutex_t lock;
	struct wb_map map; /* struct key -> struct wb_program, one reference each */
};

struct wb_program_store *wb_program_store_new(struct wb_idents *idents, size_t limit)
{
	struct wb_program_store *s = wb_xcalloc(1, sizeof *s);
	s->idents = idents;
	s->limit = limit;
	pthread_mutex_init(&s->lock, NULL);
	wb_map_init(&s->map);
	return s;
}

static void drop_all(struct wb_program_store *s)
{
	size_t i = 0;
	for (struct wb_map_slot *slot; (slot = wb_map_next(&s->map, &i)) != NULL;)
		wb_program_unref(slot->value.p);
	wb_map_release(&s->map);
	wb_map_init(&s->map);
	s->held = 0;
}

void wb_program_store_free(struct wb_program_store *s)
{
	if (!s)
		return;
	drop_all(s);
	wb_map_release(&s->map);
	wb_library_free(s->library);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void wb_program_store_keep(struct wb_program_store *s, struct wb_library *l)
{
	s->library = l;
}

/* All bytes of an open file, with a NUL behind; false: an error, or somebody writes. */
static bool read_all(int fd, const struct stat *before, char *text)
{
	struct stat after;
	size_t n = (size_t)before->st_size, got = 0;
	while (got < n) {
		ssize_t r = read(fd, text + got, n - got);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		got += (size_t)r;
	}
	text[n] = '\0';
	if (fstat(fd, &after) != 0)
		return false;
	struct wb_stat_id a = wb_stat_id_of(before), b = wb_stat_id_of(&after);
	return wb_stat_id_eq(&a, &b);
}

/* The program of a text (with a NUL behind): known to an earlier process, or made. Small texts too: even one of a few
 * hundred bytes takes longer to lex. */
static struct wb_program *program_of(struct wb_program_store *s, const char *text, size_t n, unsigned lex)
{
	if (!s->library)
		return wb_program_new(s->idents, text, n, lex);
	struct wb_library_key key = wb_library_key(s->library, text, n, lex);
	struct wb_program *p = wb_library_get(s->library, &key);
	if (p)
		return p;
	p = wb_program_new(s->idents, text, n, lex);
	wb_library_put(s->library, &key, p);
	return p;
}

static struct wb_program *make(struct wb_program_store *s, const char *path, unsigned lex, struct wb_buf *scratch)
{
	struct wb_program *p = NULL;
	for (int i = 0; i < ATTEMPTS && !p; i++) {
		struct stat st;
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd < 0)
			return NULL;
		if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_FILE) {
			close(fd);
			return NULL;
		}
		wb_buf_reset(scratch);
		wb_buf_reserve(scratch, (size_t)st.st_size + 1);
		char *text = scratch->p;
		if (read_all(fd, &st, text)) {
			p = program_of(s, text, (size_t)st.st_size, lex);
			p->id = wb_stat_id_of(&st);
		}
		close(fd);
	}
	if (scratch->cap > KEEP_SCRATCH)
		wb_buf_release(scratch);
	return p;
}

static void keep(struct wb_program_store *s, struct wb_program *p, const struct key *key)
{
	pthread_mutex_lock(&s->lock);
	if (s->held + p->cost > s->limit)
		drop_all(s);
	union wb_map_value *v = wb_map_put(&s->map, key, sizeof *key, NULL);
	if (v->p) {
		s->held -= ((struct wb_program *)v->p)->cost;
		wb_program_unref(v->p);
	}
	v->p = wb_program_ref(p);
	s->held += p->cost;
	pthread_mutex_unlock(&s->lock);
}

struct wb_program *wb_program_store_get(struct wb_program_store *s, const char *path, const struct wb_stat_id *seen,
					unsigned lex, struct wb_buf *scratch)
{
	struct key key = {seen->dev, seen->ino, lex};
	struct wb_program *p = NULL;
	pthread_mutex_lock(&s->lock);
	union wb_map_value *v = wb_map_get(&s->map, &key, sizeof key);
	if (v && wb_stat_id_eq(&((struct wb_program *)v->p)->id, seen))
		p = wb_program_ref(v->p);
	pthread_mutex_unlock(&s->lock);
	if (p)
		return p;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	p = make(s, path, lex, scratch);
	if (!p)
		return NULL;
	/* A write within the clock's granularity would leave the same times behind. */
	int64_t touched = p->id.mtime_ns > p->id.ctime_ns ? p->id.mtime_ns : p->id.ctime_ns;
	p->racy = touched + WB_FACTS_RACY_NS >= wb_timespec_ns(&now);
	if (!p->racy) {
		key = (struct key){p->id.dev, p->id.ino, lex};
		keep(s, p, &key);
	}
	return p;
}
