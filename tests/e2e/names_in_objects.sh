#!/usr/bin/env bash
# Acceptance 8: debug information and __FILE__ name files that a developer can open: from the build directory with
# paths = relative, from anywhere with paths = absolute.
#   names_in_objects.sh [COMPILER]
source "$(dirname -- "$0")/lib.sh"
compiler=${1:-clang-22}

src=$T/work/src build=$T/work/build
copy_llvm_tools "$src"
mkdir -p "$src/where"
cat >>"$src/CMakeLists.txt" <<'CMAKE'
add_subdirectory(where)
CMAKE
cat >"$src/where/CMakeLists.txt" <<'CMAKE'
add_executable(where where.cpp)
target_precompile_headers(where PRIVATE <cstdio> ${CMAKE_CURRENT_SOURCE_DIR}/where.h)
CMAKE
echo '__attribute__((noinline, used)) inline const char *where_header() { return __FILE__; }' >"$src/where/where.h"
cat >"$src/where/where.cpp" <<'CPP'
int main() {
  std::printf("%s\n%s\n", __FILE__, where_header());
  return 0; // the last line
}
CPP

gdb_lists() { # gdb_lists DIRECTORY PROGRAM SYMBOL TEXT
  (cd "$1" && gdb -q -nx -batch -ex "list $3" "$2") >"$T/gdb.txt" 2>&1 || true
  grep -qF -- "$4" "$T/gdb.txt" || fail "gdb in $1 does not show the source of $3 in $2: $(cat "$T/gdb.txt")"
}

check_gdb() {
  gdb_lists "$1" "$build/bin/where" main 'the last line'
  gdb_lists "$1" "$build/bin/where" where_header 'return __FILE__'
  gdb_lists "$1" "$build/bin/call-graph" main 'int main'                      # reuses a precompiled header
  gdb_lists "$1" "$build/bin/names" names::packStrings 'StringTableBuilder'   # in a unity source
  gdb_lists "$1" "$build/bin/objsize" 'groesse::sections' 'createObjectFile'  # not ASCII
  gdb_lists "$1" "$build/bin/triple-info" triple_info_module 'LLVMModuleRef'  # C
  gdb_lists "$1" "$build/bin/const-strings" main 'int main'                   # a space
}

step "relative: from the build directory"
configure llvm-tools "$src" "$build" "$compiler"
build "$build"
check_gdb "$build"
(cd "$build" && bin/where) >"$T/where.txt"
while read -r f; do
  (cd "$build" && [ -f "$f" ]) || fail "__FILE__ is $f, which does not exist from the build directory"
done <"$T/where.txt"
for program in "$build"/bin/*; do
  grep -aqF "$T" "$program" && fail "$program names the checkout: $(strings "$program" | grep -F "$T" | head -n 3)"
done

step "relative: the line for gdb that the documentation gives, from anywhere"
(cd / && gdb -q -nx -batch -ex "directory $build" -ex 'list main' "$build/bin/where") >"$T/gdb.txt" 2>&1 || true
grep -qF 'the last line' "$T/gdb.txt" || fail "gdb with 'directory BUILD' from /: $(cat "$T/gdb.txt")"

step "absolute: from anywhere, and __FILE__ as without Waybill"
rm -rf "$build"
export WAYBILL_PATHS=absolute
configure llvm-tools "$src" "$build" "$compiler"
stats_reset
expected=$(launched_commands "$build")
sandbox_watch "$src"
build "$build"
[ -z "$sandbox_watch_pid" ] || {
  kill "$sandbox_watch_pid"
  sandbox_watch_pid=
}
assert_counts "$expected"
assert_no_work "$build"
check_gdb /
"$build/bin/where" >"$T/where.txt"
launcher='' configure llvm-tools "$src" "$T/work/plain" "$compiler"
build "$T/work/plain" where
assert_eq "__FILE__" "$("$T/work/plain/bin/where")" "$(cat "$T/where.txt")"

step "absolute: again from an empty build directory, all hits"
mv "$build" "$T/first"
configure llvm-tools "$src" "$build" "$compiler"
stats_reset
build "$build"
assert_eq "cache hits" "$expected" "$(stat_key cache_hits)"
same_bytes "$T/first" "$build"
