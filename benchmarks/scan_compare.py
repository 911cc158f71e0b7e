"""Time scanners on the same compile commands: scan_compare.py [--all] WAYBILLD SCAN_REASK SCRATCH DATABASE...

Prints the table, what of the goals is met, and whether clang-scan-deps and Waybill found the same files. CPU is user and
system time of the process and of what it started; a unit's share is that divided by their number.
"""
import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "interop"))
import scan_oracle  # noqa: E402

TOUCHED = ("toolchains", "scan-facts")  # what compilers have answered; anything else in the cache would spare work
M_SAMPLE = 40  # units that are given to clang -M, evenly spread: it takes minutes for a corpus


def usage_program(scratch):
    """The program that starts what is measured, made when first needed."""
    path = f"{scratch}/usage"
    if not os.path.exists(path):
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "usage.c")
        subprocess.run(["gcc", "-O2", "-o", path, source], check=True)
    return path


class Run:
    """One process to its end: exit code, output, seconds of CPU and of the clock, MiB at most."""

    def __init__(self, argv, scratch, cwd="/", fine=(0,), more=()):
        env = {**scan_oracle.environment(), "WAYBILL_CACHE_DIR": f"{scratch}/cache", **dict(more)}
        used = f"{scratch}/usage.json"
        if os.path.exists(used):
            os.remove(used)
        with open(f"{scratch}/stdout", "w+") as out, open(f"{scratch}/stderr", "w+") as err:
            # By a small process: a child of this one would inherit its peak memory.
            words = [usage_program(scratch), used, *argv]
            code = subprocess.run(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err).returncode
            out.seek(0)
            err.seek(0)
            self.out, self.err = out.read(), err.read()
        if code not in fine or not os.path.exists(used):
            sys.exit(f"failed ({code}): {shlex.join(argv)}\n{self.err[:2000]}")
        with open(used) as f:
            figures = json.load(f)
        self.cpu, self.wall, self.rss = figures["cpu"], figures["wall"], figures["kib"] / 1024


def rules(text):
    """Object -> the files of its rule; of assembler, whose objects clang-scan-deps names after a temporary file, its source."""
    out = {}
    for rule in re.split(r"\n(?! )", text):
        target, colon, rest = rule.partition(":")
        if colon:
            source = rest.replace("\\\n", " ").split()[0]
            out[source if source.endswith(".S") else target] = scan_oracle.rule_files(rule, "/")
    return out


def engine(reask, scratch, database):
    """Milliseconds a unit inside one process: first scan, files parsed, asked again; and how many files a unit has."""
    more = {"WAYBILL_TOOLCHAINS": f"{scratch}/cache/toolchains", "WAYBILL_TEST_SHIM": f"{scratch}/shim.so"}
    text = Run([reask, "-n", "3", database], scratch, more=more).out
    kept = [Run([reask, "-k", f"{scratch}/programs", database], scratch, more=more).out for _ in range(2)][1]
    figure = lambda pattern, text=text: float(re.search(pattern, text)[1])  # noqa: E731
    return {
        "first": figure(r"first scan, nothing kept: +([\d.]+) us") / 1e3,
        "kept": figure(r"first scan, nothing kept: +([\d.]+) us", kept) / 1e3,
        "parsed": figure(r"scan again, nothing kept: +([\d.]+) us") / 1e3,
        "asked": min(float(x) for x in re.findall(r"asked again: +([\d.]+) us with a look", text)) / 1e3,
        "files": figure(r"on average (\d+) files"),
    }


def forget_files(scratch):
    """What a scan may have kept of sources goes; the answers of compilers stay."""
    for name in os.listdir(f"{scratch}/cache"):
        if name not in TOUCHED:
            path = f"{scratch}/cache/{name}"
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def compiler_m(entries, scratch):
    chosen = entries[:: max(1, len(entries) // M_SAMPLE)]
    cpu = wall = 0
    for e in chosen:
        words = scan_oracle.arguments_of(e)
        r = Run([words[0], "-M", *scan_oracle.preprocessing_only(words[1:])], scratch, cwd=e["directory"])
        cpu, wall = cpu + r.cpu, wall + r.wall
    return cpu / len(chosen), wall / len(chosen), len(chosen)


def main():
    arguments = sys.argv[1:]
    everything = arguments[0] == "--all"
    waybilld, reask, scratch, *databases = arguments[everything:]
    shutil.copy(f"{os.path.dirname(waybilld)}/../lib/libwaybill-clang-22.so", f"{scratch}/shim.so")
    os.makedirs(f"{scratch}/cache/toolchains", exist_ok=True)
    entries = []
    for path in databases:
        with open(path) as f:
            entries += json.load(f)
    database = f"{scratch}/all/compile_commands.json"
    os.makedirs(os.path.dirname(database))
    with open(database, "w") as f:
        json.dump(entries, f)
    n = len(entries)
    scan = functools.partial(Run, [waybilld, "scan", "-j", "1", "-p", database], scratch, fine=(0, 1))
    deps = lambda mode: Run(["clang-scan-deps-22", f"-compilation-database={database}", "-j", "1", f"-mode={mode}"], scratch)  # noqa: E731

    asking = scan()
    cpu, wall, sampled = compiler_m(entries, scratch)
    rows = [(f"clang -M, one process each ({sampled} of them)", cpu * 1e3, wall * 1e3, None)]
    if everything:
        r = deps("preprocess")
        rows.append(("clang-scan-deps, preprocess", r.cpu / n * 1e3, r.wall / n * 1e3, r.rss))
    theirs = deps("preprocess-dependency-directives")
    rows.append(("clang-scan-deps, directives", theirs.cpu / n * 1e3, theirs.wall / n * 1e3, theirs.rss))
    forget_files(scratch)
    ours = scan()
    rows.append(("waybilld scan, cold", ours.cpu / n * 1e3, ours.wall / n * 1e3, ours.rss))
    rows.append(("the same, and compilers asked", asking.cpu / n * 1e3, asking.wall / n * 1e3, asking.rss))
    inside = engine(reask, scratch, database)
    rows.append(("  in one process: from nothing", inside["first"], None, None))
    rows.append(("  in one process: programs kept on disk", inside["kept"], None, None))
    rows.append(("  in one process: files parsed", inside["parsed"], None, None))
    rows.append(("  in one process: asked again, unchanged", inside["asked"], None, None))
    shared = f"{scratch}/pch"
    os.mkdir(shared)
    subprocess.run([sys.executable, f"{os.path.dirname(os.path.abspath(__file__))}/corpus_pch.py", database, shared], check=True, capture_output=True)
    with open(f"{shared}/compile_commands.json") as f:
        users = [e for e in json.load(f) if "-include-pch" in scan_oracle.arguments_of(e)]
    with open(f"{shared}/compile_commands.json", "w") as f:
        json.dump(users, f)
    pch = engine(reask, scratch, f"{shared}/compile_commands.json") if users else None
    if pch:
        rows.append(("  with a PCH for each target: first time", pch["first"], None, None))
        rows.append(("  with a PCH for each target: files parsed", pch["parsed"], None, None))

    print(f"{n} translation units, {inside['files']:.0f} files each on average; one thread; milliseconds for each unit")
    print(f"{'':44}{'CPU':>9}{'wall':>9}{'peak MiB':>10}{'clang-scan-deps / this':>24}")
    base = next(r[1] for r in rows if r[0].endswith("directives"))
    for name, cpu, wall, rss in rows:
        print(f"{name:44}{cpu:9.3f}{'' if wall is None else f'{wall:.3f}':>9}{'' if rss is None else f'{rss:.0f}':>10}{base / cpu:24.1f}")
    goals = [("cold, times less CPU than clang-scan-deps", base * n / 1e3 / ours.cpu, 25, True), ("files parsed, ms", inside["parsed"], 0.2, False),
             ("asked again, ms (for 400 files)", inside["asked"], 0.25, False), ("peak MiB", ours.rss, 300, False)]  # fmt: skip
    if pch:
        goals.insert(3, ("units that share a PCH, ms", pch["parsed"], 0.15, False))
    for name, value, goal, more in goals if n > 1000 else []:  # of a small project, start and first looks are most
        met = value >= goal if more else value <= goal
        print(f"  goal: {name}: {value:.3g}, wanted {'at least' if more else 'at most'} {goal}: {'met' if met else 'NOT MET'}")

    want, got = rules(theirs.out), rules(ours.out)
    same = sum(want.get(k) == got[k] for k in got)
    different = [k for k in got if k in want and want[k] != got[k]]
    print(f"files found by clang-scan-deps and by Waybill: the same for {same} of {len(want)} objects, different for {len(different)}")
    for k in different[:5]:
        print(f"  {k}: only clang-scan-deps {sorted(want[k] - got[k])[:3]}, only Waybill {sorted(got[k] - want[k])[:3]}")
    for line in ours.err.splitlines()[:5]:
        print(f"  {line}")
    return 1 if different or not same else 0


if __name__ == "__main__":
    sys.exit(main())
