#!/usr/bin/env bash
# Many jobs at once on a cluster: 2,000 small sources and one precompiled header of more than 40 MB, ninja -j200. Every job
# right; the daemon within 300 MB; open files bounded; the precompiled header does not travel up with each of its users.
#   remote_load.sh [SOURCES [JOBS]]
source "$(dirname -- "$0")/lib.sh"
sources=${1:-2000}
parallel=${2:-200}
src=$T/one/src build=$T/one/build

python3 "$here/many_sources.py" "$src" "$sources"
configure other "$src" "$build" clang-22
stats_reset
pid=$(daemon_pids)
[ -n "$pid" ] || fail "no daemon"
(
  most=0
  # Not those opened only to ask what they are (O_PATH, 010000000): the scanner keeps some thousand of these.
  while n=$(grep -LE '^flags:\s[0-7]*[1357][0-7]{7}$' "/proc/$pid/fdinfo/"* 2>/dev/null | wc -l) && [ "$n" -gt 0 ]; do
    [ "$n" -le "$most" ] || { most=$n && echo "$n" >"$T/files"; }
    sleep 0.2
  done
) &
watch=$!

step "$sources sources, ninja -j$parallel"
jobs=$parallel build "$build"
expected=$((sources + 2)) # main.cpp and the precompiled header
assert_counts "$expected"
assert_eq "the sum of all sources' numbers" $((sources * (sources + 1) / 2)) "$("$build/many")"
assert_no_work "$build"

step "again: all hits"
ninja -C "$build" -t clean >/dev/null
stats_reset
jobs=$parallel build "$build"
assert_counts "$expected"
assert_eq "cache hits" "$expected" "$(stat_key cache_hits)"
assert_eq "the sum again" $((sources * (sources + 1) / 2)) "$("$build/many")"
assert_eq "bytes sent for a build of nothing but hits" 0 "$(stat_key remote_bytes_up)"

assert_eq "the daemon" "$pid" "$(daemon_pids)"
kill $watch
pch=$(find "$build" -name '*.pch' -printf '%s')
rss=$(awk '/VmHWM/ {print int($2 / 1024)}' "/proc/$pid/status")
up=$(grep -c '"decision":"executed"' "$T"/cache/waybill/build-log/jobs.jsonl)
sent=$(python3 -c '
import json, sys
print(sum(json.loads(line).get("bytes_up", 0) for line in open(sys.argv[1])))' "$T/cache/waybill/build-log/jobs.jsonl")
echo "precompiled header $((pch / 1000000)) MB; peak memory $rss MB; at most $(cat "$T/files") files open; $sent bytes sent for $up actions"
[ "$pch" -gt 40000000 ] || fail "a precompiled header of $pch bytes is no load"
[ "$rss" -le 300 ] || fail "the daemon took $rss MB"
[ "$(cat "$T/files")" -le $((parallel * 4 + 100)) ] || fail "$(cat "$T/files") files open"
[ "$sent" -lt "$pch" ] || fail "the cluster made the precompiled header itself, and yet $sent bytes were sent"
