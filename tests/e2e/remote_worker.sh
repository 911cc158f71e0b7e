#!/usr/bin/env bash
# A worker that is not what it should be: buildbox-casd whose actions see other files than this machine has, by mounts over
# the real ones. Nothing that such a worker makes may get into a build or a cache; what cannot run there runs in the sandbox
# here, with a reason and with words that name the file.
#   remote_worker.sh header|compiler|shadow|noproc|notools|once
E2E_REMOTE=own
source "$(dirname -- "$0")/lib.sh"
source "$here/tiny.sh"

# casd.sh starts $casd_bin/buildbox-casd: one of our own that adds a mount for each line "FILE:PLACE" of $T/bin/mounts.
mkdir "$T/bin"
ln -s "$casd_bin"/* "$T/bin/"
mv "$T/bin/buildbox-casd" "$T/bin/real-casd"
cat >"$T/bin/buildbox-casd" <<'SH'
#!/bin/bash
here=$(dirname -- "$0") args=()
while IFS= read -r mount; do args+=(--runner-arg=--ro-bind-mount="$mount"); done <"$here/mounts"
exec "$(readlink -f "$here/real-casd")" "${@:1:$#-1}" "${args[@]}" "${@: -1}"
SH
chmod +x "$T/bin/buildbox-casd"
: >"$T/bin/mounts"
casd_bin=$T/bin

# worker [FILE PLACE]...: the cluster, anew, on the same port and cache, with workers that see FILE at PLACE.
worker() {
  : >"$T/bin/mounts"
  while [ $# -gt 0 ]; do
    echo "$1:$2" >>"$T/bin/mounts"
    case $2 in # a directory at / that is a link here is a mount of its own there
    /usr/bin/* | /usr/lib/* | /usr/lib64/*) echo "$1:${2#/usr}" >>"$T/bin/mounts" ;;
    esac
    shift 2
  done
  if [ -z "$casd_port" ]; then casd_start "$T/casd"; else casd_restart; fi
  export WAYBILL_REMOTE=grpc://127.0.0.1:$casd_port
}

# altered FILE: a copy with one byte more, that works as well; prints its name.
altered() {
  local copy
  mkdir -p "$T/altered"
  copy=$T/altered/$(basename -- "$1")
  cp --dereference -- "$1" "$copy"
  printf '\n' >>"$copy"
  echo "$copy"
}

daemon_log() { find "$T/run" -name waybilld.log -exec cat {} +; }
assert_logged() { grep -qE -- "$1" <<<"$(daemon_log)" || fail "the daemon's log has no line with '$1'"; }

# With workers as they should be, and a machine that knows nothing: nothing wrong was left in the cluster's cache.
# assert_good_cluster HITS: so many results of the earlier builds are there.
assert_good_cluster() {
  step "the same cluster's cache, with workers as they should be, seen by a new client"
  new_client
  worker
  tiny_build good
  counted remote_hits "$1" remote_executed $((tiny_jobs - $1)) fallbacks 0
  new_client
  step "and everything is there for the next"
  tiny_build again
  counted remote_hits $tiny_jobs fallbacks 0
}

# All of it in the sandbox here. assert_all_fall_back NAME REASON
assert_all_fall_back() {
  tiny_build "$1"
  counted executed $tiny_jobs remote_executed 0 remote_hits 0
  assert_eq "fallbacks" "$2=$tiny_jobs" "$(fallback_reasons)"
}

# assert_doctor CODE REGEX: what `waybill doctor clang++-22` says about the worker.
assert_doctor() {
  local out rc=0
  out=$("$WAYBILL" doctor clang++-22) || rc=$?
  assert_eq "exit code of waybill doctor clang++-22, which said: $out" "$1" $rc
  grep -qE -- "^  worker .*$2" <<<"$out" || fail "waybill doctor does not say '$2': $out"
}

case_header() {
  sed 's/^\(#define BUFSIZ\) 8192$/#define WORKER 1\n\1 4096/' /usr/include/stdio.h >"$T/stdio.h"
  ! cmp -s /usr/include/stdio.h "$T/stdio.h" || fail "this stdio.h has no 'BUFSIZ 8192' to change"
  worker "$T/stdio.h" /usr/include/stdio.h
  step "what reads the other header runs here; what does not, on the cluster"
  tiny_build bad
  counted executed $tiny_jobs remote_executed $tiny_lean
  assert_eq "fallbacks" "worker_mismatch=$tiny_readers" "$(fallback_reasons)"
  assert_logged 'worker_mismatch.* /usr/include/stdio\.h'
  assert_doctor 0 "has the same" # the compiler is not at fault
  assert_good_cluster $tiny_lean
}

case_compiler() {
  local file real
  for file in bin/clang lib/libclang-cpp.so.22.1; do
    real=/usr/lib/llvm-22/$file
    [ ! -L "$real" ] || real=$(readlink -f "$real")
    step "another $real"
    [ -z "$casd_port" ] || new_client
    worker "$(altered "$real")" "$real"
    assert_doctor 1 "other files.*$(basename -- "$real")"
    assert_all_fall_back "bad-$(basename -- "$file")" worker_mismatch
    assert_logged "worker_mismatch.*$(basename -- "$real")"
    rm -r "$T/altered"
  done
  assert_good_cluster 0
}

case_shadow() {
  [ -d /usr/local/include ] || skip "no /usr/local/include to mount over"
  [ ! -e /usr/local/include/stdio.h ] || skip "/usr/local/include has a stdio.h of its own"
  mkdir "$T/local"
  printf '#include_next <stdio.h>\n#undef BUFSIZ\n#define BUFSIZ 4096\n' >"$T/local/stdio.h"
  worker "$T/local" /usr/local/include
  step "a header that would be found earlier, there and not here"
  tiny_build bad
  counted executed $tiny_jobs remote_executed $tiny_lean
  assert_eq "fallbacks" "worker_mismatch=$tiny_readers" "$(fallback_reasons)"
  assert_logged 'worker_mismatch.* /usr/local/include/stdio\.h \(is there'
  assert_good_cluster $tiny_lean
}

case_noproc() {
  mkdir "$T/empty"
  worker "$T/empty" /proc
  step "a worker without /proc"
  assert_doctor 1 "no /proc"
  assert_all_fall_back bad worker_mismatch
  assert_good_cluster 0
}

case_notools() {
  local tool
  : >"$T/nothing"
  chmod +x "$T/nothing"
  for tool in xargs sha256sum sh; do
    step "a worker without $tool"
    [ -z "$casd_port" ] || new_client
    worker "$T/nothing" "$(readlink -f "/usr/bin/$tool")"
    case $tool in
    sh) assert_doctor 1 "/bin/sh" ;;
    *) assert_doctor 1 "$tool.* findutils" ;;
    esac
    [ $tool != xargs ] || continue
    assert_all_fall_back "bad-$tool" worker_unproven
    assert_logged 'worker_unproven'
  done
  assert_good_cluster 0
}

# Many compiles at once, one question, or two: the second for what those needed that came while the first was under way.
case_once() {
  local n root=$T/once
  worker
  step "one question for many jobs"
  mkdir -p "$root"
  {
    echo "rule cc"
    echo "  command = $WAYBILL clang-22 -c \$in -o \$out"
    for n in $(seq 24); do
      printf '#include <stdio.h>\nint f%s(void) { return BUFSIZ + %s; }\n' "$n" "$n" >"$root/f$n.c"
      echo "build f$n.o: cc f$n.c"
    done
  } >"$root/build.ninja"
  ninja -C "$root" -j 16 >"$T/ninja.log" 2>&1 || fail "$(tail -n 20 "$T/ninja.log")"
  counted jobs 24 remote_executed 24 fallbacks 0
  [ "$(stat_key probes)" -ge 1 ] && [ "$(stat_key probes)" -le 2 ] || fail "$(stat_key probes) questions for 24 equal compiles"
  step "and none when it is known"
  for n in $(seq 24); do echo "int g$n;" >>"$root/f$n.c"; done
  stats_reset
  ninja -C "$root" -j 16 >"$T/ninja.log" 2>&1 || fail "$(tail -n 20 "$T/ninja.log")"
  counted remote_executed 24 probes 0 fallbacks 0
  step "a build with a precompiled header"
  new_client
  tiny_build tiny -j 16
  counted remote_executed $tiny_jobs fallbacks 0
  [ "$(stat_key probes)" -le 4 ] || fail "$(stat_key probes) questions for $tiny_jobs compiles"
  for n in 1 12 24; do
    clang-22 -c "$root/f$n.c" -o "$T/plain.o"
    [ "$(objcopy -O binary -j .text "$T/plain.o" /dev/stdout | sha256sum)" = \
      "$(objcopy -O binary -j .text "$root/f$n.o" /dev/stdout | sha256sum)" ] || fail "f$n.o has other code than without Waybill"
  done
}

tiny_reference
"case_$1"
