"""python3 bench_meter.py REPORT COMMAND…: runs a command, and writes the seconds of CPU time of all that it started.

All: user and system time of whatever came of the command, also of what put itself into the background (conmon, which runs
what podman executes in a container), for it waits until the last one has ended.
"""

import ctypes
import os
import resource
import sys

PR_SET_CHILD_SUBREAPER = 36


def main(report, *argv):
    # Who loses its parent becomes a child of this process.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    command = os.spawnvp(os.P_NOWAIT, argv[0], argv)
    status = 0
    while True:
        try:
            pid, ended = os.wait()
        except ChildProcessError:
            break
        if pid == command:
            status = os.waitstatus_to_exitcode(ended)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(report, "w", encoding="utf-8") as file:
        file.write(f"{used.ru_utime + used.ru_stime}\n")
    return 1 if status < 0 else status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
