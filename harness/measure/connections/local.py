"""This machine as a device: the same server and the same jobs as anywhere, without a link."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from harness.measure.connections.device_code import device_code
from harness.measure.connections.server import ServerConnection
from harness.records import Target


class Local(ServerConnection):
    """Runs the device code with this very Python."""

    def __init__(self, target: Target, run_id: str, tune: bool = False) -> None:
        workdir = Path(target.workdir).expanduser()
        argv = [sys.executable, "-I", str(install(workdir)), "serve"]
        super().__init__(target, run_id, argv, str(workdir), tune)


def install(workdir: Path) -> Path:
    """The device code under the workdir, named by its hash."""
    code = device_code()
    path = workdir / "code" / f"{hashlib.sha256(code).hexdigest()}.pyz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(code)
        part.replace(path)
    return path
