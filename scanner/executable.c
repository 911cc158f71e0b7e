#include "scanner/executable.h"

#include "base/arena.h"
#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_HOPS = 40 };

static wb_status refuse(enum wb_reason *reason, enum wb_reason why, struct wb_err *err, const char *name,
			const char *text)
{
	*reason = why;
	return wb_fail(err, WB_EUNSCANNABLE, "%s: %s", name, text);
}

/* Programs that run a compiler rather than being one. */
static bool is_launcher(const char *name)
{
	static const char *const known[] = {
	    "ccache", "distcc",     "sccache", "icecc",       "icecc-clang", "colorgcc", "gomacc",  "rewrapper",
	    "recc",   "buildcache", "waybill", "clang-cache", "fbuild",      "pump",     "cachecc", "clang-cache++"};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return false;
}

static bool can_run(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The first hit along `path_env`; NULL when there is none. */
static const char *search(struct wb_arena *a, const char *name, const char *path_env, const char *cwd)
{
	if (strchr(name, '/')) {
		const char *path = wb_path_join(a, cwd, name);
		return can_run(path) ? path : NULL;
	}
	for (const char *p = path_env ? path_env : "/usr/bin:/bin";; p++) {
		size_t n = strcspn(p, ":");
		const char *dir = wb_path_join(a, cwd, n ? wb_arena_strndup(a, p, n) : ".");
		const char *path = wb_path_join(a, dir, name);
		if (can_run(path))
			return path;
		p += n;
		if (*p == '\0')
			return NULL;
	}
}

/* `path` with its directory resolved: the place of the name itself. NULL when it cannot be. */
static const char *place(struct wb_arena *a, const char *path)
{
	const char *dir = wb_path_real(a, wb_path_dirname(a, path));
	return dir ? wb_path_join(a, dir, wb_path_basename(path)) : NULL;
}

/* What the symlink `path` points to, absolute; NULL when it is none. */
static const char *target(struct wb_arena *a, const char *path)
{
	char text[PATH_MAX];
	ssize_t n = readlink(path, text, sizeof text - 1);
	if (n < 0)
		return NULL;
	text[n] = '\0';
	return place(a, wb_path_join(a, wb_path_dirname(a, path), text));
}

static bool is_script(const char *path)
{
	char magic[2];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool script = fd >= 0 && read(fd, magic, sizeof magic) == sizeof magic && memcmp(magic, "#!", 2) == 0;
	if (fd >= 0)
		close(fd);
	return script;
}

/* Drivers look at their own name for "++": it makes them link and treat .c as C++. */
static bool says_cxx(const char *path)
{
	return strstr(wb_path_basename(path), "++") != NULL;
}

wb_status wb_executable_find(struct wb_executable *out, struct wb_arena *a, const char *name, const char *path_env,
			     const char *cwd, enum wb_reason *reason, struct wb_err *err)
{
	if (is_launcher(wb_path_basename(name)))
		return refuse(reason, WB_REASON_WRAPPER, err, name, "is a launcher, not a compiler");
	const char *found = search(a, name, path_env, cwd);
	const char *hop = found ? place(a, found) : NULL;
	if (!hop)
		return refuse(reason, WB_REASON_COMPILER, err, name, "no such program");
	*out = (struct wb_executable){.path = hop};
	const char *first = hop;
	for (unsigned hops = 0;; hops++) {
		if (is_launcher(wb_path_basename(hop)))
			return refuse(reason, WB_REASON_WRAPPER, err, name, "leads to a launcher, not to a compiler");
		const char *next = target(a, hop);
		if (!next)
			break;
		if (hops == MAX_HOPS)
			return refuse(reason, WB_REASON_COMPILER, err, name, "too many symbolic links");
		if (wb_path_below(hop, "/etc")) /* Debian's alternatives: what stands behind counts */
			out->path = next;
		hop = next;
	}
	out->physical = hop;
	if (wb_path_below(out->path, "/etc"))
		return refuse(reason, WB_REASON_COMPILER, err, name, "lies below /etc, which actions do not see");
	if (says_cxx(first) != says_cxx(out->path))
		return refuse(reason, WB_REASON_COMPILER, err, name, "leads to a compiler of another language mode");
	if (is_script(hop))
		return refuse(reason, WB_REASON_WRAPPER, err, name, "is a script");
	return wb_ok();
}
