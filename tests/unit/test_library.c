/* Programs as bytes and in a file (scanner/directives/packed_program.h, library.h). What comes out is compared with the
 * program that is made of the same text anew, by spellings: the two belong to tables with other numbers. */
#define _GNU_SOURCE
#include "tests/unit/unit.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "scanner/directives/packed_program.h"
#include "scanner/directives/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUILD "a build"
enum { LEX = WB_LEX_LINE_COMMENTS | WB_LEX_RAW_STRINGS | WB_LEX_DIGRAPHS | WB_LEX_U_PREFIXES, LIMIT = 1 << 20 };

/* A bit of everything that a program can hold. */
static const char *const text[] = {
    "#ifndef GUARD_H\n#define GUARD_H\n#include <a.h>\n#include \"b.h\"\n#define EMPTY\n#define ONE 1\n#endif\n",
    "#define F(x, ...) #x x ## __VA_ARGS__ EMPTY\n#define G(a, rest...) G(rest)\n#define H() __LINE__ __DATE__\n"
    "#if F(1, 2) > ONE && __has_include(<x/y.h>)\n#include F(a, b)\n#elif defined(A) || !defined B\n#else\n#undef F\n"
    "#endif\n#include_next <n.h>\n",
    "#pragma once\n#pragma push_macro(\"A\")\n#define A \"text\" 'c' L\"wide\" .5e+3 \\\n  more\n#pragma "
    "pop_macro(\"A\")\n"
    "#embed \"data.bin\" limit(ONE)\n#embed <other>\n#line 7\n#pragma GCC target(\"avx\")\n#pragma GCC dependency "
    "\"x\"\n"
    "#pragma clang module import M\n#ident \"x\"\n#import \"i.h\"\nchar t[] = __TIMESTAMP__;\nasm(\".incbin "
    "\\\"f\\\"\");\n",
    "#if 0\n#elifdef A\n#elifndef B\n#elif C(1) % 3 <= 4 ? x : ~y\n#else\n#endif\n#if 1\n#ifdef X\n#ifndef Y\n#endif\n"
    "#endif\n#endif\n",
    "#define 3\n#nonsense\n#else\n#define F(x) #y\n#define P(x x\n#pragma push_macro(\" A\")\n#include "
    "\"m\\n\"\n#ifdef\n"
    "#undef\n#endif\n",
    "u8\\\n\"x\"\n",             /* a doubt about all of it */
    "#if A\n#if B\n#define C\n", /* without an end */
    "_Pragma(\"push_macro(\\\"A\\\")\")\n",
    "",
    "int no_directive;\n",
};
enum { TEXTS = sizeof text / sizeof *text };

struct place {
	char dir[64], path[96];
};

static int make_place(void **state)
{
	struct place *at = calloc(1, sizeof *at);
	strcpy(at->dir, "/tmp/waybill-library-XXXXXX");
	if (!at || !mkdtemp(at->dir))
		return -1;
	snprintf(at->path, sizeof at->path, "%s/programs", at->dir);
	*state = at;
	return 0;
}

static int remove_place(void **state)
{
	struct place *at = *state;
	struct wb_err err = WB_ERR_INIT;
	wb_status s = wb_dir_remove(at->dir, &err);
	free(at);
	return wb_is_ok(s) ? 0 : -1;
}

/* --- what is equal --- */

static void same_words(const struct wb_idents *a, uint32_t x, const struct wb_idents *b, uint32_t y)
{
	struct wb_str s = wb_ident_text(a, x), t = wb_ident_text(b, y);
	if (!wb_str_eq(s, t) || (x == 0) != (y == 0))
		fail_msg("'%.*s' is not '%.*s'", (int)s.n, s.p, (int)t.n, t.p);
}

static bool names_a_word(unsigned op)
{
	return op == WB_OP_UNDEF || op == WB_OP_IFDEF || op == WB_OP_IFNDEF || op == WB_OP_ELIFDEF ||
	       op == WB_OP_ELIFNDEF || (op >= WB_OP_INCLUDE && op <= WB_OP_EMBED) || op == WB_OP_PUSH ||
	       op == WB_OP_POP;
}

static void same_defines(const struct wb_define *d, const struct wb_idents *a, const struct wb_define *e,
			 const struct wb_idents *b)
{
	same_words(a, d->name, b, e->name);
	assert_int_equal(d->nparam, e->nparam);
	assert_int_equal(d->lex, e->lex);
	assert_int_equal(d->flags, e->flags);
	assert_int_equal(d->nbody, e->nbody);
	assert_memory_equal(d->body, e->body, d->nbody + 1);
	for (uint32_t i = 0; i < d->nparam; i++)
		same_words(a, d->param[i], b, e->param[i]);
}

static void same_programs(const struct wb_program *p, const struct wb_idents *a, const struct wb_program *q,
			  const struct wb_idents *b)
{
	assert_int_equal(p->lex, q->lex);
	assert_int_equal(p->flags, q->flags);
	assert_int_equal(p->nop, q->nop);
	assert_int_equal(p->nsite, q->nsite);
	assert_int_equal(p->ndefine, q->ndefine);
	assert_true(p->content == q->content);
	same_words(a, p->guard, b, q->guard);
	assert_int_equal(p->doubt, q->doubt);
	for (uint32_t i = 0; i < p->nop; i++) {
		struct wb_directive d = p->op[i], e = q->op[i];
		assert_int_equal(d.op, e.op);
		assert_int_equal(d.flags, e.flags);
		assert_int_equal(d.line, e.line);
		if (names_a_word(d.op))
			same_words(a, d.a, b, e.a);
		else
			assert_int_equal(d.a, e.a);
		if (d.op == WB_OP_DEFINE)
			same_words(a, d.b, b, e.b);
		else
			assert_int_equal(d.b, e.b);
	}
	for (uint32_t i = 0; i < p->nsite; i++) {
		assert_int_equal(p->operand[i].n, q->operand[i].n);
		for (uint32_t k = 0; k < p->operand[i].n; k++) {
			struct wb_tok t = p->tok[p->operand[i].first + k], v = q->tok[q->operand[i].first + k];
			same_words(a, t.text, b, v.text);
			assert_int_equal(t.kind, v.kind);
			assert_int_equal(t.flags, v.flags);
			assert_int_equal(t.aux, v.aux);
		}
	}
	for (uint32_t i = 0; i < p->ndefine; i++)
		same_defines(&p->define[i], a, &q->define[i], b);
}

static void same_shapes(const struct wb_program *p, const struct wb_program *q)
{
	uint64_t a[2], b[2];
	assert_true(wb_program_shape(a, p) && wb_program_shape(b, q));
	assert_memory_equal(a, b, sizeof a);
	assert_int_equal(wb_program_tells_line(p), wb_program_tells_line(q));
}

/* --- bytes --- */

/* There and back: within one table of spellings, and to another that has its own numbers. */
static void round_trip(struct wb_idents *here, struct wb_idents *there, const char *source, size_t n, unsigned lex)
{
	struct wb_program *made = wb_program_new(here, source, n, lex);
	struct wb_buf bytes = WB_BUF_INIT;
	assert_true(wb_program_pack(&bytes, made, here));
	assert_int_equal(bytes.n % 8, 0);
	struct wb_program *again = wb_program_unpack(here, bytes.p, bytes.n, lex);
	struct wb_program *other = wb_program_unpack(there, bytes.p, bytes.n, lex);
	assert_non_null(again);
	assert_non_null(other);
	same_shapes(made, again);
	same_programs(made, here, again, here);
	same_programs(made, here, other, there);
	/* Of half of it nothing is made. */
	assert_null(wb_program_unpack(there, bytes.p, bytes.n / 16 * 8, lex));
	wb_program_unref(made);
	wb_program_unref(again);
	wb_program_unref(other);
	wb_buf_release(&bytes);
}

static void round_trip_of_files(struct wb_idents *here, struct wb_idents *there, const char *dir, unsigned lex,
				unsigned *count)
{
	DIR *d = opendir(dir);
	if (!d)
		return;
	for (const struct dirent *e; (e = readdir(d)) != NULL;) {
		char path[4096];
		char *data;
		size_t n;
		struct wb_arena a;
		struct wb_err err = WB_ERR_INIT;
		struct stat st;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		wb_arena_init(&a);
		assert_ok(wb_file_read(&data, &n, &a, path, 16 << 20, &err), &err);
		round_trip(here, there, data, n, lex);
		wb_arena_release(&a);
		++*count;
	}
	closedir(d);
}

static void test_round_trip(void **state)
{
	static const unsigned lex[] = {LEX, WB_LEX_ASM, WB_LEX_ALL, 0};
	struct wb_idents *here = wb_idents_new(), *there = wb_idents_new();
	unsigned count = 0;
	(void)state;
	assert_int_not_equal(wb_ident_put(there, "first", 5), 0); /* so that numbers differ */
	for (size_t i = 0; i < TEXTS; i++)
		for (size_t k = 0; k < sizeof lex / sizeof *lex; k++)
			round_trip(here, there, text[i], strlen(text[i]), lex[k]);
	round_trip_of_files(here, there, WAYBILL_SOURCE_ROOT "/scanner/directives", LEX, &count);
	round_trip_of_files(here, there, "/usr/include", LEX, &count);
	round_trip_of_files(here, there, "/usr/include/x86_64-linux-gnu/sys", WB_LEX_ALL, &count);
	round_trip_of_files(here, there, "/usr/include/c++/12/bits", LEX, &count);
	assert_true(count > 100);
	wb_idents_free(here);
	wb_idents_free(there);
}

/* The number of a doubt that there is not. */
static void test_unknown_doubt(void **state)
{
	static const struct {
		uint32_t whole, directive;
		bool good;
	} row[] = {
	    {WB_DOUBT_NONE, WB_DOUBT_DIRECTIVE, true},   {WB_DOUBT_COUNT - 1, WB_DOUBT_COUNT - 1, true},
	    {WB_DOUBT_COUNT, WB_DOUBT_DIRECTIVE, false}, {UINT32_MAX, WB_DOUBT_DIRECTIVE, false},
	    {WB_DOUBT_NONE, WB_DOUBT_NONE, false},       {WB_DOUBT_NONE, WB_DOUBT_COUNT, false},
	    {WB_DOUBT_NONE, UINT32_MAX, false},
	};
	struct wb_idents *idents = wb_idents_new();
	struct wb_program *made = wb_program_new(idents, "#nonsense\n", 10, LEX);
	struct wb_directive op = made->op[0];
	(void)state;
	assert_int_equal(made->nop, 1);
	assert_int_equal(op.op, WB_OP_BAD);
	made->op = &op;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct wb_buf bytes = WB_BUF_INIT;
		made->doubt = (enum wb_doubt)row[i].whole;
		op.a = row[i].directive;
		assert_true(wb_program_pack(&bytes, made, idents));
		struct wb_program *p = wb_program_unpack(idents, bytes.p, bytes.n, LEX);
		assert_int_equal(p != NULL, row[i].good);
		wb_program_unref(p);
		wb_buf_release(&bytes);
	}
	wb_program_unref(made);
	wb_idents_free(idents);
}

/* --- the file --- */

struct shelf {
	struct wb_idents *idents;
	struct wb_library *library;
};

static struct shelf open_shelf(const char *path, const char *build, size_t limit)
{
	struct shelf s = {.idents = wb_idents_new()};
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_library_new(&s.library, s.idents, path, build, limit, &err), &err);
	return s;
}

static void close_shelf(struct shelf *s)
{
	wb_library_free(s->library);
	wb_idents_free(s->idents);
}

static void put(struct shelf *s, const char *source)
{
	struct wb_library_key key = wb_library_key(s->library, source, strlen(source), LEX);
	struct wb_program *p = wb_program_new(s->idents, source, strlen(source), LEX);
	wb_library_put(s->library, &key, p);
	wb_program_unref(p);
}

/* Is it there? Then it is the one of the text. */
static bool has(struct shelf *s, const char *source)
{
	struct wb_library_key key = wb_library_key(s->library, source, strlen(source), LEX);
	struct wb_program *kept = wb_library_get(s->library, &key);
	if (!kept)
		return false;
	struct wb_program *made = wb_program_new(s->idents, source, strlen(source), LEX);
	same_shapes(made, kept);
	same_programs(made, s->idents, kept, s->idents);
	wb_program_unref(made);
	wb_program_unref(kept);
	return true;
}

static void nth_text(char *out, size_t room, unsigned who, unsigned i)
{
	snprintf(out, room, "#ifndef A%u_%u\n#define A%u_%u F%u(%u)\n#include \"f%u.h\"\n#endif\n", who, i, who, i, i,
		 i, i);
}

static void put_all(const char *path)
{
	struct shelf s = open_shelf(path, BUILD, LIMIT);
	for (size_t i = 0; i < TEXTS; i++)
		if (!has(&s, text[i])) /* a damaged one shows when it is wanted */
			put(&s, text[i]);
	close_shelf(&s);
}

static unsigned has_how_many(const char *path)
{
	struct shelf s = open_shelf(path, BUILD, LIMIT);
	unsigned n = 0;
	for (size_t i = 0; i < TEXTS; i++)
		n += has(&s, text[i]);
	close_shelf(&s);
	return n;
}

static struct wb_library_count count_of(struct shelf *s)
{
	struct wb_library_count c;
	wb_library_count(s->library, &c);
	return c;
}

static void test_kept(void **state)
{
	struct place *at = *state;
	put_all(at->path);
	assert_int_equal(has_how_many(at->path), TEXTS);
	/* Only the same text, lexed in the same way. */
	struct shelf s = open_shelf(at->path, BUILD, LIMIT);
	assert_false(has(&s, "#define NEVER_SEEN\n"));
	struct wb_library_key key = wb_library_key(s.library, text[0], strlen(text[0]), WB_LEX_ASM);
	assert_null(wb_library_get(s.library, &key));
	/* What is there is not put there again. */
	put(&s, text[0]);
	assert_int_equal(count_of(&s).taken, 0);
	assert_int_equal(count_of(&s).held, TEXTS);
	put(&s, "#define NEW\n");
	wb_library_flush(s.library);
	assert_true(has(&s, "#define NEW\n"));
	close_shelf(&s);
	struct stat st;
	assert_int_equal(stat(at->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_other_build(void **state)
{
	struct place *at = *state;
	char source[256];
	put_all(at->path);
	/* One process has it open while another build comes. */
	struct shelf old = open_shelf(at->path, BUILD, LIMIT);
	struct shelf new = open_shelf(at->path, "another build", LIMIT);
	for (size_t i = 0; i < TEXTS; i++)
		assert_false(has(&new, text[i]));
	/* The new one's file grows beyond what the old one knows. */
	for (unsigned i = 0; i < 100; i++) {
		nth_text(source, sizeof source, 0, i);
		put(&new, source);
	}
	put(&new, text[0]);
	wb_library_flush(new.library);
	assert_false(has(&old, text[0]));
	put(&old, text[0]);
	put(&old, "#define NEW\n");
	wb_library_flush(old.library);
	assert_true(count_of(&old).given_up);
	put(&old, text[2]);
	close_shelf(&old);
	put(&new, text[3]);
	close_shelf(&new);
	new = open_shelf(at->path, "another build", LIMIT);
	assert_int_equal(count_of(&new).held, 102);
	assert_true(has(&new, text[0]));
	assert_true(has(&new, source));
	assert_true(has(&new, text[3]));
	close_shelf(&new);
}

/* In place: a file that is renamed over another one goes to the disk at once on some file systems. */
static void write_file(const char *path, const char *data, size_t n)
{
	int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, n, 0), n);
	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	close(fd);
}

static void test_truncated(void **state)
{
	struct place *at = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_arena a;
	char *data;
	size_t n;
	put_all(at->path);
	wb_arena_init(&a);
	assert_ok(wb_file_read(&data, &n, &a, at->path, LIMIT, &err), &err);
	unsigned before = 0;
	for (size_t len = 0; len <= n; len++) {
		write_file(at->path, data, len);
		unsigned there = has_how_many(at->path);
		assert_true(there >= before && there <= before + 1);
		before = there;
		if (len % 97 == 0) { /* what was torn off comes back */
			put_all(at->path);
			assert_int_equal(has_how_many(at->path), TEXTS);
		}
	}
	assert_int_equal(before, TEXTS);
	wb_arena_release(&a);
}

static void test_flipped(void **state)
{
	struct place *at = *state;
	struct wb_err err = WB_ERR_INIT;
	struct wb_arena a;
	char *data;
	size_t n;
	put_all(at->path);
	wb_arena_init(&a);
	assert_ok(wb_file_read(&data, &n, &a, at->path, LIMIT, &err), &err);
	for (size_t i = 0; i < n; i++) {
		char was = data[i];
		data[i] = (char)(was ^ (1 << i % 8));
		write_file(at->path, data, n);
		assert_true(has_how_many(at->path) < TEXTS); /* and those that are there are right */
		data[i] = was;
		if (i % 97 == 0) {
			put_all(at->path);
			assert_int_equal(has_how_many(at->path), TEXTS);
		}
	}
	wb_arena_release(&a);
}

static void test_no_file(void **state)
{
	struct place *at = *state;
	struct wb_idents *idents = wb_idents_new();
	struct wb_library *l;
	struct wb_err err = WB_ERR_INIT;
	char path[128];
	snprintf(path, sizeof path, "%s/no/programs", at->dir);
	assert_code(wb_library_new(&l, idents, path, BUILD, LIMIT, &err), WB_ENOENT);
	assert_says(&err, path);
	assert_int_equal(mkfifo(at->path, 0600), 0);
	assert_code(wb_library_new(&l, idents, at->path, BUILD, LIMIT, &err), WB_EINVAL);
	assert_says(&err, at->path);
	wb_idents_free(idents);
}

/* --- many --- */

/* The file never exceeds its limit, and goes on to take programs. */
static void test_limit(void **state)
{
	enum { SMALL_LIMIT = 64 << 10, MANY = 2000 };
	struct place *at = *state;
	struct shelf s = open_shelf(at->path, BUILD, SMALL_LIMIT);
	char source[256];
	struct stat st;
	off_t biggest = 0;
	bool shrunk = false;
	for (unsigned i = 0; i < MANY; i++) {
		nth_text(source, sizeof source, 0, i);
		put(&s, source);
		assert_int_equal(stat(at->path, &st), 0);
		assert_true(st.st_size <= SMALL_LIMIT);
		shrunk = shrunk || st.st_size < biggest;
		biggest = st.st_size > biggest ? st.st_size : biggest;
	}
	assert_true(shrunk);
	nth_text(source, sizeof source, 1, 0);
	put(&s, source);
	wb_library_flush(s.library);
	assert_false(count_of(&s).given_up);
	assert_true(has(&s, source));
	close_shelf(&s);
	s = open_shelf(at->path, BUILD, SMALL_LIMIT);
	assert_true(has(&s, source));
	nth_text(source, sizeof source, 0, 0);
	assert_false(has(&s, source));
	close_shelf(&s);
}

enum { PROCESSES = 4, EACH = 300 };

static void test_processes(void **state)
{
	struct place *at = *state;
	pid_t pid[PROCESSES];
	char source[256];
	for (unsigned who = 0; who < PROCESSES; who++) {
		pid[who] = fork();
		assert_true(pid[who] >= 0);
		if (pid[who] > 0)
			continue;
		struct shelf s = open_shelf(at->path, BUILD, LIMIT);
		for (unsigned i = 0; i < EACH; i++) {
			nth_text(source, sizeof source, who, i);
			put(&s, source);
			if (i % 7 == who)
				wb_library_flush(s.library);
		}
		close_shelf(&s);
		_exit(0);
	}
	for (unsigned who = 0; who < PROCESSES; who++) {
		int status;
		assert_int_equal(waitpid(pid[who], &status, 0), pid[who]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	struct shelf s = open_shelf(at->path, BUILD, LIMIT);
	for (unsigned who = 0; who < PROCESSES; who++)
		for (unsigned i = 0; i < EACH; i++) {
			nth_text(source, sizeof source, who, i);
			if (!has(&s, source))
				fail_msg("text %u of process %u is not there", i, who);
		}
	close_shelf(&s);
}

static void *put_and_get(void *arg)
{
	struct shelf *s = arg;
	char source[256];
	for (unsigned i = 0; i < EACH; i++) {
		nth_text(source, sizeof source, 0, i);
		struct wb_library_key key = wb_library_key(s->library, source, strlen(source), LEX);
		struct wb_program *p = wb_library_get(s->library, &key);
		if (!p) {
			p = wb_program_new(s->idents, source, strlen(source), LEX);
			wb_library_put(s->library, &key, p);
		}
		wb_program_unref(p);
		if (i % 50 == 0)
			wb_library_flush(s->library);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct place *at = *state;
	pthread_t thread[PROCESSES];
	char source[256];
	struct shelf s = open_shelf(at->path, BUILD, LIMIT);
	for (unsigned i = 0; i < PROCESSES; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, put_and_get, &s), 0);
	for (unsigned i = 0; i < PROCESSES; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(count_of(&s).taken, EACH);
	close_shelf(&s);
	s = open_shelf(at->path, BUILD, LIMIT);
	for (unsigned i = 0; i < EACH; i++) {
		nth_text(source, sizeof source, 0, i);
		assert_true(has(&s, source));
	}
	close_shelf(&s);
}

/* --- the store on top of it --- */

static struct wb_program *from_store(struct wb_program_store *store, const char *path)
{
	struct wb_buf scratch = WB_BUF_INIT;
	struct wb_stat_id id;
	assert_true(wb_stat_id_get(&id, path, true));
	struct wb_program *p = wb_program_store_get(store, path, &id, LEX, &scratch);
	assert_non_null(p);
	wb_buf_release(&scratch);
	return p;
}

static void test_store(void **state)
{
	struct place *at = *state;
	struct wb_err err = WB_ERR_INIT;
	char path[128];
	snprintf(path, sizeof path, "%s/x.h", at->dir);
	/* The second process finds what the first has made; the third has another text to read. */
	for (unsigned i = 0; i < 3; i++) {
		const char *source = i < 2 ? text[1] : text[2];
		struct wb_idents *idents = wb_idents_new();
		struct wb_program_store *store = wb_program_store_new(idents, LIMIT);
		struct wb_library *l;
		struct wb_library_count count;
		assert_ok(wb_file_write(path, source, strlen(source), 0644, &err), &err);
		assert_ok(wb_library_new(&l, idents, at->path, BUILD, LIMIT, &err), &err);
		wb_program_store_keep(store, l);
		struct wb_program *kept = from_store(store, path);
		struct wb_program *made = wb_program_new(idents, source, strlen(source), LEX);
		same_shapes(made, kept);
		same_programs(made, idents, kept, idents);
		wb_library_count(l, &count);
		assert_int_equal(count.given, i == 1);
		assert_int_equal(count.taken, i != 1);
		wb_program_unref(made);
		wb_program_unref(kept);
		wb_program_store_free(store);
		wb_idents_free(idents);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_unknown_doubt),
	    cmocka_unit_test_setup_teardown(test_kept, make_place, remove_place),
	    cmocka_unit_test_setup_teardown(test_other_build, make_place, remove_place),
	    cmocka_unit_test_setup_teardown(test_truncated, make_place, remove_place),
	    cmocka_unit_test_setup_teardown(test_flipped, make_place, remove_place),
	    cmocka_unit_test_setup_teardown(test_no_file, make_place, remove_place),
	    cmocka_unit_test_setup_teardown(test_limit, make_place, remove_place),
	    cmocka_unit_test_setup_teardown(test_processes, make_place, remove_place),
	    cmocka_unit_test_setup_teardown(test_threads, make_place, remove_place),
	    cmocka_unit_test_setup_teardown(test_store, make_place, remove_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
