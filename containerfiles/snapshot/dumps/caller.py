"""A run that ends with whoever started it, also where that is killed: its standard input is open as long as they are there."""

import os
import signal
import sys
import threading


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
    os.killpg(0, signal.SIGTERM)
    sys.exit("whoever started this is gone")
