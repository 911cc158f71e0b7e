#!/usr/bin/env bash
# Acceptance 3: the sets of inputs are what the compilers themselves read (scan_oracle.py says who is asked what).
#   scan_oracle.sh headers SAMPLE      SAMPLE units of the headers corpus, all compilers
#   scan_oracle.sh PROJECT COMPILER    every compile of googletest or llvm-tools, precompiled headers included
source "$(dirname -- "$0")/../e2e/lib.sh"
waybilld=${WAYBILL_DAEMON:-$(dirname -- "$WAYBILL")/waybilld}
oracle() { python3 "$top/tests/interop/scan_oracle.py" --jobs "$jobs" "$@" || fail "scan_oracle.py $*"; }

if [ "$1" = headers ]; then
  mkdir "$T/corpus"
  python3 "$top/benchmarks/corpus_headers.py" --sample "$2" "$T/corpus"
  # Most headers can be included alone; were most rejected, hardly anything would be compared.
  oracle --at-least $(($2 * 3 / 5)) "$waybilld" "$T/corpus/compile_commands.json"
  exit
fi
project=$1 compiler=$2
src=$T/one/$project build=$T/one/$project/build
"copy_${project//-/_}" "$src"
launcher='' configure "$project" "$src" "$build" "$compiler"
[ "$project" != llvm-tools ] || ninja -C "$build" opcode_table >"$T/ninja.log"
# Not CMake's own database: it writes object names with spaces without quotes.
mapfile -t rules < <(ninja -C "$build" -t rules | grep -E '^(C|CXX)_COMPILER__')
ninja -C "$build" -t compdb "${rules[@]}" >"$T/compile_commands.json"
oracle "$waybilld" "$T/compile_commands.json"
