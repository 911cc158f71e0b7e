#!/usr/bin/env bash
# `waybill scan -p` and `waybilld scan -p` on a project: the compiler's own -M says the same of every unit, and the two
# doors, any number of threads and the formats agree with each other.
#   scan_database.sh PROJECT COMPILER
source "$(dirname -- "$0")/lib.sh"
: "${WAYBILL_DAEMON:?set WAYBILL_DAEMON to the daemon under test}"
project=${1:-llvm-tools} compiler=${2:-clang-22}
S=$T/src B=$T/build

case $project in
llvm-tools) copy_llvm_tools "$S" ;;
googletest) copy_googletest "$S" ;;
*) fail "unknown project $project" ;;
esac
configure "$project" "$S" "$B" "$compiler"
if [ "$project" = llvm-tools ]; then
  build "$B" opcode_table # a source that the build makes
  stop_daemon
fi

if grep -q -- '-o ir tools' "$B/compile_commands.json"; then
  step "commands that CMake wrote without the quotes they need: told one by one, the others are listed"
  n=$(grep -c -- '-o ir tools' "$B/compile_commands.json")
  rc=0
  "$WAYBILL_DAEMON" scan -p "$B" >"$T/broken.make" 2>"$T/broken.txt" || rc=$?
  assert_eq "exit code" 1 $rc
  assert_eq "failures" "$n" "$(grep -c '/ir tools/' "$T/broken.txt")"
  assert_eq "lines" "$n" "$(wc -l <"$T/broken.txt")"
  assert_eq "rules" $(($(grep -c '"file":' "$B/compile_commands.json") - n)) "$(grep -c '^[^ ]' "$T/broken.make")"
  sed -i 's/-o \(ir tools[^ ]*\)/-o \\"\1\\"/' "$B/compile_commands.json"
fi

step "every unit as the compiler says"
"$WAYBILL_DAEMON" scan -p "$B" >"$T/process.make" || fail "waybilld scan"
python3 "$here/scan_rules.py" "$B/compile_commands.json" "$T/process.make" || fail "not what -M says"
assert_eq "daemons that waybilld scan has started" "" "$(daemon_pids)"

step "the daemon, and any number of threads: the same bytes"
for j in 1 2 5; do
  "$WAYBILL_DAEMON" scan -j $j -p "$B/compile_commands.json" | cmp - "$T/process.make" || fail "waybilld scan -j $j differs"
done
"$WAYBILL" scan -p "$B" >"$T/daemon.make" || fail "waybill scan"
assert_same "$T/daemon.make" "$T/process.make"
(cd "$B" && "$WAYBILL" scan -p. -j1) | cmp - "$T/process.make" || fail "waybill scan -p. differs"

step "a daemon that runs is not in the way"
[ -n "$(daemon_pids)" ] || fail "no daemon runs"
"$WAYBILL_DAEMON" scan -p "$B" | cmp - "$T/process.make" || fail "waybilld scan beside a daemon differs"

step "formats and engines"
"$WAYBILL_DAEMON" scan -p "$B" --format=paths >"$T/process.paths"
"$WAYBILL" scan -p "$B" --format=paths | cmp - "$T/process.paths" || fail "paths differ"
"$WAYBILL" scan -p "$B" --engine=clang | cmp - "$T/process.make" || fail "the engines differ"
"$WAYBILL_DAEMON" scan -p "$B" --engine=both >"$T/both.txt" || fail "the engines differ: $(cat "$T/both.txt")"
assert_eq "differences" "" "$(cat "$T/both.txt")"
python3 - "$here" "$B/compile_commands.json" "$T/process.make" "$T/process.paths" <<'EOF' || fail "paths are not the rules' files"
import json, sys
rules = open(sys.argv[3]).read().replace("\\\n", " ").replace("\\ ", "\0").splitlines()
files = [f.replace("\0", " ") for r in rules for f in r.split(": ", 1)[1].split()]
assert files == open(sys.argv[4]).read().splitlines()
EOF

step "one source of the database, and the command itself"
python3 - "$B/compile_commands.json" "$T" <<'EOF'
import json, shlex, sys
entry = json.load(open(sys.argv[1]))[-1]
argv = shlex.split(entry["command"])
argv = argv[1:] if argv[0].endswith("/waybill") else argv
open(sys.argv[2] + "/file", "w").write(entry["file"])
open(sys.argv[2] + "/directory", "w").write(entry["directory"])
open(sys.argv[2] + "/argv", "w").write("\0".join(argv))
EOF
"$WAYBILL_DAEMON" scan -p "$B" "$(cat "$T/file")" >"$T/one.make" || fail "one source"
[ "$(grep -vc '^ ' "$T/one.make")" -ge 1 ] || fail "no rule for one source"
(cd "$(cat "$T/directory")" && xargs -0 -a "$T/argv" "$WAYBILL" scan --) >"$T/command.make" || fail "scan -- COMMAND"
tail -n "$(wc -l <"$T/command.make")" "$T/one.make" | cmp - "$T/command.make" || fail "the command alone gives another rule"
