#!/bin/sh
# The layering check finds what it is for: each line below is a file, an include, and whether that is allowed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
while read -r file include expect; do
	rm -rf "$dir/tree"
	mkdir -p "$dir/tree/$(dirname "$file")"
	printf '#include <stdio.h>\n#include "%s"\n' "$include" >"$dir/tree/$file"
	if sh "$here/layering.sh" "$dir/tree" >/dev/null 2>&1; then found=yes; else found=no; fi
	if [ "$found" != "$expect" ]; then
		echo "$file includes $include: expected $expect, found $found" >&2
		failed=1
	fi
done <<END
base/map.c base/arena.h yes
base/map.c wire/frame.h no
wire/frame.c base/err.h yes
wire/frame.c proto/wire.pb-c.h yes
wire/frame.c scanner/scanner.h no
scanner/command.c base/str.h yes
scanner/command.c pchfix/twin.h no
scanner/command.c scanner/toolchain.h no
scanner/command.h scanner/inputs.h no
scanner/command.c scanner/options.h yes
scanner/toolchain.c scanner/command.h yes
scanner/toolchain.c scanner/scan.h no
scanner/toolchain.c scanner/directives/lexer.h no
scanner/directives/lexer.c scanner/toolchain.h yes
scanner/directives/lexer.c scanner/inputs.h no
scanner/scan.c scanner/directives/lexer.h yes
scanner/scan.c scanner/scanner.h no
scanner/inputs.c scanner/scan.h yes
scanner/clang/shim.cpp scanner/inputs.h no
scanner/clang/shim.cpp llvm/ADT/StringRef.h yes
scanner/scan.c clang/Lex/Lexer.h no
pchfix/twin.c scanner/inputs.h yes
pchfix/twin.c service/action.h no
report/bloat.c scanner/graph.h yes
report/bloat.c pchfix/twin.h no
service/job.c pchfix/twin.h yes
service/job.c wire/frame.h yes
service/job.c report/bloat.h yes
service/job.c cli/verbs.h no
cli/main.c wire/frame.h yes
cli/main.c proto/wire.pb-c.h yes
cli/main.c proto/remote_execution.pb-c.h no
cli/main.c scanner/scanner.h no
cli/main.c generated/buildid.h yes
base/err.c generated/buildid.h yes
base/err.c elsewhere/x.h no
service/job.c ../base/err.h no
END
exit $failed
