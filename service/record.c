#include "service/record.h"

#include "base/clock.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/path.h"
#include "service/plan_text.h"
#include "wire/frame.h"

#include "proto/record.pb-c.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MAX (64u << 20)

struct wb_records {
	char *dir;
};

wb_status wb_records_new(struct wb_records **out, const char *dir, struct wb_err *err)
{
	*out = NULL;
	WB_TRY(wb_dir_make(dir, 0700, err));
	struct wb_records *r = wb_xcalloc(1, sizeof *r);
	r->dir = wb_xstrdup(dir);
	*out = r;
	return wb_ok();
}

void wb_records_free(struct wb_records *r)
{
	if (!r)
		return;
	free(r->dir);
	free(r);
}

wb_status wb_records_clear(struct wb_records *r, struct wb_err *err)
{
	WB_TRY(wb_dir_remove(r->dir, err));
	return wb_dir_make(r->dir, 0700, err);
}

static char *record_path(struct wb_records *r, struct wb_arena *a, const char *output, bool make)
{
	struct wb_digest d;
	char hex[WB_DIGEST_HEX];

	wb_digest_of(&d, output, strlen(output));
	wb_digest_hex(hex, &d);
	char *dir = wb_arena_printf(a, "%s/%.2s", r->dir, hex);
	if (make)
		wb_ignore(wb_dir_make(dir, 0700, NULL)); /* the write that follows says what is wrong */
	return wb_arena_printf(a, "%s/%s", dir, hex);
}

static Waybill__Record__Job *record_read(struct wb_records *r, struct wb_arena *a, const char *output,
					 struct wb_err *err)
{
	char *data;
	size_t n;

	if (!wb_is_ok(wb_file_read(&data, &n, a, record_path(r, a, output, false), RECORD_MAX, err)))
		return NULL;
	return wb_frame_decode(&waybill__record__job__descriptor, a, (const uint8_t *)data, n);
}

static ProtobufCBinaryData bytes_of(const char *s)
{
	return (ProtobufCBinaryData){.len = s ? strlen(s) : 0, .data = (uint8_t *)(uintptr_t)s};
}

static struct wb_str text_of(ProtobufCBinaryData b)
{
	return (struct wb_str){(const char *)b.data, b.len};
}

static ProtobufCBinaryData *strings(struct wb_arena *a, const char *const *v, size_t *n)
{
	size_t count = 0;

	while (v && v[count])
		count++;
	ProtobufCBinaryData *out = wb_arena_array(a, count, sizeof *out);
	for (size_t i = 0; i < count; i++)
		out[i] = bytes_of(v[i]);
	*n = count;
	return out;
}

static char *hex_of(struct wb_arena *a, const struct wb_digest *d)
{
	char hex[WB_DIGEST_HEX];

	wb_digest_hex(hex, d);
	return wb_arena_strdup(a, hex);
}

static Waybill__Record__Input *new_input(struct wb_arena *a)
{
	Waybill__Record__Input *in = wb_arena_alloc(a, sizeof *in);

	waybill__record__input__init(in);
	return in;
}

static void fill_inputs(Waybill__Record__Job *job, struct wb_arena *a, const struct wb_plan *p)
{
	const struct wb_inputs *in = &p->inputs;

	job->inputs = wb_arena_array(a, in->ninput, sizeof *job->inputs);
	job->n_inputs = in->ninput;
	for (size_t i = 0; i < in->ninput; i++) {
		Waybill__Record__Input *x = new_input(a);
		const char *after = wb_path_after(in->input[i].path, p->roots.base);

		x->path = bytes_of(after ? after : in->input[i].path);
		if (in->input[i].kind == WB_FILE_REGULAR)
			x->digest = hex_of(a, &in->input[i].digest);
		else
			x->digest = in->input[i].link ? wb_arena_printf(a, "-> %s", in->input[i].link)
						      : wb_arena_strdup(a, "directory");
		x->size = in->input[i].digest.size;
		x->why = wb_arena_strdup(a, wb_why_name(in->input[i].why));
		x->via = bytes_of(wb_plan_via(a, p, &in->input[i]));
		job->inputs[i] = x;
	}
	job->system = wb_arena_array(a, in->nsystem, sizeof *job->system);
	job->n_system = in->nsystem;
	for (size_t i = 0; i < in->nsystem; i++) {
		Waybill__Record__Input *x = new_input(a);

		x->path = bytes_of(in->system[i].path);
		x->digest = hex_of(a, &in->system[i].digest);
		x->size = in->system[i].digest.size;
		job->system[i] = x;
	}
}

static const char *word_difference(struct wb_arena *a, const char *what, size_t nold, const ProtobufCBinaryData *old,
				   size_t nnew, const ProtobufCBinaryData *new)
{
	for (size_t i = 0; i < nold || i < nnew; i++) {
		struct wb_str o = i < nold ? text_of(old[i]) : wb_str_of("(none)");
		struct wb_str w = i < nnew ? text_of(new[i]) : wb_str_of("(none)");

		if (!wb_str_eq(o, w))
			return wb_arena_printf(a, "%s %zu: %.*s, was %.*s", what, i, (int)w.n, w.p, (int)o.n, o.p);
	}
	return NULL;
}

static const char *input_difference(struct wb_arena *a, const char *what, size_t nold, Waybill__Record__Input **old,
				    size_t nnew, Waybill__Record__Input **new)
{
	size_t i = 0, k = 0;

	while (i < nold || k < nnew) {
		struct wb_str o = i < nold ? text_of(old[i]->path) : (struct wb_str){NULL, 0};
		struct wb_str w = k < nnew ? text_of(new[k]->path) : (struct wb_str){NULL, 0};
		size_t n = o.n < w.n ? o.n : w.n;
		int c = i >= nold ? 1 : k >= nnew ? -1 : memcmp(o.p, w.p, n);

		if (c == 0 && i < nold && k < nnew)
			c = o.n < w.n ? -1 : o.n > w.n;
		if (c < 0)
			return wb_arena_printf(a, "%s %.*s is no longer read", what, (int)o.n, o.p);
		if (c > 0)
			return wb_arena_printf(a, "%s %.*s is new", what, (int)w.n, w.p);
		if (strcmp(old[i]->digest, new[k]->digest) != 0)
			return wb_arena_printf(a, "%s %.*s: content changed", what, (int)w.n, w.p);
		i++;
		k++;
	}
	return NULL;
}

/* The first thing that makes `new` another action than `old`. */
static const char *difference(struct wb_arena *a, const Waybill__Record__Job *old, const Waybill__Record__Job *new)
{
	const char *d;

	if (!old)
		return "first action of this output";
	if (old->action_digest[0] == '\0')
		return "the last job of this output ran locally";
	if (strcmp(old->action_digest, new->action_digest) == 0)
		return "nothing: the same action as the last time";
	d = word_difference(a, "argument", old->n_argv, old->argv, new->n_argv, new->argv);
	if (!d)
		d = word_difference(a, "environment", old->n_env, old->env, new->n_env, new->env);
	if (!d)
		d = input_difference(a, "input", old->n_inputs, old->inputs, new->n_inputs, new->inputs);
	if (!d)
		d = input_difference(a, "system file", old->n_system, old->system, new->n_system, new->system);
	if (!d)
		d = "the compiler itself, or the position of the working directory";
	return d;
}

static void add_stage(Waybill__Record__Job *job, struct wb_arena *a, const char *name, int64_t ns)
{
	Waybill__Record__Stage *s = wb_arena_alloc(a, sizeof *s);

	waybill__record__stage__init(s);
	s->name = wb_arena_strdup(a, name);
	s->ns = ns;
	job->stages[job->n_stages++] = s;
}

static void write_record(struct wb_records *r, struct wb_arena *a, const struct wb_plan *p, enum wb_decision decision,
			 const struct wb_record_times *t)
{
	static const char *const decision_name[] = {"hit", "executed", "local"};
	struct wb_err err = WB_ERR_INIT;
	Waybill__Record__Job job = WAYBILL__RECORD__JOB__INIT;

	if (!p->has_command || !p->cmd.object)
		return;
	const char *output = wb_path_normal(a, wb_path_join(a, p->req->cwd, p->cmd.object));
	job.output = bytes_of(output);
	job.original = strings(a, p->req->argv, &job.n_original);
	job.cwd = bytes_of(p->req->cwd);
	job.decision = wb_arena_strdup(a, decision_name[decision]);
	job.reason = wb_arena_strdup(a, wb_reason_name(p->reason));
	job.reason_text = bytes_of(p->reason_text);
	job.started_unix_ms = wb_clock_wall_ns() / 1000000;
	job.action_digest = wb_arena_strdup(a, "");
	job.salt = wb_arena_strdup(a, "");
	if (p->reached >= WB_STAGE_TOOLCHAIN && p->tc)
		job.root = bytes_of(p->roots.base);
	if (p->reached >= WB_STAGE_INPUTS)
		fill_inputs(&job, a, p);
	if (p->reached >= WB_STAGE_ACTION) {
		job.argv = strings(a, p->rewrite.argv, &job.n_argv);
		job.env = strings(a, p->env, &job.n_env);
		job.action_digest = hex_of(a, &p->action.digest);
		job.salt = wb_arena_strdup(a, p->action.salt_hex);
		if (!p->rewrite.shareable)
			job.unshareable = bytes_of(p->rewrite.unshareable_arg);
		job.changed = bytes_of(difference(a, record_read(r, a, output, NULL), &job));
	}
	job.stages = wb_arena_array(a, WB_STAGE_COUNT + 5, sizeof *job.stages);
	for (int i = 0; i < WB_STAGE_COUNT; i++)
		add_stage(&job, a, wb_stage_name((enum wb_stage)i), p->ns[i]);
	add_stage(&job, a, "look-up", t->lookup_ns);
	add_stage(&job, a, "prove", t->prove_ns);
	add_stage(&job, a, "upload", t->upload_ns);
	add_stage(&job, a, "queue", t->queue_ns);
	add_stage(&job, a, "execute", t->execute_ns);
	add_stage(&job, a, "place", t->place_ns);

	size_t n = waybill__record__job__get_packed_size(&job);
	uint8_t *data = wb_arena_alloc(a, n);
	waybill__record__job__pack(&job, data);
	if (!wb_is_ok(wb_file_write(record_path(r, a, output, true), data, n, 0600, &err)))
		wb_log(WB_LOG_WARN, "no record for `explain`: %s", err.text);
}

void wb_records_write(struct wb_records *r, const struct wb_plan *p, enum wb_decision decision,
		      const struct wb_record_times *t)
{
	struct wb_arena scratch;

	wb_arena_init(&scratch);
	write_record(r, &scratch, p, decision, t);
	wb_arena_release(&scratch);
}

static void print_words(struct wb_buf *out, const char *title, size_t n, const ProtobufCBinaryData *v,
			struct wb_arena *a)
{
	if (n == 0)
		return;
	wb_buf_addf(out, "%-10s", title);
	for (size_t i = 0; i < n; i++) {
		wb_buf_addc(out, ' ');
		wb_buf_add_shell(out, wb_arena_strndup(a, (const char *)v[i].data, v[i].len));
	}
	wb_buf_addc(out, '\n');
}

static void print_inputs(struct wb_buf *out, const char *title, size_t n, Waybill__Record__Input **in)
{
	wb_buf_addf(out, "%s (%zu)\n", title, n);
	for (size_t i = 0; i < n; i++) {
		struct wb_str path = text_of(in[i]->path), via = text_of(in[i]->via);

		wb_buf_addf(out, "  %-12.12s %-12s %.*s", in[i]->digest, in[i]->why, (int)path.n, path.p);
		if (via.n > 0)
			wb_buf_addf(out, "   <- %.*s", (int)via.n, via.p);
		wb_buf_addc(out, '\n');
	}
}

wb_status wb_records_explain(struct wb_buf *out, struct wb_records *r, struct wb_arena *a, const char *output,
			     struct wb_err *err)
{
	const Waybill__Record__Job *j = record_read(r, a, output, NULL);

	if (!j)
		return wb_fail(err, WB_ENOENT,
			       "nothing is known of %s: no compile through Waybill made it since the cache was cleared",
			       output);
	struct wb_str text = text_of(j->reason_text), root = text_of(j->root), changed = text_of(j->changed);
	wb_buf_addf(out, "output     %s\n", output);
	wb_buf_addf(out, "decision   %s", j->decision);
	if (strcmp(j->reason, "none") != 0)
		wb_buf_addf(out, " (%s%s%.*s)", j->reason, text.n ? ": " : "", (int)text.n, text.p);
	wb_buf_addc(out, '\n');
	if (j->action_digest[0])
		wb_buf_addf(out, "action     %s\nsalt       %s\nroot       %.*s\nchanged    %.*s\n", j->action_digest,
			    j->salt, (int)root.n, root.p, (int)changed.n, changed.p);
	if (j->unshareable.len > 0)
		wb_buf_addf(out, "tied to this checkout by %.*s\n", (int)j->unshareable.len,
			    (const char *)j->unshareable.data);
	print_words(out, "original", j->n_original, j->original, a);
	print_words(out, "action", j->n_argv, j->argv, a);
	wb_buf_adds(out, "time      ");
	for (size_t i = 0; i < j->n_stages; i++)
		wb_buf_addf(out, " %s %.1f ms%s", j->stages[i]->name, (double)j->stages[i]->ns / 1e6,
			    i + 1 < j->n_stages ? "," : "\n");
	if (j->n_inputs > 0)
		print_inputs(out, "inputs", j->n_inputs, j->inputs);
	if (j->n_system > 0)
		print_inputs(out, "system files", j->n_system, j->system);
	return wb_ok();
}
