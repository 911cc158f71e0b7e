"""Run what `waybill fix` says in a plain directory.

run_rewritten.py WAYBILL ROOT PLAIN BUILD < commands

The standard input holds a build's commands, as `ninja -t commands` prints them (so precompiled headers come before their
users). Each that starts with WAYBILL is rewritten, and run in the copy PLAIN of the tree ROOT with the environment that
the rewriting names and nothing else; files that exist only in the input root (the overlay) are written there first.
"""
import json
import os
import shlex
import subprocess
import sys

waybill, root, plain, build = sys.argv[1:]
root, plain = os.path.realpath(root), os.path.realpath(plain)


def fix(argv, cwd):
    r = subprocess.run([waybill, "fix", "--format=json", "--", *argv], cwd=cwd, capture_output=True, text=True)
    if r.returncode != 0:
        sys.exit(f"waybill fix: {r.stderr}\ncommand: {shlex.join(argv)}")
    return json.loads(r.stdout)


def moved(path, cwd):
    """The place in PLAIN of a path in ROOT."""
    path = os.path.normpath(os.path.join(cwd, path))
    if path != root and not path.startswith(root + "/"):
        sys.exit(f"{path} is not below {root}")
    return plain + path[len(root):]


done = 0
for line in sys.stdin:
    words = shlex.split(line)
    if waybill not in words:
        continue
    argv = words[words.index(waybill) + 1:]
    if "&&" in argv:
        argv = argv[: argv.index("&&")]
    plan = fix(argv, build)
    for word in plan["argv"]:
        if root in word:
            sys.exit(f"the rewritten command names the checkout: {word}")
    cwd = moved(plan["cwd"], "/")
    os.makedirs(cwd, exist_ok=True)
    for o in plan["overlay"]:
        path = moved(o["path"], plan["cwd"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write(o["file_text"])
    env = dict(v.split("=", 1) for v in plan["env"])
    r = subprocess.run(plan["argv"], cwd=cwd, env=env, capture_output=True, text=True)
    if r.returncode != 0:
        sys.exit(f"the rewritten command fails in a plain directory: {r.stderr}\n{shlex.join(plan['argv'])}")
    done += 1
if done == 0:
    sys.exit("no command went through Waybill")
print(f"{done} commands run")
