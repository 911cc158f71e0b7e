#!/usr/bin/env bash
# The settings that say where a compile runs, on buildbox-casd: each mode does what docs/remote.md says and nothing more, and
# the bytes are those of the embedded backend.
#   remote_modes.sh cache|local|settings|split|instance|platform
E2E_REMOTE=own
source "$(dirname -- "$0")/lib.sh"
source "$here/remote.sh"
source "$here/tiny.sh"
export WAYBILL_REMOTE_TIMEOUT=5

# Wrong settings end the launcher with exit code 2 and words, before anything is compiled.
# assert_refused REGEX NAME=VALUE...
assert_refused() {
  local regex=$1 out rc=0
  shift
  echo 'int x;' >"$T/x.c"
  rm -f "$T/x.o"
  out=$(cd "$T" && env "$@" "$WAYBILL" clang-22 -c x.c -o x.o 2>&1) || rc=$?
  assert_eq "exit code with $*, which said: $out" 2 $rc
  grep -qE -- "$regex" <<<"$out" || fail "with $* it does not say '$regex': $out"
  [ ! -e "$T/x.o" ] || fail "with $* it compiles all the same"
}

# The cluster only stores: whoever has it execute something leaves a trace.
storage_only() {
  mkdir "$T/bin"
  ln -s "$casd_bin"/* "$T/bin/"
  rm "$T/bin/buildbox-run"
  # shellcheck disable=SC2016
  printf '#!/bin/sh\ncase "$*" in *--capabilities*) exit 0 ;; esac\necho "$*" >>%s\nexit 1\n' "$T/executed-there" >"$T/bin/buildbox-run"
  chmod +x "$T/bin/buildbox-run"
  casd_bin=$T/bin
}
assert_nothing_executed_there() {
  [ ! -e "$T/executed-there" ] || fail "the cluster was asked to execute: $(head -n 3 "$T/executed-there")"
}

case_cache() {
  local root=$T/three/tree
  storage_only
  casd_start "$T/casd"
  export WAYBILL_REMOTE=grpc://127.0.0.1:$casd_port WAYBILL_MODE=cache
  step "mode cache: executed in the sandbox, results go to the cluster"
  tiny_build one
  counted executed $tiny_jobs remote_executed 0 cache_hits 0 fallbacks 0 probes 0
  step "another machine gets all of them"
  new_client
  tiny_build two
  counted executed 0 cache_hits $tiny_jobs remote_hits $tiny_jobs fallbacks 0
  step "and then has them"
  stats_reset
  ninja -C "$T/two/tree/build" -t clean >/dev/null
  build "$T/two/tree/build"
  counted jobs $tiny_jobs executed 0 cache_hits $tiny_jobs fallbacks 0
  tiny_right "$T/two/tree"

  step "a cluster that goes away in the middle"
  new_client
  casd_stop
  casd_wipe
  casd_restart
  tiny_project "$root"
  tiny_configure "$root"
  stats_reset
  build "$root/build" heavy
  counted executed 3 fallbacks 0
  casd_kill
  build "$root/build"
  assert_counts $tiny_jobs
  tiny_right "$root"
  counted executed $tiny_jobs remote_hits 0 fallbacks $((tiny_jobs - 3))
  assert_eq "fallbacks" "remote_down=$((tiny_jobs - 3))" "$(fallback_reasons)"
  step "what it got is right"
  new_client
  casd_restart
  tiny_build four
  counted remote_hits 3 executed $((tiny_jobs - 3)) fallbacks 0
  assert_nothing_executed_there
}

case_local() {
  step "mode local: nobody connects to the cluster"
  peer_start watch python3 -S -u -c 'import socket, sys, threading
s = socket.create_server(("127.0.0.1", 0))
seen = []
def serve():
    while True:
        c = s.accept()[0]
        seen.append(c)
        c.close()
threading.Thread(target=serve, daemon=True).start()
print("READY", s.getsockname()[1])
for line in sys.stdin:
    print("OK connections=%d" % len(seen))'
  export WAYBILL_REMOTE=grpc://127.0.0.1:$peer_port WAYBILL_MODE=local
  tiny_build one
  counted executed $tiny_jobs remote_executed 0 fallbacks 0 probes 0
  assert_eq "connections" 0 "$(peer_count watch connections)"
  step "but with mode remote, of the same daemon" # so that the test can fail
  mkdir "$T/x"
  echo 'int x;' >"$T/x/x.c"
  (cd "$T/x" && WAYBILL_MODE=remote "$WAYBILL" clang-22 -c x.c -o x.o)
  assert_ne "connections" 0 "$(peer_count watch connections)"
  assert_eq "fallbacks" "remote_down=1" "$(fallback_reasons)"
  peer_stop watch
}

case_settings() {
  local value
  step "mode off: the compiler's own objects"
  tiny_project "$T/off"
  (
    launcher=''
    configure other "$T/off/src" "$T/off/build" clang-22 -DCMAKE_BUILD_TYPE=RelWithDebInfo
    build "$T/off/build"
  )
  mv "$T/off/build" "$T/plain"
  tiny_configure "$T/off"
  stats_reset
  WAYBILL_MODE=off build "$T/off/build"
  assert_eq "executed" 0 "$(stat_key executed)"
  same_bytes "$T/plain" "$T/off/build" '*.pch' # a plain one has modification times in it
  assert_no_work "$T/off/build"

  step "settings that cannot be"
  assert_refused 'mode is remote.*WAYBILL_REMOTE.*grpc://' WAYBILL_MODE=remote
  assert_refused 'mode is cache.*remote_cas.*remote_cache' WAYBILL_MODE=cache
  assert_refused 'mode is cache' WAYBILL_MODE=cache WAYBILL_REMOTE_CAS=grpc://127.0.0.1:1
  assert_refused 'WAYBILL_MODE.*clusterr' WAYBILL_MODE=clusterr
  for value in nonsense =x 'a=b,,c=d' 'a=b,c'; do
    assert_refused "WAYBILL_PLATFORM" "WAYBILL_PLATFORM=$value"
  done
  stop_daemon # the settings below are a daemon's, read at its start
  for value in http://127.0.0.1:1 127.0.0.1 grpc:// grpc://127.0.0.1:99999; do
    assert_refused "(WAYBILL_REMOTE|remote).*" "WAYBILL_REMOTE=$value"
  done
}

case_split() {
  local exec cas cache
  casd_start "$T/casd"
  step "storage and action cache at addresses of their own"
  export WAYBILL_REMOTE=grpc://127.0.0.1:$casd_port WAYBILL_REMOTE_CAS=grpc://localhost:$casd_port
  export WAYBILL_REMOTE_CACHE=grpc://localhost:$casd_port
  tiny_build one
  counted remote_executed $tiny_jobs fallbacks 0
  step "no remote, but both of the others: mode cache"
  new_client
  export WAYBILL_REMOTE='' WAYBILL_MODE=cache
  tiny_build two
  counted remote_hits $tiny_jobs executed 0 fallbacks 0
  step "one of them is not there"
  new_client
  export WAYBILL_REMOTE_CAS=grpc://127.0.0.1:$(casd_free_port)
  tiny_build three
  counted executed $tiny_jobs remote_hits 0
  assert_fallbacks 1 remote_down
}

case_instance() {
  local out rc=0
  casd_start "$T/casd"
  export WAYBILL_REMOTE=grpc://127.0.0.1:$casd_port WAYBILL_INSTANCE=no-such-instance
  step "an instance that the server does not know"
  tiny_build one
  counted executed $tiny_jobs remote_executed 0
  assert_eq "fallbacks" "remote_refused=$tiny_jobs" "$(fallback_reasons)"
  out=$("$WAYBILL" doctor clang++-22) || rc=$?
  assert_eq "exit code of waybill doctor" 1 $rc
  grep -E '^(remote|  worker) .*no-such-instance' <<<"$out" || fail "waybill doctor does not have the server's words: $out"
}

# with_platform PROPERTIES NAME: a build in a new checkout
with_platform() {
  step "platform $1"
  WAYBILL_PLATFORM=$1 tiny_build "$2"
}

case_platform() {
  casd_start "$T/casd"
  export WAYBILL_REMOTE=grpc://127.0.0.1:$casd_port
  with_platform pool=one,disk=big one # casd ignores names that it does not know
  counted remote_executed $tiny_jobs fallbacks 0
  with_platform pool=two,disk=big two
  counted remote_executed $tiny_jobs cache_hits 0 fallbacks 0
  with_platform disk=big,pool=one three
  counted remote_hits $tiny_jobs executed 0 fallbacks 0
  new_client
  with_platform pool=two,disk=big four
  counted remote_hits $tiny_jobs executed 0 fallbacks 0
  step "none at all"
  tiny_build five
  counted remote_executed $tiny_jobs cache_hits 0 fallbacks 0
  with_platform OSFamily=plan9 six # casd says INTERNAL
  counted executed $tiny_jobs remote_executed 0 cache_hits 0 fallbacks $tiny_jobs
  assert_fallbacks $tiny_jobs worker_unproven
  with_platform pool=one,disk=big seven # the others are not affected
  counted remote_hits $tiny_jobs fallbacks 0
}

[ "$1" = settings ] || tiny_reference
"case_$1"
