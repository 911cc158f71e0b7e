#include "service/build_log.h"

#include "base/fileio.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 4096 /* of one field: a path is no longer */

struct wb_build_log {
	char *path, *old_path;
	pthread_mutex_t lock;
	int fd; /* -1: could not be opened again */
	int64_t size;
	bool torn;       /* the file does not end with a newline */
	bool complained; /* the daemon's log was told */
};

const char *wb_build_stage_name(int stage)
{
	static const char *const name[] = {
#define X(id, name) name,
	    WB_BUILD_STAGES(X)
#undef X
	};

	return stage >= 0 && stage < WB_BUILD_STAGE_COUNT ? name[stage] : "?";
}

const char *wb_build_decision_name(int decision)
{
	static const char *const name[] = {"hit", "executed", "local", "failed", "canceled"};

	return decision >= 0 && decision < WB_BUILD_DECISION_COUNT ? name[decision] : "?";
}

static void open_file(struct wb_build_log *log)
{
	struct stat st;
	char last = '\n';

	/* Readable too: the last byte tells whether the last line is whole. */
	log->fd = open(log->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (log->fd < 0)
		return;
	log->size = fstat(log->fd, &st) == 0 ? st.st_size : 0;
	log->torn = log->size > 0 && pread(log->fd, &last, 1, log->size - 1) == 1 && last != '\n';
}

wb_status wb_build_log_new(struct wb_build_log **out, const char *dir, struct wb_err *err)
{
	char path[PATH_MAX];

	*out = NULL;
	WB_TRY(wb_dir_make(dir, 0700, err));
	if ((size_t)snprintf(path, sizeof path, "%s/jobs.1.jsonl", dir) >= sizeof path)
		return wb_fail(err, WB_ELIMIT, "the build log's path is too long: %s", dir);
	struct wb_build_log *log = wb_xcalloc(1, sizeof *log);
	log->old_path = wb_xstrdup(path);
	snprintf(path, sizeof path, "%s/jobs.jsonl", dir);
	log->path = wb_xstrdup(path);
	pthread_mutex_init(&log->lock, NULL);
	open_file(log);
	if (log->fd < 0) {
		wb_status st = wb_fail_errno(err, errno, "cannot open the build log %s", path);

		wb_build_log_free(log);
		return st;
	}
	*out = log;
	return wb_ok();
}

void wb_build_log_free(struct wb_build_log *log)
{
	if (!log)
		return;
	if (log->fd >= 0)
		close(log->fd);
	pthread_mutex_destroy(&log->lock);
	free(log->path);
	free(log->old_path);
	free(log);
}

static void add_text(struct wb_buf *b, const char *key, const char *text)
{
	if (!text || !text[0])
		return;
	wb_buf_adds(b, ",\"");
	wb_buf_adds(b, key);
	wb_buf_adds(b, "\":");
	wb_buf_add_json(b, text, strnlen(text, TEXT_MAX));
}

/* Not printf: numbers are most of a line, and a line is wanted in few microseconds. */
static void add_number(struct wb_buf *b, const char *key, int64_t n)
{
	char digits[24];
	size_t at = sizeof digits;
	uint64_t u = n < 0 ? (uint64_t)0 - (uint64_t)n : (uint64_t)n;

	do
		digits[--at] = (char)('0' + u % 10);
	while ((u /= 10) != 0);
	if (n < 0)
		digits[--at] = '-';
	wb_buf_adds(b, "\"");
	wb_buf_adds(b, key);
	wb_buf_adds(b, "\":");
	wb_buf_add(b, digits + at, sizeof digits - at);
}

static void add_number_if(struct wb_buf *b, const char *key, int64_t n)
{
	if (n == 0)
		return;
	wb_buf_addc(b, ',');
	add_number(b, key, n);
}

void wb_build_log_format(struct wb_buf *out, const struct wb_build_log_entry *e)
{
	bool first = true;

	wb_buf_reserve(out, 1024);
	/* The build comes first: who looks for one build's lines compares their beginnings. */
	wb_buf_adds(out, "{\"build\":");
	wb_buf_add_json(out, e->build ? e->build : "", e->build ? strnlen(e->build, TEXT_MAX) : 0);
	wb_buf_addc(out, ',');
	add_number(out, "start_us", e->start_ns / 1000);
	wb_buf_addc(out, ',');
	add_number(out, "us", e->end_ns > e->start_ns ? (e->end_ns - e->start_ns) / 1000 : 0);
	add_text(out, "decision", wb_build_decision_name((int)e->decision));
	wb_buf_addc(out, ',');
	add_number(out, "exit", e->exit_code);
	add_text(out, "backend", e->backend);
	add_text(out, "reason", e->reason);
	add_text(out, "fallback", e->fallback);
	if (e->memo)
		wb_buf_adds(out, ",\"memo\":true");
	if (e->joined)
		wb_buf_adds(out, ",\"joined\":true");
	wb_buf_adds(out, ",\"stage_us\":{");
	for (int i = 0; i < WB_BUILD_STAGE_COUNT; i++) {
		if (e->ns[i] < 1000)
			continue;
		if (!first)
			wb_buf_addc(out, ',');
		add_number(out, wb_build_stage_name(i), e->ns[i] / 1000);
		first = false;
	}
	wb_buf_addc(out, '}');
	add_number_if(out, "bytes_up", e->bytes_up);
	add_number_if(out, "bytes_down", e->bytes_down);
	add_text(out, "worker", e->worker);
	add_text(out, "action", e->action);
	add_text(out, "source", e->source);
	add_text(out, "output", e->output);
	wb_buf_adds(out, "}\n");
}

static void complain(struct wb_build_log *log, int e)
{
	if (log->complained)
		return;
	log->complained = true;
	wb_log(WB_LOG_WARN, "jobs are missing in the build log %s: %s", log->path, strerror(e));
}

/* The file is too large, or somebody removed it. */
static void renew(struct wb_build_log *log, size_t more)
{
	struct stat st;

	if (log->fd >= 0 && fstat(log->fd, &st) == 0 && st.st_nlink > 0 &&
	    log->size + (int64_t)more <= WB_BUILD_LOG_BYTES)
		return;
	if (log->fd >= 0) {
		if (log->size + (int64_t)more > WB_BUILD_LOG_BYTES && rename(log->path, log->old_path) < 0 &&
		    errno != ENOENT) {
			complain(log, errno);
			if (ftruncate(log->fd, 0) < 0) /* the bound holds whatever happens */
				complain(log, errno);
		}
		close(log->fd);
	}
	open_file(log);
}

void wb_build_log_write(struct wb_build_log *log, const struct wb_build_log_entry *e)
{
	struct wb_buf line = WB_BUF_INIT;

	if (!log)
		return;
	wb_buf_addc(&line, '\n'); /* written only where a torn line must be ended */
	wb_build_log_format(&line, e);
	if (line.n <= WB_BUILD_LOG_LINE) {
		pthread_mutex_lock(&log->lock);
		renew(log, line.n);
		if (log->fd < 0) {
			complain(log, errno);
		} else {
			size_t skip = log->torn ? 0 : 1, n = line.n - skip;
			ssize_t done = write(log->fd, line.p + skip, n);

			if (done > 0) {
				log->size += done;
				log->torn = line.p[skip + (size_t)done - 1] != '\n';
			}
			if (done != (ssize_t)n)
				complain(log, done < 0 ? errno : ENOSPC);
		}
		pthread_mutex_unlock(&log->lock);
	}
	wb_buf_release(&line);
}
