#!/usr/bin/env bash
# Acceptance 7: whatever breaks, the build ends right, and nothing wrong is in the cache afterwards.
#   faults.sh kill|hang|cache_full|build_full|corrupt|herd|slots|cancel|two_checkouts|tamper
here=$(cd -- "$(dirname -- "$0")" && pwd)
source "$here/own_mounts.sh"
case $1 in
cache_full | build_full) own_mounts "$@" ;;
esac
source "$here/lib.sh"
compiler=clang-22
one=$T/one

start_llvm_tools() {
  copy_llvm_tools_part "$one/src"
  configure llvm-tools "$one/src" "$one/build" $compiler
  expected=$(launched_commands "$one/build")
}

# The cache holds nothing wrong: a second checkout, built from it, is the same as one that is built with an empty cache of
# its own.
assert_cache_right() {
  step "nothing wrong is in the cache"
  local root
  for root in "$T/second/checkout" "$T/ref"; do
    mkdir -p "$root"
    cp -r "$one/src" "$root/src"
  done
  configure llvm-tools "$T/second/checkout/src" "$T/second/checkout/build" $compiler
  stats_reset
  build "$T/second/checkout/build"
  assert_counts "$expected"
  echo "second checkout: $(stat_key cache_hits) of $expected from the cache"
  (
    mkdir -p "$T/ref-cache" "$T/ref-run"
    chmod 700 "$T/ref-run"
    export XDG_CACHE_HOME=$T/ref-cache XDG_RUNTIME_DIR=$T/ref-run
    [ -z "${E2E_REMOTE-}" ] || export WAYBILL_MODE=local # the cluster's cache is what is compared with
    configure llvm-tools "$T/ref/src" "$T/ref/build" $compiler
    build "$T/ref/build"
    assert_counts "$expected"
    "$WAYBILL" stop >/dev/null
  )
  same_bytes "$T/ref/build" "$T/second/checkout/build"
  run_ctest "$T/second/checkout/build"
}

kill_daemons() { # kill_daemons SIGNAL
  local p
  for p in $(daemon_pids); do kill "-$1" "$p" 2>/dev/null || true; done
}

# A C++ source that keeps clang busy: STEPS steps of a constant expression.
slow_source() {
  cat <<'CPP'
constexpr unsigned long spin(unsigned long n) { unsigned long x = 1; for (unsigned long i = 0; i < n; ++i) x = x * 3 + i; return x | 1; }
static_assert(spin(STEPS) != 0, "");
int slow;
CPP
}

fault_kill() {
  start_llvm_tools
  step "kill -9 of the daemon, again and again in mid-build"
  ninja -C "$one/build" -j "$jobs" >"$T/ninja.log" 2>&1 &
  local ninja=$! kills=0
  for _ in 1 2 3; do
    sleep 1.5
    kill -0 $ninja 2>/dev/null || break
    if [ -n "$(daemon_pids)" ]; then
      kill_daemons KILL
      kills=$((kills + 1))
    fi
  done
  wait $ninja || fail "the build failed: $(tail -n 40 "$T/ninja.log")"
  [ $kills -ge 1 ] || fail "the daemon was never killed"
  echo "$kills daemons killed"
  run_ctest "$one/build"
  assert_no_work "$one/build"
  assert_cache_right
}

fault_hang() {
  mkdir -p "$one"
  cd "$one"
  echo 'int a(void) { return 1; }' >a.c
  "$WAYBILL" clang-22 -c a.c -o first.o
  [ "$(daemon_pids | wc -l)" = 1 ] || fail "no daemon runs"
  step "a daemon that does not answer"
  kill_daemons STOP
  local start=$SECONDS
  timeout 150 "$WAYBILL" clang-22 -c a.c -o a.o || fail "the launcher did not compile ($?)"
  echo "the launcher gave up on it after $((SECONDS - start)) s"
  clang-22 -c a.c -o plain.o
  assert_same plain.o a.o
  start=$SECONDS
  timeout 150 "$WAYBILL" clang-22 -c a.c -o b.o || fail "the second launcher did not compile ($?)"
  echo "the second one after $((SECONDS - start)) s"
  assert_same plain.o b.o
  kill_daemons CONT
  sleep 1
  "$WAYBILL" clang-22 -c a.c -o c.o
  assert_same plain.o c.o
}

fault_cache_full() {
  local size
  for size in 4m 24m; do
    step "a cache of $size"
    stop_daemon
    ! mountpoint -q "$T/cache" || umount "$T/cache"
    mount -t tmpfs -o size=$size,mode=700 none "$T/cache"
    rm -rf "$one"
    start_llvm_tools
    build "$one/build"
    run_ctest "$one/build"
    assert_no_work "$one/build"
    [ "$(stat_key local_reasons.store)" -ge 1 ] || fail "everything fitted into $size"
    echo "local runs: $(local_reasons)"
  done
  step "then there is room"
  mount --options-source disable -o remount,size=3g "$T/cache"
  stop_daemon
  rm -rf "$one"
  start_llvm_tools
  stats_reset
  build "$one/build"
  assert_counts "$expected"
  run_ctest "$one/build"
  assert_cache_right
}

fault_build_full() {
  mkdir -p "$one/build"
  local size
  for size in 12m 30m; do
    step "a build directory of $size"
    mount -t tmpfs -o size=$size none "$one/build"
    start_llvm_tools
    if ninja -C "$one/build" -j "$jobs" -k0 >"$T/ninja.log" 2>&1; then fail "the build fitted into $size"; fi
    grep -q 'No space left on device' "$T/ninja.log" || fail "another failure: $(tail -n 20 "$T/ninja.log")"
    step "then there is room"
    mount --options-source disable -o remount,size=2g "$one/build"
    build "$one/build"
    run_ctest "$one/build"
    assert_no_work "$one/build"
    umount "$one/build"
  done
  assert_cache_right
}

# corrupt_store all|gone|FILE...: damage blobs, sizes and times kept where possible, and print how many. all: every one; gone:
# every one, some of them removed; else those with the contents of the files named.
corrupt_store() {
  python3 - "$T/cache" "$@" <<'PY'
import hashlib, os, re, sys
cache, *what = sys.argv[1:]
every = what[0] in ("all", "gone")
wanted = set() if every else {hashlib.sha256(open(f, "rb").read()).hexdigest() for f in what}
n = 0
for directory, _, names in os.walk(cache):
    for name in names:
        path = os.path.join(directory, name)
        digest = re.search(r"[0-9a-f]{64}", name)
        if not digest or os.path.islink(path) or os.path.getsize(path) == 0:
            continue
        if not every and digest.group() not in wanted:
            continue
        n += 1
        st = os.stat(path)
        os.chmod(path, 0o644)
        if what[0] == "gone" and n % 5 == 0:
            os.unlink(path)
            continue
        with open(path, "r+b") as f:
            if every and n % 3 == 0:
                f.truncate(st.st_size // 2)
            else:
                f.seek(st.st_size // 2)
                byte = f.read(1)[0]
                f.seek(st.st_size // 2)
                f.write(bytes([byte ^ 1]))
        os.chmod(path, st.st_mode & 0o777)
        os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))
print(n)
PY
}

fault_corrupt() {
  start_llvm_tools
  build "$one/build"
  assert_counts "$expected"

  step "one object, one precompiled header and two inputs damaged under a running daemon; a second checkout"
  assert_eq "blobs damaged" 4 "$(corrupt_store "$one/build/toolkit/CMakeFiles/toolkit.dir/table.cpp.o" \
    "$one/build/names/CMakeFiles/names.dir/cmake_pch.hxx.pch" "$one/src/toolkit/toolkit.h" "$one/src/capi/triple_info.h")"
  mkdir -p "$T/two/two"
  cp -r "$one/src" "$T/two/two/src"
  configure llvm-tools "$T/two/two/src" "$T/two/two/build" $compiler
  stats_reset
  build "$T/two/two/build"
  assert_counts "$expected"
  same_bytes "$one/build" "$T/two/two/build"

  step "the same while no daemon runs, and actions that read the damaged inputs"
  stop_daemon
  [ "$(corrupt_store "$one/build/toolkit/CMakeFiles/toolkit.dir/table.cpp.o" \
    "$one/build/names/CMakeFiles/names.dir/cmake_pch.hxx.pch" "$one/src/toolkit/toolkit.h" "$one/src/capi/triple_info.h")" -ge 2 ] ||
    fail "nothing to damage"
  echo '#define TRIPLE_INFO_CHANGED 1' >>"$one/src/capi/triple_info.c"
  echo '#define TOOLKIT_CHANGED 1' >>"$one/src/toolkit/table_limits.h"
  stats_reset
  build "$one/build"
  assert_eq "local runs" "" "$(local_reasons)"
  run_ctest "$one/build"

  rm -rf "$one/build"
  configure llvm-tools "$one/src" "$one/build" $compiler
  assert_cache_right

  step "every blob damaged under a running daemon: a build ends right, however it gets there"
  [ "$(corrupt_store all)" -ge 400 ] || fail "hardly any blobs in the store"
  rm -rf "$one/build"
  configure llvm-tools "$one/src" "$one/build" $compiler
  stats_reset
  build "$one/build"
  run_ctest "$one/build"
  assert_no_work "$one/build"
  assert_eq "sandbox_mismatch" 0 "$(stat_key sandbox_mismatch)"
  echo "$(stat_key executed) executed, $(stat_key cache_hits) hits, $(stat_key local) local ($(local_reasons))"

  step "every blob damaged or gone while no daemon runs"
  stop_daemon
  corrupt_store gone >/dev/null
  echo '#define TOOLKIT_CHANGED_AGAIN 1' >>"$one/src/toolkit/table_limits.h"
  stats_reset
  build "$one/build"
  run_ctest "$one/build"
  assert_eq "sandbox_mismatch" 0 "$(stat_key sandbox_mismatch)"

  step "and after a clear, as ever"
  "$WAYBILL" clear
  rm -rf "$one/build"
  configure llvm-tools "$one/src" "$one/build" $compiler
  stats_reset
  build "$one/build"
  assert_counts "$expected"
  run_ctest "$one/build"
}

fault_herd() {
  mkdir -p "$one"
  cd "$one"
  local i failed=0 pids=()
  for i in $(seq 200); do
    echo "int f$i(void) { return $i; }" >t$i.c
    clang-22 -c t$i.c -o plain$i.o
  done
  step "200 launchers at once, no daemon"
  [ -z "$(daemon_pids)" ] || fail "a daemon runs already"
  for i in $(seq 200); do
    "$WAYBILL" clang-22 -c t$i.c -o t$i.o &
    pids+=($!)
  done
  for i in "${pids[@]}"; do wait "$i" || failed=$((failed + 1)); done
  assert_eq "launchers that failed" 0 $failed
  for i in $(seq 200); do assert_same plain$i.o t$i.o; done
  assert_eq "daemons" 1 "$(daemon_pids | wc -l)"
  assert_counts 200
}

fault_slots() {
  mkdir -p "$one"
  cd "$one"
  local i pids=() most=0 now
  slow_source >slow.cpp
  step "many launchers, all local: no more compilers than cores"
  export WAYBILL_MODE=off
  for i in $(seq 16); do
    "$WAYBILL" clang++-22 -fconstexpr-steps=2000000000 -DSTEPS=3000$((10 + i)) -c slow.cpp -o s$i.o &
    pids+=($!)
  done
  while kill -0 "${pids[@]}" 2>/dev/null; do # all of them still run
    # compilers of this test, by their working directory
    now=$(for p in /proc/[0-9]*; do
      case $(readlink "$p/exe" 2>/dev/null) in */clang*) [ "$(readlink "$p/cwd" 2>/dev/null)" != "$one" ] || echo x ;; esac
    done | wc -l)
    [ "$now" -le $most ] || most=$now
    sleep 0.02
  done
  for i in "${pids[@]}"; do wait "$i" || fail "a launcher failed"; done
  echo "at most $most at once"
  [ $most -ge 1 ] || fail "saw no compiler"
  [ $most -le "$(nproc)" ] || fail "$most compilers at once on $(nproc) cores"
  assert_counts 16 configured=16
}

fault_cancel() {
  mkdir -p "$one"
  cd "$one"
  slow_source >slow.cpp
  compilers() { # of this test: some ancestor is its daemon or a launcher of it
    local p
    for p in /proc/[0-9]*; do
      { tr "\0" " " <"$p/cmdline" | grep -q -- "-DSTEPS=2000000001"; } 2>/dev/null || continue
      case $(readlink "$p/exe" 2>/dev/null) in */clang*) echo "${p#/proc/}" ;; esac
    done
  }
  "$WAYBILL" clang++-22 -DSTEPS=3 -c slow.cpp -o warm.o
  step "Ctrl-C"
  local sig rc
  for sig in INT TERM; do
    # a shell's background job ignores SIGINT; python gives the default back
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$WAYBILL" clang++-22 -fconstexpr-steps=2147483647 -DSTEPS=2000000001 -c slow.cpp -o slow.o &
    local launcher=$!
    for _ in $(seq 100); do
      [ -z "$(compilers)" ] || break
      sleep 0.1
    done
    [ -n "$(compilers)" ] || fail "the compile did not start"
    sleep 0.5
    kill -$sig $launcher
    rc=0
    wait $launcher || rc=$?
    assert_eq "exit code after SIG$sig" $((128 + $(kill -l $sig))) $rc
    for _ in $(seq 50); do
      [ -n "$(compilers)" ] || break
      sleep 0.1
    done
    [ -z "$(compilers)" ] || fail "the compiler still runs 5 s after SIG$sig"
    [ ! -e slow.o ] || fail "an object of a cancelled compile"
  done
  step "the daemon goes on"
  "$WAYBILL" clang++-22 -DSTEPS=4 -c slow.cpp -o next.o
  clang++-22 -DSTEPS=4 -c slow.cpp -o plain.o
  assert_same plain.o next.o
  assert_eq "daemons" 1 "$(daemon_pids | wc -l)"
}

fault_two_checkouts() {
  local root
  for root in "$T/a" "$T/b/longer/path"; do
    copy_llvm_tools_part "$root/src"
    configure llvm-tools "$root/src" "$root/build" $compiler
  done
  stats_reset
  step "two builds of two checkouts at once"
  ninja -C "$T/a/build" -j "$jobs" >"$T/a.log" 2>&1 &
  local a=$!
  ninja -C "$T/b/longer/path/build" -j "$jobs" >"$T/b.log" 2>&1 &
  local b=$!
  wait $a || fail "the first: $(tail -n 40 "$T/a.log")"
  wait $b || fail "the second: $(tail -n 40 "$T/b.log")"
  local n
  n=$(launched_commands "$T/a/build")
  assert_counts $((2 * n))
  assert_eq "executed" "$n" "$(stat_key executed)"
  same_bytes "$T/a/build" "$T/b/longer/path/build"
  run_ctest "$T/a/build"
  run_ctest "$T/b/longer/path/build"
  assert_no_work "$T/a/build"
  assert_no_work "$T/b/longer/path/build"
}

fault_tamper() {
  mkdir -p "$one"
  cd "$one"
  # A plugin that does what a hostile or careless build step might: it tries every way to change the inputs.
  cat >tamper.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static void say(const char *what, const char *path, int ok)
{
	if (ok)
		fprintf(stderr, "TAMPERED %s %s\n", what, path);
}
static int compiling(void) /* not when the compiler is only asked what it predefines */
{
	char line[4096];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, line, sizeof line);
	close(fd);
	return n > 0 && memmem(line, (size_t)n, "tamper_me.c", 11) != NULL;
}
__attribute__((constructor)) static void tamper(void)
{
	if (!compiling())
		return;
	static const char *const victim[] = {"value.h", "tamper_me.c", "/proc/self/cwd/value.h", "tamper.so"};
	for (unsigned i = 0; i < sizeof victim / sizeof *victim; i++) {
		const char *v = victim[i];
		char other[64];
		int fd;
		say("chmod", v, chmod(v, 0666) == 0);
		fd = open(v, O_WRONLY | O_CLOEXEC);
		say("open", v, fd >= 0);
		if (fd >= 0)
			say("write", v, write(fd, "#define VALUE 666\n", 18) == 18);
		say("truncate", v, truncate(v, 0) == 0);
		snprintf(other, sizeof other, "other%u", i);
		if (link(v, other) == 0) { /* a second name inside the output directory */
			fd = chmod(other, 0666) == 0 ? open(other, O_WRONLY | O_CLOEXEC) : -1;
			say("write through a link", v, fd >= 0 && write(fd, "#define VALUE 667\n", 18) == 18);
		}
		say("rename", v, rename(v, "gone") == 0);
		say("unlink", v, unlink(v) == 0);
	}
	int fd = open("new.h", O_WRONLY | O_CREAT, 0666);
	if (fd >= 0)
		close(fd);
	fprintf(stderr, "tamper was here\n");
}
C
  gcc -shared -fPIC tamper.c -o tamper.so
  echo '#define VALUE 1' >value.h
  printf '#include "value.h"\nint value = VALUE;\n' >tamper_me.c
  clang-22 -c tamper_me.c -o plain.o
  cp -a . ../before
  step "an action that tries to change its inputs"
  "$WAYBILL" clang-22 -Xclang -load -Xclang ./tamper.so -c tamper_me.c -o out.o 2>"$T/err.txt" || fail "$(cat "$T/err.txt")"
  assert_eq "executed (local: $(local_reasons))" 1 "$(stat_key executed)"
  grep -q 'tamper was here' "$T/err.txt" || fail "the plugin did not run: $(cat "$T/err.txt")"
  have_namespaces || skip "no namespaces: a bare directory holds copies"
  grep -q TAMPERED "$T/err.txt" && fail "$(cat "$T/err.txt")"
  assert_same plain.o out.o
  local f
  for f in value.h tamper_me.c tamper.so tamper.c; do assert_same "../before/$f" "$f"; done
  [ ! -e new.h ] && [ ! -e gone ] || fail "something that is not an output came out: $(ls)"
  step "every blob of the store is still what its name says"
  python3 - "$T/cache" <<'PY' || fail "damaged blobs"
import hashlib, os, re, sys
n = bad = 0
for directory, _, names in os.walk(sys.argv[1]):
    for name in names:
        m = re.search(r"/cas/.*?([0-9a-f]{64})", os.path.join(directory, name))
        if m:
            n += 1
            with open(os.path.join(directory, name), "rb") as f:
                bad += hashlib.sha256(f.read()).hexdigest() != m.group(1)
print(f"{n} blobs, {bad} damaged")
sys.exit(bad != 0 or n < 3)
PY
  step "and the next compile uses the real ones"
  sed -i 's/int value/int other_value/' tamper_me.c
  "$WAYBILL" clang-22 -c tamper_me.c -o out.o
  clang-22 -c tamper_me.c -o plain.o
  assert_same plain.o out.o
}

"fault_$1"
