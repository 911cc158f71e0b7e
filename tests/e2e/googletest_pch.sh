#!/usr/bin/env bash
# Acceptance 1a, 2: googletest with precompiled headers, every compile away from its checkout.
#   googletest_pch.sh [COMPILER] [heavy]     heavy: googletest's own tests too
source "$(dirname -- "$0")/lib.sh"
compiler=${1:-clang-22}
extra=()
[ "${2-}" != heavy ] || extra=(-Dgtest_build_tests=ON -Dgmock_build_tests=ON)

src=$T/one/googletest build=$T/one/googletest/build
copy_googletest "$src"
probe=yes configure googletest "$src" "$build" "$compiler" "${extra[@]}"
stats_reset
expected=$(launched_commands "$build")
[ "$expected" -ge 20 ] || fail "only $expected compile commands"

step "build with $compiler, $expected compile commands"
sandbox_watch "$src"
build "$build"
sandbox_watch_end 5
assert_counts "$expected"
assert_no_work "$build"

step "the programs work"
for n in 1 2 3 4 5 6 7 8 9 10; do
  # sample9 holds a test that fails on purpose
  [ $n = 9 ] || "$build/googletest/sample${n}_unittest" >"$T/sample.log" || fail "sample $n: $(cat "$T/sample.log")"
done
if [ "${2-}" = heavy ]; then run_ctest "$build"; fi

step "again from an empty build directory: all hits"
mv "$build" "$T/first"
configure googletest "$src" "$build" "$compiler" "${extra[@]}"
stats_reset
build "$build"
assert_counts "$expected"
assert_eq "cache hits" "$expected" "$(stat_key cache_hits)"
same_bytes "$T/first" "$build"
assert_no_work "$build"
