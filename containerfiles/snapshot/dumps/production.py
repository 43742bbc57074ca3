"""A run of operations-dumps' worker.py: started, watched, and told of as the built-in run is.

worker.py writes what becomes of its jobs into dumpruninfo.json; why one failed stands in what it says."""

import contextlib
import glob
import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import time

from . import caller, commands
from .run import DUMPS, FARM, Refused, progress

CODE = "/srv/operations-dumps/xmldumps-backup"
CONFIGURATION = f"{FARM}/dumps/wikidump.conf"
HOME = DUMPS  # where worker.py looks for .wikidump.conf
# What worker.py calls a job, and is none: they make folders, links and sums.
CHORES = ["noop", "createdirs", "latestlinks"]
# worker.py touches its lock every ten seconds.
LOCK_IS_STALE = 30
OFTEN = 0.2


def is_wanted():
    return os.path.exists(CONFIGURATION)


class Run:
    def __init__(self, wiki, date, tell):
        self.wiki, self.date, self.tell = wiki, date, tell
        self.folder = f"{DUMPS}/{'private' if wiki.private else 'public'}/{wiki.db}/{date}"
        self.own = f"{DUMPS}/private/{wiki.db}/{date}"
        self.lock = f"{DUMPS}/private/{wiki.db}/lock_{date}"
        self.names, self.before = [], {}
        self.wanted = None  # the jobs that there are to do, when that is known
        self.began = {}  # when each was begun, and how much had been said before
        self.told = {}  # why each failed; None for those that are done
        self.output, self.said = None, b""
        self.heard = 0  # how much of that had been said before it was last looked what has changed
        self.log = NewLines(f"{self.own}/dumplog.txt")  # where what MediaWiki's scripts report goes
        self.progress = progress(tell, wiki)

    def do(self, names):
        """Does what is to be done; tells whether all of it is done."""
        if not os.access(f"{CODE}/worker.py", os.R_OK):
            raise Refused("the user dumpsgen cannot read operations-dumps: `chmod -R o+rX` its folder")
        self.clear_lock()
        self.names = names
        self.clear_files()
        os.makedirs(self.own, exist_ok=True)
        self.before = self.states()
        with subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"HOME": HOME, "PYTHONUNBUFFERED": "1"},
        ) as process:
            self.output = process.stdout
            os.set_blocking(self.output.fileno(), False)
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(OFTEN)
                self.watch()
            caller.end_commands()  # where worker.py was killed, those that it has started go on
            return self.close(process.returncode)

    def command(self):
        command = ["python3", f"{CODE}/worker.py", "--configfile", CONFIGURATION, "--date", self.date, "--log", "--exclusive"]
        if self.names:
            return [*command, "--job", ",".join(self.names), "--prereqs", "--cleanup", self.wiki.db]
        return [*command, "--skipdone", self.wiki.db]

    def clear_files(self):
        """Removes what is to be made again: with some files that are there, worker.py fails."""
        if self.names:
            jobs = read(f"{self.folder}/dumpstatus.json").get("jobs", {})
            for file in (file for name in self.names for file in jobs.get(name, {}).get("files", {})):
                if os.path.exists(f"{self.folder}/{file}"):
                    os.remove(f"{self.folder}/{file}")
        elif (states := self.states()) and all(state["status"] == "done" for state in states.values()):
            shutil.rmtree(self.folder)

    def clear_lock(self):
        """Removes the lock of a run that was killed. Whoever is at work touches his every ten seconds."""
        try:
            touched = os.stat(self.lock).st_mtime
            with open(self.lock, encoding="utf-8") as file:
                host, _, process = file.read().strip().rpartition(" ")
            gone = host == socket.getfqdn() and not is_worker(process)
            while not gone and time.time() < touched + LOCK_IS_STALE:
                time.sleep(OFTEN)
                if os.stat(self.lock).st_mtime != touched:
                    raise Refused(f"{self.wiki.db} {self.date} is being dumped already, by {host} process {process}")
            os.remove(self.lock)
        except FileNotFoundError:  # there is none, or its run has ended
            pass

    def listen(self):
        """Takes what has been said since."""
        if new := self.output.read():
            self.said += new
            with contextlib.suppress(OSError), open(f"{self.own}/output.txt", "ab") as log:  # no space left, perhaps: the run goes on
                log.write(new)

    def states(self):
        return read(f"{self.folder}/dumpruninfo.json").get("jobs", {})

    def watch(self):
        """Tells what has changed."""
        self.listen()
        heard, states = len(self.said), self.states()
        self.listen()  # worker.py says why a job failed before it writes down that it did
        changed = {job: state["status"] for job, state in states.items() if state != self.before.get(job)}
        if self.wanted is None and set(changed.values()) - {"waiting"}:
            self.plan(states)
        # What has ended is told before what has begun.
        for job, status in sorted(changed.items(), key=lambda change: change[1]):
            if job in self.told:
                continue
            if status == "done":
                self.report(job)
            elif status == "failed":
                self.report(job, reason(self.said[self.began.get(job, (0, self.heard))[1] :], job))
            elif status == "in-progress" and job not in self.began:
                self.began[job] = time.monotonic(), self.heard
                self.tell.job(job, "in-progress", None, 0.0)
        self.heard = heard
        if at_work := [job for job in self.began if job not in self.told]:
            for line in self.log:
                self.progress.hear(at_work[-1], line)

    def plan(self, states):
        """What there is to do, once worker.py has said what jobs there are."""
        tables = [job for job in states if job.endswith("table")]
        self.wanted = [job for name in self.names for job in (tables if name == "tables" else [name])]
        if not self.names:
            self.wanted = [job for job in sorted(states) if self.before.get(job, {}).get("status") != "done"]
        self.tell.plan(self.wanted)

    def report(self, job, why=None):
        why = why or self.wrong_answer(job)
        began, _ = self.began.get(job, (time.monotonic(), None))
        self.told[job] = why
        self.tell.job(job, "failed" if why else "done", why, time.monotonic() - began)

    def wrong_answer(self, job):
        """Why a job is not done that worker.py takes for done: its curl keeps whatever a web server says, errors too."""
        for file in glob.glob(f"{self.folder}/{self.wiki.db}-{self.date}-siteinfo*-{job}.json.gz"):
            with gzip.open(file, "rt", encoding="utf-8", errors="replace") as opened:
                text = opened.read()
            try:
                json.loads(text)
            except ValueError:
                title = re.search(r"<title>(.*?)</title>", text, re.DOTALL)
                said = " ".join((title[1] if title else text).split())[:200]
                return f"the API's answer is no JSON: {said or 'it is empty'}; once it answers, --job {job} makes the file anew"
        return None

    def close(self, status):
        """Tells what has not been told yet; returns whether all went well."""
        self.watch()
        states = self.states()
        if self.wanted is None:
            self.plan(states)
        if not self.wanted:
            raise Refused(reason(self.said))
        for job in self.wanted:
            if job in self.told:
                continue
            if job not in states and job not in CHORES:
                self.report(job, f"there is no such job; there are {', '.join(sorted(states))}" if states else reason(self.said))
            elif job in CHORES and status == 0:
                self.report(job)
            else:
                self.report(job, f"it was not done: {reason(self.said)}")
        # With --job, the exit status may be about jobs of runs before.
        if status and not self.names and not any(self.told.values()):
            self.report("worker.py", f"it ended with {status}: {reason(self.said)}")
        return not any(self.told.values())


class NewLines:
    """The lines that are added to a file, those that are whole."""

    def __init__(self, path):
        self.path = path
        self.at = os.path.getsize(path) if os.path.exists(path) else 0

    def __iter__(self):
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as file:
            file.seek(self.at)
            new, end, _ = file.read().rpartition(b"\n")
            self.at += len(new + end)
            yield from new.decode(errors="replace").splitlines()


def read(file):
    """What worker.py has written down, as far as it has."""
    try:
        with open(file, encoding="utf-8") as opened:
            return json.load(opened)
    except (OSError, ValueError):
        return {}


def is_worker(process):
    try:
        with open(f"/proc/{process}/cmdline", encoding="utf-8", errors="replace") as file:
            return "worker.py" in file.read()
    except OSError:
        return False


def reason(said, job=""):
    """Of what worker.py has said, the line that tells most of why a job failed, or why there is no run."""
    text = said.decode(errors="replace")
    for telling in [
        rf"Required job .* not starting job {job}$",
        r"^[\w.]*(?:Error|Exception): .*",
        r"^Error from command\(s\): [^>]*",
        r"\*\*\* exception! (.*)",
    ]:
        found = [match for match in (re.search(telling, line) for line in text.splitlines()) if match]
        if found:
            return found[-1][found[-1].lastindex or 0].strip()[:500]
    return commands.reason(text)
