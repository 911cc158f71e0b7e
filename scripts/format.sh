#!/usr/bin/env bash
# Format every C and C++ file with clang-format-22, or check that they are (--check).
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
# Folders that do not exist (yet) do not matter.
files=$({ find base wire scanner pchfix service cli report tests examples benchmarks -name third_party -prune -o -name build -prune \
  -o -path tests/data -prune -o \( -name '*.c' -o -name '*.h' -o -name '*.cpp' \) -type f -print 2>/dev/null || true; } | sort)
case ${1-} in
--check) mode=(--dry-run -Werror) ;;
"") mode=(-i) ;;
*)
  echo "usage: scripts/format.sh [--check]" >&2
  exit 2
  ;;
esac
tr '\n' '\0' <<<"$files" | xargs -0 -n 20 -P "$(nproc)" clang-format-22 "${mode[@]}" --
