#define _GNU_SOURCE
#include "cli/depfile.h"

#include "base/arena.h"
#include "base/fileio.h"
#include "base/path.h"
#include "base/str.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static const char prefix[] = "/proc/self/cwd/";
enum { FILE_LIMIT = 256 << 20 };

/* Options whose operand is the next argument and could be taken for something else. */
static bool has_operand(const char *arg)
{
	static const char *const name[] = {"-x",
					   "-I",
					   "-D",
					   "-U",
					   "-MT",
					   "-MQ",
					   "-include",
					   "-imacros",
					   "-isystem",
					   "-iquote",
					   "-idirafter",
					   "-iprefix",
					   "-isysroot",
					   "-Xclang",
					   "-target",
					   "-arch",
					   "-Xpreprocessor",
					   "-Xassembler",
					   "-mllvm",
					   "-L",
					   "-l",
					   "-include-pch",
					   "-MJ",
					   "--param",
					   "-aux-info",
					   "-Xlinker",
					   "-F"};
	for (size_t i = 0; i < sizeof name / sizeof *name; i++)
		if (strcmp(arg, name[i]) == 0)
			return true;
	return false;
}

static const char *with_suffix_d(struct wb_arena *a, const char *path)
{
	return wb_arena_printf(a, "%.*s.d", (int)(strlen(path) - strlen(wb_path_suffix(path))), path);
}

const char *wb_depfile_of(struct wb_arena *a, const char *const *argv)
{
	const char *named = NULL, *output = NULL, *source = NULL;
	bool wanted = false;
	for (size_t i = 1; argv[0] != NULL && argv[i] != NULL; i++) {
		const char *arg = argv[i], *next = argv[i + 1];
		if (strcmp(arg, "-MF") == 0 || strcmp(arg, "-o") == 0) {
			if (next == NULL)
				break;
			*(arg[1] == 'o' ? &output : &named) = next;
			i++;
		} else if (wb_starts_with(arg, "-MF")) {
			named = arg + strlen("-MF");
		} else if (wb_starts_with(arg, "-Wp,-MD,") || wb_starts_with(arg, "-Wp,-MMD,")) {
			named = strrchr(arg, ',') + 1;
		} else if (strcmp(arg, "-MD") == 0 || strcmp(arg, "-MMD") == 0) {
			wanted = true;
		} else if (has_operand(arg)) {
			if (next == NULL)
				break;
			i++;
		} else if (wb_starts_with(arg, "-o") && arg[2] != '\0') {
			output = arg + 2;
		} else if (arg[0] != '-') {
			source = arg;
		}
	}
	if (named != NULL)
		return named;
	if (!wanted)
		return NULL;
	return output != NULL   ? with_suffix_d(a, output)
	       : source != NULL ? with_suffix_d(a, wb_path_basename(source))
				: NULL;
}

void wb_depfile_strip(struct wb_arena *a, const char *path)
{
	struct stat st;
	char *data;
	size_t n;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
	    !wb_is_ok(wb_file_read(&data, &n, a, path, FILE_LIMIT, NULL)))
		return;
	char *out = wb_arena_alloc(a, n + 1);
	size_t used = 0, len = strlen(prefix);
	for (size_t i = 0; i < n;) {
		bool starts = i == 0 || data[i - 1] == ' ' || data[i - 1] == '\n' || data[i - 1] == '\t';
		if (starts && n - i >= len && memcmp(data + i, prefix, len) == 0)
			i += len;
		else
			out[used++] = data[i++];
	}
	/* A failure leaves the depfile as the compiler wrote it: one needless rebuild, no wrong one. */
	if (used != n)
		wb_ignore(wb_file_write(path, out, used, st.st_mode & 07777, NULL));
}
