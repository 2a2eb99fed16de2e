"""What a device has, seen without changing anything on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from harness.device.engines import installation
from harness.errors import NoPython, TargetError, Unreadable
from harness.measure.connections.device_code import look_script
from harness.measure.runtimes import Release, release_named
from harness.records import DeviceState, Environment, Target
from harness.support.foreign import parse_json, valid
from harness.support.text import harmless, last_line


@dataclass(frozen=True)
class Venv:
    """packages: distribution → version."""

    exists: bool
    packages: dict[str, str]

    @property
    def whole(self) -> bool:
        """pip comes last: where it is missing, making the venv was interrupted, or its Python is gone."""
        return self.exists and "pip" in self.packages


@dataclass(frozen=True)
class Look:
    """What device/look.py saw."""

    environment: Environment
    state: DeviceState
    executable: str
    has_venv: bool
    system_numpy: bool
    venv: Venv
    disk_free_bytes: int
    disk_writable: bool
    time_s: float
    holder: str | None
    neighbours: tuple[tuple[str, float], ...]
    can_vcgencmd: bool
    damaged_code: tuple[str, ...] = ()
    engines: dict[str, str] = field(default_factory=dict)  # a named release that has a venv of its own → its version


_LOOK = TypeAdapter(Look)


class Caller(Protocol):
    """Runs commands on a device: a Link, or Here."""

    target: Target
    workdir: str  # as its commands take it

    def call(
        self, remote: Sequence[str], data: bytes = b"", timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[bytes]: ...


class Here:
    """This machine."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.workdir = str(Path(target.workdir).expanduser())

    def call(
        self, remote: Sequence[str], data: bytes = b"", timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[bytes]:
        argv = [sys.executable if word == "python3" else word for word in remote]
        try:
            return subprocess.run(argv, input=data, capture_output=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as error:
            told = f"{self.target.name}: {' '.join(remote)[:200]} did not end within {timeout_s:.0f} s"
            raise TargetError(told, "is the network or the disk of this machine slow? try again") from error


def look_at(link: Caller) -> Look:
    """Raises NoPython where the device has no Python 3, TargetUnreachable where the link fails."""
    target = link.target
    # -I: no json.py of the home folder is imported. -B: nothing is written, no __pycache__ either.
    done = link.call(["python3", "-I", "-B", "-", link.workdir], look_script())
    if done.returncode != 0:
        raise NoPython(
            f"{target.name} cannot run python3: {last_line(done.stderr, f'exit code {done.returncode}')}",
            "install Python 3.9 or newer on it (Debian: apt install python3 python3-venv)",
        )
    try:
        seen = valid(harmless(parse_json(done.stdout)), _LOOK)
    except Unreadable as error:
        start = done.stdout[:100].decode(errors="replace")
        raise TargetError(
            f"{target.name} answered {start!r} instead of its facts", "does a start-up file there print something?"
        ) from error
    return seen


def wanted_releases(target: Target, look: Look, runtimes: Sequence[str] = ()) -> dict[str, Release | None]:
    """What must be installed for these engines, or the target's own → the release that fits, None where none does."""
    e = look.environment
    machine = e.machine or ""
    if machine == "aarch64" and e.userland_bits == 32:
        machine = "armv7l"  # a 64-bit kernel under a 32-bit userland
    names = dict.fromkeys(map(installation, runtimes or target.runtimes))
    return {name: release_named(name, machine, e.python or "", e.glibc or "") for name in names}
