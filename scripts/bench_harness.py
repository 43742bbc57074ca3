"""What measuring takes: sets of its own, a shell script and a compose file that come to the same, and nothing left behind."""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

from bench_figures import Figures
from bench_peers import Service, write_script

SET = "pfbench"
PEER = "pfbench-peer"  # the same set with other addresses, from which the others' files are made
IMPORT = "pfbench-import"
TEN = [f"{SET}-{number}" for number in range(2, 11)]
ALL_SETS = [SET, PEER, IMPORT, *TEN]


class Failed(Exception):
    """Something did not run: there are no figures then."""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Harness(Figures):
    """Sets to measure with, all of one text, in a place of their own."""

    TEXT = "wikis:\n  wiki: {title: Bench}\n"
    SETS = [SET, PEER]

    def __init__(self, options):
        super().__init__()
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
        for name in self.SETS:
            (self.work / "sets" / f"{name}.yaml").write_text(self.TEXT)
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
        ground, members, apart = [], [], []
        for line in lines:
            command, _, random_input = line.partition(" < ")
            words = shlex.split(command, comments=True)
            if random_input:
                ground.append((words, self.secret(words[3])))
            elif words[:2] == ["podman", "run"]:
                members.append(words)
            elif words[:2] == ["podman", "unshare"]:
                apart.append(words)
            elif words:
                ground.append((words, None))
        write_script(self.work / "floor", ground, members, apart)
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
