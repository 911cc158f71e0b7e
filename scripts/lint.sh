#!/usr/bin/env bash
# clang-tidy-22 with the checks of .clang-tidy over our own C and C++, on the compile database of the preset asan (clang).
#   scripts/lint.sh [FILE...]     all files by default
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
scripts/setup.sh
cmake --preset asan >/dev/null
# Generated headers must be there.
cmake --build --preset asan -j "${JOBS:-$(nproc)}" >/dev/null
if [ $# -gt 0 ]; then
  files=("$@")
else
  mapfile -t files < <(find base wire scanner pchfix service cli report -name '*.c' -o -name '*.cpp' 2>/dev/null | sort)
fi
printf '%s\0' "${files[@]}" | xargs -0 -n 4 -P "${JOBS:-$(nproc)}" clang-tidy-22 --quiet -p build/asan
