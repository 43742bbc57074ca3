"""Commands and pipes of them, of which every part has to succeed."""

import contextlib
import os
import shlex
import subprocess
import tempfile


class Failed(Exception):
    """A command that did not succeed, with what it said last."""


def run(run, command):
    pipe(run, [command])


def output(run, command):
    """What a command says, without the end of its last line."""
    with tempfile.NamedTemporaryFile() as out:
        pipe(run, [command], out.name)
        return out.read().decode().strip()


def pipe(run, pipeline, out=None):
    """Runs commands, each reading what the one before writes; the last writes the file `out`. However that goes, they have
    ended afterwards."""
    run.log(" | ".join(shlex.join(command) for command in pipeline))
    target = open(out, "wb") if out else subprocess.DEVNULL
    said, errors = os.pipe()
    with contextlib.ExitStack() as ended, open(said, encoding="utf-8", errors="replace") as said:
        processes, source = [], subprocess.DEVNULL
        try:
            for index, command in enumerate(pipeline):
                last = index == len(pipeline) - 1
                process = subprocess.Popen(command, stdin=source, stdout=target if last else subprocess.PIPE, stderr=errors)
                if source is not subprocess.DEVNULL:
                    source.close()
                source = process.stdout
                processes.append(ended.enter_context(process))
        finally:
            os.close(errors)
            if out:
                target.close()
        text = ""
        for line in said:
            text += line
            run.hear(line)
        statuses = [process.wait() for process in processes]
    run.log(text.rstrip("\n"))
    bad = [(command, status) for command, status in zip(pipeline, statuses) if status != 0]
    # Who writes to one that has ended is killed by that; the other one has the reason.
    bad = [(command, status) for command, status in bad if status != -13] or bad
    if bad:
        command, status = bad[0]
        raise Failed(f"{what(command)} ended with {status}: {reason(text)}")


def what(command):
    return next((word.rsplit("/", 1)[-1] for word in command if word.endswith(".php")), command[0])


def reason(text):
    """The line that tells most of what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    telling = [line for line in lines if any(word in line.lower() for word in ("error", "exception", "cannot", "denied", "no space"))]
    return (telling or lines or ["it said nothing"])[0][:500]
