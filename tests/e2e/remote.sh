# remote.sh: for tests that put something between Waybill and the cluster, or a liar in its place. Sourced after lib.sh.
#
#   peer_start NAME COMMAND...   start a server that prints READY PORT and takes commands on its standard input (the programs
#                                of tests/interop do); sets peer_port. It ends with the test, which holds its input open
#   peer NAME WORD...            one command; prints the answer, fails on ERROR
#   peer_stop NAME
# shellcheck shell=bash

declare -A peer_in peer_out peer_pids

peer_start() {
  local name=$1 in out ready
  shift
  mkfifo "$T/$name.in" "$T/$name.out"
  setpriv --pdeathsig KILL -- "$@" <"$T/$name.in" >"$T/$name.out" 2>"$T/run/$name.log" &
  peer_pids[$name]=$!
  exec {in}>"$T/$name.in" {out}<"$T/$name.out"
  rm "$T/$name.in" "$T/$name.out"
  peer_in[$name]=$in peer_out[$name]=$out
  read -r -t 60 -u "$out" ready peer_port || true
  [ "$ready" = READY ] || fail "$name does not start: $(cat "$T/run/$name.log")"
}

peer() {
  local name=$1 answer
  shift
  echo "$*" >&"${peer_in[$name]}"
  read -r -t 60 -u "${peer_out[$name]}" answer || fail "$name: no answer to '$*': $(tail -n 5 "$T/run/$name.log")"
  case $answer in
  OK*) echo "${answer#OK }" ;;
  *) fail "$name: $answer" ;;
  esac
}

# peer_count NAME KEY: a number out of the answer to `count`.
peer_count() { peer "$1" count | tr ' ' '\n' | sed -n "s/^$2=//p"; }

peer_stop() {
  local name=$1 in=${peer_in[$1]} out=${peer_out[$1]}
  exec {in}>&- {out}<&-
  kill "${peer_pids[$name]}" 2>/dev/null || true
  wait "${peer_pids[$name]}" 2>/dev/null || true
  unset "peer_in[$name]" "peer_out[$name]" "peer_pids[$name]"
}

# ---- a small project with a precompiled header that is too large for one message, quick to build

small_sources=10 # and two more
# small_project DIR; sets small_answer, what its program prints
small_project() {
  local n
  mkdir -p "$1/src/include"
  cat >"$1/src/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(small C CXX)
file(GLOB sources ${CMAKE_SOURCE_DIR}/*.c ${CMAKE_SOURCE_DIR}/*.cpp)
add_executable(app ${sources})
target_include_directories(app PRIVATE include)
target_precompile_headers(app PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${CMAKE_SOURCE_DIR}/pch.h>)
CMAKE
  printf '#pragma once\n#include <iostream>\n#include <map>\n#include <string>\n#include <vector>\n' >"$1/src/pch.h"
  echo 'int plain(void) { return 1000; }' >"$1/src/plain.c"
  {
    for n in $(seq $small_sources); do echo "int f$n();"; done
    echo 'extern "C" int plain(void);'
    printf 'int main() { std::cout << plain()'
    for n in $(seq $small_sources); do printf ' + f%s()' "$n"; done
    echo ' << "\n"; }'
  } >"$1/src/main.cpp"
  for n in $(seq $small_sources); do
    echo "#define F$n $n" >"$1/src/include/f$n.h"
    printf '#include "f%s.h"\nint f%s() { std::map<std::string, std::vector<int>> m; m["%s"].push_back(F%s); return m.begin()->second[0]; }\n' \
      "$n" "$n" "$n" "$n" >"$1/src/f$n.cpp"
  done
  small_answer=$((1000 + small_sources * (small_sources + 1) / 2))
}

small_configure() { # small_configure DIR: configures DIR/src in DIR/build and sets `expected`
  configure other "$1/src" "$1/build" clang-22 -DCMAKE_BUILD_TYPE=RelWithDebInfo
  # shellcheck disable=SC2034
  expected=$(launched_commands "$1/build")
  (cd "$1" && find . -path ./build -prune -o -print | sort) >"$T/tree.txt"
  (cd "$1" && ls -A ..) >"$T/beside.txt"
}

# small_right DIR: the program works, the bytes are those of the reference, and nothing else was written.
small_right() {
  assert_eq "the program's answer" "$small_answer" "$("$1/build/app")"
  same_bytes "$T/ref/build" "$1/build"
  assert_no_work "$1/build"
  (cd "$1" && find . -path ./build -prune -o -print | sort) | diff "$T/tree.txt" - || fail "other files beside the build directory"
  (cd "$1" && ls -A ..) | diff "$T/beside.txt" - || fail "other files beside the checkout"
}

# The reference: the embedded backend, with a cache and daemon of its own.
small_reference() {
  step "reference: the embedded backend"
  small_project "$T/ref"
  mkdir -p "$T/ref-cache" "$T/ref-run"
  chmod 700 "$T/ref-run"
  (
    export XDG_CACHE_HOME=$T/ref-cache XDG_RUNTIME_DIR=$T/ref-run WAYBILL_MODE=local
    unset WAYBILL_REMOTE
    small_configure "$T/ref"
    stats_reset
    build "$T/ref/build"
    assert_counts "$expected"
    assert_eq "executed" "$expected" "$(stat_key executed)"
    "$WAYBILL" stop >/dev/null
  )
}

# bounded_build SECONDS DIR: the build ends well within that time. The bound is generous: what it finds is a wait without end.
bounded_build() {
  local start=$SECONDS
  timeout -k 5 "$1" ninja -C "$2/build" -j "$jobs" >"$T/ninja.log" 2>&1 ||
    fail "the build fails or takes more than $1 s: $(tail -n 30 "$T/ninja.log")"
  echo "$((SECONDS - start)) s; executed $(stat_key executed), of these remote $(stat_key remote_executed)," \
    "hits $(stat_key cache_hits), fallbacks: $(fallback_reasons)"
}

# assert_fallbacks MINIMUM REASON...: at least so many, for no other reasons.
assert_fallbacks() {
  local minimum=$1 word reason n=0
  shift
  for word in $(fallback_reasons); do
    reason=${word%=*}
    [[ " $* " == *" $reason "* ]] || fail "fell back for another reason than $*: $word"
    n=$((n + ${word#*=}))
  done
  assert_eq "fallbacks and their reasons" "$n" "$(stat_key fallbacks)"
  [ $n -ge "$minimum" ] || fail "$n fallbacks, expected at least $minimum"
}

# Wait until a condition holds: wait_for SECONDS WHAT COMMAND...
wait_for() {
  local _ seconds=$1 what=$2
  shift 2
  for _ in $(seq $((seconds * 20))); do
    ! "$@" || return 0
    sleep 0.05
  done
  fail "waited $seconds s for: $what"
}
