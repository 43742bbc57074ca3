#!/usr/bin/python3
"""Stands in for operations-dumps' worker.py in tests, which do not have it: takes the same options, reads the same
configuration, keeps the same lock and the same record of its jobs. It has only a few of the jobs, in brief."""

import configparser
import getopt
import json
import os
import socket
import subprocess
import sys
import threading
import time

TOOLS = [
    "php", "mysql", "mysqldump", "head", "tail", "checkforbz2footer", "grep", "gzip", "bzip2", "writeuptopageid", "recompressxml",
    "sevenzip", "cat",
]
REPORT = ["db", "date", "notice", "status", "previous", "items", "checksum", "index"]
FEED = ["chantitle", "chanlink", "chandesc", "title", "link", "description", "date"]
MAIL = ["db", "date", "time", "url"]
OPTIONS = ["configfile=", "date=", "job=", "log", "exclusive", "prereqs", "cleanup", "skipdone"]


class Failed(Exception):
    pass


def main():
    options, [db] = getopt.gnu_getopt(sys.argv[1:], "", OPTIONS)
    options = dict(options)
    worker = Worker(configuration(options["--configfile"]), db, options["--date"])
    jobs = options["--job"].split(",") if "--job" in options else None
    worker.check()
    worker.lock()
    try:
        good = worker.run(jobs, "--skipdone" in options)
    finally:
        os.remove(worker.lock_file)
    sys.exit(0 if good else 1)


def configuration(file):
    conf = configparser.ConfigParser(strict=False)
    conf.read([os.path.join(os.path.dirname(os.path.abspath(__file__)), "defaults.conf"), file, os.path.expanduser("~/.wikidump.conf")])
    return conf


def lines(file):
    with open(file, encoding="utf-8") as opened:
        return [line.strip() for line in opened if line.strip() and not line.startswith("#")]


class Worker:
    def __init__(self, conf, db, date):
        self.conf, self.db, self.date = conf, db, date
        wiki = conf["wiki"]
        self.private = db in lines(wiki["privatelist"])
        self.dir = conf.get(db if conf.has_option(db, "dir") else "wiki", "dir")
        self.own = f"{conf['output']['private']}/{db}"
        self.folder = f"{self.own if self.private else conf['output']['public'] + '/' + db}/{date}"
        self.jobs = {
            "pagetable": self.table, "namespaces": self.namespaces, "xmlstubsdump": self.stubs, "articlesdump": self.articles,
            "articlesmultistreamdump": self.multistream,
        }
        self.states = {}

    def check(self):
        """What the configuration says has to be there."""
        missing = [self.conf["tools"][tool] for tool in TOOLS if not os.path.exists(self.conf["tools"][tool])]
        if missing:
            sys.exit(f"Command(s) not found: {', '.join(missing)}")
        for part, names in {"report.html": REPORT, "feed.xml": FEED, "errormail.txt": MAIL}.items():
            with open(f"{self.conf['output']['templatedir']}/{part}", encoding="utf-8") as file:
                file.read() % {name: f"({name})" for name in names}
        skipped = set(lines(self.conf["wiki"]["skipdblist"]))
        for name in ["closedlist", "flowlist"]:
            lines(self.conf["wiki"][name])
        assert self.db in set(lines(self.conf["wiki"]["dblist"])) - skipped, self.db
        assert os.access(self.conf["database"]["client_config_file"], os.R_OK)
        assert int(self.conf["output"]["fileperms"], 0) == 0o644 and self.conf["reporting"]["adminmail"] == "nomail"
        os.makedirs(f"{self.conf['output']['temp']}/{self.db}", exist_ok=True)

    def lock(self):
        os.makedirs(self.own, exist_ok=True)
        self.lock_file = f"{self.own}/lock_{self.date}"
        with open(self.lock_file, "x", encoding="utf-8") as file:
            file.write(f"{socket.getfqdn()} {os.getpid()}")
        threading.Thread(target=self.touch, daemon=True).start()

    def touch(self):
        while True:
            time.sleep(10)
            os.utime(self.lock_file)

    def run(self, wanted, skip_done):
        os.makedirs(self.folder, exist_ok=True)
        self.server = self.script("getReplicaServer.php", "--group=dump").strip()
        try:
            with open(f"{self.folder}/dumpruninfo.json", encoding="utf-8") as file:
                self.states = json.load(file)["jobs"]
        except FileNotFoundError:
            self.states = {job: {"status": "waiting", "updated": ""} for job in self.jobs}
        good = True
        for job in wanted or self.jobs:
            if job not in self.jobs:
                print("No job of the name specified exists.", file=sys.stderr)
            elif wanted or not skip_done or self.states[job]["status"] != "done":
                good &= self.one(job)
        self.save()
        return good

    def one(self, job):
        self.note(job, "in-progress")
        self.save()
        time.sleep(1)
        try:
            self.jobs[job]()
        except Failed as error:
            print(f"{self.db} *** exception! {error}", file=sys.stderr)
            self.note(job, "failed")  # as the real one does, without saving
            return False
        self.note(job, "done")
        self.save()
        return True

    def note(self, job, status):
        self.states[job] = {"status": status, "updated": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())}

    def save(self):
        with open(f"{self.folder}/dumpruninfo.json.part", "w", encoding="utf-8") as file:
            json.dump({"jobs": self.states}, file)
        os.rename(f"{self.folder}/dumpruninfo.json.part", f"{self.folder}/dumpruninfo.json")

    def file(self, name):
        return f"{self.folder}/{self.db}-{self.date}-{name}"

    def shell(self, command):
        ran = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
        if ran.returncode:
            raise Failed(f"{command}: {ran.stderr.strip()}")
        return ran.stdout

    def script(self, name, *options):
        return self.shell(f"{self.conf['tools']['php']} {self.dir}/maintenance/{name} --wiki={self.db} {' '.join(options)}")

    def table(self):
        client = f"--defaults-extra-file={self.conf['database']['client_config_file']} -h {self.server}"
        tools = self.conf["tools"]
        self.shell(f"{tools['mysqldump']} {client} --opt --skip-lock-tables {self.db} page | {tools['gzip']} -n >{self.file('page.sql.gz')}")

    def namespaces(self):
        wanted = "'--regex=wgCanonicalServer|wgScriptPath'"
        settings = json.loads(self.script("getConfiguration.php", "--format=json", wanted))
        api = f"{settings['wgCanonicalServer']}{settings['wgScriptPath']}/api.php?action=query&meta=siteinfo&format=json"
        self.shell(f"/usr/bin/curl -s --max-time 30 '{api}' | gzip -n >{self.file('siteinfo-namespaces.json.gz')}")

    def stubs(self):
        self.script("dumpBackup.php", "--full --stub --quiet", f"--output=gzip:{self.file('stub-articles.xml.gz')}")

    def articles(self):
        out = f"--output=bzip2:{self.file('pages-articles.xml.bz2')}"
        self.script("dumpTextPass.php", f"--stub=gzip:{self.file('stub-articles.xml.gz')} --quiet", out)
        self.shell(f"{self.conf['tools']['checkforbz2footer']} {self.file('pages-articles.xml.bz2')}")

    def multistream(self):
        out = f"--buildindex {self.file('pages-articles-multistream-index.txt.bz2')} -o {self.file('pages-articles-multistream.xml.bz2')}"
        self.shell(f"bzip2 -dc {self.file('pages-articles.xml.bz2')} | {self.conf['tools']['recompressxml']} --pagesperstream 100 {out}")


main()
