#include "base/fileio.h"
#include "scanner/scan.h"
#include "scanner/toolchain.h"
#include "service/sandbox.h"
#include "service/store.h"
#include "service/verbs.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* Compilers that a person may have meant, when none is named. */
static const char *const usual[] = {"c++",        "g++",        "clang++",    "clang++-22",
				    "clang++-19", "clang++-16", "clang++-14", NULL};

static bool on_path(struct wb_arena *a, const char *path_env, const char *name)
{
	struct wb_str rest = wb_str_of(path_env ? path_env : "");

	while (rest.n > 0) {
		const char *colon = memchr(rest.p, ':', rest.n);
		size_t n = colon ? (size_t)(colon - rest.p) : rest.n;

		if (access(wb_arena_printf(a, "%.*s/%s", (int)n, rest.p, name), X_OK) == 0)
			return true;
		rest.p += colon ? n + 1 : n;
		rest.n -= colon ? n + 1 : n;
	}
	return false;
}

static int check_compilers(struct wb_verb_call *c)
{
	const char *path = wb_env_get(c->env, "PATH");
	bool named = c->args[0] != NULL;
	int bad = 0;

	for (const char *const *p = named ? c->args : usual; *p; p++) {
		struct wb_err err = WB_ERR_INIT;

		if (!named && !on_path(c->arena, path, *p))
			continue;
		if (wb_is_ok(wb_toolchain_describe(c->out, c->service->toolchains, *p, path, &err)))
			continue;
		wb_buf_addf(c->out, "compiler   %s: %s\n", *p, err.text);
		bad += named;
	}
	return bad;
}

int wb_verb_doctor(struct wb_verb_call *c)
{
	struct wb_service *s = c->service;
	struct wb_err err = WB_ERR_INIT;
	int bad = 0;

	if (wb_is_ok(wb_scanner_check(s->scanner, &err))) {
		wb_buf_addf(c->out, "scanner    clang engine: loaded\n");
	} else {
		wb_buf_addf(c->out, "scanner    clang engine: %s\n", err.text);
		bad++;
	}
	if (wb_sandbox_kind(s->sandbox) == WB_SANDBOX_BWRAP)
		wb_buf_adds(c->out, "sandbox    bubblewrap\n");
	else
		wb_buf_addf(c->out, "sandbox    none: actions run in a bare directory on copies (%s)\n",
			    wb_sandbox_why_not(s->sandbox));
	wb_buf_addf(c->out, "cache      %s: %" PRId64 " blobs, %" PRId64 " of %" PRId64 " bytes\n", s->cache_dir,
		    wb_store_count(s->store), wb_store_bytes(s->store),
		    wb_config_number(&s->config, WB_SET_CACHE_SIZE));
	if (access(s->cache_dir, W_OK) != 0) {
		wb_buf_addf(c->out, "cache      %s cannot be written\n", s->cache_dir);
		bad++;
	}
	wb_buf_addf(c->out, "jobs       %u compilers at once\n", s->jobs);
	bad += check_compilers(c);
	return bad > 0 ? 1 : 0;
}
