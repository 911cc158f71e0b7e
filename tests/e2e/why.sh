#!/usr/bin/env bash
# `waybill why`: each step of each chain stands in the source.
source "$(dirname -- "$0")/lib.sh"

P=$T/p
mkdir -p "$P/inc/sub" "$P/other" "$P/build"
cd "$P"
printf '#include <a.h>\n#if __has_include("looked.h")\n#endif\n#  include "sub/b.h"\n#include NAME\n#include <vector>\n' >m.cpp
printf '#pragma once\n\n#include "sub/b.h"\n' >inc/a.h
printf '#ifndef B\n#define B\n#include "c.h"\n#endif\n' >inc/sub/b.h
printf '#ifndef C\n#define C\n#include "../a.h"\n#endif\n' >inc/sub/c.h
printf 'int forced;\n#include \\\n  "a.h"\n' >forced.h
touch inc/looked.h inc/by_macro.h inc/unused.h other/c.h
command=(clang++-22 -Iinc '-DNAME="by_macro.h"' -include forced.h -c m.cpp -o m.o)
# why EXPECTED_CODE ARGUMENT...: leaves $T/out and $T/err.
why() {
  local code=$1 rc=0
  shift
  "$WAYBILL" why "$@" >"$T/out" 2>"$T/err" || rc=$?
  assert_eq "why $*: exit code ($(cat "$T/err"))" "$code" $rc
}
# chains HEADER: what the last `why` printed is true; prints how many chains there are.
chains() { python3 "$here/why_chains.py" "$T/out" "$P" "$1" "${command[@]}" || fail "not so: $(cat "$T/out")"; }

step "the shortest chain, and all"
why 0 c.h -- "${command[@]}"
assert_eq "chains" 1 "$(chains c.h)"
assert_eq "steps" 2 "$(wc -l <"$T/out")" # m.cpp names b.h itself, though by then it was skipped
grep -q 'm.cpp:4: .*skipped' "$T/out" || fail "the skipped include is not marked: $(cat "$T/out")"
why 0 sub/b.h --all -- "${command[@]}"
assert_eq "chains" 2 "$(chains sub/b.h)"
assert_eq "the first" 'm.cpp:4: #include "sub/b.h"  [skipped: it was included before]' "$(head -n 1 "$T/out")"
why 0 inc/a.h --all -- "${command[@]}"
assert_eq "chains" 3 "$(chains inc/a.h)"
why 0 forced.h -- "${command[@]}"
assert_eq "a forced include" "<command line>: -include forced.h" "$(cat "$T/out")"
why 0 looked.h -- "${command[@]}"
assert_eq "chains" 1 "$(chains looked.h)"
grep -q '__has_include("looked.h").*looked up' "$T/out" || fail "looked.h: $(cat "$T/out")"
why 0 by_macro.h -- "${command[@]}"
grep -q '^m.cpp:5: #include NAME  \[.*"by_macro.h"' "$T/out" || fail "by_macro.h: $(cat "$T/out")"
why 0 bits/stl_vector.h --all -- "${command[@]}"
[ "$(chains bits/stl_vector.h)" -ge 1 ] || fail "no chain"
why 0 "$P/inc/sub/../sub/c.h" -- "${command[@]}"
assert_eq "chains" 1 "$(chains c.h)"
why 0 m.cpp -- "${command[@]}"

step "no input"
why 1 inc/unused.h -- "${command[@]}"
grep -q 'exists' "$T/err" || fail "unused.h: $(cat "$T/err")"
why 1 nothing.h -- "${command[@]}"
assert_eq "text" "waybill: why: nothing.h is no input of m.cpp" "$(cat "$T/err")"
why 1 inc/B.H -- "${command[@]}"
grep -q 'inc/sub/b.h' "$T/err" || fail "no similar name: $(cat "$T/err")"
why 1 loked.h -- "${command[@]}"
grep -q 'inc/looked.h' "$T/err" || fail "no similar name: $(cat "$T/err")"
why 1 ector -- "${command[@]}" # from the start of a component
why 1 c.h -- clang++-22 -c gone.cpp
for words in "" "c.h" "c.h --" "a.h b.h -- clang++-22 -c m.cpp" "c.h -p build" "--deep c.h -- clang++-22 -c m.cpp" \
  "c.h -p build m.cpp -- clang++-22 -c m.cpp" "c.h --format=make -- clang++-22 -c m.cpp"; do
  # shellcheck disable=SC2086
  why 2 $words
done

step "a command of a database, and JSON"
python3 - "$P" "${command[@]}" <<'EOF'
import json, sys
json.dump([{"directory": sys.argv[1], "file": "m.cpp", "arguments": sys.argv[2:]}], open("build/compile_commands.json", "w"))
EOF
cd "$T"
why 0 c.h -p p/build p/m.cpp
command=("${command[@]/m.cpp/$P/m.cpp}")
assert_eq "chains" 1 "$(chains c.h)"
grep -q "^$P/m.cpp:4: " "$T/out" || fail "not the place of the file: $(cat "$T/out")"
why 0 a.h --format=json -p p/build p/m.cpp
python3 - "$T/out" <<'EOF' || fail "json: $(cat "$T/out")"
import json, sys
answer = json.load(open(sys.argv[1]))
[target] = answer["inputs"]
assert target["path"].endswith("/inc/a.h") and len(target["chains"]) == 3
for chain in target["chains"]:
    assert chain[-1]["to"] == target["path"]
    for step, following in zip(chain, chain[1:]):
        assert following["file"] == step["to"]
EOF
why 1 c.h -p p/build p/no.cpp

step "a compile with a precompiled header"
printf '#include "c.h"\n' >"$P/inc/sub/pch.hxx"
cd "$P"
echo 'int x;' >x.cpp
use=(-Iinc -Xclang -include-pch -Xclang pch.pch -Xclang -include -Xclang "$P/inc/sub/pch.hxx" -c x.cpp -o x.o)
clang++-22 -Iinc -x c++-header -c inc/sub/pch.hxx -o pch.pch
clang++-22 "${use[@]}" || fail "no such precompiled header"
why 0 c.h -- clang++-22 "${use[@]}"
assert_eq "steps" 2 "$(wc -l <"$T/out")"
grep -q "^<command line>: -include-pch pch.pch  \[precompiled from $P/inc/sub/pch.hxx\]" "$T/out" || fail "no PCH: $(cat "$T/out")"
grep -q 'pch.hxx:1: #include "c.h"' "$T/out" || fail "c.h in the header of a PCH: $(cat "$T/out")"
