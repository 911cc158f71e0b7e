"""Time three scanners on the same compile commands: scan_compare.py WAYBILL RUNDIR BUILD...; prints the table.

Also compares the sets of files: what Waybill lists below the project must be what the compiler's -M lists there.
"""
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time

waybill, rundir, *builds = sys.argv[1:]
commands = []
for build in builds:
    # Not compile_commands.json: CMake 3.25 does not quote a space in an object's name there.
    lines = subprocess.run(["ninja", "-C", build, "-t", "commands", "all"], check=True, capture_output=True, text=True).stdout
    for line in lines.splitlines():
        words = shlex.split(line)
        if "-c" in words and "-o" in words and words[words.index("-c") + 1].endswith((".cpp", ".cc", ".c")):
            commands.append((build, words, words[words.index("-c") + 1]))
commands.sort(key=lambda c: c[2])


def children():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def daemon_cpu():
    """CPU seconds of the daemon whose open files lie in this test's run directory."""
    total, ticks = 0.0, os.sysconf("SC_CLK_TCK")
    for pid in os.listdir("/proc"):
        try:
            if not pid.isdigit() or not os.readlink(f"/proc/{pid}/exe").split(" ")[0].endswith("/waybilld"):
                continue
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if os.path.dirname(rundir).encode() not in f.read():
                    continue
            with open(f"/proc/{pid}/stat", "rb") as f:
                fields = f.read().rpartition(b")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / ticks
        except OSError:
            continue
    return total


def run(argv, cwd):
    r = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if r.returncode != 0:
        sys.exit(f"failed: {shlex.join(argv)}\n{r.stderr}")
    return r.stdout


def without_output(words):
    """The command minus what -M must not see: -o X, -MD -MT X -MF X."""
    out, skip = [], False
    for w in words:
        if skip:
            skip = False
        elif w in ("-o", "-MT", "-MF"):
            skip = True
        elif w not in ("-MD", "-MMD", "-c"):
            out.append(w)
    return out


def rule_files(text, cwd):
    words = re.sub(r"\\\n", " ", text.split(":", 1)[1])
    return {os.path.realpath(os.path.join(cwd, w.replace("\\ ", " "))) for w in re.findall(r"(?:\\ |\S)+", words)}


def timed(function):
    wall, cpu, daemon = time.perf_counter(), children(), daemon_cpu()
    result = function()
    return result, time.perf_counter() - wall, children() - cpu + daemon_cpu() - daemon


def compiler_m():
    return [rule_files(run(without_output(w) + ["-M"], d), d) for d, w, _ in commands]


def scan_deps(mode):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump([{"directory": d, "arguments": w, "file": s} for d, w, s in commands], f)
        f.flush()
        run(["clang-scan-deps-22", f"-compilation-database={f.name}", "-j", "1", f"-mode={mode}"], "/")


def waybill_scan():
    # With --format=paths there is one file a line, relative to the directory or absolute.
    out = []
    for d, w, _ in commands:
        out.append({os.path.realpath(os.path.join(d, p)) for p in run([waybill, "scan", "--format=paths", "--", *w], d).split("\n") if p})
    return out


run([waybill, "scan", "--format=paths", "--", *commands[0][1]], commands[0][0])  # the daemon and the compiler's answers are there
subprocess.run([waybill, "stop"], check=True, capture_output=True)
rows = []
oracle, wall, cpu = timed(compiler_m)
rows.append(("clang -M, one process each", wall, cpu))
_, wall, cpu = timed(lambda: scan_deps("preprocess"))
rows.append(("clang-scan-deps, preprocess", wall, cpu))
_, wall, cpu = timed(lambda: scan_deps("preprocess-dependency-directives"))
rows.append(("clang-scan-deps, directives", wall, cpu))
start = time.perf_counter()
first, wall, cpu = timed(waybill_scan)
rows.append(("waybill scan, fresh daemon", wall, cpu))
second, wall, cpu = timed(waybill_scan)
rows.append(("waybill scan, warm daemon", wall, cpu))

n = len(commands)
files = sum(map(len, oracle)) / n
print(f"{n} translation units, {files:.0f} files each on average; milliseconds for each unit")
print(f"{'':30}{'wall':>9}{'CPU':>9}{'CPU, ratio to clang -M':>25}{'to directives':>15}")
for name, wall, cpu in rows:
    print(f"{name:30}{wall / n * 1e3:9.1f}{cpu / n * 1e3:9.1f}{cpu / rows[0][2]:25.2f}{cpu / rows[2][2]:15.2f}")
roots = tuple(os.path.realpath(os.path.dirname(b)) + "/" for b in builds)
wrong = 0
for want, got, (_, _, source) in zip(oracle, first, commands):
    want = {f for f in want if f.startswith(roots)}
    got = {f for f in got if f.startswith(roots) and os.path.isfile(f)}
    if want - got:
        wrong += 1
        print(f"missed for {source}: {sorted(want - got)[:5]}")
print(f"project files that -M lists and waybill does not: in {wrong} of {n} units")
sys.exit(wrong != 0)
