#!/usr/bin/env bash
# Acceptance 6: what else stands on command lines. Each case compares all files, stdout, stderr and exit code with the plain
# compiler's in the same directory, twice (executed, then from the cache); local runs must be counted.
#   special_flags.sh [COMPILER]
source "$(dirname -- "$0")/lib.sh"
source "$here/compare.sh"
compiler=${1:-clang-22}
compiler_pair "$compiler"
family=${compiler%%-*}
export LC_ALL=C

# A small project in $W: src, include (with a nested header), build.
project() {
  fresh
  mkdir -p src include/sub build
  cat >include/a.h <<'H'
#pragma once
#include <stddef.h>
#include "sub/b.h"
H
  echo 'static inline int b(void) { return B_VALUE; }' >include/sub/b.h
  cat >src/main.c <<'C'
#include "a.h"
#ifdef TEXT
const char *text = TEXT;
#endif
int main(void) { return b(); }
C
  cat >src/plus.cpp <<'CPP'
#include "a.h"
#include <string>
std::string plus() { return std::to_string(b()); }
CPP
}
D=-DB_VALUE=3

# ---- languages and depfiles
project
both "C" cached "$cc" $D -Iinclude -O2 -c src/main.c -o main.o
both "C++" cached "$cxx" $D -Iinclude -O2 -std=c++17 -c src/plus.cpp -o plus.o
both "no -o" any "$cc" $D -Iinclude -c src/main.c
cd build
both "from a build directory" cached "$cc" $D -I../include -c ../src/main.c -o main.o
cd "$W"
both "absolute paths" cached "$cc" $D -I"$W/include" -c "$W/src/main.c" -o "$W/build/main.o"
both "-S" any "$cc" $D -Iinclude -S src/main.c -o main.s
both "-MD" cached "$cc" $D -Iinclude -MD -c src/main.c -o main.o
both "-MMD" cached "$cc" $D -Iinclude -MMD -c src/main.c -o main.o
both "-MD -MF -MT" cached "$cc" $D -Iinclude -MD -MF build/x.d -MT 'a target' -c src/main.c -o main.o
both "-MMD -MP -MQ" cached "$cc" $D -Iinclude -MMD -MP -MFbuild/x.d -MQ 'a$b' -c src/main.c -o main.o
both "-MD, absolute paths" cached "$cc" $D -I"$W/include" -MD -MT main.o -MF "$W/build/x.d" -c "$W/src/main.c" -o main.o
both "-Wp,-MD" any "$cc" $D -Iinclude -Wp,-MD,build/y.d -c src/main.c -o main.o
both "a directory with a space" any "$cc" $D -Iinclude -c src/main.c -o "build/a b.o"
both "-D with quotes and spaces" cached "$cc" $D -Iinclude '-DTEXT="two  words, \"quoted\""' -c src/main.c -o main.o
both "-include" cached "$cc" $D -include include/a.h -Iinclude -c src/main.c -o main.o
both "-include, found through -I" cached "$cc" $D -include a.h -Iinclude -c src/main.c -o main.o
both "-imacros" any "$cc" -imacros include/macros.h -Iinclude -c src/main.c -o main.o # the header does not exist
echo '#define B_VALUE 9' >include/macros.h
both "-imacros, and it exists" cached "$cc" -imacros include/macros.h -Iinclude -c src/main.c -o main.o
both "-x" any "$cc" $D -Iinclude -x c++ -c src/main.c -o main.o
both "warnings with -w" cached "$cc" $D -w -Iinclude -c src/main.c -o main.o

# ---- response files
project
echo '-DB_VALUE=3 "-DTEXT=\"from a file\""' >build/defines.rsp
echo '-Iinclude @build/defines.rsp -c' >build/all.rsp
both "response files, nested" cached "$cc" @build/all.rsp src/main.c -o main.o
echo '-DB_VALUE=4' >build/defines.rsp
both "a changed response file" cached "$cc" @build/all.rsp src/main.c -o main.o
both "a response file that is not there" any "$cc" @build/absent.rsp $D -Iinclude -c src/main.c -o main.o

# ---- debug information and other outputs: names in them differ by design, the set of files may not
project
loose=('*.o' '*.dwo')
both "-g" cached "$cc" $D -g -Iinclude -c src/main.c -o main.o
both "-gsplit-dwarf" any "$cc" $D -g -gsplit-dwarf -Iinclude -c src/main.c -o build/main.o
"$cc" build/main.o -o build/main
gdb -q -nx -batch -ex 'list main' build/main >"$T/gdb.txt" 2>&1 || true
grep -q 'int main(void)' "$T/gdb.txt" || fail "gdb does not find the source of a split-DWARF object: $(cat "$T/gdb.txt")"
loose=('*.i' '*.ii' '*.s' '*.bc' '*.o')
both "-save-temps" any "$cc" $D -save-temps -Iinclude -c src/main.c -o build/main.o
both "-save-temps=obj" any "$cc" $D -save-temps=obj -Iinclude -c src/main.c -o build/main.o
loose=()
both "-fstack-usage" any "$cc" $D -fstack-usage -Iinclude -c src/main.c -o build/main.o

step "--coverage: the profile goes where it goes without Waybill"
project
loose=('*.gcno' '*.o')
both "--coverage" any "$cc" $D --coverage -Iinclude -c src/main.c -o build/main.o
loose=()
if "$cc" --coverage build/main.o -o build/main 2>"$T/link.err"; then
  rm -f build/*.gcda
  build/main || [ $? = 3 ] || fail "the program with coverage"
  [ -s build/main.gcda ] || fail "no build/main.gcda: $(ls build)"
else # the package with this clang's runtime is not installed
  echo "not linked: $(head -n 1 "$T/link.err")"
fi

# ---- assembler
project
printf '#include "value.inc"\n#ifdef NEXT\n\t.byte 2\n#endif\n\t.data\nvalue: .byte VALUE\n' >src/asm.S
echo '#define VALUE 7' >include/value.inc
both ".S" any "$cc" -Iinclude -DNEXT -c src/asm.S -o asm.o
echo '#define VALUE 8' >include/value.inc
both ".S, changed include" any "$cc" -Iinclude -DNEXT -c src/asm.S -o asm.o
printf '\t.data\nx: .byte 1\n' >src/plain.s
both ".s" any "$cc" -c src/plain.s -o plain.o
echo one >src/blob.bin
printf '\t.data\nblob: .incbin "src/blob.bin"\n' >src/incbin.S
both ".incbin" any "$cc" -c src/incbin.S -o incbin.o
echo two >src/blob.bin
both ".incbin, changed" any "$cc" -c src/incbin.S -o incbin.o
printf '__asm__(".data\\nblob: .incbin \\"src/blob.bin\\"");\n' >src/incbin.c
both ".incbin in C" any "$cc" -c src/incbin.c -o incbin.o
echo six >src/blob.bin
both ".incbin in C, changed" any "$cc" -c src/incbin.c -o incbin.o

# ---- the clock
project
echo 'const char *date = __DATE__;' >src/date.c
both "__DATE__" local:time_macro "$cc" -c src/date.c -o date.o
export SOURCE_DATE_EPOCH=86400
both "__DATE__ with SOURCE_DATE_EPOCH" any "$cc" -c src/date.c -o date.o
export SOURCE_DATE_EPOCH=259200
both "another SOURCE_DATE_EPOCH" any "$cc" -c src/date.c -o date.o
unset SOURCE_DATE_EPOCH
printf '#define D __DATE__\nint no_date;\n' >src/unused.c
both "__DATE__ in a macro nobody uses" any "$cc" -c src/unused.c -o unused.o

# ---- names of files in the object
project
echo '#include "where.h"
const char *source = __FILE__;' >src/where.c
echo 'static const char *header __attribute__((used)) = __FILE__;' >include/where.h
both "__FILE__, relative" any "$cc" -Iinclude -c src/where.c -o where.o
both "-ffile-prefix-map of the project's own" any "$cc" -ffile-prefix-map="$W"=/mapped -I"$W/include" -c "$W/src/where.c" -o where.o
grep -aq '/mapped/src/where.c' where.o || fail "the project's own prefix map lost its effect"
both "-fmacro-prefix-map" any "$cc" -fmacro-prefix-map="$W/"= -I"$W/include" -c "$W/src/where.c" -o where.o

# ---- search paths
project
mkdir cpath cplus
echo '#define B_VALUE 5' >cpath/from_env.h
echo '#define B_VALUE 6' >cplus/from_env.h
sed -i '1i #include <from_env.h>' src/main.c src/plus.cpp
export CPATH=$W/cpath
both "CPATH" any "$cc" -Iinclude -c src/main.c -o main.o
echo '#define B_VALUE 8' >cpath/from_env.h
both "CPATH, changed header" any "$cc" -Iinclude -c src/main.c -o main.o
unset CPATH
export CPLUS_INCLUDE_PATH=cplus
both "CPLUS_INCLUDE_PATH, relative" any "$cxx" -Iinclude -c src/plus.cpp -o plus.o
unset CPLUS_INCLUDE_PATH
both "without it: an error" any "$cc" -Iinclude -c src/main.c -o main.o

project
mkdir -p deep/er/lib deep/er/include include lib
ln -s deep/er/lib link
echo '#define FROM 1' >deep/er/include/from.h # link/../include
echo '#define FROM 2' >include/from.h         # include
echo '#include "from.h"
int from = FROM;' >src/from.c
both "a symlink with .. behind it" any "$cc" -Ilink/../include -c src/from.c -o from.o
both "the directory that the text would mean" any "$cc" -Iinclude -c src/from.c -o from.o
ln -s include/a.h alias.h
ln -s src/main.c main-link.c
both "symlinks to a header and a source" any "$cc" $D -I. -Iinclude -include alias.h -c main-link.c -o main.o

project
mkdir empty other
echo '#define X 4' >other/x.h
echo '#include "../other/x.h"
int x = X;' >src/cross.c
both "an empty -I directory that ../ goes through" any "$cc" -Iempty -c src/cross.c -o cross.o
echo '#include <../other/x.h>
int x = X;' >src/cross.c
both "the same with <>" cached "$cc" -Iempty -c src/cross.c -o cross.o
rmdir empty
both "without the directory: an error" any "$cc" -Iempty -c src/cross.c -o cross.o

project
mkdir forward
printf '#include "real.h"\n' >forward/fwd.h # no guard
printf '#pragma once\n#define REAL 1\n' >forward/real.h
printf '#include "fwd.h"\n#include "fwd.h"\nint real = REAL;\n' >src/fwd.c
both "a forwarding header without a guard" cached "$cc" -Iforward -c src/fwd.c -o fwd.o
printf '#define NAME <real.h>\n#include NAME\nint real = REAL;\n' >src/computed.c
both "a computed include" any "$cc" -Iforward -c src/computed.c -o computed.o
mkdir next
printf '#define NEXT 1\n#include_next <real.h>\n' >next/real.h
printf '#include <real.h>\nint real = REAL + NEXT;\n' >src/next.c
both "#include_next" any "$cc" -Inext -Iforward -c src/next.c -o next.o
printf '#if __has_include("real.h")\nint has = 1;\n#else\nint has = 0;\n#endif\n' >src/has.c
both "__has_include that is not entered" any "$cc" -Iforward -c src/has.c -o has.o
rm forward/real.h
both "__has_include of a header now gone" any "$cc" -Iforward -c src/has.c -o has.o

# ---- what runs locally, and says why
project
both "-E" local:preprocess_only "$cc" $D -Iinclude -E src/main.c
both "from standard input" local:stdin "$cc" -x c -c - -o stdin.o
both "compile and link" local:not_a_compile "$cc" $D -Iinclude src/main.c -o main
both "several sources" local:several_sources "$cc" $D -Iinclude -c src/main.c src/main.c
both "-march=native" local:native_tuning "$cc" $D -Iinclude -march=native -c src/main.c -o main.o
both "--version" any "$cc" --version
both "-fsyntax-only" any "$cc" $D -Iinclude -fsyntax-only src/main.c
mkdir "$T/elsewhere"
echo '#define OUT 1' >"$T/elsewhere/out.h"
echo '#include "out.h"
int out = OUT;' >src/out.c
export WAYBILL_ROOT=$W
both "an input outside the root" local:outside_root "$cc" -I"$T/elsewhere" -c src/out.c -o out.o
echo '#define OUT 2' >"$T/elsewhere/out.h"
both "an input outside the root, changed" local:outside_root "$cc" -I"$T/elsewhere" -c src/out.c -o out.o
unset WAYBILL_ROOT
both "the same input with a root that holds it" any "$cc" -I"$T/elsewhere" -c src/out.c -o out.o

case $family in
clang)
  step "clang's own"
  project
  both "-Xclang" any "$cc" $D -Xclang -fno-validate-pch -Iinclude -c src/main.c -o main.o
  both "-Xpreprocessor, -Wp" any "$cc" -Xpreprocessor -DB_VALUE=2 -Wp,-DTEXT=0 -Iinclude -c src/main.c -o main.o
  both "-emit-llvm" any "$cc" $D -emit-llvm -Iinclude -c src/main.c -o main.bc
  both "-ivfsoverlay" any "$cc" $D -ivfsoverlay overlay.yaml -Iinclude -c src/main.c -o main.o # is not there
  both "--target" any "$cc" $D --target=i686-linux-gnu -ffreestanding -Iinclude -c src/main.c -o main.o
  echo '{ "version": 0, "roots": [] }' >overlay.yaml
  both "-ivfsoverlay, and it exists" any "$cc" $D -ivfsoverlay overlay.yaml -Iinclude -c src/main.c -o main.o
  printf 'src:*\n' >ignore.txt
  both "-fsanitize-ignorelist" any "$cc" $D -fsanitize=address -fsanitize-ignorelist=ignore.txt -Iinclude -c src/main.c -o main.o
  ;;
gcc)
  step "gcc's own"
  project
  both "-fdiagnostics-show-option" any "$cc" $D -fno-diagnostics-show-option -Iinclude -c src/main.c -o main.o
  both "-pipe" any "$cc" $D -pipe -Iinclude -c src/main.c -o main.o
  both "-fcallgraph-info" any "$cc" $D -fcallgraph-info -Iinclude -c src/main.c -o build/main.o
  ;;
esac
