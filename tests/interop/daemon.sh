# daemon.sh: where the daemon of a test answers gRPC. Sourced after tests/e2e/lib.sh.
# shellcheck shell=bash

# The socket of the running daemon (wire/socket.h).
daemon_socket() {
  "$WAYBILL" stats >/dev/null # starts one when none runs
  local s
  for s in "$XDG_RUNTIME_DIR"/waybill/*.sock; do
    [ -S "$s" ] && echo "$s" && return 0
  done
  fail "no daemon's socket in $XDG_RUNTIME_DIR/waybill"
}

# Its TCP address, with WAYBILL_LISTEN set before it was started.
daemon_address() {
  local address
  address=$("$WAYBILL" status | grep -oE '127\.0\.0\.1:[0-9]+' | head -n 1)
  [ -n "$address" ] || fail "waybill status names no TCP address: $("$WAYBILL" status)"
  echo "$address"
}
