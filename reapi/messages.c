#include "reapi/messages.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static wb_status decode(ProtobufCMessage **out, struct wb_arena *a, const ProtobufCMessageDescriptor *type,
			const void *data, size_t n, struct wb_err *err)
{
	if (n > WB_MESSAGE_MAX)
		return wb_fail(err, WB_ELIMIT, "%s: message of %zu bytes", type->short_name, n);
	return wb_message_decode(out, a, type, data, n, WB_MESSAGE_MAX_MEMORY, err);
}

wb_status wb_action_decode(wb_re_action **out, struct wb_arena *a, const void *data, size_t n, struct wb_err *err)
{
	return decode((ProtobufCMessage **)out, a, &build__bazel__remote__execution__v2__action__descriptor, data, n,
		      err);
}

wb_status wb_command_decode(wb_re_command **out, struct wb_arena *a, const void *data, size_t n, struct wb_err *err)
{
	return decode((ProtobufCMessage **)out, a, &build__bazel__remote__execution__v2__command__descriptor, data, n,
		      err);
}

wb_status wb_directory_decode(wb_re_directory **out, struct wb_arena *a, const void *data, size_t n, struct wb_err *err)
{
	return decode((ProtobufCMessage **)out, a, &build__bazel__remote__execution__v2__directory__descriptor, data, n,
		      err);
}

wb_status wb_action_result_decode(wb_re_action_result **out, struct wb_arena *a, const void *data, size_t n,
				  struct wb_err *err)
{
	return decode((ProtobufCMessage **)out, a, &build__bazel__remote__execution__v2__action_result__descriptor,
		      data, n, err);
}

wb_re_digest *wb_re_digest_new(struct wb_arena *a, const struct wb_digest *d)
{
	wb_re_digest *m = wb_arena_alloc(a, sizeof *m);
	build__bazel__remote__execution__v2__digest__init(m);
	m->hash = wb_arena_alloc(a, WB_DIGEST_HEX);
	wb_digest_hex(m->hash, d);
	m->size_bytes = d->size;
	return m;
}

wb_status wb_re_digest_get(struct wb_digest *out, const wb_re_digest *m, const char *what, struct wb_err *err)
{
	if (m == NULL)
		return wb_fail(err, WB_EPROTO, "%s: no digest", what);
	if (m->size_bytes < 0 || !wb_digest_parse(out, m->hash, m->size_bytes))
		return wb_fail(err, WB_EPROTO, "%s: not a digest: %.80s/%lld", what, m->hash, (long long)m->size_bytes);
	return wb_ok();
}

static int property_cmp(const void *x, const void *y)
{
	const wb_re_platform_property *a = *(wb_re_platform_property *const *)x,
				      *b = *(wb_re_platform_property *const *)y;
	int c = strcmp(a->name, b->name);
	return c != 0 ? c : strcmp(a->value, b->value);
}

static wb_status add_property(wb_re_platform *m, size_t *cap, struct wb_arena *a, struct wb_str entry,
			      struct wb_err *err)
{
	const char *equals = memchr(entry.p, '=', entry.n);
	struct wb_str name = wb_str_trim((struct wb_str){entry.p, equals == NULL ? 0 : (size_t)(equals - entry.p)});
	if (name.n == 0)
		return wb_fail(err, WB_EINVAL, "platform property '%.*s' is not NAME=VALUE", (int)entry.n, entry.p);
	struct wb_str value = wb_str_trim((struct wb_str){equals + 1, (size_t)(entry.p + entry.n - equals - 1)});
	wb_re_platform_property *p = wb_arena_alloc(a, sizeof *p);
	build__bazel__remote__execution__v2__platform__property__init(p);
	p->name = wb_arena_strndup(a, name.p, name.n);
	p->value = wb_arena_strndup(a, value.p, value.n);
	wb_arena_grow(a, &m->properties, m->n_properties, cap, sizeof *m->properties);
	m->properties[m->n_properties++] = p;
	return wb_ok();
}

wb_status wb_re_platform_parse(wb_re_platform **out, struct wb_arena *a, const char *text, struct wb_err *err)
{
	struct wb_str rest = wb_str_trim(wb_str_of(text != NULL ? text : ""));
	size_t cap = 0;
	*out = NULL;
	if (rest.n == 0)
		return wb_ok();
	wb_re_platform *m = wb_arena_alloc(a, sizeof *m);
	build__bazel__remote__execution__v2__platform__init(m);
	while (rest.n > 0) {
		const char *comma = memchr(rest.p, ',', rest.n);
		size_t n = comma == NULL ? rest.n : (size_t)(comma - rest.p);
		WB_TRY(add_property(m, &cap, a, (struct wb_str){rest.p, n}, err));
		rest.p += comma == NULL ? n : n + 1;
		rest.n -= comma == NULL ? n : n + 1;
	}
	qsort(m->properties, m->n_properties, sizeof *m->properties, property_cmp);
	*out = m;
	return wb_ok();
}

static bool component_ok(const char *name, size_t n)
{
	return n > 0 && n <= 255 && !(n == 1 && name[0] == '.') && !(n == 2 && name[0] == '.' && name[1] == '.');
}

bool wb_re_name_ok(const char *name)
{
	return strchr(name, '/') == NULL && component_ok(name, strlen(name));
}

bool wb_re_path_ok(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");
		if (!component_ok(path, n))
			return false;
		if (path[n] == '\0')
			return true;
		path += n + 1;
	}
}
