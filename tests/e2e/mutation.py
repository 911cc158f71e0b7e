"""A project of many units and many more files, and its compile commands.

mutation.py DIRECTORY UNITS OTHERS: DIRECTORY/compile_commands.json, UNITS sources that read some dozens of the headers
each, by "" and <>, computed, in #if and __has_include, by #embed-free means that both compilers know; and OTHERS files
that no unit reads: headers that nobody includes beside those that are, sources, texts.
"""
import json
import os
import random
import sys

root, units, others = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(7)
HEADERS = 300


def write(name, text):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


for i in range(HEADERS):
    text = f"// header {i}: what it says here is read by the compiler too\n"
    text += "#pragma once\n" if i % 3 else f"#ifndef H{i}\n#define H{i}\n"
    for k in sorted(random.sample(range(i), min(i, 3))):
        style = (i + k) % 4
        if style == 0:
            text += f'#include "h{k}.h"\n'
        elif style == 1:
            text += f"#include <part{k % 5}/h{k}.h>\n"
        elif style == 2:
            text += f"#define NEXT{i}_{k} <part{k % 5}/h{k}.h>\n#include NEXT{i}_{k}\n"
        else:
            text += f"#if __has_include(<part{k % 5}/h{k}.h>)\n#include <part{k % 5}/h{k}.h>\n#endif\n"
    text += f"struct S{i} {{ int value = {i}; /* a body */ }};\n"
    text += "" if i % 3 else "#endif\n"
    write(f"include/part{i % 5}/h{i}.h", text)
# "hK.h" is looked for beside the file first: some lie there, the rest is found by the search list.
entries = []
for u in range(units):
    picks = sorted(random.sample(range(HEADERS), 6))
    text = f"// unit {u}\n#include <vector>\n"
    text += "".join(f"#include <part{k % 5}/h{k}.h>\n" for k in picks)
    text += f"int unit{u}() {{ return S{picks[0]}().value; }}\n"
    write(f"src/u{u}.cc", text)
    compiler = "g++-12" if u % 4 == 3 else "clang++-22"
    entries.append(
        {
            "directory": os.path.join(root, "build"),
            "file": f"../src/u{u}.cc",
            "arguments": [compiler, "-std=c++17", "-O1", "-I../include"]
            + [f"-I../include/part{p}" for p in range(5)]
            + (["-include", f"../include/part0/h{5 * (u % 7)}.h"] if u % 9 == 0 else [])
            + ["-c", f"../src/u{u}.cc", "-o", f"u{u}.o"],
        }
    )
for i in range(others):
    kind = i % 4
    if kind == 0:
        write(f"include/part{i % 5}/unused{i}.h", f"#define UNUSED {i}\n")
    elif kind == 1:
        write(f"src/other{i}.cc", f"int other{i};\n")
    elif kind == 2:
        write(f"build/h{i}.h.txt", f"{i}\n")
    else:
        write(f"include/other/h{i % HEADERS}.h", f"// of the same name as one that is read {i}\n")
os.makedirs(os.path.join(root, "build"), exist_ok=True)
write("build/CMakeCache.txt", f"CMAKE_HOME_DIRECTORY:INTERNAL={root}\n")
write("build/compile_commands.json", json.dumps(entries))
