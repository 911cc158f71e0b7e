"""Run a command with its stderr (only) on a terminal: pty_run.py OUTPUT COMMAND...; the exit code is the command's.

The terminal is 200 columns wide, so that compilers do not fold or cut what they print.
"""
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

controller, terminal = pty.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
attributes = termios.tcgetattr(terminal)
attributes[1] &= ~termios.OPOST  # no \n -> \r\n
termios.tcsetattr(terminal, termios.TCSANOW, attributes)
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stderr=terminal)
os.close(terminal)
with open(sys.argv[1], "wb") as out:
    while True:
        try:
            data = os.read(controller, 65536)
        except OSError:  # EIO: the last writer closed the terminal
            break
        if not data:
            break
        out.write(data)
sys.exit(child.wait())
