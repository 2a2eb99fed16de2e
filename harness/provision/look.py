"""What a device has, seen without changing anything on it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import TypeAdapter

from harness.connections.code import look_script
from harness.errors import TargetError
from harness.records import DeviceState, Environment, Target
from harness.runtimes import Release, release_for


@dataclass(frozen=True)
class Venv:
    """packages: distribution → version."""

    exists: bool
    packages: dict[str, str]


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


class Caller(Protocol):
    """Runs commands on a device: a Link, or Here."""

    target: Target

    def call(
        self, remote: Sequence[str], data: bytes = b"", timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[bytes]: ...


class Here:
    """This machine."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def call(
        self, remote: Sequence[str], data: bytes = b"", timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[bytes]:
        argv = [sys.executable if word == "python3" else word for word in remote]
        return subprocess.run(argv, input=data, capture_output=True, timeout=timeout_s, check=False)


def look_at(link: Caller) -> Look:
    """Raises TargetError where the device has no Python 3, TargetUnreachable where the link fails."""
    target = link.target
    done = link.call(["python3", "-", target.workdir], look_script())
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise TargetError(
            f"{target.name} cannot run python3: {said[-1] if said else done.returncode}",
            "install Python 3.9 or newer on it (Debian: apt install python3 python3-venv)",
        )
    seen: Look = TypeAdapter(Look).validate_python(json.loads(done.stdout))
    return seen


def wanted_releases(target: Target, look: Look) -> dict[str, Release | None]:
    """Runtime of the target → the release that fits it, None where there is none."""
    e = look.environment
    machine = e.machine or ""
    if machine == "aarch64" and e.userland_bits == 32:
        machine = "armv7l"  # a 64-bit kernel under a 32-bit userland
    return {name: release_for(name, machine, e.python or "", e.glibc or "") for name in target.runtimes}
