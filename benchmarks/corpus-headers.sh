#!/usr/bin/env bash
# Make the headers corpus: one small source for each header of Debian's libstdc++, glibc, Linux, clang, Boost, LLVM 22 and
# Qt 6 base packages, and a compile database of them for clang 22, 19, 16, 14 and gcc 12 over standards and flags
# (corpus_headers.py says how they are chosen). Nothing is compiled. With --matrix each header meets all five compilers.
#   benchmarks/corpus-headers.sh [--matrix | --sample N] [DIR]
# DIR is ./corpus-headers by default. tests/interop/scan_oracle.py compares what Waybill finds with the compilers.
set -euo pipefail
here=$(cd -- "$(dirname -- "$0")" && pwd)
size=()
case "${1-}" in
--sample)
  size=(--sample "${2:?--sample needs a number}")
  shift 2
  ;;
--matrix)
  size=(--matrix)
  shift
  ;;
esac
case "${1-}" in
-*)
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
dir=${1:-corpus-headers}
# Without its 32-bit headers most units with -m32 are rejected by gcc, and say little.
[ -e /usr/include/x86_64-linux-gnu/c++/12/32/bits/c++config.h ] ||
  echo "corpus-headers: without g++-12-multilib the compilers reject most units with -m32; they are in the corpus all the same" >&2
mkdir -p "$dir"
exec python3 "$here/corpus_headers.py" "${size[@]}" "$dir"
