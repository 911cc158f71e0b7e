#!/usr/bin/env bash
# The test servers do what they say, seen by a client that is not Waybill (grpcio): a proxy that breaks nothing and a fake
# that does not lie would test nothing.
E2E_REMOTE=own
source "$(dirname -- "$0")/lib.sh"
source "$here/remote.sh"
casd_start "$T/casd"
"$venv_python" "$top/tests/interop/selftest.py" "$casd_port"
