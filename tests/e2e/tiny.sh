# tiny.sh: a project that is built in seconds, for tests that build it many times. Sourced after lib.sh.
#
# Nine compiles. Five count on stdio.h: a precompiled header, its two uses (clang refuses one whose files have changed), and
# two sources that read it. Four read no system header but stddef.h.
# The program prints what it found in stdio.h: one with another BUFSIZ would make other bytes.
#
#   tiny_project DIR     writes DIR/src
#   tiny_configure DIR   configures it in DIR/build
#   tiny_reference       builds it in $T/ref on the embedded backend, with a cache and a daemon that nobody else has
#   tiny_right DIR       the program works, and every byte is the reference's
# shellcheck shell=bash
# shellcheck disable=SC2034  # used by the tests
tiny_jobs=9 tiny_readers=5 tiny_lean=4

tiny_project() {
  local n
  mkdir -p "$1/src/include"
  cat >"$1/src/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(tiny C CXX)
add_library(heavy OBJECT p1.cpp p2.cpp)
target_precompile_headers(heavy PRIVATE ${CMAKE_SOURCE_DIR}/pch.h)
add_executable(app s1.c s2.c l1.c l2.c l3.c l4.c $<TARGET_OBJECTS:heavy>)
target_include_directories(app PRIVATE include)
CMAKE
  printf '#pragma once\n#include <cstdio>\n#include <string>\n#include <vector>\n' >"$1/src/pch.h"
  for n in 1 2; do
    echo "extern \"C\" int p$n() { std::vector<std::string> v(BUFSIZ, \"$n\"); return std::fprintf(stderr, \"%s\", \"\") + static_cast<int>(v.size()) + $n; }" >"$1/src/p$n.cpp"
    printf '#include <stdio.h>\nint s%s(void) { return BUFSIZ + %s; }\n' $n $n >"$1/src/s$n.c"
  done
  for n in 1 2 3; do
    echo "#define L$n $n" >"$1/src/include/l$n.h"
    printf '#include <stddef.h>\n#include "l%s.h"\nsize_t l%s(void) { return L%s; }\n' $n $n $n >"$1/src/l$n.c"
  done
  cat >"$1/src/l4.c" <<'C'
#include <stddef.h>
size_t l1(void), l2(void), l3(void);
int s1(void), s2(void), p1(void), p2(void);
int printf(const char *, ...);
int main(void) { return printf("%d %d %d %d %d\n", (int)(l1() + l2() + l3()), s1(), s2(), p1(), p2()) < 0; }
C
}

tiny_configure() {
  # What CMake tries for itself is not this test's business.
  WAYBILL_DISABLE=1 configure other "$1/src" "$1/build" clang-22 -DCMAKE_BUILD_TYPE=RelWithDebInfo
  assert_eq "compiles that go through the launcher" $tiny_jobs "$(launched_commands "$1/build")"
}

tiny_reference() {
  step "reference: the embedded backend"
  tiny_project "$T/ref"
  mkdir -p "$T/ref-cache" "$T/ref-run"
  chmod 700 "$T/ref-run"
  (
    export XDG_CACHE_HOME=$T/ref-cache XDG_RUNTIME_DIR=$T/ref-run WAYBILL_MODE=local
    unset WAYBILL_REMOTE WAYBILL_REMOTE_CAS WAYBILL_REMOTE_CACHE WAYBILL_INSTANCE WAYBILL_PLATFORM
    tiny_configure "$T/ref"
    stats_reset
    build "$T/ref/build"
    assert_counts $tiny_jobs
    assert_eq "executed" $tiny_jobs "$(stat_key executed)"
    "$WAYBILL" stop >/dev/null
  )
}

tiny_right() {
  assert_eq "the program's answer" "6 8193 8194 8193 8194" "$("$1/build/app")"
  same_bytes "$T/ref/build" "$1/build"
  assert_no_work "$1/build"
}

# new_client: no daemon, and an empty cache: as if on another machine that has the same directories.
new_client() {
  stop_daemon
  rm -rf "$T/cache/waybill"
}

# tiny_build NAME [NINJA ARGUMENT...]: a checkout of its own in $T/NAME; afterwards the counters are those of its build.
tiny_build() {
  local root=$T/$1/tree
  shift
  tiny_project "$root"
  tiny_configure "$root"
  stats_reset
  build "$root/build" "$@"
  assert_counts $tiny_jobs
  tiny_right "$root"
  echo "executed, of these remote, hits, of these remote, fallbacks:" \
    "$(stat_keys executed remote_executed cache_hits remote_hits fallbacks)"
}

# counted KEY NUMBER...: exactly these counters, since the last tiny_build began.
counted() {
  local keys=() want=()
  while [ $# -gt 0 ]; do
    keys+=("$1") want+=("$2")
    shift 2
  done
  assert_eq "${keys[*]}" "${want[*]}" "$(stat_keys "${keys[@]}")"
}
