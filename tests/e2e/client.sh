#!/usr/bin/env bash
# The client's verbs and settings, as a user meets them.
source "$(dirname -- "$0")/lib.sh"

W=$T/work
mkdir -p "$W"
cd "$W"
echo '#define VALUE 1' >value.h
printf '#include "value.h"\nint value = VALUE;\n' >a.c
clang-22 -c a.c -o plain.o

step "--version, --help, usage"
assert_match "--version" '[0-9]+\.[0-9]+' "$("$WAYBILL" --version)"
help=$("$WAYBILL" --help)
for verb in stats trace status stop doctor explain fix scan why clear prune; do assert_match "--help" "$verb" "$help"; done
rc=0
"$WAYBILL" >/dev/null 2>&1 || rc=$?
assert_eq "no arguments" 2 $rc
rc=0
"$WAYBILL" --no-such-option >/dev/null 2>&1 || rc=$?
assert_eq "an unknown option" 2 $rc

step "status and stop without a daemon start none"
"$WAYBILL" status >/dev/null 2>&1 || true
"$WAYBILL" stop >/dev/null 2>&1 || true
assert_eq "daemons" "" "$(daemon_pids)"

step "the first compile starts one, which belongs to nobody"
"$WAYBILL" clang-22 -c a.c -o a.o
assert_same plain.o a.o
pid=$(daemon_pids)
[ -n "$pid" ] || fail "no daemon runs"
assert_eq "its working directory" / "$(readlink "/proc/$pid/cwd")"
assert_eq "its session" "$pid" "$(ps -o sid= -p "$pid" | tr -d ' ')"
for fd in 0 1 2; do assert_eq "its descriptor $fd" /dev/null "$(readlink "/proc/$pid/fd/$fd")"; done
assert_eq "mode of its directory" 700 "$(stat -c %a "$T/run/waybill")"
"$WAYBILL" status >"$T/status.txt"

step "a pipe's reader does not wait for the daemon"
stop_daemon
timeout 20 sh -c '"$0" clang-22 -c a.c -o a.o 2>&1 | cat' "$WAYBILL" || fail "the daemon keeps the pipe open"

step "stats: across restarts, and reset"
jobs_before=$(stat_key jobs)
[ "$jobs_before" -ge 2 ] || fail "only $jobs_before jobs after two compiles"
stop_daemon
assert_eq "jobs after a restart" "$jobs_before" "$(stat_key jobs)"
for key in jobs cache_hits executed local bytes_up bytes_down sandbox_mismatch; do
  "$WAYBILL" stats --json | python3 -c 'import json, sys; assert isinstance(json.load(sys.stdin)[sys.argv[1]], int)' $key ||
    fail "no number '$key' in stats --json"
done
"$WAYBILL" stats | grep -q '%' || fail "stats prints no rate"
stats_reset
assert_eq "jobs after a reset" 0 "$(stat_key jobs)"

step "stats: what the directive engine was not sure of"
printf '#if __COUNTER__ == 0\nint a;\n#endif\n' >counted.c
"$WAYBILL" clang-22 -c counted.c -o counted.o
assert_eq "its doubt by its key" "1 {'counter': 1}" "$(stat_keys scan_fallbacks scan_doubts)"
assert_match "its doubt for people" 'counter +1 +__COUNTER__' "$("$WAYBILL" stats)"
stats_reset

step "doctor"
"$WAYBILL" doctor >"$T/doctor.txt" || fail "doctor: $(cat "$T/doctor.txt")"
for word in sandbox cache clang; do grep -qi $word "$T/doctor.txt" || fail "doctor says nothing of $word"; done

step "explain"
"$WAYBILL" clang-22 -c a.c -o a.o
"$WAYBILL" explain a.o >"$T/explain.txt" || fail "explain: $(cat "$T/explain.txt")"
grep -q 'value.h' "$T/explain.txt" || fail "explain does not name value.h: $(cat "$T/explain.txt")"
echo '#define VALUE 2' >value.h
"$WAYBILL" clang-22 -c a.c -o a.o
"$WAYBILL" explain a.o >"$T/explain.txt"
grep -q 'value.h' "$T/explain.txt" || fail "explain does not say that value.h changed: $(cat "$T/explain.txt")"
"$WAYBILL" clang-22 -DX -c a.c -o a.o
"$WAYBILL" explain a.o >"$T/explain.txt"
grep -q -- '-DX' "$T/explain.txt" || fail "explain does not name the new argument: $(cat "$T/explain.txt")"
if "$WAYBILL" explain never.o >"$T/explain.txt" 2>&1; then fail "explain of an unknown file"; fi

step "scan and fix"
"$WAYBILL" scan --format=paths -- clang-22 -c a.c -o a.o >"$T/scan.txt" || fail "scan"
grep -q 'value.h$' "$T/scan.txt" || fail "scan: $(cat "$T/scan.txt")"
"$WAYBILL" scan -- clang-22 -c a.c -o a.o | grep -q 'a.o:' || fail "scan prints no make rule"
"$WAYBILL" fix -- clang-22 -I"$W" -c "$W/a.c" -o "$W/a.o" >"$T/fix.txt" || fail "fix"
grep -q 'prefix-map' "$T/fix.txt" || fail "fix: $(cat "$T/fix.txt")"
if "$WAYBILL" fix -- clang-22 a.c -o a >"$T/fix.txt" 2>&1; then fail "fix of a command that runs locally"; fi
grep -q 'not_a_compile' "$T/fix.txt" || fail "fix names no reason: $(cat "$T/fix.txt")"

step "one build: stats --last-build, trace, the build log"
cat >build.ninja <<END
rule cc
  command = '$WAYBILL' clang-22 \$flags -c a.c -o \$out
build b1.o: cc
  flags = -DONE
build b2.o: cc
  flags = -DTWO
build b3.o: cc
  flags = -DTHREE
END
ninja -j2 >"$T/ninja.log" || fail "ninja: $(cat "$T/ninja.log")"
"$WAYBILL" stats --last-build --json >"$T/last.json" || fail "stats --last-build --json"
python3 - "$T/last.json" <<'END' || fail "the last build: $(cat "$T/last.json")"
import json, sys
s = json.load(open(sys.argv[1]))
assert s["build"].startswith("ninja-"), s["build"]
assert (s["jobs"], s["hits"], s["executed"], s["local"]) == (3, 0, 3, 0), s
assert s["us"] > 0 and s["stage_us"]["scan"]["jobs"] == 3 and s["stage_us"]["execute"]["jobs"] == 3
assert s["damaged_lines"] == 0 and len(s["slowest"]) == 3
END
"$WAYBILL" stats --last-build | grep -q 'p95' || fail "stats --last-build prints no table"
"$WAYBILL" trace >"$T/trace1.json" || fail "trace"
"$WAYBILL" trace --last-build -o trace2.json >"$T/nothing" || fail "trace -o"
assert_same "$T/trace1.json" trace2.json
[ ! -s "$T/nothing" ] || fail "trace -o prints to standard output"
python3 - trace2.json "$T"/cache/waybill/build-log/jobs.jsonl <<'END' || fail "trace: $(cat trace2.json)"
import json, sys
jobs = [e for e in json.load(open(sys.argv[1]))["traceEvents"] if e["ph"] == "X" and e["cat"] != "stage"]
log = [json.loads(line) for line in open(sys.argv[2])]
assert len(jobs) == 3 and all(j["dur"] > 0 and len(j["args"]["action"]) == 64 for j in jobs), jobs
assert len({e["action"] for e in log[-3:]}) == 3 and len({e["build"] for e in log[-3:]}) == 1, log[-3:]
assert log[-1]["build"] != log[0]["build"] and log[-1]["exit"] == 0, log
END
rm b2.o
ninja -j2 >"$T/ninja.log" || fail "ninja: $(cat "$T/ninja.log")"
"$WAYBILL" stats --last-build --json | python3 -c '
import json, sys
s = json.load(sys.stdin)
assert (s["jobs"], s["hits"], s["hits_local"], s["executed"]) == (1, 1, 1, 0), s' || fail "the build after that"
for wrong in "stats --last-build --reset" "trace x" "trace -o" "stats --last-build x"; do
  rc=0
  # shellcheck disable=SC2086  # words are meant
  "$WAYBILL" $wrong >/dev/null 2>&1 || rc=$?
  assert_eq "$wrong" 2 $rc
done
rc=0
"$WAYBILL" trace -o "$T/no/such/trace.json" 2>"$T/err.txt" || rc=$?
assert_eq "trace into a directory that is not there" 1 $rc
rm -rf "$T/cache/waybill/build-log"
rc=0
"$WAYBILL" stats --last-build >/dev/null 2>"$T/err.txt" || rc=$?
assert_eq "no build log" 1 $rc
assert_match "no build log" 'build log' "$(cat "$T/err.txt")"

step "clear and prune"
echo '#define VALUE 1' >value.h
stats_reset
"$WAYBILL" clang-22 -c a.c -o a.o
assert_eq "a hit before clear" 1 "$(stat_key cache_hits)"
"$WAYBILL" clear
"$WAYBILL" clang-22 -c a.c -o a.o
assert_eq "executed after clear" 1 "$(stat_key executed)"
"$WAYBILL" prune 0 >/dev/null
"$WAYBILL" clang-22 -c a.c -o a.o
assert_eq "executed after prune 0" 2 "$(stat_key executed)"
assert_same plain.o a.o

step "WAYBILL_DISABLE: not even a connection"
stop_daemon
WAYBILL_DISABLE=1 "$WAYBILL" clang-22 -c a.c -o a.o
assert_same plain.o a.o
assert_eq "daemons" "" "$(daemon_pids)"

step "settings per request"
stats_reset
WAYBILL_MODE=off "$WAYBILL" clang-22 -c a.c -o a.o
assert_counts 1 configured=1
mkdir -p "$T/config/waybill"
echo 'mode = off' >"$T/config/waybill/waybill.conf"
"$WAYBILL" clang-22 -c a.c -o a.o
assert_counts 2 configured=2
WAYBILL_MODE=auto "$WAYBILL" clang-22 -c a.c -o a.o
assert_counts 3 configured=2
rm "$T/config/waybill/waybill.conf"

step "a bad configuration: file and line, exit 2, nothing compiled"
expect_bad() { # expect_bad WHAT REGEX: the compile fails and says so
  local rc=0
  rm -f a.o
  "$WAYBILL" clang-22 -c a.c -o a.o 2>"$T/err.txt" || rc=$?
  assert_eq "$1: exit code" 2 $rc
  assert_match "$1" "$2" "$(cat "$T/err.txt")"
  [ ! -e a.o ] || fail "$1: it compiled"
}
printf '# a comment\n\nno_such_key = 1\n' >"$T/config/waybill/waybill.conf"
expect_bad "unknown key" 'waybill\.conf:3.*no_such_key'
printf 'cache_size = many\n' >"$T/config/waybill/waybill.conf"
expect_bad "bad value" 'waybill\.conf:1.*many'
rm "$T/config/waybill/waybill.conf"
export WAYBILL_NO_SUCH=1
expect_bad "unknown variable" 'WAYBILL_NO_SUCH'
unset WAYBILL_NO_SUCH
export WAYBILL_CONFIG=$T/absent.conf
expect_bad "WAYBILL_CONFIG without a file" 'absent\.conf'
unset WAYBILL_CONFIG

step "a setting of the daemon's that differs from the running one's"
"$WAYBILL" clang-22 -c a.c -o a.o
export WAYBILL_CACHE_SIZE=1G
expect_bad "cache_size" 'CACHE_SIZE|cache_size'
unset WAYBILL_CACHE_SIZE

step "it ends when idle"
stop_daemon
WAYBILL_IDLE_TIMEOUT=1 "$WAYBILL" clang-22 -c a.c -o a.o
for _ in $(seq 100); do
  [ -n "$(daemon_pids)" ] || break
  sleep 0.1
done
assert_eq "daemons after the idle time" "" "$(daemon_pids)"
