/* Command lines: what they mean (tables), that they come out as they went in, and that the outputs are those which the
 * compilers write (by running them). */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/fileio.h"
#include "base/path.h"
#include "base/process.h"
#include "scanner/command.h"
#include "tests/unit/unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	struct wb_arena a;
};

static int setup(void **state)
{
	struct fixture *f = wb_xcalloc(1, sizeof *f);
	strcpy(f->dir, "/tmp/waybill-cmd-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	wb_arena_init(&f->a);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_dir_remove(f->dir, &err), &err);
	wb_arena_release(&f->a);
	free(f);
	return 0;
}

static const char *in_dir(struct fixture *f, const char *name)
{
	return wb_arena_printf(&f->a, "%s/%s", f->dir, name);
}

static void put(struct fixture *f, const char *name, const char *text)
{
	struct wb_err err = WB_ERR_INIT;
	const char *path = in_dir(f, name);
	assert_ok(wb_dir_make(wb_path_dirname(&f->a, path), 0777, &err), &err);
	assert_ok(wb_file_write(path, text, strlen(text), 0644, &err), &err);
}

/* Split at blanks. */
static struct wb_argv words(struct wb_arena *a, const char *line)
{
	struct wb_argv v = {0};
	for (char *save = NULL, *s = wb_arena_strdup(a, line), *w; (w = strtok_r(s, " ", &save)); s = NULL)
		wb_argv_push(&v, a, w);
	return v;
}

static struct wb_command parse_argv(struct fixture *f, const char *const *argv)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_command cmd;
	assert_ok(wb_command_parse(&cmd, &f->a, argv, f->dir, wb_driver_guess(argv[0]), &err), &err);
	return cmd;
}

static struct wb_command parse(struct fixture *f, const char *line)
{
	return parse_argv(f, words(&f->a, line).v);
}

static void equal(const char *line, const char *what, const char *got, const char *want)
{
	if (strcmp(got ? got : "(null)", want ? want : "(null)") != 0)
		fail_msg("%s\n%s: got %s, expected %s", line, what, got ? got : "(null)", want ? want : "(null)");
}

/* "object=x.o depfile=x.d dwo=x.dwo?" */
static const char *outputs(struct wb_arena *a, const struct wb_command *cmd)
{
	const char *s = "";
	for (size_t i = 0; i < cmd->noutput; i++)
		s = wb_arena_printf(a, "%s%s%s=%s%s", s, i ? " " : "", wb_output_kind_name(cmd->output[i].kind),
				    cmd->output[i].path, cmd->output[i].optional ? "?" : "");
	return s;
}

static void compiles(void **state)
{
	static const struct {
		const char *line, *lang, *source, *outputs;
	} cases[] = {
	    {"gcc -c a.c", "c", "a.c", "object=a.o"},
	    {"gcc -c d/a.c", "c", "d/a.c", "object=a.o"},
	    {"gcc -S d/a.c", "c", "d/a.c", "object=a.s"},
	    {"g++ -c a.c", "c++", "a.c", "object=a.o"},
	    {"clang++-22 -c a.c -o b.o", "c++", "a.c", "object=b.o"},
	    {"clang -c a.c", "c", "a.c", "object=a.o"},
	    {"clang -c a.C", "c++", "a.C", "object=a.o"},
	    {"clang -c a.CC", "c++", "a.CC", "object=a.o"},
	    {"clang --driver-mode=g++ -c a.c", "c++", "a.c", "object=a.o"},
	    {"x86_64-linux-gnu-g++-12 -c a.cxx -oout/a.o", "c++", "a.cxx", "object=out/a.o"},
	    {"gcc -c a.S", "assembler-with-cpp", "a.S", "object=a.o"},
	    {"gcc -c a.sx", "assembler-with-cpp", "a.sx", "object=a.o"},
	    {"gcc -c a.s", "assembler", "a.s", "object=a.o"},
	    {"clang -x assembler-with-cpp -c a.c", "assembler-with-cpp", "a.c", "object=a.o"},
	    {"gcc -c -x c++ a.foo", "c++", "a.foo", "object=a.o"},
	    {"gcc -c -xc++ a.foo", "c++", "a.foo", "object=a.o"},
	    {"gcc -c -x c++ -x none a.c", "c", "a.c", "object=a.o"},
	    {"gcc -c a.c -x c++", "c", "a.c", "object=a.o"},
	    {"gcc -c --language=c++ a.c", "c++", "a.c", "object=a.o"},
	    {"clang -c -- a.c", "c", "a.c", "object=a.o"},
	    {"clang -c -o x.o -- -a.c", "c", "-a.c", "object=x.o"},
	    {"gcc -c a.b.c", "c", "a.b.c", "object=a.b.o"},
	    {"gcc -c a.c -o x.o -o y.o", "c", "a.c", "object=y.o"},
	    {"gcc -c a.c --output=y.o", "c", "a.c", "object=y.o"},
	    {"clang -c a.c --output y.o", "c", "a.c", "object=y.o"},
	    {"gcc -MD -c a.c -o o/a.c.o", "c", "a.c", "object=o/a.c.o depfile=o/a.c.d"},
	    {"gcc -MMD -c d/a.c", "c", "d/a.c", "object=a.o depfile=a.d"},
	    {"gcc -MMD -c a.c -o o/a", "c", "a.c", "object=o/a depfile=o/a.d"},
	    {"gcc -MMD -c a.c -o o.x/a", "c", "a.c", "object=o.x/a depfile=o.x/a.d"},
	    {"clang -MD -MT t -MF f.d -c a.c -o a.o", "c", "a.c", "object=a.o depfile=f.d"},
	    {"clang -MD -MFf.d -c a.c -o a.o", "c", "a.c", "object=a.o depfile=f.d"},
	    {"clang -MF f.d -c a.c -o a.o", "c", "a.c", "object=a.o"},
	    {"gcc -Wp,-MD,f.d -c a.c -o a.o", "c", "a.c", "object=a.o depfile=f.d"},
	    {"gcc -Wp,-MMD,f.d,-MT,t -c a.c -o a.o", "c", "a.c", "object=a.o depfile=f.d"},
	    {"clang -Wp,-MD,f.d -c a.c -o a.o", "c", "a.c", "object=a.o depfile=f.d"},
	    {"gcc -Xpreprocessor -MD -Xpreprocessor f.d -c a.c", "c", "a.c", "object=a.o depfile=f.d"},
	    {"gcc -g -gsplit-dwarf -c a.cc -o o/a.cc.o", "c++", "a.cc", "object=o/a.cc.o dwo=o/a.cc.dwo"},
	    {"clang -g -gsplit-dwarf -c a.cc -o o/a.cc.o", "c++", "a.cc", "object=o/a.cc.o dwo=o/a.cc.dwo?"},
	    {"clang -g -gsplit-dwarf=single -c a.cc", "c++", "a.cc", "object=a.o"},
	    {"clang -g -gsplit-dwarf -gno-split-dwarf -c a.cc", "c++", "a.cc", "object=a.o"},
	    {"gcc -g -gsplit-dwarf -S a.cc", "c++", "a.cc", "object=a.s"},
	    {"gcc -fstack-usage -c a.c -o o/b.o", "c", "a.c", "object=o/b.o stack_usage=o/b.su?"},
	    {"gcc -fcallgraph-info=su -c a.c -o o/b.o", "c", "a.c", "object=o/b.o callgraph=o/b.ci?"},
	    {"clang --serialize-diagnostics a.dia -c a.c", "c", "a.c", "object=a.o diagnostics=a.dia?"},
	    {"clang -fsave-optimization-record -c a.c -o b.o", "c", "a.c", "object=b.o opt_record=b.opt.yaml?"},
	    {"clang -fsave-optimization-record=bitstream -c a.c", "c", "a.c",
	     "object=a.o opt_record=a.opt.bitstream?"}, /* clang up to 19 crashes on it for ELF */
	    {"clang -foptimization-record-file=r -c a.c", "c", "a.c", "object=a.o opt_record=r?"},
	    {"gcc -fsave-optimization-record -c a.c -o b.o", "c", "a.c",
	     "object=b.o opt_record=b.c.opt-record.json.gz?"},
	    {"gcc -save-temps -c a.c -o o/b.o", "c", "a.c", "object=o/b.o temp=o/b.i temp=o/b.s"},
	    {"clang -save-temps -c d/a.cc -o o/b.o", "c++", "d/a.cc", "object=o/b.o temp=a.ii temp=a.bc temp=a.s"},
	    {"clang -save-temps=obj -c d/a.cc -o o/b.o", "c++", "d/a.cc",
	     "object=o/b.o temp=o/a.ii temp=o/a.bc temp=o/a.s"},
	    {"clang -emit-llvm -c a.c", "c", "a.c", "object=a.bc"},
	    {"clang -emit-llvm -S a.c", "c", "a.c", "object=a.ll"},
	    {"clang -flto=thin -c a.c", "c", "a.c", "object=a.o"},
	    /* operands that look like sources */
	    {"gcc -c -include x.c -I y.c -isystem z.c -T w.c -u v.c -aux-info=u a.c -o o", "c", "a.c", "object=o"},
	    {"clang -c -Xlinker x.c -target y.c -arch z.c -framework w.c -resource-dir v.c -e u.c a.c -o o", "c", "a.c",
	     "object=o"},
	    {"clang -c -Xclang -load -Xclang p.c --sysroot s.c -mllvm m.c --param n.c a.c -o o", "c", "a.c",
	     "object=o"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wb_command cmd = parse(f, cases[i].line);
		equal(cases[i].line, "language", wb_lang_name(cmd.lang), cases[i].lang);
		equal(cases[i].line, "source", cmd.source, cases[i].source);
		equal(cases[i].line, "argument of the source", cmd.arg[cmd.source_arg].value, cmd.source);
		equal(cases[i].line, "outputs", outputs(&f->a, &cmd), cases[i].outputs);
		equal(cases[i].line, "object", cmd.object, cmd.output[0].path);
		if (cmd.reason != WB_REASON_NONE && !strstr(cases[i].line, "aux-info"))
			fail_msg("%s: local: %s %s", cases[i].line, wb_reason_name(cmd.reason), cmd.reason_arg);
	}
}

static void local_with_a_reason(void **state)
{
	static const struct {
		const char *line;
		enum wb_reason reason;
		const char *arg;
	} cases[] = {
	    {"gcc a.o b.o -o x", WB_REASON_NOT_A_COMPILE, ""},
	    {"gcc a.c -o x", WB_REASON_NOT_A_COMPILE, ""},
	    {"gcc a.c b.c --coverage -march=native", WB_REASON_NOT_A_COMPILE, ""},
	    {"gcc -fsyntax-only a.c", WB_REASON_NOT_A_COMPILE, "-fsyntax-only"},
	    {"gcc -c -fsyntax-only a.c", WB_REASON_NOT_A_COMPILE, "-fsyntax-only"},
	    {"clang --version", WB_REASON_NOT_A_COMPILE, ""},
	    {"gcc -v", WB_REASON_NOT_A_COMPILE, ""},
	    {"gcc -dumpversion", WB_REASON_NOT_A_COMPILE, ""},
	    {"gcc", WB_REASON_NOT_A_COMPILE, ""},
	    {"gcc -print-file-name=libc.a -c a.c", WB_REASON_NOT_A_COMPILE, "-print-file-name=libc.a"},
	    {"gcc -E a.c", WB_REASON_PREPROCESS_ONLY, "-E"},
	    {"gcc -c -E a.c -march=native", WB_REASON_PREPROCESS_ONLY, "-E"},
	    {"gcc -M a.c", WB_REASON_PREPROCESS_ONLY, "-M"},
	    {"gcc -c", WB_REASON_NO_SOURCE, ""},
	    {"gcc -c a.o", WB_REASON_NO_SOURCE, "a.o"},
	    {"gcc -c a.c b.c", WB_REASON_SEVERAL_SOURCES, "b.c"},
	    {"gcc -c a.c b.o", WB_REASON_UNSUPPORTED_OPTION, "b.o"},
	    {"gcc -c -x c -", WB_REASON_STDIN, "-"},
	    {"clang -c -x c++ /dev/stdin -o x.o", WB_REASON_STDIN, "/dev/stdin"},
	    {"gcc -c a.c -o -", WB_REASON_STDOUT, "-"},
	    {"gcc -c a.c -o /dev/null", WB_REASON_STDOUT, "/dev/null"},
	    {"gcc -MD -MF - -c a.c", WB_REASON_STDOUT, "-"},
	    {"gcc -c a.m", WB_REASON_LANGUAGE, "a.m"},
	    {"gcc -c a.i", WB_REASON_LANGUAGE, "a.i"},
	    {"clang -c a.cu", WB_REASON_LANGUAGE, "a.cu"},
	    {"clang -c -x ir a", WB_REASON_LANGUAGE, "a"},
	    {"clang -c a.pch -o a.o", WB_REASON_LANGUAGE, "a.pch"},
	    {"clang -c a.cppm", WB_REASON_MODULES, "a.cppm"},
	    {"clang -c -fmodules a.c", WB_REASON_MODULES, "-fmodules"},
	    {"g++ -c -fmodules-ts a.cc", WB_REASON_MODULES, "-fmodules-ts"},
	    {"clang -c -fmodule-file=x=y.pcm a.cc", WB_REASON_MODULES, "-fmodule-file=x=y.pcm"},
	    {"clang -c -fmodule-output=x.pcm a.cc", WB_REASON_MODULES, "-fmodule-output=x.pcm"},
	    {"gcc -c -march=native a.c", WB_REASON_NATIVE_TUNING, "-march=native"},
	    {"gcc -c -mtune=native a.c", WB_REASON_NATIVE_TUNING, "-mtune=native"},
	    {"clang -c -mcpu=native+crypto a.c", WB_REASON_NATIVE_TUNING, "-mcpu=native+crypto"},
	    {"gcc -c --coverage a.c", WB_REASON_COVERAGE, "--coverage"},
	    {"gcc -c -fprofile-arcs -ftest-coverage a.c", WB_REASON_COVERAGE, "-fprofile-arcs"},
	    {"clang -c -ftime-trace a.c", WB_REASON_TIME_TRACE, "-ftime-trace"},
	    {"clang -c -MJ x.json a.c", WB_REASON_TIME_TRACE, "-MJ"},
	    {"gcc -c -###  a.c", WB_REASON_UNSUPPORTED_OPTION, "-###"},
	    {"gcc -c -v a.c", WB_REASON_UNSUPPORTED_OPTION, "-v"},
	    {"gcc -c -I- a.c", WB_REASON_UNSUPPORTED_OPTION, "-I-"},
	    {"gcc -c -fprofile-use a.c", WB_REASON_UNSUPPORTED_OPTION, "-fprofile-use"},
	    {"gcc -c -fprofile-use=x a.c", WB_REASON_UNSUPPORTED_OPTION, "-fprofile-use=x"},
	    {"clang -c -fprofile-use=. a.c", WB_REASON_UNSUPPORTED_OPTION, "-fprofile-use=."},
	    {"clang -c -ivfsoverlay x a.c", WB_REASON_UNSUPPORTED_OPTION, "-ivfsoverlay"},
	    {"clang -c -fthinlto-index=x a.c", WB_REASON_UNSUPPORTED_OPTION, "-fthinlto-index=x"},
	    {"gcc -c -frecord-gcc-switches a.c", WB_REASON_UNSUPPORTED_OPTION, "-frecord-gcc-switches"},
	    {"clang -c -grecord-command-line a.c", WB_REASON_UNSUPPORTED_OPTION, "-grecord-command-line"},
	    {"gcc -c -Wa,-a=x.lst a.c", WB_REASON_UNSUPPORTED_OPTION, "-a=x.lst"},
	    {"gcc -c -Wa,--noexecstack,-adhln a.c", WB_REASON_UNSUPPORTED_OPTION, "-adhln"},
	    {"gcc -c -Wa,@f a.c", WB_REASON_UNSUPPORTED_OPTION, "@f"},
	    {"clang -c -Xclang x.c a.c", WB_REASON_UNSUPPORTED_OPTION, "x.c"},
	    {"clang -c -Xclang -ast-dump a.c", WB_REASON_UNSUPPORTED_OPTION, "-ast-dump"},
	    {"clang -c -mllvm -info-output-file=/tmp/x a.c", WB_REASON_UNSUPPORTED_OPTION, "-mllvm"},
	    {"clang -c -working-directory /x a.c", WB_REASON_UNSUPPORTED_OPTION, "-working-directory"},
	    {"gcc -c -fdump-tree-all a.c", WB_REASON_UNSUPPORTED_OPTION, "-fdump-tree-all"},
	    {"gcc -c -dumpbase x a.c", WB_REASON_UNSUPPORTED_OPTION, "-dumpbase"},
	    {"gcc -c a.c -Wp,-MD,x.d -MD", WB_REASON_UNSUPPORTED_OPTION, "-MD"},
	    {"clang -save-temps -c a.S", WB_REASON_UNSUPPORTED_OPTION, "-save-temps"},
	    {"clang -x c++-header a.h", WB_REASON_UNSUPPORTED_OPTION, "a.h"},
	    {"gcc -c a.c -o", WB_REASON_BAD_COMMAND, "-o"},
	    {"gcc -E a.c -I", WB_REASON_BAD_COMMAND, "-I"},
	    {"clang -c a.c -Xclang", WB_REASON_BAD_COMMAND, "-Xclang"},
	    {"clang -c a.c -Xclang -include", WB_REASON_BAD_COMMAND, "-include"},
	    {"gcc -c a.c -Wp,-MD", WB_REASON_BAD_COMMAND, "-MD"},
	    {"clang -c a.c -Wp,-MD,f,-MT,t", WB_REASON_UNSUPPORTED_OPTION, "-MD"},
	    {"clang -c a.c -Wp,-MD -Wp,-DX", WB_REASON_UNSUPPORTED_OPTION, "-MD"},
	    {"ccache gcc -c a.c", WB_REASON_WRAPPER, "ccache"},
	    {"/usr/bin/clang-cl-22 /c a.c", WB_REASON_COMPILER, "/usr/bin/clang-cl-22"},
	    {"clang --driver-mode=cl -c a.c", WB_REASON_COMPILER, "--driver-mode=cl"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wb_command cmd = parse(f, cases[i].line);
		equal(cases[i].line, "reason", wb_reason_name(cmd.reason), wb_reason_name(cases[i].reason));
		equal(cases[i].line, "argument", cmd.reason_arg, cases[i].arg);
	}
	const char *none[] = {NULL};
	struct wb_err err = WB_ERR_INIT;
	struct wb_command cmd;
	assert_ok(wb_command_parse(&cmd, &f->a, none, f->dir, WB_DRIVER_GCC, &err), &err);
	assert_int_equal(cmd.reason, WB_REASON_BAD_COMMAND);
}

static void not_local(void **state)
{
	static const char *const lines[] = {
	    "gcc -c a.c -Wa,--noexecstack -Wa,-mrelax-relocations=no,--fatal-warnings -Wa,-Iinc",
	    "gcc -c a.c -Wl,-rpath,/x -L/y -lm -pthread -fPIC -static-libgcc -Wl,@x",
	    "clang -c a.c -mllvm -inline-threshold=5 -Xclang -disable-llvm-passes -fplugin=./p.so",
	    "clang -c a.c -working-directory=/proc/self/cwd -ffile-compilation-dir=.",
	    "clang -c a.c -fprofile-use=x.profdata -fsanitize-ignorelist=ign.txt -fsanitize=address",
	    "gcc -c a.c -grecord-gcc-switches -gno-record-gcc-switches -frandom-seed=x -pipe",
	    "clang -c a.c -Wno-whatever -Rpass=inline -flto=thin -march=x86-64-v3 -fdebug-prefix-map=/a=/b",
	    "gcc -c a.c -fauto-profile=x.afdo -fplugin=p -fplugin-arg-p-k=v -specs=/usr/lib/x.specs",
	    "clang -c a.c --config=/etc/x.cfg --gcc-toolchain=/usr -stdlib=libstdc++ -target x86_64-linux-gnu",
	    "gcc -c a.c -fsanitize=undefined -std=gnu17 -O2 -g3 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -U X",
	    "gcc -c a.c -weird-option -Xassembler --noexecstack --param max-inline=3 --param=x=4",
	    "gcc -c a.c -Wp,-D_FORTIFY_SOURCE=3 -Wp,-D_GLIBCXX_ASSERTIONS",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct wb_command cmd = parse(f, lines[i]);
		if (cmd.reason != WB_REASON_NONE)
			fail_msg("%s: local: %s %s", lines[i], wb_reason_name(cmd.reason), cmd.reason_arg);
		assert_int_equal(cmd.unknown, strstr(lines[i], "-weird-option") != NULL);
	}
}

/* One argument as "wrap|option|spelling|value|separate". */
static void logical_arguments(void **state)
{
	static const struct {
		const char *line, *args;
	} cases[] = {
	    {"clang -c -Xclang -include-pch -Xclang X.pch a.c", "-c; X:-include-pch X.pch; a.c"},
	    {"clang -c -Xclang -include -O2 -Xclang h a.c", "-c; X:-include h; -O+2; a.c"},
	    {"clang -c -Xclang=-emit-pch a.c", "-c; X:-emit-pch; a.c"},
	    {"clang -c -Xclang -fmodules-embed-all-files a.c", "-c; X:-fmodules-embed-all-files; a.c"},
	    {"gcc -c -Wp,-MD,f.d,-DX,-I,inc a.c", "-c; P:-MD f.d; P:-D+X; P:-I inc; a.c"},
	    {"gcc -c -Wp,-MD -Wp,f.d a.c", "-c; P:-MD f.d; a.c"},
	    {"gcc -c -Xpreprocessor -I -Xpreprocessor inc a.c", "-c; p:-I inc; a.c"},
	    {"clang -c -Wp,-D,X -Wp,-isystem,s a.c", "-c; P:-D X; P:-isystem s; a.c"},
	    {"gcc -c -Wa,--defsym,X=1,-mrelax-relocations=no a.c",
	     "-c; A:--defsym X=1; A:-m+relax-relocations=no; a.c"},
	    {"gcc -c -Xassembler -I -Xassembler inc a.c", "-c; a:-I inc; a.c"},
	    {"gcc -Iinc -I inc -iquoteq -std=c11 -O -fPIC -weird a.c",
	     "-I+inc; -I inc; -iquote+q; -std=+c11; -O; -f+PIC; ?-weird; a.c"},
	    {"gcc -I -c -D -E a.c", "-I -c; -D -E; a.c"},
	    {"clang -c -- a.c -c", "-c; --; a.c; -c"},
	    {"clang -Xarch_x86_64 -DX -c a.c", "-Xarch_x86_64 -DX; -c; a.c"},
	};
	static const char wrap[] = {[WB_WRAP_XCLANG] = 'X',
				    [WB_WRAP_XPREPROCESSOR] = 'p',
				    [WB_WRAP_WP] = 'P',
				    [WB_WRAP_XASSEMBLER] = 'a',
				    [WB_WRAP_WA] = 'A'};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wb_command cmd = parse(f, cases[i].line);
		struct wb_buf b = WB_BUF_INIT;
		for (size_t k = 0; k < cmd.narg; k++) {
			const struct wb_arg *arg = &cmd.arg[k];
			wb_buf_adds(&b, k ? "; " : "");
			if (arg->wrap)
				wb_buf_addf(&b, "%c:", wrap[arg->wrap]);
			if (arg->spelling && !arg->option)
				wb_buf_addc(&b, '?');
			wb_buf_adds(&b, arg->spelling ? arg->spelling : "");
			if (arg->value && arg->spelling)
				wb_buf_adds(&b, arg->separate ? " " : "+");
			wb_buf_adds(&b, arg->value ? arg->value : "");
		}
		equal(cases[i].line, "arguments", b.p, cases[i].args);
		wb_buf_release(&b);
	}
}

static void comes_out_as_it_went_in(struct fixture *f, const char *const *argv)
{
	struct wb_command cmd = parse_argv(f, argv);
	struct wb_argv out = {0};
	wb_command_emit(&out, &f->a, &cmd);
	size_t i = 0;
	for (; argv[i]; i++)
		if (i >= out.n || strcmp(argv[i], out.v[i]) != 0)
			fail_msg("%s ... %s: came out as %s", argv[0], argv[i], i < out.n ? out.v[i] : "nothing");
	assert_int_equal(out.n, i);
	/* and the model of what came out is the same model */
	struct wb_command again = parse_argv(f, out.v);
	assert_int_equal(again.narg, cmd.narg);
	assert_int_equal(again.reason, cmd.reason);
	assert_int_equal(again.noutput, cmd.noutput);
	for (size_t k = 0; k < cmd.narg; k++)
		assert_ptr_equal(again.arg[k].option, cmd.arg[k].option);
}

static void lossless(void **state)
{
	static const char *const lines[] = {
	    ("clang++-22 -DX=1 -isystem /c -Winvalid-pch -Xclang -emit-pch -Xclang -include -Xclang /b/h.hxx -x "
	     "c++-header -MD -MT X.pch -MF X.pch.d -o X.pch -c /b/cmake_pch.hxx.cxx"),
	    "gcc -c a.c -Wp,-MD,f.d -Wa,--noexecstack -Wl,-z,now,-rpath,/x -Xlinker -z -Xlinker now",
	    "clang -c -weird --odd=thing - -- -x -I",
	    "gcc -c @missing.rsp a.c -D -o",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		comes_out_as_it_went_in(f, words(&f->a, lines[i]).v);

	/* every row of the table, in every form and place */
	size_t n, count = 0;
	const struct wb_option *t = wb_option_table(&n);
	for (size_t i = 0; i < n; i++) {
		for (unsigned where = 1; where <= WB_WHERE_AS; where <<= 1) {
			if (!(t[i].where & where))
				continue;
			static const char *const wrapper[] = {[WB_WHERE_GCC] = NULL,
							      [WB_WHERE_CLANG] = NULL,
							      [WB_WHERE_CC1] = "-Xclang",
							      [WB_WHERE_CPP] = "-Xpreprocessor",
							      [WB_WHERE_AS] = "-Xassembler"};
			bool clang = where == WB_WHERE_CLANG || where == WB_WHERE_CC1;
			/* the parser unwraps these: their operand is an option */
			bool unwrapped = t[i].meaning == WB_MEAN_XCLANG || t[i].meaning == WB_MEAN_XPREPROCESSOR ||
					 t[i].meaning == WB_MEAN_WP || t[i].meaning == WB_MEAN_XASSEMBLER ||
					 t[i].meaning == WB_MEAN_ASM_OPTION;
			if (unwrapped && !wrapper[where])
				continue;
			for (int form = 0; form < 3; form++) {
				struct wb_argv v = {0};
				wb_argv_push(&v, &f->a, clang ? "clang" : "gcc");
				if (wrapper[where])
					wb_argv_push(&v, &f->a, wrapper[where]);
				if (form == 0 && (t[i].form & WB_FORM_FLAG)) {
					wb_argv_push(&v, &f->a, t[i].name);
				} else if (form == 1 && (t[i].form & WB_FORM_JOINED)) {
					wb_argv_pushf(&v, &f->a, "%s%s", t[i].name, "operand,x");
				} else if (form == 2 && (t[i].form & WB_FORM_SEPARATE)) {
					wb_argv_pushf(&v, &f->a, "%s%s", t[i].name,
						      t[i].form & WB_FORM_PAIR ? "part" : "");
					if (wrapper[where])
						wb_argv_push(&v, &f->a, wrapper[where]);
					wb_argv_push(&v, &f->a, "a,b.c");
				} else {
					continue;
				}
				wb_argv_push(&v, &f->a, "-c");
				wb_argv_push(&v, &f->a, "a.c");
				comes_out_as_it_went_in(f, v.v);
				count++;
			}
		}
	}
	assert_true(count > 1500);
}

static void pch_roles(void **state)
{
	static const struct {
		const char *line;
		enum wb_pch_role role;
		const char *path, *header;
		enum wb_reason reason;
	} cases[] = {
	    {"clang -Xclang -emit-pch -Xclang -include -Xclang /b/cmake_pch.hxx -x c++-header -o T/cmake_pch.hxx.pch "
	     "-c "
	     "/b/cmake_pch.hxx.cxx",
	     WB_PCH_CREATE, "T/cmake_pch.hxx.pch", "/b/cmake_pch.hxx", WB_REASON_NONE},
	    {"clang -include extra.h -Xclang -emit-pch -Xclang -include -Xclang /b/cmake_pch.hxx -x c++-header -o "
	     "T/cmake_pch.hxx.pch -c /b/cmake_pch.hxx.cxx",
	     WB_PCH_CREATE, "T/cmake_pch.hxx.pch", "/b/cmake_pch.hxx", WB_REASON_NONE},
	    {"g++ -x c++-header -include /b/cmake_pch.hxx -o T/cmake_pch.hxx.gch -c /b/cmake_pch.hxx.cxx",
	     WB_PCH_CREATE, "T/cmake_pch.hxx.gch", "/b/cmake_pch.hxx", WB_REASON_NONE},
	    {"g++ -x c++-header d/x.h", WB_PCH_CREATE, "d/x.h.gch", "d/x.h", WB_REASON_NONE},
	    {"g++ -c d/x.hpp", WB_PCH_CREATE, "d/x.hpp.gch", "d/x.hpp", WB_REASON_NONE},
	    {"clang++ -x c++-header d/x.h -o x.pch", WB_PCH_CREATE, "x.pch", "d/x.h", WB_REASON_NONE},
	    {"clang++ -x c++-header d/x.h -include other.h -o d/x.h.pch", WB_PCH_CREATE, "d/x.h.pch", "d/x.h",
	     WB_REASON_NONE},
	    {"clang -Xclang -include-pch -Xclang /b/cmake_pch.hxx.pch -Xclang -include -Xclang /b/cmake_pch.hxx -c "
	     "a.cc",
	     WB_PCH_USE, "/b/cmake_pch.hxx.pch", "/b/cmake_pch.hxx", WB_REASON_NONE},
	    {"clang -include-pch p.pch -c a.cc", WB_PCH_USE, "p.pch", NULL, WB_REASON_NONE},
	    {"clang -include-pch d/p.pch -include other.h -include d/p.h -c a.cc", WB_PCH_USE, "d/p.pch", "d/p.h",
	     WB_REASON_NONE},
	    {"clang -include-pch p.pch -include-pch q.pch -c a.cc", WB_PCH_USE, "q.pch", NULL,
	     WB_REASON_UNSUPPORTED_OPTION},
	    {"clang -include-pch p.pch -x c++-header x.h -o x.pch", WB_PCH_CREATE, "x.pch", "x.h",
	     WB_REASON_UNSUPPORTED_OPTION},
	    /* beside an -include; see the files below */
	    {"clang -include both.h -c a.cc", WB_PCH_USE, "both.h.pch", "both.h", WB_REASON_NONE},
	    {"clang -include clang.h -c a.cc", WB_PCH_USE, "clang.h.gch", "clang.h", WB_REASON_NONE},
	    {"clang -include gcc.h -c a.cc", WB_PCH_NONE, NULL, NULL, WB_REASON_UNSUPPORTED_OPTION},
	    {"clang -include dir.h -c a.cc", WB_PCH_NONE, NULL, NULL, WB_REASON_UNSUPPORTED_OPTION},
	    {"clang -include plain.h -include both.h -c a.cc", WB_PCH_NONE, NULL, NULL, WB_REASON_NONE},
	    {"clang -Iinc -include deep.h -c a.cc", WB_PCH_NONE, NULL, NULL, WB_REASON_NONE},
	    {"clang -Xclang -include -Xclang both.h -c a.cc", WB_PCH_NONE, NULL, NULL, WB_REASON_NONE},
	    {"gcc -include gcc.h -c a.cc", WB_PCH_USE, "gcc.h.gch", "gcc.h", WB_REASON_NONE},
	    {"gcc -include both.h -c a.cc", WB_PCH_NONE, NULL, NULL, WB_REASON_NONE},
	    {"gcc -include dir.h -c a.cc", WB_PCH_NONE, NULL, NULL, WB_REASON_UNSUPPORTED_OPTION},
	    {"gcc -include plain.h -include gcc.h -c a.cc", WB_PCH_NONE, NULL, NULL, WB_REASON_NONE},
	    {"gcc -imacros plain.h -include gcc.h -c a.cc", WB_PCH_NONE, NULL, NULL, WB_REASON_NONE},
	    {"gcc -include gcc.h -imacros plain.h -c a.cc", WB_PCH_NONE, NULL, NULL, WB_REASON_NONE},
	    {"gcc -Iinc -include deep.h -c a.cc", WB_PCH_USE, "inc/deep.h.gch", "inc/deep.h", WB_REASON_NONE},
	    {"gcc -Iinc -iquotequote -include deep.h -c a.cc", WB_PCH_NONE, NULL, NULL, WB_REASON_NONE},
	    {"gcc -include gcc.h -c a.S", WB_PCH_NONE, NULL, NULL, WB_REASON_NONE},
	};
	struct fixture *f = *state;
	put(f, "both.h", "");
	put(f, "both.h.pch", "CPCH");
	put(f, "clang.h.gch", "CPCH");
	put(f, "gcc.h.gch", "gpch");
	put(f, "gcc.h", "");
	put(f, "plain.h", "");
	put(f, "dir.h.gch/c++.gch", "gpch");
	put(f, "inc/deep.h.gch", "gpch");
	put(f, "quote/deep.h", "");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wb_command cmd = parse(f, cases[i].line);
		if (cmd.pch_role != cases[i].role)
			fail_msg("%s: role %d", cases[i].line, cmd.pch_role);
		equal(cases[i].line, "pch", cmd.pch_path, cases[i].path);
		equal(cases[i].line, "header", cmd.pch_header, cases[i].header);
		equal(cases[i].line, "reason", wb_reason_name(cmd.reason), wb_reason_name(cases[i].reason));
	}
}

static bool have(const char *compiler)
{
	struct wb_buf probe = WB_BUF_INIT;
	wb_buf_addf(&probe, "command -v %s >/dev/null 2>&1", compiler);
	bool yes = system(probe.p) == 0;
	wb_buf_release(&probe);
	return yes;
}

/* Run `line` in the fixture's directory and return what it printed. */
static const char *printed_by(struct fixture *f, const char *line)
{
	struct wb_err err = WB_ERR_INIT;
	struct wb_buf text = WB_BUF_INIT;
	struct wb_process p = {.argv = words(&f->a, line).v, .cwd = f->dir, .out = &text, .err_out = &text};
	int status;
	assert_ok(wb_process_run(&status, &p, &err), &err);
	wb_buf_adds(&text, "");
	const char *s = wb_arena_strdup(&f->a, text.p);
	wb_buf_release(&text);
	return s;
}

/* Which precompiled header does the compiler take? gcc -H marks it with '!', clang -### shows -include-pch. */
static void pch_as_the_compiler(struct fixture *f, const char *compiler, bool clang)
{
	static const char *const rest[] = {
	    "-include x.h -c a.cc",
	    "-include none.h -include x.h -c a.cc",
	    "-include x.h -include none.h -c a.cc",
	    "-imacros none.h -include x.h -c a.cc",
	    "-include x.h -imacros none.h -c a.cc",
	    "-Iinc -include deep.h -c a.cc",
	    "-isystem inc -include deep.h -c a.cc",
	    "-Iinc -iquote quote -include deep.h -c a.cc",
	    "-idirafter inc -include deep.h -c a.cc",
	    "-include inc/deep.h -c a.cc",
	    "-include only.h -c a.cc",
	    "-includex.h -c a.cc",
	    "-Wp,-include,x.h -c a.cc",
	    "-x c -include x.h -c a.cc",
	};
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
		const char *line = wb_arena_printf(&f->a, "%s %s %s", compiler, clang ? "-###" : "-H", rest[i]);
		const char *text = printed_by(f, line);
		struct wb_command cmd = parse(f, wb_arena_printf(&f->a, "%s %s", compiler, rest[i]));
		bool uses = strstr(text, clang ? "\"-include-pch\"" : "! ") != NULL;
		/* gcc looks closer than its search: a header for C++ is none for C */
		if (!clang && strstr(rest[i], "-x c "))
			continue;
		if (uses != (cmd.pch_role == WB_PCH_USE))
			fail_msg("%s: role %d, the compiler says: %s", line, cmd.pch_role, text);
		if (uses && !strstr(text, cmd.pch_path))
			fail_msg("%s: took %s, the compiler says: %s", line, cmd.pch_path, text);
	}
}

static void pch_roles_gcc(void **state)
{
	struct fixture *f = *state;
	if (!have("g++"))
		skip();
	put(f, "a.cc", "int a;\n");
	put(f, "x.h", "int x();\n");
	put(f, "none.h", "int n();\n");
	put(f, "inc/deep.h", "int d();\n");
	put(f, "quote/deep.h", "int q();\n");
	assert_string_equal(printed_by(f, "g++ -x c++-header x.h -o x.h.gch"), "");
	assert_string_equal(printed_by(f, "g++ -x c++-header x.h -o only.h.gch"), "");
	assert_string_equal(printed_by(f, "g++ -x c++-header inc/deep.h"), "");
	pch_as_the_compiler(f, "g++", false);
}

static void pch_roles_clang(void **state)
{
	static const char *const compilers[] = {"clang++-22", "clang++-19", "clang++-16", "clang++-14"};
	struct fixture *f = *state;
	put(f, "a.cc", "int a;\n");
	put(f, "x.h", "int x();\n");
	put(f, "none.h", "int n();\n");
	put(f, "inc/deep.h", "int d();\n");
	put(f, "quote/deep.h", "int q();\n");
	for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++) {
		if (!have(compilers[i]))
			continue;
		printed_by(f, wb_arena_printf(&f->a, "%s -x c++-header x.h -o x.h.pch", compilers[i]));
		printed_by(f, wb_arena_printf(&f->a, "%s -x c++-header x.h -o only.h.gch", compilers[i]));
		printed_by(f, wb_arena_printf(&f->a, "%s -x c++-header inc/deep.h -o inc/deep.h.gch", compilers[i]));
		pch_as_the_compiler(f, compilers[i], true);
	}
}

static void response_files(void **state)
{
	struct fixture *f = *state;
	put(f, "a.rsp", "-c 'a b.c' @b.rsp");
	put(f, "b.rsp", "-o b.o");
	struct wb_command cmd = parse(f, "gcc @a.rsp");
	assert_string_equal(cmd.source, "a b.c");
	assert_string_equal(cmd.object, "b.o");
	assert_int_equal(cmd.nresponse_files, 2);
	assert_string_equal(cmd.response_files[1], in_dir(f, "b.rsp"));
	struct wb_argv out = {0};
	wb_command_emit(&out, &f->a, &cmd);
	assert_int_equal(out.n, 5);
}

static void colours(void **state)
{
	static const struct {
		const char *line;
		int color;
	} cases[] = {
	    {"gcc -c a.c", -1},
	    {"gcc -c a.c -fdiagnostics-color", 1},
	    {"gcc -c a.c -fdiagnostics-color=always -fdiagnostics-color=auto", 2},
	    {"gcc -c a.c -fdiagnostics-color=never", 0},
	    {"clang -c a.c -fcolor-diagnostics -fno-color-diagnostics", 0},
	    {"clang -c a.c -fno-color-diagnostics -fcolor-diagnostics", 1},
	    {"gcc -c a.c -fno-diagnostics-color", 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(parse(*state, cases[i].line).color, cases[i].color);
}

static void drivers(void **state)
{
	(void)state;
	static const char *const clang[] = {"clang", "clang++-22", "/usr/lib/llvm-14/bin/clang",
					    "aarch64-linux-gnu-clang++"};
	static const char *const gcc[] = {"gcc", "g++-12", "cc", "c++", "/clang/bin/x86_64-linux-gnu-gcc"};
	for (size_t i = 0; i < sizeof clang / sizeof *clang; i++)
		assert_int_equal(wb_driver_guess(clang[i]), WB_DRIVER_CLANG);
	for (size_t i = 0; i < sizeof gcc / sizeof *gcc; i++)
		assert_int_equal(wb_driver_guess(gcc[i]), WB_DRIVER_GCC);
}

/* ---- the oracle: run the compiler and look which files it wrote ---- */

static struct {
	char list[8192];
	size_t root_len;
} seen;

static int note_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	static const char *const ours[] = {"d/x.cpp", "d/y.c", "d/h.h", "d/a.S", "d/loop.c"};
	if (type != FTW_F)
		return 0;
	const char *name = path + seen.root_len;
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strcmp(name, ours[i]) == 0)
			return 0;
	size_t n = strlen(seen.list);
	snprintf(seen.list + n, sizeof seen.list - n, " %s ", name);
	return 0;
}

static bool writes(const char *path)
{
	char padded[512];
	snprintf(padded, sizeof padded, " %s ", path);
	return strstr(seen.list, padded) != NULL;
}

static void check_outputs(struct fixture *f, const char *compiler, const char *rest)
{
	struct wb_err err = WB_ERR_INIT;
	assert_ok(wb_dir_remove(in_dir(f, "run"), &err), &err);
	put(f, "run/d/x.cpp", "int f(int x){return x+1;}\n");
	put(f, "run/d/y.c", "int g(int x){return x+1;}\n");
	put(f, "run/d/h.h", "int h(int);\n");
	put(f, "run/d/a.S", ".globl x\nx: ret\n");
	put(f, "run/d/loop.c", "void l(int *a){for(int i=0;i<100;i++)a[i]=i;}\n");
	assert_ok(wb_dir_make(in_dir(f, "run/out/sub.d"), 0777, &err), &err);

	const char *line = wb_arena_printf(&f->a, "%s %s", compiler, rest);
	struct wb_argv v = words(&f->a, line);
	const char *cwd = in_dir(f, "run");
	struct wb_command cmd;
	assert_ok(wb_command_parse(&cmd, &f->a, v.v, cwd, wb_driver_guess(v.v[0]), &err), &err);
	if (cmd.reason != WB_REASON_NONE && cmd.reason != WB_REASON_COVERAGE)
		fail_msg("%s: local: %s %s", line, wb_reason_name(cmd.reason), cmd.reason_arg);

	struct wb_buf text = WB_BUF_INIT;
	struct wb_process p = {.argv = v.v, .cwd = cwd, .out = &text, .err_out = &text};
	int status;
	assert_ok(wb_process_run(&status, &p, &err), &err);
	if (status != 0)
		fail_msg("%s: exit status %d: %s", line, status, text.p ? text.p : "");
	wb_buf_release(&text);

	seen.list[0] = '\0';
	seen.root_len = strlen(cwd) + 1;
	assert_int_equal(nftw(cwd, note_file, 16, FTW_PHYS), 0);
	size_t listed = 0;
	for (size_t i = 0; i < cmd.noutput; i++) {
		bool there = writes(cmd.output[i].path);
		if (!there && !cmd.output[i].optional)
			fail_msg("%s: did not write %s, but%s", line, cmd.output[i].path, seen.list);
		listed += there;
	}
	size_t written = 0;
	for (const char *s = seen.list; *s; s++)
		written += s[0] == ' ' && s[1] != ' ' && s[1] != '\0';
	if (written != listed)
		fail_msg("%s: wrote%s, we expected %s", line, seen.list, outputs(&f->a, &cmd));
}

/* Every `step`th command: the versions between the oldest and the newest are sampled. */
static void outputs_of(void **state, const char *compiler, bool clang, size_t step)
{
	static const char *const both[] = {
	    "-c d/x.cpp",
	    "-S d/x.cpp",
	    "-c d/a.S",
	    "-MD -c d/a.S -o out/a.S.o",
	    "-c d/x.cpp -o out/x.cpp.o",
	    "-MD -c d/x.cpp",
	    "-MD -c d/x.cpp -o out/x.cpp.o",
	    "-MMD -c d/x.cpp -o out/obj",
	    "-MMD -c d/x.cpp -o out/sub.d/obj",
	    "-MD -S d/x.cpp -o out/x.y.s",
	    "-MD -MF out/dep -MT t -c d/x.cpp",
	    "-Wp,-MD,out/dep -c d/y.c -o out/y.o",
	    "-g -gsplit-dwarf -c d/x.cpp",
	    "-g -gsplit-dwarf -c d/x.cpp -o out/x.cpp.o",
	    "-g -gsplit-dwarf -c d/x.cpp -o out/obj",
	    "-gsplit-dwarf -c d/x.cpp -o out/x.o",
	    "-gsplit-dwarf -g0 -c d/x.cpp -o out/x.o",
	    "-g -gsplit-dwarf -S d/x.cpp -o out/x.s",
	    "-save-temps -c d/x.cpp -o out/z.cpp.o",
	    "-save-temps -c d/y.c",
	    "-save-temps=obj -c d/x.cpp -o out/z.cpp.o",
	    "-save-temps=cwd -c d/y.c -o out/z.c.o",
	    "-save-temps=obj -c d/y.c",
	    "-save-temps=obj -c d/x.cpp -o out/obj",
	    "-save-temps=obj -S d/x.cpp -o out/z.s",
	    "-save-temps -g -gsplit-dwarf -MD -fstack-usage -c d/x.cpp -o out/z.cpp.o",
	    "-fstack-usage -c d/x.cpp",
	    "-fstack-usage -c d/x.cpp -o out/z.cpp.o",
	    "-fstack-usage -c d/x.cpp -o out/obj",
	    "-fsave-optimization-record -O2 -c d/loop.c",
	    "-fsave-optimization-record -O2 -c d/loop.c -o out/z.c.o",
	    "-fsave-optimization-record -c d/loop.c -o out/obj",
	    "--coverage -c d/x.cpp",
	    "--coverage -c d/x.cpp -o out/z.cpp.o",
	    "-x c++-header -MD -c d/h.h -o out/h.h.gch",
	    "-x c++-header -MD d/h.h -o out/h",
	    "-Wa,--noexecstack -Wa,-I,d -c d/y.c",
	};
	static const char *const gcc_only[] = {
	    "-x c++-header d/h.h",
	    "-x c-header -c d/h.h",
	    "-Wp,-MMD,out/dep,-MT,x -c d/y.c -o out/y.o",
	    "-fcallgraph-info -c d/y.c -o out/z.c.o",
	    "-fcallgraph-info=su,da -c d/y.c",
	    "-flto -c d/y.c -o out/y.o",
	};
	static const char *const clang_only[] = {
	    "--serialize-diagnostics out/x.dia -c d/y.c",
	    "-fsave-optimization-record -foptimization-record-file=out/rec -O2 -c d/loop.c",
	    "-gsplit-dwarf=single -g -c d/y.c",
	    "-emit-llvm -c d/y.c",
	    "-emit-llvm -S d/y.c",
	    "-flto -c d/y.c",
	    "-flto=thin -S d/y.c",
	    "-Xclang -emit-pch -Xclang -include -Xclang d/h.h -x c++-header -MD -MF out/p.d -o out/h.h.pch -c d/x.cpp",
	};
	if (!have(compiler))
		skip();
	for (size_t i = 0; i < sizeof both / sizeof *both; i += step)
		check_outputs(*state, compiler, both[i]);
	for (size_t i = 0; !clang && i < sizeof gcc_only / sizeof *gcc_only; i++)
		check_outputs(*state, compiler, gcc_only[i]);
	for (size_t i = 0; clang && i < sizeof clang_only / sizeof *clang_only; i += step)
		check_outputs(*state, compiler, clang_only[i]);
}

static void outputs_gcc(void **state)
{
	outputs_of(state, "gcc", false, 1);
}

static void outputs_clang22(void **state)
{
	outputs_of(state, "clang-22", true, 1);
}

static void outputs_clang19(void **state)
{
	outputs_of(state, "clang-19", true, 4);
}

static void outputs_clang16(void **state)
{
	outputs_of(state, "clang-16", true, 4);
}

static void outputs_clang14(void **state)
{
	outputs_of(state, "clang-14", true, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(compiles),        TEST(local_with_a_reason),
	    TEST(not_local),       TEST(logical_arguments),
	    TEST(lossless),        TEST(pch_roles),
	    TEST(pch_roles_gcc),   TEST(pch_roles_clang),
	    TEST(response_files),  TEST(colours),
	    TEST(drivers),         TEST(outputs_gcc),
	    TEST(outputs_clang22), TEST(outputs_clang19),
	    TEST(outputs_clang16), TEST(outputs_clang14),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
