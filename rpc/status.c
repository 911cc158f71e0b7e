#include "rpc/status.h"

#include "base/arena.h"
#include "base/str.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "rpc/text.h"
#include "rpc_status.pb-c.h"
#include "wire/message.h"

#include <string.h>

static const char *const code_name[] = {
    "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
};

const char *wb_rpc_code_name(int code)
{
	return code >= 0 && (size_t)code < sizeof code_name / sizeof code_name[0] ? code_name[code] : "UNKNOWN";
}

void wb_rpc_text(char *out, size_t room, const void *text, size_t n)
{
	const unsigned char *p = text;
	size_t used = 0;
	for (size_t i = 0; i < n && used + 1 < room; i++, used++) {
		if (p[i] == '\n' || p[i] == '\t' || p[i] == '\r')
			out[used] = ' ';
		else
			out[used] = p[i] < 0x20 || p[i] == 0x7f ? '?' : (char)p[i];
	}
	/* Cut off: not within a UTF-8 character. */
	if (used < n)
		while (used > 0 && (p[used] & 0xc0) == 0x80)
			used--;
	out[used] = '\0';
}

static bool is_type(const Google__Protobuf__Any *any, const char *type)
{
	const char *slash = any->type_url == NULL ? NULL : strrchr(any->type_url, '/');
	return slash != NULL && strcmp(slash + 1, type) == 0;
}

static ProtobufCMessage *decode(struct wb_arena *a, const ProtobufCMessageDescriptor *type, const void *data, size_t n)
{
	ProtobufCMessage *m = NULL;
	return wb_is_ok(wb_message_decode(&m, a, type, data, n, wb_message_memory(n), NULL)) ? m : NULL;
}

static int64_t delay_ns(const Google__Protobuf__Duration *d)
{
	enum { DAY_S = 24 * 60 * 60 };
	if (d == NULL || d->seconds < 0 || d->nanos < 0)
		return 0;
	if (d->seconds >= DAY_S || d->nanos > 999999999)
		return (int64_t)DAY_S * 1000000000;
	return d->seconds * 1000000000 + d->nanos;
}

static void add_detail(struct wb_rpc_status *st, struct wb_arena *a, const Google__Protobuf__Any *any)
{
	if (is_type(any, "google.rpc.RetryInfo")) {
		const ProtobufCMessage *m =
		    decode(a, &google__rpc__retry_info__descriptor, any->value.data, any->value.len);
		if (m != NULL)
			st->retry_delay_ns = delay_ns(((const Google__Rpc__RetryInfo *)m)->retry_delay);
	} else if (is_type(any, "google.rpc.PreconditionFailure")) {
		const ProtobufCMessage *m =
		    decode(a, &google__rpc__precondition_failure__descriptor, any->value.data, any->value.len);
		const Google__Rpc__PreconditionFailure *f = (const Google__Rpc__PreconditionFailure *)m;
		for (size_t i = 0; f != NULL && i < f->n_violations; i++)
			if (f->violations[i]->type != NULL && strcmp(f->violations[i]->type, "MISSING") == 0)
				st->missing = true;
	}
}

void wb_rpc_status_details(struct wb_rpc_status *st, struct wb_arena *a, const void *data, size_t n, bool whole)
{
	const Google__Rpc__Status *s =
	    (const Google__Rpc__Status *)decode(a, &google__rpc__status__descriptor, data, n);
	if (s == NULL)
		return;
	if (whole) {
		st->code = s->code;
		const char *message = s->message == NULL ? "" : s->message;
		wb_rpc_text(st->message, sizeof st->message, message, strlen(message));
	}
	for (size_t i = 0; i < s->n_details; i++)
		add_detail(st, a, s->details[i]);
}

wb_status wb_rpc_status_fail(struct wb_err *err, const struct wb_rpc_status *st, const char *what)
{
	enum wb_code code;
	switch (st->code) {
	case WB_RPC_OK:
		return wb_ok();
	case WB_RPC_NOT_FOUND:
		code = WB_ENOENT;
		break;
	case WB_RPC_CANCELLED:
		code = WB_ECANCELED;
		break;
	case WB_RPC_UNAVAILABLE:
	case WB_RPC_DEADLINE_EXCEEDED:
	case WB_RPC_RESOURCE_EXHAUSTED:
	case WB_RPC_ABORTED:
		code = WB_EUNAVAILABLE;
		break;
	case WB_RPC_UNAUTHENTICATED:
	case WB_RPC_PERMISSION_DENIED:
	case WB_RPC_INVALID_ARGUMENT:
	case WB_RPC_ALREADY_EXISTS:
	case WB_RPC_FAILED_PRECONDITION:
	case WB_RPC_UNIMPLEMENTED:
	case WB_RPC_OUT_OF_RANGE:
		code = WB_EREFUSED;
		break;
	default: /* INTERNAL, UNKNOWN, DATA_LOSS and numbers that gRPC does not have */
		code = WB_EPROTO;
		break;
	}
	if (st->message[0] == '\0')
		return wb_fail(err, code, "%s: the server answered %s", what, wb_rpc_code_name(st->code));
	return wb_fail(err, code, "%s: %s: %s", what, wb_rpc_code_name(st->code), st->message);
}
