"""Who is at work on a run: at most one process, on whichever host."""

import fcntl
import os
import socket
import threading
import time

BEAT = 5  # seconds between two signs of life
TRIES, SOON = 50, 0.05  # to have a lock that is nobody's, while others try
DEAD = 30  # without one for so long, whoever had it is gone


class Held(Exception):
    """Somebody else has it; says who."""


class Lock:
    """A lock file, in one of two ways.

    On one machine, the kernel lets go of a lock whose holder was killed, so a file that was left behind is no lock. Where
    the tree is mounted over the network, hosts do not see each other's locks: there, who makes the file has it, and gives
    a sign of life now and then, by the file's time."""

    def __init__(self, path):
        self.path = path
        self.me = f"{socket.gethostname()} process {os.getpid()}"
        if is_remote(path):
            self.take_remote()
        else:
            self.take()
        self.over = threading.Event()
        threading.Thread(target=self.beat, daemon=True).start()

    def take(self):
        self.file = open(self.path, "a+", encoding="utf-8")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Held(read(self.path)[0]) from None
        self.file.truncate(0)
        self.file.write(self.me + "\n")
        self.file.flush()

    def take_remote(self):
        refused = None
        for _ in range(TRIES):
            try:
                with open(self.path, "x", encoding="utf-8") as file:
                    file.write(self.me + "\n")
                return
            except FileExistsError:
                pass
            except PermissionError as error:  # so sshfs says it where another host has made the file right now
                refused = error
            try:
                self.clear_stale()
            except FileNotFoundError:
                pass  # whoever had it has let go of it, or somebody else has cleared it away
            time.sleep(SOON)
        raise refused or Held("another host")

    def clear_stale(self):
        """Removes what a process that is gone has left behind. One at a time does so, or else the second who has found it
        stale would remove what the first has made in its place."""
        holder, age = read(self.path)
        if is_alive(holder, age):
            raise Held(holder or "another host")
        guard = f"{self.path}.clearing"
        try:
            open(guard, "x").close()
        except (FileExistsError, PermissionError):
            if read(guard)[1] > DEAD:  # whoever made it was killed in that very moment
                os.remove(guard)
            return
        try:
            if not is_alive(*read(self.path)):
                os.remove(self.path)
        finally:
            os.remove(guard)

    def beat(self):
        while not self.over.wait(BEAT):
            try:
                os.utime(self.path)
            except OSError:
                pass  # the host that has the file is away; the run will hear of it

    def release(self):
        self.over.set()
        try:
            if read(self.path)[0] == self.me:
                os.remove(self.path)
        except OSError:
            pass  # what is left behind is in nobody's way


def read(path):
    """Who has made a lock file, and how long ago he gave the last sign of life."""
    with open(path, encoding="utf-8") as file:
        return file.read().strip(), time.time() - os.fstat(file.fileno()).st_mtime


def is_alive(holder, age):
    """Whether a process is at work still; of those on this host, it is the kernel that knows."""
    host, _, process = holder.partition(" process ")
    if host != socket.gethostname():
        return age < DEAD
    try:
        with open(f"/proc/{process}/cmdline", encoding="utf-8", errors="replace") as file:
            return int(process) != os.getpid() and "dump-wiki" in file.read()
    except (OSError, ValueError):
        return False


def is_remote(path):
    """Whether others than this machine's kernel may have the file open."""
    path = os.path.realpath(path)
    with open("/proc/mounts", encoding="utf-8") as mounts:
        points = {fields[1]: fields[2] for fields in map(str.split, mounts)}
    while path not in points and path != "/":
        path = os.path.dirname(path)
    return points.get(path, "").startswith("fuse.")
