"""A farm of eleven members, and dumps: podfarm against a plain shell script, two snapshot hosts against one."""

import copy
import itertools
import json
import os
import pathlib
import time

from bench_harness import PEER, SET, Failed, Harness, say, wait_for

FARM = pathlib.Path(__file__).resolve().parent.parent / "sets" / "farm.yaml"


class Quiet(Harness):
    """Without the others: compose files have no word for what some of these members need."""

    def __init__(self, options):
        options = copy.copy(options)
        options.podup = None
        super().__init__(options)


class Farm(Quiet):
    TEXT = FARM.read_text(encoding="utf-8")
    PARTS = ["up_of_farm"]

    def up_of_farm(self):
        urls = list(self.status(SET)["urls"].values())
        self.run(self.podfarm("down", SET))
        contestants = {
            "podfarm": (self.podfarm("up", SET), [], self.podfarm("down", SET)),
            "floor": ([self.work / "floor"], self.questions(urls), self.podfarm("down", PEER)),
        }
        order = list(contestants)
        for round_number in range(self.runs + 1):
            for name in order:
                up, questions, down = contestants[name]
                self.fresh_folder()
                os.sync()  # what was written before is not this one's to wait for
                start = time.monotonic()
                self.run(up)
                for question in questions:
                    question()
                seconds = time.monotonic() - start
                self.run(down)
                if round_number:  # the first round warms caches
                    self.sampled(f"up of farm, {name}", seconds)
                say(f"round {round_number} of {self.runs}: {name}: up of farm {seconds:.2f} s")
            order.reverse()
        self.not_slower("up of farm, all answer and replicate: podfarm : shell script", "up of farm, floor", "up of farm, podfarm", 1.3)

    def questions(self, urls):
        """What `podfarm up` asks before it ends, of the script's containers: every page, and how replication goes."""
        ours, peers = self.url.split("/")[2], self.peer_url.split("/")[2]
        number = lambda host: ".".join(host.split(".")[:3])
        asked = [url.replace(number(ours), number(peers)) for url in urls]
        reports = [self.peer_folder / f"dbreplica{index}" / "log" / "replication" for index in (1, 2)]
        return [lambda url=url: wait_for(url) for url in asked] + [lambda report=report: wait_for_report(report) for report in reports]


class Dumps(Quiet):
    """Two wikis of the same size."""

    TEXT = "wikis:\n  a: {pages: 400}\n  b: {pages: 400}\nmembers:\n  snapshot: {count: 2}\n  dbreplica: {count: 2}\n"
    SETS = [SET]
    PARTS = ["dump_on_two"]

    def make_peers(self):
        pass

    def dump_on_two(self):
        dates = itertools.count(20260101)
        for round_number in range(self.runs + 1):
            for name, options in (("two", []), ("one", ["--snapshot", "1"])):
                dump = self.podfarm("dump", SET, "a", "b", "--date", str(next(dates)), "--format", "json", *options)
                os.sync()
                start = time.monotonic()
                told = json.loads(self.run(dump))
                seconds = time.monotonic() - start
                hosts = {job["host"] for job in told["jobs"]}
                if len(hosts) != (2 if name == "two" else 1):
                    raise Failed(f"the dump was made on {', '.join(sorted(hosts))}")
                if round_number:
                    self.sampled(f"dump of two wikis, {name}", seconds)
                say(f"round {round_number} of {self.runs}: two wikis on {name}: {seconds:.2f} s")
        self.faster("two wikis, on one snapshot host : on two", "dump of two wikis, one", "dump of two wikis, two", 1.6)


def wait_for_report(report, seconds=180):
    end = time.monotonic() + seconds
    while not (report.exists() and report.read_text(encoding="utf-8").startswith("ready")):
        if time.monotonic() > end:
            raise Failed(f"{report}: replication does not run")
        time.sleep(0.02)
