#!/usr/bin/env bash
# Install the Debian 12 packages that building and testing Waybill needs, if any is missing. Quiet when all are there.
#   scripts/setup.sh           install what is missing (as root, or through sudo when it asks for no password)
#   scripts/setup.sh --list    print the packages, one a line
set -euo pipefail

packages=(
  # build
  gcc g++ libc6-dev binutils cmake make ninja-build pkg-config git
  protobuf-compiler libprotobuf-dev protobuf-c-compiler libprotobuf-c-dev libgrpc-dev
  libxxhash-dev libssl-dev libzstd-dev
  # LLVM 22: the scan engine, and the compiler of the sanitizer builds
  clang-22 clang-tools-22 llvm-22 llvm-22-dev libclang-22-dev libclang-cpp22-dev libclang-rt-22-dev
  clang-format-22 clang-tidy-22
  # at run time
  bubblewrap
  # tests and benchmarks: older compilers, peers, oracles
  clang-19 clang-16 clang-14 ccache gdb strace libcmocka-dev googletest python3 python3-venv nginx-light openssl bsdutils util-linux
)

case "${1-}" in
--list)
  printf '%s\n' "${packages[@]}"
  exit 0
  ;;
"") ;;
*)
  echo "usage: scripts/setup.sh [--list]" >&2
  exit 2
  ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
  echo "setup: this is not Debian; install the equivalents of: ${packages[*]}" >&2
  exit 1
fi

# An unknown or removed package is simply not in the answer; dpkg-query's exit code says only that some were unknown.
installed=" $({ dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true; } |
  sed -n 's/^installed //p' | tr '\n' ' ')"
missing=()
for p in "${packages[@]}"; do
  case "$installed" in
  *" $p "*) ;;
  *) missing+=("$p") ;;
  esac
done
[ "${#missing[@]}" -gt 0 ] || exit 0

run=()
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    run=(sudo -n)
  else
    echo "setup: packages are missing, and this is not root. Run:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
fi

echo "setup: installing ${#missing[@]} missing Debian packages: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
  if ! "${run[@]}" env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 </dev/null; then
    echo "setup: failed: $*" >&2
    tail -n 30 "$log" >&2
    return 1
  fi
}
quietly apt-get -q update || echo "setup: going on with the package lists that are there" >&2
quietly apt-get -q install -y --no-install-recommends "${missing[@]}"
echo "setup: done"
