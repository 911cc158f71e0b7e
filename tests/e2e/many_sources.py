"""A CMake project of many small sources that share one large precompiled header (about 47 MB with clang 22).

many_sources.py DIRECTORY N. Target `objects` compiles them; the program `many` calls every source's function and prints the sum of what they return,
which is 1 + 2 + ... + N when each of them is right.
"""
import os
import sys

root, n = sys.argv[1], int(sys.argv[2])
os.makedirs(root, exist_ok=True)


def ten(name, inner):
    return f"#define {name}(n) " + " ".join(f"{inner}(n##{i})" for i in range(10)) + "\n"


with open(os.path.join(root, "all.h"), "w") as f:
    f.write("#pragma once\n#include <bits/stdc++.h>\n")
    # 20,000 classes out of little text: the PCH is large, reading its headers is not slow.
    f.write("#define ST(n) struct S##n { int a##n; long b; int f##n(int x) const { return x + a##n; } };\n")
    f.write(ten("D1", "ST") + ten("D2", "D1") + ten("D3", "D2") + ten("D4", "D3") + "D4(1) D4(2)\n")
names = ["main.cpp"]
with open(os.path.join(root, "main.cpp"), "w") as f:
    f.writelines(f"int tu{i}(int x);\n" for i in range(n))
    f.write("int main() { long sum = 0;\n")
    f.writelines(f"sum += tu{i}(0);\n" for i in range(n))
    f.write('std::printf("%ld\\n", sum); }\n')
for i in range(n):
    names.append(f"tu{i}.cpp")
    with open(os.path.join(root, names[-1]), "w") as f:
        f.write(f"int tu{i}(int x) {{ return S1{i % 10000:04}{{x, {i}}}.f1{i % 10000:04}({i + 1}); }}\n")
with open(os.path.join(root, "CMakeLists.txt"), "w") as f:
    f.write("cmake_minimum_required(VERSION 3.25)\nproject(many CXX)\nset(CMAKE_CXX_STANDARD 20)\n")
    f.write("add_library(objects OBJECT\n  " + "\n  ".join(names) + ")\n")
    f.write("target_precompile_headers(objects PRIVATE all.h)\n")
    f.write("add_executable(many $<TARGET_OBJECTS:objects>)\n")
