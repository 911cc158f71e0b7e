#!/usr/bin/env bash
# Acceptance 8: every object and precompiled header that Waybill produced equals the one that the rewritten command
# (`waybill fix`) gives in a plain directory: another directory, no sandbox, no store, no daemon.
#   equivalence.sh [COMPILER]
source "$(dirname -- "$0")/lib.sh"
compiler=${1:-clang-22}

root=$T/work
copy_llvm_tools "$root/src"
configure llvm-tools "$root/src" "$root/build" "$compiler"
stats_reset
build "$root/build"
assert_counts "$(launched_commands "$root/build")"

step "run the rewritten commands elsewhere"
plain=$T/elsewhere/in/a/plain/directory
mkdir -p "$plain"
cp -a "$root/." "$plain"
find "$plain" \( -name '*.o' -o -name '*.pch' -o -name '*.gch' \) -delete
ninja -C "$root/build" -t commands all >"$T/commands.txt"
python3 "$here/run_rewritten.py" "$WAYBILL" "$root" "$plain" "$root/build" <"$T/commands.txt"

step "compare"
n=0
while read -r f; do
  case $f in
  *.gch) continue ;; # its bytes differ from run to run
  *.o | *.pch) ;;
  *) continue ;;
  esac
  assert_same "$root/build/$f" "$plain/build/$f"
  n=$((n + 1))
done < <(products "$root/build")
[ $n -ge 15 ] || fail "only $n objects compared"
echo "$n objects and precompiled headers identical"
