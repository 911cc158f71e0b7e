#define _GNU_SOURCE /* memmem, memrchr */
/* Questions such as __has_builtin(x): asked of the compiler, many at once, by preprocessing a text that holds them. */
#include "scanner/questions.h"

#include "base/log.h"
#include "base/str.h"
#include "scanner/toolchain_impl.h"

#include <stdlib.h>
#include <string.h>

/* clang/lib/Lex/PPMacroExpansion.cpp, Preprocessor::RegisterBuiltinMacros. */
const char *const wb_builtin_names[] = {"__has_include",
					"__has_include_next",
					"__has_embed",
					"__has_feature",
					"__has_extension",
					"__has_builtin",
					"__has_constexpr_builtin",
					"__has_attribute",
					"__has_cpp_attribute",
					"__has_c_attribute",
					"__has_declspec_attribute",
					"__has_warning",
					"__is_identifier",
					"__is_target_arch",
					"__is_target_vendor",
					"__is_target_os",
					"__is_target_environment",
					"__is_target_variant_os",
					"__is_target_variant_environment",
					"__building_module",
					"__MODULE__",
					"__FILE_NAME__",
					"__BASE_FILE__",
					"__INCLUDE_LEVEL__",
					"__TIMESTAMP__",
					"__COUNTER__",
					"__FLT_EVAL_METHOD__",
					NULL};

#define NO_ANSWER UINT64_MAX
enum { MAX_ANSWERS = 100000, MAX_OPERAND = 1024 };

/* The text behind "waybill_answer N =" up to ';', for each N. Output of -P may be reflowed, never reordered. */
struct reply {
	struct wb_str rest;
};

static bool next_reply(struct reply *r, size_t *index, struct wb_str *value)
{
	static const char mark[] = "waybill_answer";
	const char *at = r->rest.n ? memmem(r->rest.p, r->rest.n, mark, sizeof mark - 1) : NULL;
	if (!at)
		return false;
	const char *end = r->rest.p + r->rest.n;
	const char *p = at + sizeof mark - 1;
	const char *stop = memchr(p, ';', (size_t)(end - p));
	const char *equals = stop ? memchr(p, '=', (size_t)(stop - p)) : NULL;
	if (!equals)
		return false;
	*index = strtoul(p, NULL, 10);
	*value = wb_str_trim((struct wb_str){equals + 1, (size_t)(stop - equals - 1)});
	r->rest = (struct wb_str){stop + 1, (size_t)(end - stop - 1)};
	return true;
}

/* "201907L", "1", "0": an integer constant, suffix allowed. */
static bool parse_value(struct wb_str text, uint32_t *value)
{
	char digits[32];
	if (text.n == 0 || text.n >= sizeof digits)
		return false;
	memcpy(digits, text.p, text.n);
	digits[text.n] = '\0';
	char *end;
	unsigned long long v = strtoull(digits, &end, 10);
	if (end == digits || end[strspn(end, "uUlL")] != '\0' || v >= UINT32_MAX)
		return false;
	*value = (uint32_t)v;
	return true;
}

wb_status wb_questions_defined(struct toolchain_entry *e, struct wb_arena *a, struct wb_err *err)
{
	struct wb_buf text = WB_BUF_INIT, out = WB_BUF_INIT;
	bool clean;
	for (size_t i = 0; wb_builtin_names[i]; i++)
		wb_buf_addf(&text, "#ifdef %s\nwaybill_answer %zu = 1;\n#endif\n", wb_builtin_names[i], i);
	/* clang 16 and later: a builtin whose value the flags decide, and -dM does not print it. May be negative. */
	wb_buf_addf(&text, "waybill_answer 1000 = __FLT_EVAL_METHOD__;\n");
	wb_status s = wb_compiler_preprocess(&out, &e->call, text.p, text.n, &clean, err);
	if (wb_is_ok(s) && !clean)
		s = wb_fail(err, WB_EUNSUPPORTED, "%s: cannot be asked about its builtin macros", e->call.exe);
	struct reply r = {{out.p, out.n}};
	size_t index;
	struct wb_str value;
	while (wb_is_ok(s) && next_reply(&r, &index, &value)) {
		if (index < sizeof wb_builtin_names / sizeof *wb_builtin_names - 1)
			wb_map_puts(&e->defined, wb_builtin_names[index], NULL)->u = 1;
		bool number = value.n > 0 && strspn(value.p, "-0123456789") >= value.n;
		if (index == 1000 && number && !memmem(e->tc.macros, e->tc.macros_len, "__FLT_EVAL_METHOD__", 19)) {
			e->tc.macros = wb_arena_printf(a, "%s#define __FLT_EVAL_METHOD__ %.*s\n", e->tc.macros,
						       (int)value.n, value.p);
			e->tc.macros_len = strlen(e->tc.macros);
		}
	}
	wb_buf_release(&text);
	wb_buf_release(&out);
	return s;
}

bool wb_toolchain_defines(const struct wb_toolchain *tc, const char *name)
{
	const struct toolchain_entry *e = (const struct toolchain_entry *)tc;
	return wb_map_gets(&e->defined, name) != NULL;
}

static void key_of(struct wb_buf *key, const struct wb_question *q)
{
	wb_buf_reset(key);
	wb_buf_addf(key, "%s\t%s", q->name, q->operand);
}

static bool askable(const struct wb_question *q)
{
	return strlen(q->operand) <= MAX_OPERAND && !strpbrk(q->operand, "\n\t;");
}

/* One run of the compiler for `n` questions; answers land in the map. `*clean` as the compiler says. */
static wb_status ask(struct toolchain_entry *e, const struct wb_question *const *q, size_t n, bool *clean,
		     struct wb_err *err)
{
	struct wb_buf text = WB_BUF_INIT, out = WB_BUF_INIT, key = WB_BUF_INIT;
	for (size_t i = 0; i < n; i++)
		wb_buf_addf(&text, "waybill_answer %zu = %s(%s);\n", i, q[i]->name, q[i]->operand);
	wb_status s = wb_compiler_preprocess(&out, &e->call, text.p, text.n, clean, err);
	struct reply r = {{out.p, out.n}};
	size_t index;
	struct wb_str value;
	while (wb_is_ok(s) && *clean && next_reply(&r, &index, &value)) {
		uint32_t v;
		if (index >= n || !parse_value(value, &v))
			continue;
		key_of(&key, q[index]);
		wb_map_put(&e->answer, key.p, key.n, NULL)->u = (uint64_t)v + 1;
	}
	wb_buf_release(&text);
	wb_buf_release(&out);
	wb_buf_release(&key);
	return s;
}

/* Remember that there is no answer where none came. */
static void close_open_ones(struct toolchain_entry *e, const struct wb_question *const *q, size_t n)
{
	struct wb_buf key = WB_BUF_INIT;
	for (size_t i = 0; i < n; i++) {
		bool fresh;
		key_of(&key, q[i]);
		union wb_map_value *v = wb_map_put(&e->answer, key.p, key.n, &fresh);
		if (fresh)
			v->u = NO_ANSWER;
	}
	wb_buf_release(&key);
}

static wb_status ask_missing(struct toolchain_entry *e, const struct wb_question *const *q, size_t n,
			     struct wb_err *err)
{
	bool clean;
	WB_TRY(ask(e, q, n, &clean, err));
	/* One malformed operand must not spoil the others. */
	for (size_t i = 0; i < n && !clean; i++) {
		bool alone;
		WB_TRY(ask(e, q + i, 1, &alone, err));
	}
	close_open_ones(e, q, n);
	if (e->tc.owner->cache_dir) {
		struct wb_err why = WB_ERR_INIT;
		if (!wb_is_ok(wb_answers_save(e, e->tc.owner->cache_dir, &why)))
			wb_log(WB_LOG_WARN, "toolchain answers not kept: %s", why.text);
	}
	return wb_ok();
}

wb_status wb_toolchain_ask(const struct wb_toolchain *tc, struct wb_question *q, size_t n, struct wb_err *err)
{
	/* The cast undoes what wb_toolchain_get added: answers are the one part that grows, under its lock. */
	struct toolchain_entry *e = (struct toolchain_entry *)(uintptr_t)tc;
	const struct wb_question **missing = wb_xcalloc(n + 1, sizeof *missing);
	struct wb_buf key = WB_BUF_INIT;
	size_t nmissing = 0;
	wb_status s = wb_ok();
	pthread_mutex_lock(&e->lock);
	for (size_t i = 0; i < n && wb_is_ok(s); i++) {
		if (!askable(&q[i])) {
			s = wb_fail(err, WB_EUNSUPPORTED, "%s(%s): cannot be asked", q[i].name, q[i].operand);
			break;
		}
		key_of(&key, &q[i]);
		if (!wb_map_get(&e->answer, key.p, key.n))
			missing[nmissing++] = &q[i];
	}
	if (wb_is_ok(s) && e->answer.n + nmissing > MAX_ANSWERS)
		s = wb_fail(err, WB_ELIMIT, "more than %d questions to one compiler", MAX_ANSWERS);
	if (wb_is_ok(s) && nmissing)
		s = ask_missing(e, missing, nmissing, err);
	for (size_t i = 0; i < n && wb_is_ok(s); i++) {
		key_of(&key, &q[i]);
		uint64_t v = wb_map_get(&e->answer, key.p, key.n)->u;
		if (v == NO_ANSWER)
			s = wb_fail(err, WB_EUNSUPPORTED, "%s(%s): the compiler has no answer", q[i].name,
				    q[i].operand);
		else
			q[i].value = (uint32_t)(v - 1);
	}
	pthread_mutex_unlock(&e->lock);
	wb_buf_release(&key);
	free(missing);
	return s;
}

bool wb_toolchain_known(const struct wb_toolchain *tc, struct wb_question *q)
{
	struct toolchain_entry *e = (struct toolchain_entry *)(uintptr_t)tc;
	struct wb_buf key = WB_BUF_INIT;
	key_of(&key, q);
	pthread_mutex_lock(&e->lock);
	union wb_map_value *v = wb_map_get(&e->answer, key.p, key.n);
	bool known = v && v->u != NO_ANSWER;
	if (known)
		q->value = (uint32_t)(v->u - 1);
	pthread_mutex_unlock(&e->lock);
	wb_buf_release(&key);
	return known;
}
