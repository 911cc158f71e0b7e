"""The headers corpus: one translation unit for each header of Debian's libstdc++, glibc, kernel, Boost, LLVM, Qt and compiler
packages, and a compile database that goes through compilers, standards and flags.

    corpus_headers.py [--matrix | --sample N] DIRECTORY

Every header is one unit in each of its languages (C headers are read as C and as C++). The compiler, the standard and the
further flag that it meets are chosen by a digest of its name: each value meets many headers, and the choice is the same
everywhere. With --matrix every header meets every compiler. --sample takes N entries of that matrix, as many of each group
of headers and compiler, by the same digest.
"""
import argparse
import hashlib
import json
import os
import subprocess
import sys

CXX = ["98", "03", "11", "14", "17", "20"]
C = ["99", "11", "17"]
# Name, C driver, C++ driver, the newer standards as this version spells them.
COMPILERS = [
    ("clang-22", "clang-22", "clang++-22", ["c23", "c2y"], ["c++23", "c++26", "gnu++26"]),
    ("clang-19", "clang-19", "clang++-19", ["c23", "gnu23"], ["c++23", "c++26"]),
    ("clang-16", "clang-16", "clang++-16", ["c2x"], ["c++2b", "gnu++2b"]),
    ("clang-14", "clang-14", "clang++-14", ["c2x"], ["c++2b"]),
    ("gcc-12", "gcc-12", "g++-12", ["c2x", "gnu2x"], ["c++23", "gnu++23"]),
]
FLAGS = [
    [], ["-m32"], ["-ffreestanding"], ["-fopenmp"], ["-pthread"], ["-fsanitize=address"], ["-fsanitize=undefined"],
    ["-fsanitize=thread"], ["-march=native"], ["-march=x86-64-v3"], ["-O2"], ["-fno-exceptions"], ["-fPIC"],
    ["-O2", "-D_FORTIFY_SOURCE=2"], ["-fno-rtti", "-D_GLIBCXX_ASSERTIONS"], ["-D_GNU_SOURCE", "-fshort-wchar"],
]  # fmt: skip
MULTIARCH = "/usr/include/x86_64-linux-gnu"
QT = [f"{MULTIARCH}/qt6"] + [f"{MULTIARCH}/qt6/{m}" for m in ("QtCore", "QtGui", "QtWidgets", "QtNetwork")]
# Group; the packages whose headers it has; directories that names are relative to, the first that fits; languages; options.
GROUPS = [
    ("libstdcxx", ["libstdc++-12-dev"], ["/usr/include/c++/12", f"{MULTIARCH}/c++/12"], "x", []),
    ("glibc", ["libc6-dev"], [MULTIARCH, "/usr/include"], "cx", []),
    ("kernel", ["linux-libc-dev"], [MULTIARCH, "/usr/include"], "c", []),
    ("compiler", ["libclang-common-22-dev"], ["/usr/lib/llvm-22/lib/clang/22/include"], "cx", []),
    ("boost", ["libboost1.74-dev"], ["/usr/include"], "x", []),
    ("llvm", ["llvm-22-dev", "libclang-22-dev"], ["/usr/include/llvm-22", "/usr/include/llvm-c-22", "/usr/lib/llvm-22/include"], "x",
     ["-I/usr/lib/llvm-22/include", "-D__STDC_CONSTANT_MACROS"]),
    ("qt6", ["qt6-base-dev"], [f"{MULTIARCH}/qt6"], "x", [w for d in QT for w in ("-isystem", d)]),
]  # fmt: skip
SUFFIXES = ("", ".h", ".hh", ".hpp", ".hxx", ".tcc", ".ipp", ".def", ".inc")


def digest(*words):
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], "big")


def headers(packages, roots):
    """Names as an #include would have them, of the header files of the installed ones of `packages`."""
    out = set()
    for package in packages:
        r = subprocess.run(["dpkg", "-L", package], check=True, capture_output=True, text=True)
        for path in r.stdout.splitlines():
            root = next((d for d in roots if path.startswith(d + "/")), None)
            if root and os.path.splitext(path)[1] in SUFFIXES and os.path.isfile(path):
                out.add(os.path.relpath(path, root))
    return sorted(out)


def modes(compiler, lang, newer, sampled):
    """The (standard, flags) of one compiler and language. In a sample each compiler has only every other flag, each with one
    standard: a scanner asks the compiler about every combination, which would be most of the work."""
    standards = [f"c++{s}" for s in CXX] + [f"gnu++{s}" for s in CXX[2:]] if lang == "x" else [f"c{s}" for s in C] + ["gnu11", "gnu17"]
    standards += newer
    if not sampled:
        return [(s, f) for s in standards for f in FLAGS]
    return [(standards[(3 * compiler + i) % len(standards)], f) for i, f in enumerate(FLAGS[compiler % 2 :: 2])]


def mode(group, name, compiler, lang, choice):
    number = digest("mode", group, name, str(compiler), lang)
    if group == "qt6" and number % 8 != 0:  # an older standard meets only Qt's #error
        choice = [(s, f) for s, f in choice if s[-2:] not in ("98", "03", "11", "14")]
    std, flags = choice[number // 8 % len(choice)]
    return std, [f for f in flags if lang == "x" or f not in ("-fno-rtti", "-fno-exceptions")]


def entries(directory, groups, sampled, matrix):
    choices = {(k, lang): modes(k, lang, c[4] if lang == "x" else c[3], sampled) for k, c in enumerate(COMPILERS) for lang in "cx"}
    for group, names, languages, options in groups:
        for name, lang in ((n, lang) for n in names for lang in languages):
            source = f"{directory}/src/{group}/{name.replace('/', '__').replace('.', '_')}.{'cpp' if lang == 'x' else 'c'}"
            only = digest("compiler", group, name, lang) % len(COMPILERS)
            for k, (compiler, c, cxx, _, _) in enumerate(COMPILERS):
                if not matrix and k != only:
                    continue
                std, flags = mode(group, name, k, lang, choices[k, lang])
                output = f"{group}/{digest(name, compiler, lang):016x}.o"
                words = [f"/usr/bin/{cxx if lang == 'x' else c}", f"-std={std}", *flags, *options, "-o", output, "-c", source]
                yield group, compiler, name, source, {"directory": directory, "file": source, "output": output, "arguments": words}


def sample(all_entries, n):
    cells = {}
    for e in sorted(all_entries, key=lambda e: digest("sample", e[4]["output"])):
        cells.setdefault((e[0], e[1]), []).append(e)
    chosen = []
    while len(chosen) < n and any(cells.values()):
        for cell in cells.values():
            if cell and len(chosen) < n:
                chosen.append(cell.pop(0))
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--sample", type=int)
    size.add_argument("--matrix", action="store_true")
    parser.add_argument("directory")
    options = parser.parse_args()
    directory = os.path.realpath(options.directory)
    needed = [p for g in GROUPS for p in g[1]] + [d for c in COMPILERS for d in (c[1], c[2].replace("clang++", "clang"))]
    missing = [p for p in dict.fromkeys(needed) if subprocess.run(["dpkg", "-s", p], capture_output=True).returncode != 0]
    if missing:
        sys.exit("corpus-headers: packages are missing, and the corpus would lack their part. Run scripts/setup.sh, or\n"
                 f"  sudo apt-get install -y --no-install-recommends {' '.join(missing)}")  # fmt: skip
    groups = [(g, headers(packages, roots), languages, more) for g, packages, roots, languages, more in GROUPS]
    chosen = list(entries(directory, groups, bool(options.sample), options.matrix or bool(options.sample)))
    if options.sample:
        chosen = sample(chosen, options.sample)
    # Units with the same flags one after the other: a scanner that asks the compiler about them can ask once.
    chosen.sort(key=lambda e: (e[4]["arguments"][: e[4]["arguments"].index("-o")], e[3]))
    for group in {e[0] for e in chosen}:
        os.makedirs(f"{directory}/src/{group}", exist_ok=True)
        os.makedirs(f"{directory}/{group}", exist_ok=True)
    for source, name in {(e[3], e[2]) for e in chosen}:
        with open(source, "w") as f:
            f.write(f"#include <{name}>\n")
    with open(f"{directory}/compile_commands.json", "w") as f:
        json.dump([e[4] for e in chosen], f, indent=0)
    for group, names, _, _ in groups:
        print(f"  {group}: {len(names)} headers, {sum(e[0] == group for e in chosen)} units")
    print(f"{len(chosen)} units in {directory}/compile_commands.json")


if __name__ == "__main__":
    main()
