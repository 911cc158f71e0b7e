#!/usr/bin/env bash
# Acceptance 1b, 2: examples/llvm-tools, every compile away from its checkout.
#   llvm_tools.sh [COMPILER]
source "$(dirname -- "$0")/lib.sh"
compiler=${1:-clang-22}

src="$T/one/llvm tools/ümlaut" # a path with a space and a letter outside ASCII
build=$src/build
copy_llvm_tools "$src"
probe=yes configure llvm-tools "$src" "$build" "$compiler"
stats_reset
expected=$(launched_commands "$build")
[ "$expected" -ge 16 ] || fail "only $expected compile commands"

step "build with $compiler, $expected compile commands"
sandbox_watch "$src"
build "$build"
sandbox_watch_end 5
assert_counts "$expected"
run_ctest "$build"
assert_no_work "$build"

step "again from an empty build directory: all hits"
mv "$build" "$T/first"
configure llvm-tools "$src" "$build" "$compiler"
stats_reset
build "$build"
assert_counts "$expected"
assert_eq "cache hits" "$expected" "$(stat_key cache_hits)"
assert_no_work "$build"
run_ctest "$build"
same_bytes "$T/first" "$build"
