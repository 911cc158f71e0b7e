"""What changes on the disk between two requests, and a daemon that remembers.

invalidation.py DIRECTORY CLIENT DAEMON COMPILER: for each change a tree is made, asked for twice, changed and asked for
again, by the client through its warm daemon: what the scan says must be what a new process says (DAEMON scan), must hold
what the compiler's own -M lists, and the object compiled through the launcher must be the one that the compiler makes.

There are no watches on files in Waybill that could overflow; thousands of files that change at once take that place.
"""
import json
import mmap
import os
import shutil
import subprocess
import sys
import time

root, client, daemon, compiler = sys.argv[1:5]
flags = ["-Ia", "-Ib", "-Iw", "-Iw3"]
source = ["-c", "m.cc"]
os.makedirs(os.path.join(root, "build"))
open(os.path.join(root, "build", "CMakeCache.txt"), "w").write(f"CMAKE_HOME_DIRECTORY:INTERNAL={root}\n")
tree = os.path.join(root, "src")


def write(name, text):
    """A new file, or new text in the one that is there."""
    os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
    with open(os.path.join(tree, name), "w", encoding="utf-8") as f:
        f.write(text)


def anew(name, text):
    write(name + ".new", text)
    os.rename(os.path.join(tree, name + ".new"), os.path.join(tree, name))


def link(target, name):
    path = os.path.join(tree, name)
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(target, path)


def move(old, new):
    os.rename(os.path.join(tree, old), os.path.join(tree, new))


def make_tree():
    shutil.rmtree(tree, ignore_errors=True)
    write(
        "m.cc",
        '#include <x.h>\n#include "y.h"\n#include "d/z.h"\n#include <w.h>\n'
        "#if __has_include(<late.h>)\n#include <late.h>\n#endif\n"
        "int all[] = {X, Y, Z, W};\n",
    )
    write("a/keep", "")
    write("b/x.h", '#include "one.h"\n')
    write("b/one.h", "#define X 1\n")
    write("b/two.h", "#define X 2\n")
    write("other/x.h", '#include "../b/two.h"\n')
    write("other/one.h", "#define X 3\n")
    write("other/two.h", "#define X 4\n")
    write("y1.h", "#define Y 1\n")
    write("y2.h", "#define Y 2\n")
    link("y1.h", "y.h")
    write("d1/z.h", '#include "in.h"\n')
    write("d1/in.h", "#define Z 1\n")
    write("d2/z.h", '#include "in.h"\n')
    write("d2/in.h", "#define Z 2\n")
    link("d1", "d")
    write("w1/w.h", "#define W 1\n")
    write("w2/w.h", "#define W 2\n#include_next <w.h>\n#undef W\n#define W 3\n")
    write("w3/w.h", "#undef W\n#define W 4\n")
    link("w1", "w")


def edit_directive():
    anew("b/x.h", '#include "two.h"\n')


def edit_comment():
    write("b/x.h", '// a comment\n\n#include "one.h"\n')


def edit_source():
    write("m.cc", '\n#include <x.h>\n#include "y.h"\nint less[] = {X, Y};\n')


def shadow():
    write("a/x.h", "#define X 5\n")


def appear():
    write("b/late.h", "#undef X\n#define X 6\n")


def remove():
    os.unlink(os.path.join(tree, "b/one.h"))
    write("other2/one.h", "#define X 7\n")
    link("../other2/one.h", "b/one.h")


def replace_by_rename():
    anew("b/one.h", "#define X 8\n")


def retarget_symlink():
    link("y2.h", "y.h")


def retarget_directory_symlink():
    link("d2", "d")


def retarget_search_directory():
    link("w2", "w")


def keep_mtime():
    path = os.path.join(tree, "b/one.h")
    st = os.stat(path)
    write("b/one.h", "#define X 9\n")
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))
    assert os.stat(path).st_mtime_ns == st.st_mtime_ns and os.stat(path).st_size == st.st_size


def same_size_same_second():
    write("b/one.h", "#define X 8\n")
    ask("in the same second")
    write("b/one.h", "#define X 9\n")


def move_directory():
    move("b", "b.old")
    move("other", "b")


def write_through_another_hard_link():
    os.link(os.path.join(tree, "b/one.h"), os.path.join(root, "elsewhere"))
    ask("with another link")
    with open(os.path.join(root, "elsewhere"), "r+", encoding="utf-8") as f:
        f.write("#define X 9\n")
    ask("written")
    os.unlink(os.path.join(root, "elsewhere"))


def write_through_mmap():
    with open(os.path.join(tree, "b/one.h"), "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        m[10:11] = b"9"
        m.flush()


def clock_backwards():
    write("b/one.h", "#define X 9\n")
    os.utime(os.path.join(tree, "b/one.h"), ns=(10**18, 10**18))
    ask("in the past")
    write("b/two.h", "#define X 3\n")
    write("b/x.h", '#include "two.h"\n')
    os.utime(os.path.join(tree, "b/x.h"), ns=(4 * 10**18, 4 * 10**18))


def thousands_at_once():
    for i in range(4000):
        write(f"many/{i}.h", f"#define M{i} 1\n")
    write("b/x.h", '#include "one.h"\n' + "".join(f'#include "../many/{i}.h"\n' for i in range(4000)))
    write("m.cc", "#include <x.h>\nint all[] = {X, M7, M3999};\n")
    time.sleep(0.05)
    ask("many")
    ask("many, again")
    for i in range(4000):
        anew(f"many/{i}.h", f"#define M{i} {2 if i % 7 == 0 else 1}\n")


def output(command):
    p = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if p.returncode != 0:
        sys.exit(f"{name}: {' '.join(command[:4])}: {p.stderr.decode()}")
    return p.stdout


def files(text):
    """The names behind the colon of a makefile rule, as real paths."""
    names = text.decode().replace("\\\n", " ").partition(": ")[2].split()
    return {os.path.realpath(os.path.join(tree, n)) for n in names}


def ask(what):
    command = [compiler, *flags, *source]
    warm = output([client, "scan", "--format=json", "--", *command])
    new = output([daemon, "scan", "--format=json", "--", *command])
    if json.loads(warm) != json.loads(new):
        sys.exit(f"{name}, {what}: the daemon says\n{warm.decode()}\na new process\n{new.decode()}")
    rule = files(output([client, "scan", "--format=make", "--", *command]))
    compilers = files(output([compiler, *flags, "-M", "m.cc"]))
    if not compilers <= rule:
        sys.exit(f"{name}, {what}: not in the scan: {sorted(compilers - rule)}")
    output([client, *command, "-o", "warm.o"])
    output([*command, "-o", "plain.o"])
    with open(os.path.join(tree, "warm.o"), "rb") as x, open(os.path.join(tree, "plain.o"), "rb") as y:
        if x.read() != y.read():
            sys.exit(f"{name}, {what}: the object is not what the compiler makes")


changes = [
    edit_directive,
    edit_comment,
    edit_source,
    shadow,
    appear,
    remove,
    replace_by_rename,
    retarget_symlink,
    retarget_directory_symlink,
    retarget_search_directory,
    keep_mtime,
    same_size_same_second,
    move_directory,
    write_through_another_hard_link,
    write_through_mmap,
    clock_backwards,
    thousands_at_once,
]
for change in changes:
    name = change.__name__
    make_tree()
    time.sleep(0.05)  # old enough to be trusted
    ask("before")
    ask("before, again")
    change()
    ask("changed")
    time.sleep(0.05)
    ask("later")
    print(f"ok {name}")
