#!/usr/bin/env bash
# Set up, build and run every test.
#   scripts/test.sh           gcc (release): all tests; clang-22 with sanitizers: unit tests, fuzzing for a minute, end-to-end
#                             tests
#   scripts/test.sh --quick   the release build and its tests only
#   scripts/test.sh --heavy   also the tests that take many minutes (label heavy)
# Everything is built with -Werror. Logs of builds are in build/PRESET.log. JOBS sets how many processes run at once.
set -euo pipefail
cd -- "$(dirname -- "$0")/.."

quick=no
exclude='^heavy$'
for arg; do
  case $arg in
  --quick) quick=yes ;;
  --heavy) exclude='^no-such-label$' ;;
  *)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
  esac
done
jobs=${JOBS:-$(nproc)}
failed=()
started=$SECONDS

say() { echo "--- $* [$((SECONDS - started)) s]"; }

# build PRESET: stops the script when it fails.
build() {
  say "build $1"
  mkdir -p build
  if ! { cmake --preset "$1" && cmake --build --preset "$1" -j "$jobs"; } >"build/$1.log" 2>&1; then
    tail -n 60 "build/$1.log"
    echo "test: preset $1 does not build; the whole log is build/$1.log" >&2
    exit 1
  fi
}

# tests PRESET CTEST-ARGUMENT...: notes a failure and goes on. Many tests wait for servers, disks or each other, so there are
# two at once for each core; those that build count as two.
tests() {
  local preset=$1
  shift
  say "tests of $preset"
  ctest --preset "$preset" -j $((2 * jobs)) --no-tests=error "$@" || failed+=("$preset")
}

scripts/setup.sh
say "formatting"
scripts/format.sh --check || failed+=(format)

CC=gcc CXX=g++ build release
if [ $quick = yes ]; then
  tests release -LE "$exclude"
else
  # The release tests come last, so that the end of the output is about all of them.
  build asan
  tests asan -L '^(unit|asan-e2e|fuzz)$' -LE "$exclude"
  build tsan
  tests tsan -L '^(tsan|tsan-e2e)$' -LE "$exclude"
  tests release -LE "$exclude"
fi

if [ ${#failed[@]} -gt 0 ]; then
  echo "test: failed: ${failed[*]}" >&2
  exit 1
fi
