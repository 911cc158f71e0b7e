#!/usr/bin/env bash
# Acceptance 4: edits are noticed, all of them and nothing else.
#   incremental.sh [COMPILER]
source "$(dirname -- "$0")/lib.sh"
compiler=${1:-clang-22}

src=$T/work/src build=$T/work/build
mkdir -p "$src/first" "$src/second" "$T/system/include"
export WAYBILL_SYSTEM_DIRS=/usr:/lib:/lib64:/bin:/etc:$T/system

cat >"$src/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(small C CXX)
add_custom_command(OUTPUT gen/generated.h COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/generated.h.in gen/generated.h
  DEPENDS ${CMAKE_SOURCE_DIR}/generated.h.in VERBATIM)
add_executable(app main.cpp value.cpp generated.cpp system.cpp dated.cpp plain.c gen/generated.h)
target_include_directories(app PRIVATE ${CMAKE_BINARY_DIR}/gen first second)
target_compile_options(app PRIVATE "SHELL:-isystem ${SYSTEM_TREE}/include")
target_precompile_headers(app PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${CMAKE_SOURCE_DIR}/pch.h>)
CMAKE
cat >"$src/pch.h" <<'H'
#pragma once
#include <cstdio>
#define ANSWER 41
#define NAME "one"
#define LETTER 'x'
inline int from_header() { return 7; }
H
echo '#define SHADOW 1' >"$src/second/shadow.h"
echo '#define GENERATED 100' >"$src/generated.h.in"
echo '#define SYSTEM 1000' >"$T/system/include/sysdep.h"
cat >"$src/value.cpp" <<'CPP'
int value() { return ANSWER; }
const char *name() { return NAME; }
char letter() { return LETTER; }
CPP
cat >"$src/generated.cpp" <<'CPP'
#include "generated.h"
int generated() { return GENERATED; }
CPP
cat >"$src/system.cpp" <<'CPP'
#include <sysdep.h>
int system_value() { return SYSTEM; }
CPP
cat >"$src/dated.cpp" <<'CPP'
const char *dated() { return from_header() ? __DATE__ " " __TIME__ : ""; }
CPP
echo 'int plain(void) { return 5; }' >"$src/plain.c"
cat >"$src/main.cpp" <<'CPP'
#include "shadow.h"
#if __has_include("optional.h")
#include "optional.h"
#else
#define OPTIONAL 0
#endif
int value(); const char *name(); char letter(); int generated(); int system_value(); const char *dated();
extern "C" int plain(void);
int main() {
  std::printf("%d %s %c %d %d %d %d %d\n", value(), name(), letter(), SHADOW, OPTIONAL, generated(), system_value(), plain());
  return dated()[0] ? 0 : 1;
}
CPP
app() { "$build/app" || fail "app fails"; }
obj() { echo "$build/CMakeFiles/app.dir/$1.o"; }

step "first build; __DATE__ makes one local run, which uses the precompiled header"
configure other "$src" "$build" "$compiler" -DSYSTEM_TREE="$T/system"
stats_reset
build "$build"
expected=$(launched_commands "$build")
assert_counts "$expected" time_macro=1
assert_eq "output" "41 one x 1 0 100 1000 5" "$(app)"
assert_no_work "$build"

step "a touched header: its users run again, all hits"
mkdir "$T/before"
cp "$build"/CMakeFiles/app.dir/*.o "$T/before"
stats_reset
touch "$src/pch.h"
build "$build"
users=6 # the precompiled header, main, value, generated, system, dated
assert_counts $users time_macro=1
assert_eq "cache hits" $((users - 1)) "$(stat_key cache_hits)"
for f in main value generated system; do assert_same "$T/before/$f.cpp.o" "$(obj $f.cpp)"; done
assert_no_work "$build"

step "only the value of a macro constant in the precompiled header changes"
for n in 42 43 44; do
  cp "$(obj value.cpp)" "$T/before/value.cpp.o"
  sed -i "s/ANSWER .*/ANSWER $n/" "$src/pch.h"
  stats_reset
  build "$build"
  assert_eq "output" "$n one x 1 0 100 1000 5" "$(app)"
  cmp -s "$T/before/value.cpp.o" "$(obj value.cpp)" && fail "value.cpp.o is unchanged"
  assert_counts $users time_macro=1
  assert_no_work "$build"
done
sed -i 's/"one"/"two"/; s/'"'x'/'y'"'/' "$src/pch.h"
build "$build"
assert_eq "output" "44 two y 1 0 100 1000 5" "$(app)"

step "back to an older header: all hits"
sed -i "s/ANSWER .*/ANSWER 41/; s/\"two\"/\"one\"/; s/'y'/'x'/" "$src/pch.h"
stats_reset
build "$build"
assert_eq "output" "41 one x 1 0 100 1000 5" "$(app)"
assert_counts $users time_macro=1
assert_eq "cache hits" $((users - 1)) "$(stat_key cache_hits)"

step "a generated header rebuilds its users in the same ninja run"
echo '#define GENERATED 101' >"$src/generated.h.in"
build "$build"
assert_eq "output" "41 one x 1 0 101 1000 5" "$(app)"
assert_no_work "$build"

step "a header that shadows another one earlier in the search path"
echo '#define SHADOW 2' >"$src/first/shadow.h"
rm "$(obj main.cpp)"
build "$build"
assert_eq "output" "41 one x 2 0 101 1000 5" "$(app)"
rm "$src/first/shadow.h" "$(obj main.cpp)"
stats_reset
build "$build"
assert_eq "output without it" "41 one x 1 0 101 1000 5" "$(app)"
assert_eq "cache hits without it" 1 "$(stat_key cache_hits)"
assert_no_work "$build"

step "__has_include becomes true"
echo '#define OPTIONAL 9' >"$src/second/optional.h"
rm "$(obj main.cpp)"
build "$build"
assert_eq "output" "41 one x 1 9 101 1000 5" "$(app)"

step "a package upgrade replaces a system header: new keys, even with its size and mtime kept"
stats_reset
cp -p "$T/system/include/sysdep.h" "$T/sysdep.h"
sed -i 's/1000/1001/' "$T/sysdep.h"
touch -r "$T/system/include/sysdep.h" "$T/sysdep.h"
mv "$T/sysdep.h" "$T/system/include/sysdep.h"
rm "$(obj system.cpp)"
build "$build"
assert_eq "output" "41 one x 1 9 101 1001 5" "$(app)"
assert_eq "executed" 1 "$(stat_key executed)"
assert_counts 1
assert_no_work "$build"

step "a header edited again and again within the clock's granularity"
mkdir "$T/race"
cd "$T/race"
echo '#include "r.h"' >r.c
compiler_pair "$compiler"
for n in $(seq 10 40); do
  echo "int r = $n;" >r.h
  "$WAYBILL" "$cc" -c r.c -o r.o
  "$cc" -c r.c -o plain.o
  assert_same plain.o r.o
done

step "a build directory that is moved to the trash and made anew: all hits"
rm -rf "$build"
configure other "$src" "$build" "$compiler" -DSYSTEM_TREE="$T/system"
stats_reset
build "$build"
assert_counts "$expected" time_macro=1
assert_eq "cache hits" $((expected - 1)) "$(stat_key cache_hits)"
assert_eq "output" "41 one x 1 9 101 1001 5" "$(app)"
