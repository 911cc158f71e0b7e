"""Rules that a scan printed, against the compiler's own: scan_rules.py DATABASE RULES

RULES is what `waybill scan -p` printed for DATABASE: a rule for each entry, in the same order. For each entry the compiler
itself is asked, with -M, in the entry's directory; the two sets of files must be equal once links are followed. A command
that uses a precompiled header of clang's is asked without it: the header it stands for is on the command line as well.

gcc's -M leaves out what only __has_include looked at: such a file may be in the rule when one of the files that gcc read
has the word __has_include in a line that names it.
"""
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys


def rules(text):
    """[(target, [file ...])] of a makefile."""
    out = []
    for line in text.replace("\\\n", " ").splitlines():
        words = re.findall(r"(?:\\.|[^\\ ])+", line)
        if not words:
            continue
        words = [re.sub(r"\\(.)", r"\1", w).replace("$$", "$") for w in words]
        end = next(i for i, w in enumerate(words) if w.endswith(":"))
        out.append((" ".join(words[: end + 1])[:-1], words[end + 1 :]))
    return out


def question(argv):
    """The same command with -M."""
    out, skip = [], 0
    while os.path.basename(argv[0]) == "waybill":
        argv = argv[1:]
    for i, word in enumerate(argv):
        if skip > 0:
            skip -= 1
        elif argv[i : i + 3 : 2] == ["-Xclang", "-Xclang"] and argv[i + 1] == "-include-pch":
            skip = 3
        elif argv[i : i + 2] == ["-Xclang", "-emit-pch"]:
            skip = 1
        elif word in ("-o", "-MT", "-MF", "-MQ"):
            skip = 1
        elif word not in ("-c", "-MD", "-MMD", "-Winvalid-pch", "-fpch-instantiate-templates"):
            out.append(word)
    return out + ["-M", "-w"]


def real(directory, files):
    return {os.path.realpath(os.path.join(directory, f)) for f in files}


def only_looked_at(path, read):
    name = os.path.basename(path)
    for f in read:
        with open(f, errors="replace") as lines:
            if any("__has_include" in line and name in line for line in lines):
                return True
    return False


def check(entry, rule):
    argv = entry.get("arguments") or shlex.split(entry["command"])
    asked = question(argv)
    answer = subprocess.run(asked, cwd=entry["directory"], capture_output=True, text=True)
    if answer.returncode != 0:
        return f"{shlex.join(asked)}: {answer.stderr}"
    wanted = real(entry["directory"], rules(answer.stdout)[0][1])
    got = real("/", rule[1])
    if len(set(rule[1])) != len(rule[1]):
        return f"a file is listed twice for {rule[0]}"
    extra = got - wanted
    if "g++" in os.path.basename(asked[0]) or "gcc" in os.path.basename(asked[0]):
        extra = {f for f in extra if not only_looked_at(f, wanted)}
    if extra or wanted - got:
        return f"{entry['file']}: only in the scan {sorted(extra)}, only in -M {sorted(wanted - got)}"
    if "-o" in argv and rule[0] != argv[argv.index("-o") + 1]:
        return f"{entry['file']}: target {rule[0]}"
    return None


def main():
    with open(sys.argv[1]) as f:
        database = json.load(f)
    with open(sys.argv[2]) as f:
        listed = rules(f.read())
    if len(database) != len(listed) or not listed:
        sys.exit(f"{len(listed)} rules for {len(database)} entries")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [text for text in pool.map(check, database, listed) if text]
    for text in wrong:
        print(text, file=sys.stderr)
    print(f"{len(listed) - len(wrong)} of {len(listed)} units as the compiler says,"
          f" {sum(len(r[1]) for r in listed) // len(listed)} files each")
    sys.exit(len(wrong) > 0)


main()
