"""Packages into a venv on a device: from the index that it reaches, or from wheels that this machine sends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.device.engines import ENGINES
from harness.errors import TargetError
from harness.measure.connections.link import Link
from harness.measure.connections.ssh import put
from harness.measure.provision.probe import Caller, Look
from harness.measure.runtimes import Release, version_of
from harness.measure.targets import cli_name
from harness.support.files import TemporaryFolder
from harness.support.text import last_line

PROVE = "import sys; from importlib import import_module; import_module(sys.argv[1]).Interpreter"


def install(device: Caller, look: Look, releases: Sequence[Release], python: str, say: Callable[[str], None]) -> None:
    """From the device's own index where it reaches one; else from wheels that this machine downloads and sends.

    python: that of the venv.
    """
    needed = sorted({word for release in releases for word in release.needed})
    name = device.target.name
    say(f"{name}: installing {', '.join(needed)}")
    pip = [python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    own = device.call([*pip, "--timeout", "10", "--retries", "1", "--only-binary=:all:", *needed], timeout_s=900)
    if own.returncode == 0:
        return
    if not isinstance(device, Link):
        raise TargetError(
            f"{name} could not install {', '.join(needed)}: {failure_of(own)}",
            "is this machine online, and has its index a wheel for this Python?",
        )
    say(f"{name} cannot download them itself ({failure_of(own)}); downloading its wheels here and sending them")
    folder = f"{device.workdir}/wheels"
    with TemporaryFolder() as local:
        for wheel in download(look, needed, Path(local)):
            put(device, wheel.read_bytes(), f"{folder}/{wheel.name}")
    must(device, [*pip, "--no-index", "--find-links", folder, *needed], f"{name} could not install the wheels")
    must(device, ["rm", "-r", folder], f"{name} could not remove the wheels")


def download(look: Look, needed: list[str], folder: Path) -> list[Path]:
    """The wheels that fit the device, from this machine's own package index."""
    e = look.environment
    machine = "armv7l" if e.userland_bits == 32 else e.machine
    newest = min(max(version_of(e.glibc or "").minor, 17), 99)
    platforms = [f"manylinux_2_{n}_{machine}" for n in range(newest, 16, -1)] + [f"manylinux2014_{machine}"]
    python = "{0.major}.{0.minor}".format(version_of(e.python or ""))
    argv = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--only-binary=:all:", "--dest", str(folder), "--implementation", "cp", "--python-version", python,
            *(word for platform in platforms for word in ("--platform", platform)), *needed]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = last_line(done.stderr, f"exit code {done.returncode}")
        raise TargetError(f"the wheels are not available: {why}", "is this machine online?")
    return sorted(folder.glob("*.whl"))


def prove(device: Caller, release: Release, python: str, name: str) -> None:
    """Imports the runtime there: a wheel's tag may promise more than its library can do. name: as it is told."""
    argv = [python, "-I", "-c", PROVE, ENGINES[release.runtime]]
    must(device, argv, f"{name} does not work on {device.target.name}")


def must(device: Caller, argv: list[str], failure: str) -> None:
    done = device.call(argv, timeout_s=900)
    if done.returncode != 0:
        raise TargetError(f"{failure}: {failure_of(done)}", f"harness doctor {cli_name(device.target)}")


def failure_of(done: subprocess.CompletedProcess[bytes]) -> str:
    """Why a remote command failed, in its own last words."""
    return last_line(done.stderr or done.stdout, f"exit code {done.returncode}")
