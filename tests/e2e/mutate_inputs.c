/* mutate_inputs.c — does the action key see every input, and nothing else? For compile commands of real projects: one
 * byte of each input is changed in turn, and the key of each unit that reads it must change; keys of units that do not
 * read it must not. Bytes of files that no unit reads are changed: no key may. Nothing is compiled.
 *
 *	mutate_inputs [-u UNITS] [-o OTHERS] ROOT COMPILE_COMMANDS_JSON...
 *
 * -u: at most so many units; -o: at least so many files that nobody reads. Only files below ROOT are changed (all
 * others belong to the compiler, whose identity is in the key); they are as they were at the end. Settings come from
 * the environment, as the daemon's do. A unit that can no longer be scanned has no key: that counts as a change. */
#define _GNU_SOURCE
#include "base/fileio.h"
#include "base/map.h"
#include "base/path.h"
#include "scanner/compile_database.h"
#include "service/plan.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { SAMPLE = 3 }; /* units that are asked although they do not read the file */

struct unit {
	const char *const *argv;
	const char *cwd, *name;
	struct wb_digest key;
	uint32_t *file; /* indices of what it reads */
	size_t nfile;
};

struct file {
	const char *path;
	bool read; /* by a unit */
};

static struct {
	struct wb_arena a;
	struct wb_config config;
	struct wb_service service;
	const char *root;
	struct unit *unit;
	size_t nunit, unit_cap, most_units;
	struct file *file;
	size_t nfile, file_cap;
	struct wb_map by_path;
	unsigned seed;
	size_t changed, keyless, unchanged, restored, wrong;
} t = {.most_units = SIZE_MAX, .seed = 1};

static _Noreturn void die(const char *what, const struct wb_err *err)
{
	fprintf(stderr, "%s: %s\n", what, err->text);
	exit(2);
}

static unsigned dice(unsigned n)
{
	t.seed = t.seed * 1664525u + 1013904223u;
	return (unsigned)(((uint64_t)t.seed * n) >> 32);
}

static uint32_t file_of(const char *path, bool read)
{
	bool fresh;
	union wb_map_value *v = wb_map_puts(&t.by_path, path, &fresh);
	if (fresh) {
		v->u = t.nfile;
		wb_arena_grow(&t.a, &t.file, t.nfile, &t.file_cap, sizeof *t.file);
		t.file[t.nfile++] = (struct file){.path = wb_arena_strdup(&t.a, path)};
	}
	t.file[v->u].read |= read;
	return (uint32_t)v->u;
}

/* The action key; false: there is none. `learn` (may be NULL) gets what the unit reads. */
static bool key_of(struct wb_digest *key, const struct unit *u, struct unit *learn)
{
	struct wb_arena a;
	struct wb_plan p;
	struct wb_err err = WB_ERR_INIT;
	struct wb_request req = {
	    .argv = u->argv, .cwd = u->cwd, .env = (const char *const *)environ, .config = &t.config, .umask = 022};
	wb_arena_init(&a);
	if (!wb_is_ok(wb_plan_make(&p, &a, &t.service, &req, WB_STAGE_ACTION, &err)))
		die(u->name, &err);
	bool good = p.reason == WB_REASON_NONE;
	if (good)
		*key = p.action.digest;
	else if (learn)
		printf("%s: no key: %s: %s\n", u->name, wb_reason_name(p.reason), p.reason_text);
	for (size_t i = 0; good && learn && i < p.inputs.ninput; i++) {
		const struct wb_input *in = &p.inputs.input[i];
		size_t cap = learn->nfile;
		if (in->kind != WB_FILE_REGULAR || !wb_path_below(in->path, t.root) || in->digest.size == 0)
			continue;
		uint32_t file = file_of(in->path, true);
		wb_arena_grow(&t.a, &learn->file, learn->nfile, &cap, sizeof *learn->file);
		learn->file[learn->nfile++] = file;
	}
	wb_arena_release(&a);
	return good;
}

static void read_units(const char *path)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_compile_database db;
	if (!wb_is_ok(wb_compile_database_read(&db, &t.a, wb_path_real(&t.a, path), &err)))
		die(path, &err);
	for (size_t i = 0; i < db.n && t.nunit < t.most_units; i++) {
		const struct wb_database_entry *e = &db.entry[i];
		if (e->error)
			continue;
		struct unit u = {.argv = e->argv, .cwd = wb_path_real(&t.a, e->directory), .name = e->file};
		if (!key_of(&u.key, &u, &u))
			continue;
		wb_arena_grow(&t.a, &t.unit, t.nunit, &t.unit_cap, sizeof *t.unit);
		t.unit[t.nunit++] = u;
	}
}

/* Change one byte where it stands; the same call changes it back. */
static bool flip(const char *path, off_t at, unsigned char with)
{
	unsigned char byte = 0;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool good = fd >= 0 && pread(fd, &byte, 1, at) == 1;
	byte ^= with;
	good = good && pwrite(fd, &byte, 1, at) == 1;
	if (fd >= 0)
		close(fd);
	return good;
}

static bool reads(const struct unit *u, uint32_t file)
{
	for (size_t i = 0; i < u->nfile; i++)
		if (u->file[i] == file)
			return true;
	return false;
}

static void wrong(const struct unit *u, const char *path, off_t at, const char *what)
{
	printf("%s: %s, byte %lld: %s\n", u->name, path, (long long)at, what);
	t.wrong++;
}

static void must_be(const struct unit *u, const char *path, off_t at, bool same, size_t *count)
{
	struct wb_digest now;
	bool has = key_of(&now, u, NULL), equal = has && wb_digest_eq(&now, &u->key);
	if (equal != same)
		wrong(u, path, at, same ? "the key changed, though the file is not read" : "the key is as it was");
	t.keyless += !has;
	(*count)++;
}

static off_t size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_size : 0;
}

static void mutate_input(uint32_t file)
{
	const char *path = t.file[file].path;
	off_t size = size_of(path);
	if (size == 0)
		return;
	off_t at = (off_t)dice((unsigned)size);
	unsigned char with = (unsigned char)(1u << dice(7));
	if (!flip(path, at, with)) {
		fprintf(stderr, "%s: cannot be written\n", path);
		exit(2);
	}
	const struct unit *reader = NULL;
	for (size_t i = 0; i < t.nunit; i++)
		if (reads(&t.unit[i], file)) {
			reader = &t.unit[i];
			must_be(reader, path, at, false, &t.changed);
		}
	for (unsigned i = 0; i < SAMPLE; i++) {
		const struct unit *u = &t.unit[dice((unsigned)t.nunit)];
		if (!reads(u, file))
			must_be(u, path, at, true, &t.unchanged);
	}
	flip(path, at, with);
	if (reader)
		must_be(reader, path, at, true, &t.restored);
}

static int on_file(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)ftw;
	/* What CMake writes about itself decides where an action runs: Waybill's business, not an input's. */
	if (kind == FTW_F && S_ISREG(st->st_mode) && st->st_size > 0 && !wb_ends_with(path, "CMakeCache.txt"))
		file_of(path, false);
	return 0;
}

static size_t mutate_others(size_t least)
{
	size_t n = 0;
	if (nftw(t.root, on_file, 16, FTW_PHYS) != 0)
		perror(t.root);
	for (int pass = 0; pass < 2; pass++) { /* all together, and back */
		unsigned seed = t.seed;
		for (uint32_t i = 0; i < t.nfile; i++) {
			const struct file *f = &t.file[i];
			if (f->read)
				continue;
			off_t at = (off_t)dice((unsigned)size_of(f->path));
			if (!flip(f->path, at, 1))
				continue;
			n += pass == 0;
			for (unsigned k = 0; pass == 0 && k < SAMPLE; k++)
				must_be(&t.unit[(i * SAMPLE + k) % t.nunit], f->path, at, true, &t.unchanged);
		}
		for (size_t i = 0; i < t.nunit; i++)
			must_be(&t.unit[i], t.root, 0, true, &t.unchanged);
		t.seed = seed;
	}
	if (n < least) {
		printf("only %zu files that nobody reads\n", n);
		t.wrong++;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct wb_err err = WB_ERR_INIT;
	size_t others = 0, inputs = 0;
	for (int c; (c = getopt(argc, argv, "u:o:")) != -1;) {
		if (c == 'u')
			t.most_units = (size_t)atol(optarg);
		else if (c == 'o')
			others = (size_t)atol(optarg);
		else
			return 2;
	}
	if (argc - optind < 2)
		return 2;
	wb_arena_init(&t.a);
	wb_map_init(&t.by_path);
	t.root = wb_path_real(&t.a, argv[optind]);
	if (!wb_is_ok(wb_config_load(&t.config, &t.a, (const char *const *)environ, &err)) ||
	    !wb_is_ok(wb_service_init(&t.service, &t.config, &err)))
		die("the service", &err);
	for (int i = optind + 1; i < argc; i++)
		read_units(argv[i]);
	if (t.nunit == 0) {
		printf("no unit has a key\n");
		return 1;
	}
	usleep(2 * WB_FACTS_RACY_NS / 1000);
	size_t n = t.nfile;
	for (uint32_t i = 0; i < n; i++)
		if (t.file[i].read) {
			mutate_input(i);
			inputs++;
		}
	size_t not_read = mutate_others(others);
	printf("%zu units; %zu inputs: %zu keys changed (%zu units had none then), %zu came back; %zu other files: %zu "
	       "keys unchanged; %zu wrong\n",
	       t.nunit, inputs, t.changed, t.keyless, t.restored, not_read, t.unchanged, t.wrong);
	wb_service_release(&t.service);
	wb_map_release(&t.by_path);
	wb_arena_release(&t.a);
	return t.wrong != 0;
}
