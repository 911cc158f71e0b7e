#!/usr/bin/env bash
# A server that lies (tests/interop/fake_hostile.py): its lies are refused or made good; the build ends right, in bounded time,
# without a file outside its directory, and nothing wrong stays in the cache.
#   hostile.sh CASE...
E2E_REMOTE=own
source "$(dirname -- "$0")/lib.sh"
source "$here/remote.sh"
[ $# -gt 0 ] || fail "name a case of tests/interop/fake_hostile.py"
small_sources=4
small_reference

# Names that the fake gives to files outside, wherever they would end up.
traces() {
  local d
  for d in / /etc /tmp "$T" "$T/tmp"; do find "$d" -maxdepth 1 -name '*waybill-hostile*'; done
  find "$T"/one-* "$T"/two-* "$T"/three-* -name '*waybill-hostile*' 2>/dev/null || true
}
[ -z "$(traces)" ] || fail "left by an earlier run, remove it: $(traces)"

# The largest the daemon ever was, in MB.
daemon_rss() { awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$(daemon_pids | head -n 1)/status"; }

round() { # round NAME: a build in a directory of its own
  local root=$T/$1/tree
  small_project "$root"
  small_configure "$root"
  stats_reset
  bounded_build 150 "$root"
  assert_counts "$expected"
  small_right "$root"
  [ -z "$(traces)" ] || fail "files outside the build directory: $(traces)"
  # gRPC takes a message in whole before it looks at the size: several of 80 MB may be under way
  local most=300
  [ "$case" != oversized ] || most=700
  [ "$(daemon_rss)" -le $most ] || fail "the daemon grew to $(daemon_rss) MB"
}

# How a lie is to be taken: refused, `minimum` times at least, for one of `reasons`; or made good (no fallback).
expectation() {
  minimum=1
  # Short where the server keeps Waybill waiting; else a busy machine may take its time to compile.
  export WAYBILL_REMOTE_TIMEOUT=5 WAYBILL_REMOTE_EXECUTE_TIMEOUT=6
  case $1 in
  honest | parent_path | absolute_path | symlink_output | directory_output | no_object | nothing_captured | no_compiler | \
    wrong_digest | truncated | missing_once) WAYBILL_REMOTE_TIMEOUT=20 WAYBILL_REMOTE_EXECUTE_TIMEOUT=60 ;;
  esac
  case $1 in
  honest | missing_once | broken_stream | lost_blobs) minimum=0 reasons=() ;;
  parent_path | absolute_path) minimum=0 reasons=(remote_protocol remote_failed) ;;
  symlink_output | directory_output | no_object | nothing_captured) reasons=(remote_protocol remote_failed) ;;
  wrong_digest | truncated | endless | garbage | huge_size) reasons=(remote_protocol) ;;
  oversized) reasons=(remote_protocol remote_down remote_refused) ;;
  no_compiler) reasons=(remote_failed) ;;
  missing_always) reasons=(remote_protocol remote_down remote_refused) ;;
  old_api | no_sha256) reasons=(remote_refused) ;;
  hang | endless_execute) reasons=(remote_down remote_protocol) ;;
  *) fail "unknown case $1" ;;
  esac
}

for case; do
  step "$case"
  expectation "$case"
  peer_start fake "$venv_python" "$top/tests/interop/fake_hostile.py" "$case"
  export WAYBILL_REMOTE=grpc://127.0.0.1:$peer_port
  round "one-$case"
  assert_fallbacks $minimum "${reasons[@]}"
  case $case in
  lost_blobs | honest) ;;
  *) [ "$(peer_count fake lies)" -ge 1 ] || fail "the fake did not get to lie" ;;
  esac
  case $case in
  broken_stream) [ "$(peer_count fake waits)" -ge 1 ] || fail "WaitExecution was not used" ;;
  esac
  [ $minimum != 0 ] || [ ${#reasons[@]} != 0 ] ||
    assert_eq "executed on the cluster" "$expected" "$(stat_key remote_executed)"

  # a machine without a cache meets the results that the server remembers
  stop_daemon
  rm -rf "$T/cache/waybill"
  [ "$case" != lost_blobs ] || peer fake lose
  round "two-$case"
  assert_fallbacks 0 "${reasons[@]}"

  # an honest server, and the cache that was filled meanwhile
  stop_daemon
  peer fake good
  round "three-$case"
  assert_fallbacks 0
  stop_daemon
  peer_stop fake
  rm -rf "$T/cache/waybill" "$T"/*-"$case"
done
