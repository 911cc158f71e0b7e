#define _GNU_SOURCE /* O_PATH */
#include "scanner/standing.h"

#include "base/clock.h"
#include "base/map.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	PAGE_BITS = 12,
	PAGE = 1 << PAGE_BITS,
	PAGES = 512, /* two million names */
	LOCKS = 256,
	MAX_DEVICES = 16,
	MAX_DESCRIPTORS = 4096, /* a process that is started takes some 50 us longer for each thousand */
	HOT = 2,                /* looks at a file before a descriptor is kept */
	NOT_COUNTED = 16,       /* system calls between two questions for the time */
};

#define NONE UINT32_MAX

/* What a directory says to the names in it. Written under the lock of its name; `serial` is 0 while it is written. */
struct directory {
	_Atomic uint64_t serial; /* of its inode and times; 0: nothing may be concluded from them */
	atomic_int fd;           /* O_PATH; -1: none */
	/* under the lock */
	struct wb_stat_id id;
	uint64_t last; /* serial that `id` got */
	bool trusted;  /* its file system keeps times as it should */
};

struct name {
	_Atomic int64_t looked; /* what is known was found after this */
	_Atomic(const struct wb_stand *) stand;
	_Atomic(struct directory *) dir; /* once it was seen to be one */
	const char *path;
	uint32_t parent; /* NONE: of "/" */
	uint32_t last;   /* where the last component starts */
	/* under the lock */
	uint64_t bound; /* the serial of the directory in which it was looked up; 0: it must be looked up anew */
	uint32_t mounts;
	int fd; /* of a file; -1: none */
	uint8_t looks;
	bool by_path; /* the last component is "..", or there is none */
};

struct wb_standing {
	pthread_mutex_t lock; /* of the table */
	struct wb_map map;    /* path -> number */
	struct wb_arena arena;
	_Atomic(struct name *) page[PAGES];
	_Atomic uint32_t n;
	pthread_mutex_t name_lock[LOCKS];
	_Atomic uint64_t serial;
	_Atomic uint32_t mounts;
	atomic_int descriptors;
	int most_descriptors;
	int mountinfo; /* polled: a mount came or went */
	uint64_t device[MAX_DEVICES];
	size_t ndevice;
	int *old; /* descriptors of directories that were replaced; others may still be using them */
	size_t nold, old_cap;
	pthread_mutex_t mount_lock;
};

static const struct wb_stand missing;

bool wb_stand_is_racy(const struct wb_stat_id *id, int64_t wall_ns)
{
	int64_t settled = wall_ns - WB_FACTS_RACY_NS;
	return id->ctime_ns > settled || (id->mtime_ns > settled && id->mtime_ns <= wall_ns);
}

static struct name *name_of(struct wb_standing *s, uint32_t i)
{
	return &atomic_load_explicit(&s->page[i >> PAGE_BITS], memory_order_acquire)[i & (PAGE - 1)];
}

static void busy_device(struct wb_standing *s, uint64_t device)
{
	for (size_t i = 0; i < s->ndevice; i++)
		if (s->device[i] == device)
			return;
	if (s->ndevice < MAX_DEVICES)
		s->device[s->ndevice++] = device;
}

static void find_busy_devices(struct wb_standing *s)
{
	struct stat st;
	if (stat("/", &st) == 0)
		busy_device(s, st.st_dev);
	if (stat("/proc/self/exe", &st) == 0)
		busy_device(s, st.st_dev);
	DIR *d = opendir("/proc/self/fd");
	for (const struct dirent *e; d && (e = readdir(d)) != NULL;)
		if (fstat(atoi(e->d_name), &st) == 0 && S_ISREG(st.st_mode))
			busy_device(s, st.st_dev);
	if (d)
		closedir(d);
}

struct wb_standing *wb_standing_new(void)
{
	struct wb_standing *s = wb_xcalloc(1, sizeof *s);
	struct rlimit limit;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->mount_lock, NULL);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&s->name_lock[i], NULL);
	wb_map_init(&s->map);
	wb_arena_init(&s->arena);
	s->mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	s->most_descriptors = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < MAX_DESCRIPTORS
				  ? (int)(limit.rlim_cur / 4)
				  : MAX_DESCRIPTORS;
	if (s->mountinfo < 0)
		s->most_descriptors = 0;
	find_busy_devices(s);
	return s;
}

void wb_standing_free(struct wb_standing *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n; i++) {
		const struct name *n = name_of(s, i);
		const struct directory *d = n->dir;
		if (n->fd >= 0)
			close(n->fd);
		if (d && d->fd >= 0)
			close(d->fd);
	}
	for (size_t i = 0; i < PAGES; i++)
		free(s->page[i]);
	for (size_t i = 0; i < s->nold; i++)
		close(s->old[i]);
	free(s->old);
	if (s->mountinfo >= 0)
		close(s->mountinfo);
	pthread_mutex_destroy(&s->mount_lock);
	wb_map_release(&s->map);
	wb_arena_release(&s->arena);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&s->name_lock[i]);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

bool wb_standing_full(struct wb_standing *s)
{
	return atomic_load(&s->n) > (PAGES - 1) * PAGE;
}

size_t wb_standing_bytes(struct wb_standing *s)
{
	pthread_mutex_lock(&s->lock);
	size_t bytes = s->arena.used + s->map.keys.used + s->map.cap * sizeof *s->map.slot +
		       (s->n / PAGE + 1) * PAGE * sizeof(struct name);
	pthread_mutex_unlock(&s->lock);
	return bytes;
}

/* --- names --- */

/* Under the table's lock. Recursion is as deep as the path. */
static uint32_t put(struct wb_standing *s, const char *path, size_t n)
{
	bool fresh;
	union wb_map_value *v = wb_map_put(&s->map, path, n, &fresh);
	if (!fresh)
		return (uint32_t)v->u;
	if (s->n == PAGES * PAGE) {
		wb_map_del(&s->map, path, n);
		return NONE;
	}
	uint32_t i = s->n;
	if ((i & (PAGE - 1)) == 0)
		atomic_store_explicit(&s->page[i >> PAGE_BITS], wb_xcalloc(PAGE, sizeof(struct name)),
				      memory_order_release);
	struct name *name = name_of(s, i);
	/* The map's copy of the key stays where it is: nothing is removed but what could not be put. */
	name->path = ((struct wb_map_slot *)(void *)((char *)v - offsetof(struct wb_map_slot, value)))->key;
	name->fd = -1;
	name->parent = NONE;
	atomic_store(&s->n, i + 1);
	v->u = i;
	size_t slash = n;
	while (slash > 0 && path[slash - 1] != '/')
		slash--;
	name->last = (uint32_t)slash;
	name->by_path = slash == n || strcmp(name->path + slash, "..") == 0 || strcmp(name->path + slash, ".") == 0;
	if (slash < n) {
		uint32_t parent = put(s, path, slash > 1 ? slash - 1 : 1);
		name->parent = parent;
	}
	return i;
}

uint32_t wb_standing_name(struct wb_standing *s, const char *path, size_t n)
{
	pthread_mutex_lock(&s->lock);
	uint32_t i = put(s, path, n);
	pthread_mutex_unlock(&s->lock);
	return i;
}

/* --- what stands there --- */

static const struct wb_stand *stand_new(struct wb_standing *s, const struct wb_stat_id *id)
{
	if (id->mode == 0)
		return &missing;
	pthread_mutex_lock(&s->lock);
	struct wb_stand *stand = wb_arena_alloc(&s->arena, sizeof *stand);
	pthread_mutex_unlock(&s->lock);
	stand->id = *id;
	return stand;
}

/* Under the lock of the name. */
static void set_stand(struct wb_standing *s, struct name *name, const struct wb_stat_id *id)
{
	const struct wb_stand *before = atomic_load_explicit(&name->stand, memory_order_relaxed);
	if (!before || !wb_stat_id_eq(&before->id, id))
		atomic_store_explicit(&name->stand, stand_new(s, id), memory_order_release);
}

const struct wb_stand *wb_standing_learn(struct wb_standing *s, uint32_t i, const struct wb_stat_id *id)
{
	struct name *name = name_of(s, i);
	pthread_mutex_lock(&s->name_lock[i % LOCKS]);
	if (!name->stand)
		set_stand(s, name, id);
	pthread_mutex_unlock(&s->name_lock[i % LOCKS]);
	return atomic_load_explicit(&name->stand, memory_order_acquire);
}

/* fstat(2) as it is: the C library's goes by way of an empty path, which costs a sixth more. (64-bit Linux: both fill
 * the same struct.) */
static bool descriptor_stat(struct stat *st, int fd)
{
	return syscall(SYS_fstat, fd, st) == 0;
}

void wb_look_begin(struct wb_look *l, struct wb_standing *s, int64_t since_ns)
{
	struct pollfd p = {.fd = s->mountinfo, .events = POLLPRI};
	*l = (struct wb_look){.standing = s, .since_ns = since_ns, .wall_ns = wb_clock_wall_ns()};
	l->now_ns = wb_clock_ns();
	/* One at a time: who finds no news must not be ahead of who is about to spread them. */
	pthread_mutex_lock(&s->mount_lock);
	if (s->mountinfo >= 0 && poll(&p, 1, 0) > 0)
		atomic_fetch_add(&s->mounts, 1);
	pthread_mutex_unlock(&s->mount_lock);
	l->calls = 1;
}

/* Before a system call. */
static void count_call(struct wb_look *l)
{
	if (l->calls++ % NOT_COUNTED == NOT_COUNTED - 1)
		l->now_ns = wb_clock_ns();
}

static bool take_descriptor(struct wb_standing *s, uint64_t device)
{
	bool busy = false;
	for (size_t i = 0; i < s->ndevice; i++)
		busy = busy || s->device[i] == device;
	if (!busy)
		return false;
	if (atomic_fetch_add(&s->descriptors, 1) < s->most_descriptors)
		return true;
	atomic_fetch_sub(&s->descriptors, 1);
	return false;
}

static void drop_file(struct wb_standing *s, struct name *name)
{
	if (name->fd < 0)
		return;
	close(name->fd);
	name->fd = -1;
	atomic_fetch_sub(&s->descriptors, 1);
}

/* Local, and with times of directories that change with the names in them. */
static bool trusted(const struct statfs *fs)
{
	static const unsigned long good[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,  BTRFS_SUPER_MAGIC,
					     TMPFS_MAGIC,      F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if ((unsigned long)fs->f_type == good[i])
			return true;
	return false;
}

bool wb_stand_keeps_times(const char *path)
{
	struct statfs fs;
	return statfs(path, &fs) == 0 && trusted(&fs);
}

/* The descriptor of a directory that was found; an old one is given up only with the table, for others may be using it.
 */
static void open_directory(struct wb_look *l, struct directory *d, const char *path, const struct wb_stat_id *id)
{
	struct wb_standing *s = l->standing;
	struct statfs fs;
	struct stat st;
	d->trusted = false;
	if (d->fd >= 0) {
		pthread_mutex_lock(&s->lock);
		if (s->nold == s->old_cap) {
			s->old_cap = s->old_cap ? 2 * s->old_cap : 64;
			s->old = wb_xrealloc(s->old, s->old_cap * sizeof *s->old);
		}
		s->old[s->nold++] = d->fd;
		pthread_mutex_unlock(&s->lock);
	}
	atomic_store(&d->fd, -1);
	if (!take_descriptor(s, id->dev)) {
		d->trusted = s->mountinfo >= 0 && wb_stand_keeps_times(path);
		return;
	}
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	l->calls += 3;
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == id->dev && st.st_ino == id->ino && fstatfs(fd, &fs) == 0 &&
	    trusted(&fs)) {
		d->trusted = true;
		atomic_store(&d->fd, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	atomic_fetch_sub(&s->descriptors, 1);
}

/* Under the lock of the name: a directory was found; `anew`: by its name, not by its descriptor. */
static void found_directory(struct wb_look *l, struct name *name, const struct wb_stat_id *id, bool anew)
{
	struct wb_standing *s = l->standing;
	struct directory *d = atomic_load_explicit(&name->dir, memory_order_relaxed);
	bool other = !d || d->id.dev != id->dev || d->id.ino != id->ino;
	if (!d) {
		pthread_mutex_lock(&s->lock);
		d = wb_arena_alloc(&s->arena, sizeof *d);
		pthread_mutex_unlock(&s->lock);
		atomic_init(&d->fd, -1);
	}
	/* Without a descriptor names in it are looked up by path: the way there may have led elsewhere for a while. */
	bool change = other || !wb_stat_id_eq(&d->id, id) || (anew && d->fd < 0);
	bool settled = id->ctime_ns < l->wall_ns - WB_FACTS_RACY_NS;
	if (change) {
		atomic_store(&d->serial, 0);
		d->last = atomic_fetch_add(&s->serial, 1) + 1;
		d->id = *id;
	}
	if (other)
		open_directory(l, d, name->path, id);
	atomic_store(&d->serial, settled && d->trusted ? d->last : 0);
	atomic_store_explicit(&name->dir, d, memory_order_release);
	struct wb_stat_id kind = {.dev = id->dev, .ino = id->ino, .mode = id->mode};
	set_stand(s, name, &kind);
}

/* What the directory of a name says, all of one time: *serial is 0 when nothing is to be concluded. */
static int directory_now(const struct directory *d, uint64_t *serial)
{
	if (!d) {
		*serial = 0;
		return -1;
	}
	for (;;) {
		*serial = atomic_load(&d->serial);
		int fd = atomic_load(&d->fd);
		if (atomic_load(&d->serial) == *serial)
			return *serial ? fd : -1;
	}
}

/* Under the lock: keep a descriptor of a file that is asked for often. */
static void keep_file(struct wb_look *l, struct name *name, int dir, const struct wb_stat_id *id)
{
	struct stat st;
	if (!S_ISREG(id->mode) || name->looks < HOT || !take_descriptor(l->standing, id->dev))
		return;
	name->fd = openat(dir, name->path + name->last, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	l->calls += 2;
	if (name->fd < 0) {
		atomic_fetch_sub(&l->standing->descriptors, 1);
		return;
	}
	if (fstat(name->fd, &st) != 0 || st.st_dev != id->dev || st.st_ino != id->ino)
		drop_file(l->standing, name);
}

/* Under the lock: look the name up. `anew`: it may stand for something else than before. */
static void look_up(struct wb_look *l, struct name *name, const struct directory *parent, bool anew)
{
	struct wb_standing *s = l->standing;
	uint64_t serial;
	int dir = directory_now(parent, &serial);
	struct stat st;
	struct wb_stat_id id = {0};
	uint32_t mounts = atomic_load(&s->mounts);
	const char *path = dir >= 0 ? name->path + name->last : name->path;
	bool bound = serial != 0 && !name->by_path;
	if (dir < 0)
		dir = AT_FDCWD;
	drop_file(s, name);
	count_call(l);
	int r = fstatat(name->by_path ? AT_FDCWD : dir, name->by_path ? name->path : path, &st,
			name->by_path ? 0 : AT_SYMLINK_NOFOLLOW);
	if (r == 0 && S_ISLNK(st.st_mode)) {
		bound = false;
		count_call(l);
		r = stat(name->path, &st);
	}
	if (r == 0)
		id = wb_stat_id_of(&st);
	name->bound = bound ? serial : 0;
	name->mounts = mounts;
	if (S_ISDIR(id.mode)) {
		found_directory(l, name, &id, anew);
		return;
	}
	if (bound && dir >= 0)
		keep_file(l, name, dir, &id);
	set_stand(s, name, &id);
}

/* Under the lock: the name is known to stand for the same inode as before, or still for none. */
static bool look_again(struct wb_look *l, struct name *name, const struct wb_stand *stand)
{
	struct stat st;
	if (stand->id.mode == 0)
		return true;
	struct directory *d = atomic_load_explicit(&name->dir, memory_order_relaxed);
	bool is_dir = S_ISDIR(stand->id.mode);
	int fd = is_dir ? d->fd : name->fd;
	if (fd < 0)
		return false;
	count_call(l);
	if (!descriptor_stat(&st, fd))
		return false;
	struct wb_stat_id id = wb_stat_id_of(&st);
	if (is_dir)
		found_directory(l, name, &id, false);
	else
		set_stand(l->standing, name, &id);
	return true;
}

const struct wb_stand *wb_look_at(struct wb_look *l, uint32_t i)
{
	struct wb_standing *s = l->standing;
	struct name *name = name_of(s, i);
	if (atomic_load_explicit(&name->looked, memory_order_acquire) >= l->since_ns)
		return atomic_load_explicit(&name->stand, memory_order_acquire);
	const struct directory *parent = NULL;
	const struct wb_stand *above = NULL;
	if (name->parent != NONE) {
		above = wb_look_at(l, name->parent);
		parent = atomic_load_explicit(&name_of(s, name->parent)->dir, memory_order_acquire);
	}
	pthread_mutex_lock(&s->name_lock[i % LOCKS]);
	if (atomic_load_explicit(&name->looked, memory_order_relaxed) < l->since_ns) {
		const struct wb_stand *stand = atomic_load_explicit(&name->stand, memory_order_relaxed);
		uint64_t serial;
		int64_t before = l->now_ns;
		directory_now(parent, &serial);
		if (name->looks < HOT)
			name->looks++;
		if (above && !S_ISDIR(above->id.mode)) {
			struct wb_stat_id none = {0};
			name->bound = 0;
			set_stand(s, name, &none);
		} else {
			bool anew =
			    !stand || serial == 0 || name->bound != serial || name->mounts != atomic_load(&s->mounts);
			if (anew || !look_again(l, name, stand))
				look_up(l, name, parent, anew);
		}
		atomic_store_explicit(&name->looked, before, memory_order_release);
	}
	pthread_mutex_unlock(&s->name_lock[i % LOCKS]);
	return atomic_load_explicit(&name->stand, memory_order_acquire);
}
