# lib.sh: what every end-to-end test shares. Sourced first, with WAYBILL naming the client under test.
#
# A test gets a directory of its own, $T, that holds its home, cache, configuration and sockets, so it has its own daemon
# and touches nothing of the user's. At the end the daemon is stopped and $T removed; when the test failed, the daemon's
# log and counters are printed first. The oracle is always the real thing (compiler, cmp, strace, gdb, /proc), never what
# Waybill says of itself; its counters only tell which way a result came.
#
#   E2E_KEEP=1    keep $T
#   E2E_TMP=DIR   where $T is made (default /tmp: the socket's path must stay short)
#   E2E_SHARED=DIR  where tests of one run share what each would have to copy (same filesystem as E2E_TMP)
#   E2E_JOBS=N    ninja's -j (default: the number of cores)
#   E2E_REMOTE=casd  the same test on a cluster: buildbox-casd (tests/interop/casd.sh), started for it and stopped after it.
#                 The test's text does not change; beside its own assertions, nothing may have fallen back to the sandbox
#                 of this machine (remote_account)
# shellcheck shell=bash
set -euo pipefail

: "${WAYBILL:?set WAYBILL to the client under test}"
# shellcheck disable=SC2034  # used by the tests
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
top=$(cd -- "$here/../.." && pwd)
jobs=${E2E_JOBS:-$(nproc)}

# The cluster's programs are looked for while HOME and WB_TEST_VENV are still the user's. A test without them fails.
# shellcheck source=tests/interop/casd.sh
source "$top/tests/interop/casd.sh"
case ${E2E_REMOTE-} in
"") ;;
casd | own) casd_setup ;; # own: the test starts its cluster itself, and knows what may fall back
*)
  echo "FAIL: E2E_REMOTE is '$E2E_REMOTE', not casd" >&2
  exit 1
  ;;
esac

# A setting of the user's must not reach a test; neither may anything that changes what compilers do.
for v in $(compgen -e); do
  case $v in
  WAYBILL_DAEMON) ;;
  WAYBILL_* | CMAKE_* | CCACHE_* | NINJA_STATUS | MAKEFLAGS | CPATH | *_INCLUDE_PATH | CC | CXX | CFLAGS | CXXFLAGS | \
    LDFLAGS | SOURCE_DATE_EPOCH | LANGUAGE | LC_* | CLICOLOR_FORCE | COLUMNS) unset "$v" ;;
  esac
done
export LC_ALL=C.UTF-8 TERM=xterm PYTHONDONTWRITEBYTECODE=1

T=$(mktemp -d "${E2E_TMP:-/tmp}/wb-e2e.XXXXXX")
mkdir -p "$T/home" "$T/cache" "$T/run" "$T/config" "$T/tmp"
chmod 700 "$T/run"
export HOME=$T/home XDG_CACHE_HOME=$T/cache XDG_RUNTIME_DIR=$T/run XDG_CONFIG_HOME=$T/config TMPDIR=$T/tmp
export WAYBILL_IDLE_TIMEOUT=120 # a daemon that outlives its test ends by itself
export GIT_CONFIG_NOSYSTEM=1

# ---- assertions

fail() {
  echo "FAIL: $*" >&2
  exit 1
}

step() { echo "== $*"; }

# assert_eq WHAT EXPECTED ACTUAL
assert_eq() {
  [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

# assert_ne WHAT UNEXPECTED ACTUAL
assert_ne() {
  [ "$2" != "$3" ] || fail "$1: got '$3' again"
}

# assert_same FILE1 FILE2: equal bytes.
assert_same() {
  cmp -- "$1" "$2" || fail "$1 and $2 differ"
}

# assert_match WHAT REGEX TEXT
assert_match() {
  [[ $3 =~ $2 ]] || fail "$1: no match for '$2' in: $3"
}

skip() {
  echo "SKIP: $*"
  exit 77
}

# ---- the daemon and its counters

# Process ids of this test's daemons, found in /proc: the one whose open files or settings lie in $T.
daemon_pids() {
  local p name exe
  for p in /proc/[0-9]*; do
    { read -r name <"$p/comm"; } 2>/dev/null || continue
    [ "$name" = waybilld ] || continue # costs no process
    exe=$(readlink "$p/exe" 2>/dev/null) || continue
    case ${exe% (deleted)} in
    */waybilld) ;;
    *) continue ;;
    esac
    if { tr '\0' '\n' <"$p/cmdline"; } 2>/dev/null | grep -qF "$T/" || find "$p/fd" -lname "$T/*" 2>/dev/null | grep -q .; then
      echo "${p#/proc/}"
    fi
  done
}

# stat_keys KEY...: numbers from `waybill stats --json`, in one line; local_reasons.NAME for one reason; 0 when absent.
stat_keys() {
  "$WAYBILL" stats --json | python3 -S -c '
import json, sys
stats, out = json.load(sys.stdin), []
for key in sys.argv[1:]:
    value = stats
    for part in key.split("."):
        value = value.get(part, 0) if isinstance(value, dict) else 0
    out.append(str(value))
print(*out)' "$@"
}
stat_key() { stat_keys "$1"; }

# End the daemon and wait until its process is gone.
stop_daemon() {
  local _
  "$WAYBILL" stop >/dev/null 2>&1 || true
  for _ in $(seq 100); do
    [ -n "$(daemon_pids)" ] || return 0
    sleep 0.1
  done
  fail "the daemon does not end: $(daemon_pids)"
}

stats_reset() {
  remote_account
  "$WAYBILL" stats --reset >/dev/null
}

# With E2E_REMOTE: what the counters say since they were reset last must be explained. Everything that was executed was so
# on the cluster, but for actions that failed there: those run again in the sandbox here, and only an error in the source
# may have that effect. Called before each reset and at the end.
remote_seen=0
remote_account() {
  [ "${E2E_REMOTE-}" = casd ] || return 0
  local executed remote hits fallbacks errors
  read -r executed remote hits fallbacks errors < <(stat_keys executed remote_executed remote_hits fallbacks compile_errors)
  [ "$fallbacks" -le "$errors" ] ||
    fail "ran in the sandbox instead of the cluster: $(fallback_reasons); only $errors compiles are in error"
  [ "$executed" -le $((remote + fallbacks)) ] || fail "$executed executed, of these only $remote on the cluster"
  remote_seen=$((remote_seen + remote + hits))
}

# fallback_reasons: "reason=count ..." of what was meant for the cluster and ran in the sandbox here; sorted.
fallback_reasons() {
  "$WAYBILL" stats --json | python3 -S -c '
import json, sys
reasons = json.load(sys.stdin).get("fallback_reasons", {})
print(" ".join(f"{k}={v}" for k, v in sorted(reasons.items()) if v))'
}

# local_reasons: "reason=count ..." of every local run, sorted; empty when there was none.
local_reasons() {
  "$WAYBILL" stats --json | python3 -c '
import json, sys
reasons = json.load(sys.stdin).get("local_reasons", {})
print(" ".join(f"{k}={v}" for k, v in sorted(reasons.items()) if v))'
}

# assert_counts JOBS [REASON=COUNT ...]: so many jobs; no mismatch; the local runs are exactly those named.
assert_counts() {
  local expected=$1 reasons
  shift
  reasons=$(printf '%s\n' "$@" | sort | tr '\n' ' ')
  reasons=${reasons% }
  local jobs executed hits locals mismatch
  read -r jobs executed hits locals mismatch < <(stat_keys jobs executed cache_hits local sandbox_mismatch)
  assert_eq "jobs" "$expected" "$jobs"
  assert_eq "sandbox_mismatch" 0 "$mismatch"
  assert_eq "local runs" "$reasons" "$(local_reasons)"
  assert_eq "jobs = executed + cache_hits + local" "$expected" $((executed + hits + locals))
}

on_exit() {
  local rc=$? p
  set +e
  trap - EXIT
  if [ $rc = 0 ] && [ "${E2E_REMOTE-}" = casd ]; then
    (
      set -e
      remote_account
      [ "$remote_seen" -gt 0 ] || fail "nothing ran on the cluster and nothing came from it"
    )
    rc=$?
  fi
  if [ $rc != 0 ] && [ $rc != 77 ]; then
    echo "---- $0 failed ($rc); counters:" >&2
    timeout 20 "$WAYBILL" stats >&2
    find "$T/cache" "$T/run" -name '*.log' -type f 2>/dev/null | while read -r log; do
      echo "---- $log:" >&2
      tail -n 60 "$log" >&2
    done
    [ -z "$casd_dir" ] || {
      echo "---- $casd_dir/log:" >&2
      tail -n 20 "$casd_dir/log" >&2
    }
  fi
  [ -z "${sandbox_watch_pid-}" ] || kill "$sandbox_watch_pid" 2>/dev/null
  timeout 20 "$WAYBILL" stop >/dev/null 2>&1
  for p in $(daemon_pids); do
    kill -CONT "$p" 2>/dev/null
    kill -KILL "$p" 2>/dev/null
  done
  casd_cleanup
  if [ -n "${E2E_KEEP-}" ]; then
    echo "kept: $T" >&2
  else
    for p in "$T/cache" "$T/casd/cache"; do
      ! mountpoint -q "$p" || umount -l "$p"
    done
    chmod -R u+w "$T" 2>/dev/null
    rm -rf -- "$T"
  fi
  exit $rc
}
trap on_exit EXIT

if [ "${E2E_REMOTE-}" = casd ]; then
  # A test that has system directories of its own keeps them here: they are part of the worker's image too.
  mkdir -p "$T/system"
  casd_dirs=("$T/system")
  casd_start "$T/casd" || fail "no cluster"
  export WAYBILL_REMOTE=grpc://127.0.0.1:$casd_port
fi

# ---- projects

copy_googletest() {
  mkdir -p "$1"
  cp -r /usr/src/googletest/. "$1"
}

copy_llvm_tools() {
  mkdir -p "$1"
  cp -r "$top/examples/llvm-tools/." "$1"
  rm -rf "$1/build" "$1/third_party"
  # Its configuration copies LLVM's headers, thousands of files: done once for all tests of a run, then linked.
  if [ -n "${E2E_SHARED-}" ] && [ -d "$E2E_SHARED/third_party" ]; then
    cp -al "$E2E_SHARED/third_party" "$1/third_party" 2>/dev/null || rm -rf "$1/third_party"
  fi
}

# The quicker half of it, for tests that build it again and again: a library, unity sources, C and a generated header, with
# three of the five precompiled headers.
copy_llvm_tools_part() {
  copy_llvm_tools "$1"
  sed -i '/^add_subdirectory("ir tools")$/d; /^add_subdirectory(größe)$/d' "$1/CMakeLists.txt"
  [ "$(grep -c '^add_subdirectory' "$1/CMakeLists.txt")" = 4 ] || fail "the CMakeLists.txt of llvm-tools is another now"
}

# Keep the copied headers of checkout $1 for the next test.
share_llvm_headers() {
  local new
  [ -n "${E2E_SHARED-}" ] && [ ! -d "$E2E_SHARED/third_party" ] || return 0
  mkdir -p "$E2E_SHARED"
  new=$(mktemp -d "$E2E_SHARED/new.XXXXXX")
  if cp -al "$1/third_party/." "$new" 2>/dev/null && mv -T "$new" "$E2E_SHARED/third_party" 2>/dev/null; then
    return 0
  fi
  rm -rf "$new" # another test was faster, or links are not possible here
}

# compiler_pair NAME: sets cc and cxx for clang-22, gcc-12 ...
compiler_pair() {
  cc=$1
  case $1 in
  clang-*) cxx=clang++-${1#clang-} ;;
  gcc-*) cxx=g++-${1#gcc-} ;;
  *) fail "unknown compiler $1" ;;
  esac
}

# What CMake finds out about compiler $cc, $cxx: asked once, in a project without Waybill, for all tests of a run (or for this
# test). Prints the directory that holds it; nothing when it could not be made.
cmake_answers() {
  local kept new
  # another compiler or CMake under the same name is asked anew
  kept=${E2E_SHARED:-$T}/cmake-$1-$(stat -Lc '%n %s %y' "$(command -v "$cc")" "$(command -v "$cxx")" "$(command -v cmake)" |
    sha256sum | cut -c1-12)
  if [ ! -d "$kept" ]; then
    mkdir -p "${kept%/*}"
    new=$(mktemp -d "$kept.XXXXXX")
    mkdir "$new/src" "$new/answers"
    printf 'cmake_minimum_required(VERSION 3.25)\nproject(answers C CXX)\n' >"$new/src/CMakeLists.txt"
    cmake -G "$1" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -S "$new/src" -B "$new/build" >"$T/answers.log" 2>&1 || true
    cp -r "$new"/build/CMakeFiles/[0-9]*.[0-9]* "$new/answers" &&
      mv -T "$new/answers" "$kept" 2>/dev/null || true # or another test was faster
    rm -rf "$new"
  fi
  [ ! -d "$kept" ] || echo "$kept"
}

# configure PROJECT SRC BUILD COMPILER [CMAKE ARGUMENT ...]. PROJECT is googletest, llvm-tools or other. Set
# launcher= (empty) for a build without Waybill, generator= for another generator than Ninja, probe=yes to have CMake try the
# compiler, through the launcher, as it does for a user. Without, and with no flags of the test's own, it takes the answers
# that were kept, by its own means for that.
configure() {
  local project=$1 src=$2 build=$3 cc cxx
  compiler_pair "$4"
  shift 4
  local args=(-G "${generator:-Ninja}" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON)
  if [ -n "${launcher-$WAYBILL}" ]; then
    args+=(-DCMAKE_C_COMPILER_LAUNCHER="${launcher-$WAYBILL}" -DCMAKE_CXX_COMPILER_LAUNCHER="${launcher-$WAYBILL}")
  fi
  case $project in
  googletest)
    args+=(-DCMAKE_PROJECT_googletest-distribution_INCLUDE="$here/googletest_pch.cmake" -Dgtest_build_samples=ON
      -DCMAKE_BUILD_TYPE=RelWithDebInfo)
    ;;
  llvm-tools) # ld takes five times as long with LLVM's library, and how long it takes is all that a linker is to these tests
    if [ -n "$(command -v ld.gold)" ]; then args+=(-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=gold); fi
    ;;
  esac
  if [ "${probe-no}" = no ] && [ ! -e "$build/CMakeFiles" ] && [[ " $* " != *FLAGS=* ]]; then
    local answers
    answers=$(cmake_answers "${generator:-Ninja}")
    if [ -n "$answers" ]; then
      mkdir -p "$build"
      cp -r "$answers" "$build/CMakeFiles"
      args+=(-DCMAKE_PLATFORM_INFO_INITIALIZED=1)
    fi
  fi
  cmake -S "$src" -B "$build" "${args[@]}" "$@" >"$T/configure.log" 2>&1 || {
    cat "$T/configure.log" >&2
    fail "configuring $src"
  }
  [ "$project" != llvm-tools ] || share_llvm_headers "$src"
}

# build DIR [NINJA ARGUMENT ...]: prints the log when it fails.
build() {
  local dir=$1
  shift
  ninja -C "$dir" -j "$jobs" "$@" >"$T/ninja.log" 2>&1 || {
    tail -n 80 "$T/ninja.log" >&2
    fail "building $dir"
  }
}

# A second ninja must find nothing to do.
assert_no_work() {
  local out
  out=$(ninja -C "$1" -d explain 2>&1) || fail "second ninja in $1: $out"
  case $out in
  *"no work to do"*) ;;
  *) fail "second ninja in $1 found work: $(head -n 20 <<<"$out")" ;;
  esac
}

# How many of the build's commands go through the launcher, asked from Ninja.
launched_commands() {
  ninja -C "$1" -t commands all | grep -cF -- "$WAYBILL "
}

# Relative names of the objects, precompiled headers and executables below a build directory.
products() {
  (cd "$1" && find . \( -path ./CMakeFiles/3.\* -o -path ./CMakeFiles/CMakeScratch \) -prune -o -type f \
    \( -name '*.o' -o -name '*.pch' -o -name '*.a' -o -name '*.so*' -o \( -perm -u+x ! -name '*.sh' \) \) -print | sort)
}

# same_bytes BUILD1 BUILD2: the same products, byte for byte. Arguments after these: name patterns to leave out.
same_bytes() {
  local one=$1 two=$2 list n=0 bad=0 f p
  shift 2
  list=$(products "$one")
  assert_eq "products of $two" "$list" "$(products "$two")"
  [ -n "$list" ] || fail "no products in $one"
  while read -r f; do
    # shellcheck disable=SC2053  # patterns are meant
    for p in "$@"; do [[ $f == $p ]] && continue 2; done
    n=$((n + 1))
    cmp -s "$one/$f" "$two/$f" || {
      echo "differs: $f" >&2
      bad=$((bad + 1))
    }
  done <<<"$list"
  [ $bad = 0 ] || fail "$bad of $n products differ between $one and $two"
  echo "$n products identical"
}

run_ctest() {
  ctest --test-dir "$1" --output-on-failure >"$T/ctest.log" 2>&1 || {
    cat "$T/ctest.log" >&2
    fail "the programs built in $1 do not work"
  }
}

# ---- was it really the sandbox?

have_namespaces() {
  bwrap --unshare-all --ro-bind / / --proc /proc true 2>/dev/null
}

# Watch, through /proc, every compiler that runs until sandbox_watch_end: each must have a root file system without
# directory $1 and a network namespace of its own.
sandbox_watch() {
  sandbox_watch_pid=
  have_namespaces || {
    echo "no namespaces here: not watching where compilers run"
    return 0
  }
  python3 "$here/watch_sandbox.py" "$1" "$T" >"$T/watch.txt" &
  sandbox_watch_pid=$!
}

# sandbox_watch_end MINIMUM: at least so many compilers were seen, and each was shut in.
sandbox_watch_end() {
  [ -n "$sandbox_watch_pid" ] || return 0
  kill -TERM "$sandbox_watch_pid"
  wait "$sandbox_watch_pid" || true
  sandbox_watch_pid=
  local seen loose
  seen=$(sed -n 's/^seen //p' "$T/watch.txt")
  loose=$(sed -n 's/^loose //p' "$T/watch.txt")
  [ -z "$loose" ] || fail "compilers that could see the checkout or the network: $loose"
  [ "${seen:-0}" -ge "$1" ] || fail "watched for compilers and saw only ${seen:-0}"
  echo "$seen compilers watched; none could see the checkout or the network"
}
