#include "service/build_trace.h"

#include <inttypes.h>
#include <stdlib.h>

static int by_start(const void *a, const void *b)
{
	const struct wb_build_log_entry *const *x = a, *const *y = b;

	return ((*x)->start_ns > (*y)->start_ns) - ((*x)->start_ns < (*y)->start_ns);
}

static void add_string(struct wb_buf *out, const char *before, const char *text)
{
	wb_buf_adds(out, before);
	wb_buf_add_json(out, text, strlen(text));
}

static void add_arg(struct wb_buf *out, const char *key, const char *text)
{
	if (text[0] == '\0')
		return;
	wb_buf_addf(out, ",\"%s\":", key);
	wb_buf_add_json(out, text, strlen(text));
}

static void add_slice(struct wb_buf *out, size_t lane, int64_t at_us, int64_t us)
{
	wb_buf_addf(out, ",\"ph\":\"X\",\"pid\":1,\"tid\":%zu,\"ts\":%" PRId64 ",\"dur\":%" PRId64, lane + 1, at_us,
		    us);
}

static const char *job_name(const struct wb_build_log_entry *e)
{
	const char *path = e->source[0] ? e->source : e->output[0] ? e->output : "?";
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void add_job(struct wb_buf *out, const struct wb_build_log_entry *e, size_t lane, int64_t zero_us)
{
	int64_t at = e->start_ns / 1000 - zero_us, end = e->end_ns / 1000 - zero_us;

	add_string(out, ",\n{\"name\":", job_name(e));
	add_string(out, ",\"cat\":", wb_build_decision_name((int)e->decision));
	add_slice(out, lane, at, end - at);
	add_string(out, ",\"args\":{\"decision\":", wb_build_decision_name((int)e->decision));
	add_arg(out, "backend", e->backend);
	add_arg(out, "reason", e->reason);
	add_arg(out, "fallback", e->fallback);
	add_arg(out, "action", e->action);
	add_arg(out, "worker", e->worker);
	add_arg(out, "source", e->source);
	add_arg(out, "output", e->output);
	if (e->memo)
		wb_buf_adds(out, ",\"memo\":true");
	if (e->joined)
		wb_buf_adds(out, ",\"joined\":true");
	wb_buf_addf(out, ",\"exit\":%d,\"bytes_up\":%" PRId64 ",\"bytes_down\":%" PRId64 "}}", e->exit_code,
		    e->bytes_up, e->bytes_down);
	for (int k = 0; k < WB_BUILD_STAGE_COUNT && at < end; k++) {
		int64_t us = e->ns[k] / 1000;

		if (us <= 0)
			continue;
		if (us > end - at)
			us = end - at; /* a slice that left its parent would be drawn as its neighbour */
		add_string(out, ",\n{\"name\":", wb_build_stage_name(k));
		wb_buf_adds(out, ",\"cat\":\"stage\"");
		add_slice(out, lane, at, us);
		wb_buf_addc(out, '}');
		at += us;
	}
}

void wb_build_trace_print(struct wb_buf *out, struct wb_arena *a, const struct wb_build_jobs *jobs)
{
	const struct wb_build_log_entry **job = wb_arena_array(a, jobs->n, sizeof *job);
	int64_t *free_at = wb_arena_array(a, jobs->n, sizeof *free_at);
	size_t nlane = 0;

	for (size_t i = 0; i < jobs->n; i++)
		job[i] = &jobs->job[i];
	qsort(job, jobs->n, sizeof *job, by_start);
	int64_t zero_us = jobs->n > 0 ? job[0]->start_ns / 1000 : 0;
	wb_buf_adds(out, "{\"displayTimeUnit\":\"ms\",\"otherData\":{");
	add_string(out, "\"build\":", jobs->build);
	wb_buf_addf(out, ",\"start_us\":%" PRId64 "},\"traceEvents\":[\n", zero_us);
	add_string(out, "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"tid\":0,\"args\":{\"name\":", jobs->build);
	wb_buf_adds(out, "}}");
	for (size_t i = 0; i < jobs->n; i++) {
		size_t lane = 0;

		while (lane < nlane && free_at[lane] > job[i]->start_ns / 1000)
			lane++;
		if (lane == nlane) {
			nlane++;
			wb_buf_addf(out,
				    ",\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":%zu,"
				    "\"args\":{\"name\":\"jobs %zu\"}}",
				    lane + 1, lane + 1);
		}
		free_at[lane] = job[i]->end_ns / 1000;
		add_job(out, job[i], lane, zero_us);
	}
	wb_buf_adds(out, "\n]}\n");
}
