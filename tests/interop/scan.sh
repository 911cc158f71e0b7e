#!/usr/bin/env bash
# Acceptance 7: a client that is not Waybill asks the daemon over gRPC what a project's compiles read, and knowing nothing else
# has a cluster run them: the same bytes as the build's. Over the unix socket and over TCP.
#   scan.sh PROJECT [COMPILER]      PROJECT: googletest, llvm-tools
E2E_REMOTE=own
source "$(dirname -- "$0")/../e2e/lib.sh"
source "$top/tests/interop/daemon.sh"
project=$1 compiler=${2:-clang-22}
client() { "$venv_python" "$top/tests/interop/scan_client.py" "$@" || fail "scan_client.py $1"; }

export WAYBILL_LISTEN=127.0.0.1:0
src=$T/one/$project build=$T/one/$project/build
"copy_${project//-/_}" "$src"
configure "$project" "$src" "$build" "$compiler"
step "build with the embedded backend: headers are precompiled, objects to compare with are there"
build "$build"

# CMake writes object names with spaces without quotes into its database; Ninja knows what is run.
database=$build/compile_commands.json
if grep -q ' ' < <(cd "$src" && find . -mindepth 1 -maxdepth 1 -type d -name '* *'); then
  database=$T/compile_commands.json
  mapfile -t rules < <(ninja -C "$build" -t rules | grep -E '^(C|CXX)_COMPILER__')
  ninja -C "$build" -t compdb "${rules[@]}" >"$database"
fi

unix=unix:$(daemon_socket) tcp=$(daemon_address)
step "the services at $unix and $tcp"
client services "$unix"
client services "$tcp"

step "what the compiles read, against the compiler's -M"
client check "$unix" "$database" "$tcp"

step "the answers' actions on a cluster"
casd_start "$T/casd"
client execute "$unix" "$database" "127.0.0.1:$casd_port"
