#!/usr/bin/env bash
# Acceptance 6, what needs a build: a Makefile generator, REUSE_FROM across directories, a decoy of a precompiled header's
# header, a forwarding header without guard inside a precompiled header, prefix maps, gcc's .gch.
#   special_builds.sh [COMPILER]
source "$(dirname -- "$0")/lib.sh"
compiler=${1:-clang-22}
W=$T/work

# A project with two directories; app's precompiled header is reused by the other directory's target.
project() {
  rm -rf "$W"
  mkdir -p "$W/app" "$W/tool" "$W/include/dec" "$W/empty"
  cat >"$W/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(two C CXX)
include_directories(${CMAKE_SOURCE_DIR}/empty ${CMAKE_SOURCE_DIR}/include)
add_subdirectory(app)
add_subdirectory(tool)
CMAKE
  cat >"$W/app/CMakeLists.txt" <<'CMAKE'
add_executable(app main.cpp second.cpp plain.c)
target_precompile_headers(app PRIVATE $<$<COMPILE_LANGUAGE:CXX>:<vector$<ANGLE-R>> [["dec/x.h"]]
  $<$<COMPILE_LANGUAGE:CXX>:${CMAKE_CURRENT_SOURCE_DIR}/absolute.h> fwd.h)
CMAKE
  cat >"$W/tool/CMakeLists.txt" <<'CMAKE'
add_executable(tool tool.cpp)
target_precompile_headers(tool REUSE_FROM app)
CMAKE
  printf '#pragma once\n#define DEC 1\n' >"$W/include/dec/x.h"
  printf '#include "../include/dec/y.h"\n' >"$W/app/fwd.h" # no guard
  printf '#pragma once\n#define FWD 10\n' >"$W/include/dec/y.h"
  printf '#pragma once\n#define ABS 100\nint second();\nextern "C" int plain(void);\n' >"$W/app/absolute.h"
  cat >"$W/app/main.cpp" <<'CPP'
#include "fwd.h"
#include "../app/fwd.h"
#include <cstdio>
int main() { std::printf("%d %d %d\n", DEC + FWD + ABS, second(), plain()); }
CPP
  printf 'int second() { std::vector<int> v(3); return static_cast<int>(v.size()); }\n' >"$W/app/second.cpp"
  printf 'int plain(void) { return DEC + FWD; }\n' >"$W/app/plain.c"
  printf '#include <cstdio>\nint main() { std::printf("%%d\\n", DEC + FWD + ABS); }\n' >"$W/tool/tool.cpp"
}

works() {
  assert_eq "$1: app" "$2" "$("$W/build/app/app")"
  assert_eq "$1: tool" "$3" "$("$W/build/tool/tool")"
}

step "Ninja; decoys of a quoted header in every directory that a twin could live in"
project
configure other "$W" "$W/build" "$compiler"
for d in "$W/build" "$W/build/app" "$W/build/tool" "$W/app" "$W"; do
  mkdir -p "$d/dec"
  printf '#define DEC 5000\n' >"$d/dec/x.h"
done
launcher='' configure other "$W" "$W/plain" "$compiler"
build "$W/plain"
for d in "$W/plain" "$W/plain/app"; do mkdir -p "$d/dec" && cp "$W/app/dec/x.h" "$d/dec"; done
ninja -C "$W/plain" -t clean >/dev/null
build "$W/plain"
oracle=$("$W/plain/app/app")
stats_reset
build "$W/build"
works "decoys" "$oracle" "$("$W/plain/tool/tool")"
assert_eq "local runs" "" "$(local_reasons)"
assert_eq "sandbox_mismatch" 0 "$(stat_key sandbox_mismatch)"
assert_no_work "$W/build"

step "a decoy that does shadow it is noticed"
mkdir -p "$W/empty/dec"
printf '#pragma once\n#define DEC 2\n' >"$W/empty/dec/x.h"
find "$W/build" \( -name '*.o' -o -name '*.pch' -o -name '*.gch' \) -delete
build "$W/build"
works "shadowed" "112 3 12" "112"
rm -r "$W/empty/dec"

step "only a constant inside the forwarded header changes"
find "$W/build" \( -name '*.o' -o -name '*.pch' -o -name '*.gch' \) -delete
build "$W/build"
works "back" "111 3 11" "111"
sed -i 's/FWD 10/FWD 20/' "$W/include/dec/y.h"
build "$W/build"
works "constant" "121 3 21" "121"
assert_no_work "$W/build"

step "Makefiles: other working directories, the precompiled header reused from another one"
project
generator="Unix Makefiles" configure other "$W" "$W/build" "$compiler"
stats_reset
make -C "$W/build" -j "$jobs" VERBOSE=1 >"$T/make.log" 2>&1 || {
  tail -n 40 "$T/make.log" >&2
  fail "make"
}
works "make" "111 3 11" "111"
assert_eq "sandbox_mismatch" 0 "$(stat_key sandbox_mismatch)"
[ "$(stat_key jobs)" -ge 6 ] || fail "make: only $(stat_key jobs) jobs"
assert_eq "local runs with make" "" "$(local_reasons)"
made() { find "$W/build" \( -name '*.o' -o -name '*.pch' -o -name '*.gch' \) -printf '%p %T@\n' | sort; }
made >"$T/made1.txt"
make -C "$W/build" >"$T/make.log" 2>&1 || fail "second make: $(cat "$T/make.log")"
made >"$T/made2.txt"
assert_same "$T/made1.txt" "$T/made2.txt"
sed -i 's/ABS 100/ABS 200/' "$W/app/absolute.h"
make -C "$W/build" -j "$jobs" >"$T/make.log" 2>&1 || fail "third make: $(cat "$T/make.log")"
works "make, changed header" "211 3 11" "211"

step "Makefiles, a second checkout"
mkdir -p "$T/second/tree"
cp -r "$W/." "$T/second/tree/w"
rm -rf "$T/second/tree/w/build"
cd "$T/second/tree/w"
generator="Unix Makefiles" configure other . build "$compiler"
stats_reset
make -C build -j "$jobs" >"$T/make.log" 2>&1 || fail "make in the second checkout: $(cat "$T/make.log")"
assert_eq "cache hits" "$(stat_key jobs)" "$(stat_key cache_hits)"
assert_eq "app" "211 3 11" "$(build/app/app)"
cd "$T"

step "-ffile-prefix-map of the project's own, with debug information and a precompiled header"
project
configure other "$W" "$W/build" "$compiler" -DCMAKE_CXX_FLAGS="-g -ffile-prefix-map=$W=/usr/src/two" \
  -DCMAKE_C_FLAGS="-g -ffile-prefix-map=$W=/usr/src/two"
stats_reset
build "$W/build"
works "prefix map" "111 3 11" "111"
assert_eq "sandbox_mismatch" 0 "$(stat_key sandbox_mismatch)"
assert_no_work "$W/build"
cd "$W/build/app/CMakeFiles/app.dir"
for o in main.cpp.o plain.c.o; do
  llvm-dwarfdump-22 --debug-info --debug-line "$o" >"$T/dwarf.txt"
  grep -q '/usr/src/two' "$T/dwarf.txt" || fail "the project's prefix map has no effect in $o"
  grep -qF "$T" "$T/dwarf.txt" && fail "$o still names the checkout"
done
cd "$T"

case $compiler in
gcc-*)
  step "gcc really used the .gch: it was read"
  project
  configure other "$W" "$W/build" "$compiler" -DCMAKE_CXX_FLAGS="-Winvalid-pch -Werror=invalid-pch"
  build "$W/build"
  works ".gch" "111 3 11" "111"
  [ -s "$W/build/app/CMakeFiles/app.dir/cmake_pch.hxx.gch" ] || fail "no .gch"
  ;;
esac
