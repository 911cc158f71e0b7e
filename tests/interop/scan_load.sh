#!/usr/bin/env bash
# Acceptance 8: a thousand callers at once, malformed and oversized requests, clients that vanish, another user's connection.
# The daemon stays up, lets go of everything, and ends cleanly (under a sanitizer: without a report).
E2E_REMOTE=own
source "$(dirname -- "$0")/../e2e/lib.sh"
source "$top/tests/interop/daemon.sh"

export WAYBILL_LISTEN=127.0.0.1:0
src=$T/one/googletest build=$T/one/googletest/build
copy_googletest "$src"

# Started by hand, for its exit code and what a sanitizer writes.
"$WAYBILL_DAEMON" >"$T/daemon.out" 2>&1 </dev/null &
pid=$!
for _ in $(seq 200); do
  ! compgen -G "$XDG_RUNTIME_DIR/waybill/*.sock" >/dev/null || break
  kill -0 "$pid" || fail "the daemon does not start: $(cat "$T/daemon.out")"
  sleep 0.1
done
configure googletest "$src" "$build" clang-22
build "$build"

unix=unix:$(daemon_socket) tcp=$(daemon_address)
step "load on $unix and $tcp"
"$venv_python" "$top/tests/interop/scan_load.py" "$unix" "$tcp" "$build/compile_commands.json" "$pid" || fail "scan_load.py"

if [ "$(id -u)" = 0 ]; then
  step "another user at the socket"
  # Its directory keeps others out; should that fail, the daemon looks who is there.
  as_nobody() {
    setpriv --reuid=65534 --regid=65534 --clear-groups /usr/bin/python3 -S -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
try:
    s.connect(sys.argv[1])
except PermissionError:
    sys.exit("kept out")
try:
    s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
    sys.exit("answered" if s.recv(1) else "hung up")
except OSError:
    sys.exit("hung up")' "${unix#unix:}" 2>&1 || true
  }
  assert_eq "another user" "kept out" "$(as_nobody)"
  chmod 755 "$T" "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR/waybill"
  chmod 666 "${unix#unix:}"
  assert_eq "another user, in spite of the modes" "hung up" "$(as_nobody)"
  chmod 700 "$T" "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR/waybill"
fi

step "a clean end"
"$WAYBILL" stop
rc=0
wait "$pid" || rc=$?
[ ! -s "$T/daemon.out" ] || cat "$T/daemon.out"
assert_eq "the daemon's exit code" 0 "$rc"
! grep -q Sanitizer "$T/daemon.out" || fail "a sanitizer reports"
