#!/usr/bin/env python3
"""Measures podfarm against others that bring up the same containers. scripts/bench calls it with everything installed.

The compose file and the shell script are made from what `podfarm up --dry-run` prints, so they cannot drift from what
podfarm does. docs/bench.md says what is measured.
"""

import argparse
import bz2
import fcntl
import json
import os
import pathlib
import random
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

SET = "pfbench"
PEER = "pfbench-peer"  # the same set with other addresses, from which the others' files are made
IMPORT = "pfbench-import"
TEN = [f"{SET}-{number}" for number in range(2, 11)]
ALL_SETS = [SET, PEER, IMPORT, *TEN]


class Failed(Exception):
    """Something did not run: there are no figures then."""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options):
        self.options = options
        self.runs = options.runs
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self.cache = pathlib.Path(os.environ.get("PODFARM_CACHE") or f"{cache}/podfarm")
        # A fixed place, so that what a killed run has left is found and removed by the next one.
        self.work = self.cache / "bench"
        self.data = self.work / "data"
        self.peer_folder = self.data / "sets" / PEER
        self.environment = {**os.environ, "PODFARM_DATA": str(self.data), "PODFARM_CACHE": str(self.work / "cache")}
        self.service = None
        self.figures = []
        self.samples = {}

    # Running things.

    def run(self, argv, environment=None, expect=True):
        argv = [str(word) for word in argv]
        done = subprocess.run(
            argv, cwd=self.work, env=environment or self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=3600, check=False,
        )
        if expect and done.returncode != 0:
            raise Failed(f"`{shlex.join(argv)}` ended with {done.returncode}:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
        return done.stdout

    def timed(self, argv, url=None):
        """Seconds that a command takes; with a url, until that answers 200 as well."""
        os.sync()  # what was written before is not this one's to wait for
        start = time.monotonic()
        self.run(argv)
        if url:
            wait_for(url)
        return time.monotonic() - start

    def podfarm(self, *words):
        return [self.options.podfarm, *words]

    def compose(self, *words):
        return [self.options.podman_compose, "--file", self.work / "compose.json", "--project-name", PEER, *words]

    def podup(self, *words):
        return [self.options.podup, "--file", self.work / "compose.json", "--project", PEER, *words]

    def podman_processes(self, argv):
        """How many podman processes a command starts, counted by a podman in front of the real one."""
        counter, log = self.work / "count", self.work / "count.log"
        counter.mkdir(exist_ok=True)
        wrapper = counter / "podman"
        wrapper.write_text(f'#!/bin/sh\necho "$1" >>{shlex.quote(str(log))}\nexec {shutil.which("podman")} "$@"\n')
        wrapper.chmod(0o755)
        log.write_text("")
        self.run(argv, {**self.environment, "PATH": f"{counter}:{os.environ['PATH']}"})
        return len(log.read_text().splitlines())

    def status(self, name):
        return json.loads(self.run(self.podfarm("status", "--format", "json", name)))["sets"][0]

    # Before and after.

    def prepare(self):
        self.remove_leftovers()
        (self.work / "cache").mkdir(parents=True)
        # What is slow to make and the same for everybody is the user's own; seeds are not, for importing is measured.
        for name in ("bases", "sources"):
            (self.cache / name).mkdir(exist_ok=True)
            (self.work / "cache" / name).symlink_to(self.cache / name)
        (self.work / "sets").mkdir()
        for name in [SET, PEER, *TEN]:
            (self.work / "sets" / f"{name}.yaml").write_text("wikis:\n  wiki: {title: Bench}\n")
        say("Making images and a seed, as far as they are not there")
        self.run(self.podfarm("up", SET))
        self.url = next(iter(self.status(SET)["urls"].values()))
        self.make_peers()
        if self.options.podup:
            socket = f"unix://{self.work}/podman.sock"
            self.service = subprocess.Popen(
                ["podman", "system", "service", "--time=0", socket], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )
            self.environment["PODMAN_SOCKET"] = socket
            for _ in range(100):
                if (self.work / "podman.sock").exists():
                    return
                time.sleep(0.1)
            raise Failed("`podman system service` does not come up")

    def make_peers(self):
        """The compose file and the shell script, from what podfarm would do for the set PEER."""
        lines = self.run(self.podfarm("up", "--dry-run", PEER)).splitlines()
        self.run(self.podfarm("create", PEER))
        self.peer_url = next(iter(self.status(PEER)["urls"].values()))
        self.run(["podman", "unshare", "cp", "-a", self.peer_folder, self.work / "template"])
        # Sets that somebody makes meanwhile are not to get the addresses.
        number = self.peer_url.split(".")[2]
        self.run(["podman", "pod", "create", "--infra=false", "--name", f"{PEER}-number", "--label", f"podfarm.number={number}"])
        self.run(self.podfarm("destroy", PEER))
        ground, members = [], []
        for line in lines:
            command, _, random_input = line.partition(" < ")
            words = shlex.split(command, comments=True)
            if random_input:
                ground.append((words, self.secret(words[3])))
            elif words[:2] == ["podman", "run"]:
                members.append(words)
            elif words:
                ground.append((words, None))
        write_script(self.work / "floor", ground, members)
        (self.work / "compose.json").write_text(json.dumps(self.compose_file(ground, members), indent=1))

    def secret(self, name):
        """A file with a secret's value; made before the clock runs."""
        path = self.work / "secrets" / name
        path.parent.mkdir(exist_ok=True)
        if name.endswith("ssh-host-key"):
            self.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path])
        else:
            path.write_text(os.urandom(20).hex())
        return path

    def compose_file(self, ground, members):
        network = next(words for words, _ in ground if words[1] == "network")
        subnet = network[network.index("--subnet") + 1]
        services = {}
        secrets = {}
        self.overlays = set()
        for words in members:
            service = Service(words)
            service.translate(self.work)
            services[service.name] = service.compose
            self.overlays |= service.overlays
            for secret in service.secrets:
                path = self.work / "secrets" / service.secret_files[secret["source"]]
                secrets[secret["source"]] = {"file": str(path)}
                # podman-compose mounts the file as it is, and whoever reads it inside has to be allowed to.
                if secret["uid"] != "0":
                    path.chmod(0o444)
        default = {"name": f"{PEER}-compose", "x-podman.disable_dns": True, "ipam": {"config": [{"subnet": subnet}]}}
        return {"services": services, "networks": {"default": default}, "secrets": secrets}

    def fresh_folder(self):
        """The folders that the others' containers mount, as podfarm makes them, before any run of theirs. Returns the
        seconds it takes to copy the seed's database, which those who have no overlays need as well."""
        seed = self.seed()
        self.remove_tree(self.peer_folder)
        self.remove_tree(self.work / "copies")
        (self.work / "copies").mkdir()
        self.run(["podman", "unshare", "cp", "-a", self.work / "template", self.peer_folder])
        copied = [seed / name for name in sorted(self.overlays)]
        return self.timed(["podman", "unshare", "cp", "-a", "--reflink=auto", *copied, self.work / "copies"])

    def seed(self):
        farms = [path for path in (self.work / "cache" / "seeds" / "farm").iterdir() if (path / "primary").exists()]
        if len(farms) != 1:
            raise Failed(f"one seed was expected in {self.work}/cache/seeds/farm, and there are {len(farms)}")
        return farms[0]

    def remove_tree(self, path):
        if path.exists():
            self.run(["podman", "unshare", "rm", "-rf", "--", path])

    def remove_leftovers(self):
        self.work.mkdir(parents=True, exist_ok=True)
        self.run(self.podfarm("destroy", *ALL_SETS), expect=False)
        ours = lambda kind, *words: [name for name in self.run(["podman", kind, "ls", *words], expect=False).split() if name.startswith((PEER, f"pod_{PEER}"))]
        containers = ours("container", "--all", "--format", "{{.Names}}")
        for remove in (
            ["podman", "rm", "--force", "--time", "0", *containers] if containers else None,
            *(["podman", "pod", "rm", "--force", pod] for pod in ours("pod", "--format", "{{.Name}}")),
            *(["podman", "network", "rm", network] for network in ours("network", "--format", "{{.Name}}")),
            *(["podman", "secret", "rm", secret] for secret in ours("secret", "--format", "{{.Name}}")),
        ):
            if remove:
                self.run(remove, expect=False)
        locks = pathlib.Path(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")) / "podfarm" / "locks"
        for name in ALL_SETS:
            (locks / f"set-{name}").unlink(missing_ok=True)
        subprocess.run(["podman", "unshare", "rm", "-rf", "--", str(self.work)], cwd="/", check=False)

    def end(self):
        if self.service:
            self.service.terminate()
            self.service.wait()
        self.work.mkdir(parents=True, exist_ok=True)
        self.remove_leftovers()

    # The figures.

    def figure(self, name, value, ratio=None, bound=None, met=None, best=None):
        verdict = "for information" if met is None else "met" if met else "MISSED"
        self.add(name, value, ratio, best, bound, verdict)

    def skipped(self, name, bound, why):
        self.add(name, "-", None, None, bound, f"skipped: {why}")

    def add(self, name, value, ratio, best, bound, verdict):
        rounded = lambda number: None if number is None else round(number, 2)
        self.figures.append({"figure": name, "value": value, "ratio": rounded(ratio), "best": rounded(best), "bound": bound, "verdict": verdict})

    def sampled(self, key, seconds):
        self.samples.setdefault(key, []).append(round(seconds, 3))

    def ratios(self, above, below):
        """Of the medians, and of the fastest runs, in which a busy machine has the least part."""
        above, below = self.samples[above], self.samples[below]
        return statistics.median(above) / statistics.median(below), min(above) / min(below)

    def faster(self, name, others, ours, bound):
        """By how much we are faster than others: at least `bound`."""
        ratio, best = self.ratios(others, ours)
        self.figure(name, self.seconds(others, ours), ratio, f">= {bound}", ratio >= bound, best)

    def not_slower(self, name, others, ours, bound):
        """Our time in theirs: at most `bound`."""
        ratio, best = self.ratios(ours, others)
        self.figure(name, self.seconds(ours, others), ratio, bound and f"<= {bound}", ratio <= bound if bound else None, best)

    def seconds(self, *keys):
        return " : ".join(f"{statistics.median(self.samples[key]):.2f} s" for key in keys)

    def up_of_what_is_up(self):
        say("up of a set that is up")
        self.fresh_folder()
        self.run(self.compose("up", "-d"))
        wait_for(self.peer_url)
        count = self.podman_processes(self.podfarm("up", SET))
        self.figure("up of a set that is up: podman processes", count, None, "<= 5", count <= 5)
        count = self.podman_processes(self.compose("up", "-d"))
        self.figure("the same, podman-compose: podman processes", count)
        for _ in range(self.runs):
            self.sampled("up again, podfarm", self.timed(self.podfarm("up", SET)))
            self.sampled("up again, podman-compose", self.timed(self.compose("up", "-d")))
        self.run(self.compose("down"))
        self.faster("up of a set that is up: podman-compose : podfarm", "up again, podman-compose", "up again, podfarm", 3)

    def up_from_nothing(self):
        self.run(self.podfarm("down", SET))
        contestants = {
            "podfarm": (self.podfarm("up", SET), None, self.podfarm("down", SET)),
            "floor": ([self.work / "floor"], self.peer_url, self.podfarm("down", PEER)),
            "podman-compose": (self.compose("up", "-d"), self.peer_url, self.compose("down")),
        }
        if self.options.podup:
            contestants["podup"] = (self.podup("up", "-d"), self.peer_url, self.podup("down"))
        order = list(contestants)
        for round_number in range(self.runs + 1):
            for name in order:
                up, url, down = contestants[name]
                copy_seconds = self.fresh_folder()
                up_seconds = self.timed(up, url)
                time.sleep(1)  # let it settle: stopping is measured from a set at rest
                down_seconds = self.timed(down)
                # podfarm's `up` gets a database of its own from the seed, and its `down` leaves nothing. The others' data is
                # made before and removed after, and that is counted apart.
                remove_seconds = self.timed(["podman", "unshare", "rm", "-rf", "--", self.work / "copies", self.peer_folder])
                if round_number:  # the first round warms caches
                    self.sampled(f"up, {name}", up_seconds)
                    self.sampled(f"up with its data, {name}", up_seconds + copy_seconds)
                    self.sampled(f"down, {name}", down_seconds)
                    self.sampled(f"down with its data, {name}", down_seconds + remove_seconds)
                say(f"round {round_number} of {self.runs}: {name}: up {up_seconds:.2f} s, down {down_seconds:.2f} s")
            order.append(order.pop(0))
        self.faster("up until the wiki answers: podman-compose : podfarm", "up, podman-compose", "up, podfarm", 1.5)
        self.not_slower("up until the wiki answers: podfarm : shell script", "up, floor", "up, podfarm", 1.2)
        up, down = "up until the wiki answers: podfarm : podup", "down: podfarm : podup"
        if self.options.podup:
            self.not_slower(up, "up with its data, podup", "up, podfarm", 1.0)
            self.not_slower("the same, podup's data made beforehand", "up, podup", "up, podfarm", 1.0)
            self.not_slower(down, "down with its data, podup", "down, podfarm", 1.0)
            self.not_slower("the same, podup's data left behind", "down, podup", "down, podfarm", 1.0)
        else:
            self.skipped(up, "<= 1.0", "podup needs podman 5")
            self.skipped(down, "<= 1.0", "podup needs podman 5")
        self.not_slower("down: podfarm : podman-compose", "down, podman-compose", "down, podfarm", None)
        self.figure("up from nothing: podman processes", self.podman_processes(self.podfarm("up", SET)))
        self.figure("down: podman processes", self.podman_processes(self.podfarm("down", SET)))

    def status_of_many(self):
        say("status of ten sets")
        self.run(self.podfarm("create", SET))
        one = self.podman_processes(self.podfarm("status"))
        self.run(self.podfarm("create", *TEN))
        if len(json.loads(self.run(self.podfarm("status", "--format", "json")))["sets"]) < 10:
            raise Failed("ten sets were expected")
        ten = self.podman_processes(self.podfarm("status"))
        self.figure("status: podman processes, ten sets : one", f"{ten} : {one}", ten / one, "= 1", ten == one)
        self.run(self.podfarm("destroy", SET, *TEN))

    def create_after_destroy(self):
        source = self.options.import_file and pathlib.Path(self.options.import_file).resolve()
        if not source:
            source = self.work / "generated.xml.bz2"
            generate(source)
        lang = f", lang: {self.options.import_lang}" if self.options.import_lang else ""
        (self.work / "sets" / f"{IMPORT}.yaml").write_text(f"wikis:\n  wiki: {{import: {json.dumps(str(source))}{lang}}}\n")
        say(f"First import of {source.name}")
        self.sampled("first import", self.timed(self.podfarm("create", IMPORT)))
        for _ in range(self.runs):
            self.run(self.podfarm("destroy", IMPORT))
            self.sampled("create", self.timed(self.podfarm("create", IMPORT)))
        self.run(self.podfarm("destroy", IMPORT))
        self.faster(f"create of {source.name}: the first : after a destroy", "first import", "create", 20)

    def all(self):
        parts = [self.up_of_what_is_up, self.up_from_nothing, self.status_of_many, self.create_after_destroy]
        for part in parts:
            if not self.options.only or part.__name__ in self.options.only:
                part()


class Service:
    """One `podman run` of podfarm's as a service of a compose file. What it cannot say is an error, so nothing drifts."""

    # What the others do in their own way, or not at all: docs/bench.md tells it.
    LEFT_OUT = {"--pod", "--network", "--label"}

    def __init__(self, words):
        self.options = []
        rest = words[2:]
        while rest and rest[0].startswith("--"):
            option = rest.pop(0)
            if option not in ("--detach", "--no-hosts"):
                self.options.append((option, rest.pop(0)))
        self.image, self.command = rest[0], rest[1:]
        self.name = dict(self.options)["--name"]
        self.secrets = []
        self.secret_files = {}
        self.overlays = set()

    def translate(self, work):
        compose = {"image": self.image, "command": self.command, "x-podman.no_hosts": True, "volumes": [], "secrets": self.secrets}
        for option, value in self.options:
            if option == "--name":
                compose["container_name"] = value
            elif option == "--hostname":
                compose["hostname"] = value
            elif option == "--ip":
                compose["networks"] = {"default": {"ipv4_address": value}}
            elif option == "--mac-address":
                compose["mac_address"] = value
            elif option == "--publish":
                compose.setdefault("ports", []).append(value)
            elif option == "--volume":
                compose["volumes"].append(self.volume(value, work))
            elif option == "--secret":
                source, *details = value.split(",")
                details = dict(detail.split("=") for detail in details)
                # Of its name, what follows podfarm.SET. is enough: a compose project has names of its own.
                self.secret_files[source.split(".")[2]] = source
                self.secrets.append({"source": source.split(".")[2], "target": details["target"], "uid": details["uid"], "mode": "0400"})
            elif option == "--cap-drop":
                compose["cap_drop"] = [value.upper()]
            elif option == "--cap-add":
                compose.setdefault("cap_add", []).append(value)
            elif option == "--security-opt":
                compose["security_opt"] = [value]
            elif option == "--stop-signal":
                compose["stop_signal"] = value
            elif option == "--stop-timeout":
                compose["stop_grace_period"] = f"{value}s"
            elif option not in self.LEFT_OUT:
                raise Failed(f"scripts/bench.py has no word for {option} in a compose file")
        self.compose = compose

    def volume(self, text, work):
        source, target, *options = text.split(":")
        if options and options[0].startswith("O,"):
            # No compose file can say an overlay: it gets a copy of the seed's folder, made before the clock runs.
            name = pathlib.Path(source).name
            self.overlays.add(name)
            source, options = str(work / "copies" / name), []
        mount = {"type": "bind", "source": source, "target": target}
        if options:
            mount["read_only"] = options == ["ro"]
        return mount


def write_script(path, ground, members):
    """The floor: what has to be there first side by side, then all `podman run` side by side."""
    lines = ["#!/bin/bash", "set -eu", 'all() { for job in $(jobs -p); do wait "$job"; done; }']
    for words, source in ground:
        # Some versions of podman read a secret from nothing but a pipe.
        fed = f"cat {shlex.quote(str(source))} | {shlex.join(words)}" if source else f"{shlex.join(words)} </dev/null"
        lines.append(f"{fed} >/dev/null &")
    lines.append("all")
    lines += [f"{shlex.join(words)} </dev/null >/dev/null &" for words in members]
    lines.append("all")
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)


def wait_for(url, seconds=180):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while True:
        try:
            if opener.open(url, timeout=30).status == 200:
                return
            why = "another status than 200"
        except (OSError, urllib.error.URLError) as error:
            why = error
        if time.monotonic() > end:
            raise Failed(f"{url}: {why}")
        time.sleep(0.02)


def generate(path, pages=600):
    """A wiki's articles in invented words, with links and categories, always the same."""
    chance = random.Random(1)
    words = ["".join(chance.choice("bdklmnprst") + chance.choice("aeiou") for _ in range(chance.randint(1, 4))) for _ in range(3000)]
    titles = [f"{chance.choice(words).capitalize()} {chance.choice(words)} {number}" for number in range(pages)]
    parts = [
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">',
        "<siteinfo><sitename>Bench</sitename><dbname>bench</dbname><case>first-letter</case></siteinfo>",
    ]
    for number, title in enumerate(titles, 1):
        sentences = [" ".join(chance.choices(words, k=12)).capitalize() + f" [[{chance.choice(titles)}]]." for _ in range(40)]
        text = "\n\n".join(" ".join(sentences[start:start + 8]) for start in range(0, 40, 8)) + f"\n[[Category:{title[0]}]]"
        parts.append(
            f"<page><title>{title}</title><ns>0</ns><id>{number}</id><revision><id>{number}</id>"
            f"<timestamp>2026-01-01T00:00:00Z</timestamp><contributor><username>Bench</username><id>1</id></contributor>"
            f'<model>wikitext</model><format>text/x-wiki</format><text xml:space="preserve">{text}</text></revision></page>'
        )
    parts.append("</mediawiki>")
    path.write_bytes(bz2.compress("\n".join(parts).encode()))


def table(figures):
    header = ["figure", "value", "ratio", "best", "bound", "verdict"]
    rows = [header] + [["" if figure[key] is None else str(figure[key]) for key in header] for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Figures of podfarm, as ratios.")
    parser.add_argument("import_file", nargs="?", default=os.environ.get("PODFARM_BENCH_IMPORT"), metavar="IMPORT", help="a wiki's articles to import, as .xml.bz2 or any that a set file takes; without it, generated ones")
    parser.add_argument("--import-lang", metavar="LANG", help="the imported wiki's language, where the file does not say")
    parser.add_argument("--runs", type=int, default=5, help="how many times each is measured; the median counts (default: 5)")
    parser.add_argument("--only", action="append", metavar="PART", choices=["up_of_what_is_up", "up_from_nothing", "status_of_many", "create_after_destroy"], help="one part alone; can be repeated")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    for program in ("podfarm", "podman-compose", "podup"):
        parser.add_argument(f"--{program}", metavar="PROGRAM", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = arguments()
    bench = Bench(options)
    bench.cache.mkdir(parents=True, exist_ok=True)
    with open(bench.cache / "bench.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another scripts/bench of yours is running.")
            return 1
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            bench.prepare()
            bench.all()
        except (Failed, subprocess.TimeoutExpired) as error:
            say(f"scripts/bench: {error}")
            return 1
        finally:
            bench.end()
            os.unlink(bench.cache / "bench.lock")
    if options.format == "json":
        print(json.dumps({"figures": bench.figures, "seconds": bench.samples}, indent=1))
    else:
        print(table(bench.figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
