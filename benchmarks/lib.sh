# lib.sh: what the benchmarks share: the tests' private directories and projects, and the client of the release build.
# shellcheck shell=bash
WAYBILL=${WAYBILL:-$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)/build/release/bin/waybill}
export WAYBILL
if [ ! -x "$WAYBILL" ]; then
  echo "there is no $WAYBILL: run scripts/demo.sh, or cmake --preset release && cmake --build --preset release" >&2
  exit 1
fi
# shellcheck source=../tests/e2e/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../tests/e2e/lib.sh"

# machine: one line about where this ran.
machine() {
  printf '%s cores, %s, Linux %s, %s\n' "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
    "$(uname -r)" "$(date -u +%F)"
}

# now: seconds with a fraction.
now() { date +%s.%N; }
since() { python3 -c 'import sys, time; print(f"{time.time() - float(sys.argv[1]):.3f}")' "$1"; }
