#!/usr/bin/env bash
# Acceptance 5, warnings: they come with the first compile and with a cache hit, byte for byte and coloured exactly when they
# would be without Waybill.
#   diagnostics.sh [COMPILER]
source "$(dirname -- "$0")/lib.sh"
source "$here/compare.sh"
compiler=${1:-clang-22}
compiler_pair "$compiler"

sources() {
  mkdir -p include
  cat >include/header.h <<'H'
#pragma once
static inline int narrowed(long long x) { char c = x; return c; }
H
  cat >warn.c <<'C'
#include "header.h"
#warning "said by the source"
int warned(int x)
{
	int unused;
	if (x = 3)
		return narrowed(x);
	return -1 < 2u;
}
C
}

# terminal NAME EXPECTED COMMAND...: as `both`, with stderr on a terminal; only stderr and the exit code are compared.
terminal() {
  local name=$1 expected=$2 round rc hits0
  shift 2
  step "$name, on a terminal"
  rc=0
  python3 "$here/pty_run.py" "$T/plain.err" "$@" || rc=$?
  hits0=$(stat_key cache_hits)
  for round in 1 2; do
    local rc2=0
    python3 "$here/pty_run.py" "$T/wb.err" "$WAYBILL" "$@" || rc2=$?
    assert_eq "$name: exit code" $rc $rc2
    cmp -s "$T/plain.err" "$T/wb.err" || {
      cat -v "$T/plain.err" >&2
      echo "-- Waybill:" >&2
      cat -v "$T/wb.err" >&2
      fail "$name (round $round): stderr on a terminal differs"
    }
  done
  if [ "$expected" = hit ]; then [ "$(stat_key cache_hits)" -gt "$hits0" ] || fail "$name: no cache hit ($(local_reasons))"; fi
}

coloured() { grep -q $'\033' "$1"; }

fresh
sources
flags=(-Iinclude -Wall -Wextra -Wconversion -c warn.c -o warn.o)
both "no terminal" cached "$cc" "${flags[@]}"
coloured "$T/wb.err" && fail "colour without a terminal"
grep -q 'warning' "$T/wb.err" || fail "no warnings"
terminal "default" hit "$cc" "${flags[@]}"
coloured "$T/wb.err" || fail "no colour on a terminal"

for option in -fdiagnostics-color=always -fdiagnostics-color=never -fdiagnostics-color=auto -fdiagnostics-color \
  -fno-diagnostics-color; do
  fresh
  sources
  both "$option" any "$cc" "$option" "${flags[@]}"
  case $option in
  *=always) coloured "$T/wb.err" || fail "$option: no colour" ;;
  esac
  terminal "$option" any "$cc" "$option" "${flags[@]}"
done
case $compiler in
clang-*)
  for option in -fcolor-diagnostics -fno-color-diagnostics -fansi-escape-codes; do
    both "$option" any "$cc" "$option" "${flags[@]}"
    terminal "$option" any "$cc" "$option" "${flags[@]}"
  done
  ;;
esac

step "a terminal that knows no colours"
TERM=dumb terminal "TERM=dumb" any "$cc" "${flags[@]}"

step "absolute paths: warnings name a file that can be opened from here"
both_paths() {
  "$WAYBILL" "$cc" -I"$W/include" -Wall -Wconversion -c "$W/warn.c" -o "$W/warn.o" 2>"$T/wb.err"
  grep -oE '^[^: ]+\.[ch]:[0-9]+' "$T/wb.err" | sed 's/:[0-9]*$//' | sort -u >"$T/named.txt"
  [ "$(wc -l <"$T/named.txt")" -ge 2 ] || fail "no file names in: $(cat "$T/wb.err")"
  while read -r f; do [ -e "$f" ] || fail "a warning names $f, which does not exist here"; done <"$T/named.txt"
}
both_paths
both_paths

step "warnings of a source that uses a precompiled header, and of the header's own creation"
fresh
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(w CXX)
add_compile_options(-Wall -Wno-unused-variable)
add_library(w STATIC one.cpp two.cpp)
set_target_properties(w PROPERTIES PCH_WARN_INVALID ON)
target_precompile_headers(w PRIVATE <vector> ${CMAKE_SOURCE_DIR}/pch.h)
CMAKE
printf '#pragma once\n#warning "from the header"\nstatic inline int fine() { return 0; }\n' >pch.h
printf '#warning "from one"\nint one(int x) { int unused; if (x = 1) return fine(); return 2; }\n' >one.cpp
printf 'int two() { return fine(); }\n' >two.cpp
configure other "$W" "$W/build" "$compiler"
stats_reset
build build -v
grep -q 'one.cpp:1:2: warning' "$T/ninja.log" || fail "no warning of one.cpp: $(cat "$T/ninja.log")"
grep '^[^ ]*: warning' "$T/ninja.log" | sort >"$T/first.txt"
rm -rf build
configure other "$W" "$W/build" "$compiler"
build build -v
grep '^[^ ]*: warning' "$T/ninja.log" | sort >"$T/second.txt"
assert_same "$T/first.txt" "$T/second.txt"
sed 's/:[0-9]*:[0-9]*: warning.*//' "$T/first.txt" | sort -u | while read -r f; do
  [ -e "build/$f" ] || [ -e "$f" ] || fail "a warning names $f, which does not exist from the build directory"
done
launcher='' configure other "$W" "$W/plain" "$compiler"
build plain -v
strip_dirs() { sed -E 's|^[^ :]*/([^/ :]+):|\1:|' "$1" | sort; }
grep '^[^ ]*: warning' "$T/ninja.log" >"$T/plain.txt"
diff <(strip_dirs "$T/plain.txt") <(strip_dirs "$T/second.txt") || fail "other warnings than without Waybill"
