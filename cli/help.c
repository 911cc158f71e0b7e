#include "cli/help.h"

#include "base/config.h"
#include "base/str.h"
#include "buildid.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include <unistd.h>

static void flush(struct wb_buf *b, int fd)
{
	wb_output(fd, b->p, b->n);
	wb_buf_release(b);
}

static void add_usage(struct wb_buf *b)
{
	wb_buf_adds(b, "usage: waybill COMPILER ARGUMENT...\n"
		       "       waybill VERB [ARGUMENT...]\n"
		       "       waybill --help | --version | --settings=markdown|man\n");
}

void wb_help_usage(int fd)
{
	struct wb_buf b = WB_BUF_INIT;
	add_usage(&b);
	wb_buf_adds(&b, "'waybill --help' lists the verbs.\n");
	flush(&b, fd);
}

void wb_help_all(void)
{
	struct wb_buf b = WB_BUF_INIT;
	add_usage(&b);
	wb_buf_adds(
	    &b, "\nIn front of a compiler's command line, Waybill runs it where only its inputs exist, and reuses the\n"
		"result. For CMake: -DCMAKE_C_COMPILER_LAUNCHER=waybill -DCMAKE_CXX_COMPILER_LAUNCHER=waybill\n"
		"\nVerbs:\n");
	for (const struct wb_verb *v = wb_verb_table; v->name != NULL; v++) {
		size_t start = b.n;
		wb_buf_addf(&b, "  %s%s%s", v->name, v->synopsis[0] == '\0' ? "" : " ", v->synopsis);
		if (b.n - start > 38)
			wb_buf_addf(&b, "\n%40s", "");
		else
			wb_buf_addf(&b, "%*s", (int)(40 - (b.n - start)), "");
		wb_buf_addf(&b, "%s\n", v->summary);
	}
	wb_buf_adds(
	    &b,
	    "\nA compiler that is named like a verb is run with its path (./stats). WAYBILL_DISABLE=1 gets Waybill\n"
	    "out of the way. Settings: waybill.conf(5), 'waybill --settings=markdown'.\n");
	flush(&b, STDOUT_FILENO);
}

void wb_help_verb(const struct wb_verb *v)
{
	struct wb_buf b = WB_BUF_INIT;
	wb_buf_addf(&b, "usage: waybill %s%s%s\n\n%s.\n", v->name, v->synopsis[0] == '\0' ? "" : " ", v->synopsis,
		    v->summary);
	if (v->help[0] != '\0')
		wb_buf_addf(&b, "\n%s", v->help);
	flush(&b, STDOUT_FILENO);
}

void wb_help_version(void)
{
	static const char text[] = "waybill " WB_VERSION " (build " WB_BUILD_ID ")\n";
	wb_output(STDOUT_FILENO, text, sizeof text - 1);
}

int wb_help_settings(const char *format)
{
	struct wb_buf b = WB_BUF_INIT;
	if (strcmp(format, "markdown") == 0) {
		wb_config_print(&b, WB_CONFIG_MARKDOWN);
	} else if (strcmp(format, "man") == 0) {
		wb_config_print(&b, WB_CONFIG_MAN);
	} else {
		wb_complain("--settings is markdown or man, not '%s'", format);
		return 2;
	}
	flush(&b, STDOUT_FILENO);
	return 0;
}
