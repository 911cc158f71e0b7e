# compare.sh: the same command with the plain compiler and through Waybill, in the same directory, compared. Sourced after
# lib.sh. Commands are run in the current directory, $W, which is restored in between.
# shellcheck shell=bash

W=$T/work/project
mkdir -p "$W"
cd "$W"

# Start with an empty $W.
fresh() {
  cd "$T"
  chmod -R u+w "$W"
  rm -rf "$W"
  mkdir -p "$W"
  cd "$W"
}

# Back to what was there before the plain run. Directories stay: one of them may be the current one.
restore() {
  local d
  find "$W" -mindepth 1 ! -type d -delete
  find "$W" -mindepth 1 -depth -type d -printf '%P\0' | while IFS= read -r -d '' d; do
    [ -d "$T/before/$d" ] || rmdir "$W/$d"
  done
  cp -a "$T/before/." "$W"
}

# run_plain COMMAND...: run it here and keep what it leaves in $T/plain, its stderr, stdout and exit code beside that.
run_plain() {
  rm -rf "$T/before" "$T/plain"
  cp -a "$W" "$T/before"
  local rc=0
  "$@" >"$T/plain.out" 2>"$T/plain.err" </dev/null || rc=$?
  echo $rc >"$T/plain.rc"
  cp -a "$W" "$T/plain"
}

# A depfile's words, one a line, without the layout.
dep_words() { tr '\\\n' '  ' <"$1" | tr -s ' ' '\n'; }

# compare_files NAME: $W and $T/plain hold the same files. Bytes are compared too, except of names that match a pattern in
# the array `loose` (-g, -save-temps: the paths in them differ by design); depfiles are compared word by word.
loose=()
compare_files() {
  local f p
  diff <(cd "$T/plain" && find . | sort) <(cd "$W" && find . | sort) >"$T/diff.txt" ||
    fail "$1: other files than the plain compiler left (< plain, > Waybill): $(cat "$T/diff.txt")"
  while IFS= read -r -d '' f; do
    # shellcheck disable=SC2053  # patterns are meant
    for p in "${loose[@]}"; do [[ ${f#./} == $p ]] && continue 2; done
    case $f in
    *.d)
      diff <(dep_words "$T/plain/$f") <(dep_words "$W/$f") >"$T/diff.txt" ||
        fail "$1: depfile $f differs (< plain, > Waybill): $(cat "$T/diff.txt")"
      ;;
    *) cmp -s "$T/plain/$f" "$W/$f" || fail "$1: $f differs from the plain compiler's" ;;
    esac
  done < <(cd "$W" && find . -type f -print0)
}

# both NAME EXPECTED COMMAND...: plain once, Waybill twice; files, exit code, stdout and stderr must be equal each time.
# EXPECTED says how the two jobs must have been counted:
#   cached        executed, then a hit
#   local:REASON  both locally for that reason
#   any           either, but counted
both() {
  local name=$1 expected=$2 round rc
  shift 2
  step "$name"
  run_plain "$@"
  [ "$expected" != cached ] || assert_eq "$name: the plain compiler's exit code" 0 "$(cat "$T/plain.rc")"
  restore
  local keys=(jobs executed cache_hits local sandbox_mismatch "local_reasons.${expected#*:}")
  local jobs0 executed0 hits0 local0 reason0 jobs executed hits locals mismatch reason
  read -r jobs0 executed0 hits0 local0 _ reason0 < <(stat_keys "${keys[@]}")
  for round in 1 2; do
    rc=0
    "$WAYBILL" "$@" >"$T/wb.out" 2>"$T/wb.err" </dev/null || rc=$?
    assert_eq "$name (round $round): exit code" "$(cat "$T/plain.rc")" $rc
    diff "$T/plain.err" "$T/wb.err" >"$T/diff.txt" || fail "$name (round $round): stderr (< plain): $(cat "$T/diff.txt")"
    diff "$T/plain.out" "$T/wb.out" >"$T/diff.txt" || fail "$name (round $round): stdout (< plain): $(cat "$T/diff.txt")"
    compare_files "$name (round $round)"
    [ $round = 2 ] || restore
  done
  read -r jobs executed hits locals mismatch reason < <(stat_keys "${keys[@]}")
  executed=$((executed - executed0)) hits=$((hits - hits0)) locals=$((locals - local0))
  assert_eq "$name: jobs" 2 $((jobs - jobs0))
  assert_eq "$name: executed + hits + local" 2 $((executed + hits + locals))
  assert_eq "$name: sandbox_mismatch" 0 "$mismatch"
  case $expected in
  cached) assert_eq "$name: executed, hits, local ($(local_reasons))" "1 1 0" "$executed $hits $locals" ;;
  local:*)
    assert_eq "$name: executed, hits, local" "0 0 2" "$executed $hits $locals"
    assert_eq "$name: reason ($(local_reasons))" 2 $((reason - reason0))
    ;;
  any) ;;
  *) fail "bad expectation $expected" ;;
  esac
}
