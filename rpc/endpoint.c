#define _GNU_SOURCE
#include "rpc/endpoint.h"

#include "base/arena.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <sys/un.h>

static const char forms[] = "write grpc://HOST:PORT, grpcs://HOST:PORT (TLS) or unix:/absolute/path";

static bool is_printable(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	return true;
}

/* gRPC reads its target as a URI (RFC 3986): what means something there is escaped. */
static char *escape_path(struct wb_arena *a, const char *path)
{
	static const char hex[] = "0123456789ABCDEF";
	char *out = wb_arena_alloc(a, 3 * strlen(path) + 1), *to = out;
	for (const char *p = path; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		if (isalnum(c) || strchr("/-._~", c) != NULL) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
	}
	return out;
}

static wb_status parse_unix(struct wb_endpoint *out, struct wb_arena *a, const char *path, struct wb_err *err)
{
	if (path[0] != '/')
		return wb_fail(err, WB_EINVAL, "'%s': the path of a unix socket starts with a slash: %s", out->text,
			       forms);
	while (path[1] == '/')
		path++; /* "unix:///run/x": the same file, another meaning in a URI */
	if (path[1] == '\0')
		return wb_fail(err, WB_EINVAL, "'%s' names no socket: %s", out->text, forms);
	if (strlen(path) >= sizeof((struct sockaddr_un){0}).sun_path)
		return wb_fail(err, WB_EINVAL, "'%s': the path of a unix socket has at most %zu bytes", out->text,
			       sizeof((struct sockaddr_un){0}).sun_path - 1);
	out->target = wb_arena_printf(a, "unix:%s", escape_path(a, path));
	return wb_ok();
}

static bool host_is_name(struct wb_str host)
{
	if (host.n == 0 || host.n > 253 || host.p[0] == '.' || host.p[0] == '-')
		return false;
	for (size_t i = 0; i < host.n; i++)
		if (!isalnum((unsigned char)host.p[i]) && strchr("-._", host.p[i]) == NULL)
			return false;
	return memmem(host.p, host.n, "..", 2) == NULL;
}

static bool host_is_ipv6(struct wb_str host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	if (host.n >= sizeof text)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

/* "" (nothing follows the host) or ":PORT"; a lone slash at the end is forgiven. */
static wb_status parse_port(unsigned *port, const struct wb_endpoint *e, const char *rest, struct wb_err *err)
{
	*port = e->tls ? 443 : 80;
	if (rest[0] == ':') {
		size_t digits = strspn(rest + 1, "0123456789");
		*port = 0;
		for (size_t i = 1; i <= digits && digits <= 5; i++)
			*port = *port * 10 + (unsigned)(rest[i] - '0');
		if (*port == 0 || *port > 65535)
			return wb_fail(err, WB_EINVAL, "'%s': a port is a number from 1 to 65535: %s", e->text, forms);
		rest += 1 + digits;
	}
	if (rest[0] != '\0' && strcmp(rest, "/") != 0)
		return wb_fail(err, WB_EINVAL, "'%s': nothing may follow host and port, but '%s' does: %s", e->text,
			       rest, forms);
	return wb_ok();
}

static wb_status parse_host(struct wb_endpoint *out, struct wb_arena *a, const char *p, struct wb_err *err)
{
	struct wb_str host;
	const char *rest;
	bool ipv6 = p[0] == '[';
	if (ipv6) {
		const char *close = strchr(p, ']');
		if (close == NULL)
			return wb_fail(err, WB_EINVAL, "'%s': the ']' after the IPv6 address is missing", out->text);
		host = (struct wb_str){p + 1, (size_t)(close - p - 1)};
		rest = close + 1;
	} else {
		host = (struct wb_str){p, strcspn(p, ":/?#")};
		rest = p + host.n;
	}
	if (ipv6 ? !host_is_ipv6(host) : !host_is_name(host)) {
		if (!ipv6 && strchr(rest, ':') != NULL && strchr(strchr(rest, ':') + 1, ':') != NULL)
			return wb_fail(err, WB_EINVAL, "'%s': an IPv6 address stands in brackets: grpc://[::1]:8980",
				       out->text);
		return wb_fail(err, WB_EINVAL, "'%s': '%.*s' is no host name or address: %s", out->text, (int)host.n,
			       host.p, forms);
	}
	unsigned port;
	WB_TRY(parse_port(&port, out, rest, err));
	out->target = wb_arena_printf(a, ipv6 ? "dns:///%%5B%.*s%%5D:%u" : "dns:///%.*s:%u", (int)host.n, host.p, port);
	return wb_ok();
}

wb_status wb_endpoint_parse(struct wb_endpoint *out, struct wb_arena *a, const char *text, struct wb_err *err)
{
	*out = (struct wb_endpoint){.text = wb_arena_strdup(a, text)};
	if (!is_printable(text))
		return wb_fail(err, WB_EINVAL, "a server's name has no white space or control characters: %s", forms);
	if (wb_starts_with(text, "unix:"))
		return parse_unix(out, a, text + strlen("unix:"), err);
	if (wb_starts_with(text, "grpcs://")) {
		out->tls = true;
		return parse_host(out, a, text + strlen("grpcs://"), err);
	}
	if (wb_starts_with(text, "grpc://"))
		return parse_host(out, a, text + strlen("grpc://"), err);
	return wb_fail(err, WB_EINVAL, "'%s' does not name a gRPC server: %s", text, forms);
}
