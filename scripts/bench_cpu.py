"""The CPU time of a dump: in a snapshot host, against the same programs on the same data outside containers."""

import itertools
import json
import os
import pathlib
import shlex
import socket
import subprocess
import sys
import time

from bench_farm import Quiet
from bench_harness import SET, Failed, say

WIKI = "wiki"
DATABASE, SNAPSHOT = f"{SET}-dbprimary", f"{SET}-snapshot1"
CODE = "/srv/mediawiki/"
DATA = "/var/lib/mysql"
ENTRYPOINT = "/usr/local/lib/podfarm/entrypoint"
INSIDE, OUTSIDE = "in a snapshot host", "outside containers"
# Into the user namespace that all the user's containers share: the owners of their files are users there.
JOIN = ["podman", "unshare"]
METER = pathlib.Path(__file__).with_name("bench_meter.py")
# Runs a command until standard input ends, which it does when this program does, however that ends.
WHILE_ASKED = '"$@" & echo $!; cat >/dev/null; kill $!; wait'


class Cpu(Quiet):
    """One wiki. It is private, so that no job asks the web server: all that works is the dump and its database."""

    TEXT = f"wikis:\n  {WIKI}: {{pages: 5000, private: true}}\n"
    SETS = [SET]
    PARTS = ["cpu_of_dump"]

    def __init__(self, options):
        super().__init__(options)
        self.server = None

    def make_peers(self):
        pass

    def cpu_of_dump(self):
        say("Copying what the containers have to plain folders")
        members = {member["Name"]: member for member in json.loads(self.run(["podman", "inspect", DATABASE, SNAPSHOT]))}
        number = self.url.split("/")[2].split(".")[2]
        address = f"127.77.{number}.254"  # no member has it: theirs are the first free numbers
        snapshot = self.copy(members[SNAPSHOT])
        (self.work / "hosts").write_text(f"127.0.0.1 localhost\n{address} {DATABASE}\n")
        self.run([*JOIN, "cp", self.work / "hosts", snapshot / "etc" / "hosts"])
        databases = {INSIDE: members[DATABASE]["State"]["Pid"], OUTSIDE: self.start_server(members[DATABASE], address)}
        meter = [sys.executable, METER, self.work / "cpu"]
        dumps = {
            INSIDE: [*meter, *self.podfarm("dump", SET, WIKI)],
            OUTSIDE: [*JOIN, *meter, *self.in_folder(snapshot, members[SNAPSHOT]), "dump-wiki", WIKI],
        }
        dates = itertools.count(20260101)
        order = list(dumps)
        for round_number in range(self.runs + 1):
            date = str(next(dates))
            for where in order:
                before = used_by(databases[where])
                self.run([*dumps[where], "--date", date])
                of_database = used_by(databases[where]) - before
                of_dump = float((self.work / "cpu").read_text(encoding="utf-8"))
                if round_number:  # the first round warms caches
                    self.sampled(f"CPU of a dump {where}", of_dump + of_database)
                    self.sampled(f"CPU of a dump {where}, of this the database's", of_database)
                say(f"round {round_number} of {self.runs}: {where}: {of_dump:.2f} s + {of_database:.2f} s of the database")
            self.compare(snapshot / "srv" / "dumps", date)
            order.reverse()
        keys = [f"CPU of a dump {where}" for where in (OUTSIDE, INSIDE)]
        self.not_slower("CPU time of a dump: in a snapshot host : outside containers", *keys, 1.05)

    def copy(self, member):
        """A container's files as it sees them, in a plain folder: the image's, its own, and those that are mounted."""
        tree, root = self.work / "outside" / member["Name"], f"/proc/{member['State']['Pid']}/root"
        tree.parent.mkdir(exist_ok=True)
        self.run([*JOIN, "cp", "-a", "--one-file-system", f"{root}/.", tree])
        for mounted in ["/run/secrets", *(mount["Destination"] for mount in member["Mounts"])]:
            if mounted != DATA and not mounted.startswith(CODE):
                self.run([*JOIN, "cp", "-a", "--no-target-directory", root + mounted, f"{tree}{mounted}"])
        return tree

    def in_folder(self, tree, member):
        """The words before a command that run it with such a folder as its root, and with the container's environment.
        There is no namespace but one of mounts, for MediaWiki's code (the very folder that the set has), /proc and /dev."""
        code = [(mount["Source"], mount["Destination"]) for mount in member["Mounts"] if mount["Destination"].startswith(CODE)]
        mounts = [(str(tree), ""), ("/proc", "/proc"), ("/dev", "/dev"), *code]
        lines = [shlex.join(["mount", "--rbind", source, f"{tree}{at}"]) for source, at in mounts]
        script = " && ".join([*lines, f'exec chroot {shlex.quote(str(tree))} "$@"'])
        return ["unshare", "--mount", "sh", "-c", script, "sh", "env", "-i", *member["Config"]["Env"]]

    def start_server(self, member, address):
        """The set's database server with the seed that it had, and with its settings; only the addresses are others."""
        tree = self.copy(member)
        self.run([*JOIN, "cp", "-a", "--no-target-directory", self.seed() / "primary", f"{tree}{DATA}"])
        arguments = [*member["Config"]["Cmd"], "SSH=no", "CLIENTS=127.0.0.1", "DUMPERS=127.0.0.1"]
        command = [*self.in_folder(tree, member), ENTRYPOINT, *arguments, "--", "mariadbd", f"--bind-address={address}"]
        self.server = subprocess.Popen(
            [str(word) for word in [*JOIN, "sh", "-c", WHILE_ASKED, "sh", *command]], cwd=self.work, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        )
        pid = self.server.stdout.readline().strip()
        end = time.monotonic() + 60
        while not answers(address):
            if time.monotonic() > end or not pid or not pathlib.Path(f"/proc/{pid}").exists():
                log = self.run([*JOIN, "cat", tree / "var/log/mysql/error.log"], expect=False)
                raise Failed(f"outside containers, mariadbd does not answer at {address}:3306:\n{log[-2000:]}")
            time.sleep(0.1)
        return pid

    def compare(self, outside, date):
        """Both have to have done the same, byte for byte where two dumps of one wiki are the same (docs/dumps.md)."""
        inside = self.data / "sets" / SET / "shared" / "dumps"
        sums = []
        for dumps in (inside, outside):
            lines = self.run([*JOIN, "cat", dumps / "private" / WIKI / date / f"{WIKI}-{date}-sha1sums.txt"]).splitlines()
            sums.append({line for line in lines if "siteinfo" not in line and not line.endswith(".7z")})
        if sums[0] != sums[1] or len(sums[0]) < 28:
            raise Failed(f"the dumps differ: {sorted(sums[0] ^ sums[1])}")

    def end(self):
        if self.server:
            self.server.stdin.close()
            self.server.wait()
        super().end()


def answers(address):
    """Whether a database server greets there."""
    try:
        with socket.create_connection((address, 3306), timeout=5) as connection:
            return bool(connection.recv(1))
    except OSError:
        return False


def used_by(pid):
    """Seconds of CPU time of a process with all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
