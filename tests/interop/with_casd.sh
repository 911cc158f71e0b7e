#!/usr/bin/env bash
# with_casd.sh COMMAND...: run it with a buildbox-casd of its own, whose endpoint is in WB_TEST_CASD.
set -euo pipefail
source "$(dirname -- "$0")/casd.sh"
casd_setup
dir=$(mktemp -d /tmp/wb-casd.XXXXXX)
trap 'casd_cleanup; chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
casd_start "$dir"
WB_TEST_CASD=grpc://127.0.0.1:$casd_port "$@"
