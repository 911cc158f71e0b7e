/* store_impl.h — shared by store.c (blobs), store_evict.c (sizes, use times, eviction). Nobody else includes it.
 *
 * On disk: DIR/lock, DIR/usage (totals, only after a clean end), DIR/tmp, DIR/cas/ab/<64 hex>[.x].
 * In memory: 256 shards by first byte of the hash, each with its lock, its totals and what this process knows of the
 * blobs that it has touched. A blob nobody touched costs no memory, and opening a big store costs no scan. */
#ifndef WB_SERVICE_STORE_IMPL_H
#define WB_SERVICE_STORE_IMPL_H

#include "base/map.h"
#include "service/store.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

enum { STORE_SHARDS = 256, STORE_PATH = PATH_MAX };

/* What stat says of a blob's inode. */
struct blob_id {
	uint64_t dev, ino;
	int64_t size, mtime_ns, ctime_ns;
};

struct blob {
	unsigned pins;
	bool used_dirty; /* `used` is newer than the atime on disk */
	int64_t used;    /* wall clock seconds, 0: not in this process; the atime says */
	struct blob_variant {
		bool verified; /* the inode described by `id` had the right digest */
		struct blob_id id;
	} v[2]; /* [exec] */
};

struct shard {
	pthread_mutex_t lock;
	struct wb_map blob; /* 32 bytes of hash -> struct blob * */
	int64_t bytes, count;
	bool counted; /* bytes and count are exact */
};

struct wb_store {
	char *dir, *tmp;
	int lock_fd;
	int64_t limit;
	atomic_uint serial;
	_Atomic int64_t added; /* bytes since the maintenance thread last looked */
	atomic_bool disk_full; /* a put met ENOSPC: make room */
	struct shard shard[STORE_SHARDS];
	/* the maintenance thread */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop, work;
	pthread_mutex_t prune_lock; /* one eviction at a time */
	pthread_mutex_t hook_lock;
	void (*on_evict)(void *);
	void *on_evict_arg;
};

void wb_store_blob_path(char out[STORE_PATH], const struct wb_store *s, const struct wb_digest *d, bool exec);
/* The next four with the shard's lock held. */
struct blob *wb_store_blob(struct shard *sh, const uint8_t hash[32], bool make);
bool wb_store_stat(struct blob_id *out, const char *path);
bool wb_blob_id_eq(const struct blob_id *a, const struct blob_id *b);
/* Remove the file; `b` may be NULL. 0 or errno. */
int wb_store_remove(struct shard *sh, struct blob *b, bool exec, const char *path);
void wb_store_used(struct blob *b);

/* store_evict.c */
void wb_store_load_usage(struct wb_store *s);
void wb_store_save_usage(struct wb_store *s);
void wb_store_save_times(struct wb_store *s);
/* `added` bytes more: wake the maintenance thread when there may be too much. Called without locks. */
void wb_store_poke(struct wb_store *s, int64_t added);
wb_status wb_store_start_maintenance(struct wb_store *s, struct wb_err *err);
void wb_store_stop_maintenance(struct wb_store *s);

#endif
