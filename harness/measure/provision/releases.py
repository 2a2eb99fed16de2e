"""A release that is named has a venv of its own under a device's workdir, beside the others: engines/<name>-<key>/.

It is made under another name and renamed when it works, so it is there whole or not at all. The key is of what was
asked for: the release, numpy beside it, and the Python.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from harness.device.venvs import ABOUT, FOLDER, PART
from harness.errors import TargetError
from harness.measure.provision.install import install, must, prove
from harness.measure.provision.probe import Caller, Look
from harness.measure.runtimes import Release
from harness.support.cache import key_of

TELL = """
import json, sys
from importlib import metadata
packages = {each.metadata["Name"]: each.version for each in metadata.distributions()}
about = {"engine": sys.argv[2], "version": metadata.version(sys.argv[3]), "packages": packages}
with open(sys.argv[1], "w") as file:
    json.dump(about, file)
"""


def provide_release(device: Caller, look: Look, name: str, release: Release, say: Callable[[str], None]) -> None:
    """Makes the venv of one named release. Raises TargetError where it cannot be had, or does not work there."""
    if not look.has_venv:
        raise TargetError(f"{device.target.name} cannot make a venv", "on the device: sudo apt install python3-venv")
    e = look.environment
    folder = f"{device.workdir}/{FOLDER}/{name}-{key_of(name, e.python, e.machine, *release.needed)[:8]}"
    part = f"{folder}.{os.getpid()}{PART}"
    try:
        fill(device, look, name, release, part, say)
        must(device, ["rm", "-rf", folder], f"{folder} could not be removed")
        must(device, ["mv", part, folder], f"{folder} could not be put in place")
    finally:
        device.call(["rm", "-rf", part])
    say(f"{device.target.name}: {name} works")


def fill(device: Caller, look: Look, name: str, release: Release, part: str, say: Callable[[str], None]) -> None:
    python, where = f"{part}/bin/python", device.target.name
    system = ["--system-site-packages"] if from_system(release) else []
    must(device, ["mkdir", "-p", f"{device.workdir}/{FOLDER}"], f"{where} could not make a folder")
    must(device, ["python3", "-I", "-m", "venv", *system, part], f"{where} could not make a venv")
    install(device, look, [release], python, say)
    prove(device, release, python, name)
    told = [python, "-I", "-c", TELL, f"{part}/{ABOUT}", name, release.runtime]
    must(device, told, f"{where} could not write down what is in the venv of {name}")


def from_system(release: Release) -> bool:
    """Whether it needs the system's numpy, as where no wheel of numpy fits the processor."""
    return not release.numpy and "armv7l" in release.machines
