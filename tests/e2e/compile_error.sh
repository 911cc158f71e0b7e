#!/usr/bin/env bash
# Acceptance 5, errors: exit code, stderr and the files left behind are the compiler's own; nothing is cached.
#   compile_error.sh [COMPILER]
source "$(dirname -- "$0")/lib.sh"
source "$here/compare.sh"
compiler=${1:-clang-22}
compiler_pair "$compiler"
export LC_ALL=C

sources() {
  mkdir -p src include
  cat >include/half.h <<'H'
#pragma once
template <class T> T half(T x) { return x / 2; }
H
  cat >src/good.cpp <<'CPP'
#include "half.h"
int good() { return half(4); }
CPP
  cat >src/type.cpp <<'CPP'
#include "half.h"
struct S {};
int bad() { return half(S()); }
CPP
  echo 'int broken( {' >src/syntax.cpp
  echo '#include "not_there.h"' >src/missing.cpp
  printf '#if 1\nint x;\n' >src/unterminated.cpp
  printf '#error "says the source"\n' >src/error.cpp
  printf 'int warned() { int unused; return 0; }\n' >src/warned.cpp
}

for f in type syntax missing unterminated error; do
  fresh
  sources
  both "$f.cpp, nothing there before" any "$cxx" -Iinclude -MD -MF $f.d -MT $f.o -c src/$f.cpp -o $f.o
  fresh
  sources
  echo old >$f.o
  echo "old.o: old" >$f.d
  both "$f.cpp, an old object is there" any "$cxx" -Iinclude -MD -MF $f.d -MT $f.o -c src/$f.cpp -o $f.o
  both "$f.cpp, absolute paths" any "$cxx" -I"$W/include" -c "$W/src/$f.cpp" -o "$W/$f.o"
done
assert_eq "cache hits" 0 "$(stat_key cache_hits)"
assert_eq "executed" 0 "$(stat_key executed)"
[ "$(stat_key local_reasons.compile_failed)" -ge 4 ] || fail "no compile_failed among the reasons: $(local_reasons)"

fresh
sources
both "a warning made an error" any "$cxx" -Wall -Werror -c src/warned.cpp -o warned.o
both "an unknown option" any "$cxx" -fno-such-option -c src/good.cpp -Iinclude -o good.o
both "no such source" any "$cxx" -c src/absent.cpp -o absent.o
both "no such output directory" any "$cxx" -Iinclude -c src/good.cpp -o nowhere/good.o
both "a directory in the object's place" any "$cxx" -Iinclude -c src/good.cpp -o src
assert_eq "cache hits" 0 "$(stat_key cache_hits)"

step "no such compiler"
rc=0
"$WAYBILL" "$W/no-such-compiler" -c src/good.cpp 2>"$T/wb.err" || rc=$?
assert_eq "exit code" 127 $rc

step "the error mended: a good object"
fresh
sources
cp src/good.cpp src/type.cpp
both "mended" cached "$cxx" -Iinclude -c src/type.cpp -o type.o

step "in a build with a precompiled header"
fresh
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(e CXX)
add_executable(app main.cpp other.cpp)
target_precompile_headers(app PRIVATE <vector> ${CMAKE_SOURCE_DIR}/pch.h)
CMAKE
echo 'inline int one() { return 1; }' >pch.h
echo 'int other(); int main() { return one() - other(); }' >main.cpp
echo 'int other() { return two(); }' >other.cpp
configure other "$W" "$W/build" "$compiler"
stats_reset
if ninja -C build -j "$jobs" -k0 >"$T/ninja.log" 2>&1; then fail "the build went through"; fi
grep -q "two" "$T/ninja.log" || fail "no diagnostic in ninja's output: $(cat "$T/ninja.log")"
[ -e build/CMakeFiles/app.dir/other.cpp.o ] && fail "an object of a failed compile"
assert_counts 3 compile_failed=1
echo 'int two() { return 1; }' >>pch.h
sed -i 's/^int two/inline int two/' pch.h
build build
build/app || fail "app"
assert_no_work build

step "an error in the precompiled header itself"
echo 'inline int three() { return four(); }' >>pch.h
if ninja -C build -j "$jobs" >"$T/ninja.log" 2>&1; then fail "the build went through"; fi
grep -q "four" "$T/ninja.log" || fail "no diagnostic in ninja's output: $(cat "$T/ninja.log")"
sed -i '/four/d' pch.h
build build
build/app || fail "app"
assert_no_work build
