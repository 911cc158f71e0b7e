"""What `waybill why` printed, against the sources: why_chains.py WHY DIRECTORY HEADER COMMAND...

WHY holds what `waybill why [--all] HEADER -- COMMAND` printed in DIRECTORY. Each step must stand in the file and line that
it names, and lead to the file of the next step, the last one to HEADER. No chain may be longer than the depth at which
clang's -H shows the header, and the first must be the shortest. Prints how many chains there were.
"""
import os
import re
import subprocess
import sys

why, directory, header, argv = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
os.chdir(directory)


def same(spelled, path):
    return path.endswith("/" + spelled.lstrip("./")) or path == spelled or os.path.basename(spelled) == os.path.basename(path)


def check_step(step, leads_to):
    if step.startswith("<command line>: "):
        words = step.split(": ", 1)[1].split("  [")[0].split(" ", 1)
        assert words[0] in argv and words[1] in argv, step
        name = words[1]
    else:
        m = re.fullmatch(r"(.*?):(\d+): (#include|#include_next|#import|__has_include\(|#embed) ?[<\"](.*)[>\"]\)?(  \[.*\])?", step)
        assert m, step
        with open(m[1], errors="replace") as f:
            lines = f.read().replace("\\\n", "\\\r").split("\n")  # a line that goes on is one
        at = 0
        for line in lines:
            at += 1 + line.count("\r")
            if at >= int(m[2]):
                break
        assert m[3].lstrip("#") in line and (m[4] in line), f"{step}: that line is: {line}"
        name = m[4]
    assert same(name, leads_to), f"{step}: does not lead to {leads_to}"


def depth():
    """Of the header in clang's -H, at its first appearance."""
    out = subprocess.run(argv + ["-H", "-fsyntax-only", "-w"], capture_output=True, text=True).stderr
    depths = [m[1].count(".") for m in re.finditer(r"^(\.+) (.*)$", out, re.M) if m[2].endswith("/" + header)]
    return min(depths, default=None)


with open(why) as f:
    chains = [c.split("\n") for c in f.read().rstrip("\n").split("\n\n")]
assert chains and chains[0] != [""], "no chain"
for chain in chains:
    for step, following in zip(chain, chain[1:] + [header]):
        check_step(step, re.match(r"(.*?):\d+: ", following)[1] if following is not header else header)
assert len(chains[0]) == min(map(len, chains))
shown = depth()
assert shown is None or len(chains[0]) <= shown, f"-H shows it at depth {shown}, the chain has {len(chains[0])}"
print(len(chains))
