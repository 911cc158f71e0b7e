#include "service/build_summary.h"

#include "scanner/reason.h"
#include "service/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SLOWEST 10

struct stage {
	int64_t jobs, sum, p50, p95, max; /* ns */
};

struct summary {
	int64_t start_ns, end_ns;
	int64_t hits_memo, hits_local, hits_remote; /* memo: of the other two */
	int64_t executed_local, executed_remote;
	int64_t ended[WB_BUILD_DECISION_COUNT];
	int64_t joined, fallbacks, bytes_up, bytes_down;
	int64_t local_reason[WB_REASON_COUNT], fallback_reason[WB_REASON_COUNT];
	struct stage stage[WB_BUILD_STAGE_COUNT], job;
	const struct wb_build_log_entry **slowest; /* at most SLOWEST */
	size_t nslowest;
};

static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int64_t job_ns(const struct wb_build_log_entry *e)
{
	return e->end_ns - e->start_ns;
}

static int by_duration(const void *a, const void *b)
{
	const struct wb_build_log_entry *const *x = a, *const *y = b;

	return (job_ns(*x) < job_ns(*y)) - (job_ns(*x) > job_ns(*y));
}

/* The value below which `percent` of `n` sorted values lie: nearest rank. */
static int64_t percentile(const int64_t *v, size_t n, size_t percent)
{
	size_t rank = (n * percent + 99) / 100;

	return n == 0 ? 0 : v[rank > 0 ? rank - 1 : 0];
}

static void stage_fill(struct stage *s, int64_t *v, size_t n)
{
	qsort(v, n, sizeof *v, by_number);
	s->jobs = (int64_t)n;
	for (size_t i = 0; i < n; i++)
		s->sum = v[i] > INT64_MAX - s->sum ? INT64_MAX : s->sum + v[i];
	s->p50 = percentile(v, n, 50);
	s->p95 = percentile(v, n, 95);
	s->max = n > 0 ? v[n - 1] : 0;
}

/* A reason that this version does not know counts as internal. */
static void count_reason(int64_t *count, const char *name)
{
	int r = WB_REASON_COUNT - 1;

	if (name[0] == '\0')
		return;
	while (r > 0 && strcmp(name, wb_reason_name((enum wb_reason)r)) != 0)
		r--;
	count[r > 0 || strcmp(name, "none") == 0 ? r : WB_REASON_INTERNAL]++;
}

static void count_job(struct summary *s, const struct wb_build_log_entry *e)
{
	bool remote = strcmp(e->backend, "remote") == 0;

	s->ended[e->decision]++;
	s->joined += e->joined;
	if (e->decision == WB_BUILD_HIT) {
		s->hits_memo += e->memo;
		*(remote ? &s->hits_remote : &s->hits_local) += 1;
	}
	if (e->decision == WB_BUILD_EXECUTED)
		*(remote ? &s->executed_remote : &s->executed_local) += 1;
	if (e->decision == WB_BUILD_LOCAL)
		count_reason(s->local_reason, e->reason);
	count_reason(s->fallback_reason, e->fallback);
	s->fallbacks += e->fallback[0] != '\0';
	s->bytes_up += e->bytes_up;
	s->bytes_down += e->bytes_down;
	if (e->start_ns < s->start_ns)
		s->start_ns = e->start_ns;
	if (e->end_ns > s->end_ns)
		s->end_ns = e->end_ns;
}

static void summarize(struct summary *s, struct wb_arena *a, const struct wb_build_jobs *jobs)
{
	int64_t *v = wb_arena_array(a, jobs->n, sizeof *v);

	memset(s, 0, sizeof *s);
	s->start_ns = INT64_MAX;
	s->slowest = wb_arena_array(a, jobs->n, sizeof *s->slowest);
	for (size_t i = 0; i < jobs->n; i++) {
		count_job(s, &jobs->job[i]);
		s->slowest[i] = &jobs->job[i];
		v[i] = job_ns(&jobs->job[i]);
	}
	stage_fill(&s->job, v, jobs->n);
	for (int k = 0; k < WB_BUILD_STAGE_COUNT; k++) {
		size_t n = 0;

		for (size_t i = 0; i < jobs->n; i++)
			if (jobs->job[i].ns[k] > 0)
				v[n++] = jobs->job[i].ns[k];
		stage_fill(&s->stage[k], v, n);
	}
	qsort(s->slowest, jobs->n, sizeof *s->slowest, by_duration);
	s->nslowest = jobs->n < SLOWEST ? jobs->n : SLOWEST;
}

static const char *duration_text(char out[32], int64_t ns)
{
	double ms = (double)ns / 1e6;

	if (ms < 1000)
		snprintf(out, 32, "%.1f ms", ms);
	else if (ms < 600000)
		snprintf(out, 32, "%.2f s", ms / 1e3);
	else
		snprintf(out, 32, "%.1f min", ms / 6e4);
	return out;
}

static void print_stage(struct wb_buf *out, const char *name, const struct stage *s)
{
	char sum[32], p50[32], p95[32], max[32];

	wb_buf_addf(out, "  %-10s %7" PRId64 " %11s %11s %11s %11s\n", name, s->jobs, duration_text(sum, s->sum),
		    duration_text(p50, s->p50), duration_text(p95, s->p95), duration_text(max, s->max));
}

static void print_reasons(struct wb_buf *out, const int64_t *count)
{
	for (int r = 0; r < WB_REASON_COUNT; r++)
		if (count[r] > 0)
			wb_buf_addf(out, "  %-20s %6" PRId64 "   %s\n", wb_reason_name((enum wb_reason)r), count[r],
				    wb_reason_text((enum wb_reason)r));
}

static void print_count(struct wb_buf *out, const char *name, int64_t n, const char *text)
{
	wb_buf_addf(out, "%-18s %10" PRId64 "   %s\n", name, n, text);
}

static void print_counts(struct wb_buf *out, const struct summary *s, size_t n)
{
	print_count(out, "jobs", (int64_t)n, "compile requests");
	print_count(out, "hits", s->ended[WB_BUILD_HIT], "answered from a cache");
	print_count(out, "  local", s->hits_local, "this machine's");
	print_count(out, "  remote", s->hits_remote, "the cluster's");
	print_count(out, "  memo", s->hits_memo, "of these, without a scan");
	print_count(out, "executed", s->ended[WB_BUILD_EXECUTED], "executed in a backend");
	print_count(out, "  remote", s->executed_remote, "on the cluster");
	print_count(out, "  local", s->executed_local, "in this machine's sandbox");
	print_count(out, "fallbacks", s->fallbacks, "meant for the cluster, run in this machine's sandbox");
	print_reasons(out, s->fallback_reason);
	print_count(out, "local", s->ended[WB_BUILD_LOCAL], "run locally by the launcher");
	print_reasons(out, s->local_reason);
	print_count(out, "failed", s->ended[WB_BUILD_FAILED], "did not compile");
	print_count(out, "canceled", s->ended[WB_BUILD_CANCELED], "given up by the client");
	print_count(out, "joined", s->joined, "waited for an identical action in flight");
}

/* Names come from the file system, and this goes to a terminal. */
static void add_name(struct wb_buf *out, const char *name)
{
	for (; *name; name++)
		wb_buf_addc(out, (unsigned char)*name < 0x20 || *name == 0x7f ? '?' : *name);
}

void wb_build_summary_print(struct wb_buf *out, struct wb_arena *a, const struct wb_build_jobs *jobs)
{
	struct summary s;
	struct tm tm;
	char text[64] = "?";

	summarize(&s, a, jobs);
	time_t begin = (time_t)(s.start_ns / 1000000000);
	if (localtime_r(&begin, &tm))
		strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	wb_buf_addf(out, "build %s, begun %s, ", jobs->build, text);
	wb_buf_addf(out, "took %s from first to last job\n\n", duration_text(text, s.end_ns - s.start_ns));
	print_counts(out, &s, jobs->n);
	wb_buf_addf(out, "%-18s ", "bytes up");
	wb_stats_add_bytes(out, s.bytes_up);
	wb_buf_addf(out, "   to the cluster\n%-18s ", "bytes down");
	wb_stats_add_bytes(out, s.bytes_down);
	wb_buf_addf(out, "   from the cluster\n\n  %-10s %7s %11s %11s %11s %11s\n", "stage", "jobs", "sum", "p50",
		    "p95", "max");
	for (int k = 0; k < WB_BUILD_STAGE_COUNT; k++)
		if (s.stage[k].jobs > 0)
			print_stage(out, wb_build_stage_name(k), &s.stage[k]);
	print_stage(out, "job", &s.job);
	wb_buf_addf(out, "\nslowest %zu\n", s.nslowest);
	for (size_t i = 0; i < s.nslowest; i++) {
		const struct wb_build_log_entry *e = s.slowest[i];

		wb_buf_addf(out, "  %11s  %-8s %-6s  ", duration_text(text, job_ns(e)),
			    wb_build_decision_name((int)e->decision), e->backend);
		add_name(out, e->source[0] ? e->source : e->output);
		wb_buf_addc(out, '\n');
	}
	if (jobs->damaged > 0)
		wb_buf_addf(out, "\n%zu damaged lines in the build log were passed over\n", jobs->damaged);
}

static void json_reasons(struct wb_buf *out, const char *key, const int64_t *count)
{
	const char *comma = "";

	wb_buf_addf(out, "\"%s\": {", key);
	for (int r = 0; r < WB_REASON_COUNT; r++)
		if (count[r] > 0) {
			wb_buf_addf(out, "%s\"%s\": %" PRId64, comma, wb_reason_name((enum wb_reason)r), count[r]);
			comma = ", ";
		}
	wb_buf_adds(out, "}, ");
}

static void json_stage(struct wb_buf *out, const char *name, const struct stage *s)
{
	wb_buf_addf(out,
		    "\"%s\": {\"jobs\": %" PRId64 ", \"sum\": %" PRId64 ", \"p50\": %" PRId64 ", \"p95\": %" PRId64
		    ", \"max\": %" PRId64 "}",
		    name, s->jobs, s->sum / 1000, s->p50 / 1000, s->p95 / 1000, s->max / 1000);
}

static void json_string(struct wb_buf *out, const char *key, const char *text)
{
	wb_buf_addf(out, ", \"%s\": ", key);
	wb_buf_add_json(out, text, strlen(text));
}

void wb_build_summary_print_json(struct wb_buf *out, struct wb_arena *a, const struct wb_build_jobs *jobs)
{
	struct summary s;

	summarize(&s, a, jobs);
	wb_buf_adds(out, "{\"build\": ");
	wb_buf_add_json(out, jobs->build, strlen(jobs->build));
	wb_buf_addf(out, ", \"start_us\": %" PRId64 ", \"us\": %" PRId64 ", \"jobs\": %zu, ", s.start_ns / 1000,
		    (s.end_ns - s.start_ns) / 1000, jobs->n);
	wb_buf_addf(out,
		    "\"hits\": %" PRId64 ", \"hits_local\": %" PRId64 ", \"hits_remote\": %" PRId64
		    ", \"hits_memo\": %" PRId64 ", ",
		    s.ended[WB_BUILD_HIT], s.hits_local, s.hits_remote, s.hits_memo);
	wb_buf_addf(out,
		    "\"executed\": %" PRId64 ", \"executed_local\": %" PRId64 ", \"executed_remote\": %" PRId64
		    ", \"fallbacks\": %" PRId64 ", ",
		    s.ended[WB_BUILD_EXECUTED], s.executed_local, s.executed_remote, s.fallbacks);
	wb_buf_addf(out,
		    "\"local\": %" PRId64 ", \"failed\": %" PRId64 ", \"canceled\": %" PRId64 ", \"joined\": %" PRId64
		    ", ",
		    s.ended[WB_BUILD_LOCAL], s.ended[WB_BUILD_FAILED], s.ended[WB_BUILD_CANCELED], s.joined);
	json_reasons(out, "local_reasons", s.local_reason);
	json_reasons(out, "fallback_reasons", s.fallback_reason);
	wb_buf_addf(out, "\"bytes_up\": %" PRId64 ", \"bytes_down\": %" PRId64 ", \"stage_us\": {", s.bytes_up,
		    s.bytes_down);
	for (int k = 0; k < WB_BUILD_STAGE_COUNT; k++) {
		json_stage(out, wb_build_stage_name(k), &s.stage[k]);
		wb_buf_adds(out, ", ");
	}
	json_stage(out, "job", &s.job);
	wb_buf_adds(out, "}, \"slowest\": [");
	for (size_t i = 0; i < s.nslowest; i++) {
		const struct wb_build_log_entry *e = s.slowest[i];

		wb_buf_addf(out, "%s{\"us\": %" PRId64, i ? ", " : "", job_ns(e) / 1000);
		json_string(out, "decision", wb_build_decision_name((int)e->decision));
		json_string(out, "backend", e->backend);
		json_string(out, "source", e->source);
		json_string(out, "output", e->output);
		wb_buf_addc(out, '}');
	}
	wb_buf_addf(out, "], \"damaged_lines\": %zu}\n", jobs->damaged);
}
