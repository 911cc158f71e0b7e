#!/usr/bin/env bash
# Acceptance 3: a second checkout, in a directory of another depth and length, gets every result from the cache, and its
# precompiled headers, objects and executables are the same bytes.
#   second_checkout.sh COMPILER PROJECT
source "$(dirname -- "$0")/lib.sh"
compiler=${1:-clang-22}
project=${2:-llvm-tools}

# The one is a plain directory with the build beside the source, the other a longer path several levels down.
one=$T/one two=$T/two/a-rather-longer/path/to/work-trees/second
for root in "$one" "$two"; do
  case $project in
  llvm-tools) copy_llvm_tools "$root/src" ;;
  googletest) copy_googletest "$root/src" ;;
  *) fail "unknown project $project" ;;
  esac
done

step "first checkout"
configure "$project" "$one/src" "$one/build" "$compiler"
stats_reset
expected=$(launched_commands "$one/build")
build "$one/build"
assert_counts "$expected"
assert_no_work "$one/build"

step "second checkout"
configure "$project" "$two/src" "$two/build" "$compiler"
stats_reset
build "$two/build"
assert_counts "$expected"
assert_eq "cache hits" "$expected" "$(stat_key cache_hits)"
assert_eq "executed" 0 "$(stat_key executed)"
assert_no_work "$two/build"

step "same bytes, and they work"
case $compiler in
gcc-*) ;; # covered by gcc_pch.sh: objects with debug information from a .gch name the root that made it
*) same_bytes "$one/build" "$two/build" ;;
esac
case $project in
llvm-tools) run_ctest "$two/build" ;;
googletest) "$two/build/googletest/sample1_unittest" >"$T/sample.log" || fail "$(cat "$T/sample.log")" ;;
esac

step "a git work tree with the build inside, deeper still: other relative positions, so other keys, but it works"
three=$two/and/third
case $project in
llvm-tools)
  copy_llvm_tools "$three"
  git -C "$three" init -q
  configure "$project" "$three" "$three/out/build" "$compiler"
  stats_reset
  build "$three/out/build" capi/all names/all
  assert_eq "local runs" "" "$(local_reasons)"
  assert_eq "sandbox_mismatch" 0 "$(stat_key sandbox_mismatch)"
  "$three/out/build/bin/triple-info" >"$T/out.txt" || fail "triple-info"
  ;;
esac
