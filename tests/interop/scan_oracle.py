"""Compare Waybill's sets of inputs with what the compilers themselves read, for every entry of compile databases.

    scan_oracle.py [--jobs N] [--cache FILE] [--engine NAME]... WAYBILLD DATABASE...
    scan_oracle.py --oracle-only --cache FILE DATABASE...

The oracle of a clang is its own -M. Of gcc, whose -M leaves out what only __has_include looked at, it is strace: the
regular files that the compiler proper opens from the main source on while it preprocesses. A precompiled header is used
by nobody here: its header is included instead, which is what Waybill scans.

A unit that the compiler rejects must be one that Waybill calls failed too, or leaves to the compiler; which files such a
unit read is not compared. The exception are errors that a scanner does not look for: #error, and those in the text between
directives.

Exits with 1 when there is a difference, or when nothing was compared. --cache keeps what compilers said between runs: by
command only, so it must not outlive an edit of the sources.
"""
import argparse
import collections
import concurrent.futures
import functools
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

BATCH = 500  # units that are in memory at once
HAS_VALUE = ("-o", "-MF", "-MT", "-MQ", "-MJ")
DROPPED = ("-c", "-S", "-E", "-fsyntax-only", "-MD", "-MMD", "-MP", "-MG", "-M", "-MM", "-MV")

# Read by clang's driver when a sanitizer is on, and listed by -M; not the preprocessor's: no part of an include graph.
DRIVERS_OWN = r"/lib/clang/[^/]*/share/[a-z_]*ignorelist\.txt$"


def arguments_of(entry):
    return entry["arguments"] if "arguments" in entry else shlex.split(entry["command"])


def is_clang(words):
    return "clang" in os.path.basename(words[0])


def preprocessing_only(words):
    """The command without its outputs, and without the precompiled header that it makes or takes."""
    out, i = [], 0
    while i < len(words):
        if words[i] == "-Xclang" and words[i + 1] == "-include-pch":
            i += 4
        elif words[i] == "-Xclang" and words[i + 1] == "-emit-pch":
            i += 2
        elif words[i] in HAS_VALUE:
            i += 2
        else:
            if words[i] not in DROPPED:
                out.append(words[i])
            i += 1
    return out


def environment():
    """What decides about messages and search directories must not come from outside."""
    kept = {k: v for k, v in os.environ.items() if not re.search(r"^(LC_|LANG)|PATH$|_INCLUDE|^CCC_|^GCC_|SDKROOT", k)}
    return {**kept, "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}


def only_the_compiler_sees(text):
    """Is every error in `text` either a live #error, or in a line that is no directive? Scanners read directives only."""
    errors = [m.start() for m in re.finditer(r": (?:fatal )?error: ", text)]
    for at in errors:
        lines = text[at:].split("\n")
        # gcc names #error in the message; both show the line (with a number in front, but for older clangs). Of an #include
        # among the arguments of a macro, clang complains where it stands; that they have no end before is seen in text.
        shown = re.match(r"[ \d|]*(.*)", lines[1])[1] if len(lines) > 1 else "#"
        in_arguments = "within macro arguments" in lines[0]
        if ": error: #error" not in lines[0] and not in_arguments and shown.startswith("#") and not re.match(r"#\s*error\b", shown):
            return False
    return bool(errors)


def rule_files(text, directory):
    """Prerequisites of a make rule as clang writes it: a space or # with a backslash, a $ twice, lines continued."""
    body = text.split(":", 1)[1] if ":" in text else ""
    words = re.findall(r"(?:\\[ #]|[^\s])+", body.replace("\\\n", " "))
    names = (re.sub(r"\\([ #])", r"\1", w).replace("$$", "$") for w in words)
    return {real(os.path.join(directory, n)) for n in names}


@functools.cache
def real(path):
    return os.path.realpath(path)


def clang_says(words, directory):
    argv = [words[0], "-M", "-w", *preprocessing_only(words[1:])]
    r = subprocess.run(argv, cwd=directory, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if r.returncode != 0:
        return {"status": "text" if only_the_compiler_sees(r.stderr) else "failed", "why": r.stderr[:400]}
    return {"status": "ok", "files": sorted(p for p in rule_files(r.stdout, directory) if not re.search(DRIVERS_OWN, p))}


def gcc_says(words, directory):
    source = next(w for w in reversed(words) if os.path.isfile(os.path.join(directory, w)) and re.search(r"\.(c|cc|cpp|cxx|C|h|hpp|hxx|S)$", w))
    with tempfile.NamedTemporaryFile("r", prefix="scan-oracle-", errors="replace") as trace:
        argv = ["strace", "-f", "--seccomp-bpf", "-qq", "-s", "4096", "-e", "trace=open,openat,execve", "-e", "signal=none", "-o", trace.name,
                words[0], "-E", "-w", "-o", os.devnull, *preprocessing_only(words[1:])]
        r = subprocess.run(argv, cwd=directory, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        if r.returncode != 0:
            return {"status": "text" if only_the_compiler_sees(r.stderr) else "failed", "why": r.stderr[:400]}
        compiler, started, opened = None, False, set()
        for line in trace:
            pid, _, call = line.partition(" ")
            call = call.lstrip()
            if call.startswith("execve("):
                if re.match(r'execve\("[^"]*/(cc1|cc1plus|cc1obj)"', call):
                    compiler = pid
                continue
            m = re.match(r'open(?:at)?\((?:AT_FDCWD, )?"((?:[^"\\]|\\.)*)", ([A-Z_|]+).*\) = \d+', call)
            if pid != compiler or not m or not m.group(2).startswith("O_RDONLY"):
                continue
            name = m.group(1).encode().decode("unicode_escape").encode("latin-1").decode(errors="surrogateescape")
            started = started or name == source
            path = real(os.path.join(directory, name))
            if started and os.path.isfile(path):
                opened.add(path)
    if not opened:
        return {"status": "failed", "why": "strace saw no compiler (may this process be traced?)"}
    return {"status": "ok", "files": sorted(opened)}


def ask(entry):
    words = arguments_of(entry)
    return (clang_says if is_clang(words) else gcc_says)(words, entry["directory"])


class Oracle:
    """What compilers say; optionally kept in a file: paths once, units by a digest of their command."""

    def __init__(self, path, jobs):
        self.path, self.jobs, self.paths, self.number, self.units = path, jobs, [], {}, {}
        if path and os.path.exists(path):
            with open(path, encoding="utf-8", errors="surrogateescape") as f:
                kept = json.load(f)
            self.paths, self.units = kept["paths"], kept["units"]
            self.number = {p: i for i, p in enumerate(self.paths)}

    @staticmethod
    def key(entry):
        return hashlib.sha256("\0".join([entry["directory"], *arguments_of(entry)]).encode(errors="surrogateescape")).hexdigest()[:24]

    def answer(self, entries):
        wanted = [e for e in entries if self.key(e) not in self.units]
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            for entry, said in zip(wanted, pool.map(ask, wanted)):
                if "files" in said:
                    for p in said["files"]:
                        if self.number.setdefault(p, len(self.paths)) == len(self.paths):
                            self.paths.append(p)
                    said["files"] = [self.number[p] for p in said["files"]]
                self.units[self.key(entry)] = said
        for e in entries:
            said = dict(self.units[self.key(e)])
            if "files" in said:
                said["files"] = {self.paths[i] for i in said["files"]}
            yield said
        if not self.path:
            self.paths, self.number, self.units = [], {}, {}
        elif wanted:
            with open(self.path + ".new", "w", encoding="utf-8", errors="surrogateescape") as f:
                json.dump({"paths": self.paths, "units": self.units}, f)
            os.rename(self.path + ".new", self.path)


def waybill_says(waybilld, engine, entries, directory, jobs):
    """[{status, files, why}] for each entry; one process for all. Entries are told apart by numbers in their places."""
    database = os.path.join(directory, "compile_commands.json")
    numbered = [{"directory": e["directory"], "file": f"/entry/{i}", "arguments": [*arguments_of(e), "-MT", f"entry-{i}"]}
                for i, e in enumerate(entries)]  # fmt: skip
    with open(database, "w", encoding="utf-8", errors="surrogateescape") as f:
        json.dump(numbered, f)
    env = {**environment(), "WAYBILL_CACHE_DIR": os.path.join(directory, "cache")}
    argv = [waybilld, "scan", "-j", str(jobs), f"--engine={engine}", "-p", database]
    r = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="surrogateescape")
    if r.returncode not in (0, 1):
        sys.exit(f"failed ({r.returncode}): {shlex.join(argv)}\n{r.stdout[:1000]}{r.stderr[:1000]}")
    out = [None] * len(entries)
    for rule in re.split(r"\n(?! )", r.stdout):
        target = re.match(r"[^:]*\bentry-(\d+):", rule)
        if target:
            i = int(target[1])
            out[i] = {"status": "ok", "files": rule_files(rule, entries[i]["directory"])}
    for line in r.stderr.splitlines():
        complaint = re.match(r"waybilld: /entry/(\d+): (.*)", line)
        if complaint:
            failed = "(scan_error)" in complaint[2]
            out[int(complaint[1])] = {"status": "failed" if failed else "refused", "files": set(), "why": complaint[2]}
    return out


def difference(oracle, waybill):
    """"" when they agree; what is different otherwise. The second value says which kind of agreement it was."""
    if waybill is None:
        return "no answer", "difference"
    if oracle["status"] == "ok":
        if waybill["status"] == "refused":
            return "", "left to others" + re.sub(r".*( \(\w+\)).*", r"\1", waybill["why"])
        missing, extra = sorted(oracle["files"] - waybill["files"]), sorted(waybill["files"] - oracle["files"])
        text = "".join(f"  missed {p}\n" for p in missing[:10]) + "".join(f"  too many {p}\n" for p in extra[:10])
        if waybill["status"] == "failed":
            text = f"  called failed: {waybill['why']}\n" + text
        return text, "difference" if text else "same files"
    if oracle["status"] == "text" or waybill["status"] != "ok":
        return "", "rejected by the compiler"
    return f"  the compiler rejects it: {oracle['why'][:300]}\n", "difference"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--cache")
    parser.add_argument("--engine", action="append")
    parser.add_argument("--oracle-only", action="store_true")
    parser.add_argument("--at-least", type=int, default=1, help="fail when fewer units than this had the same files")
    parser.add_argument("arguments", nargs="+")
    options = parser.parse_args()
    program = None if options.oracle_only else options.arguments.pop(0)
    engines = options.engine or ["directives"]
    entries = []
    for path in options.arguments:
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            entries += json.load(f)
    oracle, kinds, wrong = Oracle(options.cache, options.jobs), collections.Counter(), 0
    with tempfile.TemporaryDirectory(prefix="scan-oracle-") as scratch:
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            expected = list(oracle.answer(batch))
            for engine in engines if program else []:
                for entry, want, got in zip(batch, expected, waybill_says(program, engine, batch, scratch, options.jobs)):
                    text, kind = difference(want, got)
                    kinds[engine, kind] += 1
                    if text:
                        wrong += 1
                        print(f"{engine}: in {entry['directory']}: {shlex.join(arguments_of(entry))}\n{text}", end="", flush=True)
            print(f"{min(start + BATCH, len(entries))} of {len(entries)} units", file=sys.stderr, flush=True)
    for (engine, kind), n in sorted(kinds.items(), key=lambda k: -k[1]):
        print(f"{engine}: {n} {kind}")
    same = min((kinds[e, "same files"] for e in engines), default=0)
    return 1 if program and (wrong or same < options.at_least) else 0


if __name__ == "__main__":
    sys.exit(main())
