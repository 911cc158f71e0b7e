#include "service/scan_reply.h"

#include "base/arena.h"
#include "base/map.h"
#include "reapi/messages.h"
#include "service/plan_text.h"

#include <string.h>

/* protobuf-c's types lack the const; a message that is only packed is never written to. */
static ProtobufCBinaryData bytes_n(const void *p, size_t n)
{
	return (ProtobufCBinaryData){.len = n, .data = (uint8_t *)(uintptr_t)p};
}

static ProtobufCBinaryData bytes_of(const char *s)
{
	return s ? bytes_n(s, strlen(s)) : (ProtobufCBinaryData){0};
}

static char *text_of(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void fill_inputs(Waybill__V1__ScanReply *r, struct wb_arena *a, const struct wb_plan *p)
{
	const struct wb_inputs *in = &p->inputs;
	Waybill__V1__Input *each = wb_arena_array(a, in->ninput, sizeof *each);
	struct wb_map overlay;

	wb_map_init(&overlay);
	for (size_t i = 0; i < p->rewrite.noverlay; i++)
		wb_map_puts(&overlay, p->rewrite.overlay[i].path, NULL);
	r->inputs = wb_arena_array(a, in->ninput, sizeof *r->inputs);
	r->n_inputs = in->ninput;
	for (size_t i = 0; i < in->ninput; i++) {
		const struct wb_input *x = &in->input[i];
		Waybill__V1__Input *m = &each[i];

		waybill__v1__input__init(m);
		m->path = bytes_of(x->path);
		switch (x->kind) {
		case WB_FILE_DIRECTORY:
			m->kind = WAYBILL__V1__INPUT__KIND__DIRECTORY;
			break;
		case WB_FILE_SYMLINK:
			m->kind = WAYBILL__V1__INPUT__KIND__SYMLINK;
			m->target = bytes_of(x->link);
			break;
		default:
			m->kind = WAYBILL__V1__INPUT__KIND__FILE;
			m->digest = wb_re_digest_new(a, &x->digest);
			m->executable = x->exec;
			break;
		}
		m->why = text_of(wb_why_name(x->why));
		m->via = bytes_of(wb_plan_via(a, p, x));
		m->replaced = wb_map_gets(&overlay, x->path) != NULL;
		r->inputs[i] = m;
	}
	wb_map_release(&overlay);
}

static void fill_system(Waybill__V1__ScanReply *r, struct wb_arena *a, const struct wb_inputs *in)
{
	Waybill__V1__SystemFile *each = wb_arena_array(a, in->nsystem, sizeof *each);

	r->system = wb_arena_array(a, in->nsystem, sizeof *r->system);
	r->n_system = in->nsystem;
	for (size_t i = 0; i < in->nsystem; i++) {
		waybill__v1__system_file__init(&each[i]);
		each[i].path = bytes_of(in->system[i].path);
		each[i].digest = wb_re_digest_new(a, &in->system[i].digest);
		r->system[i] = &each[i];
	}
}

static void fill_missing(Waybill__V1__ScanReply *r, struct wb_arena *a, const struct wb_plan *p)
{
	const char *const *path = wb_plan_missing(&r->n_missing, a, p);

	r->missing = wb_arena_array(a, r->n_missing, sizeof *r->missing);
	for (size_t i = 0; i < r->n_missing; i++)
		r->missing[i] = bytes_of(path[i]);
}

static void fill_outputs(Waybill__V1__ScanReply *r, struct wb_arena *a, const struct wb_plan *p)
{
	const struct wb_rewrite *rw = &p->rewrite;
	Waybill__V1__Output *each = wb_arena_array(a, rw->noutput, sizeof *each);

	r->outputs = wb_arena_array(a, rw->noutput, sizeof *r->outputs);
	r->n_outputs = rw->noutput;
	for (size_t i = 0; i < rw->noutput; i++) {
		waybill__v1__output__init(&each[i]);
		each[i].path = bytes_of(rw->output[i].real_path);
		each[i].action_path = bytes_of(p->action.output[i]);
		each[i].kind = text_of(wb_output_kind_name(rw->output[i].kind));
		each[i].optional = rw->output[i].optional;
		r->outputs[i] = &each[i];
	}
}

static const struct wb_blob *blob_named(const struct wb_action *action, const struct wb_digest *d)
{
	for (size_t i = 0; i < action->nblob; i++)
		if (action->blob[i].data && wb_digest_eq(&action->blob[i].digest, d))
			return &action->blob[i];
	return NULL;
}

/* Taken from the Command itself, so that the two cannot differ. */
static wb_status fill_rewritten(Waybill__V1__ScanReply *r, struct wb_arena *a, const struct wb_plan *p,
				struct wb_err *err)
{
	const struct wb_blob *blob = blob_named(&p->action, &p->action.command);
	Waybill__V1__Rewritten *m = wb_arena_alloc(a, sizeof *m);
	wb_re_command *command;

	if (!blob)
		return wb_fail(err, WB_EPROTO, "the action has no Command");
	WB_TRY(wb_command_decode(&command, a, blob->data, (size_t)blob->digest.size, err));
	waybill__v1__rewritten__init(m);
	m->n_argv = command->n_arguments;
	m->argv = wb_arena_array(a, m->n_argv, sizeof *m->argv);
	for (size_t i = 0; i < m->n_argv; i++)
		m->argv[i] = bytes_of(command->arguments[i]);
	Waybill__V1__EnvironmentVariable *each = wb_arena_array(a, command->n_environment_variables, sizeof *each);
	m->n_env = command->n_environment_variables;
	m->env = wb_arena_array(a, m->n_env, sizeof *m->env);
	for (size_t i = 0; i < m->n_env; i++) {
		waybill__v1__environment_variable__init(&each[i]);
		each[i].name = bytes_of(command->environment_variables[i]->name);
		each[i].value = bytes_of(command->environment_variables[i]->value);
		m->env[i] = &each[i];
	}
	m->working_directory = bytes_of(command->working_directory);
	m->shareable = p->rewrite.shareable;
	if (!m->shareable)
		m->unshareable_argument = bytes_of(p->rewrite.unshareable_arg);
	r->rewritten = m;
	return wb_ok();
}

static void fill_blobs(Waybill__V1__PreparedAction *m, struct wb_arena *a, const struct wb_action *action)
{
	m->blobs = wb_arena_array(a, action->nblob, sizeof *m->blobs);
	m->files = wb_arena_array(a, action->nblob, sizeof *m->files);
	for (size_t i = 0; i < action->nblob; i++) {
		const struct wb_blob *b = &action->blob[i];

		if (b->data) {
			Waybill__V1__Blob *x = m->blobs[m->n_blobs++] = wb_arena_alloc(a, sizeof *x);

			waybill__v1__blob__init(x);
			x->digest = wb_re_digest_new(a, &b->digest);
			x->data = bytes_n(b->data, (size_t)b->digest.size);
		} else {
			Waybill__V1__FileBlob *x = m->files[m->n_files++] = wb_arena_alloc(a, sizeof *x);

			waybill__v1__file_blob__init(x);
			x->digest = wb_re_digest_new(a, &b->digest);
			x->path = bytes_of(b->path);
		}
	}
}

static void fill_action(Waybill__V1__ScanReply *r, struct wb_arena *a, const struct wb_action *action, bool blobs)
{
	Waybill__V1__PreparedAction *m = wb_arena_alloc(a, sizeof *m);

	waybill__v1__prepared_action__init(m);
	m->action = wb_re_digest_new(a, &action->digest);
	m->command = wb_re_digest_new(a, &action->command);
	m->input_root = wb_re_digest_new(a, &action->root);
	if (blobs)
		fill_blobs(m, a, action);
	r->action = m;
}

static void fill_stages(Waybill__V1__ScanReply *r, struct wb_arena *a, const struct wb_plan *p)
{
	Waybill__V1__Stage *each = wb_arena_array(a, WB_STAGE_COUNT, sizeof *each);

	r->stages = wb_arena_array(a, WB_STAGE_COUNT, sizeof *r->stages);
	for (int i = 0; i < WB_STAGE_COUNT; i++) {
		if (p->ns[i] == 0)
			continue;
		waybill__v1__stage__init(&each[i]);
		each[i].name = text_of(wb_stage_name((enum wb_stage)i));
		each[i].ns = p->ns[i];
		r->stages[r->n_stages++] = &each[i];
	}
}

Waybill__V1__ScanReply *wb_scan_reply_local(struct wb_arena *a, enum wb_reason reason, const char *text)
{
	Waybill__V1__ScanReply *r = wb_arena_alloc(a, sizeof *r);

	waybill__v1__scan_reply__init(r);
	r->local_reason = text_of(wb_reason_name(reason));
	r->local_reason_text = bytes_of(text);
	return r;
}

wb_status wb_scan_reply_make(Waybill__V1__ScanReply **out, struct wb_arena *a, const struct wb_plan *p,
			     const struct wb_scan_want *want, struct wb_err *err)
{
	Waybill__V1__ScanReply *r;

	if (p->reason != WB_REASON_NONE) {
		r = wb_scan_reply_local(a, p->reason, p->reason_text);
		fill_stages(r, a, p);
		*out = r;
		return wb_ok();
	}
	r = wb_arena_alloc(a, sizeof *r);
	waybill__v1__scan_reply__init(r);
	r->root = bytes_of(p->roots.base);
	fill_inputs(r, a, p);
	fill_system(r, a, &p->inputs);
	fill_missing(r, a, p);
	fill_outputs(r, a, p);
	WB_TRY(fill_rewritten(r, a, p, err));
	if (want->action || want->blobs)
		fill_action(r, a, &p->action, want->blobs);
	fill_stages(r, a, p);
	*out = r;
	return wb_ok();
}
