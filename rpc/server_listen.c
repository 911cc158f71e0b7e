/* The listening address. Whoever can connect can have files of this user named and hashed, so nothing but loopback. */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "rpc/server_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Split "HOST:PORT", brackets of "[HOST]:PORT" removed. */
static bool split(char host[64], long *port, const char *listen)
{
	const char *colon = strrchr(listen, ':'), *from = listen;
	char *end;

	if (!colon || colon[1] < '0' || colon[1] > '9')
		return false;
	*port = strtol(colon + 1, &end, 10);
	if (*end || *port > 65535)
		return false;
	const char *to = colon;
	if (*from == '[' && to > from + 1 && to[-1] == ']') {
		from++;
		to--;
	}
	if (to == from || (size_t)(to - from) >= 64)
		return false;
	memcpy(host, from, (size_t)(to - from));
	host[to - from] = '\0';
	return true;
}

/* gRPC says only that it could not bind. Ask the system why: 0 or errno. */
static int try_bind(bool v6, const char *host, int port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	int one = 1, e = 0, fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	inet_pton(v6 ? AF_INET6 : AF_INET, host, v6 ? (void *)&in6.sin6_addr : (void *)&in.sin_addr);
	const struct sockaddr *addr = v6 ? (const struct sockaddr *)&in6 : (const struct sockaddr *)&in;
	if (bind(fd, addr, v6 ? sizeof in6 : sizeof in) != 0 || listen(fd, 1) != 0)
		e = errno;
	close(fd);
	return e;
}

static wb_status bind_one(int *port, struct wb_rpc_server *s, bool v6, const char *host, const char *listen,
			  struct wb_err *err)
{
	char target[96];
	int e = try_bind(v6, host, *port);

	if (e == 0) {
		snprintf(target, sizeof target, v6 ? "[%s]:%d" : "%s:%d", host, *port);
		int got = grpc_server_add_http2_port(s->grpc, target, s->credentials);
		if (got > 0) {
			*port = got;
			return wb_ok();
		}
		e = EADDRINUSE; /* somebody was faster */
	}
	if (e == EADDRINUSE)
		return wb_fail(err, WB_EBUSY,
			       "cannot listen on %s: another program has port %d of %s; choose another "
			       "port (0: any that is free)",
			       listen, *port, host);
	if (e == EAFNOSUPPORT || e == EADDRNOTAVAIL)
		return wb_fail(err, WB_EUNSUPPORTED, "cannot listen on %s: this machine has no address %s", listen,
			       host);
	return wb_fail_errno(err, e, "cannot listen on %s", listen);
}

wb_status wb_server_listen(int *port, struct wb_rpc_server *s, const char *listen, struct wb_err *err)
{
	char host[64];
	long number;
	struct in_addr in;
	struct in6_addr in6;

	if (!split(host, &number, listen))
		return wb_fail(err, WB_EINVAL,
			       "'%s' is not an address to listen on: write 127.0.0.1:PORT, [::1]:PORT "
			       "or localhost:PORT",
			       listen);
	*port = (int)number;
	if (strcmp(host, "localhost") == 0) {
		/* Both addresses, on one port: which of them a client tries first is the client's choice. What a name
		 * service says of localhost is not asked. */
		WB_TRY(bind_one(port, s, false, "127.0.0.1", listen, err));
		wb_status st = bind_one(port, s, true, "::1", listen, err);
		return st.code == WB_EUNSUPPORTED ? wb_ok() : st;
	}
	if (inet_pton(AF_INET, host, &in) == 1 && ntohl(in.s_addr) >> 24 == 127)
		return bind_one(port, s, false, host, listen, err);
	if (listen[0] == '[' && inet_pton(AF_INET6, host, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6))
		return bind_one(port, s, true, "::1", listen, err);
	return wb_fail(err, WB_EINVAL,
		       "refusing to listen on '%s': only this machine itself may ask (127.0.0.1:PORT, [::1]:PORT or "
		       "localhost:PORT), because calls are not authenticated",
		       listen);
}
