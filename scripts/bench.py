#!/usr/bin/env python3
"""Measures podfarm against others that bring up the same containers. scripts/bench calls it with everything installed.

The compose file and the shell script are made from what `podfarm up --dry-run` prints, so they cannot drift from what
podfarm does. docs/bench.md says what is measured.
"""

import argparse
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from bench_content import generate
from bench_cpu import Cpu
from bench_farm import Dumps, Farm
from bench_figures import table
from bench_harness import IMPORT, PEER, SET, TEN, Failed, Harness, say, wait_for


class Bench(Harness):
    SETS = [SET, PEER, *TEN]
    PARTS = ["up_of_what_is_up", "up_from_nothing", "status_of_many", "create_after_destroy"]

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


BENCHES = [Bench, Farm, Dumps, Cpu]


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Figures of podfarm, as ratios.")
    parser.add_argument("import_file", nargs="?", default=os.environ.get("PODFARM_BENCH_IMPORT"), metavar="IMPORT", help="a wiki's articles to import, as .xml.bz2 or any that a set file takes; without it, generated ones")
    parser.add_argument("--import-lang", metavar="LANG", help="the imported wiki's language, where the file does not say")
    parser.add_argument("--runs", type=int, default=5, help="how many times each is measured; the median counts (default: 5)")
    parser.add_argument("--only", action="append", metavar="PART", choices=[part for bench in BENCHES for part in bench.PARTS], help="one part alone; can be repeated")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    for program in ("podfarm", "podman-compose", "podup"):
        parser.add_argument(f"--{program}", metavar="PROGRAM", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = arguments()
    benches = [bench(options) for bench in BENCHES if not options.only or set(options.only) & set(bench.PARTS)]
    cache = benches[0].cache
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "bench.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another scripts/bench of yours is running.")
            return 1
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            for bench in benches:
                measure(bench)
        except (Failed, subprocess.TimeoutExpired) as error:
            say(f"scripts/bench: {error}")
            return 1
        finally:
            os.unlink(cache / "bench.lock")
    figures = [figure for bench in benches for figure in bench.figures]
    if options.format == "json":
        samples = {key: seconds for bench in benches for key, seconds in bench.samples.items()}
        print(json.dumps({"figures": figures, "seconds": samples}, indent=1))
    else:
        print(table(figures))
    return 0


def measure(bench):
    try:
        bench.prepare()
        for part in bench.PARTS:
            if not bench.options.only or part in bench.options.only:
                getattr(bench, part)()
    finally:
        bench.end()


if __name__ == "__main__":
    sys.exit(main())
