#!/usr/bin/env bash
# The action key sees every byte of every input, and nothing else (mutate_inputs.c does it; nothing is compiled).
#   mutation.sh [full]     full: 200 units of googletest, llvm-tools and a generated project; else a few dozen
source "$(dirname -- "$0")/lib.sh"
: "${MUTATE:?set MUTATE to the program mutate_inputs}"
full=${1-}
if [ "$full" = full ]; then units=140 others=1000 least=200; else units=12 others=120 least=12; fi

unset E2E_SHARED # what others share must not be written to
mkdir "$T/p"
python3 -S "$here/mutation.py" "$T/p/generated" "$units" "$others"
databases=("$T/p/generated/build/compile_commands.json")
if [ "$full" = full ]; then
  copy_googletest "$T/p/googletest"
  copy_llvm_tools "$T/p/llvm-tools"
  for name in googletest llvm-tools; do
    step "configure $name"
    cmake -G Ninja -S "$T/p/$name" -B "$T/p/$name/build" -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 \
      -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -Dgtest_build_tests=ON \
      -Dgmock_build_tests=ON -Dgtest_build_samples=ON -DCMAKE_BUILD_TYPE=Release >"$T/configure.log" 2>&1 ||
      fail "cmake: $(cat "$T/configure.log")"
    databases+=("$T/p/$name/build/compile_commands.json")
  done
  # Its generated headers are made by programs of its own. (Some sources need what the precompiled header would bring.)
  ninja -k 0 -C "$T/p/llvm-tools/build" >"$T/build.log" 2>&1 || true
fi

step "change bytes"
"$MUTATE" -o "$others" "$T/p" "${databases[@]}" | tee "$T/out.txt"
n=$(sed -n 's/^\([0-9]*\) units;.*/\1/p' "$T/out.txt")
[ "$n" -ge "$least" ] || fail "only $n units have a key"
