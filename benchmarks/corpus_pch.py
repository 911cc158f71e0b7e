"""A compile database as CMake would write it had every C++ target a precompiled header: corpus_pch.py DATABASE DIRECTORY.

Each target (the part of an object's path up to ".dir") gets a header of its own in DIRECTORY, all with the same includes, and
an entry that would precompile it; every C++ entry of the target takes it with the options that CMake gives clang. Nothing is
compiled: no .pch is there.
"""
import json
import os
import shlex
import sys

LLVM = ["llvm/ADT/ArrayRef.h", "llvm/ADT/DenseMap.h", "llvm/ADT/STLExtras.h", "llvm/ADT/SmallVector.h", "llvm/ADT/StringRef.h",
        "llvm/IR/Function.h", "llvm/IR/Module.h", "llvm/Support/Casting.h", "llvm/Support/raw_ostream.h"]  # fmt: skip
CLANG = [*LLVM, "clang/AST/ASTContext.h", "clang/Basic/Diagnostic.h", "clang/Basic/SourceManager.h"]

database, directory = sys.argv[1], os.path.realpath(sys.argv[2])
with open(database) as f:
    entries = json.load(f)
out, made = [], set()
for e in entries:
    words = e.get("arguments") or shlex.split(e["command"])
    at = words.index("-o")
    target, dot_dir, _ = words[at + 1].partition(".dir/")
    if "clang++" not in os.path.basename(words[0]) or not dot_dir:
        out.append(e)
        continue
    header = f"{directory}/{target}.dir/cmake_pch.hxx"
    flags = words[:at]
    if header not in made:
        made.add(header)
        os.makedirs(os.path.dirname(header), exist_ok=True)
        with open(header, "w") as f:
            f.write("#pragma clang system_header\n#ifdef __cplusplus\n#include <algorithm>\n#include <memory>\n#include <string>\n")
            f.writelines(f'#include "{h}"\n' for h in (CLANG if target.startswith("tools/clang/") else LLVM))
            f.write("#endif\n")
        with open(f"{header}.cxx", "w") as f:
            f.write("/* stands for the header */\n")
        create = [*flags, "-Winvalid-pch", "-Xclang", "-emit-pch", "-Xclang", "-include", "-Xclang", header, "-x", "c++-header"]
        out.append({"directory": e["directory"], "file": f"{header}.cxx", "arguments": [*create, "-o", f"{header}.pch", "-c", f"{header}.cxx"]})
    use = ["-Winvalid-pch", "-Xclang", "-include-pch", "-Xclang", f"{header}.pch", "-Xclang", "-include", "-Xclang", header]
    out.append({"directory": e["directory"], "file": e["file"], "arguments": [*flags, *use, *words[at:]]})
with open(f"{directory}/compile_commands.json", "w") as f:
    json.dump(out, f, indent=0)
print(f"{len(out)} units, {len(made)} precompiled headers: {directory}/compile_commands.json")
