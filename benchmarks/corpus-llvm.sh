#!/usr/bin/env bash
# Make the LLVM corpus on Debian 12: the sources of llvm-toolchain-19, configured with clang 22 (llvm and clang, X86 and AArch64),
# with every generated header there and nothing compiled. About three minutes and 2 GB of disk; run again, it goes on where it
# was interrupted.
#   benchmarks/corpus-llvm.sh [--pch] [DIR]
# DIR is ./corpus-llvm by default; the compile database is DIR/build/compile_commands.json. --pch makes a second one,
# DIR/pch/compile_commands.json, where every C++ target has a precompiled header.
# Sources come from the Debian mirror that the system uses, by a private apt configuration in DIR/apt: the system's own apt
# settings and lists are only read, and no package is installed.
set -euo pipefail
here=$(cd -- "$(dirname -- "$0")" && pwd)
pch=no
if [ "${1-}" = --pch ]; then
  pch=yes
  shift
fi
case "${1-}" in
-*)
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
need_mb=2000

say() { echo "corpus-llvm: $*"; }
die() {
  echo "corpus-llvm: $*" >&2
  exit 1
}

# step NAME COMMAND ...: run it once in DIR; its output goes to DIR/NAME.log.
step() {
  local name=$1 start=$SECONDS
  shift
  [ ! -e "$dir/.$name.done" ] || return 0
  # Not as a condition: inside one, set -e has no effect.
  set +e
  (
    set -e
    "$@"
  ) >"$dir/$name.log" 2>&1
  local status=$?
  set -e
  if [ $status != 0 ]; then
    tail -n 20 "$dir/$name.log" >&2
    die "$name failed; the whole output is in $dir/$name.log. Run again to go on from here"
  fi
  touch "$dir/.$name.done"
  say "$name: $((SECONDS - start)) s"
}

# The system's entries for Debian itself, from both of apt's formats, with sources. Others have no llvm-toolchain-19.
write_sources() {
  mkdir -p "$apt/sources.d" "$apt/lists/partial" "$apt/cache/archives/partial"
  python3 - "$apt" "$codename" <<'PYTHON'
import glob, re, sys
apt, codename = sys.argv[1:]
ours = re.compile(rf"{codename}(-security|-updates)?/?$")
stanzas, lines = [], []
for path in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
    with open(path) as f:
        text = re.sub(r"(?m)^#.*\n?", "", f.read())
    for stanza in re.split(r"\n\s*\n", text):
        field = {k.lower(): v.split() for k, v in re.findall(r"(?m)^([\w-]+):((?:.*)(?:\n[ \t].*)*)", stanza)}
        if "no" in field.get("enabled", []) or "main" not in field.get("components", []):
            continue
        if all(ours.match(s) for s in field.get("suites", ["none"])):
            stanzas.append(re.sub(r"(?mi)^types:.*$", "Types: deb deb-src", stanza).strip() + "\n")
for path in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*.list"))]:
    try:
        with open(path) as f:
            found = re.findall(r"(?m)^\s*deb(?:-src)?\s+((?:\[[^]]*\]\s+)?\S+\s+(\S+)\s+(.*?))\s*(?:#.*)?$", f.read())
    except FileNotFoundError:
        continue
    lines += [entry for entry, suite, components in found if ours.match(suite) and "main" in components.split()]
if not stanzas and not lines:
    print("apt here knows no mirror of Debian", codename, "(component main): taking deb.debian.org")
    lines = [f"http://deb.debian.org/debian {codename} main"]
with open(f"{apt}/sources.d/debian.sources", "w") as f:
    f.write("\n".join(stanzas))
with open(f"{apt}/sources.list", "w") as f:
    f.writelines(f"{kind} {entry}\n" for entry in dict.fromkeys(lines) for kind in ("deb", "deb-src"))
PYTHON
}

# apt-get with its own sources, lists and cache. Not as the user _apt, who may not be able to write here.
private_apt() {
  apt-get -q -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts="$apt/sources.d" -o Dir::State::lists="$apt/lists" \
    -o Dir::Cache="$apt/cache" -o Acquire::Languages=none -o Debug::NoLocking=1 -o APT::Sandbox::User= "$@"
}

download() {
  write_sources
  private_apt update
  cd "$dir"
  private_apt source --download-only llvm-toolchain-19
}

# Only what is configured. Debian's patches are about its builds: left out.
extract() {
  rm -rf "$dir/src.new" "$dir/src"
  mkdir "$dir/src.new"
  tar -xf "$dir"/llvm-toolchain-19_*.orig.tar.xz -C "$dir/src.new" --strip-components=1 --wildcards --no-wildcards-match-slash \
    --exclude='*/llvm/test' --exclude='*/clang/test' --exclude='*/docs' '*/llvm' '*/clang' '*/cmake' '*/third-party'
  mv "$dir/src.new" "$dir/src"
}

# Debian's table generators of the same version, unless they are installed: unpacked, not installed.
tablegen() {
  local package
  mkdir -p "$dir/tools"
  if [ -x /usr/lib/llvm-19/bin/llvm-tblgen ] && [ -x /usr/lib/llvm-19/bin/clang-tblgen ]; then
    ln -sf /usr/lib/llvm-19/bin/llvm-tblgen /usr/lib/llvm-19/bin/clang-tblgen "$dir/tools/"
  else
    cd "$apt/cache"
    for package in llvm-19 clang-tools-19; do
      private_apt download $package
      dpkg-deb --fsys-tarfile ${package}_*.deb | tar -x -C "$dir/tools" --strip-components=5 --wildcards './usr/lib/llvm-19/bin/*-tblgen'
    done
  fi
  # They need libLLVM 19, which clang-19 brings.
  "$dir/tools/llvm-tblgen" --version && "$dir/tools/clang-tblgen" --version
}

# Optional libraries are off, so that the configured headers are the same wherever this runs.
configure() {
  cmake -G Ninja -S "$dir/src/llvm" -B "$dir/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
    -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 \
    -DLLVM_TARGETS_TO_BUILD='X86;AArch64' -DLLVM_ENABLE_PROJECTS=clang \
    -DLLVM_TABLEGEN="$dir/tools/llvm-tblgen" -DCLANG_TABLEGEN="$dir/tools/clang-tblgen" \
    -DLLVM_INCLUDE_TESTS=OFF -DLLVM_INCLUDE_BENCHMARKS=OFF -DLLVM_INCLUDE_EXAMPLES=OFF -DLLVM_INCLUDE_DOCS=OFF \
    -DLLVM_ENABLE_ZLIB=OFF -DLLVM_ENABLE_ZSTD=OFF -DLLVM_ENABLE_LIBXML2=OFF -DLLVM_ENABLE_LIBEDIT=OFF -DLLVM_ENABLE_TERMINFO=OFF
}

# Every header that a custom command makes. None of them needs a program that would have to be compiled first; were that to
# change, this fails rather than compile for an hour.
generate() {
  local targets
  mapfile -t targets < <(ninja -C "$dir/build" -t targets all | sed -n 's/: CUSTOM_COMMAND$//p' | grep -v -e '^/' -e CMakeFiles/ |
    grep -E -e '\.(inc|h|def|gen|tcc|modulemap)$' -e '^lib/clang/.*/include/')
  if ninja -C "$dir/build" -n "${targets[@]}" 2>/dev/null | grep -E 'Building (C|CXX) object|Linking'; then
    echo "generated headers need compiled programs"
    return 1
  fi
  ninja -C "$dir/build" "${targets[@]}"
}

# Nothing may be missing: clang-scan-deps must get through every unit.
check() {
  local scan=0 rules
  clang-scan-deps-22 -compilation-database="$dir/build/compile_commands.json" -j "$(nproc)" >"$dir/check.make" || scan=$?
  rules=$(grep -c '^[^ ].*: \\$' "$dir/check.make" || true)
  echo "$rules rules"
  rm -f "$dir/check.make"
  [ $scan = 0 ] && [ "$rules" -gt 3000 ]
}

dir=${1:-corpus-llvm}
mkdir -p "$dir"
dir=$(cd -- "$dir" && pwd)
apt=$dir/apt
exec 9>"$dir/.lock"
flock -n 9 || die "another run works in $dir"
missing=()
for tool in clang-22 clang++-22 clang-scan-deps-22 clang-19 cmake ninja python3 xz apt-get dpkg-deb; do
  command -v $tool >/dev/null 2>&1 || missing+=("$tool")
done
[ "${#missing[@]}" = 0 ] || die "not found: ${missing[*]}. scripts/setup.sh installs what is needed (xz: the package xz-utils)"
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
[ "$codename" = bookworm ] || say "this is '$codename', not Debian 12: going on, it may not work"
if [ ! -e "$dir/.check.done" ]; then
  free_mb=$(($(df -Pk "$dir" | awk 'NR == 2 {print $4}') / 1024))
  [ $free_mb -ge $need_mb ] || die "$need_mb MB of disk are needed, $dir has $free_mb MB left"
  say "this takes about three minutes, $need_mb MB at most, and downloads 230 MB"
fi

step download download
step extract extract
step tablegen tablegen
step configure configure
step generate generate
step check check
say "$(grep -c '"file":' "$dir/build/compile_commands.json") units in $dir/build/compile_commands.json"
if [ $pch = yes ]; then
  mkdir -p "$dir/pch"
  say "$(python3 "$here/corpus_pch.py" "$dir/build/compile_commands.json" "$dir/pch")"
fi
