"""Watch where compilers run: watch_sandbox.py CHECKOUT TESTDIR, until SIGTERM.

Every process that compiles (`-c`, executable clang or cc1) and belongs to this test is looked at through /proc: in its own
root file system CHECKOUT must not exist, and its network namespace must not be ours. Prints `seen N` and a line
`loose COMMAND` for each process that breaks the rule.
"""
import os
import signal
import sys
import time

checkout, testdir = sys.argv[1], sys.argv[2]
running = True
seen, loose = set(), {}
own_net = os.readlink("/proc/self/ns/net")


def stop(*_):
    global running
    running = False


signal.signal(signal.SIGTERM, stop)


def parent(pid):
    with open(f"/proc/{pid}/stat", "rb") as f:
        return int(f.read().rpartition(b")")[2].split()[1])


def belongs(pid):
    """Is the daemon of this test (its settings name the directory), or a shell of it, among the ancestors?"""
    for _ in range(12):
        if pid <= 1:
            return False
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as f:
                if testdir.encode() in f.read():
                    return True
        pid = parent(pid)
    return False


while running:
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        pid = int(name)
        try:
            exe = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
            if not (exe.startswith("clang") or exe.startswith("cc1")):
                continue
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                argv = f.read().split(b"\0")
            if b"-c" not in argv and b"-cc1" not in argv and not exe.startswith("cc1"):
                continue
            if b"-E" in argv and exe.startswith("cc1"):
                continue  # the daemon asks the compiler what it predefines: no file of the project is read
            start = open(f"/proc/{pid}/stat", "rb").read().rpartition(b")")[2].split()[19]
            if (pid, start) in seen or not belongs(pid):
                continue
            net = os.readlink(f"/proc/{pid}/ns/net")
            visible = os.path.lexists(f"/proc/{pid}/root{checkout}")
            os.readlink(f"/proc/{pid}/ns/net")  # still there: what we saw was seen of a living process
            seen.add((pid, start))
            if visible or net == own_net:
                loose[pid] = b" ".join(argv)[:200].decode(errors="replace")
        except (OSError, ValueError, IndexError):
            continue
    time.sleep(0.01)

print("seen", len(seen))
for text in loose.values():
    print("loose", text)
