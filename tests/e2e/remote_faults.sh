#!/usr/bin/env bash
# A cluster that breaks: whatever happens, the build ends right and in bounded time, what ran in the sandbox instead is counted
# with a reason, and nothing wrong is in any cache afterwards. The cluster is buildbox-casd, behind a proxy of ours.
#   remote_faults.sh cut|latency|reset|blackhole|unavailable|exhausted|restart|wipe|server_full|client_full
here=$(cd -- "$(dirname -- "$0")" && pwd)
source "$here/own_mounts.sh"
case $1 in
server_full | client_full) own_mounts "$@" ;;
esac
E2E_REMOTE=own
source "$here/lib.sh"
source "$here/remote.sh"
one=$T/one/tree

start() { # start [PROXY OPTION...]: cluster, proxy, project
  small_reference
  casd_start "$T/casd"
  peer_start proxy "$venv_python" "$top/tests/interop/fault_proxy.py" "$casd_port" "$@"
  export WAYBILL_REMOTE=grpc://127.0.0.1:$peer_port
  small_project "$one"
  small_configure "$one"
  stats_reset
}

# The build in the background, until N actions have run on the cluster; then `build_rest SECONDS`.
build_begin() {
  ninja -C "$one/build" -j "$jobs" >"$T/ninja.log" 2>&1 &
  ninja_pid=$!
  begun=$SECONDS
  wait_for 60 "$1 actions on the cluster" test_executed "$1"
  kill -0 $ninja_pid 2>/dev/null || fail "the build was over before the fault: $(tail -n 20 "$T/ninja.log")"
}
test_executed() { [ "$(stat_key remote_executed)" -ge "$1" ]; }
build_rest() {
  local _
  for _ in $(seq $(($1 * 10))); do
    kill -0 $ninja_pid 2>/dev/null || break
    sleep 0.1
  done
  ! kill -0 $ninja_pid 2>/dev/null || {
    kill $ninja_pid
    fail "the build takes more than $1 s: $(tail -n 20 "$T/ninja.log")"
  }
  wait $ninja_pid || fail "the build fails: $(tail -n 30 "$T/ninja.log")"
  echo "$((SECONDS - begun)) s; executed $(stat_key executed), of these remote $(stat_key remote_executed), fallbacks:" \
    "$(fallback_reasons)"
}

# After the fault: the cluster is found again by itself, and neither cache holds anything wrong.
assert_recovers() {
  step "the cluster is used again without a word"
  local n0 n
  n0=$(stat_key remote_executed)
  mkdir -p "$one/src/again"
  for n in $(seq 60); do
    echo "int again = $n;" >"$one/src/again/again.c"
    (cd "$one/src" && "$WAYBILL" clang-22 -c again/again.c -o again/again.o)
    [ "$(stat_key remote_executed)" = "$n0" ] || break
    sleep 1
  done
  rm -r "$one/src/again"
  [ "$(stat_key remote_executed)" -gt "$n0" ] || fail "the cluster works again, but after 60 s nothing runs there"
}

# assert_caches_right [REASON ...]: of fallbacks that are still to be expected
assert_caches_right() {
  step "nothing wrong is in the caches"
  local name
  for name in two three; do
    if [ $name = three ]; then # and from the cluster alone
      stop_daemon
      rm -rf "$T/cache/waybill"
    fi
    small_project "$T/$name/tree"
    small_configure "$T/$name/tree"
    stats_reset
    bounded_build 200 "$T/$name/tree"
    assert_counts "$expected"
    assert_fallbacks 0 "$@"
    small_right "$T/$name/tree"
  done
}

fault_cut() {
  start
  step "the connection is cut in mid-build"
  build_begin 2
  peer proxy cut
  build_rest 120
  assert_counts "$expected"
  assert_fallbacks 1 remote_down
  small_right "$one"
  peer proxy pass
  assert_recovers
  assert_caches_right
}

fault_latency() {
  start
  step "200 ms more for each round trip"
  peer proxy latency 200
  bounded_build 200 "$one"
  assert_counts "$expected"
  assert_fallbacks 0
  assert_eq "executed on the cluster" "$expected" "$(stat_key remote_executed)"
  small_right "$one"
  peer proxy pass
  assert_caches_right
}

fault_reset() {
  start
  step "each connection is reset after about 700 kB: less than the precompiled header"
  peer proxy reset 700
  bounded_build 300 "$one"
  [ "$(peer_count proxy resets)" -ge 1 ] || fail "no connection was reset"
  assert_counts "$expected"
  assert_fallbacks 0 remote_down remote_protocol worker_unproven
  small_right "$one"
  peer proxy pass
  assert_recovers
  assert_caches_right
}

fault_blackhole() {
  export WAYBILL_REMOTE_TIMEOUT=4 WAYBILL_REMOTE_EXECUTE_TIMEOUT=20
  start
  step "the network swallows everything from the middle of the build on"
  build_begin 2
  peer proxy blackhole
  build_rest 120
  assert_counts "$expected"
  assert_fallbacks 1 remote_down
  small_right "$one"
  peer proxy pass
  assert_recovers
  assert_caches_right
}

fault_unavailable() {
  start --grpc
  step "every fourth call is answered UNAVAILABLE"
  peer proxy unavailable 4
  bounded_build 200 "$one"
  [ "$(peer_count proxy refused)" -ge 5 ] || fail "hardly any call was refused"
  assert_counts "$expected"
  assert_fallbacks 0 remote_down worker_unproven
  [ "$(stat_key remote_executed)" -ge 1 ] || fail "no try again had success"
  small_right "$one"

  step "the same with RetryInfo, another project"
  peer proxy unavailable 4 100
  sed -i 's/return 1000/return 1000 + 0 * 4/' "$one/src/plain.c"
  bounded_build 100 "$one"
  assert_eq "the program's answer" "$small_answer" "$("$one/build/app")"

  step "then every call"
  peer proxy unavailable 1 50
  local down0
  down0=$(stat_key fallbacks)
  sed -i 's/#pragma once/#pragma once\n#define OTHER 1/' "$one/src/pch.h"
  bounded_build 150 "$one"
  assert_eq "the program's answer" "$small_answer" "$("$one/build/app")"
  [ "$(stat_key fallbacks)" -gt "$down0" ] || fail "no fallback was counted"
  assert_fallbacks 1 remote_down worker_unproven
  peer proxy pass
  assert_recovers
  assert_caches_right
}

fault_exhausted() {
  start --grpc
  step "the server has no space for uploads"
  peer proxy exhausted 1 Write,BatchUpdate
  bounded_build 200 "$one"
  [ "$(peer_count proxy refused)" -ge 1 ] || fail "no call was refused"
  assert_counts "$expected"
  assert_fallbacks "$expected" remote_down worker_unproven
  assert_eq "executed on the cluster" 0 "$(stat_key remote_executed)"
  small_right "$one"
  peer proxy pass
  assert_recovers
  assert_caches_right
}

fault_restart() {
  start
  step "kill -9 of the server in mid-build, and a restart with its cache"
  build_begin 2
  casd_kill
  sleep 0.5
  casd_restart
  build_rest 150
  assert_counts "$expected"
  assert_fallbacks 0 remote_down remote_protocol
  small_right "$one"
  assert_recovers
  assert_caches_right
}

fault_wipe() {
  start
  step "kill -9 of the server in mid-build, and a restart with an empty cache"
  build_begin 3
  casd_kill
  casd_wipe
  casd_restart
  build_rest 150
  assert_counts "$expected"
  # storage that comes back empty: a blob that was remembered as there is uploaded again; what was lost between is not
  assert_fallbacks 0 remote_down remote_protocol
  small_right "$one"
  assert_recovers

  step "the same between two builds, with a daemon that remembers what it uploaded"
  casd_kill
  casd_wipe
  casd_restart
  sed -i 's/return 1000/return 999 + 1/' "$one/src/plain.c"
  touch "$one/src/again.h"
  sed -i 's/#include "f/#include "..\/again.h"\n#include "f/' "$one"/src/f[123].cpp
  bounded_build 100 "$one"
  assert_eq "the program's answer" "$small_answer" "$("$one/build/app")"
  assert_caches_right
}

fault_server_full() {
  mkdir -p "$T/casd/cache"
  mount -t tmpfs -o size=24m,mode=700 none "$T/casd/cache"
  start
  step "a server with 24 MB"
  bounded_build 200 "$one"
  # A compiler that finds no space speaks like one that finds an error; the local run shows that it was none.
  local executed hits locals mismatch
  read -r executed hits locals mismatch < <(stat_keys executed cache_hits local sandbox_mismatch)
  assert_eq "local runs ($(local_reasons))" "$mismatch" "$locals"
  assert_eq "jobs" "$expected" $((executed + hits + locals))
  assert_fallbacks 1 remote_down remote_protocol remote_failed remote_refused worker_unproven
  small_right "$one"
  step "then there is room"
  mount --options-source disable -o remount,size=2g "$T/casd/cache"
  assert_recovers
  assert_caches_right remote_down remote_protocol remote_refused # casd may say that it has blobs that it lost then
}

fault_client_full() {
  start
  stop_daemon
  local size
  for size in 1m 6m; do
    step "a cache of $size on this machine"
    rm -rf "$one/build"
    stop_daemon
    ! mountpoint -q "$T/cache" || umount "$T/cache"
    mount -t tmpfs -o size=$size,mode=700 none "$T/cache"
    small_configure "$one"
    bounded_build 200 "$one"
    small_right "$one"
  done
  step "then there is room"
  stop_daemon
  mount --options-source disable -o remount,size=2g "$T/cache"
  assert_caches_right
}

"fault_$1"
