"""What podfarm runs, as others would be told to do it: a compose file's services, and a plain shell script."""

import pathlib
import shlex


class Service:
    """One `podman run` of podfarm's as a service of a compose file. What it cannot say is an error, so nothing drifts."""

    # What the others do in their own way, or not at all: docs/bench.md tells it.
    LEFT_OUT = {"--pod", "--network", "--label"}

    def __init__(self, words):
        self.options = []
        rest = words[2:]
        while rest and rest[0].startswith("--"):
            option = rest.pop(0)
            if option not in ("--detach", "--no-hosts", "--http-proxy=false"):
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
                raise ValueError(f"scripts/bench_peers.py has no word for {option} in a compose file")
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


def write_script(path, ground, members, apart):
    """The floor: what has to be there first side by side, then all `podman run` side by side, then what keeps the set apart."""
    lines = ["#!/bin/bash", "set -eu", 'all() { for job in $(jobs -p); do wait "$job"; done; }']
    for words, source in ground:
        # Some versions of podman read a secret from nothing but a pipe.
        fed = f"cat {shlex.quote(str(source))} | {shlex.join(words)}" if source else f"{shlex.join(words)} </dev/null"
        lines.append(f"{fed} >/dev/null &")
    lines.append("all")
    lines += [f"{shlex.join(words)} </dev/null >/dev/null &" for words in members]
    lines.append("all")
    lines += [f"{shlex.join(words)} </dev/null >/dev/null" for words in apart]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)
