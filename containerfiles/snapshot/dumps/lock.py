"""Who is at work on a run: at most one process, on whichever host."""

import fcntl
import os
import socket
import threading
import time

BEAT = 5  # seconds between two signs of life
DEAD = 30  # without one for so long, whoever had it is gone


class Held(Exception):
    """Somebody else has it; says who."""


class Lock:
    """A lock file. The kernel lets go of a lock whose holder was killed, so a file that was left behind is no lock.

    It does so for one machine. Where the tree is mounted over the network, hosts do not see each other's locks: there, the
    holder gives a sign of life now and then, by the file's time."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "a+", encoding="utf-8")
        holder, age = self.read()
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Held(holder) from None
        if is_remote(path) and holder and holder.split()[0] != socket.gethostname() and age < DEAD:
            raise Held(holder)
        self.file.truncate(0)
        self.file.write(f"{socket.gethostname()} process {os.getpid()}\n")
        self.file.flush()
        self.over = threading.Event()
        threading.Thread(target=self.beat, daemon=True).start()

    def read(self):
        self.file.seek(0)
        return self.file.read().strip(), time.time() - os.stat(self.path).st_mtime

    def beat(self):
        while not self.over.wait(BEAT):
            try:
                os.utime(self.path)
            except OSError:
                pass  # the host that has the file is away; the run will hear of it

    def release(self):
        self.over.set()
        try:
            os.remove(self.path)
        except OSError:
            pass  # what is left behind is in nobody's way


def is_remote(path):
    """Whether others than this machine's kernel may have the file open."""
    path = os.path.realpath(path)
    with open("/proc/mounts", encoding="utf-8") as mounts:
        points = {fields[1]: fields[2] for fields in map(str.split, mounts)}
    while path not in points and path != "/":
        path = os.path.dirname(path)
    return points.get(path, "").startswith("fuse.")
