#!/usr/bin/env bash
# The cluster gives the same bytes as the embedded backend, and a machine that has nothing gets everything from it.
#   casd_same_bytes.sh PROJECT [COMPILER]       PROJECT is llvm-tools or googletest
E2E_REMOTE=casd
source "$(dirname -- "$0")/lib.sh"
project=$1 compiler=${2:-clang-22}
one=$T/one two=$T/two/longer/path
for root in "$one" "$two"; do
  case $project in
  llvm-tools) copy_llvm_tools_part "$root/src" ;; # casd-llvm-tools builds all of it
  googletest) copy_googletest "$root/src" ;;
  esac
done

# checkout ROOT: configured and built, from an empty build directory
checkout() {
  configure "$project" "$1/src" "$1/build" "$compiler"
  stats_reset
  expected=$(launched_commands "$1/build")
  build "$1/build"
  assert_counts "$expected"
}

step "on the cluster"
checkout "$one"
assert_eq "executed on the cluster" "$expected" "$(stat_key remote_executed)"
[ "$(stat_key pch_created)" -ge 2 ] || fail "no precompiled headers were made"
[ "$(stat_key pch_used)" -ge 4 ] || fail "no precompiled headers were used"

step "a second checkout on a machine that has nothing: everything from the cluster"
stop_daemon
rm -rf "$T/cache/waybill"
checkout "$two"
assert_eq "found on the cluster" "$expected" "$(stat_key remote_hits)"
assert_eq "executed" 0 "$(stat_key executed)"
case $project in
llvm-tools) run_ctest "$two/build" ;;
googletest) "$two/build/googletest/sample1_unittest" >"$T/sample.log" || fail "$(cat "$T/sample.log")" ;;
esac

step "the embedded backend"
mv "$one/build" "$T/remote"
stats_reset
stop_daemon
casd_stop
(
  export E2E_REMOTE='' # nothing here is the cluster's
  unset WAYBILL_REMOTE
  rm -rf "$T/cache/waybill"
  checkout "$one"
  assert_eq "executed here" "$expected" "$(stat_key executed)"
  stats_reset # these were not the cluster's
  stop_daemon
)

step "the same bytes"
same_bytes "$one/build" "$T/remote"
same_bytes "$T/remote" "$two/build"
casd_restart # for the account at the end
