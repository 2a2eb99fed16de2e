"""harness enroll: the host key of a device is shown, and recorded where ssh itself will look for it."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.connections.link import LINK_BROKE, destination, unreachable
from harness.errors import TargetError
from harness.records import Target


@dataclass(frozen=True)
class HostKey:
    """lines: as known_hosts holds them, under the names that ssh will look for. known_hosts: where they belong."""

    lines: tuple[str, ...]
    fingerprint: str
    known_hosts: Path


def already_trusted(target: Target) -> bool:
    """Whether ssh accepts the device's key as it is. Raises TargetUnreachable where a recorded key differs."""
    code, said = knock(target, ["StrictHostKeyChecking=yes"])
    if code == LINK_BROKE and re.search("IDENTIFICATION HAS CHANGED|host key for .* has changed", said, re.IGNORECASE):
        raise unreachable(target, said)
    return code != LINK_BROKE or "Permission denied" in said


def offered_key(target: Target) -> HostKey:
    """The key that the device offers, asked for by ssh itself: its HostName, Port, ProxyJump and HostKeyAlias hold."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "known_hosts"
        options = [f"UserKnownHostsFile={scratch}", "GlobalKnownHostsFile=/dev/null", "HashKnownHosts=no",
                   "StrictHostKeyChecking=accept-new", "UpdateHostKeys=no"]  # fmt: skip
        _, said = knock(target, options)
        if not scratch.exists():
            raise unreachable(target, said)
        listed = subprocess.run(["ssh-keygen", "-lf", str(scratch)], capture_output=True, text=True, check=True)
        return HostKey(tuple(scratch.read_text().splitlines()), listed.stdout.strip(), known_hosts_file(target))


def record(key: HostKey) -> None:
    """Adds the key's lines to the user's known_hosts."""
    key.known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with key.known_hosts.open("a") as file:
        file.write("".join(f"{line}\n" for line in key.lines))


def knock(target: Target, options: list[str]) -> tuple[int, str]:
    """Exit code and stderr of a connection that runs nothing."""
    words = [w for option in ("BatchMode=yes", "ConnectTimeout=10", "ControlPath=none", "LogLevel=ERROR", *options)
             for w in ("-o", option)]  # fmt: skip
    argv = ["ssh", *words, *destination(target), "true"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def known_hosts_file(target: Target) -> Path:
    """The first UserKnownHostsFile that ssh's own configuration names for the device."""
    done = subprocess.run(["ssh", "-G", *destination(target)], capture_output=True, text=True, check=False)
    found = re.search(r"^userknownhostsfile (\S+)", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not found or found.group(1) in ("none", "/dev/null"):
        raise TargetError(f"ssh keeps no known hosts for {target.name}", "set UserKnownHostsFile in your ssh_config")
    return Path(found.group(1)).expanduser()
