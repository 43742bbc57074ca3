"""One run: its wiki, its folders, what has been done of it, and who may work on it."""

import contextlib
import functools
import hashlib
import json
import os
import re
import socket
import sys
import time
from dataclasses import dataclass

from . import commands
from .lock import Held, Lock
from .progress import Progress

FARM = "/srv/farm"
DUMPS = "/srv/dumps"
CLIENT = "/etc/mysql/dumps.cnf"
PUBLISH = f"{DUMPS}/temp/publish"
TRIES = 5  # to publish, one after the other, all of which fail
SILENCE = 60  # seconds without a sign of life from the host that publishes
VERSION = "0.8"  # of the status files' form


class Refused(Exception):
    """Why there is no run."""


@dataclass
class Wiki:
    name: str
    db: str
    private: bool


def farm():
    with open(f"{FARM}/farm.json", encoding="utf-8") as file:
        return json.load(file)


def provided():
    """The services of the set's members."""
    return {service for member in farm()["members"] for service in member["provides"]}


def wikis():
    """Directory to database."""
    with open(f"{FARM}/db_mapping.php", encoding="utf-8") as file:
        return dict(re.findall(r"^\s*'([^']+)' => '([^']+)',$", file.read(), re.MULTILINE))


def find_wiki(name):
    for wiki, db in wikis().items():
        if name in (wiki, db):
            return Wiki(wiki, db, farm()["wikis"][db]["private"])
    return None


def client(host):
    """The options by which MariaDB's programs get at a database."""
    return [f"--defaults-file={CLIENT}", f"--host={host}"]


def progress(tell, wiki):
    return Progress(tell, client(farm()["databases"]["primary"]), wiki.db)


def withdraw():
    """Takes earlier dumps of wikis that are private now out of the public tree; tells whether there were any."""
    found = False
    for db, wiki in farm()["wikis"].items():
        public = f"{DUMPS}/public/{db}"
        if wiki["private"] and os.path.isdir(public):
            move(public, f"{DUMPS}/private/{db}")
            found = True
    return found


def move(source, target):
    """Moves what is in a folder into another one, which may have some of it. Another host may do the same right now."""
    for folder, _, files in os.walk(source, topdown=False):
        there = target + folder.removeprefix(source)
        os.makedirs(there, exist_ok=True)
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{folder}/{file}", f"{there}/{file}")
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(folder)


def publish(tell, db):
    """Asks the host that stores the dumps to send them to the web server now, and waits for it; tells whether it has.

    That host removes the request when it has, adds a line to it when it could not, and touches it meanwhile. On a full disk,
    where it has no room for a line, it makes the request old."""
    if not {"dumps-data", "dumps-web"} <= provided():
        return True
    began = time.monotonic()
    tell.job("publish", "in-progress", None, 0.0)
    request = f"{PUBLISH}/{socket.gethostname()}-{os.getpid()}-{db}"
    with open(request, "w", encoding="utf-8"):
        pass
    try:
        while (why := unpublished(request)) is None:
            time.sleep(0.1)
        os.remove(request)
    except FileNotFoundError:
        return True
    why = f"the web server has not got the dumps ({why}); dumpsdata goes on trying"
    tell.job("publish", "failed", why, time.monotonic() - began)
    return False


def unpublished(request):
    """Why there is nothing to wait for any more."""
    with open(request, encoding="utf-8", errors="replace") as file:
        failures, silent = file.read().splitlines(), time.time() - os.fstat(file.fileno()).st_mtime
    if len(failures) >= TRIES:
        return failures[-1]
    return "nothing is heard from dumpsdata" if silent > SILENCE else None


class Teller:
    """Tells whoever called how it goes."""

    def __init__(self, as_json):
        self.as_json = as_json

    def plan(self, jobs):
        if self.as_json:
            self.line(json.dumps({"jobs": jobs}))

    def job(self, name, status, why, seconds):
        if self.as_json:
            self.line(json.dumps({"job": name, "status": status, "why": why, "seconds": round(seconds, 2)}))
        elif status != "in-progress":
            self.line(f"{name}: {status}" + (f": {why}" if why else ""))

    def part(self, job, revisions, of):
        """How far a job has got; for programs alone."""
        self.line(json.dumps({"job": job, "revisions": revisions, "of": of}))

    @staticmethod
    def line(text):
        try:
            print(text, flush=True)
        except BrokenPipeError:  # nobody listens any more; the run goes on
            sys.stdout = open(os.devnull, "w", encoding="utf-8")


class Run:
    def __init__(self, wiki, date, tell):
        self.wiki, self.date, self.tell = wiki, date, tell
        tree = "private" if wiki.private else "public"
        self.folder = f"{DUMPS}/{tree}/{wiki.db}/{date}"
        self.latest = f"{DUMPS}/{tree}/{wiki.db}/latest"
        self.own = f"{DUMPS}/private/{wiki.db}/{date}"  # for those who log in
        self.states = {}
        self.progress = progress(tell, wiki)
        self.job = None  # the one that was noted last
        self.made = set()  # jobs that this process has done; the others' files may be of other data

    def __enter__(self):
        for folder in (self.folder, self.latest, self.own):
            os.makedirs(folder, exist_ok=True)
        self.lock()
        for file in os.listdir(self.folder):
            if file.endswith(".inprog"):  # of a run that was killed
                os.remove(f"{self.folder}/{file}")
        try:
            with open(f"{self.folder}/dumpruninfo.json", encoding="utf-8") as file:
                self.states = json.load(file)["jobs"]
        except (OSError, ValueError, KeyError):
            self.states = {}
        return self

    def __exit__(self, *_):
        self.held.release()

    def lock(self):
        try:
            self.held = Lock(f"{DUMPS}/private/{self.wiki.db}/lock_{self.date}")
        except Held as holder:
            raise Refused(f"{self.wiki.db} {self.date} is being dumped already, by {holder}") from None

    def file(self, name):
        return f"{self.folder}/{self.wiki.db}-{self.date}-{name}"

    @functools.cached_property
    def database(self):
        """The host from which what MediaWiki does not read itself is read: as in production, one that it would choose, so none
        that has stopped replicating, or is late, while there is another."""
        if not farm()["databases"]["replicas"]:
            return farm()["databases"]["primary"]
        return commands.output(self, self.maintenance("getReplicaServer.php", "--group=dump"))

    def client(self):
        return client(self.database)

    def maintenance(self, script, *options):
        return ["php", f"{FARM}/htdocs/{self.wiki.name}/mw/maintenance/{script}", f"--wiki={self.wiki.name}", "--dbgroupdefault=dump", *options]

    def siteinfo(self, parts, version):
        query = f"action=query&meta=siteinfo&siprop={parts}&format=json&formatversion={version}"
        if self.wiki.private or "web" not in provided():  # nobody is logged in here, or nobody answers
            return self.php_script("siteinfo.php", f"--query={query}")
        url = f"{farm()['server']}/{self.wiki.name}/mw/api.php?{query.replace('|', '%7C')}"
        return ["curl", "--silent", "--show-error", "--fail", "--max-time", "60", url]

    def php_script(self, script, *options):
        core = f"{FARM}/htdocs/{self.wiki.name}/mw"
        path = f"/usr/local/lib/podfarm/dumps/{script}"
        return ["env", f"MW_INSTALL_PATH={core}", "php", path, f"--wiki={self.wiki.name}", *options]

    def has(self, job):
        there = all(os.path.exists(f"{self.folder}/{name}") for name in self.names(job))
        return there and self.states.get(job, {}).get("status") == "done"

    def forget(self):
        self.states = {}

    def hear(self, said):
        """What the commands of the job that is being done say."""
        self.progress.hear(self.job, said)

    def note(self, job, status, why=None, files=(), seconds=0.0):
        state = {"status": status, "updated": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())}
        if status == "done":
            state["files"] = {os.path.basename(self.file(file)): about(self.file(file)) for file in files}
            self.made.add(job)
        self.states[job] = state
        self.job = job
        self.save()
        if why:
            self.log(f"{job} failed: {why}")
        self.tell.job(job, status, why, seconds)

    def save(self):
        brief = {job: {"status": state["status"], "updated": state["updated"]} for job, state in self.states.items()}
        replace(f"{self.folder}/dumpruninfo.json", json.dumps({"jobs": brief, "version": VERSION}) + "\n")
        lines = [f"name:{job}; status:{state['status']}; updated:{state['updated']}" for job, state in self.states.items()]
        replace(f"{self.folder}/dumpruninfo.txt", "".join(line + "\n" for line in lines))

    def finish(self):
        """Sums of everything that is done, and links to it. A job of which somebody has removed a file is not done any more."""
        self.states = {job: state for job, state in self.states.items() if state["status"] != "done" or self.has(job)}
        self.save()
        files = {}
        for job, state in self.states.items():
            if state["status"] == "done":
                state.setdefault("files", {})
                files |= {name: state["files"].get(name) or about(f"{self.folder}/{name}") for name in self.names(job)}
        sums = {"md5": "md5sums.txt", "sha1": "sha1sums.txt"}
        for kind, name in sums.items():
            replace(self.file(name), "".join(f"{files[file][kind]}  {file}\n" for file in sorted(files)))
        jobs = {}
        for job, state in self.states.items():
            done = {name: files[name] | {"url": f"/{self.wiki.db}/{self.date}/{name}"} for name in self.names(job) if name in files}
            jobs[job] = {"status": state["status"], "updated": state["updated"]} | ({"files": done} if done else {})
        replace(f"{self.folder}/dumpstatus.json", json.dumps({"jobs": jobs, "version": VERSION}) + "\n")
        for name in [*files, *(os.path.basename(self.file(sum)) for sum in sums.values())]:
            link = f"{self.latest}/{name.replace(f'-{self.date}-', '-latest-', 1)}"
            if os.path.lexists(link + ".inprog"):
                os.remove(link + ".inprog")
            os.symlink(f"../{self.date}/{name}", link + ".inprog")
            os.rename(link + ".inprog", link)

    def names(self, job):
        from .jobs import ALL

        return [os.path.basename(self.file(file)) for file in ALL[job].files] if job in ALL else []

    def log(self, text):
        with open(f"{self.own}/dumplog.txt", "a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())}: {text}\n")


def about(path):
    md5, sha1 = hashlib.md5(), hashlib.sha1()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            md5.update(chunk)
            sha1.update(chunk)
    return {"size": os.path.getsize(path), "md5": md5.hexdigest(), "sha1": sha1.hexdigest()}


def replace(path, text):
    """Writes a file so that readers see the old one or the new one."""
    with open(path + ".inprog", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".inprog", path)
