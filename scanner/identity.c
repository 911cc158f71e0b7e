#define _GNU_SOURCE /* memmem, memrchr */
#include "scanner/identity.h"

#include "base/arena.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_FILES = 256, MAX_STALE = 5 };

void wb_identity_begin(struct wb_identity_builder *b, struct wb_arena *a, struct wb_facts *f)
{
	*b = (struct wb_identity_builder){.arena = a, .facts = f};
}

wb_status wb_identity_add(struct wb_identity_builder *b, const char *path, struct wb_err *err)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->file[i].path, path) == 0)
			return wb_ok();
	if (b->n == MAX_FILES)
		return wb_fail(err, WB_ELIMIT, "%s: a compiler of more than %d files", path, MAX_FILES);
	struct wb_fact fact;
	wb_status s = wb_ok();
	for (int attempt = 0; attempt < MAX_STALE; attempt++) {
		s = wb_facts_digest(&fact, b->facts, b->arena, path, err);
		if (s.code != WB_ESTALE)
			break;
	}
	WB_TRY(s);
	if (fact.kind != WB_FILE_REGULAR)
		return wb_fail(err, WB_ENOENT, "%s: part of the compiler, but not a file", path);
	wb_arena_grow(b->arena, &b->file, b->n, &b->cap, sizeof *b->file);
	wb_arena_grow(b->arena, &b->digest, b->n, &b->digest_cap, sizeof *b->digest);
	b->file[b->n] = (struct wb_identity_file){wb_arena_strdup(b->arena, path), fact.id};
	b->digest[b->n++] = fact.digest;
	return wb_ok();
}

/* The dynamic loader that the ELF file asks for, into `out`; "" when it is static or not ELF of this machine's width.
 */
static void interpreter(char out[PATH_MAX], const char *path)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	out[0] = '\0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (pread(fd, &header, sizeof header, 0) != sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof segment)
		goto out;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		if (pread(fd, &segment, sizeof segment, (off_t)(header.e_phoff + i * sizeof segment)) != sizeof segment)
			goto out;
		if (segment.p_type != PT_INTERP)
			continue;
		size_t n = segment.p_filesz < PATH_MAX ? segment.p_filesz : PATH_MAX - 1;
		ssize_t got = pread(fd, out, n, (off_t)segment.p_offset);
		out[got > 0 ? got : 0] = '\0';
	}
out:
	close(fd);
}

/* Lines of the loader: "\tlibz.so.1 => /lib/libz.so.1 (0x...)", "\t/lib64/ld.so (0x...)", "\tlinux-vdso.so.1 (0x...)".
 */
static wb_status add_libraries(struct wb_identity_builder *b, struct wb_str lines, const char *program,
			       struct wb_err *err)
{
	struct wb_str line;
	while (wb_str_line(&lines, &line)) {
		const char *arrow = memmem(line.p, line.n, " => ", 4);
		const char *end = line.p + line.n;
		const char *start = arrow ? arrow + 4 : line.p;
		while (start < end && (*start == '\t' || *start == ' '))
			start++;
		const char *paren = memmem(start, (size_t)(end - start), " (0x", 4);
		if (arrow && !paren)
			return wb_fail(err, WB_ENOENT, "%s: a shared library is missing: %.*s", program, (int)line.n,
				       line.p);
		if (!paren || *start != '/')
			continue;
		WB_TRY(wb_identity_add(b, wb_arena_strndup(b->arena, start, (size_t)(paren - start)), err));
	}
	return wb_ok();
}

wb_status wb_identity_add_program(struct wb_identity_builder *b, const char *path, struct wb_err *err)
{
	char loader[PATH_MAX];
	WB_TRY(wb_identity_add(b, path, err));
	interpreter(loader, path);
	if (!loader[0])
		return wb_ok();
	struct wb_buf out = WB_BUF_INIT;
	const char *argv[] = {loader, "--list", path, NULL};
	const char *env[] = {"LC_ALL=C", NULL};
	struct wb_process p = {
	    .argv = argv, .env = env, .cwd = "/", .out = &out, .output_limit = 1 << 20, .timeout_ns = 60000000000LL};
	int status;
	wb_status s = wb_process_run(&status, &p, err);
	if (wb_is_ok(s) && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		s = wb_fail(err, WB_EIO, "%s --list %s failed", loader, path);
	if (wb_is_ok(s))
		s = add_libraries(b, (struct wb_str){out.p, out.n}, path, err);
	wb_buf_release(&out);
	return s;
}

struct named {
	const char *name;
	const struct wb_digest *digest;
};

static int by_name(const void *x, const void *y)
{
	const struct named *a = x, *b = y;
	int order = strcmp(a->name, b->name);
	return order ? order : memcmp(a->digest->hash, b->digest->hash, sizeof a->digest->hash);
}

void wb_identity_finish(struct wb_identity *out, struct wb_identity_builder *b)
{
	struct named *row = wb_arena_array(b->arena, b->n + 1, sizeof *row);
	for (size_t i = 0; i < b->n; i++)
		row[i] = (struct named){wb_path_basename(b->file[i].path), &b->digest[i]};
	qsort(row, b->n, sizeof *row, by_name);
	struct wb_hasher h;
	wb_hasher_init(&h);
	wb_hasher_adds(&h, "waybill compiler identity 1");
	for (size_t i = 0; i < b->n; i++) {
		wb_hasher_adds(&h, row[i].name);
		wb_hasher_add(&h, row[i].digest->hash, sizeof row[i].digest->hash);
	}
	wb_hasher_finish(&h, &out->digest);
	out->file = b->file;
	out->nfile = b->n;
}

bool wb_identity_holds(const struct wb_identity *id)
{
	for (size_t i = 0; i < id->nfile; i++) {
		struct wb_stat_id now;
		if (!wb_stat_id_get(&now, id->file[i].path, true) || !wb_stat_id_eq(&now, &id->file[i].id))
			return false;
	}
	return true;
}
