"""A run that ends with whoever started it, also where that is killed: its standard input is open as long as they are there.

That is podfarm, or for a run by hand this same program, in front: the run has a process group of its own, so that all its
commands end with it, and what is in front has the terminal."""

import os
import signal
import subprocess
import sys
import threading


def attend():
    """Has another process do what this one was called for, and tells how that ended."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what Ctrl-C interrupts is this process alone, at once
    return subprocess.call([sys.argv[0], "--attended", *sys.argv[1:]], stdin=subprocess.PIPE)


def end_with():
    """From now on, when standard input ends, or on SIGTERM, this process ends with all commands that it has started."""
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=listen, daemon=True).start()


def listen():
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def end(*_):
    """In the main thread, so that what it holds is let go."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_commands()
    sys.exit("it was told to end, or whoever started it is gone")


def end_commands():
    """Ends all that this process has started, and what that has."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)
