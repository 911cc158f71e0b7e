#!/bin/sh
# headers.sh CC SOURCE_ROOT GENERATED_DIR: every header compiles alone. scanner/clang/ has the C++ ones: skipped.
set -eu
cc=$1 root=$2 generated=$3
cd "$root"
set --
for folder in base wire rpc reapi scanner scanner/directives pchfix report service cli; do
	for header in "$folder"/*.h; do
		[ -e "$header" ] && set -- "$@" "$header"
	done
done
[ $# -gt 0 ] || { echo "no headers below $root" >&2; exit 1; }
"$cc" -fsyntax-only -std=gnu17 -Wall -Wextra -Wno-unused-function -Werror -I. -isystem "$generated" -isystem "$generated/proto" -x c "$@"
echo "$# headers compile alone"
