#!/usr/bin/env bash
# `waybill scan` and `waybilld scan`, as a user meets them: clang-scan-deps' bytes, errors, progress, an answer larger than
# either side may keep.
source "$(dirname -- "$0")/lib.sh"
: "${WAYBILL_DAEMON:?set WAYBILL_DAEMON to the daemon under test}"

P=$T/p
mkdir -p "$P/a b/sub" "$P/inc/sub" "$P/build/o" "$P/real/deep"
cd "$P"
cat >'a b/a.cpp' <<'EOF'
#include "x.h"
#include "sub/../y.h"
#if __has_include("only.h")
#endif
#include "we#ird $x.h"
#include <vector>
#include "./sub/z.h"
EOF
touch inc/x.h inc/y.h inc/only.h 'inc/we#ird $x.h' 'a b/sub/z.h' f.h real/w.h
ln -s real/deep link
echo '#include "link/../w.h"' >linked.cpp
# database FILE ENTRY...: an entry is DIRECTORY|FILE|WORD|WORD...
database() {
  python3 - "$@" <<'EOF'
import json, sys
entries = [e.split("|") for e in sys.argv[2:]]
json.dump([{"directory": e[0], "file": e[1], "arguments": e[2:]} for e in entries], open(sys.argv[1], "w"), indent=1)
EOF
}
# both_doors EXPECTED_CODE ARGUMENT...: the two programs say the same; leaves $T/out and $T/err.
both_doors() {
  local code=$1 rc=0
  shift
  "$WAYBILL_DAEMON" scan "$@" >"$T/out" 2>"$T/err" || rc=$?
  assert_eq "waybilld scan $*: exit code ($(cat "$T/err"))" "$code" $rc
  rc=0
  "$WAYBILL" scan "$@" >"$T/out2" 2>"$T/err2" || rc=$?
  assert_eq "waybill scan $*: exit code ($(cat "$T/err2"))" "$code" $rc
  assert_same "$T/out" "$T/out2"
}

step "clang-scan-deps' bytes"
database cdb.json "$P/build|../a b/a.cpp|clang++-22|-I../inc|-I../inc/../inc/sub|-include|../f.h|-c|../a b/a.cpp|-o|o/a.o" \
  "$P/build|$P/a b/a.cpp|clang++-22|-I|$P/build/../inc|-c|$P/a b/a.cpp|-o|a2.o|-MD|-MT|a target|-MT|\$second|-MF|x.d" \
  "$P/build|$P/a b/a.cpp|clang++-22|-I./../inc/|-c|$P//a b/./a.cpp" \
  "$P/build|$P/a b/a.cpp|clang-22|-xc++|-I../inc|-c|$P/a b/a.cpp|-o|a-rather-long/name-of/an-object/that-fills/more-than/a-line/of/seventy-five/columns.o"
both_doors 0 -p cdb.json
clang-scan-deps-22 -compilation-database=cdb.json -format=make -j 1 >"$T/deps" || fail "clang-scan-deps"
assert_same "$T/out" "$T/deps"

step "where it names files that the compiler does not read, or writes what make cannot read, we do not"
database linked.json "$P|linked.cpp|clang++-22|-c|linked.cpp|-o|a linked.o"
both_doors 0 -p linked.json
clang++-22 -M linked.cpp -o "$T/own" -c -MQ 'a linked.o' 2>/dev/null
assert_eq "a target with a blank" "$(cut -d: -f1 "$T/own" | head -n 1)" "$(cut -d: -f1 "$T/out" | head -n 1)"
both_doors 0 -p linked.json --format=paths
realpath "$P/real/w.h" >"$T/expected"
tail -n 1 "$T/out" | xargs -d '\n' realpath | cmp - "$T/expected" || fail "linked: $(cat "$T/out")"

step "each command of a run has its own compiler and flags"
cat >flags.c <<'EOF'
#if defined __GNUC__ && !defined __clang__
#include "gnu.h"
#endif
#if __cplusplus >= 202002L
#include "new.h"
#endif
#ifdef __AVX2__
#include "avx.h"
#endif
#ifndef __x86_64__
#include "narrow.h"
#endif
#if defined __clang_major__ && __clang_major__ < 20
#include "old.h"
#endif
#ifdef DEFINED
#include "defined.h"
#endif
EOF
mkdir elsewhere
touch {gnu,new,avx,narrow,old,defined}.h elsewhere/flags.c
entries=()
n=0
for words in clang++-22 'clang++-22|-std=c++20' 'clang++-22|-mavx2' 'clang++-22|-m32' g++-12 'g++-12|-std=c++20' clang++-14 \
  'clang++-22|-DDEFINED' 'clang++-22|-UDEFINED' clang++-22; do
  n=$((n + 1))
  entries+=("$P|flags.c|$words|-xc++|-c|flags.c|-o|$n.o")
done
database flags.json "${entries[@]}" "$P|flags.c|clang-22|-std=c99|-c|flags.c|-o|c.o" "$P/elsewhere|flags.c|clang++-22|-xc++|-c|flags.c|-o|last.o"
both_doors 0 -p flags.json
python3 "$here/scan_rules.py" flags.json "$T/out" || fail "not what -M says"
for name in gnu new avx narrow old defined; do grep -q "/$name.h" "$T/out" || fail "no $name.h"; done

step "an entry that fails is told, and the others are listed"
database mixed.json "$P|f.h|clang++-22|-xc++|-c|f.h|-o|f.o" "$P|gone.cpp|clang++-22|-c|gone.cpp|-o|g.o" \
  "$P|a b/a.cpp|clang++-22|-c|a b/a.cpp|-o|a.o" "$P|link.o|clang++-22|link.o|-o|link" "$P|f.h|clang++-22|-xc++|-c|f.h|-o|last.o"
both_doors 1 -p mixed.json
assert_eq "rules" "f.o: last.o:" "$(cut -d' ' -f1 "$T/out" | xargs)"
for name in gone.cpp 'a b/a.cpp: .*x.h' link.o; do grep -q -- "$name" "$T/err" || fail "nothing about $name: $(cat "$T/err")"; done
both_doors 1 -p mixed.json --format=json
python3 - "$T/out" <<'EOF' || fail "json: $(cat "$T/out")"
import json, sys
units = json.load(open(sys.argv[1]))
assert [("error" in u) for u in units] == [False, True, True, True, False], units
assert [i["why"] for i in units[0]["inputs"] if i["path"].endswith("/f.h")] == ["source"]
EOF
both_doors 0 -p mixed.json f.h
assert_eq "rules of one source" "f.o: last.o:" "$(cut -d' ' -f1 "$T/out" | xargs)"
both_doors 1 -p mixed.json f.h no-such.cpp
grep -q 'no-such.cpp' "$T/err" || fail "an operand that names nothing: $(cat "$T/err")"

step "wrong use"
echo '[{"directory": "/", "file": "x", ' >torn.json
while read -r code words; do
  # shellcheck disable=SC2086
  both_doors "$code" $words
  [ -s "$T/err" ] && [ -s "$T/err2" ] || fail "scan $words: no word about it"
  assert_eq "scan $words: output" "" "$(cat "$T/out")"
done <<'EOF'
2
2 -p
2 -p cdb.json -- clang++-22 -c x.cpp
2 --
2 x.cpp -- clang++-22 -c x.cpp
2 --format=xml -p cdb.json
2 --engine=gcc -p cdb.json
2 --engine=both --format=json -p cdb.json
2 --nothing -p cdb.json
2 -j 0 -p cdb.json
2 -j many -p cdb.json
1 -p no-such-directory
1 -p real
1 -p torn.json
1 -- clang++-22 -c no-such.cpp
EOF
both_doors 1 -p torn.json
grep -q 'torn.json:[0-9]*:[0-9]*: ' "$T/err" || fail "no place in a malformed database: $(cat "$T/err")"
echo '[]' >empty.json
both_doors 0 -p empty.json
assert_eq "nothing" "" "$(cat "$T/out")"
both_doors 0 -p empty.json --format=json
assert_eq "nothing, as JSON" "[]" "$(cat "$T/out")"
"$WAYBILL_DAEMON" scan --help | grep -q -- '--format=make' || fail "waybilld scan --help"

step "engine=both exits with 1 when one of them refuses"
printf '#pragma GCC dependency "f.h"\n' >doubt.cpp
rc=0
"$WAYBILL" scan --engine=both -- clang++-22 -c doubt.cpp -o doubt.o >"$T/out" 2>&1 || rc=$?
if "$WAYBILL" scan --engine=directives -- clang++-22 -c doubt.cpp -o doubt.o >/dev/null 2>&1; then
  assert_eq "both, when both answer" 0 $rc
else
  assert_eq "both, when one refuses" 1 $rc
  grep -q directives "$T/out" || fail "both does not say who refuses: $(cat "$T/out")"
fi

step "what it cost"
for program in "$WAYBILL" "$WAYBILL_DAEMON"; do
  "$program" scan -p cdb.json --stats --repeat=2 --reask=3 2>"$T/err" | cmp - "$T/deps" || fail "--stats changes the answer"
  assert_eq "passes" "scan scan re-ask re-ask re-ask" "$(cut -d' ' -f1 "$T/err" | xargs)"
  assert_eq "passes that say what they cost" 5 "$(grep -c ': 4 units, CPU [0-9.]* ms ' "$T/err")"
done

step "no lock, no socket"
ASAN_OPTIONS=detect_leaks=0 strace -f -o "$T/strace" -e trace=flock,socket,connect,bind "$WAYBILL_DAEMON" scan -p cdb.json >/dev/null
if grep -E 'flock\(|AF_UNIX|bind\(' "$T/strace"; then fail "waybilld scan takes a lock or a socket"; fi
HOME=/nonexistent XDG_CACHE_HOME=/proc/none XDG_RUNTIME_DIR=/nonexistent "$WAYBILL_DAEMON" scan -p cdb.json | cmp - "$T/deps" ||
  fail "without a place to keep anything"

step "a long answer comes in parts"
D=$P/a-directory/with-a-name/that-is-long/enough/to-make/many-bytes/of-few-files
mkdir -p "$D"
python3 - "$D" "$P/many.json" <<'EOF'
import json, sys
d, n = sys.argv[1], 250
for i in range(n):
    open(f"{d}/header{i}.h", "w").write("#pragma once\n")
open(d + "/many.cpp", "w").write("".join(f'#include "header{i}.h"\n' for i in range(n)))
json.dump([{"directory": d, "file": "many.cpp", "arguments": ["clang++-22", "-c", "many.cpp", "-o", f"{i}.o"]}
           for i in range(1500)], open(sys.argv[2], "w"))
EOF
"$WAYBILL" scan -p many.json >"$T/many" || fail "many"
size=$(stat -c %s "$T/many")
[ "$size" -gt 40000000 ] || fail "only $size bytes"
"$WAYBILL_DAEMON" scan -p many.json | cmp - "$T/many" || fail "many: the programs differ"
# The reader sleeps: what the daemon cannot hand over, it must not make.
peak() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(daemon_pids)/status"; }
echo 5 >"/proc/$(daemon_pids)/clear_refs"
before=$(peak)
"$WAYBILL" scan -p many.json | {
  sleep 1
  cat
} | cmp - "$T/many" || fail "a slow reader gets something else"
grown=$(($(peak) - before))
[ $grown -lt 25000 ] || fail "the daemon grew by $grown kB for an answer of $((size / 1000)) kB"
{ "$WAYBILL" scan -p many.json 2>/dev/null || true; } | head -n 1 | grep -q '0.o:' || fail "a reader that leaves"
both_doors 0 -p linked.json # the daemon is well

step "progress, on a terminal only"
"$WAYBILL" scan -p many.json 2>"$T/err" >/dev/null
assert_eq "stderr that is no terminal" "" "$(cat "$T/err")"
for program in "$WAYBILL" "$WAYBILL_DAEMON"; do
  python3 "$here/pty_run.py" "$T/tty" "$program" scan -p many.json >"$T/out" || fail "$program on a terminal"
  assert_same "$T/out" "$T/many"
  tr '\r' '\n' <"$T/tty" | grep -aq 'scanned [0-9]* of 1500$' || fail "no progress: $(cat -v "$T/tty")"
  tail -c 4 "$T/tty" | cmp - <(printf '\r\033[K') || fail "the progress line is left: $(tail -c 80 "$T/tty" | cat -v)"
  assert_eq "lines on the terminal" 0 "$(tr -cd '\n' <"$T/tty" | wc -c)"
done
