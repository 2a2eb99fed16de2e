"""harness enroll: the host key of a device is shown, and recorded where ssh itself will look for it."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.errors import TargetError
from harness.measure.connections.link import (
    LINK_BROKE,
    OPTIONS,
    SSH,
    TMP,
    as_options,
    destination,
    run_bounded,
    unreachable,
)
from harness.records import Target
from harness.support.files import TemporaryFolder
from harness.support.text import last_line


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
    return code != LINK_BROKE or "Permission denied" in last_line(said, "")  # a jump host's denial comes earlier


def offered_key(target: Target) -> HostKey:
    """The key that the device offers, asked for by ssh itself: its HostName, Port, ProxyJump and HostKeyAlias hold."""
    with TemporaryFolder(TMP) as folder:
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
    with key.known_hosts.open("a+b") as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            file.write(b"" if file.read() == b"\n" else b"\n")
        file.write("".join(f"{line}\n" for line in key.lines).encode())


def verify(target: Target, key: HostKey) -> None:
    """Raises TargetError where ssh does not find the key that was recorded, or the device now offers another one."""
    if not already_trusted(target):
        raise TargetError(
            f"the key is in {key.known_hosts}, but ssh still does not accept {target.name}",
            "check UserKnownHostsFile and HostKeyAlgorithms in your ssh_config",
        )


def knock(target: Target, options: list[str]) -> tuple[int, str]:
    """Exit code and stderr of a connection that shows the host's key but offers none of ours: it is not trusted yet."""
    stranger = ("PreferredAuthentications=none", "ControlPath=none")
    argv = [*SSH, *as_options(*options, *stranger, *OPTIONS), *destination(target), "true"]
    try:
        done = run_bounded(argv, b"", timeout_s=60)
    except subprocess.TimeoutExpired as error:
        raise unreachable(target, "timed out") from error
    return done.returncode, done.stderr.decode(errors="replace")


def known_hosts_file(target: Target) -> Path:
    """The first UserKnownHostsFile that ssh's own configuration names for the device.

    ssh -G separates the files by spaces and does not quote: a word that starts no path continues the file's name.
    """
    done = subprocess.run(["ssh", "-G", *destination(target)], capture_output=True, text=True, check=False)
    found = re.search(r"^userknownhostsfile (.+?)(?= [/~]|$)", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not found or found.group(1) in ("none", "/dev/null"):
        raise TargetError(f"ssh keeps no known hosts for {target.name}", "set UserKnownHostsFile in your ssh_config")
    return Path(found.group(1)).expanduser()
