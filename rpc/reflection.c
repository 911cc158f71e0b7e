/* grpc.reflection.v1 and v1alpha (the same messages under two names) over a FileDescriptorSet.
 *
 * The set is read by a walker of its own over the wire format: all that is wanted of it are names and the bytes of each
 * file. Field numbers are those of google/protobuf/descriptor.proto. */
#include "base/str.h"
#include "rpc/server_impl.h"
#include "wire/message.h"

#include "proto/reflection.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16 /* of nested types in our own protos */

struct file {
	struct wb_str bytes, name, package;
	const struct file **import;
	size_t nimport, cap;
};

struct symbol {
	const char *name; /* "waybill.v1.Scanner.Scan" */
	const struct file *file;
};

struct wb_reflection {
	struct wb_arena arena;
	struct file *file;
	size_t nfile, file_cap;
	struct symbol *symbol; /* sorted by name */
	size_t nsymbol, symbol_cap;
};

/* One field of a message: its number and, when it is length-delimited, its bytes. False at the end; `*bad` when what is
 * there is no message. */
static bool next_field(unsigned *number, struct wb_str *value, struct wb_str *rest, bool *bad)
{
	uint64_t v[2] = {0, 0}; /* the key; the length or the varint itself */

	if (rest->n == 0)
		return false;
	for (int i = 0; i < 2; i++) {
		int shift = 0;
		unsigned char c;

		do {
			if (rest->n == 0 || shift > 63) {
				*bad = true;
				return false;
			}
			c = (unsigned char)*rest->p++;
			rest->n--;
			v[i] |= (uint64_t)(c & 0x7f) << shift;
			shift += 7;
		} while (c & 0x80);
		if (i == 0 && (v[0] & 7) != 0 && (v[0] & 7) != 2) {
			*bad = true; /* descriptor.proto has no fixed-width field that a .proto of ours sets */
			return false;
		}
	}
	*number = (unsigned)(v[0] >> 3);
	*value = (struct wb_str){rest->p, 0};
	if ((v[0] & 7) == 2) {
		if (v[1] > rest->n) {
			*bad = true;
			return false;
		}
		value->n = (size_t)v[1];
		rest->p += v[1];
		rest->n -= (size_t)v[1];
	}
	return true;
}

static struct wb_str field_of(struct wb_str message, unsigned wanted, bool *bad)
{
	struct wb_str value, found = {"", 0};
	unsigned number;

	while (next_field(&number, &value, &message, bad))
		if (number == wanted)
			found = value;
	return found;
}

static const char *add_symbol(struct wb_reflection *r, const struct file *f, const char *scope, struct wb_str name)
{
	const char *full = wb_arena_printf(&r->arena, "%s%s%.*s", scope, scope[0] ? "." : "", (int)name.n, name.p);

	wb_arena_grow(&r->arena, &r->symbol, r->nsymbol, &r->symbol_cap, sizeof *r->symbol);
	r->symbol[r->nsymbol++] = (struct symbol){full, f};
	return full;
}

/* What a message (`kind` 4), enum (5) or service (6) at file level defines. */
static void add_type(struct wb_reflection *r, const struct file *f, const char *scope, struct wb_str type,
		     unsigned kind, int depth, bool *bad)
{
	const char *full = add_symbol(r, f, scope, field_of(type, 1, bad));
	struct wb_str value;
	unsigned number;

	if (depth > DEPTH_MAX) {
		*bad = true;
		return;
	}
	while (next_field(&number, &value, &type, bad)) {
		if (kind == 4 && number == 3)
			add_type(r, f, full, value, 4, depth + 1, bad);
		else if (kind == 4 && number == 4)
			add_type(r, f, full, value, 5, depth + 1, bad);
		else if (number == 2) /* fields, and methods; the values of an enum belong to the scope around it */
			add_symbol(r, f, kind == 5 ? scope : full, field_of(value, 1, bad));
	}
}

static void add_symbols(struct wb_reflection *r, const struct file *f, bool *bad)
{
	const char *package = wb_arena_strndup(&r->arena, f->package.p, f->package.n);
	struct wb_str rest = f->bytes, value;
	unsigned number;

	while (next_field(&number, &value, &rest, bad))
		if (number >= 4 && number <= 6)
			add_type(r, f, package, value, number, 0, bad);
}

static const struct file *file_named(const struct wb_reflection *r, struct wb_str name)
{
	for (size_t i = 0; i < r->nfile; i++)
		if (wb_str_eq(r->file[i].name, name))
			return &r->file[i];
	return NULL;
}

static void add_imports(struct wb_reflection *r, struct file *f, bool *bad)
{
	struct wb_str rest = f->bytes, value;
	unsigned number;

	while (next_field(&number, &value, &rest, bad)) {
		if (number != 3)
			continue;
		wb_arena_grow(&r->arena, &f->import, f->nimport, &f->cap, sizeof(const struct file *));
		f->import[f->nimport] = file_named(r, value);
		if (f->import[f->nimport++] == NULL)
			*bad = true;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

wb_status wb_reflection_new(struct wb_reflection **out, const void *set, size_t n, struct wb_err *err)
{
	struct wb_reflection *r = wb_xcalloc(1, sizeof *r);
	struct wb_str rest = {set, n}, value;
	unsigned number;
	bool bad = false;

	wb_arena_init(&r->arena);
	while (next_field(&number, &value, &rest, &bad)) {
		if (number != 1)
			continue;
		wb_arena_grow(&r->arena, &r->file, r->nfile, &r->file_cap, sizeof *r->file);
		r->file[r->nfile++] = (struct file){
		    .bytes = value, .name = field_of(value, 1, &bad), .package = field_of(value, 2, &bad)};
	}
	for (size_t i = 0; i < r->nfile; i++) {
		add_imports(r, &r->file[i], &bad);
		add_symbols(r, &r->file[i], &bad);
	}
	if (bad || r->nsymbol == 0) {
		wb_reflection_free(r);
		return wb_fail(err, WB_ECORRUPT, "the descriptors for the reflection service are damaged");
	}
	qsort(r->symbol, r->nsymbol, sizeof *r->symbol, by_name);
	*out = r;
	return wb_ok();
}

void wb_reflection_free(struct wb_reflection *r)
{
	if (!r)
		return;
	wb_arena_release(&r->arena);
	free(r);
}

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;

static void set_error(Response *reply, struct wb_arena *a, int code, const char *text)
{
	Grpc__Reflection__V1__ErrorResponse *e = wb_arena_alloc(a, sizeof *e);

	grpc__reflection__v1__error_response__init(e);
	e->error_code = code;
	e->error_message = (char *)(uintptr_t)text;
	reply->message_response_case =
	    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
	reply->error_response = e;
}

/* The file and everything that it imports, each once: a client need not ask again. */
static void set_files(Response *reply, struct wb_arena *a, const struct wb_reflection *r, const struct file *first)
{
	Grpc__Reflection__V1__FileDescriptorResponse *m = wb_arena_alloc(a, sizeof *m);
	const struct file **list = wb_arena_array(a, r->nfile, sizeof *list);
	size_t n = 1;

	grpc__reflection__v1__file_descriptor_response__init(m);
	list[0] = first;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < list[i]->nimport; j++) {
			size_t k = 0;

			while (k < n && list[k] != list[i]->import[j])
				k++;
			if (k == n)
				list[n++] = list[i]->import[j];
		}
	m->file_descriptor_proto = wb_arena_array(a, n, sizeof *m->file_descriptor_proto);
	m->n_file_descriptor_proto = n;
	for (size_t i = 0; i < n; i++)
		m->file_descriptor_proto[i] =
		    (ProtobufCBinaryData){.len = list[i]->bytes.n, .data = (uint8_t *)(uintptr_t)list[i]->bytes.p};
	reply->message_response_case =
	    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
	reply->file_descriptor_response = m;
}

/* The services that answer here: the set describes more, because of its imports. */
static void set_services(Response *reply, struct wb_arena *a, const struct wb_rpc_server *s)
{
	Grpc__Reflection__V1__ListServiceResponse *m = wb_arena_alloc(a, sizeof *m);
	size_t cap = s->nmethod + 8, n = 0;
	const char **method = wb_arena_array(a, cap, sizeof *method);

	grpc__reflection__v1__list_service_response__init(m);
	for (size_t i = 0; i < s->nmethod; i++)
		method[n++] = s->method[i].name;
	for (const struct wb_builtin *b = wb_builtin_health; b->name && n < cap; b++)
		method[n++] = b->name;
	for (const struct wb_builtin *b = wb_builtin_reflection; b->name && n < cap; b++)
		method[n++] = b->name;
	m->service = wb_arena_array(a, n, sizeof(Grpc__Reflection__V1__ServiceResponse *));
	for (size_t i = 0; i < n; i++) {
		size_t len, k = 0;
		const char *name = wb_method_service(&len, method[i]);

		while (k < m->n_service &&
		       (strncmp(m->service[k]->name, name, len) != 0 || m->service[k]->name[len] != '\0'))
			k++;
		if (k < m->n_service)
			continue;
		Grpc__Reflection__V1__ServiceResponse *service = wb_arena_alloc(a, sizeof *service);
		grpc__reflection__v1__service_response__init(service);
		service->name = wb_arena_strndup(a, name, len);
		m->service[m->n_service++] = service;
	}
	reply->message_response_case =
	    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	reply->list_services_response = m;
}

static enum wb_builtin_next answer(ProtobufCMessage **out, struct wb_rpc_status *st, struct wb_arena *a,
				   const struct wb_rpc_server *s, const void *data, size_t n)
{
	const struct wb_reflection *r = s->reflection;
	Response *reply = wb_arena_alloc(a, sizeof *reply);
	ProtobufCMessage *m;

	if (!wb_is_ok(wb_message_decode(&m, a, &grpc__reflection__v1__server_reflection_request__descriptor, data, n,
					wb_message_memory(n), NULL))) {
		wb_rpc_status_set(st, WB_RPC_INVALID_ARGUMENT, "the request is not a ServerReflectionRequest");
		return WB_BUILTIN_LAST;
	}
	Request *request = (Request *)m;
	grpc__reflection__v1__server_reflection_response__init(reply);
	reply->valid_host = request->host;
	reply->original_request = request;
	switch (request->message_request_case) {
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		set_services(reply, a, s);
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME: {
		const struct file *f = file_named(r, wb_str_of(request->file_by_filename));

		if (f)
			set_files(reply, a, r, f);
		else
			set_error(reply, a, WB_RPC_NOT_FOUND, "no such file");
		break;
	}
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL: {
		struct symbol key = {.name = request->file_containing_symbol};
		const struct symbol *found = bsearch(&key, r->symbol, r->nsymbol, sizeof key, by_name);

		if (found)
			set_files(reply, a, r, found->file);
		else
			set_error(reply, a, WB_RPC_NOT_FOUND, "no such symbol");
		break;
	}
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
		set_error(reply, a, WB_RPC_NOT_FOUND, "no message here has extensions");
		break;
	default:
		set_error(reply, a, WB_RPC_INVALID_ARGUMENT, "the request asks for nothing that is known");
		break;
	}
	*out = &reply->base;
	return WB_BUILTIN_MORE;
}

const struct wb_builtin wb_builtin_reflection[] = {
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", answer},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", answer},
    {NULL, NULL}};
