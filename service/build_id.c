#include "service/build_id.h"

#include "base/arena.h"
#include "base/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANCESTORS_MAX 32
#define SESSIONS      64 /* shells whose pauses are watched; the one idle for longest is forgotten */

/* What pauses divide: a shell, or everybody unknown. */
struct session {
	char base[WB_BUILD_ID_MAX];
	unsigned running;
	int64_t last_ns;  /* monotonic: when it last had a job */
	int64_t since_us; /* wall clock: when its present build began */
};

struct wb_build_ids {
	char *proc;
	pthread_mutex_t lock;
	struct session session[SESSIONS];
};

struct process {
	int pid, parent, sid;
	uint64_t start; /* ticks since boot */
	char name[32];
};

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(name, *list) == 0)
			return true;
	return false;
}

static bool is_tool(const struct process *p)
{
	static const char *const tools[] = {"ninja", "ninja-build", "samu", "n2", "make", "gmake", "cmake", NULL};

	return is_one_of(p->name, tools);
}

static bool is_shell(const struct process *p)
{
	static const char *const shells[] = {"sh",  "dash", "bash", "ash",  "busybox",
					     "zsh", "ksh",  "mksh", "fish", NULL};

	return is_one_of(p->name, shells);
}

struct wb_build_ids *wb_build_ids_new(const char *proc)
{
	struct wb_build_ids *b = wb_xcalloc(1, sizeof *b);

	b->proc = wb_xstrdup(proc);
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

void wb_build_ids_free(struct wb_build_ids *b)
{
	if (!b)
		return;
	pthread_mutex_destroy(&b->lock);
	free(b->proc);
	free(b);
}

/* The beginning of a file of a process, NUL-terminated; bytes read, 0 when there is none. */
static size_t read_proc(char *out, size_t room, const struct wb_build_ids *b, int pid, const char *name)
{
	char path[256];

	if ((size_t)snprintf(path, sizeof path, "%s/%d/%s", b->proc, pid, name) >= sizeof path)
		return 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, out, room - 1);
	close(fd);
	if (n < 0)
		n = 0;
	out[n] = '\0';
	return (size_t)n;
}

/* proc(5): "PID (NAME) STATE PPID PGRP SESSION ... STARTTIME", the last being field 22; NAME may hold anything. */
static bool process_get(struct process *p, const struct wb_build_ids *b, int pid)
{
	char text[1024];

	memset(p, 0, sizeof *p);
	if (pid <= 0 || read_proc(text, sizeof text, b, pid, "stat") == 0)
		return false;
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (!open || !close || close < open ||
	    sscanf(close + 1, " %*c %d %*d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
		   &p->parent, &p->sid, &p->start) != 3)
		return false;
	p->pid = pid;
	size_t n = (size_t)(close - open) - 1;
	for (size_t i = 0; i < n && i < sizeof p->name - 1; i++) {
		char c = open[1 + i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			     (c != '\0' && strchr("._+-", c));

		p->name[i] = plain ? c : '_';
	}
	return true;
}

/* `sh -c COMMAND`: a shell that a tool starts for one command. */
static bool is_command_shell(const struct wb_build_ids *b, const struct process *p)
{
	char text[512];

	if (!is_shell(p))
		return false;
	size_t n = read_proc(text, sizeof text, b, p->pid, "cmdline");
	for (size_t i = strlen(text) + 1; i < n; i += strlen(text + i) + 1) {
		if (text[i] != '-')
			return false;
		if (text[i + 1] != '-' && strchr(text + i, 'c'))
			return true;
	}
	return false;
}

/* `found` is a tool: the topmost of the tools that started each other. */
static void climb_tools(struct process *found, const struct wb_build_ids *b)
{
	struct process p = *found, up;

	for (int i = 0; i < ANCESTORS_MAX && p.sid != p.pid && process_get(&up, b, p.parent); i++) {
		if (is_tool(&up))
			*found = up;
		else if (!is_command_shell(b, &up))
			return;
		p = up;
	}
}

/* The process that stands for the build; `*pauses`: one that outlives builds. */
static bool find_builder(struct process *out, bool *pauses, const struct wb_build_ids *b, int pid)
{
	struct process p, up;
	bool have_other = false, have_shell = false;

	*pauses = false;
	if (!process_get(&p, b, pid))
		return false;
	for (int i = 0; i < ANCESTORS_MAX && p.parent > 1 && process_get(&up, b, p.parent); i++) {
		if (is_tool(&up)) {
			*out = up;
			*pauses = false;
			climb_tools(out, b);
			return true;
		}
		if (!have_shell && !is_command_shell(b, &up)) {
			bool shell = is_shell(&up);

			if (shell || !have_other) {
				*out = up;
				*pauses = shell;
			}
			have_shell = shell;
			have_other = true;
		}
		if (up.sid == up.pid)
			break;
		p = up;
	}
	return have_other;
}

static struct session *session_of(struct wb_build_ids *b, const char *base, int64_t now_ns)
{
	struct session *oldest = &b->session[0];

	for (int i = 0; i < SESSIONS; i++) {
		struct session *s = &b->session[i];

		if (strcmp(s->base, base) == 0)
			return s;
		if (oldest->base[0] && (!s->base[0] || (oldest->running && !s->running) ||
					(!oldest->running == !s->running && s->last_ns < oldest->last_ns)))
			oldest = s;
	}
	memset(oldest, 0, sizeof *oldest);
	snprintf(oldest->base, sizeof oldest->base, "%s", base);
	oldest->last_ns = now_ns - WB_BUILD_GAP_NS - 1;
	return oldest;
}

void wb_build_ids_begin(char out[WB_BUILD_ID_MAX], struct wb_build_ids *b, int pid, int64_t now_ns)
{
	struct process p;
	char base[WB_BUILD_ID_MAX - 24] = "unknown";
	bool pauses = true;

	if (find_builder(&p, &pauses, b, pid))
		snprintf(base, sizeof base, "%s-%d-%" PRIu64, p.name, p.pid, p.start);
	else
		pauses = true;
	if (!pauses) {
		snprintf(out, WB_BUILD_ID_MAX, "%s", base);
		return;
	}
	pthread_mutex_lock(&b->lock);
	struct session *s = session_of(b, base, now_ns);
	if (s->running == 0 && now_ns - s->last_ns > WB_BUILD_GAP_NS)
		s->since_us = wb_clock_wall_ns() / 1000;
	s->running++;
	s->last_ns = now_ns;
	snprintf(out, WB_BUILD_ID_MAX, "%s-%" PRId64, base, s->since_us);
	pthread_mutex_unlock(&b->lock);
}

void wb_build_ids_end(struct wb_build_ids *b, const char *id, int64_t now_ns)
{
	pthread_mutex_lock(&b->lock);
	for (int i = 0; i < SESSIONS; i++) {
		struct session *s = &b->session[i];
		size_t n = strlen(s->base);

		if (n > 0 && strncmp(id, s->base, n) == 0 && id[n] == '-') {
			if (s->running > 0)
				s->running--;
			s->last_ns = now_ns;
		}
	}
	pthread_mutex_unlock(&b->lock);
}
