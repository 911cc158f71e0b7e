#!/usr/bin/env bash
# Whatever changes on the disk: the next answer of a daemon that has seen it before is a fresh one's.
#   invalidation.sh [COMPILER]
source "$(dirname -- "$0")/lib.sh"
compiler=${1:-clang++-22}
: "${WAYBILL_DAEMON:?set WAYBILL_DAEMON to the daemon under test}"

mkdir "$T/w"
python3 -S "$here/invalidation.py" "$T/w/p" "$WAYBILL" "$WAYBILL_DAEMON" "$compiler" || fail "see above"
read -r jobs hits < <(stat_keys jobs cache_hits)
[ "$jobs" -gt 60 ] || fail "only $jobs compiles went through the daemon"
[ "$hits" -gt 15 ] || fail "only $hits hits: nothing was remembered"
