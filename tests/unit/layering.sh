#!/bin/sh
# layering.sh SOURCE_ROOT: checks who includes whom (docs/architecture.md). Reads the #include "..." lines only.
set -eu
cd "$1"
files=$(find base wire proto rpc reapi scanner pchfix report service cli -name '*.[ch]' -o -name '*.cpp' 2>/dev/null | sort) || true
[ -n "$files" ] || { echo "no sources below $1" >&2; exit 1; }
# shellcheck disable=SC2086
awk '
BEGIN {
	may["base"] = "base"
	may["proto"] = "proto"
	may["wire"] = "wire base proto"
	may["rpc"] = "rpc base wire proto"
	may["reapi"] = "reapi base wire proto rpc"
	may["scanner"] = "scanner base"
	may["pchfix"] = "pchfix scanner base"
	may["report"] = "report base scanner"
	may["service"] = "service base wire proto rpc reapi scanner pchfix report"
	may["cli"] = "cli base wire proto"
	for (folder in may) {
		known[folder] = 1
		n = split(may[folder], list, " ")
		for (i = 1; i <= n; i++)
			allowed[folder, list[i]] = 1
	}
	# The pipe inside scanner/: a stage includes the stages before it. scanner.h shows them all, so no stage includes it.
	stage["command"] = 1; stage["toolchain"] = 2; stage["scan"] = 3; stage["inputs"] = 4; stage["scanner"] = 5
}
function base_name(path) { sub(/.*\//, "", path); sub(/\.[a-z]+$/, "", path); return path }
function stage_of(path) {
	if (path ~ /^scanner\/(directives|clang)\//)
		return stage["scan"]
	return path ~ /^scanner\/[^\/]*$/ && base_name(path) in stage ? stage[base_name(path)] : 0
}
function complain(why) { printf "%s:%d: includes \"%s\": %s\n", FILENAME, FNR, target, why; bad++ }
/^[ \t]*#[ \t]*include[ \t]*"/ {
	count++
	target = $0
	sub(/^[^"]*"/, "", target); sub(/".*/, "", target)
	from = FILENAME; sub(/\/.*/, "", from)
	if (target ~ /(^|\/)\.\.?\//) {
		complain("write the path from the top of the repository")
		next
	}
	to = target; sub(/\/.*/, "", to)
	if (target ~ /\.pb-c\.h$/)
		to = "proto" # generated from proto/
	if (!(to in known)) {
		if (FILENAME ~ /^scanner\/clang\// && target ~ /^(clang|clang-c|llvm)\//)
			next # the way LLVM names its headers
		if (target ~ /\// && to != "generated")
			complain("no such folder")
		next # buildid.h
	}
	if (!allowed[from, to])
		complain(from "/ may include only " may[from])
	else if (from == "cli" && to == "proto" && target !~ /(^|\/)wire\.pb-c\.h$/)
		complain("of proto/, the client sees the wire messages (wire.pb-c.h) alone")
	else if (from == "scanner" && stage_of(FILENAME) && stage_of(target) > stage_of(FILENAME))
		complain("a later stage (the order is command, toolchain, scan, inputs)")
}
END {
	if (bad)
		exit 1
	printf "%d includes, all allowed\n", count
}' $files
