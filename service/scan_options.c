#include "service/scan_options.h"

#include "base/arena.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum option {
	OPTION_FORMAT,
	OPTION_ENGINE,
	OPTION_DATABASE,
	OPTION_JOBS,
	OPTION_ALL,
	OPTION_STATS,
	OPTION_REPEAT,
	OPTION_REASK
};

static const struct row {
	const char *name; /* "--x=" wants its value behind it; "-x" with `value`: behind it or in the next word */
	enum option option;
	unsigned verbs; /* of enum wb_scan_verb */
	bool value;
} table[] = {
    {"--format=", OPTION_FORMAT, WB_SCAN_VERB_SCAN | WB_SCAN_VERB_WHY, true},
    {"--engine=", OPTION_ENGINE, WB_SCAN_VERB_SCAN, true},
    {"--all", OPTION_ALL, WB_SCAN_VERB_WHY, false},
    {"--stats", OPTION_STATS, WB_SCAN_VERB_SCAN, false},
    {"--repeat=", OPTION_REPEAT, WB_SCAN_VERB_SCAN, true},
    {"--reask=", OPTION_REASK, WB_SCAN_VERB_SCAN, true},
    {"-p", OPTION_DATABASE, WB_SCAN_VERB_SCAN | WB_SCAN_VERB_WHY, true},
    {"-j", OPTION_JOBS, WB_SCAN_VERB_SCAN, true},
};

static wb_status number(unsigned *out, const char *text, const char *option, unsigned most, struct wb_err *err)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n == 0 || n > most)
		return wb_fail(err, WB_EINVAL, "%s wants a number from 1 to %u, not '%s'", option, most, text);
	*out = (unsigned)n;
	return wb_ok();
}

static wb_status format(struct wb_scan_options *o, enum wb_scan_verb verb, const char *value, struct wb_err *err)
{
	if (verb == WB_SCAN_VERB_WHY) {
		if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
			return wb_fail(err, WB_EINVAL, "unknown format '%s': text or json", value);
		o->format = strcmp(value, "json") == 0 ? WB_SCAN_JSON : WB_SCAN_MAKE;
	} else if (!wb_scan_format_of(&o->format, value)) {
		return wb_fail(err, WB_EINVAL, "unknown format '%s': make, json or paths", value);
	}
	return wb_ok();
}

static wb_status engine(struct wb_scan_options *o, const char *value, struct wb_err *err)
{
	o->both = strcmp(value, "both") == 0;
	o->engine = o->both ? NULL : value;
	if (!o->both && strcmp(value, "clang") != 0 && strcmp(value, "directives") != 0)
		return wb_fail(err, WB_EINVAL, "unknown engine '%s': directives, clang or both", value);
	return wb_ok();
}

static wb_status apply(struct wb_scan_options *o, enum wb_scan_verb verb, enum option option, const char *value,
		       struct wb_err *err)
{
	switch (option) {
	case OPTION_FORMAT:
		return format(o, verb, value, err);
	case OPTION_ENGINE:
		return engine(o, value, err);
	case OPTION_DATABASE:
		if (value[0] == '\0')
			return wb_fail(err, WB_EINVAL, "-p wants the directory of a compile_commands.json");
		if (o->database)
			return wb_fail(err, WB_EINVAL, "-p is given twice: one database at a time");
		o->database = value;
		return wb_ok();
	case OPTION_JOBS:
		return number(&o->jobs, value, "-j", WB_SCAN_JOBS_MAX, err);
	case OPTION_ALL:
		o->all = true;
		return wb_ok();
	case OPTION_STATS:
		o->stats = true;
		return wb_ok();
	case OPTION_REPEAT:
		o->stats = true;
		return number(&o->repeat, value, "--repeat", WB_SCAN_REPEAT_MAX, err);
	case OPTION_REASK:
		o->stats = true;
		return number(&o->reask, value, "--reask", WB_SCAN_REPEAT_MAX, err);
	}
	return wb_ok();
}

static const struct row *find(const char *word, enum wb_scan_verb verb)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct row *r = &table[i];

		if ((r->verbs & verb) && (r->value ? wb_starts_with(word, r->name) : strcmp(word, r->name) == 0))
			return r;
	}
	return NULL;
}

/* Do the parts fit together? */
static wb_status check(const struct wb_scan_options *o, enum wb_scan_verb verb, bool dashes, struct wb_err *err)
{
	if (dashes && o->database)
		return wb_fail(err, WB_EINVAL, "-p DIR and a command after '--' exclude each other: give one of them");
	if (dashes && !o->command)
		return wb_fail(err, WB_EINVAL, "no compile command after '--'");
	if (!dashes && !o->database)
		return wb_fail(err, WB_EINVAL,
			       "say what to scan: a compile command after '--', or a compile database with -p DIR");
	if (verb == WB_SCAN_VERB_WHY) {
		if (o->noperand == 0)
			return wb_fail(err, WB_EINVAL, "which header? Name it first, as far as it is unambiguous");
		if (o->database && o->noperand != 2)
			return wb_fail(err, WB_EINVAL, "with -p, name the header and one source of the database");
		if (!o->database && o->noperand != 1)
			return wb_fail(err, WB_EINVAL, "one header at a time, and no '%s'", o->operand[1]);
		return wb_ok();
	}
	if (!o->database && o->noperand > 0)
		return wb_fail(err, WB_EINVAL,
			       "'%s': sources are named with -p DIR only; a compile command goes after '--'",
			       o->operand[0]);
	if (o->both && o->format != WB_SCAN_MAKE)
		return wb_fail(err, WB_EINVAL, "--engine=both prints differences, in no other format");
	return wb_ok();
}

wb_status wb_scan_options_parse(struct wb_scan_options *out, struct wb_arena *a, enum wb_scan_verb verb,
				const char *const *args, struct wb_err *err)
{
	struct wb_argv operand = {0};
	size_t i = 0;

	*out = (struct wb_scan_options){.format = WB_SCAN_MAKE, .repeat = 1};
	for (; args[i] && strcmp(args[i], "--") != 0; i++) {
		const struct row *r = find(args[i], verb);

		if (args[i][0] != '-') {
			wb_argv_push(&operand, a, args[i]);
			continue;
		}
		if (!r)
			return wb_fail(err, WB_EINVAL, "there is no option '%s'", args[i]);
		const char *value = args[i] + strlen(r->name);
		if (r->value && r->name[1] != '-' && value[0] == '\0') {
			if (!args[i + 1] || strcmp(args[i + 1], "--") == 0)
				return wb_fail(err, WB_EINVAL, "%s wants %s after it", r->name,
					       r->option == OPTION_JOBS ? "a number"
									: "the directory of a compile_commands.json");
			value = args[++i];
		}
		WB_TRY(apply(out, verb, r->option, value, err));
	}
	bool dashes = args[i] != NULL;
	if (dashes && args[i + 1])
		out->command = args + i + 1;
	static const char *const none[] = {NULL};
	out->operand = operand.n ? operand.v : none;
	out->noperand = operand.n;
	return check(out, verb, dashes, err);
}
